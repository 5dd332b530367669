//! Resizing a cell, or reserving room for it: in place if its source can, otherwise by a move.

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use super::chain::shreds;
use super::check::{Prefix, check_prefix, is_plain};
use super::end::CellFreeGuard;
use super::layout::CellAt;
use super::make::announce_made;
use super::record;
use super::request::{BASE_ALIGN, Fill};
use super::seal;
use super::shape::{CellLayout, MOST, Trailer};
use super::source::{self, draw, draw_heap, resize_heap};
use super::{sanitizer, totals};
use crate::cell::Cell;
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse};
use crate::shred;

/// A resized cell. Dropping it returns the old block to its source if the cell moved. Update every pointer to the cell first: the
/// source's `free` may read them.
pub(crate) struct Resized {
    /// The data at its new address.
    pub(crate) data: NonNull<u8>,
    #[allow(dead_code, reason = "it is there to be dropped")]
    old: Option<CellFreeGuard>,
}

impl Resized {
    /// A cell that stayed where it is.
    pub(crate) fn in_place(data: NonNull<u8>) -> Resized {
        Resized { data, old: None }
    }
}

/// The result of a resize.
pub(crate) type ResizeResult = Result<Resized, AllocError>;

/// The requested size.
#[derive(Clone, Copy)]
pub(crate) enum ResizeRequest {
    /// This many data bytes. Spare room is kept when the cell grows, and freed when it shrinks.
    Size(usize),
    /// At least this many data bytes. A new block gets half as much again as spare room, so that small appends rarely move the
    /// cell.
    Appended(usize),
    /// Room for this many data bytes, with the size unchanged.
    Room(usize),
}

/// How a cell is resized.
#[derive(Clone, Copy)]
pub(crate) struct How {
    /// Zero the bytes that are cut off or left behind, even if neither the cell nor its source is tainted.
    pub(crate) shred: bool,
    /// Only the caller follows pointers to the cell, so `realloc` may move it.
    pub(crate) alone: bool,
}

/// Resizes a cell or its room, on behalf of `call`. Contents that fit are kept, and added bytes are undefined. If the cell is
/// tainted, its source zeroes, or `how.shred` is set, the bytes that are cut off or left behind are zeroed.
///
/// On failure nothing has changed, with one exception: if the cut bytes are zeroed, and the source unwinds when it is
/// asked to shrink the block, the cell has the smaller size.
/// Safety: the cell is live. Nobody else uses it meanwhile.
#[cfg_attr(not(kmem_standalone), inline(always))]
pub(crate) unsafe fn resize(call: Call, at: CellAt, to: ResizeRequest, how: How) -> ResizeResult {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if let (ResizeRequest::Size(size), true) = (to, at.src().is_null() && !how.shred) {
            if how.alone {
                if let Some(data) = resize_fast(at, size) {
                    return Ok(Resized { data, old: None });
                }
            } else if let Some(resized) = move_fast(at, size) {
                announce_moved(at, &resized);
                return Ok(resized);
            }
        }
        let resized = resize_slow(call, at, to, how);
        if let Ok(resized) = &resized {
            announce_moved(at, resized);
        }
        resized
    }
}

/// Announces a cell that has moved to valgrind. Safety: the cell moved, and its header is unchanged.
#[inline(always)]
unsafe fn announce_moved(at: CellAt, resized: &Resized) {
    if sanitizer::HEAP && resized.data.as_ptr() != at.data {
        // SAFETY: [caller] the cell is live.
        unsafe { announce_made(CellAt::new(at.kind, resized.data.as_ptr())) };
    }
}

