//! What AddressSanitizer, MemorySanitizer, ThreadSanitizer and valgrind are told about cells.
//!
//! They know the blocks of `malloc` by themselves. A pool is one such block to them, in which every byte may be used at any
//! time. Told which cells are live, they report a use of any other byte as they do for freed memory.
//!
//! | bytes | AddressSanitizer | MemorySanitizer | valgrind |
//! |---|---|---|---|
//! | the pool's header | accessible | defined | accessible |
//! | a cell never handed out, with its header | poisoned | undefined | no access |
//! | the header of a cell that was handed out | accessible | defined | accessible |
//! | the data of a live cell | accessible | undefined until written | an undefined block of a mempool |
//! | the data of a freed cell | poisoned | undefined | no access, a freed block of a mempool |
//! | what lies between a cell's data and the next header | poisoned | undefined | no access |
//!
//! The engine reads and writes headers of free cells, so those stay accessible.
//!
//! MemorySanitizer and ThreadSanitizer follow what the compiler instrumented, and stable Rust instruments nothing. The first is
//! also told what the library writes for the program to read: headers, zeroed data, results, arguments of callbacks. The second is
//! told how reference counts order threads, and that each change of a pool or a tree is a write, so that two threads that use one at
//! the same time are reported.
//!
//! Built in by `--cfg kmem_asan`, `kmem_msan`, `kmem_tsan` and `kmem_valgrind`; otherwise nothing is left of the calls. They are
//! safe: they touch no memory, and what they say wrongly is reported wrongly, no more.

#[cfg(feature = "pool")]
use super::pool::{HEADER, Pool};

/// Whether any tool is told anything.
#[cfg(feature = "pool")]
pub(super) const ON: bool = cfg!(any(kmem_asan, kmem_msan, kmem_tsan, kmem_valgrind));

/// Bytes that nobody may use behind each cell of a pool on the heap, so that a write past a cell whose size is a multiple of
/// 16 does not reach the next header unseen. Pools in buffers, and in cells of other sources, go without: their callers
/// have counted the bytes.
#[cfg(feature = "pool")]
pub(super) const RED_ZONE: usize = if cfg!(any(kmem_asan, kmem_valgrind)) { 16 } else { 0 };

/// A pool is about to be written at `pool`, whose cells are the `len` bytes from `cells`. What an earlier pool that was
/// never torn down left marked in a buffer is forgotten.
#[cfg(feature = "pool")]
#[inline(always)]
pub(super) fn pool_reserved(pool: *mut Pool, cells: *mut u8, len: usize) {
    let header = cells.addr().wrapping_sub(pool.addr());
    asan::unpoison(pool.cast(), header);
    asan::poison(cells, len);
    msan::defined(pool.cast(), header);
    msan::undefined(cells, len);
    valgrind::forget_pool(pool);
    valgrind::undefined(pool.cast(), header);
}

/// The pool is written.
#[cfg(feature = "pool")]
#[inline(always)]
pub(super) fn pool_made(pool: *mut Pool, cells: *mut u8, len: usize, behind: usize) {
    valgrind::make_pool(pool, cells, behind);
    valgrind::no_access(cells, len);
}

/// The `size` bytes of data of a cell are someone's; its header is about to be written.
#[cfg(feature = "pool")]
#[inline(always)]
pub(super) fn handed_out(pool: *mut Pool, cell: *mut u8, size: usize) {
    let data = cell.wrapping_add(HEADER);
    asan::unpoison(cell, HEADER + size);
    msan::defined(cell, HEADER);
    msan::undefined(data, size);
    changed(pool);
    tsan::written(data, size);
    // In this order: a new block of a mempool has its surroundings made inaccessible.
    valgrind::allocated(pool, data, size);
    valgrind::undefined(cell, HEADER);
}

/// Of a live cell's `whole` bytes only the first `size` may be used.
#[cfg(feature = "pool")]
#[inline(always)]
pub(super) fn narrowed(data: *mut u8, size: usize, whole: usize) {
    asan::poison(data.wrapping_add(size), whole.wrapping_sub(size));
    valgrind::resized(data, size);
    valgrind::no_access(data.wrapping_add(size), whole.wrapping_sub(size));
}

