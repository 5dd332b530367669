/* The layouts of the README on 64-bit and on 32-bit machines. src/ and kmem::raw assert the same. */
#include <stddef.h>

#include "kmem.h"

#define EITHER(of64, of32) (sizeof(void *) == 8 ? (of64) : (of32))
#define AT(type, field, of64, of32) _Static_assert(offsetof(type, field) == EITHER(of64, of32), #type "." #field)
#define SIZE(type, of64, of32) _Static_assert(sizeof(type) == EITHER(of64, of32), #type)

AT(kmptr, kind, 0, 0);
#ifndef KFmem_noshred
AT(kmptr, shred, 4, 4);
AT(kmcell, shred, 4, 4);
#endif
AT(kmptr, ref, 8, 8);
AT(kmptr, cell, 16, 12);
SIZE(kmptr, 24, 16);
AT(kmcell, kind, 0, 0);
AT(kmcell, flags, 5, 5);
AT(kmcell, align, 6, 6);
AT(kmcell, heap, 7, 7);
AT(kmcell, size, 8, 8);
SIZE(kmcell, 16, 16);
AT(kmref, sz, 8, 8);
AT(kmref, refs, 16, 16);
AT(kmref, src, 24, 20);
AT(kmref, data, 32, 32);
SIZE(kmref, 32, 32);
AT(kmnode, sz, 8, 8);
AT(kmnode, parent, 16, 16);
AT(kmnode, child, 24, 20);
AT(kmnode, lastchild, 32, 24);
AT(kmnode, prev, 40, 28);
AT(kmnode, next, 48, 32);
AT(kmnode, src, 56, 36);
AT(kmnode, data, 64, 64);
SIZE(kmnode, 64, 64);
AT(kmpool, sz, 8, 8);
AT(kmpool, cellsz, 16, 16);
AT(kmpool, top, 24, 20);
AT(kmpool, bottom, 32, 24);
AT(kmpool, src, 40, 28);
SIZE(kmpool, 160, 112);
AT(kmpoolcell, last, 0, 0);
AT(kmpoolcell, pool, 8, 4);
AT(kmpoolcell, data, 16, 16);
SIZE(kmpoolcell, 16, 16);
AT(kmarenacell, sz, 8, 8);
AT(kmarenacell, src, 24, 20);
AT(kmarenacell, data, 32, 32);
SIZE(kmarenacell, 32, 32);
AT(kmarena, sz, 8, 8);
AT(kmarena, src, 16, 16);
SIZE(kmarena, 448, 240);
SIZE(kmmark, 64, 32);
AT(kmarenacount, used, 0, 0);
AT(kmarenacount, block, 8, 4);
AT(kmarenacount, blocks, 16, 8);
AT(kmarenacount, watched, 24, 12);
SIZE(kmarenacount, 32, 16);
AT(kmsource, alloc, 16, 16);
AT(kmsource, free, 24, 20);
AT(kmsource, ctx, 32, 24);
AT(kmsource, resize, 40, 28);
SIZE(kmsource, 48, 32);
AT(kmsourceopt, alloc, 0, 0);
AT(kmsourceopt, free, 8, 4);
AT(kmsourceopt, resize, 16, 8);
SIZE(kmsourceopt, 24, 12);
AT(kmopt, sz, 0, 0);
AT(kmopt, align, 8, 4);
AT(kmopt, drop, 16, 8);
AT(kmopt, arg, 24, 12);
AT(kmopt, zero, 32, 16);
AT(kmopt, grow, 36, 20);
AT(kmopt, name, 40, 24);
#ifndef KFmem_noshred
AT(kmopt, shred, 48, 28);
#endif
SIZE(kmopt, 56, 32);
AT(kmwalk, root, 0, 0);
AT(kmwalk, at, 8, 4);
AT(kmwalk, depth, 32, 20);
AT(kmwalk, pool, 40, 24);
AT(kmwalk, km_at_, 48, 28);
SIZE(kmwalk, 56, 32);
AT(kmpoolcount, cells, 0, 0);
AT(kmpoolcount, live, 8, 4);
AT(kmpoolcount, peak, 16, 8);
AT(kmpoolcount, cellsz, 24, 12);
AT(kmpoolcount, block, 32, 16);
SIZE(kmpoolcount, 40, 20);
AT(kmfault, call, 0, 0);
AT(kmfault, ptr, 8, 4);
AT(kmfault, what, 16, 8);
AT(kmfault, found, 24, 12);
_Static_assert(kmkind_none == 0 && kmkind_heap == 1 && kmkind_pool == 2 && kmkind_ref == 3 && kmkind_tree == 4 &&
               kmkind_source == 5 && kmkind_arena == 6 && kmkind_limit == 7, "kinds");
_Static_assert(kmshred_no == 0 && kmshred_yes == 1, "shred");

int main(void) {
    return 0;
}
