//! Every source under every method.

use std::alloc::Layout;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;

use kmem::raw::{self, heap, pool, ptr, refs, tree};
use kmem::{AllocError, Heap, Kind, Pool, Ref, Source, SourceCell, Tree};

use crate::support::{Ends, leaks_nothing};

/// A raw source over the heap that counts what is out, and may be told to fail or to give misaligned blocks.
#[repr(C)]
struct Counting {
    source: raw::Source,
    out: Cell<usize>,
    bytes: Cell<usize>,
    fails: bool,
    askew: bool,
}

impl Counting {
    fn new() -> Self {
        let source = raw::Source::new(allocate, free, null_mut());
        Counting { source, out: Cell::new(0), bytes: Cell::new(0), fails: false, askew: false }
    }

    fn cell(&mut self) -> *mut raw::Cell {
        (&raw mut *self).cast()
    }
}

unsafe extern "C-unwind" fn allocate(source: *mut raw::Source, size: usize, align: usize) -> *mut c_void {
    let this = unsafe { &*source.cast::<Counting>() };
    if this.fails {
        return null_mut();
    }
    this.out.set(this.out.get() + 1);
    this.bytes.set(this.bytes.get() + size);
    let layout = Layout::from_size_align(size + align, align).unwrap();
    let block = unsafe { std::alloc::alloc(layout) };
    if this.askew { unsafe { block.add(8).cast() } } else { block.cast() }
}

unsafe extern "C-unwind" fn free(source: *mut raw::Source, block: *mut c_void, size: usize, align: usize) {
    let this = unsafe { &*source.cast::<Counting>() };
    this.out.set(this.out.get() - 1);
    this.bytes.set(this.bytes.get() - size);
    let layout = Layout::from_size_align(size + align, align).unwrap();
    let block = if this.askew { unsafe { block.sub(8) } } else { block };
    unsafe { std::alloc::dealloc(block.cast(), layout) };
}

#[test]
fn every_method_draws_from_every_source_that_can_serve() {
    leaks_nothing(|| unsafe {
        let store = pool::i(null_mut(), 1000, 10);
        let mut custom = Counting::new();
        for src in [null_mut(), store.cast(), custom.cell()] {
            let counted = refs::a(src, 100);
            let root = tree::a(src, null_mut(), 100);
            let leaf = tree::a(src, root, 100);
            let inner = pool::i(src, 10, 5);
            let hosted = pool::i(root.sub(64).cast(), 10, 5);
            for data in [counted, root, leaf, pool::a(inner), pool::a(hosted)] {
                assert!(!data.is_null());
                data.write_bytes(1, 10);
            }
            assert_eq!((*inner).src, src);
            assert_eq!((*hosted).src, root.sub(64).cast());
            pool::x(inner);
            refs::f(counted);
            tree::f(root);
        }
        assert_eq!((custom.out.get(), custom.bytes.get()), (0, 0));
        assert_eq!(pool::live(store), 0);
        pool::x(store);
    });
}

#[test]
fn sources_whose_cells_could_go_first_are_refused() {
    unsafe {
        let root = tree::a(null_mut(), null_mut(), 8);
        let counted = refs::a(null_mut(), 8);
        let plain = heap::a(8);
        let [node, counted_cell, heap_cell] =
            [root.sub(64), counted.sub(32), plain.sub(16)].map(|cell| cell.cast::<raw::Cell>());
        for (src, kind) in [(node, Kind::Tree), (counted_cell, Kind::Ref), (heap_cell, Kind::Heap)] {
            let request = raw::Request::new(8);
            assert_eq!(refs::alloc(src, &request), Err(AllocError::Source(Some(kind))));
            assert_eq!(tree::alloc(src, null_mut(), &request), Err(AllocError::Source(Some(kind))));
            assert!(refs::ao(src, 8).is_null() && tree::zo(src, null_mut(), 8).is_null());
            if kind != Kind::Tree {
                assert_eq!(pool::init(src, &pool::Spec::new(8, 8)), Err(AllocError::Source(Some(kind))));
            }
        }
        assert_eq!(tree::below(root), 0);
        heap::f(plain);
        refs::f(counted);
        tree::f(root);
    }
}

/// Its destructor is for its own cells: on another method's block it would run on what it was not made for.
#[test]
fn a_pool_with_a_destructor_is_no_source() {
    unsafe extern "C-unwind" fn never(_: *mut c_void, _: *mut c_void) {
        unreachable!("there is no cell");
    }
    unsafe {
        let drop = Some(raw::Destructor { run: Some(never), arg: null_mut() });
        let store =
            pool::init(null_mut(), &pool::Spec { drop, ..pool::Spec::new(1000, 4) }).unwrap().as_ptr();
        let refused = Err(AllocError::Source(Some(Kind::Pool)));
        assert_eq!(refs::alloc(store.cast(), &raw::Request::new(8)), refused);
        assert_eq!(tree::alloc(store.cast(), null_mut(), &raw::Request::new(8)), refused);
        assert!(pool::i(store.cast(), 8, 8).is_null());
        assert_eq!(pool::live(store), 0);
        pool::x(store);
    }
}

