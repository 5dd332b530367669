//! Which patterns are run at which sizes, and who takes part.

use super::arenas::{Arenas, Bumps, Slabs};
use super::heaps::{Glibc, Heap, Je, KmemRaw, KmemShared, KmemStatic, Mimalloc, OnHeap, Snmalloc};
use super::list::{Called, List};
use super::pools::{Raw, Safe, Shared, Static};
use super::workload::{Pattern, contestant};
use crate::measure::{Contestant, Row};
use crate::names;
use crate::peers::peers;

/// A row is left out where its cells would take more bytes than this.
const MOST: usize = 512 << 20;

pub fn rows(quick: bool) -> Vec<Row> {
    use Pattern::{Churn, Fifo, Lifo, Pair, Random};
    let mut rows = Vec::new();
    let sizes: &[usize] = if quick { &[64] } else { &[16, 64, 256, 1024, 8192] };
    for (pattern, live) in [(Pair, 1), (Lifo, 1000), (Fifo, 1000)] {
        rows.extend(sizes.iter().filter_map(|&size| row(pattern, size, live)));
    }
    let sizes: &[usize] = if quick { &[64, 256, 1024] } else { sizes };
    let lives: &[usize] = if quick { &[100_000] } else { &[1_000, 10_000, 100_000, 1_000_000] };
    for pattern in [Random, Churn] {
        for &live in lives {
            rows.extend(sizes.iter().filter_map(|&size| row(pattern, size, live)));
        }
    }
    rows
}

fn row(pattern: Pattern, size: usize, live: usize) -> Option<Row> {
    let make = match size {
        16 => contestants::<16>,
        64 => contestants::<64>,
        256 => contestants::<256>,
        1024 => contestants::<1024>,
        8192 => contestants::<8192>,
        _ => return None,
    };
    let row = || Row::new("cells", pattern.name(), (size, live), names::LIST, move || make(pattern, live));
    (size * live <= MOST).then(row)
}

fn contestants<const N: usize>(pattern: Pattern, live: usize) -> Vec<Contestant> {
    let peers = peers();
    let room = live + 1;
    let mut all = vec![
        contestant(names::POOL_SAFE, pattern, live, Safe::<N>::new(room)),
        contestant(names::POOL_RAW, pattern, live, Raw::<N>::new(room)),
        contestant(names::POOL_STATIC, pattern, live, Static::<N>::new(room)),
    ];
    all.extend(
        peers
            .kmem_shared
            .map(|kmem| contestant(names::POOL_SHARED, pattern, live, Shared::<N>::new(kmem, room))),
    );
    all.push(contestant(names::LIST, pattern, live, List::<N>::new(room)));
    all.push(contestant(names::LIST_CALLED, pattern, live, Called::<N>::new(room)));
    all.push(contestant(names::SLAB, pattern, live, Slabs::<N>::new(room)));
    if pattern != Pattern::Churn {
        let phase = if pattern == Pattern::Pair { 1000 } else { room };
        all.push(contestant(names::BUMPALO, pattern, live, Bumps::<N>::new(phase)));
        // It would measure how fast a fresh block can be had.
        if pattern != Pattern::Pair {
            all.push(contestant(names::TYPED_ARENA, pattern, live, Arenas::<N>::new(room)));
        }
    }
    all.push(on_heap::<_, N>(names::MIMALLOC, pattern, live, Mimalloc));
    all.push(on_heap::<_, N>(names::SNMALLOC, pattern, live, Snmalloc));
    all.extend(peers.jemalloc.map(|jemalloc| on_heap::<_, N>(names::JEMALLOC, pattern, live, Je(jemalloc))));
    all.push(on_heap::<_, N>(names::GLIBC, pattern, live, Glibc));
    all.push(on_heap::<_, N>(names::HEAP_RAW, pattern, live, KmemRaw));
    all.push(on_heap::<_, N>(names::HEAP_STATIC, pattern, live, KmemStatic));
    let mimalloc = peers.kmem_mimalloc.map(KmemShared);
    all.extend(mimalloc.map(|kmem| on_heap::<_, N>(names::HEAP_MIMALLOC, pattern, live, kmem)));
    all
}

fn on_heap<H: Heap, const N: usize>(
    name: &'static str,
    pattern: Pattern,
    live: usize,
    heap: H,
) -> Contestant {
    contestant(name, pattern, live, OnHeap::<H, N>(heap))
}
