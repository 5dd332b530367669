//! Resizes an object of any kind, or reserves room for it to grow.

use core::ptr::NonNull;

use super::Handle;
use crate::cell::{Kind, Shred};
use crate::error::AllocError;
use crate::fault::{Call, call};
use crate::raw::object::{self, Check};
use crate::raw::resize::{ResizeRequest, ResizeResult, Resized};

/// Resizes an object to `size` bytes and returns its data. The object may move; the handle is updated. C: `kmresize`.
///
/// Fails as the `resize` of the method does, with [`AllocError::Size`] if a pool's cell is smaller, and with
/// [`AllocError::Fixed`] for a pool on a node and for an object that kmem did not allocate. Nothing has changed then.
///
/// # Safety
/// The handle is null or that of a live object that nobody else uses meanwhile. Nobody uses its old address afterwards.
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

/// Resizes an object to `size` bytes, on behalf of a `call` that appends. If the object needs another block, a block with room for
/// half as many bytes again is tried first, then one for `size` bytes. So many small appends take time in proportion to their sum.
/// An object of `size` bytes or more stays as it is.
///
/// # Safety
/// As for [`resize`].
pub unsafe fn grow(call: Call, handle: &mut Handle, size: usize) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { change(handle, ResizeRequest::Appended(size), call) }
}

/// Reserves memory for an object to grow to `size` bytes, and returns its data. The object may move; the handle is
/// updated. Its size does not change. Growing up to that size then happens in place and cannot fail. Fails as
/// [`resize`] does. C: `kmreserve`.
///
/// # Safety
/// As for [`resize`].
pub unsafe fn reserve(handle: &mut Handle, size: usize) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { change(handle, ResizeRequest::Room(size), call!(c"kmreserve")) }
}

/// Changes the object of a handle, and updates the handle.
unsafe fn change(handle: &mut Handle, to: ResizeRequest, call: Call) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    let resized = unsafe { resize_kept(*handle, to, call) }?;
    let data = resized.data;
    if data.as_ptr() == handle.data {
        return Ok(data);
    }
    if !handle.cell.is_null() {
        // The header ends where the data begins, so the distance between them does not change.
        let offset = handle.data.addr().wrapping_sub(handle.cell.addr());
        handle.cell = data.as_ptr().wrapping_sub(offset).cast();
    }
    handle.data = data.as_ptr();
    Ok(data)
}

/// [`resize`], [`grow`] and [`reserve`] on behalf of `call`. The old block is freed when the result is dropped. A pool's cell
/// always keeps its full size. Safety: as for [`resize`].
pub(crate) unsafe fn resize_kept(handle: Handle, to: ResizeRequest, call: Call) -> ResizeResult {
    let Handle { kind, shred, data, .. } = handle;
    if data.is_null() {
        return Err(AllocError::source(None));
    }
    let shred = Shred::from(shred != 0);
    let _ = (to, shred);
    // SAFETY: [caller, live] the caller's header is readable, and its contents are checked.
    unsafe {
        if !object::check(call, handle, Check::Write) {
            return Err(AllocError::Misused);
        }
        match Kind::from_raw(kind) {
            #[cfg(feature = "heap")]
            Some(Kind::Heap) => crate::raw::heap::resize_kept(data, to, call, shred),
            #[cfg(feature = "ref")]
            Some(Kind::Ref) => crate::raw::refs::resize_kept(data, to, call, shred),
            #[cfg(feature = "tree")]
            Some(Kind::Tree) => crate::raw::tree::resize_kept(data, to, call, shred),
            #[cfg(feature = "arena")]
            Some(Kind::Arena) => crate::raw::arena::resize_kept(data, to, call, shred),
            #[cfg(feature = "pool")]
            Some(Kind::Pool) => {
                crate::raw::pool::holds(data, to.room())?;
                Ok(Resized::in_place(NonNull::new_unchecked(data)))
            }
            _ => Err(AllocError::fixed(Kind::None)),
        }
    }
}
