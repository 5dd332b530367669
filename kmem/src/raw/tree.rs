//! Trees: a node that is freed takes everything below it along.
//!
//! A tree belongs to one thread at a time. Nodes are linked in the order they were made, and pools on nodes behind all others, so
//! that adding to a node takes a time that grows with the number of pools on it. A tree is freed children first, the first child
//! before the second, in constant stack however deep or wide it is, with what adopted counted cells own. What a destructor frees
//! uses the stack of that call.
//!
//! What else a node may have is a child too, of the library's own, so that a node without pays nothing: a *hook*, which runs
//! when the free of the node begins ([`h`]), and a *holder*, which frees an object of another kind that the node has adopted
//! ([`k`]). Hooks lie before all other children.

mod hold;
mod hook;
mod place;
mod verify;
mod walk;

use core::alloc::Layout;
use core::mem::offset_of;
use core::ptr::{NonNull, null_mut};

use super::Handle;
use super::block::{self, Fill, Request};
use super::marks::{self, Leads};
use crate::cell::{
    Cell, FLAG_BUSY, FLAG_DEEP, FLAG_HOLD, FLAG_HOOK, FLAG_HOST, FLAG_OWNER, FLAG_SLOT, Kind, Shred,
};
use crate::error::AllocError;
use crate::fault::{self, Misuse};

#[cfg(feature = "ref")]
pub(super) use hold::{adopt, let_go};
pub use hold::{k, l};
pub(crate) use hook::{carrying, hook_for};
pub use hook::{h, hx};
pub use place::{c, cl, cn, cp, m, mc, mu, p, r, resize, x};
pub(crate) use place::{is_child, resize_kept};
pub use verify::verify;
pub use walk::{Visit, Walk, step, walk};
pub(crate) use walk::{walk_below, walk_for};

/// The header of a tree node (`kmnode` in C): one cache line.
///
/// Exhaustive: C code relies on this layout.
///
/// ```
/// # #[cfg(target_pointer_width = "64")]
/// assert_eq!(core::mem::size_of::<kmem::raw::Node>(), 64);
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct Node {
    /// The prefix.
    pub cell: Cell,
    /// The node above, null at a root.
    pub parent: *mut Node,
    /// The first child, or null.
    pub child: *mut Node,
    /// The last child, or null.
    pub lastchild: *mut Node,
    /// The sibling before, or null.
    pub prev: *mut Node,
    /// The sibling behind, or null.
    pub next: *mut Node,
    /// The source, null for the heap.
    pub src: *mut Cell,
}

/// Bytes from the start of a node's header to its data.
pub(crate) const HEADER: usize = 64;
const _: () = {
    const WORD: usize = size_of::<usize>();
    // On 32-bit machines six words behind the source are unused.
    assert!(size_of::<Node>() == 16 + 6 * WORD && size_of::<Node>() <= HEADER);
    assert!(offset_of!(Node, parent) == 16 && offset_of!(Node, child) == 16 + WORD);
    assert!(offset_of!(Node, lastchild) == 16 + 2 * WORD && offset_of!(Node, prev) == 16 + 3 * WORD);
    assert!(offset_of!(Node, next) == 16 + 4 * WORD && offset_of!(Node, src) == 16 + 5 * WORD);
};

/// Allocates a node below `parent`, as its last child, or a root where that is null, and returns its data.
///
/// Fails as [`AllocError`] says; a tree node or a reference as `src` is refused with [`AllocError::Source`], and so is
/// a `parent` that is no live node, with [`AllocError::Misused`], after a report to the [fault handler](crate::fault).
///
/// # Safety
/// `src` is null or points to a live cell, and outlives the node. `parent` is null or the data of a node of a tree that
/// belongs to this thread. The request's destructor, if any, can be called with this node's data when it goes.
///
/// ```
/// use kmem::raw::{tree, Request};
/// use std::ptr::null_mut;
/// unsafe {
///     let root = tree::alloc(null_mut(), null_mut(), &Request::new(8)).unwrap().as_ptr();
///     tree::alloc(null_mut(), root, &Request::new(100)).unwrap();
///     tree::f(root);
/// }
/// ```
#[inline(always)]
pub unsafe fn alloc(src: *mut Cell, parent: *mut u8, request: &Request) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc_flagged(src, parent, request, 0, "kmtreea") }
}

