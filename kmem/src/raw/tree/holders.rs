//! Holders that move with what a node has adopted to a node from another source.

use core::ptr::null_mut;

use super::free::held;
use super::make::alloc_own;
use crate::cell::{FLAG_HOLD, Kind};
use crate::error::AllocError;
use crate::fault::Call;
use crate::raw::layout::{NODE as HEADER, Node};
use crate::raw::request::Request;
use crate::raw::{Handle, end};

/// Whether a node is a holder that a node drawn from another source cannot have: that source may go before the object does.
///
/// # Safety
/// Both are live nodes of this thread's.
pub(crate) unsafe fn is_drawn_elsewhere(node: *mut Node, above: *mut Node) -> bool {
    // SAFETY: [caller] both are live.
    unsafe { (*node).cell.flags & FLAG_HOLD != 0 && (*node).src != (*above).src }
}

/// Holders that hang nowhere, linked by `next`. Dropping them ends them, and goes on where a source unwinds.
pub(crate) struct Holders {
    call: Call,
    first: *mut Node,
    pub(crate) count: usize,
}

impl Holders {
    pub(crate) fn new(call: Call) -> Holders {
        Holders { call, first: null_mut(), count: 0 }
    }

    /// Draws one more from where `above` was.
    ///
    /// # Safety
    /// It is a live node of this thread's.
    pub(crate) unsafe fn draw(&mut self, above: *mut Node) -> Result<(), AllocError> {
        // SAFETY: [caller, fresh] the new node is nobody else's.
        unsafe {
            let request = Request::new(size_of::<Handle>());
            let new = alloc_own((*above).src, null_mut(), &request, FLAG_HOLD, self.call)?;
            self.push(Node::of(new.as_ptr()));
        }
        Ok(())
    }

    /// Puts one of these into the place of a holder that has been taken out, which goes to those that are left, and returns it.
    ///
    /// # Safety
    /// There is one, and the holder is live.
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
