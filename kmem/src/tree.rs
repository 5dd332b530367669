//! Trees: the owner of a root, the owner of a child, and the shared reference to a node.

mod adopt;
mod graft;
mod hook;
mod walk;

use core::ffi::CStr;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use crate::cell::Kind;
use crate::emplace;
use crate::error::{AllocError, Refused};
use crate::raw::{self, FLAG_SAME, tree::HEADER};
use crate::source::{CellSource, Heap};

pub use adopt::{Adopt, Adopted};
pub use hook::Hook;
pub use walk::{Visit, Walk};

/// A value at the root of a tree. Dropping it drops everything below: children before their parents, the first child
/// before the second, in constant stack however deep the tree is.
///
/// Nodes are added through a shared borrow, as in an arena, and stay where they are until they go:
///
/// - [`NodeRef::push`] adds a child with a value of the same type, which can be walked and has children of its own;
/// - [`NodeRef::push_child`] adds a child with a value of any type, whose owner, a [`Node`], may change it and free it early;
/// - [`NodeRef::try_push_pool`] adds a pool;
/// - [`NodeRef::graft`] and [`NodeRef::push_tree`] add a whole tree, and [`Node::detach`] makes a child one;
/// - [`NodeRef::adopt`] adds a [`HeapBox`](crate::HeapBox) or a [`Ref`](crate::Ref), which goes with the node;
/// - [`NodeRef::on_free`] adds a function that is called when the node is about to go.
///
/// The root is drawn from the source `S`, and what is added below a node from where that node was: only grafted trees are drawn from
/// elsewhere. A node takes 64 bytes of header, and 16 more where its value needs
/// a destructor. A tree belongs to one thread at a time: it may move to another where its values and its source may.
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
    data: NonNull<T>,
    /// Invariant in `T`: a value of a shorter life must not be put among the others.
    owns: PhantomData<(S, *mut T)>,
    drops: PhantomData<T>,
}

// SAFETY: [threads] nodes borrow the tree, so one that moves has none in use, and it moves whole: children of other types,
// trees that were grafted, with their sources, what was adopted and what is to be called are `Send` by the bounds on what
// adds them. Its blocks go back to the source where it goes.
unsafe impl<T: ?Sized + Send, S: Send> Send for Tree<T, S> {}

/// The owner of a child node, whose value may have any type.
///
/// Dropping it leaves the child in its tree, where it goes with its parent; [`free`](Node::free) frees it and
/// everything below it at once. It borrows the parent.
///
/// ```
/// use kmem::Tree;
/// let tree = Tree::new("request");
/// let mut body = tree.node().push_child(String::from("body"));
/// body.push_str(" and more");
/// body.free();
/// ```
pub struct Node<'p, T: ?Sized> {
    data: NonNull<T>,
    /// Invariant in `T`: the tree drops the value, as the type that it was allocated with.
    owns: PhantomData<(&'p (), *mut T)>,
}

/// A shared reference to a node, through which children are added and walked.
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
    data: NonNull<T>,
    /// Invariant in `T`, as the tree is.
    borrows: PhantomData<(&'t T, *mut T)>,
}

/// What a constructor draws a root with.
#[inline]
fn draw_from<S: CellSource>(source: S) -> impl FnOnce(&raw::Request) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [outlives, typed] a `CellSource` outlives its type's lifetime, which bounds the owner of the new node;
    // the destructors that `emplace` asks for suit the values that it writes.
    move |request| unsafe { raw::tree::alloc(source.as_cell(), core::ptr::null_mut(), request) }
}

#[cfg(feature = "heap")]
impl<T> Tree<T> {
    /// A tree on the heap with this value at its root.
    ///
    /// # Panics
    /// Where [`try_new_in`](Tree::try_new_in) fails.
    ///
    /// ```
    /// assert_eq!(*kmem::Tree::new(7), 7);
    /// ```
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self::new_in(value, Heap)
    }

    /// A tree on the heap with this value at its root.
    ///
    /// # Errors
    /// Gives the value back where [`try_new_in`](Tree::try_new_in) does.
    ///
    /// ```
    /// assert_eq!(*kmem::Tree::try_new(7).unwrap(), 7);
    /// ```
    pub fn try_new(value: T) -> Result<Self, Refused<T>> {
        Self::try_new_in(value, Heap)
    }
}

