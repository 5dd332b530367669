//! Values that an arena drops: bytes with a destructor in front of them, which the list of watches leads to.

use core::mem::offset_of;
use core::ptr::{NonNull, null_mut};

use super::bare;
use super::header::{ARENA_WATCH, Arena, Watch};
use super::watch::{link, unlink};
use crate::cell::{Cell, Kind};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse};
use crate::raw::request::{BASE_ALIGN, Destructor};
use crate::raw::seal::{SealedDtor, heap_id};

/// The header of such a value, which ends where the value begins.
#[repr(C)]
struct Owned {
    /// A watch that watches itself.
    watch: Watch,
    dtor: SealedDtor,
}

const OWNED: usize = size_of::<Owned>().next_multiple_of(BASE_ALIGN);

/// Allocates bytes for a value with this destructor. Safety: as for [`bare::alloc`]. The value is written before the arena is used again.
#[inline]
pub(crate) unsafe fn alloc(
    arena: *mut Arena,
    size: usize,
    align: usize,
    destructor: Destructor,
) -> Result<NonNull<u8>, AllocError> {
    let align = align.max(BASE_ALIGN);
    let offset = OWNED.next_multiple_of(align);
    let size = size.checked_add(offset).ok_or(AllocError::Overflow)?;
    // SAFETY: [caller, fresh] the bytes have room for the header, which ends at the value.
    unsafe {
        let data = bare::alloc(arena, size, align)?.add(offset);
        let owned = data.sub(OWNED).cast::<Owned>().as_ptr();
        let watch = owned.cast::<Watch>();
        watch.write(Watch {
            cell: Cell::new(Kind::Arena, ARENA_WATCH, 0, heap_id(), OWNED),
            arena,
            src: arena.cast(),
            block: null_mut(),
            watched: watch.cast(),
            older: null_mut(),
            newer: null_mut(),
            scope: 0,
        });
        SealedDtor::write(&raw mut (*owned).dtor, destructor);
        link(watch);
        Ok(data)
    }
}

/// Returns true if this is the watch in front of a value that the arena drops. Safety: the watch is live.
pub(crate) unsafe fn is_owned(watch: *mut Watch) -> bool {
    // SAFETY: [caller] the watch is readable.
    unsafe { (*watch).watched == watch.cast() }
}

/// Drops the value. Safety: [`is_owned`] is true.
pub(crate) unsafe fn drop_value(call: Call, watch: *mut Watch) {
    // SAFETY: [caller, watches, slot] the value was written after its header, and leaves the list before it is dropped.
    unsafe {
        unlink(watch);
        (*watch).cell.kind = Kind::Arena.freed();
        let data = watch.cast::<u8>().add(OWNED);
        match SealedDtor::read(watch.byte_add(offset_of!(Owned, dtor)).cast()) {
            Some(destructor) => destructor.call(data),
            None => fault::report(call, data, Misuse::Damaged),
        }
    }
}
