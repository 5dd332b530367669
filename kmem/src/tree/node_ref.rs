//! The shared reference to a node, which adds nodes and walks over them.

use core::ffi::CStr;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::children::{Children, data_of, is_same};
use super::node::{Node, alloc_below};
use crate::cell::Kind;
use crate::emplace;
use crate::error::{AllocError, Refused};
use crate::raw::{self, FLAG_TYPED_CHILD};
use crate::source::Named;

/// A shared reference to a node. It adds children and walks over them.
///
/// ```
/// use kmem::Tree;
/// let tree = Tree::new(0);
/// let mut node = tree.node();
/// for depth in 1..1000 {
///     node = node.push(depth);
/// }
/// assert_eq!((*node, tree.node().below()), (999, 999));
/// ```
pub struct NodeRef<'t, T> {
    pub(super) data: NonNull<T>,
    /// Invariant in `T`, as the tree is.
    borrows: PhantomData<(&'t T, *mut T)>,
}

impl<'t, T> NodeRef<'t, T> {
    /// # Safety
    /// `data` is that of a node with a `T` that has no other owner. Its tree is borrowed for `'t`.
    pub(super) unsafe fn new(data: NonNull<T>) -> Self {
        NodeRef { data, borrows: PhantomData }
    }

    pub(crate) fn as_non_null(self) -> NonNull<T> {
        self.data
    }

    /// Returns the engine's handle on the node.
    fn handle(self) -> raw::Handle {
        // SAFETY: [lent] the node is live while its tree is borrowed.
        unsafe { raw::ptr::handle_of(Kind::Tree, self.data.as_ptr().cast()) }
    }

