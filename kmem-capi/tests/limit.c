/* Limits: exact counts of every method over every source, refusals that change nothing, callbacks, nesting, misuse. */
#include "check.h"

static counting source;

/* Bytes that were allocated from `sized`, a source that counts them. */
static size_t outside;
static int may_resize;
static void *sized_alloc(kmsource *s, size_t size, size_t align) {
    void *block = counting_alloc(s, size + 64, align);
    if (block) outside += size;
    return block;
}
static void sized_free(kmsource *s, void *block, size_t size, size_t align) {
    outside -= size;
    counting_free(s, block, size, align);
}
static int sized_resize(kmsource *s, void *block, size_t from, size_t to, size_t align) {
    (void)s;
    (void)block;
    (void)align;
    if (!may_resize || to > from + 32) return 0;
    outside += to - from;
    return 1;
}

static kmlimit *over_source(size_t max) {
    kmsourceopt o = {sized_alloc, sized_free, sized_resize};
    counting_init(&source);
    kmsourceiw(&source.source, &o, NULL);
    outside = 0;
    kmlimit *limit = kmlimiti((kmcell *)&source, max);
    CHECK(limit && limit->kind == kmkind_limit && limit->src == (kmcell *)&source && outside == sizeof(kmlimit));
    outside = 0;
    return limit;
}

static void ends(kmlimit *limit) {
    CHECK(kmlimitq(limit).used == 0);
    outside += sizeof(kmlimit);
    kmlimitx(limit);
    CHECK(outside == 0 && source.out == 0);
}

#define EXACT(limit) CHECK(kmlimitq(limit).used == outside)

#ifndef KFmem_notree
TEST(the_count_is_that_of_the_source_below) {
    kmlimit *limit = over_source(1 << 20);
    kmcell *src = (kmcell *)limit;
    void *root = kmtreea(src, NULL, 100);
    CHECK(outside == 164);
    EXACT(limit);
    kmptr text = kmdups(Kmtree(src, root), "text");
    kmopt o = {0};
    o.sz = 10;
    o.align = 256;
    o.name = "named";
    CHECK(kmtreew(src, root, &o));
    EXACT(limit);
    for (may_resize = 0; may_resize < 2; may_resize++)
        for (int i = 0; i < 100; i++) {
            CHECK(kmcats(&text, "more text"));
            EXACT(limit);
            CHECK(kmresize(&text, 5 + (size_t)i));
            memset(text.ref, 0, 5);
            EXACT(limit);
        }
    CHECK(kmreserve(&text, 1000));
    EXACT(limit);
#ifndef KFmem_nopool
    kmpool *pool = kmpooli(src, 200, 5);
    EXACT(limit);
    kmlimit *inner = kmlimiti((kmcell *)pool, 150);
    void *ref = kmtreea((kmcell *)inner, NULL, 20);
    CHECK(kmlimitq(inner).used == 84);
    CHECK(ref = kmtreer(ref, 80));
    CHECK(kmlimitq(inner).used == 144);
    CHECK(kmtreer(ref, 90) == NULL && kmsize(kmtreeo(ref)) == 80);
    CHECK(ref = kmtreer(ref, 1));
    CHECK(kmlimitq(inner).used == 65 && kmlimitq(inner).peak == 144);
    kmtreef(ref);
    kmlimitx(inner);
    kmpoolx(pool);
#endif
    EXACT(limit);
    kmtreef(root);
    EXACT(limit);
    ends(limit);
}

TEST(over_the_limit_nothing_changes) {
    kmlimit *limit = over_source(300);
    void *root = kmtreea((kmcell *)limit, NULL, 100);
    kmlimitcount before = kmlimitq(limit);
    CHECK(before.used == 164 && before.peak == 164 && before.max == 300 && before.refused == 0);
    errno = 0;
    CHECK(kmtreea((kmcell *)limit, root, 73) == NULL && errno == ENOMEM && kmtreec(root) == NULL);
    kmlimitcount after = kmlimitq(limit);
    CHECK(after.used == 164 && after.peak == 164 && after.refused == 1 && outside == 164);
    errno = 0;
    CHECK(kmtreer(root, 400) == NULL && errno == ENOMEM && kmsize(kmtreeo(root)) == 100);
    CHECK(kmtreea((kmcell *)limit, root, 72) && kmlimitq(limit).used == 300);
    kmlimitto(limit, 200);
    CHECK(kmtreea((kmcell *)limit, root, 0) == NULL);
    kmtreex(root);
    CHECK(kmlimitq(limit).used == 164 && kmtreea((kmcell *)limit, root, 0) == NULL);
    kmlimitto(limit, 228);
    CHECK(kmtreea((kmcell *)limit, root, 0));
    source.left = 0;
    kmlimitto(limit, 10000);
    unsigned long refused = (unsigned long)kmlimitq(limit).refused;
    CHECK(kmtreea((kmcell *)limit, root, 100) == NULL);
    EXACT(limit);
    CHECK(kmlimitq(limit).refused == refused && kmlimitq(limit).peak == 300);
    kmtreef(root);
    ends(limit);
}

static int asked, frees;
static void *cached[10];
static int give_up(kmlimit *limit, size_t want, void *arg) {
    CHECK(arg == cached && want == 164);
    asked++;
    /* While the function runs, it is not called again. */
    CHECK(kmtreea((kmcell *)limit, NULL, 100000) == NULL);
    if (!frees) return 1;
    kmtreef(cached[--frees]);
    return 1;
}

