//! The owner of a tree.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use super::children::{child_of, first_same, next_of};
use super::{Node, NodeRef};
use crate::cell::Kind;
use crate::emplace;
use crate::error::{AllocError, Refused};
use crate::raw;
use crate::source::{CellSource, Heap, Place};

/// A value at the root of a tree. Dropping it drops everything below: children before their parents and the first child before the
/// second, in constant stack at any depth.
///
/// Nodes are added through a shared borrow, as in an arena, and stay in place until they are freed:
///
/// - [`NodeRef::push`] adds a child with a value of the same type, which can be walked and has children of its own;
/// - [`NodeRef::push_child`] adds a child with a value of any type. Its owner, a [`Node`], can change it and free it early;
/// - [`NodeRef::try_push_pool`] adds a pool;
/// - [`NodeRef::graft`] and [`NodeRef::push_tree`] add a whole tree, and [`Node::detach`] makes a child a tree;
/// - [`NodeRef::adopt`] adds a [`HeapBox`](crate::HeapBox) or a [`Ref`](crate::Ref), which is freed with the node;
/// - [`NodeRef::on_free`] adds a function that is called when the node is about to be freed.
///
/// The root is allocated from the source `S`, and a child from the source of its parent. Grafted trees keep their sources. A node
/// has 64 bytes of header, and 16 more if its value needs a destructor. A tree is used by one thread at a time. It is `Send` if its
/// values and its source are.
///
/// With [`Tree::in_arena`] the nodes lie in an arena of the tree and are freed together with it. If their values have destructors, the
/// second child is dropped before the first there.
///
/// ```
/// use kmem::Tree;
/// let tree = Tree::new("root");
/// let branch = tree.node().push("branch");
/// branch.push("leaf");
/// tree.node().push("other branch");
/// assert_eq!(tree.node().children().map(|node| *node).collect::<Vec<_>>(), ["branch", "other branch"]);
/// ```
///
/// A node cannot outlive its root:
///
/// ```compile_fail,E0505
/// let tree = kmem::Tree::new(1);
/// let leaf = tree.node().push(2);
/// drop(tree);
/// println!("{}", *leaf);
/// ```
pub struct Tree<T: ?Sized, S = Heap> {
    pub(super) data: NonNull<T>,
    /// Invariant in `T`: a value of a shorter life must not be put among the others.
    owns: PhantomData<(S, *mut T)>,
    drops: PhantomData<T>,
}

// SAFETY: [threads] nodes borrow the tree, so a tree that moves has none in use, and it moves whole. Children of other types, grafted
// trees with their sources, adopted objects and functions are `Send` by the bounds of the methods that add them. Blocks are returned to
// the source on the thread that frees the tree.
unsafe impl<T: ?Sized + Send, S: Send> Send for Tree<T, S> {}

/// Returns the function that allocates a root for a constructor.
#[inline]
fn alloc_in<S: CellSource>(place: impl Place<Source = S>) -> impl emplace::Alloc {
    let (source, name) = place.into_parts();
    // SAFETY: [outlives, typed] a `CellSource` outlives its type's lifetime, which bounds the owner of the new node. `emplace` asks for
    // a destructor that suits the value.
    move |request| unsafe {
        let request = raw::Request { name, ..*request };
        raw::tree::alloc(source.as_cell(), core::ptr::null_mut(), &request)
    }
}

impl<T, S> Tree<T, S> {
    /// Returns a reference to the root, which adds nodes below it.
    ///
    /// ```
    /// let tree = kmem::Tree::new(7);
    /// assert_eq!(*tree.node(), 7);
    /// ```
    #[must_use]
    pub fn node(&self) -> NodeRef<'_, T> {
        // SAFETY: [lent] the owner is borrowed, which keeps the node live.
        unsafe { NodeRef::new(self.data) }
    }

    /// Frees the children of the root that `keep` rejects, with everything below them. `keep` gets only children with a value of the
    /// root's type.
    ///
    /// ```
    /// let mut tree = kmem::Tree::new(0);
    /// for number in 1..=4 {
    ///     tree.node().push(number);
    /// }
    /// tree.retain(|number| *number % 2 == 0);
    /// assert_eq!(tree.node().children().map(|node| *node).collect::<Vec<_>>(), [2, 4]);
    /// ```
    pub fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        // SAFETY: [same, sole] the root is live. A child that `first_same` finds has a value of the root's type. The whole tree is
        // borrowed exclusively, so nobody else uses the child.
        unsafe {
            let mut next = first_same(child_of(self.data.cast()));
            while let Some(node) = next {
                next = first_same(next_of(node));
                if !keep(node.cast::<T>().as_mut()) {
                    raw::tree::f(node.as_ptr());
                }
            }
        }
    }

    /// Moves the root's value out and drops everything below it. Functions that were [added](NodeRef::on_free) to the root are called
    /// first.
    ///
    /// ```
    /// let tree = kmem::Tree::new(String::from("out"));
    /// assert_eq!(tree.into_inner(), "out");
    /// ```
    pub fn into_inner(self) -> T {
        // SAFETY: [sole] the root is live, and this was its only owner.
        unsafe { emplace::take(self.into_non_null(), Kind::Tree, |data| _ = raw::tree::f(data)) }
    }
}

