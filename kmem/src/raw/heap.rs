//! Heap cells: one owner, allocated from the global allocator, usable from any thread.

use core::ptr::{NonNull, null_mut};

use super::Handle;
use super::layout::CellAt;
use super::request::{Fill, Request};
use super::resize::{self, How, ResizeRequest, ResizeResult};
use super::{check, end, make};
use crate::cell::{Cell, Kind, Shred};
use crate::error::AllocError;
use crate::fault::Call;

/// Allocates a heap cell and returns its data. Returns [`AllocError::Overflow`], [`AllocError::Align`] or
/// [`AllocError::Exhausted`] on failure.
///
/// # Safety
/// The request's destructor, if any, may be called with the data of this cell when it is freed.
///
/// ```
/// use kmem::raw::{heap, Request};
/// let data = unsafe { heap::alloc(&Request::new(100)) }.unwrap();
/// unsafe { heap::f(data.as_ptr()) };
/// ```
#[inline(always)]
pub unsafe fn alloc(request: &Request) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc_by(make::alloc_cell, request) }
}

/// [`alloc`] by the given one of the two functions that make cells.
#[inline(always)]
pub(crate) unsafe fn alloc_by(alloc_cell: make::AllocCell, request: &Request) -> make::AllocResult {
    // SAFETY: [origin] the null source is the heap, and the header is the bare prefix.
    unsafe {
        let data = alloc_cell(Kind::Heap, null_mut(), request, 0)?;
        make::announce_made(CellAt::new(Kind::Heap, data.as_ptr()));
        Ok(data)
    }
}

#[inline]
unsafe fn allocate(size: usize, fill: Fill) -> *mut u8 {
    // SAFETY: [caller] there is no destructor.
    unsafe { alloc(&Request { fill, ..Request::new(size) }) }.map_or(null_mut(), NonNull::as_ptr)
}

/// Frees a cell on behalf of `call`. Ignores null. Safety: `data` is null, or the header before it is readable.
#[inline(always)]
pub(crate) unsafe fn release(data: *mut u8, call: Call, shred: Shred) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { release_by(end::end, data, call, shred) }
}

/// [`release`] by one of the functions that end cells.
#[inline(always)]
pub(crate) unsafe fn release_by(
    end: unsafe fn(Call, CellAt, bool) -> bool,
    data: *mut u8,
    call: Call,
    shred: Shred,
) {
    if data.is_null() {
        return;
    }
    // SAFETY: [caller, live] the header is readable. `end` runs only if it is that of a live heap cell.
    unsafe {
        let at = CellAt::new(Kind::Heap, data);
        if check::check(call, at) {
            end(call, at, shred.is_yes());
        }
    }
}

/// [`resize`] on behalf of `call`. The old block is freed when the result is dropped.
#[inline]
pub(crate) unsafe fn resize_kept(data: *mut u8, to: ResizeRequest, call: Call, shred: Shred) -> ResizeResult {
    // SAFETY: [caller, live] the header is readable. The check finds a live heap cell.
    unsafe {
        let at = CellAt::new(Kind::Heap, data);
        if !check::check(call, at) {
            return Err(AllocError::Misused);
        }
        resize::resize(call, at, to, How { shred: shred.is_yes(), alone: true })
    }
}

pub(crate) fn cell(data: *mut u8) -> *mut Cell {
    CellAt::new(Kind::Heap, data).cell()
}

/// Returns the handle of a live cell, or the null handle if `data` is null.
///
/// # Safety
/// `data` is null or that of a live cell of this method.
#[inline(always)]
#[must_use]
pub unsafe fn handle(data: *mut u8) -> Handle {
    Handle::on(Kind::Heap, data, cell(data))
}

verbs! {
    call: "kmheap",
    new: handle,
    a: (size: usize) => (size),
    z: (size: usize) => (size),
    f: "Frees a cell." -> (),
}

resizes! {
    call: "kmheap",
    null: ("allocates a cell", size => allocate(size, Fill::Undefined)),
    fails: "Fails as [`alloc`](fn@alloc) does.",
}
