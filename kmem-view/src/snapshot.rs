//! A snapshot as it was read, with all that its format promises checked.

use std::fmt;
use std::io::{self, BufReader, Read};

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::Error;

/// What a tree or a pool held at one moment.
///
/// ```
/// use kmem_view::{Kind, Snapshot};
///
/// let snapshot = Snapshot::read(
///     &br#"{"kmem":1,"cells":[
///     {"depth":0,"kind":"tree","name":"request","at":"0x1000","size":24,"block":104},
///     {"depth":1,"kind":"ref","at":"0x2000","size":64,"block":200,"adopted":true,"refs":3}
///     ],"total":{"cells":2,"size":88,"block":304}}"#[..],
/// )?;
/// assert_eq!(snapshot.cells()[0].name.as_deref(), Some("request"));
/// assert_eq!(snapshot.cells()[1].kind, Kind::Ref);
/// assert_eq!(snapshot.total().block, 304);
/// # Ok::<(), kmem_view::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Snapshot {
    cells: Vec<Cell>,
    total: Totals,
}

/// One cell of a snapshot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cell {
    /// How many cells lie above it: 0 for a root.
    pub depth: u32,
    /// What it is.
    pub kind: Kind,
    /// The name that the program gave it.
    pub name: Option<Box<str>>,
    /// The address of its data.
    pub at: u64,
    /// Bytes of data. Of a store, those of its live cells.
    pub size: u64,
    /// All bytes drawn from sources for it: headers, alignment and slots too.
    pub block: u64,
    /// Where its block was drawn.
    pub source: Source,
    /// Whether its bytes are zeroed when it goes.
    pub tainted: bool,
    /// Whether it is an object that a node adopted.
    pub adopted: bool,
    /// How many references there are to it, where it is counted.
    pub refs: Option<u64>,
    /// How full it is, where it is a store.
    pub store: Option<Box<Store>>,
    /// The sums of what lies below it and was not listed, where the snapshot was limited in depth.
    pub below: Option<Box<Totals>>,
}

/// How full a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Store {
    /// Bytes of one cell.
    pub cell: u64,
    /// How many cells it has.
    pub cells: u64,
    /// How many of them are in use.
    pub live: u64,
    /// The most that were ever in use at once.
    pub peak: u64,
}

/// Sums over cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Totals {
    /// How many cells there are.
    pub cells: u64,
    /// Bytes of data.
    pub size: u64,
    /// Bytes with headers.
    pub block: u64,
}

/// What a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A node of a tree.
    Tree,
    /// A heap cell.
    Heap,
    /// A reference-counted cell.
    Ref,
    /// One cell of a pool.
    Pool,
    /// A static object, which is never freed.
    None,
    /// A whole pool.
    Store,
}

/// Where a block was drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The heap.
    #[default]
    Heap,
    /// A pool.
    Pool,
    /// An allocator of the program's own.
    Source,
    /// A node of a tree.
    Tree,
    /// A buffer.
    Buffer,
}

impl Kind {
    /// Its name, as the format has it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Tree => "tree",
            Kind::Heap => "heap",
            Kind::Ref => "ref",
            Kind::Pool => "pool",
            Kind::None => "none",
            Kind::Store => "store",
        }
    }
}

impl Source {
    /// Its name, as the format has it.
    pub fn name(self) -> &'static str {
        match self {
            Source::Heap => "heap",
            Source::Pool => "pool",
            Source::Source => "source",
            Source::Tree => "tree",
            Source::Buffer => "buffer",
        }
    }
}

impl Snapshot {
    /// Reads a snapshot and checks that it holds what its format promises. The reader need not be buffered.
    ///
    /// # Errors
    ///
    /// When the bytes cannot be read, are no JSON or not that of a snapshot, or are of another version; when a depth jumps by more
    /// than one, or the totals do not agree with the cells.
    ///
    /// ```
    /// # use kmem_view::Snapshot;
    /// let error = Snapshot::read(&b"a core dump"[..]).unwrap_err();
    /// assert_eq!(error.to_string(), "this is no snapshot: expected value at line 1 column 1");
    /// ```
    pub fn read(reader: impl Read) -> Result<Snapshot, Error> {
        let mut version = None;
        let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, reader));
        let read = Versioned { version: &mut version }
            .deserialize(&mut json)
            .and_then(|snapshot| json.end().map(|()| snapshot));
        match (read, version) {
            (_, Some(version)) if version != 1 => Err(Error::Version(version)),
            (Ok(snapshot), _) => snapshot.check(),
            (Err(error), _) if error.is_io() => Err(Error::Read(io::Error::from(error))),
            (Err(error), _) => Err(Error::Format(error.to_string())),
        }
    }

    fn check(self) -> Result<Snapshot, Error> {
        let mut most = 0;
        for (index, cell) in self.cells.iter().enumerate() {
            if cell.depth > most {
                return Err(Error::Depth { cell: index, depth: cell.depth, most });
            }
            most = cell.depth.saturating_add(1);
        }
        // That each sum fits into 64 bits is why no sum over some of the cells can overflow later.
        type Part = fn(&Totals) -> u64;
        let parts: [(_, Part); 3] =
            [("cells", |sums| sums.cells), ("size", |sums| sums.size), ("block", |sums| sums.block)];
        for (what, part) in parts {
            let given = part(&self.total);
            let below = |cell: &Cell| cell.below.as_deref().map_or(0, part);
            let summed = self
                .cells
                .iter()
                .try_fold(0u64, |sum, cell| sum.checked_add(part(&cell.totals()))?.checked_add(below(cell)));
            if summed != Some(given) {
                return Err(Error::Total { what, given, summed });
            }
        }
        Ok(self)
    }

    /// The cells, each before what lies below it.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The sums over all cells, with those that were not listed.
    pub fn total(&self) -> Totals {
        self.total
    }
}

