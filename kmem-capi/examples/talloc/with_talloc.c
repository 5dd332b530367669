/* with_talloc.c - two configuration texts as trees, with talloc. with_kmem.c is the same program with kmem. */
#include <stdio.h>
#include <string.h>

#include <talloc.h>

typedef struct entry {
    struct entry *next;     /* talloc cannot walk children */
    char *key, *value;      /* equal keys are shared */
} entry;

typedef struct section {
    struct section *next;
    char *name;
    entry *first, **end;
} section;

typedef struct config {
    section *first, **end;
} config;

typedef struct names {
    size_t n;
    char **word;
} names;

static int gone; /* the number of freed entries; a destructor has no argument */

static int entry_gone(entry *e) {
    (void)e;
    gone++;
    return 0;
}

/* Returns the only string with this text, and makes it if there is none. */
static char *intern(names *all, const char *text, size_t len) {
    for (size_t i = 0; i < all->n; i++)
        if (strncmp(all->word[i], text, len) == 0 && !all->word[i][len]) return all->word[i];
    char **word = talloc_realloc(all, all->word, char *, (unsigned)all->n + 1);
    if (!word) return NULL;
    all->word = word;
    char *made = talloc_strndup(all, text, len);
    if (!made) return NULL;
    return word[all->n++] = made;
}

static section *section_new(config *c, names *all, const char *name, size_t len) {
    section *s = talloc_zero(c, section);
    if (!s) return NULL;
    char *word = intern(all, name, len);
    s->name = word ? talloc_reference(s, word) : NULL;
    if (!s->name) return talloc_free(s), NULL;
    s->end = &s->first;
    *c->end = s;
    c->end = &s->next;
    return s;
}

static entry *entry_new(section *s, names *all, const char *line, const char *end) {
    const char *is = memchr(line, '=', (size_t)(end - line));
    entry *e = is ? talloc_zero(s, entry) : NULL;
    if (!e) return NULL;
    talloc_set_destructor(e, entry_gone);
    char *word = intern(all, line, (size_t)(is - line));
    e->key = word ? talloc_reference(e, word) : NULL;
    e->value = talloc_strndup(e, is + 1, (size_t)(end - is - 1));
    if (!e->key || !e->value) return talloc_free(e), NULL;
    *s->end = e;
    s->end = &e->next;
    return e;
}

/* Parses the text into a tree. Returns NULL if the text is wrong or memory runs out. */
static config *parse(names *all, const char *text) {
    config *c = talloc_zero(NULL, config);
    section *s = NULL;
    if (!c) return NULL;
    c->end = &c->first;
    for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
        int is_section = *text == '[' && end[-1] == ']';
        if (is_section) s = section_new(c, all, text + 1, (size_t)(end - text - 2));
        if (!s || (!is_section && !entry_new(s, all, text, end))) return talloc_free(c), NULL;
    }
    return c;
}

/* Moves the section of this name with its entries. */
static void move(config *to, config *from, const char *name) {
    for (section **at = &from->first, *s; (s = *at); at = &s->next)
        if (strcmp(s->name, name) == 0) {
            if (!(*at = s->next)) from->end = at;
            s->next = NULL;
            *to->end = talloc_steal(to, s);
            to->end = &s->next;
            return;
        }
}

static void count_entry(const void *ptr, int depth, int max_depth, int is_ref, void *count) {
    (void)depth, (void)max_depth;
    if (!is_ref && talloc_check_name(ptr, "entry")) ++*(size_t *)count;
}

static void print(const char *title, config *c) {
    size_t entries = 0;
    char *line = talloc_asprintf(c, "%s:", title);
    for (section *s = c->first; s; s = s->next) {
        line = talloc_asprintf_append_buffer(line, " [%s]", s->name);
        for (entry *e = s->first; e; e = e->next)
            line = talloc_asprintf_append_buffer(line, " %s=%s", e->key, e->value);
    }
    talloc_report_depth_cb(c, 0, -1, count_entry, &entries);
    printf("%s (%zu entries)\n", line ? line : "no memory", entries);
    talloc_free(line);
}

int main(void) {
    names *all = talloc_zero(NULL, names);
    if (!all) return 1;
    config *site = parse(all, "[http]\nport=80\nroot=/srv/www\n[log]\nlevel=info\nport=514\n");
    config *user = parse(all, "[http]\nport=8080\n");
    if (!site || !user || parse(all, "[http]\nport=1\nno entry\n")) return 1;
    printf("%d entry of a wrong text was freed\n", gone);
    print("site", site);
    print("user", user);
    printf("one \"port\" in both: %s\n", site->first->first->key == user->first->first->key ? "yes" : "no");
    move(user, site, "log");
    talloc_free(all); /* each string becomes a child of an entry or section that refers to it */
    talloc_report_full(user, stderr);
    talloc_free(site);
    printf("%d entries freed with the site\n", gone - 1);
    print("user", user);
    talloc_free(user);
    printf("%d entries freed in all\n", gone);
    return 0;
}
