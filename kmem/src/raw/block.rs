//! The block of memory around a cell: how it is drawn, how it ends.

use core::alloc::Layout;
use core::ffi::CStr;
use core::ptr::NonNull;

use super::marks::{HeapCell, Leads};
use super::record;
pub(crate) use super::request::{BASE_ALIGN, align_byte, data_align, round_up};
pub use super::request::{Destructor, Drop, Fill, MAX_ALIGN, Request};
use super::seal::{self, Label, Slot};
pub(crate) use super::shape::prefix;
use super::shape::{MOST, Shape, far_end};
use super::source::{draw, draw_heap, free_heap, give_back, shreds};
use super::{marks, totals};
use crate::cell::{
    Cell, FLAG_BUSY, FLAG_DEEP, FLAG_HOLD, FLAG_HOOK, FLAG_HOST, FLAG_NAME, FLAG_OWNER, FLAG_RECORD,
    FLAG_SAME, FLAG_SLOT, Kind,
};
use crate::error::AllocError;
use crate::fault::{self, Misuse};
use crate::shred;

/// Draws a block from `src` and makes a cell of `kind` in it: prefix, destructor slot, and zeroed data where asked
/// for. Returns the data; the caller fills the rest of its header.
///
/// # Safety
/// `src` is null or a live source cell; `header` is at least the size of the method's header, a power of two.
#[inline(always)]
pub(crate) unsafe fn carve(
    kind: Kind,
    header: usize,
    src: *mut Cell,
    request: &Request,
    flags: u8,
) -> Result<NonNull<u8>, AllocError> {
    // The plain cell from the heap, by far the most frequent, made where the request is known: most of it folds away.
    if src.is_null() && is_plain_request(request) {
        // SAFETY: [extent] the size is not zero, and far from overflow; the block has just this layout.
        unsafe {
            let layout = plain_layout(header, request);
            Ok(write_plain(draw_heap(layout, request.fill)?, kind, header, layout.size(), flags))
        }
    } else {
        #[cfg(feature = "pool")]
        if !src.is_null() && is_plain_request(request) {
            // SAFETY: [caller, drawn] as above; a source that is not null has a readable prefix.
            unsafe {
                let size = plain_layout(header, request).size();
                if let Some(block) = NonNull::new(super::pool::serve_plain(src, size)) {
                    if request.fill == Fill::Zeroed {
                        block.write_bytes(0, size);
                        marks::written(block.as_ptr(), size);
                    }
                    return Ok(write_plain(block, kind, header, size, flags));
                }
            }
        }
        // SAFETY: [caller] the contract is the caller's.
        unsafe { carve_from(kind, header, src, request, flags) }
    }
}

/// Whether a cell needs nothing but its bytes: aligned as all data is, without destructor and name.
#[inline(always)]
fn is_plain_request(request: &Request) -> bool {
    request.drop.is_none()
        && request.name.is_none()
        && request.size <= MOST
        && matches!(data_align(request.align), Ok(BASE_ALIGN))
}

/// The layout of a plain cell's block.
///
/// # Safety
/// The request is plain.
#[inline(always)]
unsafe fn plain_layout(header: usize, request: &Request) -> Layout {
    // SAFETY: [extent] the sum is far from overflow, and the alignment a power of two.
    unsafe { Layout::from_size_align_unchecked(header + request.size, BASE_ALIGN) }
}

/// Makes a plain cell in a block of `size` bytes and returns its data.
///
/// # Safety
/// The block is the caller's, and begins with the header.
#[inline(always)]
unsafe fn write_plain(block: NonNull<u8>, kind: Kind, header: usize, size: usize, flags: u8) -> NonNull<u8> {
    totals::made(kind, size);
    // SAFETY: [extent] the block has room for the header.
    unsafe {
        // In one store, so that a load of any part of it that follows soon need not wait for several.
        let seal = seal::of_cell(size, flags, 0);
        block.cast::<u64>().write(word(kind as i32, 0, flags, 0, seal));
        (&raw mut (*block.cast::<Cell>().as_ptr()).size).write(size);
        marks::written(block.as_ptr(), header);
        block.add(header)
    }
}

