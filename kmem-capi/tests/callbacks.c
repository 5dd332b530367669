/* Functions that free an object as callbacks of the type void (*)(void *). */
#include "check.h"

typedef void (*destroy)(void *);

/* A list of objects with the functions that free them, as a hash table may have. */
typedef struct owned {
    void *object;
    destroy destroy;
} owned;

static int by_address(const void *a, const void *b) {
    const char *one = (const char *)((const owned *)a)->object, *two = (const char *)((const owned *)b)->object;
    return (one > two) - (one < two);
}

static int ended;

TEST(each_function_that_destroys_an_object_is_a_callback) {
    kmpool *pool = kmpooli(NULL, 32, 8);
    void *tree = kmtreea(NULL, NULL, 0), *shared = kmrefa(NULL, 8);
    kmopt o = {0};
    o.sz = 8;
    o.drop = count_drop;
    o.arg = &ended;
    owned list[] = {
        { kmheapw(&o), kmheapf },        { kmrefw(NULL, &o), kmrefd },       { kmrefw(NULL, &o), kmreff },
        { kmtreew(NULL, tree, &o), kmtreed }, { kmtreew(NULL, NULL, &o), kmtreed }, { kmpoola(pool), kmpoolf },
        { kmrefu(shared), kmrefd },      { NULL, kmtreed },                  { NULL, kmheapf },
        { NULL, kmrefd },                { NULL, kmpoolf },
#ifndef KFmem_noshred
        { kmheapw(&o), kmheaps },        { kmrefw(NULL, &o), kmrefs },       { kmpoola(pool), kmpools },
#endif
    };
    qsort(list, Kmsz(list), sizeof *list, by_address);
    for (size_t i = 0; i < Kmsz(list); i++) list[i].destroy(list[i].object);
#ifndef KFmem_noshred
    CHECK(ended == 7);
#else
    CHECK(ended == 5);
#endif
    CHECK(kmpoolq(pool).live == 0 && kmtreec(tree) == NULL);
    destroy last[] = { kmtreed, kmtreex };
    last[1](tree);
    last[0](tree);
    kmrefd(shared);
    kmpoolx(pool);
}

TEST(a_tree_is_freed_whole_by_the_callback) {
    kmopt o = {0};
    o.drop = count_drop;
    o.arg = &ended;
    ended = 0;
    void *node = kmtreew(NULL, NULL, &o), *root = node;
    for (int i = 1; i < 1000; i++) node = kmtreew(NULL, node, &o);
    destroy free_it = kmtreed;
    free_it(root);
    CHECK(ended == 1000);
}

int main(void) {
    each_function_that_destroys_an_object_is_a_callback();
    a_tree_is_freed_whole_by_the_callback();
    return 0;
}
