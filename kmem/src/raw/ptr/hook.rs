//! A destructor for an object that exists.

use super::Handle;
use crate::cell::Kind;
use crate::error::AllocError;
use crate::fault::Call;
use crate::raw::object::{self, Check};
use crate::raw::request::Destructor;
use crate::raw::{layout, trailer};
use core::ptr::null_mut;

/// Sets the destructor of an object that exists.
///
/// A heap cell, or a counted cell with one reference, has one destructor: the new one replaces it, and an empty one removes it. A cell
/// that was made without a destructor draws a record of 48 bytes from its source. A node gets a [hook](crate::raw::tree::h) beside
/// those that it has.
///
/// Fails with [`AllocError::Shared`] if there are other references. Fails with [`AllocError::Fixed`] for a pool's cell, since its pool
/// has one destructor for all cells, for an object that kmem did not allocate, and if a node is given an empty destructor. Fails with the
/// error of the source if that has no memory. Nothing has changed then.
///
/// # Safety
/// The handle is null or holds a live object that nobody else uses meanwhile, and the destructor can be called with its data when it is
/// freed. What the handle or the header shows to be wrong goes to the [fault handler](crate::fault), and the call fails with
/// [`AllocError::Misused`].
///
/// ```
/// use kmem::raw::{Destructor, heap, ptr};
/// use std::ffi::c_void;
///
/// unsafe extern "C-unwind" fn add(data: *mut c_void, sum: *mut c_void) {
///     unsafe { *sum.cast::<u64>() += data.cast::<u64>().read() };
/// }
/// let mut sum = 0u64;
/// unsafe {
///     let handle = heap::zo(8);
///     handle.data.cast::<u64>().write(7); // what the destructor needs is there first
///     ptr::hook(handle, Destructor { run: Some(add), arg: (&raw mut sum).cast() }).unwrap();
///     ptr::free(handle);
/// }
/// assert_eq!(sum, 7);
/// ```
pub unsafe fn hook(handle: Handle, destructor: Destructor) -> Result<(), AllocError> {
    const CALL: Call = Call::new(c"kmhook");
    let Handle { kind, data, .. } = handle;
    if data.is_null() {
        return Err(AllocError::Source(None));
    }
    let _ = destructor;
    // SAFETY: [caller, live] the caller vouches for a readable header, and the check for what it says.
    unsafe {
        if !object::check(CALL, handle, Check::Write) {
            return Err(AllocError::Misused);
        }
        match Kind::from_raw(kind) {
            #[cfg(feature = "heap")]
            Some(Kind::Heap) => trailer::hook(CALL, Kind::Heap, layout::HEAP, data, null_mut(), destructor),
            #[cfg(feature = "ref")]
            Some(Kind::Ref) => {
                let src = crate::raw::refs::count::source_of_only(data)?;
                trailer::hook(CALL, Kind::Ref, layout::REF, data, src, destructor)
            }
            #[cfg(feature = "tree")]
            Some(Kind::Tree) if destructor.run.is_some() => {
                crate::raw::tree::hook_for(CALL, data, destructor)
            }
            kind => Err(AllocError::Fixed(kind.unwrap_or(Kind::None))),
        }
    }
}
