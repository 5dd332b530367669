//! Services of the operating system: writing to standard error, aborting, and a random number.
//!
//! They come from `std` with the feature `std`, otherwise from the C library if the target has one. A kernel, and wasm without
//! WASI, have neither.

/// Writes a text to standard error without allocating, because the heap may be unusable. Errors are ignored.
pub(crate) fn write_error(text: &str) {
    #[cfg(feature = "std")]
    {
        use std::io::Write;
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    #[cfg(all(not(feature = "std"), any(unix, windows, target_os = "wasi")))]
    // SAFETY: [platform] the text has this length. On Windows the length is a smaller integer.
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
    // SAFETY: [platform] `abort` has no preconditions.
    unsafe {
        libc::abort()
    }
    // There is no function that aborts. On x86 and 64-bit Arm, an instruction that traps ends the program. Elsewhere, a panic in a
    // function that must not unwind ends it.
    #[cfg(not(any(feature = "std", unix, windows, target_os = "wasi")))]
    {
        #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
        // SAFETY: [platform] `ud2` does not return and accesses nothing.
        unsafe {
            core::arch::asm!("ud2", options(noreturn, nomem, nostack))
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: [platform] `brk` does not return and accesses nothing.
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

/// Returns a number that no other thread has meanwhile, or 0 if the system does not provide one quickly. A thread may get the number
/// of one that ended before.
#[inline(always)]
pub(crate) fn thread() -> usize {
    // The register with the address of the thread's own data.
    #[cfg(all(target_os = "linux", target_pointer_width = "64", target_arch = "x86_64", not(miri)))]
    {
        let number;
        // SAFETY: [platform] the first word of the data is its address.
        unsafe {
            core::arch::asm!("mov {}, fs:0", out(reg) number, options(nostack, preserves_flags, readonly))
        };
        number
    }
    #[cfg(all(target_os = "linux", target_pointer_width = "64", target_arch = "aarch64", not(miri)))]
    {
        let number;
        // SAFETY: [platform] any code may read this register.
        unsafe {
            core::arch::asm!("mrs {}, tpidr_el0", out(reg) number, options(nostack, preserves_flags, nomem))
        };
        number
    }
    #[cfg(not(all(
        target_os = "linux",
        target_pointer_width = "64",
        any(target_arch = "x86_64", target_arch = "aarch64"),
        not(miri)
    )))]
    0
}

/// Returns a random number, or `None` if the system provides none. On Linux, Android, Apple's systems and Windows, all copies of
/// kmem in a process get the same number, so that they can free each other's cells.
pub(crate) fn random() -> Option<usize> {
    random::number()
}

/// Uses the 16 random bytes that Linux passes to every program. The C library derives secrets from them, so they must not be
/// revealed.
#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
mod random {
    pub(super) fn number() -> Option<usize> {
        // SAFETY: [platform] any entry may be requested. The result is zero if the entry does not exist.
        let bytes = unsafe { libc::getauxval(libc::AT_RANDOM) } as usize;
        if bytes == 0 {
            return None;
        }
        let bytes = core::ptr::with_exposed_provenance::<[usize; 2]>(bytes);
        // SAFETY: [platform] the entry is the address of 16 bytes that live as long as the process.
        let [low, high] = unsafe { bytes.read_unaligned() };
        Some(low ^ high.rotate_left(usize::BITS / 2))
    }
}

/// Uses the random number of the C library's stack protector.
#[cfg(all(target_vendor = "apple", not(miri)))]
mod random {
    unsafe extern "C" {
        safe static __stack_chk_guard: usize;
    }

    pub(super) fn number() -> Option<usize> {
        Some(__stack_chk_guard)
    }
}

/// Uses the random number with which the system encodes pointers in this process.
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

/// Uses the random generator of the system, so each copy of kmem gets its own number.
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
            // SAFETY: [platform] the number has this many bytes.
            if unsafe { libc::getentropy((&raw mut number).cast(), size_of::<usize>()) } == 0 {
                return Some(number);
            }
        }
        None
    }
}
