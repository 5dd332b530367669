/* kmem.h - one handle for every way to allocate memory
 *
 * kmem allocates memory by four methods:
 *
 *     heap    single blocks
 *     ref     blocks with a reference count
 *     pool    blocks of equal size from a pool
 *     tree    nodes of a tree: freeing a node frees all nodes below it
 *
 * A kmptr is a handle for any such object, or for a static one. Code that frees a kmptr need not know the method.
 *
 *     kmptr name = kmheapzo(32), config = kmrefzo(NULL, 64), hello = kmstat("hello");
 *     kmfree(name); kmfree(config); kmfree(hello);
 *
 * The name of a function has its method and the letters of its action: kmheapa() is the action a of the method heap.
 *
 *     action                                  heap      ref       pool    arena     tree      any object
 *     make a pool or an arena; with options                       i iw    i iw
 *     make a node with an arena of its own                                          i
 *     get the source that is the parent's                                                     kmsame
 *     make it in a buffer; with options                           if ifw  if ifw
 *     destroy it                                                  x       x
 *     begin a scope, end it                                               b e
 *     free all cells of a pool and keep it                        c
 *     allocate: contents undefined; zeroed    a z       a z       a z     a z       a z
 *     allocate with options                   w         w                 w         w         kmnew
 *     allocate and return a handle            ao zo wo  ao zo wo  ao zo   ao zo wo  ao zo wo  kmnew
 *     get the handle of an object             o         o         o       o         o         kmstat
 *     free, or drop a reference               f         f d       f       f         f d       kmfree
 *     zero and free                           s         s         s       s         s         kmshred
 *     free everything below a node                                                  x
 *     add a reference                                   u
 *     taint: zero when freed                                                                  kmtaint
 *     resize; an array                        r         r                 r         r         kmresize kmresizen
 *     reserve room to grow                                                                    kmreserve
 *     move: checked, unchecked, all children                                        m mu mc
 *     get parent, first and last child                                              p c cl
 *     get next and previous sibling                                                 cn cp
 *     get size, name; cast by name                                                            kmsize kmname kmcast Kmcast
 *     rename                                                                                  kmrename
 *     adopt, release                                    k l                         k l
 *     add a destructor, remove it                                                   h hx      kmhook
 *     walk                                                        n                 n
 *     count                                                       q       q         q         kmtotal
 *     report as text, as JSON; to a file                          t j     t j       t j       kmtofile
 *     make an array or a copy                                                                 kmarr kmarrz kmdup
 *     make a string                                                                           kmdups kmdupn kmprintf kmvprintf
 *     append bytes; to a string                                                               kmcat kmcats kmroom kmprintfa kmvprintfa
 *     make a source; with options                                                             kmsourcei kmsourceiw
 *     make a limit, destroy it                                                                kmlimiti kmlimitx
 *     change, count a limit; set a callback                                                   kmlimitto kmlimitq kmlimith
 *     set the fault handler                                                                   kmonfault
 *
 * kmprintf(), kmprintfa() and kmtofile() are in <kmem-printf.h>, which includes <stdio.h>.
 *
 * TERMS. A cell is data with a header of kmem's before it. Functions take and return the address of the data. A counted
 * cell has a reference count. A root is a node without a parent. An object is the data of a cell, or memory that kmem
 * did not allocate. An adopted object belongs to a node or a counted cell, which frees it. A tainted object is zeroed
 * when it is freed. The null handle is the handle of NULL.
 *
 * SIZES. Sizes are in bytes. Data is aligned to 16 bytes, or as the options ask. A request for 0 bytes succeeds.
 *
 * ERRORS. A function that fails returns NULL, the null handle or 0, and changes nothing. errno is then ENOMEM if memory
 * ran out or a size overflowed, and EINVAL if an argument, the object or the source does not permit the call. Functions
 * that free accept NULL and the null handle.
 *
 * THREADS. Heap cells and reference counts may be used from any thread. A pool, an arena, a tree, and all that was
 * allocated from them may be used by only one thread at a time.
 *
 * SOURCES. The argument src says what a cell is allocated from: NULL is the heap, (kmcell *)pool is a pool,
 * (kmcell *)arena an arena, (kmcell *)limit a limit on the bytes of another source, and (kmcell *)&source is a
 * kmsource of your own. For a node, Kmsame is the source of its parent. A pool or an arena may also be allocated from a
 * node, with kmtreeo(node).cell: it is then on the node, and freeing the node frees it after everything else below the
 * node. A source must outlive the cells that are allocated from it. Heap cells, counted cells and objects of an arena
 * cannot be sources.
 *
 * CALLBACKS. kmheapf(), kmrefd(), kmpoolf(), kmarenaf() and kmtreed() have the type void (*)(void *), as do kmheaps(),
 * kmrefs(), kmpools() and kmarenas(), which zero the object first. Do not cast kmtreef() and kmtrees() to that type:
 * they return a handle, and the call crashes.
 *
 * HEADERS. The header of a heap cell, a counted cell or a node ends where its data begins. Take its address from a
 * handle: (kmnode *)kmtreeo(node).cell is the header of a node, and ->src its source. gcc may warn about
 * (kmnode *)node - 1.
 *
 * VERSIONS. A program works with every later library of the same soname: types keep their size and fields, functions
 * their parameters. A library of another soname may append fields to kmopt, kmwalk, kmcount, kmpoolcount, kmtotals and
 * kmfault: initialise those with { 0 } and set fields by name. The other types keep their fields. Fields whose names
 * begin with km_ are for the library alone.
 *
 * MISUSE. If a call gets a pointer that is not a live cell of the right kind, and the header shows it, the fault
 * handler is called. Examples are a cell that was freed, a cell of another method, and memory from another allocator.
 * The default handler prints one line and aborts: see kmonfault().
 *
 * SWITCHES. KFmem_noheap, KFmem_noref, KFmem_nopool, KFmem_noarena and KFmem_notree leave a method out, KFmem_noshred
 * leaves zeroing out, and KFmem_totals adds kmtotal(). The installed header defines the switches of its library. A
 * program may leave out more: layouts do not change. Using a function that was left out is an error of the compiler or
 * the linker.
 */
