//! The counts of the whole program. They need a program of their own, because other tests allocate meanwhile.

#![cfg(all(feature = "totals", feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "tests call the engine with values that they have just made"
)]

use std::cell::Cell;
use std::ptr::null_mut;

use kmem::raw::{self, Request, heap, pool, refs, tree};
use kmem::totals::{self, Total};
use kmem::{AllocError, HeapBox, Kind, Pool, Ptr, Ref, Tree};

fn now(kind: Kind) -> (usize, usize) {
    let Total { cells, block, most } = totals::of(kind);
    assert!(most >= block);
    (cells, block)
}

fn nothing() -> bool {
    [Kind::Heap, Kind::Pool, Kind::Ref, Kind::Tree].iter().all(|&kind| now(kind) == (0, 0))
}

struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("on its way out");
    }
}

/// One test, for the counts are the program's.
#[test]
fn cells_and_the_bytes_of_their_blocks_are_counted_as_they_come_and_go() {
    assert!(nothing());
    each_way_in_and_out();
    assert!(nothing());
    what_a_cell_gets_later_counts_with_it();
    assert!(nothing());
    pools_count_their_blocks_and_what_is_drawn_from_them_counts_itself();
    assert!(nothing());
    what_fails_or_unwinds_is_not_left_in();
    assert!(nothing());
    the_most_at_once_stays();
    threads_count_together();
    assert!(nothing());
}

fn what_a_cell_gets_later_counts_with_it() {
    unsafe extern "C-unwind" fn nothing_to_do(_: *mut std::ffi::c_void, _: *mut std::ffi::c_void) {}
    let hook = raw::Destructor { run: Some(nothing_to_do), arg: null_mut() };
    let record = if size_of::<usize>() == 8 { 48 } else { 32 };
    unsafe {
        let cell = heap::ao(100);
        raw::ptr::hook(cell, hook).unwrap();
        assert_eq!(now(Kind::Heap), (1, 16 + 100 + record));
        let moved = heap::resize(cell.data, 5000).unwrap().as_ptr();
        assert_eq!(now(Kind::Heap), (1, 16 + 5000 + record));
        let owner = refs::a(null_mut(), 8);
        refs::k(owner, heap::handle(moved)).unwrap();
        assert_eq!(now(Kind::Ref), (1, 32 + 8 + record));
        assert_eq!(now(Kind::Tree).0, 2, "the holder, and what it hangs below");
        refs::f(owner);
    }
}

fn each_way_in_and_out() {
    for size in [0, 1, 100, 5000] {
        for align in [16, 64, 4096] {
            for drop in [None, Some(raw::Destructor { run: None, arg: null_mut() })] {
                let request = Request { align, drop, ..Request::new(size) };
                let slot = if drop.is_some() { size.next_multiple_of(8) + 16 } else { size };
                unsafe {
                    let cell = heap::alloc(&request).unwrap().as_ptr();
                    assert_eq!(now(Kind::Heap), (1, align.max(16) + slot));
                    if size == 1 {
                        heap::s(cell)
                    } else {
                        heap::f(cell)
                    }
                    let cell = refs::alloc(null_mut(), &request).unwrap().as_ptr();
                    assert_eq!(now(Kind::Ref), (1, align.max(32) + slot));
                    refs::u(cell);
                    refs::d(cell);
                    assert_eq!(now(Kind::Ref).0, 1);
                    refs::d(cell);
                    let root = tree::alloc(null_mut(), null_mut(), &request).unwrap().as_ptr();
                    tree::alloc(null_mut(), root, &request).unwrap();
                    assert_eq!(now(Kind::Tree), (2, 2 * (align.max(64) + slot)));
                    tree::f(root);
                    assert!(nothing());
                }
            }
        }
    }
    let values = (HeapBox::new(String::from("text")), Ref::new([1u8; 40]), Tree::new(7u64));
    assert_eq!((now(Kind::Heap).0, now(Kind::Ref), now(Kind::Tree)), (1, (1, 72), (1, 72)));
    let (text, counted, tree) = values;
    assert_eq!((text.into_inner(), tree.into_inner()), ("text".into(), 7));
    drop((Ptr::from(counted.clone()), counted));
}

fn pools_count_their_blocks_and_what_is_drawn_from_them_counts_itself() {
    let store = Pool::try_growing_bytes_in(200, 2, kmem::Heap).unwrap();
    let bytes = now(Kind::Pool).1;
    let cells: Vec<_> = (0..7u8).map(|at| Ref::new_in([at; 10], &store)).collect();
    assert_eq!((now(Kind::Ref), now(Kind::Pool).0), ((7, 7 * 42), 3));
    drop(cells);
    assert_eq!(now(Kind::Ref), (0, 0));
    let before = now(Kind::Pool);
    unsafe {
        let node = tree::a(null_mut(), null_mut(), 0);
        let hosted = pool::i(node.sub(64).cast(), 8, 10);
        assert_eq!((now(Kind::Tree).0, now(Kind::Pool).0), (2, before.0 + 1));
        assert_eq!(now(Kind::Tree).1, 2 * 64 + pool::count(hosted).block);
        tree::f(node);
        let mut buffer = [0u128; 100];
        let inside = pool::in_buffer(buffer.as_mut_ptr().cast(), 1600, 8);
        assert_eq!(now(Kind::Pool).0, before.0 + 1);
        pool::x(inside);
    }
    assert_eq!(now(Kind::Pool), before);
    assert_eq!(before, (1, bytes), "the further blocks went back");
}

fn what_fails_or_unwinds_is_not_left_in() {
    assert_eq!(unsafe { heap::alloc(&Request::new(usize::MAX)) }, Err(AllocError::Overflow));
    match unsafe { heap::alloc(&Request::new(isize::MAX as usize / 2)) } {
        // A quarter of a small address space may be free.
        Ok(cell) if usize::BITS < 64 => unsafe { heap::f(cell.as_ptr()) },
        refused => assert!(refused.is_err()),
    }
    let pool = Pool::bytes(40, 1);
    assert!(Ref::try_new_in([0u8; 100], &pool).is_err());
    assert_eq!(now(Kind::Ref), (0, 0));
    let silent = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let struck = |work: fn()| assert!(std::panic::catch_unwind(work).is_err());
    struck(|| drop(HeapBox::new(Panics)));
    struck(|| drop(Ref::new(Panics)));
    struck(|| drop(Tree::new(Panics)));
    struck(|| {
        let pool = Pool::new(2);
        pool.alloc(Panics).leak();
    });
    std::panic::set_hook(silent);
}

fn the_most_at_once_stays() {
    let before = totals::of(Kind::Heap).most;
    let cell = HeapBox::new([0u8; 20_000]);
    assert_eq!(totals::of(Kind::Heap).most, 20_016.max(before));
    drop(cell);
    assert_eq!(totals::of(Kind::Heap), Total { cells: 0, block: 0, most: 20_016.max(before) });
    assert_eq!((totals::of(Kind::None), totals::of(Kind::Source)), (Total::default(), Total::default()));
}

fn threads_count_together() {
    let work = || {
        let keep = Cell::new(None);
        for at in 0..1000u64 {
            keep.set(Some(HeapBox::new(at)));
        }
        keep.take()
    };
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(work)).collect();
    let kept: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(now(Kind::Heap), (4, 4 * 24));
    drop(kept);
}
