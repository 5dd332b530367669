/* Wrong frees and what else a cell's life can go wrong by, one per run: `cases MISUSE METHOD`, or `cases --list`, `cases --version`.
 *
 * The same misuses over several libraries, each behind a layer chosen at compile time: LAYER_KMEM, LAYER_MIMALLOC,
 * LAYER_TALLOC, otherwise the malloc that the program is linked with or that is preloaded. What happens is said on standard
 * output, a line each: "at" before the wrong call, "refused" where it says no by its return value, "on" behind it, "harm: ..."
 * where something is seen to have come of it, "end" where the program got there. Reports are the library's, on standard error. */
#include <errno.h>
#include <gnu/libc-version.h>
#include <malloc.h>
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
    void *(*resize)(void *, size_t);
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
static void *tree_r(void *node, size_t size) { return kmtreer(node, size); }
static void *resized_as(kmkind kind, void *data, void *cell, size_t size)
{
    kmptr it = handle(kind, data, cell);
    return kmresize(&it, size);
}
static void *heap_hr(void *data, size_t size) { return resized_as(kmkind_heap, data, (byte *)data - HEAP, size); }
static void *ref_hr(void *data, size_t size) { return resized_as(kmkind_ref, data, (byte *)data - REF, size); }
static void *pool_r(void *data, size_t size) { return resized_as(kmkind_pool, data, NULL, size); }
static void *pool_hr(void *data, size_t size) { return resized_as(kmkind_pool, data, pool, size); }
static void *tree_hr(void *data, size_t size) { return resized_as(kmkind_tree, data, (byte *)data - NODE, size); }
static void heap_h(void *data) { kmfree(handle(kmkind_heap, data, (byte *)data - HEAP)); }
static void ref_h(void *data) { kmfree(handle(kmkind_ref, data, (byte *)data - REF)); }
static void pool_h(void *data) { kmfree(handle(kmkind_pool, data, pool)); }
static void tree_h(void *data) { kmfree(handle(kmkind_tree, data, (byte *)data - NODE)); }

