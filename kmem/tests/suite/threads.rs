//! What may cross threads or be shared by them, doing so. ThreadSanitizer watches these tests: threads are joined one by one,
//! which it sees in a standard library that was not built for it.

use std::alloc::Layout;
use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use kmem::fault::{self, Fault, Handler};
use kmem::{AllocError, Heap, HeapBox, Pool, Ptr, Ref, Source, SourceCell, Tree, raw};

#[cfg(feature = "shred")]
use crate::support::{MARK, marked_when_freed};

#[path = "stress.rs"]
mod stress;
use stress::{Noted, every_cell_ends_once};

/// A value that counts its end.
struct Counts<'a>(&'a AtomicUsize);

impl Drop for Counts<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs `work` on each value on a thread of its own, all at once.
fn each_on_a_thread<T: Send, R: Send>(values: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let (gate, work) = (&Barrier::new(values.len()), &work);
    std::thread::scope(|scope| {
        let start = |value| {
            scope.spawn(move || {
                gate.wait();
                work(value)
            })
        };
        let threads: Vec<_> = values.into_iter().map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Runs `work` on what the one before it returned, each time on a new thread.
fn handed_on<T: Send>(value: T, times: usize, work: impl Fn(T) -> T + Sync) -> T {
    (0..times).fold(value, |value, _| each_on_a_thread(vec![value], &work).remove(0))
}

const MILLIONS: (usize, usize) = (20_000, 25);
const HUNDREDS_OF_MILLIONS: (usize, usize) = (250_000, 100);

fn safe_references(extent: (usize, usize)) {
    every_cell_ends_once(extent, &AtomicUsize::new(0), Ref::new, |one| one);
}

fn handles(extent: (usize, usize)) {
    /// A handle that clones without asking whether it can.
    struct Shared<'a>(Ptr<'a, Noted<'a>>);
    // SAFETY: it holds a reference to a value that is `Sync`, and whose drop may run on any thread.
    unsafe impl Send for Shared<'_> {}
    impl Clone for Shared<'_> {
        fn clone(&self) -> Self {
            Shared(self.0.try_clone().unwrap())
        }
    }
    every_cell_ends_once(extent, &AtomicUsize::new(0), |value| Shared(Ref::new(value).into()), |one| &one.0);
}

fn raw_references(extent: (usize, usize)) {
    struct Raw(*mut u8);
    // SAFETY: the cell is on the heap, and its value is shared and dropped as that of a `Ref` is.
    unsafe impl Send for Raw {}
    impl Clone for Raw {
        fn clone(&self) -> Self {
            Raw(unsafe { raw::refs::u(self.0) })
        }
    }
    impl Drop for Raw {
        fn drop(&mut self) {
            unsafe { raw::refs::f(self.0) };
        }
    }
    unsafe extern "C-unwind" fn end(data: *mut c_void, _: *mut c_void) {
        unsafe { data.cast::<Noted>().drop_in_place() };
    }
    let ended = AtomicUsize::new(0);
    let make = |value| unsafe {
        let drop = Some(raw::Destructor { run: Some(end), arg: null_mut() });
        let request = raw::Request { drop, ..raw::Request::new(size_of::<Noted>()) };
        let data = raw::refs::alloc(null_mut(), &request).unwrap();
        data.cast::<Noted>().write(value);
        Raw(data.as_ptr())
    };
    every_cell_ends_once(extent, &ended, make, |one| unsafe { &*one.0.cast() });
}

#[test]
fn cells_end_once_after_millions_of_references_over_four_threads() {
    safe_references(MILLIONS);
}

#[test]
fn cells_end_once_after_millions_of_handles_over_four_threads() {
    handles(MILLIONS);
}

#[test]
fn cells_end_once_after_millions_of_raw_references_over_four_threads() {
    raw_references(MILLIONS);
}

#[test]
#[ignore = "takes seconds, with --release"]
fn cells_end_once_after_hundreds_of_millions_of_references_over_four_threads() {
    for references in [safe_references, handles, raw_references] {
        references(HUNDREDS_OF_MILLIONS);
    }
}

#[test]
fn the_last_reference_frees_the_cell_on_whatever_thread() {
    let dropped = AtomicUsize::new(0);
    let shared = Ref::new(Counts(&dropped));
    each_on_a_thread(vec![shared.clone(); 4], |mine| {
        for _ in 0..1000 {
            drop(mine.clone());
        }
    });
    assert_eq!((Ref::count(&shared), dropped.load(Ordering::Relaxed)), (1, 0));
    each_on_a_thread(vec![shared], drop);
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn of_threads_that_share_a_value_one_at_most_may_change_it() {
    for _ in 0..1000 {
        let shared = Ref::new(vec![0]);
        let changed = each_on_a_thread(vec![shared.clone(), shared], |mut mine| {
            assert!(mine.len() == 1);
            if let Some(values) = Ref::get_mut(&mut mine) {
                values.push(1);
            }
            mine.len() - 1
        });
        assert!(changed.iter().sum::<usize>() <= 1);
    }
}

#[test]
fn of_threads_that_take_a_value_out_one_at_most_gets_it() {
    let dropped = AtomicUsize::new(0);
    for round in 1..=1000 {
        let shared = Ref::new(Counts(&dropped));
        let taken = each_on_a_thread(vec![shared.clone(), shared], |mine| Ref::try_unwrap(mine).ok());
        assert!(taken.iter().flatten().count() <= 1);
        drop(taken);
        assert_eq!(dropped.load(Ordering::Relaxed), round);
    }
}

#[test]
fn of_threads_that_give_up_their_references_for_the_value_exactly_one_gets_it() {
    const ROUNDS: usize = 20_000;
    let (dropped, arrived) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let cells: Vec<_> = (0..ROUNDS).map(|round| Ref::new((round, Counts(&dropped)))).collect();
    let taken = each_on_a_thread(vec![cells.clone(), cells], |cells| {
        let mut taken = Vec::new();
        for (round, cell) in cells.into_iter().enumerate() {
            // Both at once: a thread that has waited for long lets others run.
            arrived.fetch_add(1, Ordering::Relaxed);
            let waits = |_: &usize| arrived.load(Ordering::Relaxed) < 2 * (round + 1);
            (0..).take_while(waits).skip(1000).for_each(|_| std::thread::yield_now());
            taken.extend(Ref::into_inner(cell));
        }
        taken
    });
    let mut rounds: Vec<_> = taken.iter().flatten().map(|(round, _)| *round).collect();
    rounds.sort_unstable();
    assert!(rounds.into_iter().eq(0..ROUNDS));
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    drop(taken);
    assert_eq!(dropped.load(Ordering::Relaxed), ROUNDS);
}

#[test]
fn a_value_that_some_ask_for_and_others_only_drop_is_had_or_dropped_once() {
    const ROUNDS: usize = 5000;
    let dropped = AtomicUsize::new(0);
    let cells: Vec<_> = (0..ROUNDS).map(|_| Ref::new(Counts(&dropped))).collect();
    let held = vec![(cells.clone(), true), (cells.clone(), true), (cells, false)];
    let taken = each_on_a_thread(held, |(cells, asks)| {
        cells.into_iter().filter(|_| asks).filter_map(Ref::into_inner).collect::<Vec<_>>()
    });
    assert_eq!(taken.iter().flatten().count() + dropped.load(Ordering::Relaxed), ROUNDS);
    drop(taken);
    assert_eq!(dropped.load(Ordering::Relaxed), ROUNDS);
}

#[test]
fn references_drawn_from_a_shared_source_give_their_cells_back_on_any_thread() {
    struct Counting<'a>(&'a AtomicUsize);
    unsafe impl Source for Counting<'_> {
        fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Heap.draw(layout)
        }
        unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
            self.0.fetch_sub(1, Ordering::Relaxed);
            unsafe { Heap.give_back(block, layout) }
        }
    }
    let out = AtomicUsize::new(0);
    let source = SourceCell::new(Counting(&out));
    let made = each_on_a_thread((0..4).collect(), |who| {
        (0..100).map(|i| Ref::new_in(vec![who, i], &source)).collect::<Vec<_>>()
    });
    assert_eq!(out.load(Ordering::Relaxed), 400);
    each_on_a_thread(vec![made.clone(), made], |all| {
        assert!(all.iter().enumerate().all(|(who, cells)| cells.iter().all(|cell| cell[0] == who)));
    });
    assert_eq!(out.load(Ordering::Relaxed), 0);
}

