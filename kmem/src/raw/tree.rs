//! Trees: a node is freed with all nodes below it.
//!
//! A tree belongs to one thread at a time. Children are linked in the order in which they were added, but pools after all
//! others. The last child in the header of a node is the first of its pools, if it has any. So adding a child takes constant time. A
//! tree is freed in constant stack: children before their parent, and siblings in their order. The objects that adopted
//! counted cells own are freed in the same way. If a destructor frees another object, that call adds to the stack.
//!
//! Hooks and adopted objects are stored as internal child nodes, so nodes without them pay nothing. A *hook* runs
//! when the free of the node begins ([`h`]). A *holder* frees an object of another kind that the node adopted
//! ([`k`]). Hooks come before all other children.

#[cfg(feature = "arena")]
mod arena;
#[cfg(feature = "arena")]
mod bulk;
pub(crate) mod free;
mod hold;
mod hook;
#[cfg(feature = "arena")]
pub(crate) mod land;
pub(crate) mod links;
mod look;
pub(crate) mod make;
mod reparent;
mod verify;
mod walk;

use core::ptr::{NonNull, null_mut};

use super::Handle;
use super::layout::Node;
use super::request::{Fill, Request};
use super::resize::{self, How, ResizeRequest, ResizeResult};
use crate::cell::{Cell, Kind, Shred};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse, call};
use free::release;
use links::{INTERNAL, Links, check, check_links, check_movable, in_use, is_child, links_to};
use reparent::past_hooks_of;

#[cfg(feature = "arena")]
pub use arena::{i, init, own};
pub use hold::*;
pub use hook::*;
#[cfg(feature = "arena")]
pub use land::{SAME, same};
pub use look::*;
pub use make::*;
pub use reparent::*;
pub use verify::verify;
pub use walk::{Visit, Walk, below, step, walk};
pub(crate) use walk::{walk_below, walk_for};

#[inline]
unsafe fn allocate(src: *mut Cell, parent: *mut u8, size: usize, fill: Fill) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc(src, parent, &Request { fill, ..Request::new(size) }) }.map_or(null_mut(), NonNull::as_ptr)
}

/// Returns the handle of a node, or the null handle if `data` is null. C: `kmtreeo`.
///
/// # Safety
/// `data` is null or that of a live node.
#[inline(always)]
#[must_use]
pub unsafe fn handle(data: *mut u8) -> Handle {
    Handle::on(Kind::Tree, data, if data.is_null() { null_mut() } else { Node::of(data).cast() })
}

/// Frees a node as [`f`] does, but returns nothing, so it can be used as a callback. C: `kmtreed`.
///
/// # Safety
/// As for [`f`].
#[inline]
pub unsafe fn d(data: *mut u8) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { release(data, call!(c"kmtreed"), Shred::No) };
}

/// [`resize`] on behalf of `call`. The old block is freed when the result is dropped.
#[inline]
pub(crate) unsafe fn resize_kept(data: *mut u8, to: ResizeRequest, call: Call, shred: Shred) -> ResizeResult {
    // SAFETY: [caller, one-thread, links] the caller's header is readable, and its contents are checked; neighbours are live.
    unsafe {
        let node = check_movable(call, data, INTERNAL)?;
        let wrong = match check_links(node) {
            Links::Corrupt => Some(Misuse::Damaged),
            _ => in_use(node),
        };
        if let Some(misuse) = wrong {
            fault::report(call, data, misuse);
            return Err(AllocError::Misused);
        }
        // A global allocator may be user code that reaches the node by its neighbours; `malloc` cannot.
        let alone = cfg!(kmem_libc) || (*node).parent.is_null() && (*node).child.is_null();
        let how = How { shred: shred.is_yes(), alone };
        let result = resize::resize(call, Node::at(node), to, how);
        let Ok(resized) = &result else { return result };
        let now = Node::of(resized.data.as_ptr());
        if now != node {
            #[cfg(feature = "arena")]
            land::moved(now);
            if !(*now).parent.is_null() {
                for link in links_to(now) {
                    *link = now;
                }
            }
            let mut child = (*now).child;
            while !child.is_null() {
                if !is_child(child, node) {
                    // The link is corrupt: the children behind it become unreachable.
                    fault::report(call, resized.data.as_ptr(), Misuse::Damaged);
                    break;
                }
                (*child).parent = now;
                links::set_hosted_source(child, now);
                child = (*child).next;
            }
        }
        result
    }
}

/// Frees everything below a node, in the order of the children: nodes, and objects that the node adopted. Keeps the node and its
/// hooks. Ignores null. C: `kmtreex`.
///
/// # Safety
/// As for [`f`] of each child.
pub unsafe fn x(node: *mut u8) {
    const CALL: Call = Call::new(c"kmtreex");
    // SAFETY: [caller, links] the caller does not use the children any more. Destructors may add and free children, but not the
    // node.
    unsafe {
        let Ok(node) = check(CALL, node) else { return };
        loop {
            let Ok(mut child) = past_hooks_of(CALL, node) else { return };
            // The arena of a node stays.
            while !child.is_null() && links::hosts_arena_of_tree(child) {
                child = (*child).next;
            }
            // A child that was not freed was reported, and would be found here again.
            if child.is_null() || release(Node::data(child), CALL, Shred::No).is_null() {
                return;
            }
        }
    }
}

verbs! {
    call: "kmtree",
    new: handle,
    a: (src: *mut Cell, parent: *mut u8, size: usize) => (src, parent, size),
    z: (src: *mut Cell, parent: *mut u8, size: usize) => (src, parent, size),
    f: "Frees a node and everything below it, deepest first. Returns the handle of its parent, or the null handle for a root." -> Handle,
}

resizes! {
    call: "kmtree",
    null: ("returns null", size => { let _ = size; null_mut() }),
    fails: "Returns [`AllocError::Fixed`] if the data is a pool. Otherwise fails as [`alloc`](fn@alloc) does. A move takes time in proportion to the number of children.",
}
