//! The installed library works through pkg-config, through CMake, and as a plain archive. The man pages describe everything that the
//! headers declare.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

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

#[track_caller]
fn is_the_tour(program: &Path, lib: &Path) {
    let out = succeeds(Command::new(program).env("LD_LIBRARY_PATH", lib));
    assert!(out.starts_with("heap  on the heap\n") && out.ends_with("still counted\n"), "{out}");
}

fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("install")
}

/// Makes an empty directory.
fn emptied(name: &str) -> PathBuf {
    let directory = scratch().join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("made");
    directory
}

fn make(target: &str, out: &Path) -> Command {
    let mut command = Command::new("make");
    command.args(["-C", HERE, target]).arg(format!("OUT={}", out.display()));
    command.env("CARGO_TARGET_DIR", scratch().join("target"));
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "MAKEFLAGS", "SWITCHES", "PREFIX", "DESTDIR"] {
        command.env_remove(variable);
    }
    command
}

/// The output of `make`, built once. Returns `None`, and prints a message, if there is no make.
fn built() -> Option<&'static Path> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    if !available("make") {
        eprintln!("left out: there is no make here");
        return None;
    }
    Some(BUILT.get_or_init(|| {
        let out = emptied("out");
        succeeds(&mut make("all", &out));
        out
    }))
}

/// `make install` into this prefix.
fn install(out: &Path, prefix: &Path) {
    succeeds(make("install", out).arg(format!("PREFIX={}", prefix.display())));
}

/// Runs a shell command in a directory. A shell, because pkg-config quotes its output for one.
#[track_caller]
fn shell(command: &str, directory: &Path, pkg_config_path: &Path) {
    let mut shell = Command::new("sh");
    shell.args(["-ec", command]).current_dir(directory).env("PKG_CONFIG_PATH", pkg_config_path);
    shell.env("CC", std::env::var("CC").unwrap_or_else(|_| "cc".into())).env("TOUR", TOUR);
    succeeds(&mut shell);
}

/// Configures and builds a CMake project with these lines, against the package in a directory of libraries.
#[track_caller]
fn cmake(lines: &str, directory: &Path, lib: &Path) -> String {
    let text = format!("cmake_minimum_required(VERSION 3.10)\n{lines}");
    fs::write(directory.join("CMakeLists.txt"), text).expect("written");
    let build = directory.join("build");
    let mut configure = Command::new("cmake");
    configure.arg("-S").arg(directory).arg("-B").arg(&build);
    // CMake searches `lib` below a prefix; another directory must be named.
    match lib.file_name().is_some_and(|name| name == "lib") {
        true => configure.arg(format!("-DCMAKE_PREFIX_PATH={}", lib.with_file_name("").display())),
        false => configure.arg(format!("-Dkmem_DIR={}/cmake/kmem", lib.display())),
    };
    let said = succeeds(&mut configure);
    succeeds(Command::new("cmake").arg("--build").arg(&build));
    said
}

/// Builds the tour against an installed tree in every supported way, and runs it.
#[track_caller]
fn the_tour_is_built_against(prefix: &Path, lib: &Path) {
    let place = emptied("programs");
    let archive = place.join("by-archive");
    succeeds(
        Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()))
            .arg(TOUR)
            .arg(format!("-I{}", prefix.join("include").display()))
            .arg(lib.join("libkmem.a"))
            .arg("-o")
            .arg(&archive),
    );
    is_the_tour(&archive, lib);

    if available("pkg-config") {
        let found = lib.join("pkgconfig");
        for (name, command) in [
            ("shared", "eval \"$CC \\\"$TOUR\\\" $(pkg-config --cflags --libs kmem) -o shared\""),
            (
                "defined",
                "eval \"$CC \\\"$TOUR\\\" $(pkg-config --define-prefix --cflags --libs kmem) -o defined\"",
            ),
            (
                "static",
                "eval \"$CC -static \\\"$TOUR\\\" $(pkg-config --static --cflags --libs kmem) -o static\"",
            ),
        ] {
            shell(command, &place, &found);
            is_the_tour(&place.join(name), if name == "static" { &place } else { lib });
        }
    } else {
        eprintln!("left out: there is no pkg-config here");
    }

    if available("cmake") {
        let lines = format!(
            "project(tour C)\nfind_package(kmem {} REQUIRED)\n\
             add_executable(tour \"{TOUR}\")\ntarget_link_libraries(tour kmem::kmem)\n\
             add_executable(alone \"{TOUR}\")\ntarget_link_libraries(alone kmem::static)\n",
            env!("CARGO_PKG_VERSION")
        );
        cmake(&lines, &place, lib);
        is_the_tour(&place.join("build/tour"), lib);
        is_the_tour(&place.join("build/alone"), &place);
    } else {
        eprintln!("left out: there is no cmake here");
    }
}

