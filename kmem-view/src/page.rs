//! The HTML page, which holds all that it needs.

use std::io::{self, Write};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::diff::grown;
use crate::icicle::{self, KINDS};
use crate::label::{grouped, growth, many};
use crate::names::{Named, by_name};
use crate::outline::{Drawn, Outline, Room, Tally};
use crate::{Diff, Growth, Snapshot, Totals};

/// The most frames of the icicle, besides those for what is too light.
const FRAMES: usize = 2500;
/// The most names that are listed.
const NAMES: usize = 1000;
/// The most paths of names that grew which are listed. They are fewer, since a path is as long as eight names.
const GROWN: usize = 300;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// The page loads nothing, and nothing in it may.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

impl Snapshot {
    /// Writes one HTML page, which works without a network: an icicle of who holds the bytes, to zoom into and search, a table by
    /// name, and the totals. It draws at most 2500 paths of names, the heaviest, and lists at most 1000 names; what is left
    /// out is gathered, and the page says how much that is.
    ///
    /// # Errors
    ///
    /// When `to` cannot be written to.
    ///
    /// ```
    /// # use kmem_view::Snapshot;
    /// # let snapshot = Snapshot::read(
    /// #     &br#"{"kmem":1,"cells":[
    /// #     {"depth":0,"kind":"tree","name":"request","at":"0x1000","size":24,"block":104}
    /// #     ],"total":{"cells":1,"size":24,"block":104}}"#[..],
    /// # )?;
    /// let mut page = Vec::new();
    /// snapshot.html(&mut page, None)?;
    /// assert!(String::from_utf8(page)?.starts_with("<!DOCTYPE html><html lang=\"en\">"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn html(&self, to: impl Write, depth: Option<u32>) -> io::Result<()> {
        page(to, None, self, depth)
    }
}

impl Diff<'_> {
    /// Writes one HTML page of the newer snapshot, coloured by growth, with a table of what grew: of the 300 paths of names that
    /// grew most, and in sum of the others.
    ///
    /// # Errors
    ///
    /// When `to` cannot be written to.
    pub fn html(&self, to: impl Write, depth: Option<u32>) -> io::Result<()> {
        page(to, Some(self.older), self.newer, depth)
    }
}

fn page(
    mut to: impl Write,
    older: Option<&Snapshot>,
    newer: &Snapshot,
    depth: Option<u32>,
) -> io::Result<()> {
    let outline = Outline::new(older, newer, depth);
    let frames = outline.frames(&Room { frames: FRAMES, share: 1_000_000, weight: |all| all.newer.block });
    let icicle = icicle::draw(&outline, &frames, older.is_some())?;
    let total = newer.total();
    let title = match older.map(Snapshot::total) {
        None => format!("kmem: {} with headers in {}", many(total.block, "byte"), many(total.cells, "cell")),
        Some(older) => format!(
            "kmem: grew by {} bytes with headers and {} cells",
            growth(older.block, total.block),
            growth(older.cells, total.cells)
        ),
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    (totals(older, newer, &outline))
                }
                main {
                    div.search role="search" {
                        label for="find" { "Find a name, a kind, a source or “tainted”" }
                        input #find type="search" autocomplete="off" spellcheck="false";
                        button #all type="button" { "Show all" }
                        output #found for="find" aria-live="polite" {}
                    }
                    section aria-labelledby="who" {
                        h2 #who { @if older.is_some() { "Who holds the bytes now, coloured by growth" } @else { "Who holds the bytes" } }
                        (legend(older.is_some()))
                        p #drawn { (Drawn::new(&outline, &frames)) }
                        noscript { p { "Zoom, search and labels need JavaScript; the tables do not." } }
                        @match icicle {
                            Some(svg) => figure #icicle { (PreEscaped(svg)) }
                            None => p { "Nothing holds a byte." }
                        }
                        p { "Click a frame to zoom into it. With the keyboard: the arrows go from frame to frame, "
                            kbd { "Enter" } " zooms, " kbd { "Escape" } " shows all, " kbd { "/" } " finds." }
                    }
                    @if let Some(older) = older { (what_grew(&grown(&outline), older, newer)) }
                    (names(&by_name(newer)))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    to.write_all(page.into_string().as_bytes())
}

fn totals(older: Option<&Snapshot>, newer: &Snapshot, outline: &Outline<'_>) -> Markup {
    let mut tainted = [0, 0];
    for branch in &outline.branches {
        tainted[0] += branch.own.older.tainted;
        tainted[1] += branch.own.newer.tainted;
    }
    let now = newer.total();
    let was = older.map(Snapshot::total).unwrap_or_default();
    let rows = [
        ("cells", "total-cells", was.cells, now.cells),
        ("bytes of data", "total-size", was.size, now.size),
        ("bytes with headers", "total-block", was.block, now.block),
        ("tainted cells, of those listed", "total-tainted", tainted[0], tainted[1]),
    ];
    html! {
        table #totals {
            caption { "In all" }
            thead { tr {
                th scope="col" { "What" }
                @if older.is_some() { th.n scope="col" { "Older" } }
                th.n scope="col" { @if older.is_some() { "Newer" } @else { "How much" } }
                @if older.is_some() { th.n scope="col" { "Growth" } }
            } }
            tbody {
                @for (what, id, was, now) in rows { tr {
                    th scope="row" { (what) }
                    @if older.is_some() { td.n { (grouped(was)) } }
                    td.n id=(id) { (grouped(now)) }
                    @if older.is_some() { td.n { (growth(was, now)) } }
                } }
            }
        }
    }
}

