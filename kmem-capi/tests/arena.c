/* The arena method: kmarenai if iw ifw x b e a z w ao zo wo o f s r q t j. Allocates from a source, so it also runs
 * without the heap method. */
#include <stddef.h>

#include "check.h"

static counting source;
#define SRC ((kmcell *)&source)

static union { max_align_t align; unsigned char bytes[4096]; } fixed;

static char order[16];
static void note(void *data, void *arg) {
    (void)data;
    strcat(order, (const char *)arg);
}

static void *noted(kmarena *arena, const char *name) {
    kmopt o = {0};
    o.sz = 8;
    o.drop = note;
    o.arg = (void *)(uintptr_t)name;
    return kmarenaw(arena, &o);
}

TEST(objects_of_any_size_lie_behind_one_another) {
    kmarena *arena = kmarenai(SRC, 0);
    CHECK(arena && source.out == 1 && arena->kind == kmkind_arena && arena->src == SRC);
    unsigned char *one = kmarenaa(arena, 20), *two = kmarenaz(arena, 100);
    CHECK(two == one + 32 + 32 && !two[0] && !two[99]);
    kmptr three = kmarenaao(arena, 1000);
    CHECK(three.kind == kmkind_arena && kmsize(three) == 1000 && kmarenao(three.ref).cell == three.cell);
    CHECK((char *)three.ref - (char *)three.cell == (int)sizeof(kmarenacell));
    kmopt o = {0};
    o.sz = 3;
    o.align = 256;
    o.zero = 1;
    o.name = "aligned";
    kmptr aligned = kmarenawo(arena, &o);
    CHECK(((uintptr_t)aligned.ref & 255) == 0 && strcmp(kmname(aligned), "aligned") == 0);
    CHECK(kmarenazo(arena, 5).ref && kmnew(Kmarena(arena), &o).ref);
    kmfree(three);
    kmarenax(arena);
    CHECK(source.out == 0);
}

TEST(a_freed_object_leaves_its_room_to_the_next_of_its_size) {
    kmarena *arena = kmarenai(SRC, 0);
    void *one = kmarenaa(arena, 40), *two = kmarenaa(arena, 40), *newest = kmarenaa(arena, 10);
    kmarenaf(one);
    kmarenaf(two);
    CHECK(kmarenaa(arena, 40) == two && kmarenaa(arena, 40) == one);
    CHECK(kmarenar(newest, 3000) == newest);
    kmarenaf(newest);
    CHECK(kmarenaa(arena, 10) == newest);
    kmarenax(arena);
    CHECK(source.out == 0);
}

TEST(a_scope_frees_what_was_allocated_in_it) {
    kmarena *arena = kmarenai(SRC, 600);
    noted(arena, "a");
    for (int round = 0; round < 3; round++) {
        order[0] = 0;
        kmmark outer = kmarenab(arena);
        noted(arena, "b");
        kmmark inner = kmarenab(arena);
        noted(arena, "c");
        noted(arena, "d");
        for (int i = 0; i < 100; i++) CHECK(kmarenaa(arena, 100));
        kmarenae(arena, inner);
        CHECK(strcmp(order, "dc") == 0);
        kmarenae(arena, outer);
        CHECK(strcmp(order, "dcb") == 0);
    }
    long blocks = source.out;
    kmarenacount count = kmarenaq(arena);
    CHECK(count.blocks == (size_t)blocks && count.watched == 1);
    kmmark start = {{0}};
    kmarenae(arena, start);
    CHECK(strcmp(order, "dcba") == 0 && source.out == blocks && kmarenaq(arena).used == 0);
    kmarenax(arena);
    CHECK(source.out == 0);
}

TEST(scopes_end_in_order) {
    kmarena *arena = kmarenai(SRC, 0), *other = kmarenai(SRC, 0);
    kmmark outer = kmarenab(arena), inner = kmarenab(arena);
    FAULT(kmarenae(arena, outer), "kmarenae", "not the innermost open scope");
    FAULT(kmarenae(other, inner), "kmarenae", "not the innermost open scope");
    kmarenae(arena, inner);
    FAULT(kmarenae(arena, inner), "kmarenae", "not the innermost open scope");
    kmarenae(arena, outer);
    kmarenax(other);
    kmarenax(arena);
    kmarenax(NULL);
    CHECK(source.out == 0);
}

