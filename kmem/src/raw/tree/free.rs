//! Frees a subtree: the walk over it, and what each internal node stands for.

use core::ptr::null_mut;

use super::links::{
    INTERNAL, attach, hosts, in_use, is_child, is_owner, relink, unlink_checked, unlink_first,
};
use crate::cell::{
    FLAG_BUSY, FLAG_DEEP, FLAG_HOLD, FLAG_HOOK, FLAG_HOST, FLAG_OWNER, FLAG_SLOT, Kind, Shred,
};
use crate::fault::{self, Call, Misuse};
use crate::raw::layout::{NODE as HEADER, Node, Pool, Ref};
#[cfg(feature = "pool")]
use crate::raw::pool::release::tear_down;
#[cfg(feature = "ref")]
use crate::raw::refs::owned::{end_owner, release_below};
use crate::raw::seal::SealedDtor;
use crate::raw::{Handle, check, end, object};

pub(crate) unsafe fn release(data: *mut u8, call: Call, shred: Shred) -> Handle {
    // SAFETY: [caller] the caller vouches for a readable header if the data is not null.
    if data.is_null() || !unsafe { check::check(call, Kind::Tree, HEADER, data) } {
        return Handle::NULL;
    }
    let root = Node::of(data);
    // SAFETY: [live] as above, and the links of a live node are readable.
    unsafe {
        let Node { parent, child, .. } = *root;
        if (*root).cell.flags & (FLAG_HOST | FLAG_BUSY) != 0 {
            if let Some(misuse) = in_use(root) {
                fault::report(call, data, misuse);
                return Handle::NULL;
            }
        }
        if !unlink_checked(root) {
            fault::report(call, data, Misuse::Damaged);
            return Handle::NULL;
        }
        (*root).cell.kind = Kind::Tree.dying();
        let shred = shred.is_yes();
        let is_freed = if child.is_null() && !shred && end_fast(root) {
            true
        } else if child.is_null() && runs_no_user_code(root) {
            end::end_slow(call, Kind::Tree, HEADER, data, (*root).src, shred)
        } else {
            free_subtree(call, root, shred)
        };
        if !is_freed {
            return refuse(call, root, shred);
        }
        if parent.is_null() || is_owner(parent) {
            return Handle::NULL;
        }
        // The handle as `handle` makes it, without a check for null.
        Handle { kind: Kind::Tree as i32, shred: 0, data: Node::data(parent), cell: parent.cast() }
    }
}

/// What [`release`] returns for a node that was not freed: either its header is corrupt, and it stays; or it is a
/// holder that has a child now, which is freed first.
#[cold]
#[inline(never)]
pub(crate) unsafe fn refuse(call: Call, root: *mut Node, shred: bool) -> Handle {
    // SAFETY: [caller, subtree-free] the caller gives a node that is marked as dying and unlinked.
    unsafe {
        let parent = (*root).parent;
        if (*root).cell.flags & FLAG_HOLD != 0 && !(*root).child.is_null() && free_subtree(call, root, shred)
        {
            return object::handle_of(Kind::Tree, Node::data(parent));
        }
        (*root).cell.kind = Kind::Tree as i32;
        relink(root);
    }
    Handle::NULL
}

/// Returns true if freeing a node calls no user code, provided that its header is valid. Safety: the node is there.
#[inline(always)]
pub(crate) unsafe fn runs_no_user_code(node: *mut Node) -> bool {
    // SAFETY: [caller] the caller's node is readable.
    unsafe { (*node).src.is_null() && (*node).cell.flags & (INTERNAL | FLAG_SLOT) == 0 }
}

/// Frees a node that is unlinked and marked as dying, and all nodes below it. Returns false, and frees nothing, if
/// its header is corrupt.
#[inline(never)]
pub(crate) unsafe fn free_subtree(call: Call, root: *mut Node, shred: bool) -> bool {
    // SAFETY: [caller, subtree-free] the caller gives a node that nobody uses any more. Its parent is live.
    unsafe {
        let _busy = ChildFreeGuard::new((*root).parent);
        if (*root).child.is_null() {
            return end_cold(call, root, shred);
        }
        if !check::seal_ok(call, Kind::Tree, HEADER, Node::data(root), (*root).src) {
            return false;
        }
        SubtreeFree { call, root, at: root, shred, kept: false }.run();
    }
    true
}

/// Frees what a counted cell owned. Safety: `root` is the node that the objects hang below, to which nothing links any more.
#[cfg(feature = "ref")]
pub(crate) unsafe fn free_owned(call: Call, root: *mut Node) {
    // SAFETY: [caller, subtree-free] the caller gives a live root that nobody uses any more.
    unsafe {
        (*root).cell.kind = Kind::Tree.dying();
        SubtreeFree { call, root, at: root, shred: false, kept: false }.run();
    }
}

