//! What several threads may touch at once: the count of references, the mark for zeroing, the slot of the fault handler.
//!
//! ThreadSanitizer sees no ordering in code that it does not instrument: in a build for it, it is told of each by `released` and
//! `acquired`.
//!
//! Nothing else in kmem is atomic but the key in `raw/seal.rs`, one number that stays as it is, and the counts of
//! `raw/totals.rs`, which order nothing. The models in `races/` are
//! made of this very file, with loom's atomics in the place of the processor's, and find every ordering in it necessary.

use crate::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering, acquired, released};

/// More references than this and the count could wrap before anyone notices.
pub(crate) const MAX_REFS: usize = isize::MAX as usize;

/// Adds a reference for somebody who has one. False where the count is past its bound, from which there is no way back:
/// other threads may already rely on it.
#[inline(always)]
#[must_use]
pub(crate) fn up(refs: &AtomicUsize) -> bool {
    // Relaxed: a new reference is made from one that exists, which orders everything already.
    refs.fetch_add(1, Ordering::Relaxed) < MAX_REFS
}

/// Who is left once a reference has been dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Others, who may end the cell at any moment.
    Others,
    /// Nobody: the cell is the caller's alone, with all that was done to it.
    Nobody,
    /// There was no reference to drop, and the count is as before.
    Underflow,
}

/// Drops a reference.
#[inline(always)]
pub(crate) fn down(refs: &AtomicUsize) -> Left {
    // Where this is the only reference nobody can add to it. Most cells have one holder only, and go without a locked
    // instruction.
    if count(refs) == 1 {
        return Left::Nobody;
    }
    // Release: whatever this holder did to the cell happens before the last holder ends it.
    released(refs);
    match refs.fetch_sub(1, Ordering::Release) {
        1 => {
            // Acquire: the other half, for what all former holders did. A load and not a fence, which costs the same on
            // x86-64, since ThreadSanitizer does not follow fences.
            refs.load(Ordering::Acquire);
            acquired(refs);
            Left::Nobody
        }
        2..=MAX_REFS => Left::Others,
        // Zero, or below it, where other threads are here too.
        _ => {
            refs.fetch_add(1, Ordering::Relaxed);
            Left::Underflow
        }
    }
}

/// Takes the drop of the last reference back, for whoever is alone with the cell.
pub(crate) fn keep(refs: &AtomicUsize) {
    // Relaxed: nobody else has a reference, or gets one but from who has this one. `down` leaves an only reference as it is.
    if refs.load(Ordering::Relaxed) == 0 {
        refs.fetch_add(1, Ordering::Relaxed);
    }
}

/// The number of references. Whoever has one and finds no other may do with the cell as they like until they make another.
#[inline(always)]
pub(crate) fn count(refs: &AtomicUsize) -> usize {
    // Acquire: what the former holders did to the cell happened before they dropped their references.
    let count = refs.load(Ordering::Acquire);
    acquired(refs);
    count
}

/// Marks a cell to be zeroed when it goes.
#[inline(always)]
pub(crate) fn mark(shred: &AtomicU8) {
    // Relaxed: a mark made by a holder of a reference reaches whoever ends the cell through the release and acquire of
    // the count; every other kind of cell has one owner at a time.
    shred.store(1, Ordering::Relaxed);
}

/// Whether a cell is marked.
#[inline(always)]
pub(crate) fn is_marked(shred: &AtomicU8) -> bool {
    shred.load(Ordering::Relaxed) != 0
}

/// Puts a handler into the slot and returns the one before it.
pub(crate) fn exchange(slot: &AtomicPtr<()>, handler: *mut ()) -> *mut () {
    // Release: who finds the handler finds what it needs. Acquire: who gets the one before it may call it in turn.
    released(slot);
    let before = slot.swap(handler, Ordering::AcqRel);
    acquired(slot);
    before
}

/// The handler in the slot.
pub(crate) fn current(slot: &AtomicPtr<()>) -> *mut () {
    // Acquire: with what its setter prepared for it.
    let handler = slot.load(Ordering::Acquire);
    acquired(slot);
    handler
}
