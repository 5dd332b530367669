//! `kmtree…`

use core::ffi::c_void;

use kmem::raw::{Cell, Fill, Handle, tree};

use crate::options::{Options, or_null, plain};
use crate::ptr::handed;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreea(src: *mut Cell, parent: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller vouches for source and parent.
    or_null(unsafe { tree::alloc(src, parent.cast(), &plain(size, Fill::Undefined)) }).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreez(src: *mut Cell, parent: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller vouches for source and parent.
    or_null(unsafe { tree::alloc(src, parent.cast(), &plain(size, Fill::Zeroed)) }).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreew(
    src: *mut Cell,
    parent: *mut c_void,
    options: *const Options,
) -> *mut c_void {
    // SAFETY: the caller vouches for source and parent, and gives options whose destructor suits the node.
    or_null(unsafe { tree::alloc(src, parent.cast(), &(*options).request()) }).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreeao(src: *mut Cell, parent: *mut c_void, size: usize) -> Handle {
    // SAFETY: null or the data of a new node.
    handed(unsafe { tree::handle(kmtreea(src, parent, size).cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreezo(src: *mut Cell, parent: *mut c_void, size: usize) -> Handle {
    // SAFETY: null or the data of a new node.
    handed(unsafe { tree::handle(kmtreez(src, parent, size).cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreewo(src: *mut Cell, parent: *mut c_void, options: *const Options) -> Handle {
    // SAFETY: null or the data of a new node.
    handed(unsafe { tree::handle(kmtreew(src, parent, options).cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreef(data: *mut c_void) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { tree::f(data.cast()) }
}

#[cfg(feature = "shred")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtrees(data: *mut c_void) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { tree::s(data.cast()) }
}
