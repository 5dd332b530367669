//! `kmwalk` and `kmwritefn`

use core::ffi::{c_char, c_void};
use core::mem::offset_of;

use kmem::raw::{Handle, sanitizer};

/// `kmwalk`: a walk over a pool or a tree.
///
/// Exhaustive: C code relies on this layout.
#[derive(Debug)]
#[repr(C)]
pub struct Walk {
    pub root: *mut c_void,
    pub at: Handle,
    pub depth: usize,
    /// The current object if it is a pool on a node, else null.
    pub pool: *mut c_void,
    /// The data of the cell of the last step; null before the first step.
    pub km_at_: *mut c_void,
}

const _: () = {
    const WORD: usize = size_of::<usize>();
    assert!(offset_of!(Walk, root) == 0 && offset_of!(Walk, at) == WORD);
    assert!(offset_of!(Walk, depth) == 3 * WORD + 8 && offset_of!(Walk, pool) == 4 * WORD + 8);
    assert!(offset_of!(Walk, km_at_) == 5 * WORD + 8 && size_of::<Walk>() == 6 * WORD + 8);
};

/// `kmwritefn`: receives a report in pieces.
pub type Write = unsafe extern "C" fn(context: *mut c_void, text: *const c_char, len: usize);

/// Passes each piece of a report to user code.
pub(crate) fn writing(write: Write, context: *mut c_void) -> impl FnMut(&str) {
    move |text| {
        sanitizer::written(text.as_ptr(), text.len());
        sanitizer::calls(size_of::<[usize; 3]>());
        // SAFETY: the caller gives a function that takes its context and so many readable bytes.
        unsafe { write(context, text.as_ptr().cast(), text.len()) }
    }
}
