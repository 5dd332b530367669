//! What a counted cell owns: objects that are freed with it.
//!
//! They hang, as those that a node has adopted do, below a node of the library's own to which the cell's record leads. When the
//! last reference goes, a walk frees all of it before the cell's destructor runs. If that reference was itself adopted, the walk is the
//! one that came to it: so all that kmem links is freed in constant stack, whatever owns what.

use core::ptr::null_mut;

use super::count::source_of_only;
use super::owned::owned;
use crate::cell::{Cell, FLAG_OWNER, Kind};
use crate::error::AllocError;
use crate::fault::Call;
use crate::raw::layout::{Node, REF as HEADER, Ref};
use crate::raw::record::{self, Record};
use crate::raw::request::Request;
use crate::raw::sanitizer::Leads;
use crate::raw::{Handle, check, end, make, trailer, tree};

/// Has a counted cell adopt an object of any kind, as [`tree::k`](crate::raw::tree::k) does for a node. The object is freed, as by
/// [`ptr::free`](crate::raw::ptr::free), when the last reference is dropped, before the destructor of the cell runs. A tree is freed
/// with everything below it.
///
/// Objects are freed in the order in which they were adopted, on the thread that drops the last reference, and zeroed if the cell
/// is tainted. The first one takes 112 bytes from the source of the cell, and each one other than a tree 88 more.
///
/// Fails with [`AllocError::Shared`] if there are other references, with [`AllocError::Below`] if the object is a reference to the cell
/// itself, and otherwise as [`tree::k`](crate::raw::tree::k) does. The object is still the caller's then. Cells that own one another by way
/// of others are not found, and never freed.
///
/// # Safety
/// `data` is that of a counted cell of which the caller holds a reference. The handle holds a live object that the caller owns, and
/// gives up: nobody frees or resizes it before the cell lets it go. Its source outlives the cell, and both may be used on the thread
/// that drops the last reference. What the headers show to be wrong is reported to the [fault handler](crate::fault), and the call
/// fails with [`AllocError::Misused`].
///
/// ```
/// use kmem::raw::{refs, tree};
/// use std::ptr::null_mut;
/// unsafe {
///     let config = refs::a(null_mut(), 8);
///     let entries = tree::ao(null_mut(), null_mut(), 100);
///     tree::a(null_mut(), entries.data, 100);
///     refs::k(config, entries).unwrap();
///     let (one, two) = (tree::a(null_mut(), null_mut(), 8), tree::a(null_mut(), null_mut(), 8));
///     tree::k(one, refs::handle(refs::u(config))).unwrap();
///     tree::k(two, refs::handle(config)).unwrap();
///     tree::f(one);
///     tree::f(two); // and with it the cell and the entries
/// }
/// ```
pub unsafe fn k(data: *mut u8, object: Handle) -> Result<(), AllocError> {
    const CALL: Call = Call::new(c"kmrefk");
    // SAFETY: [caller, live, last-ref, record] the caller vouches for a readable header and a reference, and the checks for what the header
    // says. Who finds no reference but its own has the cell, its record and what that leads to alone.
    unsafe {
        if data.is_null() {
            return Err(AllocError::Source(None));
        }
        if !check::check(CALL, Kind::Ref, HEADER, data) {
            return Err(AllocError::Misused);
        }
        let src = source_of_only(data)?;
        if !check::seal_ok(CALL, Kind::Ref, HEADER, data, src) {
            return Err(AllocError::Misused);
        }
        let cell: *mut Cell = Ref::of(data).cast();
        let had = record::has((*cell).flags);
        let record = trailer::ensure(Kind::Ref, cell, src)?;
        let had_root = !(*record).owned.is_null();
        if let Some(cell) = make::told(data, HEADER, src) {
            cell.leads(Leads::On);
        }
        let adopted = root(record, src, CALL).and_then(|root| tree::adopt(CALL, root, object));
        if adopted.is_err() {
            // What was drawn for it alone goes back.
            let root = (*record).owned;
            if !had_root && !root.is_null() && (*root).child.is_null() {
                (*record).owned = null_mut();
                tree::free::free_owned(CALL, root);
            }
            if !had && record::is_empty(record) {
                drop(end::spent(record::lift(cell, record), Kind::Ref, src));
            }
        }
        adopted
    }
}

/// The node below which hangs what a cell owns.
///
/// # Safety
/// The caller has the cell of this record alone, which was drawn from `src`.
pub(crate) unsafe fn root(record: *mut Record, src: *mut Cell, call: Call) -> Result<*mut Node, AllocError> {
    // SAFETY: [caller, record] the contract is the caller's.
    unsafe {
        if (*record).owned.is_null() {
            let root = tree::alloc_own(src, null_mut(), &Request::new(0), FLAG_OWNER, call)?;
            let root = Node::of(root.as_ptr());
            // A custom source's `alloc` is user code. It may have had the cell adopt something.
            if (*record).owned.is_null() {
                (*record).owned = root;
            } else {
                tree::free::free_owned(call, root);
            }
        }
        Ok((*record).owned)
    }
}

/// Has a counted cell let go of an object that it adopted. Returns the handle that was adopted, which is the caller's to free again; or
/// the null handle if the cell does not own the object, or if there are other references. Of several references to one cell the one that was
/// adopted last is given back, as by [`tree::l`](crate::raw::tree::l).
///
/// # Safety
/// `data` is that of a counted cell of which the caller holds a reference. What the header shows to be wrong goes to the
/// [fault handler](crate::fault).
///
/// ```
/// use kmem::raw::{heap, ptr, refs};
/// use std::ptr::null_mut;
/// unsafe {
///     let cell = refs::a(null_mut(), 8);
///     let object = heap::ao(100);
///     refs::k(cell, object).unwrap();
///     assert_eq!(refs::l(cell, object.data), object);
///     assert!(refs::l(cell, object.data).is_null());
///     refs::f(cell);
///     ptr::free(object);
/// }
/// ```
pub unsafe fn l(data: *mut u8, object: *const u8) -> Handle {
    const CALL: Call = Call::new(c"kmrefl");
    // SAFETY: [caller, live, last-ref, record] as in `k`.
    unsafe {
        if data.is_null() || !check::check(CALL, Kind::Ref, HEADER, data) {
            return Handle::NULL;
        }
        let root = owned(data);
        if root.is_null() || source_of_only(data).is_err() {
            return Handle::NULL;
        }
        tree::let_go(CALL, root, object)
    }
}
