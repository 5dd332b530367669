//! Frees a subtree: the walk over it, and the end of its internal nodes, which are hooks, holders and nodes that host pools.

use core::ptr::null_mut;

#[cfg(feature = "arena")]
use super::links::hosts_arena_of_tree;
use super::links::{
    INTERNAL, attach_any, hosted, hosts, in_use, is_child, is_owner, relink, unlink_checked, unlink_cold,
    unlink_first,
};
use crate::cell::{
    Cell, FLAG_BUSY, FLAG_DEEP, FLAG_HOLD, FLAG_HOOK, FLAG_HOST, FLAG_OWNER, FLAG_SLOT, Kind, Shred,
};
use crate::fault::{self, Call, Misuse};
use crate::raw::layout::{CellAt, Node, Ref};
#[cfg(feature = "pool")]
use crate::raw::pool::release::tear_down;
#[cfg(feature = "ref")]
use crate::raw::refs::owned::{end_owner, release_below};
use crate::raw::seal::SealedDtor;
use crate::raw::{Handle, check, end, object};

/// Frees a node and everything below it, on behalf of `call`. Returns the handle of its parent, or the null handle if it has none,
/// and if nothing was freed. Ignores null. Safety: as for [`f`](super::f).
pub(crate) unsafe fn release(data: *mut u8, call: Call, shred: Shred) -> Handle {
    // SAFETY: [caller] the caller's header is readable if the data is not null.
    if data.is_null() || !unsafe { check::check(call, CellAt::new(Kind::Tree, data)) } {
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
            if (*root).cell.flags & FLAG_HOST != 0 {
                return release_host(call, root, shred.is_yes());
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
            end::end_slow(call, Node::at(root), shred)
        } else {
            free_subtree(call, root, shred)
        };
        if !is_freed {
            return retry_release(call, root, shred);
        }
        handle_of_parent(parent)
    }
}

/// Returns the handle that a free of a child of this node returns. Safety: `parent` is null or a live node.
#[inline(always)]
unsafe fn handle_of_parent(parent: *mut Node) -> Handle {
    // SAFETY: [caller] the contract is the caller's.
    if parent.is_null() || unsafe { is_owner(parent) } {
        return Handle::NULL;
    }
    // The handle as `handle` makes it, without a check for null.
    Handle { kind: Kind::Tree as i32, shred: 0, data: Node::data(parent), cell: parent.cast() }
}

/// [`release`] of a node that hosts a pool.
#[cold]
#[inline(never)]
unsafe fn release_host(call: Call, root: *mut Node, shred: bool) -> Handle {
    // SAFETY: [caller, live] the caller gives a live node that may be freed.
    unsafe {
        if !unlink_cold(root) {
            fault::report(call, Node::data(root), Misuse::Damaged);
            return Handle::NULL;
        }
        let parent = (*root).parent;
        (*root).cell.kind = Kind::Tree.dying();
        if free_subtree(call, root, shred) {
            handle_of_parent(parent)
        } else {
            retry_release(call, root, shred)
        }
    }
}

