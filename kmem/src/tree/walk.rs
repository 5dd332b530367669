//! Walks over everything below a node, of any type.

#[cfg(feature = "heap")]
use alloc::string::String;
use core::ffi::CStr;
use core::marker::PhantomData;

use super::{Node, Tree};
use crate::cell::Kind;
use crate::raw;
#[cfg(feature = "heap")]
use crate::text::written;

/// An item of a [`Walk`]: a node, or an object that a node has [adopted](crate::NodeRef::adopt).
///
/// ```
/// let mut tree = kmem::Tree::new(7u32);
/// let kmem::Visit { depth, kind, name, size, .. } = tree.walk().next().unwrap();
/// assert_eq!((depth, kind, name, size), (0, kmem::Kind::Tree, None, 4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Visit {
    /// The depth below the node where the walk began, which has depth 0.
    pub depth: usize,
    /// The kind of the object. For a pool on a node it is [`Kind::Tree`].
    pub kind: Kind,
    /// The name, if it has one.
    pub name: Option<&'static CStr>,
    /// The bytes of data, without the header.
    pub size: usize,
}

/// A walk over a node and everything below it. See [`Tree::walk`].
///
/// ```
/// let mut tree = kmem::Tree::new(7);
/// let walk: kmem::Walk<'_> = tree.walk();
/// assert_eq!(walk.count(), 1);
/// ```
#[derive(Debug)]
pub struct Walk<'t> {
    walk: raw::tree::Walk,
    /// Borrows the tree exclusively, since the owner of a child could free it during the walk.
    borrows: PhantomData<&'t mut ()>,
}

impl Iterator for Walk<'_> {
    type Item = Visit;

    fn next(&mut self) -> Option<Visit> {
        let raw::tree::Visit { object, depth, .. } = self.walk.next()?;
        let kind = Kind::from_raw(object.kind).unwrap_or(Kind::None);
        // SAFETY: [lent, holders] the tree is borrowed, so all its nodes and their objects are live.
        let (name, size) = unsafe { (raw::ptr::name(object), raw::ptr::size(object)) };
        Some(Visit { depth, kind, name, size })
    }
}

impl core::iter::FusedIterator for Walk<'_> {}

impl<T: ?Sized, S> Tree<T, S> {
    /// Walks over the root and everything below it, [adopted](crate::NodeRef::adopt) objects included: a node first, then its children in
    /// their order. It takes constant stack and allocates nothing.
    ///
    /// The tree is borrowed exclusively, since the owner of a child may free it at any time.
    ///
    /// ```
    /// use kmem::{Heap, HeapBox, Kind, Named, Tree};
    /// let mut tree = Tree::new_in(0u64, Named(c"request", Heap));
    /// let body = Named(c"body", tree.node()).push(1);
    /// body.push_child([7u8; 100]);
    /// tree.node().adopt(HeapBox::new_in([0u8; 32], Named(c"key", Heap)));
    /// let seen: Vec<_> = tree.walk().map(|visit| (visit.depth, visit.kind, visit.name, visit.size)).collect();
    /// assert_eq!(seen, [
    ///     (0, Kind::Tree, Some(c"request"), 8),
    ///     (1, Kind::Tree, Some(c"body"), 8),
    ///     (2, Kind::Tree, None, 100),
    ///     (1, Kind::Heap, Some(c"key"), 32),
    /// ]);
    /// ```
    pub fn walk(&mut self) -> Walk<'_> {
        // SAFETY: [lent] the tree is borrowed as long as the walk is used, so nobody else frees or moves a node.
        Walk { walk: unsafe { raw::tree::walk(self.data.as_ptr().cast()) }, borrows: PhantomData }
    }
}

#[cfg(feature = "heap")]
impl<T: ?Sized, S> Tree<T, S> {
    /// Returns a report about the root and everything below it, as indented text. Nodes deeper than `depth` are counted, not
    /// listed; with 0, only the root is listed. See [`raw::report`].
    ///
    /// ```
    /// use kmem::{Heap, Named, Tree};
    /// let mut tree = Tree::new_in(0u64, Named(c"request", Heap));
    /// Named(c"body", tree.node()).push(1).push_child([7u8; 100]);
    /// let report = tree.report(1);
    /// assert!(report.starts_with("tree \"request\", 8 bytes\n  tree \"body\", 8 bytes, 1 cell of 100 bytes below\n"));
    /// ```
    pub fn report(&mut self, depth: usize) -> String {
        // SAFETY: [lent] the tree is borrowed exclusively while it is walked.
        written(|write| unsafe { raw::report::text(self.data.as_ptr().cast(), depth, write) })
    }

    /// Returns a report about the root and everything below it as JSON, one line for each object. The command `kmem-view` draws it. See
    /// [`raw::report`] for the format.
    ///
    /// ```
    /// let mut tree = kmem::Tree::new(0u64);
    /// assert!(tree.snapshot().starts_with("{\"kmem\":1,\"cells\":[\n{\"depth\":0,\"kind\":\"tree\","));
    /// ```
    pub fn snapshot(&mut self) -> String {
        // SAFETY: [lent] as in `report`.
        written(|write| unsafe { raw::report::json(self.data.as_ptr().cast(), usize::MAX, write) })
    }
}

impl<T: ?Sized, S> Tree<T, S> {
    /// Counts the root and everything below it, nodes and adopted objects. With a name, counts only those of that name.
    ///
    /// ```
    /// use kmem::{Named, Tree};
    /// let mut tree = Tree::new(0u64);
    /// for line in ["one", "two"] {
    ///     Named(c"line", tree.node()).push(line.len() as u64);
    /// }
    /// let lines = tree.count(Some(c"line"));
    /// assert_eq!((lines.cells, lines.size, tree.count(None).cells), (2, 16, 3));
    /// ```
    pub fn count(&mut self, name: Option<&CStr>) -> raw::report::Sum {
        // SAFETY: [lent] the tree is borrowed exclusively while it is walked.
        unsafe { raw::report::count(self.data.as_ptr().cast(), name) }
    }
}

impl<T: ?Sized> Node<'_, T> {
    /// Walks over the child and everything below it, as [`Tree::walk`] does.
    ///
    /// ```
    /// let tree = kmem::Tree::new("request");
    /// let mut body = tree.push_child(7);
    /// body.node().push_child("below");
    /// assert_eq!(body.walk().map(|visit| visit.depth).collect::<Vec<_>>(), [0, 1]);
    /// ```
    pub fn walk(&mut self) -> Walk<'_> {
        // SAFETY: [lent] as for a tree. The owner is borrowed exclusively, and the nodes below borrow it.
        Walk { walk: unsafe { raw::tree::walk(self.data.as_ptr().cast()) }, borrows: PhantomData }
    }
}
