//! What every cell begins with: its kind, its shred mark, its size.

use crate::atomic::AtomicU8;
use core::fmt;
#[cfg(target_pointer_width = "32")]
use core::mem::MaybeUninit;
use core::mem::offset_of;

use crate::shared;

/// How a piece of memory was allocated, and so how it is given back.
///
/// The numbers are those of the C `enum kmkind`; [`Kind::Source`] is what a custom source cell carries and is
/// never the kind of a handle.
///
/// ```
/// use kmem::Kind;
/// assert_eq!(Kind::Tree as i32, 4);
/// assert_eq!(Kind::from_raw(1), Some(Kind::Heap));
/// assert_eq!(Kind::from_raw(77), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i32)]
#[non_exhaustive]
pub enum Kind {
    /// Not allocated by kmem: a static, global or stack object. Freeing it does nothing.
    None = 0,
    /// A heap cell with one owner.
    Heap = 1,
    /// A cell of a pool; also the kind in the header of the pool itself.
    Pool = 2,
    /// A reference-counted cell.
    Ref = 3,
    /// A node of a tree.
    Tree = 4,
    /// A custom source: a cell that only serves others to be drawn from.
    Source = 5,
}

/// The bits that a kind has besides its number while the cell is being freed.
const DYING: i32 = 0x4b4d_0000;

impl Kind {
    /// The kind with this number, or `None` where no kind has it.
    ///
    /// ```
    /// assert_eq!(kmem::Kind::from_raw(3), Some(kmem::Kind::Ref));
    /// ```
    #[must_use]
    pub const fn from_raw(raw: i32) -> Option<Kind> {
        Some(match raw {
            0 => Kind::None,
            1 => Kind::Heap,
            2 => Kind::Pool,
            3 => Kind::Ref,
            4 => Kind::Tree,
            5 => Kind::Source,
            _ => return None,
        })
    }

    /// The kind that a header with this number has or, while the cell is being freed, had.
    pub(crate) const fn from_raw_dying(raw: i32) -> Option<Kind> {
        Kind::from_raw(if raw & !0xffff == DYING { raw & 0xffff } else { raw })
    }

    /// The number in the header of a cell of this kind once it has been freed.
    pub(crate) const fn freed(self) -> i32 {
        !(self as i32)
    }

    /// The number in the header of a cell of this kind whose destructor is running.
    pub(crate) const fn dying(self) -> i32 {
        DYING | self as i32
    }

    /// The word that C function names use for this method.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Kind::None => "none",
            Kind::Heap => "heap",
            Kind::Pool => "pool",
            Kind::Ref => "ref",
            Kind::Tree => "tree",
            Kind::Source => "source",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Whether bytes are zeroed when they go.
///
/// ```
/// assert_eq!(kmem::Shred::default(), kmem::Shred::No);
/// assert_eq!(kmem::Shred::Yes as i32, 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum Shred {
    /// Leave the bytes as they are.
    #[default]
    No = 0,
    /// Zero the bytes before they go back to their source.
    Yes = 1,
}

impl Shred {
    /// Whether this asks for zeroing.
    ///
    /// ```
    /// assert!(kmem::Shred::Yes.is_yes());
    /// ```
    #[must_use]
    pub const fn is_yes(self) -> bool {
        matches!(self, Shred::Yes)
    }
}

impl From<bool> for Shred {
    fn from(yes: bool) -> Self {
        if yes { Shred::Yes } else { Shred::No }
    }
}

