use std::mem::MaybeUninit;
use std::ptr::null_mut;

use kmem::{AllocError, Heap, Pool, PoolBox, raw};
use raw::pool::{self, Spec};
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::support::{Ends, leaks_nothing, live_blocks};

assert_impl_all!(Pool<u32>: Send);
assert_not_impl_any!(Pool<u32>: Sync);
assert_not_impl_any!(Pool<std::rc::Rc<u32>>: Send);
assert_not_impl_any!(PoolBox<'static, u32>: Send);
assert_impl_all!(PoolBox<'static, u32>: Sync);

#[test]
fn the_header_keeps_the_seeds_fields() {
    unsafe {
        let pool = pool::i(null_mut(), 32, 10);
        assert_eq!(((*pool).cell.kind, (*pool).cellsz), (2, 32));
        assert!((*pool).top.is_null() && (*pool).bottom.is_null());
        let [one, two, three] = [0; 3].map(|_| pool::a(pool));
        let cell = |data: *mut u8| data.sub(16).cast::<raw::PoolCell>();
        assert_eq!((*pool).top, cell(three));
        assert_eq!(
            [(*cell(three)).last, (*cell(two)).last, (*cell(one)).last],
            [cell(two), cell(one), null_mut()]
        );
        assert_eq!((*cell(two)).pool, pool);
        pool::f(one);
        pool::f(three);
        assert_eq!((*pool).bottom, cell(three));
        assert_eq!((*cell(three)).last, cell(one));
        assert_eq!(pool::a(pool), three, "the cell that came back last is handed out first");
        pool::x(pool);
    }
}

#[test]
fn a_cell_is_data_rounded_up_and_a_header() {
    for (size, stride) in [(0, 16), (1, 32), (16, 32), (17, 48), (32, 48), (1000, 1024)] {
        unsafe {
            let pool = pool::i(null_mut(), size, 2);
            let (one, two) = (pool::a(pool), pool::a(pool));
            assert_eq!(two.addr() - one.addr(), stride, "{size} bytes");
            pool::x(pool);
        }
    }
}

#[test]
fn every_size_and_alignment_keeps_its_cells_apart() {
    for align in [16, 32, 64, 256, 4096] {
        for size in [0, 1, 15, 16, 17, 63, 64, 65, 500, 4096] {
            unsafe {
                let spec = Spec { align, ..Spec::new(size, 5) };
                let pool = pool::init(null_mut(), &spec).unwrap().as_ptr();
                let cells: Vec<_> = (0..5u8).map(|i| (i, pool::a(pool))).collect();
                for &(i, cell) in &cells {
                    assert_eq!(cell.addr() % align, 0);
                    cell.write_bytes(i, size);
                }
                assert!(pool::a(pool).is_null());
                for &(i, cell) in &cells {
                    assert!((0..size).all(|at| cell.add(at).read() == i), "{size} bytes aligned to {align}");
                    pool::f(cell);
                }
                assert_eq!(pool::live(pool), 0);
                pool::x(pool);
            }
        }
    }
}

#[test]
fn sizes_above_the_cells_are_refused_and_zeroing_covers_the_cell() {
    unsafe {
        let pool = pool::i(null_mut(), 32, 1);
        assert!(pool::z(pool, 33).is_null());
        assert!(pool::ao(pool, 33).is_null());
        let data = pool::a(pool);
        data.write_bytes(0xFF, 32);
        pool::f(data);
        let data = pool::z(pool, 1);
        assert!((0..32).all(|at| data.add(at).read() == 0));
        pool::x(pool);
    }
}

#[test]
fn a_pool_that_would_overflow_is_refused() {
    for (size, cells) in
        [(usize::MAX, 1), (usize::MAX - 15, 1), (1 << 40, 1 << 40), (16, usize::MAX), (0, usize::MAX)]
    {
        assert!(unsafe { pool::i(null_mut(), size, cells) }.is_null());
        assert_eq!(unsafe { pool::init(null_mut(), &Spec::new(size, cells)) }, Err(AllocError::Overflow));
    }
}

#[test]
fn a_pool_without_cells_is_full() {
    unsafe {
        let pool = pool::i(null_mut(), 8, 0);
        assert!(pool::a(pool).is_null());
        pool::x(pool);
    }
}

#[test]
fn a_million_cells_are_one_block() {
    let before = live_blocks();
    let pool = Pool::<u64>::new(1_000_000);
    assert_eq!(live_blocks() - before, 1);
    let cell = pool.alloc(7);
    assert_eq!((*cell, pool.capacity()), (7, 1_000_000));
}

#[test]
fn a_full_pool_gives_the_value_back_and_serves_again_after_a_free() {
    let pool = Pool::new(2);
    let one = pool.alloc(String::from("one"));
    let _two = pool.alloc(String::from("two"));
    let refused = pool.try_alloc(String::from("three")).unwrap_err();
    assert!(matches!(refused.error(), AllocError::Exhausted { .. }));
    drop(one);
    assert_eq!(*pool.alloc(refused.into_value()), "three");
}

#[test]
fn a_growing_pool_doubles_its_blocks_and_reuses_cells_of_all_of_them() {
    leaks_nothing(|| {
        let before = live_blocks();
        let pool = Pool::<usize>::try_growing_in(10, Heap).unwrap();
        let mut cells: Vec<_> = (0..1000).map(|i| pool.alloc(i)).collect();
        let capacity = pool.capacity();
        assert_eq!(capacity, 10 + 20 + 40 + 80 + 160 + 320 + 640);
        assert!(cells.iter().enumerate().all(|(i, cell)| **cell == i));
        cells.retain(|cell| **cell % 3 == 0);
        while cells.len() < capacity {
            cells.push(pool.alloc(0));
        }
        assert_eq!(pool.capacity(), capacity, "cells that came back are used before another block is drawn");
        assert_eq!(pool.live(), capacity);
        cells.push(pool.alloc(1));
        assert!(pool.capacity() > capacity);
        let vec = 1;
        assert_eq!(live_blocks() - before, 8 + vec);
        drop(cells);
    });
}

#[test]
fn a_growing_pool_in_a_pool_takes_smaller_blocks_where_large_ones_do_not_fit() {
    let outer = Pool::bytes(1024, 3);
    let inner = Pool::<u64, _>::try_growing_in(16, &outer).unwrap();
    let cells: Vec<_> = (0..48).map(|i| inner.alloc(i)).collect();
    assert!(inner.try_alloc(0).is_err());
    assert_eq!((outer.live(), cells.len()), (3, 48));
    drop(cells);
    drop(inner);
    assert_eq!(outer.live(), 0);
}

#[test]
fn forgotten_values_end_with_their_pool() {
    let ends = Ends::default();
    let pool = Pool::growing();
    for name in ["one", "two", "three"] {
        std::mem::forget(pool.alloc(ends.value(name)));
    }
    drop(pool.alloc(ends.value("freed")));
    let kept = pool.alloc(ends.value("kept"));
    drop(kept.into_inner());
    drop(pool);
    assert_eq!(ends.seen(), ["freed", "kept", "one", "two", "three"]);
}

#[test]
fn values_may_be_over_aligned() {
    #[repr(align(128))]
    struct Wide(u8);
    let pool = Pool::new(4);
    let cells: Vec<_> = (0..4).map(|i| pool.alloc(Wide(i))).collect();
    for (i, cell) in cells.iter().enumerate() {
        assert_eq!((&raw const **cell).addr() % 128, 0);
        assert_eq!(usize::from(cell.0), i);
    }
}

#[test]
fn a_buffer_of_any_start_holds_as_many_cells_as_the_formula_says() {
    const CELLS: usize = 7;
    const BYTES: usize = pool::buffer_size(40, CELLS);
    let mut buffer = [MaybeUninit::<u8>::uninit(); BYTES + 16];
    for start in 0..16 {
        let pool = Pool::bytes_in_buffer(&mut buffer[start..start + BYTES], 40).unwrap();
        assert_eq!(pool.capacity(), CELLS, "start {start}");
    }
}
