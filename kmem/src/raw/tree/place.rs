//! Where a node is and how large: resize it, move it, look around it, free all below it.

use core::ptr::{NonNull, null_mut};

use super::hold::Holders;
use super::{
    Around, HEADER, Node, OWN, around, data, header, held_by, hold, in_use, leads, link, release,
    unlink_checked,
};
use crate::cell::{FLAG_BUSY, FLAG_HOOK, FLAG_HOST, FLAG_SAME, Kind, Shred};
use crate::error::AllocError;
use crate::fault::{self, Misuse};
use crate::raw::block;
use crate::raw::marks::Leads;
use crate::raw::resize::{self, How, Resized, To};
use crate::raw::seal::is_no_header;

/// Whether this is the data of a live node; what is wrong with it is reported.
///
/// # Safety
/// The header before the data is readable.
pub(super) unsafe fn check(call: &'static str, data: *mut u8) -> Result<*mut Node, AllocError> {
    if data.is_null() {
        return Err(AllocError::Source(None));
    }
    // SAFETY: [caller] the contract is the caller's.
    if unsafe { block::check(call, Kind::Tree, HEADER, data) } {
        Ok(header(data))
    } else {
        Err(AllocError::Misused)
    }
}

/// Whether what is linked below a node as its child knows itself as that. What is no address that a program has is not looked at.
///
/// # Safety
/// The node is live and this thread's; what its links name is there, unless it is no address that a program has.
#[inline]
pub(crate) unsafe fn is_child(child: *mut Node, node: *mut Node) -> bool {
    // SAFETY: [caller, links] the caller vouches for what the links name.
    !is_no_header(child.addr()) && unsafe { (*child).parent == node }
}

/// Whether a child may be added to a node behind the others, or before them where it is to be the `first`: whether what is linked
/// there is a child, and has nothing beyond it. What is wrong is reported.
///
/// # Safety
/// As for [`is_child`].
#[inline]
pub(super) unsafe fn check_end(call: &'static str, node: *mut Node, first: bool) -> Result<(), AllocError> {
    // SAFETY: [caller, links] the contract is the caller's.
    unsafe {
        let end = if first { (*node).child } else { (*node).lastchild };
        if end.is_null() || is_child(end, node) && (if first { (*end).prev } else { (*end).next }).is_null() {
            return Ok(());
        }
        fault::report(call, data(node), Misuse::Damaged);
    }
    Err(AllocError::Misused)
}

/// [`check`] of a node that is none of the library's own.
///
/// # Safety
/// As for [`check`].
unsafe fn check_movable(call: &'static str, data: *mut u8, own: u8) -> Result<*mut Node, AllocError> {
    // SAFETY: [caller, live] the contract is the caller's.
    unsafe {
        let node = check(call, data)?;
        if (*node).cell.flags & own != 0 { Err(AllocError::Fixed(Kind::Tree)) } else { Ok(node) }
    }
}

/// [`resize`] on behalf of `call`, before the old block goes back.
#[inline]
pub(crate) unsafe fn resize_kept(
    data: *mut u8,
    to: To,
    call: &'static str,
    shred: Shred,
) -> Result<Resized, AllocError> {
    // SAFETY: [caller, one-thread, links] the caller vouches for a readable header, the check for what it says, and a live node
    // for those around it.
    unsafe {
        let node = check_movable(call, data, OWN)?;
        let wrong = match around(node) {
            Around::Stranger => Some(Misuse::Damaged),
            _ => in_use(node),
        };
        if let Some(misuse) = wrong {
            fault::report(call, data, misuse);
            return Err(AllocError::Misused);
        }
        // A global allocator may be the program's own, and meet the node by its neighbours. That of C does not know of it.
        let alone = cfg!(kmem_libc) || (*node).parent.is_null() && (*node).child.is_null();
        let how = How { shred: shred.is_yes(), alone };
        let resized = resize::resize(call, Kind::Tree, HEADER, data, (*node).src, to, how)?;
        let now = header(resized.data.as_ptr());
        if now != node {
            if !(*now).parent.is_null() {
                for link in held_by(now) {
                    *link = now;
                }
            }
            let mut child = (*now).child;
            while !child.is_null() {
                if !is_child(child, node) {
                    // Where the links lead nobody knows: what lies behind stays out of reach.
                    fault::report(call, resized.data.as_ptr(), Misuse::Damaged);
                    break;
                }
                (*child).parent = now;
                #[cfg(feature = "pool")]
                if super::hosts(child) {
                    (*super::data(child).cast::<crate::raw::Pool>()).src = now.cast();
                }
                child = (*child).next;
            }
        }
        Ok(resized)
    }
}

