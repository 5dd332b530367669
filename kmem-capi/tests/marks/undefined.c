/* Programs that depend on uninitialised bytes, and a correct one. The first argument selects one. marks.rs expects the marked lines in
 * the reports of MemorySanitizer. */
#include <kmem-printf.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile int seen;

static void heap_cell(void) {
    char *cell = kmheapa(32);
    if (cell[4]) seen = 1; /* heap_cell: used */
    kmheapf(cell);
}

static void grown_heap_cell(void) {
    char *cell = kmheapr(kmheapz(32), 64);
    if (cell[40]) seen = 1; /* grown_heap_cell: used */
    kmheapf(cell);
}

static void pool_cell(void) {
    kmpool *pool = kmpooli(NULL, 32, 10);
    kmpoolf(kmpoolz(pool, 32));
    char *cell = kmpoola(pool);
    if (cell[4]) seen = 1; /* pool_cell: used */
    kmpoolx(pool);
}

static void freed_pool_cell(void) {
    kmpool *pool = kmpooli(NULL, 32, 10);
    char *cell = kmpoolz(pool, 32);
    kmpoolf(cell);
    if (cell[4]) seen = 1; /* freed_pool_cell: used */
    kmpoolx(pool);
}

static void object_of_an_arena(void) {
    kmarena *arena = kmarenai(NULL, 0);
    kmarenaf(kmarenaz(arena, 32));
    char *object = kmarenaa(arena, 32);
    if (object[4]) seen = 1; /* object_of_an_arena: used */
    kmarenax(arena);
}

static void object_after_its_scope(void) {
    kmarena *arena = kmarenai(NULL, 0);
    kmmark mark = kmarenab(arena);
    char *object = kmarenaz(arena, 32);
    kmarenae(arena, mark);
    if (object[4]) seen = 1; /* object_after_its_scope: used */
    kmarenax(arena);
}

static void counted_cell_of_a_pool(void) {
    kmpool *pool = kmpooli(NULL, 128, 10);
    kmreff(kmrefz((kmcell *)pool, 20));
    char *counted = kmrefa((kmcell *)pool, 20);
    if (counted[4]) seen = 1; /* counted_cell_of_a_pool: used */
    kmpoolx(pool);
}

static void grown_counted_cell_of_a_pool(void) {
    kmpool *pool = kmpooli(NULL, 128, 10);
    char *counted = kmrefr(kmrefz((kmcell *)pool, 20), 40);
    if (counted[30]) seen = 1; /* grown_counted_cell_of_a_pool: used */
    kmpoolx(pool);
}

static void copy_of_it(void) {
    char text[8];
    text[0] = 'a';
    kmptr copy = kmdup(Kmheap, text, sizeof text);
    if (((char *)copy.ref)[4]) seen = 1; /* copy_of_it: used */
    kmfree(copy);
}

/* Initialised bytes. */

#define Is(what) ((what) ? (void)0 : (void)(fprintf(stderr, "%d\n", __LINE__), abort()))

static int calls;

static void destroy(void *data, void *arg) {
    if (*(char *)data == 0 && arg == &calls) calls++;
}

static void hook(void *data, void *arg) {
    if (data && arg == &calls) calls++;
}

static void *source_alloc(kmsource *source, size_t size, size_t align) {
    if (source->ctx == &calls && align == 16 && size < 1000) calls++;
    return malloc(size);
}

static void source_free(kmsource *source, void *block, size_t size, size_t align) {
    if (source->ctx == &calls && align == 16 && size < 1000 && block) calls++;
    free(block);
}

static void on_fault(const kmfault *fault) {
    if (strcmp(fault->call, "kmheapf") == 0 && strlen(fault->what) > 3 && fault->ptr && fault->found >= 0) calls++;
}

static void letters(void *context, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) *(size_t *)context += text[i] > ' ';
}

static void contents(kmat at) {
    kmptr text = kmdups(at, "some text");
    Is(text.ref && text.kind == at.kind && text.shred == kmshred_no && text.cell);
    Is(strcmp(text.ref, "some text") == 0 && kmsize(text) >= 10);
    kmptr part = kmdupn(at, "some text", 4), bytes = kmdup(at, "bytes", 5), none = kmarrz(at, 7, 3);
    Is(strcmp(part.ref, "some") == 0 && memcmp(bytes.ref, "bytes", 5) == 0);
    for (int i = 0; i < 21; i++) Is(((char *)none.ref)[i] == 0);
    Is(kmcats(&text, " and more") && strcmp(text.ref, "some text and more") == 0);
    Is(kmprintfa(&text, " %d", 17) && strcmp(text.ref, "some text and more 17") == 0);
    /* The size of a pool's cell is the whole cell. */
    Is(at.kind == kmkind_pool || (kmcat(&bytes, "more", 4) && memcmp(bytes.ref, "bytesmore", 9) == 0));
    Is(kmresize(&none, 30) != NULL);
    kmptr line = kmprintf(at, "%d %s", 17, "lines");
    Is(strcmp(line.ref, "17 lines") == 0);
    kmtaint(&line);
    Is(line.shred == kmshred_yes);
    Is(kmresize(&line, 4) && memcmp(line.ref, "17 l", 4) == 0);
    kmptr all[] = {text, part, bytes, none, line};
    for (size_t i = 0; i < Kmsz(all); i++) kmfree(all[i]);
}

