//! The owner of a heap cell.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use crate::cell::Kind;
use crate::emplace;
use crate::error::{AllocError, Refused};
use crate::raw;
use crate::source::{Heap, Place};

/// A value in a heap cell. It is a `Box` that C can free.
///
/// The cell is allocated from the global allocator. It has 16 bytes of header, and 16 more if the value needs a destructor. The
/// alignment of `T` may be up to [`raw::MAX_ALIGN`]. The owner is `Send` and `Sync` if the value is.
///
/// ```
/// use kmem::{HeapBox, Ptr};
/// let mut key = HeapBox::<[u8]>::zeroed(32);
/// key[0] = 7;
/// let handle: Ptr<[u8]> = key.into();
/// assert_eq!(handle.len(), 32);
/// ```
pub struct HeapBox<T: ?Sized> {
    data: NonNull<T>,
    owns: PhantomData<T>,
}

// SAFETY: [threads] a heap cell may be used and freed on any thread, so the value alone decides.
unsafe impl<T: ?Sized + Send> Send for HeapBox<T> {}
// SAFETY: [threads] sharing the owner shares the value and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for HeapBox<T> {}

/// Returns the function that allocates a cell for a constructor.
#[inline]
fn alloc_in(place: impl Place<Source = Heap>) -> impl emplace::Alloc {
    let (Heap, name) = place.into_parts();
    // SAFETY: [typed] `emplace` asks for a destructor that suits the value.
    move |request| unsafe { raw::heap::alloc(&raw::Request { name, ..*request }) }
}

impl<T> HeapBox<T> {
    /// Moves the value out and frees the cell.
    ///
    /// ```
    /// assert_eq!(kmem::HeapBox::new(String::from("out")).into_inner(), "out");
    /// ```
    pub fn into_inner(self) -> T {
        // SAFETY: [sole] the cell is live, and this was its only owner.
        unsafe { emplace::take(self.into_non_null(), Kind::Heap, |data| raw::heap::f(data)) }
    }
}

impl HeapBox<[u8]> {
    /// Makes a heap cell of `len` zero bytes.
    ///
    /// # Panics
    /// Panics if [`try_zeroed`](HeapBox::try_zeroed) would fail.
    ///
    /// ```
    /// assert_eq!(*kmem::HeapBox::zeroed(3), [0, 0, 0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn zeroed(len: usize) -> Self {
        emplace::made(Self::try_zeroed(len))
    }

    /// Makes a heap cell of `len` zero bytes.
    ///
    /// # Errors
    /// Returns [`AllocError::Exhausted`] if memory runs out and [`AllocError::Overflow`] if the size overflows.
    ///
    /// ```
    /// assert!(kmem::HeapBox::try_zeroed(usize::MAX).is_err());
    /// ```
    pub fn try_zeroed(len: usize) -> Result<Self, AllocError> {
        let request = raw::Request { fill: raw::Fill::Zeroed, ..raw::Request::new(len) };
        let data = alloc_in(Heap)(&request)?;
        // SAFETY: [fresh, sole] the cell is new and holds `len` bytes, and this is its only owner.
        Ok(unsafe { Self::own(NonNull::slice_from_raw_parts(data, len)) })
    }
}

impl<T: ?Sized> HeapBox<T> {
    /// # Safety
    /// `data` is that of a live heap cell of this kmem with this value, which the cell drops, and nothing else owns it.
    unsafe fn own(data: NonNull<T>) -> Self {
        HeapBox { data, owns: PhantomData }
    }

    /// Returns the engine's handle on the cell.
    pub(crate) fn handle(&self) -> raw::Handle {
        // SAFETY: [sole] the owner has a live heap cell.
        unsafe { raw::ptr::handle_of(Kind::Heap, self.data.as_ptr().cast()) }
    }

    /// Gives up ownership and returns the pointer to the value. C may free it with `kmheapf`.
    ///
    /// ```
    /// use kmem::HeapBox;
    /// let raw = HeapBox::new(7).into_non_null();
    /// drop(unsafe { HeapBox::from_non_null(raw) });
    /// ```
    #[must_use = "the cell leaks unless something owns it"]
    pub fn into_non_null(self) -> NonNull<T> {
        ManuallyDrop::new(self).data
    }

    /// Takes ownership of a heap cell.
    ///
    /// # Safety
    /// `data` points to a valid value in a live heap cell that nothing else owns. If the value needs a destructor, the cell has it, as
    /// one from [`into_non_null`](HeapBox::into_non_null) does. If C set a destructor for a slice or string, it works for every length,
    /// because the owner may change the length.
    ///
    /// ```
    /// use kmem::HeapBox;
    /// let made_by_c = unsafe { kmem::raw::heap::z(8) };
    /// let number = unsafe { HeapBox::from_non_null(std::ptr::NonNull::new(made_by_c).unwrap().cast::<u64>()) };
    /// assert_eq!(*number, 0);
    /// ```
    #[must_use]
    pub unsafe fn from_non_null(data: NonNull<T>) -> Self {
        // SAFETY: [caller] the contract is the caller's.
        unsafe { Self::own(data) }
    }
}

impl<T: ?Sized> Drop for HeapBox<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: [sole, typed] this is the cell's only owner. The cell has the value's destructor, if it needs one.
        unsafe { raw::heap::f(self.data.as_ptr().cast()) }
    }
}

smart_pointer!([T: ?Sized] HeapBox<T> => T);
sole_owner!([T: ?Sized] HeapBox<T> => T);
constructors!(HeapBox, Kind::Heap, [], Heap);
conversions!(HeapBox, Kind::Heap);
grows! {
    self: (&mut self) => self.handle(),
    [] HeapBox<[T]>, HeapBox<str>, HeapBox<T>,
    errors: "",
    example: ("HeapBox::try_copy_in(&[1, 2], Heap)?", "HeapBox::<str>::from(\"one\")", "it.", ""),
}
taints!([T: ?Sized] HeapBox<T>, Kind::Heap, self: (&mut self), "HeapBox::zeroed(32).taint();");
has_name!([T: ?Sized] HeapBox<T>, "HeapBox::new_in(7, Named(c\"key\", Heap))", "HeapBox");
has_rename!([T: ?Sized] HeapBox<T>, "HeapBox::new_in(7, Named(c\"key\", Heap))", "HeapBox", this => Some(this.handle()), "");
unsizable!([T: ?Sized] HeapBox<T> => HeapBox<U>);

impl<T: Clone> Clone for HeapBox<T> {
    /// Clones the value into a new cell, which is tainted if this one is.
    #[track_caller]
    fn clone(&self) -> Self {
        #[cfg_attr(not(feature = "shred"), allow(unused_mut, reason = "only to be tainted"))]
        let mut copy = Self::new((**self).clone());
        #[cfg(feature = "shred")]
        // SAFETY: [sole] the cell is live.
        if unsafe { (*raw::heap::cell(self.data.as_ptr().cast())).tainted() } {
            copy.taint();
        }
        copy
    }
}
