//! The tests share this: an allocator that counts, fails on demand and checks freed memory, and values and destructors that note
//! their end.

#![allow(dead_code, reason = "each combination of features uses its own part")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::ffi::c_void;
use std::process::{Command, Output};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kmem::raw::Destructor;
#[cfg(feature = "tree")]
use kmem::raw::tree;

use crate::number::{Number, blocks_of_thread_locals};

/// The blocks that a thread has on the heap: those that it allocated less those that it freed.
const LIVE: Number = Number(0);
/// One more than the allocations that a thread has left until they fail; zero if they do not fail.
const FAIL_IN: Number = Number(1);
/// The blocks that a thread freed with the mark still in them.
const MARKED: Number = Number(2);
/// One if a thread looks at the blocks that it frees.
const WATCHED: Number = Number(3);
/// One if the next allocation of a thread fails.
const REFUSES: Number = Number(4);
/// The blocks that a thread asked the heap for, by allocating or resizing.
const DRAWN: Number = Number(5);
/// Their bytes.
const BYTES: Number = Number(6);

/// The byte that tests fill secrets with.
pub const MARK: u8 = 0xA5;

/// The character that tests fill secret text with.
pub const TEXT_MARK: char = '%';

struct Watching;

// SAFETY: it passes everything on to `System`, or returns null.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if refused(layout.size()) {
            return std::ptr::null_mut();
        }
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() && watched() {
            // Marks of an earlier owner must not count.
            unsafe { block.write_bytes(0xCD, layout.size()) };
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if refused(layout.size()) {
            return std::ptr::null_mut();
        }
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get().wrapping_sub(1));
        if watched() {
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            // Eight in a row: a single byte of this value may be part of other data.
            if bytes.windows(8).any(|row| row == [MARK; 8] || row == [TEXT_MARK as u8; 8]) {
                MARKED.set(MARKED.get() + 1);
            }
        }
        // A read of freed memory must not find the former contents.
        unsafe { std::hint::black_box(block).write_bytes(0xDD, layout.size()) };
        unsafe { System.dealloc(std::hint::black_box(block), layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if FAIL_IN.get() == 1 {
            return std::ptr::null_mut();
        }
        if watched() {
            // An allocator may move the block. The check reads the old block.
            let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
            if !new.is_null() {
                unsafe { new.copy_from_nonoverlapping(block, size.min(layout.size())) };
                unsafe { self.dealloc(block, layout) };
            }
            return new;
        }
        count(size);
        unsafe { System.realloc(block, layout, size) }
    }
}

/// Returns true if this thread checks the blocks that it frees.
fn watched() -> bool {
    WATCHED.get() == 1
}

/// Counts an allocation or a resize.
fn count(size: usize) {
    DRAWN.set(DRAWN.get().wrapping_add(1));
    BYTES.set(BYTES.get().wrapping_add(size));
}

/// Counts an allocation. Returns true if it has to fail.
fn refused(size: usize) -> bool {
    count(size);
    match FAIL_IN.get() {
        0 => {}
        1 => return true,
        left => FAIL_IN.set(left - 1),
    }
    if REFUSES.get() == 1 {
        REFUSES.set(0);
        return true;
    }
    LIVE.set(LIVE.get().wrapping_add(1));
    false
}

#[global_allocator]
static GLOBAL: Watching = Watching;

/// Runs `work` and asserts that this thread then has as many blocks of the heap as before.
#[track_caller]
pub fn leaks_nothing<R>(work: impl FnOnce() -> R) -> R {
    let before = live_blocks();
    let result = work();
    assert_eq!(live_blocks() - before, 0, "blocks leaked");
    result
}

/// Makes a node of 16 bytes below `parent`, or a root if that is null.
#[cfg(feature = "tree")]
pub unsafe fn node(parent: *mut u8) -> *mut u8 {
    unsafe { tree::a(std::ptr::null_mut(), parent, 16) }
}

/// The children of a node, pools included.
#[cfg(feature = "tree")]
pub unsafe fn children(parent: *mut u8) -> Vec<*mut u8> {
    let next = |&child: &*mut u8| Some(unsafe { tree::cn(child) }).filter(|next| !next.is_null());
    std::iter::successors(Some(unsafe { tree::c(parent) }).filter(|first| !first.is_null()), next).collect()
}

/// Runs `work`, in which this thread's first allocation fails and no other.
pub fn with_one_refusal<R>(work: impl FnOnce() -> R) -> R {
    REFUSES.set(1);
    let result = work();
    assert!(REFUSES.get() == 0, "nothing was allocated");
    result
}

/// Runs `work` and returns how many blocks this thread asked the heap for meanwhile, by allocating or resizing, and their bytes.
pub fn drawn(work: impl FnOnce()) -> (usize, usize) {
    DRAWN.set(0);
    BYTES.set(0);
    work();
    (DRAWN.get(), BYTES.get())
}

