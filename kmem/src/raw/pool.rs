//! Pools: equal cells in one block, handed out and taken back in constant time.
//!
//! A pool belongs to one thread at a time.

pub(crate) mod cell;
mod count;
pub(crate) mod free_list;
pub(crate) mod header;
pub(crate) mod plan;
pub(crate) mod release;
pub(crate) mod told;
mod verify;

use core::alloc::Layout;
use core::ffi::CStr;
use core::ptr::{NonNull, null_mut};

use super::Handle;
use super::chain::shreds;
use super::layout::{Group, Pool};
use super::request::{Fill, Request};
use super::sanitizer;
use super::source::pool::{fits, take};
use super::source::{draw, draw_more};
use crate::cell::{Cell, FLAG_BUFFER, FLAG_GROWS, FLAG_HOST, FLAG_IN_DTOR, Kind, Shred};
use crate::error::AllocError;
use crate::fault::{self, Misuse, call};
use crate::shred;
use cell::{is_tainted, owner_of};
use header::check_pool;
use plan::{GROUP, Plan, write};
use release::{release, tear_down};

pub use count::{Count, Walk, capacity, count, live, peak, walk, walk_after};
pub use header::{name, set_name};
pub(crate) use plan::in_buffer_size;
pub use plan::{Spec, buffer_size};
pub(crate) use release::free_without_drop;
pub use verify::{Census, verify};

/// Makes a pool of `cells` cells of `size` bytes, drawn from `src`: null for the heap, a pool, a custom source, or a
/// tree node, which the pool is then a child of and dies with. Takes constant time however many cells there are.
///
/// Returns null where the source is exhausted or cannot serve, or where the size overflows.
///
/// # Safety
/// `src` is null or points to a live cell, and outlives the pool.
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let million = pool::i(std::ptr::null_mut(), 32, 1_000_000);
///     pool::x(million);
/// }
/// ```
pub unsafe fn i(src: *mut Cell, size: usize, cells: usize) -> *mut Pool {
    // SAFETY: [caller] the contract is the caller's; there is no destructor.
    unsafe { init(src, &Spec::new(size, cells)) }.map_or(null_mut(), NonNull::as_ptr)
}

/// Makes a pool as [`i`] does, with all that a [`Spec`] can say, and says why where it fails.
///
/// # Safety
/// As for [`i`]. The destructor, if any, can be called with every cell that is live when it goes.
///
/// ```
/// use kmem::raw::pool::{self, Spec};
/// unsafe {
///     let pool = pool::init(std::ptr::null_mut(), &Spec { grows: true, ..Spec::new(8, 2) }).unwrap();
///     for _ in 0..100 {
///         assert!(!pool::a(pool.as_ptr()).is_null());
///     }
///     pool::x(pool.as_ptr());
/// }
/// ```
pub unsafe fn init(src: *mut Cell, spec: &Spec) -> Result<NonNull<Pool>, AllocError> {
    let plan = Plan::new(spec, if src.is_null() { told::RED_ZONE } else { 0 })?;
    let mut flags = if spec.grows { FLAG_GROWS } else { 0 };
    // SAFETY: [caller] the caller gives null or a live cell.
    let base = if !src.is_null() && unsafe { (*src).kind } == Kind::Tree as i32 {
        flags |= FLAG_HOST;
        // SAFETY: [live] the kind says that it is a node.
        unsafe { host(src, plan.layout) }?
    } else {
        // SAFETY: [caller] the caller vouches for the source.
        unsafe { draw(src, plan.layout, Fill::Undefined) }?
    };
    // SAFETY: [extent] the block has the size and alignment of the plan.
    Ok(unsafe { write(base, src, spec, &plan, flags) })
}

/// A block for a pool on a tree node: the data of a child that hosts the pool.
#[cfg(feature = "tree")]
unsafe fn host(node: *mut Cell, layout: Layout) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the caller gives a live node.
    unsafe { super::tree::make::host(node.cast(), layout) }
}

#[cfg(not(feature = "tree"))]
unsafe fn host(_: *mut Cell, _: Layout) -> Result<NonNull<u8>, AllocError> {
    Err(AllocError::Source(Some(Kind::Tree)))
}

