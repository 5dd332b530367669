//! Pools and the owners of their cells.

mod make;
mod owner;

use core::alloc::Layout;
use core::ffi::CStr;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::emplace;
use crate::error::{AllocError, Refused};
use crate::raw;
use crate::source::{CellSource, Heap, Source};

#[cfg(feature = "tree")]
pub use make::InNode;
pub use owner::PoolBox;

/// A pool of cells for values of `T`. With the default `[u8]`, the cells are equal runs of bytes.
///
/// Cells are allocated through a shared borrow and freed by their owners, both in constant time. The cell that was freed last is reused
/// first, then cells near it. A cell takes the size of its value rounded up to 16 bytes, and 16 bytes of header. The pool takes another
/// 16 bytes for every 64 cells. The pool borrows its source `S`, and the owners of cells borrow the pool.
///
/// A fixed pool has all its cells in one block. A growing pool allocates further blocks, each with twice the cells of the one before, up
/// to 64 MiB. Making a pool touches none of its cells.
///
/// A pool of bytes is a [`Source`]. [`Ref`](crate::Ref), [`Tree`](crate::Tree) and further pools can be allocated from a `&Pool`.
///
/// A pool is used by one thread at a time. It is `Send` if its values and its source are.
///
/// [Leaked](PoolBox::leak) values live as long as the pool is borrowed, may refer to each other, also in a circle, and are dropped with the
/// pool.
///
/// ```
/// use kmem::Pool;
/// let pool = Pool::new(1000);
/// let mut point = pool.alloc((1.0, 2.0));
/// let other = pool.alloc((3.0, 4.0));
/// point.0 += other.0;
/// assert_eq!(*point, (4.0, 2.0));
/// ```
///
/// ```compile_fail,E0505
/// let pool = kmem::Pool::new(10);
/// let cell = pool.alloc(7);
/// drop(pool);
/// println!("{cell}");
/// ```
pub struct Pool<T: ?Sized = [u8], S = Heap> {
    pool: Destroys<S>,
    /// Invariant in `T`: a value of a shorter life must not be put among the others.
    owns: PhantomData<*mut T>,
    drops: PhantomData<T>,
}

/// A pool that is destroyed when this is dropped. It does not name the type of the values, so that these may refer to each other: the
/// compiler asks that what they borrow outlives the pool only if their own destructors could use it.
struct Destroys<S> {
    pool: NonNull<raw::Pool>,
    source: PhantomData<S>,
}

impl<S> Destroys<S> {
    #[inline]
    fn as_ptr(&self) -> *mut raw::Pool {
        self.pool.as_ptr()
    }
}

// SAFETY: [threads] owners of cells borrow the pool, so a pool that moves has none, and it moves whole. A collection that owns a pool as
// its source moves together with it. Forgotten values may be dropped on the other thread, hence `T: Send`, and the block is returned to
// the source there.
unsafe impl<T: ?Sized + Send, S: Send> Send for Pool<T, S> {}

impl<T, S> Pool<T, S> {
    /// Moves a value into a cell.
    ///
    /// # Panics
    /// Panics if [`try_alloc`](Pool::try_alloc) would fail.
    ///
    /// ```
    /// let pool = kmem::Pool::new(1);
    /// assert_eq!(*pool.alloc(7), 7);
    /// ```
    #[track_caller]
    #[inline]
    pub fn alloc(&self, value: T) -> PoolBox<'_, T> {
        emplace::made(self.try_alloc(value))
    }

    /// Moves a value into a cell.
    ///
    /// # Errors
    /// Returns the value with [`AllocError::Exhausted`] if all cells are in use and the pool cannot grow.
    ///
    /// ```
    /// let pool = kmem::Pool::new(1);
    /// let one = pool.try_alloc(1).unwrap();
    /// assert_eq!(pool.try_alloc(2).unwrap_err().into_value(), 2);
    /// drop(one);
    /// assert!(pool.try_alloc(2).is_ok());
    /// ```
    #[inline]
    pub fn try_alloc(&self, value: T) -> Result<PoolBox<'_, T>, Refused<T>> {
        // SAFETY: [one-thread, typed] the pool is this thread's, and its cells are those of a `T` with its destructor.
        unsafe {
            emplace::value(value, |request| {
                raw::pool::alloc(self.pool.as_ptr(), &raw::Request { drop: None, ..*request })
            })
            .map(|data| PoolBox::own(data))
        }
    }
}

