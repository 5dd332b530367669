/* Prints half of the key of this process, then misuses a cell without a fault handler. The seal of a pool is the key and the address of
 * the pool. */
#include <kmem.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    kmpool *pool = kmpooli(NULL, 8, 1);
    uint32_t seal;
    memcpy(&seal, (char *)&pool->km_private_[3] + 4, sizeof seal);
    printf("%jx\n", (uintmax_t)(seal ^ (uint32_t)(uintptr_t)pool));
    fflush(stdout);
    kmpoolx(pool);
    kmheapf(kmrefa(NULL, 8));
    return 0;
}
