//! What the model knows of every object and pool.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;

use kmem::Kind;
use kmem::raw::{Cell, Handle, Pool, Source, pool};

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

#[derive(Clone, Copy, Debug)]
pub struct Object {
    pub kind: Kind,
    pub data: *mut u8,
    /// Data bytes.
    pub size: usize,
    /// The alignment that was asked for.
    pub align: usize,
    /// What it is called; of a pool's cell that is the pool's affair.
    pub name: Option<&'static CStr>,
    pub tainted: bool,
    pub refs: usize,
    /// Whether it has a destructor of its own.
    pub drop: bool,
    /// Whether a destructor is to run.
    pub ends: bool,
    /// Whether it has a record.
    pub record: bool,
    /// Whether it has a node for what it owns.
    pub owner: bool,
    pub origin: Origin,
    /// Bytes that its block has to spare.
    pub spare: usize,
}

impl Object {
    /// A plain one.
    pub fn new(kind: Kind, data: *mut u8, size: usize, origin: Origin) -> Object {
        let (align, name, tainted, refs, drop, spare) = (0, None, false, 1, false, 0);
        let (ends, record, owner) = (false, false, false);
        Object { kind, data, size, align, name, tainted, refs, drop, ends, record, owner, origin, spare }
    }

    /// The bytes of its block where it has so many bytes of data and none to spare, and the alignment; nothing where that is not
    /// possible.
    pub fn tight(&self, size: usize) -> Option<(usize, usize)> {
        block(self.kind, size, self.align, self.drop, self.name.is_some())
    }

    /// The bytes of its block.
    pub fn block(&self) -> usize {
        self.tight(self.size).expect("a block").0 + self.spare
    }

    /// Bytes from its data on that are zeroed with it: all of a block of its own.
    pub fn zeroed(&self) -> usize {
        match self.origin {
            Origin::Pool(_) => self.size,
            _ => self.block() - self.offset(),
        }
    }

    /// Bytes from the base of its block to its data.
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
    /// Whether it lies in a node, and can have something above and below it.
    pub hosted: bool,
    /// Whether that node is tainted.
    pub node_tainted: bool,
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

/// A hook of the node that it hangs below.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// Its argument, by which it is known.
    pub arg: usize,
    pub origin: Origin,
}

/// What a node has adopted, if that is no node.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    /// The object, or nothing where that is not kmem's.
    pub held: Option<Id>,
    /// The handle that was given up.
    pub handle: Handle,
    pub origin: Origin,
}

/// Everything that is alive. Objects, pools, hooks and holders are numbered together.
#[derive(Debug, Default)]
pub struct Things {
    pub objects: BTreeMap<Id, Object>,
    pub stores: BTreeMap<Id, Store>,
    pub hooks: BTreeMap<Id, Hook>,
    pub holders: BTreeMap<Id, Holder>,
    /// What a node, pool on a node, hook or holder hangs below.
    pub above: BTreeMap<Id, Id>,
    /// What hangs below, in order.
    below: BTreeMap<Id, Vec<Id>>,
    /// Nodes that are zeroed with all that is below them.
    pub deep: BTreeSet<Id>,
    pub sources: Vec<*mut Source>,
    next: Id,
}

/// Something that goes, and with it, of a pool, cells that nobody else owns.
#[derive(Debug)]
pub struct Gone {
    pub id: Id,
    /// Whether who frees it says that it is to be zeroed.
    pub shred: bool,
    pub cells: Vec<Id>,
}

/// What a call that frees takes along.
#[derive(Debug, Default)]
pub struct Plan {
    /// In the order in which it goes.
    pub gone: Vec<Gone>,
    ids: BTreeSet<Id>,
    /// References that are dropped, and whether the cell is tainted by that.
    pub dropped: BTreeMap<Id, (usize, bool)>,
}

impl Plan {
    fn goes(&mut self, id: Id, shred: bool, cells: Vec<Id>) {
        self.ids.extend(cells.iter().chain([&id]));
        self.gone.push(Gone { id, shred, cells });
    }
}

/// Bytes of header before the data.
pub fn header(kind: Kind) -> usize {
    match kind {
        Kind::Tree => 64,
        Kind::Ref => 32,
        _ => 16,
    }
}

/// Bytes that a hook's block takes.
pub const HOOK: (usize, usize) = (80, 16);
/// Bytes that the record of a cell takes.
pub const RECORD: (usize, usize) = (48, 16);
/// Bytes that the node takes below which hangs what a cell owns.
pub const OWNER: (usize, usize) = (64, 16);
/// Bytes that the block of a holder takes.
pub const HOLDER: (usize, usize) = (88, 16);

/// Bytes behind the data: destructor, name.
pub fn behind(drop: bool, name: bool) -> usize {
    usize::from(drop) * 16 + usize::from(name) * 8
}

/// Bytes from the base of a block to its end, and its alignment; nothing where that is not possible.
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

