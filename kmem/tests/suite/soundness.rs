//! Published failures of kmem's peers, and other ways that safe code has found into undefined behaviour.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use kmem::{HeapBox, Pool, Ptr, Ref, Tree};

use crate::support::{Ends, leaks_nothing, quietly, unwind};

// triomphe#96: `make_mut`-like access that let a second handle free the value under the borrow.
#[test]
fn a_borrow_of_the_only_reference_cannot_be_shared_while_it_lasts() {
    let mut one = Ref::new(String::from("one"));
    let unique = Ref::get_mut(&mut one).unwrap();
    unique.push('!');
    let two = one.clone();
    assert!(Ref::get_mut(&mut one).is_none());
    assert_eq!(&**two, "one!");
}

// slab#152: capacity or growth arithmetic that let a slot be reached that was never written.
#[test]
fn cells_that_were_never_written_cannot_be_reached() {
    let pool = Pool::<String>::growing();
    assert_eq!(pool.live(), 0);
    let one = pool.alloc("one".into());
    drop(one);
    assert_eq!(pool.live(), 0);
    drop(pool); // nothing but what was allocated is dropped
}

// bump-scope GHSA-xhx6-q96x-pf9c: freeing through an ancestor's scope. Here a node can be freed through its owner alone,
// which nothing below it outlives; see also `must_not_compile`.
#[test]
fn what_is_below_a_node_goes_with_it_and_not_before() {
    let ends = Ends::default();
    let tree = Tree::new(ends.value("root"));
    let a = tree.node().push(ends.value("a"));
    let b = a.push(ends.value("b"));
    assert_eq!((a.name, b.name), ("a", "b"));
    assert!(ends.seen().is_empty());
    drop(tree);
    assert_eq!(ends.seen(), ["b", "a", "root"]);
}

#[test]
fn every_owner_may_be_forgotten() {
    let ends = Ends::default();
    let pool = Pool::new(4);
    let bytes = Pool::bytes(200, 4);
    struct NeverDropped;
    impl Drop for NeverDropped {
        fn drop(&mut self) {
            unreachable!("its pool knows nothing of it");
        }
    }
    std::mem::forget(Ref::new_in(NeverDropped, &bytes));
    std::mem::forget(Tree::new_in(NeverDropped, &bytes));
    drop(bytes);
    std::mem::forget(pool.alloc(ends.value("forgotten")));
    std::mem::forget(Ptr::from(pool.alloc(ends.value("forgotten as a handle"))));
    let tree = Tree::new(0);
    tree.push_child(1);
    std::mem::forget(tree.node().try_push_pool::<String>(3).unwrap().alloc("forgotten in a node".into()));
    drop(tree);
    drop(pool);
    assert_eq!(ends.seen(), ["forgotten", "forgotten as a handle"]);
}

#[test]
fn cells_may_hold_handles_on_cells() {
    leaks_nothing(|| {
        let inner = Pool::growing();
        let outer = Pool::growing();
        let text = Ref::<str>::from("shared");
        let nested: Vec<_> = (0..100).map(|i| outer.alloc((inner.alloc(i), text.clone()))).collect();
        assert_eq!(*nested[50].0, 50);
        let tree = Tree::new(Ptr::from(text));
        tree.node().push(Ptr::from("static"));
        tree.node().push(HeapBox::<str>::from("heap").into());
        assert_eq!(tree.node().children().map(|node| node.len()).sum::<usize>(), 10);
    });
}

#[test]
fn a_cycle_of_references_leaks_and_does_no_more() {
    struct Link(RefCell<Option<Ref<Link>>>, Rc<Cell<u32>>);
    impl Drop for Link {
        fn drop(&mut self) {
            self.1.set(self.1.get() + 1);
        }
    }
    let ended = Rc::new(Cell::new(0));
    let one = Ref::new(Link(RefCell::new(None), ended.clone()));
    *one.0.borrow_mut() = Some(one.clone());
    let cycle = one.clone();
    drop(one);
    assert_eq!((Ref::count(&cycle), ended.get()), (2, 0));
    cycle.0.borrow_mut().take();
    drop(cycle);
    assert_eq!(ended.get(), 1);
}

#[test]
fn a_value_may_reach_its_own_cell_as_it_ends() {
    struct Own(RefCell<Option<Ref<String>>>);
    impl Drop for Own {
        fn drop(&mut self) {
            let held = self.0.borrow_mut().take();
            assert_eq!(held.map(|held| Ref::count(&held)), Some(1));
        }
    }
    leaks_nothing(|| drop(Tree::new(Own(RefCell::new(Some(Ref::new("held".into())))))));
}

#[test]
fn a_panic_while_a_child_is_kept_or_not_leaves_the_tree_whole() {
    let ends = Ends::default();
    let mut tree = Tree::new(ends.value("root"));
    for name in ["a", "b", "c"] {
        tree.node().push(ends.value(name));
    }
    let result =
        quietly(|| tree.retain(|value| if value.name == "b" { unwind() } else { value.name != "a" }));
    assert!(result.is_err());
    assert_eq!(tree.node().children().map(|node| node.name).collect::<Vec<_>>(), ["b", "c"]);
    drop(tree);
    assert_eq!(ends.seen(), ["a", "b", "c", "root"]);
}

#[test]
fn a_source_that_panics_changes_nothing() {
    use kmem::{AllocError, Heap, Source, SourceCell};
    use std::alloc::Layout;
    use std::ptr::NonNull;
    struct Panics(Cell<bool>);
    unsafe impl Source for Panics {
        fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
            if self.0.get() { unwind() } else { Heap.draw(layout) }
        }
        unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
            unsafe { Heap.give_back(block, layout) }
        }
    }
    leaks_nothing(|| {
        let source = SourceCell::new(Panics(Cell::new(false)));
        let tree = Tree::new_in(String::from("root"), &source);
        tree.node().push(String::from("there"));
        source.source().0.set(true);
        assert!(quietly(|| tree.node().push(String::from("refused"))).is_err());
        assert_eq!(tree.node().below(), 1);
    });
}
