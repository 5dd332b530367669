//! The state of the model: every object and pool.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;

use kmem::Kind;
use kmem::raw::{Cell, Handle, Pool, Source, pool};

/// The number of a thing, in the order of their allocation.
pub type Id = u32;

/// The source of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Heap,
    /// A custom source.
    Custom(usize),
    /// A pool.
    Pool(Id),
    /// The caller's buffer.
    Buffer,
}

#[derive(Clone, Copy, Debug)]
pub struct Object {
    pub kind: Kind,
    pub data: *mut u8,
    /// Data bytes.
    pub size: usize,
    /// The requested alignment.
    pub align: usize,
    /// The name. The name of a pool's cell is in the pool.
    pub name: Option<&'static CStr>,
    pub tainted: bool,
    pub refs: usize,
    /// True if it was made with a destructor.
    pub drop: bool,
    /// True if a destructor must run.
    pub ends: bool,
    /// True if it has a record.
    pub record: bool,
    /// True if it has a node for its adopted objects.
    pub owner: bool,
    pub origin: Origin,
    /// Spare bytes of its block.
    pub spare: usize,
}

impl Object {
    /// An object without options.
    pub fn new(kind: Kind, data: *mut u8, size: usize, origin: Origin) -> Object {
        let (align, name, tainted, refs, drop, spare) = (0, None, false, 1, false, 0);
        let (ends, record, owner) = (false, false, false);
        Object { kind, data, size, align, name, tainted, refs, drop, ends, record, owner, origin, spare }
    }

    /// The size and the alignment of a block for so many bytes of data without spare room, or `None` if they are impossible.
    pub fn tight(&self, size: usize) -> Option<(usize, usize)> {
        block(self.kind, size, self.align, self.drop, self.name.is_some())
    }

    /// The size of its block.
    pub fn block(&self) -> usize {
        self.tight(self.size).expect("a block").0 + self.spare
    }

    /// The number of bytes from its data on that are zeroed with it.
    pub fn zeroed(&self) -> usize {
        match self.origin {
            Origin::Pool(_) => self.size,
            _ => self.block() - self.offset(),
        }
    }

    /// The offset of its data in its block.
    pub fn offset(&self) -> usize {
        header(self.kind).max(self.align)
    }
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
    /// True if it is on a node.
    pub hosted: bool,
    /// True if that node is tainted.
    pub node_tainted: bool,
    /// Its buffer.
    pub buffer: Option<Buffer>,
    /// The name.
    pub name: Option<&'static CStr>,
    /// The peak number of live cells.
    pub most: std::cell::Cell<usize>,
}

/// A buffer for a pool.
#[derive(Debug)]
pub struct Buffer(pub Box<[u128]>);

/// A hook of a node.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// Its argument, which identifies it.
    pub arg: usize,
    pub origin: Origin,
}

/// The holder of an adopted object that is not a node.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    /// The object, or `None` if kmem did not allocate it.
    pub held: Option<Id>,
    /// The handle of the object.
    pub handle: Handle,
    pub origin: Origin,
}

/// Everything that is live. Objects, pools, hooks and holders share their numbers.
#[derive(Debug, Default)]
pub struct Things {
    pub objects: BTreeMap<Id, Object>,
    pub stores: BTreeMap<Id, Store>,
    pub hooks: BTreeMap<Id, Hook>,
    pub holders: BTreeMap<Id, Holder>,
    /// The parents of nodes, of pools on nodes, hooks and holders.
    pub above: BTreeMap<Id, Id>,
    /// The children, in order.
    below: BTreeMap<Id, Vec<Id>>,
    /// Nodes that are zeroed with everything below them.
    pub deep: BTreeSet<Id>,
    pub sources: Vec<*mut Source>,
    next: Id,
}

/// A thing that is freed, and the cells that are freed with it if it is a pool.
#[derive(Debug)]
pub struct Gone {
    pub id: Id,
    /// True if the call zeroes it.
    pub shred: bool,
    pub cells: Vec<Id>,
}

/// The effects of a free.
#[derive(Debug, Default)]
pub struct Plan {
    /// The freed things, in order.
    pub gone: Vec<Gone>,
    ids: BTreeSet<Id>,
    /// The number of dropped references by cell, and true if the cell becomes tainted.
    pub dropped: BTreeMap<Id, (usize, bool)>,
}

impl Plan {
    fn goes(&mut self, id: Id, shred: bool, cells: Vec<Id>) {
        self.ids.extend(cells.iter().chain([&id]));
        self.gone.push(Gone { id, shred, cells });
    }
}

/// The size of the header.
pub fn header(kind: Kind) -> usize {
    match kind {
        Kind::Tree => 64,
        Kind::Ref => 32,
        _ => 16,
    }
}

