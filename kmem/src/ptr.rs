//! The one handle.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use crate::cell::{Kind, Shred};
use crate::error::AllocError;
use crate::raw::{self, Handle};

/// A handle on a value, however it was allocated: a heap cell, a reference, a pool's cell, a tree with all below its
/// root, or something static or borrowed that is nobody's to free.
///
/// It owns what it holds and frees it rightly when dropped. Code that takes a `Ptr` need not know which it is. It may
/// hold strings and slices as well as sized values, and takes two words for a sized one.
///
/// It is made from any owner with `From`, and turned back with [`into_heap`](Ptr::into_heap) and its like. [`into_raw`](Ptr::into_raw) and
/// [`from_raw`](Ptr::from_raw) pass it to and from C, where `kmfree` does what dropping it does here.
///
/// Some cells belong to one thread, and the handle forgets which, so it stays on its thread; turn it back into a
/// [`Ref`](crate::Ref) or [`HeapBox`](crate::HeapBox) to send it.
///
/// ```
/// use kmem::{HeapBox, Kind, Pool, Ptr, Ref, Tree};
///
/// fn shout(text: &Ptr<'_, String>) -> String {
///     text.to_uppercase()
/// }
/// let pool = Pool::new(1);
/// let fixed = String::from("static");
/// let handles: [Ptr<'_, String>; 5] = [
///     HeapBox::new(String::from("heap")).into(),
///     Ref::new(String::from("ref")).into(),
///     pool.alloc(String::from("pool")).into(),
///     Tree::new(String::from("tree")).into(),
///     (&fixed).into(),
/// ];
/// assert_eq!(handles.each_ref().map(|ptr| shout(ptr)), ["HEAP", "REF", "POOL", "TREE", "STATIC"]);
/// assert_eq!(handles[3].kind(), Kind::Tree);
/// ```
#[must_use = "dropping the handle frees what it holds"]
pub struct Ptr<'s, T: ?Sized> {
    data: NonNull<T>,
    kind: Kind8,
    /// Whether the value is zeroed when this handle frees it.
    shred: bool,
    /// Whether this handle frees anything at all.
    owned: bool,
    /// Invariant in `T`: a pool or a tree may be left to drop the value, as the type that it was allocated with.
    owns: PhantomData<(&'s (), *mut T)>,
    drops: PhantomData<T>,
}

/// A [`Kind`] in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind8 {
    None,
    Heap,
    Pool,
    Ref,
    Tree,
}

impl Kind8 {
    fn kind(self) -> Kind {
        match self {
            Kind8::None => Kind::None,
            Kind8::Heap => Kind::Heap,
            Kind8::Pool => Kind::Pool,
            Kind8::Ref => Kind::Ref,
            Kind8::Tree => Kind::Tree,
        }
    }

    fn of(kind: Kind) -> Kind8 {
        match kind {
            Kind::None | Kind::Source => Kind8::None,
            Kind::Heap => Kind8::Heap,
            Kind::Pool => Kind8::Pool,
            Kind::Ref => Kind8::Ref,
            Kind::Tree => Kind8::Tree,
        }
    }
}

impl<'s, T: ?Sized> Ptr<'s, T> {
    /// # Safety
    /// `data` is that of a live object of this kind, valid for `'s`, that nothing else frees; of [`Kind8::None`] a `&'s T`.
    unsafe fn on(kind: Kind8, data: NonNull<T>) -> Self {
        Ptr { data, kind, shred: false, owned: kind != Kind8::None, owns: PhantomData, drops: PhantomData }
    }

    /// A handle on a node that another handle or a tree owns for `'s`.
    ///
    /// # Safety
    /// `data` is that of such a node.
    unsafe fn lent_node(data: NonNull<T>) -> Self {
        // SAFETY: [caller, handle] the contract is the caller's; what is not owned is not freed.
        let mut ptr = unsafe { Self::on(Kind8::Tree, data) };
        ptr.owned = false;
        ptr
    }

