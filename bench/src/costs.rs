//! What kmem's own parts cost: freeing by handle, being able to shred, the header, making a pool.

use std::ffi::c_void;
use std::hint::black_box;
use std::ptr::null_mut;

use kmem::raw::{Cell, Handle, Pool};

use crate::kmem_c::Kmem;
use crate::measure::{Contestant, Row};
use crate::names;
use crate::peers::peers;

const SIZE: usize = 64;
const MILLION: usize = 1_000_000;
/// Handles that are made before any of them is freed. A handle that is copied right after it was made, word by word and
/// in larger pieces, waits for its own stores: the processor's doing more than `kmfree`'s.
const HELD: usize = 64;

const METHODS: [Method; 4] = [Method::Heap, Method::Ref, Method::Pool, Method::Tree];

#[derive(Clone, Copy)]
enum Method {
    Heap,
    Ref,
    Pool,
    Tree,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Method::Heap => "heap",
            Method::Ref => "ref",
            Method::Pool => "pool",
            Method::Tree => "tree",
        }
    }
}

pub fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("pool", "kmpooli+kmpoolx", (SIZE, MILLION), names::POOL_STATIC, make_and_tear_down),
        Row::new("cost", "header", (SIZE, 1), names::GLIBC, header),
    ];
    for method in METHODS {
        let op = format!("kmfree {}", method.name());
        rows.push(Row::new("cost", op.clone(), (SIZE, 1), names::DIRECT, move || by_handle(method, 1)));
        rows.push(Row::new("cost", op, (SIZE, HELD), names::DIRECT, move || by_handle(method, HELD)));
    }
    for method in METHODS {
        let op = format!("shred check {}", method.name());
        rows.push(Row::new("cost", op, (SIZE, 1), "noshred", move || with_and_without_shred(method)));
    }
    rows
}

fn make_and_tear_down() -> Vec<Contestant> {
    let pair = |name, kmem: Kmem| {
        Contestant::each(name, move || {
            // SAFETY: the null source is the heap, and nothing is drawn from the pool.
            unsafe { (kmem.kmpoolx)(black_box((kmem.kmpooli)(null_mut(), SIZE, MILLION))) }
        })
    };
    let mut all = vec![pair(names::POOL_STATIC, Kmem::linked())];
    all.extend(peers().kmem_mimalloc.map(|kmem| pair("kmem pool, mimalloc beneath", kmem)));
    all
}

fn header() -> Vec<Contestant> {
    let kmem = Kmem::linked();
    let heap = Contestant::each(names::HEAP_STATIC, move || {
        // SAFETY: the cell is freed once.
        unsafe { (kmem.kmheapf)(black_box((kmem.kmheapa)(SIZE))) }
    });
    let malloc = Contestant::each(names::GLIBC, || {
        // SAFETY: the block is freed once.
        unsafe { libc::free(black_box(libc::malloc(SIZE))) }
    });
    vec![heap, malloc]
}

/// A build of kmem with a pool and a tree's root to allocate from.
struct Stores {
    kmem: Kmem,
    pool: *mut Pool,
    root: *mut c_void,
}

impl Stores {
    fn new(kmem: Kmem) -> Stores {
        // SAFETY: the null source is the heap, and the null parent makes a root.
        unsafe {
            let root = (kmem.kmtreea)(null_mut(), null_mut(), 0);
            Stores { kmem, pool: (kmem.kmpooli)(null_mut(), SIZE, HELD), root }
        }
    }

    #[inline(always)]
    fn handle(&self, method: Method) -> Handle {
        let heap: *mut Cell = null_mut();
        // SAFETY: the null source is the heap; pool and root are live.
        unsafe {
            match method {
                Method::Heap => (self.kmem.kmheapao)(SIZE),
                Method::Ref => (self.kmem.kmrefao)(heap, SIZE),
                Method::Pool => (self.kmem.kmpoolao)(self.pool, SIZE),
                Method::Tree => (self.kmem.kmtreeao)(heap, self.root, SIZE),
            }
        }
    }

    #[inline(always)]
    fn data(&self, method: Method) -> *mut c_void {
        let heap: *mut Cell = null_mut();
        // SAFETY: as for handles.
        unsafe {
            match method {
                Method::Heap => (self.kmem.kmheapa)(SIZE),
                Method::Ref => (self.kmem.kmrefa)(heap, SIZE),
                Method::Pool => (self.kmem.kmpoola)(self.pool),
                Method::Tree => (self.kmem.kmtreea)(heap, self.root, SIZE),
            }
        }
    }

    /// # Safety
    /// `data` came from this method of these stores and is not used any more.
    #[inline(always)]
    unsafe fn free(&self, method: Method, data: *mut c_void) {
        // SAFETY: the contract is the caller's.
        unsafe {
            match method {
                Method::Heap => (self.kmem.kmheapf)(data),
                Method::Ref => (self.kmem.kmreff)(data),
                Method::Pool => (self.kmem.kmpoolf)(data),
                Method::Tree => drop((self.kmem.kmtreef)(data)),
            }
        }
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        // SAFETY: both were made by `new`, and nothing is left in them.
        unsafe {
            (self.kmem.kmpoolx)(self.pool);
            (self.kmem.kmtreef)(self.root);
        }
    }
}

/// Both allocate handles, so that only the frees differ.
fn by_handle(method: Method, held: usize) -> Vec<Contestant> {
    let kmfree = free_each(names::KMFREE, method, held, |stores, handle| {
        // SAFETY: each handle is freed once.
        unsafe { (stores.kmem.kmfree)(handle) }
    });
    let direct = free_each(names::DIRECT, method, held, move |stores, handle| {
        // SAFETY: each cell is freed once.
        unsafe { stores.free(method, handle.data.cast()) }
    });
    vec![kmfree, direct]
}

fn free_each(
    name: &'static str,
    method: Method,
    held: usize,
    free: impl Fn(&Stores, Handle) + 'static,
) -> Contestant {
    let stores = Stores::new(Kmem::linked());
    let mut handles: Vec<Handle> = Vec::with_capacity(held);
    Contestant::batch(name, held as u64, move || {
        handles.extend(std::iter::repeat_with(|| stores.handle(method)).take(held));
        black_box(handles.as_mut_ptr());
        for handle in handles.drain(..).rev() {
            free(&stores, handle);
        }
    })
}

fn with_and_without_shred(method: Method) -> Vec<Contestant> {
    let pair = |name, kmem| {
        let stores = Stores::new(kmem);
        Contestant::each(name, move || {
            let data = black_box(stores.data(method));
            // SAFETY: the cell is freed once.
            unsafe { stores.free(method, data) };
        })
    };
    let peers = peers();
    let builds = [("as built", peers.kmem_shared), ("noshred", peers.kmem_noshred)];
    builds.into_iter().filter_map(|(name, kmem)| Some(pair(name, kmem?))).collect()
}
