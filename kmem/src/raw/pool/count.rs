//! How many cells a pool has, and a walk over those in use.

use core::ptr::null_mut;

use super::cell::{is_live, owner_of};
use super::header::{blocks, check_pool_seen};
use crate::fault::call;
use crate::raw::layout::{Pool, PoolCell};

/// The number of cells that the pool has now, in all its blocks.
///
/// # Safety
/// `pool` is a live pool that belongs to this thread.
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 10);
///     assert_eq!((pool::capacity(pool), pool::live(pool)), (10, 0));
///     pool::x(pool);
/// }
/// ```
#[must_use]
pub unsafe fn capacity(pool: *mut Pool) -> usize {
    // SAFETY: [blocks] the caller's pool is live, and so are its blocks.
    unsafe { blocks(pool) }.map(|block| unsafe { (*block).cells }).sum()
}

/// The most cells that were ever in use at once, in all the pool's blocks. It costs nothing: a cell is handed out for the
/// first time only where every other that ever was is in use, so that their number is this one.
///
/// A cell whose destructor is running is in use. What others drew from the pool as a source counts as well.
///
/// # Safety
/// As for [`capacity`].
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 10);
///     let (one, two) = (pool::a(pool), pool::a(pool));
///     pool::f(one);
///     pool::f(two);
///     pool::a(pool);
///     assert_eq!((pool::live(pool), pool::peak(pool)), (1, 2));
///     pool::x(pool);
/// }
/// ```
#[must_use]
pub unsafe fn peak(pool: *mut Pool) -> usize {
    // SAFETY: [blocks] the caller's pool is live, and so are its blocks.
    unsafe { blocks(pool) }.map(|block| unsafe { (*block).high_water }).sum()
}

/// The number of live cells, counted by looking at each cell ever handed out.
///
/// # Safety
/// As for [`capacity`].
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 10);
///     pool::a(pool);
///     assert_eq!(pool::live(pool), 1);
///     pool::x(pool);
/// }
/// ```
#[must_use]
pub unsafe fn live(pool: *mut Pool) -> usize {
    Walk { block: pool, index: 0 }.count()
}

/// What [`count`] tells of a pool (`kmpoolcount` in C), all its blocks together.
///
/// Exhaustive: C code relies on this layout.
///
/// ```
/// assert_eq!(kmem::raw::pool::Count::default().cells, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Count {
    /// The cells that the pool has: see [`capacity`].
    pub cells: usize,
    /// Those that are in use: see [`live`].
    pub live: usize,
    /// The most that were in use at once: see [`peak`].
    pub peak: usize,
    /// Data bytes of each cell.
    pub cellsz: usize,
    /// Bytes of all blocks, headers included.
    pub block: usize,
}

/// Counts what a pool has. Takes time in proportion to the cells that were ever handed out. Of null all is zero, and of what
/// is no live pool, after a report.
///
/// # Safety
/// `pool` is null or points to a pool, or a block of one, that belongs to this thread now.
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
#[must_use]
pub unsafe fn count(pool: *mut Pool) -> Count {
    let mut count = Count::default();
    // SAFETY: [caller, blocks] the caller vouches for the header, the check for what it says, and the blocks of a live pool
    // are live.
    unsafe {
        if pool.is_null() || !check_pool_seen(call!(c"kmpoolq"), pool) {
            return count;
        }
        let head = (*pool).head;
        count.cellsz = (*head).cellsz;
        count.live = live(head);
        for block in blocks(head) {
            count.cells += (*block).cells;
            count.peak += (*block).high_water;
            count.block += (*block).cell.size;
        }
    }
    count
}

/// The data of each live cell of a pool: see [`walk`].
///
/// ```
/// # use kmem::raw::pool;
/// assert_eq!(unsafe { pool::walk(std::ptr::null_mut()) }.next(), None);
/// ```
#[derive(Debug)]
pub struct Walk {
    /// The block that it is in, null at the end.
    block: *mut Pool,
    /// The next cell of it to be looked at.
    index: usize,
}

impl Iterator for Walk {
    type Item = *mut u8;

    fn next(&mut self) -> Option<*mut u8> {
        while !self.block.is_null() {
            let block = self.block;
            // SAFETY: [caller, blocks, high_water] who began the walk says that the pool is live as long as it lasts, and its blocks
            // are too; cells below `high_water` have a header.
            unsafe {
                while self.index < (*block).high_water {
                    let cell = (*block).first.byte_add(self.index * (*block).stride);
                    self.index += 1;
                    if is_live(cell, block) {
                        return Some(PoolCell::data(cell));
                    }
                }
                self.block = (*block).next;
                self.index = 0;
            }
        }
        None
    }
}

impl core::iter::FusedIterator for Walk {}

/// Walks the live cells of a pool, block by block, those of a block in the order of their addresses. Of null there are none,
/// nor of what is no live pool, after a report.
///
/// What others drew from the pool as a source is among them. Cells may be taken and freed meanwhile, the one that was given
/// last too; whether the walk comes by what is taken or freed before it is there is not said.
///
/// # Safety
/// `pool` is null or points to a pool, or a block of one, that belongs to this thread and is live as long as the walk is
/// used.
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
pub unsafe fn walk(pool: *mut Pool) -> Walk {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { walk_after(pool, null_mut()) }
}

/// The rest of a [`walk`] behind a cell that it gave, all of it where that is null. So a walk can be kept as a pointer.
///
/// # Safety
/// As for [`walk`]. `after` is null or the data of a cell of this pool; it may have been freed meanwhile.
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 10);
///     let [one, two, three] = [0; 3].map(|_| pool::a(pool));
///     assert!(pool::walk_after(pool, one).eq([two, three]));
///     pool::x(pool);
/// }
/// ```
pub unsafe fn walk_after(pool: *mut Pool, after: *mut u8) -> Walk {
    // SAFETY: [caller, tag, blocks] the caller vouches for the headers, of which that of a cell names its block, live or free.
    unsafe {
        if pool.is_null() || !check_pool_seen(call!(c"kmpooln"), pool) {
            Walk { block: null_mut(), index: 0 }
        } else if after.is_null() {
            Walk { block: (*pool).head, index: 0 }
        } else {
            let block = owner_of(after);
            // What is no cell of the block is behind all of them.
            Walk { block, index: (*block).index(PoolCell::of(after)).saturating_add(1) }
        }
    }
}
