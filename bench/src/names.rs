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
/// A tree in an arena of its own, whose blocks are from the heap.
pub const TREE_ARENA: &str = "kmem tree in its arena";
pub const TREE_ARENA_STATIC: &str = "kmem tree in its arena, C static";
/// The same with blocks from memory that stays, as the pool of talloc does.
pub const TREE_ARENA_KEPT: &str = "kmem tree in its arena, in memory that stays";
/// The same nodes one after the other in an array, linked by hand: what memory itself costs.
pub const ARRAY: &str = "nodes in an array";
pub const TALLOC: &str = "talloc";
pub const TALLOC_POOL: &str = "talloc in its pool";
pub const APR: &str = "APR, a sub-pool per node";

pub const ARENA: &str = "kmem arena, safe Rust";
pub const ARENA_OBJECT: &str = "kmem arena, raw Rust";
pub const ARENA_STATIC: &str = "kmem arena, C static";
pub const BUMP_SCOPE: &str = "bump-scope";
pub const APR_POOL: &str = "APR, one pool";
pub const LIMITED: &str = "kmem ref, through a limit";
pub const LIMITED_STATIC: &str = "kmem ref, through a limit, C static";
pub const REF_RAW: &str = "kmem ref, raw Rust";

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
