/* The bytes, as the contract has them on 64-bit machines; src/ and kmem::raw assert the same from their side. */
#include <stddef.h>

#include "kmem.h"

#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)
#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)

AT(kmptr, kind, 0);
#ifndef KFmem_noshred
AT(kmptr, shred, 4);
AT(kmcell, shred, 4);
#endif
AT(kmptr, ref, 8);
AT(kmptr, cell, 16);
SIZE(kmptr, 24);
AT(kmcell, kind, 0);
AT(kmcell, flags, 5);
AT(kmcell, align, 6);
AT(kmcell, heap, 7);
AT(kmcell, size, 8);
SIZE(kmcell, 16);
AT(kmref, sz, 8);
AT(kmref, refs, 16);
AT(kmref, src, 24);
AT(kmref, data, 32);
SIZE(kmref, 32);
AT(kmnode, sz, 8);
AT(kmnode, parent, 16);
AT(kmnode, child, 24);
AT(kmnode, lastchild, 32);
AT(kmnode, prev, 40);
AT(kmnode, next, 48);
AT(kmnode, src, 56);
AT(kmnode, data, 64);
SIZE(kmnode, 64);
AT(kmpool, sz, 8);
AT(kmpool, cellsz, 16);
AT(kmpool, top, 24);
AT(kmpool, bottom, 32);
AT(kmpool, src, 40);
SIZE(kmpool, 160);
AT(kmpoolcell, last, 0);
AT(kmpoolcell, pool, 8);
AT(kmpoolcell, data, 16);
SIZE(kmpoolcell, 16);
AT(kmsource, alloc, 16);
AT(kmsource, free, 24);
AT(kmsource, ctx, 32);
SIZE(kmsource, 40);
AT(kmopt, sz, 0);
AT(kmopt, align, 8);
AT(kmopt, drop, 16);
AT(kmopt, arg, 24);
AT(kmopt, zero, 32);
AT(kmopt, grow, 36);
AT(kmopt, name, 40);
SIZE(kmopt, 48);
AT(kmwalk, root, 0);
AT(kmwalk, at, 8);
AT(kmwalk, depth, 32);
AT(kmwalk, pool, 40);
AT(kmwalk, km_at_, 48);
SIZE(kmwalk, 56);
AT(kmpoolcount, cells, 0);
AT(kmpoolcount, live, 8);
AT(kmpoolcount, peak, 16);
AT(kmpoolcount, cellsz, 24);
AT(kmpoolcount, block, 32);
SIZE(kmpoolcount, 40);
AT(kmfault, call, 0);
AT(kmfault, ptr, 8);
AT(kmfault, what, 16);
AT(kmfault, found, 24);
_Static_assert(kmkind_none == 0 && kmkind_heap == 1 && kmkind_pool == 2 && kmkind_ref == 3 && kmkind_tree == 4, "kinds");
_Static_assert(kmshred_no == 0 && kmshred_yes == 1, "shred");

int main(void) {
    return 0;
}
