//! Sets the destructor of an existing object.

use super::Handle;
#[cfg(feature = "arena")]
use crate::cell::FLAG_SLOT;
use crate::cell::Kind;
use crate::error::AllocError;
use crate::fault::Call;
use crate::raw::object::{self, Check};
use crate::raw::request::Destructor;
use crate::raw::{layout::CellAt, trailer};

/// Sets the destructor of an object. For a heap cell, or a counted cell with one reference, it replaces the present destructor; an
/// empty destructor removes it. So it does for an object of an arena that was made with a destructor. For a node, it is added as a
/// [hook](crate::raw::tree::h). C: `kmhook`.
///
/// Returns [`AllocError::Shared`] if there are other references; [`AllocError::Fixed`] for a pool's cell, for an
/// object of an arena without a destructor, for an object that kmem did not allocate, and for an empty destructor for a node; [`AllocError::Misused`] after a report;
/// and the error of the source if it has no memory. Nothing has changed then.
///
/// # Safety
/// The handle is null or that of a live object that nobody else uses meanwhile. The destructor may be called with its data.
pub unsafe fn hook(handle: Handle, destructor: Destructor) -> Result<(), AllocError> {
    const CALL: Call = Call::new(c"kmhook");
    let Handle { kind, data, .. } = handle;
    if data.is_null() {
        return Err(AllocError::source(None));
    }
    let _ = destructor;
    // SAFETY: [caller, live] the caller's header is readable, and its contents are checked.
    unsafe {
        if !object::check(CALL, handle, Check::Write) {
            return Err(AllocError::Misused);
        }
        match Kind::from_raw(kind) {
            #[cfg(feature = "heap")]
            Some(Kind::Heap) => trailer::hook(CALL, CellAt::new(Kind::Heap, data), destructor),
            #[cfg(feature = "ref")]
            Some(Kind::Ref) => {
                crate::raw::refs::count::check_only(data)?;
                trailer::hook(CALL, CellAt::new(Kind::Ref, data), destructor)
            }
            #[cfg(feature = "arena")]
            Some(Kind::Arena) if (*crate::raw::ArenaCell::of(data)).cell.flags & FLAG_SLOT != 0 => {
                trailer::hook(CALL, CellAt::new(Kind::Arena, data), destructor)
            }
            #[cfg(feature = "tree")]
            Some(Kind::Tree) if destructor.run.is_some() => {
                crate::raw::tree::hook_for(CALL, data, destructor)
            }
            kind => Err(AllocError::fixed(kind.unwrap_or(Kind::None))),
        }
    }
}