/// Makes a pool inside the `len` bytes at `buffer`: as many cells of `size` bytes as fit, aligned to 16. Never calls
/// the heap. Returns null where not even one cell fits.
///
/// [`x`] runs as for any pool, but there is nothing to give back: the buffer is the caller's.
///
/// # Safety
/// `buffer` is null or valid for reads and writes of `len` bytes, which belong to the pool as long as it lives.
///
/// ```
/// use kmem::raw::pool;
/// let mut buffer = [0u8; 1000];
/// let pool = unsafe { pool::in_buffer(buffer.as_mut_ptr(), 1000, 32) };
/// assert!(!unsafe { pool::a(pool) }.is_null());
/// assert!(unsafe { pool::in_buffer(buffer.as_mut_ptr(), 100, 32) }.is_null());
/// ```
pub unsafe fn in_buffer(buffer: *mut u8, len: usize, size: usize) -> *mut Pool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { init_in_buffer(buffer, len, &Spec::new(size, 0)) }.map_or(null_mut(), NonNull::as_ptr)
}

/// Makes a pool as [`in_buffer`] does, with alignment and destructor from a [`Spec`], whose `cells` and `grows` mean
/// nothing here.
///
/// # Safety
/// As for [`in_buffer`] and [`init`].
///
/// ```
/// use kmem::raw::pool::{self, Spec};
/// let mut buffer = [0u8; 1024];
/// let spec = Spec { align: 128, ..Spec::new(100, 0) };
/// let pool = unsafe { pool::init_in_buffer(buffer.as_mut_ptr(), 1024, &spec) }.unwrap();
/// assert_eq!(unsafe { pool::a(pool.as_ptr()) }.addr() % 128, 0);
/// ```
pub unsafe fn init_in_buffer(buffer: *mut u8, len: usize, spec: &Spec) -> Result<NonNull<Pool>, AllocError> {
    let one = Plan::new(&Spec { cells: 1, ..*spec }, 0)?;
    let start = buffer.align_offset(one.layout.align());
    let needed = one.layout.size().saturating_add(start);
    if buffer.is_null() || needed > len {
        return Err(AllocError::Size { size: needed, max: if buffer.is_null() { 0 } else { len } });
    }
    // As many as there would be without further groups, less as long as that is too many: at most one in a group's worth.
    let room = len - start;
    let group = one.stride.saturating_mul(GROUP).saturating_add(size_of::<Group>());
    // Neither is ever zero, which the compiler cannot see; the checked form leaves no panic behind.
    let whole = (room - one.layout.size()).checked_div(group).unwrap_or(0);
    let rest = (room - one.layout.size() - whole * group).checked_div(one.stride).unwrap_or(0);
    let mut spec = Spec { cells: 1 + whole * GROUP + rest, ..*spec };
    let mut plan = Plan::new(&spec, 0)?;
    while plan.layout.size() > room {
        spec.cells -= 1;
        plan = Plan::new(&spec, 0)?;
    }
    // SAFETY: [extent] the buffer has room for the plan from its first aligned byte.
    Ok(unsafe { write(NonNull::new_unchecked(buffer.add(start)), null_mut(), &spec, &plan, FLAG_BUFFER) })
}

/// Tears a pool down and gives its block back. The destructor, if it has one, runs on each cell that is still live;
/// every cell's bytes are zeroed where the pool or its source is to be shredded. Null is ignored. A destructor that tears
/// down the pool of its own cell is reported, and the pool left whole.
///
/// # Safety
/// `pool` is null or a live pool, none of whose cells is used any more, and its source is alive.
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 32, 10);
///     pool::a(pool);
///     pool::x(pool); // the cell goes with it
/// }
/// ```
pub unsafe fn x(pool: *mut Pool) {
    // SAFETY: [caller] the caller vouches for a readable header where it is not null.
    unsafe {
        if !pool.is_null() && check_pool(call!(c"kmpoolx"), pool) {
            // Any block of a growing pool stands for all of it: handles on its cells name the block that they are in.
            let pool = (*pool).head;
            if (*pool).cell.flags & FLAG_IN_DTOR != 0 {
                return fault::report(call!(c"kmpoolx"), pool.cast(), Misuse::BeingFreed);
            }
            #[cfg(feature = "tree")]
            if (*pool).cell.flags & FLAG_HOST != 0 {
                // The node that hosts the pool takes it down when it goes.
                super::tree::free::release(pool.cast(), call!(c"kmpoolx"), Shred::No);
                return;
            }
            tear_down(pool);
        }
    }
}

