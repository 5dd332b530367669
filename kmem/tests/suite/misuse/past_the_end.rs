//! A write past the end of the cell before, of up to 16 bytes, by an attacker who knows the layout of headers.

use super::*;
use std::ffi::c_void;

unsafe extern "C-unwind" fn never(_: *mut c_void, _: *mut c_void) {
    unreachable!("a forged destructor ran");
}

/// Writes `forged` to the place and returns the faults of `call`. If there are any, writes the former value back: nothing was freed.
unsafe fn with<T>(place: *mut T, forged: T, call: impl FnOnce()) -> Vec<Misuse> {
    unsafe {
        let right = place.replace(forged);
        let seen = faults(call);
        if !seen.is_empty() {
            place.write(right);
        }
        seen.into_iter().map(|(_, misuse)| misuse).collect()
    }
}

/// A heap cell's seal has seven bits, so about one forged header in 128 bears the right one and cannot be told from a genuine
/// header. A genuine cell with the forged size and flags shows if a forgery is one of these.
#[test]
fn an_overwritten_header_is_caught_unless_its_seal_is_right_by_chance() {
    type Make = unsafe fn(&raw::Request) -> Result<std::ptr::NonNull<u8>, kmem::AllocError>;
    type Method = (usize, Make, unsafe fn(*mut u8));
    let methods: [Method; 3] = [
        (16, |request| unsafe { raw::heap::alloc(request) }, raw::heap::f),
        (32, |request| unsafe { raw::refs::alloc(null_mut(), request) }, raw::refs::f),
        (
            64,
            |request| unsafe { raw::tree::alloc(null_mut(), null_mut(), request) },
            |data| unsafe {
                raw::tree::f(data);
            },
        ),
    ];
    for (header, make, free) in methods {
        let made = |size, slot: bool| unsafe {
            let drop = slot.then_some(raw::Destructor { run: None, arg: null_mut() });
            let data = make(&raw::Request { drop, ..raw::Request::new(size) }).unwrap().as_ptr();
            (data, data.sub(header).cast::<raw::Cell>())
        };
        let mut by_chance = 0;
        for (size, slot) in (16..48).flat_map(|size| [(size, false), (size, true)]) {
            unsafe {
                let (data, cell) = made(48, false);
                // The data looks like the slot of a destructor.
                data.cast::<[usize; 6]>().write([never as *const () as usize; 6]);
                let (twin, genuine) = made(size, slot);
                if (*genuine).heap == (*cell).heap {
                    by_chance += 1;
                } else {
                    (*cell).flags = (*genuine).flags;
                    let seen = with(&raw mut (*cell).size, header + size, || free(data));
                    assert!(
                        matches!(seen[..], [Misuse::OtherHeap | Misuse::Damaged]),
                        "{size} bytes, slot {slot}: {seen:?}"
                    );
                    (*cell).flags = 0;
                }
                free(data);
                free(twin);
            }
        }
        assert!(by_chance < 4, "{by_chance} of 64");
    }
}

/// The place of the word with the end of the block follows from the size. A forged size would lead to memory that is not mapped.
#[cfg(target_pointer_width = "64")]
#[test]
fn nothing_behind_the_data_is_read_if_the_seal_is_wrong() {
    const FAR: u8 = 15 << 4;
    unsafe {
        let data = raw::heap::a(48);
        let cell = data.sub(16).cast::<raw::Cell>();
        let (size, seal) = ((*cell).size, (*cell).heap);
        (*cell).align = FAR;
        // A seal without its highest bit is no cell's. No memory is mapped so far behind the data.
        (*cell).heap = 0;
        assert_eq!(with(&raw mut (*cell).size, 1 << 46, || raw::heap::f(data)), [Misuse::OtherHeap]);
        ((*cell).size, (*cell).align, (*cell).heap) = (size, 0, seal);
        raw::heap::f(data);
    }
}

