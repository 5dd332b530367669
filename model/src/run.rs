//! The interpreter.

mod look;
mod own;
mod place;
mod size;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::ptr::{null, null_mut};
use std::sync::atomic::Ordering;

use arbitrary::{Arbitrary, Unstructured};
use kmem::Kind;
use kmem::fault::{self, Fault};
use kmem::raw::ptr::At;
use kmem::raw::{self, Destructor, FLAG_HOLD, FLAG_HOOK, Handle, Source, pool, ptr, refs, tree};

use crate::face::{self, Ask, Face, Way, Words};
use crate::memory;
use crate::op::{Form, Kinds, Method, Misuse, Op};
use crate::things::{self, Buffer, Id, Object, Origin, Plan, Store, Things};

/// No more objects than this at a time, so that a step stays short.
const MOST: usize = 80;
/// Sources of the model's own. The last one resizes, in steps of so many bytes.
const CUSTOM: usize = 2;
const STEP: usize = 64;

thread_local! {
    /// What is alive, by the address of its data: its number and size. For destructors, which know nothing else.
    static ALIVE: RefCell<HashMap<usize, (Id, usize)>> = RefCell::default();
    /// The destructors and hooks that have run, in order.
    static ENDED: RefCell<Vec<Ran>> = const { RefCell::new(Vec::new()) };
    /// What the custom sources gave: source, size and alignment by address.
    static GIVEN: RefCell<HashMap<usize, (usize, usize, usize)>> = RefCell::default();
    static FAULTS: RefCell<Vec<Fault>> = const { RefCell::new(Vec::new()) };
}

/// That a destructor or a hook ran: the data, the argument, and for a hook how much there was below its node.
type Ran = (usize, usize, usize);

/// What a sequence came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Requests that kmem made of the heap beneath and of the custom sources.
    pub requests: usize,
    /// Steps that did something, by name.
    pub steps: std::collections::BTreeMap<&'static str, usize>,
}

/// Turns `bytes` into calls of a face of kmem, and checks it against the model after each. Where a number is given, the
/// request of kmem with that number is refused; the call in which that happens must then change nothing, and succeed when
/// it is made again.
///
/// # Panics
/// Where kmem is not what the model says.
pub fn run<F: Face>(bytes: &[u8], refuse: Option<usize>) -> Outcome {
    fault::set_handler(Some(|fault| memory::model(|| FAULTS.with_borrow_mut(|seen| seen.push(*fault)))));
    ALIVE.take();
    ENDED.take();
    GIVEN.take();
    FAULTS.take();
    memory::restart(refuse);
    let mut run = Run::<F>::new();
    let mut bytes = Unstructured::new(bytes);
    while !bytes.is_empty() {
        let Ok(op) = Op::arbitrary(&mut bytes) else { break };
        if std::env::var_os("KMEM_MODEL_TRACE").is_some() {
            eprintln!("{op:?}");
        }
        run.step(op);
        run.verify();
    }
    run.finish();
    run.outcome.requests = memory::asked();
    run.outcome
}

/// [`run`]s what a fuzz target is given: the first two bytes say which request is refused, if any.
///
/// # Panics
/// As [`run`] does.
pub fn replay<F: Face>(bytes: &[u8]) -> Outcome {
    let bytes = Unstructured::new(bytes);
    match <(u16, &[u8])>::arbitrary_take_rest(bytes) {
        Ok((refuse, sequence)) => run::<F>(sequence, (refuse < 1000).then_some(refuse.into())),
        Err(_) => Outcome::default(),
    }
}

struct Run<F> {
    things: Things,
    last: Option<Id>,
    /// The cell of a pool that was freed last, and its pool.
    freed: Option<(*mut u8, Id)>,
    /// Whether the step draws more than one block, and gives back what it drew if it is refused.
    gives_back: bool,
    outcome: Outcome,
    face: PhantomData<F>,
}

unsafe extern "C-unwind" fn take(source: *mut Source, size: usize, align: usize) -> *mut c_void {
    assert!(align >= 16 && align.is_power_of_two() && size > 0);
    let block = unsafe { std::alloc::alloc(behind(source, size, align)) };
    memory::model(|| {
        if !block.is_null() {
            let before =
                GIVEN.with_borrow_mut(|given| given.insert(block.addr(), (source.addr(), size, align)));
            assert_eq!(before, None, "the heap gave a block twice");
        }
    });
    block.cast()
}

