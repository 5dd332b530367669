//! Makes nodes: roots, and children of other nodes.

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use super::links::link;
use crate::cell::{Cell, FLAG_HOST, Kind};
use crate::error::AllocError;
use crate::fault::{Call, call};
use crate::raw::layout::{CellAt, Node};
use crate::raw::request::Request;
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
    // SAFETY: [caller] the caller's source is null or live.
    let data = unsafe { alloc_cell(Kind::Tree, src, request, flags) }?;
    let node = Node::of(data.as_ptr());
    let parent = if parent.is_null() { null_mut() } else { Node::of(parent) };
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
    Ok(data)
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

/// Allocates a block for a pool or an arena: the data of a new child of `parent`, allocated from the source of `parent`. Freeing the
/// child destroys the pool or arena. Safety: `parent` is a live node of this thread.
#[cfg(any(feature = "pool", feature = "arena"))]
pub(crate) unsafe fn host(parent: *mut Node, layout: Layout, call: Call) -> Result<NonNull<u8>, AllocError> {
    let request = Request { align: layout.align(), ..Request::new(layout.size()) };
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc_internal((*parent).src, Node::data(parent), &request, FLAG_HOST, call) }
}
