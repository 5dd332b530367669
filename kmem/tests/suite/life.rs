//! The life of a node: it grows, moves, gets hooks, adopts and lets go.

use std::alloc::Layout;
use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr::null_mut;

use kmem::raw::{Destructor, Handle, Request, Source, heap, pool, ptr, refs, tree};
use kmem::{AllocError, Kind};

use crate::support::{leaks_nothing, quietly, unwind};

unsafe fn node(parent: *mut u8) -> *mut u8 {
    unsafe { tree::a(null_mut(), parent, 16) }
}

thread_local! {
    static SAID: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

unsafe extern "C-unwind" fn say(_: *mut c_void, arg: *mut c_void) {
    SAID.with_borrow_mut(|said| said.push(arg.addr()));
}

fn saying(number: usize) -> Destructor {
    Destructor { run: Some(say), arg: std::ptr::without_provenance_mut(number) }
}

fn said() -> Vec<usize> {
    SAID.take()
}

unsafe fn children(parent: *mut u8) -> Vec<*mut u8> {
    let next = |&child: &*mut u8| Some(unsafe { tree::cn(child) }).filter(|next| !next.is_null());
    std::iter::successors(Some(unsafe { tree::c(parent) }).filter(|first| !first.is_null()), next).collect()
}

#[test]
fn a_node_that_moves_as_it_grows_keeps_all_around_it() {
    for position in 0..3 {
        leaks_nothing(|| unsafe {
            let root = node(null_mut());
            let mut nodes = [node(root), node(root), node(root)];
            let below: Vec<_> = (0..5).map(|_| node(nodes[position])).collect();
            let pool = pool::i(tree::handle(nodes[position]).cell, 32, 4);
            tree::h(nodes[position], saying(1)).unwrap();
            for size in [100, 100_000, 3_000_000, 8] {
                nodes[position] = tree::r(nodes[position], size);
                assert_eq!(children(root), nodes);
                assert_eq!(children(nodes[position])[..5], below);
                assert!(below.iter().all(|&child| tree::p(child) == nodes[position]));
                assert_eq!((*pool).src.cast(), tree::handle(nodes[position]).cell);
                assert_eq!(tree::verify(root), Ok(11));
                // The pool that hangs below still grows, gives and takes.
                pool::f(pool::a(pool));
            }
            tree::f(root);
            assert_eq!(said(), [1]);
        });
    }
}

#[test]
fn a_root_that_moves_as_it_grows_keeps_its_children() {
    leaks_nothing(|| unsafe {
        let root = node(null_mut());
        let child = node(root);
        let root = tree::r(root, 5_000_000);
        assert_eq!((tree::p(child), tree::verify(root)), (root, Ok(2)));
        tree::f(root);
    });
}

#[test]
fn a_node_moves_with_all_below_it_to_the_end_of_its_new_siblings() {
    leaks_nothing(|| unsafe {
        let (one, two) = (node(null_mut()), node(null_mut()));
        let (a, b, c, d) = (node(one), node(one), node(one), node(two));
        let leaf = node(b);
        tree::m(b, two).unwrap();
        assert_eq!((children(one), children(two)), (vec![a, c], vec![d, b]));
        assert_eq!((tree::p(leaf), tree::p(b)), (b, two));
        tree::m(b, null_mut()).unwrap();
        assert!(tree::p(b).is_null());
        assert_eq!(children(two), [d]);
        tree::mu(b, a).unwrap();
        tree::m(a, one).unwrap();
        assert_eq!(children(one), [c, a], "below the same parent a node becomes the last");
        assert_eq!((tree::verify(one), tree::verify(two)), (Ok(5), Ok(2)));
        tree::f(one);
        tree::f(two);
    });
}

#[test]
fn a_node_cannot_be_put_below_itself() {
    unsafe {
        let root = node(null_mut());
        let child = node(root);
        let leaf = node(child);
        for (moved, below) in [(root, root), (root, child), (root, leaf), (child, leaf), (leaf, leaf)] {
            assert_eq!(tree::m(moved, below), Err(AllocError::Below));
        }
        assert_eq!(tree::mc(root, leaf), Err(AllocError::Below));
        assert_eq!(tree::k(leaf, tree::handle(root)), Err(AllocError::Below));
        assert_eq!(tree::verify(root), Ok(3));
        assert_eq!(tree::m(null_mut(), root), Err(AllocError::Source(None)));
        tree::f(root);
    }
}

#[test]
fn all_children_move_at_once_and_hooks_stay() {
    leaks_nothing(|| unsafe {
        let (one, two) = (node(null_mut()), node(null_mut()));
        let moved = [node(one), node(one)];
        tree::h(one, saying(1)).unwrap();
        tree::k(one, heap::ao(8)).unwrap();
        let there = node(two);
        tree::h(two, saying(2)).unwrap();
        tree::mc(one, two).unwrap();
        assert_eq!((children(one), children(two)), (vec![], vec![there, moved[0], moved[1]]));
        tree::mc(two, two).unwrap();
        assert_eq!((tree::verify(one), tree::verify(two)), (Ok(2), Ok(6)));
        tree::f(one);
        assert_eq!(said(), [1]);
        tree::f(two);
        assert_eq!(said(), [2]);
    });
}

#[test]
fn a_pool_moves_with_the_node_that_it_is() {
    leaks_nothing(|| unsafe {
        let (one, two) = (node(null_mut()), node(null_mut()));
        let pool = pool::init(tree::handle(one).cell, &pool::Spec { grows: true, ..pool::Spec::new(32, 2) });
        let pool = pool.unwrap().as_ptr();
        tree::m(pool.cast(), two).unwrap();
        tree::f(one);
        for _ in 0..20 {
            assert!(!pool::a(pool).is_null());
        }
        assert_eq!(tree::p(pool.cast()), two);
        tree::m(pool.cast(), null_mut()).unwrap();
        tree::f(two);
        assert!(!pool::a(pool).is_null());
        pool::x(pool);
    });
}

#[cfg(feature = "shred")]
#[test]
fn a_pool_that_leaves_a_tainted_node_is_zeroed_all_the_same() {
    let freed = crate::support::marked_when_freed(|| unsafe {
        let (one, two) = (node(null_mut()), node(null_mut()));
        ptr::taint(&mut tree::handle(one));
        let pool = pool::i(tree::handle(one).cell, 64, 2);
        pool::a(pool).write_bytes(crate::support::MARK, 64);
        tree::m(pool.cast(), two).unwrap();
        tree::f(one);
        tree::f(two);
    });
    assert_eq!(freed, 0);
}

#[test]
fn everything_below_a_node_goes_and_the_node_stays() {
    leaks_nothing(|| unsafe {
        let root = node(null_mut());
        tree::h(root, saying(9)).unwrap();
        for number in 1..4 {
            let drop = Some(saying(number));
            tree::alloc(null_mut(), root, &Request { drop, ..Request::new(8) }).unwrap();
        }
        tree::k(root, heap::ao(8)).unwrap();
        tree::x(root);
        assert_eq!((said(), tree::below(root), tree::verify(root)), (vec![1, 2, 3], 0, Ok(2)));
        tree::x(null_mut());
        tree::f(root);
        assert_eq!(said(), [9]);
    });
}

#[test]
fn hooks_run_before_what_is_below_goes_the_last_one_first() {
    leaks_nothing(|| unsafe {
        let with = |drop, parent| {
            let request = Request { drop: Some(saying(drop)), ..Request::new(8) };
            tree::alloc(null_mut(), parent, &request).unwrap().as_ptr()
        };
        let root = with(1, null_mut());
        tree::h(root, saying(11)).unwrap();
        let child = with(2, root);
        tree::h(root, saying(12)).unwrap();
        tree::h(child, saying(21)).unwrap();
        with(3, child);
        tree::f(root);
        assert_eq!(said(), [12, 11, 21, 3, 2, 1]);
    });
}

#[test]
fn the_last_hook_like_this_is_removed_and_does_not_run() {
    leaks_nothing(|| unsafe {
        let root = node(null_mut());
        for number in [1, 2, 1, 3] {
            tree::h(root, saying(number)).unwrap();
        }
        assert!(tree::hx(root, saying(1)));
        assert!(!tree::hx(root, saying(4)));
        tree::f(root);
        assert_eq!(said(), [3, 2, 1]);
    });
}

#[test]
fn a_hook_sees_the_node_and_what_is_below_it() {
    unsafe extern "C-unwind" fn look(data: *mut c_void, seen: *mut c_void) {
        unsafe { seen.cast::<(u8, usize)>().write((data.cast::<u8>().read(), tree::below(data.cast()))) };
    }
    let mut seen = (0u8, 0usize);
    unsafe {
        let root = node(null_mut());
        root.write(7);
        node(node(root));
        tree::h(root, Destructor { run: Some(look), arg: (&raw mut seen).cast() }).unwrap();
        tree::f(root);
    }
    assert_eq!(seen, (7, 2));
}

#[test]
fn a_hook_may_free_and_let_go_what_is_below_its_node() {
    unsafe extern "C-unwind" fn free_children(data: *mut c_void, _: *mut c_void) {
        unsafe {
            let child = tree::c(data.cast());
            tree::m(child, null_mut()).unwrap();
            tree::f(child);
            tree::f(tree::c(data.cast()));
        }
    }
    leaks_nothing(|| unsafe {
        let root = node(null_mut());
        node(node(root));
        node(root);
        node(root);
        tree::h(root, Destructor { run: Some(free_children), arg: null_mut() }).unwrap();
        tree::f(root);
    });
}

#[test]
fn a_hook_that_unwinds_stops_nothing() {
    unsafe extern "C-unwind" fn panicking(_: *mut c_void, _: *mut c_void) {
        unwind();
    }
    leaks_nothing(|| {
        let unwound = quietly(|| unsafe {
            let root = node(null_mut());
            tree::h(root, saying(1)).unwrap();
            tree::h(root, Destructor { run: Some(panicking), arg: null_mut() }).unwrap();
            tree::h(root, saying(2)).unwrap();
            node(root);
            tree::f(root);
        });
        assert!(unwound.is_err());
        drop(unwound);
        assert_eq!(said(), [2, 1]);
    });
}

#[test]
fn an_adopted_object_goes_with_its_node_whatever_it_is() {
    leaks_nothing(|| unsafe {
        let bytes = pool::i(null_mut(), 64, 4);
        let request = |number| Request { drop: Some(saying(number)), ..Request::new(8) };
        let root = node(null_mut());
        let counted = refs::alloc(null_mut(), &request(2)).unwrap().as_ptr();
        let adopted = [
            heap::handle(heap::alloc(&request(1)).unwrap().as_ptr()),
            refs::handle(refs::u(counted)),
            pool::ao(bytes, 8),
            ptr::stat(c"static".as_ptr().cast()),
            tree::handle(tree::alloc(null_mut(), null_mut(), &request(4)).unwrap().as_ptr()),
        ];
        for object in adopted {
            tree::k(root, object).unwrap();
        }
        let walked: Vec<_> = tree::walk(root).skip(1).map(|visit| (visit.object, visit.depth)).collect();
        assert_eq!(walked, adopted.map(|object| (object, 1)));
        tree::f(root);
        assert_eq!(said(), [1, 4]);
        assert_eq!((refs::count(counted), pool::live(bytes)), (1, 0));
        refs::f(counted);
        assert_eq!(said(), [2]);
        pool::x(bytes);
    });
}

#[test]
fn what_a_node_lets_go_is_its_callers_again() {
    leaks_nothing(|| unsafe {
        let root = node(null_mut());
        let counted = refs::zo(null_mut(), 8);
        refs::u(counted.data);
        tree::k(root, counted).unwrap();
        tree::k(root, counted).unwrap();
        let child = node(root);
        assert_eq!(tree::l(root, counted.data), counted);
        refs::f(counted.data);
        assert_eq!(refs::count(counted.data), 1);
        assert_eq!(tree::l(root, child), tree::handle(child));
        assert!(tree::p(child).is_null());
        assert_eq!(tree::l(root, child), Handle::NULL);
        tree::f(child);
        tree::f(root);
    });
}

/// talloc's confusing cases: free of a parent with references elsewhere, steal of a referenced child.
#[test]
fn an_object_held_by_several_trees_goes_with_the_last_and_each_frees_its_own_hold_alone() {
    leaks_nothing(|| unsafe {
        let shared = refs::handle(
            refs::alloc(null_mut(), &Request { drop: Some(saying(1)), ..Request::new(8) }).unwrap().as_ptr(),
        );
        let [one, two, three] = [node(null_mut()), node(null_mut()), node(null_mut())];
        tree::k(one, shared).unwrap();
        refs::u(shared.data);
        tree::k(two, shared).unwrap();
        tree::f(one); // the first parent goes: the other's hold is not touched
        assert_eq!((said(), refs::count(shared.data)), (vec![], 1));
        let moved = tree::l(two, shared.data); // "steal" names which hold moves
        tree::k(three, moved).unwrap();
        tree::f(two);
        assert!(said().is_empty());
        tree::f(three);
        assert_eq!(said(), [1]);
    });
}

#[cfg(feature = "shred")]
#[test]
fn what_a_shredded_node_has_adopted_is_zeroed() {
    let freed = crate::support::marked_when_freed(|| unsafe {
        let root = node(null_mut());
        for object in [heap::ao(64), refs::ao(null_mut(), 64)] {
            object.data.write_bytes(crate::support::MARK, 64);
            tree::k(root, object).unwrap();
        }
        tree::s(root);
    });
    assert_eq!(freed, 0);
}

#[cfg(feature = "shred")]
#[test]
fn a_tainted_tree_that_is_adopted_is_zeroed_with_all_that_is_below_it() {
    let marked = |parent| unsafe {
        let data = node(parent);
        data.write_bytes(crate::support::MARK, 16);
        data
    };
    for let_go in [false, true] {
        let freed = crate::support::marked_when_freed(|| unsafe {
            let (root, tree) = (node(null_mut()), marked(null_mut()));
            let mut handle = tree::handle(tree);
            ptr::taint(&mut handle);
            tree::k(root, handle).unwrap();
            let child = marked(tree);
            marked(child);
            let object = heap::ao(16);
            object.data.write_bytes(crate::support::MARK, 16);
            tree::k(child, object).unwrap();
            if let_go {
                assert_eq!(tree::l(root, tree), handle);
                ptr::free(handle);
            }
            tree::f(root);
        });
        assert_eq!(freed, 0);
    }
}

#[cfg(feature = "shred")]
#[test]
fn what_a_hook_of_a_tainted_node_carries_is_zeroed() {
    for cancel in [false, true] {
        let freed = crate::support::marked_when_freed(|| {
            let mut tree = kmem::Tree::new(1);
            tree.taint();
            let secret = [crate::support::MARK; 64];
            let hook = tree.node().on_free(move || {
                std::hint::black_box(&secret);
            });
            if cancel {
                hook.cancel();
            }
        });
        assert_eq!(freed, 0);
    }
}

#[test]
fn what_was_adopted_moves_without_what_its_former_node_was_drawn_from() {
    leaks_nothing(|| unsafe {
        let bytes = pool::i(null_mut(), 96, 4);
        let (from, to) = (tree::a(bytes.cast(), null_mut(), 8), node(null_mut()));
        let (first, shared, last) = (heap::ao(100), refs::ao(null_mut(), 8), node(from));
        tree::k(from, first).unwrap();
        tree::k(from, shared).unwrap();
        assert_eq!(pool::live(bytes), 3);
        // Each small node that is drawn anew may be refused, and nothing has changed then.
        for allowed in 0..2 {
            let refused = crate::support::with_allocations(allowed, || tree::mc(from, to));
            assert!(matches!(refused, Err(AllocError::Exhausted { .. })));
            assert_eq!((pool::live(bytes), tree::below(from), tree::below(to)), (3, 3, 0));
        }
        tree::mc(from, to).unwrap();
        assert_eq!(pool::live(bytes), 1);
        let walked: Vec<_> = tree::walk(to).skip(1).map(|visit| visit.object.data).collect();
        assert_eq!(walked, [last, first.data, shared.data]);
        tree::f(from);
        pool::x(bytes);
        assert_eq!(tree::l(to, first.data), first);
        heap::f(first.data);
        tree::f(to);
    });
}

/// A source over the heap that does something at its next call.
struct Does {
    next: RefCell<Option<Box<dyn FnOnce()>>>,
}

impl Does {
    unsafe extern "C-unwind" fn allocate(source: *mut Source, size: usize, align: usize) -> *mut c_void {
        unsafe {
            Does::run(source);
            std::alloc::alloc(Layout::from_size_align(size, align).unwrap()).cast()
        }
    }

    unsafe extern "C-unwind" fn free(source: *mut Source, block: *mut c_void, size: usize, align: usize) {
        unsafe {
            std::alloc::dealloc(block.cast(), Layout::from_size_align(size, align).unwrap());
            Does::run(source);
        }
    }

    unsafe fn run(source: *mut Source) {
        let next = unsafe { (*(*source).context.cast::<Does>()).next.take() };
        if let Some(next) = next {
            next();
        }
    }

    fn source(&self) -> Source {
        Source::new(Does::allocate, Does::free, (&raw const *self).cast_mut().cast())
    }
}

/// Two roots, of which the second was drawn from a source and the first from the heap, or the other way round.
unsafe fn two_roots(source: &mut Source, second: bool) -> (*mut u8, *mut u8) {
    let drawn = unsafe { tree::a((&raw mut *source).cast(), null_mut(), 8) };
    let other = unsafe { node(null_mut()) };
    if second { (other, drawn) } else { (drawn, other) }
}

#[test]
fn a_source_may_change_what_is_to_move_as_holders_are_drawn_and_given_back() {
    for at_draw in [true, false] {
        leaks_nothing(|| unsafe {
            let does = Does { next: RefCell::new(None) };
            let mut source = does.source();
            let (from, to) = two_roots(&mut source, at_draw);
            tree::k(from, heap::ao(8)).unwrap();
            let sibling = node(from);
            tree::k(from, heap::ao(8)).unwrap();
            *does.next.borrow_mut() = Some(Box::new(move || {
                tree::f(sibling);
            }));
            tree::mc(from, to).unwrap();
            assert_eq!((tree::verify(from), tree::verify(to)), (Ok(1), Ok(3)));
            *does.next.borrow_mut() = None;
            tree::f(from);
            tree::f(to);
        });
    }
}

#[test]
fn a_source_that_unwinds_as_children_move_loses_nothing() {
    for at_draw in [true, false] {
        leaks_nothing(|| unsafe {
            let does = Does { next: RefCell::new(None) };
            let mut source = does.source();
            let (from, to) = two_roots(&mut source, at_draw);
            for number in [1, 2] {
                let request = Request { drop: Some(saying(number)), ..Request::new(8) };
                tree::k(from, heap::handle(heap::alloc(&request).unwrap().as_ptr())).unwrap();
            }
            let again: *const Does = &does;
            *does.next.borrow_mut() = Some(if at_draw {
                // The second one.
                Box::new(move || *(*again).next.borrow_mut() = Some(Box::new(|| unwind())))
            } else {
                Box::new(|| unwind())
            });
            quietly(|| tree::mc(from, to)).unwrap_err();
            let moved = if at_draw { (Ok(3), Ok(1)) } else { (Ok(1), Ok(3)) };
            assert_eq!((tree::verify(from), tree::verify(to)), moved);
            tree::f(from);
            tree::f(to);
            assert_eq!(said(), [1, 2]);
        });
    }
}

#[test]
fn a_flag_on_a_small_node_makes_no_pool_of_it() {
    unsafe {
        let small = tree::a(null_mut(), null_mut(), 0);
        (*tree::handle(small).cell).flags |= kmem::raw::FLAG_HOST;
        assert_eq!(ptr::name(tree::handle(small)), None);
        (*tree::handle(small).cell).flags &= !kmem::raw::FLAG_HOST;
        tree::f(small);
    }
}

#[test]
fn a_hook_may_let_go_of_what_its_node_has_adopted() {
    unsafe extern "C-unwind" fn rescues(data: *mut c_void, kept: *mut c_void) {
        unsafe {
            let object = tree::walk(data.cast()).nth(1).unwrap().object;
            *kept.cast::<Handle>() = tree::l(data.cast(), object.data);
        }
    }
    leaks_nothing(|| unsafe {
        let mut kept = Handle::NULL;
        let (root, object) = (node(null_mut()), heap::ao(8));
        tree::k(root, object).unwrap();
        tree::h(root, Destructor { run: Some(rescues), arg: (&raw mut kept).cast() }).unwrap();
        tree::f(root);
        assert_eq!(kept, object);
        heap::f(object.data);
    });
}

#[test]
fn a_refused_adoption_leaves_the_object_with_its_caller() {
    leaks_nothing(|| unsafe {
        let bytes = pool::i(null_mut(), 96, 1);
        let root = tree::a(bytes.cast(), null_mut(), 8);
        let object = heap::ao(8);
        assert!(matches!(tree::k(root, object), Err(AllocError::Exhausted { .. })));
        assert!(matches!(tree::h(root, saying(1)), Err(AllocError::Exhausted { .. })));
        assert_eq!(tree::k(root, Handle::NULL), Err(AllocError::Source(None)));
        heap::f(object.data);
        tree::f(root);
        pool::x(bytes);
    });
}

#[test]
fn a_walk_takes_constant_stack_and_sees_each_node_once() {
    unsafe {
        let root = node(null_mut());
        let mut deep = root;
        for _ in 0..200_000 {
            deep = node(deep);
        }
        assert_eq!(tree::walk(root).count(), 200_001);
        assert_eq!(
            tree::walk(root).last().map(|visit| (visit.object.data, visit.depth)),
            Some((deep, 200_000))
        );
        tree::f(root);
    }
}

#[test]
fn names_are_those_that_were_given() {
    unsafe {
        let request = Request { name: Some(c"config"), ..Request::new(8) };
        let data = tree::alloc(null_mut(), null_mut(), &request).unwrap().as_ptr();
        let handle = tree::handle(data);
        assert_eq!(ptr::cast(handle, c"config"), data);
        assert!(ptr::cast(handle, c"key").is_null());
        assert!(ptr::cast(Handle::NULL, c"key").is_null());
        assert_eq!(ptr::name(ptr::stat(data)), None);
        // One that was written over is none.
        data.add(8).cast::<[u8; 8]>().write([b'A'; 8]);
        assert_eq!(ptr::name(handle), None);
        tree::f(data);
        assert_eq!(Kind::from_raw(handle.kind), Some(Kind::Tree));
    }
}

#[test]
fn a_pool_on_a_node_goes_after_all_else_below_it_so_that_the_rest_may_come_from_it() {
    leaks_nothing(|| unsafe {
        let root = node(null_mut());
        let first = pool::i(tree::handle(root).cell, 128, 8);
        let second = pool::i(tree::handle(root).cell, 128, 8);
        let drop = |number| Request { drop: Some(saying(number)), ..Request::new(8) };
        let drawn = tree::alloc(first.cast(), root, &drop(1)).unwrap().as_ptr();
        let other = tree::alloc(null_mut(), root, &drop(2)).unwrap().as_ptr();
        tree::alloc(second.cast(), other, &drop(3)).unwrap();
        tree::k(root, pool::ao(first, 8)).unwrap();
        tree::k(root, refs::handle(refs::alloc(second.cast(), &drop(4)).unwrap().as_ptr())).unwrap();
        assert_eq!(children(root), [drawn, other, second.cast(), first.cast()]);
        assert_eq!((tree::verify(root), pool::live(first), pool::live(second)), (Ok(8), 2, 2));

        // They stay behind the others wherever they are moved, one by one or at once.
        let elsewhere = node(null_mut());
        let there = pool::i(tree::handle(elsewhere).cell, 8, 8);
        tree::m(second.cast(), elsewhere).unwrap();
        tree::m(second.cast(), root).unwrap();
        tree::mc(root, elsewhere).unwrap();
        assert_eq!(children(elsewhere)[..2], [drawn, other]);
        assert_eq!((tree::verify(elsewhere), children(elsewhere).last()), (Ok(9), Some(&there.cast())));
        tree::f(elsewhere);
        assert_eq!(said(), [1, 3, 2, 4]);
        tree::f(root);
    });
}

#[test]
fn pools_keep_their_order_wherever_they_are_moved() {
    leaks_nothing(|| unsafe {
        let (root, other) = (node(null_mut()), node(null_mut()));
        let hosted = |node, size| pool::i(tree::handle(node).cell, size, 4);
        let first = hosted(root, 1000);
        let drawn = tree::a(first.cast(), root, 8);
        let [second, third] = [hosted(drawn, 8), hosted(root, 8)];
        tree::m(second.cast(), root).unwrap();
        let ordered: [*mut u8; 3] = [second.cast(), third.cast(), first.cast()];
        assert_eq!(children(root)[1..], ordered, "the one that was added last before the others");
        // Where it hangs already a pool stays as it is.
        for pool in [first, third, second] {
            tree::m(pool.cast(), root).unwrap();
            tree::k(root, tree::handle(pool.cast())).unwrap();
        }
        assert_eq!(children(root)[1..], ordered);
        // One that comes back goes before the others, but for those that were drawn from it.
        tree::m(first.cast(), other).unwrap();
        tree::m(first.cast(), root).unwrap();
        let ordered: [*mut u8; 3] = [second.cast(), first.cast(), third.cast()];
        assert_eq!(children(root)[1..], ordered);
        tree::mc(root, other).unwrap();
        assert_eq!((children(root).len(), children(other)), (0, [&[drawn][..], &ordered].concat()));
        assert_eq!(tree::verify(other), Ok(5));
        tree::f(root);
        tree::f(other);
    });
}

#[test]
fn a_walk_gives_a_pool_on_a_node_the_name_of_the_pool_and_no_cast_takes_it_for_a_cell() {
    unsafe {
        let root = node(null_mut());
        let spec = pool::Spec { name: Some(c"line"), ..pool::Spec::new(8, 4) };
        let made = pool::init(tree::handle(root).cell, &spec).unwrap().as_ptr();
        let found = tree::walk(root).nth(1).unwrap().object;
        assert_eq!((found.data, ptr::name(found)), (made.cast(), Some(c"line")));
        assert!(ptr::cast(found, c"line").is_null());
        let cell = pool::a(made);
        assert_eq!(ptr::cast(pool::handle(cell), c"line"), cell);
        tree::f(root);
    }
}

#[test]
fn a_pool_does_not_move_below_what_was_drawn_from_it() {
    leaks_nothing(|| unsafe {
        let root = node(null_mut());
        let outer = pool::i(tree::handle(root).cell, 2000, 4);
        let inner = pool::i(outer.cast(), 200, 4);
        let drawn = [tree::a(outer.cast(), root, 8), tree::a(inner.cast(), root, 8)];
        let other = node(null_mut());
        // A further block of a growing pool stands for all of it.
        let grows =
            pool::init(tree::handle(root).cell, &pool::Spec { grows: true, ..pool::Spec::new(200, 1) });
        let grows = grows.unwrap().as_ptr();
        let block = pool::handle([pool::a(grows), pool::a(grows)][1]).cell;
        assert_ne!(block, grows.cast());
        let further = tree::a(block, root, 8);
        assert_eq!(tree::m(grows.cast(), further), Err(AllocError::Below));
        for below in [drawn[0], drawn[1], node(node(drawn[0]))] {
            assert_eq!(tree::m(outer.cast(), below), Err(AllocError::Below));
            assert_eq!(tree::mu(outer.cast(), below), Err(AllocError::Below));
            assert_eq!(tree::k(below, tree::handle(outer.cast())), Err(AllocError::Below));
        }
        tree::m(drawn[1], other).unwrap();
        assert_eq!(tree::mc(root, drawn[1]), Err(AllocError::Below));
        tree::m(drawn[1], root).unwrap();
        pool::f(pool::a(outer));
        tree::f(drawn[1]);
        pool::x(inner);
        tree::f(other);
        tree::f(root);
    });
}
