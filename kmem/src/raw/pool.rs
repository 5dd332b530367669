//! Pools: equal cells in one block, handed out and taken back in constant time.
//!
//! A pool belongs to one thread at a time. Cells are carved from the front of the block as they are first needed, so
//! making a pool touches its header alone.
//!
//! Cells that came back are handed out again, the latest first. One free list would do for that, and nothing is faster
//! for a cell that is freed and needed again at once; but after many frees in random order such a list leads all over
//! the block, and each allocation waits for a cache and a TLB miss. So the list keeps only what lies together: where a
//! cell comes back far from the one before it, that one is *parked*, as a bit in its group of 64 neighbours. When the
//! list is empty parked cells are handed out group by group in the order of their addresses, without reading them.

mod verify;

use core::alloc::Layout;
use core::ffi::{CStr, c_char};
use core::mem::offset_of;
use core::ptr::{NonNull, null, null_mut};

use super::Handle;
use super::block::{self, BASE_ALIGN, Destructor, Fill, Request, round_up};
use super::marks;
use super::seal::{self, Slot, heap_id};
use super::source::{draw, give_back, shreds};
use super::totals;
use crate::cell::{
    Cell, FLAG_BUFFER, FLAG_CAREFUL, FLAG_ENDING, FLAG_GROWS, FLAG_HOST, FLAG_SCATTERED, FLAG_SECRETS, Kind,
    Shred,
};
use crate::error::AllocError;
use crate::fault::{self, Misuse};
use crate::shred;

pub use verify::verify;

/// The header of a pool (`kmpool` in C). Fields without documentation in C are private to the engine.
///
/// ```
/// # #[cfg(target_pointer_width = "64")]
/// assert_eq!(core::mem::size_of::<kmem::raw::Pool>() % 16, 0);
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct Pool {
    /// The prefix. Its `shred` mark is that of every cell.
    pub cell: Cell,
    /// Data bytes of each cell.
    pub cellsz: usize,
    /// The cell handed out most recently, or null.
    pub top: *mut PoolCell,
    /// The free cell that came back most recently, head of the free list, or null.
    pub bottom: *mut PoolCell,
    /// The source, null for the heap and for a caller's buffer.
    pub src: *mut Cell,
    /// The first cell.
    first: *mut PoolCell,
    /// Bytes from one cell to the next.
    stride: usize,
    /// Multiplicative inverse of the odd part of `stride`, see [`Pool::index`].
    inverse: usize,
    /// Trailing zeros of `stride`.
    shift: u32,
    /// What nobody who writes over the header of a cell can give a pool of their own, see [`seal`].
    seal: u32,
    /// Cells that have been handed out at least once: those before this index have a header.
    handed: usize,
    /// Cells in this block.
    cells: usize,
    /// What runs on each cell that goes.
    drop: Slot,
    /// The first block of the pool that this block belongs to; itself unless the pool has grown.
    head: *mut Pool,
    /// The next block of a growing pool.
    next: *mut Pool,
    /// The block of a growing pool that cells are drawn from; only the first block's is used.
    current: *mut Pool,
    /// The first of the groups in which cells are parked, or null.
    parked: *mut Group,
    /// The name, or null.
    name: *const c_char,
    /// The name's address under the key.
    named: usize,
}

/// 64 neighbouring cells. The groups of a pool lie between its header and its first cell; each is written when the first
/// of its cells is handed out.
#[derive(Debug)]
#[repr(C, align(8))]
struct Group {
    /// A bit for each cell that is free and not on the free list.
    free: u64,
    /// Where cells are parked here: the next group in which cells are, or null.
    next: *mut Group,
}

/// The header of a cell in a pool (`kmpoolcell` in C).
///
/// Exhaustive: C code relies on this layout.
///
/// ```
/// # #[cfg(target_pointer_width = "64")]
/// assert_eq!(core::mem::size_of::<kmem::raw::PoolCell>(), 16);
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct PoolCell {
    /// Of a live cell: the cell handed out before it. Of a free one: the next of the free list, the cell that came back
    /// before it or, where that lay far away and is parked, one that came back earlier.
    pub last: *mut PoolCell,
    /// The pool, or the block of a growing pool, that the cell belongs to. The lowest bit is set while it is free, the one above it
    /// while its destructor runs, and the third if this cell alone is zeroed when it is freed.
    pub pool: *mut Pool,
    /// What tells a `pool` that was written over, which on 32-bit machines may look like any address: see [`seal`].
    #[cfg(target_pointer_width = "32")]
    seal: usize,
    #[cfg(target_pointer_width = "32")]
    spare: core::mem::MaybeUninit<usize>,
}

impl PoolCell {
    /// Has the cell name its block, with a tag or without.
    ///
    /// # Safety
    /// `this` is the header of a cell of this block, which is the caller's.
    #[inline(always)]
    unsafe fn name(this: *mut PoolCell, named: *mut Pool) {
        // SAFETY: [caller] the contract is the caller's.
        unsafe {
            (*this).pool = named;
            #[cfg(target_pointer_width = "32")]
            {
                (*this).seal = seal::of_pool_cell(named, seal::known_key());
            }
        }
    }

    /// Adds a tag to those that the cell has.
    ///
    /// # Safety
    /// As for [`name`](PoolCell::name).
    #[inline(always)]
    unsafe fn tag(this: *mut PoolCell, tag: usize) {
        // SAFETY: [caller] the contract is the caller's.
        unsafe { PoolCell::name(this, (*this).pool.map_addr(|addr| addr | tag)) }
    }

    /// Returns true if the block that the cell names, as `pool` without a tag, may be looked at: nobody has written over the name,
    /// as far as that shows without a look.
    ///
    /// # Safety
    /// `this` is readable and aligned.
    #[inline(always)]
    unsafe fn may_follow(this: *mut PoolCell, pool: *mut Pool) -> bool {
        #[cfg(target_pointer_width = "32")]
        // SAFETY: [caller] the contract is the caller's.
        if unsafe { (*this).seal != seal::of_pool_cell((*this).pool, seal::key()) } {
            return false;
        }
        let _ = this;
        !seal::is_wild(pool.addr())
    }
}

/// What [`verify`] counted in a pool.
///
/// ```
/// assert_eq!(kmem::raw::pool::Census::default().live, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Census {
    /// Cells that are in use.
    pub live: usize,
    /// Cells that came back.
    pub free: usize,
    /// Cells whose destructor is running.
    pub dying: usize,
    /// Cells that were never handed out.
    pub unused: usize,
    /// Blocks: one, or more where the pool has grown.
    pub blocks: usize,
}

/// Bytes from the start of a pool cell's header to its data.
pub(crate) const HEADER: usize = 16;
/// Bytes of a pool's header.
const POOL: usize = size_of::<Pool>().next_multiple_of(BASE_ALIGN);
const FREE: usize = 1;
const DYING: usize = 2;
const TAINTED: usize = 4;
/// Cells of a group.
const GROUP: usize = u64::BITS as usize;
/// Cells that came back one after the other lie together where they are no further apart than this, in bytes: a few
/// pages, which the TLB and the prefetcher have at hand.
const NEAR: usize = 16 << 10;
/// A growing pool stops doubling its blocks here, in bytes.
const MAX_BLOCK: usize = 64 << 20;

const _: () = {
    const WORD: usize = size_of::<usize>();
    assert!(
        size_of::<PoolCell>() == HEADER
            && offset_of!(PoolCell, last) == 0
            && offset_of!(PoolCell, pool) == WORD
    );
    assert!(size_of::<Group>() == 16 && align_of::<Group>() <= BASE_ALIGN);
    assert!(offset_of!(Pool, cellsz) == 16 && offset_of!(Pool, top) == 16 + WORD);
    assert!(offset_of!(Pool, bottom) == 16 + 2 * WORD && offset_of!(Pool, src) == 16 + 3 * WORD);
    assert!(POOL == if WORD == 8 { 160 } else { 112 });
    // The prefix of a source is looked at before it is known to be a pool.
    assert!(align_of::<Pool>() == align_of::<Cell>());
};

/// What a pool is made of.
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
    /// Data bytes of each cell; zero is allowed.
    pub size: usize,
    /// Alignment of each cell's data in bytes: a power of two up to [`MAX_ALIGN`](super::MAX_ALIGN).
    pub align: usize,
    /// Cells, of the first block where the pool grows.
    pub cells: usize,
    /// What runs on each cell that is freed, and on each live cell when the pool is torn down. A pool that has one is no
    /// source for others.
    pub drop: Option<Destructor>,
    /// Whether the pool draws another block, of twice the cells of the one before, when it is full.
    pub grows: bool,
    /// What to call the pool in reports, see [`name`].
    pub name: Option<&'static CStr>,
}

