//! Allocates an object by any method.

use core::ptr::NonNull;

use super::{Handle, object};
use crate::cell::{Cell, Kind};
use crate::error::AllocError;
#[cfg(feature = "tree")]
use crate::fault::call;
#[cfg(any(feature = "heap", feature = "ref", feature = "arena"))]
use crate::raw::make::ALLOC_CELL_SMALL;
use crate::raw::request::Request;

/// The method and the source of an object. C: `kmat`.
///
/// Exhaustive: C code relies on this layout.
///
/// ```
/// use kmem::Kind;
/// use kmem::raw::ptr::{self, At};
/// use kmem::raw::Request;
/// unsafe {
///     for kind in [Kind::Heap, Kind::Ref, Kind::Tree] {
///         let handle = At::new(kind).alloc(&Request::new(100)).unwrap();
///         assert_eq!(ptr::size(handle), 100);
///         ptr::free(handle);
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct At {
    /// A [`Kind`] as a number: heap, ref, tree, pool for a cell of the pool `src`, or arena for an object of the arena `src`.
    pub kind: i32,
    /// The source; null for the heap.
    pub src: *mut Cell,
    /// For a node, the data of its parent, or null for a root. Ignored for other kinds.
    pub parent: *mut u8,
}

impl At {
    /// Returns the method of this kind with the heap as the source. A node becomes a root.
    #[must_use]
    pub const fn new(kind: Kind) -> At {
        At { kind: kind as i32, src: core::ptr::null_mut(), parent: core::ptr::null_mut() }
    }

    /// Allocates an object with the parameters of a request. Fails as the `alloc` of the method does, and with
    /// [`AllocError::Source`] if no method in this build has this kind. C: `kmnew`.
    ///
    /// # Safety
    /// As for the `alloc` of the method; a pool that allocates its own cell is live and belongs to this thread.
    #[inline(never)]
    pub unsafe fn alloc(&self, request: &Request) -> Result<Handle, AllocError> {
        let At { kind, src, parent } = *self;
        let _ = (src, parent, request);
        let kind = Kind::from_raw(kind);
        // SAFETY: [caller] the contract is the caller's.
        let data: Result<NonNull<u8>, AllocError> = unsafe {
            match kind {
                #[cfg(feature = "heap")]
                Some(Kind::Heap) => crate::raw::heap::alloc_by(ALLOC_CELL_SMALL, request),
                #[cfg(feature = "ref")]
                Some(Kind::Ref) => crate::raw::refs::alloc_by(ALLOC_CELL_SMALL, src, request),
                #[cfg(feature = "pool")]
                Some(Kind::Pool) if !src.is_null() => crate::raw::pool::alloc(src.cast(), request),
                #[cfg(feature = "arena")]
                Some(Kind::Arena) if !src.is_null() => {
                    crate::raw::arena::alloc_by(ALLOC_CELL_SMALL, src.cast(), request)
                }
                #[cfg(feature = "tree")]
                Some(Kind::Tree) => {
                    crate::raw::tree::alloc_internal(src, parent, request, 0, call!(c"kmtreea"))
                }
                _ => Err(AllocError::source(kind)),
            }
        };
        // SAFETY: [fresh] the data of a new cell of this kind.
        data.map(|data| unsafe { object::handle_of(kind.unwrap_or(Kind::None), data.as_ptr()) })
    }
}
