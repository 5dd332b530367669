//! The document for a person: the top of its tree, and a table of what it costs.

use comfy_table::{CellAlignment, Table, presets};
use kmem::{Kind, Ptr};

use crate::Root;
use crate::load::Census;
use crate::values::{Container, Shape, Value, items};

const DEPTH: usize = 3;
const WIDTH: usize = 4;
const TEXT: usize = 40;

/// Draws the first few values of the first few levels, but for what is secret.
pub fn top_of_tree(root: &Root<'_>, secret_keys: &[String]) {
    for (_, value) in items(root) {
        draw(&value, "", false, 0, secret_keys);
    }
    println!();
}

fn draw(value: &Value<'_, '_>, indent: &str, secret: bool, depth: usize, secret_keys: &[String]) {
    match value {
        Value::Null(_) => println!("null"),
        Value::Bool(ptr) => println!("{ptr}"),
        _ if secret => println!("(secret)"),
        Value::Number(ptr) => println!("{ptr}"),
        Value::Text(ptr) if ptr.chars().count() > TEXT => {
            println!("\"{}…\"", ptr.chars().take(TEXT).collect::<String>())
        }
        Value::Text(ptr) => println!("{:?}", &**ptr),
        Value::Container(ptr) => {
            println!("{} of {}", if ptr.shape == Shape::Object { "object" } else { "array" }, ptr.len());
            if depth < DEPTH {
                draw_inside(ptr, indent, depth, secret_keys);
            }
        }
    }
}

fn draw_inside(container: &Ptr<'_, Container<'_>>, indent: &str, depth: usize, secret_keys: &[String]) {
    let more = container.len().saturating_sub(WIDTH);
    for (index, (key, value)) in items(container).take(WIDTH).enumerate() {
        let last = more == 0 && index + 1 == container.len();
        let branch = if last { "└─ " } else { "├─ " };
        match key {
            Some(key) => print!("{indent}{branch}{key}: "),
            None => print!("{indent}{branch}"),
        }
        let secret =
            container.secret || key.is_some_and(|key| secret_keys.iter().any(|secret| **secret == **key));
        let indent = format!("{indent}{}", if last { "   " } else { "│  " });
        draw(&value, &indent, secret, depth + 1, secret_keys);
    }
    if more > 0 {
        println!("{indent}└─ … {more} more");
    }
}

/// Handles of a document by the kind that they say they are.
#[derive(Default)]
struct Handles {
    by_kind: [usize; 5],
    list_bytes: usize,
}

impl Handles {
    fn count<T: ?Sized>(&mut self, ptr: &Ptr<'_, T>) {
        self.by_kind[ptr.kind() as usize] += 1;
    }

    /// Counts what is in a container. JSON that the parser accepts is at most 128 levels deep.
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

/// Prints cells and bytes by kind, and what interning saved.
pub fn table(root: &Root<'_>, census: &Census) {
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
    println!("{table}");

    let refs = census.cost(Kind::Ref);
    println!(
        "{} bytes in cells and {} in the containers' lists, for {} bytes of JSON",
        total, handles.list_bytes, census.document
    );
    println!(
        "interning: {} strings of {} bytes are {} cells of {}; {} cells and {} bytes of text saved",
        census.strings,
        census.string_bytes,
        refs.cells,
        refs.data,
        census.strings - refs.cells,
        census.string_bytes - refs.data,
    );
}
