/* Looks: walks, counts, reports, sizes and names. */
#include "layer.h"

static void renaming(kmptr it) { errno = 0; kmrename(it, "another"); if (errno) say("refused"); }
static void naming(kmptr it) { if (!kmname(it)) say("refused"); else say("harm: gave a name that is not the cell's"); }
static void casting(kmptr it) { if (!kmcast(it, "theirs")) say("refused"); else say("harm: took it for what it is not"); }
static void walking(void *node) { kmwalk walk = { .root = node }; while (kmtreen(&walk)) if (walk.depth > 9) break; }
static void counting(void *node) { kmtreeq(node, NULL); }
static void writes(void *ctx, const char *text, size_t len) {}
static void reporting(void *node) { kmtreet(node, 9, writes, NULL); }
static void reporting_json(void *node) { kmtreej(node, 9, writes, NULL); }

CASE(above_freed, NODES) { void *one = freed_one(m); WRONG(ASK(kmtreep(one))); }
CASE(child_freed, NODES) { void *one = freed_one(m); WRONG(ASK(kmtreec(one))); }
CASE(next_freed, NODES) { void *one = freed_one(m); WRONG(ASK(kmtreecn(one))); }
CASE(last_freed, NODES) { void *one = freed_one(m); WRONG(ASK(kmtreecl(one))); }
CASE(previous_freed, NODES) { void *one = freed_one(m); WRONG(ASK(kmtreecp(one))); }
CASE(walk_freed, NODES) { void *one = freed_one(m); WRONG(walking(one)); }
CASE(count_freed, NODES) { void *one = freed_one(m); WRONG(counting(one)); }
CASE(text_freed, NODES) { void *one = freed_one(m); WRONG(reporting(one)); }
CASE(json_freed, NODES) { void *one = freed_one(m); WRONG(reporting_json(one)); }
CASE(walk_other, "heap ref pool") { void *one = keep(m->alloc(SIZE)); WRONG(walking(one)); }
CASE(name_freed, BASE) { freed_by(m, naming); }
CASE(rename_freed, BASE) { freed_by(m, renaming); }
CASE(cast_freed, BASE) { freed_by(m, casting); }
CASE(size_cell, PLAIN) { crossed_cell(m, sizing); }
CASE(name_cell, PLAIN) { crossed_cell(m, naming); }
CASE(size_smash_text, HEADED) { smash_by(m, 0, 16, 'A', sizing); }
CASE(size_smash_tiny, HEADED) { smash_by(m, 8, 8, 0, sizing); }
CASE(size_smash_huge, HEADED) { smash_by(m, 8, 8, 'A', sizing); }
CASE(size_smash_fair, HEADED) { smash_by(m, 8, 1, header(m) + 2 * SIZE, sizing); }

static void named_by(const method *m, size_t at, size_t bytes, int with, act *to)
{
    byte *one = named(m, "ours");
    memset(one - header(m) + at, with, bytes);
    WRONG(to(right(m, one)));
}

CASE(name_smash_tiny, "heap ref tree") { named_by(m, 8, 8, 0, naming); }
CASE(name_smash_huge, "heap ref tree") { named_by(m, 8, 8, 'A', naming); }
CASE(name_smash_fair, "heap ref tree") { named_by(m, 8, 1, header(m) + 2 * SIZE, naming); }

static void named_theirs(const method *m, int forged, act *to)
{
    byte *one = named(m, "ours");
    const char *name = "theirs";
    if (forged) memcpy(one + SIZE, &name, 8);
    else memset(one + SIZE, 'A', 8);
    WRONG(to(right(m, one)));
}

CASE(name_forged, "heap ref tree") { named_theirs(m, 1, naming); }
CASE(name_text, "heap ref tree") { named_theirs(m, 0, naming); }
CASE(cast_forged, "heap ref tree") { named_theirs(m, 1, casting); }
LINKS(walk_link_child, NODES, CHILD, walking)
LINKS(count_link_child, NODES, CHILD, counting)

typedef void pool_act(kmpool *);

static void pool_gone(const method *m, pool_act *to)
{
    m->alloc(SIZE);
    kmpool *torn = pool;
    kmpoolx(torn);
    WRONG(to(torn));
    pool = NULL;
}

static void pool_walks(kmpool *torn) { kmwalk walk = { .root = torn }; while (kmpooln(&walk)) {} }
static void pool_counts(kmpool *torn) { kmpoolq(torn); }
static void pool_text(kmpool *torn) { kmpoolt(torn, writes, NULL); }
static void pool_json(kmpool *torn) { kmpoolj(torn, writes, NULL); }

CASE(pool_walk_gone, "pool pool@buffer") { pool_gone(m, pool_walks); }
CASE(pool_count_gone, "pool pool@buffer") { pool_gone(m, pool_counts); }
CASE(pool_text_gone, "pool pool@buffer") { pool_gone(m, pool_text); }
CASE(pool_json_gone, "pool pool@buffer") { pool_gone(m, pool_json); }
