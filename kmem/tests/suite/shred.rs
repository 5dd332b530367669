//! Tainted bytes are zero when their memory is given back, by whatever path.

use kmem::{HeapBox, raw};

use crate::support::{MARK, TEXT_MARK, marked_when_freed, quietly, unwind};

const SECRET: [u8; 64] = [MARK; 64];

#[test]
fn without_a_mark_bytes_stay_as_they_were() {
    assert_eq!(marked_when_freed(|| drop(HeapBox::new(SECRET))), 1, "or the other tests could not fail");
}

#[test]
fn a_tainted_heap_cell_is_zeroed() {
    let freed = marked_when_freed(|| {
        let mut key = HeapBox::new(SECRET);
        key.taint();
        drop(key);
        let mut text: HeapBox<str> = std::str::from_utf8(&[TEXT_MARK as u8; 64]).unwrap().into();
        text.taint();
        unsafe { raw::heap::s(HeapBox::new(SECRET).into_non_null().as_ptr().cast()) };
    });
    assert_eq!(freed, 0);
}

#[test]
fn every_size_is_zeroed_to_its_last_byte() {
    for size in (0..300).chain([4096, 100_000]) {
        let freed = marked_when_freed(|| unsafe {
            let data = raw::heap::a(size);
            data.write_bytes(MARK, size);
            raw::heap::s(data);
        });
        assert_eq!(freed, 0, "{size} bytes");
    }
}

/// Values that were handed over to kmem and then tainted lie in their cell alone: kmem leaves no copy on the way there.
mod conversions {
    use super::*;

    /// An iterator of secrets that says of its length what it likes, and unwinds behind the last.
    struct Secrets {
        left: usize,
        promised: usize,
        unwinds: bool,
    }

    impl Iterator for Secrets {
        type Item = [u8; 64];
        fn next(&mut self) -> Option<[u8; 64]> {
            if self.left == 0 && self.unwinds {
                unwind();
            }
            self.left = self.left.checked_sub(1)?;
            Some(SECRET)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (self.promised, Some(self.promised))
        }
    }

    /// A vector of secrets with so much room to spare, whose memory held as many before.
    fn secrets(spare: usize) -> Vec<[u8; 64]> {
        let mut secrets = vec![SECRET; 100 + spare];
        secrets.truncate(100);
        secrets
    }

    fn secret_text(spare: usize) -> String {
        let mut text = String::with_capacity(100 + spare);
        text.extend([TEXT_MARK; 100]);
        text
    }

    macro_rules! leave_no_copy {
        ($owner:ident, $taint:expr) => {{
            let taint = $taint;
            for (left, promised) in [(0, 0), (100, 100), (100, 0), (100, 3), (100, 99), (100, 1000), (0, 10)]
            {
                let freed = marked_when_freed(|| {
                    let mut collected: $owner<[_]> = Secrets { left, promised, unwinds: false }.collect();
                    assert!(collected.len() == left && collected.iter().all(|secret| *secret == SECRET));
                    taint(&mut collected);
                });
                assert_eq!(freed, 0, "{left} secrets, {promised} promised");
                let unwound =
                    || quietly(|| $owner::from_iter(Secrets { left, promised, unwinds: true })).is_err();
                assert_eq!(
                    marked_when_freed(|| assert!(unwound())),
                    0,
                    "{left} secrets, {promised} promised"
                );
            }
            for spare in [0, 1, 1000] {
                let freed = marked_when_freed(|| {
                    let mut moved = $owner::<[_]>::from(secrets(spare));
                    assert!(moved.len() == 100 && moved.iter().all(|secret| *secret == SECRET));
                    taint(&mut moved);
                    let mut cloned = $owner::<[_]>::from(&*moved);
                    taint(&mut cloned);
                });
                assert_eq!(freed, 0, "{spare} values to spare");
                let freed = marked_when_freed(|| {
                    let mut text: $owner<str> = $owner::from(secret_text(spare));
                    assert_eq!((text.len(), text.trim_matches(TEXT_MARK)), (100, ""));
                    $owner::taint(&mut text);
                });
                assert_eq!(freed, 0, "{spare} bytes to spare");
                #[repr(align(8192))]
                struct Wide(#[allow(dead_code, reason = "it is looked at as it is freed")] [u8; 64]);
                let freed = marked_when_freed(|| {
                    let refused: Vec<_> = (0..100).map(|_| Wide(SECRET)).collect();
                    assert!(quietly(|| $owner::<[_]>::from(refused)).is_err());
                });
                assert_eq!(freed, 0, "refused");
            }
            let freed = marked_when_freed(|| {
                let made = $owner::from_iter((0..100).map(|_| vec![SECRET]));
                assert_eq!(made.len(), 100);
            });
            assert_eq!(freed, 100, "what the values own is theirs");
        }};
    }

    #[test]
    fn into_a_heap_cell_leave_no_copy() {
        leave_no_copy!(HeapBox, HeapBox::taint);
    }

    #[cfg(feature = "ref")]
    #[test]
    fn into_a_counted_cell_leave_no_copy() {
        use kmem::Ref;
        leave_no_copy!(Ref, |made: &mut Ref<_>| Ref::taint(made));
    }
}

#[cfg(feature = "ref")]
mod refs {
    use super::*;
    use kmem::Ref;

