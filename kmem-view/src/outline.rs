//! Cells gathered by path of names, and the heaviest of these paths, as many as can be drawn.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::label::Label;
use crate::{Cell, Snapshot, Source, Totals};

/// The most levels that are told apart. Deeper cells are gathered, so that a chain of a million nodes stays drawable.
pub(crate) const LEVELS: u32 = 64;

/// Sums over cells, and what else there is to say of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub cells: u64,
    pub size: u64,
    pub block: u64,
    pub tainted: u64,
    pub adopted: u64,
    pub refs: u64,
    sources: u8,
}

/// The same at two moments. Of a single snapshot the older is empty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pair {
    pub older: Tally,
    pub newer: Tally,
}

/// All cells with one path of names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch<'a> {
    pub label: Label<'a>,
    /// The branch it hangs from; that of branch 0 is itself.
    pub parent: usize,
    /// Its cells alone.
    pub own: Pair,
    /// Its cells and all below them.
    pub all: Pair,
}

/// Cells gathered by path of names. Every branch comes after the one it hangs from.
#[derive(Debug)]
pub(crate) struct Outline<'a> {
    pub branches: Vec<Branch<'a>>,
    found: HashMap<(usize, Label<'a>), usize>,
    levels: usize,
}

/// What is drawn of an outline, each frame before those that hang from it and the heavier of two first.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The frame it hangs from, except of the first.
    pub parent: Option<usize>,
    pub shows: Shows,
}

#[derive(Debug)]
pub(crate) enum Shows {
    /// One branch.
    Branch(usize),
    /// Branches that are too light to be drawn each for itself: how many hang here, and all they hold.
    Others(usize, Pair),
}

/// How much of an outline is drawn.
pub(crate) struct Room {
    /// The most branches that get a frame. Those left out share one where they hang, so that there are at most twice as many.
    pub frames: usize,
    /// What share of everything a branch must hold to get a frame: one in this many.
    pub share: u64,
    /// What a branch weighs. No branch may outweigh the one it hangs from.
    pub weight: fn(&Pair) -> u64,
}

impl<'a> Outline<'a> {
    /// Gathers the cells of a snapshot, and of an older one. Those deeper than `depth` are gathered as such.
    pub fn new(older: Option<&'a Snapshot>, newer: &'a Snapshot, depth: Option<u32>) -> Outline<'a> {
        let root = Branch { label: Label::All, parent: 0, own: Pair::default(), all: Pair::default() };
        let levels = depth.map_or(LEVELS, |depth| depth.saturating_add(1).min(LEVELS)) as usize;
        let mut outline = Outline { branches: vec![root], found: HashMap::new(), levels };
        if let Some(older) = older {
            outline.gather(older, |pair| &mut pair.older);
        }
        outline.gather(newer, |pair| &mut pair.newer);
        for index in (0..outline.branches.len()).rev() {
            let branch = &mut outline.branches[index];
            branch.all.older.add(&branch.own.older);
            branch.all.newer.add(&branch.own.newer);
            let (parent, all) = (branch.parent, branch.all);
            if index > 0 {
                outline.branches[parent].all.older.add(&all.older);
                outline.branches[parent].all.newer.add(&all.newer);
            }
        }
        outline
    }

    fn gather(&mut self, snapshot: &'a Snapshot, side: fn(&mut Pair) -> &mut Tally) {
        // The branch of the cell last seen at each depth, one further in: that of depth 0 is at 1.
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

    /// The labels on the way to a branch, without that of everything.
    pub fn path(&self, mut branch: usize) -> Vec<Label<'a>> {
        let mut path = Vec::new();
        while branch != 0 {
            path.push(self.branches[branch].label);
            branch = self.branches[branch].parent;
        }
        path.reverse();
        path
    }

    /// The heaviest branches, as many as there is room for, and the others where they hang.
    pub fn frames(&self, room: &Room) -> Vec<Frame> {
        let weight = |branch: usize| (room.weight)(&self.branches[branch].all);
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); self.branches.len()];
        for (index, branch) in self.branches.iter().enumerate().skip(1) {
            below[branch.parent].push(index);
        }
        for below in &mut below {
            below.sort_by_key(|&branch| (Reverse(weight(branch)), branch));
        }
        // Nothing outweighs what it hangs from: the heaviest branch that is not yet drawn always hangs from one that is.
        let least = (weight(0) / room.share).max(1);
        let mut drawn = vec![false; self.branches.len()];
        let mut next = BinaryHeap::from([(weight(0), Reverse(0))]);
        for _ in 0..room.frames {
            let Some((_, Reverse(branch))) = next.pop() else { break };
            drawn[branch] = true;
            next.extend(
                below[branch]
                    .iter()
                    .map(|&branch| (weight(branch), Reverse(branch)))
                    .filter(|&(weight, _)| weight >= least),
            );
        }
        let mut frames = Vec::new();
        let mut ahead = vec![(None, 0)];
        while let Some((parent, branch)) = ahead.pop() {
            if !drawn[branch] {
                // The lightest of those below one branch, which come last: all of them share this frame.
                let from = self.branches[branch].parent;
                let mut others = Pair::default();
                let mut count = 0;
                for &other in below[from].iter().filter(|&&other| !drawn[other]) {
                    others.older.add(&self.branches[other].all.older);
                    others.newer.add(&self.branches[other].all.newer);
                    count += 1;
                }
                frames.push(Frame { parent, shows: Shows::Others(count, others) });
                continue;
            }
            let frame = Some(frames.len());
            frames.push(Frame { parent, shows: Shows::Branch(branch) });
            let below = &below[branch];
            ahead.extend(below.iter().find(|&&other| !drawn[other]).map(|&other| (frame, other)));
            ahead.extend(below.iter().rev().filter(|&&below| drawn[below]).map(|&below| (frame, below)));
        }
        frames
    }
}

