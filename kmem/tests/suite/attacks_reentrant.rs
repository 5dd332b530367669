//! Destructors and other callbacks that use the very store they are called from.

use std::alloc::Layout;
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::rc::{Rc, Weak};

use kmem::{AllocError, Heap, HeapBox, Node, NodeRef, Pool, PoolBox, Ptr, Ref, Source, SourceCell, Tree};

use crate::support::{Counted, Ends, Tally, leaks_nothing, lent_for_ever, quietly, unwind};

/// A value that allocates from its own pool as it ends, more than that has, and counts its cells.
struct ChildFreeGuard {
    pool: Rc<Pool<ChildFreeGuard>>,
    depth: usize,
}

impl Drop for ChildFreeGuard {
    fn drop(&mut self) {
        if self.depth == 0 {
            return;
        }
        let live = self.pool.live();
        let value = |depth| ChildFreeGuard { pool: self.pool.clone(), depth };
        let cells: Vec<_> = (0..100).map(|_| self.pool.alloc(value(0))).collect();
        drop(self.pool.alloc(value(self.depth - 1)));
        assert_eq!(self.pool.live(), live + 100);
        drop(cells);
        assert_eq!(self.pool.alloc(value(self.depth - 1)).into_inner().depth, self.depth - 1);
        assert_eq!(self.pool.live(), live, "the cell that is going does not count");
    }
}

#[test]
fn a_destructor_may_allocate_from_grow_count_and_free_into_its_own_pool() {
    leaks_nothing(|| {
        let pool = Rc::new(Pool::try_growing_in(1, Heap).unwrap());
        let value = |depth| ChildFreeGuard { pool: pool.clone(), depth };
        let cell = pool.alloc(value(2));
        let handle = Ptr::from(pool.alloc(value(2)));
        drop(cell);
        drop(handle);
        assert_eq!((pool.live(), Rc::strong_count(&pool)), (0, 1));
        assert!(pool.peak() > 100);
    });
}

#[test]
fn a_pool_that_is_torn_down_is_out_of_its_values_reach() {
    struct Looks(Weak<Pool<Looks>>, Rc<Cell<usize>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            self.1.set(self.1.get() + 1);
            assert!(self.0.upgrade().is_none());
        }
    }
    leaks_nothing(|| {
        let ended = Rc::new(Cell::new(0));
        let pool = Rc::new(Pool::growing());
        for _ in 0..100 {
            std::mem::forget(pool.alloc(Looks(Rc::downgrade(&pool), ended.clone())));
        }
        drop(pool);
        assert_eq!(ended.get(), 100);
    });
}

#[test]
fn a_value_that_owns_its_own_pool_keeps_it() {
    struct Owns(RefCell<Option<Rc<Pool<Owns>>>>, Ends);
    impl Drop for Owns {
        fn drop(&mut self) {
            drop(self.1.value("owner"));
        }
    }
    leaks_nothing(|| {
        let ends = Ends::default();
        let pool = Rc::new(Pool::new(1));
        let value: &Owns = pool.alloc(Owns(RefCell::new(None), ends.clone())).leak();
        *value.0.borrow_mut() = Some(pool.clone());
        assert_eq!(Rc::strong_count(&pool), 2);
        drop(value.0.take());
        assert_eq!(pool.live(), 1);
        drop(pool);
        assert_eq!(ends.seen(), ["owner"]);
    });
}

#[test]
fn cells_may_own_cells_of_a_pool_that_is_never_dropped() {
    struct Link {
        next: Option<PoolBox<'static, Link>>,
        pool: &'static Pool<Link>,
        counted: Counted,
    }
    impl Drop for Link {
        fn drop(&mut self) {
            if self.next.is_some() {
                let passing =
                    self.pool.alloc(Link { next: None, pool: self.pool, counted: self.counted.clone() });
                self.next = None;
                drop(passing);
            }
        }
    }
    leaks_nothing(|| {
        let tally = Tally::default();
        lent_for_ever(Pool::try_growing_in(1, Heap).unwrap(), |pool| {
            let mut head = None;
            for _ in 0..50 {
                head = Some(pool.alloc(Link { next: head, pool, counted: tally.value() }));
            }
            assert_eq!((pool.live(), tally.alive()), (50, 50));
            drop(head);
            assert_eq!((pool.live(), tally.alive()), (0, 0));
        });
    });
}

