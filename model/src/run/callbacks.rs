//! The functions that kmem calls: those of the sources, the destructor and the hook. They note each call here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

use kmem::Kind;
use kmem::fault::Fault;
use kmem::raw::{Source, pool, tree};

use crate::face::{Ask, Face, Way};
use crate::memory;
use crate::things::{self, Id};

pub(super) const STEP: usize = 64;

thread_local! {
    /// The number and the size of each live object, by the address of its data. A destructor has nothing else.
    pub(super) static ALIVE: RefCell<HashMap<usize, (Id, usize)>> = RefCell::default();
    /// The calls of destructors and hooks, in order.
    pub(super) static ENDED: RefCell<Vec<Ran>> = const { RefCell::new(Vec::new()) };
    /// The blocks of the custom sources: source, size and alignment by address.
    pub(super) static GIVEN: RefCell<HashMap<usize, (usize, usize, usize)>> = RefCell::default();
    pub(super) static FAULTS: RefCell<Vec<Fault>> = const { RefCell::new(Vec::new()) };
}

/// A call of a destructor or a hook: the data, the argument, and for a hook the number of nodes below.
pub(super) type Ran = (usize, usize, usize);

pub(super) unsafe extern "C-unwind" fn take(source: *mut Source, size: usize, align: usize) -> *mut c_void {
    assert!(align >= 16 && align.is_power_of_two() && size > 0);
    let block = unsafe { std::alloc::alloc(behind(source, size, align)) };
    memory::model(|| {
        if !block.is_null() {
            let before =
                GIVEN.with_borrow_mut(|given| given.insert(block.addr(), (source.addr(), size, align)));
            assert_eq!(before, None, "the heap allocated a block twice");
        }
    });
    block.cast()
}

pub(super) unsafe extern "C-unwind" fn give(
    source: *mut Source,
    block: *mut c_void,
    size: usize,
    align: usize,
) {
    memory::model(|| {
        let given = GIVEN.with_borrow_mut(|given| given.remove(&block.addr()));
        assert_eq!(
            given,
            Some((source.addr(), size, align)),
            "a block was freed with another layout or source"
        );
    });
    unsafe { std::alloc::dealloc(block.cast(), behind(source, size, align)) };
}

/// The layout that a source requests from the heap.
pub(super) fn behind(source: *mut Source, size: usize, align: usize) -> std::alloc::Layout {
    let resizes = unsafe { (*source).resize.is_some() };
    let size = if resizes && size < isize::MAX as usize / 2 { size.next_multiple_of(STEP) } else { size };
    std::alloc::Layout::from_size_align(size, align).expect("a layout")
}

pub(super) unsafe extern "C-unwind" fn resize(
    source: *mut Source,
    block: *mut c_void,
    from: usize,
    to: usize,
    align: usize,
) -> c_int {
    memory::model(|| {
        GIVEN.with_borrow_mut(|given| {
            let there = given.get_mut(&block.addr()).expect("a block of this source");
            assert_eq!(
                *there,
                (source.addr(), from, align),
                "a block was resized with another layout or source"
            );
            let same = behind(source, from, align) == behind(source, to, align);
            if same {
                there.1 = to;
            }
            same.into()
        })
    })
}

/// The destructor of all objects. It checks the contents, notes the call and uses kmem.
pub(super) unsafe extern "C-unwind" fn ended<F: Face>(data: *mut c_void, arg: *mut c_void) {
    memory::model(|| {
        assert_eq!(arg.addr(), ARG, "the destructor got another argument");
        let known = ALIVE.with_borrow(|alive| alive.get(&data.addr()).copied());
        let (id, size) = known.expect("the destructor of what is alive");
        assert!(
            unsafe { things::intact(id, data.cast(), size) },
            "contents were gone before the destructor ran"
        );
        ENDED.with_borrow_mut(|ended| ended.push((data.addr(), ARG, 0)));
    });
    use_kmem::<F>();
}

/// The hook of all nodes. It checks that the nodes below are still there, notes the call and uses kmem.
pub(super) unsafe extern "C-unwind" fn hooked<F: Face>(data: *mut c_void, arg: *mut c_void) {
    memory::model(|| {
        match ALIVE.with_borrow(|alive| alive.get(&data.addr()).copied()) {
            Some((id, size)) => {
                assert!(
                    unsafe { things::intact(id, data.cast(), size) },
                    "contents were gone before a hook ran"
                );
            }
            None => {
                unsafe { pool::verify(data.cast()) }.expect("a sound pool");
            }
        }
        let below = unsafe { tree::below(data.cast()) };
        ENDED.with_borrow_mut(|ended| ended.push((data.addr(), arg.addr(), below)));
    });
    use_kmem::<F>();
}

pub(super) fn use_kmem<F: Face>() {
    let ask = Ask { size: 40, align: 0, zero: true, drop: None, handle: false, name: None, any: false };
    unsafe {
        let scratch = F::make(Kind::Heap, null_mut(), null_mut(), &ask);
        F::free(Kind::Heap, scratch, Way::Free);
    }
}

pub(super) const ARG: usize = 0xA46;
