//! The built library: its symbols, unwind tables and size.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::build::{
    binutil, build, compiled, compiler, executable, for_windows, library, prints, scratch, succeeds, target,
};

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
    // The shared library has the same code: the linker keeps what is reachable.
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
    // The processors for which `src/standalone.rs` moves them; ARM has tables of another form.
    let moves = ["x86_64", "i686", "aarch64", "riscv64"];
    if target().is_some_and(|target| !moves.iter().any(|processor| target.starts_with(processor))) {
        eprintln!("left out: on this processor they are always in memory");
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
    let rustc = Command::new("rustc").arg("--version").output().expect("rustc");
    let minor = String::from_utf8_lossy(&rustc.stdout).split('.').nth(1).and_then(|minor| minor.parse().ok());
    let (limit, whole) = match (target(), minor.unwrap_or(0)) {
        (None, 90..) => (34_000, 70_000),
        // The oldest supported compiler makes the library larger by an eighth.
        (None, _) => (38_000, 86_000),
        (Some(_), _) => (80 << 10, 160 << 10),
    };
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
