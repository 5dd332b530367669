//! Each method against a simple model of it, over random sequences of operations.

use std::collections::BTreeMap;

use kmem::{HeapBox, Pool, Ptr, Ref, Tree};
use proptest::prelude::*;

use crate::support::leaks_nothing;

#[derive(Clone, Debug)]
enum PoolStep {
    Alloc(u64),
    Free(usize),
    Leak(usize),
}

fn pool_steps() -> impl Strategy<Value = Vec<PoolStep>> {
    let step = prop_oneof![
        5 => any::<u64>().prop_map(PoolStep::Alloc),
        4 => any::<usize>().prop_map(PoolStep::Free),
        1 => any::<usize>().prop_map(PoolStep::Leak),
    ];
    prop::collection::vec(step, 0..300)
}

proptest! {
    #[test]
    fn a_pool_holds_what_was_put_in(steps in pool_steps(), cells in 1usize..40, grows: bool) {
        pool_model::<Box<u64>>(&steps, cells, grows);
    }

    /// Cells of 5 KiB lie so far apart that most of those that come back are parked.
    #[test]
    fn a_pool_of_distant_cells_holds_what_was_put_in(steps in pool_steps(), cells in 1usize..200, grows: bool) {
        pool_model::<[u64; 640]>(&steps, cells, grows);
    }
}

/// A value that a number makes.
trait Value: PartialEq + std::fmt::Debug {
    fn of(number: u64) -> Self;
}

impl Value for Box<u64> {
    fn of(number: u64) -> Self {
        Box::new(number)
    }
}

impl Value for [u64; 640] {
    fn of(number: u64) -> Self {
        [number; 640]
    }
}

fn pool_model<V: Value>(steps: &[PoolStep], cells: usize, grows: bool) {
    leaks_nothing(|| {
        let pool =
            if grows { Pool::try_growing_in(cells, kmem::Heap) } else { Pool::try_new_in(cells, kmem::Heap) };
        let pool = pool.unwrap();
        let mut live = Vec::new();
        let mut leaked = 0;
        for step in steps {
            match step {
                PoolStep::Alloc(value) => match pool.try_alloc(V::of(*value)) {
                    Ok(cell) => live.push((*value, cell)),
                    Err(refused) => {
                        assert!(!grows && live.len() + leaked == cells);
                        assert_eq!(refused.into_value(), V::of(*value));
                    }
                },
                PoolStep::Free(at) if !live.is_empty() => drop(live.swap_remove(at % live.len())),
                PoolStep::Leak(at) if !live.is_empty() => {
                    let (value, cell) = live.swap_remove(at % live.len());
                    assert_eq!(*cell.leak(), V::of(value));
                    leaked += 1;
                }
                _ => {}
            }
            assert!(live.iter().all(|(value, cell)| **cell == V::of(*value)));
            assert_eq!(pool.live(), live.len() + leaked);
        }
        drop(live);
    });
}

#[derive(Clone, Debug)]
enum RefStep {
    New(u32),
    Clone(usize),
    Drop(usize),
    AsHandle(usize),
    Unwrap(usize),
}

