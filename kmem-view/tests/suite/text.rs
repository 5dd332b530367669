//! The text form, byte for byte.

use crate::written::{Written, example, output};

#[test]
fn the_example_is_written_as_the_format_says() {
    assert_eq!(
        output(|out| example().text(out, None)),
        "tree \"request\", 24 bytes\n\
         \x20 ref \"config\", 64 bytes, 3 references, adopted, from pool, tainted\n\
         \x20 store \"lines\", 224 bytes, 7 of 100 cells in use, at most 9, from tree\n\
         \x20 tree, 8 bytes, 12 cells of 960 bytes below\n\
         16 cells, 1280 bytes, 6472 with headers\n"
    );
}

#[test]
fn arenas_and_their_objects_have_lines_of_their_own() {
    let mut written = Written::default();
    written.cell(0, "tree", None, 8, "\"source\":\"limit\"");
    written.cell(1, "arena", None, 20, "\"source\":\"arena\",\"adopted\":true");
    written.cell(1, "store", Some("words"), 144, "\"source\":\"tree\",\"blocks\":1,\"watched\":2");
    assert_eq!(
        output(|out| written.read().text(out, None)),
        "tree, 8 bytes, from limit\n\
         \x20 arena, 20 bytes, adopted, from arena\n\
         \x20 store \"words\", 144 bytes, 1 block, 2 watched, from tree\n\
         3 cells, 172 bytes, 412 with headers\n"
    );
    let page = output(|out| written.read().html(out, None));
    assert!(page.contains("from a pool or an arena counts at its own place"));
}

#[test]
fn one_cell_byte_or_reference_is_singular() {
    let mut written = Written::default();
    written.cell(0, "ref", None, 1, "\"refs\":1");
    assert_eq!(
        output(|out| written.read().text(out, None)),
        "ref, 1 byte, 1 reference\n1 cell, 1 byte, 81 with headers\n"
    );
}

#[test]
fn a_limited_depth_sums_deeper_cells_and_changes_no_total() {
    let mut written = Written::default();
    written.tree(0, "a", 1).tree(1, "b", 2).tree(2, "c", 4).tree(1, "d", 8).tree(0, "e", 16);
    let limited = |depth| output(|out| written.read().text(out, Some(depth)));
    let total = "5 cells, 31 bytes, 431 with headers\n";
    assert_eq!(
        limited(0),
        format!("tree \"a\", 1 byte, 3 cells of 14 bytes below\ntree \"e\", 16 bytes\n{total}")
    );
    assert_eq!(
        limited(1),
        format!(
            "tree \"a\", 1 byte\n  tree \"b\", 2 bytes, 1 cell of 4 bytes below\n  tree \"d\", 8 bytes\n\
             tree \"e\", 16 bytes\n{total}"
        )
    );
    assert_eq!(limited(2), output(|out| written.read().text(out, None)));
}

#[test]
fn cells_that_neither_the_snapshot_nor_the_text_lists_are_counted_together() {
    let out = output(|out| example().text(out, Some(0)));
    assert_eq!(out.lines().next(), Some("tree \"request\", 24 bytes, 15 cells of 1256 bytes below"));
}

#[test]
fn beyond_thirty_two_levels_the_depth_is_a_number() {
    let mut written = Written::default();
    for depth in 0..=33 {
        written.cell(depth, "tree", None, 0, "");
    }
    let out = output(|out| written.read().text(out, None));
    let indent = " ".repeat(64);
    assert_eq!(out.lines().nth(31), Some(&*format!("{}tree, 0 bytes", " ".repeat(62))));
    assert_eq!(out.lines().nth(32), Some(&*format!("{indent}tree, 0 bytes")));
    assert_eq!(out.lines().nth(33), Some(&*format!("{indent}[33] tree, 0 bytes")));
}

#[test]
fn names_are_escaped_as_in_json_and_stay_on_their_line() {
    let every: String =
        (0..0x7f).map(char::from).chain("é\u{a0}\u{2027}\u{202f}\u{206a}\u{fffd}𝄞".chars()).collect();
    let mut written = Written::default();
    written.tree(0, &every, 0);
    let out = output(|out| written.read().text(out, None));
    let quoted = serde_json::to_string(&every).expect("JSON");
    assert_eq!(out.split_once('\n').map(|(line, _)| line), Some(&*format!("tree {quoted}, 0 bytes")));
}

#[test]
fn characters_that_change_a_terminal_or_the_direction_of_text_are_escaped_in_every_form() {
    let mut written = Written::default();
    written.tree(0, "\u{7f}\u{80}\u{85}\u{9b}\u{9f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}", 0);
    let snapshot = written.read();
    let quoted = r#""\u007f\u0080\u0085\u009b\u009f\u2028\u2029\u202a\u202e\u2066\u2069""#;
    let text = output(|out| snapshot.text(out, None));
    assert_eq!(text.lines().next(), Some(&*format!("tree {quoted}, 0 bytes")));
    let html = quoted.replace('"', "&quot;");
    assert_eq!(output(|out| snapshot.html(out, None)).matches(&html).count(), 2);
    let dot = quoted.replace('\\', "\\\\").replace('"', "\\\"");
    assert!(output(|out| snapshot.dot(out, None)).contains(&dot));
}

#[test]
fn an_empty_snapshot_is_one_line() {
    assert_eq!(output(|out| Written::default().read().text(out, None)), "0 cells, 0 bytes, 0 with headers\n");
}
