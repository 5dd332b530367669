//! Installed into a prefix of its own, the library is used as any other: through pkg-config, through CMake, and as a
//! plain archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const HERE: &str = env!("CARGO_MANIFEST_DIR");
const TOUR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/tour.c");

#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn available(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn is_the_tour(program: &Path, prefix: &Path) {
    let out = succeeds(Command::new(program).env("LD_LIBRARY_PATH", prefix.join("lib")));
    assert!(out.starts_with("heap  on the heap\n") && out.ends_with("still counted\n"), "{out}");
}

#[test]
fn a_program_is_built_in_three_ways_against_the_installed_library() {
    if !available("make") {
        eprintln!("left out: there is no make here");
        return;
    }
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("install");
    let _ = fs::remove_dir_all(&scratch);
    let prefix = scratch.join("prefix");
    fs::create_dir_all(&prefix).expect("made");
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".into());

    succeeds(
        Command::new("make")
            .args(["-C", HERE, "install"])
            .arg(format!("PREFIX={}", prefix.display()))
            .arg(format!("OUT={}", scratch.join("out").display()))
            .env("CARGO_TARGET_DIR", scratch.join("target"))
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS"),
    );
    for file in [
        "include/kmem.h",
        "lib/libkmem.a",
        "lib/libkmem.so",
        "lib/libkmem.so.0",
        "lib/pkgconfig/kmem.pc",
        "lib/cmake/kmem/kmem-config.cmake",
        "share/man/man3/kmem.3",
        "share/man/man3/kmpool.3",
    ] {
        assert!(prefix.join(file).exists(), "{file}");
    }
    // Every function of the header has its entry in a man page.
    let header = fs::read_to_string(prefix.join("include/kmem.h")).expect("the header");
    let pages: String = fs::read_dir(prefix.join("share/man/man3"))
        .expect("pages")
        .map(|page| fs::read_to_string(page.expect("a page").path()).expect("text"))
        .collect();
    for name in [
        "kmfree",
        "kmheapwo",
        "kmrefu",
        "kmpoolifw",
        "kmtrees",
        "kmsourcei",
        "kmtotal",
        "kmonfault",
        "kmdups",
        "kmtreek",
    ] {
        assert!(header.contains(&format!("{name}(")) && pages.contains(&format!("{name}(")), "{name}");
    }

    let archive = scratch.join("by-archive");
    succeeds(
        Command::new(&cc)
            .arg(TOUR)
            .arg(format!("-I{}", prefix.join("include").display()))
            .arg(prefix.join("lib/libkmem.a"))
            .arg("-o")
            .arg(&archive),
    );
    is_the_tour(&archive, &prefix);

    if available("pkg-config") {
        let flags = succeeds(
            Command::new("pkg-config")
                .args(["--cflags", "--libs", "kmem"])
                .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")),
        );
        let program = scratch.join("by-pkg-config");
        succeeds(Command::new(&cc).arg(TOUR).args(flags.split_whitespace()).arg("-o").arg(&program));
        is_the_tour(&program, &prefix);
    }

    if available("cmake") {
        let project = scratch.join("project");
        fs::create_dir_all(&project).expect("made");
        let lists = format!(
            "cmake_minimum_required(VERSION 3.10)\nproject(tour C)\nfind_package(kmem 0.1 REQUIRED)\n\
             add_executable(tour {TOUR})\ntarget_link_libraries(tour kmem::kmem)\n\
             add_executable(alone {TOUR})\ntarget_link_libraries(alone kmem::static)\n"
        );
        fs::write(project.join("CMakeLists.txt"), lists).expect("written");
        let build = project.join("build");
        succeeds(
            Command::new("cmake")
                .arg("-S")
                .arg(&project)
                .arg("-B")
                .arg(&build)
                .arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())),
        );
        succeeds(Command::new("cmake").arg("--build").arg(&build));
        is_the_tour(&build.join("tour"), &prefix);
        is_the_tour(&build.join("alone"), &prefix);
    }
}
