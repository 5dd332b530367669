//! The models: what holds whatever the threads do first. Each is a statement that its threads check together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize as Plain, Ordering::Relaxed};

use loom::cell::UnsafeCell;
use loom::thread;

use crate::atomic::{AtomicPtr, AtomicU8, AtomicUsize};
use crate::shared::{self, Left, MAX_REFS};

/// A counted cell. loom fails where a write of the value is not ordered with every other access.
struct Cell {
    refs: AtomicUsize,
    shred: AtomicU8,
    value: UnsafeCell<u32>,
    /// What each thread has done to the cell, for the last to see.
    notes: [UnsafeCell<u32>; 3],
    /// For the statement, not for the protocol: the models must not be ordered by it.
    ended: Plain,
}

impl Cell {
    fn new(refs: usize) -> Arc<Cell> {
        Arc::new(Cell {
            refs: AtomicUsize::new(refs),
            shred: AtomicU8::new(0),
            value: UnsafeCell::new(7),
            notes: std::array::from_fn(|_| UnsafeCell::new(0)),
            ended: Plain::new(0),
        })
    }

    fn up(&self) {
        assert!(shared::up(&self.refs));
    }

    fn down(&self) {
        match shared::down(&self.refs) {
            Left::Others => {}
            Left::Nobody => self.end(),
            Left::Underflow => panic!("a holder's reference was not counted"),
        }
    }

    fn end(&self) {
        self.write(0);
        self.ended.fetch_add(1, Relaxed);
    }

    fn read(&self) -> u32 {
        self.value.with(|value| unsafe { *value })
    }

    fn write(&self, new: u32) {
        self.value.with_mut(|value| unsafe { *value = new });
    }

    fn note(&self, who: usize) {
        self.notes[who].with_mut(|note| unsafe { *note += 1 });
    }

    fn notes(&self) -> u32 {
        self.notes.iter().map(|note| note.with(|note| unsafe { *note })).sum()
    }

    #[track_caller]
    fn has_ended_once(&self) {
        assert_eq!(self.ended.load(Relaxed), 1);
    }
}

