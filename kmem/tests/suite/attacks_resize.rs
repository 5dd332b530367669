//! Attacks by safe code on cells that are resized.

#![allow(clippy::forget_non_drop, reason = "a type without a destructor may get one")]

use std::cell::RefCell;
#[cfg(feature = "shred")]
use std::num::NonZero;

use kmem::{AllocError, Heap, HeapBox, Kind, Node, Pool, Ptr, Ref, SourceCell, Tree, unsize};

use crate::sources::Calls;
use crate::support::{Tally, leaks_nothing, lent_for_ever, quietly, unwind};

/// Runs `work` on a slice of each owner, and on each owner as a `Ptr`.
fn each_owner<T: Copy + Send + 'static>(values: &[T], mut work: impl FnMut(&mut dyn Slice<T>)) {
    let tree = Tree::new("above");
    let _before = tree.node().push("before");
    let node = tree.node().try_push_child_copy(values).unwrap();
    let _behind = tree.node().push("behind");
    work(&mut { node });
    work(&mut HeapBox::try_copy_in(values, Heap).unwrap());
    work(&mut Ref::try_copy_in(values, Heap).unwrap());
    work(&mut Tree::try_copy_in(values, Heap).unwrap());
    work(&mut Ptr::from(HeapBox::try_copy_in(values, Heap).unwrap()));
    work(&mut Ptr::from(Ref::try_copy_in(values, Heap).unwrap()));
    work(&mut Ptr::from(Tree::try_copy_in(values, Heap).unwrap()));
    work(&mut Ptr::from(tree.node().try_push_child_copy(values).unwrap()));
    assert!(tree.node().children().map(|child| *child).eq(["before", "behind"]));
}

trait Slice<T> {
    fn get(&self) -> &[T];
    fn set(&mut self, len: usize, value: T) -> Result<(), AllocError>;
}

macro_rules! slice {
    ($($owner:ty => $set:expr),*) => {
        $(impl<T: Copy> Slice<T> for $owner {
            fn get(&self) -> &[T] {
                self
            }
            fn set(&mut self, len: usize, value: T) -> Result<(), AllocError> {
                $set(self, len, value)
            }
        })*
    };
}

slice!(HeapBox<[T]> => HeapBox::<[T]>::try_resize, Ref<[T]> => Ref::<[T]>::try_resize,
    Tree<[T]> => Tree::<[T]>::try_resize, Node<'_, [T]> => Node::<'_, [T]>::try_resize,
    Ptr<'_, [T]> => Ptr::<'_, [T]>::try_resize);

#[test]
fn slices_take_every_length_and_keep_what_fits() {
    leaks_nothing(|| {
        each_owner(&[1u32, 2, 3], |slice| {
            let mut expected = vec![1, 2, 3];
            for (len, value) in [(3, 9), (7, 9), (2, 8), (0, 7), (5, 6), (10_000, 5), (100_000, 4), (1, 3)] {
                slice.set(len, value).unwrap();
                expected.resize(len, value);
                assert_eq!(slice.get(), expected);
            }
        });
    });
}

#[test]
fn lengths_that_overflow_are_refused_and_change_nothing() {
    leaks_nothing(|| {
        each_owner(&[1u64, 2, 3], |slice| {
            for len in [usize::MAX, usize::MAX / 8, usize::MAX / 8 + 1, usize::MAX / 8 + 2, usize::MAX / 16] {
                let error = slice.set(len, 7).unwrap_err();
                assert!(matches!(error, AllocError::Overflow | AllocError::Exhausted { .. }), "{error}");
            }
            assert_eq!(slice.get(), [1, 2, 3]);
        });
    });
}

#[test]
fn slices_of_values_of_no_size_take_every_length_at_once() {
    leaks_nothing(|| {
        each_owner(&[(); 3], |slice| {
            for len in [usize::MAX, 0, 7] {
                slice.set(len, ()).unwrap();
                assert_eq!(slice.get().len(), len);
            }
        });
    });
}

#[test]
fn alignments_stay() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(256))]
    struct Wide(u8);
    leaks_nothing(|| {
        each_owner(&[Wide(1), Wide(2)], |slice| {
            for len in [3, 100, 1, 5000, 2] {
                slice.set(len, Wide(7)).unwrap();
                assert_eq!(slice.get().as_ptr().addr() % 256, 0);
                assert_eq!((slice.get()[0], slice.get().len()), (Wide(1), len));
            }
        });
    });
}

