//! Reference-counted cells: freed when the last reference is dropped, on any thread.

pub(crate) mod count;
#[cfg(feature = "tree")]
mod own;
#[cfg(feature = "tree")]
pub(crate) mod owned;

use core::ptr::{NonNull, null_mut};

use super::Handle;
use super::layout::{CellAt, Ref};
use super::request::{Fill, Request};
use super::resize::{self, How, ResizeRequest, ResizeResult};
use super::{check, end, make};
use crate::atomic::AtomicUsize;
use crate::cell::{Cell, Kind, Shred};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse, call};
use crate::shared;
use count::{check_only, drop_one, drop_one_cold};

pub(crate) use count::down;
#[cfg(feature = "tree")]
use owned::Owned;

#[cfg(feature = "tree")]
pub use own::{k, l};

/// Allocates a counted cell with one reference and returns its data.
///
/// Returns [`AllocError::Source`] if `src` is a tree node or a counted cell, because the new cell could outlive it.
/// Other failures are as [`AllocError`] says.
///
/// # Safety
/// `src` is null (the heap) or points to a live cell that outlives the new one. The request's destructor, if any, may
/// be called with the data of this cell, on the thread that drops the last reference.
///
/// ```
/// use kmem::raw::{refs, Request};
/// let data = unsafe { refs::alloc(std::ptr::null_mut(), &Request::new(100)) }.unwrap();
/// unsafe { refs::f(data.as_ptr()) };
/// ```
#[inline(always)]
pub unsafe fn alloc(src: *mut Cell, request: &Request) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc_by(make::alloc_cell, src, request) }
}

/// [`alloc`] by the given one of the two functions that make cells.
#[inline(always)]
pub(crate) unsafe fn alloc_by(
    alloc_cell: make::AllocCell,
    src: *mut Cell,
    request: &Request,
) -> make::AllocResult {
    // SAFETY: [caller] the source is live.
    let data = unsafe { alloc_cell(Kind::Ref, src, request, 0) }?;
    let header = Ref::of(data.as_ptr());
    // SAFETY: [extent] `alloc_cell` left room for the header before the data.
    unsafe {
        (&raw mut (*header).refs).write(AtomicUsize::new(1));
        (&raw mut (*header).src).write(src);
        make::announce_made(CellAt::new(Kind::Ref, data.as_ptr()));
    }
    Ok(data)
}

#[inline]
unsafe fn allocate(src: *mut Cell, size: usize, fill: Fill) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc(src, &Request { fill, ..Request::new(size) }) }.map_or(null_mut(), NonNull::as_ptr)
}

/// Returns the handle of a live cell, or the null handle if `data` is null.
///
/// # Safety
/// `data` is null or that of a live cell of this method.
#[inline(always)]
#[must_use]
pub unsafe fn handle(data: *mut u8) -> Handle {
    Handle::on(Kind::Ref, data, Ref::of(data).cast())
}

/// Drops a reference on behalf of `call`. Ignores null. Safety: as for [`f`].
#[inline(always)]
pub(crate) unsafe fn release(data: *mut u8, call: Call, shred: Shred) {
    // SAFETY: [caller] the contract is the caller's. After the last reference, the cell is the caller's alone.
    unsafe {
        let is_last =
            if shred.is_yes() { drop_one_cold(data, call, shred) } else { drop_one(data, call, shred) };
        if is_last {
            end(call, data);
        }
    }
}

/// Ends a cell without references. Out of line, so that a drop that leaves other references need not save registers.
/// Safety: `data` is that of a live counted cell that only the caller can access.
#[inline(never)]
pub(crate) unsafe fn end(call: Call, data: *mut u8) {
    // SAFETY: [caller, outlives] the cell is the caller's. Its source outlives it.
    unsafe {
        if !end::end_fast(CellAt::new(Kind::Ref, data)) {
            end_cold(call, data);
        }
    }
}

/// [`end`] of a cell that is not plain.
#[inline(never)]
unsafe fn end_cold(call: Call, data: *mut u8) {
    /// Ends the cell when dropped, even if freeing an owned object unwinds.
    struct CellFreeGuard(Call, *mut u8);
    impl Drop for CellFreeGuard {
        fn drop(&mut self) {
            // SAFETY: [guard] nobody else has the cell.
            unsafe { end::end_slow(self.0, CellAt::new(Kind::Ref, self.1), false) };
        }
    }
    let ending = CellFreeGuard(call, data);
    #[cfg(feature = "tree")]
    // SAFETY: [caller] the cell is the caller's, and so are its objects.
    unsafe {
        match owned::take(call, data) {
            Owned::Nothing => {}
            Owned::Below(root) => super::tree::free::free_owned(call, root.as_ptr()),
            Owned::Refused => return core::mem::forget(ending),
        }
    }
    drop(ending);
}

/// [`resize`] on behalf of `call`. The old block is freed when the result is dropped.
#[inline]
pub(crate) unsafe fn resize_kept(data: *mut u8, to: ResizeRequest, call: Call, shred: Shred) -> ResizeResult {
    // SAFETY: [caller, live, last-ref] the header is readable, and the caller has a reference. The check finds a live cell. If no
    // other reference exists, nobody else has the cell.
    unsafe {
        if data.is_null() {
            return Err(AllocError::source(None));
        }
        let at = CellAt::new(Kind::Ref, data);
        if !check::check(call, at) {
            return Err(AllocError::Misused);
        }
        check_only(data)?;
        resize::resize(call, at, to, How { shred: shred.is_yes(), alone: true })
    }
}

/// Adds a reference and returns `data`. Ignores null. Too many references end the program. C: `kmrefu`.
///
/// # Safety
/// `data` is null or that of a counted cell to which the caller has a reference.
#[inline]
pub unsafe fn u(data: *mut u8) -> *mut u8 {
    const CALL: Call = Call::new(c"kmrefu");
    // SAFETY: [caller] the header is readable if the data is not null.
    if data.is_null() || !unsafe { check::check(CALL, CellAt::new(Kind::Ref, data)) } {
        return data;
    }
    // SAFETY: [live, last-ref] the check found a live counted cell, and the caller's reference keeps it live.
    if !shared::up(unsafe { &(*Ref::of(data)).refs }) {
        // The count must not wrap, and cannot be reduced: see `up`. So the program ends, even if the handler panics.
        let _end = fault::AbortOnDrop;
        fault::report(CALL, data, Misuse::CountOverflow);
    }
    data
}

/// Drops a reference, like [`f`]. C: `kmrefd`.
///
/// # Safety
/// As for [`f`].
#[inline]
pub unsafe fn d(data: *mut u8) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { release(data, call!(c"kmrefd"), Shred::No) }
}

/// Returns the number of references. Other threads may change it at any time.
///
/// # Safety
/// `data` is that of a live counted cell.
#[must_use]
pub unsafe fn count(data: *mut u8) -> usize {
    // SAFETY: [caller] the cell is live.
    shared::count(unsafe { &(*Ref::of(data)).refs })
}

verbs! {
    call: "kmref",
    new: handle,
    a: (src: *mut Cell, size: usize) => (src, size),
    z: (src: *mut Cell, size: usize) => (src, size),
    f: "Drops a reference. The last one frees the cell." -> (),
}

resizes! {
    call: "kmref",
    null: ("returns null", size => { let _ = size; null_mut() }),
    fails: "Returns [`AllocError::Shared`] if there are other references. Otherwise fails as [`alloc`](fn@alloc) does.",
}