/// [`carve`] from any source.
#[inline(never)]
unsafe fn carve_from(
    kind: Kind,
    header: usize,
    src: *mut Cell,
    request: &Request,
    flags: u8,
) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if !is_plain_request(request) {
            return carve_carefully(kind, header, src, request, flags);
        }
        let layout = plain_layout(header, request);
        Ok(write_plain(draw(src, layout, request.fill)?, kind, header, layout.size(), flags))
    }
}

unsafe fn carve_carefully(
    kind: Kind,
    header: usize,
    src: *mut Cell,
    request: &Request,
    flags: u8,
) -> Result<NonNull<u8>, AllocError> {
    let shape = Shape::new(header, request)?;
    let layout = shape.layout();
    // SAFETY: [caller] the caller vouches for the source.
    let base = unsafe { draw(src, layout, request.fill) }?;
    // SAFETY: [extent] the block has `layout.size()` bytes, of which the data begins `offset` in.
    let data = unsafe { base.add(shape.offset()) };
    let carried = if shape.has_slot() { FLAG_SLOT } else { 0 } | if shape.has_name() { FLAG_NAME } else { 0 };
    let mut cell = Cell::new(kind, flags | carried, align_byte(shape.align), header + request.size);
    let place = prefix(data.as_ptr(), header);
    cell.heap = seal::of_cell(cell.size, cell.flags, cell.align);
    totals::made(kind, layout.size());
    // SAFETY: [extent] the header lies in the block right before the data, at a multiple of 16.
    unsafe { place.write(cell) };
    marks::written(place.cast(), header);
    if let Some(destructor) = request.drop {
        // SAFETY: [extent] the shape made room for a slot at this aligned offset.
        unsafe { Slot::write(data.add(shape.slot()).cast::<Slot>().as_ptr(), destructor) };
    }
    if let Some(name) = request.name {
        // SAFETY: [extent] the shape made room for a name at this aligned offset.
        unsafe { Label::write(data.add(shape.label()).cast::<Label>().as_ptr(), name) };
    }
    Ok(data)
}

/// A cell drawn from `src`, if valgrind is to be told of it: one from the heap. What hosts a pool is told of with that.
///
/// # Safety
/// `data` is that of a live cell with this header.
#[inline(always)]
pub(super) unsafe fn told(data: *mut u8, header: usize, src: *mut Cell) -> Option<HeapCell> {
    if !marks::HEAP {
        return None;
    }
    // SAFETY: [caller] the caller's cell is live.
    unsafe { told_shaped(data, &Shape::seen(prefix(data, header), header), src) }
}

/// [`told`] of a cell of this shape.
///
/// # Safety
/// As for [`told`].
#[inline(always)]
unsafe fn told_shaped(data: *mut u8, shape: &Shape, src: *mut Cell) -> Option<HeapCell> {
    let cell = prefix(data, shape.header);
    // SAFETY: [caller] the caller's cell is live.
    if !marks::HEAP || !src.is_null() || unsafe { (*cell).flags & FLAG_RECORD == FLAG_HOST } {
        return None;
    }
    Some(HeapCell { header: cell.cast(), data, end: data.wrapping_add(shape.end) })
}

/// Tells valgrind of a cell whose header is written.
///
/// # Safety
/// As for [`told`].
#[inline(always)]
pub(super) unsafe fn told_made(kind: Kind, data: *mut u8, header: usize, src: *mut Cell) {
    // SAFETY: [caller] the contract is the caller's, and the kind is that of a node.
    unsafe {
        let Some(cell) = told(data, header, src) else { return };
        let flags = (*prefix(data, header)).flags;
        cell.made(match kind {
            // A node of the library's own is found by its header, whether or not there is one above.
            #[cfg(feature = "tree")]
            Kind::Tree if flags & FLAG_RECORD != 0 || !(*super::tree::header(data)).parent.is_null() => {
                Leads::Inside
            }
            Kind::Tree => Leads::On,
            _ if record::has(flags) => Leads::On,
            _ => Leads::Nowhere,
        });
    }
}

