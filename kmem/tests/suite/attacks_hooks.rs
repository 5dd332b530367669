//! Attacks by safe code with hooks, and with destructors that change the tree around them.

#![allow(clippy::forget_non_drop, reason = "a type without a destructor may get one")]

use std::cell::{Cell, RefCell};
use std::mem::forget;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kmem::{AllocError, HeapBox, Node, Ref, Tree};

use crate::support::{Counted, Tally, leaks_nothing, lent_for_ever, quietly, unwind};

thread_local! {
    static TREE: RefCell<Option<Tree<usize>>> = const { RefCell::new(None) };
    static MEDDLED: Cell<usize> = const { Cell::new(0) };
}

/// A value that changes the tree in `TREE` in every way when it is dropped, unless that tree is borrowed.
struct Meddles(usize);

impl Drop for Meddles {
    fn drop(&mut self) {
        TREE.with(|tree| {
            let Ok(tree) = tree.try_borrow() else { return };
            let Some(tree) = tree.as_ref() else { return };
            MEDDLED.set(MEDDLED.get() + 1);
            meddle(tree, self.0);
        });
    }
}

fn meddle(tree: &Tree<usize>, depth: usize) {
    let root = tree.node();
    let mut bytes = root.try_push_child_copy(&[1u8; 10]).unwrap();
    let pushed = root.push_tree(Tree::new(depth));
    bytes.try_resize(1000 * (depth + 1), 2).unwrap();
    let hook = root.on_free(move || drop(Meddles(0)));
    if depth > 0 {
        let other = Tree::new(String::from("grafted"));
        other.push_child(Meddles(depth - 1));
        other.node().on_free(move || drop(Meddles(depth - 1)));
        let grafted = pushed.graft(other);
        grafted.node().adopt(HeapBox::new(Meddles(depth - 1))).leave();
        let adopted = pushed.adopt(Ref::new(Meddles(depth - 1)));
        let another = Ref::clone(&adopted);
        let shared = grafted.node().adopt(another);
        bytes.try_resize(3, 0).unwrap();
        drop(shared.release());
        drop(adopted.release());
        let detached = grafted.detach().unwrap();
        if depth == 1 {
            drop(detached);
        } else {
            root.graft(detached).free();
        }
    }
    hook.cancel();
    bytes.free();
}

#[test]
fn hooks_and_destructors_may_change_the_tree_during_a_free() {
    leaks_nothing(|| {
        MEDDLED.set(0);
        TREE.set(Some(Tree::new(0)));
        TREE.with_borrow(|tree| {
            let tree = tree.as_ref().unwrap();
            let node = tree.push_child(Meddles(2));
            node.node().on_free(|| drop(Meddles(2)));
            node.node().push(Meddles(1)).on_free(|| drop(Meddles(1)));
            node.node().adopt(HeapBox::new(Meddles(2))).leave();
            node.free();
            assert!(MEDDLED.get() > 20, "{}", MEDDLED.get());
            tree.node().on_free(|| drop(Meddles(3)));
            tree.node().push(1).on_free(|| drop(Meddles(3)));
        });
        // The tree is borrowed while it is freed, so no value changes it.
        let meddled = MEDDLED.get();
        TREE.with_borrow_mut(|tree| tree.as_mut().unwrap().retain(|_| false));
        TREE.with_borrow_mut(|tree| tree.as_mut().unwrap().clear());
        drop(TREE.take());
        assert_eq!(MEDDLED.get(), meddled);
    });
}

thread_local! {
    static SIBLING: RefCell<Option<Node<'static, [u8]>>> = const { RefCell::new(None) };
}

#[test]
fn a_hook_may_resize_detach_or_free_a_sibling_whose_owner_it_finds() {
    leaks_nothing(|| {
        lent_for_ever(Tree::new(0), |tree| {
            let mut left = 0;
            for what in 0..3 {
                for position in 0..3 {
                    let mut nodes = [(); 3].map(|()| Some(tree.push_child(7)));
                    if position == 1 {
                        SIBLING.set(Some(tree.node().try_push_child_copy(&[1; 8]).unwrap()));
                    }
                    let last = tree.push_child(8);
                    if position != 1 {
                        SIBLING.set(Some(tree.node().try_push_child_copy(&[1; 8]).unwrap()));
                    }
                    let first = nodes[position].take().unwrap();
                    first.node().on_free(move || {
                        let mut sibling = SIBLING.take().unwrap();
                        match what {
                            0 => sibling.try_resize(100_000, 7).unwrap(),
                            1 => drop(sibling.detach().unwrap()),
                            _ => sibling.free(),
                        }
                    });
                    first.free();
                    nodes.into_iter().flatten().for_each(Node::free);
                    last.free();
                    left += usize::from(what == 0);
                    assert_eq!(tree.node().below(), left);
                }
            }
        });
    });
}

