//! `kmtree…`

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null_mut;

use kmem::Kind;
use kmem::raw::ptr::At;
use kmem::raw::report::{self, Sum};
use kmem::raw::{Cell, Destructor, DropFn, FLAG_HOST, Fill, Handle, tree};

use crate::options::{Options, or_null, plain, same_or_null};
use crate::ptr::handed;
use crate::text::{kmnew, zeroed};
use crate::walk::{Walk, Write, writing};
use crate::written;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreea(src: *mut Cell, parent: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller vouches for source and parent.
    or_null(unsafe { tree::alloc(src, parent.cast(), &plain(size, Fill::Undefined)) }).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreez(src: *mut Cell, parent: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller vouches for source and parent.
    unsafe { zeroed(&At { kind: Kind::Tree as i32, src, parent: parent.cast() }, size) }.cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreew(
    src: *mut Cell,
    parent: *mut c_void,
    options: *const Options,
) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    unsafe { kmtreewo(src, parent, options) }.data.cast()
}

#[cfg(feature = "arena")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreei(
    src: *mut Cell,
    parent: *mut c_void,
    size: usize,
    first: usize,
) -> *mut c_void {
    // SAFETY: the caller vouches for source and parent.
    or_null(unsafe { tree::init(src, parent.cast(), size, first) }).cast()
}

#[cfg(feature = "arena")]
#[unsafe(no_mangle)]
pub extern "C" fn kmsame() -> *mut Cell {
    tree::same()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreeao(src: *mut Cell, parent: *mut c_void, size: usize) -> Handle {
    // SAFETY: null or the data of a new node.
    handed(unsafe { tree::handle(kmtreea(src, parent, size).cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreezo(src: *mut Cell, parent: *mut c_void, size: usize) -> Handle {
    // SAFETY: null or the data of a new node.
    handed(unsafe { tree::handle(kmtreez(src, parent, size).cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreewo(src: *mut Cell, parent: *mut c_void, options: *const Options) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { kmnew(At { kind: Kind::Tree as i32, src, parent: parent.cast() }, options) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreef(data: *mut c_void) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { tree::f(data.cast()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreed(data: *mut c_void) {
    // SAFETY: the contract is the caller's.
    unsafe { tree::d(data.cast()) }
}

#[cfg(feature = "shred")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtrees(data: *mut c_void) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { tree::s(data.cast()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreer(data: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    or_null(unsafe { tree::resize(data.cast(), size) }).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreeo(data: *mut c_void) -> Handle {
    // SAFETY: the contract is the caller's.
    handed(unsafe { tree::handle(data.cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreem(data: *mut c_void, parent: *mut c_void) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    same_or_null(data, unsafe { tree::m(data.cast(), parent.cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreemu(data: *mut c_void, parent: *mut c_void) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    same_or_null(data, unsafe { tree::mu(data.cast(), parent.cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreemc(from: *mut c_void, to: *mut c_void) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    same_or_null(to, unsafe { tree::mc(from.cast(), to.cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreep(data: *const c_void) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    unsafe { tree::p(data.cast_mut().cast()) }.cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreec(data: *const c_void) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    unsafe { tree::c(data.cast_mut().cast()) }.cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreecn(data: *const c_void) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    unsafe { tree::cn(data.cast_mut().cast()) }.cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreecl(data: *const c_void) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    unsafe { tree::cl(data.cast_mut().cast()) }.cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreecp(data: *const c_void) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    unsafe { tree::cp(data.cast_mut().cast()) }.cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreex(data: *mut c_void) {
    // SAFETY: the contract is the caller's.
    unsafe { tree::x(data.cast()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreeh(data: *mut c_void, hook: DropFn, argument: *mut c_void) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    same_or_null(data, unsafe { tree::h(data.cast(), Destructor { run: Some(hook), arg: argument }) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreehx(data: *mut c_void, hook: DropFn, argument: *mut c_void) -> c_int {
    // SAFETY: the contract is the caller's.
    unsafe { tree::hx(data.cast(), Destructor { run: Some(hook), arg: argument }) }.into()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreek(data: *mut c_void, object: Handle) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    same_or_null(object.data.cast(), unsafe { tree::k(data.cast(), object) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreel(data: *mut c_void, object: *const c_void) -> Handle {
    // SAFETY: the contract is the caller's.
    handed(unsafe { tree::l(data.cast(), object.cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreen(walk: *mut Walk) -> c_int {
    // SAFETY: the caller gives a walk over a live tree.
    unsafe {
        let Walk { root, mut depth, km_at_: here, .. } = *walk;
        let mut here = here.cast();
        let at = if root.is_null() { Handle::NULL } else { tree::step(root.cast(), &mut here, &mut depth) };
        let (depth, here) = if at.is_null() { (0, null_mut()) } else { (depth, here) };
        let hosts = !here.is_null() && (*here).cell.flags & FLAG_HOST != 0;
        let is_pool = hosts && (*at.data.cast::<Cell>()).kind == Kind::Pool as i32;
        let pool = if is_pool { at.data.cast() } else { null_mut() };
        *walk = Walk { root, at, depth, pool, km_at_: here.cast() };
        written(walk);
        (!at.is_null()).into()
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreeq(data: *mut c_void, name: *const c_char) -> Sum {
    if data.is_null() {
        return Sum::default();
    }
    // SAFETY: the caller gives a live node, and null or a string.
    unsafe { report::count(data.cast(), if name.is_null() { None } else { Some(CStr::from_ptr(name)) }) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreet(data: *mut c_void, depth: usize, write: Write, context: *mut c_void) {
    if !data.is_null() {
        // SAFETY: the contract is the caller's.
        unsafe { report::text(data.cast(), depth, &mut writing(write, context)) }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmtreej(data: *mut c_void, depth: usize, write: Write, context: *mut c_void) {
    if !data.is_null() {
        // SAFETY: the contract is the caller's.
        unsafe { report::json(data.cast(), depth, &mut writing(write, context)) }
    }
}
