// The same for the C library.
#include "kmem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef TALLOC
#include <talloc.h>
#endif

// The program's own malloc. Blocks of up to BLOCK bytes are kept on a list and handed out again; larger ones are used once.
enum { BLOCK = 128, SPACE = 1 << 26 };

static _Alignas(16) unsigned char space[SPACE];
static unsigned char *top = space;
static struct block { struct block *next; } *freed;

static size_t capacity(size_t size) { return size <= BLOCK ? BLOCK : (size + 15) / 16 * 16; }
// Each block has its capacity before it.
static size_t *before(void *block) { return (size_t *)block - 2; }

void *malloc(size_t size) {
    if (size <= BLOCK && freed) {
        struct block *block = freed;
        freed = block->next;
        return block;
    }
    if (size > (size_t)(space + SPACE - top) - BLOCK - 16) return NULL;
    unsigned char *block = top + 16;
    *before(block) = capacity(size);
    top = block + capacity(size);
    return block;
}

void free(void *block) {
    if (!block || *before(block) != BLOCK) return;
    struct block *listed = block;
    listed->next = freed;
    freed = listed;
}

void *calloc(size_t count, size_t size) {
    void *block = malloc(count * size);
    return block ? memset(block, 0, count * size) : NULL;
}

void *realloc(void *block, size_t size) {
    if (block && size <= *before(block)) return block;
    void *other = malloc(size);
    if (block && other) memcpy(other, block, *before(block));
    if (other) free(block);
    return other;
}

int posix_memalign(void **block, size_t align, size_t size) {
    *block = malloc(size + align);
    if (!*block) return 1;
    if (align > 16) {
        size_t up = (size_t)-(size_t)*block & (align - 1);
        if (up) {
            *block = (char *)*block + up;
            *before(*block) = size;
        }
    }
    return 0;
}

static void nothing(void *data, void *arg) { (void)data, (void)arg; }

// Hides from the compiler what becomes of a pointer, as `black_box` does.
static void *seen(void *data) {
    __asm__ volatile("" : "+r"(data) : : "memory");
    return data;
}

static void wo(void *parent, kmopt options) { kmtreef(seen(kmtreew(NULL, parent, &options))); }
static void flat(kmcell *src, size_t n) {
    void *root = kmtreea(src, NULL, 32);
    for (size_t i = 0; i < n; i++) seen(kmtreea(src, root, 32));
    kmtreef(root);
}

typedef void operation(size_t n);
#define EACH for (size_t i = 0; i < n; i++)

static void heap_pair(size_t n) { EACH kmheapf(seen(kmheapa(32))); }
static void heap_zeroed(size_t n) { EACH kmheapf(seen(kmheapz(32))); }
static void heap_secret(size_t n) { EACH kmheaps(seen(kmheapa(32))); }
static void heap_handle(size_t n) { EACH kmfree(kmheapao(32)); }
static void heap_new(size_t n) {
    kmopt options = {0};
    options.sz = 32;
    EACH kmfree(kmnew(Kmheap, &options));
}
static void ref_pair(size_t n) { EACH kmrefd(seen(kmrefa(NULL, 32))); }
static void ref_handle(size_t n) { EACH kmfree(kmrefao(NULL, 32)); }
static void ref_again(size_t n) {
    void *one = kmrefa(NULL, 32);
    EACH kmrefd(kmrefu(one));
    kmrefd(one);
}
static void pool_pair(size_t n) {
    kmpool *pool = kmpooli(NULL, 32, 8);
    EACH kmpoolf(seen(kmpoola(pool)));
    kmpoolx(pool);
}
static void pool_handle(size_t n) {
    kmpool *pool = kmpooli(NULL, 32, 8);
    EACH kmfree(kmpoolao(pool, 32));
    kmpoolx(pool);
}
static void pool_apart(size_t n) {
    kmpool *pool = kmpooli(NULL, 1000, n);
    void **all = malloc(n * sizeof *all);
    EACH all[i] = kmpoola(pool);
    for (int round = 0; round < 4; round++) {
        EACH kmpoolf(all[i * 7919 % n]);
        EACH all[i] = kmpoola(pool);
    }
    kmpoolx(pool);
}
// A pool of each kind. It has grown if it can.
enum source { HEAP, NODE, POOL, CUSTOM };
static void *custom_alloc(kmsource *source, size_t size, size_t align) { (void)source, (void)align; return malloc(size); }
static void custom_free(kmsource *source, void *block, size_t size, size_t align) {
    (void)source, (void)size, (void)align;
    free(block);
}
static void pooled(size_t n, enum source from, int grow, enum kmkind what) {
    void *root = kmtreea(NULL, NULL, 0);
    kmpool *outer = kmpooli(NULL, 4096, 2);
    kmsource custom;
    kmsourcei(&custom, custom_alloc, custom_free, NULL);
    kmcell *sources[] = {NULL, kmtreeo(root).cell, (kmcell *)outer, (kmcell *)&custom};
    kmopt options = {0};
    options.sz = 96, options.grow = grow;
    kmpool *pool = kmpooliw(sources[from], &options, grow ? 4 : 12);
    for (int i = 0; i < (grow ? 6 : 0); i++) seen(kmpoola(pool));
    if (what == kmkind_pool) {
        EACH kmpoolf(seen(kmpoola(pool)));
    } else if (what == kmkind_ref) {
        EACH kmrefd(seen(kmrefa((kmcell *)pool, 32)));
    } else {
        EACH kmtreef(seen(kmtreea((kmcell *)pool, NULL, 32)));
    }
    kmpoolx(pool);
    kmpoolx(outer);
    kmtreef(root);
}
#define POOLED(name, from, grow) \
    static void name##_cell(size_t n) { pooled(n, from, grow, kmkind_pool); } \
    static void name##_ref(size_t n) { pooled(n, from, grow, kmkind_ref); } \
    static void name##_node(size_t n) { pooled(n, from, grow, kmkind_tree); }