unsafe extern "C-unwind" fn give(source: *mut Source, block: *mut c_void, size: usize, align: usize) {
    memory::model(|| {
        let given = GIVEN.with_borrow_mut(|given| given.remove(&block.addr()));
        assert_eq!(given, Some((source.addr(), size, align)), "a block went back as it was not drawn");
    });
    unsafe { std::alloc::dealloc(block.cast(), behind(source, size, align)) };
}

/// The layout of the block behind what a source gives.
fn behind(source: *mut Source, size: usize, align: usize) -> std::alloc::Layout {
    let resizes = unsafe { (*source).resize.is_some() };
    let size = if resizes && size < isize::MAX as usize / 2 { size.next_multiple_of(STEP) } else { size };
    std::alloc::Layout::from_size_align(size, align).expect("a layout")
}

unsafe extern "C-unwind" fn resize(
    source: *mut Source,
    block: *mut c_void,
    from: usize,
    to: usize,
    align: usize,
) -> c_int {
    memory::model(|| {
        GIVEN.with_borrow_mut(|given| {
            let there = given.get_mut(&block.addr()).expect("a block of this source");
            assert_eq!(*there, (source.addr(), from, align), "a block that is resized as it was not drawn");
            let same = behind(source, from, align) == behind(source, to, align);
            if same {
                there.1 = to;
            }
            same.into()
        })
    })
}

/// The destructor of everything that has one: writes down that it ran, with the contents still there, and uses kmem.
unsafe extern "C-unwind" fn ended<F: Face>(data: *mut c_void, arg: *mut c_void) {
    memory::model(|| {
        assert_eq!(arg.addr(), ARG, "the destructor got another argument");
        let known = ALIVE.with_borrow(|alive| alive.get(&data.addr()).copied());
        let (id, size) = known.expect("the destructor of what is alive");
        assert!(
            unsafe { things::intact(id, data.cast(), size) },
            "contents were gone before the destructor ran"
        );
        ENDED.with_borrow_mut(|ended| ended.push((data.addr(), ARG, 0)));
    });
    use_kmem::<F>();
}

/// The hook of everything that has one. All that is below the node is there.
unsafe extern "C-unwind" fn hooked<F: Face>(data: *mut c_void, arg: *mut c_void) {
    memory::model(|| {
        match ALIVE.with_borrow(|alive| alive.get(&data.addr()).copied()) {
            Some((id, size)) => {
                assert!(
                    unsafe { things::intact(id, data.cast(), size) },
                    "contents were gone before a hook ran"
                );
            }
            None => {
                unsafe { pool::verify(data.cast()) }.expect("a sound pool");
            }
        }
        let below = unsafe { tree::below(data.cast()) };
        ENDED.with_borrow_mut(|ended| ended.push((data.addr(), arg.addr(), below)));
    });
    use_kmem::<F>();
}

fn use_kmem<F: Face>() {
    let ask = Ask { size: 40, align: 0, zero: true, drop: None, handle: false, name: None, any: false };
    unsafe {
        let scratch = F::make(Kind::Heap, null_mut(), null_mut(), &ask);
        F::free(Kind::Heap, scratch, Way::Free);
    }
}

const ARG: usize = 0xA46;
/// What cells are called.
const NAMES: [&CStr; 2] = [c"line", c"a \"quoted\" \\name\n\x80"];

impl<F: Face> Run<F> {
    fn new() -> Self {
        let mut things = Things::default();
        for _ in 0..CUSTOM {
            let place = Box::into_raw(Box::<Source>::new_uninit()).cast::<Source>();
            let resizes = things.sources.len() == CUSTOM - 1;
            unsafe { F::source(place, take, give, resizes.then_some(resize)) };
            things.sources.push(place);
        }
        Run {
            things,
            last: None,
            freed: None,
            gives_back: false,
            outcome: Outcome::default(),
            face: PhantomData,
        }
    }

    fn did(&mut self, what: &'static str) {
        *self.outcome.steps.entry(what).or_default() += 1;
    }

