//! Sources that several modules of tests use.

use std::alloc::Layout;
use std::cell::RefCell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use kmem::{AllocError, Heap, Source};

type Call = Box<dyn Fn()>;

/// A source over the heap that runs a callback before its next allocation, or after its next free. It writes over freed memory.
#[derive(Default)]
pub struct Calls {
    before_alloc: RefCell<Option<Call>>,
    after_free: RefCell<Option<Call>>,
}

impl Calls {
    pub fn on_alloc(&self, call: impl Fn() + 'static) {
        *self.before_alloc.borrow_mut() = Some(Box::new(call));
    }

    pub fn on_free(&self, call: impl Fn() + 'static) {
        *self.after_free.borrow_mut() = Some(Box::new(call));
    }
}

unsafe impl Source for Calls {
    fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if let Some(call) = self.before_alloc.take() {
            call();
        }
        Heap.draw(layout)
    }
    unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
        let call = self.after_free.take();
        unsafe {
            block.write_bytes(0xDD, layout.size());
            Heap.give_back(block, layout);
        }
        if let Some(call) = call {
            call();
        }
    }
}

/// A source over the heap that counts its live blocks. Any thread may use it.
#[derive(Default)]
pub struct Counting(AtomicUsize);

impl Counting {
    pub fn live(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

unsafe impl Source for Counting {
    fn draw(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Heap.draw(layout)
    }
    unsafe fn give_back(&self, block: NonNull<u8>, layout: Layout) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        unsafe { Heap.give_back(block, layout) }
    }
}
