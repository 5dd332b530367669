//! kmem's sources as `allocator-api2` allocators, and such allocators as sources, for each version in use.

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
            /// A collection that grows asks the source to resize its block [in place](Source::resize_in_place). Otherwise it draws a new
            /// block, copies and gives the old one back, so that a shredding source zeroes it: no copy stays behind.
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

            // Clones of an allocator must stand for the same memory, which holds of shared references and of the heap,
            // but not of every source that happens to be `Clone`.
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
                /// A block of another size, in place or elsewhere, with what fits of its contents.
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
                    // What shreds may zero what it then does not cut off, and where this fails the block has to be as it was.
                    let keeps = new.size() >= old.size() || !self.0.shreds();
                    // SAFETY: [caller, drawn] the caller's block was drawn with the old layout, and the new one has its alignment; what is
                    // copied is there in both.
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

            // SAFETY: [drawn] a source's blocks stay valid until they are given back, the source is dropped or its
            // type's lifetime ends, also when it is moved; the clones above share their source.
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
                        // SAFETY: [caller, drawn] the caller gives back what `allocate` returned, which was drawn with
                        // a layout of this size: the slice it returned was exactly as long as asked for.
                        unsafe { self.0.give_back(block, layout) }
                    }
                }

                unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, Refused> {
                    // SAFETY: [caller] the contract is the caller's.
                    unsafe { self.resize(block, old, new) }
                }

                unsafe fn grow_zeroed(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, Refused> {
                    // SAFETY: [caller] the contract is the caller's; what is added, in place or elsewhere, begins where the old block ended.
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

            // SAFETY: [drawn] an allocator's blocks stay valid until they are given back or its last clone is dropped,
            // also when it is moved.
            unsafe impl<A: Allocator> Source for AsSource<A> {
                #[inline]
                fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
                    let block = self.0.allocate(layout);
                    block.map(NonNull::cast).map_err(|_| AllocError::Exhausted { size: layout.size() })
                }

                #[inline]
                fn draw_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
                    let block = self.0.allocate_zeroed(layout);
                    block.map(NonNull::cast).map_err(|_| AllocError::Exhausted { size: layout.size() })
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
map.insert(\"key\", \"its bytes are zeroed when the table grows or goes\");"
}

adapters! {
    /// For `allocator-api2` 0.4.
    v04, "allocator-api2-04", allocator_api2_04,
    "use kmem::allocator_api2::v04::AsAllocator;
use kmem::{Heap, Shredding};
let mut secret = allocator_api2_04::vec::Vec::new_in(AsAllocator::new(Shredding::new(Heap)));
secret.extend_from_slice(b\"zeroed when it grows or goes\");"
}
