//! Arenas: objects of any size, one behind the other, freed one by one, by scopes, or all at once.
//!
//! An arena belongs to one thread at a time.

pub(crate) mod bare;
pub(crate) mod block;
pub(crate) mod header;
pub(crate) mod own;
pub(crate) mod room;
pub(crate) mod scope;
pub(crate) mod space;
pub(crate) mod watch;

use core::alloc::Layout;
use core::ffi::{CStr, c_char};
use core::ptr::{NonNull, null, null_mut};

use super::Handle;
pub(crate) use super::layout::ARENA_CELL as HEADER;
use super::layout::{ArenaCell, CellAt, prefix};
use super::request::{BASE_ALIGN, Fill, Request};
use super::resize::{self, How, ResizeRequest, Resized};
use super::shape::MOST;
use super::source::{BELOW, arena as store, draw};
use super::{chain, check, make, seal, totals};
use crate::cell::{Cell, FLAG_HOST, Kind, Shred};
use crate::error::AllocError;
use crate::fault::{self, Call, Misuse, call};
use block::untaken;
use header::{ARENA, ARENA_FIXED, ARENA_IN_BUFFER, ARENA_STORE, ARENA_WATCH, Arena, Block, Rooms, Watch};

pub use scope::Mark;
pub(crate) use scope::{check_arena, release, tear_down};

/// The options of an arena.
///
/// Exhaustive, so that other crates can write `..Spec::new(0)`. A new field is a breaking change.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Bytes of the first block, headers included; 0 for a default.
    pub first: usize,
    /// In a buffer: true if the arena allocates further blocks from the heap when the buffer is full. Other arenas always grow.
    pub grows: bool,
    /// [`Shred::Yes`]: every object is zeroed when it is freed.
    pub shred: Shred,
    /// Name in reports.
    pub name: Option<&'static CStr>,
}

impl Spec {
    /// The options of an arena that is not tainted and has no name.
    #[must_use]
    pub const fn new(first: usize) -> Spec {
        Spec { first, grows: false, shred: Shred::No, name: None }
    }
}

/// Bytes of the first block of an arena by default.
const FIRST: usize = 4064;

/// Bytes of buffer that an arena's header takes, at most, wherever the buffer begins.
pub const OVERHEAD: usize = ARENA + 2 * BASE_ALIGN - 1;

/// Makes an arena with blocks from `src`, and returns it, or null. If `src` is the header of a node, the arena is freed with the node.
/// C: `kmarenai`.
///
/// # Safety
/// `src` is null or points to a live cell, and outlives the arena.
pub unsafe fn i(src: *mut Cell, first: usize) -> *mut Arena {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { init(src, &Spec::new(first)) }.map_or(null_mut(), NonNull::as_ptr)
}

/// Makes an arena with the options of a [`Spec`]. Fails as [`AllocError`] says. C: `kmarenaiw`.
///
/// # Safety
/// As for [`i`].
#[inline(never)]
pub unsafe fn init(src: *mut Cell, spec: &Spec) -> Result<NonNull<Arena>, AllocError> {
    let first = if spec.first == 0 { FIRST } else { spec.first }.max(ARENA + HEADER + 2 * BASE_ALIGN);
    let size = first.checked_next_multiple_of(BASE_ALIGN).ok_or(AllocError::Overflow)?;
    let layout = Layout::from_size_align(size, BASE_ALIGN).map_err(|_| AllocError::Overflow)?;
    // SAFETY: [caller] the caller gives null or a live cell.
    let (base, flags) = if !src.is_null() && unsafe { (*src).kind } == Kind::Tree as i32 {
        // SAFETY: [live] the kind says that it is a node.
        (unsafe { host(src, layout) }?, FLAG_HOST)
    } else {
        // SAFETY: [caller] the caller's source is null or live.
        (unsafe { draw(src, layout, Fill::Undefined) }?, 0)
    };
    // SAFETY: [caller, drawn] the caller's source is null or live. The block has this size.
    Ok(unsafe { write(base, size, src, spec, flags | chain::arena_flag_of_source(src)) })
}

/// Allocates the first block of an arena on a node: the data of a new child, which hosts the arena.
#[cfg(feature = "tree")]
unsafe fn host(node: *mut Cell, layout: Layout) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the caller gives a live node.
    unsafe { super::tree::make::host(node.cast(), layout, call!(c"kmarenai")) }
}

#[cfg(not(feature = "tree"))]
unsafe fn host(_: *mut Cell, _: Layout) -> Result<NonNull<u8>, AllocError> {
    Err(AllocError::source(Some(Kind::Tree)))
}

