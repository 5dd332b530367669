//! The two faces of kmem: its engine in Rust, and the C functions over it.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::{NonNull, null, null_mut};

use kmem::raw::ptr::At;
use kmem::raw::report::{self, Sum};
use kmem::raw::{
    Cell, Destructor, Fill, Handle, Pool, Request, ResizeFn, Source, heap, pool, ptr, refs, tree,
};
use kmem::{AllocError, Kind};
use kmem_capi as c;

use crate::memory;

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
    /// What it is called.
    pub name: Option<&'static CStr>,
    /// Whether it is made as an object of any kind is.
    pub any: bool,
}

impl Ask {
    /// Whether the short forms can say it.
    fn is_plain(&self) -> bool {
        self.align == 0 && self.drop.is_none() && self.name.is_none() && !self.any
    }

    fn request(&self) -> Request {
        let fill = if self.zero { Fill::Zeroed } else { Fill::Undefined };
        Request { size: self.size, align: self.align, fill, drop: self.drop, name: self.name }
    }

    /// What a pool that is asked for with options is called: all but those of the smallest cells.
    pub(crate) fn pool_name(&self, grows: bool) -> Option<&'static CStr> {
        ((grows || !self.is_plain()) && self.size > 16).then_some(c"of the model")
    }

    fn options(&self, grow: bool, name: Option<&'static CStr>) -> c::Options {
        let (drop, arg) = self.drop.map_or((None, null_mut()), |drop| (drop.run, drop.arg));
        c::Options {
            sz: self.size,
            align: self.align,
            drop,
            arg,
            zero: self.zero.into(),
            grow: grow.into(),
            name: name.map_or(null(), CStr::as_ptr),
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

/// Through what an object is given another size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, arbitrary::Arbitrary)]
pub enum How {
    /// The method's own function, where it has one.
    Own,
    /// A handle.
    Handle,
    /// A handle without a cell.
    Bare,
    /// A tainted handle.
    Tainted,
    /// A handle, as an array.
    Array,
}

/// What is made of bytes, or for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, arbitrary::Arbitrary)]
pub enum Words {
    /// An array.
    Array,
    /// An array of zeros.
    Zeroed,
    /// A copy of bytes.
    Copy,
    /// A copy of a string.
    String,
    /// A copy of the beginning of a string.
    Part,
}

impl Words {
    /// Whether a zero comes behind what is copied.
    pub(crate) fn ends(self) -> bool {
        matches!(self, Words::String | Words::Part)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, arbitrary::Arbitrary)]
pub enum Appended {
    /// Bytes, behind all that there are.
    Bytes,
    /// A string, behind the string that is there.
    String,
    /// Characters, where there was made room for them.
    Room,
    /// Nothing yet: room is asked for in advance.
    Reserve,
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
    /// Gives an object another name, and returns true if there was room.
    unsafe fn rename(kind: Kind, data: *mut u8, name: &'static CStr) -> bool;
    /// Makes a source of these functions.
    unsafe fn source(at: *mut Source, allocate: Allocate, free: Give, resize: Option<ResizeFn>);
    /// Makes an array, or a copy of `n` bytes, which a zero follows.
    unsafe fn text(at: &At, what: Words, n: usize, size: usize, bytes: *const u8) -> *mut u8;
    /// Asks for room for so many bytes.
    unsafe fn reserve(kind: Kind, data: *mut u8, size: usize, how: How) -> *mut u8;
    /// Gives an object another size.
    unsafe fn resize(kind: Kind, data: *mut u8, size: usize, how: How) -> *mut u8;
    /// Appends `n` bytes, which a zero follows, to what an object of this size holds.
    unsafe fn append(
        object: (Kind, *mut u8, usize),
        what: Appended,
        bytes: (*const u8, usize),
        how: How,
    ) -> *mut u8;
    /// Moves a node, and returns it.
    unsafe fn place(node: *mut u8, parent: *mut u8, unchecked: bool) -> *mut u8;
    /// Moves all children of a node, and returns where to.
    unsafe fn place_children(from: *mut u8, to: *mut u8) -> *mut u8;
    /// Frees all below a node.
    unsafe fn empty(node: *mut u8);
    /// Adds a hook, and returns the node.
    unsafe fn hook(node: *mut u8, hook: Destructor) -> *mut u8;
    /// Takes a hook off.
    unsafe fn unhook(node: *mut u8, hook: Destructor) -> bool;
    /// Has a node adopt an object, and returns that.
    unsafe fn adopt(node: *mut u8, object: Handle) -> *mut u8;
    /// Has a node let go of an object.
    unsafe fn release(node: *mut u8, object: *const u8) -> Handle;
    /// Sets the destructor of a cell, and returns its data.
    unsafe fn hook_late(kind: Kind, data: *mut u8, hook: Destructor) -> *mut u8;
    /// Has a counted cell adopt an object, and returns that.
    unsafe fn own(cell: *mut u8, object: Handle) -> *mut u8;
    /// Has a counted cell let go of an object.
    unsafe fn disown(cell: *mut u8, object: *const u8) -> Handle;
    /// What a walk over a tree comes by, and how deep that is.
    unsafe fn walk_tree(node: *mut u8) -> Vec<(Handle, usize)>;
    /// The node above, the first child, the next one.
    unsafe fn around(node: *mut u8) -> [*mut u8; 5];
    /// Counts what is at and below a node.
    unsafe fn sum(node: *mut u8, name: Option<&CStr>) -> Sum;
    /// Reports a node, as text or as JSON.
    unsafe fn report(node: *mut u8, depth: usize, json: bool) -> String;
    /// Reports a pool.
    unsafe fn report_pool(pool: *mut Pool, json: bool) -> String;
    /// The size and the name of an object, and whether it can be cast to that and to another.
    unsafe fn facts(handle: Handle) -> (usize, Option<&'static CStr>, [*mut u8; 2]);
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

fn or_null_unit(result: Result<(), AllocError>, data: *mut u8) -> *mut u8 {
    result.map_or(null_mut(), |()| data)
}

fn at(kind: Kind, src: *mut Cell, parent: *mut u8) -> At {
    At { src, parent, ..At::new(kind) }
}

/// Gives `resize` a handle such as `how` says, and verifies that this is one on the object where it is then.
unsafe fn by_handle(
    kind: Kind,
    data: *mut u8,
    how: How,
    resize: impl FnOnce(&mut Handle) -> *mut u8,
) -> *mut u8 {
    let of = |data| {
        let (shred, handle) = (i32::from(how == How::Tainted), unsafe { handle(kind, data) });
        Handle { shred, cell: if how == How::Bare { null_mut() } else { handle.cell }, ..handle }
    };
    let mut handle = of(data);
    let now = resize(&mut handle);
    assert_eq!(handle, of(if now.is_null() { data } else { now }), "the handle of what was resized");
    now
}

/// What is another name.
pub(crate) const STRANGER: &CStr = c"a stranger";

/// The handle that a program would have on a live object.
pub(crate) unsafe fn handle(kind: Kind, data: *mut u8) -> Handle {
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
                if ask.any {
                    return at(kind, src, parent).alloc(&request).map_or(null_mut(), |handle| handle.data);
                }
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
            name: ask.pool_name(grows),
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
            name: ask.pool_name(false),
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

    unsafe fn rename(kind: Kind, data: *mut u8, name: &'static CStr) -> bool {
        unsafe { ptr::rename(handle(kind, data), name) }
    }

    unsafe fn source(at: *mut Source, allocate: Allocate, free: Give, resize: Option<ResizeFn>) {
        let source = Source::new(allocate, free, null_mut());
        unsafe { at.write(if let Some(resize) = resize { source.with_resize(resize) } else { source }) }
    }

    unsafe fn text(at: &At, what: Words, n: usize, size: usize, bytes: *const u8) -> *mut u8 {
        let fill = if what == Words::Zeroed { Fill::Zeroed } else { Fill::Undefined };
        let room = if what.ends() { n.checked_add(1) } else { n.checked_mul(size) };
        let Some(room) = room else { return null_mut() };
        unsafe {
            let Ok(handle) = at.alloc(&Request { fill, ..Request::new(room) }) else { return null_mut() };
            if !bytes.is_null() {
                handle.data.copy_from_nonoverlapping(bytes, room);
            }
            handle.data
        }
    }

    unsafe fn reserve(kind: Kind, data: *mut u8, size: usize, how: How) -> *mut u8 {
        unsafe { by_handle(kind, data, how, |handle| or_null(ptr::reserve(handle, size))) }
    }

    unsafe fn resize(kind: Kind, data: *mut u8, size: usize, how: How) -> *mut u8 {
        unsafe {
            match (how, kind) {
                (How::Own, Kind::Heap) => heap::r(data, size),
                (How::Own, Kind::Ref) => refs::r(data, size),
                (How::Own, Kind::Tree) => tree::r(data, size),
                _ => by_handle(kind, data, how, |handle| or_null(ptr::resize(handle, size))),
            }
        }
    }

    unsafe fn append(
        (kind, data, size): (Kind, *mut u8, usize),
        what: Appended,
        (bytes, n): (*const u8, usize),
        how: How,
    ) -> *mut u8 {
        unsafe {
            let bytes = memory::model(|| std::slice::from_raw_parts(bytes, n).to_vec());
            let string = what != Appended::Bytes;
            let held = if string { libc::strnlen(data.cast(), size) } else { size };
            let total = held + n + usize::from(string);
            let now = match total {
                _ if string && held == size => null_mut(),
                _ if total <= size => data,
                _ => by_handle(kind, data, how, |handle| or_null(ptr::grow("kmcat", handle, total))),
            };
            if !now.is_null() {
                now.add(held).copy_from_nonoverlapping(bytes.as_ptr(), n);
                if string {
                    now.add(held + n).write(0);
                }
            }
            memory::model(|| drop(bytes));
            now
        }
    }

    unsafe fn place(node: *mut u8, parent: *mut u8, unchecked: bool) -> *mut u8 {
        let moved = unsafe { if unchecked { tree::mu(node, parent) } else { tree::m(node, parent) } };
        assert!(matches!(moved, Ok(()) | Err(AllocError::Below)), "{moved:?}");
        or_null_unit(moved, node)
    }

    unsafe fn place_children(from: *mut u8, to: *mut u8) -> *mut u8 {
        let moved = unsafe { tree::mc(from, to) };
        assert_ne!(moved, Err(AllocError::Misused));
        or_null_unit(moved, to)
    }

    unsafe fn empty(node: *mut u8) {
        unsafe { tree::x(node) }
    }

    unsafe fn hook(node: *mut u8, hook: Destructor) -> *mut u8 {
        or_null_unit(unsafe { tree::h(node, hook) }, node)
    }

    unsafe fn unhook(node: *mut u8, hook: Destructor) -> bool {
        unsafe { tree::hx(node, hook) }
    }

    unsafe fn adopt(node: *mut u8, object: Handle) -> *mut u8 {
        or_null_unit(unsafe { tree::k(node, object) }, object.data)
    }

    unsafe fn release(node: *mut u8, object: *const u8) -> Handle {
        unsafe { tree::l(node, object) }
    }

    unsafe fn hook_late(kind: Kind, data: *mut u8, hook: Destructor) -> *mut u8 {
        or_null_unit(unsafe { ptr::hook(handle(kind, data), hook) }, data)
    }

    unsafe fn own(cell: *mut u8, object: Handle) -> *mut u8 {
        or_null_unit(unsafe { refs::k(cell, object) }, object.data)
    }

    unsafe fn disown(cell: *mut u8, object: *const u8) -> Handle {
        unsafe { refs::l(cell, object) }
    }

    unsafe fn walk_tree(node: *mut u8) -> Vec<(Handle, usize)> {
        unsafe { tree::walk(node) }.map(|visit| (visit.object, visit.depth)).collect()
    }

    unsafe fn around(node: *mut u8) -> [*mut u8; 5] {
        unsafe { [tree::p(node), tree::c(node), tree::cl(node), tree::cn(node), tree::cp(node)] }
    }

    unsafe fn sum(node: *mut u8, name: Option<&CStr>) -> Sum {
        unsafe { report::count(node, name) }
    }

    unsafe fn report(node: *mut u8, depth: usize, json: bool) -> String {
        let mut out = String::new();
        let mut write = |piece: &str| memory::model(|| out.push_str(piece));
        unsafe {
            if json { report::json(node, depth, &mut write) } else { report::text(node, depth, &mut write) }
        }
        out
    }

    unsafe fn report_pool(pool: *mut Pool, json: bool) -> String {
        let mut out = String::new();
        let mut write = |piece: &str| memory::model(|| out.push_str(piece));
        unsafe {
            if json { report::pool_json(pool, &mut write) } else { report::pool_text(pool, &mut write) }
        }
        out
    }

    unsafe fn facts(handle: Handle) -> (usize, Option<&'static CStr>, [*mut u8; 2]) {
        unsafe {
            let name = ptr::name(handle);
            let same = name.map_or(null_mut(), |name| ptr::cast(handle, name));
            (ptr::size(handle), name, [same, ptr::cast(handle, STRANGER)])
        }
    }
}

/// Adds a piece of a report to a `String`.
unsafe extern "C" fn write(context: *mut c_void, text: *const c_char, len: usize) {
    memory::model(|| {
        let piece = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) };
        unsafe { &mut *context.cast::<String>() }
            .push_str(std::str::from_utf8(piece).expect("whole characters"));
    });
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
        use c::{heap::*, refs::*, text::*, tree::*};
        let (size, parent) = (ask.size, parent.cast::<c_void>());
        refusing(|| unsafe {
            if !ask.is_plain() {
                let options = ask.options(false, ask.name);
                if ask.any {
                    return kmnew(at(kind, src, parent.cast()), &options).data.cast();
                }
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
                kmpooliw(src, &ask.options(grows, ask.pool_name(grows)), cells).cast()
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
                kmpoolifw(buffer.cast(), len, &ask.options(false, ask.pool_name(false))).cast()
            }
        })
        .cast()
    }

    unsafe fn walk(pool: *mut Pool) -> Vec<*mut u8> {
        let mut walk = c::walk::Walk {
            root: pool.cast(),
            at: Handle::NULL,
            depth: 0,
            pool: null_mut(),
            km_at_: null_mut(),
        };
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

    unsafe fn rename(kind: Kind, data: *mut u8, name: &'static CStr) -> bool {
        errno::set_errno(errno::Errno(0));
        unsafe { c::ptr::kmrename(handle(kind, data), name.as_ptr()) };
        let said = errno::errno().0;
        assert!(said == 0 || said == libc::EINVAL, "a refusal with errno {said}");
        said == 0
    }

    unsafe fn source(at: *mut Source, alloc: Allocate, free: Give, resize: Option<ResizeFn>) {
        use c::source::*;
        match resize {
            Some(_) => unsafe { kmsourceiw(at, &SourceOptions { alloc, free, resize }, null_mut()) },
            None => unsafe { kmsourcei(at, alloc, free, null_mut()) },
        }
    }

    unsafe fn text(at: &At, what: Words, n: usize, size: usize, bytes: *const u8) -> *mut u8 {
        use c::text::*;
        refusing(|| {
            let handle = unsafe {
                match what {
                    Words::Array => kmarr(*at, n, size),
                    Words::Zeroed => kmarrz(*at, n, size),
                    Words::Copy => kmdup(*at, bytes.cast(), n),
                    Words::String => kmdups(*at, bytes.cast()),
                    Words::Part => kmdupn(*at, bytes.cast(), n),
                }
            };
            assert_eq!(handle.shred, 0);
            assert!(handle.is_null() || handle.kind == at.kind);
            handle.data.cast()
        })
    }

    unsafe fn reserve(kind: Kind, data: *mut u8, size: usize, how: How) -> *mut u8 {
        refusing(|| unsafe {
            by_handle(kind, data, how, |handle| c::text::kmreserve(handle, size).cast()).cast()
        })
    }

    unsafe fn resize(kind: Kind, data: *mut u8, size: usize, how: How) -> *mut u8 {
        use c::{heap::*, refs::*, text::*, tree::*};
        let raw = data.cast();
        refusing(|| unsafe {
            match (how, kind) {
                (How::Own, Kind::Heap) => kmheapr(raw, size),
                (How::Own, Kind::Ref) => kmrefr(raw, size),
                (How::Own, Kind::Tree) => kmtreer(raw, size),
                (How::Array, _) => {
                    let (n, of) = if size % 8 == 0 { (size / 8, 8) } else { (size, 1) };
                    // What is too much by far overflows.
                    let of = if size > isize::MAX as usize { of * 16 } else { of };
                    by_handle(kind, data, how, |handle| kmresizen(handle, n, of).cast()).cast()
                }
                _ => by_handle(kind, data, how, |handle| kmresize(handle, size).cast()).cast(),
            }
        })
    }

    unsafe fn append(
        (kind, data, _): (Kind, *mut u8, usize),
        what: Appended,
        (bytes, n): (*const u8, usize),
        how: How,
    ) -> *mut u8 {
        use c::text::*;
        refusing(|| unsafe {
            by_handle(kind, data, how, |handle| match what {
                Appended::Bytes => kmcat(handle, bytes.cast(), n).cast(),
                Appended::String => kmcats(handle, bytes.cast()).cast(),
                Appended::Room => {
                    let room = kmroom(handle, n).cast::<u8>();
                    if room.is_null() {
                        return null_mut();
                    }
                    room.copy_from_nonoverlapping(bytes, n + 1);
                    handle.data
                }
                Appended::Reserve => unreachable!("that is another call"),
            })
            .cast()
        })
    }

    unsafe fn place(node: *mut u8, parent: *mut u8, unchecked: bool) -> *mut u8 {
        use c::tree::*;
        let (node, parent) = (node.cast(), parent.cast());
        refusing(|| unsafe { if unchecked { kmtreemu(node, parent) } else { kmtreem(node, parent) } })
    }

    unsafe fn place_children(from: *mut u8, to: *mut u8) -> *mut u8 {
        refusing(|| unsafe { c::tree::kmtreemc(from.cast(), to.cast()) })
    }

    unsafe fn empty(node: *mut u8) {
        unsafe { c::tree::kmtreex(node.cast()) }
    }

    unsafe fn hook(node: *mut u8, hook: Destructor) -> *mut u8 {
        let run = hook.run.expect("a function");
        refusing(|| unsafe { c::tree::kmtreeh(node.cast(), run, hook.arg) })
    }

    unsafe fn unhook(node: *mut u8, hook: Destructor) -> bool {
        let run = hook.run.expect("a function");
        match unsafe { c::tree::kmtreehx(node.cast(), run, hook.arg) } {
            0 => false,
            one => one == 1 || panic!("{one}"),
        }
    }

    unsafe fn adopt(node: *mut u8, object: Handle) -> *mut u8 {
        refusing(|| unsafe { c::tree::kmtreek(node.cast(), object) })
    }

    unsafe fn release(node: *mut u8, object: *const u8) -> Handle {
        unsafe { c::tree::kmtreel(node.cast(), object.cast()) }
    }

    unsafe fn hook_late(kind: Kind, data: *mut u8, hook: Destructor) -> *mut u8 {
        refusing(|| match unsafe { c::ptr::kmhook(handle(kind, data), hook.run, hook.arg) } {
            0 => null_mut(),
            one => {
                if one == 1 {
                    data.cast()
                } else {
                    panic!("{one}")
                }
            }
        })
    }

    unsafe fn own(cell: *mut u8, object: Handle) -> *mut u8 {
        refusing(|| unsafe { c::refs::kmrefk(cell.cast(), object) })
    }

    unsafe fn disown(cell: *mut u8, object: *const u8) -> Handle {
        unsafe { c::refs::kmrefl(cell.cast(), object.cast()) }
    }

    unsafe fn walk_tree(node: *mut u8) -> Vec<(Handle, usize)> {
        let mut walk = c::walk::Walk {
            root: node.cast(),
            at: Handle::NULL,
            depth: 0,
            pool: null_mut(),
            km_at_: null_mut(),
        };
        let mut seen = Vec::new();
        while unsafe { c::tree::kmtreen(&raw mut walk) } != 0 {
            seen.push((walk.at, walk.depth));
        }
        assert!(walk.at.is_null() && walk.depth == 0 && walk.km_at_.is_null(), "a walk that is over");
        seen
    }

    unsafe fn around(node: *mut u8) -> [*mut u8; 5] {
        use c::tree::*;
        let node = node.cast_const().cast();
        unsafe { [kmtreep(node), kmtreec(node), kmtreecl(node), kmtreecn(node), kmtreecp(node)] }
            .map(|node| node.cast())
    }

    unsafe fn sum(node: *mut u8, name: Option<&CStr>) -> Sum {
        unsafe { c::tree::kmtreeq(node.cast(), name.map_or(null(), CStr::as_ptr)) }
    }

    unsafe fn report(node: *mut u8, depth: usize, json: bool) -> String {
        let (node, mut out) = (node.cast(), String::new());
        let context = (&raw mut out).cast();
        unsafe {
            if json {
                c::tree::kmtreej(node, depth, write, context);
            } else {
                c::tree::kmtreet(node, depth, write, context);
            }
        }
        out
    }

    unsafe fn report_pool(pool: *mut Pool, json: bool) -> String {
        let mut out = String::new();
        let context = (&raw mut out).cast();
        unsafe {
            if json {
                c::pool::kmpoolj(pool, write, context);
            } else {
                c::pool::kmpoolt(pool, write, context);
            }
        }
        out
    }

    unsafe fn facts(handle: Handle) -> (usize, Option<&'static CStr>, [*mut u8; 2]) {
        use c::ptr::*;
        unsafe {
            let name = kmname(handle);
            let same = if name.is_null() { null_mut() } else { kmcast(handle, name).cast() };
            let name = (!name.is_null()).then(|| CStr::from_ptr(name));
            (kmsize(handle), name, [same, kmcast(handle, STRANGER.as_ptr()).cast()])
        }
    }
}
