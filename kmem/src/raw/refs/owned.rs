//! The end of a counted cell that owns objects, which are freed first.

use core::ptr::{NonNull, null_mut};

use super::count::drop_one_cold;
use crate::cell::{FLAG_BUSY, Kind, Shred};
use crate::fault::{self, Call, Misuse};
use crate::raw::layout::{CellAt, Node, Ref};
use crate::raw::{check, end, record};
use crate::shared;

/// Drops a reference on behalf of a walk that frees nodes. If it was the last one and the cell owns objects, marks the cell as
/// dying and returns the root node of the objects. The walk frees them, then calls [`end_owner`].
/// Safety: as for [`f`](crate::raw::refs::f).
pub(crate) unsafe fn release_below(data: *mut u8, call: Call, shred: Shred) -> Option<NonNull<Node>> {
    // SAFETY: [caller] the contract is the caller's. After the last reference, the cell is the caller's alone.
    unsafe {
        if !drop_one_cold(data, call, shred) {
            return None;
        }
        match take(call, data) {
            Owned::Below(root) => return Some(root),
            Owned::Nothing => {
                end::END_SMALL(call, CellAt::new(Kind::Ref, data), false);
            }
            Owned::Refused => {}
        }
    }
    None
}

/// Ends a cell whose objects were freed. Safety: [`release_below`] returned the root node of the objects, which were freed then.
pub(crate) unsafe fn end_owner(call: Call, data: *mut u8) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { end::end_slow(call, CellAt::new(Kind::Ref, data), false) };
}

/// Returns the root node of the objects that a cell owns, or null. Safety: `data` is that of a live counted cell.
pub(crate) unsafe fn owned(data: *mut u8) -> *mut Node {
    // SAFETY: [caller, record] the cell is live, and so is its record.
    unsafe {
        let record = record::of(Ref::of(data).cast());
        if record.is_null() { null_mut() } else { (*record).owned }
    }
}

/// The objects that must be freed before a cell ends.
pub(crate) enum Owned {
    Nothing,
    /// This root node and everything below it. The cell is marked as dying.
    Below(NonNull<Node>),
    /// The cell must not end: it is corrupt, or its objects are being freed already. This was reported.
    Refused,
}

/// Detaches the objects from a cell whose last reference was dropped.
/// Safety: `data` is that of a live counted cell that only the caller can access.
pub(crate) unsafe fn take(call: Call, data: *mut u8) -> Owned {
    // SAFETY: [caller, record] nobody else has the cell, its record and its objects.
    unsafe {
        let Some(root) = NonNull::new(owned(data)) else { return Owned::Nothing };
        let cell = &mut (*Ref::of(data)).cell;
        if !check::seal_ok(call, CellAt::new(Kind::Ref, data)) {
            return Owned::Refused;
        }
        if (*root.as_ptr()).cell.flags & FLAG_BUSY != 0 {
            shared::keep(&(*Ref::of(data)).refs);
            fault::report(call, data, Misuse::FreeingBelow);
            return Owned::Refused;
        }
        (*record::of(cell)).owned = null_mut();
        cell.kind = Kind::Ref.dying();
        if cell.tainted() {
            Node::taint_subtree(root.as_ptr());
        }
        Owned::Below(root)
    }
}
