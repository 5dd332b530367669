//! The heap beneath: an allocator that counts what kmem holds, refuses when told to, and looks at what goes back.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};

/// The global allocator that a program which [runs](crate::run) the model must have.
///
/// ```
/// #[global_allocator]
/// static GLOBAL: kmem_model::Watch = kmem_model::Watch;
/// ```
#[derive(Debug)]
pub struct Watch;

/// No single block is larger, so that a request for half an address space is refused and not tried.
const MOST: usize = 1 << 28;

thread_local! {
    /// Whether kmem is at work, and not the model.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    /// The bytes of the block that was allocated last.
    static LAST: Cell<usize> = const { Cell::new(0) };
    static ASKED: Cell<usize> = const { Cell::new(0) };
    static REFUSE: Cell<usize> = const { Cell::new(usize::MAX) };
    static ZEROED: RefCell<Vec<Range>> = const { RefCell::new(Vec::new()) };
}

/// Bytes that are to be zero when they go.
#[derive(Clone, Copy, Debug)]
struct Range {
    start: usize,
    len: usize,
    /// Whether the block around them went, and whether they were zero then.
    went: Option<bool>,
}

fn at_work() -> bool {
    AT_WORK.try_with(Cell::get).unwrap_or(false)
}

/// Counts a request of kmem's, and says whether it is one to refuse.
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
                    // What lies there later is of no concern.
                    if offset < layout.size() && range.went.is_none() {
                        range.went = Some(unsafe { all_zero(block.add(offset), range.len) });
                    }
                }
            });
        }
        unsafe { System.dealloc(block, layout) }
    }
}

/// Runs `call` as kmem's work.
pub(crate) fn kmem<R>(call: impl FnOnce() -> R) -> R {
    let before = AT_WORK.replace(true);
    let result = call();
    AT_WORK.set(before);
    result
}

/// Runs `call` as the model's work, inside of kmem's.
pub(crate) fn model<R>(call: impl FnOnce() -> R) -> R {
    let before = AT_WORK.replace(false);
    let result = call();
    AT_WORK.set(before);
    result
}

/// Forgets what was counted, and refuses the request with this number.
pub(crate) fn restart(refuse: Option<usize>) {
    LIVE.set(0);
    ASKED.set(0);
    REFUSE.set(refuse.unwrap_or(usize::MAX));
}

/// The number of requests so far.
pub(crate) fn asked() -> usize {
    ASKED.get()
}

/// Whether a request was refused on purpose between two numbers of requests.
pub(crate) fn refused_between(before: usize, after: usize) -> bool {
    (before..after).contains(&REFUSE.get())
}

/// The bytes of the block that kmem allocated last.
pub(crate) fn last() -> usize {
    LAST.get()
}

/// The blocks that kmem holds.
pub(crate) fn live() -> isize {
    LIVE.get()
}

/// Runs `call`, after which all these bytes must be zero, or have been when the block around them went. Returns the first
/// that were not.
pub(crate) fn zeroing<R>(ranges: &[(*mut u8, usize)], call: impl FnOnce() -> R) -> (R, Option<usize>) {
    let watched = ranges.iter().map(|&(start, len)| Range { start: start.addr(), len, went: None });
    ZEROED.set(watched.collect());
    let result = call();
    let went = ZEROED.take();
    let zeroed = |at: usize| match went[at].went {
        Some(zero) => zero,
        // Nobody took the block away, so it is there to be looked at.
        None => unsafe { all_zero(ranges[at].0, ranges[at].1) },
    };
    (result, (0..ranges.len()).find(|&at| !zeroed(at)))
}
