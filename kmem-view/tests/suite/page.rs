//! The page as text.

use kmem_view::{Diff, Error, Snapshot};

use crate::written::{Written, example, mixed, output};

#[test]
fn the_page_has_a_language_a_title_and_no_address_to_load_from() {
    let page = output(|out| example().html(out, None));
    assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"));
    assert!(page.contains("<title>kmem: 6,472 bytes with headers in 16 cells</title>"));
    for loading in [" src=", "<link", "@import", "url(http", "fetch(", "<?xml"] {
        assert!(!page.contains(loading), "{loading}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn the_page_says_what_it_combined() {
    let page = output(|out| example().html(out, None));
    assert!(page.contains(
        "16 cells are drawn as 5 frames: cells with the same kind, name and place share a frame; 12 cells too deep to \
         be shown, or not listed in the snapshot, are combined as “deeper”."
    ));
}

#[test]
fn tainted_cells_are_marked_in_words() {
    let page = output(|out| example().html(out, None));
    let text = "! ref \"config\" (tainted: 1 cell; 200 bytes with headers in 1 cell, 3.09%; 64 bytes of data; 3 references; adopted; \
                from pool)";
    let text = text.replace('"', "&quot;");
    assert!(page.contains(&text), "{page}");
    assert!(page.contains("an exclamation mark and a dashed red edge: has tainted cells"));
}

#[test]
fn no_name_breaks_out_of_its_text() {
    let hostile = "</script></title></svg><b onclick=x>&amp;\"'`]]>-->";
    let mut written = Written::default();
    written.tree(0, hostile, 10).cell(1, "ref", Some(hostile), 10, "\"refs\":1").tree(
        1,
        "a\tb\nc\u{0}=\u{7}",
        3,
    );
    let (one, none) = (written.read(), Written::default().read());
    for page in [output(|out| one.html(out, None)), output(|out| Diff::new(&none, &one).html(out, None))] {
        assert!(!page.contains("<b onclick") && !page.contains("]]>-->"));
        assert_eq!(page.matches("</script>").count(), 2);
        assert_eq!(page.matches("</svg>").count(), 2);
        assert!(page.contains("&lt;/script&gt;") && page.contains(r"a\tb\nc\u0000=\u0007"));
        assert!(page.chars().all(|c| c == '\n' || c >= ' '));
    }
}

#[test]
fn a_long_name_is_cut_and_its_length_is_shown() {
    let mut written = Written::default();
    for child in 0..4000 {
        written.tree(child.min(1), &format!("{child}{}", "<&\"'>".repeat(2000)), u64::from(child));
    }
    let page = output(|out| written.read().html(out, None));
    assert!(page.contains("(cut: 10,004 characters)"));
    assert!(page.len() < 3_000_000, "{}", page.len());
}

#[test]
fn a_page_without_a_byte_says_so() {
    let page = output(|out| Written::default().read().html(out, None));
    assert!(page.contains("The snapshot has no bytes.") && !page.contains("<svg"));
}

#[test]
fn the_title_of_a_diff_has_the_growth_of_the_whole() {
    let one = |size| {
        let mut written = Written::default();
        written.tree(0, "server", 10).tree(1, "log", size);
        written.read()
    };
    let title = |older: &Snapshot, newer: &Snapshot| {
        let page = output(|out| Diff::new(older, newer).html(out, None));
        page.split_once("<title>").expect("a title").1.split_once("</title>").expect("its end").0.to_owned()
    };
    let mut more = Written::default();
    more.tree(0, "server", 10).tree(1, "log", 7).tree(1, "log", 7);
    assert_eq!(title(&one(5), &one(6)), "kmem: grew by 1 byte with headers, the same number of cells");
    assert_eq!(
        title(&one(5000), &one(6)),
        "kmem: shrank by 4,994 bytes with headers, the same number of cells"
    );
    assert_eq!(title(&one(5), &more.read()), "kmem: grew by 89 bytes with headers, 1 cell more");
    assert_eq!(title(&more.read(), &one(94)), "kmem: the same bytes with headers, 1 cell fewer");
}

#[test]
fn the_title_and_the_heading_name_what_is_shown() {
    let named = |label: &str| example().labelled(label);
    let page = output(|out| named("a<b>\u{202e}.json").html(out, None));
    let heading = "a&lt;b&gt;\\u202e.json: 6,472 bytes with headers in 16 cells";
    assert!(
        page.contains(&format!("<title>{heading}</title>"))
            && page.contains(&format!("<h1><bdi>{heading}</bdi></h1>"))
    );
    let page = output(|out| Diff::new(&named("one"), &named("other")).html(out, None));
    assert!(
        page.contains("<title>one to other: the same bytes with headers, the same number of cells</title>")
    );
}

#[test]
fn the_page_names_the_licence_of_the_drawing() {
    let page = output(|out| example().html(out, None));
    // In a package, Cargo has rewritten the manifest.
    let manifest = include_str!("../../Cargo.toml");
    let version = manifest
        .split_once("inferno")
        .and_then(|(_, rest)| rest.split_once("version = \"="))
        .expect("a version")
        .1
        .split_once('"')
        .expect("its end")
        .0;
    let origin = format!(
        "made by inferno {version}, which is under the CDDL-1.0: https://github.com/jonhoo/inferno -->"
    );
    assert!(page.contains(&origin), "{origin}");
}

#[test]
fn the_same_snapshot_gives_the_same_page() {
    let snapshot = mixed(300, 6);
    assert_eq!(output(|out| snapshot.html(out, None)), output(|out| snapshot.html(out, None)));
}

#[test]
fn growth_beyond_three_hundred_paths_is_summed() {
    let (mut older, mut newer) = (Written::default(), Written::default());
    for (written, more) in [(&mut older, 0), (&mut newer, 1)] {
        written.tree(0, "root", 0);
        for child in 0..1000 {
            written.tree(1, &format!("child {child}"), child * more);
        }
    }
    let page = output(|out| Diff::new(&older.read(), &newer.read()).html(out, None));
    assert!(
        page.contains(
            "999 paths grew, by +499,500 bytes with headers, and 0 paths shrank, by 0: together +499,500."
        ),
        "{page}"
    );
    assert!(
        page.contains("The 300 that grew most are listed; 699 others grew by +244,650 bytes with headers."),
        "{page}"
    );
    let table =
        page.split_once("id=\"grown\"").expect("a table").1.split_once("</table>").expect("its end").0;
    assert_eq!(table.matches("<tr").count(), 301);
    assert!(!page.contains("Paths that shrank"));
}

#[test]
fn a_row_counts_new_and_vanished_paths_below_it() {
    let (mut older, mut newer) = (Written::default(), Written::default());
    older.tree(0, "server", 10).tree(1, "request 1", 10);
    newer.tree(0, "server", 10).tree(1, "request 2", 10).tree(1, "request 3", 20).tree(2, "body", 900);
    let page = output(|out| Diff::new(&older.read(), &newer.read()).html(out, None));
    let note = "3 paths below are new, the heaviest tree &quot;request 3&quot;; 1 path below has vanished";
    assert!(page.contains(&format!("<td class=\"note\">{note}</td>")), "{page}");
}

#[test]
fn small_branches_are_drawn_if_there_is_room() {
    let mut written = Written::default();
    written.tree(0, "server", 200).tree(1, "blob", 1 << 50).tree(1, "log", 10).tree(2, "line", 0);
    let page = output(|out| written.read().html(out, None));
    assert!(page.contains("4 cells are drawn as 4 frames") && page.contains("tree &quot;line&quot; ("));
}

#[test]
fn tainted_branches_get_room_before_heavier_ones() {
    let mut written = Written::default();
    written.tree(0, "server", 200);
    for part in 0..4000 {
        written.tree(1, &format!("part {part}"), 5000);
    }
    written.tree(1, "light", 0).tree(2, "lighter", 0).cell(3, "heap", Some("key"), 0, "\"tainted\":true");
    let page = output(|out| written.read().html(out, None));
    assert!(page.contains("! heap &quot;key&quot; ("));
    // At most half of the room: the other half is for heavy branches.
    let mut written = Written::default();
    written.tree(0, "server", 200).tree(1, "heavy", 1 << 30);
    for key in 0..4000 {
        written.cell(1, "heap", Some(&format!("key {key}")), 32, "\"tainted\":true");
    }
    let page = output(|out| written.read().html(out, None));
    assert!(page.contains("tree &quot;heavy&quot; ("));
}

#[test]
fn snapshots_of_one_program_are_shown_side_by_side() {
    let (mut server, mut client) = (Written::default(), Written::default());
    server.tree(0, "server", 100).held(1, "table", 1000, 1);
    client.tree(0, "client", 100).held(1, "table", 1000, 1);
    let joined = Snapshot::join([server.read().labelled("a.json"), client.read().labelled("b.json")])
        .expect("one snapshot");
    assert_eq!((joined.total().cells, joined.total().block), (4, 2 * (180 + 1080)));
    assert_eq!((joined.again().cells, joined.again().block), (1, 1050));
    let page = output(|out| joined.html(out, None));
    assert!(page.contains("<title>a.json, b.json: 1,470 bytes with headers in 3 cells</title>"));
    let huge = || {
        let json = r#"{"kmem":1,"cells":[{"depth":0,"kind":"tree","at":"0x1","size":0,"block":18446744073709551615}],"total":{"cells":1,"size":0,"block":18446744073709551615}}"#;
        Snapshot::read(json.as_bytes()).expect("a snapshot")
    };
    assert!(matches!(
        Snapshot::join([huge(), huge()]),
        Err(Error::Total { what: "block", summed: None, .. })
    ));
    assert_eq!(Snapshot::join([]).expect("an empty one").total().cells, 0);
}

#[test]
fn a_page_says_that_cells_of_a_store_count_there_and_in_the_store() {
    let rule = "if that store is shown too";
    assert!(output(|out| example().html(out, None)).contains(rule));
    let mut written = Written::default();
    written.tree(0, "server", 10).cell(1, "ref", None, 10, "\"source\":\"pool\"");
    assert!(!output(|out| written.read().html(out, None)).contains(rule));
}
