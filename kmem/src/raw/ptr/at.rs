//! How and where an object is made, for those who make objects of any kind.

use core::ptr::NonNull;

use super::{Handle, object};
use crate::cell::{Cell, Kind};
use crate::error::AllocError;
use crate::raw::request::Request;

/// How and where an object is made (`kmat` in C).
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
    /// A [`Kind`] as its number: heap, ref, tree, or pool for a cell of the pool that is the source.
    pub kind: i32,
    /// The source, null for the heap.
    pub src: *mut Cell,
    /// The data of the node above, or null; of a tree alone.
    pub parent: *mut u8,
}

impl At {
    /// An object of this kind on the heap; of a tree, a root.
    ///
    /// See the [type](At) for an example.
    #[must_use]
    pub const fn new(kind: Kind) -> At {
        At { kind: kind as i32, src: core::ptr::null_mut(), parent: core::ptr::null_mut() }
    }

    /// Makes an object as the request says. Fails as the method's own `alloc` does, and with [`AllocError::Source`] where the kind is that
    /// of no method, or of one that this kmem was built without.
    ///
    /// # Safety
    /// As for the method's own `alloc`; a pool as the source of its own cells is live and this thread's.
    ///
    /// See the [type](At) for an example.
    #[inline(never)]
    pub unsafe fn alloc(&self, request: &Request) -> Result<Handle, AllocError> {
        let At { kind, src, parent } = *self;
        let _ = (src, parent, request);
        let kind = Kind::from_raw(kind);
        // SAFETY: [caller] the contract is the caller's.
        let data: Result<NonNull<u8>, AllocError> = unsafe {
            match kind {
                #[cfg(feature = "heap")]
                Some(Kind::Heap) => crate::raw::heap::alloc(request),
                #[cfg(feature = "ref")]
                Some(Kind::Ref) => crate::raw::refs::alloc(src, request),
                #[cfg(feature = "pool")]
                Some(Kind::Pool) if !src.is_null() => crate::raw::pool::alloc(src.cast(), request),
                #[cfg(feature = "tree")]
                Some(Kind::Tree) => crate::raw::tree::alloc(src, parent, request),
                _ => Err(AllocError::Source(kind)),
            }
        };
        // SAFETY: [fresh] the data of a new cell of this kind.
        data.map(|data| unsafe { object::handle_of(kind.unwrap_or(Kind::None), data.as_ptr()) })
    }
}
