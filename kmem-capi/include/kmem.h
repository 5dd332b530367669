/* kmem.h - one handle for every way to get memory
 *
 * A program gets memory in several ways: from the heap, as reference-counted cells, from pools, in trees where freeing a
 * node frees all below it, as static objects. kmem makes each of them, and gives them one handle, the kmptr. Pass it to
 * code that need not know which it holds; kmfree() does the right thing with it.
 *
 *     kmptr name = kmheapzo(32), config = kmrefzo(NULL, 64), hello = kmstat("hello");
 *     kmfree(name); kmfree(config); kmfree(hello);
 *
 * Every function is named by a method and an action:
 *
 *     action                                  heap      ref       pool    tree      any object
 *     make a pool; with options                                   i iw
 *     make a pool in a buffer; with options                       if ifw
 *     destroy a pool                                              x
 *     allocate: contents undefined; zeroed    a z       a z       a z     a z
 *     allocate with options                   w         w                 w         kmnew
 *     allocate and return a handle            ao zo wo  ao zo wo  ao zo   ao zo wo  kmnew
 *     get the handle of an object             o         o         o       o         kmstat
 *     free, or drop a reference               f         f d       f       f d       kmfree
 *     zero and free                           s         s         s       s         kmshred
 *     free everything below a node                                        x
 *     add a reference                                   u
 *     taint: zero when freed                                                        kmtaint
 *     resize; an array                        r         r                 r         kmresize kmresizen
 *     reserve room to grow                                                          kmreserve
 *     move: checked, unchecked, all children                              m mu mc
 *     get parent, first and last child                                    p c cl
 *     get next and previous sibling                                       cn cp
 *     get size, name; cast by name                                                  kmsize kmname kmcast
 *     rename                                                                        kmrename
 *     adopt, release                                    k l               k l
 *     add a destructor, remove it                                         h hx      kmhook
 *     walk                                                        n       n
 *     count                                                       q       q         kmtotal
 *     report as text, as JSON; to a file                          t j     t j       kmtofile
 *     make an array or a copy                                                       kmarr kmarrz kmdup
 *     make a string                                                                 kmdups kmdupn kmprintf
 *     append bytes; to a string                                                     kmcat kmcats kmroom kmprintfa
 *     make a source; with options                                                   kmsourcei kmsourceiw
 *     set the fault handler                                                         kmonfault
 *
 * What has no letter serves objects of any kind. Beside those on the right, kmsize, kmname and kmcast look at an object, and
 * kmrename names it anew. Arrays and strings are made, where a kmat says, by kmarr, kmarrz, kmdup, kmdups, kmdupn and kmprintf, resized
 * by kmresizen, and appended to by kmcat, kmcats, kmroom and kmprintfa; the two that format are in <kmem-printf.h>. kmsourcei and
 * kmsourceiw make a source, and kmonfault sets what a misuse does.
 *
 * All data is aligned to 16 bytes, or as the options ask. A request for zero bytes succeeds. Where an allocation fails it
 * returns NULL, or the null handle, and nothing has changed; errno is ENOMEM where memory ran out or a size overflowed,
 * EINVAL where the source cannot serve. What resizes, moves or adopts fails the same way; EINVAL also means that this object
 * cannot be resized, moved or adopted. NULL and the null handle may be given to every function that frees.
 *
 * Heap functions and reference counts may be used from any thread. A pool, a tree, and what is drawn from them belong to
 * one thread at a time.
 *
 * SOURCES. Cells of the other methods are drawn from a source, the argument src: NULL is the heap, (kmcell *)pool a pool,
 * (kmcell *)&source a source of your own, and for pools also kmtreeo(node).cell, a node of a tree, which the pool then dies
 * with, after all else below it. A source outlives what is drawn from it. Heap cells and references cannot be sources; a node can,
 * of a pool only.
 *
 * CALLBACKS. Functions that destroy an object have the type void (*)(void *): kmheapf, kmrefd, kmpoolf, kmtreed, and kmheaps, kmrefs
 * and kmpools, which zero. kmtreef and kmtrees return a handle and crash if they are called through a pointer of that type.
 *
 * HEADERS. The header of a heap cell, a reference or a node lies right before its data. Take it from the handle: the header of a node is
 * (kmnode *)kmtreeo(node).cell, and its source is ->src. gcc warns about (kmnode *)node - 1 if it knows the size of the data.
 *
 * VERSIONS. A program works with each later library of the same soname: no type changes its size or its fields, and no function its
 * parameters. A library with another soname may add fields at the end of kmopt, kmwalk, kmcount, kmpoolcount, kmtotals and kmfault:
 * begin with { 0 } and set options by name. The other types keep their fields; km_private_ in kmpool is for the library alone.
 *
 * MISUSE. A call may be given what is no live cell of the right kind: one that was freed, another method's pointer, a pointer that was
 * never kmem's. As far as the header shows it, that is reported to the fault handler, whether the call was to free the cell, to
 * resize, move, adopt or hook it, to look at it or to count it. The default handler prints a line and aborts: see kmonfault().
 *
 * SWITCHES. KFmem_noheap, KFmem_noref, KFmem_nopool, KFmem_notree and KFmem_noshred leave a method, or zeroing, out. The
 * installed header defines those that its library was built with; you may define more for your own program. Layouts agree
 * whatever is left out; what is left out and used all the same is refused by the compiler, or by the linker. KFmem_totals puts
 * kmtotal() in, which a library has only where it was built so.
 */
