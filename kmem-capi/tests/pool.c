/* The pool method: kmpooli iw if ifw x a z ao zo f s. Allocates from a source, so it also runs without the heap method. */
#include "check.h"

static counting source;
#define SRC ((kmcell *)&source)

static union { max_align_t align; unsigned char bytes[Kmpoolsz(40, 10)]; } fixed;

TEST(the_fields_are_as_documented) {
    kmpool *pool = kmpooli(SRC, 32, 4);
    CHECK(pool->kind == kmkind_pool && pool->cellsz == 32 && pool->src == SRC);
    CHECK(pool->top == NULL && pool->bottom == NULL && sizeof(kmpool) % 16 == 0);
    void *one = kmpoola(pool), *two = kmpoola(pool), *three = kmpoola(pool);
    kmpoolcell *a = HEADER(kmpoolcell, one, 16), *b = HEADER(kmpoolcell, two, 16), *c = HEADER(kmpoolcell, three, 16);
    CHECK(pool->top == c && c->last == b && b->last == a && a->last == NULL && b->pool == pool);
    kmpoolf(one);
    kmpoolf(three);
    CHECK(pool->bottom == c && c->last == a && a->last == NULL);
    CHECK(kmpoola(pool) == three && kmpoola(pool) == one);
    kmpoolx(pool);
    CHECK(source.out == 0);
}

TEST(a_full_pool_says_so) {
    kmpool *pool = kmpooli(SRC, 8, 3);
    void *cells[3];
    for (size_t i = 0; i < 3; i++) CHECK((cells[i] = kmpoola(pool)) != NULL);
    errno = 0;
    CHECK(kmpoola(pool) == NULL && errno == ENOMEM);
    kmpoolf(cells[1]);
    CHECK(kmpoola(pool) == cells[1]);
    kmpoolx(pool);
}

TEST(sizes_above_the_cell_are_refused_and_zeroing_is_whole) {
    kmpool *pool = kmpooli(SRC, 32, 2);
    errno = 0;
    CHECK(kmpoolz(pool, 33) == NULL && errno == EINVAL);
    CHECK(kmpoolao(pool, 33).ref == NULL && kmpoolzo(pool, 33).kind == kmkind_none);
    void *p = kmpoola(pool);
    memset(p, 0xFF, 32);
    kmpoolf(p);
    p = kmpoolz(pool, 1);
    CHECK(all(p, 32, 0));
    kmptr q = kmpoolzo(pool, 32);
    CHECK(q.kind == kmkind_pool && q.cell == (kmcell *)pool && all(q.ref, 32, 0));
    kmfree(q);
    CHECK(kmpoola(pool) == q.ref);
    kmpoolx(pool);
}

TEST(a_buffer_holds_what_the_macro_says) {
    for (size_t start = 0; start < 16; start++) {
        static unsigned char bytes[Kmpoolsz(40, 7) + 16];
        kmpool *pool = kmpoolif(bytes + start, Kmpoolsz(40, 7), 40);
        CHECK(kmpoolq(pool).cells == 7);
        for (int i = 0; i < 7; i++) {
            void *p = kmpoola(pool);
            CHECK(p && (uintptr_t)p % 16 == 0);
            memset(p, i, 40);
        }
        kmpoolx(pool);
    }
    CHECK(kmpoolif(fixed.bytes, 100, 40) == NULL && errno == EINVAL);
    CHECK(kmpoolif(NULL, 1000, 40) == NULL);
}

TEST(overflow_is_refused) {
    volatile size_t huge = (size_t)-1;
    errno = 0;
    CHECK(kmpooli(SRC, huge, 1) == NULL && errno == ENOMEM);
    CHECK(kmpooli(SRC, 1, huge) == NULL && kmpooli(SRC, huge / 2, huge / 2) == NULL);
    CHECK(kmpooli(SRC, 0, huge) == NULL);
}

TEST(a_pool_may_be_empty_and_so_may_its_cells) {
    kmpool *pool = kmpooli(SRC, 8, 0);
    CHECK(pool && kmpoola(pool) == NULL);
    kmpoolx(pool);
    pool = kmpooli(SRC, 0, 2);
    void *one = kmpoola(pool), *two = kmpoola(pool);
    CHECK(one && two && one != two);
    kmpoolf(two);
    kmpoolf(one);
    kmpoolx(pool);
}

