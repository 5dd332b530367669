//! The pool as a source of other cells, and the further blocks of a growing pool.

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use super::limit;
use crate::cell::{Cell, Kind};
use crate::error::AllocError;
use crate::fault::call;
#[cfg(feature = "tree")]
use crate::raw::layout::Node;
use crate::raw::layout::{
    Further, NEVER, POOL_GROWS, POOL_HAS_CHAIN, POOL_HAS_DTOR, POOL_HAS_SOURCE, Part, Pool, PoolCell,
};
use crate::raw::pool::announce;
use crate::raw::pool::blocks::{self, put_back};
use crate::raw::pool::cell::{check, is_sealed, may_name_its_block};
use crate::raw::pool::free_list::{hand_out, pop, pop_fresh, pop_parked};
use crate::raw::pool::header::{blocks as blocks_of, growth_source, layout_of, name};
use crate::raw::pool::plan::{Plan, Spec, write};
use crate::raw::request::{BASE_ALIGN, Below};
use crate::raw::sanitizer;
use crate::shred;

/// The largest block, in bytes, to which a growing pool doubles its blocks.
const MAX_BLOCK: usize = 64 << 20;

/// Allocates a block for another method. Fails if the pool has a destructor, which does not suit that method's data.
#[inline]
pub(super) unsafe fn draw(src: *mut Cell, layout: Layout, below: &Below) -> Result<NonNull<u8>, AllocError> {
    let pool: *mut Pool = src.cast();
    // SAFETY: [caller] the caller gives a live pool that belongs to this thread.
    unsafe {
        if (*pool).cell.flags & POOL_HAS_DTOR != 0 {
            return Err(AllocError::source(Some(Kind::Pool)));
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
/// a destructor, or this is no live pool. Safety: `src` is the readable prefix of a source, and belongs to this thread if it
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
        if (*src).kind != Kind::Pool as i32 || (*src).flags & POOL_HAS_DTOR != 0 || size > (*pool).cellsz {
            return null_mut();
        }
        let block = (*pool).current;
        let cell = pop(block);
        if cell.is_null() { draw_distant(pool, block) } else { hand_out(block, cell).as_ptr() }
    }
}

/// [`draw_fast`] of a cell that is not on the free list of the current block.
#[inline(never)]
unsafe fn draw_distant(pool: *mut Pool, block: *mut Pool) -> *mut u8 {
    // SAFETY: [caller, blocks] the caller gives a live pool on its own thread.
    unsafe {
        let mut cell = pop_parked(block);
        if cell.is_null() {
            cell = pop_next(pool, block);
            if cell.is_null() {
                return draw_grown(pool);
            }
        }
        hand_out(block, cell).as_ptr()
    }
}

/// [`draw_distant`] from another block of a growing pool.
#[inline(never)]
unsafe fn draw_grown(pool: *mut Pool) -> *mut u8 {
    // SAFETY: [caller, blocks] the caller gives a live pool on its own thread.
    unsafe {
        if (*pool).cell.flags & POOL_GROWS == 0 {
            return null_mut();
        }
        let cell = blocks::take(pool);
        if cell.is_null() { null_mut() } else { hand_out((*pool).current, cell).as_ptr() }
    }
}

/// Returns true if this is a live pool whose cells are freed by a [`put_back`] alone. Safety: `src` is the readable prefix of
/// a source of any kind.
#[inline(always)]
pub(crate) unsafe fn is_plain(src: *mut Cell) -> bool {
    // SAFETY: [caller] the contract is the caller's; the kind says if this is a pool.
    unsafe { (*src).kind == Kind::Pool as i32 && is_plain_pool(src.cast()) }
}

/// Returns true if a pool has no destructor, and neither it nor a source is tainted. Safety: `pool` is the first block of a pool, or
/// a further block, which is never plain by itself.
#[inline(always)]
pub(crate) unsafe fn is_plain_pool(pool: *mut Pool) -> bool {
    // The taint mark and the flags are neighbours.
    const fn marks(flags: u8) -> u16 {
        u16::from_ne_bytes([u8::MAX, flags])
    }
    // SAFETY: [caller, one-thread, outlives] the prefix is the caller's; no other thread writes to it. With its flag the pool has
    // a source, which is live.
    unsafe {
        let found = (&raw const (*pool).cell.shred).cast::<u16>().read();
        found & marks(POOL_HAS_DTOR | POOL_HAS_SOURCE) == 0
            || found & marks(POOL_HAS_DTOR | POOL_HAS_CHAIN) == 0 && !(*(*pool).src).tainted()
    }
}

/// Like [`is_plain`], for a pool whose source was allocated from another source. Walks over the whole chain of sources.
#[cold]
#[inline(never)]
pub(crate) unsafe fn is_plain_chain(pool: *mut Cell) -> bool {
    // SAFETY: [caller, outlives, blocks, hosted] the contract is the caller's, and the whole chain is live.
    unsafe {
        if (*pool).kind != Kind::Pool as i32
            || (*pool).flags & (POOL_HAS_DTOR | POOL_HAS_CHAIN) != POOL_HAS_CHAIN
        {
            return false;
        }
        let mut src = pool;
        while !src.is_null() {
            if (*src).tainted() {
                return false;
            }
            src = match (*src).kind {
                // A further block has no mark of its own.
                kind if kind == Kind::Pool as i32 && (*src.cast::<Pool>()).head.cast() == src => {
                    (*src.cast::<Pool>()).src
                }
                #[cfg(feature = "tree")]
                kind if kind == Kind::Tree as i32 => (*src.cast::<Node>()).src,
                #[cfg(feature = "arena")]
                kind if kind == Kind::Arena as i32 => super::arena::below(src),
                kind if kind == Kind::Limit as i32 => limit::below(src),
                kind => return kind == Kind::Source as i32,
            };
        }
    }
    true
}

/// Frees a block that was allocated from this pool. Safety: as for [`give_back`], and [`is_plain`] is true.
#[inline]
pub(super) unsafe fn give_back_fast(src: *mut Cell, block: *mut u8, below: &Below) {
    let (pool, cell): (*mut Pool, _) = (src.cast(), PoolCell::of(block));
    // SAFETY: [caller, tag, blocks] the caller gives a live pool of this thread and a block from it.
    unsafe {
        let named = (*cell).pool;
        if (named == pool || may_name_its_block(block, named) && is_sealed(named) && (*named).head == pool)
            && (*named).index(cell) < (*named).high_water
        {
            put_back(named, cell, below);
        } else {
            take_back(block, below);
        }
    }
}

pub(super) unsafe fn give_back(_src: *mut Cell, block: *mut u8, _layout: Layout, below: &Below) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { take_back(block, below) }
}

