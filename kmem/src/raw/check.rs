//! Checks of a cell's prefix: that the cell is live, and that the prefix is not corrupt.

use super::layout::CellAt;
use super::record;
use super::request::BASE_ALIGN;
use super::seal;
use super::shape::{CellLayout, MOST};
use super::source;
use crate::cell::{
    Cell, FLAG_BUSY, FLAG_DEEP, FLAG_HOLD, FLAG_HOOK, FLAG_HOST, FLAG_NAME, FLAG_OWNER, FLAG_RECORD,
    FLAG_SLOT, FLAG_TYPED_CHILD, Kind,
};
use crate::fault::{self, Call, Misuse, classify};

/// Returns true if this is a live cell of its kind. Otherwise reports the misuse. The rest of the header is checked when the cell
/// is freed.
/// Safety: the bytes of a header before the data are readable.
#[inline(always)]
pub(crate) unsafe fn check(call: Call, at: CellAt) -> bool {
    // SAFETY: [caller] the header is readable. It is read only if aligned.
    if at.data.addr() & (BASE_ALIGN - 1) == 0 && unsafe { (*at.cell()).kind } == at.kind as i32 {
        return true;
    }
    // SAFETY: [caller] as above.
    unsafe { report_bad_cell(call, at) };
    false
}

/// [`check`] for calls that only read a cell. They accept a dying cell, because its destructor may read it.
#[inline(never)]
pub(crate) unsafe fn check_readable(call: Call, at: CellAt) -> bool {
    // SAFETY: [caller] the header is readable. It is read only if aligned.
    unsafe {
        at.data.addr() & (BASE_ALIGN - 1) == 0 && (*at.cell()).kind == at.kind.dying() || check(call, at)
    }
}

/// Reports a pointer that is not the data of a live cell of its kind. Safety: as for [`check`].
#[cold]
unsafe fn report_bad_cell(call: Call, at: CellAt) {
    let misuse = if at.data.addr() & (BASE_ALIGN - 1) != 0 {
        Misuse::NotACell(0)
    } else {
        // SAFETY: [caller] the header is readable.
        classify(at.kind, unsafe { (*at.cell()).kind })
    };
    fault::report(call, at.data, misuse);
}

/// Returns true if the cell is plain: not tainted, no destructor or name, default alignment, valid seal. This is one comparison of
/// the four bytes between kind and size.
/// Safety: `cell` is readable and aligned, and only this thread can access it.
#[inline]
pub(crate) unsafe fn is_plain(cell: *mut Cell, size: usize) -> bool {
    const MASK: u32 = u32::from_ne_bytes([u8::MAX, !FLAG_TYPED_CHILD, u8::MAX, u8::MAX]);
    // SAFETY: [caller] the prefix is readable.
    let bytes = unsafe { (&raw const (*cell).shred).cast::<u32>().read() };
    bytes & MASK == u32::from_ne_bytes([0, 0, 0, seal::of_cell(size, 0, 0)])
}

/// Returns true if a cell of this kind may have these flags. Internal nodes have no slot and no name.
#[inline(always)]
fn may_have(kind: Kind, flags: u8) -> bool {
    let internal = flags & (FLAG_HOST | FLAG_HOOK | FLAG_HOLD);
    match kind {
        // An internal node has one of these bits, or the two of `FLAG_OWNER`.
        Kind::Tree => {
            const VALID: u32 = 1 << FLAG_HOST | 1 << FLAG_HOOK | 1 << FLAG_HOLD | 1 << FLAG_OWNER;
            internal == 0 || VALID >> internal & 1 != 0 && flags & (FLAG_SLOT | FLAG_NAME) == 0
        }
        _ => internal | flags & (FLAG_TYPED_CHILD | FLAG_BUSY | FLAG_DEEP) == 0,
    }
}

/// The result of a check of a prefix.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Prefix {
    /// Corrupt, or from the heap of another copy of kmem. This was reported.
    Wrong,
    /// Valid.
    Valid,
    /// Valid, and the cell has a record.
    Recorded,
}

