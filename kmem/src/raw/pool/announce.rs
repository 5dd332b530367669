//! Announcements to tools about pools: which cells are in use.
//!
//! To a tool a pool is one block of `malloc`, all of whose bytes may be used. kmem announces which cells are live. Then the tool
//! reports a use of any other byte as a use of freed memory.
//!
//! | bytes | AddressSanitizer | MemorySanitizer | valgrind |
//! |---|---|---|---|
//! | the pool's header | accessible | defined | accessible |
//! | a cell never used, with its header | poisoned | undefined | no access |
//! | the header of a cell that was ever used | accessible | defined | accessible |
//! | the data of a live cell | accessible | undefined until written | an undefined block of a mempool |
//! | the data of a freed cell | poisoned | undefined | no access, a freed block of a mempool |
//! | between a cell's data and the next header | poisoned | undefined | no access |
//!
//! The engine reads and writes headers of free cells, so those stay accessible.

use crate::raw::layout::{POOL_CELL as HEADER, Pool};
use crate::raw::sanitizer::{asan, changed, msan, tsan};

/// Bytes behind each cell of a pool on the heap that nobody may use. So a tool detects a write past the end of a cell. Without
/// them, such a write would reach the next header if the cell size is a multiple of 16. Pools in buffers and from other sources
/// have no such bytes, because their callers computed the size.
pub(crate) const RED_ZONE: usize = if cfg!(any(kmem_asan, kmem_valgrind)) { 16 } else { 0 };

/// Announces that a pool will be made at `pool`, with its cells in the `len` bytes from `cells`. Removes the marks of an earlier
/// pool in the same buffer that was never destroyed.
#[inline(always)]
pub(crate) fn pool_reserved(pool: *mut Pool, cells: *mut u8, len: usize) {
    let header = cells.addr().wrapping_sub(pool.addr());
    asan::unpoison(pool.cast(), header);
    asan::poison(cells, len);
    msan::defined(pool.cast(), header);
    msan::undefined(cells, len);
    valgrind::forget_pool(pool);
    valgrind::undefined(pool.cast(), header);
}

/// Announces that the header of the pool is written. `behind` bytes lie between a cell's data and the next header.
#[inline(always)]
pub(crate) fn pool_made(pool: *mut Pool, cells: *mut u8, len: usize, behind: usize) {
    valgrind::make_pool(pool, cells, behind);
    valgrind::no_access(cells, len);
}

/// Announces that a cell with `size` bytes of data is allocated. Its header will be written next.
#[inline(always)]
pub(crate) fn handed_out(pool: *mut Pool, cell: *mut u8, size: usize) {
    let data = cell.wrapping_add(HEADER);
    asan::unpoison(cell, HEADER + size);
    msan::defined(cell, HEADER);
    msan::undefined(data, size);
    changed(pool);
    tsan::written(data, size);
    // In this order: valgrind makes the bytes around a new block of a mempool inaccessible.
    valgrind::allocated(pool, data, size);
    valgrind::undefined(cell, HEADER);
}

/// Announces that only the first `size` of a live cell's `whole` bytes may be used.
#[inline(always)]
pub(crate) fn narrowed(data: *mut u8, size: usize, whole: usize) {
    asan::poison(data.wrapping_add(size), whole.wrapping_sub(size));
    valgrind::resized(data, size);
    valgrind::no_access(data.wrapping_add(size), whole.wrapping_sub(size));
}

/// Announces that the first `to` of a live cell's `whole` bytes may be used, instead of the first `from`.
#[inline(always)]
pub(crate) fn resized(data: *mut u8, from: usize, to: usize, whole: usize) {
    asan::unpoison(data, to);
    asan::poison(data.wrapping_add(to), whole.wrapping_sub(to));
    msan::undefined(data.wrapping_add(from.min(to)), whole.wrapping_sub(from.min(to)));
    valgrind::resized(data, to);
    valgrind::undefined(data.wrapping_add(from), to.saturating_sub(from));
    valgrind::no_access(data.wrapping_add(to), whole.wrapping_sub(to));
}

/// Announces that all data of a cell will be zeroed.
#[inline(always)]
pub(crate) fn widened(data: *mut u8, whole: usize) {
    asan::unpoison(data, whole);
    valgrind::undefined(data, whole);
}

/// Announces that a cell is freed and its header written. The next header follows `len` bytes after the start of the data.
#[inline(always)]
pub(crate) fn given_back(pool: *mut Pool, data: *mut u8, len: usize) {
    asan::poison(data, len);
    msan::undefined(data, len);
    changed(pool);
    tsan::written(data, len);
    valgrind::freed(pool, data);
    valgrind::defined(data.wrapping_sub(HEADER), HEADER);
    valgrind::no_access(data, len);
}