#[test]
fn counted_cells_may_own_the_pool_they_are_in_and_others_of_it() {
    struct Link<'p>(
        #[allow(dead_code, reason = "it is there to be dropped")] Option<Ref<Link<'p>, &'p Pool>>,
        &'p Pool,
        Counted,
    );
    impl Drop for Link<'_> {
        fn drop(&mut self) {
            let passing = Ref::new_in(self.2.clone(), self.1);
            assert!(Ref::count(&passing) == 1 && self.1.live() > 1);
        }
    }
    leaks_nothing(|| {
        let tally = Tally::default();
        let pool = Pool::growing_bytes(400);
        let mut head: Option<Ref<Link<'_>, _>> = None;
        for _ in 0..50 {
            let link = Link(head.clone(), &pool, tally.value());
            drop(head);
            head = Some(Ref::new_in(link, &pool));
        }
        let tree = Tree::new_in(Link(head, &pool, tally.value()), &pool);
        tree.node().push(Link(None, &pool, tally.value()));
        let inner = Pool::<Link<'_>, _>::try_growing_in(1, &pool).unwrap();
        std::mem::forget(inner.alloc(Link(None, &pool, tally.value())));
        drop((tree, inner));
        assert_eq!((pool.live(), tally.alive()), (0, 0));
    });
}

#[test]
fn a_value_may_drop_a_reference_to_what_refers_back_to_it() {
    struct Knot(
        RefCell<Option<Ref<Knot>>>,
        #[allow(dead_code, reason = "it is there to be dropped")] Counted,
    );
    leaks_nothing(|| {
        let tally = Tally::default();
        let one = Ref::new(Knot(RefCell::new(None), tally.value()));
        let two = Ref::new(Knot(RefCell::new(Some(one.clone())), tally.value()));
        *one.0.borrow_mut() = Some(two);
        // The last reference to `two` is in `one`, whose last is in `two`: taking it out drops both in turn.
        let held = one.0.borrow_mut().take();
        drop(one);
        assert_eq!(tally.alive(), 2);
        drop(held);
        assert_eq!(tally.alive(), 0);
    });
}

thread_local! {
    static TREE: RefCell<Option<Tree<&'static str, Heap>>> = const { RefCell::new(None) };
    static REACHED: Cell<usize> = const { Cell::new(0) };
    static REFUSED: Cell<usize> = const { Cell::new(0) };
}

/// A value that does all that can be done with its tree, where that can be reached as it ends.
struct Meddles(usize);

impl Drop for Meddles {
    fn drop(&mut self) {
        TREE.with(|tree| {
            let Ok(tree) = tree.try_borrow() else { return REFUSED.set(REFUSED.get() + 1) };
            let Some(tree) = tree.as_ref() else { return REFUSED.set(REFUSED.get() + 1) };
            REACHED.set(REACHED.get() + 1);
            let below = tree.node().below();
            let pushed = tree.node().push("pushed");
            assert_eq!(pushed.parent().map(|parent| *parent), Some("root"));
            if self.0 > 0 {
                let sibling = tree.push_child(Meddles(self.0 - 1));
                sibling.node().push_child(Meddles(0));
                pushed.push_child(Meddles(0)).free();
                sibling.free();
                let pool = tree.node().try_push_pool::<Meddles>(2).unwrap();
                std::mem::forget(pool.alloc(Meddles(self.0 - 1)));
                drop(pool.alloc(Meddles(0)));
            }
            assert!(tree.node().below() > below);
            assert!(tree.node().children().all(|child| *child == "pushed"));
        });
    }
}

#[test]
fn a_destructor_may_use_the_tree_that_its_node_is_freed_from_but_not_one_that_goes() {
    leaks_nothing(|| {
        TREE.set(Some(Tree::new("root")));
        TREE.with_borrow(|tree| {
            let tree = tree.as_ref().unwrap();
            let node = tree.push_child(Meddles(2));
            node.node().push(Meddles(1)).push_child(Meddles(1));
            node.free();
            drop(Ptr::from(tree.push_child(Meddles(1))));
            assert!(REACHED.get() > 20);
            assert_eq!(REFUSED.get(), 0);
            let pool = tree.node().push("pushed").try_push_pool::<Meddles>(1).unwrap();
            std::mem::forget(pool.alloc(Meddles(2)));
            std::mem::forget(pool);
            tree.push_child(Meddles(2));
            tree.push_child(Meddles(2)).leave();
        });
        let reached = REACHED.get();
        TREE.with_borrow_mut(|tree| tree.as_mut().unwrap().clear());
        assert_eq!((REACHED.get(), REFUSED.get()), (reached, 3));
        TREE.with_borrow(|tree| {
            tree.as_ref().unwrap().push_child(Meddles(2)).leave();
        });
        drop(TREE.take());
        assert_eq!((REACHED.get(), REFUSED.get()), (reached, 4));
    });
}

