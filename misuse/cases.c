/* Wrong frees, one per run: `cases MISUSE METHOD`, or `cases --list`, `cases --version`.
 *
 * The same misuses over several libraries, each behind a layer chosen at compile time: LAYER_KMEM, LAYER_MIMALLOC,
 * LAYER_TALLOC, otherwise the malloc that the program is linked with or that is preloaded. What happens is said on standard
 * output, a line each: "at" before the wrong call, "refused" where it says no by its return value, "on" behind it, "harm: ..."
 * where something is seen to have come of it, "end" where the program got there. Reports are the library's, on standard error. */
#include <gnu/libc-version.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

typedef unsigned char byte;

/* With write(), for stdio draws from the heap that is being misused. */
static void say(const char *line)
{
    if (write(1, line, strlen(line)) < 0 || write(1, "\n", 1) < 0)
        _exit(3);
}
#define WRONG(...) do { say("at"); __VA_ARGS__; say("on"); } while (0)

enum { SIZE = 64, MANY = 64, LARGE = 1 << 20 };

typedef struct method {
    const char *name;
    void *(*alloc)(size_t);
    void (*free)(void *);
    size_t snug; /* bytes of data with no slack behind them */
} method;

/* Memory that the program has besides, which an attacker may have filled. */
static _Alignas(64) byte theirs[4096];
/* Blocks that are live as a case ends, of SIZE bytes or more. */
static byte *kept[128];
static size_t keeps;
/* Bytes that the case asks of each cell. */
static size_t unit = SIZE;
static void *keep(void *block)
{
    return kept[keeps++] = block;
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

#if defined LAYER_KMEM
#include "kmem.h"

enum { HEAP = 16, REF = 32, NODE = 64 }; /* bytes of header */
static kmpool *pool, *refpool, *treepool;
static void *root, *poolroot;
static _Alignas(16) byte buffer[1 << 14];

static void *heap_a(size_t size) { return kmheapa(size); }
static void *ref_a(size_t size) { return kmrefa(NULL, size); }
static void *tree_a(size_t size) { if (!root) root = kmtreea(NULL, NULL, 8); return kmtreea(NULL, root, size); }
static void *pool_a(size_t size)
{
    if (!pool) pool = kmpooli(NULL, size, 1000);
    return kmpoola(pool);
}
static void *poolbuf_a(size_t size)
{
    if (!pool) pool = kmpoolif(buffer, sizeof buffer, size);
    return kmpoola(pool);
}
static void *poolnode_a(size_t size)
{
    if (!pool) {
        root = kmtreea(NULL, NULL, 8);
        pool = kmpooli((kmcell *)((byte *)root - NODE), size, 100);
    }
    return kmpoola(pool);
}
static void *refpool_a(size_t size)
{
    if (!refpool) refpool = kmpooli(NULL, REF + size, 1000);
    return kmrefa((kmcell *)refpool, size);
}
static void *treepool_a(size_t size)
{
    if (!treepool) {
        treepool = kmpooli(NULL, NODE + size, 1000);
        poolroot = kmtreea((kmcell *)treepool, NULL, 8);
    }
    return kmtreea((kmcell *)treepool, poolroot, size);
}
static void tree_f(void *node) { kmtreef(node); }
static kmptr handle(kmkind kind, void *data, void *cell)
{
    kmptr handle = { 0 };
    handle.kind = kind, handle.ref = data, handle.cell = cell;
    return handle;
}
static void heap_h(void *data) { kmfree(handle(kmkind_heap, data, (byte *)data - HEAP)); }
static void ref_h(void *data) { kmfree(handle(kmkind_ref, data, (byte *)data - REF)); }
static void pool_h(void *data) { kmfree(handle(kmkind_pool, data, pool)); }
static void tree_h(void *data) { kmfree(handle(kmkind_tree, data, (byte *)data - NODE)); }

static const method methods[] = {
    { "heap", heap_a, kmheapf, 72 },           { "ref", ref_a, kmreff, 72 },
    { "pool", pool_a, kmpoolf, 80 },           { "tree", tree_a, tree_f, 72 },
    { "ref@pool", refpool_a, kmreff, 80 },     { "tree@pool", treepool_a, tree_f, 80 },
    { "pool@buffer", poolbuf_a, kmpoolf, 80 }, { "heap.handle", heap_a, heap_h, 72 },
    { "ref.handle", ref_a, ref_h, 72 },        { "pool.handle", pool_a, pool_h, 80 },
    { "tree.handle", tree_a, tree_h, 72 },     { "pool@tree", poolnode_a, kmpoolf, 80 },
};
#define BASE "heap ref pool tree ref@pool tree@pool"
#define PLAIN "heap ref pool tree"
#define HANDLES "heap.handle ref.handle pool.handle tree.handle"

#elif defined LAYER_TALLOC

void *talloc_named_const(const void *context, size_t size, const char *name);
int _talloc_free(void *data, const char *location);
void *talloc_pool(const void *context, size_t size);
int talloc_unlink(const void *context, void *data);
void _talloc_set_destructor(const void *data, int (*destructor)(void *));
void talloc_set_log_stderr(void);
int talloc_version_major(void);
int talloc_version_minor(void);

static void *root, *pool;
static void *heap_a(size_t size) { return talloc_named_const(NULL, size, "cell"); }
static void *tree_a(size_t size)
{
    if (!root) root = talloc_named_const(NULL, 8, "root");
    return talloc_named_const(root, size, "node");
}
static void *pool_a(size_t size)
{
    if (!pool) pool = talloc_pool(NULL, 1 << 16);
    return talloc_named_const(pool, size, "cell");
}
static void freed(void *data) { if (_talloc_free(data, "cases.c") != 0) say("refused"); }
static void unlinked(void *data) { if (talloc_unlink(root, data) != 0) say("refused"); }
static const method methods[] = {
    { "heap", heap_a, freed, 72 },
    { "ref", tree_a, unlinked, 72 },
    { "pool", pool_a, freed, 80 },
    { "tree", tree_a, freed, 72 },
};
#define BASE "heap ref pool tree"
#define PLAIN BASE
#define HANDLES ""

#else

#ifdef LAYER_MIMALLOC
void *mi_malloc(size_t);
void mi_free(void *);
int mi_version(void);
static void *heap_a(size_t size) { return mi_malloc(size); }
static const method methods[] = { { "heap", heap_a, mi_free, 72 } };
#else
static void *heap_a(size_t size) { return malloc(size); }
/* 72 bytes fill a chunk of glibc, 80 one of Scudo: SNUG. */
static method methods[] = { { "heap", heap_a, free, 72 } };
#endif
#define BASE "heap"
#define PLAIN BASE
#define HANDLES ""

#endif

/* ---- misuses of any library -------------------------------------------------------------------------------------- */

static void twice(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    m->free(one);
    WRONG(m->free(one));
}

static void twice_later(const method *m)
{
    void *one = m->alloc(SIZE), *two = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    m->free(one);
    m->free(two);
    WRONG(m->free(one));
}

static void twice_busy(const method *m)
{
    void *one = m->alloc(SIZE), *others[MANY];
    for (size_t i = 0; i < MANY; i++)
        others[i] = m->alloc(SIZE);
    m->free(one);
    for (size_t i = 0; i < MANY; i += 2)
        m->free(others[i]);
    WRONG(m->free(one));
}

/* What a cache of free blocks holds is full. */
static void twice_full(const method *m)
{
    void *one = m->alloc(SIZE), *two = m->alloc(SIZE), *others[8];
    for (size_t i = 0; i < 8; i++)
        others[i] = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    for (size_t i = 0; i < 8; i++)
        m->free(others[i]);
    m->free(one);
    m->free(two);
    WRONG(m->free(one));
}

static const method *thread_method;
static void *frees(void *block)
{
    thread_method->free(block);
    return NULL;
}
static void twice_thread(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    m->free(one);
    thread_method = m;
    pthread_t other;
    WRONG(if (pthread_create(&other, NULL, frees, one) || pthread_join(other, NULL)) exit(3));
}

static void twice_reused(const method *m)
{
    void *one = m->alloc(SIZE);
    m->free(one);
    for (size_t i = 0; i < MANY; i++)
        keep(m->alloc(SIZE));
    WRONG(m->free(one));
}

static void twice_large(const method *m)
{
    byte *one = m->alloc(LARGE);
    one[LARGE / 2] = 1;
    m->free(one);
    WRONG(m->free(one));
}

static void inside(const method *m, size_t by, int contents)
{
    byte *one = m->alloc(SIZE);
    memset(keep(one), contents, SIZE);
    WRONG(m->free(one + by));
}
static void inside_1(const method *m) { inside(m, 1, 0); }
static void inside_8(const method *m) { inside(m, 8, 0); }
static void inside_16(const method *m) { inside(m, 16, 0); }
static void inside_32(const method *m) { inside(m, 32, 0); }
static void inside_16_text(const method *m) { inside(m, 16, 'A'); }
static void inside_32_text(const method *m) { inside(m, 32, 'A'); }

static void stack(const method *m, int contents)
{
    _Alignas(64) byte own[512];
    memset(own, contents, sizeof own);
    m->alloc(SIZE);
    WRONG(m->free(own + 256));
}
static void stack_zero(const method *m) { stack(m, 0); }
static void stack_text(const method *m) { stack(m, 'A'); }

static void fixed(const method *m)
{
    m->alloc(SIZE);
    WRONG(m->free(theirs + 256));
}

static void foreign(const method *m)
{
    m->alloc(SIZE);
    void *block = malloc(SIZE);
    WRONG(m->free(block));
}

static void foreign_large(const method *m)
{
    m->alloc(SIZE);
    void *block = malloc(LARGE);
    WRONG(m->free(block));
}

static void to_libc(const method *m)
{
    void *one = m->alloc(SIZE);
    WRONG(free(one));
}

/* Two live cells of which nothing lies between: the attacker writes past the end of the first. */
typedef struct pair { byte *one, *two; } pair;
static pair neighbours(const method *m)
{
    static byte *all[MANY];
    unit = m->snug;
    for (size_t i = 0; i < MANY; i++)
        memset(all[i] = m->alloc(m->snug), 0, m->snug);
    size_t one = 0, two = 1, least = SIZE_MAX;
    for (size_t i = 0; i < MANY; i++)
        for (size_t j = 0; j < MANY; j++)
            if (all[j] > all[i] && (size_t)(all[j] - all[i]) < least)
                least = (size_t)(all[j] - all[i]), one = i, two = j;
    if (least > m->snug + 256) {
        say("apart");
        exit(0);
    }
    for (size_t i = 0; i < MANY; i++)
        if (i != one && i != two)
            keep(all[i]);
    return (pair){ all[one], all[two] };
}

static void over(const method *m, size_t bytes, int with)
{
    pair at = neighbours(m);
    memset(at.one + m->snug, with, bytes);
    WRONG(m->free(at.two); m->free(at.one));
}
static void over_1_zero(const method *m) { over(m, 1, 0); }
static void over_1_text(const method *m) { over(m, 1, 'A'); }
static void over_8_zero(const method *m) { over(m, 8, 0); }
static void over_8_text(const method *m) { over(m, 8, 'A'); }
static void over_16_zero(const method *m) { over(m, 16, 0); }
static void over_16_text(const method *m) { over(m, 16, 'A'); }

static int use(const method *m);

static void over_free(const method *m)
{
    pair at = neighbours(m);
    m->free(at.two);
    memset(at.one + m->snug, 'A', 16);
    keep(at.one);
    WRONG(use(m));
}

static void late_write(const method *m)
{
    pair at = neighbours(m);
    keep(at.one);
    m->free(at.two);
    memset(at.two, 'A', 16);
    WRONG(use(m));
}

/* ---- misuses of kmem's own ---------------------------------------------------------------------------------------- */

#ifdef LAYER_KMEM

static int is(const method *m, const char *name) { return strncmp(m->name, name, strlen(name)) == 0; }
static size_t header(const method *m) { return is(m, "tree") ? NODE : is(m, "ref") ? REF : HEAP; }
static kmpool **pool_of(const method *m) { return is(m, "ref") ? &refpool : is(m, "tree") ? &treepool : &pool; }

static void as_heap(const method *m) { void *one = keep(m->alloc(SIZE)); WRONG(kmheapf(one)); }
static void as_ref(const method *m) { void *one = keep(m->alloc(SIZE)); WRONG(kmreff(one)); }
static void as_pool(const method *m) { void *one = keep(m->alloc(SIZE)); WRONG(kmpoolf(one)); }
static void as_tree(const method *m) { void *one = keep(m->alloc(SIZE)); WRONG(kmtreef(one)); }

static void *cell_of(const method *m, void *data) { return is(m, "pool") ? (void *)pool : (byte *)data - header(m); }
static void crossed(const method *m, int kind)
{
    void *one = keep(m->alloc(SIZE));
    WRONG(kmfree(handle(kind, one, cell_of(m, one))));
}
static void handle_heap(const method *m) { crossed(m, kmkind_heap); }
static void handle_ref(const method *m) { crossed(m, kmkind_ref); }
static void handle_pool(const method *m) { crossed(m, kmkind_pool); }
static void handle_tree(const method *m) { crossed(m, kmkind_tree); }
static void handle_none(const method *m) { crossed(m, kmkind_none); }
static void handle_source(const method *m) { crossed(m, kmkind_source); }
static void handle_unknown(const method *m) { crossed(m, 77); }
static void handle_cell(const method *m)
{
    void *one = keep(m->alloc(SIZE)), *two = keep(m->alloc(SIZE));
    void *cell = cell_of(m, two);
    if (is(m, "pool")) pool = NULL, keep(m->alloc(SIZE)), cell = pool;
    WRONG(kmfree(handle(is(m, "heap") ? kmkind_heap : is(m, "ref") ? kmkind_ref : is(m, "pool") ? kmkind_pool : kmkind_tree,
                        one, cell)));
}

static void gone(const method *m)
{
    void *one = m->alloc(SIZE);
    m->alloc(SIZE);
    kmpoolx(pool);
    WRONG(m->free(one));
    pool = NULL;
}
static void gone_reused(const method *m)
{
    void *one = m->alloc(SIZE);
    m->alloc(SIZE);
    kmpoolx(pool);
    pool = NULL;
    for (size_t i = 0; i < MANY; i++)
        keep(m->alloc(SIZE));
    WRONG(m->free(one));
}
static void gone_large(const method *m)
{
    pool = kmpooli(NULL, LARGE, 4);
    void *one = kmpoola(pool);
    kmpoolx(pool);
    WRONG(m->free(one));
    pool = NULL;
}
static void torn_twice(const method *m)
{
    m->alloc(SIZE);
    kmpool *torn = pool;
    kmpoolx(torn);
    WRONG(kmpoolx(torn));
    pool = NULL;
}
static void drawn_gone(const method *m)
{
    void *one = m->alloc(SIZE);
    kmpool **source = pool_of(m);
    kmpoolx(*source);
    WRONG(m->free(one));
    *source = NULL;
}

static void node_gone(const method *m)
{
    void *one = m->alloc(SIZE);
    m->alloc(SIZE);
    kmtreef(root);
    WRONG(m->free(one));
    pool = NULL;
}
static void node_gone_torn(const method *m)
{
    m->alloc(SIZE);
    kmtreef(root);
    WRONG(kmpoolx(pool));
    pool = NULL;
}
static void twice_zeroed(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    if (is(m, "heap")) { kmheaps(one); WRONG(kmheaps(one)); }
    else if (is(m, "ref")) { kmrefs(one); WRONG(kmrefs(one)); }
    else if (is(m, "pool")) { kmpools(one); WRONG(kmpools(one)); }
    else { kmtrees(one); WRONG(kmtrees(one)); }
}
/* The second drop takes the reference of another holder, who finds out. */
static void dropped_for(const method *m)
{
    void *one = m->alloc(SIZE), *held = kmrefu(one);
    keep(m->alloc(SIZE));
    m->free(one);
    WRONG(m->free(one));
    m->free(held);
}
static void up_after(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    m->free(one);
    WRONG(kmrefu(one));
}
static void below_freed(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    m->free(one);
    WRONG(kmtreea(NULL, one, SIZE));
}

static void (*free_it)(void *);
static void frees_own(void *data, void *arg) { free_it(arg ? arg : data); }
static void *with_destructor(const method *m, void *arg)
{
    kmopt opt = { 0 };
    opt.sz = SIZE, opt.drop = frees_own, opt.arg = arg;
    free_it = m->free;
    if (is(m, "pool")) return pool = kmpooliw(NULL, &opt, 1000), kmpoola(pool);
    return is(m, "heap") ? kmheapw(&opt) : is(m, "ref") ? kmrefw(NULL, &opt) : kmtreew(NULL, m->alloc(SIZE), &opt);
}
static void own_destructor(const method *m)
{
    void *one = with_destructor(m, NULL);
    WRONG(m->free(one));
}
static void child_destructor(const method *m)
{
    void *top = kmtreea(NULL, NULL, SIZE), *middle = kmtreea(NULL, top, SIZE);
    kmopt opt = { 0 };
    opt.sz = SIZE, opt.drop = frees_own, opt.arg = top;
    free_it = m->free;
    kmtreew(NULL, middle, &opt);
    WRONG(m->free(top));
}
static void tears_down(void *data, void *arg) { kmpoolx(pool); }
static void cell_destructor(const method *m)
{
    kmopt opt = { 0 };
    opt.sz = SIZE, opt.drop = tears_down;
    pool = kmpooliw(NULL, &opt, 1000);
    void *one = kmpoola(pool);
    WRONG(m->free(one));
}

/* Headers: what a stray write leaves there. */
static void smash(const method *m, size_t at, size_t bytes, int with)
{
    byte *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    memset(one - header(m) + at, with, bytes);
    WRONG(m->free(one));
}
static void smash_zero(const method *m) { smash(m, 0, 16, 0); }
static void smash_text(const method *m) { smash(m, 0, 16, 'A'); }
static void smash_flags(const method *m) { smash(m, 5, 1, 0xff); }
static void smash_align(const method *m) { smash(m, 6, 1, 0xff); }
static void smash_align_fair(const method *m) { smash(m, 6, 1, 7); }
static void smash_heap(const method *m)
{
    byte *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    (one - header(m))[7] ^= 0x55;
    WRONG(m->free(one));
}
static void smash_size_tiny(const method *m) { smash(m, 8, 8, 0); }
static void smash_size_huge(const method *m) { smash(m, 8, 8, 'A'); }
static void smash_size_fair(const method *m) { smash(m, 8, 1, header(m) + 2 * SIZE); }
static void smash_src_zero(const method *m) { smash(m, header(m) - 8, 8, 0); }
static void smash_src_text(const method *m) { smash(m, header(m) - 8, 8, 'A'); }
static void smash_refs_zero(const method *m) { smash(m, 16, 8, 0); }
static void smash_refs_more(const method *m) { smash(m, 16, 1, 2); }
static void smash_size_mark_by(const method *m, size_t more)
{
    pair at = neighbours(m);
    byte *prefix = at.one - header(m);
    size_t size = header(m) + m->snug + more, whole = 0;
    prefix[4] = 1;
    memcpy(prefix + 8, &size, sizeof size);
    memset(keep(at.two), 'A', m->snug);
    WRONG(m->free(at.one));
    for (size_t i = 0; i < REF; i++)
        whole += (at.two - header(m))[i] != 0;
    if (!whole) say("harm: zeroed the cell behind it");
}
static void smash_size_mark(const method *m) { smash_size_mark_by(m, SIZE); }
static void smash_size_mark_256(const method *m) { smash_size_mark_by(m, 256); }
static void smash_size_256(const method *m)
{
    byte *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    (one - header(m))[9] += 1;
    WRONG(m->free(one));
}
static void smash_pool(const method *m)
{
    byte *one = m->alloc(SIZE);
    pool = NULL;
    m->alloc(SIZE);
    *(kmpool **)(one - 8) = pool;
    WRONG(m->free(one));
}
static void pool_header(const method *m, size_t at, size_t bytes, int with)
{
    byte *one = m->alloc(SIZE);
    memset((byte *)pool + at, with, bytes);
    WRONG(m->free(one));
    pool = NULL;
}
static void pool_header_zero(const method *m) { pool_header(m, 0, 16, 0); }
static void pool_header_text(const method *m) { pool_header(m, 0, 16, 'A'); }

/* A tree whose links lead elsewhere: to memory of the attacker's, or nowhere. */
static void link_to(const method *m, size_t link, int forged)
{
    void *first = keep(m->alloc(SIZE));
    void **node = (void **)((byte *)m->alloc(SIZE) - NODE);
    keep(m->alloc(SIZE));
    if (link == 3) m->free(kmtreea(NULL, node + 8, SIZE));
    memset(theirs, 0, sizeof theirs);
    if (forged) node[link] = theirs + 256;
    else memset(node + link, 'A', 8);
    WRONG(m->free(node + 8));
    for (size_t i = 0; i < sizeof theirs; i++)
        if (theirs[i]) { say("harm: wrote where the attacker said"); break; }
}
static void link_parent(const method *m) { link_to(m, 2, 1); }
static void link_child(const method *m) { link_to(m, 3, 1); }
static void link_prev(const method *m) { link_to(m, 5, 1); }
static void link_next(const method *m) { link_to(m, 6, 1); }
static void link_parent_text(const method *m) { link_to(m, 2, 0); }
static void link_child_text(const method *m) { link_to(m, 3, 0); }
static void link_prev_text(const method *m) { link_to(m, 5, 0); }
static void link_next_text(const method *m) { link_to(m, 6, 0); }

/* Forgeries of one who knows the layout and every address, but nothing that kmem keeps to itself. */
static void theirs_runs(void *data, void *arg) { say("harm: ran the attacker's function"); }
static void put_slot(byte *data, size_t at)
{
    void *slot[2] = { (void *)theirs_runs, NULL };
    memcpy(data + at, slot, sizeof slot);
}
/* From the end of the first cell to the flags of the second: what lies between is written as it was. */
static void forge_flags(const method *m)
{
    pair at = neighbours(m);
    put_slot(at.two, m->snug);
    (at.two - header(m))[5] = 1;
    WRONG(m->free(at.two); m->free(at.one));
}
/* The same, on to the size, so that the destructor lies in the second cell's data. */
static void forge_slot(const method *m)
{
    pair at = neighbours(m);
    put_slot(at.two, 16);
    byte *prefix = at.two - header(m);
    size_t size = header(m) + 16;
    prefix[5] = 1;
    memcpy(prefix + 8, &size, sizeof size);
    WRONG(m->free(at.two); m->free(at.one));
}

/* A pool in the attacker's memory: a copy of a real one, with what a write can change. */
static kmpool *forged_pool(kmpool *real, int with_destructor)
{
    void **words = (void **)(theirs + 512);
    const size_t n = sizeof(kmpool) / sizeof(void *);
    memcpy(words, real, sizeof(kmpool));
    for (size_t i = 0; i < n; i++)
        if (words[i] == real) words[i] = words;
    if (with_destructor) {
        /* Where a pool keeps its destructor is found out from one that has one. */
        kmopt opt = { 0 };
        opt.sz = SIZE, opt.drop = frees_own, opt.arg = theirs + 1;
        void **made = (void **)kmpooliw(NULL, &opt, 1);
        size_t at = 12;
        for (size_t i = 0; i < n; i++)
            if (made[i] == (void *)frees_own) at = i;
        words[at] = (void *)theirs_runs;
        ((byte *)words)[5] |= 32;
    }
    return (kmpool *)words;
}
static void forge_pool_with(const method *m, int destructor)
{
    pair at = neighbours(m);
    byte *cell = at.two - (is(m, "pool") ? 0 : header(m)) - HEAP;
    kmpool *fake = forged_pool(*pool_of(m), destructor);
    memset(cell, 0, 8);
    memcpy(cell + 8, &fake, 8);
    WRONG(m->free(at.two); m->free(at.one));
}
static void forge_pool(const method *m) { forge_pool_with(m, 0); }
static void forge_pool_drop(const method *m) { forge_pool_with(m, 1); }
static void forge_src(const method *m)
{
    pair at = neighbours(m);
    kmpool *fake = forged_pool(*pool_of(m), 1);
    byte *cell = at.two - header(m) - HEAP;
    memcpy(cell + 8, &fake, 8);
    memcpy(at.two - 8, &fake, 8);
    WRONG(m->free(at.two); m->free(at.one));
}
/* The destructor in the header of a real pool. */
static void forge_drop(const method *m)
{
    void *one = m->alloc(SIZE);
    memcpy(pool, forged_pool(pool, 1), sizeof(kmpool));
    void **words = (void **)pool;
    for (size_t i = 0; i < sizeof(kmpool) / sizeof(void *); i++)
        if (words[i] == theirs + 512) words[i] = pool;
    WRONG(m->free(one));
    pool = NULL;
}
/* The free list of a pool: the attacker's memory is to be handed out. */
static void forge_free(const method *m)
{
    pair at = neighbours(m);
    keep(at.one);
    m->free(at.two);
    void **fake = (void **)(theirs + 512), **cell = (void **)(at.two - HEAP);
    fake[0] = NULL, fake[1] = cell[1];
    cell[0] = fake;
    say("at");
    for (size_t i = 0; i < 3; i++)
        if (keep(m->alloc(m->snug)) == (void *)(fake + 2)) say("harm: handed out the attacker's memory");
    say("on");
}
/* The free neighbour is marked as one in use and freed once more. */
static void forge_live(const method *m)
{
    pair at = neighbours(m);
    keep(at.one);
    m->free(at.two);
    ((kmpool **)at.two)[-1] = *pool_of(m);
    WRONG(m->free(at.two));
}

#elif defined LAYER_TALLOC

static int frees_own(void *data) { freed(data); return 0; }
static void own_destructor(const method *m)
{
    void *one = m->alloc(SIZE);
    _talloc_set_destructor(one, frees_own);
    WRONG(m->free(one));
}
static void *top;
static int frees_top(void *data) { freed(top); return 0; }
static void child_destructor(const method *m)
{
    top = talloc_named_const(NULL, SIZE, "top");
    void *low = talloc_named_const(talloc_named_const(top, SIZE, "middle"), SIZE, "low");
    _talloc_set_destructor(low, frees_top);
    WRONG(m->free(top));
}
static void below_freed(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    m->free(one);
    WRONG(talloc_named_const(one, SIZE, "node"));
}
static void gone(const method *m)
{
    void *one = m->alloc(SIZE);
    m->alloc(SIZE);
    freed(pool);
    WRONG(m->free(one));
    pool = NULL;
}
static void torn_twice(const method *m)
{
    m->alloc(SIZE);
    freed(pool);
    WRONG(freed(pool));
    pool = NULL;
}

#endif

/* ---- the list ------------------------------------------------------------------------------------------------------- */

static const struct { const char *name; void (*run)(const method *); const char *methods; } cases[] = {
#ifdef LAYER_KMEM
    { "twice", twice, BASE " pool@buffer " HANDLES },
    { "twice-later", twice_later, BASE " pool@buffer " HANDLES },
    { "twice-busy", twice_busy, BASE },
    { "twice-full", twice_full, BASE },
    { "twice-thread", twice_thread, "heap ref" },
    { "twice-reused", twice_reused, BASE },
    { "twice-large", twice_large, "heap ref tree" },
    { "as-heap", as_heap, "ref pool tree ref@pool tree@pool" },
    { "as-ref", as_ref, "heap pool tree tree@pool" },
    { "as-pool", as_pool, "heap ref tree ref@pool tree@pool" },
    { "as-tree", as_tree, "heap ref pool ref@pool" },
    { "foreign", foreign, PLAIN },
    { "foreign-large", foreign_large, PLAIN },
    { "to-libc", to_libc, BASE },
#else
    { "twice", twice, BASE },
    { "twice-later", twice_later, BASE },
    { "twice-busy", twice_busy, BASE },
    { "twice-full", twice_full, BASE },
    { "twice-thread", twice_thread, "heap ref" },
    { "twice-reused", twice_reused, BASE },
    { "twice-large", twice_large, "heap ref tree" },
#if defined LAYER_MIMALLOC || defined LAYER_TALLOC
    { "foreign", foreign, BASE },
    { "foreign-large", foreign_large, BASE },
    { "to-libc", to_libc, BASE },
#endif
#endif
    { "inside-1", inside_1, PLAIN },
    { "inside-8", inside_8, PLAIN },
    { "inside-16", inside_16, PLAIN },
    { "inside-32", inside_32, PLAIN },
    { "inside-16-text", inside_16_text, PLAIN },
    { "inside-32-text", inside_32_text, PLAIN },
    { "stack", stack_zero, PLAIN },
    { "stack-text", stack_text, PLAIN },
    { "static", fixed, PLAIN },
#ifdef LAYER_KMEM
    { "gone", gone, "pool pool@buffer pool@tree pool.handle" },
    { "gone-large", gone_large, "pool" },
    { "gone-reused", gone_reused, "pool pool@buffer" },
    { "torn-twice", torn_twice, "pool pool@buffer pool@tree" },
    { "drawn-gone", drawn_gone, "ref@pool tree@pool" },
    { "node-gone", node_gone, "pool@tree" },
    { "node-gone-torn", node_gone_torn, "pool@tree" },
    { "twice-zeroed", twice_zeroed, BASE },
    { "dropped-for", dropped_for, "ref ref@pool" },
    { "up-after", up_after, "ref ref@pool" },
    { "below-freed", below_freed, "tree tree@pool" },
    { "own-destructor", own_destructor, PLAIN " " HANDLES },
    { "child-destructor", child_destructor, "tree" },
    { "cell-destructor", cell_destructor, "pool" },
    { "handle-heap", handle_heap, "ref pool tree" },
    { "handle-ref", handle_ref, "heap pool tree" },
    { "handle-pool", handle_pool, "heap ref tree" },
    { "handle-tree", handle_tree, "heap ref pool" },
    { "handle-cell", handle_cell, PLAIN },
    { "handle-source", handle_source, PLAIN },
    { "handle-unknown", handle_unknown, PLAIN },
    { "handle-none", handle_none, PLAIN },
#elif defined LAYER_TALLOC
    { "gone", gone, "pool" },
    { "torn-twice", torn_twice, "pool" },
    { "below-freed", below_freed, "tree" },
    { "own-destructor", own_destructor, "heap pool tree" },
    { "child-destructor", child_destructor, "tree" },
#endif
    { "over-1-zero", over_1_zero, BASE },
    { "over-1-text", over_1_text, BASE },
    { "over-8-zero", over_8_zero, BASE },
    { "over-8-text", over_8_text, BASE },
    { "over-16-zero", over_16_zero, BASE },
    { "over-16-text", over_16_text, BASE },
    { "over-free", over_free, BASE },
    { "late-write", late_write, BASE },
#ifdef LAYER_KMEM
    { "forge-flags", forge_flags, "heap ref tree" },
    { "forge-slot", forge_slot, "heap ref tree ref@pool tree@pool" },
    { "forge-pool", forge_pool, "pool ref@pool tree@pool" },
    { "forge-pool-drop", forge_pool_drop, "pool ref@pool tree@pool" },
    { "forge-src", forge_src, "ref@pool tree@pool" },
    { "forge-drop", forge_drop, "pool" },
    { "forge-free", forge_free, "pool" },
    { "forge-live", forge_live, "pool" },
    { "smash-zero", smash_zero, BASE },
    { "smash-text", smash_text, BASE },
    { "smash-flags", smash_flags, "heap ref tree ref@pool tree@pool" },
    { "smash-align", smash_align, "heap ref tree ref@pool tree@pool" },
    { "smash-align-fair", smash_align_fair, "heap ref tree ref@pool tree@pool" },
    { "smash-heap", smash_heap, "heap ref tree ref@pool tree@pool" },
    { "smash-size-tiny", smash_size_tiny, "heap ref tree ref@pool tree@pool" },
    { "smash-size-huge", smash_size_huge, "heap ref tree ref@pool tree@pool" },
    { "smash-size-fair", smash_size_fair, "heap ref tree ref@pool tree@pool" },
    { "smash-size-mark", smash_size_mark, "heap ref tree ref@pool tree@pool" },
    { "smash-size-256", smash_size_256, "heap ref tree ref@pool tree@pool" },
    { "smash-size-mark-256", smash_size_mark_256, "heap ref tree ref@pool tree@pool" },
    { "smash-src-zero", smash_src_zero, "ref@pool tree@pool" },
    { "smash-src-text", smash_src_text, "ref tree ref@pool tree@pool" },
    { "smash-refs-zero", smash_refs_zero, "ref ref@pool" },
    { "smash-refs-more", smash_refs_more, "ref ref@pool" },
    { "smash-pool", smash_pool, "pool" },
    { "pool-zero", pool_header_zero, "pool pool@buffer" },
    { "pool-text", pool_header_text, "pool pool@buffer" },
    { "link-parent", link_parent, "tree tree@pool" },
    { "link-child", link_child, "tree tree@pool" },
    { "link-prev", link_prev, "tree tree@pool" },
    { "link-next", link_next, "tree tree@pool" },
    { "link-parent-text", link_parent_text, "tree tree@pool" },
    { "link-child-text", link_child_text, "tree tree@pool" },
    { "link-prev-text", link_prev_text, "tree tree@pool" },
    { "link-next-text", link_next_text, "tree tree@pool" },
#endif
};

/* Goes on as a program would, and says whether a block was handed out that somebody has. */
static int use(const method *m)
{
    byte *more[32];
    for (size_t i = 0; i < 32; i++)
        if ((more[i] = m->alloc(unit)))
            memset(more[i], 0x5a, unit);
    for (size_t i = 0; i < 32; i++) {
        if (!more[i]) continue;
        for (size_t j = 0; j < i; j++)
            if (more[i] == more[j]) return say("harm: handed out one block twice"), 1;
        for (size_t j = 0; j < keeps; j++)
            if (more[i] < kept[j] + SIZE && kept[j] < more[i] + unit) return say("harm: handed out a block in use"), 1;
    }
    for (size_t i = 0; i < 32; i++)
        m->free(more[i]);
    free(malloc(SIZE));
    return 0;
}

static int listed(const char *name, const char *list)
{
    const size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at++)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0))
            return 1;
    return 0;
}