#[cfg(all(feature = "heap", feature = "ref", feature = "tree"))]
#[test]
fn an_overwritten_end_of_the_spare_room_is_reported() {
    use raw::ptr;

    for make in [
        raw::heap::ao,
        |size| unsafe { raw::refs::ao(null_mut(), size) },
        |size| unsafe { raw::tree::ao(null_mut(), null_mut(), size) },
    ] {
        unsafe {
            let mut handle = make(20);
            ptr::reserve(&mut handle, 1000).unwrap();
            // Behind the data: text, a pointer, zeros, a plausible size.
            for forged in [0x4141_4141_4141_4141, handle.data.addr() as u64, 0, 1016] {
                let end = handle.data.add(24).cast::<u64>();
                let seen = with(end, forged, || ptr::free(handle));
                assert_eq!(seen, [Misuse::Damaged], "{forged:x}");
                for call in [
                    |mut handle: raw::Handle| _ = ptr::resize(&mut handle, 10),
                    |mut handle: raw::Handle| _ = ptr::grow(fault::Call::new(c"kmcat"), &mut handle, 30),
                    |mut handle: raw::Handle| _ = ptr::reserve(&mut handle, 30),
                    |handle: raw::Handle| _ = ptr::size(handle),
                ] {
                    assert_eq!(with(end, forged, || call(handle)), [Misuse::Damaged], "{forged:x}");
                }
            }
            assert_eq!(ptr::size(handle), 20);
            ptr::free(handle);
        }
    }
}

#[test]
fn a_forged_pool_is_not_followed() {
    unsafe {
        let pool = raw::pool::i(null_mut(), 32, 4);
        let (one, two) = (raw::pool::a(pool), raw::pool::a(pool));
        // A copy of the pool. The cell lies where a cell of it may lie.
        let mut forged = Box::new(std::mem::MaybeUninit::<raw::Pool>::uninit());
        forged.as_mut_ptr().copy_from(pool, 1);
        let named = &raw mut (*two.sub(16).cast::<raw::PoolCell>()).pool;
        let wild: [*mut raw::Pool; 4] = [
            forged.as_mut_ptr(),
            std::ptr::without_provenance_mut(TEXT - 1),
            null_mut(),
            std::ptr::without_provenance_mut(usize::MAX - 15),
        ];
        for pool in wild {
            assert_eq!(with(named, pool, || raw::pool::f(two)), [Misuse::NotInPool], "{pool:?}");
        }
        raw::pool::f(one);
        raw::pool::f(two);
        raw::pool::x(pool);
    }
}

#[test]
fn an_overwritten_destructor_does_not_run() {
    unsafe extern "C-unwind" fn nothing(_: *mut c_void, _: *mut c_void) {}
    unsafe {
        let drop = Some(raw::Destructor { run: Some(nothing), arg: null_mut() });
        let data = raw::heap::alloc(&raw::Request { drop, ..raw::Request::new(16) }).unwrap().as_ptr();
        let slot = data.add(16).cast::<usize>();
        let function = never as *const () as usize;
        assert_eq!(with(slot, function, || raw::heap::f(data)), [Misuse::Damaged]);
        assert_eq!(with(slot, 0, || raw::heap::f(data)), [Misuse::Damaged]);
        assert_eq!(with(slot.add(1), function, || raw::heap::f(data)), [Misuse::Damaged], "another argument");
        raw::heap::f(data);
    }
}

#[test]
fn a_node_that_its_neighbours_do_not_link_to_is_not_unlinked() {
    unsafe {
        let root = raw::tree::a(null_mut(), null_mut(), 8);
        let [one, two, three] = [0; 3].map(|_| raw::tree::a(null_mut(), root, 8));
        let node = |data: *mut u8| data.sub(64).cast::<raw::Node>();
        let free = || {
            raw::tree::f(two);
        };
        let own = node(two);
        for forged in [node(root), node(three), null_mut(), std::ptr::without_provenance_mut(usize::MAX - 15)]
        {
            assert_eq!(with(&raw mut (*own).prev, forged, free), [Misuse::Damaged]);
            assert_eq!(with(&raw mut (*node(one)).next, forged, free), [Misuse::Damaged]);
        }
        for forged in [node(root), node(one), null_mut()] {
            assert_eq!(with(&raw mut (*own).next, forged, free), [Misuse::Damaged]);
            assert_eq!(with(&raw mut (*node(three)).prev, forged, free), [Misuse::Damaged]);
        }
        assert_eq!(raw::tree::verify(root), Ok(4));
        raw::tree::f(root);
    }
}
