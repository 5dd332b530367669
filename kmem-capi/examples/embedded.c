/* embedded.c - no heap: counted cells and trees from pools in one static array. */
#include <stdio.h>
#include <string.h>

#include <kmem.h>

/* Room for twenty cells that hold a node with 48 bytes of data. */
static union { max_align_t align; unsigned char bytes[Kmpoolsz(112, 20)]; } memory;

int main(void) {
    kmpool *pool = kmpoolif(memory.bytes, sizeof memory.bytes, 112);
    kmcell *source = (kmcell *)pool;

    char *name = kmrefz(source, 48);
    char *root = kmtreez(source, NULL, 48);
    if (!name || !root) return 1;
    strcpy(name, "counted, in an array");
    strcpy(root, "a tree, in an array");
    int leaves = 0;
    while (kmtreez(source, root, 48)) leaves++;
    printf("%s\n%s, with %d leaves until the array was full\n", name, root, leaves);

    kmtreef(root);
    kmreff(name);
    int cells = 0;
    while (kmpoola(pool)) cells++;
    printf("%d cells free again\n", cells);
    kmpoolx(pool);
    return 0;
}
