//! The outcome of a misuse.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

use crate::library::Library;

/// From the worst to the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The program went on, and memory was corrupted or an attacker gained something.
    Harm,
    /// The program went on.
    Unnoticed,
    /// The program did not end by itself.
    Hung,
    /// A signal ended the program without a report.
    Stopped,
    /// As `Caught`, but a later call reported it.
    Later,
    /// As `Caught`, but the heap below the library reported it.
    Beneath,
    /// A report or an error value, and the program went on.
    Refused,
    /// The wrong call reported the misuse and ended the program.
    Caught,
}

pub const VERDICTS: [Verdict; 8] = [
    Verdict::Caught,
    Verdict::Refused,
    Verdict::Beneath,
    Verdict::Later,
    Verdict::Stopped,
    Verdict::Hung,
    Verdict::Unnoticed,
    Verdict::Harm,
];

impl Verdict {
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Harm => "**harm**",
            Verdict::Unnoticed => "*unnoticed*",
            Verdict::Hung => "hung",
            Verdict::Stopped => "stopped",
            Verdict::Later => "caught later",
            Verdict::Beneath => "caught by the heap",
            Verdict::Refused => "refused",
            Verdict::Caught => "caught",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[derive(Clone, Debug)]
pub struct Outcome {
    pub verdict: Verdict,
    /// The text of the report, or of the program.
    pub words: String,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.words.is_empty() {
            write!(f, "{}", self.verdict)
        } else {
            write!(f, "{}: {}", self.verdict, self.words)
        }
    }
}

impl Outcome {
    /// The outcome in a cell of a table, without its text.
    pub fn verdict_of(cell: &str) -> Option<Verdict> {
        let word = cell.split(':').next()?.trim();
        VERDICTS.into_iter().find(|verdict| verdict.word() == word)
    }

    /// The outcome of a child process. Returns `None` if the allocator placed no two blocks side by side.
    pub fn of(library: &Library, output: &Output) -> Result<Option<Outcome>, String> {
        let said = String::from_utf8_lossy(&output.stdout);
        let report = String::from_utf8_lossy(&output.stderr);
        let says = |line: &str| said.lines().any(|said| said == line);
        if says("apart") {
            return Ok(None);
        }
        if !says("at") {
            return Err(format!("it did not get to the misuse: {said}{report}{}", output.status));
        }
        let ended = says("end") && output.status.success();
        let words = report.lines().map(str::trim).rfind(|line| !line.is_empty());
        let beneath = words.is_some_and(|line| !library.reports.iter().any(|begin| line.starts_with(begin)));
        let words = words.map(|line| words_of(library, line));
        let verdict = |verdict, words: &str| Ok(Some(Outcome { verdict, words: words.to_owned() }));
        let harm = said.lines().find_map(|line| line.strip_prefix("harm: "));
        match (harm, words, output.status.signal()) {
            (Some(harm), ..) => verdict(Verdict::Harm, harm),
            (None, Some(words), _) if ended => verdict(Verdict::Refused, &words),
            (None, None, _) if ended && says("refused") => verdict(Verdict::Refused, "by its return value"),
            (None, None, _) if ended => verdict(Verdict::Unnoticed, ""),
            (None, _, Some(libc::SIGALRM)) => verdict(Verdict::Hung, ""),
            (None, Some(words), _) if says("on") => verdict(Verdict::Later, &words),
            (None, Some(words), _) if beneath => verdict(Verdict::Beneath, &words),
            (None, Some(words), _) => verdict(Verdict::Caught, &words),
            (None, None, Some(signal)) => verdict(Verdict::Stopped, name_of(signal)),
            (None, None, None) => Err(format!("it ended with {}: {said}", output.status)),
        }
    }
}

fn name_of(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGFPE => "SIGFPE",
        _ => "another signal",
    }
}

/// A report without its addresses, which differ from run to run.
fn words_of(library: &Library, line: &str) -> String {
    let ours =
        library.ours.then(|| line.strip_prefix("kmem: ").and_then(|line| line.split_once("): "))).flatten();
    match ours {
        Some((_, words)) => words.split(" (its kind reads").next().unwrap_or(words).to_owned(),
        None => {
            let words = line.split_whitespace().filter(|word| !word.contains("0x"));
            words.collect::<Vec<_>>().join(" ")
        }
    }
}

/// The outcome of a case in several runs: addresses differ from run to run.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The worst outcome that is not rare, see [`RARE`].
    pub outcome: Outcome,
    /// A worse but rare outcome, and the number of runs that had it.
    pub rarely: Option<(Outcome, usize)>,
    pub runs: usize,
}

/// An outcome of fewer than one in this many runs is rare: a seal of seven bits is right by chance in one of 128.
pub const RARE: usize = 10;

/// Misuse and method.
pub type Case = (String, String);
/// By library and case.
pub type Results = BTreeMap<(usize, Case), Cell>;
