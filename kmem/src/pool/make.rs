//! The constructors of a pool.

use core::marker::PhantomData;
use core::mem::MaybeUninit;
#[cfg(feature = "tree")]
use core::ptr::NonNull;

use super::Pool;
use crate::emplace;
use crate::error::AllocError;
use crate::raw;
use crate::raw::pool::{Spec, in_buffer_size};
use crate::source::{Buffer, CellSource, Heap};

/// The source of a pool that is a child of a tree node. It borrows the node.
///
/// ```
/// use kmem::{Pool, Tree};
/// let tree = Tree::new("request");
/// let numbers = tree.node().try_push_pool::<u32>(100)?;
/// assert_eq!(*numbers.alloc(7), 7);
/// # Ok::<(), kmem::AllocError>(())
/// ```
#[cfg(feature = "tree")]
#[derive(Debug)]
pub struct InNode<'t>(PhantomData<(&'t (), *mut ())>);

/// Returns the specification of a pool of cells for `T`.
fn spec_of<T>(cells: usize) -> Spec {
    Spec { align: align_of::<T>(), drop: emplace::destructor::<T>(), ..Spec::new(size_of::<T>(), cells) }
}

#[cfg(feature = "heap")]
impl<T> Pool<T> {
    /// Makes a pool of `cells` cells on the heap.
    ///
    /// # Panics
    /// Panics if [`try_new_in`](Pool::try_new_in) would fail.
    ///
    /// ```
    /// let pool = kmem::Pool::<u64>::new(1_000_000); // touches one page
    /// assert_eq!(pool.capacity(), 1_000_000);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new(cells: usize) -> Self {
        emplace::made(Self::try_new_in(cells, Heap))
    }

    /// Makes a growing pool on the heap. Its first block has 64 cells.
    ///
    /// # Panics
    /// Panics if [`try_growing_in`](Pool::try_growing_in) would fail.
    ///
    /// ```
    /// let pool = kmem::Pool::growing();
    /// let cells: Vec<_> = (0..10_000).map(|i| pool.alloc(i)).collect();
    /// assert_eq!(*cells[9_999], 9_999);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn growing() -> Self {
        emplace::made(Self::try_growing_in(64, Heap))
    }
}

impl<T, S: CellSource> Pool<T, S> {
    /// Makes a pool of `cells` cells, allocated from `source`.
    ///
    /// # Errors
    /// Returns [`AllocError::Exhausted`] if the source has no memory left, [`AllocError::Overflow`] if the size overflows, and
    /// [`AllocError::Size`] or [`AllocError::Align`] if the source cannot serve such a block.
    ///
    /// ```
    /// use kmem::{Heap, Pool};
    /// assert!(Pool::<u64, _>::try_new_in(usize::MAX, Heap).is_err());
    /// ```
    pub fn try_new_in(cells: usize, source: S) -> Result<Self, AllocError> {
        // SAFETY: [typed] the destructor is that of the values that `alloc` moves into the cells.
        unsafe { Self::init(&source, &spec_of::<T>(cells)) }
    }

    /// Makes a growing pool, allocated from `source`. Its first block has `cells` cells.
    ///
    /// # Errors
    /// Returns the error of [`try_new_in`](Pool::try_new_in).
    ///
    /// ```
    /// use kmem::{Heap, Pool};
    /// let pool = Pool::try_growing_in(1, Heap)?;
    /// let (one, two) = (pool.alloc(1), pool.alloc(2));
    /// assert_eq!(pool.capacity(), 3);
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_growing_in(cells: usize, source: S) -> Result<Self, AllocError> {
        // SAFETY: [typed] as in `try_new_in`.
        unsafe { Self::init(&source, &Spec { grows: true, ..spec_of::<T>(cells) }) }
    }
}

impl<'b, T> Pool<T, Buffer<'b>> {
    /// Makes a pool in a buffer, with as many cells as fit. It never allocates.
    ///
    /// # Errors
    /// Returns [`AllocError::Size`] if no cell fits.
    ///
    /// ```
    /// use kmem::Pool;
    /// use std::mem::MaybeUninit;
    /// const BYTES: usize = Pool::<u32, kmem::Buffer<'_>>::buffer_size(10);
    /// let mut buffer = [MaybeUninit::uninit(); BYTES];
    /// let pool = Pool::in_buffer(&mut buffer)?;
    /// assert_eq!(pool.capacity(), 10);
    /// assert_eq!(*pool.alloc(7u32), 7);
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn in_buffer(buffer: &'b mut [MaybeUninit<u8>]) -> Result<Self, AllocError> {
        // SAFETY: [typed] the destructor is that of the values that `alloc` moves into the cells.
        unsafe { Self::init_in_buffer(buffer, &spec_of::<T>(0)) }
    }

    /// Returns the bytes of buffer that [`in_buffer`](Pool::in_buffer) needs for `cells` cells, at any address.
    ///
    /// ```
    /// use kmem::{Buffer, Pool};
    /// let bytes = Pool::<u64, Buffer<'_>>::buffer_size(100);
    /// let mut buffer = Vec::<u8>::with_capacity(bytes);
    /// let pool = Pool::<u64, _>::in_buffer(&mut buffer.spare_capacity_mut()[..bytes])?;
    /// assert_eq!(pool.capacity(), 100);
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    #[must_use]
    pub const fn buffer_size(cells: usize) -> usize {
        in_buffer_size(size_of::<T>(), align_of::<T>(), cells)
    }
}

