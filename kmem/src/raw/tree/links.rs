//! The links between nodes: checked, made and undone.

use core::ptr::null_mut;

use crate::cell::{FLAG_BUSY, FLAG_HOLD, FLAG_HOOK, FLAG_HOST, FLAG_TYPED_CHILD, Kind};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse};
use crate::raw::layout::{NODE as HEADER, Node, Pool};
#[cfg(feature = "pool")]
use crate::raw::pool::header::{is_ending, is_hosted};
use crate::raw::sanitizer::{self, Leads};
use crate::raw::seal::{self, is_no_header};
use crate::raw::{chain, check, make};

/// The flags of nodes whose data is the library's own.
pub(crate) const OWN: u8 = FLAG_HOST | FLAG_HOOK | FLAG_HOLD;

/// Tells valgrind that a node is found in another way.
///
/// # Safety
/// The node is live.
#[inline(always)]
pub(crate) unsafe fn leads(node: *mut Node, how: Leads) {
    // SAFETY: [caller] the caller's node is live.
    if let Some(cell) = unsafe { make::told(Node::data(node), HEADER, (*node).src) } {
        cell.leads(how);
    }
}

/// Makes `node`, which is linked nowhere, the last child of `parent`, but for pools, which lie behind: what was drawn from them goes
/// before they do.
pub(crate) unsafe fn link(parent: *mut Node, node: *mut Node) {
    sanitizer::changed(parent);
    // SAFETY: [caller] the caller gives two live nodes.
    unsafe { leads(node, Leads::Inside) };
    // SAFETY: [links] the caller gives two live nodes of this thread's, and the links of live nodes are live.
    unsafe {
        let last = (*parent).lastchild;
        #[cfg(feature = "pool")]
        if !last.is_null() && (*last).cell.flags & FLAG_HOST != 0 {
            return link_before_pools(parent, last, node);
        }
        (*node).prev = last;
        if last.is_null() {
            (*parent).child = node;
        } else {
            (*last).next = node;
        }
        (*parent).lastchild = node;
    }
}

/// Makes `node`, which is linked nowhere, the last child of `parent` before those that host pools, of which `before` is the last. A pool
/// goes before the others too, as what it holds may have to, but for those that were drawn from it.
#[cfg(feature = "pool")]
#[inline(never)]
pub(crate) unsafe fn link_before_pools(parent: *mut Node, mut before: *mut Node, node: *mut Node) {
    // SAFETY: [links, hosted] the caller gives live nodes of this thread's, the links of live nodes are live, and the flag says that there
    // is a pool in a node's data.
    unsafe {
        let hosts = (*node).cell.flags & FLAG_HOST != 0;
        let drawn_from_it =
            |other: *mut Node| hosts && chain::leads_to((*other).src, Node::data(node).cast());
        let mut behind: *mut Node = null_mut();
        while !before.is_null() && (*before).cell.flags & FLAG_HOST != 0 && !drawn_from_it(before) {
            behind = before;
            before = (*before).prev;
        }
        (*node).prev = before;
        (*node).next = behind;
        *(if behind.is_null() { &raw mut (*parent).lastchild } else { &raw mut (*behind).prev }) = node;
        *(if before.is_null() { &raw mut (*parent).child } else { &raw mut (*before).next }) = node;
    }
}

/// The two links by which a node hangs below its parent, from before it and from behind it: each is a neighbour's, or the
/// parent's where there is none.
///
/// # Safety
/// The node has a parent, and what its links name is there.
#[inline(always)]
pub(crate) unsafe fn held_by(node: *mut Node) -> [*mut *mut Node; 2] {
    // SAFETY: [caller, links] the caller vouches for the node and for those around it.
    unsafe {
        let Node { parent, prev, next, .. } = *node;
        let before = if prev.is_null() { &raw mut (*parent).child } else { &raw mut (*prev).next };
        let behind = if next.is_null() { &raw mut (*parent).lastchild } else { &raw mut (*next).prev };
        [before, behind]
    }
}

