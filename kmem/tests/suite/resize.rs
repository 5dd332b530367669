//! Cells that grow and shrink: contents stay, links follow, and no secret is left behind.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::null_mut;

#[cfg(feature = "shred")]
use kmem::raw;
use kmem::raw::{Destructor, Handle, Request, Source, heap, pool, ptr, refs, tree};
use kmem::{AllocError, Kind};

#[cfg(feature = "shred")]
use crate::support::{MARK, marked_when_freed};
use crate::support::{leaks_nothing, with_allocations};

/// Sizes around what matters: nothing, words, the slot's alignment, blocks that the heap moves.
const SIZES: [usize; 13] = [0, 1, 7, 8, 9, 16, 31, 63, 64, 100, 1000, 5000, 300_000];

fn byte(at: usize) -> u8 {
    (at * 7 + 13) as u8 | 1
}

unsafe fn fill(data: *mut u8, size: usize) {
    for at in 0..size {
        unsafe { data.add(at).write(byte(at)) };
    }
}

unsafe fn holds(data: *mut u8, size: usize) -> bool {
    (0..size).all(|at| unsafe { data.add(at).read() } == byte(at))
}

/// A cell of each method that takes any size, made as asked.
fn each_method(request: &Request) -> [Handle; 3] {
    unsafe {
        [
            heap::handle(heap::alloc(request).unwrap().as_ptr()),
            refs::handle(refs::alloc(null_mut(), request).unwrap().as_ptr()),
            tree::handle(tree::alloc(null_mut(), null_mut(), request).unwrap().as_ptr()),
        ]
    }
}

unsafe extern "C-unwind" fn count(_: *mut c_void, ended: *mut c_void) {
    let ended = unsafe { &*ended.cast::<Cell<u32>>() };
    ended.set(ended.get() + 1);
}

#[test]
fn contents_alignment_destructor_and_name_stay_whatever_the_sizes() {
    let ended = Cell::new(0);
    let drop = Destructor { run: Some(count), arg: (&raw const ended).cast_mut().cast() };
    for (from, to) in SIZES.into_iter().flat_map(|from| SIZES.map(|to| (from, to))) {
        for align in [0, 64, 4096] {
            for (drop, name) in
                [(None, None), (Some(drop), None), (None, Some(c"name")), (Some(drop), Some(c"name"))]
            {
                let request = Request { align, drop, name, ..Request::new(from) };
                leaks_nothing(|| {
                    for mut handle in each_method(&request) {
                        let shows = format!("{handle:?} from {from} to {to}, {request:?}");
                        ended.set(0);
                        unsafe {
                            fill(handle.data, from);
                            let data = ptr::resize(&mut handle, to).unwrap();
                            assert_eq!(data.as_ptr(), handle.data);
                            assert_eq!(data.addr().get() % align.max(16), 0, "{shows}");
                            assert!(holds(handle.data, from.min(to)), "{shows}");
                            assert_eq!((ptr::size(handle), ptr::name(handle)), (to, name), "{shows}");
                            fill(handle.data, to);
                            assert_eq!(ended.get(), 0, "{shows}");
                            ptr::free(handle);
                            assert_eq!(ended.get(), u32::from(drop.is_some()), "{shows}");
                        }
                    }
                });
            }
        }
    }
}

/// A source that writes down every nonzero byte, by its place in the data, of what goes back to it.
#[repr(C)]
struct Looking {
    source: Source,
    header: usize,
    seen: RefCell<Vec<usize>>,
}

unsafe extern "C-unwind" fn take(_: *mut Source, size: usize, align: usize) -> *mut c_void {
    unsafe { alloc(Layout::from_size_align(size, align).unwrap()).cast() }
}

