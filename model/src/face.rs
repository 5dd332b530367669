//! The two faces of kmem: its engine in Rust, and the C functions over it.

mod c;
mod rust;

use std::ffi::{CStr, c_void};
use std::ptr::{NonNull, null, null_mut};

pub use c::C;
use kmem::raw::ptr::At;
use kmem::raw::report::Sum;
use kmem::raw::{Cell, Destructor, Fill, Handle, Pool, Request, ResizeFn, Source, heap, pool, refs, tree};
use kmem::{AllocError, Kind};
pub use rust::Rust;

/// A request for an allocation.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Data bytes.
    pub size: usize,
    /// Alignment of the data.
    pub align: usize,
    /// True if the data is zeroed.
    pub zero: bool,
    /// The destructor.
    pub drop: Option<Destructor>,
    /// True to call the function that returns a handle.
    pub handle: bool,
    /// The name.
    pub name: Option<&'static CStr>,
    /// True to call the function that allocates by any method.
    pub any: bool,
}

impl Ask {
    /// Returns true if a function without options can serve the request.
    fn is_plain(&self) -> bool {
        self.align == 0 && self.drop.is_none() && self.name.is_none() && !self.any
    }

    fn request(&self) -> Request {
        let fill = if self.zero { Fill::Zeroed } else { Fill::Undefined };
        Request { size: self.size, align: self.align, fill, drop: self.drop, name: self.name }
    }

    /// The name of a pool that is made with options. A pool of the smallest cells has none.
    pub(crate) fn pool_name(&self, grows: bool) -> Option<&'static CStr> {
        ((grows || !self.is_plain()) && self.size > 16).then_some(c"of the model")
    }

    fn options(&self, grow: bool, name: Option<&'static CStr>) -> kmem_capi::Options {
        let (drop, arg) = self.drop.map_or((None, null_mut()), |drop| (drop.run, drop.arg));
        kmem_capi::Options {
            sz: self.size,
            align: self.align,
            drop,
            arg,
            zero: self.zero.into(),
            grow: grow.into(),
            name: name.map_or(null(), CStr::as_ptr),
            shred: 0,
        }
    }
}

/// The ways in which an object can be freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, arbitrary::Arbitrary)]
pub enum Way {
    /// The method's own `f`.
    Free,
    /// The method's own `s`.
    Shred,
    /// By handle, with `kmfree`.
    Handle,
    /// By a handle without a cell.
    Bare,
    /// By a tainted handle.
    Tainted,
    /// By handle, with `kmshred`.
    ShredHandle,
}

impl Way {
    /// Returns true if the bytes must be zeroed.
    pub fn shreds(self) -> bool {
        matches!(self, Way::Shred | Way::Tainted | Way::ShredHandle)
    }
}

/// The ways in which an object can be resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, arbitrary::Arbitrary)]
pub enum How {
    /// The method's own function, if it has one.
    Own,
    /// A handle.
    Handle,
    /// A handle without a cell.
    Bare,
    /// A tainted handle.
    Tainted,
    /// A handle, as an array.
    Array,
}

/// Arrays and copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, arbitrary::Arbitrary)]
pub enum Words {
    /// An array.
    Array,
    /// An array of zeros.
    Zeroed,
    /// A copy of bytes.
    Copy,
    /// A copy of a string.
    String,
    /// A copy of the beginning of a string.
    Part,
}

impl Words {
    /// Returns true if a zero follows the copy.
    pub(crate) fn ends(self) -> bool {
        matches!(self, Words::String | Words::Part)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, arbitrary::Arbitrary)]
pub enum Appended {
    /// Bytes, at the end of the data.
    Bytes,
    /// A string, at the end of the string in the data.
    String,
    /// Characters, into room that was requested for them.
    Room,
    /// Nothing: room is reserved.
    Reserve,
}

