//! Pools, their cells and what is allocated from them.
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
