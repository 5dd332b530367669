//! The owner of a child.

use core::ffi::CStr;
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::cell::Kind;
use crate::emplace;
use crate::error::Refused;
use crate::fault::call;
use crate::raw;

/// The owner of a child node, whose value may have any type.
///
/// It borrows the parent. Dropping it leaves the child in its tree, which frees the child with the parent. [`free`](Node::free) frees the
/// child and everything below it at once.
///
/// ```
/// use kmem::Tree;
/// let tree = Tree::new("request");
/// let mut body = tree.node().push_child(String::from("body"));
/// body.push_str(" and more");
/// body.free();
/// ```
pub struct Node<'p, T: ?Sized> {
    pub(super) data: NonNull<T>,
    /// Invariant in `T`: the tree drops the value, as the type that it was allocated with.
    owns: PhantomData<(&'p (), *mut T)>,
}

/// Returns the function that allocates a node below another: from the arena that the other has or lies in, otherwise from the same
/// source.
///
/// # Safety
/// `parent` is the data of a live node of this thread. Its borrow bounds the use of the new node.
pub(super) unsafe fn alloc_below(
    parent: NonNull<u8>,
    flags: u8,
    name: Option<&'static CStr>,
) -> impl emplace::Alloc {
    // SAFETY: [lent, outlives] the parent and its source are live as long as the tree is. `emplace` asks for a destructor that suits
    // the value.
    move |request| unsafe {
        let src = raw::tree::source_below(raw::Node::of(parent.as_ptr()));
        let request = raw::Request { name, ..*request };
        raw::tree::alloc_flagged(src, parent.as_ptr(), &request, flags, call!(c"kmtreea"))
    }
}

impl<'p, T: ?Sized> Node<'p, T> {
    /// # Safety
    /// `data` is that of a live node with this value, which the cell drops, below one that is borrowed for `'p`, and nothing else
    /// owns it.
    pub(super) unsafe fn own(data: NonNull<T>) -> Self {
        Node { data, owns: PhantomData }
    }

    /// Adds a child with a value below a node.
    ///
    /// # Safety
    /// As for [`alloc_below`], and `'p` is the borrow.
    pub(super) unsafe fn below(
        parent: NonNull<u8>,
        name: Option<&'static CStr>,
        value: T,
    ) -> Result<Self, Refused<T>>
    where
        T: Send + Sized + 'static,
    {
        // SAFETY: [caller, fresh] the new node is as `alloc_below` was asked, and this is its only owner.
        unsafe { emplace::value(value, alloc_below(parent, 0, name)).map(|data| Self::own(data)) }
    }

    #[allow(clippy::wrong_self_convention, reason = "as for the other owners")]
    pub(crate) fn into_non_null(self) -> NonNull<T> {
        self.data
    }

    /// Returns the engine's handle on the node.
    pub(super) fn handle(&self) -> raw::Handle {
        // SAFETY: [sole] the owner has a live node.
        unsafe { raw::ptr::handle_of(Kind::Tree, self.data.as_ptr().cast()) }
    }

    /// Frees the child and everything below it.
    ///
    /// ```
    /// let tree = kmem::Tree::new(1);
    /// tree.push_child("early").free();
    /// assert_eq!(tree.node().below(), 0);
    /// ```
    pub fn free(self) {
        // SAFETY: [sole] this is the child's only owner, and the nodes below borrow it.
        unsafe { raw::tree::f(self.data.as_ptr().cast()) };
    }

    /// Frees the child and everything below it, and zeroes all of it.
    ///
    /// ```
    /// kmem::Tree::new(1).push_child([7u8; 32]).shred();
    /// ```
    #[cfg(feature = "shred")]
    pub fn shred(self) {
        // SAFETY: [sole] this is the child's only owner, and the nodes below borrow it.
        unsafe { raw::tree::s(self.data.as_ptr().cast()) };
    }

    /// Leaves the child in the tree and returns its value, for as long as the parent is borrowed.
    ///
    /// ```
    /// let tree = kmem::Tree::new(1);
    /// let text: &mut String = tree.push_child(String::new()).leave();
    /// text.push('x');
    /// ```
    pub fn leave(mut self) -> &'p mut T {
        // SAFETY: [sole, outlives] the child lives while its parent is borrowed, and this was its only owner.
        unsafe { self.data.as_mut() }
    }
}

smart_pointer!([T: ?Sized] Node<'_, T> => T);
sole_owner!([T: ?Sized] Node<'_, T> => T);
grows! {
    self: (&mut self) => self.handle(),
    [] Node<'_, [T]>, Node<'_, str>, Node<'_, T>,
    errors: "",
    example: ("tree.node().try_push_child_copy(&[1, 2])?", "tree.node().try_push_child_str(\"one\")?", "it.", ""),
}
taints!([T: ?Sized] Node<'_, T>, Kind::Tree, self: (&mut self), "Tree::new(1).push_child([7u8; 32]).taint();");
has_name!([T: ?Sized] Node<'_, T>, "Named(c\"key\", tree.node()).push_child(7)", "Node");
has_rename!([T: ?Sized] Node<'_, T>, "Named(c\"key\", tree.node()).push_child(7)", "Node", this => Some(this.handle()), "");
unsizable!(['p, T: ?Sized] Node<'p, T> => Node<'p, U>);
