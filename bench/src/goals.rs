//! What kmem wants to reach, and whether this run reached it.

use crate::names as n;
use crate::record::Record;
use crate::report::{Table, column, distinct, short};

pub struct Goal {
    pub what: String,
    pub goal: String,
    pub measured: String,
    /// "met", or what stands in the way.
    pub verdict: String,
}

pub fn table(goals: &[Goal]) -> Table {
    let header = ["what", "goal", "measured", ""].map(str::to_owned).to_vec();
    let row =
        |goal: &Goal| vec![goal.what.clone(), goal.goal.clone(), goal.measured.clone(), goal.verdict.clone()];
    let title = "Goals (ratios and differences of medians; lower is better)".to_owned();
    Table { title, header, rows: goals.iter().map(row).collect() }
}

/// The goals that the records say something about.
pub fn goals(records: &[Record]) -> Vec<Goal> {
    let mut judge = Judge { records, goals: Vec::new(), why: "" };
    cells(&mut judge);
    heaps(&mut judge);
    refs(&mut judge);
    trees(&mut judge);
    arenas(&mut judge);
    costs(&mut judge);
    zeroing(&mut judge);
    memory(&mut judge);
    judge.goals
}

struct Judge<'r> {
    records: &'r [Record],
    goals: Vec<Goal>,
    /// What stands in the way of the goals that follow, where they are missed.
    why: &'static str,
}

impl<'r> Judge<'r> {
    fn find(&self, row: &Record, contestant: &str) -> Option<&'r Record> {
        self.records.iter().find(|record| record.row() == row.row() && record.contestant == contestant)
    }

    /// One record for each row of this operation, whichever contestant's.
    fn rows(&self, group: &str, op: &str) -> Vec<&'r Record> {
        let mut rows: Vec<&Record> = Vec::new();
        for record in self.records.iter().filter(|record| record.group == group && record.op == op) {
            if !rows.iter().any(|row| row.row() == record.row()) {
                rows.push(record);
            }
        }
        rows
    }

    fn verdict(&self, met: bool) -> String {
        if met { "met".to_owned() } else { format!("missed: {}", self.why) }
    }

    fn add(&mut self, row: &Record, what: String, goal: String, measured: String, met: bool) {
        let what = format!("{} {}, {}: {what}", row.group, row.op, column(row));
        let verdict = self.verdict(met);
        self.goals.push(Goal { what, goal, measured, verdict });
    }

    /// One contestant's median is at most this many times another's.
    fn ratio(&mut self, row: &Record, mine: &str, other: &str, most: f64) {
        let Some((a, b)) = self.find(row, mine).zip(self.find(row, other)) else { return };
        let ratio = a.median / b.median;
        let measured = format!("{ratio:.2} ({} / {})", short(a.median), short(b.median));
        self.add(row, format!("{mine} / {other}"), format!("≤ {most}"), measured, ratio <= most);
    }

    /// The same with a most of 1, where figures this near to each other whose ranges overlap are a tie.
    fn not_behind(&mut self, row: &Record, mine: &str, other: &str) {
        let Some((a, b)) = self.find(row, mine).zip(self.find(row, other)) else { return };
        let ratio = a.median / b.median;
        let tie = ratio > 1.0 && ratio <= 1.05 && a.min <= b.max;
        let note = if tie { ", a tie" } else { "" };
        let measured = format!("{ratio:.2} ({} / {}){note}", short(a.median), short(b.median));
        self.add(row, format!("{mine} / {other}"), "≤ 1".into(), measured, ratio <= 1.0 || tie);
    }

    /// One contestant's median is at most this many nanoseconds above another's.
    fn above(&mut self, row: &Record, mine: &str, other: &str, most: f64) {
        let Some((a, b)) = self.find(row, mine).zip(self.find(row, other)) else { return };
        let above = a.median - b.median;
        let measured = format!("{above:+.2} ns ({} − {})", short(a.median), short(b.median));
        self.add(row, format!("{mine} − {other}"), format!("≤ +{most} ns"), measured, above <= most);
    }

    /// From so few to so many nodes the cost of each grows no more than that of a walk over an array does.
    fn growth(&mut self, shape: &str, few: usize, many: usize) {
        let figure = |op: &str, live: usize, contestant: &str| {
            let found = self.records.iter().find(|record| {
                record.group == "tree"
                    && record.op == op
                    && record.live == live
                    && record.contestant == contestant
            });
            found.map(|record| record.median)
        };
        let times =
            |op: &str, contestant: &str| Some(figure(op, many, contestant)? / figure(op, few, contestant)?);
        let walk = format!("{shape} walk");
        let Some(array) = times(&walk, n::ARRAY) else { return };
        let mut grown = Vec::new();
        for op in [format!("{shape} build+free"), walk] {
            for contestant in [n::TREE_STATIC, n::TREE_MIMALLOC, n::TREE_POOL] {
                grown.extend(times(&op, contestant).map(|times| (op.clone(), contestant, times)));
            }
        }
        for (op, contestant, times) in grown {
            self.goals.push(Goal {
                what: format!("tree {op}, {few} to {many} nodes: {contestant}"),
                goal: format!("× {array:.1}, as a walk over an array"),
                measured: format!("× {times:.1}"),
                verdict: self.verdict(times <= array),
            });
        }
    }

    /// A contestant's figure is at most this part of its figure of another operation.
    fn part(&mut self, row: &Record, whole: &str, mine: &str, most: f64) {
        let Some(a) = self.find(row, mine) else { return };
        let of_whole = Record { op: whole.to_owned(), ..row.clone() };
        let Some(b) = self.find(&of_whole, mine) else { return };
        let part = a.median / b.median;
        let measured = format!("{:.2} % ({} / {})", part * 100.0, short(a.median), short(b.median));
        self.add(row, format!("{mine}, of {whole}"), format!("≤ {} %", most * 100.0), measured, part <= most);
    }

    /// A contestant's figure is at most this.
    fn at_most(&mut self, row: &Record, mine: &str, most: f64, unit: &str) {
        let Some(a) = self.find(row, mine) else { return };
        let goal = format!("≤ {most} {unit}");
        self.add(row, mine.to_owned(), goal, format!("{} {unit}", short(a.median)), a.median <= most);
    }
}

