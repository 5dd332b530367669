/* Programs with an invalid use of memory in a pool, and a correct one. The first argument selects one. marks.rs expects the marked
 * lines in the reports of the tools. */
#include <kmem.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile int seen;
static void *volatile kept[5];
static void *volatile reachable[10];

static void after_free(void) {
    kmpool *pool = kmpooli(NULL, 32, 10);
    char *cell = kmpoolz(pool, 32); /* after_free: allocated */
    kmpoolf(cell);                  /* after_free: freed */
    seen = cell[4];                 /* after_free: used */
    kmpoolx(pool);
}

static void unused(void) {
    kmpool *pool = kmpooli(NULL, 32, 10);
    char *cell = kmpoolz(pool, 32);
    seen = cell[200]; /* unused: used */
    kmpoolx(pool);
}

static void unused_in_a_buffer(void) {
    static char buffer[Kmpoolsz(32, 10)];
    kmpool *pool = kmpoolif(buffer, sizeof buffer, 32);
    char *cell = kmpoolz(pool, 32);
    seen = cell[200]; /* unused_in_a_buffer: used */
    kmpoolx(pool);
}

static void past_the_end(void) {
    kmpool *pool = kmpooli(NULL, 32, 10);
    char *cell = kmpoola(pool); /* past_the_end: allocated */
    char *next = kmpoola(pool);
    cell[32] = 1; /* past_the_end: used */
    kmpoolf(next);
    kmpoolx(pool);
}

static void past_the_end_of_an_odd_cell(void) {
    kmpool *pool = kmpooli(NULL, 21, 10);
    char *cell = kmpoola(pool); /* past_the_end_of_an_odd_cell: allocated */
    cell[21] = 1;               /* past_the_end_of_an_odd_cell: used */
    kmpoolx(pool);
}

static void after_free_in_a_buffer(void) {
    static char buffer[Kmpoolsz(32, 10)];
    kmpool *pool = kmpoolif(buffer, sizeof buffer, 32);
    char *cell = kmpoolz(pool, 32); /* after_free_in_a_buffer: allocated */
    kmpoolf(cell);                  /* after_free_in_a_buffer: freed */
    seen = cell[4];                 /* after_free_in_a_buffer: used */
    kmpoolx(pool);
}

static void after_free_in_a_pool_in_a_pool(void) {
    kmpool *outer = kmpooli(NULL, 4096, 2);
    kmpool *pool = kmpooli((kmcell *)outer, 32, 10);
    char *cell = kmpoolz(pool, 32); /* after_free_in_a_pool_in_a_pool: allocated */
    kmpoolf(cell);                  /* after_free_in_a_pool_in_a_pool: freed */
    seen = cell[4];                 /* after_free_in_a_pool_in_a_pool: used */
    kmpoolx(pool);
    kmpoolx(outer);
}

static void object_after_free(void) {
    kmarena *arena = kmarenai(NULL, 0);
    char *object = kmarenaz(arena, 40);
    kmarenaz(arena, 40);
    kmarenaf(object);
    seen = object[30]; /* object_after_free: used */
    kmarenax(arena);
}

static void newest_object_after_free(void) {
    kmarena *arena = kmarenai(NULL, 0);
    char *object = kmarenaz(arena, 40);
    kmarenaf(object);
    seen = object[4]; /* newest_object_after_free: used */
    kmarenax(arena);
}

static void after_the_scope(void) {
    static char buffer[4096];
    kmarena *arena = kmarenaif(buffer, sizeof buffer);
    kmmark mark = kmarenab(arena);
    char *object = kmarenaz(arena, 40);
    kmarenae(arena, mark);
    seen = object[4]; /* after_the_scope: used */
    kmarenax(arena);
}

static void after_a_long_scope(void) {
    kmarena *arena = kmarenai(NULL, 600);
    kmmark mark = kmarenab(arena);
    char *object = NULL;
    for (int i = 0; i < 50; i++) object = kmarenaz(arena, 100);
    kmarenae(arena, mark);
    seen = object[4]; /* after_a_long_scope: used */
    kmarenax(arena);
}

static void counted_after_free(void) {
    kmpool *pool = kmpooli(NULL, 128, 10);
    char *counted = kmrefz((kmcell *)pool, 20); /* counted_after_free: allocated */
    kmreff(counted);                            /* counted_after_free: freed */
    seen = counted[4];                          /* counted_after_free: used */
    kmpoolx(pool);
}

