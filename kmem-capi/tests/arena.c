/* The arena method: kmarenai if iw ifw x b e a z w ao zo wo o f s r q t j. Allocates from a source, so it also runs
 * without the heap method. */
#include "check.h"

static counting source;
#define SRC ((kmcell *)&source)

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
    return 0;
}
