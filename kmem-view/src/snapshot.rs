//! A snapshot as it was read, with all that its format promises checked.

use std::collections::HashSet;
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
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    cells: Vec<Cell>,
    total: Totals,
    again: Totals,
    label: Option<String>,
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
    /// The bytes of `block` that are those of the small node that holds it, where it is adopted.
    pub holder: u64,
    /// Whether it is held again: a counted cell that came before in the list, below another holder. The totals of the snapshot count it
    /// each time.
    pub again: bool,
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
#[non_exhaustive]
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
#[non_exhaustive]
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

    /// Puts snapshots beside each other, as the trees and pools of one program at one moment: the roots of all of them are roots, and
    /// a counted cell that several of them hold is one cell. Their labels are put one after the other.
    ///
    /// # Errors
    ///
    /// When a total of all of them does not fit into 64 bits.
    ///
    /// ```
    /// # use kmem_view::Snapshot;
    /// let one = |name| {
    ///     let cell = format!(r#"{{"depth":0,"kind":"tree","name":"{name}","at":"0x1000","size":24,"block":104}}"#);
    ///     Snapshot::read(format!(r#"{{"kmem":1,"cells":[{cell}],"total":{{"cells":1,"size":24,"block":104}}}}"#).as_bytes())
    /// };
    /// let both = Snapshot::join([one("server")?, one("client")?])?;
    /// assert_eq!((both.cells().len(), both.total().block), (2, 208));
    /// # Ok::<(), kmem_view::Error>(())
    /// ```
    pub fn join(snapshots: impl IntoIterator<Item = Snapshot>) -> Result<Snapshot, Error> {
        let mut snapshots = snapshots.into_iter();
        let mut joined = snapshots.next().unwrap_or_default();
        for mut snapshot in snapshots {
            joined.cells.append(&mut snapshot.cells);
            let (total, more) = (&mut joined.total, snapshot.total);
            total.cells = total.cells.saturating_add(more.cells);
            total.size = total.size.saturating_add(more.size);
            total.block = total.block.saturating_add(more.block);
            joined.label = match (joined.label, snapshot.label) {
                (Some(one), Some(other)) => Some(format!("{one}, {other}")),
                (one, other) => one.or(other),
            };
        }
        joined.check()
    }

    /// What a page calls it in its title and its heading: the name of its file, or what else tells it apart.
    ///
    /// ```
    /// # use kmem_view::Snapshot;
    /// # let json = r#"{"kmem":1,"cells":[],"total":{"cells":0,"size":0,"block":0}}"#;
    /// let mut page = Vec::new();
    /// Snapshot::read(json.as_bytes())?.labelled("at noon").html(&mut page, None)?;
    /// assert!(String::from_utf8(page)?.contains("<title>at noon: 0 bytes with headers in 0 cells</title>"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn labelled(self, label: impl Into<String>) -> Snapshot {
        Snapshot { label: Some(label.into()), ..self }
    }

    pub(crate) fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Sees that the totals are those of the cells, and which cells are held again.
    fn check(mut self) -> Result<Snapshot, Error> {
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
        let mut held = HashSet::new();
        self.again = Totals::default();
        for cell in self.cells.iter_mut().filter(|cell| cell.kind == Kind::Ref) {
            cell.again = !held.insert(cell.at);
            if cell.again {
                self.again += Totals { cells: 1, size: cell.size, block: cell.block - cell.holder };
            }
        }
        Ok(self)
    }

    /// The cells, each before what lies below it.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The sums over all cells, with those that were not listed. This is what kmem itself counts: a counted cell once for each
    /// holder.
    pub fn total(&self) -> Totals {
        self.total
    }

    /// What of the total is counted again: cells that came before, below another holder, without the bytes of that holder. The
    /// total without them is what there really is.
    ///
    /// ```
    /// # use kmem_view::Snapshot;
    /// let snapshot = Snapshot::read(
    ///     &br#"{"kmem":1,"cells":[
    ///     {"depth":0,"kind":"tree","at":"0x1000","size":24,"block":88},
    ///     {"depth":1,"kind":"ref","at":"0x2000","size":64,"block":184,"adopted":true,"holder":88,"refs":2},
    ///     {"depth":1,"kind":"ref","at":"0x2000","size":64,"block":184,"adopted":true,"holder":88,"refs":2}
    ///     ],"total":{"cells":3,"size":152,"block":456}}"#[..],
    /// )?;
    /// assert_eq!((snapshot.again().cells, snapshot.again().size, snapshot.again().block), (1, 64, 96));
    /// assert!(snapshot.cells()[2].again);
    /// # Ok::<(), kmem_view::Error>(())
    /// ```
    pub fn again(&self) -> Totals {
        self.again
    }

    /// What there really is.
    pub(crate) fn real(&self) -> Totals {
        let Snapshot { total, again, .. } = self;
        Totals {
            cells: total.cells - again.cells,
            size: total.size - again.size,
            block: total.block - again.block,
        }
    }

    /// The depth down to which it lists cells, where it was limited.
    pub(crate) fn limit(&self) -> Option<u32> {
        self.cells.iter().filter(|cell| cell.below.is_some()).map(|cell| cell.depth).min()
    }
}

impl Cell {
    /// Itself as a sum of one, without what lies below it, as kmem counts it.
    pub(crate) fn totals(&self) -> Totals {
        Totals { cells: 1, size: self.size, block: self.block }
    }

    /// What it adds to what there really is: where it is held again, nothing but its holder.
    pub(crate) fn real(&self) -> Totals {
        if self.again { Totals { cells: 0, size: 0, block: self.holder } } else { self.totals() }
    }
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Totals) {
        self.cells += other.cells;
        self.size += other.size;
        self.block += other.block;
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
    holder: Option<u64>,
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
        if self.holder.is_some() && !self.adopted {
            return Err(E::custom("`holder` of a cell that is not adopted"));
        }
        let holder = self.holder.unwrap_or(0);
        if holder > self.block {
            return Err(E::custom("a `holder` of more bytes than its `block`"));
        }
        let Line { depth, kind, name, at, size, block, source, tainted, adopted, refs, below, .. } = self;
        // Whether it is held again is told by the cells before it, once all are there.
        let again = false;
        Ok(Cell {
            depth,
            kind,
            name,
            at,
            size,
            block,
            source,
            tainted,
            adopted,
            holder,
            again,
            refs,
            store,
            below,
        })
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
            ..Snapshot::default()
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
