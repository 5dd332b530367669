//! Makes nodes: roots, and children of other nodes.

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

#[cfg(feature = "arena")]
use super::land;
use super::links::link;
#[cfg(feature = "arena")]
use super::links::{INTERNAL, link_between};
use crate::cell::{Cell, FLAG_HOST, Kind};
use crate::error::AllocError;
use crate::fault::{Call, call};
#[cfg(feature = "arena")]
use crate::raw::layout::NODE;
use crate::raw::layout::{CellAt, Node};
#[cfg(feature = "arena")]
use crate::raw::request::Fill;
use crate::raw::request::Request;
#[cfg(feature = "arena")]
use crate::raw::shape::MOST;
#[cfg(feature = "arena")]
use crate::raw::source::arena;
use crate::raw::{check, make};

/// Allocates a node as the last child of `parent`, or a root if `parent` is null, and returns its data.
///
/// Fails as [`AllocError`] says: with [`AllocError::Source`] if `src` is a node or a counted cell, and with
/// [`AllocError::Misused`], after a report, if `parent` is no live node.
///
/// # Safety
/// `src` is null or points to a live cell, and outlives the node. `parent` is null or the data of a node of a tree that
/// belongs to this thread. The destructor of the request, if any, may be called with the node's data when the node is freed.
///
/// ```
/// use kmem::raw::{tree, Request};
/// use std::ptr::null_mut;
/// unsafe {
///     let root = tree::alloc(null_mut(), null_mut(), &Request::new(8)).unwrap().as_ptr();
///     tree::alloc(null_mut(), root, &Request::new(100)).unwrap();
///     tree::f(root);
/// }
/// ```
#[inline(always)]
pub unsafe fn alloc(src: *mut Cell, parent: *mut u8, request: &Request) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc_flagged(src, parent, request, 0, call!(c"kmtreea")) }
}

/// [`alloc`] on behalf of `call`, with flags for the prefix.
#[inline(always)]
pub(crate) unsafe fn alloc_flagged(
    src: *mut Cell,
    parent: *mut u8,
    request: &Request,
    flags: u8,
    call: Call,
) -> make::AllocResult {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc_by(make::alloc_cell, src, parent, request, flags, call) }
}

#[inline(always)]
unsafe fn alloc_by(
    alloc_cell: make::AllocCell,
    src: *mut Cell,
    parent: *mut u8,
    request: &Request,
    flags: u8,
    call: Call,
) -> make::AllocResult {
    // SAFETY: [caller] the caller's header is readable if the parent is not null.
    if !parent.is_null() && !unsafe { check::check(call, CellAt::new(Kind::Tree, parent)) } {
        return Err(AllocError::Misused);
    }
    let parent = if parent.is_null() { null_mut() } else { Node::of(parent) };
    #[cfg(feature = "arena")]
    // SAFETY: [caller] the parent is null or live, and the source null or a readable prefix.
    unsafe {
        let plain = request.drop.is_none() && flags & INTERNAL == 0;
        let above = if parent.is_null() { null_mut() } else { (*parent).src };
        if (src != above || !plain) && (src == land::same() || land::any_is_special(src, above)) {
            if src == land::same()
                && flags == 0
                && request.fill == Fill::Undefined
                && make::is_plain_request(request)
                && request.size <= MOST
            {
                if let Some(data) = NonNull::new(alloc_same(parent, request.size)) {
                    return Ok(data);
                }
            }
            // A plain request is passed in registers, so that the fast path need not write it to memory.
            return if make::is_plain_request(request) && flags == 0 {
                alloc_special_plain(src, parent, request.size, request.fill)
            } else {
                alloc_special(src, parent, request, flags)
            };
        }
    }
    // SAFETY: [caller] the caller's source is null or live.
    unsafe {
        let data = alloc_cell(Kind::Tree, src, request, flags)?;
        complete(data, src, parent);
        Ok(data)
    }
}

