//! Why kmem does not catch what it does not catch.

/// The reason for a misuse of a method, where there is one.
pub fn reason(misuse: &str, method: &str) -> Option<&'static str> {
    Some(match (misuse, method) {
        ("twice-reused" | "gone-reused" | "resize-reused", _) => {
            "The cell is a live one again, of somebody else's: its header is right, and the pointer is the same."
        }
        ("dropped-for", _) => {
            "A count says how many references there are, not whose: the second drop takes that of somebody else, whose own drop is then \
             one too many, and reported."
        }
        ("twice-large" | "gone-large", _) | ("drawn-gone" | "resize-gone", "tree@pool") => {
            "The heap has given the memory back to the system, header and all: what is not there cannot be read. It ends the \
             program, without words."
        }
        ("as-pool", "heap") => {
            "In the place where a pool's cell names its pool a heap cell has its size, which is an address too: one at which \
             there is nothing."
        }
        ("foreign-large", _) => {
            "`malloc` maps a block of this size by itself, and the header that kmem looks for would lie on the page before, which \
             is not there."
        }
        ("to-libc", "heap") => {
            "The call is the heap's, not kmem's, and to the heap the size in kmem's header looks like one of its own."
        }
        ("handle-none", _) => {
            "This is what a handle on a static object says: `kmfree` leaves it alone, and the cell is never freed."
        }
        (
            "over-1-zero" | "over-1-text" | "over-8-zero" | "over-8-text",
            "pool" | "ref@pool" | "tree@pool",
        ) => {
            "The 8 bytes before a pool cell's `pool` link it to the cell handed out before. Nothing follows that link while the cell \
             is live, so nothing comes of it, and nothing looks."
        }
        ("over-1-text", _) => {
            "Between two heap cells lie 8 bytes of the heap's. What is written there does not reach kmem's header, and the \
             heap looks at it more or less closely."
        }
        ("late-write", _) => {
            "The data of a free cell is nobody's: kmem keeps nothing there that could be corrupted, and does not look. Build it with \
             its marks for AddressSanitizer or valgrind to be told."
        }
        ("forge-drop", _) => {
            "A pool's seal says that it is a pool and where, and lies between its flags and its destructor: a write that runs on from \
             the block before covers it too and is caught, but not one that changes just those two."
        }
        ("forge-free", _) => {
            "A free cell is known by its tag, and who knows the address of the pool can give one to memory of theirs."
        }
        ("forge-live", _) => {
            "The cell looks live as it is freed. That it is on the free list already is found when the list is walked."
        }
        ("smash-size-256" | "smash-size-mark-256", _) => {
            "The seal is a byte, into which the lowest byte of the size goes: a size that is a multiple of 256 away has the same. A pool \
             and the C library's heap go by what they know themselves; what is marked is zeroed as far as the size says, in a pool \
             at most to the end of the cell."
        }
        ("smash-heap" | "resize-smash-heap", "ref@pool" | "tree@pool") => {
            "The seal tells copies of kmem apart, each with a heap of its own, and what was drawn from a pool any copy may give back."
        }
        ("smash-refs-more", _) => {
            "A count of two is what a second reference makes of it. The cell is never freed."
        }
        ("link-parent", _) => {
            "A node between two others is taken out by what they say; its parent is not asked, only returned."
        }
        ("link-child-text", _) => {
            "The links below a node are followed as they are: a walk that checked each would take longer."
        }
        ("add-link-last" | "add-link-last-text", _) => {
            "A new node is linked behind the last child without a look at what that says: making a node is to cost what it does. \
             Adopting, hooking and moving look."
        }
        ("move-link-above" | "move-link-above-text", _) => {
            "What lies above the new parent is looked through as it is, for the node alone: a look at each link would take twice as long. \
             Nothing above is changed."
        }
        ("unchecked-below-itself", _) => {
            "`kmtreemu` is the move without that look. Nothing reaches the nodes any more, and they are never freed; `kmtreem` refuses it."
        }
        ("adopted-freed" | "adopted-resized" | "owned-freed", _) => {
            "A cell does not know that a node holds it. The node finds it gone when it frees it in its turn, or lets it go, and that is \
             reported."
        }
        ("adopt-twice" | "adopt-twice-same" | "own-twice", _) => {
            "A cell does not know that a node holds it, nor a count whose its references are. Whoever frees it first is taken for its \
             owner; the second free is reported."
        }
        ("size-smash-fair", _) => {
            "A look believes a size that can be. It does not ask for the seal, for a cell of another copy's heap may be looked at, though \
             not freed, resized or appended to."
        }
        _ => return None,
    })
}
