//! Trees that become part of another tree, and children that become trees.

use core::ptr::NonNull;

use super::{Node, NodeRef, Tree};
use crate::emplace;
use crate::raw::{self, FLAG_TYPED_CHILD};

/// Moves a tree below a node.
///
/// There is no need to search for a cycle: nothing borrows from the tree, so the node is in another.
///
/// # Safety
/// `parent` is the data of a live node of this thread. The values and sources of the tree may stay with it on any thread.
#[track_caller]
unsafe fn join<T: ?Sized, S>(parent: NonNull<u8>, tree: Tree<T, S>) -> NonNull<T> {
    let root = tree.into_non_null();
    // SAFETY: [caller, sole, links] the root is live, and nobody else owns it. Nothing borrows from its tree, so the parent is not in
    // it.
    let moved = unsafe { raw::tree::mu(root.as_ptr().cast(), parent.as_ptr()) };
    // It fails only if a header is corrupt, which has been reported. The tree is lost then.
    emplace::made(moved);
    root
}

impl<'t, T> NodeRef<'t, T> {
    /// Makes a whole tree a child of this node, after the others but before any pools. Nothing is copied or allocated. It takes time
    /// proportional to the number of pools on this node. [`children`](NodeRef::children) does not return the new child.
    ///
    /// Its nodes keep their source, which must outlive this tree. So the source and the value are `'static`, and they are `Send`, since
    /// the tree may move to another thread.
    ///
    /// # Panics
    /// Panics if a header is corrupt and the [fault handler](crate::fault) returns. The tree leaks then.
    ///
    /// ```
    /// use kmem::Tree;
    /// let response = Tree::new(String::from("response"));
    /// response.node().push("header".into());
    /// let request = Tree::new(7);
    /// let mut grafted = request.node().graft(response);
    /// grafted.push('!');
    /// assert_eq!((grafted.node().children().count(), request.node().below()), (1, 2));
    /// ```
    #[track_caller]
    pub fn graft<U, S>(self, tree: Tree<U, S>) -> Node<'t, U>
    where
        U: ?Sized + Send + 'static,
        S: Send + 'static,
    {
        // SAFETY: [lent, outlives, threads] the node and the grafted tree are live while the tree is borrowed. By the bounds it may
        // stay with this tree on any thread. The new owner is the root's only one.
        unsafe { Node::own(join(self.data.cast(), tree)) }
    }

    /// Makes a whole tree a child of this node, as [`graft`](NodeRef::graft) does. [`children`](NodeRef::children) returns the new child,
    /// like one that was [pushed](NodeRef::push).
    ///
    /// # Panics
    /// Panics if a header is corrupt and the [fault handler](crate::fault) returns. The tree leaks then.
    ///
    /// ```
    /// use kmem::Tree;
    /// let branch = Tree::new("branch");
    /// branch.node().push("leaf");
    /// let tree = Tree::new("root");
    /// let branch = tree.node().push_tree(branch);
    /// assert_eq!(branch.parent().map(|node| *node), Some("root"));
    /// assert_eq!(tree.node().children().next().unwrap().children().count(), 1);
    /// ```
    #[track_caller]
    pub fn push_tree<S: Send + 'static>(self, tree: Tree<T, S>) -> NodeRef<'t, T> {
        // SAFETY: [lent, outlives, threads, same] as in `graft`. Both trees have values of one type, so the other may be wherever this one
        // may. The flag says so, and no owner is left.
        unsafe {
            let root = join(self.data.cast(), tree);
            (*raw::Node::of(root.as_ptr().cast())).cell.flags |= FLAG_TYPED_CHILD;
            NodeRef::new(root)
        }
    }
}

#[cfg(feature = "heap")]
impl<T: ?Sized> Node<'_, T> {
    /// Makes the child, with everything below it, a tree of its own, in constant time.
    ///
    /// # Errors
    /// Returns the owner if the child was not allocated from the heap. Other sources might not outlive the new tree. So a child in the
    /// [arena](Tree::in_arena) of its tree stays there.
    ///
    /// ```
    /// use kmem::{Node, Pool, Tree};
    /// let request = Tree::new("request");
    /// let body = request.push_child(String::from("body"));
    /// body.node().push_child(7);
    /// let body: Tree<String> = body.detach().unwrap();
    /// drop(request);
    /// assert_eq!((body.as_str(), body.node().below()), ("body", 1));
    ///
    /// let pool = Pool::bytes(100, 2);
    /// let in_pool = Tree::new_in(1, &pool);
    /// let child: Node<'_, i32> = in_pool.push_child(2).detach().unwrap_err();
    /// assert_eq!(*child, 2);
    /// ```
    pub fn detach(self) -> Result<Tree<T>, Self> {
        let data = self.data.as_ptr().cast::<u8>();
        // SAFETY: [sole, outlives, threads] this is the child's only owner, and nothing borrows it. What is below was allocated from the
        // heap too, or was grafted or adopted, so it may be on any thread for ever. So may the value, like every child's.
        unsafe {
            if !raw::tree::source_of(raw::Node::of(data)).is_null()
                || raw::tree::m(data, core::ptr::null_mut()).is_err()
            {
                return Err(self);
            }
            Ok(Tree::own(self.data))
        }
    }
}