#[cfg(all(feature = "arena", feature = "heap"))]
impl<T> Tree<T> {
    /// Moves a value into a new tree on the heap, with an arena: the nodes that are added below are allocated from it, one behind the
    /// other.
    ///
    /// Dropping the tree frees the nodes in the arena together. It visits only those whose values need a destructor, are tainted, or
    /// were allocated elsewhere: pools, adopted objects and grafted trees. Destructors run the newest first, so children before
    /// their parents. If a [function was added](NodeRef::on_free) to one of the nodes, dropping the tree visits each node.
    ///
    /// A node in the arena cannot leave the tree: [`Node::detach`] returns it as an error. The memory of a node that is freed alone serves
    /// the next nodes of its size.
    ///
    /// # Panics
    /// Panics if [`try_in_arena_of`](Tree::try_in_arena_of) would fail.
    ///
    /// ```
    /// use kmem::Tree;
    /// let tree = Tree::in_arena("root");
    /// let branch = tree.node().push("branch");
    /// for _ in 0..1000 {
    ///     branch.push("leaf");
    /// }
    /// assert_eq!(branch.children().count(), 1000);
    /// assert!(tree.push_child(7).detach().is_err());
    /// ```
    #[track_caller]
    #[must_use]
    pub fn in_arena(value: T) -> Self {
        Self::in_arena_of(0, value, Heap)
    }
}

#[cfg(feature = "arena")]
impl<T, S: CellSource> Tree<T, S> {
    /// Moves a value into a new tree with an [arena](Tree::in_arena), both allocated from a source. `first` is the size of the arena's first
    /// block in bytes, or 0 for a default. Each further block is twice as large as the one before it, up to a limit.
    ///
    /// # Panics
    /// Panics if [`try_in_arena_of`](Tree::try_in_arena_of) would fail.
    ///
    /// ```
    /// use kmem::{Heap, Named, Tree};
    /// let tree = Tree::in_arena_of(1 << 16, 0, Named(c"request", Heap));
    /// tree.node().push(1);
    /// ```
    #[track_caller]
    pub fn in_arena_of(first: usize, value: T, place: impl Place<Source = S>) -> Self {
        emplace::made(Self::try_in_arena_of(first, value, place))
    }

    /// Moves a value into a new tree with an arena, as [`in_arena_of`](Tree::in_arena_of) does.
    ///
    /// # Errors
    /// Returns the value and the error of [`try_new_in`](Tree::try_new_in), or that of [`try_own_arena`](Tree::try_own_arena).
    ///
    /// ```
    /// use kmem::{Pool, Tree};
    /// let cells = Pool::bytes(100, 10);
    /// let refused = Tree::try_in_arena_of(4096, 7, &cells).unwrap_err();
    /// assert_eq!(refused.into_value(), 7);
    /// ```
    pub fn try_in_arena_of(
        first: usize,
        value: T,
        place: impl Place<Source = S>,
    ) -> Result<Self, Refused<T>> {
        let mut tree = Self::try_new_in(value, place)?;
        match tree.try_own_arena(first) {
            Ok(()) => Ok(tree),
            Err(error) => Err(Refused::new(error, tree.into_inner())),
        }
    }
}

impl<T: ?Sized, S> Tree<T, S> {
    /// # Safety
    /// `data` is that of a live root with this value, which the cell drops, allocated from an `S`, and nothing else owns it. Children
    /// with [`FLAG_TYPED_CHILD`](raw::FLAG_TYPED_CHILD) have values of the same type.
    pub(crate) unsafe fn own(data: NonNull<T>) -> Self {
        Tree { data, owns: PhantomData, drops: PhantomData }
    }

    pub(crate) fn into_non_null(self) -> NonNull<T> {
        ManuallyDrop::new(self).data
    }

