/* arena.c - a server loop: each request is a scope of one arena. Buffers that live longer are allocated before the
 * scope, secrets are zeroed when the scope ends, and after the first request no more memory is allocated. */
#include <stdio.h>
#include <string.h>

#include <kmem.h>

/* Runs when the scope of the request ends. */
static void close_log(void *data, void *arg) {
    (void)data;
    ++*(int *)arg;
}

/* Writes an answer into `answer`. Everything that it allocates is freed by the caller, with the scope. */
static int serve(kmarena *arena, const char *path, int *closed, kmptr *answer) {
    kmopt o = {0};
    o.sz = sizeof(FILE *);
    o.drop = close_log;
    o.arg = closed;
    kmptr log = kmarenawo(arena, &o), key = kmarenazo(arena, 32), line = kmdups(Kmarena(arena), "GET ");
    if (!log.ref || !key.ref) return 0;
    kmtaint(&key);
    snprintf(key.ref, 32, "key of %s", path);
    /* The newest object grows in place. */
    if (!kmcats(&line, path) || !kmcats(&line, " HTTP/1.1")) return 0;
    /* An inner scope for what is needed for a moment only. */
    kmmark mark = kmarenab(arena);
    char *scratch = kmarenaa(arena, 5000);
    if (scratch) snprintf(scratch, 5000, "%s, %u bytes of key", (char *)line.ref, (unsigned)kmsize(key));
    int done = scratch && strlen(scratch) < kmsize(*answer);
    if (done) strcpy(answer->ref, scratch);
    kmarenae(arena, mark);
    return done;
}

int main(void) {
    int closed = 0;
    kmarena *arena = kmarenai(NULL, 0);
    if (!arena) return 1;
    /* Older than every scope, so it is kept. */
    kmptr answer = kmarenazo(arena, 256);
    if (!answer.ref) return 1;

    static const char *const paths[] = {"/", "/about", "/missing"};
    size_t blocks = 0;
    for (size_t i = 0; i < Kmsz(paths); i++) {
        kmmark mark = kmarenab(arena);
        int done = serve(arena, paths[i], &closed, &answer);
        kmarenae(arena, mark);
        if (!done) return 1;
        puts(answer.ref);
        if (i && kmarenaq(arena).blocks != blocks) return 1;
        blocks = kmarenaq(arena).blocks;
    }
    printf("%d logs closed\n", closed);
    kmarenax(arena);
    return 0;
}
