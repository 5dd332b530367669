//! Trees, nodes and walks over them.
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
