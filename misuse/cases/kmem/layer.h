/* Shared by the cases for kmem alone. */
#ifndef LAYER_H
#define LAYER_H

#include "../cases.h"
#include "kmem.h"

enum { HEAP = 16, REF = 32, NODE = 64 };                      /* bytes of header */
enum { PARENT = 2, CHILD = 3, LAST = 4, PREV = 5, NEXT = 6 }; /* links, as words of a node's header */

/* Methods whose cells have a size and flags in the header, and methods whose cells are nodes. */
#define HEADED "heap ref tree ref@pool tree@pool"
#define NODES "tree tree@pool"

/* The pools of the methods, and the node above those of `tree`. */
extern kmpool *pool, *refpool, *treepool;
extern kmarena *arena;
extern void *root;

/* True if the name of the method begins with this. */
int is(const method *m, const char *name);
size_t header(const method *m);
kmpool **pool_of(const method *m);
kmkind kind_of(const method *m);
void *cell_of(const method *m, void *data);
kmptr handle(kmkind kind, void *data, void *cell);
/* The handle of a cell. */
kmptr right(const method *m, void *data);
/* A node that adopts, and that nodes move to. */
void *holder(void);

/* A call on a handle. */
typedef void act(kmptr);
act freeing, resizing, adopting, sizing;
/* The call gets a live cell's handle with another kind, or with another cell's header. */
void crossed_by(const method *m, int kind, act *to);
void crossed_cell(const method *m, act *to);
/* A freed cell, and a call on its handle. */
void *freed_one(const method *m);
void freed_by(const method *m, act *to);
/* A cell whose header was written over, and a call on its handle. */
void *smashed(const method *m, size_t at, size_t bytes, int with);
void smash_by(const method *m, size_t at, size_t bytes, int with, act *to);

/* A cell with a destructor, or with a name. */
void *made_with(const method *m, void (*drop)(void *, void *), void *arg);
void *named(const method *m, const char *name);
/* A destructor that frees its argument, or else the cell itself, by `free_it`. */
void frees_own(void *data, void *arg);
extern void (*free_it)(void *);
/* A destructor that calls `runs`, which uses the method `running` and the topmost node `top`. */
void run_it(void *data, void *arg);
extern void (*runs)(void *);
extern const method *running;
extern void *top;
void in_destructor(const method *m, void (*run)(void *));

/* An attacker's destructor, and a slot that names it. */
void theirs_runs(void *data, void *arg);
void put_slot(byte *data, size_t at);

/* A call on a node whose link leads to an attacker's memory if `forged`, or else is text. */
typedef void node_act(void *node);
void link_by(const method *m, size_t link, int forged, node_act *to);
#define LINKS(id, on, link, to) \
    CASE(id, on) { link_by(m, link, 1, to); } \
    CASE(id##_text, on) { link_by(m, link, 0, to); }

#endif
