//! Counted cells own objects as nodes do, and cells get destructors after they were made.

use std::alloc::Layout;
use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr::null_mut;

use kmem::raw::{Destructor, Handle, Request, Source, heap, pool, ptr, refs, tree};
use kmem::{AllocError, Kind};

use crate::support::{
    MARK, ended, leaks_nothing, marked_when_freed, note, noting, quietly, unwind, with_allocations,
};

unsafe extern "C-unwind" fn note_and_unwind(data: *mut c_void, number: *mut c_void) {
    unsafe { note(data, number) };
    unwind();
}

fn counted(number: usize) -> Handle {
    let request = Request { drop: Some(noting(number)), ..Request::new(64) };
    unsafe { refs::handle(refs::alloc(null_mut(), &request).unwrap().as_ptr()) }
}

fn node(parent: *mut u8, number: usize) -> *mut u8 {
    let request = Request { drop: Some(noting(number)), ..Request::new(64) };
    unsafe { tree::alloc(null_mut(), parent, &request) }.unwrap().as_ptr()
}

fn cell(number: usize) -> Handle {
    let request = Request { drop: Some(noting(number)), ..Request::new(64) };
    unsafe { heap::handle(heap::alloc(&request).unwrap().as_ptr()) }
}

/// Runs `work` on a stack of 80 kB, a hundredth of the usual size.
fn on_a_small_stack(work: fn()) {
    std::thread::Builder::new().stack_size(80 << 10).spawn(work).unwrap().join().unwrap();
}

#[test]
fn owned_objects_are_freed_with_the_last_reference_and_before_their_owner() {
    leaks_nothing(|| unsafe {
        let owner = counted(9);
        let root = node(null_mut(), 2);
        node(root, 1);
        refs::k(owner.data, tree::handle(root)).unwrap();
        refs::k(owner.data, cell(3)).unwrap();
        refs::k(owner.data, counted(4)).unwrap();
        refs::u(owner.data);
        refs::f(owner.data);
        assert!(ended().is_empty());
        refs::f(owner.data);
        assert_eq!(ended(), [1, 2, 3, 4, 9]);
    });
}

#[test]
fn objects_of_an_adopted_counted_cell_are_freed_with_its_last_owner() {
    leaks_nothing(|| unsafe {
        let owner = counted(5);
        refs::k(owner.data, tree::handle(node(null_mut(), 4))).unwrap();
        let roots = [8, 7].map(|number| node(null_mut(), number));
        for root in roots {
            node(root, 1);
            tree::k(root, refs::handle(refs::u(owner.data))).unwrap();
            node(root, 6);
        }
        refs::f(owner.data);
        tree::f(roots[0]);
        assert_eq!(ended(), [1, 6, 8]);
        tree::f(roots[1]);
        assert_eq!(ended(), [1, 4, 5, 6, 7]);
    });
}

#[test]
fn emptying_a_node_frees_the_objects_of_an_adopted_cell() {
    leaks_nothing(|| unsafe {
        let root = node(null_mut(), 9);
        let owner = counted(2);
        refs::k(owner.data, tree::handle(node(null_mut(), 1))).unwrap();
        tree::k(root, owner).unwrap();
        tree::x(root);
        assert_eq!(ended(), [1, 2]);
        tree::f(root);
        ended();
    });
}

/// A chain of owners. Each is adopted by a leaf of the tree that the owner before it owns.
fn chain_of_trees(links: usize) -> *mut u8 {
    unsafe {
        let root = tree::a(null_mut(), null_mut(), 8);
        let mut leaf = root;
        for _ in 0..links {
            let owner = refs::a(null_mut(), 8);
            let owned = tree::a(null_mut(), null_mut(), 8);
            refs::k(owner, tree::handle(owned)).unwrap();
            tree::k(leaf, refs::handle(owner)).unwrap();
            leaf = tree::a(null_mut(), owned, 8);
        }
        root
    }
}

#[test]
fn a_chain_of_a_hundred_thousand_trees_and_counted_cells_is_freed_in_a_small_stack() {
    on_a_small_stack(|| leaks_nothing(|| unsafe { _ = tree::f(chain_of_trees(100_000)) }));
}

#[test]
fn a_chain_of_a_hundred_thousand_counted_cells_is_freed_in_a_small_stack() {
    on_a_small_stack(|| {
        leaks_nothing(|| unsafe {
            let mut owner = refs::a(null_mut(), 8);
            for _ in 0..100_000 {
                let next = refs::a(null_mut(), 8);
                refs::k(next, refs::handle(owner)).unwrap();
                owner = next;
            }
            refs::f(owner);
        });
    });
}

