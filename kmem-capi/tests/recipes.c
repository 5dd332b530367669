/* The kmem expressions of docs/talloc.md and docs/apr-glib.md, run with objects, with empty ones, and with NULL. */
#include "check.h"
#include "kmem-printf.h"

#define T(p) Kmtree(NULL, p)

typedef struct type {
    int n;
} type;

static void function(void *node, void *data) {
    (void)node;
    ++*(int *)data;
}

static void make_and_free(void) {
    void *parent = NULL, *src = NULL;
    void *ctx = kmtreea(NULL, NULL, 0);
    type *p = kmtreea(NULL, ctx, sizeof(type));
    CHECK(p && (p = kmtreea(NULL, ctx, sizeof *p)));
    void *q = kmtreea(NULL, ctx, 0);
    CHECK(q && kmtreep(q) == ctx);
    void *roots[] = { kmtreea(src, NULL, 0), kmtreea(NULL, parent, 0), kmtreea(src, parent, 0) };
    for (size_t i = 0; i < Kmsz(roots); i++) {
        CHECK(roots[i] && !kmtreep(roots[i]));
        kmtreef(roots[i]);
    }
    kmtreef(p), p = NULL;
    kmtreef(p), p = NULL;
    kmtreef(ctx);

    size_t size = 0;
    p = NULL;
    q = kmtreea(NULL, p, size);
    CHECK(q && kmsize(kmtreeo(q)) == 0);
    kmtreef(q);
    q = kmheapa(size);
    CHECK(q);
    kmheapf(q);
    kmpool *pool = kmpooli(NULL, 16, 2);
    q = kmpoola(pool);
    CHECK(q && (kmpoolf(q), kmpoolq(pool).live == 0));
    const char *bytes = NULL;
    size_t n = 0;
    kmptr copies[] = { kmdup(Kmpool(pool), bytes, n), kmdup(Kmheap, bytes, n) };
    CHECK(copies[0].ref && copies[1].ref);
    kmfree(copies[0]), kmfree(copies[1]);
    n = 3;
    CHECK(!kmdup(Kmpool(pool), bytes, n).ref && !kmdup(Kmheap, bytes, n).ref);
    kmpoolx(pool);
    q = kmrefa(NULL, sizeof(type));
    kmrefd(q);
    p = NULL;
    kmrefd(p);
}

static void resize_and_measure(void *ctx) {
    type *p = NULL;
    size_t n = 0, size = 100;
    CHECK(kmsize(kmtreeo(p)) == 0 && kmsize(kmtreeo(p)) / sizeof *p == 0 && kmsize(kmrefo(p)) == 0);
    CHECK(kmtreer(p, size) == NULL);
    kmptr handle = kmtreeo(p);
    CHECK(kmresizen(&handle, n, sizeof(type)) == NULL);
    handle = kmarr(T(ctx), n, sizeof(type));
    p = handle.ref;
    CHECK(p && kmsize(kmtreeo(p)) / sizeof *p == 0);
    n = 7;
    CHECK((p = kmresizen(&handle, n, sizeof(type))) && kmsize(kmtreeo(p)) / sizeof *p == 7);
    CHECK((p = kmtreer(p, size)) && kmsize(kmtreeo(p)) == 100);
    kmtreef(p);
}

/* The length of a counted string. */
static size_t length(char *s) { return s ? kmsize(kmrefo(s)) - 1 : 0; }

static void copy_and_append(void *ctx, const char *s, const char *a) {
    void *p = ctx;
    const char *bytes = s, *b = "b";
    size_t n = s ? strlen(s) : 3;
    char *copy = kmdups(T(p), s).ref, *same = kmdup(T(p), bytes, n).ref, *counted = kmdup(Kmref(NULL), bytes, n).ref;
    CHECK(!copy == !s && !same == !s && !counted == !s);
    kmrefd(counted);
    kmptr h = kmdups(Kmref(NULL), s);
    CHECK(length(h.ref) == (s ? strlen(s) : 0));
    kmfree(h);
    h = kmdups(T(ctx), s);
    CHECK(!kmcats(&h, a) == (!s || !a));
    CHECK(!kmroom(&h, n) == !s);
    kmfree(h);
    h = kmarr(T(ctx), 0, 1);
    if (a) CHECK(kmcat(&h, a, strlen(a)) && kmcat(&h, a, strnlen(a, n)) && kmcat(&h, "", 1));
    CHECK(h.ref);
    kmfree(h);
    h = kmstat(NULL);
    CHECK(!kmcat(&h, "", 1) && !kmcats(&h, "x"));
    if (a) {
        h = kmprintf(T(p), "%s%s", a, b);
        CHECK(h.ref && kmsize(h) == strlen(a) + 2);
    }
}

static void move_hold_and_look(void *ctx, void *p) {
    void *new = kmtreea(NULL, NULL, 0), *old = ctx, *q, *data = &(int){ 0 };
    const char *name = "name";
    CHECK(!kmtreem(p, ctx) == !p);
    void *was = p;
    if ((q = kmtreem(p, ctx))) p = NULL;
    CHECK(q == was && !p);
    p = was;
    kmrename(kmtreeo(p), name);
    CHECK(kmname(kmtreeo(p)) == NULL && kmname(kmtreeo(kmtreep(p))) == NULL && !kmcast(kmtreeo(p), name));
    CHECK(!Kmcast(type, kmtreeo(p)) && kmtreeq(p, NULL).size == 0 && kmtreeq(p, NULL).cells == !!p);
    kmcount counted = kmtreeq(p, NULL);
    CHECK(!counted.block == !p);
    size_t depth = 9;
    FILE *file = tmpfile();
    CHECK(file);
    kmtreet(p, depth, kmtofile, file);
    CHECK((ftell(file) == 0) == !p);
    fclose(file);
    CHECK(!kmtreeh(p, function, data) == !p);
    if (!p) CHECK(!kmtreehx(p, function, data));
    void (*f)(void *, void *) = function;
    if (kmtreehx(p, f, data)) f(p, data);
    CHECK(*(int *)data == !!p);

    p = was ? kmrefa(NULL, 4) : NULL;
    CHECK(!kmtreek(ctx, kmrefo(kmrefu(p))) == !p);
    CHECK(!kmtreek(new, kmtreel(old, p)) == !p && !kmtreek(new, kmtreel(old, p)));
    kmfree(kmtreel(ctx, p));
    void *node = new, *object = p, *from = new, *to = ctx;
    CHECK(!kmtreek(to, kmtreel(from, object)) == !p);
    kmfree(kmtreel(node, object));
    kmrefd(p);
    kmtreef(new);
}

int main(void) {
    make_and_free();
    void *ctx = kmtreea(NULL, NULL, 0);
    resize_and_measure(ctx);
    static const char *const texts[] = { "text", "", NULL };
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++) copy_and_append(ctx, texts[i], texts[k]);
    move_hold_and_look(ctx, kmtreea(NULL, ctx, 0));
    move_hold_and_look(ctx, NULL);
    void *root = ctx;
    kmpool *pool = kmpooli(kmtreeo(root).cell, 16, 1);
    CHECK(pool && kmtreeo(root).cell);
    root = NULL;
    CHECK(!kmtreeo(root).cell);
    kmtreef(ctx);
    return 0;
}
