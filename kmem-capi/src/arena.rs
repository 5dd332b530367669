//! `kmarena…`

use core::ffi::c_void;
use core::ptr::null_mut;

use kmem::Kind;
use kmem::raw::arena::{self, Count as ArenaCount, Mark, Spec};
use kmem::raw::ptr::At;
use kmem::raw::{Arena, Cell, Fill, Handle};

use crate::options::{Options, or_null, plain, refuse};
use crate::ptr::handed;
use crate::text::kmnew;
use crate::walk::{Write, writing};

fn spec(options: &Options, first: usize) -> Spec {
    Spec {
        first,
        grows: options.grow != 0,
        shred: (cfg!(feature = "shred") && options.shred != 0).into(),
        name: options.name(),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenai(src: *mut Cell, first: usize) -> *mut Arena {
    // SAFETY: the caller vouches for the source.
    or_null(unsafe { arena::init(src, &Spec::new(first)) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenaiw(src: *mut Cell, options: *const Options, first: usize) -> *mut Arena {
    // SAFETY: the caller vouches for source and options.
    or_null(unsafe { arena::init(src, &spec(&*options, first)) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenaif(buffer: *mut c_void, len: usize) -> *mut Arena {
    // SAFETY: the caller gives the buffer to the arena.
    or_null(unsafe { arena::init_in_buffer(buffer.cast(), len, &Spec::new(0)) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenaifw(buffer: *mut c_void, len: usize, options: *const Options) -> *mut Arena {
    // SAFETY: the caller gives the buffer to the arena, and vouches for the options.
    or_null(unsafe { arena::init_in_buffer(buffer.cast(), len, &spec(&*options, 0)) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenax(arena: *mut Arena) {
    // SAFETY: the contract is the caller's.
    unsafe { arena::x(arena) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenab(arena: *mut Arena) -> Mark {
    // SAFETY: the contract is the caller's.
    unsafe { arena::b(arena) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenae(arena: *mut Arena, mark: Mark) {
    // SAFETY: the contract is the caller's.
    unsafe { arena::e(arena, &mark) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenaa(arena: *mut Arena, size: usize) -> *mut c_void {
    if arena.is_null() {
        refuse(kmem::AllocError::Misused);
        return null_mut();
    }
    // SAFETY: the caller vouches for an arena that is not null.
    or_null(unsafe { arena::alloc(arena, &plain(size, Fill::Undefined)) }).cast()
}

/// Allocates for the functions that need not be as fast as `kmarenaa`.
#[inline(never)]
unsafe fn zeroed(arena: *mut Arena, size: usize) -> *mut u8 {
    // SAFETY: the contract is the caller's.
    let data: *mut u8 = unsafe { kmarenaa(arena, size) }.cast();
    if !data.is_null() {
        // SAFETY: the object has this many bytes.
        unsafe { data.write_bytes(0, size) };
    }
    data
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenaz(arena: *mut Arena, size: usize) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    unsafe { zeroed(arena, size) }.cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenaw(arena: *mut Arena, options: *const Options) -> *mut c_void {
    // SAFETY: the contract is the caller's.
    unsafe { kmarenawo(arena, options) }.data.cast()
}

/// Returns the handle of a new object, or the null handle for null.
unsafe fn of_new(data: *mut c_void) -> Handle {
    // SAFETY: the caller gives null or the data of a new object.
    handed(unsafe { arena::handle(data.cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenaao(arena: *mut Arena, size: usize) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { of_new(kmarenaa(arena, size)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenazo(arena: *mut Arena, size: usize) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { of_new(kmarenaz(arena, size)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenawo(arena: *mut Arena, options: *const Options) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { kmnew(At { kind: Kind::Arena as i32, src: arena.cast(), parent: null_mut() }, options) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenao(data: *mut c_void) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { of_new(data) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenaf(data: *mut c_void) {
    // SAFETY: the contract is the caller's.
    unsafe { arena::f(data.cast()) }
}

#[cfg(feature = "shred")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenas(data: *mut c_void) {
    // SAFETY: the contract is the caller's.
    unsafe { arena::s(data.cast()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenar(data: *mut c_void, size: usize) -> *mut c_void {
    if data.is_null() {
        refuse(kmem::AllocError::Misused);
        return null_mut();
    }
    // SAFETY: the contract is the caller's.
    or_null(unsafe { arena::resize(data.cast(), size) }).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenaq(arena: *mut Arena) -> ArenaCount {
    if arena.is_null() {
        return ArenaCount::default();
    }
    // SAFETY: the contract is the caller's.
    unsafe { arena::count(arena) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenat(arena: *mut Arena, write: Write, context: *mut c_void) {
    if !arena.is_null() {
        // SAFETY: the contract is the caller's.
        unsafe { kmem::raw::report::arena_text(arena, &mut writing(write, context)) }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarenaj(arena: *mut Arena, write: Write, context: *mut c_void) {
    if !arena.is_null() {
        // SAFETY: the contract is the caller's.
        unsafe { kmem::raw::report::arena_json(arena, &mut writing(write, context)) }
    }
}
