//! The links between nodes: checks and changes.

use core::ptr::null_mut;

use crate::cell::{Cell, FLAG_BUSY, FLAG_HOLD, FLAG_HOOK, FLAG_HOST, FLAG_TYPED_CHILD, Kind};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse};
#[cfg(feature = "arena")]
use crate::raw::arena::header::{ARENA_OF_TREE, ARENA_SLOW_FREE, Arena};
#[cfg(feature = "arena")]
use crate::raw::arena::scope as arena;
use crate::raw::layout::{CellAt, NODE, Node};
#[cfg(feature = "pool")]
use crate::raw::layout::{POOL_HAS_CHAIN, POOL_HAS_SOURCE, Pool};
#[cfg(feature = "pool")]
use crate::raw::pool::header as pool;
use crate::raw::sanitizer::{self, HeaderLinks};
use crate::raw::seal::{self, is_no_header};
use crate::raw::{chain, check, make};

/// The flags of internal nodes: hooks, holders, and nodes that host a pool.
pub(crate) const INTERNAL: u8 = FLAG_HOST | FLAG_HOOK | FLAG_HOLD;

/// Announces the pointers between a node and other nodes to valgrind. Safety: the node is live.
#[inline(always)]
unsafe fn announce_links(node: *mut Node, links: HeaderLinks) {
    // SAFETY: [caller] the caller's node is live.
    if let Some(cell) = unsafe { make::heap_cell(Node::at(node)) } {
        cell.set_links(links);
    }
}

