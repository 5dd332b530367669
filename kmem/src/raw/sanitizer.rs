//! What AddressSanitizer, MemorySanitizer, ThreadSanitizer and valgrind are told about memory.
//!
//! They know the blocks of `malloc` by themselves. Pools, of which they know nothing, have a file of their own.
//!
//! MemorySanitizer and ThreadSanitizer follow what the compiler instrumented, and stable Rust instruments nothing. The first is
//! also told what the library writes for the program to read: headers, zeroed data, results, arguments of callbacks. The second is
//! told how reference counts order threads, and that each change of a pool or a tree is a write, so that two threads that use one at
//! the same time are reported.
//!
//! Built in by `--cfg kmem_asan`, `kmem_msan`, `kmem_tsan` and `kmem_valgrind`; otherwise nothing is left of the calls. They are
//! safe: they touch no memory, and what they say wrongly is reported wrongly, no more.

/// Whether any tool is told anything.
pub(crate) const ON: bool = cfg!(any(kmem_asan, kmem_msan, kmem_tsan, kmem_valgrind));

/// Returns true if valgrind is told of cells that are drawn from the heap.
pub(crate) const HEAP: bool = cfg!(kmem_valgrind);

/// Bytes that each block of the heap has behind what was asked for.
pub(crate) const SPARE: usize = if HEAP { 24 + 2 * size_of::<*mut u8>() } else { 0 };

/// A cell drawn from the heap.
#[derive(Debug)]
#[cfg_attr(not(kmem_valgrind), allow(dead_code, reason = "only valgrind is told of it"))]
pub(crate) struct HeapCell {
    /// Its header.
    pub(crate) header: *mut u8,
    /// Its data.
    pub(crate) data: *mut u8,
    /// The end of its block.
    pub(crate) end: *mut u8,
}

/// How a cell drawn from the heap is found, and where its header leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// By its data; the header leads nowhere.
    Nowhere,
    /// By its data; the header leads on: to children, or to what the cell owns.
    On,
    /// By its header, to which a node above or beside it leads.
    Inside,
}

/// A block of the heap was drawn, `size` bytes and [`SPARE`].
#[inline(always)]
pub(crate) fn heap_drawn(block: *mut u8, size: usize) {
    if HEAP {
        valgrind::no_access(block.wrapping_add(size), SPARE);
    }
}

/// A block of the heap is about to be given back.
#[inline(always)]
pub(crate) fn heap_given_back(block: *mut u8, size: usize) {
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
pub(crate) fn changed<T>(store: *mut T) {
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

    /// With this call as the place where it was allocated.
    pub(crate) fn undefined(from: *mut u8, len: usize) {
        __msan_allocated_memory(from.cast(), len);
    }

    pub(crate) fn defined(from: *mut u8, len: usize) {
        __msan_unpoison(from.cast(), len);
    }

    /// Code that is not instrumented leaves what MemorySanitizer knows of an earlier call's arguments.
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
        pub(in crate::raw) fn made(&self, _: super::Leads) {}
        pub(in crate::raw) fn leads(&self, _: super::Leads) {}
        pub(in crate::raw) fn ended(&self) {}
    }

    nothing! {
        no_access(*mut u8, usize)
        undefined(*mut u8, usize)
        defined(*mut u8, usize)
    }
}
