//! Scopes of an arena.

use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::fill::Store;
use crate::error::{AllocError, Refused};
use crate::fault::call;
use crate::raw::arena::{Mark, bare, scope};
use crate::source::{CellSource, Source};
use crate::{emplace, raw};

/// A scope of an [`Arena`](crate::Arena), or all of it: allocates objects that live for `'s`. Values that the scope drops outlive `'e`.
///
/// An inner scope borrows the outer one mutably. So a collection of the outer scope cannot grow in the inner one, and objects of the
/// outer scope can be used there.
///
/// ```
/// let mut arena = kmem::Arena::new();
/// arena.scope(|outer| {
///     let total = outer.alloc(0);
///     for line in ["1 2", "3"] {
///         outer.scope(|inner| {
///             let words = inner.alloc_iter(line.split(' '));
///             *total += words.len();
///         });
///     }
///     assert_eq!(*total, 3);
/// });
/// ```
pub struct ArenaScope<'s, 'e: 's> {
    arena: NonNull<raw::Arena>,
    lives: PhantomData<&'s ()>,
    /// Contravariant, so that no value of a shorter life is dropped.
    drops: PhantomData<fn(&'e ())>,
}

impl<'s, 'e> ArenaScope<'s, 'e> {
    /// # Safety
    /// The arena is live and belongs to this thread for `'s`. For as long, nothing else begins or ends a scope of it. What lives for `'e`
    /// is alive when the objects are freed.
    pub(super) unsafe fn new(arena: NonNull<raw::Arena>) -> Self {
        ArenaScope { arena, lives: PhantomData, drops: PhantomData }
    }

    /// Begins a scope, runs `body`, and frees everything that was allocated in the scope, the newest value first. The memory stays with
    /// the arena for the next scope.
    ///
    /// The scope also ends if `body` panics. If a destructor panics, the others still run, and then the panic continues.
    ///
    /// ```
    /// let mut arena = kmem::Arena::new();
    /// arena.scope(|outer| {
    ///     let kept = outer.alloc(1);
    ///     outer.scope(|inner| *kept += *inner.alloc(2));
    ///     assert_eq!(*kept, 3);
    /// });
    /// ```
    #[inline]
    pub fn scope<'i, R>(&mut self, body: impl for<'t> FnOnce(&mut ArenaScope<'t, 'i>) -> R) -> R {
        // SAFETY: [outlives, one-thread] the scope is open, and borrowed mutably.
        unsafe { within(self.arena, body) }
    }
}

/// Runs `body` in a new scope.
///
/// # Safety
/// The arena is live and belongs to this thread. Nothing else uses it before the scope ends.
#[inline]
pub(super) unsafe fn within<'i, R>(
    arena: NonNull<raw::Arena>,
    body: impl for<'t> FnOnce(&mut ArenaScope<'t, 'i>) -> R,
) -> R {
    struct End(NonNull<raw::Arena>, Mark);
    impl Drop for End {
        #[inline]
        fn drop(&mut self) {
            // SAFETY: [guard, outlives] this is the innermost scope: those that were begun in it have ended. The references to its
            // objects have a lifetime that `body` could not name outside.
            unsafe { scope::leave(call!(c"kmarenae"), self.0.as_ptr(), &self.1) }
        }
    }
    // SAFETY: [caller] the contract is the caller's. `'i` outlives this call, in which the scope ends.
    unsafe {
        let _end = End(arena, scope::enter_scope(arena.as_ptr()));
        body(&mut ArenaScope::new(arena))
    }
}

allocates! {
    ['s, 'e] ArenaScope<'s, 'e>, ['s], 'e,
    "let mut arena = kmem::Arena::new();\narena.scope(|arena| {", "});\n"
}

impl fmt::Debug for ArenaScope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArenaScope").finish_non_exhaustive()
    }
}