/// [`resize`] of any cell, without the fast paths for plain cells from the heap.
#[inline(never)]
unsafe fn resize_slow(call: Call, at: CellAt, to: ResizeRequest, how: How) -> ResizeResult {
    // SAFETY: [live, caller] the cell is readable and the caller's alone. Its prefix is checked before the rest is read.
    unsafe {
        match check_prefix(call, at) {
            Prefix::Valid => {}
            Prefix::Wrong => return Err(AllocError::Misused),
            Prefix::Recorded => return resize_recorded(call, at, to, how),
        }
        let shape = CellLayout::of(at);
        let Some(trailer) = Trailer::take(at.data, &shape) else {
            fault::report(call, at.data, Misuse::Damaged);
            return Err(AllocError::Misused);
        };
        let zeroes = how.shred || (*at.cell()).tainted() || shreds(at.src());
        let mut new = to.least(&shape)?;
        let stays = if source::fits_in_place(at.src(), new.layout().size())? {
            // In a pool's cell the room is always the whole cell.
            if let ResizeRequest::Room(_) = to {
                new = shape.with(shape.size)?;
            }
            true
        } else if shape.fits(new.size)
            && (new.end == shape.end || new.end < shape.end && new.size >= shape.size)
        {
            new.end = shape.end;
            true
        } else {
            false
        };
        if stays {
            if zeroes && new.size < shape.size {
                shred::zero(at.data.add(new.size), shape.size - new.size);
            }
            let (from, to) = (shape.layout().size(), new.layout().size());
            source::resized(at.src(), at.data.sub(shape.offset()), from, to);
            totals::ended(at.kind, from);
            totals::made(at.kind, to);
            return Ok(Resized { data: trailer.put(at.data, &new), old: None });
        }
        let mut cell = Checked { at, shape, trailer };
        let least = new.end;
        new.end = to.most(&new);
        if let Some(data) = cell.resize_block(&mut new, least, zeroes, how.alone) {
            return Ok(Resized { data, old: None });
        }
        cell.relocate(&mut new, least, how.shred)
    }
}

/// [`resize_slow`] of a cell with a record. Safety: as for [`resize`]. The prefix was checked.
#[cold]
#[inline(never)]
unsafe fn resize_recorded(call: Call, at: CellAt, to: ResizeRequest, how: How) -> ResizeResult {
    // SAFETY: [caller, record] the cell is the caller's alone. Its record is detached meanwhile, and then linked to the cell at its
    // new address.
    unsafe {
        let mut lifted = record::lift(at.cell(), record::of(at.cell()));
        let resized = resize_slow(call, at, to, how)?;
        lifted.cell = CellAt::new(at.kind, resized.data.as_ptr()).cell();
        Ok(resized)
    }
}

impl ResizeRequest {
    /// Returns the data bytes that the cell must have room for.
    #[cfg(feature = "pool")]
    pub(crate) fn room(self) -> usize {
        match self {
            ResizeRequest::Size(size) | ResizeRequest::Appended(size) | ResizeRequest::Room(size) => size,
        }
    }

    /// Returns the smallest shape that serves the request, in a new block.
    #[inline(always)]
    fn least(self, now: &CellLayout) -> Result<CellLayout, AllocError> {
        match self {
            ResizeRequest::Size(size) => now.with(size),
            ResizeRequest::Appended(size) => now.with(size.max(now.size)),
            ResizeRequest::Room(room) => Ok(now.to(now.end_with_room(room)?)),
        }
    }

    /// Returns the end of a new block for the `least` shape, with extra spare room if the request asks for that.
    #[inline(always)]
    fn most(self, least: &CellLayout) -> usize {
        match self {
            ResizeRequest::Appended(_) => {
                least.end_with_room(least.size + least.size.div_ceil(2)).unwrap_or(least.end)
            }
            ResizeRequest::Size(_) | ResizeRequest::Room(_) => least.end,
        }
    }
}

/// A cell whose prefix was checked, and the parts that are written again when it is resized. The cell is live, and the caller's
/// alone.
struct Checked {
    at: CellAt,
    shape: CellLayout,
    trailer: Trailer,
}

impl Checked {
    fn base(&self) -> *mut u8 {
        self.at.data.wrapping_sub(self.shape.offset())
    }

    /// Writes the prefix and the parts behind the data for this shape.
    #[inline(never)]
    unsafe fn write(&self, data: *mut u8, shape: &CellLayout) -> NonNull<u8> {
        // SAFETY: [caller] the block has room for the shape.
        unsafe { self.trailer.put(data, shape) }
    }

    /// Records that the cell has this shape and address.
    #[cfg_attr(not(kmem_standalone), inline(always))]
    unsafe fn becomes(&self, data: *mut u8, shape: &CellLayout) -> NonNull<u8> {
        totals::ended(self.at.kind, self.shape.layout().size());
        totals::made(self.at.kind, shape.layout().size());
        // SAFETY: [caller] the block has room for the shape.
        unsafe { self.write(data, shape) }
    }

