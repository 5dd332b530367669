//! The pages: `docs/misuse.md`, the summary, and `docs/misuse-rows.md`, the rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::library::Library;
use crate::outcome::{Case, Cell, Outcome, Results, VERDICTS, Verdict};
use crate::reasons::reason;
use crate::rows::{self, GROUPS, Group};

const SUMMARY: &str = "../docs/misuse.md";
const ROWS: &str = "../docs/misuse-rows.md";
const BEGIN: &str = "<!-- written by misuse/run --write -->\n";
const END: &str = "<!-- end of what is written -->\n";
const NOTHING: &str = "–";
const ROWS_HEAD: &str = "# Misuse, row by row

`misuse/run --write` writes this page. [`misuse.md`](misuse.md) has the summary and explains the outcomes. A row is a misuse of one method,
a column is a library. Each cell shows the worst outcome of 40 runs. If fewer than one run in ten had a
worse outcome, it follows in brackets.
";

/// How the row of a case begins.
pub fn row_of((misuse, method): &Case) -> String {
    let title = group_of(misuse).and_then(|group| group.misuses.iter().find(|(name, _)| name == misuse));
    let (group, title) =
        (group_of(misuse).map_or("?", |group| group.title), title.map_or("?", |(_, title)| title));
    format!("{group}: {title} | {}", rows::method(method))
}

fn group_of(misuse: &str) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.misuses.iter().any(|(name, _)| *name == misuse))
}

/// The measured outcomes, for the functions that write a part of a page.
pub struct Measured<'a> {
    pub libraries: &'a [Library],
    pub cases: &'a [Case],
    pub results: &'a Results,
}

/// A reason why kmem does not catch some rows.
struct Uncaught {
    reason: &'static str,
    worst: Verdict,
    count: usize,
    /// Titles with their methods.
    rows: Vec<(String, String)>,
}

