//! Reference-counted cells: freed when the last reference is dropped, on whatever thread.

pub(crate) mod count;
#[cfg(feature = "tree")]
mod own;
#[cfg(feature = "tree")]
pub(crate) mod owned;

use core::ptr::{NonNull, null_mut};

use super::Handle;
pub(crate) use super::layout::REF as HEADER;
use super::layout::Ref;
use super::request::{Fill, Request};
use super::resize::{self, How, ResizeRequest, Resized};
use super::{check, end, make};
use crate::atomic::AtomicUsize;
use crate::cell::{Cell, Kind, Shred};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse, call};
use crate::shared;
use count::{drop_one, source_of_only};

pub(crate) use count::down;
#[cfg(feature = "tree")]
use owned::Owned;

#[cfg(feature = "tree")]
pub use own::{k, l};

/// Allocates a reference-counted cell with one reference and returns its data.
///
/// Fails as [`AllocError`] says; a tree node or a reference as `src` is refused with [`AllocError::Source`], because
/// the cell could outlive it.
///
/// # Safety
/// `src` is null or points to a live cell, and outlives the new one. The request's destructor, if any, can be called
/// with this cell's data when the last reference goes, on the thread that drops it.
///
/// ```
/// use kmem::raw::{refs, Request};
/// let data = unsafe { refs::alloc(std::ptr::null_mut(), &Request::new(100)) }.unwrap();
/// unsafe { refs::f(data.as_ptr()) };
/// ```
#[inline(always)]
pub unsafe fn alloc(src: *mut Cell, request: &Request) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the caller vouches for the source.
    let data = unsafe { make::alloc_cell(Kind::Ref, HEADER, src, request, 0) }?;
    let header = Ref::of(data.as_ptr());
    // SAFETY: [extent] `alloc_cell` left room for the header before the data.
    unsafe {
        (&raw mut (*header).refs).write(AtomicUsize::new(1));
        (&raw mut (*header).src).write(src);
        make::told_made(Kind::Ref, data.as_ptr(), HEADER, src);
    }
    Ok(data)
}

#[inline]
unsafe fn allocate(src: *mut Cell, size: usize, fill: Fill) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc(src, &Request { fill, ..Request::new(size) }) }.map_or(null_mut(), NonNull::as_ptr)
}

/// The handle of a live cell with this data; the null handle of null.
///
/// # Safety
/// `data` is null or that of a live cell of this method.
///
/// ```
/// use kmem::raw::{ptr, refs};
/// use std::ptr::null_mut;
/// unsafe {
///     ptr::free(refs::handle(refs::a(null_mut(), 24)));
///     assert!(refs::handle(null_mut()).is_null());
/// }
/// ```
#[inline]
#[must_use]
pub unsafe fn handle(data: *mut u8) -> Handle {
    Handle::on(Kind::Ref, data, Ref::of(data).cast())
}

#[inline]
pub(crate) unsafe fn release(data: *mut u8, call: Call, shred: Shred) {
    // SAFETY: [caller] the contract is the caller's. The cell of the last reference is the caller's.
    unsafe {
        if drop_one(data, call, shred) {
            end(call, data);
        }
    }
}

/// Ends a cell that nobody has a reference to. Out of line: what it does with registers would be paid for by those who drop a
/// reference and leave others.
///
/// # Safety
/// `data` is that of a live reference-counted cell that the caller alone knows of.
#[inline(never)]
pub(crate) unsafe fn end(call: Call, data: *mut u8) {
    // SAFETY: [caller, outlives] the cell is the caller's; its source outlives it.
    unsafe {
        if !end::end_fast(Kind::Ref, HEADER, data, (*Ref::of(data)).src) {
            end_cold(call, data);
        }
    }
}

/// [`end`] of a cell that may have more to it than its bytes.
///
/// # Safety
/// As for [`end`].
#[inline(never)]
unsafe fn end_cold(call: Call, data: *mut u8) {
    /// Ends the cell when dropped, even if what it owned unwinds.
    struct CellFreeGuard(Call, *mut u8);
    impl Drop for CellFreeGuard {
        fn drop(&mut self) {
            // SAFETY: [guard] nobody else knows of the cell.
            unsafe { end::end_slow(self.0, Kind::Ref, HEADER, self.1, (*Ref::of(self.1)).src, false) };
        }
    }
    let ending = CellFreeGuard(call, data);
    #[cfg(feature = "tree")]
    // SAFETY: [caller] the cell is the caller's, and so is what it owns.
    unsafe {
        match owned::take(call, data) {
            Owned::Nothing => {}
            Owned::Below(root) => super::tree::free::free_owned(call, root.as_ptr()),
            Owned::Refused => return core::mem::forget(ending),
        }
    }
    drop(ending);
}