/// [`alloc`] with flags for the prefix, on behalf of `call`.
#[inline(always)]
pub(crate) unsafe fn alloc_flagged(
    src: *mut Cell,
    parent: *mut u8,
    request: &Request,
    flags: u8,
    call: &'static str,
) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the caller vouches for a readable header where the parent is not null.
    if !parent.is_null() && !unsafe { block::check(call, Kind::Tree, HEADER, parent) } {
        return Err(AllocError::Misused);
    }
    // SAFETY: [caller] the caller vouches for the source.
    let data = unsafe { block::carve(Kind::Tree, HEADER, src, request, flags) }?;
    let node = header(data.as_ptr());
    let parent = if parent.is_null() { null_mut() } else { header(parent) };
    // SAFETY: [extent, one-thread] `carve` left room for the header before the data; the parent is a live node of this
    // thread's.
    unsafe {
        (&raw mut (*node).parent).write(parent);
        (&raw mut (*node).child).write(null_mut());
        (&raw mut (*node).lastchild).write(null_mut());
        (&raw mut (*node).prev).write(null_mut());
        (&raw mut (*node).next).write(null_mut());
        (&raw mut (*node).src).write(src);
        block::told_made(Kind::Tree, data.as_ptr(), HEADER, src);
        if !parent.is_null() {
            link(parent, node);
        }
    }
    Ok(data)
}

/// Allocates a node of the library's own below `parent`, which may be null. Out of line: those who call it are not in a hurry.
///
/// # Safety
/// As for [`alloc`].
#[inline(never)]
pub(super) unsafe fn alloc_own(
    src: *mut Cell,
    parent: *mut u8,
    request: &Request,
    flags: u8,
    call: &'static str,
) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc_flagged(src, parent, request, flags, call) }
}

/// A block of this layout as the data of a node below `parent` that will take the pool in it down when it goes. It
/// is drawn from where the parent was.
#[cfg(feature = "pool")]
pub(super) unsafe fn host(parent: *mut Node, layout: Layout) -> Result<NonNull<u8>, AllocError> {
    let request = Request { align: layout.align(), ..Request::new(layout.size()) };
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc_own((*parent).src, data(parent), &request, FLAG_HOST, "kmpooli") }
}

#[inline]
unsafe fn allocate(src: *mut Cell, parent: *mut u8, size: usize, fill: Fill) -> *mut u8 {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc(src, parent, &Request { fill, ..Request::new(size) }) }.map_or(null_mut(), NonNull::as_ptr)
}

pub(crate) fn header(data: *mut u8) -> *mut Node {
    block::prefix(data, HEADER).cast()
}

/// The data of a node.
pub(crate) fn data(node: *mut Node) -> *mut u8 {
    node.cast::<u8>().wrapping_add(HEADER)
}

/// The handle of a live cell with this data; the null handle of null.
///
/// # Safety
/// `data` is null or that of a live cell of this method.
///
/// ```
/// use kmem::raw::{ptr, tree};
/// use std::ptr::null_mut;
/// unsafe {
///     ptr::free(tree::handle(tree::a(null_mut(), null_mut(), 24)));
///     assert!(tree::handle(null_mut()).is_null());
/// }
/// ```
#[inline]
#[must_use]
pub unsafe fn handle(data: *mut u8) -> Handle {
    Handle::on(Kind::Tree, data, if data.is_null() { null_mut() } else { header(data).cast() })
}

/// Tells valgrind that a node is found in another way.
///
/// # Safety
/// The node is live.
#[inline(always)]
unsafe fn leads(node: *mut Node, how: Leads) {
    // SAFETY: [caller] the caller's node is live.
    if let Some(cell) = unsafe { block::told(data(node), HEADER, (*node).src) } {
        cell.leads(how);
    }
}

