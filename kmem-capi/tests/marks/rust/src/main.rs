//! Programs with an invalid use of memory in a pool, and a correct one. The first argument selects one. `marks.rs` expects the marked
//! lines in the reports of the tools.

#![allow(clippy::undocumented_unsafe_blocks, reason = "what is unsafe here is meant to be wrong")]

use std::hint::black_box;
use std::mem::MaybeUninit;

use kmem::{Buffer, Pool, PoolBox, Ptr, Ref, Tree, raw};

/// Reads a byte that may not be in use.
#[inline(never)]
fn read(byte: *const u8) -> u8 {
    unsafe { byte.read_volatile() }
}

fn after_free() {
    let pool = Pool::new(10);
    let cell = pool.alloc([7u8; 32]); // after_free: allocated
    let stale = &raw const cell[4];
    drop(cell); // after_free: freed
    black_box(read(stale)); // after_free: used
}

fn unused() {
    let pool = Pool::new(10);
    let cell = pool.alloc([7u8; 32]);
    black_box(read((&raw const *cell).cast::<u8>().wrapping_add(200))); // unused: used
}

fn past_the_end() {
    let pool = Pool::new(10);
    let cell = pool.alloc([7u8; 32]); // past_the_end: allocated
    let _next = pool.alloc([7u8; 32]);
    black_box(read((&raw const *cell).cast::<u8>().wrapping_add(32))); // past_the_end: used
}

fn after_free_in_a_buffer() {
    let mut buffer = [MaybeUninit::uninit(); Pool::<[u8; 32], Buffer<'_>>::buffer_size(4)];
    let pool = Pool::in_buffer(&mut buffer).unwrap();
    let cell = pool.alloc([7u8; 32]); // after_free_in_a_buffer: allocated
    let stale = &raw const cell[4];
    drop(cell); // after_free_in_a_buffer: freed
    black_box(read(stale)); // after_free_in_a_buffer: used
}

fn after_free_in_a_node() {
    let tree = Tree::new("request");
    let pool = tree.node().try_push_pool(10).unwrap();
    let cell = pool.alloc([7u8; 32]); // after_free_in_a_node: allocated
    let stale = &raw const cell[4];
    drop(cell); // after_free_in_a_node: freed
    black_box(read(stale)); // after_free_in_a_node: used
}

fn after_it_was_moved_out() {
    let pool = Pool::new(10);
    let cell = pool.alloc([7u8; 32]); // after_it_was_moved_out: allocated
    let stale = &raw const cell[4];
    black_box(cell.into_inner()); // after_it_was_moved_out: freed
    black_box(read(stale)); // after_it_was_moved_out: used
}

fn counted_after_free() {
    let pool = Pool::bytes(128, 10);
    let counted = Ref::new_in([7u8; 20], &pool); // counted_after_free: allocated
    let stale = &raw const counted[4];
    drop(counted); // counted_after_free: freed
    black_box(read(stale)); // counted_after_free: used
}

fn past_the_end_of_a_counted_cell() {
    let pool = Pool::bytes(128, 10);
    let counted = Ref::new_in([7u8; 21], &pool); // past_the_end_of_a_counted_cell: allocated
    black_box(read((&raw const *counted).cast::<u8>().wrapping_add(21))); // past_the_end_of_a_counted_cell: used
}

fn undefined() {
    unsafe {
        let pool = raw::pool::i(std::ptr::null_mut(), 32, 10);
        raw::pool::f(raw::pool::z(pool, 32));
        let cell = raw::pool::a(pool);
        let byte = cell.add(4).read_volatile();
        black_box(if byte == 0 { 1 } else { 2 }); // undefined: used
        raw::pool::x(pool);
    }
}

/// Valid uses.
fn right() {
    let strings = Pool::growing();
    let mut kept: Vec<PoolBox<'_, String>> = Vec::new();
    for round in 0..1000 {
        kept.push(strings.alloc(format!("{round}")));
        if round % 3 == 0 {
            kept.swap_remove(round / 5).shred();
        }
        if round % 7 == 1 {
            assert!(kept.swap_remove(0).into_inner().parse::<usize>().is_ok());
        }
    }
    drop(kept);
    strings.alloc("left to the pool".to_owned()).leak().push('!');

    let mut tainted = Pool::<[u64; 9]>::new(20);
    tainted.taint();
    for _ in 0..3 {
        let cells: Vec<_> = (0..20).map(|n| tainted.alloc([n; 9])).collect();
        assert_eq!(cells.iter().map(|cell| cell[8]).sum::<u64>(), 190);
    }

    for _ in 0..3 {
        let mut buffer = [MaybeUninit::uninit(); 2000];
        let pool = Pool::bytes_in_buffer(&mut buffer, 200).unwrap();
        let counted = Ref::try_copy_str_in("counted", &pool).unwrap();
        let handle: Ptr<'_, str> = counted.clone().into();
        drop(counted);
        assert_eq!(&*handle, "counted");
        drop(handle);
        drop(pool);
        buffer.fill(MaybeUninit::new(1));
        black_box(&buffer);
    }

    let outer = Pool::growing_bytes(4096);
    let inner = Pool::try_bytes_in(100, 30, &outer).unwrap();
    let counted: Vec<_> = (0..30).map(|n| Ref::new_in([n; 5], &inner)).collect();
    let tree = Tree::new_in("request", &outer);
    let hosted = tree.node().try_push_pool::<[u64; 3]>(20).unwrap();
    let cells: Vec<_> = (0..20).map(|n| hosted.alloc([n; 3])).collect();
    assert_eq!(cells.iter().map(|cell| cell[2]).sum::<u64>() + counted[7][4], 197);
}

fn main() {
    let name = std::env::args().nth(1).expect("the name of a program");
    match &*name {
        "after_free" => after_free(),
        "unused" => unused(),
        "past_the_end" => past_the_end(),
        "after_free_in_a_buffer" => after_free_in_a_buffer(),
        "after_free_in_a_node" => after_free_in_a_node(),
        "after_it_was_moved_out" => after_it_was_moved_out(),
        "counted_after_free" => counted_after_free(),
        "past_the_end_of_a_counted_cell" => past_the_end_of_a_counted_cell(),
        "undefined" => undefined(),
        "right" => right(),
        _ => panic!("no program {name}"),
    }
}
