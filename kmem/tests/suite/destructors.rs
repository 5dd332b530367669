//! Destructors run once, whoever frees the cell and by whatever path.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;

use kmem::raw::{self, Destructor, Request, heap, pool, ptr, refs, tree};
use kmem::{Heap, HeapBox, Pool, Ptr, Ref, Tree};

use crate::support::{Ends, leaks_nothing, quietly};

unsafe extern "C-unwind" fn count(_data: *mut c_void, arg: *mut c_void) {
    let ended = unsafe { &*arg.cast::<Cell<u32>>() };
    ended.set(ended.get() + 1);
}

fn counting(ended: &Cell<u32>) -> Option<Destructor> {
    Some(Destructor { run: Some(count), arg: std::ptr::from_ref(ended).cast_mut().cast() })
}

#[test]
fn each_method_runs_the_destructor_once_by_each_way_of_freeing() {
    let ended = Cell::new(0);
    for size in [0, 1, 8, 9, 100] {
        for align in [16, 256] {
            let request = Request { drop: counting(&ended), align, ..Request::new(size) };
            leaks_nothing(|| unsafe {
                let makers: [&dyn Fn() -> *mut u8; 3] = [
                    &|| heap::alloc(&request).unwrap().as_ptr(),
                    &|| refs::alloc(null_mut(), &request).unwrap().as_ptr(),
                    &|| tree::alloc(null_mut(), null_mut(), &request).unwrap().as_ptr(),
                ];
                ended.set(0);
                for (make, kind) in makers.iter().zip([1, 3, 4]) {
                    ptr::free(raw::Handle { kind, shred: 0, data: make(), cell: null_mut() });
                }
                heap::f(makers[0]());
                refs::f(makers[1]());
                refs::d(makers[1]());
                tree::f(makers[2]());
                assert_eq!(ended.get(), 7);
                let shared = refs::u(makers[1]());
                refs::f(shared);
                assert_eq!(ended.get(), 7);
                refs::f(shared);
                assert_eq!(ended.get(), 8);
            });
        }
    }
}

#[test]
fn the_destructor_sees_the_bytes_before_they_are_zeroed() {
    unsafe extern "C-unwind" fn look(data: *mut c_void, arg: *mut c_void) {
        unsafe { *arg.cast::<u8>() = data.cast::<u8>().read() };
    }
    let mut seen = 0u8;
    unsafe {
        let drop = Some(Destructor { run: Some(look), arg: (&raw mut seen).cast() });
        let data = heap::alloc(&Request { drop, ..Request::new(8) }).unwrap().as_ptr();
        data.write_bytes(7, 8);
        let mut handle = raw::Handle { kind: 1, shred: 0, data, cell: null_mut() };
        #[cfg(feature = "shred")]
        ptr::taint(&mut handle);
        handle.shred = 1;
        ptr::free(handle);
    }
    assert_eq!(seen, 7);
}

#[test]
fn a_request_for_a_pools_cell_with_a_destructor_of_its_own_is_refused() {
    let ended = Cell::new(0);
    unsafe {
        let pool = pool::i(null_mut(), 8, 8);
        assert!(pool::alloc(pool, &Request { drop: counting(&ended), ..Request::new(8) }).is_err());
        pool::x(pool);
    }
}

#[test]
fn values_that_rust_made_end_where_c_frees_them() {
    leaks_nothing(|| {
        let ends = Ends::default();
        let pool = Pool::new(1);
        let handles = [
            Ptr::from(HeapBox::new(ends.value("heap"))),
            Ptr::from(Ref::new(ends.value("ref"))),
            Ptr::from(pool.alloc(ends.value("pool"))),
            Ptr::from(Tree::new(ends.value("tree"))),
        ];
        for handle in handles {
            unsafe { ptr::free(handle.into_raw()) };
        }
        assert_eq!(ends.seen(), ["heap", "ref", "pool", "tree"]);
    });
}

#[test]
fn values_moved_out_do_not_end() {
    let ends = Ends::default();
    let pool = Pool::new(1);
    let kept = (
        HeapBox::new(ends.value("heap")).into_inner(),
        Ref::try_unwrap(Ref::new(ends.value("ref"))).ok(),
        pool.alloc(ends.value("pool")).into_inner(),
        Tree::new(ends.value("tree")).into_inner(),
    );
    assert!(ends.seen().is_empty());
    drop(kept);
    assert_eq!(ends.seen().len(), 4);
}

#[test]
fn a_panicking_destructor_leaks_neither_its_cell_nor_another() {
    leaks_nothing(|| {
        let ends = Ends::default();
        let heap = HeapBox::new(ends.panicking("heap"));
        assert!(quietly(|| drop(heap)).is_err());
        let counted = Ref::new(ends.panicking("ref"));
        assert!(quietly(|| drop(counted)).is_err());
        let slice = HeapBox::try_from_fn_in(
            3,
            |i| if i == 1 { ends.panicking("slice") } else { ends.value("slice") },
            Heap,
        );
        assert!(quietly(|| drop(slice)).is_err());
        assert_eq!(ends.seen(), ["heap", "ref", "slice", "slice", "slice"]);
    });
}

#[test]
fn a_pool_is_whole_after_a_destructor_panicked() {
    leaks_nothing(|| {
        let ends = Ends::default();
        let pool = Pool::new(2);
        let cell = pool.alloc(ends.panicking("freed"));
        assert!(quietly(|| drop(cell)).is_err());
        assert_eq!(pool.live(), 0);
        std::mem::forget(pool.alloc(ends.panicking("torn down")));
        std::mem::forget(pool.alloc(ends.value("after it")));
        assert!(quietly(|| drop(pool)).is_err());
        assert_eq!(ends.seen(), ["freed", "torn down", "after it"]);
    });
}

#[test]
fn a_destructor_may_use_the_pool_that_its_cell_came_from() {
    struct Draws<'p>(&'p Pool, std::rc::Rc<Cell<usize>>);
    impl Drop for Draws<'_> {
        fn drop(&mut self) {
            let another = Ref::new_in(1u8, self.0);
            self.1.set(usize::from(*another));
        }
    }
    let pool = Pool::bytes(80, 2);
    let ended = std::rc::Rc::new(Cell::new(0));
    drop(Ref::new_in(Draws(&pool, ended.clone()), &pool));
    assert_eq!((ended.get(), pool.live()), (1, 0));
}

#[test]
fn a_destructor_that_frees_a_sibling_or_adds_to_it_leaves_the_walk_whole() {
    unsafe extern "C-unwind" fn free_sibling(_: *mut c_void, arg: *mut c_void) {
        unsafe {
            let [doomed, grown]: [*mut u8; 2] = *arg.cast();
            tree::f(doomed);
            tree::a(null_mut(), grown, 8);
        }
    }
    leaks_nothing(|| unsafe {
        let root = tree::a(null_mut(), null_mut(), 8);
        let mut siblings = [null_mut::<u8>(); 2];
        let slots = &raw mut siblings;
        let drop = Some(Destructor { run: Some(free_sibling), arg: slots.cast() });
        tree::alloc(null_mut(), root, &Request { drop, ..Request::new(8) }).unwrap();
        slots.write([tree::a(null_mut(), root, 8), tree::a(null_mut(), root, 8)]);
        tree::f(root);
    });
}
