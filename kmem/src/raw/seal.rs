//! Seals: what a stray write that knows the layout cannot forge, because it does not know this process's secret.
//!
//! There are two secrets. The *key* is a random number of the system's, if there is a system; it seals pools and
//! destructors. The heap's secret is where the heap's code lies, which differs from run to run where the system
//! loads programs at random addresses; a byte of it, mixed with the cell's size and flags, ends each cell's prefix.
//! Neither keeps out who can read the process's memory.

use core::ffi::{CStr, c_char, c_void};
use core::ptr::null_mut;

use super::block::{Destructor, Drop};
use crate::atomic::{AtomicUsize, Ordering};
use crate::cell::{FLAG_BUSY, FLAG_DEEP, FLAG_SAME};
use crate::os;

/// The key once it is known; zero before.
static KEY: AtomicUsize = AtomicUsize::new(0);

/// An odd number without a pattern: 2^64 divided by the golden ratio.
const SPREAD: usize = 0x9e37_79b9_7f4a_7c15_u64 as usize;

/// Base-2 logarithm of a page: what lies below is the same in every run.
#[cfg(feature = "heap")]
const PAGE: u32 = 12;

/// Bits that no address of a program has. A kernel lies where programs do not.
const WILD: usize = if cfg!(all(target_arch = "x86_64", target_pointer_width = "64", not(target_os = "none")))
{
    0xff00_0000_0000_0000_u64 as usize
} else {
    0
};

/// The lowest address that a program may have.
const FIRST: usize = 1 << 16;

/// Whether this is null, or an address that no program has: one that is not even read. Systems map nothing in the first
/// pages, so a size that is taken for an address is none either.
#[inline(always)]
pub(super) fn is_wild(addr: usize) -> bool {
    // Null and what is below the first become the highest addresses.
    if WILD == 0 { addr == 0 } else { addr.wrapping_sub(FIRST) & WILD != 0 }
}

/// Whether this is no address of a header: null, wild, or none that a header begins at.
#[inline(always)]
#[cfg(feature = "tree")]
pub(super) fn is_no_header(addr: usize) -> bool {
    const ODD: usize = super::block::BASE_ALIGN - 1;
    if WILD == 0 { addr == 0 || addr & ODD != 0 } else { addr.wrapping_sub(FIRST) & (WILD | ODD) != 0 }
}

/// The process's key. All copies of kmem in the process have the same where the system gives one, for they may free each
/// other's cells.
#[inline]
pub(super) fn key() -> usize {
    // Relaxed: it is one number, whoever finds it first.
    match KEY.load(Ordering::Relaxed) {
        0 => find_key(),
        key => key,
    }
}

/// The key if it is known, which it is once there is a pool; else zero.
#[inline]
#[cfg(feature = "pool")]
pub(super) fn known_key() -> usize {
    KEY.load(Ordering::Relaxed)
}

#[cold]
fn find_key() -> usize {
    // Without a random number, the address at which this copy was loaded has to do. Multiplied, it does not give away what
    // it is made of.
    let key = os::random().unwrap_or_else(here).wrapping_mul(SPREAD) | 1;
    // The system may give each thread that is here at once another number: the first that is stored stays.
    match KEY.compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => key,
        Err(first) => first,
    }
}

/// An address in this copy of kmem.
#[inline]
fn here() -> usize {
    (&raw const KEY).addr()
}

/// Where the code of the heap lies: the same for all copies of kmem that share the C library's `malloc`, another for each
/// copy over a heap of its own.
#[inline]
#[cfg(feature = "heap")]
fn heap_address() -> usize {
    #[cfg(kmem_libc)]
    {
        libc::malloc as *const () as usize
    }
    #[cfg(not(kmem_libc))]
    here()
}

/// Which heap this copy of kmem has, as a byte; zero in a kmem without a heap. Two copies over heaps of their own have the same
/// by chance, one time in 256.
#[inline(always)]
pub(crate) fn heap_id() -> u8 {
    #[cfg(feature = "heap")]
    {
        (heap_address() >> PAGE) as u8
    }
    #[cfg(not(feature = "heap"))]
    0
}

/// The byte that ends the prefix of a cell with these fields: which heap, how large, and what it carries. One byte of a
/// damaged prefix in 128 is right by chance. It is never zero, as the highest byte of a reference count or an address is,
/// where a pointer to another method's cell makes one be taken for a prefix.
///
/// The secret goes through the multiplication with the rest: who does not know it does not know either which other sizes
/// have the same seal.
#[inline(always)]
pub(super) fn of_cell(size: usize, flags: u8, align: u8) -> u8 {
    #[cfg(feature = "heap")]
    let secret = heap_address();
    #[cfg(not(feature = "heap"))]
    let secret = 0;
    // These say nothing about the block.
    let rest = usize::from(flags & !(FLAG_SAME | FLAG_BUSY | FLAG_DEEP)) << (usize::BITS - 16)
        | usize::from(align) << (usize::BITS - 24);
    let mixed = (secret ^ size ^ rest).wrapping_mul(SPREAD);
    (mixed >> (usize::BITS - 8)) as u8 | 0x80
}

