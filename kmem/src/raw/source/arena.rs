//! The arena as a source, and the watch, which is the source of one cell.

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use crate::cell::{Cell, Kind};
use crate::error::AllocError;
use crate::raw::arena::block::{bump, taken, untaken};
use crate::raw::arena::header::{
    ARENA_HAS_ROOMS, ARENA_OF_TREE, ARENA_SLOW_FREE, ARENA_STORE, ARENA_WATCH, Arena, Watch,
};
use crate::raw::arena::{room, space, watch};
use crate::raw::layout::{self, ArenaCell};
use crate::raw::request::{BASE_ALIGN, Below};
use crate::raw::sanitizer;
use crate::shared;

/// The three kinds of cells that have [`Kind::Arena`].
enum Which {
    Arena(*mut Arena),
    Watch(*mut Watch),
    Object(*mut ArenaCell),
}

/// Safety: `src` is the readable header of a live or dying cell of kind [`Kind::Arena`].
unsafe fn which(src: *mut Cell) -> Which {
    // SAFETY: [caller] the flags say which header it is.
    match unsafe { (*src).flags } & (ARENA_STORE | ARENA_WATCH) {
        ARENA_STORE => Which::Arena(src.cast()),
        ARENA_WATCH => Which::Watch(src.cast()),
        _ => Which::Object(src.cast()),
    }
}

/// Returns the arena that a source is, or whose watch it is, or null. Safety: as for [`which`].
pub(crate) unsafe fn arena_of(src: *mut Cell) -> *mut Arena {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        match which(src) {
            Which::Arena(arena) => arena,
            Which::Watch(watch) if (*watch).src == (*watch).arena.cast() => (*watch).arena,
            _ => null_mut(),
        }
    }
}

pub(super) unsafe fn draw(src: *mut Cell, layout: Layout, below: &Below) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller, watches] the caller gives a live source of this thread; the source of a watch is alive.
    unsafe {
        match which(src) {
            Which::Arena(arena) => space::draw(arena, layout.size(), layout.align(), below),
            Which::Watch(watch) => {
                let block = (below.draw)((*watch).src, layout)?;
                (*watch).block = block.as_ptr();
                Ok(block)
            }
            Which::Object(_) => Err(AllocError::source(Some(Kind::Arena))),
        }
    }
}

/// Returns the prefix of a live arena with these flags, and a mask for it.
const fn arena(flags: u8) -> [u64; 2] {
    [
        layout::prefix_word_of(Kind::Arena as i32, 0, ARENA_STORE | flags, 0, 0),
        layout::prefix_word_of(-1, 0, ARENA_STORE | ARENA_HAS_ROOMS, 0, 0),
    ]
}

/// Allocates a block aligned to 16, or returns null if only [`draw`] or [`draw_room`] can. Safety: `src` is the readable prefix of a
/// source, and belongs to this thread if it is an arena.
#[inline(always)]
pub(crate) unsafe fn draw_fast(src: *mut Cell, size: usize) -> *mut u8 {
    // SAFETY: [caller, live] the first word says if this is a live arena whose next object is placed behind the last one.
    unsafe {
        let [plain, mask] = arena(0);
        if sanitizer::ON || layout::prefix_word(src) & mask != plain {
            return null_mut();
        }
        bump(src.cast(), size.next_multiple_of(BASE_ALIGN), BASE_ALIGN).map_or(null_mut(), NonNull::as_ptr)
    }
}

/// Like [`draw_fast`], for an arena with free rooms.
#[inline(always)]
pub(crate) unsafe fn draw_room(src: *mut Cell, size: usize) -> *mut u8 {
    // SAFETY: [caller, live] the first word says if this is a live arena with free rooms.
    unsafe {
        let [with_rooms, mask] = arena(ARENA_HAS_ROOMS);
        if sanitizer::ON || layout::prefix_word(src) & mask != with_rooms {
            return null_mut();
        }
        room::draw_fast(src.cast(), size.next_multiple_of(BASE_ALIGN))
    }
}

