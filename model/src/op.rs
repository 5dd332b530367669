//! The calls that bytes are turned into.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::face::{Appended, How, Way, Words};

/// One step. Indices are taken modulo the number of things that there are.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub enum Op {
    /// Makes a heap cell, a reference-counted cell or a node.
    Make { method: Method, source: u8, parent: u8, form: Form },
    /// Takes a cell from a pool.
    Cell { pool: u8, form: Form },
    /// Makes a pool.
    Pool { source: u8, on_node: bool, form: Form, cells: u8, grows: bool },
    /// Makes a pool in a buffer.
    PoolIn { len: u16, skew: u8, form: Form },
    /// Frees an object, or drops a reference.
    Free { at: u8, way: Way },
    /// Frees the object that was made last.
    FreeLast { way: Way },
    /// Tears a pool down, one on a node perhaps as the node.
    EndPool { at: u8, way: Way },
    /// Adds a reference.
    Up { at: u8 },
    /// Taints an object.
    Taint { at: u8 },
    /// Gives an object another name, if it has one.
    Rename { at: u8, name: u8 },
    /// Taints a pool or a source.
    TaintSource { at: u8 },
    /// A wrong call, which is to be reported and to change nothing.
    Misuse { at: u8, how: Misuse },
    /// Makes a node below another.
    Node { parent: u8, form: Form },
    /// Makes an array, a copy or a string.
    Text { method: Kinds, source: u8, parent: u8, what: Words, size: Size, of: u8 },
    /// Gives an object another size.
    Resize { at: u8, size: Size, how: How },
    /// Gives an object a size that is close to what it has.
    Adjust { at: u8, by: i8, how: How },
    /// Appends to what an object holds.
    Append { at: u8, what: Appended, len: u8, place: u8, own: bool, how: How },
    /// Moves a node.
    Move { at: u8, to: u8, unchecked: bool },
    /// Moves all children of a node.
    MoveChildren { from: u8, to: u8 },
    /// Frees all below a node.
    Empty { at: u8 },
    /// Hooks a destructor on.
    Hook { at: u8, arg: u8 },
    /// Takes a hook off.
    Unhook { at: u8, arg: u8 },
    /// Has a node adopt an object.
    Adopt { at: u8, object: u8, what: Adoption },
    /// Has a node let go of what it adopted, or of a child.
    Release { at: u8, which: u8, child: bool },
    /// Sets the destructor of a cell, or takes it away.
    HookLate { at: u8, on: bool },
    /// Has a counted cell adopt an object.
    Own { at: u8, object: u8, what: Adoption },
    /// Has a counted cell let go of what it owns.
    Disown { at: u8, which: u8 },
    /// Looks at a node, with walks, counts and reports, or at a pool.
    Look { at: u8, depth: u8, pool: bool },
}

#[derive(Clone, Copy, Debug, Arbitrary)]
pub enum Kinds {
    Heap,
    Ref,
    Tree,
    Pool,
}

/// What a node is to adopt.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub struct Adoption {
    pub what: Adopted,
    /// By a handle without a cell.
    pub bare: bool,
    /// By a handle that is tainted.
    pub tainted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum Adopted {
    /// No cell of kmem's.
    Static,
    /// A node, or a pool on one.
    Node,
    /// A cell.
    Cell,
    /// A reference-counted cell.
    Ref,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
pub enum Method {
    Heap,
    Ref,
    Tree,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub struct Form {
    pub size: Size,
    pub align: Align,
    pub zero: bool,
    pub handle: bool,
    pub drop: bool,
    /// What it is called, and whether it is made as any kind of object is.
    pub name: u8,
}

/// A number of bytes: mostly small, sometimes a few pages, now and then more than there is.
#[derive(Clone, Copy, Debug)]
pub struct Size(pub usize);

impl<'a> Arbitrary<'a> for Size {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Size> {
        let raw = u16::arbitrary(bytes)?;
        let low = usize::from(raw >> 4);
        Ok(Size(match raw & 15 {
            0..=8 => low & 63,
            9..=12 => low & 511,
            13 => low * 3,
            14 => low,
            _ => match low & 3 {
                0 => usize::MAX - (low >> 2),
                1 => isize::MAX as usize - (low >> 2),
                2 => usize::MAX / 2 + (low >> 2),
                _ => 1 << (29 + (low >> 2) % 34),
            },
        }))
    }
}

/// An alignment: mostly none in particular, now and then one that there is not.
#[derive(Clone, Copy, Debug)]
pub struct Align(pub usize);

impl<'a> Arbitrary<'a> for Align {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Align> {
        let raw = u8::arbitrary(bytes)?;
        Ok(Align(match raw & 31 {
            0..=23 => 0,
            24 => 8,
            25 => 16,
            26 => 32,
            27 => 64,
            28 => 256,
            29 => 4096,
            30 => 8192,
            _ => usize::from(raw) | 1,
        }))
    }
}

#[derive(Clone, Copy, Debug, Arbitrary)]
pub enum Misuse {
    /// The object is freed by another method, whose header lies inside its own.
    Method(u8),
    /// A handle says another kind than the object's.
    Kind(u8),
    /// A handle names the cell of another object.
    Cell,
    /// A pointer into the object is freed.
    Interior,
    /// The cell of a pool that was freed last is freed again.
    Twice,
}
