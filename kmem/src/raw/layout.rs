//! The header of each kind of cell: its fields, its size, and the conversion from data to header and back.

use core::ffi::c_char;
use core::mem::offset_of;

use super::request::BASE_ALIGN;
use super::seal::{self, SealedDtor};
use crate::atomic::AtomicUsize;
use crate::cell::{Cell, FLAG_DEEP, Kind};

/// Bytes of header before the data of a heap cell.
pub(crate) const HEAP: usize = 16;
/// Bytes of header before the data of a counted cell.
pub(crate) const REF: usize = 32;
/// Bytes of header before the data of a node.
pub(crate) const NODE: usize = 64;
/// Bytes of header before the data of a pool cell.
pub(crate) const POOL_CELL: usize = 16;
/// Bytes of header before the data of an arena's object.
pub(crate) const ARENA_CELL: usize = 32;

/// Returns the size of the header of a cell that has a prefix.
#[inline(always)]
pub(crate) const fn header_of(kind: Kind) -> usize {
    const HEADERS: [u8; 8] = [0, HEAP as u8, 0, REF as u8, NODE as u8, 0, ARENA_CELL as u8, 0];
    HEADERS[kind as usize & 7] as usize
}

#[inline(always)]
pub(crate) fn prefix(data: *mut u8, header: usize) -> *mut Cell {
    data.wrapping_sub(header).cast()
}

/// A cell that has a prefix: its kind and its data. It is passed in two registers. The header has the rest.
#[derive(Clone, Copy)]
pub(crate) struct CellAt {
    pub(crate) kind: Kind,
    pub(crate) data: *mut u8,
}

impl CellAt {
    /// Returns the cell of this data. `kind` is heap, ref, tree or arena.
    #[inline(always)]
    pub(crate) const fn new(kind: Kind, data: *mut u8) -> CellAt {
        CellAt { kind, data }
    }

    /// Returns the cell of this data, or `None` if cells of this kind have no prefix or this build does not have the method.
    #[inline(always)]
    pub(crate) const fn of(kind: Option<Kind>, data: *mut u8) -> Option<CellAt> {
        match kind {
            Some(kind @ Kind::Heap) if cfg!(feature = "heap") => Some(CellAt { kind, data }),
            Some(kind @ Kind::Ref) if cfg!(feature = "ref") => Some(CellAt { kind, data }),
            Some(kind @ Kind::Tree) if cfg!(feature = "tree") => Some(CellAt { kind, data }),
            Some(kind @ Kind::Arena) if cfg!(feature = "arena") => Some(CellAt { kind, data }),
            _ => None,
        }
    }

    /// Returns the size of the header.
    #[inline(always)]
    pub(crate) const fn header(self) -> usize {
        header_of(self.kind)
    }

    /// Returns the prefix.
    #[inline(always)]
    pub(crate) fn cell(self) -> *mut Cell {
        prefix(self.data, self.header())
    }

    /// Returns the source, or null for the heap. Safety: the header is readable.
    #[inline(always)]
    pub(crate) unsafe fn src(self) -> *mut Cell {
        let offset = match self.kind {
            Kind::Heap => return core::ptr::null_mut(),
            Kind::Ref => REF - offset_of!(Ref, src),
            #[cfg(feature = "arena")]
            Kind::Arena => ARENA_CELL - offset_of!(ArenaCell, src),
            _ => NODE - offset_of!(Node, src),
        };
        // SAFETY: [caller] the header is readable, and of this kind.
        unsafe { *self.data.sub(offset).cast() }
    }
}

/// The header of a counted cell (`kmref` in C).
/// Exhaustive: C code relies on the layout.
#[derive(Debug)]
#[repr(C)]
pub struct Ref {
    /// The prefix.
    pub cell: Cell,
    /// The number of references.
    pub refs: AtomicUsize,
    /// The source; null means the heap.
    pub src: *mut Cell,
}

