//! Links mimalloc in its secure mode, for the programs of `misuse/`.

pub use libmimalloc_sys::{mi_free, mi_malloc};
