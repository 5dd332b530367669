//! Owners of trait objects and slices.

/// Converts the owner of a sized value into the owner of a trait object, or the owner of an array into the owner of a slice. Owners are
/// [`HeapBox`](crate::HeapBox), [`Ref`](crate::Ref), [`PoolBox`](crate::PoolBox), [`Tree`](crate::Tree), [`Node`](crate::Node) and
/// [`Ptr`](crate::Ptr).
///
/// In stable Rust, only the pointers of the standard library coerce without a macro. This macro accepts what a `Box` accepts, since the
/// compiler coerces a plain pointer.
///
/// ```
/// use kmem::{Ptr, Ref, unsize};
/// use std::fmt::Display;
///
/// let number: Ref<dyn Display> = unsize!(Ref::new(7) => dyn Display);
/// let text: Ptr<'_, dyn Display> = unsize!(Ptr::from(&"text") => dyn Display);
/// assert_eq!(format!("{number} {text}"), "7 text");
///
/// let slice: Ref<[u8]> = unsize!(Ref::new([1, 2, 3]) => [u8]);
/// assert_eq!(slice.len(), 3);
/// ```
///
/// ```compile_fail,E0308
/// kmem::unsize!(kmem::Ref::new([1u8, 2]) => [u16]);
/// ```
#[macro_export]
macro_rules! unsize {
    ($owner:expr => $target:ty) => {{
        let (data, kept) = $crate::unsize::split($owner);
        let data: *mut $target = data;
        // SAFETY: [typed] `data` is what `split` returned, coerced by the compiler, which keeps the address.
        unsafe { $crate::unsize::join::<_, $target>(data, kept) }
    }};
}

/// An owner that can be split into a pointer and a rest, and joined again with another type of value.
///
/// # Safety
/// `join` with the parts of `split` returns an owner of the same object. Its cell keeps its destructor.
pub unsafe trait Owner {
    /// The value.
    type Target: ?Sized;
    /// The same owner of another value.
    type Of<U: ?Sized>;
    /// The rest of the owner beside the pointer.
    type Rest;
    /// Gives up the object.
    fn split(self) -> (*mut Self::Target, Self::Rest);
    /// Takes the object back.
    ///
    /// # Safety
    /// The parts are those of `split`. The pointer may have another type and metadata that suit the value.
    unsafe fn join<U: ?Sized>(data: *mut U, rest: Self::Rest) -> Self::Of<U>;
}

/// The rest of an owner of type `O`.
#[derive(Debug)]
pub struct Kept<O: Owner>(O::Rest);

/// Splits an owner.
pub fn split<O: Owner>(owner: O) -> (*mut O::Target, Kept<O>) {
    let (data, rest) = owner.split();
    (data, Kept(rest))
}

/// Joins the parts of an owner.
///
/// # Safety
/// As for [`Owner::join`].
pub unsafe fn join<O: Owner, U: ?Sized>(data: *mut U, kept: Kept<O>) -> O::Of<U> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { O::join(data, kept.0) }
}

/// Implements [`Owner`] for an owner that is its pointer.
macro_rules! unsizable {
    ([$($generics:tt)*] $owner:ty => $of:ty) => {
        // SAFETY: [typed] the owner is its pointer, and the cell is not changed.
        unsafe impl<$($generics)*> $crate::unsize::Owner for $owner {
            type Target = T;
            type Of<U: ?Sized> = $of;
            type Rest = ();
            fn split(self) -> (*mut T, ()) {
                (self.into_non_null().as_ptr(), ())
            }
            unsafe fn join<U: ?Sized>(data: *mut U, (): ()) -> $of {
                // SAFETY: [caller] the pointer was that of an owner that is given up, so it is not null. It is valid for its type.
                unsafe { <$of>::own(core::ptr::NonNull::new_unchecked(data)) }
            }
        }
    };
}
