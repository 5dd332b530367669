//! The pages of the repository: every link leads to a file, and the C example compiles and runs.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use std::process::Command;

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

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_c_part_of_the_readme_compiles_and_runs() {
    let readme = read_to_string(root().join("README.md")).expect("text");
    let snippet = readme.split("```c\n").nth(1).and_then(|rest| rest.split("```").next()).expect("C code");
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (file, program, library) =
        (scratch.join("readme.c"), scratch.join("readme"), scratch.join("readme-library"));
    let source = format!("#include <kmem.h>\nint main(void) {{\n{snippet}\n(void)header;\n}}\n");
    std::fs::write(&file, source).expect("written");
    // The tests of the C library have built it there.
    let mut build = Command::new(root().join("kmem-capi/build"));
    build.arg(&library).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    succeeds(build.env("CARGO_TARGET_DIR", scratch.join("capi")));
    let mut compile = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
    compile.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"]).arg(&library).arg(&file);
    succeeds(compile.arg(library.join("libkmem.a")).arg("-o").arg(&program));
    succeeds(&mut Command::new(&program));
}