/// Makes `node`, which is linked nowhere, the last child of `parent`, but for pools, which lie behind: what was drawn from them goes
/// before they do.
unsafe fn link(parent: *mut Node, node: *mut Node) {
    marks::changed(parent);
    // SAFETY: [caller] the caller gives two live nodes.
    unsafe { leads(node, Leads::Inside) };
    // SAFETY: [links] the caller gives two live nodes of this thread's, and the links of live nodes are live.
    unsafe {
        let last = (*parent).lastchild;
        #[cfg(feature = "pool")]
        if !last.is_null() && (*last).cell.flags & FLAG_HOST != 0 {
            return link_before_pools(parent, last, node);
        }
        (*node).prev = last;
        if last.is_null() {
            (*parent).child = node;
        } else {
            (*last).next = node;
        }
        (*parent).lastchild = node;
    }
}

/// Makes `node`, which is linked nowhere, the last child of `parent` before those that host pools, of which `before` is the last. A pool
/// goes before the others too, as what it holds may have to, but for those that were drawn from it.
#[cfg(feature = "pool")]
#[inline(never)]
unsafe fn link_before_pools(parent: *mut Node, mut before: *mut Node, node: *mut Node) {
    // SAFETY: [links, hosted] the caller gives live nodes of this thread's, the links of live nodes are live, and the flag says that there
    // is a pool in a node's data.
    unsafe {
        let hosts = (*node).cell.flags & FLAG_HOST != 0;
        let drawn_from_it =
            |other: *mut Node| hosts && super::source::leads_to((*other).src, data(node).cast());
        let mut behind: *mut Node = null_mut();
        while !before.is_null() && (*before).cell.flags & FLAG_HOST != 0 && !drawn_from_it(before) {
            behind = before;
            before = (*before).prev;
        }
        (*node).prev = before;
        (*node).next = behind;
        *(if behind.is_null() { &raw mut (*parent).lastchild } else { &raw mut (*behind).prev }) = node;
        *(if before.is_null() { &raw mut (*parent).child } else { &raw mut (*before).next }) = node;
    }
}

/// The two links by which a node hangs below its parent, from before it and from behind it: each is a neighbour's, or the
/// parent's where there is none.
///
/// # Safety
/// The node has a parent, and what its links name is there.
#[inline(always)]
unsafe fn held_by(node: *mut Node) -> [*mut *mut Node; 2] {
    // SAFETY: [caller, links] the caller vouches for the node and for those around it.
    unsafe {
        let Node { parent, prev, next, .. } = *node;
        let before = if prev.is_null() { &raw mut (*parent).child } else { &raw mut (*prev).next };
        let behind = if next.is_null() { &raw mut (*parent).lastchild } else { &raw mut (*next).prev };
        [before, behind]
    }
}

/// Takes a node's first child out. Its own links stay as they are: it is about to go.
#[inline]
unsafe fn unlink_first(parent: *mut Node, child: *mut Node) {
    marks::changed(parent);
    // SAFETY: [one-thread, links] the caller gives live nodes of this thread's, and the links of live nodes are live.
    unsafe {
        let next = (*child).next;
        (*parent).child = next;
        if next.is_null() {
            (*parent).lastchild = null_mut();
        } else {
            (*next).prev = null_mut();
        }
    }
}

/// Takes a node out of its parent's children if those around it know it as theirs; otherwise nothing is changed.
///
/// # Safety
/// As for [`around`].
#[inline(always)]
unsafe fn unlink_checked(node: *mut Node) -> bool {
    // SAFETY: [caller, links] the contract is the caller's.
    unsafe {
        match around(node) {
            Around::Nobody => {}
            Around::Known([before, behind]) => {
                let Node { parent, prev, next, .. } = *node;
                marks::changed(parent);
                *before = next;
                *behind = prev;
            }
            Around::Stranger => return false,
        }
    }
    true
}

