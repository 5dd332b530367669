//! `Arena` and its scopes in safe code, and what is allocated from them.

use std::alloc::Layout;
use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

#[cfg(feature = "shred")]
use kmem::HeapBox;
use kmem::{AllocError, Arena, ArenaScope, Buffer, Named, Pool, Ref, Source, SourceCell, Tree};

use crate::support::{Tally, drawn, leaks_nothing, quietly, unwind};

/// A value that writes its number when it is dropped. A negative number unwinds then.
struct Noted(i32, Arc<Mutex<Vec<i32>>>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0);
        if self.0 < 0 {
            unwind();
        }
    }
}

#[derive(Default)]
struct Notes(Arc<Mutex<Vec<i32>>>);

impl Notes {
    fn value(&self, number: i32) -> Noted {
        Noted(number, Arc::clone(&self.0))
    }

    /// Returns the notes since the last call.
    fn taken(&self) -> Vec<i32> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// On some 32-bit machines a `u64` is aligned to 4 bytes.
#[repr(align(8))]
struct Aligned(#[expect(dead_code, reason = "it has a size")] u64);

#[test]
fn a_value_without_a_destructor_takes_its_bytes_alone() {
    leaks_nothing(|| {
        let arena = Arena::new();
        let used = || arena.count().used;
        let one = arena.alloc(1u8);
        let two = arena.alloc(2u8);
        assert_eq!(NonNull::from(&mut *two).addr().get(), NonNull::from(&mut *one).addr().get() + 1);
        assert_eq!((*one, *two, used()), (1, 2, 2));
        arena.alloc(Aligned(3));
        assert_eq!(used(), 16);
        arena.alloc([4u64; 4]);
        arena.alloc_slice_copy(&[5u16; 5]);
        assert_eq!(arena.alloc_str("text"), "text");
        assert_eq!(used(), 16 + 32 + 10 + 4);
        arena.alloc(());
        arena.own(6u8);
        assert_eq!(used(), 16 + 32 + 10 + 4 + 1);
    });
}

#[test]
fn values_are_aligned_as_their_type_and_at_most_to_a_page() {
    #[repr(align(4096))]
    struct Page(u8);
    #[repr(align(64))]
    struct Line(u8);
    #[repr(align(8192))]
    #[derive(Debug)]
    struct Wide(u8);
    leaks_nothing(|| {
        let arena = Arena::new();
        for number in 0..20u8 {
            arena.alloc(number);
            assert_eq!(NonNull::from(&arena.alloc(Page(number)).0).addr().get() % 4096, 0);
            assert_eq!(NonNull::from(&arena.alloc_with(|| Line(number)).0).addr().get() % 64, 0);
            assert_eq!(NonNull::from(arena.alloc(1u32)).addr().get() % 4, 0);
            let owned = arena.own((Page(number), String::from("page"), Line(number)));
            assert_eq!(NonNull::from(&owned.0.0).addr().get() % 4096, 0);
            assert_eq!((owned.0.0, owned.1.as_str(), owned.2.0), (number, "page", number));
        }
        let refused = arena.try_alloc(Wide(7)).unwrap_err();
        assert_eq!(
            (refused.error(), refused.into_value().0),
            (AllocError::Align { align: 8192, max: 4096 }, 7)
        );
        assert!(arena.try_own_iter([Wide(7)]).is_err());
    });
}

#[test]
fn every_form_fills_blocks_of_every_size() {
    leaks_nothing(|| {
        let mut arena = Arena::new_in(kmem::Heap, 1);
        for _ in 0..2 {
            for len in (0..3000).step_by(7) {
                let copied = arena.alloc_slice_copy(&vec![1u8; len]);
                let made = arena.alloc_slice_fill_with(len, |index| index as u32);
                let cloned = arena.alloc_slice_clone(made);
                let collected = arena.alloc_iter((0..len).filter(|index| index % 2 == 0));
                let strings = arena.own_iter((0..len % 5).map(|index| index.to_string()));
                assert_eq!((copied.len(), cloned.len(), collected.len()), (len, len, len.div_ceil(2)));
                assert!(copied.iter().all(|&byte| byte == 1));
                assert!(made.iter().zip(&*cloned).enumerate().all(|(at, (a, b))| a == b && *a == at as u32));
                assert!(collected.iter().enumerate().all(|(at, number)| *number == 2 * at));
                assert!(strings.iter().enumerate().all(|(at, text)| *text == at.to_string()));
                arena.alloc_uninit::<[u8; 100]>().write([7; 100]);
            }
            arena.reset();
            assert_eq!(arena.count().used, 0);
        }
    });
}

#[test]
fn a_reference_becomes_one_to_a_trait_object_or_a_slice() {
    let arena = Arena::new();
    let values: [&mut dyn Debug; 3] = [arena.alloc(7), arena.alloc_with(|| "text"), arena.own(vec![1, 2])];
    assert_eq!(format!("{values:?}"), r#"[7, "text", [1, 2]]"#);
    let slice: &mut [u8] = arena.alloc([1, 2, 3]);
    assert_eq!(slice.len(), 3);
    let call: &mut dyn FnMut() -> i32 = arena.alloc(|| 7);
    assert_eq!(call(), 7);
}

#[test]
fn values_refer_to_each_other_in_a_circle() {
    struct Node<'a> {
        next: Cell<Option<&'a Node<'a>>>,
        edges: RefCell<ManuallyDrop<Vec<&'a Node<'a>>>>,
        number: i32,
    }
    fn node<'a>(number: i32) -> Node<'a> {
        Node { next: Cell::new(None), edges: RefCell::default(), number }
    }
    let arena = Arena::new();
    let nodes = [0, 1, 2].map(|number| &*arena.alloc(node(number)));
    for node in nodes {
        node.next.set(Some(nodes[(node.number as usize + 1) % 3]));
    }
    assert_eq!(nodes[0].next.get().unwrap().next.get().unwrap().next.get().unwrap().number, 0);
    assert!(nodes[0].edges.borrow().is_empty());
    let mut arena = Arena::new();
    arena.scope(|scope| {
        let one = scope.alloc(node(1));
        one.next.set(Some(scope.alloc(node(2))));
        assert_eq!(one.next.get().unwrap().number, 2);
    });
}

#[test]
fn values_with_destructors_refer_to_each_other_in_a_pool_of_the_arena() {
    struct Node<'a> {
        edges: RefCell<Vec<&'a Node<'a>>>,
        noted: Noted,
    }
    leaks_nothing(|| {
        let notes = Notes::default();
        let arena = Arena::new();
        {
            let pool = Pool::try_growing_in(1, &arena).unwrap();
            let node = |number| Node { edges: RefCell::default(), noted: notes.value(number) };
            let nodes = [0, 1, 2].map(|number| &*pool.alloc(node(number)).leak());
            for node in nodes {
                node.edges.borrow_mut().extend(nodes);
            }
            assert_eq!(nodes[0].edges.borrow()[2].edges.borrow()[1].noted.0, 1);
        }
        assert_eq!(notes.taken().len(), 3);
    });
}

#[test]
fn owned_values_are_dropped_newest_first_with_the_arena_its_scope_or_a_reset() {
    leaks_nothing(|| {
        let notes = Notes::default();
        let mut arena = Arena::new();
        arena.own(notes.value(1));
        arena.own_iter([notes.value(2), notes.value(3)]);
        arena.scope(|outer| {
            outer.own(notes.value(4));
            let seen = outer.scope(|inner| {
                inner.own(notes.value(5));
                inner.own_iter((6..9).map(|number| notes.value(number)));
                inner.alloc_str("between").len()
            });
            assert_eq!((seen, notes.taken()), (7, vec![6, 7, 8, 5]));
            outer.own(notes.value(9));
        });
        assert_eq!(notes.taken(), [9, 4]);
        arena.reset();
        assert_eq!(notes.taken(), [2, 3, 1]);
        arena.own(notes.value(10));
        arena.as_scope().own(notes.value(11));
        drop(arena);
        assert_eq!(notes.taken(), [11, 10]);
    });
}

#[test]
fn a_scope_frees_whatever_ends_it() {
    leaks_nothing(|| {
        let notes = Notes::default();
        let mut arena = Arena::new();
        let result = quietly(|| {
            arena.scope(|outer| {
                outer.own(notes.value(1));
                outer.scope(|inner| {
                    inner.own(notes.value(2));
                    inner.alloc([0u8; 10_000]);
                    unwind();
                });
            });
        });
        assert!(result.is_err());
        assert_eq!((notes.taken(), arena.count().used), (vec![2, 1], 0));
        let found = arena.scope(|scope| {
            scope.own(notes.value(3));
            if scope.alloc(7) == &7 {
                return Some(7);
            }
            None
        });
        assert_eq!((found, notes.taken(), arena.count().used), (Some(7), vec![3], 0));
    });
}

#[test]
fn a_destructor_that_unwinds_does_not_stop_the_others() {
    leaks_nothing(|| {
        let notes = Notes::default();
        let fill = |scope: &ArenaScope<'_, '_>| {
            for number in [1, -2, 3] {
                scope.own(notes.value(number));
            }
        };
        let mut arena = Arena::new();
        assert!(quietly(|| arena.scope(|scope| fill(scope))).is_err());
        assert_eq!((notes.taken(), arena.count().used), (vec![3, -2, 1], 0));
        fill(&arena.as_scope());
        assert!(quietly(|| arena.reset()).is_err());
        assert_eq!((notes.taken(), arena.count().used), (vec![3, -2, 1], 0));
        fill(&arena.as_scope());
        assert!(quietly(|| drop(arena)).is_err());
        assert_eq!(notes.taken(), [3, -2, 1]);
    });
}

#[test]
fn a_scope_that_was_used_before_calls_no_heap() {
    let mut arena = Arena::new();
    let mut work = || {
        arena.scope(|scope| {
            for number in 0..500 {
                scope.alloc([number; 10]);
                scope.own(Vec::<u8>::new());
            }
        });
    };
    work();
    assert_eq!(drawn(work).0, 0);
}

#[test]
fn an_arena_in_a_buffer_never_calls_the_heap() {
    let mut buffer = [MaybeUninit::uninit(); 3000];
    let calls = drawn(|| {
        let mut arena = Arena::in_buffer(&mut buffer).unwrap().named(c"buffer");
        for _ in 0..10 {
            arena.scope(|scope| {
                let mut count = 0;
                while scope.try_alloc([7u8; 100]).is_ok() {
                    count += 1;
                }
                assert!((20..30).contains(&count));
                assert!(scope.try_alloc_str(&"x".repeat(101)[..]).is_err());
                assert!(scope.try_alloc_with(|| [7u8; 101]).is_err());
                assert!(scope.try_alloc_uninit::<[u8; 101]>().is_err());
                assert!(scope.try_alloc_slice_copy(&[7u8; 101]).is_err());
                assert!(scope.try_alloc_slice_clone(&[Some(7u8); 101]).is_err());
                assert!(scope.try_alloc_slice_fill_with(101, |_| 7u8).is_err());
                assert!(scope.try_alloc_iter([7u8; 101]).is_err());
                assert!(scope.try_alloc_iter((0..200).filter(|number| *number != 3)).is_err());
                assert!(scope.try_own(SEEN).unwrap_err().into_value() == SEEN);
            });
            assert_eq!(arena.count().used, 0);
            assert!(arena.try_own(vec![0u8; 0]).is_ok());
            arena.reset();
        }
        assert_eq!(arena.name(), Some(c"buffer"));
    });
    // One string, made by this test, in each round.
    assert_eq!(calls.0, 10);
    assert!(Arena::in_buffer(&mut buffer[..100]).is_err());
    const SEEN: [u8; 101] = [7; 101];
}

#[test]
fn a_constructor_that_panics_leaves_the_arena_whole() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let mut arena = Arena::new();
        let bang = |at: usize| if at == 3 { unwind() } else { at };
        assert!(quietly(|| *arena.alloc_with(|| bang(3))).is_err());
        assert!(quietly(|| arena.alloc_slice_fill_with(5, bang).len()).is_err());
        assert!(quietly(|| arena.alloc_iter((0..5).map(bang)).len()).is_err());
        assert!(quietly(|| arena.alloc_iter((0..5).filter(|at| bang(*at) < 9)).len()).is_err());
        let count = |at| (bang(at), tally.value()).1;
        assert!(quietly(|| arena.own_iter((0..5).map(count)).len()).is_err());
        assert_eq!(tally.alive(), 0);
        arena.own(tally.value());
        assert_eq!((tally.alive(), arena.count().watched), (1, 1));
        arena.reset();
        assert_eq!((tally.alive(), arena.count().used), (0, 0));
    });
}

