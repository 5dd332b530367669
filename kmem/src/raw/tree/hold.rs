//! Holders: by which a node owns an object of another kind.

use core::ptr::null_mut;

use super::{HEADER, Node, OWN, alloc_own, data, place, unlink_checked};
use crate::cell::{FLAG_DEEP, FLAG_HOLD, Kind, Shred};
use crate::error::AllocError;
use crate::fault::{self, Misuse};
use crate::raw::block::{self, Request};
use crate::raw::{Handle, ptr};
#[cfg(feature = "ref")]
use crate::{cell::FLAG_BUSY, raw::refs};

/// Has a node adopt an object of any kind: the node frees it as [`ptr::free`] does, among its children and in their order, when it goes.
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
    const CALL: &str = "kmtreek";
    // SAFETY: [caller, live, fresh] the caller vouches for readable headers, the checks for what they say; the data of the new node has room
    // for a handle, and nobody else has seen it.
    unsafe {
        let above = place::check(CALL, node)?;
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
pub(crate) unsafe fn adopt(call: &'static str, above: *mut Node, object: Handle) -> Result<(), AllocError> {
    // SAFETY: [caller, live, fresh] the caller vouches for a readable header, the check for what it says; the data of the new node has room
    // for a handle, and nobody else has seen it.
    unsafe {
        if object.is_null() {
            return Err(AllocError::Source(None));
        }
        if !ptr::check(call, object, ptr::For::Change) {
            return Err(AllocError::Misused);
        }
        if object.kind == Kind::Tree as i32 {
            place::move_into(call, object.data, above, true)?;
            if object.shred != 0 {
                super::deepen(super::header(object.data));
            }
            return Ok(());
        }
        #[cfg(feature = "ref")]
        if object.kind == Kind::Ref as i32 && place::is_owned_by(above, object.data) {
            return Err(AllocError::Below);
        }
        place::check_end(call, above, false)?;
        let new = alloc_own((*above).src, data(above), &Request::new(size_of::<Handle>()), FLAG_HOLD, call)?;
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
    const CALL: &str = "kmtreel";
    // SAFETY: [caller, links, holders] the caller vouches for a readable header, the check for what it says, and a live node for its
    // children.
    unsafe {
        if node.is_null() || !block::check_seen(CALL, Kind::Tree, HEADER, node) {
            return Handle::NULL;
        }
        let_go(CALL, super::header(node), object)
    }
}

/// Has a node let go of an object on behalf of `call`.
///
/// # Safety
/// The node is one of this thread's that is there.
pub(crate) unsafe fn let_go(call: &'static str, node: *mut Node, object: *const u8) -> Handle {
    // SAFETY: [caller, links, holders] the contract is the caller's, and the children of a node are live.
    unsafe {
        let mut child = (*node).lastchild;
        while !child.is_null() {
            if !place::is_child(child, node) {
                break;
            }
            let at = data(child);
            if (*child).cell.flags & FLAG_HOLD != 0 {
                let held = at.cast::<Handle>().read();
                if held.data.cast_const() == object {
                    // What was freed meanwhile is reported now, and stays with the node.
                    if !ptr::check(call, held, ptr::For::Change) {
                        return Handle::NULL;
                    }
                    if !unlink_checked(child) {
                        break;
                    }
                    let went = block::end_carefully(call, Kind::Tree, HEADER, at, (*child).src, false);
                    return if went { held } else { Handle::NULL };
                }
            } else if at.cast_const() == object {
                let shred = i32::from((*child).cell.flags & FLAG_DEEP != 0);
                return match place::move_below(call, at, null_mut(), false) {
                    Ok(()) => Handle { shred, ..super::handle(at) },
                    Err(_) => Handle::NULL,
                };
            }
            child = (*child).prev;
        }
        if !child.is_null() {
            fault::report(call, data(node), Misuse::Damaged);
        }
    }
    Handle::NULL
}

/// Whether a node is a holder that a node drawn from another source cannot have: that source may go before the object does.
///
/// # Safety
/// Both are live nodes of this thread's.
pub(super) unsafe fn is_drawn_elsewhere(node: *mut Node, above: *mut Node) -> bool {
    // SAFETY: [caller] both are live.
    unsafe { (*node).cell.flags & FLAG_HOLD != 0 && (*node).src != (*above).src }
}

/// Holders that hang nowhere, linked by `next`. Dropping them ends them, and goes on where a source unwinds.
pub(super) struct Holders {
    call: &'static str,
    first: *mut Node,
    pub(super) count: usize,
}

impl Holders {
    pub(super) fn new(call: &'static str) -> Holders {
        Holders { call, first: null_mut(), count: 0 }
    }

    /// Draws one more from where `above` was.
    ///
    /// # Safety
    /// It is a live node of this thread's.
    pub(super) unsafe fn draw(&mut self, above: *mut Node) -> Result<(), AllocError> {
        // SAFETY: [caller, fresh] the new node is nobody else's.
        unsafe {
            let request = Request::new(size_of::<Handle>());
            let new = alloc_own((*above).src, null_mut(), &request, FLAG_HOLD, self.call)?;
            self.push(super::header(new.as_ptr()));
        }
        Ok(())
    }

    /// Puts one of these into the place of a holder that has been taken out, which goes to those that are left, and returns it.
    ///
    /// # Safety
    /// There is one, and the holder is live.
    pub(super) unsafe fn replace(&mut self, holder: *mut Node, left: &mut Holders) -> *mut Node {
        // SAFETY: [caller, holders] the data of both is a handle.
        unsafe {
            let new = self.pop();
            data(new).cast::<Handle>().write(held(holder));
            left.push(holder);
            new
        }
    }

    /// # Safety
    /// The holder is live and hangs nowhere.
    unsafe fn push(&mut self, holder: *mut Node) {
        // SAFETY: [caller] the contract is the caller's.
        unsafe { (*holder).next = self.first };
        (self.first, self.count) = (holder, self.count + 1);
    }

    /// # Safety
    /// There is one.
    unsafe fn pop(&mut self) -> *mut Node {
        let holder = self.first;
        // SAFETY: [caller, holders] the first of them is live.
        (self.first, self.count) = (unsafe { (*holder).next }, self.count - 1);
        holder
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        /// Goes on with the others where the source of one unwinds.
        struct Rest<'a>(&'a mut Holders);
        impl Rest<'_> {
            fn end(&mut self) {
                while !self.0.first.is_null() {
                    // SAFETY: [guard, holders] they hang nowhere, and what they hold is another's, or nothing yet.
                    unsafe {
                        let holder = self.0.pop();
                        block::end_carefully(
                            self.0.call,
                            Kind::Tree,
                            HEADER,
                            data(holder),
                            (*holder).src,
                            false,
                        );
                    }
                }
            }
        }
        impl Drop for Rest<'_> {
            fn drop(&mut self) {
                self.end();
            }
        }
        Rest(self).end();
    }
}

