//! Misuses between the allocation and the free: resizes, moves, adoptions, hooks and looks.

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

/// Runs `work` with a store whose cells stay readable after they are freed.
fn with_store(work: impl FnOnce(*mut raw::Cell)) {
    let mut block = [0u128; 400];
    unsafe {
        let store = pool::in_buffer(block.as_mut_ptr().cast(), size_of_val(&block), 200);
        work(store.cast());
        pool::x(store);
    }
}

/// The single fault of `work`.
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
fn a_freed_cell_is_not_resized_moved_adopted_hooked_or_released() {
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
fn a_look_at_a_freed_cell_is_caught() {
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
            assert_eq!(
                fault(|| assert_eq!(ptr::size_for(fault::Call::new(c"kmcat"), handle), None)),
                freed("kmcat")
            );
            assert_eq!(fault(|| assert_eq!(ptr::name(handle), None)), freed("kmname"));
            assert_eq!(fault(|| assert!(!ptr::rename(handle, c"any"))), freed("kmrename"));
            assert_eq!(fault(|| assert!(ptr::cast(handle, c"any").is_null())), freed("kmcast"));
        }
        assert_eq!(wrote, 0);
    });
}

#[test]
fn a_look_at_a_destroyed_pool_is_caught() {
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
fn a_node_that_is_being_freed_may_only_be_looked_at() {
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
fn a_resize_of_a_cell_with_a_corrupt_header_changes_nothing() {
    leaks_nothing(|| unsafe {
        for handle in [heap::zo(8), refs::zo(null_mut(), 8), tree::zo(null_mut(), null_mut(), 8)] {
            let cell = &mut *handle.cell;
            let right = cell.size;
            for (size, misuse) in
                [(0, Misuse::Damaged), (isize::MAX as usize, Misuse::Damaged), (right + 1, Misuse::OtherHeap)]
            {
                cell.size = size;
                let mut it = handle;
                assert_eq!(fault(|| assert!(ptr::resize(&mut it, 100).is_err())), ("kmresize", misuse));
                assert_eq!(
                    fault(|| assert_eq!(ptr::size_for(fault::Call::new(c"kmcat"), it), None)),
                    ("kmcat", misuse)
                );
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
fn a_node_with_corrupt_links_is_not_moved_resized_or_added_to() {
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
        let small: *mut Node = std::ptr::without_provenance_mut(64);
        for to in [wild, small, node(other)] {
            for link in [&raw mut (*two).prev, &raw mut (*two).next] {
                let free = || assert!(tree::f(kids[1]).is_null());
                assert_eq!(with(link, to, &free), damaged("kmtreef"));
                let seen = with(link, to, &|| assert!(tree::m(kids[1], other).is_err()));
                assert_eq!(seen, damaged("kmtreem"));
                let seen = with(link, to, &|| assert!(tree::r(kids[1], 10_000).is_null()));
                assert_eq!(seen, damaged("kmtreer"));
                let seen = with(link, to, &|| assert_eq!(tree::mc(above, other), Err(AllocError::Misused)));
                assert_eq!(seen, damaged("kmtreemc"));
            }
            let first = &raw mut (*node(above)).child;
            assert_eq!(with(first, to, &|| assert!(tree::mc(above, other).is_err())), damaged("kmtreemc"));
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
fn an_adopted_object_is_freed_once_and_the_second_free_is_caught() {
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

#[cfg(all(feature = "shred", target_pointer_width = "64"))]
#[test]
fn a_pools_cell_whose_free_is_refused_stays_tainted() {
    /// The word of a pool's header with the address of its destructor.
    const DESTRUCTOR: usize = 12;
    unsafe extern "C-unwind" fn nothing(_: *mut c_void, _: *mut c_void) {}
    let mut buffer = [0u128; 64];
    let (bytes, len) = (buffer.as_mut_ptr().cast::<u8>(), size_of_val(&buffer));
    unsafe {
        let drop = Some(Destructor { run: Some(nothing), arg: null_mut() });
        let pool = pool::init_in_buffer(bytes, len, &pool::Spec { drop, ..pool::Spec::new(32, 0) });
        let pool = pool.unwrap().as_ptr();
        let cell = pool::a(pool);
        cell.write_bytes(0xaa, 32);
        ptr::taint(&mut pool::handle(cell));
        let word = pool.cast::<usize>().add(DESTRUCTOR);
        let right = word.replace(word.read() ^ 1 << 62);
        assert_eq!(fault(|| pool::f(cell)), ("kmpoolf", Misuse::Damaged));
        word.write(right);
        pool::f(cell);
        pool::x(pool);
        assert_eq!(std::slice::from_raw_parts(cell, 32), [0; 32]);
    }
}

#[test]
fn an_overwritten_hook_is_not_called() {
    unsafe extern "C-unwind" fn never(_: *mut c_void, _: *mut c_void) {
        unreachable!("a hook ran");
    }
    // The node stays allocated in the store.
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
fn an_overwritten_name_is_not_read() {
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
