//! The library is what this links.

pub use libmimalloc_sys::{mi_free, mi_malloc};
