//! The header of a pool: checks of it, its blocks, its destructor and its name.

use core::alloc::Layout;
use core::ffi::CStr;
use core::ptr::null;

use crate::cell::{Cell, FLAG_HOST, FLAG_IN_DTOR, Kind};
use crate::fault::{self, Call};
use crate::raw::layout::{Node, Pool};
use crate::raw::request::{BASE_ALIGN, Destructor};
use crate::raw::seal::{self, SealedDtor};

/// Whether this is a live pool; what is wrong with it is reported.
#[inline(never)]
pub(crate) unsafe fn check_pool(call: Call, pool: *mut Pool) -> bool {
    // SAFETY: [caller] the caller vouches for a readable header; only an aligned one is read.
    let found = if pool.addr() & (BASE_ALIGN - 1) == 0 { unsafe { (*pool).cell.kind } } else { 0 };
    if found == Kind::Pool as i32 {
        return true;
    }
    fault::report(call, pool.cast(), fault::classify(Kind::Pool, found));
    false
}

/// [`check_pool`] for a look at a pool, which may be on its way out: the destructor of its cells may look at it.
#[inline(never)]
pub(crate) unsafe fn check_pool_seen(call: Call, pool: *mut Pool) -> bool {
    // SAFETY: [caller] the caller vouches for a readable header; only an aligned one is read.
    unsafe {
        pool.addr() & (BASE_ALIGN - 1) == 0 && (*pool).cell.kind == Kind::Pool.dying()
            || check_pool(call, pool)
    }
}

/// Whether these are the header of a pool that a node hosts.
///
/// # Safety
/// As many bytes as a pool's header has are readable there.
#[cfg(feature = "tree")]
pub(crate) unsafe fn is_hosted(pool: *mut Pool) -> bool {
    // SAFETY: [caller] the caller vouches for the bytes.
    unsafe {
        [Kind::Pool as i32, Kind::Pool.dying()].contains(&(*pool).cell.kind)
            && (*pool).cell.flags & FLAG_HOST != 0
            && (*pool).seal == seal::of_pool(pool.addr(), seal::key())
    }
}

/// Whether the destructor of one of the pool's cells is running.
///
/// # Safety
/// `pool` is that of a node that hosts it.
#[cfg(feature = "tree")]
pub(crate) unsafe fn is_ending(pool: *mut Pool) -> bool {
    // SAFETY: [caller, hosted] the caller's pool is live.
    unsafe { (*(*pool).head).cell.flags & FLAG_IN_DTOR != 0 }
}

/// The source of a growing pool's further blocks: its own, or where a node hosts it, that of the node.
pub(crate) unsafe fn growth_source(head: *mut Pool) -> *mut Cell {
    // SAFETY: [caller, outlives] the caller gives a live pool, whose source is alive.
    let (src, flags) = unsafe { ((*head).src, (*head).cell.flags) };
    if flags & FLAG_HOST == 0 {
        return src;
    }
    // A pool is hosted only where trees are built in.
    #[cfg(feature = "tree")]
    {
        // SAFETY: [hosted] a hosted pool is the data of a node.
        unsafe { (*Node::of(head.cast())).src }
    }
    #[cfg(not(feature = "tree"))]
    src
}

/// The first block of a pool, of which any stands for all.
///
/// # Safety
/// `pool` is a live pool, or a block of one.
pub(crate) unsafe fn head(pool: *mut Pool) -> *mut Pool {
    // SAFETY: [caller, blocks] each block of a live pool names the first.
    unsafe { (*pool).head }
}

/// # Safety
/// `pool` is live as long as the iterator is used.
pub(crate) unsafe fn blocks(pool: *mut Pool) -> impl Iterator<Item = *mut Pool> {
    core::iter::successors((!pool.is_null()).then_some(pool), |&block| {
        // SAFETY: [blocks] the caller's pool is live, and so are its blocks.
        let next = unsafe { (*block).next };
        (!next.is_null()).then_some(next)
    })
}

pub(crate) unsafe fn layout_of(pool: *mut Pool) -> Layout {
    // SAFETY: [caller, extent] the caller gives a live pool, whose header repeats the valid layout that it was drawn
    // with.
    unsafe {
        let align = if (*pool).cell.align == 0 { BASE_ALIGN } else { 1 << (*pool).cell.align };
        Layout::from_size_align_unchecked((*pool).cell.size, align)
    }
}

/// The destructor of a pool's cells, which may be an empty one, or `None` where it was written over.
pub(crate) unsafe fn destructor(pool: *mut Pool) -> Option<Destructor> {
    // SAFETY: [caller] the caller gives a live pool.
    unsafe { SealedDtor::read(&raw mut (*pool).drop) }
}

/// The name of a pool, or `None` where it has none, or where it was written over: this is for reports of damage too.
///
/// # Safety
/// `pool` points to a pool, or a block of one, that belongs to this thread now, whose memory is there: it may be damaged.
///
/// ```
/// use kmem::raw::pool::{self, Spec};
/// unsafe {
///     let spec = Spec { name: Some(c"requests"), ..Spec::new(100, 8) };
///     let pool = pool::init(std::ptr::null_mut(), &spec).unwrap().as_ptr();
///     assert_eq!(pool::name(pool), Some(c"requests"));
///     pool::x(pool);
/// }
/// ```
#[must_use]
pub unsafe fn name(pool: *mut Pool) -> Option<&'static CStr> {
    // SAFETY: [caller, seal] the caller gives a readable header. What bears the seal of a name is one, and static.
    unsafe {
        let Pool { name, named, .. } = *pool;
        (!name.is_null() && name.addr() ^ seal::key() == named).then(|| CStr::from_ptr(name))
    }
}

/// Gives a pool that exists a name, in the place of the one that it had.
///
/// # Safety
/// As for [`capacity`](super::capacity).
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 10);
///     assert_eq!(pool::name(pool), None);
///     pool::set_name(pool, Some(c"numbers"));
///     assert_eq!(pool::name(pool), Some(c"numbers"));
///     pool::x(pool);
/// }
/// ```
pub unsafe fn set_name(pool: *mut Pool, name: Option<&'static CStr>) {
    // SAFETY: [blocks] the caller's pool is live, and so are its blocks.
    for block in unsafe { blocks(pool) } {
        let name = name.map_or(null(), CStr::as_ptr);
        // SAFETY: [blocks] as above.
        unsafe { ((*block).name, (*block).named) = (name, name.addr() ^ seal::key()) };
    }
}
