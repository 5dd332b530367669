//! Repeats one operation, so that its instructions can be counted: `counts OPERATION TIMES`. `counts` alone prints
//! the names. The heap beneath is a list of blocks of one size, so that the counts are kmem's own, whatever the machine's
//! `malloc` is.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_void;
use std::hint::black_box;
use std::ptr::null_mut;

use allocator_api2::alloc::Allocator;
use bump_scope::Bump;
use kmem::allocator_api2::v02::AsAllocator;
use kmem::raw::pool::Spec;
use kmem::raw::{Destructor, Request, Source, arena, heap, limit, pool, ptr, refs, tree};
use kmem::{Arena, HeapBox, Kind, Pool, Ref, Tree};

/// Blocks of up to this size are kept on a list and handed out again.
const BLOCK: usize = 128;

struct OneSize;

static mut FREE: *mut *mut u8 = null_mut();

// SAFETY: this program has one thread. A block on the list has `BLOCK` bytes from `System`, aligned to 16.
unsafe impl GlobalAlloc for OneSize {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above; what is on the list is nobody's.
        unsafe {
            if layout.size() > BLOCK || layout.align() > 16 {
                return System.alloc(layout);
            }
            let block = FREE;
            if block.is_null() {
                return System.alloc(Layout::from_size_align_unchecked(BLOCK, 16));
            }
            FREE = block.read().cast();
            block.cast()
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives back what `alloc` returned for this layout.
        unsafe {
            if layout.size() > BLOCK || layout.align() > 16 {
                return System.dealloc(block, layout);
            }
            block.cast::<*mut u8>().write(FREE.cast());
            FREE = block.cast();
        }
    }
}

#[global_allocator]
static HEAP: OneSize = OneSize;

