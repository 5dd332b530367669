//! Trees: moves, hooks and adoptions.

use crate::op::{Adopted, Adoption};
use crate::things::{HOLDER, HOOK, Holder, Hook};

use super::callbacks::hooked;
use super::*;

/// An object that kmem did not allocate.
static STATICS: [u64; 4] = [0; 4];

impl<F: Face> Run<F> {
    fn hook_of(arg: u8) -> Destructor {
        let run: raw::DropFn = hooked::<F>;
        Destructor { run: Some(run), arg: std::ptr::without_provenance_mut(0x1000 + usize::from(arg & 3)) }
    }

    pub(super) fn place(&mut self, at: u8, to: u8, unchecked: bool) {
        let Some(id) = self.node_or_hosted(at) else { return };
        let parent = if to & 7 == 0 { None } else { self.node(to) };
        let below = parent.is_some_and(|parent| self.things.is_within(parent, id));
        // An object that owns itself through counted cells is never freed.
        if !below && parent.is_some_and(|parent| self.things.owners(parent).contains(&id)) {
            return;
        }
        let circular = self.things.is_circular(id, parent);
        let data = self.things.node_data(id);
        let above = parent.map_or(null_mut(), |parent| self.things.node_data(parent));
        let moved = memory::kmem(|| unsafe { F::place(data, above, unchecked && !below) });
        if below || circular {
            assert!(
                moved.is_null(),
                "a node moved below itself, or a pool below a node that was allocated from it"
            );
            return self.did(if circular { "move of a pool refused" } else { "move refused" });
        }
        assert_eq!(moved, data);
        let pool = self.things.stores.contains_key(&id);
        let tainted = pool && self.things.shreds(Origin::Pool(id));
        self.things.moved(id, parent);
        self.did(match (pool, parent) {
            (true, None) => "make a pool a root",
            (true, _) if tainted => "move a pool that is zeroed",
            (true, _) => "move a pool",
            (false, None) => "make a root",
            (false, _) => "move",
        });
    }

    pub(super) fn place_children(&mut self, from: u8, to: u8) {
        let (Some(from), Some(to)) = (self.node(from), self.node(to)) else { return };
        let children = self.things.past_hooks(from);
        let below = from != to && !children.is_empty() && self.things.is_within(to, from);
        let owners = self.things.owners(to);
        if from != to && !below && children.iter().any(|child| owners.contains(child)) {
            return;
        }
        let circular = from != to && children.iter().any(|&child| self.things.is_circular(child, Some(to)));
        let (data, target) = (self.things.node_data(from), self.things.node_data(to));
        let origin = self.things.node_origin(to);
        let elsewhere = |id: &Id| self.things.holders.get(id).is_some_and(|holder| holder.origin != origin);
        let stays = from != to && children.iter().any(elsewhere);
        let moved =
            self.attempt(Some(!below && !circular && !stays), || unsafe { F::place_children(data, target) });
        if moved.is_null() {
            return self.did("move refused");
        }
        assert_eq!(moved, target);
        if from == to || children.is_empty() {
            return;
        }
        if children.iter().any(|id| self.things.holders.contains_key(id)) {
            self.did("move what was adopted");
        }
        // Pools come before the pools that are there, and so the last pool moves first.
        let (pools, others): (Vec<Id>, Vec<Id>) =
            children.into_iter().partition(|child| self.things.stores.contains_key(child));
        for child in others.into_iter().chain(pools.into_iter().rev()) {
            self.things.moved(child, Some(to));
        }
        self.did("move children");
    }

    pub(super) fn empty(&mut self, id: Id) -> bool {
        let children = self.things.past_hooks(id);
        let going: Vec<Id> = children.iter().flat_map(|&child| self.things.felled(child)).collect();
        let Some(plan) = self.things.plan(&going, false) else { return false };
        let data = self.things.node_data(id);
        self.going(&plan, || {
            unsafe { F::empty(data) };
            null_mut()
        });
        if !children.is_empty() {
            self.did("empty");
        }
        true
    }

    pub(super) fn hook(&mut self, at: u8, arg: u8) {
        let Some(id) = self.node(at) else { return };
        if self.things.hooks.len() >= MOST {
            return;
        }
        let (origin, data) = (self.things.node_origin(id), self.things.node_data(id));
        let hook = Self::hook_of(arg);
        let expected = self.serves(origin, HOOK);
        if self.attempt(expected, || unsafe { F::hook(data, hook) }).is_null() {
            return;
        }
        let new = self.things.id();
        self.things.hooks.insert(new, Hook { arg: hook.arg.addr(), origin });
        self.things.link_first(id, new);
        self.did("hook");
    }

    pub(super) fn unhook(&mut self, at: u8, arg: u8) {
        let Some(id) = self.node(at) else { return };
        let hook = Self::hook_of(arg);
        let is = |id: &&Id| self.things.hooks.get(id).is_some_and(|found| found.arg == hook.arg.addr());
        let found = self.things.children(id).iter().find(is).copied();
        let data = self.things.node_data(id);
        assert_eq!(memory::kmem(|| unsafe { F::unhook(data, hook) }), found.is_some(), "a hook");
        ENDED.with_borrow(|ended| assert_eq!(*ended, [(0, 0, 0); 0], "a hook ran when it was removed"));
        if let Some(found) = found {
            self.things.remove(found);
            self.did("unhook");
        }
    }

