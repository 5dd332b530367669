/* Sources: every method from every source; what fails, what runs out, what is zeroed. */
#include "check.h"

static counting source;
#define SRC ((kmcell *)&source)

/* The methods that take a source, each as one function. */
typedef struct method {
    const char *name;
    size_t header;
    kmptr (*make)(kmcell *src, size_t size);
    void (*end)(void *data);
} method;

#ifndef KFmem_noref
static kmptr make_ref(kmcell *src, size_t size) { return kmrefao(src, size); }
#endif
#ifndef KFmem_notree
static kmptr make_node(kmcell *src, size_t size) { return kmtreeao(src, NULL, size); }
static void end_node(void *data) { (void)kmtreef(data); }
#endif

static const method methods[] = {
#ifndef KFmem_noref
    {"ref", sizeof(kmref), make_ref, kmreff},
#endif
#ifndef KFmem_notree
    {"tree", sizeof(kmnode), make_node, end_node},
#endif
    {NULL, 0, NULL, NULL},
};

TEST(a_source_of_your_own_serves_every_method) {
    for (const method *m = methods; m->name; m++) {
        for (size_t size = 0; size < 100; size += 33) {
            kmptr p = m->make(SRC, size);
            CHECK(p.ref && (uintptr_t)p.ref % 16 == 0 && p.cell->size == m->header + size && source.out == 1);
            memset(p.ref, 7, size);
            m->end(p.ref);
            CHECK(source.out == 0);
        }
    }
#ifndef KFmem_nopool
    kmpool *pool = kmpooli(SRC, 24, 3);
    CHECK(pool && source.out == 1 && pool->src == SRC);
    kmpoolx(pool);
    CHECK(source.out == 0);
#endif
}

TEST(a_source_that_runs_out_is_null_and_nothing_is_lost) {
    for (const method *m = methods; m->name; m++) {
        source.left = 1;
        kmptr kept = m->make(SRC, 16);
        memset(kept.ref, 7, 16);
        errno = 0;
        kmptr p = m->make(SRC, 16);
        CHECK(p.ref == NULL && p.kind == kmkind_none && errno == ENOMEM);
        CHECK(all(kept.ref, 16, 7));
        kmfree(kept);
        CHECK(source.out == 0);
    }
#ifndef KFmem_nopool
    source.left = 0;
    errno = 0;
    CHECK(kmpooli(SRC, 8, 8) == NULL && errno == ENOMEM);
    /* The cells of a growing pool stay intact if its source runs out. */
    kmopt o = {0};
    o.sz = 16;
    o.grow = 1;
    source.left = 2;
    kmpool *pool = kmpooliw(SRC, &o, 1);
    void *cells[64];
    size_t n = 0;
    while (n < 64 && (cells[n] = kmpoolz(pool, 16)) != NULL) memset(cells[n++], 7, 16);
    CHECK(n > 1 && n < 64 && errno == ENOMEM);
    for (size_t i = 0; i < n; i++) CHECK(all(cells[i], 16, 7));
    source.left = 1000000;
    CHECK(kmpoola(pool) != NULL);
    kmpoolx(pool);
    CHECK(source.out == 0);
#endif
    source.left = 1000000;
}

/* Returns addresses that are off by 8. */
static long askew_out;
static void *askew_alloc(kmsource *s, size_t size, size_t align) {
    static _Alignas(16) unsigned char buffer[4096];
    (void)align;
    (void)s;
    askew_out++;
    return size + 8 <= sizeof buffer ? buffer + 8 : NULL;
}
static void askew_free(kmsource *s, void *block, size_t size, size_t align) {
    (void)s;
    (void)block;
    (void)size;
    (void)align;
    askew_out--;
}

