//! Prints the top of the document, and a table of its cost.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};

use crate::load::Census;
use crate::values::{Value, View};

const DEPTH: usize = 3;
const WIDTH: usize = 4;
const TEXT: usize = 40;

/// Prints the first values of the first levels, without secrets.
pub fn top(out: &mut impl Write, view: &View<'_, '_>, secret_keys: &[String]) -> io::Result<()> {
    draw(out, view, view.top, "", false, 0, secret_keys)?;
    writeln!(out)
}

fn draw(
    out: &mut impl Write,
    view: &View<'_, '_>,
    value: Value,
    indent: &str,
    secret: bool,
    depth: usize,
    secret_keys: &[String],
) -> io::Result<()> {
    match value {
        Value::Null => writeln!(out, "null"),
        Value::Bool(value) => writeln!(out, "{value}"),
        Value::Array(_) | Value::Object { .. } => {
            let kind = if matches!(value, Value::Object { .. }) { "object" } else { "array" };
            writeln!(out, "{kind} of {}", view.items(value).len())?;
            if secret || depth >= DEPTH {
                return Ok(());
            }
            draw_inside(out, view, value, indent, depth, secret_keys)
        }
        _ if secret => writeln!(out, "(secret)"),
        Value::Unsigned(number) => writeln!(out, "{number}"),
        Value::Signed(number) => writeln!(out, "{number}"),
        Value::Float(number) => writeln!(out, "{number}"),
        Value::Secret(_) | Value::SecretText(_) => writeln!(out, "(secret)"),
        Value::Short(..) | Value::Text(_) => {
            let text = view.text(&value).unwrap_or("");
            match text.char_indices().nth(TEXT) {
                Some((end, _)) => writeln!(out, "\"{}…\"", &text[..end]),
                None => writeln!(out, "{text:?}"),
            }
        }
    }
}

fn draw_inside(
    out: &mut impl Write,
    view: &View<'_, '_>,
    container: Value,
    indent: &str,
    depth: usize,
    secret_keys: &[String],
) -> io::Result<()> {
    let len = view.items(container).len();
    let more = len.saturating_sub(WIDTH);
    for (index, (key, value)) in view.items(container).take(WIDTH).enumerate() {
        let last = more == 0 && index + 1 == len;
        let branch = if last { "└─ " } else { "├─ " };
        match key {
            Some(key) => write!(out, "{indent}{branch}{key}: ")?,
            None => write!(out, "{indent}{branch}")?,
        }
        let secret = key.is_some_and(|key| secret_keys.iter().any(|secret| secret == key));
        let indent = format!("{indent}{}", if last { "   " } else { "│  " });
        draw(out, view, value, &indent, secret, depth + 1, secret_keys)?;
    }
    if more > 0 {
        writeln!(out, "{indent}└─ … {more} more")?;
    }
    Ok(())
}

/// Prints the cells and bytes of each kind.
pub fn table(out: &mut impl Write, view: &View<'_, '_>, census: &Census) -> io::Result<()> {
    let document = view.document;
    let lists: usize = document.lists.iter().map(|list| size_of_val(&**list)).sum();
    let keys: usize = document.keys.iter().map(|key| key.len()).sum();
    let refs = document.keys.len() + document.lists.len();
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["kind", "holds", "cells", "data bytes", "header bytes"]);
    let rows = [
        (
            "tree",
            "values in arrays and objects",
            view.values.len(),
            size_of::<Value>() * view.values.items,
            64,
        ),
        ("tree", "strings longer than 14 bytes", view.text.len(), view.text.items, 64),
        ("tree", "secret strings", view.secrets.len(), view.secrets.items, 64),
        ("pool", "secret numbers", document.numbers.len(), size_of::<Value>() * document.numbers.len(), 16),
        ("ref", "keys, and lists of keys", refs, keys + lists, 32),
    ];
    let mut total = 0;
    for (kind, holds, cells, data, header) in rows {
        total += data + header * cells;
        table.add_row([
            kind.to_string(),
            holds.to_string(),
            cells.to_string(),
            data.to_string(),
            (header * cells).to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(out, "{table}")?;
    writeln!(
        out,
        "{} for {} of JSON with {} and {}",
        many(total, "byte"),
        many(census.document as usize, "byte"),
        many(view.values.items, "value"),
        many(census.strings, "string"),
    )?;
    writeln!(
        out,
        "{} with {} of keys share {} with {} and {}",
        many(census.members, "member"),
        many(census.key_bytes, "byte"),
        many(document.keys.len(), "key"),
        many(keys, "byte"),
        many(document.lists.len(), "list of keys").replace("list of keyss", "lists of keys"),
    )
}

/// `1 cell`, `2 cells`.
pub fn many(number: usize, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}
