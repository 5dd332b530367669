//! The two faces of kmem: its engine in Rust, and the C functions over it.

use std::ffi::{CStr, c_void};
use std::ptr::{NonNull, null, null_mut};

use kmem::Kind;
use kmem::raw::{Cell, Destructor, Fill, Handle, Pool, Request, Source, heap, pool, ptr, refs, tree};
use kmem_capi as c;

/// What an allocation is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Data bytes.
    pub size: usize,
    /// Alignment of the data.
    pub align: usize,
    /// Whether the data is zeroed.
    pub zero: bool,
    /// What runs when the cell goes.
    pub drop: Option<Destructor>,
    /// Whether it is asked for by handle.
    pub handle: bool,
}

impl Ask {
    /// Whether the short forms can say it.
    fn is_plain(&self) -> bool {
        self.align == 0 && self.drop.is_none()
    }

    fn request(&self) -> Request {
        let fill = if self.zero { Fill::Zeroed } else { Fill::Undefined };
        Request { size: self.size, align: self.align, fill, drop: self.drop, name: None }
    }

    /// What a pool that is asked for with options is called: all but those of the smallest cells.
    pub(crate) fn name(&self, grows: bool) -> Option<&'static CStr> {
        ((grows || !self.is_plain()) && self.size > 16).then_some(c"of the model")
    }

    fn options(&self, grow: bool) -> c::Options {
        let (drop, arg) = self.drop.map_or((None, null_mut()), |drop| (drop.run, drop.arg));
        c::Options {
            sz: self.size,
            align: self.align,
            drop,
            arg,
            zero: self.zero.into(),
            grow: grow.into(),
            name: self.name(grow).map_or(null(), CStr::as_ptr),
        }
    }
}

/// The ways in which an object can be freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, arbitrary::Arbitrary)]
pub enum Way {
    /// The method's own `f`.
    Free,
    /// The method's own `s`; of a reference `d` where it is not to be zeroed.
    Shred,
    /// By handle, with `kmfree`.
    Handle,
    /// By a handle that was made for the occasion, without a cell.
    Bare,
    /// By a tainted handle.
    Tainted,
    /// By handle, with `kmshred`.
    ShredHandle,
}

impl Way {
    /// Whether the bytes are to be zeroed.
    pub fn shreds(self) -> bool {
        matches!(self, Way::Shred | Way::Tainted | Way::ShredHandle)
    }
}

/// One of the faces. A pointer that is null means a refusal.
pub trait Face {
    /// Makes a heap cell, a reference-counted cell or a node.
    unsafe fn make(kind: Kind, src: *mut Cell, parent: *mut u8, ask: &Ask) -> *mut u8;
    /// Takes a cell from a pool.
    unsafe fn cell(pool: *mut Pool, ask: &Ask) -> *mut u8;
    /// Makes a pool.
    unsafe fn pool(src: *mut Cell, ask: &Ask, cells: usize, grows: bool) -> *mut Pool;
    /// Makes a pool in a buffer.
    unsafe fn pool_in(buffer: *mut u8, len: usize, ask: &Ask) -> *mut Pool;
    /// The data of a pool's live cells.
    unsafe fn walk(pool: *mut Pool) -> Vec<*mut u8>;
    /// Counts a pool.
    unsafe fn count(pool: *mut Pool) -> pool::Count;
    /// Tears a pool down.
    unsafe fn end_pool(pool: *mut Pool);
    /// Frees an object, and returns the parent that the call named, or null.
    unsafe fn free(kind: Kind, data: *mut u8, way: Way) -> *mut u8;
    /// Adds a reference.
    unsafe fn up(data: *mut u8) -> *mut u8;
    /// Taints an object through a handle on it.
    unsafe fn taint(kind: Kind, data: *mut u8);
    /// Makes a source of the two functions.
    unsafe fn source(at: *mut Source, allocate: Allocate, free: Give);
}

pub type Allocate = unsafe extern "C-unwind" fn(*mut Source, usize, usize) -> *mut c_void;
pub type Give = unsafe extern "C-unwind" fn(*mut Source, *mut c_void, usize, usize);

