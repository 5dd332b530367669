//! The header of each kind of cell: its fields, its size, and the way from data to header and back.

use core::ffi::c_char;
use core::mem::offset_of;

use super::request::BASE_ALIGN;
use super::seal::{self, SealedDtor};
use crate::atomic::AtomicUsize;
use crate::cell::{Cell, FLAG_DEEP, Kind};

/// Bytes from the start of a heap cell's header to its data.
pub(crate) const HEAP: usize = 16;
/// Bytes from the start of a counted cell's header to its data.
pub(crate) const REF: usize = 32;
/// Bytes from the start of a node's header to its data.
pub(crate) const NODE: usize = 64;
/// Bytes from the start of a pool cell's header to its data.
pub(crate) const POOL_CELL: usize = 16;

/// Bytes of header of a cell of this kind, or `None` if it has no prefix of its own, or if its method is left out.
#[inline(always)]
pub(crate) const fn header(kind: Option<Kind>) -> Option<usize> {
    match kind {
        Some(Kind::Heap) if cfg!(feature = "heap") => Some(HEAP),
        Some(Kind::Ref) if cfg!(feature = "ref") => Some(REF),
        Some(Kind::Tree) if cfg!(feature = "tree") => Some(NODE),
        _ => None,
    }
}

/// Bytes of header of a cell of this kind, which has a prefix of its own.
#[inline(always)]
pub(crate) const fn header_of(kind: Kind) -> usize {
    match kind {
        Kind::Ref => REF,
        Kind::Tree => NODE,
        _ => HEAP,
    }
}

/// The source of a cell that has a prefix of its own, null for the heap.
///
/// # Safety
/// `data` is that of a readable cell of this kind.
pub(crate) unsafe fn source(kind: Option<Kind>, data: *mut u8) -> *mut Cell {
    // SAFETY: [caller] the caller's header is readable, and the kind says which it is.
    unsafe {
        match kind {
            Some(Kind::Ref) => (*prefix(data, REF).cast::<Ref>()).src,
            Some(Kind::Tree) => (*prefix(data, NODE).cast::<Node>()).src,
            _ => core::ptr::null_mut(),
        }
    }
}

/// The prefix of the cell whose data this is.
#[inline(always)]
pub(crate) fn prefix(data: *mut u8, header: usize) -> *mut Cell {
    data.wrapping_sub(header).cast()
}

/// The header of a reference-counted cell (`kmref` in C).
///
/// Exhaustive: C code relies on this layout.
///
/// ```
/// # #[cfg(target_pointer_width = "64")]
/// assert_eq!(core::mem::size_of::<kmem::raw::Ref>(), 32);
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct Ref {
    /// The prefix.
    pub cell: Cell,
    /// Active references.
    pub refs: AtomicUsize,
    /// The source, null for the heap.
    pub src: *mut Cell,
}

/// The header of a tree node (`kmnode` in C): one cache line.
///
/// Exhaustive: C code relies on this layout.
///
/// ```
/// # #[cfg(target_pointer_width = "64")]
/// assert_eq!(core::mem::size_of::<kmem::raw::Node>(), 64);
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct Node {
    /// The prefix.
    pub cell: Cell,
    /// The node above, null at a root.
    pub parent: *mut Node,
    /// The first child, or null.
    pub child: *mut Node,
    /// The last child, or null.
    pub lastchild: *mut Node,
    /// The sibling before, or null.
    pub prev: *mut Node,
    /// The sibling behind, or null.
    pub next: *mut Node,
    /// The source, null for the heap.
    pub src: *mut Cell,
}

/// The header of a pool (`kmpool` in C). Fields without documentation in C are private to the engine.
///
/// ```
/// # #[cfg(target_pointer_width = "64")]
/// assert_eq!(core::mem::size_of::<kmem::raw::Pool>() % 16, 0);
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct Pool {
    /// The prefix. Its `shred` mark is that of every cell.
    pub cell: Cell,
    /// Data bytes of each cell.
    pub cellsz: usize,
    /// The cell handed out most recently, or null.
    pub top: *mut PoolCell,
    /// The free cell that came back most recently, head of the free list, or null.
    pub bottom: *mut PoolCell,
    /// The source, null for the heap and for a caller's buffer.
    pub src: *mut Cell,
    /// The first cell.
    pub(crate) first: *mut PoolCell,
    /// Bytes from one cell to the next.
    pub(crate) stride: usize,
    /// Multiplicative inverse of the odd part of `stride`, see [`Pool::index`].
    pub(crate) inverse: usize,
    /// Trailing zeros of `stride`.
    pub(crate) shift: u32,
    /// What nobody who writes over the header of a cell can give a pool of their own, see [`seal`].
    pub(crate) seal: u32,
    /// Cells that have been handed out at least once: those before this index have a header.
    pub(crate) high_water: usize,
    /// Cells in this block.
    pub(crate) cells: usize,
    /// What runs on each cell that goes.
    pub(crate) drop: SealedDtor,
    /// The first block of the pool that this block belongs to; itself unless the pool has grown.
    pub(crate) head: *mut Pool,
    /// The next block of a growing pool.
    pub(crate) next: *mut Pool,
    /// The block of a growing pool that cells are drawn from; only the first block's is used.
    pub(crate) current: *mut Pool,
    /// The first of the groups in which cells are parked, or null.
    pub(crate) parked: *mut Group,
    /// The name, or null.
    pub(crate) name: *const c_char,
    /// The name's address under the key.
    pub(crate) named: usize,
}