#ifndef KMEM_H
#define KMEM_H

/* @switches@ */

#include "kmem-types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- macros ------------------------------------------------------------------------------------------------------ */

/* The version of this header. */
#define Kmversion "0.1.0"

/* The number of elements of an array. */
#define Kmsz(array) (sizeof(array) / sizeof(array)[0])

#ifdef __cplusplus
#  define KM_AT(kind, src, parent) (kmat { kind, src, parent })
#  if __cplusplus >= 201103L
#    define KM_NULL nullptr
#  else
#    define KM_NULL NULL
#  endif
#  define KM_CAST(type, value) (static_cast<type>(value))
/* Casts a pointer to a source of any type. */
extern "C++" inline kmcell *km_cell_(void *source) { return static_cast<kmcell *>(source); }
#  define KM_CELL(source) (km_cell_(source))
#else
#  define KM_AT(kind, src, parent) ((kmat) { kind, src, parent })
#  define KM_NULL ((void *)0)
#  define KM_CAST(type, value) ((type)(value))
#  define KM_CELL(source) ((kmcell *)(source))
#endif

/* ---- any object: functions for objects of every method ----------------------------------------------------------- */

/* Frees the object of a handle. A counted cell loses one reference; a node is freed with all nodes below it; an object
 * that kmem did not allocate is left alone. Ignores the null handle. See also kmshred(). */
void kmfree(kmptr);
/* Returns a handle for an object that kmem did not allocate. kmfree() leaves the object alone. */
kmptr kmstat(const void *);
/* Like kmfree(), but zeroes what it frees; a counted cell with other references is tainted. Does nothing to an object
 * that kmem did not allocate: its size is not known. */
void kmshred(kmptr) KM_SHREDS;
/* Taints an object and its handle: the object is zeroed when it is freed, with this handle or without. Taint an object
 * before you resize it: a resize of an untainted object does not zero the bytes that it cuts off or leaves behind. Bytes
 * that are cut off a pool's cell stay in it until it is freed, and are zeroed then. */
void kmtaint(kmptr *) KM_NONNULL(1) KM_SHREDS;
/* Resizes an object to this many bytes and returns it, or NULL. The object may move; the handle is updated. Added bytes
 * are undefined. Alignment, destructor, name and taint stay. If the handle, the object or its source is tainted, bytes
 * that are cut off or left behind are zeroed.
 *
 * EINVAL if a counted cell has other references, if the size exceeds that of a pool's cell, or if the object is a pool
 * on a node or not allocated by kmem. The size of a pool's cell never changes. Release an adopted object that is not a
 * node before you resize it, since its owner stores its address. See also kmreserve(). */
void *kmresize(kmptr *, size_t) KM_USED KM_NONNULL(1);
/* Resizes an object to n elements of sz bytes, as kmresize() does. */
void *kmresizen(kmptr *, size_t n, size_t sz) KM_USED KM_NONNULL(1);
/* Reserves memory for an object to grow to this many bytes, and returns the object, or NULL. The object may move; the
 * handle is updated. Its size does not change. Until it has that size, kmresize(), kmcat(), kmcats(), kmroom() and
 * kmprintfa() grow it without failing and without moving it. Making it smaller frees reserved memory. */
void *kmreserve(kmptr *, size_t) KM_USED KM_NONNULL(1);
/* Returns the size of an object, or 0 if kmem did not allocate it. The size of a pool's cell is the cell size of its
 * pool. A destructor may call it for its object. */
