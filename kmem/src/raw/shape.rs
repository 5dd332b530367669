//! The parts of a cell in its block, and the spare room behind them. Comments call a [`CellLayout`] a *shape*.
//!
//! Behind the data lie, if the cell has them: the destructor slot, the address of the name, and the *far end*, a word that says
//! where a block with much spare room ends. They move as the data grows into the spare room, so the spare room stays in one piece.
//! The high four bits of the prefix's `align` say how much spare room there is.

use core::alloc::Layout;
use core::ffi::c_char;
use core::ptr::{NonNull, null};

use super::layout::{CellAt, prefix};
use super::record;
use super::request::{BASE_ALIGN, Destructor, MAX_ALIGN, Request, data_align};
use super::seal::{self, End, SealedDtor, SealedName};
use crate::cell::{FLAG_NAME, FLAG_SLOT};
use crate::error::AllocError;

/// The most data bytes of a cell. Additions in this file, and rounding up to any alignment, cannot overflow.
pub(crate) const MOST: usize = isize::MAX as usize - 4 * MAX_ALIGN;

/// The low bits of the prefix's `align`: the base-2 logarithm of the alignment.
const ALIGN_BITS: u8 = 15;

/// The value of the high bits of the prefix's `align` if there is a far end. Smaller values count the spare bytes. This many bytes
/// always have room for an aligned word.
const FAR: usize = 15;
const _: () = assert!(FAR >= size_of::<End>() + BEHIND_ALIGN - 1);

/// The alignment of the parts behind the data.
const BEHIND_ALIGN: usize = 8;
const _: () = assert!(
    align_of::<SealedDtor>() <= BEHIND_ALIGN
        && align_of::<SealedName>() <= BEHIND_ALIGN
        && align_of::<End>() <= BEHIND_ALIGN
);

/// The largest end that is stored. No real block is larger, so the high bits show most corrupt words.
const FARTHEST: usize = if usize::BITS == 64 { usize::MAX >> 17 } else { MOST + MAX_ALIGN };

/// Returns the alignment in the prefix's `align`.
#[inline(always)]
fn alignment(byte: u8) -> usize {
    if byte & ALIGN_BITS == 0 { BASE_ALIGN } else { 1 << (byte & ALIGN_BITS) }
}

/// Returns the bytes from the data to the end of the block if the cell has a far end, otherwise zero. The cell has no record.
/// Safety: as for [`CellLayout::of`].
#[inline(always)]
pub(crate) unsafe fn far_end(at: CellAt) -> usize {
    // SAFETY: [caller, prefix] the cell is readable.
    unsafe { sized_far_end(at, (*at.cell()).size) }
}

/// Like [`far_end`], for a cell whose header and data have `size` bytes. Safety: as for [`CellLayout::of`].
#[inline(always)]
unsafe fn sized_far_end(at: CellAt, size: usize) -> usize {
    // SAFETY: [caller, extent] the cell is readable. If its prefix says so, the word lies behind the data.
    unsafe { if usize::from((*at.cell()).align >> 4) == FAR { read_far_end(at, size) } else { 0 } }
}

#[cold]
#[inline(never)]
unsafe fn read_far_end(at: CellAt, size: usize) -> usize {
    // SAFETY: [caller, extent] as above.
    unsafe { End::read(behind_data(at, size).add(bytes_behind((*at.cell()).flags)).cast()) }
}

/// Returns the destructor slot of a cell that has one and has no record. Safety: as for [`CellLayout::of`].
#[inline(always)]
pub(crate) unsafe fn slot(at: CellAt) -> *mut SealedDtor {
    // SAFETY: [caller, slot] the cell is readable, and a slot lies behind its data.
    unsafe { behind_data(at, (*at.cell()).size).cast() }
}

/// Returns the address behind the data of a cell whose header and data have `size` bytes, where its slot and its name are.
#[inline(always)]
fn behind_data(at: CellAt, size: usize) -> *mut u8 {
    at.cell().cast::<u8>().wrapping_add((size + (BEHIND_ALIGN - 1)) & !(BEHIND_ALIGN - 1))
}