impl<T: Unpin, S> Pool<T, S> {
    /// Returns the values in the pool that have no owner: they were [leaked](PoolBox::leak) or forgotten. Their order is that of the
    /// pool's blocks, and of the addresses in each.
    ///
    /// So a pool serves as an arena whose values can be walked. Values that C owns are among them, and must not be used meanwhile.
    ///
    /// ```
    /// let mut pool = kmem::Pool::growing();
    /// for number in 1..=100 {
    ///     pool.alloc(number).leak();
    /// }
    /// pool.iter_mut().for_each(|number| *number *= 2);
    /// assert_eq!(pool.iter_mut().map(|number| *number).sum::<i32>(), 10_100);
    /// ```
    pub fn iter_mut(&mut self) -> PoolIterMut<'_, T> {
        // SAFETY: [one-thread, outlives] the pool is live and this thread's, and is borrowed as long as the walk is used.
        PoolIterMut { walk: unsafe { raw::pool::walk(self.pool.as_ptr()) }, values: PhantomData }
    }
}

/// The values in a pool that have no owner: see [`Pool::iter_mut`].
///
/// ```
/// let mut pool = kmem::Pool::new(10);
/// pool.alloc(7).leak();
/// assert_eq!(pool.iter_mut().next(), Some(&mut 7));
/// ```
#[derive(Debug)]
pub struct PoolIterMut<'p, T> {
    walk: raw::pool::Walk,
    values: PhantomData<&'p mut T>,
}

impl<'p, T> Iterator for PoolIterMut<'p, T> {
    type Item = &'p mut T;

    fn next(&mut self) -> Option<&'p mut T> {
        // SAFETY: [sole, typed, provenance] a pool of sized values is no source, so each live cell holds a `T`. The pool is borrowed mutably
        // for `'p`, and owners of its cells borrow it, so no cell has an owner. No cell is returned twice or freed meanwhile. The pointer
        // is derived from that to the pool's block.
        self.walk.next().map(|data| unsafe { &mut *data.cast::<T>() })
    }
}

impl<T> core::iter::FusedIterator for PoolIterMut<'_, T> {}

impl<S> Pool<[u8], S> {
    fn alloc_cell(&self, request: &raw::Request) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: [one-thread, typed] the pool is this thread's, and has no destructor.
        unsafe { raw::pool::alloc(self.pool.as_ptr(), request) }
    }

    /// Copies a slice into a cell.
    ///
    /// # Errors
    /// Returns [`AllocError::Size`] or [`AllocError::Align`] if the cells are too small or not aligned enough, and
    /// [`AllocError::Exhausted`] if all are in use.
    ///
    /// ```
    /// let pool = kmem::Pool::bytes(16, 1);
    /// assert!(pool.try_alloc_copy(&[0u64; 3]).is_err());
    /// assert_eq!(*pool.try_alloc_copy(&[1u64, 2])?, [1, 2]);
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_alloc_copy<T: Copy>(&self, values: &[T]) -> Result<PoolBox<'_, [T]>, AllocError> {
        // SAFETY: [fresh, sole] `alloc_cell` makes a cell of this pool as it is asked, and this is its only owner.
        unsafe { emplace::copy(values, |request| self.alloc_cell(request)).map(|data| PoolBox::own(data)) }
    }

    /// Copies a string into a cell.
    ///
    /// # Errors
    /// Returns the error of [`try_alloc_copy`](Pool::try_alloc_copy).
    ///
    /// ```
    /// let pool = kmem::Pool::bytes(16, 1);
    /// assert_eq!(&*pool.try_alloc_str("text")?, "text");
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_alloc_str(&self, text: &str) -> Result<PoolBox<'_, str>, AllocError> {
        // SAFETY: [fresh, sole] as in `try_alloc_copy`.
        unsafe { emplace::str(text, |request| self.alloc_cell(request)).map(|data| PoolBox::own(data)) }
    }
}