#ifndef KMEM_H
#define KMEM_H

/* @switches@ */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the compiler is told, where it can be told. KM_USED: the result is a new object, or the only sign of a failure. */
#if defined __GNUC__ || defined __clang__
#  define KM_USED   __attribute__((warn_unused_result))
#  define KM_NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))
#  define KM_SIZED(n) __attribute__((alloc_size(n)))
#else
#  define KM_USED
#  define KM_NONNULL(...)
#  define KM_SIZED(n)
#endif
/* Which functions take back what this one gives: for the analyser of gcc 11 and later. */
#if defined __GNUC__ && !defined __clang__ && !defined __cplusplus && __GNUC__ >= 11 && !defined KFmem_noheap
#  define KM_FREED_BY(f) __attribute__((malloc, malloc(f, 1)))
#elif defined __GNUC__ || defined __clang__
#  define KM_FREED_BY(f) __attribute__((malloc))
#else
#  define KM_FREED_BY(f)
#endif
/* What was left out is named where it is used: "'kmheapa' is unavailable: built with KFmem_noheap". */
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
/* Data behind a header: C++ has no word for it, so there it is reached through the pointer that was returned. */
#ifdef __cplusplus
#  define KM_DATA(type)
#else
#  define KM_DATA(type) type data[];
#endif
/* Unused words, which give a header the same size on 32-bit machines as on 64-bit ones. */
#if UINTPTR_MAX > 0xffffffff
#  define KM_SPARE(name, words)
#  define KM_POOL_WORDS 14
#else
#  define KM_SPARE(name, words) size_t name[words];
#  define KM_POOL_WORDS 20
#endif
/* What every cell begins with, under one name or another for its size. */
#ifndef KFmem_noshred
#  define KM_SHRED unsigned char shred; /* an enum kmshred: whether the cell is zeroed when it goes */
#else
#  define KM_SHRED unsigned char km_unused_;
#endif
#define KM_PREFIX(size)                                                                              \
    int kind; /* a kmkind; another number where the cell is being freed or has been */               \
    KM_SHRED                                                                                         \
    unsigned char flags; /* what the cell carries beside its data */                                 \
    unsigned char align; /* in the low 4 bits the base-2 logarithm of the data's alignment if above 16, else 0 */ \
    unsigned char heap;  /* which heap it came from, mixed with size and flags: a seal */              \
    size_t size;         /* bytes of header and data, or private: kmsize() tells */                  \
    KM_SPARE(km_prefix_, 1)

/* ---- types: what is passed and returned, and what lies before the data ------------------------------------------ */

/* How an object was allocated. */
typedef enum kmkind {
    kmkind_none = 0, /* not allocated by kmem: static, global, on the stack */
    kmkind_heap = 1,
    kmkind_pool = 2,
    kmkind_ref  = 3,
    kmkind_tree = 4,
    kmkind_source = 5 /* a source of your own; never the kind of a handle */
} kmkind;

/* Whether an object's bytes are zeroed when it goes. A tag without a typedef, for there is a function of that name. */
enum kmshred { kmshred_no = 0, kmshred_yes = 1 };

/* What every cell begins with. `(kmcell *)node` is always right. */
typedef struct kmcell {
    KM_PREFIX(size)
} kmcell;

/* The handle. */
typedef struct kmptr {
    kmkind kind;
#ifndef KFmem_noshred
    enum kmshred shred; /* kmshred_yes: zero the object when this handle is freed */
#else
    int : 32; /* so that `{ kmkind_none, object, NULL }` is right */
#endif
    void *ref;    /* the object */
    kmcell *cell; /* the cell around it: its header, or the pool of a pool's cell; NULL where there is none */
} kmptr;

/* A reference-counted cell. */
typedef struct kmref {
    KM_PREFIX(sz)
    size_t refs; /* active references; other threads may change their number */
    kmcell *src; /* the source, NULL for the heap */
    KM_SPARE(km_spare_, 2)
    KM_DATA(unsigned char)
} kmref;

/* A node of a tree. */
typedef struct kmnode {
    KM_PREFIX(sz)
    struct kmnode *parent;
    struct kmnode *child;     /* the first */
    struct kmnode *lastchild; /* the last */
    struct kmnode *prev;      /* sibling, NULL if first */
    struct kmnode *next;      /* sibling, NULL if last */
    kmcell *src;              /* the source, NULL for the heap */
    KM_SPARE(km_spare_, 6)
    KM_DATA(unsigned char)
} kmnode;

