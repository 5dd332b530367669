//! What the model knows of every object and pool.

use std::collections::BTreeMap;
use std::ffi::CStr;

use kmem::Kind;
use kmem::raw::{Cell, Pool, Source, pool};

/// The number of a thing, counted up as they are made.
pub type Id = u32;

/// Where something was drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Heap,
    /// A source of the model's own.
    Custom(usize),
    /// A pool.
    Pool(Id),
    /// The caller's buffer.
    Buffer,
}

#[derive(Debug)]
pub struct Object {
    pub kind: Kind,
    pub data: *mut u8,
    /// Data bytes.
    pub size: usize,
    pub tainted: bool,
    pub refs: usize,
    /// Whether it has a destructor of its own.
    pub drop: bool,
    pub origin: Origin,
    pub parent: Option<Id>,
    /// The nodes, and pools, that hang below, in order.
    pub below: Vec<Id>,
}

#[derive(Debug)]
pub struct Store {
    pub pool: *mut Pool,
    pub cellsz: usize,
    pub align: usize,
    pub grows: bool,
    pub tainted: bool,
    pub drop: bool,
    pub origin: Origin,
    /// The node that it hangs below.
    pub host: Option<Id>,
    /// The buffer that it lies in.
    pub buffer: Option<Buffer>,
    /// What it is called.
    pub name: Option<&'static CStr>,
    /// The most cells that were in use at once.
    pub most: std::cell::Cell<usize>,
}

/// A buffer of the caller's.
#[derive(Debug)]
pub struct Buffer(pub Box<[u128]>);

/// Everything that is alive.
#[derive(Debug, Default)]
pub struct Things {
    pub objects: BTreeMap<Id, Object>,
    pub stores: BTreeMap<Id, Store>,
    pub sources: Vec<*mut Source>,
    next: Id,
}

/// Bytes of header before the data.
pub fn header(kind: Kind) -> usize {
    match kind {
        Kind::Tree => 64,
        Kind::Ref => 32,
        _ => 16,
    }
}

/// Bytes from the base of a block to its end, and its alignment; nothing where that is not possible.
pub fn block(kind: Kind, size: usize, align: usize, drop: bool) -> Option<(usize, usize)> {
    if align != 0 && (!align.is_power_of_two() || align > kmem::raw::MAX_ALIGN) {
        return None;
    }
    let align = align.max(16);
    let mut total = header(kind).max(align).checked_add(size)?;
    if drop {
        total = total.checked_next_multiple_of(8)?.checked_add(16)?;
    }
    (total <= isize::MAX as usize - align).then_some((total, align))
}

/// What an object's byte is: never zero nor even, so that no pointer to a cell can be read from it.
fn byte(id: Id, at: usize) -> u8 {
    (id.wrapping_mul(37) as u8).wrapping_add((at as u8).wrapping_mul(11)) | 0x81
}

/// Fills an object with what it is to hold.
pub unsafe fn fill(id: Id, data: *mut u8, size: usize) {
    for at in 0..size {
        unsafe { data.add(at).write(byte(id, at)) };
    }
}

/// Whether an object holds what it was filled with.
pub unsafe fn intact(id: Id, data: *mut u8, size: usize) -> bool {
    (0..size).all(|at| unsafe { data.add(at).read() } == byte(id, at))
}

/// Whether an object holds what it was filled with at its start and at its end, where neighbours would write.
pub unsafe fn borders_intact(id: Id, data: *mut u8, size: usize) -> bool {
    const BORDER: usize = 256;
    let holds = |at: usize| unsafe { data.add(at).read() } == byte(id, at);
    (0..size.min(BORDER)).all(holds) && (size.saturating_sub(BORDER)..size).all(holds)
}

impl Things {
    pub fn id(&mut self) -> Id {
        self.next += 1;
        self.next
    }

    /// The source as kmem is to be told it.
    pub fn cell(&self, origin: Origin) -> *mut Cell {
        match origin {
            Origin::Heap | Origin::Buffer => std::ptr::null_mut(),
            Origin::Custom(at) => self.sources[at].cast(),
            Origin::Pool(id) => self.stores[&id].pool.cast(),
        }
    }

    /// Whether all that is drawn from there is zeroed when it goes.
    pub fn shreds(&self, origin: Origin) -> bool {
        match origin {
            Origin::Heap | Origin::Buffer => false,
            Origin::Custom(at) => unsafe {
                (*self.sources[at]).cell.shred.load(std::sync::atomic::Ordering::Relaxed) != 0
            },
            Origin::Pool(id) => {
                let store = &self.stores[&id];
                let host = store.host.is_some_and(|node| self.objects[&node].tainted);
                store.tainted || host || self.shreds(store.origin)
            }
        }
    }

    /// The blocks that were drawn from a source: kmem's own count must be the same.
    pub fn drawn(&self, is: impl Fn(Origin) -> bool) -> usize {
        let objects = self.objects.values().filter(|object| is(object.origin)).count();
        let stores = self.stores.values().filter(|store| is(store.origin));
        objects
            + stores
                .map(|store| unsafe { pool::verify(store.pool) }.expect("a sound pool").blocks)
                .sum::<usize>()
    }

    /// Whether a pool may be torn down: nothing but cells of its own is drawn from it.
    pub fn may_end(&self, store: Id) -> bool {
        let from = |origin| origin == Origin::Pool(store);
        !self.objects.values().any(|object| object.kind != Kind::Pool && from(object.origin))
            && !self.stores.values().any(|store| from(store.origin))
    }

    /// The live cells of a pool.
    pub fn cells(&self, store: Id) -> Vec<Id> {
        let own = |object: &Object| object.kind == Kind::Pool && object.origin == Origin::Pool(store);
        self.objects.iter().filter(|(_, object)| own(object)).map(|(&id, _)| id).collect()
    }

    /// What goes with a node, itself last, in order.
    pub fn felled(&self, node: Id) -> Vec<Id> {
        let mut order = Vec::new();
        let mut open = vec![(node, 0)];
        while let Some((id, at)) = open.pop() {
            match self.objects.get(&id).and_then(|object| object.below.get(at)) {
                Some(&child) => {
                    open.push((id, at + 1));
                    open.push((child, 0));
                }
                None => order.push(id),
            }
        }
        order
    }
}