    fn ask(form: &Form) -> Ask {
        let run: raw::DropFn = ended::<F>;
        let drop =
            form.drop.then_some(Destructor { run: Some(run), arg: std::ptr::without_provenance_mut(ARG) });
        let name = NAMES.get(usize::from(form.name & 7)).copied();
        let any = form.name & 8 != 0;
        Ask { size: form.size.0, align: form.align.0, zero: form.zero, drop, handle: form.handle, name, any }
    }

    fn origin(&self, at: u8) -> Origin {
        let at = usize::from(at);
        // Pools more often than anything else: they are what is most to be got wrong.
        match self.things.stores.len() {
            stores if at >= 96 && stores > 0 => {
                Origin::Pool(*self.things.stores.keys().nth(at % stores).expect("a pool"))
            }
            _ if at & 3 == 0 => Origin::Custom(at / 4 % CUSTOM),
            _ => Origin::Heap,
        }
    }

    fn object(&self, at: u8, is: impl Fn(&Object) -> bool) -> Option<Id> {
        let found: Vec<Id> =
            self.things.objects.iter().filter(|(_, object)| is(object)).map(|(&id, _)| id).collect();
        (!found.is_empty()).then(|| found[usize::from(at) % found.len()])
    }

    fn owned(&self, at: u8) -> Option<Id> {
        let found: Vec<Id> =
            self.things.objects.keys().copied().filter(|&id| self.things.owned(id)).collect();
        (!found.is_empty()).then(|| found[usize::from(at) % found.len()])
    }

    fn node(&self, at: u8) -> Option<Id> {
        let found = self.things.nodes();
        (!found.is_empty()).then(|| found[usize::from(at) % found.len()])
    }

    /// A node, of which pools are a good part.
    fn node_or_hosted(&self, at: u8) -> Option<Id> {
        let hosted = |(&id, store): (&Id, &Store)| store.hosted.then_some(id);
        let found: Vec<Id> = self.things.stores.iter().filter_map(hosted).collect();
        if at < 160 || found.is_empty() { self.node(at) } else { Some(found[usize::from(at) % found.len()]) }
    }