impl<T: ?Sized, S> Pool<T, S> {
    /// # Safety
    /// `pool` is a live pool whose source and destructor suit the type, and nothing else owns it.
    unsafe fn own(pool: NonNull<raw::Pool>) -> Self {
        Pool { pool: Destroys { pool, source: PhantomData }, owns: PhantomData, drops: PhantomData }
    }

    /// Returns the number of cells that the pool has now, in use or free.
    ///
    /// ```
    /// assert_eq!(kmem::Pool::<u8>::new(10).capacity(), 10);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        // SAFETY: [one-thread] the pool is live and this thread's.
        unsafe { raw::pool::capacity(self.pool.as_ptr()) }
    }

    /// Counts the cells in use, by looking at every cell.
    ///
    /// ```
    /// let pool = kmem::Pool::new(10);
    /// let one = pool.alloc(1);
    /// assert_eq!(pool.live(), 1);
    /// # drop(one);
    /// ```
    #[must_use]
    pub fn live(&self) -> usize {
        // SAFETY: [one-thread] the pool is live and this thread's.
        unsafe { raw::pool::live(self.pool.as_ptr()) }
    }

    /// Returns the peak number of cells in use, in constant time.
    ///
    /// ```
    /// let pool = kmem::Pool::new(10);
    /// drop([pool.alloc(1), pool.alloc(2)]);
    /// let one = pool.alloc(3);
    /// assert_eq!((pool.live(), pool.peak()), (1, 2));
    /// # drop(one);
    /// ```
    #[must_use]
    pub fn peak(&self) -> usize {
        // SAFETY: [one-thread] the pool is live and this thread's.
        unsafe { raw::pool::peak(self.pool.as_ptr()) }
    }

    /// Returns a report: a line of text about the pool and a line with the total. See [`raw::report`].
    ///
    /// ```
    /// let pool = kmem::Pool::<u64>::new(10).named(c"numbers");
    /// let _one = pool.alloc(1);
    /// assert!(pool.report().starts_with("store \"numbers\", 8 bytes, 1 of 10 cells in use, at most 1\n"));
    /// ```
    #[cfg(feature = "heap")]
    pub fn report(&self) -> alloc::string::String {
        // SAFETY: [one-thread] the pool is live and this thread's.
        crate::text::written(|write| unsafe { raw::report::pool_text(self.pool.as_ptr(), write) })
    }

    /// Returns a report as JSON, which the command `kmem-view` draws. See [`raw::report`] for the format.
    ///
    /// ```
    /// let pool = kmem::Pool::<u64>::new(10);
    /// assert!(pool.snapshot().contains("\"cell\":8,\"cells\":10,\"live\":0,\"peak\":0"));
    /// ```
    #[cfg(feature = "heap")]
    pub fn snapshot(&self) -> alloc::string::String {
        // SAFETY: [one-thread] the pool is live and this thread's.
        crate::text::written(|write| unsafe { raw::report::pool_json(self.pool.as_ptr(), write) })
    }

    /// Frees all cells and keeps the pool. Drops the values that were leaked or forgotten, and gives all blocks of a growing pool but
    /// the first back to the source.
    ///
    /// ```
    /// let mut pool = kmem::Pool::growing();
    /// for number in 0..10_000 {
    ///     pool.alloc(number).leak();
    /// }
    /// pool.clear();
    /// assert_eq!((pool.live(), pool.capacity()), (0, 64));
    /// ```
    pub fn clear(&mut self) {
        // SAFETY: [sole, outlives, typed] owners of cells borrow the pool, and nothing that was allocated from it is used any more, so no
        // cell is in use.
        unsafe { raw::pool::c(self.pool.as_ptr()) }
    }

    /// Names the pool, for reports.
    ///
    /// ```
    /// let pool = kmem::Pool::<u64>::new(10).named(c"numbers");
    /// assert_eq!(pool.name(), Some(c"numbers"));
    /// assert!(format!("{pool:?}").contains("numbers"));
    /// ```
    #[must_use]
    pub fn named(self, name: &'static CStr) -> Self {
        // SAFETY: [one-thread, sole] the pool is live and this thread's.
        unsafe { raw::pool::set_name(self.pool.as_ptr(), Some(name)) };
        self
    }

    /// Returns the [name](Pool::named) of the pool, if it has one.
    ///
    /// ```
    /// assert_eq!(kmem::Pool::<u64>::new(10).name(), None);
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&'static CStr> {
        // SAFETY: [one-thread] the pool is live and this thread's.
        unsafe { raw::pool::name(self.pool.as_ptr()) }
    }

    /// Returns the size of a cell in bytes, without its header.
    ///
    /// ```
    /// assert_eq!(kmem::Pool::<u64>::new(10).cell_size(), 8);
    /// ```
    #[must_use]
    pub fn cell_size(&self) -> usize {
        // SAFETY: [sole] the pool is live.
        unsafe { (*self.pool.as_ptr()).cellsz }
    }

    /// Taints the pool: the bytes of every cell are zeroed when it is freed, and all cells when the pool is dropped.
    ///
    /// ```
    /// let mut keys = kmem::Pool::<[u8; 32]>::new(10);
    /// keys.taint();
    /// ```
    #[cfg(feature = "shred")]
    pub fn taint(&mut self) {
        // SAFETY: [sole] the pool is live.
        unsafe { (*self.pool.as_ptr()).cell.taint() }
    }
}

