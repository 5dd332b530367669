//! loom's atomics, which write down where they are used with an ordering, and weaken it at one of these places.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::Location;

pub(crate) use loom::sync::atomic::Ordering;

/// A place in the source and an ordering to use there for the one that is written.
pub(crate) type Weakening = (&'static Location<'static>, &'static str);

thread_local! {
    static FOUND: RefCell<BTreeSet<Weakening>> = const { RefCell::new(BTreeSet::new()) };
    static CHOSEN: Cell<Option<Weakening>> = const { Cell::new(None) };
}

/// Runs `work` on this thread, where loom runs all threads of a model, with one place weakened or none, and returns every
/// weakening that it met.
#[allow(dead_code, reason = "for the tests")]
pub(crate) fn weakening(chosen: Option<Weakening>, work: impl FnOnce()) -> BTreeSet<Weakening> {
    CHOSEN.set(chosen);
    work();
    CHOSEN.set(None);
    FOUND.take()
}

#[track_caller]
fn used(written: Ordering) -> Ordering {
    let weaker: &[(&'static str, Ordering)] = match written {
        Ordering::Acquire | Ordering::Release => &[("Relaxed", Ordering::Relaxed)],
        Ordering::AcqRel => &[("Acquire", Ordering::Acquire), ("Release", Ordering::Release)],
        Ordering::SeqCst => &[("AcqRel", Ordering::AcqRel)],
        _ => &[],
    };
    let mut used = written;
    for &(name, ordering) in weaker {
        let weakening = (Location::caller(), name);
        FOUND.with_borrow_mut(|found| found.insert(weakening));
        if CHOSEN.get() == Some(weakening) {
            used = ordering;
        }
    }
    used
}

macro_rules! atomic {
    ([$($generic:ident)?] $name:ident of $value:ty: $($operation:ident ($($arg:ident)?) $(-> $result:ty)?),+) => {
        #[derive(Debug)]
        pub(crate) struct $name$(<$generic>)?(loom::sync::atomic::$name$(<$generic>)?);

        #[allow(dead_code, reason = "the constructor is for the tests")]
        impl$(<$generic>)? $name$(<$generic>)? {
            pub(crate) fn new(value: $value) -> Self {
                Self(loom::sync::atomic::$name::new(value))
            }
            $(
                #[track_caller]
                pub(crate) fn $operation(&self, $($arg: $value,)? order: Ordering) $(-> $result)? {
                    self.0.$operation($($arg,)? used(order))
                }
            )+
        }
    };
}

atomic!([] AtomicUsize of usize: load() -> usize, fetch_add(value) -> usize, fetch_sub(value) -> usize);
atomic!([] AtomicU8 of u8: load() -> u8, store(value));
atomic!([T] AtomicPtr of *mut T: load() -> *mut T, swap(value) -> *mut T);

/// What ThreadSanitizer is told elsewhere.
pub(crate) fn released<T>(_: &T) {}

/// What ThreadSanitizer is told elsewhere.
pub(crate) fn acquired<T>(_: &T) {}
