//! kmem and its peers, measured side by side. `./run` builds and starts it.

mod arenas;
mod cells;
mod cores;
mod costs;
mod goals;
mod kmem_c;
mod library;
mod life;
mod machine;
mod measure;
mod memory;
mod mixed;
mod names;
mod peers;
mod record;
mod refs;
mod report;
mod rng;
mod threads;
mod trees;
mod zero;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use measure::{Effort, Row};
use record::Record;

/// Measures kmem and its peers side by side.
#[derive(Parser)]
struct Args {
    /// Fewer rows, shorter samples: under two minutes.
    #[arg(long)]
    quick: bool,
    /// Only rows whose name (group/operation/size/live) contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Where the results go.
    #[arg(long, default_value = "results")]
    out: PathBuf,
    /// What the .csv and .json are called; the moment by default.
    #[arg(long)]
    name: Option<String>,
    /// Only list the rows.
    #[arg(long)]
    list: bool,
    #[command(subcommand)]
    child: Option<Child>,
}

/// What this program runs itself as.
#[derive(Subcommand)]
enum Child {
    /// Measures trees in a process whose malloc was replaced, and prints the records.
    #[command(hide = true)]
    TreeChild,
    /// Prints the bytes that a contestant takes for each object.
    #[command(hide = true)]
    MemoryChild { contestant: String },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = cores::on_one_core(move || match &args.child {
        Some(Child::TreeChild) => tree_child(&args).map_err(|error| error.to_string()),
        Some(Child::MemoryChild { contestant }) => {
            if let Some(bytes) = memory::occupy(contestant) {
                println!("{bytes}");
            }
            Ok(())
        }
        None => bench(&args).map_err(|error| error.to_string()),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn rows(quick: bool) -> Vec<Row> {
    let mut rows = cells::rows(quick);
    rows.extend(trees::rows(quick));
    rows.extend(arenas::rows());
    rows.extend(refs::rows());
    rows.extend(zero::rows(quick));
    rows.extend(costs::rows());
    rows.extend(mixed::rows());
    rows.extend(life::rows());
    // Last: once there is a second thread, glibc's malloc takes locks.
    rows.extend(refs::rows_of_two_threads());
    rows.extend(threads::rows());
    rows
}

fn tree_child(args: &Args) -> Result<(), Box<dyn Error>> {
    if !trees::is_preloaded() {
        return Err(format!("{} is not there", peers::MIMALLOC).into());
    }
    let effort = Effort::new(args.quick);
    let rows = trees::rows_of_child(args.quick).into_iter().filter(|row| row.name().contains(&args.only));
    let records: Vec<Record> = rows.flat_map(|row| row.measure(effort)).collect();
    println!("{}", serde_json::to_string(&records)?);
    Ok(())
}

fn bench(args: &Args) -> Result<(), Box<dyn Error>> {
    let effort = Effort::new(args.quick);
    let wanted = |name: &str| name.contains(&args.only);
    let rows: Vec<Row> = rows(args.quick).into_iter().filter(|row| wanted(&row.name())).collect();
    let preloaded = trees::rows_of_child(args.quick).into_iter().any(|row| wanted(&row.name()));
    let memory = wanted(&memory::name());
    if args.list {
        let names = rows.iter().chain(&trees::rows_of_child(args.quick)).map(Row::name).collect::<Vec<_>>();
        println!("{}\n{}", names.join("\n"), memory::name());
        return Ok(());
    }

    let start = Instant::now();
    let mut machine = machine::machine();
    println!("{}\n", machine.describe());
    // Draws to standard error, and only where that is a terminal.
    let bar = ProgressBar::new(rows.len() as u64 + u64::from(preloaded) + u64::from(memory));
    bar.set_style(ProgressStyle::with_template("{pos}/{len} {bar:30} {elapsed} {msg}")?);
    let mut records = Vec::new();
    for row in rows {
        bar.set_message(row.name());
        records.extend(row.measure(effort));
        bar.inc(1);
    }
    if preloaded {
        bar.set_message("tree on mimalloc");
        match trees::child(effort, &args.only) {
            Ok(more) => records.extend(more),
            Err(reason) => machine.absent.push(format!("trees on mimalloc: {reason}")),
        }
        bar.inc(1);
    }
    if memory {
        records.extend(memory::measure(|contestant| bar.set_message(format!("memory: {contestant}"))));
        bar.inc(1);
    }
    bar.finish_and_clear();

    let tables = report::pivot(&records);
    for table in &tables {
        println!("{}\n", table.terminal());
    }
    let goals = goals::goals(&records);
    println!("{}\n", goals::table(&goals).terminal());
    let name = args.name.clone().unwrap_or_else(moment);
    std::fs::create_dir_all(&args.out)?;
    report::write(&args.out, &name, &machine, &records, &tables, &goals)?;
    report::draw(&args.out, &records)?;
    for absent in &machine.absent {
        println!("left out: {absent}");
    }
    println!("{} s, results in {}", start.elapsed().as_secs(), args.out.display());
    Ok(())
}

/// The date and time in UTC, fit for a file name.
fn moment() -> String {
    let mut text = [0u8; 32];
    // SAFETY: a zeroed `tm` is valid and then filled; the buffer is as long as it says.
    let len = unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut tm: libc::tm = std::mem::zeroed();
        libc::gmtime_r(&raw const now, &raw mut tm);
        libc::strftime(text.as_mut_ptr().cast(), text.len(), c"%Y-%m-%dT%H%M%S".as_ptr(), &raw const tm)
    };
    String::from_utf8_lossy(&text[..len]).into_owned()
}
