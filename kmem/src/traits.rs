//! The traits of a smart pointer, which behave as those of the value. They are written once for all owners.

macro_rules! smart_pointer {
    ([$($generics:tt)*] $owner:ty => $target:ident) => {
        impl<$($generics)*> core::ops::Deref for $owner {
            type Target = $target;
            #[inline]
            fn deref(&self) -> &$target {
                // SAFETY: [sole, last-ref] the owner, or its borrow, keeps the value alive. Only `&mut self` lends it mutably.
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

/// `Debug` often ends up in logs, so it does not show a value that is to be zeroed.
macro_rules! debug {
    ([$($generics:tt)*] $owner:ty => $target:ident) => {
        /// Shows the value, or `[REDACTED]` if the cell is tainted or its source shreds.
        impl<$($generics)*> core::fmt::Debug for $owner
        where
            $target: core::fmt::Debug,
        {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                // SAFETY: [sole, last-ref, lent, one-thread] the owner, or its borrow, keeps the object live.
                if unsafe { $crate::raw::ptr::shreds(self.handle()) } {
                    return f.write_str("[REDACTED]");
                }
                (**self).fmt(f)
            }
        }
    };
}

/// The further traits of an owner that is the only one.
macro_rules! sole_owner {
    ([$($generics:tt)*] $owner:ty => $target:ident) => {
        impl<$($generics)*> core::ops::DerefMut for $owner {
            #[inline]
            fn deref_mut(&mut self) -> &mut $target {
                // SAFETY: [sole] this is the only owner, and is borrowed as long as the value is.
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
