/* Objects owned by counted cells (kmrefk kmrefl), and destructors of existing objects (kmhook). */
#include <limits.h>
#include <pthread.h>

#include "check.h"

static counting source;
static char order[64];
static size_t ends;

/* A destructor that records its argument, a letter. */
static void note(void *data, void *letter) {
    (void)data;
    if (ends < sizeof order - 1) order[ends++] = (char)(uintptr_t)letter;
    order[ends] = 0;
}

static int ended(const char *expected) {
    int same = strcmp(order, expected) == 0;
    order[ends = 0] = 0;
    return same;
}

static kmopt noting(char letter) {
    kmopt o = {0};
    o.sz = 24;
    o.drop = note;
    o.arg = (void *)(uintptr_t)letter;
    return o;
}

#define SRC ((kmcell *)&source)
#define NEW(at, letter) kmnew(at, &(kmopt){.sz = 24, .drop = note, .arg = (void *)(uintptr_t)(letter)})

TEST(a_subtree_is_shared_by_references_to_a_cell_that_owns_it) {
    kmptr shared = NEW(Kmref(SRC), 's'), entries = NEW(Kmtree(SRC, NULL), 'e'), key = NEW(Kmheap, 'k');
    void *entry = NEW(Kmtree(SRC, entries.ref), 'i').ref;
    CHECK(shared.ref && key.ref && entry);
    CHECK(kmrefk(shared.ref, entries) == entries.ref && kmrefk(shared.ref, key) == key.ref);
    CHECK(kmtreep(entries.ref) == NULL && kmtreep(entry) == entries.ref && kmsize(shared) == 24);
    void *one = kmtreea(SRC, NULL, 8), *two = kmtreea(SRC, NULL, 8);
    CHECK(kmtreek(one, kmrefo(kmrefu(shared.ref))) == shared.ref && kmtreek(two, shared) == shared.ref);
    kmcount count = kmtreeq(one, NULL);
    CHECK(count.cells == 5 && count.size == 8 + 4 * 24);
    kmtreef(one);
    CHECK(ended(""));
    kmtreef(two);
    CHECK(ended("ieks") && source.out == 0);
}

TEST(what_a_cell_adopted_is_let_go_of) {
    kmptr shared = NEW(Kmref(SRC), 's'), object = NEW(Kmheap, 'o'), root = NEW(Kmtree(NULL, NULL), 't');
    CHECK(kmrefk(shared.ref, object) && kmrefk(shared.ref, root));
    kmrefu(shared.ref);
    CHECK(kmrefl(shared.ref, object.ref).ref == NULL);
    kmrefd(shared.ref);
    kmptr back = kmrefl(shared.ref, object.ref);
    CHECK(back.kind == kmkind_heap && back.ref == object.ref && back.cell == object.cell);
    CHECK(kmrefl(shared.ref, object.ref).ref == NULL && kmrefl(NULL, object.ref).ref == NULL);
    CHECK(kmrefl(shared.ref, root.ref).ref == root.ref);
    kmfree(shared);
    CHECK(ended("s"));
    kmfree(back);
    kmfree(root);
    CHECK(ended("ot") && source.out == 0);
}

TEST(what_is_refused_changes_nothing) {
    kmptr shared = NEW(Kmref(SRC), 's'), object = NEW(Kmref(NULL), 'o'), none = {0};
    kmrefu(shared.ref);
    errno = 0;
    CHECK(kmrefk(shared.ref, object) == NULL && errno == EINVAL);
    kmrefd(shared.ref);
    errno = 0;
    CHECK(kmrefk(shared.ref, shared) == NULL && errno == EINVAL);
    errno = 0;
    CHECK(kmrefk(shared.ref, none) == NULL && kmrefk(NULL, object) == NULL && errno == EINVAL);
    for (long left = 0; left < 3; left++) {
        source.left = left;
        errno = 0;
        CHECK(kmrefk(shared.ref, object) == NULL && errno == ENOMEM && source.out == 1);
    }
    source.left = 3;
    CHECK(kmrefk(shared.ref, object) == object.ref && source.out == 4);
    source.left = 1000000;
    kmfree(shared);
    CHECK(ended("os") && source.out == 0);
}

#ifndef KFmem_noshred
TEST(what_a_tainted_cell_owns_is_zeroed) {
    static union { max_align_t align; unsigned char bytes[1024]; } fixed;
    for (int how = 0; how < 2; how++) {
        kmpool *pool = kmpoolif(fixed.bytes, sizeof fixed.bytes, 128);
        void *shared = kmrefa(NULL, 8), *root = kmtreea((kmcell *)pool, NULL, 24), *cell = kmpoola(pool);
        memset(root, 's', 24);
        memset(cell, 's', 128);
        CHECK(kmrefk(shared, kmtreeo(root)) && kmrefk(shared, kmpoolo(cell)));
        kmptr handle = kmrefo(shared);
        if (how) kmtaint(&handle);
        how ? kmreff(shared) : kmrefs(shared);
        OF_FREED(CHECK(all(root, 24, 0) && all(cell, 128, 0)));
        kmpoolx(pool);
    }
}
#endif

#define LINKS 1000000

