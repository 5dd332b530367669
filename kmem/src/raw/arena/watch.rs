//! Watches: a list of the cells that freeing an arena as a whole must not skip.
//!
//! A cell with a destructor and a tainted cell are freed one by one, and so is a node that lies outside the arena of its tree. Each of
//! them has a watch as its source. The watch hands every request on to the source behind it, and leaves the list when the cell is freed.

use core::ptr::null_mut;

use super::header::{ARENA_WATCH, Arena, Watch};
use super::space::{draw, give_back};
use crate::cell::{Cell, Kind};
use crate::error::AllocError;
use crate::raw::request::{BASE_ALIGN, Below};
use crate::raw::seal::heap_id;

/// Bytes of a watch in the arena.
const WATCH: usize = size_of::<Watch>().next_multiple_of(BASE_ALIGN);

/// Makes a watch for a cell that will be allocated from `src`. Safety: as for [`draw`].
pub(crate) unsafe fn make(
    arena: *mut Arena,
    src: *mut Cell,
    below: &Below,
) -> Result<*mut Watch, AllocError> {
    // SAFETY: [caller, fresh] the block has room for a watch.
    unsafe {
        let watch = draw(arena, WATCH, BASE_ALIGN, below)?.cast::<Watch>();
        watch.write(Watch {
            cell: Cell::new(Kind::Arena, ARENA_WATCH, 0, heap_id(), WATCH),
            arena,
            src,
            block: null_mut(),
            watched: null_mut(),
            older: null_mut(),
            newer: null_mut(),
            scope: 0,
        });
        link(watch.as_ptr());
        Ok(watch.as_ptr())
    }
}

/// Adds a watch to the list of its arena, as the newest. Safety: the watch is on no list, and its arena is live.
#[inline]
pub(crate) unsafe fn link(watch: *mut Watch) {
    // SAFETY: [caller, watches] the watches of a live arena are live.
    unsafe {
        let arena = (*watch).arena;
        let older = (*arena).watches;
        (*watch).scope = (*arena).scope;
        ((*watch).older, (*watch).newer) = (older, null_mut());
        if !older.is_null() {
            (*older).newer = watch;
        }
        (*arena).watches = watch;
    }
}

/// Removes a watch from the list of its arena, if it is on it. Safety: the watch and its arena are live.
pub(crate) unsafe fn unlink(watch: *mut Watch) {
    // SAFETY: [caller, watches] as in `link`.
    unsafe {
        let Watch { arena, older, newer, .. } = *watch;
        if newer == watch {
            return;
        }
        (*watch).newer = watch;
        *(if newer.is_null() { &raw mut (*arena).watches } else { &raw mut (*newer).older }) = older;
        if !older.is_null() {
            (*older).newer = newer;
        }
    }
}

/// Makes a watch the newest: its cell has moved into the innermost scope. Safety: as for [`unlink`].
pub(crate) unsafe fn renew(watch: *mut Watch) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        unlink(watch);
        link(watch);
    }
}

/// Frees a watch. Safety: as for [`unlink`]. No cell has it as its source any more.
pub(crate) unsafe fn free(watch: *mut Watch) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        unlink(watch);
        (*watch).cell.kind = Kind::Arena.freed();
        give_back((*watch).arena, watch.cast(), WATCH);
    }
}
