//! The icicle chart: the whole at the top, the children of a frame below it, and its bytes as its width.
//!
//! Inferno draws the chart, zooms and shows tooltips. Inferno identifies frames by their text. So the text of a frame is a number, and the
//! table of attributes has its label and class. This also keeps the names of cells out of the format of stacks.

use std::fmt::Write as _;
use std::io;

use inferno::flamegraph::color::{Color, PaletteMap};
use inferno::flamegraph::{self, Direction, FuncFrameAttrsMap, Options, TextTruncateDirection};

use crate::Kind;
use crate::label::{Label, change, grouped, growth, many};
use crate::outline::{Branch, Frame, Outline, Pair, Shows, Tally};

/// The comment in a page about the drawing.
pub(crate) const ORIGIN: &str = "The icicle and its script are made by inferno 0.12.8, which is under the CDDL-1.0: https://github.com/jonhoo/inferno";

/// Draws frames as SVG for a page, or returns `None` if there are no bytes. If `compared`, colours and texts show growth.
pub(crate) fn draw(outline: &Outline<'_>, frames: &[Frame], compared: bool) -> io::Result<Option<String>> {
    let whole = outline.branches[0].all;
    if whole.newer.block == 0 {
        return Ok(None);
    }
    let (mut stacks, mut attributes, mut colours) = (Vec::new(), String::new(), PaletteMap::default());
    colours.insert("", if compared { of_growth(&whole) } else { GREY });
    let mut path: Vec<usize> = Vec::new();
    for (index, frame) in frames.iter().enumerate().skip(1) {
        let keep = path.iter().position(|&above| Some(above) == frame.parent).map_or(0, |above| above + 1);
        path.truncate(keep);
        path.push(index);
        let (text, own, colour) = match &frame.shows {
            Shows::Branch(branch) => {
                let branch = &outline.branches[*branch];
                let colour = if compared { of_growth(&branch.all) } else { of_label(branch.label) };
                (text(branch, &whole, compared), branch.own, colour)
            }
            Shows::Others(count, pair) => {
                let colour = if compared { of_growth(pair) } else { GREY };
                let label = many(*count as u64, "other");
                (texts(&label, &pair.newer, vec![details(pair, &whole, compared)]), *pair, colour)
            }
        };
        // The page's script finds the frame by these words and this number.
        write!(
            attributes,
            "{index:07}\ttitle={text}\tid=f{index}\tg_extra=data-words=\"{}\"",
            own.newer.words()
        )
        .expect("text");
        attributes.push_str(if own.newer.is_tainted() { "\tclass=tainted\n" } else { "\n" });
        colours.insert(format!("{index:07}"), colour);
        if own.newer.block > 0 {
            let mut stack = String::with_capacity(path.len() * 8 + 8);
            for above in &path {
                write!(stack, "{above:07};").expect("text");
            }
            stack.pop();
            write!(stack, " {}", own.newer.block).expect("text");
            stacks.push(stack);
        }
    }

    let mut options = Options::default();
    options.title = String::new();
    options.direction = Direction::Inverted;
    options.text_truncate_direction = TextTruncateDirection::Right;
    options.count_name = format!("bytes with headers in {}", many(whole.newer.cells, "cell"));
    options.name_type = String::new();
    options.min_width = 0.0;
    options.frame_height = 20;
    options.no_sort = true;
    options.bgcolors = Some("#ffffff".parse().map_err(|_| io::Error::other("a colour"))?);
    options.palette_map = Some(&mut colours);
    options.func_frameattrs = FuncFrameAttrsMap::from_reader(attributes.as_bytes())?;
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, stacks.iter().map(String::as_str), &mut svg)?;
    let svg = String::from_utf8(svg).map_err(io::Error::other)?;
    // A page must not contain the declarations at the start of an SVG file.
    let start = svg.find("<svg").ok_or_else(|| io::Error::other("no drawing"))?;
    Ok(Some(svg[start..].to_owned()))
}

