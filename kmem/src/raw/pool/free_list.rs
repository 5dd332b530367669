//! The free cells of one block: allocated, freed, parked.
//!
//! Cells are used from the front of the block on, so making a pool writes its header alone.
//!
//! The cell that was freed last is allocated first. A single free list does that, and nothing is faster for a cell that is freed
//! and allocated again at once. But after many frees in random order, neighbours on such a list lie far apart in the block, and
//! each allocation waits for a cache miss and a TLB miss. So the list keeps only cells that lie close together. If a cell is freed
//! far from the head of the list, that head is *parked*: taken off the list, and marked by a bit in its group of 64 neighbours. If
//! the list is empty, parked cells are allocated group by group in the order of their addresses, without reading their headers.

use core::ptr::{NonNull, null_mut};

use super::plan::GROUP;
use crate::fault::{self, Misuse, call};
use crate::raw::layout::{FREE, Group, POOL, POOL_CELL as HEADER, Pool, PoolCell};
use crate::raw::pool::announce;

/// Cells at most this many bytes apart may be neighbours on the free list. These are a few pages, which the TLB and the prefetcher
/// hold.
const NEAR: usize = 16 << 10;

/// Pops the head of the free list, or returns null if the list is empty or its head is not a free cell.
#[inline(always)]
pub(crate) unsafe fn pop(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [free-list, one-thread] the caller's pool is live; the head of its free list is a free cell.
    unsafe {
        let cell = (*pool).bottom;
        // A write into a free cell can lead the list to memory outside the pool that looks like a free cell.
        if cell.is_null()
            || (*pool).index(cell) >= (*pool).high_water
            || (*cell).pool.addr() != pool.addr() | FREE
        {
            return null_mut();
        }
        (*pool).bottom = (*cell).last;
        cell
    }
}

/// Returns a parked cell of this block, or null. Called only after [`pop`] returned null.
#[inline]
pub(crate) unsafe fn pop_parked(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [free-list] the caller gives a live pool on its own thread. A bit in a group stands for a free cell.
    unsafe {
        if !(*pool).bottom.is_null() {
            lose_list(pool);
        }
        let group = (*pool).parked;
        if group.is_null() {
            return null_mut();
        }
        let free = (*group).free;
        (*group).free = free & (free - 1);
        if free & (free - 1) == 0 {
            (*pool).parked = (*group).next;
        }
        let at = (group.addr() - groups(pool).addr()) / size_of::<Group>();
        let cell = (*pool).first.byte_add((at * GROUP + free.trailing_zeros() as usize) * (*pool).stride);
        core::hint::assert_unchecked(!cell.is_null());
        cell
    }
}

/// Reports that the free list of a block is corrupt. The pool loses the cells on it.
#[cold]
#[inline(never)]
unsafe fn lose_list(pool: *mut Pool) {
    // SAFETY: [caller] the caller's block is live.
    unsafe {
        fault::report(call!(c"kmpoola"), PoolCell::data((*pool).bottom), Misuse::Damaged);
        (*pool).bottom = null_mut();
    }
}

/// Returns a cell of this block that was never used, or null. Called only if no cell of the pool is free, so that
/// `high_water` is the peak number of live cells.
#[inline]
pub(crate) unsafe fn pop_fresh(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [high_water] the caller's pool is live; the next unused cell and its group lie inside the block.
    unsafe {
        let index = (*pool).high_water;
        // A negative number of cells says that all were used.
        if index as isize >= (*pool).cells as isize {
            return null_mut();
        }
        if index % GROUP == 0 {
            groups(pool).add(index / GROUP).write(Group { free: 0, next: null_mut() });
        }
        (*pool).high_water = index + 1;
        let cell = (*pool).first.byte_add(index * (*pool).stride);
        core::hint::assert_unchecked(!cell.is_null());
        cell
    }
}

/// Returns a free cell of this block, from the list or parked, or null.
#[inline]
pub(crate) unsafe fn pop_free(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let cell = pop(pool);
        if cell.is_null() { pop_parked(pool) } else { cell }
    }
}

