//! Resizes and appends.

use crate::face::{Appended, How};

use super::callbacks::STEP;
use super::*;

/// A resize, as the model expects it.
struct Change {
    /// The requested size, or `None` if it overflows.
    size: usize,
    /// The room that the block must have, at least the size.
    room: usize,
    /// True if a new block has room for half as many bytes again.
    half: bool,
    /// True if the handle is tainted.
    shred: bool,
    /// True if the call changes the object. It does not if the block has the room already.
    grows: bool,
    /// True if the call is valid.
    sound: bool,
}

impl<F: Face> Run<F> {
    /// An object that may move: nothing else has its address.
    fn movable(&self, at: u8) -> Option<Id> {
        let found = |id: &Id| self.things.owned(*id) || self.things.objects[id].kind == Kind::Pool;
        let found: Vec<Id> = self.things.objects.keys().copied().filter(found).collect();
        (!found.is_empty()).then(|| found[usize::from(at) % found.len()])
    }

    pub(super) fn resize(&mut self, at: u8, size: impl Fn(&Self, &Object) -> usize, how: How) {
        if at >= 248 {
            return self.resize_pool(at, how);
        }
        let Some(id) = self.movable(at) else { return };
        let Object { kind, data, size: old, .. } = self.things.objects[&id];
        let size = size(self, &self.things.objects[&id]);
        let change =
            Change { size, room: size, half: false, shred: how == How::Tainted, grows: true, sound: true };
        let keeps = |now: *mut u8| unsafe { things::intact(id, now, size.min(old)) };
        self.change(id, &change, keeps, || unsafe { F::resize(kind, data, size, how) });
    }

    /// A size close to the object's own, or to the most that its pool allows.
    pub(super) fn close_to(&self, object: &Object, by: i8) -> usize {
        let Object { kind, size, align, drop, name, origin, .. } = *object;
        match origin {
            Origin::Pool(store) if kind != Kind::Pool && by & 1 != 0 => {
                let rest = things::header(kind).max(align) + things::behind(drop, name.is_some());
                self.things.stores[&store].cellsz.saturating_sub(rest).saturating_add_signed((by >> 4).into())
            }
            _ => size.saturating_add_signed(by.into()),
        }
    }

    /// Checks that a node with a pool is not resized.
    fn resize_pool(&mut self, at: u8, how: How) {
        if let Some(id) = self.node_or_hosted(at).filter(|id| self.things.stores.contains_key(id)) {
            let data = self.things.node_data(id);
            let now = memory::kmem(|| unsafe { F::resize(Kind::Tree, data, 10_000, how) });
            assert!(now.is_null(), "the node of a pool was resized");
            self.did("resize of a pool");
        }
    }

    pub(super) fn append(&mut self, at: u8, what: Appended, (n, place, own): (u8, u8, bool), how: How) {
        let Some(id) = self.movable(at) else { return };
        let Object { kind, data, size, .. } = self.things.objects[&id];
        if what == Appended::Reserve {
            // Sometimes larger than memory, or the size of a pool's cell.
            let room = if own { usize::MAX >> (n & 3) } else { usize::from(n) * 8 + usize::from(place & 7) };
            let room = if kind == Kind::Pool && n & 1 == 0 { size } else { room };
            let change = Change {
                size,
                room: room.max(size),
                half: false,
                shred: how == How::Tainted,
                grows: true,
                sound: kind != Kind::Pool || room <= size,
            };
            let keeps = |now: *mut u8| unsafe { things::intact(id, now, size) };
            if self.change(id, &change, keeps, || unsafe { F::reserve(kind, data, room, how) }) {
                self.did("reserve");
            }
            return;
        }
        let string = what != Appended::Bytes;
        // Without a zero there is no string to append to.
        let held = if string { usize::from(place) * 7 % (size + 1) } else { size };
        let ended = held < size;
        let own = own && held > 0 && what != Appended::Room && (!string || ended);
        let (from, n) = match usize::from(n) {
            n if own && string => (held - n % (held + 1), n % (held + 1)),
            n if own => (held - n.min(held), n.min(held)),
            n => (held, n),
        };
        let mut bytes: Vec<u8> = (from..from + n).map(|at| things::byte(id, at)).collect();
        bytes.push(0);
        let pointer = if own { unsafe { data.add(from) } } else { bytes.as_mut_ptr() };
        let total = held + n + usize::from(string);
        let change = Change {
            size: total.max(size),
            room: total.max(size),
            half: true,
            shred: how == How::Tainted,
            grows: total > size,
            sound: ended || !string,
        };
        let appended = |now: *mut u8| unsafe {
            let bytes = &bytes[..n + usize::from(string)];
            things::intact(id, now, held) && std::slice::from_raw_parts(now.add(held), bytes.len()) == bytes
        };
        let put = |byte: u8| {
            if string && ended {
                unsafe { data.add(held).write(byte) };
            }
        };
        let done = self.change(id, &change, appended, || {
            put(0);
            let now = unsafe { F::append((kind, data, size), what, (pointer, n), how) };
            if now.is_null() {
                put(things::byte(id, held));
            }
            now
        });
        if done {
            self.did(if own { "append its own" } else { "append" });
        }
    }