fn ref_steps() -> impl Strategy<Value = Vec<RefStep>> {
    let step = prop_oneof![
        any::<u32>().prop_map(RefStep::New),
        any::<usize>().prop_map(RefStep::Clone),
        any::<usize>().prop_map(RefStep::Drop),
        any::<usize>().prop_map(RefStep::AsHandle),
        any::<usize>().prop_map(RefStep::Unwrap),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn references_count_as_rc_does(steps in ref_steps()) {
        leaks_nothing(|| {
            let mut pairs: Vec<(Ref<String>, std::rc::Rc<String>)> = Vec::new();
            for step in &steps {
                let pick = |at: &usize| (!pairs.is_empty()).then(|| at % pairs.len());
                match step {
                    RefStep::New(value) => {
                        pairs.push((Ref::new(value.to_string()), std::rc::Rc::new(value.to_string())));
                    }
                    RefStep::Clone(at) => if let Some(at) = pick(at) {
                        let pair = pairs[at].clone();
                        pairs.push(pair);
                    }
                    RefStep::Drop(at) => if let Some(at) = pick(at) {
                        pairs.swap_remove(at);
                    }
                    RefStep::AsHandle(at) => if let Some(at) = pick(at) {
                        let (mine, model) = pairs.swap_remove(at);
                        let mut handle = Ptr::from(mine);
                        assert_eq!(handle.get_mut().is_some(), std::rc::Rc::strong_count(&model) == 1);
                        pairs.push((handle.into_ref().unwrap(), model));
                    }
                    RefStep::Unwrap(at) => if let Some(at) = pick(at) {
                        let (mine, model) = pairs.swap_remove(at);
                        match (Ref::try_unwrap(mine), std::rc::Rc::try_unwrap(model)) {
                            (Ok(mine), Ok(model)) => assert_eq!(mine, model),
                            (Err(mine), Err(model)) => pairs.push((mine, model)),
                            _ => panic!("one was shared and the other was not"),
                        }
                    }
                }
                for (mine, model) in &pairs {
                    assert_eq!((&**mine, Ref::count(mine)), (&**model, std::rc::Rc::strong_count(model)));
                }
            }
        });
    }
}

/// A tree as a person would write it down.
#[derive(Clone, Debug, PartialEq)]
struct Written(u32, Vec<Written>);

fn written() -> impl Strategy<Value = Written> {
    let leaf = any::<u32>().prop_map(|value| Written(value, Vec::new()));
    leaf.prop_recursive(8, 100, 8, |inner| {
        (any::<u32>(), prop::collection::vec(inner, 0..8)).prop_map(|(value, below)| Written(value, below))
    })
}

impl Written {
    fn plant(&self, node: kmem::NodeRef<'_, Box<u32>>) {
        for child in &self.1 {
            child.plant(node.push(Box::new(child.0)));
        }
    }

    fn read(node: kmem::NodeRef<'_, Box<u32>>) -> Written {
        Written(**node, node.children().map(Written::read).collect())
    }

    fn read_handle(ptr: &Ptr<'_, Box<u32>>) -> Written {
        Written(***ptr, ptr.children().map(|child| Written::read_handle(&child)).collect())
    }

    fn size(&self) -> usize {
        1 + self.1.iter().map(Written::size).sum::<usize>()
    }
}

proptest! {
    #[test]
    fn a_tree_reads_as_it_was_written(written in written(), from_pool: bool) {
        leaks_nothing(|| {
            if from_pool {
                let pool = Pool::growing_bytes(96);
                let tree = Tree::new_in(Box::new(written.0), &pool);
                written.plant(tree.node());
                assert_eq!(Written::read(tree.node()), written);
                assert_eq!(pool.live(), written.size());
                drop(tree);
                assert_eq!(pool.live(), 0);
            } else {
                let tree = Tree::new(Box::new(written.0));
                written.plant(tree.node());
                assert_eq!(tree.node().below() + 1, written.size());
                assert_eq!(Written::read_handle(&Ptr::from(tree)), written);
            }
        });
    }

    #[test]
    fn children_kept_are_those_asked_for(values in prop::collection::vec(any::<u8>(), 0..60), keep: u8) {
        leaks_nothing(|| {
            let mut tree = Tree::new(0);
            let mut owners = Vec::new();
            for &value in &values {
                tree.node().push(value);
            }
            for &value in &values {
                owners.push(tree.push_child(value));
            }
            for owner in owners.drain(..).filter(|owner| **owner % 2 == 0) {
                owner.free();
            }
            let odd = values.iter().filter(|value| *value % 2 == 1).count();
            assert_eq!(tree.node().below(), values.len() + odd);
            tree.retain(|value| *value <= keep);
            let left: Vec<u8> = tree.node().children().map(|node| *node).collect();
            assert_eq!(left, values.iter().copied().filter(|&value| value <= keep).collect::<Vec<_>>());
        });
    }

    #[test]
    fn heap_cells_keep_their_bytes(sizes in prop::collection::vec((0usize..3000, any::<u8>(), any::<bool>()), 0..100)) {
        leaks_nothing(|| {
            let mut live: BTreeMap<usize, (HeapBox<[u8]>, u8)> = BTreeMap::new();
            for (at, &(size, fill, free)) in sizes.iter().enumerate() {
                let mut bytes = HeapBox::zeroed(size);
                assert!(bytes.iter().all(|&byte| byte == 0));
                bytes.fill(fill);
                live.insert(at, (bytes, fill));
                if free {
                    live.pop_first();
                }
                assert!(live.values().all(|(bytes, fill)| bytes.iter().all(|byte| byte == fill)));
            }
        });
    }
}
