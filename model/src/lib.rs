//! A plain model of kmem, and an interpreter that turns bytes into calls and checks kmem against the model after each.
//!
//! The model has the kind, contents, count, parent, source and taint of every object. After each call it checks that contents are
//! intact, that no two objects overlap, that pools and trees [verify](kmem::raw::pool::verify), that each pool has as many live cells as
//! the model, that destructors ran for the freed objects alone, children before parents, and that tainted bytes are zero. At the end
//! every block is back at its source.
//!
//! The model also has adopted objects and hooks. It plans each free before the call, and so knows the order of destructors and hooks.
//! Some steps compare walks, counts and reports.
//!
//! The property tests in `tests/` and the fuzz targets in `fuzz/` run the same interpreter, over the C functions and over the Rust ones:
//! see
//! [`Face`].

#![allow(
    clippy::undocumented_unsafe_blocks,
    clippy::missing_safety_doc,
    reason = "the model is the caller whose word the engine's contracts take: it calls with what it knows to be live"
)]

mod face;
mod memory;
mod op;
mod run;
mod things;

pub use face::{C, Face, Rust};
pub use memory::Watch;
pub use run::{Outcome, replay, run};
