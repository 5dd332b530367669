/* Calls that fail or are reported: resize, move, adopt, hook, walk, look, append. */
#include "check.h"

static counting source;
#define SRC ((kmcell *)&source)
#define NODE(data) HEADER(kmnode, data, 64)

static void *node(void *parent) { return kmtreez(SRC, parent, 8); }

static void writes(void *ctx, const char *text, size_t len) {
    (void)text;
    (void)len;
    ++*(int *)ctx;
}

static void never(void *data, void *arg) {
    (void)data;
    (void)arg;
    CHECK(!"called");
}

#ifndef KFmem_nopool
/* Cells in a buffer, whose headers stay readable after the free. */
static union { max_align_t align; unsigned char bytes[4000]; } buffer;
static kmpool *store(void) { return kmpoolif(buffer.bytes, sizeof buffer.bytes, 200); }

TEST(what_was_freed_stays_alone) {
    kmpool *pool = store();
    void *one = kmtreea((kmcell *)pool, NULL, 8), *other = node(NULL);
    kmtreef(one);
    OF_FREED(
        int wrote = 0;
        kmwalk walk;
        memset(&walk, 0, sizeof walk);
        walk.root = one;
        FAULT(CHECK(!kmtreer(one, 16) && errno == EINVAL), "kmtreer", "already freed");
        FAULT(CHECK(!kmtreem(one, other)), "kmtreem", "already freed");
        FAULT(CHECK(!kmtreem(other, one)), "kmtreem", "already freed");
        FAULT(CHECK(!kmtreemu(other, one)), "kmtreemu", "already freed");
        FAULT(CHECK(!kmtreemc(one, other)), "kmtreemc", "already freed");
        FAULT(kmtreex(one), "kmtreex", "already freed");
        FAULT(CHECK(!kmtreek(one, kmtreeo(other))), "kmtreek", "already freed");
        FAULT(CHECK(!kmtreek(other, kmtreeo(one))), "kmtreek", "already freed");
        FAULT(CHECK(!kmtreel(one, other).ref), "kmtreel", "already freed");
        FAULT(CHECK(!kmtreeh(one, never, NULL)), "kmtreeh", "already freed");
        FAULT(CHECK(!kmtreehx(one, never, NULL)), "kmtreehx", "already freed");
        FAULT(CHECK(!kmtreep(one)), "kmtreep", "already freed");
        FAULT(CHECK(!kmtreec(one)), "kmtreec", "already freed");
        FAULT(CHECK(!kmtreecn(one)), "kmtreecn", "already freed");
        FAULT(CHECK(!kmtreecl(one)), "kmtreecl", "already freed");
        FAULT(CHECK(!kmtreecp(one)), "kmtreecp", "already freed");
        FAULT(kmtreed(one), "kmtreed", "already freed");
        FAULT(kmrename(kmtreeo(one), "any"), "kmrename", "already freed");
        FAULT(CHECK(!kmtreen(&walk)), "kmtreen", "already freed");
        FAULT(CHECK(!kmtreeq(one, NULL).cells), "kmtreeq", "already freed");
        FAULT(kmtreet(one, 9, writes, &wrote), "kmtreet", "already freed");
        FAULT(kmtreej(one, 9, writes, &wrote), "kmtreej", "already freed");
        FAULT(CHECK(!kmsize(kmtreeo(one))), "kmsize", "already freed");
        FAULT(CHECK(!kmname(kmtreeo(one))), "kmname", "already freed");
        FAULT(CHECK(!kmcast(kmtreeo(one), "any")), "kmcast", "already freed");
        kmptr it = kmtreeo(one);
        FAULT(CHECK(!kmresize(&it, 4)), "kmresize", "already freed");
        FAULT(CHECK(!kmcat(&it, "text", 4)), "kmcat", "already freed");
        FAULT(CHECK(!kmcats(&it, "text")), "kmcats", "already freed");
        FAULT(CHECK(!kmroom(&it, 4)), "kmroom", "already freed");
        CHECK(wrote == 0 && it.ref == one);
    )
    CHECK(!NODE(other)->parent && !NODE(other)->child);
    kmtreef(other);
    kmpoolx(pool);
}

TEST(a_pool_that_is_gone_is_not_looked_at) {
    kmpool *pool = store();
    int wrote = 0;
    kmpoolx(pool);
    kmwalk walk;
    memset(&walk, 0, sizeof walk);
    walk.root = pool;
    FAULT(CHECK(!kmpooln(&walk)), "kmpooln", "already freed");
    FAULT(CHECK(!kmpoolq(pool).cells), "kmpoolq", "already freed");
    FAULT(kmpoolt(pool, writes, &wrote), "kmpoolt", "already freed");
    FAULT(kmpoolj(pool, writes, &wrote), "kmpoolj", "already freed");
    CHECK(wrote == 0);
}

#ifndef KMEM_MARKED
TEST(what_a_node_holds_is_freed_by_it_alone) {
    kmpool *pool = store();
    void *one = node(NULL), *two = node(NULL), *cell = kmpoola(pool);
    CHECK(kmtreek(one, kmpoolo(cell)) == cell && kmtreek(two, kmpoolo(cell)) == cell);
    kmtreef(one);
    FAULT(CHECK(!kmtreel(two, cell).ref), "kmtreel", "already freed");
    FAULT(kmtreef(two), "kmtreef", "already freed");
    CHECK(kmpoolq(pool).live == 0);
    kmpoolx(pool);
}
#endif
#endif