/// Returns true if the prefix is consistent and its seal valid. Otherwise reports the misuse. Safety: the cell is readable.
#[inline]
pub(crate) unsafe fn seal_ok(call: Call, at: CellAt) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { check_prefix(call, at) != Prefix::Wrong }
}

/// Returns true if the prefix is consistent, even if another copy of kmem made the cell. Otherwise reports the misuse. This check
/// suffices for calls that only read the cell. Safety: the cell is readable.
pub(crate) unsafe fn prefix_ok(call: Call, at: CellAt) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let Cell { size, flags, .. } = *at.cell();
        is_consistent(at, size, flags) && has_possible_shape(at, size)
            || check_recorded(call, at, false) != Prefix::Wrong
    }
}

/// Checks the prefix and its seal, and reports a misuse. Safety: the cell is readable.
#[inline(never)]
pub(crate) unsafe fn check_prefix(call: Call, at: CellAt) -> Prefix {
    // SAFETY: [caller] the cell is readable.
    let misuse = unsafe {
        let Cell { size, flags, align, heap, .. } = *at.cell();
        if !is_consistent(at, size, flags) {
            return check_recorded(call, at, true);
        }
        if is_foreign(at, true, heap, seal::of_cell(size, flags, align)) {
            Misuse::OtherHeap
        } else if has_possible_shape(at, size) {
            return Prefix::Valid;
        } else {
            Misuse::Damaged
        }
    };
    fault::report(call, at.data, misuse);
    Prefix::Wrong
}

/// [`check_prefix`] of a prefix that is not consistent by itself: the cell has a record, or is corrupt. Without `ours`, the cell may
/// be from the heap of another copy of kmem.
#[cold]
#[inline(never)]
unsafe fn check_recorded(call: Call, at: CellAt, ours: bool) -> Prefix {
    // SAFETY: [caller, record] the cell is readable, and so is its record.
    let misuse = unsafe {
        let Cell { flags, align, .. } = *at.cell();
        let (record, flags) = (record::of(at.cell()), flags & !FLAG_RECORD);
        if record.is_null() || at.kind == Kind::Tree || !is_consistent(at, (*record).size, flags) {
            Misuse::Damaged
        } else if is_foreign(at, ours, (*record).heap, seal::of_cell((*record).size, flags, align)) {
            Misuse::OtherHeap
        } else if has_possible_shape(at, (*record).size) {
            return Prefix::Recorded;
        } else {
            Misuse::Damaged
        }
    };
    fault::report(call, at.data, misuse);
    Prefix::Wrong
}

/// Returns true if the seals differ, because another copy of kmem made the cell, and that copy must free it. Any copy may free a
/// cell that was allocated from a pool or a custom source, but an arena is that of one copy. Safety: as for [`check_prefix`], and the
/// prefix is consistent.
#[inline(always)]
unsafe fn is_foreign(at: CellAt, ours: bool, heap: u8, seal: u8) -> bool {
    // SAFETY: [caller] the cell is readable, and so is its source.
    heap != seal && ours && unsafe { at.src().is_null() || (*at.src()).kind == Kind::Arena as i32 }
}

/// Returns true if the flags and the size of header and data are possible. Reads nothing behind the header.
/// Safety: as for [`check_prefix`].
#[inline(always)]
unsafe fn is_consistent(at: CellAt, size: usize, flags: u8) -> bool {
    // A size below that of the header wraps to more than `MOST`.
    if size.wrapping_sub(at.header()) > MOST || seal::is_non_canonical(at.data.addr().wrapping_add(size)) {
        return false;
    }
    // SAFETY: [caller] the header is readable, and the source is live. An address that cannot be that of a source is not read.
    unsafe {
        let src = at.src();
        may_have(at.kind, flags)
            && (src.is_null() || !seal::is_no_source(src.addr()) && source::may_have_served(src, size))
    }
}

/// Returns true if the alignment and the far end are possible for this size. Reads the far end, behind the data, at an offset that
/// depends on the size. So the seal is checked first. Safety: the cell is readable. The size was found possible.
#[inline(always)]
unsafe fn has_possible_shape(at: CellAt, size: usize) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { (*at.cell()).align == 0 || CellLayout::is_possible(at, size) }
}
