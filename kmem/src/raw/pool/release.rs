//! Frees a pool's cell, and destroys a pool: destructors, zeroing, and the return of blocks to the source.

use core::ptr::null_mut;

use super::blocks::{give_back, put_back, remove_empty};
use super::cell::{
    agrees, block_of, check, is_block, is_live, is_tainted, may_name_its_block, names_its_pool,
};
use super::count::{Walk, walk};
use super::header::destructor;
use crate::cell::{Kind, Shred};
use crate::fault::{self, Call, Misuse, call};
use crate::raw::Handle;
use crate::raw::chain::shreds;
use crate::raw::layout::{DYING, POOL_HAS_SECRETS, POOL_IN_DTOR, Pool, PoolCell, TAINTED};
use crate::raw::pool::announce;
use crate::raw::source::BELOW;
use crate::raw::source::pool::{is_plain_chain, is_plain_pool};
use crate::shred;

/// A cell that is being freed, and needs more than a [`put_back`]. Dropping this zeroes the data if needed and frees the cell, even if
/// the destructor unwinds.
struct PoolCellFreeGuard {
    /// Zeroed if it is tainted.
    cell: *mut PoolCell,
    pool: *mut Pool,
    /// The flag to clear in the pool's first block: [`POOL_IN_DTOR`], or zero if no destructor runs or another one still runs.
    flag: u8,
}

impl Drop for PoolCellFreeGuard {
    #[inline]
    fn drop(&mut self) {
        let PoolCellFreeGuard { cell, pool, flag } = *self;
        // SAFETY: [guard, tag] `release` found this to be a live cell of this pool, which is this thread's.
        unsafe {
            let head = (*pool).head;
            (*head).cell.flags &= !flag;
            if (*cell).pool.addr() & TAINTED != 0 || shreds(head.cast()) {
                announce::widened(PoolCell::data(cell), (*pool).cellsz);
                shred::zero(PoolCell::data(cell), (*pool).cellsz);
            }
            put_back(pool, cell, &BELOW);
        }
    }
}

/// Frees a cell whose value was moved out, without the pool's destructor.
pub(crate) unsafe fn free_without_drop(data: *mut u8) {
    // SAFETY: [caller, tag] the caller gives the data of a live cell, whose header names its pool.
    unsafe {
        drop(PoolCellFreeGuard { cell: PoolCell::of(data), pool: block_of(data), flag: 0 });
    }
}

/// Frees a cell on behalf of `call`. Ignores null. Safety: `data` is null, or the header before it is readable.
#[inline(always)]
pub(crate) unsafe fn release(data: *mut u8, call: Call, shred: Shred) {
    if data.is_null() {
        return;
    }
    let cell = PoolCell::of(data);
    // SAFETY: [caller, tag] the caller's headers are readable; a used cell that names a live pool without a tag is live.
    unsafe {
        let pool = (&raw const (*cell).pool).read_unaligned();
        if !shred.is_yes()
            && may_name_its_block(data, pool)
            && is_block(pool)
            && is_plain_pool((*pool).head)
            && (*pool).index(cell) < (*pool).high_water
        {
            if cfg!(kmem_standalone) { put_back_cold(pool, cell) } else { put_back(pool, cell, &BELOW) }
        } else {
            release_slow(data, call, shred);
        }
    }
}

/// [`release`] of the cell of a handle, which must agree with the header of the cell.
#[inline(always)]
pub(crate) unsafe fn release_handle(handle: Handle, call: Call, shred: Shred) {
    let Handle { data, cell: named, .. } = handle;
    let cell = PoolCell::of(data);
    // SAFETY: [caller, tag] as in `release`.
    unsafe {
        let pool = (&raw const (*cell).pool).read_unaligned();
        if !shred.is_yes()
            && may_name_its_block(data, pool)
            && is_block(pool)
            && (*pool).head == named.cast()
            && is_plain_pool((*pool).head)
            && (*pool).index(cell) < (*pool).high_water
        {
            put_back_cold(pool, cell);
        } else {
            release_handle_slow(handle, call, shred);
        }
    }
}

/// The function that frees cells for callers that need not be fast.
pub(crate) const RELEASE_HANDLE_SMALL: unsafe fn(Handle, Call, Shred) =
    if cfg!(kmem_standalone) { release_handle_slow } else { release_handle };

/// [`release_handle`] of a cell that needs more than a [`put_back`], or of a handle that is wrong.
#[inline(never)]
unsafe fn release_handle_slow(handle: Handle, call: Call, shred: Shred) {
    // SAFETY: [caller] the caller's header is readable.
    unsafe {
        if agrees(handle.cell, handle.data) {
            release_slow(handle.data, call, shred);
        } else {
            fault::report(call, handle.data, Misuse::BadHandle);
        }
    }
}

/// [`put_back`], out of line.
#[inline(never)]
unsafe fn put_back_cold(pool: *mut Pool, cell: *mut PoolCell) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { put_back(pool, cell, &BELOW) }
}

