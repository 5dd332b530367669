//! The growth between two snapshots.

use std::cmp::Reverse;
use std::io::{self, Write};

use crate::label::{Counted, many};
use crate::outline::Outline;
use crate::{Snapshot, Totals};

/// The most paths that grew which are listed. The others are summed.
pub(crate) const GROWN: usize = 300;
/// The most paths that shrank which are listed.
pub(crate) const SHRUNK: usize = 100;

/// Two snapshots of one program, compared by path of names.
#[derive(Clone, Copy, Debug)]
pub struct Diff<'a> {
    pub(crate) older: &'a Snapshot,
    pub(crate) newer: &'a Snapshot,
}

/// The growth of a path of names that both snapshots have. It counts the cells of the path, and everything below it on paths that only
/// one snapshot has. A path below it that both snapshots have is counted separately.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Growth {
    /// The kinds and names, from the root on. The middle of a long path and the end of a long name are left out. The path of everything
    /// is `all`.
    pub path: String,
    /// The older totals, with the paths below it that have vanished.
    pub older: Totals,
    /// The newer totals, with the paths below it that are new.
    pub newer: Totals,
    /// The number of new paths below it.
    pub new: u64,
    /// The number of vanished paths below it.
    pub vanished: u64,
    /// The kind and name of the heaviest new path.
    pub heaviest: Option<String>,
}

/// A growth before it is converted to text. Most of a million are never converted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub branch: usize,
    pub older: Totals,
    pub newer: Totals,
    pub new: u64,
    pub vanished: u64,
    pub heaviest: Option<usize>,
}

/// All paths that changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// The paths that grew, the largest change first.
    pub grown: Vec<Change>,
    /// The paths that shrank, the largest change first.
    pub shrunk: Vec<Change>,
}

impl<'a> Diff<'a> {
    /// Compares two snapshots.
    pub fn new(older: &'a Snapshot, newer: &'a Snapshot) -> Diff<'a> {
        Diff { older, newer }
    }

    /// Returns every path of both snapshots that has more bytes than before, or the same bytes in more cells, the largest change first.
    ///
    /// New and vanished paths count at the nearest path above them that both snapshots have. So a list grows as one path, even if each
    /// element has a name of its own. Together with the paths that [shrank](Diff::shrunk), the paths sum to the growth of the whole.
    /// Cells that are deeper than `depth`, than 64 levels, or than either snapshot lists count as one path below their parent.
    pub fn grown(&self, depth: Option<u32>) -> Vec<Growth> {
        let outline = self.outline(depth);
        Changes::new(&outline).grown.iter().map(|change| change.written(&outline)).collect()
    }

    /// Returns every path of both snapshots that has fewer bytes than before, or the same bytes in fewer cells, the largest change first.
    /// [`Diff::grown`] describes the paths.
    pub fn shrunk(&self, depth: Option<u32>) -> Vec<Growth> {
        let outline = self.outline(depth);
        Changes::new(&outline).shrunk.iter().map(|change| change.written(&outline)).collect()
    }

    /// Writes a line for each path that grew, at most 300, a line for each path that shrank, at most 100, and a line for the whole.
    ///
    /// # Errors
    ///
    /// Returns the error of `to` if it cannot be written to.
    ///
    /// ```
    /// # use kmem_view::{Diff, Snapshot};
    /// # let older = Snapshot::read(
    /// #     &br#"{"kmem":1,"cells":[
    /// #     {"depth":0,"kind":"tree","name":"server","at":"0x1000","size":24,"block":104}
    /// #     ],"total":{"cells":1,"size":24,"block":104}}"#[..],
    /// # )?;
    /// # let newer = Snapshot::read(
    /// #     &br#"{"kmem":1,"cells":[
    /// #     {"depth":0,"kind":"tree","name":"server","at":"0x1000","size":24,"block":104},
    /// #     {"depth":1,"kind":"tree","name":"session","at":"0x2000","size":64,"block":144}
    /// #     ],"total":{"cells":2,"size":88,"block":248}}"#[..],
    /// # )?;
    /// let mut text = Vec::new();
    /// Diff::new(&older, &newer).text(&mut text, None)?;
    /// assert_eq!(
    ///     String::from_utf8(text)?,
    ///     "+144 bytes with headers (104 to 248), +1 cell (1 to 2): tree \"server\"; 1 path below is new, the heaviest tree \"session\"\n\
    ///      in all +144 bytes with headers (104 to 248), +1 cell (1 to 2)\n"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn text(&self, mut to: impl Write, depth: Option<u32>) -> io::Result<()> {
        let outline = self.outline(depth);
        let changes = Changes::new(&outline);
        for (changes, most, what) in [(&changes.grown, GROWN, "grew"), (&changes.shrunk, SHRUNK, "shrank")] {
            let (listed, rest) = changes.split_at(changes.len().min(most));
            for change in listed {
                write!(to, "{}: {}", line(&change.older, &change.newer), outline.path(change.branch))?;
                let note = change.note(&outline);
                writeln!(to, "{}{note}", if note.is_empty() { "" } else { "; " })?;
            }
            if !rest.is_empty() {
                let (older, newer) = sums(rest);
                let paths = Counted(rest.len() as u64, "other path");
                writeln!(to, "{}: {paths} that {what}", line(&older, &newer))?;
            }
        }
        if let Some(said) = self.limits() {
            writeln!(to, "{said}")?;
        }
        writeln!(to, "in all {}", line(&self.older.real(), &self.newer.real()))
    }

    /// Both snapshots, down to the same depth. Otherwise cells that only one of them lists would look new or vanished.
    pub(crate) fn outline(&self, depth: Option<u32>) -> Outline<'a> {
        let depth = [depth, self.older.limit(), self.newer.limit()].into_iter().flatten().min();
        Outline::new(Some(self.older), self.newer, depth)
    }

    /// A note for snapshots that list cells down to different depths.
    pub(crate) fn limits(&self) -> Option<String> {
        let (older, newer) = (self.older.limit(), self.newer.limit());
        let to = |limit: Option<u32>| {
            limit.map_or("all cells".to_owned(), |limit| format!("cells down to depth {limit}"))
        };
        let least = older.into_iter().chain(newer).min()?;
        (older != newer).then(|| {
            format!(
                "The older snapshot lists {}, the newer {}: in both, cells deeper than {least} are combined as “deeper”.",
                to(older),
                to(newer)
            )
        })
    }
}

