//! `kmopt`, and errors as `errno`.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::offset_of;
use core::ptr::{NonNull, null_mut};

use kmem::AllocError;
use kmem::raw::{Destructor, DropFn, Fill, Request};

/// `kmopt`: the options of an allocation.
///
/// Exhaustive: C code relies on this layout.
#[derive(Debug)]
#[repr(C)]
pub struct Options {
    pub sz: usize,
    pub align: usize,
    pub drop: Option<DropFn>,
    pub arg: *mut c_void,
    pub zero: c_int,
    pub grow: c_int,
    pub name: *const c_char,
    pub shred: c_int,
}

const _: () = {
    const WORD: usize = size_of::<usize>();
    assert!(offset_of!(Options, sz) == 0 && offset_of!(Options, align) == WORD);
    assert!(offset_of!(Options, drop) == 2 * WORD && offset_of!(Options, arg) == 3 * WORD);
    assert!(offset_of!(Options, zero) == 4 * WORD && offset_of!(Options, grow) == 4 * WORD + 4);
    assert!(offset_of!(Options, name) == 4 * WORD + 8 && offset_of!(Options, shred) == 5 * WORD + 8);
    assert!(size_of::<Options>() == (5 * WORD + 12).next_multiple_of(WORD));
};

impl Options {
    pub(crate) fn destructor(&self) -> Option<Destructor> {
        self.drop.map(|run| Destructor { run: Some(run), arg: self.arg })
    }

    pub(crate) fn name(&self) -> Option<&'static CStr> {
        // SAFETY: the caller gives null or a static string.
        (!self.name.is_null()).then(|| unsafe { CStr::from_ptr(self.name) })
    }

    pub(crate) fn request(&self) -> Request {
        let fill = if self.zero == 0 { Fill::Undefined } else { Fill::Zeroed };
        Request { size: self.sz, align: self.align, fill, drop: self.destructor(), name: self.name() }
    }
}

/// A request without options.
pub(crate) fn plain(size: usize, fill: Fill) -> Request {
    Request { fill, ..Request::new(size) }
}

/// Returns the pointer, or sets `errno` and returns null.
#[inline(always)]
pub(crate) fn or_null<T>(result: Result<NonNull<T>, AllocError>) -> *mut T {
    match result {
        Ok(data) => data.as_ptr(),
        Err(error) => {
            refuse(error);
            null_mut()
        }
    }
}

/// Returns the argument, or sets `errno` and returns null.
#[cfg(feature = "tree")]
pub(crate) fn same_or_null(argument: *mut c_void, result: Result<(), AllocError>) -> *mut c_void {
    match result {
        Ok(()) => argument,
        Err(error) => {
            refuse(error);
            null_mut()
        }
    }
}

/// Sets `errno` for an error.
#[cold]
pub(crate) fn refuse(error: AllocError) {
    let code = match error {
        AllocError::Overflow | AllocError::Exhausted { .. } => libc::ENOMEM,
        _ => libc::EINVAL,
    };
    // On Windows the crate `errno` sets the error of the last system call.
    #[cfg(windows)]
    {
        unsafe extern "C" {
            safe fn _errno() -> *mut c_int;
        }
        // SAFETY: the C library returns the address of this thread's `errno`.
        unsafe { _errno().write(code) }
    }
    #[cfg(not(windows))]
    errno::set_errno(errno::Errno(code));
}
