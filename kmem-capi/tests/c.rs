//! The C library as C programs use it: built, compiled against, linked, run.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

const HERE: &str = env!("CARGO_MANIFEST_DIR");
const WARNINGS: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"];

fn run(program: impl AsRef<OsStr>, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(args).env("LD_LIBRARY_PATH", library());
    // wine calls the root directory drive Z.
    let more = std::env::var("WINEPATH").unwrap_or_default();
    command.env("WINEPATH", format!("Z:{};{more}", library().replace('/', "\\")));
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

#[track_caller]
fn succeeds(program: impl AsRef<OsStr>, args: &[&str]) -> String {
    let name = program.as_ref().to_owned();
    let output = run(program, args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name:?} {args:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).expect("text").replace("\r\n", "\n")
}

/// The name of the file that the compiler writes for this program.
fn executable(binary: impl AsRef<Path>) -> String {
    let binary = binary.as_ref().to_str().expect("a path in UTF-8");
    if for_windows() { format!("{binary}.exe") } else { binary.to_owned() }
}

/// Runs a program that was compiled here, with the words of `KMEM_TEST_RUNNER` before it.
fn started(binary: impl AsRef<Path>) -> Output {
    let (runner, binary) = (words("KMEM_TEST_RUNNER"), executable(binary));
    let mut all = runner.iter().chain([&binary]).map(String::as_str);
    run(all.next().expect("a program"), &all.collect::<Vec<_>>())
}

/// Runs a program that must succeed, as `started`, and returns its output.
#[track_caller]
fn prints(binary: impl AsRef<Path>) -> String {
    let output = started(&binary);
    let (binary, errors) = (binary.as_ref(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{binary:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).expect("text").replace("\r\n", "\n")
}

fn compiler() -> String {
    std::env::var("CC").unwrap_or_else(|_| "cc".into())
}

/// The platform that the library and the programs are built for, if it is not this machine. `CC` compiles for it, and
/// `KMEM_TEST_RUNNER` runs its programs.
fn target() -> Option<String> {
    std::env::var("TARGET").ok()
}

/// Returns true for Windows, whose libraries have other names and forms.
fn for_windows() -> bool {
    target().is_some_and(|target| target.contains("-windows-"))
}

/// The functions that a shared library exports.
fn exports(directory: &str) -> BTreeSet<String> {
    let symbols = if for_windows() {
        binutil("nm", &["--defined-only", &format!("{directory}/libkmem.dll.a")])
    } else {
        binutil("nm", &["-D", "--defined-only", &format!("{directory}/libkmem.so")])
    };
    let names = symbols.lines().filter_map(|line| line.split_once(" T "));
    names.map(|(_, name)| name.to_owned()).collect()
}

/// The command for a compiler of this name, if it is installed. For another platform: `CC`, and the C++ compiler beside it.
fn named(compiler: &str) -> Option<String> {
    let command = match target() {
        None => compiler.to_owned(),
        Some(_) if compiler.starts_with('g') => self::compiler().replace("gcc", compiler),
        Some(_) => return None,
    };
    Command::new(&command)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
        .then_some(command)
}

/// The output of a program of the C compiler's binutils.
#[track_caller]
fn binutil(name: &str, args: &[&str]) -> String {
    succeeds(succeeds(compiler(), &[&format!("-print-prog-name={name}")]).trim(), args)
}

/// The directory for files of the platform.
fn scratch() -> PathBuf {
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(target().as_deref().unwrap_or("native"));
    fs::create_dir_all(&scratch).expect("made");
    scratch
}

/// Builds the library with these switches, unless another test has, and returns its directory. The lock is for the target directory,
/// which all builds share.
fn build(name: &str, switches: &[&str]) -> PathBuf {
    static DONE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut done = DONE.lock().expect("no build has failed");
    let out = scratch().join(name);
    if !done.insert(name.to_owned()) {
        return out;
    }
    let mut command = Command::new(Path::new(HERE).join("build"));
    command.arg(&out).args(switches).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    // Another target directory: Cargo has locked that of this test run.
    command.env("CARGO_TARGET_DIR", scratch().join("capi"));
    let output = command.output().expect("the build script runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    out
}

/// The library with all methods.
fn library() -> &'static str {
    static LIBRARY: OnceLock<String> = OnceLock::new();
    LIBRARY.get_or_init(|| build("full", &[]).to_str().expect("a path in UTF-8").to_owned())
}

/// The words of an environment variable: `KMEM_TEST_CFLAGS` has flags for the compiler of the C tests, `KMEM_TEST_RUNNER` a command that
/// runs them.
fn words(variable: &str) -> Vec<String> {
    std::env::var(variable).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// Compiles a C program against the library, statically or not, and runs it.
#[track_caller]
fn compiled(source: &str, name: &str, library: &str, shared: bool) -> String {
    let binary = scratch().join(format!("{name}-{}", if shared { "shared" } else { "static" }));
    let binary = binary.to_str().expect("a path in UTF-8");
    let source = format!("{HERE}/{source}");
    let archive = format!("{library}/libkmem.a");
    let (include, search) = (format!("-I{library}"), format!("-L{library}"));
    let more = words("KMEM_TEST_CFLAGS");
    let mut args = vec!["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O1", "-g", "-Wno-unused-result", &include];
    args.extend(WARNINGS);
    args.extend(more.iter().map(String::as_str));
    args.extend([&*source, "-o", binary]);
    args.extend(if shared { [&*search, "-lkmem"] } else { [&*archive, "-Wl,--gc-sections"] });
    args.push("-lpthread");
    succeeds(compiler(), &args);
    prints(binary)
}

fn both(source: &str, name: &str) -> String {
    let first = compiled(source, name, library(), false);
    assert_eq!(compiled(source, name, library(), true), first);
    first
}

#[test]
fn the_heap_method_keeps_the_contract() {
    both("tests/heap.c", "heap");
}

#[test]
fn the_ref_method_keeps_the_contract() {
    both("tests/ref.c", "ref");
}

#[test]
fn the_pool_method_keeps_the_contract() {
    both("tests/pool.c", "pool");
}

#[test]
fn the_tree_method_keeps_the_contract() {
    both("tests/tree.c", "tree");
}

#[test]
fn invalid_calls_fail_or_are_reported() {
    both("tests/life_misuse.c", "life_misuse");
}

#[test]
fn the_cpp_object_of_the_readme_is_not_destroyed_if_its_constructor_throws() {
    let Some(compiler) = named("g++") else {
        eprintln!("left out: there is no C++ compiler here");
        return;
    };
    let readme = fs::read_to_string(format!("{HERE}/README.md")).expect("the README");
    let make = readme.split("```cpp\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let program = format!(
        "#include <new>\n#include <utility>\n#include <cstdio>\n#include \"kmem.h\"\n{make}
static int made, gone;
struct part {{ part(bool whole) {{ if (!whole) throw 7; made++; }} ~part() {{ gone++; }} }};
int main() {{
    kmptr whole = make<part>(true);
    bool thrown = false;
    try {{ make<part>(false); }} catch (int) {{ thrown = true; }}
    if (!thrown || made != 1 || gone != 0) return 1;
    kmfree(whole);
    return gone == 1 ? 0 : 2;
}}\n"
    );
    let (file, binary) = (scratch().join("make.cpp"), scratch().join("make-cpp"));
    fs::write(&file, program).expect("written");
    let (include, archive) = (format!("-I{}", library()), format!("{}/libkmem.a", library()));
    let (file, binary) = (file.to_str().expect("UTF-8"), binary.to_str().expect("UTF-8"));
    succeeds(
        compiler,
        &["-std=c++11", "-Wall", "-Wextra", "-Werror", &include, file, &archive, "-o", binary],
    );
    prints(binary);
}

#[test]
fn counted_cells_own_objects_and_destructors_are_set_later() {
    both("tests/own.c", "own");
}

#[test]
fn cells_grow_move_are_adopted_and_reported() {
    both("tests/life.c", "life");
}

#[test]
fn strings_and_arrays_are_made_in_cells_of_every_method() {
    both("tests/text.c", "text");
}

#[test]
fn cells_grow_in_place_or_move_seldom() {
    both("tests/growth.c", "growth");
}

#[test]
fn any_object_is_freed_through_the_handle() {
    both("tests/ptr.c", "ptr");
}

#[test]
fn functions_that_destroy_an_object_are_callbacks() {
    both("tests/callbacks.c", "callbacks");
}

#[test]
fn every_source_serves_every_method() {
    both("tests/source.c", "source");
}

#[test]
fn the_bytes_lie_where_the_contract_has_them() {
    both("tests/layout.c", "layout");
}

#[test]
fn the_tour_shows_each_method() {
    let out = both("examples/tour.c", "tour");
    assert_eq!(
        out,
        "heap  on the heap\nref   counted\npool  in a pool\ntree  a root\nnone  static\nheap  secret\nstill counted\n"
    );
}

#[test]
fn the_server_frees_each_request_with_all_that_belongs_to_it() {
    let out = both("examples/request.c", "request");
    assert_eq!(
        out,
        "example: GET /, body of /\nexample: GET /about, body of /about\nexample: GET /missing, body of /missing\n\
         3 requests ended\n"
    );
}

#[test]
fn the_embedded_program_lives_in_one_array() {
    let out = both("examples/embedded.c", "embedded");
    assert_eq!(
        out,
        "counted, in an array\na tree, in an array, with 18 leaves until the array was full\n20 cells free again\n"
    );
}

/// Compiles the header alone.
fn header_is_clean(compiler: &str, language: &str, standard: &str) {
    let include = format!("-I{}", library());
    let mut args =
        vec!["-fsyntax-only", "-x", language, standard, &include, "-include", "kmem-printf.h", "/dev/null"];
    args.extend(WARNINGS);
    succeeds(compiler, &args);
    for (switch, _) in SWITCHES {
        let define = format!("-DKFmem_{switch}");
        succeeds(compiler, &[&args[..], &[&*define]].concat());
    }
}

#[test]
fn the_header_is_clean_under_every_standard() {
    let mut seen = 0;
    for (compiler, language, standards) in [
        ("gcc", "c", &["c99", "c11", "c17", "c2x"][..]),
        ("clang", "c", &["c99", "c11", "c17", "c2x"]),
        ("g++", "c++", &["c++11", "c++14", "c++17", "c++20", "c++23"]),
        ("clang++", "c++", &["c++11", "c++14", "c++17", "c++20", "c++2b"]),
    ] {
        if let Some(compiler) = named(compiler) {
            for standard in standards {
                header_is_clean(&compiler, language, &format!("-std={standard}"));
                seen += 1;
            }
        }
    }
    assert!(seen > 0, "no compiler was found");
}

#[test]
fn headers_and_the_last_child_are_reached_without_a_warning() {
    let (include, archive) = (format!("-I{}", library()), format!("{}/libkmem.a", library()));
    let (source, out) = (format!("{HERE}/tests/header.c"), scratch().join("header"));
    let out = out.to_str().expect("UTF-8");
    for compiler in ["gcc", "clang"].into_iter().filter_map(named) {
        for level in ["-O2", "-O3"] {
            let mut args = vec!["-std=c11", "-D_POSIX_C_SOURCE=200809L", level, &include];
            args.extend(WARNINGS);
            args.extend([&*source, &*archive, "-o", out]);
            succeeds(&compiler, &args);
            prints(out);
        }
    }
}

#[test]
fn a_cxx_program_uses_every_macro_without_a_warning() {
    let (include, archive) = (format!("-I{}", library()), format!("{}/libkmem.a", library()));
    let (source, out) = (format!("{HERE}/tests/cxx.cc"), scratch().join("cxx"));
    let out = out.to_str().expect("UTF-8");
    let strict = ["-Wsign-conversion", "-Wold-style-cast", "-Wzero-as-null-pointer-constant"];
    let mut seen = 0;
    for (compiler, standards, more) in [
        ("g++", ["c++11", "c++17", "c++23"], &["-Wuseless-cast", "-Wcast-qual"][..]),
        ("clang++", ["c++11", "c++17", "c++2b"], &["-Wcast-qual", "-Wextra-semi"]),
    ] {
        let Some(compiler) = named(compiler) else { continue };
        for standard in standards {
            let standard = format!("-std={standard}");
            let args =
                [WARNINGS, &strict, more, &[&standard, &include, &source, &archive, "-o", out]].concat();
            succeeds(&compiler, &args);
            prints(out);
            seen += 1;
        }
    }
    if seen == 0 {
        eprintln!("left out: there is no C++ compiler here");
    }
    // The macros that make a kmat need C++11; the rest of kmem.h does not.
    for compiler in ["g++", "clang++"].into_iter().filter_map(named) {
        let args = ["-std=c++98", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++", &include];
        succeeds(&compiler, &[&args[..], &["-include", "kmem.h", "/dev/null"]].concat());
    }
    // The program uses all macros, and all functions that a header defines.
    let (program, headers) = (fs::read_to_string(&source), ["kmem.h", "kmem-printf.h"]);
    let program = program.expect("the program");
    for header in headers {
        let header = fs::read_to_string(format!("{HERE}/include/{header}")).expect("a header");
        for line in header.lines().filter(|line| line.contains("define Km") || line.starts_with("KM_")) {
            let name = line.rsplit("define ").next().unwrap_or_default();
            let name = name.rsplit_once(" static ").map_or(name, |(_, rest)| rest);
            let name =
                name.split('(').next().unwrap_or_default().rsplit([' ', '*']).next().unwrap_or_default();
            let name = if name.starts_with('"') { "Kmversion" } else { name };
            assert!(name.is_empty() || program.contains(name), "{name} is not used");
        }
    }
}

/// Calls that return an object, or whose result is the only sign of a failure.
const NOT_TO_BE_DROPPED: &str = "\
    kmheapa(1); kmheapz(1); kmheapw(o); kmheapao(1); kmheapzo(1); kmheapwo(o); kmheapr(p, 1);
    kmrefa(0, 1); kmrefz(0, 1); kmrefw(0, o); kmrefao(0, 1); kmrefzo(0, 1); kmrefwo(0, o); kmrefr(p, 1);
    kmpooli(0, 1, 1); kmpooliw(0, o, 1); kmpoolif(p, 1, 1); kmpoolifw(p, 1, o);
    kmpoola(p); kmpoolz(p, 1); kmpoolao(p, 1); kmpoolzo(p, 1);
    kmtreea(0, 0, 1); kmtreez(0, 0, 1); kmtreew(0, 0, o); kmtreeao(0, 0, 1); kmtreezo(0, 0, 1); kmtreewo(0, 0, o);
    kmtreer(p, 1); kmtreek(p, *h); kmtreel(p, p); kmtreeh(p, f, p); kmtreemc(p, p);
    kmnew(at, o); kmarr(at, 1, 1); kmarrz(at, 1, 1); kmdup(at, p, 1); kmdups(at, s); kmdupn(at, s, 1);
    kmresize(h, 1); kmresizen(h, 1, 1); kmcat(h, p, 1); kmcats(h, s); kmroom(h, 1);
    kmprintf(at, \"%d\", 1); kmprintfa(h, \"%d\", 1); kmvprintf(at, s, list); kmvprintfa(h, s, list);";

#[test]
fn a_result_that_must_not_be_dropped_warns() {
    let program = format!(
        "#include \"kmem-printf.h\"\nvoid use(kmptr *h, void *p, char *s, kmat at, const kmopt *o, void (*f)(void *, void *), \
         va_list list) {{\n{}\n}}\n",
        NOT_TO_BE_DROPPED.replace("; ", ";\n")
    );
    let file = scratch().join("dropped.c");
    fs::write(&file, &program).expect("written");
    let (include, calls) = (format!("-I{}", library()), NOT_TO_BE_DROPPED.matches(';').count());
    for compiler in ["gcc", "clang"].into_iter().filter_map(named) {
        let output = run(compiler, &["-c", "-o", "/dev/null", &include, file.to_str().expect("UTF-8")]);
        let report = String::from_utf8_lossy(&output.stderr);
        assert_eq!(report.matches("-Wunused-result]").count(), calls, "{report}");
        assert!(output.status.success(), "{report}");
    }
}

#[test]
fn the_analyser_sees_a_leak_and_a_double_free() {
    let Some(gcc) = named("gcc") else {
        eprintln!("left out: there is no gcc here");
        return;
    };
    let include = format!("-I{}", library());
    let output =
        run(gcc, &["-fanalyzer", "-c", &include, &format!("{HERE}/tests/analyser.c"), "-o", "/dev/null"]);
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(report.contains("-Wanalyzer-malloc-leak"), "{report}");
    assert!(report.contains("-Wanalyzer-double-free"), "{report}");
}

/// The functions that the Rust sources export, with their C declarations.
fn exported() -> Vec<(String, String)> {
    let mut functions = Vec::new();
    for file in fs::read_dir(format!("{HERE}/src")).expect("sources") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("text");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for function in text.split("extern \"C\" fn km").skip(1) {
            let (name, rest) = function.split_once('(').expect("parameters");
            let (parameters, rest) = rest.split_once(')').expect("the end of them");
            let result = rest.split_once('{').expect("a body").0.trim().trim_start_matches("->").trim();
            let types: Vec<_> =
                parameters.split(", ").filter_map(|p| Some(p.split_once(": ")?.1)).map(c_type).collect();
            let list = if types.is_empty() { "void".into() } else { types.join(", ") };
            functions.push((format!("km{name}"), format!("{} km{name}({list});", c_type(result))));
        }
    }
    functions
}

/// The functions in the table of the README, which names most of them by their letters.
fn tabled() -> BTreeSet<String> {
    let readme = fs::read_to_string(format!("{HERE}/README.md")).expect("the README");
    let table =
        readme.split("## What it does").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a table");
    let mut rows =
        table.lines().filter(|line| line.starts_with('|')).map(|row| row.split('|').map(str::trim));
    let methods: Vec<_> = rows.next().expect("a head").collect();
    let mut functions = BTreeSet::new();
    for (method, cell) in rows.flat_map(|row| methods.iter().zip(row)) {
        for word in cell.split('`').skip(1).step_by(2) {
            let whole = word.starts_with("km") || word.starts_with("Km");
            functions.insert(if whole { word.to_owned() } else { format!("km{method}{word}") });
        }
    }
    functions
}

#[test]
fn the_readme_names_every_function() {
    let mut functions: BTreeSet<String> = exported().into_iter().map(|(name, _)| name).collect();
    let formats = fs::read_to_string(format!("{HERE}/include/kmem-printf.h")).expect("the header");
    for definition in formats.lines().filter(|line| line.starts_with("KM_")) {
        let called =
            definition.match_indices('(').filter_map(|(at, _)| definition[..at].rsplit([' ', '*']).next());
        functions.extend(called.filter(|name| name.starts_with("km")).map(str::to_owned));
    }
    assert!(functions.contains("kmvprintfa") && functions.contains("kmtofile"), "{functions:?}");
    functions.insert("Kmcast".into());
    let tabled = tabled();
    assert!(functions == tabled, "{:?}", functions.symmetric_difference(&tabled).collect::<Vec<_>>());
}

/// The C type for a type of the Rust sources.
fn c_type(rust: &str) -> String {
    match rust.trim_end_matches(',') {
        "" => "void",
        "usize" => "size_t",
        "*mut c_void" => "void *",
        "*const c_void" => "const void *",
        "Handle" => "kmptr",
        "*mut Handle" => "kmptr *",
        "*mut Cell" => "kmcell *",
        "*mut Pool" => "kmpool *",
        "*mut Walk" => "kmwalk *",
        "Count" => "kmpoolcount",
        "Sum" => "kmcount",
        "At" => "kmat",
        "Write" => "kmwritefn",
        "DropFn" | "Option<DropFn>" => "hook",
        "*const c_char" => "const char *",
        "*mut c_char" => "char *",
        "c_int" => "int",
        "KindNumber" => "kmkind",
        "Total" => "kmtotals",
        "*mut Source" => "kmsource *",
        "*const Options" => "const kmopt *",
        "*const SourceOptions" => "const kmsourceopt *",
        "Allocate" => "allocate",
        "Free" => "release",
        "Option<Handler>" => "kmfaultfn",
        other => panic!("a type that the header has no word for: {other}"),
    }
    .into()
}

#[test]
fn header_sources_and_library_have_the_same_functions() {
    let functions = exported();
    let sources: BTreeSet<String> = functions.iter().map(|(name, _)| name.clone()).collect();

    let mut symbols = exports(library());
    assert!(symbols.insert(TOTALS.1.into()), "kmtotal() is only in a library with totals");
    assert_eq!(symbols, sources, "the library exports its functions and nothing else");

    let header = fs::read_to_string(format!("{HERE}/include/kmem.h")).expect("the header");
    let code: String =
        header.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, code)| code)).collect();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let declared: BTreeSet<String> = code
        .match_indices('(')
        .map(|(at, _)| &code[..at])
        .map(|before| before.rsplit(|c| !word(c)).next().unwrap_or("").to_owned())
        .filter(|name| name.starts_with("km") && name.chars().all(|c| c.is_ascii_lowercase()))
        .collect();
    assert_eq!(declared, sources, "the header declares them and nothing else");
}

#[test]
fn header_and_sources_agree_on_every_signature() {
    let mut again = String::from(
        "#include \"kmem.h\"\n\
         typedef void *(*allocate)(kmsource *, size_t, size_t);\n\
         typedef void (*release)(kmsource *, void *, size_t, size_t);\n\
         typedef void (*hook)(void *, void *);\n",
    );
    for (_, declaration) in exported() {
        again.push_str(&declaration);
        again.push('\n');
    }
    let file = scratch().join("again.c");
    fs::write(&file, &again).expect("written");
    let include = format!("-I{}", library());
    succeeds(compiler(), &["-std=c11", "-fsyntax-only", "-Werror", &include, file.to_str().expect("UTF-8")]);
    // With a changed parameter the check fails.
    fs::write(&file, again.replace("void * kmheapa(size_t)", "void * kmheapa(int)")).expect("written");
    let wrong = run(compiler(), &["-std=c11", "-fsyntax-only", &include, file.to_str().expect("UTF-8")]);
    assert!(!wrong.status.success());
}

#[test]
fn the_library_needs_the_c_library_alone_and_cannot_panic() {
    if for_windows() {
        eprintln!("left out: the symbols of the C library have other names on Windows");
        return;
    }
    let archive = format!("{}/libkmem.a", library());
    let undefined = binutil("nm", &["--undefined-only", "--format=posix", &archive]);
    let needed: BTreeSet<&str> = undefined
        .lines()
        .filter_map(|line| line.strip_suffix(" U  ").or(line.split_once(" U").map(|p| p.0)))
        .collect();
    let known = [
        "__errno_location",
        "_GLOBAL_OFFSET_TABLE_",
        // The C compiler uses these on ARM.
        "__aeabi_unwind_cpp_pr0",
        "__aeabi_unwind_cpp_pr1",
        "abort",
        "bcmp",
        "calloc",
        "free",
        "getauxval",
        "malloc",
        "memcpy",
        "memmove",
        "memset",
        "posix_memalign",
        "realloc",
        "strlen",
        "strnlen",
        "write",
    ];
    for name in &needed {
        assert!(known.contains(name), "the library needs {name}");
    }
    let defined = binutil("nm", &["--defined-only", &archive]);
    assert!(defined.contains("kmheapa"));
    for line in defined.lines() {
        assert!(!line.contains("panic") && !line.contains("unwind"), "reachable: {line}");
    }
    // Of the shared library, before it was stripped, the linker kept what is reachable, which is the same.
    let dynamic = binutil("objdump", &["-p", &format!("{}/libkmem.so", library())]);
    let needed: Vec<&str> =
        dynamic.lines().filter_map(|line| line.trim().strip_prefix("NEEDED")).map(str::trim).collect();
    assert_eq!(needed, ["libc.so.6"]);
    assert!(dynamic.contains("SONAME") && dynamic.contains("libkmem.so.0.1"));
}

#[test]
fn unwind_tables_are_in_a_file_for_debuggers_or_in_memory() {
    if for_windows() {
        eprintln!("left out: on Windows they are always in memory");
        return;
    }
    let of_kmem = |file: &str, name: &str| {
        let tables = binutil("readelf", &["--wide", "--section-headers", file]);
        let size = tables.lines().find_map(|line| {
            let mut words = line.split_whitespace().skip_while(|&word| word != name);
            // Name, type, address, offset, size.
            usize::from_str_radix(words.nth(4)?, 16).ok()
        });
        // The tables of the C compiler's own start files are smaller.
        size.is_some_and(|size| size > 1000)
    };
    let shared = format!("{}/libkmem.so", library());
    let debug = format!("{}/.debug/libkmem.so.{}.debug", library(), env!("CARGO_PKG_VERSION"));
    assert!(of_kmem(&debug, ".debug_frame"), "a debugger finds them");
    assert!(
        !of_kmem(&shared, ".debug_frame") && !of_kmem(&shared, ".eh_frame"),
        "a program does not load them"
    );
    let with = build("unwind", &["unwind"]).join("libkmem.so");
    assert!(of_kmem(with.to_str().expect("UTF-8"), ".eh_frame"), "except if it is to");
}

/// The number of kmem functions that a shared library exports if it embeds the archive.
fn exported_by_an_embedder(name: &str, archive: &str, more: &[&str]) -> usize {
    let file = scratch().join("embeds.c");
    fs::write(&file, "#include \"kmem.h\"\nvoid *mine(void) { return kmheapa(1); }\n").expect("written");
    let (include, out) = (format!("-I{}", library()), scratch().join(name));
    let (file, out) = (file.to_str().expect("UTF-8"), out.to_str().expect("UTF-8"));
    succeeds(compiler(), &[&["-shared", "-fPIC", &*include, file, archive, "-o", out], more].concat());
    let symbols = binutil("nm", &["-D", "--defined-only", out]);
    assert!(symbols.contains(" mine"), "{symbols}");
    symbols.lines().filter(|line| line.contains(" km")).count()
}

#[test]
fn a_shared_library_that_embeds_the_archive_need_not_export_it() {
    if for_windows() {
        eprintln!("left out: Windows has no hidden symbols");
        return;
    }
    let archive = format!("{}/libkmem.a", library());
    assert!(exported_by_an_embedder("open.so", &archive, &[]) > 80);
    assert_eq!(exported_by_an_embedder("excluded.so", &archive, &["-Wl,--exclude-libs,libkmem.a"]), 0);
    let hidden = build("hidden", &["hidden"]);
    let hidden = hidden.to_str().expect("UTF-8");
    assert_eq!(exported_by_an_embedder("hidden.so", &format!("{hidden}/libkmem.a"), &[]), 0);
    // A program, and the shared library, can use all functions.
    compiled("tests/ptr.c", "ptr-hidden", hidden, false);
    compiled("tests/ptr.c", "ptr-hidden", hidden, true);
}

#[test]
fn the_library_is_small() {
    // The oldest compiler makes the library larger by an eighth, and so do other processors.
    let (limit, whole) = if target().is_none() { (28_000, 84_000) } else { (80 << 10, 160 << 10) };
    let shared = if for_windows() { "libkmem-0.1.dll" } else { "libkmem.so" };
    let shared = fs::metadata(format!("{}/{shared}", library())).expect("the library").len();
    assert!(shared <= whole, "libkmem.so has {shared} bytes");

    let hello = "#include <stdio.h>\n#ifdef KMEM\n#include \"kmem.h\"\n#endif\nint main(void) {\n#ifdef KMEM\n\
         kmpool *pool = kmpooli(NULL, 8, 8);\nkmptr all[] = {kmheapzo(8), kmrefzo(NULL, 8), kmpoolzo(pool, 8), \
         kmtreezo(NULL, NULL, 8)};\nfor (int i = 0; i < 4; i++) kmfree(all[i]);\nkmpoolx(pool);\n#endif\n\
         return puts(\"hello\") < 0;\n}\n";
    let file = scratch().join("hello.c");
    fs::write(&file, hello).expect("written");
    let size = |name: &str, more: &[&str]| {
        let binary = scratch().join(name);
        let include = format!("-I{}", library());
        let mut args =
            vec!["-O1", "-s", "-static", "-Wl,--gc-sections", &include, file.to_str().expect("UTF-8")];
        args.extend(more);
        args.extend(["-o", binary.to_str().expect("UTF-8")]);
        succeeds(compiler(), &args);
        assert_eq!(prints(&binary), "hello\n");
        fs::metadata(executable(&binary)).expect("the program").len()
    };
    let archive = format!("{}/libkmem.a", library());
    let grown = size("hello-with", &["-DKMEM", &archive]) - size("hello-without", &[]);
    assert!(grown <= limit, "a program that uses all methods grows by {grown} bytes");
    println!("libkmem.so {shared} bytes, hello grows by {grown} bytes");
}

/// The switches that leave a part out, with a function of that part.
const SWITCHES: [(&str, &str); 5] = [
    ("noheap", "kmheapa"),
    ("noref", "kmrefa"),
    ("nopool", "kmpoola"),
    ("notree", "kmtreea"),
    ("noshred", "kmshred"),
];

/// The switch that adds a part, with a function of that part.
const TOTALS: (&str, &str) = ("totals", "kmtotal");

/// The C tests that apply with these switches. A test that is named for a method needs that method.
fn tests_under(switches: &[&str]) -> Vec<&'static str> {
    let mut tests = vec!["ptr", "source", "layout"];
    tests.extend(
        ["heap", "ref", "pool", "tree"].iter().filter(|test| !switches.contains(&&*format!("no{test}"))),
    );
    tests
}

/// Builds the library with these switches and runs the tests that apply.
fn combination(switches: &[&str]) {
    let name = format!("with-{}", switches.join("-"));
    let out = build(&name, switches);
    let out = out.to_str().expect("UTF-8");
    let symbols = exports(out);
    for (switch, function) in SWITCHES {
        assert_eq!(symbols.contains(function), !switches.contains(&switch), "{function} with {switches:?}");
    }
    for (at, test) in tests_under(switches).iter().enumerate() {
        compiled(&format!("tests/{test}.c"), &format!("{test}-{name}"), out, at % 2 == 0);
    }
}

#[test]
fn without_a_method_its_functions_are_gone_and_the_others_work() {
    combination(&["noheap"]);
    combination(&["nopool", "notree"]);
    combination(&["noref", "noshred"]);
}

#[test]
fn totals_count_what_each_method_has() {
    let out = build("totals", &["totals"]);
    let out = out.to_str().expect("UTF-8");
    for (at, test) in tests_under(&[]).iter().chain(&["totals"]).enumerate() {
        compiled(&format!("tests/{test}.c"), &format!("{test}-totals"), out, at % 2 == 0);
    }
}

#[test]
fn cells_are_allocated_from_mimalloc() {
    if for_windows() {
        eprintln!("left out: the build refuses mimalloc for Windows");
        return;
    }
    let out = build("mimalloc", &["mimalloc"]);
    let out = out.to_str().expect("UTF-8");
    for test in tests_under(&[]) {
        compiled(&format!("tests/{test}.c"), &format!("{test}-mimalloc"), out, test != "heap");
    }
    let archive = binutil("nm", &["-g", "--defined-only", &format!("{out}/libkmem.a")]);
    assert!(!archive.contains(" mi_") && !archive.contains(" malloc"), "{archive}");
}

/// The libraries over each heap, with their switches.
fn heaps() -> &'static [(&'static str, &'static [&'static str])] {
    let all: &[(_, &'static [_])] = &[("full", &[]), ("mimalloc", &["mimalloc"])];
    if for_windows() { &all[..1] } else { all }
}

/// Compiles a C test against the library in a directory. Ignores `KMEM_TEST_CFLAGS`.
fn bare(test: &str, library: &Path) -> PathBuf {
    let binary = library.join(test);
    let (include, archive) = (format!("-I{}", library.display()), format!("{}/libkmem.a", library.display()));
    let (source, name) = (format!("{HERE}/tests/{test}.c"), binary.to_str().expect("UTF-8"));
    succeeds(compiler(), &["-std=c11", &include, &source, &archive, "-o", name, "-lpthread"]);
    binary
}

#[test]
fn a_large_cell_stays_in_place_as_its_size_changes_a_little() {
    for &(name, switches) in heaps() {
        let moves = prints(bare("resize", &build(name, switches)));
        let moves: Vec<u32> = moves.split_whitespace().map(|n| n.parse().expect("a number")).collect();
        // The C library cannot resize an aligned block, and on 32-bit machines none of its blocks is aligned enough for kmem.
        let narrow = target().is_some_and(|target| target.starts_with("i686") || target.starts_with("arm"));
        let alike = if name == "full" { &moves[..usize::from(!narrow)] } else { &moves };
        assert!(alike.iter().all(|&moved| moved <= 2), "{name}: {moves:?}");
    }
}

/// Runs the program that misuses a cell and then aborts, and returns its key.
#[cfg(unix)]
fn aborted(binary: &Path) -> u64 {
    use std::os::unix::process::ExitStatusExt;
    let output = started(binary);
    let aborts =
        if for_windows() { output.status.code() == Some(3) } else { output.status.signal() == Some(6) };
    assert!(aborts, "{output:?}");
    // An emulator adds lines.
    let report = String::from_utf8(output.stderr).expect("text");
    let lines: Vec<_> = report.lines().filter(|line| line.starts_with("kmem: ")).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("kmem: kmheapf(0x"), "{report}");
    // The handler reads half of the count as the kind of a heap cell: its low half, or its high half, which is zero.
    assert!(lines[0].contains("): a damaged header") || lines[0].contains("): not a cell"), "{report}");
    u64::from_str_radix(String::from_utf8_lossy(&output.stdout).trim(), 16).expect("a number")
}

#[cfg(unix)]
#[test]
fn every_build_reports_a_misuse_and_aborts_and_has_a_random_key() {
    for &(name, switches) in heaps() {
        let binary = bare("fault", &build(name, switches));
        // The low 12 bits of an address are the same in every run, so those of a key made of an address would be, too.
        let keys: BTreeSet<u64> = (0..8).map(|_| aborted(&binary) & 0xfff).collect();
        assert!(keys.len() > 1, "{name}: {keys:x?}");
    }
}

#[test]
#[ignore = "32 builds take minutes"]
fn all_32_combinations_of_switches_pass_the_tests_that_apply() {
    for bits in 0..1 << SWITCHES.len() {
        let set = |at: &usize| bits >> at & 1 == 1;
        let switches: Vec<&str> = (0..SWITCHES.len()).filter(set).map(|at| SWITCHES[at].0).collect();
        combination(&switches);
    }
}

#[test]
fn a_function_that_was_left_out_is_an_error_of_the_compiler_and_the_linker() {
    let include = format!("-I{}", library());
    for (switch, function) in SWITCHES {
        let program =
            format!("#include \"kmem.h\"\nvoid *use(void) {{ return (void *)(size_t){function}; }}\n");
        let file = scratch().join(format!("left-out-{switch}.c"));
        fs::write(&file, program).expect("written");
        for compiler in ["gcc", "clang"].into_iter().filter_map(named) {
            let source = file.to_str().expect("UTF-8");
            succeeds(&compiler, &["-fsyntax-only", &include, source]);
            let output = run(&compiler, &["-fsyntax-only", &include, &format!("-DKFmem_{switch}"), source]);
            let report = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && report.contains(&format!("KFmem_{switch}")), "{report}");
        }
    }
    let file = scratch().join("totals-left-out.c");
    fs::write(
        &file,
        format!("#include \"kmem.h\"\nkmtotals use(void) {{ return {}(kmkind_heap); }}\n", TOTALS.1),
    )
    .expect("written");
    for compiler in ["gcc", "clang"].into_iter().filter_map(named) {
        let source = file.to_str().expect("UTF-8");
        succeeds(&compiler, &["-fsyntax-only", &include, "-DKFmem_totals", source]);
        let output = run(&compiler, &["-fsyntax-only", &include, source]);
        let report = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && report.contains("without KFmem_totals"), "{report}");
    }
    // The header of one library and the archive of another.
    let less = build("with-noheap", &["noheap"]);
    let binary = scratch().join("never-linked");
    let archive = less.join("libkmem.a");
    let output = run(
        compiler(),
        &[
            &*include,
            "-std=c11",
            &format!("{HERE}/examples/tour.c"),
            archive.to_str().expect("UTF-8"),
            "-o",
            binary.to_str().expect("UTF-8"),
        ],
    );
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && report.contains("kmheap"), "{report}");
}

#[test]
fn a_program_with_more_switches_than_its_library_works() {
    let include = format!("-I{}", library());
    let archive = format!("{}/libkmem.a", library());
    for test in ["heap", "ref", "pool", "tree", "ptr", "source"] {
        let binary = scratch().join(format!("{test}-own-switches"));
        let source = format!("{HERE}/tests/{test}.c");
        let mut args =
            vec!["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-DKFmem_noshred", "-Wno-unused-result", &include];
        args.extend([&*source, &*archive, "-lpthread", "-o", binary.to_str().expect("UTF-8")]);
        succeeds(compiler(), &args);
        prints(&binary);
    }
}
