//! Misuse: detected, reported, and by default fatal.
//!
//! Passing a pointer that is not a live cell of the right kind, to any call, is detected if the header shows it: a freed cell, a
//! cell of another method, a pointer that is not from kmem. The call reports it to the fault handler. The default handler prints
//! one line to standard error and aborts. [`set_handler`] replaces the handler. If that handler returns, the call does nothing
//! more: the cell is unchanged.
//!
//! ```
//! use kmem::fault::{self, Misuse};
//!
//! fn panicking(fault: &kmem::fault::Fault) {
//!     panic!("{fault}");
//! }
//! let before = fault::set_handler(Some(panicking));
//! let pool = unsafe { kmem::raw::pool::i(core::ptr::null_mut(), 8, 4) };
//! let cell = unsafe { kmem::raw::pool::a(pool) };
//! unsafe { kmem::raw::pool::f(cell) };
//! let twice = std::panic::catch_unwind(|| unsafe { kmem::raw::pool::f(cell) });
//! assert!(twice.unwrap_err().downcast_ref::<String>().unwrap().ends_with("already freed"));
//! unsafe { kmem::raw::pool::x(pool) };
//! fault::set_handler(before);
//! ```

use crate::atomic::AtomicPtr;
use core::ffi::{CStr, c_char};
use core::fmt;

use crate::cell::Kind;
use crate::text::Text;
use crate::{os, shared};

/// The kinds of misuse.
///
/// ```
/// use kmem::fault::Misuse;
/// assert_eq!(Misuse::AlreadyFreed.to_string(), "already freed");
/// let misuse = Misuse::NotACell(7);
/// assert_eq!((misuse.text(), misuse.found()), ("not a cell", Some(7)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// The cell has been freed.
    AlreadyFreed,
    /// The cell is being freed: its own destructor, or that of a node below it, tried to free it again or to add to it.
    BeingFreed,
    /// A node below this one is being freed: a destructor tried to free or resize this node.
    FreeingBelow,
    /// The pointer belongs to a cell of this other kind.
    WrongKind(Kind),
    /// The header has this number as its kind, which no cell has.
    NotACell(i32),
    /// The header is corrupt: its fields contradict one another.
    Damaged,
    /// The pointer is not the start of a cell of its pool.
    NotInPool,
    /// A reference was dropped that did not exist.
    CountUnderflow,
    /// More than `isize::MAX` references were taken.
    CountOverflow,
    /// The kind or the cell of the handle contradicts its pointer.
    BadHandle,
    /// This kmem was built without the method.
    NotBuilt(Kind),
    /// The seal of the header is wrong: the block belongs to the heap of another copy of kmem, or the header is corrupt. The block
    /// is not freed.
    OtherHeap,
    /// The mark is not that of the innermost open scope of the arena.
    NotInnermost,
    /// Bytes are still allocated through the limit.
    InUse,
}

impl Misuse {
    /// Returns a constant description, without the number that was found.
    #[must_use]
    #[inline(never)]
    pub const fn text(&self) -> &'static str {
        match self {
            Misuse::AlreadyFreed => "already freed",
            Misuse::BeingFreed => "already being freed",
            Misuse::FreeingBelow => "above what is being freed",
            Misuse::WrongKind(_) => "a cell of another kind",
            Misuse::NotACell(_) => "not a cell",
            Misuse::Damaged => "a damaged header",
            Misuse::NotInPool => "not the start of a cell of its pool",
            Misuse::CountUnderflow => "no references left to drop",
            Misuse::CountOverflow => "too many references",
            Misuse::BadHandle => "a handle that contradicts its cell",
            Misuse::NotBuilt(_) => "of a method that this kmem was built without",
            Misuse::OtherHeap => "from the heap of another copy of kmem, or a damaged header",
            Misuse::NotInnermost => "not the innermost open scope",
            Misuse::InUse => "bytes are still allocated through it",
        }
    }

    /// Returns the number that was found instead of the expected kind, if that is what was wrong.
    #[must_use]
    pub const fn found(&self) -> Option<i32> {
        match *self {
            Misuse::WrongKind(kind) | Misuse::NotBuilt(kind) => Some(kind as i32),
            Misuse::NotACell(found) => Some(found),
            _ => None,
        }
    }
}

/// Returns the misuse that an unexpected kind in a header shows.
pub(crate) fn classify(expected: Kind, found: i32) -> Misuse {
    match Kind::from_raw(found) {
        Some(kind) if kind == expected => Misuse::Damaged,
        Some(Kind::None) | None if found == expected.freed() => Misuse::AlreadyFreed,
        Some(Kind::None) | None if found == expected.dying() => Misuse::BeingFreed,
        Some(Kind::None) | None => Misuse::NotACell(found),
        Some(kind) => Misuse::WrongKind(kind),
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match self.found() {
            Some(found) => write!(f, " (its kind reads {found:#x})"),
            None => Ok(()),
        }
    }
}

/// The C name of a function, for reports. It takes one word of memory; a `&str` takes two.
///
/// ```
/// use kmem::fault::Call;
/// const CALL: Call = Call::new(c"kmcat");
/// assert_eq!(CALL.name(), "kmcat");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Call(*const c_char);

impl Call {
    /// Returns a call with this name. Panics if the name is not ASCII.
    #[must_use]
    pub const fn new(name: &'static CStr) -> Call {
        assert!(name.to_bytes().is_ascii());
        Call(name.as_ptr())
    }

