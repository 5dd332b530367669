//! The text of cells, names and numbers.

use std::cmp::Ordering;
use std::fmt::{self, Write};

use crate::{Kind, Totals};

/// The most characters of a name that a drawing shows. Names have no limit, pages do.
const SHOWN: usize = 80;

/// The label of a branch: cells with the same kind and name have the same label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Label<'a> {
    /// The root of all branches.
    All,
    /// Cells of this kind and this name.
    Cell(Kind, Option<&'a str>),
    /// Cells that are too deep to be shown separately.
    Deeper,
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Label::All => f.write_str("all"),
            Label::Cell(kind, None) => f.write_str(kind.name()),
            Label::Cell(kind, Some(name)) => write!(f, "{} {}", kind.name(), Shown(name)),
            Label::Deeper => f.write_str("deeper"),
        }
    }
}

/// A name in quotation marks, escaped as in JSON. Characters that change a terminal, break the line or change the direction of text are
/// escaped too.
pub(crate) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        escape(self.0, f)?;
        f.write_char('"')
    }
}

/// A quoted name. A long name is cut, and followed by its length.
pub(crate) struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(SHOWN) {
            None => Quoted(self.0).fmt(f),
            Some((end, _)) => {
                let count = self.0.chars().count() as u64;
                write!(f, "{} (cut: {} characters)", Quoted(&format!("{}…", &self.0[..end])), grouped(count))
            }
        }
    }
}

/// Text that is not a name: escaped, without quotation marks.
pub(crate) struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(self.0, f)
    }
}

fn escape(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for c in name.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\u{8}' => f.write_str("\\b")?,
            '\u{c}' => f.write_str("\\f")?,
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                write!(f, "\\u{:04x}", c as u32)?
            }
            _ => f.write_char(c)?,
        }
    }
    Ok(())
}

/// `1 cell`, `2 cells`.
pub(crate) struct Counted(pub u64, pub &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1,234 cells`, `1 cell`.
pub(crate) fn many(number: u64, of: &str) -> String {
    format!("{} {of}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `+1,234`, `-5`, `0`.
pub(crate) fn growth(older: u64, newer: u64) -> String {
    signed(i128::from(newer) - i128::from(older))
}

/// The same for a sum.
pub(crate) fn signed(number: i128) -> String {
    let sign = match number {
        ..0 => "-",
        0 => "",
        1.. => "+",
    };
    format!("{sign}{}", grouped(u64::try_from(number.unsigned_abs()).unwrap_or(u64::MAX)))
}

/// `+1 cell`, `-2,000 cells`, `0 cells`.
pub(crate) fn more(older: u64, newer: u64, of: &str) -> String {
    format!("{} {of}{}", growth(older, newer), if older.abs_diff(newer) == 1 { "" } else { "s" })
}

/// `grew by 1,234 bytes with headers, 2 cells more`, `shrank by 1 byte with headers, the same number of cells`.
pub(crate) fn change(older: &Totals, newer: &Totals) -> String {
    let bytes = many(older.block.abs_diff(newer.block), "byte");
    let cells = many(older.cells.abs_diff(newer.cells), "cell");
    let bytes = match newer.block.cmp(&older.block) {
        Ordering::Less => format!("shrank by {bytes} with headers"),
        Ordering::Equal => "the same bytes with headers".to_owned(),
        Ordering::Greater => format!("grew by {bytes} with headers"),
    };
    match newer.cells.cmp(&older.cells) {
        Ordering::Less => format!("{bytes}, {cells} fewer"),
        Ordering::Equal => format!("{bytes}, the same number of cells"),
        Ordering::Greater => format!("{bytes}, {cells} more"),
    }
}