// bumpalo GHSA-j7wg-xg3h-2pr6: a zero-sized allocation was mistaken for another thread's.
#[test]
fn zero_sized_values_are_cells_like_any_on_every_thread() {
    each_on_a_thread(vec![(); 4], |()| {
        let pool = Pool::new(100);
        let cells: Vec<_> = (0..100).map(|_| pool.alloc(())).collect();
        let addresses: std::collections::HashSet<_> =
            cells.iter().map(|cell| (&raw const **cell).addr()).collect();
        assert_eq!(addresses.len(), 100);
        let boxes: Vec<_> = (0..100).map(|_| HeapBox::new(())).collect();
        let shared = Ref::new(());
        drop((boxes, shared.clone(), cells));
        assert_eq!(pool.live(), 0);
    });
}

#[test]
fn heap_cells_end_on_another_thread_than_made_them() {
    let dropped = AtomicUsize::new(0);
    let made = each_on_a_thread(vec![(); 4], |()| {
        (0..100).map(|_| HeapBox::new(Counts(&dropped))).collect::<Vec<_>>()
    });
    each_on_a_thread(made, drop);
    assert_eq!(dropped.load(Ordering::Relaxed), 400);
}

#[test]
fn a_pool_is_handed_on_with_its_cells() {
    let dropped = AtomicUsize::new(0);
    let pool = handed_on(Pool::growing(), 8, |pool| {
        let mut cells: Vec<_> = (0..100).map(|_| pool.alloc(Counts(&dropped))).collect();
        cells.truncate(50);
        cells.into_iter().for_each(std::mem::forget);
        pool
    });
    assert_eq!((pool.live(), dropped.load(Ordering::Relaxed)), (400, 400));
    each_on_a_thread(vec![pool], drop);
    assert_eq!(dropped.load(Ordering::Relaxed), 800);
}

