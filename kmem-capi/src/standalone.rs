//! What a library without a Rust program around it has to bring.

/// Nothing panics here: a test on the built library shows that this is not reachable.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: it ends the program.
    unsafe { libc::abort() }
}

#[cfg(kmem_mimalloc)]
#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The engine calls `malloc` itself; the linker wants an allocator all the same.
#[cfg(not(kmem_mimalloc))]
mod none {
    use core::alloc::{GlobalAlloc, Layout};

    struct None;

    // SAFETY: it never gives a block.
    unsafe impl GlobalAlloc for None {
        unsafe fn alloc(&self, _: Layout) -> *mut u8 {
            core::ptr::null_mut()
        }
        unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
    }

    #[global_allocator]
    static HEAP: None = None;
}