/// Makes an arena in the `len` bytes at `buffer`, and returns it, or null if its header does not fit. It does not grow. C:
/// `kmarenaif`.
///
/// # Safety
/// `buffer` is null, or valid for reads and writes of `len` bytes, which only the arena uses until [`x`] destroys it.
pub unsafe fn in_buffer(buffer: *mut u8, len: usize) -> *mut Arena {
    // SAFETY: [caller] the contract is the caller's.
    unsafe { init_in_buffer(buffer, len, &Spec::new(0)) }.map_or(null_mut(), NonNull::as_ptr)
}

/// Makes an arena in a buffer with the options of a [`Spec`]; `first` is ignored. Returns [`AllocError::Size`] if the header does not
/// fit. C: `kmarenaifw`.
///
/// # Safety
/// As for [`in_buffer`].
pub unsafe fn init_in_buffer(buffer: *mut u8, len: usize, spec: &Spec) -> Result<NonNull<Arena>, AllocError> {
    let start = buffer.addr().wrapping_neg() & (BASE_ALIGN - 1);
    let size = len.saturating_sub(start) & !(BASE_ALIGN - 1);
    if buffer.is_null() || size < ARENA + BASE_ALIGN {
        return Err(AllocError::too_large(
            ARENA + BASE_ALIGN + start,
            if buffer.is_null() { 0 } else { len },
        ));
    }
    let fixed = if spec.grows { 0 } else { ARENA_FIXED };
    // SAFETY: [caller, extent] the buffer has room for the header from its first aligned byte.
    unsafe {
        let base = NonNull::new_unchecked(buffer.add(start));
        Ok(write(base, size, null_mut(), spec, ARENA_IN_BUFFER | fixed))
    }
}

/// Writes the header of an arena at the start of its first block, of `size` bytes. Safety: the block is the caller's.
unsafe fn write(base: NonNull<u8>, size: usize, src: *mut Cell, spec: &Spec, flags: u8) -> NonNull<Arena> {
    let arena = base.cast::<Arena>();
    let name: *const c_char = spec.name.map_or(null(), CStr::as_ptr);
    // SAFETY: [caller, extent] the block has room for the header.
    unsafe {
        let (at, end) = (base.add(ARENA).as_ptr(), base.add(size).as_ptr());
        let first = &raw mut (*arena.as_ptr()).first;
        arena.write(Arena {
            cell: Cell::new(Kind::Arena, flags | ARENA_STORE, 0, seal::heap_id(), size),
            src,
            at,
            end,
            block: first,
            rooms: null_mut(),
            older: null_mut(),
            watches: null_mut(),
            scope: 0,
            serial: 0,
            ending: 0,
            floor: null_mut(),
            floor_block: null_mut(),
            next: size.saturating_mul(2),
            seal: seal::of_arena(arena.as_ptr().addr()),
            busy: 0,
            must_walk: 0,
            tainted: null_mut(),
            name,
            named: name.addr() ^ seal::key(),
            first_rooms: Rooms::EMPTY,
            #[cfg(target_pointer_width = "32")]
            spare: core::mem::MaybeUninit::uninit(),
            first: Block { prev: null_mut(), next: null_mut(), end, spare: 0 },
        });
        if spec.shred.is_yes() {
            (*arena.as_ptr()).cell.taint();
        }
        untaken(at, end);
    }
    totals::add(Kind::Arena, 1, size);
    arena
}

/// Destroys an arena: runs the destructors of its objects, the newest first, zeroes what is tainted, and frees its blocks. Ignores
/// null. C: `kmarenax`.
///
/// # Safety
/// `arena` is null or a live arena whose objects nobody uses any more, and its source is alive.
pub unsafe fn x(arena: *mut Arena) {
    const CALL: Call = Call::new(c"kmarenax");
    // SAFETY: [caller] the caller's header is readable if it is not null.
    unsafe {
        if arena.is_null() || !check_arena(CALL, arena) {
            return;
        }
        if (*arena).ending != 0 {
            return fault::report(CALL, arena.cast(), Misuse::BeingFreed);
        }
        #[cfg(feature = "tree")]
        if (*arena).cell.flags & FLAG_HOST != 0 {
            // Freeing the node destroys the arena in it.
            super::tree::free::release(arena.cast(), CALL, Shred::No);
            return;
        }
        tear_down(CALL, arena);
    }
}

/// Begins a scope, and returns its mark. C: `kmarenab`.
///
/// # Safety
/// `arena` is a live arena that belongs to this thread.
#[inline]
pub unsafe fn b(arena: *mut Arena) -> Mark {
    // SAFETY: [caller] the header is readable.
    unsafe { if check_arena(call!(c"kmarenab"), arena) { scope::begin(arena) } else { Mark::START } }
}