#[test]
fn a_wide_mix_of_objects_is_freed_with_their_owner() {
    on_a_small_stack(|| {
        leaks_nothing(|| unsafe {
            let owner = refs::a(null_mut(), 8);
            for at in 0..50_000 {
                refs::k(owner, heap::ao(8)).unwrap();
                refs::k(owner, tree::handle(tree::a(null_mut(), null_mut(), 8))).unwrap();
                let inner = refs::a(null_mut(), 8);
                refs::k(inner, refs::ao(null_mut(), 8)).unwrap();
                refs::k(inner, tree::handle(tree::a(null_mut(), null_mut(), 8))).unwrap();
                refs::k(owner, refs::handle(inner)).unwrap();
                if at == 7 {
                    refs::k(owner, tree::handle(chain_of_trees(50_000))).unwrap();
                }
            }
            refs::f(owner);
        });
    });
}

#[test]
fn a_counted_cell_adopts_and_releases_only_with_one_reference() {
    leaks_nothing(|| unsafe {
        let (owner, object) = (refs::a(null_mut(), 8), heap::ao(8));
        refs::u(owner);
        assert_eq!(refs::k(owner, object), Err(AllocError::Shared));
        refs::d(owner);
        refs::k(owner, object).unwrap();
        refs::u(owner);
        assert!(refs::l(owner, object.data).is_null());
        refs::d(owner);
        assert_eq!(refs::l(owner, object.data), object);
        assert!(refs::l(owner, object.data).is_null());
        assert_eq!(refs::k(owner, Handle::NULL), Err(AllocError::Source(None)));
        ptr::free(object);
        refs::f(owner);
    });
}

#[test]
fn a_tree_that_a_counted_cell_releases_is_a_root_again() {
    leaks_nothing(|| unsafe {
        let (owner, root) = (refs::a(null_mut(), 8), node(null_mut(), 2));
        node(root, 1);
        refs::k(owner, tree::handle(root)).unwrap();
        assert!(tree::p(root).is_null(), "the internal parent is not shown");
        assert_eq!(refs::l(owner, root).data, root);
        refs::f(owner);
        assert!(ended().is_empty());
        assert!(tree::f(root).is_null());
        assert_eq!(ended(), [1, 2]);
    });
}

#[test]
fn a_tree_that_a_cell_owns_may_be_freed_or_moved_away() {
    leaks_nothing(|| unsafe {
        let owner = refs::a(null_mut(), 8);
        let [freed, moved, with_a_child] = [1, 2, 4].map(|number| node(null_mut(), number));
        node(with_a_child, 3);
        for root in [freed, moved, with_a_child] {
            refs::k(owner, tree::handle(root)).unwrap();
        }
        assert!(tree::f(freed).is_null(), "it has no node above");
        tree::m(moved, null_mut()).unwrap();
        assert!(tree::f(with_a_child).is_null());
        refs::f(owner);
        assert_eq!(ended(), [1, 3, 4]);
        tree::f(moved);
        assert_eq!(ended(), [2]);
    });
}

#[test]
fn a_counted_cell_cannot_be_owned_by_its_own_object() {
    leaks_nothing(|| unsafe {
        let (owner, root) = (refs::a(null_mut(), 8), tree::a(null_mut(), null_mut(), 8));
        assert_eq!(refs::k(owner, refs::handle(owner)), Err(AllocError::Below));
        refs::k(owner, tree::handle(root)).unwrap();
        assert_eq!(refs::k(owner, refs::handle(owner)), Err(AllocError::Below));
        let leaf = tree::a(null_mut(), root, 8);
        refs::u(owner);
        assert_eq!(tree::k(leaf, refs::handle(owner)), Err(AllocError::Below));
        refs::d(owner);
        refs::f(owner);
    });
}

#[test]
fn objects_of_a_tainted_counted_cell_are_zeroed() {
    for way in 0..4 {
        let freed = marked_when_freed(|| unsafe {
            let owner = refs::a(null_mut(), 8);
            let (root, inner) = (tree::a(null_mut(), null_mut(), 64), refs::a(null_mut(), 64));
            let (below, deep) = (tree::a(null_mut(), root, 64), heap::ao(64));
            for data in [root, inner, below, deep.data] {
                data.write_bytes(MARK, 64);
            }
            refs::k(inner, deep).unwrap();
            tree::k(below, refs::handle(inner)).unwrap();
            refs::k(owner, tree::handle(root)).unwrap();
            let mut handle = refs::handle(owner);
            match way {
                0 => refs::s(owner),
                1 => {
                    refs::u(owner);
                    refs::s(owner);
                    refs::f(owner);
                }
                2 => {
                    ptr::taint(&mut handle);
                    refs::f(owner);
                }
                _ => {
                    let node = tree::a(null_mut(), null_mut(), 8);
                    tree::k(node, handle).unwrap();
                    tree::s(node);
                }
            }
        });
        assert_eq!(freed, 0, "{way}");
    }
}