fn legend(compared: bool) -> Markup {
    html! {
        ul.legend {
            @if compared {
                li { span.swatch style="background:#ff8c69" {} " grew, by the bytes after its name" }
                li { span.swatch style="background:#6eb4f0" {} " shrank, likewise" }
                li { span.swatch style="background:#e0e0e0" {} " as before" }
            } @else {
                @for (kind, colour) in KINDS {
                    li { span.swatch style={ "background:rgb(" (colour.r) "," (colour.g) "," (colour.b) ")" } {} " " (kind.name()) }
                }
                li { span.swatch style="background:#e0e0e0" {} " gathered" }
            }
            li { span.swatch.tainted-swatch { "!" } " an exclamation mark and a dashed red edge: holds tainted cells" }
        }
    }
}

fn what_grew(grown: &[Growth], older: &Snapshot, newer: &Snapshot) -> Markup {
    let (rows, rest) = grown.split_at(grown.len().min(GROWN));
    let by = |growth: &[Growth]| growth.iter().map(|growth| growth.by().0).sum::<i128>();
    let net = i128::from(newer.total().block) - i128::from(older.total().block);
    html! {
        section aria-labelledby="what-grew" {
            h2 #what-grew { "What grew" }
            p {
                "The cells of each path of names by themselves, without what is below them. "
                (many(grown.len() as u64, "path")) " grew, by " (signed(by(grown))) " bytes with headers; all others together changed by "
                (signed(net - by(grown))) "."
                @if !rest.is_empty() {
                    " The " (grouped(rows.len() as u64)) " that grew most are listed; the other "
                    (grouped(rest.len() as u64)) " grew by " (signed(by(rest))) " bytes with headers."
                }
            }
            div.wide { table.rows #grown {
                thead { tr {
                    th scope="col" { "Path" }
                    th.n scope="col" { "Bytes with headers, older" } th.n scope="col" { "newer" } th.n scope="col" { "growth" }
                    th.n scope="col" { "Cells, older" } th.n scope="col" { "newer" } th.n scope="col" { "growth" }
                } }
                tbody { @for Growth { path, older, newer } in rows { tr {
                    th scope="row" { bdi { (path) } }
                    td.n { (grouped(older.block)) } td.n { (grouped(newer.block)) } td.n { (growth(older.block, newer.block)) }
                    td.n { (grouped(older.cells)) } td.n { (grouped(newer.cells)) } td.n { (growth(older.cells, newer.cells)) }
                } } }
            } }
        }
    }
}

fn signed(number: i128) -> String {
    let sign = match number {
        ..0 => "-",
        0 => "",
        1.. => "+",
    };
    format!("{sign}{}", grouped(u64::try_from(number.unsigned_abs()).unwrap_or(u64::MAX)))
}

fn names(names: &[Named<'_>]) -> Markup {
    let (rows, rest) = names.split_at(names.len().min(NAMES));
    let mut others = Totals::default();
    for Named { tally, .. } in rest {
        others += Totals { cells: tally.cells, size: tally.size, block: tally.block };
    }
    html! {
        section aria-labelledby="by-name" {
            h2 #by-name { "By name" }
            p {
                "Wherever they are; cells without a name by kind."
                @if !rest.is_empty() {
                    " The " (grouped(rows.len() as u64)) " that hold most are listed; the other " (grouped(rest.len() as u64))
                    " hold " (many(others.block, "byte")) " with headers in " (many(others.cells, "cell")) "."
                }
            }
            div.wide { table.rows #names {
                thead { tr {
                    th scope="col" { "Name" }
                    th.n scope="col" { "Cells" } th.n scope="col" { "Bytes" } th.n scope="col" { "With headers" }
                    th scope="col" { "Kinds" } th scope="col" { "Sources" }
                    th.n scope="col" { "Tainted" } th.n scope="col" { "References" }
                } }
                tbody { @for named in rows {
                    @let Tally { cells, size, block, tainted, refs, .. } = named.tally;
                    tr.tainted[tainted > 0] {
                        th scope="row" { bdi { (named.shown()) } }
                        td.n { (grouped(cells)) } td.n { (grouped(size)) } td.n { (grouped(block)) }
                        td { (named.kinds()) } td { (named.tally.sources()) }
                        td.n { @if tainted > 0 { "! " (grouped(tainted)) } }
                        td.n { @if refs > 0 { (grouped(refs)) } }
                    }
                } }
            } }
        }
    }
}
