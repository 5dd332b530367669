//! Draws what kmem reports of a tree or a pool: who holds the bytes, and what grew.
//!
//! A program writes a [`Snapshot`] as JSON. This crate reads it and writes it as text, as a graph for Graphviz, or as one HTML page
//! that needs nothing else. From two snapshots, [`Diff`] tells what grew between them: memory that is still held, but that nobody
//! means to use again.
//!
//! ```
//! use kmem_view::{Diff, Snapshot};
//!
//! let older = Snapshot::read(
//!     &br#"{"kmem":1,"cells":[
//!     {"depth":0,"kind":"tree","name":"server","at":"0x1000","size":24,"block":104}
//!     ],"total":{"cells":1,"size":24,"block":104}}"#[..],
//! )?;
//! let newer = Snapshot::read(
//!     &br#"{"kmem":1,"cells":[
//!     {"depth":0,"kind":"tree","name":"server","at":"0x1000","size":24,"block":104},
//!     {"depth":1,"kind":"tree","name":"session","at":"0x2000","size":64,"block":144}
//!     ],"total":{"cells":2,"size":88,"block":248}}"#[..],
//! )?;
//! let grown = Diff::new(&older, &newer).grown(None);
//! assert_eq!(grown[0].path, r#"tree "server""#);
//! assert_eq!(grown[0].newer.block - grown[0].older.block, 144);
//! assert_eq!((grown[0].new, grown[0].heaviest.as_deref()), (1, Some(r#"tree "session""#)));
//! # Ok::<(), kmem_view::Error>(())
//! ```
//!
//! The drawings gather cells that are alike in kind, name and place, so that a snapshot of a million cells stays usable, and say
//! how many they gathered. No input makes any of this recurse.

mod diff;
mod dot;
mod error;
mod icicle;
mod label;
mod names;
mod outline;
mod page;
mod snapshot;
mod text;

pub use diff::{Diff, Growth};
pub use error::Error;
pub use snapshot::{Cell, Kind, Snapshot, Source, Store, Totals};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
