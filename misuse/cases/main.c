/* Runs one case, or lists them. */
#include "cases.h"

#include <sys/prctl.h>
#include <unistd.h>

_Alignas(64) byte theirs[4096];
static byte *kept[128];
static size_t keeps;
/* Bytes that the case asks of each block. */
static size_t unit = SIZE;

void say(const char *line)
{
    if (write(1, line, strlen(line)) < 0 || write(1, "\n", 1) < 0)
        _exit(3);
}

void *keep(void *block)
{
    return kept[keeps++] = block;
}

void *freed_block(const method *m)
{
    void *one = m->alloc(SIZE);
    keep(m->alloc(SIZE));
    m->free(one);
    return one;
}

pair neighbours(const method *m)
{
    static byte *all[MANY];
    unit = m->snug;
    for (size_t i = 0; i < MANY; i++)
        memset(all[i] = m->alloc(m->snug), 0, m->snug);
    size_t one = 0, two = 1, least = SIZE_MAX;
    for (size_t i = 0; i < MANY; i++)
        for (size_t j = 0; j < MANY; j++)
            if (all[j] > all[i] && (size_t)(all[j] - all[i]) < least)
                least = (size_t)(all[j] - all[i]), one = i, two = j;
    if (least > m->snug + 256) {
        say("apart");
        exit(0);
    }
    for (size_t i = 0; i < MANY; i++)
        if (i != one && i != two)
            keep(all[i]);
    return (pair){ all[one], all[two] };
}

size_t other_size(const method *m) { return strchr(m->name, '@') || strstr(m->name, "pool") ? 48 : 200; }

void resize(const method *m, void *data, size_t size)
{
    void *now = m->resize(data, size);
    if (now) keep(now);
    else say("refused");
}

int use(const method *m)
{
    byte *more[32];
    for (size_t i = 0; i < 32; i++)
        if ((more[i] = m->alloc(unit)))
            memset(more[i], 0x5a, unit);
    for (size_t i = 0; i < 32; i++) {
        if (!more[i]) continue;
        for (size_t j = 0; j < i; j++)
            if (more[i] == more[j]) return say("harm: handed out one block twice"), 1;
        for (size_t j = 0; j < keeps; j++)
            if (more[i] < kept[j] + SIZE && kept[j] < more[i] + unit) return say("harm: handed out a block in use"), 1;
    }
    for (size_t i = 0; i < 32; i++)
        m->free(more[i]);
    free(malloc(SIZE));
    return 0;
}

/* True if the identifier spells the case's name. */
static int named(const char *id, const char *name)
{
    while (*id && (*id == '_' ? '-' : *id) == *name) id++, name++;
    return *id == *name;
}

static void print_name(const char *id)
{
    for (; *id; id++) putchar(*id == '_' ? '-' : *id);
}

/* True if the list has the name. */
static int has(const char *list, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at++)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0))
            return 1;
    return 0;
}

/* The linker's names for the ends of the section. */
extern const listed *const __start_cases[], *const __stop_cases[];

int main(int count, char **args)
{
    if (count == 2 && strcmp(args[1], "--version") == 0)
        return version(), 0;
    const int listing = count == 2 && strcmp(args[1], "--list") == 0;
    if (!listing && count != 3) {
        fprintf(stderr, "usage: cases MISUSE METHOD | --list | --version\n");
        return 2;
    }
    begin();
    prctl(PR_SET_DUMPABLE, 0); /* no core file */
    alarm(5);
    for (const listed *const *c = __start_cases; c < __stop_cases; c++)
        for (const method *m = methods; m < methods + method_count; m++) {
            if (!has((*c)->methods, m->name)) continue;
            if (listing) {
                print_name((*c)->name);
                printf(" %s\n", m->name);
            } else if (named((*c)->name, args[1]) && !strcmp(m->name, args[2])) {
                (*c)->run(m);
                use(m);
                say("end");
                return 0;
            }
        }
    return listing ? 0 : 2;
}
