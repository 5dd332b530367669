//! Debugging output shows no value whose bytes are zeroed when it is freed.

use std::fmt::Debug;

use kmem::{Heap, HeapBox, Node, NodeRef, Pool, PoolBox, Ptr, Ref, Shredding, SourceCell, Tree, unsize};

const SECRET: &str = "correct horse";

/// What every kind of debugging output shows instead.
#[track_caller]
fn is_redacted(owner: &dyn Debug) {
    assert_eq!(format!("{owner:?}"), "[REDACTED]");
    assert_eq!(format!("{owner:#?} {owner:40?} {owner:02x?}"), "[REDACTED] [REDACTED] [REDACTED]");
}

#[track_caller]
fn is_shown(owner: &dyn Debug) {
    assert_eq!(format!("{owner:?}"), format!("{SECRET:?}"));
    assert_eq!(format!("{owner:#?}"), format!("{SECRET:#?}"));
}

#[test]
fn every_tainted_owner_is_redacted_and_no_other() {
    let (pool, source) = (Pool::new(4), SourceCell::new(Heap));
    let tree = Tree::new(SECRET);

    let mut heap = HeapBox::new(SECRET);
    is_shown(&heap);
    heap.taint();
    is_redacted(&heap);
    is_redacted(&heap.clone());
    is_shown(&heap.into_inner());

    for counted in [Ref::new(SECRET).into(), Ref::new_in(SECRET, &source).into()] {
        let counted: Ptr<'_, &str> = counted;
        is_shown(&counted);
        let mut other = counted.try_clone().unwrap();
        other.taint();
        is_redacted(&counted);
    }
    let counted = Ref::new(SECRET);
    is_shown(&counted);
    Ref::taint(&counted.clone());
    is_redacted(&counted);

    let (mut cell, neighbour): (PoolBox<'_, &str>, _) = (pool.alloc(SECRET), pool.alloc(SECRET));
    is_shown(&cell);
    cell.taint();
    is_redacted(&cell);
    is_shown(&neighbour);

    let mut root = Tree::new(SECRET);
    is_shown(&root);
    root.taint();
    is_redacted(&root);
    is_redacted(&root.node());
    is_shown(&root.node().push(SECRET));
    is_shown(&root.push_child(SECRET));

    let mut child: Node<'_, &str> = tree.push_child(SECRET);
    is_shown(&child);
    child.taint();
    is_redacted(&child);
    let pushed: NodeRef<'_, &str> = tree.node().push(SECRET);
    is_shown(&pushed);
    pushed.taint();
    is_redacted(&pushed);
    is_redacted(&Ptr::from(pushed));
    is_shown(&tree);

    let adopted = tree.node().adopt(HeapBox::new(SECRET));
    is_shown(&adopted);
    let mut owner = adopted.release();
    owner.taint();
    is_redacted(&tree.node().adopt(owner));
    is_redacted(&tree.node().adopt(counted));
}

#[test]
fn a_tainted_handle_is_redacted_whatever_it_holds_and_so_is_what_it_lends() {
    let pool = Pool::new(1);
    let tree = Tree::new(0);
    let handles: [Ptr<'_, &str>; 5] = [
        HeapBox::new(SECRET).into(),
        Ref::new(SECRET).into(),
        pool.alloc(SECRET).into(),
        Tree::new(SECRET).into(),
        tree.push_child(SECRET).into(),
    ];
    for mut handle in handles {
        is_shown(&handle);
        is_shown(&handle.as_borrowed());
        handle.taint();
        is_redacted(&handle);
        is_redacted(&handle.as_borrowed());
        is_redacted(&unsize!(handle => dyn Debug));
    }
    let mut fixed = Ptr::from(&SECRET);
    fixed.taint();
    is_shown(&fixed);
}

#[test]
fn whatever_is_drawn_from_a_source_that_shreds_is_redacted() {
    let shreds = SourceCell::new(Shredding::new(Heap));
    let mut tainted = Pool::growing_bytes(1000);
    tainted.taint();
    let mut secret_tree = Tree::new(0);
    secret_tree.taint();

    is_redacted(&Ref::new_in(SECRET, &shreds));
    is_redacted(&Ptr::from(Ref::new_in(SECRET, &shreds)));
    is_redacted(&Tree::new_in(SECRET, &shreds));
    is_redacted(&Tree::new_in(SECRET, &shreds).node().push(SECRET));
    is_redacted(&Tree::new_in(SECRET, &shreds).push_child(SECRET));
    is_redacted(&Pool::try_new_in(1, &shreds).unwrap().alloc(SECRET));
    is_redacted(&Ref::new_in(SECRET, &tainted));
    is_redacted(&Tree::new_in(SECRET, &tainted).node().push(SECRET));
    is_redacted(&Pool::try_new_in(1, &tainted).unwrap().alloc(SECRET));
    let inner = Pool::try_bytes_in(200, 3, &tainted).unwrap();
    is_redacted(&Ref::new_in(SECRET, &inner));
    is_redacted(&Ptr::from(inner.try_alloc_str(SECRET).unwrap()));
    is_redacted(&secret_tree.node().try_push_pool(1).unwrap().alloc(SECRET));

    let mut pool = Pool::growing();
    pool.taint();
    let cells: Vec<_> = (0..200).map(|_| pool.alloc(SECRET)).collect();
    cells.iter().for_each(|cell| is_redacted(cell));

    let plain = SourceCell::new(Heap);
    is_shown(&Ref::new_in(SECRET, &plain));
    is_shown(&Tree::new_in(SECRET, &plain).node().push(SECRET));
}

#[test]
fn slices_text_and_trait_objects_are_redacted_as_they_are_shown() {
    let mut text = HeapBox::<str>::from(SECRET);
    is_shown(&text);
    text.taint();
    is_redacted(&text);
    let bytes = Ref::<[u8]>::from(SECRET.as_bytes());
    assert_eq!(format!("{bytes:?}"), format!("{:?}", SECRET.as_bytes()));
    Ref::taint(&bytes);
    is_redacted(&bytes);
    let any = unsize!(Tree::new(SECRET) => dyn Debug);
    is_shown(&any);
    let mut any = any;
    any.taint();
    is_redacted(&any);
}

#[test]
fn what_holds_tainted_owners_shows_the_rest() {
    #[derive(Debug)]
    #[allow(dead_code, reason = "they are there to be shown")]
    struct Login {
        user: HeapBox<str>,
        password: HeapBox<str>,
    }
    let mut login = Login { user: "alice".into(), password: SECRET.into() };
    login.password.taint();
    assert_eq!(format!("{login:?}"), r#"Login { user: "alice", password: [REDACTED] }"#);
    let tree = Tree::new("root");
    tree.node().push("leaf");
    tree.node().push(SECRET).taint();
    let children: Vec<_> = tree.node().children().collect();
    assert_eq!(format!("{tree:?} {children:?}"), r#""root" ["leaf", [REDACTED]]"#);
    let nested = HeapBox::new(login);
    assert!(
        format!("{nested:#?}").contains("password: [REDACTED]") && !format!("{nested:#?}").contains(SECRET)
    );
}

#[test]
fn display_is_the_values() {
    let mut key = HeapBox::new(SECRET);
    key.taint();
    assert_eq!((key.to_string(), format!("{key:>15}")), (SECRET.into(), format!("{SECRET:>15}")));
}
