//! The pool as a source of other cells, and the further blocks of a growing pool.

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use crate::cell::{Cell, Kind};
use crate::error::AllocError;
use crate::fault::call;
use crate::raw::layout;
use crate::raw::layout::{POOL_GROWS, POOL_MAY_HAVE_FREE_BLOCKS, POOL_SLOW_FREE, Pool, PoolCell};
use crate::raw::pool::announce;
use crate::raw::pool::cell::check;
use crate::raw::pool::free_list::{
    hand_out, pop, pop_distant, pop_distant_cold, pop_free, pop_fresh, put, put_back,
};
use crate::raw::pool::header::{blocks, destructor, growth_source, layout_of, name};
use crate::raw::pool::plan::{Plan, Spec, write};
use crate::raw::request::{BASE_ALIGN, Below};
use crate::raw::sanitizer;
use crate::raw::seal::SealedDtor;
use crate::shred;

/// The largest block, in bytes, to which a growing pool doubles its blocks.
const MAX_BLOCK: usize = 64 << 20;

/// Allocates a block for another method. Fails if the pool has a destructor, which does not suit that method's data.
#[inline]
pub(super) unsafe fn draw(src: *mut Cell, layout: Layout, below: &Below) -> Result<NonNull<u8>, AllocError> {
    let pool: *mut Pool = src.cast();
    // SAFETY: [caller] the caller gives a live pool that belongs to this thread.
    unsafe {
        if (*pool).cell.flags & POOL_SLOW_FREE != 0 && destructor(pool).is_none_or(|drop| drop.run.is_some())
        {
            return Err(AllocError::Source(Some(Kind::Pool)));
        }
        fits(pool, layout.size(), layout.align())?;
        let data = take(pool, below);
        if let (true, Ok(data)) = (sanitizer::ON, data) {
            announce::narrowed(data.as_ptr(), layout.size(), (*pool).cellsz);
        }
        data
    }
}

/// Allocates a block aligned to 16. Returns null if only [`draw`] can decide: the pool is full, its cells are too small, it has
/// [`POOL_SLOW_FREE`], or this is no live pool. Safety: `src` is the readable prefix of a source, and belongs to this thread if it
/// is a pool.
#[inline]
pub(super) unsafe fn draw_fast(src: *mut Cell, size: usize) -> *mut u8 {
    let pool: *mut Pool = src.cast();
    // SAFETY: [caller, live] the caller's prefix is readable; the kind says if this is a live pool of this thread.
    unsafe {
        // `draw` announces to tools how much of the cell is used.
        if sanitizer::ON {
            return null_mut();
        }
        if (*src).kind != Kind::Pool as i32 || (*src).flags & POOL_SLOW_FREE != 0 || size > (*pool).cellsz {
            return null_mut();
        }
        let mut cell = pop(pool);
        if cell.is_null() {
            cell = pop_distant_cold(pool);
            if cell.is_null() {
                return null_mut();
            }
        }
        hand_out(pool, cell).as_ptr()
    }
}

/// Returns true if this is a live pool whose cells are freed by a [`put`] alone. Compares the first word, in which
/// kind, taint mark and flags lie. Safety: `src` is the readable prefix of a source of any kind.
#[inline]
pub(crate) unsafe fn is_plain(src: *mut Cell) -> bool {
    // SAFETY: [caller, one-thread] the prefix is the caller's; no other thread writes to it.
    let first = unsafe { layout::prefix_word(src) };
    first & layout::prefix_word_of(-1, u8::MAX, POOL_SLOW_FREE, 0, 0)
        == layout::prefix_word_of(Kind::Pool as i32, 0, 0, 0, 0)
}

/// Frees a block that was allocated from this pool. Safety: as for [`give_back`], and [`is_plain`] is true.
#[inline]
pub(super) unsafe fn give_back_fast(src: *mut Cell, block: *mut u8) {
    let (pool, cell): (*mut Pool, _) = (src.cast(), PoolCell::of(block));
    // SAFETY: [caller, tag] the caller gives a live pool of this thread and a block from it.
    unsafe {
        if (*cell).pool == pool && (*pool).index(cell) < (*pool).high_water {
            put(pool, cell);
        } else {
            take_back(block);
        }
    }
}

pub(super) unsafe fn give_back(_src: *mut Cell, block: *mut u8, _layout: Layout, _below: &Below) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { take_back(block) }
}

