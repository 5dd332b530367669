//! Another size, or room to grow, for whatever a handle holds.

use core::ptr::NonNull;

use super::Handle;
use crate::cell::{Kind, Shred};
use crate::error::AllocError;
use crate::fault::{Call, call};
use crate::raw::object::{self, Check};
use crate::raw::resize::{ResizeRequest, Resized};

/// Gives the object of a handle `size` bytes of data, in place where its source can, and returns the data. The object may have moved;
/// the handle says where it is now. Of the contents stays what fits; what is added is undefined. Where the handle, the cell or
/// the source asks for zeroing, so are the bytes that are cut off, and those that a move leaves behind.
///
/// A heap cell, the cell of an only reference and a node take any size. A pool's cell has the size that its pool gave it, and fails
/// with [`AllocError::Size`] above that; an object that kmem did not allocate, or a pool on a node, fails with [`AllocError::Fixed`].
/// Where it fails, object and handle are as they were.
///
/// # Safety
/// The handle is null or holds a live object that nobody else uses meanwhile, and nobody uses its old address afterwards. What
/// the handle or the header shows to be wrong goes to the [fault handler](crate::fault) and changes nothing.
///
/// ```
/// use kmem::raw::{heap, ptr, refs};
/// use std::ptr::null_mut;
/// unsafe {
///     for mut handle in [heap::ao(8), refs::ao(null_mut(), 8)] {
///         let data = ptr::resize(&mut handle, 1000).unwrap();
///         assert_eq!(handle.data, data.as_ptr());
///         assert_eq!(ptr::size(handle), 1000);
///         ptr::free(handle);
///     }
/// }
/// ```
pub unsafe fn resize(handle: &mut Handle, size: usize) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let data = change(handle, ResizeRequest::Size(size), call!(c"kmresize"))?;
        #[cfg(feature = "pool")]
        if handle.kind == Kind::Pool as i32 {
            crate::raw::pool::cut(handle.data, size, Shred::from(handle.shred != 0));
        }
        Ok(data)
    }
}

/// Gives the object of a handle `size` bytes of data, as [`resize`] does, on behalf of `call`, which appends to it: where it takes another
/// block for that, the block has room for half as many bytes again, or for `size` alone if there is no such block. So what is built by
/// many small appends takes a time in proportion to its size. An object that has `size` bytes or more stays as it is.
///
/// # Safety
/// As for [`resize`].
///
/// ```
/// use kmem::raw::{heap, ptr};
/// unsafe {
///     let mut handle = heap::ao(0);
///     let mut moves = 0;
///     for size in 1..=1000 {
///         let before = handle.data;
///         ptr::grow(kmem::fault::Call::new(c"kmcat"), &mut handle, size).unwrap();
///         assert_eq!(ptr::size(handle), size);
///         moves += usize::from(handle.data != before);
///     }
///     assert!(moves < 20);
///     ptr::free(handle);
/// }
/// ```
pub unsafe fn grow(call: Call, handle: &mut Handle, size: usize) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { change(handle, ResizeRequest::Appended(size), call) }
}

/// Gives the object of a handle room for `size` bytes of data in all, of which it has as many as before, and returns the data. The object
/// may have moved; the handle says where it is. Until it has grown to that size, whatever makes it grow stays in place and does not
/// fail. The room is not data: it is neither read nor written before the object has grown into it.
///
/// Fails as [`resize`] does for so many bytes. An object that has them already stays as it is.
///
/// # Safety
/// As for [`resize`].
///
/// ```
/// use kmem::raw::{heap, ptr};
/// unsafe {
///     let mut handle = heap::ao(8);
///     let data = ptr::reserve(&mut handle, 1000).unwrap();
///     assert_eq!(ptr::size(handle), 8);
///     assert_eq!(ptr::resize(&mut handle, 1000), Ok(data));
///     ptr::free(handle);
/// }
/// ```
pub unsafe fn reserve(handle: &mut Handle, size: usize) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { change(handle, ResizeRequest::Room(size), call!(c"kmreserve")) }
}

/// Changes the object of a handle, which learns where it is.
unsafe fn change(handle: &mut Handle, to: ResizeRequest, call: Call) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    let resized = unsafe { resize_kept(*handle, to, call) }?;
    let Some(Resized { data, .. }) = &resized else {
        // SAFETY: [handle] what was changed is not null.
        return Ok(unsafe { NonNull::new_unchecked(handle.data) });
    };
    let data = *data;
    if !handle.cell.is_null() {
        // The header ends where the data begins, wherever that is.
        let offset = handle.data.addr().wrapping_sub(handle.cell.addr());
        handle.cell = data.as_ptr().wrapping_sub(offset).cast();
    }
    handle.data = data.as_ptr();
    Ok(data)
}

/// Any of these on behalf of `call`, before the old block goes back; `None` for a pool's cell, which stays where it is and as it is: what was cut off goes with
/// the cell, and until then is part of the value that the pool knows of.
///
/// # Safety
/// As for [`resize`].
pub(crate) unsafe fn resize_kept(
    handle: Handle,
    to: ResizeRequest,
    call: Call,
) -> Result<Option<Resized>, AllocError> {
    let Handle { kind, shred, data, .. } = handle;
    if data.is_null() {
        return Err(AllocError::Source(None));
    }
    let shred = Shred::from(shred != 0);
    let _ = (to, shred);
    // SAFETY: [caller, live] the caller vouches for a readable header, and the check for what it and the handle say.
    unsafe {
        if !object::check(call, handle, Check::Write) {
            return Err(AllocError::Misused);
        }
        match Kind::from_raw(kind) {
            #[cfg(feature = "heap")]
            Some(Kind::Heap) => crate::raw::heap::resize_kept(data, to, call, shred).map(Some),
            #[cfg(feature = "ref")]
            Some(Kind::Ref) => crate::raw::refs::resize_kept(data, to, call, shred).map(Some),
            #[cfg(feature = "tree")]
            Some(Kind::Tree) => crate::raw::tree::resize_kept(data, to, call, shred).map(Some),
            #[cfg(feature = "pool")]
            Some(Kind::Pool) => crate::raw::pool::holds(data, to.room()).map(|()| None),
            _ => Err(AllocError::Fixed(Kind::None)),
        }
    }
}
