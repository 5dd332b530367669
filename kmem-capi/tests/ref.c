/* The ref method: kmrefa z ao zo w wo u d f s. Allocates from a source, so it also runs without the heap method. */
#include <pthread.h>

#include "check.h"

static counting source;
#define SRC ((kmcell *)&source)

TEST(the_header_is_as_documented) {
    kmptr p = kmrefzo(SRC, 100);
    kmref *ref = HEADER(kmref, p.ref, 32);
    CHECK(p.kind == kmkind_ref && p.cell == (kmcell *)ref);
    CHECK(ref->kind == kmkind_ref && ref->sz == 132 && ref->refs == 1 && ref->src == SRC);
    CHECK((void *)ref->data == p.ref && all(p.ref, 100, 0));
    kmfree(p);
    CHECK(source.out == 0);
}

TEST(the_last_reference_frees) {
    void *p = kmrefa(SRC, 8);
    CHECK(kmrefu(p) == p && kmrefu(p) == p);
    CHECK(HEADER(kmref, p, 32)->refs == 3);
    kmrefd(p);
    kmreff(p);
    CHECK(source.out == 1);
    kmreff(p);
    CHECK(source.out == 0);
}

TEST(the_destructor_runs_once_at_the_last) {
    int ended = 0;
    kmopt o = {0};
    o.sz = 33;
    o.align = 256;
    o.drop = count_drop;
    o.arg = &ended;
    void *p = kmrefw(SRC, &o);
    CHECK((uintptr_t)p % 256 == 0);
    kmrefu(p);
    kmreff(p);
    CHECK(ended == 0);
    kmreff(p);
    CHECK(ended == 1);
    kmfree(kmrefwo(SRC, &o));
    CHECK(ended == 2 && source.out == 0);
}

TEST(null_is_ignored) {
    kmreff(NULL);
    kmrefd(NULL);
    CHECK(kmrefu(NULL) == NULL);
#ifndef KFmem_noshred
    kmrefs(NULL);
#endif
}

TEST(refusals) {
    volatile size_t huge = (size_t)-1;
    errno = 0;
    CHECK(kmrefa(SRC, huge - 8) == NULL && errno == ENOMEM);
    source.left = 0;
    errno = 0;
    CHECK(kmrefz(SRC, 8) == NULL && errno == ENOMEM);
    CHECK(kmrefao(SRC, 8).ref == NULL);
    source.left = 1000000;
    void *p = kmrefa(SRC, 8);
    errno = 0;
    CHECK(kmrefa(HEADER(kmcell, p, 32), 8) == NULL && errno == EINVAL);
    kmreff(p);
}

#ifndef KFmem_noshred
static unsigned char seen_at_end;
static void look(kmsource *s, void *block, size_t size, size_t align) {
    seen_at_end = ((unsigned char *)block)[32];
    counting_free(s, block, size, align);
}

TEST(shredding_zeroes_at_the_last) {
    counting looking;
    counting_init(&looking);
    looking.source.free = look;
    void *p = kmrefa((kmcell *)&looking, 8);
    memset(p, 7, 8);
    kmrefu(p);
    kmrefs(p);
    CHECK(((unsigned char *)p)[0] == 7 && HEADER(kmref, p, 32)->shred == kmshred_yes);
    kmreff(p);
    CHECK(seen_at_end == 0 && looking.out == 0);

    kmptr q = kmrefao((kmcell *)&looking, 8);
    memset(q.ref, 7, 8);
    kmtaint(&q);
    CHECK(q.shred == kmshred_yes);
    kmreff(q.ref);
    CHECK(seen_at_end == 0);

    p = kmrefa((kmcell *)&looking, 8);
    memset(p, 7, 8);
    kmreff(p);
    CHECK(seen_at_end == 7);

    looking.source.shred = kmshred_yes;
    p = kmrefa((kmcell *)&looking, 8);
    memset(p, 7, 8);
    kmreff(p);
    CHECK(seen_at_end == 0);
}
#endif

TEST(dropping_too_often_is_reported) {
    static union { max_align_t align; unsigned char bytes[1024]; } buffer;
    (void)buffer;
#ifndef KFmem_nopool
    kmpool *pool = kmpoolif(buffer.bytes, sizeof buffer.bytes, 64);
    void *p = kmrefa((kmcell *)pool, 8);
    kmreff(p);
    OF_FREED(FAULT(kmreff(p), "kmreff", "already freed"));
    OF_FREED(FAULT(kmrefu(p), "kmrefu", "already freed"));
    kmpoolx(pool);
#endif
}

static void *work(void *shared) {
    for (int i = 0; i < 100000; i++) {
        kmrefu(shared);
        kmreff(shared);
    }
    kmreff(shared);
    return NULL;
}

TEST(references_are_counted_across_threads) {
    int ended = 0;
    kmopt o = {0};
    o.sz = 8;
    o.drop = count_drop;
    o.arg = &ended;
    void *shared = kmrefw(SRC, &o);
    pthread_t threads[4];
    for (size_t i = 0; i < Kmsz(threads); i++) CHECK(pthread_create(&threads[i], NULL, work, kmrefu(shared)) == 0);
    for (size_t i = 0; i < Kmsz(threads); i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(ended == 0 && HEADER(kmref, shared, 32)->refs == 1);
    kmreff(shared);
    CHECK(ended == 1 && source.out == 0);
}

int main(void) {
    counting_init(&source);
    the_header_is_as_documented();
    the_last_reference_frees();
    the_destructor_runs_once_at_the_last();
    null_is_ignored();
    refusals();
#ifndef KFmem_noshred
    shredding_zeroes_at_the_last();
#endif
    dropping_too_often_is_reported();
    references_are_counted_across_threads();
    CHECK(source.out == 0);
    return 0;
}
