//! Reports of the contents of a tree, a pool or an arena, as indented text and as JSON.
//!
//! A report lists the nodes of a tree down to a depth, each before the nodes below it, and the objects that they adopted. Deeper
//! nodes and objects are counted, not listed. A report allocates nothing, and takes constant stack.
//!
//! ```text
//! tree "request", 24 bytes
//!   ref "config", 64 bytes, 3 references, adopted, from pool, tainted
//!   store "lines", 224 bytes, 7 of 100 cells in use, at most 9, from tree
//!   store "words", 6000 bytes, 2 blocks, 1 watched, from tree
//!   tree, 8 bytes, 12 cells of 960 bytes below
//! 16 cells, 1280 bytes, 6472 with headers
//! ```
//!
//! JSON has a line for each cell:
//!
//! ```text
//! {"kmem":1,"cells":[
//! {"depth":0,"kind":"tree","name":"request","at":"0x55d0c0ffee40","size":24,"block":104},
//! {"depth":1,"kind":"ref","name":"config","at":"0x55d0c0ffef00","size":64,"block":200,"source":"pool","tainted":true,"adopted":true,"holder":88,"refs":3}
//! ],"total":{"cells":2,"size":88,"block":304}}
//! ```
//!
//! | key | value |
//! |---|---|
//! | `kind` | `tree` for a node, `store` for a pool or an arena; for an adopted object `heap`, `ref`, `pool` (a cell of one), `arena` (an object of one) or `none` |
//! | `size` | bytes of data; for a pool those of its live cells; for an arena the bytes in use, headers included |
//! | `block` | bytes allocated for it, with headers, alignment, destructors, names, hooks, and the holder of an adopted object |
//! | `holder` | bytes of the holder alone, the internal node that owns an adopted object |
//! | `source` | the kind of its source, if that is not the heap: `pool`, `arena`, `limit`, `source` (a custom one), or `tree` (for a pool or an arena on a node) |
//! | `cell`, `cells` | for a pool, the bytes of a cell and the number of cells |
//! | `live`, `peak` | for a pool, the number of live cells and its peak |
//! | `blocks`, `watched` | for an arena, the number of blocks, and of the objects that have a destructor or are tainted |
//! | `below` | the cells that are not listed: deeper nodes, and everything that a counted cell owns, down to the next counted cell |
//!
//! If several nodes adopted the same counted cell, it is listed below each of them with the same `at`, and the totals count it each
//! time. To count it once, add `block` for one of its lines and only `holder` for the others.

#[cfg(feature = "tree")]
use super::layout::CellAt;
use super::{Cell, FLAG_HOLD, FLAG_HOOK, FLAG_HOST, Handle, check, layout, trailer};
#[cfg(feature = "tree")]
use super::{Node, tree};
use crate::cell::Kind;
use crate::fault::call;
use crate::text::Text;
use core::ffi::CStr;

/// Numbers of cells and bytes: see [`count`]. C: `kmcount`.
///
/// Exhaustive: C code relies on this layout.
///
/// ```
/// use kmem::raw::{Request, heap, report, tree};
/// use std::ptr::null_mut;
/// unsafe {
///     let root = tree::a(null_mut(), null_mut(), 8);
///     for _ in 0..3 {
///         tree::alloc(null_mut(), root, &Request { name: Some(c"line"), ..Request::new(100) }).unwrap();
///     }
///     let (all, lines) = (report::count(root, None), report::count(root, Some(c"line")));
///     assert_eq!((all.cells, all.size), (4, 308));
///     assert_eq!((lines.cells, lines.size, lines.block), (3, 300, 3 * (64 + 104 + 8)));
///     tree::f(root);
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Sum {
    /// Nodes, pools and adopted objects.
    pub cells: usize,
    /// Bytes of their data.
    pub size: usize,
    /// All bytes allocated for them, headers and internal nodes included.
    pub block: usize,
}

impl Sum {
    fn add(&mut self, facts: &Facts) {
        self.cells += 1;
        self.size += facts.size;
        self.block += facts.block;
    }

    fn plus(&mut self, other: &Sum) {
        self.cells += other.cells;
        self.size += other.size;
        self.block += other.block;
    }
}

