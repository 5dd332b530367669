//! The handle on an object of any kind.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use crate::cell::{Kind, Shred};
use crate::error::AllocError;
use crate::raw::{self, Handle};

/// A handle on a value of any kind: a heap cell, a reference, a pool's cell, a tree, or a static or borrowed value.
///
/// An owning handle frees its object when it is dropped, in the way of the object's kind. A handle to a sized value takes two words.
/// Strings and slices have handles too.
///
/// `From` converts every owner into a handle, and [`into_heap`](Ptr::into_heap) and similar methods convert it back.
/// [`into_raw`](Ptr::into_raw) and [`from_raw`](Ptr::from_raw) pass it to C and back. In C, `kmfree` drops it.
///
/// A handle stays on its thread, since some cells must. Convert it into a [`Ref`](crate::Ref) or [`HeapBox`](crate::HeapBox) to send it.
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
    rest: Rest,
    /// Invariant in `T`: a pool or a tree may be left to drop the value, as the type that it was allocated with.
    owns: PhantomData<(&'s (), *mut T)>,
    drops: PhantomData<T>,
}

/// The rest of a handle beside its pointer, in one word.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    /// The number of the [`Kind`].
    kind: u8,
    /// True if the value is zeroed when this handle frees it.
    shred: bool,
    /// True if this handle frees the object.
    owned: bool,
}

impl<'s, T: ?Sized> Ptr<'s, T> {
    /// # Safety
    /// `data` is that of an object of this kind that is live for `'s`. Nothing else frees it if it is owned.
    unsafe fn on(kind: Kind, data: NonNull<T>, owned: bool) -> Self {
        Self::with(data, Rest { kind: kind as u8, shred: false, owned })
    }

    fn with(data: NonNull<T>, rest: Rest) -> Self {
        Ptr { data, rest, owns: PhantomData, drops: PhantomData }
    }

    /// Returns the engine's handle on the object.
    fn handle(&self) -> Handle {
        // SAFETY: [handle] the handle owns, or borrows, a live object of this kind.
        let handle = unsafe { raw::ptr::handle_of(self.kind(), self.data.as_ptr().cast()) };
        Handle { shred: Shred::from(self.rest.shred) as i32, ..handle }
    }

    /// Returns the engine's handle on an object that this handle owns.
    fn owned_handle(&self) -> Result<Handle, AllocError> {
        if self.rest.owned { Ok(self.handle()) } else { Err(AllocError::fixed(self.kind())) }
    }

    /// Returns the engine's handle on an object that has no other owner.
    fn sole_handle(&self) -> Option<Handle> {
        let handle = self.owned_handle().ok()?;
        #[cfg(feature = "ref")]
        // SAFETY: [handle] the handle holds a reference to a live cell.
        if self.kind() == Kind::Ref && unsafe { raw::refs::count(handle.data) } != 1 {
            return None;
        }
        Some(handle)
    }

    /// Returns how the value was allocated.
    ///
    /// ```
    /// use kmem::{Kind, Ptr, Ref};
    /// assert_eq!(Ptr::from(Ref::new(7)).kind(), Kind::Ref);
    /// assert_eq!(Ptr::from("text").kind(), Kind::None);
    /// ```
    #[must_use]
    #[inline]
    pub fn kind(&self) -> Kind {
        Kind::from_raw(self.rest.kind.into()).unwrap_or(Kind::None)
    }

