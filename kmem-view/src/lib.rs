//! Shows which objects of a program hold its memory, and which objects grew.
//!
//! kmem writes a snapshot of a tree, a pool or an arena as JSON. This crate reads the [`Snapshot`] and writes text, a graph for Graphviz, or an HTML
//! page in one file. From two snapshots, [`Diff`] computes the growth. This finds memory that is still reachable but no longer used.
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
//! The drawings combine cells with the same kind, name and place, so that a snapshot of a million cells stays usable, and say how
//! many they combined. No input makes this crate recurse.

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
pub use snapshot::{ArenaUse, Cell, Kind, PoolUse, Snapshot, Source, Store, Totals};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
