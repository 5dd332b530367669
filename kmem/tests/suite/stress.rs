//! References by the million over threads, of whatever owner counts them.

use std::cell::UnsafeCell;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

const THREADS: usize = 4;

/// A value that every thread writes to, each in its own place and without atomics: whoever drops it must see it all.
pub struct Noted<'a> {
    notes: [UnsafeCell<usize>; THREADS],
    ended: &'a AtomicUsize,
}

// SAFETY: each thread has a note of its own, and drops its references after it has written it.
unsafe impl Sync for Noted<'_> {}

impl<'a> Noted<'a> {
    fn new(ended: &'a AtomicUsize) -> Self {
        Noted { notes: [const { UnsafeCell::new(0) }; THREADS], ended }
    }

    fn note(&self, who: usize, clones: usize) {
        // SAFETY: this thread alone writes here, and nobody reads before the last reference is dropped.
        unsafe { *self.notes[who].get() += clones };
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        let first = *self.notes[0].get_mut();
        let same = self.notes.iter_mut().all(|note| *note.get_mut() == first);
        assert!(same && first != 0, "the last holder sees what the others did");
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// Gives each of four threads a reference to each of `cells` cells. All threads go through the cells together, clone and drop
/// each `clones` times and give up their reference, so that they race for the last one. Every cell must end once.
pub fn every_cell_ends_once<'a, R: Clone + Send>(
    (cells, clones): (usize, usize),
    ended: &'a AtomicUsize,
    make: impl Fn(Noted<'a>) -> R,
    value: impl Fn(&R) -> &Noted<'a> + Sync,
) {
    const TOGETHER: usize = 500;
    let first: Vec<R> = (0..cells).map(|_| make(Noted::new(ended))).collect();
    let mut held: Vec<Vec<R>> = (1..THREADS).map(|_| first.clone()).collect();
    held.push(first);
    assert_eq!(ended.load(Ordering::Relaxed), 0);
    let (gate, value) = (&Barrier::new(THREADS), &value);
    std::thread::scope(|scope| {
        let work = |(who, mine): (usize, Vec<R>)| {
            scope.spawn(move || {
                for (turn, mine) in mine.into_iter().enumerate() {
                    if turn % TOGETHER == 0 {
                        gate.wait();
                    }
                    value(&mine).note(who, clones);
                    for _ in 0..clones {
                        drop(mine.clone());
                    }
                }
            })
        };
        let threads: Vec<_> = held.into_iter().enumerate().map(work).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert_eq!(ended.load(Ordering::Relaxed), cells);
}
