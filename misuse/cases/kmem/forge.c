/* Forgeries. The attacker knows the layout and every address, but none of kmem's secrets. */
#include "layer.h"

/* A write from the end of the first cell to the flags of the second. The bytes between keep their values. */
CASE(forge_flags, "heap ref tree")
{
    pair at = neighbours(m);
    put_slot(at.two, m->snug);
    (at.two - header(m))[5] = 1;
    WRONG(m->free(at.two); m->free(at.one));
}

/* The same write also changes the size, so that the slot of the destructor lies in the second cell's data. */
CASE(forge_slot, HEADED)
{
    pair at = neighbours(m);
    put_slot(at.two, 16);
    byte *prefix = at.two - header(m);
    size_t size = header(m) + 16;
    prefix[5] = 1;
    memcpy(prefix + 8, &size, sizeof size);
    WRONG(m->free(at.two); m->free(at.one));
}

/* A copy of a pool in the attacker's memory, with the changes that a write can make. */
static kmpool *forged_pool(kmpool *real, int with_destructor)
{
    void **words = (void **)(theirs + 512);
    const size_t n = sizeof(kmpool) / sizeof(void *);
    memcpy(words, real, sizeof(kmpool));
    for (size_t i = 0; i < n; i++)
        if (words[i] == real) words[i] = words;
    if (with_destructor) {
        /* A pool that has a destructor shows the word for it. */
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

CASE(forge_pool, "pool ref@pool tree@pool") { forge_pool_with(m, 0); }
CASE(forge_pool_drop, "pool ref@pool tree@pool") { forge_pool_with(m, 1); }

CASE(forge_src, "ref@pool tree@pool")
{
    pair at = neighbours(m);
    kmpool *fake = forged_pool(*pool_of(m), 1);
    byte *cell = at.two - header(m) - HEAP;
    memcpy(cell + 8, &fake, 8);
    memcpy(at.two - 8, &fake, 8);
    WRONG(m->free(at.two); m->free(at.one));
}

/* A write changes the destructor in the header of a pool. */
CASE(forge_drop, "pool")
{
    void *one = m->alloc(SIZE);
    memcpy(pool, forged_pool(pool, 1), sizeof(kmpool));
    void **words = (void **)pool;
    for (size_t i = 0; i < sizeof(kmpool) / sizeof(void *); i++)
        if (words[i] == theirs + 512) words[i] = pool;
    WRONG(m->free(one));
    pool = NULL;
}

/* A write to the free list would make the pool hand out the attacker's memory. */
CASE(forge_free, "pool")
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

/* A write marks a free cell as live. The cell is freed again. */
CASE(forge_live, "pool")
{
    pair at = neighbours(m);
    keep(at.one);
    m->free(at.two);
    ((kmpool **)at.two)[-1] = *pool_of(m);
    WRONG(m->free(at.two));
}
