/* Arenas: objects freed wrongly, scopes ended wrongly, stores used wrongly. */
#include "layer.h"

CASE(arena_as_heap, "arena") { void *one = keep(m->alloc(SIZE)); WRONG(kmheapf(one)); }
CASE(arena_as_ref, "arena") { void *one = keep(m->alloc(SIZE)); WRONG(kmreff(one)); }
CASE(arena_as_pool, "arena") { void *one = keep(m->alloc(SIZE)); WRONG(kmpoolf(one)); }
CASE(arena_as_tree, "arena") { void *one = keep(m->alloc(SIZE)); WRONG(kmtreef(one)); }

CASE(arena_twice, "arena")
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    m->free(one);
    WRONG(m->free(one));
    use(m);
}

/* The newest object gives its memory back at once. */
CASE(arena_twice_newest, "arena")
{
    void *one = m->alloc(SIZE);
    m->free(one);
    WRONG(m->free(one));
    use(m);
}

CASE(arena_scope_freed, "arena")
{
    keep(m->alloc(SIZE));
    kmmark mark = kmarenab(arena);
    void *one = m->alloc(SIZE);
    m->alloc(SIZE);
    kmarenae(arena, mark);
    WRONG(m->free(one));
    use(m);
}

CASE(arena_scope_order, "arena")
{
    keep(m->alloc(SIZE));
    kmmark outer = kmarenab(arena), inner = kmarenab(arena);
    keep(m->alloc(SIZE));
    WRONG(kmarenae(arena, outer));
    use(m);
    (void)inner;
}

CASE(arena_scope_twice, "arena")
{
    keep(m->alloc(SIZE));
    kmmark mark = kmarenab(arena);
    m->alloc(SIZE);
    kmarenae(arena, mark);
    keep(m->alloc(SIZE));
    WRONG(kmarenae(arena, mark));
    use(m);
}

CASE(arena_scope_other, "arena")
{
    keep(m->alloc(SIZE));
    kmarena *other = kmarenai(NULL, 0);
    kmmark mark = kmarenab(other);
    kmarenab(arena);
    WRONG(kmarenae(arena, mark));
    use(m);
}

CASE(arena_scope_forged, "arena")
{
    keep(m->alloc(SIZE));
    kmmark mark = kmarenab(arena);
    memcpy(&mark, (void *[]) { theirs }, sizeof(void *));
    WRONG(kmarenae(arena, mark));
    use(m);
}

CASE(arena_torn_twice, "arena")
{
    m->alloc(SIZE);
    kmarena *torn = arena;
    arena = NULL;
    kmarenax(torn);
    WRONG(kmarenax(torn));
}

CASE(arena_gone, "arena")
{
    void *one = m->alloc(SIZE);
    m->alloc(SIZE);
    kmarenax(arena);
    arena = NULL;
    WRONG(m->free(one));
}

CASE(arena_object_source, "arena")
{
    void *one = keep(m->alloc(SIZE));
    WRONG(ASK(kmrefa(kmarenao(one).cell, SIZE)));
}

CASE(arena_text, "arena")
{
    m->alloc(SIZE);
    memset(arena, 'x', 16);
    WRONG(kmarenax(arena));
    arena = NULL;
}

CASE(arena_smash_size, "arena")
{
    byte *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    *(size_t *)(void *)(one - 24) += 64;
    WRONG(m->free(one));
    use(m);
}

CASE(arena_smash_src, "arena")
{
    byte *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    memset(one - sizeof(void *), 'x', sizeof(void *));
    WRONG(m->free(one));
    use(m);
}

/* The header of the freed memory lies before the data. */
CASE(arena_written_after, "arena")
{
    byte *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    m->free(one);
    memset(one - 16, 'x', 16);
    WRONG(keep(m->alloc(SIZE)));
    use(m);
}