    /// The handle on the object, which the engine knows it by.
    fn handle(&self) -> Handle {
        // SAFETY: [handle] the handle has, or was lent, a live object of this kind.
        let handle = unsafe { raw::ptr::handle_of(self.kind(), self.data.as_ptr().cast()) };
        Handle { shred: Shred::from(self.shred) as i32, ..handle }
    }

    /// The handle on an object that may change its size.
    fn owned_handle(&self) -> Result<Handle, AllocError> {
        if self.owned { Ok(self.handle()) } else { Err(AllocError::Fixed(self.kind())) }
    }

    /// Returns the handle on an object that has no other owner.
    fn sole_handle(&self) -> Option<Handle> {
        let handle = self.owned_handle().ok()?;
        #[cfg(feature = "ref")]
        // SAFETY: [handle] the handle holds a reference to a live cell.
        if self.kind == Kind8::Ref && unsafe { raw::refs::count(handle.data) } != 1 {
            return None;
        }
        Some(handle)
    }

    /// How the value was allocated.
    ///
    /// ```
    /// use kmem::{Kind, Ptr, Ref};
    /// assert_eq!(Ptr::from(Ref::new(7)).kind(), Kind::Ref);
    /// assert_eq!(Ptr::from("text").kind(), Kind::None);
    /// ```
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind.kind()
    }

    /// Whether dropping this handle frees or drops anything. It does not for static and lent values.
    ///
    /// ```
    /// use kmem::{HeapBox, Ptr};
    /// let owner = Ptr::from(HeapBox::new(7));
    /// assert!(owner.is_owner());
    /// assert!(!owner.as_borrowed().is_owner());
    /// ```
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.owned
    }

    /// A second handle on the same value that borrows this one and frees nothing.
    ///
    /// ```
    /// use kmem::{HeapBox, Ptr};
    /// let owner = Ptr::from(HeapBox::new(7));
    /// let lent: Ptr<'_, i32> = owner.as_borrowed();
    /// assert_eq!(*lent, *owner);
    /// ```
    pub fn as_borrowed(&self) -> Ptr<'_, T> {
        Ptr { data: self.data, owned: false, owns: PhantomData, drops: PhantomData, ..*self }
    }

    /// Another handle of the same rank, where there can be one: a further reference to a counted cell, or a copy of a
    /// handle on a static or lent value. `None` where the value has one owner.
    ///
    /// ```
    /// use kmem::{HeapBox, Ptr, Ref};
    /// assert!(Ptr::from(Ref::new(7)).try_clone().is_some());
    /// assert!(Ptr::from("text").try_clone().is_some());
    /// assert!(Ptr::from(HeapBox::new(7)).try_clone().is_none());
    /// ```
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        #[cfg(feature = "ref")]
        if self.owned && self.kind == Kind8::Ref {
            // SAFETY: [last-ref] this handle has a reference to the live cell.
            unsafe { raw::refs::u(self.data.as_ptr().cast()) };
            return Some(Ptr { data: self.data, owns: PhantomData, drops: PhantomData, ..*self });
        }
        (!self.owned).then(|| Ptr { data: self.data, owns: PhantomData, drops: PhantomData, ..*self })
    }

    /// The value for changing, where this handle is the only one on it.
    ///
    /// ```
    /// use kmem::{HeapBox, Ptr, Ref};
    /// let mut alone = Ptr::from(HeapBox::new(7));
    /// *alone.get_mut().unwrap() = 8;
    ///
    /// let shared = Ref::new(7);
    /// let mut handle = Ptr::from(shared.clone());
    /// assert!(handle.get_mut().is_none());
    /// drop(shared);
    /// assert!(handle.get_mut().is_some());
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut T> {
        if !self.owned {
            return None;
        }
        #[cfg(feature = "ref")]
        // SAFETY: [last-ref] the handle has a reference to the live cell.
        if self.kind == Kind8::Ref && unsafe { raw::refs::count(self.data.as_ptr().cast()) } != 1 {
            return None;
        }
        // SAFETY: [sole, last-ref] an owner of a heap cell, pool cell or tree is the only one, and so is that of the
        // only reference; lent handles borrow this one, which is borrowed exclusively.
        Some(unsafe { self.data.as_mut() })
    }

    /// Marks the handle and the cell, so that the value's bytes are zeroed when the cell is freed, by whatever owner. Marking a
    /// static or lent value does nothing: nobody frees it through this handle.
    ///
    /// ```
    /// use kmem::{HeapBox, Ptr};
    /// let mut key = Ptr::from(HeapBox::zeroed(32));
    /// key.taint();
    /// assert!(key.is_tainted());
    /// ```
    #[cfg(feature = "shred")]
    pub fn taint(&mut self) {
        if self.owned {
            self.shred = true;
            // SAFETY: [handle] the handle owns a live object of this kind.
            unsafe { raw::ptr::taint_cell(self.kind(), self.data.as_ptr().cast()) };
        }
    }

    /// Whether this handle is marked to zero what it frees.
    ///
    /// ```
    /// use kmem::{HeapBox, Ptr};
    /// let mut held = [Ptr::from("static"), Ptr::from(HeapBox::<str>::from("on the heap"))];
    /// held.iter_mut().for_each(Ptr::taint);
    /// assert_eq!(held.map(|handle| handle.is_tainted()), [false, true]); // nobody frees what is static
    /// ```
    #[cfg(feature = "shred")]
    #[must_use]
    pub fn is_tainted(&self) -> bool {
        self.shred
    }

    /// Drops the handle, zeroing what that frees.
    ///
    /// ```
    /// use kmem::{Ptr, Ref};
    /// Ptr::from(Ref::new([7u8; 32])).shred();
    /// ```
    #[cfg(feature = "shred")]
    pub fn shred(mut self) {
        self.taint();
        if self.owned {
            // SAFETY: [sole] this is the object's owner, given up here.
            unsafe { raw::ptr::shred(self.into_raw()) };
        }
    }

    /// Gives the handle to C, where `kmfree` does what dropping it does here, the value's destructor included. A lent
    /// handle is given as one on a static object, which `kmfree` leaves alone.
    ///
    /// The length of a string or slice is not part of it.
    ///
    /// ```
    /// use kmem::{Ptr, Ref, raw};
    /// let handle = Ptr::from(Ref::new(String::from("dropped by C"))).into_raw();
    /// unsafe { raw::ptr::free(handle) };
    /// ```
    #[must_use = "what the handle holds leaks unless something frees it"]
    pub fn into_raw(self) -> Handle {
        let this = ManuallyDrop::new(self);
        let kind = if this.owned { this.kind() } else { Kind::None };
        // SAFETY: [handle] the handle held a live object of this kind.
        let handle = unsafe { raw::ptr::handle_of(kind, this.data.as_ptr().cast()) };
        Handle { shred: Shred::from(this.shred) as i32, ..handle }
    }

    /// Takes a handle from C, with the pointer that says where the value is and, of a string or slice, how long.
    ///
    /// # Safety
    /// The handle holds a live object at `value`, valid for `'s`, which nothing else frees, changes, or lends mutably as
    /// long as the new handle lives. `T` is the type that the object was made with, lifetimes included, or, where C
    /// made it, one that its bytes are valid for; the children of a tree's root that Rust pushed have that type too. Where
    /// the value needs a destructor, the cell runs it; one of the program's own suits a slice or string of whatever length.
    /// A pool or tree stays on this thread.
    ///
    /// ```
    /// use kmem::{Ptr, raw};
    /// use std::ptr::NonNull;
    /// unsafe {
    ///     let handle = raw::heap::zo(3);
    ///     let bytes = NonNull::slice_from_raw_parts(NonNull::new(handle.data).unwrap(), 3);
    ///     assert_eq!(*Ptr::from_raw_parts(handle, bytes), [0, 0, 0]);
    /// }
    /// ```
    pub unsafe fn from_raw_parts(handle: Handle, value: NonNull<T>) -> Self {
        let kind = Kind8::of(Kind::from_raw(handle.kind).unwrap_or(Kind::None));
        // SAFETY: [caller] the contract is the caller's.
        let mut ptr = unsafe { Self::on(kind, value) };
        ptr.shred = handle.shred != 0;
        ptr
    }

    /// The owner of the heap cell, where the handle holds one.
    ///
    /// # Errors
    /// Gives the handle back where it does not.
    ///
    /// ```
    /// use kmem::{HeapBox, Ptr};
    /// let handle = Ptr::from(HeapBox::new(7));
    /// assert_eq!(handle.into_heap().unwrap().into_inner(), 7);
    /// assert!(Ptr::from("static").into_heap().is_err());
    /// ```
    #[cfg(feature = "heap")]
    pub fn into_heap(self) -> Result<crate::HeapBox<T>, Self> {
        // SAFETY: [handle] the handle owned a heap cell with this value.
        self.into_kind(Kind8::Heap).map(|data| unsafe { crate::HeapBox::from_non_null(data) })
    }

    /// The reference, where the handle holds one to a cell on the heap.
    ///
    /// # Errors
    /// Gives the handle back where it does not.
    ///
    /// ```
    /// use kmem::{Ptr, Ref};
    /// let shared: Ref<i32> = Ptr::from(Ref::new(7)).into_ref().unwrap();
    /// std::thread::spawn(move || assert_eq!(*shared, 7)).join().unwrap();
    /// ```
    #[cfg(all(feature = "ref", feature = "heap"))]
    pub fn into_ref(self) -> Result<crate::Ref<T>, Self> {
        if self.kind == Kind8::Ref {
            // SAFETY: [handle] the handle holds a reference to a live cell or was lent one, and the header says where
            // it was drawn.
            let src = unsafe { (*raw::refs::header(self.data.as_ptr().cast())).src };
            if !src.is_null() {
                return Err(self);
            }
        }
        // SAFETY: [handle] the handle had a reference to a counted cell with this value, drawn from the heap.
        self.into_kind(Kind8::Ref).map(|data| unsafe { crate::Ref::from_non_null(data) })
    }

    /// The owner of the pool's cell, if the handle holds one. The cell of a tainted handle stays tainted.
    ///
    /// # Errors
    /// Gives the handle back where it does not.
    ///
    /// ```
    /// use kmem::{Pool, Ptr};
    /// let pool = Pool::new(1);
    /// assert_eq!(Ptr::from(pool.alloc(7)).into_pool().unwrap().into_inner(), 7);
    /// ```
    #[cfg(feature = "pool")]
    pub fn into_pool(self) -> Result<crate::PoolBox<'s, T>, Self> {
        // SAFETY: [handle] the handle owned a cell with this value of a pool that is borrowed for `'s`.
        self.into_kind(Kind8::Pool).map(|data| unsafe { crate::PoolBox::own(data) })
    }

    /// The tree, where the handle holds the root of one on the heap.
    ///
    /// # Errors
    /// Gives the handle back where it does not.
    ///
    /// ```
    /// use kmem::{Ptr, Tree};
    /// let tree: Tree<i32> = Ptr::from(Tree::new(7)).into_tree().unwrap();
    /// tree.node().push(8);
    /// ```
    #[cfg(all(feature = "tree", feature = "heap"))]
    pub fn into_tree(self) -> Result<crate::Tree<T>, Self> {
        if self.kind == Kind8::Tree {
            // SAFETY: [handle] the handle holds a live node of this thread's.
            let node = unsafe { &*raw::tree::header(self.data.as_ptr().cast()) };
            if !node.parent.is_null() || !node.src.is_null() {
                return Err(self);
            }
        }
        // SAFETY: [handle] the handle owned a root with this value, drawn from the heap.
        self.into_kind(Kind8::Tree).map(|data| unsafe { crate::Tree::own(data) })
    }

    /// The pointer, where this is an owner of this kind.
    fn into_kind(self, kind: Kind8) -> Result<NonNull<T>, Self> {
        if self.owned && self.kind == kind {
            #[cfg(feature = "shred")]
            if self.shred {
                // A handle of C's may be tainted and its cell not.
                // SAFETY: [handle] the handle owns a live object of this kind.
                unsafe { raw::ptr::taint_cell(self.kind(), self.data.as_ptr().cast()) };
            }
            Ok(ManuallyDrop::new(self).data)
        } else {
            Err(self)
        }
    }
}

