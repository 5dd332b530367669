//! The free cells of one block: handed out, taken back, parked.
//!
//! Cells are carved from the front of the block as they are first needed, so making a pool touches its header alone.
//!
//! Cells that came back are handed out again, the latest first. One free list would do for that, and nothing is faster
//! for a cell that is freed and needed again at once; but after many frees in random order such a list leads all over
//! the block, and each allocation waits for a cache and a TLB miss. So the list keeps only what lies together: where a
//! cell comes back far from the one before it, that one is *parked*, as a bit in its group of 64 neighbours. When the
//! list is empty parked cells are handed out group by group in the order of their addresses, without reading them.

use core::ptr::{NonNull, null_mut};

use super::plan::GROUP;
use crate::cell::FLAG_MAY_HAVE_FREE_BLOCKS;
use crate::fault::{self, Misuse, call};
use crate::raw::layout::{FREE, Group, POOL, POOL_CELL as HEADER, Pool, PoolCell};
use crate::raw::pool::told;

/// Cells that came back one after the other lie together where they are no further apart than this, in bytes: a few
/// pages, which the TLB and the prefetcher have at hand.
pub(crate) const NEAR: usize = 16 << 10;

/// Takes the head of the free list, or returns null where the list is empty or its head is not a free cell.
#[inline]
pub(crate) unsafe fn pop(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [free-list, one-thread] the caller gives a live pool on its own thread. The head of the free list is a
    // free cell of it, whose header is readable.
    unsafe {
        let cell = (*pool).bottom;
        // Who writes into a free cell can lead the list to memory of theirs, which looks like a free cell but is none.
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

/// A parked cell of this very block, or one that was never handed out, or null where there is neither. [`pop`] found
/// nothing before.
#[inline]
pub(crate) unsafe fn pop_distant(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let cell = pop_parked(pool);
        if cell.is_null() { pop_fresh(pool) } else { cell }
    }
}

/// [`pop_distant`], out of the way.
#[inline(never)]
pub(crate) unsafe fn pop_distant_cold(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { pop_distant(pool) }
}

/// A parked cell of this very block, or null. [`pop`] found nothing before.
#[inline]
pub(crate) unsafe fn pop_parked(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [free-list] the caller gives a live pool on its own thread. A bit in a group stands for a free cell of the
    // pool.
    unsafe {
        if !(*pool).bottom.is_null() {
            // The list cannot be followed any further; what was on it is lost to the pool.
            fault::report(call!(c"kmpoola"), PoolCell::data((*pool).bottom), Misuse::Damaged);
            (*pool).bottom = null_mut();
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
        (*pool).first.byte_add((at * GROUP + free.trailing_zeros() as usize) * (*pool).stride)
    }
}

/// A cell of this very block that was never handed out, or null. None of the pool's is free, so that what was ever handed
/// out is what was in use at once.
#[inline]
pub(crate) unsafe fn pop_fresh(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [high_water] the caller gives a live pool on its own thread. The next cell never handed out lies inside the
    // block, and so does its group.
    unsafe {
        let index = (*pool).high_water;
        if index >= (*pool).cells {
            return null_mut();
        }
        if index % GROUP == 0 {
            groups(pool).add(index / GROUP).write(Group { free: 0, next: null_mut() });
        }
        (*pool).high_water = index + 1;
        (*pool).first.byte_add(index * (*pool).stride)
    }
}

/// A free cell of this very block, or null.
#[inline]
pub(crate) unsafe fn pop_free(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let cell = pop(pool);
        if cell.is_null() { pop_parked(pool) } else { cell }
    }
}

/// Hands out a free cell that is on no list any more, and returns its data.
#[inline]
pub(crate) unsafe fn hand_out(block: *mut Pool, cell: *mut PoolCell) -> NonNull<u8> {
    // SAFETY: [tag] the caller gives a cell of this live pool, which is this thread's.
    unsafe {
        told::handed_out(block, cell.cast(), (*block).cellsz);
        (*cell).last = (*block).top;
        PoolCell::name(cell, block);
        (*block).top = cell;
        NonNull::new_unchecked(PoolCell::data(cell))
    }
}

/// The groups of a pool.
pub(crate) fn groups(pool: *mut Pool) -> *mut Group {
    pool.cast::<u8>().wrapping_add(POOL).cast()
}

/// Parks what lies at the head of the free list, far from `near`, and returns the rest of the list.
///
/// At most so many cells at a time as keep this a matter of some nanoseconds. That drains the list all the same: every
/// cell is put on it once, and parked once.
#[inline(never)]
pub(crate) unsafe fn park(pool: *mut Pool, near: *mut PoolCell, mut cell: *mut PoolCell) -> *mut PoolCell {
    const MOST: usize = 16;
    for _ in 0..MOST {
        // SAFETY: [free-list] the contract is the caller's, and each cell of the list leads to another one of it.
        cell = unsafe { park_one(pool, cell) };
        if cell.is_null() || !is_far(near, cell) {
            break;
        }
    }
    cell
}

/// Whether two cells are too far from each other to be neighbours on the free list.
#[inline]
pub(crate) fn is_far(one: *mut PoolCell, other: *mut PoolCell) -> bool {
    one.addr().wrapping_sub(other.addr()).wrapping_add(NEAR) > 2 * NEAR
}

/// Parks the head of the free list and returns the cell below it.
#[inline]
pub(crate) unsafe fn park_one(pool: *mut Pool, cell: *mut PoolCell) -> *mut PoolCell {
    // SAFETY: [free-list, high_water] the caller gives a live pool on its own thread and the head of its free list. A cell
    // below `high_water` has a group that has been written.
    unsafe {
        let index = (*pool).index(cell);
        if index >= (*pool).high_water || (*cell).pool.addr() != pool.addr() | FREE {
            fault::report(call!(c"kmpoolf"), PoolCell::data(cell), Misuse::Damaged);
            return null_mut();
        }
        let group = groups(pool).add(index / GROUP);
        if (*group).free == 0 {
            // Behind the group that cells are being taken from, which is left alone until it is empty.
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

/// Puts a cell at the head of the free list.
#[inline]
pub(crate) unsafe fn put(pool: *mut Pool, cell: *mut PoolCell) {
    // SAFETY: [free-list, one-thread] the caller gives a cell of this pool, which is this thread's, and which nobody
    // uses any more.
    unsafe {
        let mut below = (*pool).bottom;
        if !below.is_null() && is_far(cell, below) {
            below = park(pool, cell, below);
        }
        (*cell).last = below;
        PoolCell::name(cell, pool.map_addr(|addr| addr | FREE));
        (*pool).bottom = cell;
        told::given_back(pool, PoolCell::data(cell), (*pool).stride - HEADER);
    }
}

/// Puts a cell that is free back, into whichever block it belongs to.
///
/// # Safety
/// As for [`put`].
#[inline]
pub(crate) unsafe fn put_back(pool: *mut Pool, cell: *mut PoolCell) {
    // SAFETY: [caller, blocks] the contract is the caller's, and each block of a pool names the first.
    unsafe {
        let head = (*pool).head;
        put(pool, cell);
        // The first block is looked at first, whichever is the current one.
        if pool != (*head).current && pool != head {
            (*head).current = pool;
            (*head).cell.flags |= FLAG_MAY_HAVE_FREE_BLOCKS;
        }
    }
}
