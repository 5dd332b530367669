//! Methods that several owners have, written once.

/// The constructors of an owner. `S` is the type of its source, if it has several. The function `alloc_in` allocates.
macro_rules! constructors {
    ($owner:ident, $kind:expr, [$($s:ident)?], $source:ty) => {
        #[cfg(feature = "heap")]
        impl<T> $owner<T> {
            /// Moves a value into a new cell on the heap.
            ///
            /// # Panics
            #[doc = concat!("Panics if [`try_new`](", stringify!($owner), "::try_new) would fail.")]
            ///
            #[doc = concat!("```\nassert_eq!(*kmem::", stringify!($owner), "::new(7), 7);\n```")]
            #[track_caller]
            pub fn new(value: T) -> Self {
                Self::new_in(value, Heap)
            }

            /// Moves a value into a new cell on the heap.
            ///
            /// # Errors
            /// Returns the value with [`AllocError::Exhausted`] if memory runs out, and with [`AllocError::Align`] if the alignment of
            /// `T` is above [`raw::MAX_ALIGN`].
            ///
            /// ```
            /// #[repr(align(8192))]
            /// struct Wide(u8);
            #[doc = concat!("let Err(refused) = kmem::", stringify!($owner), "::try_new(Wide(7)) else { panic!() };")]
            /// assert_eq!(refused.into_value().0, 7);
            /// ```
            pub fn try_new(value: T) -> Result<Self, Refused<T>> {
                Self::try_new_in(value, Heap)
            }
        }

        impl<T $(, $s: CellSource)?> $owner<T $(, $s)?> {
            /// Moves a value into a new cell, allocated from a source. [`Named`](crate::Named) gives it a name.
            ///
            /// # Panics
            #[doc = concat!("Panics if [`try_new_in`](", stringify!($owner), "::try_new_in) would fail.")]
            ///
            #[doc = concat!("```\nuse kmem::{Heap, Named, ", stringify!($owner), "};")]
            #[doc = concat!("let seven = ", stringify!($owner), "::new_in(7, Named(c\"seven\", Heap));")]
            #[doc = concat!("assert_eq!(", stringify!($owner), "::name(&seven), Some(c\"seven\"));\n```")]
            #[track_caller]
            pub fn new_in(value: T, place: impl Place<Source = $source>) -> Self {
                emplace::made(Self::try_new_in(value, place))
            }

            /// Moves a value into a new cell, allocated from a source.
            ///
            /// # Errors
            /// Returns the value with [`AllocError::Exhausted`] if the source has no memory left, and with [`AllocError::Size`] or
            /// [`AllocError::Align`] if it cannot serve such a cell.
            ///
            #[doc = concat!("```\nuse kmem::{Heap, ", stringify!($owner), "};")]
            #[doc = concat!("assert_eq!(*", stringify!($owner), "::try_new_in(7, Heap).unwrap(), 7);\n```")]
            pub fn try_new_in(value: T, place: impl Place<Source = $source>) -> Result<Self, Refused<T>> {
                // SAFETY: [fresh, sole] `alloc_in` makes a cell as it is asked, and this is its only owner.
                unsafe { emplace::value(value, alloc_in(place)).map(|data| Self::own(data)) }
            }
        }

        impl<T: Copy $(, $s: CellSource)?> $owner<[T] $(, $s)?> {
            /// Copies a slice into a new cell, allocated from a source.
            ///
            /// # Errors
            #[doc = concat!("Returns the error of [`try_new_in`](", stringify!($owner), "::try_new_in).")]
            ///
            #[doc = concat!("```\nuse kmem::{Heap, ", stringify!($owner), "};")]
            #[doc = concat!("assert_eq!(*", stringify!($owner), "::try_copy_in(&[1, 2, 3], Heap)?, [1, 2, 3]);")]
            #[doc = "# Ok::<(), kmem::AllocError>(())\n```"]
            pub fn try_copy_in(values: &[T], place: impl Place<Source = $source>) -> Result<Self, AllocError> {
                // SAFETY: [fresh, sole] as in `try_new_in`.
                unsafe { emplace::copy(values, alloc_in(place)).map(|data| Self::own(data)) }
            }
        }

        impl<T $(, $s: CellSource)?> $owner<[T] $(, $s)?> {
            /// Makes `len` values in a new cell, allocated from a source. `each` makes a value from its index.
            ///
            /// # Errors
            #[doc = concat!("Returns the error of [`try_new_in`](", stringify!($owner), "::try_new_in), before any call of `each`.")]
            ///
            #[doc = concat!("```\nuse kmem::{Heap, ", stringify!($owner), "};")]
            #[doc = concat!("let names = ", stringify!($owner), "::try_from_fn_in(2, |i| format!(\"worker {i}\"), Heap)?;")]
            #[doc = "assert_eq!(names[1], \"worker 1\");\n# Ok::<(), kmem::AllocError>(())\n```"]
            pub fn try_from_fn_in(
                len: usize,
                each: impl FnMut(usize) -> T,
                place: impl Place<Source = $source>,
            ) -> Result<Self, AllocError> {
                // SAFETY: [fresh, sole] as in `try_new_in`.
                unsafe { emplace::slice_with($kind, len, each, alloc_in(place)).map(|data| Self::own(data)) }
            }
        }

        impl$(<$s: CellSource>)? $owner<str $(, $s)?> {
            /// Copies a string into a new cell, allocated from a source.
            ///
            /// # Errors
            #[doc = concat!("Returns the error of [`try_new_in`](", stringify!($owner), "::try_new_in).")]
            ///
            #[doc = concat!("```\nuse kmem::{Heap, Named, ", stringify!($owner), "};")]
            #[doc = concat!("let city = ", stringify!($owner), "::try_copy_str_in(\"Turin\", Named(c\"city\", Heap))?;")]
            #[doc = concat!("assert_eq!((&*city, ", stringify!($owner), "::name(&city)), (\"Turin\", Some(c\"city\")));")]
            #[doc = "# Ok::<(), kmem::AllocError>(())\n```"]
            pub fn try_copy_str_in(text: &str, place: impl Place<Source = $source>) -> Result<Self, AllocError> {
                // SAFETY: [fresh, sole] as in `try_new_in`.
                unsafe { emplace::str(text, alloc_in(place)).map(|data| Self::own(data)) }
            }
        }
    };
}

