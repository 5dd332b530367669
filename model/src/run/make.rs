//! Makes cells, nodes, arrays, copies and pools.

use std::cell::Cell;
use std::ptr::{null, null_mut};

use kmem::Kind;
use kmem::raw::pool;
use kmem::raw::ptr::At;

use super::callbacks::ALIVE;
use super::{MOST, Run};
use crate::face::{Ask, Face, Words};
use crate::memory;
use crate::op::{Form, Kinds, Method};
use crate::things::{self, Buffer, Id, Object, Origin, Store};

impl<F: Face> Run<F> {
    pub(super) fn alive(&mut self, object: Object, parent: Option<Id>) {
        let id = self.things.id();
        assert!(!object.data.is_null());
        ALIVE.with_borrow_mut(|alive| alive.insert(object.data.addr(), (id, object.size)));
        unsafe { things::fill(id, object.data, object.size) };
        if let Some(parent) = parent {
            self.things.link(parent, id);
        }
        self.last = Some(id);
        self.things.objects.insert(id, object);
    }

    pub(super) fn make(&mut self, method: Method, source: u8, parent: u8, form: &Form) {
        if self.things.objects.len() >= MOST {
            return;
        }
        let kind = match method {
            Method::Heap => Kind::Heap,
            Method::Ref => Kind::Ref,
            Method::Tree => Kind::Tree,
        };
        let origin = if kind == Kind::Heap { Origin::Heap } else { self.origin(source) };
        let ask = Self::ask(form);
        if kind != Kind::Heap && (88..96).contains(&source) {
            return self.refuse_source(kind, parent, &ask);
        }
        let parent = match kind {
            Kind::Tree if parent & 7 != 0 => self.node(parent),
            _ => None,
        };
        let block = things::block(kind, ask.size, ask.align, form.drop, ask.name.is_some());
        let expected = block.map_or(Some(false), |block| self.serves(origin, block));
        let src = self.things.cell(origin);
        let above = parent.map_or(null_mut(), |parent| self.things.node_data(parent));
        let data = self.attempt(expected, || unsafe { F::make(kind, src, above, &ask) });
        if data.is_null() {
            return;
        }
        assert_eq!(data.addr() % ask.align.max(16), 0, "the alignment");
        assert!(!ask.zero || unsafe { zero(data, ask.size) }, "zeroed data");
        self.did(kind_name(kind));
        let Ask { size, align, name, .. } = ask;
        let (drop, ends) = (form.drop, form.drop);
        let object = Object { align, name, drop, ends, ..Object::new(kind, data, size, origin) };
        self.alive(object, parent);
    }

    /// Makes an array or a copy.
    pub(super) fn text(&mut self, method: Kinds, source: u8, parent: u8, what: Words, (n, of): (usize, u8)) {
        if self.things.objects.len() >= MOST {
            return;
        }
        let kind = match method {
            Kinds::Heap => Kind::Heap,
            Kinds::Ref => Kind::Ref,
            Kinds::Tree => Kind::Tree,
            Kinds::Pool => Kind::Pool,
        };
        let origin = match kind {
            Kind::Heap => Origin::Heap,
            Kind::Pool => match self.store(source) {
                Some(store) => Origin::Pool(store),
                None => return,
            },
            _ => self.origin(source),
        };
        let parent = if kind == Kind::Tree && parent & 7 != 0 { self.node(parent) } else { None };
        let array = matches!(what, Words::Array | Words::Zeroed);
        let of = if array { usize::from(of) } else { 1 };
        let n = if array { n } else { n % 3000 };
        // The product may overflow.
        let room = if what.ends() { n.checked_add(1) } else { n.checked_mul(of) };
        let id = self.things.id() + 1;
        let mut bytes: Vec<u8> = (0..if array { 0 } else { n }).map(|at| things::byte(id, at)).collect();
        match what {
            Words::String => bytes.push(0),
            // More bytes than the call copies.
            Words::Part => bytes.extend(if of & 1 == 0 { [0x99, 0x99, 0] } else { [0; 3] }),
            _ => {}
        }
        let expected = match (room, origin) {
            (None, _) => Some(false),
            (Some(room), Origin::Pool(store)) if kind == Kind::Pool => self.has_cell(store, (room, 16)),
            (Some(room), _) => match things::block(kind, room, 0, false, false) {
                Some(block) => self.serves(origin, block),
                None => Some(false),
            },
        };
        let above = parent.map_or(null_mut(), |parent| self.things.node_data(parent));
        let at = At { src: self.things.cell(origin), parent: above, ..At::new(kind) };
        let from = if array { null() } else { bytes.as_ptr() };
        let data = self.attempt(expected, || unsafe { F::text(&at, what, n, of, from) });
        let (Some(room), false) = (room, data.is_null()) else { return };
        for (at, &byte) in bytes.iter().take(n).enumerate() {
            assert_eq!(unsafe { data.add(at).read() }, byte, "a copy");
        }
        assert!(!what.ends() || unsafe { data.add(n).read() } == 0, "the end of a string");
        assert!(what != Words::Zeroed || unsafe { zero(data, room) }, "an array of zeros");
        self.did(if array { "array" } else { "copy" });
        let size = if let (Kind::Pool, Origin::Pool(store)) = (kind, origin) {
            self.things.stores[&store].cellsz
        } else {
            room
        };
        self.alive(Object::new(kind, data, size, origin), parent);
    }

