//! Loads a JSON document into a tree with an arena, prints its cost, frees the document by dropping the tree, and searches the memory of
//! the process for the document's secrets.
//!
//! The values of arrays and objects lie one behind the other in nodes of the tree, 16 bytes each. So do strings that do not fit into these
//! 16 bytes. Each key, and each list of the keys of an object, is one reference-counted cell. Below a secret key, strings lie in tainted
//! nodes and numbers in cells of a tainted pool. With `--limit`, all memory of the program counts.

mod compare;
mod draw;
mod input;
mod load;
mod memory;
mod scan;
mod values;

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;
use std::{fs, io};

use clap::Parser;
use kmem::Pool;

use draw::many;
use input::{Document, Options, file_name, load, numbers, open, tree};
use kmem_view::Snapshot;
use memory::{SHREDDING, peak_memory};
use scan::Needles;
use values::Value;

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.file.is_none() && options.secret.is_empty() {
        options.secret.push("name".into());
    }
    SHREDDING.store(!options.no_shred && !options.secret.is_empty(), Ordering::Relaxed);
    match run(&options) {
        Ok(code) => code,
        // The reader, `head` for example, has what it wants.
        Err(error) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("document: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Returns true if standard output was closed. All other errors are wrapped with a file name.
fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let name =
        options.file.as_ref().map_or("the document of the example".into(), |path| path.display().to_string());
    let (file, path, len) = open(options.file.as_ref()).map_err(|error| format!("{name}: {error}"))?;
    let out = &mut io::stdout().lock();
    if let Some(contestant) = options.measure {
        return compare::measure(out, contestant, (file, &path, len), options);
    }
    let mut needles = Needles::new();

    let start = Instant::now();
    let numbers = numbers(options)?;
    let tree = tree(options)?;
    let (view, census) = load((file, &path, len), options, &tree, &numbers, &mut needles)?;
    let load_time = start.elapsed();

    writeln!(out, "{path}\n")?;
    draw::top(out, &view, &options.secret)?;
    draw::table(out, &view, &census)?;
    writeln!(out)?;
    drop(view);
    let mut tree = tree;
    if let Some(file) = &options.report {
        let written = report(&mut tree, &numbers, &file_name(&path), file);
        let snapshot = written.map_err(|error| format!("{}: {error}", file.display()))?;
        let (cells, block) = (snapshot.total().cells as usize, snapshot.total().block as usize);
        let (cells, block) = (many(cells, "cell"), many(block, "byte"));
        writeln!(out, "{}: {cells}, {block} with headers", file.display())?;
    }
    let before = search(out, "before the document is freed", &needles, options)?;

    let start = Instant::now();
    drop(tree);
    let free_time = start.elapsed();

    let after = search(out, "after", &needles, options)?;
    writeln!(
        out,
        "\nloaded in {:.1} ms, freed by dropping one tree in {:.2} ms; {} of the pool still live",
        load_time.as_secs_f64() * 1e3,
        free_time.as_secs_f64() * 1e3,
        many(numbers.live(), "cell"),
    )?;
    if let Some(peak) = peak_memory() {
        let times = peak as f64 / census.document as f64;
        writeln!(out, "peak memory of the process {} kB, {times:.1} times the document", peak / 1024)?;
    }
    let verdict = verdict(out, options, &needles, before, after)?;
    if options.compare {
        compare::print(out, options, &path)?;
    }
    Ok(verdict)
}

/// Writes the page of a report of a document and of its secret numbers.
fn report(
    tree: &mut Document<'_>,
    numbers: &Pool<Value>,
    label: &str,
    file: &Path,
) -> Result<Snapshot, Box<dyn Error>> {
    let parts = [tree.snapshot(), numbers.snapshot()].map(|json| Snapshot::read(json.as_bytes()));
    let snapshot = Snapshot::join(parts.into_iter().collect::<Result<Vec<_>, _>>()?)?.labelled(label);
    snapshot.html(io::BufWriter::new(fs::File::create(file)?), None)?;
    Ok(snapshot)
}

fn search(
    out: &mut impl Write,
    when: &str,
    needles: &Needles,
    options: &Options,
) -> io::Result<Option<usize>> {
    if options.secret.is_empty() {
        return Ok(None);
    }
    match scan::copies(needles) {
        Ok(found) => {
            let mib = found.scanned as f64 / f64::from(1 << 20);
            let strings = many(needles.len(), "secret string");
            writeln!(out, "copies of {strings} {when}: {} (in {mib:.1} MiB of memory)", found.copies)?;
            Ok(Some(found.copies))
        }
        Err(error) => {
            writeln!(out, "memory could not be searched: {error}")?;
            Ok(None)
        }
    }
}

/// Checks the results of the searches: copies before the free, and none after it, or some with `--no-shred`.
fn verdict(
    out: &mut impl Write,
    options: &Options,
    needles: &Needles,
    before: Option<usize>,
    after: Option<usize>,
) -> Result<ExitCode, Box<dyn Error>> {
    if options.secret.is_empty() {
        writeln!(out, "no secret keys were given, so memory was not searched")?;
        return Ok(ExitCode::SUCCESS);
    }
    if needles.too_short > 0 {
        let (strings, are) =
            (many(needles.too_short, "string"), if needles.too_short == 1 { "is" } else { "are" });
        writeln!(out, "{strings} below secret keys {are} too short to search for: they occur by chance")?;
    }
    let (Some(before), Some(after)) = (before, after) else {
        return Err("memory could not be searched for copies of the secrets".into());
    };
    if needles.len() == 0 {
        writeln!(out, "the secret keys have no strings, so memory was not searched")?;
    } else if before == 0 {
        return Err(
            "the search found no secrets before the document was freed, so its second result means nothing"
                .into(),
        );
    } else if after > 0 && !options.no_shred {
        return Err(format!("copies of secrets remain in memory: {after}").into());
    } else if after == 0 && options.no_shred {
        return Err("nothing was zeroed, but the search found no copies".into());
    }
    Ok(ExitCode::SUCCESS)
}
