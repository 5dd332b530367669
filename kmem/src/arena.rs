//! Arenas: values of any size, freed together.

mod fill;
#[macro_use]
mod methods;
mod scope;

use core::alloc::Layout;
use core::ffi::CStr;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use crate::error::{AllocError, Refused};
use crate::raw::arena::{Count, Mark, Spec, bare};
use crate::source::{Buffer, CellSource, Heap, Source};
use crate::{emplace, raw};
use fill::Store;

pub use scope::ArenaScope;

/// An arena: values of any size, one behind the other, freed together.
///
/// [`alloc`](Arena::alloc) returns a reference to a value that lives as long as the arena is borrowed. Such a value has no header and
/// no destructor. [`own`](Arena::own) also takes values with a destructor, which the arena runs. A [`scope`](Arena::scope) frees what was
/// allocated in it, and keeps the memory for the next one.
///
/// Values may refer to each other, also in a circle.
///
/// A `&Arena` is a [`Source`]: [`Ref`](crate::Ref), [`Tree`](crate::Tree), [`Pool`](crate::Pool), collections and further arenas can be
/// allocated from it. An object that is freed alone gives its memory back: the newest one at once, others to the next objects of their
/// size. The newest object is resized in place.
///
/// The arena allocates blocks from its source `S`, each twice as large as the one before, up to 1 MiB. Values that the arena drops outlive
/// `'d`. An arena is used by one thread at a time. It is `Send` if its source is.
///
/// ```
/// use kmem::Arena;
/// use std::cell::Cell;
///
/// struct Node<'a> {
///     name: &'a str,
///     next: Cell<Option<&'a Node<'a>>>,
/// }
/// let arena = Arena::new();
/// let one = arena.alloc(Node { name: arena.alloc_str("one"), next: Cell::new(None) });
/// let two = arena.alloc(Node { name: "two", next: Cell::new(Some(one)) });
/// one.next.set(Some(two));
/// assert_eq!(two.next.get().unwrap().next.get().unwrap().name, "two");
/// ```
///
/// ```compile_fail,E0505
/// let arena = kmem::Arena::new();
/// let value = arena.alloc(7);
/// drop(arena);
/// println!("{value}");
/// ```
pub struct Arena<'d, S = Heap> {
    arena: NonNull<raw::Arena>,
    owns: PhantomData<S>,
    /// Contravariant, so that no value of a shorter life is dropped.
    drops: PhantomData<fn(&'d ())>,
}

// SAFETY: [threads] what is allocated from an arena borrows it, so an arena that moves has no users, and it moves whole. A collection that
// owns an arena as its source moves together with it. Values that are dropped on the other thread are `Send`, and the blocks are freed
// there.
unsafe impl<S: Send> Send for Arena<'_, S> {}

#[cfg(feature = "heap")]
impl Arena<'_> {
    /// Makes an arena on the heap. Its first block has about 4,000 bytes.
    ///
    /// # Panics
    /// Panics if [`try_new_in`](Arena::try_new_in) would fail.
    ///
    /// ```
    /// let arena = kmem::Arena::new();
    /// assert_eq!(*arena.alloc(7), 7);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        emplace::made(Self::try_new_in(Heap, 0))
    }

    /// Makes an arena on the heap with a first block of at least `first` bytes, of which the arena uses a few hundred.
    ///
    /// # Panics
    /// Panics if [`try_new_in`](Arena::try_new_in) would fail.
    ///
    /// ```
    /// let arena = kmem::Arena::with_capacity(100_000);
    /// arena.alloc_slice_fill_with(10_000, |_| 0u64);
    /// assert_eq!(arena.count().blocks, 1);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn with_capacity(first: usize) -> Self {
        emplace::made(Self::try_new_in(Heap, first))
    }
}

