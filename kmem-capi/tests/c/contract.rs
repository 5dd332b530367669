//! The C tests, a file for each method, and the examples.

use std::fs;

use crate::build::{HERE, both, library, named, prints, scratch, succeeds};

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
    both("tests/arena.c", "arena");
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
fn a_limit_counts_every_method_over_every_source() {
    both("tests/limit.c", "limit");
}

#[test]
fn the_budget_of_a_request_is_refused_or_found_in_a_cache() {
    let out = both("examples/budget.c", "budget");
    assert_eq!(
        out,
        "small: 2000 bytes served\nlarge: 60000 bytes served, after 2 pages left the cache\n\
         bomb: refused, its budget is 65536 bytes\nthe server used 0 of 131072 bytes afterwards\n"
    );
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
fn the_server_serves_each_request_in_a_scope_of_an_arena() {
    let out = both("examples/arena.c", "arena-example");
    assert_eq!(
        out.replace("\r\n", "\n"),
        "GET / HTTP/1.1, 32 bytes of key\nGET /about HTTP/1.1, 32 bytes of key\nGET /missing HTTP/1.1, 32 bytes of key\n\
         3 logs closed\n"
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
