//! Sources: where blocks are allocated from and returned to.
//!
//! Each kind of source is a file of its own. It has these functions, to which the table below dispatches:
//!
//! | function | what it does |
//! |---|---|
//! | `draw` | allocates a block |
//! | `give_back` | frees a block |
//! | `fits_in_place` | returns true if a block can get another size in place without a call of user code |
//! | `resizes` | returns true if the source can be asked to resize a block in place |
//! | `resize` | asks the source to resize a block in place |
//! | `resized` | informs the source that a block has another size now |
//! | `may_have_served` | returns true if a block of this size can be from this source |
//! | `below` | returns the source that this source was allocated from |
//! | `zeroes` | returns true if the source is tainted |
//!
//! `draw`, `give_back`, `fits_in_place` and `resize` get [`Below`], the functions by which a source uses the one below it.
//!
//! Pools, arenas and limits also have a fast path, for blocks aligned to 16: `draw_fast`, `is_plain`, `give_back_fast`.
//!
//! A cell whose source is null was allocated from the heap, which is called directly.

#[cfg(feature = "arena")]
pub(crate) mod arena;
pub(crate) mod custom;
mod heap;
pub(crate) mod limit;
#[cfg(feature = "pool")]
pub(crate) mod pool;

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use super::request::{Below, Fill};
use super::sanitizer;
use crate::cell::{Cell, Kind};
use crate::error::AllocError;
use crate::fault::{self, call};
use crate::shared;

pub use custom::{ResizeFn, Source};
pub(crate) use heap::{draw_heap, free_heap};
pub use limit::{Limit, OverFn};

/// The table of sources. Evaluates `$then` with `$source` as the module of this kind of source, or `$else` for other kinds.
macro_rules! by_source {
    ($kind:expr, $source:ident => $then:expr, $other:ident => $else:expr) => {
        match $kind {
            #[cfg(feature = "pool")]
            Some(Kind::Pool) => {
                use pool as $source;
                $then
            }
            #[cfg(feature = "arena")]
            Some(Kind::Arena) => {
                use arena as $source;
                $then
            }
            Some(Kind::Source) => {
                use custom as $source;
                $then
            }
            Some(Kind::Limit) => {
                use limit as $source;
                $then
            }
            $other => $else,
        }
    };
}

/// Returns the kind of a live cell. Safety: the prefix is readable.
#[inline(always)]
unsafe fn live(src: *mut Cell) -> Option<Kind> {
    // SAFETY: [caller] the caller's prefix is readable.
    Kind::from_raw(unsafe { (*src).kind })
}

/// Returns the kind of a cell that is live or dying. Safety: the prefix is readable.
unsafe fn live_or_dying(src: *mut Cell) -> Option<Kind> {
    // SAFETY: [caller] the caller's prefix is readable.
    Kind::from_raw_dying(unsafe { (*src).kind })
}

/// Allocates a block of this layout, whose alignment is at least 16. Safety: `src` is null or points to a readable
/// cell prefix, and is alive if it is a source.
#[inline(always)]
pub(crate) unsafe fn draw(src: *mut Cell, layout: Layout, fill: Fill) -> Result<NonNull<u8>, AllocError> {
    if src.is_null() {
        return draw_heap(layout, fill);
    }
    // SAFETY: [caller] the contract is the caller's.
    let block = unsafe { draw_from(src, layout) }?;
    if fill == Fill::Zeroed {
        // SAFETY: [drawn] the block has this many bytes and is ours.
        unsafe { block.write_bytes(0, layout.size()) };
        sanitizer::written(block.as_ptr(), layout.size());
    }
    Ok(block)
}

/// Allocates a block from a source that is not the heap. Safety: as for [`draw`]; the source is not null.
#[inline(never)]
unsafe fn draw_from(src: *mut Cell, layout: Layout) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller, live] the caller's prefix is readable, and the kind says what the source is.
    unsafe {
        by_source!(live(src), source => source::draw(src, layout, &BELOW), other => {
            Err(AllocError::source(other.filter(|&kind| kind != Kind::None)))
        })
    }
}

/// The functions that are passed to sources for the source below them.
pub(crate) static BELOW: Below = Below { draw: draw_undefined, give_back, shreds, fits_in_place, resize };

unsafe fn draw_undefined(src: *mut Cell, layout: Layout) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { draw(src, layout, Fill::Undefined) }
}

