//! Another size, or room to grow, for a cell that exists: in place where its source can, otherwise moved.

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use super::chain::shreds;
use super::check::{Prefix, check_prefix, is_plain};
use super::end::CellFreeGuard;
use super::layout::prefix;
use super::make::told_made;
use super::record;
use super::request::{BASE_ALIGN, Fill};
use super::seal;
use super::shape::{CellLayout, MOST, Trailer};
use super::source::{self, draw, draw_heap, grow_heap};
use super::{sanitizer, totals};
use crate::cell::{Cell, Kind};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse};
use crate::shred;

/// A cell that was given another size. Dropping it gives the old block back, if the cell has moved. What names the cell has to learn
/// of the new address before that, for the source may look.
pub(crate) struct Resized {
    /// The data where it is now.
    pub(crate) data: NonNull<u8>,
    #[allow(dead_code, reason = "it is there to be dropped")]
    old: Option<CellFreeGuard>,
}

/// What a cell is to have.
#[derive(Clone, Copy)]
pub(crate) enum ResizeRequest {
    /// So many bytes of data. Room to spare stays as the cell grows into it, and goes as the cell shrinks.
    Size(usize),
    /// So many bytes of data, or as many as it has if those are more. If it takes another block for that, the block has room for half as many again,
    /// so that a cell to which little is appended at a time moves seldom.
    Appended(usize),
    /// Room for so many bytes of data, of which it has as many as before.
    Room(usize),
}

/// How a cell is to be resized.
#[derive(Clone, Copy)]
pub(crate) struct How {
    /// Whether what is cut off or left behind is zeroed even where neither the cell nor its source says so.
    pub(crate) shred: bool,
    /// Whether nothing names the cell that anybody but the caller could follow, so that the heap may move it.
    pub(crate) alone: bool,
}

/// Gives a cell, on behalf of `call`, another size or more room: what fits of the old contents stays, the rest is undefined. Alignment,
/// destructor, name and mark stay. In place where the source can, otherwise moved. Where the cell is to be zeroed when it goes,
/// or `shred` says so, so are the bytes that are cut off, and those that a move leaves.
///
/// Where it fails nothing has changed. Where a source unwinds as it is asked to take bytes off the end of a cell that is to be zeroed, the
/// cell is as small already.
///
/// # Safety
/// `data` is that of a live cell of `kind` with this header, drawn from `src`, which nobody else uses meanwhile.
#[inline(always)]
pub(crate) unsafe fn resize(
    call: Call,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    to: ResizeRequest,
    how: How,
) -> Result<Resized, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if let ResizeRequest::Size(size) = to {
            if src.is_null() && !how.shred && how.alone {
                if let Some(data) = resize_fast(kind, header, prefix(data, header), size) {
                    return Ok(Resized { data, old: None });
                }
            } else if src.is_null() && !how.shred {
                if let Some(resized) = move_fast(kind, header, data, size) {
                    told_moved(kind, header, data, src, &resized);
                    return Ok(resized);
                }
            }
        }
        let resized = resize_slow(call, kind, header, data, src, to, how)?;
        told_moved(kind, header, data, src, &resized);
        Ok(resized)
    }
}

/// Tells valgrind of a cell that has moved.
///
/// # Safety
/// It has, and what its header leads to is as it was.
#[inline(always)]
unsafe fn told_moved(kind: Kind, header: usize, data: *mut u8, src: *mut Cell, resized: &Resized) {
    if sanitizer::HEAP && resized.data.as_ptr() != data {
        // SAFETY: [caller] the caller's cell is live.
        unsafe { told_made(kind, resized.data.as_ptr(), header, src) };
    }
}

