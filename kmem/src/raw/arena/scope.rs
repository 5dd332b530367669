//! Scopes of an arena, and the end of everything in a scope or in the arena.

use core::ptr::null_mut;

use super::block::{BLOCK, enter, growth_source, untaken};
use super::header::{ARENA_IN_BUFFER, ARENA_STORE, Arena, Block, Rooms};
use super::own;
use super::room::{set_lists, sort_older};
use super::watch;
use crate::cell::{Cell, FLAG_HOST, Kind, Shred};
use crate::fault::{self, Call, Misuse};
use crate::raw::chain::shreds;
use crate::raw::layout::{ARENA_CELL, CellAt};
use crate::raw::request::BASE_ALIGN;
use crate::raw::source::give_back;
use crate::raw::{check, end, sanitizer, seal, totals};
use crate::shred;
use core::alloc::Layout;

/// The beginning of a scope (`kmmark` in C). A mark of zeros stands for the beginning of the arena.
/// Exhaustive: C code relies on the size.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Mark {
    at: *mut u8,
    block: *mut Block,
    rooms: *mut Rooms,
    floor: *mut u8,
    floor_block: *mut Block,
    /// The number of the scope around it, or 0.
    outer: usize,
    /// The number of the scope, or 0 for a mark of zeros.
    scope: usize,
    seal: usize,
}

impl Mark {
    /// The mark of zeros.
    pub const START: Mark = Mark {
        at: null_mut(),
        block: null_mut(),
        rooms: null_mut(),
        floor: null_mut(),
        floor_block: null_mut(),
        outer: 0,
        scope: 0,
        seal: 0,
    };

    /// Returns the seal of a mark of this arena.
    #[inline(always)]
    fn seal(&self, arena: *mut Arena) -> usize {
        let Mark { at, block, rooms, floor, floor_block, outer, scope, .. } = *self;
        // Each field is rotated by another number of bits, so that equal fields do not cancel out.
        let places = at.addr() ^ block.addr().rotate_left(7) ^ rooms.addr().rotate_left(13);
        let floors = floor.addr().rotate_left(19) ^ floor_block.addr().rotate_left(23);
        places ^ floors ^ outer.rotate_left(29) ^ scope.rotate_left(3) ^ arena.addr() ^ seal::key()
    }
}

/// Begins a scope. Safety: the arena is live and belongs to this thread.
#[inline]
pub(crate) unsafe fn begin(arena: *mut Arena) -> Mark {
    // SAFETY: [caller] the contract is the caller's.
    let mark = unsafe { enter_scope(arena) };
    Mark { seal: mark.seal(arena), ..mark }
}

/// Begins a scope, and returns its mark without a seal, for [`leave`]. Safety: as for [`begin`].
#[inline(always)]
pub(crate) unsafe fn enter_scope(arena: *mut Arena) -> Mark {
    // SAFETY: [caller] the arena is live.
    unsafe {
        let this = &mut *arena;
        let mark = Mark {
            at: this.at,
            block: this.block,
            rooms: this.rooms,
            floor: this.floor,
            floor_block: this.floor_block,
            outer: this.scope,
            scope: this.serial + 1,
            seal: 0,
        };
        this.serial += 1;
        this.scope = this.serial;
        (this.floor, this.floor_block) = (this.at, this.block);
        set_lists(this, null_mut());
        // One byte lies between the scope and the object before it, so that this object is not the newest any more. The last byte
        // of a block is never that of an object.
        if this.at != this.end {
            this.at = this.at.add(1);
        }
        mark
    }
}

/// The objects that are freed as a whole.
enum What {
    Scope(Mark),
    Everything,
    Arena,
}

/// A scope or an arena that is being ended. Dropping this runs the remaining destructors, even after one of them unwinds, and then
/// frees the memory.
struct Ending {
    call: Call,
    arena: *mut Arena,
    what: What,
    /// The `ending` of the arena before.
    before: usize,
}

impl Ending {
    /// Frees the cells with a watch, the newest first.
    unsafe fn run(&self) {
        let from = if let What::Scope(mark) = &self.what { mark.scope } else { 0 };
        // SAFETY: [watches] a watch leaves the list before its cell is freed, or with it. So the list gets shorter.
        unsafe {
            loop {
                let newest = (*self.arena).watches;
                if newest.is_null() || (*newest).scope < from {
                    return;
                }
                if own::is_owned(newest) {
                    own::drop_value(self.call, newest);
                    continue;
                }
                let cell = (*newest).watched;
                if !cell.is_null() && (*cell).kind == Kind::Arena as i32 {
                    release(cell.cast::<u8>().add(ARENA_CELL), self.call, Shred::No);
                }
                if (*self.arena).watches == newest {
                    watch::unlink(newest);
                }
            }
        }
    }

