/* Blocks of `malloc` freed or resized by another allocator, and the reverse. */
#include "cases.h"

CASE(foreign, PLAIN)
{
    m->alloc(SIZE);
    void *block = malloc(SIZE);
    WRONG(m->free(block));
}

CASE(foreign_large, PLAIN)
{
    m->alloc(SIZE);
    void *block = malloc(LARGE);
    WRONG(m->free(block));
}

CASE(to_libc, BASE)
{
    void *one = m->alloc(SIZE);
    WRONG(free(one));
}

CASE(resize_foreign, PLAIN)
{
    m->alloc(SIZE);
    void *block = malloc(SIZE);
    WRONG(resize(m, block, other_size(m)));
}
