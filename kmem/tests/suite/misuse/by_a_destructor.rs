//! A destructor misuses the cell that it runs for, or the store of that cell.

use std::ffi::c_void;

use super::*;
use crate::support::leaks_nothing;
use raw::pool::Spec;
use raw::{Destructor, Request};

unsafe extern "C-unwind" fn run(data: *mut c_void, arg: *mut c_void) {
    unsafe { (*arg.cast::<&dyn Fn(*mut u8)>())(data.cast()) }
}

/// Runs `work` with a destructor that calls `act` with the data of its cell.
fn with(act: &dyn Fn(*mut u8), work: impl FnOnce(Option<Destructor>)) {
    work(Some(Destructor { run: Some(run), arg: (&raw const act).cast_mut().cast() }));
}

#[test]
fn a_cell_freed_or_referenced_by_its_own_destructor_is_caught() {
    let handle = |kind, data| raw::Handle { kind, shred: 0, data, cell: null_mut() };
    let heap = |data| unsafe {
        raw::heap::f(data);
        ptr::free(handle(1, data));
    };
    let counted = |data| unsafe {
        raw::refs::u(data);
        raw::refs::f(data);
        ptr::free(handle(3, data));
    };
    let node = |data| unsafe {
        raw::tree::f(data);
        raw::tree::a(null_mut(), data, 8);
        ptr::free(handle(4, data));
    };
    let cell = |data| unsafe {
        raw::pool::f(data);
        ptr::free(handle(2, data));
    };
    let seen = faults(|| {
        leaks_nothing(|| unsafe {
            with(&heap, |drop| {
                raw::heap::f(raw::heap::alloc(&Request { drop, ..Request::new(8) }).unwrap().as_ptr())
            });
            with(&counted, |drop| {
                let request = Request { drop, ..Request::new(8) };
                raw::refs::f(raw::refs::alloc(null_mut(), &request).unwrap().as_ptr());
            });
            with(&node, |drop| {
                let request = Request { drop, ..Request::new(8) };
                raw::tree::f(raw::tree::alloc(null_mut(), null_mut(), &request).unwrap().as_ptr());
            });
            with(&cell, |drop| {
                let pool = raw::pool::init(null_mut(), &Spec { drop, ..Spec::new(8, 2) }).unwrap().as_ptr();
                raw::pool::f(raw::pool::a(pool));
                assert_eq!(raw::pool::live(pool), 0);
                assert_ne!(raw::pool::a(pool), raw::pool::a(pool));
                raw::pool::x(pool);
            });
        });
    });
    let calls = ["kmheapf", "kmfree", "kmrefu", "kmreff", "kmfree", "kmtreef", "kmtreea", "kmfree"];
    let calls = calls.into_iter().chain(["kmpoolf", "kmfree"].repeat(3));
    assert_eq!(seen, calls.map(|call| (call, Misuse::BeingFreed)).collect::<Vec<_>>());
}

#[test]
fn a_pool_destroyed_by_the_destructor_of_its_own_cell_is_caught() {
    let block_of = |data: *mut u8| unsafe { (*data.sub(16).cast::<raw::PoolCell>()).pool };
    let tears_down = |data: *mut u8| unsafe { raw::pool::x(block_of(data).map_addr(|addr| addr & !15)) };
    for (cells, grows) in [(1, true), (100, true), (100, false)] {
        let seen = faults(|| {
            leaks_nothing(|| {
                with(&tears_down, |drop| unsafe {
                    let spec = Spec { drop, grows, ..Spec::new(8, cells) };
                    let pool = raw::pool::init(null_mut(), &spec).unwrap().as_ptr();
                    let cells: Vec<_> = (0..100).map(|_| raw::pool::a(pool)).collect();
                    raw::pool::f(cells[70]);
                    assert_eq!(raw::pool::live(pool), 99);
                    assert_eq!(raw::pool::a(pool), cells[70], "the pool is whole");
                    cells.into_iter().for_each(|cell| raw::pool::f(cell));
                    raw::pool::x(pool);
                })
            });
        });
        assert_eq!(seen, [("kmpoolx", Misuse::BeingFreed); 101], "{cells}");
    }
}

