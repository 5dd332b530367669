//! Holders: the internal nodes by which a node owns an object of another kind.

use core::ptr::null_mut;

use super::links::{INTERNAL, check, check_end, is_child, is_within, last_child, unlink_cold};
use super::make::{alloc_internal, source_below};
use super::reparent::{move_below, move_into};
use crate::cell::{FLAG_DEEP, FLAG_HOLD, Kind};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse};
use crate::raw::layout::{CellAt, Node};
use crate::raw::request::Request;
use crate::raw::{Handle, check as checks, end, object};

/// Makes a node the owner of an object of any kind. If the object is a node, it is moved with
/// all nodes below it, as by [`m`](super::m). C: `kmtreek`.
///
/// The node then owns the object or, for a counted cell, one reference to it. So only a counted cell can have several owners, one
/// for each reference.
///
/// Returns [`AllocError::Below`] if the node is at or below the object. Returns
/// [`AllocError::Misused`] after a report. Otherwise fails as [`AllocError`] says. The caller still owns the object then.
///
/// # Safety
/// `node` is the data of a node of a tree that belongs to this thread. The handle owns a live object, whose source
/// outlives the node. Nobody else frees or resizes the object until the node releases it.
pub unsafe fn k(node: *mut u8, object: Handle) -> Result<(), AllocError> {
    const CALL: Call = Call::new(c"kmtreek");
    // SAFETY: [caller, live, fresh] the caller's headers are readable, and their contents are checked; nobody else
    // knows the new node.
    unsafe {
        let above = check(CALL, node)?;
        if (*above).cell.flags & (INTERNAL & !crate::cell::FLAG_HOST) != 0 {
            return Err(AllocError::fixed(Kind::Tree));
        }
        adopt(CALL, above, object)
    }
}

/// [`k`] on behalf of `call`. Safety: `above` is a live node of this thread, neither a hook nor a holder. For the handle, as for
/// [`k`].
pub(crate) unsafe fn adopt(call: Call, above: *mut Node, object: Handle) -> Result<(), AllocError> {
    // SAFETY: [caller, live, fresh] the caller's header is readable, and its contents are checked; nobody else knows
    // the new node.
    unsafe {
        if object.is_null() {
            return Err(AllocError::source(None));
        }
        if !object::check(call, object, object::Check::Write) {
            return Err(AllocError::Misused);
        }
        if object.kind == Kind::Tree as i32 {
            move_into(call, object.data, above, true)?;
            if object.shred != 0 {
                Node::taint_subtree(Node::of(object.data));
                #[cfg(feature = "arena")]
                super::land::must_walk(above);
            }
            return Ok(());
        }
        #[cfg(feature = "ref")]
        if object.kind == Kind::Ref as i32 && is_owned_by(above, object.data) {
            return Err(AllocError::Below);
        }
        check_end(call, above, false)?;
        let new = alloc_internal(
            source_below(above),
            Node::data(above),
            &Request::new(size_of::<Handle>()),
            FLAG_HOLD,
            call,
        )?;
        new.cast::<Handle>().write(object);
    }
    Ok(())
}

/// Releases an object that a node adopted, or makes a child a root. Returns the handle that was adopted, which the caller owns
/// again, or the null handle if the node does not own the object. Searches the children, the last one first. C: `kmtreel`.
///
/// # Safety
/// `node` is the data of a node of a tree that belongs to this thread.
pub unsafe fn l(node: *mut u8, object: *const u8) -> Handle {
    const CALL: Call = Call::new(c"kmtreel");
    // SAFETY: [caller, links, holders] the caller's header is readable, and its contents are checked; children are live.
    unsafe {
        if node.is_null() || !checks::check_readable(CALL, CellAt::new(Kind::Tree, node)) {
            return Handle::NULL;
        }
        disown(CALL, Node::of(node), object)
    }
}

/// [`l`] on behalf of `call`. Safety: the node is a live or dying one of this thread.
pub(crate) unsafe fn disown(call: Call, node: *mut Node, object: *const u8) -> Handle {
    // SAFETY: [caller, links, holders] the contract is the caller's, and the children of a node are live.
    unsafe {
        let mut child = last_child(node);
        while !child.is_null() {
            if !is_child(child, node) {
                break;
            }
            let at = Node::data(child);
            if (*child).cell.flags & FLAG_HOLD != 0 {
                let held = at.cast::<Handle>().read();
                if held.data.cast_const() == object {
                    // An object that was freed meanwhile is reported, and stays with the node.
                    if !object::check(call, held, object::Check::Write) {
                        return Handle::NULL;
                    }
                    if !unlink_cold(child) {
                        break;
                    }
                    let freed = end::end_slow(call, Node::at(child), false);
                    return if freed { held } else { Handle::NULL };
                }
            } else if at.cast_const() == object {
                // The owner of an arena has the flag too.
                let shred = i32::from((*child).cell.flags & FLAG_DEEP != 0 && (*child).cell.tainted());
                return match move_below(call, at, null_mut(), false) {
                    Ok(()) => Handle { shred, ..object::handle_of(Kind::Tree, at) },
                    Err(_) => Handle::NULL,
                };
            }
            child = (*child).prev;
        }
        if !child.is_null() {
            fault::report(call, Node::data(node), Misuse::Damaged);
        }
    }
    Handle::NULL
}

/// Returns true if a node is at or below an object that this counted cell owns. Safety: the node and the cell are live and belong
/// to this thread.
#[cfg(feature = "ref")]
unsafe fn is_owned_by(node: *mut Node, cell: *mut u8) -> bool {
    // SAFETY: [caller, links, record] the contract is the caller's.
    unsafe {
        let root = crate::raw::refs::owned::owned(cell);
        !root.is_null() && is_within(node, root)
    }
}
