//! `kmheap…`

use core::ffi::c_void;

use kmem::Kind;
use kmem::raw::ptr::At;
use kmem::raw::{Fill, Handle, heap};

use crate::options::{Options, or_null, plain};
use crate::ptr::handed;
use crate::text::kmnew;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmheapa(size: usize) -> *mut c_void {
    // SAFETY: there is no destructor.
    or_null(unsafe { heap::alloc(&plain(size, Fill::Undefined)) }).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmheapz(size: usize) -> *mut c_void {
    // SAFETY: there is no destructor.
    or_null(unsafe { heap::alloc(&plain(size, Fill::Zeroed)) }).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmheapw(options: *const Options) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    unsafe { kmheapwo(options) }.data.cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmheapao(size: usize) -> Handle {
    // SAFETY: null or the data of a new cell.
    handed(unsafe { heap::handle(kmheapa(size).cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmheapzo(size: usize) -> Handle {
    // SAFETY: null or the data of a new cell.
    handed(unsafe { heap::handle(kmheapz(size).cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmheapwo(options: *const Options) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { kmnew(At::new(Kind::Heap), options) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmheapr(data: *mut c_void, size: usize) -> *mut c_void {
    if data.is_null() {
        // SAFETY: there is no destructor.
        return unsafe { kmheapa(size) };
    }
    // SAFETY: the contract is the caller's.
    or_null(unsafe { heap::resize(data.cast(), size) }).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmheapo(data: *mut c_void) -> Handle {
    // SAFETY: the contract is the caller's.
    handed(unsafe { heap::handle(data.cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmheapf(data: *mut c_void) {
    // SAFETY: the contract is the caller's.
    unsafe { heap::f(data.cast()) }
}

#[cfg(feature = "shred")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmheaps(data: *mut c_void) {
    // SAFETY: the contract is the caller's.
    unsafe { heap::s(data.cast()) }
}
