//! Where the engine draws blocks from and gives them back to: one dispatch for all methods.

use core::alloc::Layout;
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::{NonNull, null_mut};

use super::marks;
use super::request::Fill;
use crate::cell::{Cell, Kind};
use crate::error::AllocError;
use crate::fault;
use crate::shared;

/// A custom source: a cell that carries an allocate and a free function, so that a program can put an allocator
/// of its own under any method.
///
/// Both functions get the source itself, so that state may sit in `context` or around the cell. A source must
/// outlive every cell drawn from it. Its `shred` mark is that of all its cells.
///
/// Exhaustive: C code relies on this layout.
///
/// ```
/// use kmem::raw::{refs, Source};
/// use std::ffi::c_void;
/// use std::alloc::{alloc, dealloc, Layout};
///
/// unsafe extern "C-unwind" fn allocate(_: *mut Source, size: usize, align: usize) -> *mut c_void {
///     unsafe { alloc(Layout::from_size_align(size, align).unwrap()).cast() }
/// }
/// unsafe extern "C-unwind" fn free(_: *mut Source, block: *mut c_void, size: usize, align: usize) {
///     unsafe { dealloc(block.cast(), Layout::from_size_align(size, align).unwrap()) }
/// }
/// let mut source = Source::new(allocate, free, std::ptr::null_mut());
/// unsafe {
///     let data = refs::a((&raw mut source).cast(), 100);
///     assert!(!data.is_null());
///     refs::f(data);
/// }
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct Source {
    /// The prefix; its kind is [`Kind::Source`].
    pub cell: Cell,
    /// Returns `size` bytes aligned to `align` (a power of two, 16 or more), or null where it has none.
    pub allocate: unsafe extern "C-unwind" fn(source: *mut Source, size: usize, align: usize) -> *mut c_void,
    /// Takes back what `allocate` returned, with the same size and alignment.
    pub free: unsafe extern "C-unwind" fn(source: *mut Source, block: *mut c_void, size: usize, align: usize),
    /// The program's own.
    pub context: *mut c_void,
    /// Makes a block `to` bytes where it is and returns 1, or returns 0 and changes nothing: see [`with_resize`](Source::with_resize).
    pub resize: Option<ResizeFn>,
}

const _: () = {
    const WORD: usize = size_of::<usize>();
    assert!(offset_of!(Source, allocate) == 16 && offset_of!(Source, free) == 16 + WORD);
    assert!(offset_of!(Source, context) == 16 + 2 * WORD && offset_of!(Source, resize) == 16 + 3 * WORD);
    assert!(size_of::<Source>() == 16 + 4 * WORD);
};

/// The function of a [`Source`] that gives a block another size where it is.
pub type ResizeFn = unsafe extern "C-unwind" fn(
    source: *mut Source,
    block: *mut c_void,
    from: usize,
    to: usize,
    align: usize,
) -> c_int;

impl Source {
    /// A source over the two functions. It may be moved until a cell is drawn from it.
    ///
    /// See the [type](Source) for an example.
    #[must_use]
    pub fn new(
        allocate: unsafe extern "C-unwind" fn(*mut Source, usize, usize) -> *mut c_void,
        free: unsafe extern "C-unwind" fn(*mut Source, *mut c_void, usize, usize),
        context: *mut c_void,
    ) -> Source {
        let cell = Cell::new(Kind::Source, 0, 0, size_of::<Source>());
        Source { cell, allocate, free, context, resize: None }
    }

    /// The same source, which is asked to resize a block in place before its cell is moved.
    ///
    /// The function gets a block that `allocate` returned, the size that it has and the one that it is to have, and its alignment. If it
    /// returns 1 the block has that size from then on, and `free` gets it with that. If it returns 0 nothing has changed, and the cell
    /// is moved: another block is allocated, the contents are copied, the old block is freed. Without the function every cell moves.
    ///
    /// ```
    /// use kmem::raw::{refs, Source};
    /// use std::alloc::{alloc, dealloc, Layout};
    /// use std::ffi::{c_int, c_void};
    ///
    /// // Blocks come in steps of 256 bytes.
    /// fn step(size: usize, align: usize) -> Layout {
    ///     Layout::from_size_align(size.next_multiple_of(256), align).unwrap()
    /// }
    /// unsafe extern "C-unwind" fn allocate(_: *mut Source, size: usize, align: usize) -> *mut c_void {
    ///     unsafe { alloc(step(size, align)).cast() }
    /// }
    /// unsafe extern "C-unwind" fn free(_: *mut Source, block: *mut c_void, size: usize, align: usize) {
    ///     unsafe { dealloc(block.cast(), step(size, align)) }
    /// }
    /// unsafe extern "C-unwind" fn resize(_: *mut Source, _: *mut c_void, from: usize, to: usize, align: usize) -> c_int {
    ///     (step(from, align) == step(to, align)).into()
    /// }
    /// let mut source = Source::new(allocate, free, std::ptr::null_mut()).with_resize(resize);
    /// unsafe {
    ///     let data = refs::a((&raw mut source).cast(), 100);
    ///     assert_eq!(refs::r(data, 200), data);
    ///     refs::f(data);
    /// }
    /// ```
    #[must_use]
    pub fn with_resize(self, resize: ResizeFn) -> Source {
        Source { resize: Some(resize), ..self }
    }

