use std::ffi::c_void;
use std::ptr::null_mut;

use kmem::raw::{Destructor, Request, Source, arena, pool, ptr, refs, tree};

use crate::support::leaks_nothing;

unsafe extern "C-unwind" fn note(data: *mut c_void, arg: *mut c_void) {
    unsafe { (*arg.cast::<Vec<u8>>()).push(*data.cast::<u8>()) };
}

fn noted(notes: &mut Vec<u8>, size: usize) -> Request {
    Request {
        drop: Some(Destructor { run: Some(note), arg: (&raw mut *notes).cast() }),
        ..Request::new(size)
    }
}

#[test]
fn objects_lie_behind_one_another_and_the_newest_gives_its_room_back() {
    leaks_nothing(|| unsafe {
        let store = arena::i(null_mut(), 0);
        let [one, two] = [arena::a(store, 32), arena::a(store, 20)];
        assert_eq!(two.addr() - one.addr(), 64);
        arena::f(two);
        assert_eq!(arena::a(store, 100), two);
        arena::x(store);
    });
}

#[test]
fn a_room_serves_the_next_object_of_its_size_the_latest_first() {
    leaks_nothing(|| unsafe {
        let store = arena::i(null_mut(), 0);
        for size in [0, 10, 32, 200, 300, 1000] {
            let [one, two, three] = [0; 3].map(|_| arena::a(store, size));
            let newest = arena::a(store, 1);
            arena::f(one);
            arena::f(two);
            assert_eq!([arena::a(store, size), arena::a(store, size)], [two, one], "{size}");
            assert!(![one, two, three].contains(&newest));
        }
        arena::x(store);
    });
}

#[test]
fn the_newest_grows_and_shrinks_in_place() {
    leaks_nothing(|| unsafe {
        let store = arena::i(null_mut(), 100_000);
        let old = arena::a(store, 10);
        let mut newest = arena::a(store, 10);
        let place = newest;
        for size in (16..60_000).step_by(64) {
            newest = arena::r(newest, size);
            assert_eq!(newest, place);
        }
        newest = arena::r(newest, 8);
        assert_eq!(arena::a(store, 1).addr(), newest.addr() + 16 + 32);
        let moved = arena::r(old, 50);
        assert_ne!(moved, old);
        arena::x(store);
    });
}

#[test]
fn a_scope_frees_what_was_allocated_in_it_newest_destructor_first() {
    leaks_nothing(|| unsafe {
        let mut notes = Vec::new();
        let store = arena::i(null_mut(), 500);
        let make = |notes: &mut Vec<u8>, number: u8| {
            let data = arena::alloc(store, &noted(notes, 100)).unwrap().as_ptr();
            *data = number;
            data
        };
        let kept = make(&mut notes, 1);
        let outer = arena::b(store);
        make(&mut notes, 2);
        let inner = arena::b(store);
        let freed = make(&mut notes, 3);
        make(&mut notes, 4);
        arena::f(freed);
        make(&mut notes, 5);
        arena::e(store, &inner);
        assert_eq!(notes, [3, 5, 4]);
        arena::e(store, &outer);
        assert_eq!(notes, [3, 5, 4, 2]);
        assert_eq!(*kept, 1);
        arena::e(store, &arena::Mark::START);
        assert_eq!(notes, [3, 5, 4, 2, 1]);
        make(&mut notes, 6);
        arena::x(store);
        assert_eq!(notes, [3, 5, 4, 2, 1, 6]);
    });
}

#[test]
fn a_scope_keeps_its_blocks() {
    leaks_nothing(|| unsafe {
        let store = arena::i(null_mut(), 0);
        let fill = || {
            let mark = arena::b(store);
            for size in 0..2000 {
                assert!(!arena::a(store, size % 700).is_null());
            }
            arena::e(store, &mark);
        };
        fill();
        let before = arena::count(store);
        assert!(before.blocks > 3 && before.used == 0);
        fill();
        assert_eq!(arena::count(store), before);
        arena::x(store);
    });
}

#[test]
fn a_room_that_is_older_than_a_scope_serves_again_after_it() {
    leaks_nothing(|| unsafe {
        let store = arena::i(null_mut(), 0);
        let [old, _newest] = [arena::a(store, 64), arena::a(store, 64)];
        let mark = arena::b(store);
        arena::f(old);
        assert_ne!(arena::a(store, 64), old, "the object would be lost with the scope");
        arena::e(store, &mark);
        assert_eq!(arena::a(store, 64), old);
        arena::x(store);
    });
}

