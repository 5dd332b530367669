//! Trees with an arena of their own: the source of each node below the one that owns the arena.
//!
//! The source of the owner is a watch that leads to the arena, and behind which the real source of the owner lies. A node below that
//! was allocated from the arena has the arena as its source, or a watch if freeing the arena as a whole must not skip it: it has a
//! destructor, is internal, or is tainted. A node from another source that is linked below these always has a watch.

use core::ptr::null_mut;

use super::links::{INTERNAL, hosts_arena_of_tree};
use crate::cell::{Cell, FLAG_DEEP, FLAG_HOOK, FLAG_HOST, Kind};
use crate::error::AllocError;
use crate::raw::arena::header::{self, ARENA_OF_TREE, ARENA_WATCH, Arena, Watch, as_watch};
use crate::raw::arena::watch;
use crate::raw::layout::{NODE, Node};
use crate::raw::request::Request;
use crate::raw::source::BELOW;

/// The source *same*: for a child, the arena of the parent if the parent has one of its own, otherwise the source of the parent. For a
/// root, the heap. C: `Kmsame`.
pub static SAME: Cell = Cell::no_source();

/// Returns [`SAME`] as a source.
#[must_use]
pub fn same() -> *mut Cell {
    (&raw const SAME).cast_mut()
}

/// Returns true if one of two sources may be [`SAME`], a tree's arena or a watch. Safety: each is null or a readable prefix.
#[inline(never)]
pub(crate) unsafe fn any_is_special(one: *mut Cell, other: *mut Cell) -> bool {
    // SAFETY: [caller] the prefix is readable.
    let is_special = |src: *mut Cell| !src.is_null() && matches!(unsafe { (*src).kind }, ARENA | NONE);
    is_special(one) || is_special(other)
}

const ARENA: i32 = Kind::Arena as i32;
const NONE: i32 = Kind::None as i32;

/// Returns true if this is the watch that leads from the owner of an arena to the arena. Safety: the watch is live.
unsafe fn is_owners(watch: *mut Watch) -> bool {
    // SAFETY: [caller] the watch is live.
    unsafe { (*watch).cell.flags & ARENA_OF_TREE != 0 }
}

/// Returns the source from which a node was allocated, without watches. Safety: the node is live.
pub(crate) unsafe fn origin(node: *mut Node) -> *mut Cell {
    // SAFETY: [caller] the node is live.
    unsafe { header::origin((*node).src) }
}

/// Returns the arena that this source is, if it is that of a tree, or null. Safety: `src` is null or a readable prefix.
unsafe fn as_tree_arena(src: *mut Cell) -> *mut Arena {
    // SAFETY: [caller] the prefix is readable.
    let is_it = !src.is_null()
        && unsafe { (*src).kind == ARENA && (*src).flags & (ARENA_WATCH | ARENA_OF_TREE) == ARENA_OF_TREE };
    if is_it { src.cast() } else { null_mut() }
}

/// Returns the arena of a tree in which a node lies, or null. Safety: the node is live.
pub(crate) unsafe fn home(node: *mut Node) -> *mut Arena {
    // SAFETY: [caller] the node is live.
    unsafe { if (*node).src.is_null() { null_mut() } else { as_tree_arena(origin(node)) } }
}

/// Returns the watch that leads to the arena that a node owns, or null. Safety: the node is live.
pub(crate) unsafe fn owned(node: *mut Node) -> *mut Watch {
    // SAFETY: [caller, watches] as in `origin`.
    unsafe {
        let mut watch = as_watch((*node).src);
        while !watch.is_null() && !is_owners(watch) {
            watch = as_watch((*watch).src);
        }
        watch
    }
}

/// Returns the source that [`SAME`] means below this node. Safety: the node is null or live.
#[inline]
pub(crate) unsafe fn same_below(node: *mut Node) -> *mut Cell {
    // SAFETY: [caller] the node is live.
    unsafe {
        if node.is_null() {
            return null_mut();
        }
        if as_watch((*node).src).is_null() { (*node).src } else { same_below_watched(node) }
    }
}

/// [`same_below`] if no search is needed, otherwise null. Safety: the node is null or live.
#[inline(always)]
pub(crate) unsafe fn same_below_fast(node: *mut Node) -> *mut Cell {
    // SAFETY: [caller, watches] the node is live, and so is its watch.
    unsafe {
        if node.is_null() {
            return null_mut();
        }
        let src = (*node).src;
        let watch = as_watch(src);
        if watch.is_null() {
            src
        } else if is_owners(watch) {
            (*watch).arena.cast()
        } else {
            null_mut()
        }
    }
}