/// The engine, [`kmem::raw`].
#[derive(Debug)]
pub struct Rust;

/// The C functions.
#[derive(Debug)]
pub struct C;

fn or_null<T, E>(result: Result<NonNull<T>, E>) -> *mut T {
    result.map_or(null_mut(), NonNull::as_ptr)
}

/// The handle that a program would have on a live object.
unsafe fn handle(kind: Kind, data: *mut u8) -> Handle {
    unsafe {
        match kind {
            Kind::Heap => heap::handle(data),
            Kind::Ref => refs::handle(data),
            Kind::Pool => pool::handle(data),
            _ => tree::handle(data),
        }
    }
}

/// Frees by handle in one of the ways that do so.
unsafe fn free_handle(
    handle: Handle,
    way: Way,
    free: unsafe fn(Handle),
    shred: unsafe fn(Handle),
    taint: unsafe fn(&mut Handle),
) {
    unsafe {
        match way {
            Way::Bare => free(Handle { cell: null_mut(), ..handle }),
            Way::Tainted => {
                let mut handle = handle;
                taint(&mut handle);
                free(handle);
            }
            Way::ShredHandle => shred(handle),
            _ => free(handle),
        }
    }
}

impl Face for Rust {
    unsafe fn make(kind: Kind, src: *mut Cell, parent: *mut u8, ask: &Ask) -> *mut u8 {
        unsafe {
            if !ask.is_plain() {
                let request = ask.request();
                return or_null(match kind {
                    Kind::Heap => heap::alloc(&request),
                    Kind::Ref => refs::alloc(src, &request),
                    _ => tree::alloc(src, parent, &request),
                });
            }
            match (kind, ask.handle, ask.zero) {
                (Kind::Heap, false, false) => heap::a(ask.size),
                (Kind::Heap, false, true) => heap::z(ask.size),
                (Kind::Heap, true, false) => heap::ao(ask.size).data,
                (Kind::Heap, true, true) => heap::zo(ask.size).data,
                (Kind::Ref, false, false) => refs::a(src, ask.size),
                (Kind::Ref, false, true) => refs::z(src, ask.size),
                (Kind::Ref, true, false) => refs::ao(src, ask.size).data,
                (Kind::Ref, true, true) => refs::zo(src, ask.size).data,
                (_, false, false) => tree::a(src, parent, ask.size),
                (_, false, true) => tree::z(src, parent, ask.size),
                (_, true, false) => tree::ao(src, parent, ask.size).data,
                (_, true, true) => tree::zo(src, parent, ask.size).data,
            }
        }
    }

    unsafe fn cell(of: *mut Pool, ask: &Ask) -> *mut u8 {
        unsafe {
            match (ask.is_plain(), ask.handle, ask.zero) {
                (true, false, true) => pool::z(of, ask.size),
                (true, true, false) => pool::ao(of, ask.size).data,
                (true, true, true) => pool::zo(of, ask.size).data,
                _ => or_null(pool::alloc(of, &ask.request())),
            }
        }
    }

    unsafe fn pool(src: *mut Cell, ask: &Ask, cells: usize, grows: bool) -> *mut Pool {
        if ask.is_plain() && !grows {
            return unsafe { pool::i(src, ask.size, cells) };
        }
        let spec = pool::Spec {
            size: ask.size,
            align: ask.align,
            cells,
            drop: ask.drop,
            grows,
            name: ask.name(grows),
        };
        or_null(unsafe { pool::init(src, &spec) })
    }

    unsafe fn pool_in(buffer: *mut u8, len: usize, ask: &Ask) -> *mut Pool {
        if ask.is_plain() {
            return unsafe { pool::in_buffer(buffer, len, ask.size) };
        }
        let spec = pool::Spec {
            align: ask.align,
            drop: ask.drop,
            name: ask.name(false),
            ..pool::Spec::new(ask.size, 0)
        };
        or_null(unsafe { pool::init_in_buffer(buffer, len, &spec) })
    }