impl Changes {
    pub fn new(outline: &Outline<'_>) -> Changes {
        let mut changes: Vec<Change> = Vec::new();
        // For each branch the change that it belongs to: its own if both snapshots have it, otherwise that of its parent.
        let mut belongs: Vec<usize> = Vec::with_capacity(outline.branches.len());
        for (index, branch) in outline.branches.iter().enumerate() {
            let (older, newer) = (&branch.own.older, &branch.own.newer);
            let in_both = index == 0 || (older.is_there() && newer.is_there());
            if in_both {
                belongs.push(changes.len());
                let (older, newer) = (older.totals(), newer.totals());
                changes.push(Change { branch: index, older, newer, new: 0, vanished: 0, heaviest: None });
                continue;
            }
            let to = belongs[branch.parent];
            belongs.push(to);
            let change = &mut changes[to];
            change.older += older.totals();
            change.newer += newer.totals();
            change.new += u64::from(newer.is_there());
            change.vanished += u64::from(older.is_there());
            let weight = |branch: usize| outline.branches[branch].all.newer.block;
            // The first of several with the same weight: it is never below another of them.
            if newer.is_there() && change.heaviest.is_none_or(|heaviest| weight(index) > weight(heaviest)) {
                change.heaviest = Some(index);
            }
        }
        let zero = (0, 0);
        let mut grown: Vec<_> = changes.iter().filter(|change| change.by() > zero).copied().collect();
        let mut shrunk: Vec<_> = changes.iter().filter(|change| change.by() < zero).copied().collect();
        grown.sort_by_key(|change| Reverse(change.by()));
        shrunk.sort_by_key(Change::by);
        Changes { grown, shrunk }
    }
}

impl Change {
    /// The growth in bytes with headers and in cells, negative if it shrank.
    fn by(&self) -> (i128, i128) {
        let by = |older: u64, newer: u64| i128::from(newer) - i128::from(older);
        (by(self.older.block, self.newer.block), by(self.older.cells, self.newer.cells))
    }

    fn written(&self, outline: &Outline<'_>) -> Growth {
        let Change { branch, older, newer, new, vanished, heaviest } = *self;
        let heaviest = heaviest.map(|branch| outline.branches[branch].label.to_string());
        Growth { path: outline.path(branch), older, newer, new, vanished, heaviest }
    }

    /// `3 paths below are new, the heaviest tree "session"; 1 path below has vanished`.
    pub fn note(&self, outline: &Outline<'_>) -> String {
        let mut note = String::new();
        if let Some(heaviest) = self.heaviest {
            let are = if self.new == 1 { "is" } else { "are" };
            let heaviest = outline.branches[heaviest].label;
            note = format!("{} below {are} new, the heaviest {heaviest}", many(self.new, "path"));
        }
        if self.vanished > 0 {
            let have = if self.vanished == 1 { "has" } else { "have" };
            let separator = if note.is_empty() { "" } else { "; " };
            note += &format!("{separator}{} below {have} vanished", many(self.vanished, "path"));
        }
        note
    }
}

/// The older and newer sums over some paths.
pub(crate) fn sums(changes: &[Change]) -> (Totals, Totals) {
    changes.iter().fold(Default::default(), |(mut older, mut newer), change| {
        older += change.older;
        newer += change.newer;
        (older, newer)
    })
}

fn line(older: &Totals, newer: &Totals) -> String {
    let part = |older: u64, newer: u64, of: &str, more: &str| {
        let by = i128::from(newer) - i128::from(older);
        format!("{by:+} {of}{}{more} ({older} to {newer})", if by.abs() == 1 { "" } else { "s" })
    };
    let (block, cells) =
        (part(older.block, newer.block, "byte", " with headers"), part(older.cells, newer.cells, "cell", ""));
    format!("{block}, {cells}")
}
