//! Lifetimes that are too long, too short, or circular.

cases! { a_value_of_a_shorter_life_in_a_pool_or_a_tree
    ok {
        fn add<'long>(pool: &kmem::Pool<&'long str>, text: &'long str) { pool.alloc(text).leak(); }
        fn push<'long>(tree: &kmem::Tree<&'long str>, text: &'long str) { tree.node().push(text); }
    }
    fails { fn add<'long: 'short, 'short>(pool: &kmem::Pool<&'long str>, text: &'short str) { pool.alloc(text).leak(); } }
    fails { fn push<'long: 'short, 'short>(tree: &kmem::Tree<&'long str>, text: &'short str) { tree.node().push(text); } }
}

cases! { a_value_replaced_by_one_of_a_shorter_life
    ok { fn set<'p, 'long>(mut cell: kmem::PoolBox<'p, &'long str>, text: &'long str) { *cell = text; std::mem::forget(cell); } }
    fails {
        fn set<'p, 'long, 'short>(cell: kmem::PoolBox<'p, &'long str>, text: &'short str)
        where
            'long: 'short,
        {
            let mut cell: kmem::PoolBox<'p, &'short str> = cell;
            *cell = text;
            std::mem::forget(cell);
        }
    }
    fails {
        fn set<'p, 'short>(node: kmem::Node<'p, &'static str>, text: &'short str) {
            let mut node: kmem::Node<'p, &'short str> = node;
            *node = text;
        }
    }
    fails {
        fn set<'p, 'short>(ptr: kmem::Ptr<'p, &'static str>, text: &'short str) {
            let mut ptr: kmem::Ptr<'p, &'short str> = ptr;
            *ptr.get_mut().unwrap() = text;
        }
    }
}

cases! { a_value_whose_destructor_could_read_a_dropped_string
    given { struct Sees<'a>(&'a str); impl Drop for Sees<'_> { fn drop(&mut self) {} } }
    ok {
        let text = String::new();
        let pool: kmem::Pool<Sees<'_>> = kmem::Pool::new(1);
        pool.alloc(Sees(&text)).leak();
    }
    E0597 {
        let pool: kmem::Pool<Sees<'_>> = kmem::Pool::new(1);
        let text = String::new();
        pool.alloc(Sees(&text)).leak();
    }
    given {}
    E0597 { let tree = kmem::Tree::new(std::cell::Cell::new(None)); let text = String::new(); tree.set(Some(&text)); }
}

cases! { a_shorter_life_by_variance
    ok {
        use kmem::{HeapBox, Node, NodeRef, Pool, PoolBox, Ptr, Ref, Tree};
        fn sole<'short>(owner: HeapBox<&'static str>) -> HeapBox<&'short str> { owner }
        fn counted<'short>(owner: Ref<&'static str>) -> Ref<&'short str> { owner }
        fn borrows<'long: 'short, 'short>(
            cell: PoolBox<'long, u8>, node: Node<'long, u8>, lent: NodeRef<'long, u8>, ptr: Ptr<'long, u8>,
        ) -> (PoolBox<'short, u8>, Node<'short, u8>, NodeRef<'short, u8>, Ptr<'short, u8>) {
            (cell, node, lent, ptr)
        }
        fn pool<'a>(pool: Pool<&'a str>) -> Pool<&'a str> { pool }
        fn tree<'a>(tree: Tree<&'a str>) -> Tree<&'a str> { tree }
        fn cell<'p, 'a>(cell: PoolBox<'p, &'a str>) -> PoolBox<'p, &'a str> { cell }
        fn lent<'t, 'a>(node: NodeRef<'t, &'a str>) -> NodeRef<'t, &'a str> { node }
        fn walk<'t, 'a: 't>(node: NodeRef<'t, &'a str>) -> impl Iterator<Item = NodeRef<'t, &'a str>> { node.children() }
        fn lent_walk<'t, 'a: 't>(ptr: &'t Ptr<'_, &'a str>) -> Vec<Ptr<'t, &'a str>> { ptr.children().collect() }
    }
    fails { fn pool<'short>(pool: kmem::Pool<&'static str>) -> kmem::Pool<&'short str> { pool } }
    fails { fn pool<'r, 'short>(pool: &'r kmem::Pool<&'static str>) -> &'r kmem::Pool<&'short str> { pool } }
    fails { fn tree<'short>(tree: kmem::Tree<&'static str>) -> kmem::Tree<&'short str> { tree } }
    fails { fn cell<'p, 'short>(cell: kmem::PoolBox<'p, &'static str>) -> kmem::PoolBox<'p, &'short str> { cell } }
    fails { fn lent<'t, 'short>(node: kmem::NodeRef<'t, &'static str>) -> kmem::NodeRef<'t, &'short str> { node } }
    fails {
        fn walk<'t, 'short: 't>(
            node: kmem::NodeRef<'t, &'static str>,
        ) -> impl Iterator<Item = kmem::NodeRef<'t, &'short str>> {
            node.children()
        }
    }
    fails {
        fn lent_walk<'t, 'short: 't>(ptr: &'t kmem::Ptr<'_, &'static str>) -> Vec<kmem::Ptr<'t, &'short str>> {
            ptr.children().collect()
        }
    }
    fails { fn tree<'short>(ptr: kmem::Ptr<'_, &'static str>) -> kmem::Tree<&'short str> { ptr.into_tree().ok().unwrap() } }
}

