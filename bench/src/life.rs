//! What a cell may live through: another size, another parent, a destructor, a share in it; and a look at a whole tree.

use std::ffi::{c_char, c_int, c_void};
use std::hint::black_box;
use std::ptr::{null, null_mut};

use crate::kmem_c::linked::{self, Opt};
use crate::measure::{Contestant, Row};
use crate::names;
use crate::peers::{Talloc, peers};
use crate::trees::{KmemC, Shape, Tree};

/// Data bytes of a node that nothing else is said of.
const SIZE: usize = 32;
const LARGE: usize = 256;
/// Pieces of a string that is put together, and how long each is.
const PIECES: u64 = 64;
const PIECE: &std::ffi::CStr = c"sixteen letters.";
/// Nodes above the one that something is moved to.
const ABOVE: usize = 100;
const NODES: usize = 100_000;
const HERE: *const c_char = c"bench".as_ptr();

pub fn rows() -> Vec<Row> {
    let row = |op: &str, size, live, baseline, make: fn() -> Vec<Contestant>| {
        Row::new("life", op, (size, live), baseline, make)
    };
    vec![
        row("resize a cell, larger and back", SIZE, 1, names::REALLOC, resize_cell),
        row("resize a node, larger and back", SIZE, 1, names::TALLOC, || resize_node(0)),
        row("resize a node with 8 children", SIZE, 1, names::TALLOC, || resize_node(8)),
        row("append a piece", PIECE.count_bytes(), PIECES as usize, names::TALLOC, append),
        row("move a leaf", SIZE, ABOVE, names::TALLOC, || move_node(false)),
        row("move a node with a child", SIZE, ABOVE, names::TALLOC, || move_node(true)),
        row("share and let go", SIZE, 1, names::TALLOC, share),
        row("leaf with a destructor", SIZE, 1, names::TALLOC, destructor),
        row("leaf with a name", SIZE, 1, names::TALLOC, name),
        row("count, a node", SIZE, NODES, names::TALLOC, || look(Look::Count)),
        row("report, a node", SIZE, NODES, names::TALLOC, || look(Look::Report)),
    ]
}

/// talloc's contestant, where it is installed.
fn talloc(make: impl FnOnce(Talloc) -> Contestant) -> Option<Contestant> {
    peers().talloc.map(make)
}

fn new(talloc: &Talloc, parent: *mut c_void) -> *mut c_void {
    // SAFETY: the parent is null or live.
    unsafe { (talloc.talloc_named_const)(parent, SIZE, HERE) }
}

fn node(parent: *mut c_void) -> *mut c_void {
    // SAFETY: the null source is the heap; the parent is null or live.
    unsafe { linked::kmtreea(null_mut(), parent, SIZE) }
}

fn resize_cell() -> Vec<Contestant> {
    // SAFETY: here and below each cell is the contestant's own, and lives as long as the program.
    let cell = |name, tainted: bool| unsafe {
        let mut handle = linked::kmheapzo(SIZE);
        if tainted {
            linked::kmtaint(&raw mut handle);
        }
        let mut data: *mut c_void = handle.data.cast();
        Contestant::batch(name, 2, move || {
            data = black_box(linked::kmheapr(linked::kmheapr(data, LARGE), SIZE));
        })
    };
    // SAFETY: as above.
    let (mut block, mut secret) = unsafe { (libc::malloc(SIZE), libc::calloc(1, SIZE)) };
    let realloc = Contestant::batch(names::REALLOC, 2, move || {
        // SAFETY: as above.
        block = black_box(unsafe { libc::realloc(libc::realloc(block, LARGE), SIZE) });
    });
    let by_hand = Contestant::batch("malloc, memcpy, explicit_bzero, free", 2, move || {
        for (old, new) in [(SIZE, LARGE), (LARGE, SIZE)] {
            // SAFETY: both blocks have as many bytes as are copied or zeroed.
            unsafe {
                let moved = libc::malloc(new);
                libc::memcpy(moved, secret, old.min(new));
                libc::explicit_bzero(secret, old);
                libc::free(secret);
                secret = black_box(moved);
            }
        }
    });
    vec![cell(names::HEAP_STATIC, false), cell(names::HEAP_TAINTED, true), realloc, by_hand]
}

