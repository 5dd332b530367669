//! The count of references to a cell. The owner that drops the last reference ends the cell.

use crate::cell::{Kind, Shred};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse};
use crate::raw::check;
use crate::raw::layout::{CellAt, Ref};
use crate::shared::{self, Left};

/// Drops a reference. Returns true if it was the last one: the caller must end the cell. With `shred`, taints the cell first.
/// Safety: as for [`f`](crate::raw::refs::f).
#[inline(always)]
pub(crate) unsafe fn drop_one(data: *mut u8, call: Call, shred: Shred) -> bool {
    // SAFETY: [caller] the header is readable if the data is not null.
    if data.is_null() || !unsafe { check::check(call, CellAt::new(Kind::Ref, data)) } {
        return false;
    }
    if shred.is_yes() {
        // SAFETY: [live, last-ref] the check found a live counted cell, to which the caller has a reference.
        unsafe { (*Ref::of(data)).cell.taint() };
    }
    // SAFETY: [live, last-ref] as above.
    unsafe { down(call, data) }
}

/// [`drop_one`], out of line.
#[inline(never)]
pub(crate) unsafe fn drop_one_cold(data: *mut u8, call: Call, shred: Shred) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { drop_one(data, call, shred) }
}

/// Drops a reference. Returns true if it was the last one: the caller must end the cell.
/// Safety: `data` is that of a live counted cell to which the caller has a reference.
#[inline(always)]
pub(crate) unsafe fn down(call: Call, data: *mut u8) -> bool {
    // SAFETY: [caller, last-ref] the caller's reference keeps the cell live. If other references are left, their owners may free
    // the cell at once, so it is not read again.
    match shared::down(unsafe { &(*Ref::of(data)).refs }) {
        Left::Others => false,
        Left::Nobody => true,
        Left::Underflow => {
            fault::report(call, data, Misuse::CountUnderflow);
            false
        }
    }
}

/// Returns [`AllocError::Shared`] if the caller's reference is not the only one. Otherwise nobody else has the cell.
/// Safety: `data` is that of a live cell to which the caller has a reference.
pub(crate) unsafe fn check_only(data: *mut u8) -> Result<(), AllocError> {
    // SAFETY: [caller, last-ref] the reference keeps the cell live.
    if shared::count(unsafe { &(*Ref::of(data)).refs }) == 1 { Ok(()) } else { Err(AllocError::Shared) }
}