POOLED(fixed, HEAP, 0)
POOLED(growing, HEAP, 1)
POOLED(on_node, NODE, 0)
POOLED(growing_on_node, NODE, 1)
POOLED(from_pool, POOL, 0)
POOLED(from_source, CUSTOM, 0)
static void tree_flat(size_t n) { flat(NULL, n); }
static void tree_pooled(size_t n) {
    kmpool *pool = kmpooli(NULL, 96, n + 1);
    flat((kmcell *)pool, n);
    kmpoolx(pool);
}
static void tree_chain(size_t n) {
    void *root = kmtreea(NULL, NULL, 32), *node = root;
    EACH node = kmtreea(NULL, node, 32);
    kmtreef(root);
}
static void tree_leaf(size_t n) {
    void *root = kmtreea(NULL, NULL, 32);
    EACH kmtreef(seen(kmtreea(NULL, root, 32)));
    kmtreef(root);
}
static void tree_leaf_handle(size_t n) {
    void *root = kmtreea(NULL, NULL, 32);
    EACH kmfree(kmtreeao(NULL, root, 32));
    kmtreef(root);
}
static void tree_named(size_t n) {
    void *root = kmtreea(NULL, NULL, 32);
    kmopt options = {0};
    options.sz = 32;
    options.name = "leaf";
    EACH wo(root, options);
    kmtreef(root);
}
static void tree_destructor(size_t n) {
    void *root = kmtreea(NULL, NULL, 32);
    kmopt options = {0};
    options.sz = 32;
    options.drop = nothing;
    EACH wo(root, options);
    kmtreef(root);
}
static void tree_hooked(size_t n) {
    void *root = kmtreea(NULL, NULL, 32);
    EACH {
        void *leaf = kmtreea(NULL, root, 32);
        seen(kmtreeh(leaf, nothing, NULL));
        kmtreef(leaf);
    }
    kmtreef(root);
}
static void tree_moved(size_t n) {
    void *parents[] = {kmtreea(NULL, NULL, 0), kmtreea(NULL, NULL, 0)}, *leaf = kmtreea(NULL, parents[0], 0);
    EACH kmtreem(leaf, parents[(i + 1) % 2]);
    kmtreef(parents[0]);
    kmtreef(parents[1]);
}
static void tree_walked(size_t n) {
    void *root = kmtreea(NULL, NULL, 0);
    for (int i = 0; i < 32; i++) seen(kmtreea(NULL, root, 0));
    for (size_t i = 0; i < n / 32; i++) {
        kmwalk walk = {.root = root};
        while (kmtreen(&walk)) seen(walk.at.ref);
    }
    kmtreef(root);
}
static void heap_resized(size_t n) {
    void *data = kmheapa(32);
    EACH data = kmheapr(kmheapr(data, 48), 32);
    kmheapf(data);
}
static void tree_resized(size_t n) {
    void *root = kmtreea(NULL, NULL, 0), *data = kmtreea(NULL, root, 16);
    seen(kmtreea(NULL, data, 0));
    EACH data = kmtreer(kmtreer(data, 32), 16);
    kmtreef(root);
}
// Nodes and counted cells behind a limit of the heap.
static void limited_ref(size_t n) {
    kmlimit *limit = kmlimiti(NULL, SPACE);
    EACH kmrefd(seen(kmrefa((kmcell *)limit, 32)));
    kmlimitx(limit);
}
static void limited_node(size_t n) {
    kmlimit *limit = kmlimiti(NULL, SPACE);
    EACH kmtreef(seen(kmtreea((kmcell *)limit, NULL, 32)));
    kmlimitx(limit);
}
// A tree in an arena of its own.
static void arena_tree(size_t n) {
    void *root = kmtreei(NULL, NULL, 32, n * 112 + 4096);
    EACH seen(kmtreea(Kmsame, root, 32));
    kmtreef(root);
}
static void arena_leaf(size_t n) {
    void *root = kmtreei(NULL, NULL, 32, 0);
    EACH kmtreef(seen(kmtreea(Kmsame, root, 32)));
    kmtreef(root);
}
#ifdef TALLOC
static void talloc_flat(size_t n, void *root) {
    EACH seen(talloc_named_const(root, 32, "node"));
    talloc_free(root);
}
static void talloc_leaf(size_t n, void *root) {
    EACH talloc_free(seen(talloc_named_const(root, 32, "node")));
    talloc_free(root);
}
static void talloc_nodes(size_t n) { talloc_flat(n, talloc_named_const(NULL, 32, "root")); }
static void talloc_leaves(size_t n) { talloc_leaf(n, talloc_named_const(NULL, 32, "root")); }
static void talloc_pool_nodes(size_t n) { talloc_flat(n, talloc_pool(NULL, (n + 2) * 128)); }
static void talloc_pool_leaves(size_t n) { talloc_leaf(n, talloc_pool(NULL, 4096)); }
#endif
static void string_made(size_t n) { EACH kmfree(kmdups(Kmheap, "a string")); }
static void string_grown(size_t n) {
    EACH {
        kmptr string = kmdups(Kmheap, "a string");
        for (int j = 0; j < 4; j++) seen(kmcats(&string, ", and more"));
        kmfree(string);
    }
}

