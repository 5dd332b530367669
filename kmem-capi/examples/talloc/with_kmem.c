/* with_kmem.c - two configuration texts as trees, with kmem. with_talloc.c is the same program with talloc. */
#include <stdio.h>
#include <string.h>

#include <kmem-printf.h>

typedef struct entry {
    char *key, *value; /* equal keys are shared */
} entry;

typedef struct section {
    char *name;
} section;

typedef struct config {
    int *gone; /* the number of freed entries */
} config;

typedef struct names {
    size_t n;
    kmptr words;
} names;

/* Makes a named node, zeroed. */
#define NODE(type, parent) ((type *)kmtreew(NULL, parent, &(kmopt){.sz = sizeof(type), .zero = 1, .name = #type}))

static void entry_gone(void *e, void *gone) {
    (void)e;
    ++*(int *)gone;
}

/* Returns the only string with this text, and makes it if there is none. */
static char *intern(names *all, const char *text, size_t len) {
    char **word = all->words.ref;
    for (size_t i = 0; i < all->n; i++)
        if (strncmp(word[i], text, len) == 0 && !word[i][len]) return word[i];
    word = kmresizen(&all->words, all->n + 1, sizeof *word);
    if (!word) return NULL;
    kmptr made = kmdupn(Kmref(NULL), text, len);
    if (!kmtreek(all, made)) return kmfree(made), NULL;
    return word[all->n++] = made.ref;
}

/* Makes the node an owner of the string. */
static char *share(void *node, char *word) {
    if (word && !kmtreek(node, kmrefo(kmrefu(word)))) return kmrefd(word), NULL;
    return word;
}

static section *section_new(config *c, names *all, const char *name, size_t len) {
    section *s = NODE(section, c);
    if (!s) return NULL;
    s->name = share(s, intern(all, name, len));
    if (!s->name) return kmtreef(s), NULL;
    return s;
}

static entry *entry_new(section *s, names *all, const char *line, const char *end) {
    const char *is = memchr(line, '=', (size_t)(end - line));
    kmopt o = {.sz = sizeof(entry), .zero = 1, .name = "entry", .drop = entry_gone, .arg = ((config *)kmtreep(s))->gone};
    entry *e = is ? kmtreew(NULL, s, &o) : NULL;
    if (!e) return NULL;
    e->key = share(e, intern(all, line, (size_t)(is - line)));
    e->value = kmdupn(Kmtree(NULL, e), is + 1, (size_t)(end - is - 1)).ref;
    if (!e->key || !e->value) return kmtreef(e), NULL;
    return e;
}

/* Parses the text into a tree. Returns NULL if the text is wrong or memory runs out. */
static config *parse(names *all, const char *text, int *gone) {
    config *c = NODE(config, NULL);
    section *s = NULL;
    if (!c) return NULL;
    c->gone = gone;
    for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
        int is_section = *text == '[' && end[-1] == ']';
        if (is_section) s = section_new(c, all, text + 1, (size_t)(end - text - 2));
        if (!s || (!is_section && !entry_new(s, all, text, end))) return kmtreef(c), NULL;
    }
    return c;
}

/* Moves the section of this name with its entries. */
static void move(config *to, config *from, const char *name) {
    for (section *s = kmtreec(from); s; s = kmtreecn(s))
        if (strcmp(s->name, name) == 0) {
            kmtreem(s, to);
            return;
        }
}

static void print(const char *title, config *c) {
    kmptr line = kmprintf(Kmheap, "%s:", title);
    int whole = line.ref != NULL;
    for (section *s = kmtreec(c); s; s = kmtreecn(s)) {
        whole = whole && kmprintfa(&line, " [%s]", s->name);
        for (entry *e = kmtreec(s); e; e = kmtreecn(e))
            whole = whole && kmprintfa(&line, " %s=%s", e->key, e->value);
    }
    printf("%s (%zu entries)\n", whole ? (char *)line.ref : "no memory", kmtreeq(c, "entry").cells);
    kmfree(line);
}

int main(void) {
    int gone = 0;
    names *all = NODE(names, NULL);
    if (!all) return 1;
    all->words = kmarr(Kmtree(NULL, all), 0, sizeof(char *));
    config *site = parse(all, "[http]\nport=80\nroot=/srv/www\n[log]\nlevel=info\nport=514\n", &gone);
    config *user = parse(all, "[http]\nport=8080\n", &gone);
    if (!site || !user || parse(all, "[http]\nport=1\nno entry\n", &gone)) return 1;
    printf("%d entry of a wrong text was freed\n", gone);
    print("site", site);
    print("user", user);
    entry *one = kmtreec(kmtreec(site)), *other = kmtreec(kmtreec(user));
    printf("one \"port\" in both: %s\n", one->key == other->key ? "yes" : "no");
    move(user, site, "log");
    kmtreef(all); /* drops its references; the entries keep theirs */
    kmtreet(user, 9, kmtofile, stderr);
    kmtreef(site);
    printf("%d entries freed with the site\n", gone - 1);
    print("user", user);
    kmtreef(user);
    printf("%d entries freed in all\n", gone);
    return 0;
}