impl<'s, T> Ptr<'s, T> {
    /// Takes a handle from C; `None` where it is the null handle.
    ///
    /// # Safety
    /// As for [`from_raw_parts`](Ptr::from_raw_parts), where the value is at the handle's own pointer.
    ///
    /// ```
    /// use kmem::{Ptr, raw};
    /// let handle = unsafe { raw::heap::zo(8) };
    /// assert_eq!(unsafe { Ptr::<u64>::from_raw(handle) }.as_deref(), Some(&0));
    /// ```
    pub unsafe fn from_raw(handle: Handle) -> Option<Self> {
        let value = NonNull::new(handle.data.cast::<T>())?;
        // SAFETY: [caller] the contract is the caller's.
        Some(unsafe { Self::from_raw_parts(handle, value) })
    }

    /// Handles on the children of a tree's root with a value of the same type, lent, in the order in which they were
    /// added, or from the last; of anything else there are none.
    ///
    /// ```
    /// use kmem::{Ptr, Tree};
    /// let tree = Tree::new(0);
    /// tree.node().push(1).push(2);
    /// let root = Ptr::from(tree);
    /// let one = root.children().next().unwrap();
    /// assert_eq!(*one.children().next().unwrap(), 2);
    /// ```
    pub fn children(&self) -> impl DoubleEndedIterator<Item = Ptr<'_, T>> {
        #[cfg(feature = "tree")]
        // SAFETY: [lent, same] the handle is borrowed and holds a live node with a `T`, as do its children of the same
        // type, which have no other owner.
        let children = (self.kind == Kind8::Tree).then(|| unsafe { crate::tree::Children::of(self.data) });
        #[cfg(not(feature = "tree"))]
        let children = None::<core::iter::Empty<NonNull<T>>>;
        // SAFETY: [lent] this handle owns the children as long as it is borrowed.
        children.into_iter().flatten().map(|child| unsafe { Ptr::lent_node(child) })
    }
}

