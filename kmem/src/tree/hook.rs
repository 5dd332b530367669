//! Functions that are called when a node is about to be freed.

use core::alloc::Layout;
use core::ffi::c_void;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::NodeRef;
use crate::emplace;
use crate::error::{AllocError, Refused};
use crate::raw::{self, Destructor};

/// A function that is [called when a node is about to be freed](NodeRef::on_free).
///
/// It borrows the tree. Dropping it leaves the function with the node. [`cancel`](Hook::cancel) removes the function.
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
    // SAFETY: [hooks] this function is stored only in hooks that hold an `F`, and the engine runs it once, before it frees the hook.
    let function = unsafe { carried.cast::<F>().read() };
    function();
}

/// Removes a hook and drops its function. Returns false if the header is corrupt, which has been reported.
///
/// # Safety
/// The hook is one of this live node, and holds an `F`.
unsafe fn cancel<F>(node: NonNull<u8>, hook: Destructor) -> bool {
    // SAFETY: [caller, hooks] the function is moved out before the hook is freed, and is not run.
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
    /// Adds a function that is called when the node is about to be freed, while everything below it is still live. The function that was
    /// added last is called first. Then everything below is freed, and then the node's value is dropped.
    ///
    /// The function is `Send`, since the tree may move to another thread, and `'static`, since the tree may outlive every borrow. It can
    /// use the tree if only a child is being freed. If it panics, everything is still freed before the panic continues. A forgotten tree
    /// does not call it.
    ///
    /// It takes 80 bytes and the size of the function from the source of this node. They are zeroed if the node is tainted.
    ///
    /// # Panics
    /// Panics if [`try_on_free`](NodeRef::try_on_free) would fail.
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

    /// Adds a function that is called when the node is about to be freed, as [`on_free`](NodeRef::on_free) does.
    ///
    /// # Errors
    /// Returns the function and the error of [`try_push`](NodeRef::try_push).
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
        // SAFETY: [lent, hooks] the node is live while its tree is borrowed, and `run` is for a hook that holds an `F`.
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
    /// Drops the function without calling it. This searches the node's hooks, from the last.
    ///
    /// # Panics
    /// Panics if a header is corrupt and the [fault handler](crate::fault) returns.
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
        // SAFETY: [lent, hooks] the node is live while its tree is borrowed, and nothing else removes the hook.
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
