//! The misuses of `cases.c`, over `kmem::raw`. One per process.
//!
//! What happens is said on standard output as there; the names are the same.
#![allow(
    unsafe_op_in_unsafe_fn,
    clippy::missing_safety_doc,
    reason = "all of it breaks the contract of what it calls, which is its purpose"
)]

use std::ffi::c_void;
use std::hint::black_box;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

use kmem::raw::pool::Spec;
use kmem::raw::{Destructor, Handle, Node, Pool, Request, heap, pool, ptr, refs, report, tree};

const SIZE: usize = 64;
const MANY: usize = 64;
const LARGE: usize = 1 << 20;
/// Bytes of header.
const HEAP: usize = 16;
const REF: usize = 32;
const NODE: usize = 64;
const POOL_WORDS: usize = size_of::<Pool>() / size_of::<usize>();

struct Method {
    name: &'static str,
    alloc: unsafe fn(usize) -> *mut u8,
    free: unsafe fn(*mut u8),
    /// Bytes of data with no slack behind them.
    snug: usize,
    resize: unsafe fn(*mut u8, usize) -> *mut u8,
}

impl Method {
    fn is(&self, name: &str) -> bool {
        self.name.starts_with(name)
    }

    fn header(&self) -> usize {
        if self.is("tree") {
            NODE
        } else if self.is("ref") {
            REF
        } else {
            HEAP
        }
    }

    fn pool(&self) -> &'static AtomicPtr<Pool> {
        if self.is("ref") {
            &REF_POOL
        } else if self.is("tree") {
            &TREE_POOL
        } else {
            &POOL
        }
    }

    unsafe fn a(&self) -> *mut u8 {
        black_box((self.alloc)(SIZE))
    }

    unsafe fn keep(&self) -> *mut u8 {
        keep(self.a())
    }

    fn kind(&self) -> i32 {
        match self.header() {
            _ if self.is("pool") => 2,
            HEAP => 1,
            REF => 3,
            _ => 4,
        }
    }

    /// A size that a pool's cell has, and others have to move for.
    fn other_size(&self) -> usize {
        if self.name.contains('@') || self.is("pool") { 48 } else { 200 }
    }

    unsafe fn r(&self, data: *mut u8, size: usize) {
        let now = (self.resize)(black_box(data), size);
        refused(now.is_null());
        if !now.is_null() {
            keep(now);
        }
    }

    unsafe fn f(&self, data: *mut u8) {
        (self.free)(black_box(data));
    }
}

static POOL: AtomicPtr<Pool> = AtomicPtr::new(null_mut());
static REF_POOL: AtomicPtr<Pool> = AtomicPtr::new(null_mut());
static TREE_POOL: AtomicPtr<Pool> = AtomicPtr::new(null_mut());
static ROOT: AtomicPtr<u8> = AtomicPtr::new(null_mut());
static POOL_ROOT: AtomicPtr<u8> = AtomicPtr::new(null_mut());
/// What the destructors of `with_destructor` free with.
static FREE: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
/// Blocks that are live as a case ends.
static KEPT: [AtomicPtr<u8>; 128] = [const { AtomicPtr::new(null_mut()) }; 128];
static KEEPS: AtomicUsize = AtomicUsize::new(0);
/// Bytes that the case asks of each cell.
static UNIT: AtomicUsize = AtomicUsize::new(SIZE);

#[repr(align(64))]
struct Own<const N: usize>([u8; N]);

/// Memory that the program has besides, which an attacker may have filled.
static mut THEIRS: Own<4096> = Own([0; 4096]);
static mut BUFFER: Own<{ 1 << 14 }> = Own([0; 1 << 14]);

fn theirs() -> *mut u8 {
    black_box((&raw mut THEIRS).cast())
}

fn keep(block: *mut u8) -> *mut u8 {
    KEPT[KEEPS.fetch_add(1, Relaxed)].store(block, Relaxed);
    block
}

fn say(line: &str) {
    let line = format!("{line}\n");
    // SAFETY: the line is as long as it says.
    unsafe { libc::write(1, line.as_ptr().cast(), line.len()) };
}

unsafe fn wrong<R>(work: impl FnOnce() -> R) {
    say("at");
    work();
    say("on");
}

/// Says so where a call says no by what it returns.
fn refused(no: bool) {
    if no {
        say("refused");
    }
}

/// Ends a case that there is nothing for it to be about.
fn apart() -> ! {
    say("apart");
    std::process::exit(0)
}

/// Makes what is kept in `place` where it is not there yet.
unsafe fn made<T>(place: &AtomicPtr<T>, make: impl FnOnce() -> *mut T) -> *mut T {
    if place.load(Relaxed).is_null() {
        place.store(make(), Relaxed);
    }
    place.load(Relaxed)
}

unsafe fn heap_a(size: usize) -> *mut u8 {
    heap::a(size)
}
unsafe fn ref_a(size: usize) -> *mut u8 {
    refs::a(null_mut(), size)
}
unsafe fn tree_a(size: usize) -> *mut u8 {
    tree::a(null_mut(), made(&ROOT, || tree::a(null_mut(), null_mut(), 8)), size)
}
unsafe fn pool_a(size: usize) -> *mut u8 {
    pool::a(made(&POOL, || pool::i(null_mut(), size, 1000)))
}
unsafe fn pool_in_buffer_a(size: usize) -> *mut u8 {
    pool::a(made(&POOL, || pool::in_buffer((&raw mut BUFFER).cast(), 1 << 14, size)))
}
unsafe fn pool_on_node_a(size: usize) -> *mut u8 {
    let pool = made(&POOL, || {
        ROOT.store(tree::a(null_mut(), null_mut(), 8), Relaxed);
        pool::i(ROOT.load(Relaxed).sub(NODE).cast(), size, 100)
    });
    pool::a(pool)
}
unsafe fn ref_in_pool_a(size: usize) -> *mut u8 {
    refs::a(made(&REF_POOL, || pool::i(null_mut(), REF + size, 1000)).cast(), size)
}
unsafe fn tree_in_pool_a(size: usize) -> *mut u8 {
    let pool = made(&TREE_POOL, || pool::i(null_mut(), NODE + size, 1000)).cast();
    tree::a(pool, made(&POOL_ROOT, || tree::a(pool, null_mut(), 8)), size)
}
unsafe fn tree_f(node: *mut u8) {
    tree::f(node);
}
unsafe fn free_as(kind: i32, data: *mut u8, cell: *mut u8) {
    ptr::free(Handle { kind, shred: 0, data, cell: cell.cast() });
}
unsafe fn heap_h(data: *mut u8) {
    free_as(1, data, data.wrapping_sub(HEAP));
}
unsafe fn pool_h(data: *mut u8) {
    free_as(2, data, POOL.load(Relaxed).cast());
}
unsafe fn ref_h(data: *mut u8) {
    free_as(3, data, data.wrapping_sub(REF));
}
unsafe fn tree_h(data: *mut u8) {
    free_as(4, data, data.wrapping_sub(NODE));
}

