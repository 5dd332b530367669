//! Frees the nodes in the arena of a tree as a whole: only those with a watch are visited.

use core::ptr::null_mut;

use super::land::{self, home, host_of};
use super::links::{INTERNAL, hosts_arena_of_tree, link_first, unlink_cold};
use crate::cell::{FLAG_SLOT, Kind};
use crate::fault::{self, Call, Misuse};
use crate::raw::arena::header::{Arena, Watch};
use crate::raw::arena::watch;
use crate::raw::check::{Prefix, check_prefix};
use crate::raw::layout::Node;
use crate::raw::request::Destructor;
use crate::raw::seal::SealedDtor;
use crate::raw::shape::{CellLayout, slot};
use crate::shred;

/// Prepares the free of a dying node that owns an arena, if its nodes can be freed as a whole. Ends the nodes in the arena, up to the
/// first one that must be freed by itself, and makes this the first child. If there is none left, the node that hosts the arena
/// becomes the only child. Does nothing if the nodes below must be visited one by one.
///
/// The watch that was made last comes first, so children come before their parents.
///
/// Safety: the node is dying and belongs to this thread. Nobody uses the nodes below it.
#[inline(never)]
pub(crate) unsafe fn prepare(call: Call, owner: *mut Node) {
    // SAFETY: [caller, watches, links] the watches of a live arena are live. A watch leaves the list before its node ends.
    unsafe {
        let leads = land::owned(owner);
        if leads.is_null() {
            return;
        }
        let arena = (*leads).arena;
        if (*arena).must_walk != 0 || (*arena).busy != 0 || cfg!(feature = "totals") {
            return;
        }
        while !(*arena).watches.is_null() {
            let newest = (*arena).watches;
            watch::unlink(newest);
            let mut node: *mut Node = (*newest).watched.cast();
            if node.is_null() {
                continue;
            }
            if home(node) == arena && (*node).cell.flags & INTERNAL == 0 {
                end_in_place(call, node, newest);
                continue;
            }
            if hosts_arena_of_tree(node) {
                // The owner of that arena is freed with it.
                node = (*node).parent;
            }
            if node.is_null() || (*node).cell.kind != Kind::Tree as i32 {
                continue;
            }
            if !unlink_cold(node) {
                fault::report(call, Node::data(node), Misuse::Damaged);
                continue;
            }
            link_first(owner, node);
            return;
        }
        let host = host_of(leads);
        ((*host).prev, (*host).next) = (null_mut(), null_mut());
        ((*owner).child, (*owner).lastchild) = (host, host);
    }
}

/// Runs the destructor of a node in an arena. The node stays where it is, linked and dying, until the arena is destroyed.
/// Safety: the node is a live one in the arena, with this watch, which is on no list.
unsafe fn end_in_place(call: Call, node: *mut Node, watch: *mut Watch) {
    // SAFETY: [caller, slot, live] nobody else uses the node; its flags say if it has a destructor, which runs once.
    unsafe {
        let at = Node::at(node);
        if (*node).cell.kind != Kind::Tree as i32 || check_prefix(call, at) != Prefix::Valid {
            return;
        }
        (*node).cell.kind = Kind::Tree.dying();
        if (*node).cell.tainted() {
            let arena = (*watch).arena;
            (*watch).older = (*arena).tainted;
            (*arena).tainted = watch;
        }
        if (*node).cell.flags & FLAG_SLOT != 0 {
            let slot = slot(at);
            let Some(destructor) = SealedDtor::read(slot) else {
                return fault::report(call, Node::data(node), Misuse::Damaged);
            };
            SealedDtor::write(slot, Destructor::NONE);
            destructor.call(Node::data(node));
        }
    }
}

/// Zeroes the tainted nodes that were ended in place. Safety: the arena is live, and its nodes are not used any more.
pub(crate) unsafe fn zero_tainted(arena: *mut Arena) {
    // SAFETY: [caller, watches] the list has the watches of nodes in the arena, whose memory is still there.
    unsafe {
        let mut watch = core::mem::replace(&mut (*arena).tainted, null_mut());
        while !watch.is_null() {
            let node: *mut Node = (*watch).watched.cast();
            shred::zero(Node::data(node), CellLayout::of(Node::at(node)).end);
            watch = (*watch).older;
        }
    }
}