size_t kmsize(kmptr);
/* Returns the name of an object (kmopt.name), or NULL. A pool's cell and a pool on a node have the name of the pool. A
 * destructor may call it for its object. */
const char *kmname(kmptr);
/* Replaces the name of an object that was made with one, or of a pool on a node. The new name must outlive the object.
 * No other thread may read the name meanwhile. EINVAL if the object was made without a name or is a pool's cell, or if
 * name is NULL. */
void kmrename(kmptr, const char *name);
/* Returns the object if it has this name, else NULL. Returns NULL for a pool on a node, whose name describes its
 * cells. */
void *kmcast(kmptr, const char *name);
/* The same, as a type *, for an object whose name is its type: `struct key *key = Kmcast(struct key, object);` */
#define Kmcast(type, ptr) (KM_CAST(type *, kmcast((ptr), #type)))

/* Sets the destructor of an object and returns 1, or 0 if it fails. The rules of kmopt.drop apply. In C++, allocate
 * first, then construct, then set the destructor: no destructor runs if the constructor throws.
 *
 * A heap cell or a counted cell has one destructor, which this replaces; NULL removes it. If the cell was made without
 * one, kmhook() allocates 48 bytes from its source. A node gets a hook: see kmtreeh().
 *
 * EINVAL if a counted cell has other references, if drop is NULL for a node, or if the object is a pool's cell. See
 * also kmpooliw(). */
int kmhook(kmptr, void (*drop)(void *data, void *arg), void *arg) KM_USED;

/* ---- strings and arrays: text and arrays in cells of every method ------------------------------------------------ */

/* The functions of this section fail with EINVAL if a string is NULL, or if bytes is NULL and n is not 0. */

/* Allocates an object with options and returns a handle. EINVAL if the object is a pool's cell and the options have a
 * destructor or a name: see kmpooliw(). */
kmptr kmnew(kmat, const kmopt *) KM_USED KM_NONNULL(2);
/* Allocates an array of n elements of sz bytes, contents undefined. ENOMEM if n * sz overflows. */
kmptr kmarr(kmat, size_t n, size_t sz) KM_USED;
/* Allocates an array of n elements of sz bytes, zeroed. */
kmptr kmarrz(kmat, size_t n, size_t sz) KM_USED;
/* Allocates a copy of n bytes. */
kmptr kmdup(kmat, const void *bytes, size_t n) KM_USED;
/* Allocates a copy of a string. */
kmptr kmdups(kmat, const char *string) KM_USED;
/* Allocates a string from the first n characters of a string, or from all if it is shorter. */
kmptr kmdupn(kmat, const char *string, size_t n) KM_USED;
/* Appends n bytes to an object and returns the object, or NULL. The object may move; the handle is updated. The bytes
 * may lie in the object. Takes amortised time in proportion to n: if the object must be resized, half as many bytes
 * again are reserved. kmtreeq() and reports count reserved bytes as part of the block. A pool's cell cannot grow. */
void *kmcat(kmptr *, const void *bytes, size_t n) KM_USED KM_NONNULL(1);
/* Appends a string to the string in an object, growing the object as kmcat() does if it is too small. Returns the
 * object, or NULL. The appended string may be part of the object. Searches the object from its start for the
 * terminating zero. */
void *kmcats(kmptr *, const char *string) KM_USED KM_NONNULL(1);
/* Makes room for n more characters at the end of the string in an object, growing the object as kmcat() does if it is
 * too small. Returns the address of the terminating zero, or NULL. Write the n characters and a new terminating zero
 * there. Searches the object from its start for the terminating zero. EINVAL if there is none.
 *
 *     char *end = kmroom(&line, 4);
 *     if (end) memcpy(end, "\r\n\r\n", 5);
 */
char *kmroom(kmptr *, size_t n) KM_USED KM_NONNULL(1);

/* ---- heap: cells with one owner, for any thread ------------------------------------------------------------------ */
/* A kmat for a heap cell. */
#define Kmheap (KM_AT(kmkind_heap, KM_NULL, KM_NULL))
/* Frees a heap cell. */
void kmheapf(void *) KM_HEAP;
/* Allocates a heap cell, contents undefined. */
void *kmheapa(size_t) KM_USED KM_SIZED(1) KM_FREED_BY(kmheapf) KM_HEAP;
/* Allocates a heap cell, zeroed. */
void *kmheapz(size_t) KM_USED KM_SIZED(1) KM_FREED_BY(kmheapf) KM_HEAP;
/* Allocates a heap cell with options. */
void *kmheapw(const kmopt *) KM_USED KM_NONNULL(1) KM_FREED_BY(kmheapf) KM_HEAP;
/* Like kmheapa(), kmheapz() and kmheapw(), but return a handle. */
kmptr kmheapao(size_t) KM_USED KM_HEAP;
kmptr kmheapzo(size_t) KM_USED KM_HEAP;
kmptr kmheapwo(const kmopt *) KM_USED KM_NONNULL(1) KM_HEAP;
/* Resizes a heap cell as kmresize() does. Allocates one if the pointer is NULL. */
void *kmheapr(void *, size_t) KM_USED KM_SIZED(2) KM_HEAP;
/* Returns the handle of a heap cell. */
kmptr kmheapo(void *) KM_USED KM_HEAP;
/* Zeroes and frees a heap cell. */
void kmheaps(void *) KM_HEAP KM_SHREDS;

