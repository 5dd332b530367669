//! Cells combined by path of names, and the heaviest of these paths, as many as can be drawn.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fmt;

use crate::label::{Label, many};
use crate::{Cell, Kind, Snapshot, Source, Totals};

/// The most levels that are shown separately. Deeper cells are combined, so that a chain of a million nodes can be drawn.
pub(crate) const LEVELS: u32 = 64;

/// The most labels in the text of a path.
const WRITTEN: usize = 8;

/// Sums over some cells, each counted once, and their kinds and sources.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub cells: u64,
    pub size: u64,
    pub block: u64,
    pub refs: u64,
    pub tainted: u64,
    /// The number of cells that are held again. The sums count only their holders.
    pub again: u64,
    traits: Traits,
}

/// A bit for each kind and source of some cells, one if any is adopted, and one if any is tainted.
#[derive(Clone, Copy, Debug, Default)]
struct Traits(u16);

/// Tallies of the older and the newer snapshot. Without an older snapshot, the older is empty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pair {
    pub older: Tally,
    pub newer: Tally,
}

/// All cells with one path of names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch<'a> {
    pub label: Label<'a>,
    /// The index of the parent. The parent of branch 0 is branch 0.
    pub parent: usize,
    /// Its cells, without its descendants.
    pub own: Pair,
    /// Its cells and their descendants.
    pub all: Pair,
}

/// Cells combined by path of names. Each branch comes after its parent.
#[derive(Debug)]
pub(crate) struct Outline<'a> {
    pub branches: Vec<Branch<'a>>,
}

/// A frame of a drawing. Each frame comes before its children, and the heavier of two siblings comes first.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The parent; the first frame has none.
    pub parent: Option<usize>,
    pub shows: Shows,
}

#[derive(Debug)]
pub(crate) enum Shows {
    /// One branch.
    Branch(usize),
    /// Branches that are too light for frames of their own: their number, and their sums.
    Others(usize, Pair),
}

/// The limit of a drawing.
pub(crate) struct Room {
    /// The most branches with a frame of their own. The others share a frame below their parent, so there are at most twice as many frames.
    pub frames: usize,
    /// The weight of a branch. A branch must not outweigh its parent.
    pub weight: fn(&Pair) -> u64,
}

impl<'a> Outline<'a> {
    /// Combines the cells of a snapshot, and of an older one. Cells deeper than `depth` get the label `Deeper`.
    pub fn new(older: Option<&'a Snapshot>, newer: &'a Snapshot, depth: Option<u32>) -> Outline<'a> {
        let root = Branch { label: Label::All, parent: 0, own: Pair::default(), all: Pair::default() };
        let levels = depth.map_or(LEVELS, |depth| depth.saturating_add(1).min(LEVELS)) as usize;
        let mut gathering = Gathering { branches: vec![root], found: HashMap::new(), levels };
        if let Some(older) = older {
            gathering.gather(older, |pair| &mut pair.older);
        }
        gathering.gather(newer, |pair| &mut pair.newer);
        let mut branches = gathering.branches;
        for index in (0..branches.len()).rev() {
            let branch = &mut branches[index];
            branch.all.add(&branch.own);
            let (parent, all) = (branch.parent, branch.all);
            if index > 0 {
                branches[parent].all.add(&all);
            }
        }
        Outline { branches }
    }

    /// The labels from the root to a branch, without `All`. The middle of a long path is left out.
    pub fn path(&self, mut branch: usize) -> String {
        let mut labels = Vec::new();
        while branch != 0 {
            labels.push(self.branches[branch].label);
            branch = self.branches[branch].parent;
        }
        labels.reverse();
        let written =
            |labels: &[Label<'_>]| labels.iter().map(Label::to_string).collect::<Vec<_>>().join(" / ");
        if labels.is_empty() {
            return Label::All.to_string();
        }
        if labels.len() <= WRITTEN {
            return written(&labels);
        }
        let (first, rest) = labels.split_at(WRITTEN / 2);
        let (between, last) = rest.split_at(rest.len() - WRITTEN / 2);
        format!("{} / … {} between … / {}", written(first), between.len(), written(last))
    }

    /// The frames of the heaviest branches, and of the others below their parents. Up to half of the room is for branches with tainted
    /// cells, however light they are.
    pub fn frames(&self, room: &Room) -> Vec<Frame> {
        let weight = |branch: usize| (room.weight)(&self.branches[branch].all);
        let tainted = |branch: usize| self.branches[branch].all.newer.is_tainted();
        let mut below = Below::new(&self.branches);
        // No branch outweighs its parent, and the parent of a tainted branch is tainted. So the parent of the next branch is already
        // drawn.
        let mut drawn = vec![false; self.branches.len()];
        let mut order = Vec::new();
        let draw = |branch: usize, drawn: &mut Vec<bool>, below: &mut Below, order: &mut Vec<usize>| {
            drawn[branch] = true;
            below.sort(branch, weight);
            order.push(branch);
        };
        draw(0, &mut drawn, &mut below, &mut order);
        for (most, tainted_alone) in [(room.frames / 2, true), (room.frames, false)] {
            let waits = |branch: &usize, drawn: &[bool]| {
                !drawn[*branch] && weight(*branch) > 0 && (!tainted_alone || tainted(*branch))
            };
            let entry = |&branch: &usize| (weight(branch), Reverse(branch));
            let mut next: BinaryHeap<_> = order
                .iter()
                .flat_map(|&parent| below.of(parent))
                .filter(|branch| waits(branch, &drawn))
                .map(entry)
                .collect();
            while order.len() < most {
                let Some((_, Reverse(branch))) = next.pop() else { break };
                draw(branch, &mut drawn, &mut below, &mut order);
                next.extend(below.of(branch).iter().filter(|branch| waits(branch, &drawn)).map(entry));
            }
        }
        let mut frames = Vec::new();
        let mut ahead = vec![(None, 0)];
        while let Some((parent, branch)) = ahead.pop() {
            if !drawn[branch] {
                // The children that are not drawn come last and share this frame.
                let mut others = Pair::default();
                let mut count = 0;
                for &other in below.of(self.branches[branch].parent).iter().filter(|&&other| !drawn[other]) {
                    others.add(&self.branches[other].all);
                    count += 1;
                }
                frames.push(Frame { parent, shows: Shows::Others(count, others) });
                continue;
            }
            let frame = Some(frames.len());
            frames.push(Frame { parent, shows: Shows::Branch(branch) });
            let below = below.of(branch);
            ahead.extend(below.iter().find(|&&other| !drawn[other]).map(|&other| (frame, other)));
            ahead.extend(below.iter().rev().filter(|&&below| drawn[below]).map(|&below| (frame, below)));
        }
        frames
    }
}

