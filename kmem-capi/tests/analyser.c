/* Two mistakes that gcc's analyser must find with the attributes of the header. */
#include "kmem.h"

int leaked(void) {
    char *p = kmheapz(8);
    return p ? p[0] : 1;
}

void freed_twice(void) {
    char *p = kmheapa(8);
    kmheapf(p);
    kmheapf(p);
}
