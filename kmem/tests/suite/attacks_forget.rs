//! Owners that are forgotten, and what is left behind used on.

#![allow(clippy::forget_non_drop, reason = "that some have no destructor today is not what is stated here")]

use std::mem::{MaybeUninit, forget};

use kmem::{HeapBox, Pool, Ptr, Ref, Source, SourceCell, Tree, unsize};

use crate::support::{Counted, Tally, leaks_nothing};

/// A source that has its blocks from a pool, which takes back what was forgotten in it.
struct FromPool<'p>(&'p Pool);

unsafe impl Source for FromPool<'_> {
    fn draw(&self, layout: std::alloc::Layout) -> Result<std::ptr::NonNull<u8>, kmem::AllocError> {
        self.0.draw(layout)
    }
    unsafe fn give_back(&self, block: std::ptr::NonNull<u8>, layout: std::alloc::Layout) {
        unsafe { Source::give_back(self.0, block, layout) }
    }
}

#[test]
fn what_a_forgotten_owner_held_lives_on() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let (heap, counted) = (HeapBox::new(tally.value()), Ref::new(tally.value()));
        let (at, other) = (std::ptr::NonNull::from(&*heap), counted.clone());
        forget(heap);
        forget(counted);
        assert_eq!((tally.alive(), Ref::count(&other)), (2, 2));
        // Nobody but this test knows where they are.
        drop(unsafe { HeapBox::from_non_null(at) });
        drop(unsafe { Ref::<_, kmem::Heap>::from_non_null(std::ptr::NonNull::from(&*other)) });
        assert_eq!((tally.alive(), Ref::count(&other)), (1, 1));
    });
}

#[test]
fn cells_forgotten_in_a_pool_stay_taken_until_it_drops_them() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let pool = Pool::new(5);
        forget(pool.alloc(tally.value()));
        forget(Ptr::from(pool.alloc(tally.value())));
        forget(unsize::split(pool.alloc(tally.value())));
        let leaked = pool.alloc(tally.value()).leak();
        let swapped = std::mem::replace(leaked, tally.value());
        let last = pool.alloc(tally.value());
        assert!(pool.try_alloc(tally.value()).is_err());
        drop(last);
        drop(pool.alloc(tally.value()));
        assert_eq!((pool.live(), tally.alive()), (4, 5));
        drop(pool);
        assert_eq!(tally.alive(), 1);
        drop(swapped);
    });
}

#[test]
fn what_is_forgotten_in_a_pool_is_lent_by_it_once_and_whole() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let mut pool = Pool::growing();
        let value = || (tally.value(), vec![7u8; 3]);
        for at in 0..200 {
            let cell = pool.alloc(value());
            match at % 4 {
                0 => drop(cell),
                1 => forget(cell),
                2 => forget(Ptr::from(cell)),
                _ => cell.leak().1.push(8),
            }
        }
        let (_, out) = pool.alloc(value()).into_inner();
        assert_eq!((out.len(), pool.live(), tally.alive()), (3, 150, 150));
        let mut lent: Vec<_> = pool.iter_mut().collect();
        lent.sort_by_key(|value| std::ptr::from_ref(*value));
        assert_eq!(lent.iter().filter(|value| value.1 == [7, 7, 7, 8]).count(), 50);
        assert!(lent.windows(2).all(|pair| !std::ptr::eq(pair[0], pair[1])));
        // What is put in the place of a value is dropped in its stead.
        let other = std::mem::replace(lent[10], value());
        std::mem::swap(&mut lent.pop().unwrap().1, &mut lent[0].1);
        assert_eq!((lent.len(), tally.alive()), (149, 151));
        drop(other);
        drop(pool);
        assert_eq!(tally.alive(), 0);
        let mut nothing = Pool::new(5);
        nothing.alloc(()).leak();
        forget(nothing.alloc(()));
        assert_eq!(nothing.iter_mut().count(), 2);
        let tree = Tree::new(tally.value());
        let mut hosted = tree.node().try_push_pool(2).unwrap();
        hosted.alloc(tally.value()).leak();
        assert_eq!(hosted.iter_mut().count(), 1);
        forget(hosted);
        drop(tree);
        assert_eq!(tally.alive(), 0);
    });
}

#[test]
fn what_is_forgotten_in_a_pool_of_bytes_is_not_dropped_and_not_reached() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let pool = Pool::growing_bytes(1000);
        let counted = Ref::new_in(tally.value(), &pool);
        forget(counted.clone());
        drop(counted);
        let tree = Tree::new_in(tally.value(), &pool);
        forget(tree.push_child(tally.value()));
        tree.node().push(tally.value());
        forget(tree.node().try_push_pool::<u8>(3).unwrap());
        forget(tree);
        let inner = Pool::try_new_in(3, &pool).unwrap();
        forget(inner.alloc(tally.value()));
        forget(inner);
        forget(Ptr::from(Ref::try_from_fn_in(3, |_| tally.value(), &pool).unwrap()));
        forget(pool.try_alloc_str("text").unwrap());
        let (alive, live) = (tally.alive(), pool.live());
        assert_eq!((alive, live), (8, 8));
        drop(Ref::new_in(tally.value(), &pool));
        assert_eq!((tally.alive(), pool.live()), (alive, live));
        drop(pool);
        assert_eq!(tally.alive(), alive, "the bytes are gone, the values were never dropped");
    });
}

