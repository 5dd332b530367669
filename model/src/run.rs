//! The interpreter.

mod callbacks;
mod free;
mod look;
mod make;
mod own;
mod place;
mod serve;
mod size;
mod verify;

use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr::null_mut;
use std::sync::atomic::Ordering;

use arbitrary::{Arbitrary, Unstructured};
use callbacks::{ALIVE, ARG, ENDED, FAULTS, GIVEN, ended, give, resize, take};
use kmem::Kind;
use kmem::fault::{self};
use kmem::raw::{self, Destructor, Handle, Source, pool, ptr, tree};

use crate::face::{self, Appended, Ask, Face, How, Way, Words};
use crate::memory;
use crate::op::{Adoption, Form, Kinds, Method, Misuse, Size};
use crate::things::{self, Id, Object, Origin, Store, Things};

/// The most live objects, so that a step stays short.
const MOST: usize = 80;

/// The number of custom sources. The last one resizes in place.
const CUSTOM: usize = 2;

/// The result of a sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Requests of kmem to the heap and to the custom sources.
    pub requests: usize,
    /// The number of steps by name, without those that did nothing.
    pub steps: std::collections::BTreeMap<&'static str, usize>,
}

/// Turns `bytes` into calls of a face of kmem, and compares kmem with the model after each. If `refuse` is a number, the request of
/// kmem with that number is refused. The call must then change nothing, and succeed when it is repeated.
///
/// # Panics
/// Panics if kmem differs from the model.
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

/// [`run`]s the input of a fuzz target. The first two bytes are the number of the request to refuse, if any.
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

/// One step. An index counts modulo the number of live things.
#[derive(Clone, Copy, Debug, Arbitrary)]
enum Op {
    /// Makes a heap cell, a reference-counted cell or a node.
    Make { method: Method, source: u8, parent: u8, form: Form },
    /// Allocates a cell from a pool.
    Cell { pool: u8, form: Form },
    /// Makes a pool.
    Pool { source: u8, on_node: bool, form: Form, cells: u8, grows: bool },
    /// Makes a pool in a buffer.
    PoolIn { len: u16, skew: u8, form: Form },
    /// Frees an object, or drops a reference.
    Free { at: u8, way: Way },
    /// Frees the newest object.
    FreeLast { way: Way },
    /// Destroys a pool. A pool on a node may be freed as the node.
    EndPool { at: u8, way: Way },
    /// Frees all cells of a pool.
    ClearPool { at: u8 },
    /// Adds a reference.
    Up { at: u8 },
    /// Taints an object.
    Taint { at: u8 },
    /// Renames an object that has a name.
    Rename { at: u8, name: u8 },
    /// Taints a pool or a source.
    TaintSource { at: u8 },
    /// A misuse. It must be reported and change nothing.
    Misuse { at: u8, how: Misuse },
    /// Makes a node below another.
    Node { parent: u8, form: Form },
    /// Makes an array, a copy or a string.
    Text { method: Kinds, source: u8, parent: u8, what: Words, size: Size, of: u8 },
    /// Resizes an object.
    Resize { at: u8, size: Size, how: How },
    /// Resizes an object by a little.
    Adjust { at: u8, by: i8, how: How },
    /// Appends to an object.
    Append { at: u8, what: Appended, len: u8, place: u8, own: bool, how: How },
    /// Moves a node.
    Move { at: u8, to: u8, unchecked: bool },
    /// Moves all children of a node.
    MoveChildren { from: u8, to: u8 },
    /// Frees everything below a node.
    Empty { at: u8 },
    /// Adds a hook.
    Hook { at: u8, arg: u8 },
    /// Removes a hook.
    Unhook { at: u8, arg: u8 },
    /// Has a node adopt an object.
    Adopt { at: u8, object: u8, what: Adoption },
    /// Has a node release an adopted object, or a child.
    Release { at: u8, which: u8, child: bool },
    /// Sets the destructor of a cell, or removes it.
    HookLate { at: u8, on: bool },
    /// Has a counted cell adopt an object.
    Own { at: u8, object: u8, what: Adoption },
    /// Has a counted cell release an object.
    Disown { at: u8, which: u8 },
    /// Walks, counts and reports a node or a pool.
    Look { at: u8, depth: u8, pool: bool },
}

struct Run<F> {
    things: Things,
    last: Option<Id>,
    /// The pool cell that was freed last, and its pool.
    freed: Option<(*mut u8, Id)>,
    /// True if the step allocates several blocks, and frees them if one is refused.
    gives_back: bool,
    outcome: Outcome,
    face: PhantomData<F>,
}

/// The names of cells.
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
        // Pools are the most frequent source, since they have the most code.
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

    /// A node, often one with a pool.
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
            Op::ClearPool { at } => {
                if let Some(store) = self.store(at) {
                    self.clear_pool(store);
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
}