fn cells(judge: &mut Judge) {
    judge.why = "a free has checks, and the pool's fields are in memory; the list has its head in a register";
    for op in ["pair", "LIFO"] {
        for row in judge.rows("cells", op) {
            judge.ratio(row, n::POOL_RAW, n::LIST, 1.5);
        }
    }
    judge.why = "a free has checks, and the pool keeps top, bottom and last in memory";
    for row in judge.rows("cells", "pair") {
        judge.ratio(row, n::POOL_STATIC, n::LIST_CALLED, 1.3);
    }
    judge.why = "a free reads the header of its cell; mimalloc only writes that cache line";
    for op in ["random", "churn"] {
        for row in judge.rows("cells", op) {
            if row.live == 100_000 && [64, 256, 1024].contains(&row.size) {
                judge.ratio(row, n::POOL_RAW, n::MIMALLOC, 0.9);
            }
            if op == "random" && row.live == 100_000 && row.size == 256 {
                judge.ratio(row, n::POOL_RAW, n::LIST, 0.25);
            }
        }
    }
    for row in judge.rows("pool", "kmpooli+kmpoolx") {
        judge.at_most(row, n::POOL_STATIC, 20_000.0, "ns");
    }
}

fn heaps(judge: &mut Judge) {
    judge.why = "the header moves the block to the allocator's next size class; for 1 KiB, to one that glibc does not cache for a thread";
    for row in judge.rows("cells", "pair") {
        judge.above(row, n::HEAP_STATIC, n::GLIBC, 2.0);
        judge.above(row, n::HEAP_MIMALLOC, n::MIMALLOC, 2.0);
    }
    judge.why = "mimalloc itself is slower than glibc's malloc there, or the header moves the block to its next size class";
    for op in ["pair", "LIFO", "FIFO", "random", "churn"] {
        for row in judge.rows("cells", op) {
            judge.ratio(row, n::HEAP_MIMALLOC, n::GLIBC, 1.0);
        }
    }
}

fn refs(judge: &mut Judge) {
    judge.why = "the header is checked each time; the rest is two locked instructions";
    for row in judge.rows("ref", "clone+drop") {
        judge.ratio(row, n::REF_SAFE, n::TRIOMPHE, 1.02);
    }
    judge.why = "the header is checked";
    for row in judge.rows("ref", "create+drop") {
        judge.ratio(row, n::REF_SAFE, n::TRIOMPHE, 1.05);
    }
}

