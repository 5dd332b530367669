//! Functions for objects of every kind, by handle: free, shred, taint, and `stat` for objects that kmem did not allocate.

mod at;
mod hook;
mod look;
mod resize;

use core::ptr::null_mut;

use super::Handle;
#[cfg(feature = "heap")]
use super::end;
#[cfg(feature = "shred")]
use super::layout::CellAt;
use super::object;
#[cfg(feature = "pool")]
use super::pool::release as pool;
use crate::cell::{Kind, Shred};
use crate::fault::{Call, call};

pub use at::At;
pub use hook::hook;
pub use look::{cast, name, rename, size, size_for};
pub(crate) use object::handle_of;
pub(crate) use resize::resize_kept;
pub use resize::{grow, reserve, resize};

/// Frees the object of a handle by its method, after zeroing the object if it is tainted. A counted cell loses one
/// reference; an object that kmem did not allocate is not freed. Ignores the null handle. C: `kmfree`.
///
/// # Safety
/// As for the free of the method.
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

/// Like [`free`], but zeroes the object before it is freed. A counted cell with other references is tainted. C: `kmshred`.
///
/// # Safety
/// As for [`free`].
#[cfg(feature = "shred")]
#[inline]
pub unsafe fn shred(handle: Handle) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { release_zeroed(handle, call!(c"kmshred")) }
}

/// Frees an object on behalf of `call`. Safety: as for [`free`].
#[inline]
unsafe fn release(handle: Handle, call: Call, shred: Shred) {
    if handle.data.is_null() {
        return;
    }
    // SAFETY: [caller] the contract is the caller's, and each method checks the header.
    unsafe {
        object::release_by_kind!(handle, call, shred, end::end, pool::release_handle, data: {
            #[cfg(feature = "ref")]
            Ref => super::refs::release(data, call, shred),
            #[cfg(feature = "arena")]
            Arena => super::arena::release(data, call, shred),
            #[cfg(feature = "tree")]
            Tree => { super::tree::free::release(data, call, shred); },
        });
    }
}

/// [`release`] with zeroing. Out of line, because few handles are tainted.
#[inline(never)]
unsafe fn release_zeroed(handle: Handle, call: Call) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { release(handle, call, Shred::Yes) }
}

/// Returns a handle of an object that kmem did not allocate. C: `kmstat`.
#[must_use]
pub fn stat(object: *const u8) -> Handle {
    Handle::on(Kind::None, object.cast_mut(), null_mut())
}

/// Taints an object and its handle: the object is zeroed when it is freed, by this handle or otherwise. C: `kmtaint`.
///
/// # Safety
/// The handle is null or that of a live object.
#[cfg(feature = "shred")]
#[inline]
pub unsafe fn taint(handle: &mut Handle) {
    handle.shred = Shred::Yes as i32;
    if let Some(kind) = Kind::from_raw(handle.kind) {
        // SAFETY: [caller] the caller gives a live object.
        unsafe { taint_cell(kind, handle.data) };
    }
}

/// Taints the cell of a live object, if kmem allocated it. Safety: `data` is null or that of a live object of this kind.
#[cfg(feature = "shred")]
pub(crate) unsafe fn taint_cell(kind: Kind, data: *mut u8) {
    #[cfg(feature = "pool")]
    if kind == Kind::Pool && !data.is_null() {
        // SAFETY: [caller] the caller gives a live cell of a pool.
        return unsafe { super::pool::cell::taint(data) };
    }
    #[cfg(feature = "arena")]
    if kind == Kind::Arena && !data.is_null() {
        // SAFETY: [caller] the caller gives a live object of an arena.
        return unsafe { super::arena::taint(data) };
    }
    #[cfg(all(feature = "arena", feature = "tree"))]
    if kind == Kind::Tree && !data.is_null() {
        // SAFETY: [caller] the caller gives a live node.
        return unsafe { super::tree::land::taint(super::Node::of(data)) };
    }
    if let (Some(at), false) = (CellAt::of(Some(kind), data), data.is_null()) {
        // SAFETY: [caller] the caller gives a live object, and its kind has a header.
        unsafe { (*at.cell()).taint() };
    }
}

/// Returns true if an object is zeroed when it is freed: the handle, the cell or a source is tainted. Any thread that
/// may read the object may call this. Safety: the handle is null or that of a live object.
pub(crate) unsafe fn shreds(handle: Handle) -> bool {
    #[cfg(feature = "pool")]
    // SAFETY: [caller] the caller gives a live cell, whose header names its pool.
    if handle.kind == Kind::Pool as i32 && unsafe { super::pool::cell::is_tainted(handle.data) } {
        return true;
    }
    // SAFETY: [caller, outlives] the cell is live, and so are the sources below it.
    handle.shred != 0 || unsafe { super::shreds(handle.cell) }
}