/// All programs are built in one directory.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn an_installed_tree_works_where_it_is_and_after_it_was_moved() {
    let Some(out) = built() else { return };
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let place = emptied("moved");
    for (name, moved) in [("prefix", "elsewhere"), ("with a space", "with a space & and #")] {
        let (prefix, moved) = (place.join(name), place.join(moved));
        install(out, &prefix);
        the_tour_is_built_against(&prefix, &prefix.join("lib"));
        fs::rename(&prefix, &moved).expect("moved");
        the_tour_is_built_against(&moved, &moved.join("lib"));
        let name = prefix.to_str().expect("UTF-8");
        for file in
            files(&moved).iter().filter(|file| file.extension().is_some_and(|e| e == "pc" || e == "cmake"))
        {
            let text = fs::read_to_string(file).expect("text");
            assert!(!text.contains(name), "{file:?} names the prefix");
        }
    }
}

#[test]
fn directories_outside_the_prefix_are_found_where_they_are() {
    let Some(out) = built() else { return };
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let place = emptied("outside & #");
    let (prefix, lib) = (place.join("prefix"), place.join("prefix/lib/triplet"));
    let (first, include) = (place.join("first #1"), place.join("prefix/include"));
    let put = |includedir: &Path| {
        let mut install = make("install", out);
        install.arg(format!("PREFIX={}/", prefix.display())).arg(format!("LIBDIR={}", lib.display()));
        succeeds(install.arg(format!("INCLUDEDIR={}", includedir.display())));
    };
    put(&include);
    the_tour_is_built_against(&prefix, &lib);
    put(&first);
    for header in ["kmem.h", "kmem-printf.h"] {
        fs::rename(include.join(header), place.join(header)).expect("out of the way");
    }
    let programs = emptied("programs");
    if available("pkg-config") {
        let command = "eval \"$CC \\\"$TOUR\\\" $(pkg-config --cflags --libs kmem) -o outside\"";
        shell(command, &programs, &lib.join("pkgconfig"));
        is_the_tour(&programs.join("outside"), &lib);
    }
    if available("cmake") {
        let lines = format!(
            "project(tour C)\nfind_package(kmem REQUIRED)\nadd_executable(tour \"{TOUR}\")\n\
             target_link_libraries(tour kmem::kmem)\n"
        );
        cmake(&lines, &programs, &lib);
        is_the_tour(&programs.join("build/tour"), &lib);
    }
}

#[test]
fn uninstall_removes_the_installed_files_and_no_others() {
    let Some(out) = built() else { return };
    let place = emptied("taken away");
    let root = place.join("root & #");
    let run = |target: &str, more: &[String]| succeeds(make(target, out).args(more));
    let variables = [format!("DESTDIR={}", root.display()), "PREFIX=/opt/it's here".into()];
    let prefix = root.join("opt/it's here");
    let other = prefix.join("share/man/man3/another.3");
    fs::create_dir_all(other.parent().expect("a directory")).expect("made");
    fs::write(&other, "").expect("written");
    run("install", &variables);
    let (version, soname) = (env!("CARGO_PKG_VERSION"), soname_of(env!("CARGO_PKG_VERSION")));
    for file in [
        "include/kmem.h",
        "include/kmem-printf.h",
        "lib/libkmem.a",
        "lib/libkmem.so",
        &format!("lib/{soname}"),
        &format!("lib/libkmem.so.{version}"),
        &format!("lib/.debug/libkmem.so.{version}.debug"),
        "lib/pkgconfig/kmem.pc",
        "lib/cmake/kmem/kmem-config.cmake",
        "lib/cmake/kmem/kmem-config-version.cmake",
        "share/man/man3/kmem.3",
        "share/man/man3/kmpoolz.3",
        "share/man/man3/Kmtree.3",
    ] {
        assert!(prefix.join(file).exists(), "{file}");
    }
    assert!(files(&root).len() > 100);
    run("uninstall", &variables);
    assert_eq!(files(&root), BTreeSet::from([other]));
}