    /// Returns the name.
    #[must_use]
    pub fn name(self) -> &'static str {
        // SAFETY: [platform] `new` was given a static string of ASCII, which is UTF-8.
        unsafe { core::str::from_utf8_unchecked(CStr::from_ptr(self.0).to_bytes()) }
    }
}

/// A [`Call`] that is checked at compile time.
macro_rules! call {
    ($name:expr) => {
        const { $crate::fault::Call::new($name) }
    };
}
pub(crate) use call;

/// A misuse that was detected: the call, the pointer, and what was wrong.
///
/// ```
/// use kmem::fault::{self, Fault};
/// use kmem::raw::pool;
/// fn shown(fault: &Fault) {
///     assert_eq!(fault.to_string(), format!("kmpoolf({:p}): already freed", fault.pointer));
/// }
/// fault::set_handler(Some(shown));
/// unsafe {
///     let pool = pool::i(std::ptr::null_mut(), 8, 4);
///     let cell = pool::a(pool);
///     pool::f(cell);
///     pool::f(cell);
///     pool::x(pool);
/// }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Fault {
    /// The C name of the call, such as `kmheapf`.
    pub call: &'static str,
    /// The pointer that was passed.
    pub pointer: *const u8,
    /// The kind of misuse.
    pub misuse: Misuse,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:p}): {}", self.call, self.pointer, self.misuse)
    }
}

/// A contradiction that [`raw::pool::verify`](crate::raw::pool::verify) or [`raw::tree::verify`](crate::raw::tree::verify) found.
///
/// ```
/// let mut zeros = [0u128; 5];
/// let no_node = zeros.as_mut_ptr().wrapping_add(4).cast();
/// let damage = unsafe { kmem::raw::tree::verify(no_node) }.unwrap_err();
/// assert_eq!(damage.to_string(), format!("not a live node at {no_node:p}"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// The address of the data of a cell, or of a pool.
    pub at: *const u8,
    /// A description of the contradiction.
    pub what: &'static str,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:p}", self.what, self.at)
    }
}

impl core::error::Error for Damage {}

/// A fault handler. It is called on the thread that made the call. It may abort, return, or panic if the call came from Rust.
pub type Handler = fn(&Fault);

static HANDLER: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Sets the fault handler of the whole program and returns the previous one. `None` is the default handler. Any thread may call
/// this.
///
/// ```
/// fn quiet(_: &kmem::fault::Fault) {}
/// let before = kmem::fault::set_handler(Some(quiet));
/// assert!(before.is_none());
/// kmem::fault::set_handler(None);
/// ```
pub fn set_handler(handler: Option<Handler>) -> Option<Handler> {
    let new = handler.map_or(core::ptr::null_mut(), |f| f as *mut ());
    decode(shared::exchange(&HANDLER, new))
}

fn decode(stored: *mut ()) -> Option<Handler> {
    if stored.is_null() {
        return None;
    }
    // SAFETY: [platform] `HANDLER` holds null or a `Handler` from `set_handler`. Function pointers have the size of data pointers
    // on every target with `AtomicPtr`.
    Some(unsafe { core::mem::transmute::<*mut (), Handler>(stored) })
}

/// The default handler: prints one line to standard error and aborts, in every build. Without standard error (a kernel, or wasm
/// without WASI) it only aborts. Other handlers may call it.
///
/// ```
/// use kmem::fault::{self, Fault};
/// fn counting(fault: &Fault) {
///     // Count the misuse, then print it and abort.
///     fault::default_handler(fault);
/// }
/// fault::set_handler(Some(counting));
/// ```
pub fn default_handler(fault: &Fault) {
    let mut write = os::write_error;
    let mut line = Text::new(&mut write);
    line.push("kmem: ");
    line.push(fault.call);
    line.push("(");
    line.push_hex(fault.pointer.addr());
    line.push("): ");
    line.push(fault.misuse.text());
    if let Some(found) = fault.misuse.found() {
        line.push(" (its kind reads ");
        line.push_hex(found as u32 as usize);
        line.push(")");
    }
    line.push("\n");
    drop(line);
    os::abort()
}

/// Reports a misuse to the handler. Returns only if a handler that the user set returns.
#[cold]
#[inline(never)]
pub(crate) fn report(call: Call, pointer: *const u8, misuse: Misuse) {
    let fault = Fault { call: call.name(), pointer, misuse };
    match decode(shared::current(&HANDLER)) {
        Some(handler) => handler(&fault),
        None => default_handler(&fault),
    }
}

/// Aborts the program when dropped, also by unwinding.
pub(crate) struct AbortOnDrop;

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        os::abort()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_is_not_the_expected_one_says_what_happened() {
        assert_eq!(classify(Kind::Heap, Kind::Heap.freed()), Misuse::AlreadyFreed);
        assert_eq!(classify(Kind::Tree, Kind::Tree.dying()), Misuse::BeingFreed);
        assert_eq!(classify(Kind::Heap, Kind::Ref as i32), Misuse::WrongKind(Kind::Ref));
        assert_eq!(classify(Kind::Heap, Kind::Heap as i32), Misuse::Damaged);
        assert_eq!(classify(Kind::Heap, 0), Misuse::NotACell(0));
        assert_eq!(classify(Kind::Heap, Kind::Ref.freed()), Misuse::NotACell(Kind::Ref.freed()));
    }
}