    /// Returns true if dropping this handle frees its object or drops a reference.
    ///
    /// ```
    /// use kmem::{HeapBox, Ptr};
    /// let owner = Ptr::from(HeapBox::new(7));
    /// assert!(owner.is_owner());
    /// assert!(!owner.as_borrowed().is_owner());
    /// ```
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.rest.owned
    }

    /// Returns a second handle on the value, which borrows this one and frees nothing.
    ///
    /// ```
    /// use kmem::{HeapBox, Ptr};
    /// let owner = Ptr::from(HeapBox::new(7));
    /// let borrowed: Ptr<'_, i32> = owner.as_borrowed();
    /// assert_eq!(*borrowed, *owner);
    /// ```
    pub fn as_borrowed(&self) -> Ptr<'_, T> {
        Ptr::with(self.data, Rest { owned: false, ..self.rest })
    }

    /// Clones a handle that owns a reference, or one that is borrowed or static. Returns `None` if the object has only one owner.
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
        if self.rest.owned && self.kind() == Kind::Ref {
            // SAFETY: [last-ref] this handle has a reference to the live cell.
            unsafe { raw::refs::u(self.data.as_ptr().cast()) };
            return Some(Self::with(self.data, self.rest));
        }
        (!self.rest.owned).then(|| Self::with(self.data, self.rest))
    }

    /// Returns a mutable reference to the value if this handle is its only owner.
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
        self.sole_handle()?;
        // SAFETY: [sole, last-ref] the object has no other owner. Borrowed handles borrow this one, which is borrowed exclusively.
        Some(unsafe { self.data.as_mut() })
    }

    /// Taints the handle and the cell: the value's bytes are zeroed when the cell is freed, by any owner. A borrowed or static value is
    /// left alone.
    ///
    /// ```
    /// use kmem::{HeapBox, Ptr};
    /// let mut key = Ptr::from(HeapBox::zeroed(32));
    /// key.taint();
    /// assert!(key.is_tainted());
    /// ```
    #[cfg(feature = "shred")]
    pub fn taint(&mut self) {
        if self.rest.owned {
            self.rest.shred = true;
            // SAFETY: [handle] the handle owns a live object of this kind.
            unsafe { raw::ptr::taint_cell(self.kind(), self.data.as_ptr().cast()) };
        }
    }

    /// Returns true if this handle is tainted: it zeroes the value when it frees it.
    ///
    /// ```
    /// use kmem::{HeapBox, Ptr};
    /// let mut held = [Ptr::from("static"), Ptr::from(HeapBox::<str>::from("on the heap"))];
    /// held.iter_mut().for_each(Ptr::taint);
    /// assert_eq!(held.map(|handle| handle.is_tainted()), [false, true]);
    /// ```
    #[cfg(feature = "shred")]
    #[must_use]
    pub fn is_tainted(&self) -> bool {
        self.rest.shred
    }

    /// Drops the handle. If it frees the value, the bytes are zeroed.
    ///
    /// ```
    /// use kmem::{Ptr, Ref};
    /// Ptr::from(Ref::new([7u8; 32])).shred();
    /// ```
    #[cfg(feature = "shred")]
    pub fn shred(mut self) {
        self.taint();
        if self.rest.owned {
            // SAFETY: [sole] this is the object's owner, given up here.
            unsafe { raw::ptr::shred(self.into_raw()) };
        }
    }

    /// Passes the handle to C, where `kmfree` frees the object as dropping the handle would, with the value's destructor. A borrowed
    /// handle becomes one on a static object, which `kmfree` leaves alone.
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
        let kind = if this.rest.owned { this.kind() } else { Kind::None };
        // SAFETY: [handle] the handle held a live object of this kind.
        let handle = unsafe { raw::ptr::handle_of(kind, this.data.as_ptr().cast()) };
        Handle { shred: Shred::from(this.rest.shred) as i32, ..handle }
    }

    /// Takes a handle from C. `value` points to the value; for a string or slice, it also has the length.
    ///
    /// # Safety
    /// The handle holds a live object at `value`, valid for `'s`. Nothing else frees, changes or mutably borrows it as long as the new
    /// handle lives. `T` is the type that the object was made with, lifetimes included; for an object from C, its bytes are valid for
    /// `T`. Children of a tree's root that Rust pushed have that type too. If the value needs a destructor, the cell has it. If C
    /// set a destructor for a slice or string, it works for every length, because the owner may change the length. A pool or tree stays on
    /// this thread.
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
        let kind = match Kind::from_raw(handle.kind) {
            None | Some(Kind::Source) => Kind::None,
            Some(kind) => kind,
        };
        Self::with(value, Rest { kind: kind as u8, shred: handle.shred != 0, owned: kind != Kind::None })
    }

    /// Returns the owner of the heap cell, if the handle is one.
    ///
    /// # Errors
    /// Returns the handle if it does not own a heap cell.
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
        self.into_kind(Kind::Heap).map(|data| unsafe { crate::HeapBox::from_non_null(data) })
    }

    /// Returns the reference, if the handle owns one to a cell on the heap.
    ///
    /// # Errors
    /// Returns the handle if it does not own such a reference.
    ///
    /// ```
    /// use kmem::{Ptr, Ref};
    /// let shared: Ref<i32> = Ptr::from(Ref::new(7)).into_ref().unwrap();
    /// std::thread::spawn(move || assert_eq!(*shared, 7)).join().unwrap();
    /// ```
    #[cfg(all(feature = "ref", feature = "heap"))]
    pub fn into_ref(self) -> Result<crate::Ref<T>, Self> {
        if self.kind() == Kind::Ref {
            // SAFETY: [handle] the handle owns or borrows a reference to a live cell, whose header has the source.
            let src = unsafe { (*raw::Ref::of(self.data.as_ptr().cast())).src };
            if !src.is_null() {
                return Err(self);
            }
        }
        // SAFETY: [handle] the handle had a reference to a counted cell with this value on the heap.
        self.into_kind(Kind::Ref).map(|data| unsafe { crate::Ref::from_non_null(data) })
    }

    /// Returns the owner of the pool's cell, if the handle is one.
    ///
    /// # Errors
    /// Returns the handle if it does not own the cell of a pool.
    ///
    /// ```
    /// use kmem::{Pool, Ptr};
    /// let pool = Pool::new(1);
    /// assert_eq!(Ptr::from(pool.alloc(7)).into_pool().unwrap().into_inner(), 7);
    /// ```
    #[cfg(feature = "pool")]
    pub fn into_pool(self) -> Result<crate::PoolBox<'s, T>, Self> {
        // SAFETY: [handle] the handle owned a cell with this value, and its pool is borrowed for `'s`.
        self.into_kind(Kind::Pool).map(|data| unsafe { crate::PoolBox::own(data) })
    }

    /// Returns the tree, if the handle owns the root of one on the heap.
    ///
    /// # Errors
    /// Returns the handle if it does not own such a root.
    ///
    /// ```
    /// use kmem::{Ptr, Tree};
    /// let tree: Tree<i32> = Ptr::from(Tree::new(7)).into_tree().unwrap();
    /// tree.node().push(8);
    /// ```
    #[cfg(all(feature = "tree", feature = "heap"))]
    pub fn into_tree(self) -> Result<crate::Tree<T>, Self> {
        if self.kind() == Kind::Tree {
            let node = raw::Node::of(self.data.as_ptr().cast());
            // SAFETY: [handle] the handle holds a live node of this thread.
            if unsafe { !(*node).parent.is_null() || !raw::tree::source_of(node).is_null() } {
                return Err(self);
            }
        }
        // SAFETY: [handle] the handle owned a root with this value on the heap.
        self.into_kind(Kind::Tree).map(|data| unsafe { crate::Tree::own(data) })
    }

    /// Returns the pointer, if this handle owns an object of this kind.
    fn into_kind(self, kind: Kind) -> Result<NonNull<T>, Self> {
        if self.rest.owned && self.kind() == kind {
            #[cfg(feature = "shred")]
            if self.rest.shred {
                // A handle from C may be tainted while its cell is not.
                // SAFETY: [handle] the handle owns a live object of this kind.
                unsafe { raw::ptr::taint_cell(kind, self.data.as_ptr().cast()) };
            }
            Ok(ManuallyDrop::new(self).data)
        } else {
            Err(self)
        }
    }
}

