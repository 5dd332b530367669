//! The text form, the same that kmem itself writes.

use std::io::{self, Write};

use crate::label::{Counted, Quoted};
use crate::{Cell, Snapshot, Source, Store, Totals};

/// The last level that is indented. Deeper levels are numbered.
const INDENTED: u32 = 32;

impl Snapshot {
    /// Writes the text form: a line for each cell, and one with the totals. Cells deeper than `depth` are summed in the line of their
    /// ancestor at that depth. Roots have depth 0.
    ///
    /// # Errors
    ///
    /// Returns the error of `to` if it cannot be written to.
    ///
    /// ```
    /// # use kmem_view::Snapshot;
    /// # let snapshot = Snapshot::read(
    /// #     &br#"{"kmem":1,"cells":[
    /// #     {"depth":0,"kind":"tree","name":"request","at":"0x1000","size":24,"block":104},
    /// #     {"depth":1,"kind":"ref","at":"0x2000","size":64,"block":200,"adopted":true,"refs":3}
    /// #     ],"total":{"cells":2,"size":88,"block":304}}"#[..],
    /// # )?;
    /// let mut text = Vec::new();
    /// snapshot.text(&mut text, None)?;
    /// assert_eq!(
    ///     String::from_utf8(text)?,
    ///     "tree \"request\", 24 bytes\n  ref, 64 bytes, 3 references, adopted\n2 cells, 88 bytes, 304 with headers\n"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn text(&self, mut to: impl Write, depth: Option<u32>) -> io::Result<()> {
        let depth = depth.unwrap_or(u32::MAX);
        let mut rest = self.cells();
        while let Some((cell, after)) = rest.split_first() {
            let mut below = cell.below.as_deref().copied().unwrap_or_default();
            let mut listed = 0;
            if cell.depth == depth {
                listed = after.iter().take_while(|cell| cell.depth > depth).count();
                for cell in &after[..listed] {
                    below += cell.totals();
                    below += cell.below.as_deref().copied().unwrap_or_default();
                }
            }
            line(&mut to, cell, below)?;
            rest = &after[listed..];
        }
        let Totals { cells, size, block } = self.total();
        writeln!(to, "{}, {}, {block} with headers", Counted(cells, "cell"), Counted(size, "byte"))
    }
}

fn line(to: &mut impl Write, cell: &Cell, below: Totals) -> io::Result<()> {
    write!(to, "{:1$}", "", 2 * cell.depth.min(INDENTED) as usize)?;
    if cell.depth > INDENTED {
        write!(to, "[{}] ", cell.depth)?;
    }
    to.write_all(cell.kind.name().as_bytes())?;
    if let Some(name) = &cell.name {
        write!(to, " {}", Quoted(name))?;
    }
    write!(to, ", {}", Counted(cell.size, "byte"))?;
    match &cell.store {
        Some(Store::Pool(pool)) => {
            write!(to, ", {} of {} cells in use, at most {}", pool.live, pool.cells, pool.peak)?;
        }
        Some(Store::Arena(arena)) => {
            write!(to, ", {}, {} watched", Counted(arena.blocks, "block"), arena.watched)?;
        }
        None => {}
    }
    if let Some(refs) = cell.refs {
        write!(to, ", {}", Counted(refs, "reference"))?;
    }
    if cell.adopted {
        to.write_all(b", adopted")?;
    }
    if cell.source != Source::Heap {
        write!(to, ", from {}", cell.source.name())?;
    }
    if cell.tainted {
        to.write_all(b", tainted")?;
    }
    if below.cells > 0 {
        write!(to, ", {} of {} below", Counted(below.cells, "cell"), Counted(below.size, "byte"))?;
    }
    writeln!(to)
}
