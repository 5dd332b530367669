//! Zoom: the visible frames and the numbers in them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{chromium, html, near, report};
use crate::written::Written;

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
