//! Parses JSON directly into the document's tree.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fmt;
use std::hash::Hash;
use std::io::{BufReader, Read};

use kmem::{AllocError, Heap, Named, Pool, Ref};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::scan::Needles;
use crate::values::{Document, Parent, Part, Place, Store, Value, View, reserve};

/// The options of a load.
pub struct Options<'o> {
    /// The keys whose values are secret.
    pub secret_keys: &'o [String],
    /// True if secrets are tainted.
    pub taint: bool,
    /// The names of values, if there will be a report.
    pub labels: Option<Labels>,
    /// The bytes that are left, if there is a limit.
    pub left: &'o dyn Fn() -> Option<usize>,
}

/// The counts of a load.
#[derive(Default)]
pub struct Census {
    /// Bytes of JSON.
    pub document: u64,
    /// Strings, and members of objects.
    pub strings: usize,
    pub members: usize,
    /// Bytes of all keys.
    pub key_bytes: usize,
}

/// Cells that are found by their contents.
struct Interned<T: ?Sized> {
    cells: Vec<Ref<T>>,
    known: HashMap<Ref<T>, u32>,
    /// The cell that was found after this one the last time. The first is that at the beginning.
    next: Vec<u32>,
}

impl<T: ?Sized + Eq + Hash> Interned<T>
where
    Ref<T>: Borrow<T>,
{
    fn new() -> Self {
        Interned { cells: Vec::new(), known: HashMap::new(), next: vec![0] }
    }

    /// Returns the number of the cell with these contents, and true if `make` made it now. `before` is a hint: 0, or one more than the
    /// number that was found before.
    fn find(
        &mut self,
        before: usize,
        contents: &T,
        make: impl FnOnce() -> Result<Ref<T>, AllocError>,
    ) -> Result<(u32, bool), AllocError> {
        let guess = self.next[before];
        if self.cells.get(guess as usize).is_some_and(|cell| **cell == *contents) {
            return Ok((guess, false));
        }
        let known = self.known.get(contents).copied();
        let number = match known {
            Some(number) => number,
            None => {
                let number = u32::try_from(self.cells.len()).map_err(|_| AllocError::Overflow)?;
                let cell = make()?;
                reserve(&mut self.cells, 1)?;
                reserve(&mut self.next, 1)?;
                let size = size_of::<(Ref<T>, u32)>();
                self.known.try_reserve(1).map_err(|_| AllocError::Exhausted { size })?;
                self.known.insert(cell.clone(), number);
                self.cells.push(cell);
                self.next.push(0);
                number
            }
        };
        self.next[before] = number;
        Ok((number, known.is_none()))
    }
}

struct Loader<'l, 't, 's> {
    options: Options<'l>,
    root: Parent<'t, 's>,
    values: Store<'t, Value>,
    text: Store<'t, u8>,
    secrets: Store<'t, u8>,
    numbers: &'s Pool<Value>,
    secret_numbers: Vec<kmem::PoolBox<'s, Value>>,
    keys: Interned<str>,
    lists: Interned<[u32]>,
    /// The values of the containers that are being read, and the keys of the objects.
    open: Vec<Value>,
    open_keys: Vec<u32>,
    needles: &'l mut Needles,
    /// The bytes of JSON that were read when the last value was found.
    progress: &'l std::cell::Cell<u64>,
    read: &'l std::cell::Cell<u64>,
    census: Census,
}

