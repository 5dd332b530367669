//! Checks of `docs/talloc.md` and `docs/apr-glib.md`. A page has every public name of the other library, the names of kmem on it exist,
//! and the programs that it quotes print the same with talloc and with kmem.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const HERE: &str = env!("CARGO_MANIFEST_DIR");
const WARNINGS: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"];
const PAGES: &[&str] = &["talloc.md", "apr-glib.md"];

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn page(name: &str) -> String {
    read(Path::new(HERE).join("docs").join(name))
}

#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn available(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The answer of pkg-config for a library, if it is installed.
fn pkg_config(library: &str, question: &[&str]) -> Option<String> {
    let output = Command::new("pkg-config").args(question).arg(library).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).expect("text").trim().to_owned())
}

/// The headers of a library as one text. Returns `None`, and prints a message, if it is not installed.
fn headers(library: &str, files: &[&str]) -> Option<String> {
    let Some(include) = pkg_config(library, &["--variable=includedir"]) else {
        eprintln!("left out: pkg-config finds no {library} here");
        return None;
    };
    Some(files.iter().map(|file| read(Path::new(&include).join(file))).collect())
}

/// C without its comments.
fn code(text: &str) -> String {
    let mut parts = text.split("/*");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |code, part| code + " " + part.split_once("*/").map_or("", |(_, rest)| rest))
}

/// The words of a text that have one of these beginnings.
fn names(text: &str, beginnings: &[&str]) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| beginnings.iter().any(|beginning| word.starts_with(beginning)))
        .map(str::to_owned)
        .collect()
}

/// The tables of a page.
fn tables(page: &str) -> String {
    page.lines().filter(|line| line.starts_with('|')).map(|line| line.to_owned() + "\n").collect()
}

#[track_caller]
fn the_page_has(page: &str, beginnings: &[&str], theirs: &BTreeSet<String>) {
    assert!(theirs.len() > 5, "the headers were not understood: {theirs:?}");
    let rows = names(&tables(page), beginnings);
    let missing: Vec<_> = theirs.difference(&rows).collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
    let invented: Vec<_> = rows.difference(theirs).collect();
    assert!(invented.is_empty(), "on the page, and in no header: {invented:?}");
}

#[test]
fn every_public_name_of_talloc_is_on_the_page() {
    const BEGINNINGS: &[&str] = &["talloc", "TALLOC"];
    let Some(header) = headers("talloc", &["talloc.h"]) else { return };
    // Only a comment names the environment variable.
    let mut theirs = names(&code(&header), BEGINNINGS);
    theirs.extend(names(&header, &["TALLOC_FREE_FILL"]));
    assert!(theirs.contains("talloc_reparent") && theirs.contains("TALLOC_FREE"), "{theirs:?}");
    the_page_has(&page("talloc.md"), BEGINNINGS, &theirs);
}

#[test]
fn every_public_name_of_apr_pools_is_on_the_page() {
    const BEGINNINGS: &[&str] =
        &["apr_pool", "apr_palloc", "apr_pcalloc", "apr_pstr", "apr_pmem", "apr_psprintf", "apr_pvsprintf"];
    let Some(header) = headers("apr-1", &["apr_pools.h", "apr_strings.h"]) else { return };
    let mut theirs = names(&code(&header), BEGINNINGS);
    theirs.remove("apr_pools");
    the_page_has(&page("apr-glib.md"), BEGINNINGS, &theirs);
}

#[test]
fn every_public_name_of_glibs_counted_boxes_and_slices_is_on_the_page() {
    const BEGINNINGS: &[&str] = &["g_rc_box_", "g_atomic_rc_box_", "g_ref_string_", "g_slice_"];
    let files = ["glib-2.0/glib/grcbox.h", "glib-2.0/glib/grefstring.h", "glib-2.0/glib/gslice.h"];
    let Some(header) = headers("glib-2.0", &files) else { return };
    the_page_has(&page("apr-glib.md"), BEGINNINGS, &names(&code(&header), BEGINNINGS));
}

#[test]
fn every_name_of_kmem_on_the_pages_is_in_its_header() {
    let headers = ["kmem-types", "kmem", "kmem-printf"];
    let header: String = headers.map(|name| read(format!("{HERE}/include/{name}.h"))).concat();
    let ours = names(&header, &["km", "Km", "KF"]);
    for name in PAGES {
        let mut said = names(&page(name), &["km", "Km", "KF"]);
        said.retain(|word| !word.starts_with("kmem"));
        let invented: Vec<_> = said.difference(&ours).collect();
        assert!(said.len() > 20 && invented.is_empty(), "{name}: {invented:?}");
    }
}

fn example(name: &str) -> String {
    format!("{HERE}/examples/talloc/{name}.c")
}

