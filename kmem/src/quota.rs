//! The number of bytes that a limit counts: taken and returned by any thread, never more than a maximum.
//!
//! An atomic addition takes longer than the rest of an allocation. So the first thread that takes bytes is the *owner* of the quota: it
//! sets aside some bytes, its *spare*, takes from them and returns to them without such instructions. Other threads count the spare
//! as taken. No operation orders accesses to other memory, so each is relaxed.

use crate::atomic::{AtomicUsize, Ordering::Relaxed};
use crate::os;

/// The most bytes that the owner sets aside at once. It returns all but these if it has twice as many.
const MOST_SPARE: usize = 4096;

/// The number of no thread: there is no owner yet.
const NOBODY: usize = 1;

/// Bytes in use, and the most that may be in use at once.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Quota {
    /// The most bytes in use at once.
    max: AtomicUsize,
    /// The bytes in use, and the spare of the owner.
    taken: AtomicUsize,
    /// The bytes that the owner has set aside. Only the owner writes it.
    spare: AtomicUsize,
    /// The number of the owner, or [`NOBODY`].
    owner: AtomicUsize,
    /// The bytes that the owner may set aside at once.
    step: AtomicUsize,
    /// The most bytes in use before any return so far. Bytes in use only fall at a return.
    peak: AtomicUsize,
    /// Requests that were refused.
    refused: AtomicUsize,
}

/// The state of a limit, in bytes (`kmlimitcount` in C).
/// Exhaustive: C code relies on the layout.
///
/// ```
/// use kmem::raw::{limit, refs};
/// unsafe {
///     let limit = limit::init(std::ptr::null_mut(), 1000)?.as_ptr();
///     refs::f(refs::a(limit.cast(), 100));
///     let count = limit::q(limit);
///     assert_eq!((count.used, count.peak, count.max, count.refused), (0, 132, 1000, 0));
///     limit::x(limit);
/// }
/// # Ok::<(), kmem::AllocError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct LimitCount {
    /// Bytes in use, headers included.
    pub used: usize,
    /// Peak of `used`.
    pub peak: usize,
    /// The limit: the most bytes in use at once.
    pub max: usize,
    /// Requests that the limit refused.
    pub refused: usize,
}

impl Quota {
    pub(crate) const fn new(max: usize) -> Quota {
        Quota {
            max: AtomicUsize::new(max),
            taken: AtomicUsize::new(0),
            spare: AtomicUsize::new(0),
            owner: AtomicUsize::new(NOBODY),
            step: AtomicUsize::new(Quota::step_of(max)),
            peak: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        }
    }

    /// Returns a sixteenth of the maximum, and at most [`MOST_SPARE`]. Other threads may be refused twice these bytes.
    const fn step_of(max: usize) -> usize {
        if max / 16 < MOST_SPARE { max / 16 } else { MOST_SPARE }
    }

    pub(crate) fn set_max(&self, max: usize) {
        self.max.store(max, Relaxed);
        self.step.store(Quota::step_of(max), Relaxed);
    }

    /// Returns true if this thread is the owner.
    #[inline(always)]
    fn is_mine(&self) -> bool {
        self.owner.load(Relaxed) == os::thread()
    }

    /// Makes this thread the owner if nobody is. Returns true if it is the owner.
    fn become_owner(&self) -> bool {
        let me = os::thread();
        me != 0
            && match self.owner.load(Relaxed) {
                NOBODY => self.owner.compare_exchange(NOBODY, me, Relaxed, Relaxed).is_ok(),
                owner => owner == me,
            }
    }

    /// Takes bytes from the spare of this thread. Returns false, and changes nothing, if only [`take`](Quota::take) can decide.
    #[inline(always)]
    pub(crate) fn take_spare(&self, size: usize) -> bool {
        let spare = self.spare.load(Relaxed);
        // The maximum may be lower than it was when the bytes were set aside.
        let used = self.taken.load(Relaxed).wrapping_sub(spare);
        let takes = spare >= size && used.wrapping_add(size) <= self.max.load(Relaxed) && self.is_mine();
        if takes {
            self.spare.store(spare - size, Relaxed);
        }
        takes
    }

    /// Takes bytes. Returns false, and changes nothing, if more than the maximum would be in use.
    pub(crate) fn take(&self, size: usize) -> bool {
        if self.take_spare(size) {
            return true;
        }
        let mine = self.become_owner();
        let spare = if mine { self.spare.load(Relaxed) } else { 0 };
        let mut taken = self.taken.load(Relaxed);
        loop {
            let used = taken.wrapping_sub(spare);
            let room = self.max.load(Relaxed).checked_sub(used).and_then(|room| room.checked_sub(size));
            let Some(room) = room else { return false };
            let rest = if mine { self.step.load(Relaxed).min(room) } else { 0 };
            match self.taken.compare_exchange(taken, used + size + rest, Relaxed, Relaxed) {
                Ok(_) => {
                    if mine {
                        self.spare.store(rest, Relaxed);
                    }
                    return true;
                }
                Err(now) => taken = now,
            }
        }
    }

    /// Returns bytes.
    #[inline(never)]
    pub(crate) fn give(&self, size: usize) {
        self.give_fast(size);
    }

    /// [`give`](Quota::give), in line.
    #[inline(always)]
    pub(crate) fn give_fast(&self, size: usize) {
        if self.is_mine() {
            self.saw(self.taken.load(Relaxed).wrapping_sub(self.spare.load(Relaxed)));
            self.put_aside(size);
        } else {
            self.give_shared(size);
        }
    }

    #[cold]
    fn give_shared(&self, size: usize) {
        // The owner may change its spare meanwhile.
        self.saw(self.taken.fetch_sub(size, Relaxed).saturating_sub(self.spare.load(Relaxed)));
    }

    /// Returns bytes that were taken for a request that failed. The peak stays.
    #[cold]
    pub(crate) fn give_unused(&self, size: usize) {
        if self.is_mine() {
            self.put_aside(size);
        } else {
            self.taken.fetch_sub(size, Relaxed);
        }
    }

    /// Adds returned bytes to the spare of the owner, which is this thread.
    #[inline(always)]
    fn put_aside(&self, size: usize) {
        let step = self.step.load(Relaxed);
        let mut spare = self.spare.load(Relaxed).wrapping_add(size);
        if spare > 2 * step {
            self.taken.fetch_sub(spare - step, Relaxed);
            spare = step;
        }
        self.spare.store(spare, Relaxed);
    }

    #[inline(always)]
    fn saw(&self, used: usize) {
        if used > self.peak.load(Relaxed) {
            self.peak.fetch_max(used, Relaxed);
        }
    }

    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// Returns the bytes in use. If other threads take and return bytes meanwhile, the number may be too small by the spare.
    pub(crate) fn used(&self) -> usize {
        self.taken.load(Relaxed).saturating_sub(self.spare.load(Relaxed))
    }

    /// Returns the bytes that can be taken at the moment.
    pub(crate) fn room(&self) -> usize {
        self.max.load(Relaxed).saturating_sub(self.used())
    }

    pub(crate) fn count(&self) -> LimitCount {
        let used = self.used();
        let peak = self.peak.load(Relaxed).max(used);
        LimitCount { used, peak, max: self.max.load(Relaxed), refused: self.refused.load(Relaxed) }
    }
}