impl<S> Drop for Destroys<S> {
    fn drop(&mut self) {
        // SAFETY: [outlives, typed] owners of cells borrow the pool, and nothing that was allocated from it is used any more, so no cell is
        // in use. Forgotten values are dropped: what their destructors use is alive, because the pool owns values of `T` for the compiler.
        // The source, buffer or node is alive: what `S` borrows outlives a type that has a `Drop`.
        unsafe { raw::pool::x(self.pool.as_ptr()) }
    }
}

impl<T: ?Sized, S> fmt::Debug for Pool<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.name())
            .field("cell_size", &self.cell_size())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

// SAFETY: [drawn, outlives] cells stay in place when the pool moves. The block is freed when the pool is dropped. If the pool was forgotten,
// the block stays as long as what `S` borrows.
unsafe impl<S> Source for Pool<[u8], S> {
    #[inline]
    fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.alloc_cell(&raw::Request { align: layout.align(), ..raw::Request::new(layout.size()) })
    }

    #[inline]
    unsafe fn give_back(&self, block: NonNull<u8>, _: Layout) {
        // SAFETY: [caller] the caller returns the data of a live cell of this pool.
        unsafe { raw::pool::f(block.as_ptr()) }
    }

    unsafe fn resize_in_place(&self, block: NonNull<u8>, layout: Layout, size: usize) -> bool {
        // SAFETY: [caller] the caller has the data of a live cell of this pool.
        unsafe { raw::pool::resize_in_place(block.as_ptr(), layout.size(), size) }
    }

    fn shreds(&self) -> bool {
        // SAFETY: [outlives] the pool is live, and so are the sources below it.
        unsafe { raw::shreds(self.pool.as_ptr().cast()) }
    }
}

// SAFETY: [outlives, threads] the reference keeps the pool in place and alive for its lifetime. `Pool` is not `Sync`, so the reference is
// not `Send`, nor are the owners of cells that are allocated through it.
unsafe impl<S> CellSource for &Pool<[u8], S> {
    #[inline]
    fn as_cell(&self) -> *mut raw::Cell {
        self.pool.as_ptr().cast()
    }
}