/* ---- ref: reference-counted cells, for any thread ---------------------------------------------------------------- */
/* A kmat for a counted cell from a source. */
#define Kmref(src) (KM_AT(kmkind_ref, KM_CELL(src), KM_NULL))
/* Allocates a counted cell with one reference, contents undefined. */
void *kmrefa(kmcell *src, size_t) KM_USED KM_SIZED(2) KM_REF;
/* Allocates a counted cell with one reference, zeroed. */
void *kmrefz(kmcell *src, size_t) KM_USED KM_SIZED(2) KM_REF;
/* Allocates a counted cell with one reference, with options. The destructor runs when the last reference is dropped. */
void *kmrefw(kmcell *src, const kmopt *) KM_USED KM_NONNULL(2) KM_REF;
/* Like kmrefa(), kmrefz() and kmrefw(), but return a handle. */
kmptr kmrefao(kmcell *src, size_t) KM_USED KM_REF;
kmptr kmrefzo(kmcell *src, size_t) KM_USED KM_REF;
kmptr kmrefwo(kmcell *src, const kmopt *) KM_USED KM_NONNULL(2) KM_REF;
/* Resizes a counted cell with one reference, as kmresize() does. */
void *kmrefr(void *, size_t) KM_USED KM_SIZED(2) KM_REF;
/* Returns the handle of a counted cell. Adds no reference: kmfree() of the handle drops the reference of the caller. */
kmptr kmrefo(void *) KM_USED KM_REF;
/* Adds a reference and returns its argument. */
void *kmrefu(void *) KM_REF;
/* Drop a reference. The last one frees the cell. */
void kmrefd(void *) KM_REF;
void kmreff(void *) KM_REF;
/* Taints the cell and drops a reference: the last one zeroes the cell. */
void kmrefs(void *) KM_REF KM_SHREDS;

/* Makes a counted cell the owner of an object of any method, and returns the object, or NULL. Dropping the last
 * reference frees the object as kmfree() does, before the destructor of the cell runs. Objects are freed in the order
 * of their adoption, in constant stack, and are zeroed if the cell is tainted.
 *
 * Until the cell releases the object, nobody else may free or resize it. The source of the object must outlive the
 * cell, and if that is an arena, so must the scope of the object. The first object takes 112 bytes from the source of
 * the cell; each object that is not a tree takes 88 more.
 *
 * EINVAL if the cell has other references, or would own itself. A cycle through several cells is not detected: those
 * cells are never freed.
 *
 * To share a tree between nodes, let a counted cell own the tree, and each node own a reference to the cell. See also
 * kmrefl(), kmtreek(). */
void *kmrefk(void *ref, kmptr object) KM_USED KM_REF KM_TREE;
/* Releases an object that a counted cell owns. Returns the handle that was adopted: the object is yours again. Returns
 * the null handle if the cell does not own the object or has other references. */
kmptr kmrefl(void *ref, const void *object) KM_USED KM_REF KM_TREE;

/* ---- pool: cells of equal size, for one thread at a time --------------------------------------------------------- */
/* A kmat for a cell of a pool. */
#define Kmpool(pool) (KM_AT(kmkind_pool, KM_CELL(pool), KM_NULL))
/* Makes a pool of n cells of sz bytes. Takes constant time, since cells are written only when they are used. */
kmpool *kmpooli(kmcell *src, size_t sz, size_t n) KM_USED KM_POOL;
/* Makes a pool with options: alignment, name, growing, taint, and one destructor for all cells. A pool with a destructor
 * cannot be a source. A growing pool gives a block back to its source when the block is empty and another one is at least
 * half empty. */
kmpool *kmpooliw(kmcell *src, const kmopt *cell, size_t n) KM_USED KM_NONNULL(2) KM_POOL;
/* The size of a buffer for kmpoolif() with n cells of sz bytes, wherever the buffer begins. */
#define Kmpoolsz(sz, n) \
    (sizeof(kmpool) + ((n) * sizeof(char) + 63) / 64 * 16 + (n) * (((sz) * sizeof(char) + 15) / 16 * 16 + 16) + 15)
