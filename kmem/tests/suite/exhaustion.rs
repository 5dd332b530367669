//! The allocator fails at every single point, and nothing is lost.

use kmem::{AllocError, Heap, HeapBox, Named, Pool, Ptr, Ref, Tree};

use crate::support::{leaks_nothing, with_allocations};

/// Everything at once, giving up at the first refusal.
fn work() -> Result<usize, Box<str>> {
    let refused = |_| Box::<str>::default();
    let name = HeapBox::try_copy_str_in("name", Heap).map_err(refused)?;
    let shared = Ref::try_new([1u64; 4]).map_err(|e| refused(e.error()))?;
    let tree = Tree::try_new(shared.clone()).map_err(|e| refused(e.error()))?;
    let branch = tree.node().try_push(shared.clone()).map_err(|e| refused(e.error()))?;
    branch.try_push(shared.clone()).map_err(|e| refused(e.error()))?;
    let extra = branch.try_push_child([7u8; 100]).map_err(|e| refused(e.error()))?;
    let numbers = branch.try_push_pool::<u32>(10).map_err(refused)?;
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

/// All by which cells grow and get names, and trees hooks and what they adopt, giving up at the first refusal.
fn life() -> Result<usize, AllocError> {
    let shared = Ref::try_new_in([7u64; 4], Named(c"shared", Heap))?;
    let mut bytes = HeapBox::<[u8]>::try_copy_in(&[1; 8], Heap)?;
    let mut text = Ref::try_copy_str_in("text", Heap)?;
    let mut root = Tree::try_copy_str_in("root", Heap)?;
    let tree = Tree::try_new_in(shared.clone(), Named(c"tree", Heap))?;
    let branch = Named(c"branch", tree.node()).try_push(shared.clone())?;
    branch.try_adopt(shared.clone())?;
    let held = branch.try_adopt(HeapBox::try_new_in(shared.clone(), Named(c"held", Heap))?)?;
    let one = shared.clone();
    branch.try_on_free(move || drop(one))?;
    let two = shared.clone();
    let hook = branch.try_on_free(move || drop(two))?;
    let mut numbers = branch.try_push_child_copy(&[1u8; 8])?;
    let mut handle = Ptr::from(branch.try_push_child_str("handle")?);
    let child = Named(c"child", branch).try_push_child(shared.clone())?;
    child.node().graft(Tree::try_new(shared.clone())?);
    branch.push_tree(Tree::try_new(shared.clone())?);
    // What grows in place takes no new block: something between lets each be the first to fail.
    let between = || HeapBox::try_new(7u64).map_err(AllocError::from).map(drop);
    bytes.try_resize(1000, 2)?;
    between()?;
    Ref::try_push_str(&mut text, " and more")?;
    between()?;
    root.try_push_str(" and more")?;
    between()?;
    numbers.try_resize(100, 2)?;
    between()?;
    handle.try_push_str(" and more")?;
    let mut detached = child.detach().map_err(|_| AllocError::Misused)?;
    assert_eq!((bytes.len(), &*text, &*root), (1000, "text and more", "root and more"));
    assert_eq!((numbers.len(), &*handle, held.len()), (100, "handle and more", 4));
    assert_eq!((tree.node().below(), detached.walk().count()), (6, 2));
    hook.cancel();
    drop(held.release());
    Ok(Ref::count(&shared))
}

#[test]
#[cfg_attr(kmem_valgrind, ignore = "cells always move")]
fn whichever_allocation_of_a_nodes_life_fails_nothing_leaks_and_the_next_try_succeeds() {
    let mut refusals = 0;
    loop {
        let result = leaks_nothing(|| with_allocations(refusals, life));
        if let Ok(count) = result {
            assert_eq!(count, 8);
            break;
        }
        refusals += 1;
        assert_eq!(leaks_nothing(life), Ok(8));
    }
    assert_eq!(refusals, 22, "the work has so many points at which it can fail");
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
