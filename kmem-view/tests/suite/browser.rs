//! The page in a browser: visible frames, zoom, search, and the numbers of the snapshot. Chromium loads the page from its file, and a
//! script at its end uses the page and reports the result.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kmem_view::{Diff, Snapshot};
use serde_json::Value;

use crate::written::{Sums, Written, by_path, label, mixed, output};

fn chromium() -> Option<&'static str> {
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|program| {
        Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
    });
    if found.is_none() {
        eprintln!("left out: there is no Chromium here");
    }
    found
}

/// Collects errors and warnings, from before the page's own scripts run.
const WATCH: &str = r#"<script>
var faults = [];
addEventListener("error", (event) => faults.push(String(event.message)));
addEventListener("securitypolicyviolation", (event) => faults.push("policy: " + event.blockedURI));
for (const level of ["error", "warn", "assert"]) {
    const before = console[level];
    console[level] = (...said) => { if (level !== "assert" || !said[0]) faults.push(said.join(" ")); before.apply(console, said); };
}
var asked = 0;
window.prompt = () => { asked += 1; return null; };
</script>"#;

/// Functions for the tests, and the report.
const USE: &str = r##"
const frames_seen = () => [...document.querySelectorAll("#frames > g")].filter((g) => !g.classList.contains("hide")).map((g) => {
    const box = g.querySelector("rect").getBoundingClientRect();
    return { text: g.querySelector("title").textContent, label: g.querySelector("text").textContent.trim(),
        x: box.x, y: box.y, width: box.width, height: box.height };
});
const frame = (start) => [...document.querySelectorAll("#frames > g")].find((g) => g.querySelector("title").textContent.startsWith(start));
const press = (target, key, more) => target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
const find = (term) => {
    const input = document.getElementById("find");
    input.value = term;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    const marked = [...document.querySelectorAll("#frames > g")].filter((g) =>
        getComputedStyle(g.querySelector("rect")).fill === "rgb(230, 159, 0)");
    return { marked: marked.map((g) => g.querySelector("title").textContent), said: document.getElementById("found").textContent,
        rows: [...document.querySelectorAll("#names tbody tr")].filter((row) => row.checkVisibility()).map((row) => row.cells[0].textContent) };
};
const table = (id) => [...document.querySelectorAll(id + " tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent));
const pause = () => new Promise((done) => setTimeout(done, 50));
addEventListener("load", async () => {
    await pause();
    let report;
    try { report = await used(); } catch (error) { report = {}; faults.push(String(error.stack)); }
    const out = document.createElement("pre");
    out.id = "report";
    out.textContent = JSON.stringify({ ...report, faults, asked, loaded: performance.getEntriesByType("resource").length });
    document.body.replaceChildren(out);
});
"##;

/// Loads a page, runs the async function `used` on it, and returns its report. Any error or warning fails the test.
#[track_caller]
fn report(chromium: &str, name: &str, page: &str, used: &str) -> Value {
    report_in(chromium, name, "1200,900", page, used)
}

/// The same in a window of another size.
#[track_caller]
fn report_in(chromium: &str, name: &str, window: &str, page: &str, used: &str) -> Value {
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("browser").join(name);
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).expect("made");
    let file = scratch.join("page.html");
    let page = page.replacen("<head>", &format!("<head>{WATCH}"), 1).replacen(
        "</body></html>",
        &format!("<script>{USE}\nconst used = async () => {{ {used} }};</script></body></html>"),
        1,
    );
    fs::write(&file, page).expect("written");
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"])
        .arg(format!("--window-size={window}"))
        .args(["--enable-logging=stderr", "--virtual-time-budget=20000"])
        .arg(format!("--user-data-dir={}", scratch.join("profile").display()))
        .arg(address(&file))
        .output()
        .expect("started");
    let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!log.contains(":CONSOLE"), "{log}");
    let report = dom
        .split_once("<pre id=\"report\">")
        .and_then(|(_, rest)| rest.split_once("</pre>"))
        .unwrap_or_else(|| panic!("no report: {log}"))
        .0
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&nbsp;", "\u{a0}")
        .replace("&amp;", "&");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["faults"], Value::Array(Vec::new()));
    assert_eq!(report["loaded"], 0, "the page loads nothing");
    assert_eq!(report["asked"], 0, "the page asks through no dialogue");
    report
}

/// An address with the parameters that inferno's script writes after a zoom and a search. The page ignores them.
fn address(file: &Path) -> String {
    format!("file://{}?x=10&y=20&s=nothing", file.display())
}

fn html(snapshot: &Snapshot) -> String {
    output(|out| snapshot.html(out, None))
}

