//! Checks of a cell's prefix: that the cell is live, and that the prefix is not corrupt.

use super::layout::prefix;
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

/// Returns true if `data` is that of a live cell of `kind`. Otherwise reports the misuse. The rest of the header is checked when
/// the cell is freed.
/// Safety: the `header` bytes before `data` are readable.
#[inline(always)]
pub(crate) unsafe fn check(call: Call, kind: Kind, header: usize, data: *mut u8) -> bool {
    // SAFETY: [caller] the header is readable. It is read only if aligned.
    if data.addr() & (BASE_ALIGN - 1) == 0 && unsafe { (*prefix(data, header)).kind } == kind as i32 {
        return true;
    }
    // SAFETY: [caller] as above.
    unsafe { report_bad_cell(call, kind, header, data) };
    false
}

/// [`check`] for calls that only read a cell. They accept a dying cell, because its destructor may read it.
#[inline(never)]
pub(crate) unsafe fn check_readable(call: Call, kind: Kind, header: usize, data: *mut u8) -> bool {
    // SAFETY: [caller] the header is readable. It is read only if aligned.
    unsafe {
        data.addr() & (BASE_ALIGN - 1) == 0 && (*prefix(data, header)).kind == kind.dying()
            || check(call, kind, header, data)
    }
}

/// Reports a pointer that is not the data of a live cell of `kind`. Safety: as for [`check`].
#[cold]
pub(crate) unsafe fn report_bad_cell(call: Call, kind: Kind, header: usize, data: *mut u8) {
    let misuse = if data.addr() & (BASE_ALIGN - 1) != 0 {
        Misuse::NotACell(0)
    } else {
        // SAFETY: [caller] the header is readable.
        classify(kind, unsafe { (*prefix(data, header)).kind })
    };
    fault::report(call, data, misuse);
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

/// Returns true if the prefix is consistent and its seal valid. Otherwise reports the misuse. `src` is the source of the cell.
/// Safety: `data` is that of a readable cell of `kind` with this header.
#[inline]
pub(crate) unsafe fn seal_ok(call: Call, kind: Kind, header: usize, data: *mut u8, src: *mut Cell) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { check_prefix(call, kind, header, data, src) != Prefix::Wrong }
}

/// Like [`seal_ok`], and returns whether the cell has a record.
#[inline(never)]
pub(crate) unsafe fn check_prefix(
    call: Call,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
) -> Prefix {
    let cell = prefix(data, header);
    // SAFETY: [caller] the cell is readable.
    unsafe {
        let (size, flags, align, found) = ((*cell).size, (*cell).flags, (*cell).align, (*cell).heap);
        if !is_consistent(kind, header, data, src, size, flags) {
            return check_recorded(call, kind, header, data, src, true);
        }
        // Any copy of kmem may free a cell that was allocated from a pool or a custom source.
        if found != seal::of_cell(size, flags, align) && (kind == Kind::Heap || src.is_null()) {
            fault::report(call, data, Misuse::OtherHeap);
            return Prefix::Wrong;
        }
        // This reads behind the data, at an offset that depends on the size. So the seal is checked first.
        if has_possible_shape(cell, header, size) {
            return Prefix::Valid;
        }
    }
    fault::report(call, data, Misuse::Damaged);
    Prefix::Wrong
}

/// Returns true if the prefix is consistent, even if another copy of kmem made the cell. Otherwise reports the misuse. This check
/// suffices for calls that only read the cell.
/// Safety: `data` is that of a readable cell of `kind` with this header.
pub(crate) unsafe fn prefix_ok(call: Call, kind: Kind, header: usize, data: *mut u8, src: *mut Cell) -> bool {
    let cell = prefix(data, header);
    // SAFETY: [caller] the cell is readable.
    unsafe {
        let size = (*cell).size;
        is_consistent(kind, header, data, src, size, (*cell).flags) && has_possible_shape(cell, header, size)
            || check_recorded(call, kind, header, data, src, false) != Prefix::Wrong
    }
}

/// [`check_prefix`] of a prefix that is not consistent by itself: the cell has a record, or is corrupt. With `ours`, a cell from
/// the heap of another copy of kmem is reported too.
/// Safety: as for [`seal_ok`].
#[cold]
#[inline(never)]
unsafe fn check_recorded(
    call: Call,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    ours: bool,
) -> Prefix {
    let cell = prefix(data, header);
    // SAFETY: [caller, record] the cell is readable, and so is its record.
    unsafe {
        let record = record::of(cell);
        let (flags, align) = ((*cell).flags & !FLAG_RECORD, (*cell).align);
        let misuse = if record.is_null()
            || kind == Kind::Tree
            || !is_consistent(kind, header, data, src, (*record).size, flags)
            || !has_possible_shape(cell, header, (*record).size)
        {
            Misuse::Damaged
        } else if !ours
            || (*record).heap == seal::of_cell((*record).size, flags, align)
            || kind != Kind::Heap && !src.is_null()
        {
            return Prefix::Recorded;
        } else {
            Misuse::OtherHeap
        };
        fault::report(call, data, misuse);
    }
    Prefix::Wrong
}

/// Returns true if the flags and the size of header and data are possible. Reads nothing behind the header.
/// Safety: as for [`seal_ok`].
#[cfg_attr(not(kmem_standalone), inline(always))]
unsafe fn is_consistent(
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    size: usize,
    flags: u8,
) -> bool {
    let end = data.addr().wrapping_add(size);
    let sized = size >= header && size <= MOST + header && !seal::is_non_canonical(end);
    // SAFETY: [caller] the source of a cell is live. An address that cannot be that of a source is not read.
    let sourced =
        src.is_null() || !seal::is_no_source(src.addr()) && unsafe { source::may_have_served(src, size) };
    sized && sourced && may_have(kind, flags)
}

/// Returns true if the alignment and the far end are possible for this size. Reads the far end, behind the data.
/// Safety: `cell` is the prefix of a readable cell with this header. The size was found possible.
#[inline(always)]
unsafe fn has_possible_shape(cell: *mut Cell, header: usize, size: usize) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { (*cell).align == 0 || CellLayout::is_possible(cell, header, size) }
}
