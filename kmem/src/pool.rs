//! Pools and the owners of their cells.

use core::alloc::Layout;
use core::ffi::CStr;
use core::fmt;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr::NonNull;

use crate::cell::Kind;
use crate::emplace;
use crate::error::{AllocError, Refused};
use crate::raw;
use crate::raw::pool::{Spec, in_buffer_size};
use crate::source::{CellSource, Heap, Source};

/// A pool of cells for values of `T`, or with the default `[u8]` a pool of equal runs of bytes.
///
/// Cells are handed out through a shared borrow and given back by their owners, both in constant time. The cell that came
/// back last is the next to be handed out, then others near it; what was freed in random order comes out in runs of
/// neighbours. A cell takes its value's size rounded up to 16 bytes, and 16 bytes of header; the pool takes another 16
/// bytes for every 64 cells. The pool borrows its source `S` and its cells borrow the pool, so none can die before those
/// that need it.
///
/// A fixed pool has all its cells from the start, in one block; a growing one draws further blocks, each of twice the
/// cells of the one before up to 64 MiB. Making either touches none of the cells.
///
/// A pool of bytes is a [`Source`], and `&Pool` one that [`Ref`](crate::Ref), [`Tree`](crate::Tree) and further pools
/// can be drawn from.
///
/// A pool belongs to one thread at a time: it may move to another where its values and its source may.
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
    pool: NonNull<raw::Pool>,
    /// Owns values and source, and is invariant in `T`: a value of a shorter life must not be put among the others.
    owns: PhantomData<(S, *mut T)>,
    drops: PhantomData<T>,
}

// SAFETY: [threads] owners of cells borrow the pool, so a pool that moves has none, and the pool moves whole. What was
// drawn from a pool that is itself the source of a collection moves with it, for the collection owns both. Values that
// were forgotten in it may be dropped where it goes, hence `T: Send`, and its block goes back to the source there.
unsafe impl<T: ?Sized + Send, S: Send> Send for Pool<T, S> {}

/// The source of a pool inside a buffer of the caller's, which it borrows.
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

/// The source of a pool that is a child of a tree node, which it borrows.
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

/// A pool of cells for `T` as the engine is told of it.
fn spec_of<T>(cells: usize) -> Spec {
    Spec { align: align_of::<T>(), drop: emplace::destructor::<T>(), ..Spec::new(size_of::<T>(), cells) }
}

#[cfg(feature = "heap")]
impl<T> Pool<T> {
    /// A pool of `cells` cells on the heap.
    ///
    /// # Panics
    /// Where [`try_new_in`](Pool::try_new_in) fails.
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

    /// A pool on the heap that grows, whose first block has 64 cells.
    ///
    /// # Panics
    /// Where [`try_growing_in`](Pool::try_growing_in) fails.
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
    /// A pool of `cells` cells drawn from `source`.
    ///
    /// # Errors
    /// As [`AllocError`] says.
    ///
    /// ```
    /// use kmem::{Heap, Pool};
    /// assert!(Pool::<u64, _>::try_new_in(usize::MAX, Heap).is_err());
    /// ```
    pub fn try_new_in(cells: usize, source: S) -> Result<Self, AllocError> {
        // SAFETY: [typed] the destructor is that of the values that `alloc` puts into the cells.
        unsafe { Self::init(&source, &spec_of::<T>(cells)) }
    }

