//! `kmfree`, `kmshred`, `kmstat`, `kmtaint`, `kmsize`, `kmname`, `kmrename`, `kmcast`, `kmhook`

use core::ffi::{CStr, c_char, c_int, c_void};

use kmem::AllocError;
use kmem::raw::{Destructor, DropFn, Handle, ptr};

use crate::options::refuse;

/// Returns a handle to C, with its first sixteen bytes written by one store.
///
/// A C caller copies the structure by a load of sixteen bytes and one of eight. A load that reads the bytes of several recent stores
/// waits a dozen cycles, until they have left the store buffer.
#[inline(always)]
pub(crate) fn handed(handle: Handle) -> Handle {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use core::arch::x86_64::{__m128i, _mm_cvtsi64_si128, _mm_storeu_si128, _mm_unpacklo_epi64};
        use core::mem::MaybeUninit;

        let Handle { kind, shred, data, cell } = handle;
        let first = i64::from(kind as u32) | i64::from(shred) << 32;
        let mut whole = MaybeUninit::<Handle>::uninit();
        let place = whole.as_mut_ptr();
        // SAFETY: every processor of this kind has these instructions. A handle is 24 bytes: two numbers of four, then two
        // pointers. That of the data is exposed, as a pointer that C gets is anyhow.
        unsafe {
            let data = _mm_cvtsi64_si128(data.expose_provenance() as i64);
            _mm_storeu_si128(place.cast::<__m128i>(), _mm_unpacklo_epi64(_mm_cvtsi64_si128(first), data));
            (&raw mut (*place).cell).write(cell);
            whole.assume_init()
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    handle
}

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
pub unsafe extern "C" fn kmsize(handle: Handle) -> usize {
    // SAFETY: the contract is the caller's.
    unsafe { ptr::size(handle) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmname(handle: Handle) -> *const c_char {
    // SAFETY: the contract is the caller's.
    unsafe { ptr::name(handle) }.map_or(core::ptr::null(), CStr::as_ptr)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmrename(handle: Handle, name: *const c_char) {
    // SAFETY: the caller gives a live object, and null or a string that outlives it.
    if name.is_null() || !unsafe { ptr::rename(handle, CStr::from_ptr(name)) } {
        refuse(AllocError::Misused);
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmcast(handle: Handle, name: *const c_char) -> *mut c_void {
    if name.is_null() {
        return core::ptr::null_mut();
    }
    // SAFETY: the caller gives a live object and a string.
    unsafe { ptr::cast(handle, CStr::from_ptr(name)) }.cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmhook(handle: Handle, drop: Option<DropFn>, argument: *mut c_void) -> c_int {
    // SAFETY: the contract is the caller's.
    match unsafe { ptr::hook(handle, Destructor { run: drop, arg: argument }) } {
        Ok(()) => 1,
        Err(error) => {
            refuse(error);
            0
        }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn kmstat(object: *const c_void) -> Handle {
    handed(ptr::stat(object.cast()))
}

#[cfg(feature = "shred")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtaint(handle: *mut Handle) {
    // SAFETY: the caller gives null or a handle of a live object.
    if let Some(handle) = unsafe { handle.as_mut() } {
        // SAFETY: as above.
        unsafe { ptr::taint(handle) }
        crate::written(&raw const handle.shred);
    }
}
