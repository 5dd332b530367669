//! Links `libkmem.a` and hands the versions of compiler and crates to the program.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=KMEM_LIB");
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rerun-if-changed=build.rs");
    let Some(dir) = env::var_os("KMEM_LIB").map(PathBuf::from) else {
        panic!("KMEM_LIB is not set: it names the directory of libkmem.a. ./run sets it.");
    };
    let archive = dir.join("libkmem.a");
    assert!(archive.exists(), "{} is not there: ./run builds it", archive.display());
    println!("cargo::rerun-if-changed={}", archive.display());
    println!("cargo::rustc-link-search=native={}", dir.display());
    println!("cargo::rustc-link-lib=static=kmem");

    let rustc = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into())).arg("--version").output();
    let rustc = rustc.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default();
    println!("cargo::rustc-env=BENCH_RUSTC={rustc}");
    println!(
        "cargo::rustc-env=BENCH_CRATES={}",
        crates(&fs::read_to_string("Cargo.lock").unwrap_or_default())
    );
}

/// The measured crates with their versions, from the lock file.
fn crates(lock: &str) -> String {
    const MEASURED: [&str; 9] = [
        "bump-scope",
        "bumpalo",
        "libmimalloc-sys",
        "secrecy",
        "slab",
        "snmalloc-sys",
        "triomphe",
        "typed-arena",
        "zeroize",
    ];
    let packages = lock.split("[[package]]").filter_map(|package| {
        let field =
            |key: &str| package.lines().find_map(|line| line.strip_prefix(key)).map(|v| v.trim_matches('"'));
        Some((field("name = ")?, field("version = ")?))
    });
    let measured = packages.filter(|(name, _)| MEASURED.contains(name));
    measured.map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
}