TEST(options_align_end_and_grow) {
    int ended = 0;
    kmopt o = {0};
    o.sz = 40;
    o.align = 128;
    o.drop = count_drop;
    o.arg = &ended;
    o.grow = 1;
    kmpool *pool = kmpooliw(SRC, &o, 2);
    void *first = kmpoola(pool);
    for (int i = 0; i < 99; i++) {
        void *p = kmpoola(pool);
        CHECK(p && (uintptr_t)p % 128 == 0);
    }
    CHECK(source.out > 3);
    kmpoolf(first);
    CHECK(ended == 1);
    kmpoolx(pool);
    CHECK(ended == 100 && source.out == 0);

    o.align = 64;
    static union { max_align_t align; unsigned char bytes[2000]; } buffer;
    pool = kmpoolifw(buffer.bytes, sizeof buffer.bytes, &o);
    CHECK((uintptr_t)kmpoola(pool) % 64 == 0);
    kmpoolx(pool);
    CHECK(ended == 101);
}

#ifndef KFmem_noshred
TEST(shredding_is_seen_in_the_buffer) {
    memset(fixed.bytes, 0, sizeof fixed.bytes);
    kmpool *pool = kmpoolif(fixed.bytes, sizeof fixed.bytes, 40);
    void *plain = kmpoola(pool), *secret = kmpoola(pool), *by_handle = kmpoola(pool), *at_the_end = kmpoola(pool);
    memset(plain, 7, 40);
    memset(secret, 7, 40);
    memset(by_handle, 7, 40);
    memset(at_the_end, 7, 40);
    kmpoolf(plain);
    OF_FREED(CHECK(all(plain, 40, 7)));
    kmpools(secret);
    OF_FREED(CHECK(all(secret, 40, 0)));
    kmptr p = {0};
    p.kind = kmkind_pool;
    p.ref = by_handle;
    p.cell = (kmcell *)pool;
    kmtaint(&p);
    kmfree(p);
    OF_FREED(CHECK(all(by_handle, 40, 0)));
    pool->shred = kmshred_yes;
    kmpoolx(pool);
    CHECK(all(at_the_end, 40, 0) && all(plain, 40, 0));
}

TEST(a_tainted_cell_is_zeroed_whoever_frees_it) {
    for (int how = 0; how < 5; how++) {
        kmpool *pool = kmpoolif(fixed.bytes, sizeof fixed.bytes, 64);
        kmptr p = kmpoolao(pool, 64), other = kmpoolao(pool, 64), same = p;
        memset(p.ref, 's', 64);
        memset(other.ref, 's', 64);
        kmtaint(&p);
        CHECK(kmsize(same) == 64 && kmpoolq(pool).live == 2);
        switch (how) {
        case 0: kmpoolf(p.ref); break;
        case 1: kmfree(same); break;
        case 2: kmpoolx(pool); break;
#ifndef KFmem_notree
        case 3: {
            void *node = kmtreea(SRC, NULL, 8);
            CHECK(node && kmtreek(node, kmpoolo(p.ref)) == p.ref);
            kmtreef(node);
            break;
        }
#endif
        default: kmfree(kmpoolo(p.ref)); break;
        }
        if (how == 2) CHECK(all(p.ref, 64, 0));
        OF_FREED(CHECK(all(p.ref, 64, 0)));
        if (how != 2) {
            CHECK(all(other.ref, 64, 's'));
            kmpoolx(pool);
        }
    }
}
#endif

TEST(a_wrong_free_is_reported) {
    kmpool *pool = kmpoolif(fixed.bytes, sizeof fixed.bytes, 40);
    unsigned char *p = (unsigned char *)kmpoolz(pool, 40);
    FAULT(kmpoolf(p + 16), "kmpoolf", "not the start of a cell of its pool");
    FAULT(kmpoolf(p + 1), "kmpoolf", "not the start of a cell of its pool");
    kmpoolf(p);
    FAULT(kmpoolf(p), "kmpoolf", "already freed");
    kmpoolx(pool);
    FAULT(kmpoolx(pool), "kmpoolx", "already freed");
    CHECK(kmpoola(pool) == NULL);
}

static void tears_down(void *data, void *pool) {
    (void)data;
    FAULT(kmpoolx(*(kmpool **)pool), "kmpoolx", "already being freed");
}

TEST(a_pool_torn_down_by_the_destructor_of_its_own_cell_is_reported) {
    kmpool *pool;
    kmopt o = {0};
    o.sz = 40;
    o.drop = tears_down;
    o.arg = &pool;
    pool = kmpooliw(SRC, &o, 2);
    void *p = kmpoola(pool);
    kmpoola(pool);
    kmpoolf(p);
    CHECK(kmpoola(pool) == p && kmpoola(pool) == NULL);
    kmpoolx(pool);
    CHECK(source.out == 0);
}

