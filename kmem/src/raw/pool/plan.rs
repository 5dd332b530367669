//! The block of a pool: the offsets of its parts, and its header.

use core::alloc::Layout;
use core::ffi::CStr;
use core::ptr::{NonNull, null, null_mut};

use crate::cell::{Cell, Kind};
use crate::error::AllocError;
use crate::raw::layout::{Group, NEVER, POOL, POOL_CELL as HEADER, POOL_HAS_DTOR, Part, Pool, PoolCell};
use crate::raw::pool::announce;
use crate::raw::request::{BASE_ALIGN, Destructor, align_byte, data_align, round_up};
use crate::raw::seal::{self, SealedDtor, heap_id};
use crate::raw::totals;

/// Cells in a group.
pub(crate) const GROUP: usize = u64::BITS as usize;

/// The options of a pool.
///
/// Exhaustive, so that other crates can write `..Spec::new(size, cells)`. A new field is a breaking change.
///
/// ```
/// use kmem::raw::pool::{self, Spec};
/// let spec = Spec { align: 64, ..Spec::new(100, 8) };
/// unsafe {
///     let pool = pool::init(std::ptr::null_mut(), &spec).unwrap().as_ptr();
///     assert_eq!(pool::a(pool).addr() % 64, 0);
///     pool::x(pool);
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Data bytes of each cell; may be zero.
    pub size: usize,
    /// Alignment of the data of each cell in bytes: a power of two up to [`MAX_ALIGN`](crate::raw::MAX_ALIGN).
    pub align: usize,
    /// Number of cells; if the pool grows, that of its first block.
    pub cells: usize,
    /// Destructor that runs when a cell is freed, and for each live cell when the pool is destroyed. A pool with a
    /// destructor cannot be a source.
    pub drop: Option<Destructor>,
    /// True if a full pool allocates another block, with twice as many cells as its largest one.
    pub grows: bool,
    /// Name in reports: see [`name`](super::name).
    pub name: Option<&'static CStr>,
}

impl Spec {
    /// The options of a pool of `cells` cells of `size` bytes, aligned to 16, that does not grow.
    #[must_use]
    pub const fn new(size: usize, cells: usize) -> Spec {
        Spec { size, align: BASE_ALIGN, cells, drop: None, grows: false, name: None }
    }
}

/// The offsets of the parts of a pool's block.
pub(crate) struct Plan {
    /// Bytes from the start of the block to the data of the first cell.
    data: usize,
    pub(crate) stride: usize,
    pub(crate) layout: Layout,
}

impl Plan {
    /// A plan with at least `behind` bytes between the data of a cell and the next header.
    pub(crate) fn new(spec: &Spec, behind: usize) -> Result<Plan, AllocError> {
        let align = data_align(spec.align)?;
        let parts = || {
            let stride = round_up(spec.size.checked_add(HEADER + behind)?, align)?;
            let groups = spec.cells.div_ceil(GROUP) * size_of::<Group>();
            let data = round_up(groups + (POOL + HEADER), align)?;
            // The stride of the last cell includes room for a header that is not needed. So the size of every pool is a multiple of
            // 16.
            let total = stride.checked_mul(spec.cells)?.checked_add(data - HEADER)?;
            Some(Plan { data, stride, layout: Layout::from_size_align(total, align).ok()? })
        };
        parts().ok_or(AllocError::Overflow)
    }
}

impl Pool {
    /// Returns the number of cells in this block.
    #[inline]
    pub(crate) fn cells(&self) -> usize {
        if self.cells as isize >= 0 { self.cells } else { self.high_water }
    }

    /// Returns the index of a cell. For any other address, returns a number that is at least `cells`.
    ///
    /// One multiplication divides the offset by the stride and shows if the offset is a multiple of the stride. With `stride = odd
    /// << shift`, multiplying by the inverse of `odd` modulo 2^64 and rotating right by `shift` gives the quotient if there is no
    /// remainder, and otherwise a number above every possible quotient (Granlund and Montgomery, "Division by Invariant Integers
    /// using Multiplication", PLDI 1994, section 9).
    #[inline]
    pub(crate) fn index(&self, cell: *mut PoolCell) -> usize {
        let offset = cell.addr().wrapping_sub(self.first.addr());
        offset.wrapping_mul(self.inverse).rotate_right(self.shift.into())
    }
}

/// The inverse of an odd number modulo 2^64 (2^32 on 32-bit machines), by Newton's iteration: each step doubles the
/// number of correct bits.
pub(crate) const fn inverse(odd: usize) -> usize {
    let mut x = odd;
    let mut step = 0;
    while step < 6 {
        x = x.wrapping_mul(2usize.wrapping_sub(odd.wrapping_mul(x)));
        step += 1;
    }
    x
}

