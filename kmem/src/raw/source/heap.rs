//! The heap: Rust's global allocator, or the `malloc` of C.

use core::alloc::Layout;
use core::ptr::NonNull;

#[cfg(not(feature = "heap"))]
use crate::cell::Kind;
use crate::error::AllocError;
use crate::raw::request::Fill;
use crate::raw::sanitizer;

#[cfg(all(feature = "heap", not(kmem_libc)))]
use alloc::alloc as system;

/// The heap of the C library, with the interface of the global allocator.
#[cfg(all(feature = "heap", kmem_libc))]
mod system {
    use core::alloc::Layout;

    /// The alignment of blocks from `malloc`.
    const MALLOC: usize = 2 * size_of::<usize>();

    /// The functions for blocks of a larger alignment.
    #[cfg(not(windows))]
    mod aligned {
        use super::Layout;

        pub(super) unsafe fn alloc(layout: Layout) -> *mut u8 {
            let mut block = core::ptr::null_mut();
            // SAFETY: [platform] the alignment is a power of two above that of a pointer; on failure the block stays null.
            unsafe { libc::posix_memalign(&raw mut block, layout.align(), layout.size()) };
            block.cast()
        }

        /// Fails: `realloc` does not keep the alignment.
        pub(super) unsafe fn realloc(_: *mut u8, _: Layout, _: usize) -> *mut u8 {
            core::ptr::null_mut()
        }

        pub(super) use libc::free;
    }

    /// The functions of Windows for blocks of a larger alignment.
    #[cfg(windows)]
    mod aligned {
        use super::Layout;

        pub(super) unsafe fn alloc(layout: Layout) -> *mut u8 {
            // SAFETY: [platform] the alignment is a power of two.
            unsafe { libc::aligned_malloc(layout.size(), layout.align()) }.cast()
        }

        pub(super) unsafe fn realloc(block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            // SAFETY: [caller] the function above returned the block for this alignment.
            unsafe { libc::aligned_realloc(block.cast(), size, layout.align()) }.cast()
        }

        pub(super) use libc::aligned_free as free;
    }

    #[inline(always)]
    pub(crate) unsafe fn alloc(layout: Layout) -> *mut u8 {
        if layout.align() <= MALLOC {
            // SAFETY: [platform] any size is valid.
            return unsafe { libc::malloc(layout.size()) }.cast();
        }
        // SAFETY: [caller] the contract is the caller's.
        unsafe { aligned::alloc(layout) }
    }

    #[inline]
    pub(crate) unsafe fn alloc_zeroed(layout: Layout) -> *mut u8 {
        if layout.align() <= MALLOC {
            // SAFETY: [platform] any size is valid.
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
    pub(crate) unsafe fn realloc(block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() > MALLOC {
            // SAFETY: [caller] the contract is the caller's.
            return unsafe { aligned::realloc(block, layout, size) };
        }
        // SAFETY: [caller] one of the two functions above returned the block.
        unsafe { libc::realloc(block.cast(), size) }.cast()
    }

    #[inline]
    pub(crate) unsafe fn dealloc(block: *mut u8, layout: Layout) {
        // SAFETY: [caller] one of the functions above returned the block for this alignment.
        unsafe {
            if layout.align() <= MALLOC { libc::free(block.cast()) } else { aligned::free(block.cast()) }
        }
    }
}

/// The layout with the spare bytes behind the block. Safety: the layout is that of a cell or a pool, which are far
/// smaller than the address space.
#[cfg(feature = "heap")]
#[inline(always)]
unsafe fn with_spare(layout: Layout) -> Layout {
    // SAFETY: [extent] these few bytes more do not overflow.
    unsafe { Layout::from_size_align_unchecked(layout.size() + sanitizer::SPARE, layout.align()) }
}

#[cfg(feature = "heap")]
#[inline(always)]
pub(crate) fn draw_heap(layout: Layout, fill: Fill) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [extent] every block has a header, so the size is not zero.
    let block = unsafe {
        let layout = with_spare(layout);
        match fill {
            Fill::Undefined => system::alloc(layout),
            Fill::Zeroed => system::alloc_zeroed(layout),
        }
    };
    if !block.is_null() {
        sanitizer::heap_drawn(block, layout.size());
    }
    NonNull::new(block).ok_or(AllocError::exhausted(layout.size()))
}

#[cfg(feature = "heap")]
#[inline]
pub(crate) unsafe fn free_heap(block: *mut u8, layout: Layout) {
    sanitizer::heap_given_back(block, layout.size());
    // SAFETY: [caller] `draw_heap` returned the block for this layout.
    unsafe { system::dealloc(block, with_spare(layout)) }
}

/// Resizes a block of the heap, in place or moved with as much of its contents as fits. Returns `None` and changes
/// nothing if that fails. Safety: `block` came from [`draw_heap`] with this layout. A layout of this size and the
/// same alignment is valid. The old address is not used after success.
#[cfg(feature = "heap")]
pub(crate) unsafe fn resize_heap(block: *mut u8, layout: Layout, size: usize) -> Option<NonNull<u8>> {
    if sanitizer::HEAP {
        // Always move the cell, so that tools report uses of the old address.
        return None;
    }
    // SAFETY: [caller] the contract is the caller's.
    NonNull::new(unsafe { system::realloc(block, layout, size) })
}

#[cfg(not(feature = "heap"))]
pub(crate) unsafe fn resize_heap(_: *mut u8, _: Layout, _: usize) -> Option<NonNull<u8>> {
    None
}

#[cfg(not(feature = "heap"))]
pub(crate) fn draw_heap(_: Layout, _: Fill) -> Result<NonNull<u8>, AllocError> {
    Err(AllocError::source(Some(Kind::Heap)))
}

#[cfg(not(feature = "heap"))]
pub(crate) unsafe fn free_heap(_: *mut u8, _: Layout) {}