    /// Returns the engine's handle on the root.
    fn handle(&self) -> raw::Handle {
        // SAFETY: [sole] the owner has a live root.
        unsafe { raw::ptr::handle_of(Kind::Tree, self.data.as_ptr().cast()) }
    }

    /// Adds a child with a value of any type, as [`NodeRef::push_child`] does.
    ///
    /// # Panics
    /// Panics if [`NodeRef::try_push_child`] would fail.
    ///
    /// ```
    /// let tree = kmem::Tree::new("numbers");
    /// let seven = tree.push_child(7);
    /// assert_eq!(*seven, 7);
    /// ```
    #[track_caller]
    pub fn push_child<U: Send + 'static>(&self, value: U) -> Node<'_, U> {
        // SAFETY: [lent] the borrow of the root keeps it in place.
        emplace::made(unsafe { Node::below(self.data.cast(), None, value) })
    }

    /// Frees everything below the root, and the objects that the root has [adopted](NodeRef::adopt). The root keeps the functions that
    /// are [called when it is freed](NodeRef::on_free).
    ///
    /// ```
    /// let mut tree = kmem::Tree::new(0);
    /// tree.node().push(1).push(2);
    /// tree.clear();
    /// assert_eq!(tree.node().below(), 0);
    /// ```
    pub fn clear(&mut self) {
        // SAFETY: [sole] the tree is borrowed exclusively, so nobody uses a child or anything below it.
        unsafe { raw::tree::x(self.data.as_ptr().cast()) };
    }

    /// Gives a root without children an arena, from which all nodes below it are allocated, see [`in_arena`](Tree::in_arena). The arena
    /// has its blocks from the source of the root. `first` is the size of the first block in bytes, or 0 for a default.
    ///
    /// # Errors
    /// Returns [`AllocError::Fixed`] if the root has children or an arena, and [`AllocError::Exhausted`] or [`AllocError::Size`] if the
    /// source cannot serve the first block.
    ///
    /// ```
    /// let mut tree = kmem::Tree::<str>::from("request");
    /// tree.try_own_arena(0)?;
    /// tree.push_child([7u8; 100]);
    /// assert!(tree.try_own_arena(0).is_err());
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    #[cfg(feature = "arena")]
    pub fn try_own_arena(&mut self, first: usize) -> Result<(), AllocError> {
        // SAFETY: [sole, outlives] the tree is borrowed exclusively, on this thread, and its source outlives it.
        unsafe { raw::tree::own(self.data.as_ptr().cast(), first) }
    }

    /// Drops the tree and zeroes all its nodes.
    ///
    /// ```
    /// let tree = kmem::Tree::new([7u8; 32]);
    /// tree.node().push([8u8; 32]);
    /// tree.shred();
    /// ```
    #[cfg(feature = "shred")]
    pub fn shred(self) {
        // SAFETY: [sole] this is the tree's only owner.
        unsafe { raw::tree::s(self.into_non_null().as_ptr().cast()) };
    }
}

impl<T: ?Sized, S> Drop for Tree<T, S> {
    fn drop(&mut self) {
        // SAFETY: [sole, outlives] this is the tree's only owner, and nodes borrow it, so none is in use. Cells have the destructors of
        // their values. The source is alive: `S` outlives an owner that has a `Drop`.
        unsafe { raw::tree::f(self.data.as_ptr().cast()) };
    }
}

constructors!(Tree, Kind::Tree, [S], S);
conversions!(Tree, Kind::Tree);
smart_pointer!([T: ?Sized, S] Tree<T, S> => T);
sole_owner!([T: ?Sized, S] Tree<T, S> => T);
grows! {
    self: (&mut self) => self.handle(),
    [S] Tree<[T], S>, Tree<str, S>, Tree<T, S>,
    errors: "",
    example: ("Tree::try_copy_in(&[1, 2], Heap)?", "Tree::<str>::from(\"one\")", "it.", ""),
}
taints!([T: ?Sized, S] Tree<T, S>, Kind::Tree, self: (&mut self), "let mut tree = Tree::new([7u8; 32]);\ntree.taint(); // the root alone");
has_name!([T: ?Sized, S] Tree<T, S>, "Tree::new_in(7, Named(c\"key\", Heap))", "Tree");
has_rename!([T: ?Sized, S] Tree<T, S>, "Tree::new_in(7, Named(c\"key\", Heap))", "Tree", this => Some(this.handle()), "");
unsizable!([T: ?Sized, S] Tree<T, S> => Tree<U, S>);