/// Frees a block to the pool that its header names. If the cell or the pool is tainted, zeroes the whole cell. Safety: `block` is
/// the data of a live cell of a live pool.
#[inline(never)]
unsafe fn take_back(block: *mut u8) {
    // SAFETY: [caller, tag] the caller's header is readable, and its contents are checked.
    unsafe {
        let Some(pool) = check(call!(c"kmpoolf"), block) else { return };
        let tainted = (*PoolCell::of(block)).pool != pool;
        if tainted || (*(*pool).head).cell.tainted() {
            announce::widened(block, (*pool).cellsz);
            shred::zero(block, (*pool).cellsz);
        }
        put_back(pool, PoolCell::of(block));
    }
}

pub(super) unsafe fn fits_in_place(src: *mut Cell, size: usize) -> Result<bool, AllocError> {
    // SAFETY: [caller] the caller's source is a live pool.
    let max = unsafe { (*src.cast::<Pool>()).cellsz };
    if size <= max { Ok(true) } else { Err(AllocError::Size { size, max }) }
}

pub(super) unsafe fn resizes(_src: *mut Cell) -> bool {
    false
}

pub(super) unsafe fn resize(_src: *mut Cell, _block: *mut u8, _layout: Layout, _to: usize) -> bool {
    false
}

pub(super) unsafe fn resized(src: *mut Cell, block: *mut u8, from: usize, to: usize) {
    // SAFETY: [caller] the caller's source is a live pool.
    announce::resized(block, from, to, unsafe { (*src.cast::<Pool>()).cellsz });
}

pub(super) unsafe fn may_have_served(src: *mut Cell, size: usize) -> bool {
    // SAFETY: [caller] the caller's header is readable.
    unsafe { size <= (*src.cast::<Pool>()).cellsz }
}

pub(super) unsafe fn below(src: *mut Cell) -> *mut Cell {
    // SAFETY: [caller, blocks] the caller's header is readable, and each block of a pool names the first.
    unsafe { (*(*src.cast::<Pool>()).head).src }
}

/// The taint mark of a growing pool is that of its first block.
pub(super) unsafe fn zeroes(src: *mut Cell) -> bool {
    // SAFETY: [caller, blocks] as in `below`.
    unsafe { (*(*src.cast::<Pool>()).head).cell.tainted() }
}

#[inline]
pub(crate) unsafe fn fits(pool: *mut Pool, size: usize, align: usize) -> Result<(), AllocError> {
    // SAFETY: [caller] the caller gives a live pool.
    let max = unsafe { (*pool).cellsz };
    if size > max {
        return Err(AllocError::Size { size, max });
    }
    if align > BASE_ALIGN {
        // SAFETY: [caller] as above.
        let max = unsafe { layout_of(pool) }.align();
        if !align.is_power_of_two() || align > max {
            return Err(AllocError::Align { align, max });
        }
    }
    Ok(())
}

/// Takes a cell by `take` from the first block of a growing pool that has one, and makes that block the current one. Returns null
/// if no block has one.
#[inline(never)]
pub(crate) unsafe fn search(head: *mut Pool, take: unsafe fn(*mut Pool) -> *mut PoolCell) -> *mut PoolCell {
    // SAFETY: [blocks] the caller gives the first block of a live pool, whose blocks are live pools.
    unsafe {
        for block in blocks(head) {
            let cell = take(block);
            if !cell.is_null() {
                (*head).current = block;
                return cell;
            }
        }
    }
    null_mut()
}

/// Returns the pool that must grow first so that this full pool can grow. That is this pool itself, unless it allocates its blocks
/// from a growing pool that is full too; then it is that pool, or in turn the one below. So a chain of pools grows without
/// recursion. Safety: `head` is the first block of a live growing pool, whose source is alive.
unsafe fn first_to_grow(head: *mut Pool) -> *mut Pool {
    let mut pool = head;
    // SAFETY: [caller, outlives, blocks] the sources of a live pool are live; each block of a pool names the first.
    unsafe {
        loop {
            let src = growth_source(pool);
            if src.is_null() || (*src).kind != Kind::Pool as i32 {
                return pool;
            }
            let below = (*src.cast::<Pool>()).head;
            let has_a_cell = |block: *mut Pool| {
                !(*block).bottom.is_null()
                    || !(*block).parked.is_null()
                    || (*block).high_water < (*block).cells
            };
            if (*below).cell.flags & POOL_GROWS == 0 || blocks(below).any(has_a_cell) {
                return pool;
            }
            pool = below;
        }
    }
}

