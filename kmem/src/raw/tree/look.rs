//! What lies around a node: its parent, its children, its siblings.

use core::ptr::null_mut;

use super::links::{OWN, is_owner};
use crate::cell::{FLAG_HOST, Kind};
use crate::fault::{Call, call};
use crate::raw::check;
use crate::raw::layout::{NODE as HEADER, Node};

/// Returns the data of the first node that is not the library's own, among this one and the siblings behind it (before it if `BACK`), or
/// null.
///
/// # Safety
/// The node is null or a live one of this thread's.
pub(crate) unsafe fn nearest_plain<const BACK: bool>(mut node: *mut Node) -> *mut u8 {
    // SAFETY: [caller, links] the siblings of a live node are live.
    unsafe {
        while !node.is_null() && (*node).cell.flags & (OWN & !FLAG_HOST) != 0 {
            node = if BACK { (*node).prev } else { (*node).next };
        }
    }
    if node.is_null() { null_mut() } else { Node::data(node) }
}

/// The data of the first child, or of the last if `BACK`; null if there is none, and of what is no node, after a report.
///
/// # Safety
/// As for [`p`].
#[inline(always)]
pub(crate) unsafe fn end_child<const BACK: bool>(call: Call, node: *mut u8) -> *mut u8 {
    // SAFETY: [caller, links] the caller vouches for a readable header, the check for what it says, and the children of a live node
    // are live.
    unsafe {
        if node.is_null() || !check::check_seen(call, Kind::Tree, HEADER, node) {
            return null_mut();
        }
        let Node { child, lastchild, .. } = *Node::of(node);
        nearest_plain::<BACK>(if BACK { lastchild } else { child })
    }
}

/// The data of the next sibling, or of the one before if `BACK`; null if there is none, and of what is no node, after a report.
///
/// # Safety
/// As for [`p`].
#[inline(always)]
pub(crate) unsafe fn sibling<const BACK: bool>(call: Call, node: *mut u8) -> *mut u8 {
    // SAFETY: [caller, links] the caller vouches for a readable header, the check for what it says, and the siblings of a live node
    // are live.
    unsafe {
        // One that is being freed may have been taken out, and its siblings be gone.
        if node.is_null()
            || !check::check_seen(call, Kind::Tree, HEADER, node)
            || (*Node::of(node)).cell.kind != Kind::Tree as i32
        {
            return null_mut();
        }
        let Node { prev, next, .. } = *Node::of(node);
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
            || !check::check_seen(call!(c"kmtreep"), Kind::Tree, HEADER, node)
            || (*Node::of(node)).parent.is_null()
            || is_owner((*Node::of(node)).parent)
        {
            null_mut()
        } else {
            Node::data((*Node::of(node)).parent)
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
    unsafe { end_child::<false>(call!(c"kmtreec"), node) }
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
    unsafe { end_child::<true>(call!(c"kmtreecl"), node) }
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
    unsafe { sibling::<false>(call!(c"kmtreecn"), node) }
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
    unsafe { sibling::<true>(call!(c"kmtreecp"), node) }
}