unsafe fn resize_as(kind: i32, data: *mut u8, cell: *mut u8, size: usize) -> *mut u8 {
    let mut handle = Handle { kind, shred: 0, data, cell: cell.cast() };
    ptr::resize(&mut handle, size).map_or(null_mut(), |data| data.as_ptr())
}
unsafe fn pool_r(data: *mut u8, size: usize) -> *mut u8 {
    resize_as(2, data, null_mut(), size)
}
unsafe fn heap_hr(data: *mut u8, size: usize) -> *mut u8 {
    resize_as(1, data, data.wrapping_sub(HEAP), size)
}
unsafe fn pool_hr(data: *mut u8, size: usize) -> *mut u8 {
    resize_as(2, data, POOL.load(Relaxed).cast(), size)
}
unsafe fn ref_hr(data: *mut u8, size: usize) -> *mut u8 {
    resize_as(3, data, data.wrapping_sub(REF), size)
}
unsafe fn tree_hr(data: *mut u8, size: usize) -> *mut u8 {
    resize_as(4, data, data.wrapping_sub(NODE), size)
}

const METHODS: [Method; 12] = [
    Method { name: "heap", alloc: heap_a, free: heap::f, snug: 72, resize: heap::r },
    Method { name: "ref", alloc: ref_a, free: refs::f, snug: 72, resize: refs::r },
    Method { name: "pool", alloc: pool_a, free: pool::f, snug: 80, resize: pool_r },
    Method { name: "tree", alloc: tree_a, free: tree_f, snug: 72, resize: tree::r },
    Method { name: "ref@pool", alloc: ref_in_pool_a, free: refs::f, snug: 80, resize: refs::r },
    Method { name: "tree@pool", alloc: tree_in_pool_a, free: tree_f, snug: 80, resize: tree::r },
    Method { name: "pool@buffer", alloc: pool_in_buffer_a, free: pool::f, snug: 80, resize: pool_r },
    Method { name: "heap.handle", alloc: heap_a, free: heap_h, snug: 72, resize: heap_hr },
    Method { name: "ref.handle", alloc: ref_a, free: ref_h, snug: 72, resize: ref_hr },
    Method { name: "pool.handle", alloc: pool_a, free: pool_h, snug: 80, resize: pool_hr },
    Method { name: "tree.handle", alloc: tree_a, free: tree_h, snug: 72, resize: tree_hr },
    Method { name: "pool@tree", alloc: pool_on_node_a, free: pool::f, snug: 80, resize: pool_r },
];

unsafe fn twice(m: &Method) {
    let one = m.a();
    m.keep();
    m.f(one);
    wrong(|| m.f(one));
}
unsafe fn twice_later(m: &Method) {
    let (one, two) = (m.a(), m.a());
    m.keep();
    m.f(one);
    m.f(two);
    wrong(|| m.f(one));
}
unsafe fn twice_busy(m: &Method) {
    let one = m.a();
    let others = [(); MANY].map(|()| m.a());
    m.f(one);
    others.into_iter().step_by(2).for_each(|other| m.f(other));
    wrong(|| m.f(one));
}
/// What a cache of free blocks holds is full.
unsafe fn twice_full(m: &Method) {
    let (one, two) = (m.a(), m.a());
    let others = [(); 8].map(|()| m.a());
    m.keep();
    others.into_iter().for_each(|other| m.f(other));
    m.f(one);
    m.f(two);
    wrong(|| m.f(one));
}
unsafe fn twice_thread(m: &Method) {
    let one = m.a();
    m.keep();
    m.f(one);
    let (free, address) = (m.free, one.expose_provenance());
    wrong(|| {
        let other = move || free(std::ptr::with_exposed_provenance_mut(address));
        std::thread::spawn(other).join().unwrap();
    });
}
unsafe fn twice_reused(m: &Method) {
    let one = m.a();
    m.f(one);
    for _ in 0..MANY {
        m.keep();
    }
    wrong(|| m.f(one));
}
unsafe fn twice_large(m: &Method) {
    let one = (m.alloc)(LARGE);
    one.add(LARGE / 2).write_volatile(1);
    m.f(one);
    wrong(|| m.f(one));
}

unsafe fn inside(m: &Method, by: usize, contents: u8) {
    let one = m.keep();
    one.write_bytes(contents, SIZE);
    wrong(|| m.f(one.add(by)));
}
unsafe fn stack(m: &Method, contents: u8) {
    let mut own = Own([contents; 512]);
    m.a();
    let middle = black_box(&raw mut own).cast::<u8>().add(256);
    wrong(|| m.f(middle));
}
unsafe fn fixed(m: &Method) {
    m.a();
    wrong(|| m.f(theirs().add(256)));
}
unsafe fn foreign(m: &Method, size: usize) {
    m.a();
    let block = libc::malloc(size);
    wrong(|| m.f(block.cast()));
}
unsafe fn to_libc(m: &Method) {
    let one = m.a();
    wrong(|| libc::free(one.cast()));
}

/// Two live cells of which nothing lies between: the attacker writes past the end of the first.
unsafe fn neighbours(m: &Method) -> (*mut u8, *mut u8) {
    UNIT.store(m.snug, Relaxed);
    let mut all = [(); MANY].map(|()| {
        let data = black_box((m.alloc)(m.snug));
        data.write_bytes(0, m.snug);
        data
    });
    all.sort();
    let at = (1..MANY).min_by_key(|&at| all[at].addr() - all[at - 1].addr()).unwrap_or(1);
    if all[at].addr() - all[at - 1].addr() > m.snug + 256 {
        apart();
    }
    for (index, &block) in all.iter().enumerate() {
        if index != at && index != at - 1 {
            keep(block);
        }
    }
    (all[at - 1], all[at])
}

unsafe fn over(m: &Method, bytes: usize, with: u8) {
    let (one, two) = neighbours(m);
    one.add(m.snug).write_bytes(with, bytes);
    wrong(|| {
        m.f(two);
        m.f(one);
    });
}
unsafe fn over_free(m: &Method) {
    let (one, two) = neighbours(m);
    m.f(two);
    one.add(m.snug).write_bytes(b'A', 16);
    keep(one);
    wrong(|| go_on(m));
}
unsafe fn late_write(m: &Method) {
    let (one, two) = neighbours(m);
    keep(one);
    m.f(two);
    black_box(two).write_bytes(b'A', 16);
    wrong(|| go_on(m));
}

unsafe fn as_other(m: &Method, free: unsafe fn(*mut u8)) {
    let one = m.keep();
    wrong(|| free(one));
}
unsafe fn cell_of(m: &Method, data: *mut u8) -> *mut u8 {
    if m.is("pool") { POOL.load(Relaxed).cast() } else { data.sub(m.header()) }
}
unsafe fn handle(kind: i32, data: *mut u8, cell: *mut u8) -> Handle {
    Handle { kind, shred: 0, data, cell: cell.cast() }
}
unsafe fn right(m: &Method, data: *mut u8) -> Handle {
    handle(m.kind(), data, cell_of(m, data))
}

