//! Frames: their colours, marks, widths and details.

use kmem_view::Diff;
use serde_json::Value;

use super::{chromium, html, number, number_or_none, report, report_in, said};
use crate::written::{Sums, Written, mixed, output};

#[test]
fn tainted_frames_have_a_dashed_edge_and_a_mark() {
    let Some(chromium) = chromium() else { return };
    let mut written = Written::default();
    written.tree(0, "server", 200).cell(1, "heap", Some("key"), 200, "\"tainted\":true,\"adopted\":true");
    let report = report(
        chromium,
        "tainted",
        &html(&written.read()),
        r##"
        const edge = (start) => getComputedStyle(frame(start).querySelector("rect")).strokeDasharray;
        return { key: edge("! heap"), server: edge("tree"), labels: frames_seen().map((frame) => frame.label) };
        "##,
    );
    assert_eq!((report["key"].as_str(), report["server"].as_str()), (Some("5px, 2px"), Some("none")));
    let labels = report["labels"].as_array().expect("labels");
    assert!(
        labels.contains(&Value::from("! heap \"key\"")) && labels.contains(&Value::from("tree \"server\"")),
        "{labels:?}"
    );
}

#[test]
fn hostile_names_are_text() {
    let Some(chromium) = chromium() else { return };
    let names = [
        "</script><b id=bold>x</b><script>faults.push('ran')</script>",
        "\"'><img src=x onerror=\"faults.push('ran')\">",
        "</svg></style></title><b id=bold>",
        "<![CDATA[ ]]> <!-- --> -->",
        "tab\tline\nnul\0; 7",
        "&lt;b&gt; &amp;",
        "all (100 bytes with headers in 1 cell)",
    ];
    let mut written = Written::default();
    for name in names {
        written.tree(0, name, 100);
    }
    let (one, none) = (written.read(), Written::default().read());
    for page in [html(&one), output(|out| Diff::new(&none, &one).html(out, None))] {
        let report = report(
            chromium,
            "hostile",
            &page,
            r##"
            return { bold: document.querySelectorAll("#bold, img").length, rows: table("#names").map((row) => row[0]),
                texts: frames_seen().map((frame) => frame.text) };
            "##,
        );
        assert_eq!(report["bold"], 0);
        for name in names {
            let quoted = serde_json::to_string(name).expect("JSON");
            assert!(report["rows"].as_array().expect("rows").contains(&Value::from(&*quoted)), "{name}");
            let start = format!("tree {quoted}");
            let texts = report["texts"].as_array().expect("texts");
            assert!(
                texts.iter().any(|text| text.as_str().is_some_and(|text| text.starts_with(&start))),
                "{name} {texts:?}"
            );
        }
    }
}

#[test]
fn twenty_holders_of_a_cell_are_as_wide_as_the_cell_and_its_holders() {
    let Some(chromium) = chromium() else { return };
    let mut written = Written::default();
    written.tree(0, "server", 20);
    for _ in 0..20 {
        written.tree(1, "session", 20).held(2, "table", 1 << 20, 1);
    }
    let snapshot = written.read();
    let report = report(
        chromium,
        "holders",
        &html(&snapshot),
        r##"return { frames: frames_seen(), names: table("#names"), totals: table("#totals"), title: document.title,
            rule: document.getElementById("again").textContent };"##,
    );
    let (holders, table) = (19 * 30, (1 << 20) + 80);
    let real = 21 * 100 + table + holders;
    assert_eq!(report["title"].as_str().map(number_in), Some(real));
    assert_eq!(snapshot.total().block, 21 * 100 + 20 * table);
    let texts = report["frames"]
        .as_array()
        .expect("frames")
        .iter()
        .map(|frame| frame["text"].as_str().expect("text"));
    let texts: Vec<_> = texts.filter(|text| !text.starts_with("all (")).map(said).collect();
    let of = |label: &str| texts.iter().find(|(found, _)| found == label).expect("a frame").1;
    assert_eq!(of("tree \"server\"").all_block, real);
    assert_eq!(
        of("ref \"table\""),
        Sums { own_cells: 1, own_block: table + holders, all_cells: 1, all_block: table + holders }
    );
    let row =
        report["names"].as_array().expect("rows").iter().find(|row| row[0] == "\"table\"").expect("a row");
    assert_eq!([1, 2, 3, 7].map(|column| number_or_none(&row[column])), [1, 1 << 20, table + holders, 9]);
    let totals: Vec<u64> = report["totals"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| number(row[1].as_str().expect("text")))
        .collect();
    assert_eq!(totals[4..], [19, 19 << 20, 19 * (table - 30)]);
    assert!(report["rule"].as_str().expect("text").contains("the data of such a cell counts once"));
}

/// The first number in a text.
fn number_in(text: &str) -> u64 {
    let start = text.find(|c: char| c.is_ascii_digit()).expect("a number");
    number(text[start..].split(' ').next().expect("a number"))
}

