//! Hooks, adopted objects and cells that change their size.

cases! { a_hook_that_borrows_or_must_stay_on_its_thread
    given { let tree = kmem::Tree::new(1); }
    ok {
        let (text, shared) = (String::from("owned"), std::sync::Arc::new(7));
        tree.node().on_free(move || drop((text, shared)));
    }
    E0597 { let text = String::from("short"); let text = &text; tree.node().on_free(move || println!("{text}")); }
    E0277 { let shared = std::rc::Rc::new(7); tree.node().on_free(move || drop(shared)); }
    given {}
    fails {
        // The function uses the tree.
        let tree = kmem::Tree::new(1);
        let node = tree.node();
        tree.node().on_free(move || { node.push(2); });
    }
    fails {
        // The tree lives for ever, but belongs to one thread.
        let tree: &'static kmem::Tree<i32> = Box::leak(Box::new(kmem::Tree::new(1)));
        tree.push_child(2).node().on_free(move || { tree.node().push(2); });
    }
}

cases! { a_hook_that_is_cancelled_twice_or_after_its_node
    given { let tree = kmem::Tree::new(1); let child = tree.push_child(2); let hook = child.node().on_free(|| ()); }
    ok { hook.cancel(); child.free(); }
    E0505 { child.free(); hook.cancel(); }
    given { let tree = kmem::Tree::new(1); let hook = tree.node().on_free(|| ()); }
    E0505 { tree.into_inner(); hook.cancel(); }
    E0382 { hook.cancel(); hook.cancel(); }
}

cases! { an_object_of_a_counted_cell_that_borrows_or_must_stay_or_is_used
    ok {
        use kmem::{HeapBox, Ref, Tree};
        let mut cell = Ref::new(1);
        Ref::adopt(&mut cell, HeapBox::new("static")).unwrap();
        Ref::adopt(&mut cell, Ref::new(7)).unwrap();
        Ref::graft(&mut cell, Tree::new(7)).unwrap();
    }
    given { let mut cell = kmem::Ref::new(1); }
    E0597 { let text = String::from("short"); kmem::Ref::adopt(&mut cell, kmem::HeapBox::new(&text)).unwrap(); }
    E0277 { kmem::Ref::adopt(&mut cell, kmem::HeapBox::new(std::rc::Rc::new(7))).unwrap(); }
    E0277 { kmem::Ref::graft(&mut cell, kmem::Tree::new(std::rc::Rc::new(7))).unwrap(); }
    fails { let pool = kmem::Pool::bytes(200, 1); kmem::Ref::graft(&mut cell, kmem::Tree::new_in(7, &pool)).unwrap(); }
    E0382 { let owner = kmem::HeapBox::new(7); kmem::Ref::adopt(&mut cell, owner).unwrap(); assert_eq!(*owner, 7); }
}

cases! { an_adopted_object_that_borrows_or_must_stay_or_outlives_its_node
    ok {
        use kmem::{HeapBox, Ref, Tree};
        let tree = Tree::new(1);
        let child = tree.push_child(2);
        let adopted = child.node().adopt(HeapBox::new("static"));
        child.node().adopt(Ref::new(7));
        let back: HeapBox<&'static str> = adopted.release();
        child.free();
    }
    given { let tree = kmem::Tree::new(1); }
    E0597 { let text = String::from("short"); tree.node().adopt(kmem::HeapBox::new(&text)); }
    E0277 { tree.node().adopt(kmem::HeapBox::new(std::rc::Rc::new(7))); }
    given {}
    E0277 {
        // A reference may be dropped on the tree's thread while other threads read the value.
        let tree = kmem::Tree::new(1);
        tree.node().adopt(kmem::Ref::new(std::cell::Cell::new(7)));
    }
    given { let tree = kmem::Tree::new(1); }
    fails { let pool = kmem::Pool::bytes(100, 1); tree.node().adopt(kmem::Ref::new_in(7, &pool)); }
    E0277 { tree.node().adopt(kmem::Ptr::from(kmem::HeapBox::new(7))); }
    E0277 { tree.node().adopt(Box::new(7)); }
    E0505 {
        let child = tree.push_child(2);
        let adopted = child.node().adopt(kmem::HeapBox::new(7));
        child.free();
        adopted.release();
    }
    given {}
    E0502 {
        let mut tree = kmem::Tree::new(1);
        let value = tree.node().adopt(kmem::HeapBox::new(7)).leave();
        tree.clear();
        assert_eq!(*value, 7);
    }
    given { let tree = kmem::Tree::new(1); let adopted = tree.node().adopt(kmem::HeapBox::new(7)); }
    E0382 { (adopted.release(), adopted.release()); }
    E0505 { let value: &i32 = &adopted; drop(adopted.release()); assert_eq!(*value, 7); }
    given {}
    E0594 {
        // The owner of an adopted object cannot be replaced.
        let tree = kmem::Tree::new(1);
        let mut adopted = tree.node().adopt(kmem::HeapBox::new(7));
        *adopted = kmem::HeapBox::new(8);
    }
    fails {
        fn shorter<'t, 'short>(
            adopted: kmem::Adopted<'t, kmem::HeapBox<&'static str>>,
        ) -> kmem::Adopted<'t, kmem::HeapBox<&'short str>> {
            adopted
        }
    }
    E0277 {
        // Other owners cannot be adopted.
        struct Mine(std::rc::Rc<u8>);
        impl std::ops::Deref for Mine { type Target = u8; fn deref(&self) -> &u8 { &self.0 } }
        impl kmem::Adopt for Mine {}
    }
}

cases! { a_cell_that_is_resized_while_it_is_borrowed_or_whose_values_are_not_copy
    given {
        let tree = kmem::Tree::new(1);
        let mut numbers = tree.node().try_push_child_copy(&[1, 2, 3]).unwrap();
        let first = &numbers[0];
    }
    ok { assert_eq!(*first, 1); numbers.try_resize(1000, 7).unwrap(); }
    E0502 { numbers.try_resize(1000, 7).unwrap(); assert_eq!(*first, 1); }
    given {}
    E0502 {
        let mut numbers = kmem::Tree::try_copy_in(&[1, 2, 3], kmem::Heap).unwrap();
        let child = numbers.push_child(7);
        numbers.try_resize(1000, 7).unwrap();
        assert_eq!(*child, 7);
    }
    fails { let mut names = kmem::HeapBox::<[String]>::from(vec![String::new()]); names.try_resize(0, String::new()); }
}
