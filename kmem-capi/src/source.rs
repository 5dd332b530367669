//! `kmsourcei`, `kmsourceiw`

use core::ffi::c_void;
use core::mem::offset_of;

use kmem::raw::{ResizeFn, Source};

use crate::written;

type Allocate = unsafe extern "C-unwind" fn(*mut Source, usize, usize) -> *mut c_void;
type Free = unsafe extern "C-unwind" fn(*mut Source, *mut c_void, usize, usize);

/// `kmsourceopt`: the functions of a source.
///
/// Exhaustive: C code relies on this layout.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SourceOptions {
    pub alloc: Allocate,
    pub free: Free,
    pub resize: Option<ResizeFn>,
}

const _: () = {
    const WORD: usize = size_of::<usize>();
    assert!(offset_of!(SourceOptions, alloc) == 0 && offset_of!(SourceOptions, free) == WORD);
    assert!(offset_of!(SourceOptions, resize) == 2 * WORD && size_of::<SourceOptions>() == 3 * WORD);
};

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmsourcei(
    source: *mut Source,
    allocate: Allocate,
    free: Free,
    context: *mut c_void,
) {
    // SAFETY: the contract is the caller's.
    unsafe { kmsourceiw(source, &SourceOptions { alloc: allocate, free, resize: None }, context) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmsourceiw(
    source: *mut Source,
    options: *const SourceOptions,
    context: *mut c_void,
) {
    written(source);
    // SAFETY: the caller gives room for a source, and options.
    unsafe {
        let SourceOptions { alloc, free, resize } = *options;
        source.write(Source { resize, ..Source::new(alloc, free, context) });
    }
}
