//! The cells by name, wherever they are.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use crate::label::{Label, Shown};
use crate::outline::Tally;
use crate::{Kind, Snapshot};

/// All cells of one name; without a name, all of one kind.
#[derive(Debug)]
pub(crate) struct Named<'a> {
    label: Label<'a>,
    pub kinds: BTreeSet<Kind>,
    pub tally: Tally,
}

/// Every name, that with the most bytes first.
pub(crate) fn by_name<'a>(snapshot: &'a Snapshot) -> Vec<Named<'a>> {
    let mut found = HashMap::new();
    let mut names: Vec<Named<'a>> = Vec::new();
    let mut named = |label: Label<'a>, names: &mut Vec<Named<'a>>| {
        *found.entry(label).or_insert_with(|| {
            names.push(Named { label, kinds: BTreeSet::new(), tally: Tally::default() });
            names.len() - 1
        })
    };
    for cell in snapshot.cells() {
        // A name is one row whatever the kinds of its cells; that of the label stands for all of them.
        let label = match cell.name.as_deref() {
            Some(name) => Label::Cell(Kind::Tree, Some(name)),
            None => Label::Cell(cell.kind, None),
        };
        let index = named(label, &mut names);
        names[index].kinds.insert(cell.kind);
        names[index].tally.add_cell(cell);
        if let Some(below) = cell.below.as_deref() {
            let index = named(Label::Deeper, &mut names);
            names[index].tally.add_totals(below);
        }
    }
    names.sort_by_key(|named| Reverse((named.tally.block, named.tally.cells)));
    names
}

impl Named<'_> {
    /// What the row is called.
    pub fn shown(&self) -> String {
        match self.label {
            Label::Cell(_, Some(name)) => Shown(name).to_string(),
            Label::Cell(kind, None) => format!("unnamed {}", kind.name()),
            Label::All | Label::Deeper => "not listed in the snapshot".to_owned(),
        }
    }

    /// `ref, tree`.
    pub fn kinds(&self) -> String {
        let kinds: Vec<_> = self.kinds.iter().map(|kind| kind.name()).collect();
        kinds.join(", ")
    }
}