/// Who is around a node.
enum Around {
    /// Nobody: it is a root.
    Nobody,
    /// Parent and siblings, by these links.
    Known([*mut *mut Node; 2]),
    /// Those that its links name do not know it.
    Stranger,
}

/// Whether those around a node know it as theirs.
///
/// # Safety
/// The node is live and this thread's; what its links name is there, unless it is no address that a program has.
#[inline(always)]
unsafe fn around(node: *mut Node) -> Around {
    // SAFETY: [caller, links] the caller vouches for the node and for those around it.
    unsafe {
        let Node { parent, prev, next, .. } = *node;
        if parent.is_null() {
            return Around::Nobody;
        }
        if super::seal::any_is_no_header([parent.addr(), prev.addr(), next.addr()]) {
            return Around::Stranger;
        }
        let [before, behind] = held_by(node);
        let sibling = if prev.is_null() { next } else { prev };
        if *before != node || *behind != node || !sibling.is_null() && (*sibling).parent != parent {
            return Around::Stranger;
        }
        Around::Known([before, behind])
    }
}

/// Puts a node back that was taken out a moment ago and did not go.
#[cold]
unsafe fn relink(node: *mut Node) {
    // SAFETY: [caller, links] the caller gives a live node whose neighbours have not changed.
    unsafe {
        if !(*node).parent.is_null() {
            for link in held_by(node) {
                *link = node;
            }
        }
    }
}

/// A subtree on its way out: the walk that frees it, deepest first. Dropping it goes on where a destructor unwound.
///
/// Every node from `root` down to `at` is marked as dying, so that a destructor that frees one of them or adds a
/// child to it is caught; nodes not yet reached are whole, and may be freed or added to.
struct Felling {
    call: &'static str,
    root: *mut Node,
    at: *mut Node,
    shred: bool,
    /// Whether something stays that may have been drawn from a pool below.
    kept: bool,
}

impl Felling {
    /// Makes a first child that may not go a root, with all below it, and reports that; or returns false. Once something stays, pools do
    /// too.
    ///
    /// # Safety
    /// It is the first child of its parent, which goes.
    #[inline(never)]
    unsafe fn keeps(&mut self, child: *mut Node) -> bool {
        // SAFETY: [caller, links] the caller's node is there, and linked where its links say.
        unsafe {
            let misuse = in_use(child);
            if misuse.is_none() && !(self.kept && hosts(child)) {
                return false;
            }
            self.kept = true;
            if self.shred {
                deepen(child);
            }
            unlink_first((*child).parent, child);
            place::settle(child, null_mut());
            if let Some(misuse) = misuse {
                fault::report(self.call, data(child), misuse);
            }
        }
        true
    }

    /// Goes on below a holder that was taken out as a leaf and is none any more; or leaves a leaf alone that was damaged.
    ///
    /// # Safety
    /// The walk has stepped to its parent, and its neighbours have not changed.
    #[cold]
    #[inline(never)]
    unsafe fn go_below(&mut self, node: *mut Node) {
        // SAFETY: [caller, felling] the contract is the caller's.
        unsafe {
            if (*node).child.is_null() {
                return;
            }
            if node != self.root {
                relink(node);
            }
        }
        self.at = node;
    }

    unsafe fn run(&mut self) {
        // SAFETY: [felling] `root` is a live root that nobody uses any more, `at` a node in it. Each turn moves to a
        // child, or ends a leaf after stepping to its parent, so that both stay live while the walk needs them.
        unsafe {
            while !self.at.is_null() {
                let node = self.at;
                let child = (*node).child;
                if child.is_null() {
                    self.at = if node == self.root { null_mut() } else { (*node).parent };
                    if !self.at.is_null() {
                        unlink_first(self.at, node);
                    }
                    let plain = !self.shred && end_plain(node);
                    if !plain && !end_slowly(self.call, node, self.shred) {
                        self.go_below(node);
                    }
                } else if !is_child(child, node) {
                    // Where the links lead nobody knows. What has not gone stays, out of reach and marked as dying.
                    self.at = null_mut();
                    (*self.root).parent = null_mut();
                    fault::report(self.call, data(node), Misuse::Damaged);
                } else {
                    if (*node).cell.flags & FLAG_DEEP != 0 {
                        deepen(child);
                    }
                    if (*child).cell.flags & (FLAG_HOST | FLAG_BUSY) == 0 || !self.keeps(child) {
                        prefetch((*child).next);
                        (*child).cell.kind = Kind::Tree.dying();
                        self.at = child;
                    }
                }
            }
        }
    }
}

