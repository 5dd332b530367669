//! Compares the document with `serde_json::Value`.

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufReader, Write};
use std::process::{Command, ExitCode};
use std::sync::atomic::Ordering;
use std::time::Instant;
use std::{env, fs};

use crate::input::{Contestant, Options, Progress, load, numbers, tree};
use crate::memory::{SHREDDING, peak_memory};
use crate::scan::Needles;
use crate::values::{Value, View};

/// Each process loads and frees the document once.
const RUNS: usize = 5;

/// Loads the document and frees it, and prints nanoseconds for each, and the peak memory of the process in bytes.
pub fn measure(
    out: &mut impl Write,
    contestant: Contestant,
    (file, path, len): (fs::File, &str, Option<u64>),
    options: &Options,
) -> Result<ExitCode, Box<dyn Error>> {
    let start = Instant::now();
    let (loaded, freed) = match contestant {
        Contestant::Document => {
            let mut needles = Needles::new();
            let numbers = numbers(options)?;
            let tree = tree(options)?;
            let (view, _) = load((file, path, len), options, &tree, &numbers, &mut needles)?;
            drop(view);
            let loaded = start.elapsed();
            drop(tree);
            (loaded, start.elapsed() - loaded)
        }
        Contestant::Value => {
            // Its blocks are freed as those of other programs are.
            SHREDDING.store(false, Ordering::Relaxed);
            let reader = BufReader::with_capacity(1 << 16, Progress::new(file, len));
            let value: serde_json::Value = serde_json::from_reader(reader)?;
            let loaded = start.elapsed();
            drop(value);
            (loaded, start.elapsed() - loaded)
        }
        Contestant::Same => {
            let again = fs::File::open(path)?;
            let mut needles = Needles::new();
            let numbers = numbers(options)?;
            let tree = tree(options)?;
            let (view, _) = load((file, path, len), options, &tree, &numbers, &mut needles)?;
            let other = serde_json::from_reader(BufReader::new(again))?;
            if !is_same(&view, view.top, &other) {
                return Err(format!("{path}: the document differs from serde_json::Value").into());
            }
            return Ok(ExitCode::SUCCESS);
        }
    };
    writeln!(out, "{} {} {}", loaded.as_nanos(), freed.as_nanos(), peak_memory().unwrap_or(0))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns true if a value of the document is this one. The parser accepts at most 128 levels of JSON.
fn is_same(view: &View<'_, '_>, value: Value, other: &serde_json::Value) -> bool {
    match value {
        Value::Null => other.is_null(),
        Value::Bool(value) => other.as_bool() == Some(value),
        Value::Unsigned(number) => *other == number,
        Value::Signed(number) => *other == number,
        Value::Float(number) => *other == number,
        Value::Secret(number) => is_same(view, *view.document.numbers[number as usize], other),
        Value::Array(_) => other.as_array().is_some_and(|others| {
            let mut pairs = view.items(value).zip(others);
            view.items(value).len() == others.len()
                && pairs.all(|((_, value), other)| is_same(view, value, other))
        }),
        Value::Object { .. } => other.as_object().is_some_and(|others| {
            // Of equal keys, `serde_json::Value` has the last.
            let members: HashMap<_, _> = view.items(value).collect();
            members.len() == others.len()
                && members.into_iter().all(|(key, value)| {
                    key.and_then(|key| others.get(key)).is_some_and(|other| is_same(view, value, other))
                })
        }),
        Value::Short(..) | Value::Text(_) | Value::SecretText(_) => view.text(&value) == other.as_str(),
    }
}

/// Runs this program for one measurement.
fn run(options: &Options, path: &str, name: &str) -> Result<String, Box<dyn Error>> {
    let mut command = Command::new(env::current_exe()?);
    command.args([path, "--measure", name]);
    if options.no_shred {
        command.arg("--no-shred");
    }
    if !options.secret.is_empty() {
        command.arg("--secret").args(&options.secret);
    }
    let output = command.output()?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into())
    }
}

/// Measures both in turn, and prints the medians.
pub fn print(out: &mut impl Write, options: &Options, path: &str) -> Result<(), Box<dyn Error>> {
    if options.file.as_ref().is_some_and(|file| file.as_os_str() == "-") {
        return Err("--compare reads the document several times, so it cannot be standard input".into());
    }
    run(options, path, "same")?;
    let mut figures: [[Vec<u128>; 3]; 2] = Default::default();
    for _ in 0..RUNS {
        for (name, figures) in ["document", "value"].iter().zip(&mut figures) {
            let line = run(options, path, name)?;
            for (word, figures) in line.split_whitespace().zip(figures) {
                figures.push(word.parse()?);
            }
        }
    }
    let median = |figures: &mut Vec<u128>| {
        figures.sort_unstable();
        figures.get(RUNS / 2).copied().unwrap_or(0) as f64
    };
    let [document, value] = figures.map(|mut figures| figures.each_mut().map(median));
    writeln!(out, "\nmedians of {RUNS} processes each:")?;
    let mut row = |name: &str, document: f64, value: f64, unit: &str| {
        let ratio = document / value;
        writeln!(
            out,
            "{name:12} {document:10.1} {unit}   serde_json::Value {value:10.1} {unit}   {ratio:.2} times"
        )
    };
    row("load", document[0] / 1e6, value[0] / 1e6, "ms")?;
    row("free", document[1] / 1e6, value[1] / 1e6, "ms")?;
    row("both", (document[0] + document[1]) / 1e6, (value[0] + value[1]) / 1e6, "ms")?;
    row("peak memory", document[2] / 1e6, value[2] / 1e6, "MB")?;
    Ok(())
}
