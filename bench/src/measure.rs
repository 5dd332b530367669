//! Rows of contestants, and the rounds in which they are timed.

use std::time::{Duration, Instant};

use crate::record::{Record, median, row_name};

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Effort {
    pub quick: bool,
    pub rounds: usize,
    /// What each sample should last.
    pub sample: Duration,
}

impl Effort {
    pub fn new(quick: bool) -> Effort {
        let (rounds, millis) = if quick { (5, 3) } else { (11, 10) };
        Effort { quick, rounds, sample: Duration::from_millis(millis) }
    }
}

/// Parts that a sample can have: a tree's are build, walk and free.
const PARTS: usize = 3;

/// What one run of a contestant took.
pub struct Sample {
    pub ops: u64,
    /// The time of each part of the row; `None` where the contestant has no such part.
    pub parts: [Option<Duration>; PARTS],
}

impl Sample {
    pub fn one(ops: u64, time: Duration) -> Sample {
        Sample { ops, parts: [Some(time), None, None] }
    }

    fn time(&self) -> Duration {
        self.parts.iter().flatten().sum()
    }

    fn per_op(&self, part: usize) -> Option<f64> {
        Some(self.parts[part]?.as_nanos() as f64 / self.ops as f64)
    }
}

pub struct Contestant {
    pub name: &'static str,
    /// Does the work this many times over and says what it took.
    run: Box<dyn FnMut(u64) -> Sample>,
}

impl Contestant {
    pub fn new(name: &'static str, run: impl FnMut(u64) -> Sample + 'static) -> Contestant {
        Contestant { name, run: Box::new(run) }
    }

    /// A contestant whose every operation is one call of `work`.
    pub fn each(name: &'static str, work: impl FnMut() + 'static) -> Contestant {
        Contestant::batch(name, 1, work)
    }

    /// A contestant that does `ops` operations with each call of `work`.
    pub fn batch(name: &'static str, ops: u64, mut work: impl FnMut() + 'static) -> Contestant {
        Contestant::new(name, move |turns| {
            let start = Instant::now();
            for _ in 0..turns {
                work();
            }
            Sample::one(turns * ops, start.elapsed())
        })
    }
}

pub struct Row {
    pub group: &'static str,
    pub op: String,
    pub size: usize,
    pub live: usize,
    pub baseline: &'static str,
    /// What the parts of a sample are called. A row with one part has no names.
    pub parts: &'static [&'static str],
    /// A sum of parts to be kept as well.
    pub sum: Option<(&'static str, &'static [usize])>,
    /// Whether the operations are about `size` bytes each, so that bandwidth means something.
    pub bandwidth: bool,
    /// Called when the row's turn comes, so that no two rows occupy memory at a time.
    pub make: Box<dyn FnOnce() -> Vec<Contestant>>,
}

impl Row {
    pub fn new(
        group: &'static str,
        op: impl Into<String>,
        (size, live): (usize, usize),
        baseline: &'static str,
        make: impl FnOnce() -> Vec<Contestant> + 'static,
    ) -> Row {
        let make = Box::new(make);
        Row { group, op: op.into(), size, live, baseline, parts: &[], sum: None, bandwidth: false, make }
    }

    pub fn name(&self) -> String {
        row_name(self.group, &self.op, self.size, self.live)
    }

    /// Runs the row.
    pub fn measure(self, effort: Effort) -> Vec<Record> {
        let Row { group, op, size, live, baseline, parts, sum, bandwidth, make } = self;
        let mut contestants = make();
        let turns: Vec<u64> = contestants.iter_mut().map(|one| warm_up(one, effort.sample)).collect();
        let mut samples: Vec<Vec<Sample>> = contestants.iter().map(|_| Vec::new()).collect();
        let start = Instant::now();
        for round in 0..effort.rounds {
            // Rows of slow operations settle for three rounds.
            if round >= 3 && start.elapsed() > 2000 * effort.sample {
                break;
            }
            for nth in 0..contestants.len() {
                let nth = (nth + round) % contestants.len();
                // Once unmeasured: the one before may have left an allocator that they share in pieces.
                (contestants[nth].run)(1);
                samples[nth].push((contestants[nth].run)(turns[nth]));
            }
        }

        let mut columns: Vec<(String, Vec<usize>)> = Vec::new();
        if parts.is_empty() {
            columns.push((op.clone(), vec![0]));
        }
        columns.extend(parts.iter().enumerate().map(|(part, name)| (format!("{op} {name}"), vec![part])));
        columns.extend(sum.map(|(name, parts)| (format!("{op} {name}"), parts.to_vec())));

        let mut records = Vec::new();
        for (op, parts) in columns {
            let figures: Vec<Option<Vec<f64>>> = samples.iter().map(|runs| column(runs, &parts)).collect();
            let base = contestants.iter().position(|one| one.name == baseline);
            let base = base.and_then(|nth| figures[nth].clone());
            for (contestant, rounds) in contestants.iter().zip(&figures) {
                let Some(rounds) = rounds else { continue };
                let middle = median(rounds);
                let ratio = base.as_ref().map(|base| {
                    let ratios: Vec<f64> = rounds.iter().zip(base).map(|(mine, its)| mine / its).collect();
                    median(&ratios)
                });
                records.push(Record {
                    group: group.into(),
                    op: op.clone(),
                    size,
                    live,
                    contestant: contestant.name.into(),
                    min: rounds.iter().copied().fold(f64::INFINITY, f64::min),
                    median: middle,
                    max: rounds.iter().copied().fold(0.0, f64::max),
                    baseline: baseline.into(),
                    ratio,
                    gb_per_s: bandwidth.then_some(size as f64 / middle),
                    rounds: rounds.clone(),
                });
            }
        }
        records
    }
}

/// The sum of these parts in each round, where the contestant has them.
fn column(runs: &[Sample], parts: &[usize]) -> Option<Vec<f64>> {
    runs.iter().map(|run| parts.iter().map(|&part| run.per_op(part)).sum()).collect()
}

/// Finds how many turns last as long as a sample should. The runs that it takes are the unmeasured ones.
fn warm_up(one: &mut Contestant, sample: Duration) -> u64 {
    let mut turns = 1u64;
    loop {
        let time = (one.run)(turns).time();
        if time * 4 >= sample {
            let scale = sample.as_secs_f64() / time.as_secs_f64();
            return ((turns as f64 * scale).round() as u64).max(1);
        }
        turns *= 4;
    }
}
