/* Misuses of any library. */
#include "cases.h"

#include <pthread.h>

CASE(twice, BASE " pool@buffer " HANDLES) { void *one = freed_block(m); WRONG(m->free(one)); }

CASE(twice_later, BASE " pool@buffer " HANDLES)
{
    void *one = m->alloc(SIZE), *two = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    m->free(one);
    m->free(two);
    WRONG(m->free(one));
}

CASE(twice_busy, BASE)
{
    void *one = m->alloc(SIZE), *others[MANY];
    for (size_t i = 0; i < MANY; i++)
        others[i] = m->alloc(SIZE);
    m->free(one);
    for (size_t i = 0; i < MANY; i += 2)
        m->free(others[i]);
    WRONG(m->free(one));
}

/* A cache of free blocks is full. */
CASE(twice_full, BASE)
{
    void *one = m->alloc(SIZE), *two = m->alloc(SIZE), *others[8];
    for (size_t i = 0; i < 8; i++)
        others[i] = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    for (size_t i = 0; i < 8; i++)
        m->free(others[i]);
    m->free(one);
    m->free(two);
    WRONG(m->free(one));
}

static const method *thread_method;

static void *frees(void *block)
{
    thread_method->free(block);
    return NULL;
}

CASE(twice_thread, "heap ref")
{
    void *one = freed_block(m);
    thread_method = m;
    pthread_t other;
    WRONG(if (pthread_create(&other, NULL, frees, one) || pthread_join(other, NULL)) exit(3));
}

CASE(twice_reused, BASE)
{
    void *one = m->alloc(SIZE);
    m->free(one);
    for (size_t i = 0; i < MANY; i++)
        keep(m->alloc(SIZE));
    WRONG(m->free(one));
}

CASE(twice_large, "heap ref tree")
{
    byte *one = m->alloc(LARGE);
    one[LARGE / 2] = 1;
    m->free(one);
    WRONG(m->free(one));
}

static void inside(const method *m, size_t by, int contents)
{
    byte *one = m->alloc(SIZE);
    memset(keep(one), contents, SIZE);
    WRONG(m->free(one + by));
}

CASE(inside_1, PLAIN) { inside(m, 1, 0); }
CASE(inside_8, PLAIN) { inside(m, 8, 0); }
CASE(inside_16, PLAIN) { inside(m, 16, 0); }
CASE(inside_32, PLAIN) { inside(m, 32, 0); }
CASE(inside_16_text, PLAIN) { inside(m, 16, 'A'); }
CASE(inside_32_text, PLAIN) { inside(m, 32, 'A'); }

static void stack(const method *m, int contents)
{
    _Alignas(64) byte own[512];
    memset(own, contents, sizeof own);
    m->alloc(SIZE);
    WRONG(m->free(own + 256));
}

CASE(stack, PLAIN) { stack(m, 0); }
CASE(stack_text, PLAIN) { stack(m, 'A'); }

CASE(static, PLAIN)
{
    m->alloc(SIZE);
    WRONG(m->free(theirs + 256));
}

static void over(const method *m, size_t bytes, int with)
{
    pair at = neighbours(m);
    memset(at.one + m->snug, with, bytes);
    WRONG(m->free(at.two); m->free(at.one));
}

CASE(over_1_zero, BASE) { over(m, 1, 0); }
CASE(over_1_text, BASE) { over(m, 1, 'A'); }
CASE(over_8_zero, BASE) { over(m, 8, 0); }
CASE(over_8_text, BASE) { over(m, 8, 'A'); }
CASE(over_16_zero, BASE) { over(m, 16, 0); }
CASE(over_16_text, BASE) { over(m, 16, 'A'); }

CASE(over_free, BASE)
{
    pair at = neighbours(m);
    m->free(at.two);
    memset(at.one + m->snug, 'A', 16);
    keep(at.one);
    WRONG(use(m));
}

CASE(late_write, BASE)
{
    pair at = neighbours(m);
    keep(at.one);
    m->free(at.two);
    memset(at.two, 'A', 16);
    WRONG(use(m));
}

CASE(resize_freed, BASE " pool@buffer " HANDLES) { void *one = freed_block(m); WRONG(resize(m, one, other_size(m))); }
CASE(resize_freed_smaller, BASE) { void *one = freed_block(m); WRONG(resize(m, one, SIZE / 2)); }

CASE(resize_reused, BASE)
{
    void *one = m->alloc(SIZE);
    m->free(one);
    for (size_t i = 0; i < MANY; i++)
        keep(m->alloc(SIZE));
    WRONG(resize(m, one, other_size(m)));
}

static void resize_inside(const method *m, size_t by, int contents)
{
    byte *one = m->alloc(SIZE);
    memset(keep(one), contents, SIZE);
    WRONG(resize(m, one + by, other_size(m)));
}

CASE(resize_inside_1, PLAIN) { resize_inside(m, 1, 0); }
CASE(resize_inside_16, PLAIN) { resize_inside(m, 16, 0); }
CASE(resize_inside_16_text, PLAIN) { resize_inside(m, 16, 'A'); }

CASE(resize_static, PLAIN)
{
    m->alloc(SIZE);
    WRONG(resize(m, theirs + 256, other_size(m)));
}

#define MOVING "heap ref tree heap.handle ref.handle tree.handle"

/* The address of a block before a resize moved it. */
static void *stale(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    void *now = m->resize(one, 1 << 14);
    if (now == one) {
        say("apart");
        exit(0);
    }
    keep(now);
    return one;
}

CASE(resize_stale_freed, MOVING) { void *one = stale(m); WRONG(m->free(one)); }
CASE(resize_stale_resized, MOVING) { void *one = stale(m); WRONG(resize(m, one, other_size(m))); }
CASE(size_freed, BASE) { void *one = freed_block(m); WRONG(read_size(m, one)); }