static void behind_a_counted_cell_that_was_zeroed(void) {
    kmpool *pool = kmpooli(NULL, 128, 10);
    char *counted = kmrefz((kmcell *)pool, 20);
    kmrefs(counted);
    seen = counted[80]; /* behind_a_counted_cell_that_was_zeroed: used */
    kmpoolx(pool);
}

static void after_the_pool(void) {
    kmpool *pool = kmpooli(NULL, 32, 10); /* after_the_pool: allocated */
    char *cell = kmpoolz(pool, 32);
    kmpoolx(pool);  /* after_the_pool: freed */
    seen = cell[4]; /* after_the_pool: used */
}

static void past_the_end_of_a_counted_cell(void) {
    kmpool *pool = kmpooli(NULL, 128, 10);
    char *counted = kmrefz((kmcell *)pool, 21); /* past_the_end_of_a_counted_cell: allocated */
    counted[21] = 1;                            /* past_the_end_of_a_counted_cell: used */
    kmreff(counted);
    kmpoolx(pool);
}

static void undefined(void) {
    kmpool *pool = kmpooli(NULL, 32, 10);
    char *cell = kmpoolz(pool, 32);
    kmpoolf(cell);
    cell = kmpoola(pool);
    if (cell[4]) seen = 1; /* undefined: used */
    kmpoolf(cell);
    kmpoolx(pool);
}

static void lost(void) {
    kmpool *pool = kmpooli(NULL, 32, 10);
    kept[0] = pool;
    seen = kmpoola(pool) != NULL; /* lost: allocated */
}

static void lost_heap_cell(void) {
    seen = kmheapa(32) != NULL; /* lost_heap_cell: allocated */
}

static void lost_counted_cell(void) {
    seen = kmrefa(NULL, 20) != NULL; /* lost_counted_cell: allocated */
}

static void lost_root(void) {
    char *root = kmtreez(NULL, NULL, 20); /* lost_root: allocated */
    seen = kmtreez(NULL, kmtreez(NULL, root, 10), 10) != NULL;
}

/* Valid uses. */

static void destroy(void *data, void *arg) {
    seen = data != NULL;
    free(arg);
}

/* Pointers to data in globals, and cells that are reachable only from these. */
static void keep(void) {
    reachable[0] = kmresize(&(kmptr){.kind = kmkind_heap, .ref = kmheapz(32)}, 1000);
    kmopt options = {.sz = 8, .align = 256, .drop = destroy, .arg = malloc(10), .name = "name", .zero = 1};
    reachable[1] = kmheapw(&options);
    options.arg = malloc(10);
    reachable[2] = kmrefr(kmrefw(NULL, &options), 500);
    char *root = reachable[3] = kmtreez(NULL, NULL, 100);
    for (int i = 0; i < 10; i++) {
        void **child = kmtreez(NULL, root, 8);
        *child = malloc(10);
        if (i % 2 && !kmtreem(kmtreez(NULL, NULL, 8), child)) abort();
        if (i == 3) reachable[4] = kmtreem(child, NULL);
        if (i == 5 && !kmtreem(kmtreem(child, NULL), root)) abort();
        if (i == 7 && !kmtreer(child, 500)) abort();
        if (i == 8 && !kmtreek(child, kmrefzo(NULL, 8))) abort();
    }
    if (!kmtreeh(root, destroy, malloc(10))) abort();
    char *tree = kmtreez(NULL, NULL, 8);
    char *owner = reachable[5] = kmrefz(NULL, 8);
    if (!kmrefk(owner, kmtreeo(tree)) || !kmtreez(NULL, tree, 8)) abort();
    reachable[6] = kmheapz(8);
    if (!kmhook(kmheapo(reachable[6]), destroy, malloc(10))) abort();
    void **pointer = reachable[7] = kmheapz(sizeof(void *));
    *pointer = kmrefz(NULL, 8);
    kmpool *pool = kmpooli(kmtreeo(root).cell, 32, 10);
    reachable[8] = kmpoolz(pool, 32);
}

static void count(void *data, void *arg) {
    seen = *(char *)data;
    ++*(int *)arg;
}

static void fill_and_free(kmpool *pool, size_t size, size_t n) {
    char *cells[200];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < n; i++) {
            cells[i] = i % 2 ? kmpoola(pool) : kmpoolz(pool, size);
            if (!cells[i]) abort();
            memset(cells[i], (int)i, size);
        }
        for (size_t i = 0; i < n; i += 3) kmpoolf(cells[i]);
        for (size_t i = 1; i < n; i += 3) kmpools(cells[i]);
        for (size_t i = 2; i < n; i += 3) kmfree((kmptr){.kind = kmkind_pool, .ref = cells[i], .cell = NULL});
    }
}

