/* The tree method: kmtreea z ao zo w wo f s. Allocates from a source, so it also runs without the heap method. */
#include "check.h"

static counting source;
#define SRC ((kmcell *)&source)
#define NODE(data) HEADER(kmnode, data, 64)

TEST(the_links_are_as_documented) {
    void *root = kmtreez(SRC, NULL, 8);
    void *a = kmtreea(SRC, root, 1), *b = kmtreea(SRC, root, 2), *c = kmtreea(SRC, root, 3);
    CHECK(NODE(root)->kind == kmkind_tree && NODE(root)->sz == 72 && NODE(root)->src == SRC);
    CHECK(!NODE(root)->parent && NODE(root)->child == NODE(a) && NODE(root)->lastchild == NODE(c));
    CHECK(NODE(b)->parent == NODE(root) && NODE(b)->prev == NODE(a) && NODE(b)->next == NODE(c));
    kmptr parent = kmtreef(b);
    CHECK(parent.kind == kmkind_tree && parent.ref == root && parent.cell == (kmcell *)NODE(root));
    CHECK(NODE(a)->next == NODE(c) && NODE(c)->prev == NODE(a));
    parent = kmtreef(root);
    CHECK(parent.kind == kmkind_none && parent.ref == NULL);
    CHECK(source.out == 0);
}

static char order[16];
static void note(void *data, void *arg) {
    (void)data;
    strcat(order, (const char *)arg);
}

static void *named(void *parent, const char *name) {
    kmopt o = {0};
    o.sz = 8;
    o.drop = note;
    o.arg = (void *)(uintptr_t)name;
    return kmtreew(SRC, parent, &o);
}

TEST(children_go_first_the_first_of_them_before_the_second) {
    void *root = named(NULL, "r"), *a = named(root, "a"), *b = named(root, "b");
    named(named(a, "1"), "x");
    named(a, "2");
    named(b, "3");
    kmtreef(root);
    CHECK(strcmp(order, "x12a3br") == 0 && source.out == 0);
}

TEST(a_chain_of_a_million_is_freed_in_constant_stack) {
    void *root = kmtreea(SRC, NULL, 0), *node = root;
    source.left = 2000000;
    for (int i = 0; i < 1000000; i++) node = kmtreea(SRC, node, 0);
    kmtreef(root);
    CHECK(source.out == 0);
    root = kmtreea(SRC, NULL, 0);
    for (int i = 0; i < 100000; i++) CHECK(kmtreea(SRC, root, 0));
    kmtreef(root);
    CHECK(source.out == 0);
}

TEST(options_align_and_zero) {
    kmopt o = {0};
    o.sz = 10;
    o.align = 512;
    o.zero = 1;
    void *root = kmtreew(SRC, NULL, &o);
    kmptr leaf = kmtreewo(SRC, root, &o);
    CHECK((uintptr_t)root % 512 == 0 && (uintptr_t)leaf.ref % 512 == 0 && all(leaf.ref, 10, 0));
    kmfree(leaf);
    CHECK(NODE(root)->child == NULL);
    kmtreef(root);
}

TEST(refusals_change_nothing) {
    void *root = kmtreea(SRC, NULL, 8);
    volatile size_t huge = (size_t)-1;
    errno = 0;
    CHECK(kmtreea(SRC, root, huge - 8) == NULL && errno == ENOMEM);
    source.left = 0;
    CHECK(kmtreezo(SRC, root, 8).ref == NULL);
    source.left = 1000000;
    errno = 0;
    CHECK(kmtreea((kmcell *)NODE(root), NULL, 8) == NULL && errno == EINVAL);
    CHECK(NODE(root)->child == NULL);
    kmtreef(root);
}

#ifndef KFmem_nopool
TEST(a_pool_on_a_node_dies_with_it) {
    int ended = 0;
    void *root = kmtreea(SRC, NULL, 8);
    kmopt o = {0};
    o.sz = 8;
    o.drop = count_drop;
    o.arg = &ended;
    o.grow = 1;
    kmpool *early = kmpooliw((kmcell *)NODE(root), &o, 1), *late = kmpooliw((kmcell *)NODE(root), &o, 1);
    for (int i = 0; i < 10; i++) CHECK(kmpoola(early) && kmpoola(late));
    CHECK(late->src == (kmcell *)NODE(root));
    kmpoolx(early);
    CHECK(ended == 10);
    kmtreef(root);
    CHECK(ended == 20 && source.out == 0);
}

