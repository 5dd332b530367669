//! The engine: cells in memory as C sees them, and the four methods as unsafe functions.
//!
//! The safe API and the C library call this module. Each method is a module whose functions are named by the letters of the C
//! library: `kmheapa` is [`heap::a`], `kmrefu` is [`refs::u`], and `kmfree` is [`ptr::free`]. The table is written by
//! `cargo run -p kmem-workspace --bin actions -- --write`.
//!
//! | action | heap | ref | pool | arena | tree | any object |
//! |---|---|---|---|---|---|---|
//! | make a pool or an arena; with options | | | [`i`](pool::i) [`init`](pool::init) | [`i`](arena::i) [`init`](arena::init) | | |
//! | make a node with an arena of its own | | | | | [`i`](tree::i) [`init`](tree::init) | |
//! | get the source that is the parent's | | | | | [`same`](tree::same) | |
//! | make it in a buffer; with options | | | [`in_buffer`](pool::in_buffer) [`init_in_buffer`](pool::init_in_buffer) | [`in_buffer`](arena::in_buffer) [`init_in_buffer`](arena::init_in_buffer) | | |
//! | destroy it | | | [`x`](pool::x) | [`x`](arena::x) | | |
//! | begin a scope, end it | | | | [`b`](arena::b) [`e`](arena::e) | | |
//! | free all cells of a pool and keep it | | | [`c`](pool::c) | | | |
//! | allocate: contents undefined; zeroed | [`a`](heap::a) [`z`](heap::z) | [`a`](refs::a) [`z`](refs::z) | [`a`](pool::a) [`z`](pool::z) | [`a`](arena::a) [`z`](arena::z) | [`a`](tree::a) [`z`](tree::z) | |
//! | allocate with options | [`alloc`](heap::alloc) | [`alloc`](refs::alloc) | [`alloc`](pool::alloc) | [`alloc`](arena::alloc) | [`alloc`](tree::alloc) | [`alloc`](ptr::At::alloc) |
//! | allocate and return a handle | [`ao`](heap::ao) [`zo`](heap::zo) | [`ao`](refs::ao) [`zo`](refs::zo) | [`ao`](pool::ao) [`zo`](pool::zo) | [`ao`](arena::ao) [`zo`](arena::zo) | [`ao`](tree::ao) [`zo`](tree::zo) | |
//! | get the handle of an object | [`handle`](heap::handle) | [`handle`](refs::handle) | [`handle`](pool::handle) | [`handle`](arena::handle) | [`handle`](tree::handle) | [`stat`](ptr::stat) |
//! | free, or drop a reference | [`f`](heap::f) | [`f`](refs::f) [`d`](refs::d) | [`f`](pool::f) | [`f`](arena::f) | [`f`](tree::f) [`d`](tree::d) | [`free`](ptr::free) |
//! | zero and free | [`s`](heap::s) | [`s`](refs::s) | [`s`](pool::s) | [`s`](arena::s) | [`s`](tree::s) | [`shred`](ptr::shred) |
//! | free everything below a node | | | | | [`x`](tree::x) | |
//! | add a reference | | [`u`](refs::u) | | | | |
//! | taint: zero when freed | | | | | | [`taint`](ptr::taint) |
//! | resize; an array | [`r`](heap::r) | [`r`](refs::r) | | [`r`](arena::r) | [`r`](tree::r) | [`resize`](ptr::resize) |
//! | reserve room to grow | | | | | | [`reserve`](ptr::reserve) |
//! | move: checked, unchecked, all children | | | | | [`m`](tree::m) [`mu`](tree::mu) [`mc`](tree::mc) | |
//! | get parent, first and last child | | | | | [`p`](tree::p) [`c`](tree::c) [`cl`](tree::cl) | |
//! | get next and previous sibling | | | | | [`cn`](tree::cn) [`cp`](tree::cp) | |
//! | get size, name; cast by name | | | | | | [`size`](ptr::size) [`name`](ptr::name) [`cast`](ptr::cast) |
//! | rename | | | | | | [`rename`](ptr::rename) |
//! | adopt, release | | [`k`](refs::k) [`l`](refs::l) | | | [`k`](tree::k) [`l`](tree::l) | |
//! | add a destructor, remove it | | | | | [`h`](tree::h) [`hx`](tree::hx) | [`hook`](ptr::hook) |
//! | walk | | | [`walk`](pool::walk) | | [`walk`](tree::walk) | |
//! | count | | | [`count`](pool::count) | [`count`](arena::count) | [`count`](report::count) | |
//! | report as text, as JSON; to a file | | | [`pool_text`](report::pool_text) [`pool_json`](report::pool_json) | [`arena_text`](report::arena_text) [`arena_json`](report::arena_json) | [`text`](report::text) [`json`](report::json) | |
//! | append bytes; to a string | | | | | | [`grow`](ptr::grow) |
//! | make a limit, destroy it | | | | | | [`init`](limit::init) [`x`](limit::x) |
//! | change, count a limit; set a callback | | | | | | [`to`](limit::to) [`q`](limit::q) [`h`](limit::h) |
//!
//! Each method also has an `alloc`. It takes a [`Request`], which adds an alignment above 16 bytes, a destructor and a name, and
//! returns the reason for a failure.
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
//! The header ends where the data begins. Data is aligned to 16 bytes, or to `1 << align` if the low four bits of the header's
//! `align` are not zero. The high four bits count the spare bytes at the end of the block; if they are 15, a word behind the data
//! stores the end of the block. A cell has spare room after an append, or after [`ptr::reserve`]. `base`, the address that the
//! source returned, is `data` minus the larger of header size and alignment. With [`FLAG_RECORD`], the `size` of a heap or counted
//! cell is the address of a record. The record stores the size, and the destructor or the owned objects that the cell got after it
//! was made.
//!
//! # Freeing a cell
//!
//! 1. The header is checked.
//! 2. The kind is set to a number that means *dying*, and the destructor runs.
//! 3. The data is zeroed if the call asks for it, the cell is tainted, or its source zeroes.
//! 4. The kind is set to a number that means *freed*, and the block is freed.
//!
//! If a destructor unwinds, the panic continues after all of this is done, for this cell and for every other cell that the call
//! frees. A second panic meanwhile aborts the program.
//!
//! Objects freed with a cell are freed first: everything below a node, and everything that a counted cell [owns](refs::k). Freeing
//! takes constant stack, however deeply objects own each other. A destructor that frees objects uses the stack of that call.
//!
//! # Misuse
//!
//! If the header of a cell shows a misuse, the call reports it to the [fault handler](crate::fault) and does nothing more. It
//! returns null, zero, false or [`AllocError::Misused`](crate::AllocError::Misused).
//!
//! # Threads
//!
//! Heap functions and reference counts may be used from any thread. A pool or a tree, with everything allocated from it, belongs to
//! one thread at a time, and may move between threads.

