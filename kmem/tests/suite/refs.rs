use std::sync::atomic::Ordering;

#[cfg(feature = "pool")]
use kmem::{AllocError, Pool};
use kmem::{Heap, Ref, raw};
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::support::leaks_nothing;

assert_impl_all!(Ref<u32>: Send, Sync, Unpin, std::panic::UnwindSafe);
assert_impl_all!(Ref<str>: Send, Sync);
assert_not_impl_any!(Ref<std::cell::Cell<u32>>: Send, Sync);
assert_not_impl_any!(Ref<std::rc::Rc<u32>>: Send, Sync);
#[cfg(feature = "pool")]
assert_not_impl_any!(Ref<u32, &'static Pool>: Send, Sync);

#[test]
fn the_header_is_as_the_contract_has_it() {
    unsafe {
        let handle = raw::refs::zo(std::ptr::null_mut(), 100);
        assert_eq!(handle.cell.addr(), handle.data.addr() - 32);
        let header = &*handle.cell.cast::<raw::Ref>();
        assert_eq!((header.cell.kind, header.cell.size), (3, 132));
        assert_eq!(header.refs.load(Ordering::Relaxed), 1);
        assert!(header.src.is_null());
        raw::ptr::free(handle);
    }
}

#[test]
fn only_a_sole_reference_gives_its_value_out() {
    leaks_nothing(|| {
        let mut one = Ref::new(String::from("one"));
        Ref::get_mut(&mut one).unwrap().push('!');
        let two = one.clone();
        assert!(Ref::get_mut(&mut one).is_none());
        let one = Ref::try_unwrap(one).unwrap_err();
        assert!(Ref::ptr_eq(&one, &two));
        drop(two);
        assert_eq!(Ref::try_unwrap(one).unwrap(), "one!");
    });
}

#[test]
fn making_a_shared_value_mutable_clones_it() {
    let mut one = Ref::new(vec![1]);
    let two = one.clone();
    Ref::make_mut(&mut one).push(2);
    assert_eq!((&**one, &**two), (&[1, 2][..], &[1][..]));
    let before = Ref::into_non_null(one);
    let mut one: Ref<Vec<i32>> = unsafe { Ref::from_non_null(before) };
    Ref::make_mut(&mut one).push(3);
    assert_eq!(std::ptr::NonNull::from(&*one), before, "a sole reference is changed in place");
}

#[test]
fn strings_and_slices_are_payloads_like_any() {
    leaks_nothing(|| {
        let text: Ref<str> = "text".into();
        assert_eq!(&*text.clone(), "text");
        let many: Ref<[String]> = (0..5).map(|i| i.to_string()).collect();
        assert_eq!(many.clone().concat(), "01234");
        let none: Ref<[String]> = Vec::new().into();
        assert!(none.is_empty());
        let mut bytes = Ref::try_copy_in(&[1u8, 2, 3], Heap).unwrap();
        Ref::get_mut(&mut bytes).unwrap()[0] = 9;
        assert_eq!(*bytes, [9, 2, 3]);
    });
}

#[cfg(feature = "pool")]
#[test]
fn references_drawn_from_a_pool_give_their_cell_back() {
    let pool = Pool::bytes(64, 2);
    let one = Ref::new_in(1u64, &pool);
    let two = one.clone();
    let three = Ref::new_in(3u64, &pool);
    assert!(matches!(Ref::try_new_in(4u64, &pool).unwrap_err().error(), AllocError::Exhausted { .. }));
    drop((one, two));
    assert_eq!(pool.live(), 1);
    drop(three);
    assert_eq!(pool.live(), 0);
}

#[cfg(feature = "pool")]
#[test]
fn cells_too_small_or_too_little_aligned_are_said_so() {
    #[derive(Debug)]
    #[repr(align(64))]
    struct Wide;
    let pool = Pool::bytes(40, 2);
    assert_eq!(Ref::try_new_in([0u8; 9], &pool).unwrap_err().error(), AllocError::Size { size: 41, max: 40 });
    assert_eq!(Ref::try_new_in(Wide, &pool).unwrap_err().error(), AllocError::Size { size: 64, max: 40 });
    let pool = Pool::bytes(400, 2);
    assert_eq!(Ref::try_new_in(Wide, &pool).unwrap_err().error(), AllocError::Align { align: 64, max: 16 });
}
