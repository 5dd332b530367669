//! `kmonfault`

use core::ffi::{c_char, c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use kmem::fault::{self, Fault};

use crate::written;

/// `kmfault`: the description of a misuse.
///
/// Exhaustive: C code relies on this layout.
#[derive(Debug)]
#[repr(C)]
pub struct CFault {
    pub call: *const c_char,
    pub ptr: *const c_void,
    pub what: *const c_char,
    pub found: c_int,
}

const _: () = {
    const WORD: usize = size_of::<usize>();
    assert!(offset_of!(CFault, call) == 0 && offset_of!(CFault, ptr) == WORD);
    assert!(offset_of!(CFault, what) == 2 * WORD && offset_of!(CFault, found) == 3 * WORD);
};

/// `kmfaultfn`
pub type Handler = unsafe extern "C" fn(*const CFault);

static HANDLER: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

fn decode(stored: *mut c_void) -> Option<Handler> {
    if stored.is_null() {
        return None;
    }
    // SAFETY: `HANDLER` holds null or a `Handler` stored by `kmonfault`.
    Some(unsafe { core::mem::transmute::<*mut c_void, Handler>(stored) })
}

/// A text for C: it ends with a zero.
type Text = [u8; 64];

/// Copies the text to the start of zeros, of which the last stays.
#[inline(never)]
fn copy(text: &str, to: &mut Text) {
    // SAFETY: the text has so many bytes, and the array one more.
    unsafe { to.as_mut_ptr().copy_from_nonoverlapping(text.as_ptr(), text.len().min(to.len() - 1)) };
}

fn bridge(fault: &Fault) {
    let Some(handler) = decode(HANDLER.load(Ordering::Acquire)) else { return fault::default_handler(fault) };
    let (mut call, mut what): (Text, Text) = ([0; 64], [0; 64]);
    copy(fault.call, &mut call);
    copy(fault.misuse.text(), &mut what);
    let report = CFault {
        call: call.as_ptr().cast(),
        ptr: fault.pointer.cast(),
        what: what.as_ptr().cast(),
        found: fault.misuse.found().unwrap_or(0),
    };
    written(&report);
    written(&call);
    written(&what);
    kmem::raw::sanitizer::calls(size_of::<*const CFault>());
    // SAFETY: the program set this handler; the report and its texts live while it runs.
    unsafe { handler(&raw const report) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn kmonfault(handler: Option<Handler>) -> Option<Handler> {
    let new = handler.map_or(null_mut(), |handler| handler as *mut c_void);
    let before = decode(HANDLER.swap(new, Ordering::AcqRel));
    // Also for `None`: only `HANDLER` decides. Otherwise two threads that set it at the same time could leave one handler here and the
    // other in the engine.
    fault::set_handler(Some(bridge));
    before
}
