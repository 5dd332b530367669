//! The parameters of a new cell.

use core::alloc::Layout;
use core::ffi::{CStr, c_void};
use core::ptr::NonNull;

use super::sanitizer;
use crate::cell::Cell;
use crate::error::AllocError;

/// The functions by which a source uses the source that it was itself allocated from. `src` is null (the heap) or a live source.
pub(crate) struct Below {
    pub(crate) draw: unsafe fn(src: *mut Cell, layout: Layout) -> Result<NonNull<u8>, AllocError>,
    pub(crate) give_back: unsafe fn(src: *mut Cell, block: *mut u8, layout: Layout),
    /// Returns true if the source, or one below it, is tainted.
    #[cfg_attr(not(feature = "pool"), allow(dead_code, reason = "a pool zeroes blocks"))]
    pub(crate) shreds: unsafe fn(src: *mut Cell) -> bool,
    /// Returns an error if no block from the source can have this size.
    pub(crate) fits_in_place: unsafe fn(src: *mut Cell, size: usize) -> Result<bool, AllocError>,
    /// Resizes a block in place, or returns false and changes nothing.
    pub(crate) resize: unsafe fn(src: *mut Cell, block: *mut u8, layout: Layout, to: usize) -> bool,
}

/// The default alignment of data, in bytes.
pub(crate) const BASE_ALIGN: usize = 16;

/// The largest alignment of data, in bytes: a page.
pub const MAX_ALIGN: usize = 4096;

/// The initial contents of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fill {
    /// The bytes are undefined.
    Undefined,
    /// Every data byte is zero.
    Zeroed,
}

/// The type of a destructor. It gets the data of the cell and the argument stored with it.
///
/// It may unwind if it is written in Rust; see the [module](crate::raw). It may use kmem, but must not free an object that is being
/// freed already or add a node below it, nor free the pool that its cell is in, nor free or resize a node above its own.
pub type Drop = unsafe extern "C-unwind" fn(data: *mut c_void, arg: *mut c_void);

/// A function that runs once when the cell is freed, before its data is zeroed.
/// Exhaustive: C code relies on the layout.
///
/// ```
/// use std::ffi::c_void;
/// use kmem::raw::{heap, Destructor, Request};
///
/// unsafe extern "C-unwind" fn count(_data: *mut c_void, arg: *mut c_void) {
///     unsafe { *arg.cast::<u32>() += 1 };
/// }
/// let mut ended = 0u32;
/// let request = Request { drop: Some(Destructor { run: Some(count), arg: (&raw mut ended).cast() }), ..Request::new(8) };
/// unsafe { heap::f(heap::alloc(&request).unwrap().as_ptr()) };
/// assert_eq!(ended, 1);
/// ```
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Destructor {
    /// The function. `None` leaves the slot empty.
    pub run: Option<Drop>,
    /// Its second argument.
    pub arg: *mut c_void,
}

impl Destructor {
    /// An empty destructor.
    pub(crate) const NONE: Destructor = Destructor { run: None, arg: core::ptr::null_mut() };

    /// Runs the destructor, if there is one. Safety: `data` is that of its cell, and the destructor has not run yet.
    #[inline]
    pub(crate) unsafe fn call(&self, data: *mut u8) {
        let Some(run) = self.run else { return };
        sanitizer::calls(size_of::<[*mut u8; 2]>());
        // If panics abort, nothing unwinds, and the compiler need not prepare this call for unwinding.
        #[cfg(panic = "abort")]
        // SAFETY: [platform] the two types differ only in whether the function may unwind.
        let run =
            unsafe { core::mem::transmute::<Drop, unsafe extern "C" fn(*mut c_void, *mut c_void)>(run) };
        // SAFETY: [caller] the data is that of the cell.
        unsafe { run(data.cast(), self.arg) }
    }
}

/// The parameters of an `alloc`.
///
/// Exhaustive, so that other crates can write `..Request::new(size)`. A new field is a breaking change.
///
/// ```
/// use kmem::raw::{heap, Fill, Request};
/// let page = Request { align: 4096, fill: Fill::Zeroed, ..Request::new(100) };
/// let data = unsafe { heap::alloc(&page) }.unwrap();
/// assert_eq!(data.addr().get() % 4096, 0);
/// unsafe { heap::f(data.as_ptr()) };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Data bytes; zero is allowed.
    pub size: usize,
    /// Alignment of the data in bytes: a power of two up to [`MAX_ALIGN`]. Raised to 16 if smaller.
    pub align: usize,
    /// The initial contents of the data.
    pub fill: Fill,
    /// The destructor. It takes 16 bytes behind the data.
    pub drop: Option<Destructor>,
    /// The name, for reports and [`ptr::cast`](super::ptr::cast). It takes 8 bytes behind the data.
    pub name: Option<&'static CStr>,
}

impl Request {
    /// Returns a request for `size` undefined bytes, aligned to 16, without destructor and name.
    #[must_use]
    pub const fn new(size: usize) -> Request {
        Request { size, align: BASE_ALIGN, fill: Fill::Undefined, drop: None, name: None }
    }
}

/// Returns `n` rounded up to a multiple of the power of two `to`, or `None` on overflow.
pub(crate) const fn round_up(n: usize, to: usize) -> Option<usize> {
    match n.checked_add(to - 1) {
        Some(sum) => Some(sum & !(to - 1)),
        None => None,
    }
}

/// Returns the alignment that data gets if `align` is requested: at least [`BASE_ALIGN`].
#[inline(always)]
pub(crate) fn data_align(align: usize) -> Result<usize, AllocError> {
    if align <= BASE_ALIGN && (align == 0 || align.is_power_of_two()) {
        Ok(BASE_ALIGN)
    } else if align.is_power_of_two() && align <= MAX_ALIGN {
        Ok(align)
    } else {
        Err(AllocError::misaligned(align, MAX_ALIGN))
    }
}

/// Returns the `align` byte of a prefix for this alignment.
pub(crate) fn align_byte(align: usize) -> u8 {
    if align > BASE_ALIGN { align.trailing_zeros() as u8 } else { 0 }
}