/// The number of blocks that this thread has on the heap, without those that the standard library has there for it.
pub fn live_blocks() -> isize {
    LIVE.get().wrapping_sub(blocks_of_thread_locals()) as isize
}

/// Runs `work` with every allocation of this thread failing after the first `allowed`.
pub fn with_allocations<R>(allowed: usize, work: impl FnOnce() -> R) -> R {
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            FAIL_IN.set(0);
        }
    }
    FAIL_IN.set(allowed + 1);
    let _restore = Restore;
    work()
}

/// Runs `work` and returns how many blocks this thread freed meanwhile with the mark still in them.
pub fn marked_when_freed(work: impl FnOnce()) -> usize {
    let before = MARKED.get();
    WATCHED.set(1);
    work();
    WATCHED.set(0);
    MARKED.get() - before
}

/// Notes the names of values when they are dropped.
#[derive(Clone, Default)]
pub struct Ends(Rc<RefCell<Vec<&'static str>>>);

impl Ends {
    pub fn value(&self, name: &'static str) -> Ending {
        Ending { name, ends: self.clone(), panics: false }
    }

    pub fn panicking(&self, name: &'static str) -> Ending {
        Ending { name, ends: self.clone(), panics: true }
    }

    pub fn seen(&self) -> Vec<&'static str> {
        self.0.borrow().clone()
    }
}

/// A value that notes its name when it is dropped, and then may panic.
pub struct Ending {
    pub name: &'static str,
    ends: Ends,
    panics: bool,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.ends.0.borrow_mut().push(self.name);
        if self.panics {
            unwind();
        }
    }
}

thread_local! {
    static ENDED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// A destructor that notes the number in its argument.
pub unsafe extern "C-unwind" fn note(_: *mut c_void, number: *mut c_void) {
    ENDED.with_borrow_mut(|ended| ended.push(number.addr()));
}

pub fn noting(number: usize) -> Destructor {
    Destructor { run: Some(note), arg: std::ptr::without_provenance_mut(number) }
}

/// The numbers that [`note`] noted on this thread since the last call.
pub fn ended() -> Vec<usize> {
    ENDED.take()
}

/// Counts the live values that were made of it, on any thread. A tally and its values allocate nothing, so a forgotten value leaks
/// nothing.
#[derive(Clone, Debug)]
pub struct Tally(&'static AtomicUsize);

impl Default for Tally {
    fn default() -> Self {
        static COUNTS: [AtomicUsize; 4096] = [const { AtomicUsize::new(0) }; 4096];
        static TAKEN: AtomicUsize = AtomicUsize::new(0);
        Tally(&COUNTS[TAKEN.fetch_add(1, Ordering::Relaxed)])
    }
}

impl Tally {
    pub fn value(&self) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }

    /// The number of live values. A value that was dropped twice makes this huge.
    pub fn alive(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A value that a [`Tally`] counts.
#[derive(Debug)]
pub struct Counted(Tally);

impl Counted {
    /// Returns true if this is a value that its tally has counted, not other bytes.
    pub fn is_counted(&self) -> bool {
        self.0.alive() > 0
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.value()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lends a value for `'static`, as if it was leaked, and drops it after `work`. Objects that `work` leaves in the value must not use the
/// value when they are dropped.
pub fn lent_for_ever<T: 'static, R>(value: T, work: impl FnOnce(&'static T) -> R) -> R {
    let value = Box::into_raw(Box::new(value));
    let result = work(unsafe { &*value });
    drop(unsafe { Box::from_raw(value) });
    result
}

/// The command that starts this program again, with the words of `KMEM_TEST_RUNNER` before it: an emulator runs programs for another
/// processor. Wine starts programs by itself.
pub fn this_program() -> Command {
    let program = std::env::current_exe().unwrap();
    let runner = std::env::var("KMEM_TEST_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    match words.next() {
        Some(runner) if cfg!(unix) => {
            let mut command = Command::new(runner);
            command.args(words).arg(program);
            command
        }
        _ => Command::new(program),
    }
}

/// Starts this program again with `test` alone and `role` in its environment, and returns how it ended.
pub fn again(test: &str, role: &str) -> Output {
    let options = ["--exact", test, "--test-threads=1", "--nocapture"];
    this_program().args(options).env(ROLE, role).output().unwrap()
}

/// The role that [`again`] gave to this program.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

const ROLE: &str = "KMEM_TEST_ROLE";

/// Panics without a report, which would allocate, and whose text the test runner would keep.
pub fn unwind() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}

/// Runs `work`, which [unwinds](unwind).
pub fn quietly<R>(work: impl FnOnce() -> R) -> std::thread::Result<R> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
}