thread_local! {
    static SIBLING: RefCell<Option<Node<'static, FreesSibling>>> = const { RefCell::new(None) };
}

/// A value that frees the node whose owner it finds, and with it all below.
struct FreesSibling(#[allow(dead_code, reason = "it is there to be dropped")] Counted);

impl Drop for FreesSibling {
    fn drop(&mut self) {
        if let Some(sibling) = SIBLING.take() {
            sibling.free();
        }
    }
}

#[test]
fn a_destructor_may_free_a_sibling_whose_owner_it_finds() {
    leaks_nothing(|| {
        let tally = Tally::default();
        lent_for_ever(Tree::new(0), |tree| {
            for freed_first in [0, 1, 2] {
                let node = || tree.push_child(FreesSibling(tally.value()));
                let mut nodes = [node(), node(), node()].map(Some);
                for node in nodes.iter().flatten() {
                    node.node().push(FreesSibling(tally.value())).push(FreesSibling(tally.value()));
                }
                let first = nodes[freed_first].take().unwrap();
                SIBLING.set(nodes[(freed_first + 1) % 3].take());
                first.free();
                assert_eq!((tally.alive(), tree.node().below()), (3, 3));
                nodes.into_iter().flatten().for_each(Node::free);
                assert_eq!((tally.alive(), tree.node().below()), (0, 0));
            }
        });
    });
}

#[test]
fn a_walk_goes_on_where_siblings_come_and_go() {
    leaks_nothing(|| {
        let tree = Tree::new(0);
        let mut passed = vec![tree.push_child("before")];
        for number in 1..=10 {
            tree.node().push(number);
            passed.push(tree.push_child("between"));
        }
        let mut seen = Vec::new();
        let mut walk = tree.node().children();
        for node in walk.by_ref() {
            seen.push(*node);
            passed.pop().into_iter().for_each(Node::free);
            if *node < 15 {
                tree.node().push(*node + 10);
                passed.push(tree.push_child("behind"));
                drop(tree.node().try_push_pool::<u8>(1).unwrap());
            }
            passed.drain(..passed.len() / 2).for_each(Node::free);
        }
        assert!(walk.next().is_none());
        tree.node().push(99);
        assert_eq!(walk.next().map(|node| *node), Some(99), "one that is added behind the last is seen");
        assert_eq!(seen, (1..25).collect::<Vec<_>>());
    });
}

#[test]
fn what_is_asked_while_children_are_kept_may_use_every_other_store() {
    leaks_nothing(|| {
        let pool = Pool::growing();
        let other = Tree::new(Ends::default());
        let mut tree = Tree::new(None);
        for _ in 0..20 {
            tree.node().push(None);
        }
        let mut asked = 0;
        tree.retain(|value| {
            asked += 1;
            *value = Some((pool.alloc(asked), other.node().push(Ends::default()), other.push_child(asked)));
            asked % 3 == 0
        });
        assert_eq!((tree.node().children().count(), pool.live(), other.node().below()), (6, 6, 40));
    });
}

/// A source over the heap that calls the program back before it serves, once for each time that it is armed.
struct CallsBack<F: Fn()>(Cell<bool>, RefCell<Option<F>>);

unsafe impl<F: Fn()> Source for CallsBack<F> {
    fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if self.0.take() {
            let call = self.1.borrow();
            call.as_ref().unwrap()();
        }
        Heap.draw(layout)
    }
    unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
        if self.0.take() {
            let call = self.1.borrow();
            call.as_ref().unwrap()();
        }
        unsafe { Heap.give_back(block, layout) }
    }
}

#[test]
fn a_source_may_use_the_pool_that_draws_from_it() {
    type Calls = Box<dyn Fn()>;
    leaks_nothing(|| {
        let source = CallsBack::<Calls>(Cell::new(false), RefCell::new(None));
        lent_for_ever(SourceCell::new(source), |source| {
            lent_for_ever(Pool::<String, _>::try_growing_in(1, source).unwrap(), |pool| {
                let kept: Rc<RefCell<Vec<PoolBox<'static, String>>>> = Rc::default();
                let inner = kept.clone();
                *source.source().1.borrow_mut() = Some(Box::new(move || {
                    for _ in 0..10 {
                        inner.borrow_mut().push(pool.alloc("from within".into()));
                    }
                    assert_eq!(pool.live(), inner.borrow().len());
                }));
                kept.borrow_mut().push(pool.alloc("first".into()));
                source.source().0.set(true);
                let second = pool.alloc("second".into());
                assert_eq!((second.as_str(), pool.live()), ("second", 12));
                assert!(kept.borrow().iter().skip(1).all(|text| text.as_str() == "from within"));
                kept.borrow_mut().clear();
                source.source().1.take();
            });
        });
    });
}