impl Tally {
    pub fn add_cell(&mut self, cell: &Cell) {
        self.add_totals(&cell.totals());
        self.tainted += u64::from(cell.tainted);
        self.adopted += u64::from(cell.adopted);
        self.refs = self.refs.saturating_add(cell.refs.unwrap_or(0));
        self.sources |= 1 << cell.source as u8;
    }

    pub fn add_totals(&mut self, totals: &Totals) {
        self.cells += totals.cells;
        self.size += totals.size;
        self.block += totals.block;
    }

    fn add(&mut self, other: &Tally) {
        self.add_totals(&Totals { cells: other.cells, size: other.size, block: other.block });
        self.tainted += other.tainted;
        self.adopted += other.adopted;
        self.refs = self.refs.saturating_add(other.refs);
        self.sources |= other.sources;
    }

    /// Where its blocks were drawn, each named once: `heap, pool`.
    pub fn sources(&self) -> String {
        let all = [Source::Heap, Source::Pool, Source::Source, Source::Tree, Source::Buffer];
        let named: Vec<_> =
            all.into_iter().filter(|&s| self.sources >> s as u8 & 1 != 0).map(Source::name).collect();
        named.join(", ")
    }
}

/// What the frames of a drawing stand for, so that the drawing can say it.
#[derive(Debug, Default)]
pub(crate) struct Drawn {
    /// How many frames there are, without that of everything.
    pub frames: u64,
    /// Cells in frames of their own path of names.
    pub named: u64,
    /// Cells that lie too deep to be told apart.
    pub deeper: u64,
    /// Cells in branches that are too light for a frame of their own.
    pub light: u64,
}

impl Drawn {
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

impl std::fmt::Display for Drawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use crate::label::many;
        let cells = self.named + self.deeper + self.light;
        let (as_what, frames) = (if cells == 1 { "is" } else { "are" }, many(self.frames, "frame"));
        write!(
            f,
            "{} {as_what} drawn as {frames}: cells alike in kind, name and place share a frame",
            many(cells, "cell")
        )?;
        if self.light > 0 {
            write!(
                f,
                "; {} in branches too light for a frame of their own are gathered where they hang",
                many(self.light, "cell")
            )?;
        }
        if self.deeper > 0 {
            write!(
                f,
                "; {} too deep to be told apart, or not listed in the snapshot, are gathered as “deeper”",
                many(self.deeper, "cell")
            )?;
        }
        f.write_str(".")
    }
}
