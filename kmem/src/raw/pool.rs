//! Pools: cells of equal size in one block, allocated and freed in constant time.
//!
//! A pool belongs to one thread at a time.

pub(crate) mod announce;
pub(crate) mod blocks;
pub(crate) mod cell;
pub(crate) mod count;
pub(crate) mod free_list;
pub(crate) mod header;
pub(crate) mod plan;
pub(crate) mod release;
mod verify;

use core::alloc::Layout;
use core::ffi::CStr;
use core::ptr::{NonNull, null_mut};

use super::Handle;
use super::chain::{flags_of_source, shreds};
use super::layout::{Group, Pool};
use super::request::{Fill, Request};
use super::sanitizer;
use super::source::pool::{fits, take};
use super::source::{BELOW, draw};
use crate::cell::{Cell, FLAG_HOST, Kind, Shred};
use crate::error::AllocError;
use crate::fault::{self, Misuse, call};
use crate::raw::layout::{POOL_GROWS, POOL_IN_BUFFER, POOL_IN_DTOR};
use crate::shred;
use cell::{block_of, is_tainted, pool_of};
use header::check_pool;
use plan::{GROUP, Plan, write};
use release::{clear, release, tear_down};

pub use count::{Count, Walk, capacity, count, live, peak, walk, walk_after};
pub use header::{name, set_name};
pub(crate) use plan::in_buffer_size;
pub use plan::{Spec, buffer_size};
pub(crate) use release::free_without_drop;
pub use verify::{Census, verify};

/// Makes a pool of `cells` cells of `size` bytes, and returns it, or null. If `src` is the header of a node,
/// the pool is freed with the node. C: `kmpooli`.
///
/// # Safety
/// `src` is null or points to a live cell, and outlives the pool.
pub unsafe fn i(src: *mut Cell, size: usize, cells: usize) -> *mut Pool {
    // SAFETY: [caller] the contract is the caller's; there is no destructor.
    unsafe { init(src, &Spec::new(size, cells)) }.map_or(null_mut(), NonNull::as_ptr)
}

/// Makes a pool with the options of a [`Spec`]. Fails as [`AllocError`] says. C: `kmpooliw`.
///
/// # Safety
/// As for [`i`]. The destructor, if any, may be called with every cell of the pool.
pub unsafe fn init(src: *mut Cell, spec: &Spec) -> Result<NonNull<Pool>, AllocError> {
    let plan = Plan::new(spec, if src.is_null() { announce::RED_ZONE } else { 0 })?;
    // SAFETY: [caller] the caller gives null or a live cell.
    let mut flags = unsafe { flags_of_source(src) } | if spec.grows { POOL_GROWS } else { 0 };
    // SAFETY: [caller] the caller gives null or a live cell.
    let base = if !src.is_null() && unsafe { (*src).kind } == Kind::Tree as i32 {
        flags |= FLAG_HOST;
        // SAFETY: [live] the kind says that it is a node.
        unsafe { host(src, plan.layout) }?
    } else {
        // SAFETY: [caller] the caller's source is null or live.
        unsafe { draw(src, plan.layout, Fill::Undefined) }?
    };
    // SAFETY: [extent] the block has the size and alignment of the plan.
    Ok(unsafe { write(base, src, spec, &plan, flags) })
}

/// Allocates the block of a pool on a node: the data of a new child, which hosts the pool.
#[cfg(feature = "tree")]
unsafe fn host(node: *mut Cell, layout: Layout) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the caller gives a live node.
    unsafe { super::tree::make::host(node.cast(), layout, call!(c"kmpooli")) }
}

#[cfg(not(feature = "tree"))]
unsafe fn host(_: *mut Cell, _: Layout) -> Result<NonNull<u8>, AllocError> {
    Err(AllocError::source(Some(Kind::Tree)))
}

/// Makes a pool in the `len` bytes at `buffer`, with as many cells of `size` bytes as fit, and returns it, or null if
/// not even one fits. C: `kmpoolif`.
///
/// # Safety
/// `buffer` is null, or valid for reads and writes of `len` bytes, which only the pool uses until [`x`] destroys it.
pub unsafe fn in_buffer(buffer: *mut u8, len: usize, size: usize) -> *mut Pool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { init_in_buffer(buffer, len, &Spec::new(size, 0)) }.map_or(null_mut(), NonNull::as_ptr)
}

