//! Records: a destructor, or owned objects, that a heap or counted cell gets after it was made.
//!
//! The headers have no spare word, so the address of the record replaces the size of the cell, and the record stores the size.
//! Such a cell has [`FLAG_RECORD`]. A cell without a record pays nothing. Before a cell ends, its header gets its size back.

use core::alloc::Layout;
use core::ptr::null_mut;

use super::request::{BASE_ALIGN, Destructor};
use super::seal::{self, SealedDtor};
use crate::cell::{Cell, FLAG_RECORD};

#[derive(Debug)]
#[repr(C)]
pub(crate) struct Record {
    /// Bytes of header and data of the cell.
    pub(crate) size: usize,
    /// The destructor of a cell made without a slot; otherwise empty.
    pub(crate) drop: SealedDtor,
    /// The internal root node of the objects that the cell owns, or null.
    #[cfg(all(feature = "ref", feature = "tree"))]
    pub(crate) owned: *mut super::Node,
    /// The address of the cell, sealed: a stray write cannot give the cell the record of another cell.
    pub(crate) seal: usize,
    /// The seal that the cell's prefix has without a record.
    pub(crate) heap: u8,
}

pub(crate) const LAYOUT: Layout = match Layout::new::<Record>().align_to(BASE_ALIGN) {
    Ok(layout) => layout.pad_to_align(),
    Err(_) => unreachable!(),
};

/// Returns true if these are the flags of a cell with a record.
#[inline(always)]
pub(crate) fn has(flags: u8) -> bool {
    flags & FLAG_RECORD == FLAG_RECORD
}

/// Returns the record of a cell, or null if it has none or its header is corrupt. Safety: `cell` is readable.
#[cold]
#[inline(never)]
pub(crate) unsafe fn of(cell: *mut Cell) -> *mut Record {
    // SAFETY: [caller, record] the cell is readable. A word with the right seal is the address of a record.
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

/// Returns true if the address of the record is not corrupt, as far as a check without reading the record shows.
/// Safety: `cell` is readable, and has `FLAG_RECORD`.
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

/// Returns the bytes of header and data of a cell, or `if_corrupt` if its record is corrupt. Safety: `cell` is readable.
#[inline(always)]
pub(crate) unsafe fn size(cell: *mut Cell, if_corrupt: usize) -> usize {
    // SAFETY: [caller, record] the cell is readable, and so is its record.
    unsafe {
        if !has((*cell).flags) {
            return (*cell).size;
        }
        let record = of(cell);
        if record.is_null() { if_corrupt } else { (*record).size }
    }
}

/// A record that is detached from its cell. Meanwhile the header of the cell has the size. Dropping this links the record to
/// `cell`.
pub(crate) struct Lifted {
    record: *mut Record,
    pub(crate) cell: *mut Cell,
}

/// Detaches the record from a cell, whose header gets its size back.
/// Safety: the cell is the caller's alone, and this is its record.
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
        // SAFETY: [guard, record] the record and the cell are the caller's alone.
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

/// Returns the destructor in the record, which may be empty, or `None` if it is corrupt. Safety: as for [`set_dtor`].
#[inline(never)]
pub(crate) unsafe fn destructor(record: *mut Record) -> Option<Destructor> {
    // SAFETY: [caller, record] the contract is the caller's.
    unsafe { SealedDtor::read(&raw mut (*record).drop) }
}

/// Returns true if the cell of this record does not need it: the record has no owned objects and no destructor. Safety: as for
/// [`set_dtor`].
#[cfg(all(feature = "ref", feature = "tree"))]
pub(crate) unsafe fn is_empty(record: *mut Record) -> bool {
    // SAFETY: [caller, record] the contract is the caller's.
    unsafe { (*record).owned.is_null() && matches!(destructor(record), Some(Destructor { run: None, .. })) }
}

/// Sets the destructor of a cell that was made without a slot. Safety: the cell is the caller's alone, and this is its record.
pub(crate) unsafe fn set_dtor(record: *mut Record, destructor: Destructor) {
    // SAFETY: [caller, record] the contract is the caller's.
    unsafe { SealedDtor::write(&raw mut (*record).drop, destructor) };
}

impl Lifted {
    /// Returns the record without linking it to a cell.
    pub(crate) fn into_record(self) -> *mut Record {
        core::mem::ManuallyDrop::new(self).record
    }

    /// Returns a new record that is to be linked to a cell.
    pub(crate) fn new(record: *mut Record, cell: *mut Cell) -> Lifted {
        Lifted { record, cell }
    }
}