/// The header of a tree node (`kmnode` in C), one cache line.
/// Exhaustive: C code relies on the layout.
#[derive(Debug)]
#[repr(C)]
pub struct Node {
    /// The prefix.
    pub cell: Cell,
    /// The parent; null for a root.
    pub parent: *mut Node,
    /// The first child, or null.
    pub child: *mut Node,
    /// The last child, the first pool if there are pools below the node, or null.
    pub lastchild: *mut Node,
    /// The previous sibling, or null.
    pub prev: *mut Node,
    /// The next sibling, or null.
    pub next: *mut Node,
    /// The source; null means the heap.
    pub src: *mut Cell,
}

// The flags of a pool. In other cells these bits have other meanings. Only `FLAG_HOST` means the same in a pool and in a node.

/// On the first block of a pool: its source may be tainted. On a further block: the flags of the first one apply.
pub const POOL_HAS_SOURCE: u8 = 1;
/// On a block of a pool: some of its cells are tainted by themselves.
pub const POOL_HAS_SECRETS: u8 = 4;
/// The pool lies in a buffer of the caller, so its memory is not freed.
pub const POOL_IN_BUFFER: u8 = 8;
/// When the pool is full, it allocates another block from its source.
pub const POOL_GROWS: u8 = 16;
/// The pool has a destructor for its cells.
pub const POOL_HAS_DTOR: u8 = 32;
/// On the first block of a pool: the destructor of one of its cells is running.
pub const POOL_IN_DTOR: u8 = 64;
/// With [`POOL_HAS_SOURCE`]: more cells than the source itself may be tainted, such as the source of the source.
pub const POOL_HAS_CHAIN: u8 = 128;

/// The header of a pool (`kmpool` in C). The fields that are not public belong to the engine.
#[derive(Debug)]
#[repr(C)]
pub struct Pool {
    /// The prefix. Its `shred` mark applies to every cell of the pool.
    pub cell: Cell,
    /// Data bytes of each cell.
    pub cellsz: usize,
    /// The cell that was allocated last, or null.
    pub top: *mut PoolCell,
    /// The head of the free list: the cell that was freed last, or null.
    pub bottom: *mut PoolCell,
    /// The source; null means the heap or a buffer.
    pub src: *mut Cell,
    /// The first cell.
    pub(crate) first: *mut PoolCell,
    /// Bytes from one cell to the next.
    pub(crate) stride: usize,
    /// Multiplicative inverse of the odd part of `stride`, see [`Pool::index`].
    pub(crate) inverse: usize,
    /// Trailing zeros of `stride`.
    pub(crate) shift: u8,
    /// The seal of the name, see [`seal`].
    pub(crate) named: [u8; 3],
    /// The seal of the header, see [`seal`].
    pub(crate) seal: u32,
    /// Cells below this index have been allocated at least once, and have a header.
    pub(crate) high_water: usize,
    /// Cells in this block, see [`Pool::cells`]. In the first block of a pool that gave blocks back: the peak number of live
    /// cells until then, negated. All cells of the first block have been used then.
    pub(crate) cells: usize,
    /// The fields that only the first block has, or only a further one.
    pub(crate) part: Part,
    /// The first block of the pool that this block belongs to; itself unless the pool has grown.
    pub(crate) head: *mut Pool,
    /// The next block of a growing pool, or null. For the order of the blocks see `pool/blocks.rs`.
    pub(crate) next: *mut Pool,
    /// The block that cells are allocated from. A further block names itself.
    pub(crate) current: *mut Pool,
    /// The first group with parked cells, or null.
    pub(crate) parked: *mut Group,
    /// The name, or null.
    pub(crate) name: *const c_char,
    /// The number of live cells above the threshold of the block, see `pool/blocks.rs`.
    pub(crate) slack: usize,
}

/// The fields of the first block of a pool that its further blocks do not have, and those that only these have.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) union Part {
    /// In the first block: the destructor that runs on each cell that is freed.
    pub(crate) drop: SealedDtor,
    /// In a further block.
    pub(crate) further: Further,
}

impl core::fmt::Debug for Part {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Part").finish_non_exhaustive()
    }
}

/// The threshold of a block that need not be looked at: no block has so many cells.
#[cfg(feature = "pool")]
pub(crate) const NEVER: usize = 1 << (usize::BITS - 1);

/// The part of a further block of a growing pool.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Further {
    /// The previous block.
    pub(crate) prev: *mut Pool,
    /// The number of live cells at which the block is looked at.
    pub(crate) threshold: usize,
}