    /// # Safety
    /// `this` is a live source.
    #[inline]
    unsafe fn call_allocate(this: *mut Source, layout: Layout) -> *mut c_void {
        // SAFETY: [caller] the caller's source is live.
        let allocate = unsafe { (*this).allocate };
        // As for destructors: where a panic aborts nothing unwinds.
        #[cfg(panic = "abort")]
        // SAFETY: [platform] the two types differ in what may unwind alone.
        let allocate = unsafe {
            type From = unsafe extern "C-unwind" fn(*mut Source, usize, usize) -> *mut c_void;
            core::mem::transmute::<From, unsafe extern "C" fn(*mut Source, usize, usize) -> *mut c_void>(
                allocate,
            )
        };
        marks::calls(size_of::<[usize; 3]>());
        // SAFETY: [custom] the function takes what its documentation says.
        unsafe { allocate(this, layout.size(), layout.align()) }
    }

    /// # Safety
    /// `this` is a live source, from which `block` was drawn with this layout.
    #[inline]
    unsafe fn call_free(this: *mut Source, block: *mut u8, layout: Layout) {
        // SAFETY: [caller] the caller's source is live.
        let free = unsafe { (*this).free };
        #[cfg(panic = "abort")]
        // SAFETY: [platform] as in `call_allocate`.
        let free = unsafe {
            type From = unsafe extern "C-unwind" fn(*mut Source, *mut c_void, usize, usize);
            core::mem::transmute::<From, unsafe extern "C" fn(*mut Source, *mut c_void, usize, usize)>(free)
        };
        marks::calls(size_of::<[usize; 4]>());
        // SAFETY: [custom] the function takes what its documentation says.
        unsafe { free(this, block.cast(), layout.size(), layout.align()) }
    }
}

/// Whether the source is to be asked before a cell is moved, see [`resize_block`].
///
/// # Safety
/// `src` is null or a live source.
pub(super) unsafe fn resizes(src: *mut Cell) -> bool {
    // SAFETY: [caller, custom] the caller vouches for a source that is not null, and the kind says that it is a custom one.
    unsafe {
        !src.is_null() && (*src).kind == Kind::Source as i32 && (*src.cast::<Source>()).resize.is_some()
    }
}

/// Asks a custom source to make a block `to` bytes where it is. Returns false if nothing has changed.
///
/// # Safety
/// `src` is a live custom source, from which `block` was drawn with this layout.
pub(super) unsafe fn resize_block(src: *mut Cell, block: *mut u8, layout: Layout, to: usize) -> bool {
    let source = src.cast::<Source>();
    // SAFETY: [caller] the caller's source is live.
    let Some(resize) = (unsafe { (*source).resize }) else { return false };
    #[cfg(panic = "abort")]
    // SAFETY: [platform] as in `call_allocate`.
    let resize = unsafe {
        type Aborts = unsafe extern "C" fn(*mut Source, *mut c_void, usize, usize, usize) -> c_int;
        core::mem::transmute::<ResizeFn, Aborts>(resize)
    };
    marks::calls(size_of::<[usize; 5]>());
    // SAFETY: [custom] the function takes what its documentation says.
    unsafe { resize(source, block.cast(), layout.size(), to, layout.align()) != 0 }
}

/// Returns true if the source zeroes everything drawn from it: it does if it is marked, or the source that it was itself drawn
/// from does. Of a cell that is no source, returns true if the cell itself is zeroed when it is freed.
///
/// # Safety
/// `src` is null or a source cell that has not been given back, nor have those that it was drawn from.
#[inline]
pub(crate) unsafe fn shreds(src: *mut Cell) -> bool {
    // SAFETY: [caller] the caller vouches for a source that is not null.
    !src.is_null() && unsafe { chain_shreds(src) }
}

