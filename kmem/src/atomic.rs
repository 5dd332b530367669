//! The atomics that kmem uses. The models in `races/` replace them with loom's.
//!
//! Some processors can load and store atomically but not read, modify and write: ARMv6-M (Cortex-M0), and RISC-V without the A
//! extension. There a count is changed by a load and a store, and an interrupt or another thread may come between. So counts must
//! not be shared there: [`Ref`](crate::Ref) is neither `Send` nor `Sync`, which keeps it out of interrupt handlers too. The
//! other numbers are not used to order memory accesses.

#[cfg(target_has_atomic = "ptr")]
pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize};

pub(crate) use core::sync::atomic::Ordering;

pub(crate) use crate::raw::sanitizer::{acquired, released};

#[cfg(not(target_has_atomic = "ptr"))]
pub(crate) use by_load_and_store::{AtomicPtr, AtomicU8, AtomicUsize};

#[cfg(any(test, not(target_has_atomic = "ptr")))]
#[allow(dead_code, reason = "every build tests it, and few builds use all of it")]
mod by_load_and_store {
    use core::sync::atomic::{self, Ordering};

    #[allow(unused_imports, reason = "as above")]
    pub(crate) use core::sync::atomic::AtomicU8;

    /// A number with atomic loads and stores only.
    #[derive(Debug)]
    #[allow(unreachable_pub, reason = "it is the type of a public field")]
    pub struct AtomicUsize(atomic::AtomicUsize);

    impl AtomicUsize {
        pub(crate) const fn new(value: usize) -> AtomicUsize {
            AtomicUsize(atomic::AtomicUsize::new(value))
        }

        pub(crate) fn load(&self, order: Ordering) -> usize {
            self.0.load(order)
        }

        pub(crate) fn store(&self, value: usize, order: Ordering) {
            self.0.store(value, order);
        }

        pub(crate) fn compare_exchange(
            &self,
            from: usize,
            to: usize,
            _: Ordering,
            _: Ordering,
        ) -> Result<usize, usize> {
            let value = self.update(|value| if value == from { to } else { value });
            if value == from { Ok(value) } else { Err(value) }
        }

        /// Stores `change(value)` and returns the old value.
        fn update(&self, change: impl FnOnce(usize) -> usize) -> usize {
            let value = self.0.load(Ordering::Acquire);
            self.0.store(change(value), Ordering::Release);
            value
        }

        pub(crate) fn fetch_add(&self, by: usize, _: Ordering) -> usize {
            self.update(|value| value.wrapping_add(by))
        }

        pub(crate) fn fetch_sub(&self, by: usize, _: Ordering) -> usize {
            self.update(|value| value.wrapping_sub(by))
        }

        pub(crate) fn fetch_and(&self, bits: usize, _: Ordering) -> usize {
            self.update(|value| value & bits)
        }

        pub(crate) fn fetch_max(&self, other: usize, _: Ordering) -> usize {
            self.update(|value| value.max(other))
        }
    }

    /// A pointer with atomic loads and stores only.
    #[derive(Debug)]
    pub(crate) struct AtomicPtr<T>(atomic::AtomicPtr<T>);

    impl<T> AtomicPtr<T> {
        pub(crate) const fn new(pointer: *mut T) -> AtomicPtr<T> {
            AtomicPtr(atomic::AtomicPtr::new(pointer))
        }

        pub(crate) fn load(&self, order: Ordering) -> *mut T {
            self.0.load(order)
        }

        pub(crate) fn swap(&self, pointer: *mut T, _: Ordering) -> *mut T {
            let before = self.0.load(Ordering::Acquire);
            self.0.store(pointer, Ordering::Release);
            before
        }
    }
}

#[cfg(test)]
mod tests {
    use super::by_load_and_store::{AtomicPtr, AtomicUsize};
    use core::ptr::{dangling_mut, null_mut};
    use core::sync::atomic::Ordering::Relaxed;

    #[test]
    fn a_load_and_a_store_change_a_number_as_the_atomic_instruction_does() {
        let (ours, theirs) = (AtomicUsize::new(6), core::sync::atomic::AtomicUsize::new(6));
        for value in [0, 1, 5, usize::MAX] {
            assert_eq!(ours.fetch_add(value, Relaxed), theirs.fetch_add(value, Relaxed));
            assert_eq!(ours.fetch_max(value, Relaxed), theirs.fetch_max(value, Relaxed));
            assert_eq!(ours.fetch_sub(value, Relaxed), theirs.fetch_sub(value, Relaxed));
            assert_eq!(ours.fetch_and(!value, Relaxed), theirs.fetch_and(!value, Relaxed));
            for from in [6, 7] {
                assert_eq!(
                    ours.compare_exchange(from, value, Relaxed, Relaxed),
                    theirs.compare_exchange(from, value, Relaxed, Relaxed)
                );
            }
            assert_eq!(ours.load(Relaxed), theirs.load(Relaxed));
        }
        let slot: AtomicPtr<u8> = AtomicPtr::new(null_mut());
        assert!(slot.swap(dangling_mut(), Relaxed).is_null());
        assert_eq!(slot.load(Relaxed), dangling_mut());
    }
}
