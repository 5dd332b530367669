//! General-purpose heaps, and kmem's heap method over some of them.

use kmem::raw;

use super::Cells;
use crate::kmem_c::{Kmem, linked};
use crate::peers::Jemalloc;

/// A heap with a C-like interface. Copied into both threads of the rows that have two.
pub trait Heap: Copy + Send + 'static {
    fn alloc(self, size: usize) -> *mut u8;

    /// # Safety
    /// `cell` came from this heap with this size and is not used any more.
    unsafe fn free(self, cell: *mut u8, size: usize);
}

macro_rules! heaps {
    ($($(#[$doc:meta])* $heap:ident $(($field:ty))?: |$this:ident, $size:ident| $alloc:expr, |$cell:ident| $free:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $heap $((pub $field))?;

        impl Heap for $heap {
            #[inline(always)]
            fn alloc(self, $size: usize) -> *mut u8 {
                let $this = self;
                // SAFETY: none of them has a condition on allocating at least one byte.
                unsafe { $alloc.cast() }
            }

            #[inline(always)]
            unsafe fn free(self, $cell: *mut u8, $size: usize) {
                let $this = self;
                // SAFETY: the contract is the caller's.
                unsafe { $free }
            }
        }
    )*};
}

heaps! {
    Glibc: |_this, _size| libc::malloc(_size), |cell| libc::free(cell.cast());
    Mimalloc: |_this, _size| libmimalloc_sys::mi_malloc(_size), |cell| libmimalloc_sys::mi_free(cell.cast());
    /// Through the entry points that its Rust crate uses.
    Snmalloc: |_this, size| snmalloc_sys::sn_rust_alloc(16, size), |cell| { snmalloc_sys::sn_rust_dealloc(cell.cast(), 16, size); };
    Je(Jemalloc): |this, _size| (this.0.malloc)(_size), |cell| (this.0.free)(cell.cast());
    KmemRaw: |_this, _size| raw::heap::a(_size), |cell| raw::heap::f(cell);
    KmemStatic: |_this, _size| linked::kmheapa(_size), |cell| linked::kmheapf(cell.cast());
    KmemShared(Kmem): |this, _size| (this.0.kmheapa)(_size), |cell| (this.0.kmheapf)(cell.cast());
    /// Counted cells with one reference each.
    KmemRef: |_this, _size| linked::kmrefa(std::ptr::null_mut(), _size), |cell| linked::kmrefd(cell.cast());
    KmemRefShared(Kmem): |this, _size| (this.0.kmrefa)(std::ptr::null_mut(), _size), |cell| (this.0.kmrefd)(cell.cast());
}

/// Cells of `N` bytes from a heap.
pub struct OnHeap<H, const N: usize>(pub H);

impl<H: Heap, const N: usize> Cells for OnHeap<H, N> {
    type Cell = *mut u8;

    #[inline(always)]
    fn alloc(&mut self) -> *mut u8 {
        self.0.alloc(N)
    }

    #[inline(always)]
    fn data(&mut self, cell: &mut *mut u8) -> *mut u8 {
        *cell
    }

    #[inline(always)]
    fn free(&mut self, cell: *mut u8) {
        // SAFETY: the pattern frees what `alloc` gave.
        unsafe { self.0.free(cell, N) }
    }
}
