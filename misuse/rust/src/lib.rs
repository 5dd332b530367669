//! The C functions of kmem over the heap of a Rust program. The cases are linked with it.

use kmem as _;
use kmem_capi as _;
