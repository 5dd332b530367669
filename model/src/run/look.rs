//! Compares walks, counts and reports with the model.

use kmem::raw::report::Sum;
use serde_json::{Value, json};

use super::*;
use crate::things::{OWNER, RECORD};

/// A line of a report.
#[derive(Debug)]
struct Row {
    depth: usize,
    handle: Handle,
    name: Option<&'static CStr>,
    sum: Sum,
    /// The line in JSON.
    json: Value,
}

fn add(sums: impl IntoIterator<Item = Sum>) -> Sum {
    sums.into_iter().fold(Sum::default(), |a, b| Sum {
        cells: a.cells + b.cells,
        size: a.size + b.size,
        block: a.block + b.block,
    })
}

fn json_of(sum: Sum) -> Value {
    json!({ "cells": sum.cells, "size": sum.size, "block": sum.block })
}

fn many(n: usize, of: &str) -> String {
    format!("{n} {of}{}", if n == 1 { "" } else { "s" })
}

/// The last line of a report in text.
fn last_line(sum: Sum) -> String {
    format!("{}, {}, {} with headers", many(sum.cells, "cell"), many(sum.size, "byte"), sum.block)
}

impl<F: Face> Run<F> {
    /// The name of a source in a report.
    fn source(origin: Origin) -> Option<&'static str> {
        match origin {
            Origin::Heap | Origin::Buffer => None,
            Origin::Custom(_) => Some("source"),
            Origin::Pool(_) => Some("pool"),
        }
    }

    fn block_of(object: &Object) -> usize {
        object.block() + if object.record { RECORD.0 } else { 0 } + if object.owner { OWNER.0 } else { 0 }
    }

    /// The line for a node or an adopted object.
    fn row(&self, id: Id, depth: usize) -> Row {
        let hooks =
            self.things.children(id).iter().filter(|id| self.things.hooks.contains_key(id)).count() * 80;
        let holder = self.things.holders.get(&id);
        let handle = match holder {
            Some(holder) => holder.handle,
            None => unsafe { tree::handle(self.things.node_data(id)) },
        };
        let mut row = json!({ "depth": depth, "at": format!("{:#x}", handle.data.addr()) });
        let fields = row.as_object_mut().expect("a row");
        let (kind, name, size, block, source, tainted);
        if let Some(store) = self.things.stores.get(&id) {
            let count = unsafe { pool::count(store.pool) };
            let offset = things::block(Kind::Tree, 0, store.align, false, false).expect("a block").0;
            kind = "store";
            name = store.name;
            size = count.live * count.cellsz;
            block = offset + hooks + count.block;
            source = self.things.above.contains_key(&id).then_some("tree");
            tainted = store.node_tainted
                || self.things.shreds(store.origin)
                || self.things.shreds(Origin::Pool(id));
            fields.insert("cell".into(), count.cellsz.into());
            fields.insert("cells".into(), count.cells.into());
            fields.insert("live".into(), count.live.into());
            fields.insert("peak".into(), count.peak.into());
        } else if let Some(holder) = holder {
            fields.insert("adopted".into(), true.into());
            let own = things::HOLDER.0;
            fields.insert("holder".into(), own.into());
            match holder.held.map(|id| (self.things.objects[&id], id)) {
                Some((object @ Object { kind: Kind::Pool, origin: Origin::Pool(of), .. }, _)) => {
                    kind = "pool";
                    name = self.things.stores[&of].name;
                    size = object.size;
                    block = own + 16 + object.size;
                    source = Some("pool");
                    tainted =
                        holder.handle.shred != 0 || object.tainted || self.things.shreds(Origin::Pool(of));
                }
                Some((object, _)) => {
                    kind = if object.kind == Kind::Ref { "ref" } else { "heap" };
                    if object.kind == Kind::Ref {
                        fields.insert("refs".into(), object.refs.into());
                    }
                    name = object.name;
                    size = object.size;
                    block = own + Self::block_of(&object);
                    source = Self::source(object.origin);
                    tainted = holder.handle.shred != 0 || object.tainted || self.things.shreds(object.origin);
                }
                None => {
                    (kind, name, size, block, source) = ("none", None, 0, own, None);
                    tainted = holder.handle.shred != 0;
                }
            }
        } else {
            let object = &self.things.objects[&id];
            kind = "tree";
            name = object.name;
            size = object.size;
            block = Self::block_of(object) + hooks;
            source = Self::source(object.origin);
            tainted = object.tainted || self.things.shreds(object.origin);
        }
        fields.insert("kind".into(), kind.into());
        fields.insert("size".into(), size.into());
        fields.insert("block".into(), block.into());
        if let Some(name) = name {
            fields.insert("name".into(), name.to_string_lossy().into());
        }
        if let Some(source) = source {
            fields.insert("source".into(), source.into());
        }
        if tainted {
            fields.insert("tainted".into(), true.into());
        }
        Row { depth, handle, name, sum: Sum { cells: 1, size, block }, json: row }
    }

    /// All lines of the report of a node.
    fn rows(&self, root: Id) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut open = vec![(root, 0)];
        while let Some((id, depth)) = open.pop() {
            rows.push(self.row(id, depth));
            open.extend(self.things.past_hooks(id).into_iter().rev().map(|child| (child, depth + 1)));
        }
        rows
    }

    /// The lines for the objects that a counted cell owns.
    fn owned_by(&self, handle: Handle) -> Vec<Row> {
        let is = |object: &Object| object.kind == Kind::Ref && object.data == handle.data;
        let cell =
            self.things.objects.iter().find(|(_, object)| handle.kind == Kind::Ref as i32 && is(object));
        cell.map_or(Vec::new(), |(&id, _)| {
            self.things.children(id).iter().flat_map(|&child| self.rows(child)).collect()
        })
    }

    pub(super) fn look(&mut self, at: u8, depth: u8) {
        let Some(id) = self.node(at) else { return };
        let data = self.things.node_data(id);
        self.verify_around(id);
        let rows = self.rows(id);
        let walked = unsafe { F::walk_tree(data) };
        assert!(walked.iter().copied().eq(rows.iter().map(|row| (row.handle, row.depth))), "a walk");
        // The objects of a counted cell have no lines. The line of the cell has their number.
        let owned: Vec<Vec<Row>> = rows.iter().map(|row| self.owned_by(row.handle)).collect();
        let all = || rows.iter().chain(owned.iter().flatten());
        let total = add(all().map(|row| row.sum));
        assert_eq!(memory::kmem(|| unsafe { F::sum(data, None) }), total, "a count");
        for name in NAMES.iter().chain([&face::STRANGER]) {
            let named = add(all().filter(|row| row.name == Some(name)).map(|row| row.sum));
            assert_eq!(memory::kmem(|| unsafe { F::sum(data, Some(name)) }), named, "a count of {name:?}");
        }
        let depth = if depth >= 192 { usize::MAX } else { usize::from(depth & 3) };
        let mut listed: Vec<Value> = Vec::new();
        let mut below = Sum::default();
        for (row, owned) in rows.iter().zip(&owned) {
            if row.depth <= depth {
                listed.push(row.json.clone());
                below = Sum::default();
            } else {
                below = add([below, row.sum]);
            }
            below = add(owned.iter().map(|row| row.sum).chain([below]));
            if below.cells > 0 {
                let last = listed.last_mut().and_then(Value::as_object_mut).expect("a line");
                last.insert("below".into(), json_of(below));
            }
        }
        let before = memory::asked();
        let text = memory::kmem(|| unsafe { F::report(data, depth, false) });
        let json = memory::kmem(|| unsafe { F::report(data, depth, true) });
        assert_eq!(memory::asked(), before, "a report that needed memory");
        let lines: Vec<&str> = text.split_terminator('\n').collect();
        assert_eq!(lines.len(), listed.len() + 1, "{text}");
        assert_eq!(lines.last().copied(), Some(&*last_line(total)));
        let json: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
        assert_eq!(json, json!({ "kmem": 1, "cells": listed, "total": json_of(total) }));
        self.did("look");
    }

    /// Checks the parent, children and siblings of a node, which exclude hooks and holders.
    fn verify_around(&self, id: Id) {
        let data = |node: Option<&Id>| node.map_or(null_mut(), |&id| self.things.node_data(id));
        let first = |ids: &[Id]| data(ids.iter().find(|&&id| self.things.is_node(id)));
        let last = |ids: &[Id]| data(ids.iter().rfind(|&&id| self.things.is_node(id)));
        let parent = self.things.parent(id);
        let above = self.things.above.get(&id).copied();
        let siblings = above.map_or(&[][..], |above| self.things.children(above));
        let (before, behind) = siblings
            .iter()
            .position(|&other| other == id)
            .map_or((&[][..], &[][..]), |at| (&siblings[..at], &siblings[at + 1..]));
        let children = self.things.children(id);
        let expected = [data(parent.as_ref()), first(children), last(children), first(behind), last(before)];
        let found = unsafe { F::around(self.things.node_data(id)) };
        assert_eq!(found, expected, "parent, first and last child, next, previous");
    }

    pub(super) fn look_at_pool(&mut self, at: u8) {
        let Some(id) = self.store(at) else { return };
        let store = &self.things.stores[&id];
        let count = unsafe { F::count(store.pool) };
        let total = Sum { cells: 1, size: count.live * count.cellsz, block: count.block };
        let before = memory::asked();
        let text = memory::kmem(|| unsafe { F::report_pool(store.pool, false) });
        let json = memory::kmem(|| unsafe { F::report_pool(store.pool, true) });
        assert_eq!(memory::asked(), before, "a report that needed memory");
        let lines: Vec<&str> = text.split_terminator('\n').collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(lines[1], last_line(total));
        let json: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
        let above = self.things.above.contains_key(&id);
        let source = if store.hosted { above.then_some("tree") } else { Self::source(store.origin) };
        let mut row = json!({
            "depth": 0, "kind": "store", "at": format!("{:#x}", store.pool.addr()),
            "size": total.size, "block": total.block,
            "cell": store.cellsz, "cells": count.cells, "live": count.live, "peak": store.most.get(),
        });
        let fields = row.as_object_mut().expect("a row");
        if let Some(source) = source {
            fields.insert("source".into(), source.into());
        }
        if let Some(name) = store.name {
            fields.insert("name".into(), name.to_string_lossy().into());
        }
        if self.things.shreds(Origin::Pool(id)) {
            fields.insert("tainted".into(), true.into());
        }
        assert_eq!(json, json!({ "kmem": 1, "cells": [row], "total": json_of(total) }));
        self.did("look at a pool");
    }
}