/* A cell of a pool. The lowest bits of `pool` are not the address's: the first is set while the cell is free, the second while its
 * destructor runs, the third if it is tainted. kmpoolo(data).cell is the pool. */
typedef struct kmpoolcell {
    struct kmpoolcell *last; /* the cell handed out before it; of a free cell, one nearby that came back before it */
    struct kmpool *pool;
    KM_SPARE(km_spare_, 2)
    KM_DATA(unsigned char)
} kmpoolcell;

/* A pool. */
typedef struct kmpool {
    KM_PREFIX(sz)
    size_t cellsz;      /* data bytes of each cell */
    kmpoolcell *top;    /* the cell handed out most recently */
    kmpoolcell *bottom; /* the free cell that came back most recently */
    kmcell *src;        /* the source, NULL for the heap or a buffer */
    size_t km_private_[KM_POOL_WORDS];
} kmpool;

/* A source of your own: see kmsourcei(). Put it first in a struct of yours to keep state beside it. */
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

/* Options of an allocation: `kmopt o = { 0 }; o.sz = 100; o.align = 64;` */
typedef struct kmopt {
    size_t sz;                             /* data bytes */
    size_t align;                          /* a power of two up to 4096; 0 is 16 */
    void (*drop)(void *data, void *arg);   /* runs once when the cell goes, before it is zeroed or given back; or NULL.
                                              It may use kmem, and look at what it runs for; but it frees, resizes or moves
                                              neither that nor the pool that it is in, adds nothing below, and frees or resizes
                                              no node above: that is misuse. It returns: no longjmp, no exception */
    void *arg;                             /* its second argument */
    int zero;                              /* not 0: zero the data */
    int grow;                              /* of pools, not 0: draw another block when full */
    const char *name;                      /* never freed, or NULL: shown by reports, compared by kmcast() */
} kmopt;

/* How and where an object is made, for functions that make any kind of one: Kmheap, Kmref(src), Kmpool(pool), or
 * Kmtree(src, parent). */
typedef struct kmat {
    kmkind kind;
    kmcell *src;  /* the source, NULL for the heap; of kmkind_pool the pool itself */
    void *parent; /* of kmkind_tree the data of the node above, or NULL */
} kmat;

/* A walk over the cells of a pool, or a node and all below it: `kmwalk w = { .root = pool }; while (kmpooln(&w)) use(w.at.ref);`
 * All but the root is zero before the first step, and the walk may be left at any. */
typedef struct kmwalk {
    void *root;   /* the pool, or the data of the node */
    kmptr at;     /* the object that the walk stands on; the null handle at the end */
    size_t depth; /* how far that is below the root; 0 in a pool */
    kmpool *pool; /* the pool, where the object is one on a node; else NULL */
    void *km_at_;
} kmwalk;

/* What kmtreeq() counts. */
typedef struct kmcount {
    size_t cells; /* nodes and adopted objects */
    size_t size;  /* bytes of their data */
    size_t block; /* bytes of all that was drawn for them, headers included */
} kmcount;

/* What a report is given to, a piece of text at a time, not ended by a zero. It changes nothing of what is reported. */
typedef void (*kmwritefn)(void *ctx, const char *text, size_t len);

/* What kmpoolq() tells of a pool, all its blocks together. */
typedef struct kmpoolcount {
    size_t cells;  /* that it has */
    size_t live;   /* that are in use */
    size_t peak;   /* the most that were in use at once */
    size_t cellsz; /* data bytes of each */
    size_t block;  /* bytes of all its blocks, headers included */
} kmpoolcount;

/* What kmtotal() tells of a method. */
typedef struct kmtotals {
    size_t cells; /* that are there now */
    size_t block; /* bytes of their blocks, headers included */
    size_t most;  /* the most bytes at once */
} kmtotals;

/* The library was compiled for enums as wide as an int, and for fields where the compiler puts them by itself. */
#define KM_LAYOUT (sizeof(kmkind) == sizeof(int) && sizeof(kmcell) == 16 && sizeof(kmptr) == 8 + 2 * sizeof(void *) && \
                   sizeof(kmref) == 32 && sizeof(kmnode) == 64 && sizeof(kmpoolcell) == 16 && sizeof(kmpool) % 16 == 0)
#if defined __cplusplus && __cplusplus >= 201103L
static_assert(KM_LAYOUT, "compiled with other layouts than kmem, as by -fshort-enums or -fpack-struct");
#elif defined __STDC_VERSION__ && __STDC_VERSION__ >= 201112L
_Static_assert(KM_LAYOUT, "compiled with other layouts than kmem, as by -fshort-enums or -fpack-struct");
#endif

