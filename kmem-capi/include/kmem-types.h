/* kmem-types.h - the types of kmem, and what its declarations are made of
 *
 * This is a part of kmem.h, which includes it. The installed kmem.h contains it.
 */
#ifndef KMEM_TYPES_H
#define KMEM_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Hints for the compiler. KM_USED: the result is a new object, or the only sign of a failure. */
#if defined __GNUC__ || defined __clang__
#  define KM_USED   __attribute__((warn_unused_result))
#  define KM_NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))
#  define KM_SIZED(n) __attribute__((alloc_size(n)))
#  define KM_CONST  __attribute__((const))
#else
#  define KM_USED
#  define KM_NONNULL(...)
#  define KM_SIZED(n)
#  define KM_CONST
#endif
/* The function that frees the result, for the analyser of gcc 11 and later. */
#if defined __GNUC__ && !defined __clang__ && !defined __cplusplus && __GNUC__ >= 11 && !defined KFmem_noheap
#  define KM_FREED_BY(f) __attribute__((malloc, malloc(f, 1)))
#elif defined __GNUC__ || defined __clang__
#  define KM_FREED_BY(f) __attribute__((malloc))
#else
#  define KM_FREED_BY(f)
#endif
/* The error for using what was left out: "'kmheapa' is unavailable: built with KFmem_noheap". */
#ifdef __has_attribute
#  if __has_attribute(unavailable)
#    define KM_LEFT_OUT(how) __attribute__((unavailable("built " how)))
#  elif __has_attribute(error)
#    define KM_LEFT_OUT(how) __attribute__((error("built " how)))
#  endif
#endif
#ifndef KM_LEFT_OUT
#  define KM_LEFT_OUT(how)
#endif
#ifdef KFmem_noheap
#  define KM_HEAP KM_LEFT_OUT("with KFmem_noheap")
#else
#  define KM_HEAP
#endif
#ifdef KFmem_noref
#  define KM_REF KM_LEFT_OUT("with KFmem_noref")
#else
#  define KM_REF
#endif
#ifdef KFmem_nopool
#  define KM_POOL KM_LEFT_OUT("with KFmem_nopool")
#else
#  define KM_POOL
#endif
#ifdef KFmem_noarena
#  define KM_ARENA KM_LEFT_OUT("with KFmem_noarena")
#else
#  define KM_ARENA
#endif
#ifdef KFmem_notree
#  define KM_TREE KM_LEFT_OUT("with KFmem_notree")
#else
#  define KM_TREE
#endif
#ifdef KFmem_noshred
#  define KM_SHREDS KM_LEFT_OUT("with KFmem_noshred")
#else
#  define KM_SHREDS
#endif
#ifdef KFmem_totals
#  define KM_TOTALS
#else
#  define KM_TOTALS KM_LEFT_OUT("without KFmem_totals")
#endif
/* The data after a header. C++ has no flexible array member: use the pointer that the allocation returned. */
#ifdef __cplusplus
#  define KM_DATA(type)
#else
#  define KM_DATA(type) type data[];
#endif
/* Unused words, so that headers have the same size on 32-bit and on 64-bit machines. */
#if UINTPTR_MAX > 0xffffffff
#  define KM_SPARE(name, words)
#  define KM_POOL_WORDS 14
#  define KM_ARENA_WORDS 53
#else
#  define KM_SPARE(name, words) size_t name[words];
#  define KM_POOL_WORDS 20
#  define KM_ARENA_WORDS 55
#endif
/* The first fields of every header. The name of the size differs. */
#ifndef KFmem_noshred
#  define KM_SHRED unsigned char shred; /* an enum kmshred */
#else
#  define KM_SHRED unsigned char km_unused_;
#endif
#define KM_PREFIX(size)                                                                              \
    int kind; /* a kmkind; another number if the cell is being freed or was freed */                 \
    KM_SHRED                                                                                         \
    unsigned char flags; /* private */                                                               \
    unsigned char align; /* low 4 bits: log2 of the data's alignment if above 16, else 0 */          \
    unsigned char heap;  /* a seal over heap, size and flags */                                      \
    size_t size;         /* bytes of header and data, or private: use kmsize() */                    \
    KM_SPARE(km_prefix_, 1)

/* ---- types ------------------------------------------------------------------------------------------------------- */

