//! Values of every shape: of no size, of large alignment, of no value at all, slices, strings and trait objects.

use std::fmt::{self, Debug, Display};
use std::mem::MaybeUninit;

use kmem::{AllocError, Heap, HeapBox, Node, Pool, PoolBox, Ptr, Ref, SourceCell, Tree, unsize};

use crate::support::{Counted, Tally, leaks_nothing, quietly};

/// Runs `check` on the address of a value made by `make` under every owner, several at once.
fn under_every_owner<T: Send + 'static>(make: impl Fn() -> T, check: impl Fn(&T)) {
    leaks_nothing(|| {
        let source = SourceCell::new(Heap);
        let bytes = Pool::try_growing_bytes_in(size_of::<T>() + 3 * 4096, 1, Heap).unwrap();
        let (pool, growing) = (Pool::new(3), Pool::try_growing_in(1, &source).unwrap());
        let mut buffer = vec![MaybeUninit::uninit(); 5 * (size_of::<T>() + 4096)];
        let inside = Pool::in_buffer(&mut buffer).unwrap();
        let trees = (Tree::new(make()), Tree::new_in(make(), &source));
        let hosted = trees.0.node().try_push_pool(3).unwrap();
        for _ in 0..2 {
            for cell in
                [pool.alloc(make()), growing.alloc(make()), inside.alloc(make()), hosted.alloc(make())]
            {
                check(&cell);
                cell.leak();
            }
            check(trees.0.node().push(make()).get());
            check(trees.1.push_child(make()).leave());
            check(&HeapBox::new(make()));
            check(&Ref::new(make()));
            check(&Ref::new_in(make(), &source));
            match Ref::try_new_in(make(), &bytes) {
                Ok(counted) => check(&counted),
                Err(refused) => assert!(align_of::<T>() > 16, "{}", refused.error()),
            }
            let handle = Ptr::from(growing.alloc(make()));
            check(&handle);
            check(&handle.into_pool().ok().unwrap().into_inner());
            check(&HeapBox::new(make()).into_inner());
            check(&Ref::try_unwrap(Ref::new(make())).ok().unwrap());
        }
        check(&trees.0);
        drop(hosted);
        check(&trees.0.into_inner());
    });
}

macro_rules! aligned {
    ($($test:ident: $align:literal),*) => {$(
        #[test]
        fn $test() {
            #[repr(align($align))]
            struct Aligned(Counted);
            #[repr(align($align))]
            struct Empty;
            fn lies_aligned<T>(value: &T) {
                assert!(align_of::<T>() >= $align);
                assert_eq!(std::ptr::from_ref(value).addr() % align_of::<T>(), 0);
            }
            let tally = Tally::default();
            under_every_owner(|| Aligned(tally.value()), |value| {
                lies_aligned(value);
                assert!(value.0.is_counted());
            });
            assert_eq!(tally.alive(), 0);
            under_every_owner(|| Empty, lies_aligned);
        }
    )*};
}

aligned! {
    values_aligned_to_1_lie_so: 1,
    values_aligned_to_16_lie_so: 16,
    values_aligned_to_32_lie_so: 32,
    values_aligned_to_64_lie_so: 64,
    values_aligned_to_1024_lie_so: 1024,
    values_aligned_to_a_page_lie_so: 4096
}

#[test]
fn an_alignment_above_a_page_is_refused_by_every_owner() {
    #[derive(Clone)]
    #[repr(align(8192))]
    struct Wide;
    fn refused<T, E>(result: Result<T, E>)
    where
        AllocError: From<E>,
    {
        let error = AllocError::from(result.err().expect("a refusal"));
        assert_eq!(error, AllocError::Align { align: 8192, max: 4096 });
    }
    let tree = Tree::new(0);
    refused(HeapBox::try_new(Wide));
    refused(HeapBox::try_from_fn_in(2, |_| Wide, Heap));
    refused(Ref::try_new(Wide));
    refused(Tree::try_new(Wide));
    refused(tree.node().try_push_child(Wide));
    refused(tree.node().try_push_pool::<Wide>(1));
    refused(Pool::<Wide>::try_new_in(1, Heap));
    refused(Pool::<Wide, _>::in_buffer(&mut [MaybeUninit::uninit(); 100_000]));
    assert_eq!(tree.node().below(), 0);
}

#[test]
fn a_type_of_no_value_may_have_stores_and_empty_slices() {
    use std::convert::Infallible;
    let pool = Pool::<Infallible>::new(3);
    let empty =
        HeapBox::<[Infallible]>::try_from_fn_in(0, |_| unreachable!("there is nothing to make"), Heap)
            .unwrap();
    let shared = Ref::<[Infallible]>::try_copy_in(&[], Heap).map(|empty| empty.len());
    assert_eq!((pool.live(), empty.len(), shared), (0, 0, Ok(0)));
}