    /// A pool drawn from `source` that grows, whose first block has `cells` cells.
    ///
    /// # Errors
    /// As [`AllocError`] says.
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
    /// A pool inside a buffer, on the stack or static, with as many cells as fit. It never calls the heap.
    ///
    /// [`buffer_size`](Pool::buffer_size) gives the bytes that a number of cells needs.
    ///
    /// # Errors
    /// [`AllocError::Size`] where not even one cell fits.
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
        // SAFETY: [typed] the destructor is that of the values that `alloc` puts into the cells.
        unsafe { Self::init_in_buffer(buffer, &spec_of::<T>(0)) }
    }

    /// Bytes of buffer that [`in_buffer`](Pool::in_buffer) needs for `cells` cells, wherever the buffer starts.
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
    /// A pool on the heap of `cells` cells of `size` bytes, aligned to 16.
    ///
    /// # Panics
    /// Where [`try_bytes_in`](Pool::try_bytes_in) fails.
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

    /// A pool on the heap of cells of `size` bytes, aligned to 16, that grows, and whose first block has 64 cells.
    ///
    /// # Panics
    /// Where [`try_growing_bytes_in`](Pool::try_growing_bytes_in) fails.
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
    /// A pool drawn from `source` of `cells` cells of `size` bytes, aligned to 16.
    ///
    /// # Errors
    /// As [`AllocError`] says.
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

    /// A pool drawn from `source` of cells of `size` bytes, aligned to 16, that grows, and whose first block has
    /// `cells` cells.
    ///
    /// # Errors
    /// As [`AllocError`] says.
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
    /// A pool of bytes inside a buffer, on the stack or static, with as many cells of `size` bytes, aligned to 16, as
    /// fit. It never calls the heap.
    ///
    /// # Errors
    /// [`AllocError::Size`] where not even one cell fits.
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
    /// The specification's destructor suits whatever is put into the cells.
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
    /// A pool of `cells` cells that is a child of the node.
    ///
    /// # Safety
    /// `node` is a live node that stays so for `'t`, on this thread.
    pub(crate) unsafe fn in_node(node: NonNull<raw::Node>, cells: usize) -> Result<Self, AllocError> {
        // SAFETY: [caller, typed] the caller vouches for the node; the destructor is that of the values that `alloc`
        // puts into the cells. Where the pool is forgotten, it runs when the node goes: values are `'static` and `Send`
        // for that.
        unsafe { raw::pool::init(node.as_ptr().cast(), &spec_of::<T>(cells)).map(|pool| Self::own(pool)) }
    }
}

impl<T, S> Pool<T, S> {
    /// Moves a value into a cell.
    ///
    /// # Panics
    /// Where [`try_alloc`](Pool::try_alloc) fails.
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
    /// Gives the value back where all cells are taken and the pool cannot grow.
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
    /// The values that are in the pool although nobody owns them any more: [leaked](PoolBox::leak), or forgotten. In the order
    /// of the pool's blocks and of the addresses in each.
    ///
    /// So a pool serves as an arena whose values can be walked. What C was given of it is among them, and must not be
    /// touched meanwhile. Values that may have been pinned are not given out.
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
        // SAFETY: [one-thread, outlives] the pool is live and this thread's, and borrowed as long as the walk is used.
        PoolIterMut { walk: unsafe { raw::pool::walk(self.pool.as_ptr()) }, values: PhantomData }
    }
}

/// The values in a pool that nobody owns: see [`Pool::iter_mut`].
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
        // SAFETY: [sole, typed, provenance] a pool of sized values is no source for others, so that each live cell holds a `T`. The
        // pool is borrowed mutably for `'p`, and owners of its cells borrow it: there is none, nor is a cell given twice or
        // freed meanwhile. The pointer is derived from that to the pool's block.
        self.walk.next().map(|data| unsafe { &mut *data.cast::<T>() })
    }
}

impl<T> core::iter::FusedIterator for PoolIterMut<'_, T> {}