#[test]
fn installing_builds_nothing_again() {
    let Some(out) = built() else { return };
    let place = emptied("again");
    // Tools that print a message and fail.
    let tools = place.join("tools");
    fs::create_dir_all(&tools).expect("made");
    for tool in ["cargo", "rustc", "cc", "ld"] {
        let file = tools.join(tool);
        fs::write(&file, format!("#!/bin/sh\necho {tool} was called >&2\nexit 1\n")).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("made a program");
    }
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
    let copy = |name: &str| {
        let copy = place.join(name);
        succeeds(Command::new("cp").arg("-a").arg(out).arg(&copy));
        copy
    };
    let installs = |out: &Path, more: &[&str]| {
        let mut command = make("install", out);
        command.arg(format!("PREFIX={}", place.join("prefix").display())).args(more).env("PATH", &path);
        let output = command.output().expect("make runs");
        let called = String::from_utf8_lossy(&output.stderr).contains("was called");
        assert_eq!(output.status.success(), !called, "{output:?}");
        !called
    };
    let same = copy("same");
    let before = succeeds(Command::new("ls").args(["-lR", "--full-time"]).arg(&same));
    assert!(installs(&same, &[]) && installs(&same, &["SWITCHES="]));
    assert_eq!(succeeds(Command::new("ls").args(["-lR", "--full-time"]).arg(&same)), before);
    assert!(!installs(&same, &["SWITCHES=noheap"]), "with other switches it is another library");
    assert!(!installs(&place.join("nowhere"), &[]), "nothing has been built");
    succeeds(Command::new("touch").args(["-d", "2001-01-01"]).arg(same.join("switches")));
    assert!(!installs(&same, &[]), "sources have changed since");
}

/// The soname: versions with the same one are compatible.
fn soname_of(version: &str) -> String {
    let numbers: Vec<_> = version.split('.').collect();
    match numbers[..] {
        ["0", minor, _] => format!("libkmem.so.0.{minor}"),
        [major, _, _] => format!("libkmem.so.{major}"),
        _ => panic!("no version: {version}"),
    }
}

#[test]
fn the_version_is_that_of_the_workspace_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    let header = fs::read_to_string(format!("{HERE}/include/kmem.h")).expect("the header");
    assert!(header.contains(&format!("#define Kmversion \"{version}\"\n")));
    let Some(out) = built() else { return };
    assert_eq!(fs::read_link(out.join("libkmem.so")).expect("a link"), Path::new(&soname_of(version)));
    assert!(
        fs::read_to_string(out.join("kmem.h")).expect("text").contains(&format!("Kmversion \"{version}\""))
    );
    let dynamic = succeeds(Command::new("objdump").arg("-p").arg(out.join("libkmem.so")));
    let soname = dynamic.lines().find_map(|line| line.trim().strip_prefix("SONAME"));
    assert_eq!(soname.map(str::trim), Some(&*soname_of(version)));
}

