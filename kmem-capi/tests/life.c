/* Cells are resized, moved, adopted, hooked and named; trees are walked, counted and reported. */
#include "check.h"

#define NODE(data) HEADER(kmnode, data, 64)

static counting source;
#define SRC ((kmcell *)&source)

static void *node(void *parent) { return kmtreea(SRC, parent, 16); }

static char said[64];
static void say(void *data, void *arg) {
    (void)data;
    strcat(said, (const char *)arg);
}
static char a[] = "a", b[] = "b", c[] = "c";

TEST(a_cell_of_each_method_is_resized_and_keeps_what_fits) {
    char *heap = (char *)kmheapr(NULL, 4), *ref = (char *)kmrefz(SRC, 4), *tree = (char *)kmtreez(SRC, NULL, 4);
    memcpy(heap, "heap", 4);
    memcpy(ref, "ref", 4);
    memcpy(tree, "tree", 4);
    for (size_t size = 4; size < 100000; size = size * 3) {
        heap = (char *)kmheapr(heap, size);
        ref = (char *)kmrefr(ref, size);
        tree = (char *)kmtreer(tree, size);
        CHECK(memcmp(heap, "heap", 4) == 0 && memcmp(ref, "ref", 4) == 0 && memcmp(tree, "tree", 4) == 0);
        CHECK(kmsize(kmheapo(heap)) == size && kmsize(kmrefo(ref)) == size && kmsize(kmtreeo(tree)) == size);
        memset(heap + 4, 7, size - 4);
        memset(ref + 4, 7, size - 4);
        memset(tree + 4, 7, size - 4);
    }
    kmheapf(heap);
    kmreff(ref);
    kmtreef(tree);
    CHECK(source.out == 0);
}

TEST(what_cannot_be_resized_is_refused_and_stays) {
    volatile size_t huge = (size_t)-1;
    char *ref = (char *)kmrefz(SRC, 4);
    kmptr one = kmrefo(ref), fixed = kmstat("static"), null = kmstat(NULL);
    kmrefu(ref);
    errno = 0;
    CHECK(kmrefr(ref, 8) == NULL && errno == EINVAL);
    kmrefd(ref);
    errno = 0;
    CHECK(kmresize(&one, huge) == NULL && errno == ENOMEM && one.ref == ref && kmsize(one) == 4);
    errno = 0;
    CHECK(kmresizen(&one, huge / 2, 3) == NULL && errno == ENOMEM);
    CHECK(kmresizen(&one, 3, 100) == one.ref && kmsize(one) == 300);
    source.left = 0;
    CHECK(kmresize(&one, 10000) == NULL && kmsize(one) == 300);
    source.left = 1000000;
    errno = 0;
    CHECK(kmresize(&fixed, 3) == NULL && errno == EINVAL);
    CHECK(kmresize(&null, 3) == NULL && kmrefr(NULL, 3) == NULL && kmtreer(NULL, 3) == NULL);
    kmfree(one);
    CHECK(source.out == 0);
}

TEST(a_node_that_grows_keeps_parent_siblings_and_children) {
    void *root = node(NULL), *first = node(root), *second = node(root), *third = node(root);
    void *leaf = node(second);
    second = kmtreer(second, 100000);
    CHECK(kmtreec(root) == first && kmtreecn(first) == second && kmtreecn(second) == third && kmtreecn(third) == NULL);
    CHECK(kmtreep(leaf) == second && kmtreep(second) == root && kmtreep(root) == NULL && kmtreec(second) == leaf);
    root = kmtreer(root, 200000);
    CHECK(kmtreep(first) == root && kmtreep(second) == root && kmtreep(third) == root);
    kmtreef(root);
    CHECK(source.out == 0);
}

TEST(children_are_looked_at_from_both_ends) {
    void *root = node(NULL), *first = node(root), *second = node(root), *third = node(root);
    CHECK(kmtreecl(root) == third && kmtreecp(third) == second && kmtreecp(second) == first && kmtreecp(first) == NULL);
    CHECK(kmtreecl(first) == NULL && kmtreecp(root) == NULL);
    /* Hooks and adopted objects are not children; pools are the last children. */
    CHECK(kmtreeh(root, say, a) && kmtreek(root, kmheapzo(8)) && kmtreek(root, kmheapzo(8)));
    kmpool *pool = kmpooli(kmtreeo(root).cell, 16, 1);
    CHECK(kmtreecl(root) == pool && kmtreecp(pool) == third && kmtreecp(first) == NULL);
    kmtreef(third);
    CHECK(kmtreecp(pool) == second);
    said[0] = 0;
    kmtreef(root);
    CHECK(source.out == 0);
}