impl<S> Pool<[u8], S> {
    fn draw(&self, request: &raw::Request) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: [one-thread, typed] the pool is this thread's, and has no destructor.
        unsafe { raw::pool::alloc(self.pool.as_ptr(), request) }
    }

    /// Copies a slice into a cell.
    ///
    /// # Errors
    /// [`AllocError::Size`] or [`AllocError::Align`] where the cells are not made for it, [`AllocError::Exhausted`]
    /// where all are taken.
    ///
    /// ```
    /// let pool = kmem::Pool::bytes(16, 1);
    /// assert!(pool.try_alloc_copy(&[0u64; 3]).is_err());
    /// assert_eq!(*pool.try_alloc_copy(&[1u64, 2])?, [1, 2]);
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_alloc_copy<T: Copy>(&self, values: &[T]) -> Result<PoolBox<'_, [T]>, AllocError> {
        // SAFETY: [fresh, sole] `draw` makes a cell of this pool as it is asked, and this is its only owner.
        unsafe { emplace::copy(values, |request| self.draw(request)).map(|data| PoolBox::own(data)) }
    }

    /// Copies a string into a cell.
    ///
    /// # Errors
    /// As for [`try_alloc_copy`](Pool::try_alloc_copy).
    ///
    /// ```
    /// let pool = kmem::Pool::bytes(16, 1);
    /// assert_eq!(&*pool.try_alloc_str("text")?, "text");
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn try_alloc_str(&self, text: &str) -> Result<PoolBox<'_, str>, AllocError> {
        // SAFETY: [fresh, sole] `draw` makes a cell of this pool as it is asked, and this is its only owner.
        unsafe { emplace::str(text, |request| self.draw(request)).map(|data| PoolBox::own(data)) }
    }
}

impl<T: ?Sized, S> Pool<T, S> {
    /// # Safety
    /// `pool` is a live pool whose source and destructor suit the type, and nothing else owns it.
    unsafe fn own(pool: NonNull<raw::Pool>) -> Self {
        Pool { pool, owns: PhantomData, drops: PhantomData }
    }

    /// The number of cells that the pool has now, taken or not.
    ///
    /// ```
    /// assert_eq!(kmem::Pool::<u8>::new(10).capacity(), 10);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        // SAFETY: [one-thread] the pool is live and this thread's.
        unsafe { raw::pool::capacity(self.pool.as_ptr()) }
    }

    /// The number of cells taken now, counted by looking at every cell that ever was.
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

    /// The most cells that were ever taken at once. It costs nothing to keep and nothing to ask for.
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

    /// What the pool holds, as a line of text and a line with the total. See [`raw::report`] for what it says.
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

    /// What the pool holds, as JSON: what the command `kmem-view` draws. See [`raw::report`] for the format.
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

    /// Gives the pool a name for reports, whichever way it was made.
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

    /// The name that the pool was [given](Pool::named), if any.
    ///
    /// ```
    /// assert_eq!(kmem::Pool::<u64>::new(10).name(), None);
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&'static CStr> {
        // SAFETY: [one-thread] the pool is live and this thread's.
        unsafe { raw::pool::name(self.pool.as_ptr()) }
    }

    /// The bytes that each cell holds.
    ///
    /// ```
    /// assert_eq!(kmem::Pool::<u64>::new(10).cell_size(), 8);
    /// ```
    #[must_use]
    pub fn cell_size(&self) -> usize {
        // SAFETY: [sole] the pool is live.
        unsafe { (*self.pool.as_ptr()).cellsz }
    }

    /// Marks the pool, so that the bytes of every cell are zeroed when it goes back, and all of them when the pool goes.
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