impl Spec {
    /// A pool of `cells` cells of `size` bytes, aligned to 16, that does not grow.
    ///
    /// ```
    /// assert!(!kmem::raw::pool::Spec::new(32, 10).grows);
    /// ```
    #[must_use]
    pub const fn new(size: usize, cells: usize) -> Spec {
        Spec { size, align: BASE_ALIGN, cells, drop: None, grows: false, name: None }
    }
}

/// Where the parts of a pool's block lie.
struct Plan {
    /// Bytes from the start of the block to the data of the first cell.
    data: usize,
    stride: usize,
    layout: Layout,
}

impl Plan {
    /// A plan with at least `behind` bytes between the data of a cell and the next header.
    fn new(spec: &Spec, behind: usize) -> Result<Plan, AllocError> {
        let align = block::data_align(spec.align)?;
        let parts = || {
            let stride = round_up(spec.size.checked_add(HEADER + behind)?, align)?;
            let groups = spec.cells.div_ceil(GROUP) * size_of::<Group>();
            let data = round_up(groups + (POOL + HEADER), align)?;
            // The last cell needs no header behind it, yet may take one: it keeps every pool a multiple of 16.
            let total = stride.checked_mul(spec.cells)?.checked_add(data - HEADER)?;
            Some(Plan { data, stride, layout: Layout::from_size_align(total, align).ok()? })
        };
        parts().ok_or(AllocError::Overflow)
    }
}

impl Pool {
    /// The index of a cell, or a number at least as large as that of the cells where the address is not one of them.
    ///
    /// One multiplication tells whether the offset is a multiple of the stride and divides by it at once: for
    /// `stride = odd << shift`, multiplying by the inverse of `odd` modulo 2^64 and rotating right by `shift` gives
    /// the quotient where there is no remainder, and a number above every possible quotient where there is one
    /// (Granlund and Montgomery, "Division by Invariant Integers using Multiplication", PLDI 1994, section 9).
    #[inline]
    fn index(&self, cell: *mut PoolCell) -> usize {
        let offset = cell.addr().wrapping_sub(self.first.addr());
        offset.wrapping_mul(self.inverse).rotate_right(self.shift)
    }
}

/// The inverse of an odd number modulo the word, by Newton's iteration: each step doubles the right bits.
const fn inverse(odd: usize) -> usize {
    let mut x = odd;
    let mut step = 0;
    while step < 6 {
        x = x.wrapping_mul(2usize.wrapping_sub(odd.wrapping_mul(x)));
        step += 1;
    }
    x
}

/// Bytes of buffer that [`in_buffer`] needs for `cells` cells of `size` bytes, wherever the buffer starts; `usize::MAX`
/// where that is more than can be counted.
///
/// ```
/// use std::mem::MaybeUninit;
/// const BYTES: usize = kmem::raw::pool::buffer_size(32, 4);
/// let mut buffer = [MaybeUninit::<u8>::uninit(); BYTES];
/// let pool = unsafe { kmem::raw::pool::in_buffer(buffer.as_mut_ptr().cast(), BYTES, 32) };
/// for _ in 0..4 {
///     assert!(!unsafe { kmem::raw::pool::a(pool) }.is_null());
/// }
/// ```
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

/// Makes a pool of `cells` cells of `size` bytes, drawn from `src`: null for the heap, a pool, a custom source, or a
/// tree node, which the pool is then a child of and dies with. Takes constant time however many cells there are.
///
/// Returns null where the source is exhausted or cannot serve, or where the size overflows.
///
/// # Safety
/// `src` is null or points to a live cell, and outlives the pool.
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let million = pool::i(std::ptr::null_mut(), 32, 1_000_000);
///     pool::x(million);
/// }
/// ```
pub unsafe fn i(src: *mut Cell, size: usize, cells: usize) -> *mut Pool {
    // SAFETY: [caller] the contract is the caller's; there is no destructor.
    unsafe { init(src, &Spec::new(size, cells)) }.map_or(null_mut(), NonNull::as_ptr)
}

/// Makes a pool as [`i`] does, with all that a [`Spec`] can say, and says why where it fails.
///
/// # Safety
/// As for [`i`]. The destructor, if any, can be called with every cell that is live when it goes.
///
/// ```
/// use kmem::raw::pool::{self, Spec};
/// unsafe {
///     let pool = pool::init(std::ptr::null_mut(), &Spec { grows: true, ..Spec::new(8, 2) }).unwrap();
///     for _ in 0..100 {
///         assert!(!pool::a(pool.as_ptr()).is_null());
///     }
///     pool::x(pool.as_ptr());
/// }
/// ```
pub unsafe fn init(src: *mut Cell, spec: &Spec) -> Result<NonNull<Pool>, AllocError> {
    let plan = Plan::new(spec, if src.is_null() { marks::RED_ZONE } else { 0 })?;
    let mut flags = if spec.grows { FLAG_GROWS } else { 0 };
    // SAFETY: [caller] the caller gives null or a live cell.
    let base = if !src.is_null() && unsafe { (*src).kind } == Kind::Tree as i32 {
        flags |= FLAG_HOST;
        // SAFETY: [live] the kind says that it is a node.
        unsafe { host(src, plan.layout) }?
    } else {
        // SAFETY: [caller] the caller vouches for the source.
        unsafe { draw(src, plan.layout, Fill::Undefined) }?
    };
    // SAFETY: [extent] the block has the size and alignment of the plan.
    Ok(unsafe { write(base, src, spec, &plan, flags) })
}

/// A block for a pool on a tree node: the data of a child that hosts the pool.
#[cfg(feature = "tree")]
unsafe fn host(node: *mut Cell, layout: Layout) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the caller gives a live node.
    unsafe { super::tree::host(node.cast(), layout) }
}

#[cfg(not(feature = "tree"))]
unsafe fn host(_: *mut Cell, _: Layout) -> Result<NonNull<u8>, AllocError> {
    Err(AllocError::Source(Some(Kind::Tree)))
}

/// The source of a growing pool's further blocks: its own, or where a node hosts it, that of the node.
unsafe fn growth_source(head: *mut Pool) -> *mut Cell {
    // SAFETY: [caller, outlives] the caller gives a live pool, whose source is alive.
    let (src, flags) = unsafe { ((*head).src, (*head).cell.flags) };
    if flags & FLAG_HOST == 0 {
        return src;
    }
    // A pool is hosted only where trees are built in.
    #[cfg(feature = "tree")]
    {
        // SAFETY: [hosted] a hosted pool is the data of a node.
        unsafe { (*super::tree::header(head.cast())).src }
    }
    #[cfg(not(feature = "tree"))]
    src
}

/// The node above the one that hosts a pool is another now, or none. What was zeroed before is zeroed still.
///
/// # Safety
/// `pool` is a live hosted pool of this thread's, whose source is alive.
#[cfg(feature = "tree")]
pub(super) unsafe fn rehost(pool: *mut Pool, parent: *mut super::Node) {
    // SAFETY: [caller, hosted] the contract is the caller's.
    unsafe {
        if shreds(pool.cast()) {
            (*pool).cell.taint();
        }
        (*pool).src = parent.cast();
    }
}

/// Makes a pool inside the `len` bytes at `buffer`: as many cells of `size` bytes as fit, aligned to 16. Never calls
/// the heap. Returns null where not even one cell fits.
///
/// [`x`] runs as for any pool, but there is nothing to give back: the buffer is the caller's.
///
/// # Safety
/// `buffer` is null or valid for reads and writes of `len` bytes, which belong to the pool as long as it lives.
///
/// ```
/// use kmem::raw::pool;
/// let mut buffer = [0u8; 1000];
/// let pool = unsafe { pool::in_buffer(buffer.as_mut_ptr(), 1000, 32) };
/// assert!(!unsafe { pool::a(pool) }.is_null());
/// assert!(unsafe { pool::in_buffer(buffer.as_mut_ptr(), 100, 32) }.is_null());
/// ```
pub unsafe fn in_buffer(buffer: *mut u8, len: usize, size: usize) -> *mut Pool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { init_in_buffer(buffer, len, &Spec::new(size, 0)) }.map_or(null_mut(), NonNull::as_ptr)
}