/// [`resize`] of a cell that may have more to it than its bytes.
#[inline(never)]
unsafe fn resize_slow(
    call: Call,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    to: ResizeRequest,
    How { shred, alone }: How,
) -> Result<Resized, AllocError> {
    let cell = prefix(data, header);
    // SAFETY: [live, caller] the caller's cell is readable, and the caller's alone; the rest is asked of one that was found to be whole.
    unsafe {
        match check_prefix(call, kind, header, data, src) {
            Prefix::Whole => {}
            Prefix::Wrong => return Err(AllocError::Misused),
            Prefix::Recorded => {
                return resize_recorded(call, kind, header, data, src, to, How { shred, alone });
            }
        }
        let shape = CellLayout::of(cell, header);
        let Some(carried) = Trailer::take(data, &shape) else {
            fault::report(call, data, Misuse::Damaged);
            return Err(AllocError::Misused);
        };
        let zeroes = shred || (*cell).tainted() || shreds(src);
        let least = to.least(&shape)?;
        let stays = if source::fits_in_place(src, least.layout().size())? {
            // A pool's cell has its room whether the cell in it says so or not.
            Some(if let ResizeRequest::Room(_) = to { shape.with(shape.size)? } else { least })
        } else if least.end == shape.end || least.end < shape.end && least.size >= shape.size {
            shape.within(least.size)
        } else {
            None
        };
        if let Some(new) = stays {
            if zeroes && new.size < shape.size {
                shred::zero(data.add(new.size), shape.size - new.size);
            }
            let (from, to) = (shape.layout().size(), new.layout().size());
            source::resized(src, data.sub(shape.offset()), from, to);
            totals::ended(kind, from);
            totals::made(kind, to);
            return Ok(Resized { data: carried.put(data, &new), old: None });
        }
        let mut cell = Whole { kind, data, src, shape, carried };
        let ends = to.ends(&least);
        if let Some(resized) = cell.resize_block(&least, ends, zeroes, alone) {
            return Ok(resized);
        }
        cell.leave(least, ends, shred)
    }
}

/// [`resize_slow`] of a cell with a record.
///
/// # Safety
/// As for [`resize`], and the prefix was found whole.
#[cold]
#[inline(never)]
unsafe fn resize_recorded(
    call: Call,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    to: ResizeRequest,
    how: How,
) -> Result<Resized, AllocError> {
    let cell = prefix(data, header);
    // SAFETY: [caller, record] the caller's cell is the caller's alone. Its header is as that of any cell meanwhile, and leads to the record
    // again wherever it is then.
    unsafe {
        let mut lifted = record::lift(cell, record::of(cell));
        let resized = resize_slow(call, kind, header, data, src, to, how)?;
        lifted.cell = prefix(resized.data.as_ptr(), header);
        Ok(resized)
    }
}

impl ResizeRequest {
    /// The bytes that there has to be room for.
    #[cfg(feature = "pool")]
    pub(crate) fn room(self) -> usize {
        match self {
            ResizeRequest::Size(size) | ResizeRequest::Appended(size) | ResizeRequest::Room(size) => size,
        }
    }

    /// The shape that a cell of this one has to have, in a block of its own.
    #[inline(always)]
    fn least(self, now: &CellLayout) -> Result<CellLayout, AllocError> {
        match self {
            ResizeRequest::Size(size) => now.with(size),
            ResizeRequest::Appended(size) => now.with(size.max(now.size)),
            ResizeRequest::Room(room) => now.with_room(room),
        }
    }

    /// Where a block of its own is to end, if there is such a one, and where it has to end.
    #[inline(always)]
    fn ends(self, least: &CellLayout) -> [usize; 2] {
        let most = match self {
            ResizeRequest::Appended(_) => {
                least.with_room(least.size + least.size.div_ceil(2)).map(|most| most.end)
            }
            ResizeRequest::Size(_) | ResizeRequest::Room(_) => Ok(least.end),
        };
        [most.unwrap_or(least.end), least.end]
    }
}

/// A cell that was found to be whole, and what is needed to write it anew.
///
/// Its functions are called for a live cell that nobody else uses meanwhile.
struct Whole {
    kind: Kind,
    data: *mut u8,
    src: *mut Cell,
    shape: CellLayout,
    carried: Trailer,
}

impl Whole {
    fn base(&self) -> *mut u8 {
        self.data.wrapping_sub(self.shape.offset())
    }

    /// Writes what the cell carries, and its prefix, for this shape.
    #[inline(never)]
    unsafe fn write(&self, data: *mut u8, shape: &CellLayout) -> NonNull<u8> {
        // SAFETY: [caller] the caller's block has room for the shape.
        unsafe { self.carried.put(data, shape) }
    }

