//! The tables beside the drawing, and the numbers in them.

use std::collections::BTreeMap;

use kmem_view::Diff;
use serde_json::Value;

use super::{chromium, html, near, number, number_or_none, report, report_in, said};
use crate::written::{Sums, Written, by_path, label, mixed, output};

#[test]
fn the_page_has_the_numbers_of_the_snapshot() {
    let Some(chromium) = chromium() else { return };
    let snapshot = mixed(600, 7);
    let report = report(
        chromium,
        "numbers",
        &html(&snapshot),
        r##"return { frames: frames_seen(), names: table("#names"), totals: table("#totals") };"##,
    );

    let (total, again) = (snapshot.total(), snapshot.again());
    assert!(again.cells > 10);
    let tainted = snapshot.cells().iter().filter(|cell| cell.tainted).count() as u64;
    let totals: Vec<u64> = report["totals"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| number(row[1].as_str().expect("text")))
        .collect();
    assert_eq!(totals, [total.cells, total.size, total.block, tainted, again.cells, again.size, again.block]);
    let (cells, block) = (total.cells - again.cells, total.block - again.block);

    // Each path has a frame with its cells and bytes, whose width is in proportion to the bytes.
    let frames = report["frames"].as_array().expect("frames");
    let root = frames
        .iter()
        .find(|frame| frame["text"].as_str().expect("text").starts_with("all ("))
        .expect("a root");
    let everything = Sums { all_cells: cells, all_block: block, ..Sums::default() };
    let whole = root["width"].as_f64().expect("a width");
    assert!(whole > 1000.0, "{root}");
    let mut shown = Vec::new();
    for frame in frames {
        let text = frame["text"].as_str().expect("text");
        let sums = if frame == root { everything } else { said(text).1 };
        let width = frame["width"].as_f64().expect("a width");
        assert!(width > 0.0 && frame["height"].as_f64().expect("a height") >= 10.0, "{frame}");
        assert!(near(width, whole * sums.all_block as f64 / block as f64), "{frame}");
        if frame != root {
            shown.push(said(text));
        }
    }
    shown.sort();
    let mut expected: Vec<_> = by_path(&snapshot)
        .into_iter()
        .map(|(path, sums)| (path.last().expect("a label").clone(), sums))
        .collect();
    expected.sort();
    assert!(expected.len() > 200);
    assert_eq!(shown, expected);

    // Each name has a row.
    let mut names: BTreeMap<String, [u64; 5]> = BTreeMap::new();
    for cell in snapshot.cells() {
        let name = match &cell.name {
            Some(name) => format!("\"{name}\""),
            None => format!("unnamed {}", label(cell)),
        };
        let row = names.entry(name).or_default();
        if cell.again {
            row[2] += cell.holder;
            continue;
        }
        row[0] += 1;
        row[1] += cell.size;
        row[2] += cell.block;
        row[3] += u64::from(cell.tainted);
        row[4] += cell.refs.unwrap_or(0);
    }
    let rows: BTreeMap<String, [u64; 5]> = report["names"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let name = row[0].as_str().expect("a name").to_owned();
            (name, [1, 2, 3, 6, 7].map(|column| number_or_none(&row[column])))
        })
        .collect();
    assert_eq!(rows, names);
}

