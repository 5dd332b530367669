//! Attacks by safe code on adopted objects, grafted trees, names and walks.

#![allow(clippy::forget_non_drop, reason = "a type without a destructor may get one")]

use std::any::Any;
use std::mem::forget;

use kmem::{Heap, HeapBox, Kind, Named, Node, NodeRef, Ptr, Ref, SourceCell, Tree, unsize};

use crate::sources::{Calls, Counting};
use crate::support::{Counted, Tally, leaks_nothing, lent_for_ever, quietly, unwind};

#[test]
fn a_source_that_unwinds_as_it_allocates_a_hook_or_a_holder_changes_nothing() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let source = SourceCell::new(Calls::default());
        let tree = Tree::new_in(tally.value(), &source);
        let value = tally.value();
        source.source().on_alloc(|| unwind());
        assert!(quietly(|| tree.node().on_free(move || drop(value))).is_err());
        source.source().on_alloc(|| unwind());
        assert!(quietly(|| tree.node().adopt(HeapBox::new(tally.value()))).is_err());
        assert_eq!((tally.alive(), tree.node().below()), (1, 0));
        // During a free: a released object is lost, a cancelled hook is dropped.
        let adopted = tree.node().adopt(Ref::new(7));
        let other = Ref::clone(&adopted);
        source.source().on_free(|| unwind());
        assert!(quietly(|| adopted.release()).is_err());
        let value = tally.value();
        let hook = tree.node().on_free(move || drop(value));
        source.source().on_free(|| unwind());
        assert!(quietly(|| hook.cancel()).is_err());
        assert_eq!((tally.alive(), tree.node().below(), Ref::count(&other)), (1, 0, 2));
        drop(tree);
        assert_eq!((tally.alive(), Ref::count(&other)), (0, 2));
        // The only other reference is the lost object.
        let raw = other.into_non_null();
        for raw in [raw; 2] {
            drop(unsafe { Ref::<i32>::from_non_null(raw) });
        }
    });
}

#[test]
fn adopted_objects_are_freed_once_if_forgotten_or_released() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let mut tree = Tree::new(0);
        let root = tree.node();
        let shared = Ref::new(tally.value());
        let holds: Vec<_> = (0..5).map(|_| root.adopt(shared.clone())).collect();
        root.push_child("between");
        let pushed = root.push(1);
        let boxed = pushed.adopt(HeapBox::new(tally.value()));
        forget(root.adopt(HeapBox::new(tally.value())));
        let any: HeapBox<dyn Any + Send> = unsize!(HeapBox::new(tally.value()) => dyn Any + Send);
        let any = root.adopt(any);
        assert_eq!((Ref::count(&shared), tally.alive(), root.below()), (6, 4, 10));
        let mut holds = holds.into_iter();
        let let_go = [holds.next().unwrap().release(), holds.next_back().unwrap().release()];
        forget(holds.next());
        assert!(holds.next().unwrap().leave().is_counted());
        assert!(Ref::ptr_eq(&let_go[0], &shared) && Ref::ptr_eq(&let_go[1], &shared));
        assert_eq!((Ref::count(&shared), root.below()), (6, 8));
        drop(let_go);
        let any = any.release().downcast::<Counted>().unwrap();
        let boxed = boxed.release();
        assert!(boxed.is_counted() && any.is_counted());
        drop(holds);
        tree.clear();
        assert_eq!((Ref::count(&shared), tally.alive()), (1, 3));
        drop((boxed, any));
        let same = Ref::clone(&tree.node().adopt(shared));
        drop(tree);
        assert_eq!((Ref::count(&same), tally.alive()), (1, 1));
    });
}

