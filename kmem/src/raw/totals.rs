//! How much each method has, in the whole program: with the feature `totals`, nothing without it.
//!
//! Each copy of kmem counts what it makes and ends itself: a cell made by one and freed by another is missing in one count,
//! and too much in the other.

#[cfg(feature = "totals")]
use crate::atomic::{AtomicUsize, Ordering};

use crate::cell::Kind;

/// What [`of`] tells of a method (`kmtotals` in C).
///
/// Exhaustive: C code relies on this layout.
///
/// ```
/// assert_eq!(kmem::totals::Total::default().cells, 0);
/// ```
#[cfg(feature = "totals")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Total {
    /// Cells that are there now; of pools, their blocks: one each, and one more each time that one has grown.
    pub cells: usize,
    /// Bytes of their blocks, headers and all.
    pub block: usize,
    /// The most bytes at once.
    pub most: usize,
}

#[cfg(feature = "totals")]
#[derive(Debug)]
struct Counter {
    cells: AtomicUsize,
    bytes: AtomicUsize,
    most: AtomicUsize,
}

/// By number of the kind.
#[cfg(feature = "totals")]
static COUNTERS: [Counter; 5] =
    [const { Counter { cells: AtomicUsize::new(0), bytes: AtomicUsize::new(0), most: AtomicUsize::new(0) } };
        5];

/// What there is of a method now. What was drawn from a pool is counted in its own method, and once more as part of the pool's
/// block; the cells that a pool hands out are its own affair, see [`pool::count`](super::pool::count). Nothing is counted of
/// [`Kind::None`] and [`Kind::Source`].
///
/// While other threads allocate, the three numbers may be of slightly different moments. On processors that cannot change memory in
/// one step, an interrupt handler that allocates may make them miscount.
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
    // Relaxed, here as below: these are numbers to look at, and nothing is concluded from them.
    let read = |from: &AtomicUsize| from.load(Ordering::Relaxed);
    COUNTERS.get(kind as usize).map_or(Total::default(), |counter| {
        let bytes = read(&counter.bytes);
        // A thread may have added its bytes and not yet compared them.
        Total { cells: read(&counter.cells), block: bytes, most: read(&counter.most).max(bytes) }
    })
}

/// Counts a cell that was made in a block of so many bytes.
#[inline(always)]
pub(crate) fn made(kind: Kind, bytes: usize) {
    #[cfg(feature = "totals")]
    if let Some(counter) = COUNTERS.get(kind as usize) {
        counter.cells.fetch_add(1, Ordering::Relaxed);
    }
    drawn(kind, bytes);
}

/// Counts bytes that were drawn for a cell that was made before.
#[inline(always)]
pub(crate) fn drawn(kind: Kind, bytes: usize) {
    #[cfg(feature = "totals")]
    if let Some(counter) = COUNTERS.get(kind as usize) {
        let now = counter.bytes.fetch_add(bytes, Ordering::Relaxed).wrapping_add(bytes);
        if now > counter.most.load(Ordering::Relaxed) {
            counter.most.fetch_max(now, Ordering::Relaxed);
        }
    }
    let _ = (kind, bytes);
}

/// Counts a cell that ended, and whose block of so many bytes goes back.
#[inline(always)]
pub(crate) fn ended(kind: Kind, bytes: usize) {
    #[cfg(feature = "totals")]
    if let Some(counter) = COUNTERS.get(kind as usize) {
        counter.cells.fetch_sub(1, Ordering::Relaxed);
    }
    returned(kind, bytes);
}

/// Counts bytes of a cell that go back, other than its block.
#[inline(always)]
pub(crate) fn returned(kind: Kind, bytes: usize) {
    #[cfg(feature = "totals")]
    if let Some(counter) = COUNTERS.get(kind as usize) {
        counter.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
    let _ = (kind, bytes);
}
