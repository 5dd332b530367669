//! The children of a node that have its type.

use core::ptr::NonNull;

use crate::raw::{self, FLAG_TYPED_CHILD};

/// Returns the data of a node's first child.
///
/// # Safety
/// `data` is that of a live node of this thread. So it is for the functions below.
pub(super) unsafe fn child_of(data: NonNull<u8>) -> Option<NonNull<u8>> {
    // SAFETY: [caller] the contract is the caller's.
    data_of(unsafe { (*raw::Node::of(data.as_ptr())).child })
}

/// Returns the data of a node's next sibling.
pub(super) unsafe fn next_of(data: NonNull<u8>) -> Option<NonNull<u8>> {
    // SAFETY: [caller] the contract is the caller's.
    data_of(unsafe { (*raw::Node::of(data.as_ptr())).next })
}

/// Returns the data of a node, or `None` if the pointer is null.
pub(super) fn data_of(node: *mut raw::Node) -> Option<NonNull<u8>> {
    if node.is_null() { None } else { NonNull::new(raw::Node::data(node)) }
}

/// Returns true if a node was made with its parent's type.
pub(super) unsafe fn is_same(data: NonNull<u8>) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { (*raw::Node::of(data.as_ptr())).cell.flags & FLAG_TYPED_CHILD != 0 }
}

/// Returns the first of these siblings that was made with its parent's type.
pub(super) unsafe fn first_same(mut node: Option<NonNull<u8>>) -> Option<NonNull<u8>> {
    // SAFETY: [caller, links] the siblings of a live node are live.
    unsafe {
        while let Some(data) = node.filter(|&data| !is_same(data)) {
            node = next_of(data);
        }
    }
    node
}

/// The children of a node that were made with its own type, from both ends. A child that is added at the end meanwhile is returned too,
/// unless the iterator has been used from the back.
pub(crate) struct Children<T> {
    parent: NonNull<T>,
    /// The child that was last returned from the front, and from the back.
    front: Option<NonNull<u8>>,
    back: Option<NonNull<u8>>,
}

impl<T> Children<T> {
    /// # Safety
    /// `parent` is the data of a node of this thread with a `T`. It and its children with [`FLAG_TYPED_CHILD`] stay live as long as the
    /// iterator is used.
    pub(crate) unsafe fn of(parent: NonNull<T>) -> Self {
        Children { parent, front: None, back: None }
    }
}

impl<T> Iterator for Children<T> {
    type Item = NonNull<T>;

    fn next(&mut self) -> Option<NonNull<T>> {
        // SAFETY: [caller] the caller of `of` keeps the parent and these children live.
        let next = unsafe {
            first_same(match self.front {
                None => child_of(self.parent.cast()),
                Some(front) => next_of(front),
            })
        };
        let next = next.filter(|_| next != self.back)?;
        self.front = Some(next);
        Some(next.cast())
    }
}

impl<T> DoubleEndedIterator for Children<T> {
    fn next_back(&mut self) -> Option<NonNull<T>> {
        let header = |data: NonNull<u8>| raw::Node::of(data.as_ptr());
        // SAFETY: [caller, links] the caller of `of` keeps the parent and these children live, and siblings of a live node are live.
        let next = unsafe {
            let mut next = match self.back {
                None => data_of((*header(self.parent.cast())).lastchild),
                Some(back) => data_of((*header(back)).prev),
            };
            while let Some(data) = next.filter(|&data| !is_same(data)) {
                next = data_of((*header(data)).prev);
            }
            next
        };
        let next = next.filter(|_| next != self.front)?;
        self.back = Some(next);
        Some(next.cast())
    }
}
