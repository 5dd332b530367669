//! Libraries of trees: kmem through its faces, talloc, APR.

use std::ffi::c_void;
use std::ptr::null_mut;

use kmem::raw::{self, Node};

use super::PAYLOAD;
use crate::kmem_c::{Kmem, linked};
use crate::peers;

/// A library that makes trees.
pub trait Tree: 'static {
    /// A node below `parent`, or a root where that is null, with its payload's first word set to 1.
    fn node(&mut self, parent: *mut u8) -> *mut u8;

    /// Frees a node and all below it.
    fn free(&mut self, node: *mut u8);

    /// The sum of all payloads' first words, where the library documents links to go along.
    fn walk(&self, _root: *mut u8) -> Option<u64> {
        None
    }
}

/// # Safety
/// `data` has room for a word, aligned.
#[inline(always)]
unsafe fn touch(data: *mut u8) -> *mut u8 {
    // SAFETY: the caller vouches for the room.
    unsafe { data.cast::<u64>().write(1) };
    data
}

/// Goes along the links that the header documents.
fn walk(root: *mut u8) -> u64 {
    let header = |data: *mut u8| data.wrapping_sub(size_of::<Node>()).cast::<Node>();
    let root = header(root);
    let mut node = root;
    let mut sum = 0;
    // SAFETY: the root is a live node, and the links of live nodes are null or live; each payload has been set.
    unsafe {
        loop {
            sum += node.add(1).cast::<u64>().read();
            if !(*node).child.is_null() {
                node = (*node).child;
                continue;
            }
            while node != root && (*node).next.is_null() {
                node = (*node).parent;
            }
            if node == root {
                return sum;
            }
            node = (*node).next;
        }
    }
}

/// The raw engine, inlined, over the Rust allocator.
pub struct Raw;

impl Tree for Raw {
    #[inline(always)]
    fn node(&mut self, parent: *mut u8) -> *mut u8 {
        // SAFETY: the null source is the heap; the parent is null or live.
        unsafe { touch(raw::tree::a(null_mut(), parent, PAYLOAD)) }
    }

    #[inline(always)]
    fn free(&mut self, node: *mut u8) {
        // SAFETY: the node is live and not used any more.
        unsafe { raw::tree::f(node) };
    }

    fn walk(&self, root: *mut u8) -> Option<u64> {
        Some(walk(root))
    }
}

/// The raw engine with its nodes drawn from a pool that stays.
pub struct Pooled(*mut raw::Pool);

impl Pooled {
    pub fn new(nodes: usize) -> Pooled {
        // SAFETY: the null source is the heap.
        Pooled(unsafe { raw::pool::i(null_mut(), size_of::<Node>() + PAYLOAD, nodes) })
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        // SAFETY: the pool was made by `new`, and every tree in it is gone.
        unsafe { raw::pool::x(self.0) }
    }
}

impl Tree for Pooled {
    #[inline(always)]
    fn node(&mut self, parent: *mut u8) -> *mut u8 {
        // SAFETY: the pool is live and has room for every node; the parent is null or live.
        unsafe { touch(raw::tree::a(self.0.cast(), parent, PAYLOAD)) }
    }

    #[inline(always)]
    fn free(&mut self, node: *mut u8) {
        // SAFETY: the node is live and not used any more.
        unsafe { raw::tree::f(node) };
    }

    fn walk(&self, root: *mut u8) -> Option<u64> {
        Some(walk(root))
    }
}

/// The raw engine, each tree in an arena of its own.
pub struct InArena {
    /// Where the blocks of the arenas are from: the heap, or an arena that stays.
    src: *mut raw::Arena,
    /// Bytes of the first block.
    first: usize,
}

impl InArena {
    pub fn on_heap() -> InArena {
        InArena { src: null_mut(), first: 0 }
    }

    pub fn kept(nodes: usize) -> InArena {
        let first = nodes * (size_of::<Node>() + PAYLOAD) + 4096;
        // SAFETY: the null source is the heap.
        InArena { src: unsafe { raw::arena::i(null_mut(), first + 4096) }, first }
    }
}

impl Drop for InArena {
    fn drop(&mut self) {
        // SAFETY: the arena is null or was made by `kept`, and every tree in it is gone.
        unsafe { raw::arena::x(self.src) }
    }
}

impl Tree for InArena {
    #[inline(always)]
    fn node(&mut self, parent: *mut u8) -> *mut u8 {
        // SAFETY: the source is the heap or live; the parent is null or live.
        unsafe {
            touch(if parent.is_null() {
                raw::tree::i(self.src.cast(), parent, PAYLOAD, self.first)
            } else {
                raw::tree::a(raw::tree::same(), parent, PAYLOAD)
            })
        }
    }

    #[inline(always)]
    fn free(&mut self, node: *mut u8) {
        // SAFETY: the node is live and not used any more.
        unsafe { raw::tree::f(node) };
    }
}

/// The C library, each tree in an arena of its own.
pub struct InArenaC;

