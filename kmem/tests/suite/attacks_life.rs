//! What safe code could try with cells that change their size, trees that are put together and taken apart, functions that are
//! called as a node goes, adopted objects, names and walks.

#![allow(clippy::forget_non_drop, reason = "that some have no destructor today is not what is stated here")]

use std::alloc::Layout;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem::forget;
#[cfg(feature = "shred")]
use std::num::NonZero;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kmem::{
    AllocError, Heap, HeapBox, Kind, Named, Node, NodeRef, Pool, Ptr, Ref, Source, SourceCell, Tree, unsize,
};

use crate::support::{Counted, Tally, leaks_nothing, lent_for_ever, quietly, unwind};

type Call = Box<dyn Fn()>;

/// A source over the heap that calls the program back before it draws, or before it takes back, once for each time that it is
/// armed. What it takes back it writes over.
#[derive(Default)]
struct Calls {
    as_it_draws: RefCell<Option<Call>>,
    as_it_takes_back: RefCell<Option<Call>>,
}

impl Calls {
    fn on_draw(&self, call: impl Fn() + 'static) {
        *self.as_it_draws.borrow_mut() = Some(Box::new(call));
    }
    fn on_take_back(&self, call: impl Fn() + 'static) {
        *self.as_it_takes_back.borrow_mut() = Some(Box::new(call));
    }
}

unsafe impl Source for Calls {
    fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if let Some(call) = self.as_it_draws.take() {
            call();
        }
        Heap.draw(layout)
    }
    unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
        let call = self.as_it_takes_back.take();
        unsafe {
            block.write_bytes(0xDD, layout.size());
            Heap.give_back(block, layout);
        }
        if let Some(call) = call {
            call();
        }
    }
}

/// Does the same to the slice of every owner: as a `Ptr`, which owns it, and as what it is.
fn each_owner<T: Copy + Send + 'static>(values: &[T], mut work: impl FnMut(&mut dyn Slice<T>)) {
    let tree = Tree::new("above");
    let _before = tree.node().push("before");
    let node = tree.node().try_push_child_copy(values).unwrap();
    let _behind = tree.node().push("behind");
    work(&mut { node });
    work(&mut HeapBox::try_copy(values).unwrap());
    work(&mut Ref::try_copy_in(values, Heap).unwrap());
    work(&mut Tree::try_copy_in(values, Heap).unwrap());
    work(&mut Ptr::from(HeapBox::try_copy(values).unwrap()));
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
fn arrays_that_became_slices_change_their_length_and_children_of_the_arrays_type_go_with_them() {
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
fn what_others_look_at_is_not_resized() {
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
fn a_pools_cell_takes_what_it_holds_and_no_more() {
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
        // What is drawn from a pool through it has its cells' size too.
        let cells = Pool::bytes(40, 1);
        let mut counted = Ref::try_copy_str_in("1234", &cells).unwrap();
        Ref::try_push_str(&mut counted, "5678").unwrap();
        assert!(matches!(Ref::try_push_str(&mut counted, "9"), Err(AllocError::Size { .. })));
        assert_eq!(&*counted, "12345678");
    });
}

#[test]
#[cfg(feature = "shred")]
fn a_pools_value_that_was_cut_short_and_forgotten_is_whole() {
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
        forget(cut);
        assert_eq!(pool.iter_mut().next(), Some(&mut [1, 2, 3].map(number)));
    }
}

