//! Seals: values computed with a secret, so that a stray write cannot forge them.
//!
//! There are two secrets. The *key* is a random number from the operating system, if there is one. It seals pools and destructors.
//! The secret of the heap is the address of its code, which differs from run to run if the system loads programs at random
//! addresses. The field `heap` of a prefix is a seal of one byte, computed from this secret, the size and the flags. Neither secret
//! protects against code that reads the memory of the process.

use core::ffi::{c_char, c_void};
use core::ptr::{NonNull, null_mut};

use super::request::{Destructor, Drop};
use crate::atomic::{AtomicUsize, Ordering};
use crate::cell::{Cell, FLAG_BUSY, FLAG_DEEP, FLAG_TYPED_CHILD};
use crate::os;

/// The key, or zero before its first use.
static KEY: AtomicUsize = AtomicUsize::new(0);

/// An odd number without a pattern: 2^64 (on 32-bit machines 2^32) divided by the golden ratio.
const SPREAD: usize = (0x9e37_79b9_7f4a_7c15_u64 >> (u64::BITS - usize::BITS)) as usize | 1;

/// Base-2 logarithm of the page size. The address bits below it are the same in every run.
#[cfg(feature = "heap")]
const PAGE: u32 = 12;

/// True on systems that reserve the first and the last page and, on 64-bit machines, half of all addresses.
const HOSTED: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "windows",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
    target_vendor = "apple"
));

/// Bits that are set in no user-space address. Addresses of x86-64 and RISC-V have at most 57 bits; those of aarch64 have 52, and
/// any tag in the top byte. Zero if no bit is known to be clear: on 32-bit machines, and in a kernel.
const NON_CANONICAL: usize = if !HOSTED || cfg!(not(target_pointer_width = "64")) {
    0
} else if cfg!(target_arch = "aarch64") {
    0x00f0_0000_0000_0000_u64 as usize
} else if cfg!(any(
    target_arch = "x86_64",
    target_arch = "riscv64",
    target_arch = "s390x",
    target_arch = "powerpc64",
    target_arch = "loongarch64"
)) {
    0xff00_0000_0000_0000_u64 as usize
} else {
    0
};

/// The lowest address of memory that a program can use.
const FIRST: usize = match (HOSTED, cfg!(target_pointer_width = "64")) {
    (true, true) => 1 << 16,
    (true, false) => 1 << 12,
    // Memory may begin at zero, but null points to nothing.
    (false, _) => 1,
};

/// The highest address of memory that a program can use.
const LAST: usize = if HOSTED { usize::MAX - 4095 } else { usize::MAX };

/// Returns true if the address is null or outside the memory that a program can use. kmem never reads from such an address. A small
/// number in place of an address is detected this way.
#[inline(always)]
pub(crate) fn is_non_canonical(addr: usize) -> bool {
    // Null and addresses below `FIRST` wrap to the highest addresses.
    let above_first = addr.wrapping_sub(FIRST);
    if NON_CANONICAL == 0 { above_first > LAST - FIRST } else { above_first & NON_CANONICAL != 0 }
}

/// Returns true if the address is non-canonical or misaligned.
#[inline(always)]
fn is_no_place(addr: usize, align: usize) -> bool {
    let odd = align - 1;
    // One comparison suffices, because `FIRST` is aligned.
    if NON_CANONICAL == 0 {
        is_non_canonical(addr) || addr & odd != 0
    } else {
        addr.wrapping_sub(FIRST) & (NON_CANONICAL | odd) != 0
    }
}

/// Returns true if the address cannot be that of a header.
#[inline(always)]
#[cfg(any(feature = "pool", feature = "arena", feature = "tree"))]
pub(crate) fn is_no_header(addr: usize) -> bool {
    is_no_place(addr, super::request::BASE_ALIGN)
}