/// 64 neighbouring cells. The groups of a pool lie between its header and its first cell. A group is written when its first cell is
/// allocated.
#[derive(Debug)]
#[repr(C, align(8))]
pub(crate) struct Group {
    /// One bit for each cell that is free but not on the free list: a parked cell.
    pub(crate) free: u64,
    /// The next group with parked cells, or null.
    pub(crate) next: *mut Group,
}

/// The header of a cell in a pool (`kmpoolcell` in C).
/// Exhaustive: C code relies on the layout.
#[derive(Debug)]
#[repr(C)]
pub struct PoolCell {
    /// In a live cell, the cell allocated before it. In a free cell, the next one on the free list.
    pub last: *mut PoolCell,
    /// The pool, or the block of a growing pool, that the cell belongs to. The low bits are tags: `FREE`, `DYING`, `TAINTED`.
    pub pool: *mut Pool,
    /// The seal of `pool`: on 32-bit machines any word may be an address. See [`seal`].
    #[cfg(target_pointer_width = "32")]
    seal: usize,
    #[cfg(target_pointer_width = "32")]
    spare: core::mem::MaybeUninit<usize>,
}

/// The header of an arena's object (`kmarenacell` in C).
/// Exhaustive: C code relies on the layout.
#[cfg(feature = "arena")]
#[derive(Debug)]
#[repr(C)]
pub struct ArenaCell {
    /// The prefix.
    pub cell: Cell,
    pub(crate) spare: core::mem::MaybeUninit<usize>,
    /// The arena, or a watch on the object, which is allocated from the arena.
    pub src: *mut Cell,
}

#[cfg(feature = "arena")]
impl ArenaCell {
    pub(crate) fn of(data: *mut u8) -> *mut ArenaCell {
        prefix(data, ARENA_CELL).cast()
    }
}

#[cfg(feature = "pool")]
impl PoolCell {
    pub(crate) fn of(data: *mut u8) -> *mut PoolCell {
        data.wrapping_sub(POOL_CELL).cast()
    }

    pub(crate) fn data(this: *mut PoolCell) -> *mut u8 {
        this.cast::<u8>().wrapping_add(POOL_CELL)
    }

    /// Writes the address of the block that the cell belongs to, with or without tags.
    /// Safety: `this` is the header of a cell of this block, and the caller's.
    #[inline(always)]
    pub(crate) unsafe fn name(this: *mut PoolCell, named: *mut Pool) {
        // SAFETY: [caller] the contract is the caller's.
        unsafe {
            (*this).pool = named;
            #[cfg(target_pointer_width = "32")]
            {
                (*this).seal = seal::of_pool_cell(named.addr(), seal::known_key());
            }
        }
    }

    /// Adds a tag to the tags of the cell. Safety: as for [`name`](PoolCell::name).
    #[inline(always)]
    pub(crate) unsafe fn tag(this: *mut PoolCell, tag: usize) {
        // SAFETY: [caller] the contract is the caller's.
        unsafe { PoolCell::name(this, (*this).pool.map_addr(|addr| addr | tag)) }
    }

    /// Returns true if the block of the cell may be read. `pool` is its address without tags. The check does not read from
    /// that address.
    /// Safety: `this` is readable and aligned.
    #[inline(always)]
    pub(crate) unsafe fn may_follow(this: *mut PoolCell, pool: *mut Pool) -> bool {
        #[cfg(target_pointer_width = "32")]
        // SAFETY: [caller] the contract is the caller's.
        if unsafe { (*this).seal != seal::of_pool_cell((*this).pool.addr(), seal::key()) } {
            return false;
        }
        let _ = this;
        !seal::is_non_canonical(pool.addr())
    }
}

pub(crate) const POOL: usize = size_of::<Pool>().next_multiple_of(BASE_ALIGN);

// The tags in the low bits of `PoolCell::pool`.

/// The cell is free.
pub(crate) const FREE: usize = 1;
/// The destructor of the cell is running.
pub(crate) const DYING: usize = 2;
/// The cell is tainted by itself, whether or not its pool is.
pub(crate) const TAINTED: usize = 4;

