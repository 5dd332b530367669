/* talloc: the layer, and misuses that it shares with kmem alone. */
#include "cases.h"

void *talloc_named_const(const void *context, size_t size, const char *name);
int _talloc_free(void *data, const char *location);
void *talloc_pool(const void *context, size_t size);
int talloc_unlink(const void *context, void *data);
void _talloc_set_destructor(const void *data, int (*destructor)(void *));
void talloc_set_log_stderr(void);
void *_talloc_realloc(const void *context, void *data, size_t size, const char *name);
void *_talloc_steal_loc(const void *parent, const void *data, const char *location);
void *_talloc_reference_loc(const void *context, const void *data, const char *location);
void *talloc_parent(const void *data);
size_t talloc_get_size(const void *data);
size_t talloc_total_size(const void *data);
const char *talloc_get_name(const void *data);
void *talloc_check_name(const void *data, const char *name);
void talloc_set_name_const(const void *data, const char *name);
int talloc_version_major(void);
int talloc_version_minor(void);

static void *root, *pool;

static void *heap_a(size_t size) { return talloc_named_const(NULL, size, "cell"); }

static void *tree_a(size_t size)
{
    if (!root) root = talloc_named_const(NULL, 8, "root");
    return talloc_named_const(root, size, "node");
}

static void *pool_a(size_t size)
{
    if (!pool) pool = talloc_pool(NULL, 1 << 16);
    return talloc_named_const(pool, size, "cell");
}

static void freed(void *data) { if (_talloc_free(data, "talloc.c") != 0) say("refused"); }
static void unlinked(void *data) { if (talloc_unlink(root, data) != 0) say("refused"); }
static void *resized(void *data, size_t size) { return _talloc_realloc(NULL, data, size, "cell"); }
method methods[] = {
    { "heap", heap_a, freed, 72, resized },
    { "ref", tree_a, unlinked, 72, resized },
    { "pool", pool_a, freed, 80, resized },
    { "tree", tree_a, freed, 72, resized },
};
const size_t method_count = sizeof methods / sizeof *methods;

void begin(void) { talloc_set_log_stderr(); }
void version(void) { printf("%d.%d\n", talloc_version_major(), talloc_version_minor()); }
void read_size(const method *m, void *block) { ASK(talloc_get_size(block)); }

static int frees_own(void *data) { freed(data); return 0; }

CASE(own_destructor, "heap pool tree")
{
    void *one = m->alloc(SIZE);
    _talloc_set_destructor(one, frees_own);
    WRONG(m->free(one));
}

static void *top;
static int frees_top(void *data) { freed(top); return 0; }

CASE(child_destructor, "tree")
{
    top = talloc_named_const(NULL, SIZE, "top");
    void *low = talloc_named_const(talloc_named_const(top, SIZE, "middle"), SIZE, "low");
    _talloc_set_destructor(low, frees_top);
    WRONG(m->free(top));
}

CASE(below_freed, "tree") { void *one = freed_block(m); WRONG(talloc_named_const(one, SIZE, "node")); }

CASE(gone, "pool")
{
    void *one = m->alloc(SIZE);
    m->alloc(SIZE);
    freed(pool);
    WRONG(m->free(one));
    pool = NULL;
}

CASE(torn_twice, "pool")
{
    m->alloc(SIZE);
    freed(pool);
    WRONG(freed(pool));
    pool = NULL;
}

static const method *running;
static void (*runs)(void *);
static int run_it(void *data) { runs(data); return 0; }

static void *holder(void)
{
    static void *node;
    if (!node) node = talloc_named_const(NULL, 8, "holder");
    return node;
}

static void in_destructor(const method *m, void (*run)(void *))
{
    runs = run, running = m;
    holder();
    void *one = m->alloc(SIZE);
    _talloc_set_destructor(one, run_it);
    WRONG(m->free(one));
}

static void in_child(const method *m, void (*run)(void *))
{
    runs = run, running = m;
    holder();
    top = talloc_named_const(NULL, SIZE, "top");
    _talloc_set_destructor(talloc_named_const(talloc_named_const(top, SIZE, "middle"), SIZE, "low"), run_it);
    WRONG(m->free(top));
}

static void *low;

static void in_leaving(const method *m, void (*run)(void *))
{
    runs = run, running = m;
    top = talloc_named_const(NULL, SIZE, "top");
    void *child = talloc_named_const(top, SIZE, "child");
    low = talloc_named_const(child, SIZE, "low");
    _talloc_set_destructor(child, run_it);
    WRONG(m->free(child));
}

