//! What a browser makes of the page: frames that can be seen, zoomed and found, and numbers that are those of the snapshot.
//! Chromium loads the page from its file, and a script at its end uses it and reports what it saw.

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

/// Notes what goes wrong on the page, from before anything of the page runs.
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

/// What every test may use, and where it reports.
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

/// Loads a page, runs `used` on it, an async function, and returns what that reports. Any error or warning fails the test.
#[track_caller]
fn report(chromium: &str, name: &str, page: &str, used: &str) -> Value {
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
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1200,900",
            "--dump-dom",
        ])
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

/// With what an icicle of its own page would have left there after a zoom and a search, to be passed over.
fn address(file: &Path) -> String {
    format!("file://{}?x=10&y=20&s=nothing", file.display())
}

fn html(snapshot: &Snapshot) -> String {
    output(|out| snapshot.html(out, None))
}

fn number(text: &str) -> u64 {
    text.replace([',', '!', ' '], "").parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

/// A cell of a table that is left empty where there is none.
fn number_or_none(text: &Value) -> u64 {
    match text.as_str().expect("text") {
        "" => 0,
        text => number(text),
    }
}

/// What a frame's text says: its label, its cells alone if there are several, and the bytes and cells with those below.
fn said(text: &str) -> (String, Sums) {
    let (label, details) = text.rsplit_once(" (").expect("details");
    let (all_block, rest) = details.split_once(" byte").expect("bytes");
    let all_cells = rest.split_once(" in ").expect("cells").1.split_once(" cell").expect("cells").0;
    let label = label.strip_prefix("! ").unwrap_or(label);
    let (label, own_cells) =
        label.split_once(" × ").map_or((label, 1), |(label, cells)| (label, number(cells)));
    let (all_block, all_cells) = (number(all_block), number(all_cells));
    let own_block = match details.split_once("%; ").expect("a share").1.split_once(" without what is below") {
        Some((own, _)) => number(own.split_once(" byte").expect("bytes").0),
        None => all_block,
    };
    (label.to_owned(), Sums { own_cells, own_block, all_cells, all_block })
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1.0
}

#[test]
fn the_numbers_on_the_page_are_those_of_the_snapshot() {
    let Some(chromium) = chromium() else { return };
    let snapshot = mixed(600, 7);
    let report = report(
        chromium,
        "numbers",
        &html(&snapshot),
        r##"return { frames: frames_seen(), names: table("#names"), totals: table("#totals") };"##,
    );

    let total = snapshot.total();
    let tainted = snapshot.cells().iter().filter(|cell| cell.tainted).count() as u64;
    let totals: Vec<u64> = report["totals"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| number(row[1].as_str().expect("text")))
        .collect();
    assert_eq!(totals, [total.cells, total.size, total.block, tainted]);

    // Every path of names has its frame, which says the cells and the bytes of that path and is as wide as they are many.
    let frames = report["frames"].as_array().expect("frames");
    let root = frames
        .iter()
        .find(|frame| frame["text"].as_str().expect("text").starts_with("all ("))
        .expect("a root");
    let everything = Sums { all_cells: total.cells, all_block: total.block, ..Sums::default() };
    let whole = root["width"].as_f64().expect("a width");
    assert!(whole > 1000.0, "{root}");
    let mut shown = Vec::new();
    for frame in frames {
        let text = frame["text"].as_str().expect("text");
        let sums = if frame == root { everything } else { said(text).1 };
        let width = frame["width"].as_f64().expect("a width");
        assert!(width > 0.0 && frame["height"].as_f64().expect("a height") >= 10.0, "{frame}");
        assert!(near(width, whole * sums.all_block as f64 / total.block as f64), "{frame}");
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

    // Every name has its row.
    let mut names: BTreeMap<String, [u64; 5]> = BTreeMap::new();
    for cell in snapshot.cells() {
        let name = match &cell.name {
            Some(name) => format!("\"{name}\""),
            None => format!("unnamed {}", label(cell)),
        };
        let row = names.entry(name).or_default();
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
        const told = document.getElementById("details").textContent;
        press(document.activeElement, "Enter");
        const entered = frames_seen();
        document.getElementById("all").click();
        return { before, zoomed, back, path, told, entered, shown: frames_seen(), address: location.search };
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
    assert_eq!(frames("shown"), before);
    assert_eq!(report["address"], "?x=10&y=20&s=nothing");
}

fn said_label(frame: &Value) -> String {
    frame["text"].as_str().expect("text").split(" (").next().expect("a label").to_owned()
}

#[test]
fn what_is_searched_is_marked_and_said() {
    let Some(chromium) = chromium() else { return };
    let mut written = Written::default();
    written
        .tree(0, "server", 20)
        .tree(1, "a.b (c) [d]", 100)
        .tree(1, "axb", 100)
        .tree(1, "Session", 100)
        .cell(1, "heap", Some("key"), 32, "\"tainted\":true,\"adopted\":true");
    let report = report(
        chromium,
        "search",
        &html(&written.read()),
        r##"
        const found = {};
        for (const term of ["session", "A.B (C) [", "tainted", "nowhere", "*", "server", ""]) found[term] = find(term);
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
    assert_eq!(said, "1 frame marked, which hold 23.9% of the bytes shown; 1 row of the tables");
    let (marked, rows, _) = found("A.B (C) [");
    assert!(matches!(marked[..], [one] if one.starts_with("tree \"a.b (c) [d]\" (180 bytes")), "{marked:?}");
    assert_eq!(rows, ["\"a.b (c) [d]\""]);
    let (marked, rows, _) = found("tainted");
    assert!(matches!(marked[..], [one] if one.starts_with("! heap \"key\" (")), "{marked:?}");
    assert_eq!(rows, ["\"key\""]);
    for nothing in ["nowhere", "*"] {
        assert_eq!(found(nothing), (vec![], vec![], "0 frames marked; 0 rows of the tables"));
    }
    assert_eq!(found("server").0.len(), 1);
    let (marked, rows, said) = found("");
    assert_eq!((marked.len(), rows.len(), said), (0, 5, ""));
    assert_eq!(report["focus"], "find");
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
        const rows = table("#grown");
        head.click();
        return { rows, sorted: table("#grown").map((row) => row[4]), totals: table("#totals"),
            frames: [...document.querySelectorAll("#frames > g")].map((g) =>
                [g.querySelector("title").textContent, g.querySelector("rect").getAttribute("fill")]) };
        "##,
    );
    let rows: Vec<_> = report["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let number = |column: usize| number(row[column].as_str().expect("text"));
            (row[0].as_str().expect("a path").to_owned(), number(1), number(2), number(4), number(5))
        })
        .collect();
    let grown: Vec<_> = diff
        .grown(None)
        .into_iter()
        .map(|growth| {
            (growth.path, growth.older.block, growth.newer.block, growth.older.cells, growth.newer.cells)
        })
        .collect();
    assert!(grown.len() > 50);
    assert_eq!(rows, grown);
    let sorted: Vec<_> = report["sorted"]
        .as_array()
        .expect("numbers")
        .iter()
        .map(|text| number(text.as_str().expect("text")))
        .collect();
    assert!(sorted.is_sorted_by(|one, other| one >= other) && sorted[0] > 0, "{sorted:?}");
    assert_eq!(number(report["totals"][2][1].as_str().expect("text")), older.total().block);
    assert_eq!(number(report["totals"][2][2].as_str().expect("text")), newer.total().block);
    let mut seen = [false; 2];
    for frame in report["frames"].as_array().expect("frames") {
        let (text, fill) = (frame[0].as_str().expect("text"), frame[1].as_str().expect("a colour"));
        let parts: Vec<u64> =
            fill.trim_matches(|c: char| !c.is_ascii_digit()).split(',').map(number).collect();
        if let Some((_, growth)) = text.split_once("; grew by ") {
            match growth.as_bytes()[0] {
                b'+' => assert!(parts[0] > parts[2], "{frame}"),
                b'-' => assert!(parts[0] < parts[2], "{frame}"),
                _ => assert!(parts[0] == parts[2], "{frame}"),
            }
            seen[usize::from(growth.starts_with('-'))] = true;
        }
    }
    assert_eq!(seen, [true; 2]);
}

#[test]
fn as_many_frames_as_a_page_has_are_zoomed_and_searched_without_a_fault() {
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
