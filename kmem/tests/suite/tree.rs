use std::ptr::null_mut;

use kmem::{Node, NodeRef, Tree, raw};
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::support::{Ends, leaks_nothing, quietly, unwind};

assert_impl_all!(Tree<u32>: Send);
assert_not_impl_any!(Tree<u32>: Sync);
assert_not_impl_any!(Tree<std::rc::Rc<u32>>: Send);
assert_not_impl_any!(Node<'static, u32>: Send, Sync);
assert_not_impl_any!(NodeRef<'static, u32>: Send, Sync);

#[test]
fn the_links_are_as_the_contract_has_them() {
    unsafe {
        let root = raw::tree::a(null_mut(), null_mut(), 8);
        let [one, two, three] = [1, 2, 3].map(|size| raw::tree::a(null_mut(), root, size));
        let node = |data: *mut u8| data.sub(64).cast::<raw::Node>();
        let header = &*node(root);
        assert_eq!((header.cell.kind, header.cell.size), (4, 72));
        assert_eq!((header.parent, header.child, header.lastchild), (null_mut(), node(one), node(three)));
        let middle = &*node(two);
        assert_eq!((middle.parent, middle.prev, middle.next), (node(root), node(one), node(three)));

        let parent = raw::tree::f(two);
        assert_eq!((parent.kind, parent.data, parent.cell), (4, root, node(root).cast()));
        assert_eq!(((*node(one)).next, (*node(three)).prev), (node(three), node(one)));
        raw::tree::f(three);
        assert_eq!(((*node(root)).child, (*node(root)).lastchild), (node(one), node(one)));
        raw::tree::f(one);
        assert_eq!(((*node(root)).child, (*node(root)).lastchild), (null_mut(), null_mut()));
        assert!(raw::tree::f(root).is_null());
        assert!(raw::tree::f(null_mut()).is_null());
    }
}

#[test]
fn freeing_a_parent_frees_children_deepest_first_and_first_child_first() {
    let ends = Ends::default();
    let tree = Tree::new(ends.value("root"));
    let a = tree.node().push(ends.value("a"));
    a.push(ends.value("a1")).push(ends.value("a1x"));
    a.push(ends.value("a2"));
    tree.node().push(ends.value("b")).push(ends.value("b1"));
    drop(tree);
    assert_eq!(ends.seen(), ["a1x", "a1", "a2", "a", "b1", "b", "root"]);
}

#[test]
fn an_owner_frees_its_child_early_with_all_below_it() {
    leaks_nothing(|| {
        let tree = Tree::new(String::from("root"));
        let child = tree.push_child(vec![1, 2, 3]);
        child.node().push(vec![4]);
        child.node().push_child("another type").leave();
        assert_eq!(tree.node().below(), 3);
        child.free();
        assert_eq!(tree.node().below(), 0);
        tree.push_child(7);
        assert_eq!(tree.node().below(), 1, "a child whose owner goes stays in its tree");
    });
}

#[test]
fn a_walk_sees_children_of_the_same_type_alone() {
    let tree = Tree::new(0u32);
    tree.node().push_child("text");
    let one = tree.node().push(1);
    tree.node().push_child(2u32);
    one.push(3);
    let children: Vec<u32> = tree.node().children().map(|node| *node).collect();
    assert_eq!(children, [1], "a child with an owner of its own may change while it is walked");
    assert_eq!(tree.node().below(), 4);
    assert_eq!(one.children().next().and_then(NodeRef::parent).map(|node| *node), Some(1));
}

#[test]
fn a_cleared_tree_keeps_its_root() {
    let ends = Ends::default();
    let mut tree = Tree::new(ends.value("root"));
    tree.node().push(ends.value("a")).push(ends.value("b"));
    tree.clear();
    assert_eq!(ends.seen(), ["b", "a"]);
    tree.node().push(ends.value("c"));
    let root = tree.into_inner();
    assert_eq!(ends.seen(), ["b", "a", "c"]);
    drop(root);
    assert_eq!(ends.seen(), ["b", "a", "c", "root"]);
}

#[test]
fn a_panicking_destructor_stops_nothing_else() {
    leaks_nothing(|| {
        let ends = Ends::default();
        let tree = Tree::new(ends.value("root"));
        let a = tree.node().push(ends.value("a"));
        a.push(ends.panicking("a1"));
        a.push(ends.value("a2"));
        tree.node().push(ends.value("b"));
        let result = quietly(move || drop(tree));
        assert!(result.is_err());
        assert_eq!(ends.seen(), ["a1", "a2", "a", "b", "root"]);
    });
}

#[test]
fn a_panicking_destructor_of_an_early_free_leaves_the_tree_whole() {
    leaks_nothing(|| {
        let ends = std::sync::Arc::new(std::sync::Mutex::new(0));
        struct Panics(std::sync::Arc<std::sync::Mutex<u32>>);
        impl Drop for Panics {
            fn drop(&mut self) {
                *self.0.lock().unwrap() += 1;
                unwind();
            }
        }
        let tree = Tree::new(1);
        let child = tree.push_child(Panics(ends.clone()));
        tree.node().push(2);
        assert!(quietly(|| child.free()).is_err());
        assert_eq!(*ends.lock().unwrap(), 1);
        assert_eq!(tree.node().children().map(|node| *node).collect::<Vec<_>>(), [2]);
        tree.node().push(3);
        assert_eq!(tree.node().below(), 2);
    });
}

#[test]
fn strings_and_slices_are_nodes_too() {
    leaks_nothing(|| {
        let root: Tree<str> = "root".into();
        let number = root.push_child(7);
        let mut text = number.node().try_push_child_str("below").unwrap();
        text.make_ascii_uppercase();
        assert_eq!(&*text, "BELOW");
        let slice = number.node().try_push_child_copy(&[1u16, 2]).unwrap();
        assert_eq!(*slice, [1, 2]);
    });
}

#[test]
fn rejected_children_go_and_the_others_stay() {
    let mut tree = Tree::new(0);
    for number in 1..=10 {
        tree.node().push(number).push(-number);
    }
    tree.retain(|number| {
        *number += 1;
        *number % 2 == 0
    });
    assert_eq!(tree.node().children().map(|node| *node).collect::<Vec<_>>(), [2, 4, 6, 8, 10]);
    assert_eq!(tree.node().below(), 10);
}

/// The stack that a program has by default on Linux is 8 MiB; the thread here has a hundredth of it.
fn on_a_small_stack(work: fn()) {
    std::thread::Builder::new().stack_size(80 << 10).spawn(work).unwrap().join().unwrap();
}

#[test]
fn a_chain_of_a_hundred_thousand_nodes_is_freed_in_a_small_stack() {
    on_a_small_stack(|| chain(100_000));
}

#[test]
fn a_hundred_thousand_siblings_are_freed_in_a_small_stack() {
    on_a_small_stack(|| flat(100_000));
}

#[test]
#[ignore = "takes a gigabyte and some seconds"]
fn a_chain_of_ten_million_nodes_is_freed_in_a_small_stack() {
    on_a_small_stack(|| chain(10_000_000));
}

#[test]
#[ignore = "takes a gigabyte and some seconds"]
fn ten_million_siblings_are_freed_in_a_small_stack() {
    on_a_small_stack(|| flat(10_000_000));
}

fn chain(nodes: usize) {
    let tree = Tree::new(0);
    let mut node = tree.node();
    for depth in 1..nodes {
        node = node.push(depth);
    }
    assert_eq!(tree.node().below(), nodes - 1);
}

fn flat(nodes: usize) {
    let tree = Tree::new(0);
    for number in 1..nodes {
        tree.node().push(number);
    }
    assert_eq!(tree.node().children().count(), nodes - 1);
}

#[test]
fn a_walk_sees_what_is_added_behind_it() {
    let tree = Tree::new(0);
    let mut children = tree.node().children();
    assert!(children.next().is_none());
    tree.node().push(1);
    assert_eq!(children.next().map(|node| *node), Some(1));
    tree.node().push(2);
    assert_eq!(children.next().map(|node| *node), Some(2));
    assert!(children.next().is_none());
}

#[test]
fn children_are_walked_from_both_ends_and_each_is_seen_once() {
    let tree = Tree::new(0);
    for number in 1..=5 {
        tree.node().push(number);
        tree.push_child("of another type");
    }
    let seen = |node: Option<NodeRef<'_, i32>>| node.map(|node| *node);
    assert_eq!(tree.node().children().rev().map(|node| *node).collect::<Vec<_>>(), [5, 4, 3, 2, 1]);
    let mut children = tree.node().children();
    assert_eq!([seen(children.next()), seen(children.next_back())], [Some(1), Some(5)]);
    // What is added behind the end that the walk began at is not seen.
    tree.node().push(6);
    assert_eq!(
        [seen(children.next_back()), seen(children.next()), seen(children.next())],
        [Some(4), Some(2), Some(3)]
    );
    assert_eq!([seen(children.next()), seen(children.next_back())], [None, None]);
    assert_eq!(tree.node().children().next_back().map(|node| *node), Some(6));
}

#[cfg(feature = "ref")]
#[test]
fn a_name_is_replaced_by_a_sole_owner_of_a_cell_that_has_one() {
    use kmem::{Heap, HeapBox, Named, Ptr, Ref};
    let mut named = HeapBox::new_in(7, Named(c"first", Heap));
    assert!(HeapBox::rename(&mut named, c"second"));
    assert_eq!((HeapBox::name(&named), *named), (Some(c"second"), 7));
    assert!(!HeapBox::rename(&mut HeapBox::new(7), c"second"));

    let mut one = Ref::new_in(7, Named(c"first", Heap));
    let two = one.clone();
    assert!(!Ref::rename(&mut one, c"second"));
    let mut handle = Ptr::from(two);
    assert!(!Ptr::rename(&mut handle, c"second"));
    drop(one);
    assert!(Ptr::rename(&mut handle, c"second"));
    assert_eq!(Ptr::name(&handle), Some(c"second"));
    assert!(!Ptr::rename(&mut Ptr::from("static"), c"second"));

    let tree = Tree::new(0);
    let mut child = Named(c"first", tree.node()).push_child(String::from("text"));
    assert!(Node::rename(&mut child, c"second"));
    assert_eq!((Node::name(&child), &**child), (Some(c"second"), "text"));
}
