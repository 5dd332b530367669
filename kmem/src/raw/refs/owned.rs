//! The end of a counted cell that owns something: that is freed first.

use core::ptr::{NonNull, null_mut};

use super::count::drop_one;
use crate::cell::{FLAG_BUSY, Kind, Shred};
use crate::fault::{self, Call, Misuse};
use crate::raw::layout::{Node, REF as HEADER, Ref};
use crate::raw::{check, end, record};
use crate::shared;

/// Drops a reference on behalf of a walk that frees nodes. If it was the last one and the cell owns something, returns the node below
/// which that hangs: the walk frees it, and then [ends](end_owner) the cell, which is marked as dying.
///
/// # Safety
/// As for [`f`].
pub(crate) unsafe fn release_below(data: *mut u8, call: Call, shred: Shred) -> Option<NonNull<Node>> {
    // SAFETY: [caller] the contract is the caller's. The cell of the last reference is the caller's.
    unsafe {
        if !drop_one(data, call, shred) {
            return None;
        }
        match take(call, data) {
            Owned::Below(root) => return Some(root),
            Owned::Nothing => {
                let src = (*Ref::of(data)).src;
                if !end::end_fast(Kind::Ref, HEADER, data, src) {
                    end::end_slow(call, Kind::Ref, HEADER, data, src, false);
                }
            }
            Owned::Refused => {}
        }
    }
    None
}

/// Ends a cell after what it owned.
///
/// # Safety
/// [`release_below`] returned what the cell owned, and that is freed.
pub(crate) unsafe fn end_owner(call: Call, data: *mut u8) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { end::end_slow(call, Kind::Ref, HEADER, data, (*Ref::of(data)).src, false) };
}

/// The node below which hangs what a cell owns, or null.
///
/// # Safety
/// `data` is that of a live counted cell.
pub(crate) unsafe fn owned(data: *mut u8) -> *mut Node {
    // SAFETY: [caller, record] the caller's cell is live, and its record too.
    unsafe {
        let record = record::of(Ref::of(data).cast());
        if record.is_null() { null_mut() } else { (*record).owned }
    }
}

/// What is to be freed before a cell ends.
pub(crate) enum Owned {
    Nothing,
    /// What hangs below this node, with the node. The cell is marked as dying.
    Below(NonNull<Node>),
    /// The cell does not end: it was damaged, or what it owns is being freed. That was reported.
    Refused,
}

/// Takes from a cell what it owns, for the last reference was dropped.
///
/// # Safety
/// `data` is that of a live counted cell that the caller alone knows of.
pub(crate) unsafe fn take(call: Call, data: *mut u8) -> Owned {
    // SAFETY: [caller, record] the caller has the cell alone, and what its record leads to.
    unsafe {
        let Some(root) = NonNull::new(owned(data)) else { return Owned::Nothing };
        let cell = &mut (*Ref::of(data)).cell;
        if !check::seal_ok(call, Kind::Ref, HEADER, data, (*Ref::of(data)).src) {
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
