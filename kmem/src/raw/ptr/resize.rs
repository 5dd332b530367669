//! Another size for whatever a handle holds.

use core::ptr::NonNull;

use super::{For, Handle, check};
use crate::cell::{Kind, Shred};
use crate::error::AllocError;
use crate::raw::block::Resized;

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
    let resized = unsafe { resize_kept(*handle, size) }?;
    let Some(Resized { data, .. }) = &resized else {
        // SAFETY: [handle, tag] what was resized is not null, and a pool's cell where it has no other place.
        unsafe {
            #[cfg(feature = "pool")]
            crate::raw::pool::cut(handle.data, size, Shred::from(handle.shred != 0));
            return Ok(NonNull::new_unchecked(handle.data));
        }
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

/// [`resize`] before the old block goes back; `None` for a pool's cell, which stays where it is and as it is: what was cut off goes with
/// the cell, and until then is part of the value that the pool knows of.
///
/// # Safety
/// As for [`resize`].
pub(crate) unsafe fn resize_kept(handle: Handle, size: usize) -> Result<Option<Resized>, AllocError> {
    const CALL: &str = "kmresize";
    let Handle { kind, shred, data, .. } = handle;
    if data.is_null() {
        return Err(AllocError::Source(None));
    }
    let shred = Shred::from(shred != 0);
    let _ = (size, shred);
    // SAFETY: [caller, live] the caller vouches for a readable header, and the check for what it and the handle say.
    unsafe {
        if !check(CALL, handle, For::Change) {
            return Err(AllocError::Misused);
        }
        match Kind::from_raw(kind) {
            #[cfg(feature = "heap")]
            Some(Kind::Heap) => crate::raw::heap::resize_kept(data, size, CALL, shred).map(Some),
            #[cfg(feature = "ref")]
            Some(Kind::Ref) => crate::raw::refs::resize_kept(data, size, CALL, shred).map(Some),
            #[cfg(feature = "tree")]
            Some(Kind::Tree) => crate::raw::tree::resize_kept(data, size, CALL, shred).map(Some),
            #[cfg(feature = "pool")]
            Some(Kind::Pool) => crate::raw::pool::holds(data, size).map(|()| None),
            _ => Err(AllocError::Fixed(Kind::None)),
        }
    }
}
