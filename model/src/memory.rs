//! The heap below kmem: an allocator that counts kmem's blocks, refuses on demand and checks freed memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};

/// The global allocator of a program that [runs](crate::run) the model.
///
/// ```
/// #[global_allocator]
/// static GLOBAL: kmem_model::Watch = kmem_model::Watch;
/// ```
#[derive(Debug)]
pub struct Watch;

/// The largest block. So a request for half of the address space is refused, not tried.
const MOST: usize = 1 << 28;

thread_local! {
    /// True while kmem runs, false while the model does.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    /// The size of the last block.
    static LAST: Cell<usize> = const { Cell::new(0) };
    static ASKED: Cell<usize> = const { Cell::new(0) };
    static REFUSE: Cell<usize> = const { Cell::new(usize::MAX) };
    static ZEROED: RefCell<Vec<Range>> = const { RefCell::new(Vec::new()) };
}

/// Bytes that must be zero when they are freed.
#[derive(Clone, Copy, Debug)]
struct Range {
    start: usize,
    len: usize,
    /// If the block was freed, true if the bytes were zero then.
    went: Option<bool>,
}

fn at_work() -> bool {
    AT_WORK.try_with(Cell::get).unwrap_or(false)
}

/// Counts a request of kmem. Returns true if it has to be refused.
fn refused(size: usize) -> bool {
    let number = ASKED.get();
    ASKED.set(number + 1);
    if number == REFUSE.get() || size > MOST {
        return true;
    }
    LIVE.set(LIVE.get() + 1);
    LAST.set(size);
    false
}

unsafe fn all_zero(start: *const u8, len: usize) -> bool {
    (0..len).all(|at| unsafe { start.add(at).read() } == 0)
}

// SAFETY: it passes everything on to `System`, or returns null.
unsafe impl GlobalAlloc for Watch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !at_work() {
            return unsafe { System.alloc(layout) };
        }
        if refused(layout.size()) {
            return std::ptr::null_mut();
        }
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() {
            unsafe { block.write_bytes(0xCD, layout.size()) };
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if at_work() && refused(layout.size()) {
            return std::ptr::null_mut();
        }
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if at_work() {
            LIVE.set(LIVE.get() - 1);
            ZEROED.with_borrow_mut(|ranges| {
                for range in ranges {
                    let offset = range.start.wrapping_sub(block.addr());
                    // Later contents of this memory do not matter.
                    if offset < layout.size() && range.went.is_none() {
                        range.went = Some(unsafe { all_zero(block.add(offset), range.len) });
                    }
                }
            });
        }
        unsafe { System.dealloc(block, layout) }
    }
}

/// Runs `call` as kmem.
pub(crate) fn kmem<R>(call: impl FnOnce() -> R) -> R {
    let before = AT_WORK.replace(true);
    let result = call();
    AT_WORK.set(before);
    result
}

/// Runs `call` as the model, within a call of kmem.
pub(crate) fn model<R>(call: impl FnOnce() -> R) -> R {
    let before = AT_WORK.replace(false);
    let result = call();
    AT_WORK.set(before);
    result
}

/// Resets the counts, and refuses the request with this number.
pub(crate) fn restart(refuse: Option<usize>) {
    LIVE.set(0);
    ASKED.set(0);
    REFUSE.set(refuse.unwrap_or(usize::MAX));
}

/// The number of requests so far.
pub(crate) fn asked() -> usize {
    ASKED.get()
}

/// Returns true if the refused request lies between these numbers.
pub(crate) fn refused_between(before: usize, after: usize) -> bool {
    (before..after).contains(&REFUSE.get())
}

/// The size of the last block that kmem allocated.
pub(crate) fn last() -> usize {
    LAST.get()
}

/// The number of kmem's live blocks.
pub(crate) fn live() -> isize {
    LIVE.get()
}

/// Runs `call`. After it all these ranges must be zero, or must have been zero when their block was freed. Returns the first range that
/// was not.
pub(crate) fn zeroing<R>(ranges: &[(*mut u8, usize)], call: impl FnOnce() -> R) -> (R, Option<usize>) {
    let watched = ranges.iter().map(|&(start, len)| Range { start: start.addr(), len, went: None });
    ZEROED.set(watched.collect());
    let result = call();
    let went = ZEROED.take();
    let zeroed = |at: usize| match went[at].went {
        Some(zero) => zero,
        // The block was not freed, so it can be read.
        None => unsafe { all_zero(ranges[at].0, ranges[at].1) },
    };
    (result, (0..ranges.len()).find(|&at| !zeroed(at)))
}
