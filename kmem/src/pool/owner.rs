//! The owner of a pool's cell.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use crate::cell::Kind;
use crate::raw;

/// The owner of a value in a pool's cell. Dropping it drops the value and returns the cell to the pool.
///
/// The owner borrows the pool and stays on its thread.
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
    /// Invariant in `T`: the pool drops a forgotten value, as the type that it was allocated with.
    owns: PhantomData<(&'p (), *mut T)>,
    drops: PhantomData<T>,
}

// SAFETY: [threads] sharing the owner shares the value and nothing else: only dropping the owner touches the pool.
unsafe impl<T: ?Sized + Sync> Sync for PoolBox<'_, T> {}

impl<'p, T: ?Sized> PoolBox<'p, T> {
    /// # Safety
    /// `data` is that of a live cell with this value, which its pool drops. The pool is borrowed for `'p`, and nothing else owns the
    /// cell.
    pub(crate) unsafe fn own(data: NonNull<T>) -> Self {
        PoolBox { data, owns: PhantomData, drops: PhantomData }
    }

    /// Returns the engine's handle on the cell.
    fn handle(&self) -> raw::Handle {
        // SAFETY: [sole] the owner has a live cell. No other thread writes its header while this one may read it.
        unsafe { raw::ptr::handle_of(Kind::Pool, self.data.as_ptr().cast()) }
    }

    pub(crate) fn into_non_null(self) -> NonNull<T> {
        ManuallyDrop::new(self).data
    }

    /// Leaves the value in its cell for as long as the pool is borrowed. The pool drops it.
    ///
    /// ```
    /// let pool = kmem::Pool::new(10);
    /// let number: &mut i32 = pool.alloc(7).leak();
    /// *number += 1;
    /// ```
    pub fn leak(self) -> &'p mut T {
        // SAFETY: [sole, outlives] the cell stays live, and has no other owner, until the pool is dropped. `'p` borrows the pool.
        unsafe { self.into_non_null().as_mut() }
    }

    /// Drops the value, zeroes the cell and returns it to the pool.
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
    /// Moves the value out and returns the cell to the pool.
    ///
    /// ```
    /// let pool = kmem::Pool::new(10);
    /// assert_eq!(pool.alloc(String::from("out")).into_inner(), "out");
    /// ```
    pub fn into_inner(self) -> T {
        let data = self.into_non_null();
        // SAFETY: [sole, slot] the cell is live, and this was its only owner. The cell is freed without the destructor of its value,
        // which is moved out.
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
        // SAFETY: [sole, outlives] this is the cell's only owner, on the pool's thread. The pool has the destructor of its values. It is
        // alive: its borrow outlives an owner that has a `Drop`.
        unsafe { raw::pool::f(self.data.as_ptr().cast()) }
    }
}

smart_pointer!([T: ?Sized] PoolBox<'_, T> => T);
sole_owner!([T: ?Sized] PoolBox<'_, T> => T);
taints!([T: ?Sized] PoolBox<'_, T>, Kind::Pool, self: (&mut self),
    "let keys = Pool::<[u8; 32]>::new(10);\nkeys.alloc([7; 32]).taint(); // the other cells are not tainted");
unsizable!(['p, T: ?Sized] PoolBox<'p, T> => PoolBox<'p, U>);
