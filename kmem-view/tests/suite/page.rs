//! The page as text: what it holds, and what it must not.

use kmem_view::Diff;

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
fn the_page_says_what_it_gathered() {
    let page = output(|out| example().html(out, None));
    assert!(page.contains(
        "16 cells are drawn as 5 frames: cells alike in kind, name and place share a frame; 12 cells too deep to be told \
         apart, or not listed in the snapshot, are gathered as “deeper”."
    ));
}

#[test]
fn tainted_cells_are_marked_in_words() {
    let page = output(|out| example().html(out, None));
    let text = "! ref \"config\" (200 bytes with headers in 1 cell, 3.09%; 64 bytes of data; 1 reference; adopted; from pool; \
                tainted: 1 cell)";
    let text = text.replace("1 reference", "3 references").replace('"', "&quot;");
    assert!(page.contains(&text), "{page}");
    assert!(page.contains("an exclamation mark and a dashed red edge: holds tainted cells"));
}

#[test]
fn no_name_gets_out_of_its_text() {
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
fn a_long_name_is_cut_and_the_cut_is_said() {
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
    assert!(page.contains("Nothing holds a byte.") && !page.contains("<svg"));
}

#[test]
fn a_diff_says_what_grew_in_all_and_in_each_path() {
    let (older, newer) = (mixed(300, 4), mixed(400, 5));
    let page = output(|out| Diff::new(&older, &newer).html(out, None));
    assert!(page.contains("<title>kmem: grew by +"));
    assert_eq!(page.matches("<h2 id=\"what-grew\">What grew</h2>").count(), 1);
}

#[test]
fn the_same_snapshot_gives_the_same_page() {
    let snapshot = mixed(300, 6);
    assert_eq!(output(|out| snapshot.html(out, None)), output(|out| snapshot.html(out, None)));
}

#[test]
fn what_grew_beyond_three_hundred_paths_is_summed() {
    let mut newer = Written::default();
    newer.tree(0, "root", 0);
    for child in 0..1000 {
        newer.tree(1, &format!("child {child}"), child);
    }
    let page = output(|out| Diff::new(&Written::default().read(), &newer.read()).html(out, None));
    assert!(
        page.contains("1,001 paths grew, by +579,580 bytes with headers; all others together changed by 0."),
        "{page}"
    );
    assert!(
        page.contains(
            "The 300 that grew most are listed; the other 701 grew by +300,730 bytes with headers."
        ),
        "{page}"
    );
    let table =
        page.split_once("id=\"grown\"").expect("a table").1.split_once("</table>").expect("its end").0;
    assert_eq!(table.matches("<tr>").count(), 301);
}
