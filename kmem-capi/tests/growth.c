/* Growth: an append allocates little more than it needs, from every source; reserved memory; sources that resize in place. */
#include "check.h"
#include "kmem-printf.h"

/* A bump allocator over one buffer. It counts allocated bytes and moves, and checks each block that is freed. */
typedef struct bump {
    kmsource source;
    unsigned char *base, *top, *end;
    size_t allocations, bytes, asked, header;
    long secrets;
} bump;

static void *bump_alloc(kmsource *s, size_t size, size_t align) {
    bump *b = (bump *)(void *)s;
    unsigned char *block = b->base + ((size_t)(b->top - b->base) + align - 1) / align * align;
    if (size > (size_t)(b->end - block)) return NULL;
    b->top = block + size;
    b->allocations++;
    b->bytes += size;
    return memset(block, 0xCD, size);
}
static void look(bump *b, const unsigned char *from, size_t n) {
    while (n--) b->secrets += *from++ != 0;
}
static void bump_free(kmsource *s, void *block, size_t size, size_t align) {
    bump *b = (bump *)(void *)s;
    (void)align;
    look(b, (unsigned char *)block + b->header, size - b->header);
    if ((unsigned char *)block + size == b->top) b->top = (unsigned char *)block;
}
static int bump_resize(kmsource *s, void *block, size_t from, size_t to, size_t align) {
    bump *b = (bump *)(void *)s;
    unsigned char *at = (unsigned char *)block;
    (void)align;
    b->asked++;
    if (at + from != b->top || to > (size_t)(b->end - at)) return 0;
    if (to < from) look(b, at + to, from - to);
    b->top = at + to;
    return 1;
}
static int refuse_resize(kmsource *s, void *block, size_t from, size_t to, size_t align) {
    (void)block, (void)from, (void)to, (void)align;
    ((bump *)(void *)s)->asked++;
    return 0;
}

/* A slow tool may run fewer: -DAPPENDS=8000. */
#ifndef APPENDS
#  define APPENDS 80000
#endif
enum { ROOM = 16 << 20, PAGE = 4096 };

static void bump_init(bump *b, int (*resize)(kmsource *, void *, size_t, size_t, size_t)) {
    static _Alignas(PAGE) unsigned char room[ROOM];
    const kmsourceopt o = {bump_alloc, bump_free, resize};
    memset(b, 0, sizeof *b);
    kmsourceiw(&b->source, &o, b);
    CHECK(b->source.ctx == b && b->source.resize == resize && b->source.kind == kmkind_source);
    b->base = b->top = room;
    b->end = room + ROOM;
}

/* Functions that append 16 bytes to an object. */
static int append_bytes(kmptr *h) { return kmcat(h, "sixteen bytes...", 16) == h->ref; }
static int append_string(kmptr *h) { return kmcats(h, "sixteen bytes...") == h->ref; }
static int append_room(kmptr *h) {
    char *end = kmroom(h, 16);
    return end && memcpy(end, "sixteen bytes...", 17) == end;
}
static int append_format(kmptr *h) { return kmprintfa(h, "%s", "sixteen bytes...") == h->ref; }

/* Fewer times with the three that search the string from its start. */
static const struct {
    int (*append)(kmptr *);
    size_t times, ends;
} ways[] = {{append_bytes, APPENDS, 0}, {append_string, APPENDS / 10, 1}, {append_room, APPENDS / 10, 1}, {append_format, APPENDS / 10, 1}};