/// Loads a document into a new tree. Adds the strings below secret keys to `needles`.
pub fn load<'t, 's>(
    reader: impl Read,
    options: Options<'_>,
    root: Parent<'t, 's>,
    numbers: &'s Pool<Value>,
    needles: &mut Needles,
) -> Result<(View<'t, 's>, Census), serde_json::Error> {
    let (read, progress) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let counted = Counted { reader, left: options.left, read: &read, progress: &progress };
    let mut loader = Loader {
        root,
        values: Store::new(false),
        text: Store::new(false),
        secrets: Store::new(options.taint),
        numbers,
        secret_numbers: Vec::new(),
        keys: Interned::new(),
        lists: Interned::new(),
        open: Vec::new(),
        open_keys: Vec::new(),
        needles,
        progress: &progress,
        read: &read,
        census: Census::default(),
        options,
    };
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, counted));
    let name = loader.options.labels.as_ref().map(|labels| labels.document);
    let seed = Seed { loader: &mut loader, parent: root, name, secret: false };
    let top = seed.deserialize(&mut json)?;
    json.end()?;
    drop(json);
    loader.census.document = read.get();
    let census = std::mem::take(&mut loader.census);
    let view = loader.finish(top).map_err(serde_json::Error::custom)?;
    Ok((view, census))
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

/// A reader that counts bytes. It fails if the parser, which has one string in a buffer of its own, may soon be refused memory: the
/// parser would end the program.
struct Counted<'c, R> {
    reader: R,
    left: &'c dyn Fn() -> Option<usize>,
    read: &'c std::cell::Cell<u64>,
    progress: &'c std::cell::Cell<u64>,
}

/// Bytes of a limit that the parser may need for a short string, and the program to report an error.
const RESERVE: usize = 512 << 10;

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let string = (self.read.get() - self.progress.get()) as usize;
        if (self.left)().is_some_and(|left| left / 2 < string + RESERVE / 2) {
            return Err(std::io::ErrorKind::OutOfMemory.into());
        }
        let read = self.reader.read(buffer)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}

impl<'t, 's> Loader<'_, 't, 's> {
    #[inline]
    fn text(
        &mut self,
        text: &str,
        parent: Parent<'t, 's>,
        name: Option<&'static CStr>,
        secret: bool,
    ) -> Result<Value, AllocError> {
        self.census.strings += 1;
        if secret {
            self.needles.add(text);
            return Ok(Value::SecretText(self.secrets.put(text.as_bytes(), parent, name)?));
        }
        if text.len() <= Value::SHORT && name.is_none() {
            let mut bytes = [0; Value::SHORT];
            bytes[..text.len()].copy_from_slice(text.as_bytes());
            return Ok(Value::Short(text.len() as u8, bytes));
        }
        Ok(Value::Text(self.text.put(text.as_bytes(), parent, name)?))
    }

    #[inline]
    fn number(&mut self, number: Value, secret: bool) -> Result<Value, AllocError> {
        if !secret {
            return Ok(number);
        }
        let place = u32::try_from(self.secret_numbers.len()).map_err(|_| AllocError::Overflow)?;
        reserve(&mut self.secret_numbers, 1)?;
        self.secret_numbers.push(self.numbers.try_alloc(number).map_err(|refused| refused.error())?);
        Ok(Value::Secret(place))
    }

    /// The node of a container: one of its own if it has a name.
    fn node(
        &self,
        parent: Parent<'t, 's>,
        name: Option<&'static CStr>,
    ) -> Result<Parent<'t, 's>, AllocError> {
        match name {
            Some(name) => Named(name, parent).try_push(Part::Container).map_err(|refused| refused.error()),
            None => Ok(parent),
        }
    }

    #[inline]
    fn open(&mut self, value: Value) -> Result<(), AllocError> {
        self.progress.set(self.read.get());
        reserve(&mut self.open, 1)?;
        self.open.push(value);
        Ok(())
    }

    /// Moves the values behind `from` into the tree.
    fn close(
        &mut self,
        from: usize,
        node: Parent<'t, 's>,
        name: Option<&'static CStr>,
    ) -> Result<Place, AllocError> {
        let place = self.values.put(&self.open[from..], node, name)?;
        self.open.truncate(from);
        Ok(place)
    }

    fn key(&mut self, before: usize, key: &str, secret: bool) -> Result<u32, AllocError> {
        self.census.members += 1;
        self.census.key_bytes += key.len();
        let label = self.options.labels.is_some();
        let (number, is_new) = self.keys.find(before, key, || match label {
            true => Ref::try_copy_str_in(key, Named(c"key", Heap)),
            false => Ref::try_copy_str_in(key, Heap),
        })?;
        let cell = &self.keys.cells[number as usize];
        if is_new && label {
            // A report lists the objects that the nodes own.
            self.root.try_adopt(cell.clone()).map_err(|refused| refused.error())?;
        }
        if secret {
            self.needles.add(key);
            if self.options.taint {
                Ref::taint(cell);
            }
        }
        reserve(&mut self.open_keys, 1)?;
        self.open_keys.push(number);
        Ok(number)
    }

    fn list(&mut self, from: usize) -> Result<u32, AllocError> {
        let keys = &self.open_keys[from..];
        // Objects with the same first key probably have the same keys.
        let before = keys.first().map_or(0, |&first| first as usize + 1);
        while self.lists.next.len() <= before {
            reserve(&mut self.lists.next, 1)?;
            self.lists.next.push(0);
        }
        let (list, _) = self.lists.find(before, keys, || Ref::try_copy_in(keys, Heap))?;
        self.open_keys.truncate(from);
        Ok(list)
    }

    fn finish(self, top: Value) -> Result<View<'t, 's>, AllocError> {
        let document =
            Document { keys: self.keys.cells, lists: self.lists.cells, numbers: self.secret_numbers };
        let root = self.root;
        let Part::Root(place) = root.get() else { return Err(AllocError::Misused) };
        Ok(View {
            top,
            values: self.values.finish(root)?,
            text: self.text.finish(root)?,
            secrets: self.secrets.finish(root)?,
            document: place.get_or_init(|| document),
        })
    }
}