impl<T, S: CellSource> Tree<T, S> {
    /// A tree drawn from `source` with this value at its root.
    ///
    /// # Panics
    /// Where [`try_new_in`](Tree::try_new_in) fails.
    ///
    /// ```
    /// use kmem::{Pool, Tree};
    /// let pool = Pool::bytes(80, 100);
    /// let tree = Tree::new_in(7u64, &pool);
    /// tree.node().push(8);
    /// assert_eq!(pool.live(), 2);
    /// ```
    #[track_caller]
    pub fn new_in(value: T, source: S) -> Self {
        emplace::made(Self::try_new_in(value, source))
    }

    /// A tree drawn from `source` with this value at its root.
    ///
    /// # Errors
    /// Gives the value back where the source cannot serve it, as [`AllocError`] says.
    ///
    /// ```
    /// use kmem::{Pool, Tree};
    /// let pool = Pool::bytes(16, 100); // too small for a node's header
    /// assert_eq!(Tree::try_new_in(7, &pool).unwrap_err().into_value(), 7);
    /// ```
    pub fn try_new_in(value: T, source: S) -> Result<Self, Refused<T>> {
        // SAFETY: [fresh, sole] `draw_from` makes a root as it is asked, and this is its only owner.
        unsafe { emplace::value(value, draw_from(source)).map(|data| Self::own(data)) }
    }

    /// A tree drawn from `source` with this value at its root, which has a [name](Tree::name); that takes 8 bytes more.
    ///
    /// # Panics
    /// Where [`try_named_in`](Tree::try_named_in) fails.
    ///
    /// ```
    /// use kmem::{Heap, Tree};
    /// assert_eq!(Tree::name(&Tree::named_in(c"config", 7, Heap)), Some(c"config"));
    /// ```
    #[track_caller]
    pub fn named_in(name: &'static CStr, value: T, source: S) -> Self {
        emplace::made(Self::try_named_in(name, value, source))
    }

    /// A tree drawn from `source` with this value at its root, which has a [name](Tree::name); that takes 8 bytes more.
    ///
    /// # Errors
    /// Gives the value back where [`try_new_in`](Tree::try_new_in) does.
    ///
    /// ```
    /// use kmem::{Heap, Tree};
    /// assert_eq!(*Tree::try_named_in(c"config", 7, Heap).unwrap(), 7);
    /// ```
    pub fn try_named_in(name: &'static CStr, value: T, source: S) -> Result<Self, Refused<T>> {
        // SAFETY: [fresh, sole] `draw_from` makes a root as it is asked, and this is its only owner.
        unsafe { emplace::named(Some(name), value, draw_from(source)).map(|data| Self::own(data)) }
    }
}

impl<S: CellSource> Tree<str, S> {
    /// A tree drawn from `source` with a copy of this string at its root.
    ///
    /// # Errors
    /// As [`AllocError`] says.
    ///
    /// ```
    /// use kmem::{Heap, Tree};
    /// let tree = Tree::try_copy_str_in("text", Heap)?;
    /// tree.push_child(7).free();
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_copy_str_in(text: &str, source: S) -> Result<Self, AllocError> {
        // SAFETY: [fresh, sole] `draw_from` makes a root as it is asked, and this is its only owner.
        unsafe { emplace::str(text, draw_from(source)).map(|data| Self::own(data)) }
    }
}

impl<T: Copy, S: CellSource> Tree<[T], S> {
    /// A tree drawn from `source` with a copy of this slice at its root.
    ///
    /// # Errors
    /// As [`AllocError`] says.
    ///
    /// ```
    /// use kmem::{Heap, Tree};
    /// assert_eq!(*Tree::try_copy_in(&[1, 2], Heap)?, [1, 2]);
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_copy_in(values: &[T], source: S) -> Result<Self, AllocError> {
        // SAFETY: [fresh, sole] `draw_from` makes a root as it is asked, and this is its only owner.
        unsafe { emplace::copy(values, draw_from(source)).map(|data| Self::own(data)) }
    }
}