/// Returns true if one of these addresses is not null and cannot be that of a header. On 64-bit systems a number below the first
/// address may hide beside another address: see [`any_is_small`].
#[inline(always)]
#[cfg(feature = "tree")]
pub(crate) fn any_is_no_header(addresses: [usize; 3]) -> bool {
    let [a, b, c] = addresses;
    if NON_CANONICAL == 0 {
        addresses.into_iter().any(|addr| addr != 0 && is_no_header(addr))
    } else {
        // A bit that is set in one address is set in the union of the three.
        is_no_header(a | b | c)
    }
}

/// Returns true if one of these addresses is not null and below the first address of a program.
#[cfg_attr(not(kmem_standalone), inline(always))]
#[cfg_attr(kmem_standalone, inline(never))]
#[cfg(feature = "tree")]
pub(crate) fn any_is_small(a: usize, b: usize, c: usize) -> bool {
    NON_CANONICAL != 0 && [a, b, c].into_iter().any(|addr| addr.wrapping_sub(1) < FIRST - 1)
}

/// Returns true if the address cannot be that of a source.
#[inline(always)]
pub(crate) fn is_no_source(addr: usize) -> bool {
    is_no_place(addr, align_of::<Cell>())
}

/// Returns the key of the process. All copies of kmem have the same key if the system provides it, so that they can free each
/// other's cells.
#[inline]
pub(crate) fn key() -> usize {
    // Relaxed: all threads find the same number.
    match KEY.load(Ordering::Relaxed) {
        0 => find_key(),
        key => key,
    }
}

/// Returns the key, or zero before its first use. Making a pool uses it.
#[inline]
#[cfg(feature = "pool")]
pub(crate) fn known_key() -> usize {
    KEY.load(Ordering::Relaxed)
}