/* How an object was allocated. */
typedef enum kmkind {
    kmkind_none = 0, /* not allocated by kmem: static, global, on the stack */
    kmkind_heap = 1,
    kmkind_pool = 2,
    kmkind_ref  = 3,
    kmkind_tree = 4,
    kmkind_source = 5, /* a kmsource; never the kind of a handle */
    kmkind_arena = 6,
    kmkind_limit = 7  /* a kmlimit; never the kind of a handle */
} kmkind;

/* Not tainted, tainted. This tag has no typedef: kmshred() is a function. */
enum kmshred { kmshred_no = 0, kmshred_yes = 1 };

/* The beginning of every header: a pointer to any header may be cast to kmcell *. */
typedef struct kmcell {
    KM_PREFIX(size)
} kmcell;

/* A handle. */
typedef struct kmptr {
    kmkind kind;
#ifndef KFmem_noshred
    enum kmshred shred; /* kmshred_yes: zero the object when this handle is freed */
#else
    int : 32; /* so that { kmkind_none, object, NULL } initialises the right fields */
#endif
    void *ref;    /* the object */
    kmcell *cell; /* its header; the pool of a pool's cell; NULL if kmem did not allocate the object */
} kmptr;

/* The header of a counted cell. */
typedef struct kmref {
    KM_PREFIX(sz)
    size_t refs; /* references; other threads may change the number */
    kmcell *src; /* the source, NULL for the heap */
    KM_SPARE(km_spare_, 2)
    KM_DATA(unsigned char)
} kmref;

/* The header of a node. */
typedef struct kmnode {
    KM_PREFIX(sz)
    struct kmnode *parent;
    struct kmnode *child;     /* the first */
    struct kmnode *lastchild; /* the last; if there are pools, the first of these */
    struct kmnode *prev;      /* sibling, NULL if first */
    struct kmnode *next;      /* sibling, NULL if last */
    kmcell *src;              /* the source, NULL for the heap */
    KM_SPARE(km_spare_, 6)
    KM_DATA(unsigned char)
} kmnode;

/* The header of a pool's cell. The three lowest bits of pool are flags: the cell is free, its destructor is running, it
 * is tainted. kmpoolo(data).cell is the address of the pool. */
typedef struct kmpoolcell {
    struct kmpoolcell *last; /* the cell allocated before it; of a free cell, one nearby that was freed before it */
    struct kmpool *pool;
    KM_SPARE(km_spare_, 2)
    KM_DATA(unsigned char)
} kmpoolcell;

/* A pool. */
typedef struct kmpool {
    KM_PREFIX(sz)
    size_t cellsz;      /* data bytes of each cell */
    kmpoolcell *top;    /* the cell allocated last */
    kmpoolcell *bottom; /* the free cell that was freed last */
    kmcell *src;        /* the source, NULL for the heap or a buffer */
    size_t km_private_[KM_POOL_WORDS];
} kmpool;

/* The header of an arena's object. */
typedef struct kmarenacell {
    KM_PREFIX(sz)
    size_t km_private_;
    kmcell *src; /* the arena, or private if the object has a destructor or is tainted */
    KM_SPARE(km_spare_, 2)
    KM_DATA(unsigned char)
} kmarenacell;

/* An arena. */
typedef struct kmarena {
    KM_PREFIX(sz)
    kmcell *src; /* the source, NULL for the heap or a buffer */
    size_t km_private_[KM_ARENA_WORDS];
} kmarena;

/* The beginning of a scope of an arena: see kmarenab(). */
typedef struct kmmark {
    void *km_private_[8];
} kmmark;

/* A source of your own: see kmsourcei(). To give it state, make it the first field of a struct of yours. */
typedef struct kmsource {
    KM_PREFIX(size)
    void *(*alloc)(struct kmsource *, size_t size, size_t align);
    void (*free)(struct kmsource *, void *block, size_t size, size_t align);
    void *ctx;
    int (*resize)(struct kmsource *, void *block, size_t from, size_t to, size_t align);
} kmsource;

/* The functions of a source: see kmsourceiw(). */
typedef struct kmsourceopt {
    void *(*alloc)(kmsource *, size_t size, size_t align);
    void (*free)(kmsource *, void *block, size_t size, size_t align);
    int (*resize)(kmsource *, void *block, size_t from, size_t to, size_t align); /* or NULL */
} kmsourceopt;

/* A limit: see kmlimiti(). */
typedef struct kmlimit {
    KM_PREFIX(size)
    kmcell *src; /* the source, NULL for the heap */
    size_t km_private_[11];
} kmlimit;

