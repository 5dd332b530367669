/* Programs with a data race, and a correct one. The first argument selects one. marks.rs expects the marked lines in the reports of
 * ThreadSanitizer. */
#include <kmem.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local volatile int seen;

/* Runs a function on two threads, each with this argument. */
static void on_two(void *(*run)(void *), void *arg) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, run, arg)) abort();
    for (int i = 0; i < 2; i++)
        if (pthread_join(threads[i], NULL)) abort();
}

static void *allocate(void *pool) {
    seen = kmpoola(pool) != NULL;
    return NULL;
}

static void one_pool(void) {
    kmpool *pool = kmpooli(NULL, 32, 10);
    on_two(allocate, pool);
    kmpoolx(pool);
}

static void *allocate_counted(void *pool) {
    seen = kmrefa(pool, 8) != NULL;
    return NULL;
}

static void one_source(void) {
    kmpool *pool = kmpooli(NULL, 64, 10);
    on_two(allocate_counted, pool);
    kmpoolx(pool);
}

static void *add(void *node) {
    seen = kmtreea(NULL, node, 8) != NULL;
    return NULL;
}

static void one_tree(void) {
    char *root = kmtreea(NULL, NULL, 8);
    on_two(add, root);
    kmtreef(root);
}

static char *shared[2];

static void *drop_then_read(void *counted) {
    char *data = counted;
    kmreff(data);
    seen = data[0]; /* after_its_reference: used */
    return NULL;
}

static void after_its_reference(void) {
    kmpool *pool = kmpooli(NULL, 64, 2);
    char *counted = kmrefu(kmrefz((kmcell *)pool, 8));
    on_two(drop_then_read, counted);
    kmpoolx(pool);
}

/* Objects that threads may share. */

static void read_it(void *data, void *arg) {
    seen = *(int *)data + *(int *)arg;
}

static void *write_one_and_drop(void *arg) {
    static int next;
    int *counted = arg;
    counted[__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % 2 + 1] = 7;
    kmreff(counted);
    return NULL;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *use_in_turn(void *arg) {
    kmpool *pool = arg;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < 20; i++) {
        char *cell = kmpoolz(pool, 32);
        memset(cell, i, 32);
        if (i % 2) kmpoolf(cell);
    }
    char *node = kmtreez((kmcell *)pool, shared[0], 4);
    memset(node, 1, 4);
    if (!kmtreem(node, NULL)) abort();
    kmtreef(node);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void *only_then_resize(void *arg) {
    char *counted = arg;
    counted[kmrefo(counted).kind] = 1;
    kmreff(counted);
    return NULL;
}

static void on_fault(const kmfault *fault) { seen = fault->what[0] + shared[1][0]; }

static void *misuse(void *counted) {
    kmheapf(counted);
    return NULL;
}

static void *heap_cells(void *arg) {
    (void)arg;
    for (int i = 0; i < 1000; i++) kmfree(kmdups(Kmheap, "a heap cell of this thread's"));
    return NULL;
}

static void right(void) {
    static int argument = 1;
    kmpool *pool = kmpooli(NULL, 128, 200);
    for (int i = 0; i < 100; i++) {
        kmopt options = {.sz = 3 * sizeof(int), .drop = read_it, .arg = &argument, .zero = 1};
        int *counted = kmrefu(kmrefw(NULL, &options));
        on_two(write_one_and_drop, counted);
        counted = kmrefu(kmrefz((kmcell *)pool, 3 * sizeof(int)));
        kmrefu(counted);
        on_two(write_one_and_drop, counted);
        kmreff(counted);
    }
    char *counted = kmrefu(kmrefu(kmrefz(NULL, 100)));
    pthread_t thread;
    if (pthread_create(&thread, NULL, only_then_resize, counted)) abort();
    kmreff(counted);
    /* The count orders this after the writes of the other thread. */
    char *resized;
    while (!(resized = kmrefr(counted, 1000))) {}
    memset(resized, 1, 1000);
    pthread_join(thread, NULL);
    kmreff(resized);
    shared[0] = kmtreez(NULL, NULL, 8);
    on_two(use_in_turn, pool);
    kmtreef(shared[0]);
    kmpoolx(pool);
    on_two(heap_cells, NULL);
    /* The handler uses data that was written before it was set. */
    counted = kmrefz(NULL, 8);
    kmonfault(NULL);
    if (pthread_create(&thread, NULL, heap_cells, NULL)) abort();
    shared[1] = counted;
    kmonfault(on_fault);
    on_two(misuse, counted);
    pthread_join(thread, NULL);
    kmreff(counted);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } programs[] = {
        {"one_pool", one_pool},
        {"one_source", one_source},
        {"one_tree", one_tree},
        {"after_its_reference", after_its_reference},
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
