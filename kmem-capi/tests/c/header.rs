//! The headers under each compiler, and against the Rust sources.

use std::collections::BTreeSet;
use std::fs;

use crate::build::{
    HERE, SWITCHES, TOTALS, WARNINGS, compiler, exports, library, named, prints, run, scratch, succeeds,
};

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
    kmheapa(1); kmheapz(1); kmheapw(o); kmheapao(1); kmheapzo(1); kmheapwo(o); kmheapr(p, 1); kmlimiti(0, 1);
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
        "*mut Arena" => "kmarena *",
        "Mark" => "kmmark",
        "ArenaCount" => "kmarenacount",
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
        "*mut Limit" => "kmlimit *",
        "LimitCount" => "kmlimitcount",
        "Option<OverFn>" => "over",
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
         typedef void (*hook)(void *, void *);\n\
         typedef int (*over)(kmlimit *, size_t, void *);\n",
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
