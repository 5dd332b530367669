//! The handle: a pointer to any object.

use core::mem::offset_of;
use core::ptr::null_mut;

use crate::cell::{Cell, Kind};

/// A pointer to any object (`kmptr` in C), passed by value. It does not own the object.
/// Exhaustive: C code relies on the layout.
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
    /// A [`Shred`](crate::Shred) as its number: 1 if freeing this handle zeroes the object.
    pub shred: i32,
    /// The object (`ref` in C).
    pub data: *mut u8,
    /// The cell of the object: its header, or the pool of a pool's cell. Null if there is none.
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

    /// Returns a handle of this kind, or the null handle if `data` is null.
    #[inline(always)]
    pub(crate) fn on(kind: Kind, data: *mut u8, cell: *mut Cell) -> Handle {
        if data.is_null() { Handle::NULL } else { Handle { kind: kind as i32, shred: 0, data, cell } }
    }

    /// Returns true if the object is null, for any kind.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.data.is_null()
    }
}
