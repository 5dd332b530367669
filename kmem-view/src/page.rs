//! The HTML page, one file that loads nothing.

use std::collections::HashMap;
use std::io::{self, Write};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::diff::{Change, Changes, GROWN, SHRUNK, sums};
use crate::icicle::{self, KINDS, ORIGIN};
use crate::label::{Escaped, change, grouped, growth, many, signed};
use crate::names::Names;
use crate::outline::{Drawn, Frame, Outline, Room, Shows, Tally};
use crate::{Diff, Snapshot, Totals};

/// The most frames of the icicle chart, without those for light branches.
const FRAMES: usize = 2500;
/// The most names that are listed.
const NAMES: usize = 1000;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Forbids the page to load anything.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

impl Snapshot {
    /// Writes an HTML page in one file, which works without a network. It has an icicle chart to zoom into and search, a table by name,
    /// and the totals. The chart has at most 2500 paths of names, the heaviest, and the table at most 1000 names. The others are combined,
    /// and the page says how many cells that are.
    ///
    /// # Errors
    ///
    /// Returns the error of `to` if it cannot be written to.
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
        page(to, &Outline::new(None, self, depth), None, self)
    }
}

impl Diff<'_> {
    /// Writes an HTML page of the newer snapshot, coloured by growth. Tables list the 300 paths that grew most, the 100 that shrank most, and
    /// the sum of the others.
    ///
    /// # Errors
    ///
    /// Returns the error of `to` if it cannot be written to.
    pub fn html(&self, to: impl Write, depth: Option<u32>) -> io::Result<()> {
        page(to, &self.outline(depth), Some(self), self.newer)
    }
}

