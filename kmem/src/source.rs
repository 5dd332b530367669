//! Sources: what cells, pools and collections are allocated from.

use core::alloc::Layout;
use core::ffi::{CStr, c_int, c_void};
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::{NonNull, null_mut};

use crate::error::AllocError;
use crate::raw::{self, Fill};

/// An allocator of blocks. The heap, pools of bytes, arenas and [`Shredding`](crate::Shredding) wrappers are sources.
///
/// [`SourceCell`] makes a source serve counted cells, pools and trees. With the `allocator-api2-…` features, every source is an allocator
/// for collections, and every such allocator a source. The trait is object-safe: a `&dyn Source` can be chosen at run time.
///
/// # Safety
/// A block that [`draw`](Source::draw) or [`draw_zeroed`](Source::draw_zeroed) returns is aligned to the layout's alignment. It is valid
/// for reads and writes of the layout's size, or of the size that [`resize_in_place`](Source::resize_in_place) gave it, until it is
/// freed, the source is dropped or borrowed mutably, or a lifetime in the source's type ends. It stays valid if the source is moved. Live blocks do not overlap.
/// A block from `draw_zeroed` is all zero.
///
/// ```
/// use kmem::{AllocError, Heap, Source, SourceCell, Ref};
/// use std::alloc::Layout;
/// use std::cell::Cell;
/// use std::ptr::NonNull;
///
/// /// The heap, counting its live blocks.
/// struct Counting(Cell<usize>);
/// unsafe impl Source for Counting {
///     fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
///         self.0.set(self.0.get() + 1);
///         Heap.draw(layout)
///     }
///     unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
///         self.0.set(self.0.get() - 1);
///         unsafe { Heap.give_back(block, layout) }
///     }
/// }
/// let counting = SourceCell::new(Counting(Cell::new(0)));
/// let shared = Ref::new_in(7, &counting);
/// assert_eq!(counting.source().0.get(), 1);
/// drop(shared);
/// assert_eq!(counting.source().0.get(), 0);
/// ```
pub unsafe trait Source {
    /// Allocates a block of this layout, contents undefined. The size may be zero.
    ///
    /// # Errors
    /// Returns [`AllocError::Exhausted`] if the source has no memory left, and [`AllocError::Size`] or [`AllocError::Align`] if it cannot
    /// serve such a block.
    fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError>;

    /// Frees a block.
    ///
    /// # Safety
    /// `block` was allocated by this source with this layout, or resized to it by a [`resize_in_place`](Source::resize_in_place) that
    /// returned true. It is not used any more.
    unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout);

    /// Allocates a block of this layout, all zero.
    ///
    /// # Errors
    /// Returns the error of [`draw`](Source::draw).
    ///
    /// ```
    /// use kmem::{Heap, Source};
    /// let layout = std::alloc::Layout::new::<u64>();
    /// let block = Heap.draw_zeroed(layout)?;
    /// assert_eq!(unsafe { block.cast::<u64>().read() }, 0);
    /// unsafe { Heap.give_back(block, layout) };
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    fn draw_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let block = self.draw(layout)?;
        // SAFETY: [drawn] the block has this many bytes and is ours.
        unsafe { block.write_bytes(0, layout.size()) };
        Ok(block)
    }

    /// Resizes a block to `size` bytes in place. Returns false, and leaves the block as it was, if that is not possible. A cell or a
    /// collection calls this before it moves to another block. By default it returns false.
    ///
    /// If the block shrinks, the bytes beyond `size` are not used any more. A source that [shreds](Source::shreds) zeroes them first, and
    /// may do so even if it returns false.
    ///
    /// # Safety
    /// `block` was allocated by this source with this layout, or resized to it by an earlier call that returned true. Neither size is zero.
    /// `size` with the alignment of the layout is a valid layout: the new layout of the block if this returns true.
    ///
    /// ```
    /// use kmem::{AllocError, Heap, Ref, Source, SourceCell};
    /// use std::alloc::Layout;
    /// use std::ptr::NonNull;
    ///
    /// /// The heap in steps of 256 bytes.
    /// struct Steps;
    /// fn step(layout: Layout) -> Layout {
    ///     Layout::from_size_align(layout.size().next_multiple_of(256), layout.align()).unwrap()
    /// }
    /// unsafe impl Source for Steps {
    ///     fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
    ///         Heap.draw(step(layout))
    ///     }
    ///     unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
    ///         unsafe { Heap.give_back(block, step(layout)) }
    ///     }
    ///     unsafe fn resize_in_place(&self, _: NonNull<u8>, layout: Layout, size: usize) -> bool {
    ///         size.next_multiple_of(256) == step(layout).size()
    ///     }
    /// }
    /// let steps = SourceCell::new(Steps);
    /// let mut bytes = Ref::try_copy_in(&[7u8; 10], &steps)?;
    /// let first = bytes.as_ptr();
    /// Ref::try_resize(&mut bytes, 200, 7)?;
    /// assert_eq!(bytes.as_ptr(), first);
    /// # Ok::<(), AllocError>(())
    /// ```
    unsafe fn resize_in_place(&self, block: NonNull<u8>, layout: Layout, size: usize) -> bool {
        let _ = (block, layout, size);
        false
    }

    /// Returns true if the source zeroes the blocks that it frees.
    ///
    /// ```
    /// # use kmem::Source;
    /// assert!(!kmem::Heap.shreds());
    /// ```
    fn shreds(&self) -> bool {
        false
    }
}

