//! Nodes that are resized and moved.

use std::ptr::null_mut;

use kmem::raw::{Node, heap, pool, refs, tree};
use kmem::{AllocError, Kind};

use crate::support::{children, ended, leaks_nothing, node, noting};

#[test]
fn a_node_that_moves_as_it_grows_keeps_its_links() {
    for position in 0..3 {
        leaks_nothing(|| unsafe {
            let root = node(null_mut());
            let mut nodes = [node(root), node(root), node(root)];
            let below: Vec<_> = (0..5).map(|_| node(nodes[position])).collect();
            let pool = pool::i(tree::handle(nodes[position]).cell, 32, 4);
            tree::h(nodes[position], noting(1)).unwrap();
            for size in [100, 100_000, 3_000_000, 8] {
                nodes[position] = tree::r(nodes[position], size);
                assert_eq!(children(root), nodes);
                assert_eq!(children(nodes[position])[..5], below);
                assert!(below.iter().all(|&child| tree::p(child) == nodes[position]));
                assert_eq!((*pool).src.cast(), tree::handle(nodes[position]).cell);
                assert_eq!(tree::verify(root), Ok(11));
                // The pool below still grows, allocates and frees.
                pool::f(pool::a(pool));
            }
            tree::f(root);
            assert_eq!(ended(), [1]);
        });
    }
}

#[test]
fn a_root_that_moves_as_it_grows_keeps_its_children() {
    leaks_nothing(|| unsafe {
        let root = node(null_mut());
        let child = node(root);
        let root = tree::r(root, 5_000_000);
        assert_eq!((tree::p(child), tree::verify(root)), (root, Ok(2)));
        tree::f(root);
    });
}

#[test]
fn a_node_moves_with_every_node_below_it_behind_its_new_siblings() {
    leaks_nothing(|| unsafe {
        let (one, two) = (node(null_mut()), node(null_mut()));
        let (a, b, c, d) = (node(one), node(one), node(one), node(two));
        let leaf = node(b);
        tree::m(b, two).unwrap();
        assert_eq!((children(one), children(two)), (vec![a, c], vec![d, b]));
        assert_eq!((tree::p(leaf), tree::p(b)), (b, two));
        tree::m(b, null_mut()).unwrap();
        assert!(tree::p(b).is_null());
        assert_eq!(children(two), [d]);
        tree::mu(b, a).unwrap();
        tree::m(a, one).unwrap();
        assert_eq!(children(one), [c, a], "below the same parent a node becomes the last");
        assert_eq!((tree::verify(one), tree::verify(two)), (Ok(5), Ok(2)));
        tree::f(one);
        tree::f(two);
    });
}

#[test]
fn a_node_cannot_move_below_itself() {
    unsafe {
        let root = node(null_mut());
        let child = node(root);
        let leaf = node(child);
        for (moved, below) in [(root, root), (root, child), (root, leaf), (child, leaf), (leaf, leaf)] {
            assert_eq!(tree::m(moved, below), Err(AllocError::Below));
        }
        assert_eq!(tree::mc(root, leaf), Err(AllocError::Below));
        assert_eq!(tree::k(leaf, tree::handle(root)), Err(AllocError::Below));
        assert_eq!(tree::verify(root), Ok(3));
        assert_eq!(tree::m(null_mut(), root), Err(AllocError::Source(None)));
        tree::f(root);
    }
}

#[test]
fn all_children_move_at_once_and_hooks_stay() {
    leaks_nothing(|| unsafe {
        let (one, two) = (node(null_mut()), node(null_mut()));
        let moved = [node(one), node(one)];
        tree::h(one, noting(1)).unwrap();
        tree::k(one, heap::ao(8)).unwrap();
        let there = node(two);
        tree::h(two, noting(2)).unwrap();
        tree::mc(one, two).unwrap();
        assert_eq!((children(one), children(two)), (vec![], vec![there, moved[0], moved[1]]));
        tree::mc(two, two).unwrap();
        assert_eq!((tree::verify(one), tree::verify(two)), (Ok(2), Ok(6)));
        tree::f(one);
        assert_eq!(ended(), [1]);
        tree::f(two);
        assert_eq!(ended(), [2]);
    });
}

