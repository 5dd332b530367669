//! A pool's cell: checks of its header, its mark, and what it means to give it back.

use crate::cell::{FLAG_SECRETS, Kind};
use crate::fault::{self, Call, Misuse};
use crate::raw::layout::{DYING, FREE, Pool, PoolCell, TAINTED};
use crate::raw::request::BASE_ALIGN;
use crate::raw::seal;

/// Returns true if a cell of this block is in use and its destructor is not running.
///
/// # Safety
/// `cell` is one of the block's that has been handed out.
#[inline]
pub(crate) unsafe fn is_live(cell: *mut PoolCell, block: *mut Pool) -> bool {
    // SAFETY: [caller, high_water] the caller's cell has a header.
    unsafe { (*cell).pool.addr() & !TAINTED == block.addr() }
}

/// Returns true if a cell that is in use was tainted by itself.
///
/// # Safety
/// `data` is that of a cell with a readable header.
pub(crate) unsafe fn is_tainted(data: *mut u8) -> bool {
    // SAFETY: [caller, tag] the caller vouches for the header.
    unsafe { (*PoolCell::of(data)).pool }.addr() & (FREE | TAINTED) == TAINTED
}

/// Marks a cell that is in use, so that it is zeroed when it is freed, by whatever path.
///
/// # Safety
/// `data` is that of a live cell of a pool of this thread's, or of one whose destructor is running.
#[cfg(feature = "shred")]
pub(crate) unsafe fn taint(data: *mut u8) {
    // SAFETY: [caller, tag] the caller gives a live cell, whose header names its block.
    unsafe {
        let named = (*PoolCell::of(data)).pool;
        if named.addr() & FREE == 0 {
            PoolCell::tag(PoolCell::of(data), TAINTED);
            (*owner_of(data)).cell.flags |= FLAG_SECRETS;
        }
    }
}

/// The pool that a cell's header names, whether the cell is live or free.
#[inline]
pub(crate) unsafe fn owner_of(data: *mut u8) -> *mut Pool {
    // SAFETY: [caller] the caller vouches for a readable header.
    let pool = unsafe { (&raw const (*PoolCell::of(data)).pool).read_unaligned() };
    pool.map_addr(|addr| addr & !(BASE_ALIGN - 1))
}

/// The pool of a live cell; what is wrong with the cell is reported.
#[inline]
pub(crate) unsafe fn check(call: Call, data: *mut u8) -> Option<*mut Pool> {
    let cell = PoolCell::of(data);
    // SAFETY: [caller, tag] the caller vouches for a readable header, and for a pool where the header names one. A cell
    // below `high_water` of a live pool that names the pool without a tag, or with that of a tainted one, is live.
    unsafe {
        let named = (&raw const (*cell).pool).read_unaligned();
        if names_its_pool(data, named) {
            return Some(named);
        }
        check_tainted(call, data)
    }
}

/// [`check`] of a cell that is tainted, or is none.
///
/// # Safety
/// As for [`check`].
#[cold]
#[inline(never)]
pub(crate) unsafe fn check_tainted(call: Call, data: *mut u8) -> Option<*mut Pool> {
    // SAFETY: [caller, tag] as in `check`.
    unsafe {
        let named = (&raw const (*PoolCell::of(data)).pool).read_unaligned();
        let pool = named.map_addr(|addr| addr & !TAINTED);
        if named != pool && names_its_pool(data, pool) {
            return Some(pool);
        }
        report_bad_cell(call, data);
        None
    }
}

/// Returns true if this is a live pool that has handed out the cell with this data.
///
/// # Safety
/// `pool` is what the header of the cell names, or that without a tag.
#[inline(always)]
pub(crate) unsafe fn names_its_pool(data: *mut u8, pool: *mut Pool) -> bool {
    // SAFETY: [caller] the caller vouches for a pool where this is an aligned address.
    unsafe {
        (pool.addr() | data.addr()) & (BASE_ALIGN - 1) == 0
            && PoolCell::may_follow(PoolCell::of(data), pool)
            && (*pool).cell.kind == Kind::Pool as i32
            && (*pool).seal == seal::of_pool(pool.addr(), seal::key())
            && (*pool).index(PoolCell::of(data)) < (*pool).high_water
    }
}

/// [`check`] for a look at a cell, which may be on its way out, as may its pool: its destructor may look at it.
#[inline(never)]
pub(crate) unsafe fn check_seen(call: Call, data: *mut u8) -> bool {
    // SAFETY: [caller, tag] as in `check`; where the header says that the cell or its pool is on its way out, they are there.
    unsafe {
        if data.addr() & (BASE_ALIGN - 1) != 0 {
            return check(call, data).is_some();
        }
        let named = (*PoolCell::of(data)).pool.map_addr(|addr| addr & !TAINTED);
        let pool = named.map_addr(|addr| addr & !DYING);
        pool.addr() & (BASE_ALIGN - 1) == 0
            && PoolCell::may_follow(PoolCell::of(data), pool)
            && (named != pool || (*pool).cell.kind == Kind::Pool.dying())
            && [Kind::Pool as i32, Kind::Pool.dying()].contains(&(*pool).cell.kind)
            && (*pool).seal == seal::of_pool(pool.addr(), seal::key())
            && (*pool).index(PoolCell::of(data)) < (*pool).high_water
            || check(call, data).is_some()
    }
}

#[cold]
pub(crate) unsafe fn report_bad_cell(call: Call, data: *mut u8) {
    let misuse = if data.addr() & (BASE_ALIGN - 1) != 0 {
        Misuse::NotInPool
    } else {
        // SAFETY: [caller] the caller vouches for a readable header, and for a pool where it names one.
        unsafe {
            let pool = (*PoolCell::of(data)).pool.map_addr(|addr| addr & !TAINTED);
            match pool.addr() & (BASE_ALIGN - 1) {
                0 if !PoolCell::may_follow(PoolCell::of(data), pool)
                    || (*pool).cell.kind == Kind::Pool as i32 =>
                {
                    Misuse::NotInPool
                }
                0 => fault::classify(Kind::Pool, (*pool).cell.kind),
                FREE => Misuse::AlreadyFreed,
                DYING => Misuse::BeingFreed,
                _ => Misuse::NotInPool,
            }
        }
    };
    fault::report(call, data, misuse);
}
