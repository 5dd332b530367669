//! The libraries that the cases run over.

use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Library {
    /// The title of its column.
    pub name: &'static str,
    pub version: String,
    program: PathBuf,
    vars: Vec<(&'static str, String)>,
    /// How its own reports begin. Other reports are those of the heap below it.
    pub reports: &'static [&'static str],
    /// True for kmem, which `--check` tests.
    pub ours: bool,
}

impl Library {
    fn new(name: &'static str, reports: &'static [&'static str], program: impl AsRef<Path>) -> Library {
        let program = program.as_ref().to_owned();
        let mut library =
            Library { name, version: String::new(), program, vars: Vec::new(), reports, ours: false };
        library.version = library.says(&["--version"]).trim().to_owned();
        library
    }

    fn says(&self, args: &[&str]) -> String {
        let output = self.command().args(args).output();
        output.map_or_else(
            |error| panic!("{}: {error}", self.program.display()),
            |output| String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    }

    /// The cases of this library, as misuse and method.
    pub fn cases(&self) -> Vec<(String, String)> {
        let list = self.says(&["--list"]);
        list.lines().filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.into(), b.into())).collect()
    }

    /// The command, to which a case is added as arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.envs(self.vars.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// All libraries that were built, in the order of the columns.
pub fn all(ours_alone: bool) -> Vec<Library> {
    let built = Path::new("target/cases");
    let ours = |name, program| Library { ours: true, ..Library::new(name, &["kmem: "], program) };
    let c = ours("kmem from C", built.join("kmem"));
    let rust = ours("kmem from Rust", built.join("kmem-rust"));
    let mut all = vec![c, rust];
    if ours_alone {
        return all;
    }
    let malloc = built.join("malloc");
    all.push(Library::new("glibc", &[""], &malloc));
    let mut checking = Library::new("glibc, checking", &[""], &malloc);
    checking.vars = vec![
        ("LD_PRELOAD", "libc_malloc_debug.so.0".to_owned()),
        ("GLIBC_TUNABLES", "glibc.malloc.check=3".to_owned()),
    ];
    all.push(checking);
    if built.join("mimalloc").exists() {
        let mut mimalloc = Library::new("mimalloc, secure", &["mimalloc: "], built.join("mimalloc"));
        mimalloc.vars = vec![("MIMALLOC_SHOW_ERRORS", "1".to_owned())];
        all.push(mimalloc);
    }
    if built.join("talloc").exists() {
        all.push(Library::new("talloc", &["talloc: ", "Bad talloc "], built.join("talloc")));
    }
    if let Ok(preload) = std::env::var("SCUDO") {
        // Scudo has the version of the compiler that it belongs to.
        let version = preload.split('/').skip_while(|part| *part != "clang").nth(1).unwrap_or("?").to_owned();
        let mut scudo = Library { version, ..Library::new("Scudo", &["Scudo "], &malloc) };
        scudo.vars = vec![("LD_PRELOAD", preload), ("SNUG", "80".to_owned())];
        all.push(scudo);
    }
    all
}