unsafe extern "C-unwind" fn look(source: *mut Source, block: *mut c_void, size: usize, align: usize) {
    let looking = unsafe { &*source.cast::<Looking>() };
    let bytes = unsafe { std::slice::from_raw_parts(block.cast::<u8>(), size) };
    let nonzero = bytes[looking.header..].iter().enumerate().filter(|&(_, &byte)| byte != 0);
    looking.seen.borrow_mut().extend(nonzero.map(|(at, _)| at));
    unsafe { dealloc(block.cast(), Layout::from_size_align_unchecked(size, align)) };
}

#[cfg(feature = "shred")]
#[test]
fn every_byte_that_a_move_leaves_is_zero_where_the_cell_is_tainted_or_its_source_shreds() {
    for by_source in [false, true] {
        for (from, to) in (0..80).flat_map(|from| [0, 1, 8, 33, 79, 200].map(|to| (from, to))) {
            for (kind, header) in [(Kind::Ref, 32), (Kind::Tree, 64)] {
                let mut looking = Box::new(Looking {
                    source: Source::new(take, look, null_mut()),
                    header,
                    seen: RefCell::default(),
                });
                let src: *mut raw::Cell = (&raw mut *looking).cast();
                if by_source {
                    looking.source.cell.shred.store(1, std::sync::atomic::Ordering::Relaxed);
                }
                unsafe {
                    let mut handle = match kind {
                        Kind::Ref => refs::ao(src, from),
                        _ => tree::ao(src, null_mut(), from),
                    };
                    fill(handle.data, from);
                    if !by_source {
                        ptr::taint(&mut handle);
                    }
                    let mut unmarked = Handle { shred: 0, ..handle };
                    ptr::resize(&mut unmarked, to).unwrap();
                    assert!(holds(unmarked.data, from.min(to)));
                    assert_eq!(*looking.seen.borrow(), [0; 0], "from {from} to {to}");
                    fill(unmarked.data, to);
                    ptr::free(unmarked);
                    assert_eq!(*looking.seen.borrow(), [0; 0], "the mark went along: from {from} to {to}");
                }
            }
        }
    }
}

#[test]
fn without_a_mark_bytes_are_left_or_the_test_above_could_not_fail() {
    let looking = Box::new(Looking {
        source: Source::new(take, look, null_mut()),
        header: 32,
        seen: RefCell::default(),
    });
    unsafe {
        let data = refs::a((&raw const *looking).cast_mut().cast(), 40);
        fill(data, 40);
        let data = refs::r(data, 100);
        assert_eq!(looking.seen.borrow().len(), 40);
        refs::f(data);
    }
}

#[cfg(feature = "shred")]
#[test]
fn the_heap_gets_no_secret_back_from_a_cell_that_grows_or_shrinks() {
    for (from, to) in [(64, 4096), (4096, 64), (64, 65), (300_000, 100), (100, 300_000)] {
        for tainted in [false, true] {
            let freed = marked_when_freed(|| {
                for mut handle in each_method(&Request::new(from)) {
                    unsafe {
                        handle.data.write_bytes(MARK, from);
                        if tainted {
                            ptr::taint(&mut handle);
                        }
                        ptr::resize(&mut handle, to).unwrap();
                        ptr::shred(handle);
                    }
                }
            });
            assert_eq!(freed, if tainted { 0 } else { 3 }, "from {from} to {to}");
        }
    }
}

#[cfg(feature = "shred")]
#[test]
fn a_handles_own_mark_is_enough() {
    let freed = marked_when_freed(|| unsafe {
        let mut handle = heap::ao(64);
        handle.data.write_bytes(MARK, 64);
        handle.shred = 1;
        ptr::resize(&mut handle, 5000).unwrap();
        ptr::free(handle);
    });
    assert_eq!(freed, 0);
}

