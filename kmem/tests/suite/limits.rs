//! Limits count every block to the byte, refuse what would exceed them, and change nothing then.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::OnceLock;

use kmem::raw::{self, Request, limit, pool, ptr, refs, tree};
use kmem::{AllocError, Heap, Kind, Limit, Pool, Ref, Source, SourceCell, Tree};

/// The allocator below: it counts its live bytes and their peak, fails at random, and resizes at random.
#[derive(Default)]
struct Below {
    live: Cell<usize>,
    peak: Cell<usize>,
    /// Calls left until one fails, or 0.
    fails: Cell<usize>,
    resizes: Cell<bool>,
}

impl Below {
    fn refuses(&self) -> bool {
        let left = self.fails.get();
        self.fails.set(left.saturating_sub(1));
        left == 1
    }

    fn changed(&self, live: usize) {
        self.live.set(live);
        self.peak.set(self.peak.get().max(live));
    }
}

// SAFETY: every block is one of the system's.
unsafe impl Source for Below {
    fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let refused = AllocError::Exhausted { size: layout.size() };
        if self.refuses() {
            return Err(refused);
        }
        // Room to grow in place.
        let roomy = Layout::from_size_align(layout.size() + 64, layout.align()).unwrap();
        let block = NonNull::new(unsafe { System.alloc(roomy) }).ok_or(refused)?;
        self.changed(self.live.get() + layout.size());
        Ok(block)
    }

    unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
        self.changed(self.live.get() - layout.size());
        // The system's allocator does not need the size of the block.
        unsafe { System.dealloc(block.as_ptr(), layout) }
    }

    unsafe fn resize_in_place(&self, _: NonNull<u8>, layout: Layout, size: usize) -> bool {
        let fits = self.resizes.get() && size <= layout.size();
        if fits {
            self.changed(self.live.get() + size - layout.size());
        }
        fits
    }
}

fn random(state: &mut u64, below: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 20) as usize % below
}

/// `KMEM_LIMIT_CALLS` is the number of calls.
#[test]
#[cfg_attr(miri, ignore = "too many calls; the allocator below does not keep the size of a block")]
fn random_calls_with_failures_below_are_counted_to_the_byte() {
    let calls = std::env::var("KMEM_LIMIT_CALLS").map_or(60_000, |calls| calls.parse().unwrap());
    let (below, mut state) = (SourceCell::new(Below::default()), 0x1234_5678_9abc_def1);
    let outer = Limit::new_in(&below, 20_000);
    let inner = Limit::new_in(&outer, 15_000);
    let src = kmem::CellSource::as_cell(&&inner);
    let mut objects: Vec<raw::Handle> = Vec::new();
    let mut pools: Vec<*mut raw::Pool> = Vec::new();
    let mut refused = 0;
    let destructor = raw::Destructor { run: Some(nothing), arg: null_mut() };
    unsafe extern "C-unwind" fn nothing(_: *mut c_void, _: *mut c_void) {}
    for call in 0..calls {
        let (before, source) = (inner.count(), below.source());
        source.resizes.set(random(&mut state, 2) == 0);
        source.fails.set(if random(&mut state, 8) == 0 { 1 + random(&mut state, 2) } else { 0 });
        let injected = source.fails.get() > 0;
        let most = if random(&mut state, 20) == 0 { 3000 } else { 200 };
        let size = random(&mut state, most);
        let align = if random(&mut state, 10) == 0 { 1 << random(&mut state, 9) } else { 16 };
        let drop = (random(&mut state, 5) == 0).then_some(destructor);
        let request = Request { align, drop, ..Request::new(size) };
        // SAFETY: each object is freed once, and resized by its handle alone.
        unsafe {
            match random(&mut state, 9) {
                0 | 1 => match refs::alloc(src, &request) {
                    Ok(data) => objects.push(refs::handle(data.as_ptr())),
                    Err(_) => refused += usize::from(!injected),
                },
                2 | 3 => match tree::alloc(src, null_mut(), &request) {
                    Ok(data) => objects.push(tree::handle(data.as_ptr())),
                    Err(_) => refused += usize::from(!injected),
                },
                4 if pools.len() < 5 => {
                    let spec = pool::Spec { grows: size % 2 == 0, ..pool::Spec::new(100, 1 + size % 7) };
                    match pool::init(src, &spec) {
                        Ok(pool) => pools.push(pool.as_ptr()),
                        Err(_) => refused += usize::from(!injected),
                    }
                }
                4 if size % 3 == 0 => pool::x(pools.swap_remove(size % 5)),
                4 => {
                    let _ = pool::a(pools[size % 5]);
                }
                5 | 6 if !objects.is_empty() => {
                    let at = random(&mut state, objects.len());
                    ptr::free(objects.swap_remove(at));
                }
                7 if !objects.is_empty() => {
                    let at = random(&mut state, objects.len());
                    let _ = ptr::resize(&mut objects[at], size);
                }
                _ if !objects.is_empty() => {
                    let at = random(&mut state, objects.len());
                    let room = ptr::size(objects[at]) + size;
                    let _ = ptr::reserve(&mut objects[at], room);
                }
                _ => {}
            }
        }
        let (count, all) = (inner.count(), outer.count());
        assert_eq!((count.used, all.used), (source.live.get(), source.live.get()), "call {call}");
        assert_eq!((count.peak, all.peak), (source.peak.get(), source.peak.get()), "call {call}");
        assert!(
            count.used <= count.max.max(before.used) && all.used <= all.max.max(before.used),
            "call {call}"
        );
        if random(&mut state, 500) == 0 {
            inner.set_max(random(&mut state, 25_000));
            outer.set_max(random(&mut state, 25_000));
        }
    }
    let (count, all) = (inner.count(), outer.count());
    assert!(refused > calls / 100 && count.refused > 0 && all.refused > 0, "{refused} {count:?} {all:?}");
    // SAFETY: as above.
    unsafe {
        objects.into_iter().for_each(|object| ptr::free(object));
        pools.into_iter().for_each(|pool| pool::x(pool));
    }
    assert_eq!((inner.count().used, outer.count().used, below.source().live.get()), (0, 0, 0));
}