/// Continues [`release`] for a node that was not freed. If it is a holder that has a child now, frees the child, then the holder.
/// Otherwise its header is corrupt, and it is linked again.
#[cold]
#[inline(never)]
unsafe fn retry_release(call: Call, root: *mut Node, shred: bool) -> Handle {
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

/// Returns true if freeing this node alone calls no user code, provided that its header is valid. Safety: the node is readable.
#[inline(always)]
unsafe fn runs_no_user_code(node: *mut Node) -> bool {
    // SAFETY: [caller] the caller's node is readable.
    unsafe { (*node).src.is_null() && (*node).cell.flags & (INTERNAL | FLAG_SLOT) == 0 }
}

/// Frees a node that is unlinked and marked as dying, and all nodes below it. Returns false, and frees nothing, if
/// its header is corrupt.
#[inline(never)]
unsafe fn free_subtree(call: Call, root: *mut Node, shred: bool) -> bool {
    // SAFETY: [caller, subtree-free] the caller gives a node that nobody uses any more. Its parent is live.
    unsafe {
        let _busy = ChildFreeGuard::new((*root).parent);
        if (*root).child.is_null() {
            return end_cold(call, root, shred);
        }
        if !check::seal_ok(call, Node::at(root)) {
            return false;
        }
        SubtreeFree { call, root, at: root, shred, kept: false }.run();
    }
    true
}

/// Frees the objects that a counted cell owned. Safety: `root` is the internal root node of the objects, to which nothing points
/// any more.
#[cfg(feature = "ref")]
pub(crate) unsafe fn free_owned(call: Call, root: *mut Node) {
    // SAFETY: [caller, subtree-free] the caller gives a live root that nobody uses any more.
    unsafe {
        (*root).cell.kind = Kind::Tree.dying();
        SubtreeFree { call, root, at: root, shred: false, kept: false }.run();
    }
}

/// The walk that frees a subtree, deepest nodes first. Dropping this continues the walk after a destructor unwound.
///
/// Every node from `root` down to `at` is marked as dying, so that a destructor that frees one of them or adds a
/// child to it is caught. Nodes that the walk has not reached are intact, and may be freed or added to.
struct SubtreeFree {
    call: Call,
    root: *mut Node,
    at: *mut Node,
    shred: bool,
    /// True if a node is kept. It may have been allocated from a pool in the subtree.
    kept: bool,
}

impl SubtreeFree {
    /// If this first child must not be freed, makes it a root that keeps all nodes below it, reports the misuse, and returns true.
    /// Once a node is kept, pools are kept too. Otherwise prepares a pool for [`unlink_first`]. Safety: the node is the first child of its parent, which is being freed.
    #[inline(never)]
    unsafe fn keep_if_in_use(&mut self, child: *mut Node) -> bool {
        // SAFETY: [caller, links] the caller's node is live, and its links are correct.
        unsafe {
            let Node { parent, next, .. } = *child;
            if (*parent).lastchild == child && !next.is_null() {
                (*parent).lastchild = next;
            }
            let misuse = in_use(child);
            if misuse.is_none() && !(self.kept && hosts(child)) {
                return false;
            }
            self.kept = true;
            if self.shred {
                Node::taint_subtree(child);
            }
            unlink_first(parent, child);
            attach_any(child, null_mut());
            if let Some(misuse) = misuse {
                fault::report(self.call, Node::data(child), misuse);
            }
        }
        true
    }

    /// Continues below a holder that was unlinked because it had no child, and has one now. Does nothing for a corrupt node without
    /// children. Safety: the walk has moved to the parent of the node, and the neighbours of the node have not changed.
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

    /// Returns the child of a node with [`FLAG_DEEP`] that is freed next: the node is tainted with all below it, or owns an arena.
    /// Safety: the node is dying and has children.
    #[cold]
    #[inline(never)]
    unsafe fn next_of_deep(&mut self, node: *mut Node) -> *mut Node {
        // SAFETY: [caller, subtree-free] the contract is the caller's.
        unsafe {
            #[cfg(feature = "arena")]
            if !self.kept {
                super::bulk::prepare(self.call, node);
            }
            let child = (*node).child;
            if (*node).cell.tainted() {
                Node::taint_subtree(child);
            }
            child
        }
    }

    unsafe fn run(&mut self) {
        // SAFETY: [subtree-free] `root` is a live root that nobody uses any more, `at` a node in it. Each turn moves
        // to a child, or moves to the parent of a node without children and frees that node. So `root` and `at` stay live.
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
                    // The link is corrupt. The nodes that are not freed yet leak, marked as dying.
                    self.at = null_mut();
                    (*self.root).parent = null_mut();
                    fault::report(self.call, Node::data(node), Misuse::Damaged);
                } else {
                    let child =
                        if (*node).cell.flags & FLAG_DEEP != 0 { self.next_of_deep(node) } else { child };
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
fn prefetch(node: *mut Node) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: [platform] a prefetch reads nothing, for any address.
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
    unsafe { end::end_fast(Node::at(node)) }
}

/// Frees any unlinked node without children. Returns false, after a report, if the header of the node is corrupt. Also returns
/// false if the node is a holder that has a child now: the child must be freed first. Nothing else has changed then.
#[inline(never)]
pub(crate) unsafe fn end_cold(call: Call, node: *mut Node, shred: bool) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if (*node).cell.flags & INTERNAL != 0 {
            return end_internal(call, node, shred);
        }
        end::end_slow(call, Node::at(node), shred)
    }
}