/// [`release`] of a cell that needs more than a [`put_back`], or of a pointer to no live cell.
#[inline(never)]
unsafe fn release_slow(data: *mut u8, call: Call, shred: Shred) {
    // SAFETY: [caller, tag] the caller's header is readable, and its contents are checked.
    unsafe {
        let cell = PoolCell::of(data);
        let pool = (&raw const (*cell).pool).read_unaligned();
        if !names_its_pool(data, pool) {
            return release_tainted(data, call);
        }
        let head = (*pool).head;
        if !shred.is_yes() && is_plain_chain(head.cast()) {
            return put_back(pool, cell, &BELOW);
        }
        let Some(destructor) = destructor(pool) else {
            return fault::report(call, data, Misuse::Damaged);
        };
        if shred.is_yes() {
            PoolCell::tag(cell, TAINTED);
        }
        let mut guard = PoolCellFreeGuard { cell, pool, flag: 0 };
        if destructor.run.is_some() {
            guard.flag = POOL_IN_DTOR & !(*head).cell.flags;
            (*head).cell.flags |= POOL_IN_DTOR;
            PoolCell::tag(cell, DYING);
            destructor.call(data);
        }
        drop(guard);
    }
}

/// [`release_slow`] of a cell that is tainted, or of a pointer to no live cell.
#[cold]
#[inline(never)]
unsafe fn release_tainted(data: *mut u8, call: Call) {
    // SAFETY: [caller, tag] the caller's header is readable, and its contents are checked.
    unsafe {
        let Some(pool) = check(call, data) else { return };
        if destructor(pool).is_none() {
            // The cell stays, and so does its tag.
            return fault::report(call, data, Misuse::Damaged);
        }
        PoolCell::name(PoolCell::of(data), pool);
        release_slow(data, call, Shred::Yes);
    }
}

/// A pool whose cells are being freed. Dropping this frees the remaining ones, even after a destructor unwinds, and then the further
/// blocks.
struct Clear {
    call: Call,
    head: *mut Pool,
    walk: Walk,
}

impl Clear {
    unsafe fn run(&mut self) {
        for data in self.walk.by_ref() {
            // SAFETY: [caller, blocks] the walk gives live cells, which nobody uses any more.
            unsafe { release(data, self.call, Shred::No) };
        }
    }
}

impl Drop for Clear {
    fn drop(&mut self) {
        // SAFETY: [guard, blocks] as in `clear`.
        unsafe {
            self.run();
            remove_empty(self.head, &BELOW);
        }
    }
}

/// Frees all cells of a pool and its further blocks. Safety: `head` is the first block of a live pool whose cells nobody uses any more.
pub(crate) unsafe fn clear(call: Call, head: *mut Pool) {
    // SAFETY: [caller, blocks] the caller's pool is live.
    unsafe {
        if destructor(head).is_none() {
            return fault::report(call, head.cast(), Misuse::Damaged);
        }
        let mut clear = Clear { call, head, walk: walk(head) };
        clear.run();
        drop(clear);
    }
}

/// A pool that is being destroyed. Dropping this runs the remaining destructors, even after one of them unwinds, then frees the
/// blocks.
struct TearDown {
    head: *mut Pool,
    block: *mut Pool,
    index: usize,
}

impl TearDown {
    /// Runs the destructor on each live cell, from the current one on.
    unsafe fn run(&mut self) {
        // SAFETY: [blocks, tag] no block of the pool is freed yet, and cells below `high_water` have a header. The
        // destructor suits live cells. Each cell is marked before its destructor runs, so the destructor runs once.
        unsafe {
            if self.block.is_null() {
                return;
            }
            let Some(drop) = destructor(self.head) else {
                // The destructor is corrupt, so it runs on no cell.
                self.block = null_mut();
                return fault::report(call!(c"kmpoolx"), self.head.cast(), Misuse::Damaged);
            };
            while drop.run.is_some() && !self.block.is_null() {
                while self.index < (*self.block).high_water {
                    let cell = (*self.block).first.byte_add(self.index * (*self.block).stride);
                    self.index += 1;
                    if is_live(cell, self.block) {
                        PoolCell::tag(cell, DYING);
                        drop.call(PoolCell::data(cell));
                    }
                }
                self.block = (*self.block).next;
                self.index = 0;
            }
        }
    }
}

impl Drop for TearDown {
    fn drop(&mut self) {
        // SAFETY: [guard, blocks] no block is freed yet. Each is zeroed from its first cell to the last one ever
        // used, and freed with the layout it was allocated with; the address of the next block is read before.
        unsafe {
            self.run();
            let shred = shreds(self.head.cast());
            let mut block = self.head;
            while !block.is_null() {
                let next = (*block).next;
                if !shred && (*block).cell.flags & POOL_HAS_SECRETS != 0 {
                    zero_tainted(block);
                }
                give_back(call!(c"kmpoolx"), block, shred, &BELOW);
                block = next;
            }
        }
    }
}

/// Zeroes the cells of a block that are tainted by themselves. Safety: `block` is one of a pool that is being destroyed.
#[inline(never)]
unsafe fn zero_tainted(block: *mut Pool) {
    // SAFETY: [caller, high_water, tag] cells below `high_water` have a header.
    unsafe {
        for index in 0..(*block).high_water {
            let cell = (*block).first.byte_add(index * (*block).stride);
            if is_tainted(PoolCell::data(cell)) {
                shred::zero(PoolCell::data(cell), (*block).cellsz);
            }
        }
    }
}

/// Destroys a pool and frees its blocks, except one that is the data of a node. Safety: the pool is live, and nobody uses its cells
/// any more.
pub(crate) unsafe fn tear_down(pool: *mut Pool) {
    // SAFETY: [caller] the caller gives a live pool whose cells nobody uses any more.
    unsafe { (*pool).cell.kind = Kind::Pool.dying() };
    let mut tear_down = TearDown { head: pool, block: pool, index: 0 };
    // SAFETY: [guard] as above. If a destructor unwinds, the drop of `tear_down` continues with the next cell.
    unsafe { tear_down.run() };
    drop(tear_down);
}
