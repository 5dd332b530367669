//! The one handle, safe.

use kmem::{HeapBox, Kind, Pool, Ptr, Ref, Tree};
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::support::{Ends, leaks_nothing};

assert_not_impl_any!(Ptr<'static, u32>: Send, Sync);
assert_impl_all!(Ptr<'static, str>: Unpin, std::fmt::Display, Ord, std::hash::Hash);

#[test]
fn a_handle_of_a_sized_value_takes_two_words() {
    assert_eq!(size_of::<Ptr<'_, u64>>(), 2 * size_of::<usize>());
    assert_eq!(size_of::<Option<Ptr<'_, u64>>>(), 2 * size_of::<usize>());
    assert_eq!(size_of::<Ptr<'_, str>>(), 3 * size_of::<usize>());
}

#[test]
fn every_owner_becomes_a_handle_and_comes_back() {
    leaks_nothing(|| {
        let pool = Pool::new(1);
        let heap = Ptr::from(HeapBox::new(1)).into_heap().unwrap();
        let counted = Ptr::from(Ref::new(2)).into_ref().unwrap();
        let cell = Ptr::from(pool.alloc(3)).into_pool().unwrap();
        let tree = Ptr::from(Tree::new(4)).into_tree().unwrap();
        assert_eq!((*heap, *counted, *cell, *tree), (1, 2, 3, 4));
    });
}

#[test]
fn a_handle_comes_back_only_as_what_it_is() {
    let bytes = Pool::bytes(100, 4);
    let heap =
        Ptr::from(HeapBox::new(1)).into_ref().unwrap_err().into_tree().unwrap_err().into_pool().unwrap_err();
    assert!(heap.as_borrowed().into_heap().is_err(), "a lent handle owns nothing");
    assert_eq!(*heap.into_heap().unwrap(), 1);

    assert!(Ptr::from(Ref::new_in(1, &bytes)).into_ref().is_err(), "drawn from a pool");
    assert!(Ptr::from(Tree::new_in(1, &bytes)).into_tree().is_err(), "drawn from a pool");
    let tree = Tree::new(0);
    assert!(Ptr::from(tree.push_child(1)).into_tree().is_err(), "not a root");
    assert_eq!(tree.node().below(), 0, "a handle on a child frees it");
}

#[test]
fn only_a_sole_owner_gives_its_value_out() {
    let pool = Pool::new(1);
    let fixed = 5;
    let shared = Ref::new(2);
    let mut handles: [Ptr<'_, i32>; 5] = [
        HeapBox::new(1).into(),
        shared.clone().into(),
        pool.alloc(3).into(),
        Tree::new(4).into(),
        (&fixed).into(),
    ];
    let given: Vec<bool> = handles.iter_mut().map(|handle| handle.get_mut().is_some()).collect();
    assert_eq!(given, [true, false, true, true, false]);
    drop(shared);
    assert!(handles[1].get_mut().is_some());
    assert!(handles[0].as_borrowed().get_mut().is_none());
    let clones: Vec<bool> = handles.iter().map(|handle| handle.try_clone().is_some()).collect();
    assert_eq!(clones, [false, true, false, false, true]);
    let again = handles[1].try_clone();
    assert!(handles[1].get_mut().is_none());
    drop(again);
}

#[test]
fn strings_and_slices_behind_one_type() {
    leaks_nothing(|| {
        let pool = Pool::bytes(16, 1);
        let text: [Ptr<'_, str>; 4] = [
            "static".into(),
            HeapBox::<str>::from("heap").into(),
            Ref::<str>::from("ref").into(),
            pool.try_alloc_str("pool").unwrap().into(),
        ];
        let kinds = text.each_ref().map(Ptr::kind);
        assert_eq!(kinds, [Kind::None, Kind::Heap, Kind::Ref, Kind::Pool]);
        assert_eq!(text.each_ref().map(|t| t.len()).iter().sum::<usize>(), 17);
        let mut sorted = text;
        sorted.sort();
        assert_eq!(format!("{}", sorted[0]), "heap");
    });
}

#[test]
fn a_handle_passes_through_c_and_back() {
    leaks_nothing(|| {
        let ends = Ends::default();
        let handle = Ptr::from(Ref::new(ends.value("there and back"))).into_raw();
        let back = unsafe { Ptr::from_raw(handle) }.unwrap();
        let _: &crate::support::Ending = &back;
        assert_eq!(back.kind(), Kind::Ref);
        drop(back);
        assert_eq!(ends.seen(), ["there and back"]);
        assert!(unsafe { Ptr::<u8>::from_raw(kmem::raw::Handle::NULL) }.is_none());
        assert!(unsafe { kmem::raw::pool::handle(std::ptr::null_mut()) }.is_null());
        assert!(unsafe { kmem::raw::tree::handle(std::ptr::null_mut()) }.is_null());
    });
}

#[test]
fn a_lent_handle_is_static_to_c() {
    let owner = Ptr::from(HeapBox::new(7));
    let lent = owner.as_borrowed();
    assert_eq!(lent.kind(), Kind::Heap);
    let handle = lent.into_raw();
    assert_eq!(handle.kind, 0);
    unsafe { kmem::raw::ptr::free(handle) };
    assert_eq!(*owner, 7);
}

#[test]
fn a_tree_is_walked_through_its_handle() {
    let tree = Tree::new("root");
    tree.node().push("a").push("a1");
    tree.node().push("b");
    let root = Ptr::from(tree);
    fn draw(ptr: &Ptr<'_, &str>) -> String {
        let below: Vec<_> = ptr.children().map(|child| draw(&child)).collect();
        format!("{}({})", **ptr, below.join(" "))
    }
    assert_eq!(draw(&root), "root(a(a1()) b())");
    assert_eq!(Ptr::from(HeapBox::new("leaf")).children().count(), 0);
}

#[test]
fn every_owner_of_a_value_owns_it_as_a_trait_object_too() {
    use kmem::unsize;
    trait Named {
        fn name(&self) -> &'static str;
    }
    impl Named for crate::support::Ending {
        fn name(&self) -> &'static str {
            self.name
        }
    }
    leaks_nothing(|| {
        let ends = Ends::default();
        let pool = Pool::new(1);
        let tree = Tree::new(0);
        let mut counted: Ref<dyn Named> = unsize!(Ref::new(ends.value("ref")) => dyn Named);
        assert_eq!(Ref::get_mut(&mut counted).unwrap().name(), "ref");
        let handles: [Ptr<'_, dyn Named>; 4] = [
            unsize!(HeapBox::new(ends.value("heap")) => dyn Named).into(),
            counted.into(),
            unsize!(Ptr::from(pool.alloc(ends.value("pool"))) => dyn Named),
            unsize!(Tree::new(ends.value("tree")) => dyn Named).into(),
        ];
        assert_eq!(handles.each_ref().map(|handle| handle.name()), ["heap", "ref", "pool", "tree"]);
        drop(handles);
        assert_eq!(ends.seen(), ["heap", "ref", "pool", "tree"]);
        let node: Ptr<'_, [i32]> = unsize!(tree.push_child([1, 2]) => [i32]).into();
        assert_eq!(node.len(), 2);
    });
}
