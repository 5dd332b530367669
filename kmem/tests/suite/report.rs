//! Reports say what was drawn, to the byte, and what draws them reads the same.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;

use kmem::raw::{self, Destructor, Request, Source, heap, pool, ptr, refs, report, tree};
use kmem_view::Snapshot;
use proptest::prelude::*;

/// A source that counts the bytes that are out.
#[repr(C)]
struct Counting {
    source: Source,
    out: Cell<usize>,
}

impl Counting {
    fn new() -> Box<Counting> {
        Box::new(Counting { source: Source::new(take, give, null_mut()), out: Cell::new(0) })
    }

    fn cell(&self) -> *mut raw::Cell {
        std::ptr::from_ref(self).cast_mut().cast()
    }
}

unsafe extern "C-unwind" fn take(source: *mut Source, size: usize, align: usize) -> *mut c_void {
    let out = unsafe { &(*source.cast::<Counting>()).out };
    out.set(out.get() + size);
    unsafe { alloc(Layout::from_size_align(size, align).unwrap()).cast() }
}

unsafe extern "C-unwind" fn give(source: *mut Source, block: *mut c_void, size: usize, align: usize) {
    let out = unsafe { &(*source.cast::<Counting>()).out };
    out.set(out.get() - size);
    unsafe { dealloc(block.cast(), Layout::from_size_align_unchecked(size, align)) };
}

unsafe extern "C-unwind" fn nothing(_: *mut c_void, _: *mut c_void) {}

const HOOK: Destructor = Destructor { run: Some(nothing), arg: null_mut() };

