//! Zero bytes for good.

/// Zeroes `len` bytes at `data` in a way that the compiler cannot drop, however dead the stores look.
///
/// `zeroize` does it, and since 1.9 at the speed of `memset`: it fills the bytes in bulk and then puts a barrier behind
/// them that claims to read them, where byte-wise volatile stores run at a tenth of memory's bandwidth.
///
/// # Safety
/// `data` is valid for writes of `len` bytes, at most `isize::MAX`, and nothing else reads or writes them meanwhile.
#[cfg(feature = "shred")]
#[inline]
pub(crate) unsafe fn zero(data: *mut u8, len: usize) {
    use core::mem::MaybeUninit;
    use zeroize::Zeroize;
    // SAFETY: [caller] the caller gives `len` writable bytes to this call alone; they need not have been written
    // before.
    unsafe { core::slice::from_raw_parts_mut(data.cast::<MaybeUninit<u8>>(), len) }.zeroize();
}

/// Without the `shred` feature nothing is ever zeroed on free.
#[cfg(not(feature = "shred"))]
pub(crate) unsafe fn zero(_data: *mut u8, _len: usize) {}
