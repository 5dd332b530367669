//! Values into cells, said once over all methods: sized values, strings, slices, and slices that change their length.

use core::ffi::{CStr, c_void};
use core::mem::needs_drop;
use core::ptr::{self, NonNull};

use crate::error::{AllocError, Refused};
use crate::raw::{self, Destructor, Handle, Request};

unsafe extern "C-unwind" fn drop_one<T>(data: *mut c_void, _: *mut c_void) {
    // SAFETY: [slot, typed] this destructor is stored only with cells that hold a `T`, and the engine runs it once.
    unsafe { data.cast::<T>().drop_in_place() }
}

unsafe extern "C-unwind" fn drop_slice<T>(data: *mut c_void, len: *mut c_void) {
    // SAFETY: [slot, typed] this destructor is stored only with cells that hold so many `T`, and the engine runs it
    // once.
    unsafe { ptr::slice_from_raw_parts_mut(data.cast::<T>(), len.addr()).drop_in_place() }
}

/// The destructor of a cell that holds a `T`, where it needs one.
pub(crate) fn destructor<T>() -> Option<Destructor> {
    needs_drop::<T>().then_some(Destructor { run: Some(drop_one::<T>), arg: ptr::null_mut() })
}

/// Allocates a cell with `draw` and moves the value into it, or gives it back.
///
/// # Safety
/// `draw` returns the data of a new cell that is as the request asks, or an error.
#[inline]
pub(crate) unsafe fn value<T>(
    value: T,
    draw: impl FnOnce(&Request) -> Result<NonNull<u8>, AllocError>,
) -> Result<NonNull<T>, Refused<T>> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { named(None, value, draw) }
}

/// [`value`] into a cell with a name.
///
/// # Safety
/// As for [`value`].
#[inline]
pub(crate) unsafe fn named<T>(
    name: Option<&'static CStr>,
    value: T,
    draw: impl FnOnce(&Request) -> Result<NonNull<u8>, AllocError>,
) -> Result<NonNull<T>, Refused<T>> {
    let request =
        Request { align: align_of::<T>(), drop: destructor::<T>(), name, ..Request::new(size_of::<T>()) };
    match draw(&request) {
        Ok(data) => {
            let data = data.cast::<T>();
            // SAFETY: [fresh] the caller's `draw` made a new cell with the layout of a `T`.
            unsafe { data.write(value) };
            Ok(data)
        }
        Err(error) => Err(Refused::new(error, value)),
    }
}

/// Allocates a cell with `draw` and copies the slice into it.
///
/// # Safety
/// `draw` returns the data of a new cell that is as the request asks, or an error.
pub(crate) unsafe fn copy<T: Copy>(
    values: &[T],
    draw: impl FnOnce(&Request) -> Result<NonNull<u8>, AllocError>,
) -> Result<NonNull<[T]>, AllocError> {
    let data = draw(&Request { align: align_of::<T>(), ..Request::new(size_of_val(values)) })?.cast::<T>();
    // SAFETY: [fresh] the caller's `draw` made a new cell with the layout of this slice, so they do not overlap.
    unsafe { ptr::copy_nonoverlapping(values.as_ptr(), data.as_ptr(), values.len()) };
    Ok(NonNull::slice_from_raw_parts(data, values.len()))
}

/// Allocates a cell with `draw` and copies the string into it.
///
/// # Safety
/// `draw` returns the data of a new cell that is as the request asks, or an error.
pub(crate) unsafe fn str(
    text: &str,
    draw: impl FnOnce(&Request) -> Result<NonNull<u8>, AllocError>,
) -> Result<NonNull<str>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { copy(text.as_bytes(), draw) }.map(as_str)
}

/// A slice of bytes that hold UTF-8, as a string.
pub(crate) fn as_str(bytes: NonNull<[u8]>) -> NonNull<str> {
    // SAFETY: [provenance] a pointer with the same address, provenance and length is not null either.
    unsafe { NonNull::new_unchecked(bytes.as_ptr() as *mut str) }
}

/// Elements of a slice under construction. Dropping it drops those and gives the cell back.
struct Filling<T> {
    data: NonNull<T>,
    filled: usize,
    undo: unsafe fn(*mut u8),
}

impl<T> Drop for Filling<T> {
    fn drop(&mut self) {
        struct Undo(*mut u8, unsafe fn(*mut u8));
        impl Drop for Undo {
            fn drop(&mut self) {
                // SAFETY: [fresh, slot] the cell is live, and its destructor slot, if it has one, is still empty.
                unsafe { (self.1)(self.0) }
            }
        }
        let _undo = Undo(self.data.as_ptr().cast(), self.undo);
        // SAFETY: [fresh] so many elements have been written and nobody else has seen them.
        unsafe { ptr::slice_from_raw_parts_mut(self.data.as_ptr(), self.filled).drop_in_place() };
    }
}