type Operation = (&'static str, fn(usize));

fn each(times: usize, mut work: impl FnMut()) {
    for _ in 0..times {
        work();
    }
}

/// A tree with so many nodes below its root, made and freed.
fn flat(times: usize, src: *mut kmem::raw::Cell) {
    // SAFETY: the source outlives the tree, and nobody uses a node after it.
    unsafe {
        let root = tree::a(src, null_mut(), 32);
        each(times, || {
            black_box(tree::a(src, root, 32));
        });
        tree::f(root);
    }
}

/// Appends to a cell as `kmcat` does, growing it now and then, with the bytes copied and zeroed for that.
fn append(times: usize, tainted: bool) {
    // SAFETY: the cell is live and nobody else's.
    unsafe {
        let mut handle = heap::ao(0);
        if tainted {
            ptr::taint(&mut handle);
        }
        each(times, || {
            let size = ptr::size_for(kmem::fault::Call::new(c"kmcat"), handle).unwrap_or(0);
            if let Ok(data) = ptr::grow(kmem::fault::Call::new(c"kmcat"), &mut handle, size + 16) {
                data.add(size).write_bytes(7, 16);
            }
        });
        ptr::free(handle);
    }
}

/// A leaf made as the request says, below a root that stays, and freed.
fn leaf(times: usize, request: &Request) {
    // SAFETY: each leaf is freed once.
    unsafe {
        let root = tree::a(null_mut(), null_mut(), 32);
        each(times, || {
            if let Ok(leaf) = tree::alloc(null_mut(), root, black_box(request)) {
                tree::f(black_box(leaf.as_ptr()));
            }
        });
        tree::f(root);
    }
}

/// A destructor that there is no more to than the call.
const NOTHING: Destructor = {
    unsafe extern "C-unwind" fn nothing(_: *mut c_void, _: *mut c_void) {}
    Destructor { run: Some(nothing), arg: null_mut() }
};

/// Cells of `size` bytes of a pool of each kind, on a node or from a source where the name says so. The pool has grown if it can.
fn with_pool(name: &str, size: usize, cells: usize, work: impl FnOnce(*mut kmem::raw::Pool)) {
    unsafe extern "C-unwind" fn allocate(_: *mut Source, size: usize, _: usize) -> *mut c_void {
        // SAFETY: the size is not zero.
        unsafe { System.alloc(Layout::from_size_align_unchecked(size, 16)).cast() }
    }
    unsafe extern "C-unwind" fn free(_: *mut Source, block: *mut c_void, size: usize, _: usize) {
        // SAFETY: the block is from `allocate`.
        unsafe { System.dealloc(block.cast(), Layout::from_size_align_unchecked(size, 16)) }
    }
    // SAFETY: all sources outlive the pool, and nobody uses its cells after it.
    unsafe {
        let mut custom = Source::new(allocate, free, null_mut());
        let root = tree::a(null_mut(), null_mut(), 0);
        let outer = pool::i(null_mut(), (cells + 8) * (size + 32) * 2 + 4096, 2);
        let grows = name.starts_with("growing");
        let src = match name {
            "pool on a node" | "growing pool on a node" => tree::handle(root).cell,
            "pool from a pool" => outer.cast(),
            "pool from a source" => (&raw mut custom).cast(),
            _ => null_mut(),
        };
        let spec = Spec { grows, ..Spec::new(size, if grows { 4 } else { cells + 4 }) };
        let cells = pool::init(src, &spec).unwrap().as_ptr();
        // A cell of a further block is the next one.
        (0..if grows { 6 } else { 0 }).for_each(|_| {
            black_box(pool::a(cells));
        });
        work(cells);
        pool::x(cells);
        pool::x(outer);
        tree::f(root);
    }
}

/// A cell, a node and a counted cell from a pool of this kind, each made and freed.
fn pairs(name: &str, times: usize, what: Kind) {
    with_pool(name, 96, 8, |cells| {
        // SAFETY: each cell is freed once, before its pool.
        each(times, || unsafe {
            match what {
                Kind::Pool => pool::f(black_box(pool::a(cells))),
                Kind::Ref => refs::f(black_box(refs::a(cells.cast(), 32))),
                _ => {
                    tree::f(black_box(tree::a(cells.cast(), null_mut(), 32)));
                }
            }
        });
    });
}

/// Bytes of a first block with room for so many small objects.
fn room_for(objects: usize) -> usize {
    objects * 112 + 4096
}

/// Objects, nodes or counted cells of an arena with this source, each made and freed.
fn arena_pairs(src: *mut kmem::raw::Cell, times: usize, what: Kind) {
    // SAFETY: the source outlives the arena. Each cell is freed once, before its arena.
    unsafe {
        let cells = arena::i(src, 0);
        each(times, || match what {
            Kind::Arena => arena::f(black_box(arena::a(cells, 32))),
            Kind::Ref => refs::f(black_box(refs::a(cells.cast(), 32))),
            _ => {
                tree::f(black_box(tree::a(cells.cast(), null_mut(), 32)));
            }
        });
        arena::x(cells);
    }
}

/// A tree in an arena of its own with so many nodes below its root. It is freed or left.
fn arena_tree(times: usize, frees: bool) {
    // SAFETY: nobody uses a node after the tree.
    unsafe {
        let root = tree::i(null_mut(), null_mut(), 32, room_for(times));
        each(times, || {
            black_box(tree::a(tree::same(), root, 32));
        });
        if frees {
            tree::f(root);
        }
    }
}

/// Frees through a handle.
fn free(handle: kmem::raw::Handle) {
    // SAFETY: each caller gives a handle of its own on a new object.
    unsafe { ptr::free(black_box(handle)) }
}

/// Pushes onto a vector of this allocator, which grows in place.
fn push<A: Allocator>(times: usize, allocator: A) {
    let mut numbers = allocator_api2::vec::Vec::new_in(allocator);
    (0..times).for_each(|number| numbers.push(black_box(number)));
    black_box(&numbers);
}

const OPERATIONS: &[Operation] = &[
    // SAFETY: here and below each cell is freed once, by the method that made it, and its pool after it.
    ("heap a f", |n| each(n, || unsafe { heap::f(black_box(heap::a(32))) })),
    ("heap z f", |n| each(n, || unsafe { heap::f(black_box(heap::z(32))) })),
    ("heap a s", |n| each(n, || unsafe { heap::s(black_box(heap::a(32))) })),
    ("heap ao free", |n| each(n, || free(unsafe { heap::ao(32) }))),
    ("heap new drop", |n| each(n, || drop(black_box(HeapBox::new([7u64; 4]))))),
    ("heap new drop, destructor", |n| each(n, || drop(black_box(HeapBox::new(Some(Box::new(7))))))),
    ("ref a f", |n| each(n, || unsafe { refs::f(black_box(refs::a(null_mut(), 32))) })),
    ("ref ao free", |n| each(n, || free(unsafe { refs::ao(null_mut(), 32) }))),
    ("ref new drop", |n| each(n, || drop(black_box(Ref::new([7u64; 4]))))),
    ("ref clone drop", |n| {
        let one = Ref::new(7);
        each(n, || drop(black_box(one.clone())));
    }),
    ("pool a f", |n| unsafe {
        let cells = pool::i(null_mut(), 32, 8);
        each(n, || pool::f(black_box(pool::a(cells))));
        pool::x(cells);
    }),
    ("pool ao free", |n| unsafe {
        let cells = pool::i(null_mut(), 32, 8);
        each(n, || free(pool::ao(cells, 32)));
        pool::x(cells);
    }),
    ("pool a f, far apart", |n| unsafe {
        let cells = pool::i(null_mut(), 1000, n);
        let mut all: Vec<_> = (0..n).map(|_| pool::a(cells)).collect();
        for round in 0..4 {
            // 7919 shares no factor with the times that are asked for.
            all.iter().enumerate().for_each(|(at, _)| pool::f(all[at * 7919 % n]));
            all.iter_mut().for_each(|cell| *cell = pool::a(cells));
            black_box(round);
        }
        pool::x(cells);
    }),
    ("pool alloc drop", |n| {
        let cells = Pool::new(8);
        each(n, || drop(black_box(cells.alloc([7u64; 4]))));
    }),
    ("growing pool alloc, then all dropped", |n| {
        let cells = Pool::growing();
        let all: Vec<_> = (0..n).map(|at| cells.alloc([at; 4])).collect();
        drop(all);
    }),
    ("arena alloc", |n| {
        let arena = Arena::with_capacity(1 << 20);
        each(n, || {
            black_box(arena.alloc(black_box([7u64; 4])));
        });
    }),
    ("bump-scope alloc", |n| {
        let arena: Bump = Bump::with_size(1 << 20);
        each(n, || {
            black_box(arena.alloc(black_box([7u64; 4])).into_mut());
        });
    }),
    ("arena alloc_slice_copy", |n| {
        let arena = Arena::with_capacity(1 << 20);
        let text = black_box("words").as_bytes();
        each(n, || {
            black_box(arena.alloc_slice_copy(text));
        });
    }),
    ("bump-scope alloc_slice_copy", |n| {
        let arena: Bump = Bump::with_size(1 << 20);
        let text = black_box("words").as_bytes();
        each(n, || {
            black_box(arena.alloc_slice_copy(text).into_mut());
        });
    }),
    ("arena own, then dropped", |n| {
        let arena = Arena::with_capacity(1 << 20);
        each(n, || {
            black_box(arena.own(Some(Box::new(7))));
        });
    }),
    ("arena scope", |n| {
        let mut arena = Arena::new();
        each(n, || {
            black_box(arena.scope(|scope| *black_box(scope.alloc(7))));
        });
    }),
    ("bump-scope scope", |n| {
        let mut arena: Bump = Bump::with_size(4096);
        each(n, || {
            black_box(arena.scoped(|scope| *black_box(scope.alloc(7).into_mut())));
        });
    }),
    ("arena push onto a vector", |n| {
        let arena = Arena::with_capacity(1 << 20);
        push(n, AsAllocator::new(&arena));
    }),
    ("bump-scope push onto a vector", |n| {
        let arena: Bump = Bump::with_size(1 << 20);
        push(n, &arena);
    }),
    ("arena collection of 100, grown and dropped", |n| {
        let arena = Arena::new();
        each(n, || push(100, AsAllocator::new(&arena)));
    }),
    ("bump-scope collection of 100, grown and dropped", |n| {
        let arena: Bump = Bump::with_size(4096);
        each(n, || push(100, &arena));
    }),
    ("arena ref new drop", |n| {
        let arena = Arena::new();
        each(n, || drop(black_box(Ref::new_in([7u64; 4], &arena))));
    }),
    ("tree node a, all freed with the root", |n| flat(n, null_mut())),
    ("tree node from a pool", |n| unsafe {
        let cells = pool::i(null_mut(), 96, n + 1);
        flat(n, cells.cast());
        pool::x(cells);
    }),
    ("tree leaf a f", |n| unsafe {
        let root = tree::a(null_mut(), null_mut(), 32);
        each(n, || {
            tree::f(black_box(tree::a(null_mut(), root, 32)));
        });
        tree::f(root);
    }),
    ("tree push, all dropped with the root", |n| {
        let root = Tree::new(0);
        each(n, || {
            black_box(root.node().push(7));
        });
    }),
    ("heap r, larger and back", |n| unsafe {
        let mut data = heap::a(32);
        each(n, || data = heap::r(heap::r(data, 48), 32));
        heap::f(data);
    }),
    ("append 16 bytes to a heap cell", |n| append(n, false)),
    ("append 16 bytes to a tainted heap cell", |n| append(n, true)),
    ("ref r in a pool's cell", |n| unsafe {
        let cells = pool::i(null_mut(), 96, 1);
        let mut data = refs::a(cells.cast(), 32);
        each(n, || data = refs::r(refs::r(data, 48), 32));
        refs::f(data);
        pool::x(cells);
    }),
    ("tree r with a child, larger and back", |n| unsafe {
        let root = tree::a(null_mut(), null_mut(), 0);
        let mut data = tree::a(null_mut(), root, 16);
        tree::a(null_mut(), data, 0);
        each(n, || data = tree::r(tree::r(data, 32), 16));
        tree::f(root);
    }),
    ("tree m of a leaf", |n| unsafe {
        let (one, two) = (tree::a(null_mut(), null_mut(), 0), tree::a(null_mut(), null_mut(), 0));
        let leaf = tree::a(null_mut(), one, 0);
        let mut parents = [two, one].into_iter().cycle();
        each(n, || tree::m(leaf, parents.next().unwrap_or(one)).unwrap_or(()));
        tree::f(one);
        tree::f(two);
    }),
    ("tree m with a child, a hundred above", |n| unsafe {
        let (one, mut two) = (tree::a(null_mut(), null_mut(), 0), tree::a(null_mut(), null_mut(), 0));
        let root = two;
        (0..99).for_each(|_| two = tree::a(null_mut(), two, 0));
        let node = tree::a(null_mut(), one, 0);
        tree::a(null_mut(), node, 0);
        each(n, || tree::m(node, two).unwrap_or(()));
        tree::f(one);
        tree::f(root);
    }),
    ("tree leaf w f, with a name", |n| leaf(n, &Request { name: Some(c"leaf"), ..Request::new(32) })),
    ("tree leaf w f, with a destructor", |n| leaf(n, &Request { drop: Some(NOTHING), ..Request::new(32) })),
    ("tree leaf a h f", |n| unsafe {
        let root = tree::a(null_mut(), null_mut(), 32);
        each(n, || {
            let leaf = tree::a(null_mut(), root, 32);
            tree::h(leaf, NOTHING).unwrap_or(());
            tree::f(black_box(leaf));
        });
        tree::f(root);
    }),
    ("tree k of a heap cell, f", |n| unsafe {
        each(n, || {
            let root = tree::a(null_mut(), null_mut(), 32);
            tree::k(root, heap::ao(32)).unwrap_or(());
            tree::f(black_box(root));
        });
    }),
    ("fixed pool: a f", |n| pairs("pool", n, Kind::Pool)),
    ("fixed pool: ref a f", |n| pairs("pool", n, Kind::Ref)),
    ("fixed pool: node a f", |n| pairs("pool", n, Kind::Tree)),
    ("growing pool: a f", |n| pairs("growing pool", n, Kind::Pool)),
    ("growing pool: ref a f", |n| pairs("growing pool", n, Kind::Ref)),
    ("growing pool: node a f", |n| pairs("growing pool", n, Kind::Tree)),
    ("pool on a node: a f", |n| pairs("pool on a node", n, Kind::Pool)),
    ("pool on a node: ref a f", |n| pairs("pool on a node", n, Kind::Ref)),
    ("pool on a node: node a f", |n| pairs("pool on a node", n, Kind::Tree)),
    ("growing pool on a node: a f", |n| pairs("growing pool on a node", n, Kind::Pool)),
    ("growing pool on a node: node a f", |n| pairs("growing pool on a node", n, Kind::Tree)),
    ("pool from a pool: a f", |n| pairs("pool from a pool", n, Kind::Pool)),
    ("pool from a pool: ref a f", |n| pairs("pool from a pool", n, Kind::Ref)),
    ("pool from a pool: node a f", |n| pairs("pool from a pool", n, Kind::Tree)),
    ("pool from a source: a f", |n| pairs("pool from a source", n, Kind::Pool)),
    ("pool from a source: ref a f", |n| pairs("pool from a source", n, Kind::Ref)),
    ("pool from a source: node a f", |n| pairs("pool from a source", n, Kind::Tree)),
    ("tree node from a growing pool", |n| with_pool("growing pool", 96, n, |cells| flat(n, cells.cast()))),
    ("tree node from a pool on a node", |n| {
        with_pool("pool on a node", 96, n, |cells| flat(n, cells.cast()))
    }),
    ("bumpalo alloc", |n| {
        let objects = bumpalo::Bump::with_capacity(room_for(n));
        each(n, || {
            black_box(objects.alloc(black_box([7u64; 4])));
        });
    }),
    ("arena: a f", |n| arena_pairs(null_mut(), n, Kind::Arena)),
    ("arena: ref a f", |n| arena_pairs(null_mut(), n, Kind::Ref)),
    ("arena: node a f", |n| arena_pairs(null_mut(), n, Kind::Tree)),
    ("arena from a growing pool: a f", |n| {
        with_pool("growing pool", 5000, 8, |blocks| arena_pairs(blocks.cast(), n, Kind::Arena));
    }),
    ("arena from a growing pool: node a f", |n| {
        with_pool("growing pool", 5000, 8, |blocks| arena_pairs(blocks.cast(), n, Kind::Tree));
    }),
    ("arena tree: node a, left", |n| arena_tree(n, false)),
    ("arena tree: node a, all freed with the root", |n| arena_tree(n, true)),
    ("arena tree: node a f", |n| unsafe {
        let root = tree::i(null_mut(), null_mut(), 32, 0);
        each(n, || {
            tree::f(black_box(tree::a(tree::same(), root, 32)));
        });
        tree::f(root);
    }),
    ("limit of the heap: ref a f", |n| unsafe {
        let most = limit::init(null_mut(), usize::MAX / 2).unwrap().as_ptr();
        each(n, || refs::f(black_box(refs::a(most.cast(), 32))));
        limit::x(most);
    }),
    ("limit of the heap: node a f", |n| unsafe {
        let most = limit::init(null_mut(), usize::MAX / 2).unwrap().as_ptr();
        each(n, || {
            tree::f(black_box(tree::a(most.cast(), null_mut(), 32)));
        });
        limit::x(most);
    }),
    ("tree walk, a node", |n| unsafe {
        let root = tree::a(null_mut(), null_mut(), 0);
        (0..32).for_each(|_| {
            black_box(tree::a(null_mut(), root, 0));
        });
        each(n / 32, || {
            black_box(tree::walk(root).count());
        });
        tree::f(root);
    }),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, times] = &arguments[..] else {
        OPERATIONS.iter().for_each(|(name, _)| println!("{name}"));
        return;
    };
    let times: usize = times.parse().expect("how many times is a number");
    // Blocks for all that may live at a time, so that no operation has to ask `System`.
    // SAFETY: this program has one thread, and the blocks are nobody's.
    unsafe {
        let blocks = System.alloc(Layout::from_size_align_unchecked((times + 8) * BLOCK, 16));
        for at in (0..times + 8).rev() {
            HEAP.dealloc(blocks.add(at * BLOCK), Layout::from_size_align_unchecked(BLOCK, 16));
        }
    }
    let operation = OPERATIONS.iter().find(|(known, _)| known == name).expect("no such operation").1;
    operation(times);
}
