//! The C functions of kmem, one thin function per name in `include/kmem.h`, over [`kmem::raw`].
//!
//! `./build` makes `libkmem.so` and `libkmem.a` of it. A Rust program whose C code shall share its own kmem, heap
//! included, depends on this crate instead of linking the library, and names it once (`use kmem_capi as _;`) so that
//! the functions are linked in.
//!
//! What the functions do is said in the header; each is unsafe as any C function is.

#![no_std]
#![deny(unreachable_pub)]
// docs.rs shows the features that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(missing_docs, clippy::missing_safety_doc, reason = "the header is the documentation")]

#[cfg(kmem_standalone)]
mod standalone;

pub mod fault;
#[cfg(feature = "heap")]
pub mod heap;
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

/// The library has written this, or is about to, where the program reads it.
#[inline(always)]
fn written<T>(at: *const T) {
    kmem::raw::marks::written(at.cast(), size_of::<T>());
}
