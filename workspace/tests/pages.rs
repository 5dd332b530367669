//! What the pages of the repository say holds across its crates.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// The pages of the repository: not what was built, and not what was fetched.
fn pages(directory: &Path) -> Vec<PathBuf> {
    let entries = directory.read_dir().expect("a directory").map(|entry| entry.expect("an entry").path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let ours = |path: &PathBuf| !["target", ".git", "out"].iter().any(|name| path.ends_with(name));
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "md"));
    files.chain(directories.iter().filter(|path| ours(path)).flat_map(|path| pages(path))).collect()
}

/// The targets of the links of a page that are files beside it.
fn links(page: &str) -> impl Iterator<Item = &str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|target| target.contains(['/', '.']) && !target.contains("://"))
}

#[test]
fn every_link_to_a_file_leads_to_one() {
    let mut seen = 0;
    for file in pages(root()) {
        for target in links(&read_to_string(&file).expect("text")) {
            assert!(
                file.parent().expect("a directory").join(target).exists(),
                "{}: {target}",
                file.display()
            );
            seen += 1;
        }
    }
    assert!(seen > 25, "{seen}");
}
