//! The neighbours of a node: its parent, children and siblings.

use core::ptr::null_mut;

use super::links::{INTERNAL, is_owner, last_child};
use crate::cell::{FLAG_HOST, Kind};
use crate::fault::{Call, call};
use crate::raw::check;
use crate::raw::layout::{CellAt, Node};

/// Returns the data of the first node that is neither a hook nor a holder, from this one on through its next siblings (previous if
/// `BACK`), or null. Safety: the node is null or a live one of this thread.
unsafe fn nearest_plain<const BACK: bool>(mut node: *mut Node) -> *mut u8 {
    // SAFETY: [caller, links] the siblings of a live node are live.
    unsafe {
        while !node.is_null() && (*node).cell.flags & (INTERNAL & !FLAG_HOST) != 0 {
            node = if BACK { (*node).prev } else { (*node).next };
        }
    }
    if node.is_null() { null_mut() } else { Node::data(node) }
}

/// Returns the data of the first child, or of the last if `BACK`. Null if there is none, or after a report. Safety:
/// as for [`p`].
#[inline(always)]
unsafe fn end_child<const BACK: bool>(call: Call, node: *mut u8) -> *mut u8 {
    // SAFETY: [caller, links] the caller's header is readable, and its contents are checked; children are live.
    unsafe {
        if node.is_null() || !check::check_readable(call, CellAt::new(Kind::Tree, node)) {
            return null_mut();
        }
        let node = Node::of(node);
        nearest_plain::<BACK>(if BACK { last_child(node) } else { (*node).child })
    }
}

/// Returns the data of the next sibling, or of the previous if `BACK`. Null if there is none, or after a report.
/// Safety: as for [`p`].
#[inline(always)]
pub(crate) unsafe fn sibling<const BACK: bool>(call: Call, node: *mut u8) -> *mut u8 {
    // SAFETY: [caller, links] the caller's header is readable, and its contents are checked; siblings are live.
    unsafe {
        // A node that is being freed may be unlinked, and its siblings freed.
        if node.is_null()
            || !check::check_readable(call, CellAt::new(Kind::Tree, node))
            || (*Node::of(node)).cell.kind != Kind::Tree as i32
        {
            return null_mut();
        }
        let Node { prev, next, .. } = *Node::of(node);
        nearest_plain::<BACK>(if BACK { prev } else { next })
    }
}

/// Returns the data of the parent; null for a root and for null. C: `kmtreep`.
///
/// # Safety
/// `node` is null or the data of a node of a tree that belongs to this thread.
#[must_use]
pub unsafe fn p(node: *mut u8) -> *mut u8 {
    // SAFETY: [caller, links] the caller's header is readable, and its contents are checked.
    unsafe {
        if node.is_null()
            || !check::check_readable(call!(c"kmtreep"), CellAt::new(Kind::Tree, node))
            || (*Node::of(node)).parent.is_null()
            || is_owner((*Node::of(node)).parent)
        {
            null_mut()
        } else {
            Node::data((*Node::of(node)).parent)
        }
    }
}

/// Returns the data of the first child, or null. Skips hooks and adopted objects that are not nodes. C: `kmtreec`.
///
/// # Safety
/// As for [`p`].
#[must_use]
pub unsafe fn c(node: *mut u8) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { end_child::<false>(call!(c"kmtreec"), node) }
}

/// Returns the data of the last child, or null. Skips hooks and adopted objects that are not nodes. Takes time in proportion to the
/// number of pools on the node. C: `kmtreecl`.
///
/// # Safety
/// As for [`p`].
#[must_use]
pub unsafe fn cl(node: *mut u8) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { end_child::<true>(call!(c"kmtreecl"), node) }
}

/// Returns the data of the next sibling, or null. Null for a node that is being freed. C: `kmtreecn`.
///
/// # Safety
/// As for [`p`].
#[must_use]
pub unsafe fn cn(node: *mut u8) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { sibling::<false>(call!(c"kmtreecn"), node) }
}

/// Returns the data of the previous sibling, or null. Null for a node that is being freed. C: `kmtreecp`.
///
/// # Safety
/// As for [`p`].
#[must_use]
pub unsafe fn cp(node: *mut u8) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { sibling::<true>(call!(c"kmtreecp"), node) }
}