#[cold]
fn find_key() -> usize {
    // Without a random number, use the address at which this copy was loaded. The multiplication hides that address.
    let key = os::random().unwrap_or_else(here).wrapping_mul(SPREAD) | 1;
    // Threads that race may get different numbers: the first one stored stays.
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

/// Returns the address of the heap's code. Copies of kmem that share the `malloc` of the C library share it. Copies with their own
/// heap have different addresses.
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

/// Returns a byte that identifies the heap of this copy of kmem, or zero without a heap. Two heaps have the same byte with a
/// probability of 1 in 256.
#[inline(always)]
pub(crate) fn heap_id() -> u8 {
    #[cfg(feature = "heap")]
    {
        (heap_address() >> PAGE) as u8
    }
    #[cfg(not(feature = "heap"))]
    0
}

/// Returns the seal in the `heap` byte of a prefix, computed from the heap, the size and the flags. One corrupt prefix in 128 has
/// the right seal by chance. The seal is never zero: the highest byte of a reference count or an address often is, and may be read
/// as a seal if the pointer belongs to another method.
///
/// A multiplication mixes the secret with the size. So nobody without the secret can find another size with the same seal.
#[inline(always)]
pub(crate) fn of_cell(size: usize, flags: u8, align: u8) -> u8 {
    #[cfg(feature = "heap")]
    let secret = heap_address();
    #[cfg(not(feature = "heap"))]
    let secret = 0;
    // These flags do not describe the block.
    let rest = usize::from(flags & !(FLAG_TYPED_CHILD | FLAG_BUSY | FLAG_DEEP)) << (usize::BITS - 16)
        | usize::from(align) << (usize::BITS - 24);
    let mixed = (secret ^ size ^ rest).wrapping_mul(SPREAD);
    (mixed >> (usize::BITS - 8)) as u8 | 0x80
}

/// Returns the seal of a prefix whose record is at this address. It uses the key, not the secret of the heap, because every copy of
/// kmem may follow the address. The record stores the seal that uses the secret of the heap.
pub(crate) fn of_record(record: usize, flags: u8, align: u8) -> u8 {
    let rest = usize::from(flags) << (usize::BITS - 16) | usize::from(align) << (usize::BITS - 24);
    ((key() ^ record ^ rest).wrapping_mul(SPREAD) >> (usize::BITS - 8)) as u8 | 0x80
}

/// Returns the seal in the record of this cell.
pub(crate) fn of_recorded(cell: *mut Cell) -> usize {
    key() ^ cell.addr()
}

/// Returns the seal of the address of the pool in a pool's cell. On 32-bit machines any word may be an address.
#[inline(always)]
#[cfg(all(feature = "pool", target_pointer_width = "32"))]
pub(crate) fn of_pool_cell(pool: usize, key: usize) -> usize {
    pool ^ key
}

/// Returns the seal of the pool at this address.
#[inline(always)]
#[cfg(feature = "pool")]
pub(crate) fn of_pool(pool: usize, key: usize) -> u32 {
    (pool ^ key) as u32
}

/// Returns the seal of the header of an arena.
#[inline(always)]
#[cfg(feature = "arena")]
pub(crate) fn of_arena(arena: usize) -> u32 {
    (arena.rotate_left(11) ^ key()) as u32
}

/// Returns the seal of the address of a pool's name.
#[inline(always)]
#[cfg(feature = "pool")]
pub(crate) fn of_pool_name(name: usize) -> [u8; 3] {
    let mixed = (name ^ key()).wrapping_mul(SPREAD) >> (usize::BITS - 24);
    [mixed as u8, (mixed >> 8) as u8, (mixed >> 16) as u8]
}

/// Returns the seal of these words, which a header stores beside them. It does not depend on the address of the header, which may
/// move.
pub(crate) fn of_words([a, b, c]: [usize; 3]) -> usize {
    (key() ^ a ^ b.rotate_left(usize::BITS / 4) ^ c.rotate_left(usize::BITS / 2)).wrapping_mul(SPREAD)
}

/// Returns the word that hides a value stored at the address `at`. It depends on the key, on `at` and on `of`.
fn mask(at: usize, of: usize) -> usize {
    let word = (key() ^ at ^ of.rotate_left(usize::BITS / 2)).wrapping_mul(SPREAD);
    // The low bits of a product depend only on the low bits of its factors.
    word ^ word >> (usize::BITS / 2)
}

/// The proof that a sealed address is not corrupt: on 64-bit machines, bits that are set in no address; on 32-bit machines, a word
/// beside the address. The proof is checked before kmem reads from the address.
#[cfg(target_pointer_width = "64")]
mod proof {
    use crate::atomic::{AtomicUsize, Ordering};

    /// Bits that are set in no address of code or of a name, unless user code asks the system for such addresses, signs them or
    /// tags them.
    const SPARE: usize = if super::HOSTED || cfg!(any(target_os = "none", target_os = "uefi")) {
        if cfg!(any(target_arch = "aarch64", target_arch = "loongarch64")) {
            0xffff_0000_0000_0000
        } else if cfg!(any(
            target_arch = "x86_64",
            target_arch = "riscv64",
            target_arch = "s390x",
            target_arch = "powerpc64"
        )) {
            0xffff_8000_0000_0000
        } else {
            0
        }
    } else {
        0
    };

    /// Those of the `SPARE` bits that were set in no address passed to this copy of kmem so far.
    static UNSEEN: AtomicUsize = AtomicUsize::new(SPARE);

    /// Takes no memory. It is `PhantomData`, the only zero-sized type that Rust accepts in a struct for C.
    pub(crate) type Proof = core::marker::PhantomData<usize>;

    pub(crate) trait Proves {
        fn new(at: usize, addr: usize, with: usize) -> Self;
        fn holds(self, at: usize, addr: usize, with: usize) -> bool;
    }

    impl Proves for Proof {
        #[inline(always)]
        fn new(_: usize, addr: usize, _: usize) -> Proof {
            if addr & UNSEEN.load(Ordering::Relaxed) != 0 {
                learn(addr);
            }
            core::marker::PhantomData
        }

        /// Returns true if a proof may have been made for the address.
        #[inline(always)]
        fn holds(self, _: usize, addr: usize, _: usize) -> bool {
            // Relaxed: a cell received from another thread brings that thread's writes with it.
            addr & UNSEEN.load(Ordering::Relaxed) == 0
        }
    }

    #[cold]
    #[inline(never)]
    fn learn(addr: usize) {
        UNSEEN.fetch_and(!addr, Ordering::Relaxed);
    }
}

#[cfg(target_pointer_width = "32")]
mod proof {
    use super::key;

    /// A word computed from the key, the place, the address and the argument.
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(transparent)]
    pub(crate) struct Proof(usize);

    impl Proof {
        pub(super) fn new(at: usize, addr: usize, with: usize) -> Proof {
            // Not `mask`, which hides the address: a forged difference would cancel out in both.
            Proof(mix(mix(mix(key() ^ at) ^ with) ^ addr))
        }

        /// Returns true if the proof is that of this address.
        pub(super) fn holds(self, at: usize, addr: usize, with: usize) -> bool {
            self == Proof::new(at, addr, with)
        }
    }

    /// The final mix of MurmurHash3 (Appleby), in which each bit affects every other.
    fn mix(word: usize) -> usize {
        let word = (word ^ word >> 16).wrapping_mul(0x85eb_ca6b);
        let word = (word ^ word >> 13).wrapping_mul(0xc2b2_ae35);
        word ^ word >> 16
    }
}

