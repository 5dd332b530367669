//! The results of a run: tables, files, plots.

mod files;
mod plot;
mod summary;
mod table;

pub use files::write;
pub use plot::draw;
pub use table::{Table, pivot};

use crate::record::Record;

/// The figure of a record, short.
pub fn short(figure: f64) -> String {
    match figure {
        f if f >= 1e6 => format!("{:.2}M", f / 1e6),
        f if f >= 1e4 => format!("{:.1}k", f / 1e3),
        f if f >= 100.0 => format!("{f:.0}"),
        f if f >= 10.0 => format!("{f:.1}"),
        f => format!("{f:.2}"),
    }
}

/// Operations in the order in which they were measured.
pub fn operations(records: &[Record]) -> Vec<(&str, &str)> {
    distinct(records.iter().map(|record| (record.group.as_str(), record.op.as_str())))
}

/// The items without repetition, in the order of their first appearance.
pub fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut all = Vec::new();
    for item in items {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    all
}

/// A number of bytes.
pub fn bytes(size: usize) -> String {
    match size {
        s if s >= 1 << 20 => format!("{} MiB", s >> 20),
        s if s >= 4 << 10 => format!("{} KiB", s >> 10),
        s => format!("{s} B"),
    }
}

/// A number of objects.
pub fn count(live: usize) -> String {
    match live {
        n if n >= 1_000_000 => format!("{}M", n / 1_000_000),
        n if n >= 1_000 && n % 1_000 == 0 => format!("{}k", n / 1_000),
        n => n.to_string(),
    }
}

/// What sets one column of an operation's table apart.
pub fn column(record: &Record) -> String {
    if record.live > 1 {
        format!("{}, {} live", bytes(record.size), count(record.live))
    } else {
        bytes(record.size)
    }
}
