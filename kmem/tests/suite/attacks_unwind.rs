//! Panics in every callback, and owners dropped while a panic unwinds.

use std::alloc::Layout;
use std::cell::Cell;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ptr::NonNull;

use kmem::raw::report;
use kmem::{AllocError, Heap, HeapBox, Pool, Ptr, Ref, Source, SourceCell, Tree, unsize};

use crate::support::{Counted, Tally, leaks_nothing, quietly, unwind};

/// Unwinds when it has been struck as often as it was wound up for, once.
struct Fuse(Cell<usize>);

impl Fuse {
    fn new(strikes: usize) -> Fuse {
        Fuse(Cell::new(strikes))
    }

    fn strike(&self) {
        match self.0.get() {
            0 => {}
            1 => {
                self.0.set(0);
                unwind()
            }
            left => self.0.set(left - 1),
        }
    }
}

/// A value whose every trait may unwind, and which a tally counts whether or not it does.
struct Touchy<'f>(&'f Fuse, #[allow(dead_code, reason = "it is there to be dropped")] Counted);

impl Drop for Touchy<'_> {
    fn drop(&mut self) {
        self.0.strike();
    }
}

impl Clone for Touchy<'_> {
    fn clone(&self) -> Self {
        self.0.strike();
        Touchy(self.0, self.1.clone())
    }
}

impl fmt::Debug for Touchy<'_> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.strike();
        Ok(())
    }
}

impl fmt::Display for Touchy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl PartialEq for Touchy<'_> {
    fn eq(&self, _: &Self) -> bool {
        self.0.strike();
        true
    }
}

impl Eq for Touchy<'_> {}

impl PartialOrd for Touchy<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Touchy<'_> {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        self.0.strike();
        std::cmp::Ordering::Equal
    }
}

impl Hash for Touchy<'_> {
    fn hash<H: Hasher>(&self, _: &mut H) {
        self.0.strike();
    }
}

impl std::error::Error for Touchy<'_> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.strike();
        None
    }
}

/// Runs `work` with a fuse of every length up to one that lasts, and asserts that whatever unwound, every value that was
/// made is dropped once and no block is lost. Returns how many times it unwound.
#[track_caller]
fn at_every_strike(mut work: impl FnMut(&Fuse, &Tally)) -> usize {
    for strikes in 1.. {
        let unwound = leaks_nothing(|| {
            let (fuse, tally) = (Fuse::new(strikes), Tally::default());
            let unwound = quietly(|| work(&fuse, &tally)).is_err();
            assert_eq!(tally.alive(), 0, "at strike {strikes}");
            unwound
        });
        if !unwound {
            return strikes - 1;
        }
    }
    unreachable!("work ends")
}

