//! The document in memory. One handle owns all its values.

use std::cell::OnceCell;

use kmem::{NodeRef, Ptr};

/// A number of the document. Whole numbers keep all their digits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Unsigned(n) => n.fmt(f),
            Number::Signed(n) => n.fmt(f),
            Number::Float(n) => n.fmt(f),
        }
    }
}

/// A slot of a container.
pub enum Slot<'s> {
    Null(Ptr<'s, ()>),
    Bool(Ptr<'s, bool>),
    Number(Ptr<'s, Number>),
    Text(Ptr<'s, str>),
    /// The next child of the container in the tree.
    Child,
}

/// A value, for code that walks a document.
pub enum Value<'a, 's> {
    Null(Ptr<'a, ()>),
    Bool(Ptr<'a, bool>),
    Number(Ptr<'a, Number>),
    Text(Ptr<'a, str>),
    Container(Ptr<'a, Container<'s>>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The root, with the document's one value.
    Document,
    Array,
    Object,
}

/// The document's one handle.
pub type Root<'s> = Ptr<'s, Container<'s>>;

/// An object or array: the payload of a tree node. Containers inside it are the node's children, in order.
pub struct Container<'s> {
    pub shape: Shape,
    /// True if it is below a secret key.
    pub secret: bool,
    keys: OnceCell<Box<[Ptr<'s, str>]>>,
    slots: OnceCell<Box<[Slot<'s>]>>,
}

impl<'s> Container<'s> {
    pub fn new(shape: Shape, secret: bool) -> Self {
        Container { shape, secret, keys: OnceCell::new(), slots: OnceCell::new() }
    }

    /// Sets the keys and values of this node's container, once.
    pub fn fill(node: NodeRef<'_, Container<'s>>, keys: Vec<Ptr<'s, str>>, slots: Vec<Slot<'s>>) {
        let fresh = node.keys.set(keys.into()).is_ok() && node.slots.set(slots.into()).is_ok();
        debug_assert!(fresh, "a container is filled once");
    }

    fn keys(&self) -> &[Ptr<'s, str>] {
        self.keys.get().map_or(&[], |keys| keys)
    }

    fn slots(&self) -> &[Slot<'s>] {
        self.slots.get().map_or(&[], |slots| slots)
    }

    pub fn len(&self) -> usize {
        self.slots().len()
    }

    /// Bytes of the two lists.
    pub fn list_bytes(&self) -> usize {
        size_of_val(self.keys()) + size_of_val(self.slots())
    }
}

/// The values in a container, with their keys if the container is an object.
pub fn items<'a, 's>(
    container: &'a Ptr<'_, Container<'s>>,
) -> impl Iterator<Item = (Option<&'a Ptr<'s, str>>, Value<'a, 's>)> {
    let mut children = container.children();
    let mut keys = container.keys().iter();
    container.slots().iter().map_while(move |slot| {
        let value = match slot {
            Slot::Null(ptr) => Value::Null(ptr.as_borrowed()),
            Slot::Bool(ptr) => Value::Bool(ptr.as_borrowed()),
            Slot::Number(ptr) => Value::Number(ptr.as_borrowed()),
            Slot::Text(ptr) => Value::Text(ptr.as_borrowed()),
            Slot::Child => Value::Container(children.next()?),
        };
        Some((keys.next(), value))
    })
}
