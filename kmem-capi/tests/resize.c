/* Resizes large heap cells, plain and aligned, many times by a little, and prints how often each moved. */
#include <kmem.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static size_t moves(size_t align) {
    const size_t size = 1 << 20;
    kmopt options = {.sz = size, .align = align};
    unsigned char *cell = kmheapw(&options);
    size_t moved = 0;
    for (int i = 0; i < 2000; i++) {
        cell[0] = cell[size - 17] = (unsigned char)i;
        unsigned char *resized = kmheapr(cell, i % 2 ? size : size - 16);
        if (!resized || resized[0] != (unsigned char)i || resized[size - 17] != (unsigned char)i) abort();
        if (align && (uintptr_t)resized % align) abort();
        moved += resized != cell;
        cell = resized;
    }
    kmheapf(cell);
    return moved;
}

int main(void) {
    printf("%zu %zu\n", moves(0), moves(256));
    return 0;
}