/// Returns the bytes of the destructor slot and the name of a cell with these flags.
#[inline(always)]
fn bytes_behind(flags: u8) -> usize {
    if flags & (FLAG_SLOT | FLAG_NAME) == 0 {
        return 0;
    }
    usize::from(flags & FLAG_SLOT) * size_of::<SealedDtor>()
        + usize::from(flags & FLAG_NAME != 0) * size_of::<SealedName>()
}

/// The extent of a cell and its block. It is computed from the request for a new cell, and from the prefix and the far end later.
#[derive(Clone, Copy)]
pub(crate) struct CellLayout {
    pub(crate) header: usize,
    pub(crate) align: usize,
    /// Bytes of the destructor slot and the name.
    behind: usize,
    pub(crate) size: usize,
    /// Bytes from the data to the end of the block.
    pub(crate) end: usize,
}

/// Returns the flags of the parts behind the data of a new cell.
pub(crate) fn flags_of(request: &Request) -> u8 {
    (u8::from(request.drop.is_some()) * FLAG_SLOT) | (u8::from(request.name.is_some()) * FLAG_NAME)
}

impl CellLayout {
    pub(crate) fn new(header: usize, request: &Request) -> Result<CellLayout, AllocError> {
        let align = data_align(request.align)?;
        let behind = bytes_behind(flags_of(request));
        CellLayout { header, align, behind, size: 0, end: 0 }.with(request.size)
    }

    /// Returns this shape with `size` data bytes, in a block without spare room.
    #[inline(always)]
    pub(crate) fn with(self, size: usize) -> Result<CellLayout, AllocError> {
        if size > MOST {
            return Err(AllocError::Overflow);
        }
        let shape = CellLayout { size, ..self };
        Ok(CellLayout { end: shape.tight(), ..shape })
    }

    /// Returns the end of a block for this shape with room for `room` data bytes.
    #[cfg_attr(not(kmem_standalone), inline(always))]
    pub(crate) fn end_with_room(&self, room: usize) -> Result<usize, AllocError> {
        let shape = self.with(room.max(self.size))?;
        if shape.fits(self.size) { Ok(shape.end) } else { Err(AllocError::Overflow) }
    }

    /// Returns this shape in a block that ends at `end`.
    #[inline(always)]
    pub(crate) fn to(self, end: usize) -> CellLayout {
        CellLayout { end, ..self }
    }

    /// Returns true if `size` data bytes fit in the same block, and the prefix can express the spare room.
    #[cfg_attr(not(kmem_standalone), inline(always))]
    pub(crate) fn fits(&self, size: usize) -> bool {
        let shape = CellLayout { size, ..*self };
        size <= MOST && shape.tight() <= self.end && (shape.spare() < FAR || self.end <= FARTHEST)
    }

    /// Reads the shape of a cell whose prefix was checked.
    /// Safety: the cell has no record. Its size was checked.
    #[cfg_attr(not(kmem_standalone), inline(always))]
    pub(crate) unsafe fn of(at: CellAt) -> CellLayout {
        // SAFETY: [caller, prefix] the contract is the caller's.
        unsafe { CellLayout::ending(at, (*at.cell()).size, far_end(at)) }
    }

    /// Like [`of`](CellLayout::of), for a cell that may have a record. The size is zero if the record is corrupt.
    pub(crate) unsafe fn of_any(at: CellAt) -> CellLayout {
        // SAFETY: [caller, prefix] the contract is the caller's.
        unsafe {
            let size = record::size(at.cell(), at.header());
            CellLayout::ending(at, size, sized_far_end(at, size))
        }
    }

    /// Returns the shape of a cell whose header and data have `size` bytes, for a caller that knows its [`far_end`].
    /// Safety: as for [`of`](CellLayout::of).
    #[cfg_attr(not(kmem_standalone), inline(always))]
    pub(crate) unsafe fn ending(at: CellAt, size: usize, far_end: usize) -> CellLayout {
        // SAFETY: [caller, prefix] the cell is readable.
        let (flags, align) = unsafe { ((*at.cell()).flags, (*at.cell()).align) };
        let (header, behind) = (at.header(), bytes_behind(flags));
        let shape = CellLayout { header, align: BASE_ALIGN, behind, size: size - header, end: 0 };
        let shape = shape.to(shape.tight());
        if align == 0 {
            return shape;
        }
        let end = if far_end == 0 { shape.end + usize::from(align >> 4) } else { far_end };
        CellLayout { align: alignment(align), end, ..shape }
    }

