//! The C functions from several threads at once.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

use kmem_capi::{Options, heap, ptr, refs};

#[path = "../../kmem/tests/suite/stress.rs"]
mod stress;
use stress::{Noted, every_cell_ends_once};

/// A reference that C functions add and drop.
struct Counted(*mut c_void);

// SAFETY: the cell is on the heap, and its value may be shared and dropped by any thread.
unsafe impl Send for Counted {}

impl Clone for Counted {
    fn clone(&self) -> Self {
        // SAFETY: the owner has a reference.
        Counted(unsafe { refs::kmrefu(self.0) })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // SAFETY: the reference of the owner ends here.
        unsafe { refs::kmrefd(self.0) }
    }
}

unsafe extern "C-unwind" fn end(data: *mut c_void, _: *mut c_void) {
    // SAFETY: the cells of `made_by_c` hold such a value, and are freed once.
    unsafe { data.cast::<Noted>().drop_in_place() };
}

fn made_by_c(extent: (usize, usize)) {
    let ended = AtomicUsize::new(0);
    let options = Options {
        sz: size_of::<Noted>(),
        align: 0,
        drop: Some(end),
        arg: null_mut(),
        zero: 0,
        grow: 0,
        name: std::ptr::null(),
        shred: 0,
    };
    let make = |value| {
        // SAFETY: the cell has room for the value, which its destructor suits.
        unsafe {
            let data = refs::kmrefw(null_mut(), &raw const options);
            data.cast::<Noted>().write(value);
            Counted(data)
        }
    };
    // SAFETY: the cell lives as long as the reference, and holds what was written to it.
    every_cell_ends_once(extent, &ended, make, |one| unsafe { &*one.0.cast() });
}

#[test]
fn cells_end_once_after_millions_of_c_references_over_four_threads() {
    made_by_c((20_000, 25));
}

#[test]
#[ignore = "takes seconds, with --release"]
fn cells_end_once_after_hundreds_of_millions_of_c_references_over_four_threads() {
    made_by_c((250_000, 100));
}

#[test]
fn heap_cells_are_freed_on_another_thread_than_made_them() {
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C-unwind" fn count(_: *mut c_void, _: *mut c_void) {
        ENDED.fetch_add(1, Ordering::Relaxed);
    }
    struct Sent(kmem::raw::Handle);
    // SAFETY: a heap cell may be freed on any thread.
    unsafe impl Send for Sent {}
    let make = || {
        let options = Options {
            sz: 8,
            align: 0,
            drop: Some(count),
            arg: null_mut(),
            zero: 0,
            grow: 0,
            name: std::ptr::null(),
            shred: 0,
        };
        // SAFETY: the destructor does not look at the data.
        (0..100).map(|_| Sent(unsafe { heap::kmheapwo(&raw const options) })).collect::<Vec<_>>()
    };
    let made: Vec<_> = (0..4).map(|_| std::thread::spawn(make)).collect();
    let made: Vec<_> = made.into_iter().map(|thread| thread.join().unwrap()).collect();
    let free = |cells: Vec<Sent>| {
        std::thread::spawn(|| {
            for Sent(cell) in cells {
                // SAFETY: each handle is freed once.
                unsafe { ptr::kmfree(cell) };
            }
        })
    };
    let frees: Vec<_> = made.into_iter().map(free).collect();
    frees.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(ENDED.load(Ordering::Relaxed), 400);
}