/// The size of a hook's block.
pub const HOOK: (usize, usize) = (80, 16);
/// The size of a cell's record.
pub const RECORD: (usize, usize) = (48, 16);
/// The size of the node above the objects that a cell owns.
pub const OWNER: (usize, usize) = (64, 16);
/// The size of a holder's block.
pub const HOLDER: (usize, usize) = (88, 16);

/// The number of bytes behind the data, for the destructor and the name.
pub fn behind(drop: bool, name: bool) -> usize {
    usize::from(drop) * 16 + usize::from(name) * 8
}

/// The size and the alignment of a block, or `None` if they are impossible.
pub fn block(kind: Kind, size: usize, align: usize, drop: bool, name: bool) -> Option<(usize, usize)> {
    if align != 0 && (!align.is_power_of_two() || align > kmem::raw::MAX_ALIGN) {
        return None;
    }
    let align = align.max(16);
    let mut total = header(kind).max(align).checked_add(size)?;
    if behind(drop, name) > 0 {
        total = total.checked_next_multiple_of(8)?.checked_add(behind(drop, name))?;
    }
    (size <= isize::MAX as usize - 4 * kmem::raw::MAX_ALIGN).then_some((total, align))
}

/// A byte of an object's contents. It is odd, so that no pointer to a cell can be read from it.
pub fn byte(id: Id, at: usize) -> u8 {
    (id.wrapping_mul(37) as u8).wrapping_add((at as u8).wrapping_mul(11)) | 0x81
}

/// Fills an object with its contents.
pub unsafe fn fill(id: Id, data: *mut u8, size: usize) {
    for at in 0..size {
        unsafe { data.add(at).write(byte(id, at)) };
    }
}

/// Returns true if an object has its contents.
pub unsafe fn intact(id: Id, data: *mut u8, size: usize) -> bool {
    (0..size).all(|at| unsafe { data.add(at).read() } == byte(id, at))
}

