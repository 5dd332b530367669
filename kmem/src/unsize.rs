//! Owners of trait objects.

/// Turns the owner of a sized value into that of a trait object, or of an array into that of a slice: a
/// [`HeapBox`](crate::HeapBox), [`Ref`](crate::Ref), [`PoolBox`](crate::PoolBox), [`Tree`](crate::Tree),
/// [`Node`](crate::Node) or [`Ptr`](crate::Ptr).
///
/// Stable Rust lets only its own pointers do this by themselves. The macro has the compiler coerce a plain pointer, so
/// that it accepts what a `Box` would and nothing else.
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
        // SAFETY: [typed] `data` is what `split` returned, but for a coercion by the compiler, which leaves the address
        // alone.
        unsafe { $crate::unsize::join::<_, $target>(data, kept) }
    }};
}

/// An owner that can be taken apart into a pointer and a rest, and put together for another type of value.
///
/// # Safety
/// `join` with the parts of `split` gives an owner of the same object, whose cell runs the destructor that it was made
/// with.
pub unsafe trait Owner {
    /// The value.
    type Target: ?Sized;
    /// The same owner of another value.
    type Of<U: ?Sized>;
    /// What the owner knows beside the pointer.
    type Rest;
    /// Gives up the object.
    fn split(self) -> (*mut Self::Target, Self::Rest);
    /// Takes the object back.
    ///
    /// # Safety
    /// The parts are those of `split`, the pointer but for its type and metadata, which suit the value.
    unsafe fn join<U: ?Sized>(data: *mut U, rest: Self::Rest) -> Self::Of<U>;
}

/// The rest of an owner of type `O`.
#[derive(Debug)]
pub struct Kept<O: Owner>(O::Rest);

/// Takes an owner apart.
pub fn split<O: Owner>(owner: O) -> (*mut O::Target, Kept<O>) {
    let (data, rest) = owner.split();
    (data, Kept(rest))
}

/// Puts an owner together.
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
        // SAFETY: [typed] the owner is its pointer, and the cell behind it is not touched.
        unsafe impl<$($generics)*> $crate::unsize::Owner for $owner {
            type Target = T;
            type Of<U: ?Sized> = $of;
            type Rest = ();
            fn split(self) -> (*mut T, ()) {
                (self.into_non_null().as_ptr(), ())
            }
            unsafe fn join<U: ?Sized>(data: *mut U, (): ()) -> $of {
                // SAFETY: [caller] the caller gives a pointer that was an owner's, so it is not null, with a type that
                // it is valid for, and gives up that owner.
                unsafe { <$of>::own(core::ptr::NonNull::new_unchecked(data)) }
            }
        }
    };
}