/// What is done to the object of a handle.
type Act = unsafe fn(Handle);
static HOLDER: AtomicPtr<u8> = AtomicPtr::new(null_mut());
unsafe fn holder() -> *mut u8 {
    made(&HOLDER, || tree::a(null_mut(), null_mut(), 8))
}
unsafe fn freeing(it: Handle) {
    ptr::free(it);
}
unsafe fn resizing(mut it: Handle) {
    refused(ptr::resize(&mut it, 48).is_err());
}
unsafe fn adopting(it: Handle) {
    refused(tree::k(holder(), it).is_err());
}
unsafe fn sizing(it: Handle) {
    match ptr::size(it) {
        0 => say("refused"),
        size if size != SIZE && it.kind != 2 => say("harm: gave a size that is not the cell's"),
        _ => {}
    }
}
unsafe fn naming(it: Handle) {
    match ptr::name(it) {
        None => say("refused"),
        Some(_) => say("harm: gave a name that is not the cell's"),
    }
}
unsafe fn casting(it: Handle) {
    if ptr::cast(it, c"theirs").is_null() {
        say("refused");
    } else {
        say("harm: took it for what it is not");
    }
}
/// Appending is of the C library alone.
unsafe fn appending(_: Handle) {
    apart();
}

unsafe fn crossed(m: &Method, kind: i32, to: Act) {
    let one = m.keep();
    holder();
    wrong(|| to(handle(kind, one, cell_of(m, one))));
}
unsafe fn crossed_cell(m: &Method, to: Act) {
    let one = m.keep();
    if m.is("pool") {
        POOL.store(null_mut(), Relaxed);
    }
    let cell = cell_of(m, m.keep());
    holder();
    wrong(|| to(handle(m.kind(), one, cell)));
}

unsafe fn gone(m: &Method) {
    let one = m.a();
    m.a();
    pool::x(POOL.load(Relaxed));
    wrong(|| m.f(one));
    POOL.store(null_mut(), Relaxed);
}
unsafe fn gone_reused(m: &Method) {
    let one = m.a();
    m.a();
    pool::x(POOL.swap(null_mut(), Relaxed));
    for _ in 0..MANY {
        m.keep();
    }
    wrong(|| m.f(one));
}
unsafe fn gone_large(m: &Method) {
    let made = pool::i(null_mut(), LARGE, 4);
    let one = black_box(pool::a(made));
    POOL.store(made, Relaxed);
    pool::x(made);
    wrong(|| m.f(one));
    POOL.store(null_mut(), Relaxed);
}
unsafe fn torn_twice(m: &Method) {
    m.a();
    let torn = black_box(POOL.load(Relaxed));
    pool::x(torn);
    wrong(|| pool::x(torn));
    POOL.store(null_mut(), Relaxed);
}
unsafe fn drawn_gone(m: &Method) {
    let one = m.a();
    pool::x(m.pool().load(Relaxed));
    wrong(|| m.f(one));
    m.pool().store(null_mut(), Relaxed);
}
unsafe fn node_gone(m: &Method) {
    let one = m.a();
    m.a();
    tree::f(ROOT.load(Relaxed));
    wrong(|| m.f(one));
    POOL.store(null_mut(), Relaxed);
}
unsafe fn node_gone_torn(m: &Method) {
    m.a();
    tree::f(ROOT.load(Relaxed));
    wrong(|| pool::x(black_box(POOL.load(Relaxed))));
    POOL.store(null_mut(), Relaxed);
}
unsafe fn tree_s(node: *mut u8) {
    tree::s(node);
}
unsafe fn twice_zeroed(m: &Method) {
    let zeroing = match m.header() {
        _ if m.is("pool") => pool::s,
        HEAP => heap::s,
        REF => refs::s,
        _ => tree_s,
    };
    let one = m.a();
    m.keep();
    zeroing(one);
    wrong(|| zeroing(black_box(one)));
}
/// The second drop takes the reference of another holder, who finds out.
unsafe fn dropped_for(m: &Method) {
    let one = m.a();
    let held = black_box(refs::u(one));
    m.keep();
    m.f(one);
    wrong(|| m.f(one));
    m.f(held);
}
unsafe fn up_after(m: &Method) {
    let one = m.a();
    m.keep();
    m.f(one);
    wrong(|| refs::u(one));
}
unsafe fn below_freed(m: &Method) {
    let one = m.a();
    m.keep();
    m.f(one);
    wrong(|| tree::a(null_mut(), one, SIZE));
}

unsafe extern "C-unwind" fn frees_own(data: *mut c_void, arg: *mut c_void) {
    let free = FREE.load(Relaxed);
    let free = std::mem::transmute::<*mut c_void, unsafe fn(*mut u8)>(free);
    free(if arg.is_null() { data.cast() } else { arg.cast() });
}
unsafe fn with_destructor(m: &Method, arg: *mut u8) -> *mut u8 {
    made_with(m, frees_own, arg)
}
unsafe fn made_with(m: &Method, run: kmem::raw::DropFn, arg: *mut u8) -> *mut u8 {
    FREE.store(m.free as *mut c_void, Relaxed);
    let drop = Some(Destructor { run: Some(run), arg: arg.cast() });
    requested(m, &Request { drop, ..Request::new(SIZE) })
}
unsafe fn requested(m: &Method, request: &Request) -> *mut u8 {
    let drop = request.drop;
    let made = if m.is("pool") {
        let made = pool::init(null_mut(), &Spec { drop, ..Spec::new(SIZE, 1000) }).unwrap();
        POOL.store(made.as_ptr(), Relaxed);
        return pool::a(made.as_ptr());
    } else if m.is("heap") {
        heap::alloc(request)
    } else if m.is("ref") {
        refs::alloc(null_mut(), request)
    } else {
        tree::alloc(null_mut(), m.a(), request)
    };
    made.unwrap().as_ptr()
}
unsafe fn own_destructor(m: &Method) {
    let one = with_destructor(m, null_mut());
    wrong(|| m.f(one));
}
unsafe fn child_destructor(m: &Method) {
    let top = tree::a(null_mut(), null_mut(), SIZE);
    let middle = tree::a(null_mut(), top, SIZE);
    FREE.store(m.free as *mut c_void, Relaxed);
    let drop = Some(Destructor { run: Some(frees_own), arg: top.cast() });
    tree::alloc(null_mut(), middle, &Request { drop, ..Request::new(SIZE) }).unwrap();
    wrong(|| m.f(top));
}
unsafe extern "C-unwind" fn tears_down(_: *mut c_void, _: *mut c_void) {
    pool::x(POOL.load(Relaxed));
}
unsafe fn cell_destructor(m: &Method) {
    let drop = Some(Destructor { run: Some(tears_down), arg: null_mut() });
    let made = pool::init(null_mut(), &Spec { drop, ..Spec::new(SIZE, 1000) }).unwrap();
    POOL.store(made.as_ptr(), Relaxed);
    let one = pool::a(made.as_ptr());
    wrong(|| m.f(one));
}
unsafe extern "C-unwind" fn frees_node(_: *mut c_void, _: *mut c_void) {
    tree::f(POOL.load(Relaxed).cast());
}
unsafe fn node_destructor(m: &Method) {
    let drop = Some(Destructor { run: Some(frees_node), arg: null_mut() });
    let host = tree::handle(tree::a(null_mut(), null_mut(), SIZE)).cell;
    let made = pool::init(host, &Spec { drop, ..Spec::new(SIZE, 1000) }).unwrap();
    POOL.store(made.as_ptr(), Relaxed);
    let one = pool::a(made.as_ptr());
    wrong(|| m.f(one));
}

