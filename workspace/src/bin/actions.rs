//! Writes the table of actions into the four files that show it: `cargo run -p kmem-workspace --bin actions -- --write`.
//! Without `--write` it fails if a file is stale, as its test does.
//!
//! The source is `actions.txt`. An entry has the name of an action, and a line for each interface (`c`, `rust`, `raw`) with its names for
//! heap, ref, pool, arena, tree and any object. A name in C without `km` is a letter that follows the method. `rust` is Markdown.

use std::path::Path;

const HEAD: [&str; 7] = ["action", "heap", "ref", "pool", "arena", "tree", "any object"];

type Row = Vec<String>;

/// The rows of an interface: the action, then a cell for each method.
fn rows(interface: &str) -> Vec<Row> {
    let row = |entry: &str| -> Option<Row> {
        let (action, lines) = entry.split_once('\n').expect("an action and its names");
        let cells = lines.lines().find_map(|line| line.strip_prefix(interface)?.strip_prefix(':'))?;
        let cells = cells.split('|').map(|cell| cell.trim().replace('-', ""));
        let row: Row = std::iter::once(action.to_owned()).chain(cells).collect();
        assert_eq!(row.len(), HEAD.len(), "{action}: {interface}");
        Some(row)
    };
    include_str!("../../actions.txt").trim().split("\n\n").filter_map(row).collect()
}

/// The names of a row, each shown so.
fn names(mut row: Row, show: impl Fn(&str) -> String) -> Row {
    for cell in &mut row[1..] {
        *cell = cell.split_whitespace().map(&show).collect::<Vec<_>>().join(" ");
    }
    row
}

fn code(name: &str) -> String {
    format!("`{name}`")
}

fn link(path: &str) -> String {
    format!("[`{}`]({path})", path.rsplit("::").next().expect("a name"))
}

fn markdown(head: &[&str], rows: impl Iterator<Item = Row>) -> Vec<String> {
    let line = |row: Row| format!("| {} |", row.join(" | ")).replace("|  |", "| |").replace("|  |", "| |");
    let rule = format!("|{}", "---|".repeat(head.len()));
    [format!("| {} |", head.join(" | ")), rule].into_iter().chain(rows.map(line)).collect()
}

fn for_c() -> Vec<String> {
    markdown(&HEAD, rows("c").into_iter().map(|row| names(row, code)))
}

fn for_rust() -> Vec<String> {
    let c = rows("c");
    let with_c = |mut row: Row| {
        let same = c.iter().find(|other| other[0] == row[0]).cloned().unwrap_or_default();
        let mut all: Vec<String> = Vec::new();
        for name in same.iter().skip(1).flat_map(|cell| cell.split_whitespace()).map(code) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        row.insert(1, all.join(" "));
        row
    };
    markdown(
        &["action", "C", "heap", "ref", "pool", "arena", "tree", "`Ptr`"],
        rows("rust").into_iter().map(with_c),
    )
}

fn for_raw() -> Vec<String> {
    markdown(&HEAD, rows("raw").into_iter().map(|row| names(row, link)))
}

/// In columns, as plain text.
fn for_header() -> Vec<String> {
    let rows: Vec<Row> = std::iter::once(HEAD.map(str::to_owned).to_vec()).chain(rows("c")).collect();
    let width = |at: usize| rows.iter().map(|row| row[at].len()).max().unwrap_or(0) + 2;
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line =
        |row: &Row| row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect::<String>();
    rows.iter().map(|row| format!("    {}", line(row).trim_end())).collect()
}

/// A file with its table replaced, and as it stands. Its lines have this prefix; the table ends before a line of nothing else.
fn replaced(file: &Path, prefix: &str, table: &[String]) -> (String, String) {
    let before = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let first = table[0].split_once("action").expect("a head").0;
    let first = format!("{prefix}{first}action ");
    let mut after = String::new();
    let (mut within, mut seen) = (false, 0);
    for line in before.lines() {
        if line.starts_with(&first) {
            (within, seen) = (true, seen + 1);
            after.extend(table.iter().map(|row| format!("{prefix}{row}\n")));
        }
        within &= line != prefix.trim_end();
        if !within {
            after.extend([line, "\n"]);
        }
    }
    assert_eq!(seen, 1, "{}: tables that begin with `{first}`", file.display());
    (after, before)
}

/// The files that are stale, with what they should hold.
fn stale() -> impl Iterator<Item = (std::path::PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let places = [
        ("README.md", "", for_rust()),
        ("kmem/src/raw/mod.rs", "//! ", for_raw()),
        ("kmem-capi/README.md", "", for_c()),
        ("kmem-capi/include/kmem.h", " * ", for_header()),
    ];
    places.into_iter().filter_map(move |(file, prefix, table)| {
        let (after, before) = replaced(&root.join(file), prefix, &table);
        (after != before).then(|| (root.join(file), after))
    })
}

fn main() -> std::process::ExitCode {
    let write = std::env::args().any(|argument| argument == "--write");
    let mut fails = false;
    for (file, text) in stale() {
        if write {
            std::fs::write(&file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        } else {
            eprintln!("stale: {}", file.display());
            fails = true;
        }
    }
    std::process::ExitCode::from(u8::from(fails))
}

#[test]
fn the_table_of_actions_is_the_same_everywhere() {
    let stale: Vec<_> = stale().map(|(file, _)| file).collect();
    assert!(
        stale.is_empty(),
        "stale, write them with `cargo run -p kmem-workspace --bin actions -- --write`: {stale:?}"
    );
}
