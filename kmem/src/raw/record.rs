//! Records: what a heap cell or a counted cell gets after it was made, a destructor or objects that it owns.
//!
//! Neither header has a spare word, so the address of the record takes the place of the cell's size, which the record repeats.
//! [`FLAG_RECORD`] says so. A cell without a record pays nothing. Before a cell ends its header is made plain again.

use core::alloc::Layout;
use core::ptr::null_mut;

use super::request::{BASE_ALIGN, Destructor};
use super::seal::{self, SealedDtor};
use crate::cell::{Cell, FLAG_RECORD};

/// The record of a cell.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Record {
    /// Bytes of the cell's header and data.
    pub(crate) size: usize,
    /// The destructor of a cell that was made without a slot for one; empty in others.
    pub(crate) drop: SealedDtor,
    /// The root of what the cell owns, a node of the library's own, or null.
    #[cfg(all(feature = "ref", feature = "tree"))]
    pub(crate) owned: *mut super::Node,
    /// The address of the cell under the key: nobody who writes over a header can give it the record of another cell.
    pub(crate) seal: usize,
    /// The last byte of the cell's prefix as it was without a record.
    pub(crate) heap: u8,
}

/// The layout of a record.
pub(crate) const LAYOUT: Layout = match Layout::new::<Record>().align_to(BASE_ALIGN) {
    Ok(layout) => layout.pad_to_align(),
    Err(_) => unreachable!(),
};

/// Returns true if these are the flags of a cell with a record.
#[inline(always)]
pub(crate) fn has(flags: u8) -> bool {
    flags & FLAG_RECORD == FLAG_RECORD
}

/// The record of a cell, or null if it has none or its header is damaged.
///
/// # Safety
/// `cell` is readable.
#[cold]
#[inline(never)]
pub(crate) unsafe fn of(cell: *mut Cell) -> *mut Record {
    // SAFETY: [caller, record] the caller's cell is readable. A word that has the seal of a record's address is one.
    unsafe {
        let Cell { flags, align, heap, size, .. } = *cell;
        let record = core::ptr::with_exposed_provenance_mut::<Record>(size);
        let found = has(flags)
            && size & (BASE_ALIGN - 1) == 0
            && !seal::is_non_canonical(size)
            && heap == seal::of_record(size, flags, align)
            && may_follow(cell)
            && (*record).seal == seal::of_recorded(cell);
        if found { record } else { null_mut() }
    }
}

/// Returns true if a record's address was not written over, as far as that shows without a look at the record.
///
/// # Safety
/// `cell` is readable, and has `FLAG_RECORD`.
pub(crate) unsafe fn may_follow(cell: *mut Cell) -> bool {
    #[cfg(target_pointer_width = "32")]
    // SAFETY: [caller, record] the word was written with the flag.
    unsafe {
        (*cell).spare.assume_init() as usize == seal::of_recorded(cell).rotate_left(7) ^ (*cell).size
    }
    #[cfg(not(target_pointer_width = "32"))]
    {
        let _ = cell;
        true
    }
}

/// Bytes of header and data of a cell; `none` if its record cannot be followed.
///
/// # Safety
/// `cell` is readable.
#[inline(always)]
pub(crate) unsafe fn size(cell: *mut Cell, none: usize) -> usize {
    // SAFETY: [caller, record] the caller's cell is readable, and so is its record.
    unsafe {
        if !has((*cell).flags) {
            return (*cell).size;
        }
        let record = of(cell);
        if record.is_null() { none } else { (*record).size }
    }
}

/// A record that no cell leads to: that cell's header is plain meanwhile. Dropping it links it to `cell`.
pub(crate) struct Lifted {
    record: *mut Record,
    pub(crate) cell: *mut Cell,
}

/// Takes a cell's record out of its header, which is plain then.
///
/// # Safety
/// The caller has the cell alone, and this is its record.
pub(crate) unsafe fn lift(cell: *mut Cell, record: *mut Record) -> Lifted {
    // SAFETY: [caller, record] the contract is the caller's.
    unsafe {
        (*cell).flags &= !FLAG_RECORD;
        ((*cell).size, (*cell).heap) = ((*record).size, (*record).heap);
    }
    Lifted { record, cell }
}

impl Drop for Lifted {
    fn drop(&mut self) {
        let Lifted { record, cell } = *self;
        // SAFETY: [guard, record] who lifted the record has it and the cell alone.
        unsafe {
            ((*record).size, (*record).heap) = ((*cell).size, (*cell).heap);
            (*record).seal = seal::of_recorded(cell);
            (*cell).flags |= FLAG_RECORD;
            (*cell).size = record.expose_provenance();
            (*cell).heap = seal::of_record((*cell).size, (*cell).flags, (*cell).align);
            #[cfg(target_pointer_width = "32")]
            (*cell).spare.write((seal::of_recorded(cell).rotate_left(7) ^ (*cell).size) as u32);
        }
    }
}

/// The destructor of a cell that was made without a slot for one, which may be an empty one; `None` if it was written over.
///
/// # Safety
/// As for [`set_dtor`].
#[inline(never)]
pub(crate) unsafe fn destructor(record: *mut Record) -> Option<Destructor> {
    // SAFETY: [caller, record] the contract is the caller's.
    unsafe { SealedDtor::read(&raw mut (*record).drop) }
}

/// Returns true if the cell needs no record: it owns nothing, and the record has no destructor.
///
/// # Safety
/// As for [`set_dtor`].
#[cfg(all(feature = "ref", feature = "tree"))]
pub(crate) unsafe fn is_empty(record: *mut Record) -> bool {
    // SAFETY: [caller, record] the contract is the caller's.
    unsafe { (*record).owned.is_null() && matches!(destructor(record), Some(Destructor { run: None, .. })) }
}

/// Sets the destructor of a cell that was made without a slot for one.
///
/// # Safety
/// The caller has the cell alone, and this is its record.
pub(crate) unsafe fn set_dtor(record: *mut Record, destructor: Destructor) {
    // SAFETY: [caller, record] the contract is the caller's.
    unsafe { SealedDtor::write(&raw mut (*record).drop, destructor) };
}

impl Lifted {
    /// The record, which is linked to nothing any more.
    pub(crate) fn taken(self) -> *mut Record {
        core::mem::ManuallyDrop::new(self).record
    }

    /// A record that is to be linked to a cell.
    pub(crate) fn new(record: *mut Record, cell: *mut Cell) -> Lifted {
        Lifted { record, cell }
    }
}