fn number(text: &str) -> u64 {
    text.replace([',', '!', ' '], "").parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

/// The number in a cell of a table, or 0 if the cell is empty.
fn number_or_none(text: &Value) -> u64 {
    match text.as_str().expect("text") {
        "" => 0,
        text => number(text),
    }
}

/// The label in the text of a frame, its own cells and bytes, and those of its descendants too.
fn said(text: &str) -> (String, Sums) {
    let (label, details) = text.rsplit_once(" (").expect("details");
    let details =
        if details.starts_with("tainted") { details.split_once("; ").expect("more").1 } else { details };
    let (all_block, rest) = details.split_once(" byte").expect("bytes");
    let all_cells = rest.split_once(" in ").expect("cells").1.split_once(" cell").expect("cells").0;
    let label = label.strip_prefix("! ").unwrap_or(label);
    let (all_block, all_cells) = (number(all_block), number(all_cells));
    let (label, own_cells) =
        label.split_once(" × ").map_or((label, all_cells.min(1)), |(label, cells)| (label, number(cells)));
    let own_block = match details.split_once("%; ").expect("a share").1.split_once(" without its descendants")
    {
        Some((own, _)) => number(own.split_once(" byte").expect("bytes").0),
        None => all_block,
    };
    (label.to_owned(), Sums { own_cells, own_block, all_cells, all_block })
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1.0
}

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
fn a_frame_is_zoomed_into_and_out_of_by_mouse_and_by_keyboard() {
    let Some(chromium) = chromium() else { return };
    let mut written = Written::default();
    written
        .tree(0, "server", 20)
        .tree(1, "cache", 9000)
        .tree(1, "sessions", 100)
        .tree(2, "session", 900)
        .tree(1, "log", 50);
    let report = report(
        chromium,
        "zoom",
        &html(&written.read()),
        r##"
        const before = frames_seen();
        frame('tree "sessions"').querySelector("rect").dispatchEvent(new MouseEvent("click", { bubbles: true }));
        const zoomed = frames_seen();
        press(document.body, "Escape");
        const back = frames_seen();
        const root = frame("all");
        root.focus();
        const path = [];
        for (const key of ["ArrowDown", "ArrowDown", "ArrowRight", "ArrowDown", "ArrowUp"]) {
            press(document.activeElement, key);
            path.push(document.activeElement.querySelector("title").textContent.split(" (")[0]);
        }
        const told = document.getElementById("told").textContent;
        press(document.activeElement, "Enter");
        const entered = frames_seen();
        press(document.body, "Backspace");
        const out = frames_seen();
        press(document.body, "Backspace");
        const further = frames_seen();
        press(document.activeElement, "Enter");
        document.getElementById("all").click();
        return { before, zoomed, back, path, told, entered, out, further, shown: frames_seen(), address: location.search };
        "##,
    );
    let frames = |when: &str| -> BTreeMap<String, f64> {
        let frames = report[when].as_array().expect("frames").iter();
        frames.map(|frame| (said_label(frame), frame["width"].as_f64().expect("a width"))).collect()
    };
    let (before, zoomed) = (frames("before"), frames("zoomed"));
    let (sessions, session) = ("tree \"sessions\"", "tree \"session\"");
    assert_eq!(before.len(), 6);
    assert!(before[sessions] < before["all"] / 5.0);
    assert!(near(zoomed[sessions], before["all"]), "{zoomed:?}");
    assert!(near(zoomed[session], before["all"] * 980.0 / 1160.0), "{zoomed:?}");
    assert_eq!(zoomed.keys().collect::<Vec<_>>(), ["all", "tree \"server\"", session, sessions]);
    assert_eq!(frames("back"), before);
    let way = ["tree \"server\"", "tree \"cache\"", sessions, session, sessions];
    assert_eq!(report["path"], Value::from(way.to_vec()));
    assert!(
        report["told"].as_str().expect("text").contains("1,160 bytes with headers in 2 cells"),
        "{}",
        report["told"]
    );
    assert_eq!(frames("entered"), zoomed);
    assert!(near(frames("out")["tree \"server\""], before["all"]) && frames("out").len() == 6);
    assert!(near(frames("out")[sessions], before[sessions]));
    assert_eq!(frames("further"), before);
    assert_eq!(frames("shown"), before);
    assert_eq!(report["address"], "?x=10&y=20&s=nothing");
}

fn said_label(frame: &Value) -> String {
    frame["text"].as_str().expect("text").split(" (").next().expect("a label").to_owned()
}

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
        if text.contains("; as many bytes") {
            assert!(parts[0] == parts[2], "{frame}");
        }
    }
    assert_eq!(seen, [true; 2]);
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
