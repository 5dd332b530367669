/* Strings and arrays, in cells of every method. */
#include "check.h"
#include "kmem-printf.h"

static counting source;
#define SRC ((kmcell *)&source)

static kmpool *pool;
static void *root;
static const char *volatile no_format;

/* Every kmat. */
static kmat at(size_t i) {
    switch (i) {
    case 0: return Kmheap;
    case 1: return Kmref(SRC);
    case 2: return Kmtree(SRC, root);
    default: return Kmpool(pool);
    }
}
#define EACH for (size_t i = 0; i < 4; i++)
#define GROWING for (size_t i = 0; i < 3; i++)

TEST(copies_are_made_by_every_method) {
    EACH {
        kmptr bytes = kmdup(at(i), "by\0tes", 6), string = kmdups(at(i), "string"), part = kmdupn(at(i), "string", 3);
        CHECK(memcmp(bytes.ref, "by\0tes", 6) == 0 && strcmp((char *)string.ref, "string") == 0);
        CHECK(strcmp((char *)part.ref, "str") == 0);
        kmptr all_of_it = kmdupn(at(i), "string", 100), nothing = kmdup(at(i), NULL, 0);
        CHECK(strcmp((char *)all_of_it.ref, "string") == 0 && nothing.ref);
        if (i < 3) CHECK(kmsize(bytes) == 6 && kmsize(string) == 7 && kmsize(part) == 4 && kmsize(all_of_it) == 7);
        kmfree(bytes);
        kmfree(string);
        kmfree(part);
        kmfree(all_of_it);
        kmfree(nothing);
    }
}

TEST(arrays_check_for_overflow) {
    volatile size_t huge = (size_t)-1;
    EACH {
        kmptr numbers = kmarrz(at(i), 8, sizeof(int));
        CHECK(numbers.ref && all(numbers.ref, 8 * sizeof(int), 0));
        kmfree(numbers);
        errno = 0;
        CHECK(kmarr(at(i), huge / 2, 3).ref == NULL && errno == ENOMEM);
    }
    GROWING {
        kmptr numbers = kmarr(at(i), 4, sizeof(int));
        for (int n = 0; n < 4; n++) ((int *)numbers.ref)[n] = n;
        int *grown = (int *)kmresizen(&numbers, 1000, sizeof(int));
        CHECK(grown == numbers.ref && grown[0] == 0 && grown[3] == 3 && kmsize(numbers) == 1000 * sizeof(int));
        kmfree(numbers);
    }
}

TEST(bytes_and_strings_are_appended_also_their_own) {
    GROWING {
        kmptr bytes = kmdup(at(i), "ab", 2);
        CHECK(kmcat(&bytes, "cd", 2) && kmcat(&bytes, bytes.ref, 4) && kmsize(bytes) == 8);
        CHECK(memcmp(bytes.ref, "abcdabcd", 8) == 0);
        for (int n = 0; n < 10; n++) CHECK(kmcat(&bytes, bytes.ref, kmsize(bytes)) == bytes.ref);
        CHECK(kmsize(bytes) == 8192 && memcmp((char *)bytes.ref + 8184, "abcdabcd", 8) == 0);
        kmfree(bytes);

        kmptr string = kmdups(at(i), "one");
        CHECK(kmcats(&string, " two") == string.ref && kmcats(&string, (char *)string.ref + 3) == string.ref);
        CHECK(strcmp((char *)string.ref, "one two two") == 0);
        kmfree(string);
    }
    kmptr cell = kmdups(Kmpool(pool), "one");
    CHECK(kmcats(&cell, " two") == cell.ref && strcmp((char *)cell.ref, "one two") == 0);
    errno = 0;
    CHECK(kmcats(&cell, "................................................................") == NULL && errno == EINVAL);
    CHECK(strcmp((char *)cell.ref, "one two") == 0);
    errno = 0;
    CHECK(kmcat(&cell, "x", 1) == NULL && errno == EINVAL); /* the size of a pool's cell is the whole cell */
    kmfree(cell);
}

TEST(a_cell_with_room_is_not_resized_and_one_without_a_zero_is_refused) {
    kmptr roomy = kmarr(Kmref(SRC), 100, 1);
    void *before = roomy.ref;
    strcpy((char *)roomy.ref, "short");
    CHECK(kmcats(&roomy, " and more") == before && kmsize(roomy) == 100);
    char *end = kmroom(&roomy, 10);
    CHECK(end == (char *)before + 14 && *end == 0);
    memset(roomy.ref, 'x', 100);
    errno = 0;
    CHECK(kmcats(&roomy, "y") == NULL && errno == EINVAL && kmroom(&roomy, 0) == NULL);
    kmfree(roomy);
}

