//! A destructor misuses the counted cell that owns its object.

use std::ffi::c_void;

use super::*;
use crate::support::leaks_nothing;

/// A misuse of the counted cell at this address.
type Act = unsafe fn(*mut u8);

struct Told {
    owner: *mut u8,
    act: Act,
}

unsafe extern "C-unwind" fn act(_: *mut c_void, told: *mut c_void) {
    unsafe { ((*told.cast::<Told>()).act)((*told.cast::<Told>()).owner) }
}

const ACTS: [(&str, Act); 6] = [
    ("kmreff", |owner| unsafe { raw::refs::f(owner) }),
    ("kmrefu", |owner| unsafe { _ = raw::refs::u(owner) }),
    ("kmrefk", |owner| unsafe {
        raw::refs::k(owner, raw::Handle::NULL).unwrap_err();
    }),
    ("kmrefl", |owner| unsafe { assert!(raw::refs::l(owner, owner).is_null()) }),
    ("kmhook", |owner| unsafe {
        let none = raw::Destructor { run: None, arg: null_mut() };
        ptr::hook(raw::refs::handle(owner), none).unwrap_err();
    }),
    ("kmrefr", |owner| unsafe {
        raw::refs::resize(owner, 100).unwrap_err();
    }),
];

#[test]
fn destructors_of_owned_objects_cannot_use_the_owner_that_is_being_freed() {
    for (call, what) in ACTS {
        for adopted in [false, true] {
            let mut told = Told { owner: null_mut(), act: what };
            let drop = Some(raw::Destructor { run: Some(act), arg: (&raw mut told).cast() });
            leaks_nothing(|| unsafe {
                let owner = raw::refs::a(null_mut(), 8);
                (&raw mut told.owner).write(owner);
                let request = raw::Request { drop, ..raw::Request::new(8) };
                let root = raw::tree::a(null_mut(), null_mut(), 8);
                raw::tree::alloc(null_mut(), root, &request).unwrap();
                raw::refs::k(owner, raw::tree::handle(root)).unwrap();
                let seen = faults(|| {
                    if adopted {
                        let node = raw::tree::a(null_mut(), null_mut(), 8);
                        raw::tree::k(node, raw::refs::handle(owner)).unwrap();
                        raw::tree::f(node);
                    } else {
                        raw::refs::f(owner);
                    }
                });
                assert_eq!(seen, [(call, Misuse::BeingFreed)]);
            });
        }
    }
}

#[test]
fn the_owner_of_a_tree_that_is_being_freed_is_not_freed() {
    let mut told = Told { owner: null_mut(), act: |owner| unsafe { raw::refs::f(owner) } };
    let drop = Some(raw::Destructor { run: Some(act), arg: (&raw mut told).cast() });
    for (adopted, shared) in [(false, false), (false, true), (true, false)] {
        leaks_nothing(|| unsafe {
            let owner = raw::refs::a(null_mut(), 8);
            (&raw mut told.owner).write(owner);
            let root = raw::tree::a(null_mut(), null_mut(), 8);
            let request = raw::Request { drop, ..raw::Request::new(8) };
            raw::tree::alloc(null_mut(), root, &request).unwrap();
            raw::refs::k(owner, raw::tree::handle(root)).unwrap();
            if shared {
                raw::refs::u(owner);
                raw::refs::f(owner);
            }
            let node = raw::tree::a(null_mut(), null_mut(), 8);
            if adopted {
                raw::tree::k(node, raw::refs::handle(owner)).unwrap();
                (&raw mut told.owner).write(node);
                (&raw mut told.act).write(|node| _ = raw::tree::f(node));
            }
            let seen = faults(|| _ = raw::tree::f(root));
            let call = if adopted { "kmtreef" } else { "kmreff" };
            assert_eq!(seen, [(call, Misuse::FreeingBelow)]);
            assert_eq!(raw::refs::count(owner), 1);
            raw::refs::f(owner);
            if !adopted {
                raw::tree::f(node);
            }
        });
    }
}