/* Makes a pool in a buffer, with as many cells of sz bytes as fit. Does not use the heap. EINVAL if no cell fits.
 * Destroy the pool before you use the buffer for anything else. See also Kmpoolsz(). */
kmpool *kmpoolif(void *buf, size_t bufsz, size_t sz) KM_USED KM_POOL;
/* Makes a pool in a buffer with options: alignment, name, and one destructor for all cells. */
kmpool *kmpoolifw(void *buf, size_t bufsz, const kmopt *cell) KM_USED KM_NONNULL(3) KM_POOL;
/* Destroys a pool: runs the destructor of each live cell, zeroes what is tainted, and frees the memory of the pool. */
void kmpoolx(kmpool *) KM_POOL;
/* Frees all live cells of a pool, and keeps the pool: runs the destructor of each cell, zeroes what is tainted, and frees
 * the memory of all blocks of a growing pool but the first. Ignores NULL. */
void kmpoolc(kmpool *) KM_POOL;
/* Allocates a cell, contents undefined. ENOMEM if the pool is full. */
void *kmpoola(kmpool *) KM_USED KM_POOL;
/* Allocates a cell and zeroes all of it. ENOMEM if the pool is full, EINVAL if its cells are smaller than the size. */
void *kmpoolz(kmpool *, size_t) KM_USED KM_POOL;
/* Like kmpoola() and kmpoolz(), but take a size and return a handle. EINVAL if the cells are smaller than the size. */
kmptr kmpoolao(kmpool *, size_t) KM_USED KM_POOL;
kmptr kmpoolzo(kmpool *, size_t) KM_USED KM_POOL;
/* Returns the handle of a pool's cell. */
kmptr kmpoolo(void *) KM_USED KM_POOL;
/* Moves a walk to the next live cell of its pool and returns 1. At the end returns 0 and resets the walk. Between
 * steps, cells may be allocated and freed, including the current one. */
int kmpooln(kmwalk *) KM_NONNULL(1) KM_POOL;
/* Counts the cells of a pool. Visits each cell that was ever used. Returns zeros for NULL. */
kmpoolcount kmpoolq(kmpool *) KM_POOL;
/* Report a pool as one line of text, and as JSON: see kmtreet() and kmtreej(). */
void kmpoolt(kmpool *, kmwritefn, void *ctx) KM_NONNULL(2) KM_POOL;
void kmpoolj(kmpool *, kmwritefn, void *ctx) KM_NONNULL(2) KM_POOL;
/* Frees a pool's cell. */
void kmpoolf(void *) KM_POOL;
/* Zeroes and frees a pool's cell. */
void kmpools(void *) KM_POOL KM_SHREDS;

/* ---- arena: objects of any size that are freed together, for one thread at a time ------------------------------ */
/* A kmat for an object of an arena. */
#define Kmarena(arena) (KM_AT(kmkind_arena, KM_CELL(arena), KM_NULL))
/* Makes an arena, with blocks from a source. The first block has first bytes, or a default if that is 0; each further
 * block is twice as large, up to 1 MiB. The objects lie in the blocks one behind the other. Takes constant time. */
kmarena *kmarenai(kmcell *src, size_t first) KM_USED KM_ARENA;
/* Makes an arena with options: name and taint. */
kmarena *kmarenaiw(kmcell *src, const kmopt *, size_t first) KM_USED KM_NONNULL(2) KM_ARENA;
/* The size of a buffer for kmarenaif() with sz bytes of objects and their headers, wherever the buffer begins. Each object
 * takes 32 bytes more than its size, rounded up to a multiple of 16. */
#define Kmarenasz(sz) (sizeof(kmarena) + 31 + (sz))
/* Makes an arena in a buffer. It does not grow, and does not use the heap. EINVAL if the buffer is too small for the
 * header. Destroy the arena before you use the buffer for anything else. See also Kmarenasz(). */
kmarena *kmarenaif(void *buf, size_t bufsz) KM_USED KM_ARENA;
/* Makes an arena in a buffer with options: name, taint, and growing. If it grows, its further blocks are from the heap. */
kmarena *kmarenaifw(void *buf, size_t bufsz, const kmopt *) KM_USED KM_NONNULL(3) KM_ARENA;
/* Destroys an arena: runs the destructors of its objects, newest first, zeroes what is tainted, and frees its blocks. */
void kmarenax(kmarena *) KM_ARENA;
/* Begins a scope. Scopes nest. An object that is older than the scope and is resized in it moves into the scope, unless
 * it fits in its place.
 *
 *     kmmark mark = kmarenab(arena);
 *     serve(request, arena);
 *     kmarenae(arena, mark); */