#[cfg(feature = "heap")]
impl Pool {
    /// Makes a pool on the heap of `cells` cells of `size` bytes, aligned to 16.
    ///
    /// # Panics
    /// Panics if [`try_bytes_in`](Pool::try_bytes_in) would fail.
    ///
    /// ```
    /// let pool = kmem::Pool::bytes(64, 100);
    /// assert_eq!(&*pool.try_alloc_str("text")?, "text");
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn bytes(size: usize, cells: usize) -> Self {
        emplace::made(Self::try_bytes_in(size, cells, Heap))
    }

    /// Makes a growing pool on the heap of cells of `size` bytes, aligned to 16. Its first block has 64 cells.
    ///
    /// # Panics
    /// Panics if [`try_growing_bytes_in`](Pool::try_growing_bytes_in) would fail.
    ///
    /// ```
    /// use kmem::{Pool, Ref};
    /// let pool = Pool::growing_bytes(64);
    /// let refs: Vec<_> = (0..1000).map(|i| Ref::new_in(i, &pool)).collect();
    /// assert_eq!(*refs[999], 999);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn growing_bytes(size: usize) -> Self {
        emplace::made(Self::try_growing_bytes_in(size, 64, Heap))
    }
}

impl<S: CellSource> Pool<[u8], S> {
    /// Makes a pool of `cells` cells of `size` bytes, aligned to 16, allocated from `source`.
    ///
    /// # Errors
    /// Returns the error of [`try_new_in`](Pool::try_new_in).
    ///
    /// ```
    /// use kmem::Pool;
    /// let outer = Pool::bytes(4096, 10);
    /// let inner = Pool::try_bytes_in(100, 30, &outer)?;
    /// assert_eq!(inner.capacity(), 30);
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_bytes_in(size: usize, cells: usize, source: S) -> Result<Self, AllocError> {
        // SAFETY: [typed] there is no destructor.
        unsafe { Self::init(&source, &Spec::new(size, cells)) }
    }

    /// Makes a growing pool of cells of `size` bytes, aligned to 16, allocated from `source`. Its first block has `cells` cells.
    ///
    /// # Errors
    /// Returns the error of [`try_new_in`](Pool::try_new_in).
    ///
    /// ```
    /// use kmem::{Heap, Pool};
    /// let pool = Pool::try_growing_bytes_in(32, 1000, Heap)?;
    /// assert_eq!(pool.cell_size(), 32);
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_growing_bytes_in(size: usize, cells: usize, source: S) -> Result<Self, AllocError> {
        // SAFETY: [typed] there is no destructor.
        unsafe { Self::init(&source, &Spec { grows: true, ..Spec::new(size, cells) }) }
    }
}

impl<'b> Pool<[u8], Buffer<'b>> {
    /// Makes a pool in a buffer, with as many cells of `size` bytes, aligned to 16, as fit. It never allocates.
    ///
    /// # Errors
    /// Returns [`AllocError::Size`] if no cell fits.
    ///
    /// ```
    /// use kmem::{Pool, Ref};
    /// use std::mem::MaybeUninit;
    /// let mut buffer = [MaybeUninit::uninit(); 1024];
    /// let pool = Pool::bytes_in_buffer(&mut buffer, 48)?;
    /// let counted = Ref::new_in(7, &pool);
    /// assert_eq!(*counted, 7);
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn bytes_in_buffer(buffer: &'b mut [MaybeUninit<u8>], size: usize) -> Result<Self, AllocError> {
        // SAFETY: [typed] there is no destructor.
        unsafe { Self::init_in_buffer(buffer, &Spec::new(size, 0)) }
    }
}

impl<T: ?Sized, S: CellSource> Pool<T, S> {
    /// # Safety
    /// The destructor of the specification suits the values in the cells.
    unsafe fn init(source: &S, spec: &Spec) -> Result<Self, AllocError> {
        // SAFETY: [outlives] a `CellSource` outlives its type's lifetime, which bounds the pool.
        unsafe { raw::pool::init(source.as_cell(), spec).map(|pool| Self::own(pool)) }
    }
}

impl<'b, T: ?Sized> Pool<T, Buffer<'b>> {
    /// # Safety
    /// As for `init`.
    unsafe fn init_in_buffer(buffer: &'b mut [MaybeUninit<u8>], spec: &Spec) -> Result<Self, AllocError> {
        // SAFETY: [outlives] the pool borrows the buffer for as long as it lives.
        unsafe {
            raw::pool::init_in_buffer(buffer.as_mut_ptr().cast(), buffer.len(), spec)
                .map(|pool| Self::own(pool))
        }
    }
}

#[cfg(feature = "tree")]
impl<'t, T: Send + 'static> Pool<T, InNode<'t>> {
    /// Makes a pool of `cells` cells that is a child of the node.
    ///
    /// # Safety
    /// `node` is a node of this thread that is live for `'t`.
    pub(crate) unsafe fn in_node(node: NonNull<raw::Node>, cells: usize) -> Result<Self, AllocError> {
        // SAFETY: [caller, typed] the destructor is that of the values that `alloc` moves into the cells. If the pool is forgotten, it
        // runs when the node is freed, hence values are `'static` and `Send`.
        unsafe { raw::pool::init(node.as_ptr().cast(), &spec_of::<T>(cells)).map(|pool| Self::own(pool)) }
    }
}
