//! The engine: cells in memory exactly as C sees them, and the four methods over them as unsafe functions.
//!
//! The safe API and the C library are both thin over this module. Function names are those of the C library with
//! the method as the module: `kmheapa` is [`heap::a`], `kmrefu` is [`refs::u`], `kmfree` is [`ptr::free`]. The table is written by
//! `cargo run -p kmem-workspace --bin actions -- --write`.
//!
//! | action | heap | ref | pool | tree | any object |
//! |---|---|---|---|---|---|
//! | make a pool; with options | | | [`i`](pool::i) [`init`](pool::init) | | |
//! | make a pool in a buffer; with options | | | [`in_buffer`](pool::in_buffer) [`init_in_buffer`](pool::init_in_buffer) | | |
//! | destroy a pool | | | [`x`](pool::x) | | |
//! | allocate: contents undefined; zeroed | [`a`](heap::a) [`z`](heap::z) | [`a`](refs::a) [`z`](refs::z) | [`a`](pool::a) [`z`](pool::z) | [`a`](tree::a) [`z`](tree::z) | |
//! | allocate with options | [`alloc`](heap::alloc) | [`alloc`](refs::alloc) | [`alloc`](pool::alloc) | [`alloc`](tree::alloc) | [`alloc`](ptr::At::alloc) |
//! | allocate and return a handle | [`ao`](heap::ao) [`zo`](heap::zo) | [`ao`](refs::ao) [`zo`](refs::zo) | [`ao`](pool::ao) [`zo`](pool::zo) | [`ao`](tree::ao) [`zo`](tree::zo) | |
//! | get the handle of an object | [`handle`](heap::handle) | [`handle`](refs::handle) | [`handle`](pool::handle) | [`handle`](tree::handle) | [`stat`](ptr::stat) |
//! | free, or drop a reference | [`f`](heap::f) | [`f`](refs::f) [`d`](refs::d) | [`f`](pool::f) | [`f`](tree::f) [`d`](tree::d) | [`free`](ptr::free) |
//! | zero and free | [`s`](heap::s) | [`s`](refs::s) | [`s`](pool::s) | [`s`](tree::s) | [`shred`](ptr::shred) |
//! | free everything below a node | | | | [`x`](tree::x) | |
//! | add a reference | | [`u`](refs::u) | | | |
//! | taint: zero when freed | | | | | [`taint`](ptr::taint) |
//! | resize; an array | [`r`](heap::r) | [`r`](refs::r) | | [`r`](tree::r) | [`resize`](ptr::resize) |
//! | reserve room to grow | | | | | [`reserve`](ptr::reserve) |
//! | move: checked, unchecked, all children | | | | [`m`](tree::m) [`mu`](tree::mu) [`mc`](tree::mc) | |
//! | get parent, first and last child | | | | [`p`](tree::p) [`c`](tree::c) [`cl`](tree::cl) | |
//! | get next and previous sibling | | | | [`cn`](tree::cn) [`cp`](tree::cp) | |
//! | get size, name; cast by name | | | | | [`size`](ptr::size) [`name`](ptr::name) [`cast`](ptr::cast) |
//! | rename | | | | | [`rename`](ptr::rename) |
//! | adopt, release | | [`k`](refs::k) [`l`](refs::l) | | [`k`](tree::k) [`l`](tree::l) | |
//! | add a destructor, remove it | | | | [`h`](tree::h) [`hx`](tree::hx) | [`hook`](ptr::hook) |
//! | walk | | | [`walk`](pool::walk) | [`walk`](tree::walk) | |
//! | count | | | [`count`](pool::count) | [`count`](report::count) | |
//! | report as text, as JSON; to a file | | | [`pool_text`](report::pool_text) [`pool_json`](report::pool_json) | [`text`](report::text) [`json`](report::json) | |
//! | append bytes; to a string | | | | | [`grow`](ptr::grow) |
//!
//! Where the letters do not reach (alignment above 16 bytes, a destructor, the reason of a refusal), every method
//! has an `alloc` that takes a [`Request`].
//!
//! # A cell in memory
//!
//! ```text
//! base ........ header .......... data ................ slot ....... name ... end ...... spare room
//! |<- offset --------------------->|<- size - header ->|             |      |      a word, only with much spare room
//!                                                      |             |      its address, only with FLAG_NAME
//!                                                      |<- 16 bytes ->|      destructor, only with FLAG_SLOT
//! ```
//!
//! Data is aligned to 16 bytes, or to `1 << align` where the low four bits of the header's `align` are not zero, and the header ends
//! where the data begins. The high four bits count spare bytes at the end of the block; 15 says that a word behind the data tells where
//! it ends. A cell has room to spare once it was appended to, or asked for it with [`ptr::reserve`]. `base`, the address that the source
//! gave, is `data` minus the larger of header and
//! alignment. In a heap or counted cell with [`FLAG_RECORD`] the header's `size` is the address of a record: it has the size, and what
//! the cell got after it was made, a destructor or objects that it owns.
//!
//! # Order of events when a cell goes
//!
//! The header is checked, its kind is set to a number that says *being freed*, the destructor runs, the bytes
//! are zeroed if the call, the cell or its source says so, the kind is set to a number that says *freed*, and the
//! bytes go back. A destructor that unwinds is let through only after all of this, for its cell and for every
//! other cell that the same call frees; a second one that unwinds meanwhile ends the program, as everywhere in Rust.
//!
//! What is freed with a cell goes first: all below a node, all that a counted cell [owns](refs::k). The walk over it takes constant
//! stack, whatever owns what. What a destructor frees uses the stack of that call.
//!
//! # Threads
//!
//! Heap functions and reference counts may be used from any thread. A pool, a tree and everything drawn from them
//! belong to one thread at a time and may be handed over whole.

mod chain;
mod check;
mod end;
mod handle;
mod layout;
mod make;
mod object;
pub mod ptr;
mod record;
mod request;
mod resize;
#[doc(hidden)]
#[macro_use]
pub mod sanitizer;
mod seal;
mod shape;
mod source;
#[cfg(feature = "totals")]
pub mod totals;
#[cfg(not(feature = "totals"))]
mod totals;
mod trailer;
#[macro_use]
mod verbs;

#[cfg(feature = "heap")]
pub mod heap;
#[cfg(feature = "pool")]
pub mod pool;
#[cfg(feature = "ref")]
pub mod refs;
#[cfg(any(feature = "pool", feature = "tree"))]
pub mod report;
#[cfg(feature = "tree")]
pub mod tree;

pub use crate::cell::{
    Cell, FLAG_BUFFER, FLAG_BUSY, FLAG_DEEP, FLAG_GROWS, FLAG_HOLD, FLAG_HOOK, FLAG_HOST, FLAG_IN_DTOR,
    FLAG_MAY_HAVE_FREE_BLOCKS, FLAG_NAME, FLAG_OWNER, FLAG_RECORD, FLAG_SECRETS, FLAG_SLOT, FLAG_SLOW_FREE,
    FLAG_TYPED_CHILD,
};
pub use crate::fault::Damage;
pub use handle::Handle;
#[cfg(feature = "tree")]
pub use layout::Node;
#[cfg(feature = "ref")]
pub use layout::Ref;
#[cfg(feature = "pool")]
pub use layout::{Pool, PoolCell};
pub use request::{Destructor, Drop as DropFn, Fill, MAX_ALIGN, Request};
pub use source::{ResizeFn, Source};

pub(crate) use chain::shreds;
pub(crate) use source::{draw, give_back};

pub(crate) use resize::ResizeRequest;
pub(crate) use trailer::set_dtor;
