#include "cases.h"

void *mi_malloc(size_t);
void mi_free(void *);
void *mi_realloc(void *, size_t);
size_t mi_usable_size(const void *);
int mi_version(void);

method methods[] = { { "heap", mi_malloc, mi_free, 72, mi_realloc } };
const size_t method_count = 1;

void begin(void) {}
void version(void) { printf("%d.%d.%d\n", mi_version() / 10000 % 100, mi_version() / 100 % 100, mi_version() % 100); }
void read_size(const method *m, void *block) { ASK(mi_usable_size(block)); }