#[test]
fn a_forgotten_pool_leaves_its_block_to_its_source() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let outer = Pool::growing_bytes(1000);
        let source = SourceCell::new(FromPool(&outer));
        for _ in 0..2 {
            let pool = Pool::try_growing_in(1, &source).unwrap();
            for _ in 0..5 {
                forget(pool.alloc(tally.value()));
            }
            assert_eq!(pool.live(), 5);
            forget(pool);
        }
        forget(source);
        assert_eq!((tally.alive(), outer.live()), (10, 2 * 3));
        drop(outer);
        assert_eq!(tally.alive(), 10);
    });
}

#[test]
#[cfg_attr(any(kmem_asan, kmem_valgrind), ignore = "only a pool that is torn down takes its marks away")]
fn a_buffer_may_be_used_again_where_its_pool_is_forgotten() {
    let mut buffer = [MaybeUninit::uninit(); 1000];
    for fill in 0..3u8 {
        let pool = Pool::in_buffer(&mut buffer).unwrap();
        forget(pool.alloc([fill; 100]));
        let cell = pool.alloc([fill; 100]);
        assert_eq!((cell[99], pool.live()), (fill, 2));
        forget(cell);
        forget(pool);
        buffer.fill(MaybeUninit::new(fill));
    }
}

#[test]
fn children_go_with_their_tree_whether_their_owners_are_forgotten_or_not() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let mut tree = Tree::new(tally.value());
        let plant = |tree: &Tree<Counted>| {
            let node = tree.push_child(tally.value());
            node.node().push(tally.value());
            forget(node);
            forget(Ptr::from(tree.push_child(tally.value())));
            forget(Ptr::from(tree.node().push(tally.value())));
            forget(unsize::split(tree.push_child(tally.value())));
            tree.push_child(tally.value()).leave();
            let mut walk = tree.node().children();
            assert!(walk.next().is_some());
            forget(walk);
            let pool = tree.node().try_push_pool(2).unwrap();
            forget(pool.alloc(tally.value()));
            pool.alloc(tally.value()).leak();
            forget(pool);
        };
        plant(&tree);
        assert_eq!((tally.alive(), tree.node().below()), (9, 7));
        tree.clear();
        assert_eq!((tally.alive(), tree.node().below()), (1, 0));
        plant(&tree);
        tree.retain(|_| false);
        assert_eq!((tally.alive(), tree.node().below()), (8, 6));
        drop(tree);
        assert_eq!(tally.alive(), 0);
    });
}

#[test]
fn a_node_whose_pool_is_forgotten_may_be_freed_and_walked_past() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let tree = Tree::new(0);
        let node = tree.push_child(0);
        for _ in 0..3 {
            let pool = node.node().try_push_pool(5).unwrap();
            (0..5).for_each(|_| forget(pool.alloc(tally.value())));
            forget(pool);
        }
        node.node().push(1);
        assert_eq!((node.node().children().count(), tree.node().below()), (1, 5));
        node.free();
        assert_eq!((tally.alive(), tree.node().below()), (0, 0));
    });
}

#[test]
fn a_count_that_was_forgotten_keeps_the_cell_for_good() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let pool = Pool::bytes(100, 1);
        let mut counted = Ref::new_in(tally.value(), &pool);
        forget(counted.clone());
        forget(Ptr::from(counted.clone()).try_clone());
        forget(Ptr::from(counted.clone()).as_borrowed());
        assert_eq!(Ref::count(&counted), 3);
        assert!(Ref::get_mut(&mut counted).is_none());
        let counted = Ref::try_unwrap(counted).unwrap_err();
        let again = Ptr::from(counted).into_ref().unwrap_err();
        assert!(again.is_owner());
        drop(again);
        assert_eq!((pool.live(), tally.alive()), (1, 1));
    });
}

#[test]
fn refusals_and_sources_may_be_forgotten() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let pool = Pool::bytes(16, 1);
        forget(Ref::try_new_in(tally.value(), &pool));
        forget(Tree::try_new_in(tally.value(), &pool));
        assert_eq!((pool.live(), tally.alive()), (0, 2));
        forget(SourceCell::new(&pool));
        drop(pool);
    });
}

#[cfg(all(feature = "allocator-api2-02", feature = "allocator-api2-04"))]
#[test]
fn collections_may_be_leaked_and_forgotten_with_the_pool_that_they_own() {
    use kmem::allocator_api2::{v02, v04};
    leaks_nothing(|| {
        let outer = Pool::growing_bytes(4000);
        let pool = || Pool::try_bytes_in(200, 4, &outer).unwrap();
        let leaked = allocator_api2_02::boxed::Box::leak(allocator_api2_02::boxed::Box::new_in(
            7,
            v02::AsAllocator::new(pool()),
        ));
        let text = allocator_api2_04::boxed::Box::leak(allocator_api2_04::boxed::Box::new_in(
            [8u8; 100],
            v04::AsAllocator::new(pool()),
        ));
        let mut numbers = allocator_api2_02::vec::Vec::new_in(v02::AsAllocator::new(pool()));
        numbers.extend([1, 2, 3]);
        let numbers = numbers.leak();
        let mut moved = allocator_api2_04::vec::Vec::new_in(v04::AsAllocator::new(pool()));
        moved.extend([4, 5, 6]);
        let moved = moved.into_boxed_slice();
        *leaked += 1;
        numbers[0] = 9;
        assert_eq!((*leaked, text[99], &*numbers, &*moved), (8, 8, &[9, 2, 3][..], &[4, 5, 6][..]));
        forget(moved);
        assert_eq!(outer.live(), 4, "each pool lives on behind what it lent");
    });
}
