/* Headers and links that were written over, then freed. */
#include "layer.h"

static void smash(const method *m, size_t at, size_t bytes, int with)
{
    void *one = smashed(m, at, bytes, with);
    WRONG(m->free(one));
}

CASE(smash_zero, BASE) { smash(m, 0, 16, 0); }
CASE(smash_text, BASE) { smash(m, 0, 16, 'A'); }
CASE(smash_flags, HEADED) { smash(m, 5, 1, 0xff); }
CASE(smash_align, HEADED) { smash(m, 6, 1, 0xff); }
CASE(smash_align_fair, HEADED) { smash(m, 6, 1, 7); }

CASE(smash_heap, HEADED)
{
    byte *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    (one - header(m))[7] ^= 0x55;
    WRONG(m->free(one));
}

CASE(smash_size_tiny, HEADED) { smash(m, 8, 8, 0); }
CASE(smash_size_huge, HEADED) { smash(m, 8, 8, 'A'); }
CASE(smash_size_fair, HEADED) { smash(m, 8, 1, header(m) + 2 * SIZE); }
CASE(smash_src_zero, "ref@pool tree@pool") { smash(m, header(m) - 8, 8, 0); }
CASE(smash_src_text, "ref tree ref@pool tree@pool") { smash(m, header(m) - 8, 8, 'A'); }
CASE(smash_refs_zero, "ref ref@pool") { smash(m, 16, 8, 0); }
CASE(smash_refs_more, "ref ref@pool") { smash(m, 16, 1, 2); }

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

CASE(smash_size_mark, HEADED) { smash_size_mark_by(m, SIZE); }
CASE(smash_size_mark_256, HEADED) { smash_size_mark_by(m, 256); }

CASE(smash_size_256, HEADED)
{
    byte *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    (one - header(m))[9] += 1;
    WRONG(m->free(one));
}

CASE(smash_pool, "pool")
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

CASE(pool_zero, "pool pool@buffer") { pool_header(m, 0, 16, 0); }
CASE(pool_text, "pool pool@buffer") { pool_header(m, 0, 16, 'A'); }

static void freeing_node(void *node) { kmtreef(node); }

LINKS(link_parent, NODES, PARENT, freeing_node)
LINKS(link_child, NODES, CHILD, freeing_node)
LINKS(link_prev, NODES, PREV, freeing_node)
LINKS(link_next, NODES, NEXT, freeing_node)