#[test]
fn a_pool_on_a_node_moves() {
    leaks_nothing(|| unsafe {
        let (one, two) = (node(null_mut()), node(null_mut()));
        let pool = pool::init(tree::handle(one).cell, &pool::Spec { grows: true, ..pool::Spec::new(32, 2) });
        let pool = pool.unwrap().as_ptr();
        tree::m(pool.cast(), two).unwrap();
        tree::f(one);
        for _ in 0..20 {
            assert!(!pool::a(pool).is_null());
        }
        assert_eq!(tree::p(pool.cast()), two);
        tree::m(pool.cast(), null_mut()).unwrap();
        tree::f(two);
        assert!(!pool::a(pool).is_null());
        pool::x(pool);
    });
}

#[cfg(feature = "shred")]
#[test]
fn a_pool_that_left_a_tainted_node_is_zeroed() {
    let freed = crate::support::marked_when_freed(|| unsafe {
        let (one, two) = (node(null_mut()), node(null_mut()));
        kmem::raw::ptr::taint(&mut tree::handle(one));
        let pool = pool::i(tree::handle(one).cell, 64, 2);
        pool::a(pool).write_bytes(crate::support::MARK, 64);
        tree::m(pool.cast(), two).unwrap();
        tree::f(one);
        tree::f(two);
    });
    assert_eq!(freed, 0);
}

#[test]
fn adopted_objects_move_only_between_nodes_of_one_source() {
    leaks_nothing(|| unsafe {
        let bytes = pool::i(null_mut(), 96, 5);
        let (from, to) = (tree::a(bytes.cast(), null_mut(), 8), node(null_mut()));
        let beside = tree::a(bytes.cast(), null_mut(), 8);
        let (first, shared, last) = (heap::ao(100), refs::ao(null_mut(), 8), node(from));
        tree::k(from, first).unwrap();
        tree::k(from, shared).unwrap();
        assert_eq!(tree::mc(from, to), Err(AllocError::Fixed(Kind::Tree)));
        assert_eq!((pool::live(bytes), tree::below(from), tree::below(to)), (4, 3, 0));
        tree::mc(from, beside).unwrap();
        let walked: Vec<_> = tree::walk(beside).skip(1).map(|visit| visit.object.data).collect();
        assert_eq!(walked, [last, first.data, shared.data]);
        // Released one by one, they can be adopted by any node.
        tree::k(to, tree::l(beside, first.data)).unwrap();
        tree::k(to, tree::l(beside, shared.data)).unwrap();
        tree::mc(beside, to).unwrap();
        assert_eq!((pool::live(bytes), tree::below(to)), (2, 3));
        tree::f(from);
        tree::f(beside);
        pool::x(bytes);
        tree::f(to);
    });
}

#[test]
fn pools_keep_their_order_when_they_move() {
    leaks_nothing(|| unsafe {
        let (root, other) = (node(null_mut()), node(null_mut()));
        let hosted = |node, size| pool::i(tree::handle(node).cell, size, 4);
        let first = hosted(root, 1000);
        let drawn = tree::a(first.cast(), root, 8);
        let [second, third] = [hosted(drawn, 8), hosted(root, 8)];
        tree::m(second.cast(), root).unwrap();
        let ordered: [*mut u8; 3] = [second.cast(), third.cast(), first.cast()];
        assert_eq!(children(root)[1..], ordered, "the one that was added last before the others");
        // A pool that moves to its own parent stays in its place.
        for pool in [first, third, second] {
            tree::m(pool.cast(), root).unwrap();
            tree::k(root, tree::handle(pool.cast())).unwrap();
        }
        assert_eq!(children(root)[1..], ordered);
        // A pool that moves back comes before the other pools, except those that were allocated from it.
        tree::m(first.cast(), other).unwrap();
        tree::m(first.cast(), root).unwrap();
        let ordered: [*mut u8; 3] = [second.cast(), first.cast(), third.cast()];
        assert_eq!(children(root)[1..], ordered);
        tree::mc(root, other).unwrap();
        assert_eq!((children(root).len(), children(other)), (0, [&[drawn][..], &ordered].concat()));
        assert_eq!(tree::verify(other), Ok(5));
        tree::f(root);
        tree::f(other);
    });
}

