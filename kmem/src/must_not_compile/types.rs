//! Threads, trait objects and sources.

cases! { a_source_that_moves_while_it_has_cells
    given { let source = kmem::SourceCell::new(kmem::Heap); let tree = kmem::Tree::new_in(7, &source); }
    ok { drop(tree); let moved = source; }
    E0505 { let moved = source; drop(tree); }
}

cases! { a_type_that_must_stay_on_its_thread_and_is_sent
    ok { let shared = kmem::Ref::new(7); std::thread::spawn(move || *shared); }
    E0277 { let shared = kmem::Ref::new(std::cell::Cell::new(7)); std::thread::spawn(move || shared.get()); }
    E0277 {
        let pool = kmem::Pool::bytes(100, 1);
        let shared = kmem::Ref::new_in(7, &pool);
        std::thread::scope(|scope| { scope.spawn(move || *shared); });
    }
    E0277 { let handle = kmem::Ptr::from(kmem::Ref::new(7)); std::thread::spawn(move || *handle); }
    E0277 { let tree = kmem::Tree::new(7); std::thread::scope(|scope| { scope.spawn(|| tree.node().push(8)); }); }
    E0277 {
        // A tree is `Send`, so a child of any type must be.
        let tree = kmem::Tree::new(7);
        tree.push_child(std::rc::Rc::new(7));
    }
}

