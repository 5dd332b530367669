//! Client requests to valgrind.

use crabgrind::memcheck::{MemState, mark_memory};
use crabgrind::valgrind as request;

use super::{HeaderLinks, HeapCell};

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
    // This fails outside valgrind, where no mark is needed.
    let _ = mark_memory(from.cast(), len, state);
}

/// Behind the block of a heap cell lie a gap and two words for valgrind.
///
/// The leak check of valgrind treats a block of `malloc` as reachable if a pointer to its start exists. The block of a cell starts
/// with the header, but user code has pointers to the data. So each cell is announced as a mempool, whose blocks replace the
/// `malloc` block: the data, and the header if it points to other cells. The words point from one block to the other:
///
/// | | first block | second block | first word |
/// |---|---|---|---|
/// | [`HeaderLinks::None`] | data | | null |
/// | [`HeaderLinks::Out`] | data to first word | header | the header |
/// | [`HeaderLinks::In`] | header to first word | second word | the second word |
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

    /// Adds a block without changing what valgrind knows of its bytes.
    fn add(&self, at: *mut u8, len: usize) {
        request::mempool_alloc(self.header.cast(), at.cast(), 0);
        self.change(at, at, len);
    }

    fn change(&self, from: *mut u8, to: *mut u8, len: usize) {
        request::mempool_change(self.header.cast(), from.cast(), to.cast(), len);
    }

    pub(in crate::raw) fn made(&self, links: HeaderLinks) {
        undefined(self.first().cast(), 2 * Self::WORD);
        // SAFETY: [extent] the block of the heap has this many extra bytes.
        unsafe { self.first().write(core::ptr::null_mut()) };
        request::create_mempool(self.header.cast(), 0, false, None);
        self.add(self.data, Self::between(self.data, self.end));
        self.set_links(links);
    }

    /// Announces a change of the pointers between the header and other cells.
    pub(in crate::raw) fn set_links(&self, now: HeaderLinks) {
        let (header, data, second) = (self.header, self.data, self.second());
        let before = self.before();
        // Blocks must not overlap at any moment.
        let word = match (before, now) {
            (HeaderLinks::In, HeaderLinks::Out) => {
                self.change(header, header, Self::between(header, data));
                self.change(second, data, Self::between(data, second));
                header
            }
            (HeaderLinks::None, HeaderLinks::Out) => {
                self.change(data, data, Self::between(data, second));
                self.add(header, Self::between(header, data));
                header
            }
            (HeaderLinks::Out, HeaderLinks::In) => {
                self.change(data, second, Self::WORD);
                self.change(header, header, Self::between(header, second));
                second
            }
            (HeaderLinks::None, HeaderLinks::In) => {
                self.change(data, second, Self::WORD);
                self.add(header, Self::between(header, second));
                second
            }
            _ => return,
        };
        // SAFETY: [extent] `made` wrote it.
        unsafe { self.first().write(word) };
    }

    fn before(&self) -> HeaderLinks {
        // SAFETY: [extent] `made` wrote it.
        let word = unsafe { self.first().read() };
        if word.is_null() {
            HeaderLinks::None
        } else if word == self.header {
            HeaderLinks::Out
        } else {
            HeaderLinks::In
        }
    }

    /// Announces that the cell will be freed.
    pub(in crate::raw) fn ended(&self) {
        if self.before() == HeaderLinks::In {
            self.set_links(HeaderLinks::Out);
        }
        request::mempool_free(self.header.cast(), self.data.cast());
        request::mempool_destroy(self.header.cast());
        // The heap decides what may be read of the block from here on.
        defined(self.header, Self::between(self.header, self.data));
        undefined(self.data, Self::between(self.data, self.end));
    }
}
