/* Any object: kmfree kmshred kmstat kmtaint, for every kind of handle and every source. */
#include "check.h"

static counting source;

TEST(a_static_object_is_left_alone) {
    static int number = 7;
    kmptr p = kmstat(&number);
    CHECK(p.kind == kmkind_none && p.ref == &number && p.cell == NULL);
    kmptr same = {.kind = kmkind_none, .ref = &number};
    kmfree(p);
    kmfree(same);
#ifndef KFmem_noshred
    kmtaint(&p);
    kmshred(p);
#else
    kmptr by_place = {kmkind_none, &number, NULL};
    CHECK(by_place.ref == &number);
#endif
    CHECK(number == 7);
}

TEST(the_null_handle_is_ignored) {
    kmptr null = {.kind = kmkind_none};
    kmfree(null);
    for (int kind = 0; kind <= 4; kind++) {
        null.kind = (kmkind)kind;
        kmfree(null);
#ifndef KFmem_noshred
        kmshred(null);
#endif
    }
}

/* One object of every method in this library from every source that can serve it. */
static size_t make(kmptr *out, kmcell *const *sources, size_t n) {
    size_t made = 0;
    (void)sources;
    (void)n;
#ifndef KFmem_noheap
    out[made++] = kmheapzo(8);
#endif
    for (size_t i = 0; i < n; i++) {
#ifndef KFmem_noref
        out[made++] = kmrefzo(sources[i], 8);
#endif
#ifndef KFmem_notree
        out[made] = kmtreezo(sources[i], NULL, 8);
        CHECK(kmtreez(sources[i], out[made].ref, 8));
        made++;
#endif
    }
    out[made++] = kmstat("static");
    return made;
}

TEST(one_loop_frees_everything) {
    kmptr objects[16];
    kmcell *sources[3];
    size_t n = 0;
    sources[n++] = (kmcell *)&source;
#ifndef KFmem_noheap
    sources[n++] = NULL;
#endif
#ifndef KFmem_nopool
    static union { max_align_t align; unsigned char bytes[4000]; } buffer;
    kmpool *pool = kmpoolif(buffer.bytes, sizeof buffer.bytes, 100);
    sources[n++] = (kmcell *)pool;
#endif
    for (int shredded = 0; shredded < 2; shredded++) {
        size_t made = make(objects, sources, n);
#ifndef KFmem_nopool
        objects[made++] = kmpoolzo(pool, 8);
#endif
        for (size_t i = 0; i < made; i++) {
            CHECK(objects[i].ref);
#ifndef KFmem_noshred
            if (shredded) {
                kmshred(objects[i]);
                continue;
            }
#endif
            kmfree(objects[i]);
        }
        CHECK(source.out == 0);
    }
#ifndef KFmem_nopool
    kmpoolx(pool);
#endif
}

#ifndef KFmem_noref
TEST(a_handle_that_contradicts_its_cell_is_reported) {
    kmptr one = kmrefzo((kmcell *)&source, 8), two = kmrefzo((kmcell *)&source, 8), crossed = one;
    crossed.cell = two.cell;
    FAULT(kmfree(crossed), "kmfree", "a handle that contradicts its cell");
    kmfree(one);
    kmfree(two);
}
#endif

int main(void) {
    counting_init(&source);
    a_static_object_is_left_alone();
    the_null_handle_is_ignored();
    one_loop_frees_everything();
#ifndef KFmem_noref
    a_handle_that_contradicts_its_cell_is_reported();
#endif
    return 0;
}