#[test]
fn a_pool_is_guarded_until_the_outer_of_two_nested_destructors_returns() {
    let frees_and_tears_down = |data: *mut u8| unsafe {
        let [pool, other]: [*mut u8; 2] = data.cast::<[*mut u8; 2]>().read();
        raw::pool::f(other);
        raw::pool::x(pool.cast());
    };
    let seen = faults(|| {
        leaks_nothing(|| {
            with(&frees_and_tears_down, |drop| unsafe {
                let pool = raw::pool::init(null_mut(), &Spec { drop, ..Spec::new(16, 3) }).unwrap().as_ptr();
                let mut below = null_mut();
                for _ in 0..3 {
                    let cell = raw::pool::a(pool);
                    cell.cast::<[*mut u8; 2]>().write([pool.cast(), below]);
                    below = cell;
                }
                raw::pool::f(below);
                raw::pool::x(pool);
            })
        });
    });
    assert_eq!(seen, [("kmpoolx", Misuse::BeingFreed); 3]);
}

#[test]
fn a_pool_on_a_node_destroyed_by_the_destructor_of_its_own_cell_is_caught() {
    let tears_down = |data: *mut u8| unsafe {
        raw::pool::x((*data.sub(16).cast::<raw::PoolCell>()).pool.map_addr(|addr| addr & !15));
    };
    let seen = faults(|| {
        leaks_nothing(|| {
            with(&tears_down, |drop| unsafe {
                let root = raw::tree::a(null_mut(), null_mut(), 8);
                let spec = Spec { drop, grows: true, ..Spec::new(8, 1) };
                let pool = raw::pool::init(root.sub(64).cast(), &spec).unwrap().as_ptr();
                let cells = [(); 3].map(|()| raw::pool::a(pool));
                raw::pool::f(cells[2]);
                assert_eq!((raw::tree::below(root), raw::pool::live(pool)), (1, 2));
                raw::tree::f(root);
            })
        });
    });
    assert_eq!(seen, [("kmpoolx", Misuse::BeingFreed); 3]);
}

#[test]
fn a_node_is_neither_freed_nor_resized_while_a_child_of_it_is_freed() {
    for (leaf, all) in [(false, false), (false, true), (true, false), (true, true)] {
        let seen = faults(|| {
            leaks_nothing(|| unsafe {
                let (above, other) =
                    (raw::tree::a(null_mut(), null_mut(), 8), raw::tree::a(null_mut(), null_mut(), 8));
                let root = raw::tree::a(null_mut(), above, 8);
                let tries = |_| {
                    assert!(raw::tree::f(root).is_null());
                    assert!(raw::tree::r(root, 1000).is_null());
                    // The node may be moved and looked at.
                    raw::tree::m(root, other).unwrap();
                    assert_eq!(raw::tree::p(root), other);
                };
                with(&tries, |drop| {
                    let request = Request { drop, ..Request::new(8) };
                    let node = raw::tree::alloc(null_mut(), root, &request).unwrap().as_ptr();
                    if !leaf {
                        raw::tree::a(null_mut(), node, 8);
                    }
                    if all {
                        raw::tree::x(root);
                    } else {
                        assert_eq!(raw::tree::f(node).data, root);
                    }
                });
                // The node may be freed and resized now.
                let root = raw::tree::r(root, 1000);
                assert_eq!((raw::tree::verify(other), raw::tree::verify(above)), (Ok(2), Ok(1)));
                raw::tree::f(root);
                raw::tree::f(other);
                raw::tree::f(above);
            });
        });
        assert_eq!(seen, [("kmtreef", Misuse::FreeingBelow), ("kmtreer", Misuse::FreeingBelow)]);
    }
}

#[test]
fn a_node_that_cannot_be_freed_with_its_tree_becomes_a_root_and_stays_intact() {
    let seen = faults(|| {
        leaks_nothing(|| unsafe {
            let above = raw::tree::a(null_mut(), null_mut(), 8);
            let root = raw::tree::a(null_mut(), above, 8);
            let frees_above = |_| assert!(raw::tree::f(above).is_null());
            with(&frees_above, |drop| {
                let request = Request { drop, ..Request::new(8) };
                let node = raw::tree::alloc(null_mut(), root, &request).unwrap().as_ptr();
                raw::tree::a(null_mut(), root, 8);
                assert_eq!(raw::tree::f(node).data, root);
            });
            assert!(raw::tree::p(root).is_null());
            assert_eq!(raw::tree::verify(root), Ok(2));
            raw::tree::f(root);
        });
    });
    assert_eq!(seen, [("kmtreef", Misuse::FreeingBelow)]);
}

