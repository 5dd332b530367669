//! What the contestants are called, so that the goals find them.

pub const POOL_SAFE: &str = "kmem pool, safe Rust";
pub const POOL_RAW: &str = "kmem pool, raw Rust";
pub const POOL_STATIC: &str = "kmem pool, C static";
pub const POOL_SHARED: &str = "kmem pool, C shared";
/// The limit of what a pool can do on a pair.
pub const LIST: &str = "free list, inlined";
pub const LIST_CALLED: &str = "free list, C call";
pub const SLAB: &str = "slab";
pub const BUMPALO: &str = "bumpalo";
pub const TYPED_ARENA: &str = "typed-arena";
pub const MIMALLOC: &str = "mimalloc";
pub const SNMALLOC: &str = "snmalloc";
pub const JEMALLOC: &str = "jemalloc";
pub const GLIBC: &str = "glibc malloc";
pub const HEAP_RAW: &str = "kmem heap, raw Rust";
pub const HEAP_STATIC: &str = "kmem heap, C static";
pub const HEAP_TAINTED: &str = "kmem heap, tainted";
pub const REALLOC: &str = "realloc";
pub const HEAP_MIMALLOC: &str = "kmem heap, mimalloc beneath";

pub const TREE_RAW: &str = "kmem tree, raw Rust";
pub const TREE_STATIC: &str = "kmem tree, C static";
pub const TREE_MIMALLOC: &str = "kmem tree, mimalloc beneath";
pub const TREE_DROP: &str = "kmem tree, kmopt.drop";
pub const TREE_HOOK: &str = "kmem tree, kmtreeh";
pub const TREE_POOL: &str = "kmem tree in a pool";
/// The same nodes one after the other in an array, linked by hand: what memory itself costs.
pub const ARRAY: &str = "nodes in an array";
pub const TALLOC: &str = "talloc";
pub const TALLOC_POOL: &str = "talloc in its pool";
pub const APR: &str = "APR, a sub-pool per node";

pub const REF_SAFE: &str = "kmem Ref";
pub const REF_STATIC: &str = "kmem ref, C static";
pub const REF_MIMALLOC: &str = "kmem ref, mimalloc beneath";
pub const TRIOMPHE: &str = "triomphe::Arc";
pub const ARC: &str = "Arc";
pub const RC: &str = "Rc";
pub const G_RC: &str = "g_rc_box";
pub const G_ATOMIC_RC: &str = "g_atomic_rc_box";

pub const MEMSET: &str = "memset + barrier";
pub const KMEM_ZERO: &str = "kmem";
pub const ZEROIZE: &str = "zeroize";
pub const BZERO: &str = "explicit_bzero";

pub const DIRECT: &str = "direct free";
pub const KMFREE: &str = "kmfree";
