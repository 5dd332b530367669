use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr::null_mut;

use kmem::AllocError;
#[cfg(feature = "shred")]
use kmem::raw::ptr;
use kmem::raw::{Destructor, Request, arena, heap, pool, refs, tree};

use crate::support::leaks_nothing;

unsafe extern "C-unwind" fn note(data: *mut c_void, arg: *mut c_void) {
    unsafe { (*arg.cast::<Vec<u32>>()).push(*data.cast::<u32>()) };
}

fn noted(notes: &mut Vec<u32>, size: usize) -> Request {
    Request {
        drop: Some(Destructor { run: Some(note), arg: (&raw mut *notes).cast() }),
        ..Request::new(size)
    }
}

unsafe fn below(parent: *mut u8, notes: &mut Vec<u32>, number: u32) -> *mut u8 {
    unsafe {
        let data = tree::alloc(tree::same(), parent, &noted(notes, 8)).unwrap().as_ptr();
        data.cast::<u32>().write(number);
        data
    }
}

#[test]
fn children_lie_in_the_arena_of_their_tree_and_are_freed_with_it() {
    leaks_nothing(|| unsafe {
        let root = tree::i(null_mut(), null_mut(), 16, 0);
        let [one, two] = [(); 2].map(|()| tree::a(tree::same(), root, 32));
        assert_eq!(two.addr() - one.addr(), 96);
        let mut deep = one;
        for _ in 0..10_000 {
            deep = tree::a(tree::same(), deep, 32);
        }
        tree::f(root);
    });
}

#[test]
fn same_is_the_source_of_the_parent_and_the_heap_for_a_root() {
    leaks_nothing(|| unsafe {
        let root = tree::a(tree::same(), null_mut(), 8);
        let cells = pool::i(null_mut(), 128, 10);
        let parent = tree::a(cells.cast(), root, 8);
        let child = tree::a(tree::same(), parent, 8);
        assert_eq!(pool::live(cells), 2);
        let _ = child;
        tree::f(root);
        pool::x(cells);
        assert!(refs::a(tree::same(), 8).is_null());
        assert!(pool::i(tree::same(), 8, 8).is_null());
    });
}

#[test]
fn destructors_run_children_first_and_foreign_nodes_are_freed() {
    leaks_nothing(|| unsafe {
        let mut notes = Vec::new();
        let root = tree::i(null_mut(), null_mut(), 16, 0);
        let one = below(root, &mut notes, 1);
        let two = below(one, &mut notes, 2);
        tree::a(tree::same(), two, 8);
        let foreign = tree::alloc(null_mut(), two, &noted(&mut notes, 8)).unwrap().as_ptr();
        foreign.cast::<u32>().write(3);
        tree::a(null_mut(), foreign, 100);
        tree::k(one, heap::ao(100)).unwrap();
        let cells = pool::i(tree::handle(two).cell, 32, 4);
        pool::a(cells);
        let inner = tree::i(tree::same(), two, 16, 0);
        below(inner, &mut notes, 4);
        tree::f(root);
        // With totals, each node is visited.
        assert_eq!(notes, if cfg!(feature = "totals") { [3, 4, 2, 1] } else { [4, 3, 2, 1] });
    });
}

#[test]
fn a_node_in_the_arena_stays_below_its_owner() {
    leaks_nothing(|| unsafe {
        let root = tree::i(null_mut(), null_mut(), 16, 0);
        let other = tree::a(null_mut(), null_mut(), 16);
        let foreign = tree::a(null_mut(), root, 16);
        let [one, two] = [(); 2].map(|()| tree::a(tree::same(), root, 32));
        for parent in [other, null_mut(), foreign] {
            assert!(matches!(tree::m(one, parent), Err(AllocError::Fixed(_))));
        }
        assert!(tree::mc(root, other).is_err());
        tree::m(one, two).unwrap();
        tree::m(foreign, one).unwrap();
        tree::m(foreign, other).unwrap();
        tree::m(foreign, two).unwrap();
        tree::m(other, two).unwrap();
        assert!(tree::m(root, one).is_err());
        tree::f(root);
    });
}

#[test]
fn nested_arenas_are_freed_in_constant_stack() {
    leaks_nothing(|| unsafe {
        let root = tree::i(null_mut(), null_mut(), 0, 0);
        let mut at = root;
        for depth in 0..20_000 {
            at = tree::i(if depth % 3 == 0 { null_mut() } else { tree::same() }, at, 8, 600);
            assert!(!at.is_null());
        }
        tree::f(root);
    });
}