/// The conversions into an owner of a cell on the heap.
macro_rules! conversions {
    ($owner:ident, $kind:expr) => {
        #[cfg(feature = "heap")]
        impl<T: Default> Default for $owner<T> {
            #[track_caller]
            fn default() -> Self {
                Self::new(T::default())
            }
        }

        #[cfg(feature = "heap")]
        impl<T> From<T> for $owner<T> {
            #[track_caller]
            fn from(value: T) -> Self {
                Self::new(value)
            }
        }

        #[cfg(feature = "heap")]
        impl From<&str> for $owner<str> {
            #[track_caller]
            fn from(text: &str) -> Self {
                emplace::made(Self::try_copy_str_in(text, Heap))
            }
        }

        #[cfg(feature = "heap")]
        impl From<alloc::string::String> for $owner<str> {
            /// Moves the text. The string's memory is zeroed before it is freed, so the cell holds the only copy.
            #[track_caller]
            fn from(text: alloc::string::String) -> Self {
                // SAFETY: [fresh, sole] the cell is new, and this is its only owner.
                unsafe {
                    let bytes = emplace::made(emplace::vec($kind, text.into_bytes(), alloc_in(Heap)));
                    Self::own(emplace::as_str(bytes))
                }
            }
        }

        #[cfg(feature = "heap")]
        impl<T: Clone> From<&[T]> for $owner<[T]> {
            #[track_caller]
            fn from(values: &[T]) -> Self {
                emplace::made(Self::try_from_fn_in(values.len(), |index| values[index].clone(), Heap))
            }
        }

        #[cfg(feature = "heap")]
        impl<T> From<alloc::vec::Vec<T>> for $owner<[T]> {
            /// Moves the values. The vector's memory is zeroed before it is freed, so the cell holds the only copy.
            #[track_caller]
            fn from(values: alloc::vec::Vec<T>) -> Self {
                // SAFETY: [fresh, sole] the cell is new, and this is its only owner.
                unsafe { Self::own(emplace::made(emplace::vec($kind, values, alloc_in(Heap)))) }
            }
        }

        #[cfg(feature = "heap")]
        impl<T> FromIterator<T> for $owner<[T]> {
            /// Collects the values into a cell. The cell moves if the iterator's size hint was wrong, and the memory that it leaves is
            /// zeroed.
            #[track_caller]
            fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> Self {
                // SAFETY: [fresh, sole] the cell is new, and this is its only owner.
                unsafe { Self::own(emplace::made(emplace::collect($kind, iter.into_iter(), alloc_in(Heap)))) }
            }
        }
    };
}

