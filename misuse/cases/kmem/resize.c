/* Resized. */
#include "layer.h"

CASE(resize_as_heap, "ref pool tree ref@pool tree@pool") { void *one = keep(m->alloc(SIZE)); WRONG(ASK(kmheapr(one, 200))); }
CASE(resize_as_ref, "heap pool tree tree@pool") { void *one = keep(m->alloc(SIZE)); WRONG(ASK(kmrefr(one, 200))); }
CASE(resize_as_tree, "heap ref pool ref@pool") { void *one = keep(m->alloc(SIZE)); WRONG(ASK(kmtreer(one, 200))); }
CASE(resize_handle_heap, "ref pool tree") { crossed_by(m, kmkind_heap, resizing); }
CASE(resize_handle_ref, "heap pool tree") { crossed_by(m, kmkind_ref, resizing); }
CASE(resize_handle_pool, "heap ref tree") { crossed_by(m, kmkind_pool, resizing); }
CASE(resize_handle_tree, "heap ref pool") { crossed_by(m, kmkind_tree, resizing); }
CASE(resize_handle_none, PLAIN) { crossed_by(m, kmkind_none, resizing); }
CASE(resize_handle_unknown, PLAIN) { crossed_by(m, 77, resizing); }
CASE(resize_handle_cell, PLAIN) { crossed_cell(m, resizing); }

CASE(resize_shared, "ref ref@pool ref.handle")
{
    void *one = m->alloc(SIZE);
    keep(kmrefu(one));
    WRONG(resize(m, one, other_size(m)));
}

CASE(resize_gone, "pool pool@buffer ref@pool tree@pool")
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

CASE(resize_smash_zero, BASE) { resize_smash(m, 0, 16, 0); }
CASE(resize_smash_text, BASE) { resize_smash(m, 0, 16, 'A'); }
CASE(resize_smash_flags, HEADED) { resize_smash(m, 5, 1, 0xff); }
CASE(resize_smash_align, HEADED) { resize_smash(m, 6, 1, 7); }
CASE(resize_smash_size_tiny, HEADED) { resize_smash(m, 8, 8, 0); }
CASE(resize_smash_size_huge, HEADED) { resize_smash(m, 8, 8, 'A'); }
CASE(resize_smash_size_fair, HEADED) { resize_smash(m, 8, 1, header(m) + 2 * SIZE); }
CASE(resize_smash_src, "ref tree ref@pool tree@pool") { resize_smash(m, header(m) - 8, 8, 'A'); }
CASE(resize_smash_refs, "ref ref@pool") { resize_smash(m, 16, 8, 0); }

CASE(resize_smash_heap, HEADED)
{
    byte *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    (one - header(m))[7] ^= 0x55;
    WRONG(resize(m, one, other_size(m)));
}

CASE(resize_smash_pool, "pool")
{
    byte *one = m->alloc(SIZE);
    pool = NULL;
    m->alloc(SIZE);
    *(kmpool **)(one - 8) = pool;
    WRONG(resize(m, one, other_size(m)));
}

/* The slot and the name behind the data. */
CASE(resize_smash_drop, "heap ref tree")
{
    byte *one = made_with(m, frees_own, NULL);
    memset(one + SIZE, 'A', 16);
    WRONG(resize(m, one, other_size(m)));
}

CASE(resize_smash_name, "heap ref tree")
{
    byte *one = named(m, "ours");
    memset(one + SIZE, 'A', 8);
    WRONG(resize(m, one, other_size(m)));
}

CASE(resize_no_cell, "heap") { m->alloc(SIZE); WRONG(resizing(kmstat("static"))); }

static void resizing_node(void *node) { ASK(kmtreer(node, 1 << 14)); }

LINKS(resize_link_parent, "tree", PARENT, resizing_node)
LINKS(resize_link_child, "tree", CHILD, resizing_node)
LINKS(resize_link_prev, "tree", PREV, resizing_node)
LINKS(resize_link_next, "tree", NEXT, resizing_node)
