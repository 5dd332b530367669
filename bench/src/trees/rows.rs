//! Which shapes of which sizes are built, and by whom.

use std::ptr::null_mut;
use std::time::{Duration, Instant};

use super::PAYLOAD;
use super::contestants::{AprTree, Array, InArena, InArenaC, KmemC, Pooled, Raw, Talloc, Tree};
use super::shape::Shape;
use crate::kmem_c::Kmem;
use crate::measure::{Contestant, Row, Sample};
use crate::names;
use crate::peers::peers;

const THOUSANDS: usize = 100_000;
const MILLION: usize = 1_000_000;
/// APR takes two pages for each node: no larger trees than this.
const APR_MOST: usize = 100_000;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    All,
    /// Where the trees of a peer would not fit.
    Kmem,
    /// Those that stand on the process's malloc alone.
    OnMalloc,
}

pub fn rows(quick: bool) -> Vec<Row> {
    let mut rows = shapes("tree", quick, Who::All);
    rows.push(leaf("tree", Who::All));
    if !quick {
        rows.push(whole("tree", Shape::Chain, MILLION, Who::All));
        rows.push(whole("tree", Shape::Fan, MILLION, Who::All));
        rows.push(whole("tree", Shape::Flat, THOUSANDS, Who::All));
        rows.push(whole("tree", Shape::Random, THOUSANDS, Who::All));
        rows.push(whole("tree", Shape::Random, 10 * MILLION, Who::Kmem));
    }
    rows
}

/// A row for each shape, with as many nodes as suit it.
pub fn shapes(group: &'static str, quick: bool, who: Who) -> Vec<Row> {
    let most = if quick { THOUSANDS } else { MILLION };
    let shapes =
        [(Shape::Chain, THOUSANDS), (Shape::Fan, THOUSANDS), (Shape::Flat, most), (Shape::Random, most)];
    shapes.into_iter().map(|(shape, nodes)| whole(group, shape, nodes, who)).collect()
}

fn whole(group: &'static str, shape: Shape, nodes: usize, who: Who) -> Row {
    let make = move || all(who, nodes, Whole { parents: shape.parents(nodes) });
    let row = Row::new(group, shape.name(), (PAYLOAD, nodes), baseline(who), make);
    Row { parts: &["build", "walk", "free"], sum: Some(("build+free", &[0, 2])), ..row }
}

pub fn leaf(group: &'static str, who: Who) -> Row {
    Row::new(group, "leaf on/off", (PAYLOAD, 1), baseline(who), move || all(who, 2, Leaf))
}

fn baseline(who: Who) -> &'static str {
    if who == Who::Kmem { names::TREE_STATIC } else { names::TALLOC }
}

/// What is done with a library of trees.
trait Work: Clone {
    fn contestant<T: Tree>(self, name: &'static str, tree: T) -> Contestant;
}

fn all(who: Who, nodes: usize, work: impl Work) -> Vec<Contestant> {
    let peers = peers();
    let mut all = vec![work.clone().contestant(names::TREE_STATIC, KmemC(Kmem::linked()))];
    if who != Who::OnMalloc {
        all.push(work.clone().contestant(names::TREE_RAW, Raw));
        let mimalloc = peers.kmem_mimalloc.map(KmemC);
        all.extend(mimalloc.map(|kmem| work.clone().contestant(names::TREE_MIMALLOC, kmem)));
        all.push(work.clone().contestant(names::TREE_POOL, Pooled::new(nodes)));
        all.push(work.clone().contestant(names::TREE_ARENA, InArena::on_heap()));
        all.push(work.clone().contestant(names::TREE_ARENA_STATIC, InArenaC));
        all.push(work.clone().contestant(names::TREE_ARENA_KEPT, InArena::kept(nodes)));
        if nodes >= THOUSANDS {
            all.push(work.clone().contestant(names::ARRAY, Array::new(nodes)));
        }
    }
    if who != Who::Kmem {
        all.extend(peers.talloc.map(|talloc| work.clone().contestant(names::TALLOC, Talloc::new(talloc))));
    }
    if who == Who::All {
        let pooled = peers.talloc.map(|talloc| Talloc::in_pool(talloc, nodes));
        all.extend(pooled.map(|talloc| work.clone().contestant(names::TALLOC_POOL, talloc)));
        let apr = peers.apr.filter(|_| nodes <= APR_MOST).map(AprTree);
        all.extend(apr.map(|apr| work.clone().contestant(names::APR, apr)));
    }
    all
}

/// Build a tree, walk it, free it.
#[derive(Clone)]
struct Whole {
    parents: Vec<u32>,
}

impl Work for Whole {
    fn contestant<T: Tree>(self, name: &'static str, mut tree: T) -> Contestant {
        let mut nodes: Vec<*mut u8> = Vec::with_capacity(self.parents.len() + 1);
        Contestant::new(name, move |turns| {
            let mut parts = [Some(Duration::ZERO), None, Some(Duration::ZERO)];
            for _ in 0..turns {
                let start = Instant::now();
                let root = tree.node(null_mut());
                nodes.push(root);
                for &parent in &self.parents {
                    let node = tree.node(nodes[parent as usize]);
                    nodes.push(node);
                }
                let built = Instant::now();
                let sum = tree.walk(root);
                let walked = Instant::now();
                tree.free(root);
                let freed = Instant::now();
                add(&mut parts[0], built - start);
                add(&mut parts[2], freed - walked);
                if let Some(sum) = sum {
                    assert_eq!(sum, nodes.len() as u64, "{name}: the walk sees every node");
                    add(&mut parts[1], walked - built);
                }
                nodes.clear();
            }
            Sample { ops: turns * (self.parents.len() as u64 + 1), parts }
        })
    }
}

fn add(part: &mut Option<Duration>, time: Duration) {
    *part = Some(part.unwrap_or_default() + time);
}

/// Hang one leaf below a root and take it off again.
#[derive(Clone)]
struct Leaf;

impl Work for Leaf {
    fn contestant<T: Tree>(self, name: &'static str, tree: T) -> Contestant {
        let mut rooted = Rooted::new(tree);
        Contestant::each(name, move || {
            let leaf = rooted.tree.node(rooted.root);
            rooted.tree.free(std::hint::black_box(leaf));
        })
    }
}

struct Rooted<T: Tree> {
    tree: T,
    root: *mut u8,
}

impl<T: Tree> Rooted<T> {
    fn new(mut tree: T) -> Rooted<T> {
        let root = tree.node(null_mut());
        Rooted { tree, root }
    }
}

impl<T: Tree> Drop for Rooted<T> {
    fn drop(&mut self) {
        self.tree.free(self.root);
    }
}
