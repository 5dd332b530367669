//! One handle over all methods: free, shred, stat, taint.

mod at;
mod hook;
mod look;
mod resize;

use core::mem::offset_of;
use core::ptr::null_mut;

use crate::cell::{Cell, Kind, Shred};
use crate::fault::{self, Misuse};

pub use at::At;
pub use hook::hook;
pub use look::{cast, name, rename, size, size_for};
pub(crate) use resize::resize_kept;
pub use resize::{grow, reserve, resize};

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
    /// A [`Shred`] as its number: 1 where the object is to be zeroed when this handle is freed.
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

/// Frees, downrefs, gives back or ignores the object, as its kind wants, zeroing it first where the handle, the
/// cell or the source says so. Of a tree node, everything below goes too. The null handle is ignored.
///
/// # Safety
/// As for the method's own free; a misuse that the handle or the header shows goes to the
/// [fault handler](crate::fault) and changes nothing.
///
/// ```
/// use kmem::raw::{heap, ptr, refs};
/// use std::ptr::null_mut;
/// static GREETING: [u8; 5] = *b"hello";
/// unsafe {
///     for handle in [heap::ao(8), refs::ao(null_mut(), 8), ptr::stat(GREETING.as_ptr())] {
///         ptr::free(handle);
///     }
/// }
/// ```
#[inline]
pub unsafe fn free(handle: Handle) {
    const CALL: &str = "kmfree";
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if handle.shred == 0 {
            release(handle, CALL, Shred::No);
        } else {
            release_zeroed(handle, CALL);
        }
    }
}

/// Like [`free`], but zeroes what it deallocates. An object that kmem did not allocate is left alone, since its
/// size is not known; a reference-counted one is zeroed when its last reference goes.
///
/// # Safety
/// As for [`free`].
///
/// ```
/// use kmem::raw::{heap, ptr};
/// unsafe { ptr::shred(heap::ao(32)) };
/// ```
#[cfg(feature = "shred")]
#[inline]
pub unsafe fn shred(handle: Handle) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { release_zeroed(handle, "kmshred") }
}

/// Apart from [`free`], so that a handle without a mark goes without a look at it.
#[inline(never)]
unsafe fn release_zeroed(handle: Handle, call: &'static str) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { release(handle, call, Shred::Yes) }
}

/// What a check looks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// A look: the object may be on its way out, for its destructor may look at it.
    Look,
    /// What only a live object may have done to it.
    Change,
}

/// Whether the object of a handle is live, as far as its header says, and the handle agrees with it; what is wrong is reported.
/// An object that kmem did not allocate is.
///
/// # Safety
/// Where the handle's kind is that of a method, the header of its object is readable.
pub(super) unsafe fn check(call: &'static str, handle: Handle, what: For) -> bool {
    let Handle { kind, data, cell, .. } = handle;
    let agrees = |found: *mut Cell| cell == found || cell.is_null();
    // Without a method there is nothing to agree with.
    let _ = (&agrees, what);
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        match Kind::from_raw(kind) {
            Some(Kind::None) => true,
            #[cfg(feature = "heap")]
            Some(Kind::Heap) if agrees(super::heap::cell(data)) => {
                check_cell(call, Kind::Heap, super::heap::HEADER, data, what)
            }
            #[cfg(feature = "ref")]
            Some(Kind::Ref) if agrees(super::refs::header(data).cast()) => {
                check_cell(call, Kind::Ref, super::refs::HEADER, data, what)
            }
            #[cfg(feature = "pool")]
            Some(Kind::Pool) if agrees(super::pool::owner_of(data).cast()) => match what {
                For::Look => super::pool::check_seen(call, data),
                For::Change => super::pool::check(call, data).is_some(),
            },
            #[cfg(feature = "tree")]
            Some(Kind::Tree) if agrees(super::tree::header(data).cast()) => {
                check_cell(call, Kind::Tree, super::tree::HEADER, data, what)
            }
            kind => {
                contradicted(call, data, kind);
                false
            }
        }
    }
}

/// [`check`] of a cell with a prefix of its own.
///
/// # Safety
/// As for [`check`].
#[cfg(any(feature = "heap", feature = "ref", feature = "tree"))]
unsafe fn check_cell(call: &'static str, kind: Kind, header: usize, data: *mut u8, what: For) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        match what {
            For::Look => super::block::check_seen(call, kind, header, data),
            For::Change => super::block::check(call, kind, header, data),
        }
    }
}

#[inline]
pub(super) unsafe fn release(handle: Handle, call: &'static str, shred: Shred) {
    let Handle { kind, data, cell, .. } = handle;
    if data.is_null() {
        return;
    }
    // A handle that C made may have no cell.
    let agrees = |found: *mut Cell| cell == found || cell.is_null();
    // Without a method to free with, neither is used.
    let _ = (shred, &agrees);
    // SAFETY: [caller] the contract is the caller's, and each method checks the header.
    unsafe {
        match Kind::from_raw(kind) {
            Some(Kind::None) => {}
            #[cfg(feature = "heap")]
            Some(Kind::Heap) if agrees(super::heap::cell(data)) => super::heap::release(data, call, shred),
            #[cfg(feature = "ref")]
            Some(Kind::Ref) if agrees(super::refs::header(data).cast()) => {
                super::refs::release(data, call, shred)
            }
            #[cfg(feature = "pool")]
            Some(Kind::Pool) if agrees(super::pool::owner_of(data).cast()) => {
                super::pool::release(data, call, shred)
            }
            #[cfg(feature = "tree")]
            Some(Kind::Tree) if agrees(super::tree::header(data).cast()) => {
                super::tree::release(data, call, shred);
            }
            kind => contradicted(call, data, kind),
        }
    }
}