/* ---- macros --------------------------------------------------------------------------------------------------- */

/* The version of this header. */
#define Kmversion "0.1.0"

/* The number of elements in a static array. */
#define Kmsz(array) (sizeof(array) / sizeof(array)[0])

#ifdef __cplusplus
#  define KM_AT(kind, src, parent) (kmat { kind, src, parent })
#  if __cplusplus >= 201103L
#    define KM_NULL nullptr
#  else
#    define KM_NULL NULL
#  endif
#  define KM_CAST(type, value) (static_cast<type>(value))
/* A source as a kmcell *, whichever type it has. */
extern "C++" inline kmcell *km_cell_(void *source) { return static_cast<kmcell *>(source); }
#  define KM_CELL(source) (km_cell_(source))
#else
#  define KM_AT(kind, src, parent) ((kmat) { kind, src, parent })
#  define KM_NULL ((void *)0)
#  define KM_CAST(type, value) ((type)(value))
#  define KM_CELL(source) ((kmcell *)(source))
#endif

/* ---- any object: whatever a handle holds ------------------------------------------------------------------------ */

/* Frees, drops a reference, gives back or leaves alone, whatever is right, zeroing first what is tainted. The null handle
 * is ignored. */
void kmfree(kmptr);
/* A handle on an object that kmem did not allocate: kmfree() leaves it alone. */
kmptr kmstat(const void *);
/* Like kmfree(), and zeroes what it deallocates. An object that is not kmem's is left alone, for its size is not known. */
void kmshred(kmptr) KM_SHREDS;
/* Marks the handle and the cell: the object is zeroed when it is freed, by this handle or by any other path. */
void kmtaint(kmptr *) KM_NONNULL(1) KM_SHREDS;
/* Gives the object this many bytes of data and returns it, or NULL where that is refused and nothing has changed. It may have
 * moved: the handle says where it is. What fits of its contents stays; alignment, destructor, name and taint do. Where the
 * handle, the cell or the source asks for zeroing, so are the bytes cut off, and those that a move leaves behind: taint what is
 * secret before. A reference has to be the only one; a pool's cell holds what its pool gave it, and no more. What a node has
 * adopted is let go of first, with kmtreel(), for the node knows where it was. */
void *kmresize(kmptr *, size_t) KM_USED KM_NONNULL(1);
/* The same for an array of n elements of sz bytes. */
void *kmresizen(kmptr *, size_t n, size_t sz) KM_USED KM_NONNULL(1);
/* Asks for room in advance: for this many bytes of data in all, as kmresize() counts them. Returns the object, which may have moved, or
 * NULL if that is refused and nothing has changed. kmsize() stays as it is. Until the object has grown to that size, what makes it grow
 * (kmcat, kmcats, kmroom, kmprintfa, kmresize) does not fail and does not move it. The room is neither read nor written before the object
 * has grown into it. Cutting the object with kmresize() gives room back; one that has so many bytes already stays as it is. */
void *kmreserve(kmptr *, size_t) KM_USED KM_NONNULL(1);
/* Bytes of data; of a pool's cell those that each cell has; 0 where the object is not kmem's. Destructors may ask, too. */
size_t kmsize(kmptr);
/* The name that the object was given as it was made (kmopt.name); of a pool's cell, and of a pool on a node, that of the pool; or
 * NULL. Destructors may ask, too. */
const char *kmname(kmptr);
/* Replaces the name of an object that was made with one (kmopt.name), or of a pool on a node, by a string that outlives it. No other
 * thread reads the name meanwhile. Other objects have no room for a name, a pool's cell among them: nothing changes then, and errno is
 * EINVAL. The same if the name is NULL. */
void kmrename(kmptr, const char *name);
/* The object, if it has this name; else NULL, as for NULL. A pool on a node is no object of the type that its cells have. */
void *kmcast(kmptr, const char *name);
/* The same as a `type *`, for objects that are named by their type. */
#define Kmcast(type, ptr) (KM_CAST(type *, kmcast((ptr), #type)))

/* Sets the destructor of an object that exists, and returns 1; or 0 and errno if that is refused. The destructor is called as that of
 * kmopt is, under the same rules. So memory can be allocated first and get its destructor once the object in it is whole: if a C++
 * constructor throws, no destructor runs. A heap cell, or a counted cell with one reference, has one destructor: the new one replaces
 * it, and NULL removes it. A cell that was made without a destructor draws 48 bytes from its source. A node has any number: it
 * gets a hook, as from kmtreeh(), and NULL is refused. A pool's cell is refused: its pool has one destructor for all cells, see
 * kmpooliw(). */
int kmhook(kmptr, void (*drop)(void *data, void *arg), void *arg) KM_USED;

/* ---- strings and arrays: text and arrays in cells of any kind, made where a kmat says ----------------------------- */