/// Allocates a cell and returns its data, at least `request.size` bytes of it. A destructor in the request is
/// refused, and so is a name other than the pool's: a pool has one for all its cells.
///
/// Fails with [`AllocError::Size`] where the cells are too small, [`AllocError::Align`] where their alignment is,
/// [`AllocError::Exhausted`] where all are taken, [`AllocError::Source`] where this is no live pool.
///
/// # Safety
/// `pool` points to a pool that belongs to this thread now.
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
    // SAFETY: [caller] the caller vouches for a readable header.
    let found = unsafe { (*pool).cell.kind };
    // SAFETY: [caller, live] it is asked of a pool.
    let other = |asked: &CStr| unsafe { name(pool) } != Some(asked);
    if found != Kind::Pool as i32 || request.drop.is_some() || request.name.is_some_and(other) {
        return Err(AllocError::Source(Kind::from_raw(found)));
    }
    // SAFETY: [live, one-thread] the kind says that this is a live pool, and the caller that it is this thread's.
    unsafe {
        fits(pool, request.size, request.align)?;
        let data = take(pool, draw_more)?;
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

/// The handle of a live cell with this data; the null handle of null.
///
/// # Safety
/// `data` is null or that of a live cell of this method.
///
/// ```
/// use kmem::raw::{ptr, pool};
/// use std::ptr::null_mut;
/// unsafe {
///     let pool = pool::i(null_mut(), 24, 2);
///     ptr::free(pool::handle(pool::a(pool)));
///     assert!(pool::handle(null_mut()).is_null());
///     pool::x(pool);
/// }
/// ```
#[inline]
#[must_use]
pub unsafe fn handle(data: *mut u8) -> Handle {
    // SAFETY: [tag] the data is null or that of a cell, whose header names its pool.
    let pool = if data.is_null() { null_mut() } else { unsafe { owner_of(data) } };
    Handle::on(Kind::Pool, data, pool.cast())
}

/// Whether a live cell holds `size` bytes.
///
/// # Safety
/// `data` is that of a live cell of a pool of this thread's.
pub(crate) unsafe fn holds(data: *mut u8, size: usize) -> Result<(), AllocError> {
    // SAFETY: [caller, tag] the caller gives a live cell, whose header names its pool.
    unsafe { fits(owner_of(data), size, 0) }
}

/// Zeroes what a live cell has behind so many bytes where the pool, or `shred`, asks for it.
///
/// # Safety
/// As for [`holds`], and the cell does.
pub(crate) unsafe fn cut(data: *mut u8, size: usize, shred: Shred) {
    // SAFETY: [caller, tag] the caller gives a live cell, whose header names its pool.
    unsafe {
        let pool = owner_of(data);
        if shred.is_yes() || is_tainted(data) || shreds((*pool).head.cast()) {
            shred::zero(data.add(size), (*pool).cellsz - size);
        }
    }
}

/// Whether a live cell of `from` bytes may have `to` bytes. What is cut off is zeroed where the pool asks for it.
///
/// # Safety
/// As for [`holds`].
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
    module: "pool",
    call: "kmpool",
    thing: "a cell of the pool",
    a: (pool: *mut Pool) => (pool, 0),
    z: (pool: *mut Pool, size: usize) => (pool, size),
    f: -> (),
    fails: "Null means that all cells are taken (and a growing pool's source is exhausted), that `size`, where it is \
            given, is more than a cell holds, or that `pool` is null or no live pool. All of a zeroed cell is zeroed, \
            whatever the size.",
    safety: "`pool` is null or a pool that belongs to this thread now.",
    frees: "Gives a cell back to its pool, running the pool's destructor on it first.",
    shreds: "Zeroes a cell and gives it back to its pool.",
    example: ("    let pool = pool::i(null_mut(), 24, 2);\n", "pool", "pool, 24", "    pool::x(pool);\n"),
}
