//! The owner of a reference.

use core::ffi::CStr;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use crate::cell::Kind;
use crate::emplace;
use crate::error::{AllocError, Refused};
use crate::raw;
use crate::raw::refs::HEADER;
use crate::source::{CellSource, Heap};

/// A reference to a counted cell, as an `Arc` without weak references, that C can hold and drop too.
///
/// The cell is drawn from `S`: the heap, a pool of bytes, or a [`SourceCell`](crate::SourceCell). It has 32 bytes of
/// header, and 16 more where the value needs a destructor. Where the value is `Send` and `Sync` and the source may be
/// used from any thread, references may cross threads; the last one to be dropped drops the value there. On processors that
/// cannot change a count in one step they stay on their thread, as the [crate](crate#small-processors) says.
///
/// More than `isize::MAX` references abort the program, since a count that wraps would free the cell under its users.
///
/// ```
/// use kmem::Ref;
/// let one = Ref::new(String::from("shared"));
/// let two = Ref::clone(&one);
/// let length = std::thread::spawn(move || two.len()).join().unwrap();
/// assert_eq!((length, Ref::count(&one)), (6, 1));
/// ```
pub struct Ref<T: ?Sized, S = Heap> {
    data: NonNull<T>,
    owns: PhantomData<(S, T)>,
}

// SAFETY: [threads] as for `Arc`: any thread may read the value, hence `Sync`, and the last may drop it, hence `Send`.
// That last one also gives the cell back to its source, hence `S: Send`.
// The count is changed at once only if the processor can.
#[cfg(target_has_atomic = "ptr")]
unsafe impl<T: ?Sized + Send + Sync, S: Send> Send for Ref<T, S> {}
// SAFETY: [threads] who shares a reference can clone it and take the clone along, so this needs all that `Send` does.
#[cfg(target_has_atomic = "ptr")]
unsafe impl<T: ?Sized + Send + Sync, S: Send + Sync> Sync for Ref<T, S> {}

/// What a constructor draws with.
#[inline]
fn draw_from<S: CellSource>(source: S) -> impl FnOnce(&raw::Request) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [outlives, typed] a `CellSource` outlives its type's lifetime, which bounds the owner of the new cell;
    // the destructors that `emplace` asks for suit the values that it writes.
    move |request| unsafe { raw::refs::alloc(source.as_cell(), request) }
}

#[cfg(feature = "heap")]
impl<T> Ref<T> {
    /// Moves a value into a new counted cell on the heap.
    ///
    /// # Panics
    /// Where [`try_new`](Ref::try_new) fails.
    ///
    /// ```
    /// assert_eq!(*kmem::Ref::new(7), 7);
    /// ```
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self::new_in(value, Heap)
    }

    /// Moves a value into a new counted cell on the heap.
    ///
    /// # Errors
    /// Gives the value back where the heap is exhausted or the value's alignment is above [`raw::MAX_ALIGN`].
    ///
    /// ```
    /// assert_eq!(*kmem::Ref::try_new(7).unwrap(), 7);
    /// ```
    pub fn try_new(value: T) -> Result<Self, Refused<T>> {
        Self::try_new_in(value, Heap)
    }

    /// The value for changing: of this cell where this is its only reference, otherwise of a new cell with a clone.
    ///
    /// A clone of a tainted cell is tainted too.
    ///
    /// ```
    /// use kmem::Ref;
    /// let mut one = Ref::new(1);
    /// let two = one.clone();
    /// *Ref::make_mut(&mut one) += 1;
    /// assert_eq!((*one, *two), (2, 1));
    /// ```
    #[track_caller]
    pub fn make_mut(this: &mut Self) -> &mut T
    where
        T: Clone,
    {
        if Self::count(this) != 1 {
            let copy = Self::new((**this).clone());
            #[cfg(feature = "shred")]
            if Self::is_tainted(this) {
                Self::taint(&copy);
            }
            *this = copy;
        }
        // SAFETY: [last-ref] the count is 1 and the only reference is borrowed exclusively, or the cell is new.
        unsafe { this.data.as_mut() }
    }
}