/// Allocates a block aligned to 16 by the fast path of the source, or returns null. Safety: as for [`draw`]; the
/// source is not null.
#[inline(always)]
pub(crate) unsafe fn draw_fast(src: *mut Cell, size: usize) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        #[cfg(feature = "pool")]
        if let Some(block) = NonNull::new(pool::draw_fast(src, size)) {
            return block.as_ptr();
        }
        #[cfg(feature = "arena")]
        if let Some(block) = NonNull::new(arena::draw_fast(src, size)) {
            return block.as_ptr();
        }
        limit::draw_fast(src, size)
    }
}

/// Returns true if the fast path of this source can free a block now. Safety: the prefix of the source is readable.
#[inline(always)]
pub(crate) unsafe fn is_plain(src: *mut Cell) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        #[cfg(feature = "pool")]
        if pool::is_plain(src) {
            return true;
        }
        #[cfg(feature = "arena")]
        if arena::is_plain(src) {
            return true;
        }
        limit::is_plain(src)
    }
}

/// Like [`is_plain`], for a pool whose source was allocated from another source. Takes longer.
#[inline(always)]
pub(crate) unsafe fn is_plain_chain(src: *mut Cell) -> bool {
    #[cfg(feature = "pool")]
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        pool::is_plain_chain(src)
    }
    #[cfg(not(feature = "pool"))]
    {
        let _ = src;
        false
    }
}

/// Frees a block of this size by the fast path of its source. Safety: as for [`give_back`], and [`is_plain`] or [`is_plain_chain`] is
/// true.
#[cfg_attr(not(kmem_standalone), inline(always))]
#[cfg_attr(kmem_standalone, inline(never))]
pub(crate) unsafe fn give_back_fast(src: *mut Cell, block: *mut u8, size: usize) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        #[cfg(feature = "pool")]
        if (*src).kind == Kind::Pool as i32 {
            return pool::give_back_fast(src, block, &BELOW);
        }
        #[cfg(feature = "arena")]
        if (*src).kind == Kind::Arena as i32 {
            return arena::give_back_fast(src, block, size);
        }
        limit::give_back_fast(src, block, size);
    }
}

/// Frees a block that [`draw`] returned for the same source and layout. Reports a source that was destroyed.
/// Safety: the block is not used any more. The source is alive, or its header readable.
#[inline]
pub(crate) unsafe fn give_back(src: *mut Cell, block: *mut u8, layout: Layout) {
    if src.is_null() {
        // SAFETY: [origin] a null source allocates from the heap with this layout.
        return unsafe { free_heap(block, layout) };
    }
    // SAFETY: [caller] the contract is the caller's.
    unsafe { give_back_to(src, block, layout) }
}

/// [`give_back`] to a source that is not the heap.
#[inline(never)]
unsafe fn give_back_to(src: *mut Cell, block: *mut u8, layout: Layout) {
    // SAFETY: [origin] `draw` accepted this source, and the caller says that it is still there.
    unsafe {
        by_source!(live(src), source => source::give_back(src, block, layout, &BELOW), _other => {
            let found = (*src).kind;
            // A pool that is being destroyed frees its blocks as a whole.
            if found != Kind::Pool.dying() {
                fault::report(call!(c"kmfree"), src.cast(), fault::classify(Kind::Pool, found));
            }
        })
    }
}

/// Returns true if a block from this source can get this size in place, without a call of user code. Fails if no block from the
/// source can have this size.
/// Safety: `src` is null or the live source of a block.
#[inline(always)]
pub(crate) unsafe fn fits_in_place(src: *mut Cell, size: usize) -> Result<bool, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    if src.is_null() { Ok(false) } else { unsafe { fits_in_place_of(src, size) } }
}

/// [`fits_in_place`] of a source that is not the heap.
#[cfg_attr(not(kmem_standalone), inline(always))]
unsafe fn fits_in_place_of(src: *mut Cell, size: usize) -> Result<bool, AllocError> {
    // SAFETY: [caller, live] the caller's source is live.
    unsafe { by_source!(live(src), source => source::fits_in_place(src, size, &BELOW), _other => Ok(false)) }
}

/// Returns true if the source can be asked to resize a block in place, see [`resize`]. Safety: `src` is null or a live source.
#[cfg_attr(kmem_standalone, inline(never))]
pub(crate) unsafe fn resizes(src: *mut Cell) -> bool {
    // SAFETY: [caller, live] a source that is not null is live.
    !src.is_null() && unsafe { by_source!(live(src), source => source::resizes(src), _other => false) }
}