impl<T: ?Sized> Drop for Ptr<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.owned {
            let data = self.data.as_ptr().cast();
            // SAFETY: [handle, outlives] this is the object's owner. Where the value needs a destructor, the cell or
            // its pool carries it. The pool, source or parent node is alive: `'s` outlives an owner that has a `Drop`.
            unsafe {
                raw::ptr::free(Handle {
                    shred: Shred::from(self.shred) as i32,
                    ..raw::ptr::handle_of(self.kind(), data)
                })
            };
        }
    }
}

smart_pointer!([T: ?Sized] Ptr<'_, T> => T);
grows! {
    self: (&mut self) => self.owned_handle()?,
    [] Ptr<'_, [T]>, Ptr<'_, str>, Ptr<'_, T>,
    errors: ". It returns [`AllocError::Fixed`](crate::AllocError::Fixed) if the handle is borrowed or static, \
             [`AllocError::Shared`](crate::AllocError::Shared) if there are other references, and \
             [`AllocError::Size`](crate::AllocError::Size) if the cell of a pool is too small",
    example: ("Ptr::from(HeapBox::try_copy(&[1, 2])?)", "Ptr::from(Ref::<str>::from(\"one\"))", "it.", ""),
}
has_name!([T: ?Sized] Ptr<'_, T>, "Ptr::from(HeapBox::new_in(7, Named(c\"key\", Heap)))", "Ptr");
has_rename!([T: ?Sized] Ptr<'_, T>, "Ptr::from(HeapBox::new_in(7, Named(c\"key\", Heap)))", "Ptr", this => this.sole_handle(),
    ", if the handle is borrowed or static, or if there are other references");

// SAFETY: [typed] the rest of a handle says how to free the cell, which it does whatever the value's type.
unsafe impl<'s, T: ?Sized> crate::unsize::Owner for Ptr<'s, T> {
    type Target = T;
    type Of<U: ?Sized> = Ptr<'s, U>;
    type Rest = Rest;

    fn split(self) -> (*mut T, Rest) {
        let this = ManuallyDrop::new(self);
        (this.data.as_ptr(), Rest { kind: this.kind, shred: this.shred, owned: this.owned })
    }

    unsafe fn join<U: ?Sized>(data: *mut U, Rest { kind, shred, owned }: Rest) -> Ptr<'s, U> {
        // SAFETY: [caller] the caller gives a pointer that was a handle's, so it is not null.
        let data = unsafe { NonNull::new_unchecked(data) };
        Ptr { data, kind, shred, owned, owns: PhantomData, drops: PhantomData }
    }
}

/// What a handle knows beside its pointer.
#[derive(Debug)]
pub struct Rest {
    kind: Kind8,
    shred: bool,
    owned: bool,
}

impl<T: ?Sized + core::panic::UnwindSafe + core::panic::RefUnwindSafe> core::panic::UnwindSafe
    for Ptr<'_, T>
{
}
impl<T: ?Sized + core::panic::RefUnwindSafe> core::panic::RefUnwindSafe for Ptr<'_, T> {}

impl<'s, T: ?Sized> From<&'s T> for Ptr<'s, T> {
    fn from(value: &'s T) -> Self {
        // SAFETY: [handle] it is a `&'s T`.
        unsafe { Ptr::on(Kind8::None, NonNull::from(value)) }
    }
}

