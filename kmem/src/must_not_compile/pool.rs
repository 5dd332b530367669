//! Pools, their cells and what is allocated from them.

cases! { a_cell_that_outlives_its_pool
    given { let pool = kmem::Pool::new(1); let cell = pool.alloc(7); }
    ok { drop(cell); drop(pool); }
    E0505 { drop(pool); drop(cell); }
}

cases! { the_values_of_a_pool_while_they_have_owners
    given { let mut pool = kmem::Pool::new(2); }
    ok { let cell = pool.alloc(7); drop(cell); pool.iter_mut().for_each(|value| *value += 1); }
    E0502 { let cell = pool.alloc(7); pool.iter_mut().for_each(|value| *value += 1); drop(cell); }
    ok { let value = pool.alloc(7).leak(); *value += 1; pool.iter_mut().for_each(|value| *value += 1); }
    E0502 { let value = pool.alloc(7).leak(); pool.iter_mut().for_each(|value| *value += 1); *value += 1; }
    given { let mut pool = kmem::Pool::new(2); pool.alloc(7).leak(); let value = pool.iter_mut().next(); }
    ok { drop(value); pool.alloc(8); }
    E0502 { pool.alloc(8); drop(value); }
}

cases! { the_values_of_a_pool_as_another_type_or_if_they_may_be_pinned
    ok { let mut pool = kmem::Pool::<u8>::new(2); pool.iter_mut(); }
    E0599 { let mut pool = kmem::Pool::bytes(8, 2); pool.iter_mut(); }
    ok { let mut pool = kmem::Pool::<u8>::new(2); pool.iter_mut(); }
    E0599 { let mut pool = kmem::Pool::<std::marker::PhantomPinned>::new(2); pool.iter_mut(); }
}

cases! { values_of_a_pool_that_refer_to_each_other_and_would_see_it_partly_freed
    given { use std::cell::RefCell; }
    ok {
        struct Node<'p>(RefCell<Vec<&'p Node<'p>>>, String);
        let pool = kmem::Pool::new(2);
        let [one, two] = [(); 2].map(|()| &*pool.alloc(Node(RefCell::default(), String::from("node"))).leak());
        one.0.borrow_mut().push(two);
        two.0.borrow_mut().extend([one, two]);
    }
    E0597 {
        struct Node<'p>(RefCell<Vec<&'p Node<'p>>>, String);
        impl Drop for Node<'_> { fn drop(&mut self) { drop(self.0.borrow().len()); } }
        let pool = kmem::Pool::new(2);
        let [one, two] = [(); 2].map(|()| &*pool.alloc(Node(RefCell::default(), String::from("node"))).leak());
        one.0.borrow_mut().push(two);
    }
    E0597 {
        struct Node<'p>(RefCell<Vec<&'p Node<'p>>>, String);
        let pool = kmem::Pool::new(2);
        let text = Node(RefCell::default(), String::from("node"));
        pool.alloc(Ends(&text)).leak();
        struct Ends<'p>(&'p Node<'p>);
        impl Drop for Ends<'_> { fn drop(&mut self) { drop(self.0.1.len()); } }
    }
    E0597 {
        let pool;
        let source = kmem::Pool::bytes(1000, 1);
        pool = kmem::Pool::try_new_in(2, &source).unwrap();
        pool.alloc(7);
    }
}

cases! { a_handle_that_outlives_the_pool_of_its_cell
    ok { let pool = kmem::Pool::new(1); let handle: kmem::Ptr<'_, i32>; handle = pool.alloc(7).into(); }
    E0597 { let handle: kmem::Ptr<'_, i32>; let pool = kmem::Pool::new(1); handle = pool.alloc(7).into(); }
}

cases! { a_pool_that_outlives_its_buffer
    given {
        use std::mem::MaybeUninit;
        let mut buffer = [MaybeUninit::uninit(); 1000];
        let pool = kmem::Pool::bytes_in_buffer(&mut buffer, 8).unwrap();
    }
    ok { pool.live(); drop(pool); buffer[0] = MaybeUninit::new(1); }
    E0506 { buffer[0] = MaybeUninit::new(1); pool.live(); }
}

cases! { a_counted_cell_that_outlives_its_pool
    given { let pool = kmem::Pool::bytes(100, 1); let counted = kmem::Ref::new_in(7, &pool); }
    ok { drop(counted); drop(pool); }
    E0505 { drop(pool); drop(counted); }
}

cases! { a_pool_that_outlives_its_node_or_its_values
    given {
        let tree = kmem::Tree::new(1);
        let node = tree.push_child(2);
        let pool = node.node().try_push_pool(3).unwrap();
        let cell = pool.alloc(4);
    }
    ok { drop(cell); drop(pool); node.free(); }
    E0505 { drop(pool); drop(cell); }
    given {}
    E0505 {
        let tree = kmem::Tree::new(1);
        let node = tree.push_child(2);
        let pool = node.node().try_push_pool::<u8>(3).unwrap();
        node.free();
        drop(pool);
    }
    E0502 {
        let mut tree = kmem::Tree::new(1);
        let pool = tree.node().try_push_pool::<u8>(3).unwrap();
        tree.clear();
        drop(pool);
    }
    given { let tree = kmem::Tree::new(1); }
    E0597 {
        let text = String::from("short");
        let pool = tree.node().try_push_pool::<&str>(3).unwrap();
        pool.alloc(&text);
    }
    E0277 { tree.node().try_push_pool::<std::rc::Rc<u8>>(3); }
    E0597 { let text = String::from("short"); tree.node().try_push_child_copy(&[text.as_str()]); }
}

cases! { a_destructor_that_drops_its_own_store
    given { use std::cell::RefCell; let pool = RefCell::new(Some(kmem::Pool::new(1))); }
    ok { pool.borrow().as_ref().unwrap().alloc(7); pool.borrow_mut().take(); }
    fails { let cell = pool.borrow().as_ref().unwrap().alloc(7); pool.borrow_mut().take(); drop(cell); }
}

cases! { a_pool_that_is_cleared_while_something_is_allocated_from_it
    given { let mut pool = kmem::Pool::bytes(100, 2); }
    ok { drop(kmem::Ref::new_in(7, &pool)); pool.clear(); }
    E0502 { let cell = kmem::Ref::new_in(7, &pool); pool.clear(); drop(cell); }
    E0502 { let cell = pool.try_alloc_str("text").unwrap(); pool.clear(); drop(cell); }
    given { let mut pool = kmem::Pool::new(2); }
    E0502 { let value = pool.alloc(7).leak(); pool.clear(); *value = 8; }
}

cases! { a_collection_that_outlives_its_pool_or_clones_it
    ok {
        #[cfg(feature = "allocator-api2-02")] {
        use kmem::allocator_api2::v02::AsAllocator;
        let pool = kmem::Pool::bytes(100, 2);
        let mut numbers = allocator_api2_02::vec::Vec::new_in(AsAllocator::new(&pool));
        numbers.push(7);
        let more = numbers.clone();
        drop((numbers, more));
        drop(pool);
        }
    }
    given { use kmem::allocator_api2::v02::AsAllocator; let pool = kmem::Pool::bytes(100, 2); }
    fails {
        let mut numbers = allocator_api2_02::vec::Vec::new_in(AsAllocator::new(&pool));
        drop(pool);
        numbers.push(7);
    }
    fails { let mut numbers = allocator_api2_02::vec::Vec::new_in(AsAllocator::new(pool)); let more = numbers.clone(); }
}
