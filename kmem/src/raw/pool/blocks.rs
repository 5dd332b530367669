//! The blocks of a growing pool: which one cells are allocated from, and which one is given back to its source.
//!
//! Cells are allocated from the *current* block. If it has no free cell, another block becomes current. A block is given back when it is
//! empty and another one is at least half empty. The first block is never given back.
//!
//! Each step takes constant time, but giving a block back takes time in proportion to the number of blocks. That is possible because the order of the list of blocks says what there is to know: first comes the first block; then
//! the blocks that have free cells, the half empty ones before the others; then the current block; then those that are full. So the
//! block before the current one is the next one to allocate from. If the first block is current, all others are full, except perhaps
//! the one behind it.
//!
//! Only one block has cells that were never used. It is the last one to be allocated from, so it comes first if it is not current.
//!
//! Each block counts its live cells down to a *threshold*: the count of a full block, of a half empty one, or of an empty one. Only then
//! [`crossed`] has to look at the block. A block that is not current only loses cells, so its place in the list stays right until then.

use core::ptr::null_mut;

use super::free_list::{is_near, park, pop_free, pop_fresh, put};
use super::header::{blocks, layout_of};
use crate::cell::{FLAG_HOST, Kind};
use crate::fault::{self, Call, Misuse};
use crate::raw::layout::{NEVER, POOL_IN_BUFFER, Pool, PoolCell};
use crate::raw::pool::announce;
use crate::raw::request::Below;
use crate::raw::seal::heap_id;
use crate::raw::totals;
use crate::shred;

/// Returns true if a block is the first of its pool. Safety: the block is that of a live pool.
unsafe fn is_first(block: *mut Pool) -> bool {
    // SAFETY: [caller, blocks] each block names the first.
    unsafe { (*block).head == block }
}

/// Returns the threshold of a block. The first block has no word for it: it is [`NEVER`] or half of the cells, and `slack` shows which.
unsafe fn threshold(block: *mut Pool) -> usize {
    // SAFETY: [caller, blocks] the caller's block is live, and the part is that of a further block unless it is the first.
    unsafe {
        match is_first(block) {
            true if (*block).slack < NEVER / 2 => (*block).cells() / 2,
            true => NEVER,
            false => (*block).part.further.threshold,
        }
    }
}

/// Returns the number of live cells of a block, with those whose destructor is running. Safety: the block is that of a live pool.
pub(crate) unsafe fn live(block: *mut Pool) -> usize {
    // SAFETY: [caller, live-cells] the caller's block is live.
    unsafe { (*block).slack.wrapping_add(threshold(block)) }
}

unsafe fn set_threshold(block: *mut Pool, to: usize) {
    // SAFETY: [caller, live-cells] the caller's block is live.
    unsafe {
        (*block).slack = live(block).wrapping_sub(to);
        if !is_first(block) {
            (*block).part.further.threshold = to;
        }
    }
}

/// Sets the highest threshold below the present number of live cells. Safety: the block is one of this pool.
unsafe fn watch(head: *mut Pool, block: *mut Pool) {
    // SAFETY: [caller, blocks] the caller's blocks are live.
    unsafe {
        let (live, cells) = (live(block), (*block).cells());
        set_threshold(
            block,
            if live > 0 && live == cells && block != head && block != (*head).current {
                cells - 1
            } else if live > cells / 2 {
                cells / 2
            } else if live > 0 && block != head {
                0
            } else {
                NEVER
            },
        );
    }
}

unsafe fn is_half_empty(block: *mut Pool) -> bool {
    // SAFETY: [caller] the caller's block is live.
    unsafe { (*block).cells() > 0 && live(block) <= (*block).cells() / 2 }
}

unsafe fn is_full(block: *mut Pool) -> bool {
    // SAFETY: [caller] the caller's block is live.
    unsafe { live(block) >= (*block).cells() }
}

unsafe fn has_freed_cells(block: *mut Pool) -> bool {
    // SAFETY: [caller] the caller's block is live.
    unsafe { (*block).bottom.addr() | (*block).parked.addr() != 0 }
}

/// Makes another block current. Safety: both are blocks of this pool.
unsafe fn switch(head: *mut Pool, to: *mut Pool) {
    // SAFETY: [caller, blocks] the caller's blocks are live.
    unsafe {
        let from = (*head).current;
        (*head).current = to;
        watch(head, from);
    }
}

unsafe fn insert_behind(prev: *mut Pool, block: *mut Pool) {
    // SAFETY: [caller, blocks] the caller's blocks are live, and those behind the first one are further blocks.
    unsafe {
        let next = (*prev).next;
        (*block).part.further.prev = prev;
        (*block).next = next;
        (*prev).next = block;
        if !next.is_null() {
            (*next).part.further.prev = block;
        }
    }
}

unsafe fn unlink(block: *mut Pool) {
    // SAFETY: [caller, blocks] the caller gives a further block of a live pool.
    unsafe {
        let (prev, next) = ((*block).part.further.prev, (*block).next);
        (*prev).next = next;
        if !next.is_null() {
            (*next).part.further.prev = prev;
        }
    }
}