static void *seen_before, *seen_last;
static void look_back(void *data, void *arg) {
    (void)arg;
    seen_before = kmtreecp(data);
    seen_last = kmtreecl(data);
}

TEST(a_node_that_is_being_freed_has_no_previous_sibling) {
    kmopt o = {0};
    o.drop = look_back;
    void *root = node(NULL), *first = node(root), *second = kmtreew((kmcell *)&source, root, &o);
    seen_before = seen_last = root;
    kmtreef(second);
    CHECK(first && seen_before == NULL && seen_last == NULL);
    kmtreef(root);
    CHECK(source.out == 0);
}

TEST(a_name_is_replaced_where_there_is_room_for_one) {
    kmopt o = {0};
    o.sz = 10;
    o.name = "first";
    void *root = node(NULL);
    kmptr named[] = { kmheapwo(&o), kmrefwo((kmcell *)&source, &o), kmtreewo((kmcell *)&source, root, &o) };
    for (size_t i = 0; i < Kmsz(named); i++) {
        memset(named[i].ref, 7, 10);
        kmrename(named[i], "second");
        CHECK(strcmp(kmname(named[i]), "second") == 0 && kmcast(named[i], "second") && !kmcast(named[i], "first"));
        CHECK(kmresize(&named[i], 10000) && strcmp(kmname(named[i]), "second") == 0 && all(named[i].ref, 10, 7));
        errno = 0;
        kmrename(named[i], NULL);
        CHECK(errno == EINVAL && strcmp(kmname(named[i]), "second") == 0);
        kmfree(named[i]);
    }
    kmpool *pool = kmpooli(kmtreeo(root).cell, 16, 2);
    kmrename(kmtreeo(pool), "cells");
    void *cell = kmpoola(pool);
    CHECK(strcmp(kmname(kmtreeo(pool)), "cells") == 0 && strcmp(kmname(kmpoolo(cell)), "cells") == 0);
    kmptr bare[] = { kmheapzo(8), kmrefzo(NULL, 8), kmtreezo(NULL, root, 8), kmpoolo(cell), kmstat("static"), kmstat(NULL) };
    for (size_t i = 0; i < Kmsz(bare); i++) {
        errno = 0;
        kmrename(bare[i], "none");
        CHECK(errno == EINVAL && (i == 3 || !kmname(bare[i])));
        kmfree(bare[i]);
    }
    CHECK(strcmp(kmname(kmtreeo(pool)), "cells") == 0);
    kmtreef(root);
    CHECK(source.out == 0);
}

TEST(nodes_move_but_not_below_themselves) {
    void *one = node(NULL), *two = node(NULL), *child = node(one), *leaf = node(child);
    CHECK(kmtreem(child, two) == child && kmtreep(child) == two && kmtreec(one) == NULL);
    errno = 0;
    CHECK(kmtreem(two, leaf) == NULL && errno == EINVAL && kmtreem(two, two) == NULL);
    CHECK(kmtreem(child, NULL) == child && kmtreep(child) == NULL && kmtreep(leaf) == child);
    CHECK(kmtreemu(child, one) == child);
    CHECK(kmtreemc(one, two) == two && kmtreec(two) == child && kmtreec(one) == NULL);
    CHECK(kmtreemc(two, leaf) == NULL);
    kmtreex(two);
    CHECK(kmtreec(two) == NULL && source.out == 2);
    kmtreef(one);
    kmtreef(two);
    CHECK(source.out == 0);
}

TEST(hooks_run_first_and_can_be_taken_off) {
    kmopt o = {0};
    o.sz = 8;
    o.drop = say;
    o.arg = c;
    void *root = kmtreew(SRC, NULL, &o);
    CHECK(kmtreeh(root, say, a) == root && kmtreeh(root, say, b) == root && kmtreeh(root, say, b) == root);
    CHECK(kmtreehx(root, say, b) == 1 && kmtreehx(root, say, c) == 0);
    said[0] = 0;
    kmtreef(root);
    CHECK(strcmp(said, "bac") == 0 && source.out == 0);
}

