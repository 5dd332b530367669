//! Trees of 32-byte payloads: built, walked and freed whole.

mod contestants;
mod preloaded;
mod rows;
mod shape;

pub use contestants::{AprTree, KmemC, Pooled, Talloc, Tree};
pub use preloaded::{child, is_preloaded, rows_of_child};
pub use rows::rows;
pub use shape::Shape;

/// Bytes of each node's payload.
pub const PAYLOAD: usize = 32;