TEST(appending_allocations_little_more_than_is_appended_on_every_source_tainted_or_not) {
    for (size_t way = 0; way < Kmsz(ways); way++)
        for (int resizes = 0; resizes < 3; resizes++)
            for (int tainted = 0; tainted < 2; tainted++)
                for (int kind = 0; kind < 2; kind++) {
                    bump b;
                    bump_init(&b, resizes == 0 ? NULL : resizes == 1 ? refuse_resize : bump_resize);
                    b.header = kind ? sizeof(kmnode) : sizeof(kmref);
                    kmat at = kind ? Kmtree(&b, NULL) : Kmref(&b);
                    kmptr h = ways[way].ends ? kmdups(at, "") : kmarr(at, 0, 1);
                    size_t times = ways[way].times;
#ifndef KFmem_noshred
                    if (tainted) kmtaint(&h);
#endif
                    for (size_t i = 0; i < times; i++) CHECK(ways[way].append(&h));
                    CHECK(kmsize(h) == times * 16 + ways[way].ends);
                    for (size_t i = 0; i < times; i += 997)
                        CHECK(memcmp((char *)h.ref + i * 16, "sixteen bytes...", 16) == 0);
                    CHECK(b.allocations < 40 && b.bytes < times * 16 * 6);
                    if (resizes == 2) CHECK(b.allocations == 1);
                    if (resizes) CHECK(b.asked > 0);
                    kmfree(h);
                    CHECK(b.top == b.base || resizes != 2);
#ifndef KFmem_noshred
                    if (tainted) CHECK(b.secrets == 0);
#endif
                }
}

TEST(the_newest_node_of_a_bump_source_grows_by_kmtreer_in_place) {
    for (int tainted = 0; tainted < 2; tainted++) {
        bump b;
        bump_init(&b, bump_resize);
        b.header = sizeof(kmnode);
        unsigned char *node = (unsigned char *)kmtreea((kmcell *)&b, NULL, 64), *first = node;
#ifndef KFmem_noshred
        kmptr h = kmtreeo(node);
        if (tainted) kmtaint(&h);
#endif
        for (size_t size = 128; size <= 11520; size += 64) {
            memset(node, 7, size - 64);
            node = (unsigned char *)kmtreer(node, size);
            CHECK(node == first && all(node, size - 64, 7));
        }
        CHECK(b.allocations == 1 && (size_t)(b.top - b.base) == sizeof(kmnode) + 11520);
        memset(node, 7, 11520);
        for (size_t size = 11520; size > 100; size -= 100) {
            node = (unsigned char *)kmtreer(node, size);
            CHECK(node == first && all(node, size, 7) && (size_t)(b.top - b.base) == sizeof(kmnode) + size);
        }
        kmtreef(node);
#ifndef KFmem_noshred
        if (tainted) CHECK(b.secrets == 0);
#endif
    }
}

TEST(destructors_names_and_alignments_stay_as_a_cell_grows_in_place) {
    int ended = 0;
    kmopt o = {0};
    o.drop = count_drop;
    o.arg = &ended;
    o.name = "named";
    for (o.align = 16; o.align <= 4096; o.align *= 16) {
        bump b;
        bump_init(&b, bump_resize);
        kmptr h = kmrefwo((kmcell *)&b, &o);
        void *first = h.ref;
        for (int i = 0; i < 1000; i++) CHECK(kmcat(&h, "abc", 3) == first);
        CHECK(kmsize(h) == 3000 && strcmp(kmname(h), "named") == 0 && b.allocations == 1);
        for (size_t size = 2999; size > 3; size -= 7) CHECK(kmresize(&h, size) == first && kmsize(h) == size);
        CHECK(strcmp(kmname(h), "named") == 0 && memcmp(first, "abc", 3) == 0 && ended == 0);
        kmfree(h);
        CHECK(ended == 1 && b.top == b.base);
        ended = 0;
    }
}