#[test]
fn a_node_of_an_arena_is_freed_resized_and_emptied_alone() {
    leaks_nothing(|| unsafe {
        let mut notes = Vec::new();
        let root = tree::i(null_mut(), null_mut(), 16, 0);
        let one = below(root, &mut notes, 1);
        let two = below(one, &mut notes, 2);
        let two = tree::r(two, 5000);
        assert_eq!(*two.cast::<u32>(), 2);
        let root = tree::r(root, 9000);
        tree::f(two);
        tree::a(null_mut(), root, 8);
        tree::x(root);
        assert_eq!(notes, [2, 1]);
        below(root, &mut notes, 3);
        tree::f(root);
        assert_eq!(notes, [2, 1, 3]);
    });
}

#[test]
#[cfg(feature = "shred")]
fn a_tainted_node_in_an_arena_is_zeroed_after_all_destructors() {
    unsafe extern "C-unwind" fn reads_parent(data: *mut c_void, arg: *mut c_void) {
        unsafe { arg.cast::<u8>().write(**data.cast::<*mut u8>()) };
    }
    leaks_nothing(|| unsafe {
        let mut buffer = vec![0u8; 40_000];
        let cells = pool::in_buffer(buffer.as_mut_ptr(), buffer.len(), 9000);
        for by_move in [false, true] {
            let mut seen = 0u8;
            let root = tree::i(cells.cast(), null_mut(), 16, 8000);
            let secret = tree::a(tree::same(), root, 500);
            secret.write_bytes(0x77, 500);
            let drop = Destructor { run: Some(reads_parent), arg: (&raw mut seen).cast() };
            let request = Request { drop: Some(drop), ..Request::new(8) };
            let child = tree::alloc(tree::same(), secret, &request).unwrap().as_ptr();
            child.cast::<*mut u8>().write(secret);
            if by_move {
                tree::m(child, root).unwrap();
                tree::m(child, secret).unwrap();
            }
            ptr::taint(&mut tree::handle(secret));
            tree::f(root);
            assert_eq!(seen, 0x77);
        }
        pool::x(cells);
        assert!(!buffer.windows(8).any(|bytes| bytes == [0x77; 8]));
    });
}

#[test]
#[cfg(feature = "shred")]
fn nodes_of_an_arena_that_are_adopted_by_a_tainted_handle_are_zeroed_with_what_is_below() {
    leaks_nothing(|| unsafe {
        let mut buffer = vec![0u8; 40_000];
        let cells = pool::in_buffer(buffer.as_mut_ptr(), buffer.len(), 9000);
        let root = tree::i(cells.cast(), null_mut(), 16, 8000);
        let [top, other] = [(); 2].map(|()| tree::a(tree::same(), root, 8));
        let below = tree::a(tree::same(), tree::a(tree::same(), top, 8), 500);
        below.write_bytes(0x77, 500);
        let handle = tree::handle(top);
        tree::k(other, kmem::raw::Handle { shred: 1, ..handle }).unwrap();
        tree::f(root);
        pool::x(cells);
        assert!(!buffer.windows(8).any(|bytes| bytes == [0x77; 8]));
    });
}

#[test]
#[cfg(feature = "shred")]
fn the_owner_of_an_arena_is_released_as_it_was_adopted() {
    leaks_nothing(|| unsafe {
        let root = tree::a(null_mut(), null_mut(), 8);
        for tainted in [false, true] {
            let mut owner = tree::handle(tree::i(null_mut(), null_mut(), 8, 0));
            if tainted {
                ptr::taint(&mut owner);
            }
            tree::k(root, owner).unwrap();
            let released = tree::l(root, owner.data);
            assert_eq!((released.data, released.shred != 0), (owner.data, tainted));
            tree::f(released.data);
        }
        tree::f(root);
    });
}

#[test]
fn a_node_that_is_too_large_for_the_address_space_is_refused_and_changes_nothing() {
    leaks_nothing(|| unsafe {
        let root = tree::i(null_mut(), null_mut(), 16, 0);
        let store = arena::i(null_mut(), 0);
        for freed in [false, true] {
            for size in [usize::MAX, usize::MAX - 15, usize::MAX - 64, usize::MAX - 100, isize::MAX as usize]
            {
                assert!(tree::a(tree::same(), root, size).is_null());
                assert!(arena::a(store, size).is_null());
            }
            let [one, two] = [(); 2].map(|()| [tree::a(tree::same(), root, 32), arena::a(store, 32)]);
            assert_eq!([two[0].addr() - one[0].addr(), two[1].addr() - one[1].addr()], [96, 64], "{freed}");
            tree::f(one[0]);
            arena::f(one[1]);
            assert_eq!([tree::a(tree::same(), root, 32), arena::a(store, 32)], one);
            if freed {
                tree::f(two[0]);
                arena::f(two[1]);
            }
        }
        arena::x(store);
        tree::f(root);
    });
}