kmmark kmarenab(kmarena *) KM_USED KM_NONNULL(1) KM_ARENA;
/* Ends a scope: frees all that was allocated since its beginning and still lives. Destructors run newest first, and
 * objects are zeroed if they or the arena are tainted. Blocks are kept for later. The scope must be the innermost one.
 * A mark of zeros empties the arena, and ends all scopes. Cells that other methods allocated from the arena since then
 * must not be used any more; their destructors do not run. */
void kmarenae(kmarena *, kmmark) KM_NONNULL(1) KM_ARENA;
/* Allocates an object, contents undefined. */
void *kmarenaa(kmarena *, size_t) KM_USED KM_SIZED(2) KM_ARENA;
/* Allocates an object, zeroed. */
void *kmarenaz(kmarena *, size_t) KM_USED KM_SIZED(2) KM_ARENA;
/* Allocates an object with options. */
void *kmarenaw(kmarena *, const kmopt *) KM_USED KM_NONNULL(2) KM_ARENA;
/* Like kmarenaa(), kmarenaz() and kmarenaw(), but return a handle. */
kmptr kmarenaao(kmarena *, size_t) KM_USED KM_ARENA;
kmptr kmarenazo(kmarena *, size_t) KM_USED KM_ARENA;
kmptr kmarenawo(kmarena *, const kmopt *) KM_USED KM_NONNULL(2) KM_ARENA;
/* Returns the handle of an object of an arena. */
kmptr kmarenao(void *) KM_USED KM_ARENA;
/* Frees an object. The memory of the newest object is free at once; that of another serves the next objects of its size,
 * the latest first. */
void kmarenaf(void *) KM_ARENA;
/* Zeroes and frees an object. */
void kmarenas(void *) KM_ARENA KM_SHREDS;
/* Resizes an object, the newest one in place, and returns it. Added bytes are undefined. EINVAL for NULL. */
void *kmarenar(void *, size_t) KM_USED KM_SIZED(2) KM_ARENA;
/* Counts the memory of an arena. Returns zeros for NULL. */
kmarenacount kmarenaq(kmarena *) KM_ARENA;
/* Report an arena as one line of text, and as JSON: see kmtreet() and kmtreej(). */
void kmarenat(kmarena *, kmwritefn, void *ctx) KM_NONNULL(2) KM_ARENA;
void kmarenaj(kmarena *, kmwritefn, void *ctx) KM_NONNULL(2) KM_ARENA;

/* ---- tree: nodes that are freed with their parent, for one thread at a time -------------------------------------- */
/* A kmat for a node from a source, below parent or, if parent is NULL, a root. */
#define Kmtree(src, parent) (KM_AT(kmkind_tree, KM_CELL(src), (parent)))
/* Allocates a node below parent, which is the data of a node, or a root if parent is NULL. Contents undefined. */
void *kmtreea(kmcell *src, void *parent, size_t) KM_USED KM_SIZED(3) KM_TREE;
/* Allocates a node, zeroed. */
void *kmtreez(kmcell *src, void *parent, size_t) KM_USED KM_SIZED(3) KM_TREE;
/* Allocates a node with options. To add more destructors, see kmtreeh(). */
void *kmtreew(kmcell *src, void *parent, const kmopt *) KM_USED KM_NONNULL(3) KM_TREE;
/* Allocates a node with an arena of its own, whose first block has first bytes, or a default if that is 0. For all nodes
 * below it, Kmsame means this arena. Freeing the node frees them together: in time proportional to the blocks of the
 * arena, and to the objects below that have a destructor, are tainted, or are not from the arena. Destructors run
 * newest first, so children before parents. A node of the arena stays below its parents: kmtreem() out of the arena
 * fails. Objects of any source may be added below, and are freed too. */
void *kmtreei(kmcell *src, void *parent, size_t, size_t first) KM_USED KM_SIZED(3) KM_TREE KM_ARENA;
/* As the source of a node: the arena of the parent if the parent has one of its own, otherwise the source of the parent.
 * For a root it is the heap. Other methods refuse it. */
#define Kmsame (kmsame())
kmcell *kmsame(void) KM_CONST KM_TREE KM_ARENA;
/* Like kmtreea(), kmtreez() and kmtreew(), but return a handle. */
kmptr kmtreeao(kmcell *src, void *parent, size_t) KM_USED KM_TREE;
kmptr kmtreezo(kmcell *src, void *parent, size_t) KM_USED KM_TREE;
kmptr kmtreewo(kmcell *src, void *parent, const kmopt *) KM_USED KM_NONNULL(3) KM_TREE;
/* Frees a node and all nodes below it, children first, and all objects that they own, in constant stack. Returns the
 * handle of the parent, or the null handle. If a destructor frees another object, whose destructor does the same, and
 * so on, each of these calls adds to the stack. */
