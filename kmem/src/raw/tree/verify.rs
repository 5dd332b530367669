//! Whether all that the nodes of a tree say of one another is so.

use crate::cell::{FLAG_HOOK, FLAG_HOST, Kind};
use crate::raw::Damage;
use crate::raw::layout::{NODE as HEADER, Node};

/// Walks a node and everything below it, verifies that the links of each agree with those of its neighbours, and
/// returns the number of nodes, with the one that it was given. Pools that hang below are [verified](crate::raw::pool::verify)
/// too.
///
/// Fails with the first thing found that is not so. Nothing is changed. Takes constant stack.
///
/// # Safety
/// `data` is that of a node of a tree that belongs to this thread, and whatever its links lead to is readable: they
/// may be wrong.
///
/// ```
/// use kmem::raw::{tree, Node};
/// use std::ptr::null_mut;
/// unsafe {
///     let root = tree::a(null_mut(), null_mut(), 8);
///     let child = tree::a(null_mut(), root, 8);
///     assert_eq!(tree::verify(root), Ok(2));
///     let node = child.sub(64).cast::<Node>();
///     (*node).prev = node;
///     assert_eq!(tree::verify(root).unwrap_err().at, child.cast_const());
/// #   (*node).prev = null_mut();
///     tree::f(root);
/// }
/// ```
pub unsafe fn verify(root: *mut u8) -> Result<usize, Damage> {
    let root = Node::of(root);
    let mut node = root;
    let mut count = 1;
    // SAFETY: [caller, links] the caller's node is there, and each link is found to agree with its neighbour before it is followed, so
    // that the walk goes through every node once.
    unsafe {
        alone(node)?;
        loop {
            let child = (*node).child;
            if !child.is_null() {
                if (*child).parent != node || !(*child).prev.is_null() {
                    return Err(Damage {
                        at: Node::data(child),
                        what: "a first child that does not know itself as one",
                    });
                }
                node = child;
            } else {
                if !(*node).lastchild.is_null() {
                    return Err(Damage { at: Node::data(node), what: "a last child without a first" });
                }
                while node != root && (*node).next.is_null() {
                    let parent = (*node).parent;
                    if (*parent).lastchild != node {
                        return Err(Damage {
                            at: Node::data(node),
                            what: "a last child that its parent does not know",
                        });
                    }
                    node = parent;
                }
                if node == root {
                    return Ok(count);
                }
                let next = (*node).next;
                if (*next).prev != node || (*next).parent != (*node).parent {
                    return Err(Damage { at: Node::data(next), what: "siblings that do not agree" });
                }
                if rank(next) < rank(node) {
                    return Err(Damage {
                        at: Node::data(next),
                        what: "a hook behind what is none, or a pool before",
                    });
                }
                node = next;
            }
            alone(node)?;
            count += 1;
        }
    }
}

/// Where a node lies among its siblings: hooks before all others, pools behind them.
pub(crate) unsafe fn rank(node: *mut Node) -> u8 {
    // SAFETY: [caller] the caller gives a node that is there.
    match unsafe { (*node).cell.flags } & (FLAG_HOOK | FLAG_HOST) {
        FLAG_HOOK => 0,
        FLAG_HOST => 2,
        _ => 1,
    }
}

/// What a node says of itself.
pub(crate) unsafe fn alone(node: *mut Node) -> Result<(), Damage> {
    // SAFETY: [caller] the caller gives a node that is there.
    let Node { cell, .. } = unsafe { &*node };
    if cell.kind != Kind::Tree as i32 && cell.kind != Kind::Tree.dying() {
        return Err(Damage { at: Node::data(node), what: "no live node" });
    }
    if cell.size < HEADER {
        return Err(Damage { at: Node::data(node), what: "a node smaller than its header" });
    }
    #[cfg(feature = "pool")]
    if cell.flags & FLAG_HOST != 0 && cell.kind == Kind::Tree as i32 {
        // SAFETY: [hosted] the flag says that there is a pool in the node's data.
        unsafe { crate::raw::pool::verify(Node::data(node).cast()) }?;
    }
    Ok(())
}