#[test]
fn values_in_a_pool_are_read_by_many_threads() {
    let pool = Pool::new(100);
    let cells: Vec<_> = (0..100).map(|i| pool.alloc(i)).collect();
    let sums = each_on_a_thread(vec![&cells; 4], |cells| cells.iter().map(|cell| **cell).sum::<i32>());
    assert_eq!(sums, [4950; 4]);
}

#[test]
fn values_in_a_pool_are_shown_on_another_thread_as_the_pool_is_used_here() {
    let pool = Pool::growing();
    let shown = pool.alloc(String::from("shown"));
    let gate = Barrier::new(2);
    std::thread::scope(|scope| {
        let (shown, gate) = (&shown, &gate);
        let other = scope.spawn(move || {
            gate.wait();
            (0..1000).for_each(|_| assert_eq!(format!("{shown:?}"), "\"shown\""));
        });
        gate.wait();
        for _ in 0..20 {
            let mut cells: Vec<_> = (0..200).map(|number: i32| pool.alloc(number.to_string())).collect();
            #[cfg(feature = "shred")]
            cells[7].taint();
            cells.truncate(100);
        }
        other.join().unwrap();
    });
}

#[test]
fn a_tree_is_handed_on_with_its_children() {
    let dropped = AtomicUsize::new(0);
    let tree = handed_on(Tree::new(Counts(&dropped)), 8, |tree| {
        tree.node().push(Counts(&dropped)).push(Counts(&dropped));
        tree.push_child(String::from("of another type"));
        tree
    });
    assert_eq!((tree.node().below(), dropped.load(Ordering::Relaxed)), (24, 0));
    each_on_a_thread(vec![tree], drop);
    assert_eq!(dropped.load(Ordering::Relaxed), 17);
}

#[cfg(feature = "shred")]
#[test]
fn a_taint_by_any_thread_reaches_the_one_that_frees() {
    for taint in [true, false] {
        let mut marked = 0;
        for round in 0..400 {
            let shared = Ref::new([MARK; 64]);
            // More than one may taint, at once with others that drop.
            let held = (0..4).map(|who| (shared.clone(), taint && who <= round % 4)).collect();
            drop(shared);
            let seen = each_on_a_thread(held, |(mine, taint)| {
                marked_when_freed(move || {
                    if taint {
                        Ref::taint(&mine);
                    }
                })
            });
            marked += seen.into_iter().sum::<usize>();
        }
        assert_eq!(marked, if taint { 0 } else { 400 });
    }
}

/// Every test of this program sets the same handler, so this one does its work in a child.
#[test]
fn every_fault_reaches_one_of_the_handlers_that_are_exchanged_meanwhile() {
    const NAME: &str = "threads::every_fault_reaches_one_of_the_handlers_that_are_exchanged_meanwhile";
    const CHILD: &str = "KMEM_TEST_EXCHANGES";
    const TIMES: usize = 10_000;
    static SEEN: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

    fn one(_: &Fault) {
        SEEN[0].fetch_add(1, Ordering::Relaxed);
    }
    fn other(_: &Fault) {
        SEEN[1].fetch_add(1, Ordering::Relaxed);
    }
    fn is_one(handler: Option<Handler>) -> usize {
        usize::from(std::ptr::fn_addr_eq(handler.expect("a handler"), one as Handler))
    }
    if std::env::var_os(CHILD).is_some() {
        fault::set_handler(Some(one));
        let block = [0u128; 4];
        let was_one = each_on_a_thread(vec![Some(one as Handler), Some(other), None, None], |handler| {
            let fault = || unsafe { raw::heap::f((&raw const block[2]).cast_mut().cast()) };
            (0..TIMES)
                .map(|_| match handler {
                    Some(handler) => is_one(fault::set_handler(Some(handler))),
                    None => {
                        fault();
                        0
                    }
                })
                .sum::<usize>()
        });
        let out = was_one.iter().sum::<usize>() + is_one(fault::set_handler(None));
        assert_eq!(out, TIMES + 1, "every handler that is set comes back once");
        let seen: usize = SEEN.iter().map(|seen| seen.load(Ordering::Relaxed)).sum();
        println!("{seen} faults were seen");
        return;
    }
    let output = crate::support::this_program()
        .args(["--exact", NAME, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("20000 faults were seen"), "{output:?}");
}
