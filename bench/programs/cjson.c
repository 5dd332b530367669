// cJSON with its hooks on malloc, on an arena, or on nodes of a tree with an arena of its own: `cjson HOW TIMES`. `HOW bytes` prints
// the bytes that one document holds. The tree is freed node by node (`nodes`), or as a whole (`tree`).
#include "kmem.h"

#include <cjson/cJSON.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *root;
static kmarena *arena;

static void *node(size_t size) { return kmtreea(Kmsame, root, size); }
static void free_node(void *data) {
    if (data) kmtreef(data);
}
static void leave(void *data) { (void)data; }
static void *object(size_t size) { return kmarenaa(arena, size); }

static size_t held(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    const char *how = argv[1];
    int whole = strcmp(how, "tree") == 0, nodes = whole || strcmp(how, "nodes") == 0, bytes = strcmp(argv[2], "bytes") == 0;
    cJSON_Hooks hooks = {malloc, free};
    if (strcmp(how, "arena") == 0) hooks = (cJSON_Hooks){object, kmarenaf};
    if (nodes) hooks = (cJSON_Hooks){node, whole ? leave : free_node};

    enum { RECORDS = 5000, RECORD = 200 };
    char *text = malloc(RECORDS * RECORD), *at = text;
    for (int i = 0; i < RECORDS; i++) {
        at += sprintf(at, "%c{\"id\":%d,\"name\":\"item number %d\",\"price\":%d.5,", i ? ',' : '[', i, i, i);
        at += sprintf(at, "\"tags\":[\"a\",\"bb\",\"ccc\"],\"ok\":true,\"pos\":[%d,%d]}", i, i + 1);
    }
    strcpy(at, "]");

    cJSON_InitHooks(&hooks);
    size_t before = held();
    for (int i = 0; i < (bytes ? 1 : atoi(argv[2])); i++) {
        if (nodes) root = kmtreei(NULL, NULL, 0, 0);
        if (hooks.malloc_fn == object) arena = kmarenai(NULL, 0);
        cJSON *document = cJSON_Parse(text);
        if (!document) return 1;
        if (bytes) printf("%zu\n", held() - before);
        if (!whole) cJSON_Delete(document);
        if (nodes) kmtreef(root);
        kmarenax(arena);
        arena = NULL;
    }
    free(text);
    return 0;
}