/// The object that a holder holds.
///
/// # Safety
/// The node is a live holder.
pub(super) unsafe fn held(node: *mut Node) -> Handle {
    // SAFETY: [caller, holders] the data of a holder is a handle.
    unsafe { data(node).cast::<Handle>().read() }
}

/// Frees what a holder holds, and returns true; or, if that is the last reference to a counted cell that owns something, hangs that below
/// the holder and returns false: the cell ends when the holder is released again, after that.
///
/// # Safety
/// The node is a holder on its way out.
pub(super) unsafe fn release(call: &'static str, node: *mut Node, shred: bool) -> bool {
    // SAFETY: [caller, holders] the data of a holder is a handle, whose object was given up to it.
    unsafe {
        let object = held(node);
        let shred = Shred::from(shred || object.shred != 0);
        #[cfg(feature = "ref")]
        if object.kind == Kind::Ref as i32 && ptr::agrees(object, refs::header(object.data).cast()) {
            if (*node).cell.flags & FLAG_BUSY != 0 {
                refs::end_owner(call, object.data);
            } else if let Some(root) = refs::release_below(object.data, call, shred) {
                (*node).cell.flags |= FLAG_BUSY;
                (*root.as_ptr()).parent = node;
                ((*node).child, (*node).lastchild) = (root.as_ptr(), root.as_ptr());
                return false;
            }
            return true;
        }
        ptr::release(object, call, shred);
    }
    true
}
