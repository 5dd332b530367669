//! References to a counted cell: the last one that is dropped ends the cell.

use crate::cell::{Cell, Kind, Shred};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse};
use crate::raw::check;
use crate::raw::layout::{REF as HEADER, Ref};
use crate::shared::{self, Left};

/// Drops a reference, after marking the cell if it is to be zeroed, and returns true if it was the last one: then the caller has to
/// end the cell.
///
/// # Safety
/// As for [`f`].
#[inline(always)]
pub(crate) unsafe fn drop_one(data: *mut u8, call: Call, shred: Shred) -> bool {
    // SAFETY: [caller] the caller vouches for a readable header where the data is not null.
    if data.is_null() || !unsafe { check::check(call, Kind::Ref, HEADER, data) } {
        return false;
    }
    if shred.is_yes() {
        // SAFETY: [live, last-ref] the check found a live reference-counted cell, of which the caller holds a
        // reference.
        unsafe { (*Ref::of(data)).cell.taint() };
    }
    // SAFETY: [live, last-ref] as above.
    unsafe { down(call, data) }
}

/// Drops a reference, and returns true if it was the last one: then the caller has to [`end`] the cell.
///
/// # Safety
/// `data` is that of a live reference-counted cell of which the caller holds a reference.
#[inline(always)]
pub(crate) unsafe fn down(call: Call, data: *mut u8) -> bool {
    // SAFETY: [caller, last-ref] the caller's reference keeps the cell. If others are left it may be gone before this returns,
    // which does not look again.
    match shared::down(unsafe { &(*Ref::of(data)).refs }) {
        Left::Others => false,
        Left::Nobody => true,
        Left::Underflow => {
            fault::report(call, data, Misuse::CountUnderflow);
            false
        }
    }
}

/// The source of a cell to which there is no other reference than the caller's.
///
/// # Safety
/// `data` is that of a live cell of which the caller has a reference.
pub(crate) unsafe fn source_of_only(data: *mut u8) -> Result<*mut Cell, AllocError> {
    // SAFETY: [caller, last-ref] the reference keeps the cell live. Who finds no other has the cell alone.
    unsafe {
        let Ref { refs, src, .. } = &*Ref::of(data);
        if shared::count(refs) == 1 { Ok(*src) } else { Err(AllocError::Shared) }
    }
}
