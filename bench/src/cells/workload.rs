//! The patterns in which cells are asked for.

use std::time::{Duration, Instant};

use super::{Cells, take};
use crate::measure::{Contestant, Sample};
use crate::rng::Rng;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Allocate, free at once.
    Pair,
    /// Allocate all, free the latest first.
    Lifo,
    /// Allocate all, free the earliest first.
    Fifo,
    /// Allocate all, free in random order, again and again.
    Random,
    /// Replace a random one of those that are live.
    Churn,
}

impl Pattern {
    pub fn name(self) -> &'static str {
        match self {
            Pattern::Pair => "pair",
            Pattern::Lifo => "LIFO",
            Pattern::Fifo => "FIFO",
            Pattern::Random => "random",
            Pattern::Churn => "churn",
        }
    }
}

/// Operations of a turn whose pattern has no number of its own.
const BATCH: usize = 500;

struct Workload<C: Cells> {
    cells: C,
    held: Vec<C::Cell>,
    rng: Rng,
    live: usize,
}

/// A contestant that runs `pattern` over `cells`, which has room for one more than `live`.
pub fn contestant<C: Cells + 'static>(
    name: &'static str,
    pattern: Pattern,
    live: usize,
    cells: C,
) -> Contestant {
    let mut work = Workload { cells, held: Vec::with_capacity(live), rng: Rng::new(live as u64), live };
    if pattern == Pattern::Churn {
        work.fill();
        // A heap that has been used is not in order.
        work.rng.shuffle(&mut work.held);
    }
    Contestant::new(name, move |turns| match pattern {
        Pattern::Pair => work.pair(turns),
        Pattern::Lifo => work.lifo(turns),
        Pattern::Fifo => work.fifo(turns),
        Pattern::Random => work.random(turns),
        Pattern::Churn => work.churn(turns),
    })
}

impl<C: Cells> Workload<C> {
    #[inline(always)]
    fn fill(&mut self) {
        let cells = &mut self.cells;
        self.held.extend(std::iter::repeat_with(|| take(cells)).take(self.live));
    }

    fn pair(&mut self, turns: u64) -> Sample {
        let start = Instant::now();
        for _ in 0..turns {
            for _ in 0..BATCH {
                let cell = take(&mut self.cells);
                self.cells.free(cell);
            }
            self.cells.rest();
        }
        Sample::one(turns * BATCH as u64, start.elapsed())
    }

    fn lifo(&mut self, turns: u64) -> Sample {
        let start = Instant::now();
        for _ in 0..turns {
            self.fill();
            for cell in self.held.drain(..).rev() {
                self.cells.free(cell);
            }
            self.cells.rest();
        }
        Sample::one(turns * self.live as u64, start.elapsed())
    }

    fn fifo(&mut self, turns: u64) -> Sample {
        let start = Instant::now();
        for _ in 0..turns {
            self.fill();
            for cell in self.held.drain(..) {
                self.cells.free(cell);
            }
            self.cells.rest();
        }
        Sample::one(turns * self.live as u64, start.elapsed())
    }

    fn random(&mut self, turns: u64) -> Sample {
        let mut time = Duration::ZERO;
        for _ in 0..turns {
            let start = Instant::now();
            self.fill();
            time += start.elapsed();
            self.rng.shuffle(&mut self.held);
            let start = Instant::now();
            for cell in self.held.drain(..) {
                self.cells.free(cell);
            }
            self.cells.rest();
            time += start.elapsed();
        }
        Sample::one(turns * self.live as u64, time)
    }

    fn churn(&mut self, turns: u64) -> Sample {
        let start = Instant::now();
        for _ in 0..turns * BATCH as u64 {
            let nth = self.rng.below(self.live);
            let cell = take(&mut self.cells);
            let old = std::mem::replace(&mut self.held[nth], cell);
            self.cells.free(old);
        }
        Sample::one(turns * BATCH as u64, start.elapsed())
    }
}

impl<C: Cells> Drop for Workload<C> {
    fn drop(&mut self) {
        for cell in self.held.drain(..) {
            self.cells.free(cell);
        }
    }
}
