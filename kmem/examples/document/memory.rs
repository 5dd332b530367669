//! The memory of the program.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use kmem::{Limit, Shredding};

/// The system's allocator. It zeroes freed blocks if the document has secrets, unless `--no-shred` is given: the buffers of
/// the reader and the parser have the secrets too.
pub struct Switchable;

pub static SHREDDING: AtomicBool = AtomicBool::new(true);
static INNER: Shredding<System> = Shredding::new(System);

// SAFETY: both allocators allocate from `System`, so either may free a block of the other.
unsafe impl GlobalAlloc for Switchable {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the contract is the caller's.
        unsafe { INNER.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the contract is the caller's.
        unsafe { INNER.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the contract is the caller's.
        unsafe {
            if SHREDDING.load(Ordering::Relaxed) {
                INNER.dealloc(block, layout)
            } else {
                System.dealloc(block, layout)
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the contract is the caller's.
        unsafe {
            if SHREDDING.load(Ordering::Relaxed) {
                INNER.realloc(block, layout, size)
            } else {
                System.realloc(block, layout, size)
            }
        }
    }
}

#[global_allocator]
pub static GLOBAL: Limit<Switchable> = Limit::of_allocator(Switchable, usize::MAX);

/// The peak memory of the process, in bytes.
pub fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
