//! The limit as a source: it counts the bytes that are allocated through it, and passes each call to the source below.
//!
//! Limits over limits are a chain. The functions walk it in a loop.

use core::alloc::Layout;
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::{NonNull, null_mut};

use super::heap::{draw_heap, free_heap, resize_heap};
use crate::atomic::{AtomicUsize, Ordering::Relaxed};
use crate::cell::{Cell, Kind};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse, call};
use crate::quota::Quota;
use crate::raw::request::{BASE_ALIGN, Below, Fill};
use crate::raw::{sanitizer, seal};
use crate::shared;

/// On a limit: its source is the heap.
const LIMIT_OF_HEAP: u8 = 1;

/// A limit (`kmlimit` in C): a source that allocates from another one, and counts. It may move until a cell is allocated from it.
#[derive(Debug)]
#[repr(C)]
pub struct Limit {
    /// The prefix, of kind [`Kind::Limit`].
    pub cell: Cell,
    /// The source; null means the heap.
    pub src: *mut Cell,
    pub(crate) quota: Quota,
    over: Option<OverFn>,
    arg: *mut c_void,
    /// 1 while `over` runs.
    asking: AtomicUsize,
    /// The seal of `src`, `over` and `arg`.
    seal: usize,
}

const _: () = {
    const WORD: usize = size_of::<usize>();
    assert!(offset_of!(Limit, src) == 16 && size_of::<Limit>() == 16 + 12 * WORD);
};

/// The function that a limit calls before it refuses `want` bytes: `kmlimith` in C. It returns 1 if it freed something.
pub type OverFn = unsafe extern "C-unwind" fn(limit: *mut Limit, want: usize, arg: *mut c_void) -> c_int;

impl Limit {
    /// Returns a limit of `max` bytes over a source, or over the heap if `src` is null.
    #[must_use]
    pub fn new(src: *mut Cell, max: usize) -> Limit {
        let mut limit = Limit::unsealed(max, None);
        limit.cell.heap = seal::heap_id();
        limit.cell.flags = if src.is_null() { LIMIT_OF_HEAP } else { 0 };
        limit.src = src;
        limit.set_over(None, null_mut());
        limit
    }

    /// Returns a limit that counts, but is no source of the engine.
    pub(crate) const fn unsealed(max: usize, over: Option<OverFn>) -> Limit {
        Limit {
            cell: Cell::new(Kind::Limit, 0, 0, 0, size_of::<Limit>()),
            src: null_mut(),
            quota: Quota::new(max),
            over,
            arg: null_mut(),
            asking: AtomicUsize::new(0),
            seal: 0,
        }
    }

    pub(crate) fn set_over(&mut self, over: Option<OverFn>, arg: *mut c_void) {
        (self.over, self.arg) = (over, arg);
        self.seal = self.sealed();
    }

    fn sealed(&self) -> usize {
        seal::of_words([self.src.addr(), self.over.map_or(0, |over| over as usize), self.arg.addr()])
    }

    /// Takes bytes. If they are too many, and `ask` is set, calls the function of the limit as long as it frees something.
    /// Safety: the limit is live, and its seal was checked. The function of the limit suits its argument.
    pub(crate) unsafe fn take(this: *mut Limit, size: usize, ask: bool) -> bool {
        let mut before = usize::MAX;
        // SAFETY: [caller] the caller's limit is live.
        unsafe {
            while !(*this).quota.take(size) {
                let used = (*this).quota.used();
                if !ask || used >= before || !Limit::ask(this, size) {
                    if ask {
                        (*this).quota.refuse();
                    }
                    return false;
                }
                before = used;
            }
        }
        true
    }

    /// Calls the function of the limit, unless it is running. Returns true if it freed something.
    unsafe fn ask(this: *mut Limit, want: usize) -> bool {
        struct Asking<'a>(&'a AtomicUsize);
        impl Drop for Asking<'_> {
            fn drop(&mut self) {
                self.0.store(0, Relaxed);
            }
        }
        // SAFETY: [caller] the caller's limit is live.
        unsafe {
            let Some(over) = (*this).over else { return false };
            let asking = &(*this).asking;
            if asking.compare_exchange(0, 1, Relaxed, Relaxed).is_err() {
                return false;
            }
            let _asking = Asking(asking);
            // If panics abort, nothing unwinds: see `Destructor::call`.
            #[cfg(panic = "abort")]
            let over = core::mem::transmute::<
                OverFn,
                unsafe extern "C" fn(*mut Limit, usize, *mut c_void) -> c_int,
            >(over);
            sanitizer::calls(size_of::<[usize; 3]>());
            over(this, want, (*this).arg) != 0
        }
    }
}