TEST(an_arena_in_a_buffer_does_not_grow_unless_asked) {
    static unsigned char bytes[Kmarenasz(10 * (64 + 32))];
    kmarena *arena = kmarenaif(bytes, sizeof bytes);
    for (int i = 0; i < 10; i++) CHECK(kmarenaa(arena, 64));
    errno = 0;
    CHECK(kmarenaa(arena, 64) == NULL && errno == ENOMEM);
    kmarenax(arena);
    errno = 0;
    CHECK(kmarenaif(bytes, 100) == NULL && errno == EINVAL);
#ifndef KFmem_noheap
    kmopt o = {0};
    o.grow = 1;
    arena = kmarenaifw(bytes, sizeof bytes, &o);
    for (int i = 0; i < 1000; i++) CHECK(kmarenaa(arena, 64));
    kmarenax(arena);
#endif
}

#ifndef KFmem_noshred
static int holds(const unsigned char *bytes, size_t size, int byte) {
    for (size_t i = 0; i + 8 <= size; i++) {
        size_t n = 0;
        while (n < 8 && bytes[i + n] == byte) n++;
        if (n == 8) return 1;
    }
    return 0;
}

TEST(what_is_tainted_is_zeroed) {
    static unsigned char bytes[Kmarenasz(2000)];
    for (int whole = 0; whole < 2; whole++) {
        memset(bytes, 0, sizeof bytes);
        kmopt o = {0};
        if (whole) o.shred = kmshred_yes;
        kmarena *arena = kmarenaifw(bytes, sizeof bytes, &o);
        kmmark mark = kmarenab(arena);
        kmptr plain = kmarenaao(arena, 100), secret = kmarenaao(arena, 100), freed = kmarenaao(arena, 100);
        memset(plain.ref, 0x11, 100);
        memset(secret.ref, 0x22, 100);
        memset(freed.ref, 0x33, 100);
        kmtaint(&secret);
        kmarenas(freed.ref);
        kmarenae(arena, mark);
        kmarenax(arena);
        CHECK(holds(bytes, sizeof bytes, 0x11) == !whole);
        CHECK(!holds(bytes, sizeof bytes, 0x22) && !holds(bytes, sizeof bytes, 0x33));
    }
}
#endif

TEST(every_method_allocates_from_an_arena) {
    kmarena *arena = kmarenai(SRC, 0);
    kmcell *src = (kmcell *)arena;
    kmarena *inner = kmarenai(src, 300);
    CHECK(kmarenaa(inner, 2000));
    kmarenax(inner);
#ifndef KFmem_noref
    kmrefd(kmrefa(src, 100));
#endif
#ifndef KFmem_nopool
    kmpool *pool = kmpooli(src, 16, 10);
    CHECK(kmpoola(pool));
    kmpoolx(pool);
#endif
#ifndef KFmem_notree
    void *root = kmtreea(src, NULL, 8);
    kmarena *on_node = kmarenai(kmtreeo(root).cell, 0);
    order[0] = 0;
    noted(on_node, "x");
    kmtreea((kmcell *)on_node, root, 8);
    kmtreef(root);
    CHECK(strcmp(order, "x") == 0);
#endif
    void *object = kmarenaa(arena, 8);
    errno = 0;
    CHECK(kmarenai(kmarenao(object).cell, 0) == NULL && errno == EINVAL);
    kmarenax(arena);
    CHECK(source.out == 0);
}

static void to_buffer(void *ctx, const char *text, size_t len) { strncat((char *)ctx, text, len); }

TEST(an_arena_is_reported) {
    char text[2000] = "", json[2000] = "";
    kmopt o = {0};
    o.name = "requests";
    kmarena *arena = kmarenaiw(SRC, &o, 1024);
    kmarenaa(arena, 100);
    kmarenat(arena, to_buffer, text);
    kmarenaj(arena, to_buffer, json);
    CHECK(strstr(text, "requests") && strstr(json, "\"requests\"") && strstr(json, "144"));
    kmarenax(arena);
    CHECK(kmarenaq(NULL).blocks == 0);
}

TEST(misuse_is_reported) {
    kmarena *arena = kmarenai(SRC, 0);
    void *one = kmarenaa(arena, 40);
    kmarenaa(arena, 40);
    kmarenaf(one);
    OF_FREED(FAULT(kmarenaf(one), "kmarenaf", "already freed"));
    OF_FREED(FAULT(CHECK(kmarenar(one, 8) == NULL), "kmarenar", "already freed"));
    kmarenaf(NULL);
    errno = 0;
    CHECK(kmarenar(NULL, 8) == NULL && errno == EINVAL);
    errno = 0;
    CHECK(kmarenaa(NULL, 8) == NULL && errno == EINVAL);
    kmarenax(arena);
    CHECK(source.out == 0);
}