/// Of a live cell's `whole` bytes the first `to` may be used now, and not the first `from`.
#[cfg(feature = "pool")]
#[inline(always)]
pub(super) fn resized(data: *mut u8, from: usize, to: usize, whole: usize) {
    asan::unpoison(data, to);
    asan::poison(data.wrapping_add(to), whole.wrapping_sub(to));
    msan::undefined(data.wrapping_add(from.min(to)), whole.wrapping_sub(from.min(to)));
    valgrind::resized(data, to);
    valgrind::undefined(data.wrapping_add(from), to.saturating_sub(from));
    valgrind::no_access(data.wrapping_add(to), whole.wrapping_sub(to));
}

/// All of a cell's data is about to be zeroed.
#[cfg(feature = "pool")]
#[inline(always)]
pub(super) fn widened(data: *mut u8, whole: usize) {
    asan::unpoison(data, whole);
    valgrind::undefined(data, whole);
}

/// A cell is free and its header written; `len` bytes lie between that and the next header.
#[cfg(feature = "pool")]
#[inline(always)]
pub(super) fn given_back(pool: *mut Pool, data: *mut u8, len: usize) {
    asan::poison(data, len);
    msan::undefined(data, len);
    changed(pool);
    tsan::written(data, len);
    valgrind::freed(pool, data);
    valgrind::defined(data.wrapping_sub(HEADER), HEADER);
    valgrind::no_access(data, len);
}

/// No cell is used any more: the block is its source's again.
#[cfg(feature = "pool")]
#[inline(always)]
pub(super) fn pool_gone(pool: *mut Pool, cells: *mut u8, len: usize) {
    asan::unpoison(cells, len);
    valgrind::destroy_pool(pool);
    // What they held is for the owner of a buffer, or the source, to know.
    let behind = pool.wrapping_add(1).cast::<u8>();
    let to_the_end = cells.addr().wrapping_sub(behind.addr()) + len;
    msan::defined(behind, to_the_end);
    valgrind::defined(behind, to_the_end);
}

/// Returns true if valgrind is told of cells that are drawn from the heap.
pub(super) const HEAP: bool = cfg!(kmem_valgrind);

/// Bytes that each block of the heap has behind what was asked for.
pub(super) const SPARE: usize = if HEAP { 24 + 2 * size_of::<*mut u8>() } else { 0 };

/// A cell drawn from the heap.
#[derive(Debug)]
#[cfg_attr(not(kmem_valgrind), allow(dead_code, reason = "only valgrind is told of it"))]
pub(super) struct HeapCell {
    /// Its header.
    pub(super) header: *mut u8,
    /// Its data.
    pub(super) data: *mut u8,
    /// The end of its block.
    pub(super) end: *mut u8,
}

/// How a cell drawn from the heap is found, and where its header leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    /// By its data; the header leads nowhere.
    Nowhere,
    /// By its data; the header leads on: to children, or to what the cell owns.
    On,
    /// By its header, to which a node above or beside it leads.
    Inside,
}

/// A block of the heap was drawn, `size` bytes and [`SPARE`].
#[inline(always)]
pub(super) fn heap_drawn(block: *mut u8, size: usize) {
    if HEAP {
        valgrind::no_access(block.wrapping_add(size), SPARE);
    }
}

/// A block of the heap is about to be given back.
#[inline(always)]
pub(super) fn heap_given_back(block: *mut u8, size: usize) {
    if HEAP {
        valgrind::undefined(block.wrapping_add(size), SPARE);
    }
}

/// The library has written these bytes, or is about to, for the program to read.
#[inline(always)]
pub fn written(from: *const u8, len: usize) {
    msan::defined(from.cast_mut(), len);
}

/// The library is about to call a function of the program with so many bytes of arguments.
#[inline(always)]
pub fn calls(arguments: usize) {
    msan::arguments(arguments);
}

/// A pool or a node is being changed.
#[inline(always)]
pub(super) fn changed<T>(store: *mut T) {
    tsan::written(store.cast(), size_of::<usize>());
}