/// Takes a node's first child out. Its own links stay as they are: it is about to go.
#[inline]
pub(crate) unsafe fn unlink_first(parent: *mut Node, child: *mut Node) {
    sanitizer::changed(parent);
    // SAFETY: [one-thread, links] the caller gives live nodes of this thread's, and the links of live nodes are live.
    unsafe {
        let next = (*child).next;
        (*parent).child = next;
        if next.is_null() {
            (*parent).lastchild = null_mut();
        } else {
            (*next).prev = null_mut();
        }
    }
}

/// Takes a node out of its parent's children if those around it know it as theirs; otherwise nothing is changed.
///
/// # Safety
/// As for [`around`].
#[inline(always)]
pub(crate) unsafe fn unlink_checked(node: *mut Node) -> bool {
    // SAFETY: [caller, links] the contract is the caller's.
    unsafe {
        match around(node) {
            Links::Root => {}
            Links::Consistent([before, behind]) => {
                let Node { parent, prev, next, .. } = *node;
                sanitizer::changed(parent);
                *before = next;
                *behind = prev;
            }
            Links::Corrupt => return false,
        }
    }
    true
}

/// Who is around a node.
pub(crate) enum Links {
    /// Nobody: it is a root.
    Root,
    /// Parent and siblings, by these links.
    Consistent([*mut *mut Node; 2]),
    /// Those that its links name do not know it.
    Corrupt,
}

/// Whether those around a node know it as theirs.
///
/// # Safety
/// The node is live and this thread's; what its links name is there, unless it is no address that a program has.
#[inline(always)]
pub(crate) unsafe fn around(node: *mut Node) -> Links {
    // SAFETY: [caller, links] the caller vouches for the node and for those around it.
    unsafe {
        let Node { parent, prev, next, .. } = *node;
        if parent.is_null() {
            return Links::Root;
        }
        if seal::any_is_no_header([parent.addr(), prev.addr(), next.addr()]) {
            return Links::Corrupt;
        }
        let [before, behind] = held_by(node);
        let sibling = if prev.is_null() { next } else { prev };
        if *before != node || *behind != node || !sibling.is_null() && (*sibling).parent != parent {
            return Links::Corrupt;
        }
        Links::Consistent([before, behind])
    }
}

/// Puts a node back that was taken out a moment ago and did not go.
#[cold]
pub(crate) unsafe fn relink(node: *mut Node) {
    // SAFETY: [caller, links] the caller gives a live node whose neighbours have not changed.
    unsafe {
        if !(*node).parent.is_null() {
            for link in held_by(node) {
                *link = node;
            }
        }
    }
}

/// Whether the data of a node is a pool, as far as its header and that of the pool say.
///
/// # Safety
/// The node is there.
#[cfg(feature = "pool")]
pub(crate) unsafe fn hosts(node: *mut Node) -> bool {
    // SAFETY: [caller, extent] the caller's node is readable, and its data where the header says so.
    unsafe {
        (*node).cell.flags & FLAG_HOST != 0
            && (*node).cell.size >= HEADER + size_of::<Pool>()
            && is_hosted(Node::data(node).cast())
    }
}

#[cfg(not(feature = "pool"))]
pub(crate) unsafe fn hosts(_: *mut Node) -> bool {
    false
}