#ifndef KFmem_noshred
TEST(shredding_is_seen_in_the_buffer) {
    static union { max_align_t align; unsigned char bytes[2000]; } buffer;
    kmpool *pool = kmpoolif(buffer.bytes, sizeof buffer.bytes, 100);
    void *root = kmtreea((kmcell *)pool, NULL, 30), *leaf = kmtreea((kmcell *)pool, root, 30);
    memset(root, 7, 30);
    memset(leaf, 7, 30);
    kmptr p = kmtreezo((kmcell *)pool, root, 30);
    memset(p.ref, 7, 30);
    kmtaint(&p);
    kmtreef(p.ref);
    OF_FREED(CHECK(all(p.ref, 30, 0)));
    kmtrees(root);
    OF_FREED(CHECK(all(root, 30, 0) && all(leaf, 30, 0)));
    kmpoolx(pool);
}
#endif

TEST(freeing_twice_is_reported) {
    static union { max_align_t align; unsigned char bytes[2000]; } buffer;
    kmpool *pool = kmpoolif(buffer.bytes, sizeof buffer.bytes, 100);
    void *root = kmtreea((kmcell *)pool, NULL, 8);
    kmtreef(root);
    OF_FREED(FAULT(kmtreef(root), "kmtreef", "already freed"));
    OF_FREED(FAULT(CHECK(kmtreea((kmcell *)pool, root, 8) == NULL), "kmtreea", "already freed"));
    kmpoolx(pool);
}
#endif

#ifndef KFmem_noarena
TEST(a_tree_in_an_arena_of_its_own_is_freed_as_a_whole) {
    void *root = kmtreei(SRC, NULL, 8, 4096);
    long blocks = source.out;
    void *one = NULL;
    for (int i = 0; i < 10; i++) {
        one = kmtreea(Kmsame, one ? one : root, 32);
        CHECK(one && source.out == blocks);
    }
    void *elsewhere = kmtreea(SRC, one, 8);
    order[0] = 0;
    kmopt o = {0};
    o.sz = 8;
    o.drop = note;
    o.arg = (void *)(uintptr_t)"d";
    kmtreew(Kmsame, elsewhere, &o);
    kmtreew(Kmsame, one, &o);
    void *other = kmtreea(SRC, NULL, 8);
    errno = 0;
    CHECK(kmtreem(one, other) == NULL && errno == EINVAL);
    errno = 0;
    CHECK(kmtreem(one, NULL) == NULL && errno == EINVAL);
    CHECK(kmtreem(elsewhere, other) == elsewhere);
    kmtreef(root);
    CHECK(strcmp(order, "d") == 0);
    kmtreef(other);
    CHECK(strcmp(order, "dd") == 0 && source.out == 0);
}

TEST(a_failure_of_the_source_leaves_nothing_behind) {
    for (int at = 0; at < 2; at++) {
        source.left = at;
        CHECK(kmtreei(SRC, NULL, 8, 0) == NULL && errno == ENOMEM);
        source.left = 1000000;
        CHECK(source.out == 0);
    }
}

TEST(same_is_the_source_of_the_parent) {
    void *root = kmtreea(SRC, NULL, 8);
    long blocks = source.out;
    kmtreea(Kmsame, root, 8);
    CHECK(source.out == blocks + 1);
    kmtreef(root);
#ifndef KFmem_noref
    errno = 0;
    CHECK(kmrefa(Kmsame, 8) == NULL && errno == EINVAL);
#endif
#ifndef KFmem_nopool
    errno = 0;
    CHECK(kmpooli(Kmsame, 8, 8) == NULL && errno == EINVAL);
#endif
}
#endif

int main(void) {
    counting_init(&source);
    the_links_are_as_documented();
    children_go_first_the_first_of_them_before_the_second();
    a_chain_of_a_million_is_freed_in_constant_stack();
    options_align_and_zero();
#ifndef KFmem_noarena
    a_tree_in_an_arena_of_its_own_is_freed_as_a_whole();
    a_failure_of_the_source_leaves_nothing_behind();
    same_is_the_source_of_the_parent();
#endif
    refusals_change_nothing();
#ifndef KFmem_nopool
    a_pool_on_a_node_dies_with_it();
#ifndef KFmem_noshred
    shredding_is_seen_in_the_buffer();
#endif
    freeing_twice_is_reported();
#endif
    CHECK(kmtreef(NULL).ref == NULL);
    CHECK(source.out == 0);
    return 0;
}
