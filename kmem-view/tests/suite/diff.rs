//! The growth between two snapshots.

use std::collections::BTreeMap;

use kmem_view::{Diff, Growth, Snapshot};

use crate::written::{Written, by_path, example, mixed, output};

#[test]
fn memory_parked_on_a_long_lived_parent_comes_first() {
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
fn leaks_with_different_names_count_at_their_parent() {
    let (mut older, mut newer) = (Written::default(), Written::default());
    for (written, sessions) in [(&mut older, 0..3), (&mut newer, 2..40)] {
        written.tree(0, "server", 100).tree(1, "cache", 0).tree(2, "page", 3000).tree(1, "sessions", 0);
        for session in sessions {
            written.tree(2, &format!("session {session}"), 64 + session).tree(3, "buffer", 20);
        }
    }
    let grown = Diff::new(&older.read(), &newer.read()).grown(None);
    assert_eq!(grown.len(), 1);
    let sessions = &grown[0];
    assert_eq!(sessions.path, r#"tree "server" / tree "sessions""#);
    assert_eq!((sessions.new, sessions.vanished), (2 * 37, 2 * 2));
    assert_eq!(sessions.heaviest.as_deref(), Some(r#"tree "session 39""#));
    // The session that stayed is a path of its own.
    let vanished = 2 * (64 + 80 + 100) + 1;
    let new = 37 * (64 + 80 + 100) + (3..40).sum::<u64>();
    assert_eq!((sessions.older.block, sessions.newer.block), (80 + vanished, 80 + new));
    assert_eq!((sessions.older.cells, sessions.newer.cells), (1 + 4, 1 + 74));
}

#[test]
fn new_and_vanished_cells_cancel_out() {
    let (mut older, mut newer) = (Written::default(), Written::default());
    older.tree(0, "server", 100).tree(1, "request 1", 5000);
    newer.tree(0, "server", 100).tree(1, "request 2", 5000);
    let (older, newer) = (older.read(), newer.read());
    let diff = Diff::new(&older, &newer);
    assert_eq!((diff.grown(None), diff.shrunk(None)), (vec![], vec![]));
}

#[test]
fn the_rows_sum_to_the_growth_of_the_whole() {
    let (older, newer) = (mixed(700, 2), mixed(900, 3));
    let diff = Diff::new(&older, &newer);
    let (grown, shrunk) = (diff.grown(None), diff.shrunk(None));
    assert!(grown.len() > 50 && shrunk.len() > 20);
    let by = |growth: &Growth| {
        let by = |older: u64, newer: u64| newer as i64 - older as i64;
        let Growth { older, newer, .. } = growth;
        [by(older.block, newer.block), by(older.cells, newer.cells), by(older.size, newer.size)]
    };
    let (mut sums, mut whole) = ([0; 3], [0; 3]);
    for (sum, by) in grown.iter().chain(&shrunk).flat_map(|growth| by(growth).into_iter().enumerate()) {
        sums[sum] += by;
    }
    for (snapshot, sign) in [(&older, -1), (&newer, 1)] {
        let (total, again) = (snapshot.total(), snapshot.again());
        whole[0] += sign * (total.block - again.block) as i64;
        whole[1] += sign * (total.cells - again.cells) as i64;
        whole[2] += sign * (total.size - again.size) as i64;
    }
    // A change in bytes of data alone has no row.
    assert_eq!(sums[..2], whole[..2]);
    assert!(grown.is_sorted_by(|one, other| by(one)[..2] >= by(other)[..2]));
    assert!(shrunk.is_sorted_by(|one, other| by(one)[..2] <= by(other)[..2]));
    assert!(grown.iter().all(|growth| by(growth)[0] >= 0) && shrunk.iter().all(|growth| by(growth)[0] <= 0));
}

#[test]
fn paths_that_shrank_follow_those_that_grew_and_the_others_are_summed() {
    let (mut older, mut newer) = (Written::default(), Written::default());
    older.tree(0, "root", 0);
    newer.tree(0, "root", 0);
    for child in 0..500 {
        older.tree(1, &format!("grows {child}"), 0).tree(1, &format!("shrinks {child}"), 1 + child);
        newer.tree(1, &format!("grows {child}"), 1 + child).tree(1, &format!("shrinks {child}"), 0);
    }
    let text = output(|out| Diff::new(&older.read(), &newer.read()).text(out, None));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 301 + 101 + 1);
    assert_eq!(
        lines[0],
        r#"+500 bytes with headers (80 to 580), +0 cells (1 to 1): tree "root" / tree "grows 499""#
    );
    assert_eq!(
        lines[300],
        "+20100 bytes with headers (16000 to 36100), +0 cells (200 to 200): 200 other paths that grew"
    );
    assert!(lines[301].starts_with("-500 bytes with headers (580 to 80)"));
    assert_eq!(
        lines[401],
        "-80200 bytes with headers (112200 to 32000), +0 cells (400 to 400): 400 other paths that shrank"
    );
    assert_eq!(lines[402], "in all +0 bytes with headers (205330 to 205330), +0 cells (1001 to 1001)");
}

#[test]
fn another_holder_of_a_cell_grows_by_the_holder_alone() {
    let (mut older, mut newer) = (Written::default(), Written::default());
    for (written, holders) in [(&mut older, 2), (&mut newer, 10)] {
        written.tree(0, "server", 100);
        for _ in 0..holders {
            written.held(1, "table", 1 << 20, 1);
        }
    }
    let (older, newer) = (older.read(), newer.read());
    let grown = Diff::new(&older, &newer).grown(None);
    assert_eq!(grown.len(), 1);
    assert_eq!(grown[0].path, r#"tree "server" / ref "table""#);
    assert_eq!((grown[0].older.size, grown[0].newer.size), (1 << 20, 1 << 20));
    assert_eq!(grown[0].newer.block - grown[0].older.block, 8 * 30);
    let text = output(|out| Diff::new(&older, &newer).text(out, None));
    assert!(
        text.ends_with("in all +240 bytes with headers (1048866 to 1049106), +0 cells (2 to 2)\n"),
        "{text}"
    );
}

#[test]
fn snapshots_of_different_depth_are_compared_down_to_the_lesser_depth() {
    let mut deep = Written::default();
    deep.tree(0, "request", 24)
        .cell(1, "ref", Some("config"), 64, "")
        .tree(1, "handler", 8)
        .tree(2, "buffer", 900)
        .tree(3, "line", 60);
    let deep = deep.read();
    let shallow = Snapshot::read(
        &br#"{"kmem":1,"cells":[
        {"depth":0,"kind":"tree","name":"request","at":"0x1000","size":24,"block":104},
        {"depth":1,"kind":"ref","name":"config","at":"0x2000","size":64,"block":144},
        {"depth":1,"kind":"tree","name":"handler","at":"0x3000","size":8,"block":88,"below":{"cells":2,"size":960,"block":1120}}
        ],"total":{"cells":5,"size":1056,"block":1456}}"#[..],
    )
    .expect("a snapshot");
    let diff = Diff::new(&shallow, &deep);
    assert_eq!((diff.grown(None), diff.shrunk(None)), (vec![], vec![]));
    let dot = output(|out| diff.dot(out, None));
    assert!(
        dot.contains(
            r#"[label="deeper × 2\n1,120 bytes with headers, 2 cells\n0 bytes, 0 cells", fillcolor=white]"#
        ),
        "{dot}"
    );
    assert!(!dot.contains("buffer"));
    let said = "The older snapshot lists cells down to depth 1, the newer all cells: in both, cells deeper than 1 are combined as “deeper”.";
    assert!(output(|out| diff.text(out, None)).contains(said));
    assert!(output(|out| diff.html(out, None)).contains(said));
    assert!(output(|out| diff.dot(out, None)).contains(said));
    assert!(!output(|out| Diff::new(&shallow, &shallow).html(out, None)).contains("snapshot lists"));
}

#[test]
fn a_snapshot_did_not_grow_since_itself() {
    let snapshot = mixed(500, 1);
    assert_eq!(Diff::new(&snapshot, &snapshot).grown(None), []);
}

#[test]
fn a_path_of_both_grows_with_the_paths_below_it_that_only_one_has() {
    let (older, newer) = (mixed(700, 2), mixed(900, 3));
    let (was, now) = (by_path(&older), by_path(&newer));
    let mut expected: BTreeMap<String, i64> = BTreeMap::new();
    for (sums, sign) in [(&was, -1), (&now, 1)] {
        for (path, sums) in sums {
            let mut end = path.len();
            while end > 0 && !(was.contains_key(&path[..end]) && now.contains_key(&path[..end])) {
                end -= 1;
            }
            let counts = if end == 0 { "all".to_owned() } else { path[..end].join(" / ") };
            *expected.entry(counts).or_default() += sign * sums.own_block as i64;
        }
    }
    let diff = Diff::new(&older, &newer);
    let found: BTreeMap<String, i64> = diff
        .grown(None)
        .into_iter()
        .chain(diff.shrunk(None))
        .map(|growth| (growth.path, growth.newer.block as i64 - growth.older.block as i64))
        .collect();
    let short = |map: BTreeMap<String, i64>| {
        let short = map.into_iter().filter(|(path, by)| path.split(" / ").count() <= 8 && *by != 0);
        short.filter(|(path, _)| !path.contains('…')).collect::<BTreeMap<_, _>>()
    };
    let (expected, found) = (short(expected), short(found));
    assert!(expected.len() > 100);
    assert_eq!(found, expected);
}

#[test]
fn a_limited_depth_combines_growth_below_the_parent() {
    let mut older = Written::default();
    older.tree(0, "request", 24);
    let grown = Diff::new(&older.read(), &example()).grown(Some(0));
    assert_eq!(grown.len(), 1);
    assert_eq!((grown[0].path.as_str(), grown[0].heaviest.as_deref()), ("tree \"request\"", Some("deeper")));
    assert_eq!((grown[0].newer.cells - grown[0].older.cells, grown[0].newer.block), (15, 6472));
}

#[test]
fn the_middle_of_a_long_path_is_left_out() {
    let (mut older, mut newer) = (Written::default(), Written::default());
    for depth in 0..20 {
        older.tree(depth, &format!("{depth}"), 0);
        newer.tree(depth, &format!("{depth}"), u64::from(depth));
    }
    let grown = Diff::new(&older.read(), &newer.read()).grown(None);
    let path = r#"tree "0" / tree "1" / tree "2" / tree "3" / … 12 between … / tree "16" / tree "17" / tree "18" / tree "19""#;
    assert_eq!(grown[0].path, path);
}
