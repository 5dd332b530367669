//! Cells and bytes of each method in the whole program, counted if the feature `totals` is on.
//!
//! Each copy of kmem has its own counters. A cell that one copy allocates and another frees makes one count too large and the other
//! too small.

#[cfg(feature = "totals")]
use crate::atomic::{AtomicUsize, Ordering};

use crate::cell::Kind;

/// The cells and bytes of a method (`kmtotals` in C).
/// Exhaustive: C code relies on the layout.
#[cfg(feature = "totals")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Total {
    /// Live cells. For pools: blocks, one for each pool and one more each time that a pool grows. For arenas: the arenas.
    pub cells: usize,
    /// Bytes of their blocks, headers included.
    pub block: usize,
    /// Peak number of bytes.
    pub most: usize,
}

#[cfg(feature = "totals")]
#[derive(Debug)]
struct Counter {
    cells: AtomicUsize,
    bytes: AtomicUsize,
    most: AtomicUsize,
}

/// Indexed by the number of the kind.
#[cfg(feature = "totals")]
static COUNTERS: [Counter; 7] =
    [const { Counter { cells: AtomicUsize::new(0), bytes: AtomicUsize::new(0), most: AtomicUsize::new(0) } };
        7];

/// Returns the current totals of a method. A cell allocated from a pool is counted under its own method, and again as
/// part of the block of the pool. The cells of a pool and the objects of an arena are not counted here, see
/// [`pool::count`](super::pool::count) and [`arena::count`](super::arena::count).
/// [`Kind::None`] and [`Kind::Source`] are not counted.
///
/// While other threads allocate, the three numbers may differ by an allocation. On processors without atomic
/// read-modify-write, an interrupt handler that allocates may make them wrong.
///
/// ```
/// use kmem::{HeapBox, Kind, totals};
/// let cell = HeapBox::new([0u8; 1000]);
/// let total = totals::of(Kind::Heap);
/// assert!(total.cells >= 1 && total.block > 1000 && total.most >= total.block);
/// # drop(cell);
/// ```
#[cfg(feature = "totals")]
#[must_use]
pub fn of(kind: Kind) -> Total {
    // Relaxed, here and below: no other memory access depends on these numbers.
    let read = |from: &AtomicUsize| from.load(Ordering::Relaxed);
    COUNTERS.get(kind as usize).map_or(Total::default(), |counter| {
        let bytes = read(&counter.bytes);
        // A thread may have added its bytes but not yet raised the peak.
        Total { cells: read(&counter.cells), block: bytes, most: read(&counter.most).max(bytes) }
    })
}

/// Counts a new cell, and the bytes of its block. Objects of an arena are not counted, because the end of a scope does not visit them.
#[inline(always)]
pub(crate) fn made(kind: Kind, bytes: usize) {
    if kind != Kind::Arena {
        add(kind, 1, bytes);
    }
}

/// Counts bytes that were allocated for an existing cell, beside its block.
#[inline(always)]
pub(crate) fn drawn(kind: Kind, bytes: usize) {
    if kind != Kind::Arena {
        add(kind, 0, bytes);
    }
}

/// Counts a cell that is freed, and the bytes of its block.
#[inline(always)]
pub(crate) fn ended(kind: Kind, bytes: usize) {
    if kind != Kind::Arena {
        subtract(kind, 1, bytes);
    }
}

/// Counts bytes beside the block of a cell that are freed.
#[inline(always)]
pub(crate) fn returned(kind: Kind, bytes: usize) {
    if kind != Kind::Arena {
        subtract(kind, 0, bytes);
    }
}

/// Counts cells of a kind, and bytes.
#[inline(always)]
pub(crate) fn add(kind: Kind, cells: usize, bytes: usize) {
    #[cfg(feature = "totals")]
    if let Some(counter) = COUNTERS.get(kind as usize) {
        counter.cells.fetch_add(cells, Ordering::Relaxed);
        let now = counter.bytes.fetch_add(bytes, Ordering::Relaxed).wrapping_add(bytes);
        if now > counter.most.load(Ordering::Relaxed) {
            counter.most.fetch_max(now, Ordering::Relaxed);
        }
    }
    let _ = (kind, cells, bytes);
}

/// Counts cells of a kind, and bytes, that are freed.
#[inline(always)]
pub(crate) fn subtract(kind: Kind, cells: usize, bytes: usize) {
    #[cfg(feature = "totals")]
    if let Some(counter) = COUNTERS.get(kind as usize) {
        counter.cells.fetch_sub(cells, Ordering::Relaxed);
        counter.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
    let _ = (kind, cells, bytes);
}