impl<T: Copy, S> Tree<[T], S> {
    /// Gives the slice `len` values: those that fit stay, and those that are added are copies of `value`. The root may move.
    ///
    /// # Errors
    /// As [`AllocError`] says; nothing has changed then.
    ///
    /// ```
    /// use kmem::{Heap, Tree};
    /// let mut numbers = Tree::try_copy_in(&[1, 2, 3], Heap)?;
    /// numbers.push_child("stays below");
    /// numbers.try_resize(1000, 7)?;
    /// assert_eq!((numbers[2], numbers[999]), (3, 7));
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_resize(&mut self, len: usize, value: T) -> Result<(), AllocError> {
        // SAFETY: [sole] this is the tree's only owner, borrowed exclusively, and learns the root's new address.
        unsafe { emplace::resize(self.handle(), self.data, len, value, |data| self.data = data) }
    }
}

impl<S> Tree<str, S> {
    /// Appends to the string. The root may move.
    ///
    /// # Errors
    /// As [`AllocError`] says; nothing has changed then.
    ///
    /// ```
    /// let mut text = kmem::Tree::<str>::from("one");
    /// text.try_push_str(" and two")?;
    /// assert_eq!(&*text, "one and two");
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_push_str(&mut self, text: &str) -> Result<(), AllocError> {
        // SAFETY: [sole] as in `try_resize`.
        unsafe { emplace::push_str(self.handle(), self.data, text, |data| self.data = data) }
    }
}

impl<T, S> Tree<T, S> {
    /// The root, for walking and adding to.
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

    /// Frees the children of the root that `keep` rejects, with everything below them. Only children with a value of
    /// the root's type are asked about.
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
        // SAFETY: [same, sole] the root is live. A child that `first_same` finds has a value of the root's type, and
        // the whole tree is borrowed exclusively, so nobody else is looking at it.
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
}

impl<T: ?Sized, S> Tree<T, S> {
    /// # Safety
    /// `data` is that of a live root with this value, which the cell drops, drawn from an `S`, and nothing else owns it.
    /// Children with [`FLAG_SAME`] have values of the same type.
    pub(crate) unsafe fn own(data: NonNull<T>) -> Self {
        Tree { data, owns: PhantomData, drops: PhantomData }
    }

    pub(crate) fn into_non_null(self) -> NonNull<T> {
        ManuallyDrop::new(self).data
    }

    /// The handle on the root, which the engine knows it by.
    fn handle(&self) -> raw::Handle {
        // SAFETY: [sole] the owner has a live root.
        unsafe { raw::ptr::handle_of(Kind::Tree, self.data.as_ptr().cast()) }
    }

    /// Adds a child with a value of any type, as [`NodeRef::push_child`] does.
    ///
    /// # Panics
    /// Where [`NodeRef::try_push_child`] fails.
    ///
    /// ```
    /// let tree = kmem::Tree::new("numbers");
    /// let seven = tree.push_child(7);
    /// assert_eq!(*seven, 7);
    /// ```
    #[track_caller]
    pub fn push_child<U: Send + 'static>(&self, value: U) -> Node<'_, U> {
        // SAFETY: [lent] the borrow of the root keeps it in place.
        emplace::made(unsafe { child(self.data.cast(), None, value) })
    }

    /// Frees everything below the root, and what the root has [adopted](NodeRef::adopt). What was to be [called](NodeRef::on_free)
    /// when the root goes still is.
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

    /// Marks the root, so that its bytes are zeroed when it goes. Nodes below have marks of their own.
    ///
    /// ```
    /// let mut tree = kmem::Tree::new([7u8; 32]);
    /// tree.taint();
    /// ```
    #[cfg(feature = "shred")]
    pub fn taint(&mut self) {
        // SAFETY: [sole] the root is live.
        unsafe { raw::ptr::taint_cell(Kind::Tree, self.data.as_ptr().cast()) }
    }