/// Random changes; then each destructor must have run once, children before their parents.
#[test]
fn random_trees_in_arenas_are_freed_once_children_first() {
    for seed in 1..if cfg!(debug_assertions) { 150u64 } else { 5000 } {
        leaks_nothing(|| unsafe {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut random = move |below: usize| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state % below as u64) as usize
            };
            let mut notes = Vec::new();
            let outer = tree::a(null_mut(), null_mut(), 8);
            let root = tree::i(null_mut(), outer, 8, 500 + random(1000));
            // The live nodes, by number: the data, the number of the parent, true if it has a destructor.
            let mut nodes: HashMap<u32, (*mut u8, u32, bool)> = HashMap::from([(0, (root, 0, false))]);
            let is_above = |nodes: &HashMap<u32, (*mut u8, u32, bool)>, above: u32, mut at: u32| loop {
                if at == above {
                    return true;
                }
                if at == 0 {
                    return false;
                }
                at = nodes[&at].1;
            };
            let hooked = random(4) == 0;
            for number in 1..120u32 {
                let mut keys: Vec<u32> = nodes.keys().copied().collect();
                keys.sort_unstable();
                let any = keys[random(keys.len())];
                match random(10) {
                    0..=5 => {
                        let parent = nodes[&any].0;
                        let with = random(3) == 0;
                        let request = if with { noted(&mut notes, 16) } else { Request::new(16) };
                        let src = if random(5) == 0 { null_mut() } else { tree::same() };
                        let data = match random(12) {
                            0 => tree::i(src, parent, 16, 0),
                            _ => tree::alloc(src, parent, &request)
                                .unwrap_or_else(|e| {
                                    let mut s = (*parent.sub(64).cast::<kmem::raw::Node>()).src;
                                    eprintln!(
                                        "seed {seed} number {number} parent {any} root? src null {}",
                                        src.is_null()
                                    );
                                    while !s.is_null() {
                                        eprintln!("  src {s:?} kind {} flags {}", (*s).kind, (*s).flags);
                                        if (*s).flags & 4 == 0 {
                                            break;
                                        }
                                        s = *s.cast::<*mut kmem::raw::Cell>().add(3);
                                    }
                                    panic!("{e:?}")
                                })
                                .as_ptr(),
                        };
                        data.cast::<u32>().write(number);
                        nodes.insert(number, (data, any, with));
                    }
                    6 if any != 0 => {
                        let gone: Vec<u32> =
                            keys.iter().copied().filter(|&key| is_above(&nodes, any, key)).collect();
                        tree::f(nodes[&any].0);
                        for key in gone {
                            nodes.remove(&key);
                        }
                    }
                    7 if any != 0 => {
                        let to = keys[random(keys.len())];
                        if !is_above(&nodes, any, to) && tree::m(nodes[&any].0, nodes[&to].0).is_ok() {
                            nodes.get_mut(&any).unwrap().1 = to;
                        }
                    }
                    8 if any != 0 => {
                        let data = tree::r(nodes[&any].0, 4 + random(300));
                        nodes.get_mut(&any).unwrap().0 = data;
                    }
                    9 if hooked && random(6) == 0 => {
                        tree::k(nodes[&any].0, heap::ao(random(60))).unwrap();
                    }
                    _ => {}
                }
            }
            notes.clear();
            tree::f(if seed % 2 == 0 { root } else { outer });
            if seed % 2 == 0 {
                tree::f(outer);
            }
            let place: HashMap<u32, usize> = notes.iter().enumerate().map(|(at, &key)| (key, at)).collect();
            assert_eq!(place.len(), notes.len(), "seed {seed}: {notes:?}");
            for (key, &(_, parent, _)) in &nodes {
                let mut above = parent;
                while let (Some(mine), true) = (place.get(key), above != 0) {
                    if let Some(theirs) = place.get(&above) {
                        assert!(mine < theirs, "seed {seed}: {key} below {above} in {notes:?}");
                    }
                    above = nodes[&above].1;
                }
            }
            assert!(notes.iter().all(|key| nodes.contains_key(key)));
        });
    }
}