/// 64 neighbouring cells. The groups of a pool lie between its header and its first cell; each is written when the first
/// of its cells is handed out.
#[derive(Debug)]
#[repr(C, align(8))]
pub(crate) struct Group {
    /// A bit for each cell that is free and not on the free list.
    pub(crate) free: u64,
    /// Where cells are parked here: the next group in which cells are, or null.
    pub(crate) next: *mut Group,
}

/// The header of a cell in a pool (`kmpoolcell` in C).
///
/// Exhaustive: C code relies on this layout.
///
/// ```
/// # #[cfg(target_pointer_width = "64")]
/// assert_eq!(core::mem::size_of::<kmem::raw::PoolCell>(), 16);
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct PoolCell {
    /// Of a live cell: the cell handed out before it. Of a free one: the next of the free list, the cell that came back
    /// before it or, where that lay far away and is parked, one that came back earlier.
    pub last: *mut PoolCell,
    /// The pool, or the block of a growing pool, that the cell belongs to. The lowest bit is set while it is free, the one above it
    /// while its destructor runs, and the third if this cell alone is zeroed when it is freed.
    pub pool: *mut Pool,
    /// What tells a `pool` that was written over, which on 32-bit machines may look like any address: see [`seal`].
    #[cfg(target_pointer_width = "32")]
    seal: usize,
    #[cfg(target_pointer_width = "32")]
    spare: core::mem::MaybeUninit<usize>,
}

#[cfg(feature = "pool")]
impl PoolCell {
    /// The header of the pool cell with this data.
    pub(crate) fn of(data: *mut u8) -> *mut PoolCell {
        data.wrapping_sub(POOL_CELL).cast()
    }

    /// The data of a pool cell.
    pub(crate) fn data(this: *mut PoolCell) -> *mut u8 {
        this.cast::<u8>().wrapping_add(POOL_CELL)
    }

    /// Has the cell name its block, with a tag or without.
    ///
    /// # Safety
    /// `this` is the header of a cell of this block, which is the caller's.
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

    /// Adds a tag to those that the cell has.
    ///
    /// # Safety
    /// As for [`name`](PoolCell::name).
    #[inline(always)]
    pub(crate) unsafe fn tag(this: *mut PoolCell, tag: usize) {
        // SAFETY: [caller] the contract is the caller's.
        unsafe { PoolCell::name(this, (*this).pool.map_addr(|addr| addr | tag)) }
    }

    /// Returns true if the block that the cell names, as `pool` without a tag, may be looked at: nobody has written over the name,
    /// as far as that shows without a look.
    ///
    /// # Safety
    /// `this` is readable and aligned.
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

/// Bytes of a pool's header.
pub(crate) const POOL: usize = size_of::<Pool>().next_multiple_of(BASE_ALIGN);

pub(crate) const FREE: usize = 1;

pub(crate) const DYING: usize = 2;

pub(crate) const TAINTED: usize = 4;

const _: () = {
    const WORD: usize = size_of::<usize>();
    // On 32-bit machines two words behind the source are unused.
    assert!(size_of::<Ref>() == 16 + 2 * WORD && size_of::<Ref>() <= REF);
    assert!(offset_of!(Ref, refs) == 16 && offset_of!(Ref, src) == 16 + WORD);
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
    // The prefix of a source is looked at before it is known to be a pool.
    assert!(align_of::<Pool>() == align_of::<Cell>());
};

#[cfg(feature = "ref")]
impl Ref {
    /// The header of the counted cell with this data.
    pub(crate) fn of(data: *mut u8) -> *mut Ref {
        prefix(data, REF).cast()
    }
}

#[cfg(feature = "tree")]
impl Node {
    /// The header of the node with this data.
    pub(crate) fn of(data: *mut u8) -> *mut Node {
        prefix(data, NODE).cast()
    }

    /// Marks a node to be zeroed with all that is below it.
    ///
    /// # Safety
    /// The node is there, and this thread's.
    pub(crate) unsafe fn taint_subtree(this: *mut Node) {
        // SAFETY: [caller] the contract is the caller's.
        unsafe {
            (*this).cell.taint();
            (*this).cell.flags |= FLAG_DEEP;
        }
    }

    /// The data of a node.
    pub(crate) fn data(this: *mut Node) -> *mut u8 {
        this.cast::<u8>().wrapping_add(NODE)
    }
}

/// The first word of a prefix, of whatever kind of cell. On 32-bit machines a prefix lies where a `u64` may not.
///
/// # Safety
/// `cell` is a readable and aligned prefix, to which no other thread writes.
#[inline(always)]
pub(crate) unsafe fn prefix_word(cell: *mut Cell) -> u64 {
    #[cfg(target_pointer_width = "64")]
    // SAFETY: [caller] the caller vouches for the prefix, which is aligned as its size is.
    unsafe {
        cell.cast::<u64>().read()
    }
    #[cfg(target_pointer_width = "32")]
    // SAFETY: [caller] the caller vouches for the prefix; any bytes are a number.
    unsafe {
        core::mem::transmute::<[u32; 2], u64>(cell.cast::<[u32; 2]>().read())
    }
}

/// What [`prefix_word`] reads of a prefix with these fields.
pub(crate) const fn prefix_word_of(kind: i32, shred: u8, flags: u8, align: u8, heap: u8) -> u64 {
    let [a, b, c, d] = kind.to_ne_bytes();
    u64::from_ne_bytes([a, b, c, d, shred, flags, align, heap])
}