impl<T, S: CellSource> Ref<T, S> {
    /// Moves a value into a new counted cell drawn from `source`.
    ///
    /// # Panics
    /// Where [`try_new_in`](Ref::try_new_in) fails.
    ///
    /// ```
    /// use kmem::{Pool, Ref};
    /// let pool = Pool::bytes(64, 10);
    /// assert_eq!(*Ref::new_in(7, &pool), 7);
    /// ```
    #[track_caller]
    pub fn new_in(value: T, source: S) -> Self {
        emplace::made(Self::try_new_in(value, source))
    }

    /// Moves a value into a new counted cell drawn from `source`.
    ///
    /// # Errors
    /// Gives the value back where the source cannot serve it, as [`AllocError`] says.
    ///
    /// ```
    /// use kmem::{Pool, Ref};
    /// let pool = Pool::bytes(64, 1);
    /// let first = Ref::try_new_in(1, &pool).unwrap();
    /// let refused = Ref::try_new_in(2, &pool).unwrap_err();
    /// assert_eq!(refused.into_value(), 2);
    /// ```
    pub fn try_new_in(value: T, source: S) -> Result<Self, Refused<T>> {
        // SAFETY: [fresh] `draw_from` makes a counted cell as it is asked, and this is its only reference.
        unsafe { emplace::value(value, draw_from(source)).map(|data| Self::own(data)) }
    }

    /// Moves a value into a new counted cell drawn from `source`, with a [name](Ref::name), which takes 8 bytes more.
    ///
    /// # Panics
    /// Where [`try_named_in`](Ref::try_named_in) fails.
    ///
    /// ```
    /// use kmem::{Heap, Ref};
    /// assert_eq!(Ref::name(&Ref::named_in(c"number", 7, Heap)), Some(c"number"));
    /// ```
    #[track_caller]
    pub fn named_in(name: &'static CStr, value: T, source: S) -> Self {
        emplace::made(Self::try_named_in(name, value, source))
    }

    /// Moves a value into a new counted cell drawn from `source`, with a [name](Ref::name), which takes 8 bytes more.
    ///
    /// # Errors
    /// Gives the value back where [`try_new_in`](Ref::try_new_in) does.
    ///
    /// ```
    /// use kmem::{Pool, Ref};
    /// let pool = Pool::bytes(32 + 8, 1);
    /// assert!(Ref::try_named_in(c"too large with a name", 7u64, &pool).is_err());
    /// assert!(Ref::try_new_in(7u64, &pool).is_ok());
    /// ```
    pub fn try_named_in(name: &'static CStr, value: T, source: S) -> Result<Self, Refused<T>> {
        // SAFETY: [fresh] `draw_from` makes a counted cell as it is asked, and this is its only reference.
        unsafe { emplace::named(Some(name), value, draw_from(source)).map(|data| Self::own(data)) }
    }

    /// Moves the value out if this is the only reference.
    ///
    /// Of several threads that call this at once with the only references to a cell, all may get their reference back: each
    /// sees that of another. If they then drop it, nobody has had the value; see [`into_inner`](Ref::into_inner).
    ///
    /// # Errors
    /// Gives the reference back if there are others.
    ///
    /// ```
    /// use kmem::Ref;
    /// let one = Ref::new(7);
    /// let two = one.clone();
    /// let one = Ref::try_unwrap(one).unwrap_err();
    /// drop(two);
    /// assert_eq!(Ref::try_unwrap(one).unwrap(), 7);
    /// ```
    pub fn try_unwrap(this: Self) -> Result<T, Self> {
        // There are no weak references, so nobody can make a second reference out of the only one but its owner. The
        // load acquires what the other holders did before they dropped theirs.
        if Self::count(&this) != 1 {
            return Err(this);
        }
        // SAFETY: [last-ref] the cell is ours alone.
        Ok(unsafe { Self::take(ManuallyDrop::new(this).data) })
    }

