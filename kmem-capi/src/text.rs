//! Strings and arrays in cells of every method: `kmnew`, `kmarr`, `kmdup`, `kmcat` and so on.

use core::ffi::{c_char, c_void};
use core::ptr::null_mut;

use kmem::AllocError;
use kmem::fault::Call;
use kmem::raw::ptr::{self, At};
use kmem::raw::{Fill, Handle, Request};

use crate::options::{Options, plain, refuse};
use crate::ptr::handed;
use crate::written;

/// Returns the handle, or sets `errno` and returns the null handle.
fn or_null_handle(result: Result<Handle, AllocError>) -> Handle {
    handed(result.unwrap_or_else(|error| {
        refuse(error);
        Handle::NULL
    }))
}

unsafe fn make(at: &At, request: Option<&Request>) -> Handle {
    let request = request.ok_or(AllocError::Overflow);
    // SAFETY: the caller vouches for source and parent, and for a destructor that suits the cell.
    or_null_handle(request.and_then(|request| unsafe { at.alloc(request) }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmnew(at: At, options: *const Options) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { make(&at, Some(&(*options).request())) }
}

/// Allocates zeroed bytes where that need not be as fast as possible.
#[cfg(any(feature = "ref", feature = "tree"))]
pub(crate) unsafe fn zeroed(at: &At, size: usize) -> *mut u8 {
    // SAFETY: the contract is the caller's.
    unsafe { make(at, Some(&plain(size, Fill::Zeroed))) }.data
}

unsafe fn array(at: &At, count: usize, size: usize, fill: Fill) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { make(at, count.checked_mul(size).map(|size| plain(size, fill)).as_ref()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarr(at: At, count: usize, size: usize) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { array(&at, count, size, Fill::Undefined) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmarrz(at: At, count: usize, size: usize) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { array(&at, count, size, Fill::Zeroed) }
}

/// Copies `size` bytes into a new cell, and adds a zero if they are a string. Fails if `bytes` is null, unless `size` is 0 and it is not
/// a string.
unsafe fn copy(at: &At, bytes: *const u8, size: usize, string: bool) -> Handle {
    if bytes.is_null() && (string || size > 0) {
        return or_null_handle(Err(AllocError::Misused));
    }
    let room = size.checked_add(string.into()).map(|room| plain(room, Fill::Undefined));
    // SAFETY: the caller gives so many readable bytes, and the new cell has room for them and the zero.
    unsafe {
        let handle = make(at, room.as_ref());
        if !handle.is_null() {
            handle.data.copy_from_nonoverlapping(bytes, size);
            if string {
                let end = handle.data.add(size);
                end.write(0);
                written(end);
            }
        }
        handle
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmdup(at: At, bytes: *const c_void, size: usize) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { copy(&at, bytes.cast(), size, false) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmdups(at: At, string: *const c_char) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { copy(&at, string.cast(), if string.is_null() { 0 } else { libc::strlen(string) }, true) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmdupn(at: At, string: *const c_char, most: usize) -> Handle {
    // SAFETY: the contract is the caller's.
    unsafe { copy(&at, string.cast(), if string.is_null() { 0 } else { libc::strnlen(string, most) }, true) }
}

/// Grows the object of a handle from `now` to at least `size` bytes for `call`, and returns its data, or null.
unsafe fn grow(call: Call, handle: &mut Handle, now: usize, size: Option<usize>) -> *mut u8 {
    let grown = match size {
        None => Err(AllocError::Overflow),
        Some(size) if size <= now && !handle.is_null() => return handle.data,
        // SAFETY: the contract is the caller's.
        Some(size) => unsafe { ptr::grow(call, handle, size) },
    };
    written(handle);
    crate::options::or_null(grown)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmreserve(handle: *mut Handle, size: usize) -> *mut c_void {
    // SAFETY: the caller gives a handle.
    crate::options::or_null(unsafe { ptr::reserve(&mut *handle, size) }).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmresize(handle: *mut Handle, size: usize) -> *mut c_void {
    // SAFETY: the caller gives a handle.
    let resized = unsafe { ptr::resize(&mut *handle, size) };
    written(handle);
    crate::options::or_null(resized).cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmresizen(handle: *mut Handle, count: usize, size: usize) -> *mut c_void {
    match count.checked_mul(size) {
        // SAFETY: the contract is the caller's.
        Some(size) => unsafe { kmresize(handle, size) },
        None => {
            refuse(AllocError::Overflow);
            null_mut()
        }
    }
}

/// A pointer that follows a cell that moves, if it points into the cell.
struct Bytes {
    at: *const u8,
    inside: Option<usize>,
}

impl Bytes {
    fn new(at: *const u8, cell: *mut u8, size: usize) -> Bytes {
        let offset = at.addr().wrapping_sub(cell.addr());
        Bytes { at, inside: (offset < size).then_some(offset) }
    }

    fn now(&self, cell: *mut u8) -> *const u8 {
        self.inside.map_or(self.at, |offset| cell.wrapping_add(offset))
    }
}

/// The size of an object. Reports an invalid object for `call`.
unsafe fn size_of(handle: Handle, call: Call) -> Option<usize> {
    // SAFETY: the contract is the caller's.
    let size = unsafe { ptr::size_for(call, handle) };
    if size.is_none() {
        refuse(AllocError::Misused);
    }
    size
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmcat(handle: *mut Handle, bytes: *const c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller gives a handle and so many readable bytes, which may be in the cell.
    unsafe {
        let handle = &mut *handle;
        let Some(now) = size_of(*handle, const { Call::new(c"kmcat") }) else { return null_mut() };
        if bytes.is_null() && size > 0 {
            refuse(AllocError::Misused);
            return null_mut();
        }
        let bytes = Bytes::new(bytes.cast(), handle.data, now);
        let data = grow(const { Call::new(c"kmcat") }, handle, now, now.checked_add(size));
        if !data.is_null() {
            data.add(now).copy_from_nonoverlapping(bytes.now(data), size);
        }
        data.cast()
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmroom(handle: *mut Handle, more: usize) -> *mut c_char {
    // SAFETY: the contract is the caller's.
    unsafe {
        size_of(*handle, const { Call::new(c"kmroom") })
            .map_or(null_mut(), |now| room(const { Call::new(c"kmroom") }, &mut *handle, now, more))
    }
}

/// `kmroom` for `call`, of an object with `now` bytes of data.
unsafe fn room(call: Call, handle: &mut Handle, now: usize, more: usize) -> *mut c_char {
    // SAFETY: the caller gives the handle of a string.
    unsafe {
        let len = libc::strnlen(handle.data.cast(), now);
        if len == now {
            // The object has no terminating zero.
            refuse(AllocError::Misused);
            return null_mut();
        }
        let data = grow(call, handle, now, len.checked_add(more).and_then(|len| len.checked_add(1)));
        if data.is_null() { null_mut() } else { data.add(len).cast() }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmcats(handle: *mut Handle, string: *const c_char) -> *mut c_void {
    // SAFETY: the caller gives the handle of a string, and another string, which may be in the same cell.
    unsafe {
        let Some(now) = size_of(*handle, const { Call::new(c"kmcats") }) else { return null_mut() };
        if string.is_null() {
            refuse(AllocError::Misused);
            return null_mut();
        }
        let more = libc::strlen(string);
        let bytes = Bytes::new(string.cast(), (*handle).data, now);
        let end = room(const { Call::new(c"kmcats") }, &mut *handle, now, more).cast::<u8>();
        if end.is_null() {
            return null_mut();
        }
        end.copy_from(bytes.now((*handle).data), more);
        end.add(more).write(0);
        written(end.add(more));
        (*handle).data.cast()
    }
}
