//! What the header shows to be wrong is reported and changes nothing.

use std::cell::RefCell;
use std::ptr::null_mut;

use kmem::fault::{self, Fault, Misuse};
#[allow(unused_imports, reason = "each combination of features uses its own")]
use kmem::raw::{self, ptr};

thread_local! {
    static SEEN: RefCell<Vec<Fault>> = const { RefCell::new(Vec::new()) };
    /// Whether the handler unwinds.
    static UNWINDS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs `work` and returns the faults that it was reported for. Every test of this program sets the same handler, which
/// reports to the thread that made the fault.
fn faults(work: impl FnOnce()) -> Vec<(&'static str, Misuse)> {
    fault::set_handler(Some(|fault| {
        SEEN.with_borrow_mut(|seen| seen.push(*fault));
        if UNWINDS.get() {
            crate::support::unwind();
        }
    }));
    // Room that is there before, so that the work may be asked whether it leaks.
    SEEN.with_borrow_mut(|seen| seen.reserve(1000));
    work();
    SEEN.take().into_iter().map(|fault| (fault.call, fault.misuse)).collect()
}

/// A word of text, as a string that is too long leaves in the header behind it.
#[allow(dead_code, reason = "unused if a method is left out")]
const TEXT: usize = usize::from_ne_bytes([b'A'; size_of::<usize>()]);

/// Memory of the test's own with the header of a cell that was freed, as freed memory itself must not be looked at.
#[allow(dead_code, reason = "unused where neither method is built in")]
#[repr(align(64))]
struct Block([u64; 32]);

#[cfg(all(feature = "pool", feature = "heap"))]
#[test]
fn a_pool_cell_freed_twice_is_caught() {
    unsafe {
        let pool = raw::pool::i(null_mut(), 8, 4);
        let (one, two) = (raw::pool::a(pool), raw::pool::a(pool));
        raw::pool::f(one);
        let seen = faults(|| raw::pool::f(one));
        assert_eq!(seen, [("kmpoolf", Misuse::AlreadyFreed)]);
        raw::pool::f(two);
        assert_eq!(faults(|| raw::pool::f(one)), [("kmpoolf", Misuse::AlreadyFreed)]);
        assert_eq!(raw::pool::live(pool), 0);
        assert_ne!(raw::pool::a(pool), raw::pool::a(pool));
        raw::pool::x(pool);
    }
}

#[cfg(all(feature = "pool", feature = "heap"))]
#[test]
fn pointers_into_a_pool_that_are_no_cell_are_caught() {
    unsafe {
        let pool = raw::pool::i(null_mut(), 64, 4);
        let cell = raw::pool::a(pool);
        cell.write_bytes(0, 64);
        for offset in [1, 8] {
            assert_eq!(faults(|| raw::pool::f(cell.add(offset))), [("kmpoolf", Misuse::NotInPool)]);
        }
        assert_eq!(faults(|| raw::pool::f(cell.add(32))), [("kmpoolf", Misuse::NotInPool)]);
        // One that looks like a cell of this pool, but does not lie where one begins.
        (*cell.cast::<raw::PoolCell>()).pool = pool;
        assert_eq!(faults(|| raw::pool::f(cell.add(16))), [("kmpoolf", Misuse::NotInPool)]);
        assert_eq!(raw::pool::live(pool), 1);
        raw::pool::x(pool);
    }
}

#[cfg(all(feature = "pool", feature = "heap"))]
#[test]
#[cfg_attr(any(kmem_asan, kmem_valgrind), ignore = "writes where the tools say nobody may")]
fn cells_never_handed_out_are_caught() {
    unsafe {
        let pool = raw::pool::i(null_mut(), 16, 4);
        let one = raw::pool::a(pool);
        let unused = one.add(32);
        (*unused.sub(16).cast::<raw::PoolCell>()).pool = pool;
        assert_eq!(faults(|| raw::pool::f(unused)), [("kmpoolf", Misuse::NotInPool)]);
        raw::pool::x(pool);
    }
}

#[cfg(feature = "pool")]
#[test]
fn a_pool_in_a_buffer_torn_down_twice_is_caught_with_its_cells() {
    let mut block = Block([0; 32]);
    unsafe {
        let pool = raw::pool::in_buffer(block.0.as_mut_ptr().cast(), 256, 8);
        let cell = raw::pool::a(pool);
        raw::pool::x(pool);
        assert_eq!(faults(|| raw::pool::x(pool)), [("kmpoolx", Misuse::AlreadyFreed)]);
        assert_eq!(faults(|| raw::pool::f(cell)), [("kmpoolf", Misuse::AlreadyFreed)]);
        assert!(raw::pool::a(pool).is_null());
        assert!(raw::pool::z(null_mut(), 8).is_null());
    }
}

#[cfg(all(feature = "heap", feature = "ref", feature = "tree"))]
#[test]
fn a_cell_freed_as_another_kind_is_caught() {
    unsafe {
        let (heap, counted, node) =
            (raw::heap::z(8), raw::refs::z(null_mut(), 8), raw::tree::z(null_mut(), null_mut(), 8));
        let seen = faults(|| {
            raw::heap::f(counted);
            raw::heap::f(node);
            raw::refs::f(node);
        });
        assert_eq!(seen.len(), 3, "{seen:?}");
        raw::heap::f(heap);
        raw::refs::f(counted);
        raw::tree::f(node);
    }
}

#[cfg(all(feature = "heap", feature = "ref"))]
#[test]
fn a_handle_that_contradicts_its_cell_is_caught() {
    unsafe {
        let (one, two) = (raw::refs::zo(null_mut(), 8), raw::refs::zo(null_mut(), 8));
        let crossed = raw::Handle { cell: two.cell, ..one };
        assert_eq!(faults(|| ptr::free(crossed)), [("kmfree", Misuse::BadHandle)]);
        let unknown = raw::Handle { kind: 77, ..one };
        assert_eq!(faults(|| ptr::free(unknown)), [("kmfree", Misuse::BadHandle)]);
        ptr::free(one);
        ptr::free(two);
    }
}

#[cfg(feature = "heap")]
#[test]
fn a_block_of_another_copys_heap_is_reported_and_left_alone() {
    unsafe {
        let data = raw::heap::z(8);
        let cell = data.sub(16).cast::<raw::Cell>();
        let own = (*cell).heap;
        (*cell).heap = own.wrapping_add(1);
        assert_eq!(faults(|| raw::heap::f(data)), [("kmheapf", Misuse::OtherHeap)]);
        (*cell).heap = own;
        raw::heap::f(data);
    }
}

/// The count of a counted cell lies where a heap cell's kind would, and 1 is the number of that kind; the source lies where
/// the size would. Whatever its address, this is no heap cell.
#[cfg(feature = "heap")]
#[test]
fn a_count_of_one_is_not_taken_for_a_heap_cell() {
    let mut block = Block([0; 32]);
    let data: *mut u8 = (&raw mut block.0[8]).cast();
    for source in (0..4096).map(|at| (0x7f00 << (usize::BITS / 2)) + at) {
        unsafe {
            let cell = data.sub(16).cast::<raw::Cell>();
            (&raw mut (*cell).kind).write(1);
            (&raw mut (*cell).size).write(source);
        }
        assert_eq!(faults(|| unsafe { raw::heap::f(data) }), [("kmheapf", Misuse::OtherHeap)], "{source:#x}");
    }
}

#[cfg(feature = "heap")]
#[test]
fn misaligned_and_foreign_pointers_are_caught() {
    let mut block = Block([0; 32]);
    unsafe {
        let words = block.0.as_mut_ptr();
        let foreign: *mut u8 = words.add(8).cast();
        assert_eq!(faults(|| raw::heap::f(foreign)), [("kmheapf", Misuse::NotACell(0))]);
        assert_eq!(faults(|| raw::heap::f(foreign.add(3))), [("kmheapf", Misuse::NotACell(0))]);
        words.add(6).cast::<i32>().write(1);
        assert_eq!(faults(|| raw::heap::f(foreign)), [("kmheapf", Misuse::Damaged)], "a size of zero");
    }
}

#[cfg(all(feature = "tree", feature = "pool"))]
mod of_cells_in_a_buffer {
    //! What is drawn from a pool stays readable after it was freed, so that a second free can be shown.
    use super::*;

    fn with_store(work: impl FnOnce(*mut raw::Pool)) {
        let mut block = [0u128; 200];
        unsafe {
            let pool = raw::pool::in_buffer(block.as_mut_ptr().cast(), size_of_val(&block), 200);
            work(pool);
            raw::pool::x(pool);
        }
    }

    #[test]
    #[cfg_attr(any(kmem_asan, kmem_valgrind), ignore = "looks at freed cells")]
    fn a_node_freed_twice_is_caught() {
        with_store(|store| unsafe {
            let node = raw::tree::a(store.cast(), null_mut(), 8);
            raw::tree::f(node);
            assert_eq!(faults(|| assert!(raw::tree::f(node).is_null())), [("kmtreef", Misuse::AlreadyFreed)]);
            assert_eq!(
                faults(|| assert!(raw::tree::a(store.cast(), node, 8).is_null())),
                [("kmtreea", Misuse::AlreadyFreed)]
            );
        });
    }

    #[test]
    fn a_node_freed_by_its_own_destructor_or_one_below_is_caught() {
        unsafe extern "C-unwind" fn free_arg(data: *mut std::ffi::c_void, arg: *mut std::ffi::c_void) {
            unsafe {
                raw::tree::f(if arg.is_null() { data } else { arg }.cast());
            }
        }
        with_store(|store| unsafe {
            let root = raw::tree::a(store.cast(), null_mut(), 8);
            for arg in [null_mut(), root.cast()] {
                let drop = Some(raw::Destructor { run: Some(free_arg), arg });
                raw::tree::alloc(store.cast(), root, &raw::Request { drop, ..raw::Request::new(8) }).unwrap();
            }
            let seen = faults(|| assert!(raw::tree::f(root).is_null()));
            assert_eq!(seen, [("kmtreef", Misuse::BeingFreed); 2]);
            assert_eq!(raw::pool::live(store), 0);
        });
    }

    #[cfg(feature = "ref")]
    #[test]
    #[cfg_attr(any(kmem_asan, kmem_valgrind), ignore = "looks at freed cells")]
    fn a_reference_dropped_too_often_is_caught() {
        with_store(|store| unsafe {
            let data = raw::refs::a(store.cast(), 8);
            raw::refs::f(data);
            assert_eq!(faults(|| raw::refs::f(data)), [("kmreff", Misuse::AlreadyFreed)]);
            assert_eq!(faults(|| assert_eq!(raw::refs::u(data), data)), [("kmrefu", Misuse::AlreadyFreed)]);
        });
    }
}

#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod by_a_destructor {
    //! What a destructor does to the very cell that it runs for, or to the store of it.
    use std::ffi::c_void;

    use super::*;
    use crate::support::leaks_nothing;
    use raw::pool::Spec;
    use raw::{Destructor, Request};

    unsafe extern "C-unwind" fn run(data: *mut c_void, arg: *mut c_void) {
        unsafe { (*arg.cast::<&dyn Fn(*mut u8)>())(data.cast()) }
    }

    /// Runs `work` with a destructor that does `act` to the data of its cell.
    fn with(act: &dyn Fn(*mut u8), work: impl FnOnce(Option<Destructor>)) {
        work(Some(Destructor { run: Some(run), arg: (&raw const act).cast_mut().cast() }));
    }

    #[test]
    fn a_cell_freed_or_brought_back_to_life_by_its_own_destructor_is_caught() {
        let handle = |kind, data| raw::Handle { kind, shred: 0, data, cell: null_mut() };
        let heap = |data| unsafe {
            raw::heap::f(data);
            ptr::free(handle(1, data));
        };
        let counted = |data| unsafe {
            raw::refs::u(data);
            raw::refs::f(data);
            ptr::free(handle(3, data));
        };
        let node = |data| unsafe {
            raw::tree::f(data);
            raw::tree::a(null_mut(), data, 8);
            ptr::free(handle(4, data));
        };
        let cell = |data| unsafe {
            raw::pool::f(data);
            ptr::free(handle(2, data));
        };
        let seen = faults(|| {
            leaks_nothing(|| unsafe {
                with(&heap, |drop| {
                    raw::heap::f(raw::heap::alloc(&Request { drop, ..Request::new(8) }).unwrap().as_ptr())
                });
                with(&counted, |drop| {
                    let request = Request { drop, ..Request::new(8) };
                    raw::refs::f(raw::refs::alloc(null_mut(), &request).unwrap().as_ptr());
                });
                with(&node, |drop| {
                    let request = Request { drop, ..Request::new(8) };
                    raw::tree::f(raw::tree::alloc(null_mut(), null_mut(), &request).unwrap().as_ptr());
                });
                with(&cell, |drop| {
                    let pool =
                        raw::pool::init(null_mut(), &Spec { drop, ..Spec::new(8, 2) }).unwrap().as_ptr();
                    raw::pool::f(raw::pool::a(pool));
                    assert_eq!(raw::pool::live(pool), 0);
                    assert_ne!(raw::pool::a(pool), raw::pool::a(pool));
                    raw::pool::x(pool);
                });
            });
        });
        let calls = ["kmheapf", "kmfree", "kmrefu", "kmreff", "kmfree", "kmtreef", "kmtreea", "kmfree"];
        let calls = calls.into_iter().chain(["kmpoolf", "kmfree"].repeat(3));
        assert_eq!(seen, calls.map(|call| (call, Misuse::BeingFreed)).collect::<Vec<_>>());
    }

    #[test]
    fn a_pool_torn_down_by_the_destructor_of_its_own_cell_is_caught() {
        let block_of = |data: *mut u8| unsafe { (*data.sub(16).cast::<raw::PoolCell>()).pool };
        let tears_down = |data: *mut u8| unsafe { raw::pool::x(block_of(data).map_addr(|addr| addr & !15)) };
        for (cells, grows) in [(1, true), (100, true), (100, false)] {
            let seen = faults(|| {
                leaks_nothing(|| {
                    with(&tears_down, |drop| unsafe {
                        let spec = Spec { drop, grows, ..Spec::new(8, cells) };
                        let pool = raw::pool::init(null_mut(), &spec).unwrap().as_ptr();
                        let cells: Vec<_> = (0..100).map(|_| raw::pool::a(pool)).collect();
                        raw::pool::f(cells[70]);
                        assert_eq!(raw::pool::live(pool), 99);
                        assert_eq!(raw::pool::a(pool), cells[70], "the pool is whole");
                        cells.into_iter().for_each(|cell| raw::pool::f(cell));
                        raw::pool::x(pool);
                    })
                });
            });
            assert_eq!(seen, [("kmpoolx", Misuse::BeingFreed); 101], "{cells}");
        }
    }

    #[test]
    fn a_destructor_inside_another_leaves_the_pool_guarded() {
        let frees_and_tears_down = |data: *mut u8| unsafe {
            let [pool, other]: [*mut u8; 2] = data.cast::<[*mut u8; 2]>().read();
            raw::pool::f(other);
            raw::pool::x(pool.cast());
        };
        let seen = faults(|| {
            leaks_nothing(|| {
                with(&frees_and_tears_down, |drop| unsafe {
                    let pool =
                        raw::pool::init(null_mut(), &Spec { drop, ..Spec::new(16, 3) }).unwrap().as_ptr();
                    let mut below = null_mut();
                    for _ in 0..3 {
                        let cell = raw::pool::a(pool);
                        cell.cast::<[*mut u8; 2]>().write([pool.cast(), below]);
                        below = cell;
                    }
                    raw::pool::f(below);
                    raw::pool::x(pool);
                })
            });
        });
        assert_eq!(seen, [("kmpoolx", Misuse::BeingFreed); 3]);
    }

    #[test]
    fn a_pool_on_a_node_torn_down_by_the_destructor_of_its_own_cell_is_caught() {
        let tears_down = |data: *mut u8| unsafe {
            raw::pool::x((*data.sub(16).cast::<raw::PoolCell>()).pool.map_addr(|addr| addr & !15));
        };
        let seen = faults(|| {
            leaks_nothing(|| {
                with(&tears_down, |drop| unsafe {
                    let root = raw::tree::a(null_mut(), null_mut(), 8);
                    let spec = Spec { drop, grows: true, ..Spec::new(8, 1) };
                    let pool = raw::pool::init(root.sub(64).cast(), &spec).unwrap().as_ptr();
                    let cells = [(); 3].map(|()| raw::pool::a(pool));
                    raw::pool::f(cells[2]);
                    assert_eq!((raw::tree::below(root), raw::pool::live(pool)), (1, 2));
                    raw::tree::f(root);
                })
            });
        });
        assert_eq!(seen, [("kmpoolx", Misuse::BeingFreed); 3]);
    }

    #[test]
    fn a_node_is_neither_freed_nor_resized_while_a_child_of_it_is_freed() {
        for (leaf, all) in [(false, false), (false, true), (true, false), (true, true)] {
            let seen = faults(|| {
                leaks_nothing(|| unsafe {
                    let (above, other) =
                        (raw::tree::a(null_mut(), null_mut(), 8), raw::tree::a(null_mut(), null_mut(), 8));
                    let root = raw::tree::a(null_mut(), above, 8);
                    let tries = |_| {
                        assert!(raw::tree::f(root).is_null());
                        assert!(raw::tree::r(root, 1000).is_null());
                        // It may be moved, and looked at.
                        raw::tree::m(root, other).unwrap();
                        assert_eq!(raw::tree::p(root), other);
                    };
                    with(&tries, |drop| {
                        let request = Request { drop, ..Request::new(8) };
                        let node = raw::tree::alloc(null_mut(), root, &request).unwrap().as_ptr();
                        if !leaf {
                            raw::tree::a(null_mut(), node, 8);
                        }
                        if all {
                            raw::tree::x(root);
                        } else {
                            assert_eq!(raw::tree::f(node).data, root);
                        }
                    });
                    // All of that is over now.
                    let root = raw::tree::r(root, 1000);
                    assert_eq!((raw::tree::verify(other), raw::tree::verify(above)), (Ok(2), Ok(1)));
                    raw::tree::f(root);
                    raw::tree::f(other);
                    raw::tree::f(above);
                });
            });
            assert_eq!(seen, [("kmtreef", Misuse::FreeingBelow), ("kmtreer", Misuse::FreeingBelow)]);
        }
    }

    #[test]
    fn what_may_not_go_with_the_tree_that_it_is_in_becomes_a_root_and_stays_whole() {
        let seen = faults(|| {
            leaks_nothing(|| unsafe {
                let above = raw::tree::a(null_mut(), null_mut(), 8);
                let root = raw::tree::a(null_mut(), above, 8);
                let frees_above = |_| assert!(raw::tree::f(above).is_null());
                with(&frees_above, |drop| {
                    let request = Request { drop, ..Request::new(8) };
                    let node = raw::tree::alloc(null_mut(), root, &request).unwrap().as_ptr();
                    raw::tree::a(null_mut(), root, 8);
                    assert_eq!(raw::tree::f(node).data, root);
                });
                assert!(raw::tree::p(root).is_null());
                assert_eq!(raw::tree::verify(root), Ok(2));
                raw::tree::f(root);
            });
        });
        assert_eq!(seen, [("kmtreef", Misuse::FreeingBelow)]);
    }

    #[test]
    fn what_may_not_go_keeps_the_pool_that_it_was_drawn_from() {
        let seen = faults(|| {
            leaks_nothing(|| unsafe {
                let above = raw::tree::a(null_mut(), null_mut(), 8);
                let pool = raw::pool::i(raw::tree::handle(above).cell, 256, 8);
                let root = raw::tree::a(pool.cast(), above, 8);
                let frees_above = |_| assert!(raw::tree::f(above).is_null());
                with(&frees_above, |drop| {
                    let request = Request { drop, ..Request::new(8) };
                    raw::tree::f(raw::tree::alloc(null_mut(), root, &request).unwrap().as_ptr());
                });
                assert!(raw::tree::p(root).is_null() && raw::tree::p(pool.cast()).is_null());
                assert_eq!((raw::tree::verify(root), raw::pool::live(pool)), (Ok(1), 1));
                raw::tree::f(root);
                raw::pool::x(pool);
            });
        });
        assert_eq!(seen, [("kmtreef", Misuse::FreeingBelow)]);
    }

    #[cfg(feature = "shred")]
    #[test]
    fn what_may_not_go_is_zeroed_later_as_it_would_have_been() {
        let freed = crate::support::marked_when_freed(|| {
            faults(|| unsafe {
                let above = raw::tree::a(null_mut(), null_mut(), 8);
                let root = raw::tree::a(null_mut(), above, 64);
                root.write_bytes(crate::support::MARK, 64);
                let shreds_above = |_| ptr::free(raw::Handle { shred: 1, ..raw::tree::handle(above) });
                with(&shreds_above, |drop| {
                    let request = Request { drop, ..Request::new(8) };
                    raw::tree::f(raw::tree::alloc(null_mut(), root, &request).unwrap().as_ptr());
                });
                raw::tree::f(root);
            });
        });
        assert_eq!(freed, 0);
    }

    #[test]
    fn a_report_that_unwinds_leaves_what_may_not_go_in_its_tree() {
        let seen = faults(|| unsafe {
            let above = raw::tree::a(null_mut(), null_mut(), 8);
            let root = raw::tree::a(null_mut(), above, 8);
            let frees_root = |_| {
                UNWINDS.set(true);
                crate::support::quietly(|| raw::tree::f(root)).unwrap_err();
                UNWINDS.set(false);
            };
            with(&frees_root, |drop| {
                let request = Request { drop, ..Request::new(8) };
                let node = raw::tree::alloc(null_mut(), root, &request).unwrap().as_ptr();
                raw::tree::a(null_mut(), root, 8);
                raw::tree::f(node);
            });
            assert_eq!((raw::tree::p(root), raw::tree::verify(above)), (above, Ok(3)));
            raw::tree::f(above);
        });
        assert_eq!(seen, [("kmtreef", Misuse::FreeingBelow)]);
    }

    #[test]
    fn a_destructor_finds_no_sibling_where_there_may_be_none() {
        leaks_nothing(|| unsafe {
            let root = raw::tree::a(null_mut(), null_mut(), 8);
            let sibling = std::cell::Cell::new(null_mut());
            let frees_it = |data| {
                raw::tree::f(sibling.get());
                assert!(raw::tree::cn(data).is_null() && raw::tree::cp(data).is_null());
            };
            with(&frees_it, |drop| {
                let request = Request { drop, ..Request::new(8) };
                let node = raw::tree::alloc(null_mut(), root, &request).unwrap().as_ptr();
                sibling.set(raw::tree::a(null_mut(), root, 8));
                raw::tree::f(node);
            });
            raw::tree::f(root);
        });
    }

    #[test]
    fn a_pool_on_a_node_does_not_go_while_a_destructor_of_its_cells_runs() {
        for free_node in [false, true] {
            let seen = faults(|| {
                leaks_nothing(|| unsafe {
                    let root = raw::tree::a(null_mut(), null_mut(), 8);
                    let pool = std::cell::Cell::new(null_mut::<u8>());
                    let frees_pool = |_| {
                        raw::tree::f(if free_node { root } else { pool.get() });
                    };
                    with(&frees_pool, |drop| {
                        let spec = Spec { drop, ..Spec::new(8, 2) };
                        let made = raw::pool::init(raw::tree::handle(root).cell, &spec).unwrap().as_ptr();
                        pool.set(made.cast());
                        raw::pool::f(raw::pool::a(made));
                        assert_eq!(raw::pool::live(made), 0);
                        raw::pool::x(made);
                    });
                    if !free_node {
                        raw::tree::f(root);
                    }
                });
            });
            assert_eq!(seen, [("kmtreef", Misuse::BeingFreed)]);
        }
    }

    #[test]
    fn a_node_does_not_move_below_a_child_of_it_that_is_being_freed() {
        leaks_nothing(|| unsafe {
            let root = raw::tree::a(null_mut(), null_mut(), 8);
            let moves =
                |node| assert_eq!(raw::tree::m(root, raw::tree::c(node)), Err(kmem::AllocError::Below));
            with(&moves, |drop| {
                let node = raw::tree::a(null_mut(), root, 8);
                raw::tree::a(null_mut(), node, 8);
                raw::tree::h(node, drop.unwrap()).unwrap();
                raw::tree::f(node);
            });
            raw::tree::f(root);
        });
    }

    #[test]
    fn a_destructor_may_look_at_what_it_runs_for() {
        let size_and_name = |handle| unsafe { (ptr::size(handle), ptr::name(handle)) };
        let named = |drop| Request { drop, name: Some(c"it"), ..Request::new(24) };
        let seen = faults(|| unsafe {
            let looks = |data| assert_eq!(size_and_name(raw::heap::handle(data)), (24, Some(c"it")));
            with(&looks, |drop| raw::heap::f(raw::heap::alloc(&named(drop)).unwrap().as_ptr()));
            let looks = |data| assert_eq!(size_and_name(raw::refs::handle(data)), (24, Some(c"it")));
            with(&looks, |drop| raw::refs::f(raw::refs::alloc(null_mut(), &named(drop)).unwrap().as_ptr()));
            let looks = |data| {
                assert_eq!(size_and_name(raw::tree::handle(data)), (24, Some(c"it")));
                assert_eq!(ptr::name(raw::tree::handle(raw::tree::p(data))), Some(c"it"));
            };
            with(&looks, |drop| {
                let root = raw::tree::alloc(null_mut(), null_mut(), &named(None)).unwrap().as_ptr();
                raw::tree::alloc(null_mut(), root, &named(drop)).unwrap();
                raw::tree::f(root);
            });
            for grows in [false, true] {
                let looks = |data| {
                    assert_eq!(size_and_name(raw::pool::handle(data)), (24, Some(c"it")));
                    assert_eq!(raw::pool::count(raw::pool::handle(data).cell.cast()).cellsz, 24);
                };
                with(&looks, |drop| {
                    let spec = Spec { drop, grows, name: Some(c"it"), ..Spec::new(24, 2) };
                    let pool = raw::pool::init(null_mut(), &spec).unwrap().as_ptr();
                    let [_, one, ..] = [(); 5].map(|()| raw::pool::a(pool));
                    raw::pool::f(one);
                    raw::pool::x(pool);
                });
            }
        });
        assert_eq!(seen, []);
    }

    #[test]
    fn a_pool_used_by_a_destructor_while_it_is_torn_down_is_caught_or_refused() {
        let uses = |data: *mut u8| unsafe {
            let [pool, other]: [*mut u8; 2] = data.cast::<[*mut u8; 2]>().read();
            assert!(raw::pool::a(pool.cast()).is_null());
            raw::pool::f(other);
            raw::pool::x(pool.cast());
        };
        let seen = faults(|| {
            leaks_nothing(|| {
                with(&uses, |drop| unsafe {
                    let pool =
                        raw::pool::init(null_mut(), &Spec { drop, ..Spec::new(16, 3) }).unwrap().as_ptr();
                    let cells = [(); 3].map(|()| raw::pool::a(pool));
                    for (cell, other) in cells.into_iter().zip(cells.into_iter().cycle().skip(1)) {
                        cell.cast::<[*mut u8; 2]>().write([pool.cast(), other]);
                    }
                    raw::pool::x(pool);
                })
            });
        });
        assert_eq!(seen, [("kmpoolf", Misuse::BeingFreed), ("kmpoolx", Misuse::BeingFreed)].repeat(3));
    }
}