#[test]
fn adopted_objects_of_no_size_are_distinct() {
    leaks_nothing(|| {
        let tree = Tree::new(());
        let adopted: Vec<_> = (0..20).map(|_| tree.node().adopt(HeapBox::new(()))).collect();
        let children: Vec<_> = (0..20).map(|_| tree.push_child(())).collect();
        let counted: Vec<_> = (0..20).map(|_| tree.node().adopt(Ref::new(()))).collect();
        adopted.into_iter().for_each(|object| drop(object.release()));
        counted.into_iter().rev().for_each(|object| assert_eq!(Ref::count(&object.release()), 1));
        assert_eq!(tree.node().below(), 20);
        children.into_iter().for_each(Node::free);
    });
}

#[test]
fn trees_that_were_grafted_and_detached_are_freed_once() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let full = || {
            let tree = Tree::new(tally.value());
            tree.node().push(tally.value()).push(tally.value());
            tree.node().adopt(Ref::new(tally.value())).leave();
            let value = tally.value();
            tree.node().on_free(move || drop(value));
            let pool = tree.node().try_push_pool(3).unwrap();
            forget(pool.alloc(tally.value()));
            forget(pool);
            tree
        };
        const EACH: usize = 6;
        let one = full();
        let same = one.node().push_tree(full()).push_tree(full());
        assert_eq!(same.parent().unwrap().children().count(), 2);
        let grafted = same.graft(full());
        let inner = grafted.node().graft(unsize!(full() => dyn Any + Send));
        assert_eq!(tally.alive(), 5 * EACH);
        let detached = inner.detach().unwrap();
        let detached: Tree<Counted> = detached.downcast().unwrap();
        assert_eq!(detached.node().children().count(), 1);
        assert!(grafted.node().parent().is_none(), "it is of another tree's type, as far as walks know");
        let grafted: Tree<Counted> = grafted.detach().unwrap();
        let two = detached;
        two.node().push_tree(grafted);
        forget(two.node().graft(Tree::new(tally.value())));
        drop(one);
        assert_eq!(tally.alive(), 2 * EACH + 1);
        drop(two);
        assert_eq!(tally.alive(), 0);
    });
}

#[test]
fn a_grafted_tree_keeps_its_own_source() {
    leaks_nothing(|| {
        lent_for_ever(SourceCell::new(Counting::default()), |source| {
            let live = || source.source().live();
            let outer = Tree::new(0);
            let inner = Tree::new_in(1, source);
            inner.node().push(2);
            let node = outer.node().graft(inner);
            node.node().push_child(3).node().on_free(|| ());
            assert_eq!(live(), 4);
            let node = node.detach().unwrap_err();
            node.node().graft(Tree::new(4)).detach().unwrap();
            let pushed = outer.node().push_tree(Tree::new_in(5, source));
            pushed.push(6);
            assert_eq!((live(), outer.node().children().count()), (6, 1));
            let heap = pushed.graft(Tree::new(7)).detach().unwrap();
            drop(outer);
            assert_eq!((live(), *heap), (0, 7));
        });
    });
}

#[test]
fn deep_trees_are_grafted_and_detached_in_constant_stack() {
    let mut tree = Tree::new(0);
    for depth in 1..50_000 {
        let above = Tree::new(depth);
        above.node().push_tree(tree);
        tree = above;
    }
    assert_eq!(tree.node().below(), 49_999);
    let root = Tree::new("root");
    let node = root.node().graft(tree);
    assert_eq!(node.detach().unwrap().walk().map(|visit| visit.depth).max(), Some(49_999));
}

