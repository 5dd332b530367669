/* Prints the key of this process, then misuses a cell without a fault handler. In a pool without a name the last nonzero word has the
 * key. */
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