/// Has the header of a node fetched that will be looked at soon.
#[inline]
fn prefetch(node: *mut Node) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: [platform] a prefetch reads nothing, whatever the address.
    unsafe {
        core::arch::x86_64::_mm_prefetch(node.cast::<i8>(), core::arch::x86_64::_MM_HINT_T0);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = node;
}

impl Drop for Felling {
    fn drop(&mut self) {
        // SAFETY: [guard, felling] the walk stopped between two nodes, see `run`.
        unsafe { self.run() }
    }
}

/// Ends a node without children that is linked nowhere and has nothing to it; false if it has.
#[inline(always)]
unsafe fn end_plain(node: *mut Node) -> bool {
    // SAFETY: [caller] the contract is the caller's. What is plain is none of the library's own, nor above what is being freed.
    unsafe { block::end_plain(Kind::Tree, HEADER, data(node), (*node).src) }
}

/// [`end_plain`] of a node that may have more to it. If this returns false the node is as it was, for its header is damaged, which was
/// reported; or it is a holder, and has a child now, which is to be freed before it ends.
#[inline(never)]
unsafe fn end_slowly(call: &'static str, node: *mut Node, shred: bool) -> bool {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if (*node).cell.flags & OWN != 0 {
            return end_own(call, node, shred);
        }
        block::end_carefully(call, Kind::Tree, HEADER, data(node), (*node).src, shred)
    }
}

/// The flags of nodes whose data is the library's own.
const OWN: u8 = FLAG_HOST | FLAG_HOOK | FLAG_HOLD;

/// Ends a node whose data is the library's own, after what that stands for.
unsafe fn end_own(call: &'static str, node: *mut Node, shred: bool) -> bool {
    // SAFETY: [live] the caller's node is readable.
    if !unsafe { block::is_whole(call, Kind::Tree, HEADER, data(node), (*node).src) } {
        return false;
    }
    let ending = Own { call, node, shred };
    // SAFETY: [hosted, hooks, holders] the caller gives a live node that nobody uses any more, and its flags say what its data is.
    let went = unsafe {
        match (*node).cell.flags & OWN {
            #[cfg(feature = "pool")]
            FLAG_HOST if hosts(node) => {
                let pool: *mut super::Pool = data(node).cast();
                if shred || (*node).cell.tainted() {
                    (*pool).cell.taint();
                }
                super::pool::tear_down(pool);
                true
            }
            FLAG_HOOK => hook::run(call, node),
            FLAG_HOLD => hold::release(call, node, shred || (*node).cell.tainted()),
            FLAG_OWNER => true,
            _ => {
                fault::report(call, data(node), Misuse::Damaged);
                false
            }
        }
    };
    if !went {
        core::mem::forget(ending);
    }
    went
}

/// Marks a node to be zeroed with all that is below it.
///
/// # Safety
/// The node is there, and this thread's.
pub(super) unsafe fn deepen(node: *mut Node) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        (*node).cell.taint();
        (*node).cell.flags |= FLAG_DEEP;
    }
}

/// Whether the data of a node is a pool, as far as its header and that of the pool say.
///
/// # Safety
/// The node is there.
#[cfg(feature = "pool")]
pub(super) unsafe fn hosts(node: *mut Node) -> bool {
    // SAFETY: [caller, extent] the caller's node is readable, and its data where the header says so.
    unsafe {
        (*node).cell.flags & FLAG_HOST != 0
            && (*node).cell.size >= HEADER + size_of::<super::Pool>()
            && super::pool::is_hosted(data(node).cast())
    }
}

