//! Arenas: objects, scopes and resets. Limits: a pair through one.

use std::ffi::c_void;
use std::hint::black_box;
use std::ptr::null_mut;

use bump_scope::{Bump, BumpBox};
use kmem::Arena;
use kmem::raw;
use kmem::raw::arena::Mark;

use crate::kmem_c::linked;
use crate::measure::{Contestant, Row};
use crate::names;
use crate::peers::{Apr, Talloc, peers};

/// Bytes of an object.
const SIZE: usize = 32;
/// Objects between two resets.
const OBJECTS: usize = 1000;

type Object = [u64; SIZE / size_of::<u64>()];

const OBJECT: Object = [7; 4];

pub fn rows() -> Vec<Row> {
    vec![
        Row::new("arena", "alloc", (SIZE, OBJECTS), names::BUMP_SCOPE, || filled(OBJECTS)),
        Row::new("arena", "reset, used", (SIZE, 1), names::BUMP_SCOPE, || filled(1)),
        Row::new("arena", "scope, empty", (0, 0), names::BUMP_SCOPE, || scopes(false)),
        Row::new("arena", "scope", (SIZE, 1), names::BUMP_SCOPE, || scopes(true)),
        Row::new("limit", "pair", (SIZE, 1), names::REF_RAW, limits),
    ]
}

/// Writes an object to memory that was allocated for it.
///
/// # Safety
/// `data` has room for an object.
#[inline(always)]
unsafe fn fill(data: *mut c_void) {
    // SAFETY: the caller vouches for the room.
    unsafe { data.cast::<Object>().write(black_box(OBJECT)) };
    black_box(data);
}

/// So many objects, then a reset that keeps the memory.
fn filled(objects: usize) -> Vec<Contestant> {
    let (room, ops) = (objects * (SIZE + 16) + 8192, objects as u64);
    let mut all = Vec::new();
    let mut arena = Arena::with_capacity(room);
    all.push(Contestant::batch(names::ARENA, ops, move || {
        for _ in 0..objects {
            black_box(arena.alloc(black_box(OBJECT)));
        }
        arena.reset();
    }));
    let mut bump: Bump = Bump::with_size(room);
    all.push(Contestant::batch(names::BUMP_SCOPE, ops, move || {
        for _ in 0..objects {
            black_box(BumpBox::into_mut(bump.alloc(black_box(OBJECT))));
        }
        bump.reset();
    }));
    let mut bump = bumpalo::Bump::with_capacity(room);
    all.push(Contestant::batch(names::BUMPALO, ops, move || {
        for _ in 0..objects {
            black_box(bump.alloc(black_box(OBJECT)));
        }
        bump.reset();
    }));
    all.push(Contestant::batch(names::TYPED_ARENA, ops, move || {
        let arena = typed_arena::Arena::with_capacity(objects);
        for _ in 0..objects {
            black_box(arena.alloc(black_box(OBJECT)));
        }
    }));
    // SAFETY: the null source is the heap. The arenas stay for the rest of the program.
    let (store, linked) = unsafe { (raw::arena::i(null_mut(), room), linked::kmarenai(null_mut(), room)) };
    all.push(Contestant::batch(names::ARENA_OBJECT, ops, move || {
        // SAFETY: the arena is live, and its objects are not used after its reset.
        unsafe {
            (0..objects).for_each(|_| fill(raw::arena::a(store, SIZE).cast()));
            raw::arena::e(store, &Mark::START);
        }
    }));
    all.push(Contestant::batch(names::ARENA_STATIC, ops, move || {
        // SAFETY: as above.
        unsafe {
            (0..objects).for_each(|_| fill(linked::kmarenaa(linked, SIZE)));
            linked::kmarenae(linked, Mark::START);
        }
    }));
    all.extend(peers().talloc.map(|talloc| talloc_filled(talloc, objects)));
    all.extend(peers().apr.map(|apr| apr_filled(apr, objects)));
    all
}