/// Returns true if a handle on an object with this cell does not contradict it. A handle that C made may have no cell.
pub(super) fn agrees(handle: Handle, found: *mut Cell) -> bool {
    !handle.is_null() && (handle.cell == found || handle.cell.is_null())
}

/// Reports a handle of a kind that does not agree with its cell, or that this kmem cannot free.
#[cold]
fn contradicted(call: &'static str, data: *mut u8, kind: Option<Kind>) {
    let built = |kind| match kind {
        Kind::None | Kind::Source => true,
        Kind::Heap => cfg!(feature = "heap"),
        Kind::Ref => cfg!(feature = "ref"),
        Kind::Pool => cfg!(feature = "pool"),
        Kind::Tree => cfg!(feature = "tree"),
    };
    let misuse = match kind {
        Some(kind) if !built(kind) => Misuse::NotBuilt(kind),
        _ => Misuse::BadHandle,
    };
    fault::report(call, data, misuse);
}

/// The header of an object of this kind; null for an object that has none of its own.
fn header(kind: Kind, data: *mut u8) -> *mut Cell {
    match kind {
        #[cfg(feature = "heap")]
        Kind::Heap => super::heap::cell(data),
        #[cfg(feature = "ref")]
        Kind::Ref => super::refs::header(data).cast(),
        #[cfg(feature = "tree")]
        Kind::Tree => super::tree::header(data).cast(),
        _ => {
            let _ = data;
            null_mut()
        }
    }
}

/// The handle of a live object of this kind.
///
/// # Safety
/// `data` is that of a live cell of this kind, or any pointer where the kind is [`Kind::None`].
pub(crate) unsafe fn handle_of(kind: Kind, data: *mut u8) -> Handle {
    let cell = match kind {
        #[cfg(feature = "pool")]
        // SAFETY: [caller, tag] the caller gives a live pool cell, whose header names its pool.
        Kind::Pool => unsafe { super::pool::owner_of(data).cast() },
        kind => header(kind, data),
    };
    Handle::on(kind, data, cell)
}

/// Wraps a pointer to an object that kmem does not manage, so that it can be passed where any handle can.
///
/// ```
/// use kmem::raw::ptr;
/// let number = 7u32;
/// let handle = ptr::stat((&raw const number).cast());
/// assert_eq!((handle.kind, handle.data.cast_const()), (0, (&raw const number).cast()));
/// unsafe { ptr::free(handle) }; // does nothing
/// ```
#[must_use]
pub fn stat(object: *const u8) -> Handle {
    Handle::on(Kind::None, object.cast_mut(), null_mut())
}

/// Marks the handle and the cell of its object, so that the object is zeroed when it is freed, by this handle or by any other path.
///
/// # Safety
/// The handle is null or holds a live object.
///
/// ```
/// use kmem::raw::{ptr, refs};
/// unsafe {
///     let mut key = refs::zo(std::ptr::null_mut(), 32);
///     ptr::taint(&mut key);
///     refs::f(key.data); // zeroed, although the handle was not used
/// }
/// ```
#[cfg(feature = "shred")]
#[inline]
pub unsafe fn taint(handle: &mut Handle) {
    handle.shred = Shred::Yes as i32;
    if let Some(kind) = Kind::from_raw(handle.kind) {
        // SAFETY: [caller] the caller gives a live object.
        unsafe { taint_cell(kind, handle.data) };
    }
}

/// Marks the cell of a live object of this kind, if kmem allocated it.
///
/// # Safety
/// `data` is null or that of a live object of this kind.
#[cfg(feature = "shred")]
pub(crate) unsafe fn taint_cell(kind: Kind, data: *mut u8) {
    #[cfg(feature = "pool")]
    if kind == Kind::Pool && !data.is_null() {
        // SAFETY: [caller] the caller gives a live cell of a pool.
        return unsafe { super::pool::taint(data) };
    }
    let cell = header(kind, data);
    if !cell.is_null() && !data.is_null() {
        // SAFETY: [caller] the caller gives a live object, and its kind one with a header.
        unsafe { (*cell).taint() };
    }
}

/// Returns true if the object of a handle is zeroed when it is freed: the handle, its cell or the source says so. Any thread may ask
/// that shares the object.
///
/// # Safety
/// The handle is null or holds a live object.
pub(crate) unsafe fn shreds(handle: Handle) -> bool {
    #[cfg(feature = "pool")]
    // SAFETY: [caller] the caller gives a live cell, whose header names its pool.
    if handle.kind == Kind::Pool as i32 && unsafe { super::pool::is_tainted(handle.data) } {
        return true;
    }
    // SAFETY: [caller, outlives] the cell is live, and so are the sources below it.
    handle.shred != 0 || unsafe { super::shreds(handle.cell) }
}