TEST(a_walk_comes_by_each_live_cell_once) {
    kmopt o = {0};
    o.sz = 8;
    o.grow = 1;
    o.name = "walked";
    kmpool *pool = kmpooliw(SRC, &o, 3);
    size_t sum = 0, seen = 0;
    for (size_t i = 0; i < 20; i++) *(size_t *)kmpoola(pool) = i;
    kmwalk w = {0};
    w.root = pool;
    while (kmpooln(&w)) {
        size_t *at = (size_t *)w.at.ref;
        CHECK(w.at.kind == kmkind_pool && w.depth == 0 && w.at.cell == kmpoolo(at).cell);
        sum += *at;
        seen++;
        if (*at % 2) kmfree(w.at);
    }
    CHECK(seen == 20 && sum == 190 && w.at.ref == NULL && w.at.kind == kmkind_none && w.root == pool);
    for (seen = 0; kmpooln(&w); seen++) {
        CHECK(*(size_t *)w.at.ref % 2 == 0);
        if (seen == 0) kmfree(kmpoolo(w.at.ref));
    }
    CHECK(seen == 10);
    kmpoolcount n = kmpoolq(pool);
    CHECK(n.cells == 21 && n.live == 9 && n.peak == 20 && n.cellsz == 8);
    CHECK(n.block >= 3 * sizeof(kmpool) + 21 * (16 + 16) && n.block < 3 * sizeof(kmpool) + 21 * 32 + 3 * 128);
    kmpoolx(pool);
    pool = kmpoolif(fixed.bytes, sizeof fixed.bytes, 40);
    kmpoolx(pool);
    w.root = pool;
    FAULT(CHECK(!kmpooln(&w)), "kmpooln", "already freed");
    FAULT(CHECK(kmpoolq(pool).cells == 0), "kmpoolq", "already freed");
    w.root = NULL;
    n = kmpoolq(NULL);
    CHECK(!kmpooln(&w) && n.cells == 0 && n.block == 0 && kmpoolo(NULL).kind == kmkind_none);
}

static int ended_cells;
static void counts_ends(void *data, void *arg) {
    (void)arg;
    CHECK(all(data, 32, 's'));
    ended_cells++;
}

TEST(a_cleared_pool_has_no_live_cell_and_only_its_first_block) {
    for (int ends = 0; ends < 2; ends++) {
        kmopt o = {0};
        o.sz = 32;
        o.grow = 1;
        o.drop = ends ? counts_ends : NULL;
        kmpool *pool = kmpooliw(SRC, &o, 3);
        ended_cells = 0;
        for (int round = 1; round < 4; round++) {
            for (int i = 0; i < 100; i++) memset(kmpoola(pool), 's', 32);
            CHECK(source.out > 4 && kmpoolq(pool).live == 100);
            kmpoolc(pool);
            kmpoolcount n = kmpoolq(pool);
            CHECK(n.live == 0 && n.cells == 3 && n.peak == 100 && source.out == 1 && ended_cells == 100 * round * ends);
        }
        kmpoolc(pool);
        kmpoolx(pool);
    }
    kmpool *pool = kmpoolif(fixed.bytes, sizeof fixed.bytes, 40);
    void *p = kmpoola(pool);
    kmpoola(pool);
    kmpoolc(pool);
    FAULT(kmpoolf(p), "kmpoolf", "already freed");
    CHECK(kmpoolq(pool).live == 0 && kmpoola(pool) && kmpoolq(pool).peak == 2);
    kmpoolx(pool);
    FAULT(kmpoolc(pool), "kmpoolc", "already freed");
    kmpoolc(NULL);
}

TEST(a_million_cells_freed_in_any_order_go_back_to_the_source) {
    enum { N = 1000003 };
    void **cells = (void **)malloc(N * sizeof *cells);
    for (uint64_t step = 1; step < N; step = step * 7919 % N + N / 2) {
        kmopt o = {0};
        o.sz = 48;
        o.grow = 1;
        kmpool *pool = kmpooliw(SRC, &o, 64);
        for (size_t i = 0; i < N; i++) cells[i] = kmpoola(pool);
        CHECK(kmpoolq(pool).block > (size_t)N * 64);
        for (size_t i = 0; i < N; i++) kmpoolf(cells[(size_t)(i * step % N)]);
        kmpoolcount n = kmpoolq(pool);
        CHECK(n.live == 0 && n.cells == 64 && n.peak == N && n.block < 8000 && source.out == 1);
        kmpoolx(pool);
    }
    free(cells);
}