/// Implements [`Source`] by the source inside.
macro_rules! forwards {
    ($source:ident => $inner:expr) => {
        #[inline]
        fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
            let $source = self;
            $inner.draw(layout)
        }
        #[inline]
        unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
            let $source = self;
            // SAFETY: [caller] the contract is the caller's.
            unsafe { $inner.give_back(block, layout) }
        }
        #[inline]
        fn draw_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
            let $source = self;
            $inner.draw_zeroed(layout)
        }
        unsafe fn resize_in_place(&self, block: NonNull<u8>, layout: Layout, size: usize) -> bool {
            let $source = self;
            // SAFETY: [caller] the contract is the caller's.
            unsafe { $inner.resize_in_place(block, layout, size) }
        }
        fn shreds(&self) -> bool {
            let $source = self;
            $inner.shreds()
        }
    };
}

// SAFETY: [outlives, drawn] a shared reference keeps its source in place and alive for its lifetime.
unsafe impl<S: Source + ?Sized> Source for &S {
    forwards!(source => (**source));
}

/// The heap as a source: the global allocator, or the C library's `malloc` in a build with `--cfg kmem_libc`. Any thread may use it.
///
/// Exhaustive: it holds nothing.
///
/// ```
/// use kmem::{Heap, Ref};
/// let shared = Ref::new_in("on the heap", Heap);
/// assert_eq!(*shared, "on the heap");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heap;

#[cfg(feature = "heap")]
// SAFETY: [drawn] the heap keeps this contract for sizes above zero. A block of size zero is an aligned address that is never read.
unsafe impl Source for Heap {
    #[inline]
    fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        heap_block(layout, Fill::Undefined)
    }

    #[inline]
    unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
        if layout.size() > 0 {
            // SAFETY: [caller] the block came from `draw` with this layout, in this copy of kmem.
            unsafe { raw::give_back(null_mut(), block.as_ptr(), layout) }
        }
    }

    #[inline]
    fn draw_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        heap_block(layout, Fill::Zeroed)
    }
}

#[cfg(feature = "heap")]
#[inline]
fn heap_block(layout: Layout, fill: Fill) -> Result<NonNull<u8>, AllocError> {
    if layout.size() == 0 {
        return Ok(dangling(layout));
    }
    // SAFETY: [origin] the null source is the heap, and the size is not zero.
    unsafe { raw::draw(null_mut(), layout, fill) }
}