TEST(a_failure_changes_nothing) {
    kmarena *arena = kmarenai(SRC, 600);
    void *one = kmarenaa(arena, 50);
    memset(one, 7, 50);
    source.left = 0;
    errno = 0;
    CHECK(kmarenaa(arena, 5000) == NULL && errno == ENOMEM);
    CHECK(kmarenar(one, 5000) == NULL && errno == ENOMEM);
    CHECK(((unsigned char *)one)[49] == 7 && kmsize(kmarenao(one)) == 50);
    CHECK(kmarenai(SRC, 0) == NULL);
    source.left = 1000000;
    errno = 0;
    for (size_t back = 0; back < 200; back++) {
        volatile size_t huge = SIZE_MAX - back, half = SIZE_MAX / 2 - back;
        CHECK(kmarenaa(arena, huge) == NULL && errno == ENOMEM);
        CHECK(kmarenaa(arena, half) == NULL && errno == ENOMEM);
    }
    kmarenax(arena);
    CHECK(source.out == 0);
}

TEST(objects_of_any_size_and_alignment) {
    kmarena *arena = kmarenai(SRC, 600);
    static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 1000, 50000 };
    unsigned char *objects[Kmsz(sizes) * 8];
    size_t n = 0;
    for (size_t align = 0; align <= 4096; align = align ? align * 8 : 1)
        for (size_t i = 0; i < Kmsz(sizes); i++) {
            kmopt o = { 0 };
            o.sz = sizes[i];
            o.align = align;
            o.zero = 1;
            objects[n] = kmarenaw(arena, &o);
            CHECK(objects[n] && (uintptr_t)objects[n] % (align > 16 ? align : 16) == 0);
            CHECK(all(objects[n], sizes[i], 0));
            memset(objects[n], (int)n, sizes[i]);
            n++;
        }
    for (size_t i = 0; i < n; i++) CHECK(all(objects[i], kmsize(kmarenao(objects[i])), (unsigned char)i));
    kmopt o = { 0 };
    o.align = 3;
    CHECK(!kmarenaw(arena, &o) && errno == EINVAL);
    o.align = 8192;
    CHECK(!kmarenaw(arena, &o) && errno == EINVAL);
    volatile size_t huge = (size_t)-1;
    CHECK(!kmarenaa(arena, huge) && errno == ENOMEM && !kmarenaz(arena, huge / 2));
    CHECK(!kmarenaa(NULL, 8) && errno == EINVAL && !kmarenaz(NULL, 8) && !kmarenaao(NULL, 8).ref);
    kmarenax(arena);
    CHECK(source.out == 0);
}

TEST(every_form_of_allocation) {
    kmarena *arena = kmarenai(SRC, 0);
    kmptr plain = kmarenaao(arena, 20), zeroed = kmarenazo(arena, 20);
    CHECK(plain.kind == kmkind_arena && all(zeroed.ref, 20, 0) && all(kmarenaz(arena, 30), 30, 0));
    kmopt o = { 0 };
    o.sz = 24;
    o.name = "page";
    kmptr named = kmarenawo(arena, &o);
    CHECK(strcmp(kmname(named), "page") == 0 && kmcast(named, "page") == named.ref && !kmcast(named, "leaf"));
    kmrename(named, "leaf");
    CHECK(strcmp(kmname(named), "leaf") == 0);
    kmptr made = kmnew(Kmarena(arena), &o), copy = kmdups(Kmarena(arena), "copied");
    CHECK(made.kind == kmkind_arena && strcmp(copy.ref, "copied") == 0);
    CHECK(kmcats(&copy, ", and longer") && strcmp(copy.ref, "copied, and longer") == 0);
    CHECK(kmarrz(Kmarena(arena), 10, 10).ref && !kmarr(Kmarena(NULL), 1, 1).ref && errno == EINVAL);
    CHECK(kmreserve(&copy, 500) == copy.ref);
    void *place = copy.ref;
    CHECK(kmresize(&copy, 500) == place && kmsize(copy) == 500);
    kmfree(copy);
    kmfree(made);
    kmfree(plain);
    kmarenax(arena);
    CHECK(source.out == 0);
}