/// Makes a pool as [`in_buffer`] does, with alignment and destructor from a [`Spec`], whose `cells` and `grows` mean
/// nothing here.
///
/// # Safety
/// As for [`in_buffer`] and [`init`].
///
/// ```
/// use kmem::raw::pool::{self, Spec};
/// let mut buffer = [0u8; 1024];
/// let spec = Spec { align: 128, ..Spec::new(100, 0) };
/// let pool = unsafe { pool::init_in_buffer(buffer.as_mut_ptr(), 1024, &spec) }.unwrap();
/// assert_eq!(unsafe { pool::a(pool.as_ptr()) }.addr() % 128, 0);
/// ```
pub unsafe fn init_in_buffer(buffer: *mut u8, len: usize, spec: &Spec) -> Result<NonNull<Pool>, AllocError> {
    let one = Plan::new(&Spec { cells: 1, ..*spec }, 0)?;
    let start = buffer.align_offset(one.layout.align());
    let needed = one.layout.size().saturating_add(start);
    if buffer.is_null() || needed > len {
        return Err(AllocError::Size { size: needed, max: if buffer.is_null() { 0 } else { len } });
    }
    // As many as there would be without further groups, less as long as that is too many: at most one in a group's worth.
    let room = len - start;
    let group = one.stride.saturating_mul(GROUP).saturating_add(size_of::<Group>());
    // Neither is ever zero, which the compiler cannot see; the checked form leaves no panic behind.
    let whole = (room - one.layout.size()).checked_div(group).unwrap_or(0);
    let rest = (room - one.layout.size() - whole * group).checked_div(one.stride).unwrap_or(0);
    let mut spec = Spec { cells: 1 + whole * GROUP + rest, ..*spec };
    let mut plan = Plan::new(&spec, 0)?;
    while plan.layout.size() > room {
        spec.cells -= 1;
        plan = Plan::new(&spec, 0)?;
    }
    // SAFETY: [extent] the buffer has room for the plan from its first aligned byte.
    Ok(unsafe { write(NonNull::new_unchecked(buffer.add(start)), null_mut(), &spec, &plan, FLAG_BUFFER) })
}

/// Writes a pool's header at the base of its block. The cells are not touched.
unsafe fn write(base: NonNull<u8>, src: *mut Cell, spec: &Spec, plan: &Plan, flags: u8) -> NonNull<Pool> {
    let pool = base.cast::<Pool>();
    let align = block::data_align(spec.align).unwrap_or(BASE_ALIGN);
    let careful = if spec.drop.is_some() || !src.is_null() { FLAG_CAREFUL } else { 0 };
    let flags = flags | careful;
    let header = Pool {
        cell: Cell::new(Kind::Pool, flags, block::align_byte(align), plan.layout.size()),
        cellsz: spec.size,
        top: null_mut(),
        bottom: null_mut(),
        src,
        // SAFETY: [extent] the plan's data offset lies inside the block, one header after the pool's own.
        first: unsafe { base.add(plan.data - HEADER) }.as_ptr().cast(),
        stride: plan.stride,
        inverse: inverse(plan.stride >> plan.stride.trailing_zeros()),
        shift: plan.stride.trailing_zeros(),
        seal: seal::of_pool(pool.as_ptr(), seal::key()),
        handed: 0,
        cells: spec.cells,
        drop: Slot::sealed(
            // SAFETY: [extent] the caller's block has room for a pool.
            unsafe { &raw mut (*pool.as_ptr()).drop },
            spec.drop.unwrap_or(Destructor { run: None, arg: null_mut() }),
        ),
        head: pool.as_ptr(),
        next: null_mut(),
        current: pool.as_ptr(),
        parked: null_mut(),
        name: spec.name.map_or(null(), CStr::as_ptr),
        named: spec.name.map_or(null(), CStr::as_ptr).addr() ^ seal::key(),
    };
    let (cells, len) = (header.first.cast(), plan.stride * spec.cells);
    totals::made(Kind::Pool, plan.layout.size());
    marks::pool_reserved(pool.as_ptr(), cells, len);
    // SAFETY: [extent] the caller's block has room for a pool and the alignment of one.
    unsafe { pool.write(header) };
    marks::pool_made(pool.as_ptr(), cells, len, plan.stride - HEADER - spec.size);
    pool
}

/// Tears a pool down and gives its block back. The destructor, if it has one, runs on each cell that is still live;
/// every cell's bytes are zeroed where the pool or its source is to be shredded. Null is ignored. A destructor that tears
/// down the pool of its own cell is reported, and the pool left whole.
///
/// # Safety
/// `pool` is null or a live pool, none of whose cells is used any more, and its source is alive.
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 32, 10);
///     pool::a(pool);
///     pool::x(pool); // the cell goes with it
/// }
/// ```
pub unsafe fn x(pool: *mut Pool) {
    // SAFETY: [caller] the caller vouches for a readable header where it is not null.
    unsafe {
        if !pool.is_null() && check_pool("kmpoolx", pool) {
            // Any block of a growing pool stands for all of it: handles on its cells name the block that they are in.
            let pool = (*pool).head;
            if (*pool).cell.flags & FLAG_ENDING != 0 {
                return fault::report("kmpoolx", pool.cast(), Misuse::BeingFreed);
            }
            #[cfg(feature = "tree")]
            if (*pool).cell.flags & FLAG_HOST != 0 {
                // The node that hosts the pool takes it down when it goes.
                super::tree::release(pool.cast(), "kmpoolx", Shred::No);
                return;
            }
            tear_down(pool);
        }
    }
}

/// Whether these are the header of a pool that a node hosts.
///
/// # Safety
/// As many bytes as a pool's header has are readable there.
#[cfg(feature = "tree")]
pub(super) unsafe fn is_hosted(pool: *mut Pool) -> bool {
    // SAFETY: [caller] the caller vouches for the bytes.
    unsafe {
        [Kind::Pool as i32, Kind::Pool.dying()].contains(&(*pool).cell.kind)
            && (*pool).cell.flags & FLAG_HOST != 0
            && (*pool).seal == seal::of_pool(pool, seal::key())
    }
}

/// Whether the destructor of one of the pool's cells is running.
///
/// # Safety
/// `pool` is that of a node that hosts it.
#[cfg(feature = "tree")]
pub(super) unsafe fn is_ending(pool: *mut Pool) -> bool {
    // SAFETY: [caller, hosted] the caller's pool is live.
    unsafe { (*(*pool).head).cell.flags & FLAG_ENDING != 0 }
}

/// Whether this is a live pool; what is wrong with it is reported.
#[inline(never)]
pub(super) unsafe fn check_pool(call: &'static str, pool: *mut Pool) -> bool {
    // SAFETY: [caller] the caller vouches for a readable header; only an aligned one is read.
    let found = if pool.addr() & (BASE_ALIGN - 1) == 0 { unsafe { (*pool).cell.kind } } else { 0 };
    if found == Kind::Pool as i32 {
        return true;
    }
    fault::report(call, pool.cast(), block::judge(Kind::Pool, found));
    false
}

/// [`check_pool`] for a look at a pool, which may be on its way out: the destructor of its cells may look at it.
#[inline(never)]
pub(super) unsafe fn check_pool_seen(call: &'static str, pool: *mut Pool) -> bool {
    // SAFETY: [caller] the caller vouches for a readable header; only an aligned one is read.
    unsafe {
        pool.addr() & (BASE_ALIGN - 1) == 0 && (*pool).cell.kind == Kind::Pool.dying()
            || check_pool(call, pool)
    }
}

/// A pool on its way out. Dropping it goes on where a destructor unwound, then ends the pool.
struct TearDown {
    head: *mut Pool,
    block: *mut Pool,
    index: usize,
}

impl TearDown {
    /// Runs the destructor on each live cell from where it stands.
    unsafe fn run(&mut self) {
        // SAFETY: [blocks, tag] the blocks are those of one pool, none of them given back yet, and cells below `handed`
        // have a header. The destructor was given for live cells; each is marked before it runs so that it runs once.
        unsafe {
            if self.block.is_null() {
                return;
            }
            let Some(drop) = destructor(self.head) else {
                // Who wrote over it does not get to name another. The values in the cells are lost.
                self.block = null_mut();
                return fault::report("kmpoolx", self.head.cast(), Misuse::Damaged);
            };
            while drop.run.is_some() && !self.block.is_null() {
                while self.index < (*self.block).handed {
                    let cell = (*self.block).first.byte_add(self.index * (*self.block).stride);
                    self.index += 1;
                    if is_live(cell, self.block) {
                        PoolCell::tag(cell, DYING);
                        drop.call(data(cell));
                    }
                }
                self.block = (*self.block).next;
                self.index = 0;
            }
        }
    }
}

