//! Checks how the code is divided: no circle of files in a crate, no file of code above 700 lines, and a map that is not stale.
//!
//! `cargo run -p kmem-workspace --bin house` checks; with `-- --write` it draws a stale map anew instead.

use std::fs;
use std::process::ExitCode;

use kmem_workspace::circles::circles;
use kmem_workspace::crates::{Package, files, packages, shown};
use kmem_workspace::map;
use kmem_workspace::modules::Modules;

const LONGEST: usize = 700;
const CODE: [&str; 8] = ["rs", "c", "cc", "h", "py", "sh", "js", "mjs"];

fn main() -> ExitCode {
    let packages = packages();
    let page = fs::read_to_string(map::page()).expect("text");
    let current = map::placed(&page, &map::draw(&packages));
    let stale = page != current;
    if stale && std::env::args().any(|argument| argument == "--write") {
        fs::write(map::page(), &current).expect("written");
        return ExitCode::SUCCESS;
    }
    if stale {
        println!("the map in CONTRIBUTING.md is stale: cargo run -p kmem-workspace --bin house -- --write");
    }
    // All three, so that one run shows all that is wrong.
    if stale | show_circles(&packages) | show_long_files() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Returns true if there is a circle.
fn show_circles(packages: &[Package]) -> bool {
    let mut found = false;
    for target in packages.iter().flat_map(|package| &package.targets) {
        let arrows = Modules::read(&target.root).arrows();
        for circle in circles(&arrows) {
            found = true;
            println!("{} files in a circle:", circle.len());
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
            found = true;
            println!("{lines} lines: {}", shown(&file));
        }
    }
    found
}
