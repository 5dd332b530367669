//! Walks over a node, all nodes below it and the objects that they adopted, in constant stack.

use core::ptr::null_mut;

use super::free::held;
use super::links::past_hooks;
use crate::cell::{FLAG_HOLD, Kind};
use crate::fault::Call;
use crate::raw::layout::Node;
use crate::raw::{Handle, check, object};

/// A step of a [`Walk`]: a node, or an object that a node adopted.
///
/// ```
/// use kmem::raw::{heap, tree};
/// use std::ptr::null_mut;
/// unsafe {
///     let root = tree::a(null_mut(), null_mut(), 8);
///     tree::k(root, heap::ao(100)).unwrap();
///     let adopted = tree::walk(root).nth(1).unwrap();
///     assert_eq!((adopted.object.kind, adopted.depth), (kmem::Kind::Heap as i32, 1));
///     tree::f(root);
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    /// The handle of the node or object. For a pool on a node, the handle of the node, whose data is the pool.
    pub object: Handle,
    /// The depth below the node where the walk began: zero for that node.
    pub depth: usize,
    /// The node, or the holder of the object.
    pub(crate) node: *mut Node,
}

/// An iterator over a node and all below it: see [`walk`].
///
/// ```
/// use kmem::raw::tree;
/// use std::ptr::null_mut;
/// unsafe {
///     let root = tree::a(null_mut(), null_mut(), 8);
///     let child = tree::a(null_mut(), root, 8);
///     let leaf = tree::a(null_mut(), child, 8);
///     let other = tree::a(null_mut(), root, 8);
///     let walked: Vec<_> = tree::walk(root).map(|visit| (visit.object.data, visit.depth)).collect();
///     assert_eq!(walked, [(root, 0), (child, 1), (leaf, 2), (other, 1)]);
///     tree::f(root);
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Walk {
    root: *mut u8,
    here: *mut Node,
    depth: usize,
    call: Call,
}

/// Visits a node and all nodes and adopted objects below it: each before those below it, and siblings in their order. Skips hooks.
/// Takes constant stack and allocates nothing. Ends after a report if `data` is not that of a node or a link is corrupt. C:
/// `kmtreen`.
///
/// # Safety
/// `data` is that of a node of a tree that belongs to this thread. Between steps, the current object and the nodes
/// above it are not freed, moved, resized or released; all others may be.
#[must_use]
pub unsafe fn walk(data: *mut u8) -> Walk {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { walk_for(CALL, data) }
}

/// [`walk`] on behalf of `call`.
pub(crate) unsafe fn walk_for(call: Call, data: *mut u8) -> Walk {
    Walk { root: data, here: null_mut(), depth: 0, call }
}

/// Visits the objects that a counted cell owns, and everything below them. `owner` is the internal root node of these objects, or
/// null if there are none.
pub(crate) unsafe fn walk_below(owner: *mut Node) -> Walk {
    let root = if owner.is_null() { null_mut() } else { Node::data(owner) };
    Walk { root, here: owner, depth: 0, call: CALL }
}

/// The call in reports of [`walk`] and [`step`].
pub(crate) const CALL: Call = Call::new(c"kmtreen");

impl Iterator for Walk {
    type Item = Visit;

    fn next(&mut self) -> Option<Visit> {
        if self.root.is_null() {
            return None;
        }
        // SAFETY: [caller] the caller of `walk` keeps the tree and the current node live.
        let object = unsafe { step_for(self.call, self.root, &mut self.here, &mut self.depth) };
        if object.is_null() {
            self.root = null_mut();
            return None;
        }
        Some(Visit { object, depth: self.depth, node: self.here })
    }
}

/// Does one step of a [`walk`] whose state the caller keeps: `here` is null before the first step. Returns the null handle at the
/// end.
///
/// # Safety
/// As for [`walk`]; `here` and `depth` are as the previous step left them.
///
/// ```
/// use kmem::raw::tree;
/// use std::ptr::null_mut;
/// unsafe {
///     let root = tree::a(null_mut(), null_mut(), 8);
///     let (mut here, mut depth) = (null_mut(), 0);
///     assert_eq!(tree::step(root, &mut here, &mut depth).data, root);
///     assert!(tree::step(root, &mut here, &mut depth).is_null());
///     tree::f(root);
/// }
/// ```
pub unsafe fn step(root: *mut u8, here: &mut *mut Node, depth: &mut usize) -> Handle {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { step_for(CALL, root, here, depth) }
}

/// Returns true if a walk may begin at a node.
#[cold]
#[inline(never)]
pub(crate) unsafe fn begins(call: Call, root: *mut Node) -> bool {
    // SAFETY: [caller] the caller's header is readable.
    unsafe { check::check_readable(call, Node::at(root)) }
}

/// [`step`] on behalf of `call`.
#[inline]
unsafe fn step_for(call: Call, root: *mut u8, here: &mut *mut Node, depth: &mut usize) -> Handle {
    let root = Node::of(root);
    // SAFETY: [caller, links, holders] the caller's header is readable and the position valid; contents are
    // checked, and links are live.
    unsafe {
        let mut node = *here;
        if node.is_null() {
            if !begins(call, root) {
                return Handle::NULL;
            }
            node = root;
        } else {
            let Ok(child) = past_hooks(call, node) else { return Handle::NULL };
            if !child.is_null() {
                node = child;
                *depth += 1;
            } else {
                while node != root && (*node).next.is_null() {
                    node = (*node).parent;
                    *depth = depth.wrapping_sub(1);
                }
                if node == root {
                    return Handle::NULL;
                }
                node = (*node).next;
            }
        }
        *here = node;
        if (*node).cell.flags & FLAG_HOLD != 0 {
            held(node)
        } else {
            object::handle_of(Kind::Tree, Node::data(node))
        }
    }
}

/// Counts the nodes and adopted objects below a node, by a [`walk`].
///
/// # Safety
/// `data` is that of a live node of a tree that belongs to this thread.
#[must_use]
pub unsafe fn below(data: *mut u8) -> usize {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { walk(data) }.skip(1).count()
}