TEST(room_in_advance_makes_appending_fail_and_move_no_more) {
    static const char *const text = "twenty bytes of text";
    for (int kind = 0; kind < 3; kind++) {
        counting source;
        counting_init(&source);
        kmat at = kind == 0 ? Kmheap : kind == 1 ? Kmref(&source) : Kmtree(&source, NULL);
        kmptr h = kmdups(at, "");
        CHECK(kmreserve(&h, 2001) == h.ref && kmsize(h) == 1);
        void *reserved = h.ref;
        if (kind == 2) CHECK(kmtreeq(h.ref, NULL).block == sizeof(kmnode) + 2001 && kmtreeq(h.ref, NULL).size == 1);
        source.left = 0;
        for (int i = 0; i < 100; i++) {
            switch (i & 3) {
            case 0: CHECK(kmcats(&h, text) == reserved); break;
            case 1: CHECK(kmprintfa(&h, "%s", text) == reserved); break;
            case 2: CHECK(memcpy(kmroom(&h, 20), text, 21)); break;
            case 3: CHECK(kmresize(&h, kmsize(h) + 20) == reserved && kmcats(&h, text) == reserved); break;
            }
            CHECK(kmsize(h) == 1 + 20 * ((size_t)i + 1) && h.ref == reserved);
            CHECK(kmreserve(&h, 2001) == reserved && kmreserve(&h, 0) == reserved);
        }
        CHECK(strlen((char *)h.ref) == 2000);
        errno = 0;
        if (kind) CHECK(kmcats(&h, "x") == NULL && errno == ENOMEM && h.ref == reserved && strlen((char *)h.ref) == 2000);
        errno = 0;
        CHECK(kmreserve(&h, (size_t)-1) == NULL && errno == ENOMEM && kmsize(h) == 2001);
        source.left = 1000;
        CHECK(kmresize(&h, 10) != NULL);
        if (kind == 2) CHECK(kmtreeq(h.ref, NULL).block == sizeof(kmnode) + 10);
        kmfree(h);
        CHECK(source.out == 0);
    }
    kmptr nothing = kmstat(NULL), fixed = kmstat(text), one = kmrefao(NULL, 8), two = kmrefo(kmrefu(one.ref));
    errno = 0;
    CHECK(kmreserve(&nothing, 8) == NULL && errno == EINVAL);
    errno = 0;
    CHECK(kmreserve(&fixed, 8) == NULL && errno == EINVAL);
    errno = 0;
    CHECK(kmreserve(&one, 100) == NULL && errno == EINVAL);
    kmfree(one);
    CHECK(kmreserve(&two, 100) == two.ref);
    kmfree(two);
    kmpool *pool = kmpooli(NULL, 64, 2);
    kmptr cell = kmpoolao(pool, 64);
    errno = 0;
    CHECK(kmreserve(&cell, 64) == cell.ref && kmreserve(&cell, 65) == NULL && errno == EINVAL);
    kmfree(cell);
    kmpoolx(pool);
}

TEST(a_source_that_refuses_has_its_cells_moved_and_gets_back_what_it_gave) {
    bump b;
    bump_init(&b, refuse_resize);
    unsigned char *data = (unsigned char *)kmrefa((kmcell *)&b, 100);
    memset(data, 7, 100);
    unsigned char *moved = (unsigned char *)kmrefr(data, 200);
    CHECK(moved && moved != data && all(moved, 100, 7) && b.allocations == 2 && b.asked == 1);
    moved = (unsigned char *)kmrefr(moved, 50);
    CHECK(moved && all(moved, 50, 7) && b.allocations == 3 && b.asked == 2);
    kmreff(moved);
}

TEST(a_misuse_of_spare_room_is_reported) {
    kmptr h = kmdups(Kmheap, "text");
    CHECK(kmreserve(&h, 1000));
    size_t *word = (size_t *)(void *)((char *)h.ref + 8), right = *word;
    *word = (size_t)0x4141414141414141ull;
    FAULT(kmfree(h), "kmfree", "a damaged header");
    *word = right;
    kmfree(h);
}

int main(void) {
    appending_allocations_little_more_than_is_appended_on_every_source_tainted_or_not();
    the_newest_node_of_a_bump_source_grows_by_kmtreer_in_place();
    destructors_names_and_alignments_stay_as_a_cell_grows_in_place();
    room_in_advance_makes_appending_fail_and_move_no_more();
    a_source_that_refuses_has_its_cells_moved_and_gets_back_what_it_gave();
    a_misuse_of_spare_room_is_reported();
    return 0;
}