TEST(a_node_adopts_any_object_and_lets_go) {
    kmopt o = {0};
    o.sz = 8;
    o.drop = say;
    void *root = node(NULL), *other = node(NULL);
    o.arg = a;
    kmptr heap = kmheapwo(&o);
    CHECK(kmtreek(root, heap) == heap.ref);
    o.arg = b;
    kmptr shared = kmrefwo(SRC, &o);
    CHECK(kmtreek(root, shared) == shared.ref && kmtreek(other, kmrefo(kmrefu(shared.ref))) == shared.ref);
    o.arg = c;
    kmptr tree = kmtreewo(SRC, NULL, &o);
    CHECK(kmtreek(root, tree) == tree.ref && kmtreep(tree.ref) == root);
    CHECK(kmtreek(root, kmstat("static")) != NULL);
    errno = 0;
    CHECK(kmtreek(tree.ref, kmtreeo(root)) == NULL && errno == EINVAL);
    CHECK(kmtreel(root, other).ref == NULL);

    kmptr back = kmtreel(root, heap.ref);
    CHECK(back.ref == heap.ref && back.kind == kmkind_heap);
    said[0] = 0;
    kmtreef(root);
    CHECK(strcmp(said, "c") == 0);
    kmtreef(other);
    CHECK(strcmp(said, "cb") == 0);
    kmfree(back);
    CHECK(strcmp(said, "cba") == 0 && source.out == 0);
}

typedef struct config { int level; } config;

TEST(a_cast_is_checked_by_name) {
    kmopt o = {0};
    o.sz = sizeof(config);
    o.name = "config";
    kmptr made[] = { kmheapwo(&o), kmrefwo(SRC, &o), kmtreewo(SRC, NULL, &o) };
    for (size_t i = 0; i < Kmsz(made); i++) {
        config *found = Kmcast(config, made[i]);
        CHECK(found == made[i].ref && strcmp(kmname(made[i]), "config") == 0);
        CHECK(Kmcast(int, made[i]) == NULL);
        CHECK(kmresize(&made[i], 5000) && Kmcast(config, made[i]) == made[i].ref);
        kmfree(made[i]);
    }
    CHECK(kmname(kmstat("config")) == NULL && kmcast(kmstat("config"), "config") == NULL);
    CHECK(source.out == 0);
}

#ifndef KFmem_noshred
TEST(no_secret_is_left_by_a_cell_that_moves_or_shrinks) {
    static union { max_align_t align; unsigned char bytes[4000]; } buffer;
    kmpool *pool = kmpoolif(buffer.bytes, sizeof buffer.bytes, 200);
    char *key = (char *)kmrefz((kmcell *)pool, 100);
    memset(key, 7, 100);
    kmptr handle = kmrefo(key);
    kmtaint(&handle);
    CHECK(kmrefr(key, 40) == key && all(key, 40, 7));
    OF_FREED(CHECK(all(key + 40, 60, 0)));
    kmreff(key);
    kmpoolx(pool);
}
#endif

typedef struct text { char bytes[4000]; size_t len; } text;
static void gather(void *ctx, const char *piece, size_t len) {
    text *t = (text *)ctx;
    CHECK(t->len + len < sizeof t->bytes);
    memcpy(t->bytes + t->len, piece, len);
    t->len += len;
    t->bytes[t->len] = 0;
}

TEST(a_tree_is_walked_counted_and_reported) {
    kmopt o = {0};
    o.sz = 24;
    o.name = "request";
    void *root = kmtreew(NULL, NULL, &o);
    o.name = "line";
    o.sz = 100;
    for (int i = 0; i < 3; i++) CHECK(kmtreew(NULL, root, &o));
    CHECK(kmtreea(NULL, kmtreec(root), 1));
    kmptr shared = kmrefzo(NULL, 64);
    kmtreek(root, shared);
    kmtreek(root, kmrefo(kmrefu(shared.ref)));

    kmwalk w = {0};
    w.root = root;
    size_t seen = 0, depths = 0, refs = 0;
    while (kmtreen(&w)) {
        seen++;
        depths += w.depth;
        refs += w.at.kind == kmkind_ref && w.at.ref == shared.ref;
    }
    CHECK(seen == 7 && depths == 7 && refs == 2 && w.at.ref == NULL);
    kmcount all_of_it = kmtreeq(root, NULL), lines = kmtreeq(root, "line");
    CHECK(all_of_it.cells == 7 && all_of_it.size == 24 + 300 + 1 + 128);
    CHECK(lines.cells == 3 && lines.size == 300 && lines.block == 3 * (64 + 104 + 8));

    text report = { "", 0 };
    kmtreet(root, 1, gather, &report);
    CHECK(strstr(report.bytes, "tree \"request\", 24 bytes\n  tree \"line\", 100 bytes, 1 cell of 1 byte below\n") == report.bytes);
    CHECK(strstr(report.bytes, "  ref, 64 bytes, 2 references, adopted\n"));
    CHECK(strstr(report.bytes, "7 cells, 453 bytes, "));
    report.len = 0;
    kmtreej(root, 9, gather, &report);
    CHECK(strstr(report.bytes, "{\"kmem\":1,\"cells\":[\n{\"depth\":0,\"kind\":\"tree\",\"name\":\"request\",\"at\":\"0x") == report.bytes);
    char adopted[64];
    snprintf(adopted, sizeof adopted, "\"adopted\":true,\"holder\":%d,\"refs\":2}", (int)(sizeof(kmnode) + sizeof(kmptr)));
    char *held = strstr(report.bytes, adopted);
    CHECK(held && strstr(held + 1, adopted));
    CHECK(strstr(report.bytes, "\"total\":{\"cells\":7,\"size\":453,"));
    kmtreef(root);

    kmpool *pool = kmpooli(NULL, 32, 10);
    CHECK(kmpoola(pool));
    report.len = 0;
    kmpoolt(pool, gather, &report);
    CHECK(strstr(report.bytes, "store, 32 bytes, 1 of 10 cells in use, at most 1\n1 cell, 32 bytes, ") == report.bytes);
    report.len = 0;
    kmpoolj(pool, gather, &report);
    CHECK(strstr(report.bytes, "\"cell\":32,\"cells\":10,\"live\":1,\"peak\":1}"));
    kmpoolx(pool);
}

