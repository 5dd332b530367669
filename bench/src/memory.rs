//! Bytes of resident memory for each live object, each contestant in a process of its own.

use std::hint::black_box;
use std::process::Command;
use std::ptr::null_mut;
use std::{env, fs};

use crate::cells::arenas::{Arenas, Bumps, Slabs};
use crate::cells::heaps::{
    Glibc, Je, KmemRaw, KmemRef, KmemRefShared, KmemShared, KmemStatic, Mimalloc, OnHeap, Snmalloc,
};
use crate::cells::pools::{Raw, Safe, Static};
use crate::cells::{Cells, list::List, take};
use crate::kmem_c::Kmem;
use crate::names;
use crate::peers::{self, peers};
use crate::record::{Record, row_name};
use crate::trees::{AprTree, KmemC, PAYLOAD, Pooled, Talloc, Tree};

const GROUP: &str = "memory";
const OP: &str = "bytes per object";
const SIZE: usize = PAYLOAD;
const MILLION: usize = 1_000_000;
/// APR takes 8 KiB of address space for each.
const APR_OBJECTS: usize = 100_000;

const CONTESTANTS: [&str; 25] = [
    names::POOL_SAFE,
    names::POOL_RAW,
    names::POOL_STATIC,
    names::LIST,
    names::SLAB,
    names::BUMPALO,
    names::TYPED_ARENA,
    names::MIMALLOC,
    names::SNMALLOC,
    names::JEMALLOC,
    names::GLIBC,
    names::HEAP_RAW,
    names::HEAP_STATIC,
    names::HEAP_MIMALLOC,
    names::REF_STATIC,
    names::REF_MIMALLOC,
    names::ARC,
    names::TRIOMPHE,
    names::G_ATOMIC_RC,
    names::TREE_STATIC,
    names::TREE_MIMALLOC,
    names::TREE_POOL,
    names::TALLOC,
    names::TALLOC_POOL,
    names::APR,
];

pub fn name() -> String {
    row_name(GROUP, OP, SIZE, MILLION)
}

/// Runs a child for each contestant.
pub fn measure(mut after_each: impl FnMut(&str)) -> Vec<Record> {
    let mut records = Vec::new();
    for contestant in CONTESTANTS {
        if let Some(bytes) = child(contestant) {
            records.push(Record {
                group: GROUP.into(),
                op: OP.into(),
                size: SIZE,
                live: MILLION,
                contestant: contestant.into(),
                min: bytes,
                median: bytes,
                max: bytes,
                baseline: String::new(),
                ratio: None,
                gb_per_s: None,
                rounds: vec![bytes],
            });
        }
        after_each(contestant);
    }
    records
}

fn child(contestant: &str) -> Option<f64> {
    let output = Command::new(env::current_exe().ok()?).args(["memory-child", contestant]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Bytes per object of this contestant, in this process. `None` where the peer is absent.
pub fn occupy(contestant: &str) -> Option<f64> {
    let peers = peers();
    Some(match contestant {
        names::POOL_SAFE => cells(|| Safe::<SIZE>::new(MILLION)),
        names::POOL_RAW => cells(|| Raw::<SIZE>::new(MILLION)),
        names::POOL_STATIC => cells(|| Static::<SIZE>::new(MILLION)),
        names::LIST => cells(|| List::<SIZE>::new(MILLION)),
        names::SLAB => cells(|| Slabs::<SIZE>::new(MILLION)),
        names::BUMPALO => cells(|| Bumps::<SIZE>::new(MILLION)),
        names::TYPED_ARENA => cells(|| Arenas::<SIZE>::new(MILLION)),
        names::MIMALLOC => cells(|| OnHeap::<_, SIZE>(Mimalloc)),
        names::SNMALLOC => cells(|| OnHeap::<_, SIZE>(Snmalloc)),
        names::JEMALLOC => peers.jemalloc.map(|jemalloc| cells(|| OnHeap::<_, SIZE>(Je(jemalloc))))?,
        names::GLIBC => cells(|| OnHeap::<_, SIZE>(Glibc)),
        names::HEAP_RAW => cells(|| OnHeap::<_, SIZE>(KmemRaw)),
        names::HEAP_STATIC => cells(|| OnHeap::<_, SIZE>(KmemStatic)),
        names::HEAP_MIMALLOC => {
            peers.kmem_mimalloc.map(|kmem| cells(|| OnHeap::<_, SIZE>(KmemShared(kmem))))?
        }
        names::REF_STATIC => cells(|| OnHeap::<_, SIZE>(KmemRef)),
        names::REF_MIMALLOC => {
            peers.kmem_mimalloc.map(|kmem| cells(|| OnHeap::<_, SIZE>(KmemRefShared(kmem))))?
        }
        names::ARC => owned(|| std::sync::Arc::new([1u8; SIZE])),
        names::TRIOMPHE => owned(|| triomphe::Arc::new([1u8; SIZE])),
        names::G_ATOMIC_RC => peers.glib.map(boxes)?,
        names::TREE_STATIC => flat(MILLION, || KmemC(Kmem::linked())),
        names::TREE_MIMALLOC => peers.kmem_mimalloc.map(|kmem| flat(MILLION, || KmemC(kmem)))?,
        names::TREE_POOL => flat(MILLION, || Pooled::new(MILLION + 1)),
        names::TALLOC => peers.talloc.map(|talloc| flat(MILLION, || Talloc::new(talloc)))?,
        names::TALLOC_POOL => {
            peers.talloc.map(|talloc| flat(MILLION, || Talloc::in_pool(talloc, MILLION)))?
        }
        names::APR => peers.apr.map(|apr| flat(APR_OBJECTS, || AprTree(apr)))?,
        _ => return None,
    })
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    // SAFETY: it is a query.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages * page as usize
}

/// What `fill` adds to the resident bytes, by object. It gets a vector whose own pages are all there already.
fn growth<T>(objects: usize, fill: impl FnOnce(&mut Vec<T>)) -> f64 {
    let mut held: Vec<T> = Vec::with_capacity(objects);
    // SAFETY: the capacity is the vector's own and holds no objects yet.
    unsafe { held.as_mut_ptr().write_bytes(1, objects) };
    black_box(held.as_mut_ptr());
    let before = resident();
    fill(&mut held);
    black_box(held.as_mut_ptr());
    let bytes = resident() - before;
    // The process ends here: nothing needs to be freed.
    std::mem::forget(held);
    bytes as f64 / objects as f64
}

fn cells<C: Cells>(make: impl FnOnce() -> C) -> f64 {
    growth(MILLION, |held| {
        let mut cells = make();
        held.extend(std::iter::repeat_with(|| take(&mut cells)).take(MILLION));
        std::mem::forget(cells);
    })
}

fn owned<T>(make: impl Fn() -> T) -> f64 {
    growth(MILLION, |held| held.extend(std::iter::repeat_with(make).take(MILLION)))
}

fn boxes(glib: peers::Glib) -> f64 {
    owned(|| {
        // SAFETY: the box has room for a word.
        unsafe {
            let object = (glib.g_atomic_rc_box_alloc)(SIZE);
            object.cast::<u64>().write(1);
            object
        }
    })
}

fn flat<T: Tree>(nodes: usize, make: impl FnOnce() -> T) -> f64 {
    growth(nodes, |held| {
        let mut tree = make();
        let root = tree.node(null_mut());
        held.extend(std::iter::repeat_with(|| tree.node(root)).take(nodes));
        std::mem::forget(tree);
    })
}