#[test]
fn an_arena_in_a_buffer_is_full_when_the_buffer_is() {
    leaks_nothing(|| unsafe {
        let mut buffer = [0u8; 2000];
        let store = arena::in_buffer(buffer.as_mut_ptr().add(1), 1999);
        let mut objects = Vec::new();
        loop {
            let data = arena::a(store, 50);
            if data.is_null() {
                break;
            }
            assert!(buffer.as_ptr_range().contains(&data.cast_const()));
            objects.push(data);
        }
        assert!(objects.len() >= 15);
        arena::f(objects[3]);
        assert_eq!(arena::a(store, 50), objects[3]);
        assert!(arena::a(store, 50).is_null());
        arena::x(store);
        assert!(arena::in_buffer(buffer.as_mut_ptr(), 100).is_null());
    });
}

#[test]
fn every_method_allocates_from_an_arena() {
    leaks_nothing(|| unsafe {
        let store = arena::i(null_mut(), 0);
        let src = store.cast();
        let counted = refs::a(src, 100);
        refs::u(counted);
        let root = tree::a(src, null_mut(), 40);
        let child = tree::a(src, root, 40);
        let cells = pool::i(src, 48, 20);
        assert!(!pool::a(cells).is_null());
        let second = arena::i(src, 600);
        for _ in 0..100 {
            assert!(!arena::a(second, 100).is_null());
        }
        let grown = tree::r(child, 5000);
        assert!(!grown.is_null());
        arena::x(second);
        pool::x(cells);
        tree::f(root);
        refs::f(counted);
        refs::f(counted);
        arena::x(store);
    });
}

#[test]
fn an_arena_on_a_node_is_freed_with_it() {
    leaks_nothing(|| unsafe {
        let mut notes = Vec::new();
        let root = tree::a(null_mut(), null_mut(), 8);
        let store = arena::i(tree::handle(root).cell, 300);
        assert!(tree::a(store.cast(), root, 8) > null_mut());
        for number in 0..20 {
            let data = arena::alloc(store, &noted(&mut notes, 100)).unwrap().as_ptr();
            *data = number;
        }
        let root = tree::r(root, 10_000);
        tree::f(root);
        assert_eq!(notes, (0..20).rev().collect::<Vec<u8>>());
    });
}

#[test]
fn a_handle_frees_resizes_and_taints_an_object() {
    leaks_nothing(|| unsafe {
        let store = arena::i(null_mut(), 0);
        let mut object = arena::zo(store, 100);
        assert_eq!(ptr::size(object), 100);
        ptr::resize(&mut object, 5000).unwrap();
        assert_eq!(ptr::size(object), 5000);
        #[cfg(feature = "shred")]
        {
            object.data.write_bytes(7, 5000);
            ptr::taint(&mut object);
        }
        ptr::free(object);
        arena::x(store);
    });
}

#[test]
#[cfg(feature = "shred")]
fn a_tainted_object_is_zeroed_with_its_scope_and_a_tainted_arena_as_a_whole() {
    leaks_nothing(|| unsafe {
        let mut buffer = vec![0u8; 10_000];
        for whole in [false, true] {
            let spec = arena::Spec { shred: whole.into(), ..arena::Spec::new(0) };
            let store = arena::init_in_buffer(buffer.as_mut_ptr(), buffer.len(), &spec).unwrap().as_ptr();
            let mark = arena::b(store);
            let [plain, secret] = [arena::a(store, 200), arena::a(store, 200)];
            plain.write_bytes(0x55, 200);
            secret.write_bytes(0xaa, 200);
            let mut handle = arena::handle(secret);
            if !whole {
                ptr::taint(&mut handle);
            }
            arena::e(store, &mark);
            arena::x(store);
            assert_eq!(buffer.windows(8).any(|bytes| bytes == [0x55; 8]), !whole);
            assert!(!buffer.windows(8).any(|bytes| bytes == [0xaa; 8]));
            buffer.fill(0);
        }
    });
}

