//! Values in an arena, without headers.

use core::mem::needs_drop;
use core::ptr::NonNull;

use crate::cell::Kind;
use crate::error::{AllocError, Refused};
use crate::raw::arena::{bare, own};
use crate::{emplace, raw};

/// An arena for as long as its objects are used.
///
/// # Safety
/// The arena is live, belongs to this thread, and its source is alive.
#[derive(Clone, Copy)]
pub(super) struct Store(NonNull<raw::Arena>);

impl Store {
    /// # Safety
    /// The arena is live and belongs to this thread as long as the result is used, and its source is alive.
    #[inline]
    pub(super) unsafe fn new(arena: NonNull<raw::Arena>) -> Store {
        Store(arena)
    }

    /// Compiles only if values of this type may be forgotten.
    #[inline(always)]
    fn check<T>() {
        const {
            assert!(
                !needs_drop::<T>(),
                "this value has a destructor: use `own`, or wrap it in `ManuallyDrop`"
            );
        }
    }

    #[inline]
    fn alloc(self, size: usize, align: usize) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: [one-thread, outlives] the arena is live and this thread's. Each caller has a valid layout.
        unsafe { bare::alloc(self.0.as_ptr(), size, align) }
    }

    #[inline]
    pub(super) fn uninit<T>(self) -> Result<NonNull<T>, AllocError> {
        self.alloc(size_of::<T>(), align_of::<T>()).map(NonNull::cast)
    }

    #[inline]
    pub(super) fn value<T>(self, value: T) -> Result<NonNull<T>, Refused<T>> {
        Self::check::<T>();
        // SAFETY: [fresh] the arena has new bytes of this layout.
        unsafe { emplace::value(value, |request| self.alloc(request.size, request.align)) }
    }

    #[inline]
    pub(super) fn with<T>(self, make: impl FnOnce() -> T) -> Result<NonNull<T>, AllocError> {
        Self::check::<T>();
        let data = self.uninit::<T>()?;
        // SAFETY: [fresh] the bytes are new, and have the layout of a `T`.
        unsafe { data.write(make()) };
        Ok(data)
    }

    #[inline]
    pub(super) fn copy<T: Copy>(self, values: &[T]) -> Result<NonNull<[T]>, AllocError> {
        // SAFETY: [fresh] as in `value`.
        unsafe { emplace::copy(values, |request| self.alloc(request.size, request.align)) }
    }

    #[inline]
    pub(super) fn str(self, text: &str) -> Result<NonNull<str>, AllocError> {
        self.copy(text.as_bytes()).map(emplace::as_str)
    }

    #[inline]
    pub(super) fn slice<T>(
        self,
        len: usize,
        mut each: impl FnMut(usize) -> T,
    ) -> Result<NonNull<[T]>, AllocError> {
        Self::check::<T>();
        let size = bytes_of::<T>(len)?;
        let data = self.alloc(size, align_of::<T>())?.cast::<T>();
        for index in 0..len {
            // SAFETY: [fresh] there is room for `len` elements.
            unsafe { data.add(index).write(each(index)) };
        }
        Ok(NonNull::slice_from_raw_parts(data, len))
    }

    pub(super) fn collect<T>(self, values: impl Iterator<Item = T>) -> Result<NonNull<[T]>, AllocError> {
        Self::check::<T>();
        let mut room = values.size_hint().0;
        let mut data = self.block::<T>(room)?;
        let mut len = 0;
        for value in values {
            if len == room {
                let more = room.checked_mul(2).ok_or(AllocError::Overflow)?.max(4);
                data = self.resize(data, room, more)?;
                room = more;
            }
            // SAFETY: [fresh] there is room for one more.
            unsafe { data.add(len).write(value) };
            len += 1;
        }
        if len < room {
            data = self.resize(data, room, len)?;
        }
        Ok(NonNull::slice_from_raw_parts(data, len))
    }

    /// Allocates a block for `len` values, which can be resized.
    fn block<T>(self, len: usize) -> Result<NonNull<T>, AllocError> {
        let layout = core::alloc::Layout::array::<T>(len).map_err(|_| AllocError::Overflow)?;
        // SAFETY: [one-thread, outlives] as in `alloc`.
        unsafe { bare::draw(self.0.as_ptr(), layout) }.map(NonNull::cast)
    }

    /// Resizes a block of values in place or by a move.
    fn resize<T>(self, data: NonNull<T>, from: usize, to: usize) -> Result<NonNull<T>, AllocError> {
        let (old, new) = (from * size_of::<T>(), bytes_of::<T>(to)?);
        // SAFETY: [fresh] nobody else has the block, whose size is `old`. The new one has room for the values that are copied.
        unsafe {
            if bare::resize(self.0.as_ptr(), data.as_ptr().cast(), old, new) {
                return Ok(data);
            }
            let moved = self.block::<T>(to)?;
            data.copy_to_nonoverlapping(moved, from.min(to));
            bare::give_back(self.0.as_ptr(), data.as_ptr().cast(), old);
            Ok(moved)
        }
    }

    #[inline]
    pub(super) fn own<T>(self, value: T) -> Result<NonNull<T>, Refused<T>> {
        // SAFETY: [fresh, watches] the arena has new bytes of this layout, to which the value is moved at once.
        unsafe {
            emplace::value(value, |request| match request.drop {
                None => self.alloc(request.size, request.align),
                Some(destructor) => own::alloc(self.0.as_ptr(), request.size, request.align, destructor),
            })
        }
    }

    pub(super) fn own_all<T>(self, values: impl Iterator<Item = T>) -> Result<NonNull<[T]>, AllocError> {
        // SAFETY: [fresh] as in `own`; `collect` gets a cell, for values that need no destructor too.
        unsafe {
            emplace::collect(Kind::Arena, values, |request| raw::arena::alloc(self.0.as_ptr(), request))
        }
    }
}

/// Returns the bytes of a slice, if it can exist.
fn bytes_of<T>(len: usize) -> Result<usize, AllocError> {
    match size_of::<T>().checked_mul(len) {
        Some(size) if size <= isize::MAX as usize => Ok(size),
        _ => Err(AllocError::Overflow),
    }
}