#[test]
fn a_node_that_cannot_be_freed_keeps_the_pool_that_it_was_allocated_from() {
    let seen = faults(|| {
        leaks_nothing(|| unsafe {
            let above = raw::tree::a(null_mut(), null_mut(), 8);
            let pool = raw::pool::i(raw::tree::handle(above).cell, 256, 8);
            let root = raw::tree::a(pool.cast(), above, 8);
            let frees_above = |_| assert!(raw::tree::f(above).is_null());
            with(&frees_above, |drop| {
                let request = Request { drop, ..Request::new(8) };
                raw::tree::f(raw::tree::alloc(null_mut(), root, &request).unwrap().as_ptr());
            });
            assert!(raw::tree::p(root).is_null() && raw::tree::p(pool.cast()).is_null());
            assert_eq!((raw::tree::verify(root), raw::pool::live(pool)), (Ok(1), 1));
            raw::tree::f(root);
            raw::pool::x(pool);
        });
    });
    assert_eq!(seen, [("kmtreef", Misuse::FreeingBelow)]);
}

#[cfg(feature = "shred")]
#[test]
fn a_node_that_cannot_be_freed_is_zeroed_when_it_is_freed_later() {
    let freed = crate::support::marked_when_freed(|| {
        faults(|| unsafe {
            let above = raw::tree::a(null_mut(), null_mut(), 8);
            let root = raw::tree::a(null_mut(), above, 64);
            root.write_bytes(crate::support::MARK, 64);
            let shreds_above = |_| ptr::free(raw::Handle { shred: 1, ..raw::tree::handle(above) });
            with(&shreds_above, |drop| {
                let request = Request { drop, ..Request::new(8) };
                raw::tree::f(raw::tree::alloc(null_mut(), root, &request).unwrap().as_ptr());
            });
            raw::tree::f(root);
        });
    });
    assert_eq!(freed, 0);
}

#[test]
fn a_handler_that_unwinds_leaves_a_node_that_cannot_be_freed_in_its_tree() {
    let seen = faults(|| unsafe {
        let above = raw::tree::a(null_mut(), null_mut(), 8);
        let root = raw::tree::a(null_mut(), above, 8);
        let frees_root = |_| {
            UNWINDS.set(true);
            crate::support::quietly(|| raw::tree::f(root)).unwrap_err();
            UNWINDS.set(false);
        };
        with(&frees_root, |drop| {
            let request = Request { drop, ..Request::new(8) };
            let node = raw::tree::alloc(null_mut(), root, &request).unwrap().as_ptr();
            raw::tree::a(null_mut(), root, 8);
            raw::tree::f(node);
        });
        assert_eq!((raw::tree::p(root), raw::tree::verify(above)), (above, Ok(3)));
        raw::tree::f(above);
    });
    assert_eq!(seen, [("kmtreef", Misuse::FreeingBelow)]);
}

#[test]
fn a_destructor_finds_no_freed_sibling() {
    leaks_nothing(|| unsafe {
        let root = raw::tree::a(null_mut(), null_mut(), 8);
        let sibling = std::cell::Cell::new(null_mut());
        let frees_it = |data| {
            raw::tree::f(sibling.get());
            assert!(raw::tree::cn(data).is_null() && raw::tree::cp(data).is_null());
        };
        with(&frees_it, |drop| {
            let request = Request { drop, ..Request::new(8) };
            let node = raw::tree::alloc(null_mut(), root, &request).unwrap().as_ptr();
            sibling.set(raw::tree::a(null_mut(), root, 8));
            raw::tree::f(node);
        });
        raw::tree::f(root);
    });
}

#[test]
fn a_pool_on_a_node_is_not_freed_while_a_destructor_of_its_cells_runs() {
    for free_node in [false, true] {
        let seen = faults(|| {
            leaks_nothing(|| unsafe {
                let root = raw::tree::a(null_mut(), null_mut(), 8);
                let pool = std::cell::Cell::new(null_mut::<u8>());
                let frees_pool = |_| {
                    raw::tree::f(if free_node { root } else { pool.get() });
                };
                with(&frees_pool, |drop| {
                    let spec = Spec { drop, ..Spec::new(8, 2) };
                    let made = raw::pool::init(raw::tree::handle(root).cell, &spec).unwrap().as_ptr();
                    pool.set(made.cast());
                    raw::pool::f(raw::pool::a(made));
                    assert_eq!(raw::pool::live(made), 0);
                    raw::pool::x(made);
                });
                if !free_node {
                    raw::tree::f(root);
                }
            });
        });
        assert_eq!(seen, [("kmtreef", Misuse::BeingFreed)]);
    }
}