#[test]
fn a_destructor_that_unwinds_does_not_stop_the_free_of_owned_objects() {
    for (adopted, who) in [false, true].into_iter().flat_map(|adopted| (1..=6).map(move |who| (adopted, who)))
    {
        leaks_nothing(|| unsafe {
            let destructor = |number| {
                let run = if number == who { note_and_unwind } else { note };
                Some(Destructor { run: Some(run), arg: std::ptr::without_provenance_mut(number) })
            };
            let request = |number| Request { drop: destructor(number), ..Request::new(8) };
            let owner = refs::alloc(null_mut(), &request(5)).unwrap().as_ptr();
            let root = tree::alloc(null_mut(), null_mut(), &request(3)).unwrap().as_ptr();
            let inner = refs::alloc(null_mut(), &request(2)).unwrap().as_ptr();
            refs::k(inner, heap::handle(heap::alloc(&request(1)).unwrap().as_ptr())).unwrap();
            tree::k(root, refs::handle(inner)).unwrap();
            refs::k(owner, tree::handle(root)).unwrap();
            refs::k(owner, heap::handle(heap::alloc(&request(4)).unwrap().as_ptr())).unwrap();
            let result = quietly(|| {
                if adopted {
                    let node = tree::alloc(null_mut(), null_mut(), &request(6)).unwrap().as_ptr();
                    tree::k(node, refs::handle(owner)).unwrap();
                    tree::f(node);
                } else {
                    refs::f(owner);
                }
            });
            assert_eq!(result.is_err(), adopted || who != 6);
            drop(result);
            assert_eq!(ended(), if adopted { &[1, 2, 3, 4, 5, 6][..] } else { &[1, 2, 3, 4, 5] });
        });
    }
}

#[test]
fn an_adoption_by_a_counted_cell_changes_nothing_if_memory_runs_out() {
    leaks_nothing(|| unsafe {
        let (owner, object) = (refs::a(null_mut(), 8), cell(1));
        for allowed in 0..3 {
            let refused = with_allocations(allowed, || refs::k(owner, object));
            assert!(matches!(refused, Err(AllocError::Exhausted { .. })), "{refused:?}");
            assert_eq!(ptr::size(refs::handle(owner)), 8);
        }
        assert!(ended().is_empty());
        with_allocations(3, || refs::k(owner, object)).unwrap();
        let more = cell(2);
        with_allocations(0, || refs::k(owner, more)).unwrap_err();
        refs::k(owner, more).unwrap();
        refs::f(owner);
        assert_eq!(ended(), [1, 2]);
    });
}

#[test]
fn a_counted_cell_with_objects_grows_moves_and_is_looked_at() {
    leaks_nothing(|| unsafe {
        let name = Some(c"owner");
        let request = Request { drop: Some(noting(2)), name, align: 64, ..Request::new(8) };
        let mut owner = refs::alloc(null_mut(), &request).unwrap().as_ptr();
        owner.cast::<u64>().write(7);
        refs::k(owner, cell(1)).unwrap();
        for size in [8, 100, 5000, 100_000, 16, 0, 8] {
            owner = refs::resize(owner, size).unwrap().as_ptr();
            let handle = refs::handle(owner);
            assert_eq!((ptr::size(handle), ptr::name(handle), owner.addr() % 64), (size, name, 0));
        }
        let failed = with_allocations(0, || refs::resize(owner, 1_000_000));
        assert!(failed.is_err() && ptr::size(refs::handle(owner)) == 8);
        refs::f(owner);
        assert_eq!(ended(), [1, 2]);
    });
}

#[test]
fn a_counted_cell_from_a_pool_allocates_its_record_there() {
    leaks_nothing(|| unsafe {
        let cells = pool::i(null_mut(), 112, 4);
        let owner = refs::a(cells.cast(), 8);
        refs::k(owner, cell(1)).unwrap();
        assert_eq!(pool::live(cells), 4);
        let more = cell(2);
        assert!(matches!(refs::k(owner, more), Err(AllocError::Exhausted { .. })));
        refs::k(owner, tree::handle(node(null_mut(), 3))).unwrap();
        refs::f(owner);
        assert_eq!((pool::live(cells), ended()), (0, vec![1, 3]));
        ptr::free(more);
        pool::x(cells);
        ended();
    });
}

