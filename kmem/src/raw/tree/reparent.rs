//! A node that moves to another parent.

use core::ptr::null_mut;

use super::holders::{Holders, is_drawn_elsewhere};
use super::links::{
    Links, OWN, around, attach, check, check_end, check_movable, is_child, is_within, past_hooks,
    unlink_checked,
};
use crate::cell::{FLAG_BUSY, FLAG_HOST};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse, call};
use crate::raw::chain;
use crate::raw::layout::Node;

/// Moves a node, with everything below it, to the end of the children of `parent` (of those that are no pools), the data of another node, or makes it a root
/// where that is null.
///
/// Takes a time that grows with the pools on `parent` alone where that is null or the node has no children. Otherwise the node could be put below itself, and
/// what lies above `parent` is looked through: see [`mu`] for a move without that.
///
/// Fails with [`AllocError::Below`] where `parent` is the node or lies below it, or where the node is a pool and `parent` lies at or below
/// what was drawn from it; nothing has changed then. A pool that hangs there already stays where it is.
///
/// # Safety
/// Both are data of nodes of trees that belong to this thread, `parent` perhaps null, and the source that each moved node was drawn
/// from outlives it where it goes. What the headers show to be wrong goes to the [fault handler](crate::fault), and the call
/// fails with [`AllocError::Misused`].
///
/// ```
/// use kmem::{AllocError, raw::tree};
/// use std::ptr::null_mut;
/// unsafe {
///     let (one, two) = (tree::a(null_mut(), null_mut(), 8), tree::a(null_mut(), null_mut(), 8));
///     let leaf = tree::a(null_mut(), one, 8);
///     tree::m(leaf, two).unwrap();
///     assert_eq!(tree::p(leaf), two);
///     tree::m(two, leaf).unwrap_err();
///     tree::f(one);
///     tree::f(two);
/// }
/// ```
pub unsafe fn m(node: *mut u8, parent: *mut u8) -> Result<(), AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { move_below(call!(c"kmtreem"), node, parent, true) }
}

/// Moves a node as [`m`] does, without a look at what lies above `parent`.
///
/// # Safety
/// As for [`m`], and `parent` is not the node and does not lie below it: nothing would reach those nodes any more.
///
/// ```
/// use kmem::raw::tree;
/// use std::ptr::null_mut;
/// unsafe {
///     let (one, two) = (tree::a(null_mut(), null_mut(), 8), tree::a(null_mut(), null_mut(), 8));
///     tree::mu(two, one).unwrap();
///     assert_eq!(tree::below(one), 1);
///     tree::f(one);
/// }
/// ```
pub unsafe fn mu(node: *mut u8, parent: *mut u8) -> Result<(), AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { move_below(call!(c"kmtreemu"), node, parent, false) }
}

pub(crate) unsafe fn move_below(
    call: Call,
    moved: *mut u8,
    parent: *mut u8,
    check_above: bool,
) -> Result<(), AllocError> {
    // SAFETY: [caller] the caller vouches for readable headers, and the check for what that of the parent says.
    unsafe {
        let parent =
            if parent.is_null() { null_mut() } else { check_movable(call, parent, OWN & !FLAG_HOST)? };
        move_into(call, moved, parent, check_above)
    }
}

/// [`move_below`] of a parent that was looked at, or is null.
///
/// # Safety
/// As for [`m`]; the parent is a live node.
#[inline(always)]
pub(crate) unsafe fn move_into(
    call: Call,
    moved: *mut u8,
    parent: *mut Node,
    check_above: bool,
) -> Result<(), AllocError> {
    // SAFETY: [caller, one-thread, links] the caller vouches for readable headers, the check for what they say, and live nodes for
    // those around them.
    unsafe {
        let node = check_movable(call, moved, OWN & !FLAG_HOST)?;
        if !parent.is_null() {
            // Below a node without children is nothing but, perhaps, what is being freed and hangs there no more.
            let lone = (*node).child.is_null() && (*node).cell.flags & FLAG_BUSY == 0;
            if node == parent || check_above && !lone && is_within(parent, node) {
                return Err(AllocError::Below);
            }
            if would_hold_itself(node, parent) {
                return Err(AllocError::Below);
            }
            // It has its place among the pools that are there.
            if (*node).cell.flags & FLAG_HOST != 0 && (*node).parent == parent {
                return Ok(());
            }
            check_end(call, parent, false)?;
        }
        if !unlink_checked(node) {
            fault::report(call, moved, Misuse::Damaged);
            return Err(AllocError::Misused);
        }
        attach(node, parent);
    }
    Ok(())
}