#[test]
fn a_node_does_not_move_below_its_child_that_is_being_freed() {
    leaks_nothing(|| unsafe {
        let root = raw::tree::a(null_mut(), null_mut(), 8);
        let moves = |node| assert_eq!(raw::tree::m(root, raw::tree::c(node)), Err(kmem::AllocError::Below));
        with(&moves, |drop| {
            let node = raw::tree::a(null_mut(), root, 8);
            raw::tree::a(null_mut(), node, 8);
            raw::tree::h(node, drop.unwrap()).unwrap();
            raw::tree::f(node);
        });
        raw::tree::f(root);
    });
}

#[test]
fn a_destructor_may_look_at_its_object() {
    let size_and_name = |handle| unsafe { (ptr::size(handle), ptr::name(handle)) };
    let named = |drop| Request { drop, name: Some(c"it"), ..Request::new(24) };
    let seen = faults(|| unsafe {
        let looks = |data| assert_eq!(size_and_name(raw::heap::handle(data)), (24, Some(c"it")));
        with(&looks, |drop| raw::heap::f(raw::heap::alloc(&named(drop)).unwrap().as_ptr()));
        let looks = |data| assert_eq!(size_and_name(raw::refs::handle(data)), (24, Some(c"it")));
        with(&looks, |drop| raw::refs::f(raw::refs::alloc(null_mut(), &named(drop)).unwrap().as_ptr()));
        let looks = |data| {
            assert_eq!(size_and_name(raw::tree::handle(data)), (24, Some(c"it")));
            assert_eq!(ptr::name(raw::tree::handle(raw::tree::p(data))), Some(c"it"));
        };
        with(&looks, |drop| {
            let root = raw::tree::alloc(null_mut(), null_mut(), &named(None)).unwrap().as_ptr();
            raw::tree::alloc(null_mut(), root, &named(drop)).unwrap();
            raw::tree::f(root);
        });
        for grows in [false, true] {
            let looks = |data| {
                assert_eq!(size_and_name(raw::pool::handle(data)), (24, Some(c"it")));
                assert_eq!(raw::pool::count(raw::pool::handle(data).cell.cast()).cellsz, 24);
            };
            with(&looks, |drop| {
                let spec = Spec { drop, grows, name: Some(c"it"), ..Spec::new(24, 2) };
                let pool = raw::pool::init(null_mut(), &spec).unwrap().as_ptr();
                let [_, one, ..] = [(); 5].map(|()| raw::pool::a(pool));
                raw::pool::f(one);
                raw::pool::x(pool);
            });
        }
    });
    assert_eq!(seen, []);
}

#[test]
fn a_destructors_use_of_a_pool_that_is_being_destroyed_is_caught_or_refused() {
    let uses = |data: *mut u8| unsafe {
        let [pool, other]: [*mut u8; 2] = data.cast::<[*mut u8; 2]>().read();
        assert!(raw::pool::a(pool.cast()).is_null());
        raw::pool::f(other);
        raw::pool::x(pool.cast());
    };
    let seen = faults(|| {
        leaks_nothing(|| {
            with(&uses, |drop| unsafe {
                let pool = raw::pool::init(null_mut(), &Spec { drop, ..Spec::new(16, 3) }).unwrap().as_ptr();
                let cells = [(); 3].map(|()| raw::pool::a(pool));
                for (cell, other) in cells.into_iter().zip(cells.into_iter().cycle().skip(1)) {
                    cell.cast::<[*mut u8; 2]>().write([pool.cast(), other]);
                }
                raw::pool::x(pool);
            })
        });
    });
    assert_eq!(seen, [("kmpoolf", Misuse::BeingFreed), ("kmpoolx", Misuse::BeingFreed)].repeat(3));
}

#[test]
#[cfg(feature = "arena")]
fn an_owner_of_an_arena_freed_while_a_child_of_a_node_from_elsewhere_is_freed_leaves_that_node() {
    use raw::tree;
    let root = std::cell::Cell::new(null_mut());
    let seen = faults(|| unsafe {
        root.set(tree::i(null_mut(), null_mut(), 16, 0));
        let arena = tree::cl(root.get());
        let inner = tree::a(tree::same(), root.get(), 16);
        let foreign = tree::a(null_mut(), inner, 16);
        tree::a(tree::same(), inner, 300);
        let free_root = |_| _ = tree::f(root.get());
        with(&free_root, |drop| {
            let child = tree::alloc(tree::same(), foreign, &Request { drop, ..Request::new(8) }).unwrap();
            tree::f(child.as_ptr());
        });
        // The node became a root, and so did the one that hosts the arena.
        assert!(!tree::a(tree::same(), foreign, 8).is_null());
        tree::f(foreign);
        tree::f(arena);
    });
    assert!(!seen.is_empty());
}
