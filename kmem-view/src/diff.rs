//! What grew between two snapshots.

use std::cmp::Reverse;
use std::io::{self, Write};

use crate::label::Label;
use crate::outline::{Outline, Tally};
use crate::{Snapshot, Totals};

/// The most labels of a path that are written out.
const WRITTEN: usize = 8;

/// Two snapshots of one program, compared by path of names.
#[derive(Clone, Copy, Debug)]
pub struct Diff<'a> {
    pub(crate) older: &'a Snapshot,
    pub(crate) newer: &'a Snapshot,
}

/// How all cells with one path of names grew, what lies below them left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Growth {
    /// Their kinds and names, from the root on. Of a long path, the middle is left out; of a long name, the end.
    pub path: String,
    /// What they were.
    pub older: Totals,
    /// What they are.
    pub newer: Totals,
}

impl<'a> Diff<'a> {
    /// Compares two snapshots.
    pub fn new(older: &'a Snapshot, newer: &'a Snapshot) -> Diff<'a> {
        Diff { older, newer }
    }

    /// Every path of names whose cells hold more bytes than before, or are more, that which grew most first. Together with what
    /// shrank, they sum to the growth of the whole. Cells deeper than `depth`, or than 64 levels, count as one path where they
    /// hang.
    pub fn grown(&self, depth: Option<u32>) -> Vec<Growth> {
        let outline = Outline::new(Some(self.older), self.newer, depth);
        grown(&outline)
    }

    /// Writes a line for each path of names that grew, and one for the whole.
    ///
    /// # Errors
    ///
    /// When `to` cannot be written to.
    ///
    /// ```
    /// # use kmem_view::{Diff, Snapshot};
    /// # let older = Snapshot::read(&br#"{"kmem":1,"cells":[],"total":{"cells":0,"size":0,"block":0}}"#[..])?;
    /// # let newer = Snapshot::read(
    /// #     &br#"{"kmem":1,"cells":[
    /// #     {"depth":0,"kind":"tree","name":"server","at":"0x1000","size":24,"block":104}
    /// #     ],"total":{"cells":1,"size":24,"block":104}}"#[..],
    /// # )?;
    /// let mut text = Vec::new();
    /// Diff::new(&older, &newer).text(&mut text, None)?;
    /// assert_eq!(
    ///     String::from_utf8(text)?,
    ///     "+104 bytes with headers (0 to 104), +1 cells (0 to 1): tree \"server\"\n\
    ///      in all +104 bytes with headers (0 to 104), +1 cells (0 to 1)\n"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn text(&self, mut to: impl Write, depth: Option<u32>) -> io::Result<()> {
        for growth in self.grown(depth) {
            writeln!(to, "{}: {}", change(&growth.older, &growth.newer), growth.path)?;
        }
        writeln!(to, "in all {}", change(&self.older.total(), &self.newer.total()))
    }
}

impl Growth {
    /// The bytes with headers and the cells by which it grew, or shrank.
    pub(crate) fn by(&self) -> (i128, i128) {
        let by = |older: u64, newer: u64| i128::from(newer) - i128::from(older);
        (by(self.older.block, self.newer.block), by(self.older.cells, self.newer.cells))
    }
}

pub(crate) fn grown(outline: &Outline<'_>) -> Vec<Growth> {
    let mut grown: Vec<_> = outline
        .branches
        .iter()
        .enumerate()
        .filter(|(_, branch)| {
            let (older, newer) = (&branch.own.older, &branch.own.newer);
            newer.block > older.block || newer.cells > older.cells
        })
        .map(|(index, branch)| Growth {
            path: path(&outline.path(index)),
            older: totals(&branch.own.older),
            newer: totals(&branch.own.newer),
        })
        .collect();
    grown.sort_by_key(|growth| Reverse(growth.by()));
    grown
}

fn totals(tally: &Tally) -> Totals {
    Totals { cells: tally.cells, size: tally.size, block: tally.block }
}

fn path(labels: &[Label<'_>]) -> String {
    let written = |labels: &[Label<'_>]| labels.iter().map(Label::to_string).collect::<Vec<_>>().join(" / ");
    if labels.len() <= WRITTEN {
        return written(labels);
    }
    let (first, rest) = labels.split_at(WRITTEN / 2);
    let (between, last) = rest.split_at(rest.len() - WRITTEN / 2);
    format!("{} / … {} between … / {}", written(first), between.len(), written(last))
}

fn change(older: &Totals, newer: &Totals) -> String {
    let by = |older: u64, newer: u64| i128::from(newer) - i128::from(older);
    format!(
        "{:+} bytes with headers ({} to {}), {:+} cells ({} to {})",
        by(older.block, newer.block),
        older.block,
        newer.block,
        by(older.cells, newer.cells),
        older.cells,
        newer.cells
    )
}