/// Whether a node is this one or lies below it.
///
/// # Safety
/// Both are live and this thread's.
unsafe fn is_within(mut node: *mut Node, above: *mut Node) -> bool {
    // SAFETY: [caller, links] what lies above a live node is live.
    unsafe {
        while node != above && !node.is_null() {
            node = (*node).parent;
        }
    }
    !node.is_null()
}

/// Returns true if a node lies below what this counted cell owns.
///
/// # Safety
/// The node is live and this thread's, and so is the cell.
#[cfg(feature = "ref")]
pub(super) unsafe fn is_owned_by(node: *mut Node, cell: *mut u8) -> bool {
    // SAFETY: [caller, links, record] the contract is the caller's.
    unsafe {
        let root = crate::raw::refs::owned(cell);
        !root.is_null() && is_within(node, root)
    }
}

/// Returns true if the children of a node are what a counted cell owns: nobody sees such a node.
///
/// # Safety
/// The node is there.
#[inline(always)]
pub(super) unsafe fn is_owner(node: *mut Node) -> bool {
    // A hook has no children.
    // SAFETY: [caller] the contract is the caller's.
    unsafe { (*node).cell.flags & FLAG_HOOK != 0 }
}

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
    unsafe { move_below("kmtreem", node, parent, true) }
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
    unsafe { move_below("kmtreemu", node, parent, false) }
}

pub(super) unsafe fn move_below(
    call: &'static str,
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
pub(super) unsafe fn move_into(
    call: &'static str,
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
        settle(node, parent);
    }
    Ok(())
}

/// Whether a node that hosts a pool would hang, by way of others perhaps, below one that was drawn from that pool, and so go before
/// what it has to outlive.
///
/// # Safety
/// Both are live and this thread's.
#[inline]
unsafe fn would_hold_itself(node: *mut Node, parent: *mut Node) -> bool {
    #[cfg(feature = "pool")]
    // SAFETY: [caller, links, hosted, outlives] the flag says that the node's data is a pool; what lies above a live node is live, and
    // its sources are there.
    unsafe {
        let mut above = parent;
        while (*node).cell.flags & FLAG_HOST != 0 && !above.is_null() {
            if crate::raw::source::leads_to((*above).src, data(node).cast()) {
                return true;
            }
            above = (*above).parent;
        }
    }
    let _ = (node, parent);
    false
}

/// Puts a node that has been taken out below `parent`, or makes it a root where that is null.
///
/// # Safety
/// Both are live and this thread's, and `parent` does not lie below the node.
pub(super) unsafe fn settle(node: *mut Node, parent: *mut Node) {
    // SAFETY: [caller, links] the contract is the caller's.
    unsafe {
        (*node).parent = parent;
        (*node).prev = null_mut();
        (*node).next = null_mut();
        // Whether the types agree there is for the safe API to say.
        (*node).cell.flags &= !FLAG_SAME;
        #[cfg(feature = "pool")]
        if super::hosts(node) {
            crate::raw::pool::rehost(data(node).cast(), parent);
        }
        if parent.is_null() {
            leads(node, Leads::On);
        } else {
            link(parent, node);
        }
    }
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
    const CALL: &str = "kmtreemc";
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
            let elsewhere = hold::is_drawn_elsewhere(child, to);
            settle(if elsewhere { drawn.replace(child, &mut left) } else { child }, to);
            child = next;
        }
        // The last pool first, since each goes before those that are there.
        child = (*from).lastchild;
        while !child.is_null() && (*child).cell.flags & FLAG_HOST != 0 {
            let before = (*child).prev;
            unlink_checked(child);
            settle(child, to);
            child = before;
        }
    }
    Ok(())
}