/// Returns an address for a layout of size zero.
#[cfg(any(feature = "heap", feature = "allocator-api2-02", feature = "allocator-api2-04"))]
pub(crate) fn dangling(layout: Layout) -> NonNull<u8> {
    // SAFETY: [platform] an alignment is never zero.
    unsafe { NonNull::new_unchecked(core::ptr::without_provenance_mut(layout.align())) }
}

/// The source of a pool or an arena in a caller's buffer. It borrows the buffer.
///
/// ```
/// use kmem::{Buffer, Pool};
/// use std::mem::MaybeUninit;
/// let mut buffer = [MaybeUninit::uninit(); 1024];
/// let pool: Pool<u32, Buffer<'_>> = Pool::in_buffer(&mut buffer)?;
/// # Ok::<(), kmem::AllocError>(())
/// ```
#[derive(Debug)]
pub struct Buffer<'b>(PhantomData<&'b mut [MaybeUninit<u8>]>);

/// A source that a cell's header can refer to: [`Heap`], or a reference to a pool of bytes, an arena or a scope of one, or a
/// [`SourceCell`].
///
/// # Safety
/// The pointer is null for the heap. Otherwise it is that of a source cell that stays in place and alive for the lifetime of the type, even
/// if the value is dropped. If the type is [`Send`], its cells may be freed on any thread.
///
/// ```
/// use kmem::{CellSource, Heap};
/// assert!(Heap.as_cell().is_null());
/// ```
pub unsafe trait CellSource {
    /// Returns the source's cell, or null for the heap.
    fn as_cell(&self) -> *mut raw::Cell;
}

#[cfg(feature = "heap")]
// SAFETY: [origin, threads] null is the heap, which any thread may use at any time.
unsafe impl CellSource for Heap {
    #[inline]
    fn as_cell(&self) -> *mut raw::Cell {
        null_mut()
    }
}

/// A source that a new cell is allocated from, with or without a [name](Named) for the cell.
///
/// ```
/// use kmem::{Heap, Named, Place, Ref};
/// fn seven(place: impl Place<Source = Heap>) -> Ref<i32> {
///     Ref::new_in(7, place)
/// }
/// assert_eq!(Ref::name(&seven(Heap)), None);
/// assert_eq!(Ref::name(&seven(Named(c"seven", Heap))), Some(c"seven"));
/// ```
pub trait Place {
    /// The source.
    type Source: CellSource;
    #[doc(hidden)]
    fn into_parts(self) -> (Self::Source, Option<&'static CStr>);
}

impl<S: CellSource> Place for S {
    type Source = S;
    #[inline]
    fn into_parts(self) -> (S, Option<&'static CStr>) {
        (self, None)
    }
}

/// A name for a new cell, and the source that it is allocated from or the [node](crate::NodeRef) that it is added to.
///
/// C and reports show the name, which takes 8 bytes. The methods `name` and `rename` of an owner read and change it.
///
/// Exhaustive: it is a pair.
///
/// ```
/// use kmem::{Heap, HeapBox, Named, NodeRef, Ref, Tree};
/// let key = HeapBox::new_in([7u8; 32], Named(c"key", Heap));
/// let shared = Ref::try_copy_str_in("text", Named(c"shared", Heap))?;
/// let tree = Tree::new_in("GET", Named(c"request", Heap));
/// let line = Named(c"line", tree.node()).push("host");
/// assert_eq!((HeapBox::name(&key), NodeRef::name(&line)), (Some(c"key"), Some(c"line")));
/// # Ok::<(), kmem::AllocError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Named<P>(pub &'static CStr, pub P);

impl<S: CellSource> Place for Named<S> {
    type Source = S;
    #[inline]
    fn into_parts(self) -> (S, Option<&'static CStr>) {
        (self.1, Some(self.0))
    }
}

/// A [`Source`] that counted cells, pools and trees can be allocated from. It is a source itself, for collections.
///
/// Whatever is allocated from it borrows it. If the source shreds, the cells are zeroed when they are freed. Every error of the source
/// becomes [`AllocError::Exhausted`].
///
/// ```
/// use kmem::{Heap, Shredding, SourceCell, Tree};
/// let source = SourceCell::new(Shredding::new(Heap));
/// let tree = Tree::new_in("every byte of this tree is zeroed when it is freed", &source);
/// assert_eq!(tree.len(), 50);
/// ```
#[repr(C)]
pub struct SourceCell<S> {
    cell: raw::Source,
    source: S,
}

impl<S: Source> SourceCell<S> {
    /// Wraps a source: see the [type](SourceCell) for an example.
    pub fn new(source: S) -> Self {
        let cell = raw::Source::new(allocate::<S>, free::<S>, null_mut()).with_resize(resize::<S>);
        if source.shreds() {
            cell.cell.taint();
        }
        SourceCell { cell, source }
    }

