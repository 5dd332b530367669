//! Objects of other kinds that a node owns.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use super::NodeRef;
use crate::emplace;
use crate::error::{AllocError, Refused};
use crate::raw;

mod sealed {
    use crate::raw::Handle;

    /// # Safety
    /// Freeing the handle frees the object or drops the reference, like dropping the owner. The owner itself may move.
    pub unsafe trait Handled {
        /// Returns the handle on the object.
        fn handle(&self) -> Handle;
    }
}
use sealed::Handled;

/// An owner whose object a node can [adopt](NodeRef::adopt): a [`HeapBox`](crate::HeapBox) or a [`Ref`](crate::Ref). A pool's cell
/// cannot be adopted, since it must be freed before its pool. A tree is [grafted](NodeRef::graft).
///
/// ```
/// fn keep<O: kmem::Adopt + Send + 'static>(tree: &kmem::Tree<&str>, owner: O) {
///     tree.node().adopt(owner);
/// }
/// keep(&kmem::Tree::new("request"), kmem::HeapBox::new(7));
/// ```
pub trait Adopt: Handled + Deref {}

#[cfg(feature = "heap")]
// SAFETY: [sole] the owner frees its cell, as the handle does.
unsafe impl<T: ?Sized> Handled for crate::HeapBox<T> {
    fn handle(&self) -> raw::Handle {
        self.handle()
    }
}

#[cfg(feature = "heap")]
impl<T: ?Sized> Adopt for crate::HeapBox<T> {}

#[cfg(feature = "ref")]
// SAFETY: [last-ref] the owner drops its reference, as the handle does.
unsafe impl<T: ?Sized, S> Handled for crate::Ref<T, S> {
    fn handle(&self) -> raw::Handle {
        self.handle()
    }
}

#[cfg(feature = "ref")]
impl<T: ?Sized, S> Adopt for crate::Ref<T, S> {}

#[cfg(feature = "ref")]
impl<T: ?Sized, S> crate::Ref<T, S> {
    /// Makes the cell own a heap cell or a reference. It is freed when the last reference to this cell is dropped, before the value
    /// is. A chain of cells that own one another is freed in constant stack.
    ///
    /// The object is `'static`, since it may outlive every borrow, and `Send`, since any thread may drop the last reference. The first
    /// object takes 112 bytes from the source of this cell, and each one 88 more. The objects are zeroed if this cell is tainted.
    ///
    /// # Errors
    /// Returns the owner with [`AllocError::Shared`] if there are other references, and with [`AllocError::Exhausted`] if the source of
    /// this cell has no memory left.
    ///
    /// ```
    /// use kmem::{HeapBox, Ref};
    /// let mut list = Ref::new(0);
    /// for number in 1..1000 {
    ///     let mut longer = Ref::new(number);
    ///     Ref::adopt(&mut longer, list).unwrap();
    ///     list = longer;
    /// }
    /// Ref::adopt(&mut list, HeapBox::new(7)).unwrap();
    /// let other = list.clone();
    /// assert!(Ref::adopt(&mut list, HeapBox::new(8)).is_err());
    /// ```
    pub fn adopt<O: Adopt + Send + 'static>(this: &mut Self, owner: O) -> Result<(), Refused<O>> {
        // SAFETY: [last-ref, owned, outlives, threads] this reference is borrowed exclusively. The owner is given up if this succeeds. By
        // the bounds, its object may stay with this cell and be freed on any thread.
        match unsafe { raw::refs::k(this.handle().data, Handled::handle(&owner)) } {
            Ok(()) => {
                core::mem::forget(owner);
                Ok(())
            }
            Err(error) => Err(Refused::new(error, owner)),
        }
    }

    /// Makes the cell own a tree. It is freed when the last reference to this cell is dropped, before the value is. So several trees can
    /// share one: a node of each [adopts](NodeRef::adopt) a reference to the cell that owns it.
    ///
    /// It takes 112 bytes from the source of this cell if the cell owns nothing yet.
    ///
    /// # Errors
    /// Returns the tree and the error of [`adopt`](crate::Ref::adopt).
    ///
    /// ```
    /// use kmem::{Ref, Tree};
    /// let entries = Tree::new(String::from("entries"));
    /// entries.node().push("entry".into());
    /// let mut shared = Ref::new("config");
    /// Ref::graft(&mut shared, entries).unwrap();
    /// let (one, two) = (Tree::new(1), Tree::new(2));
    /// one.node().adopt(shared.clone());
    /// two.node().adopt(shared);
    /// drop(one);
    /// drop(two); // and with it the entries
    /// ```
    pub fn graft<U, S2>(this: &mut Self, tree: super::Tree<U, S2>) -> Result<(), Refused<super::Tree<U, S2>>>
    where
        U: ?Sized + Send + 'static,
        S2: Send + 'static,
    {
        let root = tree.into_non_null();
        let data = root.as_ptr().cast();
        // SAFETY: [last-ref, owned, outlives, threads] as in `adopt`, for a root that nobody else owns.
        match unsafe { raw::refs::k(this.handle().data, raw::tree::handle(data)) } {
            Ok(()) => Ok(()),
            // SAFETY: [sole] the root is still the caller's.
            Err(error) => Err(Refused::new(error, unsafe { super::Tree::own(root) })),
        }
    }
}

