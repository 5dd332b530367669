/* shared_with_kmem.c - one object under several parents, with kmem. shared_with_talloc.c is the same with talloc. */
#include <stdio.h>
#include <string.h>

#include <kmem.h>

static void ended(void *shared, void *arg) {
    (void)arg;
    printf("  %s is freed\n", (char *)shared);
}

/* Makes a counted string with one reference. */
static kmptr counted(const char *text) {
    kmopt o = {.sz = strlen(text) + 1, .drop = ended};
    kmptr made = kmrefwo(NULL, &o);
    if (made.ref) memcpy(made.ref, text, o.sz);
    return made;
}

int main(void) {
    puts("one and two own it, one is freed:");
    void *one = kmtreea(NULL, NULL, 0), *two = kmtreea(NULL, NULL, 0), *three = kmtreea(NULL, NULL, 0);
    kmptr shared = counted("the first");
    if (!kmtreek(one, shared)) return 1;                    /* the first reference */
    if (!kmtreek(two, kmrefo(kmrefu(shared.ref)))) return 1; /* a second one */
    kmtreef(one);
    puts("  two still owns it");
    kmtreef(two);

    puts("one and two own it, one releases it:");
    one = kmtreea(NULL, NULL, 0), two = kmtreea(NULL, NULL, 0);
    shared = counted("the second");
    if (!kmtreek(one, shared) || !kmtreek(two, kmrefo(kmrefu(shared.ref)))) return 1;
    kmfree(kmtreel(one, shared.ref));
    puts("  two still owns it");

    puts("three takes it from two, two is freed, then three:");
    if (!kmtreek(three, kmtreel(two, shared.ref))) return 1;
    kmtreef(two);
    puts("  three owns it");
    kmtreef(three);
    kmtreef(one);
    return 0;
}