#[cfg(feature = "heap")]
impl Default for Arena<'_> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<S: CellSource> Arena<'_, S> {
    /// Makes an arena with blocks from a source. The first has at least `first` bytes, or about 4,000 if that is zero.
    ///
    /// # Panics
    /// Panics if [`try_new_in`](Arena::try_new_in) would fail.
    ///
    /// ```
    /// use kmem::Arena;
    /// let outer = Arena::new();
    /// let inner = Arena::new_in(&outer, 1000);
    /// assert_eq!(*inner.alloc(7), 7);
    /// ```
    #[track_caller]
    pub fn new_in(source: S, first: usize) -> Self {
        emplace::made(Self::try_new_in(source, first))
    }

    /// Makes an arena with blocks from a source.
    ///
    /// # Errors
    /// Returns [`AllocError::Exhausted`] if the source has no memory left, [`AllocError::Overflow`] if the size overflows, and
    /// [`AllocError::Size`] if the source cannot serve such a block.
    ///
    /// ```
    /// use kmem::{Arena, Heap};
    /// assert!(Arena::try_new_in(Heap, usize::MAX).is_err());
    /// ```
    pub fn try_new_in(source: S, first: usize) -> Result<Self, AllocError> {
        // SAFETY: [outlives] a `CellSource` outlives its type's lifetime, which bounds the arena.
        unsafe { raw::arena::init(source.as_cell(), &Spec::new(first)).map(|arena| Self::own_raw(arena)) }
    }
}

impl<'b> Arena<'_, Buffer<'b>> {
    /// Bytes of a buffer that the arena itself uses, at most.
    ///
    /// ```
    /// use kmem::{Arena, Buffer};
    /// assert!(Arena::<Buffer<'_>>::OVERHEAD < 600);
    /// ```
    pub const OVERHEAD: usize = raw::arena::OVERHEAD;

    /// Makes an arena in a buffer. It never allocates from elsewhere.
    ///
    /// # Errors
    /// Returns [`AllocError::Size`] if the buffer has less than [`OVERHEAD`](Self::OVERHEAD) bytes.
    ///
    /// ```
    /// use kmem::Arena;
    /// use std::mem::MaybeUninit;
    /// let mut buffer = [MaybeUninit::uninit(); 1024];
    /// let arena = Arena::in_buffer(&mut buffer)?;
    /// assert_eq!(*arena.alloc(7), 7);
    /// assert!(arena.try_alloc([0u8; 1000]).is_err());
    /// # Ok::<(), kmem::AllocError>(())
    /// ```
    pub fn in_buffer(buffer: &'b mut [MaybeUninit<u8>]) -> Result<Self, AllocError> {
        // SAFETY: [outlives] the arena borrows the buffer for as long as it lives.
        unsafe {
            raw::arena::init_in_buffer(buffer.as_mut_ptr().cast(), buffer.len(), &Spec::new(0))
                .map(|arena| Self::own_raw(arena))
        }
    }
}

impl<'d, S> Arena<'d, S> {
    /// # Safety
    /// `arena` is a live arena whose source suits the type, and nothing else owns it.
    unsafe fn own_raw(arena: NonNull<raw::Arena>) -> Self {
        Arena { arena, owns: PhantomData, drops: PhantomData }
    }

