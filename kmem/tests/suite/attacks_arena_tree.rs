//! Trees in arenas, whose nodes are dropped where they lie: each value once, whatever the values do.

#![allow(clippy::forget_non_drop, reason = "that some have no destructor today is not what is stated here")]

use std::cell::RefCell;
#[cfg(feature = "shred")]
use std::mem::MaybeUninit;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Sender, channel};

use kmem::{Heap, HeapBox, Kind, Named, Node, NodeRef, Pool, Ptr, Ref, Tree, unsize};

use crate::support::{Counted, Tally, leaks_nothing, lent_for_ever};

/// Reports its number when it is dropped, and then panics if it must.
struct Loud {
    number: u32,
    says: Sender<u32>,
    panics: bool,
}

impl Drop for Loud {
    fn drop(&mut self) {
        self.says.send(self.number).unwrap();
        if self.panics {
            resume_unwind(Box::new("a destructor"));
        }
    }
}

#[test]
fn values_in_an_arena_are_dropped_once_children_first() {
    leaks_nothing(|| {
        let (says, heard) = channel();
        let loud = |number| Loud { number, says: says.clone(), panics: false };
        let tree = Tree::in_arena(loud(0));
        let one = tree.node().push(loud(1));
        let two = one.push(loud(2));
        two.push_child(7);
        two.push_child(loud(3));
        let elsewhere = Tree::new(loud(4));
        elsewhere.node().push(loud(5));
        two.graft(elsewhere);
        one.push(loud(6));
        drop(tree);
        let order: Vec<_> = heard.try_iter().collect();
        let at = |number| order.iter().position(|&found| found == number).unwrap();
        assert_eq!(order.len(), 7);
        for (child, parent) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 4), (6, 1)] {
            assert!(at(child) < at(parent), "{child} before {parent} in {order:?}");
        }
    });
}

#[test]
fn a_destructor_that_panics_in_an_arena_leaves_the_others_to_run() {
    leaks_nothing(|| {
        for bad in 0..8 {
            let (says, heard) = channel();
            let loud = |number| Loud { number, says: says.clone(), panics: number == bad };
            let tree = Tree::in_arena_of(600, loud(0), Heap);
            let mut at = tree.node();
            for number in 1..6 {
                at = at.push(loud(number));
                at.push_child([0u8; 300]);
            }
            at.graft(Tree::in_arena(loud(6))).node().push(loud(7));
            let panicked = catch_unwind(AssertUnwindSafe(move || drop(tree))).is_err();
            assert!(panicked);
            let mut order: Vec<_> = heard.try_iter().collect();
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 7]);
        }
    });
}

#[test]
fn owners_in_an_arena_may_be_forgotten_freed_or_left() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let tree = Tree::in_arena(tally.value());
        forget(tree.push_child(tally.value()));
        tree.push_child(tally.value()).free();
        assert_eq!(tally.alive(), 2);
        let left: &mut Counted = tree.push_child(tally.value()).leave();
        *left = tally.value();
        let dynamic = unsize!(tree.push_child(tally.value()) => dyn Send);
        forget(dynamic);
        tree.node().adopt(HeapBox::new(tally.value()));
        forget(tree.node().adopt(Ref::new(tally.value())));
        let pool = tree.node().try_push_pool(3).unwrap();
        forget(pool.alloc(tally.value()));
        forget(pool);
        let inner = tree.node().graft(Tree::in_arena(tally.value()));
        inner.node().push(tally.value()).push_child(tally.value());
        forget(inner);
        assert_eq!(tally.alive(), 10);
        let value = tree.into_inner();
        assert_eq!(tally.alive(), 1);
        drop(value);
    });
}

#[test]
fn a_node_in_an_arena_cannot_leave_its_tree() {
    leaks_nothing(|| {
        let tree = Tree::in_arena(0);
        let child: Node<'_, String> = tree.push_child(String::from("stays")).detach().unwrap_err();
        let child = child.node().push_child(7).detach().unwrap_err();
        assert_eq!(*child, 7);
        // A tree that was allocated elsewhere may leave again, with the nodes of its own arena.
        for grafted in [Tree::new(String::from("leaves")), Tree::in_arena(String::from("leaves"))] {
            grafted.node().push("below".into());
            let grafted = tree.node().graft(grafted);
            grafted.node().push_child(8).free();
            grafted.node().push_child(9);
            let alone: Tree<String> = grafted.detach().unwrap();
            alone.node().push("and grows".into());
            assert_eq!((alone.as_str(), alone.node().children().count()), ("leaves", 2));
            let again: Tree<String> = Ptr::from(alone).into_tree().unwrap();
            assert_eq!(again.as_str(), "leaves");
        }
        drop(tree);
    });
}

thread_local! {
    /// A node of a tree that is never freed.
    static BRANCH: RefCell<Option<NodeRef<'static, u32>>> = const { RefCell::new(None) };
    static OWNERS: RefCell<Vec<Node<'static, Meddler>>> = const { RefCell::new(Vec::new()) };
}

