use std::collections::HashMap;

use kmem::{AllocError, Heap, HeapBox, raw};

use crate::support::{leaks_nothing, with_allocations};

#[test]
fn data_is_aligned_to_sixteen_bytes_and_as_asked_above_that() {
    for align in [1, 2, 16, 32, 64, 128, 1024, 4096] {
        let request = raw::Request { align, ..raw::Request::new(10) };
        let data = unsafe { raw::heap::alloc(&request) }.unwrap();
        assert_eq!(data.addr().get() % align.max(16), 0, "alignment {align}");
        unsafe { data.write_bytes(1, 10) };
        unsafe { raw::heap::f(data.as_ptr()) };
    }
}

#[test]
fn alignments_that_are_no_power_of_two_or_above_a_page_are_refused() {
    for align in [3, 48, 8192, usize::MAX] {
        let request = raw::Request { align, ..raw::Request::new(10) };
        let refused = unsafe { raw::heap::alloc(&request) }.unwrap_err();
        assert_eq!(refused, AllocError::Align { align, max: 4096 });
    }
}

#[test]
fn the_header_is_as_the_contract_has_it() {
    unsafe {
        let handle = raw::heap::ao(100);
        assert_eq!(handle.cell.addr(), handle.data.addr() - 16);
        assert_eq!(((*handle.cell).kind, (*handle.cell).size), (1, 116));
        assert_eq!((handle.kind, handle.shred), (1, 0));
        raw::ptr::free(handle);
    }
}

#[test]
fn sizes_that_overflow_with_the_header_are_refused() {
    for size in [usize::MAX, usize::MAX - 15, isize::MAX as usize, isize::MAX as usize - 30] {
        assert_eq!(unsafe { raw::heap::alloc(&raw::Request::new(size)) }, Err(AllocError::Overflow));
        assert!(unsafe { raw::heap::a(size) }.is_null());
        assert!(unsafe { raw::heap::zo(size) }.is_null());
    }
    let most = isize::MAX as usize - 4 * raw::MAX_ALIGN;
    match unsafe { raw::heap::alloc(&raw::Request::new(most)) } {
        // Half of a small address space may be free.
        Ok(cell) if usize::BITS < 64 => unsafe { raw::heap::f(cell.as_ptr()) },
        refused => assert_eq!(refused, Err(AllocError::Exhausted { size: most + 16 })),
    }
}

#[test]
fn empty_cells_have_addresses_of_their_own() {
    unsafe {
        let (one, two) = (raw::heap::a(0), raw::heap::z(0));
        assert!(!one.is_null() && !two.is_null() && one != two);
        raw::heap::f(one);
        raw::heap::f(two);
    }
}

#[test]
fn zeroed_cells_are_zero_where_memory_was_used_before() {
    for _ in 0..100 {
        unsafe {
            let data = raw::heap::a(200);
            data.write_bytes(0xFF, 200);
            raw::heap::f(data);
            let data = raw::heap::z(200);
            assert!((0..200).all(|at| data.add(at).read() == 0));
            raw::heap::f(data);
        }
    }
}

#[test]
fn exhaustion_gives_the_value_back() {
    let name = String::from("kept");
    let refused = with_allocations(0, || HeapBox::try_new(name)).unwrap_err();
    assert!(matches!(refused.error(), AllocError::Exhausted { .. }));
    assert_eq!(refused.into_value(), "kept");
}

#[test]
fn slices_strings_and_sized_values_come_and_go() {
    leaks_nothing(|| {
        let strings = HeapBox::try_from_fn_in(10, |i| i.to_string(), Heap).unwrap();
        assert_eq!(strings.concat(), "0123456789");
        let from_vec: HeapBox<[String]> = vec![String::from("a"), String::from("b")].into();
        assert_eq!(from_vec.len(), 2);
        let collected: HeapBox<[String]> = (0..3).map(|i| i.to_string()).collect();
        assert_eq!(collected[2], "2");
        let text: HeapBox<str> = "text".into();
        assert_eq!(&*text, "text");
        let cloned: HeapBox<[String]> = (&strings[..2]).into();
        assert_eq!(*cloned, ["0", "1"]);
        assert_eq!(HeapBox::new(String::from("moved")).into_inner(), "moved");
        let unit = HeapBox::new(());
        assert_eq!(*unit, ());
    });
}

#[test]
fn a_slice_whose_maker_panics_leaks_nothing() {
    let counted = std::rc::Rc::new(());
    let result = crate::support::quietly(|| {
        HeapBox::try_from_fn_in(10, |i| if i == 5 { crate::support::unwind() } else { counted.clone() }, Heap)
    });
    assert!(result.is_err());
    assert_eq!(std::rc::Rc::strong_count(&counted), 1);
}

#[test]
fn a_box_behaves_as_its_value_in_collections() {
    let mut map: HashMap<HeapBox<str>, u32> = HashMap::new();
    map.insert("key".into(), 7);
    assert_eq!(map.get("key"), Some(&7));
    let mut numbers: Vec<HeapBox<u32>> = vec![3.into(), 1.into(), 2.into()];
    numbers.sort();
    assert_eq!(format!("{numbers:?}"), "[1, 2, 3]");
    assert_eq!(format!("{}", numbers[0]), "1");
}

#[test]
fn over_aligned_values_with_destructors_end_once() {
    #[repr(align(256))]
    struct Wide(String);
    leaks_nothing(|| {
        let wide = HeapBox::new(Wide("wide".into()));
        assert_eq!((&raw const *wide).addr() % 256, 0);
        assert_eq!(wide.0, "wide");
        let moved = wide.into_inner();
        assert_eq!(moved.0, "wide");
    });
}