/// Whether all children of `from` that are no hooks may be moved to `to`: how many holders among them have to be drawn anew for that.
///
/// # Safety
/// Both are live and this thread's.
unsafe fn check_children(call: &'static str, from: *mut Node, to: *mut Node) -> Result<usize, AllocError> {
    let mut elsewhere = 0;
    // SAFETY: [caller, links] the contract is the caller's.
    unsafe {
        let mut child = past_hooks_of(call, from)?;
        if !child.is_null() && is_within(to, from) {
            return Err(AllocError::Below);
        }
        check_end(call, to, false)?;
        while !child.is_null() {
            if !is_child(child, from) || matches!(around(child), Around::Stranger) {
                fault::report(call, data(from), Misuse::Damaged);
                return Err(AllocError::Misused);
            }
            if would_hold_itself(child, to) {
                return Err(AllocError::Below);
            }
            elsewhere += usize::from(hold::is_drawn_elsewhere(child, to));
            child = (*child).next;
        }
    }
    Ok(elsewhere)
}

/// The first child of a node that is no hook, or null. Fails, after a report, where a link on the way there does not lead to a child.
///
/// # Safety
/// As for [`is_child`].
#[inline]
pub(super) unsafe fn past_hooks(call: &'static str, node: *mut Node) -> Result<*mut Node, AllocError> {
    // SAFETY: [caller, links] the contract is the caller's.
    unsafe {
        let mut child = (*node).child;
        while !child.is_null() {
            if !is_child(child, node) {
                fault::report(call, data(node), Misuse::Damaged);
                return Err(AllocError::Misused);
            }
            if (*child).cell.flags & FLAG_HOOK == 0 {
                break;
            }
            child = (*child).next;
        }
        Ok(child)
    }
}

/// [`past_hooks`], out of line: for those who are not in a hurry.
///
/// # Safety
/// As for [`is_child`].
#[inline(never)]
unsafe fn past_hooks_of(call: &'static str, node: *mut Node) -> Result<*mut Node, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { past_hooks(call, node) }
}

/// Returns the data of the first node that is not the library's own, among this one and the siblings behind it (before it if `BACK`), or
/// null.
///
/// # Safety
/// The node is null or a live one of this thread's.
unsafe fn nearest_plain<const BACK: bool>(mut node: *mut Node) -> *mut u8 {
    // SAFETY: [caller, links] the siblings of a live node are live.
    unsafe {
        while !node.is_null() && (*node).cell.flags & (OWN & !FLAG_HOST) != 0 {
            node = if BACK { (*node).prev } else { (*node).next };
        }
    }
    if node.is_null() { null_mut() } else { data(node) }
}

/// The data of the first child, or of the last if `BACK`; null if there is none, and of what is no node, after a report.
///
/// # Safety
/// As for [`p`].
#[inline(always)]
unsafe fn end_child<const BACK: bool>(call: &'static str, node: *mut u8) -> *mut u8 {
    // SAFETY: [caller, links] the caller vouches for a readable header, the check for what it says, and the children of a live node
    // are live.
    unsafe {
        if node.is_null() || !block::check_seen(call, Kind::Tree, HEADER, node) {
            return null_mut();
        }
        let Node { child, lastchild, .. } = *header(node);
        nearest_plain::<BACK>(if BACK { lastchild } else { child })
    }
}

/// The data of the next sibling, or of the one before if `BACK`; null if there is none, and of what is no node, after a report.
///
/// # Safety
/// As for [`p`].
#[inline(always)]
unsafe fn sibling<const BACK: bool>(call: &'static str, node: *mut u8) -> *mut u8 {
    // SAFETY: [caller, links] the caller vouches for a readable header, the check for what it says, and the siblings of a live node
    // are live.
    unsafe {
        // One that is being freed may have been taken out, and its siblings be gone.
        if node.is_null()
            || !block::check_seen(call, Kind::Tree, HEADER, node)
            || (*header(node)).cell.kind != Kind::Tree as i32
        {
            return null_mut();
        }
        let Node { prev, next, .. } = *header(node);
        nearest_plain::<BACK>(if BACK { prev } else { next })
    }
}