impl<'s, T> Ptr<'s, T> {
    /// Takes a handle from C. Returns `None` for the null handle.
    ///
    /// # Safety
    /// As for [`from_raw_parts`](Ptr::from_raw_parts), with the value at the handle's own pointer.
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

    /// Returns borrowed handles on the children of a node that have a value of its type, in the order in which they were added, or from
    /// the last. An object of another kind has no children.
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
        // SAFETY: [lent, same] the handle is borrowed and holds a live node with a `T`. Its children of the same type have no other owner.
        let children = (self.kind() == Kind::Tree).then(|| unsafe { crate::tree::Children::of(self.data) });
        #[cfg(not(feature = "tree"))]
        let children = None::<core::iter::Empty<NonNull<T>>>;
        // SAFETY: [lent] this handle owns the children as long as it is borrowed.
        children.into_iter().flatten().map(|child| unsafe { Ptr::on(Kind::Tree, child, false) })
    }
}

impl<T: ?Sized> Drop for Ptr<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.rest.owned {
            // SAFETY: [handle, outlives] this is the object's owner. The cell or its pool has the value's destructor, if it needs one. The
            // pool, source or parent node is alive: `'s` outlives an owner that has a `Drop`.
            unsafe { raw::ptr::free(self.handle()) };
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
    example: ("Ptr::from(HeapBox::try_copy_in(&[1, 2], Heap)?)", "Ptr::from(Ref::<str>::from(\"one\"))", "it.", ""),
}
has_name!([T: ?Sized] Ptr<'_, T>, "Ptr::from(HeapBox::new_in(7, Named(c\"key\", Heap)))", "Ptr");
has_rename!([T: ?Sized] Ptr<'_, T>, "Ptr::from(HeapBox::new_in(7, Named(c\"key\", Heap)))", "Ptr", this => this.sole_handle(),
    ", if the handle is borrowed or static, or if there are other references");

// SAFETY: [typed] the rest of a handle says how to free the cell, whatever the value's type is.
unsafe impl<'s, T: ?Sized> crate::unsize::Owner for Ptr<'s, T> {
    type Target = T;
    type Of<U: ?Sized> = Ptr<'s, U>;
    type Rest = Rest;

    fn split(self) -> (*mut T, Rest) {
        let this = ManuallyDrop::new(self);
        (this.data.as_ptr(), this.rest)
    }

    unsafe fn join<U: ?Sized>(data: *mut U, rest: Rest) -> Ptr<'s, U> {
        // SAFETY: [caller] the caller passes the pointer of a handle, which is not null.
        Ptr::with(unsafe { NonNull::new_unchecked(data) }, rest)
    }
}