#[test]
fn every_trait_of_every_owner_may_unwind() {
    fn traits<O>(owner: &O)
    where
        O: fmt::Debug + fmt::Display + Ord + Hash + std::error::Error,
    {
        let _ =
            (format!("{owner:?}{owner}"), owner == owner, owner < owner, owner.cmp(owner), owner.source());
        owner.hash(&mut DefaultHasher::new());
    }
    const TRAITS: usize = 7;
    let unwound = at_every_strike(|fuse, tally| {
        let value = || Touchy(fuse, tally.value());
        let pool = Pool::new(2);
        let tree = Tree::new(value());
        let (heap, counted, cell) = (HeapBox::new(value()), Ref::new(value()), pool.alloc(value()));
        let handles = [HeapBox::new(value()).into(), counted.clone().into(), pool.alloc(value()).into()];
        let handles: [Ptr<'_, _>; 3] = handles;
        traits(&heap);
        traits(&counted);
        traits(&cell);
        traits(&tree);
        handles.iter().for_each(traits);
        traits(&handles[0].as_borrowed());
    });
    assert_eq!(unwound, 8 * TRAITS + 6, "as many traits, and the destructors of six values");
}

#[test]
fn clones_may_unwind() {
    let unwound = at_every_strike(|fuse, tally| {
        let value = || Touchy(fuse, tally.value());
        let values: Vec<_> = (0..3).map(|_| value()).collect();
        let heap = HeapBox::<[_]>::from(&values[..]);
        let counted = Ref::<[_]>::from(&values[..]);
        let one = HeapBox::new(value()).clone();
        let mut shared = Ref::new(value());
        let other = shared.clone();
        Ref::make_mut(&mut shared);
        drop((heap, counted, one, other));
    });
    assert_eq!(unwound, 3 + 3 + 1 + 1 + 3 + 3 + 3 + 1 + 1 + 1 + 1);
}

#[test]
fn functions_that_make_elements_may_unwind_at_each() {
    let pool = Pool::bytes(1000, 1);
    let source = SourceCell::new(Heap);
    at_every_strike(|fuse, tally| {
        let make = |_| {
            fuse.strike();
            tally.value()
        };
        let heap = HeapBox::try_from_fn_in(5, make, Heap).unwrap();
        let counted = Ref::try_from_fn_in(5, make, Heap).unwrap();
        let in_pool = Ref::try_from_fn_in(5, make, &pool).unwrap();
        let in_source = Ref::try_from_fn_in(5, make, &source).unwrap();
        let collected: (HeapBox<[_]>, Ref<[_]>) = ((0..5).map(make).collect(), (0..5).map(make).collect());
        assert_eq!((heap.len(), counted.len(), in_pool.len(), in_source.len()), (5, 5, 5, 5));
        assert_eq!((collected.0.len(), collected.1.len(), tally.alive()), (5, 5, 30));
        // Of unknown number, so that the cells grow.
        let some = || (0..20).map(make).filter(|_| true);
        let collected: (HeapBox<[_]>, Ref<[_]>) = (some().collect(), some().collect());
        assert_eq!((collected.0.len(), collected.1.len(), tally.alive()), (20, 20, 70));
    });
    assert_eq!(pool.live(), 0);
}

#[test]
fn iterators_may_unwind_as_they_are_asked_for_their_length_for_a_value_or_dropped() {
    struct Unwinding<'f>(std::ops::Range<usize>, &'f Fuse, &'f Tally);
    impl Iterator for Unwinding<'_> {
        type Item = Counted;
        fn next(&mut self) -> Option<Counted> {
            self.1.strike();
            self.0.next().map(|_| self.2.value())
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            self.1.strike();
            (self.0.len() / 2, None)
        }
    }
    impl Drop for Unwinding<'_> {
        fn drop(&mut self) {
            self.1.strike();
        }
    }
    let unwound = at_every_strike(|fuse, tally| {
        let heap: HeapBox<[_]> = Unwinding(0..9, fuse, tally).collect();
        let counted: Ref<[_]> = Unwinding(0..9, fuse, tally).collect();
        assert_eq!((heap.len(), counted.len(), tally.alive()), (9, 9, 18));
    });
    assert_eq!(unwound, 2 * (1 + 10 + 1));
}