/// One of the two faces. A null pointer is a refusal.
pub trait Face {
    /// Makes a heap cell, a reference-counted cell or a node.
    unsafe fn make(kind: Kind, src: *mut Cell, parent: *mut u8, ask: &Ask) -> *mut u8;
    /// Allocates a cell from a pool.
    unsafe fn cell(pool: *mut Pool, ask: &Ask) -> *mut u8;
    /// Makes a pool.
    unsafe fn pool(src: *mut Cell, ask: &Ask, cells: usize, grows: bool) -> *mut Pool;
    /// Makes a pool in a buffer.
    unsafe fn pool_in(buffer: *mut u8, len: usize, ask: &Ask) -> *mut Pool;
    /// The data of a pool's live cells.
    unsafe fn walk(pool: *mut Pool) -> Vec<*mut u8>;
    /// Counts a pool.
    unsafe fn count(pool: *mut Pool) -> pool::Count;
    /// Frees all cells of a pool.
    unsafe fn clear_pool(pool: *mut Pool);
    /// Destroys a pool.
    unsafe fn end_pool(pool: *mut Pool);
    /// Frees an object, and returns the parent that the call returned, or null.
    unsafe fn free(kind: Kind, data: *mut u8, way: Way) -> *mut u8;
    /// Adds a reference.
    unsafe fn up(data: *mut u8) -> *mut u8;
    /// Taints an object by a handle.
    unsafe fn taint(kind: Kind, data: *mut u8);
    /// Renames an object, and returns true if it had room for a name.
    unsafe fn rename(kind: Kind, data: *mut u8, name: &'static CStr) -> bool;
    /// Makes a source with these functions.
    unsafe fn source(at: *mut Source, allocate: Allocate, free: Give, resize: Option<ResizeFn>);
    /// Makes an array, or a copy of `n` bytes. A zero follows the bytes.
    unsafe fn text(at: &At, what: Words, n: usize, size: usize, bytes: *const u8) -> *mut u8;
    /// Reserves room for so many bytes.
    unsafe fn reserve(kind: Kind, data: *mut u8, size: usize, how: How) -> *mut u8;
    /// Resizes an object.
    unsafe fn resize(kind: Kind, data: *mut u8, size: usize, how: How) -> *mut u8;
    /// Appends `n` bytes to an object of this size. A zero follows the bytes.
    unsafe fn append(
        object: (Kind, *mut u8, usize),
        what: Appended,
        bytes: (*const u8, usize),
        how: How,
    ) -> *mut u8;
    /// Moves a node, and returns it.
    unsafe fn place(node: *mut u8, parent: *mut u8, unchecked: bool) -> *mut u8;
    /// Moves all children of a node, and returns their new parent.
    unsafe fn place_children(from: *mut u8, to: *mut u8) -> *mut u8;
    /// Frees everything below a node.
    unsafe fn empty(node: *mut u8);
    /// Adds a hook, and returns the node.
    unsafe fn hook(node: *mut u8, hook: Destructor) -> *mut u8;
    /// Removes a hook.
    unsafe fn unhook(node: *mut u8, hook: Destructor) -> bool;
    /// Has a node adopt an object, and returns the object.
    unsafe fn adopt(node: *mut u8, object: Handle) -> *mut u8;
    /// Has a node release an object.
    unsafe fn release(node: *mut u8, object: *const u8) -> Handle;
    /// Sets the destructor of a cell, and returns its data.
    unsafe fn hook_late(kind: Kind, data: *mut u8, hook: Destructor) -> *mut u8;
    /// Has a counted cell adopt an object, and returns the object.
    unsafe fn own(cell: *mut u8, object: Handle) -> *mut u8;
    /// Has a counted cell release an object.
    unsafe fn disown(cell: *mut u8, object: *const u8) -> Handle;
    /// The objects that a walk over a tree visits, and their depths.
    unsafe fn walk_tree(node: *mut u8) -> Vec<(Handle, usize)>;
    /// The parent of a node, and the other nodes that a call returns for it.
    unsafe fn around(node: *mut u8) -> Vec<*mut u8>;
    /// Counts a node and everything below it.
    unsafe fn sum(node: *mut u8, name: Option<&CStr>) -> Sum;
    /// Reports a node, as text or as JSON.
    unsafe fn report(node: *mut u8, depth: usize, json: bool) -> String;
    /// Reports a pool.
    unsafe fn report_pool(pool: *mut Pool, json: bool) -> String;
    /// The size and the name of an object, and the casts to that name and to another.
    unsafe fn facts(handle: Handle) -> (usize, Option<&'static CStr>, [*mut u8; 2]);
}

pub type Allocate = unsafe extern "C-unwind" fn(*mut Source, usize, usize) -> *mut c_void;

pub type Give = unsafe extern "C-unwind" fn(*mut Source, *mut c_void, usize, usize);

fn or_null<T, E>(result: Result<NonNull<T>, E>) -> *mut T {
    result.map_or(null_mut(), NonNull::as_ptr)
}

fn or_null_unit(result: Result<(), AllocError>, data: *mut u8) -> *mut u8 {
    result.map_or(null_mut(), |()| data)
}

fn at(kind: Kind, src: *mut Cell, parent: *mut u8) -> At {
    At { src, parent, ..At::new(kind) }
}

/// Calls `resize` with the handle that `how` says, and checks that it then is the handle of the resized object.
unsafe fn by_handle(
    kind: Kind,
    data: *mut u8,
    how: How,
    resize: impl FnOnce(&mut Handle) -> *mut u8,
) -> *mut u8 {
    let of = |data| {
        let (shred, handle) = (i32::from(how == How::Tainted), unsafe { handle(kind, data) });
        Handle { shred, cell: if how == How::Bare { null_mut() } else { handle.cell }, ..handle }
    };
    let mut handle = of(data);
    let now = resize(&mut handle);
    assert_eq!(handle, of(if now.is_null() { data } else { now }), "the handle of the resized object");
    now
}

/// A name that no object has.
pub(crate) const STRANGER: &CStr = c"a stranger";

/// The handle of a live object.
pub(crate) unsafe fn handle(kind: Kind, data: *mut u8) -> Handle {
    unsafe {
        match kind {
            Kind::Heap => heap::handle(data),
            Kind::Ref => refs::handle(data),
            Kind::Pool => pool::handle(data),
            _ => tree::handle(data),
        }
    }
}

/// Frees an object by handle.
unsafe fn free_handle(
    handle: Handle,
    way: Way,
    free: unsafe fn(Handle),
    shred: unsafe fn(Handle),
    taint: unsafe fn(&mut Handle),
) {
    unsafe {
        match way {
            Way::Bare => free(Handle { cell: null_mut(), ..handle }),
            Way::Tainted => {
                let mut handle = handle;
                taint(&mut handle);
                free(handle);
            }
            Way::ShredHandle => shred(handle),
            _ => free(handle),
        }
    }
}
