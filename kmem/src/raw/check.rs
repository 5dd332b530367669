//! Checks of a cell's prefix: whether it is that of a live cell, and whether it is whole.

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

/// Whether `data` is that of a cell of `kind`; what is wrong with it is reported. The rest of the header is checked where
/// the cell ends.
///
/// # Safety
/// The `header` bytes before `data` are readable.
#[inline]
pub(crate) unsafe fn check(call: Call, kind: Kind, header: usize, data: *mut u8) -> bool {
    // SAFETY: [caller] the caller vouches for the bytes of the header, and only well-aligned ones are read.
    if data.addr() & (BASE_ALIGN - 1) == 0 && unsafe { (*prefix(data, header)).kind } == kind as i32 {
        return true;
    }
    // SAFETY: [caller] as above.
    unsafe { report_bad_cell(call, kind, header, data) };
    false
}

/// [`check`] for a look at a cell, which may be on its way out: its destructor may look at it.
///
/// # Safety
/// As for [`check`].
#[inline(never)]
pub(crate) unsafe fn check_seen(call: Call, kind: Kind, header: usize, data: *mut u8) -> bool {
    // SAFETY: [caller] the caller vouches for the header, of which only an aligned one is read.
    unsafe {
        data.addr() & (BASE_ALIGN - 1) == 0 && (*prefix(data, header)).kind == kind.dying()
            || check(call, kind, header, data)
    }
}

#[cold]
pub(crate) unsafe fn report_bad_cell(call: Call, kind: Kind, header: usize, data: *mut u8) {
    let misuse = if data.addr() & (BASE_ALIGN - 1) != 0 {
        Misuse::NotACell(0)
    } else {
        // SAFETY: [caller] the caller vouches for the bytes of the header.
        classify(kind, unsafe { (*prefix(data, header)).kind })
    };
    fault::report(call, data, misuse);
}

/// Whether a cell of this size that nobody else uses has nothing to it but its bytes: no mark, no destructor, no alignment
/// above the usual, and the seal of such a cell of this kmem's heap. One comparison of the four bytes between kind and
/// size.
///
/// # Safety
/// `cell` is readable and aligned, and no other thread has a reference to it.
#[inline]
pub(crate) unsafe fn is_plain(cell: *mut Cell, size: usize) -> bool {
    const MASK: u32 = u32::from_ne_bytes([u8::MAX, !FLAG_TYPED_CHILD, u8::MAX, u8::MAX]);
    // SAFETY: [caller] the caller vouches for the prefix.
    let bytes = unsafe { (&raw const (*cell).shred).cast::<u32>().read() };
    bytes & MASK == u32::from_ne_bytes([0, 0, 0, seal::of_cell(size, 0, 0)])
}

/// Whether a cell of this kind may have these flags: what is the library's own is so in one way, and carries nothing behind its data.
pub(crate) fn may_have(kind: Kind, flags: u8) -> bool {
    let own = flags & (FLAG_HOST | FLAG_HOOK | FLAG_HOLD);
    match kind {
        // The library's own has one of these bits, or the two of what a counted cell owns.
        Kind::Tree => {
            const OWN: u32 = 1 << FLAG_HOST | 1 << FLAG_HOOK | 1 << FLAG_HOLD | 1 << FLAG_OWNER;
            own == 0 || OWN >> own & 1 != 0 && flags & (FLAG_SLOT | FLAG_NAME) == 0
        }
        _ => own | flags & (FLAG_TYPED_CHILD | FLAG_BUSY | FLAG_DEEP) == 0,
    }
}

/// What a look at a prefix found.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Prefix {
    /// It is damaged, or that of another copy's heap, which was reported.
    Wrong,
    /// It is whole.
    Whole,
    /// It is whole, and leads to a record.
    Recorded,
}

/// Whether the prefix of a cell drawn from `src` contradicts neither itself nor its seal; what is wrong is reported.
///
/// # Safety
/// `data` is that of a readable cell of `kind` with this header.
#[inline]
pub(crate) unsafe fn seal_ok(call: Call, kind: Kind, header: usize, data: *mut u8, src: *mut Cell) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { check_prefix(call, kind, header, data, src) != Prefix::Wrong }
}

/// [`seal_ok`], and what it is.
///
/// # Safety
/// As for [`seal_ok`].
#[inline(never)]
pub(crate) unsafe fn check_prefix(
    call: Call,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
) -> Prefix {
    let cell = prefix(data, header);
    // SAFETY: [caller] the caller's cell is readable.
    unsafe {
        let (size, flags, align, found) = ((*cell).size, (*cell).flags, (*cell).align, (*cell).heap);
        if !is_consistent(kind, header, data, src, size, flags) {
            return is_recorded(call, kind, header, data, src, true);
        }
        // Any copy of kmem may free a cell that came from a pool or a custom source.
        if found != seal::of_cell(size, flags, align) && (kind == Kind::Heap || src.is_null()) {
            fault::report(call, data, Misuse::OtherHeap);
            return Prefix::Wrong;
        }
        // This reads behind the data, at a place that follows from the size. So the seal is checked first.
        if has_possible_shape(cell, header, size) {
            return Prefix::Whole;
        }
    }
    fault::report(call, data, Misuse::Damaged);
    Prefix::Wrong
}

/// Whether the prefix of a cell drawn from `src` does not contradict itself, whichever copy of kmem made it; what is wrong is reported.
/// This is as much as a look at a cell needs, which gives nothing back.
///
/// # Safety
/// `data` is that of a readable cell of `kind` with this header.
pub(crate) unsafe fn prefix_ok(call: Call, kind: Kind, header: usize, data: *mut u8, src: *mut Cell) -> bool {
    let cell = prefix(data, header);
    // SAFETY: [caller] the caller's cell is readable.
    unsafe {
        let size = (*cell).size;
        is_consistent(kind, header, data, src, size, (*cell).flags) && has_possible_shape(cell, header, size)
            || is_recorded(call, kind, header, data, src, false) != Prefix::Wrong
    }
}

/// [`prefix_ok`], or [`seal_ok`] if the cell is to be `ours`, of one that has a record, which its size and flags contradict, or is damaged.
///
/// # Safety
/// As for [`seal_ok`].
#[cold]
#[inline(never)]
pub(crate) unsafe fn is_recorded(
    call: Call,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    ours: bool,
) -> Prefix {
    let cell = prefix(data, header);
    // SAFETY: [caller, record] the caller's cell is readable, and so is its record.
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

/// Returns true if a cell with these flags, and so many bytes of header and data, contradicts nothing. Nothing behind the header is read.
///
/// # Safety
/// As for [`seal_ok`].
#[inline(always)]
pub(crate) unsafe fn is_consistent(
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    size: usize,
    flags: u8,
) -> bool {
    let end = data.addr().wrapping_add(size);
    let sized = size >= header && size <= MOST + header && !seal::is_non_canonical(end);
    // SAFETY: [caller] the source of a cell is there, and if none can be at that address nothing is read.
    let sourced =
        src.is_null() || !seal::is_no_source(src.addr()) && unsafe { source::may_have_served(src, size) };
    sized && sourced && may_have(kind, flags)
}

/// Returns true if a cell of so many bytes of header and data can have the alignment and the far end that its prefix says. This reads
/// the far end, behind the data.
///
/// # Safety
/// `cell` is the prefix of a readable cell with this header, and the size is possible.
#[inline(always)]
unsafe fn has_possible_shape(cell: *mut Cell, header: usize, size: usize) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { (*cell).align == 0 || CellLayout::is_possible(cell, header, size) }
}