/// What a stray write leaves of a header.
unsafe fn smash(m: &Method, at: usize, bytes: usize, with: u8) {
    smash_by(m, at, bytes, with, |one| m.f(one));
}
unsafe fn smash_by(m: &Method, at: usize, bytes: usize, with: u8, act: impl FnOnce(*mut u8)) {
    let one = m.a();
    m.keep();
    one.sub(m.header()).add(at).write_bytes(with, bytes);
    wrong(|| act(one));
}
unsafe fn smash_heap(m: &Method, act: impl FnOnce(*mut u8)) {
    let one = m.a();
    m.keep();
    *one.sub(m.header()).add(7) ^= 0x55;
    wrong(|| act(one));
}
unsafe fn smash_size_256(m: &Method) {
    let one = m.a();
    m.keep();
    *one.sub(m.header()).add(9) += 1;
    wrong(|| m.f(one));
}
unsafe fn smash_size_mark(m: &Method, more: usize) {
    let (one, two) = neighbours(m);
    let prefix = one.sub(m.header());
    prefix.add(4).write(1);
    prefix.add(8).cast::<usize>().write(m.header() + m.snug + more);
    keep(two).write_bytes(b'A', m.snug);
    wrong(|| m.f(one));
    if (0..REF).all(|at| two.sub(m.header()).add(at).read_volatile() == 0) {
        say("harm: zeroed the cell behind it");
    }
}
unsafe fn smash_pool(m: &Method, act: impl FnOnce(*mut u8)) {
    let one = m.a();
    POOL.store(null_mut(), Relaxed);
    m.a();
    one.sub(8).cast::<*mut Pool>().write(POOL.load(Relaxed));
    wrong(|| act(one));
}
unsafe fn pool_header(m: &Method, with: u8) {
    let one = m.a();
    POOL.load(Relaxed).cast::<u8>().write_bytes(with, 16);
    wrong(|| m.f(one));
    POOL.store(null_mut(), Relaxed);
}
/// What is done to a node.
type NodeAct = unsafe fn(*mut u8);
unsafe fn link(m: &Method, link: usize, forged: bool, act: NodeAct) {
    m.keep();
    let data = m.a();
    m.keep();
    let node = data.sub(NODE).cast::<*mut u8>();
    if link == 3 || link == 4 {
        m.f(tree::a(null_mut(), data, SIZE));
    }
    holder();
    theirs().write_bytes(0, 4096);
    node.add(link).write(if forged {
        theirs().add(256)
    } else {
        std::ptr::without_provenance_mut(usize::from_ne_bytes([b'A'; 8]))
    });
    wrong(|| act(data));
    if (0..4096).any(|at| theirs().add(at).read() != 0) {
        say("harm: wrote where the attacker said");
    }
}

unsafe extern "C-unwind" fn theirs_runs(_: *mut c_void, _: *mut c_void) {
    say("harm: ran the attacker's function");
}
unsafe fn put_slot(at: *mut u8) {
    at.cast::<Destructor>().write_unaligned(Destructor { run: Some(theirs_runs), arg: null_mut() });
}
/// From the end of the first cell to the flags of the second: what lies between is written as it was.
unsafe fn forge_flags(m: &Method) {
    let (one, two) = neighbours(m);
    put_slot(two.add(m.snug));
    two.sub(m.header()).add(5).write(1);
    wrong(|| {
        m.f(two);
        m.f(one);
    });
}
/// The same, on to the size, so that the destructor lies in the second cell's data.
unsafe fn forge_slot(m: &Method) {
    let (one, two) = neighbours(m);
    put_slot(two.add(16));
    let prefix = two.sub(m.header());
    prefix.add(5).write(1);
    prefix.add(8).cast::<usize>().write(m.header() + 16);
    wrong(|| {
        m.f(two);
        m.f(one);
    });
}

/// A pool in the attacker's memory: a copy of a real one, with what a write can change.
unsafe fn forged_pool(real: *mut Pool, destructor: bool) -> *mut Pool {
    let words = theirs().add(512).cast::<usize>();
    words.copy_from_nonoverlapping(real.cast(), POOL_WORDS);
    for at in 0..POOL_WORDS {
        if words.add(at).read() == real.addr() {
            words.add(at).write(words.addr());
        }
    }
    if destructor {
        // Where a pool keeps its destructor is found out from one that has one.
        let drop = Some(Destructor { run: Some(frees_own), arg: null_mut() });
        let made = pool::init(null_mut(), &Spec { drop, ..Spec::new(SIZE, 1) }).unwrap().cast::<usize>();
        let at =
            (0..POOL_WORDS).find(|&at| made.add(at).read() == frees_own as *const () as usize).unwrap_or(12);
        words.add(at).write(theirs_runs as *const () as usize);
        *words.cast::<u8>().add(5) |= 32;
    }
    words.cast()
}
unsafe fn forge_pool(m: &Method, destructor: bool) {
    let (one, two) = neighbours(m);
    let cell = two.sub(if m.is("pool") { HEAP } else { m.header() + HEAP }).cast::<*mut Pool>();
    let fake = forged_pool(m.pool().load(Relaxed), destructor);
    cell.write(null_mut());
    cell.add(1).write(fake);
    wrong(|| {
        m.f(two);
        m.f(one);
    });
}
unsafe fn forge_src(m: &Method) {
    let (one, two) = neighbours(m);
    let fake = forged_pool(m.pool().load(Relaxed), true);
    two.sub(m.header() + 8).cast::<*mut Pool>().write(fake);
    two.sub(8).cast::<*mut Pool>().write(fake);
    wrong(|| {
        m.f(two);
        m.f(one);
    });
}
/// The destructor in the header of a real pool.
unsafe fn forge_drop(m: &Method) {
    let one = m.a();
    let pool = POOL.load(Relaxed);
    let fake = forged_pool(pool, true);
    let words = pool.cast::<usize>();
    words.copy_from_nonoverlapping(fake.cast(), POOL_WORDS);
    for at in 0..POOL_WORDS {
        if words.add(at).read() == fake.addr() {
            words.add(at).write(words.addr());
        }
    }
    wrong(|| m.f(one));
    POOL.store(null_mut(), Relaxed);
}
/// The free list of a pool: the attacker's memory is to be handed out.
unsafe fn forge_free(m: &Method) {
    let (one, two) = neighbours(m);
    keep(one);
    m.f(two);
    let fake = theirs().add(512).cast::<*mut u8>();
    let cell = two.sub(HEAP).cast::<*mut u8>();
    fake.write(null_mut());
    fake.add(1).write(cell.add(1).read());
    cell.write(fake.cast());
    wrong(|| {
        for _ in 0..3 {
            if keep((m.alloc)(m.snug)) == fake.add(2).cast() {
                say("harm: handed out the attacker's memory");
            }
        }
    });
}
/// The free neighbour is marked as one in use and freed once more.
unsafe fn forge_live(m: &Method) {
    let (one, two) = neighbours(m);
    keep(one);
    m.f(two);
    two.sub(8).cast::<*mut Pool>().write(m.pool().load(Relaxed));
    wrong(|| m.f(two));
}

