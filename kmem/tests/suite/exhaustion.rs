//! The allocator fails at every single point, and nothing is lost.

use kmem::{Heap, HeapBox, Pool, Ptr, Ref, Tree};

use crate::support::{leaks_nothing, with_allocations};

/// Everything at once, giving up at the first refusal.
fn work() -> Result<usize, Box<str>> {
    let refused = |_| Box::<str>::default();
    let name = HeapBox::try_copy_str("name").map_err(refused)?;
    let shared = Ref::try_new([1u64; 4]).map_err(|e| refused(e.error()))?;
    let tree = Tree::try_new(shared.clone()).map_err(|e| refused(e.error()))?;
    let branch = tree.node().try_push(shared.clone()).map_err(|e| refused(e.error()))?;
    branch.try_push(shared.clone()).map_err(|e| refused(e.error()))?;
    let extra = branch.try_child([7u8; 100]).map_err(|e| refused(e.error()))?;
    let numbers = branch.pool::<u32>(10).map_err(refused)?;
    let pool = Pool::<Ref<[u64; 4]>, _>::try_growing_in(1, Heap).map_err(refused)?;
    let bytes = Pool::try_growing_bytes_in(300, 1, Heap).map_err(refused)?;
    let mut cells = [const { None }; 5];
    for cell in &mut cells {
        *cell = Some(Ptr::from(pool.try_alloc(shared.clone()).map_err(|e| refused(e.error()))?));
    }
    let in_pool = Tree::try_new_in(1, &bytes).map_err(|e| refused(e.error()))?;
    in_pool.node().try_push(2).map_err(|e| refused(e.error()))?;
    in_pool.node().try_push(3).map_err(|e| refused(e.error()))?;
    let seven = numbers.try_alloc(7).map_err(|e| refused(e.error()))?;
    let slice = Ref::try_from_fn_in(3, |_| shared.clone(), Heap).map_err(refused)?;
    assert_eq!((&*name, *seven, slice.len(), extra.len()), ("name", 7, 3, 100));
    assert_eq!(tree.node().below(), 4);
    Ok(Ref::count(&shared))
}

#[test]
fn whichever_allocation_fails_nothing_leaks_and_the_next_try_succeeds() {
    let mut refusals = 0;
    loop {
        let result = leaks_nothing(|| with_allocations(refusals, work));
        if let Ok(count) = result {
            assert_eq!(count, 12);
            break;
        }
        refusals += 1;
        assert_eq!(leaks_nothing(work), Ok(12));
    }
    assert_eq!(refusals, 13, "the work has so many points at which it can fail");
}