kmptr kmtreef(void *) KM_TREE;
/* Like kmtreef(), but returns nothing: a void (*)(void *) for callbacks. */
void kmtreed(void *) KM_TREE;
/* Like kmtreef(), but zeroes all that it frees. */
kmptr kmtrees(void *) KM_TREE KM_SHREDS;
/* Frees all nodes below a node, its pools, and the objects that it adopted. Keeps the node and its hooks. */
void kmtreex(void *) KM_TREE;
/* Resizes a node as kmresize() does. If the node moves, each of its children is visited. */
void *kmtreer(void *, size_t) KM_USED KM_SIZED(2) KM_TREE;
/* Returns the handle of a node. */
kmptr kmtreeo(void *) KM_USED KM_TREE;
/* Moves a node, with all nodes below it, to the end of the children of parent, before the pools there; if parent is
 * NULL, makes it a root. Returns the node, or NULL. The sources of the moved nodes must outlive them in the new place.
 * Takes constant time if parent is NULL or the node has no children; otherwise visits every node above parent.
 *
 * EINVAL if parent is the node or below it. For a pool on a node, also if parent, or a node above it, was allocated
 * from the pool. See also kmtreemu(), kmtreemc(). */
void *kmtreem(void *node, void *parent) KM_TREE;
/* Like kmtreem(), but in constant time, without the check: parent must not be the node or below it. */
void *kmtreemu(void *node, void *parent) KM_TREE;
/* Moves all children of a node, and the objects that it adopted, to the end of the children of another node, and
 * returns that node, or NULL. Hooks stay. Fails as kmtreem() does. EINVAL if the node adopted an object that is not a
 * tree and the nodes have different sources: release it and adopt it again. */
void *kmtreemc(void *from, void *to) KM_USED KM_TREE;
/* Returns the parent, or NULL. */
void *kmtreep(const void *node) KM_USED KM_TREE;
/* Returns the first child, or NULL. Skips adopted objects that are not trees. Pools are the last children. */
void *kmtreec(const void *node) KM_USED KM_TREE;
/* Returns the next sibling, or NULL. NULL for a node that is being freed. */
void *kmtreecn(const void *node) KM_USED KM_TREE;
/* Returns the last child, or NULL. */
void *kmtreecl(const void *node) KM_USED KM_TREE;
/* Returns the previous sibling, or NULL. NULL for a node that is being freed. */
void *kmtreecp(const void *node) KM_USED KM_TREE;
/* Makes a node the owner of an object of any method, and returns the object, or NULL. Freeing the node frees its
 * children and adopted objects, from first to last, each as kmfree() does. A tree becomes a child; any other object
 * takes 88 bytes from the source of the node (80 on 32-bit machines).
 *
 * The node owns what the handle owned: one reference to a counted cell, or the object itself. So only a counted cell
 * can have several owners, one for each reference. Until the node releases the object, nobody else may free or resize
 * it. The source of the object must outlive the node, and if that is an arena, so must the scope of the object. See also
 * kmtreel(), kmrefk(). */
void *kmtreek(void *node, kmptr object) KM_USED KM_TREE;
/* Releases an object that a node adopted, or makes a child a root. Returns the handle that was adopted: the object is
 * yours again. Returns the null handle if the node does not own the object. Searches the children, the last one first.
 * A hook of the node may call it to keep an object alive. */
kmptr kmtreel(void *node, const void *object) KM_USED KM_TREE;
/* Adds a hook to a node, and returns the node, or NULL. A hook is a destructor that runs when the free of the
 * node begins, while all nodes below it still exist; the last hook added runs first. After the hooks, all nodes
 * below are freed, then kmopt.drop runs. A hook takes 80 bytes from the source of the node, and is zeroed if the
 * node is tainted.
 *
 * The rules of kmopt.drop apply. A hook may free, move or release each child, but must not call kmtreex(), kmtreemc(),
 * kmtreek() or kmtreeh() for the node. */
void *kmtreeh(void *node, void (*hook)(void *data, void *arg), void *arg) KM_USED KM_NONNULL(2) KM_TREE;
/* Removes the last added hook with this function and argument, without running it. Returns 1 if there was one,
 * else 0. */
int kmtreehx(void *node, void (*hook)(void *data, void *arg), void *arg) KM_NONNULL(2) KM_TREE;
/* Moves a walk to the next node or adopted object and returns 1. Visits each node before the nodes below it. At the end
 * returns 0 and resets the walk. A pool on a node is visited as a child node whose data is the pool. Between steps, the
 * current object and the nodes above it must not be freed, moved, resized or released; all others may be. */
int kmtreen(kmwalk *) KM_NONNULL(1) KM_TREE;
/* Counts a node, the nodes below it and the adopted objects: those of this name, or all if name is NULL. If an
 * adopted counted cell owns objects, they are counted too; if one of those is a counted cell, its objects are not. Walks
 * do not visit the objects of a counted cell; reports count them as below the cell. */