#[test]
fn a_source_that_is_no_cell_is_refused() {
    let mut junk = [0x7777_7777u32; 8];
    let src: *mut raw::Cell = junk.as_mut_ptr().cast();
    assert_eq!(unsafe { refs::alloc(src, &raw::Request::new(8)) }, Err(AllocError::Source(None)));
}

#[test]
fn a_source_that_has_nothing_changes_nothing() {
    let mut custom = Counting::new();
    custom.fails = true;
    unsafe {
        let root = tree::a(null_mut(), null_mut(), 8);
        assert!(tree::a(custom.cell(), root, 8).is_null());
        assert!(refs::zo(custom.cell(), 8).is_null());
        assert!(pool::i(custom.cell(), 8, 8).is_null());
        assert_eq!(tree::below(root), 0);
        tree::f(root);
    }
}

/// A source is aligned as its type is, and on a 32-bit machine that is less than what its prefix is read by.
#[test]
fn a_source_at_any_alignment_frees_its_reference() {
    let mut room = [0u128; 16];
    for offset in (0..16).step_by(align_of::<SourceCell<Heap>>()) {
        leaks_nothing(|| unsafe {
            let place = (&raw mut room).byte_add(offset).cast::<SourceCell<Heap>>();
            place.write(SourceCell::new(Heap));
            let source = &*place;
            drop(Ref::new_in(7, source));
            let shared = Ref::new_in([7; 100], source);
            drop((shared.clone(), shared));
            let tree = Tree::new_in(7, source);
            tree.node().push(8);
            drop(tree);
            let pool = Pool::try_growing_in(1, source).unwrap();
            drop([pool.alloc(1), pool.alloc(2)]);
        });
    }
}

#[test]
fn a_source_that_gives_misaligned_blocks_gets_them_back() {
    let mut custom = Counting::new();
    custom.askew = true;
    unsafe {
        let refused = refs::alloc(custom.cell(), &raw::Request::new(8));
        assert_eq!(refused, Err(AllocError::Align { align: 16, max: 8 }));
    }
    assert_eq!(custom.out.get(), 0);
}

#[test]
fn a_pool_on_a_node_dies_with_the_node_and_may_die_before() {
    leaks_nothing(|| {
        let ends = Ends::default();
        let destructor = raw::Destructor { run: Some(end), arg: (&raw const ends).cast_mut().cast() };
        unsafe extern "C-unwind" fn end(data: *mut c_void, arg: *mut c_void) {
            let ends = unsafe { &*arg.cast::<Ends>() };
            drop(ends.value(["zero", "one", "two"][usize::from(unsafe { data.cast::<u8>().read() })]));
        }
        unsafe {
            let root = tree::a(null_mut(), null_mut(), 8);
            let node: *mut raw::Cell = root.sub(64).cast();
            let spec = pool::Spec { drop: Some(destructor), grows: true, ..pool::Spec::new(8, 1) };
            let early = pool::init(node, &spec).unwrap().as_ptr();
            let late = pool::init(node, &spec).unwrap().as_ptr();
            for (pool, value) in [(early, 0), (late, 1), (late, 2)] {
                pool::z(pool, 1).write(value);
            }
            assert_eq!(tree::below(root), 2);
            pool::x(early);
            assert_eq!(tree::below(root), 1);
            assert_eq!(ends.seen(), ["zero"]);
            tree::f(root);
            let mut seen = ends.seen();
            seen.sort_unstable();
            assert_eq!(seen, ["one", "two", "zero"]);
        }
    });
}

#[test]
fn a_pool_in_a_pool_in_a_pool_gives_everything_back() {
    leaks_nothing(|| {
        let outer = Pool::bytes(10_000, 2);
        let middle = Pool::try_bytes_in(2000, 3, &outer).unwrap();
        let inner = Pool::try_bytes_in(100, 5, &middle).unwrap();
        let counted = Ref::new_in(String::from("deep"), &inner);
        assert_eq!(counted.as_str(), "deep");
        drop(counted);
        drop(inner);
        assert_eq!(middle.live(), 0);
        drop(middle);
        assert_eq!(outer.live(), 0);
    });
}

#[test]
fn a_rust_source_chosen_at_run_time_serves_every_method() {
    leaks_nothing(|| {
        let store = Pool::bytes(500, 10);
        let sources: [&dyn Source; 2] = [&Heap, &store];
        for source in sources {
            let cell = SourceCell::new(source);
            let counted = Ref::new_in(vec![1], &cell);
            let tree = Tree::new_in(vec![2], &cell);
            tree.node().push(vec![3]);
            let pool = Pool::<u64, _>::try_new_in(4, &cell).unwrap();
            assert_eq!((counted[0], *pool.alloc(4)), (1, 4));
        }
        assert_eq!(store.live(), 0);
    });
}