fn trees(judge: &mut Judge) {
    let ops = |group: &str| {
        let whole = |op: &&str| op.ends_with("build+free") || *op == "leaf on/off";
        let of_group = judge.records.iter().filter(|record| record.group == group);
        distinct(of_group.map(|record| record.op.as_str()).filter(whole))
    };
    let (plain, preloaded) = (ops("tree"), ops("tree on mimalloc"));
    judge.why = "glibc takes most of the time, and keeps chunks of 112 bytes, but not of 144, in bins that scatter the next tree; in a pool and against APR, memory is the limit: see nodes in an array";
    for op in &plain {
        for row in judge.rows("tree", op) {
            judge.ratio(row, n::TREE_STATIC, n::TALLOC, 0.6);
            judge.ratio(row, n::TREE_POOL, n::TALLOC_POOL, 0.3);
            judge.ratio(row, n::TREE_STATIC, n::APR, 0.2);
        }
    }
    judge.why = "memory is the limit, see nodes in an array; in C, the call and the checks of the parent; glibc returns the blocks of an arena of 10 MB to the system, unless they are in memory that stays";
    for op in &plain {
        for row in judge.rows("tree", op).into_iter().filter(|row| row.live > 1 && !op.starts_with("random"))
        {
            for contestant in [n::TREE_ARENA, n::TREE_ARENA_STATIC, n::TREE_ARENA_KEPT] {
                judge.ratio(row, contestant, n::TALLOC_POOL, 0.5);
                judge.ratio(row, contestant, n::TREE_POOL, 1.0);
            }
        }
    }
    for shape in ["chain", "fan-out 8", "flat"] {
        for row in judge.rows("tree", &format!("{shape} free")) {
            for contestant in [n::TREE_ARENA, n::TREE_ARENA_STATIC, n::TREE_ARENA_KEPT] {
                judge.part(row, &format!("{shape} build"), contestant, 0.01);
            }
        }
    }
    judge.why = "the allocator below";
    judge.growth("random shape", 100_000, 10_000_000);
    judge.why = "mimalloc alone takes more time than the goal allows";
    for op in &preloaded {
        for row in judge.rows("tree on mimalloc", op) {
            judge.ratio(row, n::TREE_STATIC, n::TALLOC, 0.4);
        }
    }
}

fn arenas(judge: &mut Judge) {
    judge.why = "a mark has eight words, in C with a seal; the end looks for destructors, rooms and taint";
    for row in judge.rows("arena", "scope, empty") {
        for contestant in [n::ARENA, n::ARENA_OBJECT, n::ARENA_STATIC] {
            judge.at_most(row, contestant, 2.0, "ns");
        }
    }
    judge.why = "noise: both take the same instructions";
    for row in judge.rows("arena", "alloc") {
        judge.not_behind(row, n::ARENA, n::BUMP_SCOPE);
    }
    judge.why =
        "about a hundred instructions: the thread, the maximum and the bytes left, at each of the two calls";
    for row in judge.rows("limit", "pair") {
        judge.above(row, n::LIMITED, n::REF_RAW, 1.0);
        judge.above(row, n::LIMITED_STATIC, n::REF_STATIC, 1.0);
    }
}

fn costs(judge: &mut Judge) {
    judge.why = "a handle of 24 bytes is passed by value, so it is written to the stack and read back";
    for method in ["heap", "ref", "pool", "tree"] {
        for row in judge.rows("cost", &format!("kmfree {method}")) {
            judge.above(row, n::KMFREE, n::DIRECT, 1.0);
        }
    }
}

fn zeroing(judge: &mut Judge) {
    judge.why = "noise: both are memset";
    for row in judge.rows("zero", "zero") {
        judge.ratio(row, n::KMEM_ZERO, n::MEMSET, if row.size < 256 { 1.2 } else { 1.05 });
        judge.not_behind(row, n::KMEM_ZERO, n::BZERO);
        judge.not_behind(row, n::KMEM_ZERO, n::ZEROIZE);
    }
}

fn memory(judge: &mut Judge) {
    // Pages that are partly used, and what an allocator keeps of its pages, come on top.
    const SLACK: f64 = 1.05;
    // glibc's chunks are multiples of 16 with a word in front.
    const GLIBC_OWN: f64 = 16.0;
    judge.why = "the allocator's size classes";
    for row in judge.rows("memory", "bytes per object") {
        let goals = [
            (n::POOL_RAW, 48.0),
            (n::POOL_STATIC, 48.0),
            (n::REF_MIMALLOC, 64.0),
            (n::REF_STATIC, 64.0 + GLIBC_OWN),
            (n::HEAP_MIMALLOC, 48.0),
            (n::HEAP_STATIC, 48.0 + GLIBC_OWN),
            (n::TREE_MIMALLOC, 96.0),
            (n::TREE_STATIC, 96.0 + GLIBC_OWN),
        ];
        for (contestant, most) in goals {
            let Some(record) = judge.find(row, contestant) else { continue };
            let goal = format!("≤ {most} B + 5 %");
            let measured = format!("{:.1} B", record.median);
            judge.add(row, contestant.to_owned(), goal, measured, record.median <= most * SLACK);
        }
        judge.ratio(row, n::TREE_STATIC, n::TALLOC, 1.0);
    }
}