/// Frees a block to the pool that its header names. If the cell or the pool is tainted, zeroes the whole cell. Safety: `block` is
/// the data of a live cell of a live pool.
#[inline(never)]
unsafe fn take_back(block: *mut u8, below: &Below) {
    // SAFETY: [caller, tag] the caller's header is readable, and its contents are checked.
    unsafe {
        let Some(pool) = check(call!(c"kmpoolf"), block) else { return };
        let tainted = (*PoolCell::of(block)).pool != pool;
        if tainted || (*(*pool).head).cell.tainted() {
            announce::widened(block, (*pool).cellsz);
            shred::zero(block, (*pool).cellsz);
        }
        put_back(pool, PoolCell::of(block), below);
    }
}

pub(super) unsafe fn fits_in_place(src: *mut Cell, size: usize, _below: &Below) -> Result<bool, AllocError> {
    // SAFETY: [caller] the caller's source is a live pool.
    let max = unsafe { (*src.cast::<Pool>()).cellsz };
    if size <= max { Ok(true) } else { Err(AllocError::too_large(size, max)) }
}

pub(super) unsafe fn resizes(_src: *mut Cell) -> bool {
    false
}

/// Resizes the part in use of a cell, for a limit. The cells of other methods ask [`fits_in_place`].
pub(super) unsafe fn resize(
    src: *mut Cell,
    block: *mut u8,
    layout: Layout,
    to: usize,
    below: &Below,
) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let fits = fits_in_place(src, to, below).is_ok();
        if fits {
            resized(src, block, layout.size(), to);
        }
        fits
    }
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
        return Err(AllocError::too_large(size, max));
    }
    if align > BASE_ALIGN {
        // SAFETY: [caller] as above.
        let max = unsafe { layout_of(pool) }.align();
        if !align.is_power_of_two() || align > max {
            return Err(AllocError::misaligned(align, max));
        }
    }
    Ok(())
}