#[test]
fn every_line_of_c_on_the_page_is_in_a_program_that_runs() {
    let programs = ["with_talloc", "with_kmem", "shared_with_talloc", "shared_with_kmem", "instead"];
    let programs: String = programs.iter().map(|name| read(example(name))).collect();
    let known: BTreeSet<_> = programs.lines().map(str::trim).collect();
    let page = page("talloc.md");
    let mut seen = 0;
    for block in page.split("```c\n").skip(1) {
        for line in block.split("```").next().unwrap_or_default().lines().map(str::trim) {
            assert!(known.contains(line), "in no program: {line}");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} lines");
}

#[test]
fn each_expression_on_the_pages_accepts_empty_objects_and_null() {
    let program = read(format!("{HERE}/tests/recipes.c"));
    let mut seen = 0;
    for name in PAGES {
        for span in tables(&page(name)).split('`').skip(1).step_by(2) {
            // An expression of kmem with its arguments.
            let begins = ["km", "Km", "if (", "s ?"].iter().any(|beginning| span.starts_with(beginning));
            if begins && span.contains('(') && !span.contains('…') {
                assert!(program.contains(span), "{name}: `{span}` is in no program");
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "{seen}");
    let flags = ["-D_POSIX_C_SOURCE=200809L".into(), format!("-I{}", library().display())];
    let archive = format!("{}/libkmem.a", library().display());
    compiles_and_runs(&format!("{HERE}/tests/recipes.c"), "recipes", &[&flags[..], &[archive]].concat());
}

fn scratch() -> PathBuf {
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("talloc");
    fs::create_dir_all(&scratch).expect("made");
    scratch
}

/// The C library, built once.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let out = scratch().join("out");
        let mut command = Command::new(Path::new(HERE).join("build"));
        command.arg(&out).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        // Another target directory: Cargo has locked that of this test run.
        succeeds(command.env("CARGO_TARGET_DIR", scratch().join("target")));
        out
    })
}

/// Compiles one of the programs, runs it, also under valgrind if that is installed, and returns its output.
#[track_caller]
fn runs(name: &str, flags: &[String]) -> String {
    compiles_and_runs(&example(name), name, flags)
}

#[track_caller]
fn compiles_and_runs(source: &str, name: &str, flags: &[String]) -> String {
    let binary = scratch().join(name);
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut compile = Command::new(cc);
    compile.args(["-std=c11", "-g"]).args(WARNINGS).arg(source).args(flags).arg("-o").arg(&binary);
    succeeds(&mut compile);
    let printed = succeeds(&mut Command::new(&binary));
    if available("valgrind") {
        let watch = [
            "--quiet",
            "--error-exitcode=99",
            "--leak-check=full",
            "--show-leak-kinds=all",
            "--errors-for-leak-kinds=all",
        ];
        assert_eq!(succeeds(Command::new("valgrind").args(watch).arg(&binary)), printed);
    } else {
        eprintln!("left out: there is no valgrind here");
    }
    printed
}

fn with_kmem(name: &str) -> String {
    let flags = [format!("-I{}", library().display()), format!("{}/libkmem.a", library().display())];
    runs(name, &flags)
}

/// Returns `None`, and prints a message, if talloc is not installed.
fn with_talloc(name: &str) -> Option<String> {
    let Some(flags) = pkg_config("talloc", &["--cflags", "--libs"]) else {
        eprintln!("left out: pkg-config finds no talloc here");
        return None;
    };
    Some(runs(name, &flags.split_whitespace().map(str::to_owned).collect::<Vec<_>>()))
}

/// The output of this program as the page shows it.
fn on_the_page(page: &str, program: &str) -> String {
    let below = page.split(&format!("<!-- printed by {program} -->\n```text\n")).nth(1).expect("its output");
    below.split("```").next().unwrap_or_default().to_owned()
}

#[test]
fn the_same_program_prints_the_same_with_talloc_and_with_kmem() {
    let printed = with_kmem("with_kmem");
    assert_eq!(printed, on_the_page(&page("talloc.md"), "with_kmem"));
    if let Some(theirs) = with_talloc("with_talloc") {
        assert_eq!(theirs, printed);
    }
}

#[test]
fn an_object_with_several_owners_is_freed_as_the_page_says() {
    let page = page("talloc.md");
    assert_eq!(with_kmem("shared_with_kmem"), on_the_page(&page, "shared_with_kmem"));
    if let Some(theirs) = with_talloc("shared_with_talloc") {
        assert_eq!(theirs, on_the_page(&page, "shared_with_talloc"));
    }
}

#[test]
fn the_replacements_for_calls_of_talloc_work() {
    assert_eq!(with_kmem("instead"), "below inner\nbelow outer\nbelow a node without a name\n");
}
