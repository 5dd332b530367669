//! The map of the code: each file or directory with the first sentence of its documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::circles::ordered;
use crate::crates::{Package, Target, root, shown};
use crate::modules::{Arrows, Modules};

/// The library whose files have a line each.
const LIBRARY: &str = "kmem/src";
const BEGIN: &str = "<!-- the map: cargo run -p kmem-workspace --bin house -- --write -->";
const END: &str = "<!-- end of the map -->";
const WIDTH: usize = 130;

/// Draws the map: the files of the library in an order in which each uses only those above it, then the directories and programs of the
/// other crates.
#[must_use]
pub fn draw(packages: &[Package]) -> String {
    let directories: BTreeMap<&Path, _> =
        packages.iter().map(|package| (&*package.directory, package)).collect();
    let used = |package: &Package| package.uses.iter().map(|used| (used.clone(), BTreeSet::new())).collect();
    let uses: Arrows = packages.iter().map(|package| (package.directory.clone(), used(package))).collect();
    let (mut library, mut others) = (Vec::new(), Vec::new());
    for directory in ordered(directories.keys().copied(), &uses) {
        let targets = directories[directory].targets.iter().filter(|target| target.kind != "custom-build");
        for (target, modules) in targets.map(|target| (target, Modules::read(&target.root))) {
            if shown(&target.root).starts_with(LIBRARY) {
                let files = modules.files.keys().map(PathBuf::as_path).filter(|file| *file != target.root);
                let order = ordered(files, &modules.arrows());
                let row = |file| (shown(file)[LIBRARY.len() + 1..].into(), modules.files[file].clone());
                library.extend(order.into_iter().map(row));
            } else {
                others.extend(rows(target, &modules));
            }
        }
    }
    format!(
        "\nIn `{LIBRARY}` each file uses only files above it:\n\n```text\n{}```\n\nThe other crates:\n\n```text\n{}```\n",
        table(&library),
        table(&others)
    )
}

/// A row for a program of one file, otherwise one for each directory that has documentation.
fn rows(target: &Target, modules: &Modules) -> Vec<(String, String)> {
    let gathers = target.kind == "lib" || (target.root.ends_with("main.rs") && modules.files.len() > 1);
    let root = if gathers { target.root.parent().expect("a directory") } else { &target.root };
    let mut rows = vec![(shown(root), modules.files[&target.root].clone())];
    let directories: BTreeSet<_> = modules.files.keys().filter_map(|file| file.parent()).collect();
    for directory in directories {
        let files = [directory.with_extension("rs"), directory.join("mod.rs")];
        if let Some(sentence) = files.iter().find_map(|file| modules.files.get(file)) {
            rows.push((shown(directory), sentence.clone()));
        }
    }
    rows
}

/// Two columns, the second broken into lines.
fn table(rows: &[(String, String)]) -> String {
    let mut out = String::new();
    let first = rows.iter().map(|(path, _)| path.len()).max().unwrap_or_default() + 2;
    for (path, sentence) in rows {
        let mut line = format!("{path:first$}");
        for word in sentence.split_whitespace() {
            if line.len() + word.len() > WIDTH {
                out += line.trim_end();
                out.push('\n');
                line = " ".repeat(first + 2);
            }
            line += word;
            line.push(' ');
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// The page with the map in it, between two markers.
///
/// # Panics
/// If the page does not have the markers.
#[must_use]
pub fn placed(page: &str, map: &str) -> String {
    let (before, rest) = page.split_once(BEGIN).expect(BEGIN);
    let (_, after) = rest.split_once(END).expect(END);
    format!("{before}{BEGIN}\n{map}\n{END}{after}")
}

/// The page that holds the map.
#[must_use]
pub fn page() -> PathBuf {
    root().join("CONTRIBUTING.md")
}
