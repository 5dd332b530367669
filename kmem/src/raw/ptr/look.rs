//! What the cell of an object says of it.

use core::ffi::CStr;
use core::ptr::null_mut;

use super::Handle;
use crate::cell::Kind;
use crate::fault::{Call, call};
use crate::raw::object::{self, Check};
use crate::raw::{check, layout, record, trailer};

/// [`check`] of a handle, and of what the prefix of its cell says of the extent. For a look it need not be that of a cell of this copy's
/// heap.
///
/// # Safety
/// As for [`size`], where the handle is not null.
unsafe fn check_extent(call: Call, handle: Handle, what: Check) -> bool {
    let Handle { data, .. } = handle;
    // SAFETY: [caller, live] the caller vouches for a readable header, and the first check for what it says.
    unsafe {
        if !object::check(call, handle, what) {
            return false;
        }
        let kind = Kind::from_raw(handle.kind);
        let src = layout::source(kind, data);
        match (layout::header(kind), kind) {
            (Some(header), Some(kind)) if what == Check::Write => {
                check::seal_ok(call, kind, header, data, src)
            }
            (Some(header), Some(kind)) => check::prefix_ok(call, kind, header, data, src),
            _ => true,
        }
    }
}

/// The bytes of data that an object has: those that were asked for or, in a pool, those of each cell. Zero of the null handle and of an
/// object that kmem did not allocate.
///
/// # Safety
/// The handle is null or holds a live object. What the handle or the header shows to be wrong goes to the
/// [fault handler](crate::fault).
///
/// ```
/// use kmem::raw::{heap, ptr};
/// unsafe {
///     let handle = heap::ao(100);
///     assert_eq!(ptr::size(handle), 100);
///     ptr::free(handle);
/// }
/// ```
#[must_use]
pub unsafe fn size(handle: Handle) -> usize {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { size_checked(call!(c"kmsize"), handle, Check::Read) }.unwrap_or(0)
}

/// The bytes of data that an object has, as [`size`] says, for a `call` that is about to change it, and under whose name a misuse is
/// reported: a cell of another copy's heap is one too. `None` where one was.
///
/// # Safety
/// As for [`size`].
///
/// ```
/// use kmem::raw::{heap, ptr};
/// unsafe {
///     let handle = heap::ao(100);
///     assert_eq!(ptr::size_for(kmem::fault::Call::new(c"kmcat"), handle), Some(100));
///     ptr::free(handle);
/// }
/// ```
#[must_use]
pub unsafe fn size_for(call: Call, handle: Handle) -> Option<usize> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { size_checked(call, handle, Check::Write) }
}

#[inline(never)]
unsafe fn size_checked(call: Call, handle: Handle, what: Check) -> Option<usize> {
    // SAFETY: [caller, live] the caller vouches for a readable header, and the check for what it says.
    unsafe {
        if handle.is_null() {
            return Some(0);
        }
        if !check_extent(call, handle, what) {
            return None;
        }
        Some(match layout::header(Kind::from_raw(handle.kind)) {
            Some(header) => record::size(layout::prefix(handle.data, header), header) - header,
            #[cfg(feature = "pool")]
            None if handle.kind == Kind::Pool as i32 => {
                (*crate::raw::pool::cell::owner_of(handle.data)).cellsz
            }
            None => 0,
        })
    }
}

/// The name that an object was given when it was made; of a pool's cell, and of the node that hosts a pool, that of the pool.
///
/// # Safety
/// As for [`size`].
///
/// ```
/// use kmem::raw::{Request, heap, ptr};
/// unsafe {
///     let data = heap::alloc(&Request { name: Some(c"key"), ..Request::new(32) }).unwrap();
///     let handle = heap::handle(data.as_ptr());
///     assert_eq!(ptr::name(handle), Some(c"key"));
///     ptr::free(handle);
/// }
/// ```
#[must_use]
pub unsafe fn name(handle: Handle) -> Option<&'static CStr> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { name_for(call!(c"kmname"), handle) }
}

