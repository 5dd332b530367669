//! The page with the table: `docs/misuse.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::library::Library;
use crate::outcome::{Outcome, VERDICTS, Verdict};
use crate::reasons::reason;
use crate::rows::{self, GROUPS};
use crate::{Case, Cell, Results};

const PAGE: &str = "../docs/misuse.md";
const BEGIN: &str = "<!-- written by misuse/run --write -->\n";
const END: &str = "<!-- end of what is written -->\n";
const NOTHING: &str = "–";

/// How the row of a case begins.
pub fn row_of((misuse, method): &Case) -> String {
    let group = GROUPS.iter().find(|group| group.misuses.iter().any(|(name, _)| name == misuse));
    let title = group.and_then(|group| group.misuses.iter().find(|(name, _)| name == misuse));
    let (group, title) = (group.map_or("?", |group| group.title), title.map_or("?", |(_, title)| title));
    format!("{group}: {title} | {}", rows::method(method))
}

fn show(library: &Library, cell: &Cell) -> String {
    let outcome = &cell.outcome;
    // The words of others are told once, below.
    let plain = outcome.verdict.to_string();
    let mut text = match outcome.verdict {
        Verdict::Caught | Verdict::Beneath | Verdict::Later | Verdict::Refused if !library.ours => plain,
        _ => outcome.to_string(),
    };
    if let Some((rarely, times)) = &cell.rarely {
        let _ = write!(text, " ({} in {times} of {} runs)", rarely.verdict, cell.runs);
    }
    text
}

/// The table, with its counts and reasons.
pub fn table(libraries: &[Library], cases: &[Case], results: &Results) -> Result<String, String> {
    let mut out = String::new();
    counts(&mut out, libraries, results);
    let mut known = BTreeSet::new();
    for group in &GROUPS {
        let mut lines = String::new();
        for (misuse, title) in group.misuses {
            for case in cases.iter().filter(|(name, _)| name == misuse) {
                known.insert(case);
                let _ = write!(lines, "| {title} | {} |", rows::method(&case.1));
                for (index, library) in libraries.iter().enumerate() {
                    let cell = results.get(&(index, case.clone()));
                    let text = cell.map_or_else(|| NOTHING.to_owned(), |cell| show(library, cell));
                    let _ = write!(lines, " {text} |");
                }
                lines.push('\n');
            }
        }
        if !lines.is_empty() {
            let _ = writeln!(out, "### {}\n\n| | of |{}", group.title, headings(libraries));
            let _ = writeln!(out, "{}{lines}", "|---".repeat(libraries.len() + 2) + "|\n");
        }
    }
    if let Some((misuse, _)) = cases.iter().find(|case| !known.contains(case)) {
        return Err(format!("no row is called {misuse}"));
    }
    words(&mut out, libraries, results);
    why(&mut out, libraries, cases, results)?;
    Ok(out)
}

fn headings(libraries: &[Library]) -> String {
    libraries.iter().fold(String::new(), |all, library| format!("{all} {} |", library.name))
}

/// How many of which verdict there are, and how kmem does on the rows that each of the others has.
fn counts(out: &mut String, libraries: &[Library], results: &Results) {
    let of = |index: usize| {
        results
            .iter()
            .filter(move |((library, _), _)| *library == index)
            .map(|((_, case), cell)| (case, cell))
    };
    let verdicts = VERDICTS.iter().fold(String::new(), |all, verdict| format!("{all} {} |", verdict.word()));
    let _ = writeln!(out, "| | version | rows |{verdicts}\n{}|", "|---".repeat(VERDICTS.len() + 3));
    for (index, library) in libraries.iter().enumerate() {
        let _ = write!(out, "| {} | {} | {} |", library.name, library.version, of(index).count());
        for verdict in VERDICTS {
            let _ =
                write!(out, " {} |", of(index).filter(|(_, cell)| cell.outcome.verdict == verdict).count());
        }
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "\nOn the rows that each of the others has, caught, by the heap or before, or refused:\n"
    );
    let _ =
        writeln!(out, "| | rows | by it | by kmem | by kmem alone | by it alone |\n{}|", "|---".repeat(6));
    for (index, library) in libraries.iter().enumerate().filter(|(_, library)| !library.ours) {
        let mut counts = [0; 5];
        for (case, cell) in of(index) {
            let Some(ours) = results.get(&(0, case.clone())) else { continue };
            let (theirs, ours) = (good(&cell.outcome), good(&ours.outcome));
            let is = [true, theirs, ours, ours && !theirs, theirs && !ours];
            counts.iter_mut().zip(is).for_each(|(count, is)| *count += usize::from(is));
        }
        let [rows, theirs, ours, alone, other] = counts;
        let _ = writeln!(out, "| {} | {rows} | {theirs} | {ours} | {alone} | {other} |", library.name);
    }
    out.push('\n');
}