    /// Drops the tree and zeroes every node of it.
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

impl<T, S> Tree<T, S> {
    /// Moves the root's value out and drops everything below it. What was to be [called](NodeRef::on_free) when the root goes
    /// is called, before what is below goes.
    ///
    /// ```
    /// let tree = kmem::Tree::new(String::from("out"));
    /// assert_eq!(tree.into_inner(), "out");
    /// ```
    pub fn into_inner(self) -> T {
        let data = self.into_non_null();
        // SAFETY: [sole, slot] the root is live and ours alone. Its value is moved out before the cell goes, without a
        // destructor.
        unsafe {
            let value = data.read();
            emplace::disarm(data, HEADER);
            raw::tree::f(data.as_ptr().cast());
            value
        }
    }
}

impl<T: ?Sized, S> Drop for Tree<T, S> {
    fn drop(&mut self) {
        // SAFETY: [sole, outlives] this is the tree's only owner, and nodes borrow it, so none is in use. Values that
        // need a destructor have it in their cell. The source is alive: `S` outlives an owner that has a `Drop`.
        unsafe { raw::tree::f(self.data.as_ptr().cast()) };
    }
}

smart_pointer!([T: ?Sized, S] Tree<T, S> => T);
grows! {
    self: (&mut self) => self.handle(),
    [S] Tree<[T], S>, Tree<T, S>,
    fails: "As [`AllocError`] says; nothing has changed then.",
    example: ("Tree::try_copy_in(&[1, 2], Heap)?", "it.", ""),
}
has_name!([T: ?Sized, S] Tree<T, S>, "Tree::named_in(c\"key\", 7, Heap)", "Tree");
has_rename!([T: ?Sized, S] Tree<T, S>, "Tree::named_in(c\"key\", 7, Heap)", "Tree", this => Some(this.handle()), "");
unsizable!([T: ?Sized, S] Tree<T, S> => Tree<U, S>);
sole_owner!([T: ?Sized, S] Tree<T, S> => T);

#[cfg(feature = "heap")]
impl<T> From<T> for Tree<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

#[cfg(feature = "heap")]
impl From<&str> for Tree<str> {
    #[track_caller]
    fn from(text: &str) -> Self {
        emplace::made(Self::try_copy_str_in(text, Heap))
    }
}

/// The data of a node's first child.
///
/// # Safety
/// `data` is that of a live node of this thread's. The same goes for the functions below.
unsafe fn child_of(data: NonNull<u8>) -> Option<NonNull<u8>> {
    // SAFETY: [caller] the contract is the caller's.
    data_of(unsafe { (*raw::tree::header(data.as_ptr())).child })
}

/// The data of a node's next sibling.
unsafe fn next_of(data: NonNull<u8>) -> Option<NonNull<u8>> {
    // SAFETY: [caller] the contract is the caller's.
    data_of(unsafe { (*raw::tree::header(data.as_ptr())).next })
}

fn data_of(node: *mut raw::Node) -> Option<NonNull<u8>> {
    if node.is_null() { None } else { NonNull::new(raw::tree::data(node)) }
}

/// The data of a node's last child.
unsafe fn last_child_of(data: NonNull<u8>) -> Option<NonNull<u8>> {
    // SAFETY: [caller] the contract is the caller's.
    data_of(unsafe { (*raw::tree::header(data.as_ptr())).lastchild })
}

/// The data of a node's previous sibling.
unsafe fn previous_of(data: NonNull<u8>) -> Option<NonNull<u8>> {
    // SAFETY: [caller] the contract is the caller's.
    data_of(unsafe { (*raw::tree::header(data.as_ptr())).prev })
}

/// Whether a node was made with its parent's type.
unsafe fn is_same(data: NonNull<u8>) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { (*raw::tree::header(data.as_ptr())).cell.flags & FLAG_SAME != 0 }
}

