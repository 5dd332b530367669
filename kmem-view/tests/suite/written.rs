//! Snapshots as kmem writes them, for tests to read.

use std::collections::BTreeMap;
use std::fmt::Write;

use kmem_view::{Cell, Snapshot};

/// The example of the README.
pub const EXAMPLE: &str = r#"{"kmem":1,"cells":[
{"depth":0,"kind":"tree","name":"request","at":"0x55d0c0ffee40","size":24,"block":104},
{"depth":1,"kind":"ref","name":"config","at":"0x55d0c0ffef00","size":64,"block":200,"source":"pool","tainted":true,"adopted":true,"holder":88,"refs":3},
{"depth":1,"kind":"store","name":"lines","at":"0x55d0c0fff000","size":224,"block":4096,"source":"tree","cell":32,"cells":100,"live":7,"peak":9},
{"depth":1,"kind":"tree","at":"0x55d0c0fff400","size":8,"block":72,"below":{"cells":12,"size":960,"block":2000}}
],"total":{"cells":16,"size":1280,"block":6472}}
"#;

/// A snapshot under construction, cell by cell.
#[derive(Default)]
pub struct Written {
    cells: String,
    count: u64,
    size: u64,
    block: u64,
}

impl Written {
    /// Adds a cell. `more` has further fields as JSON: `"tainted":true`.
    pub fn cell(&mut self, depth: u32, kind: &str, name: Option<&str>, size: u64, more: &str) -> &mut Self {
        let block = size + 80;
        let name = name.map(|name| format!(",\"name\":{}", serde_json::to_string(name).expect("JSON")));
        let separator = if self.count == 0 { "" } else { ",\n" };
        let more = if more.is_empty() { String::new() } else { format!(",{more}") };
        write!(
            self.cells,
            "{separator}{{\"depth\":{depth},\"kind\":\"{kind}\"{},\"at\":\"{:#x}\",\"size\":{size},\"block\":{block}{more}}}",
            name.unwrap_or_default(),
            0x1000 + self.count * 16,
        )
        .expect("text");
        self.count += 1;
        self.size += size;
        self.block += block;
        self
    }

    /// Adds a holder of a counted cell. Holders with the same number hold the same cell.
    pub fn held(&mut self, depth: u32, name: &str, size: u64, which: u64) -> &mut Self {
        let (block, refs) = (size + 80, 9);
        let separator = if self.count == 0 { "" } else { ",\n" };
        write!(
            self.cells,
            "{separator}{{\"depth\":{depth},\"kind\":\"ref\",\"name\":\"{name}\",\"at\":\"0xaa{which}0\",\"size\":{size},\
             \"block\":{block},\"adopted\":true,\"holder\":30,\"refs\":{refs}}}"
        )
        .expect("text");
        self.count += 1;
        self.size += size;
        self.block += block;
        self
    }

    pub fn tree(&mut self, depth: u32, name: &str, size: u64) -> &mut Self {
        self.cell(depth, "tree", Some(name), size, "")
    }

    pub fn json(&self) -> String {
        let Written { cells, count, size, block } = self;
        format!(
            "{{\"kmem\":1,\"cells\":[\n{cells}\n],\"total\":{{\"cells\":{count},\"size\":{size},\"block\":{block}}}}}\n"
        )
    }

    pub fn read(&self) -> Snapshot {
        Snapshot::read(self.json().as_bytes()).expect("a snapshot")
    }
}

pub fn example() -> Snapshot {
    Snapshot::read(EXAMPLE.as_bytes()).expect("a snapshot")
}

/// Pseudo-random kinds, names and depths.
pub fn mixed(count: u32, seed: u64) -> Snapshot {
    let mut state = seed;
    let mut lot = |of: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % of
    };
    let mut written = Written::default();
    written.tree(0, "root", 1);
    let mut depth = 1;
    for _ in 1..count {
        let name = format!("name {}", lot(12));
        let name = (lot(5) > 0).then_some(name.as_str());
        let tainted = if lot(9) == 0 { "\"tainted\":true" } else { "\"tainted\":false" };
        match lot(4) {
            0 => {
                let (source, refs) = (["heap", "pool", "source"][lot(3) as usize], lot(5) + 1);
                let more = format!("{tainted},\"adopted\":true,\"refs\":{refs},\"source\":\"{source}\"");
                if lot(3) == 0 {
                    // The same cell always has the same size.
                    let which = lot(8);
                    written.held(depth, &format!("shared {which}"), 1000 * which, which);
                } else {
                    written.cell(depth, "ref", name, lot(3000), &more);
                }
                depth = 1 + lot(u64::from(depth)) as u32;
            }
            1 => {
                let live = lot(50);
                let more = format!("\"source\":\"tree\",\"cell\":8,\"cells\":50,\"live\":{live},\"peak\":50");
                written.cell(depth, "store", name, live * 8, &more);
                depth = 1 + lot(u64::from(depth)) as u32;
            }
            _ => {
                written.cell(depth, "tree", name, lot(900), tainted);
                depth = 1 + lot(u64::from(depth) + 1).min(12) as u32;
            }
        }
    }
    written.read()
}

/// The label of a cell in a drawing.
pub fn label(cell: &Cell) -> String {
    match &cell.name {
        None => cell.kind.name().to_owned(),
        Some(name) => format!("{} {}", cell.kind.name(), serde_json::to_string(name).expect("JSON")),
    }
}

/// The cells and bytes with headers of a path of labels, without and with its descendants.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sums {
    pub own_cells: u64,
    pub own_block: u64,
    pub all_cells: u64,
    pub all_block: u64,
}

/// The sums of each path, computed in the simplest way.
pub fn by_path(snapshot: &Snapshot) -> BTreeMap<Vec<String>, Sums> {
    let mut path: Vec<String> = Vec::new();
    let mut sums: BTreeMap<Vec<String>, Sums> = BTreeMap::new();
    for cell in snapshot.cells() {
        path.truncate(cell.depth as usize);
        path.push(label(cell));
        let own = sums.entry(path.clone()).or_default();
        let (cells, block) = if cell.again { (0, cell.holder) } else { (1, cell.block) };
        own.own_cells += cells;
        own.own_block += block;
        for end in 1..=path.len() {
            let all = sums.entry(path[..end].to_vec()).or_default();
            all.all_cells += cells;
            all.all_block += block;
        }
    }
    sums
}

/// The output of a writer, as text.
#[track_caller]
pub fn output(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("written");
    String::from_utf8(out).expect("text")
}