#[cfg(feature = "shred")]
#[test]
#[cfg_attr(any(kmem_asan, kmem_valgrind), ignore = "it looks at bytes that are not in use")]
fn the_tail_that_is_cut_off_in_a_pools_cell_is_zero() {
    for (from, to) in (0..100).flat_map(|from| [0, 1, 15, 40, 99].map(|to| (from, to))) {
        for tainted in [false, true] {
            unsafe {
                let bytes = pool::i(null_mut(), 132, 1);
                let data = refs::a(bytes.cast(), from);
                fill(data, from);
                if tainted {
                    ptr::taint(&mut refs::handle(data));
                }
                assert_eq!(refs::r(data, to), data, "there is one cell");
                let left = (to..from).filter(|&at| data.add(at).read() != 0).count();
                assert_eq!(left, if tainted { 0 } else { from.saturating_sub(to) });
                assert!(holds(data, from.min(to)));
                refs::f(data);

                // The same of the pool's own cells, which know no size of theirs.
                let mut cell = pool::ao(bytes, 0);
                fill(cell.data, 132);
                cell.shred = i32::from(tainted);
                ptr::resize(&mut cell, to).unwrap();
                assert!(holds(cell.data, to));
                assert_eq!(cell.data.add(to).read() == 0, tainted);
                ptr::free(cell);
                pool::x(bytes);
            }
        }
    }
}

#[test]
fn a_pool_has_cells_of_one_size() {
    unsafe {
        let bytes = pool::i(null_mut(), 64, 4);
        let data = refs::a(bytes.cast(), 8);
        assert_eq!(refs::resize(data, 33), Err(AllocError::Size { size: 65, max: 64 }));
        assert_eq!(refs::r(data, 32), data);
        refs::f(data);
        let mut cell = pool::ao(bytes, 8);
        assert_eq!(ptr::resize(&mut cell, 65), Err(AllocError::Size { size: 65, max: 64 }));
        assert_eq!(ptr::size(cell), 64);
        ptr::free(cell);
        pool::x(bytes);
    }
}

#[test]
fn what_is_refused_is_as_it_was() {
    let [heap, counted, node] = each_method(&Request { name: Some(c"as it was"), ..Request::new(100) });
    let mut fixed = ptr::stat(c"static".as_ptr().cast());
    unsafe {
        assert_eq!(ptr::resize(&mut fixed, 8), Err(AllocError::Fixed(Kind::None)));
        assert_eq!(ptr::resize(&mut Handle::NULL.clone(), 8), Err(AllocError::Source(None)));
        assert!(refs::r(null_mut(), 8).is_null() && tree::r(null_mut(), 8).is_null());

        refs::u(counted.data);
        assert_eq!(refs::resize(counted.data, 8), Err(AllocError::Shared));
        refs::d(counted.data);
        for handle in [heap, counted, node] {
            fill(handle.data, 100);
            for size in [usize::MAX, usize::MAX - 100, isize::MAX as usize] {
                assert_eq!(ptr::resize(&mut handle.clone(), size), Err(AllocError::Overflow));
            }
            with_allocations(0, || {
                let mut same = handle;
                assert!(matches!(ptr::resize(&mut same, 10_000), Err(AllocError::Exhausted { .. })));
                assert_eq!(same, handle);
                #[cfg(feature = "shred")]
                {
                    ptr::taint(&mut same);
                    assert!(ptr::resize(&mut same, 10).is_err(), "a tainted cell moves to shrink");
                }
            });
            assert!(holds(handle.data, 100));
            assert_eq!((ptr::size(handle), ptr::name(handle)), (100, Some(c"as it was")));
            ptr::free(handle);
        }
        let pool = pool::i(tree::handle(tree::a(null_mut(), null_mut(), 8)).cell, 8, 4);
        let host = pool.cast::<u8>();
        assert_eq!(tree::resize(host, 8), Err(AllocError::Fixed(Kind::Tree)));
        tree::f(tree::p(host));
    }
}

#[test]
fn null_makes_a_heap_cell() {
    unsafe {
        let data = heap::r(null_mut(), 8);
        fill(data, 8);
        heap::f(data);
    }
}
