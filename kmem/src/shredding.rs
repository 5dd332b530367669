//! A wrapper that zeroes every block that an allocator or source frees.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use crate::error::AllocError;
use crate::shred;
use crate::source::Source;

/// An allocator or source that zeroes every block before it is freed.
///
/// Around a [`GlobalAlloc`] it can be the global allocator of a program. Around a [`Source`] it is a source. As a global allocator it
/// moves every block that is resized, and zeroes the old bytes.
///
/// It does not reach copies elsewhere: registers, stacks, memory that was mapped by other means, and swapped pages.
///
/// ```
/// use kmem::Shredding;
/// use std::alloc::System;
///
/// #[global_allocator]
/// static GLOBAL: Shredding<System> = Shredding::new(System);
///
/// let mut secret = String::from("correct horse");
/// secret.push_str(" battery staple"); // the old copy is zeroed
/// drop(secret); // and so is this one
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Shredding<A> {
    inner: A,
}

impl<A> Shredding<A> {
    /// Wraps an allocator or source.
    ///
    /// ```
    /// let source = kmem::Shredding::new(kmem::Heap);
    /// # use kmem::Source;
    /// assert!(source.shreds());
    /// ```
    pub const fn new(inner: A) -> Self {
        Shredding { inner }
    }

    /// Returns the wrapped allocator or source.
    ///
    /// ```
    /// assert_eq!(*kmem::Shredding::new(kmem::Heap).inner(), kmem::Heap);
    /// ```
    pub const fn inner(&self) -> &A {
        &self.inner
    }
}

// SAFETY: [drawn] every block is one of the inner allocator's, with the same layout.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Shredding<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: [caller] the contract is the caller's.
        unsafe { self.inner.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: [caller] the contract is the caller's.
        unsafe { self.inner.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: [caller] the block has this layout, and nobody uses it any more.
        unsafe {
            shred::zero(block, layout.size());
            self.inner.dealloc(block, layout);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: [caller] the new size with this alignment, and the old block, are valid.
        unsafe {
            let new = self.inner.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

// SAFETY: [drawn] every block is one of the inner source's.
unsafe impl<S: Source> Source for Shredding<S> {
    #[inline]
    fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.inner.draw(layout)
    }

    #[inline]
    unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: [caller] the block has this layout, and nobody uses it any more.
        unsafe {
            shred::zero(block.as_ptr(), layout.size());
            self.inner.give_back(block, layout);
        }
    }

    #[inline]
    fn draw_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.inner.draw_zeroed(layout)
    }

    unsafe fn resize_in_place(&self, block: NonNull<u8>, layout: Layout, size: usize) -> bool {
        // SAFETY: [caller] nobody uses the bytes that are cut off, and the rest of the contract is the same.
        unsafe {
            if size < layout.size() {
                shred::zero(block.as_ptr().add(size), layout.size() - size);
            }
            self.inner.resize_in_place(block, layout, size)
        }
    }

    fn shreds(&self) -> bool {
        true
    }
}