/// The bytes of a cell's data, and those of its block and its record.
///
/// # Safety
/// `data` is that of a live cell with this header.
#[inline(never)]
pub(crate) unsafe fn extent(data: *mut u8, header: usize) -> (usize, usize) {
    // SAFETY: [caller] the caller's cell is live.
    let (shape, flags) =
        unsafe { (Shape::seen(prefix(data, header), header), (*prefix(data, header)).flags) };
    let record = if record::has(flags) { record::LAYOUT.size() } else { 0 };
    (shape.size, shape.offset() + shape.end + record)
}

/// The name of a cell that was made with one.
///
/// # Safety
/// `data` is that of a live cell with this header.
#[inline(never)]
pub(crate) unsafe fn name(data: *mut u8, header: usize) -> Option<&'static CStr> {
    // SAFETY: [caller, slot] the caller's cell is live, and its shape says where a name lies.
    unsafe {
        let shape = Shape::seen(prefix(data, header), header);
        if shape.has_name() { Label::read(data.add(shape.label()).cast()) } else { None }
    }
}

/// Replaces the name of a cell. Returns false, and changes nothing, if the cell was made without one.
///
/// # Safety
/// `data` is that of a live cell with this header, whose name nobody reads meanwhile.
pub(crate) unsafe fn rename(data: *mut u8, header: usize, name: &'static CStr) -> bool {
    // SAFETY: [caller, slot] the caller's cell is live, and its shape says where a name lies.
    unsafe {
        let shape = Shape::seen(prefix(data, header), header);
        if shape.has_name() {
            Label::write(data.add(shape.label()).cast(), name);
        }
        shape.has_name()
    }
}

/// Sets the destructor of a cell that was made with a slot.
///
/// # Safety
/// `data` is that of a live cell with this header size that nobody else uses meanwhile.
pub(crate) unsafe fn arm(data: *mut u8, header: usize, destructor: Destructor) {
    let cell = prefix(data, header);
    // SAFETY: [caller] the caller's cell is live.
    let shape = unsafe { Shape::seen(cell, header) };
    // SAFETY: [slot, record] a shape with a slot has room for it there; a cell without one may have a record.
    unsafe {
        if shape.has_slot() {
            Slot::write(data.add(shape.slot()).cast::<Slot>(), destructor);
        } else if record::has((*cell).flags) {
            record::arm(record::of(cell), destructor);
        }
    }
}

/// Sets the destructor of a cell, on behalf of `call`, in the place of the one that it has. A cell that was made without a slot gets a
/// record for it. An empty destructor takes away what there is.
///
/// # Safety
/// `data` is that of a live cell of `kind`, heap or counted, with this header, drawn from `src`, which nobody else uses meanwhile.
pub(super) unsafe fn hook(
    call: &'static str,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    destructor: Destructor,
) -> Result<(), AllocError> {
    let cell = prefix(data, header);
    // SAFETY: [caller, record] the caller's cell is live, and the check finds its prefix whole.
    unsafe {
        if !is_whole(call, kind, header, data, src) {
            return Err(AllocError::Misused);
        }
        let flags = (*cell).flags;
        if flags & FLAG_SLOT == 0 && !record::has(flags) && destructor.run.is_some() {
            record::ensure(kind, cell, src)?;
            if let Some(cell) = told(data, header, src) {
                cell.leads(Leads::On);
            }
        }
        arm(data, header, destructor);
    }
    Ok(())
}

/// Whether `data` is that of a cell of `kind`; what is wrong with it is reported. The rest of the header is checked where
/// the cell ends.
///
/// # Safety
/// The `header` bytes before `data` are readable.
#[inline]
pub(crate) unsafe fn check(call: &'static str, kind: Kind, header: usize, data: *mut u8) -> bool {
    // SAFETY: [caller] the caller vouches for the bytes of the header, and only well-aligned ones are read.
    if data.addr() & (BASE_ALIGN - 1) == 0 && unsafe { (*prefix(data, header)).kind } == kind as i32 {
        return true;
    }
    // SAFETY: [caller] as above.
    unsafe { accuse(call, kind, header, data) };
    false
}

/// [`check`] for a look at a cell, which may be on its way out: its destructor may look at it.
///
/// # Safety
/// As for [`check`].
#[inline(never)]
pub(crate) unsafe fn check_seen(call: &'static str, kind: Kind, header: usize, data: *mut u8) -> bool {
    // SAFETY: [caller] the caller vouches for the header, of which only an aligned one is read.
    unsafe {
        data.addr() & (BASE_ALIGN - 1) == 0 && (*prefix(data, header)).kind == kind.dying()
            || check(call, kind, header, data)
    }
}