/// Makes a pool in a buffer, with the alignment, destructor and name of a [`Spec`]; ignores its `cells` and `grows`.
/// Returns [`AllocError::Size`] if not even one cell fits. C: `kmpoolifw`.
///
/// # Safety
/// As for [`in_buffer`] and [`init`].
pub unsafe fn init_in_buffer(buffer: *mut u8, len: usize, spec: &Spec) -> Result<NonNull<Pool>, AllocError> {
    let one = Plan::new(&Spec { cells: 1, ..*spec }, 0)?;
    // Not `align_offset`, which contains a panic.
    let start = buffer.addr().wrapping_neg() & (one.layout.align() - 1);
    let needed = one.layout.size().saturating_add(start);
    if buffer.is_null() || needed > len {
        return Err(AllocError::too_large(needed, if buffer.is_null() { 0 } else { len }));
    }
    // First an estimate of the number of cells, which may be up to a group too large. Then one cell fewer until the pool fits.
    let room = len - start;
    let group = one.stride.saturating_mul(GROUP).saturating_add(size_of::<Group>());
    // Neither divisor is zero, but the compiler cannot infer that. The checked division contains no panic.
    let whole = (room - one.layout.size()).checked_div(group).unwrap_or(0);
    let rest = (room - one.layout.size() - whole * group).checked_div(one.stride).unwrap_or(0);
    let mut spec = Spec { cells: 1 + whole * GROUP + rest, ..*spec };
    let mut plan = Plan::new(&spec, 0)?;
    while plan.layout.size() > room {
        spec.cells -= 1;
        plan = Plan::new(&spec, 0)?;
    }
    // SAFETY: [extent] the buffer has room for the plan from its first aligned byte.
    Ok(unsafe { write(NonNull::new_unchecked(buffer.add(start)), null_mut(), &spec, &plan, POOL_IN_BUFFER) })
}

/// Destroys a pool: runs its destructor on each live cell, zeroes what is tainted, and frees its blocks. Ignores
/// null. C: `kmpoolx`.
///
/// # Safety
/// `pool` is null or a live pool whose cells nobody uses any more, and its source is alive.
pub unsafe fn x(pool: *mut Pool) {
    // SAFETY: [caller] the caller's header is readable if it is not null.
    unsafe {
        if !pool.is_null() && check_pool(call!(c"kmpoolx"), pool) {
            // The handle of a cell has the address of the block of the cell. So the address of any block is accepted for the pool.
            let pool = (*pool).head;
            if (*pool).cell.flags & POOL_IN_DTOR != 0 {
                return fault::report(call!(c"kmpoolx"), pool.cast(), Misuse::BeingFreed);
            }
            #[cfg(feature = "tree")]
            if (*pool).cell.flags & FLAG_HOST != 0 {
                // Freeing the node destroys the pool in it.
                super::tree::free::release(pool.cast(), call!(c"kmpoolx"), Shred::No);
                return;
            }
            tear_down(pool);
        }
    }
}

/// Frees all live cells of a pool, and keeps the pool: runs its destructor on each cell, zeroes what is tainted, and frees
/// all blocks but the first. Cells that a destructor allocates meanwhile may be freed or not. Ignores null. C: `kmpoolc`.
///
/// # Safety
/// As for [`x`].
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 10);
///     (0..10).for_each(|_| assert!(!pool::a(pool).is_null()));
///     pool::c(pool);
///     assert_eq!((pool::live(pool), pool::peak(pool)), (0, 10));
///     pool::x(pool);
/// }
/// ```
pub unsafe fn c(pool: *mut Pool) {
    // SAFETY: [caller, blocks] the caller's header is readable if it is not null.
    unsafe {
        if !pool.is_null() && check_pool(call!(c"kmpoolc"), pool) {
            let pool = (*pool).head;
            if (*pool).cell.flags & POOL_IN_DTOR != 0 {
                return fault::report(call!(c"kmpoolc"), pool.cast(), Misuse::BeingFreed);
            }
            clear(call!(c"kmpoolc"), pool);
        }
    }
}

