//! The errors of reading a snapshot.

use std::fmt;
use std::io;

/// The reason why a snapshot was refused.
///
/// ```
/// # use kmem_view::{Error, Snapshot};
/// let error = Snapshot::read(&b"{\"kmem\":2}"[..]).unwrap_err();
/// assert!(matches!(error, Error::Version(2)));
/// assert_eq!(error.to_string(), "the snapshot has version 2 of the format; this program reads version 1");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The bytes could not be read.
    Read(io::Error),
    /// The bytes are not JSON, or not the JSON of a snapshot. The message names the line and the column. A snapshot of kmem has one cell
    /// on a line.
    Format(String),
    /// The snapshot has this version of the format, which is not supported.
    Version(u64),
    /// A cell is more than one level deeper than the cell before it, or the first cell is not a root.
    Depth {
        /// The index of the cell in the list, from 0.
        cell: usize,
        /// The depth of the cell.
        depth: u32,
        /// The greatest valid depth at this place.
        most: u32,
    },
    /// The total of the snapshot is not the sum over its cells.
    Total {
        /// The field of the total: `cells`, `size` or `block`.
        what: &'static str,
        /// The total in the snapshot.
        given: u64,
        /// The sum over the cells, or `None` if it does not fit into 64 bits.
        summed: Option<u64>,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Read(error) => write!(f, "the snapshot could not be read: {error}"),
            Error::Format(message) => write!(f, "this is not a snapshot: {message}"),
            Error::Version(version) => {
                write!(f, "the snapshot has version {version} of the format; this program reads version 1")
            }
            Error::Depth { cell, depth, most } => {
                write!(f, "cell {cell} has depth {depth}, but at most {most} is valid there")
            }
            Error::Total { what, given, summed: Some(summed) } => {
                write!(f, "the total of `{what}` is {given}, but the sum over the cells is {summed}")
            }
            Error::Total { what, given, summed: None } => {
                write!(
                    f,
                    "the total of `{what}` is {given}, but the sum over the cells does not fit into 64 bits"
                )
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Read(error) => Some(error),
            _ => None,
        }
    }
}