/// Whether a cell of this size that nobody else uses has nothing to it but its bytes: no mark, no destructor, no alignment
/// above the usual, and the seal of such a cell of this kmem's heap. One comparison of the four bytes between kind and
/// size.
///
/// # Safety
/// `cell` is readable and aligned, and no other thread has a reference to it.
#[inline]
pub(super) unsafe fn is_plain(cell: *mut Cell, size: usize) -> bool {
    const MASK: u32 = u32::from_ne_bytes([u8::MAX, !FLAG_SAME, u8::MAX, u8::MAX]);
    // SAFETY: [caller] the caller vouches for the prefix.
    let bytes = unsafe { (&raw const (*cell).shred).cast::<u32>().read() };
    bytes & MASK == u32::from_ne_bytes([0, 0, 0, seal::of_cell(size, 0, 0)])
}

/// The first word of a prefix, of whatever kind of cell. On 32-bit machines a prefix lies where a `u64` may not.
///
/// # Safety
/// `cell` is a readable and aligned prefix, to which no other thread writes.
#[inline(always)]
pub(super) unsafe fn first_word(cell: *mut Cell) -> u64 {
    #[cfg(target_pointer_width = "64")]
    // SAFETY: [caller] the caller vouches for the prefix, which is aligned as its size is.
    unsafe {
        cell.cast::<u64>().read()
    }
    #[cfg(target_pointer_width = "32")]
    // SAFETY: [caller] the caller vouches for the prefix; any bytes are a number.
    unsafe {
        core::mem::transmute::<[u32; 2], u64>(cell.cast::<[u32; 2]>().read())
    }
}

/// What [`first_word`] reads of a prefix with these fields.
pub(super) const fn word(kind: i32, shred: u8, flags: u8, align: u8, heap: u8) -> u64 {
    let [a, b, c, d] = kind.to_ne_bytes();
    u64::from_ne_bytes([a, b, c, d, shred, flags, align, heap])
}

#[cold]
unsafe fn accuse(call: &'static str, kind: Kind, header: usize, data: *mut u8) {
    let misuse = if data.addr() & (BASE_ALIGN - 1) != 0 {
        Misuse::NotACell(0)
    } else {
        // SAFETY: [caller] the caller vouches for the bytes of the header.
        judge(kind, unsafe { (*prefix(data, header)).kind })
    };
    fault::report(call, data, misuse);
}

/// What a kind that is not the expected one says about the cell.
pub(crate) fn judge(expected: Kind, found: i32) -> Misuse {
    match Kind::from_raw(found) {
        Some(kind) if kind == expected => Misuse::Damaged,
        Some(Kind::None) | None if found == expected.freed() => Misuse::AlreadyFreed,
        Some(Kind::None) | None if found == expected.dying() => Misuse::BeingFreed,
        Some(Kind::None) | None => Misuse::NotACell(found),
        Some(kind) => Misuse::WrongKind(kind),
    }
}

/// A cell on its way out. Dropping it zeroes the data where anyone asked for it and gives the block back, so that
/// this happens even where the destructor unwinds.
pub(super) struct Ending {
    pub(super) kind: Kind,
    pub(super) header: usize,
    pub(super) data: *mut u8,
    pub(super) src: *mut Cell,
    pub(super) shred: bool,
    /// Read before anything of the program's runs.
    pub(super) far_end: usize,
}

impl Ending {
    /// Ends the cell: what dropping does, in the place where it is called.
    ///
    /// # Safety
    /// It is done once.
    #[inline(always)]
    unsafe fn finish(&self) {
        let Ending { kind, header, data, src, shred, far_end } = *self;
        let cell = prefix(data, header);
        // SAFETY: [guard, origin, extent] `end` was given a live cell that nobody else uses any more, and its source, which is
        // still there.
        unsafe {
            let shape = Shape::ending(cell, header, (*cell).size, far_end);
            if shred || (*cell).tainted() || shreds(src) {
                // The spare room too: what lies there may have been data.
                shred::zero(data, shape.end);
            }
            (*cell).kind = kind.freed();
            totals::ended(kind, shape.layout().size());
            if let Some(cell) = told_shaped(data, &shape, src) {
                cell.ended();
            }
            give_back(src, data.sub(shape.offset()), shape.layout());
        }
    }
}