/// Returns true if an object has its contents at its start and its end, the likely places of a stray write.
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

    /// The source as an argument for kmem.
    pub fn cell(&self, origin: Origin) -> *mut Cell {
        match origin {
            Origin::Heap | Origin::Buffer => std::ptr::null_mut(),
            Origin::Custom(at) => self.sources[at].cast(),
            Origin::Pool(id) => self.stores[&id].pool.cast(),
        }
    }

    /// Returns true if every block of the source is zeroed when it is freed.
    pub fn shreds(&self, origin: Origin) -> bool {
        match origin {
            Origin::Heap | Origin::Buffer => false,
            Origin::Custom(at) => unsafe {
                (*self.sources[at]).cell.shred.load(std::sync::atomic::Ordering::Relaxed) != 0
            },
            Origin::Pool(id) => {
                let store = &self.stores[&id];
                let host = self.above.get(&id);
                let source = match host {
                    Some(&node) => self.node_tainted(node) || self.shreds(self.node_origin(node)),
                    None => !store.hosted && self.shreds(store.origin),
                };
                store.tainted || source
            }
        }
    }

    /// Returns true if all bytes of a pool are zeroed when it is destroyed.
    pub fn shreds_end(&self, id: Id) -> bool {
        let store = &self.stores[&id];
        self.shreds(Origin::Pool(id)) || store.hosted && (store.node_tainted || self.shreds(store.origin))
    }

    /// The number of live blocks from a source. kmem must count as many.
    pub fn drawn(&self, is: impl Fn(Origin) -> bool) -> usize {
        let more = |object: &Object| 1 + usize::from(object.record) + usize::from(object.owner);
        let objects = self.objects.values().filter(|object| is(object.origin)).map(more).sum::<usize>();
        let hooks = self.hooks.values().filter(|hook| is(hook.origin)).count();
        let holders = self.holders.values().filter(|holder| is(holder.origin)).count();
        let stores = self.stores.values().filter(|store| is(store.origin));
        objects
            + hooks
            + holders
            + stores
                .map(|store| unsafe { pool::verify(store.pool) }.expect("a sound pool").blocks)
                .sum::<usize>()
    }

    /// Returns true if the pool is the source of a block that is not its own cell.
    pub fn serves_others(&self, store: Id) -> bool {
        let from = |origin| origin == Origin::Pool(store);
        self.objects.values().any(|object| object.kind != Kind::Pool && from(object.origin))
            || self.stores.values().any(|store| from(store.origin))
            || self.hooks.values().any(|hook| from(hook.origin))
            || self.holders.values().any(|holder| from(holder.origin))
    }

    /// Returns true if a pool may be destroyed after these are freed: only its own cells that nothing owns are left.
    fn may_end(&self, store: Id, gone: &BTreeSet<Id>) -> bool {
        let left = |id: &Id, origin| origin == Origin::Pool(store) && !gone.contains(id);
        !self
            .objects
            .iter()
            .any(|(id, object)| left(id, object.origin) && (object.kind != Kind::Pool || self.held(*id) > 0))
            && !self.stores.iter().any(|(id, store)| left(id, store.origin))
            && !self.hooks.iter().any(|(id, hook)| left(id, hook.origin))
            && !self.holders.iter().any(|(id, holder)| left(id, holder.origin))
    }

    /// The number of nodes that have adopted an object.
    pub fn held(&self, object: Id) -> usize {
        self.holders.values().filter(|holder| holder.held == Some(object)).count()
    }

    /// Returns true if the program owns the object or a reference to it.
    pub fn owned(&self, id: Id) -> bool {
        let object = &self.objects[&id];
        self.held(id) < object.refs
    }

    /// Returns true if an object is a node, or a pool on one.
    pub fn is_node(&self, id: Id) -> bool {
        match self.objects.get(&id) {
            Some(object) => object.kind == Kind::Tree,
            None => self.stores.get(&id).is_some_and(|store| store.hosted),
        }
    }

    /// All nodes, including pools on nodes.
    pub fn nodes(&self) -> Vec<Id> {
        self.objects.keys().chain(self.stores.keys()).copied().filter(|&id| self.is_node(id)).collect()
    }

    pub fn node_data(&self, id: Id) -> *mut u8 {
        self.objects.get(&id).map_or_else(|| self.stores[&id].pool.cast(), |object| object.data)
    }

    pub fn node_origin(&self, id: Id) -> Origin {
        self.objects.get(&id).map_or_else(|| self.stores[&id].origin, |object| object.origin)
    }

    /// Returns true if a node is tainted. The node above the objects of a counted cell is not.
    pub fn node_tainted(&self, id: Id) -> bool {
        let tainted = |object: &Object| object.tainted && object.kind != Kind::Ref;
        self.objects.get(&id).map_or_else(|| self.stores[&id].node_tainted, tainted)
    }

    /// The data of a node or of an adopted object. A hook has none.
    pub fn data(&self, id: Id) -> *mut u8 {
        match (self.hooks.get(&id), self.holders.get(&id)) {
            (Some(_), _) => std::ptr::null_mut(),
            (_, Some(holder)) => holder.handle.data,
            _ => self.node_data(id),
        }
    }

    /// The parent of a node, unless that is the node above the objects of a counted cell.
    pub fn parent(&self, id: Id) -> Option<Id> {
        self.above.get(&id).copied().filter(|&above| self.is_node(above))
    }

    /// Everything above these, and the owners of it.
    pub fn owners(&self, id: Id) -> BTreeSet<Id> {
        let (mut found, mut open) = (BTreeSet::new(), vec![id]);
        while let Some(id) = open.pop() {
            if found.insert(id) {
                open.extend(self.above.get(&id));
                let holds = |(&holder, of): (&Id, &Holder)| (of.held == Some(id)).then_some(holder);
                open.extend(self.holders.iter().filter_map(holds));
            }
        }
        found
    }

    /// Everything below a node, hooks first.
    pub fn children(&self, id: Id) -> &[Id] {
        self.below.get(&id).map_or(&[], |below| below)
    }

    /// Everything below a node except hooks.
    pub fn past_hooks(&self, id: Id) -> Vec<Id> {
        self.children(id).iter().copied().filter(|child| !self.hooks.contains_key(child)).collect()
    }

    pub fn link(&mut self, parent: Id, child: Id) {
        self.above.insert(child, parent);
        // Pools come last, the newest of them first, but after the pools that were allocated from it.
        let before =
            |sibling: &&Id| self.stores.contains_key(*sibling) && !self.is_drawn_from(**sibling, child);
        let siblings = self.children(parent);
        let place = siblings.len() - siblings.iter().rev().take_while(before).count();
        self.below.entry(parent).or_default().insert(place, child);
    }

    pub fn link_first(&mut self, parent: Id, child: Id) {
        self.above.insert(child, parent);
        self.below.entry(parent).or_default().insert(0, child);
    }

    pub fn unlink(&mut self, child: Id) {
        if let Some(parent) = self.above.remove(&child) {
            self.below.get_mut(&parent).expect("children").retain(|&other| other != child);
        }
    }

    /// Moves a thing below another node, or makes it a root. A pool that is below that node already keeps its place.
    pub fn moved(&mut self, id: Id, parent: Option<Id>) {
        if self.stores.contains_key(&id) && parent.is_some() && self.above.get(&id) == parent.as_ref() {
            return;
        }
        if self.stores.contains_key(&id) && self.shreds(Origin::Pool(id)) {
            // A pool that left a tainted node is still zeroed.
            self.stores.get_mut(&id).expect("a pool").tainted = true;
        }
        self.unlink(id);
        if let Some(parent) = parent {
            self.link(parent, id);
        }
    }

    /// Returns true if a node is this one or below it.
    pub fn is_within(&self, mut id: Id, above: Id) -> bool {
        while id != above {
            match self.above.get(&id) {
                Some(&next) => id = next,
                None => return false,
            }
        }
        true
    }

    /// Returns true if a pool would be below a node that was allocated from it.
    pub fn is_circular(&self, pool: Id, parent: Option<Id>) -> bool {
        let above = |id: &Id| self.above.get(id).copied();
        self.stores.contains_key(&pool)
            && std::iter::successors(parent, above).any(|node| self.is_drawn_from(node, pool))
    }

    /// Returns true if a node was allocated from a pool, directly or through other pools.
    fn is_drawn_from(&self, node: Id, pool: Id) -> bool {
        let mut above = Some(node);
        while let Some(node) = above {
            let mut origin = self.node_origin(node);
            above = loop {
                let Origin::Pool(from) = origin else { break None };
                if from == pool {
                    return true;
                }
                let store = &self.stores[&from];
                if store.hosted {
                    break self.above.get(&from).copied();
                }
                origin = store.origin;
            };
        }
        false
    }

    /// Returns true if a thing is zeroed because a node above it is freed with it.
    fn is_below_deep(&self, id: Id, going: &[Id]) -> bool {
        let above = |id: &Id| self.above.get(id).copied().filter(|above| going.contains(above));
        std::iter::successors(Some(id), above).any(|id| self.deep.contains(&id))
    }

    /// Removes a freed thing and its links.
    pub fn remove(&mut self, id: Id) -> Option<Object> {
        self.unlink(id);
        self.below.remove(&id);
        self.deep.remove(&id);
        self.stores.remove(&id);
        self.hooks.remove(&id);
        self.holders.remove(&id);
        self.objects.remove(&id)
    }

    /// The effects of a free of these, or `None` if a pool would be freed before a block that was allocated from it.
    pub fn plan(&self, going: &[Id], shred: bool) -> Option<Plan> {
        let mut plan = Plan::default();
        self.add(&mut plan, going, shred)?;
        Some(plan)
    }

    /// Adds the effects of a free of these to a plan.
    fn add(&self, plan: &mut Plan, going: &[Id], shred: bool) -> Option<()> {
        for &id in going {
            let shred = shred || self.is_below_deep(id, going);
            match (self.holders.get(&id), self.objects.get(&id)) {
                (Some(holder), _) => {
                    if let Some(object) = holder.held {
                        self.drop_one(plan, object, shred || holder.handle.shred != 0)?;
                    }
                    plan.goes(id, shred, Vec::new());
                }
                (_, Some(_)) => self.drop_one(plan, id, shred)?,
                _ if self.stores.contains_key(&id) => {
                    if !self.may_end(id, &plan.ids) {
                        return None;
                    }
                    let cells = self.cells(id).into_iter().filter(|cell| !plan.ids.contains(cell));
                    plan.goes(id, shred, cells.collect());
                }
                _ => plan.goes(id, shred, Vec::new()),
            }
        }
        Some(())
    }

    /// Adds the free of an object, or of one reference to it.
    fn drop_one(&self, plan: &mut Plan, id: Id, shred: bool) -> Option<()> {
        let object = &self.objects[&id];
        if object.kind == Kind::Ref {
            let dropped = plan.dropped.entry(id).or_default();
            dropped.0 += 1;
            dropped.1 |= shred;
            if dropped.0 < object.refs {
                return Some(());
            }
        }
        let shred = shred || plan.dropped.get(&id).is_some_and(|dropped| dropped.1);
        if object.kind == Kind::Ref {
            let mut owned = self.felled(id);
            owned.pop();
            self.add(plan, &owned, shred || object.tainted)?;
        }
        plan.goes(id, shred, Vec::new());
        Some(())
    }

    /// The live cells of a pool.
    pub fn cells(&self, store: Id) -> Vec<Id> {
        let own = |object: &Object| object.kind == Kind::Pool && object.origin == Origin::Pool(store);
        self.objects.iter().filter(|(_, object)| own(object)).map(|(&id, _)| id).collect()
    }

    /// The things that are freed with a node, in order. The node is last.
    pub fn felled(&self, node: Id) -> Vec<Id> {
        let mut order = Vec::new();
        let mut open = vec![(node, 0)];
        while let Some((id, at)) = open.pop() {
            match self.children(id).get(at) {
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