#[test]
fn a_source_may_add_to_the_tree_that_draws_from_it_and_gives_back_to_it() {
    type Calls = Box<dyn Fn()>;
    leaks_nothing(|| {
        let source = CallsBack::<Calls>(Cell::new(false), RefCell::new(None));
        lent_for_ever(SourceCell::new(source), |source| {
            lent_for_ever(Tree::new_in("root", source), |tree| {
                *source.source().1.borrow_mut() = Some(Box::new(move || {
                    tree.node().push("from within").push("deeper");
                }));
                source.source().0.set(true);
                let child = tree.push_child("child");
                source.source().0.set(true);
                child.node().push("grandchild");
                source.source().0.set(true);
                child.free();
                source.source().0.set(true);
                drop(tree.node().try_push_pool::<String>(1).unwrap());
                let names: Vec<_> = tree.node().children().map(NodeRef::get).collect();
                assert_eq!((names, tree.node().below()), (vec![&"from within"; 4], 8));
                source.source().1.take();
            });
        });
    });
}

#[test]
fn a_source_that_unwinds_as_its_pool_grows_leaves_the_pool_whole() {
    leaks_nothing(|| {
        let source = SourceCell::new(CallsBack::<fn()>(Cell::new(false), RefCell::new(Some(|| unwind()))));
        let pool = Pool::try_growing_in(1, &source).unwrap();
        let one = pool.alloc(String::from("one"));
        source.source().0.set(true);
        assert!(quietly(|| pool.alloc(String::from("refused"))).is_err());
        assert_eq!((pool.live(), pool.capacity()), (1, 1));
        let two = pool.alloc(String::from("two"));
        assert_eq!((one.as_str(), two.as_str(), pool.live()), ("one", "two", 2));
    });
}

#[test]
fn elements_of_a_slice_under_construction_may_use_its_source() {
    leaks_nothing(|| {
        let pool = Pool::growing_bytes(400);
        let tally = Tally::default();
        let make = |depth: usize| {
            let inner = Ref::new_in(tally.value(), &pool);
            (0..depth).for_each(|_| drop(Ref::new_in(tally.value(), &pool)));
            inner
        };
        let slice = Ref::try_from_fn_in(10, make, &pool).unwrap();
        assert_eq!((pool.live(), tally.alive()), (11, 10));
        let result = quietly(|| {
            Ref::try_from_fn_in(10, |index| if index == 7 { unwind() } else { make(index) }, &pool)
        });
        assert!(result.is_err());
        assert_eq!((pool.live(), tally.alive()), (11, 10));
        drop(slice);
        assert_eq!((pool.live(), tally.alive()), (0, 0));
    });
}

#[test]
fn values_may_own_every_kind_of_store_and_cell_at_once() {
    #[allow(dead_code, reason = "it is there to be dropped")]
    struct Everything(HeapBox<Counted>, Ref<Counted>, Tree<Counted>, Pool<Counted>, Ptr<'static, Counted>);
    leaks_nothing(|| {
        let tally = Tally::default();
        let everything = || {
            let pool = Pool::new(2);
            std::mem::forget(pool.alloc(tally.value()));
            let tree = Tree::new(tally.value());
            tree.node().push(tally.value());
            let handle = Ptr::from(Ref::new(tally.value()));
            Everything(HeapBox::new(tally.value()), Ref::new(tally.value()), tree, pool, handle)
        };
        let pool = Pool::new(2);
        std::mem::forget(pool.alloc(everything()));
        let tree = Tree::new(everything());
        tree.node().push(everything()).push(everything());
        let handles = [
            HeapBox::new(everything()).into(),
            Ref::new(everything()).into(),
            pool.alloc(everything()).into(),
        ];
        let handles: [Ptr<'_, Everything>; 3] = handles;
        assert_eq!(tally.alive(), 7 * 6);
        drop((handles, tree));
        assert_eq!(tally.alive(), 6);
        drop(pool);
        assert_eq!(tally.alive(), 0);
    });
}