cases! { a_longer_life_than_the_store
    ok {
        fn cell<'p>(pool: &'p kmem::Pool<u8>) -> kmem::PoolBox<'p, u8> { pool.alloc(7) }
        fn leaked<'p>(pool: &'p kmem::Pool<u8>) -> &'p mut u8 { pool.alloc(7).leak() }
        fn left<'t>(tree: &'t kmem::Tree<u8>) -> &'t mut u8 { tree.push_child(7).leave() }
        fn lent<'t>(tree: &'t kmem::Tree<u8>) -> &'t u8 { tree.node().push(7).get() }
        fn drawn<'p>(pool: &'p kmem::Pool) -> kmem::Ptr<'p, u8> { kmem::Ref::new_in(7, pool).into() }
        fn child<'a, 'p>(ptr: &'a kmem::Ptr<'p, u8>) -> kmem::Ptr<'a, u8> { ptr.children().next().unwrap() }
        fn lend<'a, 'p>(ptr: &'a kmem::Ptr<'p, u8>) -> kmem::Ptr<'a, u8> { ptr.as_borrowed() }
    }
    fails { fn cell<'p>(pool: &'p kmem::Pool<u8>) -> kmem::PoolBox<'static, u8> { pool.alloc(7) } }
    fails { fn leaked<'p>(pool: &'p kmem::Pool<u8>) -> &'static mut u8 { pool.alloc(7).leak() } }
    fails { fn left<'t>(tree: &'t kmem::Tree<u8>) -> &'static mut u8 { tree.push_child(7).leave() } }
    fails { fn lent<'t>(tree: &'t kmem::Tree<u8>) -> &'static u8 { tree.node().push(7).get() } }
    fails { fn drawn<'p>(pool: &'p kmem::Pool) -> kmem::Ptr<'static, u8> { kmem::Ref::new_in(7, pool).into() } }
    fails { fn child<'a, 'p>(ptr: &'a kmem::Ptr<'p, u8>) -> kmem::Ptr<'p, u8> { ptr.children().next().unwrap() } }
    fails { fn lend<'a, 'p>(ptr: &'a kmem::Ptr<'p, u8>) -> kmem::Ptr<'p, u8> { ptr.as_borrowed() } }
}

cases! { a_value_that_refers_to_its_store
    // A store that is never dropped may hold such values: see `attacks_reentrant` in the tests.
    ok {
        use std::cell::Cell;
        use std::mem::ManuallyDrop;
        let tree = ManuallyDrop::new(kmem::Tree::new(Cell::new(None::<&u8>)));
        let pool = ManuallyDrop::new(kmem::Pool::new(1));
        let outer = kmem::Pool::new(1);
        let cell = pool.alloc(Cell::new(None));
        cell.set(Some(outer.alloc(7)));
        let node = kmem::Tree::new(Cell::new(None));
        let other = kmem::Tree::new(Cell::new(None::<kmem::Node<'_, u8>>));
        other.set(Some(node.push_child(7)));
        node.set(Some(7));
        drop((other, cell));
        drop((ManuallyDrop::into_inner(tree), ManuallyDrop::into_inner(pool)));
    }
    ok {
        struct Own<'p>(std::cell::Cell<Option<&'p kmem::Pool<Own<'p>>>>);
        let pool = kmem::Pool::new(1);
        let cell = pool.alloc(Own(None.into()));
        cell.0.set(Some(&pool));
    }
    E0597 {
        struct Own<'p>(std::cell::Cell<Option<&'p kmem::Pool<Own<'p>>>>);
        impl Drop for Own<'_> { fn drop(&mut self) {} }
        let pool = kmem::Pool::new(1);
        let cell = pool.alloc(Own(None.into()));
        cell.0.set(Some(&pool));
    }
    E0597 {
        struct Own<'p>(std::cell::RefCell<Option<kmem::PoolBox<'p, Own<'p>>>>);
        let pool = kmem::Pool::new(2);
        let cell = pool.alloc(Own(None.into()));
        *cell.0.borrow_mut() = Some(pool.alloc(Own(None.into())));
    }
    E0597 {
        struct Own<'p>(std::cell::RefCell<Option<kmem::Ptr<'p, Own<'p>>>>);
        let pool = kmem::Pool::new(2);
        let cell = pool.alloc(Own(None.into()));
        *cell.0.borrow_mut() = Some(pool.alloc(Own(None.into())).into());
    }
    E0597 {
        struct Own<'t>(std::cell::Cell<Option<kmem::NodeRef<'t, Own<'t>>>>);
        let tree = kmem::Tree::new(Own(None.into()));
        tree.0.set(Some(tree.node()));
    }
    E0597 {
        struct Own<'t>(std::cell::Cell<Option<kmem::Node<'t, u8>>>);
        let tree = kmem::Tree::new(Own(None.into()));
        tree.0.set(Some(tree.push_child(7)));
    }
    E0597 {
        struct Own<'t>(std::cell::Cell<Option<kmem::Pool<u8, kmem::InNode<'t>>>>);
        let tree = kmem::Tree::new(Own(None.into()));
        tree.0.set(tree.node().try_push_pool(1).ok());
    }
    E0597 {
        struct Own<'t>(std::cell::RefCell<Option<kmem::Ptr<'t, Own<'t>>>>);
        let root = kmem::Ptr::from(kmem::Tree::new(Own(None.into())));
        *root.0.borrow_mut() = Some(root.as_borrowed());
    }
    E0597 {
        struct Own<'t>(std::cell::RefCell<Option<&'t kmem::HeapBox<Own<'t>>>>);
        let cell = kmem::HeapBox::new(Own(None.into()));
        *cell.0.borrow_mut() = Some(&cell);
    }
    E0597 {
        struct Own<'t>(std::cell::RefCell<Option<&'t kmem::Ref<Own<'t>>>>);
        let cell = kmem::Ref::new(Own(None.into()));
        *cell.0.borrow_mut() = Some(&cell);
    }
    E0597 {
        // A source whose state holds a cell that was allocated from it.
        use kmem::{AllocError, Heap, Ref, Source, SourceCell};
        struct Own<'s>(std::cell::RefCell<Option<Ref<u8, &'s SourceCell<Own<'s>>>>>);
        unsafe impl Source for Own<'_> {
            fn draw(&self, layout: std::alloc::Layout) -> Result<std::ptr::NonNull<u8>, AllocError> { Heap.draw(layout) }
            unsafe fn give_back(&self, block: std::ptr::NonNull<u8>, layout: std::alloc::Layout) {
                unsafe { Heap.give_back(block, layout) }
            }
        }
        let source = SourceCell::new(Own(None.into()));
        *source.source().0.borrow_mut() = Some(Ref::new_in(7, &source));
    }
}
