//! Holders: by which a node owns an object of another kind.

use core::ptr::null_mut;

use super::links::{OWN, check, check_end, is_child, is_within, unlink_checked};
use super::make::alloc_own;
use super::reparent::{move_below, move_into};
use crate::cell::{FLAG_DEEP, FLAG_HOLD, Kind};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse};
use crate::raw::layout::{NODE as HEADER, Node};
use crate::raw::request::Request;
use crate::raw::{Handle, check as checks, end, object};

/// Has a node adopt an object of any kind: the node frees it as [`ptr::free`](crate::raw::ptr::free) does, among its children and in their order, when it goes.
/// A tree becomes a child of the node, from wherever it was, as [`m`](super::m) moves it.
///
/// The rule of who owns what:
///
/// 1. Whoever adopts a handle owns what the handle owns: of a counted cell one reference, of anything else the object itself.
/// 2. What is owned goes when its owner does, and not before; nothing else that holds a reference is asked, or told.
/// 3. So an object may be adopted by several nodes only where it is counted, once for each reference; any other is adopted
///    by one.
///
/// An adopted object other than a tree takes a small node, 88 bytes drawn from where the node was.
///
/// Fails as [`AllocError`] says, with [`AllocError::Below`] for a tree that the node itself is in; the object is still the
/// caller's then.
///
/// # Safety
/// `node` is the data of a node of a tree that belongs to this thread. The handle holds a live object that the caller owns, and
/// gives up: nobody frees or resizes it before the node lets it go. Its source outlives the node. What the headers show to be
/// wrong goes to the [fault handler](crate::fault), and the call fails with [`AllocError::Misused`].
///
/// ```
/// use kmem::raw::{heap, refs, tree};
/// use std::ptr::null_mut;
/// unsafe {
///     let shared = refs::zo(null_mut(), 32);
///     let (one, two) = (tree::a(null_mut(), null_mut(), 8), tree::a(null_mut(), null_mut(), 8));
///     tree::k(one, shared).unwrap();
///     refs::u(shared.data);
///     tree::k(two, shared).unwrap();
///     tree::k(two, heap::ao(100)).unwrap();
///     tree::f(one);
///     assert_eq!(refs::count(shared.data), 1); // that of `two`
///     tree::f(two);
/// }
/// ```
pub unsafe fn k(node: *mut u8, object: Handle) -> Result<(), AllocError> {
    const CALL: Call = Call::new(c"kmtreek");
    // SAFETY: [caller, live, fresh] the caller vouches for readable headers, the checks for what they say; the data of the new node has room
    // for a handle, and nobody else has seen it.
    unsafe {
        let above = check(CALL, node)?;
        if (*above).cell.flags & (OWN & !crate::cell::FLAG_HOST) != 0 {
            return Err(AllocError::Fixed(Kind::Tree));
        }
        adopt(CALL, above, object)
    }
}

/// Has a node adopt an object on behalf of `call`.
///
/// # Safety
/// `above` is a live node of this thread's, no hook and no holder; the handle as for [`k`].
pub(crate) unsafe fn adopt(call: Call, above: *mut Node, object: Handle) -> Result<(), AllocError> {
    // SAFETY: [caller, live, fresh] the caller vouches for a readable header, the check for what it says; the data of the new node has room
    // for a handle, and nobody else has seen it.
    unsafe {
        if object.is_null() {
            return Err(AllocError::Source(None));
        }
        if !object::check(call, object, object::Check::Write) {
            return Err(AllocError::Misused);
        }
        if object.kind == Kind::Tree as i32 {
            move_into(call, object.data, above, true)?;
            if object.shred != 0 {
                Node::taint_subtree(Node::of(object.data));
            }
            return Ok(());
        }
        #[cfg(feature = "ref")]
        if object.kind == Kind::Ref as i32 && is_owned_by(above, object.data) {
            return Err(AllocError::Below);
        }
        check_end(call, above, false)?;
        let new =
            alloc_own((*above).src, Node::data(above), &Request::new(size_of::<Handle>()), FLAG_HOLD, call)?;
        new.cast::<Handle>().write(object);
    }
    Ok(())
}

/// Has a node let go of an object that it adopted, or of a child, which becomes a root. Returns the handle, which is the caller's to free
/// again, or the null handle where the node does not own the object. Of several references to one cell the one that was
/// adopted last is given back.
///
/// Looks through the children, the last one first. A hook of the node may still call it.
///
/// # Safety
/// `node` is the data of a node of a tree that belongs to this thread. What the header shows to be wrong goes to the
/// [fault handler](crate::fault).
///
/// ```
/// use kmem::raw::{heap, ptr, tree};
/// use std::ptr::null_mut;
/// unsafe {
///     let root = tree::a(null_mut(), null_mut(), 8);
///     let object = heap::ao(100);
///     tree::k(root, object).unwrap();
///     assert_eq!(tree::l(root, object.data), object);
///     assert!(tree::l(root, object.data).is_null());
///     tree::f(root);
///     ptr::free(object);
/// }
/// ```
pub unsafe fn l(node: *mut u8, object: *const u8) -> Handle {
    const CALL: Call = Call::new(c"kmtreel");
    // SAFETY: [caller, links, holders] the caller vouches for a readable header, the check for what it says, and a live node for its
    // children.
    unsafe {
        if node.is_null() || !checks::check_seen(CALL, Kind::Tree, HEADER, node) {
            return Handle::NULL;
        }
        let_go(CALL, Node::of(node), object)
    }
}

/// Has a node let go of an object on behalf of `call`.
///
/// # Safety
/// The node is one of this thread's that is there.
pub(crate) unsafe fn let_go(call: Call, node: *mut Node, object: *const u8) -> Handle {
    // SAFETY: [caller, links, holders] the contract is the caller's, and the children of a node are live.
    unsafe {
        let mut child = (*node).lastchild;
        while !child.is_null() {
            if !is_child(child, node) {
                break;
            }
            let at = Node::data(child);
            if (*child).cell.flags & FLAG_HOLD != 0 {
                let held = at.cast::<Handle>().read();
                if held.data.cast_const() == object {
                    // What was freed meanwhile is reported now, and stays with the node.
                    if !object::check(call, held, object::Check::Write) {
                        return Handle::NULL;
                    }
                    if !unlink_checked(child) {
                        break;
                    }
                    let went = end::end_slow(call, Kind::Tree, HEADER, at, (*child).src, false);
                    return if went { held } else { Handle::NULL };
                }
            } else if at.cast_const() == object {
                let shred = i32::from((*child).cell.flags & FLAG_DEEP != 0);
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

/// Returns true if a node lies below what this counted cell owns.
///
/// # Safety
/// The node is live and this thread's, and so is the cell.
#[cfg(feature = "ref")]
pub(crate) unsafe fn is_owned_by(node: *mut Node, cell: *mut u8) -> bool {
    // SAFETY: [caller, links, record] the contract is the caller's.
    unsafe {
        let root = crate::raw::refs::owned::owned(cell);
        !root.is_null() && is_within(node, root)
    }
}
