//! The owner of a heap cell.

use core::ffi::CStr;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use crate::cell::Kind;
use crate::emplace;
use crate::error::{AllocError, Refused};
use crate::raw;
use crate::raw::heap::HEADER;

/// A value in a heap cell, as in a `Box`, that C can free too.
///
/// Drawn from the program's global allocator; 16 bytes of header, and 16 more where the value needs a destructor.
/// Values may ask for an alignment up to [`raw::MAX_ALIGN`]. It may cross threads where the value may.
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
// SAFETY: [threads] as above: sharing the owner shares the value and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for HeapBox<T> {}

#[inline]
fn draw(request: &raw::Request) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [typed] `emplace`, which alone calls this, asks for destructors that suit the values it writes.
    unsafe { raw::heap::alloc(request) }
}

impl<T> HeapBox<T> {
    /// Moves a value into a new heap cell.
    ///
    /// # Panics
    /// Where [`try_new`](HeapBox::try_new) fails.
    ///
    /// ```
    /// assert_eq!(*kmem::HeapBox::new(7), 7);
    /// ```
    #[track_caller]
    pub fn new(value: T) -> Self {
        emplace::made(Self::try_new(value))
    }

    /// Moves a value into a new heap cell.
    ///
    /// # Errors
    /// Gives the value back where the heap is exhausted or the value's alignment is above [`raw::MAX_ALIGN`].
    ///
    /// ```
    /// #[derive(Debug)]
    /// #[repr(align(8192))]
    /// struct Wide(u8);
    /// let refused = kmem::HeapBox::try_new(Wide(7)).unwrap_err();
    /// assert_eq!(refused.into_value().0, 7);
    /// ```
    pub fn try_new(value: T) -> Result<Self, Refused<T>> {
        // SAFETY: [fresh, sole] `draw` makes a heap cell as it is asked, and this is its only owner.
        unsafe { emplace::value(value, draw).map(|data| Self::own(data)) }
    }

    /// Moves a value into a new heap cell with a [name](HeapBox::name), which takes 8 bytes more.
    ///
    /// # Panics
    /// Where [`try_named`](HeapBox::try_named) fails.
    ///
    /// ```
    /// use kmem::HeapBox;
    /// assert_eq!(HeapBox::name(&HeapBox::named(c"key", [7u8; 32])), Some(c"key"));
    /// ```
    #[track_caller]
    pub fn named(name: &'static CStr, value: T) -> Self {
        emplace::made(Self::try_named(name, value))
    }

    /// Moves a value into a new heap cell with a [name](HeapBox::name), which takes 8 bytes more.
    ///
    /// # Errors
    /// Gives the value back where [`try_new`](HeapBox::try_new) does.
    ///
    /// ```
    /// assert_eq!(*kmem::HeapBox::try_named(c"number", 7).unwrap(), 7);
    /// ```
    pub fn try_named(name: &'static CStr, value: T) -> Result<Self, Refused<T>> {
        // SAFETY: [fresh, sole] `draw` makes a heap cell as it is asked, and this is its only owner.
        unsafe { emplace::named(Some(name), value, draw).map(|data| Self::own(data)) }
    }

    /// Moves the value out and frees the cell.
    ///
    /// ```
    /// assert_eq!(kmem::HeapBox::new(String::from("out")).into_inner(), "out");
    /// ```
    pub fn into_inner(self) -> T {
        let data = self.into_non_null();
        // SAFETY: [sole, slot] the cell is live and ours alone. Its value is moved out before the cell goes, without a
        // destructor.
        unsafe {
            let value = data.read();
            emplace::disarm(data, HEADER);
            raw::heap::f(data.as_ptr().cast());
            value
        }
    }
}

impl<T: Copy> HeapBox<[T]> {
    /// Copies a slice into a new heap cell.
    ///
    /// # Errors
    /// As [`AllocError`] says.
    ///
    /// ```
    /// let numbers = kmem::HeapBox::try_copy(&[1, 2, 3])?;
    /// assert_eq!(*numbers, [1, 2, 3]);
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_copy(values: &[T]) -> Result<Self, AllocError> {
        // SAFETY: [fresh, sole] `draw` makes a heap cell as it is asked, and this is its only owner.
        unsafe { emplace::copy(values, draw).map(|data| Self::own(data)) }
    }