/// Makes the current block one before which a block with free cells may be inserted, if there is such a block.
unsafe fn leave_first(head: *mut Pool) {
    // SAFETY: [caller, blocks] the caller gives the first block of a live pool.
    unsafe {
        let next = (*head).next;
        if (*head).current == head && !next.is_null() && !is_full(next) {
            switch(head, next);
        }
    }
}

/// Adds a new block to a pool. Safety: `head` is the first block of a live pool. The block names it, and nobody uses its cells.
pub(crate) unsafe fn add(head: *mut Pool, block: *mut Pool) {
    // SAFETY: [caller, blocks] the caller's blocks are live.
    unsafe {
        leave_first(head);
        insert_behind(head, block);
        watch(head, block);
    }
}

/// Returns the peak number of live cells: that of the present blocks, or the one stored when a block was given back.
/// Safety: `head` is the first block of a live pool.
pub(crate) unsafe fn peak(head: *mut Pool) -> usize {
    // SAFETY: [caller, blocks, high_water] the caller's pool is live, and so are its blocks.
    unsafe {
        let used = blocks(head).map(|block| (*block).high_water).sum::<usize>();
        let before = (*head).cells as isize;
        if before < 0 { used.max(before.unsigned_abs()) } else { used }
    }
}

/// Returns a cell of the current block that was never used, if no other block has a free cell, or null. Called only if the current block
/// has no free cell. Safety: `head` is the first block of a live pool of this thread, and `current` its current one.
#[inline(always)]
pub(crate) unsafe fn pop_next(head: *mut Pool, current: *mut Pool) -> *mut PoolCell {
    // SAFETY: [caller, blocks] the caller's blocks are live.
    unsafe {
        let none = if current == head {
            (*head).next.is_null() || !has_freed_cells((*head).next)
        } else {
            !has_freed_cells((*current).part.further.prev)
        };
        if none { pop_fresh(current) } else { null_mut() }
    }
}

/// Allocates a free cell of a growing pool, and makes its block the current one. Returns null if all cells are in use. Called only if the
/// free list of the current block is empty. Safety: `head` is the first block of a live pool of this thread.
#[inline(never)]
pub(crate) unsafe fn take(head: *mut Pool) -> *mut PoolCell {
    // SAFETY: [caller, blocks] the caller's pool is live, and so are its blocks.
    unsafe {
        loop {
            let current = (*head).current;
            let cell = pop_free(current);
            if !cell.is_null() {
                return cell;
            }
            // A cell that was never used is taken only if no other cell is free: see `pop_fresh`.
            let is_used_up = (*current).high_water >= (*current).cells();
            let other = if current == head { (*head).next } else { (*current).part.further.prev };
            if other.is_null() || !has_freed_cells(other) {
                let cell = pop_fresh(current);
                if !cell.is_null() {
                    return cell;
                }
                if other.is_null() || other == head || current == head && is_full(other) {
                    return null_mut();
                }
            } else if !is_used_up && current != head && other != head {
                unlink(current);
                insert_behind(head, current);
            }
            switch(head, other);
        }
    }
}

/// Pushes a cell onto the free list of its block. If the block is empty then, it may be given back to its source. Safety: as for
/// [`put`].
#[inline(always)]
pub(crate) unsafe fn put_back(block: *mut Pool, cell: *mut PoolCell, below: &Below) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if !is_near(block, cell) {
            put_back_far(block, cell, below);
        } else if put(block, cell) {
            crossed(block, below);
        }
    }
}

/// [`put_back`] of a cell that is far from the head of the free list.
#[inline(never)]
unsafe fn put_back_far(block: *mut Pool, cell: *mut PoolCell, below: &Below) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        park(block, cell);
        if put(block, cell) {
            crossed(block, below);
        }
    }
}

/// Looks at a block whose number of live cells fell to its threshold: moves it in the list, and gives it or another one back. Safety: the
/// block is that of a pool of this thread, which is not used by the caller any more.
#[cold]
#[inline(never)]
unsafe fn crossed(block: *mut Pool, below: &Below) {
    // SAFETY: [caller, blocks, live-cells] the caller's block is live, and so are the others.
    unsafe {
        let head = (*block).head;
        if (*head).cell.kind != Kind::Pool as i32 {
            // The pool is being destroyed.
            return;
        }
        let moves = block != head && block != (*head).current;
        let live = threshold(block);
        if moves && live + 1 == (*block).cells() {
            // The block was full.
            unlink(block);
            leave_first(head);
            let current = (*head).current;
            insert_behind(if current == head { head } else { (*current).part.further.prev }, block);
        }
        watch(head, block);
        if live > (*block).cells() / 2 {
            return;
        }
        if moves {
            unlink(block);
            insert_behind(head, block);
        }
        let second = (*head).next;
        let third = if second.is_null() { second } else { (*second).next };
        let last = if third.is_null() { third } else { (*third).next };
        // Any other half empty block is behind one of these.
        let others = || {
            [(*head).current, head, second, third, last]
                .into_iter()
                .filter(|&other| !other.is_null() && other != block)
        };
        let empty = if live == 0 && block != head {
            if others().any(|other| is_half_empty(other)) { block } else { null_mut() }
        } else {
            others().find(|&other| other != head && self::live(other) == 0).unwrap_or(null_mut())
        };
        if empty.is_null() || !may_give_back(empty) {
            watch(head, (*head).current);
        } else {
            remove(head, empty, below);
        }
    }
}