impl<T: ?Sized + core::panic::UnwindSafe + core::panic::RefUnwindSafe> core::panic::UnwindSafe
    for Ptr<'_, T>
{
}
impl<T: ?Sized + core::panic::RefUnwindSafe> core::panic::RefUnwindSafe for Ptr<'_, T> {}

macro_rules! from_owner {
    ($feature:meta, $kind:ident, $([$($generics:tt)*] $owner:ty),*) => {$(
        #[cfg($feature)]
        impl<'s, T: ?Sized, $($generics)*> From<$owner> for Ptr<'s, T> {
            fn from(owner: $owner) -> Self {
                // SAFETY: [sole, last-ref] the owner had the object, and gives it up.
                unsafe { Ptr::on(Kind::$kind, owner.into_non_null(), true) }
            }
        }
    )*};
}

from_owner!(feature = "heap", Heap, [] crate::HeapBox<T>);
from_owner!(feature = "ref", Ref, [S: 's] crate::Ref<T, S>);
from_owner!(feature = "pool", Pool, [] crate::PoolBox<'s, T>);
from_owner!(feature = "tree", Tree, [S: 's] crate::Tree<T, S>, [] crate::Node<'s, T>);

impl<'s, T: ?Sized> From<&'s T> for Ptr<'s, T> {
    fn from(value: &'s T) -> Self {
        // SAFETY: [handle] it is a `&'s T`.
        unsafe { Ptr::on(Kind::None, NonNull::from(value), false) }
    }
}

#[cfg(feature = "tree")]
impl<'s, T> From<crate::NodeRef<'s, T>> for Ptr<'s, T> {
    /// Makes a borrowed handle.
    fn from(node: crate::NodeRef<'s, T>) -> Self {
        // SAFETY: [lent] the tree owns the node, and is borrowed for `'s`.
        unsafe { Ptr::on(Kind::Tree, node.as_non_null(), false) }
    }
}