/// Why a node may neither be freed nor resized now, whatever its header says of it.
///
/// # Safety
/// The node is there.
pub(crate) unsafe fn in_use(node: *mut Node) -> Option<Misuse> {
    // SAFETY: [caller, hosted] the caller's node is readable, and where it hosts a pool that is its data.
    unsafe {
        #[cfg(feature = "pool")]
        if hosts(node) && is_ending(Node::data(node).cast()) {
            return Some(Misuse::BeingFreed);
        }
        ((*node).cell.flags & FLAG_BUSY != 0).then_some(Misuse::FreeingBelow)
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
pub(crate) unsafe fn check_end(call: Call, node: *mut Node, first: bool) -> Result<(), AllocError> {
    // SAFETY: [caller, links] the contract is the caller's.
    unsafe {
        let end = if first { (*node).child } else { (*node).lastchild };
        if end.is_null() || is_child(end, node) && (if first { (*end).prev } else { (*end).next }).is_null() {
            return Ok(());
        }
        fault::report(call, Node::data(node), Misuse::Damaged);
    }
    Err(AllocError::Misused)
}

/// Whether a node is this one or lies below it.
///
/// # Safety
/// Both are live and this thread's.
pub(crate) unsafe fn is_within(mut node: *mut Node, above: *mut Node) -> bool {
    // SAFETY: [caller, links] what lies above a live node is live.
    unsafe {
        while node != above && !node.is_null() {
            node = (*node).parent;
        }
    }
    !node.is_null()
}

/// Returns true if the children of a node are what a counted cell owns: nobody sees such a node.
///
/// # Safety
/// The node is there.
#[inline(always)]
pub(crate) unsafe fn is_owner(node: *mut Node) -> bool {
    // A hook has no children.
    // SAFETY: [caller] the contract is the caller's.
    unsafe { (*node).cell.flags & FLAG_HOOK != 0 }
}

/// Puts a node that has been taken out below `parent`, or makes it a root where that is null.
///
/// # Safety
/// Both are live and this thread's, and `parent` does not lie below the node.
pub(crate) unsafe fn attach(node: *mut Node, parent: *mut Node) {
    // SAFETY: [caller, links] the contract is the caller's.
    unsafe {
        (*node).parent = parent;
        (*node).prev = null_mut();
        (*node).next = null_mut();
        // Whether the types agree there is for the safe API to say.
        (*node).cell.flags &= !FLAG_TYPED_CHILD;
        #[cfg(feature = "pool")]
        if hosts(node) {
            reparent_pool(Node::data(node).cast(), parent);
        }
        if parent.is_null() {
            leads(node, Leads::On);
        } else {
            link(parent, node);
        }
    }
}

/// The first child of a node that is no hook, or null. Fails, after a report, where a link on the way there does not lead to a child.
///
/// # Safety
/// As for [`is_child`].
#[inline]
pub(crate) unsafe fn past_hooks(call: Call, node: *mut Node) -> Result<*mut Node, AllocError> {
    // SAFETY: [caller, links] the contract is the caller's.
    unsafe {
        let mut child = (*node).child;
        while !child.is_null() {
            if !is_child(child, node) {
                fault::report(call, Node::data(node), Misuse::Damaged);
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

/// The node above the one that hosts a pool is another now, or none. What was zeroed before is zeroed still.
///
/// # Safety
/// `pool` is a live hosted pool of this thread's, whose source is alive.
#[cfg(feature = "tree")]
pub(crate) unsafe fn reparent_pool(pool: *mut Pool, parent: *mut Node) {
    // SAFETY: [caller, hosted] the contract is the caller's.
    unsafe {
        if chain::shreds(pool.cast()) {
            (*pool).cell.taint();
        }
        (*pool).src = parent.cast();
    }
}

/// Makes a node, which is linked nowhere, the first child of another.
pub(crate) unsafe fn link_first(parent: *mut Node, node: *mut Node) {
    sanitizer::changed(parent);
    // SAFETY: [caller] the caller gives two live nodes.
    unsafe { leads(node, Leads::Inside) };
    // SAFETY: [links] the caller gives two live nodes of this thread's, and the links of live nodes are live.
    unsafe {
        let first = (*parent).child;
        (*node).parent = parent;
        (*node).next = first;
        if first.is_null() {
            (*parent).lastchild = node;
        } else {
            (*first).prev = node;
        }
        (*parent).child = node;
    }
}

/// Whether this is the data of a live node; what is wrong with it is reported.
///
/// # Safety
/// The header before the data is readable.
pub(crate) unsafe fn check(call: Call, data: *mut u8) -> Result<*mut Node, AllocError> {
    if data.is_null() {
        return Err(AllocError::Source(None));
    }
    // SAFETY: [caller] the contract is the caller's.
    if unsafe { check::check(call, Kind::Tree, HEADER, data) } {
        Ok(Node::of(data))
    } else {
        Err(AllocError::Misused)
    }
}

/// [`check`] of a node that is none of the library's own.
///
/// # Safety
/// As for [`check`].
pub(crate) unsafe fn check_movable(call: Call, data: *mut u8, own: u8) -> Result<*mut Node, AllocError> {
    // SAFETY: [caller, live] the contract is the caller's.
    unsafe {
        let node = check(call, data)?;
        if (*node).cell.flags & own != 0 { Err(AllocError::Fixed(Kind::Tree)) } else { Ok(node) }
    }
}