/* A million owners in a chain are freed in a small stack. */
static void *frees_long_chains(void *nothing) {
    void *root = kmtreea(NULL, NULL, 8), *leaf = root, *last = kmrefa(NULL, 8);
    for (long i = 0; i < LINKS; i++) {
        void *shared = kmrefa(NULL, 8), *tree = kmtreea(NULL, NULL, 8);
        CHECK(shared && tree && kmrefk(shared, kmtreeo(tree)) && kmtreek(leaf, kmrefo(shared)));
        leaf = kmtreea(NULL, tree, 8);
    }
    kmtreef(root);
    for (long i = 0; i < LINKS; i++) {
        void *owner = kmrefa(NULL, 8);
        CHECK(owner && kmrefk(owner, kmrefo(last)));
        last = owner;
    }
    kmreff(last);
    void *owner = kmrefa(NULL, 8);
    for (long i = 0; i < LINKS / 10; i++) {
        void *inner = kmrefa(NULL, 8);
        CHECK(kmrefk(inner, kmtreeao(NULL, NULL, 8)) && kmrefk(inner, kmheapao(8)));
        CHECK(kmrefk(owner, kmrefo(inner)) && kmrefk(owner, kmtreeao(NULL, NULL, 8)));
    }
    kmreff(owner);
    return nothing;
}

TEST(a_million_links_are_freed_in_a_small_stack) {
    pthread_t thread;
    pthread_attr_t attributes;
    /* On some processors the smallest stack of a thread is larger. */
#ifdef PTHREAD_STACK_MIN
    size_t stack = 80 << 10, least = (size_t)PTHREAD_STACK_MIN;
#else
    size_t stack = 80 << 10, least = 0;
#endif
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, stack < least ? least : stack) == 0);
    CHECK(pthread_create(&thread, &attributes, frees_long_chains, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    pthread_attr_destroy(&attributes);
}

TEST(an_object_gets_a_destructor_once_it_is_whole) {
    kmopt o = noting('x');
    kmptr made[] = {kmheapao(24), kmheapwo(&o), kmrefao(SRC, 24), kmrefwo(SRC, &o)};
    for (size_t i = 0; i < Kmsz(made); i++) {
        CHECK(kmhook(made[i], note, (void *)(uintptr_t)'a') == 1 && kmhook(made[i], note, (void *)(uintptr_t)'b') == 1);
        CHECK(kmsize(made[i]) == 24 && kmresize(&made[i], 5000) && kmsize(made[i]) == 5000);
        kmfree(made[i]);
        CHECK(ended("b"));
    }
    kmptr again[] = {kmheapao(24), kmheapwo(&o), kmrefao(SRC, 24), kmrefwo(SRC, &o)};
    for (size_t i = 0; i < Kmsz(again); i++) {
        CHECK(kmhook(again[i], NULL, NULL) == 1 && kmhook(again[i], note, (void *)(uintptr_t)'a') == 1);
        CHECK(kmhook(again[i], NULL, NULL) == 1);
        kmfree(again[i]);
        CHECK(ended(""));
    }
    kmptr node = NEW(Kmtree(SRC, NULL), 'n');
    CHECK(kmhook(node, note, (void *)(uintptr_t)'a') == 1 && kmhook(node, note, (void *)(uintptr_t)'b') == 1);
    kmfree(node);
    CHECK(ended("ban") && source.out == 0);
}

TEST(a_destructor_that_could_not_run_is_refused) {
    kmpool *pool = kmpooli(NULL, 24, 1);
    kmptr shared = kmrefao(SRC, 24), node = kmtreeao(SRC, NULL, 24), none = {0}, objects[4];
    kmrefu(shared.ref);
    objects[0] = kmpoolao(pool, 24), objects[1] = shared, objects[2] = kmstat(&source), objects[3] = none;
    for (size_t i = 0; i < Kmsz(objects); i++) {
        errno = 0;
        CHECK(kmhook(objects[i], note, NULL) == 0 && errno == EINVAL);
    }
    errno = 0;
    CHECK(kmhook(node, NULL, NULL) == 0 && errno == EINVAL);
    kmrefd(shared.ref);
    source.left = 0;
    errno = 0;
    CHECK(kmhook(shared, note, NULL) == 0 && errno == ENOMEM && kmsize(shared) == 24);
    source.left = 1000000;
    kmfree(shared);
    kmfree(node);
    kmpoolx(pool);
    CHECK(ended("") && source.out == 0);
}

TEST(a_wrong_object_is_reported) {
    kmptr shared = kmrefao(NULL, 8), dead = kmrefao(NULL, 8), heap = kmheapao(8);
    ((kmref *)(void *)dead.cell)->kind = kmkind_source; /* not the kind of an object */
    FAULT(CHECK(kmrefk(dead.ref, heap) == NULL), "kmrefk", "a cell of another kind");
    FAULT(CHECK(kmrefl(dead.ref, heap.ref).ref == NULL), "kmrefl", "a cell of another kind");
    FAULT(CHECK(kmrefk(shared.ref, dead) == NULL), "kmrefk", "a cell of another kind");
    FAULT(CHECK(kmhook(dead, note, NULL) == 0), "kmhook", "a cell of another kind");
    ((kmref *)(void *)dead.cell)->kind = kmkind_ref;
    kmfree(dead);
    kmfree(heap);
    kmfree(shared);
    CHECK(ended(""));
}

int main(void) {
    counting_init(&source);
    a_subtree_is_shared_by_references_to_a_cell_that_owns_it();
    what_a_cell_adopted_is_let_go_of();
    what_is_refused_changes_nothing();
#ifndef KFmem_noshred
    what_a_tainted_cell_owns_is_zeroed();
#endif
    a_million_links_are_freed_in_a_small_stack();
    an_object_gets_a_destructor_once_it_is_whole();
    a_destructor_that_could_not_run_is_refused();
    a_wrong_object_is_reported();
    return 0;
}