static void right(void) {
    static char buffer[Kmpoolsz(64, 10)];
    char *on_the_stack = (char[2000]){0};
    kmsource source;
    kmsourcei(&source, source_alloc, source_free, &calls);
    Is(source.ctx == &calls && source.kind == kmkind_source);
    kmpool *pools[] = {
        kmpooli(NULL, 64, 10), kmpoolif(buffer, sizeof buffer, 64), kmpoolif(on_the_stack, 2000, 64),
        kmpooli((kmcell *)&source, 64, 5),
    };
    for (size_t i = 0; i < Kmsz(pools); i++) {
        kmpool *pool = pools[i];
        Is(pool && pool->cellsz == 64 && pool->kind == kmkind_pool);
        contents(Kmpool(pool));
        char *cell = kmpoolz(pool, 64);
        for (int j = 0; j < 64; j++) Is(cell[j] == 0);
        kmwalk walk = {.root = pool};
        Is(kmpooln(&walk) && walk.at.ref == cell && !kmpooln(&walk));
        kmpoolcount count = kmpoolq(pool);
        Is(count.live == 1 && count.cellsz == 64);
        size_t found = 0;
        kmpoolt(pool, letters, &found);
        kmpoolj(pool, letters, &found);
        Is(found > 0);
        kmpoolx(pool);
    }
    kmpool *wide = kmpooli(NULL, 300, 20);
    kmcell *sources[] = {NULL, (kmcell *)wide, (kmcell *)&source};
    for (size_t i = 0; i < Kmsz(sources); i++) {
        contents(Kmref(sources[i]));
        contents(Kmtree(sources[i], NULL));
        kmopt options = {.sz = 40, .drop = destroy, .arg = &calls, .zero = 1, .name = "x"};
        calls = 0;
        char *counted = kmrefw(sources[i], &options), *node = kmtreew(sources[i], NULL, &options);
        Is(counted[39] == 0 && node[39] == 0);
        Is(((kmref *)(void *)(counted - sizeof(kmref)))->refs == 1);
        Is(kmtreec(node) == NULL && ((kmnode *)(void *)(node - sizeof(kmnode)))->parent == NULL);
        Is(kmtreeh(node, hook, &calls) == node);
        Is(kmtreez(sources[i], node, 8) != NULL);
        kmwalk walk = {.root = node};
        int nodes = 0;
        while (kmtreen(&walk)) nodes += walk.at.ref != NULL && walk.depth < 2;
        Is(nodes == 2 && kmtreeq(node, NULL).cells == 2);
        size_t found = 0;
        kmtreet(node, 9, letters, &found);
        Is(found > 0);
        kmptr kept = kmheapao(8);
        Is(kmtreek(node, kept) == kept.ref && kmtreel(node, kept.ref).ref == kept.ref);
        kmfree(kept);
        kmfree(kmtreeo(node));
        kmreff(counted);
        Is(calls >= 3);
    }
    kmpoolx(wide);
    contents(Kmheap);
    kmopt aligned = {.sz = 100, .align = 256, .zero = 1, .drop = destroy, .arg = &calls};
    char *cell = kmheapw(&aligned);
    Is(cell[99] == 0);
    cell = kmheapr(cell, 5000);
    Is(cell && cell[99] == 0);
    kmheapf(cell);
    errno = 0;
    kmptr refused = kmarr(Kmheap, (size_t)-1, 2);
    Is(!refused.ref && errno == ENOMEM);
    Is(kmstat("x").kind == kmkind_none);
    calls = 0;
    kmonfault(on_fault);
    char *counted = kmrefz(NULL, 8);
    kmheapf(counted);
    Is(calls == 1);
    kmreff(counted);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } programs[] = {
        {"heap_cell", heap_cell},
        {"grown_heap_cell", grown_heap_cell},
        {"pool_cell", pool_cell},
        {"freed_pool_cell", freed_pool_cell},
        {"object_of_an_arena", object_of_an_arena},
        {"object_after_its_scope", object_after_its_scope},
        {"counted_cell_of_a_pool", counted_cell_of_a_pool},
        {"grown_counted_cell_of_a_pool", grown_counted_cell_of_a_pool},
        {"copy_of_it", copy_of_it},
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