/// An outline under construction.
struct Gathering<'a> {
    branches: Vec<Branch<'a>>,
    found: HashMap<(usize, Label<'a>), usize>,
    levels: usize,
}

impl<'a> Gathering<'a> {
    fn gather(&mut self, snapshot: &'a Snapshot, side: fn(&mut Pair) -> &mut Tally) {
        // The branch of the last cell at each depth, shifted by one: depth 0 is at index 1.
        let mut path = vec![0];
        for cell in snapshot.cells() {
            let depth = cell.depth as usize;
            let above = path[depth.min(self.levels)];
            let branch = if depth < self.levels {
                let branch = self.branch(above, Label::Cell(cell.kind, cell.name.as_deref()));
                path.truncate(depth + 1);
                path.push(branch);
                branch
            } else {
                self.branch(above, Label::Deeper)
            };
            side(&mut self.branches[branch].own).add_cell(cell);
            if let Some(below) = cell.below.as_deref() {
                let branch = if depth < self.levels { self.branch(branch, Label::Deeper) } else { branch };
                side(&mut self.branches[branch].own).add_totals(below);
            }
        }
    }

    fn branch(&mut self, parent: usize, label: Label<'a>) -> usize {
        *self.found.entry((parent, label)).or_insert_with(|| {
            self.branches.push(Branch { label, parent, own: Pair::default(), all: Pair::default() });
            self.branches.len() - 1
        })
    }
}

/// The children of each branch, in one list: of a million branches, nearly all have none.
struct Below {
    branches: Vec<usize>,
    starts: Vec<usize>,
}

impl Below {
    fn new(of: &[Branch<'_>]) -> Below {
        let mut branches: Vec<usize> = (1..of.len()).collect();
        branches.sort_by_key(|&branch| of[branch].parent);
        let mut starts = vec![0; of.len() + 1];
        for branch in of.iter().skip(1) {
            starts[branch.parent + 1] += 1;
        }
        for index in 1..starts.len() {
            starts[index] += starts[index - 1];
        }
        Below { branches, starts }
    }

    fn of(&self, branch: usize) -> &[usize] {
        &self.branches[self.starts[branch]..self.starts[branch + 1]]
    }

    fn sort(&mut self, branch: usize, weight: impl Fn(usize) -> u64) {
        self.branches[self.starts[branch]..self.starts[branch + 1]]
            .sort_unstable_by_key(|&branch| (Reverse(weight(branch)), branch));
    }
}

impl Pair {
    fn add(&mut self, other: &Pair) {
        self.older.add(&other.older);
        self.newer.add(&other.newer);
    }
}

impl Tally {
    pub fn add_cell(&mut self, cell: &Cell) {
        self.add_totals(&cell.real());
        if cell.again {
            self.again += 1;
        } else {
            self.tainted += u64::from(cell.tainted);
            self.refs = self.refs.saturating_add(cell.refs.unwrap_or(0));
        }
        self.traits.0 |= Traits::of(cell).0;
    }

    pub fn add_totals(&mut self, totals: &Totals) {
        self.cells += totals.cells;
        self.size += totals.size;
        self.block += totals.block;
    }

    pub fn add(&mut self, other: &Tally) {
        self.add_totals(&other.totals());
        self.refs = self.refs.saturating_add(other.refs);
        self.tainted += other.tainted;
        self.again += other.again;
        self.traits.0 |= other.traits.0;
    }

