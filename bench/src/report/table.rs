//! Tables, for the terminal and in Markdown.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table as Comfy};

use super::{column, distinct, operations, short};
use crate::record::Record;

pub struct Table {
    pub title: String,
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// A table for each operation: contestants down, sizes across.
pub fn pivot(records: &[Record]) -> Vec<Table> {
    let tables = operations(records).into_iter().map(|(group, op)| {
        let of_op: Vec<&Record> = records.iter().filter(|r| r.group == group && r.op == op).collect();
        let columns = distinct(of_op.iter().map(|record| column(record)));
        let contestants = distinct(of_op.iter().map(|record| record.contestant.as_str()));
        let rows = contestants.into_iter().map(|contestant| {
            let cell = |of: &String| {
                let found = of_op.iter().find(|r| r.contestant == contestant && column(r) == *of);
                found.map_or_else(String::new, |record| text(record))
            };
            std::iter::once(contestant.to_owned()).chain(columns.iter().map(cell)).collect()
        });
        let rows = rows.collect();
        let unit = if group == "memory" { "bytes" } else { "ns" };
        let baseline = &of_op[0].baseline;
        let beside = if baseline.is_empty() { String::new() } else { format!(", × {baseline}") };
        let title = format!("{group}: {op} ({unit}: median, min–max{beside})");
        Table { title, header: std::iter::once(String::new()).chain(columns).collect(), rows }
    });
    tables.collect()
}

fn text(record: &Record) -> String {
    let mut text = short(record.median);
    if record.rounds.len() > 1 {
        let _ = write!(text, " ({}–{})", short(record.min), short(record.max));
    }
    if let Some(ratio) = record.ratio {
        let _ = write!(text, " ×{ratio:.2}");
    }
    if let Some(speed) = record.gb_per_s {
        let _ = write!(text, ", {speed:.1} GB/s");
    }
    text
}

impl Table {
    pub fn terminal(&self) -> String {
        let mut table = Comfy::new();
        table.load_preset(UTF8_FULL_CONDENSED).set_header(&self.header).add_rows(&self.rows);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        format!("{}\n{table}", self.title)
    }

    pub fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n| {} |\n|", self.title, self.header.join(" | "));
        text += &"---|".repeat(self.header.len());
        for row in &self.rows {
            let _ = write!(text, "\n| {} |", row.join(" | "));
        }
        text + "\n"
    }
}
