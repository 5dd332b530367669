//! Hooks: destructors that are added to a node.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::free::is_hook_of_tainted;
use super::links::{INTERNAL, check, check_end, is_child, link_first, unlink_cold};
use super::make::{alloc_internal, source_below};
use crate::cell::{FLAG_HOOK, Kind};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse, call};
use crate::raw::end;
use crate::raw::layout::Node;
use crate::raw::request::{Destructor, Drop as DropFn, Request, round_up};
use crate::raw::seal::SealedDtor;

/// Adds a hook to a node: `hook.run` is called with the node's data when the free of the node begins, while all nodes
/// below it still exist. The last hook added runs first. Fails as [`AllocError`] says. C: `kmtreeh`.
///
/// # Safety
/// `node` is the data of a node of a tree that belongs to this thread, and the hook may be called with it.
pub unsafe fn h(node: *mut u8, hook: Destructor) -> Result<(), AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { hook_for(call!(c"kmtreeh"), node, hook) }
}

/// [`h`] on behalf of `call`.
pub(crate) unsafe fn hook_for(call: Call, node: *mut u8, hook: Destructor) -> Result<(), AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { add(call, node, &Request::new(size_of::<SealedDtor>()), |_| hook) }
}

/// Adds a hook with room for a value of this layout. The argument of `run` is the address of the room, which is freed
/// with the hook. Returns that address. The caller writes the value at once. Safety: as for [`h`].
pub(crate) unsafe fn carrying(node: *mut u8, run: DropFn, room: Layout) -> Result<NonNull<u8>, AllocError> {
    let offset = round_up(size_of::<SealedDtor>(), room.align()).ok_or(AllocError::Overflow)?;
    let size = offset.checked_add(room.size()).ok_or(AllocError::Overflow)?;
    let mut carried = NonNull::dangling();
    let hook = |data: NonNull<u8>| {
        // SAFETY: [extent] the request includes the room.
        carried = unsafe { data.add(offset) };
        Destructor { run: Some(run), arg: carried.as_ptr().cast() }
    };
    // SAFETY: [caller] the contract is the caller's; the data has room for a slot and the value.
    unsafe { add(call!(c"kmtreeh"), node, &Request { align: room.align(), ..Request::new(size) }, hook) }?;
    Ok(carried)
}

/// Allocates the node of a hook with the parameters of the request, and makes it the first child. Safety: as for [`h`]; the request
/// has room for a slot.
pub(crate) unsafe fn add(
    call: Call,
    node: *mut u8,
    request: &Request,
    hook: impl FnOnce(NonNull<u8>) -> Destructor,
) -> Result<(), AllocError> {
    // SAFETY: [caller, live, fresh] the caller's header is readable, and its contents are checked; nobody else knows
    // the new node.
    unsafe {
        let above = check(call, node)?;
        if (*above).cell.flags & (INTERNAL & !crate::cell::FLAG_HOST) != 0 {
            return Err(AllocError::fixed(Kind::Tree));
        }
        check_end(call, above, true)?;
        let new = alloc_internal(source_below(above), core::ptr::null_mut(), request, FLAG_HOOK, call)?;
        SealedDtor::write(new.cast().as_ptr(), hook(new));
        link_first(above, Node::of(new.as_ptr()));
        #[cfg(feature = "arena")]
        super::land::must_walk(above);
    }
    Ok(())
}

/// Removes the hook with this function and argument, without running it; of several, the one added last. Returns true if there was
/// one. C: `kmtreehx`.
///
/// # Safety
/// `node` is the data of a node of a tree that belongs to this thread.
pub unsafe fn hx(node: *mut u8, hook: Destructor) -> bool {
    const CALL: Call = Call::new(c"kmtreehx");
    let same = |found: Destructor| found.run.map(address) == hook.run.map(address) && found.arg == hook.arg;
    // SAFETY: [caller, links, hooks] the caller's header is readable, and its contents are checked; children are live.
    unsafe {
        let Ok(node) = check(CALL, node) else { return false };
        let mut child = (*node).child;
        while !child.is_null() {
            if !is_child(child, node) {
                fault::report(CALL, Node::data(node), Misuse::Damaged);
                return false;
            }
            if (*child).cell.flags & FLAG_HOOK == 0 {
                return false;
            }
            if SealedDtor::read(Node::data(child).cast()).is_some_and(same) {
                if !unlink_cold(child) {
                    fault::report(CALL, Node::data(node), Misuse::Damaged);
                    return false;
                }
                return end::end_slow(CALL, Node::at(child), is_hook_of_tainted(child));
            }
            child = (*child).next;
        }
    }
    false
}

pub(crate) fn address(run: DropFn) -> *const () {
    run as *const ()
}