    #[test]
    fn a_mark_by_one_holder_holds_for_the_last() {
        let freed = marked_when_freed(|| {
            let one = Ref::new(SECRET);
            let two = one.clone();
            Ref::taint(&one);
            drop(one);
            drop(two);
        });
        assert_eq!(freed, 0);
    }

    #[cfg(feature = "pool")]
    #[test]
    #[cfg_attr(any(kmem_asan, kmem_valgrind), ignore = "looks behind the data")]
    fn what_is_drawn_from_any_block_of_a_tainted_pool_is_zeroed() {
        use kmem::raw::{pool, refs};
        unsafe {
            let spec = pool::Spec { grows: true, ..pool::Spec::new(64, 1) };
            let bytes = pool::init(std::ptr::null_mut(), &spec).unwrap().as_ptr();
            let cells = [(); 3].map(|()| pool::a(bytes));
            (*bytes).cell.shred.store(1, std::sync::atomic::Ordering::Relaxed);
            // A handle on a cell names the pool, whatever block the cell lies in.
            assert!(cells.into_iter().all(|cell| pool::handle(cell).cell == bytes.cast()));
            pool::f(cells[2]);
            let drawn = refs::a(bytes.cast(), 32);
            drawn.write_bytes(MARK, 32);
            assert_eq!(refs::r(drawn, 8), drawn);
            assert_eq!(std::slice::from_raw_parts(drawn.add(8), 24), [0; 24]);
            refs::f(drawn);
            pool::x(bytes);
        }
    }

    #[cfg(all(feature = "pool", feature = "tree"))]
    #[test]
    #[cfg_attr(any(kmem_asan, kmem_valgrind), ignore = "looks at freed memory")]
    fn a_cell_is_zeroed_if_a_source_of_its_pool_is_tainted_after_the_pool_was_made() {
        use kmem::raw::{Handle, Source, pool, ptr, tree};
        use std::ffi::c_void;
        use std::ptr::null_mut;
        unsafe extern "C-unwind" fn allocate(_: *mut Source, size: usize, _: usize) -> *mut c_void {
            unsafe { std::alloc::alloc(std::alloc::Layout::from_size_align_unchecked(size, 16)).cast() }
        }
        unsafe extern "C-unwind" fn free(_: *mut Source, block: *mut c_void, size: usize, _: usize) {
            unsafe {
                std::alloc::dealloc(block.cast(), std::alloc::Layout::from_size_align_unchecked(size, 16))
            }
        }
        for (which, grows) in (0..6).flat_map(|which| [(which, false), (which, true)]) {
            unsafe {
                let mut custom = Source::new(allocate, free, null_mut());
                let custom = &raw mut custom;
                let store = pool::i(custom.cast(), 4000, 6);
                let node = tree::a(if which < 4 { null_mut() } else { store.cast() }, null_mut(), 8);
                let node_cell = tree::handle(node).cell;
                let host = pool::i(node_cell, 1000, 2);
                // The source of the pool, and the cell that is tainted.
                let (src, tainted): (_, *mut raw::Cell) = [
                    (custom.cast(), custom.cast()),
                    (store.cast(), store.cast()),
                    (store.cast(), custom.cast()),
                    (node_cell, node_cell),
                    (node_cell, store.cast()),
                    (host.cast(), node_cell),
                ][which];
                let pool = pool::init(src, &pool::Spec { grows, ..pool::Spec::new(32, 1) }).unwrap().as_ptr();
                let cell = if grows { [(); 2].map(|()| pool::a(pool))[1] } else { pool::a(pool) };
                let freed = |way: usize| {
                    cell.write_bytes(MARK, 32);
                    if way == 0 {
                        pool::f(cell)
                    } else {
                        ptr::free(pool::handle(cell))
                    }
                    let left = (0..32).any(|at| cell.add(at).read() == MARK);
                    assert_eq!(pool::a(pool), cell);
                    left
                };
                assert!(freed(0) && freed(1), "{which} {grows}");
                (*tainted).shred.store(1, std::sync::atomic::Ordering::Relaxed);
                assert!(!freed(0) && !freed(1), "{which} {grows}");
                (*tainted).shred.store(0, std::sync::atomic::Ordering::Relaxed);
                let mut handle: Handle = pool::handle(cell);
                ptr::taint(&mut handle);
                assert!(!freed(which % 2), "{which} {grows}");
                pool::x(pool);
                tree::f(node);
                pool::x(store);
            }
        }
    }

