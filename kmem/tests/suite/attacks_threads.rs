//! What may cross threads, by every type and every payload, and what happens where it does.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{scope, spawn};

use kmem::{Heap, HeapBox, Pool, Ptr, Ref, SourceCell, Tree};
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::sources::Counting;
use crate::support::{Counted, Tally};

/// `Send` and not `Sync`.
type Sent = Cell<u8>;

/// `Sync` and not `Send`.
type Shared = std::sync::MutexGuard<'static, u8>;

/// Neither.
type Stays = Rc<u8>;

mod each_type_crosses_where_its_value_and_source_may {
    use super::*;
    use kmem::{Adopted, Buffer, Hook, InNode, Node, NodeRef, PoolBox, Refused, Walk};

    assert_impl_all!(HeapBox<u8>: Send, Sync);
    assert_impl_all!(HeapBox<dyn Send>: Send);
    assert_impl_all!(HeapBox<Sent>: Send);
    assert_impl_all!(HeapBox<Shared>: Sync);
    assert_not_impl_any!(HeapBox<Sent>: Sync);
    assert_not_impl_any!(HeapBox<Shared>: Send);
    assert_not_impl_any!(HeapBox<Stays>: Send, Sync);
    assert_not_impl_any!(HeapBox<dyn std::fmt::Debug>: Send, Sync);

