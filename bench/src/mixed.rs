//! A server's loop: for each request a tree of its parts, two buffers, a shared configuration, a key to be zeroed.

use std::ffi::{c_char, c_void};
use std::hint::black_box;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::kmem_c::linked;
use crate::measure::{Contestant, Row};
use crate::names;
use crate::peers::{Talloc, peers};

/// Bytes of a request's root and of the parts below it.
const ROOT: usize = 64;
const PARTS: [usize; 9] = [16, 24, 32, 48, 16, 100, 32, 64, 24];
const BUFFER: usize = 256;
const KEY: usize = 32;

pub fn rows() -> Vec<Row> {
    vec![Row::new("mixed", "request", (ROOT, 1), "malloc by hand", all)]
}

fn all() -> Vec<Contestant> {
    let mut all = vec![kmem(), by_hand()];
    all.extend(peers().talloc.map(talloc));
    all
}

/// # Safety
/// `data` has room for a word, aligned.
#[inline(always)]
unsafe fn touch(data: *mut c_void) -> *mut c_void {
    // SAFETY: the caller vouches for the room.
    unsafe { data.cast::<u64>().write(1) };
    black_box(data)
}

fn kmem() -> Contestant {
    // SAFETY: the null source is the heap. Both stay for the rest of the program.
    let (pool, config) = unsafe { (linked::kmpooli(null_mut(), BUFFER, 8), linked::kmrefa(null_mut(), 64)) };
    Contestant::each("kmem, C static", move || {
        // SAFETY: everything is allocated here, freed once, and has room for a word.
        unsafe {
            let config = linked::kmrefu(config);
            let root = touch(linked::kmtreea(null_mut(), null_mut(), ROOT));
            for size in PARTS {
                touch(linked::kmtreea(null_mut(), root, size));
            }
            let mut key = linked::kmheapzo(KEY);
            linked::kmtaint(&raw mut key);
            touch(key.data.cast());
            let input = touch(linked::kmpoola(pool));
            let output = touch(linked::kmpoola(pool));
            linked::kmpoolf(output);
            linked::kmpoolf(input);
            linked::kmfree(key);
            linked::kmtreef(root);
            linked::kmrefd(config);
        }
    })
}

fn by_hand() -> Contestant {
    let config = AtomicUsize::new(1);
    Contestant::each("malloc by hand", move || {
        config.fetch_add(1, Ordering::Relaxed);
        // SAFETY: everything is allocated here, freed once, and has room for a word.
        unsafe {
            let root = touch(libc::malloc(ROOT));
            let mut parts = [null_mut(); PARTS.len()];
            for (part, size) in parts.iter_mut().zip(PARTS) {
                *part = touch(libc::malloc(size));
            }
            let key = touch(libc::calloc(1, KEY));
            let input = touch(libc::malloc(BUFFER));
            let output = touch(libc::malloc(BUFFER));
            libc::free(output);
            libc::free(input);
            libc::explicit_bzero(key, KEY);
            libc::free(key);
            for part in parts {
                libc::free(part);
            }
            libc::free(root);
        }
        config.fetch_sub(1, Ordering::AcqRel);
    })
}

fn talloc(talloc: Talloc) -> Contestant {
    const HERE: *const c_char = c"request".as_ptr();
    // SAFETY: a null parent makes a root; both stay for the rest of the program.
    let (server, config) = unsafe {
        let server = (talloc.talloc_named_const)(null_mut(), 1, HERE);
        (server, (talloc.talloc_named_const)(server, 64, HERE))
    };
    Contestant::each(names::TALLOC, move || {
        // SAFETY: everything is allocated here, freed once with the request, and has room for a word.
        unsafe {
            let root = touch((talloc.talloc_named_const)(server, ROOT, HERE));
            (talloc._talloc_reference_loc)(root, config, HERE);
            for size in PARTS {
                touch((talloc.talloc_named_const)(root, size, HERE));
            }
            let key = touch((talloc.talloc_named_const)(root, KEY, HERE));
            let input = touch((talloc.talloc_named_const)(root, BUFFER, HERE));
            let output = touch((talloc.talloc_named_const)(root, BUFFER, HERE));
            (talloc._talloc_free)(output, HERE);
            (talloc._talloc_free)(input, HERE);
            libc::explicit_bzero(key, KEY);
            (talloc._talloc_free)(root, HERE);
        }
    })
}