#[cold]
unsafe fn same_below_watched(node: *mut Node) -> *mut Cell {
    // SAFETY: [caller] the node is live.
    unsafe {
        let watch = owned(node);
        if watch.is_null() { origin(node) } else { (*watch).arena.cast() }
    }
}

/// Returns the arena of a tree to which the children of a node belong, or null. Safety: the node is null or live.
pub(crate) unsafe fn arena_below(node: *mut Node) -> *mut Arena {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { as_tree_arena(same_below(node)) }
}

/// Returns true if a plain node may be allocated from `src` without a watch. `above` is what [`SAME`] means there.
/// Safety: each is null or a live source.
#[inline]
pub(crate) unsafe fn needs_no_watch(src: *mut Cell, above: *mut Cell) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { as_tree_arena(src) == as_tree_arena(above) && as_watch(src).is_null() }
}

/// The source of a new node, for which a watch was made if it needs one.
pub(crate) struct Place {
    pub(crate) src: *mut Cell,
    watch: *mut Watch,
}

impl Place {
    /// Returns the source for a new child of `parent`. Fails if the request names a tree's arena and the parent does not belong to
    /// it. Safety: as for `alloc`.
    #[inline(never)]
    pub(crate) unsafe fn new(
        src: *mut Cell,
        parent: *mut Node,
        request: &Request,
        flags: u8,
    ) -> Result<Place, AllocError> {
        if flags & FLAG_HOOK != 0 {
            // A hook is linked to its parent later.
            return Ok(Place { src, watch: null_mut() });
        }
        // SAFETY: [caller] the contract is the caller's.
        unsafe {
            let src = if src == same() { same_below(parent) } else { src };
            let (from, arena) = (as_tree_arena(src), arena_below(parent));
            if !from.is_null() && from != arena || !as_watch(src).is_null() {
                return Err(AllocError::source(Some(Kind::Arena)));
            }
            let plain = from == arena && request.drop.is_none() && flags & INTERNAL == 0;
            if plain || arena.is_null() {
                return Ok(Place { src, watch: null_mut() });
            }
            let watch = watch::make(arena, src, &BELOW)?;
            Ok(Place { src: watch.cast(), watch })
        }
    }

    /// Completes the watch for a node that was made. Safety: the node was allocated from this source.
    pub(crate) unsafe fn taken(self, node: *mut Node) {
        if !self.watch.is_null() {
            // SAFETY: [caller, watches] the watch is live.
            unsafe { (*self.watch).watched = node.cast() };
        }
    }

    /// Frees the watch, since no node was made. Safety: nothing was allocated from this source.
    pub(crate) unsafe fn left(self) {
        if !self.watch.is_null() {
            // SAFETY: [caller, watches] the watch is live.
            unsafe { watch::free(self.watch) };
        }
    }
}

/// Returns the pointer to the watch of a node that lies in this arena and leads to it from its owner, or does not. Returns null if the
/// node has no such watch. Safety: the node is live or dying.
unsafe fn link_to_watch(node: *mut Node, arena: *mut Arena, from_owner: bool) -> *mut *mut Cell {
    // SAFETY: [caller, watches] as in `origin`.
    unsafe {
        let mut link = &raw mut (*node).src;
        loop {
            let watch = as_watch(*link);
            if watch.is_null() {
                return null_mut();
            }
            if (*watch).arena == arena && is_owners(watch) == from_owner {
                return link;
            }
            link = &raw mut (*watch).src;
        }
    }
}

/// Records the new address of a node in its watches. Safety: the node is live.
pub(crate) unsafe fn moved(node: *mut Node) {
    // SAFETY: [caller, watches] as in `origin`.
    unsafe {
        let mut watch = as_watch((*node).src);
        while !watch.is_null() {
            (*watch).watched = node.cast();
            watch = as_watch((*watch).src);
        }
    }
}

/// Makes freeing the arena below a node, if there is one, visit each node. Safety: the node is live.
pub(crate) unsafe fn must_walk(node: *mut Node) {
    // SAFETY: [caller] the node is live.
    unsafe {
        let arena = arena_below(node);
        if !arena.is_null() {
            (*arena).must_walk = 1;
        }
    }
}