/// Frees a sibling, and adds and frees nodes, when it is dropped.
struct Meddler(String);

impl Drop for Meddler {
    fn drop(&mut self) {
        self.0.push('!');
        let owner = OWNERS.with_borrow_mut(Vec::pop);
        if let Some(owner) = owner {
            owner.free();
        }
        if let Some(branch) = BRANCH.with_borrow(|branch| *branch) {
            branch.push_child(String::from("added")).free();
            branch.push_child(self.0.clone());
            branch.graft(Tree::in_arena(String::from("inner"))).free();
            assert!(branch.below() > 0);
        }
    }
}

#[test]
fn a_destructor_may_change_a_tree_in_an_arena_that_is_never_freed() {
    lent_for_ever(Tree::in_arena(0), |tree| {
        let branch = tree.node().push(1);
        BRANCH.set(Some(branch));
        let owner = |parent: NodeRef<'static, u32>| parent.push_child(Meddler("owner".into()));
        OWNERS.set((0..50).map(|_| owner(branch)).collect());
        let first = owner(branch);
        first.node().push_child(Meddler("below".into()));
        first.free();
        let inner = branch.graft(Tree::in_arena(Meddler("root".into())));
        for _ in 0..10 {
            inner.node().push(Meddler("in an arena".into())).push_child(Meddler("deep".into()));
        }
        OWNERS.set((0..5).map(|_| owner(branch)).collect());
        inner.free();
        assert!(OWNERS.with_borrow(Vec::is_empty));
        branch.push_child(7).free();
        BRANCH.set(None);
    });
}

#[test]
fn a_hook_sees_the_nodes_of_an_arena_before_they_are_dropped() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let tree = Tree::in_arena(tally.value());
        let branch = tree.node().push(tally.value());
        branch.push_child(tally.value());
        let (says, heard) = channel();
        let alive = tally.clone();
        branch.on_free(move || says.send(alive.alive()).unwrap());
        tree.node().push(tally.value());
        drop(tree);
        assert_eq!((heard.recv().unwrap() >= 3, tally.alive()), (true, 0));
    });
}

#[test]
fn growth_names_and_reports_work_in_an_arena() {
    leaks_nothing(|| {
        let mut tree = Tree::in_arena_of(0, String::from("root"), Named(c"root", Heap));
        let mut text = tree.node().try_push_child_str("text").unwrap();
        for _ in 0..1000 {
            text.try_push_str(" and more").unwrap();
        }
        assert_eq!(text.len(), 9004);
        let mut list = Named(c"list", tree.node()).push_child([1u8; 100]);
        list[0] = 2;
        assert_eq!(Node::name(&list), Some(c"list"));
        assert_eq!(tree.count(Some(c"list")).cells, 1);
        assert!(tree.report(3).contains("\"list\""));
        assert!(tree.walk().all(|visit| visit.kind == Kind::Tree));
        tree.clear();
        tree.node().push("after".into());
        tree.retain(|_| false);
        tree.push('!');
        assert_eq!(tree.as_str(), "root!");
    });
}

#[test]
fn a_tree_in_an_arena_moves_to_another_thread_and_is_dropped_there() {
    let tally = Tally::default();
    let tree = Tree::in_arena(tally.value());
    for _ in 0..100 {
        tree.node().push(tally.value()).push_child(String::from("below"));
    }
    let tree = std::thread::spawn(move || {
        tree.node().push_child(vec![2; 10]);
        tree
    });
    drop(tree.join().unwrap());
    assert_eq!(tally.alive(), 0);
}

#[test]
fn a_source_without_memory_gives_the_value_back() {
    let pool = Pool::bytes(4096, 2);
    let tree = Tree::in_arena_of(2048, String::from("fits"), &pool);
    let mut pushed = 0;
    let refused = loop {
        match tree.node().try_push(String::from("value")) {
            Ok(_) => pushed += 1,
            Err(refused) => break refused,
        }
    };
    assert!(pushed > 3);
    assert_eq!(refused.into_value(), "value");
    drop(tree);
    assert_eq!(pool.live(), 0);
}

#[test]
#[cfg(feature = "shred")]
fn a_tainted_node_and_a_shredded_tree_in_an_arena_are_zeroed() {
    const SECRET: [u8; 16] = *b"sixteen of these";
    let mut buffer = vec![MaybeUninit::new(0u8); 64 << 10];
    for whole in [false, true] {
        let pool = Pool::bytes_in_buffer(&mut buffer, 8192).unwrap();
        let tree = Tree::in_arena_of(4096, 0, &pool);
        for _ in 0..100 {
            let mut secret = tree.push_child(SECRET);
            if !whole {
                secret.taint();
            }
        }
        if whole {
            tree.shred()
        } else {
            drop(tree)
        }
        drop(pool);
        let bytes = unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), buffer.len()) };
        assert!(!bytes.windows(16).any(|bytes| bytes == SECRET));
    }
}
