//! The headers in an arena: its own, and those of blocks, free rooms and watches.

use core::ffi::c_char;
use core::mem::offset_of;
use core::ptr::null_mut;

use crate::cell::{Cell, Kind};
use crate::raw::request::BASE_ALIGN;

// The flags of the header of an arena. An object of an arena has none of the first two.

/// The prefix is that of an arena, not of an object of one.
pub const ARENA_STORE: u8 = 64;
/// The prefix is that of a watch: a list entry that also is the source of one object.
pub const ARENA_WATCH: u8 = 4;
/// The arena never gets another block.
pub const ARENA_FIXED: u8 = 1;
/// The first block is a buffer of the caller, so its memory is not freed.
pub const ARENA_IN_BUFFER: u8 = 8;
/// The nodes below the node that hosts the arena are allocated from it.
pub const ARENA_OF_TREE: u8 = 16;
/// The mark of the source of the arena alone does not say if the source zeroes, so freeing an object takes more than returning its
/// room.
pub const ARENA_SLOW_FREE: u8 = 32;
/// Some room was freed, and serves the next allocations of its size.
pub const ARENA_HAS_ROOMS: u8 = 128;

/// The header of an arena (`kmarena` in C). The fields that are not public belong to the engine.
#[derive(Debug)]
#[repr(C)]
pub struct Arena {
    /// The prefix. Its `shred` mark applies to every object of the arena.
    pub cell: Cell,
    /// The source; null means the heap or a buffer.
    pub src: *mut Cell,
    /// The first free byte of the current block.
    pub(crate) at: *mut u8,
    /// The end of the current block.
    pub(crate) end: *mut u8,
    /// The current block. Blocks before it are full; blocks behind it are empty.
    pub(crate) block: *mut Block,
    /// The free rooms that the innermost scope may use, or null if no room was freed in it.
    pub(crate) rooms: *mut Rooms,
    /// Free rooms that are older than the innermost scope.
    pub(crate) older: *mut Room,
    /// The watch that was made last, or null.
    pub(crate) watches: *mut Watch,
    /// The number of the innermost open scope, or 0.
    pub(crate) scope: usize,
    /// The number of the scope that was begun last.
    pub(crate) serial: usize,
    /// If objects are being freed as a whole: the number of the scope that was begun last before that. Otherwise 0.
    pub(crate) ending: usize,
    /// Where the innermost open scope begins.
    pub(crate) floor: *mut u8,
    /// The block in which `floor` lies, or null if no scope is open.
    pub(crate) floor_block: *mut Block,
    /// Bytes of the next block.
    pub(crate) next: usize,
    /// The seal of the header, see [`seal`](crate::raw::seal).
    pub(crate) seal: u32,
    /// On the arena of a tree: nodes in it of which a child is being freed while user code runs.
    pub(crate) busy: u32,
    /// On the arena of a tree: 1 if freeing the tree must visit each node.
    pub(crate) must_walk: usize,
    /// On the arena of a tree that is being freed: a list of tainted nodes, by the field `older` of their watches.
    pub(crate) tainted: *mut Watch,
    /// The name, or null.
    pub(crate) name: *const c_char,
    /// The address of the name, sealed.
    pub(crate) named: usize,
    /// The free rooms outside all scopes.
    pub(crate) first_rooms: Rooms,
    /// Makes the header a multiple of 16 bytes.
    #[cfg(target_pointer_width = "32")]
    pub(crate) spare: core::mem::MaybeUninit<usize>,
    /// The first block, which begins with this header.
    pub(crate) first: Block,
}

/// The header of a block of an arena.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Block {
    /// The block before it, or null.
    pub(crate) prev: *mut Block,
    /// The block behind it, or null.
    pub(crate) next: *mut Block,
    /// The end of the block.
    pub(crate) end: *mut u8,
    /// Makes the header a multiple of 16 bytes.
    pub(crate) spare: usize,
}

/// The room of a freed object. It lies 16 bytes into the room, so that the prefix of the object shows that it was freed.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Room {
    /// The next room on the list, or null.
    pub(crate) next: *mut Room,
    /// The bytes of the room, sealed.
    pub(crate) size: usize,
}

/// Lists of free rooms by size.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Rooms {
    pub(crate) lists: [*mut Room; 32],
}

/// A watch: the source of one cell in an arena that has a destructor or is tainted, or that does not lie in the arena. The watches
/// of an arena form a list, so that these cells are found without a search.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Watch {
    /// The prefix, with [`ARENA_WATCH`].
    pub(crate) cell: Cell,
    /// The arena that the watch lies in.
    pub(crate) arena: *mut Arena,
    /// The source of the watched cell.
    pub(crate) src: *mut Cell,
    /// The block of the watched cell, or null.
    pub(crate) block: *mut u8,
    /// The prefix of the watched cell.
    pub(crate) watched: *mut Cell,
    /// The watch that was made before it, or null.
    pub(crate) older: *mut Watch,
    /// The watch that was made after it, or null; the watch itself if it is not on the list.
    pub(crate) newer: *mut Watch,
    /// The number of the innermost scope at that time.
    pub(crate) scope: usize,
}

impl Arena {
    /// Returns true if it is certain that neither the arena nor a source is tainted. Safety: the arena is live, and so is its source.
    #[inline(always)]
    pub(crate) unsafe fn is_plain(this: *mut Arena) -> bool {
        // SAFETY: [caller, outlives] the contract is the caller's.
        unsafe {
            let src = (*this).src;
            (*this).cell.flags & ARENA_SLOW_FREE == 0
                && !(*this).cell.tainted()
                && (src.is_null() || !(*src).tainted())
        }
    }
}

/// Bytes of an arena's header, the header of its first block included.
pub(crate) const ARENA: usize = size_of::<Arena>().next_multiple_of(BASE_ALIGN);

/// Returns the watch that a source is, or null. Safety: `src` is null or a readable prefix.
#[inline(always)]
pub(crate) unsafe fn as_watch(src: *mut Cell) -> *mut Watch {
    // SAFETY: [caller] the prefix is readable.
    let is_watch =
        !src.is_null() && unsafe { (*src).kind == Kind::Arena as i32 && (*src).flags & ARENA_WATCH != 0 };
    if is_watch { src.cast() } else { null_mut() }
}

/// Returns the source behind all watches. Safety: `src` is null or a live source.
pub(crate) unsafe fn origin(mut src: *mut Cell) -> *mut Cell {
    // SAFETY: [caller, watches] the source of a live watch is live.
    unsafe {
        loop {
            let watch = as_watch(src);
            if watch.is_null() {
                return src;
            }
            src = (*watch).src;
        }
    }
}

const _: () = {
    assert!(offset_of!(Arena, src) == 16 && align_of::<Arena>() == align_of::<Cell>());
    assert!(size_of::<Block>() % BASE_ALIGN == 0 && size_of::<Arena>() == ARENA);
};