    /// Returns the value, for as long as the tree is borrowed.
    ///
    /// ```
    /// let tree = kmem::Tree::new(7);
    /// let value: &i32 = tree.node().get();
    /// assert_eq!(*value, 7);
    /// ```
    #[must_use]
    pub fn get(self) -> &'t T {
        // SAFETY: [lent] the node is live, and not lent mutably, while its tree is borrowed.
        unsafe { self.data.as_ref() }
    }

    /// Adds a child with a value of the same type, after the others. [`Named`] gives it a name.
    ///
    /// # Panics
    /// Panics if [`try_push`](NodeRef::try_push) would fail.
    ///
    /// ```
    /// let tree = kmem::Tree::new("root");
    /// assert_eq!(*tree.node().push("leaf"), "leaf");
    /// ```
    #[track_caller]
    pub fn push(self, value: T) -> NodeRef<'t, T> {
        emplace::made(self.try_push(value))
    }

    /// Adds a child with a value of the same type, after the others.
    ///
    /// # Errors
    /// Returns the value with [`AllocError::Exhausted`] if the source of this node has no memory left, and with [`AllocError::Size`] or
    /// [`AllocError::Align`] if it cannot serve such a cell.
    ///
    /// ```
    /// use kmem::{Pool, Tree};
    /// let pool = Pool::bytes(80, 1);
    /// let tree = Tree::new_in(1, &pool);
    /// assert_eq!(tree.node().try_push(2).unwrap_err().into_value(), 2);
    /// ```
    pub fn try_push(self, value: T) -> Result<NodeRef<'t, T>, Refused<T>> {
        self.add(None, value)
    }

    fn add(self, name: Option<&'static CStr>, value: T) -> Result<NodeRef<'t, T>, Refused<T>> {
        // SAFETY: [lent, same] this node and the new one are live while the tree is borrowed. The flag says that the child has this
        // node's type.
        unsafe {
            emplace::value(value, alloc_below(self.data.cast(), FLAG_TYPED_CHILD, name))
                .map(|data| NodeRef::new(data))
        }
    }

    /// Adds a child with a value of any type. [`children`](NodeRef::children) does not return it. [`Named`] gives it a name.
    ///
    /// The value is `'static`, since the tree may outlive every borrow, and `Send`, since the tree may move to another thread.
    ///
    /// # Panics
    /// Panics if [`try_push_child`](NodeRef::try_push_child) would fail.
    ///
    /// ```
    /// let tree = kmem::Tree::new("request");
    /// let headers = tree.node().push_child(vec!["host", "accept"]);
    /// assert_eq!(headers.len(), 2);
    /// ```
    #[track_caller]
    pub fn push_child<U: Send + 'static>(self, value: U) -> Node<'t, U> {
        emplace::made(self.try_push_child(value))
    }

    /// Adds a child with a value of any type, as [`push_child`](NodeRef::push_child) does.
    ///
    /// # Errors
    /// Returns the value and the error of [`try_push`](NodeRef::try_push).
    ///
    /// ```
    /// let tree = kmem::Tree::new("request");
    /// assert_eq!(*tree.node().try_push_child(7).unwrap(), 7);
    /// ```
    pub fn try_push_child<U: Send + 'static>(self, value: U) -> Result<Node<'t, U>, Refused<U>> {
        // SAFETY: [lent] this node and the new one are live while the tree is borrowed.
        unsafe { Node::below(self.data.cast(), None, value) }
    }

    /// Adds a child with a copy of a string.
    ///
    /// # Errors
    /// Returns the error of [`try_push`](NodeRef::try_push).
    ///
    /// ```
    /// let tree = kmem::Tree::new(0);
    /// assert_eq!(&*tree.node().try_push_child_str("text")?, "text");
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_push_child_str(self, text: &str) -> Result<Node<'t, str>, AllocError> {
        // SAFETY: [lent, fresh] this node and the new one, whose only owner this is, are live while the tree is borrowed.
        unsafe { emplace::str(text, alloc_below(self.data.cast(), 0, None)).map(|data| Node::own(data)) }
    }

    /// Adds a child with a copy of a slice.
    ///
    /// # Errors
    /// Returns the error of [`try_push`](NodeRef::try_push).
    ///
    /// ```
    /// let tree = kmem::Tree::new(0);
    /// assert_eq!(*tree.node().try_push_child_copy(&[1, 2])?, [1, 2]);
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_push_child_copy<U: Copy + Send + 'static>(
        self,
        values: &[U],
    ) -> Result<Node<'t, [U]>, AllocError> {
        // SAFETY: [lent, fresh] this node and the new one, whose only owner this is, are live while the tree is borrowed.
        unsafe { emplace::copy(values, alloc_below(self.data.cast(), 0, None)).map(|data| Node::own(data)) }
    }

    /// Adds a child that is a pool of `cells` cells, allocated in one block from the source of this node.
    ///
    /// A pool that was passed to [`forget`](core::mem::forget) is destroyed with this node, and drops the values in it then. So the values
    /// are `Send` and `'static`.
    ///
    /// # Errors
    /// Returns the error of [`Pool::try_new_in`](crate::Pool::try_new_in).
    ///
    /// ```
    /// let tree = kmem::Tree::new("request");
    /// let pool = tree.node().try_push_pool::<String>(10)?;
    /// assert_eq!(*pool.alloc("text".into()), "text");
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    #[cfg(feature = "pool")]
    pub fn try_push_pool<U: Send + 'static>(
        self,
        cells: usize,
    ) -> Result<crate::Pool<U, crate::InNode<'t>>, AllocError> {
        let node = raw::Node::of(self.data.as_ptr().cast());
        // SAFETY: [lent, one-thread] the node is live while its tree is borrowed, on this thread.
        unsafe { crate::Pool::in_node(NonNull::new_unchecked(node), cells) }
    }

    /// Returns the parent, if this node was [pushed](NodeRef::push).
    ///
    /// ```
    /// let tree = kmem::Tree::new(1);
    /// let leaf = tree.node().push(2);
    /// assert_eq!(leaf.parent().map(|node| *node), Some(1));
    /// assert!(tree.node().parent().is_none());
    /// ```
    #[must_use]
    pub fn parent(self) -> Option<NodeRef<'t, T>> {
        let data = self.data.cast::<u8>();
        // SAFETY: [lent, same] the node is live while its tree is borrowed. The parent of a node with the flag has its type, and was
        // reached by shared references too.
        unsafe {
            if !is_same(data) {
                return None;
            }
            let parent = (*raw::Node::of(data.as_ptr())).parent;
            data_of(parent).map(|parent| NodeRef::new(parent.cast()))
        }
    }

    /// Returns the children with a value of the same type, in the order in which they were added, or from the last. A child that is added
    /// meanwhile is returned too, unless the iterator has been used from the back.
    ///
    /// ```
    /// let tree = kmem::Tree::new(0);
    /// tree.node().push(1);
    /// tree.node().push_child("of another type");
    /// tree.node().push(2);
    /// assert_eq!(tree.node().children().map(|node| *node).sum::<i32>(), 3);
    /// assert_eq!(tree.node().children().next_back().map(|last| *last), Some(2));
    /// ```
    pub fn children(self) -> impl DoubleEndedIterator<Item = NodeRef<'t, T>> {
        // SAFETY: [lent, same] the node is live while its tree is borrowed. So are the children that were pushed, which have no owner
        // that could free them.
        unsafe { Children::of(self.data).map(|child| NodeRef::new(child)) }
    }

    /// Counts the nodes below this one, of any type, and the objects that they have [adopted](NodeRef::adopt), by walking over them.
    ///
    /// ```
    /// let tree = kmem::Tree::new(0);
    /// tree.node().push(1).push(2);
    /// assert_eq!(tree.node().below(), 2);
    /// ```
    #[must_use]
    pub fn below(self) -> usize {
        // SAFETY: [lent, one-thread] the node is live while its tree is borrowed, on this thread.
        unsafe { raw::tree::below(self.data.as_ptr().cast()) }
    }
}

