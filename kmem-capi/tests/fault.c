/* Prints the key of this process, which a pool without a name has in its last word that is not zero, and then misuses a cell, without a handler. */
#include <kmem.h>

#include <stdint.h>
#include <stdio.h>

int main(void) {
    kmpool *pool = kmpooli(NULL, 8, 1);
    size_t last = Kmsz(pool->km_private_) - 1;
    while (last && !pool->km_private_[last]) last--;
    printf("%jx\n", (uintmax_t)pool->km_private_[last]);
    fflush(stdout);
    kmpoolx(pool);
    kmheapf(kmrefa(NULL, 8));
    return 0;
}
