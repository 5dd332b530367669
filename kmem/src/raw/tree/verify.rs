//! Verifies that all nodes of a tree agree with each other.

use crate::cell::{FLAG_HOOK, FLAG_HOST, Kind};
use crate::raw::Damage;
use crate::raw::layout::{NODE as HEADER, Node};

/// Verifies the links of a node and of all nodes below it, and the pools among these. Changes nothing, and takes
/// constant stack. Returns the number of nodes, this one included, or the first [`Damage`] found.
///
/// # Safety
/// `data` is that of a node of a tree that belongs to this thread. Its links may be corrupt, but lead to readable memory.
pub unsafe fn verify(root: *mut u8) -> Result<usize, Damage> {
    let root = Node::of(root);
    let mut node = root;
    let mut count = 1;
    // SAFETY: [caller, links] the caller's node is readable; each link is compared with its neighbour before it is followed.
    unsafe {
        verify_node(node)?;
        loop {
            let child = (*node).child;
            if !child.is_null() {
                if (*child).parent != node || !(*child).prev.is_null() {
                    return Err(Damage {
                        at: Node::data(child),
                        what: "a first child with a wrong parent or previous sibling",
                    });
                }
                if rank(child) == 2 {
                    verify_last(child)?;
                }
                node = child;
            } else {
                if !(*node).lastchild.is_null() {
                    return Err(Damage { at: Node::data(node), what: "a last child without a first" });
                }
                while node != root && (*node).next.is_null() {
                    if rank(node) != 2 {
                        verify_last(node)?;
                    }
                    node = (*node).parent;
                }
                if node == root {
                    return Ok(count);
                }
                let next = (*node).next;
                if (*next).prev != node || (*next).parent != (*node).parent {
                    return Err(Damage { at: Node::data(next), what: "siblings whose links disagree" });
                }
                if rank(next) < rank(node) {
                    return Err(Damage {
                        at: Node::data(next),
                        what: "a hook after another child, or a pool before one",
                    });
                }
                if rank(next) == 2 && rank(node) != 2 {
                    verify_last(next)?;
                }
                node = next;
            }
            verify_node(node)?;
            count += 1;
        }
    }
}

/// Verifies that a parent has this child as its last one: the first pool, or the last child if there is none.
unsafe fn verify_last(node: *mut Node) -> Result<(), Damage> {
    // SAFETY: [caller, links] the caller's node is readable, and so is its parent.
    if unsafe { (*(*node).parent).lastchild } == node {
        return Ok(());
    }
    Err(Damage { at: Node::data(node), what: "a last sibling that is not its parent's last child" })
}

/// Returns the order of a node among its siblings: hooks first, pools last.
unsafe fn rank(node: *mut Node) -> u8 {
    // SAFETY: [caller] the caller's node is readable.
    match unsafe { (*node).cell.flags } & (FLAG_HOOK | FLAG_HOST) {
        FLAG_HOOK => 0,
        FLAG_HOST => 2,
        _ => 1,
    }
}

/// Verifies a node, except its links.
unsafe fn verify_node(node: *mut Node) -> Result<(), Damage> {
    // SAFETY: [caller] the caller's node is readable.
    let Node { cell, .. } = unsafe { &*node };
    if cell.kind != Kind::Tree as i32 && cell.kind != Kind::Tree.dying() {
        return Err(Damage { at: Node::data(node), what: "not a live node" });
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
