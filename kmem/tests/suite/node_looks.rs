//! Walks, names, and pools on nodes.

use std::ptr::null_mut;

use kmem::Kind;
use kmem::raw::{Handle, Request, heap, pool, ptr, refs, tree};

use crate::support::{children, ended, leaks_nothing, node, noting};

#[test]
fn everything_below_a_node_is_freed_and_the_node_stays() {
    leaks_nothing(|| unsafe {
        let root = node(null_mut());
        tree::h(root, noting(9)).unwrap();
        for number in 1..4 {
            let drop = Some(noting(number));
            tree::alloc(null_mut(), root, &Request { drop, ..Request::new(8) }).unwrap();
        }
        tree::k(root, heap::ao(8)).unwrap();
        tree::x(root);
        assert_eq!((ended(), tree::below(root), tree::verify(root)), (vec![1, 2, 3], 0, Ok(2)));
        tree::x(null_mut());
        tree::f(root);
        assert_eq!(ended(), [9]);
    });
}

#[test]
fn a_forged_flag_does_not_make_a_small_node_a_pool() {
    unsafe {
        let small = tree::a(null_mut(), null_mut(), 0);
        (*tree::handle(small).cell).flags |= kmem::raw::FLAG_HOST;
        assert_eq!(ptr::name(tree::handle(small)), None);
        (*tree::handle(small).cell).flags &= !kmem::raw::FLAG_HOST;
        tree::f(small);
    }
}

#[test]
fn a_walk_takes_constant_stack_and_sees_each_node_once() {
    unsafe {
        let root = node(null_mut());
        let mut deep = root;
        for _ in 0..200_000 {
            deep = node(deep);
        }
        assert_eq!(tree::walk(root).count(), 200_001);
        assert_eq!(
            tree::walk(root).last().map(|visit| (visit.object.data, visit.depth)),
            Some((deep, 200_000))
        );
        tree::f(root);
    }
}

#[test]
fn cells_have_the_names_that_they_were_given() {
    unsafe {
        let request = Request { name: Some(c"config"), ..Request::new(8) };
        let data = tree::alloc(null_mut(), null_mut(), &request).unwrap().as_ptr();
        let handle = tree::handle(data);
        assert_eq!(ptr::cast(handle, c"config"), data);
        assert!(ptr::cast(handle, c"key").is_null());
        assert!(ptr::cast(Handle::NULL, c"key").is_null());
        assert_eq!(ptr::name(ptr::stat(data)), None);
        // An overwritten name is not returned.
        data.add(8).cast::<[u8; 8]>().write([b'A'; 8]);
        assert_eq!(ptr::name(handle), None);
        tree::f(data);
        assert_eq!(Kind::from_raw(handle.kind), Some(Kind::Tree));
    }
}

#[test]
fn a_pool_on_a_node_is_freed_after_the_nodes_beside_it() {
    leaks_nothing(|| unsafe {
        let root = node(null_mut());
        let first = pool::i(tree::handle(root).cell, 128, 8);
        let second = pool::i(tree::handle(root).cell, 128, 8);
        let drop = |number| Request { drop: Some(noting(number)), ..Request::new(8) };
        let drawn = tree::alloc(first.cast(), root, &drop(1)).unwrap().as_ptr();
        let other = tree::alloc(null_mut(), root, &drop(2)).unwrap().as_ptr();
        tree::alloc(second.cast(), other, &drop(3)).unwrap();
        tree::k(root, pool::ao(first, 8)).unwrap();
        tree::k(root, refs::handle(refs::alloc(second.cast(), &drop(4)).unwrap().as_ptr())).unwrap();
        assert_eq!(children(root), [drawn, other, second.cast(), first.cast()]);
        assert_eq!((tree::verify(root), pool::live(first), pool::live(second)), (Ok(8), 2, 2));

        // Pools stay behind the other children when they move, one by one or all at once.
        let elsewhere = node(null_mut());
        let there = pool::i(tree::handle(elsewhere).cell, 8, 8);
        tree::m(second.cast(), elsewhere).unwrap();
        tree::m(second.cast(), root).unwrap();
        tree::mc(root, elsewhere).unwrap();
        assert_eq!(children(elsewhere)[..2], [drawn, other]);
        assert_eq!((tree::verify(elsewhere), children(elsewhere).last()), (Ok(9), Some(&there.cast())));
        tree::f(elsewhere);
        assert_eq!(ended(), [1, 3, 2, 4]);
        tree::f(root);
    });
}

#[test]
fn a_walk_shows_the_pools_name_for_a_pool_on_a_node() {
    unsafe {
        let root = node(null_mut());
        let spec = pool::Spec { name: Some(c"line"), ..pool::Spec::new(8, 4) };
        let made = pool::init(tree::handle(root).cell, &spec).unwrap().as_ptr();
        let found = tree::walk(root).nth(1).unwrap().object;
        assert_eq!((found.data, ptr::name(found)), (made.cast(), Some(c"line")));
        assert!(ptr::cast(found, c"line").is_null());
        let cell = pool::a(made);
        assert_eq!(ptr::cast(pool::handle(cell), c"line"), cell);
        tree::f(root);
    }
}
