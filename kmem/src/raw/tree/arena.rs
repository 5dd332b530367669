//! Nodes that own an arena, from which the nodes below them are allocated.

use core::ptr::{NonNull, null_mut};

use super::free::release;
use super::land::{become_owner, owned};
use super::links::check;
use super::make::alloc_internal;
use crate::cell::{Cell, Kind, Shred};
use crate::error::AllocError;
use crate::fault::Call;
use crate::raw::arena::Spec;
use crate::raw::request::Request;

/// Allocates a node as [`a`](super::a) does, with an arena of its own, and returns its data, or null. The source [`SAME`](super::SAME) means
/// this arena for all nodes below the node. `first` is the size of the first block, or 0 for a default. The nodes in the arena are
/// freed together: in time proportional to its blocks, and to the objects below the node that have a destructor, are tainted, or
/// came from elsewhere. C: `kmtreei`.
///
/// # Safety
/// As for [`alloc`](super::alloc).
pub unsafe fn i(src: *mut Cell, parent: *mut u8, size: usize, first: usize) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { init(src, parent, size, first) }.map_or(null_mut(), NonNull::as_ptr)
}

/// Like [`i`], but returns the reason for a failure.
///
/// # Safety
/// As for [`alloc`](super::alloc).
pub unsafe fn init(
    src: *mut Cell,
    parent: *mut u8,
    size: usize,
    first: usize,
) -> Result<NonNull<u8>, AllocError> {
    const CALL: Call = Call::new(c"kmtreei");
    // SAFETY: [caller] the contract is the caller's; the node is new.
    unsafe {
        let node = alloc_internal(src, parent, &Request::new(size), 0, CALL)?;
        if let Err(error) = own(node.as_ptr(), first) {
            release(node.as_ptr(), CALL, Shred::No);
            return Err(error);
        }
        Ok(node)
    }
}

/// Gives a node without children an arena of its own, as a node of [`i`] has. Fails as [`AllocError`] says, with
/// [`AllocError::Fixed`] if the node has children or such an arena. Nothing has changed then.
///
/// # Safety
/// `node` is the data of a live node of a tree that belongs to this thread.
pub unsafe fn own(node: *mut u8, first: usize) -> Result<(), AllocError> {
    const CALL: Call = Call::new(c"kmtreei");
    // SAFETY: [caller] the caller's header is readable, and its contents are checked.
    unsafe {
        let node = check(CALL, node)?;
        if !(*node).child.is_null() || !owned(node).is_null() {
            return Err(AllocError::fixed(Kind::Tree));
        }
        let arena = crate::raw::arena::init(node.cast(), &Spec::new(first))?.as_ptr();
        if become_owner(node, arena) {
            return Ok(());
        }
        release(arena.cast(), CALL, Shred::No);
        Err(AllocError::exhausted(first))
    }
}