#[test]
fn null_and_static_handles_are_ignored() {
    let seen = faults(|| unsafe {
        ptr::free(raw::Handle::NULL);
        ptr::free(ptr::stat(c"static".as_ptr().cast()));
        #[cfg(feature = "heap")]
        raw::heap::f(null_mut());
        #[cfg(feature = "ref")]
        raw::refs::f(raw::refs::u(null_mut()));
        #[cfg(feature = "pool")]
        raw::pool::f(null_mut());
        #[cfg(feature = "pool")]
        raw::pool::x(null_mut());
        #[cfg(feature = "tree")]
        raw::tree::f(null_mut());
    });
    assert_eq!(seen, []);
}

#[cfg(not(feature = "heap"))]
#[test]
fn a_handle_of_a_method_that_is_not_built_in_is_reported() {
    let mut block = Block([0; 32]);
    let data = (&raw mut block.0[8]).cast();
    let handle = raw::Handle { kind: 1, shred: 0, data, cell: null_mut() };
    assert_eq!(faults(|| unsafe { ptr::free(handle) }), [("kmfree", Misuse::NotBuilt(kmem::Kind::Heap))]);
}

/// What happens without a handler of the program's own is seen from outside: this test starts itself again.
#[cfg(all(feature = "heap", feature = "pool"))]
#[test]
fn the_default_handler_says_what_and_where_and_aborts() {
    const CHILD: &str = "KMEM_MISUSE_CHILD";
    if std::env::var_os(CHILD).is_some() {
        fault::set_handler(None);
        unsafe {
            let pool = raw::pool::i(null_mut(), 8, 4);
            let cell = raw::pool::a(pool);
            raw::pool::f(cell);
            raw::pool::f(cell);
        }
        return;
    }
    let output = crate::support::this_program()
        .args([
            "misuse::the_default_handler_says_what_and_where_and_aborts",
            "--exact",
            "--test-threads=1",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .output()
        .unwrap();
    #[cfg(unix)]
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(6), "{output:?}");
    assert!(!output.status.success());
    let report = String::from_utf8_lossy(&output.stderr);
    let line = report.lines().find(|line| line.starts_with("kmem: ")).expect("one line of report");
    assert!(line.starts_with("kmem: kmpoolf(0x") && line.ends_with("): already freed"), "{line}");
}

/// A count that wraps would free the cell under those who hold it, so there is no way back: not by a handler that
/// returns, nor by one that panics. The program that ends is a child of this one.
#[cfg(all(unix, feature = "ref", feature = "heap"))]
#[test]
fn too_many_references_end_the_program_whatever_the_handler_does() {
    use std::os::unix::process::ExitStatusExt;
    const NAME: &str = "misuse::too_many_references_end_the_program_whatever_the_handler_does";
    const HANDLER: &str = "KMEM_TEST_HANDLER";
    match std::env::var(HANDLER).as_deref() {
        Ok(handler) => {
            fn returns(_: &Fault) {}
            fn panics(fault: &Fault) {
                panic!("{fault}");
            }
            fault::set_handler(Some(if handler == "returns" { returns } else { panics }));
            let counted = kmem::Ref::new(7);
            let data = counted.clone().into_non_null().cast::<u8>();
            // As after half an address space of clones that were forgotten: the count is behind the prefix.
            unsafe { data.as_ptr().sub(16).cast::<usize>().write(isize::MAX as usize + 1) };
            let _ = std::panic::catch_unwind(|| drop(counted.clone()));
            std::process::exit(0);
        }
        Err(_) => {
            for handler in ["returns", "panics"] {
                let output = crate::support::this_program()
                    .args(["--exact", NAME])
                    .env(HANDLER, handler)
                    .output()
                    .unwrap();
                assert_eq!(output.status.signal(), Some(6), "{handler}: {output:?}");
            }
        }
    }
}

/// What lies before a cell writes past its end, by up to 16 bytes, and knows what headers look like.
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod past_the_end {
    use super::*;
    use std::ffi::c_void;

    unsafe extern "C-unwind" fn never(_: *mut c_void, _: *mut c_void) {
        unreachable!("a forged destructor ran");
    }

    /// The faults reported by `call` with `forged` in the place of what is there; where there are none it has gone.
    unsafe fn with<T>(place: *mut T, forged: T, call: impl FnOnce()) -> Vec<Misuse> {
        unsafe {
            let right = place.replace(forged);
            let seen = faults(call);
            if !seen.is_empty() {
                place.write(right);
            }
            seen.into_iter().map(|(_, misuse)| misuse).collect()
        }
    }

    /// A heap cell's seal has seven bits, so about one forged header in 128 bears the right one and cannot be told from a genuine
    /// header. A genuine cell with the forged size and flags shows if a forgery is one of these.
    #[test]
    fn a_header_that_was_written_over_is_caught_unless_its_seal_is_right_by_chance() {
        type Make = unsafe fn(&raw::Request) -> Result<std::ptr::NonNull<u8>, kmem::AllocError>;
        type Method = (usize, Make, unsafe fn(*mut u8));
        let methods: [Method; 3] = [
            (16, |request| unsafe { raw::heap::alloc(request) }, raw::heap::f),
            (32, |request| unsafe { raw::refs::alloc(null_mut(), request) }, raw::refs::f),
            (
                64,
                |request| unsafe { raw::tree::alloc(null_mut(), null_mut(), request) },
                |data| unsafe {
                    raw::tree::f(data);
                },
            ),
        ];
        for (header, make, free) in methods {
            let made = |size, slot: bool| unsafe {
                let drop = slot.then_some(raw::Destructor { run: None, arg: null_mut() });
                let data = make(&raw::Request { drop, ..raw::Request::new(size) }).unwrap().as_ptr();
                (data, data.sub(header).cast::<raw::Cell>())
            };
            let mut by_chance = 0;
            for (size, slot) in (16..48).flat_map(|size| [(size, false), (size, true)]) {
                unsafe {
                    let (data, cell) = made(48, false);
                    // The data claims to be what a destructor's slot would be.
                    data.cast::<[usize; 6]>().write([never as *const () as usize; 6]);
                    let (twin, genuine) = made(size, slot);
                    if (*genuine).heap == (*cell).heap {
                        by_chance += 1;
                    } else {
                        (*cell).flags = (*genuine).flags;
                        let seen = with(&raw mut (*cell).size, header + size, || free(data));
                        assert!(
                            matches!(seen[..], [Misuse::OtherHeap | Misuse::Damaged]),
                            "{size} bytes, slot {slot}: {seen:?}"
                        );
                        (*cell).flags = 0;
                    }
                    free(data);
                    free(twin);
                }
            }
            assert!(by_chance < 4, "{by_chance} of 64");
        }
    }

    /// The place of the word that says where a block ends follows from the size. A forged size would lead to memory that is not there.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn nothing_behind_the_data_is_read_of_a_header_that_bears_another_seal() {
        const FAR: u8 = 15 << 4;
        unsafe {
            let data = raw::heap::a(48);
            let cell = data.sub(16).cast::<raw::Cell>();
            let (size, seal) = ((*cell).size, (*cell).heap);
            (*cell).align = FAR;
            // A seal without its highest bit is no cell's. No memory is mapped so far behind the data.
            (*cell).heap = 0;
            assert_eq!(with(&raw mut (*cell).size, 1 << 46, || raw::heap::f(data)), [Misuse::OtherHeap]);
            ((*cell).size, (*cell).align, (*cell).heap) = (size, 0, seal);
            raw::heap::f(data);
        }
    }

    #[cfg(all(feature = "heap", feature = "ref", feature = "tree"))]
    #[test]
    fn spare_room_that_was_written_over_is_reported() {
        use raw::ptr;

        for make in [
            raw::heap::ao,
            |size| unsafe { raw::refs::ao(null_mut(), size) },
            |size| unsafe { raw::tree::ao(null_mut(), null_mut(), size) },
        ] {
            unsafe {
                let mut handle = make(20);
                ptr::reserve(&mut handle, 1000).unwrap();
                // Past the end of the data: a text that was too long, a pointer, zeros, a size that could be one.
                for forged in [0x4141_4141_4141_4141, handle.data.addr() as u64, 0, 1016] {
                    let end = handle.data.add(24).cast::<u64>();
                    let seen = with(end, forged, || ptr::free(handle));
                    assert_eq!(seen, [Misuse::Damaged], "{forged:x}");
                    for call in [
                        |mut handle: raw::Handle| _ = ptr::resize(&mut handle, 10),
                        |mut handle: raw::Handle| _ = ptr::grow("kmcat", &mut handle, 30),
                        |mut handle: raw::Handle| _ = ptr::reserve(&mut handle, 30),
                        |handle: raw::Handle| _ = ptr::size(handle),
                    ] {
                        assert_eq!(with(end, forged, || call(handle)), [Misuse::Damaged], "{forged:x}");
                    }
                }
                assert_eq!(ptr::size(handle), 20);
                ptr::free(handle);
            }
        }
    }

    #[test]
    fn a_forged_pool_is_not_followed() {
        unsafe {
            let pool = raw::pool::i(null_mut(), 32, 4);
            let (one, two) = (raw::pool::a(pool), raw::pool::a(pool));
            // A copy of the pool, in which the cell lies where a cell may.
            let mut forged = Box::new(std::mem::MaybeUninit::<raw::Pool>::uninit());
            forged.as_mut_ptr().copy_from(pool, 1);
            let named = &raw mut (*two.sub(16).cast::<raw::PoolCell>()).pool;
            let wild: [*mut raw::Pool; 4] = [
                forged.as_mut_ptr(),
                std::ptr::without_provenance_mut(TEXT - 1),
                null_mut(),
                std::ptr::without_provenance_mut(usize::MAX - 15),
            ];
            for pool in wild {
                assert_eq!(with(named, pool, || raw::pool::f(two)), [Misuse::NotInPool], "{pool:?}");
            }
            raw::pool::f(one);
            raw::pool::f(two);
            raw::pool::x(pool);
        }
    }

    #[test]
    fn a_destructor_that_was_written_over_does_not_run() {
        unsafe extern "C-unwind" fn nothing(_: *mut c_void, _: *mut c_void) {}
        unsafe {
            let drop = Some(raw::Destructor { run: Some(nothing), arg: null_mut() });
            let data = raw::heap::alloc(&raw::Request { drop, ..raw::Request::new(16) }).unwrap().as_ptr();
            let slot = data.add(16).cast::<usize>();
            let function = never as *const () as usize;
            assert_eq!(with(slot, function, || raw::heap::f(data)), [Misuse::Damaged]);
            assert_eq!(with(slot, 0, || raw::heap::f(data)), [Misuse::Damaged]);
            assert_eq!(
                with(slot.add(1), function, || raw::heap::f(data)),
                [Misuse::Damaged],
                "another argument"
            );
            raw::heap::f(data);
        }
    }

    #[test]
    fn a_node_that_its_neighbours_do_not_know_is_not_taken_out() {
        unsafe {
            let root = raw::tree::a(null_mut(), null_mut(), 8);
            let [one, two, three] = [0; 3].map(|_| raw::tree::a(null_mut(), root, 8));
            let node = |data: *mut u8| data.sub(64).cast::<raw::Node>();
            let free = || {
                raw::tree::f(two);
            };
            let own = node(two);
            for forged in
                [node(root), node(three), null_mut(), std::ptr::without_provenance_mut(usize::MAX - 15)]
            {
                assert_eq!(with(&raw mut (*own).prev, forged, free), [Misuse::Damaged]);
                assert_eq!(with(&raw mut (*node(one)).next, forged, free), [Misuse::Damaged]);
            }
            for forged in [node(root), node(one), null_mut()] {
                assert_eq!(with(&raw mut (*own).next, forged, free), [Misuse::Damaged]);
                assert_eq!(with(&raw mut (*node(three)).prev, forged, free), [Misuse::Damaged]);
            }
            assert_eq!(raw::tree::verify(root), Ok(4));
            raw::tree::f(root);
        }
    }
}

