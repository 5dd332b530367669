//! Equal cells, allocated and freed one by one: the allocators, and the order of the calls.

pub mod arenas;
pub mod heaps;
pub mod list;
pub mod pools;
mod rows;
mod workload;

pub use rows::rows;

/// Something that hands out cells of one size.
pub trait Cells {
    /// A cell that was handed out. Moved, never copied.
    type Cell;

    fn alloc(&mut self) -> Self::Cell;

    /// Where the cell's data is.
    fn data(&mut self, cell: &mut Self::Cell) -> *mut u8;

    fn free(&mut self, cell: Self::Cell);

    /// Called between phases, when no cell is out.
    fn rest(&mut self) {}
}

/// Allocates a cell and touches its first word, as any user would.
#[inline(always)]
pub fn take<C: Cells>(cells: &mut C) -> C::Cell {
    let mut cell = cells.alloc();
    let data = cells.data(&mut cell);
    // SAFETY: every cell that is measured has room for a word, aligned to 16 bytes.
    unsafe { data.cast::<u64>().write(1) };
    std::hint::black_box(data);
    cell
}
