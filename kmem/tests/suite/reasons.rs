//! Every reason for an `unsafe` block refers to an invariant, and the page that defines those names tests that exist.

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

pub fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    read_to_string(here().join("docs/soundness.md")).unwrap()
}

/// The names that the page defines: those in bold at the beginning of a table's row.
fn defined(page: &str) -> BTreeSet<&str> {
    page.lines().filter_map(|line| Some(line.strip_prefix("| **")?.split_once("** |")?.0)).collect()
}

/// The Rust files below a directory.
pub fn sources(directory: PathBuf) -> Vec<PathBuf> {
    let entries = directory.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    files.chain(directories.into_iter().flat_map(sources)).collect()
}

/// What is wrong with the reasons in a source, and the names that they refer to.
fn judge<'s>(source: &'s str, defined: &BTreeSet<&str>) -> (Vec<&'s str>, BTreeSet<&'s str>) {
    let (mut wrong, mut named) = (Vec::new(), BTreeSet::new());
    // The tests beside the code call it with what they have just made.
    let code = source.split("#[cfg(test)]").next().unwrap();
    for line in code.lines().filter(|line| line.contains("SAFETY")) {
        let names = line.trim_start().strip_prefix("// SAFETY: [").and_then(|rest| rest.split_once("] "));
        let names: Vec<_> = names.map_or(Vec::new(), |(names, _)| names.split(", ").collect());
        if names.is_empty() || names.iter().any(|&name| !defined.contains(name)) {
            wrong.push(line);
        }
        named.extend(names);
    }
    (wrong, named)
}

#[test]
fn every_reason_names_an_invariant_that_the_page_defines_and_every_invariant_is_relied_on() {
    let page = page();
    let defined = defined(&page);
    let mut named = BTreeSet::new();
    for file in sources(here().join("src")) {
        let source = read_to_string(&file).unwrap();
        let (wrong, names) = judge(&source, &defined);
        assert_eq!(wrong, [""; 0], "{}", file.display());
        named.extend(names.into_iter().map(String::from));
    }
    assert_eq!(named.iter().map(String::as_str).collect::<BTreeSet<_>>(), defined);
}

#[test]
fn a_reason_without_a_name_or_with_one_that_is_not_defined_is_found() {
    let defined = BTreeSet::from(["links", "live"]);
    let judged = |line| judge(line, &defined).0.is_empty();
    assert!(judged("    // SAFETY: [links] they agree."));
    assert!(judged("// SAFETY: [live, links] both hold."));
    assert!(judged("#[cfg(test)]\nmod tests {\n// SAFETY: just made."));
    assert!(!judged("// SAFETY: they agree."));
    assert!(!judged("// SAFETY: [] they agree."));
    assert!(!judged("// SAFETY: [links]"));
    assert!(!judged("// SAFETY: [links, chains] they agree."));
    assert!(!judged("// SAFETY they agree."));
}

#[test]
fn every_test_and_place_that_the_page_names_exists() {
    let page = page();
    let mut found = 0;
    for name in page.split('`').skip(1).step_by(2) {
        let there = |file: &str, items: &[&str], item: &str| {
            let source = read_to_string(here().join(file)).unwrap();
            items.iter().any(|word| source.contains(&format!("{word} {item}")))
        };
        let file = |modules: &[&str]| format!("tests/suite/{}.rs", modules.join("/"));
        let parts: Vec<_> = name.split("::").collect();
        let exists = match parts[..] {
            ["raw", ref modules @ .., item] if !modules.is_empty() => {
                let path = format!("src/raw/{}", modules.join("/"));
                let file = [format!("{path}.rs"), format!("{path}/mod.rs")];
                let file =
                    file.iter().find(|file| here().join(file).exists()).expect("a file for the module");
                there(file, &["fn", "struct"], item)
            }
            // On a file system without upper and lower case a type has the name of a module.
            [ref modules @ .., test]
                if modules.first().is_some_and(|first| !first.starts_with(char::is_uppercase))
                    && here().join(file(modules)).exists() =>
            {
                there(&file(modules), &["fn", "mod"], test)
            }
            ["must_not_compile", module, cases] => {
                there(&format!("src/must_not_compile/{module}.rs"), &["cases! {"], cases)
            }
            _ => continue,
        };
        assert!(exists, "{name}");
        found += 1;
    }
    assert!(found > 70, "{found}");
}
