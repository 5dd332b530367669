/* The heap that the program is linked with, or that is preloaded. */
#include "cases.h"

#include <gnu/libc-version.h>
#include <malloc.h>

/* 72 bytes fill a chunk of glibc, 80 one of Scudo: the variable SNUG. */
method methods[] = { { "heap", malloc, free, 72, realloc } };
const size_t method_count = 1;

void begin(void) { if (getenv("SNUG")) methods[0].snug = (size_t)atoi(getenv("SNUG")); }
void version(void) { puts(gnu_get_libc_version()); }
void read_size(const method *m, void *block) { ASK(malloc_usable_size(block)); }