unsafe fn chain_shreds(mut src: *mut Cell) -> bool {
    // SAFETY: [caller, outlives, blocks] the caller vouches for the whole chain, and each block of a pool names the first.
    unsafe {
        while !src.is_null() {
            #[cfg(feature = "pool")]
            if is_pool(src) {
                // The mark of a growing pool is that of its first block.
                src = super::pool::head(src.cast()).cast();
            }
            // The mark alone: another thread may write the flags beside it.
            if shared::is_marked(&(*src).shred) {
                return true;
            }
            src = below(src);
        }
    }
    false
}

/// Whether a source is a pool, or one on its way out.
#[cfg(feature = "pool")]
unsafe fn is_pool(src: *mut Cell) -> bool {
    // SAFETY: [caller, prefix] the caller's source has a readable header.
    let kind = unsafe { (*src).kind };
    kind == Kind::Pool as i32 || kind == Kind::Pool.dying()
}

/// Whether a source is this pool or was itself drawn from it, if only by way of others.
///
/// # Safety
/// As for [`shreds`].
#[cfg(all(feature = "pool", feature = "tree"))]
pub(super) unsafe fn leads_to(mut src: *mut Cell, pool: *mut super::Pool) -> bool {
    // SAFETY: [caller, outlives] the caller vouches for the whole chain.
    unsafe {
        while !src.is_null() {
            // Any block of a pool stands for it.
            if is_pool(src) && super::pool::head(src.cast()) == pool {
                return true;
            }
            src = below(src);
        }
    }
    false
}

/// What a source, or any other cell, was itself drawn from; null where that is the heap, or a custom source's own affair.
unsafe fn below(src: *mut Cell) -> *mut Cell {
    // SAFETY: [caller, prefix] the caller's source has a readable header, also while it is on its way out.
    let kind = unsafe { (*src).kind };
    #[cfg(feature = "pool")]
    // SAFETY: [caller, live] as above, and where it is a pool the whole header is there.
    unsafe {
        if is_pool(src) {
            return (*super::pool::head(src.cast())).src;
        }
    }
    #[cfg(feature = "tree")]
    if kind == Kind::Tree as i32 || kind == Kind::Tree.dying() {
        // SAFETY: [live] the kind says that it is a node.
        return unsafe { (*src.cast::<super::Node>()).src };
    }
    #[cfg(feature = "ref")]
    if kind == Kind::Ref as i32 || kind == Kind::Ref.dying() {
        // SAFETY: [live] the kind says that it is a counted cell.
        return unsafe { (*src.cast::<super::Ref>()).src };
    }
    let _ = kind;
    null_mut()
}

/// Whether a source can have served a cell of so many bytes: a pool cannot where they are more than its own cells have.
///
/// # Safety
/// `src` is a source with a readable prefix; where its kind is that of a pool the whole header is.
pub(super) unsafe fn may_have_served(src: *mut Cell, size: usize) -> bool {
    #[cfg(feature = "pool")]
    // SAFETY: [caller] the caller vouches for the header.
    unsafe {
        if (*src).kind == Kind::Pool as i32 {
            return size <= (*src.cast::<super::Pool>()).cellsz;
        }
    }
    let _ = (src, size);
    true
}

/// Draws a block of this layout, whose alignment is 16 or more.
///
/// # Safety
/// `src` is null or points to a readable cell prefix, and is alive if it is a source.
#[inline]
pub(crate) unsafe fn draw(src: *mut Cell, layout: Layout, fill: Fill) -> Result<NonNull<u8>, AllocError> {
    if src.is_null() {
        return draw_heap(layout, fill);
    }
    // SAFETY: [caller] the contract is the caller's.
    let block = unsafe { draw_from(src, layout) }?;
    if fill == Fill::Zeroed {
        // SAFETY: [drawn] the block has this many bytes and is ours.
        unsafe { block.write_bytes(0, layout.size()) };
        marks::written(block.as_ptr(), layout.size());
    }
    Ok(block)
}

/// Draws a block from a source that is not the heap.
#[inline]
unsafe fn draw_from(src: *mut Cell, layout: Layout) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the caller vouches for the prefix.
    match Kind::from_raw(unsafe { (*src).kind }) {
        #[cfg(feature = "pool")]
        // SAFETY: [live] the kind says that this is a pool.
        Some(Kind::Pool) => unsafe { super::pool::serve(src.cast(), layout) },
        // SAFETY: [live] the kind says that this is a custom source.
        Some(Kind::Source) => unsafe { draw_custom(src.cast(), layout) },
        Some(Kind::None) | None => Err(AllocError::Source(None)),
        Some(kind) => Err(AllocError::Source(Some(kind))),
    }
}