/* The result of kmlimitq(), in bytes. */
typedef struct kmlimitcount {
    size_t used;    /* allocated through the limit now, headers included */
    size_t peak;    /* peak of used */
    size_t max;     /* the most that may be used at once */
    size_t refused; /* requests that the limit refused */
} kmlimitcount;

/* Options of an allocation: `kmopt o = { 0 }; o.sz = 100; o.align = 64;` */
typedef struct kmopt {
    size_t sz;                             /* data bytes */
    size_t align;                          /* a power of two up to 4096; 0 means 16 */
    void (*drop)(void *data, void *arg);   /* the destructor, or NULL. Runs once, before the data is zeroed and freed.
                                              May read the object and call kmem, but must not free, resize or move
                                              the object or its pool, add anything below it, or free or resize a node
                                              above it. Must return: no longjmp(), no exception */
    void *arg;                             /* the second argument of drop */
    int zero;                              /* nonzero: zero the data */
    int grow;                              /* for a pool, nonzero: allocate another block when full */
    const char *name;                      /* or NULL; must outlive the object. For reports and kmcast() */
#ifndef KFmem_noshred
    enum kmshred shred;                    /* for a pool, kmshred_yes: taint the pool, so every cell is zeroed when it is
                                              freed */
#else
    int km_unused_;
#endif
} kmopt;

/* A method and a source, for functions that allocate by any method: Kmheap, Kmref(src), Kmpool(pool) or Kmtree(src,
 * parent). */
typedef struct kmat {
    kmkind kind;
    kmcell *src;  /* the source, NULL for the heap; the pool for kmkind_pool */
    void *parent; /* the data of the parent for kmkind_tree, or NULL */
} kmat;

/* A walk over the cells of a pool, or over a node and all nodes below it. Set root, and all other fields to 0, before
 * the first step. A walk may be abandoned at any step.
 *
 *     kmwalk w = { .root = pool };
 *     while (kmpooln(&w)) use(w.at.ref);
 */
typedef struct kmwalk {
    void *root;   /* the pool, or the data of the node */
    kmptr at;     /* the current object; the null handle at the end */
    size_t depth; /* its depth below root; 0 in a pool */
    kmpool *pool; /* the object if it is a pool on a node, else NULL */
    void *km_at_;
} kmwalk;

/* The result of kmtreeq(). */
typedef struct kmcount {
    size_t cells; /* nodes and adopted objects */
    size_t size;  /* bytes of their data */
    size_t block; /* bytes allocated for them, headers included */
} kmcount;

/* Receives a report in pieces of len characters, without a terminating zero. It must not change what is reported. */
typedef void (*kmwritefn)(void *ctx, const char *text, size_t len);

/* The result of kmpoolq(), over all blocks of the pool. */
typedef struct kmpoolcount {
    size_t cells;  /* all cells */
    size_t live;   /* live cells */
    size_t peak;   /* peak number of live cells */
    size_t cellsz; /* data bytes of each */
    size_t block;  /* bytes of all its blocks, headers included */
} kmpoolcount;

/* The result of kmarenaq(). */
typedef struct kmarenacount {
    size_t used;    /* bytes of its blocks that hold objects, or held objects that were freed one by one */
    size_t block;   /* bytes of its blocks, headers included */
    size_t blocks;  /* number of its blocks */
    size_t watched; /* objects that have a destructor or are tainted */
} kmarenacount;

/* The result of kmtotal(). */
typedef struct kmtotals {
    size_t cells; /* live cells */
    size_t block; /* bytes of their blocks, headers included */
    size_t most;  /* peak of block */
} kmtotals;

/* The library needs enums as wide as int, and the default packing of the compiler. */
#define KM_LAYOUT (sizeof(kmkind) == sizeof(int) && sizeof(kmcell) == 16 && sizeof(kmptr) == 8 + 2 * sizeof(void *) && \
                   sizeof(kmref) == 32 && sizeof(kmnode) == 64 && sizeof(kmpoolcell) == 16 && sizeof(kmpool) % 16 == 0 && \
                   sizeof(kmarenacell) == 32 && sizeof(kmarena) % 16 == 0)
#if defined __cplusplus && __cplusplus >= 201103L
static_assert(KM_LAYOUT, "compiled with other layouts than kmem, as by -fshort-enums or -fpack-struct");
#elif defined __STDC_VERSION__ && __STDC_VERSION__ >= 201112L
_Static_assert(KM_LAYOUT, "compiled with other layouts than kmem, as by -fshort-enums or -fpack-struct");
#endif

#ifdef __cplusplus
}
#endif
#endif
