//! The C functions of kmem, one thin function per name in `include/kmem.h`, over [`kmem::raw`].
//!
//! `./build` makes `libkmem.so` and `libkmem.a` of it. A Rust program can share its kmem, heap included, with its C code: it
//! depends on this crate instead of linking the library, and has `use kmem_capi as _;` once, which links the functions in.
//!
//! The header documents the functions. Each is unsafe, as any C function.

#![no_std]
#![deny(unreachable_pub)]
// docs.rs shows the features that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(missing_docs, clippy::missing_safety_doc, reason = "the header is the documentation")]

#[cfg(kmem_standalone)]
mod standalone;

#[cfg(feature = "arena")]
pub mod arena;
pub mod fault;
#[cfg(feature = "heap")]
pub mod heap;
pub mod limit;
mod options;
#[cfg(feature = "pool")]
pub mod pool;
pub mod ptr;
#[cfg(feature = "ref")]
pub mod refs;
pub mod source;
pub mod text;
#[cfg(feature = "totals")]
pub mod totals;
#[cfg(feature = "tree")]
pub mod tree;
pub mod walk;

pub use options::Options;

/// Marks a value as initialised that the library has written, or is about to write, for the program.
#[inline(always)]
fn written<T>(at: *const T) {
    kmem::raw::sanitizer::written(at.cast(), size_of::<T>());
}