    /// A cell that is not a source is refused as one.
    pub(super) fn refuse_source(&mut self, kind: Kind, at: u8, ask: &Ask) {
        if let Some(id) = self.object(at, |object| matches!(object.kind, Kind::Tree | Kind::Ref | Kind::Heap))
        {
            let object = &self.things.objects[&id];
            let src = object.data.wrapping_sub(things::header(object.kind)).cast();
            let data = memory::kmem(|| unsafe { F::make(kind, src, null_mut(), ask) });
            assert!(data.is_null(), "a {} as a source of a {kind}", object.kind);
            self.did("refused as a source");
        }
    }

    pub(super) fn cell(&mut self, id: Id, form: &Form) {
        if self.things.objects.len() >= MOST {
            return;
        }
        let ask = Ask { name: None, any: false, ..Self::ask(&Form { drop: false, ..*form }) };
        let store = &self.things.stores[&id];
        let (of, size) = (store.pool, store.cellsz);
        let align = if ask.align <= 16 { 16 } else { ask.align };
        let expected = if ask.align > 16 && !ask.align.is_power_of_two() {
            Some(false)
        } else {
            self.has_cell(id, (ask.size, align))
        };
        let data = self.attempt(expected, || unsafe { F::cell(of, &ask) });
        if data.is_null() {
            return;
        }
        assert!(!ask.zero || unsafe { zero(data, size) }, "all of a zeroed cell is zero");
        assert_eq!(data.addr() % align, 0);
        self.did("cell");
        self.alive(Object::new(Kind::Pool, data, size, Origin::Pool(id)), None);
    }

    pub(super) fn pool(&mut self, source: u8, on_node: bool, form: &Form, cells: u8, grows: bool) {
        if self.things.stores.len() >= 12 {
            return;
        }
        let mut ask = Ask { zero: false, handle: false, name: None, any: false, ..Self::ask(form) };
        if cells & 3 == 3 && ask.size < 4096 {
            // Large cells take another path when they are freed, and serve large blocks.
            ask.size += 6000;
        }
        let host = if on_node { self.node(source) } else { None };
        let (origin, src) = match host {
            Some(node) => {
                (self.things.node_origin(node), self.things.node_data(node).wrapping_sub(64).cast())
            }
            None => {
                let origin = self.origin(source);
                (origin, self.things.cell(origin))
            }
        };
        // A growing pool begins small, so that it gets several blocks.
        let cells = usize::from(if grows { cells % 8 } else { cells });
        // The size of a pool's block is not modelled, except that an impossible one is refused.
        let bad = things::block(Kind::Pool, 0, ask.align, false, false).is_none()
            || cells > 0 && things::block(Kind::Pool, ask.size, ask.align, false, false).is_none();
        let expected = match origin {
            _ if bad => Some(false),
            Origin::Pool(of) if self.things.stores[&of].drop => Some(false),
            Origin::Pool(_) => None,
            _ => (ask.size < 1 << 16).then_some(true),
        };
        let made = self.attempt(expected, || unsafe { F::pool(src, &ask, cells, grows) });
        if made.is_null() {
            return;
        }
        assert_eq!(unsafe { (pool::capacity(made), pool::live(made)) }, (cells, 0));
        self.did(if host.is_some() { "hosted pool" } else { "pool" });
        let id = self.things.id();
        if let Some(node) = host {
            self.things.link(node, id);
        }
        let (cellsz, align, drop) = (ask.size, ask.align.max(16), form.drop);
        let name = ask.pool_name(grows);
        let store = Store {
            pool: made,
            cellsz,
            align,
            grows,
            tainted: false,
            drop,
            origin,
            hosted: host.is_some(),
            node_tainted: false,
            buffer: None,
            name,
            most: Cell::default(),
        };
        self.things.stores.insert(id, store);
    }

    pub(super) fn pool_in(&mut self, len: usize, skew: usize, form: &Form) {
        if self.things.stores.len() >= 12 {
            return;
        }
        let ask = Ask { zero: false, handle: false, name: None, any: false, ..Self::ask(form) };
        let len = len % 8192;
        let mut buffer = Buffer(vec![0; (len + skew).div_ceil(16) + 1].into_boxed_slice());
        let start = unsafe { buffer.0.as_mut_ptr().cast::<u8>().add(skew) };
        let made = self.attempt(None, || unsafe { F::pool_in(start, len, &ask) });
        if ask.align == 0 && ask.size < 4096 {
            assert_eq!(
                made.is_null(),
                pool::buffer_size(ask.size, 1) > len + 15 - (16 - skew % 16) % 16,
                "room for one"
            );
        }
        if made.is_null() {
            return;
        }
        let range = made.addr()..made.addr() + unsafe { (*made).cell.size };
        assert!(
            range.start >= start.addr() && range.end <= start.addr() + len,
            "a pool that leaves its buffer"
        );
        self.did("pool in a buffer");
        let id = self.things.id();
        let (cellsz, align, drop, origin) = (ask.size, ask.align.max(16), form.drop, Origin::Buffer);
        let name = ask.pool_name(false);
        let buffer = Some(buffer);
        let store = Store {
            pool: made,
            cellsz,
            align,
            grows: false,
            tainted: false,
            drop,
            origin,
            hosted: false,
            node_tainted: false,
            buffer,
            name,
            most: Cell::default(),
        };
        self.things.stores.insert(id, store);
    }
}

unsafe fn zero(data: *const u8, size: usize) -> bool {
    (0..size).all(|at| unsafe { data.add(at).read() } == 0)
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Heap => "heap cell",
        Kind::Ref => "counted cell",
        _ => "node",
    }
}