#[test]
fn a_request_is_refused_at_the_very_byte() {
    for over_heap in [true, false] {
        let below = SourceCell::new(Below::default());
        let limits = (Limit::new(1000), Limit::new_in(&below, 1000));
        let src = if over_heap {
            kmem::CellSource::as_cell(&&limits.0)
        } else {
            kmem::CellSource::as_cell(&&limits.1)
        };
        for first in 0..200 {
            // SAFETY: each cell is freed once.
            unsafe {
                let kept = refs::a(src, first);
                assert!(refs::a(src, 1000 - 64 - first + 1).is_null());
                let rest = refs::a(src, 1000 - 64 - first);
                assert!(!kept.is_null() && !rest.is_null());
                refs::f(kept);
                refs::f(rest);
            }
        }
        let count = if over_heap { limits.0.count() } else { limits.1.count() };
        assert_eq!((count.used, count.peak, count.refused), (0, 1000, 200));
    }
}

#[test]
fn several_threads_never_exceed_a_limit_together() {
    let limit = Limit::new(20_000);
    let in_use = std::sync::atomic::AtomicUsize::new(0);
    let rounds = if cfg!(miri) { 50 } else { 20_000 };
    std::thread::scope(|scope| {
        let threads = [1_u64, 2, 3].map(|seed| {
            let (limit, in_use) = (&limit, &in_use);
            scope.spawn(move || {
                let mut state = seed << 40 | 0x9e37_79b9;
                let mut kept = Vec::new();
                for _ in 0..rounds {
                    let bytes = vec![0u8; random(&mut state, 500)];
                    if let Ok(cell) = Ref::try_copy_in(&bytes, limit) {
                        let used = in_use.fetch_add(bytes.len() + 32, std::sync::atomic::Ordering::SeqCst);
                        assert!(used + bytes.len() + 32 <= 20_000);
                        kept.push(cell);
                    }
                    if random(&mut state, 3) > 0 && !kept.is_empty() {
                        let cell = kept.swap_remove(random(&mut state, kept.len()));
                        in_use.fetch_sub(cell.len() + 32, std::sync::atomic::Ordering::SeqCst);
                        drop(cell);
                    }
                }
                in_use.fetch_sub(
                    kept.iter().map(|cell| cell.len() + 32).sum(),
                    std::sync::atomic::Ordering::SeqCst,
                );
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
    });
    let count = limit.count();
    assert!(count.used == 0 && count.refused > 0 && count.peak > 10_000, "{count:?}");
}

#[test]
fn cells_may_be_freed_on_another_thread_than_that_of_the_limit() {
    let limit = Limit::new(1_000_000);
    let cells: Vec<_> = (0..100).map(|_| Ref::new_in([0u8; 1000], &limit)).collect();
    std::thread::scope(|scope| scope.spawn(|| drop(cells)).join()).unwrap();
    assert_eq!(limit.count().used, 0);
    assert!(Ref::try_copy_in(&vec![0u8; 900_000], &limit).is_ok());
}

#[test]
fn every_method_and_every_collection_allocates_through_a_limit() {
    let limit = Limit::new(100_000);
    let tree = Tree::new_in("root", &limit);
    let pool = Pool::<u64, _>::try_new_in(10, &limit).unwrap();
    let shared = Ref::new_in([7u8; 100], &limit);
    let before = limit.count().used;
    // A pool of bytes over a limit, and a limit over it.
    let bytes = Pool::bytes(512, 4);
    let part = Limit::new_in(&bytes, 700);
    let cell = Ref::new_in([1u8; 300], &part);
    assert_eq!(part.count().used, 332);
    assert!(Ref::try_new_in([1u8; 400], &part).is_err());
    assert_eq!((cell.len(), shared[0], tree.len(), limit.count().used), (300, 7, 4, before));
    drop((cell, pool, tree, shared));
    assert_eq!(limit.count().used, 0);
}

#[cfg(feature = "allocator-api2-04")]
#[test]
fn a_vector_is_counted_and_refused() {
    use allocator_api2_04::vec::Vec;
    use kmem::allocator_api2::v04::AsAllocator;
    let limit = Limit::new(1000);
    let mut bytes = Vec::new_in(AsAllocator::new(&limit));
    bytes.try_reserve_exact(600).unwrap();
    assert_eq!(limit.count().used, 600);
    assert!(bytes.try_reserve_exact(900).is_err());
    bytes.push(1u8);
    drop(bytes);
    assert_eq!((limit.count().used, limit.count().refused), (0, 1));
}

/// The function of a limit frees, allocates, and unwinds.
#[test]
fn the_function_of_a_limit_may_use_it() {
    thread_local! {
        static CACHE: RefCell<Vec<Ref<[u8], &'static Limit>>> = const { RefCell::new(Vec::new()) };
        static CALLS: Cell<usize> = const { Cell::new(0) };
        static UNWINDS: Cell<bool> = const { Cell::new(false) };
    }
    static LIMIT: OnceLock<Limit> = OnceLock::new();
    let limit: &'static Limit = LIMIT.get_or_init(|| {
        Limit::new(10_000).on_over(|limit, want| {
            assert_eq!(want, 3032);
            CALLS.set(CALLS.get() + 1);
            assert!(!UNWINDS.get(), "the function unwinds");
            // It is not called again while it runs.
            assert!(Ref::try_new_in([0u8; 20_000], limit).is_err());
            CACHE.with_borrow_mut(Vec::pop).is_some()
        })
    });
    let fill = || CACHE.with_borrow_mut(|cache| cache.push(Ref::try_copy_in(&[0u8; 968], limit).unwrap()));
    (0..10).for_each(|_| fill());
    let large = Ref::new_in([0u8; 3000], limit);
    assert_eq!((CALLS.get(), CACHE.with_borrow(Vec::len)), (4, 6));
    UNWINDS.set(true);
    let caught = std::panic::catch_unwind(|| drop(Ref::try_new_in([0u8; 3000], limit)));
    assert!(caught.is_err());
    UNWINDS.set(false);
    assert_eq!(limit.count().used, 6000 + 3032);
    drop(Ref::new_in([0u8; 3000], limit));
    assert_eq!(CALLS.get(), 8);
    drop(large);
    CACHE.take();
    assert_eq!(limit.count().used, 0);
}

#[test]
fn a_function_that_frees_nothing_is_called_once() {
    unsafe extern "C-unwind" fn lies(_: *mut raw::Limit, _: usize, calls: *mut c_void) -> c_int {
        // SAFETY: the argument is a number.
        unsafe { *calls.cast::<usize>() += 1 };
        1
    }
    let mut calls = 0usize;
    // SAFETY: the limit is live, and so is the number.
    unsafe {
        let limit = limit::init(null_mut(), 100).unwrap().as_ptr();
        limit::h(limit, Some(lies), (&raw mut calls).cast());
        assert!(refs::a(limit.cast(), 200).is_null());
        assert_eq!((calls, limit::q(limit).refused), (1, 1));
        limit::x(limit);
    }
}

#[test]
fn a_limit_that_moves_serves_as_before() {
    let limit = Limit::new(1000).on_over(|_, _| false);
    drop(Ref::new_in(7, &limit));
    let moved = Box::new(limit);
    assert!(Ref::try_new_in([0u8; 1000], &*moved).is_err());
    drop(Ref::new_in(7, &*moved));
    assert_eq!((moved.count().used, moved.count().refused), (0, 1));
    assert_eq!(*moved.source(), Heap);
}

#[test]
fn a_growing_pool_takes_a_smaller_block_before_the_function_is_called() {
    let limit = Limit::new(3000).on_over(|_, _| panic!("not called"));
    let pool = Pool::<[u8; 100], _>::try_growing_in(8, &limit).unwrap();
    let cells: Vec<_> = (0..16).map(|_| pool.try_alloc([0; 100]).unwrap()).collect();
    assert_eq!((cells.len(), limit.count().refused), (16, 0));
    assert_eq!(Kind::Limit as i32, 7);
}
