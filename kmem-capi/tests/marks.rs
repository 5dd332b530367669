//! Builds of kmem for memory checkers, which tell the tool which bytes of a pool are not in use. AddressSanitizer and valgrind report each wrong program of
//! `marks/marks.c` and of `marks/rust` at its line, and report nothing for a correct one. So do MemorySanitizer with `marks/undefined.c`
//! and ThreadSanitizer with `marks/threads.c`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const HERE: &str = env!("CARGO_MANIFEST_DIR");
const C: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/marks/marks.c");
const UNDEFINED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/marks/undefined.c");
const THREADS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/marks/threads.c");
const RUST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/marks/rust/src/main.rs");

/// The mistake of a program, with the size of the block in the report of valgrind, if there is one.
#[derive(Clone, Copy)]
enum Wrong {
    AfterFree(usize),
    PastTheEnd(usize),
    /// The block is the whole pool.
    AfterThePool(usize),
    Unused,
    Undefined,
    /// The block is a root with the gap and the word after it.
    Lost(usize),
}
use Wrong::{AfterFree, AfterThePool, Lost, PastTheEnd, Undefined, Unused};

const PROGRAMS_IN_C: &[(&str, Wrong)] = &[
    ("after_free", AfterFree(32)),
    ("unused", Unused),
    ("unused_in_a_buffer", Unused),
    ("past_the_end", PastTheEnd(32)),
    ("past_the_end_of_an_odd_cell", PastTheEnd(21)),
    ("after_free_in_a_buffer", AfterFree(32)),
    ("after_free_in_a_pool_in_a_pool", AfterFree(32)),
    ("object_after_free", Unused),
    ("newest_object_after_free", Unused),
    ("after_the_scope", Unused),
    ("after_a_long_scope", Unused),
    ("counted_after_free", AfterFree(32 + 20)),
    ("behind_a_counted_cell_that_was_zeroed", Unused),
    // A header, a group, ten cells with a header, 32 bytes and a red zone each, and the words after each block of the heap.
    ("after_the_pool", AfterThePool(160 + 16 + 10 * (16 + 32 + 16) + 24 + 16)),
    ("past_the_end_of_a_counted_cell", PastTheEnd(32 + 21)),
    ("undefined", Undefined),
    ("lost", Lost(32)),
    ("lost_heap_cell", Lost(32)),
    ("lost_counted_cell", Lost(20)),
    ("lost_root", Lost(20 + 4 + 16 + 8)),
];

const PROGRAMS_IN_RUST: &[(&str, Wrong)] = &[
    ("after_free", AfterFree(32)),
    ("unused", Unused),
    ("past_the_end", PastTheEnd(32)),
    ("after_free_in_a_buffer", AfterFree(32)),
    ("after_free_in_a_node", AfterFree(32)),
    ("after_it_was_moved_out", AfterFree(32)),
    ("counted_after_free", AfterFree(32 + 20)),
    ("past_the_end_of_a_counted_cell", PastTheEnd(32 + 21)),
    ("undefined", Undefined),
];

fn scratch() -> PathBuf {
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("marks");
    fs::create_dir_all(&scratch).expect("made");
    scratch
}

/// A command without the flags that this test was built with.
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("RUSTUP_TOOLCHAIN");
    command
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, report(&output));
}