#[test]
fn a_source_that_unwinds_as_a_cell_is_resized_leaves_it_whole_before_or_behind() {
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
                source.source().on_draw(|| unwind());
                assert!(quietly(|| owner.set(len)).is_err());
                assert_eq!(owner.get().len(), was, "the old one is there");
                source.source().on_take_back(|| unwind());
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

/// Owners of bytes, whatever they are drawn from.
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
                    // Both neighbours go, and others come.
                    siblings.take().into_iter().for_each(Node::free);
                    siblings.borrow_mut().extend([tree.push_child(1), tree.push_child(2)]);
                    tree.node().push(3).adopt(HeapBox::new(4)).leave();
                    tree.node().graft(Tree::new(5));
                };
                change();
                let mut node = tree.node().try_push_child_copy(&[1u8, 2, 3]).unwrap();
                change();
                for len in [1000, 10, 2000] {
                    source.source().on_draw(change);
                    source.source().on_take_back(change);
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

thread_local! {
    static TREE: RefCell<Option<Tree<usize>>> = const { RefCell::new(None) };
    static MEDDLED: Cell<usize> = const { Cell::new(0) };
}

/// What does all that can be done to the tree in `TREE`, where that can be reached as it ends.
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
fn hooks_and_destructors_may_change_the_tree_that_something_is_freed_from() {
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
        // Where the tree itself goes it is borrowed, and so out of reach.
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
fn each_function_is_run_or_dropped_once_whatever_becomes_of_its_node() {
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
fn functions_of_every_size_and_alignment_are_carried() {
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
fn functions_that_unwind_stop_nothing() {
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

/// A value that unwinds as it is dropped.
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
fn what_unwinds_as_it_is_cancelled_let_go_cleared_or_detached_is_gone_all_the_same() {
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

#[test]
fn a_source_that_unwinds_as_it_serves_a_hook_or_a_holder_leaves_all_as_it_was() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let source = SourceCell::new(Calls::default());
        let tree = Tree::new_in(tally.value(), &source);
        let value = tally.value();
        source.source().on_draw(|| unwind());
        assert!(quietly(|| tree.node().on_free(move || drop(value))).is_err());
        source.source().on_draw(|| unwind());
        assert!(quietly(|| tree.node().adopt(HeapBox::new(tally.value()))).is_err());
        assert_eq!((tally.alive(), tree.node().below()), (1, 0));
        // As they are given back: what was let go is lost, and what was cancelled is dropped.
        let adopted = tree.node().adopt(Ref::new(7));
        let other = Ref::clone(&adopted);
        source.source().on_take_back(|| unwind());
        assert!(quietly(|| adopted.release()).is_err());
        let value = tally.value();
        let hook = tree.node().on_free(move || drop(value));
        source.source().on_take_back(|| unwind());
        assert!(quietly(|| hook.cancel()).is_err());
        assert_eq!((tally.alive(), tree.node().below(), Ref::count(&other)), (1, 0, 2));
        drop(tree);
        assert_eq!((tally.alive(), Ref::count(&other)), (0, 2));
        // Its only other reference is the lost one.
        let raw = other.into_non_null();
        for raw in [raw; 2] {
            drop(unsafe { Ref::<i32>::from_non_null(raw) });
        }
    });
}

#[test]
fn adopted_objects_go_once_whoever_forgets_or_takes_them() {
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
fn objects_of_no_size_are_told_apart() {
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
fn trees_that_were_put_together_and_taken_apart_go_once() {
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
fn a_grafted_tree_keeps_its_own_source_and_is_not_taken_for_one_of_the_heap() {
    leaks_nothing(|| {
        lent_for_ever(SourceCell::new(Counting::default()), |source| {
            let live = || source.source().0.load(Ordering::Relaxed);
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

/// The heap, counting its live blocks, from any thread.
#[derive(Default)]
struct Counting(AtomicUsize);

unsafe impl Source for Counting {
    fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Heap.draw(layout)
    }
    unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        unsafe { Heap.give_back(block, layout) }
    }
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
fn a_tree_takes_what_it_adopted_and_grafted_to_another_thread() {
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
fn a_walk_sees_what_there_is_and_gives_no_value_out() {
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
fn names_go_along_where_cells_move_and_owners_change() {
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
fn a_trait_object_is_only_what_it_was_made_of() {
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
        // An owner of an owner is not taken for what that owns.
        let boxed: HeapBox<dyn Any> = unsize!(HeapBox::new(HeapBox::new(tally.value())) => dyn Any);
        let boxed = boxed.downcast::<Counted>().unwrap_err();
        drop(boxed.downcast::<HeapBox<Counted>>().unwrap().into_inner());
        assert_eq!(tally.alive(), 0);
    });
}