#[cfg(feature = "heap")]
impl<T: ?Sized> From<crate::HeapBox<T>> for Ptr<'_, T> {
    fn from(owner: crate::HeapBox<T>) -> Self {
        // SAFETY: [sole] the owner had the object, and gives it up.
        unsafe { Ptr::on(Kind8::Heap, owner.into_non_null()) }
    }
}

#[cfg(feature = "ref")]
impl<'s, T: ?Sized, S: 's> From<crate::Ref<T, S>> for Ptr<'s, T> {
    fn from(owner: crate::Ref<T, S>) -> Self {
        // SAFETY: [last-ref] the owner had the object, and gives it up.
        unsafe { Ptr::on(Kind8::Ref, owner.into_non_null()) }
    }
}

#[cfg(feature = "pool")]
impl<'s, T: ?Sized> From<crate::PoolBox<'s, T>> for Ptr<'s, T> {
    fn from(owner: crate::PoolBox<'s, T>) -> Self {
        // SAFETY: [sole] the owner had the object, and gives it up.
        unsafe { Ptr::on(Kind8::Pool, owner.into_non_null()) }
    }
}

#[cfg(feature = "tree")]
impl<'s, T: ?Sized, S: 's> From<crate::Tree<T, S>> for Ptr<'s, T> {
    fn from(owner: crate::Tree<T, S>) -> Self {
        // SAFETY: [sole] the owner had the object, and gives it up.
        unsafe { Ptr::on(Kind8::Tree, owner.into_non_null()) }
    }
}

#[cfg(feature = "tree")]
impl<'s, T: ?Sized> From<crate::Node<'s, T>> for Ptr<'s, T> {
    /// The handle frees the child and everything below it when it is dropped.
    fn from(owner: crate::Node<'s, T>) -> Self {
        // SAFETY: [sole] the owner had the object, and gives it up.
        unsafe { Ptr::on(Kind8::Tree, owner.into_non_null()) }
    }
}

#[cfg(feature = "tree")]
impl<'s, T> From<crate::NodeRef<'s, T>> for Ptr<'s, T> {
    /// The handle is lent.
    fn from(node: crate::NodeRef<'s, T>) -> Self {
        // SAFETY: [lent] the tree owns the node, and is borrowed for `'s`.
        unsafe { Ptr::lent_node(node.as_non_null()) }
    }
}