/// Returns true if this is a live limit. Safety: `src` is null or a readable prefix.
#[inline(always)]
unsafe fn is_limit(src: *mut Cell) -> bool {
    // SAFETY: [caller] the prefix is readable.
    !src.is_null() && unsafe { (*src).kind == Kind::Limit as i32 }
}

/// Returns true if the limit is not corrupt, and its heap is that of this copy of kmem. Otherwise reports it.
/// Safety: the header of a limit is readable.
pub(crate) unsafe fn is_valid(call: Call, limit: *mut Limit) -> bool {
    // SAFETY: [caller] the header is readable.
    let misuse = unsafe {
        if (*limit).seal != (*limit).sealed() {
            Misuse::Damaged
        } else if (*limit).src.is_null() && (*limit).cell.heap != seal::heap_id() {
            Misuse::OtherHeap
        } else {
            return true;
        }
    };
    fault::report(call, limit.cast(), misuse);
    false
}

/// Bytes that were taken from the limits from `first` down to before `end`. Dropping this returns them.
struct Taken {
    first: *mut Cell,
    end: *mut Cell,
    size: usize,
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut at = self.first;
        while at != self.end {
            let limit: *mut Limit = at.cast();
            // SAFETY: [guard, limit, outlives] the limits of the chain are live, and these bytes were taken from them.
            unsafe {
                (*limit).quota.give_unused(self.size);
                at = (*limit).src;
            }
        }
    }
}

/// Takes bytes from every limit of the chain that begins with `src`, or from none. `end` of the result is the source below.
/// Safety: `src` is a live source, and so are those below.
unsafe fn take(src: *mut Cell, size: usize, ask: bool) -> Result<Taken, AllocError> {
    let mut taken = Taken { first: src, end: src, size };
    // SAFETY: [caller, outlives] the limits of the chain are live.
    unsafe {
        while is_limit(taken.end) {
            let limit: *mut Limit = taken.end.cast();
            if !is_valid(call!(c"kmlimit"), limit) {
                return Err(AllocError::Misused);
            }
            if !Limit::take(limit, size, ask) {
                return Err(AllocError::exhausted(size));
            }
            taken.end = (*limit).src;
        }
    }
    Ok(taken)
}

/// Returns bytes to every limit of the chain. Returns the source below, or `None` if a limit is corrupt. Safety: as for [`take`].
unsafe fn give(src: *mut Cell, size: usize) -> Option<*mut Cell> {
    let mut at = src;
    // SAFETY: [caller, limit, outlives] the limits of the chain are live.
    unsafe {
        while is_limit(at) {
            let limit: *mut Limit = at.cast();
            if !is_valid(call!(c"kmlimit"), limit) {
                return None;
            }
            (*limit).quota.give(size);
            at = (*limit).src;
        }
    }
    Some(at)
}

/// Returns the source below the limits of the chain, which is `src` itself if that is no limit. Returns null for the heap.
/// Safety: as for [`take`].
#[inline(never)]
pub(crate) unsafe fn bottom(mut src: *mut Cell) -> *mut Cell {
    // SAFETY: [caller, outlives] the limits of the chain are live.
    unsafe {
        while is_limit(src) {
            src = (*src.cast::<Limit>()).src;
        }
    }
    src
}

/// Returns the bytes that the limits of the chain leave, or the largest number if there are no limits. Safety: as for [`take`].
pub(crate) unsafe fn room(mut src: *mut Cell) -> usize {
    let mut room = usize::MAX;
    // SAFETY: [caller, outlives] the limits of the chain are live.
    unsafe {
        while is_limit(src) {
            let limit: *mut Limit = src.cast();
            room = room.min((*limit).quota.room());
            src = (*limit).src;
        }
    }
    room
}

pub(super) unsafe fn draw(src: *mut Cell, layout: Layout, below: &Below) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let taken = take(src, layout.size(), true)?;
        let block = (below.draw)(taken.end, layout)?;
        core::mem::forget(taken);
        Ok(block)
    }
}

pub(super) unsafe fn give_back(src: *mut Cell, block: *mut u8, layout: Layout, below: &Below) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if let Some(end) = give(src, layout.size()) {
            (below.give_back)(end, block, layout);
        }
    }
}

