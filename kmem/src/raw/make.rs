//! Making a cell: its block, its prefix, and the parts behind its data.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::layout::{self, CellAt, header_of};
use super::record;
use super::request::{BASE_ALIGN, Fill, Request, align_byte};
use super::sanitizer::{self, HeaderLinks, HeapCell};
use super::seal::{self, SealedDtor, SealedName, heap_id};
use super::shape::{CellLayout, MOST, flags_of};
use super::source::{draw, draw_fast, draw_heap};
use super::totals;
use crate::cell::{Cell, FLAG_HOST, FLAG_RECORD, Kind};
use crate::error::AllocError;

/// The result of an allocation: the data of the new cell.
pub(crate) type AllocResult = Result<NonNull<u8>, AllocError>;

/// The type of [`alloc_cell`] and [`alloc_cell_cold`].
pub(crate) type AllocCell = unsafe fn(Kind, *mut Cell, &Request, u8) -> AllocResult;

/// The function that makes cells for callers that need not be fast: the smaller one in the C library, the faster one elsewhere.
pub(crate) const ALLOC_CELL_SMALL: AllocCell =
    if cfg!(kmem_standalone) { alloc_cell_cold } else { alloc_cell };

/// Allocates a block from `src` and makes a cell of `kind` in it. Returns the data. The caller writes the rest of the header.
/// Safety: `src` is null or a live source. The kind has a prefix.
#[inline(always)]
pub(crate) unsafe fn alloc_cell(kind: Kind, src: *mut Cell, request: &Request, flags: u8) -> AllocResult {
    if !is_plain_request(request) {
        // SAFETY: [caller] the contract is the caller's.
        return unsafe { alloc_cell_slow(kind, src, request, flags) };
    }
    if request.size > MOST {
        return Err(AllocError::Overflow);
    }
    // The plain cell from the heap is by far the most frequent. If the request is a constant, most of this is computed at compile
    // time.
    // SAFETY: [caller, extent, drawn] the size is not zero and cannot overflow. The block has this layout. A source that is not null
    // has a readable prefix.
    unsafe {
        let layout = plain_layout(kind, request);
        if src.is_null() {
            return Ok(write_plain(draw_heap(layout, request.fill)?, kind, layout.size(), flags));
        }
        let Some(block) = NonNull::new(draw_fast(src, layout.size())) else {
            // The parts of a request are passed in registers, so that the fast path need not write it to memory.
            return alloc_plain_cold(kind, src, request.size, request.fill, flags);
        };
        if request.fill == Fill::Zeroed {
            block.write_bytes(0, layout.size());
            sanitizer::written(block.as_ptr(), layout.size());
        }
        Ok(write_plain(block, kind, layout.size(), flags))
    }
}

/// [`alloc_cell_cold`] of a plain cell. Safety: as for [`alloc_cell`].
#[inline(never)]
unsafe fn alloc_plain_cold(kind: Kind, src: *mut Cell, size: usize, fill: Fill, flags: u8) -> AllocResult {
    // SAFETY: [caller, extent] the contract is the caller's.
    unsafe {
        let layout = plain_layout(kind, &Request::new(size));
        Ok(write_plain(draw(src, layout, fill)?, kind, layout.size(), flags))
    }
}

/// Returns true if the cell will be plain, unless it is too large: default alignment, no destructor or name. The compiler knows this
/// of a request with only a size. So the request need not be written to memory.
#[inline(always)]
pub(crate) fn is_plain_request(request: &Request) -> bool {
    let Request { align, drop, name, .. } = request;
    drop.is_none() && name.is_none() && *align <= BASE_ALIGN && (*align == 0 || align.is_power_of_two())
}

/// Returns the layout of the block of a plain cell. Safety: the request is plain.
#[inline(always)]
unsafe fn plain_layout(kind: Kind, request: &Request) -> Layout {
    // SAFETY: [extent] the sum cannot overflow, and the alignment is a power of two.
    unsafe { Layout::from_size_align_unchecked(header_of(kind) + request.size, BASE_ALIGN) }
}

/// Makes a plain cell in a block of `size` bytes. Returns the data. Safety: the block is the caller's, and has room for the header.
#[inline(always)]
pub(crate) unsafe fn write_plain(block: NonNull<u8>, kind: Kind, size: usize, flags: u8) -> NonNull<u8> {
    totals::made(kind, size);
    // SAFETY: [extent] the block has room for the header.
    unsafe {
        // One store: a load of these 8 bytes soon after would have to wait if several stores wrote them.
        let seal = seal::of_cell(size, flags, 0);
        block.cast::<u64>().write(layout::prefix_word_of(kind as i32, 0, flags, 0, seal));
        (&raw mut (*block.cast::<Cell>().as_ptr()).size).write(size);
        sanitizer::written(block.as_ptr(), header_of(kind));
        block.add(header_of(kind))
    }
}

/// [`alloc_cell`] without the fast path of the source, out of line.
#[inline(never)]
unsafe fn alloc_cell_cold(kind: Kind, src: *mut Cell, request: &Request, flags: u8) -> AllocResult {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if !is_plain_request(request) || request.size > MOST {
            return alloc_cell_slow(kind, src, request, flags);
        }
        alloc_plain_cold(kind, src, request.size, request.fill, flags)
    }
}

