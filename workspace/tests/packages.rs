//! The manifests repeat nothing, and each package has all files that it needs.

use std::fs::read_to_string;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// The crates of the workspace that are published.
fn published() -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    let output = cargo.args(["metadata", "--no-deps", "--format-version=1"]).output().expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list").iter();
    // A crate with `publish = false` has an empty list of registries.
    let published: Vec<_> = packages.filter(|package| package["publish"].is_null()).cloned().collect();
    assert!(published.len() >= 3, "{published:?}");
    published
}

#[test]
fn every_published_crate_inherits_what_is_said_once() {
    let published = published();
    for field in ["version", "license", "repository", "homepage", "authors", "rust_version", "edition"] {
        let first = &published[0][field];
        for package in &published {
            assert_eq!(&package[field], first, "{field} of {}", package["name"]);
        }
    }
    assert!(!published[0]["repository"].is_null());
}

#[test]
fn every_published_crate_says_what_it_is() {
    for package in published() {
        let name = package["name"].as_str().expect("a name");
        assert!(package["description"].as_str().is_some_and(|text| text.len() < 200), "{name}");
        for list in ["keywords", "categories"] {
            assert!((1..=5).contains(&package[list].as_array().map_or(0, Vec::len)), "{list} of {name}");
        }
    }
}

#[test]
fn every_dependency_on_another_crate_of_the_workspace_has_a_version() {
    for package in published() {
        let version = package["version"].as_str().expect("a version");
        for dependency in package["dependencies"].as_array().expect("a list") {
            // Cargo leaves a dev-dependency without a version out of the package, whose tests then do not compile.
            if !dependency["path"].is_null() {
                assert_eq!(
                    dependency["req"],
                    format!("^{version}"),
                    "{} of {}",
                    dependency["name"],
                    package["name"]
                );
            }
        }
    }
}

#[test]
fn every_published_crate_has_a_readme_and_the_licences() {
    for package in published() {
        let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
        let crate_root = manifest.parent().expect("a directory");
        assert_eq!(package["readme"], "README.md", "{}", manifest.display());
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            let text = |directory: &Path| read_to_string(directory.join(licence)).expect("text");
            assert_eq!(text(crate_root), text(root()), "{licence} of {}", crate_root.display());
        }
    }
}