TEST(a_block_that_is_not_aligned_is_refused_and_goes_back) {
    kmsource askew;
    kmsourcei(&askew, askew_alloc, askew_free, NULL);
    for (const method *m = methods; m->name; m++) {
        errno = 0;
        CHECK(m->make((kmcell *)&askew, 16).ref == NULL && errno == EINVAL && askew_out == 0);
    }
#ifndef KFmem_nopool
    errno = 0;
    CHECK(kmpooli((kmcell *)&askew, 8, 8) == NULL && errno == EINVAL && askew_out == 0);
#endif
}

/* Records its arguments, and has a context. */
static size_t asked_size, asked_align;
static void *telling_alloc(kmsource *s, size_t size, size_t align) {
    asked_size = size;
    asked_align = align;
    ++*(int *)s->ctx;
    return counting_alloc(&source.source, size, align);
}
static void telling_free(kmsource *s, void *block, size_t size, size_t align) {
    CHECK(size == asked_size && align == asked_align);
    --*(int *)s->ctx;
    counting_free(&source.source, block, size, align);
}

TEST(a_source_gets_back_what_it_gave) {
    int out = 0;
    kmsource telling;
    kmsourcei(&telling, telling_alloc, telling_free, &out);
    CHECK(telling.kind == kmkind_source && telling.ctx == &out);
    kmopt o = {0};
    o.sz = 40;
    int ended = 0;
    o.drop = count_drop;
    o.arg = &ended;
    int made = 0;
    (void)telling;
    for (o.align = 1; o.align <= 4096; o.align *= 2) {
#ifndef KFmem_noref
        kmptr p = kmrefwo((kmcell *)&telling, &o);
        CHECK(out == 1 && (uintptr_t)p.ref % o.align == 0);
        kmfree(p);
        made++;
#endif
#ifndef KFmem_notree
        kmptr q = kmtreewo((kmcell *)&telling, NULL, &o);
        CHECK(out == 1 && (uintptr_t)q.ref % o.align == 0);
        kmfree(q);
        made++;
#endif
#ifndef KFmem_nopool
        kmpool *pool = kmpooliw((kmcell *)&telling, &o, 3);
        void *cell = kmpoola(pool);
        CHECK(out == 1 && (uintptr_t)cell % o.align == 0);
        kmpoolf(cell);
        kmpoolx(pool);
        made++;
#endif
        CHECK(out == 0);
    }
    CHECK(ended == made);
}

#ifdef KFmem_noheap
TEST(without_a_heap_null_is_refused) {
    for (const method *m = methods; m->name; m++) {
        errno = 0;
        CHECK(m->make(NULL, 8).ref == NULL && errno == EINVAL);
    }
#ifndef KFmem_nopool
    errno = 0;
    CHECK(kmpooli(NULL, 8, 8) == NULL && errno == EINVAL);
#endif
}
#else
TEST(null_is_the_heap) {
    for (const method *m = methods; m->name; m++) kmfree(m->make(NULL, 8));
#ifndef KFmem_nopool
    kmpool *pool = kmpooli(NULL, 8, 8);
    CHECK(pool && pool->src == NULL);
    kmpoolx(pool);
#endif
}
#endif

#ifndef KFmem_nopool
TEST(a_pool_serves_every_method) {
    static union { max_align_t align; unsigned char bytes[Kmpoolsz(256, 3)]; } buffer;
    kmpool *pool = kmpoolif(buffer.bytes, sizeof buffer.bytes, 256);
    for (const method *m = methods; m->name; m++) {
        kmptr made[3];
        for (size_t i = 0; i < Kmsz(made); i++) {
            made[i] = m->make((kmcell *)pool, 256 - m->header);
            CHECK(made[i].ref);
        }
        errno = 0;
        CHECK(m->make((kmcell *)pool, 8).ref == NULL && errno == ENOMEM);
        for (size_t i = 0; i < Kmsz(made); i++) m->end(made[i].ref);
        errno = 0;
        CHECK(m->make((kmcell *)pool, 256 - m->header + 1).ref == NULL && errno == EINVAL);
    }
    /* A pool in a cell of a pool. */
    kmpool *inner = kmpooli((kmcell *)pool, 8, 1);
    CHECK(inner && inner->src == (kmcell *)pool && kmpoola(inner) && !kmpoola(inner));
    kmpoolx(inner);
    kmpoolx(pool);
}
#endif

