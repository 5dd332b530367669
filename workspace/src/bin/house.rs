//! Checks how the code is divided: no circle of files in a crate, no file of code above 700 lines, and a map that is not stale.
//!
//! `cargo run -p kmem-workspace --bin house` checks; with `-- --write` it draws the map into `CONTRIBUTING.md` first.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use kmem_workspace::circles::circles;
use kmem_workspace::crates::{Package, files, packages, shown};
use kmem_workspace::map;
use kmem_workspace::modules::Modules;

const LONGEST: usize = 700;
const CODE: [&str; 8] = ["rs", "c", "cc", "h", "py", "sh", "js", "mjs"];
/// What is being taken apart: circles in these crates and the length of these files are shown, and are no failure.
const LATER: &[&str] = &[
    "kmem/src",
    "kmem/src/must_not_compile.rs",
    "kmem/src/pool.rs",
    "kmem/src/raw/block.rs",
    "kmem/src/raw/pool.rs",
    "kmem/src/raw/tree.rs",
    "kmem/src/tree.rs",
    "kmem-capi/tests/c.rs",
    "kmem-view/tests/suite/browser.rs",
    "model/src/face.rs",
    "model/src/run.rs",
];

fn main() -> ExitCode {
    let packages = packages();
    let page = fs::read_to_string(map::page()).expect("text");
    let current = map::placed(&page, &map::draw(&packages));
    if std::env::args().any(|argument| argument == "--write") {
        fs::write(map::page(), &current).expect("written");
    } else if page != current {
        eprintln!("the map in CONTRIBUTING.md is stale: cargo run -p kmem-workspace --bin house -- --write");
        return ExitCode::FAILURE;
    }
    // Both, so that one run shows all that is wrong.
    let circles = show_circles(&packages);
    if circles | show_long_files() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn is_for_later(path: &Path) -> bool {
    LATER.contains(&&*shown(path))
}

/// Returns true if there is a circle.
fn show_circles(packages: &[Package]) -> bool {
    let mut found = false;
    for target in packages.iter().flat_map(|package| &package.targets) {
        let arrows = Modules::read(&target.root).arrows();
        for circle in circles(&arrows) {
            let later = is_for_later(target.root.parent().expect("a directory"));
            found |= !later;
            println!("{} files in a circle{}:", circle.len(), if later { ", for later" } else { "" });
            for from in &circle {
                for (to, names) in arrows[*from].iter().filter(|(to, _)| circle.contains(&***to)) {
                    let names: Vec<_> = names.iter().map(String::as_str).collect();
                    println!("  {} -> {}: {}", shown(from), shown(to), names.join(", "));
                }
            }
        }
    }
    found
}

/// Returns true if a file is too long.
fn show_long_files() -> bool {
    let mut found = false;
    for file in files() {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let code = file.extension().is_some_and(|end| CODE.iter().any(|code| end == *code));
        let lines = text.lines().count();
        if (code || text.starts_with("#!")) && lines > LONGEST {
            let later = is_for_later(&file);
            found |= !later;
            println!("{lines} lines: {}{}", shown(&file), if later { ", for later" } else { "" });
        }
    }
    found
}