/// What was drawn from a pool lies in one of its cells: a size beyond that would have the next cell zeroed with it.
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
#[test]
fn a_size_or_a_source_that_cannot_be_is_caught_in_what_was_drawn_from_a_pool() {
    unsafe {
        let pool = raw::pool::i(null_mut(), 160, 2);
        let counted = raw::refs::z(pool.cast(), 64);
        let node = raw::tree::z(pool.cast(), null_mut(), 64);
        for (data, header) in [(counted, 32), (node, 64)] {
            let free = || if header == 32 { raw::refs::f(data) } else { _ = raw::tree::f(data) };
            let cell = data.sub(header).cast::<raw::Cell>();
            let source = if header == 32 {
                &raw mut (*cell.cast::<raw::Ref>()).src
            } else {
                &raw mut (*cell.cast::<raw::Node>()).src
            };
            let own = ((*cell).size, source.read());
            (*cell).size = 161;
            assert_eq!(faults(free).len(), 1);
            (*cell).size = own.0;
            source.write(std::ptr::without_provenance_mut(TEXT));
            assert_eq!(faults(free).len(), 1);
            source.write(own.1);
        }
        assert_eq!(raw::pool::live(pool), 2);
        raw::refs::f(counted);
        raw::tree::f(node);
        raw::pool::x(pool);
    }
}