use proof::*;

/// A destructor behind the data of a cell, or in the header of a pool. The address of the function is hidden by the key, the
/// address of the slot and the argument. A corrupt slot is not called, except by chance: one in 2^16 words on 64-bit machines, one
/// in 2^32 on 32-bit machines.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct SealedDtor {
    run: *mut (),
    arg: *mut c_void,
    proof: Proof,
    /// Unused. Makes a slot 16 bytes on 32-bit machines too.
    #[cfg(target_pointer_width = "32")]
    spare: core::mem::MaybeUninit<usize>,
}

impl SealedDtor {
    /// Returns the words to store at this address for a destructor.
    pub(crate) fn sealed(at: *mut SealedDtor, destructor: Destructor) -> SealedDtor {
        let (at, arg) = (at.addr(), destructor.arg.addr());
        let run = destructor.run.map_or(null_mut(), |run| run as *mut ());
        let proof = Proof::new(at, run.addr(), arg);
        SealedDtor {
            run: run.map_addr(|addr| addr ^ mask(at, arg)),
            arg: destructor.arg,
            proof,
            #[cfg(target_pointer_width = "32")]
            spare: core::mem::MaybeUninit::uninit(),
        }
    }

    /// Safety: `at` is an aligned slot of a cell that nobody else uses.
    pub(crate) unsafe fn write(at: *mut SealedDtor, destructor: Destructor) {
        // SAFETY: [caller] the slot is the caller's.
        unsafe { at.write(SealedDtor::sealed(at, destructor)) };
    }

    /// Returns the destructor in the slot, or `None` if the slot is corrupt.
    /// Safety: `at` is an aligned slot of a cell that nobody else uses.
    #[inline(always)]
    pub(crate) unsafe fn read(at: *mut SealedDtor) -> Option<Destructor> {
        // SAFETY: [caller] the slot is the caller's.
        let SealedDtor { run, arg, proof, .. } = unsafe { at.read() };
        let run = run.map_addr(|addr| addr ^ mask(at.addr(), arg.addr()));
        if !proof.holds(at.addr(), run.addr(), arg.addr()) {
            return None;
        }
        // SAFETY: [slot] `write` stored null or such a function under the same mask, and null is `None`. A corrupt slot was
        // detected above, except on a 64-bit machine whose code addresses have no spare bits.
        let run = unsafe { core::mem::transmute::<*mut (), Option<Drop>>(run) };
        Some(Destructor { run, arg })
    }
}

