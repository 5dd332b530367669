//! Builds with other switches, and over another heap.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::build::{
    HERE, SWITCHES, TOTALS, binutil, build, compiled, compiler, exports, for_windows, library, named, prints,
    run, scratch, started, succeeds, target,
};

/// The C tests that apply with these switches. A test that is named for a method needs that method.
fn tests_under(switches: &[&str]) -> Vec<&'static str> {
    let mut tests = vec!["ptr", "source", "layout"];
    tests.extend(
        ["heap", "ref", "pool", "arena", "tree"]
            .iter()
            .filter(|test| !switches.contains(&&*format!("no{test}"))),
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
    combination(&["noarena"]);
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
#[ignore = "64 builds take minutes"]
fn all_64_combinations_of_switches_pass_the_tests_that_apply() {
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
