/* The heap method: kmheapa z ao zo w wo f s. */
#include "check.h"

TEST(data_is_aligned_and_writable) {
    for (size_t size = 0; size < 300; size++) {
        void *p = kmheapa(size);
        CHECK(p && (uintptr_t)p % 16 == 0);
        memset(p, 7, size);
        CHECK(all(p, size, 7));
        kmheapf(p);
    }
}

TEST(zeroed_means_every_byte) {
    for (int round = 0; round < 50; round++) {
        void *p = kmheapa(500);
        memset(p, 0xFF, 500);
        kmheapf(p);
        p = kmheapz(500);
        CHECK(all(p, 500, 0));
        kmheapf(p);
    }
}

TEST(the_header_is_as_documented) {
    kmptr p = kmheapao(100);
    CHECK(p.kind == kmkind_heap && p.ref && p.cell == HEADER(kmcell, p.ref, 16));
    CHECK(p.cell->kind == kmkind_heap && p.cell->size == 116 && p.cell->align == 0);
    kmfree(p);
    p = kmheapzo(10);
    CHECK(all(p.ref, 10, 0));
    kmfree(p);
}

TEST(nothing_is_a_size_too) {
    void *one = kmheapa(0), *two = kmheapz(0);
    CHECK(one && two && one != two);
    kmheapf(one);
    kmheapf(two);
}

TEST(sizes_that_overflow_are_refused) {
    volatile size_t huge = (size_t)-1;
    for (size_t back = 0; back < 64; back += 7) {
        errno = 0;
        CHECK(kmheapa(huge - back) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK(kmheapz(huge - back) == NULL && errno == ENOMEM);
        kmptr p = kmheapao(huge - back);
        CHECK(p.ref == NULL && p.kind == kmkind_none);
        kmfree(p);
    }
    errno = 0;
    CHECK(kmheapa(huge / 2 - 4096) == NULL && errno == ENOMEM);
}

TEST(options_align_zero_and_end) {
    int ended = 0;
    for (size_t align = 1; align <= 4096; align *= 2) {
        kmopt o = {0};
        o.sz = 100;
        o.align = align;
        o.zero = 1;
        o.drop = count_drop;
        o.arg = &ended;
        void *p = kmheapw(&o);
        CHECK(p && (uintptr_t)p % (align < 16 ? 16 : align) == 0 && all(p, 100, 0));
        memset(p, 7, 100);
        kmheapf(p);
        kmfree(kmheapwo(&o));
    }
    CHECK(ended == 26);
    kmopt o = {0};
    o.align = 48;
    errno = 0;
    CHECK(kmheapw(&o) == NULL && errno == EINVAL);
    o.align = 8192;
    CHECK(kmheapwo(&o).ref == NULL);
}

TEST(null_is_ignored) {
    kmheapf(NULL);
#ifndef KFmem_noshred
    kmheaps(NULL);
#endif
}

TEST(what_is_not_a_heap_cell_is_reported) {
    static union { max_align_t align; unsigned char bytes[128]; } block;
    /* volatile, because the compiler would warn */
    unsigned char *volatile foreign = block.bytes + 64, *volatile askew = block.bytes + 65;
    FAULT(kmheapf(foreign), "kmheapf", "not a cell");
    FAULT(kmheapf(askew), "kmheapf", "not a cell");
}

TEST(exhaustion_is_null_and_nothing_is_lost) {
    void *kept = kmheapz(8);
    volatile size_t most = (size_t)-1 / 4;
    void *large = kmheapa(most);
    CHECK(large == NULL || sizeof(size_t) < 8); /* a quarter of a small address space may be free */
    kmheapf(large);
    CHECK(all(kept, 8, 0));
    kmheapf(kept);
}

int main(void) {
    data_is_aligned_and_writable();
    zeroed_means_every_byte();
    the_header_is_as_documented();
    nothing_is_a_size_too();
    sizes_that_overflow_are_refused();
    options_align_zero_and_end();
    null_is_ignored();
    what_is_not_a_heap_cell_is_reported();
    exhaustion_is_null_and_nothing_is_lost();
    return 0;
}