impl Drop for TearDown {
    fn drop(&mut self) {
        // SAFETY: [guard, blocks] the blocks are still all there. Each is zeroed from its first cell to the last one
        // ever handed out and given back to the source with the layout it was drawn with; the next one is read before.
        unsafe {
            self.run();
            let shred = shreds(self.head.cast());
            let mut block = self.head;
            while !block.is_null() {
                let Pool { next, first, handed, cells, stride, src, .. } = *block;
                marks::pool_gone(block, first.cast(), cells * stride);
                if shred {
                    shred::zero(first.cast(), handed * stride);
                } else if (*block).cell.flags & FLAG_SECRETS != 0 {
                    zero_tainted(block);
                }
                let (flags, heap) = ((*block).cell.flags, (*block).cell.heap);
                let layout = layout_of(block);
                (*block).cell.kind = Kind::Pool.freed();
                totals::ended(Kind::Pool, layout.size());
                if flags & (FLAG_BUFFER | FLAG_HOST) == 0 {
                    if src.is_null() && heap != heap_id() {
                        fault::report("kmpoolx", block.cast(), Misuse::OtherHeap);
                    } else {
                        give_back(src, block.cast(), layout);
                    }
                }
                block = next;
            }
        }
    }
}

/// Returns true if a cell of this block is in use and its destructor is not running.
///
/// # Safety
/// `cell` is one of the block's that has been handed out.
#[inline]
unsafe fn is_live(cell: *mut PoolCell, block: *mut Pool) -> bool {
    // SAFETY: [caller, handed] the caller's cell has a header.
    unsafe { (*cell).pool.addr() & !TAINTED == block.addr() }
}

/// Returns true if a cell that is in use was tainted by itself.
///
/// # Safety
/// `data` is that of a cell with a readable header.
pub(super) unsafe fn is_tainted(data: *mut u8) -> bool {
    // SAFETY: [caller, tag] the caller vouches for the header.
    unsafe { (*header(data)).pool }.addr() & (FREE | TAINTED) == TAINTED
}

/// Marks a cell that is in use, so that it is zeroed when it is freed, by whatever path.
///
/// # Safety
/// `data` is that of a live cell of a pool of this thread's, or of one whose destructor is running.
#[cfg(feature = "shred")]
pub(super) unsafe fn taint(data: *mut u8) {
    // SAFETY: [caller, tag] the caller gives a live cell, whose header names its block.
    unsafe {
        let named = (*header(data)).pool;
        if named.addr() & FREE == 0 {
            PoolCell::tag(header(data), TAINTED);
            (*owner_of(data)).cell.flags |= FLAG_SECRETS;
        }
    }
}

/// Zeroes the cells of a block that are in use, or were as the pool ended, and were tainted one by one.
///
/// # Safety
/// `block` is one of a pool on its way out.
#[inline(never)]
unsafe fn zero_tainted(block: *mut Pool) {
    // SAFETY: [caller, handed, tag] cells below `handed` have a header.
    unsafe {
        for index in 0..(*block).handed {
            let cell = (*block).first.byte_add(index * (*block).stride);
            if is_tainted(data(cell)) {
                shred::zero(data(cell), (*block).cellsz);
            }
        }
    }
}

unsafe fn layout_of(pool: *mut Pool) -> Layout {
    // SAFETY: [caller, extent] the caller gives a live pool, whose header repeats the valid layout that it was drawn
    // with.
    unsafe {
        let align = if (*pool).cell.align == 0 { BASE_ALIGN } else { 1 << (*pool).cell.align };
        Layout::from_size_align_unchecked((*pool).cell.size, align)
    }
}

/// The destructor of a pool's cells, which may be an empty one, or `None` where it was written over.
unsafe fn destructor(pool: *mut Pool) -> Option<Destructor> {
    // SAFETY: [caller] the caller gives a live pool.
    unsafe { Slot::read(&raw mut (*pool).drop) }
}

/// The name of a pool, or `None` where it has none, or where it was written over: this is for reports of damage too.
///
/// # Safety
/// `pool` points to a pool, or a block of one, that belongs to this thread now, whose memory is there: it may be damaged.
///
/// ```
/// use kmem::raw::pool::{self, Spec};
/// unsafe {
///     let spec = Spec { name: Some(c"requests"), ..Spec::new(100, 8) };
///     let pool = pool::init(std::ptr::null_mut(), &spec).unwrap().as_ptr();
///     assert_eq!(pool::name(pool), Some(c"requests"));
///     pool::x(pool);
/// }
/// ```
#[must_use]
pub unsafe fn name(pool: *mut Pool) -> Option<&'static CStr> {
    // SAFETY: [caller, seal] the caller gives a readable header. What bears the seal of a name is one, and static.
    unsafe {
        let Pool { name, named, .. } = *pool;
        (!name.is_null() && name.addr() ^ seal::key() == named).then(|| CStr::from_ptr(name))
    }
}

/// Gives a pool that exists a name, in the place of the one that it had.
///
/// # Safety
/// As for [`capacity`].
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 10);
///     assert_eq!(pool::name(pool), None);
///     pool::set_name(pool, Some(c"numbers"));
///     assert_eq!(pool::name(pool), Some(c"numbers"));
///     pool::x(pool);
/// }
/// ```
pub unsafe fn set_name(pool: *mut Pool, name: Option<&'static CStr>) {
    // SAFETY: [blocks] the caller's pool is live, and so are its blocks.
    for block in unsafe { blocks(pool) } {
        let name = name.map_or(null(), CStr::as_ptr);
        // SAFETY: [blocks] as above.
        unsafe { ((*block).name, (*block).named) = (name, name.addr() ^ seal::key()) };
    }
}

/// Ends a pool and gives its blocks back, except one that a node hosts.
pub(super) unsafe fn tear_down(pool: *mut Pool) {
    // SAFETY: [caller] the caller gives a live pool whose cells nobody uses any more.
    unsafe { (*pool).cell.kind = Kind::Pool.dying() };
    let mut tear_down = TearDown { head: pool, block: pool, index: 0 };
    // SAFETY: [guard] as above. Where a destructor unwinds, the drop of `tear_down` goes on with the next cell.
    unsafe { tear_down.run() };
    drop(tear_down);
}

/// The data of a pool cell.
fn data(cell: *mut PoolCell) -> *mut u8 {
    cell.cast::<u8>().wrapping_add(HEADER)
}

/// The header of the pool cell with this data.
pub(crate) fn header(data: *mut u8) -> *mut PoolCell {
    data.wrapping_sub(HEADER).cast()
}

/// Takes the head of the free list, or returns null where the list is empty or its head is not a free cell.
#[inline]
unsafe fn pop(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [free-list, one-thread] the caller gives a live pool on its own thread. The head of the free list is a
    // free cell of it, whose header is readable.
    unsafe {
        let cell = (*pool).bottom;
        // Who writes into a free cell can lead the list to memory of theirs, which looks like a free cell but is none.
        if cell.is_null()
            || (*pool).index(cell) >= (*pool).handed
            || (*cell).pool.addr() != pool.addr() | FREE
        {
            return null_mut();
        }
        (*pool).bottom = (*cell).last;
        cell
    }
}

/// A parked cell of this very block, or one that was never handed out, or null where there is neither. [`pop`] found
/// nothing before.
#[inline]
unsafe fn pop_distant(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let cell = pop_parked(pool);
        if cell.is_null() { pop_fresh(pool) } else { cell }
    }
}

/// A parked cell of this very block, or null. [`pop`] found nothing before.
#[inline]
unsafe fn pop_parked(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [free-list] the caller gives a live pool on its own thread. A bit in a group stands for a free cell of the
    // pool.
    unsafe {
        if !(*pool).bottom.is_null() {
            // The list cannot be followed any further; what was on it is lost to the pool.
            fault::report("kmpoola", data((*pool).bottom), Misuse::Damaged);
            (*pool).bottom = null_mut();
        }
        let group = (*pool).parked;
        if group.is_null() {
            return null_mut();
        }
        let free = (*group).free;
        (*group).free = free & (free - 1);
        if free & (free - 1) == 0 {
            (*pool).parked = (*group).next;
        }
        let at = (group.addr() - groups(pool).addr()) / size_of::<Group>();
        (*pool).first.byte_add((at * GROUP + free.trailing_zeros() as usize) * (*pool).stride)
    }
}