#[test]
fn objects_of_a_shared_cell_are_freed_on_the_thread_of_the_last_drop() {
    unsafe {
        let owner = refs::a(null_mut(), 8);
        let root = tree::a(null_mut(), null_mut(), 8);
        for _ in 0..100 {
            tree::a(null_mut(), root, 8);
        }
        refs::k(owner, tree::handle(root)).unwrap();
        for _ in 0..4 {
            refs::u(owner);
        }
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let address = owner.expose_provenance();
                scope.spawn(move || refs::f(std::ptr::with_exposed_provenance_mut(address)));
            }
            refs::f(owner);
        });
    }
}

#[test]
fn a_report_counts_the_objects_of_an_adopted_counted_cell() {
    use kmem::raw::report;
    unsafe {
        let root = tree::a(null_mut(), null_mut(), 8);
        let owner = refs::a(null_mut(), 16);
        let tree_of_two = tree::a(null_mut(), null_mut(), 100);
        tree::a(null_mut(), tree_of_two, 200);
        refs::k(owner, tree::handle(tree_of_two)).unwrap();
        refs::k(owner, heap::ao(50)).unwrap();
        tree::k(root, refs::handle(owner)).unwrap();
        let count = report::count(root, None);
        assert_eq!((count.cells, count.size), (5, 8 + 16 + 100 + 200 + 50));
        let record = if size_of::<usize>() == 8 { 48 } else { 32 };
        let holder = 64 + size_of::<Handle>();
        let held = 72 + holder + (32 + 16) + (record + 64) + (64 + 100) + (64 + 200) + (holder + 16 + 50);
        assert_eq!(count.block, held);
        let mut text = String::new();
        report::text(root, usize::MAX, &mut |piece| text.push_str(piece));
        let expected = format!(
            "tree, 8 bytes\n  ref, 16 bytes, 1 reference, adopted, 3 cells of 350 bytes below\n5 cells, 374 bytes, {held} with headers\n"
        );
        assert_eq!(text, expected);
        tree::f(root);
    }
}

#[test]
fn a_cell_gets_a_destructor_after_it_was_made() {
    leaks_nothing(|| unsafe {
        let slotted = Request { drop: Some(noting(9)), ..Request::new(24) };
        let make: [&dyn Fn() -> Handle; 5] = [
            &|| heap::ao(24),
            &|| refs::ao(null_mut(), 24),
            &|| heap::handle(heap::alloc(&slotted).unwrap().as_ptr()),
            &|| refs::handle(refs::alloc(null_mut(), &slotted).unwrap().as_ptr()),
            &|| heap::handle(heap::alloc(&Request { align: 256, ..Request::new(24) }).unwrap().as_ptr()),
        ];
        for make in make {
            let mut handle = make();
            ptr::hook(handle, noting(1)).unwrap();
            ptr::hook(handle, noting(2)).unwrap();
            assert_eq!(ptr::size(handle), 24);
            ptr::resize(&mut handle, 10_000).unwrap();
            ptr::resize(&mut handle, 24).unwrap();
            assert_eq!((ptr::size(handle), ended()), (24, vec![]));
            ptr::free(handle);
            assert_eq!(ended(), [2], "the one that was set last, once");

            let handle = make();
            ptr::hook(handle, noting(1)).unwrap();
            ptr::hook(handle, Destructor { run: None, arg: null_mut() }).unwrap();
            ptr::free(handle);
            assert!(ended().is_empty());
        }
        let root = node(null_mut(), 3);
        ptr::hook(tree::handle(root), noting(1)).unwrap();
        ptr::hook(tree::handle(root), noting(2)).unwrap();
        tree::f(root);
        assert_eq!(ended(), [2, 1, 3], "a node has as many as it is given");
    });
}

#[test]
fn a_destructor_is_refused_if_it_could_not_run() {
    leaks_nothing(|| unsafe {
        let cells = pool::i(null_mut(), 8, 1);
        let cell = pool::ao(cells, 8);
        assert_eq!(ptr::hook(cell, noting(1)), Err(AllocError::Fixed(Kind::Pool)));
        let number = 7;
        let object = ptr::stat((&raw const number).cast());
        assert_eq!(ptr::hook(object, noting(1)), Err(AllocError::Fixed(Kind::None)));
        assert_eq!(ptr::hook(Handle::NULL, noting(1)), Err(AllocError::Source(None)));
        let root = tree::handle(tree::a(null_mut(), null_mut(), 8));
        let none = Destructor { run: None, arg: null_mut() };
        assert_eq!(ptr::hook(root, none), Err(AllocError::Fixed(Kind::Tree)));
        let shared = refs::ao(null_mut(), 8);
        refs::u(shared.data);
        assert_eq!(ptr::hook(shared, noting(1)), Err(AllocError::Shared));
        refs::d(shared.data);
        let refused = with_allocations(0, || ptr::hook(shared, noting(1)));
        assert!(matches!(refused, Err(AllocError::Exhausted { .. })));
        ptr::hook(shared, none).unwrap();
        for handle in [cell, root, shared] {
            ptr::free(handle);
        }
        pool::x(cells);
        assert!(ended().is_empty());
    });
}

