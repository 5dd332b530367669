/* shared_with_talloc.c - one object under several parents, with talloc. shared_with_kmem.c is the same with kmem. */
#include <stdio.h>

#include <talloc.h>

static int ended(char *shared) {
    printf("  %s is freed\n", shared);
    return 0;
}

static void note(const char *message) { fputs(message ? message : "no memory\n", stderr); }

int main(void) {
    talloc_set_log_fn(note);

    puts("one owns it, two refers to it, one is freed:");
    void *one = talloc_new(NULL), *two = talloc_new(NULL), *three = talloc_new(NULL);
    char *shared = talloc_strdup(one, "the first");
    if (!shared || !two || !three) return 1;
    talloc_set_destructor(shared, ended);
    if (!talloc_reference(two, shared)) return 1;
    talloc_free(one);
    printf("  a child of two: %d, references: %zu\n", talloc_parent(shared) == two, talloc_reference_count(shared));
    talloc_free(two);

    puts("one owns it, two refers to it, it is freed:");
    one = talloc_new(NULL), two = talloc_new(NULL);
    shared = talloc_strdup(one, "the second");
    if (!one || !two || !shared) return 1;
    talloc_set_destructor(shared, ended);
    if (!talloc_reference(two, shared)) return 1;
    printf("  talloc_free() returns %d, and it is still there\n", talloc_free(shared));

    puts("three steals it, two is freed, then three:");
    char *stolen = talloc_steal(three, shared);
    printf("  a child of three: %d, references: %zu\n", talloc_parent(stolen) == three, talloc_reference_count(stolen));
    talloc_free(two);
    talloc_free(three);
    talloc_free(one);
    return 0;
}
