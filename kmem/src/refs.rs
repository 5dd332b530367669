//! The owner of a reference to a counted cell.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use crate::cell::Kind;
use crate::emplace;
use crate::error::{AllocError, Refused};
use crate::fault::call;
use crate::raw;
use crate::source::{CellSource, Heap, Place};

/// A reference to a counted cell. It is an `Arc` without weak references that C can hold and drop.
///
/// The cell is allocated from `S`: the heap, a pool of bytes, or a [`SourceCell`](crate::SourceCell). It has 32 bytes of header, and
/// 16 more if the value needs a destructor. A reference is `Send` if the value is `Send` and `Sync` and the source may be used from
/// any thread. The thread that drops the last reference drops the value. On [small processors](crate#small-processors) a reference
/// stays on its thread.
///
/// More than `isize::MAX` references abort the program.
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
// The last one also returns the cell to its source, hence `S: Send`. The processor must change a count in one step.
#[cfg(target_has_atomic = "ptr")]
unsafe impl<T: ?Sized + Send + Sync, S: Send> Send for Ref<T, S> {}
// SAFETY: [threads] a thread that shares a reference can clone it and keep the clone, so this needs all that `Send` needs.
#[cfg(target_has_atomic = "ptr")]
unsafe impl<T: ?Sized + Send + Sync, S: Send + Sync> Sync for Ref<T, S> {}

/// Returns the function that allocates a cell for a constructor.
#[inline]
fn alloc_in<S: CellSource>(place: impl Place<Source = S>) -> impl emplace::Alloc {
    let (source, name) = place.into_parts();
    // SAFETY: [outlives, typed] a `CellSource` outlives its type's lifetime, which bounds the owner of the new cell. `emplace` asks for
    // a destructor that suits the value.
    move |request| unsafe { raw::refs::alloc(source.as_cell(), &raw::Request { name, ..*request }) }
}

#[cfg(feature = "heap")]
impl<T> Ref<T> {
    /// Returns a mutable reference to the value. If there are other references to the cell, the value is first cloned into a new cell,
    /// and this reference is replaced by one to the new cell.
    ///
    /// The clone of a tainted cell is tainted.
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
    /// Moves the value out if this is the only reference.
    ///
    /// If several threads call this at once with the only references to a cell, all calls may fail. Use
    /// [`into_inner`](Ref::into_inner) to get the value exactly once.
    ///
    /// # Errors
    /// Returns the reference if there are others.
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
        // There are no weak references, so only the owner of the last one can make another. The load acquires what the other
        // holders did before they dropped theirs.
        if Self::count(&this) != 1 {
            return Err(this);
        }
        // SAFETY: [last-ref] this is the only reference.
        Ok(unsafe { Self::take(ManuallyDrop::new(this).data) })
    }

    /// Drops the reference, and returns the value if it was the last one.
    ///
    /// If every reference to a cell is passed to this function, on any threads, exactly one call returns the value.
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
        // SAFETY: [last-ref] this owner gives up its reference. If it was the last, nobody else uses the cell.
        unsafe { raw::refs::down(call!(c"kmreff"), data.as_ptr().cast()).then(|| Self::take(data)) }
    }

    /// Moves the value out and frees the cell.
    ///
    /// # Safety
    /// `data` is that of a live cell with this value, to which nobody else has a reference.
    unsafe fn take(data: NonNull<T>) -> T {
        // SAFETY: [caller] the contract is the caller's.
        unsafe { emplace::take(data, Kind::Ref, |data| raw::refs::end(call!(c"kmreff"), data)) }
    }
}

impl<T: ?Sized, S> Ref<T, S> {
    /// # Safety
    /// `data` is that of a live counted cell with this value, which the cell drops, allocated from an `S`. The owner has a reference
    /// of its own.
    unsafe fn own(data: NonNull<T>) -> Self {
        Ref { data, owns: PhantomData }
    }

    /// Returns the engine's handle on the cell.
    pub(crate) fn handle(&self) -> raw::Handle {
        // SAFETY: [last-ref] the reference keeps the cell live.
        unsafe { raw::ptr::handle_of(Kind::Ref, self.data.as_ptr().cast()) }
    }

    /// Returns the number of references. If it is above 1, other threads may change it at any time.
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

    /// Returns true if both references are to the same cell.
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

    /// Returns a mutable reference to the value if this is the only reference to the cell.
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
        // SAFETY: [last-ref] with a count of 1, loaded with acquire, this is the only reference, and it is borrowed exclusively.
        Some(unsafe { this.data.as_mut() })
    }

    /// Returns true if the cell is tainted, through any reference.
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
        unsafe { (*raw::Ref::of(this.data.as_ptr().cast())).cell.tainted() }
    }

    /// Gives up the reference and returns the pointer to the value. C may drop it with `kmreff`.
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
    /// `data` points to a valid value in a live counted cell that was allocated from an `S`, and nothing else owns this reference. If
    /// the value needs a destructor, the cell has it. If C set a destructor for a slice or string, it works for every length, because the
    /// owner may change the length.
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
        // SAFETY: [last-ref] this reference keeps the cell live, and the new owner has the one that is added.
        unsafe {
            raw::refs::u(self.data.as_ptr().cast());
            Self::own(self.data)
        }
    }
}

impl<T: ?Sized, S> Drop for Ref<T, S> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: [last-ref, outlives] this owner has one reference. The cell has the value's destructor, if it needs one. The source
        // is alive: `S` outlives an owner that has a `Drop`.
        unsafe { raw::refs::f(self.data.as_ptr().cast()) }
    }
}

constructors!(Ref, Kind::Ref, [S], S);
conversions!(Ref, Kind::Ref);
smart_pointer!([T: ?Sized, S] Ref<T, S> => T);
grows! {
    this: (this: &mut Self) => this.handle(),
    [S] Ref<[T], S>, Ref<str, S>, Ref<T, S>,
    errors: ", and [`AllocError::Shared`](crate::AllocError::Shared) if there are other references",
    example: ("Ref::try_copy_in(&[1, 2], Heap)?", "Ref::<str>::from(\"one\")", "Ref::", "&mut it, "),
}
taints!([T: ?Sized, S] Ref<T, S>, Kind::Ref, this: (this: &Self), "let key = Ref::new([7u8; 32]);\nRef::taint(&key);");
has_name!([T: ?Sized, S] Ref<T, S>, "Ref::new_in(7, Named(c\"key\", Heap))", "Ref");
has_rename!([T: ?Sized, S] Ref<T, S>, "Ref::new_in(7, Named(c\"key\", Heap))", "Ref",
    this => (Self::count(this) == 1).then(|| this.handle()), ", or if there are other references");
unsizable!([T: ?Sized, S] Ref<T, S> => Ref<U, S>);

impl<T: ?Sized + core::panic::RefUnwindSafe, S> core::panic::UnwindSafe for Ref<T, S> {}
impl<T: ?Sized + core::panic::RefUnwindSafe, S> core::panic::RefUnwindSafe for Ref<T, S> {}
