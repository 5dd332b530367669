//! Functions that are called when a node is about to go.

use core::alloc::Layout;
use core::ffi::c_void;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::NodeRef;
use crate::emplace;
use crate::error::{AllocError, Refused};
use crate::raw::{self, Destructor};

/// A function that is [called when a node is about to go](NodeRef::on_free), and may be taken back until then.
///
/// Dropping this leaves the function where it is. It borrows the tree.
///
/// ```
/// use kmem::{Hook, Tree};
/// let tree = Tree::new("request");
/// let hook: Hook<'_> = tree.node().on_free(|| unreachable!("it was taken back"));
/// hook.cancel();
/// ```
pub struct Hook<'t> {
    /// The data of the node.
    node: NonNull<u8>,
    hook: Destructor,
    cancel: unsafe fn(NonNull<u8>, Destructor) -> bool,
    borrows: PhantomData<&'t ()>,
}

unsafe extern "C-unwind" fn run<F: FnOnce()>(_: *mut c_void, carried: *mut c_void) {
    // SAFETY: [hooks] this function is stored only in hooks that carry an `F`, and the engine runs it once. The hook is still there.
    let function = unsafe { carried.cast::<F>().read() };
    function();
}

/// Takes a hook off and drops its function, or returns false: the header is damaged, which has been reported.
///
/// # Safety
/// The hook is one of this live node, and carries an `F`.
unsafe fn cancel<F>(node: NonNull<u8>, hook: Destructor) -> bool {
    // SAFETY: [caller, hooks] the function is moved out before its place goes, and is not run.
    unsafe {
        let function = hook.arg.cast::<F>().read();
        let taken = raw::tree::hx(node.as_ptr(), hook);
        if !taken {
            // It may still be run.
            core::mem::forget(function);
        }
        taken
    }
}

impl<'t, T> NodeRef<'t, T> {
    /// Has `function` called when the node is about to go, and everything below it is still there; the one that was added last first.
    /// Then what is below goes, and then the node's value.
    ///
    /// It runs wherever the tree went, however long that lives: hence `Send` and `'static`. It cannot use this
    /// tree where the whole of it is being freed; where only a child is, it may. Where it panics all else still goes, and then
    /// the panic goes on. A tree that is forgotten never calls it.
    ///
    /// It takes 80 bytes drawn from where this node was, and those of the function, as aligned as they are. They are zeroed where the node
    /// is tainted.
    ///
    /// # Panics
    /// Where [`try_on_free`](NodeRef::try_on_free) fails.
    ///
    /// ```
    /// use kmem::Tree;
    /// use std::sync::mpsc::channel;
    /// let (said, heard) = channel();
    /// let tree = Tree::new(String::from("request"));
    /// for word in ["then", "first"] {
    ///     let said = said.clone();
    ///     tree.node().on_free(move || said.send(word).unwrap());
    /// }
    /// drop(tree);
    /// assert_eq!(heard.try_iter().collect::<Vec<_>>(), ["first", "then"]);
    /// ```
    #[track_caller]
    pub fn on_free<F: FnOnce() + Send + 'static>(self, function: F) -> Hook<'t> {
        emplace::made(self.try_on_free(function))
    }

    /// Has `function` called when the node is about to go, as [`on_free`](NodeRef::on_free) does.
    ///
    /// # Errors
    /// Gives the function back where the source of this node cannot serve what this takes, as [`AllocError`] says.
    ///
    /// ```
    /// use kmem::{Pool, Tree};
    /// let pool = Pool::bytes(80, 1);
    /// let tree = Tree::new_in(1, &pool);
    /// let refused = tree.node().try_on_free(|| println!("gone")).unwrap_err();
    /// (refused.into_value())();
    /// ```
    pub fn try_on_free<F: FnOnce() + Send + 'static>(self, function: F) -> Result<Hook<'t>, Refused<F>> {
        let node = self.data.cast::<u8>();
        // SAFETY: [lent, hooks] the node is live while its tree is borrowed, and `run` is for a hook that carries an `F`.
        match unsafe { raw::tree::carrying(node.as_ptr(), run::<F>, Layout::new::<F>()) } {
            Ok(carried) => {
                // SAFETY: [fresh, extent] the hook has room for an `F` there, and nobody has looked at it.
                unsafe { carried.cast::<F>().write(function) };
                let hook = Destructor { run: Some(run::<F>), arg: carried.as_ptr().cast() };
                Ok(Hook { node, hook, cancel: cancel::<F>, borrows: PhantomData })
            }
            Err(error) => Err(Refused::new(error, function)),
        }
    }
}

impl Hook<'_> {
    /// Drops the function without calling it. Looks through the node's hooks, the last one first.
    ///
    /// ```
    /// let called = std::sync::Arc::new(());
    /// let held = called.clone();
    /// let tree = kmem::Tree::new("request");
    /// let hook = tree.node().on_free(move || unreachable!("{held:?}"));
    /// hook.cancel();
    /// assert_eq!(std::sync::Arc::strong_count(&called), 1);
    /// ```
    #[track_caller]
    pub fn cancel(self) {
        // SAFETY: [lent, hooks] the node is live while its tree is borrowed, and so the hook is still there: nothing else takes it back.
        if !unsafe { (self.cancel)(self.node, self.hook) } {
            emplace::refuse(AllocError::Misused);
        }
    }
}

impl fmt::Debug for Hook<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("node", &self.node).finish_non_exhaustive()
    }
}