impl core::ops::Drop for Ending {
    fn drop(&mut self) {
        // SAFETY: [guard] nobody else has, or this would have been forgotten.
        unsafe { self.finish() }
    }
}

/// Ends a cell on behalf of `call`: destructor, zeroing, back to the source. A damaged header is reported, and the cell left
/// alone: then it returns false.
///
/// # Safety
/// `data` is that of a cell of `kind` with this header, drawn from `src`, and nobody uses it any more.
#[inline(always)]
pub(crate) unsafe fn end(
    call: &'static str,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    shred: bool,
) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        !shred && end_plain(kind, header, data, src) || end_carefully(call, kind, header, data, src, shred)
    }
}

/// Ends a cell that has nothing to it but its bytes, and came from the heap or from a pool that is as plain. Returns whether it was one;
/// if not, nothing was done. Nothing of the program's runs.
///
/// # Safety
/// As for [`end`].
#[inline(always)]
pub(crate) unsafe fn end_plain(kind: Kind, header: usize, data: *mut u8, src: *mut Cell) -> bool {
    let cell = prefix(data, header);
    // SAFETY: [live, extent] the caller's cell is ours alone, and its source alive. A plain one was drawn with just its
    // size, see `carve`.
    unsafe {
        let size = (*cell).size;
        let plain = size >= header && is_plain(cell, size);
        if plain && src.is_null() {
            (*cell).kind = kind.freed();
            totals::ended(kind, size);
            if let Some(cell) = told(data, header, src) {
                cell.ended();
            }
            free_heap(cell.cast(), Layout::from_size_align_unchecked(size, BASE_ALIGN));
            return true;
        }
        #[cfg(feature = "pool")]
        if plain && !seal::is_no_source(src.addr()) && super::pool::is_plain(src) {
            (*cell).kind = kind.freed();
            totals::ended(kind, size);
            super::pool::take_back_plain(src.cast(), cell.cast());
            return true;
        }
        false
    }
}

/// [`end`] of a cell that may have more to it.
///
/// # Safety
/// As for [`end`].
#[inline(never)]
pub(crate) unsafe fn end_carefully(
    call: &'static str,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    shred: bool,
) -> bool {
    let cell = prefix(data, header);
    // SAFETY: [live] the caller's cell is ours alone.
    unsafe {
        let found = check_prefix(call, kind, header, data, src);
        if found != Prefix::Whole {
            return found == Prefix::Recorded && end_recorded(call, kind, header, data, src, shred);
        }
        let ending = Ending { kind, header, data, src, shred, far_end: far_end(cell, header) };
        if (*cell).flags & FLAG_SLOT != 0 {
            let slot = Shape::ending(cell, header, (*cell).size, 0).slot();
            let Some(destructor) = Slot::read(data.add(slot).cast()) else {
                core::mem::forget(ending);
                fault::report(call, data, Misuse::Damaged);
                return false;
            };
            (*cell).kind = kind.dying();
            destructor.call(data);
        }
        let ending = core::mem::ManuallyDrop::new(ending);
        ending.finish();
    }
    true
}

/// [`end_carefully`] of a cell with a record.
///
/// # Safety
/// As for [`end`], and the prefix was found whole.
#[cold]
#[inline(never)]
unsafe fn end_recorded(
    call: &'static str,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    shred: bool,
) -> bool {
    let cell = prefix(data, header);
    // SAFETY: [live, record, guard] the caller's cell is ours alone. What is dropped last is its record, once nothing leads to it.
    unsafe {
        let record = record::of(cell);
        let Some(destructor) = record::destructor(record) else {
            fault::report(call, data, Misuse::Damaged);
            return false;
        };
        let lifted = record::lift(cell, record);
        if (*cell).flags & FLAG_SLOT != 0
            && Slot::read(data.add(Shape::of(cell, header).slot()).cast()).is_none()
        {
            fault::report(call, data, Misuse::Damaged);
            return false;
        }
        let _spent = lifted.spent(kind, src);
        if (*cell).flags & FLAG_SLOT != 0 {
            return end_carefully(call, kind, header, data, src, shred);
        }
        let _ending = Ending { kind, header, data, src, shred, far_end: far_end(cell, header) };
        (*cell).kind = kind.dying();
        destructor.call(data);
    }
    true
}