TEST(what_is_printed_is_as_long_as_it_has_to_be) {
    EACH {
        kmptr line = kmprintf(at(i), "%s=%d", "level", 7);
        CHECK(strcmp((char *)line.ref, "level=7") == 0);
        if (i < 3) CHECK(kmsize(line) == 8);
        CHECK(kmprintfa(&line, ", %05.1f", 2.25) == line.ref && strcmp((char *)line.ref, "level=7, 002.2") == 0);
        kmfree(line);
    }
    kmptr line = kmprintf(Kmheap, "%5000d", 1);
    CHECK(kmsize(line) == 5001 && kmprintfa(&line, "%5000d", 2) && kmsize(line) == 10001);
    kmfree(line);
}

TEST(a_refusal_loses_nothing) {
    kmptr string = kmdups(Kmref(SRC), "kept"), node = kmdups(Kmtree(SRC, root), "kept");
    source.left = 0;
    errno = 0;
    CHECK(kmdups(Kmref(SRC), "more").ref == NULL && errno == ENOMEM);
    CHECK(kmcats(&string, "more") == NULL && kmprintfa(&string, "%d", 1000) == NULL && kmcat(&node, "more", 4) == NULL);
    CHECK(kmprintf(Kmtree(SRC, root), "more").ref == NULL && kmarrz(Kmref(SRC), 1, 1).ref == NULL);
    source.left = 1000000;
    CHECK(strcmp((char *)string.ref, "kept") == 0 && strcmp((char *)node.ref, "kept") == 0);
    kmfree(string);
    kmfree(node);
    kmat nowhere = { kmkind_none, NULL, NULL };
    errno = 0;
    CHECK(kmdups(nowhere, "x").ref == NULL && errno == EINVAL);
    CHECK(kmdups(Kmpool(NULL), "x").ref == NULL);
}

TEST(null_is_no_string) {
    EACH {
        errno = 0;
        CHECK(kmdups(at(i), NULL).ref == NULL && errno == EINVAL);
        errno = 0;
        CHECK(kmdupn(at(i), NULL, 3).ref == NULL && errno == EINVAL);
        errno = 0;
        CHECK(kmdupn(at(i), NULL, 0).ref == NULL && errno == EINVAL);
        errno = 0;
        CHECK(kmdup(at(i), NULL, 3).ref == NULL && errno == EINVAL);
        errno = 0;
        CHECK(kmprintf(at(i), no_format, 1).ref == NULL && errno == EINVAL);
        kmptr kept = kmdups(at(i), "kept");
        errno = 0;
        CHECK(kmcats(&kept, NULL) == NULL && errno == EINVAL);
        errno = 0;
        CHECK(kmcat(&kept, NULL, 3) == NULL && errno == EINVAL);
        errno = 0;
        CHECK(kmprintfa(&kept, no_format, 1) == NULL && errno == EINVAL);
        CHECK(strcmp((char *)kept.ref, "kept") == 0 && kmcast(kept, NULL) == NULL);
        if (i < 3) CHECK(kmsize(kept) == 5 && kmcat(&kept, NULL, 0) == kept.ref && kmsize(kept) == 5);
        kmfree(kept);
        kmptr nothing = kmdup(at(i), NULL, 0);
        CHECK(nothing.ref && kmname(nothing) == NULL);
        kmfree(nothing);
    }
}

TEST(options_reach_every_method) {
    int ended = 0;
    kmopt o = {0};
    o.sz = 10;
    o.align = 64;
    o.zero = 1;
    o.drop = count_drop;
    o.arg = &ended;
    o.name = "named";
    GROWING {
        kmptr made = kmnew(at(i), &o);
        CHECK((uintptr_t)made.ref % 64 == 0 && all(made.ref, 10, 0) && strcmp(kmname(made), "named") == 0);
        kmfree(made);
    }
    CHECK(ended == 3);
    CHECK(kmnew(Kmpool(pool), &o).ref == NULL); /* cells have the destructor of their pool */
}

int main(void) {
    counting_init(&source);
    pool = kmpooli(NULL, 48, 10);
    root = kmtreea(NULL, NULL, 0);
    copies_are_made_by_every_method();
    arrays_check_for_overflow();
    bytes_and_strings_are_appended_also_their_own();
    a_cell_with_room_is_not_resized_and_one_without_a_zero_is_refused();
    what_is_printed_is_as_long_as_it_has_to_be();
    a_refusal_loses_nothing();
    null_is_no_string();
    options_reach_every_method();
    kmtreef(root);
    kmpoolx(pool);
    CHECK(source.out == 0);
    return 0;
}
