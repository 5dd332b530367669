//! A global allocator that itself uses kmem. It needs a program of its own, because it serves the whole program.

#![cfg(all(feature = "heap", feature = "tree"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::with_exposed_provenance;

use kmem::{HeapBox, Tree};

#[path = "suite/number.rs"]
#[allow(dead_code, reason = "another program uses the rest")]
mod number;
use number::Number;

/// The address of the tree that is used, or zero, and after how many calls of the allocator.
const USED: Number = Number(0);
const CALLS: Number = Number(1);

/// Adds a node to the tree if this is the call for it.
fn use_it() {
    match (USED.get(), CALLS.get()) {
        (0, _) => {}
        (tree, 0) => {
            USED.set(0);
            // SAFETY: the trees of the test below are never freed, and it is this thread's.
            let tree = unsafe { &*with_exposed_provenance::<Tree<u64>>(tree) };
            tree.node().push(7);
        }
        (_, calls) => CALLS.set(calls - 1),
    }
}

struct Using;

// SAFETY: all is `System`'s, and what is done beside that is safe.
unsafe impl GlobalAlloc for Using {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        use_it();
        // SAFETY: the contract is the caller's, here and below.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) };
        use_it();
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        let block = unsafe { System.realloc(block, layout, size) };
        use_it();
        block
    }
}

#[global_allocator]
static GLOBAL: Using = Using;

#[test]
fn it_may_use_the_tree_that_it_serves() {
    let mut calls = 0;
    loop {
        let tree: &'static Tree<u64> = Box::leak(Box::new(Tree::new(0)));
        tree.node().push(1);
        CALLS.set(calls);
        USED.set((&raw const *tree).expose_provenance());
        let node = tree.node();
        node.push(2);
        let mut bytes = node.try_push_child_copy(&[9u8; 100]).unwrap();
        for len in [100_000, 10, 1000, 3_000_000] {
            bytes.try_resize(len, 9).unwrap();
            assert!(bytes.len() == len && bytes.iter().all(|&byte| byte == 9));
        }
        let last = node.push_child(5u8);
        bytes.free();
        node.adopt(HeapBox::new(3u16)).release();
        last.free();
        let reached = USED.get() == 0;
        USED.set(0);
        let sum: u64 = node.children().map(|node| *node).sum();
        assert_eq!((node.below(), sum), if reached { (3, 10) } else { (2, 3) }, "{calls} calls");
        if !reached {
            break;
        }
        calls += 1;
    }
    assert!(calls > 10, "each call of the allocator was one at which it used the tree");
}