fn talloc_filled(talloc: Talloc, objects: usize) -> Contestant {
    // SAFETY: a null parent makes a root. The objects are not used after the pool is emptied.
    unsafe {
        let pool = (talloc.talloc_pool)(null_mut(), (objects + 2) * 128);
        Contestant::batch(names::TALLOC_POOL, objects as u64, move || {
            for _ in 0..objects {
                fill((talloc.talloc_named_const)(pool, SIZE, c"object".as_ptr()));
            }
            (talloc.talloc_free_children)(pool);
        })
    }
}

fn apr_filled(apr: Apr, objects: usize) -> Contestant {
    let pool = apr.pool(null_mut());
    // SAFETY: the pool is live, and its objects are not used after it is cleared.
    Contestant::batch(names::APR_POOL, objects as u64, move || unsafe {
        (0..objects).for_each(|_| fill((apr.apr_palloc)(pool, SIZE)));
        (apr.apr_pool_clear)(pool);
    })
}

/// A scope, empty or with one object.
fn scopes(with_object: bool) -> Vec<Contestant> {
    let mut all = Vec::new();
    let mut arena = Arena::new();
    all.push(Contestant::each(names::ARENA, move || {
        black_box(&mut arena).scope(|scope| {
            if with_object {
                black_box(scope.alloc(OBJECT));
            }
            black_box(scope);
        });
    }));
    let mut bump: Bump = Bump::with_size(8192);
    all.push(Contestant::each(names::BUMP_SCOPE, move || {
        black_box(&mut bump).scoped(|scope| {
            if with_object {
                black_box(BumpBox::into_mut(scope.alloc(OBJECT)));
            }
            black_box(scope);
        });
    }));
    // SAFETY: the null source is the heap. The arenas stay for the rest of the program.
    let (store, linked) = unsafe { (raw::arena::i(null_mut(), 0), linked::kmarenai(null_mut(), 0)) };
    all.push(Contestant::each(names::ARENA_OBJECT, move || {
        // SAFETY: the arena is live, and its objects are not used after their scope.
        unsafe {
            let mark = raw::arena::b(store);
            if with_object {
                fill(raw::arena::a(store, SIZE).cast());
            }
            raw::arena::e(store, black_box(&mark));
        }
    }));
    all.push(Contestant::each(names::ARENA_STATIC, move || {
        // SAFETY: as above.
        unsafe {
            let mark = linked::kmarenab(linked);
            if with_object {
                fill(linked::kmarenaa(linked, SIZE));
            }
            linked::kmarenae(linked, mark);
        }
    }));
    if let Some(apr) = peers().apr {
        let top = apr.pool(null_mut());
        all.push(Contestant::each(names::APR, move || {
            let pool = apr.pool(top);
            // SAFETY: the pool is new, and not used after it is destroyed.
            unsafe {
                if with_object {
                    fill((apr.apr_palloc)(pool, SIZE));
                }
                (apr.apr_pool_destroy)(pool);
            }
        }));
    }
    all
}

/// A counted cell, made and freed.
fn limits() -> Vec<Contestant> {
    const MOST: usize = 1 << 30;
    // SAFETY: the null source is the heap. The limits stay for the rest of the program.
    let limit = unsafe { raw::limit::init(null_mut(), MOST).expect("a limit").as_ptr() };
    // SAFETY: as above.
    let linked = unsafe { linked::kmlimiti(null_mut(), MOST) };
    // SAFETY: here and below each cell is freed once, and its source is live.
    let pair = |src: *mut raw::Cell| move || unsafe { raw::refs::f(black_box(raw::refs::a(src, SIZE))) };
    // SAFETY: as above.
    let pair_c = |src| move || unsafe { linked::kmreff(black_box(linked::kmrefa(src, SIZE))) };
    vec![
        Contestant::each(names::REF_RAW, pair(null_mut())),
        Contestant::each(names::LIMITED, pair(limit.cast())),
        Contestant::each(names::REF_STATIC, pair_c(null_mut())),
        Contestant::each(names::LIMITED_STATIC, pair_c(linked.cast())),
    ]
}
