//! Misuse that the types reject. Each program that must not compile stands behind one that must, which differs in the
//! misuse alone, so that it cannot fail for another reason.
//!
//! # A cell outliving its pool
//! ```
//! let pool = kmem::Pool::new(1);
//! let cell = pool.alloc(7);
//! drop(cell);
//! drop(pool);
//! ```
//! ```compile_fail,E0505
//! let pool = kmem::Pool::new(1);
//! let cell = pool.alloc(7);
//! drop(pool);
//! drop(cell);
//! ```
//!
//! # A handle on a cell outliving the pool
//! ```
//! let pool = kmem::Pool::new(1);
//! let handle: kmem::Ptr<'_, i32>;
//! handle = pool.alloc(7).into();
//! ```
//! ```compile_fail,E0597
//! let handle: kmem::Ptr<'_, i32>;
//! let pool = kmem::Pool::new(1);
//! handle = pool.alloc(7).into();
//! ```
//!
//! # A pool outliving its buffer
//! ```
//! use std::mem::MaybeUninit;
//! let mut buffer = [MaybeUninit::uninit(); 1000];
//! let pool = kmem::Pool::bytes_in_buffer(&mut buffer, 8).unwrap();
//! pool.live();
//! drop(pool);
//! buffer[0] = MaybeUninit::new(1);
//! ```
//! ```compile_fail,E0506
//! use std::mem::MaybeUninit;
//! let mut buffer = [MaybeUninit::uninit(); 1000];
//! let pool = kmem::Pool::bytes_in_buffer(&mut buffer, 8).unwrap();
//! buffer[0] = MaybeUninit::new(1);
//! pool.live();
//! ```
//!
//! # What is drawn from a pool outliving it
//! ```
//! let pool = kmem::Pool::bytes(100, 1);
//! let counted = kmem::Ref::new_in(7, &pool);
//! drop(counted);
//! drop(pool);
//! ```
//! ```compile_fail,E0505
//! let pool = kmem::Pool::bytes(100, 1);
//! let counted = kmem::Ref::new_in(7, &pool);
//! drop(pool);
//! drop(counted);
//! ```
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
//! # A child outliving its root
//! ```
//! let tree = kmem::Tree::new(1);
//! let child = tree.child(2);
//! assert_eq!(*child, 2);
//! drop(tree);
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let child = tree.child(2);
//! drop(tree);
//! assert_eq!(*child, 2);
//! ```
//!
//! # Freeing a child under what is below it
//! ```
//! let tree = kmem::Tree::new(1);
//! let child = tree.child(2);
//! let below = child.node().push(3);
//! assert_eq!(*below, 3);
//! child.free();
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let child = tree.child(2);
//! let below = child.node().push(3);
//! child.free();
//! assert_eq!(*below, 3);
//! ```
//!
//! # Changing a tree's children under a reference to one of them
//! ```
//! let mut tree = kmem::Tree::new(1);
//! let child = tree.node().push(2);
//! assert_eq!(*child, 2);
//! tree.clear();
//! ```
//! ```compile_fail,E0502
//! let mut tree = kmem::Tree::new(1);
//! let child = tree.node().push(2);
//! tree.clear();
//! assert_eq!(*child, 2);
//! ```
//!
//! # A child whose destructor could see what is gone
//! ```
//! struct Sees(&'static str);
//! let tree = kmem::Tree::new(1);
//! tree.child(Sees("static"));
//! ```
//! ```compile_fail,E0597
//! struct Sees(&'static str);
//! let tree = kmem::Tree::new(1);
//! let text = String::from("short");
//! tree.child(Sees(&text));
//! ```
//!
//! # A value of a shorter life among a pool's or a tree's
//! ```
//! fn add<'long>(pool: &kmem::Pool<&'long str>, text: &'long str) { pool.alloc(text).leak(); }
//! fn push<'long>(tree: &kmem::Tree<&'long str>, text: &'long str) { tree.node().push(text); }
//! ```
//! ```compile_fail
//! fn add<'long: 'short, 'short>(pool: &kmem::Pool<&'long str>, text: &'short str) { pool.alloc(text).leak(); }
//! ```
//! ```compile_fail
//! fn push<'long: 'short, 'short>(tree: &kmem::Tree<&'long str>, text: &'short str) { tree.node().push(text); }
//! ```
//!
//! # A cell's value replaced by one of a shorter life, which the pool would drop after that ended
//! ```
//! fn set<'p, 'long>(mut cell: kmem::PoolBox<'p, &'long str>, text: &'long str) { *cell = text; std::mem::forget(cell); }
//! ```
//! ```compile_fail
//! fn set<'p, 'long, 'short>(cell: kmem::PoolBox<'p, &'long str>, text: &'short str)
//! where
//!     'long: 'short,
//! {
//!     let mut cell: kmem::PoolBox<'p, &'short str> = cell;
//!     *cell = text;
//!     std::mem::forget(cell);
//! }
//! ```
//! ```compile_fail
//! fn set<'p, 'short>(node: kmem::Node<'p, &'static str>, text: &'short str) {
//!     let mut node: kmem::Node<'p, &'short str> = node;
//!     *node = text;
//! }
//! ```
//! ```compile_fail
//! fn set<'p, 'short>(ptr: kmem::Ptr<'p, &'static str>, text: &'short str) {
//!     let mut ptr: kmem::Ptr<'p, &'short str> = ptr;
//!     *ptr.get_mut().unwrap() = text;
//! }
//! ```
//!
//! # Values that borrow the very pool or tree that they are in, and would see it half gone
//! ```
//! struct Sees<'a>(&'a str);
//! impl Drop for Sees<'_> { fn drop(&mut self) {} }
//! let text = String::new();
//! let pool: kmem::Pool<Sees<'_>> = kmem::Pool::new(1);
//! pool.alloc(Sees(&text)).leak();
//! ```
//! ```compile_fail,E0597
//! struct Sees<'a>(&'a str);
//! impl Drop for Sees<'_> { fn drop(&mut self) {} }
//! let pool: kmem::Pool<Sees<'_>> = kmem::Pool::new(1);
//! let text = String::new();
//! pool.alloc(Sees(&text)).leak();
//! ```
//! ```compile_fail,E0597
//! let tree = kmem::Tree::new(std::cell::Cell::new(None));
//! let text = String::new();
//! tree.set(Some(&text));
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
//! tree.child(std::rc::Rc::new(7));
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