    /// Makes a call that resizes an object, and checks the object and its former block.
    fn change(
        &mut self,
        id: Id,
        change: &Change,
        holds: impl Fn(*mut u8) -> bool,
        call: impl FnMut() -> *mut u8,
    ) -> bool {
        let object = self.things.objects[&id];
        let Object { kind, data, size: old, align, name, tainted, refs, drop, origin, .. } = object;
        let size = change.size;
        let zeroes = change.shred || tainted || self.things.shreds(origin);
        let tight = |size| object.tight(size).map(|block| block.0);
        let served = match origin {
            _ if kind == Kind::Pool => size <= old,
            Origin::Pool(store) => {
                tight(change.room).is_some_and(|new| new <= self.things.stores[&store].cellsz)
            }
            _ => tight(change.room).is_some_and(|new| new <= 1 << 28),
        };
        let expected = change.sound && (!change.grows || served && refs == 1);
        // The room of the block, the least room, and the room of a new block.
        let (has, needs) = (object.block(), tight(change.room));
        let wants = if change.half { tight(size.saturating_add(size.div_ceil(2))).or(needs) } else { needs };
        let pooled = kind == Kind::Pool || matches!(origin, Origin::Pool(_));
        let fits = needs.is_some_and(|needs| needs == has || needs < has && size >= old);
        let step = |block: usize| block.next_multiple_of(STEP);
        let granted = [wants, needs].into_iter().flatten().find(|&block| {
            origin == Origin::Custom(CUSTOM - 1) && block <= 1 << 30 && step(block) == step(has)
        });
        let stays = !change.grows || pooled || fits || granted.is_some();
        let mut ranges = Vec::new();
        if zeroes && !stays {
            ranges.push((data, object.zeroed()));
        } else if zeroes && size < old {
            // The slot and the name have moved into the bytes that were cut off.
            let behind = if kind == Kind::Pool { 0 } else { things::behind(drop, name.is_some()) };
            let (start, end) = if behind == 0 {
                (size, size)
            } else {
                (size.next_multiple_of(8), size.next_multiple_of(8) + behind)
            };
            ranges.push((data.wrapping_add(size), start.min(old) - size));
            ranges.push((data.wrapping_add(end), old.saturating_sub(end)));
        }
        assert!(unsafe { things::intact(id, data, old) }, "the contents of a {kind}");
        let asked = memory::asked();
        let (now, not_zeroed) = memory::zeroing(&ranges, || self.attempt(Some(expected), call));
        if now.is_null() {
            self.did("resize refused");
            return false;
        }
        // A cell that was cut before its source refused a new block stays in the old one.
        let cut = zeroes && size < old && origin == Origin::Custom(CUSTOM - 1) && !stays && now == data;
        if cut {
            assert!(memory::refused_between(asked, memory::asked()), "a cell that was cut did not move");
            self.did("cut and stays");
        } else {
            assert_eq!(not_zeroed.map(|at| ranges[at]), None, "bytes that should have been zeroed");
        }
        assert!(!stays || now == data, "a cell moved without need");
        assert_eq!(now.addr() % align.max(16), 0, "the alignment of a moved cell");
        assert!(holds(now), "the contents of a resized cell");
        ENDED.with_borrow(|ended| assert_eq!(*ended, [(0, 0, 0); 0], "a destructor ran on a live object"));
        let size = if kind == Kind::Pool { old } else { size };
        ALIVE.with_borrow_mut(|alive| {
            assert_eq!(alive.remove(&data.addr()), Some((id, old)));
            alive.insert(now.addr(), (id, size));
        });
        unsafe { things::fill(id, now, size) };
        let block = match granted {
            _ if pooled => needs.unwrap_or_default(),
            _ if !change.grows || fits || cut => has,
            Some(block) => block,
            None => {
                let given = GIVEN.with_borrow(|given| given.get(&(now.addr() - object.offset())).copied());
                given.map_or_else(memory::last, |given| given.1)
            }
        };
        if !stays && !cut && Some(block) != wants {
            let refused = memory::refused_between(asked, memory::asked()) || wants > Some(1 << 28);
            assert!(
                refused && Some(block) == needs,
                "a block of {block} bytes, and not {wants:?} or {needs:?}"
            );
            self.did("no more than is needed");
        }
        let object = self.things.objects.get_mut(&id).expect("an object");
        (object.data, object.size) = (now, size);
        object.spare = if pooled { 0 } else { block - tight(size).expect("a block") };
        let below = kind == Kind::Tree && !self.things.children(id).is_empty();
        self.did(match (stays, zeroes, now == data) {
            (true, true, _) => "resize in place what is zeroed",
            (true, false, _) => "resize in place",
            (false, true, _) => "resize what is zeroed",
            (false, false, _) if below => "resize a parent",
            _ => "resize",
        });
        true
    }
}