    #[test]
    fn shredding_a_shared_cell_drops_one_reference_and_marks_it() {
        let freed = marked_when_freed(|| unsafe {
            let data = raw::refs::a(std::ptr::null_mut(), 64);
            data.write_bytes(MARK, 64);
            raw::refs::u(data);
            raw::refs::s(data);
            assert_eq!((data.read(), raw::refs::count(data)), (MARK, 1));
            raw::refs::f(data);
        });
        assert_eq!(freed, 0);
    }

    #[test]
    fn the_engines_mark_reaches_the_cell_through_the_handle() {
        let freed = marked_when_freed(|| unsafe {
            let mut handle = raw::refs::zo(std::ptr::null_mut(), 64);
            handle.data.write_bytes(MARK, 64);
            raw::ptr::taint(&mut handle);
            assert_eq!(handle.shred, 1);
            raw::refs::f(handle.data);
        });
        assert_eq!(freed, 0);
    }

    #[test]
    fn a_tainted_value_that_is_moved_out_leaves_no_copy() {
        fn leaves_no_copy(move_out: impl FnOnce(Ref<[u8; 64]>) -> Option<[u8; 64]>) {
            let freed = marked_when_freed(|| {
                let one = Ref::new(SECRET);
                Ref::taint(&one);
                assert_eq!(move_out(one), Some(SECRET));
            });
            assert_eq!(freed, 0);
        }
        leaves_no_copy(Ref::into_inner);
        leaves_no_copy(|one| Ref::try_unwrap(one).ok());
    }

    #[test]
    fn a_clone_of_a_tainted_value_is_tainted() {
        let freed = marked_when_freed(|| {
            let mut one = Ref::new(SECRET);
            Ref::taint(&one);
            let two = one.clone();
            Ref::make_mut(&mut one)[0] = 0;
            drop((one, two));
        });
        assert_eq!(freed, 0);
    }
}

#[cfg(feature = "tree")]
mod tree {
    use super::*;
    use kmem::Tree;

    #[test]
    fn a_tainted_node_is_zeroed_when_its_root_goes() {
        let freed = marked_when_freed(|| {
            let tree = Tree::new([0u8; 64]);
            tree.node().push(SECRET).taint();
            tree.node().push([1u8; 64]);
        });
        assert_eq!(freed, 0);
    }

    #[test]
    fn shredding_a_node_zeroes_everything_below_it() {
        let tree = Tree::new(SECRET);
        tree.node().push(SECRET).push(SECRET);
        tree.node().push(SECRET);
        assert_eq!(marked_when_freed(|| tree.shred()), 0);
        let tree = Tree::new(SECRET);
        let child = tree.push_child(SECRET);
        child.node().push(SECRET);
        assert_eq!(marked_when_freed(|| child.shred()), 0);
        assert_eq!(marked_when_freed(|| drop(tree)), 1);
    }