    /// Asks the source or the heap to resize the block to the new shape, then to one that ends at `least`. Returns `None` if the cell
    /// must move to a new block.
    #[cfg_attr(not(kmem_standalone), inline(always))]
    unsafe fn resize_block(
        &mut self,
        new: &mut CellLayout,
        least: usize,
        zeroes: bool,
        alone: bool,
    ) -> Option<NonNull<u8>> {
        let most = new.end;
        // SAFETY: [caller] the contract is the caller's.
        unsafe {
            let src = self.at.src();
            let by_source = source::resizes(src);
            // Bytes that a source cuts off are zeroed while they still belong to the cell.
            let asks = if by_source {
                !zeroes || new.size >= self.shape.size || self.cut(&new.to(least))
            } else {
                alone && !zeroes && source::is_heap(src)
            };
            if !asks {
                return None;
            }
            loop {
                let data = if by_source { self.ask_source(new) } else { self.ask_heap(new) };
                if data.is_some() || new.end == least {
                    new.end = most;
                    return data;
                }
                new.end = least;
            }
        }
    }

    /// Shrinks the cell and zeroes the rest of the block, before the source is asked to cut it off. Returns false, and changes
    /// nothing, if the prefix cannot express the spare room that is left if the source refuses.
    unsafe fn cut(&mut self, least: &CellLayout) -> bool {
        let CellLayout { size, .. } = *least;
        if !self.shape.fits(size) {
            return false;
        }
        // SAFETY: [extent] the block ends there.
        unsafe {
            shred::zero(self.at.data.add(size), self.shape.end - size);
            self.write(self.at.data, least);
        }
        self.shape.size = size;
        true
    }

    /// Asks a custom source to resize the block in place.
    #[inline(never)]
    unsafe fn ask_source(&self, shape: &CellLayout) -> Option<NonNull<u8>> {
        /// Restores the parts behind the data if the source refuses or unwinds. The source may have zeroed the bytes that it was
        /// asked to cut off.
        struct Asked<'a>(&'a Checked);
        impl Drop for Asked<'_> {
            fn drop(&mut self) {
                // SAFETY: [guard, extent] the block has its old size.
                unsafe { self.0.write(self.0.at.data, &self.0.shape) };
            }
        }
        let asked = Asked(self);
        // SAFETY: [caller, origin] the cell was allocated from this source with this layout.
        unsafe {
            if !source::resize(self.at.src(), self.base(), self.shape.layout(), shape.layout().size()) {
                return None;
            }
            core::mem::forget(asked);
            Some(self.becomes(self.at.data, shape))
        }
    }

    /// Asks the heap to resize the block, in place or by a move.
    #[inline(never)]
    unsafe fn ask_heap(&self, shape: &CellLayout) -> Option<NonNull<u8>> {
        let CellAt { kind, .. } = self.at;
        // SAFETY: [caller, origin] the cell was allocated from the heap with this layout.
        unsafe {
            // A stale pointer leads to a freed cell, as long as the heap does not overwrite the old block.
            (*self.at.cell()).kind = kind.freed();
            let (src, layout) = (self.at.src(), self.shape.layout());
            let Some(block) = resize_heap(src, self.base(), layout, shape.layout().size()) else {
                (*self.at.cell()).kind = kind as i32;
                return None;
            };
            let data = block.add(shape.offset()).as_ptr();
            (*CellAt::new(kind, data).cell()).kind = kind as i32;
            Some(self.becomes(data, shape))
        }
    }

    /// Moves the cell to a new block. If the source has no new block, a cell that was [cut](Checked::cut) keeps its block, with the
    /// cut bytes as spare room.
    #[inline(always)]
    unsafe fn relocate(&self, shape: &mut CellLayout, least: usize, shred: bool) -> ResizeResult {
        let Checked { at, shape: old, .. } = self;
        let CellAt { kind, data } = *at;
        // SAFETY: [caller, drawn, extent, live] the source is live. The new block has room for the header and the data that fits.
        // The old data is that of a live cell.
        unsafe {
            // A limit is not asked for spare room that it does not have.
            if shape.layout().size() > source::room(at.src()) {
                shape.end = least;
            }
            let base = loop {
                match draw(at.src(), shape.layout(), Fill::Undefined) {
                    Ok(base) => break base,
                    Err(_) if shape.end != least => shape.end = least,
                    Err(_) if shape.size == old.size && least < old.end => {
                        return Ok(Resized { data: NonNull::new_unchecked(data), old: None });
                    }
                    Err(error) => return Err(error),
                }
            };
            totals::made(kind, shape.layout().size());
            let moved = base.add(shape.offset()).as_ptr();
            let kept = old.header + old.size.min(shape.size);
            moved.sub(old.header).copy_from_nonoverlapping(data.sub(old.header), kept);
            let old = Some(CellFreeGuard { at: *at, shred, far_end: old.far_end() });
            Ok(Resized { data: self.write(moved, shape), old })
        }
    }
}

