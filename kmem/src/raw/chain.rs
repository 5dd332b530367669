//! The chain of sources below a cell: the source of each, and whether one of them is tainted.

use super::source;
use crate::cell::Cell;
#[cfg(feature = "pool")]
use crate::cell::{FLAG_HOST, Kind};
#[cfg(feature = "pool")]
use crate::raw::layout::{POOL_HAS_CHAIN, POOL_HAS_SOURCE, Pool};

/// [`source::shreds`], inlined for the heap.
#[inline]
pub(crate) unsafe fn shreds(src: *mut Cell) -> bool {
    // SAFETY: [caller] a source that is not null is live.
    !src.is_null() && unsafe { source::shreds(src) }
}

/// Returns the flags of a pool that is allocated from this source: they say which cells may be tainted. Safety: as for
/// [`source::shreds`].
#[cfg(feature = "pool")]
pub(crate) unsafe fn flags_of_source(src: *mut Cell) -> u8 {
    // SAFETY: [caller, outlives, blocks] the whole chain is live.
    unsafe {
        if src.is_null() {
            return 0;
        }
        // A further block of a pool has no mark of its own, and a pool on a node may get another source later.
        let pool = src.cast::<Pool>();
        let is_alone = match Kind::from_raw((*src).kind) {
            Some(Kind::Pool) => (*pool).head == pool && (*src).flags & FLAG_HOST == 0,
            Some(Kind::Tree | Kind::Source | Kind::Limit) => true,
            _ => false,
        };
        let alone = is_alone && source::source_of(src).is_null();
        POOL_HAS_SOURCE | if alone { 0 } else { POOL_HAS_CHAIN }
    }
}

/// Returns true if a source is this pool or arena, or was allocated from it, directly or through other sources.
/// Safety: as for [`source::shreds`].
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
                && (*src.cast::<Pool>()).head.cast() == origin
            {
                return true;
            }
            src = source::source_of(src);
        }
    }
    false
}
