/* tour.c - each method in a few lines, and one loop that frees all objects. */
#include <stdio.h>
#include <string.h>

#include <kmem.h>

int main(void) {
    kmptr held[8];
    size_t n = 0;

    /* heap: one owner */
    held[n] = kmheapzo(32);
    strcpy(held[n++].ref, "on the heap");

    /* ref: one owner for each reference */
    char *shared = kmrefz(NULL, 32);
    strcpy(shared, "counted");
    held[n++] = (kmptr){.kind = kmkind_ref, .ref = kmrefu(shared)};

    /* pool: cells of equal size, here in a buffer on the stack */
    static union { max_align_t align; char bytes[Kmpoolsz(32, 4)]; } buffer;
    kmpool *pool = kmpoolif(buffer.bytes, sizeof buffer.bytes, 32);
    held[n] = kmpoolzo(pool, 32);
    strcpy(held[n++].ref, "in a pool");

    /* tree: freed with all nodes below it */
    held[n] = kmtreezo(NULL, NULL, 32);
    strcpy(held[n].ref, "a root");
    strcpy(kmtreez(NULL, held[n++].ref, 32), "a leaf");

    /* a static object, and a key that is zeroed when it is freed */
    held[n++] = kmstat("static");
    held[n] = kmheapzo(32);
    strcpy(held[n].ref, "secret");
    kmtaint(&held[n++]);

    static const char *const kinds[] = {"none", "heap", "pool", "ref", "tree"};
    for (size_t i = 0; i < n; i++) {
        printf("%-5s %s\n", kinds[held[i].kind], (const char *)held[i].ref);
        kmfree(held[i]);
    }
    printf("still %s\n", shared);
    kmreff(shared);
    kmpoolx(pool);
    return 0;
}