const _: () = {
    const WORD: usize = size_of::<usize>();
    // On 32-bit machines two words behind the source are unused.
    assert!(size_of::<Ref>() == 16 + 2 * WORD && size_of::<Ref>() <= REF);
    assert!(offset_of!(Ref, refs) == 16 && offset_of!(Ref, src) == 16 + WORD);
};

#[cfg(feature = "arena")]
const _: () = {
    const WORD: usize = size_of::<usize>();
    // The source is where that of a counted cell is. On 32-bit machines two words behind it are unused.
    assert!(size_of::<ArenaCell>() == 16 + 2 * WORD && offset_of!(ArenaCell, src) == 16 + WORD);
};

const _: () = {
    const WORD: usize = size_of::<usize>();
    // On 32-bit machines six words behind the source are unused.
    assert!(size_of::<Node>() == 16 + 6 * WORD && size_of::<Node>() <= NODE);
    assert!(offset_of!(Node, parent) == 16 && offset_of!(Node, child) == 16 + WORD);
    assert!(offset_of!(Node, lastchild) == 16 + 2 * WORD && offset_of!(Node, prev) == 16 + 3 * WORD);
    assert!(offset_of!(Node, next) == 16 + 4 * WORD && offset_of!(Node, src) == 16 + 5 * WORD);
};

const _: () = {
    const WORD: usize = size_of::<usize>();
    assert!(
        size_of::<PoolCell>() == POOL_CELL
            && offset_of!(PoolCell, last) == 0
            && offset_of!(PoolCell, pool) == WORD
    );
    assert!(size_of::<Group>() == 16 && align_of::<Group>() <= BASE_ALIGN);
    assert!(offset_of!(Pool, cellsz) == 16 && offset_of!(Pool, top) == 16 + WORD);
    assert!(offset_of!(Pool, bottom) == 16 + 2 * WORD && offset_of!(Pool, src) == 16 + 3 * WORD);
    assert!(POOL == if WORD == 8 { 160 } else { 112 });
    // The prefix of a source is read before it is known to be a pool.
    assert!(align_of::<Pool>() == align_of::<Cell>());
};

#[cfg(feature = "ref")]
impl Ref {
    pub(crate) fn of(data: *mut u8) -> *mut Ref {
        prefix(data, REF).cast()
    }
}

#[cfg(feature = "tree")]
impl Node {
    pub(crate) fn of(data: *mut u8) -> *mut Node {
        prefix(data, NODE).cast()
    }

    /// Taints a node and everything below it. Safety: the node is live, and belongs to this thread.
    pub(crate) unsafe fn taint_subtree(this: *mut Node) {
        // SAFETY: [caller] the contract is the caller's.
        unsafe {
            (*this).cell.taint();
            (*this).cell.flags |= FLAG_DEEP;
        }
    }

    pub(crate) fn data(this: *mut Node) -> *mut u8 {
        this.cast::<u8>().wrapping_add(NODE)
    }

    #[inline(always)]
    pub(crate) fn at(this: *mut Node) -> CellAt {
        CellAt::new(Kind::Tree, Node::data(this))
    }
}

/// Returns the first 8 bytes of a prefix. On 32-bit machines a prefix need not be aligned for a `u64`.
/// Safety: `cell` is a readable and aligned prefix that no other thread writes to.
#[inline(always)]
pub(crate) unsafe fn prefix_word(cell: *mut Cell) -> u64 {
    #[cfg(target_pointer_width = "64")]
    // SAFETY: [caller] the prefix is readable and aligned to 8 bytes.
    unsafe {
        cell.cast::<u64>().read()
    }
    #[cfg(target_pointer_width = "32")]
    // SAFETY: [caller] the prefix is readable, and any bytes are a valid number.
    unsafe {
        core::mem::transmute::<[u32; 2], u64>(cell.cast::<[u32; 2]>().read())
    }
}

/// Returns the first 8 bytes of a prefix with these fields.
#[inline(always)]
pub(crate) const fn prefix_word_of(kind: i32, shred: u8, flags: u8, align: u8, heap: u8) -> u64 {
    let [a, b, c, d] = kind.to_ne_bytes();
    u64::from_ne_bytes([a, b, c, d, shred, flags, align, heap])
}
