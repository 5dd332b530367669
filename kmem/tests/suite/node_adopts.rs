//! Objects that nodes adopt and release.

use std::ptr::null_mut;

use kmem::AllocError;
use kmem::raw::{Handle, Request, heap, pool, ptr, refs, tree};

use crate::support::{ended, leaks_nothing, node, noting};

#[test]
fn an_adopted_object_of_any_kind_is_freed_with_its_node() {
    leaks_nothing(|| unsafe {
        let bytes = pool::i(null_mut(), 64, 4);
        let request = |number| Request { drop: Some(noting(number)), ..Request::new(8) };
        let root = node(null_mut());
        let counted = refs::alloc(null_mut(), &request(2)).unwrap().as_ptr();
        let adopted = [
            heap::handle(heap::alloc(&request(1)).unwrap().as_ptr()),
            refs::handle(refs::u(counted)),
            pool::ao(bytes, 8),
            ptr::stat(c"static".as_ptr().cast()),
            tree::handle(tree::alloc(null_mut(), null_mut(), &request(4)).unwrap().as_ptr()),
        ];
        for object in adopted {
            tree::k(root, object).unwrap();
        }
        let walked: Vec<_> = tree::walk(root).skip(1).map(|visit| (visit.object, visit.depth)).collect();
        assert_eq!(walked, adopted.map(|object| (object, 1)));
        tree::f(root);
        assert_eq!(ended(), [1, 4]);
        assert_eq!((refs::count(counted), pool::live(bytes)), (1, 0));
        refs::f(counted);
        assert_eq!(ended(), [2]);
        pool::x(bytes);
    });
}

#[test]
fn a_released_object_belongs_to_the_caller_again() {
    leaks_nothing(|| unsafe {
        let root = node(null_mut());
        let counted = refs::zo(null_mut(), 8);
        refs::u(counted.data);
        tree::k(root, counted).unwrap();
        tree::k(root, counted).unwrap();
        let child = node(root);
        assert_eq!(tree::l(root, counted.data), counted);
        refs::f(counted.data);
        assert_eq!(refs::count(counted.data), 1);
        assert_eq!(tree::l(root, child), tree::handle(child));
        assert!(tree::p(child).is_null());
        assert_eq!(tree::l(root, child), Handle::NULL);
        tree::f(child);
        tree::f(root);
    });
}

/// Cases that talloc documents as confusing: the free of a parent with references elsewhere, and the steal of a referenced child.
#[test]
fn an_object_that_several_trees_adopted_is_freed_with_the_last() {
    leaks_nothing(|| unsafe {
        let shared = refs::handle(
            refs::alloc(null_mut(), &Request { drop: Some(noting(1)), ..Request::new(8) }).unwrap().as_ptr(),
        );
        let [one, two, three] = [node(null_mut()), node(null_mut()), node(null_mut())];
        tree::k(one, shared).unwrap();
        refs::u(shared.data);
        tree::k(two, shared).unwrap();
        tree::f(one); // the first parent goes: the other's hold is not touched
        assert_eq!((ended(), refs::count(shared.data)), (vec![], 1));
        let moved = tree::l(two, shared.data); // "steal" names which hold moves
        tree::k(three, moved).unwrap();
        tree::f(two);
        assert!(ended().is_empty());
        tree::f(three);
        assert_eq!(ended(), [1]);
    });
}

#[cfg(feature = "shred")]
#[test]
fn objects_that_a_shredded_node_adopted_are_zeroed() {
    let freed = crate::support::marked_when_freed(|| unsafe {
        let root = node(null_mut());
        for object in [heap::ao(64), refs::ao(null_mut(), 64)] {
            object.data.write_bytes(crate::support::MARK, 64);
            tree::k(root, object).unwrap();
        }
        tree::s(root);
    });
    assert_eq!(freed, 0);
}

#[cfg(feature = "shred")]
#[test]
fn an_adopted_tainted_tree_is_zeroed_with_every_node_below() {
    let marked = |parent| unsafe {
        let data = node(parent);
        data.write_bytes(crate::support::MARK, 16);
        data
    };
    for let_go in [false, true] {
        let freed = crate::support::marked_when_freed(|| unsafe {
            let (root, tree) = (node(null_mut()), marked(null_mut()));
            let mut handle = tree::handle(tree);
            ptr::taint(&mut handle);
            tree::k(root, handle).unwrap();
            let child = marked(tree);
            marked(child);
            let object = heap::ao(16);
            object.data.write_bytes(crate::support::MARK, 16);
            tree::k(child, object).unwrap();
            if let_go {
                assert_eq!(tree::l(root, tree), handle);
                ptr::free(handle);
            }
            tree::f(root);
        });
        assert_eq!(freed, 0);
    }
}

#[test]
fn a_refused_adoption_leaves_the_object_with_its_caller() {
    leaks_nothing(|| unsafe {
        let bytes = pool::i(null_mut(), 96, 1);
        let root = tree::a(bytes.cast(), null_mut(), 8);
        let object = heap::ao(8);
        assert!(matches!(tree::k(root, object), Err(AllocError::Exhausted { .. })));
        assert!(matches!(tree::h(root, noting(1)), Err(AllocError::Exhausted { .. })));
        assert_eq!(tree::k(root, Handle::NULL), Err(AllocError::Source(None)));
        heap::f(object.data);
        tree::f(root);
        pool::x(bytes);
    });
}
