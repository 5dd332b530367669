//! What kmem asks of the operating system: to write a report, to abort, and for a random number.
//!
//! With `std` it asks through that, on every target. Without, it asks the C library, on every target that has one. A kernel
//! and wasm without WASI have neither.

/// Writes a text to standard error, without allocating: a misuse is reported even if the heap is unusable. A text that cannot
/// be written is lost.
pub(crate) fn write_error(text: &str) {
    #[cfg(feature = "std")]
    {
        use std::io::Write;
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    #[cfg(all(not(feature = "std"), any(unix, windows, target_os = "wasi")))]
    // SAFETY: [platform] the text is as long as it says. Windows takes the length as a smaller number.
    unsafe {
        libc::write(2, text.as_ptr().cast(), text.len() as _);
    }
    let _ = text;
}

/// Aborts the program without unwinding.
#[cold]
pub(crate) fn abort() -> ! {
    #[cfg(feature = "std")]
    std::process::abort();
    #[cfg(all(not(feature = "std"), any(unix, windows, target_os = "wasi")))]
    // SAFETY: [platform] it ends the program.
    unsafe {
        libc::abort()
    }
    // There is no abort to call. An illegal instruction ends the program on the targets where stable Rust can write one;
    // elsewhere a panic that may not unwind does.
    #[cfg(not(any(feature = "std", unix, windows, target_os = "wasi")))]
    {
        #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
        // SAFETY: [platform] `ud2` does not return and touches nothing.
        unsafe {
            core::arch::asm!("ud2", options(noreturn, nomem, nostack))
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: [platform] `brk` does not return and touches nothing.
        unsafe {
            core::arch::asm!("brk #1", options(noreturn, nomem, nostack))
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
        {
            extern "C" fn no_unwind() -> ! {
                panic!("kmem: misuse")
            }
            no_unwind()
        }
    }
}

/// A number that differs at random from process to process, or `None` if the system has none to give. On Linux, Android, Apple's
/// systems and Windows it is the same for all copies of kmem in the process, so that they can free each other's cells.
pub(crate) fn random() -> Option<usize> {
    random::number()
}

/// From the 16 random bytes that Linux hands every program. The C library makes secrets of its own of them: the caller must not
/// give them away.
#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
mod random {
    pub(super) fn number() -> Option<usize> {
        // SAFETY: [platform] any entry may be asked for; the answer is zero if it is not there.
        let bytes = unsafe { libc::getauxval(libc::AT_RANDOM) } as usize;
        if bytes == 0 {
            return None;
        }
        let bytes = core::ptr::with_exposed_provenance::<[usize; 2]>(bytes);
        // SAFETY: [platform] the entry is the address of 16 bytes that stay as long as the process.
        let [low, high] = unsafe { bytes.read_unaligned() };
        Some(low ^ high.rotate_left(usize::BITS / 2))
    }
}

/// From the random number that the C library checks stacks with.
#[cfg(all(target_vendor = "apple", not(miri)))]
mod random {
    unsafe extern "C" {
        safe static __stack_chk_guard: usize;
    }

    pub(super) fn number() -> Option<usize> {
        Some(__stack_chk_guard)
    }
}

/// From the random number that the system encodes pointers with in this process.
#[cfg(all(windows, not(miri)))]
mod random {
    use core::ffi::c_void;

    #[link(name = "kernel32")]
    unsafe extern "system" {
        safe fn EncodePointer(pointer: *mut c_void) -> *mut c_void;
    }

    pub(super) fn number() -> Option<usize> {
        Some(EncodePointer(core::ptr::null_mut()).addr())
    }
}

/// From the system's generator: another number for each copy of kmem.
#[cfg(any(miri, not(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows))))]
mod random {
    #[cfg(feature = "std")]
    pub(super) fn number() -> Option<usize> {
        use std::hash::{BuildHasher, RandomState};
        Some(RandomState::new().hash_one(0u8) as usize)
    }

    #[cfg(not(feature = "std"))]
    pub(super) fn number() -> Option<usize> {
        #[cfg(any(
            target_os = "dragonfly",
            target_os = "emscripten",
            target_os = "freebsd",
            target_os = "haiku",
            target_os = "hurd",
            target_os = "illumos",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "solaris",
            target_os = "wasi",
        ))]
        {
            let mut number = 0usize;
            // SAFETY: [platform] the number has as many bytes.
            if unsafe { libc::getentropy((&raw mut number).cast(), size_of::<usize>()) } == 0 {
                return Some(number);
            }
        }
        None
    }
}