/// The contents of one line: a node, a pool or an adopted object.
struct Facts {
    kind: Kind,
    name: Option<&'static CStr>,
    data: *mut u8,
    size: usize,
    block: usize,
    src: Option<Kind>,
    tainted: bool,
    /// For an adopted object, the bytes of its holder, which `block` includes.
    holder: Option<usize>,
    refs: Option<usize>,
    #[cfg(feature = "pool")]
    pool: Option<super::pool::Count>,
    #[cfg(feature = "arena")]
    arena: Option<super::arena::Count>,
}

impl Facts {
    fn new(kind: Kind, data: *mut u8) -> Facts {
        Facts {
            kind,
            name: None,
            data,
            size: 0,
            block: 0,
            src: None,
            tainted: false,
            holder: None,
            refs: None,
            #[cfg(feature = "pool")]
            pool: None,
            #[cfg(feature = "arena")]
            arena: None,
        }
    }

    /// Safety: the node is a live one of this thread, no hook, and the object is the node or the one that it holds.
    #[cfg(feature = "tree")]
    #[inline(never)]
    unsafe fn of(node: *mut Node, object: Handle) -> Facts {
        let mut facts = Facts::new(Kind::from_raw(object.kind).unwrap_or(Kind::None), object.data);
        // SAFETY: [caller, links, holders] the caller gives a live node, whose hooks are live, and a live object.
        unsafe {
            facts.tainted = object.shred != 0;
            let own = trailer::extent(Node::at(node));
            facts.block = own.1;
            let mut hook = (*node).child;
            // The walk reports a corrupt link.
            while tree::links::is_child(hook, node) && (*hook).cell.flags & FLAG_HOOK != 0 {
                facts.block += trailer::extent(Node::at(hook)).1;
                hook = (*hook).next;
            }
            if (*node).cell.flags & FLAG_HOLD != 0 {
                facts.holder = Some(facts.block);
            }
            match facts.kind {
                #[cfg(feature = "heap")]
                Kind::Heap => facts.prefixed(CellAt::new(Kind::Heap, object.data)),
                #[cfg(feature = "ref")]
                Kind::Ref => {
                    facts.refs = Some(super::refs::count(object.data));
                    facts.prefixed(CellAt::new(Kind::Ref, object.data));
                    let owner = super::refs::owned::owned(object.data);
                    if !owner.is_null() {
                        facts.block += trailer::extent(Node::at(owner)).1;
                    }
                }
                #[cfg(feature = "pool")]
                Kind::Pool => {
                    let pool = super::pool::cell::block_of(object.data);
                    facts.size = (*pool).cellsz;
                    facts.block += layout::POOL_CELL + (*pool).cellsz;
                    facts.name = super::pool::name(pool);
                    facts.src = Some(Kind::Pool);
                    facts.tainted |= super::pool::cell::is_tainted(object.data) || super::shreds(pool.cast());
                }
                Kind::Tree => {
                    facts.src = source(node_source(node));
                    facts.tainted |= (*node).cell.tainted() || super::shreds((*node).src);
                    facts.size = own.0;
                    facts.name = trailer::name(CellAt::new(Kind::Tree, object.data));
                    match tree::links::hosted(node) {
                        #[cfg(feature = "pool")]
                        Some(Kind::Pool) => {
                            facts.block -= own.0;
                            facts.pool(object.data.cast());
                        }
                        #[cfg(feature = "arena")]
                        Some(Kind::Arena) => {
                            facts.block -= own.0;
                            facts.arena(object.data.cast());
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        facts
    }

    /// Adds the contents of the prefix of an adopted cell.
    #[cfg(all(feature = "tree", any(feature = "heap", feature = "ref")))]
    unsafe fn prefixed(&mut self, at: CellAt) {
        // SAFETY: [caller, live, outlives] the caller gives a live cell.
        unsafe {
            let (size, block) = trailer::extent(at);
            self.size = size;
            self.block += block;
            self.name = trailer::name(at);
            self.src = source(at.src());
            self.tainted |= (*at.cell()).tainted() || super::shreds(at.src());
        }
    }

    /// Adds the counts of a pool.
    #[cfg(feature = "pool")]
    unsafe fn pool(&mut self, pool: *mut super::Pool) {
        // SAFETY: [caller, live] the caller gives a live pool of this thread.
        unsafe {
            let count = super::pool::count(pool);
            self.kind = Kind::Source;
            self.size = count.live.wrapping_mul(count.cellsz);
            self.block += count.block;
            self.name = super::pool::name(pool);
            self.tainted |= super::shreds(pool.cast());
            self.pool = Some(count);
        }
    }

    /// Adds the memory of an arena.
    #[cfg(feature = "arena")]
    unsafe fn arena(&mut self, arena: *mut super::Arena) {
        // SAFETY: [caller, live] the caller gives a live arena of this thread.
        unsafe {
            let count = super::arena::count(arena);
            self.kind = Kind::Source;
            // The nodes in the arena of a tree are listed themselves.
            let own = (*arena).cell.flags & super::arena::header::ARENA_OF_TREE == 0;
            self.size = if own { count.used } else { 0 };
            self.block += if own { count.block } else { count.block.saturating_sub(count.used) };
            self.name = super::arena::name(arena);
            self.tainted |= super::shreds(arena.cast());
            self.arena = Some(count);
        }
    }

    fn kind(&self) -> &'static str {
        if self.kind == Kind::Source { "store" } else { self.kind.word() }
    }

    /// Returns the kind of the source as a word, or `None` for the heap.
    fn source(&self) -> Option<&'static str> {
        self.src.map(Kind::word)
    }
}

/// Returns the source of a node or, for a node that hosts a pool, the parent.
#[cfg(feature = "tree")]
unsafe fn node_source(node: *mut Node) -> *mut Cell {
    // SAFETY: [caller] the caller gives a live node.
    unsafe { if (*node).cell.flags & FLAG_HOST != 0 { (*node).parent.cast() } else { tree::source_of(node) } }
}

/// Returns the kind of a source, or `None` for the heap.
unsafe fn source(src: *mut Cell) -> Option<Kind> {
    // SAFETY: [caller, prefix] the caller gives null or a live source.
    if src.is_null() { None } else { Kind::from_raw(unsafe { (*src).kind }) }
}

/// Counts the objects that the counted cell of a line owns: all of them, or those with one name. They have no lines of their own,
/// because several nodes may have adopted the cell. Safety: the object is live, this thread may read it, and nobody changes the
/// owned objects meanwhile.
#[cfg(feature = "tree")]
#[inline(never)]
unsafe fn owned(object: Handle, name: Option<&CStr>) -> Sum {
    let mut sum = Sum::default();
    #[cfg(feature = "ref")]
    // SAFETY: [caller, owned, links] the caller's object is live, and so is what a counted cell owns.
    unsafe {
        if Kind::from_raw(object.kind) == Some(Kind::Ref) {
            for visit in tree::walk_below(super::refs::owned::owned(object.data)) {
                let facts = Facts::of(visit.node, visit.object);
                if name.is_none() || facts.name == name {
                    sum.add(&facts);
                }
            }
        }
    }
    let _ = (object, name, &mut sum);
    sum
}

/// Counts a node, the nodes below it and the adopted objects: all of them, or those of one name. A counted cell that
/// several nodes adopted is counted for each of them. Returns zeros after a report if this is no node. C: `kmtreeq`.
///
/// # Safety
/// `data` is that of a node of a tree that belongs to this thread.
#[cfg(feature = "tree")]
#[must_use]
pub unsafe fn count(data: *mut u8, name: Option<&CStr>) -> Sum {
    let mut sum = Sum::default();
    // SAFETY: [caller] the contract is the caller's.
    for visit in unsafe { tree::walk_for(call!(c"kmtreeq"), data) } {
        // SAFETY: [caller] as above.
        let facts = unsafe { Facts::of(visit.node, visit.object) };
        if name.is_none() || facts.name == name {
            sum.add(&facts);
        }
        // SAFETY: [caller] as above.
        sum.plus(&unsafe { owned(visit.object, name) });
    }
    sum
}

/// The format of a report.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Json,
}

impl Form {
    fn begin(self, out: &mut Text<'_>) {
        if let Form::Json = self {
            out.push("{\"kmem\":1,\"cells\":[");
        }
    }

    /// Writes the line of a cell, with a count of the cells below it that are not listed.
    fn cell(self, out: &mut Text<'_>, depth: usize, facts: &Facts, below: &Sum) {
        match self {
            Form::Text => text_line(out, depth, facts, below),
            Form::Json => json_line(out, depth, facts, below),
        }
    }

    fn end(self, out: &mut Text<'_>, total: &Sum) {
        match self {
            Form::Text => {
                out.push_filled(
                    "# cell~, # byte~, # with headers\n",
                    &[total.cells, total.size, total.block],
                );
            }
            Form::Json => {
                out.push("\n],\"total\":");
                json_sum(out, total);
                out.push("}\n");
            }
        }
    }
}

fn text_line(out: &mut Text<'_>, depth: usize, facts: &Facts, below: &Sum) {
    const DEEPEST: usize = 32;
    for _ in 0..depth.min(DEEPEST) {
        out.push("  ");
    }
    if depth > DEEPEST {
        out.push_filled("[#] ", &[depth]);
    }
    out.push(facts.kind());
    if let Some(name) = facts.name {
        out.push(" ");
        out.push_quoted(name.to_bytes());
    }
    out.push_filled(", # byte~", &[facts.size]);
    #[cfg(feature = "pool")]
    if let Some(pool) = facts.pool {
        out.push_filled(", # of # cells in use, at most #", &[pool.live, pool.cells, pool.peak]);
    }
    #[cfg(feature = "arena")]
    if let Some(arena) = facts.arena {
        out.push_filled(", # block~, # watched", &[arena.blocks, arena.watched]);
    }
    if let Some(refs) = facts.refs {
        out.push_filled(", # reference~", &[refs]);
    }
    if facts.holder.is_some() {
        out.push(", adopted");
    }
    if let Some(source) = facts.source() {
        out.push(", from ");
        out.push(source);
    }
    if facts.tainted {
        out.push(", tainted");
    }
    if below.cells > 0 {
        out.push_filled(", # cell~ of # byte~ below", &[below.cells, below.size]);
    }
    out.push("\n");
}

fn json_line(out: &mut Text<'_>, depth: usize, facts: &Facts, below: &Sum) {
    out.push(if depth == 0 { "\n" } else { ",\n" });
    out.push_filled("{\"depth\":#,\"kind\":\"", &[depth]);
    out.push(facts.kind());
    out.push("\"");
    if let Some(name) = facts.name {
        out.push(",\"name\":");
        out.push_quoted(name.to_bytes());
    }
    out.push(",\"at\":\"");
    out.push_hex(facts.data.addr());
    out.push_filled("\",\"size\":#,\"block\":#", &[facts.size, facts.block]);
    if let Some(source) = facts.source() {
        out.push(",\"source\":\"");
        out.push(source);
        out.push("\"");
    }
    if facts.tainted {
        out.push(",\"tainted\":true");
    }
    if let Some(holder) = facts.holder {
        out.push_filled(",\"adopted\":true,\"holder\":#", &[holder]);
    }
    if let Some(refs) = facts.refs {
        out.push_filled(",\"refs\":#", &[refs]);
    }
    #[cfg(feature = "pool")]
    if let Some(pool) = facts.pool {
        let numbers = [pool.cellsz, pool.cells, pool.live, pool.peak];
        out.push_filled(",\"cell\":#,\"cells\":#,\"live\":#,\"peak\":#", &numbers);
    }
    #[cfg(feature = "arena")]
    if let Some(arena) = facts.arena {
        out.push_filled(",\"blocks\":#,\"watched\":#", &[arena.blocks, arena.watched]);
    }
    if below.cells > 0 {
        out.push(",\"below\":");
        json_sum(out, below);
    }
    out.push("}");
}

fn json_sum(out: &mut Text<'_>, sum: &Sum) {
    out.push_filled("{\"cells\":#,\"size\":#,\"block\":#}", &[sum.cells, sum.size, sum.block]);
}

/// Writes a report of a node and all below it, down to `depth`.
#[cfg(feature = "tree")]
unsafe fn report(data: *mut u8, depth: usize, form: Form, write: &mut dyn FnMut(&str)) {
    let call = match form {
        Form::Text => call!(c"kmtreet"),
        Form::Json => call!(c"kmtreej"),
    };
    // SAFETY: [caller] the caller's header is readable.
    if !unsafe { check::check_readable(call, CellAt::new(Kind::Tree, data)) } {
        return;
    }
    let out = &mut Text::new(write);
    form.begin(out);
    let (mut total, mut below) = (Sum::default(), Sum::default());
    let mut listed: Option<(usize, Facts)> = None;
    // SAFETY: [caller] the contract is the caller's, for `write` too.
    for visit in unsafe { tree::walk_for(call, data) } {
        // SAFETY: [caller] as above.
        let facts = unsafe { Facts::of(visit.node, visit.object) };
        total.add(&facts);
        if visit.depth > depth {
            below.add(&facts);
        } else {
            // A cell is written after the cells below it are counted.
            if let Some((depth, facts)) = &listed {
                form.cell(out, *depth, facts, &below);
            }
            (listed, below) = (Some((visit.depth, facts)), Sum::default());
        }
        // SAFETY: [caller] as above.
        let owned = unsafe { owned(visit.object, None) };
        total.plus(&owned);
        below.plus(&owned);
    }
    if let Some((depth, facts)) = &listed {
        form.cell(out, *depth, facts, &below);
    }
    form.end(out, &total);
}

/// Writes a report of a node and all below it as indented text, down to `depth`: 0 lists the node alone. `write`
/// receives the text in pieces, and must not change the reported objects. Writes nothing, after a report of the misuse, if this
/// is no node. C: `kmtreet`.
///
/// # Safety
/// `data` is that of a node of a tree that belongs to this thread.
#[cfg(feature = "tree")]
pub unsafe fn text(data: *mut u8, depth: usize, write: &mut dyn FnMut(&str)) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { report(data, depth, Form::Text, write) }
}

/// Writes a report of a node and all below it as JSON: see [`text`] and the [module](self). C: `kmtreej`.
///
/// # Safety
/// As for [`text`].
#[cfg(feature = "tree")]
pub unsafe fn json(data: *mut u8, depth: usize, write: &mut dyn FnMut(&str)) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { report(data, depth, Form::Json, write) }
}