    /// Returns true if the prefix's `align` is possible: the alignment is valid, and so is the far end, if there is one.
    /// Safety: as for [`of`](CellLayout::of).
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn is_possible(at: CellAt, size: usize) -> bool {
        // SAFETY: [caller] the contract is the caller's.
        let (align, shape) =
            unsafe { ((*at.cell()).align, CellLayout::ending(at, size, sized_far_end(at, size))) };
        let aligned = align & ALIGN_BITS == 0 || (BASE_ALIGN + 1..=MAX_ALIGN).contains(&alignment(align));
        let far_end_ok =
            usize::from(align >> 4) < FAR || shape.end <= FARTHEST && shape.end >= shape.tight() + FAR;
        aligned && far_end_ok
    }

    /// Returns the bytes from the start of the block to the data.
    pub(crate) fn offset(&self) -> usize {
        self.header.max(self.align)
    }

    /// Returns the bytes from the data to the destructor slot.
    pub(crate) fn slot(&self) -> usize {
        (self.size + (BEHIND_ALIGN - 1)) & !(BEHIND_ALIGN - 1)
    }

    pub(crate) fn has_slot(&self) -> bool {
        self.behind >= size_of::<SealedDtor>()
    }

    pub(crate) fn has_name(&self) -> bool {
        self.behind % size_of::<SealedDtor>() != 0
    }

    /// Returns the bytes from the data to the name.
    pub(crate) fn name_at(&self) -> usize {
        self.far() - size_of::<SealedName>()
    }

    /// Returns the bytes from the data to the far end.
    fn far(&self) -> usize {
        self.slot() + self.behind
    }

    /// Returns the bytes from the data to the end of a block without spare room.
    #[cfg_attr(not(kmem_standalone), inline(always))]
    fn tight(&self) -> usize {
        if self.behind > 0 { self.far() } else { self.size }
    }

    /// Returns the spare bytes as the prefix counts them: at most [`FAR`].
    fn spare(&self) -> usize {
        (self.end - self.tight()).min(FAR)
    }

    /// Returns the [`far_end`] of a cell of this shape.
    pub(crate) fn far_end(&self) -> usize {
        if self.spare() == FAR { self.end } else { 0 }
    }

    pub(crate) fn layout(&self) -> Layout {
        // SAFETY: [extent] data and room are at most `MOST` bytes, and the parts around them less than two pages. The alignment was
        // valid when the cell was made.
        unsafe { Layout::from_size_align_unchecked(self.offset() + self.end, self.align) }
    }
}

/// The destructor and the name behind the data, held while the data is resized.
#[derive(Clone, Copy)]
pub(crate) struct Trailer {
    drop: Destructor,
    name: *const c_char,
}

impl Trailer {
    /// Reads the destructor and the name. Returns `None` if one is corrupt.
    /// Safety: `data` is that of a live cell of this shape, and the caller's alone.
    #[inline(always)]
    pub(crate) unsafe fn take(data: *mut u8, shape: &CellLayout) -> Option<Trailer> {
        // SAFETY: [slot] the shape says where a slot and a name lie.
        unsafe {
            let mut trailer = Trailer { drop: Destructor::NONE, name: null() };
            if shape.has_slot() {
                trailer.drop = SealedDtor::read(data.add(shape.slot()).cast())?;
            }
            if shape.has_name() {
                trailer.name = SealedName::read(data.add(shape.name_at()).cast())?.as_ptr();
            }
            Some(trailer)
        }
    }