mod chain;
mod check;
mod end;
mod handle;
mod layout;
pub mod limit;
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

#[cfg(feature = "arena")]
pub mod arena;
#[cfg(feature = "heap")]
pub mod heap;
#[cfg(feature = "pool")]
pub mod pool;
#[cfg(feature = "ref")]
pub mod refs;
#[cfg(any(feature = "pool", feature = "arena", feature = "tree"))]
pub mod report;
#[cfg(feature = "tree")]
pub mod tree;

pub use crate::cell::{
    Cell, FLAG_BUSY, FLAG_DEEP, FLAG_HOLD, FLAG_HOOK, FLAG_HOST, FLAG_NAME, FLAG_OWNER, FLAG_RECORD,
    FLAG_SLOT, FLAG_TYPED_CHILD,
};
pub use crate::fault::Damage;
#[cfg(feature = "arena")]
pub use arena::header::{
    ARENA_FIXED, ARENA_HAS_ROOMS, ARENA_IN_BUFFER, ARENA_OF_TREE, ARENA_SLOW_FREE, ARENA_STORE, ARENA_WATCH,
    Arena,
};
pub use handle::Handle;
#[cfg(feature = "arena")]
pub use layout::ArenaCell;
#[cfg(feature = "tree")]
pub use layout::Node;
#[cfg(feature = "ref")]
pub use layout::Ref;
#[cfg(feature = "pool")]
pub use layout::{
    POOL_GROWS, POOL_HAS_CHAIN, POOL_HAS_DTOR, POOL_HAS_SECRETS, POOL_HAS_SOURCE, POOL_IN_BUFFER,
    POOL_IN_DTOR, Pool, PoolCell,
};
pub use request::{Destructor, Drop as DropFn, Fill, MAX_ALIGN, Request};
pub use source::*;

pub(crate) use chain::shreds;
pub(crate) use layout::CellAt;

pub(crate) use resize::ResizeRequest;
pub(crate) use trailer::set_dtor;
