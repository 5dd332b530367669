//! The blocks of an arena, and the place of the next object in them.
//!
//! Objects are placed one behind the other. The blocks form a list; those behind the current block are empty, because a scope ended
//! that had used them.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::header::{self, ARENA_FIXED, Arena, Block};
use crate::cell::{Cell, FLAG_HOST, Kind};
use crate::error::AllocError;
#[cfg(feature = "tree")]
use crate::raw::layout::Node;
use crate::raw::request::{BASE_ALIGN, Below};
use crate::raw::sanitizer::{asan, msan, valgrind};
use crate::raw::totals;

/// The largest block, in bytes, to which an arena doubles its blocks.
const MAX_BLOCK: usize = 1 << 20;

/// Bytes of header before the objects of a block.
pub(crate) const BLOCK: usize = size_of::<Block>();

/// Takes `size` bytes of the current block, aligned to `align`, or returns `None` if they do not fit. The last byte of a block stays
/// unused, so that a scope never begins where the object before it ends.
/// Safety: this is a live arena of this thread. The alignment is a power of two up to [`MAX_ALIGN`](crate::raw::MAX_ALIGN), and the
/// size at most [`isize::MAX`].
#[inline(always)]
pub(crate) unsafe fn bump(arena: *mut Arena, size: usize, align: usize) -> Option<NonNull<u8>> {
    // SAFETY: [caller, bump] `at` and `end` lie in the current block, `at` not behind `end`, which is a multiple of 16.
    unsafe {
        let (at, end) = ((*arena).at, (*arena).end);
        let start = at.map_addr(|at| at.wrapping_add(align - 1) & !(align - 1));
        // An alignment of more than 16 may lead behind the end, or to the start of memory.
        if align > BASE_ALIGN && !(at.addr()..=end.addr()).contains(&start.addr()) {
            return None;
        }
        if size >= end.addr() - start.addr() {
            return None;
        }
        (*arena).at = start.add(size);
        taken(start, size);
        Some(NonNull::new_unchecked(start))
    }
}

/// Makes the next block current, which has room for `size` bytes with this alignment. The source is asked for one if there is none.
/// Safety: as for [`bump`]. The source of the arena is alive.
#[cold]
#[inline(never)]
pub(crate) unsafe fn grow(
    arena: *mut Arena,
    size: usize,
    align: usize,
    below: &Below,
) -> Result<(), AllocError> {
    // SAFETY: [caller, blocks] the blocks of a live arena are linked both ways.
    unsafe {
        let needed = size.checked_add(BLOCK + align).ok_or(AllocError::Overflow)?;
        let next = (*(*arena).block).next;
        if !next.is_null() && (*next).end.addr() - next.addr() >= needed {
            enter(arena, next);
            return Ok(());
        }
        if (*arena).cell.flags & ARENA_FIXED != 0 {
            return Err(AllocError::exhausted(size));
        }
        let src = growth_source(arena);
        // A source of limited cells or bytes may still have a block of the present size, or of just the size that is needed.
        let present = (*(*arena).block).end.addr() - (*arena).block.addr();
        let mut drawn = Err(AllocError::Overflow);
        for bytes in [(*arena).next, present, 0] {
            let bytes = bytes.max(needed) & !(BASE_ALIGN - 1);
            let Ok(layout) = Layout::from_size_align(bytes, BASE_ALIGN) else { continue };
            drawn = (below.draw)(src, layout).map(|block| (block.cast::<Block>().as_ptr(), bytes));
            if drawn.is_ok() {
                break;
            }
        }
        let (block, bytes) = drawn?;
        totals::add(Kind::Arena, 0, bytes);
        (*arena).next = (*arena).next.saturating_mul(2).min(MAX_BLOCK.max((*arena).next));
        // The source may have used the arena meanwhile.
        let current = (*arena).block;
        let behind = (*current).next;
        block.write(Block { prev: current, next: behind, end: block.cast::<u8>().add(bytes), spare: 0 });
        (*current).next = block;
        if !behind.is_null() {
            (*behind).prev = block;
        }
        enter(arena, block);
    }
    Ok(())
}

/// Makes an empty block current. Safety: the block is one of this live arena, and no live object lies in it.
pub(crate) unsafe fn enter(arena: *mut Arena, block: *mut Block) {
    // SAFETY: [caller, blocks] the block begins with its header.
    unsafe {
        (*arena).block = block;
        (*arena).at = block.cast::<u8>().add(BLOCK);
        (*arena).end = (*block).end;
        untaken((*arena).at, (*arena).end);
    }
}

/// Returns the source of further blocks: the source of the arena, or for an arena on a node, the source of the node.
/// Safety: the arena is live.
pub(crate) unsafe fn growth_source(arena: *mut Arena) -> *mut Cell {
    // SAFETY: [caller, hosted] a hosted arena is the data of a node.
    unsafe {
        #[cfg(feature = "tree")]
        if (*arena).cell.flags & FLAG_HOST != 0 {
            return header::origin((*Node::of(arena.cast())).src);
        }
        let _ = FLAG_HOST;
        (*arena).src
    }
}

/// Returns true if this address lies in the block.
pub(crate) unsafe fn contains(block: *mut Block, address: usize) -> bool {
    // SAFETY: [caller] the caller's block is live.
    unsafe { address > block.addr() && address < (*block).end.addr() }
}

/// Announces to tools that these bytes are in use, with undefined contents.
#[inline(always)]
pub(crate) fn taken(start: *mut u8, size: usize) {
    asan::unpoison(start, size);
    msan::undefined(start, size);
    valgrind::undefined(start, size);
}

/// Announces to tools that the bytes from `start` to `end` are not in use.
#[inline(always)]
pub(crate) fn untaken(start: *mut u8, end: *mut u8) {
    let size = end.addr() - start.addr();
    asan::poison(start, size);
    msan::undefined(start, size);
    valgrind::no_access(start, size);
}