/// The address of a name behind the data of a cell, sealed.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct SealedName {
    name: *mut c_char,
    proof: Proof,
}

impl SealedName {
    /// Safety: `at` is an aligned place for a name, and the caller's alone.
    pub(crate) unsafe fn write(at: *mut SealedName, name: *const c_char) {
        let name = name.cast_mut();
        let proof = Proof::new(at.addr(), name.addr(), 0);
        // SAFETY: [caller] the place is the caller's.
        unsafe { at.write(SealedName { name: name.map_addr(|addr| addr ^ mask(at.addr(), 0)), proof }) };
    }

    /// Returns the address of the name, or `None` if it is corrupt. Safety: `at` is a sealed name that nobody writes meanwhile.
    pub(crate) unsafe fn read(at: *mut SealedName) -> Option<NonNull<c_char>> {
        // SAFETY: [caller] the name is the caller's.
        let SealedName { name, proof } = unsafe { at.read() };
        let name = name.map_addr(|addr| addr ^ mask(at.addr(), 0));
        if is_non_canonical(name.addr()) || !proof.holds(at.addr(), name.addr(), 0) {
            return None;
        }
        NonNull::new(name)
    }
}

/// The end of a block, sealed.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct End {
    end: usize,
    proof: Proof,
}

impl End {
    /// Distinguishes it from a name in the same place.
    const END: usize = 1;

    /// Safety: `at` is an aligned place for the end, and the caller's alone.
    pub(crate) unsafe fn write(at: *mut End, end: usize) {
        let proof = Proof::new(at.addr(), end, End::END);
        // SAFETY: [caller] the place is the caller's.
        unsafe { at.write(End { end: end ^ mask(at.addr(), End::END), proof }) };
    }

    /// Returns the end that was written here. If it is corrupt, returns a number that is random or larger than any block.
    /// Safety: `at` is aligned and readable, and nobody writes there meanwhile.
    pub(crate) unsafe fn read(at: *mut End) -> usize {
        // SAFETY: [caller] the place is the caller's.
        let End { end, proof } = unsafe { at.read() };
        let end = end ^ mask(at.addr(), End::END);
        if proof.holds(at.addr(), end, End::END) { end } else { usize::MAX }
    }
}

