//! The methods that allocate, which an arena and its scopes have.

/// Implements these methods for `$owner`, whose objects live as long as `$life`, or as long as the owner is borrowed. A value that is
/// dropped by the arena outlives `$drops`. `$open` and `$close` begin and end an example that has an `arena`.
macro_rules! allocates {
    ([$($impl:tt)*] $owner:ty, [$($life:lifetime)?], $drops:lifetime, $open:literal, $close:literal) => {
        #[allow(clippy::mut_from_ref, reason = "each call returns other bytes")]
        impl<$($impl)*> $owner {
            #[inline]
            fn store(&self) -> Store {
                // SAFETY: [outlives, one-thread] the arena is live and this thread's while it is borrowed.
                unsafe { Store::new(self.arena) }
            }

            /// Moves a value into the arena. It takes the bytes of the value and no header.
            ///
            /// The value is not dropped. A type that has a destructor does not compile here: use `own`, or wrap the value in
            /// [`ManuallyDrop`](core::mem::ManuallyDrop).
            ///
            /// # Panics
            /// Panics if `try_alloc` would fail.
            ///
            #[doc = concat!("```\n", $open, "
let one = arena.alloc(1);
let two = arena.alloc(*one + 1);
assert_eq!((*one, *two), (1, 2));\n", $close, "```")]
            #[track_caller]
            #[inline]
            pub fn alloc<T>(&self, value: T) -> &$($life)? mut T {
                // SAFETY: [fresh, outlives] the bytes are new, and stay as long as the reference.
                unsafe { emplace::made(self.store().value(value)).as_mut() }
            }

            /// Moves a value into the arena, as `alloc` does.
            ///
            /// # Errors
            /// Returns the value with [`AllocError::Exhausted`] if memory runs out, and with [`AllocError::Align`] if the alignment of
            /// `T` is above [`raw::MAX_ALIGN`].
            ///
            #[doc = concat!("```\n", $open, "
assert_eq!(*arena.try_alloc(7).unwrap(), 7);\n", $close, "```")]
            #[inline]
            pub fn try_alloc<T>(&self, value: T) -> Result<&$($life)? mut T, Refused<T>> {
                // SAFETY: [fresh, outlives] as in `alloc`.
                self.store().value(value).map(|mut data| unsafe { data.as_mut() })
            }

            /// Allocates room for a value, then makes the value there. `make` may use the arena too.
            ///
            /// # Panics
            /// Panics if `try_alloc_with` would fail. If `make` panics, the room is lost until the arena is emptied.
            ///
            #[doc = concat!("```\n", $open, "
let numbers = arena.alloc_with(|| [7u64; 100]);
assert_eq!(numbers[99], 7);\n", $close, "```")]
            #[track_caller]
            #[inline]
            pub fn alloc_with<T>(&self, make: impl FnOnce() -> T) -> &$($life)? mut T {
                // SAFETY: [fresh, outlives] as in `alloc`.
                unsafe { emplace::made(self.store().with(make)).as_mut() }
            }

            /// Allocates room for a value, then makes the value there. `make` is not called if that fails.
            ///
            /// # Errors
            /// Returns the errors of `try_alloc`.
            ///
            #[doc = concat!("```\n", $open, "
assert_eq!(arena.try_alloc_with(|| [7; 100]).unwrap()[99], 7);\n", $close, "```")]
            #[inline]
            pub fn try_alloc_with<T>(&self, make: impl FnOnce() -> T) -> Result<&$($life)? mut T, AllocError> {
                // SAFETY: [fresh, outlives] as in `alloc`.
                self.store().with(make).map(|mut data| unsafe { data.as_mut() })
            }

            /// Allocates room for a value that is written later.
            ///
            /// # Panics
            /// Panics if `try_alloc_uninit` would fail.
            ///
            #[doc = concat!("```\n", $open, "
let room = arena.alloc_uninit();
assert_eq!(*room.write(7), 7);\n", $close, "```")]
            #[track_caller]
            #[inline]
            pub fn alloc_uninit<T>(&self) -> &$($life)? mut MaybeUninit<T> {
                // SAFETY: [fresh, outlives] as in `alloc`.
                unsafe { emplace::made(self.store().uninit::<MaybeUninit<T>>()).as_mut() }
            }

            /// Allocates room for a value that is written later.
            ///
            /// # Errors
            /// Returns the errors of `try_alloc`.
            ///
            #[doc = concat!("```\n", $open, "
assert_eq!(*arena.try_alloc_uninit().unwrap().write(7), 7);\n", $close, "```")]
            #[inline]
            pub fn try_alloc_uninit<T>(&self) -> Result<&$($life)? mut MaybeUninit<T>, AllocError> {
                // SAFETY: [fresh, outlives] as in `alloc`.
                self.store().uninit::<MaybeUninit<T>>().map(|mut data| unsafe { data.as_mut() })
            }

            /// Copies a slice into the arena.
            ///
            /// # Panics
            /// Panics if `try_alloc_slice_copy` would fail.
            ///
            #[doc = concat!("```\n", $open, "
assert_eq!(*arena.alloc_slice_copy(&[1, 2, 3]), [1, 2, 3]);\n", $close, "```")]
            #[track_caller]
            #[inline]
            pub fn alloc_slice_copy<T: Copy>(&self, values: &[T]) -> &$($life)? mut [T] {
                // SAFETY: [fresh, outlives] as in `alloc`.
                unsafe { emplace::made(self.store().copy(values)).as_mut() }
            }

            /// Copies a slice into the arena.
            ///
            /// # Errors
            /// Returns the errors of `try_alloc`.
            ///
            #[doc = concat!("```\n", $open, "
assert_eq!(*arena.try_alloc_slice_copy(&[1, 2]).unwrap(), [1, 2]);\n", $close, "```")]
            #[inline]
            pub fn try_alloc_slice_copy<T: Copy>(&self, values: &[T]) -> Result<&$($life)? mut [T], AllocError> {
                // SAFETY: [fresh, outlives] as in `alloc`.
                self.store().copy(values).map(|mut data| unsafe { data.as_mut() })
            }

            /// Clones the values of a slice into the arena.
            ///
            /// # Panics
            /// Panics if `try_alloc_slice_clone` would fail. If a clone panics, the room is lost until the arena is emptied.
            ///
            #[doc = concat!("```\n", $open, "
assert_eq!(*arena.alloc_slice_clone(&[Some(1), None]), [Some(1), None]);\n", $close, "```")]
            #[track_caller]
            pub fn alloc_slice_clone<T: Clone>(&self, values: &[T]) -> &$($life)? mut [T] {
                self.alloc_slice_fill_with(values.len(), |index| values[index].clone())
            }

            /// Clones the values of a slice into the arena.
            ///
            /// # Errors
            /// Returns the errors of `try_alloc_slice_fill_with`.
            ///
            #[doc = concat!("```\n", $open, "
assert_eq!(*arena.try_alloc_slice_clone(&[Some(1)]).unwrap(), [Some(1)]);\n", $close, "```")]
            pub fn try_alloc_slice_clone<T: Clone>(&self, values: &[T]) -> Result<&$($life)? mut [T], AllocError> {
                self.try_alloc_slice_fill_with(values.len(), |index| values[index].clone())
            }

            /// Makes a slice of `len` values in the arena. `each` makes a value from its index, and may use the arena too.
            ///
            /// # Panics
            /// Panics if `try_alloc_slice_fill_with` would fail. If `each` panics, the room is lost until the arena is emptied.
            ///
            #[doc = concat!("```\n", $open, "
assert_eq!(*arena.alloc_slice_fill_with(3, |index| index * index), [0, 1, 4]);\n", $close, "```")]
            #[track_caller]
            #[inline]
            pub fn alloc_slice_fill_with<T>(&self, len: usize, each: impl FnMut(usize) -> T) -> &$($life)? mut [T] {
                // SAFETY: [fresh, outlives] as in `alloc`.
                unsafe { emplace::made(self.store().slice(len, each)).as_mut() }
            }

            /// Makes a slice of `len` values in the arena.
            ///
            /// # Errors
            /// Returns [`AllocError::Overflow`] if the size overflows, and the errors of `try_alloc`.
            ///
            #[doc = concat!("```\n", $open, "
assert!(arena.try_alloc_slice_fill_with(usize::MAX, |index| index).is_err());\n", $close, "```")]
            #[inline]
            pub fn try_alloc_slice_fill_with<T>(
                &self,
                len: usize,
                each: impl FnMut(usize) -> T,
            ) -> Result<&$($life)? mut [T], AllocError> {
                // SAFETY: [fresh, outlives] as in `alloc`.
                self.store().slice(len, each).map(|mut data| unsafe { data.as_mut() })
            }

            /// Collects the values of an iterator into a slice in the arena. The iterator may use the arena too.
            ///
            /// # Panics
            /// Panics if `try_alloc_iter` would fail. If the iterator panics, the room is lost until the arena is emptied.
            ///
            #[doc = concat!("```\n", $open, "
let odd = arena.alloc_iter((0..10).filter(|number| number % 2 == 1));
assert_eq!(*odd, [1, 3, 5, 7, 9]);\n", $close, "```")]
            #[track_caller]
            pub fn alloc_iter<T>(&self, values: impl IntoIterator<Item = T>) -> &$($life)? mut [T] {
                // SAFETY: [fresh, outlives] as in `alloc`.
                unsafe { emplace::made(self.store().collect(values.into_iter())).as_mut() }
            }

            /// Collects the values of an iterator into a slice in the arena.
            ///
            /// # Errors
            /// Returns the errors of `try_alloc_slice_fill_with`.
            ///
            #[doc = concat!("```\n", $open, "
assert_eq!(*arena.try_alloc_iter(1..4).unwrap(), [1, 2, 3]);\n", $close, "```")]
            pub fn try_alloc_iter<T>(
                &self,
                values: impl IntoIterator<Item = T>,
            ) -> Result<&$($life)? mut [T], AllocError> {
                // SAFETY: [fresh, outlives] as in `alloc`.
                self.store().collect(values.into_iter()).map(|mut data| unsafe { data.as_mut() })
            }

            /// Copies a string into the arena.
            ///
            /// # Panics
            /// Panics if `try_alloc_str` would fail.
            ///
            #[doc = concat!("```\n", $open, "
let text = arena.alloc_str(\"text\");
text.make_ascii_uppercase();
assert_eq!(text, \"TEXT\");\n", $close, "```")]
            #[track_caller]
            #[inline]
            pub fn alloc_str(&self, text: &str) -> &$($life)? mut str {
                // SAFETY: [fresh, outlives] as in `alloc`.
                unsafe { emplace::made(self.store().str(text)).as_mut() }
            }

            /// Copies a string into the arena.
            ///
            /// # Errors
            /// Returns [`AllocError::Exhausted`] if memory runs out.
            ///
            #[doc = concat!("```\n", $open, "
assert_eq!(arena.try_alloc_str(\"text\").unwrap(), \"text\");\n", $close, "```")]
            #[inline]
            pub fn try_alloc_str(&self, text: &str) -> Result<&$($life)? mut str, AllocError> {
                // SAFETY: [fresh, outlives] as in `alloc`.
                self.store().str(text).map(|mut data| unsafe { data.as_mut() })
            }

            /// Moves a value into the arena, which drops it when it is emptied: the newest value first.
            ///
            /// Everything that the value borrows must outlive the arena, or the scope in which it is allocated. The value is dropped on
            /// the thread that has the arena then, so it must be `Send`. A value without a destructor is allocated as by `alloc`.
            ///
            /// # Panics
            /// Panics if `try_own` would fail.
            ///
            #[doc = concat!("```\n", $open, "
let text = arena.own(String::from(\"on the heap, \"));
text.push_str(\"and freed with the arena\");\n", $close, "```")]
            #[track_caller]
            #[inline]
            pub fn own<T: Send + $drops>(&self, value: T) -> &$($life)? mut T {
                // SAFETY: [fresh, outlives, watches] the cell stays live as long as the reference. Its destructor runs when nobody uses
                // it any more, and before what it borrows ends.
                unsafe { emplace::made(self.store().own(value)).as_mut() }
            }

            /// Moves a value into the arena, which drops it.
            ///
            /// # Errors
            /// Returns the errors of `try_alloc`.
            ///
            #[doc = concat!("```\n", $open, "
assert_eq!(arena.try_own(String::from(\"text\")).unwrap(), \"text\");\n", $close, "```")]
            #[inline]
            pub fn try_own<T: Send + $drops>(&self, value: T) -> Result<&$($life)? mut T, Refused<T>> {
                // SAFETY: [fresh, outlives, watches] as in `own`.
                self.store().own(value).map(|mut data| unsafe { data.as_mut() })
            }

            /// Collects the values of an iterator into a slice in the arena, which drops them, as `own` does.
            ///
            /// If the iterator panics, the values that it returned before are dropped.
            ///
            /// # Panics
            /// Panics if `try_own_iter` would fail.
            ///
            #[doc = concat!("```\n", $open, "
let words = arena.own_iter(\"one two\".split(' ').map(String::from));
assert_eq!(words, [\"one\", \"two\"]);\n", $close, "```")]
            #[track_caller]
            pub fn own_iter<T: Send + $drops>(&self, values: impl IntoIterator<Item = T>) -> &$($life)? mut [T] {
                // SAFETY: [fresh, outlives, watches] as in `own`.
                unsafe { emplace::made(self.store().own_all(values.into_iter())).as_mut() }
            }

            /// Collects the values of an iterator into a slice in the arena, which drops them.
            ///
            /// # Errors
            /// Returns the errors of `try_alloc_slice_fill_with`. The values that the iterator returned before are dropped.
            ///
            #[doc = concat!("```\n", $open, "
assert_eq!(arena.try_own_iter([String::new()]).unwrap().len(), 1);\n", $close, "```")]
            pub fn try_own_iter<T: Send + $drops>(
                &self,
                values: impl IntoIterator<Item = T>,
            ) -> Result<&$($life)? mut [T], AllocError> {
                // SAFETY: [fresh, outlives, watches] as in `own`.
                self.store().own_all(values.into_iter()).map(|mut data| unsafe { data.as_mut() })
            }
        }

        // SAFETY: [drawn, outlives] bytes stay in place when the owner moves. They are freed when a lifetime in its type ends, or the arena
        // is emptied, for which it is borrowed mutably, or dropped.
        unsafe impl<$($impl)*> Source for $owner {
            #[inline]
            fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
                // SAFETY: [one-thread, outlives] the arena is live and this thread's.
                unsafe { bare::draw(self.arena.as_ptr(), layout) }
            }

            #[inline]
            unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
                // SAFETY: [caller] the caller returns a block of this arena.
                unsafe { bare::give_back(self.arena.as_ptr(), block.as_ptr(), layout.size()) }
            }

            unsafe fn resize_in_place(&self, block: NonNull<u8>, layout: Layout, size: usize) -> bool {
                // SAFETY: [caller] the caller has a block of this arena.
                unsafe { bare::resize(self.arena.as_ptr(), block.as_ptr(), layout.size(), size) }
            }

            fn shreds(&self) -> bool {
                // SAFETY: [outlives] the arena is live, and so are the sources below it.
                unsafe { raw::shreds(self.arena.as_ptr().cast()) }
            }
        }

        // SAFETY: [outlives, threads] the reference keeps the arena alive and its scope open for its lifetime. The owner is not `Sync`, so
        // the reference is not `Send`, nor are the cells that are allocated through it.
        unsafe impl<$($impl)*> CellSource for &$owner {
            #[inline]
            fn as_cell(&self) -> *mut raw::Cell {
                self.arena.as_ptr().cast()
            }
        }
    };
}