impl Cell {
    /// Itself as a sum of one, without what lies below it.
    pub(crate) fn totals(&self) -> Totals {
        Totals { cells: 1, size: self.size, block: self.block }
    }
}

/// One element of `cells`, as it is written.
#[derive(Deserialize)]
struct Line {
    depth: u32,
    kind: Kind,
    name: Option<Box<str>>,
    #[serde(deserialize_with = "address")]
    at: u64,
    size: u64,
    block: u64,
    #[serde(default)]
    source: Source,
    #[serde(default)]
    tainted: bool,
    #[serde(default)]
    adopted: bool,
    refs: Option<u64>,
    cell: Option<u64>,
    cells: Option<u64>,
    live: Option<u64>,
    peak: Option<u64>,
    below: Option<Box<Totals>>,
}

impl Line {
    fn into_cell<E: de::Error>(self) -> Result<Cell, E> {
        let store = match (self.kind, self.cell, self.cells, self.live, self.peak) {
            (Kind::Store, Some(cell), Some(cells), Some(live), Some(peak)) => {
                Some(Box::new(Store { cell, cells, live, peak }))
            }
            (Kind::Store, ..) => return Err(E::custom("a store without `cell`, `cells`, `live` or `peak`")),
            (_, None, None, None, None) => None,
            _ => return Err(E::custom("`cell`, `cells`, `live` or `peak` of a cell that is no store")),
        };
        if self.refs.is_some() && self.kind != Kind::Ref {
            return Err(E::custom("`refs` of a cell that is not counted"));
        }
        let Line { depth, kind, name, at, size, block, source, tainted, adopted, refs, below, .. } = self;
        Ok(Cell { depth, kind, name, at, size, block, source, tainted, adopted, refs, store, below })
    }
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let text = String::deserialize(from)?;
    text.strip_prefix("0x")
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| de::Error::invalid_value(de::Unexpected::Str(&text), &"a hexadecimal address"))
}

/// Reads a snapshot and leaves its version even where the rest cannot be read, so that this can be said instead of what
/// a later version spells differently.
struct Versioned<'v> {
    version: &'v mut Option<u64>,
}

impl<'de> DeserializeSeed<'de> for Versioned<'_> {
    type Value = Snapshot;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Snapshot, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Versioned<'_> {
    type Value = Snapshot;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a snapshot")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Snapshot, M::Error> {
        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "lowercase")]
        enum Field {
            Kmem,
            Cells,
            Total,
            #[serde(other)]
            Unknown,
        }
        let (mut cells, mut total) = (None, None);
        while let Some(field) = map.next_key()? {
            match field {
                Field::Kmem if self.version.is_some() => return Err(de::Error::duplicate_field("kmem")),
                Field::Kmem => {
                    let version = map.next_value()?;
                    *self.version = Some(version);
                    if version != 1 {
                        return Err(de::Error::custom("another version"));
                    }
                }
                Field::Cells if cells.is_some() => return Err(de::Error::duplicate_field("cells")),
                Field::Cells => cells = Some(map.next_value_seed(Cells)?),
                Field::Total if total.is_some() => return Err(de::Error::duplicate_field("total")),
                Field::Total => total = Some(map.next_value()?),
                Field::Unknown => drop(map.next_value::<de::IgnoredAny>()?),
            }
        }
        if self.version.is_none() {
            return Err(de::Error::missing_field("kmem"));
        }
        Ok(Snapshot {
            cells: cells.ok_or_else(|| de::Error::missing_field("cells"))?,
            total: total.ok_or_else(|| de::Error::missing_field("total"))?,
        })
    }
}

struct Cells;

impl<'de> DeserializeSeed<'de> for Cells {
    type Value = Vec<Cell>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<Cell>, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Cells {
    type Value = Vec<Cell>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of cells")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Vec<Cell>, S::Error> {
        let mut cells = Vec::new();
        while let Some(line) = seq.next_element::<Line>()? {
            cells.push(line.into_cell()?);
        }
        Ok(cells)
    }
}