/// Loads a value below a parent.
struct Seed<'a, 'l, 't, 's> {
    loader: &'a mut Loader<'l, 't, 's>,
    parent: Parent<'t, 's>,
    /// Its name in a report.
    name: Option<&'static CStr>,
    secret: bool,
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_, '_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_, '_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.loader.number(Value::Unsigned(value), self.secret).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.loader.number(Value::Signed(value), self.secret).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.loader.number(Value::Float(value), self.secret).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.loader.text(text, self.parent, self.name, self.secret).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let Seed { loader, parent, name, secret } = self;
        let node = loader.node(parent, name).map_err(A::Error::custom)?;
        let inside = loader.options.labels.as_mut().zip(name).map(|(labels, name)| labels.label_inside(name));
        let from = loader.open.len();
        while let Some(value) =
            elements.next_element_seed(Seed { loader: &mut *loader, parent: node, name: inside, secret })?
        {
            loader.open(value).map_err(A::Error::custom)?;
        }
        loader.close(from, node, name).map(Value::Array).map_err(A::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let Seed { loader, parent, name, secret } = self;
        let node = loader.node(parent, name).map_err(A::Error::custom)?;
        let (from, from_key) = (loader.open.len(), loader.open_keys.len());
        let mut before = 0;
        while let Some((key, secret)) = members.next_key_seed(Key { loader: &mut *loader, before, secret })? {
            before = key as usize + 1;
            let name = match &mut loader.options.labels {
                Some(labels) => Some(labels.label(&loader.keys.cells[key as usize])),
                None => None,
            };
            let value = members.next_value_seed(Seed { loader: &mut *loader, parent: node, name, secret })?;
            loader.open(value).map_err(A::Error::custom)?;
        }
        let Place { node, at, .. } = loader.close(from, node, name).map_err(A::Error::custom)?;
        let list = loader.list(from_key).map_err(A::Error::custom)?;
        Ok(Value::Object { list, node, at })
    }
}

/// Loads a key. Returns its number, and true if its value is secret.
struct Key<'a, 'l, 't, 's> {
    loader: &'a mut Loader<'l, 't, 's>,
    before: usize,
    secret: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_, '_, '_> {
    type Value = (u32, bool);

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key<'_, '_, '_, '_> {
    type Value = (u32, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        let named = self.loader.options.secret_keys.iter().any(|secret| secret == key);
        let number = self.loader.key(self.before, key, self.secret).map_err(E::custom)?;
        Ok((number, self.secret || named))
    }
}
