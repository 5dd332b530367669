//! The page in a browser: visible frames, zoom, search, and the numbers of the snapshot. Chromium loads the page from its file, and a
//! script at its end uses the page and reports the result.

mod frames;
mod search;
mod tables;
mod zoom;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kmem_view::Snapshot;
use serde_json::Value;

use crate::written::{Sums, output};

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