    /// Drops the reference, and returns the value if it was the last one.
    ///
    /// If every reference to a cell is given to this function, on whatever threads, exactly one of the calls returns the value.
    ///
    /// ```
    /// use kmem::Ref;
    /// let one = Ref::new(7);
    /// let two = one.clone();
    /// let taken = std::thread::scope(|scope| {
    ///     let other = scope.spawn(|| Ref::into_inner(two));
    ///     [Ref::into_inner(one), other.join().unwrap()]
    /// });
    /// assert!(taken == [Some(7), None] || taken == [None, Some(7)]);
    /// ```
    #[must_use = "the value is dropped unless something owns it"]
    pub fn into_inner(this: Self) -> Option<T> {
        let data = ManuallyDrop::new(this).data;
        // SAFETY: [last-ref] this owner has one reference, and gives it up. The cell of the last one is ours alone.
        unsafe { raw::refs::down("kmreff", data.as_ptr().cast()).then(|| Self::take(data)) }
    }

    /// Moves the value out and frees the cell.
    ///
    /// # Safety
    /// `data` is that of a live cell with this value, of which nobody else has a reference.
    unsafe fn take(data: NonNull<T>) -> T {
        // SAFETY: [caller, slot] the cell is live and ours alone. Its value is moved out before the cell is freed, without a
        // destructor.
        unsafe {
            let value = data.read();
            emplace::disarm(data, HEADER);
            raw::refs::end("kmreff", data.as_ptr().cast());
            value
        }
    }
}

impl<T: Copy, S: CellSource> Ref<[T], S> {
    /// Copies a slice into a new counted cell drawn from `source`.
    ///
    /// # Errors
    /// As [`AllocError`] says.
    ///
    /// ```
    /// use kmem::{Heap, Ref};
    /// assert_eq!(*Ref::try_copy_in(&[1, 2, 3], Heap)?, [1, 2, 3]);
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_copy_in(values: &[T], source: S) -> Result<Self, AllocError> {
        // SAFETY: [fresh] `draw_from` makes a counted cell as it is asked, and this is its only reference.
        unsafe { emplace::copy(values, draw_from(source)).map(|data| Self::own(data)) }
    }
}

impl<T: Copy, S> Ref<[T], S> {
    /// Gives the slice `len` values: those that fit stay, and those that are added are copies of `value`. The cell may move.
    ///
    /// # Errors
    /// [`AllocError::Shared`] where there are other references, and otherwise as [`AllocError`] says; nothing has changed then.
    ///
    /// ```
    /// use kmem::{AllocError, Heap, Ref};
    /// let mut numbers = Ref::try_copy_in(&[1, 2, 3], Heap)?;
    /// Ref::try_resize(&mut numbers, 2, 0)?;
    /// let shared = numbers.clone();
    /// assert_eq!(Ref::try_resize(&mut numbers, 3, 0), Err(AllocError::Shared));
    /// assert_eq!(*shared, [1, 2]);
    /// # Ok::<(), AllocError>(())
    /// ```
    pub fn try_resize(this: &mut Self, len: usize, value: T) -> Result<(), AllocError> {
        // SAFETY: [last-ref] a cell with other references is refused; the only one is borrowed exclusively, and learns the
        // new address.
        unsafe { emplace::resize(this.handle(), this.data, len, value, |data| this.data = data) }
    }
}