/// Ends a scope: frees everything that was allocated in it and still lives, the newest destructor first. Blocks are kept. The mark
/// must be that of the innermost open scope. [`Mark::START`] empties the arena and ends all scopes. C: `kmarenae`.
///
/// # Safety
/// `arena` is a live arena that belongs to this thread. Nobody uses what is freed.
#[inline]
pub unsafe fn e(arena: *mut Arena, mark: &Mark) {
    const CALL: Call = Call::new(c"kmarenae");
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        if check_arena(CALL, arena) {
            scope::end(CALL, arena, mark);
        }
    }
}

/// Allocates an object with the parameters of a request, and returns its data. Fails as [`AllocError`] says.
///
/// # Safety
/// `arena` points to an arena that belongs to this thread. The destructor, if any, may be called with the data of the object.
#[inline(always)]
pub unsafe fn alloc(arena: *mut Arena, request: &Request) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        match NonNull::new(alloc_fast(arena, request)) {
            Some(data) => Ok(data),
            None => alloc_by(make::ALLOC_CELL_SMALL, arena, request),
        }
    }
}

/// Allocates a plain object behind the last one, or in a free room of its size. Returns null if this takes more.
/// Safety: as for [`alloc`].
#[inline(always)]
unsafe fn alloc_fast(arena: *mut Arena, request: &Request) -> *mut u8 {
    if request.fill != Fill::Undefined || !make::is_plain_request(request) || request.size > MOST {
        return null_mut();
    }
    let size = HEADER + request.size;
    // SAFETY: [caller, extent] the contract is the caller's. The size cannot overflow, and the block has it.
    unsafe {
        let mut block = store::draw_fast(arena.cast(), size);
        if block.is_null() {
            block = store::draw_room(arena.cast(), size);
        }
        let Some(block) = NonNull::new(block) else { return null_mut() };
        let data = make::write_plain(block, Kind::Arena, size, 0).as_ptr();
        (&raw mut (*ArenaCell::of(data)).src).write(arena.cast());
        data
    }
}

/// [`alloc`] by the given one of the two functions that make cells.
#[inline(always)]
pub(crate) unsafe fn alloc_by(
    alloc_cell: make::AllocCell,
    arena: *mut Arena,
    request: &Request,
) -> make::AllocResult {
    // SAFETY: [caller] the header is readable.
    unsafe {
        if (*arena).cell.kind != Kind::Arena as i32 || (*arena).cell.flags & ARENA_STORE == 0 {
            return Err(AllocError::source(Kind::from_raw((*arena).cell.kind)));
        }
        if request.drop.is_some() {
            return alloc_watched(arena, request);
        }
        let data = alloc_cell(Kind::Arena, arena.cast(), request, 0)?;
        (&raw mut (*ArenaCell::of(data.as_ptr())).src).write(arena.cast());
        Ok(data)
    }
}

/// [`alloc`] of an object with a destructor.
#[inline(never)]
unsafe fn alloc_watched(arena: *mut Arena, request: &Request) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: [caller] the contract is the caller's.
    unsafe {
        let watch = watch::make(arena, arena.cast(), &BELOW)?;
        let data = make::ALLOC_CELL_SMALL(Kind::Arena, watch.cast(), request, 0);
        match data {
            Ok(data) => {
                let object = ArenaCell::of(data.as_ptr());
                (&raw mut (*object).src).write(watch.cast());
                (*watch).watched = object.cast();
            }
            Err(_) => watch::free(watch),
        }
        data
    }
}

#[inline]
unsafe fn allocate(arena: *mut Arena, size: usize, fill: Fill) -> *mut u8 {
    if arena.is_null() {
        return null_mut();
    }
    // SAFETY: [caller] the contract is the caller's.
    unsafe { alloc(arena, &Request { fill, ..Request::new(size) }) }.map_or(null_mut(), NonNull::as_ptr)
}

/// [`resize`] on behalf of `call`. The old block is freed when the result is dropped.
#[inline]
pub(crate) unsafe fn resize_kept(
    data: *mut u8,
    to: ResizeRequest,
    call: Call,
    shred: Shred,
) -> Result<Resized, AllocError> {
    // SAFETY: [caller, live] the header is readable. The check finds a live object.
    unsafe {
        if data.is_null() {
            return Err(AllocError::source(None));
        }
        let at = CellAt::new(Kind::Arena, data);
        if !check::check(call, at) {
            return Err(AllocError::Misused);
        }
        let src = at.src();
        let how = How { shred: shred.is_yes(), alone: true };
        let resized = resize::resize(call, at, to, how)?;
        if resized.data.as_ptr() != data && (*src).flags & ARENA_WATCH != 0 {
            (*src.cast::<Watch>()).watched = prefix(resized.data.as_ptr(), HEADER);
            watch::renew(src.cast());
        }
        Ok(resized)
    }
}

