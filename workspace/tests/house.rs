//! Tests of the program `house`: the uses of one file by another that it finds, and the circles.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kmem_workspace::circles::{circles, ordered};
use kmem_workspace::map::placed;
use kmem_workspace::modules::Modules;

/// A crate of these files.
fn written(name: &str, files: &[(&str, &str)]) -> (PathBuf, Modules) {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("house").join(name);
    let _ = fs::remove_dir_all(&directory);
    for (file, text) in files {
        let file = directory.join(file);
        fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        fs::write(file, text).expect("written");
    }
    let modules = Modules::read(&directory.join(files[0].0));
    (directory, modules)
}

/// The uses that `a.rs`, with this text, makes of others in a crate with `b`, `b/c` and a module that re-exports from them.
fn uses(name: &str, text: &str) -> BTreeSet<String> {
    let (directory, modules) = written(
        name,
        &[
            (
                "lib.rs",
                "#[macro_use] mod macros; mod a; mod b; pub use b::c::Inner; mod all { pub use crate::b::*; }",
            ),
            ("macros.rs", "macro_rules! twice { ($x:expr) => { $x + $x } }"),
            ("a.rs", text),
            ("b.rs", "pub mod c; pub struct Outer; pub fn outer() {}"),
            ("b/c.rs", "pub struct Inner; pub enum Kind { One }"),
        ],
    );
    let arrows = modules.arrows();
    let used = arrows.get(&directory.join("a.rs")).into_iter().flatten();
    used.map(|(file, _)| file.strip_prefix(&directory).expect("below").display().to_string()).collect()
}

#[test]
fn a_path_is_a_use_of_the_file_that_defines_what_it_leads_to() {
    for (name, text, used) in [
        ("item", "use crate::b::Outer;", "b.rs"),
        ("group", "use crate::{b::{c::{Inner as I}}};", "b/c.rs"),
        ("written_out", "fn f() { super::b::outer() }", "b.rs"),
        ("by_module", "use super::b; fn f() { b::c::Kind::One; }", "b/c.rs"),
        ("in_a_function", "fn f() { use super::b::c as d; d::Kind::One; }", "b/c.rs"),
        ("in_a_macro", "fn f() { assert!(matches!(x, crate::b::c::Kind::One)); }", "b/c.rs"),
        ("through_a_reexport", "use crate::Inner;", "b/c.rs"),
        ("through_all", "use crate::all::Outer;", "b.rs"),
        ("macro", "fn f() -> u8 { twice!(1) }", "macros.rs"),
        ("every_name", "use crate::b::c::*;", "b/c.rs"),
        ("reexported_and_used", "pub use crate::b::Outer; fn f(_: Outer) {}", "b.rs"),
        ("reexported_and_called", "pub use crate::b::outer; fn f() { outer() }", "b.rs"),
    ] {
        assert_eq!(uses(name, text), BTreeSet::from([used.into()]), "{text}");
    }
}

#[test]
fn a_name_with_several_meanings_is_a_use_of_each() {
    let text = "fn f() { use super::b as s; s::outer() } fn g() { use super::b::c as s; s::Kind::One }";
    assert_eq!(uses("several", text), ["b.rs", "b/c.rs"].map(String::from).into());
}

#[test]
fn modules_reexports_other_crates_tests_and_words_are_not_uses() {
    for (name, text) in [
        ("module", "use super::b;"),
        ("reexport", "pub use crate::b::Outer;"),
        ("reexport_of_a_word", "pub use crate::b::outer; fn f(outer: u8) {}"),
        ("other_crate", "use core::fmt; use std::b::Outer; fn f() { ::b::outer() }"),
        ("visibility", "pub(in crate::b) struct S; pub(super) struct T;"),
        ("tests", "#[cfg(test)] mod tests { use crate::b::Outer; }"),
        ("module_of_a_macro", "macro_rules! m { () => { mod x { use super::*; } } } struct S;"),
        ("comment", "/// [`crate::b::Outer`]\nfn f() -> &'static str { \"crate::b::Outer\" }"),
    ] {
        assert_eq!(uses(name, text), BTreeSet::new(), "{text}");
    }
}

#[test]
fn a_circle_is_found_and_only_what_is_in_it() {
    let (directory, modules) = written(
        "circle",
        &[
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "use crate::c::C; pub struct B;"),
            ("c.rs", "use crate::a::A; use crate::d::D; pub struct C;"),
            ("d.rs", "pub struct D;"),
        ],
    );
    let circle: BTreeSet<_> = ["a.rs", "b.rs", "c.rs"].map(|file| directory.join(file)).into();
    let arrows = modules.arrows();
    assert_eq!(circles(&arrows), [circle.iter().map(PathBuf::as_path).collect()]);
}

#[test]
fn without_a_circle_each_file_comes_after_what_it_uses() {
    let (directory, modules) = written(
        "order",
        &[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "//! The first. And more.\nuse crate::b::B;"),
            ("b.rs", "use crate::c::C; pub struct B;"),
            ("c.rs", "pub struct C;"),
        ],
    );
    let arrows = modules.arrows();
    assert!(circles(&arrows).is_empty());
    let order = ordered(modules.files.keys().map(PathBuf::as_path), &arrows);
    let place = |file: &str| order.iter().position(|path| *path == directory.join(file));
    assert!(place("c.rs") < place("b.rs") && place("b.rs") < place("a.rs"), "{order:?}");
    assert_eq!(modules.files[&directory.join("a.rs")], "The first.");
}

#[test]
fn the_map_replaces_what_is_between_the_markers() {
    let page = placed(
        "before\n<!-- the map: cargo run -p kmem-workspace --bin house -- --write -->\nold\n<!-- end of the map -->after",
        "new",
    );
    assert!(
        page.starts_with("before\n<!--") && page.ends_with("-->\nnew\n<!-- end of the map -->after"),
        "{page}"
    );
}
