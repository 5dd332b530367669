//! Zero bytes for good.

/// Zeroes `len` bytes at `data`, and keeps the compiler from dropping the stores however dead they look.
///
/// One `memset` followed by a barrier that claims to read the bytes: the stores run at memory bandwidth, where
/// byte-wise volatile stores run at a tenth of it. The barrier is `zeroize`'s, which writes it in assembly on
/// every target that has a stable one and falls back to `black_box` elsewhere.
///
/// # Safety
/// `data` is valid for writes of `len` bytes and nothing else reads or writes them meanwhile.
#[cfg(feature = "shred")]
pub(crate) unsafe fn zero(data: *mut u8, len: usize) {
    // SAFETY: the caller gives `len` writable bytes that nobody else is looking at.
    unsafe { data.write_bytes(0, len) };
    // SAFETY: the bytes have just been written, so a slice of `u8` may view them; it is gone before the caller's
    // next use of them. A slice has at most `isize::MAX` bytes, and so has every allocation.
    zeroize::optimization_barrier(unsafe { core::slice::from_raw_parts(data, len) });
}

/// Without the `shred` feature nothing is ever zeroed on free.
#[cfg(not(feature = "shred"))]
pub(crate) unsafe fn zero(_data: *mut u8, _len: usize) {}
