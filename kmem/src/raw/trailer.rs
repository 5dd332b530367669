//! The parts of a cell beside its data: its destructor, its name, its record, and their size.

use core::ffi::CStr;
use core::ptr::null_mut;

use super::check::seal_ok;
use super::layout::CellAt;
use super::make::heap_cell;
use super::record::{self, Lifted, Record};
use super::request::{Destructor, Fill};
use super::sanitizer::HeaderLinks;
use super::seal::{SealedDtor, SealedName};
use super::shape::CellLayout;
use super::source::{draw, give_back};
use super::totals;
use crate::cell::FLAG_SLOT;
use crate::error::AllocError;
use crate::fault::Call;

/// Returns the number of data bytes, and the number of bytes of the block and the record together.
/// Safety: the cell is live.
#[inline(never)]
pub(crate) unsafe fn extent(at: CellAt) -> (usize, usize) {
    // SAFETY: [caller] the cell is live.
    let (shape, flags) = unsafe { (CellLayout::of_any(at), (*at.cell()).flags) };
    let record = if record::has(flags) { record::LAYOUT.size() } else { 0 };
    (shape.size, shape.offset() + shape.end + record)
}

/// Returns the name of a cell, if it was made with one. Safety: the cell is live.
#[inline(never)]
pub(crate) unsafe fn name(at: CellAt) -> Option<&'static CStr> {
    // SAFETY: [caller, slot] the cell is live, and its shape says where a name lies.
    unsafe {
        let shape = CellLayout::of_any(at);
        if !shape.has_name() {
            return None;
        }
        // `SealedName::write` stored the address of a string that is never freed. A corrupt address is detected, except on a 64-bit
        // machine whose data addresses have no spare bits.
        SealedName::read(at.data.add(shape.name_at()).cast()).map(|name| CStr::from_ptr(name.as_ptr()))
    }
}

/// Replaces the name of a cell. Returns false if the cell was made without one.
/// Safety: the cell is live. Nobody reads its name meanwhile.
pub(crate) unsafe fn rename(at: CellAt, name: &'static CStr) -> bool {
    // SAFETY: [caller, slot] the cell is live, and its shape says where a name lies.
    unsafe {
        let shape = CellLayout::of_any(at);
        if shape.has_name() {
            SealedName::write(at.data.add(shape.name_at()).cast(), name.as_ptr());
        }
        shape.has_name()
    }
}

/// Sets the destructor of a cell that has a slot or a record.
/// Safety: the cell is live. Nobody else uses it meanwhile.
pub(crate) unsafe fn set_dtor(at: CellAt, destructor: Destructor) {
    // SAFETY: [caller, slot, record] a shape with a slot has room for it. A cell without one may have a record.
    unsafe {
        let shape = CellLayout::of_any(at);
        if shape.has_slot() {
            SealedDtor::write(at.data.add(shape.slot()).cast::<SealedDtor>(), destructor);
        } else if record::has((*at.cell()).flags) {
            record::set_dtor(record::of(at.cell()), destructor);
        }
    }
}

/// Replaces the destructor of a cell, on behalf of `call`. A cell without a slot gets a record for it. An empty destructor removes
/// the present one.
/// Safety: the cell is a live heap or counted one, or has a slot. Nobody else uses it meanwhile.
pub(crate) unsafe fn hook(call: Call, at: CellAt, destructor: Destructor) -> Result<(), AllocError> {
    // SAFETY: [caller, record] the cell is live, and its prefix is checked.
    unsafe {
        if !seal_ok(call, at) {
            return Err(AllocError::Misused);
        }
        let flags = (*at.cell()).flags;
        if flags & FLAG_SLOT == 0 && !record::has(flags) && destructor.run.is_some() {
            ensure(at)?;
            if let Some(cell) = heap_cell(at) {
                cell.set_links(HeaderLinks::Out);
            }
        }
        set_dtor(at, destructor);
    }
    Ok(())
}

/// Returns the record of a cell, and allocates it first if needed.
/// Safety: the cell is heap or counted, and the caller's alone. Its prefix was checked.
#[inline(never)]
pub(crate) unsafe fn ensure(at: CellAt) -> Result<*mut Record, AllocError> {
    let cell = at.cell();
    // SAFETY: [caller, record, drawn, outlives] the cell is the caller's. Its source outlives it, and returned room for a record.
    unsafe {
        if record::has((*cell).flags) {
            return Ok(record::of(cell));
        }
        let src = at.src();
        let new = draw(src, record::LAYOUT, Fill::Undefined)?.cast::<Record>().as_ptr();
        // The `allocate` of a custom source is user code, which may have given the cell a record.
        if record::has((*cell).flags) {
            give_back(src, new.cast(), record::LAYOUT);
            return Ok(record::of(cell));
        }
        totals::drawn(at.kind, record::LAYOUT.size());
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
