//! The rooms of freed objects, which serve the next allocations of their size.
//!
//! A room is on a list of rooms of similar size. Sizes are multiples of 16 bytes. Each size up to 256 has a list of its own, and above
//! that each power of two. A scope has its own lists, because it must not allocate in rooms that are older.

use core::ptr::{NonNull, null_mut};

use super::block::{bump, contains, taken, untaken};
use super::header::{ARENA_HAS_ROOMS, Arena, Room, Rooms};
use crate::fault::{self, Misuse, call};
use crate::raw::request::BASE_ALIGN;
use crate::raw::seal;

/// The offset of a [`Room`] in the room. The bytes before it stay as they are: they show that the object was freed.
const OFFSET: usize = 16;
/// The smallest room that is put on a list.
const LEAST: usize = OFFSET + 16;
/// Lists of rooms of one size.
const EXACT: usize = 16;
const LISTS: usize = 32;
/// Rooms that are looked at on one list.
const TRIES: usize = 8;

impl Rooms {
    pub(crate) const EMPTY: Rooms = Rooms { lists: [null_mut(); LISTS] };
}

/// Returns the number of the list for this size, a multiple of 16 that is not zero.
fn list_of(size: usize) -> usize {
    let units = size / BASE_ALIGN;
    let list = if units <= EXACT { units.wrapping_sub(1) } else { EXACT - 4 + units.ilog2() as usize };
    // Without a panic for the sizes that cannot be.
    list.min(LISTS - 1)
}

impl Room {
    /// Seals the size of a room, or returns the size that is sealed.
    fn seal(next: *mut Room, size: usize) -> usize {
        size ^ next.addr().rotate_left(usize::BITS / 2) ^ seal::key()
    }

    /// Writes the header of a room. Safety: the room is writable, and nobody else uses it.
    unsafe fn write(this: *mut Room, next: *mut Room, size: usize) {
        // SAFETY: [caller] the contract is the caller's.
        unsafe { this.write(Room { next, size: Room::seal(next, size) }) }
    }

    /// Returns the next room and the size of this one, or `None` after a report if its header is corrupt.
    /// Safety: the room is on a list.
    unsafe fn read(this: *mut Room) -> Option<(*mut Room, usize)> {
        // SAFETY: [caller] the room is readable.
        let Room { next, size } = unsafe { this.read() };
        let size = Room::seal(next, size);
        if size & (BASE_ALIGN - 1) == 0 && size >= LEAST && size >> (usize::BITS - 8) == 0 {
            return Some((next, size));
        }
        fault::report(call!(c"kmarenaa"), Room::start(this), Misuse::Damaged);
        None
    }

    fn start(this: *mut Room) -> *mut u8 {
        this.cast::<u8>().wrapping_sub(OFFSET)
    }
}

/// Takes a room of at least `size` bytes, a multiple of 16, or returns null if there is none. With `any`, rooms of all larger lists
/// are considered too. Safety: the arena is live and belongs to this thread.
#[inline(never)]
pub(crate) unsafe fn take(arena: *mut Arena, size: usize, any: bool) -> *mut u8 {
    // SAFETY: [caller, rooms] each room on a list is free, and leads to the next.
    unsafe {
        let rooms = (*arena).rooms;
        if rooms.is_null() {
            return null_mut();
        }
        let own = list_of(size.max(BASE_ALIGN));
        let lists = if any || own >= EXACT { LISTS } else { own + 1 };
        for list in own..lists {
            let head = &raw mut (*rooms).lists[list];
            let mut before: Option<(*mut Room, usize)> = None;
            let mut room = *head;
            for _ in 0..TRIES {
                if room.is_null() {
                    break;
                }
                let Some((next, found)) = Room::read(room) else {
                    // The list is corrupt: the arena loses the rooms on it.
                    *head = null_mut();
                    break;
                };
                if found >= size {
                    match before {
                        None => *head = next,
                        Some((before, size)) => Room::write(before, next, size),
                    }
                    let start = Room::start(room);
                    if found > size {
                        put(arena, start.add(size), found - size);
                    }
                    return start;
                }
                (before, room) = (Some((room, found)), next);
            }
        }
        null_mut()
    }
}