#[test]
fn slices_of_nothing_have_as_many_elements_as_they_say() {
    struct Nothing;
    static DROPPED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let slice = HeapBox::try_from_fn_in(1000, |_| Nothing, Heap).unwrap();
    let shared = Ref::try_from_fn_in(1000, |_| Nothing, Heap).unwrap();
    assert_eq!((slice.len(), shared.len()), (1000, 1000));
    drop((slice, shared));
    assert_eq!(DROPPED.load(std::sync::atomic::Ordering::Relaxed), 2000);
    let most = [(); usize::MAX];
    let (heap, pool) = (HeapBox::try_copy_in(&most, Heap).unwrap(), Pool::bytes(0, 1));
    assert_eq!((heap.len(), pool.try_alloc_copy(&most).unwrap().len()), (usize::MAX, usize::MAX));
}

#[test]
fn lengths_that_overflow_are_refused_before_an_element_is_made() {
    for len in [usize::MAX, usize::MAX / 8, isize::MAX as usize / 8 + 1, isize::MAX as usize / 8 - 1] {
        let made = |_| -> (u64, Counted) { unreachable!("no element is made") };
        assert!(HeapBox::try_from_fn_in(len, made, Heap).is_err());
        assert!(Ref::try_from_fn_in(len, made, Heap).is_err());
        assert!(HeapBox::<[u8]>::try_zeroed(len.saturating_mul(8)).is_err());
        assert!(Pool::<u64>::try_new_in(len, Heap).is_err());
        assert!(Pool::try_bytes_in(len.saturating_mul(8), 1, Heap).is_err());
        assert!(Pool::try_bytes_in(1, len, Heap).is_err());
        assert!(Tree::new(0).node().try_push_pool::<u64>(len).is_err());
    }
}

#[test]
fn functions_to_be_called_lie_as_aligned_as_what_they_carry() {
    #[repr(align(4096))]
    struct Page(Counted);
    #[repr(align(8192))]
    struct Wide(#[allow(dead_code, reason = "it is there to be dropped")] Counted);
    let tally = Tally::default();
    leaks_nothing(|| {
        let tree = Tree::new(1);
        let page = |page: Page| {
            move || {
                let page = &page;
                assert!(page.0.is_counted() && std::ptr::from_ref(page).addr() % 4096 == 0);
            }
        };
        tree.node().on_free(page(Page(tally.value())));
        tree.node().on_free(page(Page(tally.value()))).cancel();
        let wide = Wide(tally.value());
        let refused = tree.node().try_on_free(move || drop(wide)).unwrap_err();
        assert_eq!((refused.error(), tally.alive()), (AllocError::Align { align: 8192, max: 4096 }, 2));
    });
    assert_eq!(tally.alive(), 0);
}

#[test]
fn iterators_that_lie_about_their_length_are_collected_whole_or_refused() {
    struct Lying<I>(I, usize);
    impl<I: Iterator> Iterator for Lying<I> {
        type Item = I::Item;
        fn next(&mut self) -> Option<I::Item> {
            self.0.next()
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (self.1, Some(0))
        }
    }
    fn collects<T>(make: impl Fn() -> T + Copy, check: impl Fn(&T)) {
        for count in [0, 1, 2, 4, 5, 33, 100] {
            for hint in [0, 1, 2, 4, 5, 99, 100, 101, 10_000] {
                let values = || Lying((0..count).map(|_| make()), hint);
                let (heap, counted): (HeapBox<[T]>, Ref<[T]>) = (values().collect(), values().collect());
                assert_eq!((heap.len(), counted.len()), (count, count));
                heap.iter().chain(counted.iter()).for_each(&check);
            }
        }
    }
    #[repr(align(256))]
    struct Wide(Counted);
    let tally = Tally::default();
    leaks_nothing(|| {
        collects(|| tally.value(), |value| assert!(value.is_counted()));
        collects(
            || Wide(tally.value()),
            |wide| assert!(wide.0.is_counted() && std::ptr::from_ref(wide).addr() % 256 == 0),
        );
        collects(|| (), |()| ());
        collects(|| 7u8, |&seven| assert_eq!(seven, 7));
    });
    // No cell holds so many. The report of a panic takes memory, so that these stand apart.
    for hint in [usize::MAX, usize::MAX / 2, isize::MAX as usize] {
        let values = || Lying((0..10).map(|_| tally.value()), hint);
        assert!(quietly(|| values().collect::<HeapBox<[_]>>()).is_err());
        assert!(quietly(|| values().collect::<Ref<[_]>>()).is_err());
    }
    assert_eq!(tally.alive(), 0);
}

/// A value of which a trait object is made, alive as long as its tally says.
struct Named(&'static str, #[allow(dead_code, reason = "it is there to be dropped")] Counted);

impl Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

trait Both: Display + Debug {}
impl<T: Display + Debug> Both for T {}

#[test]
fn owners_of_trait_objects_drop_what_they_were_made_of() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let value = |name| Named(name, tally.value());
        let (pool, tree) = (Pool::new(2), Tree::new(value("tree")));
        tree.node().push(value("leaf"));
        let heap: HeapBox<dyn Both + Send> = unsize!(HeapBox::new(value("heap")) => dyn Both + Send);
        let counted: Ref<dyn Both + Send> = unsize!(Ref::new(value("ref")) => dyn Both + Send);
        let cell: PoolBox<'_, dyn Both> = unsize!(pool.alloc(value("pool")) => dyn Both);
        let store = Tree::new(());
        let node: Node<'_, dyn Both> = unsize!(store.push_child(value("node")) => dyn Both);
        let tree: Tree<dyn Both + Send> = unsize!(tree => dyn Both + Send);
        let handles: [Ptr<'_, dyn Both>; 3] = [
            unsize!(Ptr::from(pool.alloc(value("handle"))) => dyn Both),
            unsize!(Ptr::from(tree) => dyn Both),
            unsize!(Ptr::from(counted.clone()) => dyn Both),
        ];
        let heap: HeapBox<dyn Both> = unsize!(heap => dyn Both);
        assert_eq!(format!("{heap:?} {counted} {cell:?} {node}"), "heap ref pool node");
        assert_eq!(handles.each_ref().map(ToString::to_string), ["handle", "tree", "ref"]);
        assert_eq!((tally.alive(), Ref::count(&counted)), (7, 2));
        drop((heap, counted, cell, handles));
        assert_eq!(tally.alive(), 1);
        node.free();
        assert_eq!(tally.alive(), 0);
    });
}