/// The label of a branch, and the details in its tooltip.
fn text(branch: &Branch<'_>, whole: &Pair, compared: bool) -> String {
    let own = &branch.own.newer;
    let mut label = branch.label.to_string();
    if own.cells > 1 {
        write!(label, " × {}", grouped(own.cells)).expect("text");
    }
    if compared && branch.all.newer.block != branch.all.older.block {
        write!(label, " {}", growth(branch.all.older.block, branch.all.newer.block)).expect("text");
    }
    let mut more = vec![details(&branch.all, whole, compared)];
    if branch.all.newer.cells > own.cells || branch.all.newer.block > own.block {
        more.push(format!(
            "{} in {} without its descendants",
            many(own.block, "byte"),
            many(own.cells, "cell")
        ));
    }
    more.push(format!("{} of data", many(own.size, "byte")));
    if own.refs > 0 {
        more.push(many(own.refs, "reference"));
    }
    if own.again > 0 {
        more.push(format!(
            "held again {}, which counts only the node that holds it",
            many(own.again, "time")
        ));
    }
    if own.is_adopted() {
        more.push("adopted".to_owned());
    }
    let sources = own.sources();
    if !sources.is_empty() {
        more.push(format!("from {sources}"));
    }
    texts(&label, own, more)
}

/// The label, which the drawing shows if there is room, and in the last parentheses the details, taint first.
fn texts(label: &str, own: &Tally, mut details: Vec<String>) -> String {
    if !own.is_tainted() {
        return format!("{label} ({})", details.join("; "));
    }
    details.insert(
        0,
        match own.tainted {
            0 => "tainted".to_owned(),
            tainted => format!("tainted: {}", many(tainted, "cell")),
        },
    );
    format!("! {label} ({})", details.join("; "))
}

fn details(all: &Pair, whole: &Pair, compared: bool) -> String {
    let share = 100.0 * all.newer.block as f64 / whole.newer.block as f64;
    let (block, cells) = (many(all.newer.block, "byte"), many(all.newer.cells, "cell"));
    let mut details = format!("{block} with headers in {cells}, {share:.2}%");
    if compared {
        write!(details, "; {}", change(&all.older.totals(), &all.newer.totals())).expect("text");
    }
    details
}

const GREY: Color = Color { r: 224, g: 224, b: 224 };

/// The colours of the kinds, light enough for black text. The legend of the page shows them.
pub(crate) const KINDS: [(Kind, Color); 7] = [
    (Kind::Tree, Color { r: 166, g: 206, b: 227 }),
    (Kind::Heap, Color { r: 253, g: 205, b: 140 }),
    (Kind::Ref, Color { r: 178, g: 223, b: 138 }),
    (Kind::Pool, Color { r: 214, g: 194, b: 226 }),
    (Kind::Store, Color { r: 255, g: 242, b: 140 }),
    (Kind::Arena, Color { r: 205, g: 220, b: 205 }),
    (Kind::None, Color { r: 245, g: 200, b: 200 }),
];

fn of_label(label: Label<'_>) -> Color {
    match label {
        Label::Cell(of, _) => {
            KINDS.into_iter().find(|(kind, _)| *kind == of).map_or(GREY, |(_, colour)| colour)
        }
        Label::All | Label::Deeper => GREY,
    }
}

/// Red if it grew and blue if it shrank, stronger for a larger part of it.
fn of_growth(pair: &Pair) -> Color {
    let (older, newer) = (pair.older.block as f64, pair.newer.block as f64);
    let share = ((newer - older).abs() / older.max(newer).max(1.0)).sqrt();
    let (from, to) = match pair.newer.block.cmp(&pair.older.block) {
        std::cmp::Ordering::Equal => return GREY,
        std::cmp::Ordering::Greater => ([255.0, 232.0, 222.0], [255.0, 140.0, 105.0]),
        std::cmp::Ordering::Less => ([226.0, 238.0, 250.0], [110.0, 180.0, 240.0]),
    };
    let mixed = |index: usize| (from[index] + (to[index] - from[index]) * share) as u8;
    Color { r: mixed(0), g: mixed(1), b: mixed(2) }
}