impl<S> Ref<str, S> {
    /// Appends to the string. The cell may move.
    ///
    /// # Errors
    /// [`AllocError::Shared`] where there are other references, and otherwise as [`AllocError`] says; nothing has changed then.
    ///
    /// ```
    /// use kmem::Ref;
    /// let mut text = Ref::<str>::from("one");
    /// Ref::try_push_str(&mut text, " and two")?;
    /// assert_eq!(&*text, "one and two");
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_push_str(this: &mut Self, text: &str) -> Result<(), AllocError> {
        // SAFETY: [last-ref] as in `try_resize`.
        unsafe { emplace::push_str(this.handle(), this.data, text, |data| this.data = data) }
    }
}

impl<T, S: CellSource> Ref<[T], S> {
    /// A counted cell drawn from `source` with `len` values, each made by `each` from its index.
    ///
    /// # Errors
    /// As [`AllocError`] says; `each` has not run then.
    ///
    /// ```
    /// use kmem::{Heap, Ref};
    /// let names = Ref::try_from_fn_in(2, |i| format!("worker {i}"), Heap)?;
    /// assert_eq!(names[1], "worker 1");
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_from_fn_in(len: usize, each: impl FnMut(usize) -> T, source: S) -> Result<Self, AllocError> {
        // SAFETY: [fresh] `draw_from` makes a counted cell as it is asked, and this is its only reference.
        unsafe { emplace::slice_with(Kind::Ref, len, each, draw_from(source)).map(|data| Self::own(data)) }
    }
}

impl<S: CellSource> Ref<str, S> {
    /// Copies a string into a new counted cell drawn from `source`.
    ///
    /// # Errors
    /// As [`AllocError`] says.
    ///
    /// ```
    /// use kmem::{Pool, Ref};
    /// let pool = Pool::bytes(48, 100);
    /// assert_eq!(&*Ref::try_copy_str_in("sixteen bytes!!!", &pool)?, "sixteen bytes!!!");
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_copy_str_in(text: &str, source: S) -> Result<Self, AllocError> {
        // SAFETY: [fresh] `draw_from` makes a counted cell as it is asked, and this is its only reference.
        unsafe { emplace::str(text, draw_from(source)).map(|data| Self::own(data)) }
    }

    /// The same into a cell with a name, which reports show and C compares.
    ///
    /// # Errors
    /// As [`AllocError`] says.
    ///
    /// ```
    /// use kmem::{Heap, Ref};
    /// let city = Ref::try_copy_str_named_in(c"city", "Turin", Heap)?;
    /// assert_eq!((&*city, Ref::name(&city)), ("Turin", Some(c"city")));
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_copy_str_named_in(name: &'static CStr, text: &str, source: S) -> Result<Self, AllocError> {
        let draw = draw_from(source);
        // SAFETY: [fresh] `draw_from` makes a counted cell as it is asked, and this is its only reference.
        unsafe {
            emplace::str(text, |request| draw(&raw::Request { name: Some(name), ..*request }))
                .map(|data| Self::own(data))
        }
    }
}

impl<T: ?Sized, S> Ref<T, S> {
    /// # Safety
    /// `data` is that of a live counted cell with this value, which the cell drops, drawn from an `S`, and the owner has a
    /// reference of its own.
    unsafe fn own(data: NonNull<T>) -> Self {
        Ref { data, owns: PhantomData }
    }

    /// The handle on the cell, which the engine knows it by.
    pub(crate) fn handle(&self) -> raw::Handle {
        // SAFETY: [last-ref] the reference keeps the cell live.
        unsafe { raw::ptr::handle_of(Kind::Ref, self.data.as_ptr().cast()) }
    }

    /// The number of references now. Where it is above 1, other threads may change it at any time.
    ///
    /// ```
    /// let one = kmem::Ref::new(7);
    /// assert_eq!(kmem::Ref::count(&one), 1);
    /// ```
    #[must_use]
    pub fn count(this: &Self) -> usize {
        // SAFETY: [last-ref] the reference keeps the cell live.
        unsafe { raw::refs::count(this.data.as_ptr().cast()) }
    }

