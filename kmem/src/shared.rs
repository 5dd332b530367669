//! The atomics that several threads share: the count of references, the taint mark, the slot of the fault handler.
//!
//! ThreadSanitizer does not see the ordering of atomic operations in code that it did not instrument. In builds for
//! ThreadSanitizer, `released` and `acquired` announce that ordering.
//!
//! The other atomics of kmem are in `raw/seal.rs` and `raw/totals.rs`. They need no ordering of their own. The models
//! in `races/` compile this file with loom's atomics, and show that each ordering here is needed.

use crate::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering, acquired, released};

/// The most references to a cell. Far fewer than would wrap the count, because several threads may exceed the
/// bound at once.
pub(crate) const MAX_REFS: usize = isize::MAX as usize;

/// Adds a reference for a caller that has one. Returns false if there are more than [`MAX_REFS`]. The count is not reduced then:
/// other threads may rely on it already.
#[inline(always)]
#[must_use]
pub(crate) fn up(refs: &AtomicUsize) -> bool {
    // Relaxed: the caller's own reference provides the ordering.
    refs.fetch_add(1, Ordering::Relaxed) < MAX_REFS
}

/// The references that are left after one was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Some, whose owners may free the cell at any moment.
    Others,
    /// None. The cell is the caller's alone, and all writes by former owners are visible.
    Nobody,
    /// There was no reference to drop. The count is unchanged.
    Underflow,
}

/// Drops a reference.
#[inline(always)]
pub(crate) fn down(refs: &AtomicUsize) -> Left {
    // If this is the only reference, no other thread can add one. Most cells have one owner only: they need no atomic decrement.
    if count(refs) == 1 {
        return Left::Nobody;
    }
    // Release: what this owner did to the cell happens before the last owner frees it.
    released(refs);
    match refs.fetch_sub(1, Ordering::Release) {
        1 => {
            // Acquire: pairs with the releases of all former owners. A load, not a fence: it costs the same on x86-64, and
            // ThreadSanitizer does not follow fences.
            refs.load(Ordering::Acquire);
            acquired(refs);
            Left::Nobody
        }
        2..=MAX_REFS => Left::Others,
        // The count was zero, or below zero because another thread is here too.
        _ => {
            refs.fetch_add(1, Ordering::Relaxed);
            Left::Underflow
        }
    }
}

/// Reverts the drop of the last reference. The cell is the caller's alone.
pub(crate) fn keep(refs: &AtomicUsize) {
    // Relaxed: nobody else has a reference, or can get one except from this caller. `down` does not decrement an only reference.
    if refs.load(Ordering::Relaxed) == 0 {
        refs.fetch_add(1, Ordering::Relaxed);
    }
}

/// Returns the number of references. If the only one is the caller's, the cell is the caller's alone until it adds another.
#[inline(always)]
pub(crate) fn count(refs: &AtomicUsize) -> usize {
    // Acquire: what the former owners did to the cell happened before they dropped their references.
    let count = refs.load(Ordering::Acquire);
    acquired(refs);
    count
}

/// Taints a cell.
#[inline(always)]
pub(crate) fn mark(shred: &AtomicU8) {
    // Relaxed: the release and acquire of the count make the mark visible to the last owner. Other kinds of cells have one owner at
    // a time.
    shred.store(1, Ordering::Relaxed);
}

/// Returns true if the cell is tainted.
#[inline(always)]
pub(crate) fn is_marked(shred: &AtomicU8) -> bool {
    shred.load(Ordering::Relaxed) != 0
}

/// Replaces the handler in the slot and returns the previous one.
pub(crate) fn exchange(slot: &AtomicPtr<()>, handler: *mut ()) -> *mut () {
    // Release: a thread that reads the handler sees the data that it uses. Acquire: the caller may call the previous handler.
    released(slot);
    let before = slot.swap(handler, Ordering::AcqRel);
    acquired(slot);
    before
}

/// Returns the handler in the slot.
pub(crate) fn current(slot: &AtomicPtr<()>) -> *mut () {
    // Acquire: makes the data of the handler visible.
    let handler = slot.load(Ordering::Acquire);
    acquired(slot);
    handler
}
