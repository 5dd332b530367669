//! The graph, as Graphviz would read it.

use std::io::Write;
use std::process::{Command, Stdio};

use kmem_view::Diff;

use crate::written::{Written, example, output};

#[test]
fn the_example_is_a_graph_of_its_names() {
    let dot = output(|out| example().dot(out, None));
    for line in [
        r#"  n1 [label="tree \"request\"\n6,472 bytes with headers, 16 cells"]"#,
        r#"  n2 [label="store \"lines\"\n4,096 bytes with headers, 1 cell"]"#,
        "  n1 -> n2",
        r#"  n4 [label="deeper × 12\n2,000 bytes with headers, 12 cells"]"#,
        r#"  n5 [label="ref \"config\"\n200 bytes with headers, 1 cell\ntainted", color=red, penwidth=3]"#,
        "  n1 -> n5 [style=dashed]",
    ] {
        assert!(dot.lines().any(|found| found == line), "{line}\n{dot}");
    }
}

#[test]
fn equal_cells_share_a_box_that_counts_the_tainted_ones() {
    let mut written = Written::default();
    written.tree(0, "server", 0).cell(1, "heap", Some("key"), 32, "\"tainted\":true").cell(
        1,
        "heap",
        Some("key"),
        32,
        "",
    );
    let dot = output(|out| written.read().dot(out, None));
    let line = r#"[label="heap \"key\" × 2\n224 bytes with headers, 2 cells\ntainted: 1 of 2 cells", color=red, penwidth=3]"#;
    assert!(dot.contains(line), "{dot}");
}

#[test]
fn at_most_three_hundred_boxes_are_drawn_and_the_others_counted() {
    let mut written = Written::default();
    written.tree(0, "root", 0);
    for child in 0..5000 {
        written.tree(1, &format!("child {child}"), child);
    }
    let dot = output(|out| written.read().dot(out, None));
    let boxes = dot.lines().filter(|line| line.starts_with("  n") && line.contains("[label=")).count();
    assert_eq!(boxes, 300);
    assert!(dot.contains("4,702 cells in branches too light"), "{}", &dot[..500]);
    assert!(dot.contains(r#"[label="4,702 others\n"#) && dot.contains(r#""tree \"child 4999\"\n"#));
}

#[test]
fn a_cell_that_is_held_again_has_the_size_of_its_holder() {
    let mut written = Written::default();
    written.tree(0, "server", 100).held(1, "table", 1000, 1).tree(1, "session", 20).held(2, "table", 1000, 1);
    let dot = output(|out| written.read().dot(out, None));
    for label in [
        r#"[label="ref \"table\"\n1,080 bytes with headers, 1 cell"]"#,
        r#"[label="ref \"table\"\n30 bytes with headers, 0 cells\nheld again 1 time"]"#,
        r#"[label="tree \"session\"\n130 bytes with headers, 1 cell\nheld again 1 time"]"#,
        "Reference-counted cells are held again 1 time: the data of such a cell counts once",
    ] {
        assert!(dot.contains(label), "{label}\n{dot}");
    }
}

#[test]
fn a_limited_depth_combines_deeper_cells() {
    let dot = output(|out| example().dot(out, Some(0)));
    assert!(dot.contains(r#"n2 [label="deeper × 15\n6,368 bytes with headers, 15 cells"#), "{dot}");
    assert!(!dot.contains("config"));
}

#[test]
fn a_diff_colours_paths_that_grew_or_vanished() {
    let (mut older, mut newer) = (Written::default(), Written::default());
    older.tree(0, "server", 0).tree(1, "cache", 500).tree(1, "log", 100);
    newer.tree(0, "server", 0).tree(1, "cache", 900).tree(1, "cache", 900);
    let dot = output(|out| Diff::new(&older.read(), &newer.read()).dot(out, None));
    assert!(dot.contains(r#"[label="tree \"cache\" × 2\n1,960 bytes with headers, 2 cells\n+1,380 bytes, +1 cell", fillcolor=lightsalmon]"#), "{dot}");
    assert!(dot.contains(r#"[label="tree \"log\"\n0 bytes with headers, 0 cells\n-180 bytes, -1 cell", fillcolor=lightskyblue]"#), "{dot}");
}

#[test]
fn no_name_breaks_out_of_its_label() {
    let names = ["\"];bad[label=\"", "\\", "\\N\\G", "a\nb", "</td>", "&lt;", "\u{1}", "{a|b}", "é"];
    let mut written = Written::default();
    for name in names {
        written.tree(0, name, 1);
    }
    let dot = output(|out| written.read().dot(out, None));
    assert!(dot.contains(r#"label="tree \"\\\"];bad[label=\\\"\"\n81 bytes"#), "{dot}");
    assert!(dot.contains(r#"label="tree \"\\\\\"\n"#), "{dot}");
    // Every line but the first and the last is one statement, and its quotation marks are closed.
    for line in dot.lines() {
        let plain = line.replace("\\\\", "").replace("\\\"", "");
        assert_eq!(plain.matches('"').count() % 2, 0, "{line}");
        assert!(!plain.split('"').step_by(2).any(|outside| outside.contains("bad")), "{line}");
    }
    let Ok(mut graphviz) =
        Command::new("dot").arg("-Tplain").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    else {
        eprintln!("left out: there is no Graphviz here");
        return;
    };
    graphviz.stdin.take().expect("piped").write_all(dot.as_bytes()).expect("written");
    let laid = graphviz.wait_with_output().expect("laid out");
    assert!(laid.status.success());
    let laid = String::from_utf8(laid.stdout).expect("text");
    assert_eq!(laid.lines().filter(|line| line.starts_with("node ")).count(), names.len(), "{laid}");
}
