//! A free list threaded through its own cells: the least that a pool can do, and so the limit for a pair.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::null_mut;

use super::Cells;

/// Cells of `N` bytes in one block. Those never handed out are carved from its front.
pub struct List<const N: usize> {
    bottom: *mut Link,
    fresh: *mut u8,
    end: *mut u8,
    block: *mut u8,
    layout: Layout,
}

struct Link(*mut Link);

impl<const N: usize> List<N> {
    pub fn new(cells: usize) -> List<N> {
        let layout = Layout::from_size_align(N * cells, 16).expect("the cells fit the address space");
        // SAFETY: the size is not zero.
        let block = unsafe { alloc(layout) };
        assert!(!block.is_null(), "no memory for {cells} cells");
        List { bottom: null_mut(), fresh: block, end: block.wrapping_add(layout.size()), block, layout }
    }

    #[inline(always)]
    pub fn pop(&mut self) -> *mut u8 {
        if !self.bottom.is_null() {
            let cell = self.bottom;
            // SAFETY: a cell on the list is in the block, and its first word was written when it came back.
            self.bottom = unsafe { (*cell).0 };
            return cell.cast();
        }
        if self.fresh == self.end {
            return null_mut();
        }
        let cell = self.fresh;
        self.fresh = cell.wrapping_add(N);
        cell
    }

    /// # Safety
    /// `cell` is one of this list's that was handed out.
    #[inline(always)]
    pub unsafe fn push(&mut self, cell: *mut u8) {
        let cell: *mut Link = cell.cast();
        // SAFETY: the caller's cell has room for a link and is not used any more.
        unsafe { cell.write(Link(self.bottom)) };
        self.bottom = cell;
    }
}

impl<const N: usize> Drop for List<N> {
    fn drop(&mut self) {
        // SAFETY: the block came from `alloc` with this layout.
        unsafe { dealloc(self.block, self.layout) }
    }
}

impl<const N: usize> Cells for List<N> {
    type Cell = *mut u8;

    #[inline(always)]
    fn alloc(&mut self) -> *mut u8 {
        self.pop()
    }

    #[inline(always)]
    fn data(&mut self, cell: &mut *mut u8) -> *mut u8 {
        *cell
    }

    #[inline(always)]
    fn free(&mut self, cell: *mut u8) {
        // SAFETY: the pattern frees what `alloc` gave.
        unsafe { self.push(cell) }
    }
}

/// The same list behind calls as a C library would have them.
pub struct Called<const N: usize>(Box<List<N>>);

impl<const N: usize> Called<N> {
    pub fn new(cells: usize) -> Called<N> {
        Called(Box::new(List::new(cells)))
    }
}

#[inline(never)]
extern "C" fn pop<const N: usize>(list: &mut List<N>) -> *mut u8 {
    list.pop()
}

#[inline(never)]
unsafe extern "C" fn push<const N: usize>(list: &mut List<N>, cell: *mut u8) {
    // SAFETY: the contract is the caller's.
    unsafe { list.push(cell) }
}

impl<const N: usize> Cells for Called<N> {
    type Cell = *mut u8;

    #[inline(always)]
    fn alloc(&mut self) -> *mut u8 {
        pop(&mut self.0)
    }

    #[inline(always)]
    fn data(&mut self, cell: &mut *mut u8) -> *mut u8 {
        *cell
    }

    #[inline(always)]
    fn free(&mut self, cell: *mut u8) {
        // SAFETY: the pattern frees what `alloc` gave.
        unsafe { push(&mut self.0, cell) }
    }
}
