//! Verifies that all parts of a pool agree with each other.

use super::blocks::live;
use super::free_list::groups;
use super::header::blocks;
use super::plan::GROUP;
use crate::cell::Kind;
use crate::raw::Damage;
use crate::raw::layout::{DYING, FREE, Group, Pool, PoolCell, TAINTED};
use crate::raw::seal;

/// The numbers of cells by state: see [`verify`].
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 32, 10);
///     let (one, two) = (pool::a(pool), pool::a(pool));
///     pool::f(one);
///     let census = pool::verify(pool).unwrap();
///     assert_eq!((census.live, census.free, census.unused, census.blocks), (1, 1, 8, 1));
///     let header = two.sub(16).cast::<kmem::raw::PoolCell>();
///     (*header).pool = pool.wrapping_byte_add(7);
///     assert_eq!(pool::verify(pool).unwrap_err().at, two.cast_const());
/// #   (*header).pool = pool;
///     pool::x(pool);
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Census {
    /// Live cells.
    pub live: usize,
    /// Freed cells.
    pub free: usize,
    /// Cells whose destructor is running.
    pub dying: usize,
    /// Cells that were never used.
    pub unused: usize,
    /// Blocks: more than one if the pool has grown.
    pub blocks: usize,
}

/// Verifies every invariant of a pool, its blocks and cells, and counts the cells by state. Changes nothing. Visits
/// each cell that was ever used, in constant stack. Returns the first [`Damage`] found.
///
/// # Safety
/// `pool` points to the memory of a pool that belongs to this thread. The contents of that memory may be corrupt.
pub unsafe fn verify(pool: *mut Pool) -> Result<Census, Damage> {
    let mut census = Census::default();
    // SAFETY: [caller, blocks] the caller's pool is readable; a block is verified before its `next` is followed.
    unsafe {
        let mut before = pool;
        for block in blocks(pool) {
            header(pool, block)?;
            if block != pool && (*block).part.further.prev != before {
                return Err(Damage { at: block.cast(), what: "blocks whose links disagree" });
            }
            before = block;
            let counted = census.live + census.dying;
            cells(block, &mut census)?;
            free_cells(block)?;
            names(block)?;
            if live(block) != census.live + census.dying - counted {
                return Err(Damage { at: block.cast(), what: "a wrong number of live cells" });
            }
            census.blocks += 1;
        }
        let current = (*pool).current;
        if !blocks(pool).any(|block| block == current) {
            return Err(Damage { at: pool.cast(), what: "the current block is not one of the pool's" });
        }
        let skipped = if current == pool { 2 } else { 1 };
        let mut rest = blocks(current).skip(skipped);
        if rest.any(|block| live(block) != (*block).cells()) {
            return Err(Damage { at: pool.cast(), what: "free cells in a block behind the current one" });
        }
    }
    Ok(census)
}

/// Verifies the header of a block.
pub(crate) unsafe fn header(head: *mut Pool, block: *mut Pool) -> Result<(), Damage> {
    let err = |what| Err(Damage { at: block.cast(), what });
    // SAFETY: [caller] the caller's block is readable.
    let pool = unsafe { &*block };
    if pool.cell.kind != Kind::Pool as i32 {
        return err("not a live pool");
    }
    if pool.seal != seal::of_pool(block.addr(), seal::key()) {
        return err("a pool with a wrong seal");
    }
    if pool.head != head {
        return err("a block of another pool");
    }
    if pool.cell.size < size_of::<Pool>() || pool.high_water > pool.cells() {
        return err("more cells used than the block has");
    }
    if pool.first.addr() < block.addr() + size_of::<Pool>()
        || pool.stride < pool.cellsz
        || pool.cells().checked_mul(pool.stride).is_none_or(|bytes| bytes > pool.cell.size)
        || pool.first.addr() - block.addr() > pool.cell.size - pool.cells() * pool.stride
    {
        return err("cells beyond the end of the block");
    }
    if (pool.stride >> pool.shift).wrapping_mul(pool.inverse) != 1 {
        return err("a wrong inverse of the stride");
    }
    let handed_out = |cell: *mut PoolCell| cell.is_null() || pool.index(cell) < pool.high_water;
    if !handed_out(pool.top) || !handed_out(pool.bottom) {
        return err("a top or bottom that is not a cell");
    }
    Ok(())
}

