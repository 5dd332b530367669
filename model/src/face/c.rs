//! The C functions.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};

use kmem::Kind;
use kmem::raw::ptr::At;
use kmem::raw::report::Sum;
use kmem::raw::{Cell, Destructor, Handle, Pool, ResizeFn, Source, pool};
use kmem_capi as c;

use super::rust::Rust;
use super::{
    Allocate, Appended, Ask, Face, Give, How, STRANGER, Way, Words, at, by_handle, free_handle, handle,
};
use crate::memory;

/// The C functions.
#[derive(Debug)]
pub struct C;

/// Appends a piece of a report to a `String`.
unsafe extern "C" fn write(context: *mut c_void, text: *const c_char, len: usize) {
    memory::model(|| {
        let piece = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) };
        unsafe { &mut *context.cast::<String>() }
            .push_str(std::str::from_utf8(piece).expect("whole characters"));
    });
}

/// Calls a C function that may refuse, and checks that it sets `errno` if and only if it does.
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
        // The C functions have no options for a single cell of a pool.
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

    unsafe fn clear_pool(pool: *mut Pool) {
        unsafe { c::pool::kmpoolc(pool) }
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
                    // A huge size becomes a product that overflows.
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
        assert!(walk.at.is_null() && walk.depth == 0 && walk.km_at_.is_null(), "the state after a walk");
        seen
    }

    unsafe fn around(node: *mut u8) -> Vec<*mut u8> {
        use c::tree::*;
        let node = node.cast_const().cast();
        let around =
            unsafe { [kmtreep(node), kmtreec(node), kmtreecl(node), kmtreecn(node), kmtreecp(node)] };
        around.map(|node| node.cast()).into()
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