/// Allocates a cell, from the free list if that has one.
#[inline(always)]
pub(crate) unsafe fn take(pool: *mut Pool, below: &Below) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the caller gives a live pool on its own thread.
    unsafe {
        let cell = pop(pool);
        if cell.is_null() { take_distant(pool, below) } else { Ok(hand_out(pool, cell)) }
    }
}

/// Allocates a cell that is not on the free list.
#[inline(never)]
unsafe fn take_distant(pool: *mut Pool, below: &Below) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the caller gives a live pool on its own thread.
    unsafe {
        let cell = pop_distant(pool);
        if !cell.is_null() {
            return Ok(hand_out(pool, cell));
        }
        if (*pool).cell.flags & POOL_GROWS == 0 {
            return Err(AllocError::Exhausted { size: (*pool).cellsz });
        }
        take_grown(pool, below)
    }
}

/// Allocates a cell from the further blocks of a growing pool, or from a new one if all are full.
#[cold]
unsafe fn take_grown(head: *mut Pool, below: &Below) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [blocks] the caller gives the first block of a live pool, whose blocks are live pools.
    unsafe {
        let current = (*head).current;
        let mut cell = pop_free(current);
        // A cell that was never used is taken only if no other cell is free: see `pop_fresh`.
        if cell.is_null() && (*head).cell.flags & POOL_MAY_HAVE_FREE_BLOCKS == 0 {
            cell = pop_fresh(current);
        }
        if cell.is_null() { take_searching(head, below) } else { Ok(hand_out(current, cell)) }
    }
}

/// [`take_grown`] if the current block has no cell.
#[cold]
#[inline(never)]
unsafe fn take_searching(head: *mut Pool, below: &Below) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [blocks] as in `take_grown`.
    unsafe {
        loop {
            let mut cell = search(head, pop_free);
            if cell.is_null() {
                (*head).cell.flags &= !POOL_MAY_HAVE_FREE_BLOCKS;
                cell = search(head, pop_fresh);
            }
            if !cell.is_null() {
                return Ok(hand_out((*head).current, cell));
            }
            // The source may free cells of the pool meanwhile, so search again.
            grow(first_to_grow(head), below)?;
        }
    }
}

/// Allocates another block for a growing pool.
pub(crate) unsafe fn grow(head: *mut Pool, below: &Below) -> Result<(), AllocError> {
    // SAFETY: [blocks] the blocks of a live pool are live pools; the new one is complete when it is linked.
    unsafe {
        let cells = blocks(head).map(|block| (*block).cells).max().unwrap_or(0);
        let most = MAX_BLOCK.checked_div((*head).stride).unwrap_or(0).max(cells).max(1);
        let align = layout_of(head).align();
        let mut spec = Spec {
            align,
            cells: (cells.max(1) * 2).min(most),
            name: name(head),
            ..Spec::new((*head).cellsz, 0)
        };
        let src = growth_source(head);
        let new = make(src, &spec, below).or_else(|_| {
            // The source may still have room for a block of the size of the first.
            spec.cells = (*head).cells.max(1);
            make(src, &spec, below)
        })?;
        let new = new.as_ptr();
        (*new).cell.flags |= POOL_SLOW_FREE;
        (*new).head = head;
        if let Some(drop) = destructor(head) {
            SealedDtor::write(&raw mut (*new).drop, drop);
        }
        (*new).next = (*head).next;
        (*head).next = new;
        Ok(())
    }
}

/// Makes a block of a pool, allocated from `src`, which is null, a pool or a custom source. Safety: the source is
/// alive, and outlives the block.
pub(crate) unsafe fn make(src: *mut Cell, spec: &Spec, below: &Below) -> Result<NonNull<Pool>, AllocError> {
    let plan = Plan::new(spec, if src.is_null() { announce::RED_ZONE } else { 0 })?;
    let flags = if spec.grows { POOL_GROWS } else { 0 };
    // SAFETY: [caller, extent] the caller's source is null or live; the block has the size and alignment of the plan.
    unsafe { Ok(write((below.draw)(src, plan.layout)?, src, spec, &plan, flags)) }
}