kmcount kmtreeq(void *node, const char *name) KM_TREE;
/* Reports a node and all nodes below it as indented text, to this depth. Deeper nodes are counted, not listed.
 *
 *     kmtreet(node, 3, kmtofile, stderr);
 */
void kmtreet(void *node, size_t depth, kmwritefn, void *ctx) KM_NONNULL(3) KM_TREE;
/* Reports a node and all nodes below it as JSON, one line for each. kmem-view draws such a report. */
void kmtreej(void *node, size_t depth, kmwritefn, void *ctx) KM_NONNULL(3) KM_TREE;

/* ---- sources of your own: cells from an allocator of yours ------------------------------------------------------- */

/* Makes a source. alloc returns size bytes aligned to align, which is at least 16, or NULL; free receives the block
 * with the same size and align. Both run on the thread that allocates or frees a cell. To have all cells zeroed when
 * they are freed, set source->shred to kmshred_yes.
 *
 * While kmhook() or kmrefk() allocates for a cell, alloc must not call kmhook() or kmrefk() for the same cell. */
void kmsourcei(kmsource *, void *(*alloc)(kmsource *, size_t size, size_t align),
               void (*free)(kmsource *, void *block, size_t size, size_t align), void *ctx) KM_NONNULL(1, 2, 3);
/* Makes a source that may also resize. resize changes a block in place from `from` to `to` bytes and returns 1; free
 * then receives the new size. If it cannot, it changes nothing and returns 0; the cell is then copied to a new block.
 * resize may be NULL. Bytes that are cut off a tainted cell are zeroed before resize is called. */
void kmsourceiw(kmsource *, const kmsourceopt *, void *ctx) KM_NONNULL(1, 2);

/* ---- limits: at most so many bytes from a source ----------------------------------------------------------------- */

/* Makes a limit: a source that allocates from src, and at most max bytes at once, headers included. A request beyond
 * that fails with ENOMEM and changes nothing. Limits nest: src may be a limit, and both then count a cell. The header of
 * the limit is allocated from src and not counted. EINVAL if src is a node.
 *
 *     kmlimit *limit = kmlimiti(NULL, 64 << 20);
 *     void *request = kmtreea((kmcell *)limit, NULL, 100);
 *
 * A limit may be used from any thread if its source may. The count is exact as long as one thread uses it. If several
 * do, an eighth of max, and at most 8 KiB, may be set aside for the first of them, and others are refused these
 * bytes. */
kmlimit *kmlimiti(kmcell *src, size_t max) KM_USED;
/* Destroys a limit. Destroying one through which bytes are still allocated is a misuse: it is reported, and the limit
 * stays. */
void kmlimitx(kmlimit *);
/* Changes the number of bytes. If more are in use, all further requests are refused until they fit. May be called from
 * any thread. */
void kmlimitto(kmlimit *, size_t max) KM_NONNULL(1);
/* Sets the function that a limit calls before it refuses a request of `want` bytes, or removes it if over is NULL. The
 * function frees something, of a cache for example, and returns 1; the limit then tries again, and calls the function
 * again as long as less is in use afterwards. If it returns 0, the request is refused. It may use the limit. It is not
 * called while it is running, on any thread. No other thread may use the limit during kmlimith(). */
void kmlimith(kmlimit *, int (*over)(kmlimit *, size_t want, void *arg), void *arg) KM_NONNULL(1);
/* Returns the state of a limit, or zeros for NULL. May be called from any thread. */
kmlimitcount kmlimitq(kmlimit *);

/* ---- totals: memory in use, by method ---------------------------------------------------------------------------- */

/* Counts the cells of a method in the whole program; for kmkind_pool, the blocks of pools. A cell that was allocated
 * from a pool is counted, and is also part of the pool's block. May be called from any thread. See also kmpoolq(). */
kmtotals kmtotal(kmkind) KM_TOTALS;

/* ---- misuse: the handler of invalid calls ------------------------------------------------------------------------ */

/* The description of a misuse. The strings exist until the handler returns. */
typedef struct kmfault {
    const char *call; /* "kmheapf" */
    const void *ptr;  /* its argument */
    const char *what; /* "already freed" */
    int found;        /* the number found as the kind, if that was wrong; else 0 */
} kmfault;

/* A fault handler. Runs on the thread that made the call. */
typedef void (*kmfaultfn)(const kmfault *);

/* Sets the fault handler of the program and returns the previous one. NULL is the default handler, which prints one
 * line to standard error and aborts. The handler runs if a call is given a pointer that is not a live cell of the right
 * kind. If the handler returns, that call does nothing. May be called from any thread. */
kmfaultfn kmonfault(kmfaultfn);

#ifdef __cplusplus
}
#endif
#endif