#[test]
fn constructors_and_iterators_may_use_the_same_arena() {
    leaks_nothing(|| {
        let arena = Arena::new_in(kmem::Heap, 1);
        let one = arena.alloc_with(|| (1, arena.alloc(2)));
        let many = arena.alloc_slice_fill_with(100, |index| (index, arena.alloc(index)));
        let collected =
            arena.alloc_iter((0..200).filter(|n| *arena.alloc(n % 2) == 0).map(|n| arena.alloc(n)));
        let owned = arena.own_iter((0..200).map(|n| arena.own(n.to_string()).clone()));
        assert_eq!((one.0, *one.1), (1, 2));
        assert!(many.iter().all(|(index, value)| *index == **value));
        assert!(collected.iter().enumerate().all(|(at, value)| **value == 2 * at));
        assert!(owned.iter().enumerate().all(|(at, text)| *text == at.to_string()));
    });
}

#[test]
fn an_iterator_that_lies_about_its_length_is_collected_whole_or_refused() {
    struct Lies(usize, usize);
    impl Iterator for Lies {
        type Item = usize;
        fn next(&mut self) -> Option<usize> {
            self.0 = self.0.checked_sub(1)?;
            Some(self.0)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (self.1, Some(self.1))
        }
    }
    leaks_nothing(|| {
        let arena = Arena::new();
        for (len, hint) in [(0, 9), (9, 0), (9, 8), (8, 9), (500, 1), (1, 500)] {
            assert_eq!(arena.alloc_iter(Lies(len, hint)).len(), len);
            assert_eq!(arena.own_iter(Lies(len, hint)).len(), len);
        }
        assert_eq!(arena.try_alloc_iter(Lies(1, usize::MAX)), Err(AllocError::Overflow));
        assert_eq!(arena.try_alloc_iter(Lies(1, usize::MAX / 8)), Err(AllocError::Overflow));
        assert_eq!(arena.try_alloc_slice_fill_with(usize::MAX / 8, |index| index), Err(AllocError::Overflow));
        assert_eq!(arena.alloc_iter((0..1000).map(|_| ())).len(), 1000);
    });
}

