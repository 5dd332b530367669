//! What a library without a Rust program around it has to bring.

// No function of the library unwinds, so only debuggers need its unwind tables. `./build` moves them to a debug file.
#[cfg(all(
    not(kmem_unwind),
    not(windows),
    any(
        target_arch = "x86",
        target_arch = "x86_64",
        target_arch = "arm",
        target_arch = "aarch64",
        target_arch = "riscv64"
    )
))]
core::arch::global_asm!(".cfi_sections .debug_frame");

/// Nothing panics here: a test on the built library shows that this is not reachable.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: it ends the program.
    unsafe { libc::abort() }
}

#[cfg(kmem_mimalloc)]
mod beneath {
    use core::alloc::{GlobalAlloc, Layout};
    use core::ffi::c_void;

    use libmimalloc_sys::{
        mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc, mi_zalloc_aligned,
    };

    /// What mimalloc aligns to by itself, at a third of the price of being asked to.
    const BY_ITSELF: usize = 16;

    struct MiMalloc;

    // SAFETY: mimalloc keeps this contract.
    unsafe impl GlobalAlloc for MiMalloc {
        #[inline]
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let (size, align) = (layout.size(), layout.align());
            // SAFETY: any size, and any power of two for an alignment, may be asked for.
            let block =
                unsafe { if align <= BY_ITSELF { mi_malloc(size) } else { mi_malloc_aligned(size, align) } };
            block.cast()
        }

        #[inline]
        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            let (size, align) = (layout.size(), layout.align());
            // SAFETY: as above.
            let block =
                unsafe { if align <= BY_ITSELF { mi_zalloc(size) } else { mi_zalloc_aligned(size, align) } };
            block.cast()
        }

        #[inline]
        unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            let (block, align) = (block.cast::<c_void>(), layout.align());
            // SAFETY: the caller gives what one of these functions returned for this alignment.
            let block = unsafe {
                if align <= BY_ITSELF {
                    mi_realloc(block, size)
                } else {
                    mi_realloc_aligned(block, size, align)
                }
            };
            block.cast()
        }

        #[inline]
        unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
            // SAFETY: the caller gives back what one of the functions above returned.
            unsafe { mi_free(block.cast::<c_void>()) }
        }
    }

    #[global_allocator]
    static HEAP: MiMalloc = MiMalloc;
}

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