#[test]
fn find_package_takes_a_version_that_is_compatible_with_the_one_that_was_asked_for() {
    let Some(out) = built() else { return };
    if !available("cmake") {
        eprintln!("left out: there is no cmake here");
        return;
    }
    let asked =
        ["", "0", "0.1", "0.1.0", "0.1.3", "0.2", "0.9", "1", "1.0", "1.4", "2", "0.1...0.9", "1...<2"];
    for (version, taken) in [
        ("0.1.0", &["", "0.1", "0.1.0", "0.1...0.9"][..]),
        ("0.1.7", &["", "0.1", "0.1.0", "0.1.3", "0.1...0.9"]),
        ("0.9.3", &["", "0.9"]),
        ("1.0.0", &["", "1", "1.0", "1...<2"]),
        ("1.4.2", &["", "1", "1.0", "1.4", "1...<2"]),
        ("2.0.0", &["", "2"]),
    ] {
        let place = emptied(&format!("version {version}"));
        let (other, prefix) = (place.join("out"), place.join("prefix"));
        succeeds(Command::new("cp").arg("-a").arg(out).arg(&other));
        let (file, soname) = (format!("libkmem.so.{version}"), soname_of(version));
        for link in ["libkmem.so", &*soname_of(env!("CARGO_PKG_VERSION"))] {
            fs::remove_file(other.join(link)).expect("a link");
        }
        let now = format!("libkmem.so.{}", env!("CARGO_PKG_VERSION"));
        for (from, to) in
            [(now.clone(), file.clone()), (format!(".debug/{now}.debug"), format!(".debug/{file}.debug"))]
        {
            fs::rename(other.join(from), other.join(to)).expect("renamed");
        }
        symlink(&file, other.join(&soname)).expect("linked");
        symlink(&soname, other.join("libkmem.so")).expect("linked");
        install(&other, &prefix);
        let lines: String = asked
            .iter()
            .map(|asked| {
                format!(
                    "find_package(kmem {asked} QUIET)\nmessage(STATUS \"asked {asked}: ${{kmem_FOUND}}\")\n"
                )
            })
            .collect();
        // CMake 3.19 added ranges.
        let lines = format!("cmake_policy(VERSION 3.10...3.19)\nproject(asks NONE)\n{lines}");
        let said = cmake(&lines, &place, &prefix.join("lib"));
        let found: Vec<&str> =
            said.lines().filter_map(|line| line.strip_prefix("-- asked ")?.strip_suffix(": 1")).collect();
        assert_eq!(found, taken, "{version}: {said}");
    }
}

#[test]
fn a_shared_library_made_by_cmake_does_not_export_what_it_embeds() {
    let Some(out) = built() else { return };
    if !available("cmake") {
        eprintln!("left out: there is no cmake here");
        return;
    }
    let place = emptied("embeds");
    let prefix = place.join("prefix");
    install(out, &prefix);
    fs::write(place.join("mine.c"), "#include <kmem.h>\nvoid *mine(void) { return kmheapa(1); }\n")
        .expect("written");
    let lines = "project(mine C)\nfind_package(kmem REQUIRED)\nadd_library(mine SHARED mine.c)\n\
                 target_link_libraries(mine PRIVATE kmem::static)\n";
    cmake(lines, &place, &prefix.join("lib"));
    let symbols =
        succeeds(Command::new("nm").args(["-D", "--defined-only"]).arg(place.join("build/libmine.so")));
    assert!(symbols.contains(" mine") && !symbols.contains(" km"), "{symbols}");
}

/// All files below a directory.
fn files(directory: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { BTreeSet::from([path]) };
    entries.flat_map(below).collect()
}

/// The man pages by name, written once.
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

/// The text of a page, or of the page that it links to.
#[track_caller]
fn page<'p>(pages: &'p BTreeMap<String, String>, name: &str) -> &'p str {
    let text = pages.get(name).unwrap_or_else(|| panic!("no page {name}"));
    match text.strip_prefix(".so man3/").and_then(|rest| rest.strip_suffix(".3\n")) {
        Some(other) => &pages[other],
        None => text,
    }
}

/// The headers, without comments and preprocessor lines.
fn declarations() -> String {
    let read = |name| fs::read_to_string(format!("{HERE}/include/{name}")).expect("a header");
    let text = read("kmem-types.h") + &read("kmem.h") + &read("kmem-printf.h");
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
        // `man` and some file systems ignore case.
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
        assert!(name.to_lowercase().starts_with("km"), "{name} is not a name of kmem");
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