/// Gives all empty blocks but the first back to their source. Safety: `head` is the first block of a live pool of this thread.
pub(crate) unsafe fn remove_empty(head: *mut Pool, below: &Below) {
    // SAFETY: [caller, blocks, live-cells] the caller's pool is live. The source may use it, so each search begins anew.
    unsafe {
        let is_empty = |block: &*mut Pool| *block != head && live(*block) == 0 && may_give_back(*block);
        while let Some(block) = blocks(head).find(is_empty) {
            remove(head, block, below);
        }
    }
}

/// Returns true if this copy of kmem may give a block back. A block from the heap of another copy stays until that copy destroys the
/// pool. Safety: the block is live.
unsafe fn may_give_back(block: *mut Pool) -> bool {
    // SAFETY: [caller] the caller's block is live.
    unsafe { !(*block).src.is_null() || (*block).cell.heap == heap_id() }
}

/// Gives an empty block back to its source. Safety: the block is a further one of this pool.
unsafe fn remove(head: *mut Pool, block: *mut Pool, below: &Below) {
    // SAFETY: [caller, blocks] the caller's blocks are live.
    unsafe {
        if (*head).current == block {
            (*head).current = (*block).part.further.prev;
        }
        // All cells of the first block have been used, so its header need not store their number twice.
        (*head).cells = peak(head).wrapping_neg();
        unlink(block);
        give_back(fault::call!(c"kmpoolf"), block, (below.shreds)(head.cast()), below);
    }
}

/// Frees the memory of a block. Zeroes it first, if the pool or a source is tainted. Safety: nobody uses the block any more.
pub(crate) unsafe fn give_back(call: Call, block: *mut Pool, shred: bool, below: &Below) {
    // SAFETY: [caller, high_water, origin] the block is the caller's. It is zeroed from its first cell to the last one ever used, and freed
    // with the layout it was allocated with.
    unsafe {
        let Pool { first, high_water, stride, src, seal, .. } = *block;
        let cells = (*block).cells();
        announce::pool_gone(block, first.cast(), cells * stride);
        if shred {
            shred::zero(first.cast(), high_water * stride);
        }
        let (flags, heap, layout) = ((*block).cell.flags, (*block).cell.heap, layout_of(block));
        ((*block).cell.kind, (*block).seal) = (Kind::Pool.freed(), !seal);
        totals::ended(Kind::Pool, layout.size());
        if flags & (POOL_IN_BUFFER | FLAG_HOST) != 0 {
            // The caller's buffer, or the data of a node.
        } else if src.is_null() && heap != heap_id() {
            fault::report(call, block.cast(), Misuse::OtherHeap);
        } else {
            (below.give_back)(src, block.cast(), layout);
        }
    }
}

/// Returns the further block with the smallest address above this one, or null. Safety: `head` is the first block of a live pool.
pub(crate) unsafe fn after(head: *mut Pool, addr: usize) -> *mut Pool {
    let mut found: *mut Pool = null_mut();
    // SAFETY: [caller, blocks] the caller's pool is live, and so are its blocks.
    unsafe {
        let mut block = (*head).next;
        while !block.is_null() {
            if block.addr() > addr && (found.is_null() || block.addr() < found.addr()) {
                found = block;
            }
            block = (*block).next;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::pool::{Spec, a, f, init, verify, x};

    /// Returns true if no further block is empty while another block is at least half empty.
    unsafe fn has_no_spare_block(head: *mut Pool) -> bool {
        // SAFETY: the caller gives a live pool.
        unsafe {
            let half_empty = blocks(head).filter(|&block| is_half_empty(block)).count();
            half_empty < 2 || blocks(head).all(|block| block == head || live(block) > 0)
        }
    }

    #[test]
    #[cfg(feature = "heap")]
    fn a_block_is_given_back_when_it_is_empty_and_another_is_at_least_half_empty() {
        let mut state = 1u64;
        let mut below = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % most
        };
        for first in 1..12 {
            // SAFETY: each cell is freed once, before its pool.
            unsafe {
                let spec = Spec { grows: true, ..Spec::new(8, first) };
                let pool = init(null_mut(), &spec).unwrap().as_ptr();
                let mut cells = std::vec::Vec::new();
                for _ in 0..60 {
                    let odds = below(11);
                    for _ in 0..below(200) {
                        if below(10) < odds || cells.is_empty() {
                            cells.push(a(pool));
                        } else {
                            f(cells.swap_remove(below(cells.len())));
                        }
                        assert!(has_no_spare_block(pool), "{first}");
                        verify(pool).unwrap();
                    }
                }
                while !cells.is_empty() {
                    f(cells.swap_remove(below(cells.len())));
                    assert!(has_no_spare_block(pool), "{first}");
                }
                assert_eq!(verify(pool).unwrap().blocks, 1);
                x(pool);
            }
        }
    }
}
