/* Strings. */
#include "layer.h"

static void appending(kmptr it) { ASK(kmcat(&it, "text", 4)); }
static void appending_text(kmptr it) { ASK(kmcats(&it, "text")); }

CASE(text_unended, PLAIN)
{
    void *one = memset(keep(m->alloc(SIZE)), 'A', SIZE);
    if (is(m, "pool")) memset(one, 'A', kmsize(right(m, one)));
    WRONG(appending_text(right(m, one)));
}

CASE(text_static, "heap") { m->alloc(SIZE); WRONG(appending_text(kmstat("static"))); }
CASE(append_static, "heap") { m->alloc(SIZE); WRONG(appending(kmstat("static"))); }
CASE(cats_freed, BASE) { freed_by(m, appending_text); }
CASE(cat_freed, BASE) { freed_by(m, appending); }
CASE(cat_smash_size, HEADED) { smash_by(m, 8, 1, header(m) + 2 * SIZE, appending); }

CASE(cats_smash_size, HEADED)
{
    byte *one = m->alloc(SIZE);
    memset(one, 'A', SIZE);
    keep(m->alloc(SIZE));
    one[SIZE - 1] = 0;
    (one - header(m))[8] = header(m) + 2 * SIZE;
    WRONG(appending_text(right(m, one)));
}

CASE(cat_cell, PLAIN) { crossed_cell(m, appending); }