#[test]
fn a_diff_lists_what_grew_and_colours_it() {
    let Some(chromium) = chromium() else { return };
    let (older, newer) = (mixed(500, 8), mixed(700, 9));
    let diff = Diff::new(&older, &newer);
    let page = output(|out| diff.html(out, None));
    let report = report(
        chromium,
        "diff",
        &page,
        r##"
        const head = document.querySelector("#grown thead th:nth-child(5) button");
        const grown = table("#grown");
        head.click();
        const sorted = table("#grown").map((row) => row[4]);
        head.click();
        return { grown, sorted, turned: table("#grown").map((row) => row[4]), sort: head.parentNode.ariaSort,
            shrunk: table("#shrunk"), totals: table("#totals"),
            frames: [...document.querySelectorAll("#frames > g")].map((g) =>
                [g.querySelector("title").textContent, g.querySelector("rect").getAttribute("fill")]) };
        "##,
    );
    for (table, changed) in [("grown", diff.grown(None)), ("shrunk", diff.shrunk(None))] {
        let rows: Vec<_> = report[table]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| {
                let number = |column: usize| number(row[column].as_str().expect("text"));
                (row[0].as_str().expect("a path").to_owned(), number(1), number(2), number(4), number(5))
            })
            .collect();
        let changed: Vec<_> = changed
            .into_iter()
            .map(|growth| {
                (growth.path, growth.older.block, growth.newer.block, growth.older.cells, growth.newer.cells)
            })
            .collect();
        assert!(changed.len() > 20);
        assert_eq!(rows, changed);
    }
    let numbers = |column: &str| -> Vec<u64> {
        let texts = report[column].as_array().expect("numbers").iter();
        texts.map(|text| number(text.as_str().expect("text"))).collect()
    };
    let (sorted, turned) = (numbers("sorted"), numbers("turned"));
    assert!(sorted.is_sorted_by(|one, other| one >= other) && sorted[0] > 0, "{sorted:?}");
    assert!(turned.is_sorted() && turned.len() == sorted.len(), "{turned:?}");
    assert_eq!(report["sort"], "ascending");
    assert_eq!(number(report["totals"][2][1].as_str().expect("text")), older.total().block);
    assert_eq!(number(report["totals"][2][2].as_str().expect("text")), newer.total().block);
    let mut seen = [false; 2];
    for frame in report["frames"].as_array().expect("frames") {
        let (text, fill) = (frame[0].as_str().expect("text"), frame[1].as_str().expect("a colour"));
        let parts: Vec<u64> =
            fill.trim_matches(|c: char| !c.is_ascii_digit()).split(',').map(number).collect();
        for (index, word) in ["; grew by ", "; shrank by "].into_iter().enumerate() {
            if text.contains(word) {
                assert!(if index == 0 { parts[0] > parts[2] } else { parts[0] < parts[2] }, "{frame}");
                seen[index] = true;
            }
        }
        if text.contains("; the same bytes") {
            assert!(parts[0] == parts[2], "{frame}");
        }
    }
    assert_eq!(seen, [true; 2]);
}

#[test]
fn a_row_zooms_to_its_frame_or_marks_its_frames() {
    let Some(chromium) = chromium() else { return };
    let (mut older, mut newer) = (Written::default(), Written::default());
    for (written, size) in [(&mut older, 10), (&mut newer, 20)] {
        written
            .tree(0, "server", 20)
            .tree(1, "log", 900)
            .tree(1, "cache", size)
            .tree(2, "page", 40)
            .tree(1, "page", 40);
    }
    let (older, newer) = (older.read(), newer.read());
    let report = report(
        chromium,
        "rows",
        &output(|out| Diff::new(&older, &newer).html(out, None)),
        r##"
        const row = (id, text) => [...document.querySelectorAll(id + " tbody tr")].find((row) => row.cells[0].textContent === text);
        row("#grown", 'tree "server" / tree "cache"').querySelector("button").click();
        const zoomed = frames_seen().map((frame) => frame.label.split(" +")[0]).sort();
        const focus = document.activeElement.querySelector("title").textContent;
        row("#names", '"page"').cells[2].click();
        const marked = [...document.querySelectorAll("#frames > g.found")].map((g) => g.querySelector("title").textContent.split(" (")[0]);
        return { zoomed, focus, marked, shown: frames_seen().length, said: document.getElementById("found").textContent,
            rows: [...document.querySelectorAll("#names tbody tr")].filter((row) => row.checkVisibility()).length };
        "##,
    );
    assert_eq!(
        report["zoomed"],
        Value::from(vec!["all", "tree \"cache\"", "tree \"page\"", "tree \"server\""])
    );
    assert!(report["focus"].as_str().expect("text").starts_with("tree \"cache\" +10 ("), "{report}");
    assert_eq!(report["marked"], Value::from(vec!["tree \"page\"", "tree \"page\""]));
    assert_eq!((&report["shown"], &report["rows"]), (&Value::from(6), &Value::from(4)));
    assert_eq!(report["said"], "2 frames marked, with 16.9% of the bytes; 1 row of the tables");
}

#[test]
fn no_table_makes_the_page_wider_than_the_window() {
    let Some(chromium) = chromium() else { return };
    let (mut older, mut newer) = (Written::default(), Written::default());
    for (written, size) in [(&mut older, 10), (&mut newer, 1 << 50)] {
        written.tree(0, &"name".repeat(20), size).held(1, &"x".repeat(79), 1 << 50, 3).held(
            1,
            &"x".repeat(79),
            1 << 50,
            3,
        );
    }
    let (older, newer) = (older.read().labelled("o".repeat(200)), newer.read().labelled("n".repeat(200)));
    let page = output(|out| Diff::new(&older, &newer).html(out, None));
    let report = report_in(
        chromium,
        "wide",
        "500,900",
        &page,
        "return { wide: document.documentElement.scrollWidth, window: document.documentElement.clientWidth };",
    );
    assert!(report["window"].as_u64().is_some_and(|window| window <= 500), "{report}");
    assert_eq!(report["wide"], report["window"]);
}
