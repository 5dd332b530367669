//! Custom sources: user allocators, for every method.

use core::alloc::Layout;
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::{NonNull, null_mut};

use crate::cell::{Cell, Kind};
use crate::error::AllocError;
use crate::raw::request::Below;
use crate::raw::{sanitizer, seal};
use crate::shared;

/// A custom source: a cell with the allocate and free functions of a user allocator, from which every method can allocate.
///
/// Both functions receive the source, so state may lie in `context` or around the source. A source must outlive every
/// cell allocated from it. If the source is tainted, all its cells are. C: `kmsource`.
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
    /// The prefix, of kind [`Kind::Source`].
    pub cell: Cell,
    /// Returns `size` bytes aligned to `align`, a power of two and at least 16, or null if it fails.
    pub allocate: unsafe extern "C-unwind" fn(source: *mut Source, size: usize, align: usize) -> *mut c_void,
    /// Frees a block that `allocate` returned, with the same size and alignment.
    pub free: unsafe extern "C-unwind" fn(source: *mut Source, block: *mut c_void, size: usize, align: usize),
    /// For user code.
    pub context: *mut c_void,
    /// Resizes a block in place to `to` bytes and returns 1, or returns 0 and changes nothing: see
    /// [`with_resize`](Source::with_resize).
    pub resize: Option<ResizeFn>,
}

const _: () = {
    const WORD: usize = size_of::<usize>();
    assert!(offset_of!(Source, allocate) == 16 && offset_of!(Source, free) == 16 + WORD);
    assert!(offset_of!(Source, context) == 16 + 2 * WORD && offset_of!(Source, resize) == 16 + 3 * WORD);
    assert!(size_of::<Source>() == 16 + 4 * WORD);
};

/// The function of a [`Source`] that resizes a block in place.
pub type ResizeFn = unsafe extern "C-unwind" fn(
    source: *mut Source,
    block: *mut c_void,
    from: usize,
    to: usize,
    align: usize,
) -> c_int;

impl Source {
    /// Returns a source with these two functions. It may move until a cell is allocated from it. C: `kmsourcei`.
    #[must_use]
    pub fn new(
        allocate: unsafe extern "C-unwind" fn(*mut Source, usize, usize) -> *mut c_void,
        free: unsafe extern "C-unwind" fn(*mut Source, *mut c_void, usize, usize),
        context: *mut c_void,
    ) -> Source {
        let cell = Cell::new(Kind::Source, 0, 0, seal::heap_id(), size_of::<Source>());
        Source { cell, allocate, free, context, resize: None }
    }

    /// Adds a function that resizes blocks in place. Without it every cell that is resized moves. C: `kmsourceiw`.
    ///
    /// The function receives a block that `allocate` returned, its size, the new size, and its alignment. If it
    /// returns 1, the block has the new size, and `free` receives that. If it returns 0, nothing has changed, and the
    /// cell is copied to a new block.
    #[must_use]
    pub fn with_resize(self, resize: ResizeFn) -> Source {
        Source { resize: Some(resize), ..self }
    }

    /// Safety: `this` is a live source.
    #[inline]
    unsafe fn call_allocate(this: *mut Source, layout: Layout) -> *mut c_void {
        // SAFETY: [caller] the caller's source is live.
        let allocate = unsafe { (*this).allocate };
        // If panics abort, nothing unwinds: see `Destructor::call`.
        #[cfg(panic = "abort")]
        // SAFETY: [platform] the two types differ only in whether the function may unwind.
        let allocate = unsafe {
            type From = unsafe extern "C-unwind" fn(*mut Source, usize, usize) -> *mut c_void;
            core::mem::transmute::<From, unsafe extern "C" fn(*mut Source, usize, usize) -> *mut c_void>(
                allocate,
            )
        };
        sanitizer::calls(size_of::<[usize; 3]>());
        // SAFETY: [custom] the function receives what its documentation says.
        unsafe { allocate(this, layout.size(), layout.align()) }
    }

    /// Safety: `this` is a live source, from which `block` was allocated with this layout.
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
        sanitizer::calls(size_of::<[usize; 4]>());
        // SAFETY: [custom] the function receives what its documentation says.
        unsafe { free(this, block.cast(), layout.size(), layout.align()) }
    }
}

pub(super) unsafe fn draw(src: *mut Cell, layout: Layout, _below: &Below) -> Result<NonNull<u8>, AllocError> {
    let source: *mut Source = src.cast();
    // SAFETY: [custom, caller] the caller's source is live; its functions receive what their documentation says.
    let block = unsafe { Source::call_allocate(source, layout) };
    let block = NonNull::new(block.cast::<u8>()).ok_or(AllocError::exhausted(layout.size()))?;
    if block.addr().get() & (layout.align() - 1) != 0 {
        // SAFETY: [drawn] the block is new from this source, and nobody else knows it.
        unsafe { Source::call_free(source, block.as_ptr(), layout) };
        return Err(AllocError::misaligned(layout.align(), 1 << block.addr().trailing_zeros()));
    }
    Ok(block)
}

pub(super) unsafe fn give_back(src: *mut Cell, block: *mut u8, layout: Layout, _below: &Below) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { Source::call_free(src.cast(), block, layout) }
}

pub(super) unsafe fn fits_in_place(
    _src: *mut Cell,
    _size: usize,
    _below: &Below,
) -> Result<bool, AllocError> {
    Ok(false)
}

pub(super) unsafe fn resizes(src: *mut Cell) -> bool {
    // SAFETY: [caller] the caller's source is live.
    unsafe { (*src.cast::<Source>()).resize.is_some() }
}

pub(super) unsafe fn resize(
    src: *mut Cell,
    block: *mut u8,
    layout: Layout,
    to: usize,
    _below: &Below,
) -> bool {
    let source = src.cast::<Source>();
    // SAFETY: [caller] the caller's source is live.
    let Some(resize) = (unsafe { (*source).resize }) else { return false };
    #[cfg(panic = "abort")]
    // SAFETY: [platform] as in `call_allocate`.
    let resize = unsafe {
        type Aborts = unsafe extern "C" fn(*mut Source, *mut c_void, usize, usize, usize) -> c_int;
        core::mem::transmute::<ResizeFn, Aborts>(resize)
    };
    sanitizer::calls(size_of::<[usize; 5]>());
    // SAFETY: [custom] the function receives what its documentation says.
    unsafe { resize(source, block.cast(), layout.size(), to, layout.align()) != 0 }
}

pub(super) unsafe fn resized(_src: *mut Cell, _block: *mut u8, _from: usize, _to: usize) {}

pub(super) unsafe fn may_have_served(_src: *mut Cell, _size: usize) -> bool {
    true
}

pub(super) unsafe fn below(_src: *mut Cell) -> *mut Cell {
    null_mut()
}

pub(super) unsafe fn zeroes(src: *mut Cell) -> bool {
    // SAFETY: [caller] the caller's source is readable.
    unsafe { shared::is_marked(&(*src).shred) }
}