    /// Zeroes what lies behind `at` in `block` and in the blocks up to the current one, if the arena zeroes.
    unsafe fn zero(&self, block: *mut Block, at: *mut u8) {
        let arena = self.arena;
        // SAFETY: [blocks] the blocks up to the current one are live, and their objects are freed.
        unsafe {
            if !shreds(arena.cast()) {
                return;
            }
            let (mut block, mut from) = (block, at);
            loop {
                let last = block == (*arena).block;
                let to = if last { (*arena).at } else { (*block).end };
                super::block::taken(from, to.addr() - from.addr());
                shred::zero(from, to.addr() - from.addr());
                if last {
                    return;
                }
                block = (*block).next;
                from = block.cast::<u8>().add(BLOCK);
            }
        }
    }

    /// Announces to tools that the blocks behind `block`, up to the current one, are not in use.
    unsafe fn leave_blocks(&self, mut block: *mut Block) {
        // SAFETY: [blocks] as in `zero`.
        unsafe {
            while sanitizer::ON && block != (*self.arena).block {
                block = (*block).next;
                untaken(block.cast::<u8>().add(BLOCK), (*block).end);
            }
        }
    }

    unsafe fn finish(&self) {
        let arena = self.arena;
        // SAFETY: [guard, blocks] nothing in the scope or in the arena is used any more.
        unsafe {
            (*arena).ending = self.before;
            let first = &raw mut (*arena).first;
            match &self.what {
                What::Scope(mark) => {
                    self.zero(mark.block, mark.at);
                    self.leave_blocks(mark.block);
                    let this = &mut *arena;
                    (this.block, this.at, this.end) = (mark.block, mark.at, (*mark.block).end);
                    untaken(this.at, this.end);
                    return_to(this, mark);
                    if !this.older.is_null() {
                        sort_older(arena);
                    }
                }
                What::Everything => {
                    self.zero(first, first.cast::<u8>().add(BLOCK));
                    self.leave_blocks(first);
                    enter(arena, first);
                    let this = &mut *arena;
                    (this.older, this.scope) = (null_mut(), 0);
                    (this.floor, this.floor_block) = (null_mut(), null_mut());
                    set_lists(this, null_mut());
                }
                What::Arena => {
                    self.zero(first, first.cast::<u8>().add(BLOCK));
                    free_blocks(arena);
                }
            }
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // SAFETY: [guard] the arena is live until this is dropped.
        unsafe {
            self.run();
            self.finish();
        }
    }
}

/// Gives the blocks of an arena back, the newest first. Safety: nothing in the arena is used any more.
unsafe fn free_blocks(arena: *mut Arena) {
    // SAFETY: [blocks, origin] each block was allocated from the source with its size; the first one begins with the arena.
    unsafe {
        let mut block = (*arena).block;
        while !(*block).next.is_null() {
            block = (*block).next;
        }
        let (source, growth) = ((*arena).src, growth_source(arena));
        let first = &raw mut (*arena).first;
        while block != first {
            let before = (*block).prev;
            let size = (*block).end.addr() - block.addr();
            super::block::taken(block.cast(), size);
            totals::subtract(Kind::Arena, 0, size);
            give_back(growth, block.cast(), Layout::from_size_align_unchecked(size, BASE_ALIGN));
            block = before;
        }
        let size = (*block).end.addr() - arena.addr();
        super::block::taken(block.cast::<u8>().add(BLOCK), (*block).end.addr() - block.addr() - BLOCK);
        (*arena).cell.kind = Kind::Arena.freed();
        totals::subtract(Kind::Arena, 1, size);
        // Freeing the node of an arena on a node frees the first block.
        if (*arena).cell.flags & (ARENA_IN_BUFFER | FLAG_HOST) == 0 {
            give_back(source, arena.cast(), Layout::from_size_align_unchecked(size, BASE_ALIGN));
        }
    }
}

/// Runs the destructors of a scope or an arena, and frees its memory. Safety: the arena is live and belongs to this thread, and
/// nobody uses the objects any more.
#[inline(never)]
unsafe fn free(call: Call, arena: *mut Arena, what: What) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let before = (*arena).ending;
        (*arena).ending = (*arena).serial + 1;
        let ending = Ending { call, arena, what, before };
        ending.run();
    }
}

