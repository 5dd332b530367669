//! Moves a node to another parent.

use core::ptr::null_mut;

#[cfg(feature = "arena")]
use super::land;
use super::links::{
    INTERNAL, attach, attach_any, check, check_end, check_movable, is_child, is_linked, is_within,
    last_child, past_hooks, unlink_checked, unlink_cold,
};
use super::make::{source_below, source_of};
use crate::cell::{FLAG_BUSY, FLAG_HOLD, FLAG_HOST, Kind};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse, call};
use crate::raw::chain;
use crate::raw::layout::Node;

/// Moves a node, with all nodes below it, to the end of the children of `parent`, before the pools there. If `parent`
/// is null, the node becomes a root. C: `kmtreem`.
///
/// Returns [`AllocError::Below`] if `parent` is the node or below it, or, for a pool on a node, if `parent` or a node
/// above it was allocated from the pool; [`AllocError::Misused`] after a report. Nothing has changed then.
///
/// # Safety
/// Both are data of nodes of trees that belong to this thread; `parent` may be null. The source of each moved node
/// outlives it in the new place.
pub unsafe fn m(node: *mut u8, parent: *mut u8) -> Result<(), AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { move_below(call!(c"kmtreem"), node, parent, true) }
}

/// Moves a node as [`m`] does, but in constant time, without the check that `parent` is not below the node. C: `kmtreemu`.
///
/// # Safety
/// As for [`m`], and `parent` is neither the node nor below it: the nodes would become unreachable.
pub unsafe fn mu(node: *mut u8, parent: *mut u8) -> Result<(), AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { move_below(call!(c"kmtreemu"), node, parent, false) }
}

/// [`m`] on behalf of `call`. Without `check_above`, does not check that `parent` is not below the node.
#[inline(always)]
pub(crate) unsafe fn move_below(
    call: Call,
    moved: *mut u8,
    parent: *mut u8,
    check_above: bool,
) -> Result<(), AllocError> {
    // SAFETY: [caller] the caller's headers are readable, and that of the parent is checked.
    unsafe {
        let parent =
            if parent.is_null() { null_mut() } else { check_movable(call, parent, INTERNAL & !FLAG_HOST)? };
        move_into(call, moved, parent, check_above)
    }
}

/// Like [`move_below`], for a parent that was checked or is null. Safety: as for [`m`]; the parent is a live node.
#[cfg_attr(not(kmem_standalone), inline(always))]
pub(crate) unsafe fn move_into(
    call: Call,
    moved: *mut u8,
    parent: *mut Node,
    check_above: bool,
) -> Result<(), AllocError> {
    // SAFETY: [caller, one-thread, links] the caller's headers are readable, and their contents are checked;
    // neighbours are live.
    unsafe {
        let node = check_movable(call, moved, INTERNAL & !FLAG_HOST)?;
        #[cfg(feature = "arena")]
        let special = {
            let above = if parent.is_null() { null_mut() } else { (*parent).src };
            !((*node).src.is_null() && above.is_null()) && land::any_is_special((*node).src, above)
        };
        #[cfg(feature = "arena")]
        if special && !land::may_move(node, parent) {
            return Err(AllocError::fixed(Kind::Tree));
        }
        if !parent.is_null() {
            // Nothing is below a node without children, except a subtree that is unlinked and being freed.
            let lone = (*node).child.is_null() && (*node).cell.flags & FLAG_BUSY == 0;
            if node == parent || check_above && !lone && is_within(parent, node) {
                return Err(AllocError::Below);
            }
            check_end(call, parent, false)?;
        }
        if (*node).cell.flags & FLAG_HOST != 0 {
            return move_host(call, node, parent);
        }
        #[cfg(feature = "arena")]
        if special {
            land::moves(node, parent);
        }
        if !unlink_checked(node) {
            fault::report(call, moved, Misuse::Damaged);
            return Err(AllocError::Misused);
        }
        attach(node, parent);
    }
    Ok(())
}