/* NULL as a string is refused with EINVAL, and so is NULL as bytes unless their number is 0. */

/* Makes an object with options. A pool's cell has the destructor and the name of its pool: EINVAL where others are asked for. */
kmptr kmnew(kmat, const kmopt *) KM_USED KM_NONNULL(2);
/* Makes an array of n elements of sz bytes, contents undefined. Refused where n * sz overflows. */
kmptr kmarr(kmat, size_t n, size_t sz) KM_USED;
/* Makes an array, all zero. */
kmptr kmarrz(kmat, size_t n, size_t sz) KM_USED;
/* Makes a copy of n bytes. */
kmptr kmdup(kmat, const void *bytes, size_t n) KM_USED;
/* Makes a copy of a string. */
kmptr kmdups(kmat, const char *string) KM_USED;
/* Makes a string of the first n characters of another, or of all where it is shorter. */
kmptr kmdupn(kmat, const char *string, size_t n) KM_USED;
/* Appends n bytes behind those that the object has, and returns the object, or NULL. The bytes may be its own. Takes time in proportion
 * to n, however large the object is and wherever it is from: if the object has to be resized, as kmresize() does it, it gets room for
 * half as many bytes again. That room is not part of kmsize(); kmtreeq() and reports count it as part of the block. A pool's cell has
 * all of its bytes from the start, and takes no more. */
void *kmcat(kmptr *, const void *bytes, size_t n) KM_USED KM_NONNULL(1);
/* Appends to the string in the object, resizing that as kmcat() does if it is too small, and returns the object, or NULL. What is appended
 * may lie in the object itself. The end of the string is its first zero, which is looked for from the start. */
void *kmcats(kmptr *, const char *string) KM_USED KM_NONNULL(1);
/* Makes room for n more characters and a zero behind the string in the object, as kmcats() does, and returns the place of its zero, where
 * they are to be written. The caller writes all of them, the zero too. NULL where that is refused, or where there is no zero in the object. */
char *kmroom(kmptr *, size_t n) KM_USED KM_NONNULL(1);

/* ---- heap: cells with one owner, on any thread ------------------------------------------------------------------ */
/* A kmat: on the heap. */
#define Kmheap (KM_AT(kmkind_heap, KM_NULL, KM_NULL))
/* Frees a cell, zeroing it first if it is tainted. */
void kmheapf(void *) KM_HEAP;
/* Allocates, contents undefined. */
void *kmheapa(size_t) KM_USED KM_SIZED(1) KM_FREED_BY(kmheapf) KM_HEAP;
/* Allocates, all zero. */
void *kmheapz(size_t) KM_USED KM_SIZED(1) KM_FREED_BY(kmheapf) KM_HEAP;
/* Allocates with options: alignment, zeroing, a destructor. */
void *kmheapw(const kmopt *) KM_USED KM_NONNULL(1) KM_FREED_BY(kmheapf) KM_HEAP;
/* Like kmheapa(), but returns a handle. */
kmptr kmheapao(size_t) KM_USED KM_HEAP;
/* Like kmheapz(), but returns a handle. */
kmptr kmheapzo(size_t) KM_USED KM_HEAP;
/* Like kmheapw(), but returns a handle. */
kmptr kmheapwo(const kmopt *) KM_USED KM_NONNULL(1) KM_HEAP;
/* Resizes a cell as kmresize() does; NULL makes one. */
void *kmheapr(void *, size_t) KM_USED KM_SIZED(2) KM_HEAP;
/* The handle of a cell that exists. */
kmptr kmheapo(void *) KM_USED KM_HEAP;
/* Zeroes a cell and frees it. */
void kmheaps(void *) KM_HEAP KM_SHREDS;

/* ---- ref: counted cells, freed with the last reference, on any thread -------------------------------------------- */
/* A kmat: a counted cell, drawn from a source, NULL for the heap. */
#define Kmref(src) (KM_AT(kmkind_ref, KM_CELL(src), KM_NULL))
/* Allocates a cell with one reference, contents undefined. */
void *kmrefa(kmcell *src, size_t) KM_USED KM_SIZED(2) KM_REF;
/* Allocates a cell with one reference, all zero. */
void *kmrefz(kmcell *src, size_t) KM_USED KM_SIZED(2) KM_REF;
/* Allocates a cell with one reference, with options: alignment, zeroing, a destructor that runs with the last one. */
void *kmrefw(kmcell *src, const kmopt *) KM_USED KM_NONNULL(2) KM_REF;
/* Like kmrefa(), but returns a handle. */
kmptr kmrefao(kmcell *src, size_t) KM_USED KM_REF;
/* Like kmrefz(), but returns a handle. */
kmptr kmrefzo(kmcell *src, size_t) KM_USED KM_REF;
/* Like kmrefw(), but returns a handle. */
kmptr kmrefwo(kmcell *src, const kmopt *) KM_USED KM_NONNULL(2) KM_REF;
/* Resizes the cell of an only reference as kmresize() does. */
void *kmrefr(void *, size_t) KM_USED KM_SIZED(2) KM_REF;
/* The handle of a cell that exists. It stands for the caller's reference and adds none. */
kmptr kmrefo(void *) KM_USED KM_REF;
/* Adds a reference and returns its argument. */
void *kmrefu(void *) KM_REF;
/* Drops a reference. The last one frees the cell, zeroing it first if it is tainted. */
void kmrefd(void *) KM_REF;
/* The same as kmrefd(). */
void kmreff(void *) KM_REF;
/* Taints the cell and drops a reference. The last one, whoever drops it, zeroes the cell. */
void kmrefs(void *) KM_REF KM_SHREDS;

