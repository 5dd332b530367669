//! Crates that hand out objects from blocks of their own. The arenas free nothing by itself, and all of it at rest.

use std::alloc::Layout;
use std::mem::MaybeUninit;

use bumpalo::Bump;
use slab::Slab;
use typed_arena::Arena;

use super::Cells;

pub struct Slabs<const N: usize>(Slab<Aligned<N>>);

/// As aligned as what the other contestants hand out.
#[repr(align(16))]
pub struct Aligned<const N: usize>([MaybeUninit<u8>; N]);

impl<const N: usize> Slabs<N> {
    pub fn new(cells: usize) -> Slabs<N> {
        Slabs(Slab::with_capacity(cells))
    }
}

impl<const N: usize> Cells for Slabs<N> {
    type Cell = usize;

    #[inline(always)]
    fn alloc(&mut self) -> usize {
        self.0.insert(Aligned([MaybeUninit::uninit(); N]))
    }

    #[inline(always)]
    fn data(&mut self, cell: &mut usize) -> *mut u8 {
        self.0[*cell].0.as_mut_ptr().cast()
    }

    #[inline(always)]
    fn free(&mut self, cell: usize) {
        self.0.remove(cell);
    }
}

pub struct Bumps<const N: usize>(Bump);

impl<const N: usize> Bumps<N> {
    pub fn new(cells: usize) -> Bumps<N> {
        Bumps(Bump::with_capacity(N * cells))
    }
}

impl<const N: usize> Cells for Bumps<N> {
    type Cell = *mut u8;

    #[inline(always)]
    fn alloc(&mut self) -> *mut u8 {
        self.0.alloc_layout(const { layout(N) }).as_ptr()
    }

    #[inline(always)]
    fn data(&mut self, cell: &mut *mut u8) -> *mut u8 {
        *cell
    }

    #[inline(always)]
    fn free(&mut self, _: *mut u8) {}

    fn rest(&mut self) {
        self.0.reset();
    }
}

const fn layout(size: usize) -> Layout {
    match Layout::from_size_align(size, 16) {
        Ok(layout) => layout,
        Err(_) => panic!("a cell fits the address space"),
    }
}

pub struct Arenas<const N: usize>(Arena<Aligned<N>>, usize);

impl<const N: usize> Arenas<N> {
    pub fn new(cells: usize) -> Arenas<N> {
        Arenas(Arena::with_capacity(cells), cells)
    }
}

impl<const N: usize> Cells for Arenas<N> {
    type Cell = *mut u8;

    #[inline(always)]
    fn alloc(&mut self) -> *mut u8 {
        self.0.alloc(Aligned([MaybeUninit::uninit(); N])).0.as_mut_ptr().cast()
    }

    #[inline(always)]
    fn data(&mut self, cell: &mut *mut u8) -> *mut u8 {
        *cell
    }

    #[inline(always)]
    fn free(&mut self, _: *mut u8) {}

    fn rest(&mut self) {
        self.0 = Arena::with_capacity(self.1);
    }
}
