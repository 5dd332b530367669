//! `kmsourcei`

use core::ffi::c_void;

use kmem::raw::Source;

use crate::written;

type Allocate = unsafe extern "C-unwind" fn(*mut Source, usize, usize) -> *mut c_void;
type Free = unsafe extern "C-unwind" fn(*mut Source, *mut c_void, usize, usize);

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmsourcei(
    source: *mut Source,
    allocate: Allocate,
    free: Free,
    context: *mut c_void,
) {
    written(source);
    // SAFETY: the caller gives room for a source.
    unsafe { source.write(Source::new(allocate, free, context)) }
}
