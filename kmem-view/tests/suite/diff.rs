//! What grew.

use std::collections::BTreeMap;

use kmem_view::{Diff, Growth};

use crate::written::{Written, by_path, example, mixed, output};

#[test]
fn what_is_parked_on_a_long_lived_parent_comes_first() {
    let (mut older, mut newer) = (Written::default(), Written::default());
    for (written, sessions) in [(&mut older, 3), (&mut newer, 200)] {
        written.tree(0, "server", 100).tree(1, "config", 5000).tree(1, "sessions", 0);
        for _ in 0..sessions {
            written.tree(2, "session", 64);
        }
        written.tree(1, "log", sessions * 10);
    }
    assert_eq!(
        output(|out| Diff::new(&older.read(), &newer.read()).text(out, None)),
        "+28368 bytes with headers (432 to 28800), +197 cells (3 to 200): tree \"server\" / tree \"sessions\" / tree \"session\"\n\
         +1970 bytes with headers (110 to 2080), +0 cells (1 to 1): tree \"server\" / tree \"log\"\n\
         in all +30338 bytes with headers (5882 to 36220), +197 cells (7 to 204)\n"
    );
}

#[test]
fn what_shrank_is_in_the_total_alone() {
    let mut older = Written::default();
    older.tree(0, "a", 10);
    assert_eq!(
        output(|out| Diff::new(&older.read(), &Written::default().read()).text(out, None)),
        "in all -90 bytes with headers (90 to 0), -1 cells (1 to 0)\n"
    );
}

#[test]
fn a_snapshot_did_not_grow_since_itself() {
    let snapshot = mixed(500, 1);
    assert_eq!(Diff::new(&snapshot, &snapshot).grown(None), []);
}

#[test]
fn growth_is_that_of_each_path_counted_by_itself() {
    let (older, newer) = (mixed(700, 2), mixed(900, 3));
    let (was, now) = (by_path(&older), by_path(&newer));
    let mut grew: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (path, now) in now.into_iter().filter(|(path, _)| path.len() <= 8) {
        let was = was.get(&path).copied().unwrap_or_default();
        if now.own_block > was.own_block || now.own_cells > was.own_cells {
            grew.insert(path.join(" / "), (now.own_block, was.own_block));
        }
    }
    let found = Diff::new(&older, &newer).grown(None);
    let short: BTreeMap<_, _> = found
        .iter()
        .filter(|growth| !growth.path.contains('…'))
        .map(|growth| (growth.path.clone(), (growth.newer.block, growth.older.block)))
        .collect();
    assert!(grew.len() > 100);
    assert_eq!(short, grew);
    let by = |growth: &Growth| growth.newer.block as i64 - growth.older.block as i64;
    assert!(found.is_sorted_by(|one, other| by(one) >= by(other)));
}

#[test]
fn a_limited_depth_gathers_growth_where_it_hangs() {
    let mut older = Written::default();
    older.tree(0, "request", 24);
    let grown = Diff::new(&older.read(), &example()).grown(Some(0));
    assert_eq!(grown.len(), 1);
    assert_eq!(grown[0].path, "tree \"request\" / deeper");
    assert_eq!((grown[0].newer.cells, grown[0].newer.block), (15, 6368));
}

#[test]
fn the_middle_of_a_long_path_is_left_out() {
    let mut newer = Written::default();
    for depth in 0..20 {
        newer.tree(depth, &format!("{depth}"), u64::from(depth));
    }
    let grown = Diff::new(&Written::default().read(), &newer.read()).grown(None);
    let path = r#"tree "0" / tree "1" / tree "2" / tree "3" / … 12 between … / tree "16" / tree "17" / tree "18" / tree "19""#;
    assert_eq!(grown[0].path, path);
}
