//! Arenas, their scopes and what is allocated from them.

cases! { a_value_that_outlives_its_arena_or_is_used_after_it_was_freed
    given { let mut arena = kmem::Arena::new(); let value = arena.alloc(7); }
    ok { *value += 1; drop(arena); }
    E0505 { drop(arena); *value += 1; }
    ok { *value += 1; arena.reset(); }
    E0502 { arena.reset(); *value += 1; }
    ok { *value += 1; arena.scope(|_| ()); }
    E0502 { arena.scope(|_| ()); *value += 1; }
    given { let mut arena = kmem::Arena::new(); let mut whole = arena.as_scope(); let value = whole.alloc(7); }
    ok { whole.scope(|_| ()); *value += 1; drop(arena); }
    E0505 { drop(arena); *value += 1; }
    E0499 { arena.reset(); *value += 1; }
}

cases! { a_value_that_outlives_its_scope
    given { let mut arena = kmem::Arena::new(); let seven = 7; }
    ok { let value = arena.scope(|scope| *scope.alloc(&seven)); drop(value); }
    fails { let value = arena.scope(|scope| scope.alloc(&seven)); drop(value); }
    ok { arena.scope(|outer| { let mut kept = outer.alloc(1); outer.scope(|inner| *kept = *inner.alloc(2)); *kept += 1; }); }
    fails { arena.scope(|outer| { let mut kept = outer.alloc(1); outer.scope(|inner| kept = inner.alloc(2)); *kept += 1; }); }
    ok { let mut kept = vec![]; arena.scope(|scope| { kept.push(*scope.alloc(1)); }); }
    fails { let mut kept = vec![]; arena.scope(|scope| { kept.push(scope.alloc(1)); }); }
}

cases! { an_object_of_an_outer_scope_that_is_allocated_in_an_inner_one
    ok { let mut arena = kmem::Arena::new(); arena.scope(|outer| { outer.scope(|_| ()); outer.alloc(1); }); }
    E0500 { let mut arena = kmem::Arena::new(); arena.scope(|outer| { outer.scope(|_| { outer.alloc(1); }); }); }
    given { let mut arena = kmem::Arena::new(); }
    ok { arena.scope(|outer| { let counted = kmem::Ref::new_in(1, &*outer); drop(counted); outer.scope(|_| ()); }); }
    fails { arena.scope(|outer| { let counted = kmem::Ref::new_in(1, &*outer); outer.scope(|_| ()); drop(counted); }); }
    ok {
        #[cfg(feature = "allocator-api2-02")] {
        use kmem::allocator_api2::v02::AsAllocator;
        arena.scope(|outer| {
            let mut numbers = allocator_api2_02::vec::Vec::new_in(AsAllocator::new(&*outer));
            numbers.push(7);
            drop(numbers);
            outer.scope(|inner| { allocator_api2_02::vec::Vec::new_in(AsAllocator::new(&*inner)).push(8); });
        });
        }
    }
    fails {
        use kmem::allocator_api2::v02::AsAllocator;
        arena.scope(|outer| {
            let mut numbers = allocator_api2_02::vec::Vec::new_in(AsAllocator::new(&*outer));
            outer.scope(|_| numbers.push(8));
        });
    }
    ok { let counted = kmem::Ref::new_in(1, &arena); drop(counted); arena.reset(); }
    E0502 { let counted = kmem::Ref::new_in(1, &arena); arena.reset(); drop(counted); }
}

cases! { a_value_with_a_destructor_that_the_arena_would_forget
    given { let arena = kmem::Arena::new(); let text = String::from("text"); }
    ok { arena.own(text); }
    E0080 { arena.alloc(text); }
    ok { arena.alloc(std::mem::ManuallyDrop::new(text)); }
    E0080 { arena.alloc_with(|| text); }
    E0080 { arena.alloc_slice_clone(&[text]); }
    E0080 { arena.alloc_slice_fill_with(1, |_| String::new()); }
    E0080 { arena.alloc_iter([text]); }
}

