//! Draws a snapshot that kmem wrote: as text, as a graph for Graphviz, or as an HTML page.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use kmem_view::{Diff, Snapshot};

/// Draws a snapshot that kmem wrote: who holds the bytes, and what grew
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The snapshot; standard input if it is not given or `-`
    snapshot: Option<PathBuf>,
    /// Write one HTML page that needs no network; so it is if nothing else is asked for
    #[arg(long, group = "form")]
    html: bool,
    /// Write the text form, a line for each cell
    #[arg(long, group = "form")]
    text: bool,
    /// Write a graph for Graphviz's `dot`
    #[arg(long, group = "form")]
    dot: bool,
    /// Tell apart cells down to this depth only, roots having depth 0
    #[arg(long, value_name = "N")]
    depth: Option<u32>,
    /// Show what grew since this older snapshot
    #[arg(long, value_name = "OLDER")]
    diff: Option<PathBuf>,
    /// Write to this file rather than to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("kmem-view: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let newer = read(arguments.snapshot.as_deref().unwrap_or(Path::new("-")))?;
    let older = arguments.diff.as_deref().map(read).transpose()?;
    let written = match &arguments.output {
        Some(path) => File::create(path).and_then(|file| write(arguments, older.as_ref(), &newer, file)),
        None => write(arguments, older.as_ref(), &newer, io::stdout().lock()),
    };
    match written {
        // Who reads only the first lines has all that they want.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            let to = arguments.output.as_deref().unwrap_or(Path::new("standard output"));
            Err(format!("{}: {error}", to.display()))
        }
        Ok(()) => Ok(()),
    }
}

fn read(path: &Path) -> Result<Snapshot, String> {
    if path == Path::new("-") {
        return Snapshot::read(io::stdin().lock()).map_err(|error| format!("standard input: {error}"));
    }
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Snapshot::read(file).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(
    arguments: &Arguments,
    older: Option<&Snapshot>,
    newer: &Snapshot,
    to: impl Write,
) -> io::Result<()> {
    let mut to = BufWriter::new(to);
    let depth = arguments.depth;
    match older.map(|older| Diff::new(older, newer)) {
        None if arguments.text => newer.text(&mut to, depth),
        None if arguments.dot => newer.dot(&mut to, depth),
        None => newer.html(&mut to, depth),
        Some(diff) if arguments.text => diff.text(&mut to, depth),
        Some(diff) if arguments.dot => diff.dot(&mut to, depth),
        Some(diff) => diff.html(&mut to, depth),
    }?;
    to.flush()
}
