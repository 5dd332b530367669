//! The options of the program, and the document that it loads.

use std::cell::OnceCell;
use std::error::Error;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::Parser;
use kmem::{AllocError, Heap, Named, Pool, Tree};

use crate::load::{self, Census, Labels};
use crate::memory::GLOBAL;
use crate::scan::Needles;
use crate::values::{Part, Value, View};

/// Load a JSON document into kmem's cells, free it with one drop, and search memory for its secrets.
#[derive(Parser)]
#[command(name = "document")]
pub struct Options {
    /// The document; `-` is standard input. The default is a list of emoji that comes with the example.
    pub file: Option<PathBuf>,
    /// Keys whose values are secret, with everything below them. The default for the list of emoji is `name`.
    #[arg(long, value_name = "KEY", num_args = 1..)]
    pub secret: Vec<String>,
    /// Do not zero anything, to see that the search finds the copies that remain.
    #[arg(long)]
    pub no_shred: bool,
    /// Write a page that shows which values of the document hold its memory. The names of values are their keys.
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// The most memory that the program may use while it loads the document: bytes, or with KiB, MiB or GiB.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub limit: Option<usize>,
    /// Compare memory and time with those of `serde_json::Value`, each in processes of its own.
    #[arg(long)]
    pub compare: bool,
    /// Load the document as the comparison does, and print times and memory.
    #[arg(long, hide = true)]
    pub measure: Option<Contestant>,
}

/// Reads a number of bytes.
pub fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match text[digits.len()..].trim() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        unit => return Err(format!("unknown unit {unit:?}: use KiB, MiB or GiB")),
    };
    let number: usize = digits.parse().map_err(|_| "not a whole number".to_string())?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".into())
}

/// The contestants of a comparison.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Contestant {
    /// This example, with its secrets.
    Document,
    /// `serde_json::Value`, by `serde_json::from_reader`.
    Value,
    /// Not the time, but that both have the same values.
    Same,
}

/// The document as a file, its name, and its length if it is known.
pub fn open(file: Option<&PathBuf>) -> io::Result<(fs::File, String, Option<u64>)> {
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

/// A document that is being loaded.
pub type Document<'s> = Tree<Part<'s>>;

/// Makes the pool for the secret numbers of a document.
pub fn numbers(options: &Options) -> Result<Pool<Value>, AllocError> {
    let mut numbers = Pool::try_growing_in(64, Heap)?.named(c"secret numbers");
    if !options.no_shred {
        numbers.taint();
    }
    Ok(numbers)
}

/// Makes the tree for a document, whose nodes are allocated from an arena.
pub fn tree<'s>(options: &Options) -> Result<Document<'s>, AllocError> {
    let root = Part::Root(OnceCell::new());
    let tree = match options.report {
        Some(_) => Tree::try_in_arena_of(0, root, Named(c"document", Heap)),
        None => Tree::try_in_arena_of(0, root, Heap),
    };
    tree.map_err(|refused| refused.error())
}

/// Loads a document, within the limit.
pub fn load<'t, 's>(
    (file, path, len): (fs::File, &str, Option<u64>),
    options: &Options,
    tree: &'t Document<'s>,
    numbers: &'s Pool<Value>,
    needles: &mut Needles,
) -> Result<(View<'t, 's>, Census), Box<dyn Error>> {
    let labels = options.report.as_ref().map(|_| Labels::new(&file_name(path)));
    let left = || {
        let count = GLOBAL.count();
        options.limit.map(|_| count.max.saturating_sub(count.used))
    };
    let asked = load::Options { secret_keys: &options.secret, taint: !options.no_shred, labels, left: &left };
    let progress = Progress::new(file, len);
    GLOBAL.set_max(options.limit.unwrap_or(usize::MAX));
    let loaded = load::load(progress, asked, tree.node(), numbers, needles);
    let refused = GLOBAL.count().refused > 0;
    GLOBAL.set_max(usize::MAX);
    loaded.map_err(|error| {
        let over = error.io_error_kind() == Some(io::ErrorKind::OutOfMemory);
        match options.limit {
            Some(limit) if over || refused && !error.is_syntax() && !error.is_eof() => {
                let (line, column) = (error.line(), error.column());
                format!("{path}: needs more than the limit of {limit} bytes, at line {line} column {column}")
                    .into()
            }
            _ => format!("{path}: {error}").into(),
        }
    })
}

pub fn file_name(path: &str) -> String {
    Path::new(path).file_name().map_or(path.into(), |name| name.to_string_lossy().into_owned())
}

/// A reader that shows its progress, if the document is large and standard error is a terminal.
pub struct Progress {
    file: fs::File,
    read: u64,
    bar: indicatif::ProgressBar,
}

impl Progress {
    const LONG: u64 = 8 << 20;

    pub fn new(file: fs::File, len: Option<u64>) -> Self {
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
