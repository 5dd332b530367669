// Every macro and inline function of kmem.h and kmem-printf.h in C++, without a warning about old casts or zeros as pointers.
#include "kmem-printf.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#define CHECK(claim)                                                             \
    do {                                                                         \
        if (!(claim)) {                                                          \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim); \
            std::exit(1);                                                        \
        }                                                                        \
    } while (false)

struct config {
    int port;
};

struct counting {
    kmsource source;
    int out;
};

static void *allocate(kmsource *source, size_t size, size_t) {
    reinterpret_cast<counting *>(source)->out++;
    return std::malloc(size);
}

static void give_back(kmsource *source, void *block, size_t, size_t) {
    reinterpret_cast<counting *>(source)->out--;
    std::free(block);
}

static kmptr formatted(kmat at, const char *format, ...) KM_USED;
static kmptr formatted(kmat at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    kmptr made = kmvprintf(at, format, args);
    va_end(args);
    return made;
}

static void *appended(kmptr *to, const char *format, ...) KM_USED;
static void *appended(kmptr *to, const char *format, ...) {
    va_list args;
    va_start(args, format);
    void *grown = kmvprintfa(to, format, args);
    va_end(args);
    return grown;
}

static void destroy(void *object, void (*how)(void *)) { how(object); }

int main() {
    static_assert(Kmpoolsz(40, 10) >= sizeof(kmpool) + 10 * (48 + 16), "a constant of the compiler's");
    alignas(16) static unsigned char bytes[Kmpoolsz(40, 10)];
    size_t size = 40;
    CHECK(Kmpoolsz(size, 10) == sizeof bytes && Kmpoolsz(size, 10) > Kmpoolsz(10, size / 10));
    kmpool *pool = kmpoolif(bytes, sizeof bytes, 40);
    CHECK(pool && kmpoolq(pool).cells == 10);

    counting source = {};
    kmsourcei(&source.source, allocate, give_back, nullptr);
    kmcell *cell = reinterpret_cast<kmcell *>(&source);
    void *root = kmtreea(nullptr, nullptr, 8);
    config *typed = static_cast<config *>(kmtreez(nullptr, root, sizeof(config)));

    static unsigned char more[Kmarenasz(4000)];
    kmarena *arena = kmarenaif(more, sizeof more);
    CHECK(arena);
    kmtreed(kmtreea(Kmsame, root, 8));

    const kmat places[] = {
        Kmheap,       Kmref(nullptr),        Kmref(cell),        Kmref(&source.source),  Kmref(&source),
        Kmpool(pool), Kmarena(arena),        Kmtree(nullptr, root), Kmtree(cell, root), Kmtree(&source, typed), Kmtree(nullptr, nullptr),
    };
    for (size_t i = 0; i < Kmsz(places); i++) {
        kmptr text = kmprintf(places[i], "%s=%d", "port", 80);
        CHECK(text.ref && std::strcmp(static_cast<char *>(text.ref), "port=80") == 0);
        CHECK(kmprintfa(&text, ", %d", 443) && appended(&text, "%c", '.'));
        CHECK(std::strcmp(static_cast<char *>(text.ref), "port=80, 443.") == 0);
        kmfree(text);
        text = formatted(places[i], "%d", 7);
        CHECK(text.ref);
        kmfree(text);
    }
    CHECK(source.out == 0);

    kmopt options = {};
    options.sz = sizeof(config);
    options.name = "config";
    kmptr named = kmrefwo(nullptr, &options);
    CHECK(Kmcast(config, named) == named.ref && !Kmcast(counting, named));
    config *object = Kmcast(config, named);
    object->port = 80;
    kmrename(named, "settings");
    CHECK(!Kmcast(config, named));
    kmfree(named);

    kmtreet(root, 9, kmtofile, stdout);
    CHECK(std::strcmp(Kmversion, "0") > 0 && kmtreecl(root) == typed && kmtreecp(typed) == nullptr);
    destroy(kmheapa(8), kmheapf);
    destroy(kmpoola(pool), kmpoolf);
    destroy(root, kmtreed);
    kmpoolx(pool);
    return 0;
}