static const method methods[] = {
    { "heap", heap_a, kmheapf, 72, kmheapr },
    { "ref", ref_a, kmreff, 72, kmrefr },
    { "pool", pool_a, kmpoolf, 80, pool_r },
    { "tree", tree_a, tree_f, 72, tree_r },
    { "ref@pool", refpool_a, kmreff, 80, kmrefr },
    { "tree@pool", treepool_a, tree_f, 80, tree_r },
    { "pool@buffer", poolbuf_a, kmpoolf, 80, pool_r },
    { "heap.handle", heap_a, heap_h, 72, heap_hr },
    { "ref.handle", ref_a, ref_h, 72, ref_hr },
    { "pool.handle", pool_a, pool_h, 80, pool_hr },
    { "tree.handle", tree_a, tree_h, 72, tree_hr },
    { "pool@tree", poolnode_a, kmpoolf, 80, pool_r },
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
void *_talloc_realloc(const void *context, void *data, size_t size, const char *name);
void *_talloc_steal_loc(const void *parent, const void *data, const char *location);
void *_talloc_reference_loc(const void *context, const void *data, const char *location);
void *talloc_parent(const void *data);
size_t talloc_get_size(const void *data);
size_t talloc_total_size(const void *data);
const char *talloc_get_name(const void *data);
void *talloc_check_name(const void *data, const char *name);
void talloc_set_name_const(const void *data, const char *name);
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
static void *resized(void *data, size_t size) { return _talloc_realloc(NULL, data, size, "cell"); }
static size_t size_of(void *data) { return talloc_get_size(data); }
static const method methods[] = {
    { "heap", heap_a, freed, 72, resized },
    { "ref", tree_a, unlinked, 72, resized },
    { "pool", pool_a, freed, 80, resized },
    { "tree", tree_a, freed, 72, resized },
};
#define BASE "heap ref pool tree"
#define PLAIN BASE
#define HANDLES ""

#else

#ifdef LAYER_MIMALLOC
void *mi_malloc(size_t);
void mi_free(void *);
void *mi_realloc(void *, size_t);
size_t mi_usable_size(const void *);
int mi_version(void);
static void *heap_a(size_t size) { return mi_malloc(size); }
static size_t size_of(void *data) { return mi_usable_size(data); }
static const method methods[] = { { "heap", heap_a, mi_free, 72, mi_realloc } };
#else
static void *heap_a(size_t size) { return malloc(size); }
/* 72 bytes fill a chunk of glibc, 80 one of Scudo: SNUG. */
static method methods[] = { { "heap", heap_a, free, 72, realloc } };
static size_t size_of(void *data) { return malloc_usable_size(data); }
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

/* To a size that a pool's cell has, and others have to move for. */
static size_t other_size(const method *m) { return strchr(m->name, '@') || strstr(m->name, "pool") ? 48 : 200; }
static void resize(const method *m, void *data, size_t size)
{
    void *now = m->resize(data, size);
    if (now) keep(now);
    else say("refused");
}
static void resize_freed(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    m->free(one);
    WRONG(resize(m, one, other_size(m)));
}
static void resize_freed_smaller(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    m->free(one);
    WRONG(resize(m, one, SIZE / 2));
}
static void resize_reused(const method *m)
{
    void *one = m->alloc(SIZE);
    m->free(one);
    for (size_t i = 0; i < MANY; i++)
        keep(m->alloc(SIZE));
    WRONG(resize(m, one, other_size(m)));
}
static void resize_inside(const method *m, size_t by, int contents)
{
    byte *one = m->alloc(SIZE);
    memset(keep(one), contents, SIZE);
    WRONG(resize(m, one + by, other_size(m)));
}
static void resize_inside_1(const method *m) { resize_inside(m, 1, 0); }
static void resize_inside_16(const method *m) { resize_inside(m, 16, 0); }
static void resize_inside_16_text(const method *m) { resize_inside(m, 16, 'A'); }
static void resize_fixed(const method *m)
{
    m->alloc(SIZE);
    WRONG(resize(m, theirs + 256, other_size(m)));
}
static void resize_foreign(const method *m)
{
    m->alloc(SIZE);
    void *block = malloc(SIZE);
    WRONG(resize(m, block, other_size(m)));
}
/* The address that a block had before it grew, and moved. */
static void *stale(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    void *now = m->resize(one, 1 << 14);
    if (now == one) {
        say("apart");
        exit(0);
    }
    keep(now);
    return one;
}
static void stale_freed(const method *m) { void *one = stale(m); WRONG(m->free(one)); }
static void stale_resized(const method *m) { void *one = stale(m); WRONG(resize(m, one, other_size(m))); }
#ifndef LAYER_KMEM
static void size_freed(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    m->free(one);
    WRONG(if (!size_of(one)) say("refused"));
}
#endif

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
static kmkind kind_of(const method *m)
{
    return is(m, "heap") ? kmkind_heap : is(m, "ref") ? kmkind_ref : is(m, "pool") ? kmkind_pool : kmkind_tree;
}
static kmptr right(const method *m, void *data) { return handle(kind_of(m), data, cell_of(m, data)); }

/* What is done to the object of a handle. */
typedef void act(kmptr);
static void *holder(void)
{
    static void *node;
    if (!node) node = kmtreea(NULL, NULL, 8);
    return node;
}
static void freeing(kmptr it) { kmfree(it); }
static void resizing(kmptr it) { if (!kmresize(&it, 48)) say("refused"); }
static void adopting(kmptr it) { if (!kmtreek(holder(), it)) say("refused"); }
static void sizing(kmptr it)
{
    const size_t size = kmsize(it);
    if (!size) say("refused");
    else if (size != SIZE && it.kind != kmkind_pool) say("harm: gave a size that is not the cell's");
}
static void renaming(kmptr it) { errno = 0; kmrename(it, "another"); if (errno) say("refused"); }
static void naming(kmptr it) { if (!kmname(it)) say("refused"); else say("harm: gave a name that is not the cell's"); }
static void casting(kmptr it) { if (!kmcast(it, "theirs")) say("refused"); else say("harm: took it for what it is not"); }
static void appending(kmptr it) { if (!kmcat(&it, "text", 4)) say("refused"); }
static void appending_text(kmptr it) { if (!kmcats(&it, "text")) say("refused"); }

static void crossed_by(const method *m, int kind, act *to)
{
    void *one = keep(m->alloc(SIZE));
    holder();
    WRONG(to(handle(kind, one, cell_of(m, one))));
}
static void crossed(const method *m, int kind) { crossed_by(m, kind, freeing); }
static void handle_heap(const method *m) { crossed(m, kmkind_heap); }
static void handle_ref(const method *m) { crossed(m, kmkind_ref); }
static void handle_pool(const method *m) { crossed(m, kmkind_pool); }
static void handle_tree(const method *m) { crossed(m, kmkind_tree); }
static void handle_none(const method *m) { crossed(m, kmkind_none); }
static void handle_source(const method *m) { crossed(m, kmkind_source); }
static void handle_unknown(const method *m) { crossed(m, 77); }
static void crossed_cell(const method *m, act *to)
{
    void *one = keep(m->alloc(SIZE)), *two = keep(m->alloc(SIZE));
    void *cell = cell_of(m, two);
    if (is(m, "pool")) pool = NULL, keep(m->alloc(SIZE)), cell = pool;
    holder();
    WRONG(to(handle(kind_of(m), one, cell)));
}
static void handle_cell(const method *m) { crossed_cell(m, freeing); }

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
static void *made_with(const method *m, void (*drop)(void *, void *), void *arg)
{
    kmopt opt = { 0 };
    opt.sz = SIZE, opt.drop = drop, opt.arg = arg;
    free_it = m->free;
    if (is(m, "pool")) return pool = kmpooliw(NULL, &opt, 1000), kmpoola(pool);
    return is(m, "heap") ? kmheapw(&opt) : is(m, "ref") ? kmrefw(NULL, &opt) : kmtreew(NULL, m->alloc(SIZE), &opt);
}
static void own_destructor(const method *m)
{
    void *one = made_with(m, frees_own, NULL);
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

static void frees_node(void *data, void *arg) { kmtreef(pool); }
static void node_destructor(const method *m)
{
    kmopt opt = { 0 };
    opt.sz = SIZE, opt.drop = frees_node;
    pool = kmpooliw(kmtreeo(kmtreea(NULL, NULL, SIZE)).cell, &opt, 1000);
    void *one = kmpoola(pool);
    WRONG(m->free(one));
}

/* Headers: what a stray write leaves there. */
static void *smashed(const method *m, size_t at, size_t bytes, int with)
{
    byte *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    return memset(one - header(m) + at, with, bytes), one;
}
static void smash(const method *m, size_t at, size_t bytes, int with)
{
    void *one = smashed(m, at, bytes, with);
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
typedef void node_act(void *node);
static void freeing_node(void *node) { kmtreef(node); }
static void link_by(const method *m, size_t link, int forged, node_act *to)
{
    void *first = keep(m->alloc(SIZE));
    void **node = (void **)((byte *)m->alloc(SIZE) - NODE);
    keep(m->alloc(SIZE));
    if (link == 3 || link == 4) m->free(kmtreea(NULL, node + 8, SIZE));
    holder();
    memset(theirs, 0, sizeof theirs);
    if (forged) node[link] = theirs + 256;
    else memset(node + link, 'A', 8);
    WRONG(to(node + 8));
    for (size_t i = 0; i < sizeof theirs; i++)
        if (theirs[i]) { say("harm: wrote where the attacker said"); break; }
}
static void link_to(const method *m, size_t link, int forged) { link_by(m, link, forged, freeing_node); }
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

/* Resized. */
static void resize_as_heap(const method *m) { void *one = keep(m->alloc(SIZE)); WRONG(if (!kmheapr(one, 200)) say("refused")); }
static void resize_as_ref(const method *m) { void *one = keep(m->alloc(SIZE)); WRONG(if (!kmrefr(one, 200)) say("refused")); }
static void resize_as_tree(const method *m) { void *one = keep(m->alloc(SIZE)); WRONG(if (!kmtreer(one, 200)) say("refused")); }
static void resize_handle_heap(const method *m) { crossed_by(m, kmkind_heap, resizing); }
static void resize_handle_ref(const method *m) { crossed_by(m, kmkind_ref, resizing); }
static void resize_handle_pool(const method *m) { crossed_by(m, kmkind_pool, resizing); }
static void resize_handle_tree(const method *m) { crossed_by(m, kmkind_tree, resizing); }
static void resize_handle_none(const method *m) { crossed_by(m, kmkind_none, resizing); }
static void resize_handle_unknown(const method *m) { crossed_by(m, 77, resizing); }
static void resize_handle_cell(const method *m) { crossed_cell(m, resizing); }
static void resize_shared(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(kmrefu(one));
    WRONG(resize(m, one, other_size(m)));
}
static void resize_gone(const method *m)
{
    void *one = m->alloc(SIZE);
    m->alloc(SIZE);
    kmpool **source = pool_of(m);
    kmpoolx(*source);
    WRONG(resize(m, one, other_size(m)));
    *source = NULL;
}
static void resize_smash(const method *m, size_t at, size_t bytes, int with)
{
    void *one = smashed(m, at, bytes, with);
    WRONG(resize(m, one, other_size(m)));
}
static void resize_smash_zero(const method *m) { resize_smash(m, 0, 16, 0); }
static void resize_smash_text(const method *m) { resize_smash(m, 0, 16, 'A'); }
static void resize_smash_flags(const method *m) { resize_smash(m, 5, 1, 0xff); }
static void resize_smash_align(const method *m) { resize_smash(m, 6, 1, 7); }
static void resize_smash_size_tiny(const method *m) { resize_smash(m, 8, 8, 0); }
static void resize_smash_size_huge(const method *m) { resize_smash(m, 8, 8, 'A'); }
static void resize_smash_size_fair(const method *m) { resize_smash(m, 8, 1, header(m) + 2 * SIZE); }
static void resize_smash_src(const method *m) { resize_smash(m, header(m) - 8, 8, 'A'); }
static void resize_smash_refs(const method *m) { resize_smash(m, 16, 8, 0); }
static void resize_smash_heap(const method *m)
{
    byte *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    (one - header(m))[7] ^= 0x55;
    WRONG(resize(m, one, other_size(m)));
}
static void resize_smash_pool(const method *m)
{
    byte *one = m->alloc(SIZE);
    pool = NULL;
    m->alloc(SIZE);
    *(kmpool **)(one - 8) = pool;
    WRONG(resize(m, one, other_size(m)));
}
/* What lies behind the data. */
static void resize_smash_drop(const method *m)
{
    byte *one = made_with(m, frees_own, NULL);
    memset(one + SIZE, 'A', 16);
    WRONG(resize(m, one, other_size(m)));
}
static void *named(const method *m, const char *name)
{
    kmopt opt = { 0 };
    opt.sz = SIZE, opt.name = name;
    return is(m, "heap") ? kmheapw(&opt) : is(m, "ref") ? kmrefw(NULL, &opt) : kmtreew(NULL, m->alloc(SIZE), &opt);
}
static void resize_smash_name(const method *m)
{
    byte *one = named(m, "ours");
    memset(one + SIZE, 'A', 8);
    WRONG(resize(m, one, other_size(m)));
}

/* In destructors and hooks. */
static const method *running;
static void (*runs)(void *);
static void run_it(void *data, void *arg) { runs(data); }
static void *top;
static void in_destructor(const method *m, void (*run)(void *))
{
    runs = run, running = m;
    holder();
    void *one = made_with(m, run_it, NULL);
    WRONG(m->free(one));
}
static void in_hook(const method *m, void (*run)(void *))
{
    runs = run, running = m;
    holder();
    void *one = m->alloc(SIZE);
    kmtreeh(one, run_it, NULL);
    WRONG(m->free(one));
}
static void in_child(const method *m, void (*run)(void *))
{
    runs = run, running = m;
    holder();
    top = kmtreea(NULL, NULL, SIZE);
    kmopt opt = { 0 };
    opt.sz = SIZE, opt.drop = run_it;
    kmtreew(NULL, kmtreea(NULL, top, SIZE), &opt);
    WRONG(m->free(top));
}
/* Below a node that stays a child, whose hook runs. */
static void *leaving(const method *m, void (*run)(void *))
{
    runs = run, running = m;
    top = kmtreea(NULL, NULL, SIZE);
    void *child = kmtreea(NULL, top, SIZE);
    kmtreea(NULL, child, SIZE);
    return kmtreeh(child, run_it, NULL);
}
static void in_leaving(const method *m, void (*run)(void *))
{
    void *child = leaving(m, run);
    WRONG(m->free(child));
}
static void resizes_it(void *data) { resize(running, data, other_size(running)); }
static void resizes_top(void *data) { resize(running, top, 200); }
static void moves_top_below(void *data) { if (!kmtreem(top, kmtreec(data))) say("refused"); }
static void frees_it(void *data) { running->free(data); }
static void frees_top(void *data) { running->free(top); }
static void moves_it(void *data) { if (!kmtreem(data, holder())) say("refused"); }
static void moves_to_top(void *data) { if (!kmtreem(holder(), top)) say("refused"); }
static void children_to_top(void *data) { if (!kmtreemc(holder(), top)) say("refused"); }
static void adopts_by_it(void *data) { if (!kmtreek(data, kmheapao(SIZE))) say("refused"); }
static void adopts_it(void *data) { if (!kmtreek(holder(), right(running, data))) say("refused"); }
static void hooks_it(void *data) { if (!kmtreeh(data, run_it, NULL)) say("refused"); }
static void unhooks_it(void *data) { if (!kmtreehx(data, run_it, NULL)) say("refused"); }
static void adds_below_it(void *data) { if (!kmtreea(NULL, data, 8)) say("refused"); }
static void resize_own_destructor(const method *m) { in_destructor(m, resizes_it); }
static void resize_own_hook(const method *m) { in_hook(m, resizes_it); }
static void resize_above(const method *m) { in_child(m, resizes_top); }
static void child_leaving(const method *m) { in_leaving(m, frees_top); }
static void child_emptied(const method *m)
{
    leaving(m, frees_top);
    WRONG(kmtreex(top));
}
static void resize_leaving(const method *m) { in_leaving(m, resizes_top); }
static void move_leaving(const method *m) { in_leaving(m, moves_top_below); }
static void move_dying(const method *m) { in_destructor(m, moves_it); }
static void move_dying_hook(const method *m) { in_hook(m, moves_it); }
static void move_to_dying(const method *m) { in_child(m, moves_to_top); }
static void children_to_dying(const method *m) { in_child(m, children_to_top); }
static void adopt_by_dying(const method *m) { in_destructor(m, adopts_by_it); }
static void adopt_by_dying_hook(const method *m) { in_hook(m, adopts_by_it); }
static void adopt_dying(const method *m) { in_destructor(m, adopts_it); }
static void hook_dying(const method *m) { in_destructor(m, hooks_it); }
static void hook_dying_hook(const method *m) { in_hook(m, hooks_it); }
static void unhook_dying(const method *m) { in_hook(m, unhooks_it); }
static void hook_frees_own(const method *m) { in_hook(m, frees_it); }
static void hook_frees_above(const method *m)
{
    runs = frees_top, running = m;
    top = kmtreea(NULL, NULL, SIZE);
    kmtreeh(kmtreea(NULL, kmtreea(NULL, top, SIZE), SIZE), run_it, NULL);
    WRONG(m->free(top));
}
static void hook_adds(const method *m) { in_hook(m, adds_below_it); }
static void hook_forged(const method *m)
{
    byte *one = m->alloc(SIZE);
    runs = frees_it;
    kmtreeh(one, run_it, NULL);
    put_slot((byte *)((kmnode *)(one - NODE))->child + NODE, 0);
    WRONG(m->free(one));
}

/* Moved. */
static void move(void *node, void *parent) { if (!kmtreem(node, parent)) say("refused"); }
static void *freed_one(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    holder();
    m->free(one);
    return one;
}
static void move_freed(const method *m) { void *one = freed_one(m); WRONG(move(one, holder())); }
static void move_below_freed(const method *m) { void *one = freed_one(m); WRONG(move(holder(), one)); }
static void children_of_freed(const method *m)
{
    void *one = freed_one(m);
    WRONG(if (!kmtreemc(one, holder())) say("refused"));
}
static void move_below_itself(const method *m)
{
    void *one = m->alloc(SIZE), *low = kmtreea(NULL, kmtreea(NULL, one, SIZE), SIZE);
    WRONG(move(one, low); m->free(one));
}
static void unchecked_below_itself(const method *m)
{
    void *one = m->alloc(SIZE), *low = kmtreea(NULL, kmtreea(NULL, one, SIZE), SIZE);
    WRONG(if (!kmtreemu(one, low)) say("refused"));
}
static void children_below(const method *m)
{
    void *one = m->alloc(SIZE), *low = kmtreea(NULL, kmtreea(NULL, one, SIZE), SIZE);
    WRONG(if (!kmtreemc(one, low)) say("refused"); m->free(one));
}
static void move_as_tree(const method *m) { void *one = keep(m->alloc(SIZE)); WRONG(move(one, holder())); }
static void move_below_other(const method *m) { void *one = keep(m->alloc(SIZE)); WRONG(move(holder(), one)); }
static void move_foreign(const method *m) { m->alloc(SIZE); void *block = malloc(SIZE); WRONG(move(block, holder())); }
static void move_below_foreign(const method *m) { m->alloc(SIZE); void *block = malloc(SIZE); WRONG(move(holder(), block)); }
static void move_smash_zero(const method *m) { void *one = smashed(m, 0, 16, 0); WRONG(move(one, holder())); }
static void move_smash_text(const method *m) { void *one = smashed(m, 0, 16, 'A'); WRONG(move(one, holder())); }

/* With links that lead elsewhere. */
static void resizing_node(void *node) { if (!kmtreer(node, 1 << 14)) say("refused"); }
static void moving(void *node) { move(node, holder()); }
static void moving_children(void *node) { if (!kmtreemc(node, holder())) say("refused"); }
static void moving_siblings(void *node) { if (!kmtreemc(root, holder())) say("refused"); }
static void moving_to(void *node) { move(holder(), node); }
static void moving_with_child(void *node) { kmtreea(NULL, holder(), 8); move(holder(), node); }
static void adopting_by(void *node) { if (!kmtreek(node, kmheapao(SIZE))) say("refused"); }
static void letting_go(void *node) { if (!kmtreel(node, holder()).ref) say("refused"); }
static void hooking(void *node) { if (!kmtreeh(node, run_it, NULL)) say("refused"); }
static void unhooking(void *node) { if (!kmtreehx(node, run_it, NULL)) say("refused"); }
static void clearing(void *node) { kmtreex(node); }
static void adding(void *node) { if (!kmtreea(NULL, node, 8)) say("refused"); }
static void walking(void *node) { kmwalk walk = { .root = node }; while (kmtreen(&walk)) if (walk.depth > 9) break; }
static void counting(void *node) { kmtreeq(node, NULL); }
static void writes(void *ctx, const char *text, size_t len) {}
static void reporting(void *node) { kmtreet(node, 9, writes, NULL); }
static void reporting_json(void *node) { kmtreej(node, 9, writes, NULL); }
#define LINKS(name, link, to) \
    static void name(const method *m) { link_by(m, link, 1, to); } \
    static void name##_text(const method *m) { link_by(m, link, 0, to); }
LINKS(resize_link_parent, 2, resizing_node)
LINKS(resize_link_child, 3, resizing_node)
LINKS(resize_link_prev, 5, resizing_node)
LINKS(resize_link_next, 6, resizing_node)
LINKS(move_link_parent, 2, moving)
LINKS(move_link_prev, 5, moving)
LINKS(move_link_next, 6, moving)
LINKS(move_link_above, 2, moving_with_child)
LINKS(move_link_last, 4, moving_to)
LINKS(children_link_child, 3, moving_children)
LINKS(children_link_prev, 5, moving_siblings)
LINKS(children_link_next, 6, moving_siblings)
LINKS(adopt_link_last, 4, adopting_by)
LINKS(let_go_link_last, 4, letting_go)
LINKS(hook_link_child, 3, hooking)
LINKS(unhook_link_child, 3, unhooking)
LINKS(clear_link_child, 3, clearing)
LINKS(add_link_last, 4, adding)
LINKS(walk_link_child, 3, walking)
LINKS(count_link_child, 3, counting)

/* Adopted. */
static void freed_by(const method *m, act *to) { void *one = freed_one(m); WRONG(to(right(m, one))); }
static void adopt_freed(const method *m) { freed_by(m, adopting); }
static void adopt_handle_heap(const method *m) { crossed_by(m, kmkind_heap, adopting); }
static void adopt_handle_ref(const method *m) { crossed_by(m, kmkind_ref, adopting); }
static void adopt_handle_pool(const method *m) { crossed_by(m, kmkind_pool, adopting); }
static void adopt_handle_tree(const method *m) { crossed_by(m, kmkind_tree, adopting); }
static void adopt_handle_unknown(const method *m) { crossed_by(m, 77, adopting); }
static void adopt_handle_cell(const method *m) { crossed_cell(m, adopting); }
static void adopt_foreign(const method *m)
{
    m->alloc(SIZE);
    holder();
    void *block = malloc(SIZE);
    WRONG(adopting(handle(kind_of(m), block, NULL)));
}
static void adopted(void *node, kmptr it) { if (!kmtreek(node, it)) say("refused"); }
static void adopt_by_freed(const method *m) { void *one = freed_one(m); WRONG(adopted(one, kmheapao(SIZE))); }
static void adopt_by_other(const method *m) { void *one = keep(m->alloc(SIZE)); WRONG(adopted(one, kmheapao(SIZE))); }
static void adopt_above(const method *m)
{
    void *one = m->alloc(SIZE), *low = kmtreea(NULL, kmtreea(NULL, one, SIZE), SIZE);
    WRONG(adopted(low, kmtreeo(one)));
}
/* The program frees what a node holds; the node, as it goes, once more. */
static void adopted_freed(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    kmtreek(holder(), right(m, one));
    WRONG(m->free(one));
    kmtreef(holder());
}
static void adopted_resized(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    kmtreek(holder(), right(m, one));
    void *now;
    WRONG(now = m->resize(one, 1 << 14); if (!now) say("refused"));
    if (now == one) {
        say("apart");
        exit(0);
    }
    kmtreef(holder());
}
static void adopted_let_go(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    kmtreek(holder(), right(m, one));
    m->free(one);
    WRONG(if (!kmtreel(holder(), one).ref) say("refused"));
}
static void adopt_twice(const method *m)
{
    void *one = m->alloc(SIZE), *two = kmtreea(NULL, NULL, 8);
    keep(m->alloc(SIZE));
    kmtreek(holder(), right(m, one));
    WRONG(adopted(two, right(m, one)));
    kmtreef(holder());
    kmtreef(two);
}
static void adopt_twice_same(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    kmtreek(holder(), right(m, one));
    WRONG(adopting(right(m, one)));
    kmtreef(holder());
}
static void let_go_none(const method *m)
{
    void *one = keep(m->alloc(SIZE));
    WRONG(if (!kmtreel(holder(), one).ref) say("refused"));
}
static void let_go_twice(const method *m)
{
    void *one = keep(m->alloc(SIZE));
    kmtreek(holder(), right(m, one));
    kmptr it = kmtreel(holder(), one);
    WRONG(if (!kmtreel(holder(), one).ref) say("refused"));
}
static void let_go_by_freed(const method *m)
{
    void *one = freed_one(m);
    WRONG(if (!kmtreel(one, holder()).ref) say("refused"));
}
/* Owned by a counted cell. */
static void *owner(void)
{
    static void *cell;
    if (!cell) cell = kmrefa(NULL, 8);
    return cell;
}
static void owned_by(void *cell, kmptr it) { if (!kmrefk(cell, it)) say("refused"); }
static void owning(kmptr it) { owned_by(owner(), it); }
static void own_freed(const method *m) { owner(); freed_by(m, owning); }
static void own_handle_cell(const method *m) { crossed_cell(m, owning); }
static void own_by_freed(const method *m) { void *one = freed_one(m); WRONG(owned_by(one, kmheapao(SIZE))); }
static void own_by_other(const method *m) { void *one = keep(m->alloc(SIZE)); WRONG(owned_by(one, kmheapao(SIZE))); }
static void own_by_shared(const method *m)
{
    void *one = keep(kmrefu(m->alloc(SIZE)));
    WRONG(owned_by(one, kmheapao(SIZE)));
}
static void own_itself(const method *m) { void *one = keep(m->alloc(SIZE)); WRONG(owned_by(one, kmrefo(one))); }
static void own_above(const method *m)
{
    void *one = keep(m->alloc(SIZE)), *node = kmtreea(NULL, NULL, SIZE);
    if (!kmrefk(one, kmtreeo(node))) exit(3);
    void *low = kmtreea(NULL, node, SIZE);
    WRONG(adopted(low, kmrefo(kmrefu(one))));
}
static void own_twice(const method *m)
{
    void *one = m->alloc(SIZE), *two = kmrefa(NULL, 8);
    keep(m->alloc(SIZE));
    if (!kmrefk(owner(), right(m, one))) exit(3);
    WRONG(owned_by(two, right(m, one)));
    kmreff(owner());
    kmreff(two);
}
static void owned_freed(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    if (!kmrefk(owner(), right(m, one))) exit(3);
    WRONG(m->free(one));
    kmreff(owner());
}
static void disowned_none(const method *m) { void *one = keep(m->alloc(SIZE)); WRONG(if (!kmrefl(owner(), one).ref) say("refused")); }
static void disowned_by_freed(const method *m) { void *one = freed_one(m); WRONG(if (!kmrefl(one, holder()).ref) say("refused")); }
/* By the destructor of a node that the cell owns, as the cell is freed, or the node alone. */
static void frees_owner(void *data) { running->free(top); }
static void owns_by_owner(void *data) { owned_by(top, kmheapao(SIZE)); }
static void *owned_with(const method *m, void (*run)(void *))
{
    runs = run, running = m;
    top = m->alloc(SIZE);
    kmopt opt = { 0 };
    opt.sz = SIZE, opt.drop = run_it;
    void *node = kmtreea(NULL, NULL, SIZE);
    kmtreew(NULL, node, &opt);
    if (!kmrefk(top, kmtreeo(node))) exit(3);
    return node;
}
static void owner_freed_below(const method *m) { owned_with(m, frees_owner); WRONG(m->free(top)); }
static void owner_owns_below(const method *m) { owned_with(m, owns_by_owner); WRONG(m->free(top)); }
static void owner_leaving(const method *m) { void *node = owned_with(m, frees_owner); WRONG(kmtreef(node)); }

/* Destructors that are set later, and the records that hold them. */
static void hooking_any(kmptr it) { if (!kmhook(it, run_it, NULL)) say("refused"); }
static void late_freed(const method *m) { freed_by(m, hooking_any); }
static void late_handle_heap(const method *m) { crossed_by(m, kmkind_heap, hooking_any); }
static void late_handle_ref(const method *m) { crossed_by(m, kmkind_ref, hooking_any); }
static void late_handle_cell(const method *m) { crossed_cell(m, hooking_any); }
static void late_shared(const method *m)
{
    void *one = keep(kmrefu(m->alloc(SIZE)));
    WRONG(hooking_any(right(m, one)));
}
static void hooks_any(void *data) { hooking_any(right(running, data)); }
static void late_dying(const method *m) { in_destructor(m, hooks_any); }
static void harmed(void *data, void *arg) { say("harm: called a function of the attacker's"); }
/* A record of the attacker's: like a real one but for what nobody knows. */
static void late_record(const method *m, const void *record)
{
    byte *one = keep(m->alloc(SIZE));
    if (!kmhook(right(m, one), run_it, NULL)) exit(3);
    memcpy(one - header(m) + 8, &record, sizeof record);
    WRONG(m->free(one));
}
static void late_record_theirs(const method *m)
{
    uintptr_t *words = (uintptr_t *)(void *)theirs;
    words[0] = header(m) + SIZE, words[1] = (uintptr_t)harmed;
    late_record(m, theirs);
}
static void late_record_text(const method *m) { late_record(m, (void *)(uintptr_t)0x4141414141414141); }
static void late_record_size(const method *m) { late_record(m, (void *)(uintptr_t)(header(m) + SIZE)); }
static void late_record_other(const method *m)
{
    byte *two = keep(m->alloc(SIZE));
    if (!kmhook(right(m, two), run_it, NULL)) exit(3);
    void *record;
    memcpy(&record, two - header(m) + 8, sizeof record);
    late_record(m, record);
}

static void hook_freed(const method *m) { void *one = freed_one(m); WRONG(hooking(one)); }
static void hook_other(const method *m) { void *one = keep(m->alloc(SIZE)); WRONG(hooking(one)); }
static void unhook_freed(const method *m) { void *one = freed_one(m); WRONG(unhooking(one)); }
static void clear_freed(const method *m) { void *one = freed_one(m); WRONG(clearing(one)); }

/* Looked at. */
static void above_freed(const method *m) { void *one = freed_one(m); WRONG(if (!kmtreep(one)) say("refused")); }
static void child_freed(const method *m) { void *one = freed_one(m); WRONG(if (!kmtreec(one)) say("refused")); }
static void next_freed(const method *m) { void *one = freed_one(m); WRONG(if (!kmtreecn(one)) say("refused")); }
static void last_freed(const method *m) { void *one = freed_one(m); WRONG(if (!kmtreecl(one)) say("refused")); }
static void previous_freed(const method *m) { void *one = freed_one(m); WRONG(if (!kmtreecp(one)) say("refused")); }
static void walk_freed(const method *m) { void *one = freed_one(m); WRONG(walking(one)); }
static void count_freed(const method *m) { void *one = freed_one(m); WRONG(counting(one)); }
static void text_freed(const method *m) { void *one = freed_one(m); WRONG(reporting(one)); }
static void json_freed(const method *m) { void *one = freed_one(m); WRONG(reporting_json(one)); }
static void walk_other(const method *m) { void *one = keep(m->alloc(SIZE)); WRONG(walking(one)); }
static void size_freed(const method *m) { freed_by(m, sizing); }
static void name_freed(const method *m) { freed_by(m, naming); }
static void rename_freed(const method *m) { freed_by(m, renaming); }
static void cast_freed(const method *m) { freed_by(m, casting); }
static void size_cell(const method *m) { crossed_cell(m, sizing); }
static void name_cell(const method *m) { crossed_cell(m, naming); }
static void smash_by(const method *m, size_t at, size_t bytes, int with, act *to)
{
    void *one = smashed(m, at, bytes, with);
    WRONG(to(right(m, one)));
}
static void size_smash_text(const method *m) { smash_by(m, 0, 16, 'A', sizing); }
static void size_smash_tiny(const method *m) { smash_by(m, 8, 8, 0, sizing); }
static void size_smash_huge(const method *m) { smash_by(m, 8, 8, 'A', sizing); }
static void size_smash_fair(const method *m) { smash_by(m, 8, 1, header(m) + 2 * SIZE, sizing); }
static void named_by(const method *m, size_t at, size_t bytes, int with, act *to)
{
    byte *one = named(m, "ours");
    memset(one - header(m) + at, with, bytes);
    WRONG(to(right(m, one)));
}
static void name_smash_tiny(const method *m) { named_by(m, 8, 8, 0, naming); }
static void name_smash_huge(const method *m) { named_by(m, 8, 8, 'A', naming); }
static void name_smash_fair(const method *m) { named_by(m, 8, 1, header(m) + 2 * SIZE, naming); }
static void named_theirs(const method *m, int forged, act *to)
{
    byte *one = named(m, "ours");
    const char *name = "theirs";
    if (forged) memcpy(one + SIZE, &name, 8);
    else memset(one + SIZE, 'A', 8);
    WRONG(to(right(m, one)));
}
static void name_forged(const method *m) { named_theirs(m, 1, naming); }
static void name_text(const method *m) { named_theirs(m, 0, naming); }
static void cast_forged(const method *m) { named_theirs(m, 1, casting); }
typedef void pool_act(kmpool *);
static void pool_gone(const method *m, pool_act *to)
{
    m->alloc(SIZE);
    kmpool *torn = pool;
    kmpoolx(torn);
    WRONG(to(torn));
    pool = NULL;
}
static void pool_walks(kmpool *torn) { kmwalk walk = { .root = torn }; while (kmpooln(&walk)) {} }
static void pool_counts(kmpool *torn) { kmpoolq(torn); }
static void pool_text(kmpool *torn) { kmpoolt(torn, writes, NULL); }
static void pool_json(kmpool *torn) { kmpoolj(torn, writes, NULL); }
static void pool_walk_gone(const method *m) { pool_gone(m, pool_walks); }
static void pool_count_gone(const method *m) { pool_gone(m, pool_counts); }
static void pool_text_gone(const method *m) { pool_gone(m, pool_text); }
static void pool_json_gone(const method *m) { pool_gone(m, pool_json); }

/* Strings. */
static void text_unended(const method *m)
{
    void *one = memset(keep(m->alloc(SIZE)), 'A', unit);
    if (is(m, "pool")) memset(one, 'A', kmsize(right(m, one)));
    WRONG(appending_text(right(m, one)));
}
static void text_static(const method *m) { m->alloc(SIZE); WRONG(appending_text(kmstat("static"))); }
static void append_static(const method *m) { m->alloc(SIZE); WRONG(appending(kmstat("static"))); }
static void resize_static(const method *m) { m->alloc(SIZE); WRONG(resizing(kmstat("static"))); }
static void text_freed_one(const method *m) { freed_by(m, appending_text); }
static void append_freed(const method *m) { freed_by(m, appending); }
static void append_smash_size(const method *m) { smash_by(m, 8, 1, header(m) + 2 * SIZE, appending); }
static void text_smash_size(const method *m)
{
    byte *one = m->alloc(SIZE);
    memset(one, 'A', SIZE);
    keep(m->alloc(SIZE));
    one[SIZE - 1] = 0;
    (one - header(m))[8] = header(m) + 2 * SIZE;
    WRONG(appending_text(right(m, one)));
}
static void append_cell(const method *m) { crossed_cell(m, appending); }

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

static const method *running;
static void (*runs)(void *);
static int run_it(void *data) { runs(data); return 0; }
static void *holder(void)
{
    static void *node;
    if (!node) node = talloc_named_const(NULL, 8, "holder");
    return node;
}
static void in_destructor(const method *m, void (*run)(void *))
{
    runs = run, running = m;
    holder();
    void *one = m->alloc(SIZE);
    _talloc_set_destructor(one, run_it);
    WRONG(m->free(one));
}
static void in_child(const method *m, void (*run)(void *))
{
    runs = run, running = m;
    holder();
    top = talloc_named_const(NULL, SIZE, "top");
    _talloc_set_destructor(talloc_named_const(talloc_named_const(top, SIZE, "middle"), SIZE, "low"), run_it);
    WRONG(m->free(top));
}
static void *low;
static void in_leaving(const method *m, void (*run)(void *))
{
    runs = run, running = m;
    top = talloc_named_const(NULL, SIZE, "top");
    void *child = talloc_named_const(top, SIZE, "child");
    low = talloc_named_const(child, SIZE, "low");
    _talloc_set_destructor(child, run_it);
    WRONG(m->free(child));
}
static void move(void *node, void *parent) { if (!_talloc_steal_loc(parent, node, "cases.c")) say("refused"); }
static void refer(void *holder, void *to) { if (!_talloc_reference_loc(holder, to, "cases.c")) say("refused"); }
static void resizes_it(void *data) { resize(running, data, other_size(running)); }
static void resizes_top(void *data) { resize(running, top, 200); }
static void moves_it(void *data) { move(data, holder()); }
static void moves_to_top(void *data) { move(holder(), top); }
static void refers_by_it(void *data) { refer(data, holder()); }
static void refers_to_it(void *data) { refer(holder(), data); }
static void hooks_it(void *data) { _talloc_set_destructor(data, run_it); }
static void adds_below_it(void *data) { if (!talloc_named_const(data, 8, "low")) say("refused"); }
static void resize_own_destructor(const method *m) { in_destructor(m, resizes_it); }
static void frees_all(void *data) { freed(top); }
static void moves_top_below(void *data) { move(top, low); }
static void resize_above(const method *m) { in_child(m, resizes_top); }
static void child_leaving(const method *m) { in_leaving(m, frees_all); }
static void resize_leaving(const method *m) { in_leaving(m, resizes_top); }
static void move_leaving(const method *m) { in_leaving(m, moves_top_below); }
static void move_dying(const method *m) { in_destructor(m, moves_it); }
static void move_to_dying(const method *m) { in_child(m, moves_to_top); }
static void adopt_by_dying(const method *m) { in_destructor(m, refers_by_it); }
static void adopt_dying(const method *m) { in_destructor(m, refers_to_it); }
static void hook_dying(const method *m) { in_destructor(m, hooks_it); }
static void hook_adds(const method *m) { in_destructor(m, adds_below_it); }
static void resize_shared(const method *m)
{
    void *one = m->alloc(SIZE);
    refer(holder(), one);
    WRONG(resize(m, one, other_size(m)));
}
static void *freed_one(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    holder();
    m->free(one);
    return one;
}
static void move_freed(const method *m) { void *one = freed_one(m); WRONG(move(one, holder())); }
static void move_below_freed(const method *m) { void *one = freed_one(m); WRONG(move(holder(), one)); }
static void move_below_itself(const method *m)
{
    void *one = m->alloc(SIZE), *low = talloc_named_const(talloc_named_const(one, SIZE, "middle"), SIZE, "low");
    WRONG(move(one, low); m->free(one));
}
static void move_foreign(const method *m) { m->alloc(SIZE); void *block = malloc(SIZE); WRONG(move(block, holder())); }
static void move_below_foreign(const method *m) { m->alloc(SIZE); void *block = malloc(SIZE); WRONG(move(holder(), block)); }
static void adopt_freed(const method *m) { void *one = freed_one(m); WRONG(refer(holder(), one)); }
static void adopt_by_freed(const method *m) { void *one = freed_one(m); WRONG(refer(one, holder())); }
static void let_go_none(const method *m)
{
    void *one = keep(m->alloc(SIZE));
    WRONG(if (talloc_unlink(holder(), one)) say("refused"));
}
static void let_go_by_freed(const method *m)
{
    void *one = freed_one(m);
    WRONG(if (talloc_unlink(one, holder())) say("refused"));
}
static void hook_freed(const method *m) { void *one = freed_one(m); WRONG(_talloc_set_destructor(one, run_it)); }
static int theirs_runs(void *data) { say("harm: ran the attacker's function"); return 0; }
/* The word of a chunk's header that is `found` becomes `theirs`. */
static void forge_word(void *data, const void *found, const void *theirs)
{
    for (const void **word = (const void **)data; word-- > (const void **)data - 12;)
        if (*word == found) *word = theirs;
}
static void hook_forged(const method *m)
{
    void *one = m->alloc(SIZE);
    _talloc_set_destructor(one, frees_own);
    forge_word(one, (void *)frees_own, (void *)theirs_runs);
    WRONG(m->free(one));
}
static void above_freed(const method *m) { void *one = freed_one(m); WRONG(if (!talloc_parent(one)) say("refused")); }
static void count_freed(const method *m) { void *one = freed_one(m); WRONG(talloc_total_size(one)); }
static void naming(void *data)
{
    const char *name = talloc_get_name(data);
    if (!name || strcmp(name, "UNNAMED") == 0) say("refused");
    else if (strcmp(name, "theirs") == 0) say("harm: gave a name that is not the cell's");
}
static void casting(void *data) { if (!talloc_check_name(data, "theirs")) say("refused"); else say("harm: took it for what it is not"); }
static void name_freed(const method *m) { void *one = freed_one(m); WRONG(naming(one)); }
static void cast_freed(const method *m) { void *one = freed_one(m); WRONG(casting(one)); }
static void *named_theirs(const method *m)
{
    static const char ours[] = "ours";
    void *one = m->alloc(SIZE);
    talloc_set_name_const(one, ours);
    forge_word(one, ours, "theirs");
    return one;
}
static void name_forged(const method *m) { void *one = named_theirs(m); WRONG(naming(one)); }
static void cast_forged(const method *m) { void *one = named_theirs(m); WRONG(casting(one)); }

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
    { "child-leaving", child_leaving, "tree" },
    { "child-emptied", child_emptied, "tree" },
    { "cell-destructor", cell_destructor, "pool" },
    { "node-destructor", node_destructor, "pool" },
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
    { "child-leaving", child_leaving, "tree" },
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
#ifdef LAYER_KMEM
    { "resize-freed", resize_freed, BASE " pool@buffer " HANDLES },
    { "resize-freed-smaller", resize_freed_smaller, BASE },
    { "resize-reused", resize_reused, BASE },
    { "resize-stale-freed", stale_freed, "heap ref tree heap.handle ref.handle tree.handle" },
    { "resize-stale-resized", stale_resized, "heap ref tree heap.handle ref.handle tree.handle" },
    { "resize-foreign", resize_foreign, PLAIN },
#else
    { "resize-freed", resize_freed, BASE },
    { "resize-freed-smaller", resize_freed_smaller, BASE },
    { "resize-reused", resize_reused, BASE },
    { "resize-stale-freed", stale_freed, "heap ref tree" },
    { "resize-stale-resized", stale_resized, "heap ref tree" },
    { "size-freed", size_freed, BASE },
#if defined LAYER_MIMALLOC || defined LAYER_TALLOC
    { "resize-foreign", resize_foreign, BASE },
#endif
#endif
    { "resize-inside-1", resize_inside_1, PLAIN },
    { "resize-inside-16", resize_inside_16, PLAIN },
    { "resize-inside-16-text", resize_inside_16_text, PLAIN },
    { "resize-static", resize_fixed, PLAIN },
#ifdef LAYER_KMEM
    { "resize-as-heap", resize_as_heap, "ref pool tree ref@pool tree@pool" },
    { "resize-as-ref", resize_as_ref, "heap pool tree tree@pool" },
    { "resize-as-tree", resize_as_tree, "heap ref pool ref@pool" },
    { "resize-handle-heap", resize_handle_heap, "ref pool tree" },
    { "resize-handle-ref", resize_handle_ref, "heap pool tree" },
    { "resize-handle-pool", resize_handle_pool, "heap ref tree" },
    { "resize-handle-tree", resize_handle_tree, "heap ref pool" },
    { "resize-handle-none", resize_handle_none, PLAIN },
    { "resize-handle-unknown", resize_handle_unknown, PLAIN },
    { "resize-handle-cell", resize_handle_cell, PLAIN },
    { "resize-no-cell", resize_static, "heap" },
    { "resize-shared", resize_shared, "ref ref@pool ref.handle" },
    { "resize-gone", resize_gone, "pool pool@buffer ref@pool tree@pool" },
    { "resize-own-destructor", resize_own_destructor, PLAIN },
    { "resize-own-hook", resize_own_hook, "tree" },
    { "resize-above", resize_above, "tree" },
    { "resize-leaving", resize_leaving, "tree" },
    { "resize-smash-zero", resize_smash_zero, BASE },
    { "resize-smash-text", resize_smash_text, BASE },
    { "resize-smash-flags", resize_smash_flags, "heap ref tree ref@pool tree@pool" },
    { "resize-smash-align", resize_smash_align, "heap ref tree ref@pool tree@pool" },
    { "resize-smash-size-tiny", resize_smash_size_tiny, "heap ref tree ref@pool tree@pool" },
    { "resize-smash-size-huge", resize_smash_size_huge, "heap ref tree ref@pool tree@pool" },
    { "resize-smash-size-fair", resize_smash_size_fair, "heap ref tree ref@pool tree@pool" },
    { "resize-smash-heap", resize_smash_heap, "heap ref tree ref@pool tree@pool" },
    { "resize-smash-src", resize_smash_src, "ref tree ref@pool tree@pool" },
    { "resize-smash-refs", resize_smash_refs, "ref ref@pool" },
    { "resize-smash-pool", resize_smash_pool, "pool" },
    { "resize-smash-drop", resize_smash_drop, "heap ref tree" },
    { "resize-smash-name", resize_smash_name, "heap ref tree" },
    { "resize-link-parent", resize_link_parent, "tree" },
    { "resize-link-parent-text", resize_link_parent_text, "tree" },
    { "resize-link-child", resize_link_child, "tree" },
    { "resize-link-child-text", resize_link_child_text, "tree" },
    { "resize-link-prev", resize_link_prev, "tree" },
    { "resize-link-prev-text", resize_link_prev_text, "tree" },
    { "resize-link-next", resize_link_next, "tree" },
    { "resize-link-next-text", resize_link_next_text, "tree" },
    { "move-freed", move_freed, "tree tree@pool" },
    { "move-below-freed", move_below_freed, "tree tree@pool" },
    { "move-below-itself", move_below_itself, "tree tree@pool" },
    { "unchecked-below-itself", unchecked_below_itself, "tree tree@pool" },
    { "children-of-freed", children_of_freed, "tree tree@pool" },
    { "children-below", children_below, "tree tree@pool" },
    { "move-dying", move_dying, "tree" },
    { "move-dying-hook", move_dying_hook, "tree tree@pool" },
    { "move-to-dying", move_to_dying, "tree" },
    { "move-leaving", move_leaving, "tree" },
    { "children-to-dying", children_to_dying, "tree" },
    { "move-as-tree", move_as_tree, "heap ref pool" },
    { "move-below-other", move_below_other, "heap ref pool" },
    { "move-foreign", move_foreign, "tree" },
    { "move-below-foreign", move_below_foreign, "tree" },
    { "move-smash-zero", move_smash_zero, "tree tree@pool" },
    { "move-smash-text", move_smash_text, "tree tree@pool" },
    { "move-link-parent", move_link_parent, "tree tree@pool" },
    { "move-link-parent-text", move_link_parent_text, "tree tree@pool" },
    { "move-link-prev", move_link_prev, "tree tree@pool" },
    { "move-link-prev-text", move_link_prev_text, "tree tree@pool" },
    { "move-link-next", move_link_next, "tree tree@pool" },
    { "move-link-next-text", move_link_next_text, "tree tree@pool" },
    { "move-link-above", move_link_above, "tree" },
    { "move-link-above-text", move_link_above_text, "tree" },
    { "move-link-last", move_link_last, "tree tree@pool" },
    { "move-link-last-text", move_link_last_text, "tree tree@pool" },
    { "children-link-child", children_link_child, "tree" },
    { "children-link-child-text", children_link_child_text, "tree" },
    { "children-link-prev", children_link_prev, "tree" },
    { "children-link-prev-text", children_link_prev_text, "tree" },
    { "children-link-next", children_link_next, "tree" },
    { "children-link-next-text", children_link_next_text, "tree" },
    { "add-link-last", add_link_last, "tree tree@pool" },
    { "add-link-last-text", add_link_last_text, "tree tree@pool" },
    { "clear-freed", clear_freed, "tree tree@pool" },
    { "clear-link-child", clear_link_child, "tree tree@pool" },
    { "clear-link-child-text", clear_link_child_text, "tree tree@pool" },
    { "adopt-freed", adopt_freed, BASE },
    { "adopt-handle-heap", adopt_handle_heap, "ref pool tree" },
    { "adopt-handle-ref", adopt_handle_ref, "heap pool tree" },
    { "adopt-handle-pool", adopt_handle_pool, "heap ref tree" },
    { "adopt-handle-tree", adopt_handle_tree, "heap ref pool" },
    { "adopt-handle-unknown", adopt_handle_unknown, PLAIN },
    { "adopt-handle-cell", adopt_handle_cell, PLAIN },
    { "adopt-foreign", adopt_foreign, PLAIN },
    { "adopt-by-freed", adopt_by_freed, "tree tree@pool" },
    { "adopt-by-other", adopt_by_other, "heap ref pool" },
    { "adopt-by-dying", adopt_by_dying, "tree" },
    { "adopt-by-dying-hook", adopt_by_dying_hook, "tree tree@pool" },
    { "adopt-dying", adopt_dying, PLAIN },
    { "adopt-above", adopt_above, "tree tree@pool" },
    { "adopted-freed", adopted_freed, "heap ref pool ref@pool" },
    { "adopted-resized", adopted_resized, "heap ref" },
    { "adopted-let-go", adopted_let_go, "heap ref pool ref@pool" },
    { "adopt-twice", adopt_twice, "heap ref pool ref@pool" },
    { "adopt-twice-same", adopt_twice_same, "heap ref pool ref@pool" },
    { "adopt-link-last", adopt_link_last, "tree tree@pool" },
    { "adopt-link-last-text", adopt_link_last_text, "tree tree@pool" },
    { "let-go-none", let_go_none, BASE },
    { "let-go-twice", let_go_twice, BASE },
    { "let-go-by-freed", let_go_by_freed, "tree tree@pool" },
    { "let-go-link-last", let_go_link_last, "tree tree@pool" },
    { "let-go-link-last-text", let_go_link_last_text, "tree tree@pool" },
    { "own-freed", own_freed, PLAIN },
    { "own-handle-cell", own_handle_cell, PLAIN },
    { "own-by-freed", own_by_freed, "ref ref@pool" },
    { "own-by-other", own_by_other, "heap pool tree" },
    { "own-by-shared", own_by_shared, "ref ref@pool" },
    { "own-itself", own_itself, "ref" },
    { "own-above", own_above, "ref" },
    { "own-twice", own_twice, "heap ref pool" },
    { "owned-freed", owned_freed, "heap ref pool" },
    { "disowned-none", disowned_none, PLAIN },
    { "disowned-by-freed", disowned_by_freed, "ref ref@pool" },
    { "owner-freed-below", owner_freed_below, "ref" },
    { "owner-owns-below", owner_owns_below, "ref" },
    { "owner-leaving", owner_leaving, "ref" },
    { "late-freed", late_freed, PLAIN },
    { "late-handle-heap", late_handle_heap, "ref pool tree" },
    { "late-handle-ref", late_handle_ref, "heap pool tree" },
    { "late-handle-cell", late_handle_cell, PLAIN },
    { "late-shared", late_shared, "ref" },
    { "late-dying", late_dying, "heap ref tree" },
    { "late-record-theirs", late_record_theirs, "heap ref" },
    { "late-record-text", late_record_text, "heap ref" },
    { "late-record-size", late_record_size, "heap ref" },
    { "late-record-other", late_record_other, "heap ref" },
    { "hook-freed", hook_freed, "tree tree@pool" },
    { "hook-other", hook_other, "heap ref pool" },
    { "hook-dying", hook_dying, "tree" },
    { "hook-dying-hook", hook_dying_hook, "tree tree@pool" },
    { "unhook-freed", unhook_freed, "tree tree@pool" },
    { "unhook-dying", unhook_dying, "tree tree@pool" },
    { "hook-frees-own", hook_frees_own, "tree tree@pool" },
    { "hook-frees-above", hook_frees_above, "tree" },
    { "hook-adds", hook_adds, "tree tree@pool" },
    { "hook-forged", hook_forged, "tree tree@pool" },
    { "hook-link-child", hook_link_child, "tree tree@pool" },
    { "hook-link-child-text", hook_link_child_text, "tree tree@pool" },
    { "unhook-link-child", unhook_link_child, "tree tree@pool" },
    { "unhook-link-child-text", unhook_link_child_text, "tree tree@pool" },
    { "above-freed", above_freed, "tree tree@pool" },
    { "child-freed", child_freed, "tree tree@pool" },
    { "next-freed", next_freed, "tree tree@pool" },
    { "last-freed", last_freed, "tree tree@pool" },
    { "previous-freed", previous_freed, "tree tree@pool" },
    { "walk-freed", walk_freed, "tree tree@pool" },
    { "walk-other", walk_other, "heap ref pool" },
    { "count-freed", count_freed, "tree tree@pool" },
    { "text-freed", text_freed, "tree tree@pool" },
    { "json-freed", json_freed, "tree tree@pool" },
    { "walk-link-child", walk_link_child, "tree tree@pool" },
    { "walk-link-child-text", walk_link_child_text, "tree tree@pool" },
    { "count-link-child", count_link_child, "tree tree@pool" },
    { "count-link-child-text", count_link_child_text, "tree tree@pool" },
    { "pool-walk-gone", pool_walk_gone, "pool pool@buffer" },
    { "pool-count-gone", pool_count_gone, "pool pool@buffer" },
    { "pool-text-gone", pool_text_gone, "pool pool@buffer" },
    { "pool-json-gone", pool_json_gone, "pool pool@buffer" },
    { "size-freed", size_freed, BASE },
    { "name-freed", name_freed, BASE },
    { "rename-freed", rename_freed, BASE },
    { "cast-freed", cast_freed, BASE },
    { "size-cell", size_cell, PLAIN },
    { "name-cell", name_cell, PLAIN },
    { "size-smash-text", size_smash_text, "heap ref tree ref@pool tree@pool" },
    { "size-smash-tiny", size_smash_tiny, "heap ref tree ref@pool tree@pool" },
    { "size-smash-huge", size_smash_huge, "heap ref tree ref@pool tree@pool" },
    { "size-smash-fair", size_smash_fair, "heap ref tree ref@pool tree@pool" },
    { "name-smash-tiny", name_smash_tiny, "heap ref tree" },
    { "name-smash-huge", name_smash_huge, "heap ref tree" },
    { "name-smash-fair", name_smash_fair, "heap ref tree" },
    { "name-forged", name_forged, "heap ref tree" },
    { "name-text", name_text, "heap ref tree" },
    { "cast-forged", cast_forged, "heap ref tree" },
    { "text-unended", text_unended, PLAIN },
    { "text-static", text_static, "heap" },
    { "append-static", append_static, "heap" },
    { "cats-freed", text_freed_one, BASE },
    { "cat-freed", append_freed, BASE },
    { "cat-smash-size", append_smash_size, "heap ref tree ref@pool tree@pool" },
    { "cats-smash-size", text_smash_size, "heap ref tree ref@pool tree@pool" },
    { "cat-cell", append_cell, PLAIN },
#elif defined LAYER_TALLOC
    { "resize-shared", resize_shared, "ref" },
    { "resize-own-destructor", resize_own_destructor, "heap pool tree" },
    { "resize-above", resize_above, "tree" },
    { "resize-leaving", resize_leaving, "tree" },
    { "move-freed", move_freed, "tree" },
    { "move-below-freed", move_below_freed, "tree" },
    { "move-below-itself", move_below_itself, "tree" },
    { "move-dying", move_dying, "tree" },
    { "move-to-dying", move_to_dying, "tree" },
    { "move-leaving", move_leaving, "tree" },
    { "move-foreign", move_foreign, "tree" },
    { "move-below-foreign", move_below_foreign, "tree" },
    { "adopt-by-freed", adopt_by_freed, "tree" },
    { "adopt-by-dying", adopt_by_dying, "tree" },
    { "let-go-by-freed", let_go_by_freed, "tree" },
    { "hook-freed", hook_freed, "tree" },
    { "hook-dying", hook_dying, "tree" },
    { "hook-adds", hook_adds, "tree" },
    { "hook-forged", hook_forged, "tree" },
    { "above-freed", above_freed, "tree" },
    { "count-freed", count_freed, "tree" },
    { "adopt-freed", adopt_freed, "heap pool tree" },
    { "adopt-dying", adopt_dying, "heap pool tree" },
    { "let-go-none", let_go_none, "heap pool tree" },
    { "name-freed", name_freed, "heap pool tree" },
    { "cast-freed", cast_freed, "heap pool tree" },
    { "name-forged", name_forged, "heap tree" },
    { "cast-forged", cast_forged, "heap tree" },
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