/// Taints an object: it is zeroed when it is freed, alone or with its scope. Safety: `data` is that of a live object of an arena of
/// this thread.
#[cfg(feature = "shred")]
pub(crate) unsafe fn taint(data: *mut u8) {
    // SAFETY: [caller] the object is live, and so is its arena.
    unsafe {
        let object = ArenaCell::of(data);
        (*object).cell.taint();
        let arena: *mut Arena = (*object).src.cast();
        if (*arena).cell.flags & ARENA_STORE == 0 {
            return;
        }
        // A watch must be as old as its object. Without one, the arena is tainted instead.
        let watch = if room::is_older(arena, data.addr()) {
            Err(AllocError::Overflow)
        } else {
            watch::make(arena, arena.cast(), &BELOW)
        };
        match watch {
            Ok(watch) => {
                (*watch).watched = object.cast();
                (*watch).block = data.sub(HEADER.max(1 << ((*object).cell.align & 15)));
                (*object).src = watch.cast();
            }
            Err(_) => (*arena).cell.taint(),
        }
    }
}

/// Returns the handle of a live object, or the null handle if `data` is null. C: `kmarenao`.
///
/// # Safety
/// `data` is null or that of a live object of an arena.
#[inline(always)]
#[must_use]
pub unsafe fn handle(data: *mut u8) -> Handle {
    Handle::on(Kind::Arena, data, ArenaCell::of(data).cast())
}

/// The memory of an arena (`kmarenacount` in C).
/// Exhaustive: C code relies on the layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Count {
    /// Bytes of its blocks that hold objects, or held objects that were freed one by one; headers included.
    pub used: usize,
    /// Bytes of all its blocks.
    pub block: usize,
    /// Number of its blocks.
    pub blocks: usize,
    /// Objects that have a destructor or are tainted.
    pub watched: usize,
}

/// Counts the memory of an arena. C: `kmarenaq`.
///
/// # Safety
/// `arena` is a live arena that belongs to this thread.
#[must_use]
pub unsafe fn count(arena: *mut Arena) -> Count {
    let mut count = Count::default();
    // SAFETY: [caller, blocks] the header is readable. The blocks and watches of a live arena are live.
    unsafe {
        if !check_arena(call!(c"kmarenaq"), arena) {
            return count;
        }
        let mut block = &raw mut (*arena).first;
        count.block = ARENA - block::BLOCK;
        let mut is_used = true;
        while !block.is_null() {
            count.blocks += 1;
            count.block += (*block).end.addr() - block.addr();
            if is_used {
                let last = block == (*arena).block;
                let to = if last { (*arena).at } else { (*block).end };
                count.used += to.addr() - block.addr() - block::BLOCK;
                is_used = !last;
            }
            block = (*block).next;
        }
        let mut watch = (*arena).watches;
        while !watch.is_null() {
            count.watched += 1;
            watch = (*watch).older;
        }
    }
    count
}

/// Returns the name of an arena, or `None` if it has none or the name is corrupt.
///
/// # Safety
/// As for [`count`].
#[must_use]
pub unsafe fn name(arena: *mut Arena) -> Option<&'static CStr> {
    // SAFETY: [caller, seal] the header is readable. A name with a correct seal is static.
    unsafe {
        let Arena { name, named, .. } = *arena;
        (!name.is_null() && name.addr() ^ seal::key() == named).then(|| CStr::from_ptr(name))
    }
}

/// Names an arena, or removes its name.
///
/// # Safety
/// As for [`count`].
pub unsafe fn set_name(arena: *mut Arena, name: Option<&'static CStr>) {
    let name = name.map_or(null(), CStr::as_ptr);
    // SAFETY: [caller] the header is writable.
    unsafe { ((*arena).name, (*arena).named) = (name, name.addr() ^ seal::key()) }
}

verbs! {
    call: "kmarena",
    new: handle,
    a: (arena: *mut Arena, size: usize) => (arena, size),
    z: (arena: *mut Arena, size: usize) => (arena, size),
    f: "Frees an object. Its room serves the next objects of its size." -> (),
}

resizes! {
    call: "kmarena",
    null: ("does nothing", _size => null_mut()),
    fails: "Fails as [`alloc`](fn@alloc) does. The newest object is resized in place. In a scope, an object that is older moves into the scope if it needs another place, and is freed with it.",
}