TEST(a_source_that_fails_when_a_pool_grows_changes_nothing) {
    kmopt o = {0};
    o.sz = 8;
    o.grow = 1;
    kmpool *pool = kmpooliw(SRC, &o, 2);
    void *cells[64];
    for (int round = 0; round < 10; round++) {
        int n = 0;
        source.left = round / 2;
        while (n < 64 && (cells[n] = kmpoola(pool)) != NULL) memset(cells[n++], round + 1, 8);
        source.left = -1;
        CHECK(n == 64 || errno == ENOMEM);
        for (int i = 0; i < n; i++) {
            CHECK(all(cells[i], 8, (unsigned char)(round + 1)));
            kmpoolf(cells[i]);
        }
        CHECK(kmpoolq(pool).live == 0 && source.out == 1);
    }
    kmpoolx(pool);
}

#ifndef KFmem_noshred
TEST(a_pool_of_any_kind_made_to_be_zeroed_is) {
    for (int kind = 0; kind < 3; kind++) {
        kmopt o = {0};
        o.sz = 64;
        o.grow = kind > 0;
        o.shred = kmshred_yes;
#ifndef KFmem_notree
        void *node = kmtreea(SRC, NULL, 0);
        kmcell *src = kind == 2 ? kmtreeo(node).cell : SRC;
#else
        kmcell *src = SRC;
#endif
        kmpool *pool = kind ? kmpooliw(src, &o, 2) : kmpoolifw(fixed.bytes, sizeof fixed.bytes, &o);
        void *cells[3] = {kmpoola(pool), kmpoola(pool), kmpoola(pool)};
        for (int i = 0; i < 3; i++) memset(cells[i], 's', 64);
        kmpoolf(cells[0]);
        OF_FREED(CHECK(all(cells[0], 64, 0) && all(cells[2], 64, 's')));
        if (!kind) {
            kmpoolc(pool);
            OF_FREED(CHECK(all(cells[2], 64, 0)));
        }
        kmpoolx(pool);
#ifndef KFmem_notree
        kmtreef(node);
#endif
    }
}

TEST(a_tainted_cell_of_a_growing_pool_or_one_on_a_node_is_zeroed_whoever_frees_it) {
    for (int how = 0; how < 8; how++) {
        kmopt o = {0};
        o.sz = 64;
        o.grow = how / 4 == 0;
        kmcell *src = SRC;
#ifndef KFmem_notree
        void *node = kmtreea(SRC, NULL, 0);
        if (how / 4) src = kmtreeo(node).cell;
#endif
        kmpool *pool = kmpooliw(src, &o, o.grow ? 1 : 4);
        void *kept = kmpoola(pool);
        void *other = kmpoola(pool);
        kmptr p = kmpoolao(pool, 64), same = p;
        memset(p.ref, 's', 64);
        memset(other, 's', 64);
        kmtaint(&p);
        switch (how % 4) {
        case 0: kmpoolf(p.ref); break;
        case 1: kmfree(same); break;
        case 2: kmpoolc(pool); break;
        default: kmfree(kmpoolo(p.ref)); break;
        }
        if (how != 2) OF_FREED(CHECK(all(p.ref, 64, 0) && all(other, 64, 's')));
        if (how % 4 != 2) kmpoolf(kept);
        kmpoolx(pool);
#ifndef KFmem_notree
        kmtreef(node);
#endif
    }
}
#endif

TEST(null_is_ignored) {
    kmpoolx(NULL);
    kmpoolf(NULL);
#ifndef KFmem_noshred
    kmpools(NULL);
#endif
    errno = 0;
    CHECK(kmpoola(NULL) == NULL && errno == EINVAL);
}

int main(void) {
    counting_init(&source);
    the_fields_are_as_documented();
    a_full_pool_says_so();
    sizes_above_the_cell_are_refused_and_zeroing_is_whole();
    a_buffer_holds_what_the_macro_says();
    overflow_is_refused();
    a_pool_may_be_empty_and_so_may_its_cells();
    options_align_end_and_grow();
#ifndef KFmem_noshred
    shredding_is_seen_in_the_buffer();
    a_tainted_cell_is_zeroed_whoever_frees_it();
#endif
    a_wrong_free_is_reported();
    a_pool_torn_down_by_the_destructor_of_its_own_cell_is_reported();
    a_walk_comes_by_each_live_cell_once();
    a_cleared_pool_has_no_live_cell_and_only_its_first_block();
    a_million_cells_freed_in_any_order_go_back_to_the_source();
    a_source_that_fails_when_a_pool_grows_changes_nothing();
#ifndef KFmem_noshred
    a_pool_of_any_kind_made_to_be_zeroed_is();
    a_tainted_cell_of_a_growing_pool_or_one_on_a_node_is_zeroed_whoever_frees_it();
#endif
    null_is_ignored();
    CHECK(source.out == 0);
    return 0;
}
