//! Parses JSON directly into cells.

use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString};
use std::fmt;
use std::io::{BufReader, Read};

use kmem::{Heap, Kind, Named, Pool, Ptr, Ref, Tree};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::scan::Needles;
use crate::values::{Container, Number, Root, Shape, Slot};

type NodeRef<'t, 's> = kmem::NodeRef<'t, Container<'s>>;

static NULL: () = ();
static TRUE: bool = true;
static FALSE: bool = false;

/// The cost of one kind of cell.
#[derive(Clone, Copy, Default)]
pub struct Cost {
    pub cells: usize,
    pub data: usize,
    pub overhead: usize,
}

/// The counts of a load.
#[derive(Default)]
pub struct Census {
    costs: [Cost; 5],
    /// Bytes of JSON.
    pub document: u64,
    /// Strings and keys in the document, and their bytes.
    pub strings: usize,
    pub string_bytes: usize,
}

impl Census {
    pub fn cost(&self, kind: Kind) -> Cost {
        self.costs[kind as usize]
    }

    fn count(&mut self, kind: Kind, data: usize, overhead: usize) {
        let cost = &mut self.costs[kind as usize];
        cost.cells += 1;
        cost.data += data;
        cost.overhead += overhead;
    }
}

pub struct Loaded<'s> {
    pub root: Root<'s>,
    pub census: Census,
}

struct Loader<'l, 's> {
    secret_keys: &'l [String],
    taint: bool,
    numbers: &'s Pool<Number>,
    interned: HashSet<Ref<str>>,
    labels: Option<Labels>,
    /// The keys of a document with labels, each once.
    keys: Vec<Ref<str>>,
    needles: &'l mut Needles,
    census: Census,
}

/// Loads a document. Adds the strings below secret keys to `needles`, and taints them if `taint`.
pub fn load<'s>(
    reader: impl Read,
    secret_keys: &[String],
    taint: bool,
    labels: Option<Labels>,
    numbers: &'s Pool<Number>,
    needles: &mut Needles,
) -> Result<Loaded<'s>, serde_json::Error> {
    let census = Census::default();
    let mut loader = Loader {
        secret_keys,
        taint,
        numbers,
        interned: HashSet::new(),
        labels,
        keys: Vec::new(),
        needles,
        census,
    };
    let container = Container::new(Shape::Document, false);
    let tree = match loader.labels {
        Some(_) => Tree::try_new_in(container, Named(c"document", Heap)),
        None => Tree::try_new(container),
    };
    let tree = tree.map_err(serde_json::Error::custom)?;
    loader.count_container();

    let mut counted = Counted { reader, bytes: 0 };
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, &mut counted));
    let name = loader.labels.as_ref().map(|labels| labels.document);
    let seed = Seed { loader: &mut loader, parent: tree.node(), name, secret: false };
    let slot = seed.deserialize(&mut json)?;
    json.end()?;
    drop(json);
    loader.census.document = counted.bytes;
    for key in loader.keys {
        tree.node().try_adopt(key).map_err(|refused| serde_json::Error::custom(refused.error()))?;
    }
    Container::fill(tree.node(), Vec::new(), vec![slot]);
    Ok(Loaded { root: tree.into(), census: loader.census })
}

/// The names of values in a report: the key of a value, or for the elements of an array the name of the array and `[]`. Names are never
/// freed, so each is made once.
pub struct Labels {
    /// The name of the top value.
    document: &'static CStr,
    known: HashMap<String, &'static CStr>,
}

impl Labels {
    pub fn new(document: &str) -> Labels {
        let mut labels = Labels { document: c"", known: HashMap::new() };
        labels.document = labels.label(document);
        labels
    }

    fn label(&mut self, key: &str) -> &'static CStr {
        if let Some(label) = self.known.get(key) {
            return label;
        }
        let label = Box::leak(CString::new(key.replace('\0', "")).unwrap_or_default().into_boxed_c_str());
        self.known.insert(key.to_owned(), label);
        label
    }

    fn label_inside(&mut self, array: &CStr) -> &'static CStr {
        self.label(&format!("{}[]", array.to_string_lossy()))
    }
}

struct Counted<R> {
    reader: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

impl<'s> Loader<'_, 's> {
    fn count_container(&mut self) {
        // The header, and the destructor that frees the container's lists.
        self.census.count(Kind::Tree, size_of::<Container<'_>>(), 64 + 16);
    }

    /// A reference to the one cell with this text. Its name in a report is that of its first occurrence.
    fn text<E: Error>(
        &mut self,
        text: &str,
        name: Option<&'static CStr>,
        secret: bool,
    ) -> Result<Ref<str>, E> {
        self.census.strings += 1;
        self.census.string_bytes += text.len();
        let cell = match self.interned.get(text) {
            Some(cell) => cell.clone(),
            None => {
                let cell = match name {
                    Some(name) => Ref::try_copy_str_in(text, Named(name, Heap)),
                    None => Ref::try_copy_str_in(text, Heap),
                };
                let cell = cell.map_err(E::custom)?;
                self.census.count(Kind::Ref, text.len(), 32);
                self.interned.insert(cell.clone());
                cell
            }
        };
        if secret {
            self.needles.add(text);
            if self.taint {
                Ref::taint(&cell);
            }
        }
        Ok(cell)
    }

    fn number<E: Error>(&mut self, number: Number, secret: bool) -> Result<Slot<'s>, E> {
        let mut ptr = Ptr::from(self.numbers.try_alloc(number).map_err(E::custom)?);
        self.census.count(Kind::Pool, size_of::<Number>(), 16);
        if secret && self.taint {
            ptr.taint();
        }
        Ok(Slot::Number(ptr))
    }