    /// Gives the slice `len` values: those that fit stay, and those that are added are copies of `value`. The cell may move.
    ///
    /// # Errors
    /// As [`AllocError`] says; nothing has changed then.
    ///
    /// ```
    /// use kmem::{AllocError, HeapBox};
    /// let mut numbers = HeapBox::try_copy(&[1, 2, 3])?;
    /// numbers.try_resize(5, 7)?;
    /// assert_eq!(*numbers, [1, 2, 3, 7, 7]);
    /// assert_eq!(numbers.try_resize(usize::MAX, 0), Err(AllocError::Overflow));
    /// # Ok::<(), AllocError>(())
    /// ```
    pub fn try_resize(&mut self, len: usize, value: T) -> Result<(), AllocError> {
        // SAFETY: [sole] this is the cell's only owner, borrowed exclusively, and learns its new address.
        unsafe { emplace::resize(self.handle(), self.data, len, value, |data| self.data = data) }
    }
}

impl<T> HeapBox<[T]> {
    /// A heap cell with `len` values, each made by `each` from its index.
    ///
    /// # Errors
    /// As [`AllocError`] says; `each` has not run then.
    ///
    /// ```
    /// let names = kmem::HeapBox::try_from_fn(3, |i| format!("worker {i}"))?;
    /// assert_eq!(names[2], "worker 2");
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_from_fn(len: usize, each: impl FnMut(usize) -> T) -> Result<Self, AllocError> {
        // SAFETY: [fresh, sole] `draw` makes a heap cell as it is asked, and this is its only owner.
        unsafe { emplace::slice_with(Kind::Heap, len, each, draw).map(|data| Self::own(data)) }
    }
}

impl HeapBox<[u8]> {
    /// A heap cell of `len` zero bytes.
    ///
    /// # Panics
    /// Where [`try_zeroed`](HeapBox::try_zeroed) fails.
    ///
    /// ```
    /// assert_eq!(*kmem::HeapBox::zeroed(3), [0, 0, 0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn zeroed(len: usize) -> Self {
        emplace::made(Self::try_zeroed(len))
    }

    /// A heap cell of `len` zero bytes.
    ///
    /// # Errors
    /// As [`AllocError`] says.
    ///
    /// ```
    /// assert!(kmem::HeapBox::try_zeroed(usize::MAX).is_err());
    /// ```
    pub fn try_zeroed(len: usize) -> Result<Self, AllocError> {
        let data = draw(&raw::Request { fill: raw::Fill::Zeroed, ..raw::Request::new(len) })?;
        // SAFETY: [fresh, sole] the cell is new, holds `len` values, and this is its only owner.
        Ok(unsafe { Self::own(NonNull::slice_from_raw_parts(data, len)) })
    }
}

impl HeapBox<str> {
    /// Copies a string into a new heap cell.
    ///
    /// # Errors
    /// As [`AllocError`] says.
    ///
    /// ```
    /// assert_eq!(&*kmem::HeapBox::try_copy_str("text")?, "text");
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_copy_str(text: &str) -> Result<Self, AllocError> {
        // SAFETY: [fresh, sole] `draw` makes a heap cell as it is asked, and this is its only owner.
        unsafe { emplace::str(text, draw).map(|data| Self::own(data)) }
    }

    /// Appends to the string. The cell may move.
    ///
    /// # Errors
    /// As [`AllocError`] says; nothing has changed then.
    ///
    /// ```
    /// let mut text = kmem::HeapBox::<str>::from("one");
    /// text.try_push_str(" and two")?;
    /// assert_eq!(&*text, "one and two");
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_push_str(&mut self, text: &str) -> Result<(), AllocError> {
        // SAFETY: [sole] this is the cell's only owner, borrowed exclusively, and learns its new address.
        unsafe { emplace::push_str(self.handle(), self.data, text, |data| self.data = data) }
    }
}

impl<T: ?Sized> HeapBox<T> {
    /// # Safety
    /// `data` is that of a live heap cell of this kmem with this value, which the cell drops, and nothing else owns it.
    unsafe fn own(data: NonNull<T>) -> Self {
        HeapBox { data, owns: PhantomData }
    }