/// What is done with a cell before it goes: given another size, moved, adopted, hooked, looked at.
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod of_a_life {
    use super::*;
    use crate::support::leaks_nothing;
    use kmem::AllocError;
    use raw::{Destructor, Handle, Node, Request, heap, pool, refs, report, tree};
    use std::ffi::c_void;

    fn root() -> *mut u8 {
        unsafe { tree::a(null_mut(), null_mut(), 8) }
    }

    fn node(data: *mut u8) -> *mut Node {
        data.wrapping_sub(64).cast()
    }

    /// Runs `work` with a store in whose cells a header stays readable after the free.
    fn with_store(work: impl FnOnce(*mut raw::Cell)) {
        let mut block = [0u128; 400];
        unsafe {
            let store = pool::in_buffer(block.as_mut_ptr().cast(), size_of_val(&block), 200);
            work(store.cast());
            pool::x(store);
        }
    }

    /// The one fault of `work`, for the call that it names.
    #[track_caller]
    fn fault(work: impl FnOnce()) -> (&'static str, Misuse) {
        let seen = faults(work);
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0]
    }

    fn runs(run: raw::DropFn, arg: *mut u8) -> Destructor {
        Destructor { run: Some(run), arg: arg.cast() }
    }

    #[test]
    #[cfg_attr(any(kmem_asan, kmem_valgrind), ignore = "looks at freed cells")]
    fn what_was_freed_is_neither_resized_nor_moved_nor_adopted_nor_hooked_nor_let_go() {
        unsafe extern "C-unwind" fn nothing(_: *mut c_void, _: *mut c_void) {}
        with_store(|store| unsafe {
            let (counted, one) = (refs::a(store, 8), tree::a(store, null_mut(), 8));
            refs::f(counted);
            tree::f(one);
            let other = root();
            let hook = runs(nothing, null_mut());
            let freed = |call| (call, Misuse::AlreadyFreed);
            assert_eq!(fault(|| assert!(refs::r(counted, 16).is_null())), freed("kmrefr"));
            assert_eq!(fault(|| assert!(tree::r(one, 16).is_null())), freed("kmtreer"));
            assert_eq!(fault(|| assert!(tree::m(one, other).is_err())), freed("kmtreem"));
            assert_eq!(fault(|| assert!(tree::m(other, one).is_err())), freed("kmtreem"));
            assert_eq!(fault(|| assert!(tree::mu(other, one).is_err())), freed("kmtreemu"));
            assert_eq!(fault(|| assert!(tree::mc(one, other).is_err())), freed("kmtreemc"));
            assert_eq!(fault(|| tree::x(one)), freed("kmtreex"));
            assert_eq!(fault(|| assert!(tree::k(other, refs::handle(counted)).is_err())), freed("kmtreek"));
            assert_eq!(fault(|| assert!(tree::k(one, tree::handle(other)).is_err())), freed("kmtreek"));
            assert_eq!(fault(|| assert!(tree::l(one, other).is_null())), freed("kmtreel"));
            assert_eq!(fault(|| assert!(tree::h(one, hook).is_err())), freed("kmtreeh"));
            assert_eq!(fault(|| assert!(!tree::hx(one, hook))), freed("kmtreehx"));
            assert_eq!(tree::verify(other), Ok(1));
            tree::f(other);
        });
    }

    #[test]
    #[cfg_attr(any(kmem_asan, kmem_valgrind), ignore = "looks at freed cells")]
    fn what_was_freed_is_not_looked_at() {
        with_store(|store| unsafe {
            let (counted, one) = (refs::a(store, 8), tree::a(store, null_mut(), 8));
            refs::f(counted);
            tree::f(one);
            let freed = |call| (call, Misuse::AlreadyFreed);
            let mut wrote = 0;
            assert_eq!(fault(|| assert!(tree::p(one).is_null())), freed("kmtreep"));
            assert_eq!(fault(|| assert!(tree::c(one).is_null())), freed("kmtreec"));
            assert_eq!(fault(|| assert!(tree::cn(one).is_null())), freed("kmtreecn"));
            assert_eq!(fault(|| assert!(tree::cl(one).is_null())), freed("kmtreecl"));
            assert_eq!(fault(|| assert!(tree::cp(one).is_null())), freed("kmtreecp"));
            assert_eq!(fault(|| tree::d(one)), freed("kmtreed"));
            assert_eq!(fault(|| assert_eq!(tree::walk(one).count(), 0)), freed("kmtreen"));
            assert_eq!(fault(|| assert_eq!(report::count(one, None).cells, 0)), freed("kmtreeq"));
            assert_eq!(fault(|| report::text(one, 9, &mut |_| wrote += 1)), freed("kmtreet"));
            assert_eq!(fault(|| report::json(one, 9, &mut |_| wrote += 1)), freed("kmtreej"));
            for handle in [refs::handle(counted), tree::handle(one)] {
                assert_eq!(fault(|| assert_eq!(ptr::size(handle), 0)), freed("kmsize"));
                assert_eq!(fault(|| assert_eq!(ptr::size_for("kmcat", handle), None)), freed("kmcat"));
                assert_eq!(fault(|| assert_eq!(ptr::name(handle), None)), freed("kmname"));
                assert_eq!(fault(|| assert!(!ptr::rename(handle, c"any"))), freed("kmrename"));
                assert_eq!(fault(|| assert!(ptr::cast(handle, c"any").is_null())), freed("kmcast"));
            }
            assert_eq!(wrote, 0);
        });
    }

    #[test]
    fn a_pool_that_was_torn_down_is_not_looked_at() {
        let mut block = Block([0; 32]);
        unsafe {
            let torn = pool::in_buffer(block.0.as_mut_ptr().cast(), 256, 8);
            pool::x(torn);
            let gone = |call| (call, Misuse::AlreadyFreed);
            assert_eq!(fault(|| assert_eq!(pool::walk(torn).count(), 0)), gone("kmpooln"));
            assert_eq!(fault(|| assert_eq!(pool::count(torn), pool::Count::default())), gone("kmpoolq"));
            assert_eq!(fault(|| report::pool_text(torn, &mut |_| unreachable!())), gone("kmpoolt"));
            assert_eq!(fault(|| report::pool_json(torn, &mut |_| unreachable!())), gone("kmpoolj"));
        }
    }

    #[test]
    fn a_node_that_is_being_freed_may_be_looked_at_and_no_more() {
        unsafe extern "C-unwind" fn tries(data: *mut c_void, other: *mut c_void) {
            let (it, other): (*mut u8, *mut u8) = (data.cast(), other.cast());
            let dying = |call| (call, Misuse::BeingFreed);
            unsafe {
                assert_eq!(fault(|| assert!(tree::r(it, 100).is_null())), dying("kmtreer"));
                assert_eq!(fault(|| assert!(tree::m(it, other).is_err())), dying("kmtreem"));
                assert_eq!(fault(|| assert!(tree::m(other, it).is_err())), dying("kmtreem"));
                assert_eq!(fault(|| assert!(tree::mc(other, it).is_err())), dying("kmtreemc"));
                assert_eq!(fault(|| assert!(tree::k(it, tree::handle(other)).is_err())), dying("kmtreek"));
                assert_eq!(fault(|| assert!(tree::k(other, tree::handle(it)).is_err())), dying("kmtreek"));
                assert_eq!(fault(|| assert!(tree::h(it, runs(tries, other)).is_err())), dying("kmtreeh"));
                assert_eq!(fault(|| assert!(!tree::hx(it, runs(tries, other)))), dying("kmtreehx"));
                assert_eq!(fault(|| assert!(tree::f(it).is_null())), dying("kmtreef"));
                let looks = || {
                    assert!(tree::p(it).is_null() && tree::cn(it).is_null());
                    let below = usize::from(!tree::c(it).is_null());
                    assert_eq!(tree::walk(it).count(), 1 + below);
                    assert_eq!(report::count(it, None).cells, 1 + below);
                    assert!(tree::l(it, other).is_null());
                };
                assert_eq!(faults(looks), []);
            }
        }
        leaks_nothing(|| unsafe {
            let other = root();
            for hooked in [false, true] {
                let drop = (!hooked).then_some(runs(tries, other));
                let made = tree::alloc(null_mut(), null_mut(), &Request { drop, ..Request::new(8) });
                let one = made.unwrap().as_ptr();
                if hooked {
                    tree::a(null_mut(), one, 8);
                    tree::h(one, runs(tries, other)).unwrap();
                }
                tree::f(one);
            }
            assert_eq!(tree::verify(other), Ok(1));
            tree::f(other);
        });
    }

    #[test]
    fn a_resize_of_what_the_header_contradicts_changes_nothing() {
        leaks_nothing(|| unsafe {
            for handle in [heap::zo(8), refs::zo(null_mut(), 8), tree::zo(null_mut(), null_mut(), 8)] {
                let cell = &mut *handle.cell;
                let right = cell.size;
                for (size, misuse) in [
                    (0, Misuse::Damaged),
                    (isize::MAX as usize, Misuse::Damaged),
                    (right + 1, Misuse::OtherHeap),
                ] {
                    cell.size = size;
                    let mut it = handle;
                    assert_eq!(fault(|| assert!(ptr::resize(&mut it, 100).is_err())), ("kmresize", misuse));
                    assert_eq!(fault(|| assert_eq!(ptr::size_for("kmcat", it), None)), ("kmcat", misuse));
                    assert_eq!(it, handle);
                }
                cell.size = isize::MAX as usize;
                assert_eq!(fault(|| assert_eq!(ptr::size(handle), 0)), ("kmsize", Misuse::Damaged));
                assert_eq!(fault(|| assert_eq!(ptr::name(handle), None)), ("kmname", Misuse::Damaged));
                cell.size = right;
                let crossed = &mut Handle { cell: null_mut::<raw::Cell>().wrapping_byte_add(64), ..handle };
                let seen = fault(|| assert!(ptr::resize(crossed, 100).is_err()));
                assert_eq!(seen, ("kmresize", Misuse::BadHandle));
                ptr::free(handle);
            }
        });
    }

    #[test]
    fn what_hangs_wrong_is_neither_moved_nor_resized_nor_added_to() {
        leaks_nothing(|| unsafe {
            let (above, other, more) = (root(), root(), root());
            let kids = [0; 3].map(|_| tree::a(null_mut(), above, 8));
            let [one, two, three] = kids.map(node);
            let wild: *mut Node = std::ptr::without_provenance_mut(TEXT);
            let damaged = |call| (call, Misuse::Damaged);
            let with = |link: *mut *mut Node, to: *mut Node, work: &dyn Fn()| {
                let right = link.replace(to);
                let seen = fault(work);
                link.write(right);
                seen
            };
            for to in [wild, node(other)] {
                for link in [&raw mut (*two).prev, &raw mut (*two).next] {
                    let seen = with(link, to, &|| assert!(tree::m(kids[1], other).is_err()));
                    assert_eq!(seen, damaged("kmtreem"));
                    let seen = with(link, to, &|| assert!(tree::r(kids[1], 10_000).is_null()));
                    assert_eq!(seen, damaged("kmtreer"));
                    let seen =
                        with(link, to, &|| assert_eq!(tree::mc(above, other), Err(AllocError::Misused)));
                    assert_eq!(seen, damaged("kmtreemc"));
                }
                let first = &raw mut (*node(above)).child;
                assert_eq!(
                    with(first, to, &|| assert!(tree::mc(above, other).is_err())),
                    damaged("kmtreemc")
                );
                assert_eq!(with(first, to, &|| tree::x(above)), damaged("kmtreex"));
                assert_eq!(with(first, to, &|| assert_eq!(tree::walk(above).count(), 1)), damaged("kmtreen"));
                let count = || assert_eq!(report::count(above, None).cells, 1);
                assert_eq!(with(first, to, &count), damaged("kmtreeq"));
                let last = &raw mut (*node(above)).lastchild;
                assert_eq!(with(last, to, &|| assert!(tree::m(more, above).is_err())), damaged("kmtreem"));
                let adopt = || assert!(tree::k(above, tree::handle(more)).is_err());
                assert_eq!(with(last, to, &adopt), damaged("kmtreek"));
                let let_go = || assert!(tree::l(above, more).is_null());
                assert_eq!(with(last, to, &let_go), damaged("kmtreel"));
            }
            assert_eq!(((*one).prev, (*three).next), (null_mut(), null_mut()));
            assert_eq!((tree::verify(above), tree::verify(other), tree::verify(more)), (Ok(4), Ok(1), Ok(1)));
            for tree in [above, other, more] {
                tree::f(tree);
            }
        });
    }

    #[test]
    #[cfg_attr(any(kmem_asan, kmem_valgrind), ignore = "looks at freed cells")]
    fn what_a_node_holds_is_freed_once_and_the_second_is_caught() {
        let store = unsafe { pool::i(null_mut(), 8, 4) };
        unsafe {
            for by_program in [false, true] {
                let (one, two) = (root(), root());
                let cell = pool::ao(store, 8);
                tree::k(one, cell).unwrap();
                if by_program {
                    pool::f(cell.data);
                    let again = fault(|| assert!(tree::l(one, cell.data).is_null()));
                    assert_eq!(again, ("kmtreel", Misuse::AlreadyFreed));
                } else {
                    tree::k(two, cell).unwrap();
                    tree::f(two);
                }
                assert_eq!(fault(|| _ = tree::f(one)), ("kmtreef", Misuse::AlreadyFreed));
                if by_program {
                    tree::f(two);
                }
                assert_eq!(pool::live(store), 0);
            }
            pool::x(store);
        }
    }

    #[test]
    fn a_hook_that_was_written_over_is_not_called() {
        unsafe extern "C-unwind" fn never(_: *mut c_void, _: *mut c_void) {
            unreachable!("a hook ran");
        }
        // It stays where it is, in the store.
        with_store(|store| unsafe {
            let one = tree::a(store, null_mut(), 8);
            tree::h(one, runs(never, null_mut())).unwrap();
            let record = (*node(one)).child.cast::<u8>().add(64).cast::<usize>();
            record.write(never as *const () as usize);
            assert_eq!(fault(|| _ = tree::f(one)), ("kmtreef", Misuse::Damaged));
            assert_eq!(pool::live(store.cast()), 1);
        });
    }

    #[test]
    fn a_name_that_was_written_over_is_none() {
        unsafe {
            let request = Request { name: Some(c"ours"), ..Request::new(16) };
            let data = heap::alloc(&request).unwrap().as_ptr();
            let label = data.add(16).cast::<usize>();
            let right = label.read();
            for forged in [0, c"theirs".as_ptr().expose_provenance(), TEXT] {
                label.write(forged);
                assert_ne!(ptr::name(heap::handle(data)), Some(c"ours"));
                assert!(ptr::cast(heap::handle(data), c"theirs").is_null());
            }
            label.write(right);
            assert_eq!(ptr::name(heap::handle(data)), Some(c"ours"));
            heap::f(data);
        }
    }
}

