//! What a cell is asked for as it is made.

use core::alloc::Layout;
use core::ffi::{CStr, c_void};
use core::ptr::NonNull;

use super::sanitizer;
use crate::cell::Cell;
use crate::error::AllocError;

/// Allocates a block from a source that is not null. A source that grows gets this to allocate from the one below.
pub(crate) type Draw = unsafe fn(*mut Cell, Layout) -> Result<NonNull<u8>, AllocError>;

/// The alignment, in bytes, of all data that does not ask for more.
pub(crate) const BASE_ALIGN: usize = 16;

/// The largest alignment, in bytes, that a cell's data can ask for: a page.
///
/// ```
/// assert_eq!(kmem::raw::MAX_ALIGN, 4096);
/// ```
pub const MAX_ALIGN: usize = 4096;

/// Whether the data of a new cell is zeroed.
///
/// ```
/// assert_ne!(kmem::raw::Fill::Zeroed, kmem::raw::Fill::Undefined);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fill {
    /// The contents are whatever the source left there.
    Undefined,
    /// Every data byte is zero.
    Zeroed,
}

/// What a destructor looks like: it gets the cell's data and the argument that was stored with it.
///
/// In C it is a plain function pointer. One written in Rust may unwind; see the [module](crate::raw) for what
/// happens then. It may use the library, but frees neither what is being freed nor the pool that it is in, and frees or resizes no node
/// above.
pub type Drop = unsafe extern "C-unwind" fn(data: *mut c_void, arg: *mut c_void);

/// A function that runs once when the cell goes, before its bytes are zeroed or given back.
///
/// Exhaustive: C code relies on this layout.
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
    /// The function; `None` leaves the slot empty.
    pub run: Option<Drop>,
    /// Its second argument.
    pub arg: *mut c_void,
}

impl Destructor {
    /// An empty one.
    pub(crate) const NONE: Destructor = Destructor { run: None, arg: core::ptr::null_mut() };

    /// Runs it, if there is one.
    ///
    /// # Safety
    /// `data` is what it was given for, and it has not run yet.
    #[inline]
    pub(crate) unsafe fn call(&self, data: *mut u8) {
        let Some(run) = self.run else { return };
        sanitizer::calls(size_of::<[*mut u8; 2]>());
        // Where a panic aborts nothing unwinds, and the compiler need not prepare for it at this call.
        #[cfg(panic = "abort")]
        // SAFETY: [platform] the two types differ in what may unwind alone.
        let run =
            unsafe { core::mem::transmute::<Drop, unsafe extern "C" fn(*mut c_void, *mut c_void)>(run) };
        // SAFETY: [caller] the caller vouches for the data.
        unsafe { run(data.cast(), self.arg) }
    }
}

/// What an `alloc` is asked for.
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
    /// Alignment of the data in bytes: a power of two up to [`MAX_ALIGN`]. Less than 16 gives 16.
    pub align: usize,
    /// Whether the data is zeroed.
    pub fill: Fill,
    /// The destructor; `Some` takes 16 bytes behind the data.
    pub drop: Option<Destructor>,
    /// The name, which reports show and [`ptr::cast`](super::ptr::cast) compares; `Some` takes 8 bytes behind the data.
    pub name: Option<&'static CStr>,
}

impl Request {
    /// `size` bytes, aligned to 16, undefined, with no destructor and no name.
    ///
    /// ```
    /// assert_eq!(kmem::raw::Request::new(3).align, 16);
    /// ```
    #[must_use]
    pub const fn new(size: usize) -> Request {
        Request { size, align: BASE_ALIGN, fill: Fill::Undefined, drop: None, name: None }
    }
}

/// `n` rounded up to a multiple of the power of two `to`, or `None` on overflow.
pub(crate) const fn round_up(n: usize, to: usize) -> Option<usize> {
    match n.checked_add(to - 1) {
        Some(sum) => Some(sum & !(to - 1)),
        None => None,
    }
}

/// The alignment that data asking for `align` gets.
pub(crate) fn data_align(align: usize) -> Result<usize, AllocError> {
    if align <= BASE_ALIGN && (align == 0 || align.is_power_of_two()) {
        Ok(BASE_ALIGN)
    } else if align.is_power_of_two() && align <= MAX_ALIGN {
        Ok(align)
    } else {
        Err(AllocError::Align { align, max: MAX_ALIGN })
    }
}

/// The value of a header's `align` byte for data aligned to `align`.
pub(crate) fn align_byte(align: usize) -> u8 {
    if align > BASE_ALIGN { align.trailing_zeros() as u8 } else { 0 }
}