/* Has a counted cell adopt an object of any kind, as kmtreek() does for a node. The object is freed, as by kmfree(), when the last reference
 * is dropped, before the destructor of the cell runs. So nodes share a tree: make a counted cell that owns it, and have each
 * node adopt a reference to the cell. All that was adopted is freed in constant stack, whatever owns what.
 * Returns the object, or NULL if that is refused and the object is still yours. The caller's reference must be the only one (EINVAL).
 * Objects are freed in the order in which they were adopted, on the thread that drops the last reference, and zeroed if the cell is
 * tainted. The first one takes 112 bytes from the source of the cell, and each one other than a tree 88 more. Until the cell lets it
 * go the object is neither freed nor resized by anybody else, and its source outlives the cell. A cell that would own itself is refused;
 * cells that own one another by way of others are not found, and never freed. */
void *kmrefk(void *ref, kmptr object) KM_USED KM_REF KM_TREE;
/* Has a counted cell let go of an object that it adopted. Returns the handle that was adopted, which is yours again; or the null handle if
 * the cell does not own the object, or if there are other references. */
kmptr kmrefl(void *ref, const void *object) KM_USED KM_REF KM_TREE;

/* ---- pool: equal cells, handed out and taken back fast, one thread at a time -------------------------------------- */
/* A kmat: a cell of this pool. */
#define Kmpool(pool) (KM_AT(kmkind_pool, KM_CELL(pool), KM_NULL))
/* Makes a pool of n cells of sz bytes. Takes constant time: cells are touched as they are used. On a node it takes time for each pool
 * that is there already, as does whatever else is added below that node. */
kmpool *kmpooli(kmcell *src, size_t sz, size_t n) KM_USED KM_POOL;
/* Makes a pool with options: alignment, one destructor for all cells, growing. With a destructor it is no source for others. */
kmpool *kmpooliw(kmcell *src, const kmopt *cell, size_t n) KM_USED KM_NONNULL(2) KM_POOL;
/* Bytes of buffer that kmpoolif() needs for n cells of sz bytes, wherever the buffer starts. */
#define Kmpoolsz(sz, n) \
    (sizeof(kmpool) + ((n) * sizeof(char) + 63) / 64 * 16 + (n) * (((sz) * sizeof(char) + 15) / 16 * 16 + 16) + 15)
/* Makes a pool inside a buffer: as many cells as fit, NULL where none does. Never calls the heap. See Kmpoolsz(). */
kmpool *kmpoolif(void *buf, size_t bufsz, size_t sz) KM_USED KM_POOL;
/* Makes a pool inside a buffer with options: alignment, one destructor for all cells. */
kmpool *kmpoolifw(void *buf, size_t bufsz, const kmopt *cell) KM_USED KM_NONNULL(3) KM_POOL;
/* Tears a pool down: the destructor runs on each live cell, tainted bytes are zeroed, the block goes back. */
void kmpoolx(kmpool *) KM_POOL;
/* Allocates a cell, contents undefined, or NULL where all are taken. */
void *kmpoola(kmpool *) KM_USED KM_POOL;
/* Allocates a cell and zeroes all of it. NULL where the size is above the cell's. */
void *kmpoolz(kmpool *, size_t) KM_USED KM_POOL;
/* Like kmpoola(), but returns a handle, null where the size is above the cell's. */
kmptr kmpoolao(kmpool *, size_t) KM_USED KM_POOL;
/* Like kmpoolz(), but returns a handle. */
kmptr kmpoolzo(kmpool *, size_t) KM_USED KM_POOL;
/* The handle of a cell that exists. */
kmptr kmpoolo(void *) KM_USED KM_POOL;
/* Steps to the next live cell of the pool that is the root of the walk, and returns 1; or 0 where there is none, and the walk is
 * as before its first step. Cells may be taken and freed meanwhile, the one that the walk stands on too, but the pool stays. */
