//! The number of cells of a pool, and a walk over the live ones.

use core::ptr::null_mut;

use super::blocks::{self, after};
use super::cell::is_live;
use super::header::{blocks, check_pool_readable};
use crate::fault::call;
use crate::raw::layout::{Pool, PoolCell};

/// Returns the number of cells of a pool, over all its blocks.
///
/// # Safety
/// `pool` is a live pool that belongs to this thread.
#[must_use]
pub unsafe fn capacity(pool: *mut Pool) -> usize {
    // SAFETY: [blocks] the caller's pool is live, and so are its blocks.
    unsafe { blocks(pool) }.map(|block| unsafe { (*block).cells() }).sum()
}

/// Returns the peak number of live cells. This number is kept at no cost: a cell is used for the first time only if
/// all cells used before are live, so the number of cells ever used is the peak.
///
/// Cells allocated for other methods count, and so does a cell whose destructor is running.
///
/// # Safety
/// As for [`capacity`].
#[must_use]
pub unsafe fn peak(pool: *mut Pool) -> usize {
    // SAFETY: [blocks] the caller's pool is live, and so are its blocks.
    unsafe { blocks::peak((*pool).head) }
}

/// Returns the number of live cells. Visits each cell that was ever used.
///
/// # Safety
/// As for [`capacity`].
#[must_use]
pub unsafe fn live(pool: *mut Pool) -> usize {
    Walk { pool, block: pool, index: 0 }.count()
}

/// The numbers of cells of a pool, over all its blocks: see [`count`]. C: `kmpoolcount`.
///
/// Exhaustive: C code relies on this layout.
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 10);
///     pool::f(pool::a(pool));
///     let count = pool::count(pool);
///     assert_eq!((count.cells, count.live, count.peak, count.cellsz), (10, 0, 1, 8));
///     assert!(count.block >= 10 * (8 + 16));
///     pool::x(pool);
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Count {
    /// All cells: see [`capacity`].
    pub cells: usize,
    /// Live cells: see [`live`].
    pub live: usize,
    /// Peak number of live cells: see [`peak`].
    pub peak: usize,
    /// Data bytes of each cell.
    pub cellsz: usize,
    /// Bytes of all blocks, headers included.
    pub block: usize,
}

/// Counts the cells of a pool. Visits each cell that was ever used. Returns zeros for null, and after a report if
/// this is no live pool. C: `kmpoolq`.
///
/// # Safety
/// `pool` is null, or points to a pool, or to a block of one, that belongs to this thread.
#[must_use]
pub unsafe fn count(pool: *mut Pool) -> Count {
    let mut count = Count::default();
    // SAFETY: [caller, blocks] the caller's header is readable, and its contents are checked; the blocks of a live
    // pool are live.
    unsafe {
        if pool.is_null() || !check_pool_readable(call!(c"kmpoolq"), pool) {
            return count;
        }
        let head = (*pool).head;
        count.cellsz = (*head).cellsz;
        (count.live, count.peak) = (live(head), peak(head));
        for block in blocks(head) {
            count.cells += (*block).cells();
            count.block += (*block).cell.size;
        }
    }
    count
}

/// An iterator over the data of each live cell of a pool: see [`walk`].
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 10);
///     let [one, two, three] = [0; 3].map(|_| pool::a(pool));
///     pool::f(two);
///     assert!(pool::walk(pool).eq([one, three]));
///     pool::walk(pool).for_each(|cell| pool::f(cell));
///     assert_eq!(pool::live(pool), 0);
///     pool::x(pool);
/// }
/// ```
#[derive(Debug)]
pub struct Walk {
    /// The pool; null for a walk over nothing.
    pool: *mut Pool,
    /// The current block, which may have been given back to its source since; null at the end.
    block: *mut Pool,
    /// The index of the next cell to visit.
    index: usize,
}

impl Iterator for Walk {
    type Item = *mut u8;

    fn next(&mut self) -> Option<*mut u8> {
        while !self.block.is_null() {
            let block = self.block;
            // SAFETY: [caller, blocks, high_water] the caller of `walk` keeps the pool live; used cells have a header. A block is read
            // only if it is still one of the pool's.
            unsafe {
                if block == self.pool || blocks(self.pool).any(|other| other == block) {
                    while self.index < (*block).high_water {
                        let cell = (*block).first.byte_add(self.index * (*block).stride);
                        self.index += 1;
                        if is_live(cell, block) {
                            return Some(PoolCell::data(cell));
                        }
                    }
                }
                // The order of the list may change between steps, but that of the addresses does not.
                let before = if block == self.pool { 0 } else { block.addr() };
                self.block = after(self.pool, before);
                self.index = 0;
            }
        }
        None
    }
}

impl core::iter::FusedIterator for Walk {}

/// Visits the live cells of a pool, those of the first block first, and otherwise in the order of their addresses; also cells allocated for
/// other methods. Visits nothing for null, and after a report if this is no live pool. C: `kmpooln`.
///
/// Between steps cells may be allocated and freed, including the current one. The walk may visit such cells or not.
///
/// # Safety
/// `pool` is null, or points to a pool, or to a block of one, that belongs to this thread and is live while the walk is used.
pub unsafe fn walk(pool: *mut Pool) -> Walk {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { walk_after(pool, null_mut()) }
}

/// The rest of a [`walk`] after a cell that it visited; the whole walk if `after` is null. So C
/// code keeps only the last cell between steps.
///
/// # Safety
/// As for [`walk`]. `after` is null or the data of a cell of this pool, live or free, also one whose block is no longer the pool's.
pub unsafe fn walk_after(pool: *mut Pool, after: *mut u8) -> Walk {
    // SAFETY: [caller, tag, blocks] the caller's headers are readable; that of a cell names its block, live or free.
    unsafe {
        if pool.is_null() || !check_pool_readable(call!(c"kmpooln"), pool) {
            return Walk { pool: null_mut(), block: null_mut(), index: 0 };
        }
        let pool = (*pool).head;
        if after.is_null() {
            return Walk { pool, block: pool, index: 0 };
        }
        // The block of the cell may have been given back since, so the cell is not read.
        let is_within = |block: &*mut Pool| after.addr().wrapping_sub(block.addr()) < (**block).cell.size;
        match blocks(pool).find(is_within) {
            // The index of an address that is no cell of the block is above all others.
            Some(block) => Walk { pool, block, index: (*block).index(PoolCell::of(after)).saturating_add(1) },
            None => Walk { pool, block: blocks::after(pool, after.addr()), index: 0 },
        }
    }
}
