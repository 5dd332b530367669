//! Hooks of nodes.

use std::ffi::c_void;
use std::ptr::null_mut;

use kmem::raw::{Destructor, Handle, Request, heap, tree};

use crate::support::{ended, leaks_nothing, node, noting, quietly, unwind};

#[test]
fn hooks_run_last_first_and_before_the_nodes_below_are_freed() {
    leaks_nothing(|| unsafe {
        let with = |drop, parent| {
            let request = Request { drop: Some(noting(drop)), ..Request::new(8) };
            tree::alloc(null_mut(), parent, &request).unwrap().as_ptr()
        };
        let root = with(1, null_mut());
        tree::h(root, noting(11)).unwrap();
        let child = with(2, root);
        tree::h(root, noting(12)).unwrap();
        tree::h(child, noting(21)).unwrap();
        with(3, child);
        tree::f(root);
        assert_eq!(ended(), [12, 11, 21, 3, 2, 1]);
    });
}

#[test]
fn the_last_hook_with_this_function_and_argument_is_removed() {
    leaks_nothing(|| unsafe {
        let root = node(null_mut());
        for number in [1, 2, 1, 3] {
            tree::h(root, noting(number)).unwrap();
        }
        assert!(tree::hx(root, noting(1)));
        assert!(!tree::hx(root, noting(4)));
        tree::d(root);
        assert_eq!(ended(), [3, 2, 1]);
    });
}

#[test]
fn a_hook_sees_its_node_and_the_nodes_below() {
    unsafe extern "C-unwind" fn look(data: *mut c_void, seen: *mut c_void) {
        unsafe { seen.cast::<(u8, usize)>().write((data.cast::<u8>().read(), tree::below(data.cast()))) };
    }
    let mut seen = (0u8, 0usize);
    unsafe {
        let root = node(null_mut());
        root.write(7);
        node(node(root));
        tree::h(root, Destructor { run: Some(look), arg: (&raw mut seen).cast() }).unwrap();
        tree::f(root);
    }
    assert_eq!(seen, (7, 2));
}

#[test]
fn a_hook_may_free_and_release_objects_below_its_node() {
    unsafe extern "C-unwind" fn free_children(data: *mut c_void, _: *mut c_void) {
        unsafe {
            let child = tree::c(data.cast());
            tree::m(child, null_mut()).unwrap();
            tree::f(child);
            tree::f(tree::c(data.cast()));
        }
    }
    leaks_nothing(|| unsafe {
        let root = node(null_mut());
        node(node(root));
        node(root);
        node(root);
        tree::h(root, Destructor { run: Some(free_children), arg: null_mut() }).unwrap();
        tree::f(root);
    });
}

#[test]
fn a_hook_that_unwinds_stops_nothing() {
    unsafe extern "C-unwind" fn panicking(_: *mut c_void, _: *mut c_void) {
        unwind();
    }
    leaks_nothing(|| {
        let unwound = quietly(|| unsafe {
            let root = node(null_mut());
            tree::h(root, noting(1)).unwrap();
            tree::h(root, Destructor { run: Some(panicking), arg: null_mut() }).unwrap();
            tree::h(root, noting(2)).unwrap();
            node(root);
            tree::f(root);
        });
        assert!(unwound.is_err());
        drop(unwound);
        assert_eq!(ended(), [2, 1]);
    });
}

#[cfg(feature = "shred")]
#[test]
fn the_data_of_a_tainted_nodes_hook_is_zeroed() {
    for cancel in [false, true] {
        let freed = crate::support::marked_when_freed(|| {
            let mut tree = kmem::Tree::new(1);
            tree.taint();
            let secret = [crate::support::MARK; 64];
            let hook = tree.node().on_free(move || {
                std::hint::black_box(&secret);
            });
            if cancel {
                hook.cancel();
            }
        });
        assert_eq!(freed, 0);
    }
}

#[test]
fn a_hook_may_release_an_object_that_its_node_adopted() {
    unsafe extern "C-unwind" fn rescues(data: *mut c_void, kept: *mut c_void) {
        unsafe {
            let object = tree::walk(data.cast()).nth(1).unwrap().object;
            *kept.cast::<Handle>() = tree::l(data.cast(), object.data);
        }
    }
    leaks_nothing(|| unsafe {
        let mut kept = Handle::NULL;
        let (root, object) = (node(null_mut()), heap::ao(8));
        tree::k(root, object).unwrap();
        tree::h(root, Destructor { run: Some(rescues), arg: (&raw mut kept).cast() }).unwrap();
        tree::f(root);
        assert_eq!(kept, object);
        heap::f(object.data);
    });
}
