//! New holders for adopted objects that move to a node from another source.

use core::ptr::null_mut;

use super::free::held;
use super::make::alloc_own;
use crate::cell::{FLAG_HOLD, Kind};
use crate::error::AllocError;
use crate::fault::Call;
use crate::raw::layout::{NODE as HEADER, Node};
use crate::raw::request::Request;
use crate::raw::{Handle, end};

/// Returns true if a node is a holder from another source than `above`: that source need not outlive `above`.
///
/// # Safety
/// Both are live nodes of this thread.
pub(crate) unsafe fn is_drawn_elsewhere(node: *mut Node, above: *mut Node) -> bool {
    // SAFETY: [caller] both are live.
    unsafe { (*node).cell.flags & FLAG_HOLD != 0 && (*node).src != (*above).src }
}

/// A list of detached holders, linked by `next`. Dropping it frees them, also if a source unwinds.
pub(crate) struct Holders {
    call: Call,
    first: *mut Node,
    pub(crate) count: usize,
}

impl Holders {
    pub(crate) fn new(call: Call) -> Holders {
        Holders { call, first: null_mut(), count: 0 }
    }

    /// Allocates one more holder from the source of `above`.
    ///
    /// # Safety
    /// It is a live node of this thread.
    pub(crate) unsafe fn draw(&mut self, above: *mut Node) -> Result<(), AllocError> {
        // SAFETY: [caller, fresh] nobody else knows the new node.
        unsafe {
            let request = Request::new(size_of::<Handle>());
            let new = alloc_own((*above).src, null_mut(), &request, FLAG_HOLD, self.call)?;
            self.push(Node::of(new.as_ptr()));
        }
        Ok(())
    }

    /// Returns one of these holders with the object of another, unlinked one, which it adds to `left`.
    ///
    /// # Safety
    /// The list is not empty, and the holder is live.
    pub(crate) unsafe fn replace(&mut self, holder: *mut Node, left: &mut Holders) -> *mut Node {
        // SAFETY: [caller, holders] the data of both is a handle.
        unsafe {
            let new = self.pop();
            Node::data(new).cast::<Handle>().write(held(holder));
            left.push(holder);
            new
        }
    }

    /// # Safety
    /// The holder is live and detached.
    unsafe fn push(&mut self, holder: *mut Node) {
        // SAFETY: [caller] the contract is the caller's.
        unsafe { (*holder).next = self.first };
        (self.first, self.count) = (holder, self.count + 1);
    }

    /// # Safety
    /// The list is not empty.
    unsafe fn pop(&mut self) -> *mut Node {
        let holder = self.first;
        // SAFETY: [caller, holders] the first of them is live.
        (self.first, self.count) = (unsafe { (*holder).next }, self.count - 1);
        holder
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        /// Continues with the others if the source of one unwinds.
        struct Rest<'a>(&'a mut Holders);
        impl Rest<'_> {
            fn end(&mut self) {
                while !self.0.first.is_null() {
                    // SAFETY: [guard, holders] they are detached, and do not own their objects, or have none yet.
                    unsafe {
                        let holder = self.0.pop();
                        end::end_slow(
                            self.0.call,
                            Kind::Tree,
                            HEADER,
                            Node::data(holder),
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