fn report(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The C compiler of the other tests.
fn cc() -> String {
    std::env::var("CC").unwrap_or_else(|_| "cc".into())
}

/// Returns true if the compiler has this sanitizer.
fn sanitizes(compiler: &str, flag: &str) -> bool {
    let (source, binary) = (scratch().join("empty.c"), scratch().join(format!("empty-{compiler}{flag}")));
    fs::write(&source, "int main(void) { return 0; }\n").expect("written");
    let there = works(command(compiler).arg(flag).arg(&source).arg("-o").arg(binary));
    if !there {
        eprintln!("left out: {compiler} has no {flag} here");
    }
    there
}

fn has_valgrind() -> bool {
    let there = works(command("valgrind").arg("--version"));
    if !there {
        eprintln!("left out: there is no valgrind here");
    }
    there
}

/// Builds the C library with this switch.
fn library(switch: &str) -> PathBuf {
    let out = scratch().join(switch);
    let mut build = command(Path::new(HERE).join("build"));
    succeeds(build.arg(&out).arg(switch).env("CARGO_TARGET_DIR", scratch().join("capi").join(switch)));
    out
}

/// Compiles a C program with the library, statically or not.
fn compiled(source: &str, library: &Path, shared: bool, flags: &[&str]) -> PathBuf {
    compiled_by(&cc(), source, library, shared, flags)
}

fn compiled_by(compiler: &str, source: &str, library: &Path, shared: bool, flags: &[&str]) -> PathBuf {
    let name = Path::new(source).file_stem().expect("a file").to_str().expect("UTF-8");
    let binary = library.join(format!("{name}-{compiler}-{}", if shared { "shared" } else { "static" }));
    let mut cc = command(compiler);
    cc.args(["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-DKMEM_MARKED", "-O1", "-g", "-Wno-unused-result"]);
    cc.args(flags).arg("-I").arg(library).arg(source).arg("-o").arg(&binary);
    if shared {
        cc.arg("-L").arg(library).arg("-lkmem").arg(format!("-Wl,-rpath,{}", library.display()));
    } else {
        cc.arg(library.join("libkmem.a"));
    }
    succeeds(cc.arg("-lpthread"));
    binary
}

/// Builds the program of `marks/rust`.
fn rust_program(toolchain: Option<&str>, flags: &str, target: Option<&str>) -> PathBuf {
    let out = scratch().join(toolchain.unwrap_or("stable"));
    let mut cargo = command("cargo");
    cargo.args(toolchain.map(|name| format!("+{name}"))).args(["build", "--quiet", "--manifest-path"]);
    cargo.arg(format!("{HERE}/tests/marks/rust/Cargo.toml")).env("RUSTFLAGS", flags);
    cargo.env("CARGO_TARGET_DIR", &out).env_remove("CARGO");
    if let Some(target) = target {
        cargo.args(["--target", target]);
    }
    succeeds(&mut cargo);
    out.join(target.unwrap_or_default()).join("debug/marks")
}

/// The line that is marked for this event of a program, as both tools print it: `marks.c:16`.
fn place(source: &str, program: &str, event: &str) -> String {
    let text = fs::read_to_string(source).expect("the source");
    let mark = format!("{program}: {event}");
    let ends = |line: &str| line.trim_end().trim_end_matches("*/").trim_end().ends_with(&mark);
    let line = text.lines().position(ends).unwrap_or_else(|| panic!("no line of {source} has '{mark}'"));
    format!("{}:{}", Path::new(source).file_name().expect("a file").to_str().expect("UTF-8"), line + 1)
}

#[track_caller]
fn says(report: &str, words: &str) {
    assert!(report.contains(words), "'{words}' is not in:\n{report}");
}

/// Runs each program under AddressSanitizer, which ends it at the first error.
#[track_caller]
fn the_sanitizer_sees(binary: &Path, source: &str, programs: &[(&str, Wrong)]) {
    for &(program, wrong) in programs {
        let output = run(command(binary).arg(program).env("ASAN_OPTIONS", "detect_leaks=0"));
        let report = report(&output);
        match wrong {
            AfterFree(_) | PastTheEnd(_) | AfterThePool(_) | Unused => {
                let pool = matches!(wrong, AfterThePool(_));
                let error = if pool { "heap-use-after-free" } else { "use-after-poison" };
                says(&report, &format!("AddressSanitizer: {error}"));
                let stack = report.split("\n\n").next().expect("the stack of the access");
                says(stack, &place(source, program, "used"));
                assert!(!output.status.success(), "{program}");
            }
            Undefined | Lost(_) => {
                assert!(output.status.success() && report.is_empty(), "{program}: {report}")
            }
        }
    }
    let output = run(command(binary).arg("right").env("ASAN_OPTIONS", "detect_leaks=1"));
    let report = report(&output);
    assert!(output.status.success() && report.is_empty(), "{}: {report}", output.status);
}

/// Runs a program under valgrind and returns its report.
fn valgrind(binary: &Path, program: &str) -> (Option<i32>, String) {
    let output = run(command("valgrind")
        .args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--num-callers=30"])
        .arg(binary)
        .args((!program.is_empty()).then_some(program)));
    (output.status.code(), report(&output))
}

#[track_caller]
fn valgrind_sees(binary: &Path, source: &str, programs: &[(&str, Wrong)]) {
    for &(program, wrong) in programs {
        let (status, report) = valgrind(binary, program);
        // The stack of the access, the description of the address, and the stack of the allocation.
        let (access, address) = report.split_once("Address 0x").unwrap_or((&report, ""));
        let (address, allocated) = address.split_once("Block was alloc'd at").unwrap_or((address, address));
        let at = |event| place(source, program, event);
        match wrong {
            AfterFree(size) | AfterThePool(size) => {
                says(access, "Invalid read of size 1");
                says(address, &format!("bytes inside a block of size {size} free'd"));
                says(address, &at("freed"));
                says(allocated, &at("allocated"));
            }
            PastTheEnd(size) => {
                says(access, "Invalid ");
                says(address, &format!("0 bytes after a block of size {size} client-defined"));
                says(address, &at("allocated"));
            }
            Unused => says(access, "Invalid read of size 1"),
            Undefined => says(access, "Conditional jump or move depends on uninitialised value"),
            Lost(size) => {
                let alone = report.contains(&format!("{size} bytes in 1 blocks are definitely lost"));
                assert!(alone || report.contains(&format!("({size} direct, ")), "{program}: {report}");
                says(&report, &at("allocated"));
            }
        }
        if !matches!(wrong, Lost(_)) {
            says(access, &at("used"));
        }
        assert_eq!(report.matches("Invalid ").count(), usize::from(!matches!(wrong, Undefined | Lost(_))));
        assert_eq!(status, Some(99), "{program}");
    }
    assert_eq!(valgrind(binary, "right"), (Some(0), String::new()));
}

/// The C tests and the examples.
fn right_programs() -> Vec<String> {
    let tests = ["heap", "ref", "pool", "tree", "ptr", "source", "layout", "life", "text"]
        .map(|name| format!("tests/{name}.c"));
    let examples = ["tour", "request", "embedded"].map(|name| format!("examples/{name}.c"));
    tests.into_iter().chain(examples).map(|path| format!("{HERE}/{path}")).collect()
}

#[test]
fn address_sanitizer_sees_into_pools_of_a_c_program() {
    if !sanitizes(&cc(), "-fsanitize=address") {
        return;
    }
    let library = library("asan");
    for shared in [false, true] {
        let binary = compiled(C, &library, shared, &["-fsanitize=address"]);
        the_sanitizer_sees(&binary, C, PROGRAMS_IN_C);
    }
    for source in right_programs() {
        let binary = compiled(&source, &library, false, &["-fsanitize=address"]);
        // The tests ask for more memory than there is, to be refused.
        succeeds(command(binary).env("ASAN_OPTIONS", "allocator_may_return_null=1:detect_leaks=1"));
    }
}

/// Compiles a program, and the C tests, with each compiler that has this sanitizer, statically and not. The sanitizer reports each wrong
/// program in these words, at its line if it has one, and nothing else.
fn the_sanitizer_reports(switch: &str, flag: &str, source: &str, wrong: &[&str], words: &str) {
    let compilers: Vec<_> =
        ["gcc", "clang"].into_iter().filter(|compiler| sanitizes(compiler, flag)).collect();
    if compilers.is_empty() {
        return;
    }
    let library = library(switch);
    // The tests ask for more memory than there is, to be refused.
    let run_it = |binary: &Path, program: Option<&str>| {
        let options = ["MSAN_OPTIONS", "TSAN_OPTIONS"].map(|name| (name, "allocator_may_return_null=1"));
        run(command(binary).args(program).envs(options))
    };
    for (compiler, shared) in compilers.iter().flat_map(|compiler| [(compiler, false), (compiler, true)]) {
        let binary = compiled_by(compiler, source, &library, shared, &[flag]);
        for program in wrong {
            let output = run_it(&binary, Some(program));
            let report = report(&output);
            says(&report, words);
            if fs::read_to_string(source).expect("the source").contains(&format!("{program}: used")) {
                says(&report, &place(source, program, "used"));
            }
            assert!(!output.status.success(), "{program}");
        }
        let output = run_it(&binary, Some("right"));
        let report = report(&output);
        assert!(output.status.success() && report.is_empty(), "{compiler}: {}: {report}", output.status);
    }
    for (compiler, source) in compilers
        .iter()
        .flat_map(|compiler| right_programs().into_iter().map(move |source| (compiler, source)))
    {
        let output = run_it(&compiled_by(compiler, &source, &library, false, &[flag]), None);
        // It also reports requests that are too large.
        let report = report(&output);
        let quiet =
            !report.contains("MemorySanitizer: use") && !report.contains("ThreadSanitizer: data race");
        assert!(output.status.success() && quiet, "{compiler} {source}: {}: {report}", output.status);
    }
}

#[test]
fn memory_sanitizer_sees_what_was_never_written_to_a_cell() {
    let wrong = [
        "heap_cell",
        "grown_heap_cell",
        "pool_cell",
        "freed_pool_cell",
        "object_of_an_arena",
        "object_after_its_scope",
        "counted_cell_of_a_pool",
        "grown_counted_cell_of_a_pool",
        "copy_of_it",
    ];
    let words = "MemorySanitizer: use-of-uninitialized-value";
    the_sanitizer_reports("msan", "-fsanitize=memory", UNDEFINED, &wrong, words);
}

#[test]
fn thread_sanitizer_sees_who_shares_a_store_and_how_references_order_threads() {
    let wrong = ["one_pool", "one_source", "one_tree", "after_its_reference"];
    let words = "ThreadSanitizer: data race";
    the_sanitizer_reports("tsan", "-fsanitize=thread", THREADS, &wrong, words);
}

#[test]
#[ignore = "builds bindgen, for which it needs libclang"]
fn valgrind_sees_into_pools_of_a_c_program() {
    if !has_valgrind() {
        return;
    }
    let library = library("valgrind");
    for shared in [false, true] {
        valgrind_sees(&compiled(C, &library, shared, &[]), C, PROGRAMS_IN_C);
    }
    for source in right_programs() {
        let (status, report) = valgrind(&compiled(&source, &library, false, &[]), "");
        assert_eq!(status, Some(0), "{source}: {report}");
    }
}

#[test]
#[ignore = "builds bindgen, for which it needs libclang"]
fn valgrind_sees_into_pools_of_a_rust_program() {
    if has_valgrind() {
        valgrind_sees(&rust_program(None, "--cfg kmem_valgrind", None), RUST, PROGRAMS_IN_RUST);
    }
}

#[test]
#[ignore = "needs a nightly toolchain"]
fn address_sanitizer_sees_into_pools_of_a_rust_program() {
    if !works(command("cargo").args(["+nightly", "--version"]).env_remove("CARGO")) {
        eprintln!("left out: there is no nightly toolchain here");
        return;
    }
    let version = run(command("rustc").arg("-vV"));
    let version = String::from_utf8_lossy(&version.stdout);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("the host");
    let binary = rust_program(Some("nightly"), "--cfg kmem_asan -Zsanitizer=address", Some(host));
    the_sanitizer_sees(&binary, RUST, PROGRAMS_IN_RUST);
}