    /// Returns the wrapped source.
    ///
    /// ```
    /// use kmem::{Heap, SourceCell};
    /// assert_eq!(*SourceCell::new(Heap).source(), Heap);
    /// ```
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Unwraps the source.
    ///
    /// ```
    /// use kmem::{Heap, SourceCell};
    /// assert_eq!(SourceCell::new(Heap).into_source(), Heap);
    /// ```
    pub fn into_source(self) -> S {
        self.source
    }
}

impl<S: fmt::Debug> fmt::Debug for SourceCell<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SourceCell").field(&self.source).finish()
    }
}

// SAFETY: [custom, threads] the raw part is three functions and a mark; the null context is never used.
unsafe impl<S: Send> Send for SourceCell<S> {}
// SAFETY: [custom, threads] sharing it shares the source, whose functions are then called from several threads. The mark is atomic.
unsafe impl<S: Sync> Sync for SourceCell<S> {}

// SAFETY: [outlives, threads] the reference keeps the cell in place and alive for its lifetime. It is `Send` only if the source is `Sync`,
// and then any thread may free blocks through `&S`.
unsafe impl<S: Source> CellSource for &SourceCell<S> {
    #[inline]
    fn as_cell(&self) -> *mut raw::Cell {
        // The pointer is to the whole of `self`, since `allocate` reads the source behind the cell. The engine writes only the atomic
        // mark of a source cell.
        core::ptr::from_ref::<SourceCell<S>>(self).cast_mut().cast()
    }
}

// SAFETY: [drawn] every block is one of the source inside, which moves with the cell.
unsafe impl<S: Source> Source for SourceCell<S> {
    forwards!(cell => cell.source);
}

unsafe extern "C-unwind" fn allocate<S: Source>(
    cell: *mut raw::Source,
    size: usize,
    align: usize,
) -> *mut c_void {
    // SAFETY: [custom] this function is stored only in the raw part of a `SourceCell<S>`, which the engine passes.
    let source = unsafe { &(*cell.cast::<SourceCell<S>>()).source };
    let Ok(layout) = Layout::from_size_align(size, align) else { return null_mut() };
    source.draw(layout).map_or(null_mut(), |block| block.as_ptr().cast())
}

unsafe extern "C-unwind" fn free<S: Source>(
    cell: *mut raw::Source,
    block: *mut c_void,
    size: usize,
    align: usize,
) {
    // SAFETY: [custom] as in `allocate`. The engine passes a block from `allocate`, which is not null, with its layout.
    unsafe {
        let source = &(*cell.cast::<SourceCell<S>>()).source;
        source
            .give_back(NonNull::new_unchecked(block.cast()), Layout::from_size_align_unchecked(size, align));
    }
}

unsafe extern "C-unwind" fn resize<S: Source>(
    cell: *mut raw::Source,
    block: *mut c_void,
    from: usize,
    to: usize,
    align: usize,
) -> c_int {
    // SAFETY: [custom] as in `free`. The size makes a valid layout and is not zero.
    unsafe {
        let source = &(*cell.cast::<SourceCell<S>>()).source;
        let layout = Layout::from_size_align_unchecked(from, align);
        source.resize_in_place(NonNull::new_unchecked(block.cast()), layout, to).into()
    }
}
