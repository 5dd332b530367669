//! What valgrind is told, by client requests.

use crabgrind::memcheck::{MemState, mark_memory};
use crabgrind::valgrind as request;

#[cfg(feature = "pool")]
use super::{HEADER, Pool};
use super::{HeapCell, Leads, SPARE};
#[cfg(feature = "pool")]
use crate::cell::{Cell, FLAG_BUFFER, FLAG_HOST, Kind};
#[cfg(feature = "pool")]
use crate::raw::pool::header;
#[cfg(all(feature = "pool", feature = "tree"))]
use crate::raw::tree;

pub(super) fn no_access(from: *mut u8, len: usize) {
    mark(from, len, MemState::NoAccess);
}

pub(super) fn undefined(from: *mut u8, len: usize) {
    mark(from, len, MemState::Undefined);
}

pub(super) fn defined(from: *mut u8, len: usize) {
    mark(from, len, MemState::Defined);
}

fn mark(from: *mut u8, len: usize, state: MemState) {
    // It fails where the program does not run under valgrind, which is as good.
    let _ = mark_memory(from.cast(), len, state);
}

#[cfg(feature = "pool")]
pub(super) fn allocated(pool: *mut Pool, data: *mut u8, size: usize) {
    request::mempool_alloc(pool.cast(), data.cast(), size);
}

#[cfg(feature = "pool")]
pub(super) fn resized(data: *mut u8, size: usize) {
    // SAFETY: [caller, tag] this is the data of a live cell.
    let pool = unsafe { (*header(data)).pool };
    request::mempool_change(pool.cast(), data.cast(), data.cast(), size);
}

#[cfg(feature = "pool")]
pub(super) fn freed(pool: *mut Pool, data: *mut u8) {
    request::mempool_free(pool.cast(), data.cast());
}

/// valgrind ends the program where a pool is made twice.
#[cfg(feature = "pool")]
pub(super) fn forget_pool(pool: *mut Pool) {
    if request::mempool_exists(pool.cast()) {
        request::mempool_destroy(pool.cast());
    }
}

/// Of the `behind` bytes between a cell's data and the next header valgrind says that they lie next to the cell. It makes
/// as many inaccessible on either side of each cell that is handed out or given back.
#[cfg(feature = "pool")]
pub(super) fn make_pool(pool: *mut Pool, cells: *mut u8, behind: usize) {
    request::create_mempool(pool.cast(), behind.min(HEADER), false, None);
    if let Some(block) = Around::of(pool) {
        block.resize(block.whole, block.header);
        let groups = pool.wrapping_add(1).cast();
        undefined(groups, cells.addr() - groups.addr());
    }
}

#[cfg(feature = "pool")]
pub(super) fn destroy_pool(pool: *mut Pool) {
    request::mempool_destroy(pool.cast());
    if let Some(block) = Around::of(pool) {
        block.resize(block.header, block.whole);
    }
}

/// The block around a pool as valgrind knows it.
///
/// While the pool lives it is said to end with the pool's header. An address in a freed cell would otherwise be
/// described as one in this block or, in the first cell, as one close to it; and the leak check gives up where one
/// block lies in another.
#[cfg(feature = "pool")]
struct Around {
    src: *mut Cell,
    base: *mut u8,
    /// Bytes from its base to the end of the pool's header.
    header: usize,
    /// All of its bytes.
    whole: usize,
}

#[cfg(feature = "pool")]
impl Around {
    fn of(pool: *mut Pool) -> Option<Around> {
        // SAFETY: [caller, hosted] the pool has been written and is not given back yet; one with this flag is the data of a node.
        unsafe {
            let at = |src, offset| Around {
                src,
                base: pool.cast::<u8>().wrapping_sub(offset),
                header: offset + size_of::<Pool>(),
                whole: offset + (*pool).cell.size + if src.is_null() { SPARE } else { 0 },
            };
            match (*pool).cell.flags & (FLAG_BUFFER | FLAG_HOST) {
                0 => Some(at((*pool).src, 0)),
                #[cfg(feature = "tree")]
                FLAG_HOST => {
                    let node = tree::header(pool.cast());
                    Some(at((*node).src, tree::HEADER.max(1 << (*node).cell.align)))
                }
                _ => None,
            }
        }
    }