/// A cell of this very block that was never handed out, or null. None of the pool's is free, so that what was ever handed
/// out is what was in use at once.
#[inline]
unsafe fn pop_fresh(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [handed] the caller gives a live pool on its own thread. The next cell never handed out lies inside the
    // block, and so does its group.
    unsafe {
        let index = (*pool).handed;
        if index >= (*pool).cells {
            return null_mut();
        }
        if index % GROUP == 0 {
            groups(pool).add(index / GROUP).write(Group { free: 0, next: null_mut() });
        }
        (*pool).handed = index + 1;
        (*pool).first.byte_add(index * (*pool).stride)
    }
}

/// Hands out a free cell that is on no list any more, and returns its data.
#[inline]
unsafe fn hand_out(block: *mut Pool, cell: *mut PoolCell) -> NonNull<u8> {
    // SAFETY: [tag] the caller gives a cell of this live pool, which is this thread's.
    unsafe {
        marks::handed_out(block, cell.cast(), (*block).cellsz);
        (*cell).last = (*block).top;
        PoolCell::name(cell, block);
        (*block).top = cell;
        NonNull::new_unchecked(data(cell))
    }
}

/// The groups of a pool.
fn groups(pool: *mut Pool) -> *mut Group {
    pool.cast::<u8>().wrapping_add(POOL).cast()
}

/// Parks what lies at the head of the free list, far from `near`, and returns the rest of the list.
///
/// At most so many cells at a time as keep this a matter of some nanoseconds. That drains the list all the same: every
/// cell is put on it once, and parked once.
#[inline(never)]
unsafe fn park(pool: *mut Pool, near: *mut PoolCell, mut cell: *mut PoolCell) -> *mut PoolCell {
    const MOST: usize = 16;
    for _ in 0..MOST {
        // SAFETY: [free-list] the contract is the caller's, and each cell of the list leads to another one of it.
        cell = unsafe { park_one(pool, cell) };
        if cell.is_null() || !is_far(near, cell) {
            break;
        }
    }
    cell
}

/// Whether two cells are too far from each other to be neighbours on the free list.
#[inline]
fn is_far(one: *mut PoolCell, other: *mut PoolCell) -> bool {
    one.addr().wrapping_sub(other.addr()).wrapping_add(NEAR) > 2 * NEAR
}

/// Parks the head of the free list and returns the cell below it.
#[inline]
unsafe fn park_one(pool: *mut Pool, cell: *mut PoolCell) -> *mut PoolCell {
    // SAFETY: [free-list, handed] the caller gives a live pool on its own thread and the head of its free list. A cell
    // below `handed` has a group that has been written.
    unsafe {
        let index = (*pool).index(cell);
        if index >= (*pool).handed || (*cell).pool.addr() != pool.addr() | FREE {
            fault::report("kmpoolf", data(cell), Misuse::Damaged);
            return null_mut();
        }
        let group = groups(pool).add(index / GROUP);
        if (*group).free == 0 {
            // Behind the group that cells are being taken from, which is left alone until it is empty.
            let first = (*pool).parked;
            if first.is_null() {
                (*group).next = null_mut();
                (*pool).parked = group;
            } else {
                (*group).next = (*first).next;
                (*first).next = group;
            }
        }
        (*group).free |= 1 << (index % GROUP);
        (*cell).last
    }
}

/// Takes a cell, from the free list if there is one.
#[inline]
unsafe fn take(pool: *mut Pool) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the caller gives a live pool on its own thread.
    unsafe {
        let cell = pop(pool);
        if cell.is_null() { take_distant(pool) } else { Ok(hand_out(pool, cell)) }
    }
}

/// Takes a cell that is not on the free list.
#[inline(never)]
unsafe fn take_distant(pool: *mut Pool) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the caller gives a live pool on its own thread.
    unsafe {
        let cell = pop_distant(pool);
        if !cell.is_null() {
            return Ok(hand_out(pool, cell));
        }
        if (*pool).cell.flags & FLAG_GROWS == 0 {
            return Err(AllocError::Exhausted { size: (*pool).cellsz });
        }
        take_grown(pool)
    }
}

/// A free cell of this very block, or null.
#[inline]
unsafe fn pop_free(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let cell = pop(pool);
        if cell.is_null() { pop_parked(pool) } else { cell }
    }
}

/// Takes a cell from the further blocks of a growing pool, drawing a new one where all are full.
#[cold]
unsafe fn take_grown(head: *mut Pool) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [blocks] the caller gives the first block of a live pool, whose blocks are live pools.
    unsafe {
        let current = (*head).current;
        let mut cell = pop_free(current);
        // A new cell only where none is free: see `pop_fresh`.
        if cell.is_null() && (*head).cell.flags & FLAG_SCATTERED == 0 {
            cell = pop_fresh(current);
        }
        if cell.is_null() { take_searching(head) } else { Ok(hand_out(current, cell)) }
    }
}

/// [`take_grown`] where the current block has none.
#[cold]
#[inline(never)]
unsafe fn take_searching(head: *mut Pool) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [blocks] as in `take_grown`.
    unsafe {
        loop {
            let mut cell = search(head, pop_free);
            if cell.is_null() {
                (*head).cell.flags &= !FLAG_SCATTERED;
                cell = search(head, pop_fresh);
            }
            if !cell.is_null() {
                return Ok(hand_out((*head).current, cell));
            }
            // The source may free cells of the pool meanwhile, so they are looked for again.
            grow(first_to_grow(head))?;
        }
    }
}

/// The first cell that `take` gives of a block of a growing pool, which becomes the current one; or null.
#[inline(never)]
unsafe fn search(head: *mut Pool, take: unsafe fn(*mut Pool) -> *mut PoolCell) -> *mut PoolCell {
    // SAFETY: [blocks] the caller gives the first block of a live pool, whose blocks are live pools.
    unsafe {
        for block in blocks(head) {
            let cell = take(block);
            if !cell.is_null() {
                (*head).current = block;
                return cell;
            }
        }
    }
    null_mut()
}

/// The pool that has to grow first if a full one is to: itself, or that which it draws from, if that is full too, and so on. So a chain
/// of pools, however long, grows without recursion.
///
/// # Safety
/// `head` is the first block of a live growing pool, whose source is alive.
unsafe fn first_to_grow(head: *mut Pool) -> *mut Pool {
    let mut pool = head;
    // SAFETY: [caller, outlives, blocks] the sources of a live pool are there, each block of a pool names the first, and cells below
    // `handed` are those that were ever in use.
    unsafe {
        loop {
            let src = growth_source(pool);
            if src.is_null() || (*src).kind != Kind::Pool as i32 {
                return pool;
            }
            let below = (*src.cast::<Pool>()).head;
            let has_a_cell = |block: *mut Pool| {
                !(*block).bottom.is_null() || !(*block).parked.is_null() || (*block).handed < (*block).cells
            };
            if (*below).cell.flags & FLAG_GROWS == 0 || blocks(below).any(has_a_cell) {
                return pool;
            }
            pool = below;
        }
    }
}

/// Draws another block for a growing pool.
unsafe fn grow(head: *mut Pool) -> Result<(), AllocError> {
    // SAFETY: [blocks] the blocks of a live pool are live pools; the new one is linked only when it is whole.
    unsafe {
        let cells = blocks(head).map(|block| (*block).cells).max().unwrap_or(0);
        let most = MAX_BLOCK.checked_div((*head).stride).unwrap_or(0).max(cells).max(1);
        let align = layout_of(head).align();
        let mut spec = Spec {
            align,
            cells: (cells.max(1) * 2).min(most),
            name: name(head),
            ..Spec::new((*head).cellsz, 0)
        };
        let src = growth_source(head);
        let new = init(src, &spec).or_else(|_| {
            // What is left in the source may still hold a block of the first one's size.
            spec.cells = (*head).cells.max(1);
            init(src, &spec)
        })?;
        let new = new.as_ptr();
        (*new).cell.flags |= FLAG_CAREFUL;
        (*new).head = head;
        if let Some(drop) = destructor(head) {
            Slot::write(&raw mut (*new).drop, drop);
        }
        (*new).next = (*head).next;
        (*head).next = new;
        Ok(())
    }
}