/// `taint`. The receiver is `&mut self` for a sole owner.
macro_rules! taints {
    ([$($generics:tt)*] $owner:ty, $kind:expr, $this:ident: ($($receiver:tt)*), $example:literal) => {
        #[cfg(feature = "shred")]
        impl<$($generics)*> $owner {
            /// Taints the cell: its bytes are zeroed when it is freed, after the value's destructor.
            ///
            #[doc = concat!("```\nuse kmem::{HeapBox, Pool, Ref, Tree};\n", $example, "\n```")]
            pub fn taint($($receiver)*) {
                // SAFETY: [sole, last-ref, lent, prefix] the owner, or the borrow of the tree, keeps the cell live. The mark is atomic.
                unsafe { $crate::raw::ptr::taint_cell($kind, $this.data.as_ptr().cast()) }
            }
        }
    };
}

/// The name of an owner's or a handle's object. These are no methods, since the value may have a `name` of its own.
macro_rules! has_name {
    ([$($generics:tt)*] $owner:ty, $example:literal, $type:literal) => {
        impl<$($generics)*> $owner {
            /// Returns the name that the cell was [made with](crate::Named) or [given](crate::HeapBox::rename) since. C and reports
            /// show it too.
            ///
            #[doc = concat!("```\nuse kmem::{Heap, HeapBox, Named, Node, NodeRef, Ptr, Ref, Tree};\nlet tree = Tree::new(0);")]
            #[doc = concat!("let named = ", $example, ";\nassert_eq!(", $type, "::name(&named), Some(c\"key\"));\n```")]
            #[must_use]
            pub fn name(this: &Self) -> Option<&'static core::ffi::CStr> {
                // SAFETY: [sole, last-ref, lent] the owner, or the borrow of the tree, keeps the object live.
                unsafe { $crate::raw::ptr::name(this.handle()) }
            }
        }
    };
}

/// `rename` for an owner. `$handle` is `None` if the object has other owners.
macro_rules! has_rename {
    ([$($generics:tt)*] $owner:ty, $example:literal, $type:literal, $this:ident => $handle:expr, $unless:literal) => {
        impl<$($generics)*> $owner {
            /// Gives the cell another name. Only a cell that was made with a name has room for one.
            ///
            #[doc = concat!("Returns false, and changes nothing, if the cell was made without a name", $unless, ".")]
            ///
            #[doc = concat!("```\nuse kmem::{Heap, HeapBox, Named, Node, Ptr, Ref, Tree};\nlet tree = Tree::new(0);")]
            #[doc = concat!("let mut named = ", $example, ";\nassert!(", $type, "::rename(&mut named, c\"lock\"));")]
            #[doc = concat!("assert_eq!(", $type, "::name(&named), Some(c\"lock\"));\n```")]
            pub fn rename(this: &mut Self, name: &'static core::ffi::CStr) -> bool {
                let $this = this;
                let handle: Option<$crate::raw::Handle> = $handle;
                // SAFETY: [sole, last-ref] this owner is the object's only one, and is borrowed exclusively.
                handle.is_some_and(|handle| unsafe { $crate::raw::ptr::rename(handle, name) })
            }
        }
    };
}

