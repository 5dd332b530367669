//! Compares kmem with the model after each step and at the end.

use std::collections::HashMap;
use std::ptr::null_mut;

use kmem::Kind;
use kmem::raw::{self, FLAG_HOLD, FLAG_HOOK, Handle, pool, refs, tree};

use super::Run;
use super::callbacks::{FAULTS, GIVEN};
use crate::face::{self, Face, Way};
use crate::memory;
use crate::things::{self, Id, Object, Origin, Store, Things};

impl<F: Face> Run<F> {
    /// Checks everything that holds at any time.
    pub(super) fn verify(&self) {
        FAULTS.with_borrow(|seen| assert!(seen.is_empty(), "a report without a misuse: {seen:?}"));
        let mut taken = Vec::new();
        for (&id, object) in &self.things.objects {
            let Object { kind, data, size, .. } = *object;
            assert!(unsafe { things::borders_intact(id, data, size) }, "the contents of a {kind}");
            taken.push((data.addr() - things::header(kind), data.addr() + size));
            match kind {
                Kind::Ref => assert_eq!(unsafe { refs::count(data) }, object.refs),
                Kind::Tree => self.verify_node(id),
                _ => {}
            }
            self.verify_facts(object);
        }
        for (&id, store) in &self.things.stores {
            let census = unsafe { pool::verify(store.pool) }.unwrap_or_else(|damage| panic!("{damage}"));
            assert_eq!(
                census.live,
                self.things.drawn(|origin| origin == Origin::Pool(id)),
                "the live cells of a pool"
            );
            assert_eq!(census.dying, 0);
            assert_eq!(unsafe { pool::name(store.pool) }, store.name);
            self.verify_walk(id, store);
            if store.hosted {
                self.verify_node(id);
                let above = self.things.parent(id).map(|node| self.things.node_data(node));
                let src = above.map_or(null_mut(), |data| data.wrapping_sub(64).cast());
                if above.is_some() || !self.things.above.contains_key(&id) {
                    assert_eq!(unsafe { (*store.pool).src }, src, "the source of a pool on a node");
                }
            }
            // A step ends with its peak of live cells, unless it frees what it allocated: see `catch_up`.
            store.most.set(store.most.get().max(census.live));
            assert_eq!(unsafe { pool::peak(store.pool) }, store.most.get(), "the most live cells of a pool");
            taken.push((store.pool.addr(), store.pool.addr() + size_of::<raw::Pool>()));
        }
        taken.sort_unstable();
        for pair in taken.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "two things overlap");
        }
        let drawn = self.things.drawn(|origin| matches!(origin, Origin::Heap | Origin::Custom(_)));
        assert_eq!(memory::live(), drawn as isize, "the blocks that kmem holds");
        let custom = self.things.drawn(|origin| matches!(origin, Origin::Custom(_)));
        assert_eq!(GIVEN.with_borrow(HashMap::len), custom, "the blocks of the custom sources");
    }

    /// A walk visits the live cells of the pool, and the blocks that were allocated from it.
    pub(super) fn verify_walk(&self, id: Id, store: &Store) {
        let walked = memory::model(|| unsafe { F::walk(store.pool) });
        let count = unsafe { F::count(store.pool) };
        assert_eq!(count.live, walked.len());
        assert_eq!(count.peak, unsafe { pool::peak(store.pool) });
        assert_eq!((count.cells, count.cellsz), (unsafe { pool::capacity(store.pool) }, store.cellsz));
        for cell in self.things.cells(id) {
            assert!(walked.contains(&self.things.objects[&cell].data), "a cell that a walk does not visit");
        }
        assert!(walked.windows(2).all(|pair| pair[0] != pair[1]));
    }

    pub(super) fn verify_facts(&self, object: &Object) {
        let name = match (object.kind, object.origin) {
            (Kind::Pool, Origin::Pool(store)) => self.things.stores[&store].name,
            _ => object.name,
        };
        let (size, found, [same, other]) =
            memory::model(|| unsafe { F::facts(face::handle(object.kind, object.data)) });
        assert_eq!((size, found), (object.size, name), "size and name of a {}", object.kind);
        assert_eq!((same, other), (name.map_or(null_mut(), |_| object.data), null_mut()), "casts");
    }

    pub(super) fn verify_node(&self, id: Id) {
        #[derive(Debug, PartialEq)]
        enum Below {
            Hook,
            Holder(Handle),
            Node(*mut u8),
        }
        let data = self.things.node_data(id);
        if !self.things.above.contains_key(&id) {
            let below = unsafe { tree::verify(data) }.unwrap_or_else(|damage| panic!("{damage}"));
            assert_eq!(below, self.things.felled(id).len(), "the nodes of a tree");
        }
        let mut children = Vec::new();
        let node = |data: *mut u8| data.wrapping_sub(64).cast::<raw::Node>();
        let mut child = unsafe { (*node(data)).child };
        while !child.is_null() {
            let data = child.wrapping_byte_add(64).cast::<u8>();
            children.push(match unsafe { (*child).cell.flags & (FLAG_HOOK | FLAG_HOLD) } {
                0 => Below::Node(data),
                FLAG_HOOK => Below::Hook,
                _ => Below::Holder(unsafe { data.cast::<Handle>().read() }),
            });
            child = unsafe { (*child).next };
        }
        let expected = self.things.children(id).iter().map(|id| match self.things.holders.get(id) {
            Some(holder) => Below::Holder(holder.handle),
            None if self.things.hooks.contains_key(id) => Below::Hook,
            None => Below::Node(self.things.node_data(*id)),
        });
        assert_eq!(children, expected.collect::<Vec<_>>(), "the children of a node, in order");
    }

    /// Frees everything that is left, each block before its source.
    pub(super) fn finish(&mut self) {
        let mut stuck = false;
        loop {
            let left = |things: &Things| things.objects.len() + things.stores.len();
            let before = left(&self.things);
            for id in self.things.objects.keys().copied().collect::<Vec<_>>() {
                let there = |things: &Things| things.objects.contains_key(&id) && things.owned(id);
                while there(&self.things) && self.free(id, Way::Handle) {}
            }
            for id in self.things.stores.keys().copied().collect::<Vec<_>>() {
                if self.things.stores.contains_key(&id) {
                    self.end_pool(id, Way::Free);
                }
            }
            self.verify();
            if left(&self.things) == 0 {
                break;
            }
            if left(&self.things) == before {
                assert!(!stuck, "things that nothing can free");
                self.separate();
            }
            stuck = left(&self.things) == before;
        }
        assert_eq!(memory::live(), 0, "blocks that were not freed");
        assert!(self.things.above.is_empty());
        for source in self.things.sources.drain(..) {
            drop(unsafe { Box::from_raw(source) });
        }
    }
}