/// [`resize`] on behalf of `call`, before the old block goes back.
#[inline]
pub(crate) unsafe fn resize_kept(
    data: *mut u8,
    to: ResizeRequest,
    call: Call,
    shred: Shred,
) -> Result<Resized, AllocError> {
    // SAFETY: [caller, live, last-ref] the caller vouches for a readable header and a reference, and the check for what the header
    // says. Who finds no reference but its own has the cell alone.
    unsafe {
        if data.is_null() {
            return Err(AllocError::Source(None));
        }
        if !check::check(call, Kind::Ref, HEADER, data) {
            return Err(AllocError::Misused);
        }
        let src = source_of_only(data)?;
        let how = How { shred: shred.is_yes(), alone: true };
        resize::resize(call, Kind::Ref, HEADER, data, src, to, how)
    }
}

/// Adds a reference and returns its argument. Null is ignored. Any thread that has a reference may call it.
///
/// # Safety
/// `data` is null or that of a reference-counted cell of which the caller holds a reference.
///
/// ```
/// use kmem::raw::refs;
/// unsafe {
///     let one = refs::a(std::ptr::null_mut(), 8);
///     let two = refs::u(one);
///     refs::f(one);
///     two.write(7); // still there
///     refs::f(two);
/// }
/// ```
#[inline]
pub unsafe fn u(data: *mut u8) -> *mut u8 {
    const CALL: Call = Call::new(c"kmrefu");
    // SAFETY: [caller] the caller vouches for a readable header where the data is not null.
    if data.is_null() || !unsafe { check::check(CALL, Kind::Ref, HEADER, data) } {
        return data;
    }
    // SAFETY: [live, last-ref] the check found a live reference-counted cell, and the caller's reference keeps it so.
    if !shared::up(unsafe { &(*Ref::of(data)).refs }) {
        // A program with this many references has leaked them. The count must not wrap, so there is no way back: not for
        // a handler that panics either.
        let _end = fault::AbortOnDrop;
        fault::report(CALL, data, Misuse::CountOverflow);
    }
    data
}

/// Drops a reference: the same as [`f`].
///
/// # Safety
/// As for [`f`].
///
/// ```
/// use kmem::raw::refs;
/// unsafe { refs::d(refs::a(std::ptr::null_mut(), 8)) };
/// ```
#[inline]
pub unsafe fn d(data: *mut u8) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { release(data, call!(c"kmrefd"), Shred::No) }
}

/// The number of references to the cell. Other threads may change it at any time.
///
/// # Safety
/// `data` is that of a live reference-counted cell.
///
/// ```
/// use kmem::raw::refs;
/// unsafe {
///     let data = refs::u(refs::a(std::ptr::null_mut(), 8));
///     assert_eq!(refs::count(data), 2);
///     refs::d(data);
///     refs::d(data);
/// }
/// ```
#[must_use]
pub unsafe fn count(data: *mut u8) -> usize {
    // SAFETY: [caller] the caller vouches for the cell.
    shared::count(unsafe { &(*Ref::of(data)).refs })
}

verbs! {
    module: "refs",
    call: "kmref",
    thing: "a reference-counted cell of `size` bytes with one reference",
    a: (src: *mut Cell, size: usize) => (src, size),
    z: (src: *mut Cell, size: usize) => (src, size),
    f: -> (),
    fails: "`src` is the source: null for the heap, a pool or a custom source. Null is returned where it is \
            exhausted or cannot serve, or where the size overflows.",
    safety: "`src` is null or points to a live cell, and outlives the new one.",
    frees: "Drops a reference; the last one frees the cell, zeroing it first if it is tainted.",
    shreds: "Taints the cell and drops a reference; the last one, whoever drops it, zeroes the cell and frees it.",
    example: ("", "null_mut(), 24", "null_mut(), 24", ""),
}

resizes! {
    module: "refs",
    call: "kmref",
    thing: "the cell of an only reference",
    null: ("It is returned of null too.", size => { let _ = size; null_mut() }),
    moves: "",
    fails: "Fails with [`AllocError::Shared`] where there are other references, whose holders would not learn of it, and otherwise as \
            [`AllocError`] says.",
    example: ("a(null_mut(), 8)"),
}

pub(crate) fn header(data: *mut u8) -> *mut Ref {
    Ref::of(data)
}