cases! { an_owner_whose_result_is_unused
    fails { #![deny(unused_must_use)] kmem::HeapBox::new(7).into_non_null(); }
}

cases! { a_trait_object_that_forgets_a_borrow
    given { use std::fmt::Display; }
    ok {
        fn keep<'a>(value: kmem::Ref<&'a str>) -> kmem::Ref<dyn Display + 'a> { kmem::unsize!(value => dyn Display + 'a) }
        fn same<'a>(value: kmem::Ref<dyn Display + 'a>) -> kmem::Ref<dyn Display + 'a> {
            kmem::unsize!(value => dyn Display + 'a)
        }
    }
    fails { fn keep<'a>(value: kmem::Ref<&'a str>) -> kmem::Ref<dyn Display> { kmem::unsize!(value => dyn Display + 'static) } }
    fails {
        fn same<'a>(value: kmem::Ref<dyn Display + 'a>) -> kmem::Ref<dyn Display> {
            kmem::unsize!(value => dyn Display + 'static)
        }
    }
    E0277 {
        let shared: kmem::Ref<dyn Display> = kmem::unsize!(kmem::Ref::new(7) => dyn Display);
        std::thread::spawn(move || shared.to_string());
    }
}

cases! { a_source_or_an_owner_that_safe_code_invents
    given { struct Mine; }
    ok {
        unsafe impl kmem::Source for Mine {
            fn draw(&self, _: std::alloc::Layout) -> Result<std::ptr::NonNull<u8>, kmem::AllocError> { todo!() }
            unsafe fn give_back(&self, _: std::ptr::NonNull<u8>, _: std::alloc::Layout) {}
        }
        unsafe impl kmem::CellSource for Mine {
            fn as_cell(&self) -> *mut kmem::raw::Cell { std::ptr::null_mut() }
        }
    }
    E0200 {
        impl kmem::Source for Mine {
            fn draw(&self, _: std::alloc::Layout) -> Result<std::ptr::NonNull<u8>, kmem::AllocError> { todo!() }
            unsafe fn give_back(&self, _: std::ptr::NonNull<u8>, _: std::alloc::Layout) {}
        }
    }
    E0200 {
        impl kmem::CellSource for Mine {
            fn as_cell(&self) -> *mut kmem::raw::Cell { std::ptr::null_mut() }
        }
    }
    given {}
    E0277 {
        // A pool of values, or an owned pool, is no source of counted cells.
        kmem::Ref::new_in(7, &kmem::Pool::<u64>::new(1));
    }
    E0277 { kmem::Ref::new_in(7, kmem::Pool::bytes(100, 1)); }
    E0133 { let (data, kept) = kmem::unsize::split(kmem::HeapBox::new(7)); kmem::unsize::join::<_, i32>(data, kept); }
    E0133 {
        // The unsafe block of the macro does not contain its argument.
        const unsafe fn three() -> usize { 3 }
        kmem::unsize!(kmem::HeapBox::new([1u8; 3]) => [u8; three()]);
    }
    E0133 { kmem::unsize!(kmem::HeapBox::from_non_null(kmem::HeapBox::new([1u8; 3]).into_non_null()) => [u8]); }
}

cases! { a_source_that_could_be_freed_before_its_cells
    given { let tree = kmem::Tree::new(1); }
    ok { tree.node().push_child(7); let pool = tree.node().try_push_pool::<u8>(1).unwrap(); }
    E0277 { kmem::Ref::new_in(7, tree.node()); }
    given {}
    E0277 { kmem::Ref::new_in(7, &kmem::Ref::new(1)); }
    E0277 { kmem::Tree::new_in(7, &kmem::HeapBox::new(1)); }
    E0277 { let counted = kmem::Ref::new(1); let pool = kmem::Pool::<u8, _>::try_new_in(1, &counted); }
    ok {
        #[cfg(feature = "allocator-api2-02")]
        kmem::allocator_api2::v02::AsAllocator::new(&kmem::SourceCell::new(kmem::Heap));
    }
    fails { let tree = kmem::Tree::new(1); kmem::allocator_api2::v02::AsAllocator::new(tree.node()); }
    fails { kmem::allocator_api2::v02::AsAllocator::new(&kmem::Ref::new(1)); }
}

cases! { a_trait_object_that_forgets_a_bound
    ok {
        use kmem::{HeapBox, Node, PoolBox, Ptr, Tree, unsize};
        use std::fmt::Debug;
        fn heap<'a>(value: HeapBox<&'a str>) -> HeapBox<dyn Debug + 'a> { unsize!(value => dyn Debug + 'a) }
        fn cell<'p, 'a>(value: PoolBox<'p, &'a str>) -> PoolBox<'p, dyn Debug + 'a> { unsize!(value => dyn Debug + 'a) }
        fn tree<'a>(value: Tree<&'a str>) -> Tree<dyn Debug + 'a> { unsize!(value => dyn Debug + 'a) }
        fn node<'p>(value: Node<'p, &'static str>) -> Node<'p, dyn Debug> { unsize!(value => dyn Debug) }
        fn ptr<'p, 'a>(value: Ptr<'p, &'a str>) -> Ptr<'p, dyn Debug + 'a> { unsize!(value => dyn Debug + 'a) }
        fn sent(value: HeapBox<u8>) -> HeapBox<dyn Debug + Send> { unsize!(value => dyn Debug + Send) }
    }
    given { use std::fmt::Debug; }
    fails {
        fn heap<'a>(value: kmem::HeapBox<&'a str>) -> kmem::HeapBox<dyn Debug> { kmem::unsize!(value => dyn Debug + 'static) }
    }
    fails {
        fn cell<'p, 'a>(value: kmem::PoolBox<'p, &'a str>) -> kmem::PoolBox<'p, dyn Debug> {
            kmem::unsize!(value => dyn Debug + 'static)
        }
    }
    fails {
        fn tree<'a>(value: kmem::Tree<dyn Debug + 'a>) -> kmem::Tree<dyn Debug> { kmem::unsize!(value => dyn Debug + 'static) }
    }
    fails {
        fn ptr<'p, 'a>(value: kmem::Ptr<'p, dyn Debug + 'a>) -> kmem::Ptr<'p, dyn Debug> {
            kmem::unsize!(value => dyn Debug + 'static)
        }
    }
    E0277 {
        fn sent(value: kmem::HeapBox<std::rc::Rc<u8>>) -> kmem::HeapBox<dyn Debug + Send> {
            kmem::unsize!(value => dyn Debug + Send)
        }
    }
    fails {
        fn sent(value: kmem::HeapBox<dyn Debug>) -> kmem::HeapBox<dyn Debug + Send> { kmem::unsize!(value => dyn Debug + Send) }
    }
}

cases! { a_trait_object_downcast_to_a_type_that_borrows
    given { use std::any::Any; }
    ok { fn back(any: kmem::HeapBox<dyn Any>) -> Option<kmem::HeapBox<&'static str>> { any.downcast().ok() } }
    fails { fn back<'a>(any: kmem::HeapBox<dyn Any>) -> Option<kmem::HeapBox<&'a str>> { any.downcast::<&'a str>().ok() } }
}
