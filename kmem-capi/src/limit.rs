//! `kmlimit…`

use core::ffi::c_void;

use kmem::raw::limit::{self, LimitCount};
use kmem::raw::{Cell, Limit, OverFn};

use crate::options::or_null;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmlimiti(src: *mut Cell, max: usize) -> *mut Limit {
    // SAFETY: the caller vouches for the source.
    or_null(unsafe { limit::init(src, max) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmlimitx(limit: *mut Limit) {
    // SAFETY: the contract is the caller's.
    unsafe { limit::x(limit) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmlimitto(limit: *mut Limit, max: usize) {
    // SAFETY: the contract is the caller's.
    unsafe { limit::to(limit, max) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmlimith(limit: *mut Limit, over: Option<OverFn>, arg: *mut c_void) {
    // SAFETY: the contract is the caller's.
    unsafe { limit::h(limit, over, arg) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmlimitq(limit: *mut Limit) -> LimitCount {
    // SAFETY: the contract is the caller's.
    unsafe { limit::q(limit) }
}