    /// Whether two references are to the same cell.
    ///
    /// ```
    /// use kmem::Ref;
    /// let one = Ref::new(7);
    /// assert!(Ref::ptr_eq(&one, &one.clone()));
    /// assert!(!Ref::ptr_eq(&one, &Ref::new(7)));
    /// ```
    #[must_use]
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        core::ptr::addr_eq(this.data.as_ptr(), other.data.as_ptr())
    }

    /// The value for changing, where this is the only reference.
    ///
    /// ```
    /// use kmem::Ref;
    /// let mut one = Ref::new(7);
    /// *Ref::get_mut(&mut one).unwrap() = 8;
    /// let two = one.clone();
    /// assert!(Ref::get_mut(&mut one).is_none());
    /// # drop(two);
    /// ```
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        if Self::count(this) != 1 {
            return None;
        }
        // SAFETY: [last-ref] with a count of 1, loaded with acquire, this is the only reference and it is borrowed
        // exclusively.
        Some(unsafe { this.data.as_mut() })
    }

    /// Marks the cell, so that its bytes are zeroed when the last reference goes, whoever drops it.
    ///
    /// ```
    /// let key = kmem::Ref::new([7u8; 32]);
    /// kmem::Ref::taint(&key);
    /// assert!(kmem::Ref::is_tainted(&key));
    /// ```
    #[cfg(feature = "shred")]
    pub fn taint(this: &Self) {
        // SAFETY: [last-ref, prefix] the reference keeps the cell live, and the mark is atomic.
        unsafe { raw::ptr::taint_cell(Kind::Ref, this.data.as_ptr().cast()) }
    }

    /// Whether the cell is marked to be zeroed, by whichever reference.
    ///
    /// ```
    /// use kmem::Ref;
    /// let (key, other) = (Ref::new([7u8; 32]), Ref::new(7));
    /// Ref::taint(&key.clone());
    /// assert_eq!((Ref::is_tainted(&key), Ref::is_tainted(&other)), (true, false));
    /// ```
    #[cfg(feature = "shred")]
    #[must_use]
    pub fn is_tainted(this: &Self) -> bool {
        // SAFETY: [last-ref] the reference keeps the cell live.
        unsafe { (*raw::refs::header(this.data.as_ptr().cast())).cell.tainted() }
    }

    /// Gives up the reference and returns the pointer to the value, which C may drop with `kmreff`.
    ///
    /// ```
    /// use kmem::{Heap, Ref};
    /// let raw = Ref::new(7).into_non_null();
    /// drop(unsafe { Ref::<_, Heap>::from_non_null(raw) });
    /// ```
    #[must_use = "the reference leaks unless something owns it"]
    pub fn into_non_null(self) -> NonNull<T> {
        ManuallyDrop::new(self).data
    }

    /// Takes ownership of a reference.
    ///
    /// # Safety
    /// `data` points to a valid value in a live counted cell drawn from an `S`, of which nothing else owns this
    /// reference, and freeing the cell runs the value's destructor. A destructor of the program's own suits a slice or string of
    /// whatever length.
    ///
    /// ```
    /// use kmem::{Ref, raw::refs};
    /// use std::ptr::{NonNull, null_mut};
    /// let made_by_c = NonNull::new(unsafe { refs::z(null_mut(), 8) }).unwrap().cast::<u64>();
    /// let number: Ref<u64> = unsafe { Ref::from_non_null(made_by_c) };
    /// assert_eq!((*number, Ref::count(&number)), (0, 1));
    /// ```
    #[must_use]
    pub unsafe fn from_non_null(data: NonNull<T>) -> Self {
        // SAFETY: [caller] the contract is the caller's.
        unsafe { Self::own(data) }
    }
}

impl<T: ?Sized, S> Clone for Ref<T, S> {
    #[inline]
    fn clone(&self) -> Self {
        // SAFETY: [last-ref] the cell is live, for this is a reference to it; the new owner has the one that is added.
        unsafe {
            raw::refs::u(self.data.as_ptr().cast());
            Self::own(self.data)
        }
    }
}