/// The README's table of sources and methods; what it refuses is in `must_not_compile`, and above for the engine.
#[cfg(all(feature = "allocator-api2-02", feature = "allocator-api2-04"))]
#[test]
fn every_source_serves_references_pools_trees_and_collections() {
    use kmem::allocator_api2::{v02, v04};

    fn serves_cells<S: kmem::CellSource + Copy>(source: S) {
        let counted = Ref::new_in(String::from("counted"), source);
        let pool = Pool::try_new_in(3, source).unwrap();
        let tree = Tree::new_in(String::from("tree"), source);
        tree.node().push("leaf".into());
        let inner = Pool::try_growing_bytes_in(16, 2, source).unwrap();
        assert_eq!((&**counted, *pool.alloc(7), tree.node().below()), ("counted", 7, 1));
        assert_eq!(&*inner.try_alloc_str("text").unwrap(), "text");
    }
    fn serves_collections<S: Source + Copy>(source: S)
    where
        v02::AsAllocator<S>: Clone,
    {
        let allocator = v02::AsAllocator::new(source);
        let mut map = hashbrown::HashMap::new_in(allocator.clone());
        let mut list = allocator_api2_02::vec::Vec::new_in(allocator.clone());
        let mut newer = allocator_api2_04::vec::Vec::new_in(v04::AsAllocator::new(source));
        for number in 0..40 {
            map.insert(number, String::from("value"));
            list.push(number);
            newer.push(number);
        }
        let boxed = allocator_api2_02::boxed::Box::new_in([7; 9], allocator);
        assert_eq!((map.len(), list.len(), newer.len(), boxed[8]), (40, 40, 40, 7));
    }

    leaks_nothing(|| {
        let pool = Pool::bytes(4096, 20);
        let mut buffer = vec![std::mem::MaybeUninit::uninit(); 100_000];
        let in_buffer = Pool::bytes_in_buffer(&mut buffer, 4096).unwrap();
        let (heap, in_pool) = (SourceCell::new(Heap), SourceCell::new(&pool));
        let any = v02::AsSource::new(allocator_api2_02::alloc::Global);
        let (any, newer) = (SourceCell::new(any), v04::AsSource::new(allocator_api2_04::alloc::Global));
        let newer = SourceCell::new(newer);
        let nested = SourceCell::new(&newer);

        serves_cells(Heap);
        serves_collections(Heap);
        serves_cells(&pool);
        serves_collections(&pool);
        serves_cells(&in_buffer);
        serves_collections(&in_buffer);
        serves_cells(&heap);
        serves_collections(&heap);
        serves_cells(&in_pool);
        serves_collections(&in_pool);
        serves_cells(&any);
        serves_collections(&any);
        serves_cells(&newer);
        serves_collections(&newer);
        serves_cells(&nested);
        serves_collections(&nested);
        // A collection may own its source.
        let mut owning = allocator_api2_02::vec::Vec::new_in(v02::AsAllocator::new(in_pool));
        owning.push(7);
        assert_eq!((owning[0], pool.live()), (7, 1));
        drop(owning);
        assert_eq!((pool.live(), in_buffer.live()), (0, 0));

        let tree = Tree::new("request");
        let hosted = tree.node().try_push_pool(3).unwrap();
        assert_eq!((*hosted.alloc(7), *tree.push_child(8)), (7, 8));
        std::mem::forget(hosted);
    });
}

#[test]
fn one_call_frees_whatever_a_handle_holds() {
    leaks_nothing(|| unsafe {
        let fixed = 7u32;
        let store = pool::i(null_mut(), 200, 3);
        let handles = [
            heap::zo(8),
            refs::zo(null_mut(), 8),
            refs::zo(store.cast(), 8),
            pool::zo(store, 8),
            tree::zo(null_mut(), null_mut(), 8),
            tree::zo(store.cast(), null_mut(), 8),
            ptr::stat((&raw const fixed).cast()),
            raw::Handle::NULL,
        ];
        assert_eq!(handles.map(|handle| handle.kind), [1, 3, 3, 2, 4, 4, 0, 0]);
        for handle in handles {
            ptr::free(handle);
        }
        assert_eq!(pool::live(store), 0);
        pool::x(store);
        assert_eq!(fixed, 7);
    });
}

#[test]
fn a_source_cell_resizes_blocks_in_place_if_its_source_does() {
    let source = SourceCell::new(Pool::bytes(64, 1));
    let layout = Layout::new::<[u8; 10]>();
    let block = source.draw(layout).unwrap();
    unsafe {
        assert!(source.resize_in_place(block, layout, 60));
        assert!(!source.resize_in_place(block, Layout::new::<[u8; 60]>(), 65));
        source.give_back(block, Layout::new::<[u8; 60]>());
    }
}