#[test]
fn pools_stay_behind_other_children_and_the_last_child_of_the_header_is_the_first_pool() {
    leaks_nothing(|| unsafe {
        let roots = [node(null_mut()), node(null_mut())];
        let mut state = 7u64;
        let mut below = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % most
        };
        let mut made: [Vec<*mut u8>; 2] = [Vec::new(), Vec::new()];
        for step in 0..2000 {
            let root = roots[below(2)];
            let at = below(2);
            let which = below(made[at].len().max(1));
            match below(10) {
                0..=2 => made[1].push(pool::i(tree::handle(root).cell, 8, 1).cast()),
                3..=5 => made[0].push(node(root)),
                6..=7 if !made[at].is_empty() => {
                    tree::f(made[at].swap_remove(which));
                }
                8 if !made[at].is_empty() => tree::m(made[at][which], root).unwrap(),
                9 if step % 50 == 0 => tree::mc(root, roots[below(2)]).unwrap(),
                _ => {}
            }
            let mut seen = 0;
            for root in roots {
                let all = children(root);
                let plain = all.iter().take_while(|child| made[0].contains(child)).count();
                assert!(all[plain..].iter().all(|child| made[1].contains(child)), "pools are the last");
                let last = (*root.sub(64).cast::<Node>()).lastchild;
                let expected = all.get(plain).or(all.last()).map_or(null_mut(), |&data| data.sub(64).cast());
                assert_eq!((last, tree::cl(root)), (expected, all.last().map_or(null_mut(), |&data| data)));
                assert_eq!(tree::verify(root), Ok(1 + all.len()));
                seen += all.len();
            }
            assert_eq!(seen, made[0].len() + made[1].len());
        }
        tree::x(roots[0]);
        assert!(children(roots[0]).is_empty());
        tree::f(roots[0]);
        tree::f(roots[1]);
    });
}

#[test]
fn a_pool_does_not_move_below_a_node_that_was_allocated_from_it() {
    leaks_nothing(|| unsafe {
        let root = node(null_mut());
        let outer = pool::i(tree::handle(root).cell, 2000, 4);
        let inner = pool::i(outer.cast(), 200, 4);
        let drawn = [tree::a(outer.cast(), root, 8), tree::a(inner.cast(), root, 8)];
        let other = node(null_mut());
        // A node from a later block of a growing pool.
        let grows =
            pool::init(tree::handle(root).cell, &pool::Spec { grows: true, ..pool::Spec::new(200, 1) });
        let grows = grows.unwrap().as_ptr();
        pool::a(grows);
        let further = tree::a(grows.cast(), root, 8);
        assert_eq!(pool::capacity(grows), 3);
        assert_eq!(tree::m(grows.cast(), further), Err(AllocError::Below));
        for below in [drawn[0], drawn[1], node(node(drawn[0]))] {
            assert_eq!(tree::m(outer.cast(), below), Err(AllocError::Below));
            assert_eq!(tree::mu(outer.cast(), below), Err(AllocError::Below));
            assert_eq!(tree::k(below, tree::handle(outer.cast())), Err(AllocError::Below));
        }
        tree::m(drawn[1], other).unwrap();
        assert_eq!(tree::mc(root, drawn[1]), Err(AllocError::Below));
        tree::m(drawn[1], root).unwrap();
        pool::f(pool::a(outer));
        tree::f(drawn[1]);
        pool::x(inner);
        tree::f(other);
        tree::f(root);
    });
}
