//! The engine in Rust.

use std::ffi::CStr;
use std::ptr::null_mut;

use kmem::raw::ptr::At;
use kmem::raw::report::{self, Sum};
use kmem::raw::{
    Cell, Destructor, Fill, Handle, Pool, Request, ResizeFn, Source, heap, pool, ptr, refs, tree,
};
use kmem::{AllocError, Kind};

use super::{
    Allocate, Appended, Ask, Face, Give, How, STRANGER, Way, Words, at, by_handle, free_handle, handle,
    or_null, or_null_unit,
};
use crate::memory;

/// The engine, [`kmem::raw`].
#[derive(Debug)]
pub struct Rust;

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

    unsafe fn clear_pool(pool: *mut Pool) {
        unsafe { pool::c(pool) }
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
                _ => by_handle(kind, data, how, |handle| {
                    or_null(ptr::grow(kmem::fault::Call::new(c"kmcat"), handle, total))
                }),
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

    unsafe fn around(node: *mut u8) -> Vec<*mut u8> {
        unsafe { vec![tree::p(node), tree::c(node), tree::cl(node), tree::cn(node), tree::cp(node)] }
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