impl Tree for InArenaC {
    #[inline(always)]
    fn node(&mut self, parent: *mut u8) -> *mut u8 {
        // SAFETY: the null source is the heap; the parent is null or live.
        unsafe {
            touch(if parent.is_null() {
                linked::kmtreei(null_mut(), parent.cast(), PAYLOAD, 0).cast()
            } else {
                linked::kmtreea(linked::kmsame(), parent.cast(), PAYLOAD).cast()
            })
        }
    }

    #[inline(always)]
    fn free(&mut self, node: *mut u8) {
        // SAFETY: the node is live and not used any more.
        unsafe { linked::kmtreef(node.cast()) };
    }
}

/// No library: nodes one after the other in an array, each linked as the last child of its parent, as the engine does.
pub struct Array {
    nodes: Vec<[u8; size_of::<Node>() + PAYLOAD]>,
}

impl Array {
    pub fn new(nodes: usize) -> Array {
        Array { nodes: Vec::with_capacity(nodes) }
    }
}

impl Tree for Array {
    #[inline(always)]
    fn node(&mut self, parent: *mut u8) -> *mut u8 {
        assert!(self.nodes.len() < self.nodes.capacity());
        self.nodes.push([0; size_of::<Node>() + PAYLOAD]);
        let node: *mut Node = self.nodes.last_mut().expect("a node").as_mut_ptr().cast();
        // SAFETY: the array does not move while it has room, a zeroed node has no links, and the parent is one of it.
        unsafe {
            if !parent.is_null() {
                let parent = parent.cast::<Node>().sub(1);
                let last = (*parent).lastchild;
                (*node).parent = parent;
                (*node).prev = last;
                *(if last.is_null() { &raw mut (*parent).child } else { &raw mut (*last).next }) = node;
                (*parent).lastchild = node;
            }
            touch(node.add(1).cast())
        }
    }

    #[inline(always)]
    fn free(&mut self, _: *mut u8) {
        self.nodes.clear();
    }

    fn walk(&self, root: *mut u8) -> Option<u64> {
        Some(walk(root))
    }
}

/// A build of the C library.
pub struct KmemC(pub Kmem);

impl Tree for KmemC {
    #[inline(always)]
    fn node(&mut self, parent: *mut u8) -> *mut u8 {
        // SAFETY: the null source is the heap; the parent is null or live.
        unsafe { touch((self.0.kmtreea)(null_mut(), parent.cast(), PAYLOAD).cast()) }
    }

    #[inline(always)]
    fn free(&mut self, node: *mut u8) {
        // SAFETY: the node is live and not used any more.
        unsafe { (self.0.kmtreef)(node.cast()) };
    }

    fn walk(&self, root: *mut u8) -> Option<u64> {
        Some(walk(root))
    }
}

/// talloc. Roots are made below `top`: nothing, or a pool that stays.
pub struct Talloc {
    talloc: peers::Talloc,
    top: *mut c_void,
}

impl Talloc {
    pub fn new(talloc: peers::Talloc) -> Talloc {
        Talloc { talloc, top: null_mut() }
    }

    pub fn in_pool(talloc: peers::Talloc, nodes: usize) -> Talloc {
        // talloc 2's header takes 96 bytes, and chunks are multiples of 16.
        const CHUNK: usize = 96 + PAYLOAD;
        // SAFETY: a null parent makes a root.
        Talloc { talloc, top: unsafe { (talloc.talloc_pool)(null_mut(), (nodes + 2) * CHUNK) } }
    }
}

impl Drop for Talloc {
    fn drop(&mut self) {
        if !self.top.is_null() {
            // SAFETY: it is the pool that `in_pool` made.
            unsafe { (self.talloc._talloc_free)(self.top, c"bench".as_ptr()) };
        }
    }
}

impl Tree for Talloc {
    #[inline(always)]
    fn node(&mut self, parent: *mut u8) -> *mut u8 {
        let parent = if parent.is_null() { self.top } else { parent.cast() };
        // SAFETY: the parent is null or live.
        unsafe { touch((self.talloc.talloc_named_const)(parent, PAYLOAD, c"node".as_ptr()).cast()) }
    }

    #[inline(always)]
    fn free(&mut self, node: *mut u8) {
        // SAFETY: the node is live and not used any more.
        unsafe { (self.talloc._talloc_free)(node.cast(), c"bench".as_ptr()) };
    }
}

/// APR with a sub-pool for each node; the sub-pool stands for the node.
pub struct AprTree(pub peers::Apr);

impl Tree for AprTree {
    #[inline(always)]
    fn node(&mut self, parent: *mut u8) -> *mut u8 {
        let pool = self.0.pool(parent.cast());
        // SAFETY: the pool has just been made.
        unsafe { touch((self.0.apr_palloc)(pool, PAYLOAD).cast()) };
        pool.cast()
    }

    #[inline(always)]
    fn free(&mut self, node: *mut u8) {
        // SAFETY: the node is a live pool that is not used any more.
        unsafe { (self.0.apr_pool_destroy)(node.cast()) }
    }
}
