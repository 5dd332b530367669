//! `kmfree`, `kmshred`, `kmstat`, `kmtaint`

use core::ffi::c_void;

use kmem::raw::{Handle, ptr};

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmfree(handle: Handle) {
    // SAFETY: the contract is the caller's.
    unsafe { ptr::free(handle) }
}

#[cfg(feature = "shred")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmshred(handle: Handle) {
    // SAFETY: the contract is the caller's.
    unsafe { ptr::shred(handle) }
}

#[unsafe(no_mangle)]
pub extern "C" fn kmstat(object: *const c_void) -> Handle {
    ptr::stat(object.cast())
}

#[cfg(feature = "shred")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtaint(handle: *mut Handle) {
    // SAFETY: the caller gives a handle of its own on a live object, or null.
    if let Some(handle) = unsafe { handle.as_mut() } {
        // SAFETY: as above.
        unsafe { ptr::taint(handle) }
    }
}