    #[cfg(feature = "pool")]
    #[test]
    fn a_pool_on_a_tainted_node_is_zeroed_with_it() {
        let freed = marked_when_freed(|| {
            let mut tree = Tree::new(0);
            tree.taint();
            let pool = tree.node().try_push_pool::<[u8; 64]>(3).unwrap();
            std::mem::forget(pool.alloc(SECRET));
            std::mem::forget(pool);
        });
        assert_eq!(freed, 0);
    }
}

// These look at freed cells, which the tools would report.
#[cfg(all(feature = "pool", not(any(kmem_asan, kmem_valgrind))))]
mod pool {
    use super::*;
    use kmem::{Pool, Ptr};

    #[test]
    fn cells_of_a_tainted_pool_are_zeroed_as_they_go_and_all_at_the_end() {
        let freed = marked_when_freed(|| {
            let mut pool = Pool::growing();
            pool.taint();
            for _ in 0..200 {
                std::mem::forget(pool.alloc(SECRET));
            }
            let cell = pool.alloc(SECRET);
            let address = (&raw const *cell).cast::<u8>();
            drop(cell);
            assert_eq!(unsafe { address.read() }, 0);
        });
        assert_eq!(freed, 0);
    }

    /// Whether a cell of this pool is zeroed when it goes back.
    #[track_caller]
    fn zeroes<S>(pool: &Pool<[u8; 64], S>) -> bool {
        let cell = pool.alloc(SECRET);
        let address = (&raw const *cell).cast::<u8>();
        drop(cell);
        unsafe { address.read() == 0 }
    }

    #[test]
    fn a_source_that_shreds_does_so_for_whatever_was_drawn_from_what_was_drawn_from_it() {
        use kmem::{Heap, Shredding, Source, SourceCell};
        for shreds in [false, true] {
            let marked = SourceCell::new(Shredding::new(Heap));
            let plain = SourceCell::new(Heap);
            let source: &dyn Source = if shreds { marked.source() } else { plain.source() };
            let source = SourceCell::new(source);
            let outer = Pool::try_bytes_in(2000, 2, &source).unwrap();
            assert_eq!(outer.shreds(), shreds);
            assert_eq!(zeroes(&Pool::try_new_in(2, &source).unwrap()), shreds);
            assert_eq!(zeroes(&Pool::try_new_in(2, &outer).unwrap()), shreds);
            #[cfg(feature = "tree")]
            {
                let tree = kmem::Tree::new_in(1, &source);
                assert_eq!(zeroes(&tree.node().try_push_pool(2).unwrap()), shreds);
                let tree = kmem::Tree::new_in(1, &outer);
                assert_eq!(zeroes(&tree.node().try_push_pool(2).unwrap()), shreds);
            }
        }
    }

    #[cfg(feature = "tree")]
    #[test]
    fn a_pool_below_a_tainted_node_zeroes_its_cells() {
        let mut tree = kmem::Tree::new(1);
        assert!(!zeroes(&tree.node().try_push_pool(2).unwrap()));
        tree.taint();
        assert!(zeroes(&tree.node().try_push_pool(2).unwrap()));
    }

    #[test]
    fn a_tainted_handle_zeroes_its_cell_alone() {
        let pool = Pool::new(2);
        let one = pool.alloc(SECRET);
        let two = pool.alloc(SECRET);
        let addresses = [(&raw const *one).cast::<u8>(), (&raw const *two).cast::<u8>()];
        let mut handle = Ptr::from(one);
        handle.taint();
        drop(handle);
        drop(two);
        assert_eq!(addresses.map(|address| unsafe { address.read() }), [0, MARK]);
        pool.alloc(SECRET).shred();
        assert_eq!(unsafe { addresses[1].read() }, 0);
    }

    /// What frees a cell.
    type Free = unsafe fn(raw::Handle, *mut raw::Pool);

