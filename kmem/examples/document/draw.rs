//! Prints the top of the document's tree, and a table of its cost.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};
use kmem::{Kind, Ptr};

use crate::load::Census;
use crate::values::{Container, Root, Shape, Value, items};

const DEPTH: usize = 3;
const WIDTH: usize = 4;
const TEXT: usize = 40;

/// Prints the first values of the first levels, without secrets.
pub fn top_of_tree(out: &mut impl Write, root: &Root<'_>, secret_keys: &[String]) -> io::Result<()> {
    for (_, value) in items(root) {
        draw(out, &value, "", false, 0, secret_keys)?;
    }
    writeln!(out)
}

fn draw(
    out: &mut impl Write,
    value: &Value<'_, '_>,
    indent: &str,
    secret: bool,
    depth: usize,
    secret_keys: &[String],
) -> io::Result<()> {
    match value {
        Value::Null(_) => writeln!(out, "null"),
        Value::Bool(ptr) => writeln!(out, "{ptr}"),
        _ if secret => writeln!(out, "(secret)"),
        Value::Number(ptr) => writeln!(out, "{ptr}"),
        Value::Text(ptr) if ptr.chars().count() > TEXT => {
            writeln!(out, "\"{}…\"", ptr.chars().take(TEXT).collect::<String>())
        }
        Value::Text(ptr) => writeln!(out, "{:?}", &**ptr),
        Value::Container(ptr) => {
            writeln!(
                out,
                "{} of {}",
                if ptr.shape == Shape::Object { "object" } else { "array" },
                ptr.len()
            )?;
            if depth < DEPTH { draw_inside(out, ptr, indent, depth, secret_keys) } else { Ok(()) }
        }
    }
}

fn draw_inside(
    out: &mut impl Write,
    container: &Ptr<'_, Container<'_>>,
    indent: &str,
    depth: usize,
    secret_keys: &[String],
) -> io::Result<()> {
    let more = container.len().saturating_sub(WIDTH);
    for (index, (key, value)) in items(container).take(WIDTH).enumerate() {
        let last = more == 0 && index + 1 == container.len();
        let branch = if last { "└─ " } else { "├─ " };
        match key {
            Some(key) => write!(out, "{indent}{branch}{key}: ")?,
            None => write!(out, "{indent}{branch}")?,
        }
        let secret =
            container.secret || key.is_some_and(|key| secret_keys.iter().any(|secret| **secret == **key));
        let indent = format!("{indent}{}", if last { "   " } else { "│  " });
        draw(out, &value, &indent, secret, depth + 1, secret_keys)?;
    }
    if more > 0 {
        writeln!(out, "{indent}└─ … {more} more")?;
    }
    Ok(())
}

/// The number of a document's handles by kind.
#[derive(Default)]
struct Handles {
    by_kind: [usize; 5],
    list_bytes: usize,
}

impl Handles {
    fn count<T: ?Sized>(&mut self, ptr: &Ptr<'_, T>) {
        self.by_kind[ptr.kind() as usize] += 1;
    }

    /// Counts the values in a container. The parser accepts at most 128 levels of JSON.
    fn walk(&mut self, container: &Ptr<'_, Container<'_>>) {
        self.count(container);
        self.list_bytes += container.list_bytes();
        for (key, value) in items(container) {
            if let Some(key) = key {
                self.count(key);
            }
            match &value {
                Value::Null(ptr) => self.count(ptr),
                Value::Bool(ptr) => self.count(ptr),
                Value::Number(ptr) => self.count(ptr),
                Value::Text(ptr) => self.count(ptr),
                Value::Container(ptr) => self.walk(ptr),
            }
        }
    }
}

/// Prints cells and bytes by kind, and the saving of interning.
pub fn table(out: &mut impl Write, root: &Root<'_>, census: &Census) -> io::Result<()> {
    let mut handles = Handles::default();
    handles.walk(root);

    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["kind", "holds", "handles", "cells", "data bytes", "header bytes", "bytes per cell"]);
    let kinds = [
        (Kind::None, "null, true, false"),
        (Kind::Pool, "numbers"),
        (Kind::Ref, "strings and keys"),
        (Kind::Tree, "objects and arrays"),
    ];
    let mut total = 0;
    for (kind, holds) in kinds {
        let cost = census.cost(kind);
        let bytes = cost.data + cost.overhead;
        total += bytes;
        let per_cell =
            if cost.cells == 0 { "–".into() } else { format!("{:.1}", bytes as f64 / cost.cells as f64) };
        let name = if kind == Kind::None { "static".into() } else { kind.to_string() };
        table.add_row([
            name,
            holds.into(),
            handles.by_kind[kind as usize].to_string(),
            cost.cells.to_string(),
            cost.data.to_string(),
            cost.overhead.to_string(),
            per_cell,
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(out, "{table}")?;

    let refs = census.cost(Kind::Ref);
    writeln!(
        out,
        "{} in cells and {} in the containers' lists, for {} of JSON",
        many(total, "byte"),
        handles.list_bytes,
        many(census.document as usize, "byte")
    )?;
    writeln!(
        out,
        "interning: {} of {} are {} of {}; {} and {} of text saved",
        many(census.strings, "string"),
        many(census.string_bytes, "byte"),
        many(refs.cells, "cell"),
        refs.data,
        many(census.strings - refs.cells, "cell"),
        many(census.string_bytes - refs.data, "byte"),
    )
}

/// `1 cell`, `2 cells`.
pub fn many(number: usize, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}