unsafe fn resize_freed(m: &Method, size: usize) {
    let one = m.a();
    m.keep();
    m.f(one);
    wrong(|| m.r(one, size));
}
unsafe fn resize_reused(m: &Method) {
    let one = m.a();
    m.f(one);
    for _ in 0..MANY {
        m.keep();
    }
    wrong(|| m.r(one, m.other_size()));
}
unsafe fn resize_inside(m: &Method, by: usize, contents: u8) {
    let one = m.keep();
    one.write_bytes(contents, SIZE);
    wrong(|| m.r(one.add(by), m.other_size()));
}
unsafe fn resize_static(m: &Method) {
    m.a();
    wrong(|| m.r(theirs().add(256), m.other_size()));
}
unsafe fn resize_foreign(m: &Method) {
    m.a();
    let block = libc::malloc(SIZE);
    wrong(|| m.r(block.cast(), m.other_size()));
}
/// The address that a block had before it grew, and moved.
unsafe fn stale(m: &Method) -> *mut u8 {
    let one = m.a();
    m.keep();
    let now = (m.resize)(one, 1 << 14);
    if now == one {
        apart();
    }
    keep(now);
    black_box(one)
}
unsafe fn stale_freed(m: &Method) {
    let one = stale(m);
    wrong(|| m.f(one));
}
unsafe fn stale_resized(m: &Method) {
    let one = stale(m);
    wrong(|| m.r(one, m.other_size()));
}
unsafe fn resize_as_other(m: &Method, resize: unsafe fn(*mut u8, usize) -> *mut u8) {
    let one = m.keep();
    wrong(|| refused(resize(one, 200).is_null()));
}
unsafe fn resize_shared(m: &Method) {
    let one = m.a();
    keep(refs::u(one));
    wrong(|| m.r(one, m.other_size()));
}
unsafe fn resize_gone(m: &Method) {
    let one = m.a();
    m.a();
    pool::x(m.pool().load(Relaxed));
    wrong(|| m.r(one, m.other_size()));
    m.pool().store(null_mut(), Relaxed);
}
unsafe fn resize_smash(m: &Method, at: usize, bytes: usize, with: u8) {
    smash_by(m, at, bytes, with, |one| m.r(one, m.other_size()));
}
/// What lies behind the data.
unsafe fn resize_smash_drop(m: &Method) {
    let one = made_with(m, frees_own, null_mut());
    one.add(SIZE).write_bytes(b'A', 16);
    wrong(|| m.r(one, m.other_size()));
}
unsafe fn named(m: &Method) -> *mut u8 {
    requested(m, &Request { name: Some(c"ours"), ..Request::new(SIZE) })
}
unsafe fn resize_smash_name(m: &Method) {
    let one = named(m);
    one.add(SIZE).write_bytes(b'A', 8);
    wrong(|| m.r(one, m.other_size()));
}

/// What `run_it` runs, and the method of the case.
static RUNS: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
static RUNNING: AtomicPtr<Method> = AtomicPtr::new(null_mut());
static TOP: AtomicPtr<u8> = AtomicPtr::new(null_mut());
unsafe extern "C-unwind" fn run_it(data: *mut c_void, _: *mut c_void) {
    let run = std::mem::transmute::<*mut c_void, unsafe fn(&Method, *mut u8)>(RUNS.load(Relaxed));
    run(&*RUNNING.load(Relaxed), data.cast());
}
const RUN_IT: Destructor = Destructor { run: Some(run_it), arg: null_mut() };
type Run = unsafe fn(&Method, *mut u8);
unsafe fn running(m: &Method, run: Run) {
    RUNS.store(run as *mut c_void, Relaxed);
    RUNNING.store((&raw const *m).cast_mut(), Relaxed);
    holder();
}
unsafe fn in_destructor(m: &Method, run: Run) {
    running(m, run);
    let one = made_with(m, run_it, null_mut());
    wrong(|| m.f(one));
}
unsafe fn in_hook(m: &Method, run: Run) {
    running(m, run);
    let one = m.a();
    tree::h(one, RUN_IT).unwrap();
    wrong(|| m.f(one));
}
unsafe fn in_child(m: &Method, run: Run) {
    running(m, run);
    let top = tree::a(null_mut(), null_mut(), SIZE);
    TOP.store(top, Relaxed);
    let middle = tree::a(null_mut(), top, SIZE);
    tree::alloc(null_mut(), middle, &Request { drop: Some(RUN_IT), ..Request::new(SIZE) }).unwrap();
    wrong(|| m.f(top));
}
/// Below a node that stays a child, whose hook runs.
unsafe fn leaving(m: &Method, run: Run) -> *mut u8 {
    running(m, run);
    let top = tree::a(null_mut(), null_mut(), SIZE);
    TOP.store(top, Relaxed);
    let child = tree::a(null_mut(), top, SIZE);
    tree::a(null_mut(), child, SIZE);
    tree::h(child, RUN_IT).unwrap();
    child
}
unsafe fn in_leaving(m: &Method, run: Run) {
    let child = leaving(m, run);
    wrong(|| m.f(child));
}
fn top() -> *mut u8 {
    TOP.load(Relaxed)
}
unsafe fn hook_frees_above(m: &Method) {
    running(m, |m, _| m.f(top()));
    let top = tree::a(null_mut(), null_mut(), SIZE);
    TOP.store(top, Relaxed);
    let low = tree::a(null_mut(), tree::a(null_mut(), top, SIZE), SIZE);
    tree::h(low, RUN_IT).unwrap();
    wrong(|| m.f(top));
}
unsafe fn hook_forged(m: &Method) {
    running(m, |m, data| m.f(data));
    let one = m.a();
    tree::h(one, RUN_IT).unwrap();
    put_slot((*one.sub(NODE).cast::<Node>()).child.cast::<u8>().add(NODE));
    wrong(|| m.f(one));
}