#[test]
fn a_cell_whose_destructor_was_set_later_is_zeroed() {
    let freed = marked_when_freed(|| unsafe {
        for (at, mut handle) in [heap::ao(64), refs::ao(null_mut(), 64)].into_iter().enumerate() {
            handle.data.write_bytes(MARK, 64);
            ptr::hook(handle, noting(at)).unwrap();
            ptr::taint(&mut handle);
            ptr::resize(&mut handle, 10_000).unwrap();
            ptr::resize(&mut handle, 32).unwrap();
            ptr::free(Handle { shred: 0, ..handle });
        }
    });
    assert_eq!(freed, 0);
    assert_eq!(ended(), [0, 1]);
}

#[test]
fn a_destructor_set_later_that_unwinds_leaks_nothing() {
    leaks_nothing(|| unsafe {
        let handle = heap::ao(64);
        ptr::hook(handle, Destructor { run: Some(note_and_unwind), arg: null_mut() }).unwrap();
        assert!(quietly(|| ptr::free(handle)).is_err());
        assert_eq!(ended(), [0]);
    });
}

/// A raw source over the heap. One of its allocations calls back.
#[repr(C)]
struct Reentrant {
    source: Source,
    callback: RefCell<Option<Callback>>,
}

struct Callback {
    /// Allocations before the one that calls.
    after: usize,
    work: Box<dyn FnOnce()>,
    /// True if that allocation fails then.
    fails: bool,
}

unsafe extern "C-unwind" fn allocate(source: *mut Source, size: usize, align: usize) -> *mut c_void {
    let callback = unsafe { &(*source.cast::<Reentrant>()).callback };
    match callback.take() {
        Some(Callback { after: 0, work, fails }) => {
            work();
            if fails {
                return null_mut();
            }
        }
        Some(later) => _ = callback.replace(Some(Callback { after: later.after - 1, ..later })),
        None => {}
    }
    unsafe { std::alloc::alloc(Layout::from_size_align(size, align).unwrap()).cast() }
}

unsafe extern "C-unwind" fn free(_: *mut Source, block: *mut c_void, size: usize, align: usize) {
    unsafe { std::alloc::dealloc(block.cast(), Layout::from_size_align(size, align).unwrap()) };
}

#[test]
fn a_source_may_change_the_very_cell_that_it_allocates_a_record_for() {
    leaks_nothing(|| unsafe {
        let mut source =
            Reentrant { source: Source::new(allocate, free, null_mut()), callback: RefCell::new(None) };
        let src = (&raw mut source).cast();
        let call_back = |after, fails, work: fn(*mut u8), owner| {
            let callback = Callback { after, work: Box::new(move || work(owner)), fails };
            (*(src as *mut Reentrant)).callback.replace(Some(callback));
        };
        let hook = |owner, number| ptr::hook(refs::handle(owner), noting(number));
        for fails in [false, true] {
            let owner = refs::a(src, 8);
            call_back(0, fails, |owner| ptr::hook(refs::handle(owner), noting(1)).unwrap(), owner);
            assert_eq!(hook(owner, 2).is_err(), fails);
            refs::f(owner);
            assert_eq!(ended(), [if fails { 1 } else { 2 }], "the destructor that was set last");

            // An adoption allocates the record, the node above the adopted objects, and the object's holder.
            for block in 0..3 {
                for (work, number) in [
                    ((|owner| refs::k(owner, cell(1)).unwrap()) as fn(*mut u8), 1),
                    (|owner| ptr::hook(refs::handle(owner), noting(3)).unwrap(), 3),
                ] {
                    let (owner, object) = (refs::a(src, 8), cell(2));
                    call_back(block, fails, work, owner);
                    assert_eq!(refs::k(owner, object).is_err(), fails);
                    refs::f(owner);
                    assert_eq!(
                        ended(),
                        if fails { vec![number] } else { vec![number.min(2), number.max(2)] }
                    );
                    if fails {
                        ptr::free(object);
                        ended();
                    }
                }
            }
        }
    });
}
