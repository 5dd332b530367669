#![doc = "kmem"]
#![deny(unreachable_pub)]
#![no_std]
#[cfg(feature = "heap")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
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