    fn container<'t, E: Error>(
        &mut self,
        parent: NodeRef<'t, 's>,
        name: Option<&'static CStr>,
        shape: Shape,
        secret: bool,
    ) -> Result<NodeRef<'t, 's>, E> {
        let container = Container::new(shape, secret);
        let node = match name {
            Some(name) => Named(name, parent).try_push(container),
            None => parent.try_push(container),
        };
        let node = node.map_err(|refused| E::custom(refused.error()))?;
        self.count_container();
        if secret && self.taint {
            node.taint();
        }
        Ok(node)
    }
}

/// Loads a value below a parent and returns the slot for the parent.
struct Seed<'l, 'n, 't, 's> {
    loader: &'l mut Loader<'n, 's>,
    parent: NodeRef<'t, 's>,
    /// Its name in a report.
    name: Option<&'static CStr>,
    secret: bool,
}

impl<'de, 's> DeserializeSeed<'de> for Seed<'_, '_, '_, 's> {
    type Value = Slot<'s>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Slot<'s>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, 's> Visitor<'de> for Seed<'_, '_, '_, 's> {
    type Value = Slot<'s>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Slot<'s>, E> {
        Ok(Slot::Null(Ptr::from(&NULL)))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Slot<'s>, E> {
        Ok(Slot::Bool(Ptr::from(if value { &TRUE } else { &FALSE })))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Slot<'s>, E> {
        self.loader.number(Number::Unsigned(value), self.secret)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Slot<'s>, E> {
        self.loader.number(Number::Signed(value), self.secret)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Slot<'s>, E> {
        self.loader.number(Number::Float(value), self.secret)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Slot<'s>, E> {
        let cell = self.loader.text(text, self.name, self.secret)?;
        if self.loader.labels.is_some() {
            // A report lists the nodes of the tree and their adopted objects, not the references inside values. So each container
            // adopts a reference to each of its strings.
            self.parent.try_adopt(cell.clone()).map_err(|refused| E::custom(refused.error()))?;
        }
        Ok(Slot::Text(cell.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Slot<'s>, A::Error> {
        let Seed { loader, parent, name, secret } = self;
        let node = loader.container(parent, name, Shape::Array, secret)?;
        let mut slots = Vec::new();
        let name = loader.labels.as_mut().zip(name).map(|(labels, name)| labels.label_inside(name));
        while let Some(slot) =
            elements.next_element_seed(Seed { loader: &mut *loader, parent: node, name, secret })?
        {
            slots.push(slot);
        }
        Container::fill(node, Vec::new(), slots);
        Ok(Slot::Child)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Slot<'s>, A::Error> {
        let Seed { loader, parent, name, secret } = self;
        let node = loader.container(parent, name, Shape::Object, secret)?;
        let (mut keys, mut slots) = (Vec::new(), Vec::new());
        while let Some((key, secret_below)) = members.next_key_seed(Key { loader: &mut *loader, secret })? {
            let name = loader.labels.as_mut().map(|labels| labels.label(&key));
            keys.push(key);
            slots.push(members.next_value_seed(Seed {
                loader: &mut *loader,
                parent: node,
                name,
                secret: secret_below,
            })?);
        }
        Container::fill(node, keys, slots);
        Ok(Slot::Child)
    }
}

/// Loads a key. Returns it, and true if its value is secret.
struct Key<'l, 'n, 's> {
    loader: &'l mut Loader<'n, 's>,
    secret: bool,
}

impl<'de, 's> DeserializeSeed<'de> for Key<'_, '_, 's> {
    type Value = (Ptr<'s, str>, bool);

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de, 's> Visitor<'de> for Key<'_, '_, 's> {
    type Value = (Ptr<'s, str>, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        let named = self.loader.secret_keys.iter().any(|secret| secret == key);
        let name = self.loader.labels.as_ref().map(|_| c"key");
        let known = self.loader.interned.len();
        let cell = self.loader.text(key, name, self.secret)?;
        if name.is_some() && self.loader.interned.len() > known {
            // For a report the root adopts each key once.
            self.loader.keys.push(cell.clone());
        }
        Ok((cell.into(), self.secret || named))
    }
}