/// Whatever this thread did happens before what another does that has [`acquired`] the same afterwards.
#[inline(always)]
pub(crate) fn released<T>(at: &T) {
    tsan::release(core::ptr::from_ref(at).cast());
}

/// Whatever was [`released`] has happened.
#[inline(always)]
pub(crate) fn acquired<T>(at: &T) {
    tsan::acquire(core::ptr::from_ref(at).cast());
}

/// Functions that do nothing, for a tool that is told nothing.
#[allow(unused_macros, reason = "with all tools there is none")]
macro_rules! nothing {
    ($($name:ident($($argument:ty),*))*) => {
        $(
            #[inline(always)]
            pub(super) fn $name($(_: $argument),*) {}
        )*
    };
}

#[cfg(kmem_asan)]
mod asan {
    use core::ffi::c_void;

    unsafe extern "C" {
        safe fn __asan_poison_memory_region(from: *const c_void, len: usize);
        safe fn __asan_unpoison_memory_region(from: *const c_void, len: usize);
    }

    pub(super) fn poison(from: *mut u8, len: usize) {
        __asan_poison_memory_region(from.cast(), len);
    }

    pub(super) fn unpoison(from: *mut u8, len: usize) {
        __asan_unpoison_memory_region(from.cast(), len);
    }
}

#[cfg(not(kmem_asan))]
mod asan {
    nothing! {
        poison(*mut u8, usize)
        unpoison(*mut u8, usize)
    }
}

#[cfg(kmem_msan)]
mod msan {
    use core::ffi::c_void;

    unsafe extern "C" {
        safe fn __msan_allocated_memory(from: *const c_void, len: usize);
        safe fn __msan_unpoison(from: *const c_void, len: usize);
        safe fn __msan_unpoison_param(arguments: usize);
    }

    /// With this call as the place where it was allocated.
    pub(super) fn undefined(from: *mut u8, len: usize) {
        __msan_allocated_memory(from.cast(), len);
    }

    pub(super) fn defined(from: *mut u8, len: usize) {
        __msan_unpoison(from.cast(), len);
    }

    /// Code that is not instrumented leaves what MemorySanitizer knows of an earlier call's arguments.
    pub(super) fn arguments(count: usize) {
        __msan_unpoison_param(count);
    }
}

#[cfg(not(kmem_msan))]
mod msan {
    nothing! {
        undefined(*mut u8, usize)
        defined(*mut u8, usize)
        arguments(usize)
    }
}

#[cfg(kmem_tsan)]
mod tsan {
    use core::ffi::c_void;

    unsafe extern "C" {
        safe fn __tsan_acquire(at: *mut c_void);
        safe fn __tsan_release(at: *mut c_void);
        safe fn __tsan_write_range(from: *mut c_void, len: usize);
    }

    pub(super) fn acquire(at: *const u8) {
        __tsan_acquire(at.cast_mut().cast());
    }

    pub(super) fn release(at: *const u8) {
        __tsan_release(at.cast_mut().cast());
    }

    pub(super) fn written(from: *mut u8, len: usize) {
        __tsan_write_range(from.cast(), len);
    }
}

#[cfg(not(kmem_tsan))]
mod tsan {
    nothing! {
        acquire(*const u8)
        release(*const u8)
        written(*mut u8, usize)
    }
}

#[cfg(kmem_valgrind)]
mod valgrind;

#[cfg(not(kmem_valgrind))]
mod valgrind {
    #[cfg(feature = "pool")]
    use super::Pool;

    impl super::HeapCell {
        pub(in crate::raw) fn made(&self, _: super::Leads) {}
        pub(in crate::raw) fn leads(&self, _: super::Leads) {}
        pub(in crate::raw) fn ended(&self) {}
    }

    nothing! {
        no_access(*mut u8, usize)
        undefined(*mut u8, usize)
    }

    #[cfg(feature = "pool")]
    nothing! {
        defined(*mut u8, usize)
        allocated(*mut Pool, *mut u8, usize)
        resized(*mut u8, usize)
        freed(*mut Pool, *mut u8)
        forget_pool(*mut Pool)
        make_pool(*mut Pool, *mut u8, usize)
        destroy_pool(*mut Pool)
    }
}
