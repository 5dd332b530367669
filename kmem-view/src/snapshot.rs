//! A snapshot, read and checked.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, BufReader, Read};

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::Error;

/// The contents of a tree, a pool or an arena at one moment.
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
    /// The number of its ancestors: 0 for a root.
    pub depth: u32,
    /// The kind of object.
    pub kind: Kind,
    /// The name that the program gave it.
    pub name: Option<Box<str>>,
    /// The address of its data.
    pub at: u64,
    /// Bytes of data. For a pool, the bytes of its live cells; for an arena, the bytes in use.
    pub size: u64,
    /// All bytes allocated for it: data, header, alignment, destructor and name.
    pub block: u64,
    /// The source that its block was allocated from.
    pub source: Source,
    /// True if its bytes are zeroed when it is freed.
    pub tainted: bool,
    /// True if a node adopted it.
    pub adopted: bool,
    /// If it is adopted: the bytes of the small node that holds it. `block` includes them.
    pub holder: u64,
    /// True if it is held again: a reference-counted cell that was listed before, below another holder. The totals of the snapshot count
    /// it each time.
    pub again: bool,
    /// The number of references, if it is reference-counted.
    pub refs: Option<u64>,
    /// The use of its memory, if it is a store.
    pub store: Option<Store>,
    /// The sums over its descendants that are not listed, if the depth of the snapshot was limited.
    pub below: Option<Box<Totals>>,
}

/// The use of a store's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Store {
    /// A pool.
    Pool(Box<PoolUse>),
    /// An arena.
    Arena(Box<ArenaUse>),
}

/// The use of an arena's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArenaUse {
    /// The number of its blocks.
    pub blocks: u64,
    /// The number of objects that have a destructor or are tainted.
    pub watched: u64,
}

/// The use of a pool's cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolUse {
    /// Bytes of one cell.
    pub cell: u64,
    /// The number of cells.
    pub cells: u64,
    /// The number of live cells.
    pub live: u64,
    /// The peak number of live cells.
    pub peak: u64,
}

/// Sums over cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Totals {
    /// The number of cells.
    pub cells: u64,
    /// Bytes of data.
    pub size: u64,
    /// Bytes with headers.
    pub block: u64,
}

/// The kind of a cell.
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
    /// A whole pool or arena.
    Store,
    /// An object of an arena.
    Arena,
}

/// The source of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Source {
    /// The heap.
    #[default]
    Heap,
    /// A pool.
    Pool,
    /// A user-defined allocator.
    Source,
    /// A node of a tree.
    Tree,
    /// A buffer.
    Buffer,
    /// An arena.
    Arena,
    /// A limit on the bytes of another source.
    Limit,
}

impl Kind {
    /// Its name in the format.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Tree => "tree",
            Kind::Heap => "heap",
            Kind::Ref => "ref",
            Kind::Pool => "pool",
            Kind::None => "none",
            Kind::Store => "store",
            Kind::Arena => "arena",
        }
    }
}

impl Source {
    /// Its name in the format.
    pub fn name(self) -> &'static str {
        match self {
            Source::Heap => "heap",
            Source::Pool => "pool",
            Source::Source => "source",
            Source::Tree => "tree",
            Source::Buffer => "buffer",
            Source::Arena => "arena",
            Source::Limit => "limit",
        }
    }
}

impl Snapshot {
    /// Reads a snapshot and checks it. The reader need not be buffered.
    ///
    /// # Errors
    ///
    /// - [`Error::Read`] if the reader fails
    /// - [`Error::Format`] if the bytes are not JSON, or not the JSON of a snapshot
    /// - [`Error::Version`] if the format has another version
    /// - [`Error::Depth`] if a cell is more than one level deeper than the cell before it
    /// - [`Error::Total`] if the totals are not the sums over the cells
    ///
    /// ```
    /// # use kmem_view::Snapshot;
    /// let error = Snapshot::read(&b"a core dump"[..]).unwrap_err();
    /// assert_eq!(error.to_string(), "this is not a snapshot: expected value at line 1 column 1");
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