unsafe fn moved(node: *mut u8, parent: *mut u8) {
    refused(tree::m(node, parent).is_err());
}
unsafe fn adopted(node: *mut u8, it: Handle) {
    refused(tree::k(node, it).is_err());
}
unsafe fn let_go(node: *mut u8, object: *mut u8) {
    refused(tree::l(node, object).is_null());
}
unsafe fn freed(m: &Method, act: impl FnOnce(*mut u8)) {
    let one = m.a();
    m.keep();
    holder();
    m.f(one);
    wrong(|| act(black_box(one)));
}
unsafe fn kept(m: &Method, act: impl FnOnce(*mut u8)) {
    let one = m.keep();
    holder();
    wrong(|| act(one));
}
unsafe fn with_foreign(m: &Method, act: impl FnOnce(*mut u8)) {
    m.a();
    holder();
    let block = libc::malloc(SIZE).cast();
    wrong(|| act(block));
}
unsafe fn with_below(m: &Method, act: impl FnOnce(*mut u8, *mut u8)) {
    let one = m.a();
    let low = tree::a(null_mut(), tree::a(null_mut(), one, SIZE), SIZE);
    wrong(|| act(one, low));
}
unsafe fn resizing_node(node: *mut u8) {
    refused(tree::r(node, 1 << 14).is_null());
}
unsafe fn moving(node: *mut u8) {
    moved(node, holder());
}
unsafe fn moving_children(node: *mut u8) {
    refused(tree::mc(node, holder()).is_err());
}
unsafe fn moving_siblings(_: *mut u8) {
    moving_children(ROOT.load(Relaxed));
}
unsafe fn moving_to(node: *mut u8) {
    moved(holder(), node);
}
unsafe fn moving_with_child(node: *mut u8) {
    tree::a(null_mut(), holder(), 8);
    moved(holder(), node);
}
unsafe fn adopting_by(node: *mut u8) {
    adopted(node, heap::ao(SIZE));
}
unsafe fn letting_go(node: *mut u8) {
    let_go(node, holder());
}
unsafe fn hooking(node: *mut u8) {
    refused(tree::h(node, RUN_IT).is_err());
}
unsafe fn unhooking(node: *mut u8) {
    refused(!tree::hx(node, RUN_IT));
}
unsafe fn clearing(node: *mut u8) {
    tree::x(node);
}
unsafe fn adding(node: *mut u8) {
    refused(tree::a(null_mut(), node, 8).is_null());
}
unsafe fn walking(node: *mut u8) {
    tree::walk(node).take_while(|visit| visit.depth <= 9).for_each(drop);
}
unsafe fn counting(node: *mut u8) {
    black_box(report::count(node, None));
}
unsafe fn reporting(node: *mut u8) {
    report::text(node, 9, &mut |_| {});
}
unsafe fn reporting_json(node: *mut u8) {
    report::json(node, 9, &mut |_| {});
}

/// The program does something to what a node holds; the node, as it goes, frees it.
unsafe fn held(m: &Method, act: impl FnOnce(*mut u8)) {
    let one = m.a();
    m.keep();
    tree::k(holder(), right(m, one)).unwrap();
    wrong(|| act(one));
    tree::f(holder());
}
unsafe fn adopted_resized(m: &Method) {
    let mut moved = true;
    let moves = &mut moved;
    let one = m.a();
    m.keep();
    tree::k(holder(), right(m, one)).unwrap();
    wrong(|| *moves = (m.resize)(one, 1 << 14) != one);
    if !moved {
        apart();
    }
    tree::f(holder());
}
unsafe fn adopted_let_go(m: &Method) {
    let one = m.a();
    m.keep();
    tree::k(holder(), right(m, one)).unwrap();
    m.f(one);
    wrong(|| let_go(holder(), one));
}
unsafe fn adopt_twice(m: &Method) {
    let two = tree::a(null_mut(), null_mut(), 8);
    held(m, |one| adopted(two, right(m, one)));
    tree::f(two);
}
unsafe fn let_go_twice(m: &Method) {
    let one = m.keep();
    tree::k(holder(), right(m, one)).unwrap();
    black_box(tree::l(holder(), one));
    wrong(|| let_go(holder(), one));
}
unsafe fn named_by(m: &Method, at: usize, bytes: usize, with: u8) {
    let one = named(m);
    one.sub(m.header()).add(at).write_bytes(with, bytes);
    wrong(|| naming(right(m, one)));
}
unsafe fn named_theirs(m: &Method, forged: bool, act: Act) {
    let one = named(m);
    let text = usize::from_ne_bytes([b'A'; 8]);
    one.add(SIZE).cast::<usize>().write(if forged { c"theirs".as_ptr().expose_provenance() } else { text });
    wrong(|| act(right(m, one)));
}
unsafe fn pool_gone(m: &Method, act: unsafe fn(*mut Pool)) {
    m.a();
    let torn = black_box(POOL.load(Relaxed));
    pool::x(torn);
    wrong(|| act(torn));
    POOL.store(null_mut(), Relaxed);
}