int kmpooln(kmwalk *) KM_NONNULL(1) KM_POOL;
/* Counts a pool, looking at each cell that was ever in use. Of NULL all is zero. */
kmpoolcount kmpoolq(kmpool *) KM_POOL;
/* Reports a pool as a line of text, or as JSON: see kmtreet(). */
void kmpoolt(kmpool *, kmwritefn, void *ctx) KM_NONNULL(2) KM_POOL;
void kmpoolj(kmpool *, kmwritefn, void *ctx) KM_NONNULL(2) KM_POOL;
/* Gives a cell back to its pool. */
void kmpoolf(void *) KM_POOL;
/* Zeroes a cell and gives it back to its pool. */
void kmpools(void *) KM_POOL KM_SHREDS;

/* ---- tree: nodes that go with their parent, one thread at a time -------------------------------------------------- */
/* A kmat: a node below another, or a root if parent is NULL, drawn from a source, NULL for the heap. */
#define Kmtree(src, parent) (KM_AT(kmkind_tree, KM_CELL(src), (parent)))
/* Allocates a node below parent, the data of another node, or a root where that is NULL. Contents undefined. */
void *kmtreea(kmcell *src, void *parent, size_t) KM_USED KM_SIZED(3) KM_TREE;
/* Allocates a node, all zero. */
void *kmtreez(kmcell *src, void *parent, size_t) KM_USED KM_SIZED(3) KM_TREE;
/* Allocates a node with options: alignment, zeroing, a destructor. */
void *kmtreew(kmcell *src, void *parent, const kmopt *) KM_USED KM_NONNULL(3) KM_TREE;
/* Like kmtreea(), but returns a handle. */
kmptr kmtreeao(kmcell *src, void *parent, size_t) KM_USED KM_TREE;
/* Like kmtreez(), but returns a handle. */
kmptr kmtreezo(kmcell *src, void *parent, size_t) KM_USED KM_TREE;
/* Like kmtreew(), but returns a handle. */
kmptr kmtreewo(kmcell *src, void *parent, const kmopt *) KM_USED KM_NONNULL(3) KM_TREE;
/* Frees a node and all below it, children first, with what counted cells among it own, in constant stack. A destructor that frees something
 * uses the stack of its own call, and what that frees the next: such a chain is limited by the stack. Returns the handle of its
 * parent, or the null handle. */
kmptr kmtreef(void *) KM_TREE;
/* Like kmtreef(), and returns nothing: fit for void (*)(void *), the type of a function that destroys an object. */
void kmtreed(void *) KM_TREE;
/* Like kmtreef(), and zeroes all that it frees. */
kmptr kmtrees(void *) KM_TREE KM_SHREDS;
/* Frees all below a node, the pools on it too, and what it has adopted. The node stays, with its hooks. */
void kmtreex(void *) KM_TREE;
/* Resizes a node as kmresize() does. Where it moves, parent, siblings and children are relinked, which takes time for each child. */
void *kmtreer(void *, size_t) KM_USED KM_SIZED(2) KM_TREE;
/* The handle of a node that exists. */
kmptr kmtreeo(void *) KM_USED KM_TREE;
/* Moves a node with all below it to the end of the children of parent, before the pools there, or makes it a root where parent is NULL.
 * Returns the node, or NULL where parent is the node or lies below it; and, of a pool, where parent lies at or below what was drawn
 * from it. Constant time where parent is NULL or the node has no children; otherwise every node above parent is visited. The sources
 * of what is moved must outlive it in its new place. */
void *kmtreem(void *node, void *parent) KM_TREE;
/* Moves a node in constant time, without that look: parent must not be the node, nor lie below it. */
void *kmtreemu(void *node, void *parent) KM_TREE;
/* Moves all children of a node, and what it has adopted, to the end of the children of another, and returns that; or NULL as
 * kmtreem() does, and where what was adopted needs memory there that is refused: see kmtreek(). Hooks stay. */
void *kmtreemc(void *from, void *to) KM_USED KM_TREE;
/* The node above, or NULL. */
void *kmtreep(const void *node) KM_USED KM_TREE;
/* The first child, or NULL. What the node has adopted is passed over; pools on it are the last children. */
void *kmtreec(const void *node) KM_USED KM_TREE;
/* The next child of the node's parent, or NULL; of a node that is being freed NULL. */
void *kmtreecn(const void *node) KM_USED KM_TREE;
/* The last child, or NULL. Pools on the node are the last children. */
void *kmtreecl(const void *node) KM_USED KM_TREE;
/* The previous child of the node's parent, or NULL; of a node that is being freed NULL. */
void *kmtreecp(const void *node) KM_USED KM_TREE;
/* Has a node adopt an object of any kind: it is freed as kmfree() does, among the children, when the node goes. A tree becomes a child;
 * whatever else it is takes 88 bytes (80 on 32-bit machines) from where the node was drawn. Returns the object, or NULL where that is refused and the object
 * still yours.
 *
 * Who adopts a handle owns what the handle owned: of a counted cell one reference, of anything else the object. What is owned goes
 * with its owner, whoever else has a reference. So only a counted cell can be adopted by several, once for each reference. Until the
 * node lets it go nobody else frees or resizes it, and what it was drawn from outlives the node. */