#[cfg(all(feature = "heap", feature = "ref"))]
#[test]
fn a_header_with_a_record_that_was_written_over_is_not_followed() {
    unsafe extern "C-unwind" fn nothing(_: *mut std::ffi::c_void, _: *mut std::ffi::c_void) {}
    let hook = raw::Destructor { run: Some(nothing), arg: null_mut() };
    unsafe {
        for handle in [raw::heap::ao(64), raw::refs::ao(null_mut(), 64)] {
            ptr::hook(handle, hook).unwrap();
            let word = (&raw mut (*handle.cell).size).cast::<usize>();
            let was = word.read();
            let other = [0u64; 16];
            let wrong =
                [0, 64, usize::MAX / 255 * 0x41, was ^ 8, usize::MAX, (&raw const other).addr() & !15];
            for wrong in wrong {
                word.write(wrong);
                let seen = faults(|| {
                    let mut handle = handle;
                    assert_eq!(ptr::size(handle), 0);
                    assert!(ptr::hook(handle, hook).is_err());
                    assert!(ptr::resize(&mut handle, 100).is_err());
                    ptr::free(handle);
                });
                let calls = ["kmsize", "kmhook", "kmresize", "kmfree"];
                assert_eq!(seen, calls.map(|call| (call, Misuse::Damaged)), "{wrong:#x}");
            }
            word.write(was);
            // The record of another cell is none of this one's.
            let other = raw::heap::ao(64);
            ptr::hook(other, hook).unwrap();
            let mine = handle.cell.cast::<[u64; 2]>().read();
            (*handle.cell).size = (*other.cell).size;
            (*handle.cell).heap = (*other.cell).heap;
            assert_eq!(faults(|| ptr::free(handle)), [("kmfree", Misuse::Damaged)]);
            handle.cell.cast::<[u64; 2]>().write(mine);
            ptr::free(other);
            assert_eq!(faults(|| ptr::free(handle)), []);
        }
    }
}

