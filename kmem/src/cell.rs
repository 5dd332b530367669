//! The prefix of every cell: its kind, its taint mark, its size.

use crate::atomic::AtomicU8;
use core::fmt;
#[cfg(target_pointer_width = "32")]
use core::mem::MaybeUninit;
use core::mem::offset_of;

use crate::shared;

/// Defines [`Kind`] from a table: each kind, its number, and the name of its method in C functions.
macro_rules! kinds {
    ($(#[$attribute:meta])* $vis:vis enum Kind { $($(#[$doc:meta])* $kind:ident = $number:literal, $word:literal;)* }) => {
        $(#[$attribute])*
        $vis enum Kind {
            $($(#[$doc])* $kind = $number,)*
        }

        impl Kind {
            /// Returns the kind with this number, or `None`.
            #[must_use]
            pub const fn from_raw(raw: i32) -> Option<Kind> {
                match raw {
                    $($number => Some(Kind::$kind),)*
                    _ => None,
                }
            }

            /// Returns the name of the method in C functions.
            pub(crate) const fn word(self) -> &'static str {
                match self {
                    $(Kind::$kind => $word,)*
                }
            }
        }
    };
}

kinds! {
/// The method with which an object was allocated, and with which it is freed.
///
/// The numbers are those of the C `enum kmkind`. [`Kind::Source`] and [`Kind::Limit`] are never the kind of a handle.
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
    None = 0, "none";
    /// A heap cell with one owner.
    Heap = 1, "heap";
    /// A cell of a pool, or a pool.
    Pool = 2, "pool";
    /// A reference-counted cell.
    Ref = 3, "ref";
    /// A node of a tree.
    Tree = 4, "tree";
    /// The header of a custom source.
    Source = 5, "source";
    /// An object of an arena, or an arena.
    Arena = 6, "arena";
    /// A limit.
    Limit = 7, "limit";
}
}

/// Bits that are set in the kind of a dying cell, above the number of its kind.
const DYING: i32 = 0x4b4d_0000;

impl Kind {
    /// Returns the kind with this number, or the kind that a dying cell had.
    pub(crate) const fn from_raw_dying(raw: i32) -> Option<Kind> {
        Kind::from_raw(if raw & !0xffff == DYING { raw & 0xffff } else { raw })
    }

    /// Returns the number in the header of a freed cell of this kind.
    pub(crate) const fn freed(self) -> i32 {
        !(self as i32)
    }

    /// Returns the number in the header of a dying cell of this kind: its destructor is running.
    pub(crate) const fn dying(self) -> i32 {
        DYING | self as i32
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The choice to zero data when it is freed, or not.
///
/// ```
/// use kmem::Shred;
/// assert_eq!(Shred::default(), Shred::No);
/// assert!(Shred::Yes as i32 == 1 && Shred::Yes.is_yes());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum Shred {
    /// Leave the bytes as they are.
    #[default]
    No = 0,
    /// Zero the bytes before they are freed.
    Yes = 1,
}

impl Shred {
    /// Returns true for [`Shred::Yes`].
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
/// Every cell header starts with it, except that of a pool's cell: [`raw::PoolCell`](crate::raw::PoolCell).
/// Exhaustive: C code relies on the layout.
#[derive(Debug)]
#[repr(C)]
pub struct Cell {
    /// A [`Kind`] as its number, or a number that means dying or freed.
    pub kind: i32,
    /// 1 if the cell is tainted: its data is zeroed when it is freed. Any thread with a reference may set it.
    pub shred: AtomicU8,
    /// The `FLAG_` constants of [`crate::raw`].
    pub flags: u8,
    /// Low four bits: the base-2 logarithm of the data's alignment, or 0 for the default of 16 bytes. High four bits, except in
    /// pools: the spare bytes of the block, or 15 if a word behind the data stores the end of the block.
    pub align: u8,
    /// In a pool, a number that identifies the heap of the copy of kmem that made it. In other cells, a seal of the heap, the size
    /// and the flags, which detects a corrupt header.
    pub heap: u8,
    /// Bytes of header and data together.
    pub size: usize,
    /// Makes the prefix 16 bytes on 32-bit machines. With [`FLAG_RECORD`], the seal of the record's address; otherwise unused.
    #[cfg(target_pointer_width = "32")]
    pub(crate) spare: MaybeUninit<u32>,
}

/// A destructor slot lies behind the data.
pub const FLAG_SLOT: u8 = 1;
/// On a node: its data is a pool. On a pool: its block is the data of a node.
pub const FLAG_HOST: u8 = 2;
/// The node was made with the payload type of its parent. Set by the safe API only.
pub const FLAG_TYPED_CHILD: u8 = 4;
/// The node is a hook: its destructor runs when its parent is freed. Hooks come before all other children.
pub const FLAG_HOOK: u8 = 8;
/// The node holds an object that its parent adopted. Its data is the handle.
pub const FLAG_HOLD: u8 = 16;
/// The node is the root of the objects that a counted cell owns. No other node has both flags.
pub const FLAG_OWNER: u8 = FLAG_HOOK | FLAG_HOLD;
/// On a heap or counted cell: the size is replaced by the address of a record, which has a destructor or owned objects that the
/// cell got after it was made. No node has all three flags.
pub const FLAG_RECORD: u8 = FLAG_HOST | FLAG_HOOK | FLAG_HOLD;
/// A pointer to the name lies behind the data and the destructor.
pub const FLAG_NAME: u8 = 32;
/// On a node: a detached child of it is being freed, so the node must not be freed or resized.
pub const FLAG_BUSY: u8 = 64;
/// On a node: when it is freed, everything below it is zeroed too.
pub const FLAG_DEEP: u8 = 128;

impl Cell {
    pub(crate) const fn new(kind: Kind, flags: u8, align: u8, heap: u8, size: usize) -> Cell {
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

    /// A cell that is no source.
    #[cfg(all(feature = "tree", feature = "arena"))]
    pub(crate) const fn no_source() -> Cell {
        Cell {
            kind: Kind::None as i32,
            shred: AtomicU8::new(0),
            flags: 0,
            align: 0,
            heap: 0,
            size: 0,
            #[cfg(target_pointer_width = "32")]
            spare: MaybeUninit::uninit(),
        }
    }

    /// Taints the cell: its data is zeroed when it is freed.
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