static const struct {
    const char *name;
    operation *run;
} operations[] = {
    {"C heap a f", heap_pair},
    {"C heap z f", heap_zeroed},
    {"C heap a s", heap_secret},
    {"C heap ao free", heap_handle},
    {"C heap new free", heap_new},
    {"C heap r, larger and back", heap_resized},
    {"C ref a d", ref_pair},
    {"C ref ao free", ref_handle},
    {"C ref u d", ref_again},
    {"C pool a f", pool_pair},
    {"C pool ao free", pool_handle},
    {"C pool a f, far apart", pool_apart},
    {"C tree node a, all freed with the root", tree_flat},
    {"C tree node from a pool", tree_pooled},
    {"C tree node of a chain", tree_chain},
    {"C tree leaf a f", tree_leaf},
    {"C tree leaf ao free", tree_leaf_handle},
    {"C tree leaf w f, with a name", tree_named},
    {"C tree leaf w f, with a destructor", tree_destructor},
    {"C tree leaf a h f", tree_hooked},
    {"C tree m of a leaf", tree_moved},
    {"C tree r with a child, larger and back", tree_resized},
    {"C tree walk, a node", tree_walked},
    {"C fixed pool: a f", fixed_cell},
    {"C fixed pool: ref a f", fixed_ref},
    {"C fixed pool: node a f", fixed_node},
    {"C growing pool: a f", growing_cell},
    {"C growing pool: ref a f", growing_ref},
    {"C growing pool: node a f", growing_node},
    {"C pool on a node: a f", on_node_cell},
    {"C pool on a node: ref a f", on_node_ref},
    {"C pool on a node: node a f", on_node_node},
    {"C growing pool on a node: a f", growing_on_node_cell},
    {"C growing pool on a node: ref a f", growing_on_node_ref},
    {"C growing pool on a node: node a f", growing_on_node_node},
    {"C pool from a pool: a f", from_pool_cell},
    {"C pool from a pool: ref a f", from_pool_ref},
    {"C pool from a pool: node a f", from_pool_node},
    {"C pool from a source: a f", from_source_cell},
    {"C pool from a source: ref a f", from_source_ref},
    {"C pool from a source: node a f", from_source_node},
    {"C limit of the heap: ref a f", limited_ref},
    {"C limit of the heap: node a f", limited_node},
    {"C arena tree: node a, all freed with the root", arena_tree},
    {"C arena tree: node a f", arena_leaf},
#ifdef TALLOC
    {"talloc: node, all freed with the root", talloc_nodes},
    {"talloc: leaf, freed", talloc_leaves},
    {"talloc_pool: node, all freed with the root", talloc_pool_nodes},
    {"talloc_pool: leaf, freed", talloc_pool_leaves},
#endif
    {"C string made and freed", string_made},
    {"C string made, appended to four times, freed", string_grown},
};

int main(int argc, char **argv) {
    if (argc != 3) {
        for (size_t i = 0; i < Kmsz(operations); i++) puts(operations[i].name);
        return 0;
    }
    for (size_t i = 0; i < Kmsz(operations); i++) {
        if (strcmp(operations[i].name, argv[1]) != 0) continue;
        operations[i].run((size_t)atoi(argv[2]));
        return 0;
    }
    return 2;
}