/// Allocates one object of every kind from a source.
fn every_kind<'s, S>(source: &'s S)
where
    S: Source,
    &'s S: kmem::CellSource + Copy,
{
    let counted = Ref::new_in(String::from("counted"), source);
    let slice = Ref::try_copy_in(&[7u8; 100], Named(c"slice", source)).unwrap();
    let again = counted.clone();
    let tree = Tree::new_in(0, source);
    for number in 0..100 {
        tree.node().push(number);
    }
    tree.push_child(7).free();
    let pool = Pool::try_growing_in(1, source).unwrap();
    let cells: Vec<_> = (0..100).map(|number| pool.alloc(number)).collect();
    let inner = Arena::new_in(source, 1);
    inner.alloc([7; 1000]);
    inner.own(vec![7]);
    drop(counted);
    assert_eq!((again.len(), slice.len(), *cells[99]), (7, 100, 99));
}

#[test]
fn every_owner_is_allocated_from_an_arena_and_from_a_scope() {
    leaks_nothing(|| {
        let mut arena = Arena::new();
        every_kind(&arena);
        arena.scope(|scope| every_kind(&*scope));
        let cell = SourceCell::new(arena);
        every_kind(&cell);
        let mut buffer = vec![MaybeUninit::uninit(); 100_000];
        every_kind(&Arena::<Buffer<'_>>::in_buffer(&mut buffer).unwrap());
    });
}

#[test]
fn objects_that_are_forgotten_are_freed_with_their_scope() {
    leaks_nothing(|| {
        let mut arena = Arena::new();
        arena.scope(|scope| {
            let scope = &*scope;
            std::mem::forget(Ref::new_in(7, scope));
            std::mem::forget(Tree::new_in(7, scope));
            let pool = Pool::try_new_in(10, scope).unwrap();
            std::mem::forget(pool.alloc(7));
            std::mem::forget(pool);
            std::mem::forget(Arena::new_in(scope, 0));
            scope.draw(Layout::new::<[u8; 100]>()).unwrap();
        });
        assert_eq!(arena.count().used, 0);
        every_kind(&arena);
    });
}

#[test]
#[cfg(feature = "allocator-api2-02")]
fn a_collection_grows_in_place_if_it_is_the_newest() {
    use allocator_api2_02::vec::Vec;
    use kmem::allocator_api2::v02::AsAllocator;
    leaks_nothing(|| {
        let arena = Arena::with_capacity(100_000);
        let mut bytes = Vec::new_in(AsAllocator::new(&arena));
        let mut other = Vec::with_capacity_in(3, AsAllocator::new(&arena));
        other.extend([1u8, 2, 3]);
        bytes.push(0u8);
        let first = bytes.as_ptr();
        for number in 1..50_000 {
            bytes.push(number as u8);
        }
        assert_eq!(bytes.as_ptr(), first);
        assert!(bytes.iter().enumerate().all(|(at, byte)| *byte == at as u8));
        bytes.truncate(10);
        bytes.shrink_to_fit();
        assert_eq!((bytes.as_ptr(), arena.count().used), (first, 3 + 10));
        drop(bytes);
        assert_eq!(arena.count().used, 3);
        other.push(4);
        assert_eq!(*other, [1, 2, 3, 4]);

        let mut map = hashbrown::HashMap::new_in(AsAllocator::new(&arena));
        let mut texts = Vec::new_in(AsAllocator::new(&arena));
        for number in 0..1000 {
            map.insert(number, number.to_string());
            texts.push(number.to_string());
        }
        assert!((0..1000).all(|number| map[&number] == texts[number as usize]));
    });
}

#[test]
#[cfg(feature = "shred")]
fn a_tainted_arena_leaves_nothing() {
    use crate::support::MARK;
    let mut buffer = vec![MaybeUninit::new(0u8); 20_000];
    {
        let mut arena = Arena::in_buffer(&mut buffer).unwrap();
        assert!(!arena.shreds());
        arena.taint();
        assert!(arena.shreds());
        arena.alloc([MARK; 100]);
        arena.scope(|scope| {
            scope.alloc([MARK; 1000]);
            scope.alloc_slice_copy(&[MARK; 33]);
            scope.alloc_iter((0..100).filter(|number| *scope.alloc(*number) != 3).map(|_| MARK));
            scope.own_iter([Some(HeapBox::new(1)), None].map(|cell| (cell, [MARK; 100])));
            let layout = Layout::new::<[u8; 99]>();
            let blocks = [(); 3].map(|()| scope.draw(layout).unwrap());
            for block in blocks {
                unsafe { block.write_bytes(MARK, 99) };
            }
            unsafe {
                scope.resize_in_place(blocks[1], layout, 20);
                scope.resize_in_place(blocks[2], layout, 20);
                scope.give_back(blocks[0], layout);
            }
            drop(Ref::new_in([MARK; 100], &*scope));
        });
        arena.alloc([MARK; 10]);
    }
    // The header of the arena lies in front of that.
    let values = &buffer[Arena::<Buffer<'_>>::OVERHEAD..];
    let is_marked =
        |bytes: &[MaybeUninit<u8>]| bytes.iter().all(|byte| unsafe { byte.assume_init() } == MARK);
    assert!(!values.windows(8).any(is_marked));
}

/// Random blocks of a source, with the contents of each compared.
#[test]
fn random_blocks_keep_their_contents() {
    struct Block {
        data: NonNull<u8>,
        layout: Layout,
        fill: u8,
    }
    impl Block {
        fn check(&self, len: usize) {
            let bytes = unsafe { std::slice::from_raw_parts(self.data.as_ptr(), len) };
            assert!(bytes.iter().all(|&byte| byte == self.fill));
        }
    }
    fn run(source: &ArenaScope<'_, '_>, random: &mut impl FnMut(usize) -> usize) {
        let mut blocks: Vec<Block> = Vec::new();
        let mut values = Vec::new();
        for step in 0..500 {
            let fill = step as u8;
            match random(8) {
                0..=2 => {
                    let most = if random(9) == 0 { 3000 } else { 100 };
                    let size = random(most);
                    let layout = Layout::from_size_align(size, 1 << random(7)).unwrap();
                    let Ok(data) = source.draw(layout) else { continue };
                    assert_eq!(data.addr().get() % layout.align(), 0);
                    unsafe { data.write_bytes(fill, size) };
                    blocks.push(Block { data, layout, fill });
                }
                3..=4 if !blocks.is_empty() => {
                    let at = if random(2) == 0 { blocks.len() - 1 } else { random(blocks.len()) };
                    let block = blocks.swap_remove(at);
                    block.check(block.layout.size());
                    unsafe { source.give_back(block.data, block.layout) };
                }
                5..=6 if !blocks.is_empty() => {
                    let at = if random(2) == 0 { blocks.len() - 1 } else { random(blocks.len()) };
                    let block = &mut blocks[at];
                    let (from, to) = (block.layout.size(), 1 + random(200));
                    if from > 0 && unsafe { source.resize_in_place(block.data, block.layout, to) } {
                        block.layout = Layout::from_size_align(to, block.layout.align()).unwrap();
                        block.check(from.min(to));
                        unsafe { block.data.write_bytes(block.fill, to) };
                    }
                }
                _ => values.extend(source.try_alloc([fill; 13])),
            }
            blocks.iter().for_each(|block| block.check(block.layout.size()));
            assert!(values.iter().all(|value| **value == [value[0]; 13]));
        }
    }
    for seed in 1..if cfg!(debug_assertions) { 40u64 } else { 1000 } {
        leaks_nothing(|| {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut random = move |below: usize| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state % below as u64) as usize
            };
            let mut buffer = vec![MaybeUninit::uninit(); 5000];
            let mut fixed = Arena::in_buffer(&mut buffer).unwrap();
            let mut arena = Arena::new_in(kmem::Heap, random(3000));
            if cfg!(feature = "shred") && seed % 4 == 0 {
                #[cfg(feature = "shred")]
                arena.taint();
            }
            run(&arena.as_scope(), &mut random);
            arena.scope(|outer| {
                run(outer, &mut random);
                outer.scope(|inner| run(inner, &mut random));
                run(outer, &mut random);
            });
            fixed.scope(|scope| run(scope, &mut random));
            run(&fixed.as_scope(), &mut random);
        });
    }
}

#[test]
fn an_arena_and_its_owned_values_move_to_another_thread() {
    let tally = Tally::default();
    let arena = Arena::new();
    arena.own(tally.value());
    let arena = std::thread::spawn(move || {
        arena.own(String::from("text"));
        arena
    });
    drop(arena.join().unwrap());
    assert_eq!(tally.alive(), 0);
}
