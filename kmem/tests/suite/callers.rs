//! A refusal panics at the line that called, wherever in kmem it is found out.

#![allow(clippy::redundant_closure, reason = "a function that is given as a value has no caller")]

use std::cell::Cell;
#[cfg(feature = "arena")]
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use kmem::{Heap, HeapBox, Named, Pool, Ref, Tree};

use crate::support::with_one_refusal;

thread_local! {
    static FILE: Cell<Option<String>> = const { Cell::new(None) };
    static LOOKS: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, which panics as an allocation is refused, and asserts that the panic names this file.
#[track_caller]
fn names_this_file<R>(work: impl FnOnce() -> R) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if LOOKS.get() {
                FILE.set(info.location().map(|location| location.file().into()));
            } else {
                before(info);
            }
        }));
    });
    LOOKS.set(true);
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(work())));
    LOOKS.set(false);
    let text = panicked.expect_err("nothing was refused").downcast::<String>().unwrap();
    assert!(text.starts_with("allocation refused: "), "{text}");
    assert_eq!(FILE.take().as_deref(), Some(file!()));
}

/// A value that no source takes.
#[derive(Clone, Default)]
#[repr(align(8192))]
struct Wide(#[allow(dead_code, reason = "a value has something in it")] u8);

#[test]
fn of_a_heap_cell() {
    names_this_file(|| HeapBox::new(Wide(1)));
    names_this_file(|| HeapBox::new_in(Wide(1), Named(c"wide", Heap)));
    names_this_file(|| HeapBox::zeroed(usize::MAX));
    names_this_file(|| HeapBox::<Wide>::default());
    names_this_file(|| HeapBox::<Wide>::from(Wide(1)));
    names_this_file(|| HeapBox::<[Wide]>::from(&[Wide(1), Wide(2)][..]));
    names_this_file(|| HeapBox::<[Wide]>::from(vec![Wide(1), Wide(2)]));
    names_this_file(|| HeapBox::<[Wide]>::from_iter([Wide(1), Wide(2)]));
    names_this_file(|| with_one_refusal(|| HeapBox::<str>::from("text")));
    let text = String::from("text");
    names_this_file(|| with_one_refusal(|| HeapBox::<str>::from(text)));
    let cell = HeapBox::new(7);
    names_this_file(|| with_one_refusal(|| cell.clone()));
}

#[test]
fn of_a_counted_cell() {
    let pool = Pool::bytes(8, 1);
    names_this_file(|| Ref::new(Wide(1)));
    names_this_file(|| Ref::new_in(7, &pool));
    names_this_file(|| Ref::new_in(7, Named(c"seven", &pool)));
    names_this_file(|| Ref::<Wide>::default());
    names_this_file(|| Ref::<Wide>::from(Wide(1)));
    names_this_file(|| Ref::<[Wide]>::from(&[Wide(1), Wide(2)][..]));
    names_this_file(|| Ref::<[Wide]>::from(vec![Wide(1), Wide(2)]));
    names_this_file(|| Ref::<[Wide]>::from_iter([Wide(1), Wide(2)]));
    names_this_file(|| with_one_refusal(|| Ref::<str>::from("text")));
    let text = String::from("text");
    names_this_file(|| with_one_refusal(|| Ref::<str>::from(text)));
    let mut one = Ref::new(7);
    let _two = one.clone();
    names_this_file(|| with_one_refusal(|| *Ref::make_mut(&mut one)));
}

#[test]
fn of_a_pool_or_one_of_its_cells() {
    names_this_file(|| Pool::<Wide>::new(1));
    names_this_file(|| Pool::<Wide>::growing());
    names_this_file(|| Pool::bytes(usize::MAX, 1));
    names_this_file(|| Pool::growing_bytes(usize::MAX));
    let pool = Pool::new(1);
    let _taken = pool.alloc(1);
    names_this_file(|| pool.alloc(2));
}

#[test]
#[cfg(feature = "arena")]
fn of_an_arena_or_one_of_its_values() {
    use kmem::Arena;
    names_this_file(|| Arena::with_capacity(usize::MAX));
    names_this_file(|| with_one_refusal(|| Arena::new()));
    names_this_file(|| with_one_refusal(|| Arena::default()));
    names_this_file(|| Arena::new_in(Heap, usize::MAX));
    let mut arena = Arena::new();
    names_this_file(|| arena.alloc(Wide(1)).0);
    names_this_file(|| arena.alloc_with(|| Wide(1)).0);
    names_this_file(|| arena.alloc_uninit::<Wide>().as_ptr());
    names_this_file(|| arena.alloc_slice_clone(&[Wide(1)]).len());
    names_this_file(|| arena.alloc_slice_fill_with(usize::MAX, |index| index).len());
    names_this_file(|| arena.alloc_iter([Wide(1)]).len());
    names_this_file(|| arena.own(Wide(1)).0);
    names_this_file(|| arena.own_iter([Wide(1)]).len());
    let mut buffer = [MaybeUninit::uninit(); 600];
    let small = Arena::in_buffer(&mut buffer).unwrap();
    names_this_file(|| small.alloc_slice_copy(&[1; 1000]).len());
    names_this_file(|| small.alloc_str(&"text".repeat(1000)).len());
    arena.scope(|scope| names_this_file(|| scope.alloc(Wide(1)).0));
}

#[test]
fn of_a_node() {
    names_this_file(|| Tree::new(Wide(1)));
    names_this_file(|| Tree::new_in(Wide(1), Heap));
    names_this_file(|| Tree::new_in(Wide(1), Named(c"wide", Heap)));
    names_this_file(|| Tree::<Wide>::from(Wide(1)));
    names_this_file(|| with_one_refusal(|| Tree::<str>::from("text")));
    let pool = Pool::bytes(80, 1);
    let tree = Tree::new_in(1, &pool);
    names_this_file(|| tree.push_child(2));
    names_this_file(|| tree.node().push(2));
    names_this_file(|| Named(c"two", tree.node()).push(2));
    names_this_file(|| tree.node().push_child(2));
    names_this_file(|| Named(c"two", tree.node()).push_child(2));
    names_this_file(|| tree.node().adopt(HeapBox::new(2)));
    names_this_file(|| tree.node().on_free(|| ()));
}

/// What no test can have refused without a damaged header is among these.
#[test]
fn whatever_may_panic_tracks_its_caller() {
    let mut found = 0;
    for file in crate::reasons::sources(crate::reasons::here().join("src")) {
        let source = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<_> = source.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            if !line.contains("emplace::made(") && !line.contains("emplace::refuse(") {
                continue;
            }
            let heads = lines[..number].iter().rev();
            let above: Vec<_> = heads.skip_while(|line| !line.contains("fn ")).take(4).collect();
            let tracks = above.iter().any(|line| line.trim() == "#[track_caller]");
            assert!(tracks && !line.contains("| emplace::"), "{}:{}: {line}", file.display(), number + 1);
            found += 1;
        }
    }
    assert!(found > 20);
}