#[cfg(all(feature = "heap", feature = "ref", feature = "tree"))]
mod owners {
    use std::ffi::c_void;

    use super::*;
    use crate::support::leaks_nothing;

    /// What a destructor does to the counted cell that owns what it runs for.
    type Act = unsafe fn(*mut u8);

    struct Told {
        owner: *mut u8,
        act: Act,
    }

    unsafe extern "C-unwind" fn act(_: *mut c_void, told: *mut c_void) {
        unsafe { ((*told.cast::<Told>()).act)((*told.cast::<Told>()).owner) }
    }

    const ACTS: [(&str, Act); 6] = [
        ("kmreff", |owner| unsafe { raw::refs::f(owner) }),
        ("kmrefu", |owner| unsafe { _ = raw::refs::u(owner) }),
        ("kmrefk", |owner| unsafe {
            raw::refs::k(owner, raw::Handle::NULL).unwrap_err();
        }),
        ("kmrefl", |owner| unsafe { assert!(raw::refs::l(owner, owner).is_null()) }),
        ("kmhook", |owner| unsafe {
            let none = raw::Destructor { run: None, arg: null_mut() };
            ptr::hook(raw::refs::handle(owner), none).unwrap_err();
        }),
        ("kmrefr", |owner| unsafe {
            raw::refs::resize(owner, 100).unwrap_err();
        }),
    ];

