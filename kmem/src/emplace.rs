//! Values in cells of any kind: made, moved in and out, and slices that change their length.

use core::ffi::c_void;
use core::mem::{ManuallyDrop, needs_drop};
use core::ptr::{self, NonNull};

use crate::cell::{Kind, Shred};
use crate::error::{AllocError, Refused};
use crate::fault::call;
use crate::raw::{self, CellAt, Destructor, Handle, Request, ResizeRequest};
use crate::shred;

unsafe extern "C-unwind" fn drop_one<T>(data: *mut c_void, _: *mut c_void) {
    // SAFETY: [slot, typed] this destructor is stored only with cells that hold a `T`, and the engine runs it once.
    unsafe { data.cast::<T>().drop_in_place() }
}

unsafe extern "C-unwind" fn drop_slice<T>(data: *mut c_void, len: *mut c_void) {
    // SAFETY: [slot, typed] this destructor is stored only with cells that hold `len` values, and the engine runs it
    // once.
    unsafe { ptr::slice_from_raw_parts_mut(data.cast::<T>(), len.addr()).drop_in_place() }
}

/// Returns the destructor of a cell that holds a `T`, if `T` needs one.
pub(crate) fn destructor<T>() -> Option<Destructor> {
    needs_drop::<T>().then_some(Destructor { run: Some(drop_one::<T>), arg: ptr::null_mut() })
}

/// A function that allocates a cell and returns its data.
pub(crate) trait Alloc: FnOnce(&Request) -> Result<NonNull<u8>, AllocError> {}

impl<F: FnOnce(&Request) -> Result<NonNull<u8>, AllocError>> Alloc for F {}

/// Allocates a cell with `alloc` and moves the value into it.
///
/// # Safety
/// `alloc` returns the data of a new cell that is as the request asks, or an error.
#[inline]
pub(crate) unsafe fn value<T>(value: T, alloc: impl Alloc) -> Result<NonNull<T>, Refused<T>> {
    match alloc(&Request { align: align_of::<T>(), drop: destructor::<T>(), ..Request::new(size_of::<T>()) })
    {
        Ok(data) => {
            let data = data.cast::<T>();
            // SAFETY: [fresh] the caller's `alloc` made a new cell with the layout of a `T`.
            unsafe { data.write(value) };
            Ok(data)
        }
        Err(error) => Err(Refused::new(error, value)),
    }
}

/// Allocates a cell with `alloc` and copies the slice into it.
///
/// # Safety
/// `alloc` returns the data of a new cell that is as the request asks, or an error.
pub(crate) unsafe fn copy<T: Copy>(values: &[T], alloc: impl Alloc) -> Result<NonNull<[T]>, AllocError> {
    let data = alloc(&Request { align: align_of::<T>(), ..Request::new(size_of_val(values)) })?.cast::<T>();
    // SAFETY: [fresh] the caller's `alloc` made a new cell with the layout of this slice, so they do not overlap.
    unsafe { ptr::copy_nonoverlapping(values.as_ptr(), data.as_ptr(), values.len()) };
    Ok(NonNull::slice_from_raw_parts(data, values.len()))
}

/// Allocates a cell with `alloc` and copies the string into it.
///
/// # Safety
/// `alloc` returns the data of a new cell that is as the request asks, or an error.
pub(crate) unsafe fn str(text: &str, alloc: impl Alloc) -> Result<NonNull<str>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { copy(text.as_bytes(), alloc) }.map(as_str)
}

/// A value whose length an owner can change: a slice of `Copy` values, or a string.
///
/// ```
/// fn reserved<T: kmem::Elements + ?Sized>(mut owner: kmem::HeapBox<T>) -> kmem::HeapBox<T> {
///     owner.try_reserve(100).expect("memory");
///     owner
/// }
/// assert_eq!(&*reserved::<str>("text".into()), "text");
/// ```
///
/// # Safety
/// Both functions return a pointer with the address, the provenance and the length of their argument.
pub unsafe trait Elements {
    /// The type of an element. The element of a string is a byte.
    type Element: Copy;
    #[doc(hidden)]
    fn as_slice(this: NonNull<Self>) -> NonNull<[Self::Element]>;
    #[doc(hidden)]
    fn from_slice(slice: NonNull<[Self::Element]>) -> NonNull<Self>;
}

// SAFETY: [provenance] it is the same pointer.
unsafe impl<T: Copy> Elements for [T] {
    type Element = T;
    fn as_slice(this: NonNull<Self>) -> NonNull<[T]> {
        this
    }
    fn from_slice(slice: NonNull<[T]>) -> NonNull<Self> {
        slice
    }
}