/// The first of these siblings that was made with its parent's type.
unsafe fn first_same(mut node: Option<NonNull<u8>>) -> Option<NonNull<u8>> {
    // SAFETY: [caller, links] the contract is the caller's; the siblings of a live node are live.
    unsafe {
        while let Some(data) = node.filter(|&data| !is_same(data)) {
            node = next_of(data);
        }
    }
    node
}

/// The last of these siblings, back from this one, that was made with its parent's type.
unsafe fn last_same(mut node: Option<NonNull<u8>>) -> Option<NonNull<u8>> {
    // SAFETY: [caller, links] as above.
    unsafe {
        while let Some(data) = node.filter(|&data| !is_same(data)) {
            node = previous_of(data);
        }
    }
    node
}

/// The children of a node that were made with its own type, from both ends. One that is added behind the last while this walks is
/// seen, unless the walk has already begun at the back.
pub(crate) struct Children<T> {
    parent: NonNull<T>,
    /// The child that came last from the front, and from the back.
    front: Option<NonNull<u8>>,
    back: Option<NonNull<u8>>,
}

impl<T> Children<T> {
    /// # Safety
    /// `parent` is the data of a node of this thread's with a `T` in it, which stays live as long as the iterator is used, as
    /// do its children with [`FLAG_SAME`].
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
        // SAFETY: [caller] as in `next`.
        let next = unsafe {
            last_same(match self.back {
                None => last_child_of(self.parent.cast()),
                Some(back) => previous_of(back),
            })
        };
        let next = next.filter(|_| next != self.front)?;
        self.back = Some(next);
        Some(next.cast())
    }
}

/// Draws a node below another, from where that was drawn.
///
/// # Safety
/// `parent` is the data of a live node on this thread whose borrow bounds the use of the new one.
unsafe fn draw_below(
    parent: NonNull<u8>,
    flags: u8,
) -> impl FnOnce(&raw::Request) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [lent, outlives] the parent is live, and so is its source, as long as the tree is; the destructors that
    // `emplace` asks for suit the values that it writes.
    move |request| unsafe {
        let src = (*raw::tree::header(parent.as_ptr())).src;
        raw::tree::alloc_flagged(src, parent.as_ptr(), request, flags, "kmtreea")
    }
}

/// # Safety
/// As for `draw_below`, where `'p` is the borrow.
unsafe fn child<'p, U: Send + 'static>(
    parent: NonNull<u8>,
    name: Option<&'static CStr>,
    value: U,
) -> Result<Node<'p, U>, Refused<U>> {
    // SAFETY: [caller, fresh] the contract is the caller's; the draw makes a node as it is asked, and this is its only
    // owner.
    unsafe { emplace::named(name, value, draw_below(parent, 0)).map(|data| Node::own(data)) }
}

impl<'t, T> NodeRef<'t, T> {
    /// # Safety
    /// `data` is that of a node with a `T`, whose tree is borrowed for `'t`, and which has no other owner.
    unsafe fn new(data: NonNull<T>) -> Self {
        NodeRef { data, borrows: PhantomData }
    }

    pub(crate) fn as_non_null(self) -> NonNull<T> {
        self.data
    }

    /// The handle on the node, which the engine knows it by.
    fn handle(self) -> raw::Handle {
        // SAFETY: [lent] the node is live while its tree is borrowed.
        unsafe { raw::ptr::handle_of(Kind::Tree, self.data.as_ptr().cast()) }
    }

