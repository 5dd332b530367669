//! The tests of the crate's promises, a module for each subject.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "tests call the engine with values that they have just made"
)]

mod number;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod sources;
mod support;

#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "arena", feature = "tree"))]
mod arena;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "arena", feature = "tree"))]
mod arena_owners;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod attacks_adopt;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "arena", feature = "tree"))]
mod attacks_arena_tree;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod attacks_forget;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod attacks_hooks;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod attacks_reentrant;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod attacks_resize;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod attacks_shapes;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod attacks_threads;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod attacks_unwind;
mod buffers;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod callers;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod composition;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod destructors;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod exhaustion;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod growth;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod growth_owners;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod handle;
#[cfg(feature = "heap")]
mod heap;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod limits;
#[cfg(any(feature = "heap", feature = "pool", feature = "tree", feature = "ref"))]
mod misuse;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod model;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod node_adopts;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod node_hooks;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod node_looks;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod node_moves;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree", feature = "shred"))]
mod owned;
#[cfg(all(feature = "heap", feature = "pool"))]
mod pool;
mod reasons;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree", feature = "shred"))]
mod redacted;
#[cfg(all(feature = "heap", feature = "ref"))]
mod refs;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree", feature = "shred"))]
mod report;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod resize;
#[cfg(all(feature = "heap", feature = "shred"))]
mod shred;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod soundness;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod threads;
#[cfg(all(feature = "heap", feature = "tree"))]
mod tree;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "arena", feature = "tree"))]
mod tree_arena;
#[cfg(all(feature = "heap", feature = "pool", feature = "tree"))]
mod verify;