    /// Writes the destructor, the name and the far end for this shape, and the size, spare room and seal into the prefix.
    /// Safety: `data` is that of a cell whose block has the layout of this shape, and the caller's alone. Its prefix has the
    /// alignment.
    #[cfg_attr(not(kmem_standalone), inline(always))]
    pub(crate) unsafe fn put(&self, data: *mut u8, shape: &CellLayout) -> NonNull<u8> {
        let cell = prefix(data, shape.header);
        // SAFETY: [extent, slot] the block has room for the shape.
        unsafe {
            (*cell).size = shape.header + shape.size;
            let spare = shape.spare();
            (*cell).align = (*cell).align & ALIGN_BITS | (spare << 4) as u8;
            (*cell).heap = seal::of_cell((*cell).size, (*cell).flags, (*cell).align);
            if shape.has_slot() {
                SealedDtor::write(data.add(shape.slot()).cast(), self.drop);
            }
            if shape.has_name() {
                SealedName::write(data.add(shape.name_at()).cast(), self.name);
            }
            if spare == FAR {
                End::write(data.add(shape.far()).cast(), shape.end);
            }
            NonNull::new_unchecked(data)
        }
    }
}

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;
    use core::ptr::null_mut;

    use super::*;
    use crate::cell::{Cell, Kind};
    use crate::raw::request::align_byte;

    #[repr(C, align(16))]
    struct Block([MaybeUninit<u8>; 512]);

    /// Shapes with each combination of parts.
    fn shapes() -> impl Iterator<Item = CellLayout> {
        (0..16).map(|bits| {
            let drop = (bits & 1 != 0).then_some(Destructor { run: None, arg: null_mut() });
            let name = (bits & 2 != 0).then_some(c"name");
            let request = Request { align: [16, 32, 64, 128][bits >> 2], drop, name, ..Request::new(0) };
            CellLayout::new(16, &request).expect("a shape")
        })
    }

    /// Writes a cell of this shape and reads its shape back.
    fn written(shape: &CellLayout) -> Option<CellLayout> {
        let mut block = Block([MaybeUninit::uninit(); 512]);
        let data = (&raw mut block).cast::<u8>().wrapping_add(128);
        let flags =
            if shape.has_slot() { FLAG_SLOT } else { 0 } | if shape.has_name() { FLAG_NAME } else { 0 };
        let trailer = Trailer { drop: Destructor::NONE, name: c"name".as_ptr() };
        // SAFETY: the block has room for the header and for 384 bytes behind it.
        unsafe {
            prefix(data, 16).write(Cell::new(Kind::Heap, flags, align_byte(shape.align), 0, 0));
            trailer.put(data, shape);
            let trailer = Trailer::take(data, shape).expect("what was put");
            assert_eq!(trailer.name.is_null(), !shape.has_name());
            let at = CellAt::new(Kind::Heap, data);
            CellLayout::is_possible(at, (*at.cell()).size).then(|| CellLayout::of(at))
        }
    }

    #[test]
    fn every_size_in_every_block_that_has_room_for_it_is_written_and_read() {
        for shape in shapes() {
            for room in 0..100 {
                let block = shape.with(room).unwrap();
                for size in 0..200 {
                    if !block.fits(size) {
                        assert!(size > room && shape.with(size).unwrap().end > block.end);
                        continue;
                    }
                    let within = CellLayout { size, ..block };
                    assert_eq!(within.layout(), block.layout());
                    let read = written(&within).unwrap();
                    assert_eq!((read.size, read.end, read.align), (size, block.end, shape.align));
                }
            }
        }
    }

    #[test]
    fn reserved_room_is_a_block_of_that_size() {
        for shape in shapes() {
            for (size, room) in (0..50).flat_map(|size| (0..90).map(move |room| (size, room))) {
                let end = shape.with(size).unwrap().end_with_room(room).unwrap();
                assert_eq!(end, shape.with(room.max(size)).unwrap().end);
            }
            assert!(shape.end_with_room(usize::MAX).is_err() && shape.end_with_room(FARTHEST + 1).is_err());
        }
    }

    #[test]
    fn an_overwritten_far_end_is_rejected() {
        let shape = CellLayout::new(16, &Request::new(0)).unwrap().to(200);
        let mut block = Block([MaybeUninit::uninit(); 512]);
        let data = (&raw mut block).cast::<u8>().wrapping_add(128);
        // SAFETY: as above.
        unsafe {
            prefix(data, 16).write(Cell::new(Kind::Heap, 0, 0, 0, 0));
            Trailer { drop: Destructor::NONE, name: null() }.put(data, &shape);
            let word = data.cast::<usize>();
            let at = CellAt::new(Kind::Heap, data);
            assert_eq!(CellLayout::of(at).end, 200);
            let forged = (0..1000).map(|n: usize| n.wrapping_mul(0x9e37_79b9) << (n & 31));
            let possible = forged.filter(|&forged| {
                word.write(forged);
                CellLayout::is_possible(at, 16)
            });
            // One in 2^17 is possible by chance.
            assert!(possible.count() < if usize::BITS == 64 { 3 } else { 1000 });
        }
    }
}
