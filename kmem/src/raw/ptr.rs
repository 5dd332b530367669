//! One handle over all methods: free, shred, stat, taint.

mod at;
mod hook;
mod look;
mod resize;

use core::ptr::null_mut;

use super::Handle;
use super::{layout, object};
use crate::cell::{Kind, Shred};
use crate::fault::{Call, call};

pub use at::At;
pub use hook::hook;
pub use look::{cast, name, rename, size, size_for};
pub(crate) use object::handle_of;
pub(crate) use resize::resize_kept;
pub use resize::{grow, reserve, resize};

/// Frees, downrefs, gives back or ignores the object, as its kind wants, zeroing it first where the handle, the
/// cell or the source says so. Of a tree node, everything below goes too. The null handle is ignored.
///
/// # Safety
/// As for the method's own free; a misuse that the handle or the header shows goes to the
/// [fault handler](crate::fault) and changes nothing.
///
/// ```
/// use kmem::raw::{heap, ptr, refs};
/// use std::ptr::null_mut;
/// static GREETING: [u8; 5] = *b"hello";
/// unsafe {
///     for handle in [heap::ao(8), refs::ao(null_mut(), 8), ptr::stat(GREETING.as_ptr())] {
///         ptr::free(handle);
///     }
/// }
/// ```
#[inline]
pub unsafe fn free(handle: Handle) {
    const CALL: Call = Call::new(c"kmfree");
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if handle.shred == 0 {
            release(handle, CALL, Shred::No);
        } else {
            release_zeroed(handle, CALL);
        }
    }
}

/// Like [`free`], but zeroes what it deallocates. An object that kmem did not allocate is left alone, since its
/// size is not known; a reference-counted one is zeroed when its last reference goes.
///
/// # Safety
/// As for [`free`].
///
/// ```
/// use kmem::raw::{heap, ptr};
/// unsafe { ptr::shred(heap::ao(32)) };
/// ```
#[cfg(feature = "shred")]
#[inline]
pub unsafe fn shred(handle: Handle) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { release_zeroed(handle, call!(c"kmshred")) }
}

#[inline]
unsafe fn release(handle: Handle, call: Call, shred: Shred) {
    if handle.data.is_null() {
        return;
    }
    // SAFETY: [caller] the contract is the caller's, and each method checks the header.
    unsafe {
        object::release_by_kind!(handle, call, shred, data: {
            #[cfg(feature = "ref")]
            Ref => super::refs::release(data, call, shred),
            #[cfg(feature = "tree")]
            Tree => { super::tree::free::release(data, call, shred); },
        });
    }
}

/// Apart from [`free`], so that a handle without a mark goes without a look at it.
#[inline(never)]
unsafe fn release_zeroed(handle: Handle, call: Call) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { release(handle, call, Shred::Yes) }
}

/// Wraps a pointer to an object that kmem does not manage, so that it can be passed where any handle can.
///
/// ```
/// use kmem::raw::ptr;
/// let number = 7u32;
/// let handle = ptr::stat((&raw const number).cast());
/// assert_eq!((handle.kind, handle.data.cast_const()), (0, (&raw const number).cast()));
/// unsafe { ptr::free(handle) }; // does nothing
/// ```
#[must_use]
pub fn stat(object: *const u8) -> Handle {
    Handle::on(Kind::None, object.cast_mut(), null_mut())
}

/// Marks the handle and the cell of its object, so that the object is zeroed when it is freed, by this handle or by any other path.
///
/// # Safety
/// The handle is null or holds a live object.
///
/// ```
/// use kmem::raw::{ptr, refs};
/// unsafe {
///     let mut key = refs::zo(std::ptr::null_mut(), 32);
///     ptr::taint(&mut key);
///     refs::f(key.data); // zeroed, although the handle was not used
/// }
/// ```
#[cfg(feature = "shred")]
#[inline]
pub unsafe fn taint(handle: &mut Handle) {
    handle.shred = Shred::Yes as i32;
    if let Some(kind) = Kind::from_raw(handle.kind) {
        // SAFETY: [caller] the caller gives a live object.
        unsafe { taint_cell(kind, handle.data) };
    }
}

/// Marks the cell of a live object of this kind, if kmem allocated it.
///
/// # Safety
/// `data` is null or that of a live object of this kind.
#[cfg(feature = "shred")]
pub(crate) unsafe fn taint_cell(kind: Kind, data: *mut u8) {
    #[cfg(feature = "pool")]
    if kind == Kind::Pool && !data.is_null() {
        // SAFETY: [caller] the caller gives a live cell of a pool.
        return unsafe { super::pool::cell::taint(data) };
    }
    if let (Some(header), false) = (layout::header(Some(kind)), data.is_null()) {
        // SAFETY: [caller] the caller gives a live object, and its kind one with a header.
        unsafe { (*layout::prefix(data, header)).taint() };
    }
}

/// Returns true if the object of a handle is zeroed when it is freed: the handle, its cell or the source says so. Any thread may ask
/// that shares the object.
///
/// # Safety
/// The handle is null or holds a live object.
pub(crate) unsafe fn shreds(handle: Handle) -> bool {
    #[cfg(feature = "pool")]
    // SAFETY: [caller] the caller gives a live cell, whose header names its pool.
    if handle.kind == Kind::Pool as i32 && unsafe { super::pool::cell::is_tainted(handle.data) } {
        return true;
    }
    // SAFETY: [caller, outlives] the cell is live, and so are the sources below it.
    handle.shred != 0 || unsafe { super::shreds(handle.cell) }
}
