//! What valgrind is told, by client requests.

use crabgrind::memcheck::{MemState, mark_memory};
use crabgrind::valgrind as request;

use super::{HeapCell, Leads};

pub(crate) fn no_access(from: *mut u8, len: usize) {
    mark(from, len, MemState::NoAccess);
}

pub(crate) fn undefined(from: *mut u8, len: usize) {
    mark(from, len, MemState::Undefined);
}

pub(crate) fn defined(from: *mut u8, len: usize) {
    mark(from, len, MemState::Defined);
}

fn mark(from: *mut u8, len: usize, state: MemState) {
    // It fails where the program does not run under valgrind, which is as good.
    let _ = mark_memory(from.cast(), len, state);
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