/// What an object's byte is: never zero nor even, so that no pointer to a cell can be read from it.
pub fn byte(id: Id, at: usize) -> u8 {
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
                let host = self.above.get(&id);
                let source = match host {
                    Some(&node) => self.node_tainted(node) || self.shreds(self.node_origin(node)),
                    None => !store.hosted && self.shreds(store.origin),
                };
                store.tainted || source
            }
        }
    }

    /// Whether all bytes of a pool are zeroed when it goes.
    pub fn shreds_end(&self, id: Id) -> bool {
        let store = &self.stores[&id];
        self.shreds(Origin::Pool(id)) || store.hosted && (store.node_tainted || self.shreds(store.origin))
    }

    /// The blocks that were drawn from a source: kmem's own count must be the same.
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

    /// Whether something is drawn from a pool that is no cell of its own.
    pub fn serves_others(&self, store: Id) -> bool {
        let from = |origin| origin == Origin::Pool(store);
        self.objects.values().any(|object| object.kind != Kind::Pool && from(object.origin))
            || self.stores.values().any(|store| from(store.origin))
            || self.hooks.values().any(|hook| from(hook.origin))
            || self.holders.values().any(|holder| from(holder.origin))
    }

    /// Whether a pool may be torn down once these are gone: nothing but cells of its own that nobody owns is drawn from it.
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

    /// How many nodes have adopted an object.
    pub fn held(&self, object: Id) -> usize {
        self.holders.values().filter(|holder| holder.held == Some(object)).count()
    }

    /// Whether an object, or a reference to it, is the program's.
    pub fn owned(&self, id: Id) -> bool {
        let object = &self.objects[&id];
        self.held(id) < object.refs
    }

    /// Whether an object is a node, or a pool on one.
    pub fn is_node(&self, id: Id) -> bool {
        match self.objects.get(&id) {
            Some(object) => object.kind == Kind::Tree,
            None => self.stores.get(&id).is_some_and(|store| store.hosted),
        }
    }

    /// All nodes, pools on nodes among them.
    pub fn nodes(&self) -> Vec<Id> {
        self.objects.keys().chain(self.stores.keys()).copied().filter(|&id| self.is_node(id)).collect()
    }

    pub fn node_data(&self, id: Id) -> *mut u8 {
        self.objects.get(&id).map_or_else(|| self.stores[&id].pool.cast(), |object| object.data)
    }

    pub fn node_origin(&self, id: Id) -> Origin {
        self.objects.get(&id).map_or_else(|| self.stores[&id].origin, |object| object.origin)
    }

    /// Whether a node is tainted; that of what a counted cell owns is not.
    pub fn node_tainted(&self, id: Id) -> bool {
        let tainted = |object: &Object| object.tainted && object.kind != Kind::Ref;
        self.objects.get(&id).map_or_else(|| self.stores[&id].node_tainted, tainted)
    }

    /// The data that a node, or what hangs below one, has for the program; of a hook none.
    pub fn data(&self, id: Id) -> *mut u8 {
        match (self.hooks.get(&id), self.holders.get(&id)) {
            (Some(_), _) => std::ptr::null_mut(),
            (_, Some(holder)) => holder.handle.data,
            _ => self.node_data(id),
        }
    }

    /// The node that a node hangs below, if that is not what a counted cell has for what it owns.
    pub fn parent(&self, id: Id) -> Option<Id> {
        self.above.get(&id).copied().filter(|&above| self.is_node(above))
    }

    /// What would be freed with one of these, or with what they are owned by: all above it, and those that hold it.
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

    /// All that hangs below a node, hooks first.
    pub fn children(&self, id: Id) -> &[Id] {
        self.below.get(&id).map_or(&[], |below| below)
    }

    /// All that hangs below a node and is no hook.
    pub fn past_hooks(&self, id: Id) -> Vec<Id> {
        self.children(id).iter().copied().filter(|child| !self.hooks.contains_key(child)).collect()
    }

    pub fn link(&mut self, parent: Id, child: Id) {
        self.above.insert(child, parent);
        // Pools lie behind all others, the one that came last before the rest, but behind those that were drawn from it.
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

    /// Puts something below another node, or makes it a root. A pool stays in its place where it is there already.
    pub fn moved(&mut self, id: Id, parent: Option<Id>) {
        if self.stores.contains_key(&id) && parent.is_some() && self.above.get(&id) == parent.as_ref() {
            return;
        }
        if self.stores.contains_key(&id) && self.shreds(Origin::Pool(id)) {
            // What was to be zeroed still is.
            self.stores.get_mut(&id).expect("a pool").tainted = true;
        }
        self.unlink(id);
        if let Some(parent) = parent {
            self.link(parent, id);
        }
    }

    /// Whether a node is this one or lies below it.
    pub fn is_within(&self, mut id: Id, above: Id) -> bool {
        while id != above {
            match self.above.get(&id) {
                Some(&next) => id = next,
                None => return false,
            }
        }
        true
    }

    /// Whether a pool would hang at or below a node that was drawn from it: no source outlives itself.
    pub fn is_circular(&self, pool: Id, parent: Option<Id>) -> bool {
        let above = |id: &Id| self.above.get(id).copied();
        self.stores.contains_key(&pool)
            && std::iter::successors(parent, above).any(|node| self.is_drawn_from(node, pool))
    }

    /// Whether a node was drawn from a pool, if only by way of others.
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

    /// Whether something that goes with these is zeroed because of what goes above it.
    fn is_below_deep(&self, id: Id, going: &[Id]) -> bool {
        let above = |id: &Id| self.above.get(id).copied().filter(|above| going.contains(above));
        std::iter::successors(Some(id), above).any(|id| self.deep.contains(&id))
    }

    /// Takes something out that is gone, with what is known of its place.
    pub fn remove(&mut self, id: Id) -> Option<Object> {
        self.unlink(id);
        self.below.remove(&id);
        self.deep.remove(&id);
        self.stores.remove(&id);
        self.hooks.remove(&id);
        self.holders.remove(&id);
        self.objects.remove(&id)
    }

    /// What goes with these, in this order; nothing where a pool would go before what it served.
    pub fn plan(&self, going: &[Id], shred: bool) -> Option<Plan> {
        let mut plan = Plan::default();
        self.add(&mut plan, going, shred)?;
        Some(plan)
    }

    /// Adds what goes with these to a plan.
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

    /// An object goes, or one reference to it.
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

    /// What goes with a node, itself last, in order.
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