    /// The cell has this shape now, its data lies there, and its old block is gone or the same.
    unsafe fn becomes(&self, data: *mut u8, shape: &CellLayout) -> Resized {
        totals::ended(self.kind, self.shape.layout().size());
        totals::made(self.kind, shape.layout().size());
        // SAFETY: [caller] the caller's block has room for the shape.
        Resized { data: unsafe { self.write(data, shape) }, old: None }
    }

    /// Has the source or the heap give the block another size. `None` if neither does, and the cell has to leave it.
    #[inline(always)]
    unsafe fn resize_block(
        &mut self,
        least: &CellLayout,
        ends: [usize; 2],
        zeroes: bool,
        alone: bool,
    ) -> Option<Resized> {
        // SAFETY: [caller] the contract is the caller's.
        unsafe {
            if source::resizes(self.src) {
                // What a source takes off the end is zeroed while it is the cell's.
                if zeroes && least.size < self.shape.size && !self.cut(least) {
                    return None;
                }
                return each(least, ends, |shape| self.ask_source(shape));
            }
            if self.src.is_null() && alone && !zeroes {
                return each(least, ends, |shape| self.ask_heap(shape));
            }
            None
        }
    }

    /// Makes the cell so small, and zeroes the rest of the block, which a source is about to be asked to take back: until it refuses the cell
    /// is written as if it had. Returns false, and nothing has changed, if a refusal could not be written down.
    unsafe fn cut(&mut self, least: &CellLayout) -> bool {
        let Some(shape) = self.shape.within(least.size) else { return false };
        // SAFETY: [extent] the block ends there.
        unsafe {
            shred::zero(self.data.add(shape.size), shape.end - shape.size);
            self.write(self.data, least);
        }
        self.shape = shape;
        true
    }

    /// Has a custom source give the block the size of a shape, where it is.
    #[inline(never)]
    unsafe fn ask_source(&self, shape: &CellLayout) -> Option<Resized> {
        /// A cell whose source refused or unwound, and may have zeroed what it was to get.
        struct Asked<'a>(&'a Whole);
        impl Drop for Asked<'_> {
            fn drop(&mut self) {
                // SAFETY: [guard, extent] the block is as it was.
                unsafe { self.0.write(self.0.data, &self.0.shape) };
            }
        }
        let asked = Asked(self);
        // SAFETY: [caller, origin] the caller's cell was drawn from this source with this layout.
        unsafe {
            if !source::resize(self.src, self.base(), self.shape.layout(), shape.layout().size()) {
                return None;
            }
            core::mem::forget(asked);
            Some(self.becomes(self.data, shape))
        }
    }

    /// Has the heap give the block the size of a shape, in place or elsewhere.
    #[inline(never)]
    unsafe fn ask_heap(&self, shape: &CellLayout) -> Option<Resized> {
        let cell = prefix(self.data, self.shape.header);
        // SAFETY: [caller, origin] the caller's cell was drawn from the heap with this layout.
        unsafe {
            // Whoever still has the old address finds a cell that was freed, where the heap leaves that much of it.
            (*cell).kind = self.kind.freed();
            let Some(block) = grow_heap(self.base(), self.shape.layout(), shape.layout().size()) else {
                (*cell).kind = self.kind as i32;
                return None;
            };
            let data = block.add(shape.offset()).as_ptr();
            (*prefix(data, shape.header)).kind = self.kind as i32;
            Some(self.becomes(data, shape))
        }
    }

    /// Moves the cell to a new block. A cell that was cut stays if there is none: it has its size, and what its source did not take back is
    /// room to spare.
    #[inline(always)]
    unsafe fn leave(&self, least: CellLayout, ends: [usize; 2], shred: bool) -> Result<Resized, AllocError> {
        let Whole { kind, data, src, shape: old, .. } = self;
        let (kind, data, src) = (*kind, *data, *src);
        let mut shape = least.to(ends[0]);
        // SAFETY: [caller, drawn, extent, live] the caller's cell has its source; the new block has room for the header, and for all data
        // that fits; the old data is a cell's.
        unsafe {
            let base = loop {
                match draw(src, shape.layout(), Fill::Undefined) {
                    Ok(base) => break base,
                    Err(_) if shape.end != least.end => shape = least,
                    Err(_) if least.size == old.size && least.end < old.end => {
                        return Ok(Resized { data: NonNull::new_unchecked(data), old: None });
                    }
                    Err(error) => return Err(error),
                }
            };
            totals::made(kind, shape.layout().size());
            let moved = base.add(shape.offset()).as_ptr();
            let kept = old.header + old.size.min(shape.size);
            moved.sub(old.header).copy_from_nonoverlapping(data.sub(old.header), kept);
            let (header, far_end) = (old.header, old.far_end());
            let old = Some(CellFreeGuard { kind, header, data, src, shred, far_end });
            Ok(Resized { data: self.write(moved, &shape), old })
        }
    }
}

