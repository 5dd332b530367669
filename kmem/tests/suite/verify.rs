//! What is wrong with a pool or a tree is found by walking it.

use std::ptr::null_mut;

use kmem::raw::{Node, Pool, PoolCell, pool, tree};

fn header(data: *mut u8) -> *mut PoolCell {
    data.wrapping_sub(16).cast()
}

fn node(data: *mut u8) -> *mut Node {
    data.wrapping_sub(64).cast()
}

/// Writes `wrong` to `place`, and returns what the walk of a pool then finds.
unsafe fn found_in_pool<T: Copy>(pool: *mut Pool, place: *mut T, wrong: T) -> &'static str {
    unsafe {
        assert!(pool::verify(pool).is_ok());
        let right = place.replace(wrong);
        let found = pool::verify(pool).expect_err("something wrong").what;
        place.write(right);
        found
    }
}

#[test]
fn what_is_wrong_with_a_pool_is_found() {
    unsafe {
        let pool = pool::i(null_mut(), 5000, 100);
        let cells: Vec<_> = (0..70).map(|_| pool::a(pool)).collect();
        let (live, free, other, parked) = (cells[0], cells[2], cells[3], cells[60]);
        for cell in [parked, other, free] {
            pool::f(cell);
        }
        let census = pool::verify(pool).unwrap();
        assert_eq!((census.live, census.free, census.unused), (67, 3, 30));
        assert_eq!(header(other), (*header(free)).last, "these two are on the list, and the third is parked");

        let mark = |of: *mut u8| (*header(of)).pool;
        assert_eq!(found_in_pool(pool, &raw mut (*pool).cell.kind, 4), "not a live pool");
        assert_eq!(found_in_pool(pool, &raw mut (*pool).cell.size, 8), "more cells used than the block has");
        assert_eq!(
            found_in_pool(pool, &raw mut (*pool).cell.size, 5000),
            "cells beyond the end of the block"
        );
        assert_eq!(
            found_in_pool(pool, &raw mut (*pool).top, live.cast()),
            "a top or bottom that is not a cell"
        );
        assert_eq!(
            found_in_pool(pool, &raw mut (*pool).bottom, header(live)),
            "a cell on the free list that is not free"
        );
        assert_eq!(
            found_in_pool(pool, &raw mut (*pool).bottom, header(other)),
            "a free cell that is on no list"
        );
        assert_eq!(found_in_pool(pool, &raw mut (*pool).bottom, header(parked)), "a cell that is free twice");
        let last = &raw mut (*header(other)).last;
        assert_eq!(found_in_pool(pool, last, header(free)), "a cell that is free twice");
        assert_eq!(found_in_pool(pool, last, live.cast()), "a cell on the free list that is not free");
        let slack = pool.add(1).cast::<usize>().sub(1);
        assert_eq!(found_in_pool(pool, slack, slack.read() - 1), "a wrong number of live cells");
        let of = |data: *mut u8| &raw mut (*header(data)).pool;
        assert_eq!(found_in_pool(pool, of(live), null_mut()), "a cell that names another pool");
        assert_eq!(found_in_pool(pool, of(live), mark(free)), "a free cell that is on no list");
        assert_eq!(found_in_pool(pool, of(parked), mark(live)), "a parked cell that is not free");
        // The group of the parked cell lies behind the header: its bits, then the next group.
        let behind = size_of::<Pool>().next_multiple_of(16);
        let bits = pool.byte_add(behind).cast::<u64>();
        assert_eq!(bits.read(), 1 << 60);
        assert_eq!(found_in_pool(pool, bits, 0), "a free cell that is on no list");
        assert_eq!(
            found_in_pool(pool, bits.add(1).cast(), pool.addr() + behind),
            "a group without parked cells, on the list of groups"
        );
        pool::x(pool);
    }
}

#[test]
fn what_is_wrong_with_a_tree_is_found() {
    unsafe fn found<T: Copy>(root: *mut u8, place: *mut T, wrong: T) -> &'static str {
        unsafe {
            assert_eq!(tree::verify(root), Ok(5));
            let right = place.replace(wrong);
            let found = tree::verify(root).expect_err("something wrong").what;
            place.write(right);
            found
        }
    }
    unsafe {
        let root = tree::a(null_mut(), null_mut(), 8);
        let [one, two] = [0; 2].map(|_| tree::a(null_mut(), root, 8));
        let leaf = tree::a(null_mut(), one, 8);
        let hosted = pool::i(root.sub(64).cast(), 8, 4);
        let cell = pool::a(hosted);

        assert_eq!(found(root, &raw mut (*node(two)).cell.kind, 1), "not a live node");
        assert_eq!(found(root, &raw mut (*node(two)).cell.size, 63), "a node smaller than its header");
        assert_eq!(
            found(root, &raw mut (*node(leaf)).parent, node(root)),
            "a first child with a wrong parent or previous sibling"
        );
        assert_eq!(
            found(root, &raw mut (*node(leaf)).prev, node(two)),
            "a first child with a wrong parent or previous sibling"
        );
        assert_eq!(found(root, &raw mut (*node(leaf)).lastchild, node(two)), "a last child without a first");
        assert_eq!(
            found(root, &raw mut (*node(root)).lastchild, node(two)),
            "a last sibling that is not its parent's last child"
        );
        assert_eq!(found(root, &raw mut (*node(two)).prev, null_mut()), "siblings whose links disagree");
        assert_eq!(found(root, &raw mut (*node(two)).parent, node(one)), "siblings whose links disagree");
        assert_eq!(found(root, &raw mut (*header(cell)).pool, null_mut()), "a cell that names another pool");
        tree::f(root);
    }
}

#[test]
fn damage_says_what_and_where() {
    let mut zeros = [0u128; 5];
    let no_node: *mut u8 = zeros.as_mut_ptr().wrapping_add(4).cast();
    let damage = unsafe { tree::verify(no_node) }.expect_err("zeros are no node");
    assert_eq!(damage.to_string(), format!("not a live node at {no_node:p}"));
}