impl<T: ?Sized, S> Drop for Pool<T, S> {
    fn drop(&mut self) {
        // SAFETY: [outlives, typed] owners of cells borrow the pool, and what was drawn from it as a source is not used
        // after it, so no cell is in use; values that were forgotten in it are dropped. The source, buffer or node is
        // alive: what `T` and `S` borrow outlives a type that has a `Drop`.
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

// SAFETY: [drawn, outlives] cells stay in place when the pool moves, and the block goes when the pool is dropped or,
// where it was forgotten, not before what `S` borrows.
unsafe impl<S> Source for Pool<[u8], S> {
    #[inline]
    fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        Pool::draw(self, &raw::Request { align: layout.align(), ..raw::Request::new(layout.size()) })
    }

    #[inline]
    unsafe fn give_back(&self, block: NonNull<u8>, _: Layout) {
        // SAFETY: [caller] the caller gives back the data of a live cell of this pool.
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

// SAFETY: [outlives, threads] the reference keeps the pool in place and alive for its lifetime; `Pool` is not `Sync`,
// so the reference is not `Send`, nor is what is drawn through it.
unsafe impl<S> CellSource for &Pool<[u8], S> {
    #[inline]
    fn as_cell(&self) -> *mut raw::Cell {
        self.pool.as_ptr().cast()
    }
}

/// A value in a pool's cell, which goes back to the pool when this is dropped.
///
/// It borrows the pool, and stays on its thread.
///
/// ```
/// use kmem::{Pool, Ptr};
/// let pool = Pool::new(10);
/// let cell = pool.alloc(String::from("text"));
/// let handle: Ptr<'_, String> = cell.into();
/// assert_eq!(*handle, "text");
/// ```
pub struct PoolBox<'p, T: ?Sized> {
    data: NonNull<T>,
    /// Invariant in `T`: where this is forgotten the pool drops the value, as the type that it was allocated with.
    owns: PhantomData<(&'p (), *mut T)>,
    drops: PhantomData<T>,
}

// SAFETY: [threads] sharing the owner shares the value and nothing else: the pool is touched only where the owner is
// dropped.
unsafe impl<T: ?Sized + Sync> Sync for PoolBox<'_, T> {}

impl<'p, T: ?Sized> PoolBox<'p, T> {
    /// # Safety
    /// `data` is that of a live cell with this value, which its pool drops, of a pool that is borrowed for `'p`, and nothing
    /// else owns it.
    pub(crate) unsafe fn own(data: NonNull<T>) -> Self {
        PoolBox { data, owns: PhantomData, drops: PhantomData }
    }

    /// The handle on the cell, which the engine knows it by.
    fn handle(&self) -> raw::Handle {
        // SAFETY: [sole] the owner has a live cell, whose header no other thread writes while this one may read it.
        unsafe { raw::ptr::handle_of(Kind::Pool, self.data.as_ptr().cast()) }
    }

    pub(crate) fn into_non_null(self) -> NonNull<T> {
        ManuallyDrop::new(self).data
    }

    /// Leaves the value in its cell for as long as the pool is borrowed. It is dropped with the pool.
    ///
    /// ```
    /// let pool = kmem::Pool::new(10);
    /// let number: &mut i32 = pool.alloc(7).leak();
    /// *number += 1;
    /// ```
    pub fn leak(self) -> &'p mut T {
        // SAFETY: [sole, outlives] the cell stays live, and ours alone, until the pool is dropped, which it cannot be
        // during `'p`.
        unsafe { self.into_non_null().as_mut() }
    }

    /// Drops the value, zeroes the cell and gives it back.
    ///
    /// ```
    /// let pool = kmem::Pool::new(10);
    /// pool.alloc(*b"secret").shred();
    /// ```
    #[cfg(feature = "shred")]
    pub fn shred(self) {
        // SAFETY: [sole] this is the cell's only owner.
        unsafe { raw::pool::s(self.into_non_null().as_ptr().cast()) }
    }
}

impl<T> PoolBox<'_, T> {
    /// Moves the value out and gives the cell back.
    ///
    /// ```
    /// let pool = kmem::Pool::new(10);
    /// assert_eq!(pool.alloc(String::from("out")).into_inner(), "out");
    /// ```
    pub fn into_inner(self) -> T {
        let data = self.into_non_null();
        // SAFETY: [sole, slot] the cell is live and ours alone. Its value is moved out before the cell goes, without a
        // destructor.
        unsafe {
            let value = data.read();
            raw::pool::free_without_drop(data.as_ptr().cast());
            value
        }
    }
}

impl<T: ?Sized> Drop for PoolBox<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: [sole, outlives] this is the cell's only owner, on the pool's thread. Where the values need a
        // destructor, the pool carries it. The pool is alive: its borrow outlives an owner that has a `Drop`.
        unsafe { raw::pool::f(self.data.as_ptr().cast()) }
    }
}

smart_pointer!([T: ?Sized] PoolBox<'_, T> => T);
taints!([T: ?Sized] PoolBox<'_, T>, Kind::Pool, self: (&mut self),
    "let keys = Pool::<[u8; 32]>::new(10);\nkeys.alloc([7; 32]).taint(); // the other cells are not tainted");
unsizable!(['p, T: ?Sized] PoolBox<'p, T> => PoolBox<'p, U>);
sole_owner!([T: ?Sized] PoolBox<'_, T> => T);
