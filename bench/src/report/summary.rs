//! A selection of the rows, for a summary.

use super::{Table, column, short};
use crate::names as n;
use crate::record::Record;

/// A row by group, operation, size and live objects, with the contestants to show.
type Row = (&'static str, &'static str, usize, usize, &'static [&'static str], &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        "cells",
        "pair",
        64,
        1,
        &[n::POOL_RAW, n::POOL_STATIC],
        &[n::LIST, n::SLAB, n::BUMPALO, n::MIMALLOC, n::GLIBC],
    ),
    (
        "cells",
        "random",
        256,
        100_000,
        &[n::POOL_RAW, n::POOL_STATIC],
        &[n::LIST, n::SLAB, n::MIMALLOC, n::GLIBC],
    ),
    (
        "cells",
        "churn",
        256,
        100_000,
        &[n::POOL_RAW, n::POOL_STATIC],
        &[n::LIST, n::SLAB, n::MIMALLOC, n::GLIBC],
    ),
    ("cells", "pair", 64, 1, &[n::HEAP_STATIC], &[n::GLIBC]),
    ("cells", "pair", 64, 1, &[n::HEAP_MIMALLOC], &[n::MIMALLOC]),
    ("ref", "create+drop", 32, 1, &[n::REF_SAFE], &[n::TRIOMPHE, n::ARC, n::G_ATOMIC_RC]),
    ("ref", "clone+drop", 32, 1, &[n::REF_SAFE], &[n::TRIOMPHE, n::ARC, n::G_ATOMIC_RC]),
    (
        "tree",
        "chain build+free",
        32,
        100_000,
        &[n::TREE_STATIC, n::TREE_POOL],
        &[n::TALLOC, n::TALLOC_POOL, n::APR],
    ),
    (
        "tree",
        "fan-out 8 build+free",
        32,
        100_000,
        &[n::TREE_STATIC, n::TREE_POOL],
        &[n::TALLOC, n::TALLOC_POOL, n::APR],
    ),
    (
        "tree",
        "random shape build+free",
        32,
        100_000,
        &[n::TREE_STATIC, n::TREE_POOL],
        &[n::TALLOC, n::TALLOC_POOL, n::APR],
    ),
    ("life", "resize a cell, larger and back", 32, 1, &[n::HEAP_STATIC, n::HEAP_TAINTED], &[n::REALLOC]),
    ("life", "move a leaf", 32, 100, &[n::TREE_STATIC], &[n::TALLOC]),
    ("life", "leaf with a name", 32, 1, &[n::TREE_STATIC], &[n::TALLOC]),
    ("life", "leaf with a destructor", 32, 1, &[n::TREE_DROP, n::TREE_HOOK], &[n::TALLOC]),
    ("zero", "zero", 64, 1, &[n::KMEM_ZERO], &[n::MEMSET, n::ZEROIZE, n::BZERO]),
    (
        "memory",
        "bytes per object",
        32,
        1_000_000,
        &[n::POOL_STATIC, n::HEAP_STATIC, n::REF_STATIC, n::TREE_STATIC],
        &[n::SLAB, n::GLIBC, n::TALLOC],
    ),
];

pub fn summary(records: &[Record]) -> Table {
    let figure = |group: &str, op: &str, size, live, contestant: &&str| {
        let found = records.iter().find(|r| {
            (r.group.as_str(), r.op.as_str(), r.size, r.live) == (group, op, size, live)
                && r.contestant == *contestant
        })?;
        Some((format!("{contestant}: {}", short(found.median)), found))
    };
    let rows = ROWS.iter().filter_map(|&(group, op, size, live, kmem, peers)| {
        let of = |who: &[&str]| -> Vec<_> {
            who.iter().filter_map(|contestant| figure(group, op, size, live, contestant)).collect()
        };
        let (kmem, peers) = (of(kmem), of(peers));
        let (_, first) = kmem.first()?;
        let text = |figures: &[(String, &Record)]| {
            figures
                .iter()
                .map(|(text, _)| text.trim_start_matches("kmem ").to_owned())
                .collect::<Vec<_>>()
                .join("; ")
        };
        Some(vec![format!("{group}: {op}, {}", column(first)), text(&kmem), text(&peers)])
    });
    let header = ["work", "kmem", "peers"].map(str::to_owned).to_vec();
    Table { title: "In short (ns, medians; memory in bytes)".to_owned(), header, rows: rows.collect() }
}