#[cfg(feature = "pool")]
unsafe fn report_pool(pool: *mut super::Pool, form: Form, write: &mut dyn FnMut(&str)) {
    let call = match form {
        Form::Text => call!(c"kmpoolt"),
        Form::Json => call!(c"kmpoolj"),
    };
    // SAFETY: [caller, live] the caller's header is readable, and its contents are checked; the source of a live pool is live.
    unsafe {
        if !super::pool::header::check_pool_readable(call, pool) {
            return;
        }
        let head = super::pool::header::head(pool);
        let mut facts = Facts::new(Kind::Source, head.cast());
        facts.src = source((*head).src);
        facts.pool(head);
        report_store(&facts, form, write);
    }
}

#[cfg(feature = "arena")]
unsafe fn report_arena(arena: *mut super::Arena, form: Form, write: &mut dyn FnMut(&str)) {
    let call = match form {
        Form::Text => call!(c"kmarenat"),
        Form::Json => call!(c"kmarenaj"),
    };
    // SAFETY: [caller, live] the caller's header is readable, and its contents are checked; the source of a live arena is live.
    unsafe {
        if super::arena::check_arena(call, arena) {
            let mut facts = Facts::new(Kind::Source, arena.cast());
            facts.src = source((*arena).src);
            facts.arena(arena);
            report_store(&facts, form, write);
        }
    }
}

