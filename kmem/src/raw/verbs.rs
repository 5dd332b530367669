//! The functions that every method has, written once: `a`, `z`, `ao`, `zo`, `f` and `s`, and `r` and `resize` for cells of any
//! size.
//!
//! The module of each method defines `allocate`, `release` and `resize_kept`, which these macros call.
//! `new` names the function that returns the handle of a new cell.

use core::ffi::CStr;

/// Converts a name that ends with a zero byte to a C string.
pub(super) const fn name(name: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("no zero byte at the end"),
    }
}

macro_rules! verbs {
    (
        call: $call:literal,
        new: $handle:ident,
        a: ($($a:ident: $at:ty),*) => ($($call_a:expr),*),
        z: ($($z:ident: $zt:ty),*) => ($($call_z:expr),*),
        f: $frees:literal -> $ret:ty,
    ) => {
        #[doc = concat!("Allocates a cell with undefined contents. Returns null if [`alloc`](fn@alloc) would fail. C: `", $call, "a`.")]
        #[doc = "\n# Safety\nAs for [`alloc`](fn@alloc)."]
        #[inline]
        pub unsafe fn a($($a: $at),*) -> *mut u8 {
            // SAFETY: [caller] the contract is the caller's.
            unsafe { allocate($($call_a),*, Fill::Undefined) }
        }

        #[doc = concat!("Like [`a`], but zeroes the data. C: `", $call, "z`.")]
        #[doc = "\n# Safety\nAs for [`alloc`](fn@alloc)."]
        #[inline]
        pub unsafe fn z($($z: $zt),*) -> *mut u8 {
            // SAFETY: [caller] the contract is the caller's.
            unsafe { allocate($($call_z),*, Fill::Zeroed) }
        }

        #[doc = concat!("Like [`a`], but returns a [`Handle`]. C: `", $call, "ao`.")]
        #[doc = "\n# Safety\nAs for [`alloc`](fn@alloc)."]
        #[inline]
        pub unsafe fn ao($($z: $zt),*) -> Handle {
            // SAFETY: [caller] the contract is the caller's, and `allocate` returns null or the data of a new cell.
            unsafe { $handle(allocate($($call_z),*, Fill::Undefined)) }
        }

        #[doc = concat!("Like [`z`], but returns a [`Handle`]. C: `", $call, "zo`.")]
        #[doc = "\n# Safety\nAs for [`alloc`](fn@alloc)."]
        #[inline]
        pub unsafe fn zo($($z: $zt),*) -> Handle {
            // SAFETY: [caller] the contract is the caller's, and `allocate` returns null or the data of a new cell.
            unsafe { $handle(allocate($($call_z),*, Fill::Zeroed)) }
        }

        #[doc = concat!($frees, " Ignores null. C: `", $call, "f`.")]
        #[doc = "\n# Safety\n`data` is null or that of a live cell of this method, which is not used afterwards."]
        #[inline]
        pub unsafe fn f(data: *mut u8) -> $ret {
            // SAFETY: [caller] the contract is the caller's.
            unsafe { release(data, $crate::fault::call!($crate::raw::verbs::name(concat!($call, "f\0"))), Shred::No) }
        }

        #[doc = concat!("Like [`f`], but [taints](crate::raw::ptr::taint) the cell first, so it is zeroed when freed. C: `", $call, "s`.")]
        #[doc = "\n# Safety\nAs for [`f`]."]
        #[cfg(feature = "shred")]
        #[inline]
        pub unsafe fn s(data: *mut u8) -> $ret {
            // SAFETY: [caller] the contract is the caller's.
            unsafe { release(data, $crate::fault::call!($crate::raw::verbs::name(concat!($call, "s\0"))), Shred::Yes) }
        }
    };
}

macro_rules! resizes {
    (
        call: $call:literal,
        null: ($null:literal, $size:ident => $made:expr),
        fails: $fails:literal,
    ) => {
        #[doc = concat!("Like [`resize`], but returns null on failure. If `data` is null, ", $null, ". C: `", $call, "r`.")]
        #[doc = "\n# Safety\nAs for [`resize`], but `data` may be null."]
        pub unsafe fn r(data: *mut u8, $size: usize) -> *mut u8 {
            if data.is_null() {
                // SAFETY: [caller] the contract is the caller's.
                #[allow(unused_unsafe, reason = "`r` of null does nothing for some methods")]
                return unsafe { $made };
            }
            // SAFETY: [caller] the contract is the caller's.
            unsafe { resize(data, $size) }.map_or(null_mut(), NonNull::as_ptr)
        }

        /// Resizes a cell to `size` data bytes, in place if its source can, and returns its data, which may have moved. Added bytes
        /// are undefined. If the cell is tainted or its source zeroes, bytes that are cut off or left behind are zeroed.
        #[doc = concat!("\n", $fails, " The cell is unchanged then.")]
        ///
        /// # Safety
        /// `data` is that of a live cell of this method that nobody else uses meanwhile. Nobody uses the old address afterwards,
        /// even if the source unwinds while it frees the old block.
        pub unsafe fn resize(data: *mut u8, size: usize) -> Result<NonNull<u8>, AllocError> {
            // SAFETY: [caller] the contract is the caller's.
            unsafe { resize_kept(data, ResizeRequest::Size(size), $crate::fault::call!($crate::raw::verbs::name(concat!($call, "r\0"))), Shred::No) }.map(|resized| resized.data)
        }
    };
}
