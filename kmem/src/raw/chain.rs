//! The chain of sources below a cell: the source of each, and whether one of them is tainted.

use super::source;
use crate::cell::Cell;
#[cfg(any(feature = "pool", feature = "arena"))]
use crate::cell::{FLAG_HOST, Kind};
#[cfg(feature = "arena")]
use crate::raw::arena::header::{ARENA_SLOW_FREE, ARENA_STORE};
#[cfg(feature = "pool")]
use crate::raw::layout::{POOL_HAS_CHAIN, POOL_HAS_SOURCE, Pool};

/// [`source::shreds`], inlined for the heap.
#[inline]
pub(crate) unsafe fn shreds(src: *mut Cell) -> bool {
    // SAFETY: [caller] a source that is not null is live.
    !src.is_null() && unsafe { source::shreds(src) }
}

/// Returns true if only the mark of this source itself says if it zeroes. Safety: as for [`source::shreds`]; the source is not null.
#[cfg(any(feature = "pool", feature = "arena"))]
pub(crate) unsafe fn is_alone(src: *mut Cell) -> bool {
    // SAFETY: [caller, outlives, blocks] the whole chain is live.
    unsafe {
        // A further block of a pool has no mark of its own, and a pool or an arena on a node may get another source later.
        let may_be_alone = match Kind::from_raw((*src).kind) {
            #[cfg(feature = "pool")]
            Some(Kind::Pool) => {
                let pool = src.cast::<Pool>();
                (*pool).head == pool && (*src).flags & FLAG_HOST == 0
            }
            #[cfg(feature = "arena")]
            Some(Kind::Arena) => (*src).flags & (ARENA_STORE | FLAG_HOST) == ARENA_STORE,
            Some(Kind::Tree | Kind::Source | Kind::Limit) => true,
            _ => false,
        };
        may_be_alone && source::source_of(src).is_null()
    }
}

/// Returns the flags of a pool that is allocated from this source: they say which cells may be tainted. Safety: as for
/// [`source::shreds`].
#[cfg(feature = "pool")]
pub(crate) unsafe fn flags_of_source(src: *mut Cell) -> u8 {
    if src.is_null() {
        return 0;
    }
    // SAFETY: [caller] the contract is the caller's.
    POOL_HAS_SOURCE | if unsafe { is_alone(src) } { 0 } else { POOL_HAS_CHAIN }
}

/// Returns the flag of an arena that is allocated from this source. Safety: as for [`source::shreds`].
#[cfg(feature = "arena")]
pub(crate) unsafe fn arena_flag_of_source(src: *mut Cell) -> u8 {
    // SAFETY: [caller] the contract is the caller's.
    if src.is_null() || unsafe { is_alone(src) } { 0 } else { ARENA_SLOW_FREE }
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