TEST(a_buffer_holds_what_the_macro_says_and_the_heap_is_not_used) {
    for (size_t start = 0; start < 16; start++) {
        static unsigned char bytes[Kmarenasz(10 * (32 + 48)) + 16];
        kmarena *arena = kmarenaif(bytes + start, Kmarenasz(10 * (32 + 48)));
        CHECK(arena && arena->src == NULL);
        void *objects[10];
        for (int i = 0; i < 10; i++) CHECK((objects[i] = kmarenaa(arena, 40)) != NULL);
        errno = 0;
        CHECK(!kmarenaa(arena, 40) && errno == ENOMEM);
        kmarenaf(objects[4]);
        CHECK(kmarenaa(arena, 40) == objects[4] && !kmarenar(objects[0], 100));
        kmarenax(arena);
    }
    CHECK(!kmarenaif(fixed.bytes, 100) && errno == EINVAL && !kmarenaif(NULL, 1000));
    kmarena *empty = kmarenaif(fixed.bytes, Kmarenasz(0));
    CHECK(empty);
    kmarenax(empty);
}

TEST(every_failure_of_the_source_is_reported_and_changes_nothing) {
    source.left = 0;
    errno = 0;
    CHECK(!kmarenai(SRC, 0) && errno == ENOMEM && source.out == 0);
    source.left = 1;
    kmarena *arena = kmarenai(SRC, 600);
    void *object = kmarenaa(arena, 100);
    memset(object, 7, 100);
    errno = 0;
    CHECK(!kmarenaa(arena, 5000) && errno == ENOMEM && !kmarenar(object, 5000) && all(object, 100, 7));
    kmopt o = { 0 };
    o.sz = 5000;
    o.drop = count_drop;
    int dropped = 0;
    o.arg = &dropped;
    CHECK(!kmarenaw(arena, &o) && kmarenaq(arena).watched == 0);
    while (kmarenaa(arena, 1));
    o.sz = 1;
    CHECK(!kmarenaw(arena, &o) && dropped == 0 && kmarenaq(arena).blocks == 1);
    source.left = 1000000;
    CHECK(kmarenaw(arena, &o));
    kmarenax(arena);
    CHECK(dropped == 1 && source.out == 0);
}

TEST(kmhook_replaces_the_destructor_of_an_object_that_has_one) {
    kmarena *arena = kmarenai(SRC, 0);
    int dropped = 0;
    kmptr object = kmarenao(noted(arena, "a")), plain = kmarenaao(arena, 8);
    order[0] = 0;
    CHECK(kmhook(object, count_drop, &dropped));
    errno = 0;
    CHECK(!kmhook(plain, count_drop, &dropped) && errno == EINVAL);
    kmarenax(arena);
    CHECK(dropped == 1 && !order[0]);
}

#ifndef KFmem_notree
TEST(an_arena_on_a_node_is_freed_after_the_nodes_below) {
    void *root = kmtreea(SRC, NULL, 8);
    kmopt o = { 0 };
    o.name = "words";
    kmarena *arena = kmarenaiw(kmtreeo(root).cell, &o, 500);
    CHECK(kmtreea((kmcell *)arena, root, 100));
    order[0] = 0;
    noted(arena, "a");
    for (int i = 0; i < 50; i++) CHECK(kmarenaa(arena, 40));
    kmptr store = kmtreeo(arena);
    CHECK(strcmp(kmname(store), "words") == 0 && !kmcast(store, "words") && !kmresize(&store, 1) && errno == EINVAL);
    kmrename(store, "names");
    CHECK(strcmp(kmname(store), "names") == 0);
    kmwalk w = { 0 };
    w.root = root;
    size_t seen = 0;
    while (kmtreen(&w)) {
        CHECK(!w.pool);
        seen += w.at.ref == (void *)arena;
    }
    CHECK(seen == 1);
    char text[2000] = "";
    kmtreet(root, 9, to_buffer, text);
    CHECK(strstr(text, "store \"names\", ") && strstr(text, " blocks, 1 watched, from tree"));
    kmtreef(root);
    CHECK(strcmp(order, "a") == 0 && source.out == 0);
    root = kmtreea(SRC, NULL, 8);
    arena = kmarenai(kmtreeo(root).cell, 0);
    kmarenax(arena);
    CHECK(!kmtreec(root));
    kmtreef(root);
    CHECK(source.out == 0);
}
#endif

