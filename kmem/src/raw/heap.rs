//! Heap cells: one owner, drawn from the global allocator, usable from any thread.

use core::ptr::{NonNull, null_mut};

use super::Handle;
use super::block::{self, Fill, Request, Resized};
use crate::cell::{Cell, Kind, Shred};
use crate::error::AllocError;

/// Bytes from the start of a heap cell's header to its data.
pub(crate) const HEADER: usize = 16;

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
    unsafe { block::carve(Kind::Heap, HEADER, null_mut(), request, 0) }
}

#[inline]
unsafe fn allocate(size: usize, fill: Fill) -> *mut u8 {
    // SAFETY: [caller] there is no destructor.
    unsafe { alloc(&Request { fill, ..Request::new(size) }) }.map_or(null_mut(), NonNull::as_ptr)
}

#[inline]
pub(crate) unsafe fn release(data: *mut u8, call: &'static str, shred: Shred) {
    if data.is_null() {
        return;
    }
    // SAFETY: [caller, live] the caller vouches for a readable header, and `end` runs only where it is that of a live
    // heap cell.
    unsafe {
        if block::check(call, Kind::Heap, HEADER, data) {
            block::end(call, Kind::Heap, HEADER, data, null_mut(), shred.is_yes());
        }
    }
}

/// Gives a heap cell another size and returns its data, which may have moved: see [`resize`]. Null makes a new cell; null is
/// returned where it fails, and the cell is as it was.
///
/// # Safety
/// As for [`resize`], where the data may be null.
///
/// ```
/// use kmem::raw::heap;
/// use std::ptr::null_mut;
/// unsafe {
///     let data = heap::r(null_mut(), 2);
///     data.write(7);
///     let data = heap::r(data, 1000);
///     assert_eq!(data.read(), 7);
///     assert!(heap::r(data, usize::MAX).is_null()); // and the cell is as it was
///     heap::f(data);
/// }
/// ```
pub unsafe fn r(data: *mut u8, size: usize) -> *mut u8 {
    if data.is_null() {
        // SAFETY: [caller] there is no destructor.
        return unsafe { allocate(size, Fill::Undefined) };
    }
    // SAFETY: [caller] the contract is the caller's.
    unsafe { resize(data, size) }.map_or(null_mut(), NonNull::as_ptr)
}

/// Gives a heap cell `size` bytes of data, in place where the heap can, and returns the data, which may have moved. Of the
/// contents stays what fits; what is added is undefined. Alignment, destructor, name and mark stay. Of a tainted cell the bytes
/// that are cut off, and those that a move leaves behind, are zeroed.
///
/// Fails as [`AllocError`] says; the cell is as it was then.
///
/// # Safety
/// `data` is that of a live heap cell that nobody else uses meanwhile, and nobody uses the old address afterwards. What the
/// header shows to be wrong goes to the [fault handler](crate::fault) and changes nothing.
///
/// ```
/// use kmem::raw::heap;
/// unsafe {
///     let data = heap::resize(heap::z(8), 16).unwrap();
///     assert_eq!(data.read(), 0);
///     heap::f(data.as_ptr());
/// }
/// ```
pub unsafe fn resize(data: *mut u8, size: usize) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's. A heap cell's block goes back without a call.
    unsafe { resize_kept(data, size, "kmheapr", Shred::No) }.map(|resized| resized.data)
}

/// [`resize`] on behalf of `call`.
pub(crate) unsafe fn resize_kept(
    data: *mut u8,
    size: usize,
    call: &'static str,
    shred: Shred,
) -> Result<Resized, AllocError> {
    // SAFETY: [caller, live] the caller vouches for a readable header, and the check for what it says.
    unsafe {
        if !block::check(call, Kind::Heap, HEADER, data) {
            return Err(AllocError::Misused);
        }
        block::resize(call, Kind::Heap, HEADER, data, null_mut(), (size, shred.is_yes()))
    }
}

/// The prefix of the heap cell with this data.
pub(crate) fn cell(data: *mut u8) -> *mut Cell {
    block::prefix(data, HEADER)
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