    assert_impl_all!(Ref<u8>: Send, Sync);
    assert_impl_all!(Ref<[u8]>: Send, Sync);
    assert_not_impl_any!(Ref<Sent>: Send, Sync);
    assert_not_impl_any!(Ref<Shared>: Send, Sync);
    assert_not_impl_any!(Ref<Stays>: Send, Sync);
    assert_impl_all!(Ref<u8, &'static SourceCell<Heap>>: Send, Sync);
    assert_not_impl_any!(Ref<u8, &'static SourceCell<Pool>>: Send, Sync);
    assert_not_impl_any!(Ref<u8, &'static Pool>: Send, Sync);

    assert_impl_all!(Pool<u8>: Send);
    assert_impl_all!(Pool<Sent>: Send);
    assert_impl_all!(Pool<u8, Buffer<'static>>: Send);
    assert_impl_all!(Pool<u8, &'static SourceCell<Heap>>: Send);
    assert_not_impl_any!(Pool<u8>: Sync);
    assert_not_impl_any!(Pool: Sync);
    assert_not_impl_any!(Pool<Shared>: Send, Sync);
    assert_not_impl_any!(Pool<Stays>: Send, Sync);
    assert_not_impl_any!(Pool<u8, &'static Pool>: Send, Sync);
    assert_not_impl_any!(Pool<u8, &'static SourceCell<Pool>>: Send, Sync);
    assert_not_impl_any!(Pool<u8, InNode<'static>>: Send, Sync);

    #[cfg(feature = "arena")]
    const _: () = {
        use kmem::{Arena, ArenaScope};
        assert_impl_all!(Arena<'static>: Send);
        assert_impl_all!(Arena<'static, Buffer<'static>>: Send);
        assert_not_impl_any!(Arena<'static>: Sync);
        assert_not_impl_any!(Arena<'static, &'static Arena<'static>>: Send, Sync);
        assert_not_impl_any!(ArenaScope<'static, 'static>: Send, Sync);
        assert_not_impl_any!(Ref<u8, &'static Arena<'static>>: Send, Sync);
    };

    assert_impl_all!(PoolBox<'static, u8>: Sync);
    assert_not_impl_any!(PoolBox<'static, u8>: Send);
    assert_not_impl_any!(PoolBox<'static, Sent>: Send, Sync);

    assert_impl_all!(Tree<u8>: Send);
    assert_impl_all!(Tree<Sent>: Send);
    assert_impl_all!(Tree<u8, &'static SourceCell<Heap>>: Send);
    assert_not_impl_any!(Tree<u8>: Sync);
    assert_not_impl_any!(Tree<Shared>: Send, Sync);
    assert_not_impl_any!(Tree<Stays>: Send, Sync);
    assert_not_impl_any!(Tree<u8, &'static Pool>: Send, Sync);
    assert_not_impl_any!(Tree<u8, &'static SourceCell<Pool>>: Send, Sync);
    assert_not_impl_any!(Node<'static, u8>: Send, Sync);
    assert_not_impl_any!(NodeRef<'static, u8>: Send, Sync);
    assert_not_impl_any!(Ptr<'static, u8>: Send, Sync);
    assert_not_impl_any!(Hook<'static>: Send, Sync);
    assert_not_impl_any!(Adopted<'static, HeapBox<u8>>: Send, Sync);
    assert_not_impl_any!(Adopted<'static, Ref<u8>>: Send, Sync);
    assert_not_impl_any!(Walk<'static>: Send, Sync);

    assert_impl_all!(SourceCell<Heap>: Send, Sync);
    assert_impl_all!(SourceCell<Pool>: Send);
    assert_not_impl_any!(SourceCell<Pool>: Sync);
    assert_not_impl_any!(SourceCell<&'static Pool>: Send, Sync);

    assert_impl_all!(Refused<u8>: Send, Sync);
    assert_not_impl_any!(Refused<Stays>: Send, Sync);
    assert_not_impl_any!(kmem::raw::Handle: Send, Sync);
    assert_not_impl_any!(kmem::raw::Source: Send, Sync);

    #[cfg(feature = "shred")]
    mod shredding {
        use super::*;
        use kmem::Shredding;
        assert_impl_all!(Shredding<Heap>: Send, Sync);
        assert_not_impl_any!(Shredding<Pool>: Sync);
        assert_not_impl_any!(Shredding<&'static Pool>: Send, Sync);
        assert_not_impl_any!(Ref<u8, &'static SourceCell<Shredding<Pool>>>: Send, Sync);
    }

    #[cfg(feature = "allocator-api2-02")]
    mod adapters_of_02 {
        use super::*;
        use kmem::allocator_api2::v02::{AsAllocator, AsSource};
        assert_impl_all!(AsAllocator<Heap>: Send, Sync, Clone);
        assert_impl_all!(AsAllocator<Pool>: Send);
        assert_impl_all!(AsAllocator<&'static Pool>: Clone);
        assert_not_impl_any!(AsAllocator<Pool>: Sync, Clone);
        assert_not_impl_any!(AsAllocator<&'static Pool>: Send, Sync);
        assert_not_impl_any!(AsSource<AsAllocator<&'static Pool>>: Send, Sync);
    }

    #[cfg(feature = "allocator-api2-04")]
    mod adapters_of_04 {
        use super::*;
        use kmem::allocator_api2::v04::{AsAllocator, AsSource};
        assert_impl_all!(AsAllocator<Heap>: Send, Sync, Clone);
        assert_impl_all!(AsAllocator<Pool>: Send);
        assert_impl_all!(AsAllocator<&'static Pool>: Clone);
        assert_not_impl_any!(AsAllocator<Pool>: Sync, Clone);
        assert_not_impl_any!(AsAllocator<&'static Pool>: Send, Sync);
        assert_not_impl_any!(AsSource<AsAllocator<&'static Pool>>: Send, Sync);
    }
}

/// Asserts that a value is of a type that stays on its thread: with one that may be sent, the call is ambiguous.
trait Stay<Which> {
    fn stays_on_its_thread(&self) {}
}

impl<T: ?Sized> Stay<()> for T {}

impl<T: ?Sized + Send> Stay<PhantomData<u8>> for T {}

#[test]
fn walks_stay_on_the_thread_of_their_tree() {
    let tree = Tree::new(0);
    tree.node().children().stays_on_its_thread();
    Ptr::from(tree).children().stays_on_its_thread();
}

#[test]
fn references_to_one_cell_may_be_taken_and_dropped_on_any_thread() {
    let source = SourceCell::new(Counting::default());
    for _ in 0..100 {
        let tally = Tally::default();
        let first = Ref::try_from_fn_in(3, |_| tally.value(), &source).unwrap();
        scope(|scope| {
            for _ in 0..3 {
                let held = first.clone();
                scope.spawn(move || {
                    let more: Vec<_> = (0..100).map(|_| held.clone()).collect();
                    drop(held);
                    assert!(Ref::count(&more[0]) >= 100);
                });
            }
            drop(first);
        });
        assert_eq!((tally.alive(), source.source().live()), (0, 0));
    }
}

#[test]
fn a_shared_reference_may_be_cloned_where_it_is_shared() {
    let tally = Tally::default();
    let counted = Ref::new(tally.value());
    let kept: Vec<_> = scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(|| counted.clone()));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!((Ref::count(&counted), tally.alive()), (5, 1));
    drop((kept, counted));
    assert_eq!(tally.alive(), 0);
}

#[test]
fn the_only_one_left_sees_what_the_others_did() {
    for _ in 0..200 {
        let mut counted = Ref::new(AtomicUsize::new(0));
        let other = counted.clone();
        let thread = spawn(move || other.store(7, Ordering::Relaxed));
        let value = loop {
            match Ref::get_mut(&mut counted) {
                Some(value) => break std::mem::take(value.get_mut()),
                None => std::hint::spin_loop(),
            }
        };
        assert_eq!(value, 7);
        thread.join().unwrap();
    }
}

#[test]
fn a_pool_moves_with_what_was_forgotten_in_it_and_is_used_and_dropped_there() {
    let tally = Tally::default();
    let source = SourceCell::new(Counting::default());
    let mut buffer = [MaybeUninit::uninit(); 2000];
    let pools =
        (Pool::try_growing_in(1, &source).unwrap(), Pool::growing(), Pool::in_buffer(&mut buffer).unwrap());
    fn fill<S>(pool: &Pool<Counted, S>, tally: &Tally) {
        for _ in 0..5 {
            std::mem::forget(pool.alloc(tally.value()));
            drop(pool.alloc(tally.value()));
        }
    }
    fill(&pools.0, &tally);
    fill(&pools.1, &tally);
    fill(&pools.2, &tally);
    scope(|scope| {
        let thread = scope.spawn(|| {
            let pools = pools;
            fill(&pools.0, &tally);
            fill(&pools.1, &tally);
            fill(&pools.2, &tally);
            assert_eq!((pools.0.live(), pools.1.live(), pools.2.live(), tally.alive()), (10, 10, 10, 30));
        });
        // ThreadSanitizer does not see what the end of a scope waits for.
        thread.join().unwrap();
    });
    assert_eq!((tally.alive(), source.source().live()), (0, 0));
}

#[test]
fn a_tree_moves_with_all_below_it_and_is_grown_and_dropped_there() {
    let tally = Tally::default();
    let source = SourceCell::new(Counting::default());
    let tree = Tree::new_in(tally.value(), &source);
    let grow = |tree: &Tree<Counted, &SourceCell<Counting>>| {
        tree.node().push(tally.value()).push(tally.value());
        tree.push_child(tally.value()).node().push_child(tally.value());
        let pool = tree.node().try_push_pool(3).unwrap();
        std::mem::forget(pool.alloc(tally.value()));
        std::mem::forget(pool);
    };
    grow(&tree);
    scope(|scope| {
        let thread = scope.spawn(|| {
            let mut tree = tree;
            grow(&tree);
            tree.retain(|_| false);
            grow(&tree);
            assert_eq!(tally.alive(), 1 + 3 * 5 - 2 * 2);
            let handle = Ptr::from(tree);
            assert_eq!(handle.children().count(), 1);
        });
        thread.join().unwrap();
    });
    assert_eq!((tally.alive(), source.source().live()), (0, 0));
}

#[test]
fn values_lent_by_a_store_may_be_used_on_another_thread_as_the_store_is_used_here() {
    let (pool, tree) = (Pool::growing(), Tree::new(String::from("root")));
    let boxed = pool.alloc(String::from("cell"));
    let leaked = pool.alloc(String::new()).leak();
    let left = tree.push_child(String::new()).leave();
    let seen = tree.node().push(String::from("seen")).get();
    scope(|scope| {
        let boxed = &boxed;
        let thread = scope.spawn(move || {
            for _ in 0..1000 {
                leaked.push_str(boxed);
                left.push_str(seen);
            }
            assert_eq!((leaked.len(), left.len()), (4000, 4000));
        });
        for number in 0..1000 {
            drop(pool.alloc(number.to_string()));
            tree.node().push(number.to_string());
            tree.push_child(number).free();
        }
        thread.join().unwrap();
    });
    assert_eq!((pool.live(), tree.node().below()), (2, 1002));
}

#[test]
fn owners_may_be_dropped_as_their_thread_ends() {
    #[allow(dead_code, reason = "it is there to be dropped")]
    struct All(HeapBox<Counted>, Ref<Counted>, Pool<Counted>, Tree<Counted>, Ptr<'static, Counted>);
    thread_local! {
        static KEPT: std::cell::RefCell<Vec<All>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    let tally = Tally::default();
    let shared = Ref::new(tally.value());
    spawn({
        let (tally, shared) = (tally.clone(), shared.clone());
        move || {
            let pool = Pool::new(1);
            pool.alloc(tally.value()).leak();
            let tree = Tree::new(tally.value());
            tree.node().push(tally.value());
            let handle = Ptr::from(HeapBox::new(tally.value()));
            KEPT.with_borrow_mut(|kept| {
                kept.push(All(HeapBox::new(tally.value()), shared, pool, tree, handle));
            });
            assert_eq!(tally.alive(), 6);
        }
    })
    .join()
    .unwrap();
    assert_eq!((tally.alive(), Ref::count(&shared)), (1, 1));
}

#[test]
fn cells_made_on_one_thread_may_be_freed_on_another() {
    let tally = Tally::default();
    let sole = || kmem::unsize!(HeapBox::new(tally.value()) => dyn Send);
    let counted = || Ref::try_from_fn_in(2, |_| tally.value(), Heap).unwrap();
    let made: Vec<_> = (0..100).map(|_| (sole(), counted())).collect();
    assert_eq!(tally.alive(), 300);
    spawn(move || drop(made)).join().unwrap();
    assert_eq!(tally.alive(), 0);
}

#[cfg(feature = "allocator-api2-02")]
#[test]
fn a_collection_moves_with_the_pool_that_it_owns() {
    use kmem::allocator_api2::v02::AsAllocator;
    let mut numbers = allocator_api2_02::vec::Vec::new_in(AsAllocator::new(Pool::bytes(4096, 2)));
    numbers.extend(0..100);
    let grow = move || {
        numbers.extend(100..200);
        numbers
    };
    let numbers = spawn(grow).join().unwrap();
    assert_eq!(numbers.iter().sum::<i32>(), 199 * 100);
}
