//! Trees that become part of another, and children that become trees.

use core::ptr::NonNull;

use super::{Node, NodeRef, Tree};
use crate::emplace;
use crate::raw::{self, FLAG_TYPED_CHILD};

/// Moves a tree below a node, without a look at what is in either.
///
/// There is no need to look for a cycle: who has the tree has borrowed nothing in it, so that the node is in another.
///
/// # Safety
/// `parent` is the data of a live node of this thread's, and what the tree has, values and sources, may go and stay where that does.
#[track_caller]
unsafe fn join<T: ?Sized, S>(parent: NonNull<u8>, tree: Tree<T, S>) -> NonNull<T> {
    let root = tree.into_non_null();
    // SAFETY: [caller, sole, links] the root is live and owned by nobody now; nothing that borrows from its tree is left, and so the
    // parent does not lie in it.
    let moved = unsafe { raw::tree::mu(root.as_ptr().cast(), parent.as_ptr()) };
    // A damaged header alone makes it fail, which has been reported. The tree is out of reach then.
    emplace::made(moved);
    root
}

impl<'t, T> NodeRef<'t, T> {
    /// Makes a whole tree a child of this node, behind those that are there but for pools: nothing is copied and nothing drawn. It takes a time that
    /// grows with the number of pools on this node alone.
    /// Walks over this tree pass over it.
    ///
    /// Its nodes still go back to the source that each was drawn from. That must outlive this tree, of which no more is known than
    /// that it may go to another thread: hence `S` is `'static` and `Send`, as the heap is, and the value too.
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
        // SAFETY: [lent, outlives, threads] the node is live while its tree is borrowed, and so is what is put below it. By the
        // bounds it may stay with this tree and go where that does. The new owner is the root's only one.
        unsafe { Node::own(join(self.data.cast(), tree)) }
    }

    /// Like [`graft`](NodeRef::graft), but walks over this tree visit the new child: like one that was
    /// [pushed](NodeRef::push) it belongs to this tree alone.
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
        // SAFETY: [lent, outlives, threads] as in `graft`, but that both trees have values of one type, so that where this one may go
        // the other may. [same] The flag says so, and no owner is left.
        unsafe {
            let root = join(self.data.cast(), tree);
            (*raw::tree::header(root.as_ptr().cast())).cell.flags |= FLAG_TYPED_CHILD;
            NodeRef::new(root)
        }
    }
}

#[cfg(feature = "heap")]
impl<T: ?Sized> Node<'_, T> {
    /// Takes the child, with everything below it, out of its tree and makes it one of its own, in constant time.
    ///
    /// # Errors
    /// Gives the owner back where the child was not drawn from the heap, whose cells alone need no source to stay.
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
        // SAFETY: [sole, outlives, threads] this is the child's only owner, and what borrows it is gone. What lies below is drawn from
        // where it was, the heap, or was grafted or adopted, and then may stay anywhere and go to any thread; so may the value, as
        // every child's.
        unsafe {
            if !(*raw::tree::header(data)).src.is_null() || raw::tree::m(data, core::ptr::null_mut()).is_err()
            {
                return Err(self);
            }
            Ok(Tree::own(self.data))
        }
    }
}