#[test]
fn a_tree_moves_to_another_thread_with_its_adopted_and_grafted_objects() {
    let tally = Tally::default();
    let shared = Ref::new(tally.value());
    let tree = Tree::new(tally.value());
    tree.node().adopt(shared.clone()).leave();
    tree.node().adopt(HeapBox::new(tally.value())).leave();
    tree.node().graft(Tree::new(tally.value()));
    let value = tally.value();
    tree.node().on_free(move || drop(value));
    let child = tree.push_child(tally.value());
    child.node().adopt(shared.clone()).leave();
    let detached = child.detach().unwrap();
    let threads = [(tree, 4), (detached, 2)].map(|(mut tree, count)| {
        std::thread::spawn(move || {
            assert_eq!(tree.walk().map(|visit| visit.size.min(1)).sum::<usize>(), count)
        })
    });
    for _ in 0..1000 {
        drop(shared.clone());
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!((tally.alive(), Ref::count(&shared)), (1, 1));
}

#[test]
fn a_walk_visits_every_object_and_lends_no_value() {
    leaks_nothing(|| {
        let mut tree = Tree::new_in([0u8; 5], Named(c"root", Heap));
        tree.node().on_free(|| ());
        let branch = Named(c"branch", tree.node()).push([0; 5]);
        Named(c"text", branch).push_child(String::from("below")).leave();
        branch.adopt(Ref::new_in([0u64; 3], Named(c"shared", Heap))).leave();
        forget(branch.try_push_pool::<u8>(3).unwrap());
        let seen: Vec<_> = tree.walk().map(|visit| (visit.depth, visit.kind, visit.name)).collect();
        assert_eq!(
            seen,
            [
                (0, Kind::Tree, Some(c"root")),
                (1, Kind::Tree, Some(c"branch")),
                (2, Kind::Tree, Some(c"text")),
                (2, Kind::Ref, Some(c"shared")),
                (2, Kind::Tree, None),
            ]
        );
        let sizes: Vec<_> = tree.walk().take(4).map(|visit| visit.size).collect();
        assert_eq!(sizes, [5, 5, size_of::<String>(), 24]);
        let mut walk = tree.walk();
        assert_eq!((walk.by_ref().count(), walk.next()), (5, None));
        forget(tree.walk());
    });
}

#[test]
fn names_stay_when_cells_move_and_owners_change() {
    leaks_nothing(|| {
        let owner: HeapBox<[u8]> = unsize!(HeapBox::new_in([1u8; 4], Named(c"key", Heap)) => [u8]);
        let mut handle = Ptr::from(owner);
        handle.try_resize(100_000, 0).unwrap();
        assert_eq!(Ptr::name(&handle), Some(c"key"));
        assert_eq!(Ptr::name(&handle.as_borrowed()), Some(c"key"));
        assert_eq!(HeapBox::name(&handle.into_heap().unwrap()), Some(c"key"));
        let tree = Tree::new(0);
        let node = tree.node().graft(Tree::new_in(String::from("value"), Named(c"tree", Heap)));
        assert_eq!(Node::name(&node), Some(c"tree"));
        assert_eq!(Tree::name(&node.detach().unwrap()), Some(c"tree"));
        assert_eq!(NodeRef::name(&tree.node()), None);
        assert_eq!((Ptr::name(&Ptr::from("static")), Ref::name(&Ref::new(7))), (None, None));
    });
}

#[test]
fn a_trait_object_downcasts_only_to_the_type_that_it_was_made_of() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let tree = Tree::new(tally.value());
        tree.node().push(tally.value());
        let tree: Tree<dyn Any + Send> = unsize!(tree => dyn Any + Send);
        tree.push_child(tally.value());
        let tree = tree.downcast::<usize>().unwrap_err().downcast::<&'static Counted>().unwrap_err();
        let tree: Tree<Counted> = tree.downcast().unwrap();
        assert!(tree.node().children().all(|child| child.is_counted()));
        let root: Ptr<'_, dyn Any> = unsize!(Ptr::from(tree) => dyn Any);
        let root = root.downcast::<Counted>().unwrap();
        assert_eq!(root.children().count(), 1);
        drop(root);
        assert_eq!(tally.alive(), 0);
        // An owner of an owner does not downcast to the inner value.
        let boxed: HeapBox<dyn Any> = unsize!(HeapBox::new(HeapBox::new(tally.value())) => dyn Any);
        let boxed = boxed.downcast::<Counted>().unwrap_err();
        drop(boxed.downcast::<HeapBox<Counted>>().unwrap().into_inner());
        assert_eq!(tally.alive(), 0);
    });
}
