/* instead.c - replacements for calls of talloc that kmem does not have. docs/talloc.md gives the reasons. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kmem-printf.h>

/* talloc_zero(ctx, type): size, name and cast in one. */
#define NODE(type, parent) ((type *)kmtreew(NULL, parent, &(kmopt){.sz = sizeof(type), .zero = 1, .name = #type}))

/* talloc_find_parent_byname(): returns this node or the nearest node above it that has the name. */
static void *find_above(void *node, const char *name) {
    while (node && !kmcast(kmtreeo(node), name)) node = kmtreep(node);
    return node;
}

/* talloc_is_parent(): returns true if a node is this one or above it. */
static int is_above(const void *above, const void *node) {
    while (node && node != above) node = kmtreep(node);
    return node != NULL;
}

/* talloc_show_parents() */
static void show_above(void *node, FILE *file) {
    for (; node; node = kmtreep(node)) {
        const char *name = kmname(kmtreeo(node));
        fprintf(file, "below %s\n", name ? name : "a node without a name");
    }
}

/* talloc_get_type_abort() */
#define CAST(type, node) ((type *)cast_or_abort(node, #type))
static void *cast_or_abort(void *node, const char *name) {
    void *is = kmcast(kmtreeo(node), name);
    if (!is) abort();
    return is;
}

/* talloc_set_destructor(): one at a time, each with its argument. */
static int set_destructor(void *node, void (**now)(void *, void *), void (*then)(void *, void *)) {
    if (then && !kmtreeh(node, then, NULL)) return 0;
    if (*now) kmtreehx(node, *now, NULL);
    *now = then;
    return 1;
}

/* talloc_set_memlimit(): a source with a limit. */
typedef struct limited {
    kmsource source;
    size_t left;
} limited;

static void *limited_alloc(kmsource *source, size_t size, size_t align) {
    limited *limit = (limited *)(void *)source;
    if (size > limit->left) return NULL;
    void *block = aligned_alloc(align, (size + align - 1) / align * align);
    if (block) limit->left -= size;
    return block;
}

static void limited_free(kmsource *source, void *block, size_t size, size_t align) {
    (void)align;
    ((limited *)(void *)source)->left += size;
    free(block);
}

/* talloc_autofree_context(), and talloc_enable_null_tracking() for the nodes below it. */
static void *everything;
static void free_everything(void) {
    kmtreef(everything);
    everything = NULL;
}
static void *autofree(void) {
    if (!everything && (everything = kmtreea(NULL, NULL, 0)) && atexit(free_everything) != 0) free_everything();
    return everything;
}

/* A destructor that refuses: a hook moves the children to another node. */
static void keep_below(void *node, void *other) {
    for (void *child; (child = kmtreec(node)) && kmtreem(child, other);) continue;
}

/* talloc_strdup_append_buffer(), many times: no call searches for the end of the text. */
static char *joined(void *parent, size_t n, const char *const *words) {
    kmptr text = kmarr(Kmtree(NULL, parent), 0, 1);
    for (size_t i = 0; i <= n; i++) {
        const char *word = i < n ? words[i] : "";
        if (!kmcat(&text, word, strlen(word) + (i == n))) return kmfree(text), NULL;
    }
    return text.ref;
}

typedef struct outer {
    int n;
} outer;
typedef struct inner {
    int n;
} inner;

static int ran;
static void run(void *node, void *arg) {
    (void)node, (void)arg;
    ran++;
}

int main(void) {
    outer *out = NODE(outer, autofree());
    inner *in = NODE(inner, out);
    assert(out && in && find_above(in, "outer") == out && !find_above(out, "inner"));
    assert(is_above(out, in) && is_above(in, in) && !is_above(in, out));
    assert(CAST(inner, in) == in && !Kmcast(outer, kmtreeo(in)));
    show_above(in, stdout);

    void (*destructor)(void *, void *) = NULL;
    assert(set_destructor(in, &destructor, run) && set_destructor(in, &destructor, NULL));
    assert(set_destructor(in, &destructor, run));
    kmtreef(in);
    assert(ran == 1);

    limited limit = {.left = 500};
    kmsourcei(&limit.source, limited_alloc, limited_free, NULL);
    char *first = kmtreea((kmcell *)&limit, out, 100), *second = kmtreea((kmcell *)&limit, out, 400);
    assert(first && !second);
    first = kmtreer(first, 200);
    assert(first && limit.left < 300);
    kmtreef(first);
    assert(limit.left == 500);

    void *root = kmtreez(NULL, NULL, 16); /* talloc_pool(): freed with the root, after all else below it */
    kmpool *cells = root ? kmpooli(kmtreeo(root).cell, sizeof(kmnode) + 64, 100) : NULL;
    assert(cells && kmtreea((kmcell *)cells, root, 64) && kmtreea((kmcell *)cells, root, 10));
    assert(!kmtreea((kmcell *)cells, root, 65)); /* larger than the cells of the pool */
    kmtreef(root);

    outer *brief = NODE(outer, out);
    in = NODE(inner, brief);
    assert(brief && in && kmtreeh(brief, keep_below, out));
    kmtreef(brief);
    assert(kmtreep(in) == out);

    const char *const words[] = {"a", "b", "cd"};
    char *text = joined(out, Kmsz(words), words);
    assert(text && strcmp(text, "abcd") == 0);

    kmtreet(autofree(), 9, kmtofile, stderr); /* what is left is freed at exit */
    return 0;
}
