//! Frees objects and pools, in correct calls and in misuses.

use std::collections::HashMap;
use std::ptr::null_mut;

use kmem::Kind;
use kmem::raw::{self, Handle, pool, ptr, refs, tree};

use super::Run;
use super::callbacks::{ALIVE, ARG, ENDED, FAULTS, Ran};
use crate::face::{Face, Way};
use crate::memory;
use crate::op::Misuse;
use crate::things::{self, Id, Object, Origin, Plan};

impl<F: Face> Run<F> {
    /// The bytes that must be zero after this free.
    pub(super) fn to_zero(&self, plan: &Plan) -> Vec<(*mut u8, usize)> {
        let mut ranges = Vec::new();
        for gone in &plan.gone {
            if let Some(object) = self.things.objects.get(&gone.id) {
                if gone.shred || object.tainted || self.things.shreds(object.origin) {
                    ranges.push((object.data, object.zeroed()));
                }
            } else if self.things.stores.contains_key(&gone.id) {
                let all = gone.shred || self.things.shreds_end(gone.id);
                let cells = gone.cells.iter().map(|cell| &self.things.objects[cell]);
                ranges.extend(cells.filter(|cell| all || cell.tainted).map(|cell| (cell.data, cell.size)));
            }
        }
        ranges
    }

    /// The destructors and hooks that run. Groups run in this order, the calls of a group in any order.
    pub(super) fn to_run(&self, plan: &Plan) -> Vec<Vec<Ran>> {
        let mut expected = Vec::new();
        for gone in &plan.gone {
            let end = |id: &Id| (self.things.objects[id].data.addr(), ARG, 0);
            match self.things.objects.get(&gone.id) {
                Some(&Object { kind: Kind::Pool, origin: Origin::Pool(of), .. }) => {
                    if self.things.stores[&of].drop {
                        expected.push(vec![end(&gone.id)]);
                    }
                }
                Some(object) if object.ends => expected.push(vec![end(&gone.id)]),
                Some(_) => {}
                None => match (self.things.stores.get(&gone.id), self.things.hooks.get(&gone.id)) {
                    // A pool chooses the order of its cells.
                    (Some(store), _) if store.drop => expected.push(gone.cells.iter().map(end).collect()),
                    (_, Some(hook)) => {
                        let node = self.things.above[&gone.id];
                        let hooks = &self.things.hooks;
                        let below =
                            self.things.felled(node).iter().filter(|id| !hooks.contains_key(id)).count() - 1;
                        expected.push(vec![(self.things.node_data(node).addr(), hook.arg, below)]);
                    }
                    _ => {}
                },
            }
        }
        expected
    }

    /// Makes a call that frees, and checks the contents before, the zeroed bytes and the destructors.
    pub(super) fn going(&mut self, plan: &Plan, call: impl FnOnce() -> *mut u8) -> *mut u8 {
        let expected = self.to_run(plan);
        for (&id, object) in plan.gone.iter().filter_map(|gone| self.things.objects.get_key_value(&gone.id)) {
            let whole = unsafe { things::intact(id, object.data, object.size) };
            assert!(whole, "the contents of a {}", object.kind);
        }
        let ranges = self.to_zero(plan);
        let (result, not_zeroed) = memory::zeroing(&ranges, || memory::kmem(call));
        assert_eq!(not_zeroed.map(|at| ranges[at]), None, "bytes that should have been zeroed");
        let ended = ENDED.take();
        let mut rest = &ended[..];
        for mut group in expected {
            let (now, later) = rest.split_at_checked(group.len()).expect("a destructor that did not run");
            let mut now = now.to_vec();
            now.sort_unstable();
            group.sort_unstable();
            assert_eq!(now, group, "the destructors that ran, in order");
            rest = later;
        }
        assert_eq!(rest, [(0, 0, 0); 0], "destructors of objects that were not freed");
        for (id, &(dropped, tainted)) in &plan.dropped {
            let object = self.things.objects.get_mut(id).expect("an object");
            object.refs -= dropped;
            object.tainted |= tainted;
        }
        for gone in &plan.gone {
            for &id in gone.cells.iter().chain([&gone.id]) {
                if let Some(object) = self.things.remove(id) {
                    ALIVE.with_borrow_mut(|alive| alive.remove(&object.data.addr()));
                }
                if self.freed.is_some_and(|(_, store)| store == id) {
                    self.freed = None;
                }
            }
        }
        result
    }

