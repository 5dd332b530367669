//! Owners of trait objects back to those of the value's own type, said once over all owners.

use core::any::Any;

use crate::unsize::{join, split};

macro_rules! downcast {
    ($feature:meta, $owner:ident, [$($generics:tt)*], [$($before:tt)*], [$($behind:tt)*], $example:literal) => {
        downcast!(@ $feature, $owner, [$($generics)*], [$($before)*], [$($behind)*], $example, dyn Any);
        downcast!(@ $feature, $owner, [$($generics)*], [$($before)*], [$($behind)*], $example, dyn Any + Send);
        downcast!(@ $feature, $owner, [$($generics)*], [$($before)*], [$($behind)*], $example, dyn Any + Send + Sync);
    };
    (@ $feature:meta, $owner:ident, [$($generics:tt)*], [$($before:tt)*], [$($behind:tt)*], $example:literal, $any:ty) => {
        #[cfg($feature)]
        impl<$($generics)*> crate::$owner<$($before)* $any $($behind)*> {
            /// The owner of the value as what it is, where that is a `T`. Owners of a `dyn Any` are made with
            /// [`unsize!`](crate::unsize).
            ///
            /// # Errors
            /// Gives the owner back where the value is not a `T`.
            ///
            #[doc = concat!("```\nuse kmem::{HeapBox, Node, Pool, Ptr, Ref, Tree, unsize};\nuse std::any::Any;")]
            #[doc = concat!("let (pool, tree) = (Pool::<i32>::new(1), Tree::new(0));\nlet any = unsize!(", $example, " => ")]
            #[doc = concat!(stringify!($any), ");\nlet any = any.downcast::<String>().unwrap_err();")]
            #[doc = "assert_eq!(*any.downcast::<i32>().unwrap(), 7);\n```"]
            pub fn downcast<T: Any>(self) -> Result<crate::$owner<$($before)* T $($behind)*>, Self> {
                if !(*self).is::<T>() {
                    return Err(self);
                }
                let (data, kept) = split(self);
                // SAFETY: [typed, same] the value is a `T`, as what the trait object was made of: a `dyn Any` knows that. So, of a tree's
                // root, are the children that were pushed.
                Ok(unsafe { join::<_, T>(data.cast(), kept) })
            }
        }
    };
}

downcast!(feature = "heap", HeapBox, [], [], [], "HeapBox::new(7)");
downcast!(feature = "ref", Ref, [S], [], [, S], "Ref::new(7)");
downcast!(feature = "pool", PoolBox, ['p], ['p,], [], "pool.alloc(7)");
downcast!(feature = "tree", Tree, [S], [], [, S], "Tree::new(7)");
downcast!(feature = "tree", Node, ['p], ['p,], [], "tree.push_child(7)");
downcast!(all(), Ptr, ['s], ['s,], [], "Ptr::from(HeapBox::new(7))");