/// What the reports of the others say.
fn words(out: &mut String, libraries: &[Library], results: &Results) {
    let _ = writeln!(out, "### What the reports of the others say\n");
    for (index, library) in libraries.iter().enumerate().filter(|(_, library)| !library.ours) {
        let mut said = BTreeMap::<&str, usize>::new();
        for cell in results.iter().filter(|((of, _), _)| *of == index).map(|(_, cell)| cell) {
            let spoke = [Verdict::Caught, Verdict::Beneath, Verdict::Later, Verdict::Refused];
            if spoke.contains(&cell.outcome.verdict) {
                *said.entry(&cell.outcome.words).or_default() += 1;
            }
        }
        let said: Vec<_> = said.iter().map(|(words, times)| format!("\"{words}\" ({times})")).collect();
        let _ = writeln!(out, "- {}: {}.", library.name, said.join(", "));
    }
    out.push('\n');
}

/// Whether the wrong call did no more than to say so.
fn good(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Verdict::Caught | Verdict::Beneath | Verdict::Refused)
}

/// Each of kmem's cells that is not caught, under its reason.
fn why(out: &mut String, libraries: &[Library], cases: &[Case], results: &Results) -> Result<(), String> {
    let mut by_reason = Vec::<(&str, Vec<(String, String)>)>::new();
    let mut without = Vec::new();
    for case in cases {
        let cells = (0..libraries.len()).filter(|&index| libraries[index].ours);
        let cells: Vec<_> = cells.filter_map(|index| results.get(&(index, case.clone()))).collect();
        if cells.iter().all(|cell| good(&cell.outcome)) {
            continue;
        }
        let Some(reason) = reason(&case.0, &case.1) else {
            without.push(row_of(case));
            continue;
        };
        let rows = match by_reason.iter().position(|(known, _)| *known == reason) {
            Some(at) => &mut by_reason[at].1,
            None => {
                by_reason.push((reason, Vec::new()));
                &mut by_reason.last_mut().expect("it has just been put there").1
            }
        };
        let row = row_of(case);
        let (title, method) = row.split_once(" | ").unwrap_or((&row, ""));
        match rows.iter_mut().find(|(known, _)| known == title) {
            Some((_, methods)) => *methods += &format!(", {method}"),
            None => rows.push((title.to_owned(), method.to_owned())),
        }
    }
    let _ = writeln!(out, "### What kmem does not catch, and why\n");
    for (reason, rows) in by_reason {
        let rows: Vec<_> = rows.iter().map(|(title, methods)| format!("{title} ({methods})")).collect();
        let _ = writeln!(out, "- {reason}\n  *{}.*", rows.join("; "));
    }
    if without.is_empty() {
        return Ok(());
    }
    Err(format!("not caught, and no reason is given:\n{}\n\n{out}", without.join("\n")))
}

/// Puts the table between the marks of the page.
pub fn write(table: &str) -> Result<(), String> {
    let failed = |error| format!("{PAGE}: {error}");
    let page = std::fs::read_to_string(PAGE).map_err(failed)?;
    let (before, rest) = page.split_once(BEGIN).ok_or("the page has no mark where the table begins")?;
    let (_, after) = rest.split_once(END).ok_or("the page has no mark where the table ends")?;
    std::fs::write(PAGE, format!("{before}{BEGIN}\n{table}\n{END}{after}")).map_err(failed)
}

/// What the page says, by library and row.
pub fn read() -> Result<BTreeMap<(String, String), Verdict>, String> {
    let page = std::fs::read_to_string(PAGE).map_err(|error| format!("{PAGE}: {error}"))?;
    let mut told = BTreeMap::new();
    let (mut group, mut names) = ("", Vec::new());
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            group = title;
        }
        let Some(line) = line.strip_prefix('|') else { continue };
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", "of", libraries @ ..] = &cells[..] {
            names = libraries.to_vec();
        } else if let [title, method, found @ ..] = &cells[..] {
            for (name, cell) in names.iter().zip(found) {
                // A rarity stands behind, in brackets.
                let usual = cell.split(" (").next().unwrap_or(cell);
                if let Some(verdict) = Outcome::verdict_of(usual) {
                    told.insert(((*name).to_owned(), format!("{group}: {title} | {method}")), verdict);
                }
            }
        }
    }
    if told.is_empty() { Err(format!("{PAGE} has no table")) } else { Ok(told) }
}
