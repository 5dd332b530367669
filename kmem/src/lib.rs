#![doc = "kmem"]
#![no_std]
#[cfg(feature = "heap")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod cell;
mod error;
pub mod fault;
pub mod raw;
mod shred;

pub use cell::{Kind, Shred};
pub use error::{AllocError, Refused};
