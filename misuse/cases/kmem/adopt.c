/* Adopted by a node, or owned by a counted cell. */
#include "layer.h"

static void adopting_by(void *node) { ASK(kmtreek(node, kmheapao(SIZE))); }
static void letting_go(void *node) { ASK(kmtreel(node, holder()).ref); }

CASE(adopt_freed, BASE) { freed_by(m, adopting); }
CASE(adopt_handle_heap, "ref pool tree") { crossed_by(m, kmkind_heap, adopting); }
CASE(adopt_handle_ref, "heap pool tree") { crossed_by(m, kmkind_ref, adopting); }
CASE(adopt_handle_pool, "heap ref tree") { crossed_by(m, kmkind_pool, adopting); }
CASE(adopt_handle_tree, "heap ref pool") { crossed_by(m, kmkind_tree, adopting); }
CASE(adopt_handle_unknown, PLAIN) { crossed_by(m, 77, adopting); }
CASE(adopt_handle_cell, PLAIN) { crossed_cell(m, adopting); }

CASE(adopt_foreign, PLAIN)
{
    m->alloc(SIZE);
    holder();
    void *block = malloc(SIZE);
    WRONG(adopting(handle(kind_of(m), block, NULL)));
}

static void adopted(void *node, kmptr it) { ASK(kmtreek(node, it)); }

CASE(adopt_by_freed, NODES) { void *one = freed_one(m); WRONG(adopted(one, kmheapao(SIZE))); }
CASE(adopt_by_other, "heap ref pool") { void *one = keep(m->alloc(SIZE)); WRONG(adopted(one, kmheapao(SIZE))); }

CASE(adopt_above, NODES)
{
    void *one = m->alloc(SIZE), *low = kmtreea(NULL, kmtreea(NULL, one, SIZE), SIZE);
    WRONG(adopted(low, kmtreeo(one)));
}

/* The program frees an adopted object, then the node frees it again. */
CASE(adopted_freed, "heap ref pool ref@pool")
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    kmtreek(holder(), right(m, one));
    WRONG(m->free(one));
    kmtreef(holder());
}

CASE(adopted_resized, "heap ref")
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

CASE(adopted_let_go, "heap ref pool ref@pool")
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    kmtreek(holder(), right(m, one));
    m->free(one);
    WRONG(ASK(kmtreel(holder(), one).ref));
}

CASE(adopt_twice, "heap ref pool ref@pool")
{
    void *one = m->alloc(SIZE), *two = kmtreea(NULL, NULL, 8);
    keep(m->alloc(SIZE));
    kmtreek(holder(), right(m, one));
    WRONG(adopted(two, right(m, one)));
    kmtreef(holder());
    kmtreef(two);
}

CASE(adopt_twice_same, "heap ref pool ref@pool")
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    kmtreek(holder(), right(m, one));
    WRONG(adopting(right(m, one)));
    kmtreef(holder());
}

CASE(let_go_none, BASE)
{
    void *one = keep(m->alloc(SIZE));
    WRONG(ASK(kmtreel(holder(), one).ref));
}

CASE(let_go_twice, BASE)
{
    void *one = keep(m->alloc(SIZE));
    kmtreek(holder(), right(m, one));
    kmptr it = kmtreel(holder(), one);
    WRONG(ASK(kmtreel(holder(), one).ref));
}

CASE(let_go_by_freed, NODES)
{
    void *one = freed_one(m);
    WRONG(ASK(kmtreel(one, holder()).ref));
}

/* Owned by a counted cell. */
static void *owner(void)
{
    static void *cell;
    if (!cell) cell = kmrefa(NULL, 8);
    return cell;
}

static void owned_by(void *cell, kmptr it) { ASK(kmrefk(cell, it)); }
static void owning(kmptr it) { owned_by(owner(), it); }

CASE(own_freed, PLAIN) { owner(); freed_by(m, owning); }
CASE(own_handle_cell, PLAIN) { crossed_cell(m, owning); }
CASE(own_by_freed, "ref ref@pool") { void *one = freed_one(m); WRONG(owned_by(one, kmheapao(SIZE))); }
CASE(own_by_other, "heap pool tree") { void *one = keep(m->alloc(SIZE)); WRONG(owned_by(one, kmheapao(SIZE))); }

CASE(own_by_shared, "ref ref@pool")
{
    void *one = keep(kmrefu(m->alloc(SIZE)));
    WRONG(owned_by(one, kmheapao(SIZE)));
}

CASE(own_itself, "ref") { void *one = keep(m->alloc(SIZE)); WRONG(owned_by(one, kmrefo(one))); }

CASE(own_above, "ref")
{
    void *one = keep(m->alloc(SIZE)), *node = kmtreea(NULL, NULL, SIZE);
    if (!kmrefk(one, kmtreeo(node))) exit(3);
    void *low = kmtreea(NULL, node, SIZE);
    WRONG(adopted(low, kmrefo(kmrefu(one))));
}

CASE(own_twice, "heap ref pool")
{
    void *one = m->alloc(SIZE), *two = kmrefa(NULL, 8);
    keep(m->alloc(SIZE));
    if (!kmrefk(owner(), right(m, one))) exit(3);
    WRONG(owned_by(two, right(m, one)));
    kmreff(owner());
    kmreff(two);
}

CASE(owned_freed, "heap ref pool")
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    if (!kmrefk(owner(), right(m, one))) exit(3);
    WRONG(m->free(one));
    kmreff(owner());
}

CASE(disowned_none, PLAIN) { void *one = keep(m->alloc(SIZE)); WRONG(ASK(kmrefl(owner(), one).ref)); }
CASE(disowned_by_freed, "ref ref@pool") { void *one = freed_one(m); WRONG(ASK(kmrefl(one, holder()).ref)); }

/* Calls in the destructor of a node that a counted cell owns. The cell is freed, or that node alone. */
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

CASE(owner_freed_below, "ref") { owned_with(m, frees_owner); WRONG(m->free(top)); }
CASE(owner_owns_below, "ref") { owned_with(m, owns_by_owner); WRONG(m->free(top)); }
CASE(owner_leaving, "ref") { void *node = owned_with(m, frees_owner); WRONG(kmtreef(node)); }
LINKS(adopt_link_last, NODES, LAST, adopting_by)
LINKS(let_go_link_last, NODES, LAST, letting_go)