#[test]
fn small_frames_keep_their_colour_and_mark() {
    let Some(chromium) = chromium() else { return };
    let mut written = Written::default();
    written.tree(0, "server", 200).tree(1, "blob", 1 << 40).tree(1, "log", 10).cell(
        1,
        "heap",
        Some("key"),
        32,
        "\"tainted\":true",
    );
    let report = report(
        chromium,
        "small",
        &html(&written.read()),
        r##"
        const look = (start) => {
            const style = getComputedStyle(frame(start).querySelector("rect"));
            return { stroke: style.stroke, fill: style.fill, width: frame(start).querySelector("rect").getBoundingClientRect().width };
        };
        const looks = () => ({ blob: look('tree "blob"'), log: look('tree "log"'), key: look('! heap "key"') });
        const before = looks();
        zoom(frame('tree "log"'));
        const zoomed = look('tree "log"');
        unzoom();
        return { before, zoomed, after: looks() };
        "##,
    );
    let before = &report["before"];
    assert_eq!(before["blob"]["stroke"], "rgb(255, 255, 255)");
    assert_eq!(
        (&before["log"]["stroke"], &before["log"]["fill"]),
        (&Value::from("none"), &Value::from("rgb(166, 206, 227)"))
    );
    assert_eq!(
        (&before["key"]["stroke"], &before["key"]["fill"]),
        (&Value::from("rgb(179, 0, 27)"), &Value::from("rgb(253, 205, 140)"))
    );
    for small in ["log", "key"] {
        assert!(before[small]["width"].as_f64().expect("a width") >= 1.0, "{before}");
    }
    assert_eq!(report["zoomed"]["stroke"], "rgb(255, 255, 255)");
    assert!(report["zoomed"]["width"].as_f64().expect("a width") > 1000.0);
    assert_eq!(&report["after"], before);
}

#[test]
fn details_of_a_frame_are_shown_in_view_with_taint_first() {
    let Some(chromium) = chromium() else { return };
    let mut written = Written::default();
    for depth in 0..60 {
        written.tree(depth, &format!("level {depth} {}", "wide ".repeat(20)), 100);
    }
    written.cell(60, "heap", Some("key"), 900, "\"tainted\":true");
    let page = html(&written.read());
    for (window, stays) in [("1200,900", true), ("600,900", false), ("1200,400", false)] {
        let report = report_in(
            chromium,
            &format!("told-{window}"),
            window,
            &page,
            r##"
            const at = (start) => frame(start).querySelector("rect");
            at('! heap "key"').dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
            const told = document.getElementById("told"), pointed = told.textContent;
            const bar = document.querySelector(".search");
            const height = bar.getBoundingClientRect().height;
            frame('! heap "key"').focus();
            await pause();
            // Upwards, where the bar would cover what comes into view.
            let covered = 0;
            for (let step = 0; step < 60; step += 1) {
                press(document.activeElement, "ArrowUp");
                await new Promise((done) => setTimeout(done, 5));
                const frame = document.activeElement.querySelector("rect").getBoundingClientRect();
                if (getComputedStyle(bar).position === "sticky" && frame.top < bar.getBoundingClientRect().bottom) covered += 1;
            }
            const box = told.getBoundingClientRect();
            return { pointed, covered, stays: getComputedStyle(bar).position === "sticky", at: scrollY, in: box.top >= 0 && box.bottom <= innerHeight,
                wraps: getComputedStyle(told).whiteSpace, told: told.textContent, grew: bar.getBoundingClientRect().height - height,
                wide: document.documentElement.scrollWidth - document.documentElement.clientWidth };
            "##,
        );
        let pointed = report["pointed"].as_str().expect("text");
        assert!(pointed.starts_with("! heap \"key\": tainted: 1 cell; 980 bytes"), "{pointed}");
        assert!(report["told"].as_str().expect("text").starts_with("tree \"level 0 wide"), "{report}");
        assert_eq!(
            (&report["stays"], &report["covered"]),
            (&Value::from(stays), &Value::from(0)),
            "{report}"
        );
        assert_eq!(
            (&report["wraps"], &report["grew"], &report["wide"]),
            (&Value::from("normal"), &Value::from(0), &Value::from(0)),
            "{report}"
        );
        assert!(!stays || report["in"] == true, "{report}");
    }
}

#[test]
fn the_drawing_has_a_name_and_frames_to_point_at() {
    let Some(chromium) = chromium() else { return };
    let report = report(
        chromium,
        "frames",
        &html(&mixed(50, 3)),
        r##"return { name: document.getElementById("icicle").ariaLabel, frames: frames_seen() };"##,
    );
    assert!(report["name"].as_str().is_some_and(|name| name.starts_with("An icicle chart: ")), "{report}");
    for frame in report["frames"].as_array().expect("frames") {
        assert!(frame["height"].as_f64().is_some_and(|height| height >= 19.0), "{frame}");
    }
}
