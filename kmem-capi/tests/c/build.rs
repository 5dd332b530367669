//! Builds the library and C programs, and runs them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

pub const HERE: &str = env!("CARGO_MANIFEST_DIR");

pub const WARNINGS: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"];

pub fn run(program: impl AsRef<OsStr>, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(args).env("LD_LIBRARY_PATH", library());
    // wine calls the root directory drive Z.
    let more = std::env::var("WINEPATH").unwrap_or_default();
    command.env("WINEPATH", format!("Z:{};{more}", library().replace('/', "\\")));
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

#[track_caller]
pub fn succeeds(program: impl AsRef<OsStr>, args: &[&str]) -> String {
    let name = program.as_ref().to_owned();
    let output = run(program, args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name:?} {args:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).expect("text").replace("\r\n", "\n")
}

/// The name of the file that the compiler writes for this program.
pub fn executable(binary: impl AsRef<Path>) -> String {
    let binary = binary.as_ref().to_str().expect("a path in UTF-8");
    if for_windows() { format!("{binary}.exe") } else { binary.to_owned() }
}

/// Runs a compiled program with the command of `KMEM_TEST_RUNNER`, if that is set.
pub fn started(binary: impl AsRef<Path>) -> Output {
    let (runner, binary) = (words("KMEM_TEST_RUNNER"), executable(binary));
    let mut all = runner.iter().chain([&binary]).map(String::as_str);
    run(all.next().expect("a program"), &all.collect::<Vec<_>>())
}

/// Runs a program that must succeed, as `started`, and returns its output.
#[track_caller]
pub fn prints(binary: impl AsRef<Path>) -> String {
    let output = started(&binary);
    let (binary, errors) = (binary.as_ref(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{binary:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).expect("text").replace("\r\n", "\n")
}

pub fn compiler() -> String {
    std::env::var("CC").unwrap_or_else(|_| "cc".into())
}

/// The platform that the library and the programs are built for, if it is not this machine. `CC` compiles for it, and
/// `KMEM_TEST_RUNNER` runs its programs.
pub fn target() -> Option<String> {
    std::env::var("TARGET").ok()
}

/// Returns true for Windows, whose libraries have other names and forms.
pub fn for_windows() -> bool {
    target().is_some_and(|target| target.contains("-windows-"))
}

/// The functions that a shared library exports.
pub fn exports(directory: &str) -> BTreeSet<String> {
    let symbols = if for_windows() {
        binutil("nm", &["--defined-only", &format!("{directory}/libkmem.dll.a")])
    } else {
        binutil("nm", &["-D", "--defined-only", &format!("{directory}/libkmem.so")])
    };
    let names = symbols.lines().filter_map(|line| line.split_once(" T "));
    names.map(|(_, name)| name.to_owned()).collect()
}

/// The command for a compiler of this name, if it is installed. For another platform: `CC`, and the C++ compiler beside it.
pub fn named(compiler: &str) -> Option<String> {
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
pub fn binutil(name: &str, args: &[&str]) -> String {
    succeeds(succeeds(compiler(), &[&format!("-print-prog-name={name}")]).trim(), args)
}

/// The directory for files of the platform.
pub fn scratch() -> PathBuf {
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(target().as_deref().unwrap_or("native"));
    fs::create_dir_all(&scratch).expect("made");
    scratch
}

/// Builds the library with these switches, unless another test has, and returns its directory. The lock is for the target directory,
/// which all builds share.
pub fn build(name: &str, switches: &[&str]) -> PathBuf {
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
pub fn library() -> &'static str {
    static LIBRARY: OnceLock<String> = OnceLock::new();
    LIBRARY.get_or_init(|| build("full", &[]).to_str().expect("a path in UTF-8").to_owned())
}

/// The words of an environment variable: `KMEM_TEST_CFLAGS` has flags for the compiler of the C tests, `KMEM_TEST_RUNNER` a command that
/// runs them.
pub fn words(variable: &str) -> Vec<String> {
    std::env::var(variable).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// Compiles a C program against the library, statically or not, and runs it.
#[track_caller]
pub fn compiled(source: &str, name: &str, library: &str, shared: bool) -> String {
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
    // This path is looked at before LD_LIBRARY_PATH.
    let rpath = format!("-Wl,--disable-new-dtags,-rpath,{library}");
    if shared && !for_windows() {
        args.push(&rpath);
    }
    args.extend(if shared { [&*search, "-lkmem"] } else { [&*archive, "-Wl,--gc-sections"] });
    args.push("-lpthread");
    succeeds(compiler(), &args);
    prints(binary)
}

pub fn both(source: &str, name: &str) -> String {
    let first = compiled(source, name, library(), false);
    assert_eq!(compiled(source, name, library(), true), first);
    first
}

/// The switches that leave a part out, with a function of that part.
pub const SWITCHES: [(&str, &str); 6] = [
    ("noheap", "kmheapa"),
    ("noref", "kmrefa"),
    ("nopool", "kmpoola"),
    ("noarena", "kmarenaa"),
    ("notree", "kmtreea"),
    ("noshred", "kmshred"),
];

/// The switch that adds a part, with a function of that part.
pub const TOTALS: (&str, &str) = ("totals", "kmtotal");