/// Marks a cell that is not on the list and not parked as live. Returns its data.
#[inline]
pub(crate) unsafe fn hand_out(block: *mut Pool, cell: *mut PoolCell) -> NonNull<u8> {
    // SAFETY: [tag] the caller gives a cell of this live pool, which is this thread's.
    unsafe {
        announce::handed_out(block, cell.cast(), (*block).cellsz);
        (*cell).last = (*block).top;
        PoolCell::name(cell, block);
        (*block).top = cell;
        (*block).slack = (*block).slack.wrapping_add(1);
        NonNull::new_unchecked(PoolCell::data(cell))
    }
}

/// Returns the groups of a pool.
pub(crate) fn groups(pool: *mut Pool) -> *mut Group {
    pool.cast::<u8>().wrapping_add(POOL).cast()
}

/// Parks the cell at the head of the free list, then the next ones while they lie far from `near`.
///
/// Parks at most 16 cells in one call, to bound the time of a free. Each free puts one cell on the list, and that cell is parked at
/// most once.
#[inline]
pub(crate) unsafe fn park(pool: *mut Pool, near: *mut PoolCell) {
    const MOST: usize = 16;
    // SAFETY: [free-list] the contract is the caller's, and each cell of the list leads to the next.
    unsafe {
        let mut cell = (*pool).bottom;
        for _ in 0..MOST {
            cell = park_one(pool, cell);
            if cell.is_null() || !is_far(near, cell) {
                break;
            }
        }
        (*pool).bottom = cell;
    }
}

/// Returns true if two cells are too far apart to be neighbours on the free list.
#[inline]
fn is_far(one: *mut PoolCell, other: *mut PoolCell) -> bool {
    one.addr().wrapping_sub(other.addr()).wrapping_add(NEAR) > 2 * NEAR
}

/// Parks the head of the free list and returns the next cell on the list, or null after a report if the head is corrupt.
#[inline]
unsafe fn park_one(pool: *mut Pool, cell: *mut PoolCell) -> *mut PoolCell {
    // SAFETY: [free-list, high_water] the caller gives the head of the free list; the group of a used cell is written.
    unsafe {
        let index = (*pool).index(cell);
        if index >= (*pool).high_water || (*cell).pool.addr() != pool.addr() | FREE {
            fault::report(call!(c"kmpoolf"), PoolCell::data(cell), Misuse::Damaged);
            return null_mut();
        }
        let group = groups(pool).add(index / GROUP);
        if (*group).free == 0 {
            // Insert behind the first group: cells are allocated from that one until it is empty.
            let first = (*pool).parked;
            if first.is_null() {
                (*group).next = null_mut();
                (*pool).parked = group;
            } else {
                (*group).next = (*first).next;
                (*first).next = group;
            }
        }
        (*group).free |= 1 << (index % GROUP);
        (*cell).last
    }
}

/// Returns true if a cell may be pushed onto the free list as it is. Otherwise the list must be [`park`]ed first.
#[inline(always)]
pub(crate) unsafe fn is_near(pool: *mut Pool, cell: *mut PoolCell) -> bool {
    // SAFETY: [caller] the caller's block is live.
    let below = unsafe { (*pool).bottom };
    below.is_null() || !is_far(cell, below)
}

/// Pushes a cell onto the free list. Returns true if the number of live cells of the block is at its threshold now.
#[inline(always)]
pub(crate) unsafe fn put(pool: *mut Pool, cell: *mut PoolCell) -> bool {
    // SAFETY: [free-list, one-thread] the caller gives a cell of this pool that nobody uses any more.
    unsafe {
        (*cell).last = (*pool).bottom;
        PoolCell::name(cell, pool.map_addr(|addr| addr | FREE));
        (*pool).bottom = cell;
        announce::given_back(pool, PoolCell::data(cell), (*pool).stride - HEADER);
        (*pool).slack = (*pool).slack.wrapping_sub(1);
        (*pool).slack == 0
    }
}