/// Asks a source to resize a block in place to `to` bytes. Returns false if nothing has changed. Safety: the source
/// is live, and the block was allocated from it with this layout.
pub(crate) unsafe fn resize(src: *mut Cell, block: *mut u8, layout: Layout, to: usize) -> bool {
    // SAFETY: [caller, live] the contract is the caller's.
    unsafe {
        by_source!(live(src), source => source::resize(src, block, layout, to, &BELOW), _other => false)
    }
}

/// Returns true if the source is the heap, or a limit over it. Safety: `src` is null or a live source.
#[inline(always)]
pub(crate) unsafe fn is_heap(src: *mut Cell) -> bool {
    // SAFETY: [caller, outlives] the contract is the caller's.
    src.is_null() || unsafe { limit::bottom(src).is_null() }
}

/// Resizes a block of the heap, in place or moved with as much of its contents as fits. Returns `None` and changes
/// nothing if that fails. Safety: [`is_heap`] is true, and `block` came from this source with this layout. A layout of this size
/// and the same alignment is valid. The old address is not used after success.
#[inline]
pub(crate) unsafe fn resize_heap(
    src: *mut Cell,
    block: *mut u8,
    layout: Layout,
    to: usize,
) -> Option<NonNull<u8>> {
    // SAFETY: [caller, origin] the contract is the caller's.
    unsafe {
        if src.is_null() {
            heap::resize_heap(block, layout, to)
        } else {
            limit::resize_heap_counted(src, block, layout, to)
        }
    }
}

/// Returns the bytes that the limits between the source and the next pool, arena or custom source leave.
/// Safety: `src` is null or a live source.
#[inline(always)]
pub(crate) unsafe fn room(src: *mut Cell) -> usize {
    // SAFETY: [caller, outlives] the contract is the caller's.
    if src.is_null() { usize::MAX } else { unsafe { limit::room(src) } }
}

/// Informs a source that a block has another size now, in place. Safety: `src` is null or the live source of this block.
#[inline]
pub(crate) unsafe fn resized(src: *mut Cell, block: *mut u8, from: usize, to: usize) {
    if sanitizer::ON && !src.is_null() {
        // SAFETY: [caller, live] the caller's source is live.
        unsafe { by_source!(live(src), source => source::resized(src, block, from, to), _other => {}) }
    }
}

/// Returns true if a block of this size can be from this source. Safety: the prefix of `src` is readable, and if
/// its kind is that of a source, the whole header.
pub(crate) unsafe fn may_have_served(src: *mut Cell, size: usize) -> bool {
    // SAFETY: [caller] the caller's header is readable.
    unsafe { by_source!(live(src), source => source::may_have_served(src, size), _other => true) }
}

/// Returns the source that a source was itself allocated from. Returns null for the heap, if kmem does not know it, and if this is
/// no source. Safety: the header is readable. The source may be dying.
pub(crate) unsafe fn below(src: *mut Cell) -> *mut Cell {
    // SAFETY: [caller, live] the caller's header is readable.
    unsafe { by_source!(live_or_dying(src), source => source::below(src), _other => null_mut()) }
}

/// Returns true if a source, or any other cell, is itself tainted. Safety: as for [`below`].
pub(crate) unsafe fn zeroes(src: *mut Cell) -> bool {
    // SAFETY: [caller, live] the caller's header is readable. Another thread may write the flags beside the mark.
    unsafe {
        by_source!(live_or_dying(src), source => source::zeroes(src), _other => shared::is_marked(&(*src).shred))
    }
}

/// Returns true if the source is tainted, or was allocated from one that is: it zeroes everything allocated from it. For a cell
/// that is no source, returns true if the cell is zeroed when freed.
/// Safety: `src` is null or a live cell, and so are the sources that it was allocated from.
pub(crate) unsafe fn shreds(mut src: *mut Cell) -> bool {
    // SAFETY: [caller, outlives, blocks] the whole chain is live.
    unsafe {
        while !src.is_null() {
            if zeroes(src) {
                return true;
            }
            src = source_of(src);
        }
    }
    false
}

/// Returns the source of a cell. Returns null for the heap, and if kmem does not know the source. Safety: as for [`below`].
pub(crate) unsafe fn source_of(src: *mut Cell) -> *mut Cell {
    // SAFETY: [caller, prefix, live] the header is readable even while the cell is being freed, and its kind says which header it
    // is.
    unsafe {
        match live_or_dying(src) {
            #[cfg(feature = "tree")]
            Some(Kind::Tree) => (*src.cast::<super::Node>()).src,
            #[cfg(feature = "ref")]
            Some(Kind::Ref) => (*src.cast::<super::Ref>()).src,
            _ => below(src),
        }
    }
}
