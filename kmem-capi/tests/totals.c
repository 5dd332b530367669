/* kmtotal, in a library with the switch totals. */
#include "check.h"

static int is(kmkind kind, size_t cells, size_t bytes, size_t most) {
    kmtotals n = kmtotal(kind);
    return n.cells == cells && n.block == bytes && n.most == most;
}

int main(void) {
    CHECK(is(kmkind_heap, 0, 0, 0) && is(kmkind_ref, 0, 0, 0) && is(kmkind_tree, 0, 0, 0) && is(kmkind_pool, 0, 0, 0));
    void *cell = kmheapa(100), *other = kmheapa(200);
    CHECK(is(kmkind_heap, 2, 332, 332));
    kmheapf(cell);
    CHECK(is(kmkind_heap, 1, 216, 332));
    kmheapf(other);
    CHECK(is(kmkind_heap, 0, 0, 332));

    kmpool *pool = kmpooli(NULL, 64, 4);
    size_t bytes = kmpoolq(pool).block;
    CHECK(is(kmkind_pool, 1, bytes, bytes));
    void *counted = kmrefa((kmcell *)pool, 10), *node = kmtreea(NULL, NULL, 0);
    kmtreea(NULL, node, 36);
    CHECK(is(kmkind_ref, 1, 42, 42) && is(kmkind_tree, 2, 164, 164) && is(kmkind_pool, 1, bytes, bytes));
    kmfree(kmtreef(node));
    kmreff(counted);
    kmpoolx(pool);
    CHECK(is(kmkind_ref, 0, 0, 42) && is(kmkind_tree, 0, 0, 164) && is(kmkind_pool, 0, 0, bytes));
    kmarena *arena = kmarenai(NULL, 1000);
    bytes = kmarenaq(arena).block;
    CHECK(is(kmkind_arena, 1, bytes, bytes));
    kmarenaf(kmarenaa(arena, 100));
    CHECK(is(kmkind_arena, 1, bytes, bytes) && kmarenaa(arena, 5000));
    bytes = kmarenaq(arena).block;
    CHECK(is(kmkind_arena, 1, bytes, bytes));
    kmarenax(arena);
    CHECK(is(kmkind_arena, 0, 0, bytes));
    CHECK(is(kmkind_none, 0, 0, 0) && is(kmkind_source, 0, 0, 0) && is((kmkind)1000, 0, 0, 0) && is((kmkind)-1, 0, 0, 0));
    return 0;
}
