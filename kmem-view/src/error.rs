//! What can be wrong with a snapshot.

use std::fmt;
use std::io;

/// Why a snapshot was refused.
///
/// ```
/// # use kmem_view::{Error, Snapshot};
/// let error = Snapshot::read(&b"{\"kmem\":2}"[..]).unwrap_err();
/// assert!(matches!(error, Error::Version(2)));
/// assert_eq!(error.to_string(), "the snapshot has version 2 of the format, and this program reads version 1");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The bytes could not be read.
    Read(io::Error),
    /// This is not JSON, or not the JSON of a snapshot. The message names the line and the column; a snapshot has one cell
    /// to a line.
    Format(String),
    /// The snapshot is of another version of the format, this one.
    Version(u64),
    /// A cell lies more than one level below the cell before it, or the first cell is no root.
    Depth {
        /// Which cell of the list it is, counted from 0.
        cell: usize,
        /// The depth it gives.
        depth: u32,
        /// The greatest depth that it could have there.
        most: u32,
    },
    /// The sum over all cells is not what the snapshot gives as its total.
    Total {
        /// What was summed: `cells`, `size` or `block`.
        what: &'static str,
        /// The total that the snapshot gives.
        given: u64,
        /// The sum over its cells, or nothing where that does not fit into 64 bits.
        summed: Option<u64>,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Read(error) => write!(f, "the snapshot could not be read: {error}"),
            Error::Format(message) => write!(f, "this is no snapshot: {message}"),
            Error::Version(version) => {
                write!(
                    f,
                    "the snapshot has version {version} of the format, and this program reads version 1"
                )
            }
            Error::Depth { cell, depth, most } => {
                write!(f, "cell {cell} has depth {depth}, where {most} is the most that can follow")
            }
            Error::Total { what, given, summed: Some(summed) } => {
                write!(f, "the total of `{what}` is given as {given}, but its cells sum to {summed}")
            }
            Error::Total { what, given, summed: None } => {
                write!(
                    f,
                    "the total of `{what}` is given as {given}, but its cells sum to more than 64 bits hold"
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
