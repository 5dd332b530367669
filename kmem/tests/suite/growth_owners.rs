//! Owners that grow little by little, in safe code.

use std::alloc::Layout;
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;

use kmem::raw::heap;
use kmem::{AllocError, Heap, HeapBox, Node, Pool, Ptr, Ref, Source, SourceCell, Tree};

use crate::support::{drawn, lent_for_ever, quietly, unwind};

/// A safe source in an array that resizes its newest block in place, and runs a callback.
#[derive(Default)]
struct Bump {
    room: RefCell<Vec<u128>>,
    used: Cell<usize>,
    resized: Cell<usize>,
    secrets: Cell<usize>,
    on_resize: Cell<Option<Box<dyn Fn()>>>,
}

impl Bump {
    fn new() -> Bump {
        Bump { room: RefCell::new(vec![0; 4096]), ..Bump::default() }
    }
}

unsafe impl Source for Bump {
    fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let mut room = self.room.borrow_mut();
        let base = room.as_mut_ptr().cast::<u8>();
        let at = (base.addr() + self.used.get()).next_multiple_of(layout.align()) - base.addr();
        if at + layout.size() > room.len() * 16 {
            return Err(AllocError::Exhausted { size: layout.size() });
        }
        self.used.set(at + layout.size());
        Ok(NonNull::new(unsafe { base.add(at) }).unwrap())
    }

    unsafe fn give_back(&self, _: NonNull<u8>, _: Layout) {}

    unsafe fn resize_in_place(&self, block: NonNull<u8>, layout: Layout, size: usize) -> bool {
        if let Some(call) = self.on_resize.take() {
            call();
        }
        let base = self.room.borrow().as_ptr().addr();
        let newest = block.addr().get() + layout.size() == base + self.used.get();
        let end = block.addr().get() - base + size;
        if !newest || end > self.room.borrow().len() * 16 {
            return false;
        }
        for at in size..layout.size() {
            self.secrets.set(self.secrets.get() + usize::from(unsafe { block.add(at).read() } != 0));
        }
        self.used.set(end);
        self.resized.set(self.resized.get() + 1);
        true
    }
}

#[test]
fn safe_owners_grow_and_shrink_in_place() {
    let source = SourceCell::new(Bump::new());
    let mut text = Ref::try_copy_str_in("one", &source).unwrap();
    let first = text.as_ptr();
    for _ in 0..100 {
        Ref::try_push_str(&mut text, " and one").unwrap();
    }
    assert_eq!((text.len(), text.as_ptr()), (803, first));
    let mut numbers = Tree::try_copy_in(&[1u32, 2, 3], &source).unwrap();
    let first = numbers.as_ptr();
    for number in 4..100 {
        numbers.try_extend_from_slice(&[number]).unwrap();
    }
    numbers.try_resize(5, 0).unwrap();
    assert_eq!((&*numbers, numbers.as_ptr()), (&[1, 2, 3, 4, 5][..], first));
    numbers.try_reserve(100).unwrap();
    numbers.try_resize(105, 7).unwrap();
    assert_eq!((numbers[104], numbers.as_ptr()), (7, first));
    assert!(source.source().resized.get() > 5);
}

#[cfg(feature = "shred")]
#[test]
fn references_to_sources_and_shredding_sources_resize_in_place_too() {
    let bump = Bump::new();
    let dynamic: &dyn Source = &bump;
    let source = SourceCell::new(kmem::Shredding::new(dynamic));
    let mut bytes = Ref::try_copy_in(&[7u8; 10], &source).unwrap();
    let first = bytes.as_ptr();
    for len in [1000, 900, 899, 20, 500, 1] {
        Ref::try_resize(&mut bytes, len, 7).unwrap();
        assert_eq!((&*bytes, bytes.as_ptr()), (&vec![7; len][..], first));
    }
    assert!(bump.resized.get() >= 6);
    assert_eq!(bump.secrets.get(), 0, "what was cut off was zeroed before");
}

#[cfg(all(feature = "allocator-api2-02", feature = "shred"))]
#[test]
fn collections_grow_in_place_if_the_source_resizes_in_place() {
    use kmem::Shredding;
    use kmem::allocator_api2::v02::AsAllocator;

    let bump = Bump::new();
    let mut list = allocator_api2_02::vec::Vec::new_in(AsAllocator::new(&bump));
    list.push(1u8);
    let first = list.as_ptr();
    list.extend(0..200);
    list.truncate(3);
    list.shrink_to_fit();
    assert_eq!((&*list, list.as_ptr(), list.capacity()), (&[1, 0, 1][..], first, 3));
    drop(list);

    // A pool's cell has the room. A shredding source moves a cell that shrinks, so that nothing is lost if the move fails.
    let pool = Pool::bytes(100, 2);
    let mut list = allocator_api2_02::vec::Vec::with_capacity_in(8, AsAllocator::new(&pool));
    let first = list.as_ptr();
    list.extend([7u8; 100]);
    assert_eq!(list.as_ptr(), first);
    let bump = Bump::new();
    let mut list =
        allocator_api2_02::vec::Vec::with_capacity_in(100, AsAllocator::new(Shredding::new(&bump)));
    let first = list.as_ptr();
    list.extend([7u8; 1000]);
    assert_eq!(list.as_ptr(), first);
    list.truncate(10);
    list.shrink_to_fit();
    assert_eq!(*list, [7; 10]);
    assert_ne!(list.as_ptr(), first);
}