/// The methods that change the length of a slice or a string. In the examples, a call is `$call`, the name of the method, `(` and
/// `$first`.
macro_rules! grows {
    (
        $this:ident: ($($receiver:tt)*) => $handle:expr,
        [$($generics:tt)*] $slice:ty, $str:ty, $any:ty,
        errors: $errors:literal,
        example: ($numbers:literal, $text:literal, $call:literal, $first:literal),
    ) => {
        impl<T: Copy, $($generics)*> $slice {
            /// Changes the length to `len`. Values that are added are copies of `value`. The cell may move.
            ///
            /// # Errors
            #[doc = grows!(@errors $errors)]
            ///
            #[doc = grows!(@before $numbers)]
            #[doc = concat!($call, "try_resize(", $first, "4, 7)?;\nassert_eq!(*it, [1, 2, 7, 7]);")]
            #[doc = grows!(@behind)]
            pub fn try_resize($($receiver)*, len: usize, value: T) -> Result<(), $crate::AllocError> {
                // SAFETY: [sole, last-ref] this owner is borrowed exclusively, and gets the new address. A handle that is borrowed, or
                // one of several owners, is refused.
                unsafe { $crate::emplace::resize($handle, $this.data, len, value, |data| $this.data = data) }
            }

            /// Appends copies of `values`, in time proportional to their number: a cell that moves gets room for half as many values
            /// again. The cell of a pool does not grow beyond its size.
            ///
            /// # Errors
            #[doc = grows!(@errors $errors)]
            ///
            #[doc = grows!(@before $numbers)]
            #[doc = concat!($call, "try_extend_from_slice(", $first, "&[3, 4])?;\nassert_eq!(*it, [1, 2, 3, 4]);")]
            #[doc = grows!(@behind)]
            pub fn try_extend_from_slice($($receiver)*, values: &[T]) -> Result<(), $crate::AllocError> {
                // SAFETY: [sole, last-ref] as in `try_resize`.
                unsafe { $crate::emplace::extend($handle, $this.data, values, |data| $this.data = data) }
            }
        }

        impl<$($generics)*> $str {
            /// Appends to the string, as [`try_extend_from_slice`](crate::HeapBox::try_extend_from_slice) does. The cell may move.
            ///
            /// # Errors
            #[doc = grows!(@errors $errors)]
            ///
            #[doc = grows!(@before $text)]
            #[doc = concat!($call, "try_push_str(", $first, "\" and two\")?;\nassert_eq!(&*it, \"one and two\");")]
            #[doc = grows!(@behind)]
            pub fn try_push_str($($receiver)*, text: &str) -> Result<(), $crate::AllocError> {
                // SAFETY: [sole, last-ref] as in `try_resize`.
                unsafe { $crate::emplace::push_str($handle, $this.data, text, |data| $this.data = data) }
            }
        }

        impl<T: $crate::Elements + ?Sized, $($generics)*> $any {
            /// Reserves room for `additional` more values, or bytes of a string. Until that many have been added, adding does not fail
            /// and the cell does not move. Shortening the value returns the room.
            ///
            /// # Errors
            #[doc = grows!(@errors $errors)]
            ///
            #[doc = grows!(@before $numbers)]
            #[doc = concat!($call, "try_reserve(", $first, "100)?;\nlet first = it.as_ptr();\nfor number in 3..=102 {")]
            #[doc = concat!("    ", $call, "try_extend_from_slice(", $first, "&[number])?;\n}\nassert_eq!(it.as_ptr(), first);")]
            #[doc = grows!(@behind)]
            pub fn try_reserve($($receiver)*, additional: usize) -> Result<(), $crate::AllocError> {
                // SAFETY: [sole, last-ref] as in `try_resize`.
                unsafe { $crate::emplace::reserve($handle, $this.data, additional, |data| $this.data = data) }
            }
        }
    };
    (@errors $errors:literal) => {
        concat!(
            "Returns [`AllocError::Exhausted`](crate::AllocError::Exhausted) if memory runs out and \
             [`AllocError::Overflow`](crate::AllocError::Overflow) if the size overflows",
            $errors, ". Nothing has changed then."
        )
    };
    (@before $it:literal) => {
        concat!("```\n# use kmem::{Heap, HeapBox, Ptr, Ref, Tree};\n# let tree = Tree::new(0);\nlet mut it = ", $it, ";")
    };
    (@behind) => {
        "# Ok::<(), kmem::AllocError>(())\n```"
    };
}