/// The data of the node above, null at a root. Null has none, and what is no node, after a report.
///
/// # Safety
/// `node` is null or the data of a node of a tree that belongs to this thread. What the header shows to be wrong goes to the
/// [fault handler](crate::fault).
///
/// ```
/// use kmem::raw::tree;
/// use std::ptr::null_mut;
/// unsafe {
///     let root = tree::a(null_mut(), null_mut(), 8);
///     assert_eq!(tree::p(tree::a(null_mut(), root, 8)), root);
///     assert!(tree::p(root).is_null());
///     tree::f(root);
/// }
/// ```
#[must_use]
pub unsafe fn p(node: *mut u8) -> *mut u8 {
    // SAFETY: [caller, links] the caller vouches for a readable header, and the check for what it says.
    unsafe {
        if node.is_null()
            || !block::check_seen("kmtreep", Kind::Tree, HEADER, node)
            || (*header(node)).parent.is_null()
            || is_owner((*header(node)).parent)
        {
            null_mut()
        } else {
            data((*header(node)).parent)
        }
    }
}

/// The data of the first child, null where there is none. Hooks and holders of adopted objects are passed over. Null has none.
///
/// # Safety
/// As for [`p`].
///
/// ```
/// use kmem::raw::tree;
/// use std::ptr::null_mut;
/// unsafe {
///     let root = tree::a(null_mut(), null_mut(), 8);
///     let children = [tree::a(null_mut(), root, 8), tree::a(null_mut(), root, 8)];
///     assert_eq!([tree::c(root), tree::cn(tree::c(root))], children);
///     tree::f(root);
/// }
/// ```
#[must_use]
pub unsafe fn c(node: *mut u8) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { end_child::<false>("kmtreec", node) }
}

/// The data of the last child, null if there is none. Holders of adopted objects are passed over; pools are the last children. Null
/// has none.
///
/// # Safety
/// As for [`p`].
///
/// ```
/// use kmem::raw::tree;
/// use std::ptr::null_mut;
/// unsafe {
///     let root = tree::a(null_mut(), null_mut(), 8);
///     let children = [tree::a(null_mut(), root, 8), tree::a(null_mut(), root, 8)];
///     assert_eq!([tree::cp(tree::cl(root)), tree::cl(root)], children);
///     tree::f(root);
/// }
/// ```
#[must_use]
pub unsafe fn cl(node: *mut u8) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { end_child::<true>("kmtreecl", node) }
}

/// The data of the next child of a node's parent, null where there is none. Holders of adopted objects are passed over. Null
/// has none, nor has a node that is being freed.
///
/// See [`c`] for an example.
///
/// # Safety
/// As for [`p`].
#[must_use]
pub unsafe fn cn(node: *mut u8) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { sibling::<false>("kmtreecn", node) }
}

/// The data of the previous child of a node's parent, null if there is none. Hooks and holders of adopted objects are passed over.
/// Null has none, nor has a node that is being freed.
///
/// See [`cl`] for an example.
///
/// # Safety
/// As for [`p`].
#[must_use]
pub unsafe fn cp(node: *mut u8) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { sibling::<true>("kmtreecp", node) }
}

/// Frees everything below a node, the first child first, and what the node has adopted. The node stays, and its hooks do. Null is
/// ignored.
///
/// # Safety
/// As for [`f`](super::f) of each child.
///
/// ```
/// use kmem::raw::tree;
/// use std::ptr::null_mut;
/// unsafe {
///     let root = tree::a(null_mut(), null_mut(), 8);
///     tree::a(null_mut(), root, 8);
///     tree::x(root);
///     assert_eq!(tree::below(root), 0);
///     tree::f(root);
/// }
/// ```
pub unsafe fn x(node: *mut u8) {
    const CALL: &str = "kmtreex";
    // SAFETY: [caller, links] the caller vouches for a readable header and gives up the children. Destructors may add children, and
    // free others, but not the node.
    unsafe {
        let Ok(node) = check(CALL, node) else { return };
        loop {
            let Ok(child) = past_hooks_of(CALL, node) else { return };
            // What could not be freed has been reported, and would be found here again.
            if child.is_null() || release(data(child), CALL, Shred::No).is_null() {
                return;
            }
        }
    }
}

resizes! {
    module: "tree",
    call: "kmtree",
    thing: "a node",
    null: ("It is returned of null too.", size => { let _ = size; null_mut() }),
    moves: "Parent, siblings and children know of it then, in a time that grows with the number of children.",
    fails: "Fails with [`AllocError::Fixed`] for a pool on a node, and otherwise as [`AllocError`] says.",
    example: ("a(null_mut(), null_mut(), 8)"),
}
