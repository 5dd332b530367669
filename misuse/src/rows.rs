//! What the rows are called.

pub struct Group {
    pub title: &'static str,
    pub misuses: &'static [(&'static str, &'static str)],
}

pub const GROUPS: [Group; 8] = [
    Group {
        title: "Freed twice",
        misuses: &[
            ("twice", "at once"),
            ("twice-later", "after another free"),
            ("twice-busy", "after 33 other frees"),
            ("twice-full", "after another free, eight others before"),
            ("twice-thread", "at once, by another thread"),
            ("twice-large", "a block of 1 MiB, at once"),
            ("twice-reused", "after somebody else got the block"),
            ("twice-zeroed", "and zeroed, at once"),
            ("dropped-for", "a reference, while somebody else holds one"),
            ("up-after", "one reference more after the last went"),
            ("below-freed", "a child for a node that was freed"),
        ],
    },
    Group {
        title: "Another kind's pointer",
        misuses: &[
            ("as-heap", "freed as a heap cell"),
            ("as-ref", "freed as a counted cell"),
            ("as-pool", "freed as a pool's cell"),
            ("as-tree", "freed as a node"),
            ("foreign", "what `malloc` gave"),
            ("foreign-large", "1 MiB that `malloc` gave"),
            ("to-libc", "given to `free`"),
        ],
    },
    Group {
        title: "No block's start",
        misuses: &[
            ("inside-1", "1 byte into the data, which is zero"),
            ("inside-8", "8 bytes into it"),
            ("inside-16", "16 bytes into it"),
            ("inside-32", "32 bytes into it"),
            ("inside-16-text", "16 bytes into data that is text"),
            ("inside-32-text", "32 bytes into it"),
            ("stack", "on the stack, amid zeros"),
            ("stack-text", "on the stack, amid text"),
            ("static", "a static object"),
        ],
    },
    Group {
        title: "After the store went, and in destructors",
        misuses: &[
            ("gone", "a cell after its pool was torn down"),
            ("gone-large", "the same, of a pool of 4 MiB"),
            ("gone-reused", "a cell after a new pool handed it out again"),
            ("drawn-gone", "a cell drawn from a pool that was torn down"),
            ("node-gone", "a cell after the node of its pool went"),
            ("node-gone-torn", "a pool torn down after its node went"),
            ("torn-twice", "a pool torn down twice"),
            ("own-destructor", "freed by its own destructor"),
            ("child-destructor", "freed by the destructor of a node below"),
            ("cell-destructor", "a pool torn down by the destructor of its cell"),
        ],
    },
    Group {
        title: "Handles",
        misuses: &[
            ("handle-heap", "says heap"),
            ("handle-ref", "says ref"),
            ("handle-pool", "says pool"),
            ("handle-tree", "says tree"),
            ("handle-source", "says source, which no handle is"),
            ("handle-unknown", "says 77, which is no kind"),
            ("handle-none", "says that it is not kmem's"),
            ("handle-cell", "names the cell of another object"),
        ],
    },
    Group {
        title: "Written past the end of the cell before",
        misuses: &[
            ("over-1-zero", "1 byte, zero"),
            ("over-1-text", "1 byte of text"),
            ("over-8-zero", "8 bytes, zero"),
            ("over-8-text", "8 bytes of text"),
            ("over-16-zero", "16 bytes, zero"),
            ("over-16-text", "16 bytes of text"),
            ("over-free", "16 bytes of text, into a free block"),
            ("late-write", "16 bytes of text to the cell itself, after it was freed"),
        ],
    },
    Group {
        title: "Forged by who knows the layout and all addresses",
        misuses: &[
            ("forge-flags", "a destructor, by the flags alone: 14 bytes"),
            ("forge-slot", "a destructor in the data, by flags and size: 24 or 32 bytes"),
            ("forge-pool", "another pool of theirs: 16 bytes"),
            ("forge-pool-drop", "… that has a destructor: 16 bytes"),
            ("forge-src", "… and the source too: 48 or 80 bytes"),
            ("forge-drop", "the destructor of the pool itself"),
            ("forge-free", "the free list, to hand out their memory: 8 bytes into a free cell"),
            ("forge-live", "a free cell marked as live, freed once more"),
        ],
    },
    Group {
        title: "Smashed headers and links",
        misuses: &[
            ("smash-zero", "16 bytes of zeros"),
            ("smash-text", "16 bytes of text"),
            ("smash-flags", "all flags set"),
            ("smash-align", "an alignment that there is not"),
            ("smash-align-fair", "an alignment of 128"),
            ("smash-heap", "another seal"),
            ("smash-size-tiny", "a size of zero"),
            ("smash-size-huge", "a size of text"),
            ("smash-size-fair", "a size that is 64 bytes too large"),
            ("smash-size-mark", "a size that is 64 bytes too large, and the mark to be zeroed"),
            ("smash-size-256", "a size that is 256 bytes too large"),
            ("smash-size-mark-256", "a size that is 256 bytes too large, and the mark to be zeroed"),
            ("smash-src-zero", "no source"),
            ("smash-src-text", "a source of text"),
            ("smash-refs-zero", "a count of zero"),
            ("smash-refs-more", "a count of two, where there is one reference"),
            ("smash-pool", "the pool beside its own"),
            ("pool-zero", "the pool's own header: 16 bytes of zeros"),
            ("pool-text", "the pool's own header: 16 bytes of text"),
            ("link-parent", "the parent of a node: attacker's memory"),
            ("link-child", "its child: attacker's memory"),
            ("link-prev", "the sibling before it: attacker's memory"),
            ("link-next", "the sibling behind it: attacker's memory"),
            ("link-parent-text", "the parent of a node: text"),
            ("link-child-text", "its child: text"),
            ("link-prev-text", "the sibling before it: text"),
            ("link-next-text", "the sibling behind it: text"),
        ],
    },
];

/// Which cell it is done to, in the words of the table.
pub fn method(name: &str) -> String {
    match name.split_once(['@', '.']) {
        None => name.to_owned(),
        Some((kind, "handle")) => format!("{kind}, by its handle"),
        Some(("pool", "tree")) => "pool on a node".to_owned(),
        Some(("pool", "buffer")) => "pool in a buffer".to_owned(),
        Some((kind, _)) => format!("{kind} from a pool"),
    }
}
