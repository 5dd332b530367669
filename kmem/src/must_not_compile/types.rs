//! Threads, trait objects and sources.
//!
//! # A source that moves under its cells
//! ```
//! let source = kmem::SourceCell::new(kmem::Heap);
//! let tree = kmem::Tree::new_in(7, &source);
//! drop(tree);
//! let moved = source;
//! ```
//! ```compile_fail,E0505
//! let source = kmem::SourceCell::new(kmem::Heap);
//! let tree = kmem::Tree::new_in(7, &source);
//! let moved = source;
//! drop(tree);
//! ```
//!
//! # Sending what must stay
//! ```
//! let shared = kmem::Ref::new(7);
//! std::thread::spawn(move || *shared);
//! ```
//! ```compile_fail,E0277
//! let shared = kmem::Ref::new(std::cell::Cell::new(7));
//! std::thread::spawn(move || shared.get());
//! ```
//! ```compile_fail,E0277
//! let pool = kmem::Pool::bytes(100, 1);
//! let shared = kmem::Ref::new_in(7, &pool);
//! std::thread::scope(|scope| { scope.spawn(move || *shared); });
//! ```
//! ```compile_fail,E0277
//! let handle = kmem::Ptr::from(kmem::Ref::new(7));
//! std::thread::spawn(move || *handle);
//! ```
//! ```compile_fail,E0277
//! let tree = kmem::Tree::new(7);
//! std::thread::scope(|scope| { scope.spawn(|| tree.node().push(8)); });
//! ```
//! ```compile_fail,E0277
//! // A tree may be sent, so a child of any type must be sendable.
//! let tree = kmem::Tree::new(7);
//! tree.push_child(std::rc::Rc::new(7));
//! ```
//!
//! # Losing what an owner holds without noticing
//! ```compile_fail
//! #![deny(unused_must_use)]
//! kmem::HeapBox::new(7).into_non_null();
//! ```
//!
//! # A trait object that forgets what its value borrows
//! ```
//! use std::fmt::Display;
//! fn keep<'a>(value: kmem::Ref<&'a str>) -> kmem::Ref<dyn Display + 'a> { kmem::unsize!(value => dyn Display + 'a) }
//! fn same<'a>(value: kmem::Ref<dyn Display + 'a>) -> kmem::Ref<dyn Display + 'a> {
//!     kmem::unsize!(value => dyn Display + 'a)
//! }
//! ```
//! ```compile_fail
//! use std::fmt::Display;
//! fn keep<'a>(value: kmem::Ref<&'a str>) -> kmem::Ref<dyn Display> { kmem::unsize!(value => dyn Display + 'static) }
//! ```
//! ```compile_fail
//! use std::fmt::Display;
//! fn same<'a>(value: kmem::Ref<dyn Display + 'a>) -> kmem::Ref<dyn Display> {
//!     kmem::unsize!(value => dyn Display + 'static)
//! }
//! ```
//! ```compile_fail,E0277
//! use std::fmt::Display;
//! let shared: kmem::Ref<dyn Display> = kmem::unsize!(kmem::Ref::new(7) => dyn Display);
//! std::thread::spawn(move || shared.to_string());
//! ```
//!
//! # A source, or an owner, made up by safe code
//! ```
//! struct Mine;
//! unsafe impl kmem::Source for Mine {
//!     fn draw(&self, _: std::alloc::Layout) -> Result<std::ptr::NonNull<u8>, kmem::AllocError> { todo!() }
//!     unsafe fn give_back(&self, _: std::ptr::NonNull<u8>, _: std::alloc::Layout) {}
//! }
//! unsafe impl kmem::CellSource for Mine {
//!     fn as_cell(&self) -> *mut kmem::raw::Cell { std::ptr::null_mut() }
//! }
//! ```
//! ```compile_fail,E0200
//! struct Mine;
//! impl kmem::Source for Mine {
//!     fn draw(&self, _: std::alloc::Layout) -> Result<std::ptr::NonNull<u8>, kmem::AllocError> { todo!() }
//!     unsafe fn give_back(&self, _: std::ptr::NonNull<u8>, _: std::alloc::Layout) {}
//! }
//! ```
//! ```compile_fail,E0200
//! struct Mine;
//! impl kmem::CellSource for Mine {
//!     fn as_cell(&self) -> *mut kmem::raw::Cell { std::ptr::null_mut() }
//! }
//! ```
//! ```compile_fail,E0277
//! // Neither a pool of values nor one that is not shared can be the source of counted cells.
//! kmem::Ref::new_in(7, &kmem::Pool::<u64>::new(1));
//! ```
//! ```compile_fail,E0277
//! kmem::Ref::new_in(7, kmem::Pool::bytes(100, 1));
//! ```
//! ```compile_fail,E0133
//! let (data, kept) = kmem::unsize::split(kmem::HeapBox::new(7));
//! kmem::unsize::join::<_, i32>(data, kept);
//! ```
//! ```compile_fail,E0133
//! // What the macro does unsafely does not reach what it is given.
//! const unsafe fn three() -> usize { 3 }
//! kmem::unsize!(kmem::HeapBox::new([1u8; 3]) => [u8; three()]);
//! ```
//! ```compile_fail,E0133
//! kmem::unsize!(kmem::HeapBox::from_non_null(kmem::HeapBox::new([1u8; 3]).into_non_null()) => [u8]);
//! ```
//!
//! # A node, a reference or a heap cell as a source: each could be freed before what is drawn from it
//! ```
//! let tree = kmem::Tree::new(1);
//! tree.node().push_child(7);
//! let pool = tree.node().try_push_pool::<u8>(1).unwrap();
//! ```
//! ```compile_fail,E0277
//! let tree = kmem::Tree::new(1);
//! kmem::Ref::new_in(7, tree.node());
//! ```
//! ```compile_fail,E0277
//! kmem::Ref::new_in(7, &kmem::Ref::new(1));
//! ```
//! ```compile_fail,E0277
//! kmem::Tree::new_in(7, &kmem::HeapBox::new(1));
//! ```
//! ```compile_fail,E0277
//! let counted = kmem::Ref::new(1);
//! let pool = kmem::Pool::<u8, _>::try_new_in(1, &counted);
//! ```
//! ```
//! # #[cfg(feature = "allocator-api2-02")]
//! kmem::allocator_api2::v02::AsAllocator::new(&kmem::SourceCell::new(kmem::Heap));
//! ```
//! ```compile_fail
//! let tree = kmem::Tree::new(1);
//! kmem::allocator_api2::v02::AsAllocator::new(tree.node());
//! ```
//! ```compile_fail
//! kmem::allocator_api2::v02::AsAllocator::new(&kmem::Ref::new(1));
//! ```
//!
//! # A trait object that forgets a bound, under every owner
//! ```
//! use kmem::{HeapBox, Node, PoolBox, Ptr, Tree, unsize};
//! use std::fmt::Debug;
//! fn heap<'a>(value: HeapBox<&'a str>) -> HeapBox<dyn Debug + 'a> { unsize!(value => dyn Debug + 'a) }
//! fn cell<'p, 'a>(value: PoolBox<'p, &'a str>) -> PoolBox<'p, dyn Debug + 'a> { unsize!(value => dyn Debug + 'a) }
//! fn tree<'a>(value: Tree<&'a str>) -> Tree<dyn Debug + 'a> { unsize!(value => dyn Debug + 'a) }
//! fn node<'p>(value: Node<'p, &'static str>) -> Node<'p, dyn Debug> { unsize!(value => dyn Debug) }
//! fn ptr<'p, 'a>(value: Ptr<'p, &'a str>) -> Ptr<'p, dyn Debug + 'a> { unsize!(value => dyn Debug + 'a) }
//! fn sent(value: HeapBox<u8>) -> HeapBox<dyn Debug + Send> { unsize!(value => dyn Debug + Send) }
//! ```
//! ```compile_fail
//! use std::fmt::Debug;
//! fn heap<'a>(value: kmem::HeapBox<&'a str>) -> kmem::HeapBox<dyn Debug> { kmem::unsize!(value => dyn Debug + 'static) }
//! ```
//! ```compile_fail
//! use std::fmt::Debug;
//! fn cell<'p, 'a>(value: kmem::PoolBox<'p, &'a str>) -> kmem::PoolBox<'p, dyn Debug> {
//!     kmem::unsize!(value => dyn Debug + 'static)
//! }
//! ```
//! ```compile_fail
//! use std::fmt::Debug;
//! fn tree<'a>(value: kmem::Tree<dyn Debug + 'a>) -> kmem::Tree<dyn Debug> { kmem::unsize!(value => dyn Debug + 'static) }
//! ```
//! ```compile_fail
//! use std::fmt::Debug;
//! fn ptr<'p, 'a>(value: kmem::Ptr<'p, dyn Debug + 'a>) -> kmem::Ptr<'p, dyn Debug> {
//!     kmem::unsize!(value => dyn Debug + 'static)
//! }
//! ```
//! ```compile_fail,E0277
//! use std::fmt::Debug;
//! fn sent(value: kmem::HeapBox<std::rc::Rc<u8>>) -> kmem::HeapBox<dyn Debug + Send> {
//!     kmem::unsize!(value => dyn Debug + Send)
//! }
//! ```
//! ```compile_fail
//! use std::fmt::Debug;
//! fn sent(value: kmem::HeapBox<dyn Debug>) -> kmem::HeapBox<dyn Debug + Send> { kmem::unsize!(value => dyn Debug + Send) }
//! ```
//!
//! # A trait object taken for what could borrow
//! ```
//! use std::any::Any;
//! fn back(any: kmem::HeapBox<dyn Any>) -> Option<kmem::HeapBox<&'static str>> { any.downcast().ok() }
//! ```
//! ```compile_fail
//! use std::any::Any;
//! fn back<'a>(any: kmem::HeapBox<dyn Any>) -> Option<kmem::HeapBox<&'a str>> { any.downcast::<&'a str>().ok() }
//! ```