    #[test]
    fn a_tainted_cell_of_a_pool_is_zeroed_by_whatever_frees_it() {
        unsafe fn by_another_handle(cell: raw::Handle, _: *mut raw::Pool) {
            unsafe { raw::ptr::free(raw::Handle { shred: 0, ..cell }) }
        }
        unsafe fn by_its_method(cell: raw::Handle, _: *mut raw::Pool) {
            unsafe { raw::pool::f(cell.data) }
        }
        unsafe fn with_its_pool(_: raw::Handle, pool: *mut raw::Pool) {
            // The block is the test's own.
            unsafe { raw::pool::x(pool) }
        }
        let free: [Free; 3] = [by_another_handle, by_its_method, with_its_pool];
        for (free, drop) in free.into_iter().flat_map(|free| [(free, false), (free, true)]) {
            unsafe extern "C-unwind" fn look(data: *mut std::ffi::c_void, _: *mut std::ffi::c_void) {
                assert_eq!(unsafe { data.cast::<u8>().read() }, MARK, "the destructor sees the bytes");
            }
            let drop = drop.then_some(raw::Destructor { run: Some(look), arg: std::ptr::null_mut() });
            let mut buffer = [0u128; 64];
            unsafe {
                let spec = raw::pool::Spec { drop, ..raw::pool::Spec::new(64, 0) };
                let pool = raw::pool::init_in_buffer(buffer.as_mut_ptr().cast(), size_of_val(&buffer), &spec);
                let pool = pool.unwrap().as_ptr();
                let [mut tainted, other] = [(); 2].map(|()| raw::pool::ao(pool, 64));
                for cell in [tainted, other] {
                    cell.data.write_bytes(MARK, 64);
                }
                raw::ptr::taint(&mut tainted);
                assert_eq!(raw::pool::verify(pool).unwrap().live, 2);
                assert_eq!((raw::pool::live(pool), raw::ptr::size(tainted)), (2, 64), "it is a live cell");
                free(tainted, pool);
                let bytes = std::slice::from_raw_parts(tainted.data, 64);
                assert_eq!((bytes, other.data.read()), (&[0; 64][..], MARK));
            }
        }
    }

    #[test]
    fn the_next_value_in_the_place_of_a_tainted_one_is_not_tainted() {
        let pool = Pool::new(1);
        let mut key = pool.alloc(SECRET);
        key.taint();
        let address = (&raw const *key).cast::<u8>();
        drop(key);
        assert_eq!(unsafe { address.read() }, 0);
        drop(pool.alloc(SECRET));
        assert_eq!(unsafe { address.read() }, MARK);
    }

    #[test]
    fn a_tainted_value_that_is_moved_out_leaves_no_copy() {
        let pool = Pool::new(1);
        let mut key = pool.alloc(SECRET);
        key.taint();
        let address = (&raw const *key).cast::<u8>();
        assert_eq!(key.into_inner(), SECRET);
        assert_eq!(unsafe { address.read() }, 0);
    }

    #[test]
    fn a_tainted_value_is_zeroed_whichever_owner_is_dropped() {
        use kmem::{PoolBox, unsize};
        type Secret<'p> = PoolBox<'p, [u8; 64]>;
        let ends: [fn(Secret<'_>); 11] = [
            |cell| drop(cell),
            |cell| cell.shred(),
            |cell| drop(Ptr::from(cell)),
            |cell| drop(Ptr::from(cell).into_pool().unwrap()),
            |cell| drop(unsize!(cell => dyn std::any::Any).downcast::<[u8; 64]>().unwrap()),
            |cell| drop(Ptr::from(unsize!(cell => [u8]))),
            |cell| Ptr::from(unsize!(cell => [u8])).try_resize(8, 0).unwrap(),
            |cell| assert_eq!(cell.into_inner(), SECRET),
            |cell| unsafe { raw::ptr::free(Ptr::from(cell).into_raw()) },
            |cell| unsafe { raw::pool::f(Ptr::from(cell).into_raw().data) },
            |cell| drop(unsafe { Ptr::<[u8; 64]>::from_raw(Ptr::from(cell).into_raw()) }),
        ];
        let handle_alone = |cell: Secret<'_>| {
            let mut handle = Ptr::from(cell);
            handle.taint();
            drop(handle.into_pool().unwrap());
        };
        let pool = Pool::growing();
        let filled: Vec<_> = (0..100).map(|_| pool.alloc(SECRET)).collect();
        for (number, end) in ends.into_iter().enumerate() {
            let mut cell = pool.alloc(SECRET);
            let address = (&raw const *cell).cast::<u8>();
            cell.taint();
            end(cell);
            assert!((0..64).all(|at| unsafe { address.add(at).read() } == 0), "end {number}");
        }
        let cell = pool.alloc(SECRET);
        let address = (&raw const *cell).cast::<u8>();
        handle_alone(cell);
        assert_eq!(unsafe { address.read() }, 0);
        assert!(filled.iter().all(|cell| **cell == SECRET));
    }

