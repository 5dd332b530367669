/* kmem: the layer, and helpers of its cases. */
#include "layer.h"

kmpool *pool, *refpool, *treepool;
kmarena *arena;
void *root;
static void *poolroot;
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

static void *arena_a(size_t size)
{
    if (!arena) arena = kmarenai(NULL, 1 << 16);
    return kmarenaa(arena, size);
}

static void tree_f(void *node) { kmtreef(node); }

kmptr handle(kmkind kind, void *data, void *cell)
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

method methods[] = {
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
    { "arena", arena_a, kmarenaf, 80, kmarenar },
};
const size_t method_count = sizeof methods / sizeof *methods;

void begin(void) {}
void version(void) { puts(Kmversion); }

void read_size(const method *m, void *block) { sizing(right(m, block)); }

int is(const method *m, const char *name) { return strncmp(m->name, name, strlen(name)) == 0; }
size_t header(const method *m) { return is(m, "tree") ? NODE : is(m, "ref") ? REF : HEAP; }
kmpool **pool_of(const method *m) { return is(m, "ref") ? &refpool : is(m, "tree") ? &treepool : &pool; }
void *cell_of(const method *m, void *data) { return is(m, "pool") ? (void *)pool : (byte *)data - header(m); }

kmkind kind_of(const method *m)
{
    return is(m, "heap") ? kmkind_heap : is(m, "ref") ? kmkind_ref : is(m, "pool") ? kmkind_pool : kmkind_tree;
}

kmptr right(const method *m, void *data) { return handle(kind_of(m), data, cell_of(m, data)); }

void *holder(void)
{
    static void *node;
    if (!node) node = kmtreea(NULL, NULL, 8);
    return node;
}

void freeing(kmptr it) { kmfree(it); }
void resizing(kmptr it) { ASK(kmresize(&it, 48)); }
void adopting(kmptr it) { ASK(kmtreek(holder(), it)); }

void sizing(kmptr it)
{
    const size_t size = kmsize(it);
    if (!size) say("refused");
    else if (size != SIZE && it.kind != kmkind_pool) say("harm: gave a size that is not the cell's");
}

void crossed_by(const method *m, int kind, act *to)
{
    void *one = keep(m->alloc(SIZE));
    holder();
    WRONG(to(handle(kind, one, cell_of(m, one))));
}

void crossed_cell(const method *m, act *to)
{
    void *one = keep(m->alloc(SIZE)), *two = keep(m->alloc(SIZE));
    void *cell = cell_of(m, two);
    if (is(m, "pool")) pool = NULL, keep(m->alloc(SIZE)), cell = pool;
    holder();
    WRONG(to(handle(kind_of(m), one, cell)));
}

void (*free_it)(void *);
void frees_own(void *data, void *arg) { free_it(arg ? arg : data); }

void *made_with(const method *m, void (*drop)(void *, void *), void *arg)
{
    kmopt opt = { 0 };
    opt.sz = SIZE, opt.drop = drop, opt.arg = arg;
    free_it = m->free;
    if (is(m, "pool")) return pool = kmpooliw(NULL, &opt, 1000), kmpoola(pool);
    return is(m, "heap") ? kmheapw(&opt) : is(m, "ref") ? kmrefw(NULL, &opt) : kmtreew(NULL, m->alloc(SIZE), &opt);
}

void *named(const method *m, const char *name)
{
    kmopt opt = { 0 };
    opt.sz = SIZE, opt.name = name;
    return is(m, "heap") ? kmheapw(&opt) : is(m, "ref") ? kmrefw(NULL, &opt) : kmtreew(NULL, m->alloc(SIZE), &opt);
}

void *smashed(const method *m, size_t at, size_t bytes, int with)
{
    byte *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    return memset(one - header(m) + at, with, bytes), one;
}

void *freed_one(const method *m)
{
    holder();
    return freed_block(m);
}

void freed_by(const method *m, act *to) { void *one = freed_one(m); WRONG(to(right(m, one))); }

void smash_by(const method *m, size_t at, size_t bytes, int with, act *to)
{
    void *one = smashed(m, at, bytes, with);
    WRONG(to(right(m, one)));
}

const method *running;
void (*runs)(void *);
void *top;
void run_it(void *data, void *arg) { runs(data); }

void in_destructor(const method *m, void (*run)(void *))
{
    runs = run, running = m;
    holder();
    void *one = made_with(m, run_it, NULL);
    WRONG(m->free(one));
}

void theirs_runs(void *data, void *arg) { say("harm: ran the attacker's function"); }

void put_slot(byte *data, size_t at)
{
    void *slot[2] = { (void *)theirs_runs, NULL };
    memcpy(data + at, slot, sizeof slot);
}

void link_by(const method *m, size_t link, int forged, node_act *to)
{
    void *first = keep(m->alloc(SIZE));
    void **node = (void **)((byte *)m->alloc(SIZE) - NODE);
    keep(m->alloc(SIZE));
    if (link == CHILD || link == LAST) m->free(kmtreea(NULL, node + 8, SIZE));
    holder();
    memset(theirs, 0, sizeof theirs);
    if (forged) node[link] = theirs + 256;
    else memset(node + link, 'A', 8);
    WRONG(to(node + 8));
    for (size_t i = 0; i < sizeof theirs; i++)
        if (theirs[i]) { say("harm: wrote where the attacker said"); break; }
}
