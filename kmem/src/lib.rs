//! One handle for every way to get memory.
//!
//! A program gets memory in several ways: from the heap, as reference-counted cells, from pools, in trees where freeing a
//! node frees all below it, and as static objects. Each is made in its own way here, and all of them fit into one handle,
//! [`Ptr`], which frees, drops a reference, gives back or leaves alone, whichever is right. The same handle passes to and
//! from C ([`raw::Handle`], `kmptr` there). Cells are drawn from any [`Source`], and any of them can be tainted, so that
//! its bytes are zeroed when it goes.
//!
//! | you want | owner | drawn from | threads |
//! |---|---|---|---|
//! | one value, one owner | [`HeapBox`] | the heap | as the value |
//! | one value, many owners | [`Ref`] | the heap, a pool of bytes, a [`SourceCell`] | as `Arc`, if the source may |
//! | many equal cells, made and freed fast | [`PoolBox`] from a [`Pool`] | the same, a buffer, a tree node | one at a time |
//! | values that die together | [`Tree`], [`Node`] | the heap, a pool of bytes, a [`SourceCell`] | one at a time |
//! | any of these | [`Ptr`] | | stays on its thread |
//!
//! ```
//! use kmem::{HeapBox, Pool, Ptr, Ref, Tree};
//!
//! let pool = Pool::new(100);
//! let mut document: Vec<Ptr<'_, str>> = vec![
//!     "static".into(),
//!     HeapBox::<str>::from("on the heap").into(),
//!     Ref::<str>::from("counted").into(),
//! ];
//! let number = pool.alloc(7);
//! let tree = Tree::new("request");
//! tree.node().push("header");
//! tree.child(*number).free();
//!
//! document[1].taint(); // zeroed when it goes
//! document.clear(); // each freed in its own way
//! ```
//!
//! # Allocation that fails
//!
//! Every constructor has a form that begins with `try_` and returns an [`AllocError`], or [`Refused`] with the value in it,
//! where memory runs out, a size overflows or a source cannot serve. Nothing has changed then. The short forms panic.
//!
//! # Features
//!
//! `heap`, `ref`, `pool`, `tree` and `shred` are the methods and zeroing, `std` the report of misuse on standard error; all
//! are on by default, and any combination builds. Without `heap` the crate needs no allocator: pools in a buffer
//! ([`Pool::in_buffer`]) serve references and trees. `allocator-api2-02` and `allocator-api2-04` make sources serve as
//! allocators of collections, and such allocators as sources: see [`allocator_api2`].
//!
//! # What zeroing does not reach
//!
//! Copies that the program made elsewhere: on the stack, in registers, in memory that another allocator handed out, on
//! pages that were swapped out. A value that is moved leaves its old bytes behind; build secrets in their cell.
//! [`Shredding`] as the global allocator covers every heap block of the program.
//!
//! # Misuse
//!
//! The safe API rules it out. Through the engine, or from C, a wrong free that the header shows is reported to a handler:
//! see [`fault`].

#![no_std]
#![deny(unreachable_pub)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// With a method left out, links to it lead nowhere.
#![cfg_attr(
    not(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree")),
    allow(rustdoc::broken_intra_doc_links)
)]
#![cfg_attr(
    not(all(feature = "shred", feature = "allocator-api2-02", feature = "allocator-api2-04")),
    allow(rustdoc::broken_intra_doc_links)
)]

#[cfg(feature = "heap")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(any(feature = "allocator-api2-02", feature = "allocator-api2-04"))]
pub mod allocator_api2;
mod cell;
mod error;
pub mod fault;
mod place;
pub mod raw;
mod shred;
mod source;
#[macro_use]
mod traits;

#[cfg(feature = "heap")]
mod heap;
#[cfg(feature = "pool")]
mod pool;
mod ptr;
#[cfg(feature = "ref")]
mod refs;
#[cfg(feature = "shred")]
mod shredding;
#[cfg(feature = "tree")]
mod tree;

#[cfg(doctest)]
mod must_not_compile;

pub use cell::{Kind, Shred};
pub use error::{AllocError, Refused};
#[cfg(feature = "heap")]
pub use heap::HeapBox;
#[cfg(all(feature = "pool", feature = "tree"))]
pub use pool::InNode;
#[cfg(feature = "pool")]
pub use pool::{Buffer, Pool, PoolBox};
pub use ptr::Ptr;
#[cfg(feature = "ref")]
pub use refs::Ref;
#[cfg(feature = "shred")]
pub use shredding::Shredding;
pub use source::{CellSource, Heap, Source, SourceCell};
#[cfg(feature = "tree")]
pub use tree::{Node, NodeRef, Tree};
