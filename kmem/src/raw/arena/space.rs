//! Bytes of an arena: allocated behind the last ones or in a room, and freed.

use core::ptr::{NonNull, null_mut};

use super::block::{bump, grow, taken, untaken};
use super::header::{ARENA_HAS_ROOMS, Arena};
use super::room;
use crate::error::AllocError;
use crate::raw::request::{BASE_ALIGN, Below};

/// Allocates `size` bytes from an arena, in a room if one was freed. Safety: as for [`bump`]; the source is alive.
#[inline]
pub(crate) unsafe fn draw(
    arena: *mut Arena,
    size: usize,
    align: usize,
    below: &Below,
) -> Result<NonNull<u8>, AllocError> {
    let size = size.checked_next_multiple_of(BASE_ALIGN).ok_or(AllocError::Overflow)?.max(BASE_ALIGN);
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if align == BASE_ALIGN && (*arena).cell.flags & ARENA_HAS_ROOMS != 0 {
            if let Some(start) = NonNull::new(room::take(arena, size, false)) {
                taken(start.as_ptr(), size);
                return Ok(start);
            }
        }
        loop {
            if let Some(start) = bump(arena, size, align) {
                return Ok(start);
            }
            if let Err(error) = grow(arena, size, align, below) {
                let start = if align == BASE_ALIGN { room::take(arena, size, true) } else { null_mut() };
                taken(start, if start.is_null() { 0 } else { size });
                return NonNull::new(start).ok_or(error);
            }
        }
    }
}

/// Frees `size` bytes of an arena. The last ones that were allocated are free at once, others become a room.
/// Safety: [`draw`] returned them for this size, and nobody uses them any more.
#[inline]
pub(crate) unsafe fn give_back(arena: *mut Arena, start: *mut u8, size: usize) {
    let size = size.next_multiple_of(BASE_ALIGN).max(BASE_ALIGN);
    // SAFETY: [caller, bump] the contract is the caller's.
    unsafe {
        if start.addr() + size == (*arena).at.addr() {
            (*arena).at = (*arena).at.sub(size);
            untaken((*arena).at.add(BASE_ALIGN), (*arena).at.add(size));
        } else {
            room::put(arena, start, size);
        }
    }
}
