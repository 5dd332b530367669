//! What is kept of a measurement.

use serde::{Deserialize, Serialize};

/// One contestant in one row: the figures are nanoseconds per operation, or bytes per object in the group `memory`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    pub group: String,
    pub op: String,
    /// Bytes of each object.
    pub size: usize,
    /// Objects alive at a time, or nodes of a tree.
    pub live: usize,
    pub contestant: String,
    pub min: f64,
    pub median: f64,
    pub max: f64,
    pub baseline: String,
    /// The median, over rounds, of this contestant's figure over the baseline's in the same round.
    pub ratio: Option<f64>,
    /// Bandwidth at the median, where bytes are what the row is about.
    pub gb_per_s: Option<f64>,
    /// The figure of each round.
    pub rounds: Vec<f64>,
}

impl Record {
    /// The name that `--only` is matched with.
    pub fn row(&self) -> String {
        row_name(&self.group, &self.op, self.size, self.live)
    }
}

pub fn row_name(group: &str, op: &str, size: usize, live: usize) -> String {
    format!("{group}/{op}/{size}/{live}")
}

pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}
