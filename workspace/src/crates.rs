//! The crates of the repository and the programs and libraries that each is built into.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A library, program, test or example: a tree of modules.
#[derive(Debug)]
pub struct Target {
    /// The file that the tree begins with.
    pub root: PathBuf,
    /// `lib`, `bin`, `test`, `example`, `bench` or `custom-build`.
    pub kind: String,
}

/// A crate of the repository.
#[derive(Debug)]
pub struct Package {
    /// The directory of its manifest.
    pub directory: PathBuf,
    /// Its targets, the library first.
    pub targets: Vec<Target>,
    /// The directories of the crates that it depends on.
    pub uses: BTreeSet<PathBuf>,
}

/// The directory of the repository.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// The files that git tracks, or would.
#[must_use]
pub fn files() -> Vec<PathBuf> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let output = git.output().expect("git runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let mut files: Vec<_> =
        text.lines().map(|line| root().join(line)).filter(|file| file.is_file()).collect();
    files.sort();
    files
}

/// Every crate of the repository, in the order of their directories.
///
/// # Panics
/// If Cargo cannot read a manifest.
#[must_use]
pub fn packages() -> Vec<Package> {
    let manifests = files().into_iter().filter(|file| file.ends_with("Cargo.toml"));
    let mut seen = BTreeSet::new();
    let mut packages = Vec::new();
    for manifest in manifests {
        if seen.contains(&manifest) {
            continue;
        }
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"]).arg(&manifest);
        let output = cargo.output().expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        for package in metadata["packages"].as_array().expect("a list") {
            if seen.insert(path(&package["manifest_path"])) {
                packages.push(read(package));
            }
        }
    }
    packages.sort_by(|a, b| a.directory.cmp(&b.directory));
    packages
}

fn path(value: &Value) -> PathBuf {
    value.as_str().expect("a path").into()
}

fn read(package: &Value) -> Package {
    let list = |field: &str| package[field].as_array().expect("a list");
    let target = |target: &Value| Target {
        root: path(&target["src_path"]),
        kind: target["kind"][0]
            .as_str()
            .expect("a kind")
            .replace("cdylib", "lib")
            .replace("staticlib", "lib"),
    };
    let mut targets: Vec<_> = list("targets").iter().map(target).collect();
    targets.sort_by_key(|target| (target.kind != "lib", target.kind != "bin", target.root.clone()));
    Package {
        directory: path(&package["manifest_path"]).parent().expect("a directory").into(),
        targets,
        uses: list("dependencies")
            .iter()
            .filter_map(|used| used["path"].as_str().map(PathBuf::from))
            .collect(),
    }
}

/// A path relative to the repository.
#[must_use]
pub fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
