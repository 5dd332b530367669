//! `kmpool…`

use core::ffi::{c_int, c_void};
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering;

use kmem::raw::pool::{self, Count, Spec};
use kmem::raw::{Cell, Fill, Handle, Pool};

use crate::options::{Options, or_null, plain};
use crate::ptr::handed;
use crate::walk::{Walk, Write, writing};
use crate::written;

fn spec(options: &Options, cells: usize) -> Spec {
    Spec {
        size: options.sz,
        align: options.align,
        cells,
        drop: options.destructor(),
        grows: options.grow != 0,
        name: options.name(),
    }
}

/// Taints a new pool if the options say so. Safety: the pool is live.
unsafe fn tainted(pool: NonNull<Pool>, options: &Options) -> NonNull<Pool> {
    if cfg!(feature = "shred") && options.shred != 0 {
        // SAFETY: the pool is the caller's.
        unsafe { pool.as_ref().cell.shred.store(1, Ordering::Relaxed) };
    }
    pool
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpooli(src: *mut Cell, size: usize, cells: usize) -> *mut Pool {
    // SAFETY: the caller vouches for the source.
    or_null(unsafe { pool::init(src, &Spec::new(size, cells)) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpooliw(src: *mut Cell, options: *const Options, cells: usize) -> *mut Pool {
    // SAFETY: the caller vouches for the source, and gives options whose destructor suits the cells.
    or_null(unsafe { pool::init(src, &spec(&*options, cells)).map(|pool| tainted(pool, &*options)) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpoolif(buffer: *mut c_void, len: usize, size: usize) -> *mut Pool {
    // SAFETY: the caller gives the buffer to the pool.
    or_null(unsafe { pool::init_in_buffer(buffer.cast(), len, &Spec::new(size, 0)) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpoolifw(buffer: *mut c_void, len: usize, options: *const Options) -> *mut Pool {
    // SAFETY: the caller gives the buffer to the pool, and options whose destructor suits the cells.
    or_null(unsafe {
        pool::init_in_buffer(buffer.cast(), len, &spec(&*options, 0)).map(|pool| tainted(pool, &*options))
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpoolx(pool: *mut Pool) {
    // SAFETY: the contract is the caller's.
    unsafe { pool::x(pool) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpoolc(pool: *mut Pool) {
    // SAFETY: the contract is the caller's.
    unsafe { pool::c(pool) }
}

#[inline(always)]
unsafe fn cell(pool: *mut Pool, size: usize, fill: Fill) -> *mut u8 {
    if pool.is_null() {
        crate::options::refuse(kmem::AllocError::Misused);
        return null_mut();
    }
    // SAFETY: the caller vouches for a pool that is not null.
    or_null(unsafe { pool::alloc(pool, &plain(size, fill)) })
}

/// [`cell`] for the functions that need not be as fast as `kmpoola`.
#[inline(never)]
unsafe fn sized_cell(pool: *mut Pool, size: usize, fill: Fill) -> *mut u8 {
    // SAFETY: the contract is the caller's.
    unsafe { cell(pool, size, fill) }
}

/// Returns the handle of a new cell, or the null handle for null.
#[inline(always)]
fn of_new(pool: *mut Pool, data: *mut u8) -> Handle {
    if data.is_null() {
        Handle::NULL
    } else {
        Handle { kind: kmem::Kind::Pool as i32, shred: 0, data, cell: pool.cast() }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpoola(pool: *mut Pool) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    unsafe { cell(pool, 0, Fill::Undefined) }.cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpoolz(pool: *mut Pool, size: usize) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    unsafe { sized_cell(pool, size, Fill::Zeroed) }.cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpoolao(pool: *mut Pool, size: usize) -> Handle {
    // SAFETY: the contract is the caller's.
    handed(of_new(pool, unsafe { sized_cell(pool, size, Fill::Undefined) }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpoolzo(pool: *mut Pool, size: usize) -> Handle {
    // SAFETY: the contract is the caller's.
    handed(of_new(pool, unsafe { sized_cell(pool, size, Fill::Zeroed) }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpoolf(data: *mut c_void) {
    // SAFETY: the contract is the caller's.
    unsafe { pool::f(data.cast()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpoolo(data: *mut c_void) -> Handle {
    // SAFETY: the contract is the caller's.
    handed(unsafe { pool::handle(data.cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpooln(walk: *mut Walk) -> c_int {
    // SAFETY: the caller gives a walk over a live pool.
    unsafe {
        let Walk { root, km_at_: after, .. } = *walk;
        let data = pool::walk_after(root.cast(), after.cast()).next().unwrap_or(null_mut());
        *walk = Walk { root, at: pool::handle(data), depth: 0, pool: null_mut(), km_at_: data.cast() };
        written(walk);
        (!data.is_null()).into()
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpoolq(pool: *mut Pool) -> Count {
    // SAFETY: the contract is the caller's.
    unsafe { pool::count(pool) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpoolt(pool: *mut Pool, write: Write, context: *mut c_void) {
    if !pool.is_null() {
        // SAFETY: the contract is the caller's.
        unsafe { kmem::raw::report::pool_text(pool, &mut writing(write, context)) }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpoolj(pool: *mut Pool, write: Write, context: *mut c_void) {
    if !pool.is_null() {
        // SAFETY: the contract is the caller's.
        unsafe { kmem::raw::report::pool_json(pool, &mut writing(write, context)) }
    }
}

#[cfg(feature = "shred")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmpools(data: *mut c_void) {
    // SAFETY: the contract is the caller's.
    unsafe { pool::s(data.cast()) }
}