/// Gives back what [`draw`] returned for the same source and layout. A source that has been torn down before what was
/// drawn from it is reported.
///
/// # Safety
/// `block` was drawn so and is not used any more; the source is alive, or its header readable.
#[inline]
pub(crate) unsafe fn give_back(src: *mut Cell, block: *mut u8, layout: Layout) {
    if src.is_null() {
        // SAFETY: [origin] a null source drew from the heap with this layout.
        return unsafe { free_heap(block, layout) };
    }
    // SAFETY: [origin] `draw` accepted this source, so it was one of these two kinds, and the caller says that it still is.
    unsafe {
        let found = (*src).kind;
        match Kind::from_raw(found) {
            Some(Kind::Source) => {
                Source::call_free(src.cast(), block, layout);
            }
            #[cfg(feature = "pool")]
            Some(Kind::Pool) => super::pool::take_back(block),
            // A pool that is being torn down takes its blocks with it.
            None if found == Kind::Pool.dying() => {}
            _ => fault::report("kmfree", src.cast(), super::block::judge(Kind::Pool, found)),
        }
    }
}

unsafe fn draw_custom(source: *mut Source, layout: Layout) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [custom, caller] the caller gives a live custom source, whose functions take what its documentation says.
    let block = unsafe { Source::call_allocate(source, layout) };
    let block = NonNull::new(block.cast::<u8>()).ok_or(AllocError::Exhausted { size: layout.size() })?;
    if block.addr().get() & (layout.align() - 1) != 0 {
        // SAFETY: [drawn] the block has just come from this source and nobody has seen it.
        unsafe { Source::call_free(source, block.as_ptr(), layout) };
        return Err(AllocError::Align { align: layout.align(), max: 1 << block.addr().trailing_zeros() });
    }
    Ok(block)
}

#[cfg(all(feature = "heap", not(kmem_libc)))]
use alloc::alloc as beneath;

/// The C library's heap, in the shape of the global allocator.
#[cfg(all(feature = "heap", kmem_libc))]
mod beneath {
    use core::alloc::Layout;

    /// What `malloc` aligns to by itself.
    const MALLOC: usize = 2 * size_of::<usize>();

    /// Blocks of a larger alignment.
    #[cfg(not(windows))]
    mod aligned {
        use super::Layout;

        pub(super) unsafe fn alloc(layout: Layout) -> *mut u8 {
            let mut block = core::ptr::null_mut();
            // SAFETY: [platform] the alignment is a power of two above that of a pointer; on failure the block stays null.
            unsafe { libc::posix_memalign(&raw mut block, layout.align(), layout.size()) };
            block.cast()
        }

        /// No block: `realloc` would forget the alignment.
        pub(super) unsafe fn realloc(_: *mut u8, _: Layout, _: usize) -> *mut u8 {
            core::ptr::null_mut()
        }

        pub(super) use libc::free;
    }

    /// Windows has a heap of its own for them.
    #[cfg(windows)]
    mod aligned {
        use super::Layout;

        pub(super) unsafe fn alloc(layout: Layout) -> *mut u8 {
            // SAFETY: [platform] the alignment is a power of two.
            unsafe { libc::aligned_malloc(layout.size(), layout.align()) }.cast()
        }

        pub(super) unsafe fn realloc(block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            // SAFETY: [caller] the caller gives what the function above returned for this alignment.
            unsafe { libc::aligned_realloc(block.cast(), size, layout.align()) }.cast()
        }

        pub(super) use libc::aligned_free as free;
    }

    #[inline]
    pub(super) unsafe fn alloc(layout: Layout) -> *mut u8 {
        if layout.align() <= MALLOC {
            // SAFETY: [platform] any size may be asked for.
            return unsafe { libc::malloc(layout.size()) }.cast();
        }
        // SAFETY: [caller] the contract is the caller's.
        unsafe { aligned::alloc(layout) }
    }

