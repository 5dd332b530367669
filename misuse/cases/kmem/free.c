/* Freed as another kind, after its pool or node, twice in kmem's ways, or by its own destructor. */
#include "layer.h"

CASE(as_heap, "ref pool tree ref@pool tree@pool") { void *one = keep(m->alloc(SIZE)); WRONG(kmheapf(one)); }
CASE(as_ref, "heap pool tree tree@pool") { void *one = keep(m->alloc(SIZE)); WRONG(kmreff(one)); }
CASE(as_pool, HEADED) { void *one = keep(m->alloc(SIZE)); WRONG(kmpoolf(one)); }
CASE(as_tree, "heap ref pool ref@pool") { void *one = keep(m->alloc(SIZE)); WRONG(kmtreef(one)); }

static void crossed(const method *m, int kind) { crossed_by(m, kind, freeing); }

CASE(handle_heap, "ref pool tree") { crossed(m, kmkind_heap); }
CASE(handle_ref, "heap pool tree") { crossed(m, kmkind_ref); }
CASE(handle_pool, "heap ref tree") { crossed(m, kmkind_pool); }
CASE(handle_tree, "heap ref pool") { crossed(m, kmkind_tree); }
CASE(handle_none, PLAIN) { crossed(m, kmkind_none); }
CASE(handle_source, PLAIN) { crossed(m, kmkind_source); }
CASE(handle_unknown, PLAIN) { crossed(m, 77); }
CASE(handle_cell, PLAIN) { crossed_cell(m, freeing); }

CASE(gone, "pool pool@buffer pool@tree pool.handle")
{
    void *one = m->alloc(SIZE);
    m->alloc(SIZE);
    kmpoolx(pool);
    WRONG(m->free(one));
    pool = NULL;
}

CASE(gone_reused, "pool pool@buffer")
{
    void *one = m->alloc(SIZE);
    m->alloc(SIZE);
    kmpoolx(pool);
    pool = NULL;
    for (size_t i = 0; i < MANY; i++)
        keep(m->alloc(SIZE));
    WRONG(m->free(one));
}

CASE(gone_large, "pool")
{
    pool = kmpooli(NULL, LARGE, 4);
    void *one = kmpoola(pool);
    kmpoolx(pool);
    WRONG(m->free(one));
    pool = NULL;
}

CASE(torn_twice, "pool pool@buffer pool@tree")
{
    m->alloc(SIZE);
    kmpool *torn = pool;
    kmpoolx(torn);
    WRONG(kmpoolx(torn));
    pool = NULL;
}

CASE(cleared_gone, "pool pool@buffer pool@tree")
{
    m->alloc(SIZE);
    kmpool *torn = pool;
    kmpoolx(torn);
    WRONG(kmpoolc(torn));
    pool = NULL;
}

CASE(cleared_twice, "pool pool@buffer pool@tree")
{
    void *one = m->alloc(SIZE);
    kmpoolc(pool);
    WRONG(m->free(one));
}

CASE(drawn_gone, "ref@pool tree@pool")
{
    void *one = m->alloc(SIZE);
    kmpool **source = pool_of(m);
    kmpoolx(*source);
    WRONG(m->free(one));
    *source = NULL;
}

CASE(node_gone, "pool@tree")
{
    void *one = m->alloc(SIZE);
    m->alloc(SIZE);
    kmtreef(root);
    WRONG(m->free(one));
    pool = NULL;
}

CASE(node_gone_torn, "pool@tree")
{
    m->alloc(SIZE);
    kmtreef(root);
    WRONG(kmpoolx(pool));
    pool = NULL;
}

CASE(twice_zeroed, BASE)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    if (is(m, "heap")) { kmheaps(one); WRONG(kmheaps(one)); }
    else if (is(m, "ref")) { kmrefs(one); WRONG(kmrefs(one)); }
    else if (is(m, "pool")) { kmpools(one); WRONG(kmpools(one)); }
    else { kmtrees(one); WRONG(kmtrees(one)); }
}

/* The second drop takes another holder's reference. That holder's drop is reported. */
CASE(dropped_for, "ref ref@pool")
{
    void *one = m->alloc(SIZE), *held = kmrefu(one);
    keep(m->alloc(SIZE));
    m->free(one);
    WRONG(m->free(one));
    m->free(held);
}

CASE(up_after, "ref ref@pool") { void *one = freed_block(m); WRONG(kmrefu(one)); }
CASE(below_freed, NODES) { void *one = freed_block(m); WRONG(kmtreea(NULL, one, SIZE)); }

CASE(own_destructor, PLAIN " " HANDLES)
{
    void *one = made_with(m, frees_own, NULL);
    WRONG(m->free(one));
}

CASE(child_destructor, "tree")
{
    void *top = kmtreea(NULL, NULL, SIZE), *middle = kmtreea(NULL, top, SIZE);
    kmopt opt = { 0 };
    opt.sz = SIZE, opt.drop = frees_own, opt.arg = top;
    free_it = m->free;
    kmtreew(NULL, middle, &opt);
    WRONG(m->free(top));
}

static void tears_down(void *data, void *arg) { kmpoolx(pool); }

CASE(cell_destructor, "pool")
{
    kmopt opt = { 0 };
    opt.sz = SIZE, opt.drop = tears_down;
    pool = kmpooliw(NULL, &opt, 1000);
    void *one = kmpoola(pool);
    WRONG(m->free(one));
}

static void frees_node(void *data, void *arg) { kmtreef(pool); }

CASE(node_destructor, "pool")
{
    kmopt opt = { 0 };
    opt.sz = SIZE, opt.drop = frees_node;
    pool = kmpooliw(kmtreeo(kmtreea(NULL, NULL, SIZE)).cell, &opt, 1000);
    void *one = kmpoola(pool);
    WRONG(m->free(one));
}
