//! The chain of sources below a cell: the source of each, and whether one of them is tainted.

use super::source;
use crate::cell::{Cell, Kind};

/// Returns true if the source is tainted, or was allocated from one that is: it zeroes everything allocated from it. For a cell
/// that is no source, returns true if the cell is zeroed when freed.
/// Safety: `src` is null or a live cell, and so are the sources that it was allocated from.
#[inline]
pub(crate) unsafe fn shreds(src: *mut Cell) -> bool {
    // SAFETY: [caller] a source that is not null is live.
    !src.is_null() && unsafe { chain_shreds(src) }
}

unsafe fn chain_shreds(mut src: *mut Cell) -> bool {
    // SAFETY: [caller, outlives, blocks] the whole chain is live.
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

/// Returns true if a source is this pool or arena, or was allocated from it, directly or through other sources.
/// Safety: as for [`shreds`].
#[cfg(feature = "tree")]
pub(crate) unsafe fn comes_from(mut src: *mut Cell, origin: *mut Cell) -> bool {
    // SAFETY: [caller, outlives] the whole chain is live.
    unsafe {
        while !src.is_null() {
            if src == origin {
                return true;
            }
            // A pool may be reached through any of its blocks.
            #[cfg(feature = "pool")]
            if Kind::from_raw_dying((*src).kind) == Some(Kind::Pool)
                && (*src.cast::<super::Pool>()).head.cast() == origin
            {
                return true;
            }
            src = below(src);
        }
    }
    false
}

/// Returns the source of a cell. Returns null for the heap, and if kmem does not know the source.
unsafe fn below(src: *mut Cell) -> *mut Cell {
    // SAFETY: [caller, prefix, live] the header is readable even while the cell is being freed, and its kind says which header it
    // is.
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