/// Allocates a cell with `draw` and fills it with `len` values of `each`. The cell's header has `header` bytes; where
/// `each` panics, what it made so far is dropped and the cell given back with `undo`.
///
/// # Safety
/// `draw` returns the data of a new cell that is as the request asks, or an error; `header` is the size of its header, and `undo` frees it.
pub(crate) unsafe fn slice_with<T>(
    len: usize,
    mut each: impl FnMut(usize) -> T,
    draw: impl FnOnce(&Request) -> Result<NonNull<u8>, AllocError>,
    header: usize,
    undo: unsafe fn(*mut u8),
) -> Result<NonNull<[T]>, AllocError> {
    let size = size_of::<T>().checked_mul(len).ok_or(AllocError::Overflow)?;
    let empty = needs_drop::<T>().then_some(Destructor { run: None, arg: ptr::null_mut() });
    let data = draw(&Request { align: align_of::<T>(), drop: empty, ..Request::new(size) })?;
    let mut filling = Filling { data: data.cast::<T>(), filled: 0, undo };
    for index in 0..len {
        let element = each(index);
        // SAFETY: [fresh] the caller's `draw` made a cell with room for `len` elements.
        unsafe { filling.data.add(index).write(element) };
        filling.filled += 1;
    }
    core::mem::forget(filling);
    // SAFETY: [fresh] the cell is live, ours alone, and now holds `len` elements.
    unsafe { arm_slice::<T>(data, len, header) };
    Ok(NonNull::slice_from_raw_parts(data.cast(), len))
}

/// Stores the destructor of a slice in its cell.
///
/// # Safety
/// `data` is that of a live cell with this header size, which nobody else uses, which holds `len` initialised elements of
/// `T`, and which was made with an empty destructor slot where `T` needs drop.
unsafe fn arm_slice<T>(data: NonNull<u8>, len: usize, header: usize) {
    if needs_drop::<T>() {
        let destructor = Destructor { run: Some(drop_slice::<T>), arg: ptr::without_provenance_mut(len) };
        // SAFETY: [slot] the caller's cell is live and has a slot.
        unsafe { raw::arm(data.as_ptr(), header, destructor) };
    }
}

/// Empties the destructor slot of a cell whose value is being moved out.
///
/// # Safety
/// `data` is that of a live cell with this header size, which nobody else uses.
pub(crate) unsafe fn disarm<T>(data: NonNull<T>, header: usize) {
    if needs_drop::<T>() {
        // SAFETY: [slot] the caller's cell is live; a cell of a type that needs drop has a slot.
        unsafe { raw::arm(data.as_ptr().cast(), header, Destructor { run: None, arg: ptr::null_mut() }) };
    }
}

/// Gives the slice in the object of a handle `len` elements: those that fit stay, and those that are added are copies of `value`.
/// `moved` gets the slice as it is then, to write it into its owner.
///
/// # Safety
/// The handle holds a live object with this slice, which the owner may change and nobody else uses meanwhile. Nobody uses the old
/// address afterwards.
pub(crate) unsafe fn resize<T: Copy>(
    handle: Handle,
    slice: NonNull<[T]>,
    len: usize,
    value: T,
    moved: impl FnOnce(NonNull<[T]>),
) -> Result<(), AllocError> {
    let fill = |added: NonNull<T>| {
        // Values of no size are all there already, however many.
        let count = if size_of::<T>() > 0 { len.saturating_sub(slice.len()) } else { 0 };
        for index in 0..count {
            // SAFETY: [fresh] so many elements were added, and nobody else has seen them.
            unsafe { added.add(index).write(value) };
        }
    };
    // SAFETY: [caller] the contract is the caller's; the elements that are added are written.
    unsafe { set_len(handle, slice, len, fill, moved) }
}

/// Appends to the string in the object of a handle. `moved` gets the string as it is then, to write it into its owner.
///
/// # Safety
/// As for [`resize`].
pub(crate) unsafe fn push_str(
    handle: Handle,
    string: NonNull<str>,
    text: &str,
    moved: impl FnOnce(NonNull<str>),
) -> Result<(), AllocError> {
    // SAFETY: [provenance] a pointer with the same address, provenance and length is not null either.
    let bytes = unsafe { NonNull::new_unchecked(string.as_ptr() as *mut [u8]) };
    let len = bytes.len().checked_add(text.len()).ok_or(AllocError::Overflow)?;
    let fill = |added: NonNull<u8>| {
        // SAFETY: [fresh] so many bytes were added, and nobody else has seen them.
        unsafe { ptr::copy_nonoverlapping(text.as_ptr(), added.as_ptr(), text.len()) }
    };
    // SAFETY: [caller] the contract is the caller's; the bytes that are added are those of a string.
    unsafe { set_len(handle, bytes, len, fill, |bytes| moved(as_str(bytes))) }
}

/// # Safety
/// As for [`resize`]; `fill`, which does not unwind, writes the elements that are added, from the first of them on.
unsafe fn set_len<T: Copy>(
    handle: Handle,
    slice: NonNull<[T]>,
    len: usize,
    fill: impl FnOnce(NonNull<T>),
    moved: impl FnOnce(NonNull<[T]>),
) -> Result<(), AllocError> {
    let size = size_of::<T>().checked_mul(len).ok_or(AllocError::Overflow)?;
    // SAFETY: [caller] the contract is the caller's.
    let resized = unsafe { raw::ptr::resize_kept(handle, size) }?;
    let data = resized.as_ref().map_or(slice.cast(), |resized| resized.data.cast::<T>());
    if len > slice.len() {
        // SAFETY: [extent] the cell has room for `len` elements, which is more than there were.
        fill(unsafe { data.add(slice.len()) });
    }
    moved(NonNull::slice_from_raw_parts(data, len));
    // The source that now gets the old block may look at the owner, or unwind.
    drop(resized);
    Ok(())
}

/// What an infallible constructor does where its fallible twin returns an error.
#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn refuse(error: AllocError) -> ! {
    panic!("allocation refused: {error}")
}

/// The next of as many values as the caller has counted.
#[cfg(feature = "heap")]
pub(crate) fn next<T>(values: &mut alloc::vec::IntoIter<T>) -> T {
    match values.next() {
        Some(value) => value,
        None => unreachable!("a vector has as many values as its length says"),
    }
}
