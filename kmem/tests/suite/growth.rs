//! Cells that grow little by little, through the engine: in place if the source resizes them, and seldom moved if it does not.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::LazyLock;

use kmem::AllocError;
use kmem::raw::{self, Destructor, Handle, Request, heap, pool, ptr, refs, report, tree};

use crate::support::{drawn, leaks_nothing, with_allocations};

/// The contents of cells. No byte is zero.
static PATTERN: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..2 << 20).map(|at: usize| (at * 7 + 13) as u8 | 1).collect());

unsafe fn fill(data: *mut u8, from: usize, to: usize) {
    let bytes = &PATTERN[from..to];
    unsafe { data.add(from).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

unsafe fn holds(data: *mut u8, size: usize) -> bool {
    unsafe { std::slice::from_raw_parts(data, size) == &PATTERN[..size] }
}

/// How a [`Counting`] source resizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resizes {
    /// It has no resize function.
    Never,
    /// It refuses, and zeroes the bytes that the resize would have added.
    Refuses,
    /// It resizes its newest block, as a bump allocator does.
    Newest,
}

/// A source in one array that counts allocations and checks if freed memory is zero.
#[repr(C)]
struct Counting {
    source: raw::Source,
    resizes: Resizes,
    /// Bytes of a cell's header, which need not be zero when they are freed.
    header: Cell<usize>,
    room: RefCell<Vec<u128>>,
    used: Cell<usize>,
    out: Cell<usize>,
    left: Cell<usize>,
    draws: Cell<usize>,
    bytes: Cell<usize>,
    asked: Cell<usize>,
    /// Bytes that were freed or cut off and were not zero.
    secrets: Cell<usize>,
}

impl Counting {
    fn new(resizes: Resizes, room: usize) -> Box<Counting> {
        let source = raw::Source::new(Counting::allocate, Counting::free, null_mut());
        let source = if resizes == Resizes::Never { source } else { source.with_resize(Counting::resize) };
        let counting = Counting {
            source,
            resizes,
            header: Cell::new(0),
            room: RefCell::new(vec![0; room / 16]),
            used: Cell::new(0),
            out: Cell::new(0),
            left: Cell::new(usize::MAX),
            draws: Cell::new(0),
            bytes: Cell::new(0),
            asked: Cell::new(0),
            secrets: Cell::new(0),
        };
        Box::new(counting)
    }

    fn cell(&self) -> *mut raw::Cell {
        (&raw const *self).cast_mut().cast()
    }

    unsafe fn look(&self, from: *mut u8, len: usize) {
        let bytes = unsafe { std::slice::from_raw_parts(from, len) };
        self.secrets.set(self.secrets.get() + bytes.iter().filter(|&&byte| byte != 0).count());
    }

    unsafe extern "C-unwind" fn allocate(source: *mut raw::Source, size: usize, align: usize) -> *mut c_void {
        let this = unsafe { &*source.cast::<Counting>() };
        if this.left.get() == 0 {
            return null_mut();
        }
        this.left.set(this.left.get() - 1);
        let mut room = this.room.borrow_mut();
        let base = room.as_mut_ptr().cast::<u8>();
        let at = (base.addr() + this.used.get()).next_multiple_of(align) - base.addr();
        if at + size > room.len() * 16 {
            return null_mut();
        }
        this.used.set(at + size);
        this.out.set(this.out.get() + 1);
        this.draws.set(this.draws.get() + 1);
        this.bytes.set(this.bytes.get() + size);
        let block = unsafe { base.add(at) };
        unsafe { block.write_bytes(0xCD, size) };
        block.cast()
    }

    unsafe extern "C-unwind" fn free(source: *mut raw::Source, block: *mut c_void, size: usize, _: usize) {
        let this = unsafe { &*source.cast::<Counting>() };
        let block = block.cast::<u8>();
        unsafe { this.look(block.add(this.header.get()), size - this.header.get()) };
        let base = this.room.borrow().as_ptr().addr();
        if block.addr() + size == base + this.used.get() {
            this.used.set(block.addr() - base);
        }
        this.out.set(this.out.get() - 1);
    }

    unsafe extern "C-unwind" fn resize(
        source: *mut raw::Source,
        block: *mut c_void,
        from: usize,
        to: usize,
        _: usize,
    ) -> c_int {
        let this = unsafe { &*source.cast::<Counting>() };
        let block = block.cast::<u8>();
        this.asked.set(this.asked.get() + 1);
        let base = this.room.borrow().as_ptr().addr();
        let newest = block.addr() + from == base + this.used.get();
        if this.resizes == Resizes::Refuses && to < from {
            unsafe { block.add(to).write_bytes(0, from - to) };
        }
        if this.resizes != Resizes::Newest || !newest {
            return 0;
        }
        let end = block.addr() - base + to;
        if end > this.room.borrow().len() * 16 {
            return 0;
        }
        this.used.set(end);
        if to < from {
            unsafe { this.look(block.add(to), from - to) };
        } else {
            unsafe { block.add(from).write_bytes(0xCD, to - from) };
        }
        1
    }
}

unsafe extern "C-unwind" fn count(_: *mut c_void, ended: *mut c_void) {
    let ended = unsafe { &*ended.cast::<Cell<u32>>() };
    ended.set(ended.get() + 1);
}

#[derive(Clone, Copy, Debug)]
enum Made {
    Heap,
    Ref,
    Root,
    /// A node with a parent, a sibling and a child.
    Node,
}

const EACH: [Made; 4] = [Made::Heap, Made::Ref, Made::Root, Made::Node];

impl Made {
    fn header(self) -> usize {
        match self {
            Made::Heap => 16,
            Made::Ref => 32,
            Made::Root | Made::Node => 64,
        }
    }

    /// Runs `work` with a handle of a new cell, then frees the cell.
    fn with(self, src: *mut raw::Cell, request: &Request, work: impl FnOnce(&mut Handle)) {
        unsafe {
            let above = tree::a(null_mut(), null_mut(), 8);
            let mut handle = match self {
                Made::Heap => heap::handle(heap::alloc(request).unwrap().as_ptr()),
                Made::Ref => refs::handle(refs::alloc(src, request).unwrap().as_ptr()),
                Made::Root => tree::handle(tree::alloc(src, null_mut(), request).unwrap().as_ptr()),
                Made::Node => {
                    let node = tree::alloc(src, above, request).unwrap().as_ptr();
                    tree::a(null_mut(), above, 8);
                    tree::a(null_mut(), node, 8);
                    tree::handle(node)
                }
            };
            work(&mut handle);
            if let Made::Node = self {
                tree::verify(above).unwrap();
                assert_eq!(tree::p(tree::c(handle.data)), handle.data);
            }
            ptr::free(handle);
            tree::f(above);
        }
    }
}

/// Requests for cells with and without a destructor, a name and an alignment.
fn requests(ended: &Cell<u32>) -> Vec<Request> {
    let drop = Destructor { run: Some(count), arg: (&raw const *ended).cast_mut().cast() };
    let mut requests = Vec::new();
    for align in [0, 64, 4096] {
        for (drop, name) in
            [(None, None), (Some(drop), None), (None, Some(c"name")), (Some(drop), Some(c"name"))]
        {
            requests.push(Request { align, drop, name, ..Request::new(0) });
        }
    }
    requests
}

/// Appends `n` bytes as `kmcat` does.
unsafe fn append(handle: &mut Handle, n: usize) -> Result<(), AllocError> {
    unsafe {
        let size = ptr::size(*handle);
        ptr::grow(kmem::fault::Call::new(c"kmcat"), handle, size + n)?;
        assert_eq!(ptr::size(*handle), size + n);
        fill(handle.data, size, size + n);
    }
    Ok(())
}

#[test]
fn eighty_thousand_appends_allocate_little_more_than_they_append() {
    const TIMES: usize = if cfg!(miri) { 100 } else { 80_000 };
    for made in EACH {
        for resizes in [None, Some(Resizes::Never), Some(Resizes::Refuses), Some(Resizes::Newest)] {
            for tainted in [false, true] {
                let shows = format!("{made:?} {resizes:?} {tainted}");
                if matches!(made, Made::Heap) && resizes.is_some() || tainted && !cfg!(feature = "shred") {
                    continue;
                }
                let source = resizes.map(|resizes| Counting::new(resizes, 12 << 20));
                let src = source.as_ref().map_or(null_mut(), |source| source.cell());
                made.with(src, &Request::new(0), |handle| unsafe {
                    if let Some(source) = &source {
                        source.header.set(made.header());
                    }
                    #[cfg(feature = "shred")]
                    if tainted {
                        ptr::taint(handle);
                    }
                    let (draws, bytes) = drawn(|| {
                        for _ in 0..TIMES {
                            append(handle, 16).unwrap();
                        }
                    });
                    let (draws, bytes) = match &source {
                        Some(source) => (source.draws.get(), source.bytes.get()),
                        None => (draws, bytes),
                    };
                    assert!(draws < 40, "{shows}: {draws} draws");
                    assert!(bytes < 16 * TIMES * 6, "{shows}: {bytes} bytes");
                    assert!(holds(handle.data, 16 * TIMES), "{shows}");
                    if resizes == Some(Resizes::Newest) {
                        assert_eq!(draws, 1, "{shows}");
                    }
                });
                if let Some(source) = &source {
                    assert_eq!(source.out.get(), 0, "{shows}");
                    assert_eq!(source.secrets.get() == 0, tainted, "{shows}");
                }
            }
        }
    }
}

#[test]
fn a_destructor_and_a_name_stay_as_their_cell_grows_and_shrinks() {
    let ended = Cell::new(0);
    for made in EACH {
        for resizes in [Resizes::Never, Resizes::Refuses, Resizes::Newest] {
            for request in requests(&ended) {
                for tainted in [false, true] {
                    let shows = format!("{made:?} {resizes:?} {request:?} {tainted}");
                    let source = Counting::new(resizes, 4 << 20);
                    source.header.set(made.header().max(request.align));
                    ended.set(0);
                    leaks_nothing(|| {
                        made.with(source.cell(), &request, |handle| unsafe {
                            #[cfg(feature = "shred")]
                            if tainted {
                                ptr::taint(handle);
                            }
                            let check = |handle: &Handle, size: usize| {
                                assert_eq!(
                                    (ptr::size(*handle), ptr::name(*handle)),
                                    (size, request.name),
                                    "{shows}"
                                );
                                assert_eq!(handle.data.addr() % request.align.max(16), 0, "{shows}");
                                assert!(holds(handle.data, size), "{shows}");
                            };
                            for n in (0..40).chain([100, 1000]) {
                                append(handle, n).unwrap();
                                check(handle, ptr::size(*handle));
                            }
                            // By small and by large steps, up and down.
                            let most = ptr::size(*handle);
                            for size in
                                (most - 40..most).rev().chain([most / 2, most / 2 - 1, 20, 3, 0, 1, 300])
                            {
                                let before = ptr::size(*handle);
                                ptr::resize(handle, size).unwrap();
                                fill(handle.data, before.min(size), size);
                                check(handle, size);
                                if size & 3 == 0 {
                                    ptr::reserve(handle, size + 7 * (size & 127)).unwrap();
                                    check(handle, size);
                                }
                            }
                        });
                    });
                    assert_eq!(ended.get(), u32::from(request.drop.is_some()), "{shows}");
                    assert_eq!(source.out.get(), 0, "{shows}");
                    if tainted && cfg!(feature = "shred") {
                        assert_eq!(source.secrets.get(), 0, "{shows}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_cell_whose_destructor_was_set_later_grows() {
    let ended = Cell::new(0);
    let later = Destructor { run: Some(count), arg: (&raw const ended).cast_mut().cast() };
    for made in [Made::Heap, Made::Ref] {
        for resizes in [Resizes::Never, Resizes::Refuses, Resizes::Newest] {
            for request in requests(&ended) {
                let shows = format!("{made:?} {resizes:?} {request:?}");
                let source = Counting::new(resizes, 1 << 20);
                ended.set(0);
                made.with(source.cell(), &request, |handle| unsafe {
                    ptr::hook(*handle, later).unwrap();
                    for size in (1..40).chain([1000, 2000, 10, 0]) {
                        let now = ptr::size(*handle);
                        if size > now {
                            append(handle, size - now).unwrap();
                        } else {
                            ptr::resize(handle, size).unwrap();
                        }
                        assert_eq!((ptr::size(*handle), ptr::name(*handle)), (size, request.name), "{shows}");
                        assert!(holds(handle.data, size), "{shows}");
                        ptr::reserve(handle, size + (size & 31)).unwrap();
                    }
                    assert_eq!(ended.get(), 0, "{shows}");
                });
                assert_eq!((ended.get(), source.out.get()), (1, 0), "{shows}");
            }
        }
    }
}

#[test]
fn the_newest_cell_of_a_bump_source_grows_and_shrinks_in_place() {
    let ended = Cell::new(0);
    for made in [Made::Ref, Made::Root, Made::Node] {
        for request in requests(&ended) {
            for tainted in [false, true] {
                let shows = format!("{made:?} {request:?} {tainted}");
                let source = Counting::new(Resizes::Newest, 64 << 10);
                source.header.set(made.header().max(request.align));
                made.with(source.cell(), &request, |handle| unsafe {
                    #[cfg(feature = "shred")]
                    if tainted {
                        ptr::taint(handle);
                    }
                    let (data, empty) = (handle.data, source.used.get());
                    for size in
                        (64..=11_520).step_by(64).chain((0..=11_520).rev().step_by(40)).chain([7, 1, 0])
                    {
                        let now = ptr::size(*handle);
                        assert_eq!(ptr::resize(handle, size).unwrap().as_ptr(), data, "{shows}");
                        assert_eq!(ptr::name(*handle), request.name);
                        assert!(holds(data, now.min(size)));
                        fill(data, now.min(size), size);
                        assert!(source.used.get() - empty <= size + 8, "{shows}");
                    }
                    assert_eq!((source.draws.get(), source.used.get()), (1, empty), "{shows}");
                });
                if tainted && cfg!(feature = "shred") {
                    assert_eq!(source.secrets.get(), 0, "{shows}");
                }
            }
        }
    }
}

#[test]
fn a_cell_that_is_not_the_newest_of_a_bump_source_moves() {
    let source = Counting::new(Resizes::Newest, 64 << 10);
    unsafe {
        let data = refs::a(source.cell(), 100);
        fill(data, 0, 100);
        let newer = refs::a(source.cell(), 8);
        let moved = refs::r(data, 200);
        assert_ne!(moved, data);
        assert!(holds(moved, 100));
        assert_eq!((source.draws.get(), source.asked.get()), (3, 1));
        refs::f(moved);
        refs::f(newer);
    }
    assert_eq!(source.out.get(), 0);
}

#[test]
fn growth_takes_the_exact_size_if_half_as_much_again_is_refused() {
    for resizes in [Resizes::Never, Resizes::Newest] {
        let source = Counting::new(resizes, 4096);
        unsafe {
            let mut handle = refs::ao(source.cell(), 1000);
            fill(handle.data, 0, 1000);
            // A block of one and a half times the size is refused, one of the exact size is not.
            append(&mut handle, 1200).unwrap();
            assert!(holds(handle.data, 2200));
            let before = handle;
            assert!(matches!(append(&mut handle, 5000), Err(AllocError::Exhausted { .. })));
            assert_eq!((handle, ptr::size(handle)), (before, 2200));
            assert!(holds(handle.data, 2200));
            ptr::free(handle);
        }
        assert_eq!(source.out.get(), 0);
    }
}

#[test]
fn a_refused_growth_or_reservation_changes_nothing() {
    for made in EACH {
        let source = Counting::new(Resizes::Refuses, 1 << 20);
        made.with(
            source.cell(),
            &Request { name: Some(c"as it was"), ..Request::new(100) },
            |handle| unsafe {
                fill(handle.data, 0, 100);
                // Some of the cells have spare room.
                if handle.data.addr() & 16 == 0 {
                    ptr::reserve(handle, 120).unwrap();
                }
                let before = *handle;
                source.left.set(0);
                with_allocations(0, || {
                    assert!(append(handle, 10_000).is_err());
                    assert!(matches!(ptr::reserve(handle, 10_000), Err(AllocError::Exhausted { .. })));
                });
                for size in [usize::MAX, usize::MAX / 2, isize::MAX as usize] {
                    assert_eq!(
                        ptr::grow(kmem::fault::Call::new(c"kmcat"), handle, size),
                        Err(AllocError::Overflow)
                    );
                    assert_eq!(ptr::reserve(handle, size), Err(AllocError::Overflow));
                }
                assert_eq!(*handle, before);
                assert_eq!((ptr::size(*handle), ptr::name(*handle)), (100, Some(c"as it was")));
                assert!(holds(handle.data, 100));
            },
        );
    }
    let mut fixed = ptr::stat(c"static".as_ptr().cast());
    unsafe {
        assert_eq!(ptr::reserve(&mut fixed, 8), Err(AllocError::Fixed(kmem::Kind::None)));
        assert_eq!(ptr::reserve(&mut Handle::NULL.clone(), 8), Err(AllocError::Source(None)));
        let mut shared = refs::ao(null_mut(), 8);
        refs::u(shared.data);
        assert_eq!(ptr::reserve(&mut shared, 100), Err(AllocError::Shared));
        refs::d(shared.data);
        refs::f(shared.data);
    }
}

#[test]
fn reserved_room_is_enough_for_every_kind_of_cell() {
    let ended = Cell::new(0);
    for made in EACH {
        for request in requests(&ended) {
            for room in [0, 1, 7, 8, 14, 15, 16, 23, 24, 40, 1000] {
                let source = Counting::new(Resizes::Never, 64 << 10);
                made.with(source.cell(), &request, |handle| unsafe {
                    append(handle, 10).unwrap();
                    let reserved = ptr::reserve(handle, room).unwrap();
                    assert_eq!((reserved.as_ptr(), ptr::size(*handle)), (handle.data, 10));
                    source.left.set(0);
                    with_allocations(0, || {
                        for _ in 10..room {
                            append(handle, 1).unwrap();
                            assert_eq!(ptr::reserve(handle, room), Ok(reserved));
                        }
                    });
                    assert_eq!(handle.data, reserved.as_ptr());
                    assert!(holds(handle.data, room.max(10)));
                });
            }
        }
    }
}

#[test]
fn room_counts_as_part_of_the_block_and_is_returned_when_the_cell_is_cut() {
    let source = Counting::new(Resizes::Never, 64 << 10);
    unsafe {
        let mut node = tree::ao(source.cell(), null_mut(), 100);
        let block = |node: Handle| report::count(node.data, None).block;
        assert_eq!(block(node), 164);
        ptr::reserve(&mut node, 1000).unwrap();
        assert_eq!((block(node), ptr::size(node)), (1064, 100));
        ptr::resize(&mut node, 500).unwrap();
        assert_eq!((block(node), ptr::size(node), source.draws.get()), (1064, 500, 2));
        ptr::resize(&mut node, 500).unwrap();
        assert_eq!(block(node), 1064);
        ptr::resize(&mut node, 499).unwrap();
        assert_eq!((block(node), ptr::size(node)), (563, 499));
        // At most half of the size, and a word.
        ptr::grow(kmem::fault::Call::new(c"kmcat"), &mut node, 600).unwrap();
        assert_eq!((block(node), ptr::size(node)), (964, 600));
        tree::verify(node.data).unwrap();
        ptr::free(node);
    }
    assert_eq!(source.out.get(), 0);
}

#[cfg(feature = "shred")]
#[test]
fn the_room_of_a_tainted_cell_is_zeroed_when_it_is_freed_or_moves() {
    for made in [Made::Ref, Made::Root, Made::Node] {
        for moves in [false, true] {
            let source = Counting::new(Resizes::Never, 64 << 10);
            source.header.set(made.header());
            made.with(source.cell(), &Request::new(10), |handle| unsafe {
                ptr::reserve(handle, 1000).unwrap();
                source.secrets.set(0);
                ptr::taint(handle);
                // The bytes behind the data and behind the word there.
                handle.data.add(24).write_bytes(0xA5, 1000 - 24);
                fill(handle.data, 0, 10);
                if moves {
                    ptr::resize(handle, 2000).unwrap();
                    assert_eq!(source.secrets.get(), 0);
                }
            });
            assert_eq!(source.secrets.get(), 0);
        }
    }
}

#[test]
fn a_pools_cell_has_the_room_of_its_cell_size() {
    unsafe {
        let bytes = pool::i(null_mut(), 128, 4);
        let mut handle = refs::ao(bytes.cast(), 8);
        fill(handle.data, 0, 8);
        let data = handle.data;
        assert_eq!(ptr::reserve(&mut handle, 96).map(NonNull::as_ptr), Ok(data));
        assert_eq!(ptr::reserve(&mut handle, 97), Err(AllocError::Size { size: 129, max: 128 }));
        for _ in 8..96 {
            append(&mut handle, 1).unwrap();
        }
        assert_eq!(append(&mut handle, 1), Err(AllocError::Size { size: 129, max: 128 }));
        assert_eq!(handle.data, data);
        assert!(holds(data, 96));
        ptr::free(handle);
        let mut cell = pool::ao(bytes, 8);
        assert_eq!(ptr::reserve(&mut cell, 128).map(NonNull::as_ptr), Ok(cell.data));
        assert_eq!(ptr::reserve(&mut cell, 129), Err(AllocError::Size { size: 129, max: 128 }));
        ptr::free(cell);
        pool::x(bytes);
    }
}
