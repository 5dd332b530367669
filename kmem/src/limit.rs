//! Limits on the bytes that are allocated from a source.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{c_int, c_void};
use core::fmt;
use core::ptr::{NonNull, null_mut};

use crate::error::AllocError;
use crate::quota::{LimitCount, Quota};
use crate::raw;
use crate::source::{CellSource, Heap, Source};

/// A source that allocates from another one, and at most `max` bytes at once.
///
/// A request beyond that fails with [`AllocError::Exhausted`], and changes nothing. Sizes are those of whole blocks, with the headers of
/// cells. Limits nest: a limit may be the source of another one, and both then count a cell. Every method allocates from a limit, and so do
/// collections.
///
/// Several threads may use a limit if they may use its source. The count is exact as long as one thread uses it. If several do, an eighth
/// of the maximum, and at most 8 KiB, may be set aside for the first of them, and others are refused these bytes.
///
/// ```
/// use kmem::{Heap, Limit, Pool, Ref, Tree};
/// let server = Limit::new_in(Heap, 64 << 20);
/// let request = Limit::new_in(&server, 1 << 20);
/// let tree = Tree::new_in("GET", &request);
/// let body = Ref::try_copy_in(&[0u8; 2 << 20], &request);
/// assert!(body.is_err());
/// let pool = Pool::<u64, _>::try_new_in(10, &server).unwrap();
/// assert!(server.count().used > request.count().used);
/// assert_eq!(request.count().refused, 1);
/// ```
///
/// As a global allocator, see [`of_allocator`](Limit::of_allocator).
#[repr(C)]
pub struct Limit<S = Heap> {
    raw: raw::Limit,
    source: S,
    over: Option<fn(&Limit<S>, usize) -> bool>,
}

#[cfg(feature = "heap")]
impl Limit {
    /// Makes a limit over the heap.
    ///
    /// ```
    /// use kmem::{Limit, Ref};
    /// let limit = Limit::new(100);
    /// assert!(Ref::try_new_in([0u8; 100], &limit).is_err());
    /// assert!(Ref::try_new_in([0u8; 60], &limit).is_ok());
    /// ```
    #[must_use]
    pub fn new(max: usize) -> Self {
        Limit::new_in(Heap, max)
    }
}

impl<S: CellSource> Limit<S> {
    /// Makes a limit over a source: see the [type](Limit) for an example.
    pub fn new_in(source: S, max: usize) -> Self {
        let mut raw = raw::Limit::new(source.as_cell(), max);
        raw.set_over(Some(over::<S>), null_mut());
        Limit { raw, source, over: None }
    }
}

impl<A: GlobalAlloc> Limit<A> {
    /// Makes a limit over an allocator, to be the global allocator of a program. The limit holds for everything that the program
    /// allocates. A program that is refused memory usually aborts; the `try_` functions of kmem and of collections return an error.
    ///
    /// ```
    /// use kmem::Limit;
    /// use std::alloc::System;
    ///
    /// #[global_allocator]
    /// static ALLOCATOR: Limit<System> = Limit::of_allocator(System, 64 << 20);
    ///
    /// assert!(Vec::<u8>::new().try_reserve(100 << 20).is_err());
    /// let large = vec![0u8; 1 << 20];
    /// assert!(ALLOCATOR.count().used >= 1 << 20);
    /// ```
    pub const fn of_allocator(allocator: A, max: usize) -> Self {
        Limit { raw: raw::Limit::unsealed(max, Some(over::<A>)), source: allocator, over: None }
    }
}

impl<S> Limit<S> {
    /// Sets the function that the limit calls before it refuses a request of so many bytes. The function frees something, of a cache for
    /// example, and returns true. The limit then tries again, and calls the function again as long as less is in use afterwards. If it
    /// returns false, the request is refused. It may use the limit. It is not called while it is running, on any thread.
    ///
    /// ```
    /// use kmem::{Limit, Ref};
    /// use std::cell::RefCell;
    ///
    /// thread_local! {
    ///     static CACHE: RefCell<Vec<Ref<[u8], &'static Limit>>> = const { RefCell::new(Vec::new()) };
    /// }
    /// let limit: &'static Limit = Box::leak(Box::new(Limit::new(1000).on_over(|_, _| {
    ///     CACHE.with_borrow_mut(|cache| cache.pop()).is_some()
    /// })));
    /// for _ in 0..9 {
    ///     CACHE.with_borrow_mut(|cache| cache.push(Ref::try_copy_in(&[0u8; 68], limit).unwrap()));
    /// }
    /// let large = Ref::try_copy_in(&[0u8; 500], limit)?;
    /// assert!(CACHE.with_borrow(|cache| cache.len()) < 9);
    /// # CACHE.with_borrow_mut(|cache| cache.clear());
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    #[must_use]
    pub const fn on_over(mut self, over: fn(&Limit<S>, usize) -> bool) -> Self {
        self.over = Some(over);
        self
    }

    /// Changes the maximum. If more bytes are in use, all further requests are refused until they fit.
    ///
    /// ```
    /// use kmem::{Limit, Ref};
    /// let limit = Limit::new(1000);
    /// let kept = Ref::new_in([0u8; 100], &limit);
    /// limit.set_max(0);
    /// assert!(Ref::try_new_in(7, &limit).is_err());
    /// ```
    pub fn set_max(&self, max: usize) {
        self.quota().set_max(max);
    }