/// The walk that frees a subtree, deepest nodes first. Dropping it continues after a destructor unwound.
///
/// Every node from `root` down to `at` is marked as dying, so that a destructor that frees one of them or adds a
/// child to it is caught. Nodes that the walk has not reached are intact, and may be freed or added to.
pub(crate) struct SubtreeFree {
    call: Call,
    root: *mut Node,
    at: *mut Node,
    shred: bool,
    /// True if a node stays that may have been allocated from a pool in the subtree.
    kept: bool,
}

impl SubtreeFree {
    /// If a first child must not be freed, makes it a root with all nodes below it, reports that, and returns true.
    /// Once a node stays, pools do too. Safety: it is the first child of its parent, which is being freed.
    #[inline(never)]
    unsafe fn keep_if_in_use(&mut self, child: *mut Node) -> bool {
        // SAFETY: [caller, links] the caller's node is there, and its links are correct.
        unsafe {
            let misuse = in_use(child);
            if misuse.is_none() && !(self.kept && hosts(child)) {
                return false;
            }
            self.kept = true;
            if self.shred {
                Node::taint_subtree(child);
            }
            unlink_first((*child).parent, child);
            attach(child, null_mut());
            if let Some(misuse) = misuse {
                fault::report(self.call, Node::data(child), misuse);
            }
        }
        true
    }

    /// Continues below a holder that was unlinked as a leaf and has a child now. Leaves a corrupt leaf alone. Safety:
    /// the walk has stepped to its parent, and its neighbours have not changed.
    #[cold]
    #[inline(never)]
    unsafe fn descend(&mut self, node: *mut Node) {
        // SAFETY: [caller, subtree-free] the contract is the caller's.
        unsafe {
            if (*node).child.is_null() {
                return;
            }
            if node != self.root {
                relink(node);
            }
        }
        self.at = node;
    }

    unsafe fn run(&mut self) {
        // SAFETY: [subtree-free] `root` is a live root that nobody uses any more, `at` a node in it. Each turn moves
        // to a child, or frees a leaf after stepping to its parent, so both stay live while the walk needs them.
        unsafe {
            while !self.at.is_null() {
                let node = self.at;
                let child = (*node).child;
                if child.is_null() {
                    self.at = if node == self.root { null_mut() } else { (*node).parent };
                    if !self.at.is_null() {
                        unlink_first(self.at, node);
                    }
                    let plain = !self.shred && end_fast(node);
                    if !plain && !end_cold(self.call, node, self.shred) {
                        self.descend(node);
                    }
                } else if !is_child(child, node) {
                    // The link is corrupt. The nodes not freed yet stay, unreachable and marked as dying.
                    self.at = null_mut();
                    (*self.root).parent = null_mut();
                    fault::report(self.call, Node::data(node), Misuse::Damaged);
                } else {
                    if (*node).cell.flags & FLAG_DEEP != 0 {
                        Node::taint_subtree(child);
                    }
                    if (*child).cell.flags & (FLAG_HOST | FLAG_BUSY) == 0 || !self.keep_if_in_use(child) {
                        prefetch((*child).next);
                        (*child).cell.kind = Kind::Tree.dying();
                        self.at = child;
                    }
                }
            }
        }
    }
}

/// Prefetches the header of a node.
#[inline]
pub(crate) fn prefetch(node: *mut Node) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: [platform] a prefetch reads nothing, whatever the address.
    unsafe {
        core::arch::x86_64::_mm_prefetch(node.cast::<i8>(), core::arch::x86_64::_MM_HINT_T0);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = node;
}

impl Drop for SubtreeFree {
    fn drop(&mut self) {
        // SAFETY: [guard, subtree-free] the walk stopped between two nodes, see `run`.
        unsafe { self.run() }
    }
}

/// Frees an unlinked node without children if it is plain; otherwise returns false.
#[inline(always)]
pub(crate) unsafe fn end_fast(node: *mut Node) -> bool {
    // SAFETY: [caller] the contract is the caller's. A plain node is neither internal nor busy.
    unsafe { end::end_fast(Kind::Tree, HEADER, Node::data(node), (*node).src) }
}

/// [`end_fast`] of a node that may not be plain. Returns false, and changes nothing, if its header is corrupt, after
/// a report, or if it is a holder that has a child now, which must be freed first.
#[inline(never)]
pub(crate) unsafe fn end_cold(call: Call, node: *mut Node, shred: bool) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if (*node).cell.flags & INTERNAL != 0 {
            return end_internal(call, node, shred);
        }
        end::end_slow(call, Kind::Tree, HEADER, Node::data(node), (*node).src, shred)
    }
}

