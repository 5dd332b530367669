//! A million cells stay usable: small pages, bounded graphs, and a stack that does not grow with the depth.

use std::thread;

use kmem_view::{Diff, Snapshot};

use crate::written::{Written, output};

const MILLION: u32 = 1_000_000;
const STACK: usize = 256 << 10;

/// Draws a snapshot in every form on a stack too small for recursion, and returns the page.
fn drawn(written: Written) -> String {
    let draw = move || {
        let json = written.json();
        drop(written);
        let snapshot = Snapshot::read(json.as_bytes()).expect("a snapshot");
        let total = format!("{} cells, ", snapshot.total().cells);
        assert!(
            output(|out| snapshot.text(out, Some(40)))
                .lines()
                .last()
                .is_some_and(|line| line.starts_with(&total))
        );
        assert!(output(|out| snapshot.dot(out, None)).len() < 100_000);
        let mut none = Written::default();
        none.tree(0, "n0", 0);
        let none = none.read();
        let diff = output(|out| Diff::new(&none, &snapshot).html(out, None));
        assert!(diff.len() < 3_000_000, "{}", diff.len());
        let page = output(|out| snapshot.html(out, None));
        assert!(page.len() < 3_000_000, "{}", page.len());
        page
    };
    thread::Builder::new().stack_size(STACK).spawn(draw).expect("started").join().expect("drawn")
}

#[test]
fn a_chain_of_a_million_is_shown_for_sixty_four_levels() {
    let mut written = Written::default();
    for depth in 0..MILLION {
        written.tree(depth, "link", 8);
    }
    let page = drawn(written);
    assert!(page.contains("1,000,000 cells are drawn as 65 frames"));
    assert!(page.contains("999,936 cells too deep to be shown"));
}

#[test]
fn of_a_million_siblings_the_heaviest_are_drawn() {
    let mut written = Written::default();
    for index in 0..MILLION {
        written.tree(index.min(1), &format!("n{index}"), u64::from(index % 100));
    }
    let page = drawn(written);
    assert!(page.contains("1,000,000 cells are drawn as 2,500 frames"));
    assert!(page.contains("997,501 cells in branches too light"));
    assert!(page.contains("The 1,000 heaviest names are listed; 999,000 others have"));
}

#[test]
fn a_million_equal_cells_share_one_frame() {
    let mut written = Written::default();
    for index in 0..MILLION {
        written.tree(index.min(1), if index == 0 { "root" } else { "leaf" }, 8);
    }
    let page = drawn(written);
    assert!(page.contains("1,000,000 cells are drawn as 2 frames"));
    assert!(page.contains("tree &quot;leaf&quot; × 999,999 ("));
}