unsafe fn json(root: *mut u8, depth: usize) -> Snapshot {
    let mut json = String::new();
    unsafe { report::json(root, depth, &mut |piece| json.push_str(piece)) };
    Snapshot::read(json.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{json}"))
}

unsafe fn text(root: *mut u8, depth: usize) -> String {
    let mut text = String::new();
    unsafe { report::text(root, depth, &mut |piece| text.push_str(piece)) };
    text
}

fn drawn(snapshot: &Snapshot, depth: Option<u32>) -> String {
    let mut text = Vec::new();
    snapshot.text(&mut text, depth).unwrap();
    String::from_utf8(text).unwrap()
}

/// What is done to a tree, to the node with a number.
#[derive(Clone, Debug)]
enum Step {
    Node { above: usize, size: usize, align: usize, named: bool, drop: bool },
    Hook { above: usize },
    Adopt { above: usize, size: usize, named: bool },
    Pool { above: usize, cells: usize, taken: usize },
    Taint { above: usize },
    Resize { above: usize, size: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let above = 0..50usize;
    prop_oneof![
        4 => (above.clone(), 0..300usize, prop_oneof![Just(0usize), Just(64)], any::<bool>(), any::<bool>())
            .prop_map(|(above, size, align, named, drop)| Step::Node { above, size, align, named, drop }),
        1 => above.clone().prop_map(|above| Step::Hook { above }),
        1 => (above.clone(), 0..100usize, any::<bool>())
            .prop_map(|(above, size, named)| Step::Adopt { above, size, named }),
        1 => (above.clone(), 1..20usize, 0..40usize)
            .prop_map(|(above, cells, taken)| Step::Pool { above, cells, taken }),
        1 => above.clone().prop_map(|above| Step::Taint { above }),
        1 => (above, 0..3000usize).prop_map(|(above, size)| Step::Resize { above, size }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_report_counts_each_byte_that_was_drawn_and_its_text_is_the_viewers(
        steps in proptest::collection::vec(step(), 0..60),
        depth in 0..6usize,
    ) {
        let source = Counting::new();
        unsafe {
            let root = tree::a(source.cell(), null_mut(), 8);
            let mut nodes = vec![root];
            let (mut cells, mut size) = (1, 8);
            for step in steps {
                let name = |named| if named { Some(c"na\"me\n") } else { None };
                let at = |above: usize| above % nodes.len();
                match step {
                    Step::Node { above, size: data, align, named, drop } => {
                        let drop = drop.then_some(HOOK);
                        let request = Request { align, name: name(named), drop, ..Request::new(data) };
                        nodes.push(tree::alloc(source.cell(), nodes[at(above)], &request).unwrap().as_ptr());
                        (cells, size) = (cells + 1, size + data);
                    }
                    Step::Hook { above } => tree::h(nodes[at(above)], HOOK).unwrap(),
                    Step::Adopt { above, size: data, named } => {
                        let request = Request { name: name(named), ..Request::new(data) };
                        let counted = refs::alloc(source.cell(), &request).unwrap();
                        tree::k(nodes[at(above)], refs::handle(counted.as_ptr())).unwrap();
                        (cells, size) = (cells + 1, size + data);
                    }
                    Step::Pool { above, cells: has, taken } => {
                        let spec = pool::Spec { grows: true, name: name(true), ..pool::Spec::new(24, has) };
                        let pool = pool::init(tree::handle(nodes[at(above)]).cell, &spec).unwrap().as_ptr();
                        let taken: Vec<_> = (0..taken).map(|_| pool::a(pool)).collect();
                        taken.iter().skip(3).for_each(|&cell| pool::f(cell));
                        (cells, size) = (cells + 1, size + 24 * taken.len().min(3));
                    }
                    Step::Taint { above } => ptr::taint(&mut tree::handle(nodes[at(above)])),
                    Step::Resize { above, size: data } => {
                        let at = at(above);
                        size = size - ptr::size(tree::handle(nodes[at])) + data;
                        nodes[at] = tree::r(nodes[at], data);
                    }
                }
                let root = nodes[0];
                let counted = report::count(root, None);
                prop_assert_eq!(counted, report::Sum { cells, size, block: source.out.get() });
            }
            let root = nodes[0];
            let whole = json(root, usize::MAX);
            prop_assert_eq!(whole.cells().len(), cells);
            prop_assert_eq!((whole.total().cells, whole.total().size), (cells as u64, size as u64));
            prop_assert_eq!(drawn(&whole, None), text(root, usize::MAX));
            // Cut off by the library, or by the viewer, it says the same.
            prop_assert_eq!(drawn(&whole, Some(depth as u32)), text(root, depth));
            prop_assert_eq!(drawn(&json(root, depth), None), text(root, depth));
            tree::f(root);
        }
        prop_assert_eq!(source.out.get(), 0);
    }
}

#[test]
fn every_kind_of_object_is_shown_as_what_it_is() {
    unsafe {
        let root = tree::alloc(null_mut(), null_mut(), &Request { name: Some(c"root"), ..Request::new(8) });
        let root = root.unwrap().as_ptr();
        let named = pool::Spec { name: Some(c"bytes"), ..pool::Spec::new(48, 4) };
        let bytes = pool::init(null_mut(), &named).unwrap().as_ptr();
        let mut key = heap::zo(32);
        ptr::taint(&mut key);
        for object in [key, refs::ao(bytes.cast(), 16), pool::ao(bytes, 1), ptr::stat(c"x".as_ptr().cast())] {
            tree::k(root, object).unwrap();
        }
        let hosted = pool::init(tree::handle(root).cell, &pool::Spec::new(32, 10)).unwrap().as_ptr();
        pool::a(hosted);
        let shown = text(root, 9);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(
            lines[..6],
            [
                "tree \"root\", 8 bytes",
                "  heap, 32 bytes, adopted, tainted",
                "  ref, 16 bytes, 1 reference, adopted, from pool",
                "  pool \"bytes\", 48 bytes, adopted, from pool",
                "  none, 0 bytes, adopted",
                "  store, 32 bytes, 1 of 10 cells in use, at most 1, from tree",
            ]
        );
        assert!(lines[6].starts_with("6 cells, 136 bytes, "), "{shown}");
        assert_eq!(drawn(&json(root, 9), None), shown);
        let mut store = String::new();
        report::pool_json(bytes, &mut |piece| store.push_str(piece));
        let store = Snapshot::read(store.as_bytes()).unwrap();
        assert_eq!(
            drawn(&store, None).lines().next(),
            Some("store \"bytes\", 96 bytes, 2 of 4 cells in use, at most 2")
        );
        let mut shown = String::new();
        report::pool_text(bytes, &mut |piece| shown.push_str(piece));
        assert_eq!(drawn(&store, None), shown);
        tree::f(root);
        pool::x(bytes);
    }
}

#[test]
fn a_chain_of_a_hundred_thousand_is_reported_in_constant_stack() {
    unsafe {
        let root = tree::a(null_mut(), null_mut(), 8);
        let mut deep = root;
        for _ in 1..100_000 {
            deep = tree::a(null_mut(), deep, 8);
        }
        let snapshot = json(root, usize::MAX);
        assert_eq!((snapshot.cells().len(), snapshot.total().size), (100_000, 800_000));
        assert_eq!(
            text(root, 3).lines().nth(3),
            Some("      tree, 8 bytes, 99996 cells of 799968 bytes below")
        );
        tree::f(root);
    }
}