/// Allocates a plain node from the arena that [`SAME`](super::SAME) means. Returns null if this takes more than the fast path. Calls
/// few functions, so it saves few registers. Safety: as for [`alloc`]; the parent is null or live, and the size at most [`MOST`].
#[cfg(feature = "arena")]
#[inline(never)]
unsafe fn alloc_same(parent: *mut Node, size: usize) -> *mut u8 {
    // SAFETY: [caller, extent, links] the parent is null or live. This size cannot overflow, and the block has it.
    unsafe {
        let src = land::same_below_fast(parent);
        if src.is_null() {
            return null_mut();
        }
        let mut block = arena::draw_fast(src, NODE + size);
        if block.is_null() {
            block = arena::draw_room(src, NODE + size);
        }
        let Some(block) = NonNull::new(block) else { return null_mut() };
        let data = make::write_plain(block, Kind::Tree, NODE + size, 0);
        let last = (*parent).lastchild;
        if !last.is_null() && (*last).cell.flags & FLAG_HOST != 0 {
            complete(data, src, null_mut());
            let node = Node::of(data.as_ptr());
            (*node).parent = parent;
            link_between(parent, (*last).prev, node, last);
        } else {
            complete(data, src, parent);
        }
        data.as_ptr()
    }
}

/// [`alloc_special`] of a plain node. Safety: as for [`alloc_special`].
#[cfg(feature = "arena")]
#[inline(never)]
unsafe fn alloc_special_plain(
    mut src: *mut Cell,
    parent: *mut Node,
    size: usize,
    fill: Fill,
) -> Result<NonNull<u8>, AllocError> {
    let request = Request { fill, ..Request::new(size) };
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let above = land::same_below(parent);
        if src == land::same() {
            src = above;
        }
        if src == above || land::needs_no_watch(src, above) {
            let data = make::alloc_cell(Kind::Tree, src, &request, 0)?;
            complete(data, src, parent);
            return Ok(data);
        }
        alloc_special(src, parent, &request, 0)
    }
}

/// [`alloc`] of a node in the arena of a tree, or below one. Safety: as for [`alloc`]; the parent is null or live.
#[cfg(feature = "arena")]
#[inline(never)]
unsafe fn alloc_special(
    src: *mut Cell,
    parent: *mut Node,
    request: &Request,
    flags: u8,
) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let place = land::Place::new(src, parent, request, flags)?;
        let made = make::ALLOC_CELL_SMALL(Kind::Tree, place.src, request, flags);
        match made {
            Ok(data) => {
                complete(data, place.src, parent);
                place.taken(Node::of(data.as_ptr()));
            }
            Err(_) => place.left(),
        }
        made
    }
}

/// Writes the rest of the header of a new node, and links the node. Safety: `data` is that of a new cell from this source, and the
/// parent is null or live.
#[inline(always)]
unsafe fn complete(data: NonNull<u8>, src: *mut Cell, parent: *mut Node) {
    let node = Node::of(data.as_ptr());
    // SAFETY: [extent, one-thread] the block has room for the header before the data; the parent is a live node.
    unsafe {
        (&raw mut (*node).parent).write(parent);
        (&raw mut (*node).child).write(null_mut());
        (&raw mut (*node).lastchild).write(null_mut());
        (&raw mut (*node).prev).write(null_mut());
        (&raw mut (*node).next).write(null_mut());
        (&raw mut (*node).src).write(src);
        make::announce_made(Node::at(node));
        if !parent.is_null() {
            link(parent, node);
        }
    }
}

/// [`alloc_flagged`] for internal nodes. Out of line: its callers need not be fast. Safety: as for [`alloc`].
#[inline(never)]
pub(crate) unsafe fn alloc_internal(
    src: *mut Cell,
    parent: *mut u8,
    request: &Request,
    flags: u8,
    call: Call,
) -> make::AllocResult {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc_by(make::ALLOC_CELL_SMALL, src, parent, request, flags, call) }
}

/// Returns the source from which the children of a node are allocated if none is named. Safety: the node is live.
#[inline]
pub(crate) unsafe fn source_below(node: *mut Node) -> *mut Cell {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        #[cfg(feature = "arena")]
        return land::same_below(node);
        #[cfg(not(feature = "arena"))]
        (*node).src
    }
}

/// Returns the source of a node. Safety: the node is live.
pub(crate) unsafe fn source_of(node: *mut Node) -> *mut Cell {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        #[cfg(feature = "arena")]
        return land::origin(node);
        #[cfg(not(feature = "arena"))]
        (*node).src
    }
}

/// Allocates a block for a pool or an arena: the data of a new child of `parent`, allocated from the source of `parent`. Freeing the
/// child destroys the pool or arena. Safety: `parent` is a live node of this thread.
#[cfg(any(feature = "pool", feature = "arena"))]
pub(crate) unsafe fn host(parent: *mut Node, layout: Layout, call: Call) -> Result<NonNull<u8>, AllocError> {
    let request = Request { align: layout.align(), ..Request::new(layout.size()) };
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc_internal(source_below(parent), Node::data(parent), &request, FLAG_HOST, call) }
}