fn page(
    mut to: impl Write,
    outline: &Outline<'_>,
    diff: Option<&Diff<'_>>,
    newer: &Snapshot,
) -> io::Result<()> {
    let frames = outline.frames(&Room { frames: FRAMES, weight: |all| all.newer.block });
    let icicle = icicle::draw(outline, &frames, diff.is_some())?;
    let drawn = Drawn::new(outline, &frames);
    let names = Names::new(newer, NAMES);
    let now = newer.real();
    let label = |snapshot: &Snapshot| snapshot.label().map(|label| Escaped(label).to_string());
    let label = match diff.and_then(|diff| label(diff.older)) {
        None => label(newer).unwrap_or("kmem".to_owned()),
        Some(older) => format!("{older} to {}", label(newer).unwrap_or("a newer one".to_owned())),
    };
    let title = match diff {
        None => {
            format!("{label}: {} with headers in {}", many(now.block, "byte"), many(now.cells, "cell"))
        }
        Some(diff) => format!("{label}: {}", change(&diff.older.real(), &now)),
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
                (PreEscaped(format!("<!-- {ORIGIN} -->")))
            }
            body {
                header {
                    h1 { bdi { (title) } }
                    (totals(diff.map(|diff| diff.older), newer, outline))
                }
                main {
                    div.search role="search" {
                        label for="find" { "Search for a name, kind or source, “adopted” or “tainted”" }
                        input #find type="search" autocomplete="off" spellcheck="false";
                        button #all type="button" { "Show all" }
                        output #found for="find" aria-live="polite" data-beyond=(beyond(&drawn, &names)) {}
                        p #told { "Hover over or focus a frame to see its details here." }
                    }
                    section aria-labelledby="memory" {
                        h2 #memory { @if diff.is_some() { "Memory now, coloured by growth" } @else { "Memory" } }
                        (legend(diff.is_some()))
                        p #drawn { (drawn) }
                        @if let Some(limits) = diff.and_then(Diff::limits) { p #limits { (limits) } }
                        noscript { p { "Zoom, search and labels need JavaScript; the tables do not." } }
                        @match icicle {
                            Some(svg) => figure #icicle aria-label="An icicle chart: the children of a frame are below it, and its width is its bytes with headers" {
                                (PreEscaped(svg))
                            }
                            None => p { "The snapshot has no bytes." }
                        }
                        p { "Click a frame to zoom in. Keyboard: the arrow keys move between frames, "
                            kbd { "Enter" } " zooms in, " kbd { "Backspace" } " zooms out one level, " kbd { "Escape" } " shows everything, "
                            kbd { "/" } " starts a search. Click a row of a table to zoom to its frame or to mark its frames. "
                            "Click a column heading to sort." }
                    }
                    @if let Some(diff) = diff { (what_changed(outline, &frames, &diff.older.real(), &now)) }
                    (by_name(&names))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    to.write_all(page.into_string().as_bytes())
}

/// The cells that a search does not reach.
fn beyond(drawn: &Drawn, names: &Names<'_>) -> String {
    let mut parts = Vec::new();
    if drawn.gathered() > 0 {
        parts.push(format!("{} combined in frames", many(drawn.gathered(), "cell")));
    }
    if names.rest.cells > 0 {
        parts.push(format!("{} of names that are not listed", many(names.rest.cells, "cell")));
    }
    if parts.is_empty() { String::new() } else { format!("; not searched: {}", parts.join(", ")) }
}

fn totals(older: Option<&Snapshot>, newer: &Snapshot, outline: &Outline<'_>) -> Markup {
    let all = outline.branches[0].all;
    let of = |snapshot: Option<&Snapshot>| snapshot.map(|all| (all.total(), all.again())).unwrap_or_default();
    let ((was, was_again), (now, now_again)) = (of(older), of(Some(newer)));
    let mut rows = vec![
        ("cells", "total-cells", was.cells, now.cells),
        ("bytes of data", "total-size", was.size, now.size),
        ("bytes with headers", "total-block", was.block, now.block),
        ("tainted cells, of the listed cells", "total-tainted", all.older.tainted, all.newer.tainted),
    ];
    if was_again.cells + now_again.cells > 0 {
        rows.extend([
            ("counted again: cells", "again-cells", was_again.cells, now_again.cells),
            ("counted again: bytes of data", "again-size", was_again.size, now_again.size),
            ("counted again: bytes with headers", "again-block", was_again.block, now_again.block),
        ]);
    }
    html! {
        div.wide { table #totals {
            caption { "Totals, as kmem counts them" }
            thead { tr {
                th scope="col" { "Total" }
                @if older.is_some() { th.n scope="col" { "Older" } }
                th.n scope="col" { @if older.is_some() { "Newer" } @else { "Number" } }
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
        } }
        @if was_again.cells + now_again.cells > 0 {
            p #again { "kmem counts a reference-counted cell below each of its holders. The rows “counted again” are the surplus. Everywhere else on "
                "this page the data of such a cell counts once, where it is listed first. Below its other holders only the small node "
                "that holds it counts." }
        }
        @if all.newer.has_store_and_cells_of_one() {
            p #pools { "A cell that was allocated from a pool or an arena counts at its own place and, if that store is shown too, in it as well." }
        }
    }
}

fn legend(compared: bool) -> Markup {
    html! {
        ul.legend {
            @if compared {
                li { span.swatch style="background:#ff8c69" {} " grew, by the number of bytes after the name" }
                li { span.swatch style="background:#6eb4f0" {} " shrank, by the number of bytes after the name" }
                li { span.swatch style="background:#e0e0e0" {} " unchanged" }
            } @else {
                @for (kind, colour) in KINDS {
                    li { span.swatch style={ "background:rgb(" (colour.r) "," (colour.g) "," (colour.b) ")" } {} " " (kind.name()) }
                }
                li { span.swatch style="background:#e0e0e0" {} " combined" }
            }
            li { span.swatch.tainted-swatch { "!" } " an exclamation mark and a dashed red edge: has tainted cells" }
        }
    }
}

fn what_changed(outline: &Outline<'_>, frames: &[Frame], older: &Totals, newer: &Totals) -> Markup {
    let Changes { grown, shrunk } = Changes::new(outline);
    // The frames by path.
    let drawn: HashMap<usize, usize> = frames
        .iter()
        .enumerate()
        .filter_map(|(index, frame)| match frame.shows {
            Shows::Branch(branch) if branch > 0 => Some((branch, index)),
            _ => None,
        })
        .collect();
    let net = |changes: &[Change]| {
        let (older, newer) = sums(changes);
        i128::from(newer.block) - i128::from(older.block)
    };
    html! {
        section aria-labelledby="what-grew" {
            h2 #what-grew { "Paths that grew" }
            p {
                "The paths of names that both snapshots have. A path counts its own cells, and everything below it on paths that only one snapshot has. "
                (many(grown.len() as u64, "path")) " grew, by " (signed(net(&grown))) " bytes with headers, and "
                (many(shrunk.len() as u64, "path")) " shrank, by " (signed(net(&shrunk))) ": together "
                (growth(older.block, newer.block)) "."
            }
            (changed("grown", "grew", outline, &drawn, &grown, GROWN))
        }
        @if !shrunk.is_empty() {
            section aria-labelledby="what-shrank" {
                h2 #what-shrank { "Paths that shrank" }
                (changed("shrunk", "shrank", outline, &drawn, &shrunk, SHRUNK))
            }
        }
    }
}

fn changed(
    id: &str,
    what: &str,
    outline: &Outline<'_>,
    drawn: &HashMap<usize, usize>,
    changes: &[Change],
    most: usize,
) -> Markup {
    let (rows, rest) = changes.split_at(changes.len().min(most));
    let (was, is) = sums(rest);
    html! {
        @if !rest.is_empty() {
            p {
                "The " (grouped(rows.len() as u64)) " that " (what) " most are listed; " (many(rest.len() as u64, "other")) " " (what) " by "
                (growth(was.block, is.block)) " bytes with headers."
            }
        }
        div.wide { table.rows id=(id) {
            thead { tr {
                th scope="col" { "Path" }
                th.n scope="col" { "Bytes with headers, older" } th.n scope="col" { "newer" } th.n scope="col" { "growth" }
                th.n scope="col" { "Cells, older" } th.n scope="col" { "newer" } th.n scope="col" { "growth" }
                th scope="col" { "New and vanished below it" }
            } }
            tbody { @for change in rows {
                @let Change { branch, older, newer, .. } = change;
                @let own = outline.branches[*branch].own.newer;
                tr data-words=(own.words()) data-frame=[drawn.get(branch).map(|frame| format!("f{frame}"))] {
                    th scope="row" { bdi { (outline.path(*branch)) } }
                    td.n { (grouped(older.block)) } td.n { (grouped(newer.block)) } td.n { (growth(older.block, newer.block)) }
                    td.n { (grouped(older.cells)) } td.n { (grouped(newer.cells)) } td.n { (growth(older.cells, newer.cells)) }
                    td.note { (change.note(outline)) }
                }
            } }
        } }
    }
}

fn by_name(names: &Names<'_>) -> Markup {
    html! {
        section aria-labelledby="by-name" {
            h2 #by-name { "By name" }
            p {
                "Cells with the same name, at any place. Cells without a name are listed by kind."
                @if names.others > 0 {
                    " The " (grouped(names.most.len() as u64)) " heaviest names are listed; " (many(names.others, "other")) " ha"
                    @if names.others == 1 { "s" } @else { "ve" } " " (many(names.rest.block, "byte")) " with headers in " (many(names.rest.cells, "cell")) "."
                }
            }
            div.wide { table.rows #names {
                thead { tr {
                    th scope="col" { "Name" }
                    th.n scope="col" { "Cells" } th.n scope="col" { "Bytes" } th.n scope="col" { "With headers" }
                    th scope="col" { "Kinds" } th scope="col" { "Sources" }
                    th.n scope="col" { "Tainted" } th.n scope="col" { "References" }
                } }
                tbody { @for named in &names.most {
                    @let Tally { cells, size, block, tainted, refs, .. } = named.tally;
                    tr.tainted[named.tally.is_tainted()] data-words=(named.tally.words()) {
                        th scope="row" { bdi { (named.shown()) } }
                        td.n { (grouped(cells)) } td.n { (grouped(size)) } td.n { (grouped(block)) }
                        td { (named.tally.kinds()) @if named.tally.is_adopted() { ", adopted" } }
                        td { (named.tally.sources()) }
                        td.n { @if tainted > 0 { "! " (grouped(tainted)) } }
                        td.n { @if refs > 0 { (grouped(refs)) } }
                    }
                } }
            } }
        }
    }
}