    /// The value, for as long as the tree is borrowed.
    ///
    /// ```
    /// let tree = kmem::Tree::new(7);
    /// let value: &i32 = tree.node().get();
    /// assert_eq!(*value, 7);
    /// ```
    #[must_use]
    pub fn get(self) -> &'t T {
        // SAFETY: [lent] the node lives, and is not given out mutably, while its tree is borrowed.
        unsafe { self.data.as_ref() }
    }

    /// Adds a child with a value of the same type, behind those that are there.
    ///
    /// # Panics
    /// Where [`try_push`](NodeRef::try_push) fails.
    ///
    /// ```
    /// let tree = kmem::Tree::new("root");
    /// assert_eq!(*tree.node().push("leaf"), "leaf");
    /// ```
    #[track_caller]
    pub fn push(self, value: T) -> NodeRef<'t, T> {
        emplace::made(self.try_push(value))
    }

    /// Adds a child with a value of the same type, behind those that are there.
    ///
    /// # Errors
    /// Gives the value back where the source of this node cannot serve it, as [`AllocError`] says.
    ///
    /// ```
    /// use kmem::{Pool, Tree};
    /// let pool = Pool::bytes(80, 1);
    /// let tree = Tree::new_in(1, &pool);
    /// assert_eq!(tree.node().try_push(2).unwrap_err().into_value(), 2);
    /// ```
    pub fn try_push(self, value: T) -> Result<NodeRef<'t, T>, Refused<T>> {
        // SAFETY: [lent, same] the node is live while its tree is borrowed, and so is the new one. The flag says that
        // the child has this node's type.
        unsafe {
            emplace::value(value, draw_below(self.data.cast(), FLAG_SAME)).map(|data| NodeRef::new(data))
        }
    }

    /// Adds a child with a value of the same type, as [`push`](NodeRef::push) does, and a [name](NodeRef::name), which takes 8
    /// bytes more.
    ///
    /// # Panics
    /// Where [`try_push_named`](NodeRef::try_push_named) fails.
    ///
    /// ```
    /// use kmem::{NodeRef, Tree};
    /// let tree = Tree::new("root");
    /// assert_eq!(NodeRef::name(&tree.node().push_named(c"leaf", "value")), Some(c"leaf"));
    /// ```
    #[track_caller]
    pub fn push_named(self, name: &'static CStr, value: T) -> NodeRef<'t, T> {
        emplace::made(self.try_push_named(name, value))
    }

    /// Adds a child with a value of the same type and a [name](NodeRef::name), as [`push_named`](NodeRef::push_named) does.
    ///
    /// # Errors
    /// Gives the value back where the source of this node cannot serve it, as [`AllocError`] says.
    ///
    /// ```
    /// let tree = kmem::Tree::new(1);
    /// assert_eq!(*tree.node().try_push_named(c"leaf", 2).unwrap(), 2);
    /// ```
    pub fn try_push_named(self, name: &'static CStr, value: T) -> Result<NodeRef<'t, T>, Refused<T>> {
        // SAFETY: [lent, same] as in `try_push`.
        unsafe {
            emplace::named(Some(name), value, draw_below(self.data.cast(), FLAG_SAME))
                .map(|data| NodeRef::new(data))
        }
    }

    /// Adds a child with a value of any type. Walks over this tree pass over it.
    ///
    /// The value may outlive every borrow that the program knows of, hence `'static`, and goes where the tree goes,
    /// hence `Send`.
    ///
    /// # Panics
    /// Where [`try_push_child`](NodeRef::try_push_child) fails.
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
    /// Gives the value back where the source of this node cannot serve it, as [`AllocError`] says.
    ///
    /// ```
    /// let tree = kmem::Tree::new("request");
    /// assert_eq!(*tree.node().try_push_child(7).unwrap(), 7);
    /// ```
    pub fn try_push_child<U: Send + 'static>(self, value: U) -> Result<Node<'t, U>, Refused<U>> {
        // SAFETY: [lent] the node is live while its tree is borrowed, and so is the new one.
        unsafe { child(self.data.cast(), None, value) }
    }

    /// Adds a child with a value of any type, as [`push_child`](NodeRef::push_child) does, and a [name](Node::name), which takes 8 bytes
    /// more.
    ///
    /// # Panics
    /// Where [`try_push_child_named`](NodeRef::try_push_child_named) fails.
    ///
    /// ```
    /// use kmem::{Node, Tree};
    /// let tree = Tree::new("request");
    /// assert_eq!(Node::name(&tree.node().push_child_named(c"body", vec![7u8; 100])), Some(c"body"));
    /// ```
    #[track_caller]
    pub fn push_child_named<U: Send + 'static>(self, name: &'static CStr, value: U) -> Node<'t, U> {
        emplace::made(self.try_push_child_named(name, value))
    }

    /// Adds a child with a value of any type and a [name](Node::name), as [`push_child_named`](NodeRef::push_child_named) does.
    ///
    /// # Errors
    /// Gives the value back where the source of this node cannot serve it, as [`AllocError`] says.
    ///
    /// ```
    /// let tree = kmem::Tree::new("request");
    /// assert_eq!(*tree.node().try_push_child_named(c"length", 7).unwrap(), 7);
    /// ```
    pub fn try_push_child_named<U: Send + 'static>(
        self,
        name: &'static CStr,
        value: U,
    ) -> Result<Node<'t, U>, Refused<U>> {
        // SAFETY: [lent] the node is live while its tree is borrowed, and so is the new one.
        unsafe { child(self.data.cast(), Some(name), value) }
    }

    /// Adds a child with a copy of a string.
    ///
    /// # Errors
    /// As [`AllocError`] says.
    ///
    /// ```
    /// let tree = kmem::Tree::new(0);
    /// assert_eq!(&*tree.node().try_push_child_str("text")?, "text");
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_push_child_str(self, text: &str) -> Result<Node<'t, str>, AllocError> {
        // SAFETY: [lent, fresh] the node is live while its tree is borrowed, and so is the new one, whose only owner
        // this is.
        unsafe { emplace::str(text, draw_below(self.data.cast(), 0)).map(|data| Node::own(data)) }
    }

    /// Adds a child with a copy of a slice.
    ///
    /// # Errors
    /// As [`AllocError`] says.
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
        // SAFETY: [lent, fresh] the node is live while its tree is borrowed, and so is the new one, whose only owner
        // this is.
        unsafe { emplace::copy(values, draw_below(self.data.cast(), 0)).map(|data| Node::own(data)) }
    }

    /// Adds a child that is a pool of `cells` cells, drawn as one block from where this node was.
    ///
    /// Where the pool is forgotten it goes with this node, and the values left in it too: hence the bounds.
    ///
    /// # Errors
    /// As [`AllocError`] says.
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
        let node = raw::tree::header(self.data.as_ptr().cast());
        // SAFETY: [lent, one-thread] the node is live while its tree is borrowed, on this thread.
        unsafe { crate::Pool::in_node(NonNull::new_unchecked(node), cells) }
    }

    /// The node above, where this one was [pushed](NodeRef::push).
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
        // SAFETY: [lent, same] the node is live while its tree is borrowed. With the flag its parent has its type, and
        // was reached by shared references too.
        unsafe {
            if !is_same(data) {
                return None;
            }
            let parent = (*raw::tree::header(data.as_ptr())).parent;
            data_of(parent).map(|parent| NodeRef::new(parent.cast()))
        }
    }

    /// The children with a value of the same type, in the order in which they were added, or from the last. One that is added
    /// meanwhile is seen, unless the iterator has been used from the back.
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
        // SAFETY: [lent, same] the node is live while its tree is borrowed, and so are the children that were pushed,
        // which have no owner that could free them.
        unsafe { Children::of(self.data).map(|child| NodeRef::new(child)) }
    }

    /// The number of nodes below this one, of whatever type, and of the objects that they have [adopted](NodeRef::adopt),
    /// counted by walking them.
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

    /// Marks the node, so that its bytes are zeroed when it goes.
    ///
    /// ```
    /// let tree = kmem::Tree::new([0u8; 32]);
    /// tree.node().push([7u8; 32]).taint();
    /// ```
    #[cfg(feature = "shred")]
    pub fn taint(self) {
        // SAFETY: [lent, prefix] the node is live, and the mark is atomic.
        unsafe { raw::ptr::taint_cell(Kind::Tree, self.data.as_ptr().cast()) }
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

impl<'p, T: ?Sized> Node<'p, T> {
    /// # Safety
    /// `data` is that of a live node with this value, which the cell drops, below one that is borrowed for `'p`, and
    /// nothing else owns it.
    unsafe fn own(data: NonNull<T>) -> Self {
        Node { data, owns: PhantomData }
    }

    #[allow(clippy::wrong_self_convention, reason = "the mirror of the other owners")]
    pub(crate) fn into_non_null(self) -> NonNull<T> {
        self.data
    }

    /// The handle on the node, which the engine knows it by.
    fn handle(&self) -> raw::Handle {
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
        // SAFETY: [sole] this is the child's only owner, and what is below borrows it.
        unsafe { raw::tree::f(self.data.as_ptr().cast()) };
    }

    /// Frees the child and everything below it, and zeroes all of it.
    ///
    /// ```
    /// kmem::Tree::new(1).push_child([7u8; 32]).shred();
    /// ```
    #[cfg(feature = "shred")]
    pub fn shred(self) {
        // SAFETY: [sole] this is the child's only owner, and what is below borrows it.
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

    /// Marks the child, so that its bytes are zeroed when it goes.
    ///
    /// ```
    /// let tree = kmem::Tree::new(1);
    /// tree.push_child([7u8; 32]).taint();
    /// ```
    #[cfg(feature = "shred")]
    pub fn taint(&mut self) {
        // SAFETY: [sole] the child is live.
        unsafe { raw::ptr::taint_cell(Kind::Tree, self.data.as_ptr().cast()) }
    }
}

impl<T: Copy> Node<'_, [T]> {
    /// Gives the slice `len` values: those that fit stay, and those that are added are copies of `value`. The node may move.
    ///
    /// # Errors
    /// As [`AllocError`] says; nothing has changed then.
    ///
    /// ```
    /// let tree = kmem::Tree::new("request");
    /// let mut numbers = tree.node().try_push_child_copy(&[1, 2, 3])?;
    /// numbers.try_resize(4, 7)?;
    /// assert_eq!(*numbers, [1, 2, 3, 7]);
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_resize(&mut self, len: usize, value: T) -> Result<(), AllocError> {
        // SAFETY: [sole] this is the child's only owner, borrowed exclusively, and learns its new address.
        unsafe { emplace::resize(self.handle(), self.data, len, value, |data| self.data = data) }
    }
}

impl Node<'_, str> {
    /// Appends to the string. The node may move.
    ///
    /// # Errors
    /// As [`AllocError`] says; nothing has changed then.
    ///
    /// ```
    /// let tree = kmem::Tree::new("request");
    /// let mut text = tree.node().try_push_child_str("one")?;
    /// text.try_push_str(" and two")?;
    /// assert_eq!(&*text, "one and two");
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_push_str(&mut self, text: &str) -> Result<(), AllocError> {
        // SAFETY: [sole] as in `try_resize`.
        unsafe { emplace::push_str(self.handle(), self.data, text, |data| self.data = data) }
    }
}

impl<T> Node<'_, T> {
    /// The child, for walking and adding to.
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

smart_pointer!([T: ?Sized] Node<'_, T> => T);
grows! {
    self: (&mut self) => self.handle(),
    [] Node<'_, [T]>, Node<'_, T>,
    fails: "As [`AllocError`] says; nothing has changed then.",
    example: ("tree.node().try_push_child_copy(&[1, 2])?", "it.", ""),
}
has_name!([T: ?Sized] Node<'_, T>, "tree.node().push_child_named(c\"key\", 7)", "Node");
has_rename!([T: ?Sized] Node<'_, T>, "tree.node().push_child_named(c\"key\", 7)", "Node", this => Some(this.handle()), "");
has_name!([T] NodeRef<'_, T>, "tree.node().push_named(c\"key\", 7)", "NodeRef");
unsizable!(['p, T: ?Sized] Node<'p, T> => Node<'p, U>);
sole_owner!([T: ?Sized] Node<'_, T> => T);
