//! `kmref…`

use core::ffi::c_void;

use kmem::Kind;
use kmem::raw::ptr::At;
use kmem::raw::{Cell, Fill, Handle, refs};

use crate::options::{Options, or_null, plain};
use crate::ptr::handed;
use crate::text::{kmnew, zeroed};

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmrefa(src: *mut Cell, size: usize) -> *mut c_void {
    // SAFETY: the caller vouches for the source.
    or_null(unsafe { refs::alloc(src, &plain(size, Fill::Undefined)) }).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmrefz(src: *mut Cell, size: usize) -> *mut c_void {
    // SAFETY: the caller vouches for the source.
    unsafe { zeroed(&At { src, ..At::new(Kind::Ref) }, size) }.cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmrefw(src: *mut Cell, options: *const Options) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    unsafe { kmrefwo(src, options) }.data.cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmrefao(src: *mut Cell, size: usize) -> Handle {
    // SAFETY: null or the data of a new cell.
    handed(unsafe { refs::handle(kmrefa(src, size).cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmrefzo(src: *mut Cell, size: usize) -> Handle {
    // SAFETY: null or the data of a new cell.
    handed(unsafe { refs::handle(kmrefz(src, size).cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmrefwo(src: *mut Cell, options: *const Options) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { kmnew(At { src, ..At::new(Kind::Ref) }, options) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmrefr(data: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    or_null(unsafe { refs::resize(data.cast(), size) }).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmrefo(data: *mut c_void) -> Handle {
    // SAFETY: the contract is the caller's.
    handed(unsafe { refs::handle(data.cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmrefu(data: *mut c_void) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    unsafe { refs::u(data.cast()).cast() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmrefd(data: *mut c_void) {
    // SAFETY: the contract is the caller's.
    unsafe { refs::d(data.cast()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmreff(data: *mut c_void) {
    // SAFETY: the contract is the caller's.
    unsafe { refs::f(data.cast()) }
}

#[cfg(feature = "shred")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmrefs(data: *mut c_void) {
    // SAFETY: the contract is the caller's.
    unsafe { refs::s(data.cast()) }
}

#[cfg(feature = "tree")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmrefk(data: *mut c_void, object: Handle) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    crate::options::same_or_null(object.data.cast(), unsafe { refs::k(data.cast(), object) })
}

#[cfg(feature = "tree")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmrefl(data: *mut c_void, object: *const c_void) -> Handle {
    // SAFETY: the contract is the caller's.
    handed(unsafe { refs::l(data.cast(), object.cast()) })
}
