//! Circles among files, and their order without.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::modules::Arrows;

/// The files that a file reaches.
fn reach<'a>(arrows: &'a Arrows, file: &'a Path) -> BTreeSet<&'a Path> {
    let mut seen = BTreeSet::new();
    let mut left = vec![file];
    while let Some(file) = left.pop() {
        left.extend(
            arrows
                .get(file)
                .into_iter()
                .flat_map(BTreeMap::keys)
                .map(PathBuf::as_path)
                .filter(|&next| seen.insert(next)),
        );
    }
    seen
}

/// The sets of files in which each reaches every other.
#[must_use]
pub fn circles(arrows: &Arrows) -> Vec<BTreeSet<&Path>> {
    let reached: BTreeMap<_, _> = arrows.keys().map(|file| (file.as_path(), reach(arrows, file))).collect();
    let circle = |file: &&Path| -> BTreeSet<&Path> {
        let back = |other: &&Path| reached.get(other).is_some_and(|reached| reached.contains(file));
        reached[file].iter().copied().filter(back).collect()
    };
    let circles: BTreeSet<_> = reached.keys().map(circle).filter(|circle| !circle.is_empty()).collect();
    circles.into_iter().collect()
}

/// The files in an order in which each uses only those before it, if there is no circle. A file comes as late as it can, and the files
/// of a directory stay together as far as that lets them.
#[must_use]
pub fn ordered<'a>(files: impl Iterator<Item = &'a Path>, arrows: &Arrows) -> Vec<&'a Path> {
    let mut left: BTreeSet<_> = files.collect();
    let mut order: Vec<&Path> = Vec::new();
    while !left.is_empty() {
        // From the end: a file that none of the others uses, in the directory of the one before.
        let rank = |file: &'a Path| {
            let users = left
                .iter()
                .filter(|user| arrows.get(**user).is_some_and(|used| used.contains_key(file)))
                .count();
            let apart = order.last().is_some_and(|last| last.parent() != file.parent());
            (users, apart, Reverse(file))
        };
        let next = left.iter().copied().min_by_key(|&file| rank(file)).expect("a file");
        left.remove(next);
        order.push(next);
    }
    order.reverse();
    order
}