/// Allocates a cell and returns its data, at least `request.size` bytes of it. A destructor in the request is
/// refused, and so is a name other than the pool's: a pool has one for all its cells.
///
/// Fails with [`AllocError::Size`] where the cells are too small, [`AllocError::Align`] where their alignment is,
/// [`AllocError::Exhausted`] where all are taken, [`AllocError::Source`] where this is no live pool.
///
/// # Safety
/// `pool` points to a pool that belongs to this thread now.
///
/// ```
/// use kmem::raw::{pool, Request};
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 32, 1);
///     assert!(pool::alloc(pool, &Request::new(33)).is_err());
///     assert!(pool::alloc(pool, &Request::new(32)).is_ok());
///     assert!(pool::alloc(pool, &Request::new(32)).is_err());
///     pool::x(pool);
/// }
/// ```
#[inline(always)]
pub unsafe fn alloc(pool: *mut Pool, request: &Request) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the caller vouches for a readable header.
    let found = unsafe { (*pool).cell.kind };
    // SAFETY: [caller, live] it is asked of a pool.
    let other = |asked: &CStr| unsafe { name(pool) } != Some(asked);
    if found != Kind::Pool as i32 || request.drop.is_some() || request.name.is_some_and(other) {
        return Err(AllocError::Source(Kind::from_raw(found)));
    }
    // SAFETY: [live, one-thread] the kind says that this is a live pool, and the caller that it is this thread's.
    unsafe {
        fits(pool, request.size, request.align)?;
        let data = take(pool)?;
        if request.fill == Fill::Zeroed {
            data.write_bytes(0, (*pool).cellsz);
            marks::written(data.as_ptr(), (*pool).cellsz);
        }
        Ok(data)
    }
}

#[inline]
unsafe fn fits(pool: *mut Pool, size: usize, align: usize) -> Result<(), AllocError> {
    // SAFETY: [caller] the caller gives a live pool.
    let max = unsafe { (*pool).cellsz };
    if size > max {
        return Err(AllocError::Size { size, max });
    }
    if align > BASE_ALIGN {
        // SAFETY: [caller] as above.
        let max = unsafe { layout_of(pool) }.align();
        if !align.is_power_of_two() || align > max {
            return Err(AllocError::Align { align, max });
        }
    }
    Ok(())
}

/// Serves another method's block from this pool. One with a destructor does not: it would run on what it was not made
/// for.
#[inline]
pub(super) unsafe fn serve(pool: *mut Pool, layout: Layout) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the caller gives a live pool that belongs to this thread.
    unsafe {
        if (*pool).cell.flags & FLAG_CAREFUL != 0 && destructor(pool).is_none_or(|drop| drop.run.is_some()) {
            return Err(AllocError::Source(Some(Kind::Pool)));
        }
        fits(pool, layout.size(), layout.align())?;
        let data = take(pool);
        if let (true, Ok(data)) = (marks::ON, data) {
            marks::narrowed(data.as_ptr(), layout.size(), (*pool).cellsz);
        }
        data
    }
}

/// Serves a block of the usual alignment, or returns null where that takes more than a cell that is there.
#[inline]
pub(super) unsafe fn serve_plain(src: *mut Cell, size: usize) -> *mut u8 {
    let pool: *mut Pool = src.cast();
    // SAFETY: [caller, live] the caller vouches for a readable prefix; where the kind says so this is a live pool, of this thread.
    unsafe {
        // Where a tool is told about it, `serve` tells how much of the cell is used.
        if marks::ON {
            return null_mut();
        }
        if (*src).kind != Kind::Pool as i32 || (*src).flags & FLAG_CAREFUL != 0 || size > (*pool).cellsz {
            return null_mut();
        }
        let mut cell = pop(pool);
        if cell.is_null() {
            cell = pop_distant_apart(pool);
            if cell.is_null() {
                return null_mut();
            }
        }
        hand_out(pool, cell).as_ptr()
    }
}

/// [`pop_distant`], out of the way.
#[inline(never)]
unsafe fn pop_distant_apart(pool: *mut Pool) -> *mut PoolCell {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { pop_distant(pool) }
}

/// Takes a block back to the pool that served it, which [`is_plain`].
#[inline]
pub(super) unsafe fn take_back_plain(pool: *mut Pool, block: *mut u8) {
    let cell = header(block);
    // SAFETY: [caller, tag] the caller gives a live pool of this thread's and a block that it served, whose header is readable.
    unsafe {
        if (*cell).pool == pool && (*pool).index(cell) < (*pool).handed {
            put(pool, cell);
        } else {
            release_carefully(block, "kmpoolf", Shred::No);
        }
    }
}

/// Takes back what `serve` gave.
#[inline]
pub(super) unsafe fn take_back(block: *mut u8) {
    // SAFETY: [caller] the caller gives the data of a live cell of a live pool.
    unsafe { release(block, "kmpoolf", Shred::No) }
}

#[inline]
unsafe fn allocate(pool: *mut Pool, size: usize, fill: Fill) -> *mut u8 {
    if pool.is_null() {
        return null_mut();
    }
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc(pool, &Request { fill, ..Request::new(size) }) }.map_or(null_mut(), NonNull::as_ptr)
}

/// The handle of a live cell with this data; the null handle of null.
///
/// # Safety
/// `data` is null or that of a live cell of this method.
///
/// ```
/// use kmem::raw::{ptr, pool};
/// use std::ptr::null_mut;
/// unsafe {
///     let pool = pool::i(null_mut(), 24, 2);
///     ptr::free(pool::handle(pool::a(pool)));
///     assert!(pool::handle(null_mut()).is_null());
///     pool::x(pool);
/// }
/// ```
#[inline]
#[must_use]
pub unsafe fn handle(data: *mut u8) -> Handle {
    // SAFETY: [tag] the data is null or that of a cell, whose header names its pool.
    let pool = if data.is_null() { null_mut() } else { unsafe { owner_of(data) } };
    Handle::on(Kind::Pool, data, pool.cast())
}

/// Puts a cell at the head of the free list.
#[inline]
unsafe fn put(pool: *mut Pool, cell: *mut PoolCell) {
    // SAFETY: [free-list, one-thread] the caller gives a cell of this pool, which is this thread's, and which nobody
    // uses any more.
    unsafe {
        let mut below = (*pool).bottom;
        if !below.is_null() && is_far(cell, below) {
            below = park(pool, cell, below);
        }
        (*cell).last = below;
        PoolCell::name(cell, pool.map_addr(|addr| addr | FREE));
        (*pool).bottom = cell;
        marks::given_back(pool, data(cell), (*pool).stride - HEADER);
    }
}

/// A cell going back where there is more to do than [`put`]. Dropping it zeroes the data where asked for and puts the
/// cell on the free list, so that this happens even where the destructor unwinds.
struct GoingBack {
    /// It is zeroed if it is tainted.
    cell: *mut PoolCell,
    pool: *mut Pool,
    /// The flag that is taken from the pool's first block: [`FLAG_ENDING`], unless this happens inside another cell's
    /// destructor, or there is none.
    flag: u8,
}

impl Drop for GoingBack {
    #[inline]
    fn drop(&mut self) {
        let GoingBack { cell, pool, flag } = *self;
        // SAFETY: [guard, tag] `release` found this to be a live cell of this pool, which is this thread's.
        unsafe {
            let head = (*pool).head;
            (*head).cell.flags &= !flag;
            if (*cell).pool.addr() & TAINTED != 0 || shreds(head.cast()) {
                marks::widened(data(cell), (*pool).cellsz);
                shred::zero(data(cell), (*pool).cellsz);
            }
            put(pool, cell);
            // The first block is looked at first, whichever is the current one.
            if pool != (*head).current && pool != head {
                (*head).current = pool;
                (*head).cell.flags |= FLAG_SCATTERED;
            }
        }
    }
}

/// Gives back a cell whose value has been moved out: the pool's destructor does not run.
pub(crate) unsafe fn vacate(data: *mut u8) {
    // SAFETY: [caller, tag] the caller gives the data of a live cell, whose header names its pool.
    unsafe {
        drop(GoingBack { cell: header(data), pool: owner_of(data), flag: 0 });
    }
}