/* Which library this is, as it says itself. */
static void version(void)
{
#if defined LAYER_KMEM
    puts(Kmversion);
#elif defined LAYER_TALLOC
    printf("%d.%d\n", talloc_version_major(), talloc_version_minor());
#elif defined LAYER_MIMALLOC
    printf("%d.%d.%d\n", mi_version() / 10000 % 100, mi_version() / 100 % 100, mi_version() % 100);
#else
    puts(gnu_get_libc_version());
#endif
}

int main(int count, char **args)
{
    if (count == 2 && strcmp(args[1], "--version") == 0)
        return version(), 0;
    const int listing = count == 2 && strcmp(args[1], "--list") == 0;
    if (!listing && count != 3) {
        fprintf(stderr, "usage: cases MISUSE METHOD | --list | --version\n");
        return 2;
    }
#if !defined LAYER_KMEM && !defined LAYER_TALLOC && !defined LAYER_MIMALLOC
    if (getenv("SNUG")) methods[0].snug = (size_t)atoi(getenv("SNUG"));
#endif
#ifdef LAYER_TALLOC
    talloc_set_log_stderr();
#endif
    prctl(PR_SET_DUMPABLE, 0); /* ends without a core file */
    alarm(5);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
            if (!listed(methods[i].name, cases[c].methods)) continue;
            if (listing) {
                printf("%s %s\n", cases[c].name, methods[i].name);
            } else if (!strcmp(cases[c].name, args[1]) && !strcmp(methods[i].name, args[2])) {
                cases[c].run(&methods[i]);
                use(&methods[i]);
                say("end");
                return 0;
            }
        }
    return listing ? 0 : 2;
}
