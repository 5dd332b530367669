//! Installed into a prefix of its own, the library is used as any other: through pkg-config, through CMake, and as a
//! plain archive. Its man pages tell of all that the headers declare.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

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
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".into());

    let make = |target: &str| {
        succeeds(
            Command::new("make")
                .args(["-C", HERE, target])
                .arg(format!("PREFIX={}", prefix.display()))
                .arg(format!("OUT={}", scratch.join("out").display()))
                .env("CARGO_TARGET_DIR", scratch.join("target"))
                .env_remove("RUSTFLAGS")
                .env_remove("CARGO_ENCODED_RUSTFLAGS"),
        )
    };
    // What is not ours stays where it is.
    let other = prefix.join("share/man/man3/another.3");
    fs::create_dir_all(other.parent().expect("a directory")).expect("made");
    fs::write(&other, "").expect("written");
    make("install");
    for file in [
        "include/kmem.h",
        "lib/libkmem.a",
        "lib/libkmem.so",
        "lib/libkmem.so.0",
        "lib/pkgconfig/kmem.pc",
        "lib/cmake/kmem/kmem-config.cmake",
        "share/man/man3/kmem.3",
        "share/man/man3/kmpoolz.3",
    ] {
        assert!(prefix.join(file).exists(), "{file}");
    }
    let installed = files(&prefix);
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
    make("uninstall");
    assert!(installed.len() > 100 && files(&prefix) == BTreeSet::from([other]), "{:?}", files(&prefix));
}

/// All files below a directory.
fn files(directory: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { BTreeSet::from([path]) };
    entries.flat_map(below).collect()
}

/// The man pages by their names, written once.
fn pages() -> &'static BTreeMap<String, String> {
    static PAGES: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    PAGES.get_or_init(write_pages)
}

fn write_pages() -> BTreeMap<String, String> {
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("man/man3");
    let _ = fs::remove_dir_all(&out);
    succeeds(Command::new(Path::new(HERE).join("man")).arg(&out));
    let named = |path: PathBuf| {
        let name = path.file_stem().expect("a name").to_str().expect("UTF-8").to_owned();
        (name, fs::read_to_string(path).expect("text"))
    };
    files(&out).into_iter().map(named).collect()
}

/// The text of a page, or of the one that it leads to.
#[track_caller]
fn page<'p>(pages: &'p BTreeMap<String, String>, name: &str) -> &'p str {
    let text = pages.get(name).unwrap_or_else(|| panic!("no page {name}"));
    match text.strip_prefix(".so man3/").and_then(|rest| rest.strip_suffix(".3\n")) {
        Some(other) => &pages[other],
        None => text,
    }
}

/// Both headers, without comments and preprocessor lines.
fn declarations() -> String {
    let read = |name| fs::read_to_string(format!("{HERE}/include/{name}")).expect("a header");
    let text = read("kmem.h") + &read("kmem-printf.h");
    let code: String =
        text.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, code)| code)).collect();
    code.lines().filter(|line| !line.starts_with('#')).map(|line| line.to_owned() + "\n").collect()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[test]
fn every_function_has_a_man_page_of_its_name() {
    let (pages, code) = (pages(), declarations());
    let last_word = |text: &str| text.rsplit(|c| !is_word(c)).next().unwrap_or_default().to_owned();
    let functions: BTreeSet<String> = code
        .match_indices('(')
        .map(|(at, _)| last_word(&code[..at]))
        .filter(|name| name.starts_with("km") && !name.starts_with("km_"))
        .collect();
    assert!(functions.len() > 80 && functions.contains("kmvprintfa"), "{functions:?}");
    for name in functions {
        let page = page(pages, &name);
        let entry = page.lines().find(|line| line.starts_with(".B ") && line.contains(&format!("{name}(")));
        assert!(entry.is_some(), "{name} is not on its page");
    }
}

#[test]
fn every_type_and_macro_is_on_a_man_page() {
    let (pages, code) = (pages(), declarations());
    // `} kmptr;`, `typedef void (*kmwritefn)(…);`, `enum kmshred {`
    let types: BTreeSet<&str> = code
        .lines()
        .filter_map(|line| {
            let name = line
                .strip_prefix("} ")
                .or(line.strip_prefix("typedef void (*"))
                .or(line.strip_prefix("enum "));
            name?.split(|c| !is_word(c)).next()
        })
        .collect();
    assert!(types.len() > 15 && types.contains("kmfaultfn") && types.contains("kmshred"), "{types:?}");
    for name in types {
        // The methods and `kmshred()` have pages of those names.
        let known = ["kmem_types", "kmonfault"].map(|page| pages[page].contains(&format!(".SS {name}\n")));
        assert!(known.contains(&true), "{name}");
        assert!(pages.contains_key(name), "{name}");
    }
    let header = fs::read_to_string(format!("{HERE}/include/kmem.h")).expect("the header");
    let mut macros = 0;
    for line in header.lines().filter(|line| line.starts_with('#')) {
        let Some((_, name)) = line.split_once("define Km") else { continue };
        let name = format!("Km{}", name.split(|c| !is_word(c)).next().unwrap_or_default());
        let said = |page: &str| page.lines().any(|line| line.starts_with(&format!(".B {name}")));
        assert!(said(page(pages, &name)), "{name} is not on its page");
        // `man` tells capitals from small letters as little as some file systems do.
        let other = name.to_lowercase();
        assert!(
            !pages.contains_key(&other) || said(page(pages, &other)),
            "{name} is not on the page {other}"
        );
        macros += 1;
    }
    assert!(macros > 7, "{macros}");
}

#[test]
fn man_pages_are_in_order() {
    let pages = pages();
    for (name, text) in pages {
        if text.starts_with(".so ") {
            page(pages, name);
            continue;
        }
        let header = if name == "kmprintf" { "kmem\\-printf.h" } else { "kmem.h" };
        assert!(text.contains(&format!(".B #include <{header}>\n")), "{name}");
        let others: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix(".BR ")?.split(' ').next()).collect();
        assert!(
            others.len() > 5 && others.is_sorted() && !others.contains(&name.as_str()),
            "{name}: {others:?}"
        );
        for other in others {
            assert!(pages.contains_key(other), "{name}: {other}");
        }
    }
    if !available("groff") {
        eprintln!("left out: there is no groff here");
        return;
    }
    for name in pages.keys() {
        let output = Command::new("groff")
            .args(["-man", "-ww", "-z"])
            .arg(format!("man3/{name}.3"))
            .current_dir(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("man"))
            .output()
            .expect("groff runs");
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
