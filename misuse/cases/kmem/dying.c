/* Calls in destructors and hooks. */
#include "layer.h"

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

/* A child that is being freed, and still linked, while its hook runs. */
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
static void moves_top_below(void *data) { ASK(kmtreem(top, kmtreec(data))); }
static void frees_it(void *data) { running->free(data); }
static void frees_top(void *data) { running->free(top); }
static void moves_it(void *data) { ASK(kmtreem(data, holder())); }
static void moves_to_top(void *data) { ASK(kmtreem(holder(), top)); }
static void children_to_top(void *data) { ASK(kmtreemc(holder(), top)); }
static void adopts_by_it(void *data) { ASK(kmtreek(data, kmheapao(SIZE))); }
static void adopts_it(void *data) { ASK(kmtreek(holder(), right(running, data))); }
static void hooks_it(void *data) { ASK(kmtreeh(data, run_it, NULL)); }
static void unhooks_it(void *data) { ASK(kmtreehx(data, run_it, NULL)); }
static void adds_below_it(void *data) { ASK(kmtreea(NULL, data, 8)); }

CASE(resize_own_destructor, PLAIN) { in_destructor(m, resizes_it); }
CASE(resize_own_hook, "tree") { in_hook(m, resizes_it); }
CASE(resize_above, "tree") { in_child(m, resizes_top); }
CASE(child_leaving, "tree") { in_leaving(m, frees_top); }

CASE(child_emptied, "tree")
{
    leaving(m, frees_top);
    WRONG(kmtreex(top));
}

CASE(resize_leaving, "tree") { in_leaving(m, resizes_top); }
CASE(move_leaving, "tree") { in_leaving(m, moves_top_below); }
CASE(move_dying, "tree") { in_destructor(m, moves_it); }
CASE(move_dying_hook, NODES) { in_hook(m, moves_it); }
CASE(move_to_dying, "tree") { in_child(m, moves_to_top); }
CASE(children_to_dying, "tree") { in_child(m, children_to_top); }
CASE(adopt_by_dying, "tree") { in_destructor(m, adopts_by_it); }
CASE(adopt_by_dying_hook, NODES) { in_hook(m, adopts_by_it); }
CASE(adopt_dying, PLAIN) { in_destructor(m, adopts_it); }
CASE(hook_dying, "tree") { in_destructor(m, hooks_it); }
CASE(hook_dying_hook, NODES) { in_hook(m, hooks_it); }
CASE(unhook_dying, NODES) { in_hook(m, unhooks_it); }
CASE(hook_frees_own, NODES) { in_hook(m, frees_it); }

CASE(hook_frees_above, "tree")
{
    runs = frees_top, running = m;
    top = kmtreea(NULL, NULL, SIZE);
    kmtreeh(kmtreea(NULL, kmtreea(NULL, top, SIZE), SIZE), run_it, NULL);
    WRONG(m->free(top));
}

CASE(hook_adds, NODES) { in_hook(m, adds_below_it); }

CASE(hook_forged, NODES)
{
    byte *one = m->alloc(SIZE);
    runs = frees_it;
    kmtreeh(one, run_it, NULL);
    put_slot((byte *)((kmnode *)(one - NODE))->child + NODE, 0);
    WRONG(m->free(one));
}
