//! Sources as `allocator-api2` allocators, and such allocators as sources, for each version in use.

macro_rules! adapters {
    ($(#[$doc:meta])* $module:ident, $feature:literal, $krate:ident, $example:literal) => {
        $(#[$doc])*
        #[cfg(feature = $feature)]
        pub mod $module {
            use core::alloc::Layout;
            use core::ptr::NonNull;

            use $krate::alloc::{AllocError as Refused, Allocator};

            use crate::error::AllocError;
            use crate::source::{Heap, Source, dangling};

            /// A [`Source`] as an allocator for collections.
            ///
            /// A collection that grows first asks the source to resize its block [in place](Source::resize_in_place). Otherwise it copies to a
            /// new block and frees the old one, which a shredding source zeroes.
            ///
            #[doc = concat!("```\n", $example, "\n```")]
            #[derive(Debug, Default)]
            pub struct AsAllocator<S>(S);

            impl<S: Source> AsAllocator<S> {
                /// Wraps a source.
                ///
                /// ```
                #[doc = concat!("use kmem::allocator_api2::", stringify!($module), "::AsAllocator;")]
                /// let pool = kmem::Pool::bytes(1024, 4);
                /// let allocator = AsAllocator::new(&pool);
                /// ```
                pub const fn new(source: S) -> Self {
                    AsAllocator(source)
                }
            }

            // Clones of an allocator must be interchangeable. Shared references and the heap are, but not every source that is `Clone`.
            impl<S: Source + ?Sized> Clone for AsAllocator<&S> {
                fn clone(&self) -> Self {
                    AsAllocator(self.0)
                }
            }

            #[cfg(feature = "heap")]
            impl Clone for AsAllocator<Heap> {
                fn clone(&self) -> Self {
                    AsAllocator(Heap)
                }
            }

            impl<S: Source> AsAllocator<S> {
                /// Resizes a block, in place or by a move, and keeps the contents that fit.
                ///
                /// # Safety
                /// As for `grow` or `shrink`.
                unsafe fn resize(
                    &self,
                    block: NonNull<u8>,
                    old: Layout,
                    new: Layout,
                ) -> Result<NonNull<[u8]>, Refused> {
                    let blocks = old.size() > 0 && new.size() > 0 && old.align() == new.align();
                    // A source that shreds may zero the end of a block that it then does not shrink. The block must stay whole if this fails.
                    let keeps = new.size() >= old.size() || !self.0.shreds();
                    // SAFETY: [caller, drawn] the block has the old layout, and the new one has the same alignment. Both have the bytes that are
                    // copied.
                    unsafe {
                        if blocks && keeps && self.0.resize_in_place(block, old, new.size()) {
                            return Ok(NonNull::slice_from_raw_parts(block, new.size()));
                        }
                        let moved = self.allocate(new)?;
                        block.copy_to_nonoverlapping(moved.cast(), old.size().min(new.size()));
                        self.deallocate(block, old);
                        Ok(moved)
                    }
                }
            }

            // SAFETY: [drawn] a source's blocks stay valid until they are freed, the source is dropped or its type's lifetime ends, even if it
            // is moved. The clones above share their source.
            unsafe impl<S: Source> Allocator for AsAllocator<S> {
                #[inline]
                fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, Refused> {
                    let block = match layout.size() {
                        0 => dangling(layout),
                        _ => self.0.draw(layout).map_err(|_| Refused)?,
                    };
                    Ok(NonNull::slice_from_raw_parts(block, layout.size()))
                }

                #[inline]
                fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, Refused> {
                    let block = match layout.size() {
                        0 => dangling(layout),
                        _ => self.0.draw_zeroed(layout).map_err(|_| Refused)?,
                    };
                    Ok(NonNull::slice_from_raw_parts(block, layout.size()))
                }

                #[inline]
                unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
                    if layout.size() > 0 {
                        // SAFETY: [caller, drawn] the block came from `allocate`, whose slice is exactly as long as the layout's size.
                        unsafe { self.0.give_back(block, layout) }
                    }
                }

                unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, Refused> {
                    // SAFETY: [caller] the contract is the caller's.
                    unsafe { self.resize(block, old, new) }
                }

                unsafe fn grow_zeroed(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, Refused> {
                    // SAFETY: [caller] the contract is the caller's. The added bytes begin where the old block ended.
                    unsafe {
                        let grown = self.resize(block, old, new)?;
                        grown.cast::<u8>().add(old.size()).write_bytes(0, new.size() - old.size());
                        Ok(grown)
                    }
                }

                unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, Refused> {
                    // SAFETY: [caller] the contract is the caller's.
                    unsafe { self.resize(block, old, new) }
                }
            }

            /// An allocator as a [`Source`].
            ///
            /// ```
            #[doc = concat!("use kmem::allocator_api2::", stringify!($module), "::AsSource;")]
            /// use kmem::{Ref, SourceCell};
            #[doc = concat!("use ", stringify!($krate), "::alloc::Global;")]
            /// let source = SourceCell::new(AsSource::new(Global));
            /// assert_eq!(*Ref::new_in(7, &source), 7);
            /// ```
            #[derive(Clone, Copy, Debug, Default)]
            pub struct AsSource<A>(A);

            impl<A: Allocator> AsSource<A> {
                /// Wraps an allocator.
                ///
                /// ```
                #[doc = concat!("use kmem::allocator_api2::", stringify!($module), "::AsSource;")]
                /// use kmem::Source;
                #[doc = concat!("let source = AsSource::new(", stringify!($krate), "::alloc::Global);")]
                /// assert!(!source.shreds());
                /// ```
                pub const fn new(allocator: A) -> Self {
                    AsSource(allocator)
                }
            }

            // SAFETY: [drawn] an allocator's blocks stay valid until they are freed or its last clone is dropped, even if it is moved.
            unsafe impl<A: Allocator> Source for AsSource<A> {
                #[inline]
                fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
                    let block = self.0.allocate(layout);
                    block.map(NonNull::cast).map_err(|_| AllocError::exhausted(layout.size()))
                }

                #[inline]
                fn draw_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
                    let block = self.0.allocate_zeroed(layout);
                    block.map(NonNull::cast).map_err(|_| AllocError::exhausted(layout.size()))
                }

                #[inline]
                unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
                    // SAFETY: [caller] the contract is the caller's.
                    unsafe { self.0.deallocate(block, layout) }
                }
            }
        }
    };
}

adapters! {
    /// For `allocator-api2` 0.2, the version that hashbrown 0.14 to 0.17 and bumpalo 3 use.
    v02, "allocator-api2-02", allocator_api2_02,
    "use kmem::allocator_api2::v02::AsAllocator;
use kmem::{Heap, Shredding};
let mut map = hashbrown::HashMap::new_in(AsAllocator::new(Shredding::new(Heap)));
map.insert(\"key\", \"its bytes are zeroed when the table grows or is dropped\");"
}

adapters! {
    /// For `allocator-api2` 0.4.
    v04, "allocator-api2-04", allocator_api2_04,
    "use kmem::allocator_api2::v04::AsAllocator;
use kmem::{Heap, Shredding};
let mut secret = allocator_api2_04::vec::Vec::new_in(AsAllocator::new(Shredding::new(Heap)));
secret.extend_from_slice(b\"zeroed when it grows or is dropped\");"
}
