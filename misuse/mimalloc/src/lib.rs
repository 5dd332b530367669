//! The library is what this links.
#![no_std]

pub use libmimalloc_sys::{mi_free, mi_malloc};
