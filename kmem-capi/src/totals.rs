//! `kmtotal`

use core::ffi::c_int;

use kmem::Kind;
use kmem::totals::{self, Total};

/// A `kmkind`, which in C may be any number.
type KindNumber = c_int;

#[unsafe(no_mangle)]
pub extern "C" fn kmtotal(kind: KindNumber) -> Total {
    totals::of(Kind::from_raw(kind).unwrap_or(Kind::None))
}
