/* Nodes that are moved, added to and emptied. */
#include "layer.h"

static void move(void *node, void *parent) { ASK(kmtreem(node, parent)); }

CASE(move_freed, NODES) { void *one = freed_one(m); WRONG(move(one, holder())); }
CASE(move_below_freed, NODES) { void *one = freed_one(m); WRONG(move(holder(), one)); }

CASE(children_of_freed, NODES)
{
    void *one = freed_one(m);
    WRONG(ASK(kmtreemc(one, holder())));
}

CASE(move_below_itself, NODES)
{
    void *one = m->alloc(SIZE), *low = kmtreea(NULL, kmtreea(NULL, one, SIZE), SIZE);
    WRONG(move(one, low); m->free(one));
}

CASE(unchecked_below_itself, NODES)
{
    void *one = m->alloc(SIZE), *low = kmtreea(NULL, kmtreea(NULL, one, SIZE), SIZE);
    WRONG(ASK(kmtreemu(one, low)));
}

CASE(children_below, NODES)
{
    void *one = m->alloc(SIZE), *low = kmtreea(NULL, kmtreea(NULL, one, SIZE), SIZE);
    WRONG(ASK(kmtreemc(one, low)); m->free(one));
}

CASE(move_as_tree, "heap ref pool") { void *one = keep(m->alloc(SIZE)); WRONG(move(one, holder())); }
CASE(move_below_other, "heap ref pool") { void *one = keep(m->alloc(SIZE)); WRONG(move(holder(), one)); }
CASE(move_foreign, "tree") { m->alloc(SIZE); void *block = malloc(SIZE); WRONG(move(block, holder())); }
CASE(move_below_foreign, "tree") { m->alloc(SIZE); void *block = malloc(SIZE); WRONG(move(holder(), block)); }
CASE(move_smash_zero, NODES) { void *one = smashed(m, 0, 16, 0); WRONG(move(one, holder())); }
CASE(move_smash_text, NODES) { void *one = smashed(m, 0, 16, 'A'); WRONG(move(one, holder())); }

static void moving(void *node) { move(node, holder()); }
static void moving_children(void *node) { ASK(kmtreemc(node, holder())); }
static void moving_siblings(void *node) { ASK(kmtreemc(root, holder())); }
static void moving_to(void *node) { move(holder(), node); }
static void moving_with_child(void *node) { kmtreea(NULL, holder(), 8); move(holder(), node); }
static void adding(void *node) { ASK(kmtreea(NULL, node, 8)); }
static void clearing(void *node) { kmtreex(node); }

CASE(clear_freed, NODES) { void *one = freed_one(m); WRONG(clearing(one)); }
LINKS(move_link_parent, NODES, PARENT, moving)
LINKS(move_link_prev, NODES, PREV, moving)
LINKS(move_link_next, NODES, NEXT, moving)
LINKS(move_link_above, "tree", PARENT, moving_with_child)
LINKS(move_link_last, NODES, LAST, moving_to)
LINKS(children_link_child, "tree", CHILD, moving_children)
LINKS(children_link_prev, "tree", PREV, moving_siblings)
LINKS(children_link_next, "tree", NEXT, moving_siblings)
LINKS(clear_link_child, NODES, CHILD, clearing)
LINKS(add_link_last, NODES, LAST, adding)