    #[test]
    fn a_tainted_value_that_nobody_owns_any_more_is_zeroed_with_its_pool() {
        fn leave<S>(pool: &Pool<[u8; 64], S>) {
            let keeps: [fn(kmem::PoolBox<'_, [u8; 64]>); 3] = [
                |cell| assert_eq!(*cell.leak(), SECRET),
                |cell| std::mem::forget(cell),
                |cell| std::mem::forget(Ptr::from(cell)),
            ];
            for keep in keeps {
                let mut cell = pool.alloc(SECRET);
                cell.taint();
                keep(cell);
            }
        }
        let freed = marked_when_freed(|| {
            leave(&Pool::new(3));
            leave(&Pool::try_growing_in(1, kmem::Heap).unwrap());
            #[cfg(feature = "tree")]
            {
                let tree = kmem::Tree::new(0);
                leave(&tree.node().try_push_pool(3).unwrap());
                let pool = tree.node().try_push_pool(3).unwrap();
                leave(&pool);
                std::mem::forget(pool);
            }
        });
        assert_eq!(freed, 0);
    }

    #[test]
    fn what_a_tainted_cell_is_cut_by_is_zeroed() {
        let mut buffer = [0u128; 64];
        unsafe {
            let pool = raw::pool::in_buffer(buffer.as_mut_ptr().cast(), size_of_val(&buffer), 64);
            let mut cell = raw::pool::ao(pool, 64);
            cell.data.write_bytes(MARK, 64);
            raw::ptr::taint(&mut cell);
            cell.shred = 0;
            raw::ptr::resize(&mut cell, 8).unwrap();
            assert_eq!((cell.data.read(), cell.data.add(8).read()), (MARK, 0));
            raw::pool::x(pool);
        }
    }

    #[cfg(feature = "tree")]
    #[test]
    fn a_cell_that_is_tainted_after_it_was_adopted_is_zeroed_with_its_owner() {
        let mut buffer = [0u128; 64];
        unsafe {
            let pool = raw::pool::in_buffer(buffer.as_mut_ptr().cast(), size_of_val(&buffer), 64);
            let mut cell = raw::pool::ao(pool, 64);
            cell.data.write_bytes(MARK, 64);
            let owner = raw::tree::a(std::ptr::null_mut(), std::ptr::null_mut(), 8);
            raw::tree::k(owner, cell).unwrap();
            raw::ptr::taint(&mut cell);
            raw::tree::f(owner);
            assert_eq!(cell.data.read(), 0);
            raw::pool::x(pool);
        }
    }

    #[test]
    fn a_tainted_handle_turned_back_into_the_owner_of_a_pools_cell_stays_tainted() {
        let pool = Pool::new(1);
        let mut handle = Ptr::from(pool.alloc(SECRET));
        handle.taint();
        let cell = handle.into_pool().unwrap();
        let address = (&raw const *cell).cast::<u8>();
        drop(cell);
        assert_eq!(unsafe { address.read() }, 0);
    }

    #[cfg(feature = "ref")]
    #[test]
    fn a_cell_drawn_from_a_tainted_pool_is_zeroed_though_it_has_no_mark() {
        let mut pool = Pool::bytes(100, 1);
        pool.taint();
        let counted = kmem::Ref::new_in(SECRET, &pool);
        let address = (&raw const *counted).cast::<u8>();
        drop(counted);
        assert!((0..64).all(|at| unsafe { address.add(at).read() } == 0));
    }
}

mod sources {
    use super::*;
    use kmem::{Heap, Shredding, Source, SourceCell};