/// What is found for a block that ends as it is to or, if there is nothing, as it has to.
#[inline(always)]
fn each<T>(
    least: &CellLayout,
    ends: [usize; 2],
    mut find: impl FnMut(&CellLayout) -> Option<T>,
) -> Option<T> {
    let mut end = ends[0];
    loop {
        let found = find(&least.to(end));
        if found.is_some() || end == ends[1] {
            return found;
        }
        end = ends[1];
    }
}

/// The bytes of a plain cell, if it may be resized to have so many bytes of data without a further look at it.
///
/// # Safety
/// As for [`resize`], of a cell drawn from the heap.
#[inline(always)]
unsafe fn plain_size(header: usize, cell: *mut Cell, size: usize) -> Option<usize> {
    // SAFETY: [live] the caller's cell is readable, and ours alone.
    unsafe {
        let old = (*cell).size;
        let end = cell.addr().wrapping_add(old);
        // A size that leads to no wild address may be too large all the same where no address is.
        let too_large = size > MOST || cfg!(target_pointer_width = "32") && old > MOST;
        (old >= header && !too_large && !seal::is_non_canonical(end) && is_plain(cell, old)).then_some(old)
    }
}

/// Has the heap give a plain cell another size, or returns `None` and leaves it as it is: it is not plain, or the heap could not.
///
/// # Safety
/// As for [`resize`], of a cell drawn from the heap.
#[inline(always)]
unsafe fn resize_fast(kind: Kind, header: usize, cell: *mut Cell, size: usize) -> Option<NonNull<u8>> {
    // SAFETY: [live, extent, origin] the caller's cell is ours alone, and a plain one was drawn with just its size, see `alloc_cell`.
    unsafe {
        let old = plain_size(header, cell, size)?;
        let new = header + size;
        if new == old {
            return NonNull::new(cell.cast::<u8>().add(header));
        }
        // Whoever still has the old address finds a cell that was freed, where the heap leaves that much of it.
        (*cell).kind = kind.freed();
        let Some(block) = grow_heap(cell.cast(), Layout::from_size_align_unchecked(old, BASE_ALIGN), new)
        else {
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

/// Moves a plain cell that others name to a block of another size, or returns `None` and leaves it as it is: it is not plain, or the heap
/// has no such block.
///
/// # Safety
/// As for [`resize`], of a cell drawn from the heap.
#[inline(always)]
unsafe fn move_fast(kind: Kind, header: usize, data: *mut u8, size: usize) -> Option<Resized> {
    let cell = prefix(data, header);
    // SAFETY: [live, extent, drawn] as above; the new block has room for the header and the data.
    unsafe {
        let old = plain_size(header, cell, size)?;
        let new = header + size;
        if new == old {
            return Some(Resized { data: NonNull::new_unchecked(data), old: None });
        }
        let block = draw_heap(Layout::from_size_align_unchecked(new, BASE_ALIGN), Fill::Undefined).ok()?;
        block.as_ptr().copy_from_nonoverlapping(cell.cast(), old.min(new));
        totals::made(kind, new);
        write_size(block.cast(), new);
        let old = CellFreeGuard { kind, header, data, src: null_mut(), shred: false, far_end: 0 };
        Some(Resized { data: block.add(header), old: Some(old) })
    }
}

/// Writes another size into the prefix of a plain cell.
///
/// # Safety
/// The cell is the caller's alone, and its block has so many bytes.
#[inline(always)]
unsafe fn write_size(cell: NonNull<Cell>, size: usize) {
    // SAFETY: [prefix] the caller's cell is writable.
    unsafe {
        (*cell.as_ptr()).heap = seal::of_cell(size, 0, 0);
        (*cell.as_ptr()).size = size;
    }
}
