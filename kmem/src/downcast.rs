//! `downcast`, written once for all owners.

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
            /// Returns the owner of the value as a `T`. [`unsize!`](crate::unsize) makes the owner of a `dyn Any`.
            ///
            /// # Errors
            /// Returns the owner if the value is not a `T`.
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
                // SAFETY: [typed, same] the value is a `T`, as `Any` says. Children that were pushed below a tree's root are too.
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