#[cfg(not(feature = "pool"))]
pub(super) unsafe fn hosts(_: *mut Node) -> bool {
    false
}

/// Why a node may neither be freed nor resized now, whatever its header says of it.
///
/// # Safety
/// The node is there.
unsafe fn in_use(node: *mut Node) -> Option<Misuse> {
    // SAFETY: [caller, hosted] the caller's node is readable, and where it hosts a pool that is its data.
    unsafe {
        #[cfg(feature = "pool")]
        if hosts(node) && super::pool::is_ending(data(node).cast()) {
            return Some(Misuse::BeingFreed);
        }
        ((*node).cell.flags & FLAG_BUSY != 0).then_some(Misuse::FreeingBelow)
    }
}

/// A node, or null, a child of which is being freed: it stays where it is as long as this is there.
struct Busy {
    node: *mut Node,
    was: bool,
}

impl Busy {
    /// # Safety
    /// The node is null or a live one of this thread's.
    unsafe fn new(node: *mut Node) -> Busy {
        // SAFETY: [caller] the caller's node is live.
        let was = node.is_null() || unsafe { (*node).cell.flags } & FLAG_BUSY != 0;
        if !was {
            // SAFETY: [caller] as above.
            unsafe { (*node).cell.flags |= FLAG_BUSY };
        }
        Busy { node, was }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if !self.was {
            // SAFETY: [guard, busy] a busy node is neither freed nor moved to another address.
            unsafe { (*self.node).cell.flags &= !FLAG_BUSY };
        }
    }
}

/// A node whose data is the library's own: dropping it gives the node back, even where what it stood for unwinds.
struct Own {
    call: &'static str,
    node: *mut Node,
    shred: bool,
}

impl Drop for Own {
    fn drop(&mut self) {
        // SAFETY: [guard, hosted] what the node stood for is gone, and the node is not used any more.
        unsafe {
            let shred = self.shred || hook::is_of_tainted(self.node);
            block::end_carefully(self.call, Kind::Tree, HEADER, data(self.node), (*self.node).src, shred)
        };
    }
}

pub(crate) unsafe fn release(freed: *mut u8, call: &'static str, shred: Shred) -> Handle {
    // SAFETY: [caller] the caller vouches for a readable header where the data is not null.
    if freed.is_null() || !unsafe { block::check(call, Kind::Tree, HEADER, freed) } {
        return Handle::NULL;
    }
    let root = header(freed);
    // SAFETY: [live] as above, and the links of a live node are readable.
    unsafe {
        let Node { parent, child, .. } = *root;
        if (*root).cell.flags & (FLAG_HOST | FLAG_BUSY) != 0 {
            if let Some(misuse) = in_use(root) {
                fault::report(call, freed, misuse);
                return Handle::NULL;
            }
        }
        if !unlink_checked(root) {
            fault::report(call, freed, Misuse::Damaged);
            return Handle::NULL;
        }
        (*root).cell.kind = Kind::Tree.dying();
        let shred = shred.is_yes();
        let went = if child.is_null() && !shred && end_plain(root) {
            true
        } else if child.is_null() && runs_nothing(root) {
            block::end_carefully(call, Kind::Tree, HEADER, freed, (*root).src, shred)
        } else {
            fell(call, root, shred)
        };
        if !went {
            return stayed(call, root, shred);
        }
        if parent.is_null() || place::is_owner(parent) {
            return Handle::NULL;
        }
        // As `handle` makes it, of data that is not null.
        Handle { kind: Kind::Tree as i32, shred: 0, data: data(parent), cell: parent.cast() }
    }
}