static void *elsewhere;
static void tries(void *it, void *arg) {
    (void)arg;
    FAULT(CHECK(!kmtreer(it, 100)), "kmtreer", "already being freed");
    FAULT(CHECK(!kmtreem(it, elsewhere)), "kmtreem", "already being freed");
    FAULT(CHECK(!kmtreem(elsewhere, it)), "kmtreem", "already being freed");
    FAULT(CHECK(!kmtreemc(elsewhere, it)), "kmtreemc", "already being freed");
    FAULT(CHECK(!kmtreek(it, kmtreeo(elsewhere))), "kmtreek", "already being freed");
    FAULT(CHECK(!kmtreeh(it, never, NULL)), "kmtreeh", "already being freed");
    FAULT(CHECK(!kmtreehx(it, never, NULL)), "kmtreehx", "already being freed");
    FAULT(kmtreef(it), "kmtreef", "already being freed");
    CHECK(!kmtreep(it) && kmtreeq(it, NULL).cells >= 1 && kmsize(kmtreeo(it)) == 8 && !kmtreel(it, elsewhere).ref);
}

TEST(a_node_that_is_being_freed_is_looked_at_at_most) {
    elsewhere = node(NULL);
    kmopt o = {0};
    o.sz = 8;
    o.drop = tries;
    kmtreef(kmtreew(SRC, NULL, &o));
    void *one = node(NULL);
    node(one);
    CHECK(kmtreeh(one, tries, NULL) == one);
    kmtreef(one);
    CHECK(!NODE(elsewhere)->parent && !NODE(elsewhere)->child);
    kmtreef(elsewhere);
}

TEST(a_handle_that_contradicts_its_cell_changes_nothing) {
    void *one = node(NULL), *two = node(NULL);
    kmptr crossed = kmtreeo(one), before;
    crossed.cell = (kmcell *)NODE(two);
    before = crossed;
    FAULT(CHECK(!kmresize(&crossed, 100)), "kmresize", "a handle that contradicts its cell");
    FAULT(CHECK(!kmcat(&crossed, "text", 4)), "kmcat", "a handle that contradicts its cell");
    FAULT(CHECK(!kmtreek(two, crossed)), "kmtreek", "a handle that contradicts its cell");
    FAULT(CHECK(!kmsize(crossed)), "kmsize", "a handle that contradicts its cell");
    CHECK(crossed.ref == before.ref && crossed.cell == before.cell);
    CHECK(NODE(one)->sz == 72 && !NODE(one)->parent);
    kmtreef(one);
    kmtreef(two);
}

TEST(links_that_were_written_over_are_not_followed) {
    void *root = node(NULL), *other = node(NULL);
    node(root);
    kmnode *two = NODE(node(root)), *right = two->prev;
    node(root);
    two->prev = NODE(other);
    FAULT(CHECK(!kmtreemc(root, other)), "kmtreemc", "a damaged header");
    FAULT(CHECK(!kmtreem((unsigned char *)two + 64, other)), "kmtreem", "a damaged header");
    FAULT(CHECK(!kmtreer((unsigned char *)two + 64, 1000)), "kmtreer", "a damaged header");
    two->prev = right;
    right = NODE(root)->child;
    NODE(root)->child = (kmnode *)(uintptr_t)0x4141414141414141;
    FAULT(CHECK(!kmtreemc(root, other)), "kmtreemc", "a damaged header");
    FAULT(kmtreex(root), "kmtreex", "a damaged header");
    FAULT(CHECK(kmtreeq(root, NULL).cells == 1), "kmtreeq", "a damaged header");
    FAULT(CHECK(!kmtreeh(root, never, NULL)), "kmtreeh", "a damaged header");
    NODE(root)->child = right;
    CHECK(kmtreeq(root, NULL).cells == 4 && kmtreeq(other, NULL).cells == 1);
    kmtreef(root);
    kmtreef(other);
}

TEST(refusals_are_no_faults) {
    faults = 0;
    kmfaultfn before = kmonfault(remember);
    void *root = node(NULL), *child = node(root), *low = node(child);
    errno = 0;
    CHECK(!kmtreem(root, low) && errno == EINVAL);
    CHECK(!kmtreemc(root, low) && !kmtreek(low, kmtreeo(root)) && !kmtreel(root, low).ref);
    CHECK(!kmtreehx(root, never, NULL));
    kmptr fixed = kmstat("static"), unended = kmtreeo(memset(child, 'x', 8));
    errno = 0;
    CHECK(!kmresize(&fixed, 8) && errno == EINVAL && !kmcat(&fixed, "x", 1) && !kmcats(&fixed, "x"));
    errno = 0;
    CHECK(!kmcats(&unended, "x") && errno == EINVAL && !kmroom(&unended, 1) && unended.ref == child);
    CHECK(kmtreeq(root, NULL).cells == 3 && faults == 0);
#ifndef KFmem_noref
    void *counted = kmrefu(kmrefz(SRC, 8));
    CHECK(!kmrefr(counted, 100) && faults == 0);
    kmreff(counted);
    kmreff(counted);
#endif
    kmonfault(before);
    kmtreef(root);
}

int main(void) {
    counting_init(&source);
#ifndef KFmem_nopool
    what_was_freed_stays_alone();
    a_pool_that_is_gone_is_not_looked_at();
#ifndef KMEM_MARKED
    what_a_node_holds_is_freed_by_it_alone();
#endif
#endif
    a_node_that_is_being_freed_is_looked_at_at_most();
    a_handle_that_contradicts_its_cell_changes_nothing();
    links_that_were_written_over_are_not_followed();
    refusals_are_no_faults();
    CHECK(source.out == 0);
    return 0;
}