    fn resize(&self, from: usize, to: usize) {
        // SAFETY: [outlives] the source of a pool outlives it.
        let pool = !self.src.is_null() && unsafe { (*self.src).kind } == Kind::Pool as i32;
        // Without a word where this is no block that valgrind knows: the heap beneath, or a source of the program's, may
        // be something else than `malloc`.
        request::disable_error_reporting();
        if pool {
            request::mempool_change(self.src.cast(), self.base.cast(), self.base.cast(), to);
        } else {
            request::resizeinplace_block(self.base.cast(), from, to, 0);
        }
        request::enable_error_reporting();
    }
}

/// Two words behind the block of a cell drawn from the heap, and a gap before them.
///
/// valgrind's leak check takes a cell for reachable if the program has a pointer to the start of its block, which in what `malloc` returned is
/// the header. So a cell is told as a mempool of its own, for whose blocks the check leaves out the one of `malloc`: the data, to which
/// the program points, and the header if it leads on. The words lead from the one to the other:
///
/// | | first block | second block | first word |
/// |---|---|---|---|
/// | [`Leads::Nowhere`] | data | | null |
/// | [`Leads::On`] | data to first word | header | the header |
/// | [`Leads::Inside`] | header to first word | second word | the second word |
impl HeapCell {
    const GAP: usize = 16;
    const WORD: usize = size_of::<*mut u8>();

    fn first(&self) -> *mut *mut u8 {
        self.end.map_addr(|end| (end + Self::GAP + Self::WORD - 1) & !(Self::WORD - 1)).cast()
    }

    fn second(&self) -> *mut u8 {
        self.first().wrapping_add(1).cast()
    }

    fn between(from: *mut u8, to: *mut u8) -> usize {
        to.addr() - from.addr()
    }

    /// Adds a block, whose bytes stay as valgrind knows them.
    fn add(&self, at: *mut u8, len: usize) {
        request::mempool_alloc(self.header.cast(), at.cast(), 0);
        self.change(at, at, len);
    }

    fn change(&self, from: *mut u8, to: *mut u8, len: usize) {
        request::mempool_change(self.header.cast(), from.cast(), to.cast(), len);
    }

    pub(in crate::raw) fn made(&self, leads: Leads) {
        undefined(self.first().cast(), 2 * Self::WORD);
        // SAFETY: [extent] the heap gave so many bytes more than the cell's block has.
        unsafe { self.first().write(core::ptr::null_mut()) };
        request::create_mempool(self.header.cast(), 0, false, None);
        self.add(self.data, Self::between(self.data, self.end));
        self.leads(leads);
    }

    /// Where the header leads has changed.
    pub(in crate::raw) fn leads(&self, now: Leads) {
        let (header, data, second) = (self.header, self.data, self.second());
        let before = self.before();
        // Blocks may not overlap in between.
        let word = match (before, now) {
            (Leads::Inside, Leads::On) => {
                self.change(header, header, Self::between(header, data));
                self.change(second, data, Self::between(data, second));
                header
            }
            (Leads::Nowhere, Leads::On) => {
                self.change(data, data, Self::between(data, second));
                self.add(header, Self::between(header, data));
                header
            }
            (Leads::On, Leads::Inside) => {
                self.change(data, second, Self::WORD);
                self.change(header, header, Self::between(header, second));
                second
            }
            (Leads::Nowhere, Leads::Inside) => {
                self.change(data, second, Self::WORD);
                self.add(header, Self::between(header, second));
                second
            }
            _ => return,
        };
        // SAFETY: [extent] `made` wrote it.
        unsafe { self.first().write(word) };
    }

    fn before(&self) -> Leads {
        // SAFETY: [extent] `made` wrote it.
        let word = unsafe { self.first().read() };
        if word.is_null() {
            Leads::Nowhere
        } else if word == self.header {
            Leads::On
        } else {
            Leads::Inside
        }
    }

    /// The cell is about to be given back.
    pub(in crate::raw) fn ended(&self) {
        if self.before() == Leads::Inside {
            self.leads(Leads::On);
        }
        request::mempool_free(self.header.cast(), self.data.cast());
        request::mempool_destroy(self.header.cast());
        // What it held is for the heap to know.
        defined(self.header, Self::between(self.header, self.data));
        undefined(self.data, Self::between(self.data, self.end));
    }
}