    /// The handle on the cell, which the engine knows it by.
    pub(crate) fn handle(&self) -> raw::Handle {
        // SAFETY: [sole] the owner has a live heap cell.
        unsafe { raw::ptr::handle_of(Kind::Heap, self.data.as_ptr().cast()) }
    }

    /// Gives up ownership and returns the pointer to the value, which C may free with `kmheapf`.
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
    /// `data` points to a valid value in a live heap cell that nothing else owns, and freeing the cell runs the
    /// value's destructor: it came from [`into_non_null`](HeapBox::into_non_null), or the value needs none. A destructor of the
    /// program's own suits a slice or string of whatever length.
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

    /// Marks the cell, so that its bytes are zeroed when it goes, after the value's destructor.
    ///
    /// ```
    /// let mut key = kmem::HeapBox::zeroed(32);
    /// key.taint();
    /// ```
    #[cfg(feature = "shred")]
    pub fn taint(&mut self) {
        // SAFETY: [sole] the cell is live.
        unsafe { raw::ptr::taint_cell(Kind::Heap, self.data.as_ptr().cast()) }
    }
}

impl<T: ?Sized> Drop for HeapBox<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: [sole, typed] this is the cell's only owner. Where the value needs a destructor, the cell carries it.
        unsafe { raw::heap::f(self.data.as_ptr().cast()) }
    }
}

smart_pointer!([T: ?Sized] HeapBox<T> => T);
grows! {
    self: (&mut self) => self.handle(),
    [] HeapBox<[T]>, HeapBox<T>,
    fails: "As [`AllocError`] says; nothing has changed then.",
    example: ("HeapBox::try_copy(&[1, 2])?", "it.", ""),
}
has_name!([T: ?Sized] HeapBox<T>, "HeapBox::named(c\"key\", 7)", "HeapBox");
has_rename!([T: ?Sized] HeapBox<T>, "HeapBox::named(c\"key\", 7)", "HeapBox", this => Some(this.handle()), "");
unsizable!([T: ?Sized] HeapBox<T> => HeapBox<U>);
sole_owner!([T: ?Sized] HeapBox<T> => T);

impl<T: Clone> Clone for HeapBox<T> {
    /// A new cell with a clone of the value. That of a tainted cell is tainted too.
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

impl<T: Default> Default for HeapBox<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for HeapBox<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl From<&str> for HeapBox<str> {
    #[track_caller]
    fn from(text: &str) -> Self {
        emplace::made(Self::try_copy_str(text))
    }
}

impl From<alloc::string::String> for HeapBox<str> {
    /// Moves the text. The string's memory is zeroed before it is freed, so that the cell holds the only copy.
    #[track_caller]
    fn from(text: alloc::string::String) -> Self {
        // SAFETY: [fresh, sole] `draw` makes a heap cell as it is asked, and this is its only owner.
        unsafe {
            Self::own(emplace::as_str(emplace::made(emplace::vec(Kind::Heap, text.into_bytes(), draw))))
        }
    }
}

impl<T: Clone> From<&[T]> for HeapBox<[T]> {
    #[track_caller]
    fn from(values: &[T]) -> Self {
        emplace::made(Self::try_from_fn(values.len(), |i| values[i].clone()))
    }
}

impl<T> From<alloc::vec::Vec<T>> for HeapBox<[T]> {
    /// Moves the values. The vector's memory is zeroed before it is freed, so that the cell holds the only copy.
    #[track_caller]
    fn from(values: alloc::vec::Vec<T>) -> Self {
        // SAFETY: [fresh, sole] `draw` makes a heap cell as it is asked, and this is its only owner.
        unsafe { Self::own(emplace::made(emplace::vec(Kind::Heap, values, draw))) }
    }
}

impl<T> FromIterator<T> for HeapBox<[T]> {
    /// Collects the values into a cell. If there are more or fewer than the iterator promised the cell moves, and what it
    /// leaves behind is zeroed.
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> Self {
        // SAFETY: [fresh, sole] `draw` makes a heap cell as it is asked, and this is its only owner.
        unsafe { Self::own(emplace::made(emplace::collect(Kind::Heap, iter.into_iter(), draw))) }
    }
}
