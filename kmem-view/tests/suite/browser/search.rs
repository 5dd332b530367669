//! Search: the marked frames and the counts.

use super::{chromium, html, report};
use crate::written::{Written, mixed};

#[test]
fn a_search_marks_and_counts_matches() {
    let Some(chromium) = chromium() else { return };
    let mut written = Written::default();
    written
        .tree(0, "server", 20)
        .tree(1, "a.b (c) [d]", 100)
        .tree(1, "axb", 100)
        .tree(1, "Session", 100)
        .cell(1, "heap", Some("key"), 32, "\"tainted\":true,\"adopted\":true,\"source\":\"pool\"")
        .cell(1, "heap", None, 32, "");
    let report = report(
        chromium,
        "search",
        &html(&written.read()),
        r##"
        const found = {};
        const terms = ["session", "A.B (C) [", "tainted", "adopted", "pool", "unnamed", "nowhere", "*", "server",
            "data", "bytes", "headers", "below", "20", "%", ""];
        for (const term of terms) found[term] = find(term);
        press(document.body, "f", { ctrlKey: true, keyCode: 70 });
        press(document.body, "F3", { keyCode: 114 });
        document.activeElement.blur();
        press(document.body, "/");
        return { found, focus: document.activeElement.id };
        "##,
    );
    let found = |term: &str| {
        let found = &report["found"][term];
        let labels: Vec<_> = found["marked"]
            .as_array()
            .expect("frames")
            .iter()
            .map(|text| text.as_str().expect("text"))
            .collect();
        let rows: Vec<_> =
            found["rows"].as_array().expect("rows").iter().map(|text| text.as_str().expect("text")).collect();
        (labels, rows, found["said"].as_str().expect("text"))
    };
    let (marked, rows, said) = found("session");
    assert!(matches!(marked[..], [one] if one.starts_with("tree \"Session\" (180 bytes")), "{marked:?}");
    assert_eq!(rows, ["\"Session\""]);
    assert_eq!(said, "1 frame marked, with 20.8% of the bytes; 1 row of the tables");
    let (marked, rows, _) = found("A.B (C) [");
    assert!(matches!(marked[..], [one] if one.starts_with("tree \"a.b (c) [d]\" (180 bytes")), "{marked:?}");
    assert_eq!(rows, ["\"a.b (c) [d]\""]);
    for what_the_key_is in ["tainted", "adopted", "pool"] {
        let (marked, rows, _) = found(what_the_key_is);
        assert!(matches!(marked[..], [one] if one.starts_with("! heap \"key\" (")), "{marked:?}");
        assert_eq!(rows, ["\"key\""]);
    }
    // Words that are in the details of every frame mark none.
    for nothing in ["nowhere", "*", "data", "bytes", "headers", "below", "20", "%"] {
        assert_eq!(found(nothing), (vec![], vec![], "0 frames marked; 0 rows of the tables"), "{nothing}");
    }
    assert_eq!(found("server").0.len(), 1);
    let (marked, rows, said) = found("");
    assert_eq!((marked.len(), rows.len(), said), (0, 6, ""));
    assert_eq!(report["focus"], "find");
}

#[test]
fn a_search_counts_matches_outside_the_zoom() {
    let Some(chromium) = chromium() else { return };
    let mut written = Written::default();
    written.tree(0, "server", 20);
    for part in ["one", "two", "three"] {
        written.tree(1, part, 20).tree(2, "session", 100);
    }
    let report = report(
        chromium,
        "outside",
        &html(&written.read()),
        r##"
        const said = () => document.getElementById("found").textContent;
        frame('tree "one"').querySelector("rect").dispatchEvent(new MouseEvent("click", { bubbles: true }));
        const zoomed = find("session");
        unzoom();
        const back = said();
        frame('tree "server"').querySelector("rect").dispatchEvent(new MouseEvent("click", { bubbles: true }));
        frame('tree "two"').querySelector("rect").dispatchEvent(new MouseEvent("click", { bubbles: true }));
        const again = said();
        press(document.body, "Backspace");
        press(document.body, "Backspace");
        return { marked: zoomed.marked.length, zoomed: zoomed.said, back, again, reset: said() };
        "##,
    );
    assert_eq!(report["marked"], 3);
    let said = |outside| format!("3 frames marked{outside}, with 57.4% of the bytes; 1 row of the tables");
    assert_eq!(report["zoomed"], said(", 2 of them outside the zoom"));
    assert_eq!(report["back"], said(""));
    assert_eq!(report["again"], said(", 2 of them outside the zoom"));
    assert_eq!(report["reset"], said(""));
}

#[test]
fn a_search_counts_the_cells_that_it_does_not_reach() {
    let Some(chromium) = chromium() else { return };
    let mut written = Written::default();
    written.tree(0, "root", 0);
    for child in 0..4000 {
        written.tree(1, &format!("child {child}"), child);
    }
    let report =
        report(chromium, "beyond", &html(&written.read()), r##"return { said: find('"child 170"').said };"##);
    assert_eq!(
        report["said"],
        "0 frames marked; 0 rows of the tables; not searched: 1,502 cells combined in frames, 3,001 cells of names that are not listed"
    );
}

#[test]
fn the_most_frames_of_a_page_are_zoomed_and_searched_without_an_error() {
    let Some(chromium) = chromium() else { return };
    let report = report(
        chromium,
        "many",
        &html(&mixed(60_000, 10)),
        r##"
        const before = frames_seen();
        const widest = before.filter((frame) => frame.y > before[0].y).length;
        frame("tree \"root\"").querySelector("rect").dispatchEvent(new MouseEvent("click", { bubbles: true }));
        return { frames: before.length, below: widest, found: find("name 3").marked.length };
        "##,
    );
    assert!(report["frames"].as_u64().is_some_and(|frames| (2500..=5000).contains(&frames)), "{report}");
    assert!(report["found"].as_u64().is_some_and(|found| found > 10), "{report}");
}
