//! The document in memory: one tree, whose nodes hold many values each.

use std::cell::OnceCell;
use std::ffi::CStr;

use kmem::{AllocError, Named, NodeRef, PoolBox, Ref};

/// A value of the document, or a member of an object without its key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    // Whole numbers keep all their digits.
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    /// A number below a secret key: its place in [`Document::numbers`].
    Secret(u32),
    /// A string that fits beside its length.
    Short(u8, [u8; Value::SHORT]),
    /// A string among [`View::text`].
    Text(Place),
    /// A string among [`View::secrets`].
    SecretText(Place),
    Array(Place),
    /// The values of its members. `list` is the number of its list of keys.
    Object {
        list: u32,
        node: u32,
        at: u32,
    },
}

impl Value {
    pub const SHORT: usize = 14;
}

const _: () = assert!(size_of::<Value>() == 16);

/// A part of a [`Store`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub len: u32,
    pub node: u32,
    pub at: u32,
}

/// The value of the root, and of the containers of a document with names.
pub enum Part<'s> {
    /// Set when the document is complete.
    Root(OnceCell<Document<'s>>),
    Container,
}

/// The objects of other kinds that the document owns.
#[derive(Default)]
pub struct Document<'s> {
    /// Each key once.
    pub keys: Vec<Ref<str>>,
    /// The keys of each object, by number. Objects with the same keys share a list.
    pub lists: Vec<Ref<[u32]>>,
    /// The secret numbers.
    pub numbers: Vec<PoolBox<'s, Value>>,
}

pub type Parent<'t, 's> = NodeRef<'t, Part<'s>>;

/// A sequence of items in nodes of the document's tree. A node holds the items of many containers or strings.
pub struct Store<'t, T> {
    /// The items of each node.
    nodes: Vec<&'t [T]>,
    /// The items of the next node, and its place in `nodes`.
    next: Vec<T>,
    next_node: usize,
    tainted: bool,
    /// The number of items.
    pub items: usize,
}

impl<'t, T: Copy + Send + 'static> Store<'t, T> {
    /// Bytes of a node.
    const NODE: usize = (1 << 16) - 64;
    /// The items of a node.
    const FULL: usize = Self::NODE / size_of::<T>();

    /// Makes an empty store, whose nodes are tainted or not.
    pub fn new(tainted: bool) -> Self {
        Store { nodes: Vec::new(), next: Vec::new(), next_node: 0, tainted, items: 0 }
    }

    /// Copies items into the store. If a name is given, they get a node of their own below `parent`, with this name.
    pub fn put(
        &mut self,
        items: &[T],
        parent: Parent<'t, '_>,
        name: Option<&'static CStr>,
    ) -> Result<Place, AllocError> {
        let number = |number: usize| u32::try_from(number).map_err(|_| AllocError::Overflow);
        let len = number(items.len())?;
        self.items += items.len();
        if items.is_empty() {
            return Ok(Place { len, node: 0, at: 0 });
        }
        if name.is_some() || items.len() > Self::FULL / 4 {
            let node = number(self.nodes.len())?;
            reserve(&mut self.nodes, 1)?;
            self.nodes.push(self.node(items, parent, name)?);
            return Ok(Place { len, node, at: 0 });
        }
        if self.next.len() + items.len() > Self::FULL {
            self.flush(parent)?;
        }
        if self.next.is_empty() {
            // The place of the next node.
            reserve(&mut self.nodes, 1)?;
            reserve(&mut self.next, Self::FULL)?;
            self.nodes.push(&[]);
            self.next_node = self.nodes.len() - 1;
        }
        let at = number(self.next.len())?;
        self.next.extend_from_slice(items);
        Ok(Place { len, node: number(self.next_node)?, at })
    }

    /// Makes a node of items.
    fn node(
        &self,
        items: &[T],
        parent: Parent<'t, '_>,
        name: Option<&'static CStr>,
    ) -> Result<&'t [T], AllocError> {
        let mut node = match name {
            Some(name) => Named(name, parent).try_push_child_copy(items)?,
            None => parent.try_push_child_copy(items)?,
        };
        if self.tainted {
            node.taint();
        }
        Ok(node.leave())
    }

    fn flush(&mut self, root: Parent<'t, '_>) -> Result<(), AllocError> {
        self.nodes[self.next_node] = self.node(&self.next, root, None)?;
        self.next.clear();
        Ok(())
    }

    /// Makes the last node, and returns the items of all nodes.
    pub fn finish(mut self, root: Parent<'t, '_>) -> Result<Nodes<'t, T>, AllocError> {
        if !self.next.is_empty() {
            self.flush(root)?;
        }
        Ok(Nodes { nodes: self.nodes, items: self.items })
    }
}

/// A store that is complete.
pub struct Nodes<'t, T> {
    nodes: Vec<&'t [T]>,
    /// The number of items.
    pub items: usize,
}

impl<'t, T> Nodes<'t, T> {
    fn get(&self, Place { len, node, at }: Place) -> &'t [T] {
        if len == 0 { &[] } else { &self.nodes[node as usize][at as usize..][..len as usize] }
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }
}

/// Reserves room in a vector, or fails as an allocation of kmem does.
pub fn reserve<T>(list: &mut Vec<T>, items: usize) -> Result<(), AllocError> {
    list.try_reserve(items).map_err(|_| AllocError::Exhausted { size: items * size_of::<T>() })
}

/// A complete document, to be read.
pub struct View<'t, 's> {
    pub top: Value,
    pub values: Nodes<'t, Value>,
    pub text: Nodes<'t, u8>,
    pub secrets: Nodes<'t, u8>,
    pub document: &'t Document<'s>,
}

impl<'t, 's> View<'t, 's> {
    /// The values in a container, with their keys if it is an object.
    pub fn items(&self, container: Value) -> impl ExactSizeIterator<Item = (Option<&'t str>, Value)> {
        let document = self.document;
        let (keys, values): (&'t [u32], _) = match container {
            Value::Array(place) => (&[], self.values.get(place)),
            Value::Object { list, node, at } => {
                let keys: &'t [u32] = &document.lists[list as usize];
                (keys, self.values.get(Place { len: keys.len() as u32, node, at }))
            }
            _ => (&[], &[] as &[Value]),
        };
        values
            .iter()
            .enumerate()
            .map(move |(index, value)| (keys.get(index).map(|&key| &*document.keys[key as usize]), *value))
    }

    /// A string.
    pub fn text<'a>(&'a self, value: &'a Value) -> Option<&'a str> {
        let bytes = match value {
            Value::Short(len, bytes) => &bytes[..usize::from(*len)],
            Value::Text(place) => self.text.get(*place),
            Value::SecretText(place) => self.secrets.get(*place),
            _ => return None,
        };
        std::str::from_utf8(bytes).ok()
    }
}