    pub(super) fn adopt(&mut self, at: u8, object: u8, what: Adoption) {
        let Some(id) = self.node(at) else { return };
        if self.things.holders.len() >= MOST {
            return;
        }
        let Some((adopted, handle)) = self.to_adopt(object, what) else { return };
        let data = self.things.node_data(id);
        if let Some(node) = adopted.filter(|&id| self.things.is_node(id)) {
            return self.adopt_node(id, node, handle);
        }
        let below = adopted.is_some_and(|object| self.things.is_within(id, object));
        if !below && adopted.is_some_and(|object| self.things.owners(id).contains(&object)) {
            return;
        }
        let origin = self.things.node_origin(id);
        let expected = if below { Some(false) } else { self.serves(origin, HOLDER) };
        let kept = self.attempt(expected, || unsafe { F::adopt(data, handle) });
        if kept.is_null() {
            return self.did("adopt refused");
        }
        assert_eq!(kept, handle.data);
        let new = self.things.id();
        self.things.holders.insert(new, Holder { held: adopted, handle, origin });
        self.things.link(id, new);
        self.did(match what.what {
            Adopted::Ref => "adopt a reference",
            Adopted::Static => "adopt a static",
            _ => "adopt",
        });
    }

    /// An object that may be adopted, or `None` for one that kmem did not allocate, and its handle.
    pub(super) fn to_adopt(&self, object: u8, what: Adoption) -> Option<(Option<Id>, Handle)> {
        let found = |is: &dyn Fn(Kind) -> bool| {
            let free =
                |(&id, object): (&Id, &Object)| (is(object.kind) && self.things.owned(id)).then_some(id);
            let found: Vec<Id> = self.things.objects.iter().filter_map(free).collect();
            (!found.is_empty()).then(|| found[usize::from(object) % found.len()])
        };
        let adopted = match what.what {
            Adopted::Static => None,
            Adopted::Node => self.node_or_hosted(object),
            Adopted::Cell => found(&|kind| matches!(kind, Kind::Heap | Kind::Pool)),
            Adopted::Ref => found(&|kind| kind == Kind::Ref),
        };
        let handle = match adopted {
            Some(id) if self.things.is_node(id) => unsafe { tree::handle(self.things.node_data(id)) },
            Some(id) => {
                let object = &self.things.objects[&id];
                unsafe { face::handle(object.kind, object.data) }
            }
            None if what.what == Adopted::Static => {
                ptr::stat((&raw const STATICS[usize::from(object & 3)]).cast())
            }
            None => return None,
        };
        let handle = Handle {
            shred: what.tainted.into(),
            cell: if what.bare { null_mut() } else { handle.cell },
            ..handle
        };
        Some((adopted, handle))
    }

    fn adopt_node(&mut self, id: Id, node: Id, handle: Handle) {
        let within = self.things.is_within(id, node);
        if !within && self.things.owners(id).contains(&node) {
            return;
        }
        let below = within || self.things.is_circular(node, Some(id));
        let data = self.things.node_data(id);
        let kept = memory::kmem(|| unsafe { F::adopt(data, handle) });
        if below {
            assert!(kept.is_null(), "a node adopted a node above it");
            return self.did("adopt refused");
        }
        assert_eq!(kept, handle.data);
        self.adopted_node(id, node, handle);
        self.did("adopt a tree");
    }

    /// Links a node below another, or below a counted cell.
    pub(super) fn adopted_node(&mut self, id: Id, node: Id, handle: Handle) {
        self.things.moved(node, Some(id));
        if handle.shred != 0 {
            self.things.deep.insert(node);
            match self.things.objects.get_mut(&node) {
                Some(object) => object.tainted = true,
                None => self.things.stores.get_mut(&node).expect("a pool").node_tainted = true,
            }
        }
    }

    /// The handle that a release returns.
    pub(super) fn handle_of(&self, child: Id) -> Handle {
        match self.things.holders.get(&child) {
            Some(holder) => holder.handle,
            None => {
                let shred = self.things.deep.contains(&child).into();
                Handle { shred, ..unsafe { tree::handle(self.things.node_data(child)) } }
            }
        }
    }

    pub(super) fn release(&mut self, at: u8, which: u8, child: bool) {
        let Some(id) = self.node(at) else { return };
        let children = self.things.past_hooks(id);
        let data = if child && !children.is_empty() {
            self.things.data(children[usize::from(which) % children.len()])
        } else {
            match self.object(which, |_| true) {
                Some(object) => self.things.objects[&object].data,
                None => return,
            }
        };
        let found = children.iter().rev().copied().find(|&child| self.things.data(child) == data);
        let expected = found.map_or(Handle::NULL, |child| self.handle_of(child));
        let node = self.things.node_data(id);
        let given = memory::kmem(|| unsafe { F::release(node, data) });
        assert_eq!(given, expected, "the object that a node released");
        match found {
            Some(holder) if self.things.holders.contains_key(&holder) => {
                self.things.remove(holder);
                self.did("let go");
            }
            Some(child) => {
                self.things.moved(child, None);
                self.did("let a child go");
            }
            None => self.did("nothing to let go of"),
        }
    }

    /// Moves pools out of trees, and releases the objects of their nodes, where each keeps the other from being freed.
    pub(super) fn separate(&mut self) {
        let hosted = |things: &Things| {
            things.stores.iter().filter(|(_, store)| store.hosted).map(|(&id, _)| id).collect::<Vec<_>>()
        };
        for id in hosted(&self.things) {
            let data = self.things.node_data(id);
            memory::kmem(|| unsafe { F::place(data, null_mut(), false) });
            self.things.moved(id, None);
        }
        self.verify();
        for id in hosted(&self.things) {
            if self.things.stores.contains_key(&id) {
                self.empty(id);
            }
        }
        self.did("separate");
    }
}