/// Writes a report of an arena as text, in one line and the total: see [`text`]. C: `kmarenat`.
///
/// # Safety
/// `arena` is a live arena that belongs to this thread.
#[cfg(feature = "arena")]
pub unsafe fn arena_text(arena: *mut super::Arena, write: &mut dyn FnMut(&str)) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { report_arena(arena, Form::Text, write) }
}

/// Writes a report of an arena as JSON: see [`json`]. C: `kmarenaj`.
///
/// # Safety
/// As for [`arena_text`].
#[cfg(feature = "arena")]
pub unsafe fn arena_json(arena: *mut super::Arena, write: &mut dyn FnMut(&str)) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { report_arena(arena, Form::Json, write) }
}

/// Writes the report of a pool or an arena alone.
#[cfg(any(feature = "pool", feature = "arena"))]
fn report_store(facts: &Facts, form: Form, write: &mut dyn FnMut(&str)) {
    let mut total = Sum::default();
    total.add(facts);
    let out = &mut Text::new(write);
    form.begin(out);
    form.cell(out, 0, facts, &Sum::default());
    form.end(out, &total);
}

/// Writes a report of a pool as text, in one line and the total: see [`text`]. C: `kmpoolt`.
///
/// # Safety
/// `pool` is a live pool that belongs to this thread, or a block of one.
#[cfg(feature = "pool")]
pub unsafe fn pool_text(pool: *mut super::Pool, write: &mut dyn FnMut(&str)) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { report_pool(pool, Form::Text, write) }
}

/// Writes a report of a pool as JSON: see [`json`]. C: `kmpoolj`.
///
/// # Safety
/// As for [`pool_text`].
#[cfg(feature = "pool")]
pub unsafe fn pool_json(pool: *mut super::Pool, write: &mut dyn FnMut(&str)) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { report_pool(pool, Form::Json, write) }
}
