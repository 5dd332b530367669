//! Announcements to AddressSanitizer, MemorySanitizer, ThreadSanitizer and valgrind. Those about pools are in `pool/announce.rs`.
//!
//! The tools know the blocks of `malloc` by themselves. MemorySanitizer and ThreadSanitizer see only instrumented code, and stable
//! Rust does not instrument. So kmem announces to MemorySanitizer which bytes it has written for user code to read: headers, zeroed
//! data, results, arguments of callbacks. It announces to ThreadSanitizer how reference counts order threads, and that each change
//! of a pool or a tree is a write. So ThreadSanitizer reports two threads that use one pool or tree at once.
//!
//! `--cfg kmem_asan`, `kmem_msan`, `kmem_tsan` and `kmem_valgrind` build them in. Otherwise the calls compile to nothing. They are
//! safe: they access no memory, and a wrong announcement only causes a wrong report.

/// True if any tool is built in.
pub(crate) const ON: bool = cfg!(any(kmem_asan, kmem_msan, kmem_tsan, kmem_valgrind));

/// True if cells allocated from the heap are announced to valgrind.
pub(crate) const HEAP: bool = cfg!(kmem_valgrind);

/// Extra bytes behind each block of the heap.
pub(crate) const SPARE: usize = if HEAP { 24 + 2 * size_of::<*mut u8>() } else { 0 };

/// A cell allocated from the heap.
#[derive(Debug)]
#[cfg_attr(not(kmem_valgrind), allow(dead_code, reason = "only valgrind uses it"))]
pub(crate) struct HeapCell {
    pub(crate) header: *mut u8,
    pub(crate) data: *mut u8,
    /// The end of its block.
    pub(crate) end: *mut u8,
}

/// The pointers between the header of a heap cell and other cells. The leak check of valgrind follows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderLinks {
    /// The header points to no cell, and no cell points to it.
    None,
    /// The header points to children or owned objects. User code points to the data.
    Out,
    /// A parent or sibling points to the header.
    In,
}

/// Announces a new block of the heap, with `size` bytes and [`SPARE`].
#[inline(always)]
pub(crate) fn heap_drawn(block: *mut u8, size: usize) {
    if HEAP {
        valgrind::no_access(block.wrapping_add(size), SPARE);
    }
}

/// Announces that a block of the heap will be freed.
#[inline(always)]
pub(crate) fn heap_given_back(block: *mut u8, size: usize) {
    if HEAP {
        valgrind::undefined(block.wrapping_add(size), SPARE);
    }
}

/// Announces bytes that kmem has written, or is about to write, for user code to read.
#[inline(always)]
pub fn written(from: *const u8, len: usize) {
    msan::defined(from.cast_mut(), len);
}

/// Announces a call of user code with this many bytes of arguments.
#[inline(always)]
pub fn calls(arguments: usize) {
    msan::arguments(arguments);
}

/// Announces a change of a pool or a node.
#[inline(always)]
pub(crate) fn changed<T>(store: *mut T) {
    tsan::written(store.cast(), size_of::<usize>());
}

/// Announces that everything this thread did happens before everything that another thread does after [`acquired`] on the same
/// address.
#[inline(always)]
pub(crate) fn released<T>(at: &T) {
    tsan::release(core::ptr::from_ref(at).cast());
}

/// Announces that this thread sees everything that happened before [`released`] on this address.
#[inline(always)]
pub(crate) fn acquired<T>(at: &T) {
    tsan::acquire(core::ptr::from_ref(at).cast());
}

/// Defines functions that do nothing, for a tool that is not built in.
#[allow(unused_macros, reason = "a build for all tools does not use it")]
macro_rules! nothing {
    ($($name:ident($($argument:ty),*))*) => {
        $(
            #[inline(always)]
            pub(crate) fn $name($(_: $argument),*) {}
        )*
    };
}

#[cfg(kmem_asan)]
pub(crate) mod asan {
    use core::ffi::c_void;

    unsafe extern "C" {
        safe fn __asan_poison_memory_region(from: *const c_void, len: usize);
        safe fn __asan_unpoison_memory_region(from: *const c_void, len: usize);
    }

    pub(crate) fn poison(from: *mut u8, len: usize) {
        __asan_poison_memory_region(from.cast(), len);
    }

    pub(crate) fn unpoison(from: *mut u8, len: usize) {
        __asan_unpoison_memory_region(from.cast(), len);
    }
}

#[cfg(not(kmem_asan))]
pub(crate) mod asan {
    nothing! {
        poison(*mut u8, usize)
        unpoison(*mut u8, usize)
    }
}

#[cfg(kmem_msan)]
pub(crate) mod msan {
    use core::ffi::c_void;

    unsafe extern "C" {
        safe fn __msan_allocated_memory(from: *const c_void, len: usize);
        safe fn __msan_unpoison(from: *const c_void, len: usize);
        safe fn __msan_unpoison_param(arguments: usize);
    }

    /// MemorySanitizer records the caller as the place of allocation.
    pub(crate) fn undefined(from: *mut u8, len: usize) {
        __msan_allocated_memory(from.cast(), len);
    }

    pub(crate) fn defined(from: *mut u8, len: usize) {
        __msan_unpoison(from.cast(), len);
    }

    /// Marks the arguments of the next call as defined. Otherwise the marks of an earlier call remain, because code without
    /// instrumentation does not replace them.
    pub(crate) fn arguments(count: usize) {
        __msan_unpoison_param(count);
    }
}

#[cfg(not(kmem_msan))]
pub(crate) mod msan {
    nothing! {
        undefined(*mut u8, usize)
        defined(*mut u8, usize)
        arguments(usize)
    }
}

#[cfg(kmem_tsan)]
pub(crate) mod tsan {
    use core::ffi::c_void;

    unsafe extern "C" {
        safe fn __tsan_acquire(at: *mut c_void);
        safe fn __tsan_release(at: *mut c_void);
        safe fn __tsan_write_range(from: *mut c_void, len: usize);
    }

    pub(crate) fn acquire(at: *const u8) {
        __tsan_acquire(at.cast_mut().cast());
    }

    pub(crate) fn release(at: *const u8) {
        __tsan_release(at.cast_mut().cast());
    }

    pub(crate) fn written(from: *mut u8, len: usize) {
        __tsan_write_range(from.cast(), len);
    }
}

#[cfg(not(kmem_tsan))]
pub(crate) mod tsan {
    nothing! {
        acquire(*const u8)
        release(*const u8)
        written(*mut u8, usize)
    }
}

#[cfg(kmem_valgrind)]
pub(crate) mod valgrind;

#[cfg(not(kmem_valgrind))]
pub(crate) mod valgrind {
    impl super::HeapCell {
        pub(in crate::raw) fn made(&self, _: super::HeaderLinks) {}
        pub(in crate::raw) fn set_links(&self, _: super::HeaderLinks) {}
        pub(in crate::raw) fn ended(&self) {}
    }

    nothing! {
        no_access(*mut u8, usize)
        undefined(*mut u8, usize)
        defined(*mut u8, usize)
    }
}
