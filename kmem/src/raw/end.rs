//! A cell that ends: its destructor, the zeroing of its data, and its block's way back to the source.

use core::alloc::Layout;

use super::chain::shreds;
use super::check::{Prefix, check_prefix, is_plain};
use super::layout::prefix;
use super::make::{told, told_shaped};
use super::record;
use super::request::BASE_ALIGN;
use super::seal::{self, SealedDtor};
use super::shape::{CellLayout, far_end};
use super::source::{self, free_heap, give_back};
use super::totals;
use crate::cell::{Cell, FLAG_SLOT, Kind};
use crate::fault::{self, Call, Misuse};
use crate::shred;

/// A cell on its way out. Dropping it zeroes the data where anyone asked for it and gives the block back, so that
/// this happens even where the destructor unwinds.
pub(crate) struct CellFreeGuard {
    pub(crate) kind: Kind,
    pub(crate) header: usize,
    pub(crate) data: *mut u8,
    pub(crate) src: *mut Cell,
    pub(crate) shred: bool,
    /// Read before anything of the program's runs.
    pub(crate) far_end: usize,
}

impl CellFreeGuard {
    /// Ends the cell: what dropping does, in the place where it is called.
    ///
    /// # Safety
    /// It is done once.
    #[inline(always)]
    unsafe fn finish(&self) {
        let CellFreeGuard { kind, header, data, src, shred, far_end } = *self;
        let cell = prefix(data, header);
        // SAFETY: [guard, origin, extent] `end` was given a live cell that nobody else uses any more, and its source, which is
        // still there.
        unsafe {
            let shape = CellLayout::ending(cell, header, (*cell).size, far_end);
            if shred || (*cell).tainted() || shreds(src) {
                // The spare room too: what lies there may have been data.
                shred::zero(data, shape.end);
            }
            (*cell).kind = kind.freed();
            totals::ended(kind, shape.layout().size());
            if let Some(cell) = told_shaped(data, &shape, src) {
                cell.ended();
            }
            give_back(src, data.sub(shape.offset()), shape.layout());
        }
    }
}

impl Drop for CellFreeGuard {
    fn drop(&mut self) {
        // SAFETY: [guard] nobody else has, or this would have been forgotten.
        unsafe { self.finish() }
    }
}

/// Ends a cell on behalf of `call`: destructor, zeroing, back to the source. A damaged header is reported, and the cell left
/// alone: then it returns false.
///
/// # Safety
/// `data` is that of a cell of `kind` with this header, drawn from `src`, and nobody uses it any more.
#[inline(always)]
pub(crate) unsafe fn end(
    call: Call,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    shred: bool,
) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { !shred && end_fast(kind, header, data, src) || end_slow(call, kind, header, data, src, shred) }
}

/// Ends a cell that has nothing to it but its bytes, and came from the heap or from a pool that is as plain. Returns whether it was one;
/// if not, nothing was done. Nothing of the program's runs.
///
/// # Safety
/// As for [`end`].
#[inline(always)]
pub(crate) unsafe fn end_fast(kind: Kind, header: usize, data: *mut u8, src: *mut Cell) -> bool {
    let cell = prefix(data, header);
    // SAFETY: [live, extent] the caller's cell is ours alone, and its source alive. A plain one was drawn with just its
    // size, see `alloc_cell`.
    unsafe {
        let size = (*cell).size;
        let plain = size >= header && is_plain(cell, size);
        if plain && src.is_null() {
            (*cell).kind = kind.freed();
            totals::ended(kind, size);
            if let Some(cell) = told(data, header, src) {
                cell.ended();
            }
            free_heap(cell.cast(), Layout::from_size_align_unchecked(size, BASE_ALIGN));
            return true;
        }
        if plain && !seal::is_no_source(src.addr()) && source::is_plain(src) {
            (*cell).kind = kind.freed();
            totals::ended(kind, size);
            source::give_back_fast(src, cell.cast());
            return true;
        }
        false
    }
}

/// [`end`] of a cell that may have more to it.
///
/// # Safety
/// As for [`end`].
#[inline(never)]
pub(crate) unsafe fn end_slow(
    call: Call,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    shred: bool,
) -> bool {
    let cell = prefix(data, header);
    // SAFETY: [live] the caller's cell is ours alone.
    unsafe {
        let found = check_prefix(call, kind, header, data, src);
        if found != Prefix::Whole {
            return found == Prefix::Recorded && end_recorded(call, kind, header, data, src, shred);
        }
        let ending = CellFreeGuard { kind, header, data, src, shred, far_end: far_end(cell, header) };
        if (*cell).flags & FLAG_SLOT != 0 {
            let slot = CellLayout::ending(cell, header, (*cell).size, 0).slot();
            let Some(destructor) = SealedDtor::read(data.add(slot).cast()) else {
                core::mem::forget(ending);
                fault::report(call, data, Misuse::Damaged);
                return false;
            };
            (*cell).kind = kind.dying();
            destructor.call(data);
        }
        let ending = core::mem::ManuallyDrop::new(ending);
        ending.finish();
    }
    true
}

/// [`end_slow`] of a cell with a record.
///
/// # Safety
/// As for [`end`], and the prefix was found whole.
#[cold]
#[inline(never)]
pub(crate) unsafe fn end_recorded(
    call: Call,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    shred: bool,
) -> bool {
    let cell = prefix(data, header);
    // SAFETY: [live, record, guard] the caller's cell is ours alone. What is dropped last is its record, once nothing leads to it.
    unsafe {
        let record = record::of(cell);
        let Some(destructor) = record::destructor(record) else {
            fault::report(call, data, Misuse::Damaged);
            return false;
        };
        let lifted = record::lift(cell, record);
        if (*cell).flags & FLAG_SLOT != 0
            && SealedDtor::read(data.add(CellLayout::of(cell, header).slot()).cast()).is_none()
        {
            fault::report(call, data, Misuse::Damaged);
            return false;
        }
        let _spent = spent(lifted, kind, src);
        if (*cell).flags & FLAG_SLOT != 0 {
            return end_slow(call, kind, header, data, src, shred);
        }
        let _ending = CellFreeGuard { kind, header, data, src, shred, far_end: far_end(cell, header) };
        (*cell).kind = kind.dying();
        destructor.call(data);
    }
    true
}

/// The record of a cell on its way out. Dropping it gives its block back.
pub(crate) struct Spent {
    kind: Kind,
    record: *mut record::Record,
    src: *mut Cell,
}

impl Drop for Spent {
    fn drop(&mut self) {
        totals::returned(self.kind, record::LAYOUT.size());
        // SAFETY: [guard, origin] the record was drawn from there with this layout, and nobody knows of it any more.
        unsafe { give_back(self.src, self.record.cast(), record::LAYOUT) };
    }
}

/// Frees the record when dropped, in the place of linking it to its cell.
pub(crate) fn spent(lifted: record::Lifted, kind: Kind, src: *mut Cell) -> Spent {
    Spent { kind, record: lifted.taken(), src }
}