#[test]
#[cfg(feature = "shred")]
#[cfg_attr(any(kmem_asan, kmem_valgrind), ignore = "looks at freed memory")]
fn an_object_is_zeroed_if_a_source_of_its_arena_is_tainted_meanwhile() {
    leaks_nothing(|| unsafe {
        for chain in 0..5 {
            let node = tree::a(null_mut(), null_mut(), 0);
            let below = tree::a(null_mut(), node, 0);
            let cells = pool::i(tree::handle(below).cell, 5000, 4);
            let outer = arena::i(cells.cast(), 4900);
            let [tainted, source] = match chain {
                0 => [tree::handle(node).cell, tree::handle(node).cell],
                1 => [cells.cast(), cells.cast()],
                2 => [outer.cast(), outer.cast()],
                3 => [cells.cast(), outer.cast()],
                _ => [tree::handle(below).cell, outer.cast()],
            };
            let store = arena::i(source, 2000);
            let [one, two, three] = [0; 3].map(|_| arena::a(store, 64));
            let cell = refs::a(store.cast(), 64);
            for data in [one, two, three, cell] {
                data.write_bytes(0xaa, 64);
            }
            arena::f(one);
            assert_eq!(one.add(40).read(), 0xaa);
            (*tainted).shred = 1.into();
            arena::f(two);
            refs::f(cell);
            assert_eq!([two.add(40).read(), cell.add(40).read()], [0; 2], "{chain}");
            arena::x(store);
            arena::x(outer);
            tree::f(node);
        }
    });
}

/// Random calls, with the contents of each object compared.
#[test]
fn random_calls_keep_the_contents_of_every_object() {
    struct Object {
        data: *mut u8,
        size: usize,
        fill: u8,
    }
    for seed in 1..if cfg!(debug_assertions) { 60u64 } else { 2000 } {
        leaks_nothing(|| unsafe {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut random = move |below: usize| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state % below as u64) as usize
            };
            let mut notes = Vec::new();
            let store = arena::i(null_mut(), 100 + random(3000));
            // The live objects of each open scope, and the objects below them.
            let mut scopes: Vec<(Option<arena::Mark>, Vec<Object>)> = vec![(None, Vec::new())];
            for step in 0..400 {
                let fill = step as u8;
                let depth = random(scopes.len());
                match random(12) {
                    0..=4 => {
                        let size = if random(20) == 0 { random(6000) } else { random(200) };
                        let align = if random(6) == 0 { 1 << random(10) } else { 16 };
                        let request = if random(8) == 0 {
                            Request { align, ..noted(&mut notes, size.max(1)) }
                        } else {
                            Request { align, ..Request::new(size.max(1)) }
                        };
                        let data = arena::alloc(store, &request).unwrap().as_ptr();
                        assert_eq!(data.addr() % align, 0);
                        data.write_bytes(fill, size.max(1));
                        scopes.last_mut().unwrap().1.push(Object { data, size: size.max(1), fill });
                    }
                    5..=7 if !scopes[depth].1.is_empty() => {
                        let at = random(scopes[depth].1.len());
                        let object = scopes[depth].1.swap_remove(at);
                        arena::f(object.data);
                    }
                    8 if !scopes[depth].1.is_empty() => {
                        let at = random(scopes[depth].1.len());
                        let mut object = scopes[depth].1.swap_remove(at);
                        let size = 1 + random(400);
                        object.data = arena::r(object.data, size);
                        object.size = object.size.min(size);
                        // It may have moved into the innermost scope.
                        if depth + 1 < scopes.len() && random(2) == 0 {
                            arena::f(object.data);
                        } else {
                            object.data.write_bytes(object.fill, size);
                            object.size = size;
                            scopes.last_mut().unwrap().1.push(object);
                        }
                    }
                    9 if scopes.len() < 5 => scopes.push((Some(arena::b(store)), Vec::new())),
                    10 if scopes.len() > 1 => {
                        let (mark, _) = scopes.pop().unwrap();
                        arena::e(store, &mark.unwrap());
                    }
                    11 if random(20) == 0 => {
                        arena::e(store, &arena::Mark::START);
                        scopes = vec![(None, Vec::new())];
                    }
                    _ => {}
                }
                for object in scopes.iter().flat_map(|(_, objects)| objects) {
                    let bytes = std::slice::from_raw_parts(object.data, object.size);
                    assert!(bytes.iter().all(|&byte| byte == object.fill), "seed {seed}, step {step}");
                }
            }
            arena::x(store);
        });
    }
}

/// A source over the heap that refuses at random.
unsafe extern "C-unwind" fn fickle(source: *mut Source, size: usize, align: usize) -> *mut c_void {
    unsafe {
        let state = &mut *(*source).context.cast::<u64>();
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if (*state >> 60) < 5 {
            return null_mut();
        }
        std::alloc::alloc(std::alloc::Layout::from_size_align(size, align).unwrap()).cast()
    }
}

unsafe extern "C-unwind" fn give_back(_: *mut Source, block: *mut c_void, size: usize, align: usize) {
    unsafe { std::alloc::dealloc(block.cast(), std::alloc::Layout::from_size_align(size, align).unwrap()) }
}

