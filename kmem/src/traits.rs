//! The traits that every smart pointer has, said once over all owners: they behave as the value behind them.

macro_rules! smart_pointer {
    ([$($generics:tt)*] $owner:ty => $target:ident) => {
        impl<$($generics)*> core::ops::Deref for $owner {
            type Target = $target;
            #[inline]
            fn deref(&self) -> &$target {
                // SAFETY: [sole, last-ref] the owner, or what it borrows, keeps the value alive, and it is given out
                // mutably only through `&mut self`.
                unsafe { self.data.as_ref() }
            }
        }
        impl<$($generics)*> AsRef<$target> for $owner {
            fn as_ref(&self) -> &$target {
                self
            }
        }
        impl<$($generics)*> core::borrow::Borrow<$target> for $owner {
            fn borrow(&self) -> &$target {
                self
            }
        }
        debug!([$($generics)*] $owner => $target);
        impl<$($generics)*> core::fmt::Display for $owner
        where
            $target: core::fmt::Display,
        {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                (**self).fmt(f)
            }
        }
        impl<$($generics)*> core::fmt::Pointer for $owner {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Pointer::fmt(&self.data, f)
            }
        }
        impl<$($generics)*> PartialEq for $owner
        where
            $target: PartialEq,
        {
            fn eq(&self, other: &Self) -> bool {
                **self == **other
            }
        }
        impl<$($generics)*> Eq for $owner where $target: Eq {}
        impl<$($generics)*> PartialOrd for $owner
        where
            $target: PartialOrd,
        {
            fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
                (**self).partial_cmp(&**other)
            }
        }
        impl<$($generics)*> Ord for $owner
        where
            $target: Ord,
        {
            fn cmp(&self, other: &Self) -> core::cmp::Ordering {
                (**self).cmp(&**other)
            }
        }
        impl<$($generics)*> core::hash::Hash for $owner
        where
            $target: core::hash::Hash,
        {
            fn hash<State: core::hash::Hasher>(&self, state: &mut State) {
                (**self).hash(state)
            }
        }
        impl<$($generics)*> core::error::Error for $owner
        where
            $target: core::error::Error,
        {
            fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
                (**self).source()
            }
        }
        impl<$($generics)*> Unpin for $owner {}
    };
}

/// Debugging output, which ends up in logs, does not show what is to leave no trace in memory.
macro_rules! debug {
    ([$($generics:tt)*] $owner:ty => $target:ident) => {
        /// As the value, or `[REDACTED]` if its bytes are zeroed when it is freed: it is tainted, or its source shreds.
        impl<$($generics)*> core::fmt::Debug for $owner
        where
            $target: core::fmt::Debug,
        {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                // SAFETY: [sole, last-ref, lent, one-thread] the owner, or what it borrows, keeps the object live.
                if unsafe { $crate::raw::ptr::shreds(self.handle()) } {
                    return f.write_str("[REDACTED]");
                }
                (**self).fmt(f)
            }
        }
    };
}

/// What the owners that are always the only one have beyond that.
macro_rules! sole_owner {
    ([$($generics:tt)*] $owner:ty => $target:ident) => {
        impl<$($generics)*> core::ops::DerefMut for $owner {
            #[inline]
            fn deref_mut(&mut self) -> &mut $target {
                // SAFETY: [sole] this is the only owner, borrowed for as long as the value is.
                unsafe { self.data.as_mut() }
            }
        }
        impl<$($generics)*> AsMut<$target> for $owner {
            fn as_mut(&mut self) -> &mut $target {
                self
            }
        }
        impl<$($generics)*> core::borrow::BorrowMut<$target> for $owner {
            fn borrow_mut(&mut self) -> &mut $target {
                self
            }
        }
        impl<$($generics)*> core::panic::UnwindSafe for $owner where $target: core::panic::UnwindSafe {}
        impl<$($generics)*> core::panic::RefUnwindSafe for $owner where $target: core::panic::RefUnwindSafe {}
    };
}

