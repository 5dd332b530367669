//! kmem's pool through each of its faces.

use std::mem::MaybeUninit;
use std::ptr::null_mut;

use kmem::raw;
use kmem::{Pool, PoolBox};

use super::Cells;
use crate::kmem_c::{Kmem, linked};

/// The safe API. The pool is leaked and taken back at the end, so that its boxes need no lifetime.
pub struct Safe<const N: usize>(&'static Pool<[MaybeUninit<u8>; N]>);

impl<const N: usize> Safe<N> {
    pub fn new(cells: usize) -> Safe<N> {
        Safe(Box::leak(Box::new(Pool::new(cells))))
    }
}

impl<const N: usize> Drop for Safe<N> {
    fn drop(&mut self) {
        // SAFETY: it was leaked by `new`, and the workload has dropped every box by now.
        drop(unsafe { Box::from_raw(std::ptr::from_ref(self.0).cast_mut()) });
    }
}

impl<const N: usize> Cells for Safe<N> {
    type Cell = PoolBox<'static, [MaybeUninit<u8>; N]>;

    #[inline(always)]
    fn alloc(&mut self) -> Self::Cell {
        self.0.alloc([MaybeUninit::uninit(); N])
    }

    #[inline(always)]
    fn data(&mut self, cell: &mut Self::Cell) -> *mut u8 {
        cell.as_mut_ptr().cast()
    }

    #[inline(always)]
    fn free(&mut self, cell: Self::Cell) {
        drop(cell);
    }
}

/// The raw engine, inlined into its user.
pub struct Raw<const N: usize>(*mut raw::Pool);

impl<const N: usize> Raw<N> {
    pub fn new(cells: usize) -> Raw<N> {
        // SAFETY: the null source is the heap.
        Raw(unsafe { raw::pool::i(null_mut(), N, cells) })
    }
}

impl<const N: usize> Drop for Raw<N> {
    fn drop(&mut self) {
        // SAFETY: the pool was made by `new`, and its cells are not used any more.
        unsafe { raw::pool::x(self.0) }
    }
}

impl<const N: usize> Cells for Raw<N> {
    type Cell = *mut u8;

    #[inline(always)]
    fn alloc(&mut self) -> *mut u8 {
        // SAFETY: the pool is live and this thread's.
        unsafe { raw::pool::a(self.0) }
    }

    #[inline(always)]
    fn data(&mut self, cell: &mut *mut u8) -> *mut u8 {
        *cell
    }

    #[inline(always)]
    fn free(&mut self, cell: *mut u8) {
        // SAFETY: the pattern frees what `alloc` gave.
        unsafe { raw::pool::f(cell) }
    }
}

/// The static library.
pub struct Static<const N: usize>(*mut raw::Pool);

impl<const N: usize> Static<N> {
    pub fn new(cells: usize) -> Static<N> {
        // SAFETY: the null source is the heap.
        Static(unsafe { linked::kmpooli(null_mut(), N, cells) })
    }
}

impl<const N: usize> Drop for Static<N> {
    fn drop(&mut self) {
        // SAFETY: the pool was made by `new`, and its cells are not used any more.
        unsafe { linked::kmpoolx(self.0) }
    }
}

impl<const N: usize> Cells for Static<N> {
    type Cell = *mut u8;

    #[inline(always)]
    fn alloc(&mut self) -> *mut u8 {
        // SAFETY: the pool is live and this thread's.
        unsafe { linked::kmpoola(self.0).cast() }
    }

    #[inline(always)]
    fn data(&mut self, cell: &mut *mut u8) -> *mut u8 {
        *cell
    }

    #[inline(always)]
    fn free(&mut self, cell: *mut u8) {
        // SAFETY: the pattern frees what `alloc` gave.
        unsafe { linked::kmpoolf(cell.cast()) }
    }
}

/// A shared library.
pub struct Shared<const N: usize>(Kmem, *mut raw::Pool);

impl<const N: usize> Shared<N> {
    pub fn new(kmem: Kmem, cells: usize) -> Shared<N> {
        // SAFETY: the null source is the heap.
        Shared(kmem, unsafe { (kmem.kmpooli)(null_mut(), N, cells) })
    }
}

impl<const N: usize> Drop for Shared<N> {
    fn drop(&mut self) {
        // SAFETY: the pool was made by `new`, and its cells are not used any more.
        unsafe { (self.0.kmpoolx)(self.1) }
    }
}

impl<const N: usize> Cells for Shared<N> {
    type Cell = *mut u8;

    #[inline(always)]
    fn alloc(&mut self) -> *mut u8 {
        // SAFETY: the pool is live and this thread's.
        unsafe { (self.0.kmpoola)(self.1).cast() }
    }

    #[inline(always)]
    fn data(&mut self, cell: &mut *mut u8) -> *mut u8 {
        *cell
    }

    #[inline(always)]
    fn free(&mut self, cell: *mut u8) {
        // SAFETY: the pattern frees what `alloc` gave.
        unsafe { (self.0.kmpoolf)(cell.cast()) }
    }
}