// SAFETY: [provenance] a cast changes the type alone.
unsafe impl Elements for str {
    type Element = u8;
    fn as_slice(this: NonNull<Self>) -> NonNull<[u8]> {
        as_bytes(this)
    }
    fn from_slice(slice: NonNull<[u8]>) -> NonNull<Self> {
        as_str(slice)
    }
}

/// Returns UTF-8 bytes as a string.
pub(crate) fn as_str(bytes: NonNull<[u8]>) -> NonNull<str> {
    // SAFETY: [provenance] a pointer with the same address, provenance and length is not null either.
    unsafe { NonNull::new_unchecked(bytes.as_ptr() as *mut str) }
}

/// Returns the bytes of a string.
fn as_bytes(string: NonNull<str>) -> NonNull<[u8]> {
    // SAFETY: [provenance] a pointer with the same address, provenance and length is not null either.
    unsafe { NonNull::new_unchecked(string.as_ptr() as *mut [u8]) }
}

/// A slice under construction in a new cell. Dropping it drops its elements and frees the cell. The cell is zeroed, since nobody could
/// taint it yet.
struct Filling<T> {
    kind: Kind,
    data: NonNull<T>,
    filled: usize,
    /// The number of elements that fit.
    room: usize,
}

impl<T> Filling<T> {
    /// # Safety
    /// `alloc` returns the data of a new cell of this kind that is as the request asks, or an error.
    unsafe fn new(kind: Kind, room: usize, alloc: impl Alloc) -> Result<Self, AllocError> {
        let size = size_of::<T>().checked_mul(room).ok_or(AllocError::Overflow)?;
        let empty = needs_drop::<T>().then_some(Destructor::NONE);
        let data = alloc(&Request { align: align_of::<T>(), drop: empty, ..Request::new(size) })?;
        Ok(Filling { kind, data: data.cast(), filled: 0, room })
    }

    /// Returns a handle on the cell that zeroes what it frees or leaves behind.
    fn handle(&self) -> Handle {
        // SAFETY: [fresh] the cell is live, and of this kind.
        let handle = unsafe { raw::ptr::handle_of(self.kind, self.data.as_ptr().cast()) };
        Handle { shred: Shred::Yes as i32, ..handle }
    }

    /// Adds an element.
    ///
    /// # Safety
    /// There is room for it.
    unsafe fn push(&mut self, element: T) {
        // SAFETY: [caller, fresh] the cell has room for another element, and nobody else has seen it.
        unsafe { self.data.add(self.filled).write(element) };
        self.filled += 1;
    }

    /// Gives the cell room for `room` elements, at least those that it has. It may move.
    fn resize(&mut self, room: usize) -> Result<(), AllocError> {
        let size = size_of::<T>().checked_mul(room).ok_or(AllocError::Overflow)?;
        // SAFETY: [fresh] nobody else has the cell, and its new address is stored before the old block is freed.
        let resized =
            unsafe { raw::ptr::resize_kept(self.handle(), ResizeRequest::Size(size), call!(c"kmresize")) }?;
        self.data = resized.data.cast();
        self.room = room;
        Ok(())
    }

    /// Returns the whole slice, which its cell drops.
    fn finish(self) -> NonNull<[T]> {
        let this = ManuallyDrop::new(self);
        if needs_drop::<T>() {
            let at = CellAt::new(this.kind, this.data.as_ptr().cast());
            let len = ptr::without_provenance_mut(this.filled);
            // SAFETY: [fresh, slot] nobody else has the cell, which has an empty slot and holds `filled` elements.
            unsafe { raw::set_dtor(at, Destructor { run: Some(drop_slice::<T>), arg: len }) };
        }
        NonNull::slice_from_raw_parts(this.data, this.filled)
    }
}

impl<T> Drop for Filling<T> {
    fn drop(&mut self) {
        struct Undo(Handle);
        impl Drop for Undo {
            fn drop(&mut self) {
                // SAFETY: [fresh, slot] the cell is live, and its destructor slot, if it has one, is still empty.
                unsafe { raw::ptr::free(self.0) }
            }
        }
        let _undo = Undo(self.handle());
        // SAFETY: [fresh] `filled` elements have been written, and nobody else has seen them.
        unsafe { ptr::slice_from_raw_parts_mut(self.data.as_ptr(), self.filled).drop_in_place() };
    }
}

/// Allocates a cell of `kind` with `alloc` and fills it with `len` values of `each`.
///
/// # Safety
/// `alloc` returns the data of a new cell of this kind that is as the request asks, or an error.
pub(crate) unsafe fn slice_with<T>(
    kind: Kind,
    len: usize,
    mut each: impl FnMut(usize) -> T,
    alloc: impl Alloc,
) -> Result<NonNull<[T]>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    let mut filling = unsafe { Filling::new(kind, len, alloc) }?;
    for index in 0..len {
        let element = each(index);
        // SAFETY: [extent] there is room for `len` elements.
        unsafe { filling.push(element) };
    }
    Ok(filling.finish())
}