/// Returns the size of a plain cell, if it can be resized to `size` data bytes without further checks.
/// Safety: as for [`resize`], for a cell allocated from the heap.
#[inline(always)]
unsafe fn plain_size(at: CellAt, size: usize) -> Option<usize> {
    let cell = at.cell();
    // SAFETY: [live] the cell is readable, and the caller's alone.
    unsafe {
        let old = (*cell).size;
        let end = cell.addr().wrapping_add(old);
        // On 32-bit machines a corrupt size may be too large even if the end is a possible address.
        let too_large = size > MOST || cfg!(target_pointer_width = "32") && old > MOST;
        (old >= at.header() && !too_large && !seal::is_non_canonical(end) && is_plain(cell, old))
            .then_some(old)
    }
}

/// Asks the heap to resize a plain cell. Returns `None`, and changes nothing, if the cell is not plain or the heap refuses.
/// Safety: as for [`resize`], for a cell allocated from the heap.
#[cfg_attr(not(kmem_standalone), inline(always))]
unsafe fn resize_fast(at: CellAt, size: usize) -> Option<NonNull<u8>> {
    let (kind, header, cell) = (at.kind, at.header(), at.cell());
    // SAFETY: [live, extent, origin] the cell is the caller's alone. A plain cell was allocated with exactly its size.
    unsafe {
        let old = plain_size(at, size)?;
        let new = header + size;
        if new == old {
            return NonNull::new(cell.cast::<u8>().add(header));
        }
        // A stale pointer leads to a freed cell, as long as the heap does not overwrite the old block.
        (*cell).kind = kind.freed();
        let layout = Layout::from_size_align_unchecked(old, BASE_ALIGN);
        let Some(block) = resize_heap(null_mut(), cell.cast(), layout, new) else {
            (*cell).kind = kind as i32;
            return None;
        };
        totals::ended(kind, old);
        totals::made(kind, new);
        write_size(block.cast(), new);
        let cell = block.cast::<Cell>().as_ptr();
        (*cell).kind = kind as i32;
        Some(block.add(header))
    }
}

/// Moves a plain cell that others point to. Returns `None`, and changes nothing, if the cell is not plain or the heap refuses.
/// Safety: as for [`resize`], for a cell allocated from the heap.
#[inline(always)]
unsafe fn move_fast(at: CellAt, size: usize) -> Option<Resized> {
    let header = at.header();
    // SAFETY: [live, extent, drawn] as above. The new block has room for the header and the data.
    unsafe {
        let old = plain_size(at, size)?;
        let new = header + size;
        if new == old {
            return Some(Resized { data: NonNull::new_unchecked(at.data), old: None });
        }
        let block = draw_heap(Layout::from_size_align_unchecked(new, BASE_ALIGN), Fill::Undefined).ok()?;
        block.as_ptr().copy_from_nonoverlapping(at.cell().cast(), old.min(new));
        totals::made(at.kind, new);
        write_size(block.cast(), new);
        let old = Some(CellFreeGuard { at, shred: false, far_end: 0 });
        Some(Resized { data: block.add(header), old })
    }
}

/// Writes another size into the prefix of a plain cell. Safety: the cell is the caller's alone, and its block has this many bytes.
#[inline(always)]
unsafe fn write_size(cell: NonNull<Cell>, size: usize) {
    // SAFETY: [prefix] the prefix is writable.
    unsafe {
        (*cell.as_ptr()).heap = seal::of_cell(size, 0, 0);
        (*cell.as_ptr()).size = size;
    }
}