#[test]
fn an_array_that_became_a_slice_goes_as_the_array() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let array = || [tally.value(), tally.value(), tally.value()];
        let pool = Pool::new(1);
        let tree = Tree::new(array());
        tree.node().push(array());
        let heap: HeapBox<[Counted]> = unsize!(HeapBox::new(array()) => [Counted]);
        let cell: PoolBox<'_, [Counted]> = unsize!(pool.alloc(array()) => [Counted]);
        let tree: Tree<[Counted]> = unsize!(tree => [Counted]);
        let counted = Ptr::from(unsize!(Ref::new(array()) => [Counted])).into_ref().unwrap();
        assert_eq!((heap.len(), cell.len(), tree.len(), counted.len(), tally.alive()), (3, 3, 3, 3, 15));
        drop((heap, cell.leak(), tree, counted));
        assert_eq!(tally.alive(), 3);
        drop(pool);
        assert_eq!(tally.alive(), 0);
    });
}

#[test]
fn a_struct_with_an_unsized_tail_keeps_its_head_and_its_alignment() {
    #[repr(C)]
    struct Tail<T: ?Sized>(Counted, T);
    #[derive(Debug)]
    #[repr(align(128))]
    struct Wide(#[allow(dead_code, reason = "it is there to be shown")] u8);
    leaks_nothing(|| {
        let tally = Tally::default();
        let heap = unsize!(HeapBox::new(Tail(tally.value(), Wide(7))) => Tail<dyn Debug>);
        let shared = unsize!(Ref::new(Tail(tally.value(), [1, 2, 3])) => Tail<[u8]>);
        assert_eq!((&raw const heap.1).cast::<u8>().addr() % 128, 0);
        assert_eq!((format!("{:?}", &heap.1), shared.1.len()), ("Wide(7)".into(), 3));
        assert!(heap.0.is_counted() && shared.0.is_counted());
        drop((heap, shared));
        assert_eq!(tally.alive(), 0);
    });
}

#[test]
fn strings_and_slices_are_as_long_as_what_they_were_copied_from() {
    leaks_nothing(|| {
        let (pool, source) = (Pool::bytes(64, 8), SourceCell::new(Heap));
        let tree = Tree::new(());
        for text in ["", "a", "sixteen bytes!!!", "ünïcödé"] {
            let cell = pool.try_alloc_str(text).unwrap();
            let counted = Ref::try_copy_str_in(text, &source).unwrap();
            let root = Tree::try_copy_str_in(text, Heap).unwrap();
            let child = tree.node().try_push_child_str(text).unwrap();
            let handle = Ptr::from(HeapBox::<str>::from(text));
            for copy in [&*cell, &*counted, &*root, &*child, &*handle] {
                assert_eq!(copy, text);
            }
            let numbers: Vec<u32> = text.chars().map(u32::from).collect();
            let cell = pool.try_alloc_copy(&numbers).unwrap();
            let child = tree.node().try_push_child_copy(&numbers).unwrap();
            let heap = HeapBox::try_copy_in(&numbers, Heap).unwrap();
            for copy in [&*cell, &*child, &*heap, &*Tree::try_copy_in(&numbers, Heap).unwrap()] {
                assert_eq!(copy, &numbers[..]);
            }
        }
    });
}