    pub fn totals(&self) -> Totals {
        Totals { cells: self.cells, size: self.size, block: self.block }
    }

    /// Returns true if there are cells, held again or not.
    pub fn is_there(&self) -> bool {
        self.cells + self.again > 0
    }

    pub fn is_adopted(&self) -> bool {
        self.traits.0 & Traits::ADOPTED != 0
    }

    /// Returns true if any cell is tainted, also if it is held again.
    pub fn is_tainted(&self) -> bool {
        self.traits.0 & Traits::TAINTED != 0
    }

    /// Returns true if there are a pool or an arena and cells that were allocated from one, perhaps from this one.
    pub fn has_store_and_cells_of_one(&self) -> bool {
        let cells = Traits::source(Source::Pool) | Traits::source(Source::Arena);
        self.traits.0 & Traits::kind(Kind::Store) != 0 && self.traits.0 & cells != 0
    }

    /// `ref, tree`.
    pub fn kinds(&self) -> String {
        self.traits.kinds().collect::<Vec<_>>().join(", ")
    }

    /// The sources of its blocks: `heap, pool`.
    pub fn sources(&self) -> String {
        self.traits.sources().collect::<Vec<_>>().join(", ")
    }

    /// The words that a search finds besides the name: `ref tree heap adopted tainted`.
    pub fn words(&self) -> String {
        let adopted = self.is_adopted().then_some("adopted");
        let tainted = self.is_tainted().then_some("tainted");
        let words = self.traits.kinds().chain(self.traits.sources()).chain(adopted).chain(tainted);
        words.collect::<Vec<_>>().join(" ")
    }
}

impl Traits {
    const KINDS: [Kind; 7] =
        [Kind::Tree, Kind::Heap, Kind::Ref, Kind::Pool, Kind::None, Kind::Store, Kind::Arena];
    const SOURCES: [Source; 7] = [
        Source::Heap,
        Source::Pool,
        Source::Source,
        Source::Tree,
        Source::Buffer,
        Source::Arena,
        Source::Limit,
    ];
    const ADOPTED: u16 = 1 << (Self::KINDS.len() + Self::SOURCES.len());
    const TAINTED: u16 = Self::ADOPTED << 1;

    fn of(cell: &Cell) -> Traits {
        let set = |is: bool, bit: u16| if is { bit } else { 0 };
        Traits(
            Self::kind(cell.kind)
                | Self::source(cell.source)
                | set(cell.adopted, Self::ADOPTED)
                | set(cell.tainted, Self::TAINTED),
        )
    }

    fn kind(kind: Kind) -> u16 {
        1 << kind as u16
    }

    fn source(source: Source) -> u16 {
        1 << (Self::KINDS.len() as u16 + source as u16)
    }

    fn kinds(self) -> impl Iterator<Item = &'static str> {
        Self::KINDS.into_iter().filter(move |&kind| self.0 & Self::kind(kind) != 0).map(Kind::name)
    }

    fn sources(self) -> impl Iterator<Item = &'static str> {
        Self::SOURCES.into_iter().filter(move |&source| self.0 & Self::source(source) != 0).map(Source::name)
    }
}

/// The numbers of cells and frames in a drawing.
#[derive(Debug, Default)]
pub(crate) struct Drawn {
    /// The number of frames, without that of everything.
    pub frames: u64,
    /// Cells in frames of their path.
    pub named: u64,
    /// Cells that are too deep to be shown separately.
    pub deeper: u64,
    /// Cells in branches that are too light for a frame of their own.
    pub light: u64,
}

impl Drawn {
    /// Cells without a frame that shows their name.
    pub fn gathered(&self) -> u64 {
        self.light + self.deeper
    }

    pub fn new(outline: &Outline<'_>, frames: &[Frame]) -> Drawn {
        let mut drawn = Drawn { frames: frames.len() as u64 - 1, ..Drawn::default() };
        for frame in frames {
            match &frame.shows {
                Shows::Branch(branch) => {
                    let branch = &outline.branches[*branch];
                    match branch.label {
                        Label::Deeper => drawn.deeper += branch.own.newer.cells,
                        _ => drawn.named += branch.own.newer.cells,
                    }
                }
                Shows::Others(_, pair) => drawn.light += pair.newer.cells,
            }
        }
        drawn
    }
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = self.named + self.deeper + self.light;
        let (as_what, frames) = (if cells == 1 { "is" } else { "are" }, many(self.frames, "frame"));
        write!(
            f,
            "{} {as_what} drawn as {frames}: cells with the same kind, name and place share a frame",
            many(cells, "cell")
        )?;
        if self.light > 0 {
            write!(
                f,
                "; {} in branches too light for frames of their own are combined below their parents",
                many(self.light, "cell")
            )?;
        }
        if self.deeper > 0 {
            write!(
                f,
                "; {} too deep to be shown, or not listed in the snapshot, are combined as “deeper”",
                many(self.deeper, "cell")
            )?;
        }
        f.write_str(".")
    }
}
