//! The C library of kmem: linked into the program, and as a table of functions for every other build of it.

use std::ffi::c_void;

use kmem::raw::{Cell, Handle, Pool};

macro_rules! kmem {
    ($($name:ident: ($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        /// The static library.
        pub mod linked {
            use super::*;
            unsafe extern "C" {
                $(pub fn $name($(_: $arg),*) $(-> $ret)?;)*
                pub fn kmtaint(handle: *mut Handle);
                pub fn kmheapzo(size: usize) -> Handle;
                pub fn kmrefu(data: *mut c_void) -> *mut c_void;
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