/// Returns the bytes of buffer that [`in_buffer`](super::in_buffer) needs for `cells` cells of `size` bytes, wherever
/// the buffer begins; `usize::MAX` if that overflows. C: `Kmpoolsz`.
#[must_use]
pub const fn buffer_size(size: usize, cells: usize) -> usize {
    in_buffer_size(size, BASE_ALIGN, cells)
}

/// [`buffer_size`] for data aligned to `align`.
pub(crate) const fn in_buffer_size(size: usize, align: usize, cells: usize) -> usize {
    let align = if align < BASE_ALIGN { BASE_ALIGN } else { align };
    let groups = cells.div_ceil(GROUP).saturating_mul(size_of::<Group>());
    let Some(first) = groups.saturating_add(POOL + HEADER).checked_next_multiple_of(align) else {
        return usize::MAX;
    };
    let Some(stride) = size.saturating_add(HEADER).checked_next_multiple_of(align) else { return usize::MAX };
    (first - HEADER).saturating_add(cells.saturating_mul(stride)).saturating_add(align - 1)
}

/// Writes a pool's header at the start of its block. Writes no cells. Safety: the block has the layout of the plan, and is the
/// caller's. It was allocated from `src`.
pub(crate) unsafe fn write(
    base: NonNull<u8>,
    src: *mut Cell,
    spec: &Spec,
    plan: &Plan,
    flags: u8,
) -> NonNull<Pool> {
    let pool = base.cast::<Pool>();
    let align = data_align(spec.align).unwrap_or(BASE_ALIGN);
    let flags = flags | if spec.drop.is_some() { POOL_HAS_DTOR } else { 0 };
    let name = spec.name.map_or(null(), CStr::as_ptr);
    let header = Pool {
        cell: Cell::new(Kind::Pool, flags, align_byte(align), heap_id(), plan.layout.size()),
        cellsz: spec.size,
        top: null_mut(),
        bottom: null_mut(),
        src,
        // SAFETY: [extent] the offset lies inside the block, behind the headers of the pool and the first cell.
        first: unsafe { base.add(plan.data - HEADER) }.as_ptr().cast(),
        stride: plan.stride,
        inverse: inverse(plan.stride >> plan.stride.trailing_zeros()),
        shift: plan.stride.trailing_zeros() as u8,
        named: seal::of_pool_name(name.addr()),
        seal: seal::of_pool(pool.as_ptr().addr(), seal::key()),
        high_water: 0,
        cells: spec.cells,
        part: Part {
            drop: SealedDtor::sealed(
                // SAFETY: [extent] the caller's block has room for a pool.
                unsafe { &raw mut (*pool.as_ptr()).part.drop },
                spec.drop.unwrap_or(Destructor { run: None, arg: null_mut() }),
            ),
        },
        head: pool.as_ptr(),
        next: null_mut(),
        current: pool.as_ptr(),
        parked: null_mut(),
        name,
        slack: NEVER,
    };
    let (cells, len) = (header.first.cast(), plan.stride * spec.cells);
    totals::made(Kind::Pool, plan.layout.size());
    announce::pool_reserved(pool.as_ptr(), cells, len);
    // SAFETY: [extent] the caller's block has room for a pool and the alignment of one.
    unsafe { pool.write(header) };
    announce::pool_made(pool.as_ptr(), cells, len, plan.stride - HEADER - spec.size);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_undoes_every_odd_number() {
        for odd in (1..10_000).step_by(2).chain([usize::MAX, usize::MAX / 2, (1 << (usize::BITS - 24)) + 1]) {
            assert_eq!(odd.wrapping_mul(inverse(odd)), 1, "{odd}");
        }
    }

    #[test]
    fn an_index_is_found_for_the_start_of_each_cell_and_nothing_else() {
        for (size, align) in [(0, 16), (1, 16), (32, 16), (33, 64), (500, 16), (1000, 256)] {
            let mut buffer = [0u128; 700];
            let spec = Spec { align, ..Spec::new(size, 0) };
            // SAFETY: the buffer has this size and outlives the pool.
            let pool = unsafe {
                crate::raw::pool::init_in_buffer(buffer.as_mut_ptr().cast(), size_of_val(&buffer), &spec)
            };
            // SAFETY: the pool has just been made.
            let pool = unsafe { &*pool.unwrap().as_ptr() };
            let first = pool.first.addr();
            for address in first.saturating_sub(4096)..first + pool.cells * pool.stride {
                let index = pool.index(core::ptr::without_provenance_mut(address));
                let offset = address.wrapping_sub(first);
                if offset % pool.stride == 0 && address >= first {
                    assert_eq!(index, offset / pool.stride);
                } else {
                    assert!(index >= pool.cells, "{address:#x} is taken for cell {index}");
                }
            }
        }
    }
}