TEST(null_is_refused_or_ignored) {
    kmwalk w = {0};
    kmtreex(NULL);
    CHECK(kmtreem(NULL, NULL) == NULL && kmtreemc(NULL, NULL) == NULL && kmtreeh(NULL, say, a) == NULL);
    CHECK(kmtreehx(NULL, say, a) == 0 && kmtreek(NULL, kmstat("s")) == NULL && kmtreel(NULL, a).ref == NULL);
    CHECK(kmtreep(NULL) == NULL && kmtreec(NULL) == NULL && kmtreecn(NULL) == NULL && !kmtreen(&w));
    CHECK(kmtreecl(NULL) == NULL && kmtreecp(NULL) == NULL);
    kmtreed(NULL);
    CHECK(kmtreeq(NULL, NULL).cells == 0 && kmsize(kmstat(NULL)) == 0 && kmname(kmstat(NULL)) == NULL);
    CHECK(kmheapo(NULL).kind == kmkind_none && kmrefo(NULL).ref == NULL && kmtreeo(NULL).cell == NULL);
    text report = { "", 0 };
    kmtreet(NULL, 1, gather, &report);
    kmtreej(NULL, 1, gather, &report);
    kmpoolt(NULL, gather, &report);
    kmpoolj(NULL, gather, &report);
    CHECK(report.len == 0);
}

TEST(wrong_calls_are_reported) {
    static union { max_align_t align; unsigned char bytes[2000]; } buffer;
    kmpool *pool = kmpoolif(buffer.bytes, sizeof buffer.bytes, 100);
    void *gone = kmtreea((kmcell *)pool, NULL, 8), *root = node(NULL);
    kmtreef(gone);
    OF_FREED(FAULT(CHECK(kmtreer(gone, 9) == NULL), "kmtreer", "already freed"));
    OF_FREED(FAULT(CHECK(kmtreem(gone, root) == NULL), "kmtreem", "already freed"));
    OF_FREED(FAULT(CHECK(kmtreem(root, gone) == NULL), "kmtreem", "already freed"));
    OF_FREED(FAULT(CHECK(kmtreeh(gone, say, a) == NULL), "kmtreeh", "already freed"));
    OF_FREED(FAULT(CHECK(kmtreek(root, kmtreeo(gone)) == NULL), "kmtreek", "already freed"));
    OF_FREED(FAULT(CHECK(kmtreek(gone, kmstat("s")) == NULL), "kmtreek", "already freed"));
    kmptr wrong = kmtreeo(root);
    wrong.kind = kmkind_ref;
    FAULT(CHECK(kmresize(&wrong, 9) == NULL), "kmresize", "a handle that contradicts its cell");
    FAULT(CHECK(kmtreek(root, wrong) == NULL), "kmtreek", "a handle that contradicts its cell");
    kmtreef(root);
    kmpoolx(pool);
    CHECK(source.out == 0);
}

int main(void) {
    counting_init(&source);
    a_cell_of_each_method_is_resized_and_keeps_what_fits();
    what_cannot_be_resized_is_refused_and_stays();
    a_node_that_grows_keeps_parent_siblings_and_children();
    children_are_looked_at_from_both_ends();
    a_node_that_is_being_freed_has_no_previous_sibling();
    a_name_is_replaced_where_there_is_room_for_one();
    nodes_move_but_not_below_themselves();
    hooks_run_first_and_can_be_taken_off();
    a_node_adopts_any_object_and_lets_go();
    a_cast_is_checked_by_name();
#ifndef KFmem_noshred
    no_secret_is_left_by_a_cell_that_moves_or_shrinks();
#endif
    a_tree_is_walked_counted_and_reported();
    null_is_refused_or_ignored();
    wrong_calls_are_reported();
    return 0;
}