/// Whether a node that hosts a pool would hang, by way of others perhaps, below one that was drawn from that pool, and so go before
/// what it has to outlive.
///
/// # Safety
/// Both are live and this thread's.
#[inline]
pub(crate) unsafe fn would_hold_itself(node: *mut Node, parent: *mut Node) -> bool {
    #[cfg(feature = "pool")]
    // SAFETY: [caller, links, hosted, outlives] the flag says that the node's data is a pool; what lies above a live node is live, and
    // its sources are there.
    unsafe {
        let mut above = parent;
        while (*node).cell.flags & FLAG_HOST != 0 && !above.is_null() {
            if chain::leads_to((*above).src, Node::data(node).cast()) {
                return true;
            }
            above = (*above).parent;
        }
    }
    let _ = (node, parent);
    false
}

/// Moves all children of a node, in their order and with everything below them, to the end of the children of another, and what it has
/// adopted with them. Hooks stay.
///
/// Takes time for each child, and for each node above `to`, which is looked at as in [`m`]. The small nodes that hold what was adopted
/// are drawn anew where both nodes were not drawn from the same source. Fails with [`AllocError::Below`] where
/// `to` lies below `from`, or at or below what was drawn from a pool that is to move, and as [`AllocError`] says where a small node is
/// refused; nothing has changed then. Where both are the same nothing is done.
///
/// # Safety
/// As for [`m`].
///
/// ```
/// use kmem::raw::tree;
/// use std::ptr::null_mut;
/// unsafe {
///     let (one, two) = (tree::a(null_mut(), null_mut(), 8), tree::a(null_mut(), null_mut(), 8));
///     for _ in 0..3 {
///         tree::a(null_mut(), one, 8);
///     }
///     tree::mc(one, two).unwrap();
///     assert_eq!((tree::below(one), tree::below(two)), (0, 3));
///     tree::f(one);
///     tree::f(two);
/// }
/// ```
pub unsafe fn mc(from: *mut u8, to: *mut u8) -> Result<(), AllocError> {
    const CALL: Call = Call::new(c"kmtreemc");
    // SAFETY: [caller, one-thread, links] as in `move_below`. Every child is found to hang where it should before any is moved.
    unsafe {
        let (from, to) = (check(CALL, from)?, check_movable(CALL, to, OWN & !FLAG_HOST)?);
        if from == to {
            return Ok(());
        }
        // A source may look, and change what is there, as a holder is drawn from it: what is to move is looked at again then.
        let (mut drawn, mut left) = (Holders::new(CALL), Holders::new(CALL));
        loop {
            let needed = check_children(CALL, from, to)?;
            if needed <= drawn.count {
                break;
            }
            while drawn.count < needed {
                drawn.draw(to)?;
            }
        }
        let mut child = past_hooks_of(CALL, from)?;
        while !child.is_null() && (*child).cell.flags & FLAG_HOST == 0 {
            let next = (*child).next;
            unlink_checked(child);
            let elsewhere = is_drawn_elsewhere(child, to);
            attach(if elsewhere { drawn.replace(child, &mut left) } else { child }, to);
            child = next;
        }
        // The last pool first, since each goes before those that are there.
        child = (*from).lastchild;
        while !child.is_null() && (*child).cell.flags & FLAG_HOST != 0 {
            let before = (*child).prev;
            unlink_checked(child);
            attach(child, to);
            child = before;
        }
    }
    Ok(())
}

/// Whether all children of `from` that are no hooks may be moved to `to`: how many holders among them have to be drawn anew for that.
///
/// # Safety
/// Both are live and this thread's.
pub(crate) unsafe fn check_children(call: Call, from: *mut Node, to: *mut Node) -> Result<usize, AllocError> {
    let mut elsewhere = 0;
    // SAFETY: [caller, links] the contract is the caller's.
    unsafe {
        let mut child = past_hooks_of(call, from)?;
        if !child.is_null() && is_within(to, from) {
            return Err(AllocError::Below);
        }
        check_end(call, to, false)?;
        while !child.is_null() {
            if !is_child(child, from) || matches!(around(child), Links::Corrupt) {
                fault::report(call, Node::data(from), Misuse::Damaged);
                return Err(AllocError::Misused);
            }
            if would_hold_itself(child, to) {
                return Err(AllocError::Below);
            }
            elsewhere += usize::from(is_drawn_elsewhere(child, to));
            child = (*child).next;
        }
    }
    Ok(elsewhere)
}

/// [`past_hooks`], out of line: for those who are not in a hurry.
///
/// # Safety
/// As for [`is_child`].
#[inline(never)]
pub(crate) unsafe fn past_hooks_of(call: Call, node: *mut Node) -> Result<*mut Node, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { past_hooks(call, node) }
}