/// Returns the pool that must grow first so that this full pool can grow. That is this pool itself, unless it allocates its blocks
/// from a growing pool that is full too; then it is that pool, or in turn the one below. So a chain of pools grows without
/// recursion. Safety: `head` is the first block of a live growing pool, whose source is alive.
unsafe fn first_to_grow(head: *mut Pool) -> *mut Pool {
    let mut pool = head;
    // SAFETY: [caller, outlives, blocks] the sources of a live pool are live; each block of a pool names the first.
    unsafe {
        loop {
            let src = limit::bottom(growth_source(pool));
            if src.is_null() || (*src).kind != Kind::Pool as i32 {
                return pool;
            }
            let below = (*src.cast::<Pool>()).head;
            let has_a_cell = |block: *mut Pool| {
                !(*block).bottom.is_null()
                    || !(*block).parked.is_null()
                    || (*block).high_water < (*block).cells()
            };
            if (*below).cell.flags & POOL_GROWS == 0 || blocks_of(below).any(has_a_cell) {
                return pool;
            }
            pool = below;
        }
    }
}

/// Allocates a cell, from the free list if that has one.
#[inline(always)]
pub(crate) unsafe fn take(pool: *mut Pool, below: &Below) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller, blocks] the caller gives a live pool on its own thread, and the current block is one of its blocks.
    unsafe {
        let block = (*pool).current;
        let cell = pop(block);
        if cell.is_null() { take_distant(pool, below) } else { Ok(hand_out(block, cell)) }
    }
}

/// Allocates a cell that is not on the free list of the current block.
#[inline(never)]
unsafe fn take_distant(pool: *mut Pool, below: &Below) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller, blocks] the caller gives a live pool on its own thread.
    unsafe {
        let block = (*pool).current;
        let mut cell = pop_parked(block);
        if cell.is_null() {
            cell = pop_next(pool, block);
            if cell.is_null() {
                return take_grown(pool, below);
            }
        }
        Ok(hand_out(block, cell))
    }
}

/// Returns a cell of the current block that was never used, or null. Null too if another block has a free cell. Called only if the
/// current block has no free cell.
#[inline(always)]
unsafe fn pop_next(pool: *mut Pool, block: *mut Pool) -> *mut PoolCell {
    // SAFETY: [caller, blocks] the caller gives a live pool on its own thread, and its current block.
    unsafe {
        if (*pool).cell.flags & POOL_GROWS == 0 { pop_fresh(block) } else { blocks::pop_next(pool, block) }
    }
}

/// Allocates a cell of another block of a growing pool, which grows if it is full.
#[inline(never)]
unsafe fn take_grown(pool: *mut Pool, below: &Below) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller, blocks] the caller gives a live pool on its own thread.
    unsafe {
        if (*pool).cell.flags & POOL_GROWS == 0 {
            return Err(AllocError::exhausted((*pool).cellsz));
        }
        loop {
            let cell = blocks::take(pool);
            if !cell.is_null() {
                return Ok(hand_out((*pool).current, cell));
            }
            // The source may free cells of the pool meanwhile, so search again.
            grow(first_to_grow(pool), below)?;
        }
    }
}

/// Allocates another block for a growing pool.
pub(crate) unsafe fn grow(head: *mut Pool, below: &Below) -> Result<(), AllocError> {
    // SAFETY: [blocks] the blocks of a live pool are live pools; the new one is complete when it is linked.
    unsafe {
        let cells = blocks_of(head).map(|block| (*block).cells()).max().unwrap_or(0);
        let most = MAX_BLOCK.checked_div((*head).stride).unwrap_or(0).max(cells).max(1);
        let align = layout_of(head).align();
        let spec = Spec {
            align,
            cells: (cells.max(1) * 2).min(most),
            name: name(head),
            ..Spec::new((*head).cellsz, 0)
        };
        let src = growth_source(head);
        // The source may still have room for a block of the size of the first. A limit without room is not asked.
        let first = (*head).cells().max(1);
        let doubled = match Plan::new(&spec, 0) {
            Ok(plan) if plan.layout.size() > limit::room(src) => None,
            _ => make(src, &spec, below).ok(),
        };
        let new = match doubled {
            Some(new) => new,
            None => make(src, &Spec { cells: first, ..spec }, below)?,
        };
        let new = new.as_ptr();
        // The flags of the first block decide.
        (*new).cell.flags |= POOL_HAS_SOURCE | POOL_HAS_CHAIN | (*head).cell.flags & POOL_HAS_DTOR;
        (*new).head = head;
        (*new).part = Part { further: Further { prev: head, threshold: NEVER } };
        blocks::add(head, new);
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