#[test]
fn arrays_that_became_slices_change_their_length() {
    leaks_nothing(|| {
        let tree = Tree::new([1u8; 16]);
        tree.node().push([2; 16]).push([3; 16]);
        let tally = Tally::default();
        tree.node().push_child(tally.value()).node().push_child(tally.value());
        tree.node().on_free({
            let value = tally.value();
            move || drop(value)
        });
        tree.node().adopt(HeapBox::new(tally.value())).leave();
        let mut slice: Tree<[u8]> = unsize!(tree => [u8]);
        for len in [0, 1_000_000, 1, 17] {
            slice.try_resize(len, 7).unwrap();
        }
        assert_eq!((slice[0], slice[16], slice.walk().count(), tally.alive()), (7, 7, 6, 4));
        drop(slice);
        assert_eq!(tally.alive(), 0);

        let outer = Tree::new(0);
        let mut node: Node<'_, [u8]> = unsize!(outer.push_child([1u8; 3]) => [u8]);
        node.try_resize(100_000, 2).unwrap();
        let mut counted: Ref<[u8]> = unsize!(Ref::new([1u8; 3]) => [u8]);
        Ref::try_resize(&mut counted, 4, 2).unwrap();
        assert_eq!((node[2], node[99_999], &*counted), (1, 2, &[1, 1, 1, 2][..]));
    });
}

#[test]
fn strings_grow_by_what_is_appended() {
    leaks_nothing(|| {
        let tree = Tree::new("above");
        let mut owners = (
            HeapBox::<str>::from("a"),
            Ref::<str>::from("a"),
            Tree::<str>::from("a"),
            tree.node().try_push_child_str("a").unwrap(),
            Ptr::from(HeapBox::<str>::from("a")),
        );
        let long = "ü".repeat(50_000);
        for text in ["", "b", &long] {
            owners.0.try_push_str(text).unwrap();
            Ref::try_push_str(&mut owners.1, text).unwrap();
            owners.2.try_push_str(text).unwrap();
            owners.3.try_push_str(text).unwrap();
            owners.4.try_push_str(text).unwrap();
        }
        let expected = format!("ab{long}");
        let texts: [&str; 5] = [&owners.0, &owners.1, &owners.2, &owners.3, &owners.4];
        assert_eq!(texts, [expected.as_str(); 5]);
    });
}

#[test]
fn a_shared_or_borrowed_cell_is_not_resized() {
    leaks_nothing(|| {
        let mut one = Ref::<[u8]>::from(vec![1, 2, 3]);
        let two = one.clone();
        assert_eq!(Ref::try_resize(&mut one, 1, 0), Err(AllocError::Shared));
        let mut handle = Ptr::from(one);
        assert_eq!(handle.try_resize(1, 0), Err(AllocError::Shared));
        drop(two);
        let tree = Tree::new(0);
        let adopted = tree.node().adopt(handle.into_ref().unwrap());
        let mut other = Ref::clone(&adopted);
        assert_eq!(Ref::try_resize(&mut other, 1, 0), Err(AllocError::Shared));
        let owner = Ptr::from(HeapBox::<[u8]>::from(vec![1, 2, 3]));
        assert_eq!(owner.as_borrowed().try_resize(1, 0), Err(AllocError::Fixed(Kind::Heap)));
        assert_eq!(Ptr::from("static").try_push_str("!"), Err(AllocError::Fixed(Kind::None)));
        assert_eq!((&*other, &*owner), (&[1, 2, 3][..], &[1, 2, 3][..]));
    });
}

#[test]
fn a_pools_cell_grows_to_the_size_of_the_cell_and_no_more() {
    leaks_nothing(|| {
        let numbers = Pool::new(2);
        let mut cell: Ptr<'_, [u32]> = unsize!(Ptr::from(numbers.alloc([1u32, 2, 3])) => [u32]);
        let neighbour = numbers.alloc([9; 3]);
        cell.try_resize(1, 0).unwrap();
        cell.try_resize(3, 7).unwrap();
        assert_eq!(cell.try_resize(4, 7), Err(AllocError::Size { size: 16, max: 12 }));
        assert_eq!((&*cell, *neighbour), (&[1, 7, 7][..], [9; 3]));
        let bytes = Pool::bytes(16, 1);
        let mut text = Ptr::from(bytes.try_alloc_str("sixteen ").unwrap());
        text.try_push_str("bytes!!!").unwrap();
        assert_eq!(text.try_push_str("!"), Err(AllocError::Size { size: 17, max: 16 }));
        assert_eq!(&*text, "sixteen bytes!!!");
        // A cell that is allocated through the pool as a source has the size of its cells too.
        let cells = Pool::bytes(40, 1);
        let mut counted = Ref::try_copy_str_in("1234", &cells).unwrap();
        Ref::try_push_str(&mut counted, "5678").unwrap();
        assert!(matches!(Ref::try_push_str(&mut counted, "9"), Err(AllocError::Size { .. })));
        assert_eq!(&*counted, "12345678");
    });
}

