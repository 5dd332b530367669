//! Objects that a counted cell owns: they are freed with it.
//!
//! The record of the cell points to an internal root node, and the objects are children of that node, like those that a node
//! adopts. When the last reference is dropped, a walk frees them before the destructor of the cell runs. If that reference was
//! itself adopted, the walk that reached that reference continues into these objects: freeing takes constant stack, however deeply
//! objects own each other.

use core::ptr::null_mut;

use super::count::check_only;
use super::owned::owned;
use crate::cell::{Cell, FLAG_OWNER, Kind};
use crate::error::AllocError;
use crate::fault::Call;
use crate::raw::layout::{CellAt, Node};
use crate::raw::record::{self, Record};
use crate::raw::request::Request;
use crate::raw::sanitizer::HeaderLinks;
use crate::raw::{Handle, check, end, make, trailer, tree};

/// Adopts an object of any kind, as [`tree::k`](crate::raw::tree::k) does for a node. The object is freed when the last reference
/// to the cell is dropped, before the destructor of the cell runs. C: `kmrefk`.
///
/// Returns [`AllocError::Shared`] if there are other references, and [`AllocError::Below`] if the object is a reference to the cell
/// itself. Otherwise fails as `tree::k` does. The caller still owns the object then. A longer cycle of cells that own each
/// other is not detected, and never freed.
///
/// # Safety
/// `data` is that of a counted cell to which the caller has a reference. The caller owns the object. Nobody frees or resizes it
/// until [`l`] returns it. Its source outlives the cell. Cell and object may be used on the thread that drops the last reference.
pub unsafe fn k(data: *mut u8, object: Handle) -> Result<(), AllocError> {
    const CALL: Call = Call::new(c"kmrefk");
    // SAFETY: [caller, live, last-ref, record] the header is readable, and the caller has a reference. The checks find a live cell.
    // If no other reference exists, nobody else has the cell and its record.
    unsafe {
        if data.is_null() {
            return Err(AllocError::source(None));
        }
        let at = CellAt::new(Kind::Ref, data);
        if !check::check(CALL, at) {
            return Err(AllocError::Misused);
        }
        check_only(data)?;
        if !check::seal_ok(CALL, at) {
            return Err(AllocError::Misused);
        }
        let had = record::has((*at.cell()).flags);
        let record = trailer::ensure(at)?;
        let had_root = !(*record).owned.is_null();
        if let Some(cell) = make::heap_cell(at) {
            cell.set_links(HeaderLinks::Out);
        }
        let adopted = root(record, at.src(), CALL).and_then(|root| tree::adopt(CALL, root, object));
        if adopted.is_err() {
            // Free the root node and the record if they were allocated for this object alone.
            let root = (*record).owned;
            if !had_root && !root.is_null() && (*root).child.is_null() {
                (*record).owned = null_mut();
                tree::free::free_owned(CALL, root);
            }
            if !had && record::is_empty(record) {
                drop(end::spent(record::lift(at.cell(), record), at));
            }
        }
        adopted
    }
}

/// Returns the internal root node of the objects that a cell owns, and makes it first if needed.
/// Safety: only the caller can access the cell of this record. The cell was allocated from `src`.
pub(crate) unsafe fn root(record: *mut Record, src: *mut Cell, call: Call) -> Result<*mut Node, AllocError> {
    // SAFETY: [caller, record] the contract is the caller's.
    unsafe {
        if (*record).owned.is_null() {
            let root = tree::alloc_internal(src, null_mut(), &Request::new(0), FLAG_OWNER, call)?;
            let root = Node::of(root.as_ptr());
            // The `allocate` of a custom source is user code, which may have made the cell adopt something.
            if (*record).owned.is_null() {
                (*record).owned = root;
            } else {
                tree::free::free_owned(call, root);
            }
        }
        Ok((*record).owned)
    }
}

/// Releases an adopted object and returns its handle, as [`tree::l`](crate::raw::tree::l) does. Returns the null handle if the cell
/// does not own the object, or if there are other references. C: `kmrefl`.
///
/// # Safety
/// `data` is that of a counted cell to which the caller has a reference.
pub unsafe fn l(data: *mut u8, object: *const u8) -> Handle {
    const CALL: Call = Call::new(c"kmrefl");
    // SAFETY: [caller, live, last-ref, record] as in `k`.
    unsafe {
        if data.is_null() || !check::check(CALL, CellAt::new(Kind::Ref, data)) {
            return Handle::NULL;
        }
        let root = owned(data);
        if root.is_null() || check_only(data).is_err() {
            return Handle::NULL;
        }
        tree::disown(CALL, root, object)
    }
}
