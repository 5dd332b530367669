//! Pools in a caller's buffer, and all that can be drawn from them with no heap in the program.

#![cfg(feature = "pool")]

use std::mem::MaybeUninit;
use std::sync::Mutex;

use kmem::{AllocError, Buffer, Pool};

use crate::support::live_blocks;

#[test]
fn a_pool_in_a_buffer_never_calls_the_heap() {
    let before = live_blocks();
    let mut buffer = [MaybeUninit::uninit(); 1000];
    let pool = Pool::<u64, Buffer<'_>>::in_buffer(&mut buffer).unwrap();
    let mut cells: [Option<_>; 64] = std::array::from_fn(|_| None);
    let mut taken = 0;
    while let Ok(cell) = pool.try_alloc(taken as u64) {
        cells[taken] = Some(cell);
        taken += 1;
    }
    assert_eq!(taken, pool.capacity());
    assert!(taken >= (1000 - 200) / 32);
    assert!(cells.iter().flatten().enumerate().all(|(i, cell)| **cell == i as u64));
    drop(cells);
    assert_eq!(pool.live(), 0);
    drop(pool);
    assert_eq!(live_blocks(), before);
}

#[test]
fn a_buffer_too_small_for_one_cell_is_refused() {
    for len in 0..180 {
        let mut buffer = [MaybeUninit::uninit(); 200];
        let pool = Pool::bytes_in_buffer(&mut buffer[..len], 64);
        match pool {
            Ok(pool) => assert!(pool.capacity() >= 1),
            Err(error) => assert!(matches!(error, AllocError::Size { .. }), "{error}"),
        }
    }
    assert!(unsafe { kmem::raw::pool::in_buffer(std::ptr::null_mut(), 1000, 8) }.is_null());
}

#[test]
fn values_in_a_buffer_end_with_their_pool() {
    let ends = crate::support::Ends::default();
    let mut buffer = [MaybeUninit::uninit(); 1000];
    let pool = Pool::in_buffer(&mut buffer).unwrap();
    pool.alloc(ends.value("leaked")).leak();
    drop(pool.alloc(ends.value("dropped")));
    drop(pool);
    assert_eq!(ends.seen(), ["dropped", "leaked"]);
}

#[test]
fn a_static_buffer_serves_as_long_as_the_program() {
    static BUFFER: Mutex<[MaybeUninit<u8>; 4096]> = Mutex::new([MaybeUninit::uninit(); 4096]);
    let mut buffer = BUFFER.lock().unwrap();
    let pool = Pool::bytes_in_buffer(&mut *buffer, 100).unwrap();
    assert_eq!(&*pool.try_alloc_str("static").unwrap(), "static");
}

#[cfg(feature = "ref")]
#[test]
fn references_are_drawn_from_a_buffer() {
    let mut buffer = [MaybeUninit::uninit(); 1000];
    let pool = Pool::bytes_in_buffer(&mut buffer, 64).unwrap();
    let one = kmem::Ref::try_copy_str_in("on the stack", &pool).unwrap();
    let two = one.clone();
    drop(one);
    assert_eq!((&*two, pool.live()), ("on the stack", 1));
}

#[cfg(feature = "tree")]
#[test]
fn trees_are_drawn_from_a_buffer() {
    let mut buffer = [MaybeUninit::uninit(); 4000];
    let pool = Pool::bytes_in_buffer(&mut buffer, 80).unwrap();
    let tree = kmem::Tree::try_new_in(0u64, &pool).unwrap();
    let mut node = tree.node();
    while let Ok(below) = node.try_push(*node + 1) {
        node = below;
    }
    assert_eq!(*node as usize + 1, pool.capacity());
    drop(tree);
    assert_eq!(pool.live(), 0);
}

#[cfg(all(feature = "tree", feature = "ref", feature = "shred"))]
#[test]
fn a_tainted_pool_leaves_nothing_in_its_buffer() {
    let mut buffer = [0xEEu8; 4000];
    {
        let bytes = unsafe { &mut *(&raw mut buffer as *mut [MaybeUninit<u8>; 4000]) };
        let mut pool = Pool::bytes_in_buffer(bytes, 120).unwrap();
        pool.taint();
        let secret = kmem::Ref::try_copy_in(&[0xA5u8; 64], &pool).unwrap();
        let tree = kmem::Tree::new_in([0xA5u8; 30], &pool);
        tree.node().push([0xA5u8; 30]);
        drop(tree);
        std::mem::forget(secret);
    }
    // Eight in a row: the pool's own header stays, and one byte of an address in it may be any.
    assert!(!buffer.windows(8).any(|row| row == [0xA5; 8]));
}

#[cfg(feature = "tree")]
#[test]
fn a_tree_in_a_buffer_grows_hooks_names_and_strings_with_no_heap() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let before = live_blocks();
    let mut buffer = [MaybeUninit::uninit(); 4000];
    let pool = Pool::bytes_in_buffer(&mut buffer, 150).unwrap();
    let mut tree = kmem::Tree::new_in(1, kmem::Named(c"root", &pool));
    let root = tree.node();
    let large = [1usize; 5];
    root.on_free(move || {
        RUNS.fetch_add(large.iter().sum(), Ordering::Relaxed);
    });
    root.on_free(|| unreachable!("it is cancelled")).cancel();
    let too_large = [1u8; 100];
    let refused = root.try_on_free(move || assert_eq!(too_large, [1; 100])).unwrap_err();
    assert!(matches!(refused.error(), AllocError::Size { max: 150, .. }), "{}", refused.error());
    let mut text = kmem::Named(c"branch", root).push(2).try_push_child_str("text").unwrap();
    text.try_push_str(" that stays in its cell").unwrap();
    let cell = text.as_ptr();
    assert!(text.try_push_str(&["more than it holds"; 10].concat()).is_err());
    assert_eq!((&*text, text.as_ptr()), ("text that stays in its cell", cell));
    let names = [Some(c"root"), Some(c"branch"), None];
    assert!(tree.walk().map(|visit| visit.name).eq(names));
    drop(tree);
    assert_eq!((pool.live(), RUNS.load(Ordering::Relaxed)), (0, 5));
    assert_eq!(live_blocks(), before);
}