TEST(the_function_of_a_limit_frees_something_or_is_not_called_again) {
    kmlimit *limit = over_source(10 * 74);
    kmcell *src = (kmcell *)limit;
    kmlimith(limit, give_up, cached);
    for (frees = 0; frees < 10; frees++) cached[frees] = kmtreea(src, NULL, 10);
    void *node = kmtreea(src, NULL, 100);
    CHECK(node && asked == 3 && frees == 7);
    while (frees) kmtreef(cached[--frees]);
    void *more[3];
    for (int i = 0; i < 3; i++) CHECK(more[i] = kmtreea(src, NULL, 100));
    asked = 0;
    CHECK(kmtreea(src, NULL, 100) == NULL && asked == 1);
    kmlimith(limit, NULL, NULL);
    CHECK(kmtreea(src, NULL, 100) == NULL && asked == 1);
    for (int i = 0; i < 3; i++) kmtreef(more[i]);
    kmtreef(node);
    ends(limit);
}

TEST(limits_nest_and_each_counts) {
    kmlimit *all = over_source(1000);
    kmlimit *part = kmlimiti((kmcell *)all, 500), *other = kmlimiti((kmcell *)all, 5000);
    size_t headers = 2 * sizeof(kmlimit);
    CHECK(kmlimitq(all).used == headers);
    void *one = kmtreea((kmcell *)part, NULL, 100), *two = kmtreea((kmcell *)other, NULL, 200);
    CHECK(kmlimitq(part).used == 164 && kmlimitq(other).used == 264 && kmlimitq(all).used == headers + 428);
    CHECK(kmtreea((kmcell *)part, NULL, 400) == NULL && kmlimitq(part).refused == 1 && kmlimitq(all).refused == 0);
    CHECK(kmtreea((kmcell *)other, NULL, 400) == NULL && kmlimitq(other).refused == 0 && kmlimitq(all).refused == 1);
    CHECK(kmlimitq(part).used == 164 && kmlimitq(other).used == 264 && kmlimitq(other).peak == 264);
    kmtreef(one);
    kmtreef(two);
    kmlimitx(part);
    kmlimitx(other);
    ends(all);
}

#ifndef KFmem_noheap
TEST(a_limit_over_the_heap_counts_each_resize_once) {
    kmlimit *limit = kmlimiti(NULL, 1 << 20);
    /* Both blocks together would be too large. On 32-bit machines the C library has no realloc() for this alignment. */
    kmptr bytes = kmtreeao((kmcell *)limit, NULL, sizeof(void *) == 8 ? 400000 : 300000);
    CHECK(kmresize(&bytes, 700000) && kmlimitq(limit).used == 700064);
    CHECK(kmlimitq(limit).peak == (sizeof(void *) == 8 ? 700064 : 300064 + 700064));
    CHECK(kmresize(&bytes, 2000000) == NULL && kmlimitq(limit).used == 700064);
    CHECK(kmresize(&bytes, 10) && kmlimitq(limit).used == 74);
    kmfree(bytes);
    kmptr big = kmtreezo((kmcell *)limit, NULL, (1 << 20) - 64);
    CHECK(big.ref && all(big.ref, (1 << 20) - 64, 0));
    CHECK(kmtreea((kmcell *)limit, NULL, 0) == NULL);
    kmfree(big);
    CHECK(kmlimitq(limit).used == 0);
    kmlimitx(limit);
}
#endif

TEST(misuse_is_reported_and_changes_nothing) {
    kmlimit *limit = over_source(1000);
    void *node = kmtreea((kmcell *)limit, NULL, 10);
    FAULT(kmlimitx(limit), "kmlimitx", "bytes are still allocated through it");
    CHECK(kmlimitq(limit).used == 74);
    FAULT((void)kmlimitq((kmlimit *)(void *)kmtreeo(node).cell), "kmlimitq", "a cell of another kind");
    kmcell *before = limit->src;
    limit->src = (kmcell *)(void *)&before;
    FAULT(kmlimitto(limit, 1), "kmlimitto", "a damaged header");
    FAULT(CHECK(kmtreea((kmcell *)limit, NULL, 10) == NULL), "kmlimit", "a damaged header");
    limit->src = before;
    errno = 0;
    CHECK(kmlimiti(kmtreeo(node).cell, 1000) == NULL && errno == EINVAL);
    kmtreef(node);
    kmlimitx(NULL);
    CHECK(kmlimitq(NULL).max == 0);
    ends(limit);
}

#ifndef KFmem_noshred
TEST(a_tainted_limit_zeroes) {
    kmlimit *limit = over_source(1000);
    limit->shred = kmshred_yes;
#ifndef KFmem_nopool
    kmpool *pool = kmpooli((kmcell *)limit, 64, 2);
    unsigned char *cell = kmpoola(pool);
    memset(cell, 7, 64);
    kmpoolf(cell);
    OF_FREED(CHECK(all(cell, 64, 0)));
    kmpoolx(pool);
#endif
    ends(limit);
}
#endif
#endif

int main(void) {
#ifndef KFmem_notree
    the_count_is_that_of_the_source_below();
    over_the_limit_nothing_changes();
    the_function_of_a_limit_frees_something_or_is_not_called_again();
    limits_nest_and_each_counts();
#ifndef KFmem_noheap
    a_limit_over_the_heap_counts_each_resize_once();
#endif
    misuse_is_reported_and_changes_nothing();
#ifndef KFmem_noshred
    a_tainted_limit_zeroes();
#endif
#endif
    return 0;
}
