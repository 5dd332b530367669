//! One thread allocates, another frees: objects go over a ring.

use std::cell::Cell;
use std::hint::{black_box, spin_loop};
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::time::Instant;

use crate::cells::heaps::{Glibc, Heap, Je, KmemRef, KmemShared, KmemStatic, Mimalloc, Snmalloc};
use crate::cores::{has_second, on_second};
use crate::measure::{Contestant, Row, Sample};
use crate::names;
use crate::peers::peers;
use crate::refs::meet;

const SLOTS: usize = 1024;
/// Objects of a turn.
const BATCH: u64 = 1000;

/// A ring with one writer and one reader. A slot is empty while it is null, so that the two share no counter.
struct Ring {
    slots: [AtomicPtr<u8>; SLOTS],
}

/// One end of the ring.
struct End {
    ring: Arc<Ring>,
    at: Cell<usize>,
}

impl End {
    fn slot(&self) -> &AtomicPtr<u8> {
        let at = self.at.get();
        self.at.set(at + 1);
        &self.ring.slots[at % SLOTS]
    }

    #[inline(always)]
    fn push(&self, object: *mut u8) {
        let slot = self.slot();
        while !slot.load(Ordering::Relaxed).is_null() {
            spin_loop();
        }
        // Release: the reader sees what was written to the object.
        slot.store(object, Ordering::Release);
    }

    #[inline(always)]
    fn pop(&self) -> *mut u8 {
        let slot = self.slot();
        loop {
            // Acquire: pairs with the writer's store.
            let object = slot.load(Ordering::Acquire);
            if !object.is_null() {
                slot.store(null_mut(), Ordering::Relaxed);
                return object;
            }
            spin_loop();
        }
    }
}

fn ring() -> (End, End) {
    let ring = Arc::new(Ring { slots: std::array::from_fn(|_| AtomicPtr::new(null_mut())) });
    (End { ring: Arc::clone(&ring), at: Cell::new(0) }, End { ring, at: Cell::new(0) })
}

/// No heap: what the ring itself takes.
#[derive(Clone, Copy)]
struct Nothing;

static OBJECT: [AtomicUsize; 128] = [const { AtomicUsize::new(0) }; 128];

impl Heap for Nothing {
    fn alloc(self, _: usize) -> *mut u8 {
        OBJECT.as_ptr().cast_mut().cast()
    }

    unsafe fn free(self, _: *mut u8, _: usize) {}
}

pub fn rows() -> Vec<Row> {
    if !has_second() {
        return Vec::new();
    }
    let row = |size: usize| Row::new("two threads", "ring", (size, SLOTS), names::GLIBC, move || all(size));
    vec![row(64), row(1024)]
}

fn all(size: usize) -> Vec<Contestant> {
    let peers = peers();
    let mut all = vec![
        over_ring("the ring alone", size, Nothing),
        over_ring(names::HEAP_STATIC, size, KmemStatic),
        over_ring(names::REF_STATIC, size, KmemRef),
    ];
    let mimalloc = peers.kmem_mimalloc.map(KmemShared);
    all.extend(mimalloc.map(|kmem| over_ring(names::HEAP_MIMALLOC, size, kmem)));
    all.push(over_ring(names::MIMALLOC, size, Mimalloc));
    all.push(over_ring(names::SNMALLOC, size, Snmalloc));
    all.extend(peers.jemalloc.map(|jemalloc| over_ring(names::JEMALLOC, size, Je(jemalloc))));
    all.push(over_ring(names::GLIBC, size, Glibc));
    all
}

fn over_ring<H: Heap>(name: &'static str, size: usize, heap: H) -> Contestant {
    Contestant::new(name, move |turns| {
        let objects = turns * BATCH;
        let (from, to) = ring();
        let gate = Arc::new(AtomicUsize::new(0));
        let their_gate = Arc::clone(&gate);
        let other = on_second(move || {
            meet(&their_gate);
            for _ in 0..objects {
                let object = to.pop();
                // SAFETY: it was allocated at the other end and is not used any more.
                unsafe { heap.free(object, size) };
            }
        });
        meet(&gate);
        let start = Instant::now();
        for _ in 0..objects {
            let object = black_box(heap.alloc(size));
            // SAFETY: every heap's objects have room for a word, aligned; this thread alone writes to it.
            unsafe { object.cast::<usize>().write_volatile(1) };
            from.push(object);
        }
        other.recv().expect("the second thread ends its job");
        Sample::one(objects, start.elapsed())
    })
}