#[inline]
pub(crate) unsafe fn release(data: *mut u8, call: &'static str, shred: Shred) {
    if data.is_null() {
        return;
    }
    let cell = header(data);
    // SAFETY: [caller, tag] the caller vouches for a readable header, and for a pool where the header names one. A cell
    // below `handed` of a live pool that names the pool untagged is live, as in `check`.
    unsafe {
        let pool = (&raw const (*cell).pool).read_unaligned();
        if !shred.is_yes()
            && (pool.addr() | data.addr()) & (BASE_ALIGN - 1) == 0
            && PoolCell::may_follow(cell, pool)
            && is_plain(pool.cast())
            && (*pool).seal == seal::of_pool(pool, seal::known_key())
            && (*pool).index(cell) < (*pool).handed
        {
            put(pool, cell);
        } else {
            release_carefully(data, call, shred);
        }
    }
}

/// Returns true if a source is a live pool that only has to [`put`] a cell that is given back. One comparison of the
/// first word, in which kind, shred mark and flags lie.
///
/// # Safety
/// `src` is the readable prefix of a source of any kind.
#[inline]
pub(super) unsafe fn is_plain(src: *mut Cell) -> bool {
    // SAFETY: [caller, one-thread] the prefix is the caller's; nobody writes to that of a source while cells come and go.
    let first = unsafe { block::first_word(src) };
    first & block::word(-1, u8::MAX, FLAG_CAREFUL, 0, 0) == block::word(Kind::Pool as i32, 0, 0, 0, 0)
}

/// Gives back a cell as [`release`] does, where more may have to be done or something is wrong.
#[inline(never)]
unsafe fn release_carefully(data: *mut u8, call: &'static str, shred: Shred) {
    // SAFETY: [caller, tag] the caller vouches for a readable header, and the check for what it says.
    unsafe {
        let cell = header(data);
        let pool = (&raw const (*cell).pool).read_unaligned();
        if !names_its_pool(data, pool) {
            return release_tainted(data, call);
        }
        let head = (*pool).head;
        let Some(destructor) = destructor(pool) else {
            return fault::report(call, data, Misuse::Damaged);
        };
        if shred.is_yes() {
            PoolCell::tag(cell, TAINTED);
        }
        let mut going = GoingBack { cell, pool, flag: 0 };
        if destructor.run.is_some() {
            going.flag = FLAG_ENDING & !(*head).cell.flags;
            (*head).cell.flags |= FLAG_ENDING;
            PoolCell::tag(cell, DYING);
            destructor.call(data);
        }
        drop(going);
    }
}

/// [`release_carefully`] of a cell that is tainted, or is none.
#[cold]
#[inline(never)]
unsafe fn release_tainted(data: *mut u8, call: &'static str) {
    // SAFETY: [caller, tag] the caller vouches for a readable header, and the check for what it says.
    unsafe {
        if let Some(pool) = check(call, data) {
            PoolCell::name(header(data), pool);
            release_carefully(data, call, Shred::Yes);
        }
    }
}

/// Whether a live cell holds `size` bytes.
///
/// # Safety
/// `data` is that of a live cell of a pool of this thread's.
pub(super) unsafe fn holds(data: *mut u8, size: usize) -> Result<(), AllocError> {
    // SAFETY: [caller, tag] the caller gives a live cell, whose header names its pool.
    unsafe { fits(owner_of(data), size, 0) }
}

/// Zeroes what a live cell has behind so many bytes where the pool, or `shred`, asks for it.
///
/// # Safety
/// As for [`holds`], and the cell does.
pub(super) unsafe fn cut(data: *mut u8, size: usize, shred: Shred) {
    // SAFETY: [caller, tag] the caller gives a live cell, whose header names its pool.
    unsafe {
        let pool = owner_of(data);
        if shred.is_yes() || is_tainted(data) || shreds((*pool).head.cast()) {
            shred::zero(data.add(size), (*pool).cellsz - size);
        }
    }
}

/// Whether a live cell of `from` bytes may have `to` bytes. What is cut off is zeroed where the pool asks for it.
///
/// # Safety
/// As for [`holds`].
pub(crate) unsafe fn resize_in_place(data: *mut u8, from: usize, to: usize) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let fits = holds(data, to).is_ok();
        if to < from {
            cut(data, to, Shred::No);
        }
        fits
    }
}

/// The pool that a cell's header names, whether the cell is live or free.
#[inline]
pub(crate) unsafe fn owner_of(data: *mut u8) -> *mut Pool {
    // SAFETY: [caller] the caller vouches for a readable header.
    let pool = unsafe { (&raw const (*header(data)).pool).read_unaligned() };
    pool.map_addr(|addr| addr & !(BASE_ALIGN - 1))
}

/// The pool of a live cell; what is wrong with the cell is reported.
#[inline]
pub(super) unsafe fn check(call: &'static str, data: *mut u8) -> Option<*mut Pool> {
    let cell = header(data);
    // SAFETY: [caller, tag] the caller vouches for a readable header, and for a pool where the header names one. A cell
    // below `handed` of a live pool that names the pool without a tag, or with that of a tainted one, is live.
    unsafe {
        let named = (&raw const (*cell).pool).read_unaligned();
        if names_its_pool(data, named) {
            return Some(named);
        }
        check_tainted(call, data)
    }
}

/// [`check`] of a cell that is tainted, or is none.
///
/// # Safety
/// As for [`check`].
#[cold]
#[inline(never)]
unsafe fn check_tainted(call: &'static str, data: *mut u8) -> Option<*mut Pool> {
    // SAFETY: [caller, tag] as in `check`.
    unsafe {
        let named = (&raw const (*header(data)).pool).read_unaligned();
        let pool = named.map_addr(|addr| addr & !TAINTED);
        if named != pool && names_its_pool(data, pool) {
            return Some(pool);
        }
        accuse(call, data);
        None
    }
}

/// Returns true if this is a live pool that has handed out the cell with this data.
///
/// # Safety
/// `pool` is what the header of the cell names, or that without a tag.
#[inline(always)]
unsafe fn names_its_pool(data: *mut u8, pool: *mut Pool) -> bool {
    // SAFETY: [caller] the caller vouches for a pool where this is an aligned address.
    unsafe {
        (pool.addr() | data.addr()) & (BASE_ALIGN - 1) == 0
            && PoolCell::may_follow(header(data), pool)
            && (*pool).cell.kind == Kind::Pool as i32
            && (*pool).seal == seal::of_pool(pool, seal::key())
            && (*pool).index(header(data)) < (*pool).handed
    }
}

/// [`check`] for a look at a cell, which may be on its way out, as may its pool: its destructor may look at it.
#[inline(never)]
pub(super) unsafe fn check_seen(call: &'static str, data: *mut u8) -> bool {
    // SAFETY: [caller, tag] as in `check`; where the header says that the cell or its pool is on its way out, they are there.
    unsafe {
        if data.addr() & (BASE_ALIGN - 1) != 0 {
            return check(call, data).is_some();
        }
        let named = (*header(data)).pool.map_addr(|addr| addr & !TAINTED);
        let pool = named.map_addr(|addr| addr & !DYING);
        pool.addr() & (BASE_ALIGN - 1) == 0
            && PoolCell::may_follow(header(data), pool)
            && (named != pool || (*pool).cell.kind == Kind::Pool.dying())
            && [Kind::Pool as i32, Kind::Pool.dying()].contains(&(*pool).cell.kind)
            && (*pool).seal == seal::of_pool(pool, seal::key())
            && (*pool).index(header(data)) < (*pool).handed
            || check(call, data).is_some()
    }
}

#[cold]
unsafe fn accuse(call: &'static str, data: *mut u8) {
    let misuse = if data.addr() & (BASE_ALIGN - 1) != 0 {
        Misuse::NotInPool
    } else {
        // SAFETY: [caller] the caller vouches for a readable header, and for a pool where it names one.
        unsafe {
            let pool = (*header(data)).pool.map_addr(|addr| addr & !TAINTED);
            match pool.addr() & (BASE_ALIGN - 1) {
                0 if !PoolCell::may_follow(header(data), pool) || (*pool).cell.kind == Kind::Pool as i32 => {
                    Misuse::NotInPool
                }
                0 => block::judge(Kind::Pool, (*pool).cell.kind),
                FREE => Misuse::AlreadyFreed,
                DYING => Misuse::BeingFreed,
                _ => Misuse::NotInPool,
            }
        }
    };
    fault::report(call, data, misuse);
}

