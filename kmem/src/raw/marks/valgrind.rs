//! What valgrind is told, by client requests.

use crabgrind::memcheck::{MemState, mark_memory};
use crabgrind::valgrind as request;

use super::{HEADER, Pool};
use crate::cell::{Cell, FLAG_BUFFER, FLAG_HOST, Kind};
use crate::raw::pool::header;
#[cfg(feature = "tree")]
use crate::raw::tree;

pub(super) fn no_access(from: *mut u8, len: usize) {
    mark(from, len, MemState::NoAccess);
}

pub(super) fn undefined(from: *mut u8, len: usize) {
    mark(from, len, MemState::Undefined);
}

pub(super) fn defined(from: *mut u8, len: usize) {
    mark(from, len, MemState::Defined);
}

fn mark(from: *mut u8, len: usize, state: MemState) {
    // It fails where the program does not run under valgrind, which is as good.
    let _ = mark_memory(from.cast(), len, state);
}

pub(super) fn allocated(pool: *mut Pool, data: *mut u8, size: usize) {
    request::mempool_alloc(pool.cast(), data.cast(), size);
}

pub(super) fn resized(data: *mut u8, size: usize) {
    // SAFETY: [caller, tag] this is the data of a live cell.
    let pool = unsafe { (*header(data)).pool };
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
    request::create_mempool(pool.cast(), behind.min(HEADER), false, None);
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
                whole: offset + (*pool).cell.size,
            };
            match (*pool).cell.flags & (FLAG_BUFFER | FLAG_HOST) {
                0 => Some(at((*pool).src, 0)),
                #[cfg(feature = "tree")]
                FLAG_HOST => {
                    let node = tree::header(pool.cast());
                    Some(at((*node).src, tree::HEADER.max(1 << (*node).cell.align)))
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