/// Whether a cell of this kind may have these flags: what is the library's own is so in one way, and carries nothing behind its data.
fn may_have(kind: Kind, flags: u8) -> bool {
    let own = flags & (FLAG_HOST | FLAG_HOOK | FLAG_HOLD);
    match kind {
        // The library's own has one of these bits, or the two of what a counted cell owns.
        Kind::Tree => {
            const OWN: u32 = 1 << FLAG_HOST | 1 << FLAG_HOOK | 1 << FLAG_HOLD | 1 << FLAG_OWNER;
            own == 0 || OWN >> own & 1 != 0 && flags & (FLAG_SLOT | FLAG_NAME) == 0
        }
        _ => own | flags & (FLAG_SAME | FLAG_BUSY | FLAG_DEEP) == 0,
    }
}

/// What a look at a prefix found.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Prefix {
    /// It is damaged, or that of another copy's heap, which was reported.
    Wrong,
    /// It is whole.
    Whole,
    /// It is whole, and leads to a record.
    Recorded,
}

/// Whether the prefix of a cell drawn from `src` contradicts neither itself nor its seal; what is wrong is reported.
///
/// # Safety
/// `data` is that of a readable cell of `kind` with this header.
#[inline]
pub(super) unsafe fn is_whole(
    call: &'static str,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { check_prefix(call, kind, header, data, src) != Prefix::Wrong }
}

/// [`is_whole`], and what it is.
///
/// # Safety
/// As for [`is_whole`].
#[inline(never)]
pub(super) unsafe fn check_prefix(
    call: &'static str,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
) -> Prefix {
    let cell = prefix(data, header);
    // SAFETY: [caller] the caller's cell is readable.
    unsafe {
        let (size, flags, align, found) = ((*cell).size, (*cell).flags, (*cell).align, (*cell).heap);
        if !is_consistent(kind, header, data, src, size, flags) {
            return is_recorded(call, kind, header, data, src, true);
        }
        // Any copy of kmem may free a cell that came from a pool or a custom source.
        if found != seal::of_cell(size, flags, align) && (kind == Kind::Heap || src.is_null()) {
            fault::report(call, data, Misuse::OtherHeap);
            return Prefix::Wrong;
        }
        // This reads behind the data, at a place that follows from the size. So the seal is checked first.
        if has_possible_shape(cell, header, size) {
            return Prefix::Whole;
        }
    }
    fault::report(call, data, Misuse::Damaged);
    Prefix::Wrong
}

/// Whether the prefix of a cell drawn from `src` does not contradict itself, whichever copy of kmem made it; what is wrong is reported.
/// This is as much as a look at a cell needs, which gives nothing back.
///
/// # Safety
/// `data` is that of a readable cell of `kind` with this header.
pub(super) unsafe fn is_fair(
    call: &'static str,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
) -> bool {
    let cell = prefix(data, header);
    // SAFETY: [caller] the caller's cell is readable.
    unsafe {
        let size = (*cell).size;
        is_consistent(kind, header, data, src, size, (*cell).flags) && has_possible_shape(cell, header, size)
            || is_recorded(call, kind, header, data, src, false) != Prefix::Wrong
    }
}

/// [`is_fair`], or [`is_whole`] if the cell is to be `ours`, of one that has a record, which its size and flags contradict, or is damaged.
///
/// # Safety
/// As for [`is_whole`].
#[cold]
#[inline(never)]
unsafe fn is_recorded(
    call: &'static str,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    ours: bool,
) -> Prefix {
    let cell = prefix(data, header);
    // SAFETY: [caller, record] the caller's cell is readable, and so is its record.
    unsafe {
        let record = record::of(cell);
        let (flags, align) = ((*cell).flags & !FLAG_RECORD, (*cell).align);
        let misuse = if record.is_null()
            || kind == Kind::Tree
            || !is_consistent(kind, header, data, src, (*record).size, flags)
            || !has_possible_shape(cell, header, (*record).size)
        {
            Misuse::Damaged
        } else if !ours
            || (*record).heap == seal::of_cell((*record).size, flags, align)
            || kind != Kind::Heap && !src.is_null()
        {
            return Prefix::Recorded;
        } else {
            Misuse::OtherHeap
        };
        fault::report(call, data, misuse);
    }
    Prefix::Wrong
}

