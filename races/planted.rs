//! The library's own count, for ThreadSanitizer to watch: it finds nothing here, and the race that `--cfg planted` makes by
//! taking an ordering away. `.ci/races` shows both.

use std::cell::UnsafeCell;
use std::thread;

mod atomic {
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

    pub(crate) struct AtomicUsize(pub(crate) std::sync::atomic::AtomicUsize);

    impl AtomicUsize {
        pub(crate) fn load(&self, order: Ordering) -> usize {
            self.0.load(order)
        }

        pub(crate) fn fetch_add(&self, value: usize, order: Ordering) -> usize {
            self.0.fetch_add(value, order)
        }

        pub(crate) fn fetch_sub(&self, value: usize, order: Ordering) -> usize {
            self.0.fetch_sub(value, if cfg!(planted) { Ordering::Relaxed } else { order })
        }
    }

    // This program is instrumented, so that ThreadSanitizer sees each ordering by itself.
    pub(crate) fn released<T>(_: &T) {}
    pub(crate) fn acquired<T>(_: &T) {}
}

#[path = "../kmem/src/shared.rs"]
#[allow(dead_code, reason = "the count alone is used")]
mod shared;

struct Cell {
    refs: atomic::AtomicUsize,
    value: UnsafeCell<usize>,
}

// SAFETY: the value is read by holders of a reference and written by the last, where nothing is planted.
unsafe impl Sync for Cell {}

fn hold(cell: &Cell) {
    assert!(shared::up(&cell.refs));
    for _ in 0..2 {
        // SAFETY: this thread has a reference.
        assert_eq!(unsafe { *cell.value.get() }, 7);
        if shared::down(&cell.refs) == shared::Left::Nobody {
            // SAFETY: it was the last.
            unsafe { *cell.value.get() = 0 };
        }
    }
}

fn main() {
    for _ in 0..1000 {
        let refs = atomic::AtomicUsize(std::sync::atomic::AtomicUsize::new(4));
        let mut cell = Cell { refs, value: UnsafeCell::new(7) };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| hold(&cell))).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        assert_eq!(*cell.value.get_mut(), 0);
    }
    println!("every cell ended once");
}
