//! Objects of any kind: checked by their handles, and freed if they have no children.

use super::Handle;
use super::check;
#[cfg(feature = "heap")]
use super::end;
use super::layout::CellAt;
#[cfg(feature = "pool")]
use super::pool::release as pool;
use crate::cell::{Cell, Kind, Shred};
use crate::fault::{self, Call, Misuse};

/// The access for which an object is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// The call reads the object, which may be dying: its destructor may read it.
    Read,
    /// The call changes or frees the object, which must be live.
    Write,
}

/// Returns the cell for the handle of an object of this kind: the header of the object, the pool of a pool's cell, or null if the
/// object has none.
/// Safety: `data` is that of a live cell of this kind, or any pointer for [`Kind::None`].
#[inline(always)]
pub(crate) unsafe fn cell(kind: Option<Kind>, data: *mut u8) -> *mut Cell {
    match kind {
        #[cfg(feature = "pool")]
        // SAFETY: [caller, tag] the caller gives a live pool cell, whose header names its pool.
        Some(Kind::Pool) => unsafe { super::pool::cell::pool_of(data).cast() },
        _ => CellAt::of(kind, data).map_or(core::ptr::null_mut(), CellAt::cell),
    }
}

/// Returns the handle of a live object of this kind. Safety: as for [`cell`].
pub(crate) unsafe fn handle_of(kind: Kind, data: *mut u8) -> Handle {
    // SAFETY: [caller] the contract is the caller's.
    Handle::on(kind, data, unsafe { cell(Some(kind), data) })
}

/// Returns true if the object of a handle is live, as far as its header shows, and the handle agrees with that header. Also returns
/// true if kmem did not allocate the object. Otherwise reports the misuse. Safety: if the handle's kind is that of a method, the
/// header of its object is readable.
pub(crate) unsafe fn check(call: Call, handle: Handle, what: Check) -> bool {
    let Handle { kind, data, .. } = handle;
    let kind = Kind::from_raw(kind);
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        match (kind, CellAt::of(kind, data)) {
            (_, Some(at)) if agrees(handle, at.cell()) => match what {
                Check::Read => check::check_readable(call, at),
                Check::Write => check::check(call, at),
            },
            #[cfg(feature = "pool")]
            (Some(Kind::Pool), _) => super::pool::cell::check_handle(call, handle, what == Check::Read),
            (Some(Kind::None), _) => true,
            _ => {
                report_bad_handle(call, data, kind);
                false
            }
        }
    }
}

/// Returns true if a handle agrees with the cell of its object. A handle that C made may have no cell.
#[inline(always)]
pub(crate) fn agrees(handle: Handle, found: *mut Cell) -> bool {
    handle.cell == found || handle.cell.is_null()
}

/// Frees an object by its kind. The rows here are for kinds without children. The caller adds rows for the others, and names the
/// functions that end a heap cell and free a pool's cell.
macro_rules! release_by_kind {
    ($handle:expr, $call:expr, $shred:expr, $end:expr, $release_handle:expr, $data:ident: { $($(#[$cfg:meta])* $kind:ident => $release:expr,)* }) => {{
        let $data = $handle.data;
        let agrees = |found| $crate::raw::object::agrees($handle, found);
        match Kind::from_raw($handle.kind) {
            Some(Kind::None) => {}
            #[cfg(feature = "heap")]
            Some(Kind::Heap) if agrees($crate::raw::heap::cell($data)) => $crate::raw::heap::release_by($end, $data, $call, $shred),
            #[cfg(feature = "pool")]
            Some(Kind::Pool) => $release_handle($handle, $call, $shred),
            $($(#[$cfg])* Some(Kind::$kind) if agrees($crate::raw::layout::CellAt::new(Kind::$kind, $data).cell()) => {
                $release
            })*
            kind => $crate::raw::object::report_bad_handle($call, $data, kind),
        }
        let _ = (agrees, $shred);
    }};
}
pub(crate) use release_by_kind;

/// Frees an object of a kind without children. Safety: as for the free of the method; the data is not null.
#[cfg_attr(not(kmem_standalone), inline)]
pub(crate) unsafe fn release_leaf(handle: Handle, call: Call, shred: Shred) {
    // SAFETY: [caller] the contract is the caller's, and each method checks the header.
    unsafe {
        release_by_kind!(handle, call, shred, end::END_SMALL, pool::RELEASE_HANDLE_SMALL, data: {
            #[cfg(feature = "arena")]
            Arena => super::arena::scope::release(data, call, shred),
        })
    }
}

/// Reports a handle that does not agree with its cell, or whose kind this build does not have.
#[cold]
pub(crate) fn report_bad_handle(call: Call, data: *mut u8, kind: Option<Kind>) {
    let built = |kind| match kind {
        Kind::Pool => cfg!(feature = "pool"),
        Kind::None | Kind::Source => true,
        kind => CellAt::of(Some(kind), data).is_some(),
    };
    let misuse = match kind {
        Some(kind) if !built(kind) => Misuse::NotBuilt(kind),
        _ => Misuse::BadHandle,
    };
    fault::report(call, data, misuse);
}
