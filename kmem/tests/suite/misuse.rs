//! A misuse that the header shows is reported, and the call changes nothing.

#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod by_a_destructor;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod of_a_life;
#[cfg(all(feature = "heap", feature = "ref", feature = "tree"))]
mod owners;
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
mod past_the_end;

use std::cell::RefCell;
use std::ptr::null_mut;

use kmem::fault::{self, Fault, Misuse};
#[allow(unused_imports, reason = "each combination of features uses its own")]
use kmem::raw::{self, ptr};

thread_local! {
    static SEEN: RefCell<Vec<Fault>> = const { RefCell::new(Vec::new()) };
    /// True if the handler unwinds.
    static UNWINDS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs `work` and returns its faults. Every test of this program sets the same handler, which notes a fault for the thread that
/// made it.
fn faults(work: impl FnOnce()) -> Vec<(&'static str, Misuse)> {
    fault::set_handler(Some(|fault| {
        SEEN.with_borrow_mut(|seen| seen.push(*fault));
        if UNWINDS.get() {
            crate::support::unwind();
        }
    }));
    // Reserved now, so that a check for leaks does not count it.
    SEEN.with_borrow_mut(|seen| seen.reserve(1000));
    work();
    SEEN.take().into_iter().map(|fault| (fault.call, fault.misuse)).collect()
}

/// A word of text. A string that overflows writes it into the next header.
#[allow(dead_code, reason = "unused if a method is left out")]
const TEXT: usize = usize::from_ne_bytes([b'A'; size_of::<usize>()]);

/// Memory with the header of a freed cell. The freed memory itself must not be read.
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
fn pointers_into_a_pool_that_are_not_the_start_of_a_cell_are_caught() {
    unsafe {
        let pool = raw::pool::i(null_mut(), 64, 4);
        let cell = raw::pool::a(pool);
        cell.write_bytes(0, 64);
        for offset in [1, 8] {
            assert_eq!(faults(|| raw::pool::f(cell.add(offset))), [("kmpoolf", Misuse::NotInPool)]);
        }
        assert_eq!(faults(|| raw::pool::f(cell.add(32))), [("kmpoolf", Misuse::NotInPool)]);
        // A forged header of a cell of this pool, at an address where no cell begins.
        (*cell.cast::<raw::PoolCell>()).pool = pool;
        assert_eq!(faults(|| raw::pool::f(cell.add(16))), [("kmpoolf", Misuse::NotInPool)]);
        assert_eq!(raw::pool::live(pool), 1);
        raw::pool::x(pool);
    }
}

#[cfg(all(feature = "pool", feature = "heap"))]
#[test]
#[cfg_attr(any(kmem_asan, kmem_valgrind), ignore = "writes where the tools say nobody may")]
fn frees_of_cells_that_were_never_allocated_are_caught() {
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
fn a_pool_in_a_buffer_destroyed_twice_and_frees_of_its_cells_are_caught() {
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
fn a_cell_from_the_heap_of_another_copy_of_kmem_is_reported_and_not_freed() {
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

/// A counted cell has its count at the offset of a heap cell's kind, and a count of 1 is the number of that kind. Its source is at the
/// offset of the size. No source's address makes this a heap cell.
#[cfg(feature = "heap")]
#[test]
fn a_counted_cell_with_a_count_of_one_is_not_freed_as_a_heap_cell() {
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
    //! A cell from a pool stays readable after it is freed, so a second free is caught.
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
    fn a_node_freed_by_its_own_destructor_or_a_descendants_is_caught() {
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
fn a_handle_of_a_method_that_was_left_out_is_reported() {
    let mut block = Block([0; 32]);
    let data = (&raw mut block.0[8]).cast();
    let handle = raw::Handle { kind: 1, shred: 0, data, cell: null_mut() };
    assert_eq!(faults(|| unsafe { ptr::free(handle) }), [("kmfree", Misuse::NotBuilt(kmem::Kind::Heap))]);
}

/// The default handler ends the program, so this test starts itself again.
#[cfg(all(feature = "heap", feature = "pool"))]
#[test]
fn the_default_handler_prints_the_call_and_the_misuse_and_aborts() {
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
            "misuse::the_default_handler_prints_the_call_and_the_misuse_and_aborts",
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

/// A count that wraps would free a cell that is in use, so the program ends even if the handler returns or panics. This test starts itself
/// again.
#[cfg(all(unix, feature = "ref", feature = "heap"))]
#[test]
fn too_many_references_end_the_program_with_any_handler() {
    use std::os::unix::process::ExitStatusExt;
    const NAME: &str = "misuse::too_many_references_end_the_program_with_any_handler";
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
            // The count of half an address space of forgotten clones. The count is behind the prefix.
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

/// A cell from a pool lies in a cell of the pool. A larger size would zero the next cell too.
#[cfg(all(feature = "heap", feature = "ref", feature = "pool", feature = "tree"))]
#[test]
fn an_impossible_size_or_source_of_a_cell_from_a_pool_is_caught() {
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

#[cfg(all(feature = "heap", feature = "ref"))]
#[test]
fn an_overwritten_address_of_a_record_is_not_followed() {
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
            // The record of another cell.
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