void *kmtreek(void *node, kmptr object) KM_USED KM_TREE;
/* Has a node let go of an object that it adopted, or of a child, which becomes a root: it is yours again, with the handle that was
 * adopted. The null handle where the node does not hold it. Looks through the children, the last first. A hook of the node may call
 * it, to keep what would go with it. */
kmptr kmtreel(void *node, const void *object) KM_USED KM_TREE;
/* Adds a hook: a destructor that runs as the free of the node begins, with everything below still there, the hook added last first;
 * after the hooks goes what is below, then the destructor of kmopt runs. The rules for that apply to hooks: kmtreex(), kmtreemc(),
 * kmtreek() and kmtreeh() of the node itself are misuse then, but each child may be freed, moved or let go of. A hook takes 80 bytes
 * from where the node was drawn, and is zeroed where the node is tainted. Returns the node, or NULL where that is refused. */
void *kmtreeh(void *node, void (*hook)(void *data, void *arg), void *arg) KM_USED KM_NONNULL(2) KM_TREE;
/* Takes off, without running it, the hook that was added last of those with this function and argument. Returns 1 if there was one. */
int kmtreehx(void *node, void (*hook)(void *data, void *arg), void *arg) KM_NONNULL(2) KM_TREE;
/* Steps to the next node or adopted object of a walk over the node that is its root, each before what is below it, and returns 1; or 0
 * at the end, and the walk is as before its first step. A pool on a node is a node whose data is the pool. Until the next step the
 * object that the walk stands on, and the nodes above it, are not freed, moved, resized or let go of; all else may be. */
int kmtreen(kmwalk *) KM_NONNULL(1) KM_TREE;
/* Counts nodes and adopted objects at and below a node: those of this name, or all where it is NULL. What an
 * adopted counted cell owns is counted too, down to the next counted cell. Walks pass over it, and reports count it as below the cell. */
kmcount kmtreeq(void *node, const char *name) KM_TREE;
/* Reports a node and all below it as indented text: what lies deeper than depth is counted, not listed. */
void kmtreet(void *node, size_t depth, kmwritefn, void *ctx) KM_NONNULL(3) KM_TREE;
/* Reports a node and all below it as JSON, a line for each: what kmem-view draws. */
void kmtreej(void *node, size_t depth, kmwritefn, void *ctx) KM_NONNULL(3) KM_TREE;

/* ---- sources of your own: memory from wherever you like ------------------------------------------------------------ */

/* Makes a source of these two functions: alloc returns `size` bytes aligned to `align` (16 or more), or NULL; free takes
 * them back, with the same numbers. Set source->shred for all that is drawn from it to be zeroed. */
void kmsourcei(kmsource *, void *(*alloc)(kmsource *, size_t size, size_t align),
               void (*free)(kmsource *, void *block, size_t size, size_t align), void *ctx) KM_NONNULL(1, 2, 3);
/* Makes a source of three functions, of which the last may be NULL: resize makes a block of `from` bytes `to` bytes where it is and returns
 * 1, after which free gets it with that size; or it returns 0 and changes nothing. It is asked before a cell of the source is moved, to
 * grow or to shrink; NULL is a source that never resizes. A cell that has to move is allocated anew and copied, zeroed where that is asked
 * for, and freed. What is cut off a cell that is to be zeroed is zero before resize is asked. */
void kmsourceiw(kmsource *, const kmsourceopt *, void *ctx) KM_NONNULL(1, 2);

/* ---- totals: how much each method has --------------------------------------------------------------------------- */

/* Counts what there is of a method in the whole program: its cells, or of kmkind_pool the blocks of pools, whose cells
 * kmpoolq() counts. What was drawn from a pool is counted here and as part of the pool's block. Any thread may ask. */
kmtotals kmtotal(kmkind) KM_TOTALS;

/* ---- misuse: what happens where a call is given no live cell of the right kind ---------------------------------- */

/* What is known of a misuse. The strings live as long as the handler runs. */
typedef struct kmfault {
    const char *call; /* "kmheapf" */
    const void *ptr;  /* what it was given */
    const char *what; /* "already freed" */
    int found;        /* the number in the place of the kind, where that is what was wrong; else 0 */
} kmfault;

/* What is called on a misuse, on the thread that made the call. */
typedef void (*kmfaultfn)(const kmfault *);

/* Sets what is called on a misuse, in the whole program, and returns what was before; NULL is the default, which prints
 * one line to standard error and aborts. A misuse is a call that was given what is no live cell of the right kind, whether to free,
 * resize, move, adopt, hook, look at or count it. Where the handler returns, the faulty call does nothing. */
kmfaultfn kmonfault(kmfaultfn);

#ifdef __cplusplus
}
#endif
#endif
