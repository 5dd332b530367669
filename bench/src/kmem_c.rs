//! The C library of kmem: linked into the program, and as a table of functions for every other build of it.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use kmem::raw::arena::Mark;
use kmem::raw::{Arena, Cell, Handle, Limit, Pool};

macro_rules! kmem {
    ($($name:ident: ($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        /// The static library.
        pub mod linked {
            use super::*;

            pub type Drop = extern "C" fn(data: *mut c_void, arg: *mut c_void);
            pub type Write = extern "C" fn(ctx: *mut c_void, text: *const c_char, len: usize);

            /// `kmopt`.
            #[repr(C)]
            pub struct Opt {
                pub size: usize,
                pub align: usize,
                pub drop: Option<Drop>,
                pub arg: *mut c_void,
                pub zero: c_int,
                pub grow: c_int,
                pub name: *const c_char,
                pub shred: c_int,
            }

            impl Opt {
                pub fn new(size: usize) -> Opt {
                    Opt { size, align: 0, drop: None, arg: null_mut(), zero: 0, grow: 0, name: null(), shred: 0 }
                }
            }

            /// `kmcount`.
            #[repr(C)]
            pub struct Count {
                pub cells: usize,
                pub size: usize,
                pub block: usize,
            }

            unsafe extern "C" {
                $(pub fn $name($(_: $arg),*) $(-> $ret)?;)*
                pub fn kmarenai(src: *mut Cell, first: usize) -> *mut Arena;
                pub fn kmarenaa(arena: *mut Arena, size: usize) -> *mut c_void;
                pub fn kmarenab(arena: *mut Arena) -> Mark;
                pub fn kmarenae(arena: *mut Arena, mark: Mark);
                pub fn kmlimiti(src: *mut Cell, max: usize) -> *mut Limit;
                pub fn kmsame() -> *mut Cell;
                pub fn kmtreei(src: *mut Cell, parent: *mut c_void, size: usize, first: usize) -> *mut c_void;
                pub fn kmtaint(handle: *mut Handle);
                pub fn kmheapzo(size: usize) -> Handle;
                pub fn kmheapr(data: *mut c_void, size: usize) -> *mut c_void;
                pub fn kmrefu(data: *mut c_void) -> *mut c_void;
                pub fn kmrefo(data: *mut c_void) -> Handle;
                pub fn kmcats(handle: *mut Handle, string: *const c_char) -> *mut c_void;
                pub fn kmtreew(src: *mut Cell, parent: *mut c_void, options: *const Opt) -> *mut c_void;
                pub fn kmtreer(node: *mut c_void, size: usize) -> *mut c_void;
                pub fn kmtreem(node: *mut c_void, parent: *mut c_void) -> *mut c_void;
                pub fn kmtreemu(node: *mut c_void, parent: *mut c_void) -> *mut c_void;
                pub fn kmtreek(node: *mut c_void, object: Handle) -> *mut c_void;
                pub fn kmtreel(node: *mut c_void, object: *const c_void) -> Handle;
                pub fn kmtreeh(node: *mut c_void, hook: Drop, arg: *mut c_void) -> *mut c_void;
                pub fn kmtreeq(node: *mut c_void, name: *const c_char) -> Count;
                pub fn kmtreet(node: *mut c_void, depth: usize, write: Write, ctx: *mut c_void);
                pub fn kmtreej(node: *mut c_void, depth: usize, write: Write, ctx: *mut c_void);
            }
        }

        crate::library! {
            /// The functions of one build of the library that all builds have.
            Kmem { $($name: ($($arg),*) $(-> $ret)?;)* }
        }

        impl Kmem {
            pub fn linked() -> Kmem {
                Kmem { $($name: linked::$name,)* }
            }
        }
    };
}

kmem! {
    kmfree: (Handle);
    kmheapa: (usize) -> *mut c_void;
    kmheapao: (usize) -> Handle;
    kmheapf: (*mut c_void);
    kmrefa: (*mut Cell, usize) -> *mut c_void;
    kmrefao: (*mut Cell, usize) -> Handle;
    kmrefd: (*mut c_void);
    kmreff: (*mut c_void);
    kmpooli: (*mut Cell, usize, usize) -> *mut Pool;
    kmpoolx: (*mut Pool);
    kmpoola: (*mut Pool) -> *mut c_void;
    kmpoolao: (*mut Pool, usize) -> Handle;
    kmpoolf: (*mut c_void);
    kmtreea: (*mut Cell, *mut c_void, usize) -> *mut c_void;
    kmtreeao: (*mut Cell, *mut c_void, usize) -> Handle;
    kmtreef: (*mut c_void) -> Handle;
}
