//! The actions that every method has, said once: `a`, `z`, `ao`, `zo`, `f`, `s`; and `r`, which those have whose cells take any size.
//!
//! A method gives `allocate(its arguments, size, fill)`, `release(data, call, shred)`, `handle(data)` and
//! `resize_kept(data, to, call, shred)`; from these the macros write the functions with their documentation and examples.

use core::ffi::CStr;

/// A C string of a name that ends with zero.
pub(super) const fn name(name: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("no zero at the end"),
    }
}

macro_rules! verbs {
    (
        module: $kind:literal,
        call: $call:literal,
        thing: $thing:literal,
        a: ($($a:ident: $at:ty),*) => ($($call_a:expr),*),
        z: ($($z:ident: $zt:ty),*) => ($($call_z:expr),*),
        f: -> $ret:ty,
        fails: $fails:literal,
        safety: $safety:literal,
        frees: $frees:literal,
        shreds: $shreds:literal,
        example: ($setup:literal, $args_a:literal, $args_z:literal, $teardown:literal),
    ) => {
        #[doc = concat!("Allocates ", $thing, " and returns its data, contents undefined, or null.")]
        #[doc = concat!("\n", $fails, "\n\n# Safety\n", $safety)]
        #[doc = concat!(
            "\n```\nuse kmem::raw::", $kind, ";\nuse std::ptr::null_mut;\nunsafe {\n", $setup, "    let data = ", $kind,
            "::a(", $args_a, ");\n    data.write_bytes(7, 24);\n    ", $kind, "::f(data);\n", $teardown, "}\n```"
        )]
        #[inline]
        pub unsafe fn a($($a: $at),*) -> *mut u8 {
            // SAFETY: [caller] the contract is the caller's.
            unsafe { allocate($($call_a),*, Fill::Undefined) }
        }

        #[doc = concat!("Allocates ", $thing, " and returns its data, all zero, or null.")]
        #[doc = concat!("\n", $fails, "\n\n# Safety\n", $safety)]
        #[doc = concat!(
            "\n```\nuse kmem::raw::", $kind, ";\nuse std::ptr::null_mut;\nunsafe {\n", $setup, "    let data = ", $kind,
            "::z(", $args_z, ");\n    assert_eq!(data.add(23).read(), 0);\n    ", $kind, "::f(data);\n", $teardown,
            "}\n```"
        )]
        #[inline]
        pub unsafe fn z($($z: $zt),*) -> *mut u8 {
            // SAFETY: [caller] the contract is the caller's.
            unsafe { allocate($($call_z),*, Fill::Zeroed) }
        }

        #[doc = concat!("Like [`a`], but returns a [`Handle`] on ", $thing, ", or the null handle.")]
        #[doc = concat!("\n# Safety\n", $safety)]
        #[doc = concat!(
            "\n```\nuse kmem::raw::{ptr, ", $kind, "};\nuse std::ptr::null_mut;\nunsafe {\n", $setup,
            "    let handle = ", $kind, "::ao(", $args_z, ");\n    ptr::free(handle);\n", $teardown, "}\n```"
        )]
        #[inline]
        pub unsafe fn ao($($z: $zt),*) -> Handle {
            // SAFETY: [caller] the contract is the caller's, and `allocate` returns null or the data of a new cell.
            unsafe { handle(allocate($($call_z),*, Fill::Undefined)) }
        }

        #[doc = concat!("Like [`z`], but returns a [`Handle`] on ", $thing, ", or the null handle.")]
        #[doc = concat!("\n# Safety\n", $safety)]
        #[doc = concat!(
            "\n```\nuse kmem::raw::{ptr, ", $kind, "};\nuse std::ptr::null_mut;\nunsafe {\n", $setup,
            "    let handle = ", $kind, "::zo(", $args_z, ");\n    assert_eq!(handle.data.read(), 0);\n",
            "    ptr::free(handle);\n", $teardown, "}\n```"
        )]
        #[inline]
        pub unsafe fn zo($($z: $zt),*) -> Handle {
            // SAFETY: [caller] the contract is the caller's, and `allocate` returns null or the data of a new cell.
            unsafe { handle(allocate($($call_z),*, Fill::Zeroed)) }
        }

        #[doc = concat!($frees, " Null is ignored.")]
        #[doc = concat!(
            "\n# Safety\n`data` is null or came from this method, is not used any more, and its source is alive. What \
             the header shows to be wrong goes to the [fault handler](crate::fault) and changes nothing."
        )]
        #[doc = concat!(
            "\n```\nuse kmem::raw::", $kind, ";\nuse std::ptr::null_mut;\nunsafe {\n", $setup, "    let data = ", $kind,
            "::a(", $args_a, ");\n    ", $kind, "::f(data);\n    ", $kind, "::f(null_mut());\n", $teardown, "}\n```"
        )]
        #[inline]
        pub unsafe fn f(data: *mut u8) -> $ret {
            // SAFETY: [caller] the contract is the caller's.
            unsafe { release(data, $crate::fault::call!($crate::raw::verbs::name(concat!($call, "f\0"))), Shred::No) }
        }

        #[doc = concat!($shreds, " Null is ignored.")]
        #[doc = "\n# Safety\nAs for [`f`]."]
        #[doc = concat!(
            "\n```\nuse kmem::raw::", $kind, ";\nuse std::ptr::null_mut;\nunsafe {\n", $setup, "    let data = ", $kind,
            "::a(", $args_a, ");\n    ", $kind, "::s(data);\n", $teardown, "}\n```"
        )]
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
        module: $kind:literal,
        call: $call:literal,
        thing: $thing:literal,
        null: ($null:literal, $size:ident => $made:expr),
        moves: $moves:literal,
        fails: $fails:literal,
        example: ($make:literal),
    ) => {
        #[doc = concat!("Gives ", $thing, " another size and returns its data, which may have moved: see [`resize`].")]
        #[doc = concat!("\nNull is returned where it fails, and the cell is as it was. ", $null)]
        #[doc = "\n# Safety\nAs for [`resize`], where the data may be null."]
        #[doc = concat!(
            "\n```\nuse kmem::raw::", $kind, ";\nuse std::ptr::null_mut;\nunsafe {\n    let data = ", $kind, "::", $make,
            ";\n    data.write(7);\n    let data = ", $kind, "::r(data, 1000);\n    assert_eq!(data.read(), 7);\n    assert!(", $kind,
            "::r(data, usize::MAX).is_null()); // and the cell is as it was\n    ", $kind, "::f(data);\n}\n```"
        )]
        pub unsafe fn r(data: *mut u8, $size: usize) -> *mut u8 {
            if data.is_null() {
                // SAFETY: [caller] the contract is the caller's.
                #[allow(unused_unsafe, reason = "where null makes nothing")]
                return unsafe { $made };
            }
            // SAFETY: [caller] the contract is the caller's.
            unsafe { resize(data, $size) }.map_or(null_mut(), NonNull::as_ptr)
        }

        #[doc = concat!(
            "Gives ", $thing, " `size` bytes of data, in place where its source can, and returns the data, which may have moved. ",
            $moves
        )]
        ///
        /// Of the contents stays what fits; what is added is undefined. Alignment, destructor, name and mark stay. Where the cell is tainted or
        /// its source shreds, the bytes that are cut off, and those that a move leaves behind, are zeroed.
        #[doc = concat!("\n", $fails, " The cell is as it was then.")]
        ///
        /// # Safety
        /// `data` is that of a live cell of this method that nobody else uses meanwhile, and nobody uses the old address afterwards. What the
        /// header shows to be wrong goes to the [fault handler](crate::fault) and changes nothing. Where the source of
        /// a cell that has moved unwinds as it takes the old block back, the new address is lost with what would have been returned.
        #[doc = concat!(
            "\n```\nuse kmem::raw::", $kind, ";\nuse std::ptr::null_mut;\nunsafe {\n    let data = ", $kind, "::", $make,
            ";\n    let data = ", $kind, "::resize(data, 16).unwrap();\n    ", $kind, "::f(data.as_ptr());\n}\n```"
        )]
        pub unsafe fn resize(data: *mut u8, size: usize) -> Result<NonNull<u8>, AllocError> {
            // SAFETY: [caller] the contract is the caller's.
            unsafe { resize_kept(data, ResizeRequest::Size(size), $crate::fault::call!($crate::raw::verbs::name(concat!($call, "r\0"))), Shred::No) }.map(|resized| resized.data)
        }
    };
}
