//! Runs every misuse over every library, each in a child process, and prints the outcomes.

mod library;
mod outcome;
mod page;
mod reasons;
mod rows;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use library::Library;
use outcome::{Case, Cell, Outcome, RARE, Results, Verdict};

#[derive(Default)]
struct Options {
    write: bool,
    check: bool,
    runs: Option<usize>,
    only: String,
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--write" => options.write = true,
            "--check" => options.check = true,
            "--runs" => options.runs = args.next().and_then(|runs| runs.parse().ok()),
            "--only" => options.only = args.next().unwrap_or_default(),
            _ => {
                eprintln!("usage: run [--write | --check] [--runs N] [--only PATTERN]");
                return ExitCode::from(2);
            }
        }
    }
    match work(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("misuse: {error}");
            ExitCode::FAILURE
        }
    }
}

fn work(options: &Options) -> Result<(), String> {
    let libraries = library::all(options.check);
    let runs = options.runs.unwrap_or(if options.write { 40 } else { 5 }).max(1);
    let mut jobs = Vec::new();
    let ours = libraries[0].cases();
    for (index, library) in libraries.iter().enumerate() {
        // The program over Rust has the same cases as that over C.
        let cases = if library.ours { ours.clone() } else { library.cases() };
        let wanted = cases.into_iter().filter(|(misuse, _)| misuse.contains(&options.only));
        jobs.extend(wanted.map(|case| (index, case)));
    }
    let results = run_all(&libraries, &jobs, runs)?;
    if options.check {
        return check(&libraries, &results);
    }
    let cases: Vec<Case> = ours.into_iter().filter(|(misuse, _)| misuse.contains(&options.only)).collect();
    let measured = page::Measured { libraries: &libraries, cases: &cases, results: &results };
    let pages = measured.pages()?;
    if options.write {
        return page::write(&pages);
    }
    print!("{}\n{}", pages.0, pages.1);
    Ok(())
}

fn run_all(libraries: &[Library], jobs: &[(usize, Case)], runs: usize) -> Result<Results, String> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Ok(Results::new()));
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((index, case)) = jobs.get(next.fetch_add(1, Relaxed)) {
                    let cell = run(&libraries[*index], case, runs);
                    let mut results = results.lock().expect("no worker panics");
                    match (&mut *results, cell) {
                        (Ok(results), Ok(Some(cell))) => _ = results.insert((*index, case.clone()), cell),
                        (Ok(_), Err(error)) => *results = Err(error),
                        _ => {}
                    }
                }
            });
        }
    });
    results.into_inner().expect("no worker panics")
}

/// Runs a case several times. Returns `None` if the allocator placed no two blocks side by side in any run.
fn run(library: &Library, (misuse, method): &Case, runs: usize) -> Result<Option<Cell>, String> {
    let failed = |error: String| format!("{}: {misuse} {method}: {error}", library.name);
    let mut seen = Vec::new();
    for _ in 0..runs {
        let output =
            library.command().args([misuse, method]).output().map_err(|error| failed(error.to_string()))?;
        seen.extend(Outcome::of(library, &output).map_err(failed)?);
        // Each such run takes seconds.
        if seen.last().is_some_and(|outcome| outcome.verdict == Verdict::Hung) {
            break;
        }
    }
    seen.sort_by_key(|outcome| outcome.verdict);
    let times = |verdict: Verdict| seen.iter().filter(|outcome| outcome.verdict == verdict).count();
    let usual = seen.iter().find(|outcome| times(outcome.verdict) * RARE >= seen.len());
    let Some(outcome) = usual.cloned() else { return Ok(None) };
    let worst = &seen[0];
    let rarely = (worst.verdict < outcome.verdict).then(|| (worst.clone(), times(worst.verdict)));
    Ok(Some(Cell { outcome, rarely, runs: seen.len() }))
}

/// Fails if an outcome of kmem is worse than the page says.
fn check(libraries: &[Library], results: &Results) -> Result<(), String> {
    let told = page::read()?;
    let mut worse = Vec::new();
    for ((index, case), cell) in results {
        let library = &libraries[*index];
        let Some(&told) = told.get(&(library.name.to_owned(), page::row_of(case))) else {
            worse.push(format!("{}: the page has no row {}", library.name, page::row_of(case)));
            continue;
        };
        // Another version of the heap may report another outcome.
        if told == Verdict::Beneath {
            continue;
        }
        // In few runs a rare outcome can look common.
        if cell.outcome.verdict < told
            && let Some(again) = run(library, case, 10 * RARE)?
            && again.outcome.verdict < told
        {
            worse.push(format!("{}: {}: {}, not {told}", library.name, page::row_of(case), again.outcome));
        }
    }
    if worse.is_empty() {
        println!("{} outcomes of kmem are as good as the page says", results.len());
        return Ok(());
    }
    Err(format!("worse than docs/misuse-rows.md says:\n{}", worse.join("\n")))
}
