//! Why kmem does not catch some misuses.

/// The reason for a misuse of a method, if there is one.
pub fn reason(misuse: &str, method: &str) -> Option<&'static str> {
    Some(match (misuse, method) {
        ("twice-reused" | "gone-reused" | "resize-reused", _) => {
            "The block was allocated again, so the old pointer is the address of a live cell, which has another owner and a valid \
             header."
        }
        ("dropped-for", _) => {
            "A count is the number of references, not a list of their owners. The second drop takes the reference of another owner, \
             whose own drop is then reported."
        }
        ("twice-large" | "gone-large", _) | ("drawn-gone" | "resize-gone", "tree@pool") => {
            "The heap has returned the block to the system, so there is no header to read. The program crashes without a report."
        }
        ("as-pool", "heap") => {
            "The header of a heap cell has the size where the header of a pool cell has the address of its pool. kmem reads at that \
             address, where nothing is mapped."
        }
        ("foreign-large", _) => {
            "`malloc` maps a block of this size by itself. The header that kmem reads would be on the page before, which is not \
             mapped."
        }
        ("to-libc", "heap") => {
            "The call is the C library's, not kmem's. The C library takes the size in kmem's header for one of its own."
        }
        ("handle-none", _) => {
            "The handle is that of a static object, so `kmfree` does nothing. The cell is never freed."
        }
        (
            "over-1-zero" | "over-1-text" | "over-8-zero" | "over-8-text",
            "pool" | "ref@pool" | "tree@pool",
        ) => {
            "The write reaches the first 8 bytes of a pool cell's header, which link to the cell that was allocated before it. kmem \
             neither follows nor checks that link while the cell is live."
        }
        ("over-1-text", _) => {
            "Between two heap cells are 8 bytes of the heap. The write does not reach kmem's header. The heap checks them only in \
             part."
        }
        ("late-write", _) => {
            "kmem keeps nothing in the data of a free cell, and does not check it. A build for AddressSanitizer or valgrind reports \
             the write."
        }
        ("forge-drop", _) => {
            "The seal of a pool lies between its flags and its destructor. A write that runs on from the block before changes the \
             seal too and is caught. One that changes only the flags and the destructor is not."
        }
        ("forge-free", _) => {
            "A free cell is recognised by its tag. An attacker who knows the address of the pool can write that tag into other \
             memory."
        }
        ("forge-live", _) => {
            "The cell looks live when it is freed. kmem finds that it is already on the free list only when it walks the list."
        }
        ("smash-heap" | "resize-smash-heap", "ref@pool" | "tree@pool") => {
            "A wrong seal looks like the seal of another copy of kmem, which has a heap of its own. Any copy may free a block of a \
             pool, so kmem accepts it."
        }
        ("smash-refs-more", _) => {
            "A count of two is valid: there could be two references. The cell is never freed."
        }
        ("link-parent", _) => {
            "kmem unlinks a node between two siblings by the links of the siblings. It only returns the parent."
        }
        ("link-child-text", _) => {
            "kmem follows the links below a node without a check of each, which would take longer."
        }
        ("add-link-last" | "add-link-last-text", _) => {
            "A new node is linked behind the last child without a check of that link, to keep it fast. Adopting, hooking and moving \
             check it."
        }
        ("move-link-above" | "move-link-above-text", _) => {
            "kmem visits the ancestors of the new parent to see if the node is one of them. A check of each link would take twice \
             as long. kmem changes no ancestor."
        }
        ("unchecked-below-itself", _) => {
            "`kmtreemu` is the move without the check of the ancestors. The nodes become unreachable and are never freed. `kmtreem` \
             refuses this move."
        }
        ("adopted-freed" | "adopted-resized" | "owned-freed", _) => {
            "A cell does not know that it was adopted. When the node frees or releases it later, kmem reports that it is not a live \
             cell."
        }
        ("adopt-twice" | "adopt-twice-same" | "own-twice", _) => {
            "A cell does not know that it was adopted, and a count does not know its owners. The first owner to free it is taken for the only one; the second free is reported."
        }
        ("size-smash-fair", _) => {
            "Reading the size does not check the seal, because the cell may belong to another copy of kmem. Only impossible sizes \
             are reported. Freeing, resizing and appending check the seal."
        }
        _ => return None,
    })
}
