//! Trees, nodes and walks over them.

cases! { a_child_that_outlives_its_root
    given { let tree = kmem::Tree::new(1); let child = tree.push_child(2); }
    ok { assert_eq!(*child, 2); drop(tree); }
    E0505 { drop(tree); assert_eq!(*child, 2); }
}

cases! { a_child_that_is_freed_while_a_node_below_it_is_used
    given { let tree = kmem::Tree::new(1); let child = tree.push_child(2); let below = child.node().push(3); }
    ok { assert_eq!(*below, 3); child.free(); }
    E0505 { child.free(); assert_eq!(*below, 3); }
}

cases! { a_tree_whose_children_are_freed_while_one_is_used
    given { let mut tree = kmem::Tree::new(1); let child = tree.node().push(2); }
    ok { assert_eq!(*child, 2); tree.clear(); }
    E0502 { tree.clear(); assert_eq!(*child, 2); }
}

cases! { a_child_whose_destructor_could_read_a_dropped_value
    given { struct Sees(&'static str); let tree = kmem::Tree::new(1); }
    ok { tree.push_child(Sees("static")); }
    E0597 { let text = String::from("short"); tree.push_child(Sees(&text)); }
}

cases! { an_owner_that_is_changed_or_moved_while_it_is_borrowed
    given { let mut tree = kmem::Tree::new(1); }
    ok {
        let child = tree.push_child(2);
        let leaf = tree.node().push(3);
        let mut walk = tree.node().children();
        assert_eq!((*child, *leaf, walk.next().is_some()), (2, 3, true));
        drop(walk);
        tree.retain(|_| true);
        *tree += 1;
        let mut root = kmem::Ptr::from(tree);
        let mut children = root.children();
        assert!(children.next().is_some());
        drop(children);
        assert!(root.get_mut().is_some());
        let tree = root.into_tree().unwrap();
        assert_eq!(tree.into_inner(), 2);
    }
    E0502 { let child = tree.push_child(2); tree.retain(|_| true); assert_eq!(*child, 2); }
    E0502 { let mut walk = tree.node().children(); *tree += 1; walk.next(); }
    E0502 { let left = tree.push_child(2).leave(); tree.clear(); *left += 1; }
    given { let tree = kmem::Tree::new(1); }
    E0505 { let leaf = tree.node().push(3); tree.into_inner(); assert_eq!(*leaf, 3); }
    E0505 { let leaf = kmem::Ptr::from(tree.node().push(3)); let root = kmem::Ptr::from(tree); assert_eq!(*leaf, 3); }
    given {}
    E0502 {
        let mut root = kmem::Ptr::from(kmem::Tree::new(1));
        let children = root.children();
        root.get_mut();
        drop(children);
    }
    E0505 {
        let root = kmem::Ptr::from(kmem::Tree::new(1));
        let children = root.children();
        root.into_tree();
        drop(children);
    }
    given { let mut one = kmem::Ref::new(1); }
    E0502 { let value = kmem::Ref::get_mut(&mut one).unwrap(); let two = one.clone(); *value += 1; }
    E0594 { *one += 1; }
    given {}
    E0594 { let tree = kmem::Tree::new(1); let mut node = tree.node(); *node += 1; }
    E0599 {
        struct Once;
        let tree = kmem::Tree::new(1);
        let child = tree.push_child(Once);
        let again = child.clone();
        child.free();
    }
    E0521 {
        let mut kept: Vec<&mut i32> = Vec::new();
        let mut tree = kmem::Tree::new(1);
        tree.retain(|value| { kept.push(value); false });
    }
}

cases! { a_grafted_tree_that_outlives_its_source_or_must_stay_or_contains_the_node
    ok {
        use kmem::{Heap, SourceCell, Tree};
        use std::sync::LazyLock;
        static SOURCE: LazyLock<SourceCell<Heap>> = LazyLock::new(|| SourceCell::new(Heap));
        let tree = Tree::new(1);
        tree.node().graft(Tree::new_in(2, &*SOURCE));
        tree.node().push_tree(Tree::new_in(3, &*SOURCE));
        let other = Tree::new(4);
        other.node().push(5);
        tree.node().graft(other);
    }
    E0597 {
        let tree = kmem::Tree::new(1);
        let source = kmem::SourceCell::new(kmem::Heap);
        tree.node().graft(kmem::Tree::new_in(2, &source));
    }
    fails {
        let source = kmem::SourceCell::new(kmem::Heap);
        let tree = kmem::Tree::new_in(1, &source);
        tree.node().push_tree(kmem::Tree::new_in(2, &source));
    }
    E0277 {
        let pool: &'static kmem::Pool = Box::leak(Box::new(kmem::Pool::bytes(100, 2)));
        kmem::Tree::new(1).node().push_tree(kmem::Tree::new_in(2, pool));
    }
    given { let tree = kmem::Tree::new(1); }
    E0277 { tree.node().graft(kmem::Tree::new(std::rc::Rc::new(7))); }
    E0597 { let text = String::from("short"); tree.node().graft(kmem::Tree::new(&text)); }
    E0505 { let leaf = tree.node().push(2); leaf.push_tree(tree); }
    E0505 {
        let other = kmem::Tree::new(2);
        let leaf = other.node().push(3);
        tree.node().graft(other);
        assert_eq!(*leaf, 3);
    }
    given {}
    fails {
        fn push<'long: 'short, 'short>(tree: &kmem::Tree<&'long str>, other: kmem::Tree<&'short str>) {
            tree.node().push_tree(other);
        }
    }
}

cases! { a_child_that_is_detached_while_it_is_borrowed
    given { let tree = kmem::Tree::new(1); let child = tree.push_child(2); }
    ok { let below = child.node().push_child(3); assert_eq!(*below, 3); child.detach().unwrap(); }
    E0505 { let below = child.node().push_child(3); let detached = child.detach().unwrap(); below.free(); }
    E0505 {
        let pool = child.node().try_push_pool::<u8>(3).unwrap();
        let detached = child.detach().unwrap();
        pool.alloc(7);
    }
    given {}
    E0599 {
        // A pushed node has no owner.
        let tree = kmem::Tree::new(1);
        tree.node().push(2).detach();
    }
}

cases! { a_walk_while_a_node_can_be_freed
    given { let mut tree = kmem::Tree::new(1); }
    ok { tree.push_child(2).free(); let mut walk = tree.walk(); walk.next(); }
    E0502 {
        let child = tree.push_child(2);
        let mut walk = tree.walk();
        child.free();
        walk.next();
    }
    E0502 { let mut walk = tree.walk(); tree.node().push(2); walk.next(); }
}

cases! { a_tree_in_an_arena_that_outlives_its_source
    given { let pool = kmem::Pool::bytes(4096, 2); let tree = kmem::Tree::in_arena_of(2048, 1, &pool); }
    ok { tree.node().push(2); drop(tree); drop(pool); }
    E0505 { drop(pool); tree.node().push(2); }
}