/// Announces that the pool is destroyed: its block belongs to its source again.
#[inline(always)]
pub(crate) fn pool_gone(pool: *mut Pool, cells: *mut u8, len: usize) {
    asan::unpoison(cells, len);
    valgrind::destroy_pool(pool);
    // The source, or the owner of the buffer, may read the bytes that the cells contained.
    let behind = pool.wrapping_add(1).cast::<u8>();
    let to_the_end = cells.addr().wrapping_sub(behind.addr()) + len;
    msan::defined(behind, to_the_end);
    valgrind::defined(behind, to_the_end);
}

#[cfg(kmem_valgrind)]
mod valgrind {
    //! The announcements to valgrind, by client requests.

    use crabgrind::valgrind as request;

    use crate::cell::{Cell, FLAG_HOST, Kind};
    #[cfg(feature = "tree")]
    use crate::raw::layout::{self, Node};
    use crate::raw::layout::{POOL_CELL, POOL_IN_BUFFER, Pool, PoolCell};
    use crate::raw::sanitizer::SPARE;
    pub(super) use crate::raw::sanitizer::valgrind::{defined, no_access, undefined};

    pub(super) fn allocated(pool: *mut Pool, data: *mut u8, size: usize) {
        request::mempool_alloc(pool.cast(), data.cast(), size);
    }

    pub(super) fn resized(data: *mut u8, size: usize) {
        // SAFETY: [caller, tag] this is the data of a live cell.
        let pool = unsafe { (*PoolCell::of(data)).pool };
        request::mempool_change(pool.cast(), data.cast(), data.cast(), size);
    }

    pub(super) fn freed(pool: *mut Pool, data: *mut u8) {
        request::mempool_free(pool.cast(), data.cast());
    }

    /// valgrind ends the program if a pool is made twice.
    pub(super) fn forget_pool(pool: *mut Pool) {
        if request::mempool_exists(pool.cast()) {
            request::mempool_destroy(pool.cast());
        }
    }

    /// valgrind describes an address in the `behind` bytes between a cell's data and the next header as one next to
    /// the cell. It makes that many bytes inaccessible on either side of each cell that is allocated or freed.
    pub(super) fn make_pool(pool: *mut Pool, cells: *mut u8, behind: usize) {
        request::create_mempool(pool.cast(), behind.min(POOL_CELL), false, None);
        if let Some(block) = OuterBlock::of(pool) {
            block.resize(block.whole, block.header);
            let groups = pool.wrapping_add(1).cast();
            undefined(groups, cells.addr() - groups.addr());
        }
    }

    pub(super) fn destroy_pool(pool: *mut Pool) {
        request::mempool_destroy(pool.cast());
        if let Some(block) = OuterBlock::of(pool) {
            block.resize(block.header, block.whole);
        }
    }

    /// The block of a pool as valgrind knows it.
    ///
    /// While the pool lives, kmem announces to valgrind that the block ends with the pool's header. Otherwise valgrind would
    /// describe an address in a freed cell as one in this block. Also, its leak check does not support blocks within blocks.
    struct OuterBlock {
        src: *mut Cell,
        base: *mut u8,
        /// Bytes from the base to the end of the pool's header.
        header: usize,
        /// All bytes.
        whole: usize,
    }

    impl OuterBlock {
        fn of(pool: *mut Pool) -> Option<OuterBlock> {
            // SAFETY: [caller, hosted] the pool is written and not freed; with `FLAG_HOST` it is the data of a node.
            unsafe {
                let at = |src, offset| OuterBlock {
                    src,
                    base: pool.cast::<u8>().wrapping_sub(offset),
                    header: offset + size_of::<Pool>(),
                    whole: offset + (*pool).cell.size + if src.is_null() { SPARE } else { 0 },
                };
                match (*pool).cell.flags & (POOL_IN_BUFFER | FLAG_HOST) {
                    0 => Some(at((*pool).src, 0)),
                    #[cfg(feature = "tree")]
                    FLAG_HOST => {
                        let node = Node::of(pool.cast());
                        Some(at((*node).src, layout::NODE.max(1 << (*node).cell.align)))
                    }
                    _ => None,
                }
            }
        }

        fn resize(&self, from: usize, to: usize) {
            // SAFETY: [outlives] the source of a pool outlives it.
            let pool = !self.src.is_null() && unsafe { (*self.src).kind } == Kind::Pool as i32;
            // Without error reports: valgrind may not know the block, because the global allocator or a custom source need not use
            // `malloc`.
            request::disable_error_reporting();
            if pool {
                request::mempool_change(self.src.cast(), self.base.cast(), self.base.cast(), to);
            } else {
                request::resizeinplace_block(self.base.cast(), from, to, 0);
            }
            request::enable_error_reporting();
        }
    }
}

#[cfg(not(kmem_valgrind))]
mod valgrind {
    use crate::raw::layout::Pool;
    pub(super) use crate::raw::sanitizer::valgrind::{defined, no_access, undefined};

    nothing! {
        allocated(*mut Pool, *mut u8, usize)
        resized(*mut u8, usize)
        freed(*mut Pool, *mut u8)
        forget_pool(*mut Pool)
        make_pool(*mut Pool, *mut u8, usize)
        destroy_pool(*mut Pool)
    }
}
