//! Loads a JSON document into cells of every kind, prints their cost, frees the document by dropping one handle, and searches the memory of
//! the process for the document's secrets.
//!
//! Objects and arrays are nodes of a tree. Strings and keys are reference-counted cells, one for each text. Numbers are allocated from a
//! pool. `true`, `false` and `null` are static. All values below a secret key are tainted.

mod draw;
mod load;
mod scan;
mod values;

use std::alloc::{GlobalAlloc, Layout, System};
use std::error::Error;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use std::{fs, io};

use clap::Parser;
use kmem::{Pool, Shredding};

use draw::many;
use kmem_view::Snapshot;
use load::{Labels, Loaded};
use scan::Needles;
use values::{Number, Root};

/// The system's allocator. It zeroes freed blocks, unless `--no-shred` is given: the buffers of the reader and the parser have the secrets
/// too.
struct Switchable;

static SHREDDING: AtomicBool = AtomicBool::new(true);
static INNER: Shredding<System> = Shredding::new(System);

// SAFETY: both allocators allocate from `System`, so either may free a block of the other.
unsafe impl GlobalAlloc for Switchable {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the contract is the caller's.
        unsafe { INNER.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the contract is the caller's.
        unsafe { INNER.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the contract is the caller's.
        unsafe {
            if SHREDDING.load(Ordering::Relaxed) {
                INNER.dealloc(block, layout)
            } else {
                System.dealloc(block, layout)
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the contract is the caller's.
        unsafe {
            if SHREDDING.load(Ordering::Relaxed) {
                INNER.realloc(block, layout, size)
            } else {
                System.realloc(block, layout, size)
            }
        }
    }
}

#[global_allocator]
static GLOBAL: Switchable = Switchable;

/// Load a JSON document into kmem's cells, free it with one drop, and search memory for its secrets.
#[derive(Parser)]
#[command(name = "document")]
struct Options {
    /// The document; `-` is standard input. The default is a list of emoji that comes with the example.
    file: Option<PathBuf>,
    /// Keys whose values are secret, with everything below them. The default for the list of emoji is `name`.
    #[arg(long, value_name = "KEY", num_args = 1..)]
    secret: Vec<String>,
    /// Do not zero anything, to see that the search finds the copies that remain.
    #[arg(long)]
    no_shred: bool,
    /// Write a page that shows which values of the document hold its memory. The names of values are their keys.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.file.is_none() && options.secret.is_empty() {
        options.secret.push("name".into());
    }
    SHREDDING.store(!options.no_shred, Ordering::Relaxed);
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

/// The document as a file, its name, and its length if it is known.
fn open(file: Option<&PathBuf>) -> io::Result<(fs::File, String, Option<u64>)> {
    match file {
        // A duplicate of the descriptor: `std::io::stdin` would keep the end of its input in a static buffer.
        Some(path) if path.as_os_str() == "-" => {
            let file = fs::File::from(io::stdin().as_fd().try_clone_to_owned()?);
            Ok((file, "standard input".into(), None))
        }
        path => {
            let shipped =
                || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/document/emoji.json"));
            let path = path.cloned().unwrap_or_else(shipped);
            let file = fs::File::open(&path)?;
            let len = file.metadata()?.len();
            Ok((file, path.display().to_string(), Some(len)))
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
    let mut needles = Needles::new();
    let numbers = Pool::growing().named(c"numbers");
    let out = &mut io::stdout().lock();

    let start = Instant::now();
    let labels = options.report.as_ref().map(|_| Labels::new(&file_name(&path)));
    let progress = Progress::new(file, len);
    let loaded = load::load(progress, &options.secret, !options.no_shred, labels, &numbers, &mut needles);
    let Loaded { root, census } = loaded.map_err(|error| format!("{path}: {error}"))?;
    let load_time = start.elapsed();

    writeln!(out, "{path}\n")?;
    draw::top_of_tree(out, &root, &options.secret)?;
    draw::table(out, &root, &census)?;
    writeln!(out)?;
    let root = match &options.report {
        Some(file) => {
            let written = report(root, &numbers, &file_name(&path), file);
            let (root, snapshot) = written.map_err(|error| format!("{}: {error}", file.display()))?;
            let (cells, block) = (snapshot.total().cells as usize, snapshot.total().block as usize);
            let (cells, block) = (many(cells, "cell"), many(block, "byte"));
            writeln!(
                out,
                "{}: {cells}, {block} with headers, without the lists of the containers",
                file.display()
            )?;
            root
        }
        None => root,
    };
    let before = search(out, "before the document is freed", &needles, options)?;

    let start = Instant::now();
    drop(root);
    let free_time = start.elapsed();

    let after = search(out, "after", &needles, options)?;
    writeln!(
        out,
        "\nloaded in {:.1} ms, freed by dropping one handle in {:.1} ms; {} of the pool still live",
        load_time.as_secs_f64() * 1e3,
        free_time.as_secs_f64() * 1e3,
        many(numbers.live(), "cell"),
    )?;
    if let Some(peak) = peak_memory() {
        let times = peak as f64 / census.document as f64;
        writeln!(out, "peak memory of the process {} kB, {times:.1} times the document", peak / 1024)?;
    }
    verdict(out, options, &needles, before, after)
}

fn file_name(path: &str) -> String {
    Path::new(path).file_name().map_or(path.into(), |name| name.to_string_lossy().into_owned())
}

/// Writes the page of a report of a document and of its numbers.
fn report<'s>(
    root: Root<'s>,
    numbers: &Pool<Number>,
    label: &str,
    file: &Path,
) -> Result<(Root<'s>, Snapshot), Box<dyn Error>> {
    let mut tree = root.into_tree().map_err(|_| "the document is not a tree")?;
    let parts = [tree.snapshot(), numbers.snapshot()].map(|json| Snapshot::read(json.as_bytes()));
    let snapshot = Snapshot::join(parts.into_iter().collect::<Result<Vec<_>, _>>()?)?.labelled(label);
    snapshot.html(io::BufWriter::new(fs::File::create(file)?), None)?;
    Ok((tree.into(), snapshot))
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

/// The peak memory of the process, in bytes.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// A reader that shows its progress, if the document is large and standard error is a terminal.
struct Progress {
    file: fs::File,
    read: u64,
    bar: indicatif::ProgressBar,
}

impl Progress {
    const LONG: u64 = 8 << 20;

    fn new(file: fs::File, len: Option<u64>) -> Self {
        // indicatif draws on standard error, and only if that is a terminal.
        let bar = match len {
            Some(len) if len < Self::LONG => indicatif::ProgressBar::hidden(),
            Some(len) => indicatif::ProgressBar::new(len),
            None => indicatif::ProgressBar::no_length(),
        };
        let style = indicatif::ProgressStyle::with_template("loading {wide_bar} {bytes}/{total_bytes} {eta}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Progress { file, read: 0, bar }
    }
}

impl Read for Progress {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read += read as u64;
        self.bar.set_position(self.read);
        if read == 0 {
            self.bar.finish_and_clear();
        }
        Ok(read)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