    unsafe fn walk(pool: *mut Pool) -> Vec<*mut u8> {
        unsafe { pool::walk(pool) }.collect()
    }

    unsafe fn count(pool: *mut Pool) -> pool::Count {
        unsafe { pool::count(pool) }
    }

    unsafe fn end_pool(pool: *mut Pool) {
        unsafe { pool::x(pool) }
    }

    unsafe fn free(kind: Kind, data: *mut u8, way: Way) -> *mut u8 {
        unsafe {
            match (way, kind) {
                (Way::Free, Kind::Heap) => heap::f(data),
                (Way::Shred, Kind::Heap) => heap::s(data),
                (Way::Free, Kind::Ref) => refs::d(data),
                (Way::Shred, Kind::Ref) => refs::s(data),
                (Way::Free, Kind::Pool) => pool::f(data),
                (Way::Shred, Kind::Pool) => pool::s(data),
                (Way::Free, _) => return tree::f(data).data,
                (Way::Shred, _) => return tree::s(data).data,
                _ => free_handle(handle(kind, data), way, ptr::free, ptr::shred, ptr::taint),
            }
        }
        null_mut()
    }

    unsafe fn up(data: *mut u8) -> *mut u8 {
        unsafe { refs::u(data) }
    }

    unsafe fn taint(kind: Kind, data: *mut u8) {
        unsafe { ptr::taint(&mut handle(kind, data)) }
    }

    unsafe fn source(at: *mut Source, allocate: Allocate, free: Give) {
        unsafe { at.write(Source::new(allocate, free, null_mut())) }
    }
}

/// Calls a C function that may refuse, and verifies that `errno` says why if it did, and is left alone if not.
fn refusing(call: impl FnOnce() -> *mut c_void) -> *mut u8 {
    const UNTOUCHED: i32 = 7777;
    errno::set_errno(errno::Errno(UNTOUCHED));
    let data = call();
    let said = errno::errno().0;
    if data.is_null() {
        assert!(said == libc::ENOMEM || said == libc::EINVAL, "a refusal with errno {said}");
    } else {
        assert_eq!(said, UNTOUCHED, "errno was touched by a call that succeeded");
    }
    data.cast()
}

impl Face for C {
    unsafe fn make(kind: Kind, src: *mut Cell, parent: *mut u8, ask: &Ask) -> *mut u8 {
        use c::{heap::*, refs::*, tree::*};
        let (size, parent) = (ask.size, parent.cast());
        refusing(|| unsafe {
            if !ask.is_plain() {
                let options = ask.options(false);
                return match (kind, ask.handle) {
                    (Kind::Heap, false) => kmheapw(&options),
                    (Kind::Heap, true) => kmheapwo(&options).data.cast(),
                    (Kind::Ref, false) => kmrefw(src, &options),
                    (Kind::Ref, true) => kmrefwo(src, &options).data.cast(),
                    (_, false) => kmtreew(src, parent, &options),
                    (_, true) => kmtreewo(src, parent, &options).data.cast(),
                };
            }
            match (kind, ask.handle, ask.zero) {
                (Kind::Heap, false, false) => kmheapa(size),
                (Kind::Heap, false, true) => kmheapz(size),
                (Kind::Heap, true, false) => kmheapao(size).data.cast(),
                (Kind::Heap, true, true) => kmheapzo(size).data.cast(),
                (Kind::Ref, false, false) => kmrefa(src, size),
                (Kind::Ref, false, true) => kmrefz(src, size),
                (Kind::Ref, true, false) => kmrefao(src, size).data.cast(),
                (Kind::Ref, true, true) => kmrefzo(src, size).data.cast(),
                (_, false, false) => kmtreea(src, parent, size),
                (_, false, true) => kmtreez(src, parent, size),
                (_, true, false) => kmtreeao(src, parent, size).data.cast(),
                (_, true, true) => kmtreezo(src, parent, size).data.cast(),
            }
        })
    }

