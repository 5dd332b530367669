//! The files of a run.

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::Table;
use crate::goals::Goal;
use crate::machine::Machine;
use crate::record::Record;

/// A record without its rounds, which are in the JSON file.
#[derive(Serialize)]
struct Line<'r> {
    group: &'r str,
    op: &'r str,
    size: usize,
    live: usize,
    contestant: &'r str,
    min: f64,
    median: f64,
    max: f64,
    baseline: &'r str,
    ratio: Option<f64>,
    gb_per_s: Option<f64>,
    rounds: usize,
}

#[derive(Serialize)]
struct Run<'r> {
    machine: &'r Machine,
    records: &'r [Record],
}

/// Writes `name.csv`, `name.json`, `table.md` and `goals.md`.
pub fn write(
    dir: &Path,
    name: &str,
    machine: &Machine,
    records: &[Record],
    tables: &[Table],
    goals: &[Goal],
) -> io::Result<()> {
    let mut csv = csv::Writer::from_path(dir.join(format!("{name}.csv")))?;
    for r in records {
        csv.serialize(Line {
            group: &r.group,
            op: &r.op,
            size: r.size,
            live: r.live,
            contestant: &r.contestant,
            min: r.min,
            median: r.median,
            max: r.max,
            baseline: &r.baseline,
            ratio: r.ratio,
            gb_per_s: r.gb_per_s,
            rounds: r.rounds.len(),
        })?;
    }
    csv.flush()?;
    let json = serde_json::to_vec(&Run { machine, records })?;
    fs::write(dir.join(format!("{name}.json")), json)?;

    let about = format!("{}\n\n", machine.describe().replace('\n', "  \n"));
    let tables: Vec<String> = tables.iter().map(Table::markdown).collect();
    let summary = super::summary::summary(records).markdown();
    fs::write(dir.join("table.md"), format!("# Figures\n\n{about}{summary}\n{}", tables.join("\n")))?;
    fs::write(dir.join("goals.md"), format!("# Goals\n\n{about}{}", crate::goals::table(goals).markdown()))
}
