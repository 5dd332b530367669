//! Reads what the cell of an object stores: its size and its name.

use core::ffi::CStr;
use core::ptr::null_mut;

use super::Handle;
use crate::cell::Kind;
use crate::fault::{Call, call};
use crate::raw::object::{self, Check};
use crate::raw::{check, layout::CellAt, record, trailer};

/// Returns the cell of an object, if it has a prefix.
fn cell_of(handle: Handle) -> Option<CellAt> {
    CellAt::of(Kind::from_raw(handle.kind), handle.data)
}

/// Checks an object, and the size in the prefix of its cell. A call that only reads accepts a cell of another copy of
/// kmem. Safety: as for [`size`]; the handle is not null.
unsafe fn check_extent(call: Call, handle: Handle, what: Check) -> bool {
    // SAFETY: [caller, live] the caller's header is readable, and the first check shows its kind.
    unsafe {
        if !object::check(call, handle, what) {
            return false;
        }
        match cell_of(handle) {
            Some(at) if what == Check::Write => check::seal_ok(call, at),
            Some(at) => check::prefix_ok(call, at),
            None => true,
        }
    }
}

/// Returns the bytes of data of an object; for a pool's cell the cell size of its pool. Zero for the null handle and
/// for an object that kmem did not allocate. C: `kmsize`.
///
/// # Safety
/// The handle is null or that of a live object.
#[must_use]
pub unsafe fn size(handle: Handle) -> usize {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { size_checked(call!(c"kmsize"), handle, Check::Read) }.unwrap_or(0)
}

/// [`size`] on behalf of a `call` that is about to change the object. Returns `None` after a report.
///
/// # Safety
/// As for [`size`].
#[must_use]
pub unsafe fn size_for(call: Call, handle: Handle) -> Option<usize> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { size_checked(call, handle, Check::Write) }
}

#[inline(never)]
unsafe fn size_checked(call: Call, handle: Handle, what: Check) -> Option<usize> {
    // SAFETY: [caller, live] the caller's header is readable, and its contents are checked.
    unsafe {
        if handle.is_null() {
            return Some(0);
        }
        if !check_extent(call, handle, what) {
            return None;
        }
        Some(match cell_of(handle) {
            Some(at) => record::size(at.cell(), at.header()) - at.header(),
            #[cfg(feature = "pool")]
            None if handle.kind == Kind::Pool as i32 => {
                (*crate::raw::pool::cell::block_of(handle.data)).cellsz
            }
            None => 0,
        })
    }
}

/// Returns the name of an object. A pool's cell and a pool on a node have the name of the pool, and an arena on a node its own. C: `kmname`.
///
/// # Safety
/// As for [`size`].
#[must_use]
pub unsafe fn name(handle: Handle) -> Option<&'static CStr> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { name_for(call!(c"kmname"), handle) }
}

/// [`name`] on behalf of `call`.
unsafe fn name_for(call: Call, handle: Handle) -> Option<&'static CStr> {
    // SAFETY: [caller, live] the caller's header is readable, and its contents are checked.
    unsafe {
        if handle.is_null() || !check_extent(call, handle, Check::Read) {
            return None;
        }
        match hosted(handle) {
            #[cfg(feature = "pool")]
            Some(Kind::Pool) => return crate::raw::pool::name(handle.data.cast()),
            #[cfg(feature = "arena")]
            Some(Kind::Arena) => return crate::raw::arena::name(handle.data.cast()),
            _ => {}
        }
        match cell_of(handle) {
            Some(at) => trailer::name(at),
            #[cfg(feature = "pool")]
            None if handle.kind == Kind::Pool as i32 => {
                crate::raw::pool::name(crate::raw::pool::cell::block_of(handle.data))
            }
            None => None,
        }
    }
}

/// Replaces the name of an object that was made with one, or of a pool or an arena on a node. Returns false, and changes nothing,
/// for other objects and for a pool's cell. C: `kmrename`.
///
/// # Safety
/// As for [`size`], and nobody reads the name meanwhile.
pub unsafe fn rename(handle: Handle, name: &'static CStr) -> bool {
    // SAFETY: [caller, live] the caller's header is readable, and its contents are checked.
    unsafe {
        if handle.is_null() || !check_extent(call!(c"kmrename"), handle, Check::Write) {
            return false;
        }
        match hosted(handle) {
            #[cfg(feature = "pool")]
            Some(Kind::Pool) => {
                crate::raw::pool::set_name(handle.data.cast(), Some(name));
                true
            }
            #[cfg(feature = "arena")]
            Some(Kind::Arena) => {
                crate::raw::arena::set_name(handle.data.cast(), Some(name));
                true
            }
            _ => cell_of(handle).is_some_and(|at| trailer::rename(at, name)),
        }
    }
}

/// Returns the object if it has this name, otherwise null. Returns null for a pool or an arena on a node, because its name describes what is in it.
/// C: `kmcast`.
///
/// # Safety
/// As for [`size`].
#[must_use]
pub unsafe fn cast(handle: Handle, to: &CStr) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's, and `name_for` has checked the header.
    unsafe {
        match name_for(call!(c"kmcast"), handle) {
            Some(found) if found == to && hosted(handle).is_none() => handle.data,
            _ => null_mut(),
        }
    }
}

/// Returns the kind of the store on a node, if this is the handle of one. Safety: the object of the handle is live or dying.
unsafe fn hosted(handle: Handle) -> Option<Kind> {
    #[cfg(feature = "tree")]
    if handle.kind == Kind::Tree as i32 {
        // SAFETY: [caller] the caller's object is readable.
        return unsafe { crate::raw::tree::links::hosted(crate::raw::Node::of(handle.data)) };
    }
    let _ = handle;
    None
}
