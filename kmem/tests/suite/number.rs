//! Numbers that each thread has of its own, for a global allocator. It cannot use `thread_local!` where that takes memory from the
//! global allocator.

/// The most numbers that a program has.
const COUNT: usize = 7;

/// A number of each thread, zero at first: the one at this place.
pub struct Number(pub usize);

impl Number {
    pub fn get(&self) -> usize {
        kept::get(self.0)
    }

    pub fn set(&self, number: usize) {
        kept::set(self.0, number);
    }
}

/// The blocks of the global allocator that this thread's `thread_local!`s lie in.
pub fn blocks_of_thread_locals() -> usize {
    kept::others()
}

#[cfg(not(all(windows, target_env = "gnu")))]
mod kept {
    use super::COUNT;
    use std::cell::Cell;

    thread_local!(static NUMBERS: [Cell<usize>; COUNT] = const { [const { Cell::new(0) }; COUNT] });

    pub(super) fn get(at: usize) -> usize {
        NUMBERS.with(|numbers| numbers[at].get())
    }

    pub(super) fn set(at: usize, number: usize) {
        NUMBERS.with(|numbers| numbers[at].set(number));
    }

    pub(super) fn others() -> usize {
        0
    }
}

#[cfg(all(windows, target_env = "gnu"))]
mod kept {
    use super::COUNT;
    use std::ffi::c_void;
    use std::ptr::without_provenance_mut;
    use std::sync::OnceLock;

    #[link(name = "kernel32")]
    unsafe extern "system" {
        safe fn TlsAlloc() -> u32;
        safe fn TlsGetValue(slot: u32) -> *mut c_void;
        safe fn TlsSetValue(slot: u32, value: *mut c_void) -> i32;
    }

    static SLOTS: OnceLock<[u32; COUNT]> = OnceLock::new();

    fn slot(at: usize) -> u32 {
        SLOTS.get_or_init(|| [(); COUNT].map(|()| TlsAlloc()))[at]
    }

    pub(super) fn get(at: usize) -> usize {
        TlsGetValue(slot(at)).addr()
    }

    pub(super) fn set(at: usize, number: usize) {
        assert!(TlsSetValue(slot(at), without_provenance_mut(number)) != 0);
    }

    /// A `thread_local!` that was used has the address of its block in a slot.
    pub(super) fn others() -> usize {
        const SLOTS_THERE_ARE: u32 = 64 + 1024;
        let own: [u32; COUNT] = std::array::from_fn(slot);
        (0..SLOTS_THERE_ARE).filter(|slot| !own.contains(slot) && !TlsGetValue(*slot).is_null()).count()
    }
}