    unsafe fn cell(pool: *mut Pool, ask: &Ask) -> *mut u8 {
        use c::pool::*;
        // The C functions have no options for a single cell: alignment and destructor are the pool's.
        if !ask.is_plain() {
            return unsafe { Rust::cell(pool, ask) };
        }
        refusing(|| unsafe {
            match (ask.handle, ask.zero) {
                (false, false) if ask.size <= (*pool).cellsz => kmpoola(pool),
                (_, false) => kmpoolao(pool, ask.size).data.cast(),
                (false, true) => kmpoolz(pool, ask.size),
                (true, true) => kmpoolzo(pool, ask.size).data.cast(),
            }
        })
    }

    unsafe fn pool(src: *mut Cell, ask: &Ask, cells: usize, grows: bool) -> *mut Pool {
        use c::pool::*;
        refusing(|| unsafe {
            if ask.is_plain() && !grows {
                kmpooli(src, ask.size, cells).cast()
            } else {
                kmpooliw(src, &ask.options(grows), cells).cast()
            }
        })
        .cast()
    }

    unsafe fn pool_in(buffer: *mut u8, len: usize, ask: &Ask) -> *mut Pool {
        use c::pool::*;
        refusing(|| unsafe {
            if ask.is_plain() {
                kmpoolif(buffer.cast(), len, ask.size).cast()
            } else {
                kmpoolifw(buffer.cast(), len, &ask.options(false)).cast()
            }
        })
        .cast()
    }

    unsafe fn walk(pool: *mut Pool) -> Vec<*mut u8> {
        let mut walk = c::walk::Walk { root: pool.cast(), at: Handle::NULL, depth: 0, km_at_: null_mut() };
        let mut seen = Vec::new();
        while unsafe { c::pool::kmpooln(&raw mut walk) } != 0 {
            let again = unsafe { c::pool::kmpoolo(walk.at.data.cast()) };
            assert_eq!((again.kind, again.cell), (walk.at.kind, walk.at.cell));
            seen.push(walk.at.data);
        }
        assert!(walk.at.is_null());
        seen
    }

    unsafe fn count(pool: *mut Pool) -> pool::Count {
        unsafe { c::pool::kmpoolq(pool) }
    }

    unsafe fn end_pool(pool: *mut Pool) {
        unsafe { c::pool::kmpoolx(pool) }
    }

    unsafe fn free(kind: Kind, data: *mut u8, way: Way) -> *mut u8 {
        use c::{heap::*, pool::*, ptr::*, refs::*, tree::*};
        unsafe fn taint(handle: &mut Handle) {
            unsafe { kmtaint(handle) }
        }
        unsafe fn free(handle: Handle) {
            unsafe { kmfree(handle) }
        }
        unsafe fn shred(handle: Handle) {
            unsafe { kmshred(handle) }
        }
        let raw = data.cast();
        unsafe {
            match (way, kind) {
                (Way::Free, Kind::Heap) => kmheapf(raw),
                (Way::Shred, Kind::Heap) => kmheaps(raw),
                (Way::Free, Kind::Ref) => kmrefd(raw),
                (Way::Shred, Kind::Ref) => kmrefs(raw),
                (Way::Free, Kind::Pool) => kmpoolf(raw),
                (Way::Shred, Kind::Pool) => kmpools(raw),
                (Way::Free, _) => return kmtreef(raw).data,
                (Way::Shred, _) => return kmtrees(raw).data,
                _ => free_handle(handle(kind, data), way, free, shred, taint),
            }
        }
        null_mut()
    }

    unsafe fn up(data: *mut u8) -> *mut u8 {
        unsafe { c::refs::kmrefu(data.cast()).cast() }
    }

    unsafe fn taint(kind: Kind, data: *mut u8) {
        let mut handle = unsafe { handle(kind, data) };
        unsafe { c::ptr::kmtaint(&raw mut handle) }
    }

    unsafe fn source(at: *mut Source, allocate: Allocate, free: Give) {
        unsafe { c::source::kmsourcei(at, allocate, free, null_mut()) }
    }
}
