//! Bytes of an arena without a header: values that no call frees, and the blocks of collections.
//!
//! A block of [`SMALL`] bytes or more ends at a multiple of 16, so that it can become a room. A smaller one takes the bytes that it needs.

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use super::block::{bump, grow, taken, untaken};
use super::header::Arena;
use super::{room, space};
use crate::error::AllocError;
use crate::raw::chain::shreds;
use crate::raw::request::{BASE_ALIGN, MAX_ALIGN};
use crate::raw::source::BELOW;

/// Bytes from which on a block is rounded up.
const SMALL: usize = 32;

/// Allocates bytes behind the last ones, for as long as the scope. Safety: the arena is live and belongs to this thread, and its source
/// is alive. This is a valid layout.
#[inline(always)]
pub(crate) unsafe fn alloc(arena: *mut Arena, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
    if align > MAX_ALIGN {
        return Err(AllocError::misaligned(align, MAX_ALIGN));
    }
    // SAFETY: [caller] the contract is the caller's.
    unsafe { bump(arena, size, align).map_or_else(|| alloc_slow(arena, size, align), Ok) }
}

#[cold]
#[inline(never)]
unsafe fn alloc_slow(arena: *mut Arena, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller, rooms] the contract is the caller's. Blocks are aligned to 16, and have room for multiples of 16.
    unsafe {
        let rounded = size.next_multiple_of(BASE_ALIGN);
        loop {
            if let Err(error) = grow(arena, rounded, align.max(BASE_ALIGN), &BELOW) {
                let start = if align <= BASE_ALIGN { room::take(arena, rounded, true) } else { null_mut() };
                taken(start, if start.is_null() { 0 } else { rounded });
                return NonNull::new(start).ok_or(error);
            }
            if let Some(start) = bump(arena, size, align) {
                return Ok(start);
            }
        }
    }
}

/// Returns the address behind a block of this size.
#[inline(always)]
fn end_of(start: *mut u8, size: usize) -> usize {
    let end = start.addr() + size;
    if size < SMALL { end } else { end.next_multiple_of(BASE_ALIGN) }
}

/// Allocates a block that can be freed and resized. Safety: as for [`alloc`].
#[inline]
pub(crate) unsafe fn draw(arena: *mut Arena, layout: Layout) -> Result<NonNull<u8>, AllocError> {
    let (size, align) = (layout.size(), layout.align());
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if size < SMALL || align > MAX_ALIGN {
            return alloc(arena, size, align);
        }
        space::draw(arena, size, align.max(BASE_ALIGN), &BELOW)
    }
}

/// Frees a block, and zeroes it if the arena is tainted. Safety: the arena is live and belongs to this thread. [`draw`] returned the
/// block for this size, or [`resize`] gave it this size, and nobody uses it any more.
#[inline]
pub(crate) unsafe fn give_back(arena: *mut Arena, start: *mut u8, size: usize) {
    // SAFETY: [caller, bump] the contract is the caller's.
    unsafe {
        zero(arena, start, size);
        let end = end_of(start, size);
        if end == (*arena).at.addr() {
            (*arena).at = start;
            untaken(start, start.add(end - start.addr()));
        } else {
            put(arena, start, end);
        }
    }
}

/// Resizes a block in place: the newest, or one that shrinks. Zeroes the end that is cut off if the arena is tainted. Returns false if
/// nothing has changed. Safety: as for [`give_back`], but only the end that is cut off is not used any more.
#[inline]
pub(crate) unsafe fn resize(arena: *mut Arena, start: *mut u8, from: usize, to: usize) -> bool {
    // SAFETY: [caller, bump] the contract is the caller's.
    unsafe {
        let (old, new) = (end_of(start, from), end_of(start, to));
        let newest = old == (*arena).at.addr();
        if new > old && !(newest && new < (*arena).end.addr()) {
            return false;
        }
        if to < from {
            zero(arena, start.add(to), from - to);
        }
        let behind = start.add(new - start.addr());
        if !newest {
            put(arena, behind, old);
        } else if new > old {
            (*arena).at = behind;
            taken(behind.sub(new - old), new - old);
        } else {
            (*arena).at = behind;
            untaken(behind, behind.add(old - new));
        }
        true
    }
}

/// Makes a room of the whole units of 16 bytes from `start` to `end`. Safety: nobody uses these bytes.
unsafe fn put(arena: *mut Arena, start: *mut u8, end: usize) {
    let pad = start.addr().wrapping_neg() & (BASE_ALIGN - 1);
    let size = (end - start.addr()).saturating_sub(pad) & !(BASE_ALIGN - 1);
    // SAFETY: [caller] the contract is the caller's.
    unsafe { room::put(arena, start.wrapping_add(pad), size) }
}

/// Zeroes bytes that are not used any more, if the arena is tainted. Safety: the arena is live, and the bytes are writable.
#[inline]
unsafe fn zero(arena: *mut Arena, start: *mut u8, size: usize) {
    // SAFETY: [caller, outlives] the arena is live, and so are the sources below it.
    unsafe {
        if !Arena::is_plain(arena) && shreds(arena.cast()) {
            crate::shred::zero(start, size);
        }
    }
}