    #[test]
    fn a_counted_cell_is_not_used_by_the_destructors_of_what_it_owns_as_it_is_freed() {
        for (call, what) in ACTS {
            for adopted in [false, true] {
                let mut told = Told { owner: null_mut(), act: what };
                let drop = Some(raw::Destructor { run: Some(act), arg: (&raw mut told).cast() });
                leaks_nothing(|| unsafe {
                    let owner = raw::refs::a(null_mut(), 8);
                    (&raw mut told.owner).write(owner);
                    let request = raw::Request { drop, ..raw::Request::new(8) };
                    let root = raw::tree::a(null_mut(), null_mut(), 8);
                    raw::tree::alloc(null_mut(), root, &request).unwrap();
                    raw::refs::k(owner, raw::tree::handle(root)).unwrap();
                    let seen = faults(|| {
                        if adopted {
                            let node = raw::tree::a(null_mut(), null_mut(), 8);
                            raw::tree::k(node, raw::refs::handle(owner)).unwrap();
                            raw::tree::f(node);
                        } else {
                            raw::refs::f(owner);
                        }
                    });
                    assert_eq!(seen, [(call, Misuse::BeingFreed)]);
                });
            }
        }
    }

    #[test]
    fn the_owner_of_a_tree_that_is_being_freed_stays() {
        let mut told = Told { owner: null_mut(), act: |owner| unsafe { raw::refs::f(owner) } };
        let drop = Some(raw::Destructor { run: Some(act), arg: (&raw mut told).cast() });
        for (adopted, shared) in [(false, false), (false, true), (true, false)] {
            leaks_nothing(|| unsafe {
                let owner = raw::refs::a(null_mut(), 8);
                (&raw mut told.owner).write(owner);
                let root = raw::tree::a(null_mut(), null_mut(), 8);
                let request = raw::Request { drop, ..raw::Request::new(8) };
                raw::tree::alloc(null_mut(), root, &request).unwrap();
                raw::refs::k(owner, raw::tree::handle(root)).unwrap();
                if shared {
                    raw::refs::u(owner);
                    raw::refs::f(owner);
                }
                let node = raw::tree::a(null_mut(), null_mut(), 8);
                if adopted {
                    raw::tree::k(node, raw::refs::handle(owner)).unwrap();
                    (&raw mut told.owner).write(node);
                    (&raw mut told.act).write(|node| _ = raw::tree::f(node));
                }
                let seen = faults(|| _ = raw::tree::f(root));
                let call = if adopted { "kmtreef" } else { "kmreff" };
                assert_eq!(seen, [(call, Misuse::FreeingBelow)]);
                assert_eq!(raw::refs::count(owner), 1);
                raw::refs::f(owner);
                if !adopted {
                    raw::tree::f(node);
                }
            });
        }
    }
}