/// Allocates a block aligned to 16, or returns null if only [`draw`] can. Safety: `src` is the readable prefix of a source.
#[inline(always)]
pub(super) unsafe fn draw_fast(src: *mut Cell, size: usize) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { if is_plain(src) { draw_plain(src.cast(), size) } else { null_mut() } }
}

/// [`draw_fast`] from a plain limit.
#[inline(never)]
unsafe fn draw_plain(limit: *mut Limit, size: usize) -> *mut u8 {
    // SAFETY: [caller, extent] the limit is live, and the size is that of a plain cell.
    unsafe {
        if (*limit).cell.heap != seal::heap_id() || !(*limit).quota.take_spare(size) {
            return null_mut();
        }
        let layout = Layout::from_size_align_unchecked(size, BASE_ALIGN);
        let Ok(block) = draw_heap(layout, Fill::Undefined) else {
            (*limit).quota.give_unused(size);
            return null_mut();
        };
        block.as_ptr()
    }
}

/// Returns true if this is a live limit over the heap that is not tainted. Safety: `src` is the readable prefix of a source.
#[inline(always)]
pub(super) unsafe fn is_plain(src: *mut Cell) -> bool {
    // SAFETY: [caller] the prefix is readable, and nobody writes it while blocks are allocated and freed.
    unsafe {
        (*src).kind == Kind::Limit as i32
            && (&raw const (*src).shred).cast::<[u8; 2]>().read() == [0, LIMIT_OF_HEAP]
    }
}

/// Frees a block of a plain limit. Safety: as for [`give_back`], and [`is_plain`] is true.
#[inline(never)]
pub(super) unsafe fn give_back_fast(src: *mut Cell, block: *mut u8, size: usize) {
    let limit: *mut Limit = src.cast();
    // SAFETY: [caller, origin] the limit is live, and the block was allocated from the heap with this size.
    unsafe {
        if (*limit).cell.heap != seal::heap_id() {
            // The block stays.
            is_valid(call!(c"kmlimit"), limit);
            return;
        }
        (*limit).quota.give_fast(size);
        free_heap(block, Layout::from_size_align_unchecked(size, BASE_ALIGN));
    }
}

pub(super) unsafe fn fits_in_place(src: *mut Cell, size: usize, below: &Below) -> Result<bool, AllocError> {
    // A block that keeps its place changes the count all the same: see `resize`.
    // SAFETY: [caller] the contract is the caller's.
    unsafe { (below.fits_in_place)(bottom(src), size) }.map(|_| false)
}

pub(super) unsafe fn resizes(src: *mut Cell) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { !bottom(src).is_null() }
}

pub(super) unsafe fn resize(
    src: *mut Cell,
    block: *mut u8,
    layout: Layout,
    to: usize,
    below: &Below,
) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        counted(src, layout.size(), to, |end| (below.resize)(end, block, layout, to).then_some(())).is_some()
    }
}

/// [`resize_heap`] for a block that was allocated through limits. Safety: as there; the [`bottom`] of `src` is the heap.
#[inline(never)]
pub(super) unsafe fn resize_heap_counted(
    src: *mut Cell,
    block: *mut u8,
    layout: Layout,
    to: usize,
) -> Option<NonNull<u8>> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { counted(src, layout.size(), to, |_| resize_heap(block, layout, to)) }
}

/// Resizes a block by `change`, and counts the difference. Safety: as for [`take`].
unsafe fn counted<T>(
    src: *mut Cell,
    from: usize,
    to: usize,
    change: impl FnOnce(*mut Cell) -> Option<T>,
) -> Option<T> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let taken = take(src, to.saturating_sub(from), false).ok()?;
        let changed = change(taken.end)?;
        core::mem::forget(taken);
        give(src, from.saturating_sub(to));
        Some(changed)
    }
}

pub(super) unsafe fn resized(_src: *mut Cell, _block: *mut u8, _from: usize, _to: usize) {}

pub(super) unsafe fn may_have_served(src: *mut Cell, size: usize) -> bool {
    // SAFETY: [caller] the caller's header is readable.
    unsafe { size <= (*src.cast::<Limit>()).quota.used() }
}

pub(super) unsafe fn below(src: *mut Cell) -> *mut Cell {
    // SAFETY: [caller] the caller's header is readable.
    unsafe { (*src.cast::<Limit>()).src }
}

pub(super) unsafe fn zeroes(src: *mut Cell) -> bool {
    // SAFETY: [caller] the caller's header is readable.
    unsafe { shared::is_marked(&(*src).shred) }
}
