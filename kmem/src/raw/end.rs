//! Ending a cell: run its destructor, zero its data, free its block.

use core::alloc::Layout;

use super::chain::shreds;
use super::check::{Prefix, check_prefix, is_plain};
use super::layout::CellAt;
use super::make::{heap_cell, heap_cell_of_layout};
use super::record;
use super::request::BASE_ALIGN;
use super::seal::{self, SealedDtor};
use super::shape::{CellLayout, far_end, slot};
use super::source::{self, free_heap, give_back};
use super::totals;
use crate::cell::{Cell, FLAG_SLOT, Kind};
use crate::fault::{self, Call, Misuse};
use crate::shred;

/// A cell that is being freed. Dropping this zeroes the data if needed and frees the block, even if the destructor unwinds.
pub(crate) struct CellFreeGuard {
    pub(crate) at: CellAt,
    pub(crate) shred: bool,
    /// The [`far_end`] of the cell, read before user code runs.
    pub(crate) far_end: usize,
}

impl CellFreeGuard {
    /// Zeroes the data if needed and frees the block. Safety: called once, instead of a drop.
    #[inline(always)]
    unsafe fn finish(&self) {
        let CellFreeGuard { at, shred, far_end } = *self;
        let (cell, data) = (at.cell(), at.data);
        // SAFETY: [guard, origin, extent] `end` was given a live cell that nobody else uses, and its live source.
        unsafe {
            let shape = CellLayout::ending(at, (*cell).size, far_end);
            if shred || (*cell).tainted() || shreds(at.src()) {
                // The spare room too: it may have held data.
                shred::zero(data, shape.end);
            }
            (*cell).kind = at.kind.freed();
            totals::ended(at.kind, shape.layout().size());
            if let Some(cell) = heap_cell_of_layout(at, &shape) {
                cell.ended();
            }
            give_back(at.src(), data.sub(shape.offset()), shape.layout());
        }
    }
}

impl Drop for CellFreeGuard {
    fn drop(&mut self) {
        // SAFETY: [guard] a guard whose cell must stay is forgotten, and so is one that is finished.
        unsafe { self.finish() }
    }
}

/// Ends a cell on behalf of `call`. Returns false, after a report, if the header is corrupt. Then the cell is unchanged.
/// Safety: the cell is live or dying, and nobody else uses it.
#[inline(always)]
pub(crate) unsafe fn end(call: Call, at: CellAt, shred: bool) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { !shred && end_fast(at) || end_slow(call, at, shred) }
}

/// The function that ends cells for callers that need not be fast: the smaller one in the C library, the faster one elsewhere.
pub(crate) const END_SMALL: unsafe fn(Call, CellAt, bool) -> bool =
    if cfg!(kmem_standalone) { end_slow } else { end };

/// Ends a plain cell from the heap or from a plain pool, without running user code. Otherwise does nothing and returns false.
/// Safety: as for [`end`].
#[inline(always)]
pub(crate) unsafe fn end_fast(at: CellAt) -> bool {
    let cell = at.cell();
    // SAFETY: [live, extent] the cell is this caller's alone, and its source is live. A plain cell was allocated with exactly its
    // size.
    unsafe {
        let (src, size) = (at.src(), (*cell).size);
        let plain = size >= at.header() && is_plain(cell, size);
        if plain && src.is_null() {
            (*cell).kind = at.kind.freed();
            totals::ended(at.kind, size);
            if let Some(cell) = heap_cell(at) {
                cell.ended();
            }
            free_heap(cell.cast(), Layout::from_size_align_unchecked(size, BASE_ALIGN));
            return true;
        }
        // A node pays nothing for the call of a function, since it saves registers anyway.
        let is_node = matches!(at.kind, Kind::Tree);
        if plain
            && !seal::is_no_source(src.addr())
            && (source::is_plain(src) || is_node && source::is_plain_chain(src))
        {
            (*cell).kind = at.kind.freed();
            totals::ended(at.kind, size);
            source::give_back_fast(src, cell.cast(), size);
            return true;
        }
        false
    }
}

/// [`end`] of a cell that is not plain.
#[inline(never)]
pub(crate) unsafe fn end_slow(call: Call, at: CellAt, shred: bool) -> bool {
    let (cell, data) = (at.cell(), at.data);
    // SAFETY: [live] the cell is this caller's alone.
    unsafe {
        let found = check_prefix(call, at);
        if found != Prefix::Valid {
            return found == Prefix::Recorded && end_recorded(call, at, shred);
        }
        let ending = CellFreeGuard { at, shred, far_end: far_end(at) };
        if (*cell).flags & FLAG_SLOT != 0 {
            let Some(destructor) = SealedDtor::read(slot(at)) else {
                core::mem::forget(ending);
                fault::report(call, data, Misuse::Damaged);
                return false;
            };
            (*cell).kind = at.kind.dying();
            destructor.call(data);
        }
        let ending = core::mem::ManuallyDrop::new(ending);
        ending.finish();
    }
    true
}

/// [`end_slow`] of a cell with a record. Safety: as for [`end`]. The prefix was checked.
#[cold]
#[inline(never)]
unsafe fn end_recorded(call: Call, at: CellAt, shred: bool) -> bool {
    let (cell, data) = (at.cell(), at.data);
    // SAFETY: [live, record, guard] the cell is this caller's alone. The record is freed last, when nothing points to it.
    unsafe {
        let record = record::of(cell);
        let Some(destructor) = record::destructor(record) else {
            fault::report(call, data, Misuse::Damaged);
            return false;
        };
        let lifted = record::lift(cell, record);
        if (*cell).flags & FLAG_SLOT != 0 && SealedDtor::read(slot(at)).is_none() {
            fault::report(call, data, Misuse::Damaged);
            return false;
        }
        let _spent = spent(lifted, at);
        if (*cell).flags & FLAG_SLOT != 0 {
            return end_slow(call, at, shred);
        }
        let _ending = CellFreeGuard { at, shred, far_end: far_end(at) };
        (*cell).kind = at.kind.dying();
        destructor.call(data);
    }
    true
}

/// The record of a cell that is being freed. Dropping this frees the record.
pub(crate) struct Spent {
    kind: Kind,
    record: *mut record::Record,
    src: *mut Cell,
}

impl Drop for Spent {
    fn drop(&mut self) {
        totals::returned(self.kind, record::LAYOUT.size());
        // SAFETY: [guard, origin] the record was allocated from this source with this layout, and nothing points to it.
        unsafe { give_back(self.src, self.record.cast(), record::LAYOUT) };
    }
}

/// Returns the detached record as one to be freed, instead of linking it to its cell again. Safety: the cell is readable.
pub(crate) unsafe fn spent(lifted: record::Lifted, at: CellAt) -> Spent {
    // SAFETY: [caller] the cell is readable.
    Spent { kind: at.kind, record: lifted.into_record(), src: unsafe { at.src() } }
}
