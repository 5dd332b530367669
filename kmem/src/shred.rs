//! Zeroing that the compiler does not remove.

/// Zeroes `len` bytes at `data`. The compiler cannot remove the stores, even if nothing reads them.
///
/// Since 1.9, `zeroize` does this at the speed of `memset`: a barrier after a bulk fill claims to read the bytes. Volatile stores of single
/// bytes reach a tenth of that.
///
/// # Safety
/// `data` is valid for writes of `len` bytes, at most `isize::MAX`, and nothing else reads or writes them meanwhile.
#[cfg(feature = "shred")]
#[inline]
pub(crate) unsafe fn zero(data: *mut u8, len: usize) {
    use core::mem::MaybeUninit;
    use zeroize::Zeroize;
    // SAFETY: [caller] nobody else uses the `len` writable bytes, which may be uninitialized.
    unsafe { core::slice::from_raw_parts_mut(data.cast::<MaybeUninit<u8>>(), len) }.zeroize();
}

/// Does nothing without the feature `shred`.
#[cfg(not(feature = "shred"))]
pub(crate) unsafe fn zero(_data: *mut u8, _len: usize) {}