/// Commits the misuse of a function on a cell's life, and says whether there is one of this name.
unsafe fn commit_life(name: &str, m: &Method) -> bool {
    let (link_name, forged) = name.strip_suffix("-text").map_or((name, true), |name| (name, false));
    let by_link: Option<(usize, NodeAct)> = match link_name {
        "resize-link-parent" => Some((2, resizing_node)),
        "resize-link-child" => Some((3, resizing_node)),
        "resize-link-prev" => Some((5, resizing_node)),
        "resize-link-next" => Some((6, resizing_node)),
        "move-link-parent" => Some((2, moving)),
        "move-link-prev" => Some((5, moving)),
        "move-link-next" => Some((6, moving)),
        "move-link-above" => Some((2, moving_with_child)),
        "move-link-last" => Some((4, moving_to)),
        "children-link-child" => Some((3, moving_children)),
        "children-link-prev" => Some((5, moving_siblings)),
        "children-link-next" => Some((6, moving_siblings)),
        "adopt-link-last" => Some((4, adopting_by)),
        "let-go-link-last" => Some((4, letting_go)),
        "hook-link-child" => Some((3, hooking)),
        "unhook-link-child" => Some((3, unhooking)),
        "clear-link-child" => Some((3, clearing)),
        "add-link-last" => Some((4, adding)),
        "walk-link-child" => Some((3, walking)),
        "count-link-child" => Some((3, counting)),
        _ => None,
    };
    if let Some((at, act)) = by_link {
        link(m, at, forged, act);
        return true;
    }
    let fair = (m.header() + 2 * SIZE) as u8;
    match name {
        "resize-freed" => resize_freed(m, m.other_size()),
        "resize-freed-smaller" => resize_freed(m, SIZE / 2),
        "resize-reused" => resize_reused(m),
        "resize-stale-freed" => stale_freed(m),
        "resize-stale-resized" => stale_resized(m),
        "resize-foreign" => resize_foreign(m),
        "resize-inside-1" => resize_inside(m, 1, 0),
        "resize-inside-16" => resize_inside(m, 16, 0),
        "resize-inside-16-text" => resize_inside(m, 16, b'A'),
        "resize-static" => resize_static(m),
        "resize-as-heap" => resize_as_other(m, heap::r),
        "resize-as-ref" => resize_as_other(m, refs::r),
        "resize-as-tree" => resize_as_other(m, tree::r),
        "resize-handle-heap" => crossed(m, 1, resizing),
        "resize-handle-pool" => crossed(m, 2, resizing),
        "resize-handle-ref" => crossed(m, 3, resizing),
        "resize-handle-tree" => crossed(m, 4, resizing),
        "resize-handle-none" => crossed(m, 0, resizing),
        "resize-handle-unknown" => crossed(m, 77, resizing),
        "resize-handle-cell" => crossed_cell(m, resizing),
        "resize-no-cell" => kept(m, |_| resizing(ptr::stat(c"static".as_ptr().cast()))),
        "resize-shared" => resize_shared(m),
        "resize-gone" => resize_gone(m),
        "resize-own-destructor" => in_destructor(m, |m, data| m.r(data, m.other_size())),
        "resize-own-hook" => in_hook(m, |m, data| m.r(data, m.other_size())),
        "resize-above" => in_child(m, |m, _| m.r(top(), 200)),
        "resize-leaving" => in_leaving(m, |m, _| m.r(top(), 200)),
        "resize-smash-zero" => resize_smash(m, 0, 16, 0),
        "resize-smash-text" => resize_smash(m, 0, 16, b'A'),
        "resize-smash-flags" => resize_smash(m, 5, 1, 0xff),
        "resize-smash-align" => resize_smash(m, 6, 1, 7),
        "resize-smash-size-tiny" => resize_smash(m, 8, 8, 0),
        "resize-smash-size-huge" => resize_smash(m, 8, 8, b'A'),
        "resize-smash-size-fair" => resize_smash(m, 8, 1, fair),
        "resize-smash-heap" => smash_heap(m, |one| m.r(one, m.other_size())),
        "resize-smash-src" => resize_smash(m, m.header() - 8, 8, b'A'),
        "resize-smash-refs" => resize_smash(m, 16, 8, 0),
        "resize-smash-pool" => smash_pool(m, |one| m.r(one, m.other_size())),
        "resize-smash-drop" => resize_smash_drop(m),
        "resize-smash-name" => resize_smash_name(m),
        "move-freed" => freed(m, |one| moved(one, holder())),
        "move-below-freed" => freed(m, |one| moved(holder(), one)),
        "move-below-itself" => with_below(m, |one, low| {
            moved(one, low);
            m.f(one);
        }),
        "unchecked-below-itself" => with_below(m, |one, low| refused(tree::mu(one, low).is_err())),
        "children-of-freed" => freed(m, |one| moving_children(one)),
        "children-below" => with_below(m, |one, low| {
            refused(tree::mc(one, low).is_err());
            m.f(one);
        }),
        "move-dying" => in_destructor(m, |_, data| moving(data)),
        "move-dying-hook" => in_hook(m, |_, data| moving(data)),
        "move-to-dying" => in_child(m, |_, _| moved(holder(), top())),
        "move-leaving" => in_leaving(m, |_, data| moved(top(), tree::c(data))),
        "children-to-dying" => in_child(m, |_, _| refused(tree::mc(holder(), top()).is_err())),
        "move-as-tree" => kept(m, |one| moving(one)),
        "move-below-other" => kept(m, |one| moving_to(one)),
        "move-foreign" => with_foreign(m, |block| moving(block)),
        "move-below-foreign" => with_foreign(m, |block| moving_to(block)),
        "move-smash-zero" => smash_by(m, 0, 16, 0, |one| moving(one)),
        "move-smash-text" => smash_by(m, 0, 16, b'A', |one| moving(one)),
        "clear-freed" => freed(m, |one| clearing(one)),
        "adopt-freed" => freed(m, |one| adopting(right(m, one))),
        "adopt-handle-heap" => crossed(m, 1, adopting),
        "adopt-handle-pool" => crossed(m, 2, adopting),
        "adopt-handle-ref" => crossed(m, 3, adopting),
        "adopt-handle-tree" => crossed(m, 4, adopting),
        "adopt-handle-unknown" => crossed(m, 77, adopting),
        "adopt-handle-cell" => crossed_cell(m, adopting),
        "adopt-foreign" => with_foreign(m, |block| adopting(handle(m.kind(), block, null_mut()))),
        "adopt-by-freed" => freed(m, |one| adopting_by(one)),
        "adopt-by-other" => kept(m, |one| adopting_by(one)),
        "adopt-by-dying" => in_destructor(m, |_, data| adopting_by(data)),
        "adopt-by-dying-hook" => in_hook(m, |_, data| adopting_by(data)),
        "adopt-dying" => in_destructor(m, |m, data| adopting(right(m, data))),
        "adopt-above" => with_below(m, |one, low| adopted(low, tree::handle(one))),
        "adopted-freed" => held(m, |one| m.f(one)),
        "adopted-resized" => adopted_resized(m),
        "adopted-let-go" => adopted_let_go(m),
        "adopt-twice" => adopt_twice(m),
        "adopt-twice-same" => held(m, |one| adopting(right(m, one))),
        "let-go-none" => kept(m, |one| let_go(holder(), one)),
        "let-go-twice" => let_go_twice(m),
        "let-go-by-freed" => freed(m, |one| letting_go(one)),
        "hook-freed" => freed(m, |one| hooking(one)),
        "hook-other" => kept(m, |one| hooking(one)),
        "hook-dying" => in_destructor(m, |_, data| hooking(data)),
        "hook-dying-hook" => in_hook(m, |_, data| hooking(data)),
        "unhook-freed" => freed(m, |one| unhooking(one)),
        "unhook-dying" => in_hook(m, |_, data| unhooking(data)),
        "hook-frees-own" => in_hook(m, |m, data| m.f(data)),
        "hook-frees-above" => hook_frees_above(m),
        "hook-adds" => in_hook(m, |_, data| adding(data)),
        "hook-forged" => hook_forged(m),
        "above-freed" => freed(m, |one| refused(tree::p(one).is_null())),
        "child-freed" => freed(m, |one| refused(tree::c(one).is_null())),
        "next-freed" => freed(m, |one| refused(tree::cn(one).is_null())),
        "walk-freed" => freed(m, |one| walking(one)),
        "walk-other" => kept(m, |one| walking(one)),
        "count-freed" => freed(m, |one| counting(one)),
        "text-freed" => freed(m, |one| reporting(one)),
        "json-freed" => freed(m, |one| reporting_json(one)),
        "pool-walk-gone" => pool_gone(m, |torn| pool::walk(torn).for_each(drop)),
        "pool-count-gone" => pool_gone(m, |torn| _ = black_box(pool::count(torn))),
        "pool-text-gone" => pool_gone(m, |torn| report::pool_text(torn, &mut |_| {})),
        "pool-json-gone" => pool_gone(m, |torn| report::pool_json(torn, &mut |_| {})),
        "size-freed" => freed(m, |one| sizing(right(m, one))),
        "name-freed" => freed(m, |one| naming(right(m, one))),
        "cast-freed" => freed(m, |one| casting(right(m, one))),
        "size-cell" => crossed_cell(m, sizing),
        "name-cell" => crossed_cell(m, naming),
        "size-smash-text" => smash_by(m, 0, 16, b'A', |one| sizing(right(m, one))),
        "size-smash-tiny" => smash_by(m, 8, 8, 0, |one| sizing(right(m, one))),
        "size-smash-huge" => smash_by(m, 8, 8, b'A', |one| sizing(right(m, one))),
        "size-smash-fair" => smash_by(m, 8, 1, fair, |one| sizing(right(m, one))),
        "name-smash-tiny" => named_by(m, 8, 8, 0),
        "name-smash-huge" => named_by(m, 8, 8, b'A'),
        "name-smash-fair" => named_by(m, 8, 1, fair),
        "name-forged" => named_theirs(m, true, naming),
        "name-text" => named_theirs(m, false, naming),
        "cast-forged" => named_theirs(m, true, casting),
        "text-unended" | "text-static" | "append-static" | "cats-freed" | "cat-freed" | "cat-smash-size"
        | "cats-smash-size" | "cat-cell" => {
            appending(Handle::NULL);
        }
        _ => return false,
    }
    true
}

