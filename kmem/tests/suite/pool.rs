use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr::null_mut;

use kmem::{AllocError, CellSource, Heap, Pool, PoolBox, raw};
use raw::pool::{self, Spec};
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::support::{Ends, leaks_nothing, live_blocks, quietly, unwind};

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
#[cfg_attr(any(kmem_asan, kmem_valgrind), ignore = "there is a red zone behind each cell")]
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
    for (size, cells) in [
        (usize::MAX, 1),
        (usize::MAX - 15, 1),
        (1 << (usize::BITS * 5 / 8), 1 << (usize::BITS * 5 / 8)),
        (16, usize::MAX),
        (0, usize::MAX),
    ] {
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

#[test]
fn a_size_that_cannot_be_counted_is_the_largest() {
    assert_eq!(pool::buffer_size(16, usize::MAX / 32 + 2), usize::MAX);
    assert_eq!(pool::buffer_size(usize::MAX - 20, 1), usize::MAX);
    assert_eq!(pool::buffer_size(1, usize::MAX), usize::MAX);
}

/// The cell that came back last is at the head of the free list, and the next to go out, however far from the rest.
#[test]
fn the_cell_that_came_back_last_goes_out_first() {
    unsafe {
        let pool = pool::i(null_mut(), 8000, 100);
        let cells: Vec<_> = (0..100).map(|_| pool::a(pool)).collect();
        for at in [50, 3, 97, 4, 51, 0, 99] {
            pool::f(cells[at]);
            assert_eq!((*pool).bottom, cells[at].sub(16).cast());
        }
        assert_eq!(pool::a(pool), cells[99]);
        pool::x(pool);
    }
}

/// What was freed in random order comes out again in runs of neighbours.
#[test]
fn cells_freed_in_any_order_go_out_in_the_order_of_their_addresses() {
    const CELLS: usize = 64 * 20;
    unsafe {
        let pool = pool::i(null_mut(), 1000, CELLS);
        let mut cells: Vec<_> = (0..CELLS).map(|_| pool::a(pool)).collect();
        assert!(pool::a(pool).is_null());
        // 797 shares no factor with the number of cells, so this visits each of them once, far from the one before.
        for at in 0..CELLS {
            pool::f(cells[at * 797 % CELLS]);
        }
        let again: Vec<_> = (0..CELLS).map(|_| pool::a(pool)).collect();
        assert!(pool::a(pool).is_null());
        let neighbours =
            again.windows(2).filter(|pair| pair[1].addr().wrapping_sub(pair[0].addr()) <= 2048).count();
        assert!(neighbours > CELLS * 9 / 10, "{neighbours} of {CELLS}");
        let mut sorted = again;
        sorted.sort();
        cells.sort();
        assert_eq!(sorted, cells);
        pool::x(pool);
    }
}

#[test]
fn a_buffer_of_any_length_is_used_to_its_end() {
    for cells in [1, 2, 63, 64, 65, 127, 128, 129, 200] {
        for (size, align) in [(0, 16), (40, 16), (100, 128)] {
            let spec = Spec { align, ..Spec::new(size, 0) };
            let mut buffer =
                vec![MaybeUninit::<u8>::uninit(); pool::buffer_size(size.max(align), cells) + 4096];
            let start = buffer.as_mut_ptr().cast::<u8>();
            let start = unsafe { start.add(start.align_offset(align)) };
            // The shortest buffer with room for so many, and one byte less.
            let room = |len| match unsafe { pool::init_in_buffer(start, len, &spec) } {
                Ok(pool) => unsafe { pool::capacity(pool.as_ptr()) },
                Err(_) => 0,
            };
            let mut len = 0;
            while room(len) < cells {
                len += 1;
            }
            assert_eq!((room(len), room(len - 1)), (cells, cells - 1));
            unsafe {
                let pool = pool::init_in_buffer(start, len, &spec).unwrap().as_ptr();
                for _ in 0..cells {
                    let cell = pool::a(pool);
                    assert!(cell.addr() + size <= start.addr() + len);
                    cell.write_bytes(7, size);
                }
                assert!(pool::a(pool).is_null());
                pool::x(pool);
            }
        }
    }
}

#[test]
fn a_growing_pool_that_begins_without_cells_grows_by_one_at_least_however_large_they_are() {
    unsafe {
        let spec = Spec { grows: true, ..Spec::new(70 << 20, 0) };
        let pool = pool::init(null_mut(), &spec).unwrap().as_ptr();
        let cell = pool::a(pool);
        assert!(!cell.is_null());
        cell.add(70 << 20).sub(1).write(7);
        pool::f(cell);
        pool::x(pool);
    }
}

/// Takes and frees cells in no order, and compares with a plain count. Destructors take and free cells too.
fn the_peak_is_that_of_a_plain_count(source: *mut raw::Cell, drop: bool, grows: bool, seed: u64) {
    struct Count {
        pool: *mut raw::Pool,
        live: usize,
        most: usize,
        /// A cell that the next destructor frees.
        other: *mut u8,
    }
    unsafe extern "C-unwind" fn ended(_: *mut std::ffi::c_void, count: *mut std::ffi::c_void) {
        let count = count.cast::<Count>();
        unsafe {
            let other = std::mem::replace(&mut (*count).other, null_mut());
            if !other.is_null() {
                pool::f(other);
                (*count).live -= 1;
                // What has just been freed is taken again, while the cell of this destructor is still in use.
                pool::f(pool::a((*count).pool));
            }
        }
    }
    let mut state = seed;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let mut count = Count { pool: null_mut(), live: 0, most: 0, other: null_mut() };
    let count = &raw mut count;
    unsafe {
        let drop = drop.then_some(raw::Destructor { run: Some(ended), arg: count.cast() });
        let size = [8, 700, 5000][random(3)];
        let pool =
            pool::init(source, &Spec { drop, grows, ..Spec::new(size, 1 + random(20)) }).unwrap().as_ptr();
        (*count).pool = pool;
        let mut cells = Vec::new();
        for _ in 0..40 {
            // Phases, so that the pool grows, and shrinks, and then looks for what is free in all of its blocks.
            let odds = random(9);
            for _ in 0..random(150) {
                if cells.is_empty() || random(10) > odds {
                    let cell = pool::a(pool);
                    if !cell.is_null() {
                        cells.push(cell);
                        (*count).live += 1;
                        (*count).most = (*count).most.max((*count).live);
                    }
                } else {
                    let cell = cells.swap_remove(random(cells.len()));
                    if drop.is_some() && !cells.is_empty() && random(4) == 0 {
                        (*count).other = cells.swap_remove(random(cells.len()));
                    }
                    pool::f(cell);
                    (*count).live -= 1;
                }
                assert_eq!(pool::peak(pool), (*count).most, "seed {seed}");
            }
        }
        pool::verify(pool).unwrap();
        pool::x(pool);
    }
}

#[test]
fn the_peak_of_a_pool_is_the_most_cells_that_were_in_use_at_once() {
    let bytes = Pool::growing_bytes(1 << 20);
    let of_bytes = CellSource::as_cell(&&bytes);
    for seed in 0..200 {
        for source in [null_mut(), of_bytes] {
            for (drop, grows) in [(false, false), (true, false), (false, true), (true, true)] {
                the_peak_is_that_of_a_plain_count(source, drop, grows, seed);
            }
        }
    }
}

#[test]
fn what_a_source_frees_into_the_pool_that_grows_is_handed_out_before_a_new_cell() {
    #[repr(C)]
    struct Freeing {
        source: raw::Source,
        frees: [*mut u8; 2],
    }
    unsafe extern "C-unwind" fn allocate(
        source: *mut raw::Source,
        size: usize,
        align: usize,
    ) -> *mut std::ffi::c_void {
        let source = source.cast::<Freeing>();
        unsafe {
            for data in &mut (*source).frees {
                pool::f(std::mem::replace(data, null_mut()));
            }
            std::alloc::alloc(std::alloc::Layout::from_size_align_unchecked(size, align)).cast()
        }
    }
    unsafe extern "C-unwind" fn free(
        _: *mut raw::Source,
        block: *mut std::ffi::c_void,
        size: usize,
        align: usize,
    ) {
        unsafe {
            let layout = std::alloc::Layout::from_size_align_unchecked(size, align);
            std::alloc::dealloc(block.cast(), layout);
        }
    }
    let source = raw::Source::new(allocate, free, null_mut());
    let mut source = Freeing { source, frees: [null_mut(); 2] };
    let source = &raw mut source;
    unsafe {
        let pool = pool::init(source.cast(), &Spec { grows: true, ..Spec::new(8, 2) }).unwrap().as_ptr();
        let cells = [0; 6].map(|_| pool::a(pool));
        assert_eq!((pool::live(pool), pool::peak(pool)), (6, 6));
        (*source).frees = [cells[0], cells[3]];
        let again = [pool::a(pool), pool::a(pool)];
        assert_eq!((pool::live(pool), pool::peak(pool), pool::capacity(pool)), (6, 6, 14));
        assert!(again.contains(&cells[0]) && again.contains(&cells[3]));
        pool::a(pool);
        assert_eq!(pool::peak(pool), 7);
        pool::x(pool);
    }
}

#[test]
fn each_block_of_a_pool_has_its_name_unless_that_was_written_over() {
    let pool = Pool::try_growing_in(1, Heap).unwrap().named(c"numbers");
    let [_one, two] = [pool.alloc(1u64), pool.alloc(2)];
    assert_eq!((pool.capacity(), pool.name()), (3, Some(c"numbers")));
    let two: *const u64 = &*two;
    unsafe {
        let block = (*two.byte_sub(16).cast::<raw::PoolCell>()).pool;
        assert_eq!(pool::name(block), Some(c"numbers"));
        let name = block.add(1).cast::<usize>().sub(2);
        let seal = block.byte_add(16 + 7 * size_of::<usize>()).cast::<u32>();
        let before = (name.replace(two.addr()), seal.read());
        assert_eq!(pool::name(block), None);
        name.write(before.0);
        seal.write(!before.1);
        assert_eq!(pool::name(block), None);
        seal.write(before.1);
        pool::set_name(block, Some(c"figures"));
        assert_eq!(pool::name(block), Some(c"figures"));
        pool::set_name(block, None);
        assert_eq!(pool::name(block), None);
    }
}

#[test]
fn a_walk_gives_each_live_cell_in_order_whatever_is_freed_and_taken_meanwhile() {
    unsafe {
        let spec = Spec { grows: true, ..Spec::new(5000, 3) };
        let pool = pool::init(null_mut(), &spec).unwrap().as_ptr();
        let cells: Vec<_> = (0..100).map(|_| pool::a(pool)).collect();
        for cell in cells.iter().step_by(3) {
            pool::f(*cell);
        }
        let seen: Vec<_> = pool::walk(pool).collect();
        let mut live: Vec<_> = cells.iter().copied().enumerate().filter(|(at, _)| at % 3 != 0).collect();
        assert_eq!((seen.len(), pool::live(pool)), (live.len(), live.len()));
        let mut blocks: Vec<_> =
            seen.iter().map(|&cell| (*cell.sub(16).cast::<raw::PoolCell>()).pool).collect();
        assert!(
            seen.windows(2)
                .zip(blocks.windows(2))
                .all(|(cell, block)| block[0] != block[1] || cell[0] < cell[1])
        );
        blocks.dedup();
        assert_eq!(blocks.len(), pool::verify(pool).unwrap().blocks);
        for (at, &cell) in seen.iter().enumerate() {
            assert!(pool::walk_after(pool, cell).eq(seen[at + 1..].iter().copied()));
        }
        // Those that stay are all seen.
        live.retain(|(at, _)| at % 2 == 0);
        let mut found = Vec::new();
        for cell in pool::walk(pool) {
            match cells.iter().position(|&known| known == cell) {
                Some(at) if at % 2 == 0 => found.push((at, cell)),
                Some(_) => pool::f(cell),
                None => {}
            }
            if found.len() < 20 {
                pool::a(pool);
            }
        }
        found.retain(|(at, _)| at % 3 != 0);
        found.sort_unstable();
        assert_eq!(found, live);
        pool::x(pool);
        assert_eq!(pool::walk(null_mut()).next(), None);
    }
}

#[test]
#[cfg(feature = "ref")]
fn a_growing_pool_gives_its_blocks_back_whatever_is_allocated_from_it() {
    leaks_nothing(|| unsafe {
        let pool = Pool::try_growing_bytes_in(200, 2, Heap).unwrap();
        for _ in 0..3 {
            let mut refs: Vec<_> = (0..1000).map(|at| kmem::Ref::new_in(at, &pool)).collect();
            let more = pool.capacity();
            assert!(more >= 1000);
            // Blocks in the middle are empty first.
            refs.drain(100..900);
            assert!(pool.capacity() < more);
            drop(refs);
            let census = pool::verify((&pool).as_cell().cast()).unwrap();
            assert_eq!((pool.capacity(), pool.peak(), census.blocks), (2, 1000, 1));
        }
    });
}

#[test]
fn the_last_cell_of_a_block_freed_and_allocated_again_keeps_the_block() {
    unsafe {
        let pool = pool::init(null_mut(), &Spec { grows: true, ..Spec::new(8, 4) }).unwrap().as_ptr();
        let cells = [0; 4].map(|_| pool::a(pool));
        let last = pool::a(pool);
        for _ in 0..10 {
            pool::f(last);
            assert_eq!(pool::capacity(pool), 12, "no other block is half empty");
            assert_eq!(pool::a(pool), last);
        }
        pool::f(cells[0]);
        pool::f(last);
        assert_eq!(pool::capacity(pool), 12);
        pool::f(cells[1]);
        assert_eq!(pool::capacity(pool), 4, "the first block is half empty now");
        pool::x(pool);
    }
}

#[test]
fn a_walk_goes_on_behind_a_block_that_was_given_back() {
    unsafe {
        let spec = Spec { grows: true, ..Spec::new(5000, 3) };
        let pool = pool::init(null_mut(), &spec).unwrap().as_ptr();
        for by_cell in [false, true] {
            let mut live = (0..200).map(|_| pool::a(pool)).collect::<std::collections::BTreeSet<_>>();
            let (mut walk, mut at) = (pool::walk(pool), null_mut());
            loop {
                let next = if by_cell { pool::walk_after(pool, at).next() } else { walk.next() };
                let Some(cell) = next else { break };
                assert!(live.remove(&cell));
                pool::f(cell);
                at = cell;
            }
            assert!(live.is_empty());
            assert_eq!(pool::verify(pool).unwrap().blocks, 1);
        }
        pool::x(pool);
    }
}

#[test]
fn a_cleared_pool_drops_what_was_forgotten_also_if_a_destructor_panics() {
    struct Panics<'a>(usize, &'a Cell<usize>);
    impl Drop for Panics<'_> {
        fn drop(&mut self) {
            self.1.set(self.1.get() + 1);
            if self.0 == 7 {
                unwind();
            }
        }
    }
    leaks_nothing(|| {
        let ended = Cell::new(0);
        let mut pool = Pool::growing();
        for round in 1..4 {
            (0..100).for_each(|at| std::mem::forget(pool.alloc(Panics(at, &ended))));
            assert!(quietly(|| pool.clear()).is_err());
            assert_eq!((ended.get(), pool.live()), (100 * round, 0));
        }
        pool.clear();
        assert_eq!((pool.capacity(), pool.peak()), (64, 100));
    });
}

#[test]
fn a_long_chain_of_pools_that_draw_from_one_another_grows_in_a_small_stack() {
    use kmem::raw::pool::{self, Spec};
    const LEVELS: usize = 2000;
    let work = || unsafe {
        let mut pools = Vec::new();
        let mut source = null_mut();
        for level in 0..LEVELS {
            let spec = Spec { grows: true, ..Spec::new((LEVELS - level) * 256, 1) };
            let made = pool::init(source, &spec).unwrap().as_ptr();
            pools.push(made);
            source = made.cast();
        }
        let last = pools[LEVELS - 1];
        let cells = [(); 3].map(|()| pool::a(last));
        assert!(cells.iter().all(|cell| !cell.is_null()), "each time all of them grow");
        assert_eq!(pool::verify(pools[0]).unwrap().live, 3);
        for pool in pools.into_iter().rev() {
            pool::x(pool);
        }
    };
    std::thread::Builder::new().stack_size(80 << 10).spawn(work).unwrap().join().unwrap();
}