#[test]
fn destructors_of_elements_may_unwind_as_a_slice_is_dropped_or_refused() {
    at_every_strike(|fuse, tally| {
        #[repr(align(8192))]
        struct Wide<'f>(#[allow(dead_code, reason = "it is there to be dropped")] Touchy<'f>);
        let touchy = || Touchy(fuse, tally.value());
        drop(HeapBox::<[_]>::from(vec![touchy(), touchy()]));
        drop(Ref::<[_]>::from(vec![touchy(), touchy()]));
        drop((0..20).map(|_| touchy()).filter(|_| true).collect::<HeapBox<[_]>>());
        assert!(HeapBox::<[Wide<'_>]>::try_from_fn_in(2, |_| Wide(touchy()), Heap).is_err());
    });
}

#[test]
fn destructors_may_unwind_wherever_their_value_is() {
    let sources = (Pool::bytes(2000, 20), SourceCell::new(Heap));
    at_every_strike(|fuse, tally| {
        let value = || Touchy(fuse, tally.value());
        let pool = Pool::try_growing_in(1, Heap).unwrap();
        drop(HeapBox::new(value()));
        drop(Ref::new_in(value(), &sources.0));
        drop(pool.alloc(value()));
        drop(HeapBox::try_from_fn_in(3, |_| value(), Heap));
        drop(Ref::try_from_fn_in(3, |_| value(), &sources.1));
        drop(Ptr::from(pool.alloc(value())));
        drop(unsize!(HeapBox::new([value(), value()]) => [Touchy<'_>]));
        drop(unsize!(Ref::new(value()) => dyn fmt::Debug + '_));
        drop(HeapBox::new(value()).into_inner());
        drop(pool.alloc(value()).into_inner());
        #[cfg(feature = "shred")]
        {
            pool.alloc(value()).shred();
            Ptr::from(HeapBox::new(value())).shred();
            Tree::new_in(value(), &sources.0).shred();
        }
        for _ in 0..5 {
            std::mem::forget(pool.alloc(value()));
        }
        drop(pool);
    });
    assert_eq!(sources.0.live(), 0);
}

/// Adds to a tree in width and depth, and pools whose values are left to it.
fn fill<'f, S>(tree: &Tree<Touchy<'f>, S>, fuse: &'f Fuse, tally: &Tally) {
    let value = || Touchy(fuse, tally.value());
    for _ in 0..3 {
        let child = tree.node().push(value());
        child.push(value()).push(value());
        child.push(value());
        let pool = tree.node().try_push_pool(2).unwrap();
        std::mem::forget(pool.alloc(tally.value()));
        std::mem::forget(pool);
    }
}

#[test]
fn destructors_may_unwind_at_every_place_of_a_tree() {
    let store = Pool::bytes(320, 100);
    at_every_strike(|fuse, tally| {
        let value = || Touchy(fuse, tally.value());
        let inner = Pool::<Touchy<'_>, _>::try_new_in(1, &store).unwrap();
        let mut tree = Tree::new_in(value(), &store);
        fill(&tree, fuse, tally);
        tree.clear();
        fill(&tree, fuse, tally);
        let mut kept = 0;
        tree.retain(|_| {
            kept += 1;
            kept == 2
        });
        fill(&tree, fuse, tally);
        drop(tree.into_inner());
        drop(inner.alloc(value()));
        let tree = Tree::new_in(value(), &store);
        fill(&tree, fuse, tally);
        drop(Ptr::from(tree));
    });
    assert_eq!(store.live(), 0);
}

#[test]
fn destructors_of_a_pool_in_a_tree_may_unwind() {
    thread_local! {
        static FUSE: Fuse = const { Fuse(Cell::new(0)) };
    }
    struct Strikes(#[allow(dead_code, reason = "it is there to be dropped")] Counted);
    impl Drop for Strikes {
        fn drop(&mut self) {
            FUSE.with(Fuse::strike);
        }
    }
    let unwound = at_every_strike(|fuse, tally| {
        FUSE.with(|own| own.0.set(fuse.0.get()));
        let tree = Tree::new(0);
        let node = tree.push_child(Strikes(tally.value()));
        let kept = tree.node().try_push_pool(3).unwrap();
        for pool in [&node.node().try_push_pool(3).unwrap(), &kept] {
            (0..3).for_each(|_| std::mem::forget(pool.alloc(Strikes(tally.value()))));
        }
        let forgotten = node.node().try_push_pool(3).unwrap();
        (0..3).for_each(|_| std::mem::forget(forgotten.alloc(Strikes(tally.value()))));
        std::mem::forget((forgotten, kept));
        node.free();
    });
    assert_eq!(unwound, 10);
}

#[test]
fn what_is_asked_about_each_child_may_unwind() {
    let unwound = at_every_strike(|fuse, tally| {
        let mut tree = Tree::new(tally.value());
        for _ in 0..5 {
            tree.node().push(tally.value()).push(tally.value());
        }
        let mut asked = 0usize;
        let result = quietly(|| {
            tree.retain(|_| {
                fuse.strike();
                asked += 1;
                asked % 2 == 0
            })
        });
        assert_eq!(tree.node().children().count(), 5 - asked.div_ceil(2));
        assert_eq!(tree.node().below(), 2 * (5 - asked.div_ceil(2)));
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
    assert_eq!(unwound, 5);
}

/// A source over the heap that may unwind as it draws, or once it has taken a block back.
struct Unreliable<'f>(&'f Fuse, &'f Fuse);

unsafe impl Source for Unreliable<'_> {
    fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.0.strike();
        Heap.draw(layout)
    }
    unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
        unsafe { Heap.give_back(block, layout) };
        self.1.strike();
    }
    fn shreds(&self) -> bool {
        self.0.strike();
        false
    }
}

/// Draws from a source in every way that there is.
fn draws(source: Unreliable<'_>, tally: &Tally) {
    let source = SourceCell::new(source);
    let counted = Ref::new_in(tally.value(), &source);
    let slice = Ref::try_from_fn_in(3, |_| tally.value(), &source);
    let tree = Tree::new_in(tally.value(), &source);
    tree.node().push(tally.value()).push_child(tally.value());
    let hosted = tree.node().try_push_pool(2).unwrap();
    let cell = hosted.alloc(tally.value());
    let pool = Pool::try_growing_in(1, &source).unwrap();
    let cells = [(); 3].map(|()| pool.alloc(tally.value()));
    let bytes = Pool::try_growing_bytes_in(100, 1, &source).unwrap();
    let inner = [(); 3].map(|()| Ref::new_in(tally.value(), &bytes));
    drop((counted, slice, cell, cells, inner));
}

#[test]
fn sources_may_unwind_as_they_are_drawn_from() {
    let unwound = at_every_strike(|fuse, tally| draws(Unreliable(fuse, &Fuse::new(0)), tally));
    assert_eq!(unwound, 11, "one look, and one draw for each cell, node and block");
}

#[test]
fn sources_may_unwind_as_they_take_back_what_then_is_given_back_no_more() {
    // What a pool had not given back yet is lost where this happens, so blocks are not counted here.
    let kept = Pool::growing_bytes(4096);
    for strikes in 1.. {
        let (fuse, tally, whole) = (Fuse::new(strikes), Tally::default(), Fuse::new(0));
        let unwound = quietly(|| {
            struct FromPool<'p, 'f>(&'p Pool, Unreliable<'f>);
            unsafe impl Source for FromPool<'_, '_> {
                fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
                    self.0.draw(layout)
                }
                unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
                    unsafe { Source::give_back(self.0, block, layout) };
                    self.1.1.strike();
                }
            }
            let source = SourceCell::new(FromPool(&kept, Unreliable(&whole, &fuse)));
            let tree = Tree::new_in(tally.value(), &source);
            tree.node().push(tally.value()).push(tally.value());
            tree.push_child(tally.value()).free();
            let pool = Pool::try_growing_in(1, &source).unwrap();
            let cells = [(); 3].map(|()| pool.alloc(tally.value()));
            drop(Ref::new_in(tally.value(), &source));
            assert_eq!(Ref::try_unwrap(Ref::new_in(7, &source)).ok(), Some(7));
            drop(cells);
            drop(tree);
        });
        assert_eq!(tally.alive(), 0, "at strike {strikes}");
        if unwound.is_ok() {
            assert_eq!(strikes - 1, 3 + 1 + 2 + 1 + 1);
            break;
        }
    }
}

#[test]
fn owners_are_dropped_as_the_stack_unwinds() {
    leaks_nothing(|| {
        let tally = Tally::default();
        let result = quietly(|| {
            let value = || tally.value();
            let (heap, counted) = (HeapBox::new(value()), Ref::new(value()));
            let shared = counted.clone();
            let bytes = Pool::bytes(400, 9);
            let inner = Ref::new_in(value(), &bytes);
            let pool = Pool::new(5);
            let cell = pool.alloc(value());
            pool.alloc(value()).leak();
            let tree = Tree::new_in(value(), &bytes);
            let node = tree.push_child(value());
            node.node().push(value());
            let hosted = tree.node().try_push_pool(2).unwrap();
            let hosted_cell = hosted.alloc(value());
            let handles: [Ptr<'_, _>; 3] =
                [tree.push_child(value()).into(), pool.alloc(value()).into(), inner.into()];
            let parts = unsize::split(Ref::new_in((), &bytes));
            let walk = tree.node().children();
            assert_eq!(tally.alive(), 11);
            if tally.alive() == 11 {
                unwind();
            }
            drop((heap, shared, cell, node, hosted_cell, handles, walk, parts));
        });
        assert!(result.is_err());
        assert_eq!(tally.alive(), 0);
    });
}

#[test]
fn stores_may_be_used_by_destructors_while_another_panic_unwinds() {
    struct Uses<'s>(&'s Pool<Counted>, &'s Tree<Counted>, &'s Tally);
    impl Drop for Uses<'_> {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            drop(self.0.alloc(self.2.value()));
            self.0.alloc(self.2.value()).leak();
            self.1.node().push(self.2.value()).push_child(self.2.value()).free();
            let inner = quietly(|| {
                let _in_turn = self.0.alloc(self.2.value());
                unwind()
            });
            assert!(inner.is_err());
        }
    }
    leaks_nothing(|| {
        let tally = Tally::default();
        let (pool, tree) = (Pool::growing(), Tree::new(tally.value()));
        let result = quietly(|| {
            let cells = Pool::new(3);
            cells.alloc(Uses(&pool, &tree, &tally)).leak();
            let _node = Tree::new(Uses(&pool, &tree, &tally));
            unwind()
        });
        assert!(result.is_err());
        assert_eq!((pool.live(), tree.node().below(), tally.alive()), (2, 2, 5));
        drop((pool, tree));
        assert_eq!(tally.alive(), 0);
    });
}

#[test]
fn what_writes_a_report_may_unwind_and_is_not_called_again() {
    let tree = Tree::new(0);
    for number in 1..100 {
        tree.node().push(number);
    }
    let root = Ptr::from(tree).into_raw().data;
    for fine in 0..20 {
        let mut calls = 0;
        let reported = quietly(|| unsafe {
            report::text(root, usize::MAX, &mut |_| {
                calls += 1;
                if calls > fine {
                    unwind()
                }
            });
        });
        assert_eq!((calls, reported.is_ok()), (calls.min(fine + 1), calls <= fine));
    }
    unsafe { kmem::raw::tree::f(root) };
}

/// Two panics at once end the program, as everywhere in Rust, and do nothing else. The program that ends is a child of
/// this one.
#[cfg(unix)]
#[test]
fn a_second_panic_while_the_first_unwinds_ends_the_program() {
    use crate::support::{again, role};
    use std::os::unix::process::ExitStatusExt;
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            unwind();
        }
    }
    type Attempt = (&'static str, fn());
    let attempts: [Attempt; 8] = [
        ("tree", || {
            let tree = Tree::new(Bomb);
            tree.node().push(Bomb);
        }),
        ("deep tree", || {
            let tree = Tree::new(Bomb);
            tree.node().push(Bomb).push(Bomb).push(Bomb);
        }),
        ("pool", || {
            let pool = Pool::new(2);
            (0..2).for_each(|_| std::mem::forget(pool.alloc(Bomb)));
        }),
        ("hosted pool", || {
            let tree = Tree::new(());
            let pool = tree.node().try_push_pool(2).unwrap();
            (0..2).for_each(|_| std::mem::forget(pool.alloc(Bomb)));
        }),
        ("slice", || drop(HeapBox::try_from_fn_in(2, |_| Bomb, Heap))),
        ("slice in the making", || {
            drop(Ref::try_from_fn_in(2, |i| if i == 0 { Bomb } else { unwind() }, Heap))
        }),
        ("owner as another panic unwinds", || {
            let _cell = HeapBox::new(Bomb);
            unwind()
        }),
        ("source", || {
            let (draws, frees) = (Fuse::new(0), Fuse::new(1));
            let source = SourceCell::new(Unreliable(&draws, &frees));
            drop(Ref::new_in(Bomb, &source));
        }),
    ];
    match role() {
        Some(role) => {
            let (_, attempt) = attempts.iter().find(|(name, _)| *name == role).unwrap();
            let _ = quietly(attempt);
            std::process::exit(0);
        }
        None => {
            for (name, _) in attempts {
                let output =
                    again("attacks_unwind::a_second_panic_while_the_first_unwinds_ends_the_program", name);
                assert_eq!(output.status.signal(), Some(6), "{name}: {output:?}");
            }
        }
    }
}
