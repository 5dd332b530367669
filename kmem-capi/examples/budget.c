/* budget.c - a server with a budget for all its memory, and a smaller one for each request. Before the server runs out,
 * it gives up pages of its cache. */
#include <stdio.h>

#include <kmem.h>

enum { PAGES = 6, PAGE = 16384 };

typedef struct cache {
    void *pages[PAGES];
    int left;
} cache;

/* Called before a request for more memory is refused: frees a page, if there is one. */
static int drop_page(kmlimit *limit, size_t want, void *arg) {
    cache *c = arg;
    (void)limit;
    (void)want;
    if (!c->left) return 0;
    kmreff(c->pages[--c->left]);
    return 1;
}

/* Serves a request that takes this much memory, all of it below one node. */
static void serve(kmlimit *server, cache *c, const char *name, size_t size) {
    int before = c->left;
    kmlimit *budget = kmlimiti((kmcell *)server, 65536);
    if (!budget) return;
    void *request = kmtreea((kmcell *)budget, NULL, 0);
    void *answer = request ? kmtreea((kmcell *)budget, request, size) : NULL;
    if (!answer)
        printf("%s: refused, its budget is %zu bytes\n", name, kmlimitq(budget).max);
    else if (c->left == before)
        printf("%s: %zu bytes served\n", name, kmsize(kmtreeo(answer)));
    else
        printf("%s: %zu bytes served, after %d pages left the cache\n", name, kmsize(kmtreeo(answer)), before - c->left);
    kmtreef(request);
    kmlimitx(budget);
}

int main(void) {
    cache c = {{NULL}, 0};
    kmlimit *server = kmlimiti(NULL, 131072);
    if (!server) return 1;
    kmlimith(server, drop_page, &c);
    for (; c.left < PAGES; c.left++)
        if (!(c.pages[c.left] = kmrefa((kmcell *)server, PAGE))) return 1;

    serve(server, &c, "small", 2000);
    serve(server, &c, "large", 60000);
    serve(server, &c, "bomb", 100000);

    while (drop_page(server, 0, &c)) {}
    kmlimitcount count = kmlimitq(server);
    printf("the server used %zu of %zu bytes afterwards\n", count.used, count.max);
    kmlimitx(server);
    return 0;
}
