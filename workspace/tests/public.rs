//! Each public type that other crates could construct or match in full is marked `#[non_exhaustive]`, or its documentation says why it is
//! exhaustive.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// The Rust files below a directory.
fn sources(directory: PathBuf) -> Vec<PathBuf> {
    let entries = directory.read_dir().expect("a directory").map(|entry| entry.expect("an entry").path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    files.chain(directories.into_iter().flat_map(sources)).collect()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Returns true if the type whose declaration begins with the first line has a field that other crates cannot name.
fn is_closed(lines: &[&str]) -> bool {
    let first = lines[0].trim_start();
    if first.starts_with("pub enum ") {
        return false;
    }
    let head = lines.iter().position(|line| line.ends_with(['{', ';'])).unwrap_or_default();
    if !lines[head].ends_with('{') {
        return first.split_once('(').is_some_and(|(_, fields)| !fields.starts_with("pub "));
    }
    let body =
        lines[head..].iter().take_while(|line| !(line.trim() == "}" && indent(line) == indent(lines[0])));
    body.filter(|line| indent(line) == indent(lines[0]) + 4).any(|line| {
        let field = line.trim_start();
        field.contains(": ") && !field.starts_with("pub ") && !field.starts_with(['/', '#'])
    })
}

/// The public types in a source, and those of them that need the decision and lack it.
fn judge(source: &str) -> (usize, Vec<&str>) {
    let lines: Vec<&str> = source.lines().collect();
    let is_type =
        |line: &str| ["pub struct ", "pub enum ", "pub union "].iter().any(|word| line.starts_with(word));
    let types: Vec<usize> = (0..lines.len()).filter(|&at| is_type(lines[at].trim_start())).collect();
    let undecided = types.iter().filter(|&&at| {
        let mut above = lines[..at].iter().rev().map(|line| line.trim()).take_while(|line| !line.is_empty());
        let decided = above.any(|line| line == "#[non_exhaustive]" || line.starts_with("/// Exhaustive"));
        !decided && !is_closed(&lines[at..])
    });
    (types.len(), undecided.map(|&at| lines[at]).collect())
}

#[test]
fn every_public_type_is_closed_or_non_exhaustive_or_says_why_not() {
    let mut types = 0;
    for member in ["kmem", "kmem-capi", "kmem-view"] {
        for file in sources(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(member).join("src")) {
            let source = read_to_string(&file).expect("text");
            let (seen, undecided) = judge(&source);
            assert_eq!(undecided, [""; 0], "{}", file.display());
            types += seen;
        }
    }
    assert!(types > 40, "{types}");
}

#[test]
fn a_public_type_without_the_decision_is_found() {
    let undecided = |source| judge(source).1.len();
    for source in [
        "pub enum Kind {\n    Heap,\n}",
        "pub struct Heap;",
        "pub struct Pair(pub u8, pub u8);",
        "/// Two.\n#[derive(Debug)]\npub struct Pair {\n    /// One: it.\n    pub one: u8,\n}\n",
        "/// Exhaustive.\n\npub struct Heap;",
        "    pub struct Pair<T>\n    where\n        T: Copy,\n    {\n        pub one: T,\n    }\n",
    ] {
        assert_eq!(undecided(source), 1, "{source}");
    }
    for source in [
        "#[non_exhaustive]\npub enum Kind {\n    Heap,\n}",
        "/// Exhaustive: it holds nothing.\n#[derive(Debug)]\npub struct Heap;",
        "pub struct Own(Vec<u8>);",
        "pub struct Pair {\n    pub one: u8,\n    pub(crate) other: u8,\n}",
        "pub(crate) struct Pair {\n    pub one: u8,\n}",
    ] {
        assert_eq!(undecided(source), 0, "{source}");
    }
}