/// The name of what an owner, a lender or a handle has. No methods: the value may have a `name` of its own.
macro_rules! has_name {
    ([$($generics:tt)*] $owner:ty, $example:literal, $type:literal) => {
        impl<$($generics)*> $owner {
            /// The name that the cell was given when it was made, which C sees too, as do reports.
            ///
            #[doc = concat!("```\nuse kmem::{Heap, HeapBox, Node, NodeRef, Ptr, Ref, Tree};\nlet tree = Tree::new(0);")]
            #[doc = concat!("let named = ", $example, ";\nassert_eq!(", $type, "::name(&named), Some(c\"key\"));\n```")]
            #[must_use]
            pub fn name(this: &Self) -> Option<&'static core::ffi::CStr> {
                // SAFETY: [sole, last-ref, lent] the owner, or what it borrows, keeps the object live.
                unsafe { $crate::raw::ptr::name(this.handle()) }
            }
        }
    };
}

/// Implements `rename` for an owner. `$handle` is `None` if the object has other owners.
macro_rules! has_rename {
    ([$($generics:tt)*] $owner:ty, $example:literal, $type:literal, $this:ident => $handle:expr, $unless:literal) => {
        impl<$($generics)*> $owner {
            /// Gives the cell another name. A cell has room for a name if it was made with one.
            ///
            #[doc = concat!("Returns false, and changes nothing, if there is no room", $unless, ".")]
            ///
            #[doc = concat!("```\nuse kmem::{Heap, HeapBox, Node, Ptr, Ref, Tree};\nlet tree = Tree::new(0);")]
            #[doc = concat!("let mut named = ", $example, ";\nassert!(", $type, "::rename(&mut named, c\"lock\"));")]
            #[doc = concat!("assert_eq!(", $type, "::name(&named), Some(c\"lock\"));\n```")]
            pub fn rename(this: &mut Self, name: &'static core::ffi::CStr) -> bool {
                let $this = this;
                let handle: Option<$crate::raw::Handle> = $handle;
                // SAFETY: [sole, last-ref] the object is this owner's alone, and borrowed exclusively.
                handle.is_some_and(|handle| unsafe { $crate::raw::ptr::rename(handle, name) })
            }
        }
    };
}

/// What the owners of slices and strings have that grow.
macro_rules! grows {
    (
        $this:ident: ($($receiver:tt)*) => $handle:expr,
        [$($of_slice:tt)*] $slice:ty, $any:ty,
        fails: $fails:literal,
        example: ($numbers:literal, $call:literal, $first:literal),
    ) => {
        impl<T: Copy, $($of_slice)*> $slice {
            /// Appends copies of `values`. Takes time in proportion to their number: a cell that has to move for them gets room for half
            /// as many values again as it has then. A pool's cell holds what it holds.
            ///
            /// # Errors
            #[doc = $fails]
            ///
            #[doc = concat!("```\nuse kmem::{Heap, HeapBox, Ptr, Ref, Tree};\nlet tree = Tree::new(0);\nlet mut it = ", $numbers, ";")]
            #[doc = concat!($call, "try_extend_from_slice(", $first, "&[3, 4])?;\nassert_eq!(*it, [1, 2, 3, 4]);")]
            #[doc = "# Ok::<(), kmem::AllocError>(())\n```"]
            pub fn try_extend_from_slice($($receiver)*, values: &[T]) -> Result<(), $crate::AllocError> {
                // SAFETY: [sole, last-ref] as in `try_resize`.
                unsafe { $crate::emplace::extend($handle, $this.data, values, |data| $this.data = data) }
            }
        }

        impl<T: $crate::Elements + ?Sized, $($of_slice)*> $any {
            /// Has room for `additional` more elements, as `Vec` has it, or more bytes of a string: until so many have been added, adding
            /// them does not fail, and the cell does not move. Cutting the value gives the room back.
            ///
            /// # Errors
            #[doc = $fails]
            ///
            #[doc = concat!("```\nuse kmem::{Heap, HeapBox, Ptr, Ref, Tree};\nlet tree = Tree::new(0);\nlet mut it = ", $numbers, ";")]
            #[doc = concat!($call, "try_reserve(", $first, "100)?;\nlet first = it.as_ptr();\nfor number in 3..=102 {")]
            #[doc = concat!("    ", $call, "try_extend_from_slice(", $first, "&[number])?;\n}\nassert_eq!(it.as_ptr(), first);")]
            #[doc = "# Ok::<(), kmem::AllocError>(())\n```"]
            pub fn try_reserve($($receiver)*, additional: usize) -> Result<(), $crate::AllocError> {
                // SAFETY: [sole, last-ref] as in `try_resize`.
                unsafe { $crate::emplace::reserve($handle, $this.data, additional, |data| $this.data = data) }
            }
        }
    };
}