/// The number of cells that the pool has now, in all its blocks.
///
/// # Safety
/// `pool` is a live pool that belongs to this thread.
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 10);
///     assert_eq!((pool::capacity(pool), pool::live(pool)), (10, 0));
///     pool::x(pool);
/// }
/// ```
#[must_use]
pub unsafe fn capacity(pool: *mut Pool) -> usize {
    // SAFETY: [blocks] the caller's pool is live, and so are its blocks.
    unsafe { blocks(pool) }.map(|block| unsafe { (*block).cells }).sum()
}

/// The most cells that were ever in use at once, in all the pool's blocks. It costs nothing: a cell is handed out for the
/// first time only where every other that ever was is in use, so that their number is this one.
///
/// A cell whose destructor is running is in use. What others drew from the pool as a source counts as well.
///
/// # Safety
/// As for [`capacity`].
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 10);
///     let (one, two) = (pool::a(pool), pool::a(pool));
///     pool::f(one);
///     pool::f(two);
///     pool::a(pool);
///     assert_eq!((pool::live(pool), pool::peak(pool)), (1, 2));
///     pool::x(pool);
/// }
/// ```
#[must_use]
pub unsafe fn peak(pool: *mut Pool) -> usize {
    // SAFETY: [blocks] the caller's pool is live, and so are its blocks.
    unsafe { blocks(pool) }.map(|block| unsafe { (*block).handed }).sum()
}

/// The number of live cells, counted by looking at each cell ever handed out.
///
/// # Safety
/// As for [`capacity`].
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 10);
///     pool::a(pool);
///     assert_eq!(pool::live(pool), 1);
///     pool::x(pool);
/// }
/// ```
#[must_use]
pub unsafe fn live(pool: *mut Pool) -> usize {
    Walk { block: pool, index: 0 }.count()
}

/// What [`count`] tells of a pool (`kmpoolcount` in C), all its blocks together.
///
/// Exhaustive: C code relies on this layout.
///
/// ```
/// assert_eq!(kmem::raw::pool::Count::default().cells, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Count {
    /// The cells that the pool has: see [`capacity`].
    pub cells: usize,
    /// Those that are in use: see [`live`].
    pub live: usize,
    /// The most that were in use at once: see [`peak`].
    pub peak: usize,
    /// Data bytes of each cell.
    pub cellsz: usize,
    /// Bytes of all blocks, headers included.
    pub block: usize,
}

/// The first block of a pool, of which any stands for all.
///
/// # Safety
/// `pool` is a live pool, or a block of one.
pub(super) unsafe fn head(pool: *mut Pool) -> *mut Pool {
    // SAFETY: [caller, blocks] each block of a live pool names the first.
    unsafe { (*pool).head }
}

/// Counts what a pool has. Takes time in proportion to the cells that were ever handed out. Of null all is zero, and of what
/// is no live pool, after a report.
///
/// # Safety
/// `pool` is null or points to a pool, or a block of one, that belongs to this thread now.
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 10);
///     pool::f(pool::a(pool));
///     let count = pool::count(pool);
///     assert_eq!((count.cells, count.live, count.peak, count.cellsz), (10, 0, 1, 8));
///     assert!(count.block >= 10 * (8 + 16));
///     pool::x(pool);
/// }
/// ```
#[must_use]
pub unsafe fn count(pool: *mut Pool) -> Count {
    let mut count = Count::default();
    // SAFETY: [caller, blocks] the caller vouches for the header, the check for what it says, and the blocks of a live pool
    // are live.
    unsafe {
        if pool.is_null() || !check_pool_seen("kmpoolq", pool) {
            return count;
        }
        let head = (*pool).head;
        count.cellsz = (*head).cellsz;
        count.live = live(head);
        for block in blocks(head) {
            count.cells += (*block).cells;
            count.peak += (*block).handed;
            count.block += (*block).cell.size;
        }
    }
    count
}

/// The data of each live cell of a pool: see [`walk`].
///
/// ```
/// # use kmem::raw::pool;
/// assert_eq!(unsafe { pool::walk(std::ptr::null_mut()) }.next(), None);
/// ```
#[derive(Debug)]
pub struct Walk {
    /// The block that it is in, null at the end.
    block: *mut Pool,
    /// The next cell of it to be looked at.
    index: usize,
}

impl Iterator for Walk {
    type Item = *mut u8;

    fn next(&mut self) -> Option<*mut u8> {
        while !self.block.is_null() {
            let block = self.block;
            // SAFETY: [caller, blocks, handed] who began the walk says that the pool is live as long as it lasts, and its blocks
            // are too; cells below `handed` have a header.
            unsafe {
                while self.index < (*block).handed {
                    let cell = (*block).first.byte_add(self.index * (*block).stride);
                    self.index += 1;
                    if is_live(cell, block) {
                        return Some(data(cell));
                    }
                }
                self.block = (*block).next;
                self.index = 0;
            }
        }
        None
    }
}

impl core::iter::FusedIterator for Walk {}

/// Walks the live cells of a pool, block by block, those of a block in the order of their addresses. Of null there are none,
/// nor of what is no live pool, after a report.
///
/// What others drew from the pool as a source is among them. Cells may be taken and freed meanwhile, the one that was given
/// last too; whether the walk comes by what is taken or freed before it is there is not said.
///
/// # Safety
/// `pool` is null or points to a pool, or a block of one, that belongs to this thread and is live as long as the walk is
/// used.
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 10);
///     let [one, two, three] = [0; 3].map(|_| pool::a(pool));
///     pool::f(two);
///     assert!(pool::walk(pool).eq([one, three]));
///     pool::walk(pool).for_each(|cell| pool::f(cell));
///     assert_eq!(pool::live(pool), 0);
///     pool::x(pool);
/// }
/// ```
pub unsafe fn walk(pool: *mut Pool) -> Walk {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { walk_after(pool, null_mut()) }
}

/// The rest of a [`walk`] behind a cell that it gave, all of it where that is null. So a walk can be kept as a pointer.
///
/// # Safety
/// As for [`walk`]. `after` is null or the data of a cell of this pool; it may have been freed meanwhile.
///
/// ```
/// use kmem::raw::pool;
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 10);
///     let [one, two, three] = [0; 3].map(|_| pool::a(pool));
///     assert!(pool::walk_after(pool, one).eq([two, three]));
///     pool::x(pool);
/// }
/// ```
pub unsafe fn walk_after(pool: *mut Pool, after: *mut u8) -> Walk {
    // SAFETY: [caller, tag, blocks] the caller vouches for the headers, of which that of a cell names its block, live or free.
    unsafe {
        if pool.is_null() || !check_pool_seen("kmpooln", pool) {
            Walk { block: null_mut(), index: 0 }
        } else if after.is_null() {
            Walk { block: (*pool).head, index: 0 }
        } else {
            let block = owner_of(after);
            // What is no cell of the block is behind all of them.
            Walk { block, index: (*block).index(header(after)).saturating_add(1) }
        }
    }
}

/// # Safety
/// `pool` is live as long as the iterator is used.
unsafe fn blocks(pool: *mut Pool) -> impl Iterator<Item = *mut Pool> {
    core::iter::successors((!pool.is_null()).then_some(pool), |&block| {
        // SAFETY: [blocks] the caller's pool is live, and so are its blocks.
        let next = unsafe { (*block).next };
        (!next.is_null()).then_some(next)
    })
}

verbs! {
    module: "pool",
    call: "kmpool",
    thing: "a cell of the pool",
    a: (pool: *mut Pool) => (pool, 0),
    z: (pool: *mut Pool, size: usize) => (pool, size),
    f: -> (),
    fails: "Null means that all cells are taken (and a growing pool's source is exhausted), that `size`, where it is \
            given, is more than a cell holds, or that `pool` is null or no live pool. All of a zeroed cell is zeroed, \
            whatever the size.",
    safety: "`pool` is null or a pool that belongs to this thread now.",
    frees: "Gives a cell back to its pool, running the pool's destructor on it first.",
    shreds: "Zeroes a cell and gives it back to its pool.",
    example: ("    let pool = pool::i(null_mut(), 24, 2);\n", "pool", "pool, 24", "    pool::x(pool);\n"),
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
            // SAFETY: the buffer is as long as it says, and the pool is dropped before it.
            let pool = unsafe { init_in_buffer(buffer.as_mut_ptr().cast(), size_of_val(&buffer), &spec) };
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