/// Allocates a cell of `kind` with `alloc` and fills it with all values of an iterator. If the size hint was wrong the cell is resized,
/// and memory that it leaves is zeroed.
///
/// # Safety
/// As for [`slice_with`].
pub(crate) unsafe fn collect<T>(
    kind: Kind,
    values: impl Iterator<Item = T>,
    alloc: impl Alloc,
) -> Result<NonNull<[T]>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    let mut filling = unsafe { Filling::new(kind, values.size_hint().0, alloc) }?;
    for value in values {
        if filling.filled == filling.room {
            filling.resize(filling.room.checked_mul(2).ok_or(AllocError::Overflow)?.max(4))?;
        }
        // SAFETY: [extent] there is room for one more.
        unsafe { filling.push(value) };
    }
    if filling.filled < filling.room {
        filling.resize(filling.filled)?;
    }
    Ok(filling.finish())
}

/// Allocates a cell of `kind` with `alloc` and moves the values of a vector into it. The vector's memory is zeroed and freed, even if the
/// allocation fails.
///
/// # Safety
/// As for [`slice_with`].
#[cfg(feature = "heap")]
pub(crate) unsafe fn vec<T>(
    kind: Kind,
    values: alloc::vec::Vec<T>,
    alloc: impl Alloc,
) -> Result<NonNull<[T]>, AllocError> {
    struct Zeroed<T>(alloc::vec::Vec<T>);
    impl<T> Drop for Zeroed<T> {
        fn drop(&mut self) {
            self.0.clear();
            // SAFETY: [extent] the vector owns this many bytes, and has no values.
            unsafe { shred::zero(self.0.as_mut_ptr().cast(), self.0.capacity() * size_of::<T>()) };
        }
    }
    let Zeroed(values) = &mut Zeroed(values);
    let len = values.len();
    // SAFETY: [caller, fresh] the cell is new and has room for `len` values, which the vector gives up.
    unsafe {
        let mut filling = Filling::new(kind, len, alloc)?;
        ptr::copy_nonoverlapping(values.as_ptr(), filling.data.as_ptr(), len);
        values.set_len(0);
        filling.filled = len;
        Ok(filling.finish())
    }
}

/// Moves the value out of a cell and frees the cell with `free`, without the value's destructor.
///
/// # Safety
/// `data` is that of a live cell of this kind with this value, which nobody else uses. `free` frees it.
pub(crate) unsafe fn take<T>(data: NonNull<T>, kind: Kind, free: impl FnOnce(*mut u8)) -> T {
    let cell = data.as_ptr().cast();
    // SAFETY: [caller] the cell holds a value, which is moved out here.
    let value = unsafe { data.read() };
    if needs_drop::<T>() {
        // SAFETY: [slot] the caller's cell is live, and a cell of a type that needs drop has a slot.
        unsafe { raw::set_dtor(CellAt::new(kind, cell), Destructor::NONE) };
    }
    free(cell);
    value
}

/// Changes the length of the slice in a handle's object to `len`. Elements that are added are copies of `value`. `moved` gets the new
/// slice and stores it in the owner.
///
/// # Safety
/// The handle holds a live object with this slice. The owner may change it, and nobody else uses it meanwhile, nor the old address
/// afterwards.
pub(crate) unsafe fn resize<T: Copy>(
    handle: Handle,
    slice: NonNull<[T]>,
    len: usize,
    value: T,
    moved: impl FnMut(NonNull<[T]>),
) -> Result<(), AllocError> {
    let fill = |added: NonNull<T>| {
        // Values of size zero need not be written.
        let count = if size_of::<T>() > 0 { len.saturating_sub(slice.len()) } else { 0 };
        for index in 0..count {
            // SAFETY: [fresh] this many elements were added, and nobody else has seen them.
            unsafe { added.add(index).write(value) };
        }
    };
    let size = size_of::<T>().checked_mul(len).ok_or(AllocError::Overflow)?;
    // SAFETY: [caller] the contract is the caller's; the elements that are added are written.
    unsafe { change(handle, slice, len, ResizeRequest::Size(size), fill, moved) }
}