/// Appends the detached `node` to `parent`'s children, before any pools: pools are freed last. Safety: both are live nodes of this
/// thread.
#[inline(always)]
pub(crate) unsafe fn link(parent: *mut Node, node: *mut Node) {
    sanitizer::changed(parent);
    // SAFETY: [caller] the caller gives two live nodes.
    unsafe { announce_links(node, HeaderLinks::In) };
    // SAFETY: [links] the caller gives two live nodes of this thread, and the links of live nodes are live.
    unsafe {
        let last = (*parent).lastchild;
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

/// Links the detached `node` before the pools among `parent`'s children; `first` is the first of these. If `node` hosts a pool too,
/// its cells may have to be freed before the cells of the others, from which its pool may have been allocated.
#[inline(never)]
unsafe fn link_before_pools(parent: *mut Node, first: *mut Node, node: *mut Node) {
    // SAFETY: [links] the caller gives two live nodes and the first pool below one of them.
    unsafe {
        if (*node).cell.flags & FLAG_HOST != 0 {
            (*parent).lastchild = node;
        }
        link_between(parent, (*first).prev, node, first);
    }
}

/// Links the detached `node` between two neighbouring children of `parent`, each of which may be null. Safety: all are live nodes.
pub(super) unsafe fn link_between(parent: *mut Node, before: *mut Node, node: *mut Node, behind: *mut Node) {
    // SAFETY: [caller, links] the caller's nodes are live.
    unsafe {
        ((*node).prev, (*node).next) = (before, behind);
        *(if before.is_null() { &raw mut (*parent).child } else { &raw mut (*before).next }) = node;
        if !behind.is_null() {
            (*behind).prev = node;
        }
    }
}

/// [`attach`] of any node, out of line. A node that hosts a pool comes behind the pools that were allocated from it: those are freed
/// before it.
#[inline(never)]
pub(crate) unsafe fn attach_any(node: *mut Node, parent: *mut Node) {
    // SAFETY: [caller, links, hosted, outlives] the caller's nodes are live, and so are their sources.
    unsafe {
        attach(node, parent);
        if hosts(node) {
            if chain::shreds(Node::data(node).cast()) {
                (*Node::data(node).cast::<Cell>()).taint();
            }
            set_hosted_source(node, parent);
            if !parent.is_null() {
                move_behind_its_pools(parent, node);
            }
        }
    }
}

/// Moves a pool that is the first of those on `parent` behind the pools that were allocated from it. Safety: `node` hosts the pool.
unsafe fn move_behind_its_pools(parent: *mut Node, node: *mut Node) {
    // SAFETY: [caller, links, outlives] the caller's nodes are live, and so are their sources.
    unsafe {
        let (mut last, mut other) = (node, (*node).next);
        while !other.is_null() {
            if chain::comes_from((*other).src, Node::data(node).cast()) {
                last = other;
            }
            other = (*other).next;
        }
        if last != node {
            unlink_host(node);
            link_between(parent, last, node, (*last).next);
        }
    }
}

/// Returns the two links to a node that hosts no pool: one from the previous sibling and one from the next. If there is no sibling
/// on a side, the link is that of the parent. Safety: the node has a parent, and its links lead to readable nodes.
#[inline(always)]
pub(crate) unsafe fn links_to(node: *mut Node) -> [*mut *mut Node; 2] {
    // SAFETY: [caller, links] the caller's node is readable, and so are the nodes around it.
    unsafe {
        let Node { parent, prev, next, .. } = *node;
        let before = if prev.is_null() { &raw mut (*parent).child } else { &raw mut (*prev).next };
        let behind = if next.is_null() { &raw mut (*parent).lastchild } else { &raw mut (*next).prev };
        [before, behind]
    }
}

/// Returns the last child of a node, or null. Takes time in proportion to the number of pools on the node. Safety: as for
/// [`is_child`].
pub(crate) unsafe fn last_child(node: *mut Node) -> *mut Node {
    // SAFETY: [caller, links] the contract is the caller's. A link that cannot be followed ends the search.
    unsafe {
        let mut last = (*node).lastchild;
        while !last.is_null()
            && is_child(last, node)
            && (*last).cell.flags & FLAG_HOST != 0
            && !(*last).next.is_null()
        {
            last = (*last).next;
        }
        last
    }
}

/// Unlinks the first child of a node, which is not the first of several pools. The child keeps its own links: it is about to be
/// freed.
#[inline]
pub(crate) unsafe fn unlink_first(parent: *mut Node, child: *mut Node) {
    sanitizer::changed(parent);
    // SAFETY: [one-thread, links] the caller gives live nodes of this thread, and the links of live nodes are live.
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

/// Unlinks a node that hosts no pool if its neighbours link to it. Otherwise returns false and changes nothing. Safety: as for
/// [`check_links`].
#[inline(always)]
pub(crate) unsafe fn unlink_checked(node: *mut Node) -> bool {
    // SAFETY: [caller, links] the contract is the caller's.
    unsafe {
        match check_links(node) {
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

/// [`unlink_checked`] of any node, out of line.
#[inline(never)]
pub(crate) unsafe fn unlink_cold(node: *mut Node) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { if (*node).cell.flags & FLAG_HOST != 0 { unlink_host(node) } else { unlink_checked(node) } }
}

/// [`unlink_checked`] of a node that hosts a pool.
unsafe fn unlink_host(node: *mut Node) -> bool {
    // SAFETY: [caller, links] the contract is the caller's.
    unsafe {
        let Node { parent, prev, next, .. } = *node;
        if parent.is_null() {
            return true;
        }
        if !host_is_linked(node) {
            return false;
        }
        sanitizer::changed(parent);
        *(if prev.is_null() { &raw mut (*parent).child } else { &raw mut (*prev).next }) = next;
        if !next.is_null() {
            (*next).prev = prev;
        }
        if (*parent).lastchild == node {
            (*parent).lastchild = if next.is_null() { prev } else { next };
        }
    }
    true
}

/// Returns true if the neighbours of a node that hosts a pool, and has a parent, link to it. Safety: as for [`check_links`].
unsafe fn host_is_linked(node: *mut Node) -> bool {
    // SAFETY: [caller, links] the caller's node is readable, and so are the nodes around it.
    unsafe {
        let Node { parent, prev, next, .. } = *node;
        let wrong = |sibling: *mut Node| !sibling.is_null() && !is_child(sibling, parent);
        !is_no_header(parent.addr())
            && !wrong(prev)
            && !wrong(next)
            && (if prev.is_null() { (*parent).child } else { (*prev).next }) == node
            && (next.is_null() || (*next).prev == node)
    }
}

/// Returns true if the nodes around any node link to it, or if it has no parent. Safety: as for [`check_links`].
pub(crate) unsafe fn is_linked(node: *mut Node) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if (*node).cell.flags & FLAG_HOST != 0 {
            (*node).parent.is_null() || host_is_linked(node)
        } else {
            !matches!(check_links(node), Links::Corrupt)
        }
    }
}

/// The result of a check of the links around a node.
pub(crate) enum Links {
    /// The node has no parent.
    Root,
    /// The parent and siblings link to the node. These are the two links to it.
    Consistent([*mut *mut Node; 2]),
    /// A node to which this one links does not link back.
    Corrupt,
}

/// Checks the links around a node that hosts no pool. Safety: the node is live and belongs to this thread. Its links lead to readable
/// nodes, or are values that cannot be the address of a header.
#[inline(always)]
pub(crate) unsafe fn check_links(node: *mut Node) -> Links {
    // SAFETY: [caller, links] the caller's node is readable, and so are the nodes around it.
    unsafe {
        let Node { parent, prev, next, .. } = *node;
        if parent.is_null() {
            return Links::Root;
        }
        let links @ [above, before, behind] = [parent.addr(), prev.addr(), next.addr()];
        let sibling = if prev.is_null() { next } else { prev };
        // A parent alone is checked by the first condition.
        if seal::any_is_no_header(links)
            || !sibling.is_null()
                && (seal::any_is_small(above, before, behind) || (*sibling).parent != parent)
        {
            return Links::Corrupt;
        }
        let [before, behind] = links_to(node);
        if *before != node || *behind != node {
            return Links::Corrupt;
        }
        Links::Consistent([before, behind])
    }
}

/// Re-links a node whose free was refused. Safety: the node is live, and its neighbours have not changed.
#[cold]
pub(crate) unsafe fn relink(node: *mut Node) {
    // SAFETY: [caller, links] the caller gives a live node whose neighbours have not changed.
    unsafe {
        let Node { parent, prev, next, .. } = *node;
        if parent.is_null() {
            return;
        }
        let is_host = |node: *mut Node| !node.is_null() && (*node).cell.flags & FLAG_HOST != 0;
        let [before, behind] = links_to(node);
        *before = node;
        if !is_host(node) || !next.is_null() {
            *behind = node;
        }
        if is_host(node) && !is_host(prev) {
            (*parent).lastchild = node;
        }
    }
}

/// Returns the kind of the source that is the data of a node, or `None` if it is none, as far as both headers show.
/// Safety: the node is live or dying.
#[inline]
pub(crate) unsafe fn hosted(node: *mut Node) -> Option<Kind> {
    // SAFETY: [caller] the caller's node is readable.
    if unsafe { (*node).cell.flags } & FLAG_HOST == 0 { None } else { unsafe { hosted_kind(node) } }
}

/// [`hosted`] of a node with [`FLAG_HOST`].
unsafe fn hosted_kind(node: *mut Node) -> Option<Kind> {
    let source = Node::data(node);
    // SAFETY: [caller, extent] the caller's node is readable, and so is data of this size.
    unsafe {
        let size = (*node).cell.size.wrapping_sub(NODE);
        #[cfg(feature = "pool")]
        if size >= size_of::<Pool>() && pool::is_hosted(source.cast()) {
            return Some(Kind::Pool);
        }
        #[cfg(feature = "arena")]
        if size >= size_of::<Arena>() && arena::is_hosted(source.cast()) {
            return Some(Kind::Arena);
        }
        let _ = (size, source);
    }
    None
}

/// Returns true if the data of a node is a pool or an arena, as far as both headers show. Safety: the node is live or dying.
pub(crate) unsafe fn hosts(node: *mut Node) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { hosted(node) }.is_some()
}

/// Returns true if a node hosts the arena of a tree. Safety: the node is live or dying.
pub(crate) unsafe fn hosts_arena_of_tree(node: *mut Node) -> bool {
    #[cfg(feature = "arena")]
    // SAFETY: [caller, hosted] the kind says what the data is.
    unsafe {
        hosted(node) == Some(Kind::Arena) && (*Node::data(node).cast::<Cell>()).flags & ARENA_OF_TREE != 0
    }
    #[cfg(not(feature = "arena"))]
    {
        let _ = node;
        false
    }
}

/// Makes `parent` the source of the pool or arena that a node hosts, if it does. Safety: the node is live.
pub(crate) unsafe fn set_hosted_source(node: *mut Node, parent: *mut Node) {
    let _ = parent;
    // SAFETY: [caller, hosted] the kind says what the data is.
    unsafe {
        match hosted(node) {
            #[cfg(feature = "pool")]
            Some(Kind::Pool) => {
                let pool: *mut Pool = Node::data(node).cast();
                (*pool).src = parent.cast();
                (*pool).cell.flags &= !(POOL_HAS_SOURCE | POOL_HAS_CHAIN);
                (*pool).cell.flags |= chain::flags_of_source(parent.cast());
            }
            #[cfg(feature = "arena")]
            Some(Kind::Arena) => {
                let arena: *mut Arena = Node::data(node).cast();
                (*arena).src = parent.cast();
                (*arena).cell.flags &= !ARENA_SLOW_FREE;
                (*arena).cell.flags |= chain::arena_flag_of_source(parent.cast());
            }
            _ => {}
        }
    }
}

/// Returns a misuse if a node must not be freed or resized now. Safety: the node is live or dying.
pub(crate) unsafe fn in_use(node: *mut Node) -> Option<Misuse> {
    // SAFETY: [caller] the caller's node is readable.
    let flags = unsafe { (*node).cell.flags };
    // SAFETY: [caller] the contract is the caller's.
    match if flags & FLAG_HOST == 0 { None } else { unsafe { hosted_in_use(node) } } {
        None => (flags & FLAG_BUSY != 0).then_some(Misuse::FreeingBelow),
        misuse => misuse,
    }
}

/// Returns a misuse if the pool or arena that a node hosts must not be destroyed now. Safety: as for [`in_use`].
#[inline(never)]
unsafe fn hosted_in_use(node: *mut Node) -> Option<Misuse> {
    // SAFETY: [caller, hosted] the caller's node is readable, and so is what it hosts.
    unsafe {
        let in_dtor = match hosted(node) {
            #[cfg(feature = "pool")]
            Some(Kind::Pool) => pool::is_in_dtor(Node::data(node).cast()),
            #[cfg(feature = "arena")]
            Some(Kind::Arena) => (*Node::data(node).cast::<Arena>()).ending != 0,
            _ => false,
        };
        if in_dtor {
            return Some(Misuse::BeingFreed);
        }
        // The nodes in it are linked to the parent.
        let above = (*node).parent;
        (hosts_arena_of_tree(node) && !above.is_null() && (*above).cell.kind == Kind::Tree as i32)
            .then_some(Misuse::FreeingBelow)
    }
}

/// Returns true if a node that is linked as a child has this parent. Safety: the node is live and belongs to this
/// thread. `child` is a readable node, or a value that cannot be the address of a header and is not read.
#[inline]
pub(crate) unsafe fn is_child(child: *mut Node, node: *mut Node) -> bool {
    // SAFETY: [caller, links] `child` is readable if it can be a header.
    !is_no_header(child.addr()) && unsafe { (*child).parent == node }
}

/// Checks the last child of a node before another is appended, or with `first` the first child before another is prepended. It must
/// be a child without a sibling on that side, or a pool. Reports a corrupt link. Safety: as for [`is_child`].
#[inline(always)]
pub(crate) unsafe fn check_end(call: Call, node: *mut Node, first: bool) -> Result<(), AllocError> {
    // SAFETY: [caller, links] the contract is the caller's.
    unsafe {
        let end = if first { (*node).child } else { (*node).lastchild };
        if end.is_null()
            || is_child(end, node)
                && ((if first { (*end).prev } else { (*end).next }).is_null()
                    || !first && (*end).cell.flags & FLAG_HOST != 0)
        {
            return Ok(());
        }
        fault::report(call, Node::data(node), Misuse::Damaged);
    }
    Err(AllocError::Misused)
}

/// Returns true if a node is `above` or below it. Safety: both are live and belong to this thread.
pub(crate) unsafe fn is_within(mut node: *mut Node, above: *mut Node) -> bool {
    // SAFETY: [caller, links] the nodes above a live node are live.
    unsafe {
        while node != above && !node.is_null() {
            node = (*node).parent;
        }
    }
    !node.is_null()
}

/// Returns true if a node is the internal root node of the objects that a counted cell owns. The node must not be a hook. Safety:
/// the node is live or dying.
#[inline(always)]
pub(crate) unsafe fn is_owner(node: *mut Node) -> bool {
    // Such a node has this flag and `FLAG_HOLD`. Hooks have this flag too, but no children.
    // SAFETY: [caller] the contract is the caller's.
    unsafe { (*node).cell.flags & FLAG_HOOK != 0 }
}

/// Links an unlinked node below `parent`, or makes the node a root if `parent` is null. The node hosts no pool. Safety: both are live
/// and belong to this thread, and `parent` is not below the node.
pub(crate) unsafe fn attach(node: *mut Node, parent: *mut Node) {
    // SAFETY: [caller, links] the contract is the caller's.
    unsafe {
        (*node).parent = parent;
        (*node).prev = null_mut();
        (*node).next = null_mut();
        // Only the safe API knows if the types still agree.
        (*node).cell.flags &= !FLAG_TYPED_CHILD;
        if parent.is_null() {
            announce_links(node, HeaderLinks::Out);
        } else {
            link(parent, node);
        }
    }
}

/// Returns the first child of a node that is not a hook, or null. Fails after a report if a link to one of these children is
/// corrupt. Safety: as for [`is_child`].
#[inline(always)]
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

/// Makes a detached node the first child of `parent`. Safety: both are live nodes of this thread.
pub(crate) unsafe fn link_first(parent: *mut Node, node: *mut Node) {
    sanitizer::changed(parent);
    // SAFETY: [caller] the caller gives two live nodes.
    unsafe { announce_links(node, HeaderLinks::In) };
    // SAFETY: [links] the caller gives two live nodes of this thread, and the links of live nodes are live.
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

/// Returns the header of a live node. Fails for null, and after a report if this is no live node. Safety: `data` is null, or the
/// header before it is readable.
pub(crate) unsafe fn check(call: Call, data: *mut u8) -> Result<*mut Node, AllocError> {
    if data.is_null() {
        return Err(AllocError::source(None));
    }
    // SAFETY: [caller] the contract is the caller's.
    if unsafe { check::check(call, CellAt::new(Kind::Tree, data)) } {
        Ok(Node::of(data))
    } else {
        Err(AllocError::Misused)
    }
}

/// Like [`check`], but fails for a node that has one of the flags `refused`. Safety: as for [`check`].
#[inline(always)]
pub(crate) unsafe fn check_movable(call: Call, data: *mut u8, refused: u8) -> Result<*mut Node, AllocError> {
    // SAFETY: [caller, live] the contract is the caller's.
    unsafe {
        let node = check(call, data)?;
        if (*node).cell.flags & refused != 0 { Err(AllocError::fixed(Kind::Tree)) } else { Ok(node) }
    }
}
