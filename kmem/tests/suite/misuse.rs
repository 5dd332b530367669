//! What the header shows to be wrong is reported and changes nothing.

use std::cell::RefCell;
use std::ptr::null_mut;

use kmem::fault::{self, Fault, Misuse};
#[allow(unused_imports, reason = "each combination of features uses its own")]
use kmem::raw::{self, ptr};

thread_local! {
    static SEEN: RefCell<Vec<Fault>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` and returns the faults that it was reported for. Every test of this program sets the same handler, which
/// reports to the thread that made the fault.
fn faults(work: impl FnOnce()) -> Vec<(&'static str, Misuse)> {
    fault::set_handler(Some(|fault| SEEN.with_borrow_mut(|seen| seen.push(*fault))));
    // Room that is there before, so that the work may be asked whether it leaks.
    SEEN.with_borrow_mut(|seen| seen.reserve(1000));
    work();
    SEEN.take().into_iter().map(|fault| (fault.call, fault.misuse)).collect()
}

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
        cell.cast::<raw::PoolCell>().write(raw::PoolCell { last: null_mut(), pool });
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
        unused.sub(16).cast::<raw::PoolCell>().write(raw::PoolCell { last: null_mut(), pool });
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
    for source in (0..4096u64).map(|at| 0x7f00_0000_0000 + at) {
        unsafe { data.sub(16).cast::<[u64; 2]>().write([1, source]) };
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
        words.add(6).write(1);
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
    fn a_destructor_that_frees_the_parent_of_the_node_that_goes_leaves_the_engine_whole() {
        leaks_nothing(|| unsafe {
            let root = raw::tree::a(null_mut(), null_mut(), 8);
            let frees_root = |_| assert!(raw::tree::f(root).is_null());
            with(&frees_root, |drop| {
                let request = Request { drop, ..Request::new(8) };
                let node = raw::tree::alloc(null_mut(), root, &request).unwrap().as_ptr();
                raw::tree::a(null_mut(), node, 8);
                raw::tree::a(null_mut(), root, 8);
                raw::tree::f(node);
            });
        });
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
#[cfg(all(feature = "heap", feature = "pool", feature = "std"))]
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
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "misuse::the_default_handler_says_what_and_where_and_aborts",
            "--exact",
            "--test-threads=1",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let report = String::from_utf8_lossy(&output.stderr);
    let line = report.lines().find(|line| line.starts_with("kmem: ")).expect("one line of report");
    assert!(line.starts_with("kmem: kmpoolf(0x") && line.ends_with("): already freed"), "{line}");
}

/// A count that wraps would free the cell under those who hold it, so there is no way back: not by a handler that
/// returns, nor by one that panics. The program that ends is a child of this one.
#[cfg(all(unix, feature = "std", feature = "ref", feature = "heap"))]
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
                let mut child = std::process::Command::new(std::env::current_exe().unwrap());
                let output = child.args(["--exact", NAME]).env(HANDLER, handler).output().unwrap();
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

    #[test]
    fn a_header_that_was_written_over_is_caught() {
        type Method = (usize, unsafe fn() -> *mut u8, unsafe fn(*mut u8));
        let methods: [Method; 3] = [
            (16, || unsafe { raw::heap::a(48) }, raw::heap::f),
            (32, || unsafe { raw::refs::a(null_mut(), 48) }, raw::refs::f),
            (
                64,
                || unsafe { raw::tree::a(null_mut(), null_mut(), 48) },
                |data| unsafe {
                    raw::tree::f(data);
                },
            ),
        ];
        for (header, make, free) in methods {
            let mut by_chance = 0;
            for forged in 0..256usize {
                unsafe {
                    let data = make();
                    // The data claims to be what a destructor's slot would be.
                    data.cast::<[usize; 6]>().write([never as *const () as usize; 6]);
                    let cell = data.sub(header).cast::<raw::Cell>();
                    let size = header + 47 - (forged & 31);
                    (*cell).flags = (forged >> 5) as u8 & 1;
                    match with(&raw mut (*cell).size, size, || free(data))[..] {
                        // One forgery in 128 bears the right seal; the cell has gone.
                        [] => by_chance += 1,
                        [Misuse::OtherHeap | Misuse::Damaged] => {
                            (*cell).flags = 0;
                            free(data);
                        }
                        ref seen => panic!("{forged}: {seen:?}"),
                    }
                }
            }
            assert!(by_chance < 16, "{by_chance} of 256");
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
                std::ptr::without_provenance_mut(0x4141_4141_4141_4140),
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
            let source = data.sub(8).cast::<*mut raw::Cell>();
            let own = ((*cell).size, source.read());
            (*cell).size = 161;
            assert_eq!(faults(free).len(), 1);
            (*cell).size = own.0;
            source.write(std::ptr::without_provenance_mut(0x4141_4141_4141_4141));
            assert_eq!(faults(free).len(), 1);
            source.write(own.1);
        }
        assert_eq!(raw::pool::live(pool), 2);
        raw::refs::f(counted);
        raw::tree::f(node);
        raw::pool::x(pool);
    }
}
