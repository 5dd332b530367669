//! What the figures were measured on, and with which versions of everything.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::cores;
use crate::peers::peers;

#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub kernel: String,
    pub libc: String,
    pub rustc: String,
    /// Crates, with their versions.
    pub crates: String,
    /// Shared libraries, by package and version where they are Debian's, otherwise by the file that was loaded.
    pub libraries: Vec<String>,
    /// Peers that are absent, with the loader's reason.
    pub absent: Vec<String>,
}

pub fn machine() -> Machine {
    let absent = peers().absent.clone();
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let libraries = libraries();
    Machine {
        cpu: model.map_or_else(String::new, |(_, model)| model.to_owned()),
        cores: cores::number(),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        libc: glibc(),
        rustc: env!("BENCH_RUSTC").to_owned(),
        crates: env!("BENCH_CRATES").to_owned(),
        libraries,
        absent,
    }
}

fn libraries() -> Vec<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut files: Vec<&Path> = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .filter(|path| {
            ["talloc", "libapr", "libglib", "sodium", "malloc"].iter().any(|peer| path.contains(peer))
        })
        .filter(|path| path.contains(".so") && !path.contains("libkmem"))
        .map(Path::new)
        .collect();
    files.sort();
    files.dedup();
    files.into_iter().filter_map(|file| package(file).or_else(|| name(file))).collect()
}

fn name(file: &Path) -> Option<String> {
    Some(file.file_name()?.to_string_lossy().into_owned())
}

/// The Debian package that a file is of, with its version.
fn package(file: &Path) -> Option<String> {
    let ask = |args: &[&str]| {
        let output = Command::new("dpkg-query").args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let pattern = format!("*/{}", name(file)?);
    let owner = ask(&["-S", &pattern])?;
    let (package, _) = owner.lines().next()?.split_once(": ")?;
    ask(&["-W", "-f", "${Package} ${Version}", package])
}

fn glibc() -> String {
    // SAFETY: it returns a static string.
    let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    format!("glibc {}", version.to_string_lossy())
}

impl Machine {
    /// A few lines of text.
    pub fn describe(&self) -> String {
        let Machine { cpu, cores, kernel, libc, rustc, crates, libraries, absent } = self;
        let mut text = format!("{cpu}, {cores} cores, Linux {kernel}, {libc}, {rustc}\n{crates}");
        if !libraries.is_empty() {
            text += &format!("\n{}", libraries.join(", "));
        }
        if !absent.is_empty() {
            text += &format!("\nleft out: {}", absent.join("; "));
        }
        text
    }
}