/// The prefix of every cell (`kmcell` in C), 16 bytes.
///
/// A pointer to any cell header may be read as a pointer to this. Pool cells are the one exception: they carry
/// [`raw::PoolCell`](crate::raw::PoolCell), and the prefix is that of their pool.
///
/// Exhaustive: C code relies on this layout.
///
/// ```
/// assert_eq!(core::mem::size_of::<kmem::raw::Cell>(), 16);
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct Cell {
    /// A [`Kind`] as its number, or a number that no kind has where the cell is being freed or has been.
    pub kind: i32,
    /// 1 where the data bytes are to be zeroed when the cell goes. Any thread that holds a reference may set it.
    pub shred: AtomicU8,
    /// Bits that say what the cell carries beyond its header: see the `FLAG_` constants of [`crate::raw`].
    pub flags: u8,
    /// In the low four bits the base-2 logarithm of the data's alignment where it is above 16 bytes, otherwise 0. In the high four bits of
    /// a heap cell, a counted cell or a node how many bytes its block has to spare, or 15 where a word behind the data says it.
    pub align: u8,
    /// Which heap the cell came from: each copy of kmem that has a heap of its own writes its own number. In the cells of heap,
    /// ref and tree it is mixed with the size and the flags, so that it tells a damaged header too.
    pub heap: u8,
    /// Bytes of header and data together.
    pub size: usize,
    /// It makes the prefix 16 bytes on 32-bit machines too. With [`FLAG_RECORD`] it tells an address of the record that was written
    /// over, which may look like any other; unused without.
    #[cfg(target_pointer_width = "32")]
    pub(crate) spare: MaybeUninit<u32>,
}

/// The cell has a destructor slot behind its data.
pub const FLAG_SLOT: u8 = 1;
/// On a node: its data is a pool, which is torn down when the node is freed. On a pool: a node hosts it.
pub const FLAG_HOST: u8 = 2;
/// The node was made with the payload type of its parent (set by the safe API alone).
pub const FLAG_TYPED_CHILD: u8 = 4;
/// The node is a hook: what runs when the free of its parent begins. It lies before all children that are none.
pub const FLAG_HOOK: u8 = 8;
/// The node holds an object that its parent has adopted: its data is the handle.
pub const FLAG_HOLD: u8 = 16;
/// On a node: its children are what a counted cell owns. No node of the program's has both bits.
pub const FLAG_OWNER: u8 = FLAG_HOOK | FLAG_HOLD;
/// On a heap or counted cell: its size is in a record, whose address takes the place of the size. No node has all three bits.
pub const FLAG_RECORD: u8 = FLAG_HOST | FLAG_HOOK | FLAG_HOLD;
/// The cell has a pointer to its name behind its data and, where it has one, its destructor.
pub const FLAG_NAME: u8 = 32;
/// On a node: a child of it, which hangs there no more, is being freed, so that it may neither be freed nor resized.
pub const FLAG_BUSY: u8 = 64;
/// On a node: when it goes, all below it is zeroed too.
pub const FLAG_DEEP: u8 = 128;
/// On a block of a pool: cells of it were tainted one by one.
pub const FLAG_SECRETS: u8 = 4;
/// The pool lies in a buffer of the caller's: nothing is given back when it is torn down.
pub const FLAG_BUFFER: u8 = 8;
/// The pool draws further blocks from its source when it is full.
pub const FLAG_GROWS: u8 = 16;
/// More is to be done with a cell that goes back to this pool than to put it on the free list: there is a destructor, a
/// source that may shred, or a pool that this is a further block of.
pub const FLAG_SLOW_FREE: u8 = 32;
/// On the first block of a pool: the destructor of one of its cells is running.
pub const FLAG_IN_DTOR: u8 = 64;
/// On the first block of a growing pool: others than it and the current one may have free cells.
pub const FLAG_MAY_HAVE_FREE_BLOCKS: u8 = 128;

impl Cell {
    pub(crate) fn new(kind: Kind, flags: u8, align: u8, heap: u8, size: usize) -> Cell {
        Cell {
            kind: kind as i32,
            shred: AtomicU8::new(0),
            flags,
            align,
            heap,
            size,
            #[cfg(target_pointer_width = "32")]
            spare: MaybeUninit::uninit(),
        }
    }

    /// Marks the cell to be zeroed when it goes.
    pub(crate) fn taint(&self) {
        shared::mark(&self.shred);
    }

    pub(crate) fn tainted(&self) -> bool {
        shared::is_marked(&self.shred)
    }
}

const _: () = {
    assert!(offset_of!(Cell, kind) == 0);
    assert!(offset_of!(Cell, shred) == 4);
    assert!(offset_of!(Cell, flags) == 5);
    assert!(offset_of!(Cell, align) == 6);
    assert!(offset_of!(Cell, heap) == 7);
    assert!(offset_of!(Cell, size) == 8);
    assert!(size_of::<Cell>() == 16 && align_of::<Cell>() == align_of::<usize>());
};