/// An object that a node has [adopted](NodeRef::adopt). It lends the [`HeapBox`](crate::HeapBox) or [`Ref`](crate::Ref).
///
/// It borrows the tree. Dropping it leaves the object with the node, which frees it. [`release`](Adopted::release) takes the object back.
///
/// ```
/// use kmem::{Ref, Tree};
/// let tree = Tree::new("request");
/// let adopted = tree.node().adopt(Ref::new(String::from("shared")));
/// let other: Ref<String> = Ref::clone(&adopted);
/// assert_eq!((adopted.len(), Ref::count(&other)), (6, 2));
/// drop(tree);
/// assert_eq!(Ref::count(&other), 1);
/// ```
pub struct Adopted<'t, O> {
    /// The data of the node.
    node: NonNull<u8>,
    owner: ManuallyDrop<O>,
    /// Invariant in `O`: the node drops the value, as the type that it was adopted with.
    borrows: PhantomData<(&'t (), *mut O)>,
}

impl<'t, T> NodeRef<'t, T> {
    /// Makes the node own a heap cell or a reference. It is freed with the node, in the order in which children were added.
    ///
    /// The owner is `'static`, since the tree may outlive every borrow, and `Send`, since the tree may move to another thread. This takes 88
    /// bytes from the source of this node.
    ///
    /// # Panics
    /// Panics if [`try_adopt`](NodeRef::try_adopt) would fail.
    ///
    /// ```
    /// use kmem::{HeapBox, Tree};
    /// let tree = Tree::new("request");
    /// let mut key = tree.node().adopt(HeapBox::zeroed(32));
    /// key.get_mut()[0] = 7;
    /// assert_eq!((key[0], tree.node().below()), (7, 1));
    /// let key: HeapBox<[u8]> = key.release();
    /// assert_eq!(tree.node().below(), 0);
    /// ```
    #[track_caller]
    pub fn adopt<O: Adopt + Send + 'static>(self, owner: O) -> Adopted<'t, O> {
        emplace::made(self.try_adopt(owner))
    }

    /// Makes the node own a heap cell or a reference, as [`adopt`](NodeRef::adopt) does.
    ///
    /// # Errors
    /// Returns the owner and the error of [`try_push`](NodeRef::try_push).
    ///
    /// ```
    /// use kmem::{HeapBox, Pool, Tree};
    /// let pool = Pool::bytes(80, 1);
    /// let tree = Tree::new_in(1, &pool);
    /// let refused = tree.node().try_adopt(HeapBox::new(7)).unwrap_err();
    /// assert_eq!(*refused.into_value(), 7);
    /// ```
    pub fn try_adopt<O: Adopt + Send + 'static>(self, owner: O) -> Result<Adopted<'t, O>, Refused<O>> {
        let node = self.data.cast::<u8>();
        // SAFETY: [lent, holders, outlives, threads] the node is live while its tree is borrowed. The owner is given up if this succeeds. By
        // the bounds, its object may stay with this tree on any thread.
        match unsafe { raw::tree::k(node.as_ptr(), Handled::handle(&owner)) } {
            Ok(()) => Ok(Adopted { node, owner: ManuallyDrop::new(owner), borrows: PhantomData }),
            Err(error) => Err(Refused::new(error, owner)),
        }
    }
}

impl<'t, O: Adopt> Adopted<'t, O> {
    /// Takes the object back from the node. This searches the node's children, from the last.
    ///
    /// # Panics
    /// Panics if a header is corrupt and the [fault handler](crate::fault) returns.
    ///
    /// ```
    /// use kmem::{HeapBox, Tree};
    /// let tree = Tree::new("request");
    /// let body = tree.node().adopt(HeapBox::new(7)).release();
    /// drop(tree);
    /// assert_eq!(*body, 7);
    /// ```
    #[track_caller]
    pub fn release(self) -> O {
        let object = Handled::handle(&*self.owner).data;
        // SAFETY: [lent, holders] the node is live while its tree is borrowed, and owns the object. Of several references to one cell,
        // any will do.
        let held = unsafe { raw::tree::l(self.node.as_ptr(), object) };
        if held.is_null() {
            // The header is corrupt, which has been reported. The node may still own the object.
            emplace::refuse(AllocError::Misused);
        }
        ManuallyDrop::into_inner(self.owner)
    }

    /// Returns a mutable reference to the value of a [`HeapBox`](crate::HeapBox).
    ///
    /// ```
    /// use kmem::{HeapBox, Tree};
    /// let tree = Tree::new("request");
    /// let mut body = tree.node().adopt(HeapBox::new(7));
    /// *body.get_mut() += 1;
    /// assert_eq!(*body.release(), 8);
    /// ```
    pub fn get_mut(&mut self) -> &mut O::Target
    where
        O: DerefMut,
    {
        &mut self.owner
    }

    /// Leaves the object with the node and returns its value, for as long as the tree is borrowed.
    ///
    /// ```
    /// use kmem::{HeapBox, Tree};
    /// let tree = Tree::new("request");
    /// let seven: &i32 = tree.node().adopt(HeapBox::new(7)).leave();
    /// assert_eq!(*seven, 7);
    /// ```
    pub fn leave(self) -> &'t O::Target
    where
        O: 't,
    {
        let value: *const O::Target = &raw const **self.owner;
        // SAFETY: [lent, holders] the node owns the object, and is live while its tree is borrowed. Nobody can take the object back.
        unsafe { &*value }
    }
}

/// Lends the owner, to read the value or to clone a reference.
impl<O> Deref for Adopted<'_, O> {
    type Target = O;
    fn deref(&self) -> &O {
        &self.owner
    }
}

impl<O: fmt::Debug> fmt::Debug for Adopted<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
