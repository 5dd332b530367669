//! Heap cells: one owner, drawn from the global allocator, usable from any thread.

use core::ptr::{NonNull, null_mut};

use super::Handle;
pub(crate) use super::layout::HEAP as HEADER;
use super::layout::prefix;
use super::request::{Fill, Request};
use super::resize::{self, How, ResizeRequest, Resized};
use super::{check, end, make};
use crate::cell::{Cell, Kind, Shred};
use crate::error::AllocError;
use crate::fault::Call;

/// Allocates a heap cell as the request says and returns its data.
///
/// Fails with [`AllocError::Overflow`], [`AllocError::Align`] or [`AllocError::Exhausted`].
///
/// # Safety
/// The request's destructor, if any, can be called with this cell's data when it is freed.
///
/// ```
/// use kmem::raw::{heap, Request};
/// let data = unsafe { heap::alloc(&Request::new(100)) }.unwrap();
/// unsafe { heap::f(data.as_ptr()) };
/// ```
#[inline(always)]
pub unsafe fn alloc(request: &Request) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [origin] the null source is the heap, and the header is the bare prefix.
    unsafe {
        let data = make::alloc_cell(Kind::Heap, HEADER, null_mut(), request, 0)?;
        make::told_made(Kind::Heap, data.as_ptr(), HEADER, null_mut());
        Ok(data)
    }
}

#[inline]
unsafe fn allocate(size: usize, fill: Fill) -> *mut u8 {
    // SAFETY: [caller] there is no destructor.
    unsafe { alloc(&Request { fill, ..Request::new(size) }) }.map_or(null_mut(), NonNull::as_ptr)
}

#[inline]
pub(crate) unsafe fn release(data: *mut u8, call: Call, shred: Shred) {
    if data.is_null() {
        return;
    }
    // SAFETY: [caller, live] the caller vouches for a readable header, and `end` runs only where it is that of a live
    // heap cell.
    unsafe {
        if check::check(call, Kind::Heap, HEADER, data) {
            end::end(call, Kind::Heap, HEADER, data, null_mut(), shred.is_yes());
        }
    }
}

/// [`resize`] on behalf of `call`.
#[inline]
pub(crate) unsafe fn resize_kept(
    data: *mut u8,
    to: ResizeRequest,
    call: Call,
    shred: Shred,
) -> Result<Resized, AllocError> {
    // SAFETY: [caller, live] the caller vouches for a readable header, and the check for what it says.
    unsafe {
        if !check::check(call, Kind::Heap, HEADER, data) {
            return Err(AllocError::Misused);
        }
        let how = How { shred: shred.is_yes(), alone: true };
        resize::resize(call, Kind::Heap, HEADER, data, null_mut(), to, how)
    }
}

/// The prefix of the heap cell with this data.
pub(crate) fn cell(data: *mut u8) -> *mut Cell {
    prefix(data, HEADER)
}

/// The handle of a live cell with this data; the null handle of null.
///
/// # Safety
/// `data` is null or that of a live cell of this method.
///
/// ```
/// use kmem::raw::{ptr, heap};
/// use std::ptr::null_mut;
/// unsafe {
///     ptr::free(heap::handle(heap::a(24)));
///     assert!(heap::handle(null_mut()).is_null());
/// }
/// ```
#[inline]
#[must_use]
pub unsafe fn handle(data: *mut u8) -> Handle {
    Handle::on(Kind::Heap, data, cell(data))
}

verbs! {
    module: "heap",
    call: "kmheap",
    thing: "a heap cell of `size` bytes",
    a: (size: usize) => (size),
    z: (size: usize) => (size),
    f: -> (),
    fails: "Null means that the heap is exhausted or that the size overflows. Any thread may call it.",
    safety: "None beyond the use of what is returned.",
    frees: "Frees a heap cell, zeroing it first if it is tainted.",
    shreds: "Zeroes a heap cell and frees it.",
    example: ("", "24", "24", ""),
}

resizes! {
    module: "heap",
    call: "kmheap",
    thing: "a heap cell",
    null: ("Null makes a new cell.", size => allocate(size, Fill::Undefined)),
    moves: "",
    fails: "Fails as [`AllocError`] says.",
    example: ("a(8)"),
}