    #[test]
    fn whatever_is_drawn_from_a_shredding_source_is_zeroed() {
        let freed = marked_when_freed(|| {
            let source = SourceCell::new(Shredding::new(Heap));
            #[cfg(feature = "ref")]
            drop(kmem::Ref::new_in(SECRET, &source));
            #[cfg(feature = "tree")]
            kmem::Tree::new_in(SECRET, &source).node().push(SECRET);
            #[cfg(feature = "pool")]
            std::mem::forget(kmem::Pool::try_new_in(3, &source).unwrap().alloc(SECRET));
            assert!(source.source().shreds());
        });
        assert_eq!(freed, 0);
    }

    #[test]
    fn a_shredding_global_allocator_leaves_no_copy_behind_a_growing_block() {
        use std::alloc::{GlobalAlloc, Layout, System};
        let global = Shredding::new(System);
        unsafe {
            let layout = Layout::from_size_align(64, 8).unwrap();
            let mut block = global.alloc(layout);
            block.write_bytes(MARK, 64);
            let mut size = 64;
            while size < 1 << 20 {
                let old = block;
                block = global.realloc(block, Layout::from_size_align(size, 8).unwrap(), size * 2);
                assert_ne!(old, block, "growing moves");
                assert_eq!(block.read(), MARK);
                size *= 2;
            }
            block = global.realloc(block, Layout::from_size_align(size, 8).unwrap(), 32);
            assert!((0..32).all(|at| block.add(at).read() == MARK));
            global.dealloc(block, Layout::from_size_align(32, 8).unwrap());
        }
    }

    #[cfg(feature = "allocator-api2-02")]
    #[test]
    fn collections_over_a_shredding_source_leave_no_copy_when_they_grow() {
        use kmem::allocator_api2::v02::AsAllocator;
        let freed = marked_when_freed(|| {
            let allocator = AsAllocator::new(Shredding::new(Heap));
            let mut bytes = allocator_api2_02::vec::Vec::new_in(allocator);
            for _ in 0..10_000 {
                bytes.push(MARK);
            }
            bytes.truncate(500);
            bytes.shrink_to_fit();
            let allocator = AsAllocator::new(Shredding::new(Heap));
            let mut map = hashbrown::HashMap::new_in(allocator);
            for number in 0..1000 {
                map.insert(number, SECRET);
            }
        });
        assert_eq!(freed, 0);
    }

    #[cfg(feature = "allocator-api2-02")]
    #[test]
    fn the_same_collections_over_the_heap_leave_copies() {
        use kmem::allocator_api2::v02::AsAllocator;
        let freed = marked_when_freed(|| {
            let mut bytes = allocator_api2_02::vec::Vec::new_in(AsAllocator::new(Heap));
            (0..10_000).for_each(|_| bytes.push(MARK));
        });
        assert!(freed > 1, "or the test above could not fail");
    }

    #[cfg(all(feature = "allocator-api2-02", feature = "allocator-api2-04", feature = "pool"))]
    #[test]
    fn collections_over_a_pool_draw_from_it_and_give_back() {
        let pool = kmem::Pool::bytes(4096, 4);
        {
            let v02 = kmem::allocator_api2::v02::AsAllocator::new(&pool);
            let v04 = kmem::allocator_api2::v04::AsAllocator::new(&pool);
            let mut map = hashbrown::HashMap::with_capacity_in(50, v02.clone());
            map.insert("key", "value");
            let boxed = allocator_api2_02::boxed::Box::new_in(7, v02.clone());
            let mut list = allocator_api2_04::vec::Vec::with_capacity_in(100, v04);
            list.extend([1u32, 2, 3]);
            let too_much: Result<(), _> = list.try_reserve(5000);
            assert!(too_much.is_err(), "a cell has 4096 bytes");
            assert_eq!((map["key"], *boxed, list.len(), pool.live()), ("value", 7, 3, 3));
            let empty = allocator_api2_02::vec::Vec::<u64, _>::new_in(v02);
            assert_eq!((empty.len(), pool.live()), (0, 3));
        }
        assert_eq!(pool.live(), 0);
    }
}
