//! The arguments of a step.

use arbitrary::{Arbitrary, Result, Unstructured};

#[derive(Clone, Copy, Debug, Arbitrary)]
pub enum Kinds {
    Heap,
    Ref,
    Tree,
    Pool,
}

/// An object for a node to adopt.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub struct Adoption {
    pub what: Adopted,
    /// By a handle without a cell.
    pub bare: bool,
    /// By a tainted handle.
    pub tainted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum Adopted {
    /// An object that kmem did not allocate.
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

/// The parts of a request.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub struct Form {
    pub size: Size,
    pub align: Align,
    pub zero: bool,
    pub handle: bool,
    pub drop: bool,
    /// The name, and a bit to allocate by the function for any method.
    pub name: u8,
}

/// A size: mostly small, sometimes a few pages, seldom larger than memory.
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

/// An alignment: mostly the default, seldom an invalid one.
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
    /// The object is freed by another method with a smaller header.
    Method(u8),
    /// A handle has another kind than the object.
    Kind(u8),
    /// A handle names the cell of another object.
    Cell,
    /// A pointer into the object is freed.
    Interior,
    /// The pool cell that was freed last is freed again.
    Twice,
}