#[test]
fn each_hook_is_run_or_dropped_once() {
    leaks_nothing(|| {
        let (tally, runs) = (Tally::default(), Arc::new(AtomicUsize::new(0)));
        let function = || {
            let (value, runs) = (tally.value(), runs.clone());
            move || {
                assert!(value.is_counted());
                runs.fetch_add(1, Ordering::Relaxed);
            }
        };
        let mut tree = Tree::new(0);
        let root = tree.node();
        root.on_free(function());
        let cancelled = root.on_free(function());
        forget(root.on_free(function()));
        let pushed = root.push(1);
        pushed.on_free(function());
        pushed.push(2).on_free(function());
        let child = root.push_child("child");
        child.node().on_free(function());
        root.push_child("left").node().on_free(function());
        assert_eq!(tally.alive(), 7);
        cancelled.cancel();
        assert_eq!((tally.alive(), runs.load(Ordering::Relaxed)), (6, 0));
        child.free();
        assert_eq!((tally.alive(), runs.load(Ordering::Relaxed)), (5, 1));
        tree.retain(|_| false);
        assert_eq!((tally.alive(), runs.load(Ordering::Relaxed)), (3, 3));
        tree.clear();
        assert_eq!((tally.alive(), runs.load(Ordering::Relaxed)), (2, 4), "the root's own wait");
        assert_eq!(tree.into_inner(), 0);
        assert_eq!((tally.alive(), runs.load(Ordering::Relaxed)), (0, 6));
    });
}

#[test]
fn hooks_carry_closures_of_every_size_and_alignment() {
    #[derive(Clone, Copy)]
    #[repr(align(1024))]
    struct Wide([u8; 2000]);
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    leaks_nothing(|| {
        let tree = Tree::new(0);
        let wide = Wide([7; 2000]);
        tree.node().on_free(|| {
            RUNS.fetch_add(1, Ordering::Relaxed);
        });
        tree.node().on_free(move || {
            assert!(wide.0 == [7; 2000] && (&raw const wide).addr() % 1024 == 0);
            RUNS.fetch_add(1, Ordering::Relaxed);
        });
        let boxed: Box<dyn FnOnce() + Send> = Box::new(|| {
            RUNS.fetch_add(1, Ordering::Relaxed);
        });
        tree.node().on_free(boxed);
        tree.node().on_free(|| ()).cancel();
        tree.node().on_free(move || assert_eq!(wide.0, [7; 2000])).cancel();
        drop(tree);
        assert_eq!(RUNS.load(Ordering::Relaxed), 3);

        #[repr(align(8192))]
        struct TooWide(Counted);
        let tally = Tally::default();
        let (tree, value) = (Tree::new(0), TooWide(tally.value()));
        let refused = tree.node().try_on_free(move || assert!({ value }.0.is_counted())).unwrap_err();
        assert_eq!(refused.error(), AllocError::Align { align: 8192, max: 4096 });
        assert_eq!(tally.alive(), 1);
        drop(refused);
        assert_eq!((tally.alive(), tree.node().below()), (0, 0));
    });
}

#[test]
fn a_hook_that_unwinds_does_not_stop_the_free() {
    for unwinding in 0..4 {
        leaks_nothing(|| {
            let tally = Tally::default();
            let runs = Arc::new(AtomicUsize::new(0));
            let tree = Tree::new(tally.value());
            for number in 0..4 {
                let (value, runs) = (tally.value(), runs.clone());
                tree.node().on_free(move || {
                    let _value = value;
                    runs.fetch_add(1, Ordering::Relaxed);
                    if number == unwinding {
                        unwind();
                    }
                });
            }
            tree.node().push(tally.value());
            tree.node().adopt(HeapBox::new(tally.value())).leave();
            if unwinding % 2 == 0 {
                assert!(quietly(|| drop(tree)).is_err());
            } else {
                assert!(quietly(|| tree.into_inner()).is_err());
            }
            assert_eq!((tally.alive(), runs.load(Ordering::Relaxed)), (0, 4));
        });
    }
}

/// A value that unwinds when it is dropped.
#[derive(Debug)]
struct Unwinds(#[allow(dead_code, reason = "it is there to be dropped")] Counted);

impl Drop for Unwinds {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            unwind();
        }
    }
}

#[test]
fn a_value_that_unwinds_when_it_is_dropped_is_gone_nevertheless() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let unwinds = || Unwinds(tally.value());
        let mut tree = Tree::new(tally.value());
        let value = unwinds();
        let hook = tree.node().on_free(move || drop(value));
        assert!(quietly(|| hook.cancel()).is_err());
        let adopted = tree.node().adopt(HeapBox::new(unwinds()));
        assert!(quietly(|| drop(adopted.release())).is_err());
        assert_eq!((tally.alive(), tree.node().below()), (1, 0));
        tree.node().adopt(HeapBox::new(unwinds())).leave();
        tree.node().adopt(Ref::new(tally.value())).leave();
        let child = tree.push_child(unwinds());
        child.node().push(unwinds()).adopt(HeapBox::new(tally.value())).leave();
        assert!(quietly(|| drop(child.detach().unwrap())).is_err());
        assert_eq!((tally.alive(), tree.node().below()), (3, 2));
        assert!(quietly(|| tree.clear()).is_err());
        tree.clear();
        assert_eq!((tally.alive(), tree.node().below()), (1, 0));
    });
}