static int on_the_stack(size_t size) {
    char buffer[8000];
    kmpool *pool = kmpoolif(buffer, sizeof buffer, size);
    fill_and_free(pool, size, 10);
    if (!kmpoolz(pool, size)) abort();
    kmpoolx(pool);
    return (int)strlen(memset(buffer, 0, sizeof buffer));
}

static void right(void) {
    for (size_t size = 1; size < 100; size++) {
        int ended = 0;
        kmopt options = {.sz = size, .align = size > 50 ? 64 : 0, .drop = count, .arg = &ended, .grow = 1};
        kmpool *pool = kmpooliw(NULL, &options, 3);
        fill_and_free(pool, size, 200);
        char *last = kmpoolz(pool, size);
        kmptr handle = {.kind = kmkind_pool, .ref = last, .cell = NULL};
        kmtaint(&handle);
        kmfree(handle);
        if (!kmpoolz(pool, size)) abort();
        kmpoolx(pool);
        if (ended != 602) abort();
        if (on_the_stack(size) != 0) abort();
    }
    kmpool *outer = kmpooli(NULL, 4096, 4);
    kmpool *inner = kmpooli((kmcell *)outer, 48, 20);
    fill_and_free(inner, 48, 20);
    char *node = kmtreez((kmcell *)outer, NULL, 100);
    kmpool *hosted = kmpooli((kmcell *)(void *)(node - sizeof(kmnode)), 16, 20);
    fill_and_free(hosted, 16, 20);
    char *counted = kmrefz((kmcell *)inner, 10);
    memset(kmrefu(counted), 1, 10);
    kmreff(counted);
    kmreff(counted);
    kmpoolx(inner);
    kmtreef(node);
    memset(kmpoola(outer), 1, 4096);
    kmpoolx(outer);
    /* A second pool in the buffer of a pool that was not destroyed. */
    static char buffer[4000];
    for (size_t size = 1; size < 100; size++) {
        kmpool *pool = kmpoolif(buffer, sizeof buffer, size);
        fill_and_free(pool, size, 10);
        kept[4] = kmpoola(pool);
    }
    kmpoolx(kmpoolif(buffer, sizeof buffer, 16));
    kmpoolif(buffer, sizeof buffer, 16);
    kmpool *later = kmpoolif(buffer + 1000, sizeof buffer - 1000, 16);
    seen = (int)later->cellsz;
    kmpoolx(later);
    /* Pools that still exist at exit, one in the other. */
    kept[0] = outer = kmpooli(NULL, 4096, 4);
    kept[1] = inner = kmpooli((kmcell *)outer, 48, 20);
    kept[2] = kmpoolz(outer, 10);
    kept[3] = kmpoolz(inner, 10);
    keep();
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } programs[] = {
        {"after_free", after_free},
        {"unused", unused},
        {"unused_in_a_buffer", unused_in_a_buffer},
        {"past_the_end", past_the_end},
        {"past_the_end_of_an_odd_cell", past_the_end_of_an_odd_cell},
        {"after_free_in_a_buffer", after_free_in_a_buffer},
        {"after_free_in_a_pool_in_a_pool", after_free_in_a_pool_in_a_pool},
        {"object_after_free", object_after_free},
        {"newest_object_after_free", newest_object_after_free},
        {"after_the_scope", after_the_scope},
        {"after_a_long_scope", after_a_long_scope},
        {"counted_after_free", counted_after_free},
        {"behind_a_counted_cell_that_was_zeroed", behind_a_counted_cell_that_was_zeroed},
        {"after_the_pool", after_the_pool},
        {"past_the_end_of_a_counted_cell", past_the_end_of_a_counted_cell},
        {"undefined", undefined},
        {"lost", lost},
        {"lost_heap_cell", lost_heap_cell},
        {"lost_counted_cell", lost_counted_cell},
        {"lost_root", lost_root},
        {"right", right},
    };
    for (size_t i = 0; i < Kmsz(programs); i++) {
        if (argc == 2 && strcmp(argv[1], programs[i].name) == 0) {
            programs[i].run();
            return 0;
        }
    }
    fprintf(stderr, "which?\n");
    return 2;
}