/// Frees an internal node, after what it stands for.
pub(crate) unsafe fn end_internal(call: Call, node: *mut Node, shred: bool) -> bool {
    // SAFETY: [live] the caller's node is readable.
    if !unsafe { check::seal_ok(call, Kind::Tree, HEADER, Node::data(node), (*node).src) } {
        return false;
    }
    let ending = Internal { call, node, shred };
    // SAFETY: [hosted, hooks, holders] nobody uses the caller's live node any more; its flags say what its data is.
    let is_freed = unsafe {
        match (*node).cell.flags & INTERNAL {
            #[cfg(feature = "pool")]
            FLAG_HOST if hosts(node) => {
                let pool: *mut Pool = Node::data(node).cast();
                if shred || (*node).cell.tainted() {
                    (*pool).cell.taint();
                }
                tear_down(pool);
                true
            }
            FLAG_HOOK => run_hook(call, node),
            FLAG_HOLD => release_held(call, node, shred || (*node).cell.tainted()),
            FLAG_OWNER => true,
            _ => {
                fault::report(call, Node::data(node), Misuse::Damaged);
                false
            }
        }
    };
    if !is_freed {
        core::mem::forget(ending);
    }
    is_freed
}

/// Marks a node a child of which is being freed, so that the node is not freed or moved. The node may be null.
pub(crate) struct ChildFreeGuard {
    node: *mut Node,
    was_busy: bool,
}

impl ChildFreeGuard {
    /// Safety: the node is null or a live one of this thread.
    unsafe fn new(node: *mut Node) -> ChildFreeGuard {
        // SAFETY: [caller] the caller's node is live.
        let was_busy = node.is_null() || unsafe { (*node).cell.flags } & FLAG_BUSY != 0;
        if !was_busy {
            // SAFETY: [caller] as above.
            unsafe { (*node).cell.flags |= FLAG_BUSY };
        }
        ChildFreeGuard { node, was_busy }
    }
}

impl Drop for ChildFreeGuard {
    fn drop(&mut self) {
        if !self.was_busy {
            // SAFETY: [guard, busy] a busy node is neither freed nor moved to another address.
            unsafe { (*self.node).cell.flags &= !FLAG_BUSY };
        }
    }
}

/// An internal node. Dropping it frees the node, also if what it stood for unwinds.
pub(crate) struct Internal {
    call: Call,
    node: *mut Node,
    shred: bool,
}

impl Drop for Internal {
    fn drop(&mut self) {
        // SAFETY: [guard, hosted] what the node stood for is freed, and the node is not used any more.
        unsafe {
            let shred = self.shred || is_hook_of_tainted(self.node);
            end::end_slow(self.call, Kind::Tree, HEADER, Node::data(self.node), (*self.node).src, shred)
        };
    }
}

/// Runs a hook that is being freed, or returns false if it is corrupt. Safety: `node` is a hook below a live or dying
/// node, and itself marked as dying.
pub(crate) unsafe fn run_hook(call: Call, node: *mut Node) -> bool {
    // SAFETY: [caller, hooks] the data of a hook is a slot, and its parent is still there.
    unsafe {
        let Some(hook) = SealedDtor::read(Node::data(node).cast()) else {
            fault::report(call, Node::data(node), Misuse::Damaged);
            return false;
        };
        hook.call(Node::data((*node).parent));
    }
    true
}

/// Returns true if a node is a hook of a tainted node: then what it carries is zeroed, as the data of the node is.
/// Safety: the node is there, and so is the parent of a hook.
pub(crate) unsafe fn is_hook_of_tainted(node: *mut Node) -> bool {
    // SAFETY: [caller, hooks] a hook has a parent, and stays below it.
    unsafe {
        (*node).cell.flags & FLAG_HOOK != 0 && !(*node).parent.is_null() && (*(*node).parent).cell.tainted()
    }
}

/// The object of a holder. Safety: the node is a live holder.
pub(crate) unsafe fn held(node: *mut Node) -> Handle {
    // SAFETY: [caller, holders] the data of a holder is a handle.
    unsafe { Node::data(node).cast::<Handle>().read() }
}

/// Frees the object of a holder, and returns true. If that is the last reference to a counted cell that owns objects,
/// hangs these below the holder and returns false: the walk frees them, then the holder again. Safety: the node is a
/// holder that is being freed.
pub(crate) unsafe fn release_held(call: Call, node: *mut Node, shred: bool) -> bool {
    // SAFETY: [caller, holders] the data of a holder is a handle, which owns its object.
    unsafe {
        let object = held(node);
        let shred = Shred::from(shred || object.shred != 0);
        #[cfg(feature = "ref")]
        if object.kind == Kind::Ref as i32 && object::agrees(object, Ref::of(object.data).cast()) {
            if (*node).cell.flags & FLAG_BUSY != 0 {
                end_owner(call, object.data);
            } else if let Some(root) = release_below(object.data, call, shred) {
                (*node).cell.flags |= FLAG_BUSY;
                (*root.as_ptr()).parent = node;
                ((*node).child, (*node).lastchild) = (root.as_ptr(), root.as_ptr());
                return false;
            }
            return true;
        }
        object::release_leaf(object, call, shred);
    }
    true
}