    /// Joins the snapshots of several trees and pools of one program at one moment. The result has the roots of all of them. A
    /// reference-counted cell that several of them hold is one cell. The labels are joined with commas.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Total`] if a total of all of them does not fit into 64 bits.
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

    /// Sets the label, which a page shows in its title and heading. It could be the name of the file.
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

    /// Checks the depths and the totals, and finds the cells that are held again.
    fn check(mut self) -> Result<Snapshot, Error> {
        let mut most = 0;
        for (index, cell) in self.cells.iter().enumerate() {
            if cell.depth > most {
                return Err(Error::Depth { cell: index, depth: cell.depth, most });
            }
            most = cell.depth.saturating_add(1);
        }
        // Each sum fits into 64 bits, so no later sum over some of the cells can overflow.
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

    /// The cells, each before its descendants.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The sums over all cells, also those that are not listed, as kmem counts them: a reference-counted cell counts once for each
    /// holder.
    pub fn total(&self) -> Totals {
        self.total
    }

    /// The part of the total that counts again: cells that were listed before, below another holder, without the bytes of the holder. The
    /// total minus this part counts each cell once.
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

    /// The total, with each cell counted once.
    pub(crate) fn real(&self) -> Totals {
        let Snapshot { total, again, .. } = self;
        Totals {
            cells: total.cells - again.cells,
            size: total.size - again.size,
            block: total.block - again.block,
        }
    }

    /// The depth down to which it lists cells, if the depth was limited.
    pub(crate) fn limit(&self) -> Option<u32> {
        self.cells.iter().filter(|cell| cell.below.is_some()).map(|cell| cell.depth).min()
    }
}

impl Cell {
    /// The totals of this cell alone, as kmem counts it.
    pub(crate) fn totals(&self) -> Totals {
        Totals { cells: 1, size: self.size, block: self.block }
    }

    /// The totals of this cell, or only of its holder if the cell is held again.
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

/// One element of `cells` in the JSON.
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
    blocks: Option<u64>,
    watched: Option<u64>,
    below: Option<Box<Totals>>,
}

impl Line {
    fn into_cell<E: de::Error>(self) -> Result<Cell, E> {
        let pool = (self.cell, self.cells, self.live, self.peak);
        let store = match (self.kind, pool, self.blocks.zip(self.watched)) {
            (Kind::Store, (Some(cell), Some(cells), Some(live), Some(peak)), None) => {
                Some(Store::Pool(Box::new(PoolUse { cell, cells, live, peak })))
            }
            (Kind::Store, (None, None, None, None), Some((blocks, watched))) => {
                Some(Store::Arena(Box::new(ArenaUse { blocks, watched })))
            }
            (Kind::Store, ..) => {
                return Err(E::custom(
                    "a store without `cell`, `cells`, `live` or `peak`, and without `blocks` or `watched`",
                ));
            }
            (_, (None, None, None, None), None) => None,
            _ => {
                return Err(E::custom(
                    "`cell`, `cells`, `live`, `peak` or `blocks` of a cell that is not a store",
                ));
            }
        };
        if self.refs.is_some() && self.kind != Kind::Ref {
            return Err(E::custom("`refs` of a cell that is not of kind `ref`"));
        }
        if self.holder.is_some() && !self.adopted {
            return Err(E::custom("`holder` of a cell that is not adopted"));
        }
        let holder = self.holder.unwrap_or(0);
        if holder > self.block {
            return Err(E::custom("a `holder` that is larger than its `block`"));
        }
        let Line { depth, kind, name, at, size, block, source, tainted, adopted, refs, below, .. } = self;
        // `check` finds the cells that are held again.
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

/// Reads a snapshot. It sets the version even if the rest cannot be read, so that a later version is reported as such.
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
