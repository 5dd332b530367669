//! The header of a pool: its checks, blocks, destructor and name.

use core::alloc::Layout;
use core::ffi::CStr;
use core::ptr::null;

use crate::cell::{Cell, FLAG_HOST, Kind};
use crate::fault::{self, Call};
use crate::raw::layout::{Node, POOL_IN_DTOR, Pool};
use crate::raw::request::{BASE_ALIGN, Destructor};
use crate::raw::seal::{self, SealedDtor};

/// Returns true if this is a live pool. Otherwise reports the misuse. Safety: if the address is aligned, a header is readable
/// there.
#[inline(never)]
pub(crate) unsafe fn check_pool(call: Call, pool: *mut Pool) -> bool {
    // SAFETY: [caller] the caller's header is readable; only an aligned one is read.
    let found = if pool.addr() & (BASE_ALIGN - 1) == 0 { unsafe { (*pool).cell.kind } } else { 0 };
    if found == Kind::Pool as i32 {
        return true;
    }
    fault::report(call, pool.cast(), fault::classify(Kind::Pool, found));
    false
}

/// [`check_pool`] for calls that only read. They accept a dying pool, because destructors of its cells may read it.
#[inline(never)]
pub(crate) unsafe fn check_pool_readable(call: Call, pool: *mut Pool) -> bool {
    // SAFETY: [caller] the caller's header is readable; only an aligned one is read.
    unsafe {
        pool.addr() & (BASE_ALIGN - 1) == 0 && (*pool).cell.kind == Kind::Pool.dying()
            || check_pool(call, pool)
    }
}

/// Returns true if this is the header of a pool on a node. Safety: the bytes of a pool's header are readable there.
#[cfg(feature = "tree")]
pub(crate) unsafe fn is_hosted(pool: *mut Pool) -> bool {
    // SAFETY: [caller] the caller's bytes are readable.
    unsafe {
        [Kind::Pool as i32, Kind::Pool.dying()].contains(&(*pool).cell.kind)
            && (*pool).cell.flags & FLAG_HOST != 0
            && (*pool).seal == seal::of_pool(pool.addr(), seal::key())
    }
}

/// Returns true if the destructor of one of the pool's cells is running. Safety: `pool` is a live pool on a node.
#[cfg(feature = "tree")]
pub(crate) unsafe fn is_in_dtor(pool: *mut Pool) -> bool {
    // SAFETY: [caller, hosted] the caller's pool is live.
    unsafe { (*(*pool).head).cell.flags & POOL_IN_DTOR != 0 }
}

/// Returns the source of a growing pool's further blocks: the source of the pool, or for a pool on a node, the source of the node.
pub(crate) unsafe fn growth_source(head: *mut Pool) -> *mut Cell {
    // SAFETY: [caller, outlives] the caller gives a live pool, whose source is alive.
    let (src, flags) = unsafe { ((*head).src, (*head).cell.flags) };
    if flags & FLAG_HOST == 0 {
        return src;
    }
    // Only the feature `tree` has pools on nodes.
    #[cfg(feature = "tree")]
    {
        // SAFETY: [hosted] a hosted pool is the data of a node.
        let src = unsafe { (*Node::of(head.cast())).src };
        #[cfg(feature = "arena")]
        // SAFETY: [outlives] the source of a live node is live.
        let src = unsafe { crate::raw::arena::header::origin(src) };
        src
    }
    #[cfg(not(feature = "tree"))]
    src
}

/// Returns the first block of a pool.
pub(crate) unsafe fn head(pool: *mut Pool) -> *mut Pool {
    // SAFETY: [caller, blocks] each block of a live pool names the first.
    unsafe { (*pool).head }
}

/// Iterates over the blocks of a pool, from this one on. Safety: `pool` is null, or live while the iterator is used.
pub(crate) unsafe fn blocks(pool: *mut Pool) -> impl Iterator<Item = *mut Pool> {
    core::iter::successors((!pool.is_null()).then_some(pool), |&block| {
        // SAFETY: [blocks] the caller's pool is live, and so are its blocks.
        let next = unsafe { (*block).next };
        (!next.is_null()).then_some(next)
    })
}

pub(crate) unsafe fn layout_of(pool: *mut Pool) -> Layout {
    // SAFETY: [caller, extent] the caller gives a live pool, whose header repeats the valid layout of its block.
    unsafe {
        let align = if (*pool).cell.align == 0 { BASE_ALIGN } else { 1 << (*pool).cell.align };
        Layout::from_size_align_unchecked((*pool).cell.size, align)
    }
}

/// Returns the destructor of a pool's cells, which may be empty, or `None` if it is corrupt.
pub(crate) unsafe fn destructor(pool: *mut Pool) -> Option<Destructor> {
    // SAFETY: [caller, blocks] the caller gives a live pool, and the part of its first block is the destructor.
    unsafe { SealedDtor::read(&raw mut (*(*pool).head).part.drop) }
}

/// Returns the name of a pool, or `None` if it has none or the name is corrupt.
///
/// # Safety
/// `pool` points to the memory of a pool, or of a block of one, that belongs to this thread. The contents of that memory may be
/// corrupt.
#[must_use]
pub unsafe fn name(pool: *mut Pool) -> Option<&'static CStr> {
    // SAFETY: [caller, seal] the caller gives a readable header. A name with a correct seal is static.
    unsafe {
        let Pool { name, named, .. } = *pool;
        (!name.is_null() && seal::of_pool_name(name.addr()) == named).then(|| CStr::from_ptr(name))
    }
}

/// Replaces the name of a pool.
///
/// # Safety
/// As for [`capacity`](super::capacity).
pub unsafe fn set_name(pool: *mut Pool, name: Option<&'static CStr>) {
    // SAFETY: [blocks] the caller's pool is live, and so are its blocks.
    for block in unsafe { blocks(pool) } {
        let name = name.map_or(null(), CStr::as_ptr);
        // SAFETY: [blocks] as above.
        unsafe { ((*block).name, (*block).named) = (name, seal::of_pool_name(name.addr())) };
    }
}