    /// Begins a scope, runs `body`, and frees everything that was allocated in the scope, the newest value first. The memory stays with
    /// the arena for the next scope.
    ///
    /// References to objects that were allocated from the arena before cannot be used in the scope. Those of an outer scope can: see
    /// [`ArenaScope`]. The scope also ends if `body` panics. If a destructor panics, the others still run, and then the panic continues.
    ///
    /// ```
    /// let mut arena = kmem::Arena::new();
    /// for request in ["GET /", "GET /index"] {
    ///     arena.scope(|scope| {
    ///         let words = scope.alloc_iter(request.split(' '));
    ///         assert_eq!(words[0], "GET");
    ///     });
    /// }
    /// assert_eq!(arena.count().used, 0);
    /// ```
    ///
    /// ```compile_fail
    /// let mut arena = kmem::Arena::new();
    /// let escaped = arena.scope(|scope| scope.alloc(7));
    /// ```
    #[inline]
    pub fn scope<'i, R>(&mut self, body: impl for<'t> FnOnce(&mut ArenaScope<'t, 'i>) -> R) -> R {
        // SAFETY: [sole, one-thread] the arena is borrowed mutably.
        unsafe { scope::within(self.arena, body) }
    }

    /// Returns the whole arena as the outermost scope. Inner scopes can be begun while its objects are in use.
    ///
    /// ```
    /// let mut arena = kmem::Arena::new();
    /// let mut outer = arena.as_scope();
    /// let total = outer.alloc(0);
    /// outer.scope(|inner| *total += *inner.alloc(7));
    /// assert_eq!(*total, 7);
    /// ```
    #[must_use]
    pub fn as_scope(&mut self) -> ArenaScope<'_, 'd> {
        // SAFETY: [sole, one-thread] the arena is borrowed mutably as long as the scope is used.
        unsafe { ArenaScope::new(self.arena) }
    }

    /// Frees everything that was allocated from the arena, the newest value first. The memory stays with the arena.
    ///
    /// If a destructor panics, the others still run, and then the panic continues.
    ///
    /// ```
    /// let mut arena = kmem::Arena::new();
    /// arena.own(String::from("text"));
    /// arena.reset();
    /// assert_eq!(arena.count().used, 0);
    /// ```
    pub fn reset(&mut self) {
        // SAFETY: [sole, outlives] what is allocated from the arena borrows it. No scope is open.
        unsafe { raw::arena::e(self.arena.as_ptr(), &Mark::START) }
    }

    /// Counts the memory of the arena.
    ///
    /// ```
    /// let arena = kmem::Arena::new();
    /// arena.alloc([0u8; 100]);
    /// assert_eq!(arena.count().used, 100);
    /// ```
    #[must_use]
    pub fn count(&self) -> Count {
        // SAFETY: [one-thread] the arena is live and this thread's.
        unsafe { raw::arena::count(self.arena.as_ptr()) }
    }

    /// Names the arena, for reports.
    ///
    /// ```
    /// let arena = kmem::Arena::new().named(c"requests");
    /// assert_eq!(arena.name(), Some(c"requests"));
    /// ```
    #[must_use]
    pub fn named(self, name: &'static CStr) -> Self {
        // SAFETY: [one-thread, sole] the arena is live and this thread's.
        unsafe { raw::arena::set_name(self.arena.as_ptr(), Some(name)) };
        self
    }

    /// Returns the [name](Arena::named) of the arena, if it has one.
    ///
    /// ```
    /// assert_eq!(kmem::Arena::new().name(), None);
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&'static CStr> {
        // SAFETY: [one-thread] the arena is live and this thread's.
        unsafe { raw::arena::name(self.arena.as_ptr()) }
    }

    /// Taints the arena: all its bytes that were used are zeroed when they are freed, alone or together.
    ///
    /// ```
    /// let mut arena = kmem::Arena::new();
    /// arena.taint();
    /// arena.scope(|scope| {
    ///     scope.alloc(*b"secret");
    /// }); // zeroed
    /// ```
    #[cfg(feature = "shred")]
    pub fn taint(&mut self) {
        // SAFETY: [sole] the arena is live.
        unsafe { (*self.arena.as_ptr()).cell.taint() }
    }
}

allocates! { ['d, S] Arena<'d, S>, [], 'd, "let arena = kmem::Arena::new();", "" }

impl<S> Drop for Arena<'_, S> {
    fn drop(&mut self) {
        // SAFETY: [outlives, watches] what was allocated from the arena borrows it, and is not used any more. The values that it drops
        // outlive `'d`, and the source `S`: what the parameters of a type that has a `Drop` borrow is still alive.
        unsafe { raw::arena::x(self.arena.as_ptr()) }
    }
}

impl<S> fmt::Debug for Arena<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena")
            .field("name", &self.name())
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}