/// Appends copies of `values` to the slice in a handle's object.
///
/// # Safety
/// As for [`resize`].
pub(crate) unsafe fn extend<T: Copy>(
    handle: Handle,
    slice: NonNull<[T]>,
    values: &[T],
    moved: impl FnMut(NonNull<[T]>),
) -> Result<(), AllocError> {
    let (len, size) = grown(slice, values.len())?;
    let fill = |added: NonNull<T>| {
        // SAFETY: [fresh] this many elements were added, and nobody else has seen them.
        unsafe { ptr::copy_nonoverlapping(values.as_ptr(), added.as_ptr(), values.len()) }
    };
    // SAFETY: [caller] the contract is the caller's; the elements that are added are written.
    unsafe { change(handle, slice, len, ResizeRequest::Appended(size), fill, moved) }
}

/// Reserves room for `additional` more elements in a handle's object.
///
/// # Safety
/// As for [`resize`].
pub(crate) unsafe fn reserve<T: Elements + ?Sized>(
    handle: Handle,
    value: NonNull<T>,
    additional: usize,
    mut moved: impl FnMut(NonNull<T>),
) -> Result<(), AllocError> {
    let slice = T::as_slice(value);
    let (_, size) = grown(slice, additional)?;
    // SAFETY: [caller] the contract is the caller's; the elements are the same.
    unsafe {
        change(
            handle,
            slice,
            slice.len(),
            ResizeRequest::Room(size),
            |_| (),
            |slice| moved(T::from_slice(slice)),
        )
    }
}

/// Returns the length and the bytes of a slice with `additional` more elements.
fn grown<T>(slice: NonNull<[T]>, additional: usize) -> Result<(usize, usize), AllocError> {
    let len = slice.len().checked_add(additional).ok_or(AllocError::Overflow)?;
    Ok((len, size_of::<T>().checked_mul(len).ok_or(AllocError::Overflow)?))
}

/// Appends to the string in a handle's object. `moved` gets the new string and stores it in the owner.
///
/// # Safety
/// As for [`resize`].
pub(crate) unsafe fn push_str(
    handle: Handle,
    string: NonNull<str>,
    text: &str,
    mut moved: impl FnMut(NonNull<str>),
) -> Result<(), AllocError> {
    // SAFETY: [caller] the contract is the caller's; the bytes that are added are those of a string.
    unsafe { extend(handle, as_bytes(string), text.as_bytes(), |bytes| moved(as_str(bytes))) }
}

/// Changes the length, and has `fill` write the elements that are added.
///
/// # Safety
/// As for [`resize`]. `fill` writes all elements from the first added one on, and does not unwind.
unsafe fn change<T: Copy>(
    handle: Handle,
    slice: NonNull<[T]>,
    len: usize,
    to: ResizeRequest,
    fill: impl FnOnce(NonNull<T>),
    mut moved: impl FnMut(NonNull<[T]>),
) -> Result<(), AllocError> {
    let call = if matches!(to, ResizeRequest::Room(_)) { call!(c"kmreserve") } else { call!(c"kmresize") };
    let cut = (len < slice.len()).then(|| Cut { handle, slice, len, moved: &mut moved });
    // SAFETY: [caller] the contract is the caller's.
    let resized = unsafe { raw::ptr::resize_kept(handle, to, call) };
    core::mem::forget(cut);
    let resized = resized?;
    let data = resized.data.cast::<T>();
    if len > slice.len() {
        // SAFETY: [extent] the cell has room for `len` elements, more than before.
        fill(unsafe { data.add(slice.len()) });
    }
    moved(NonNull::slice_from_raw_parts(data, len));
    // The source that frees the old block now may look at the owner, or unwind.
    drop(resized);
    Ok(())
}

/// A slice that is being shortened. If the source unwinds, dropping this stores the new length in the owner if the rest is gone already.
struct Cut<'a, T> {
    handle: Handle,
    slice: NonNull<[T]>,
    len: usize,
    moved: &'a mut dyn FnMut(NonNull<[T]>),
}

impl<T> Drop for Cut<'_, T> {
    fn drop(&mut self) {
        let bytes = self.slice.len() * size_of::<T>();
        // SAFETY: [guard, live] a cell that is being resized stays whole and in place until the call returns.
        if unsafe { raw::ptr::size(self.handle) } < bytes {
            (self.moved)(NonNull::slice_from_raw_parts(self.slice.cast(), self.len));
        }
    }
}

/// Panics, as a constructor does if its `try_` form returns an error.
#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn refuse(error: AllocError) -> ! {
    panic!("allocation refused: {error}")
}

/// Returns the value, or panics at the line that called the constructor. A closure would name its own line.
#[inline]
#[track_caller]
pub(crate) fn made<T>(result: Result<T, impl Into<AllocError>>) -> T {
    match result {
        Ok(made) => made,
        Err(refused) => refuse(refused.into()),
    }
}