/// The byte that ends the prefix of a cell whose record lies at this address. Every copy of kmem in the process may follow it, so
/// the key takes the place of the heap's secret, which the record has.
pub(super) fn of_record(record: usize, flags: u8, align: u8) -> u8 {
    let rest = usize::from(flags) << (usize::BITS - 16) | usize::from(align) << (usize::BITS - 24);
    ((key() ^ record ^ rest).wrapping_mul(SPREAD) >> (usize::BITS - 8)) as u8 | 0x80
}

/// What the record of this cell has as its seal.
pub(super) fn of_recorded(cell: *mut crate::cell::Cell) -> usize {
    key() ^ cell.addr()
}

/// The seal of the pool at this address, under a key.
#[inline(always)]
#[cfg(feature = "pool")]
pub(super) fn of_pool(pool: *mut super::Pool, key: usize) -> u32 {
    (pool.addr() ^ key) as u32
}

/// A destructor in its slot behind the data, or in a pool's header. Written over, it is not called: what is stored is the function's address
/// under the key, the slot's address and the argument, and all but one in 2^17 other words give no address of code.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Slot {
    run: *mut (),
    arg: *mut c_void,
}

impl Slot {
    const NO_CODE: usize = if WILD == 0 { 0 } else { 0xffff_8000_0000_0000_u64 as usize };

    fn mask(at: *mut Slot, arg: *mut c_void) -> usize {
        let word = (key() ^ at.addr() ^ arg.addr().rotate_left(usize::BITS / 2)).wrapping_mul(SPREAD);
        // A product's low bits depend on low bits alone.
        word ^ word.rotate_left(usize::BITS / 2)
    }

    /// What is to be stored at this address for a destructor.
    pub(super) fn sealed(at: *mut Slot, destructor: Destructor) -> Slot {
        let mask = Slot::mask(at, destructor.arg);
        let run = destructor.run.map_or(null_mut(), |run| run as *mut ());
        Slot { run: run.map_addr(|addr| addr ^ mask), arg: destructor.arg }
    }

    /// # Safety
    /// `at` is an aligned slot of a cell that nobody else uses.
    pub(super) unsafe fn write(at: *mut Slot, destructor: Destructor) {
        // SAFETY: [caller] the slot is the caller's.
        unsafe { at.write(Slot::sealed(at, destructor)) };
    }

    /// The destructor in the slot, or `None` where the slot was written over.
    ///
    /// # Safety
    /// `at` is an aligned slot of a cell that nobody else uses.
    #[inline(always)]
    pub(super) unsafe fn read(at: *mut Slot) -> Option<Destructor> {
        // SAFETY: [caller] the slot is the caller's.
        let Slot { run, arg } = unsafe { at.read() };
        let run = run.map_addr(|addr| addr ^ Slot::mask(at, arg));
        if run.addr() & Slot::NO_CODE != 0 {
            return None;
        }
        // SAFETY: [slot] `write` stored null, or such a function under the same mask; `None` is what null means in an option of
        // one. What was written over is told above wherever addresses have bits to spare.
        let run = unsafe { core::mem::transmute::<*mut (), Option<Drop>>(run) };
        Some(Destructor { run, arg })
    }
}

/// The address of a name behind a cell's data, under the key and the address where it is stored: written over, it is no name.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Label(*mut c_char);

impl Label {
    fn mask(at: *mut Label) -> usize {
        let word = (key() ^ at.addr()).wrapping_mul(SPREAD);
        word ^ word.rotate_left(usize::BITS / 2)
    }

    /// # Safety
    /// `at` is an aligned place for a label, the caller's alone.
    pub(super) unsafe fn write(at: *mut Label, name: &'static CStr) {
        let name = name.as_ptr().cast_mut().map_addr(|addr| addr ^ Label::mask(at));
        // SAFETY: [caller] the place is the caller's.
        unsafe { at.write(Label(name)) };
    }

    /// The name that was written here, or `None` where it was written over.
    ///
    /// # Safety
    /// `at` is a label, which nobody writes meanwhile.
    pub(super) unsafe fn read(at: *mut Label) -> Option<&'static CStr> {
        // SAFETY: [caller] the label is the caller's.
        let name = unsafe { at.read() }.0.map_addr(|addr| addr ^ Label::mask(at));
        if is_wild(name.addr()) || name.addr() & Slot::NO_CODE != 0 {
            return None;
        }
        // SAFETY: [slot] `write` stored the address of a string that is never freed under the same mask; what was written over
        // is told above wherever addresses have bits to spare.
        Some(unsafe { CStr::from_ptr(name) })
    }
}

const _: () = {
    assert!(size_of::<Slot>() == size_of::<Destructor>() && align_of::<Slot>() == align_of::<Destructor>());
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(any(feature = "std", unix, windows, target_os = "wasi"))]
    fn the_key_is_a_random_number_with_std_and_without() {
        assert_ne!(key(), here().wrapping_mul(SPREAD) | 1);
    }

    #[test]
    fn the_key_stays_as_it_is() {
        let threads = [0; 4].map(|_| std::thread::spawn(key));
        assert!(threads.map(|thread| thread.join().unwrap()).iter().all(|&found| found == key()));
    }
}