/// Allocates `size` bytes, a multiple of 16, in a room or behind the last object. Returns null if the room would have to be searched
/// for, or is corrupt. Safety: as for [`take`]; the arena has lists of rooms.
#[inline(never)]
pub(crate) unsafe fn draw_fast(arena: *mut Arena, size: usize) -> *mut u8 {
    // SAFETY: [caller, rooms] as in `take`.
    unsafe {
        let list = (size / BASE_ALIGN).wrapping_sub(1);
        let rooms = (*arena).rooms;
        if list >= EXACT || rooms.is_null() {
            return null_mut();
        }
        let head = &raw mut (*rooms).lists[list];
        let room = *head;
        if room.is_null() {
            return bump(arena, size, BASE_ALIGN).map_or(null_mut(), NonNull::as_ptr);
        }
        let next = (*room).next;
        if Room::seal(next, (*room).size) != size {
            return null_mut();
        }
        *head = next;
        Room::start(room)
    }
}

/// Puts a room on the list of its size. A room too small for a list is lost until its scope ends.
/// Safety: the arena is live and belongs to this thread. Nobody uses these bytes, which begin at a multiple of 16. `size` is a
/// multiple of 16.
#[inline(never)]
pub(crate) unsafe fn put(arena: *mut Arena, start: *mut u8, size: usize) {
    if size < LEAST {
        return;
    }
    // SAFETY: [caller, rooms] the contract is the caller's.
    unsafe {
        // Nothing behind the last object is in use: the scope of this one has ended.
        if start.addr().wrapping_sub((*arena).at.addr()) < (*arena).end.addr() - (*arena).at.addr() {
            return fault::report(call!(c"kmarenaf"), start, Misuse::AlreadyFreed);
        }
        // These bytes may be part of a larger room, or have been in use.
        taken(start.add(OFFSET), LEAST - OFFSET);
        untaken(start.add(LEAST), start.add(size));
        let room = start.add(OFFSET).cast::<Room>();
        if is_older(arena, start.addr()) {
            Room::write(room, (*arena).older, size);
            (*arena).older = room;
            return;
        }
        let Some(rooms) = lists(arena) else { return };
        let head = &raw mut (*rooms).lists[list_of(size)];
        Room::write(room, *head, size);
        *head = room;
    }
}

/// Returns the lists of the innermost scope, which are allocated if there are none. Safety: as for [`put`].
unsafe fn lists(arena: *mut Arena) -> Option<*mut Rooms> {
    // SAFETY: [caller] the arena is live.
    unsafe {
        let mut rooms = (*arena).rooms;
        if rooms.is_null() {
            rooms = if (*arena).scope == 0 {
                &raw mut (*arena).first_rooms
            } else {
                bump(arena, size_of::<Rooms>(), BASE_ALIGN).map_or(null_mut(), |start| start.as_ptr().cast())
            };
            if rooms.is_null() {
                return None;
            }
            rooms.write(Rooms::EMPTY);
            set_lists(&mut *arena, rooms);
        }
        Some(rooms)
    }
}

/// Makes these the lists that the arena uses: none if `rooms` is null.
#[inline(always)]
pub(crate) fn set_lists(arena: &mut Arena, rooms: *mut Rooms) {
    // A store that changes nothing would delay the loads behind it.
    if arena.rooms != rooms {
        arena.rooms = rooms;
        arena.cell.flags &= !ARENA_HAS_ROOMS;
        arena.cell.flags |= if rooms.is_null() { 0 } else { ARENA_HAS_ROOMS };
    }
}

/// Returns true if an address in the arena is older than the innermost scope. Safety: as for [`put`].
pub(crate) unsafe fn is_older(arena: *mut Arena, address: usize) -> bool {
    // SAFETY: [caller, blocks] the blocks from the current one back to that of the scope are live.
    unsafe {
        let floor = (*arena).floor_block;
        let mut block = (*arena).block;
        while !floor.is_null() && block != floor {
            if contains(block, address) {
                return false;
            }
            block = (*block).prev;
        }
        !(floor.is_null() || contains(floor, address) && address >= (*arena).floor.addr())
    }
}

/// Puts the older rooms on the lists of the innermost scope, or leaves them if they are older than that scope too.
/// Safety: as for [`put`].
pub(crate) unsafe fn sort_older(arena: *mut Arena) {
    // SAFETY: [caller, rooms] as in `take`.
    unsafe {
        let mut room = core::mem::replace(&mut (*arena).older, null_mut());
        while !room.is_null() {
            let Some((next, size)) = Room::read(room) else { return };
            put(arena, Room::start(room), size);
            room = next;
        }
    }
}
