#![no_std]
#![deny(unreachable_pub)]
// docs.rs shows the features that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
// With a method left out, some shared code is unused, and links to the method are broken.
#![cfg_attr(
    not(all(
        feature = "heap",
        feature = "ref",
        feature = "pool",
        feature = "arena",
        feature = "tree",
        feature = "shred"
    )),
    allow(
        dead_code,
        unreachable_pub,
        unused_imports,
        unused_macros,
        unused_unsafe,
        rustdoc::broken_intra_doc_links
    )
)]
// Examples use all methods. If one is left out, rustdoc has nothing to test here.
#![cfg_attr(
    any(not(doctest), all(feature = "heap", feature = "ref", feature = "pool", feature = "arena", feature = "tree", feature = "shred")),
    doc = include_str!("lib.md")
)]
#![cfg_attr(
    all(
        doctest,
        not(all(
            feature = "heap",
            feature = "ref",
            feature = "pool",
            feature = "arena",
            feature = "tree",
            feature = "shred"
        ))
    ),
    cfg(any())
)]

#[cfg(not(any(target_pointer_width = "32", target_pointer_width = "64")))]
compile_error!("kmem's headers are laid out for addresses of 32 and of 64 bits");

#[cfg(feature = "heap")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(any(feature = "allocator-api2-02", feature = "allocator-api2-04"))]
pub mod allocator_api2;
mod atomic;
mod cell;
mod downcast;
mod emplace;
mod error;
pub mod fault;
mod os;
mod quota;
pub mod raw;
mod shared;
mod shred;
mod source;
mod text;
#[macro_use]
mod methods;
#[macro_use]
mod traits;
#[doc(hidden)]
#[macro_use]
pub mod unsize;

#[cfg(feature = "arena")]
mod arena;
#[cfg(feature = "heap")]
mod heap;
mod limit;
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

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(feature = "arena")]
pub use arena::{Arena, ArenaScope};
pub use cell::{Kind, Shred};
pub use emplace::Elements;
pub use error::{AllocError, Refused};
#[cfg(feature = "heap")]
pub use heap::HeapBox;
pub use limit::Limit;
#[cfg(all(feature = "pool", feature = "tree"))]
pub use pool::InNode;
#[cfg(feature = "pool")]
pub use pool::{Pool, PoolBox, PoolIterMut};
pub use ptr::Ptr;
pub use quota::LimitCount;
#[cfg(feature = "totals")]
pub use raw::totals;
#[cfg(feature = "ref")]
pub use refs::Ref;
#[cfg(feature = "shred")]
pub use shredding::Shredding;
pub use source::{Buffer, CellSource, Heap, Named, Place, Source, SourceCell};
#[cfg(feature = "tree")]
pub use tree::{Adopt, Adopted, Hook, Node, NodeRef, Tree, Visit, Walk};