#[test]
#[cfg(feature = "shred")]
fn a_value_of_a_pool_that_was_cut_and_forgotten_is_dropped_whole() {
    let number = |number| NonZero::new(number).unwrap();
    for taints_pool in [false, true] {
        let mut pool = Pool::new(1);
        if taints_pool {
            pool.taint();
        }
        let mut cut = unsize!(Ptr::from(pool.alloc([1u64, 2, 3].map(number))) => [NonZero<u64>]);
        if !taints_pool {
            cut.taint();
        }
        cut.try_resize(1, number(7)).unwrap();
        assert_eq!(*cut, [number(1)]);
        std::mem::forget(cut);
        assert_eq!(pool.iter_mut().next(), Some(&mut [1, 2, 3].map(number)));
    }
}

#[test]
fn a_source_that_unwinds_during_a_resize_leaves_the_cell_intact() {
    leaks_nothing(|| {
        let source = SourceCell::new(Calls::default());
        let above = Tree::new_in(0, &source);
        let mut counted = Ref::try_copy_in(&[1u8; 10], &source).unwrap();
        let mut root = Tree::try_copy_in(&[1u8; 10], &source).unwrap();
        let below = root.push_child([7u8; 10]).leave().as_ptr().addr();
        let mut node = above.node().try_push_child_copy(&[1u8; 10]).unwrap();
        above.node().push(1);
        for (round, len) in [(0, 100), (1, 50), (2, 1000)] {
            let was = if round == 0 { 10 } else { [100, 50][round - 1] };
            for owner in [&mut counted as &mut dyn Any_, &mut root, &mut node] {
                source.source().on_alloc(|| unwind());
                assert!(quietly(|| owner.set(len)).is_err());
                assert_eq!(owner.get().len(), was, "the old one is there");
                source.source().on_free(|| unwind());
                assert!(quietly(|| owner.set(len)).is_err());
                assert_eq!(owner.get().len(), len, "the owner knew of the new one before the old one went");
                assert_eq!(owner.get()[..10], [1; 10]);
                assert!(owner.get()[10..].iter().all(|&byte| byte == 1));
            }
        }
        assert_eq!((root.walk().count(), above.node().below()), (2, 2));
        assert_ne!(below, 0);
    });
}

/// An owner of bytes from any source.
trait Any_ {
    fn get(&self) -> &[u8];
    fn set(&mut self, len: usize) -> Result<(), AllocError>;
}

impl<S> Any_ for Ref<[u8], S> {
    fn get(&self) -> &[u8] {
        self
    }
    fn set(&mut self, len: usize) -> Result<(), AllocError> {
        Ref::try_resize(self, len, 1)
    }
}

impl<S> Any_ for Tree<[u8], S> {
    fn get(&self) -> &[u8] {
        self
    }
    fn set(&mut self, len: usize) -> Result<(), AllocError> {
        self.try_resize(len, 1)
    }
}

impl Any_ for Node<'_, [u8]> {
    fn get(&self) -> &[u8] {
        self
    }
    fn set(&mut self, len: usize) -> Result<(), AllocError> {
        self.try_resize(len, 1)
    }
}

#[test]
fn a_source_may_change_the_tree_around_a_node_that_is_resized() {
    leaks_nothing(|| {
        lent_for_ever(SourceCell::new(Calls::default()), |source| {
            lent_for_ever(Tree::new_in(0usize, source), |tree| {
                let siblings: &'static RefCell<Vec<Node<'static, usize>>> = Box::leak(Box::default());
                let change = move || {
                    // Frees both siblings and adds others.
                    siblings.take().into_iter().for_each(Node::free);
                    siblings.borrow_mut().extend([tree.push_child(1), tree.push_child(2)]);
                    tree.node().push(3).adopt(HeapBox::new(4)).leave();
                    tree.node().graft(Tree::new(5));
                };
                change();
                let mut node = tree.node().try_push_child_copy(&[1u8, 2, 3]).unwrap();
                change();
                for len in [1000, 10, 2000] {
                    source.source().on_alloc(change);
                    source.source().on_free(change);
                    node.try_resize(len, 7).unwrap();
                    assert_eq!((&node[..3], node.len()), (&[1, 2, 3][..], len));
                }
                assert_eq!(tree.node().children().map(|child| *child).sum::<usize>(), 3 * 8);
                siblings.take();
                drop(unsafe { Box::from_raw(std::ptr::from_ref(siblings).cast_mut()) });
            });
        });
    });
}
