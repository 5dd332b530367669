//! Limits: sources that count the bytes allocated through them, and refuse more than a maximum.
//!
//! A limit may be used from any thread if its source may.

use core::alloc::Layout;
use core::ffi::c_void;
use core::ptr::NonNull;

use super::request::{BASE_ALIGN, Fill};
use super::source::limit::is_valid;
use super::source::{Limit, OverFn, draw, give_back};
use crate::cell::{Cell, Kind};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse, call};
pub use crate::quota::LimitCount;

const LAYOUT: Layout = match Layout::from_size_align(size_of::<Limit>(), BASE_ALIGN) {
    Ok(layout) => layout,
    Err(_) => panic!(),
};

/// Makes a limit of `max` bytes over a source, from which its own header is allocated without being counted. C: `kmlimiti`.
///
/// # Errors
/// Fails as the source does, and with [`AllocError::Source`] if `src` is a node.
///
/// # Safety
/// `src` is null or points to a live cell, and outlives the limit.
pub unsafe fn init(src: *mut Cell, max: usize) -> Result<NonNull<Limit>, AllocError> {
    // SAFETY: [caller, extent] the source is null or live; the block has the size and alignment of the header.
    unsafe {
        let limit = draw(src, LAYOUT, Fill::Undefined)?.cast::<Limit>();
        limit.write(Limit::new(src, max));
        super::sanitizer::written(limit.as_ptr().cast(), LAYOUT.size());
        Ok(limit)
    }
}

/// Returns true if this is a live limit. Otherwise reports the misuse. Safety: if the address is aligned, a header is readable
/// there.
#[inline(never)]
unsafe fn check(call: Call, limit: *mut Limit) -> bool {
    // SAFETY: [caller] the caller's header is readable; only an aligned one is read.
    let found = if limit.addr() & (BASE_ALIGN - 1) == 0 { unsafe { (*limit).cell.kind } } else { 0 };
    if found == Kind::Limit as i32 {
        // SAFETY: [caller] a header with this kind is that of a limit.
        return unsafe { is_valid(call, limit) };
    }
    fault::report(call, limit.cast(), fault::classify(Kind::Limit, found));
    false
}

/// Destroys a limit. Reports a limit through which bytes are still allocated, and keeps it. Ignores null. C: `kmlimitx`.
///
/// # Safety
/// `limit` is null, or a live limit from [`init`] that nobody uses any more.
pub unsafe fn x(limit: *mut Limit) {
    // SAFETY: [caller] the caller's header is readable if it is not null, and its source is live.
    unsafe {
        if limit.is_null() || !check(call!(c"kmlimitx"), limit) {
            return;
        }
        if (*limit).quota.used() != 0 {
            return fault::report(call!(c"kmlimitx"), limit.cast(), Misuse::InUse);
        }
        (*limit).cell.kind = Kind::Limit.freed();
        give_back((*limit).src, limit.cast(), LAYOUT);
    }
}

/// Changes the maximum. If more bytes are in use, all further requests are refused until they fit. C: `kmlimitto`.
///
/// # Safety
/// `limit` is a live limit.
pub unsafe fn to(limit: *mut Limit, max: usize) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if check(call!(c"kmlimitto"), limit) {
            (*limit).quota.set_max(max);
        }
    }
}

/// Sets the function that the limit calls before it refuses a request, or none. C: `kmlimith`.
///
/// The function returns 1 if it freed something: then the limit tries again, and calls the function again as long as it frees
/// something. The function may use the limit. It is not called while it runs, on any thread.
///
/// # Safety
/// `limit` is a live limit that no other thread uses meanwhile. The function may be called with `arg` until the limit is destroyed.
pub unsafe fn h(limit: *mut Limit, over: Option<OverFn>, arg: *mut c_void) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if check(call!(c"kmlimith"), limit) {
            (*limit).set_over(over, arg);
        }
    }
}

/// Returns the state of a limit, or zeros for null. C: `kmlimitq`.
///
/// # Safety
/// `limit` is null or a live limit.
#[must_use]
pub unsafe fn q(limit: *mut Limit) -> LimitCount {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if limit.is_null() || !check(call!(c"kmlimitq"), limit) {
            return LimitCount::default();
        }
        (*limit).quota.count()
    }
}
