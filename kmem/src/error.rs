//! The reasons for which an allocation fails.

use core::fmt;

use crate::cell::Kind;

/// The reason for which an allocation failed. Nothing has changed then.
///
/// ```
/// use kmem::{AllocError, HeapBox};
/// let refused = HeapBox::<[u8]>::try_zeroed(usize::MAX).unwrap_err();
/// assert_eq!(refused, AllocError::Overflow);
/// assert_eq!(refused.to_string(), "the size of the cell overflows");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(kmem_standalone, repr(usize))]
#[non_exhaustive]
pub enum AllocError {
    /// The size of the cell, or the number of cells times their size, exceeds the address space.
    Overflow,
    /// `size` bytes were needed, including the header, and the source serves at most `max` at once.
    Size {
        /// Bytes needed.
        #[cfg(not(kmem_standalone))]
        size: usize,
        /// Bytes that the source serves at most.
        #[cfg(not(kmem_standalone))]
        max: usize,
    },
    /// The alignment is not a power of two, or exceeds `max`, the largest that the source serves.
    Align {
        /// The alignment requested, in bytes.
        #[cfg(not(kmem_standalone))]
        align: usize,
        /// The largest alignment that the source serves, in bytes.
        #[cfg(not(kmem_standalone))]
        max: usize,
    },
    /// The source has no memory left for `size` bytes.
    Exhausted {
        /// Bytes needed, including the header.
        #[cfg(not(kmem_standalone))]
        size: usize,
    },
    /// A cell of this kind cannot be the source. `None` if the source is not a cell.
    Source(#[cfg(not(kmem_standalone))] Option<Kind>),
    /// A cell of this kind, or an internal one, cannot be resized or moved.
    Fixed(#[cfg(not(kmem_standalone))] Kind),
    /// The cell has other references, which would not learn of a move.
    Shared,
    /// The new parent is the node itself or below it. For a pool: the new parent is, or lies below, an object allocated from the
    /// pool.
    Below,
    /// The call was a misuse, which was reported to the [fault handler](crate::fault).
    Misused,
}

/// The C library tells only `errno`: its errors have no fields, so that a result fits in two registers.
#[cfg_attr(kmem_standalone, allow(unused_variables, reason = "fields"))]
impl AllocError {
    pub(crate) const fn too_large(size: usize, max: usize) -> AllocError {
        AllocError::Size {
            #[cfg(not(kmem_standalone))]
            size,
            #[cfg(not(kmem_standalone))]
            max,
        }
    }

    pub(crate) const fn misaligned(align: usize, max: usize) -> AllocError {
        AllocError::Align {
            #[cfg(not(kmem_standalone))]
            align,
            #[cfg(not(kmem_standalone))]
            max,
        }
    }

    pub(crate) const fn exhausted(size: usize) -> AllocError {
        AllocError::Exhausted {
            #[cfg(not(kmem_standalone))]
            size,
        }
    }

    pub(crate) const fn source(kind: Option<Kind>) -> AllocError {
        AllocError::Source(
            #[cfg(not(kmem_standalone))]
            kind,
        )
    }

    pub(crate) const fn fixed(kind: Kind) -> AllocError {
        AllocError::Fixed(
            #[cfg(not(kmem_standalone))]
            kind,
        )
    }
}

#[cfg(not(kmem_standalone))]
impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AllocError::Overflow => f.write_str("the size of the cell overflows"),
            AllocError::Size { size, max } => {
                write!(f, "{size} bytes do not fit: the source serves at most {max}")
            }
            AllocError::Align { align, max } => {
                write!(f, "an alignment of {align} cannot be served: it must be a power of two up to {max}")
            }
            AllocError::Exhausted { size } => write!(f, "the source has no memory left for {size} bytes"),
            AllocError::Source(Some(kind)) => {
                write!(f, "a {kind} cell cannot be the source of this allocation")
            }
            AllocError::Source(None) => f.write_str("the source is not a cell that can be allocated from"),
            AllocError::Fixed(kind) => write!(f, "this {kind} cell keeps its size and its place"),
            AllocError::Shared => f.write_str("the cell has other references"),
            AllocError::Below => {
                f.write_str("the new parent is the node itself, lies below it, or was allocated from it")
            }
            AllocError::Misused => f.write_str("the call was a misuse, which has been reported"),
        }
    }
}

#[cfg(kmem_standalone)]
impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl core::error::Error for AllocError {}

/// A value whose allocation failed, returned with the reason.
///
/// ```
/// use kmem::{AllocError, Pool};
/// let pool = Pool::<String>::new(1);
/// let _first = pool.alloc("one".into());
/// let refused = pool.try_alloc("two".into()).unwrap_err();
/// assert!(matches!(refused.error(), AllocError::Exhausted { .. }));
/// assert_eq!(refused.into_value(), "two");
/// ```
pub struct Refused<T> {
    error: AllocError,
    value: T,
}

impl<T> Refused<T> {
    pub(crate) fn new(error: AllocError, value: T) -> Self {
        Refused { error, value }
    }

    /// Returns the reason.
    pub fn error(&self) -> AllocError {
        self.error
    }

    /// Returns the value.
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<T> From<Refused<T>> for AllocError {
    fn from(refused: Refused<T>) -> AllocError {
        refused.error
    }
}

impl<T> fmt::Debug for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T> core::error::Error for Refused<T> {}
