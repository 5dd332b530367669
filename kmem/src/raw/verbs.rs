//! The actions that every method has, said once: `a`, `z`, `ao`, `zo`, `f`, `s`.
//!
//! A method gives `allocate(its arguments, size, fill)`, `release(data, call, shred)` and `handle(data)`; from these
//! the macro writes the six functions with their documentation and examples.

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
            unsafe { release(data, concat!($call, "f"), Shred::No) }
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
            unsafe { release(data, concat!($call, "s"), Shred::Yes) }
        }
    };
}
