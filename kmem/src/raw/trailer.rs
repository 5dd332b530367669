//! What a cell has beside its data: its destructor, its name, its record, and how many bytes all that takes.

use core::ffi::CStr;
use core::ptr::null_mut;

use super::check::seal_ok;
use super::layout::prefix;
use super::make::told;
use super::record::{self, Lifted, Record};
use super::request::{Destructor, Fill};
use super::sanitizer::Leads;
use super::seal::{SealedDtor, SealedName};
use super::shape::CellLayout;
use super::source::{draw, give_back};
use super::totals;
use crate::cell::{Cell, FLAG_SLOT, Kind};
use crate::error::AllocError;
use crate::fault::Call;

/// The bytes of a cell's data, and those of its block and its record.
///
/// # Safety
/// `data` is that of a live cell with this header.
#[inline(never)]
pub(crate) unsafe fn extent(data: *mut u8, header: usize) -> (usize, usize) {
    // SAFETY: [caller] the caller's cell is live.
    let (shape, flags) =
        unsafe { (CellLayout::seen(prefix(data, header), header), (*prefix(data, header)).flags) };
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
        let shape = CellLayout::seen(prefix(data, header), header);
        if shape.has_name() { SealedName::read(data.add(shape.label()).cast()) } else { None }
    }
}

/// Replaces the name of a cell. Returns false, and changes nothing, if the cell was made without one.
///
/// # Safety
/// `data` is that of a live cell with this header, whose name nobody reads meanwhile.
pub(crate) unsafe fn rename(data: *mut u8, header: usize, name: &'static CStr) -> bool {
    // SAFETY: [caller, slot] the caller's cell is live, and its shape says where a name lies.
    unsafe {
        let shape = CellLayout::seen(prefix(data, header), header);
        if shape.has_name() {
            SealedName::write(data.add(shape.label()).cast(), name);
        }
        shape.has_name()
    }
}

/// Sets the destructor of a cell that was made with a slot.
///
/// # Safety
/// `data` is that of a live cell with this header size that nobody else uses meanwhile.
pub(crate) unsafe fn set_dtor(data: *mut u8, header: usize, destructor: Destructor) {
    let cell = prefix(data, header);
    // SAFETY: [caller] the caller's cell is live.
    let shape = unsafe { CellLayout::seen(cell, header) };
    // SAFETY: [slot, record] a shape with a slot has room for it there; a cell without one may have a record.
    unsafe {
        if shape.has_slot() {
            SealedDtor::write(data.add(shape.slot()).cast::<SealedDtor>(), destructor);
        } else if record::has((*cell).flags) {
            record::set_dtor(record::of(cell), destructor);
        }
    }
}

/// Sets the destructor of a cell, on behalf of `call`, in the place of the one that it has. A cell that was made without a slot gets a
/// record for it. An empty destructor takes away what there is.
///
/// # Safety
/// `data` is that of a live cell of `kind`, heap or counted, with this header, drawn from `src`, which nobody else uses meanwhile.
pub(crate) unsafe fn hook(
    call: Call,
    kind: Kind,
    header: usize,
    data: *mut u8,
    src: *mut Cell,
    destructor: Destructor,
) -> Result<(), AllocError> {
    let cell = prefix(data, header);
    // SAFETY: [caller, record] the caller's cell is live, and the check finds its prefix whole.
    unsafe {
        if !seal_ok(call, kind, header, data, src) {
            return Err(AllocError::Misused);
        }
        let flags = (*cell).flags;
        if flags & FLAG_SLOT == 0 && !record::has(flags) && destructor.run.is_some() {
            ensure(kind, cell, src)?;
            if let Some(cell) = told(data, header, src) {
                cell.leads(Leads::On);
            }
        }
        set_dtor(data, header, destructor);
    }
    Ok(())
}

/// The record of a cell, drawn from where the cell was if it has none yet.
///
/// # Safety
/// The caller has the cell alone. Its prefix is whole, its kind is heap or counted, and it was drawn from `src`.
#[inline(never)]
pub(crate) unsafe fn ensure(kind: Kind, cell: *mut Cell, src: *mut Cell) -> Result<*mut Record, AllocError> {
    // SAFETY: [caller, record, drawn, outlives] the cell is the caller's, and its source outlives it. The block has room for a record.
    unsafe {
        if record::has((*cell).flags) {
            return Ok(record::of(cell));
        }
        let new = draw(src, record::LAYOUT, Fill::Undefined)?.cast::<Record>().as_ptr();
        // A custom source's `alloc` is user code. It may have given the cell a record.
        if record::has((*cell).flags) {
            give_back(src, new.cast(), record::LAYOUT);
            return Ok(record::of(cell));
        }
        totals::drawn(kind, record::LAYOUT.size());
        new.write(Record {
            size: 0,
            drop: SealedDtor::sealed(&raw mut (*new).drop, Destructor::NONE),
            #[cfg(all(feature = "ref", feature = "tree"))]
            owned: null_mut(),
            seal: 0,
            heap: 0,
        });
        drop(Lifted::new(new, cell));
        Ok(new)
    }
}