const _: () = assert!(size_of::<SealedDtor>() == 16 && size_of::<SealedName>() == 8 && size_of::<End>() == 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(any(feature = "std", unix, windows, target_os = "wasi"))]
    fn the_key_is_a_random_number_with_std_and_without() {
        assert_ne!(key(), here().wrapping_mul(SPREAD) | 1);
    }

    #[test]
    fn no_address_of_this_program_is_non_canonical() {
        let (on_the_stack, on_the_heap) = (0u128, std::boxed::Box::new(0u128));
        let here = [
            (&raw const on_the_stack).addr(),
            (&raw const *on_the_heap).addr(),
            (&raw const KEY).addr(),
            key as *const () as usize,
            c"a name".as_ptr().addr(),
        ];
        for addr in here {
            assert!(!is_non_canonical(addr), "{addr:#x}");
            assert!(!is_no_source(addr & !15));
        }
    }

    #[test]
    fn null_and_on_hosted_systems_small_numbers_and_text_are_non_canonical() {
        assert!(is_non_canonical(0) && is_no_source(0) && is_no_source(key as *const () as usize | 1));
        if HOSTED {
            assert!([8, 64, 4000, usize::MAX - 15, usize::MAX].into_iter().all(is_non_canonical));
        }
        if NON_CANONICAL != 0 {
            assert!(
                (b' '..=b'~').all(|byte| is_non_canonical(usize::from_ne_bytes([byte; size_of::<usize>()])))
            );
        }
    }

    #[cfg(target_arch = "aarch64")]
    #[test]
    fn an_address_with_a_tag_in_its_top_byte_is_not_non_canonical() {
        let addr = (&raw const KEY).addr();
        assert!((0..=255).all(|tag| !is_non_canonical(addr | tag << 56)));
    }

    #[cfg(feature = "tree")]
    #[test]
    fn one_link_of_three_that_leads_to_no_header_is_detected() {
        let right = (&raw const KEY).addr() & !15;
        assert!(!any_is_no_header([right, 0, right + 16]) && !any_is_no_header([right; 3]));
        for wrong in [right + 8, usize::MAX - 15, 16, FIRST - 16] {
            let all = [[wrong, right, right], [right, wrong, 0], [right, right, wrong]];
            let detected = |links| any_is_no_header(links) || any_is_small(links[0], links[1], links[2]);
            assert!(!HOSTED || all.into_iter().all(detected), "{wrong:#x}");
        }
    }

    unsafe extern "C-unwind" fn nothing(_: *mut c_void, _: *mut c_void) {}

    #[test]
    fn a_slot_returns_its_destructor_until_a_word_of_the_slot_is_overwritten() {
        const WORDS: usize = 16 / size_of::<usize>();
        let mut room = core::mem::MaybeUninit::<SealedDtor>::uninit();
        let at = room.as_mut_ptr();
        let arg = at.cast();
        for run in [None, Some(nothing as Drop)] {
            // SAFETY: the slot is this test's own, and any bytes are a word.
            unsafe {
                SealedDtor::write(at, Destructor { run, arg });
                let found = SealedDtor::read(at).expect("a destructor");
                assert_eq!(
                    (found.run.map(|run| run as usize), found.arg),
                    (run.map(|run| run as usize), arg)
                );
                // The last word is unused on 32-bit machines.
                for word in 0..if WORDS == 2 { 2 } else { 3 } {
                    let word = at.cast::<usize>().add(word);
                    let right = word.read();
                    for forged in [0, right ^ 1 << (usize::BITS - 2), nothing as Drop as usize, usize::MAX] {
                        word.write(forged);
                        assert!(forged == right || SealedDtor::read(at).is_none(), "{forged:#x}");
                    }
                    word.write(right);
                }
            }
        }
    }

    #[cfg(target_pointer_width = "32")]
    #[test]
    fn a_slot_with_another_argument_is_corrupt() {
        let mut room = core::mem::MaybeUninit::<SealedDtor>::uninit();
        let at = room.as_mut_ptr();
        // SAFETY: the slot is this test's own, and any bytes are a word.
        unsafe {
            SealedDtor::write(at, Destructor { run: Some(nothing), arg: null_mut() });
            let word = at.cast::<usize>().add(1);
            for forged in (1..50_000).flat_map(|n| [n, n << 16, !n]) {
                word.write(forged);
                assert!(SealedDtor::read(at).is_none(), "{forged:#x}");
            }
        }
    }

    #[cfg(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64",
        target_arch = "s390x"
    ))]
    #[test]
    fn an_unusually_high_address_is_accepted_only_after_it_was_passed_in() {
        let high = 1 << 55 | 0x1234_5678;
        assert!(!Proof::new(0, 0x1234_5678, 0).holds(0, high, 0));
        assert!(Proof::new(0, high, 0).holds(0, high, 0));
        assert!(!Proof::new(0, 0x1234_5678, 0).holds(0, 1 << 54, 0));
    }

    #[test]
    fn sizes_that_differ_by_a_few_bytes_rarely_have_the_same_seal() {
        for off in (1..=16).chain([32, 64, 256]) {
            let same = (0..4096).filter(|size| of_cell(*size, 0, 0) == of_cell(size + off, 0, 0)).count();
            assert!(same < 4096 / 8, "{same} of 4096 sizes have the seal of one {off} bytes larger");
        }
    }

    #[test]
    fn all_threads_get_the_same_key() {
        let threads = [0; 4].map(|_| std::thread::spawn(key));
        assert!(threads.map(|thread| thread.join().unwrap()).iter().all(|&found| found == key()));
    }
}