impl Measured<'_> {
    /// The generated part of the summary, and the page of the rows.
    pub fn pages(&self) -> Result<(String, String), String> {
        let uncaught = self.uncaught()?;
        let mut summary = String::new();
        self.totals(&mut summary);
        self.kinds(&mut summary);
        self.peers(&mut summary);
        let count: usize = uncaught.iter().map(|uncaught| uncaught.count).sum();
        let _ = writeln!(
            summary,
            "### What kmem does not catch\n\n{count} rows, with the reason. If rows with one reason differ, the worst outcome is given:\n"
        );
        for Uncaught { reason, worst, count, .. } in &uncaught {
            let _ = writeln!(summary, "- {worst}, {}: {reason}", many(*count, "row"));
        }
        let mut rows = ROWS_HEAD.to_owned();
        self.tables(&mut rows)?;
        self.words(&mut rows);
        let _ = writeln!(rows, "## Rows that kmem does not catch\n");
        for Uncaught { reason, rows: of, .. } in &uncaught {
            let of: Vec<_> = of.iter().map(|(title, methods)| format!("{title} ({methods})")).collect();
            let _ = writeln!(rows, "- {reason}\n  *{}.*", of.join("; "));
        }
        Ok((summary, rows))
    }

    fn of(&self, index: usize) -> impl Iterator<Item = (&Case, &Outcome)> {
        let of = self.results.iter().filter(move |((library, _), _)| *library == index);
        of.map(|((_, case), cell)| (case, &cell.outcome))
    }

    fn headings(&self) -> String {
        self.libraries.iter().fold(String::new(), |all, library| format!("{all} {} |", library.name))
    }

    /// The number of rows with each outcome.
    fn totals(&self, out: &mut String) {
        let verdicts = VERDICTS.iter().fold(String::new(), |all, verdict| format!("{all} {verdict} |"));
        let _ = writeln!(out, "### Totals\n\n| | version | rows |{verdicts}");
        let _ = writeln!(out, "{}|", "|---".repeat(VERDICTS.len() + 3));
        for (index, library) in self.libraries.iter().enumerate() {
            let _ = write!(out, "| {} | {} | {} |", library.name, library.version, self.of(index).count());
            for verdict in VERDICTS {
                let _ = write!(
                    out,
                    " {} |",
                    self.of(index).filter(|(_, found)| found.verdict == verdict).count()
                );
            }
            out.push('\n');
        }
        out.push('\n');
    }

    /// The rows of each kind of misuse, and how many of them each library catches.
    fn kinds(&self, out: &mut String) {
        let _ = writeln!(
            out,
            "### By kind of misuse\n\nRows caught (also by the heap) or refused, of all rows.\n"
        );
        let _ = writeln!(out, "| |{}\n{}|", self.headings(), "|---".repeat(self.libraries.len() + 1));
        for group in &GROUPS {
            let _ = write!(out, "| {} |", group.title);
            for index in 0..self.libraries.len() {
                let rows: Vec<_> = self
                    .of(index)
                    .filter(|((misuse, _), _)| group.misuses.iter().any(|(name, _)| name == misuse))
                    .collect();
                let caught = rows.iter().filter(|(_, outcome)| is_caught(outcome)).count();
                let _ = match rows.len() {
                    0 => write!(out, " {NOTHING} |"),
                    rows => write!(out, " {caught} of {rows} |"),
                };
            }
            out.push('\n');
        }
        out.push('\n');
    }

    /// kmem beside each other library, on the rows that the other has.
    fn peers(&self, out: &mut String) {
        let _ = writeln!(
            out,
            "### On the rows of each peer\n\nRows caught (also by the heap) or refused. *Alone* means: not by the other.\n"
        );
        let _ = writeln!(out, "| peer | rows | by the peer | by kmem | by kmem alone | by the peer alone |");
        let _ = writeln!(out, "{}|", "|---".repeat(6));
        for (index, library) in self.libraries.iter().enumerate().filter(|(_, library)| !library.ours) {
            let mut counts = [0; 5];
            for (case, theirs) in self.of(index) {
                let Some(ours) = self.results.get(&(0, case.clone())) else { continue };
                let (theirs, ours) = (is_caught(theirs), is_caught(&ours.outcome));
                let is = [true, theirs, ours, ours && !theirs, theirs && !ours];
                counts.iter_mut().zip(is).for_each(|(count, is)| *count += usize::from(is));
            }
            let [rows, theirs, ours, alone, other] = counts;
            let _ = writeln!(out, "| {} | {rows} | {theirs} | {ours} | {alone} | {other} |", library.name);
        }
        out.push('\n');
    }

    /// A table for each kind of misuse.
    fn tables(&self, out: &mut String) -> Result<(), String> {
        let mut known = BTreeSet::new();
        for group in &GROUPS {
            let mut lines = String::new();
            for (misuse, title) in group.misuses {
                for case in self.cases.iter().filter(|(name, _)| name == misuse) {
                    known.insert(case);
                    let _ = write!(lines, "| {title} | {} |", rows::method(&case.1));
                    for (index, library) in self.libraries.iter().enumerate() {
                        let cell = self.results.get(&(index, case.clone()));
                        let text = cell.map_or_else(|| NOTHING.to_owned(), |cell| show(library, cell));
                        let _ = write!(lines, " {text} |");
                    }
                    lines.push('\n');
                }
            }
            if !lines.is_empty() {
                let _ = writeln!(out, "\n## {}\n\n| misuse | method |{}", group.title, self.headings());
                let _ = write!(out, "{}|\n{lines}", "|---".repeat(self.libraries.len() + 2));
            }
        }
        match self.cases.iter().find(|case| !known.contains(case)) {
            Some((misuse, _)) => Err(format!("no row is called {misuse}")),
            None => Ok(()),
        }
    }

    /// The reports of the other libraries.
    fn words(&self, out: &mut String) {
        let _ = writeln!(out, "\n## Reports of the other libraries\n\nIn brackets, the number of rows.\n");
        for (index, library) in self.libraries.iter().enumerate().filter(|(_, library)| !library.ours) {
            let mut said = BTreeMap::<&str, usize>::new();
            for (_, outcome) in self.of(index) {
                let spoke = [Verdict::Caught, Verdict::Beneath, Verdict::Later, Verdict::Refused];
                if spoke.contains(&outcome.verdict) {
                    *said.entry(&outcome.words).or_default() += 1;
                }
            }
            let said: Vec<_> = said.iter().map(|(words, times)| format!("\"{words}\" ({times})")).collect();
            let _ = writeln!(out, "- {}: {}.", library.name, said.join(", "));
        }
        out.push('\n');
    }

    /// The reasons for the rows that kmem does not catch, the worst outcome first.
    fn uncaught(&self) -> Result<Vec<Uncaught>, String> {
        let mut all = Vec::<Uncaught>::new();
        let mut without = Vec::new();
        for case in self.cases {
            let ours = (0..self.libraries.len()).filter(|&index| self.libraries[index].ours);
            let found = ours.filter_map(|index| self.results.get(&(index, case.clone())));
            let Some(worst) =
                found.filter(|cell| !is_caught(&cell.outcome)).map(|cell| cell.outcome.verdict).min()
            else {
                continue;
            };
            let row = row_of(case);
            let Some(reason) = reason(&case.0, &case.1) else {
                without.push(row);
                continue;
            };
            let at = all.iter().position(|uncaught| uncaught.reason == reason).unwrap_or_else(|| {
                all.push(Uncaught { reason, worst, count: 0, rows: Vec::new() });
                all.len() - 1
            });
            let uncaught = &mut all[at];
            uncaught.worst = uncaught.worst.min(worst);
            uncaught.count += 1;
            let (title, method) = row.split_once(" | ").unwrap_or((&row, ""));
            match uncaught.rows.iter_mut().find(|(known, _)| known == title) {
                Some((_, methods)) => *methods += &format!(", {method}"),
                None => uncaught.rows.push((title.to_owned(), method.to_owned())),
            }
        }
        all.sort_by_key(|uncaught| uncaught.worst);
        match &without[..] {
            [] => Ok(all),
            without => Err(format!("not caught, and no reason is given:\n{}", without.join("\n"))),
        }
    }
}