/// Returns true if a node may become a child of `parent`: a node in the arena of a tree stays below the owner of that arena, and its
/// parent belongs to the arena too. The node that hosts the arena does not move. Safety: the node is live; the parent is null or live.
pub(crate) unsafe fn may_move(node: *mut Node, parent: *mut Node) -> bool {
    // SAFETY: [caller] the nodes are live.
    unsafe {
        let home = home(node);
        !hosts_arena_of_tree(node) && (home.is_null() || home == arena_below(parent))
    }
}

/// Adapts the watch of a node that is about to move below `parent`. A node from elsewhere is freed before the nodes that are in the arena
/// now. Safety: as for [`may_move`], which is true.
#[inline(never)]
pub(crate) unsafe fn moves(node: *mut Node, parent: *mut Node) {
    // SAFETY: [caller, watches] the nodes are live, and so are their watches.
    unsafe {
        let arena = arena_below(parent);
        if !home(node).is_null() {
            // Its destructor may be newer than that of a node above it now.
            if !(*arena).watches.is_null() {
                (*arena).must_walk = 1;
            }
            return;
        }
        let old = arena_below((*node).parent);
        let link = if old.is_null() { null_mut() } else { link_to_watch(node, old, false) };
        if !link.is_null() {
            let watch = as_watch(*link);
            if old == arena {
                return watch::renew(watch);
            }
            *link = (*watch).src;
            watch::free(watch);
        }
        if !arena.is_null() {
            watch_node(arena, node);
        }
    }
}

/// Puts a watch before the source of a live node, or makes freeing the arena visit each node if there is no memory for one.
/// Safety: the node is live, and the arena that of a tree, in which the node lies or below whose nodes it will be linked.
pub(crate) unsafe fn watch_node(arena: *mut Arena, node: *mut Node) {
    // SAFETY: [caller, watches] the contract is the caller's.
    unsafe {
        match watch::make(arena, (*node).src, &BELOW) {
            Ok(watch) => {
                (*watch).watched = node.cast();
                (*watch).block = block(node);
                (*node).src = watch.cast();
            }
            Err(_) => (*arena).must_walk = 1,
        }
    }
}

/// Returns the block of a node. Safety: the node is live.
unsafe fn block(node: *mut Node) -> *mut u8 {
    // SAFETY: [caller] the node is live.
    let align = 1usize << unsafe { (*node).cell.align & 15 };
    Node::data(node).wrapping_sub(align.max(NODE))
}

/// Makes a node the owner of an arena on it. Returns false if there is no memory. Safety: the node is live, and the
/// parent of the node that hosts the arena.
pub(crate) unsafe fn become_owner(node: *mut Node, arena: *mut Arena) -> bool {
    // SAFETY: [caller, watches] the contract is the caller's.
    unsafe {
        let Ok(watch) = watch::make(arena, (*node).src, &BELOW) else { return false };
        // This watch is on no list: the node is not freed with the arena.
        watch::unlink(watch);
        (*watch).cell.flags |= ARENA_OF_TREE;
        (*watch).watched = node.cast();
        (*arena).cell.flags |= ARENA_OF_TREE;
        (*node).src = watch.cast();
        (*node).cell.flags |= FLAG_DEEP;
    }
    true
}

/// Separates a node from the arena that it owns, which is about to be destroyed. Safety: the node is live or dying.
pub(crate) unsafe fn end_owner(node: *mut Node, arena: *mut Arena) {
    // SAFETY: [caller, watches] as in `origin`.
    unsafe {
        let link = link_to_watch(node, arena, true);
        if !link.is_null() {
            *link = (*as_watch(*link)).src;
        }
    }
}

/// Returns the node that hosts the arena that a node owns. Safety: `watch` is the [`owned`] one of a live node.
pub(crate) unsafe fn host_of(watch: *mut Watch) -> *mut Node {
    // SAFETY: [caller, hosted] the arena of a tree is the data of a node.
    unsafe {
        debug_assert!((*(*watch).arena).cell.flags & FLAG_HOST != 0);
        Node::of((*watch).arena.cast())
    }
}

/// Taints a node. In the arena of a tree it gets a watch.
/// Safety: the node is live and belongs to this thread.
#[cfg(feature = "shred")]
pub(crate) unsafe fn taint(node: *mut Node) {
    // SAFETY: [caller] the node is live.
    unsafe {
        let home = home(node);
        if !home.is_null() && (*node).src == home.cast() {
            watch_node(home, node);
        }
        (*node).cell.taint();
    }
}
