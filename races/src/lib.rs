//! The atomics that threads share in kmem, run by loom with every interleaving and every stale value that Rust's memory model allows.
//!
//! `shared.rs` is the library's own file, with the atomics of this crate for the processor's. They are loom's, except that
//! [`atomic::weakening`] takes away the ordering of one place in it:
//! `tests::some_model_fails_wherever_an_ordering_is_weakened` does so everywhere.
//!
//! `cargo test` runs every interleaving. `LOOM_MAX_PREEMPTIONS=3` keeps to those with as many switches, and
//! `LOOM_LOG=trace LOOM_LOCATION=1` tells how one came about that failed.

mod atomic;
#[cfg(test)]
#[allow(
    clippy::arc_with_non_send_sync,
    clippy::undocumented_unsafe_blocks,
    reason = "whether accesses from several threads are sound is the question, and loom answers it"
)]
mod models;
#[path = "../../kmem/src/shared.rs"]
#[allow(dead_code, reason = "all of it is used by the models, which are tests")]
mod shared;
#[cfg(test)]
mod tests;