impl<T: ?Sized, S> Drop for Ref<T, S> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: [last-ref, outlives] this owner has one reference. Where the value needs a destructor, the cell
        // carries it. The source is alive: `S` outlives an owner that has a `Drop`.
        unsafe { raw::refs::f(self.data.as_ptr().cast()) }
    }
}

smart_pointer!([T: ?Sized, S] Ref<T, S> => T);
grows! {
    this: (this: &mut Self) => this.handle(),
    [S] Ref<[T], S>, Ref<T, S>,
    fails: "[`AllocError::Shared`](crate::AllocError::Shared) where there are other references, and otherwise as \
            [`AllocError`](crate::AllocError) says; nothing has changed then.",
    example: ("Ref::try_copy_in(&[1, 2], Heap)?", "Ref::", "&mut it, "),
}
has_name!([T: ?Sized, S] Ref<T, S>, "Ref::named_in(c\"key\", 7, Heap)", "Ref");
has_rename!([T: ?Sized, S] Ref<T, S>, "Ref::named_in(c\"key\", 7, Heap)", "Ref",
    this => (Self::count(this) == 1).then(|| this.handle()), ", or if there are other references");
unsizable!([T: ?Sized, S] Ref<T, S> => Ref<U, S>);

impl<T: ?Sized + core::panic::RefUnwindSafe, S> core::panic::UnwindSafe for Ref<T, S> {}
impl<T: ?Sized + core::panic::RefUnwindSafe, S> core::panic::RefUnwindSafe for Ref<T, S> {}

#[cfg(feature = "heap")]
impl<T: Default> Default for Ref<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

#[cfg(feature = "heap")]
impl<T> From<T> for Ref<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

#[cfg(feature = "heap")]
impl From<&str> for Ref<str> {
    #[track_caller]
    fn from(text: &str) -> Self {
        emplace::made(Self::try_copy_str_in(text, Heap))
    }
}

#[cfg(feature = "heap")]
impl From<alloc::string::String> for Ref<str> {
    /// Moves the text. The string's memory is zeroed before it is freed, so that the cell holds the only copy.
    #[track_caller]
    fn from(text: alloc::string::String) -> Self {
        let bytes = text.into_bytes();
        // SAFETY: [fresh] `draw_from` makes a counted cell as it is asked, and this is its only reference.
        unsafe { Self::own(emplace::as_str(emplace::made(emplace::vec(Kind::Ref, bytes, draw_from(Heap))))) }
    }
}

#[cfg(feature = "heap")]
impl<T: Clone> From<&[T]> for Ref<[T]> {
    #[track_caller]
    fn from(values: &[T]) -> Self {
        emplace::made(Self::try_from_fn_in(values.len(), |i| values[i].clone(), Heap))
    }
}

#[cfg(feature = "heap")]
impl<T> From<alloc::vec::Vec<T>> for Ref<[T]> {
    /// Moves the values. The vector's memory is zeroed before it is freed, so that the cell holds the only copy.
    #[track_caller]
    fn from(values: alloc::vec::Vec<T>) -> Self {
        // SAFETY: [fresh] `draw_from` makes a counted cell as it is asked, and this is its only reference.
        unsafe { Self::own(emplace::made(emplace::vec(Kind::Ref, values, draw_from(Heap)))) }
    }
}

#[cfg(feature = "heap")]
impl<T> FromIterator<T> for Ref<[T]> {
    /// Collects the values into a cell. If there are more or fewer than the iterator promised the cell moves, and what it
    /// leaves behind is zeroed.
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> Self {
        // SAFETY: [fresh] `draw_from` makes a counted cell as it is asked, and this is its only reference.
        unsafe { Self::own(emplace::made(emplace::collect(Kind::Ref, iter.into_iter(), draw_from(Heap)))) }
    }
}