/// Returns true if a cell with these flags, and so many bytes of header and data, contradicts nothing. Nothing behind the header is read.
///
/// # Safety
/// As for [`is_whole`].
#[inline(always)]
unsafe fn is_consistent(
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    size: usize,
    flags: u8,
) -> bool {
    let end = data.addr().wrapping_add(size);
    let sized = size >= header && size <= MOST + header && !seal::is_wild(end);
    // SAFETY: [caller] the source of a cell is there, and where none can be nothing is read.
    let sourced = src.is_null()
        || !seal::is_no_source(src.addr()) && unsafe { super::source::may_have_served(src, size) };
    sized && sourced && may_have(kind, flags)
}

/// Returns true if a cell of so many bytes of header and data can have the alignment and the far end that its prefix says. This reads
/// the far end, behind the data.
///
/// # Safety
/// `cell` is the prefix of a readable cell with this header, and the size is possible.
#[inline(always)]
unsafe fn has_possible_shape(cell: *mut Cell, header: usize, size: usize) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { (*cell).align == 0 || Shape::is_possible(cell, header, size) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(
        header: usize,
        size: usize,
        align: usize,
        slot: bool,
    ) -> Result<(usize, usize, Layout), AllocError> {
        let drop = slot.then_some(Destructor { run: None, arg: core::ptr::null_mut() });
        let shape = Shape::new(header, &Request { align, drop, ..Request::new(size) })?;
        Ok((shape.offset(), shape.slot(), shape.layout()))
    }

    #[test]
    fn the_data_follows_the_header_or_the_alignment_whichever_is_larger() {
        for (header, align, offset) in
            [(16, 1, 16), (16, 16, 16), (16, 64, 64), (64, 32, 64), (64, 64, 64), (32, 4096, 4096)]
        {
            let (found, _, layout) = shape(header, 100, align, false).unwrap();
            assert_eq!((found, layout.size(), layout.align()), (offset, offset + 100, align.max(16)));
        }
    }

    #[test]
    fn the_slot_lies_aligned_behind_the_data() {
        for size in 0..40 {
            let (offset, slot, layout) = shape(16, size, 16, true).unwrap();
            assert!(slot >= size && slot < size + 8 && slot % 8 == 0);
            assert_eq!(layout.size(), offset + slot + 16);
        }
    }

    #[test]
    fn every_size_near_the_end_of_the_address_space_is_refused_or_fits() {
        for back in 0..200 {
            for base in [usize::MAX, isize::MAX as usize, MOST + 100] {
                for (header, align, slot) in
                    [(16, 16, false), (16, 16, true), (64, 4096, true), (64, 4096, false)]
                {
                    match shape(header, base - back, align, slot) {
                        Ok((_, _, layout)) => {
                            assert!(base - back <= MOST && layout.size() > base - back);
                            assert!(Layout::from_size_align(layout.size(), layout.align()).is_ok());
                        }
                        Err(error) => assert!(base - back > MOST && error == AllocError::Overflow),
                    }
                }
            }
        }
    }

    #[test]
    fn a_kind_that_is_not_the_expected_one_says_what_happened() {
        assert_eq!(judge(Kind::Heap, Kind::Heap.freed()), Misuse::AlreadyFreed);
        assert_eq!(judge(Kind::Tree, Kind::Tree.dying()), Misuse::BeingFreed);
        assert_eq!(judge(Kind::Heap, Kind::Ref as i32), Misuse::WrongKind(Kind::Ref));
        assert_eq!(judge(Kind::Heap, Kind::Heap as i32), Misuse::Damaged);
        assert_eq!(judge(Kind::Heap, 0), Misuse::NotACell(0));
        assert_eq!(judge(Kind::Heap, Kind::Ref.freed()), Misuse::NotACell(Kind::Ref.freed()));
    }
}
