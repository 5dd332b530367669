//! The chain of sources below a cell: what each was itself allocated from, and whether one of them zeroes.

use super::source;
use crate::cell::{Cell, Kind};

/// Returns true if the source zeroes everything allocated from it: it does if it is tainted, or the source that it was itself allocated
/// from does. Of a cell that is no source, returns true if the cell itself is zeroed when it is freed.
///
/// # Safety
/// `src` is null or a source cell that has not been freed, nor have those that it was allocated from.
#[inline]
pub(crate) unsafe fn shreds(src: *mut Cell) -> bool {
    // SAFETY: [caller] the caller vouches for a source that is not null.
    !src.is_null() && unsafe { chain_shreds(src) }
}

unsafe fn chain_shreds(mut src: *mut Cell) -> bool {
    // SAFETY: [caller, outlives, blocks] the caller vouches for the whole chain.
    unsafe {
        while !src.is_null() {
            if source::zeroes(src) {
                return true;
            }
            src = below(src);
        }
    }
    false
}

/// Returns true if a source is this pool or was itself allocated from it, if only by way of others.
///
/// # Safety
/// As for [`shreds`].
#[cfg(all(feature = "pool", feature = "tree"))]
pub(crate) unsafe fn leads_to(mut src: *mut Cell, pool: *mut super::Pool) -> bool {
    // SAFETY: [caller, outlives] the caller vouches for the whole chain.
    unsafe {
        while !src.is_null() {
            // Any block of a pool stands for it.
            if Kind::from_raw_dying((*src).kind) == Some(Kind::Pool)
                && (*src.cast::<super::Pool>()).head == pool
            {
                return true;
            }
            src = below(src);
        }
    }
    false
}

/// What a source, or any other cell, was itself allocated from; null if that is the heap, or unknown to kmem.
unsafe fn below(src: *mut Cell) -> *mut Cell {
    // SAFETY: [caller, prefix, live] the caller's cell has a readable header, also while it is being freed, and its kind says which.
    unsafe {
        match Kind::from_raw_dying((*src).kind) {
            #[cfg(feature = "tree")]
            Some(Kind::Tree) => (*src.cast::<super::Node>()).src,
            #[cfg(feature = "ref")]
            Some(Kind::Ref) => (*src.cast::<super::Ref>()).src,
            _ => source::below(src),
        }
    }
}