    fn store(&self, at: u8) -> Option<Id> {
        let stores = &self.things.stores;
        (!stores.is_empty()).then(|| *stores.keys().nth(usize::from(at) % stores.len()).expect("a pool"))
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Make { method, source, parent, form } => self.make(method, source, parent, &form),
            Op::Cell { pool, form } => {
                if let Some(store) = self.store(pool) {
                    self.cell(store, &form);
                }
            }
            Op::Pool { source, on_node, form, cells, grows } => {
                self.pool(source, on_node, &form, cells, grows)
            }
            Op::PoolIn { len, skew, form } => self.pool_in(usize::from(len), usize::from(skew), &form),
            Op::Free { at, way } => {
                if let Some(id) = self.owned(at) {
                    self.free(id, way);
                }
            }
            Op::FreeLast { way } => {
                let there = |id: &Id| self.things.objects.contains_key(id) && self.things.owned(*id);
                if let Some(id) = self.last.filter(there) {
                    self.free(id, way);
                }
            }
            Op::EndPool { at, way } => {
                if let Some(store) = self.store(at) {
                    self.end_pool(store, way);
                }
            }
            Op::Up { at } => {
                if let Some(id) = self.object(at, |object| object.kind == Kind::Ref) {
                    let object = self.things.objects.get_mut(&id).expect("an object");
                    let data = object.data;
                    object.refs += 1;
                    assert_eq!(memory::kmem(|| unsafe { F::up(data) }), data);
                    self.did("up");
                }
            }
            Op::Taint { at } => {
                if let Some(id) = self.object(at, |_| true) {
                    let object = self.things.objects.get_mut(&id).expect("an object");
                    let (kind, data) = (object.kind, object.data);
                    object.tainted = true;
                    memory::kmem(|| unsafe { F::taint(kind, data) });
                    self.did("taint");
                }
            }
            Op::Rename { at, name } => {
                if let Some(id) = self.object(at, |_| true) {
                    let name = NAMES[usize::from(name) % NAMES.len()];
                    let object = self.things.objects.get_mut(&id).expect("an object");
                    let (kind, data) = (object.kind, object.data);
                    let room = object.name.is_some() && kind != Kind::Pool;
                    if room {
                        object.name = Some(name);
                    }
                    assert_eq!(
                        memory::kmem(|| unsafe { F::rename(kind, data, name) }),
                        room,
                        "room for a name"
                    );
                    self.did("rename");
                }
            }
            Op::TaintSource { at } => self.taint_source(at),
            Op::Misuse { at, how } => self.misuse(at, how),
            Op::Node { parent, form } => self.make(Method::Tree, parent & 63, parent | 1, &form),
            Op::Text { method, source, parent, what, size, of } => {
                self.text(method, source, parent, what, (size.0, of))
            }
            Op::Resize { at, size, how } => self.resize(at, |_, _| size.0, how),
            Op::Adjust { at, by, how } => self.resize(at, |run, object| run.close_to(object, by), how),
            Op::Append { at, what, len, place, own, how } => self.append(at, what, (len, place, own), how),
            Op::Move { at, to, unchecked } => self.place(at, to, unchecked),
            Op::MoveChildren { from, to } => self.place_children(from, to),
            Op::Empty { at } => {
                if let Some(id) = self.node(at) {
                    self.empty(id);
                }
            }
            Op::Hook { at, arg } => self.hook(at, arg),
            Op::Unhook { at, arg } => self.unhook(at, arg),
            Op::Adopt { at, object, what } => self.adopt(at, object, what),
            Op::Release { at, which, child } => self.release(at, which, child),
            Op::HookLate { at, on } => self.hook_late(at, on),
            Op::Own { at, object, what } => self.own(at, object, what),
            Op::Disown { at, which } => self.disown(at, which),
            Op::Look { at, depth, pool: false } => self.look(at, depth),
            Op::Look { at, pool: true, .. } => self.look_at_pool(at),
        }
    }

    /// Calls what may be refused, and calls it again where it was on purpose. `expected` is whether it is to succeed,
    /// where that is known.
    fn attempt<T>(&mut self, expected: Option<bool>, mut call: impl FnMut() -> *mut T) -> *mut T {
        let before = memory::asked();
        let mut made = memory::kmem(&mut call);
        if made.is_null() && memory::refused_between(before, memory::asked()) {
            self.did("refused on purpose");
            if self.gives_back {
                self.catch_up();
            }
            self.verify();
            made = memory::kmem(call);
        }
        if let Some(expected) = expected {
            assert_eq!(!made.is_null(), expected, "whether there was memory");
        }
        if made.is_null() {
            self.did("refused");
        }
        made
    }

    /// Takes over what pools had in use at once, from a step that draws and gives back again if it is refused.
    fn catch_up(&self) {
        for store in self.things.stores.values() {
            store.most.set(store.most.get().max(unsafe { pool::peak(store.pool) }));
        }
    }

    /// Whether a source has a block of this size, where that is known.
    fn serves(&self, origin: Origin, (size, align): (usize, usize)) -> Option<bool> {
        match origin {
            Origin::Heap | Origin::Custom(_) | Origin::Buffer => Some(size <= 1 << 28),
            Origin::Pool(id) if self.things.stores[&id].drop => Some(false),
            Origin::Pool(id) => self.has_cell(id, (size, align)),
        }
    }

    /// Whether a source has so many blocks of this size at once, where that is known.
    fn serves_all(&self, origin: Origin, block: (usize, usize), blocks: usize) -> Option<bool> {
        match (origin, blocks) {
            (_, 0) => Some(true),
            (Origin::Pool(id), 2..) if self.serves(origin, block) == Some(true) => {
                let store = &self.things.stores[&id];
                let census = unsafe { pool::verify(store.pool) }.expect("a sound pool");
                let has = census.free + census.unused >= blocks;
                (has || !store.grows).then_some(has)
            }
            _ => self.serves(origin, block),
        }
    }

    /// Whether a pool has a cell that holds so much.
    fn has_cell(&self, id: Id, (size, align): (usize, usize)) -> Option<bool> {
        let store = &self.things.stores[&id];
        if size > store.cellsz || align > store.align {
            return Some(false);
        }
        let census = unsafe { pool::verify(store.pool) }.expect("a sound pool");
        if census.free + census.unused > 0 {
            return Some(true);
        }
        match store.origin {
            _ if !store.grows => Some(false),
            Origin::Pool(_) => None,
            _ => (store.cellsz < 1 << 16).then_some(true),
        }
    }

    fn alive(&mut self, object: Object, parent: Option<Id>) {
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

    fn make(&mut self, method: Method, source: u8, parent: u8, form: &Form) {
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

    /// Makes an array or a copy of something.
    fn text(&mut self, method: Kinds, source: u8, parent: u8, what: Words, (n, of): (usize, u8)) {
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
        // More than there is, or more than can be counted.
        let room = if what.ends() { n.checked_add(1) } else { n.checked_mul(of) };
        let id = self.things.id() + 1;
        let mut bytes: Vec<u8> = (0..if array { 0 } else { n }).map(|at| things::byte(id, at)).collect();
        match what {
            Words::String => bytes.push(0),
            // More than is to be copied.
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

    /// What has cells but is no source is refused as one.
    fn refuse_source(&mut self, kind: Kind, at: u8, ask: &Ask) {
        if let Some(id) = self.object(at, |object| matches!(object.kind, Kind::Tree | Kind::Ref | Kind::Heap))
        {
            let object = &self.things.objects[&id];
            let src = object.data.wrapping_sub(things::header(object.kind)).cast();
            let data = memory::kmem(|| unsafe { F::make(kind, src, null_mut(), ask) });
            assert!(data.is_null(), "a {} as a source of a {kind}", object.kind);
            self.did("refused as a source");
        }
    }

    fn cell(&mut self, id: Id, form: &Form) {
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

    fn pool(&mut self, source: u8, on_node: bool, form: &Form, cells: u8, grows: bool) {
        if self.things.stores.len() >= 12 {
            return;
        }
        let mut ask = Ask { zero: false, handle: false, name: None, any: false, ..Self::ask(form) };
        if cells & 3 == 3 && ask.size < 4096 {
            // Cells that lie far apart are kept otherwise when they come back, and serve large blocks.
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
        // One that grows begins small, so that it comes to several blocks.
        let cells = usize::from(if grows { cells % 8 } else { cells });
        // What a pool's block takes is its own affair, but for what cannot be.
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

    fn pool_in(&mut self, len: usize, skew: usize, form: &Form) {
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

    fn taint_source(&mut self, at: u8) {
        match self.origin(at) {
            Origin::Pool(id) => {
                let store = self.things.stores.get_mut(&id).expect("a pool");
                if store.hosted && at & 1 != 0 {
                    store.node_tainted = true;
                    let data = store.pool.cast();
                    memory::kmem(|| unsafe { F::taint(Kind::Tree, data) });
                    return self.did("taint the node of a pool");
                }
                store.tainted = true;
                unsafe { (*store.pool).cell.shred.store(1, Ordering::Relaxed) };
                self.did("taint a pool");
            }
            Origin::Custom(at) => {
                unsafe { (*self.things.sources[at]).cell.shred.store(1, Ordering::Relaxed) };
                self.did("taint a source");
            }
            Origin::Heap | Origin::Buffer => {}
        }
    }

    /// The bytes that are to be zero once these things are gone.
    fn to_zero(&self, plan: &Plan) -> Vec<(*mut u8, usize)> {
        let mut ranges = Vec::new();
        for gone in &plan.gone {
            if let Some(object) = self.things.objects.get(&gone.id) {
                if gone.shred || object.tainted || self.things.shreds(object.origin) {
                    ranges.push((object.data, object.zeroed()));
                }
            } else if self.things.stores.contains_key(&gone.id) {
                let all = gone.shred || self.things.shreds_end(gone.id);
                let cells = gone.cells.iter().map(|cell| &self.things.objects[cell]);
                ranges.extend(cells.filter(|cell| all || cell.tainted).map(|cell| (cell.data, cell.size)));
            }
        }
        ranges
    }

    /// The destructors and hooks that run: in this order, but those of a group in any.
    fn to_run(&self, plan: &Plan) -> Vec<Vec<Ran>> {
        let mut expected = Vec::new();
        for gone in &plan.gone {
            let end = |id: &Id| (self.things.objects[id].data.addr(), ARG, 0);
            match self.things.objects.get(&gone.id) {
                Some(&Object { kind: Kind::Pool, origin: Origin::Pool(of), .. }) => {
                    if self.things.stores[&of].drop {
                        expected.push(vec![end(&gone.id)]);
                    }
                }
                Some(object) if object.ends => expected.push(vec![end(&gone.id)]),
                Some(_) => {}
                None => match (self.things.stores.get(&gone.id), self.things.hooks.get(&gone.id)) {
                    // The order of the cells of one pool is the pool's.
                    (Some(store), _) if store.drop => expected.push(gone.cells.iter().map(end).collect()),
                    (_, Some(hook)) => {
                        let node = self.things.above[&gone.id];
                        let hooks = &self.things.hooks;
                        let below =
                            self.things.felled(node).iter().filter(|id| !hooks.contains_key(id)).count() - 1;
                        expected.push(vec![(self.things.node_data(node).addr(), hook.arg, below)]);
                    }
                    _ => {}
                },
            }
        }
        expected
    }

    /// Makes the call after which these things are gone, and verifies that it does to them all that is to be done.
    fn going(&mut self, plan: &Plan, call: impl FnOnce() -> *mut u8) -> *mut u8 {
        let expected = self.to_run(plan);
        for (&id, object) in plan.gone.iter().filter_map(|gone| self.things.objects.get_key_value(&gone.id)) {
            let whole = unsafe { things::intact(id, object.data, object.size) };
            assert!(whole, "the contents of a {}", object.kind);
        }
        let ranges = self.to_zero(plan);
        let (result, not_zeroed) = memory::zeroing(&ranges, || memory::kmem(call));
        assert_eq!(not_zeroed.map(|at| ranges[at]), None, "bytes that should have been zeroed");
        let ended = ENDED.take();
        let mut rest = &ended[..];
        for mut group in expected {
            let (now, later) = rest.split_at_checked(group.len()).expect("a destructor that did not run");
            let mut now = now.to_vec();
            now.sort_unstable();
            group.sort_unstable();
            assert_eq!(now, group, "the destructors that ran, in order");
            rest = later;
        }
        assert_eq!(rest, [(0, 0, 0); 0], "destructors of what did not go");
        for (id, &(dropped, tainted)) in &plan.dropped {
            let object = self.things.objects.get_mut(id).expect("an object");
            object.refs -= dropped;
            object.tainted |= tainted;
        }
        for gone in &plan.gone {
            for &id in gone.cells.iter().chain([&gone.id]) {
                if let Some(object) = self.things.remove(id) {
                    ALIVE.with_borrow_mut(|alive| alive.remove(&object.data.addr()));
                }
                if self.freed.is_some_and(|(_, store)| store == id) {
                    self.freed = None;
                }
            }
        }
        result
    }

    /// Frees an object, unless something outside of it is drawn from a pool that would go with it.
    fn free(&mut self, id: Id, way: Way) -> bool {
        let Object { kind, data, origin, .. } = self.things.objects[&id];
        let going = if kind == Kind::Tree { self.things.felled(id) } else { vec![id] };
        let Some(plan) = self.things.plan(&going, way.shreds()) else { return false };
        let parent = self.things.parent(id).map_or(null_mut(), |parent| self.things.node_data(parent));
        let above = self.going(&plan, || unsafe { F::free(kind, data, way) });
        if kind == Kind::Tree && matches!(way, Way::Free | Way::Shred) {
            assert_eq!(above, parent, "the parent of a freed node");
        }
        if let (Kind::Pool, Origin::Pool(store)) = (kind, origin) {
            self.freed = Some((data, store));
        }
        self.did(match (kind, way.shreds()) {
            (Kind::Tree, _) if plan.gone.len() > 1 => "fell",
            (_, true) => "shred",
            (_, false) => "free",
        });
        true
    }

    fn end_pool(&mut self, id: Id, way: Way) -> bool {
        let store = &self.things.stores[&id];
        let (made, hosted) = (store.pool, store.hosted);
        // A pool on a node goes with that too.
        let as_node = hosted && way != Way::Free;
        let going = if hosted { self.things.felled(id) } else { vec![id] };
        let Some(plan) = self.things.plan(&going, as_node && way.shreds()) else { return false };
        // Kept until the bytes have been looked at.
        let _buffer = self.things.stores.get_mut(&id).and_then(|store| store.buffer.take());
        self.going(&plan, || unsafe {
            if as_node {
                F::free(Kind::Tree, made.cast(), way)
            } else {
                F::end_pool(made);
                null_mut()
            }
        });
        self.did(if as_node { "end the node of a pool" } else { "end a pool" });
        true
    }

    fn misuse(&mut self, at: u8, how: Misuse) {
        let Some(id) = self.object(at, |_| true) else { return };
        let object = &self.things.objects[&id];
        let (kind, data) = (object.kind, object.data);
        let other = |which: u8| match which % 4 {
            0 => Kind::Heap,
            1 => Kind::Ref,
            2 => Kind::Pool,
            _ => Kind::Tree,
        };
        let handle = unsafe {
            match kind {
                Kind::Heap => raw::heap::handle(data),
                Kind::Ref => refs::handle(data),
                Kind::Pool => pool::handle(data),
                _ => tree::handle(data),
            }
        };
        // Headers that would begin before the object's own are not there to be read.
        let readable = |wrong: Kind| wrong != kind && things::header(wrong) < things::header(kind);
        match how {
            Misuse::Method(which) if readable(other(which)) => self.reported("another method's", || unsafe {
                F::free(other(which), data, Way::Free);
            }),
            Misuse::Kind(which) if readable(other(which)) => {
                self.reported("a handle of another kind", || unsafe {
                    ptr::free(Handle { kind: other(which) as i32, ..handle });
                })
            }
            Misuse::Cell if !handle.cell.is_null() => {
                self.reported("a handle with another cell", || unsafe {
                    ptr::free(Handle { cell: handle.cell.wrapping_byte_add(16), ..handle });
                })
            }
            Misuse::Interior if object.size >= 80 => self.reported("an interior pointer", || unsafe {
                F::free(kind, data.add(64), Way::Free);
            }),
            Misuse::Twice => {
                let again = |alive: &HashMap<usize, _>, data: *mut u8| alive.contains_key(&data.addr());
                let Some((data, store)) = self.freed else { return };
                // Cells of other kinds that were drawn from the pool meanwhile may lie there.
                let census = unsafe { pool::verify(self.things.stores[&store].pool) }.expect("a sound pool");
                let drawn = self.things.serves_others(store);
                if census.free > 0 && !drawn && !ALIVE.with_borrow(|alive| again(alive, data)) {
                    self.reported("a cell freed twice", || unsafe {
                        F::free(Kind::Pool, data, Way::Free);
                    });
                }
            }
            _ => {}
        }
    }

    fn reported(&mut self, what: &'static str, call: impl FnOnce()) {
        memory::kmem(call);
        let seen = FAULTS.take();
        assert_eq!(seen.len(), 1, "{what}: {seen:?}");
        self.did(what);
    }

    /// All that is to hold at any time.
    fn verify(&self) {
        FAULTS.with_borrow(|seen| assert!(seen.is_empty(), "a report of what was no misuse: {seen:?}"));
        let mut taken = Vec::new();
        for (&id, object) in &self.things.objects {
            let Object { kind, data, size, .. } = *object;
            assert!(unsafe { things::borders_intact(id, data, size) }, "the contents of a {kind}");
            taken.push((data.addr() - things::header(kind), data.addr() + size));
            match kind {
                Kind::Ref => assert_eq!(unsafe { refs::count(data) }, object.refs),
                Kind::Tree => self.verify_node(id),
                _ => {}
            }
            self.verify_facts(object);
        }
        for (&id, store) in &self.things.stores {
            let census = unsafe { pool::verify(store.pool) }.unwrap_or_else(|damage| panic!("{damage}"));
            assert_eq!(
                census.live,
                self.things.drawn(|origin| origin == Origin::Pool(id)),
                "the live cells of a pool"
            );
            assert_eq!(census.dying, 0);
            assert_eq!(unsafe { pool::name(store.pool) }, store.name);
            self.verify_walk(id, store);
            if store.hosted {
                self.verify_node(id);
                let above = self.things.parent(id).map(|node| self.things.node_data(node));
                let src = above.map_or(null_mut(), |data| data.wrapping_sub(64).cast());
                if above.is_some() || !self.things.above.contains_key(&id) {
                    assert_eq!(unsafe { (*store.pool).src }, src, "what a pool is below");
                }
            }
            // No step takes more cells than are in use at its end, for none takes some and gives them back.
            store.most.set(store.most.get().max(census.live));
            assert_eq!(unsafe { pool::peak(store.pool) }, store.most.get(), "the most live cells of a pool");
            taken.push((store.pool.addr(), store.pool.addr() + size_of::<raw::Pool>()));
        }
        taken.sort_unstable();
        for pair in taken.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "two things overlap");
        }
        let drawn = self.things.drawn(|origin| matches!(origin, Origin::Heap | Origin::Custom(_)));
        assert_eq!(memory::live(), drawn as isize, "the blocks that kmem holds");
        let custom = self.things.drawn(|origin| matches!(origin, Origin::Custom(_)));
        assert_eq!(GIVEN.with_borrow(HashMap::len), custom, "the blocks of the custom sources");
    }

    /// The cells that a walk comes by are those of the pool and the blocks that others have of it.
    fn verify_walk(&self, id: Id, store: &Store) {
        let walked = memory::model(|| unsafe { F::walk(store.pool) });
        let count = unsafe { F::count(store.pool) };
        assert_eq!(count.live, walked.len());
        assert_eq!(count.peak, unsafe { pool::peak(store.pool) });
        assert_eq!((count.cells, count.cellsz), (unsafe { pool::capacity(store.pool) }, store.cellsz));
        for cell in self.things.cells(id) {
            assert!(walked.contains(&self.things.objects[&cell].data), "a cell that a walk does not come by");
        }
        assert!(walked.windows(2).all(|pair| pair[0] != pair[1]));
    }

    fn verify_facts(&self, object: &Object) {
        let name = match (object.kind, object.origin) {
            (Kind::Pool, Origin::Pool(store)) => self.things.stores[&store].name,
            _ => object.name,
        };
        let (size, found, [same, other]) =
            memory::model(|| unsafe { F::facts(face::handle(object.kind, object.data)) });
        assert_eq!((size, found), (object.size, name), "size and name of a {}", object.kind);
        assert_eq!((same, other), (name.map_or(null_mut(), |_| object.data), null_mut()), "casts");
    }

    fn verify_node(&self, id: Id) {
        #[derive(Debug, PartialEq)]
        enum Below {
            Hook,
            Holder(Handle),
            Node(*mut u8),
        }
        let data = self.things.node_data(id);
        if !self.things.above.contains_key(&id) {
            let below = unsafe { tree::verify(data) }.unwrap_or_else(|damage| panic!("{damage}"));
            assert_eq!(below, self.things.felled(id).len(), "the nodes of a tree");
        }
        let mut children = Vec::new();
        let node = |data: *mut u8| data.wrapping_sub(64).cast::<raw::Node>();
        let mut child = unsafe { (*node(data)).child };
        while !child.is_null() {
            let data = child.wrapping_byte_add(64).cast::<u8>();
            children.push(match unsafe { (*child).cell.flags & (FLAG_HOOK | FLAG_HOLD) } {
                0 => Below::Node(data),
                FLAG_HOOK => Below::Hook,
                _ => Below::Holder(unsafe { data.cast::<Handle>().read() }),
            });
            child = unsafe { (*child).next };
        }
        let expected = self.things.children(id).iter().map(|id| match self.things.holders.get(id) {
            Some(holder) => Below::Holder(holder.handle),
            None if self.things.hooks.contains_key(id) => Below::Hook,
            None => Below::Node(self.things.node_data(*id)),
        });
        assert_eq!(children, expected.collect::<Vec<_>>(), "the children of a node, in order");
    }

    /// Frees all that is left, in an order in which nothing outlives what it was drawn from.
    fn finish(&mut self) {
        let mut stuck = false;
        loop {
            let left = |things: &Things| things.objects.len() + things.stores.len();
            let before = left(&self.things);
            for id in self.things.objects.keys().copied().collect::<Vec<_>>() {
                let there = |things: &Things| things.objects.contains_key(&id) && things.owned(id);
                while there(&self.things) && self.free(id, Way::Handle) {}
            }
            for id in self.things.stores.keys().copied().collect::<Vec<_>>() {
                if self.things.stores.contains_key(&id) {
                    self.end_pool(id, Way::Free);
                }
            }
            self.verify();
            if left(&self.things) == 0 {
                break;
            }
            if left(&self.things) == before {
                assert!(!stuck, "things that nothing can free");
                self.separate();
            }
            stuck = left(&self.things) == before;
        }
        assert_eq!(memory::live(), 0, "blocks that did not go back");
        assert!(self.things.above.is_empty());
        for source in self.things.sources.drain(..) {
            drop(unsafe { Box::from_raw(source) });
        }
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