    /// Returns the bytes in use, their peak, the maximum, and the number of requests that were refused.
    ///
    /// ```
    /// use kmem::{Limit, Ref};
    /// let limit = Limit::new(1000);
    /// drop(Ref::new_in([0u8; 100], &limit));
    /// let count = limit.count();
    /// assert_eq!((count.used, count.peak, count.max, count.refused), (0, 132, 1000, 0));
    /// ```
    pub fn count(&self) -> LimitCount {
        self.quota().count()
    }

    /// Returns the source.
    ///
    /// ```
    /// use kmem::{Heap, Limit};
    /// assert_eq!(*Limit::new(100).source(), Heap);
    /// ```
    pub fn source(&self) -> &S {
        &self.source
    }

    fn quota(&self) -> &Quota {
        &self.raw.quota
    }

    /// The header, by a pointer to the whole limit.
    fn header(&self) -> *mut raw::Limit {
        core::ptr::from_ref(self).cast_mut().cast()
    }

    /// Takes bytes for a request. They are returned if it fails, or unwinds.
    fn counted<T, E>(&self, size: usize, request: impl FnOnce() -> Result<T, E>) -> Option<Result<T, E>> {
        struct Taken<'a>(&'a Quota, usize);
        impl Drop for Taken<'_> {
            fn drop(&mut self) {
                self.0.give_unused(self.1);
            }
        }
        // SAFETY: [custom] the header is that of `self`, which `over` expects.
        if !unsafe { raw::Limit::take(self.header(), size, true) } {
            return None;
        }
        let taken = Taken(self.quota(), size);
        let result = request();
        if result.is_ok() {
            core::mem::forget(taken);
        }
        Some(result)
    }

    /// Resizes a block by `change`, and counts the difference. `change` returns `None`, and nothing has changed, if it fails.
    fn recounted<T>(&self, from: usize, to: usize, change: impl FnOnce() -> Option<T>) -> Option<T> {
        let added = to.saturating_sub(from);
        if !self.quota().take(added) {
            return None;
        }
        let changed = change();
        match changed {
            Some(_) => self.quota().give(from.saturating_sub(to)),
            None => self.quota().give_unused(added),
        }
        changed
    }
}

unsafe extern "C-unwind" fn over<S>(limit: *mut raw::Limit, want: usize, _: *mut c_void) -> c_int {
    // SAFETY: [custom] this function is stored only in the header of a `Limit<S>`, which the engine passes.
    let limit = unsafe { &*limit.cast::<Limit<S>>() };
    limit.over.is_some_and(|over| over(limit, want)).into()
}

impl<S: fmt::Debug> fmt::Debug for Limit<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limit")
            .field("count", &self.count())
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

// SAFETY: [threads] the header has atomic counts, and the address of the source, which is that of `S`.
unsafe impl<S: Send> Send for Limit<S> {}
// SAFETY: [threads] sharing it shares the source, whose blocks are then allocated and freed on several threads. Each count is atomic.
unsafe impl<S: Send + Sync> Sync for Limit<S> {}

// SAFETY: [outlives, threads] the reference keeps the limit in place and alive for its lifetime, and the limit keeps its source. It is `Send`
// only if the source is `Send` and `Sync`.
unsafe impl<S: CellSource> CellSource for &Limit<S> {
    #[inline]
    fn as_cell(&self) -> *mut raw::Cell {
        // The engine writes only atomic fields of the header.
        self.header().cast()
    }
}

// SAFETY: [drawn] every block is one of the source inside, which moves with the limit.
unsafe impl<S: Source> Source for Limit<S> {
    #[inline]
    fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let refused = AllocError::exhausted(layout.size());
        self.counted(layout.size(), || self.source.draw(layout)).unwrap_or(Err(refused))
    }

    #[inline]
    unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
        self.quota().give(layout.size());
        // SAFETY: [caller] the contract is the caller's.
        unsafe { self.source.give_back(block, layout) }
    }

    #[inline]
    fn draw_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let refused = AllocError::exhausted(layout.size());
        self.counted(layout.size(), || self.source.draw_zeroed(layout)).unwrap_or(Err(refused))
    }

    unsafe fn resize_in_place(&self, block: NonNull<u8>, layout: Layout, size: usize) -> bool {
        // SAFETY: [caller] the contract is the caller's.
        let resize = || unsafe { self.source.resize_in_place(block, layout, size) }.then_some(());
        self.recounted(layout.size(), size, resize).is_some()
    }

    fn shreds(&self) -> bool {
        self.source.shreds()
    }
}

// SAFETY: [drawn] every block is one of the allocator inside.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Limit<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: [caller] the contract is the caller's.
        let alloc = || NonNull::new(unsafe { self.source.alloc(layout) }).ok_or(());
        self.counted(layout.size(), alloc).and_then(Result::ok).map_or(null_mut(), NonNull::as_ptr)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.quota().give(layout.size());
        // SAFETY: [caller] the contract is the caller's.
        unsafe { self.source.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: [caller] the contract is the caller's.
        let alloc = || NonNull::new(unsafe { self.source.alloc_zeroed(layout) }).ok_or(());
        self.counted(layout.size(), alloc).and_then(Result::ok).map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let (from, added) = (layout.size(), new_size.saturating_sub(layout.size()));
        // SAFETY: [caller] the contract is the caller's.
        let realloc = || NonNull::new(unsafe { self.source.realloc(block, layout, new_size) }).ok_or(());
        let Some(Ok(moved)) = self.counted(added, realloc) else { return null_mut() };
        self.quota().give(from.saturating_sub(new_size));
        moved.as_ptr()
    }
}
