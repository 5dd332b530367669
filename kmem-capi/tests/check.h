/* Shared by the C tests: CHECK(), a source that counts and fails on demand, a fault handler that records. */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmem.h"

#define CHECK(claim)                                                               \
    do {                                                                           \
        if (!(claim)) {                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);    \
            exit(1);                                                               \
        }                                                                          \
    } while (0)

#define TEST(name) static void name(void)

/* Checks of freed memory in a pool. They are left out if the library tells a tool that the memory is free. */
#ifdef KMEM_MARKED
#  define OF_FREED(...)
#else
#  define OF_FREED(...) __VA_ARGS__
#endif

/* The header of an object. */
#define HEADER(type, data, bytes) ((type *)(void *)((unsigned char *)(data) - (bytes)))

static inline int all(const void *data, size_t n, unsigned char byte) {
    const unsigned char *bytes = (const unsigned char *)data;
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != byte) return 0;
    return 1;
}

/* Aligned blocks of the C library. Windows has a separate heap for them. */
#ifdef _WIN32
#  include <malloc.h>
static inline void *aligned_block(size_t align, size_t size) { return _aligned_malloc(size, align); }
static inline void aligned_free(void *block) { _aligned_free(block); }
#else
static inline void *aligned_block(size_t align, size_t size) {
    void *block = NULL;
    return posix_memalign(&block, align, size) == 0 ? block : NULL;
}
static inline void aligned_free(void *block) { free(block); }
#endif

/* A source over the C library's heap that counts its live blocks, and fails after `left` allocations. */
typedef struct counting {
    kmsource source;
    long out, left;
} counting;

static inline void *counting_alloc(kmsource *s, size_t size, size_t align) {
    counting *c = (counting *)(void *)s;
    void *block = c->left ? aligned_block(align, size ? size : 1) : NULL;
    if (!block) return NULL;
    c->left--;
    c->out++;
    return memset(block, 0xCD, size);
}

static inline void counting_free(kmsource *s, void *block, size_t size, size_t align) {
    counting *c = (counting *)(void *)s;
    (void)align;
    (void)size;
    c->out--;
    aligned_free(block);
}

static inline void counting_init(counting *c) {
    kmsourcei(&c->source, counting_alloc, counting_free, NULL);
    c->out = 0;
    c->left = 1000000;
}

/* A destructor that counts. */
static inline void count_drop(void *data, void *arg) {
    (void)data;
    ++*(int *)arg;
}

/* The last fault, recorded while FAULT() runs a call. */
static kmfault last_fault;
static char last_call[64], last_what[64];
static int faults;

static inline void remember(const kmfault *fault) {
    faults++;
    last_fault = *fault;
    snprintf(last_call, sizeof last_call, "%s", fault->call);
    snprintf(last_what, sizeof last_what, "%s", fault->what);
}

#define FAULT(statement, call_, what_)                                             \
    do {                                                                           \
        kmfaultfn before_ = kmonfault(remember);                                   \
        faults = 0;                                                                \
        statement;                                                                 \
        kmonfault(before_);                                                        \
        CHECK(faults == 1);                                                        \
        CHECK(strcmp(last_call, call_) == 0);                                      \
        CHECK(strcmp(last_what, what_) == 0);                                      \
    } while (0)

#endif
