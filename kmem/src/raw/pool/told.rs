//! What the tools are told about pools: which cells are in use.
//!
//! A pool is one block of `malloc` to a tool, in which every byte may be used at any time. Told which cells are live, it reports a use of
//! any other byte as it does for freed memory.
//!
//! | bytes | AddressSanitizer | MemorySanitizer | valgrind |
//! |---|---|---|---|
//! | the pool's header | accessible | defined | accessible |
//! | a cell never handed out, with its header | poisoned | undefined | no access |
//! | the header of a cell that was handed out | accessible | defined | accessible |
//! | the data of a live cell | accessible | undefined until written | an undefined block of a mempool |
//! | the data of a freed cell | poisoned | undefined | no access, a freed block of a mempool |
//! | what lies between a cell's data and the next header | poisoned | undefined | no access |
//!
//! The engine reads and writes headers of free cells, so those stay accessible.

use crate::raw::layout::{POOL_CELL as HEADER, Pool};
use crate::raw::sanitizer::{asan, changed, msan, tsan};

/// Bytes that nobody may use behind each cell of a pool on the heap, so that a write past a cell whose size is a multiple of
/// 16 does not reach the next header unseen. Pools in buffers, and in cells of other sources, go without: their callers
/// have counted the bytes.
pub(crate) const RED_ZONE: usize = if cfg!(any(kmem_asan, kmem_valgrind)) { 16 } else { 0 };

/// A pool is about to be written at `pool`, whose cells are the `len` bytes from `cells`. What an earlier pool that was
/// never torn down left marked in a buffer is forgotten.
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

/// The pool is written.
#[inline(always)]
pub(crate) fn pool_made(pool: *mut Pool, cells: *mut u8, len: usize, behind: usize) {
    valgrind::make_pool(pool, cells, behind);
    valgrind::no_access(cells, len);
}

/// The `size` bytes of data of a cell are someone's; its header is about to be written.
#[inline(always)]
pub(crate) fn handed_out(pool: *mut Pool, cell: *mut u8, size: usize) {
    let data = cell.wrapping_add(HEADER);
    asan::unpoison(cell, HEADER + size);
    msan::defined(cell, HEADER);
    msan::undefined(data, size);
    changed(pool);
    tsan::written(data, size);
    // In this order: a new block of a mempool has its surroundings made inaccessible.
    valgrind::allocated(pool, data, size);
    valgrind::undefined(cell, HEADER);
}

/// Of a live cell's `whole` bytes only the first `size` may be used.
#[inline(always)]
pub(crate) fn narrowed(data: *mut u8, size: usize, whole: usize) {
    asan::poison(data.wrapping_add(size), whole.wrapping_sub(size));
    valgrind::resized(data, size);
    valgrind::no_access(data.wrapping_add(size), whole.wrapping_sub(size));
}

/// Of a live cell's `whole` bytes the first `to` may be used now, and not the first `from`.
#[inline(always)]
pub(crate) fn resized(data: *mut u8, from: usize, to: usize, whole: usize) {
    asan::unpoison(data, to);
    asan::poison(data.wrapping_add(to), whole.wrapping_sub(to));
    msan::undefined(data.wrapping_add(from.min(to)), whole.wrapping_sub(from.min(to)));
    valgrind::resized(data, to);
    valgrind::undefined(data.wrapping_add(from), to.saturating_sub(from));
    valgrind::no_access(data.wrapping_add(to), whole.wrapping_sub(to));
}

/// All of a cell's data is about to be zeroed.
#[inline(always)]
pub(crate) fn widened(data: *mut u8, whole: usize) {
    asan::unpoison(data, whole);
    valgrind::undefined(data, whole);
}

/// A cell is free and its header written; `len` bytes lie between that and the next header.
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

/// No cell is used any more: the block is its source's again.
#[inline(always)]
pub(crate) fn pool_gone(pool: *mut Pool, cells: *mut u8, len: usize) {
    asan::unpoison(cells, len);
    valgrind::destroy_pool(pool);
    // What they held is for the owner of a buffer, or the source, to know.
    let behind = pool.wrapping_add(1).cast::<u8>();
    let to_the_end = cells.addr().wrapping_sub(behind.addr()) + len;
    msan::defined(behind, to_the_end);
    valgrind::defined(behind, to_the_end);
}

#[cfg(kmem_valgrind)]
mod valgrind {
    //! By client requests.

    use crabgrind::valgrind as request;

    use crate::cell::{Cell, FLAG_BUFFER, FLAG_HOST, Kind};
    #[cfg(feature = "tree")]
    use crate::raw::layout::{self, Node};
    use crate::raw::layout::{POOL_CELL, Pool, PoolCell};
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

    /// valgrind ends the program where a pool is made twice.
    pub(super) fn forget_pool(pool: *mut Pool) {
        if request::mempool_exists(pool.cast()) {
            request::mempool_destroy(pool.cast());
        }
    }

    /// Of the `behind` bytes between a cell's data and the next header valgrind says that they lie next to the cell. It makes
    /// as many inaccessible on either side of each cell that is handed out or given back.
    pub(super) fn make_pool(pool: *mut Pool, cells: *mut u8, behind: usize) {
        request::create_mempool(pool.cast(), behind.min(POOL_CELL), false, None);
        if let Some(block) = Around::of(pool) {
            block.resize(block.whole, block.header);
            let groups = pool.wrapping_add(1).cast();
            undefined(groups, cells.addr() - groups.addr());
        }
    }

    pub(super) fn destroy_pool(pool: *mut Pool) {
        request::mempool_destroy(pool.cast());
        if let Some(block) = Around::of(pool) {
            block.resize(block.header, block.whole);
        }
    }

    /// The block around a pool as valgrind knows it.
    ///
    /// While the pool lives it is said to end with the pool's header. An address in a freed cell would otherwise be
    /// described as one in this block or, in the first cell, as one close to it; and the leak check gives up where one
    /// block lies in another.
    struct Around {
        src: *mut Cell,
        base: *mut u8,
        /// Bytes from its base to the end of the pool's header.
        header: usize,
        /// All of its bytes.
        whole: usize,
    }

    impl Around {
        fn of(pool: *mut Pool) -> Option<Around> {
            // SAFETY: [caller, hosted] the pool has been written and is not given back yet; one with this flag is the data of a node.
            unsafe {
                let at = |src, offset| Around {
                    src,
                    base: pool.cast::<u8>().wrapping_sub(offset),
                    header: offset + size_of::<Pool>(),
                    whole: offset + (*pool).cell.size + if src.is_null() { SPARE } else { 0 },
                };
                match (*pool).cell.flags & (FLAG_BUFFER | FLAG_HOST) {
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
            // Without a word where this is no block that valgrind knows: the heap beneath, or a source of the program's, may
            // be something else than `malloc`.
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
