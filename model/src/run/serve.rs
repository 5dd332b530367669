//! Calls that may be refused, and the requests that a source serves.

use kmem::raw::pool;

use super::Run;
use crate::face::Face;
use crate::memory;
use crate::things::{Id, Origin};

impl<F: Face> Run<F> {
    /// Makes a call that may be refused, and repeats it if it was refused on purpose. `expected` is true if it must succeed, and `None` if
    /// that is not known.
    pub(super) fn attempt<T>(&mut self, expected: Option<bool>, mut call: impl FnMut() -> *mut T) -> *mut T {
        let before = memory::asked();
        let mut made = memory::kmem(&mut call);
        if made.is_null() && memory::refused_between(before, memory::asked()) {
            self.did("refused on purpose");
            if self.gives_back {
                self.catch_up();
            }
            self.verify();
            made = memory::kmem(call);
        }
        if let Some(expected) = expected {
            assert_eq!(!made.is_null(), expected, "if memory was allocated");
        }
        if made.is_null() {
            self.did("refused");
        }
        made
    }

    /// Takes over the peaks of pools after a step that frees its blocks if it is refused.
    pub(super) fn catch_up(&self) {
        for store in self.things.stores.values() {
            store.most.set(store.most.get().max(unsafe { pool::peak(store.pool) }));
        }
    }

    /// Returns true if a source has a block of this size, or `None` if that is not known.
    pub(super) fn serves(&self, origin: Origin, (size, align): (usize, usize)) -> Option<bool> {
        match origin {
            Origin::Heap | Origin::Custom(_) | Origin::Buffer => Some(size <= 1 << 28),
            Origin::Pool(id) if self.things.stores[&id].drop => Some(false),
            Origin::Pool(id) => self.has_cell(id, (size, align)),
        }
    }

    /// Returns true if a source has so many blocks of this size, or `None` if that is not known.
    pub(super) fn serves_all(&self, origin: Origin, block: (usize, usize), blocks: usize) -> Option<bool> {
        match (origin, blocks) {
            (_, 0) => Some(true),
            (Origin::Pool(id), 2..) if self.serves(origin, block) == Some(true) => {
                let store = &self.things.stores[&id];
                let census = unsafe { pool::verify(store.pool) }.expect("a sound pool");
                let has = census.free + census.unused >= blocks;
                (has || !store.grows).then_some(has)
            }
            _ => self.serves(origin, block),
        }
    }

    /// Returns true if a pool has a cell for such a block, or `None` if that is not known.
    pub(super) fn has_cell(&self, id: Id, (size, align): (usize, usize)) -> Option<bool> {
        let store = &self.things.stores[&id];
        if size > store.cellsz || align > store.align {
            return Some(false);
        }
        let census = unsafe { pool::verify(store.pool) }.expect("a sound pool");
        if census.free + census.unused > 0 {
            return Some(true);
        }
        match store.origin {
            _ if !store.grows => Some(false),
            Origin::Pool(_) => None,
            _ => (store.cellsz < 1 << 16).then_some(true),
        }
    }
}
