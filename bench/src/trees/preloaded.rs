//! The same trees in a process whose malloc is mimalloc: a child, for a malloc can only be replaced at the start.

use std::env;
use std::process::Command;

use super::rows::{Who, leaf, shapes};
use crate::measure::{Effort, Row};
use crate::peers::MIMALLOC;
use crate::record::Record;

const GROUP: &str = "tree on mimalloc";

/// The rows that the child runs.
pub fn rows_of_child(quick: bool) -> Vec<Row> {
    let mut rows = shapes(GROUP, quick, Who::OnMalloc);
    rows.push(leaf(GROUP, Who::OnMalloc));
    rows
}

/// Runs the child and takes its records, or the reason why there are none.
pub fn child(effort: Effort, only: &str) -> Result<Vec<Record>, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.env("LD_PRELOAD", MIMALLOC).args(["--only", only]);
    if effort.quick {
        command.arg("--quick");
    }
    let output = command.arg("tree-child").output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

/// Whether this process is such a child. Where the library to preload is absent the loader warns and goes on.
pub fn is_preloaded() -> bool {
    std::fs::read_to_string("/proc/self/maps").is_ok_and(|maps| maps.contains("libmimalloc.so"))
}