/// Goes on as a program would, and says whether a block was handed out that somebody has.
unsafe fn go_on(m: &Method) {
    let unit = UNIT.load(Relaxed);
    let more = [(); 32].map(|()| {
        let data = black_box((m.alloc)(unit));
        if !data.is_null() {
            data.write_bytes(0x5a, unit);
        }
        data
    });
    let kept = KEPT[..KEEPS.load(Relaxed)].iter().map(|kept| kept.load(Relaxed).addr());
    for (index, one) in more.iter().enumerate() {
        if one.is_null() {
            continue;
        }
        if more[..index].contains(one) {
            return say("harm: handed out one block twice");
        }
        if kept.clone().any(|kept| one.addr() < kept + SIZE && kept < one.addr() + unit) {
            return say("harm: handed out a block in use");
        }
    }
    more.into_iter().for_each(|one| m.f(one));
    libc::free(libc::malloc(SIZE));
}

/// Commits the misuse of this name, and says whether there is one.
unsafe fn commit(name: &str, m: &Method) -> bool {
    match name {
        "twice" => twice(m),
        "twice-later" => twice_later(m),
        "twice-busy" => twice_busy(m),
        "twice-full" => twice_full(m),
        "twice-thread" => twice_thread(m),
        "twice-reused" => twice_reused(m),
        "twice-large" => twice_large(m),
        "as-heap" => as_other(m, heap::f),
        "as-ref" => as_other(m, refs::f),
        "as-pool" => as_other(m, pool::f),
        "as-tree" => as_other(m, tree_f),
        "foreign" => foreign(m, SIZE),
        "foreign-large" => foreign(m, LARGE),
        "to-libc" => to_libc(m),
        "inside-1" => inside(m, 1, 0),
        "inside-8" => inside(m, 8, 0),
        "inside-16" => inside(m, 16, 0),
        "inside-32" => inside(m, 32, 0),
        "inside-16-text" => inside(m, 16, b'A'),
        "inside-32-text" => inside(m, 32, b'A'),
        "stack" => stack(m, 0),
        "stack-text" => stack(m, b'A'),
        "static" => fixed(m),
        "gone" => gone(m),
        "gone-large" => gone_large(m),
        "gone-reused" => gone_reused(m),
        "torn-twice" => torn_twice(m),
        "drawn-gone" => drawn_gone(m),
        "node-gone" => node_gone(m),
        "node-gone-torn" => node_gone_torn(m),
        "twice-zeroed" => twice_zeroed(m),
        "dropped-for" => dropped_for(m),
        "up-after" => up_after(m),
        "below-freed" => below_freed(m),
        "own-destructor" => own_destructor(m),
        "child-destructor" => child_destructor(m),
        "child-leaving" => in_leaving(m, |m, _| m.f(top())),
        "child-emptied" => {
            leaving(m, |m, _| m.f(top()));
            wrong(|| tree::x(top()));
        }
        "cell-destructor" => cell_destructor(m),
        "node-destructor" => node_destructor(m),
        "handle-heap" => crossed(m, 1, freeing),
        "handle-pool" => crossed(m, 2, freeing),
        "handle-ref" => crossed(m, 3, freeing),
        "handle-tree" => crossed(m, 4, freeing),
        "handle-source" => crossed(m, 5, freeing),
        "handle-unknown" => crossed(m, 77, freeing),
        "handle-none" => crossed(m, 0, freeing),
        "handle-cell" => crossed_cell(m, freeing),
        "over-1-zero" => over(m, 1, 0),
        "over-1-text" => over(m, 1, b'A'),
        "over-8-zero" => over(m, 8, 0),
        "over-8-text" => over(m, 8, b'A'),
        "over-16-zero" => over(m, 16, 0),
        "over-16-text" => over(m, 16, b'A'),
        "over-free" => over_free(m),
        "late-write" => late_write(m),
        "forge-flags" => forge_flags(m),
        "forge-slot" => forge_slot(m),
        "forge-pool" => forge_pool(m, false),
        "forge-pool-drop" => forge_pool(m, true),
        "forge-src" => forge_src(m),
        "forge-drop" => forge_drop(m),
        "forge-free" => forge_free(m),
        "forge-live" => forge_live(m),
        "smash-zero" => smash(m, 0, 16, 0),
        "smash-text" => smash(m, 0, 16, b'A'),
        "smash-flags" => smash(m, 5, 1, 0xff),
        "smash-align" => smash(m, 6, 1, 0xff),
        "smash-align-fair" => smash(m, 6, 1, 7),
        "smash-heap" => smash_heap(m, |one| m.f(one)),
        "smash-size-tiny" => smash(m, 8, 8, 0),
        "smash-size-huge" => smash(m, 8, 8, b'A'),
        "smash-size-fair" => smash(m, 8, 1, (m.header() + 2 * SIZE) as u8),
        "smash-size-mark" => smash_size_mark(m, SIZE),
        "smash-size-256" => smash_size_256(m),
        "smash-size-mark-256" => smash_size_mark(m, 256),
        "smash-src-zero" => smash(m, m.header() - 8, 8, 0),
        "smash-src-text" => smash(m, m.header() - 8, 8, b'A'),
        "smash-refs-zero" => smash(m, 16, 8, 0),
        "smash-refs-more" => smash(m, 16, 1, 2),
        "smash-pool" => smash_pool(m, |one| m.f(one)),
        "pool-zero" => pool_header(m, 0),
        "pool-text" => pool_header(m, b'A'),
        "link-parent" => link(m, 2, true, tree_f),
        "link-child" => link(m, 3, true, tree_f),
        "link-prev" => link(m, 5, true, tree_f),
        "link-next" => link(m, 6, true, tree_f),
        "link-parent-text" => link(m, 2, false, tree_f),
        "link-child-text" => link(m, 3, false, tree_f),
        "link-prev-text" => link(m, 5, false, tree_f),
        "link-next-text" => link(m, 6, false, tree_f),
        _ => return commit_life(name, m),
    }
    true
}

/// Runs one case in this process.
pub fn run(misuse: &str, method: &str) -> Result<(), String> {
    let method = METHODS.iter().find(|m| m.name == method).ok_or_else(|| format!("no method {method}"))?;
    // SAFETY: there is none, for the case breaks a contract: the process is a child made for it, ends without a core file,
    // and at the latest with its alarm.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0);
        libc::alarm(5);
        if !commit(misuse, method) {
            return Err(format!("no misuse {misuse}"));
        }
        go_on(method);
    }
    say("end");
    Ok(())
}
