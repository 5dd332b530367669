//! Hooks, adopted objects and cells that change their size.
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
