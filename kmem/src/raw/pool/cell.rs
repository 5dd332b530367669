//! A pool's cell: the checks of its header, and its taint.

use crate::cell::{Cell, Kind};
use crate::fault::{self, Call, Misuse};
use crate::raw::Handle;
use crate::raw::layout::{DYING, FREE, POOL_HAS_SECRETS, Pool, PoolCell, TAINTED};
use crate::raw::request::BASE_ALIGN;
use crate::raw::seal;

/// Returns true if a cell of this block is live and its destructor is not running. Safety: `cell` lies in the block
/// and was used before.
#[inline]
pub(crate) unsafe fn is_live(cell: *mut PoolCell, block: *mut Pool) -> bool {
    // SAFETY: [caller, high_water] the caller's cell has a header.
    unsafe { (*cell).pool.addr() & !TAINTED == block.addr() }
}

/// Returns true if a live cell is tainted by itself, whether or not its pool is. Safety: `data` is that of a cell with a readable
/// header.
pub(crate) unsafe fn is_tainted(data: *mut u8) -> bool {
    // SAFETY: [caller, tag] the caller's header is readable.
    unsafe { (*PoolCell::of(data)).pool }.addr() & (FREE | TAINTED) == TAINTED
}

/// Taints a live cell: it is zeroed when it is freed, alone or with its pool. Safety: `data` is that of a cell of a pool of
/// this thread, live or with its destructor running.
#[cfg(feature = "shred")]
pub(crate) unsafe fn taint(data: *mut u8) {
    // SAFETY: [caller, tag] the caller gives a live cell, whose header names its block.
    unsafe {
        let named = (*PoolCell::of(data)).pool;
        if named.addr() & FREE == 0 {
            PoolCell::tag(PoolCell::of(data), TAINTED);
            (*block_of(data)).cell.flags |= POOL_HAS_SECRETS;
        }
    }
}

/// Returns the block that the header of a cell names: the pool, or a further block of a growing pool. The cell may be live or free.
/// Safety: the header of the cell is readable.
#[inline]
pub(crate) unsafe fn block_of(data: *mut u8) -> *mut Pool {
    // SAFETY: [caller] the caller's header is readable.
    let pool = unsafe { (&raw const (*PoolCell::of(data)).pool).read_unaligned() };
    pool.map_addr(|addr| addr & !(BASE_ALIGN - 1))
}

/// Returns the block of a live cell. For any other pointer, reports the misuse. Safety: the header before the data is readable.
#[inline]
pub(crate) unsafe fn check(call: Call, data: *mut u8) -> Option<*mut Pool> {
    let cell = PoolCell::of(data);
    // SAFETY: [caller, tag] the caller's headers are readable; a used cell with no tag, or only `TAINTED`, is live.
    unsafe {
        let named = (&raw const (*cell).pool).read_unaligned();
        if names_its_pool(data, named) {
            return Some(named);
        }
        check_tainted(call, data)
    }
}

/// [`check`] of a pointer to a cell with a tag, or to no live cell. Safety: as for [`check`].
#[cold]
#[inline(never)]
unsafe fn check_tainted(call: Call, data: *mut u8) -> Option<*mut Pool> {
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

/// Returns true if the header of a cell may name this block: the data is aligned, and so is the header with it. Safety: the header of
/// the cell is readable.
#[inline(always)]
pub(crate) unsafe fn may_name_its_block(data: *mut u8, block: *mut Pool) -> bool {
    let is_aligned = data.addr() & (BASE_ALIGN - 1) == 0;
    #[cfg(target_pointer_width = "32")]
    // SAFETY: [caller] the header is readable, and aligned if the first condition is true.
    let is_aligned = is_aligned && unsafe { PoolCell::may_follow(PoolCell::of(data), block) };
    let _ = block;
    is_aligned
}

/// Returns true if there is a live block of a pool at this address. Safety: if the address is aligned and plausible, a pool's header is
/// readable there.
#[inline(always)]
pub(crate) unsafe fn is_block(block: *mut Pool) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        !seal::is_no_header(block.addr())
            && (*block).cell.kind == Kind::Pool as i32
            && (*block).seal == seal::of_pool(block.addr(), seal::known_key())
    }
}

/// [`is_block`] of an address in a cell of a live pool, which needs no check of the kind.
#[inline(always)]
pub(crate) unsafe fn is_sealed(block: *mut Pool) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        !seal::is_no_header(block.addr()) && (*block).seal == seal::of_pool(block.addr(), seal::known_key())
    }
}

/// Returns true if the cell of a handle agrees with a pool's cell with this data: it is the pool, or the block, or null. Safety: the
/// header of the cell is readable.
#[inline(always)]
pub(crate) unsafe fn agrees(handle: *mut Cell, data: *mut u8) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    let block = unsafe { block_of(data) };
    // SAFETY: [caller] as above.
    handle == block.cast() || handle.is_null() || unsafe { pool_of(data) } == handle.cast()
}

/// Returns the pool of a cell, or the address that the cell names if there is no block at that address. Safety: the header of the cell
/// is readable.
#[inline(never)]
pub(crate) unsafe fn pool_of(data: *mut u8) -> *mut Pool {
    // SAFETY: [caller, tag] the caller's header is readable, and its contents are checked.
    unsafe {
        let block = block_of(data);
        if may_name_its_block(data, block) && is_block(block) { (*block).head } else { block }
    }
}

/// Returns true if `pool` is live and the cell with this data was used before. Safety: `pool` is the address that the header of
/// the cell names, without tags.
#[inline(always)]
pub(crate) unsafe fn names_its_pool(data: *mut u8, pool: *mut Pool) -> bool {
    // SAFETY: [caller] if the address is aligned and plausible, a pool's header is readable there.
    unsafe {
        (pool.addr() | data.addr()) & (BASE_ALIGN - 1) == 0
            && PoolCell::may_follow(PoolCell::of(data), pool)
            && (*pool).cell.kind == Kind::Pool as i32
            && (*pool).seal == seal::of_pool(pool.addr(), seal::key())
            && (*pool).index(PoolCell::of(data)) < (*pool).high_water
    }
}

/// [`check`] for calls that only read. They accept a dying cell, because its destructor may read it, also while the pool is being
/// destroyed.
#[inline(never)]
pub(crate) unsafe fn check_readable(call: Call, data: *mut u8) -> bool {
    // SAFETY: [caller, tag] as in `check`; a dying cell or pool is still readable.
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

/// Checks the cell of a handle, which must agree with the header of the cell. With `reads`, also accepts a dying cell. Safety: as for
/// [`check`].
#[inline(never)]
pub(crate) unsafe fn check_handle(call: Call, handle: Handle, reads: bool) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if !agrees(handle.cell, handle.data) {
            fault::report(call, handle.data, Misuse::BadHandle);
            return false;
        }
        if reads { check_readable(call, handle.data) } else { check(call, handle.data).is_some() }
    }
}

/// Reports why a pointer is not the data of a live cell.
#[cold]
pub(crate) unsafe fn report_bad_cell(call: Call, data: *mut u8) {
    let misuse = if data.addr() & (BASE_ALIGN - 1) != 0 {
        Misuse::NotInPool
    } else {
        // SAFETY: [caller] the caller's header is readable, and so is the header of a pool that it names.
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