TEST(what_could_not_outlive_is_refused) {
    for (const method *m = methods; m->name; m++) {
        kmptr base = m->make(SRC, 1000);
        for (const method *other = methods; other->name; other++) {
            errno = 0;
            CHECK(other->make(base.cell, 8).ref == NULL && errno == EINVAL);
        }
#ifndef KFmem_nopool
        errno = 0;
        kmpool *pool = kmpooli(base.cell, 8, 8);
        if (base.kind == kmkind_tree) {
            CHECK(pool != NULL);
        } else {
            CHECK(pool == NULL && errno == EINVAL);
        }
#endif
        m->end(base.ref);
        CHECK(source.out == 0);
    }
    /* Memory that is not a cell. */
    kmcell nothing = {0};
    for (const method *m = methods; m->name; m++) {
        errno = 0;
        CHECK(m->make(&nothing, 8).ref == NULL && errno == EINVAL);
    }
#ifndef KFmem_nopool
    CHECK(kmpooli(&nothing, 8, 8) == NULL);
#endif
}

#ifndef KFmem_noshred
/* The zero bytes of the last block that was freed. */
static int came_back_zeroed;
static size_t header;
static void looking_free(kmsource *s, void *block, size_t size, size_t align) {
    came_back_zeroed = all((unsigned char *)block + header, size - header, 0);
    counting_free(s, block, size, align);
}

TEST(what_a_shredding_source_gave_comes_back_zeroed) {
    counting looking;
    counting_init(&looking);
    looking.source.free = looking_free;
    for (int shred = 0; shred < 2; shred++) {
        looking.source.shred = shred ? kmshred_yes : kmshred_no;
        for (const method *m = methods; m->name; m++) {
            header = m->header;
            kmptr p = m->make((kmcell *)&looking, 1000);
            memset(p.ref, 7, 1000);
            m->end(p.ref);
            CHECK(came_back_zeroed == shred);
        }
#ifndef KFmem_nopool
        kmpool *pool = kmpooli((kmcell *)&looking, 1000, 1);
        header = sizeof(kmpool) + 16;
        memset(kmpoola(pool), 7, 1000);
        kmpoolx(pool);
        CHECK(came_back_zeroed == shred);
#endif
    }
    CHECK(looking.out == 0);
}

#ifndef KFmem_nopool
TEST(a_shredding_pool_zeroes_what_is_drawn_from_it) {
    static union { max_align_t align; unsigned char bytes[Kmpoolsz(256, 3)]; } buffer;
    for (const method *m = methods; m->name; m++) {
        kmpool *pool = kmpoolif(buffer.bytes, sizeof buffer.bytes, 256);
        pool->shred = kmshred_yes;
        kmptr p = m->make((kmcell *)pool, 100);
        memset(p.ref, 7, 100);
        m->end(p.ref);
        OF_FREED(CHECK(all(p.ref, 100, 0)));
        kmpoolx(pool);
    }
}
#endif
#endif

int main(void) {
    counting_init(&source);
    a_source_of_your_own_serves_every_method();
    a_source_that_runs_out_is_null_and_nothing_is_lost();
    a_block_that_is_not_aligned_is_refused_and_goes_back();
    a_source_gets_back_what_it_gave();
#ifdef KFmem_noheap
    without_a_heap_null_is_refused();
#else
    null_is_the_heap();
#endif
#ifndef KFmem_nopool
    a_pool_serves_every_method();
#endif
    what_could_not_outlive_is_refused();
#ifndef KFmem_noshred
    what_a_shredding_source_gave_comes_back_zeroed();
#ifndef KFmem_nopool
    a_shredding_pool_zeroes_what_is_drawn_from_it();
#endif
#endif
    CHECK(source.out == 0);
    return 0;
}
