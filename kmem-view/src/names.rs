//! The cells by name, at any place.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::label::{Label, Shown};
use crate::outline::Tally;
use crate::{Kind, Snapshot};

/// All cells with one name, or all cells of one kind without a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    label: Label<'a>,
    pub tally: Tally,
}

/// The names of a snapshot.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    /// The names with the most bytes, the heaviest first.
    pub most: Vec<Named<'a>>,
    /// The number of other names.
    pub others: u64,
    /// The sums over the other names.
    pub rest: Tally,
}

impl<'a> Names<'a> {
    pub fn new(snapshot: &'a Snapshot, most: usize) -> Names<'a> {
        let mut found = HashMap::new();
        let mut names: Vec<Named<'a>> = Vec::new();
        let mut tally = |label: Label<'a>, add: &dyn Fn(&mut Tally)| {
            let index = *found.entry(label).or_insert_with(|| {
                names.push(Named { label, tally: Tally::default() });
                names.len() - 1
            });
            add(&mut names[index].tally);
        };
        for cell in snapshot.cells() {
            // A name has one row for cells of all kinds. The kind in the label does not matter.
            let label = match cell.name.as_deref() {
                Some(name) => Label::Cell(Kind::Tree, Some(name)),
                None => Label::Cell(cell.kind, None),
            };
            tally(label, &|tally| tally.add_cell(cell));
            if let Some(below) = cell.below.as_deref() {
                tally(Label::Deeper, &|tally| tally.add_totals(below));
            }
        }
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by_key(|&index| Reverse((names[index].tally.block, names[index].tally.cells)));
        let (first, others) = order.split_at(order.len().min(most));
        let mut rest = Tally::default();
        others.iter().for_each(|&index| rest.add(&names[index].tally));
        let most = first.iter().map(|&index| names[index]).collect();
        Names { most, others: others.len() as u64, rest }
    }
}

impl Named<'_> {
    /// The title of the row.
    pub fn shown(&self) -> String {
        match self.label {
            Label::Cell(_, Some(name)) => Shown(name).to_string(),
            Label::Cell(kind, None) => format!("unnamed {}", kind.name()),
            Label::All | Label::Deeper => "not listed in the snapshot".to_owned(),
        }
    }
}