/// Runs `work` on a thread each, with its number, this one being the last, and waits for all.
fn on_threads<const N: usize>(cell: &Arc<Cell>, work: [fn(&Cell, usize); N]) {
    let mut threads = Vec::new();
    for (who, work) in work.into_iter().enumerate() {
        if who + 1 == N {
            work(cell, who);
        } else {
            let cell = Arc::clone(cell);
            threads.push(thread::spawn(move || work(&cell, who)));
        }
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

pub(crate) fn the_last_of_three_holders_sees_what_all_did() {
    fn hold(cell: &Cell, who: usize) {
        cell.note(who);
        match shared::down(&cell.refs) {
            Left::Others => {}
            Left::Nobody => {
                assert_eq!(cell.notes(), 3);
                cell.end();
            }
            Left::Underflow => panic!("each has a reference of its own"),
        }
    }
    let cell = Cell::new(3);
    on_threads(&cell, [hold; 3]);
    cell.has_ended_once();
}

pub(crate) fn a_clone_made_while_others_drop_keeps_the_cell() {
    fn clone(cell: &Cell, _: usize) {
        cell.up();
        cell.down();
        assert_eq!(cell.read(), 7);
        cell.down();
    }
    let cell = Cell::new(2);
    on_threads(&cell, [clone; 2]);
    cell.has_ended_once();
}

pub(crate) fn a_clone_given_to_a_third_thread_keeps_the_cell() {
    let cell = Cell::new(2);
    let (one, other) = (Arc::clone(&cell), Arc::clone(&cell));
    let giver = thread::spawn(move || {
        one.up();
        let given = Arc::clone(&one);
        let taker = thread::spawn(move || {
            assert_eq!(given.read(), 7);
            given.down();
        });
        one.down();
        taker.join().unwrap();
    });
    assert_eq!(other.read(), 7);
    other.down();
    giver.join().unwrap();
    cell.has_ended_once();
}

pub(crate) fn a_mark_made_by_any_holder_is_seen_by_the_last() {
    fn drop(cell: &Cell, _: usize) {
        if shared::down(&cell.refs) == Left::Nobody {
            assert!(shared::is_marked(&cell.shred));
            cell.end();
        }
    }
    fn mark_and_drop(cell: &Cell, who: usize) {
        shared::mark(&cell.shred);
        drop(cell, who);
    }
    let cell = Cell::new(3);
    on_threads(&cell, [mark_and_drop, drop, drop]);
    cell.has_ended_once();
}

pub(crate) fn who_finds_no_other_holder_may_write() {
    fn clone_and_read(cell: &Cell, _: usize) {
        cell.up();
        cell.down();
        assert_eq!(cell.read(), 7);
        cell.down();
    }
    fn write_where_alone(cell: &Cell, _: usize) {
        if shared::count(&cell.refs) == 1 {
            cell.write(8);
            cell.up();
            cell.down();
            assert_eq!(cell.read(), 8);
        }
        cell.down();
    }
    let cell = Cell::new(2);
    on_threads(&cell, [clone_and_read, write_where_alone]);
    cell.has_ended_once();
}

pub(crate) fn of_two_that_take_the_value_out_one_gets_it_at_most() {
    fn take(cell: &Cell, _: usize) {
        if shared::count(&cell.refs) == 1 {
            cell.write(0);
            assert_eq!(shared::down(&cell.refs), Left::Nobody);
            cell.end();
        } else {
            assert_eq!(cell.read(), 7);
            cell.down();
        }
    }
    let cell = Cell::new(2);
    on_threads(&cell, [take; 2]);
    cell.has_ended_once();
}

pub(crate) fn dropping_too_often_leaves_the_count_as_it_was() {
    fn drop(cell: &Cell, _: usize) {
        assert_eq!(shared::down(&cell.refs), Left::Underflow);
    }
    let cell = Cell::new(0);
    on_threads(&cell, [drop; 3]);
    assert_eq!(shared::count(&cell.refs), 0);
}

pub(crate) fn of_three_that_reach_the_bound_one_passes() {
    fn up(cell: &Cell, _: usize) {
        cell.ended.fetch_add(usize::from(shared::up(&cell.refs)), Relaxed);
    }
    let cell = Cell::new(MAX_REFS - 1);
    on_threads(&cell, [up; 3]);
    assert_eq!(cell.ended.load(Relaxed), 1);
}

/// Something that a handler needs: the setter writes it before.
struct Handlers {
    slot: AtomicPtr<()>,
    needs: [UnsafeCell<u32>; 2],
}

impl Handlers {
    fn new() -> Arc<Handlers> {
        Arc::new(Handlers {
            slot: AtomicPtr::new(std::ptr::null_mut()),
            needs: std::array::from_fn(|_| UnsafeCell::new(0)),
        })
    }

    /// Sets handler `which`, 0 or 1, and calls the one before it.
    fn set(&self, which: usize) {
        self.needs[which].with_mut(|needs| unsafe { *needs = 7 });
        self.call(shared::exchange(&self.slot, std::ptr::without_provenance_mut(which + 1)));
    }

    /// Calls a handler, where there is one.
    fn call(&self, handler: *mut ()) {
        if let Some(which) = handler.addr().checked_sub(1) {
            assert_eq!(self.needs[which].with(|needs| unsafe { *needs }), 7);
        }
    }
}

pub(crate) fn who_finds_a_handler_finds_what_it_needs() {
    let handlers = Handlers::new();
    let setter = Arc::clone(&handlers);
    let setter = thread::spawn(move || setter.set(0));
    handlers.call(shared::current(&handlers.slot));
    setter.join().unwrap();
}

pub(crate) fn who_replaces_a_handler_can_call_it() {
    let handlers = Handlers::new();
    let setter = Arc::clone(&handlers);
    let setter = thread::spawn(move || setter.set(0));
    handlers.set(1);
    setter.join().unwrap();
}