fn resize_node(children: usize) -> Vec<Contestant> {
    let root = node(null_mut());
    let mut data = node(root);
    for _ in 0..children {
        node(data);
    }
    let kmem = Contestant::batch(names::TREE_STATIC, 2, move || {
        // SAFETY: the node is live, and nobody else uses it.
        data = black_box(unsafe { linked::kmtreer(linked::kmtreer(data, LARGE), SIZE) });
    });
    let talloc = talloc(|talloc| {
        let root = new(&talloc, null_mut());
        let mut data = new(&talloc, root);
        for _ in 0..children {
            new(&talloc, data);
        }
        Contestant::batch(names::TALLOC, 2, move || {
            for size in [LARGE, SIZE] {
                // SAFETY: as for kmem.
                data = black_box(unsafe { (talloc._talloc_realloc)(root, data, size, HERE) });
            }
        })
    });
    [kmem].into_iter().chain(talloc).collect()
}

/// Puts a string together, piece by piece, and frees it.
fn append() -> Vec<Contestant> {
    let kmem = Contestant::batch(names::HEAP_STATIC, PIECES, || {
        // SAFETY: the object is a string from the start, and freed once.
        unsafe {
            let mut string = linked::kmheapzo(1);
            for _ in 0..PIECES {
                linked::kmcats(&raw mut string, PIECE.as_ptr());
            }
            linked::kmfree(black_box(string));
        }
    });
    let by_hand = Contestant::batch("realloc and memcpy, length known", PIECES, || {
        // SAFETY: each piece has just been made room for.
        unsafe {
            let mut string = libc::calloc(1, 1).cast::<u8>();
            let piece = PIECE.to_bytes_with_nul();
            for at in 0..PIECES as usize {
                let len = at * PIECE.count_bytes();
                string = libc::realloc(string.cast(), len + piece.len()).cast();
                string.add(len).copy_from_nonoverlapping(piece.as_ptr(), piece.len());
            }
            libc::free(black_box(string).cast());
        }
    });
    let talloc = talloc(|talloc| {
        Contestant::batch(names::TALLOC, PIECES, move || {
            // SAFETY: the chunk is a string from the start, and freed once.
            unsafe {
                let mut string = (talloc.talloc_strdup)(null(), c"".as_ptr());
                for _ in 0..PIECES {
                    string = (talloc.talloc_strdup_append)(string, PIECE.as_ptr());
                }
                (talloc._talloc_free)(black_box(string).cast(), HERE);
            }
        })
    });
    [kmem, by_hand].into_iter().chain(talloc).collect()
}

/// A root, and the last of a chain of nodes below another one.
fn ends(mut make: impl FnMut(*mut c_void) -> *mut c_void) -> [*mut c_void; 2] {
    let root = make(null_mut());
    let mut last = make(null_mut());
    (1..ABOVE).for_each(|_| last = make(last));
    [root, last]
}

/// Moves a node to and fro between a root and the end of a chain.
fn move_node(child: bool) -> Vec<Contestant> {
    type Move = unsafe extern "C" fn(*mut c_void, *mut c_void) -> *mut c_void;
    let kmem = |name, to: Move| {
        let ends = ends(node);
        let moved = node(ends[0]);
        if child {
            node(moved);
        }
        Contestant::batch(name, 2, move || {
            // SAFETY: the end of the chain does not lie below the node.
            let _ = ends.map(|end| black_box(unsafe { to(moved, end) }));
        })
    };
    let talloc = talloc(|talloc| {
        let ends = ends(|parent| new(&talloc, parent));
        let moved = new(&talloc, ends[0]);
        if child {
            new(&talloc, moved);
        }
        Contestant::batch(names::TALLOC, 2, move || {
            // SAFETY: as for kmem.
            let _ = ends.map(|end| black_box(unsafe { (talloc._talloc_steal_loc)(end, moved, HERE) }));
        })
    });
    let kmem = [kmem(names::TREE_STATIC, linked::kmtreem), kmem("kmem tree, unchecked", linked::kmtreemu)];
    kmem.into_iter().chain(talloc).collect()
}

/// Gives a node a share in an object, and takes it away.
fn share() -> Vec<Contestant> {
    let holder = node(null_mut());
    // SAFETY: the null source is the heap.
    let shared = unsafe { linked::kmrefa(null_mut(), SIZE) };
    let kmem = Contestant::each(names::TREE_STATIC, move || {
        // SAFETY: the node adopts the reference that has just been added, and lets go of it.
        unsafe {
            linked::kmtreek(holder, linked::kmrefo(linked::kmrefu(shared)));
            linked::kmfree(linked::kmtreel(holder, shared));
        }
    });
    let talloc = talloc(|talloc| {
        let (owner, holder) = (new(&talloc, null_mut()), new(&talloc, null_mut()));
        let shared = new(&talloc, owner);
        Contestant::each(names::TALLOC, move || {
            // SAFETY: all three are live.
            unsafe {
                (talloc._talloc_reference_loc)(holder, shared, HERE);
                (talloc.talloc_unlink)(holder, shared);
            }
        })
    });
    [kmem].into_iter().chain(talloc).collect()
}