/// [`move_into`] of a node that hosts a pool. Safety: as there; the other checks are done.
#[cold]
#[inline(never)]
unsafe fn move_host(call: Call, node: *mut Node, parent: *mut Node) -> Result<(), AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if would_hold_itself(node, parent) {
            return Err(AllocError::Below);
        }
        // A pool that stays below its parent keeps its place among the pools.
        if !parent.is_null() && (*node).parent == parent {
            return Ok(());
        }
        #[cfg(feature = "arena")]
        if !land::may_move(node, parent) {
            return Err(AllocError::fixed(Kind::Tree));
        }
        #[cfg(feature = "arena")]
        land::moves(node, parent);
        if !unlink_cold(node) {
            fault::report(call, Node::data(node), Misuse::Damaged);
            return Err(AllocError::Misused);
        }
        attach_any(node, parent);
    }
    Ok(())
}

/// Returns true if a node that hosts a pool would be below a node that was allocated, directly or through other sources, from that
/// pool. The pool would then be destroyed before that node is freed. Safety: both are live and belong to this thread.
#[inline(always)]
unsafe fn would_hold_itself(node: *mut Node, parent: *mut Node) -> bool {
    // SAFETY: [caller, links, hosted, outlives] the flag says that the data is a pool; nodes above and their sources are live.
    unsafe {
        let mut above = parent;
        while (*node).cell.flags & FLAG_HOST != 0 && !above.is_null() {
            if chain::comes_from((*above).src, Node::data(node).cast()) {
                return true;
            }
            above = (*above).parent;
        }
    }
    false
}

/// Moves all children of a node, and the objects that it adopted, to the end of the children of another node. Hooks
/// stay. C: `kmtreemc`.
///
/// Returns [`AllocError::Below`] if `to` is below `from`, or if a child hosts a pool and `to`, or a node above it, was allocated
/// from that pool. Returns [`AllocError::Fixed`] if `from` adopted an object that is not a tree and the nodes have different
/// sources. Nothing has changed then.
///
/// # Safety
/// As for [`m`].
pub unsafe fn mc(from: *mut u8, to: *mut u8) -> Result<(), AllocError> {
    const CALL: Call = Call::new(c"kmtreemc");
    // SAFETY: [caller, one-thread, links] as in `move_below`. Every child is checked before any is moved.
    unsafe {
        let (from, to) = (check(CALL, from)?, check_movable(CALL, to, INTERNAL & !FLAG_HOST)?);
        if from == to {
            return Ok(());
        }
        check_children(CALL, from, to)?;
        let mut child = past_hooks_of(CALL, from)?;
        while !child.is_null() && (*child).cell.flags & FLAG_HOST == 0 {
            let next = (*child).next;
            move_child(child, to);
            child = next;
        }
        // The last pool is moved first, because each is linked before the pools that are already there.
        child = last_child(from);
        while !child.is_null() && (*child).cell.flags & FLAG_HOST != 0 {
            let before = (*child).prev;
            move_child(child, to);
            child = before;
        }
    }
    Ok(())
}

/// Moves a child that was checked. Safety: as for [`m`].
unsafe fn move_child(child: *mut Node, to: *mut Node) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        #[cfg(feature = "arena")]
        land::moves(child, to);
        unlink_cold(child);
        attach_any(child, to);
    }
}

/// Checks that all children of `from` except hooks may move to `to`. Safety: both are live and belong to this thread.
unsafe fn check_children(call: Call, from: *mut Node, to: *mut Node) -> Result<(), AllocError> {
    // SAFETY: [caller, links] the contract is the caller's.
    unsafe {
        let mut child = past_hooks_of(call, from)?;
        if !child.is_null() && is_within(to, from) {
            return Err(AllocError::Below);
        }
        check_end(call, to, false)?;
        while !child.is_null() {
            if !is_child(child, from) || !is_linked(child) {
                fault::report(call, Node::data(from), Misuse::Damaged);
                return Err(AllocError::Misused);
            }
            if would_hold_itself(child, to) {
                return Err(AllocError::Below);
            }
            #[cfg(feature = "arena")]
            if !land::may_move(child, to) {
                return Err(AllocError::fixed(Kind::Tree));
            }
            // The source of a holder may be destroyed before the object is freed.
            if (*child).cell.flags & FLAG_HOLD != 0 && source_of(child) != source_below(to) {
                return Err(AllocError::fixed(Kind::Tree));
            }
            child = (*child).next;
        }
    }
    Ok(())
}

/// [`past_hooks`], out of line. Safety: as for [`is_child`].
#[inline(never)]
pub(crate) unsafe fn past_hooks_of(call: Call, node: *mut Node) -> Result<*mut Node, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { past_hooks(call, node) }
}
