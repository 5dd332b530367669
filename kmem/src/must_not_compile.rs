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
//! # A pool's values beside their owners
//! ```
//! let mut pool = kmem::Pool::new(2);
//! let cell = pool.alloc(7);
//! drop(cell);
//! pool.iter_mut().for_each(|value| *value += 1);
//! ```
//! ```compile_fail,E0502
//! let mut pool = kmem::Pool::new(2);
//! let cell = pool.alloc(7);
//! pool.iter_mut().for_each(|value| *value += 1);
//! drop(cell);
//! ```
//! ```
//! let mut pool = kmem::Pool::new(2);
//! let value = pool.alloc(7).leak();
//! *value += 1;
//! pool.iter_mut().for_each(|value| *value += 1);
//! ```
//! ```compile_fail,E0502
//! let mut pool = kmem::Pool::new(2);
//! let value = pool.alloc(7).leak();
//! pool.iter_mut().for_each(|value| *value += 1);
//! *value += 1;
//! ```
//! ```
//! let mut pool = kmem::Pool::new(2);
//! pool.alloc(7).leak();
//! let value = pool.iter_mut().next();
//! drop(value);
//! pool.alloc(8);
//! ```
//! ```compile_fail,E0502
//! let mut pool = kmem::Pool::new(2);
//! pool.alloc(7).leak();
//! let value = pool.iter_mut().next();
//! pool.alloc(8);
//! drop(value);
//! ```
//!
//! # A pool's values as what they are not, or moved though they may be pinned
//! ```
//! let mut pool = kmem::Pool::<u8>::new(2);
//! pool.iter_mut();
//! ```
//! ```compile_fail,E0599
//! let mut pool = kmem::Pool::bytes(8, 2);
//! pool.iter_mut();
//! ```
//! ```
//! let mut pool = kmem::Pool::<u8>::new(2);
//! pool.iter_mut();
//! ```
//! ```compile_fail,E0599
//! let mut pool = kmem::Pool::<std::marker::PhantomPinned>::new(2);
//! pool.iter_mut();
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
//! let child = tree.push_child(2);
//! assert_eq!(*child, 2);
//! drop(tree);
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let child = tree.push_child(2);
//! drop(tree);
//! assert_eq!(*child, 2);
//! ```
//!
//! # Freeing a child under what is below it
//! ```
//! let tree = kmem::Tree::new(1);
//! let child = tree.push_child(2);
//! let below = child.node().push(3);
//! assert_eq!(*below, 3);
//! child.free();
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let child = tree.push_child(2);
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
//! tree.push_child(Sees("static"));
//! ```
//! ```compile_fail,E0597
//! struct Sees(&'static str);
//! let tree = kmem::Tree::new(1);
//! let text = String::from("short");
//! tree.push_child(Sees(&text));
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
//! # A shorter life by way of variance: of every owner, lender and walk that something else is left to drop
//! ```
//! use kmem::{HeapBox, Node, NodeRef, Pool, PoolBox, Ptr, Ref, Tree};
//! fn sole<'short>(owner: HeapBox<&'static str>) -> HeapBox<&'short str> { owner }
//! fn counted<'short>(owner: Ref<&'static str>) -> Ref<&'short str> { owner }
//! fn borrows<'long: 'short, 'short>(
//!     cell: PoolBox<'long, u8>, node: Node<'long, u8>, lent: NodeRef<'long, u8>, ptr: Ptr<'long, u8>,
//! ) -> (PoolBox<'short, u8>, Node<'short, u8>, NodeRef<'short, u8>, Ptr<'short, u8>) {
//!     (cell, node, lent, ptr)
//! }
//! fn pool<'a>(pool: Pool<&'a str>) -> Pool<&'a str> { pool }
//! fn tree<'a>(tree: Tree<&'a str>) -> Tree<&'a str> { tree }
//! fn cell<'p, 'a>(cell: PoolBox<'p, &'a str>) -> PoolBox<'p, &'a str> { cell }
//! fn lent<'t, 'a>(node: NodeRef<'t, &'a str>) -> NodeRef<'t, &'a str> { node }
//! fn walk<'t, 'a: 't>(node: NodeRef<'t, &'a str>) -> impl Iterator<Item = NodeRef<'t, &'a str>> { node.children() }
//! fn lent_walk<'t, 'a: 't>(ptr: &'t Ptr<'_, &'a str>) -> Vec<Ptr<'t, &'a str>> { ptr.children().collect() }
//! ```
//! ```compile_fail
//! fn pool<'short>(pool: kmem::Pool<&'static str>) -> kmem::Pool<&'short str> { pool }
//! ```
//! ```compile_fail
//! fn pool<'r, 'short>(pool: &'r kmem::Pool<&'static str>) -> &'r kmem::Pool<&'short str> { pool }
//! ```
//! ```compile_fail
//! fn tree<'short>(tree: kmem::Tree<&'static str>) -> kmem::Tree<&'short str> { tree }
//! ```
//! ```compile_fail
//! fn cell<'p, 'short>(cell: kmem::PoolBox<'p, &'static str>) -> kmem::PoolBox<'p, &'short str> { cell }
//! ```
//! ```compile_fail
//! fn lent<'t, 'short>(node: kmem::NodeRef<'t, &'static str>) -> kmem::NodeRef<'t, &'short str> { node }
//! ```
//! ```compile_fail
//! fn walk<'t, 'short: 't>(
//!     node: kmem::NodeRef<'t, &'static str>,
//! ) -> impl Iterator<Item = kmem::NodeRef<'t, &'short str>> {
//!     node.children()
//! }
//! ```
//! ```compile_fail
//! fn lent_walk<'t, 'short: 't>(ptr: &'t kmem::Ptr<'_, &'static str>) -> Vec<kmem::Ptr<'t, &'short str>> {
//!     ptr.children().collect()
//! }
//! ```
//! ```compile_fail
//! fn tree<'short>(ptr: kmem::Ptr<'_, &'static str>) -> kmem::Tree<&'short str> { ptr.into_tree().ok().unwrap() }
//! ```
//!
//! # A longer life than the store's
//! ```
//! fn cell<'p>(pool: &'p kmem::Pool<u8>) -> kmem::PoolBox<'p, u8> { pool.alloc(7) }
//! fn leaked<'p>(pool: &'p kmem::Pool<u8>) -> &'p mut u8 { pool.alloc(7).leak() }
//! fn left<'t>(tree: &'t kmem::Tree<u8>) -> &'t mut u8 { tree.push_child(7).leave() }
//! fn lent<'t>(tree: &'t kmem::Tree<u8>) -> &'t u8 { tree.node().push(7).get() }
//! fn drawn<'p>(pool: &'p kmem::Pool) -> kmem::Ptr<'p, u8> { kmem::Ref::new_in(7, pool).into() }
//! fn child<'a, 'p>(ptr: &'a kmem::Ptr<'p, u8>) -> kmem::Ptr<'a, u8> { ptr.children().next().unwrap() }
//! fn lend<'a, 'p>(ptr: &'a kmem::Ptr<'p, u8>) -> kmem::Ptr<'a, u8> { ptr.as_borrowed() }
//! ```
//! ```compile_fail
//! fn cell<'p>(pool: &'p kmem::Pool<u8>) -> kmem::PoolBox<'static, u8> { pool.alloc(7) }
//! ```
//! ```compile_fail
//! fn leaked<'p>(pool: &'p kmem::Pool<u8>) -> &'static mut u8 { pool.alloc(7).leak() }
//! ```
//! ```compile_fail
//! fn left<'t>(tree: &'t kmem::Tree<u8>) -> &'static mut u8 { tree.push_child(7).leave() }
//! ```
//! ```compile_fail
//! fn lent<'t>(tree: &'t kmem::Tree<u8>) -> &'static u8 { tree.node().push(7).get() }
//! ```
//! ```compile_fail
//! fn drawn<'p>(pool: &'p kmem::Pool) -> kmem::Ptr<'static, u8> { kmem::Ref::new_in(7, pool).into() }
//! ```
//! ```compile_fail
//! fn child<'a, 'p>(ptr: &'a kmem::Ptr<'p, u8>) -> kmem::Ptr<'p, u8> { ptr.children().next().unwrap() }
//! ```
//! ```compile_fail
//! fn lend<'a, 'p>(ptr: &'a kmem::Ptr<'p, u8>) -> kmem::Ptr<'p, u8> { ptr.as_borrowed() }
//! ```
//!
//! # A value that refers to the store that it is in
//!
//! A store that is never dropped may hold such values; see `attacks_reentrant` in the tests.
//! ```
//! use std::cell::Cell;
//! use std::mem::ManuallyDrop;
//! let tree = ManuallyDrop::new(kmem::Tree::new(Cell::new(None::<&u8>)));
//! let pool = ManuallyDrop::new(kmem::Pool::new(1));
//! let outer = kmem::Pool::new(1);
//! let cell = pool.alloc(Cell::new(None));
//! cell.set(Some(outer.alloc(7)));
//! let node = kmem::Tree::new(Cell::new(None));
//! let other = kmem::Tree::new(Cell::new(None::<kmem::Node<'_, u8>>));
//! other.set(Some(node.push_child(7)));
//! node.set(Some(7));
//! drop((other, cell));
//! # drop((ManuallyDrop::into_inner(tree), ManuallyDrop::into_inner(pool)));
//! ```
//! ```compile_fail,E0597
//! struct Own<'p>(std::cell::Cell<Option<&'p kmem::Pool<Own<'p>>>>);
//! let pool = kmem::Pool::new(1);
//! let cell = pool.alloc(Own(None.into()));
//! cell.0.set(Some(&pool));
//! ```
//! ```compile_fail,E0597
//! struct Own<'p>(std::cell::RefCell<Option<kmem::PoolBox<'p, Own<'p>>>>);
//! let pool = kmem::Pool::new(2);
//! let cell = pool.alloc(Own(None.into()));
//! *cell.0.borrow_mut() = Some(pool.alloc(Own(None.into())));
//! ```
//! ```compile_fail,E0597
//! struct Own<'p>(std::cell::RefCell<Option<kmem::Ptr<'p, Own<'p>>>>);
//! let pool = kmem::Pool::new(2);
//! let cell = pool.alloc(Own(None.into()));
//! *cell.0.borrow_mut() = Some(pool.alloc(Own(None.into())).into());
//! ```
//! ```compile_fail,E0597
//! struct Own<'t>(std::cell::Cell<Option<kmem::NodeRef<'t, Own<'t>>>>);
//! let tree = kmem::Tree::new(Own(None.into()));
//! tree.0.set(Some(tree.node()));
//! ```
//! ```compile_fail,E0597
//! struct Own<'t>(std::cell::Cell<Option<kmem::Node<'t, u8>>>);
//! let tree = kmem::Tree::new(Own(None.into()));
//! tree.0.set(Some(tree.push_child(7)));
//! ```
//! ```compile_fail,E0597
//! struct Own<'t>(std::cell::Cell<Option<kmem::Pool<u8, kmem::InNode<'t>>>>);
//! let tree = kmem::Tree::new(Own(None.into()));
//! tree.0.set(tree.node().try_push_pool(1).ok());
//! ```
//! ```compile_fail,E0597
//! struct Own<'t>(std::cell::RefCell<Option<kmem::Ptr<'t, Own<'t>>>>);
//! let root = kmem::Ptr::from(kmem::Tree::new(Own(None.into())));
//! *root.0.borrow_mut() = Some(root.as_borrowed());
//! ```
//! ```compile_fail,E0597
//! struct Own<'t>(std::cell::RefCell<Option<&'t kmem::HeapBox<Own<'t>>>>);
//! let cell = kmem::HeapBox::new(Own(None.into()));
//! *cell.0.borrow_mut() = Some(&cell);
//! ```
//! ```compile_fail,E0597
//! struct Own<'t>(std::cell::RefCell<Option<&'t kmem::Ref<Own<'t>>>>);
//! let cell = kmem::Ref::new(Own(None.into()));
//! *cell.0.borrow_mut() = Some(&cell);
//! ```
//! ```compile_fail,E0597
//! // A source whose state holds what was drawn from it.
//! use kmem::{AllocError, Heap, Ref, Source, SourceCell};
//! struct Own<'s>(std::cell::RefCell<Option<Ref<u8, &'s SourceCell<Own<'s>>>>>);
//! unsafe impl Source for Own<'_> {
//!     fn draw(&self, layout: std::alloc::Layout) -> Result<std::ptr::NonNull<u8>, AllocError> { Heap.draw(layout) }
//!     unsafe fn give_back(&self, block: std::ptr::NonNull<u8>, layout: std::alloc::Layout) {
//!         unsafe { Heap.give_back(block, layout) }
//!     }
//! }
//! let source = SourceCell::new(Own(None.into()));
//! *source.source().0.borrow_mut() = Some(Ref::new_in(7, &source));
//! ```
//!
//! # A pool of a node outliving it, or its values
//! ```
//! let tree = kmem::Tree::new(1);
//! let node = tree.push_child(2);
//! let pool = node.node().try_push_pool(3).unwrap();
//! let cell = pool.alloc(4);
//! drop(cell);
//! drop(pool);
//! node.free();
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let node = tree.push_child(2);
//! let pool = node.node().try_push_pool(3).unwrap();
//! let cell = pool.alloc(4);
//! drop(pool);
//! drop(cell);
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let node = tree.push_child(2);
//! let pool = node.node().try_push_pool::<u8>(3).unwrap();
//! node.free();
//! drop(pool);
//! ```
//! ```compile_fail,E0502
//! let mut tree = kmem::Tree::new(1);
//! let pool = tree.node().try_push_pool::<u8>(3).unwrap();
//! tree.clear();
//! drop(pool);
//! ```
//! ```compile_fail,E0597
//! let tree = kmem::Tree::new(1);
//! let text = String::from("short");
//! let pool = tree.node().try_push_pool::<&str>(3).unwrap();
//! pool.alloc(&text);
//! ```
//! ```compile_fail,E0277
//! let tree = kmem::Tree::new(1);
//! tree.node().try_push_pool::<std::rc::Rc<u8>>(3);
//! ```
//! ```compile_fail,E0597
//! let tree = kmem::Tree::new(1);
//! let text = String::from("short");
//! tree.node().try_push_child_copy(&[text.as_str()]);
//! ```
//!
//! # A tree or a counted cell changed, moved from or freed while something looks at it, or twice
//! ```
//! let mut tree = kmem::Tree::new(1);
//! let child = tree.push_child(2);
//! let leaf = tree.node().push(3);
//! let mut walk = tree.node().children();
//! assert_eq!((*child, *leaf, walk.next().is_some()), (2, 3, true));
//! drop(walk);
//! tree.retain(|_| true);
//! *tree += 1;
//! let mut root = kmem::Ptr::from(tree);
//! let mut children = root.children();
//! assert!(children.next().is_some());
//! drop(children);
//! assert!(root.get_mut().is_some());
//! let tree = root.into_tree().unwrap();
//! assert_eq!(tree.into_inner(), 2);
//! ```
//! ```compile_fail,E0502
//! let mut tree = kmem::Tree::new(1);
//! let child = tree.push_child(2);
//! tree.retain(|_| true);
//! assert_eq!(*child, 2);
//! ```
//! ```compile_fail,E0502
//! let mut tree = kmem::Tree::new(1);
//! let mut walk = tree.node().children();
//! *tree += 1;
//! walk.next();
//! ```
//! ```compile_fail,E0502
//! let mut tree = kmem::Tree::new(1);
//! let left = tree.push_child(2).leave();
//! tree.clear();
//! *left += 1;
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let leaf = tree.node().push(3);
//! tree.into_inner();
//! assert_eq!(*leaf, 3);
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let leaf = kmem::Ptr::from(tree.node().push(3));
//! let root = kmem::Ptr::from(tree);
//! assert_eq!(*leaf, 3);
//! ```
//! ```compile_fail,E0502
//! let mut root = kmem::Ptr::from(kmem::Tree::new(1));
//! let children = root.children();
//! root.get_mut();
//! drop(children);
//! ```
//! ```compile_fail,E0505
//! let root = kmem::Ptr::from(kmem::Tree::new(1));
//! let children = root.children();
//! root.into_tree();
//! drop(children);
//! ```
//! ```compile_fail,E0502
//! let mut one = kmem::Ref::new(1);
//! let value = kmem::Ref::get_mut(&mut one).unwrap();
//! let two = one.clone();
//! *value += 1;
//! ```
//! ```compile_fail,E0594
//! let mut one = kmem::Ref::new(1);
//! *one += 1;
//! ```
//! ```compile_fail,E0594
//! let tree = kmem::Tree::new(1);
//! let mut node = tree.node();
//! *node += 1;
//! ```
//! ```compile_fail,E0599
//! struct Once;
//! let tree = kmem::Tree::new(1);
//! let child = tree.push_child(Once);
//! let again = child.clone();
//! child.free();
//! ```
//! ```compile_fail,E0521
//! let mut kept: Vec<&mut i32> = Vec::new();
//! let mut tree = kmem::Tree::new(1);
//! tree.retain(|value| { kept.push(value); false });
//! ```
//!
//! # A destructor that tears down the store of its own cell
//! ```
//! use std::cell::RefCell;
//! let pool = RefCell::new(Some(kmem::Pool::new(1)));
//! pool.borrow().as_ref().unwrap().alloc(7);
//! pool.borrow_mut().take();
//! ```
//! ```compile_fail
//! use std::cell::RefCell;
//! let pool = RefCell::new(Some(kmem::Pool::new(1)));
//! let cell = pool.borrow().as_ref().unwrap().alloc(7);
//! pool.borrow_mut().take();
//! drop(cell);
//! ```
//!
//! # A collection outliving the pool beneath, or a clone of a pool that is not shared
//! ```
//! # #[cfg(feature = "allocator-api2-02")] {
//! use kmem::allocator_api2::v02::AsAllocator;
//! let pool = kmem::Pool::bytes(100, 2);
//! let mut numbers = allocator_api2_02::vec::Vec::new_in(AsAllocator::new(&pool));
//! numbers.push(7);
//! let more = numbers.clone();
//! drop((numbers, more));
//! drop(pool);
//! # }
//! ```
//! ```compile_fail
//! use kmem::allocator_api2::v02::AsAllocator;
//! let pool = kmem::Pool::bytes(100, 2);
//! let mut numbers = allocator_api2_02::vec::Vec::new_in(AsAllocator::new(&pool));
//! drop(pool);
//! numbers.push(7);
//! ```
//! ```compile_fail
//! use kmem::allocator_api2::v02::AsAllocator;
//! let pool = kmem::Pool::bytes(100, 2);
//! let mut numbers = allocator_api2_02::vec::Vec::new_in(AsAllocator::new(pool));
//! let more = numbers.clone();
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
//! # A function to be called as a node goes that borrows, or must stay
//! ```
//! let tree = kmem::Tree::new(1);
//! let (text, shared) = (String::from("owned"), std::sync::Arc::new(7));
//! tree.node().on_free(move || drop((text, shared)));
//! ```
//! ```compile_fail,E0597
//! let tree = kmem::Tree::new(1);
//! let text = String::from("short");
//! let text = &text;
//! tree.node().on_free(move || println!("{text}"));
//! ```
//! ```compile_fail,E0277
//! let tree = kmem::Tree::new(1);
//! let shared = std::rc::Rc::new(7);
//! tree.node().on_free(move || drop(shared));
//! ```
//! ```compile_fail
//! // The tree itself.
//! let tree = kmem::Tree::new(1);
//! let node = tree.node();
//! tree.node().on_free(move || { node.push(2); });
//! ```
//! ```compile_fail
//! // Nor where the tree lives for ever: it belongs to one thread.
//! let tree: &'static kmem::Tree<i32> = Box::leak(Box::new(kmem::Tree::new(1)));
//! tree.push_child(2).node().on_free(move || { tree.node().push(2); });
//! ```
//!
//! # A hook taken back after its node, or twice
//! ```
//! let tree = kmem::Tree::new(1);
//! let child = tree.push_child(2);
//! let hook = child.node().on_free(|| ());
//! hook.cancel();
//! child.free();
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let child = tree.push_child(2);
//! let hook = child.node().on_free(|| ());
//! child.free();
//! hook.cancel();
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let hook = tree.node().on_free(|| ());
//! tree.into_inner();
//! hook.cancel();
//! ```
//! ```compile_fail,E0382
//! let tree = kmem::Tree::new(1);
//! let hook = tree.node().on_free(|| ());
//! hook.cancel();
//! hook.cancel();
//! ```
//!
//! # What a counted cell owns that borrows, must stay, or is used after it was given up
//! ```
//! use kmem::{HeapBox, Ref, Tree};
//! let mut cell = Ref::new(1);
//! Ref::adopt(&mut cell, HeapBox::new("static")).unwrap();
//! Ref::adopt(&mut cell, Ref::new(7)).unwrap();
//! Ref::graft(&mut cell, Tree::new(7)).unwrap();
//! ```
//! ```compile_fail,E0597
//! let mut cell = kmem::Ref::new(1);
//! let text = String::from("short");
//! kmem::Ref::adopt(&mut cell, kmem::HeapBox::new(&text)).unwrap();
//! ```
//! ```compile_fail,E0277
//! let mut cell = kmem::Ref::new(1);
//! kmem::Ref::adopt(&mut cell, kmem::HeapBox::new(std::rc::Rc::new(7))).unwrap();
//! ```
//! ```compile_fail,E0277
//! let mut cell = kmem::Ref::new(1);
//! kmem::Ref::graft(&mut cell, kmem::Tree::new(std::rc::Rc::new(7))).unwrap();
//! ```
//! ```compile_fail
//! let mut cell = kmem::Ref::new(1);
//! let pool = kmem::Pool::bytes(200, 1);
//! kmem::Ref::graft(&mut cell, kmem::Tree::new_in(7, &pool)).unwrap();
//! ```
//! ```compile_fail,E0382
//! let mut cell = kmem::Ref::new(1);
//! let owner = kmem::HeapBox::new(7);
//! kmem::Ref::adopt(&mut cell, owner).unwrap();
//! assert_eq!(*owner, 7);
//! ```
//!
//! # An adopted object that borrows, must stay, is used after its node, or taken back twice
//! ```
//! use kmem::{HeapBox, Ref, Tree};
//! let tree = Tree::new(1);
//! let child = tree.push_child(2);
//! let adopted = child.node().adopt(HeapBox::new("static"));
//! child.node().adopt(Ref::new(7));
//! let back: HeapBox<&'static str> = adopted.release();
//! child.free();
//! ```
//! ```compile_fail,E0597
//! let tree = kmem::Tree::new(1);
//! let text = String::from("short");
//! tree.node().adopt(kmem::HeapBox::new(&text));
//! ```
//! ```compile_fail,E0277
//! let tree = kmem::Tree::new(1);
//! tree.node().adopt(kmem::HeapBox::new(std::rc::Rc::new(7)));
//! ```
//! ```compile_fail,E0277
//! // A reference may be dropped on the tree's thread while others look on theirs.
//! let tree = kmem::Tree::new(1);
//! tree.node().adopt(kmem::Ref::new(std::cell::Cell::new(7)));
//! ```
//! ```compile_fail
//! let tree = kmem::Tree::new(1);
//! let pool = kmem::Pool::bytes(100, 1);
//! tree.node().adopt(kmem::Ref::new_in(7, &pool));
//! ```
//! ```compile_fail,E0277
//! let tree = kmem::Tree::new(1);
//! tree.node().adopt(kmem::Ptr::from(kmem::HeapBox::new(7)));
//! ```
//! ```compile_fail,E0277
//! let tree = kmem::Tree::new(1);
//! tree.node().adopt(Box::new(7));
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let child = tree.push_child(2);
//! let adopted = child.node().adopt(kmem::HeapBox::new(7));
//! child.free();
//! adopted.release();
//! ```
//! ```compile_fail,E0502
//! let mut tree = kmem::Tree::new(1);
//! let value = tree.node().adopt(kmem::HeapBox::new(7)).leave();
//! tree.clear();
//! assert_eq!(*value, 7);
//! ```
//! ```compile_fail,E0382
//! let tree = kmem::Tree::new(1);
//! let adopted = tree.node().adopt(kmem::HeapBox::new(7));
//! (adopted.release(), adopted.release());
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let adopted = tree.node().adopt(kmem::HeapBox::new(7));
//! let value: &i32 = &adopted;
//! drop(adopted.release());
//! assert_eq!(*value, 7);
//! ```
//! ```compile_fail,E0594
//! // What the tree owns cannot be changed for another.
//! let tree = kmem::Tree::new(1);
//! let mut adopted = tree.node().adopt(kmem::HeapBox::new(7));
//! *adopted = kmem::HeapBox::new(8);
//! ```
//! ```compile_fail
//! fn shorter<'t, 'short>(
//!     adopted: kmem::Adopted<'t, kmem::HeapBox<&'static str>>,
//! ) -> kmem::Adopted<'t, kmem::HeapBox<&'short str>> {
//!     adopted
//! }
//! ```
//! ```compile_fail,E0277
//! // There is no other owner to adopt.
//! struct Mine(std::rc::Rc<u8>);
//! impl std::ops::Deref for Mine { type Target = u8; fn deref(&self) -> &u8 { &self.0 } }
//! impl kmem::Adopt for Mine {}
//! ```
//!
//! # A tree put into another that outlives its source, must stay, or is the tree itself
//! ```
//! use kmem::{Heap, SourceCell, Tree};
//! use std::sync::LazyLock;
//! static SOURCE: LazyLock<SourceCell<Heap>> = LazyLock::new(|| SourceCell::new(Heap));
//! let tree = Tree::new(1);
//! tree.node().graft(Tree::new_in(2, &*SOURCE));
//! tree.node().push_tree(Tree::new_in(3, &*SOURCE));
//! let other = Tree::new(4);
//! other.node().push(5);
//! tree.node().graft(other);
//! ```
//! ```compile_fail,E0597
//! let tree = kmem::Tree::new(1);
//! let source = kmem::SourceCell::new(kmem::Heap);
//! tree.node().graft(kmem::Tree::new_in(2, &source));
//! ```
//! ```compile_fail
//! let source = kmem::SourceCell::new(kmem::Heap);
//! let tree = kmem::Tree::new_in(1, &source);
//! tree.node().push_tree(kmem::Tree::new_in(2, &source));
//! ```
//! ```compile_fail,E0277
//! let pool: &'static kmem::Pool = Box::leak(Box::new(kmem::Pool::bytes(100, 2)));
//! kmem::Tree::new(1).node().push_tree(kmem::Tree::new_in(2, pool));
//! ```
//! ```compile_fail,E0277
//! let tree = kmem::Tree::new(1);
//! tree.node().graft(kmem::Tree::new(std::rc::Rc::new(7)));
//! ```
//! ```compile_fail,E0597
//! let tree = kmem::Tree::new(1);
//! let text = String::from("short");
//! tree.node().graft(kmem::Tree::new(&text));
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let leaf = tree.node().push(2);
//! leaf.push_tree(tree);
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let other = kmem::Tree::new(2);
//! let leaf = other.node().push(3);
//! tree.node().graft(other);
//! assert_eq!(*leaf, 3);
//! ```
//! ```compile_fail
//! fn push<'long: 'short, 'short>(tree: &kmem::Tree<&'long str>, other: kmem::Tree<&'short str>) {
//!     tree.node().push_tree(other);
//! }
//! ```
//!
//! # A child made a tree while something looks at it or at what is below
//! ```
//! let tree = kmem::Tree::new(1);
//! let child = tree.push_child(2);
//! let below = child.node().push_child(3);
//! assert_eq!(*below, 3);
//! child.detach().unwrap();
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let child = tree.push_child(2);
//! let below = child.node().push_child(3);
//! let detached = child.detach().unwrap();
//! below.free();
//! ```
//! ```compile_fail,E0505
//! let tree = kmem::Tree::new(1);
//! let child = tree.push_child(2);
//! let pool = child.node().try_push_pool::<u8>(3).unwrap();
//! let detached = child.detach().unwrap();
//! pool.alloc(7);
//! ```
//! ```compile_fail,E0599
//! // What was pushed has no owner.
//! let tree = kmem::Tree::new(1);
//! tree.node().push(2).detach();
//! ```
//!
//! # A cell that changes its size while something looks at it, or whose values need more than a copy
//! ```
//! let tree = kmem::Tree::new(1);
//! let mut numbers = tree.node().try_push_child_copy(&[1, 2, 3]).unwrap();
//! let first = &numbers[0];
//! assert_eq!(*first, 1);
//! numbers.try_resize(1000, 7).unwrap();
//! ```
//! ```compile_fail,E0502
//! let tree = kmem::Tree::new(1);
//! let mut numbers = tree.node().try_push_child_copy(&[1, 2, 3]).unwrap();
//! let first = &numbers[0];
//! numbers.try_resize(1000, 7).unwrap();
//! assert_eq!(*first, 1);
//! ```
//! ```compile_fail,E0502
//! let mut numbers = kmem::Tree::try_copy_in(&[1, 2, 3], kmem::Heap).unwrap();
//! let child = numbers.push_child(7);
//! numbers.try_resize(1000, 7).unwrap();
//! assert_eq!(*child, 7);
//! ```
//! ```compile_fail
//! let mut names = kmem::HeapBox::<[String]>::from(vec![String::new()]);
//! names.try_resize(0, String::new());
//! ```
//!
//! # A walk over what could go meanwhile
//! ```
//! let mut tree = kmem::Tree::new(1);
//! tree.push_child(2).free();
//! let mut walk = tree.walk();
//! walk.next();
//! ```
//! ```compile_fail,E0502
//! let mut tree = kmem::Tree::new(1);
//! let child = tree.push_child(2);
//! let mut walk = tree.walk();
//! child.free();
//! walk.next();
//! ```
//! ```compile_fail,E0502
//! let mut tree = kmem::Tree::new(1);
//! let mut walk = tree.walk();
//! tree.node().push(2);
//! walk.next();
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
