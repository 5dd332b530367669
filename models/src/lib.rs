//! What threads share in kmem, under every interleaving and every stale value that Rust's memory model allows, by loom.
//!
//! `shared.rs` is the library's own file, with the atomics of this crate for the processor's. They are loom's, except that
//! [`atomic::weakening`] takes away the ordering of one place in it: `tests::every_ordering_is_needed` shows that some model fails
//! wherever that is done.

mod atomic;
#[cfg(test)]
mod models;
#[path = "../../kmem/src/shared.rs"]
#[allow(dead_code, reason = "all of it is used by the models, which are tests")]
mod shared;
#[cfg(test)]
mod tests;
