//! Draws a snapshot of kmem: as text, as a graph for Graphviz, or as an HTML page.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use kmem_view::{Diff, Snapshot};

/// Shows which objects of a program hold its memory, and which grew, from snapshots of kmem
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit status: 0 if the output was written, or its reader closed the pipe; 1 if a file cannot be read or written, \
                  or is not a snapshot; 2 if the arguments are wrong."
)]
struct Arguments {
    /// The snapshot, or several of one program at one moment, drawn side by side. Standard input if none is given, or for `-`
    #[arg(value_name = "SNAPSHOT")]
    snapshots: Vec<PathBuf>,
    /// Write an HTML page in one file, which works without a network. This is the default
    #[arg(long, group = "form")]
    html: bool,
    /// Write text, a line for each cell
    #[arg(long, group = "form")]
    text: bool,
    /// Write a graph for Graphviz's `dot`
    #[arg(long, group = "form")]
    dot: bool,
    /// Combine the cells that are deeper than this. Roots have depth 0
    #[arg(long, value_name = "N")]
    depth: Option<u32>,
    /// Show the growth since this older snapshot. Give it once for each snapshot of that moment
    #[arg(long, value_name = "OLDER")]
    diff: Vec<PathBuf>,
    /// Write to this file instead of standard output
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
    let is_page = !arguments.text && !arguments.dot;
    if is_page && arguments.output.is_none() && io::stdout().is_terminal() {
        return Err(
            "standard output is a terminal, and a page is for a browser: write it to a file with -o, or use --text"
                .into(),
        );
    }
    let newer = match &arguments.snapshots[..] {
        [] => read(&[PathBuf::from("-")])?,
        paths => read(paths)?,
    };
    let older = if arguments.diff.is_empty() { None } else { Some(read(&arguments.diff)?) };
    let written = match &arguments.output {
        Some(path) => File::create(path).and_then(|file| write(arguments, older.as_ref(), &newer, file)),
        None => write(arguments, older.as_ref(), &newer, io::stdout().lock()),
    };
    match written {
        // The reader, `head` for example, has what it wants.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            let to = arguments.output.as_deref().unwrap_or(Path::new("standard output"));
            Err(format!("{}: {error}", to.display()))
        }
        Ok(()) => Ok(()),
    }
}

/// The snapshots of these files as one, labelled with their names.
fn read(paths: &[PathBuf]) -> Result<Snapshot, String> {
    let snapshots = paths.iter().map(|path| read_one(path)).collect::<Result<Vec<_>, _>>()?;
    Snapshot::join(snapshots).map_err(|error| format!("the snapshots together: {error}"))
}

fn read_one(path: &Path) -> Result<Snapshot, String> {
    if path == Path::new("-") {
        return Snapshot::read(io::stdin().lock()).map_err(|error| format!("standard input: {error}"));
    }
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let snapshot = Snapshot::read(file).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(snapshot.labelled(path.file_name().unwrap_or(path.as_os_str()).to_string_lossy()))
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