/// Random calls on an arena whose source often refuses. Each object has a number, which its destructor notes.
#[test]
fn random_calls_run_each_destructor_once_newest_first_and_a_refusal_changes_nothing() {
    struct Object {
        data: *mut u8,
        number: u32,
        size: usize,
        noted: bool,
        /// Moved by a resize, so its place among the destructors is another.
        scope: usize,
    }
    unsafe extern "C-unwind" fn note(data: *mut c_void, arg: *mut c_void) {
        unsafe { (*arg.cast::<Vec<u32>>()).push(data.cast::<u32>().read()) };
    }
    for seed in 1..if cfg!(miri) { 4 } else { 300u64 } {
        leaks_nothing(|| unsafe {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut random = move |below: usize| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state % below as u64) as usize
            };
            let mut luck = seed;
            let mut source = Source::new(fickle, give_back, (&raw mut luck).cast());
            let store = loop {
                let made = arena::i((&raw mut source).cast(), random(2000));
                if !made.is_null() {
                    break made;
                }
            };
            let mut notes: Vec<u32> = Vec::new();
            let drop = Destructor { run: Some(note), arg: (&raw mut notes).cast() };
            let (mut marks, mut live, mut number) = (Vec::new(), Vec::<Object>::new(), 0);
            for _ in 0..500 {
                let before = live.len();
                match random(14) {
                    0..=5 => {
                        number += 1;
                        let most = if random(9) == 0 { 4000 } else { 150 };
                        let (size, noted) = (4 + random(most), random(3) == 0);
                        let align = if random(5) == 0 { 1 << random(9) } else { 0 };
                        let request = Request { align, drop: noted.then_some(drop), ..Request::new(size) };
                        if let Ok(data) = arena::alloc(store, &request) {
                            data.cast::<u32>().write(number);
                            live.push(Object {
                                data: data.as_ptr(),
                                number,
                                size,
                                noted,
                                scope: marks.len(),
                            });
                        }
                    }
                    6 | 7 if before > 0 => {
                        let object = live.remove(random(before));
                        arena::f(object.data);
                        assert_eq!(notes.pop(), object.noted.then_some(object.number), "seed {seed}");
                    }
                    8 | 9 if before > 0 => {
                        let at = random(before);
                        let size = 4 + random(600);
                        let object = &mut live[at];
                        if let Ok(data) = arena::resize(object.data, size) {
                            let moved = data.as_ptr() != object.data;
                            (object.data, object.size) = (data.as_ptr(), size);
                            if moved {
                                // It is now the newest, and belongs to the innermost scope.
                                object.scope = marks.len();
                                let object = live.remove(at);
                                live.push(object);
                            }
                        }
                    }
                    #[cfg(feature = "shred")]
                    10 if before > 0 => {
                        let object = live.last().unwrap();
                        if object.scope == marks.len() && !object.noted {
                            ptr::taint(&mut arena::handle(object.data));
                        }
                    }
                    11 if marks.len() < 6 => marks.push(arena::b(store)),
                    12 if !marks.is_empty() => {
                        arena::e(store, &marks.pop().unwrap());
                        let (kept, ended): (Vec<_>, Vec<_>) =
                            live.drain(..).partition(|object| object.scope <= marks.len());
                        live = kept;
                        let expected: Vec<u32> = ended
                            .iter()
                            .rev()
                            .filter(|object| object.noted)
                            .map(|object| object.number)
                            .collect();
                        assert_eq!(notes, expected, "seed {seed}");
                        notes.clear();
                    }
                    13 if random(30) == 0 => {
                        arena::e(store, &arena::Mark::START);
                        let expected: Vec<u32> = live
                            .iter()
                            .rev()
                            .filter(|object| object.noted)
                            .map(|object| object.number)
                            .collect();
                        assert_eq!(notes, expected, "seed {seed}");
                        (live, marks) = (Vec::new(), Vec::new());
                        notes.clear();
                    }
                    _ => {}
                }
                assert!(notes.is_empty());
                for object in &live {
                    assert_eq!(object.data.cast::<u32>().read(), object.number, "seed {seed}");
                    assert_eq!(ptr::size(arena::handle(object.data)), object.size);
                }
            }
            arena::x(store);
            let expected: Vec<u32> =
                live.iter().rev().filter(|object| object.noted).map(|object| object.number).collect();
            assert_eq!(notes, expected, "seed {seed}");
        });
    }
}
