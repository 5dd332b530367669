/* The header of a new node, read without a warning: compiled with -O2 -Wall -Werror. */
#include "check.h"

int main(void) {
    char *root = (char *)kmtreea(NULL, NULL, 4);
    if (!root) return 1;
    char *first = (char *)kmtreea(NULL, root, 4), *last = (char *)kmtreez(NULL, root, 4);
    if (!first || !last) return 1;
    kmnode *header = (kmnode *)kmtreeo(root).cell;
    CHECK(header->src == NULL && (char *)header->data == root);
    CHECK(kmtreecl(root) == last && kmtreecp(last) == first && kmtreecp(first) == NULL && kmtreecl(last) == NULL);
    CHECK(((kmnode *)kmtreeo(last).cell)->prev == (kmnode *)kmtreeo(first).cell);
    kmref *counted = (kmref *)kmrefo(kmrefa(NULL, 4)).cell;
    CHECK(counted->src == NULL && counted->refs == 1);
    kmreff(counted->data);
    kmptr cell = kmheapo(kmheapa(4));
    CHECK(cell.cell->size == sizeof(kmcell) + 4);
    kmfree(cell);
    kmtreef(root);
    return 0;
}