/// Makes a leaf that has a destructor, and frees it.
fn destructor() -> Vec<Contestant> {
    extern "C" fn nothing(_: *mut c_void, _: *mut c_void) {}
    extern "C" fn nothing_refused(_: *mut c_void) -> c_int {
        0
    }
    let root = node(null_mut());
    let made_with = Contestant::each(names::TREE_DROP, move || {
        let options = Opt { drop: Some(nothing), ..Opt::new(SIZE) };
        // SAFETY: the leaf is freed once.
        unsafe { linked::kmtreef(black_box(linked::kmtreew(null_mut(), root, &raw const options))) };
    });
    let hooked = Contestant::each(names::TREE_HOOK, move || {
        // SAFETY: the leaf is freed once.
        unsafe { linked::kmtreef(linked::kmtreeh(black_box(node(root)), nothing, null_mut())) };
    });
    let talloc = talloc(|talloc| {
        let root = new(&talloc, null_mut());
        Contestant::each(names::TALLOC, move || {
            let leaf = black_box(new(&talloc, root));
            // SAFETY: the leaf is freed once.
            unsafe {
                (talloc._talloc_set_destructor)(leaf, nothing_refused);
                (talloc._talloc_free)(leaf, HERE);
            }
        })
    });
    [made_with, hooked].into_iter().chain(talloc).collect()
}

/// Makes a leaf that has a name, and frees it.
fn name() -> Vec<Contestant> {
    let root = node(null_mut());
    let leaf = |name, named: *const c_char| {
        let options = Opt { name: named, ..Opt::new(SIZE) };
        Contestant::each(name, move || {
            // SAFETY: the leaf is freed once.
            unsafe { linked::kmtreef(black_box(linked::kmtreew(null_mut(), root, &raw const options))) };
        })
    };
    let kmem = [leaf(names::TREE_STATIC, HERE), leaf("kmem tree, without one", null())];
    let talloc = talloc(|talloc| {
        let root = new(&talloc, null_mut());
        Contestant::each(names::TALLOC, move || {
            // SAFETY: the leaf is freed once.
            unsafe { (talloc._talloc_free)(black_box(new(&talloc, root)), HERE) };
        })
    });
    kmem.into_iter().chain(talloc).collect()
}

type Report = unsafe extern "C" fn(*mut c_void, usize, linked::Write, *mut c_void);

#[derive(Clone, Copy)]
enum Look {
    Count,
    Report,
}

/// Counts or reports a tree of random shape. The reports are thrown away, talloc's by `/dev/null`.
fn look(what: Look) -> Vec<Contestant> {
    let parents = Shape::Random.parents(NODES);
    let root = grown(&parents, |parent| KmemC(crate::kmem_c::Kmem::linked()).node(parent.cast()).cast());
    let ops = NODES as u64 + 1;
    let count = move || {
        // SAFETY: here and below the root is live.
        assert!(unsafe { linked::kmtreeq(root, null()) }.cells > 0);
    };
    let report = |name, report: Report| {
        Contestant::batch(name, ops, move || {
            // SAFETY: as above.
            unsafe { report(root, usize::MAX, thrown_away, null_mut()) };
        })
    };
    let mut all = match what {
        Look::Count => vec![Contestant::batch(names::TREE_STATIC, ops, count)],
        Look::Report => {
            vec![report("kmem tree, as text", linked::kmtreet), report("kmem tree, as JSON", linked::kmtreej)]
        }
    };
    all.extend(talloc(|talloc| {
        let root = grown(&parents, |parent| new(&talloc, parent));
        // SAFETY: both are strings.
        let nowhere = unsafe { libc::fopen(c"/dev/null".as_ptr(), c"w".as_ptr()) };
        Contestant::batch(names::TALLOC, ops, move || {
            // SAFETY: the root is live, and the file open.
            unsafe {
                match what {
                    Look::Count => assert!((talloc.talloc_total_blocks)(root) > 0),
                    Look::Report => (talloc.talloc_report_depth_file)(root, 0, -1, nowhere.cast()),
                }
            }
        })
    }));
    all
}

extern "C" fn thrown_away(_: *mut c_void, text: *const c_char, len: usize) {
    black_box((text, len));
}

/// A tree whose nodes hang where `parents` says. Returns its root, which stays for the rest of the program.
fn grown(parents: &[u32], mut make: impl FnMut(*mut c_void) -> *mut c_void) -> *mut c_void {
    let mut nodes = vec![make(null_mut())];
    for &parent in parents {
        nodes.push(make(nodes[parent as usize]));
    }
    nodes[0]
}
