/* request.c - a server loop: a tree for each request, pooled buffers, a shared configuration, a session key that is
 * zeroed when it is freed. */
#include <stdio.h>
#include <string.h>

#include <kmem.h>

typedef struct config {
    char name[32];
} config;

typedef struct request {
    config *config; /* a reference */
    char *path, *body;
    kmptr key; /* tainted */
} request;

/* Runs when the tree of a request is freed. */
static void end_request(void *data, void *arg) {
    request *r = data;
    kmfree(r->key);
    kmreff(r->config);
    ++*(int *)arg;
}

static char *copy(void *parent, const char *text) {
    char *to = kmtreea(NULL, parent, strlen(text) + 1);
    return to ? strcpy(to, text) : NULL;
}

/* Makes a request with everything that belongs to it. Returns NULL, and leaks nothing, if memory runs out. */
static request *receive(kmpool *buffers, config *shared, const char *path, int *ended) {
    kmopt o = {0};
    o.sz = sizeof(request);
    o.zero = 1;
    o.drop = end_request;
    o.arg = ended;
    request *r = kmtreew(NULL, NULL, &o);
    if (!r) return NULL;
    r->config = kmrefu(shared);
    r->path = copy(r, path);
    r->key = kmheapzo(32);
    char *buffer = kmpoola(buffers);
    if (!r->path || !r->key.ref || !buffer) {
        kmpoolf(buffer);
        kmtreef(r);
        return NULL;
    }
    kmtaint(&r->key);
    snprintf(r->key.ref, 32, "key of %s", path);
    /* The body is received into a pooled buffer and copied into the tree of the request. */
    snprintf(buffer, 256, "body of %s", path);
    r->body = copy(r, buffer);
    kmpoolf(buffer);
    return r;
}

int main(void) {
    int ended = 0;
    config *shared = kmrefz(NULL, sizeof(config));
    kmpool *buffers = kmpooli(NULL, 256, 8);
    if (!shared || !buffers) return 1;
    strcpy(shared->name, "example");

    static const char *const paths[] = {"/", "/about", "/missing"};
    for (size_t i = 0; i < Kmsz(paths); i++) {
        request *r = receive(buffers, shared, paths[i], &ended);
        if (!r) return 1;
        printf("%s: GET %s, %s\n", r->config->name, r->path, r->body);
        kmtreef(r);
    }
    printf("%d requests ended\n", ended);
    kmpoolx(buffers);
    kmreff(shared);
    return 0;
}