cases! { a_value_that_its_arena_drops_after_what_it_borrows
    given { struct Sees<'a>(&'a str); impl Drop for Sees<'_> { fn drop(&mut self) { drop(self.0.len()); } } }
    ok { let text = String::new(); let arena = kmem::Arena::new(); arena.own(Sees(&text)); }
    E0597 { let arena = kmem::Arena::new(); let text = String::new(); arena.own(Sees(&text)); }
    E0597 { let arena = kmem::Arena::new(); let text = String::new(); arena.own_iter([Sees(&text)]); }
    ok { let arena = kmem::Arena::new(); let text = String::new(); arena.alloc(&text); }
    fails { let arena = kmem::Arena::new(); arena.own(Sees(arena.alloc_str("text"))); }
    fails { fn own<'long: 'short, 'short>(arena: &kmem::Arena<'long>, text: &'short str) { arena.own(Sees(text)); } }
    ok { fn own<'long: 'short, 'short>(arena: &kmem::Arena<'short>, text: &'long str) { arena.own(Sees(text)); } }
    given {
        struct Sees<'a>(&'a str);
        impl Drop for Sees<'_> { fn drop(&mut self) { drop(self.0.len()); } }
        let mut arena = kmem::Arena::new();
    }
    ok { let text = String::new(); arena.scope(|scope| { scope.own(Sees(&text)); }); }
    E0597 { arena.scope(|scope| { let text = String::new(); scope.own(Sees(&text)); }); }
    ok { arena.scope(|scope| { let text = String::new(); scope.scope(|scope| { scope.own(Sees(&text)); }); }); }
    ok { arena.scope(|outer| { let text = outer.alloc_str("text"); outer.scope(|inner| { inner.own(Sees(text)); }); }); }
    fails { arena.scope(|scope| { scope.own(Sees(scope.alloc_str("text"))); }); }
    fails { let mut whole = arena.as_scope(); whole.own(Sees(whole.alloc_str("text"))); }
    ok { fn own<'s, 'e>(scope: &kmem::ArenaScope<'s, 'e>, text: &'e str) { scope.own(Sees(text)); } }
    fails { fn own<'s, 'e>(scope: &kmem::ArenaScope<'s, 'e>, text: &'s str) { scope.own(Sees(text)); } }
}

cases! { an_arena_that_outlives_its_buffer_or_its_source
    given {
        use std::mem::MaybeUninit;
        let mut buffer = [MaybeUninit::uninit(); 1000];
        let arena = kmem::Arena::in_buffer(&mut buffer).unwrap();
    }
    ok { arena.alloc(1); drop(arena); buffer[0] = MaybeUninit::new(1); }
    E0506 { buffer[0] = MaybeUninit::new(1); arena.alloc(1); }
    given { let outer = kmem::Arena::new(); let inner = kmem::Arena::new_in(&outer, 0); }
    ok { drop(inner); drop(outer); }
    E0505 { drop(outer); drop(inner); }
}

cases! { an_arena_or_a_value_that_must_stay_on_its_thread
    given { let mut arena = kmem::Arena::new(); }
    ok { arena.own(String::new()); }
    E0277 { arena.own(std::rc::Rc::new(7)); }
    E0277 { arena.own_iter([std::rc::Rc::new(7)]); }
    ok { std::thread::spawn(move || { arena.alloc(7); }); }
    E0277 { std::thread::scope(|threads| { threads.spawn(|| { arena.alloc(7); }); }); }
    E0277 { let whole = arena.as_scope(); std::thread::scope(|threads| { threads.spawn(move || { whole.alloc(7); }); }); }
    ok { let value = arena.alloc(7); std::thread::scope(|threads| { threads.spawn(move || *value += 1); }); }
}

cases! { a_scope_that_is_exchanged_for_one_of_another_arena
    given { let mut one = kmem::Arena::new(); let mut two = kmem::Arena::new(); let mut other = two.as_scope(); }
    ok { one.scope(|scope| { scope.alloc(1); other.alloc(2); }); drop(two); }
    fails { one.scope(|scope| { let mut other = other; std::mem::swap(scope, &mut other); }); drop(two); }
}