#[test]
fn a_source_that_unwinds_as_it_resizes_leaves_the_cell_and_its_owner_intact() {
    for tainted in [false, true] {
        let source = SourceCell::new(Bump::new());
        let above = Tree::new(0);
        let mut node: Node<'_, [u8]> = above.node().try_push_child_copy(&[1; 1]).unwrap();
        let mut counted = Ref::try_copy_in(&[9u8; 100], &source).unwrap();
        if tainted && cfg!(feature = "shred") {
            #[cfg(feature = "shred")]
            Ref::taint(&counted);
        }
        let fails = |call: &mut dyn FnMut()| {
            source.source().on_resize.set(Some(Box::new(|| unwind())));
            assert!(quietly(call).is_err());
        };
        fails(&mut || Ref::try_resize(&mut counted, 200, 1).unwrap());
        assert_eq!(*counted, [9; 100]);
        fails(&mut || Ref::try_resize(&mut counted, 95, 1).unwrap());
        fails(&mut || Ref::try_resize(&mut counted, 50, 1).unwrap());
        // A tainted cell was cut before, and its owner knows the new size.
        assert_eq!(counted.len(), if tainted && cfg!(feature = "shred") { 50 } else { 100 });
        assert!(counted.iter().all(|&byte| byte == 9));
        Ref::try_resize(&mut counted, 200, 9).unwrap();
        assert_eq!(*counted, [9; 200]);
        fails(&mut || Ref::try_extend_from_slice(&mut counted, &[9; 100]).unwrap());
        fails(&mut || Ref::try_reserve(&mut counted, 1000).unwrap());
        assert_eq!(*counted, [9; 200]);
        node.try_resize(3, 1).unwrap();
        assert_eq!(*node, [1; 3]);
    }
}

#[test]
fn a_source_may_use_the_tree_as_it_resizes() {
    lent_for_ever(SourceCell::new(Bump::new()), |source| {
        lent_for_ever(Tree::new_in(0usize, source), |tree| {
            let mut node = tree.node().try_push_child_copy(&[1u8; 300]).unwrap();
            for (round, len) in [1000, 100, 2000, 3].into_iter().enumerate() {
                source.source().on_resize.set(Some(Box::new(move || {
                    assert_eq!(tree.node().below(), round + 1);
                    tree.node().push(round);
                })));
                node.try_resize(len, 1).unwrap();
                assert_eq!(*node, vec![1; len]);
                assert_eq!(tree.node().below(), round + 2);
            }
        });
    });
}

#[test]
fn every_owner_appends_and_reserves() {
    let (tree, pool) = (Tree::new(0), Pool::bytes(1000, 2));
    macro_rules! each {
        ($make:expr, $extend:expr, $reserve:expr) => {{
            let mut owner = $make;
            $reserve(&mut owner, 300).unwrap();
            let first = owner.as_ptr();
            for _ in 0..300 {
                $extend(&mut owner, &[7]).unwrap();
            }
            assert_eq!((owner.len(), owner.as_ptr()), (303, first));
            assert_eq!(owner[..3], [1, 2, 3]);
            assert!(owner[3..].iter().all(|&byte| byte == 7));
            assert_eq!($reserve(&mut owner, usize::MAX), Err(AllocError::Overflow));
        }};
    }
    each!(
        HeapBox::try_copy_in(&[1u8, 2, 3], Heap).unwrap(),
        HeapBox::try_extend_from_slice,
        HeapBox::try_reserve
    );
    each!(Ref::try_copy_in(&[1u8, 2, 3], Heap).unwrap(), Ref::try_extend_from_slice, Ref::try_reserve);
    each!(Tree::try_copy_in(&[1u8, 2, 3], Heap).unwrap(), Tree::try_extend_from_slice, Tree::try_reserve);
    each!(
        tree.node().try_push_child_copy(&[1u8, 2, 3]).unwrap(),
        Node::try_extend_from_slice,
        Node::try_reserve
    );
    each!(
        Ptr::from(pool.try_alloc_copy(&[1u8, 2, 3]).unwrap()),
        Ptr::try_extend_from_slice,
        Ptr::try_reserve
    );
    let units = &mut HeapBox::try_copy_in(&[(); 3], Heap).unwrap();
    units.try_extend_from_slice(&[(); 5]).unwrap();
    assert_eq!((units.len(), units.try_reserve(usize::MAX)), (8, Err(AllocError::Overflow)));
}

#[test]
fn a_cell_seldom_moves_during_sixteen_thousand_pushes() {
    for tainted in [false, true] {
        let mut text = HeapBox::<str>::from("");
        if tainted {
            #[cfg(feature = "shred")]
            HeapBox::taint(&mut text);
        }
        let (draws, _) = drawn(|| {
            for _ in 0..16_000 {
                text.try_push_str("sixteen bytes...").unwrap();
            }
        });
        assert!(draws < 40, "{draws}");
        assert_eq!(text.len(), 256_000);
    }
}

#[test]
fn a_cell_without_appends_has_no_spare_room() {
    unsafe {
        let handle = heap::ao(100);
        assert_eq!((*handle.cell).align, 0);
        let data = heap::r(handle.data, 200);
        assert_eq!((*heap::handle(data).cell).align, 0);
        heap::f(data);
    }
}