fn many(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn show(library: &Library, cell: &Cell) -> String {
    let outcome = &cell.outcome;
    // The reports of other libraries are listed once, below the tables.
    let mut text = match outcome.verdict {
        Verdict::Caught | Verdict::Beneath | Verdict::Later | Verdict::Refused if !library.ours => {
            outcome.verdict.to_string()
        }
        _ => outcome.to_string(),
    };
    if let Some((rarely, times)) = &cell.rarely {
        let _ = write!(text, " ({} in {times} of {} runs)", rarely.verdict, cell.runs);
    }
    text
}

/// Returns true if the wrong call reported the misuse or failed, and did nothing else.
fn is_caught(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Verdict::Caught | Verdict::Beneath | Verdict::Refused)
}

/// Writes both pages; in the summary only what is between the marks.
pub fn write((summary, rows): &(String, String)) -> Result<(), String> {
    let failed = |error| format!("{SUMMARY}: {error}");
    let page = std::fs::read_to_string(SUMMARY).map_err(failed)?;
    let (before, rest) = page.split_once(BEGIN).ok_or("the page has no mark before the generated part")?;
    let (_, after) = rest.split_once(END).ok_or("the page has no mark after the generated part")?;
    std::fs::write(SUMMARY, format!("{before}{BEGIN}\n{summary}\n{END}{after}")).map_err(failed)?;
    std::fs::write(ROWS, rows).map_err(|error| format!("{ROWS}: {error}"))
}

/// The outcomes on the page of the rows, by library and row.
pub fn read() -> Result<BTreeMap<(String, String), Verdict>, String> {
    let page = std::fs::read_to_string(ROWS).map_err(|error| format!("{ROWS}: {error}"))?;
    let mut told = BTreeMap::new();
    let (mut group, mut names) = ("", Vec::new());
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            group = title;
        }
        let Some(line) = line.strip_prefix('|') else { continue };
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["misuse", "method", libraries @ ..] = &cells[..] {
            names = libraries.to_vec();
        } else if let [title, method, found @ ..] = &cells[..] {
            for (name, cell) in names.iter().zip(found) {
                // A rare outcome follows in brackets.
                let usual = cell.split(" (").next().unwrap_or(cell);
                if let Some(verdict) = Outcome::verdict_of(usual) {
                    told.insert(((*name).to_owned(), format!("{group}: {title} | {method}")), verdict);
                }
            }
        }
    }
    if told.is_empty() { Err(format!("{ROWS} has no table")) } else { Ok(told) }
}
