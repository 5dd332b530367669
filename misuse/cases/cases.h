/* Shared by all cases. A case misuses a library once, in a process of its own: `cases MISUSE METHOD`, or `cases --list`,
 * `cases --version`.
 *
 * A program has one layer file, which calls the library, and the cases for that library. A case writes lines to standard output: "at" before the
 * misuse, "on" after it, "refused" if a return value refuses it, "apart" if the allocator did not place the blocks as the case needs
 * them, "harm: ..." if it did damage that the case can see, "end" if the process got that far. The library reports to standard
 * error. */
#ifndef CASES_H
#define CASES_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned char byte;

enum { SIZE = 64, MANY = 64, LARGE = 1 << 20 };

/* A way to allocate. */
typedef struct method {
    const char *name;
    void *(*alloc)(size_t);
    void (*free)(void *);
    size_t snug; /* bytes of data with no slack behind them */
    void *(*resize)(void *, size_t);
} method;

/* `CASE(name, methods) { ... }` defines a case and lists it. It runs for each of these methods that the library has, as `m`. Its name has
 * "-" for each "_". */
typedef struct listed {
    const char *name;
    void (*run)(const method *);
    const char *methods;
} listed;
#define CASE(id, on) \
    static void case_##id(const method *m); \
    static const listed listed_##id = { #id, case_##id, on }; \
    static const listed *const at_##id __attribute__((section("cases"), used)) = &listed_##id; \
    static void case_##id(const method *m)

/* kmem's methods. Other libraries have some of them. */
#define PLAIN "heap ref pool tree"
#define BASE PLAIN " ref@pool tree@pool"
#define HANDLES "heap.handle ref.handle pool.handle tree.handle"

/* A layer file defines these. */
extern method methods[];
extern const size_t method_count;
void begin(void);   /* runs before the case */
void version(void); /* prints the version of the library */
void read_size(const method *m, void *block);

/* Writes a line without stdio, which allocates from the heap under test. */
void say(const char *line);
/* A call that returns null or zero if it refuses. */
#define ASK(...) do { if (!(__VA_ARGS__)) say("refused"); } while (0)
/* The misuse. */
#define WRONG(...) do { say("at"); __VA_ARGS__; say("on"); } while (0)

/* Memory outside the heap. An attacker may have filled it. */
extern _Alignas(64) byte theirs[4096];
/* Notes that the block is live at the end of the case and has SIZE bytes or more. Returns it. */
void *keep(void *block);
/* Allocates, writes and frees on, as a program would. Returns true if a block that was handed out was in use. */
int use(const method *m);

/* A block that was freed, beside a live one. */
void *freed_block(const method *m);
/* Two live blocks with nothing between them. An attacker writes past the end of the first. */
typedef struct pair { byte *one, *two; } pair;
pair neighbours(const method *m);
/* Another size: one that fits a pool's cell, or makes other cells move. */
size_t other_size(const method *m);
void resize(const method *m, void *data, size_t size);

#endif