impl<'t, T> Named<NodeRef<'t, T>> {
    /// Adds a named child with a value of the same type, as [`NodeRef::push`] does.
    ///
    /// # Panics
    /// Panics if [`try_push`](Named::try_push) would fail.
    ///
    /// ```
    /// use kmem::{Named, NodeRef, Tree};
    /// let tree = Tree::new("root");
    /// assert_eq!(NodeRef::name(&Named(c"leaf", tree.node()).push("value")), Some(c"leaf"));
    /// ```
    #[track_caller]
    pub fn push(self, value: T) -> NodeRef<'t, T> {
        emplace::made(self.try_push(value))
    }

    /// Adds a named child with a value of the same type.
    ///
    /// # Errors
    /// Returns the value and the error of [`NodeRef::try_push`].
    ///
    /// ```
    /// use kmem::{Named, Tree};
    /// assert_eq!(*Named(c"leaf", Tree::new(1).node()).try_push(2).unwrap(), 2);
    /// ```
    pub fn try_push(self, value: T) -> Result<NodeRef<'t, T>, Refused<T>> {
        self.1.add(Some(self.0), value)
    }

    /// Adds a named child with a value of any type, as [`NodeRef::push_child`] does.
    ///
    /// # Panics
    /// Panics if [`try_push_child`](Named::try_push_child) would fail.
    ///
    /// ```
    /// use kmem::{Named, Node, Tree};
    /// let tree = Tree::new("request");
    /// assert_eq!(Node::name(&Named(c"body", tree.node()).push_child(vec![7u8; 100])), Some(c"body"));
    /// ```
    #[track_caller]
    pub fn push_child<U: Send + 'static>(self, value: U) -> Node<'t, U> {
        emplace::made(self.try_push_child(value))
    }

    /// Adds a named child with a value of any type.
    ///
    /// # Errors
    /// Returns the value and the error of [`NodeRef::try_push`].
    ///
    /// ```
    /// use kmem::{Named, Tree};
    /// assert_eq!(*Named(c"length", Tree::new("request").node()).try_push_child(7).unwrap(), 7);
    /// ```
    pub fn try_push_child<U: Send + 'static>(self, value: U) -> Result<Node<'t, U>, Refused<U>> {
        // SAFETY: [lent] the node and the new one are live while the tree is borrowed.
        unsafe { Node::below(self.1.data.cast(), Some(self.0), value) }
    }

    /// Adds a named child with a copy of a string.
    ///
    /// # Errors
    /// Returns the error of [`NodeRef::try_push`].
    ///
    /// ```
    /// use kmem::{Named, Node, Tree};
    /// let tree = Tree::new(0);
    /// assert_eq!(Node::name(&Named(c"city", tree.node()).try_push_child_str("Turin")?), Some(c"city"));
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_push_child_str(self, text: &str) -> Result<Node<'t, str>, AllocError> {
        // SAFETY: [lent, fresh] the node and the new one, whose only owner this is, are live while the tree is borrowed.
        unsafe {
            emplace::str(text, alloc_below(self.1.data.cast(), 0, Some(self.0))).map(|data| Node::own(data))
        }
    }

    /// Adds a named child with a copy of a slice.
    ///
    /// # Errors
    /// Returns the error of [`NodeRef::try_push`].
    ///
    /// ```
    /// use kmem::{Named, Node, Tree};
    /// let tree = Tree::new(0);
    /// assert_eq!(Node::name(&Named(c"pair", tree.node()).try_push_child_copy(&[1, 2])?), Some(c"pair"));
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_push_child_copy<U: Copy + Send + 'static>(
        self,
        values: &[U],
    ) -> Result<Node<'t, [U]>, AllocError> {
        // SAFETY: [lent, fresh] as in `try_push_child_str`.
        unsafe {
            emplace::copy(values, alloc_below(self.1.data.cast(), 0, Some(self.0)))
                .map(|data| Node::own(data))
        }
    }
}

impl<T> Clone for NodeRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for NodeRef<'_, T> {}

impl<T> core::ops::Deref for NodeRef<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.get()
    }
}

debug!([T] NodeRef<'_, T> => T);
taints!([T] NodeRef<'_, T>, Kind::Tree, self: (self), "Tree::new([0u8; 32]).node().push([7u8; 32]).taint();");
has_name!([T] NodeRef<'_, T>, "Named(c\"key\", tree.node()).push(7)", "NodeRef");

impl<T> Node<'_, T> {
    /// Returns a reference to the child, which adds nodes below it.
    ///
    /// ```
    /// let tree = kmem::Tree::new("root");
    /// let numbers = tree.push_child(0);
    /// numbers.node().push(1);
    /// assert_eq!(numbers.node().children().count(), 1);
    /// ```
    #[must_use]
    pub fn node(&self) -> NodeRef<'_, T> {
        // SAFETY: [lent] the owner is borrowed, which keeps the node live.
        unsafe { NodeRef::new(self.data) }
    }
}