static void move(void *node, void *parent) { ASK(_talloc_steal_loc(parent, node, "talloc.c")); }
static void refer(void *holder, void *to) { ASK(_talloc_reference_loc(holder, to, "talloc.c")); }
static void resizes_it(void *data) { resize(running, data, other_size(running)); }
static void resizes_top(void *data) { resize(running, top, 200); }
static void moves_it(void *data) { move(data, holder()); }
static void moves_to_top(void *data) { move(holder(), top); }
static void refers_by_it(void *data) { refer(data, holder()); }
static void refers_to_it(void *data) { refer(holder(), data); }
static void hooks_it(void *data) { _talloc_set_destructor(data, run_it); }
static void adds_below_it(void *data) { ASK(talloc_named_const(data, 8, "low")); }

CASE(resize_own_destructor, "heap pool tree") { in_destructor(m, resizes_it); }

static void frees_all(void *data) { freed(top); }
static void moves_top_below(void *data) { move(top, low); }

CASE(resize_above, "tree") { in_child(m, resizes_top); }
CASE(child_leaving, "tree") { in_leaving(m, frees_all); }
CASE(resize_leaving, "tree") { in_leaving(m, resizes_top); }
CASE(move_leaving, "tree") { in_leaving(m, moves_top_below); }
CASE(move_dying, "tree") { in_destructor(m, moves_it); }
CASE(move_to_dying, "tree") { in_child(m, moves_to_top); }
CASE(adopt_by_dying, "tree") { in_destructor(m, refers_by_it); }
CASE(adopt_dying, "heap pool tree") { in_destructor(m, refers_to_it); }
CASE(hook_dying, "tree") { in_destructor(m, hooks_it); }
CASE(hook_adds, "tree") { in_destructor(m, adds_below_it); }

CASE(resize_shared, "ref")
{
    void *one = m->alloc(SIZE);
    refer(holder(), one);
    WRONG(resize(m, one, other_size(m)));
}

static void *freed_one(const method *m)
{
    holder();
    return freed_block(m);
}

CASE(move_freed, "tree") { void *one = freed_one(m); WRONG(move(one, holder())); }
CASE(move_below_freed, "tree") { void *one = freed_one(m); WRONG(move(holder(), one)); }

CASE(move_below_itself, "tree")
{
    void *one = m->alloc(SIZE), *low = talloc_named_const(talloc_named_const(one, SIZE, "middle"), SIZE, "low");
    WRONG(move(one, low); m->free(one));
}

CASE(move_foreign, "tree") { m->alloc(SIZE); void *block = malloc(SIZE); WRONG(move(block, holder())); }
CASE(move_below_foreign, "tree") { m->alloc(SIZE); void *block = malloc(SIZE); WRONG(move(holder(), block)); }
CASE(adopt_freed, "heap pool tree") { void *one = freed_one(m); WRONG(refer(holder(), one)); }
CASE(adopt_by_freed, "tree") { void *one = freed_one(m); WRONG(refer(one, holder())); }

CASE(let_go_none, "heap pool tree")
{
    void *one = keep(m->alloc(SIZE));
    WRONG(if (talloc_unlink(holder(), one)) say("refused"));
}

CASE(let_go_by_freed, "tree")
{
    void *one = freed_one(m);
    WRONG(if (talloc_unlink(one, holder())) say("refused"));
}

CASE(hook_freed, "tree") { void *one = freed_one(m); WRONG(_talloc_set_destructor(one, run_it)); }

static int theirs_runs(void *data) { say("harm: ran the attacker's function"); return 0; }

/* Replaces the word `found` in a chunk's header by `theirs`. */
static void forge_word(void *data, const void *found, const void *theirs)
{
    for (const void **word = (const void **)data; word-- > (const void **)data - 12;)
        if (*word == found) *word = theirs;
}

CASE(hook_forged, "tree")
{
    void *one = m->alloc(SIZE);
    _talloc_set_destructor(one, frees_own);
    forge_word(one, (void *)frees_own, (void *)theirs_runs);
    WRONG(m->free(one));
}

CASE(above_freed, "tree") { void *one = freed_one(m); WRONG(ASK(talloc_parent(one))); }
CASE(count_freed, "tree") { void *one = freed_one(m); WRONG(talloc_total_size(one)); }

static void naming(void *data)
{
    const char *name = talloc_get_name(data);
    if (!name || strcmp(name, "UNNAMED") == 0) say("refused");
    else if (strcmp(name, "theirs") == 0) say("harm: gave a name that is not the cell's");
}

static void casting(void *data) { if (!talloc_check_name(data, "theirs")) say("refused"); else say("harm: took it for what it is not"); }

CASE(name_freed, "heap pool tree") { void *one = freed_one(m); WRONG(naming(one)); }
CASE(cast_freed, "heap pool tree") { void *one = freed_one(m); WRONG(casting(one)); }

static void *named_theirs(const method *m)
{
    static const char ours[] = "ours";
    void *one = m->alloc(SIZE);
    talloc_set_name_const(one, ours);
    forge_word(one, ours, "theirs");
    return one;
}

CASE(name_forged, "heap tree") { void *one = named_theirs(m); WRONG(naming(one)); }
CASE(cast_forged, "heap tree") { void *one = named_theirs(m); WRONG(casting(one)); }