/// [`alloc_cell`] for a request that is not plain. Safety: as for [`alloc_cell`].
#[inline(never)]
unsafe fn alloc_cell_slow(kind: Kind, src: *mut Cell, request: &Request, flags: u8) -> AllocResult {
    let shape = CellLayout::new(header_of(kind), request)?;
    let layout = shape.layout();
    // SAFETY: [caller] the source is live.
    let base = unsafe { draw(src, layout, request.fill) }?;
    // SAFETY: [extent] the data begins `offset` bytes into the block.
    let data = unsafe { base.add(shape.offset()) };
    let (flags, size) = (flags | flags_of(request), shape.header + request.size);
    let mut cell = Cell::new(kind, flags, align_byte(shape.align), heap_id(), size);
    let place = CellAt::new(kind, data.as_ptr()).cell();
    cell.heap = seal::of_cell(cell.size, cell.flags, cell.align);
    totals::made(kind, layout.size());
    // SAFETY: [extent] the header lies in the block right before the data, aligned to 16.
    unsafe { place.write(cell) };
    sanitizer::written(place.cast(), shape.header);
    if let Some(destructor) = request.drop {
        // SAFETY: [extent] the shape has room for a slot at this aligned offset.
        unsafe { SealedDtor::write(data.add(shape.slot()).cast::<SealedDtor>().as_ptr(), destructor) };
    }
    if let Some(name) = request.name {
        // SAFETY: [extent] the shape has room for a name at this aligned offset.
        unsafe { SealedName::write(data.add(shape.name_at()).cast::<SealedName>().as_ptr(), name.as_ptr()) };
    }
    Ok(data)
}

/// Returns the cell for an announcement to valgrind, if it was allocated from the heap and does not host a pool.
/// Safety: the cell is live.
#[inline(always)]
pub(crate) unsafe fn heap_cell(at: CellAt) -> Option<HeapCell> {
    if !sanitizer::HEAP {
        return None;
    }
    // SAFETY: [caller] the cell is live.
    unsafe { heap_cell_of_layout(at, &CellLayout::of_any(at)) }
}

/// [`heap_cell`] for a cell of this shape.
#[inline(always)]
pub(crate) unsafe fn heap_cell_of_layout(at: CellAt, shape: &CellLayout) -> Option<HeapCell> {
    let cell = at.cell();
    // SAFETY: [caller] the cell is live.
    if !sanitizer::HEAP || unsafe { !at.src().is_null() || (*cell).flags & FLAG_RECORD == FLAG_HOST } {
        return None;
    }
    Some(HeapCell { header: cell.cast(), data: at.data, end: at.data.wrapping_add(shape.end) })
}

/// Announces a new cell, whose header is written, to valgrind. Safety: as for [`heap_cell`].
#[inline(always)]
pub(crate) unsafe fn announce_made(at: CellAt) {
    // SAFETY: [caller] the contract is the caller's, and the kind is that of a node.
    unsafe {
        let Some(cell) = heap_cell(at) else { return };
        let flags = (*at.cell()).flags;
        cell.made(match at.kind {
            // Pointers to an internal node are to its header, even if it has no parent.
            #[cfg(feature = "tree")]
            Kind::Tree if flags & FLAG_RECORD != 0 || !(*super::Node::of(at.data)).parent.is_null() => {
                HeaderLinks::In
            }
            Kind::Tree => HeaderLinks::Out,
            _ if record::has(flags) => HeaderLinks::Out,
            _ => HeaderLinks::None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::request::Destructor;

    fn shape(
        header: usize,
        size: usize,
        align: usize,
        slot: bool,
    ) -> Result<(usize, usize, Layout), AllocError> {
        let drop = slot.then_some(Destructor { run: None, arg: core::ptr::null_mut() });
        let shape = CellLayout::new(header, &Request { align, drop, ..Request::new(size) })?;
        Ok((shape.offset(), shape.slot(), shape.layout()))
    }

    #[test]
    fn the_data_follows_the_header_or_the_alignment_whichever_is_larger() {
        for (header, align, offset) in
            [(16, 1, 16), (16, 16, 16), (16, 64, 64), (64, 32, 64), (64, 64, 64), (32, 4096, 4096)]
        {
            let (found, _, layout) = shape(header, 100, align, false).unwrap();
            assert_eq!((found, layout.size(), layout.align()), (offset, offset + 100, align.max(16)));
        }
    }

    #[test]
    fn the_slot_lies_aligned_behind_the_data() {
        for size in 0..40 {
            let (offset, slot, layout) = shape(16, size, 16, true).unwrap();
            assert!(slot >= size && slot < size + 8 && slot % 8 == 0);
            assert_eq!(layout.size(), offset + slot + 16);
        }
    }

    #[test]
    fn every_size_near_the_end_of_the_address_space_is_refused_or_fits() {
        for back in 0..200 {
            for base in [usize::MAX, isize::MAX as usize, MOST + 100] {
                for (header, align, slot) in
                    [(16, 16, false), (16, 16, true), (64, 4096, true), (64, 4096, false)]
                {
                    match shape(header, base - back, align, slot) {
                        Ok((_, _, layout)) => {
                            assert!(base - back <= MOST && layout.size() > base - back);
                            assert!(Layout::from_size_align(layout.size(), layout.align()).is_ok());
                        }
                        Err(error) => assert!(base - back > MOST && error == AllocError::Overflow),
                    }
                }
            }
        }
    }
}
