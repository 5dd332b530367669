//! Objects that counted cells own, and destructors that are set later.

use crate::op::{Adopted, Adoption};
use crate::things::{HOLDER, Holder, OWNER, RECORD};

use super::*;

impl<F: Face> Run<F> {
    /// Sets the destructor of a heap cell or of a counted cell with one reference, or removes it.
    pub(super) fn hook_late(&mut self, at: u8, on: bool) {
        let only =
            |object: &Object| object.kind == Kind::Heap || object.kind == Kind::Ref && object.refs == 1;
        let Some(id) = self.object(at, only) else { return };
        let object = self.things.objects[&id];
        let run: Option<raw::DropFn> = if on { Some(ended::<F>) } else { None };
        let hook = Destructor { run, arg: std::ptr::without_provenance_mut(ARG) };
        let needs = on && !object.drop && !object.record;
        let expected = if needs { self.serves(object.origin, RECORD) } else { Some(true) };
        let (kind, data) = (object.kind, object.data);
        if self.attempt(expected, || unsafe { F::hook_late(kind, data, hook) }).is_null() {
            return;
        }
        let object = self.things.objects.get_mut(&id).expect("an object");
        object.record |= needs;
        object.ends = on;
        self.did(if on { "set a destructor" } else { "take a destructor away" });
    }

    /// A counted cell with one reference, which the program owns.
    fn only_ref(&self, at: u8) -> Option<Id> {
        let found: Vec<Id> = self.things.objects.keys().copied().filter(|&id| self.is_only_ref(id)).collect();
        (!found.is_empty()).then(|| found[usize::from(at) % found.len()])
    }

    fn is_only_ref(&self, id: Id) -> bool {
        let object = &self.things.objects[&id];
        object.kind == Kind::Ref && object.refs == 1 && self.things.owned(id)
    }

    pub(super) fn own(&mut self, at: u8, object: u8, what: Adoption) {
        let Some(id) = self.only_ref(at) else { return };
        if self.things.holders.len() >= MOST {
            return;
        }
        let Some((adopted, handle)) = self.to_adopt(object, what) else { return };
        let node = adopted.filter(|&id| self.things.is_node(id));
        let owner = self.things.objects[&id];
        let circular = node.is_some_and(|node| self.things.is_circular(node, Some(id)));
        let mut needs = if node.is_some() { vec![] } else { vec![HOLDER] };
        needs.extend((!owner.owner).then_some(OWNER));
        needs.extend((!owner.record).then_some(RECORD));
        let serves = |largest: (usize, usize)| self.serves_all(owner.origin, largest, needs.len());
        // A block that is allocated and freed in one call shows only in the peak of a pool.
        let expected = if circular || adopted == Some(id) {
            Some(false)
        } else {
            needs.iter().copied().max().map_or(Some(true), serves)
        };
        self.gives_back = true;
        let kept = self.attempt(expected, || unsafe { F::own(owner.data, handle) });
        self.gives_back = false;
        self.catch_up();
        if kept.is_null() {
            return self.did("own refused");
        }
        assert_eq!(kept, handle.data);
        let origin = owner.origin;
        let owner = self.things.objects.get_mut(&id).expect("an object");
        (owner.record, owner.owner) = (true, true);
        if let Some(node) = node {
            self.adopted_node(id, node, handle);
            return self.did("own a tree");
        }
        let new = self.things.id();
        self.things.holders.insert(new, Holder { held: adopted, handle, origin });
        self.things.link(id, new);
        self.did(if what.what == Adopted::Ref { "own a reference" } else { "own" });
    }

    pub(super) fn disown(&mut self, at: u8, which: u8) {
        let owns = |id: &Id| self.is_only_ref(*id) && !self.things.children(*id).is_empty();
        let owners: Vec<Id> = self.things.objects.keys().copied().filter(owns).collect();
        let any = || self.object(at, |object| object.kind == Kind::Ref);
        let Some(id) =
            (if owners.is_empty() || at < 32 { any() } else { Some(owners[usize::from(at) % owners.len()]) })
        else {
            return;
        };
        let children = self.things.children(id).to_vec();
        let object = if children.is_empty() {
            std::ptr::dangling_mut()
        } else {
            self.things.data(children[usize::from(which) % children.len()])
        };
        let found = children.iter().rev().copied().find(|&child| self.things.data(child) == object);
        let found = found.filter(|_| self.things.objects[&id].refs == 1);
        let expected = found.map_or(Handle::NULL, |child| self.handle_of(child));
        let data = self.things.objects[&id].data;
        let given = memory::kmem(|| unsafe { F::disown(data, object) });
        assert_eq!(given, expected, "the object that a cell released");
        match found {
            Some(holder) if self.things.holders.contains_key(&holder) => {
                self.things.remove(holder);
                self.did("disown");
            }
            Some(child) => {
                self.things.moved(child, None);
                self.did("disown a tree");
            }
            None => self.did("nothing to disown"),
        }
    }
}