    #[inline]
    pub(super) unsafe fn alloc_zeroed(layout: Layout) -> *mut u8 {
        if layout.align() <= MALLOC {
            // SAFETY: [platform] any size may be asked for.
            return unsafe { libc::calloc(1, layout.size()) }.cast();
        }
        // SAFETY: [caller] the contract is the caller's.
        let block = unsafe { aligned::alloc(layout) };
        if !block.is_null() {
            // SAFETY: [drawn] the block has this many bytes.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    #[inline]
    pub(super) unsafe fn realloc(block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() > MALLOC {
            // SAFETY: [caller] the contract is the caller's.
            return unsafe { aligned::realloc(block, layout, size) };
        }
        // SAFETY: [caller] the caller gives what one of the two above returned.
        unsafe { libc::realloc(block.cast(), size) }.cast()
    }

    #[inline]
    pub(super) unsafe fn dealloc(block: *mut u8, layout: Layout) {
        // SAFETY: [caller] the caller gives back what one of the functions above returned for this alignment.
        unsafe {
            if layout.align() <= MALLOC { libc::free(block.cast()) } else { aligned::free(block.cast()) }
        }
    }
}

/// The layout with the bytes behind the block.
///
/// # Safety
/// The layout is that of a cell or a pool, which are far from the end of the address space.
#[cfg(feature = "heap")]
#[inline(always)]
unsafe fn with_spare(layout: Layout) -> Layout {
    // SAFETY: [extent] so few bytes more do not overflow.
    unsafe { Layout::from_size_align_unchecked(layout.size() + marks::SPARE, layout.align()) }
}

#[cfg(feature = "heap")]
#[inline]
pub(super) fn draw_heap(layout: Layout, fill: Fill) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [extent] every block has a header, so the size is not zero.
    let block = unsafe {
        let layout = with_spare(layout);
        match fill {
            Fill::Undefined => beneath::alloc(layout),
            Fill::Zeroed => beneath::alloc_zeroed(layout),
        }
    };
    if !block.is_null() {
        marks::heap_drawn(block, layout.size());
    }
    NonNull::new(block).ok_or(AllocError::Exhausted { size: layout.size() })
}

#[cfg(feature = "heap")]
#[inline]
pub(super) unsafe fn free_heap(block: *mut u8, layout: Layout) {
    marks::heap_given_back(block, layout.size());
    // SAFETY: [caller] the caller gives back what `draw_heap` returned for this layout.
    unsafe { beneath::dealloc(block, with_spare(layout)) }
}

/// Gives a block of the heap another size, in place or elsewhere, with what fits of its contents, or returns `None` and leaves it as
/// it is.
///
/// # Safety
/// `block` came from [`draw_heap`] with this layout, and a layout of this size and its alignment is valid. The old address is
/// used no more where this succeeds.
#[cfg(feature = "heap")]
pub(super) unsafe fn grow_heap(block: *mut u8, layout: Layout, size: usize) -> Option<NonNull<u8>> {
    if marks::HEAP {
        // A cell that moves always shows old pointers to it.
        return None;
    }
    // SAFETY: [caller] the contract is the caller's.
    NonNull::new(unsafe { beneath::realloc(block, layout, size) })
}

#[cfg(not(feature = "heap"))]
pub(super) unsafe fn grow_heap(_: *mut u8, _: Layout, _: usize) -> Option<NonNull<u8>> {
    None
}

/// Whether a block from this source may have this size too, where it is. A pool's may where its cells hold as much, and fails
/// where they do not: no other cell of it would.
///
/// # Safety
/// `src` is null or the live source of a block.
pub(super) unsafe fn keeps(src: *mut Cell, size: usize) -> Result<bool, AllocError> {
    #[cfg(feature = "pool")]
    // SAFETY: [caller, live] the caller's source is readable, and where its kind says so it is a pool.
    unsafe {
        if !src.is_null() && (*src).kind == Kind::Pool as i32 {
            let max = (*src.cast::<super::Pool>()).cellsz;
            return if size <= max { Ok(true) } else { Err(AllocError::Size { size, max }) };
        }
    }
    let _ = (src, size);
    Ok(false)
}

/// A block from this source has another size now, where it was.
///
/// # Safety
/// `src` is null or the live source of this block.
#[inline]
pub(super) unsafe fn resized(src: *mut Cell, block: *mut u8, from: usize, to: usize) {
    #[cfg(feature = "pool")]
    // SAFETY: [caller, live] as in `keeps`.
    unsafe {
        if marks::ON && !src.is_null() && (*src).kind == Kind::Pool as i32 {
            marks::resized(block, from, to, (*src.cast::<super::Pool>()).cellsz);
        }
    }
    let _ = (src, block, from, to);
}

#[cfg(not(feature = "heap"))]
pub(super) fn draw_heap(_: Layout, _: Fill) -> Result<NonNull<u8>, AllocError> {
    Err(AllocError::Source(Some(Kind::Heap)))
}

#[cfg(not(feature = "heap"))]
pub(super) unsafe fn free_heap(_: *mut u8, _: Layout) {}