/// Allocates a cell with the parameters of a request, and returns its data.
///
/// Returns [`AllocError::Size`] or [`AllocError::Align`] if the cells are too small or not aligned as requested,
/// [`AllocError::Exhausted`] if all are in use, and [`AllocError::Source`] if this is no live pool, or if the request
/// has a destructor, or a name other than the pool's: a pool has one destructor and one name for all its cells.
///
/// # Safety
/// `pool` points to a pool that belongs to this thread.
///
/// ```
/// use kmem::raw::{pool, Request};
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 32, 1);
///     assert!(pool::alloc(pool, &Request::new(33)).is_err());
///     assert!(pool::alloc(pool, &Request::new(32)).is_ok());
///     assert!(pool::alloc(pool, &Request::new(32)).is_err());
///     pool::x(pool);
/// }
/// ```
#[inline(always)]
pub unsafe fn alloc(pool: *mut Pool, request: &Request) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the caller's header is readable.
    let found = unsafe { (*pool).cell.kind };
    // SAFETY: [caller, live] only evaluated for a pool.
    let other = |asked: &CStr| unsafe { name(pool) } != Some(asked);
    if found != Kind::Pool as i32 || request.drop.is_some() || request.name.is_some_and(other) {
        return Err(AllocError::source(Kind::from_raw(found)));
    }
    // SAFETY: [live, one-thread] the kind says that this is a live pool, and the caller that it is this thread's.
    unsafe {
        fits(pool, request.size, request.align)?;
        let data = take(pool, &BELOW)?;
        if request.fill == Fill::Zeroed {
            data.write_bytes(0, (*pool).cellsz);
            sanitizer::written(data.as_ptr(), (*pool).cellsz);
        }
        Ok(data)
    }
}

#[inline]
unsafe fn allocate(pool: *mut Pool, size: usize, fill: Fill) -> *mut u8 {
    if pool.is_null() {
        return null_mut();
    }
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc(pool, &Request { fill, ..Request::new(size) }) }.map_or(null_mut(), NonNull::as_ptr)
}

/// Returns the handle of a cell, or the null handle for null. The cell of the handle is the pool. C: `kmpoolo`.
///
/// # Safety
/// `data` is null or that of a live cell of a pool.
#[inline]
#[must_use]
pub unsafe fn handle(data: *mut u8) -> Handle {
    // SAFETY: [tag] the data is null or that of a cell, whose header names its pool.
    let pool = if data.is_null() { null_mut() } else { unsafe { pool_of(data) } };
    Handle::on(Kind::Pool, data, pool.cast())
}

/// [`handle`] of a new cell, or null. Safety: `data` is null or that of a live cell.
#[inline(always)]
unsafe fn handle_of_new(data: *mut u8) -> Handle {
    // SAFETY: [caller, blocks] the header of a live cell names its block, which names the pool.
    let pool = if data.is_null() { null_mut() } else { unsafe { (*block_of(data)).head } };
    Handle::on(Kind::Pool, data, pool.cast())
}

/// Returns an error if the cells of this cell's pool have less than `size` bytes. Safety: `data` is that of a live
/// cell of a pool of this thread.
pub(crate) unsafe fn holds(data: *mut u8, size: usize) -> Result<(), AllocError> {
    // SAFETY: [caller, tag] the caller gives a live cell, whose header names its pool.
    unsafe { fits(block_of(data), size, 0) }
}

/// Zeroes the data of a live cell from byte `size` on, if the cell or a source is tainted, or `shred` is yes. Safety: as for
/// [`holds`]; the cell has at least `size` bytes.
pub(crate) unsafe fn cut(data: *mut u8, size: usize, shred: Shred) {
    // SAFETY: [caller, tag] the caller gives a live cell, whose header names its pool.
    unsafe {
        let pool = block_of(data);
        if shred.is_yes() || is_tainted(data) || shreds((*pool).head.cast()) {
            shred::zero(data.add(size), (*pool).cellsz - size);
        }
    }
}

/// Returns true if a live cell of `from` bytes has room for `to` bytes. Zeroes bytes that are cut off if the cell or a source is
/// tainted.
/// Safety: as for [`holds`].
pub(crate) unsafe fn resize_in_place(data: *mut u8, from: usize, to: usize) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let fits = holds(data, to).is_ok();
        if to < from {
            cut(data, to, Shred::No);
        }
        fits
    }
}

verbs! {
    call: "kmpool",
    new: handle_of_new,
    a: (pool: *mut Pool) => (pool, 0),
    z: (pool: *mut Pool, size: usize) => (pool, size),
    f: "Frees a cell, after the destructor of the pool ran on it." -> (),
}