/// [`name`] on behalf of `call`.
unsafe fn name_for(call: Call, handle: Handle) -> Option<&'static CStr> {
    // SAFETY: [caller, live] the caller vouches for a readable header, and the check for what it says.
    unsafe {
        if handle.is_null() || !check_extent(call, handle, Check::Read) {
            return None;
        }
        #[cfg(feature = "pool")]
        if is_hosted_pool(handle) {
            return crate::raw::pool::name(handle.data.cast());
        }
        match layout::header(Kind::from_raw(handle.kind)) {
            Some(header) => trailer::name(handle.data, header),
            #[cfg(feature = "pool")]
            None if handle.kind == Kind::Pool as i32 => {
                crate::raw::pool::name(crate::raw::pool::cell::owner_of(handle.data))
            }
            None => None,
        }
    }
}

/// Gives an object another name, in the place of the one that it was made with; of the node that hosts a pool, the pool.
///
/// Returns false, and changes nothing, if there is no room for a name: an object has room if it was made with a name. A pool's cell,
/// an object that kmem did not allocate, and the null handle have none.
///
/// # Safety
/// As for [`size`], and nobody reads the object's name meanwhile.
///
/// ```
/// use kmem::raw::{Request, heap, ptr};
/// unsafe {
///     let data = heap::alloc(&Request { name: Some(c"connection"), ..Request::new(32) }).unwrap();
///     let handle = heap::handle(data.as_ptr());
///     assert!(ptr::rename(handle, c"idle connection"));
///     assert_eq!(ptr::name(handle), Some(c"idle connection"));
///     ptr::free(handle);
/// }
/// ```
pub unsafe fn rename(handle: Handle, name: &'static CStr) -> bool {
    // SAFETY: [caller, live] the caller vouches for a readable header, and the check for what it says.
    unsafe {
        if handle.is_null() || !check_extent(call!(c"kmrename"), handle, Check::Write) {
            return false;
        }
        #[cfg(feature = "pool")]
        if is_hosted_pool(handle) {
            crate::raw::pool::set_name(handle.data.cast(), Some(name));
            return true;
        }
        layout::header(Kind::from_raw(handle.kind))
            .is_some_and(|header| trailer::rename(handle.data, header, name))
    }
}

/// The object where it has this name, otherwise null: a checked cast, where names are those of types. A pool on a node is no object of the
/// type that its cells have.
///
/// # Safety
/// As for [`size`].
///
/// ```
/// use kmem::raw::{Request, ptr, tree};
/// use std::ptr::null_mut;
/// unsafe {
///     let request = Request { name: Some(c"struct config"), ..Request::new(32) };
///     let data = tree::alloc(null_mut(), null_mut(), &request).unwrap().as_ptr();
///     assert_eq!(ptr::cast(tree::handle(data), c"struct config"), data);
///     assert!(ptr::cast(tree::handle(data), c"struct key").is_null());
///     tree::f(data);
/// }
/// ```
#[must_use]
pub unsafe fn cast(handle: Handle, to: &CStr) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's, and `name_for` found the header to be that of a node where the handle is on one.
    unsafe {
        match name_for(call!(c"kmcast"), handle) {
            Some(found) if found == to && !is_hosted_pool(handle) => handle.data,
            _ => null_mut(),
        }
    }
}

/// Whether a handle is on the node of a pool.
///
/// # Safety
/// The handle holds an object that is there.
unsafe fn is_hosted_pool(handle: Handle) -> bool {
    #[cfg(feature = "tree")]
    // SAFETY: [caller] the caller's object is there.
    unsafe {
        handle.kind == Kind::Tree as i32 && crate::raw::tree::links::hosts(crate::raw::Node::of(handle.data))
    }
    #[cfg(not(feature = "tree"))]
    {
        let _ = handle;
        false
    }
}
