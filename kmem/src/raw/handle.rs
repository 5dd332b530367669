//! The handle: one type for every object.

use core::mem::offset_of;
use core::ptr::null_mut;

use crate::cell::{Cell, Kind};

/// A handle on any object (`kmptr` in C), passed by value.
///
/// It does not own what it points to any more than a C pointer does: whoever frees it last must be the only one.
///
/// Exhaustive: C code relies on this layout.
///
/// ```
/// use kmem::raw::{ptr, Handle};
/// assert_eq!(core::mem::size_of::<Handle>(), 8 + 2 * core::mem::size_of::<*const u8>());
/// unsafe { ptr::free(Handle::NULL) }; // ignored
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Handle {
    /// A [`Kind`] as its number.
    pub kind: i32,
    /// A [`Shred`](crate::Shred) as its number: 1 where the object is to be zeroed when this handle is freed.
    pub shred: i32,
    /// The object (`ref` in C).
    pub data: *mut u8,
    /// The cell around the object: its header, or the pool of a pool cell. Null where there is none.
    pub cell: *mut Cell,
}

const _: () = {
    const WORD: usize = size_of::<usize>();
    assert!(offset_of!(Handle, kind) == 0 && offset_of!(Handle, shred) == 4);
    assert!(offset_of!(Handle, data) == 8 && offset_of!(Handle, cell) == 8 + WORD);
    assert!(size_of::<Handle>() == 8 + 2 * WORD);
};

impl Handle {
    /// The null handle: no kind, no object.
    pub const NULL: Handle = Handle { kind: 0, shred: 0, data: null_mut(), cell: null_mut() };

    /// A handle of this kind, or the null handle where `data` is null.
    pub(crate) fn on(kind: Kind, data: *mut u8, cell: *mut Cell) -> Handle {
        if data.is_null() { Handle::NULL } else { Handle { kind: kind as i32, shred: 0, data, cell } }
    }

    /// Whether this is a null handle: one whose object is null, whatever its kind.
    ///
    /// ```
    /// assert!(kmem::raw::Handle::NULL.is_null());
    /// ```
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.data.is_null()
    }
}