    /// Frees an object, unless a block outside of it was allocated from a pool that would be freed with it.
    pub(super) fn free(&mut self, id: Id, way: Way) -> bool {
        let Object { kind, data, origin, .. } = self.things.objects[&id];
        let going = if kind == Kind::Tree { self.things.felled(id) } else { vec![id] };
        let Some(plan) = self.things.plan(&going, way.shreds()) else { return false };
        let parent = self.things.parent(id).map_or(null_mut(), |parent| self.things.node_data(parent));
        let above = self.going(&plan, || unsafe { F::free(kind, data, way) });
        if kind == Kind::Tree && matches!(way, Way::Free | Way::Shred) {
            assert_eq!(above, parent, "the parent of a freed node");
        }
        if let (Kind::Pool, Origin::Pool(store)) = (kind, origin) {
            self.freed = Some((data, store));
        }
        self.did(match (kind, way.shreds()) {
            (Kind::Tree, _) if plan.gone.len() > 1 => "fell",
            (_, true) => "shred",
            (_, false) => "free",
        });
        true
    }

    pub(super) fn end_pool(&mut self, id: Id, way: Way) -> bool {
        let store = &self.things.stores[&id];
        let (made, hosted) = (store.pool, store.hosted);
        // A pool on a node is freed with the node too.
        let as_node = hosted && way != Way::Free;
        let going = if hosted { self.things.felled(id) } else { vec![id] };
        let Some(plan) = self.things.plan(&going, as_node && way.shreds()) else { return false };
        // Kept until the bytes are checked.
        let _buffer = self.things.stores.get_mut(&id).and_then(|store| store.buffer.take());
        self.going(&plan, || unsafe {
            if as_node {
                F::free(Kind::Tree, made.cast(), way)
            } else {
                F::end_pool(made);
                null_mut()
            }
        });
        self.did(if as_node { "end the node of a pool" } else { "end a pool" });
        true
    }

    /// Frees all cells of a pool, unless something else was allocated from it or owns one of them.
    pub(super) fn clear_pool(&mut self, id: Id) {
        let made = self.things.stores[&id].pool;
        let cells = self.things.objects.iter().filter(|(_, object)| object.origin == Origin::Pool(id));
        let by_data: HashMap<_, _> = cells.map(|(&id, object)| (object.data, id)).collect();
        if self.things.serves_others(id) || by_data.values().any(|&cell| self.things.held(cell) > 0) {
            return;
        }
        let order: Vec<Id> = unsafe { pool::walk(made) }.map(|data| by_data[&data]).collect();
        let plan = self.things.plan(&order, false).expect("cells that may be freed");
        self.going(&plan, || unsafe {
            F::clear_pool(made);
            null_mut()
        });
        let census = unsafe { pool::verify(made) }.expect("a sound pool");
        assert_eq!((census.live, census.blocks), (0, 1), "a cleared pool has one empty block");
        self.did("clear a pool");
    }

    pub(super) fn misuse(&mut self, at: u8, how: Misuse) {
        let Some(id) = self.object(at, |_| true) else { return };
        let object = &self.things.objects[&id];
        let (kind, data) = (object.kind, object.data);
        let other = |which: u8| match which % 4 {
            0 => Kind::Heap,
            1 => Kind::Ref,
            2 => Kind::Pool,
            _ => Kind::Tree,
        };
        let handle = unsafe {
            match kind {
                Kind::Heap => raw::heap::handle(data),
                Kind::Ref => refs::handle(data),
                Kind::Pool => pool::handle(data),
                _ => tree::handle(data),
            }
        };
        // A larger header would begin before the object's own, in memory that may not be readable.
        let readable = |wrong: Kind| wrong != kind && things::header(wrong) < things::header(kind);
        match how {
            Misuse::Method(which) if readable(other(which)) => self.reported("another method's", || unsafe {
                F::free(other(which), data, Way::Free);
            }),
            Misuse::Kind(which) if readable(other(which)) => {
                self.reported("a handle of another kind", || unsafe {
                    ptr::free(Handle { kind: other(which) as i32, ..handle });
                })
            }
            Misuse::Cell if !handle.cell.is_null() => {
                self.reported("a handle with another cell", || unsafe {
                    ptr::free(Handle { cell: handle.cell.wrapping_byte_add(16), ..handle });
                })
            }
            Misuse::Interior if object.size >= 80 => self.reported("an interior pointer", || unsafe {
                F::free(kind, data.add(64), Way::Free);
            }),
            Misuse::Twice => {
                let again = |alive: &HashMap<usize, _>, data: *mut u8| alive.contains_key(&data.addr());
                let Some((data, store)) = self.freed else { return };
                // A cell of another method may have been allocated there since.
                let census = unsafe { pool::verify(self.things.stores[&store].pool) }.expect("a sound pool");
                let drawn = self.things.serves_others(store);
                if census.free > 0 && !drawn && !ALIVE.with_borrow(|alive| again(alive, data)) {
                    self.reported("a cell freed twice", || unsafe {
                        F::free(Kind::Pool, data, Way::Free);
                    });
                }
            }
            _ => {}
        }
    }

    pub(super) fn reported(&mut self, what: &'static str, call: impl FnOnce()) {
        memory::kmem(call);
        let seen = FAULTS.take();
        assert_eq!(seen.len(), 1, "{what}: {seen:?}");
        self.did(what);
    }
}