/// Ends an internal node: destroys its pool, runs its hook or frees its object, then frees the node. Returns false as [`end_cold`]
/// does.
unsafe fn end_internal(call: Call, node: *mut Node, shred: bool) -> bool {
    // SAFETY: [live] the caller's node is readable.
    if !unsafe { check::seal_ok(call, Node::at(node)) } {
        return false;
    }
    let ending = Internal { call, node, shred };
    // SAFETY: [hosted, hooks, holders] nobody uses the caller's live node any more; its flags say what its data is.
    let is_freed = unsafe {
        match (*node).cell.flags & INTERNAL {
            FLAG_HOST if hosts(node) => {
                let data = Node::data(node);
                if shred || (*node).cell.tainted() {
                    (*data.cast::<Cell>()).taint();
                }
                match hosted(node) {
                    #[cfg(feature = "pool")]
                    Some(Kind::Pool) => tear_down(data.cast()),
                    #[cfg(feature = "arena")]
                    Some(Kind::Arena) => {
                        if hosts_arena_of_tree(node) {
                            super::bulk::zero_tainted(data.cast());
                            if !(*node).parent.is_null() {
                                super::land::end_owner((*node).parent, data.cast());
                            }
                        }
                        crate::raw::arena::tear_down(call, data.cast());
                    }
                    _ => {}
                }
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

/// Marks a node as busy while a child of it is being freed, so that the node is not freed or resized. The node may be null.
struct ChildFreeGuard {
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
            unsafe {
                (*node).cell.flags |= FLAG_BUSY;
                count_busy(node, 1);
            }
        }
        ChildFreeGuard { node, was_busy }
    }
}

impl Drop for ChildFreeGuard {
    fn drop(&mut self) {
        if !self.was_busy {
            // SAFETY: [guard, busy] a busy node is neither freed nor moved to another address.
            unsafe {
                (*self.node).cell.flags &= !FLAG_BUSY;
                count_busy(self.node, u32::MAX);
            }
        }
    }
}

/// Adds to the number of busy nodes in the arena of a tree, if this node lies in one. Safety: the node is live.
unsafe fn count_busy(node: *mut Node, add: u32) {
    #[cfg(feature = "arena")]
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let arena = super::land::home(node);
        if !arena.is_null() {
            (*arena).busy = (*arena).busy.wrapping_add(add);
        }
    }
    let _ = (node, add);
}

/// An internal node that is being freed. Dropping this frees the node, even if its hook, its object or its pool unwinds.
pub(crate) struct Internal {
    call: Call,
    node: *mut Node,
    shred: bool,
}

impl Drop for Internal {
    fn drop(&mut self) {
        // SAFETY: [guard, hosted] the hook, object or pool of the node has ended, and the node is not used any more.
        unsafe {
            let shred = self.shred || is_hook_of_tainted(self.node);
            end::end_slow(self.call, Node::at(self.node), shred)
        };
    }
}

/// Runs a hook that is being freed, or returns false if it is corrupt. Safety: `node` is a hook below a live or dying
/// node, and itself marked as dying.
unsafe fn run_hook(call: Call, node: *mut Node) -> bool {
    // SAFETY: [caller, hooks] the data of a hook is a slot, and its parent is not freed yet.
    unsafe {
        let Some(hook) = SealedDtor::read(Node::data(node).cast()) else {
            fault::report(call, Node::data(node), Misuse::Damaged);
            return false;
        };
        hook.call(Node::data((*node).parent));
    }
    true
}

/// Returns true if a node is a hook of a tainted node. Then the value in the hook is zeroed, like the data of the tainted node.
/// Safety: the node is readable, and so is the parent of a hook.
pub(crate) unsafe fn is_hook_of_tainted(node: *mut Node) -> bool {
    // SAFETY: [caller, hooks] a hook has a parent, and stays below it.
    unsafe {
        (*node).cell.flags & FLAG_HOOK != 0 && !(*node).parent.is_null() && (*(*node).parent).cell.tainted()
    }
}

/// Returns the object of a holder. Safety: the node is a live holder.
pub(crate) unsafe fn held(node: *mut Node) -> Handle {
    // SAFETY: [caller, holders] the data of a holder is a handle.
    unsafe { Node::data(node).cast::<Handle>().read() }
}

/// Frees the object of a holder, and returns true. If the object is the last reference to a counted cell that owns objects, links
/// the root node of these below the holder and returns false: the walk frees them, then tries the holder again. Safety: the node is
/// a holder that is being freed.
unsafe fn release_held(call: Call, node: *mut Node, shred: bool) -> bool {
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