TEST(misuse_of_scopes_and_stores_is_reported) {
    kmarena *arena = kmarenaif(fixed.bytes, 2000), *other = kmarenaif(fixed.bytes + 2048, 2000);
    void *one = kmarenaa(arena, 40), *two = kmarenaa(arena, 40);
    kmarenaf(one);
    OF_FREED(FAULT(kmfree(kmarenao(one)), "kmfree", "already freed"));
    FAULT(kmarenaf((char *)two + 8), "kmarenaf", "not a cell");
    kmmark mark = kmarenab(other);
    FAULT(kmarenae(arena, mark), "kmarenae", "not the innermost open scope");
    void *block = mark.km_private_[1];
    mark.km_private_[1] = arena;
    FAULT(kmarenae(other, mark), "kmarenae", "not the innermost open scope");
    mark.km_private_[1] = block;
    void *scoped = kmarenaa(other, 40), *later = kmarenaa(other, 40);
    kmarenae(other, mark);
    OF_FREED(FAULT(kmarenaf(later), "kmarenaf", "already freed"));
    OF_FREED(FAULT(kmarenaf(scoped), "kmarenaf", "already freed"));
    (void)scoped;
    (void)later;
    memset(two, 0, 40);
    errno = 0;
    CHECK(!kmarenaa((kmarena *)two, 8) && errno == EINVAL);
    OF_FREED(memset(kmarenao(one).cell + 1, 0x41, 16));
    OF_FREED(FAULT(CHECK(kmarenaa(arena, 40) != one), "kmarenaa", "a damaged header"));
    kmarenax(other);
    FAULT(kmarenax(other), "kmarenax", "already freed");
    FAULT(CHECK(!kmarenab(other).km_private_[1]), "kmarenab", "already freed");
    FAULT(CHECK(!kmarenaq(other).blocks), "kmarenaq", "already freed");
    FAULT(kmarenat(other, to_buffer, NULL), "kmarenat", "already freed");
    memset(arena, 0x41, 16);
    FAULT(kmarenax(arena), "kmarenax", "not a cell");
}

#if !defined KFmem_noshred && !defined KMEM_MARKED
TEST(what_is_tainted_is_zeroed_however_it_is_freed) {
    for (int how = 0; how < 7; how++) {
        memset(fixed.bytes, 0, sizeof fixed.bytes);
        kmopt o = { 0 };
        o.shred = how == 6 ? kmshred_yes : kmshred_no;
        kmarena *arena = kmarenaifw(fixed.bytes, sizeof fixed.bytes, &o);
        kmmark mark = kmarenab(arena);
        kmptr secret = kmarenaao(arena, 100), plain = kmarenaao(arena, 100);
        memset(secret.ref, 0xAA, 100);
        memset(plain.ref, 0x55, 100);
        if (how > 1 && how < 6) kmtaint(&secret);
        if (how == 0) kmarenas(secret.ref);
        if (how == 1) kmshred(secret);
        if (how == 2) kmfree(secret);
        if (how == 3) kmarenaf(secret.ref);
        if (how == 4 || how == 6) kmarenae(arena, mark);
        if (how == 5) CHECK(kmresize(&secret, 300) && kmresize(&secret, 10));
        if (how == 5) kmarenaf(secret.ref);
        CHECK(!holds(fixed.bytes, sizeof fixed.bytes, 0xAA) && holds(fixed.bytes, sizeof fixed.bytes, 0x55) == (how != 6));
        kmarenax(arena);
    }
}
#endif

int main(void) {
    counting_init(&source);
    objects_of_any_size_lie_behind_one_another();
    a_freed_object_leaves_its_room_to_the_next_of_its_size();
    a_scope_frees_what_was_allocated_in_it();
    scopes_end_in_order();
    an_arena_in_a_buffer_does_not_grow_unless_asked();
#ifndef KFmem_noshred
    what_is_tainted_is_zeroed();
#endif
    every_method_allocates_from_an_arena();
    an_arena_is_reported();
    misuse_is_reported();
    a_failure_changes_nothing();
    objects_of_any_size_and_alignment();
    every_form_of_allocation();
    a_buffer_holds_what_the_macro_says_and_the_heap_is_not_used();
    every_failure_of_the_source_is_reported_and_changes_nothing();
    kmhook_replaces_the_destructor_of_an_object_that_has_one();
#ifndef KFmem_notree
    an_arena_on_a_node_is_freed_after_the_nodes_below();
#endif
    misuse_of_scopes_and_stores_is_reported();
#if !defined KFmem_noshred && !defined KMEM_MARKED
    what_is_tainted_is_zeroed_however_it_is_freed();
#endif
    return 0;
}