/// Ends a scope, or empties the arena if the mark is zero. Safety: the arena is live and belongs to this thread. Nobody uses what was
/// allocated in the scope.
#[inline]
pub(crate) unsafe fn end(call: Call, arena: *mut Arena, mark: &Mark) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let ending = (*arena).ending;
        let misuse = if mark.scope == 0 && ending == 0 {
            return free(call, arena, What::Everything);
        } else if mark.scope != (*arena).scope || mark.seal != mark.seal(arena) {
            Misuse::NotInnermost
        } else if mark.scope < ending {
            Misuse::BeingFreed
        } else {
            return leave(call, arena, mark);
        };
        fault::report(call, arena.cast(), misuse);
    }
}

/// Ends the innermost scope, whose mark this is. Safety: as for [`end`].
#[inline(always)]
pub(crate) unsafe fn leave(call: Call, arena: *mut Arena, mark: &Mark) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let this = &mut *arena;
        let plain = (this.watches.is_null() || (*this.watches).scope < mark.scope)
            && this.older.is_null()
            && Arena::is_plain(arena)
            && this.block == mark.block;
        // Otherwise there is something to run, zero or sort.
        if !plain {
            return free(call, arena, What::Scope(*mark));
        }
        untaken(mark.at, this.end);
        this.at = mark.at;
        return_to(this, mark);
    }
}

/// Makes the scope around that of the mark the innermost one.
#[inline(always)]
fn return_to(arena: &mut Arena, mark: &Mark) {
    arena.scope = mark.outer;
    (arena.floor, arena.floor_block) = (mark.floor, mark.floor_block);
    set_lists(arena, mark.rooms);
}

/// Destroys an arena. Safety: as for [`end`], for everything in the arena.
pub(crate) unsafe fn tear_down(call: Call, arena: *mut Arena) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { free(call, arena, What::Arena) }
}

/// Frees an object of an arena on behalf of `call`. Ignores null. Safety: `data` is null, or the header before it is readable.
#[cfg_attr(not(kmem_standalone), inline(always))]
#[cfg_attr(kmem_standalone, inline(never))]
pub(crate) unsafe fn release(data: *mut u8, call: Call, shred: Shred) {
    if data.is_null() {
        return;
    }
    // SAFETY: [caller, live] the header is readable. `end` runs only if it is that of a live object.
    unsafe {
        let at = CellAt::new(Kind::Arena, data);
        if check::check(call, at) {
            if (*at.cell()).flags & ARENA_STORE != 0 {
                return fault::report(call, data, Misuse::WrongKind(Kind::Arena));
            }
            end::end(call, at, shred.is_yes());
        }
    }
}

/// Returns true if a header of [`Kind::Arena`] is that of an arena, and its seal valid. Safety: the header is readable.
#[inline(always)]
unsafe fn is_sealed(arena: *mut Arena) -> bool {
    // SAFETY: [caller] the header is readable.
    unsafe { (*arena).cell.flags & ARENA_STORE != 0 && (*arena).seal == seal::of_arena(arena.addr()) }
}

/// Returns true if this is a live arena. Otherwise reports the misuse. Safety: if the address is aligned, a header is readable there.
#[inline]
pub(crate) unsafe fn check_arena(call: Call, arena: *mut Arena) -> bool {
    // SAFETY: [caller] the header is readable; only an aligned one is read.
    unsafe {
        let found = if arena.addr() & (BASE_ALIGN - 1) == 0 { (*arena).cell.kind } else { 0 };
        if found == Kind::Arena as i32 && is_sealed(arena) {
            return true;
        }
        report_bad_arena(call, arena.cast(), found);
    }
    false
}

/// Returns true if this is the header of an arena on a node. Safety: the bytes of an arena's header are readable there.
#[cfg(feature = "tree")]
pub(crate) unsafe fn is_hosted(arena: *mut Arena) -> bool {
    // SAFETY: [caller] the caller's bytes are readable.
    unsafe {
        (*arena).cell.kind == Kind::Arena as i32 && (*arena).cell.flags & FLAG_HOST != 0 && is_sealed(arena)
    }
}

#[cold]
#[inline(never)]
fn report_bad_arena(call: Call, arena: *mut Cell, found: i32) {
    fault::report(call, arena.cast(), fault::classify(Kind::Arena, found));
}
