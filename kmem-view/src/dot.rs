//! The graph for Graphviz.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::label::{grouped, many, more};
use crate::outline::{Drawn, Outline, Pair, Room, Shows, Tally};
use crate::{Diff, Snapshot};

/// The most boxes of a graph, without those for light branches. Graphviz can draw more, but nobody can read them.
const BOXES: usize = 300;

impl Snapshot {
    /// Writes a graph for Graphviz's `dot`, with a box for each path of names. Tainted cells are marked by a word and a red edge, adopted
    /// cells by a dashed line. The graph has at most 300 boxes, of the heaviest paths. The others share a box below their parent, and the
    /// title says how many cells that are.
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
    /// let mut dot = Vec::new();
    /// snapshot.dot(&mut dot, None)?;
    /// assert!(String::from_utf8(dot)?.contains(r#"[label="tree \"request\"\n104 bytes with headers, 1 cell"]"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dot(&self, to: impl Write, depth: Option<u32>) -> io::Result<()> {
        let outline = Outline::new(None, self, depth);
        write(to, &outline, None, |all| all.newer.block, |_| String::new())
    }
}

impl Diff<'_> {
    /// Writes the graph of both snapshots. Paths that grew are red, paths that shrank are blue, and each box shows the difference.
    ///
    /// # Errors
    ///
    /// Returns the error of `to` if it cannot be written to.
    pub fn dot(&self, to: impl Write, depth: Option<u32>) -> io::Result<()> {
        write(
            to,
            &self.outline(depth),
            self.limits(),
            |all| all.older.block.max(all.newer.block),
            |all| {
                format!(
                    "\n{}, {}",
                    more(all.older.block, all.newer.block, "byte"),
                    more(all.older.cells, all.newer.cells, "cell")
                )
            },
        )
    }
}

fn write(
    mut to: impl Write,
    outline: &Outline<'_>,
    limits: Option<String>,
    weight: fn(&Pair) -> u64,
    change: impl Fn(&Pair) -> String,
) -> io::Result<()> {
    let frames = outline.frames(&Room { frames: BOXES, weight });
    let mut title = Drawn::new(outline, &frames).to_string();
    let again = outline.branches[0].all.newer.again;
    if again > 0 {
        write!(
            title,
            "\nReference-counted cells are held again {}: the data of such a cell counts once, where it is listed first.",
            many(again, "time")
        )
        .expect("text");
    }
    if let Some(limits) = limits {
        title = format!("{title}\n{limits}");
    }
    writeln!(to, "digraph kmem {{")?;
    writeln!(to, "  graph [rankdir=LR, labelloc=t, label={}]", quoted(&title))?;
    writeln!(to, "  node [shape=box, style=filled, fillcolor=white, fontname=monospace]")?;
    for (index, frame) in frames.iter().enumerate().skip(1) {
        let tainted = |of: &Tally| match of.tainted {
            _ if !of.is_tainted() => String::new(),
            tainted if tainted == of.cells || tainted == 0 => "\ntainted".to_owned(),
            tainted => format!("\ntainted: {} of {}", grouped(tainted), many(of.cells, "cell")),
        };
        let (mut label, pair, tainted, adopted) = match &frame.shows {
            Shows::Branch(branch) => {
                let branch = &outline.branches[*branch];
                let now = &branch.own.newer;
                let adopted = now.is_adopted() || branch.own.older.is_adopted();
                let label = match now.cells {
                    0 | 1 => branch.label.to_string(),
                    cells => format!("{} × {}", branch.label, grouped(cells)),
                };
                (label, branch.all, tainted(now), adopted)
            }
            Shows::Others(count, pair) => (many(*count as u64, "other"), *pair, tainted(&pair.newer), false),
        };
        let now = &pair.newer;
        write!(label, "\n{} with headers, {}", many(now.block, "byte"), many(now.cells, "cell"))
            .expect("text");
        if now.again > 0 {
            write!(label, "\nheld again {}", many(now.again, "time")).expect("text");
        }
        label += &change(&pair);
        label += &tainted;
        write!(to, "  n{index} [label={}", quoted(&label))?;
        if !change(&pair).is_empty() {
            let colour = match now.block.cmp(&pair.older.block) {
                std::cmp::Ordering::Less => "lightskyblue",
                std::cmp::Ordering::Equal => "white",
                std::cmp::Ordering::Greater => "lightsalmon",
            };
            write!(to, ", fillcolor={colour}")?;
        }
        if !tainted.is_empty() {
            write!(to, ", color=red, penwidth=3")?;
        }
        writeln!(to, "]")?;
        if let Some(parent) = frame.parent.filter(|&parent| parent > 0) {
            writeln!(to, "  n{parent} -> n{index}{}", if adopted { " [style=dashed]" } else { "" })?;
        }
    }
    writeln!(to, "}}")
}

/// A string in the syntax of DOT. A backslash begins an escape of Graphviz, so each backslash is doubled. A line break is `\n`.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            // Graphviz reads entities in labels: it would show `&lt;` as `<`.
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