/// Returns true if this is a live arena whose objects need not be zeroed. Safety: `src` is the readable prefix of a source, and the
/// source of a live arena is live.
#[inline(always)]
pub(super) unsafe fn is_plain(src: *mut Cell) -> bool {
    // SAFETY: [caller, one-thread, outlives] the prefix is the caller's; no other thread writes to it. It says if this is an arena,
    // whose source is live.
    unsafe {
        let plain = layout::prefix_word(src)
            & layout::prefix_word_of(-1, u8::MAX, ARENA_STORE | ARENA_SLOW_FREE, 0, 0)
            == layout::prefix_word_of(Kind::Arena as i32, 0, ARENA_STORE, 0, 0);
        plain && {
            let below = (*src.cast::<Arena>()).src;
            below.is_null() || !(*below).tainted()
        }
    }
}

/// Frees a block of a plain arena. Safety: as for [`give_back`], and [`is_plain`] is true.
#[inline]
pub(super) unsafe fn give_back_fast(src: *mut Cell, block: *mut u8, size: usize) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { space::give_back(src.cast(), block, size) }
}

pub(super) unsafe fn give_back(src: *mut Cell, block: *mut u8, layout: Layout, below: &Below) {
    // SAFETY: [caller, watches] the caller gives the live source of the block.
    unsafe {
        match which(src) {
            Which::Arena(arena) => space::give_back(arena, block, layout.size()),
            Which::Watch(watch) => {
                (below.give_back)((*watch).src, block, layout);
                // A cell that has moved gives its old block back, and stays. The owner of an arena outlives the watch in it.
                if (*watch).block == block && (*watch).cell.flags & ARENA_OF_TREE == 0 {
                    watch::free(watch);
                }
            }
            Which::Object(_) => {}
        }
    }
}

pub(super) unsafe fn fits_in_place(
    _src: *mut Cell,
    _size: usize,
    _below: &Below,
) -> Result<bool, AllocError> {
    Ok(false)
}

pub(super) unsafe fn resizes(src: *mut Cell) -> bool {
    // SAFETY: [caller] the caller gives a live source.
    unsafe { !arena_of(src).is_null() }
}

/// Resizes the newest block in place, and shrinks any block in place.
pub(super) unsafe fn resize(
    src: *mut Cell,
    block: *mut u8,
    layout: Layout,
    to: usize,
    _below: &Below,
) -> bool {
    // SAFETY: [caller, bump] the caller gives a block of this size.
    unsafe {
        let arena = arena_of(src);
        let (from, to) = (layout.size().next_multiple_of(BASE_ALIGN), to.next_multiple_of(BASE_ALIGN));
        if block.addr() + from == (*arena).at.addr() {
            if to >= (*arena).end.addr() - block.addr() {
                return false;
            }
            let end = (*arena).at.sub(from).add(to);
            (*arena).at = end;
            if to > from {
                taken(end.sub(to - from), to - from);
            } else {
                untaken(end, end.add(from - to));
            }
            return true;
        }
        if to < from {
            room::put(arena, block.add(to), from - to);
        }
        to <= from
    }
}

pub(super) unsafe fn resized(_src: *mut Cell, _block: *mut u8, _from: usize, _to: usize) {}

pub(super) unsafe fn may_have_served(_src: *mut Cell, _size: usize) -> bool {
    true
}

pub(super) unsafe fn below(src: *mut Cell) -> *mut Cell {
    // SAFETY: [caller] the caller's header is readable.
    unsafe {
        match which(src) {
            Which::Arena(arena) => (*arena).src,
            Which::Watch(watch) => (*watch).src,
            Which::Object(object) => (*object).src,
        }
    }
}

pub(super) unsafe fn zeroes(src: *mut Cell) -> bool {
    // SAFETY: [caller] the caller's header is readable.
    unsafe { shared::is_marked(&(*src).shred) }
}