/// What [`release`] returns of a node that was to be freed and is there: one that was damaged stays, and a holder has a child now, which is
/// freed before it ends.
#[cold]
#[inline(never)]
unsafe fn stayed(call: &'static str, root: *mut Node, shred: bool) -> Handle {
    // SAFETY: [caller, felling] the caller gives a node that is marked as dying and was taken out.
    unsafe {
        let parent = (*root).parent;
        if (*root).cell.flags & FLAG_HOLD != 0 && !(*root).child.is_null() && fell(call, root, shred) {
            return handle(data(parent));
        }
        (*root).cell.kind = Kind::Tree as i32;
        relink(root);
    }
    Handle::NULL
}

/// Whether no function of the program's is called as a node ends, if its header is right.
///
/// # Safety
/// The node is there.
#[inline(always)]
unsafe fn runs_nothing(node: *mut Node) -> bool {
    // SAFETY: [caller] the caller's node is readable.
    unsafe { (*node).src.is_null() && (*node).cell.flags & (OWN | FLAG_SLOT) == 0 }
}

/// Frees a node that has been taken out and marked as dying, and everything below it; or, where its header is damaged, nothing.
#[inline(never)]
unsafe fn fell(call: &'static str, root: *mut Node, shred: bool) -> bool {
    // SAFETY: [caller, felling] the caller gives a node of this thread's that nobody uses any more. Its parent is live.
    unsafe {
        let _busy = Busy::new((*root).parent);
        if (*root).child.is_null() {
            return end_slowly(call, root, shred);
        }
        if !block::is_whole(call, Kind::Tree, HEADER, data(root), (*root).src) {
            return false;
        }
        Felling { call, root, at: root, shred, kept: false }.run();
    }
    true
}

/// Frees a node and everything below it as [`f`] does, and returns nothing, as callbacks that destroy an object do.
///
/// # Safety
/// As for [`f`].
///
/// ```
/// use kmem::raw::tree;
/// use std::ptr::null_mut;
/// unsafe { tree::d(tree::a(null_mut(), null_mut(), 8)) };
/// ```
#[inline]
pub unsafe fn d(data: *mut u8) {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { release(data, "kmtreed", Shred::No) };
}

/// Frees what a counted cell owned.
///
/// # Safety
/// `root` is the node below which it hangs, to which nothing leads any more.
#[cfg(feature = "ref")]
pub(super) unsafe fn free_owned(call: &'static str, root: *mut Node) {
    // SAFETY: [caller, felling] the caller gives a live root that nobody uses any more.
    unsafe {
        (*root).cell.kind = Kind::Tree.dying();
        Felling { call, root, at: root, shred: false, kept: false }.run();
    }
}

/// The number of nodes and adopted objects below a node, counted by walking them.
///
/// # Safety
/// `data` is that of a live node of a tree that belongs to this thread.
///
/// ```
/// use kmem::raw::tree;
/// use std::ptr::null_mut;
/// unsafe {
///     let root = tree::a(null_mut(), null_mut(), 0);
///     tree::a(null_mut(), tree::a(null_mut(), root, 0), 0);
///     assert_eq!(tree::below(root), 2);
///     tree::f(root);
/// }
/// ```
#[must_use]
pub unsafe fn below(data: *mut u8) -> usize {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { walk(data) }.skip(1).count()
}

verbs! {
    module: "tree",
    call: "kmtree",
    thing: "a tree node of `size` bytes",
    a: (src: *mut Cell, parent: *mut u8, size: usize) => (src, parent, size),
    z: (src: *mut Cell, parent: *mut u8, size: usize) => (src, parent, size),
    f: -> Handle,
    fails: "`parent` is the data of the node above, null for a root. `src` is the source: null for the heap, a pool \
            or a custom source. Null is returned where it is exhausted or cannot serve, or where the size overflows.",
    safety: "`src` is null or points to a live cell, and outlives the node. `parent` is null or the data of a node of \
             a tree that belongs to this thread.",
    frees: "Frees a node and everything below it, deepest first, zeroing what is tainted. Returns the handle of the \
            node that was its parent, or the null handle where it was a root.",
    shreds: "Like [`f`], but zeroes every node that it frees.",
    example: ("", "null_mut(), null_mut(), 24", "null_mut(), null_mut(), 24", ""),
}
