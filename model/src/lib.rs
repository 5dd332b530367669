//! A plain model of kmem, and an interpreter that turns bytes into calls and checks kmem against the model after each.
//!
//! The model knows of every object its kind, contents, count, parent, source and what is to be zeroed. After each call:
//! contents are intact, no two objects overlap, pools and trees [verify](kmem::raw::pool::verify), the cells of each pool
//! are as many as the model says, destructors have run for what went and for nothing else, children before parents, and
//! bytes are zero where a policy says so. At the end every block has gone back to where it came from.
//!
//! What nodes have adopted, and the hooks on them, are the model's too: it frees what a call takes along in the model first, and
//! knows so in which order destructors and hooks are to run. Walks, counts and reports are compared where a step asks for it.
//!
//! The same interpreter runs behind the property tests in `tests/`, the fuzz targets in `fuzz/`, and the C functions as
//! well as the Rust ones: see [`Face`].

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