/// Verifies each cell that was ever used.
pub(crate) unsafe fn cells(block: *mut Pool, census: &mut Census) -> Result<(), Damage> {
    // SAFETY: [high_water] the header was verified, so the cells below `high_water` have headers inside the block.
    unsafe {
        for index in 0..(*block).high_water {
            let cell = (*block).first.byte_add(index * (*block).stride);
            match (*cell).pool.addr().wrapping_sub(block.addr()) & !TAINTED {
                0 => census.live += 1,
                FREE => census.free += 1,
                DYING => census.dying += 1,
                _ => return Err(Damage { at: PoolCell::data(cell), what: "a cell that names another pool" }),
            }
        }
        census.unused += (*block).cells() - (*block).high_water;
    }
    Ok(())
}

/// Verifies the seal beside the address of the block in each cell. That address was verified before.
pub(crate) unsafe fn names(block: *mut Pool) -> Result<(), Damage> {
    // SAFETY: [high_water] as in `cells`.
    unsafe {
        for index in 0..(*block).high_water {
            let cell = (*block).first.byte_add(index * (*block).stride);
            if !PoolCell::may_follow(cell, block) {
                return Err(Damage { at: PoolCell::data(cell), what: "a cell with a wrong seal" });
            }
        }
    }
    Ok(())
}

/// Verifies that each free cell is either on the free list or parked, once.
unsafe fn free_cells(block: *mut Pool) -> Result<(), Damage> {
    // SAFETY: [high_water] the header was verified, so groups and cells below `high_water` lie inside the block and
    // are written; each pointer to one is verified before it is followed.
    unsafe {
        let Pool { first, stride, high_water, .. } = *block;
        let group_of = |index: usize| groups(block).add(index / GROUP);
        let parked = |index: usize| (*group_of(index)).free >> (index % GROUP) & 1 == 1;
        let mut free = 0;
        for index in 0..high_water {
            let cell = first.byte_add(index * stride);
            let is_free = (*cell).pool.addr() == block.addr() | FREE;
            if parked(index) && !is_free {
                return Err(Damage { at: PoolCell::data(cell), what: "a parked cell that is not free" });
            }
            free += usize::from(is_free && !parked(index));
        }
        let mut cell = (*block).bottom;
        while !cell.is_null() {
            let index = (*block).index(cell);
            if index >= high_water || (*cell).pool.addr() != block.addr() | FREE {
                return Err(Damage { at: cell.cast(), what: "a cell on the free list that is not free" });
            }
            if parked(index) || free == 0 {
                return Err(Damage { at: PoolCell::data(cell), what: "a cell that is free twice" });
            }
            free -= 1;
            cell = (*cell).last;
        }
        if free != 0 {
            return Err(Damage { at: block.cast(), what: "a free cell that is on no list" });
        }
        let written = high_water.div_ceil(GROUP);
        let mut waiting = (0..written).filter(|&at| (*groups(block).add(at)).free != 0).count();
        let mut group: *mut Group = (*block).parked;
        while !group.is_null() {
            let offset = group.addr().wrapping_sub(groups(block).addr());
            let at = offset / size_of::<Group>();
            if offset % size_of::<Group>() != 0 || at >= written || (*group).free == 0 || waiting == 0 {
                return Err(Damage {
                    at: block.cast(),
                    what: "a group without parked cells, on the list of groups",
                });
            }
            waiting -= 1;
            group = (*group).next;
        }
        if waiting != 0 {
            return Err(Damage { at: block.cast(), what: "parked cells whose group is on no list" });
        }
        let last = high_water % GROUP;
        if last != 0 && (*group_of(high_water)).free >> last != 0 {
            return Err(Damage { at: block.cast(), what: "parked cells that were never used" });
        }
    }
    Ok(())
}
