//! Zeroing memory for good.

use std::alloc::{GlobalAlloc, Layout};
use std::arch::asm;
use std::hint::black_box;
use std::ptr::null_mut;

use kmem::Shredding;
use kmem::raw::{heap, pool, ptr};
use secrecy::SecretBox;
use zeroize::Zeroize;

use crate::kmem_c::linked;
use crate::measure::{Contestant, Row};
use crate::names;
use crate::peers::peers;

/// An allocator that takes blocks back and does nothing, so that [`Shredding`] around it is kmem's zeroing alone.
struct Nowhere;

// SAFETY: it never returns a block.
unsafe impl GlobalAlloc for Nowhere {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        null_mut()
    }

    #[inline(always)]
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

pub fn rows(quick: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = [64, 256, 4 << 10, 1 << 20, 64 << 20]
        .into_iter()
        .map(|size| {
            let row = Row::new("zero", "zero", (size, 1), names::MEMSET, move || all(size));
            Row { bandwidth: true, ..row }
        })
        .collect();
    let sizes: &[usize] = if quick { &[64, 1024] } else { &[64, 256, 1024, 8192] };
    rows.extend(sizes.iter().map(|&size| {
        Row::new("zero", "filled pool cell", (size, 1), "free", move || {
            vec![cell(size, false), cell(size, true)]
        })
    }));
    rows.push(Row::new("zero", "secret made and dropped", (32, 1), "malloc, explicit_bzero, free", secrets));
    rows
}

/// Bytes that all contestants of a row zero in turn, so that none has the better pages.
#[derive(Clone, Copy)]
struct Block {
    data: *mut u8,
    len: usize,
}

impl Block {
    /// A block that stays for the rest of the program: there are few. Its length is hidden from the compiler, for none
    /// of these is told it in real use.
    fn new(size: usize) -> Block {
        let layout = Layout::from_size_align(size, 64).expect("a small alignment");
        // SAFETY: the size is not zero.
        let data = unsafe { std::alloc::alloc(layout) };
        assert!(!data.is_null(), "no memory for {size} bytes");
        // SAFETY: the block is that long.
        unsafe { data.write_bytes(1, size) };
        Block { data, len: black_box(size) }
    }

    /// Four at a time: at 64 bytes the place of the loop's own instructions makes a third of the time otherwise.
    fn contestant(self, name: &'static str, zero: impl Fn(*mut u8, usize) + 'static) -> Contestant {
        let Block { data, len } = self;
        Contestant::batch(name, 4, move || {
            zero(data, len);
            zero(data, len);
            zero(data, len);
            zero(data, len);
        })
    }
}

fn all(size: usize) -> Vec<Contestant> {
    let block = Block::new(size);
    let memset = block.contestant(names::MEMSET, |data, len| {
        // SAFETY: the block is that long; the empty assembly only claims to read it.
        unsafe {
            data.write_bytes(0, len);
            asm!("/* {0} */", in(reg) data, options(nostack, preserves_flags));
        }
    });
    let kmem = block.contestant(names::KMEM_ZERO, |data, len| {
        // SAFETY: the block is of this layout, and stays ours since nothing is done with it after the zeroing.
        unsafe { Shredding::new(Nowhere).dealloc(data, Layout::from_size_align_unchecked(len, 16)) }
    });
    let zeroize = block.contestant(names::ZEROIZE, |data, len| {
        // SAFETY: the block is that long.
        unsafe { std::slice::from_raw_parts_mut(data, len) }.zeroize();
    });
    let bzero = block.contestant(names::BZERO, |data, len| {
        // SAFETY: the block is that long.
        unsafe { libc::explicit_bzero(data.cast(), len) }
    });
    let volatile = block.contestant("volatile bytes", |data, len| {
        for at in 0..len {
            // SAFETY: the block is that long.
            unsafe { data.add(at).write_volatile(0) };
        }
    });
    let mut all = vec![memset, kmem, zeroize, bzero, volatile];
    all.extend(peers().sodium.map(|sodium| {
        block.contestant("sodium_memzero", move |data, len| {
            // SAFETY: the block is that long.
            unsafe { (sodium.sodium_memzero)(data.cast(), len) }
        })
    }));
    all
}

/// A pool's cell is allocated, filled, and freed with or without zeroing.
fn cell(size: usize, shred: bool) -> Contestant {
    // SAFETY: the null source is the heap. The pool stays for the rest of the program.
    let pool = unsafe { pool::i(null_mut(), size, 1) };
    let size = black_box(size);
    Contestant::each(if shred { "shred" } else { "free" }, move || {
        // SAFETY: the pool is live and has one cell, which is back at the end of each turn.
        unsafe {
            let cell = black_box(pool::a(pool));
            cell.write_bytes(7, size);
            if shred { pool::s(cell) } else { pool::f(cell) }
        }
    })
}

const SECRET: [u8; 32] = [7; 32];

fn secrets() -> Vec<Contestant> {
    let kmem_rust = Contestant::each("kmem HeapBox, tainted", || {
        let mut secret = kmem::HeapBox::new(SECRET);
        secret.taint();
        black_box(&secret);
    });
    let kmem_raw = Contestant::each("kmem heap, raw Rust, tainted", || {
        // SAFETY: the cell has room for the secret and is not used after the end of the turn.
        unsafe {
            let mut handle = heap::ao(32);
            handle.data.cast::<[u8; 32]>().write(SECRET);
            ptr::taint(&mut handle);
            black_box(handle.data);
            ptr::free(handle);
        }
    });
    let kmem_c = Contestant::each("kmem heap, C static, tainted", || {
        // SAFETY: as above.
        unsafe {
            let mut handle = linked::kmheapao(32);
            handle.data.cast::<[u8; 32]>().write(SECRET);
            linked::kmtaint(&raw mut handle);
            black_box(handle.data);
            linked::kmfree(handle);
        }
    });
    let by_hand = Contestant::each("malloc, explicit_bzero, free", || {
        // SAFETY: as above.
        unsafe {
            let secret = libc::malloc(32);
            secret.cast::<[u8; 32]>().write(SECRET);
            black_box(secret);
            libc::explicit_bzero(secret, 32);
            libc::free(secret);
        }
    });
    let secrecy = Contestant::each("secrecy::SecretBox", || {
        let secret = SecretBox::new(Box::new(SECRET));
        black_box(&secret);
    });
    vec![kmem_rust, kmem_raw, kmem_c, by_hand, secrecy]
}
