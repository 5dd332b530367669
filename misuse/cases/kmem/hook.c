/* Hooks, and destructors set after the cell was made. */
#include "layer.h"

static void hooking(void *node) { ASK(kmtreeh(node, run_it, NULL)); }
static void unhooking(void *node) { ASK(kmtreehx(node, run_it, NULL)); }

CASE(hook_freed, NODES) { void *one = freed_one(m); WRONG(hooking(one)); }
CASE(hook_other, "heap ref pool") { void *one = keep(m->alloc(SIZE)); WRONG(hooking(one)); }
CASE(unhook_freed, NODES) { void *one = freed_one(m); WRONG(unhooking(one)); }
LINKS(hook_link_child, NODES, CHILD, hooking)
LINKS(unhook_link_child, NODES, CHILD, unhooking)

/* `kmhook`, and the record that holds its destructor. */
static void hooking_any(kmptr it) { ASK(kmhook(it, run_it, NULL)); }

CASE(late_freed, PLAIN) { freed_by(m, hooking_any); }
CASE(late_handle_heap, "ref pool tree") { crossed_by(m, kmkind_heap, hooking_any); }
CASE(late_handle_ref, "heap pool tree") { crossed_by(m, kmkind_ref, hooking_any); }
CASE(late_handle_cell, PLAIN) { crossed_cell(m, hooking_any); }

CASE(late_shared, "ref")
{
    void *one = keep(kmrefu(m->alloc(SIZE)));
    WRONG(hooking_any(right(m, one)));
}

static void hooks_any(void *data) { hooking_any(right(running, data)); }

CASE(late_dying, "heap ref tree") { in_destructor(m, hooks_any); }

/* A cell's header leads to this record. It has a genuine record's values, but not its seals. */
static void late_record(const method *m, const void *record)
{
    byte *one = keep(m->alloc(SIZE));
    if (!kmhook(right(m, one), run_it, NULL)) exit(3);
    memcpy(one - header(m) + 8, &record, sizeof record);
    WRONG(m->free(one));
}

CASE(late_record_theirs, "heap ref")
{
    uintptr_t *words = (uintptr_t *)(void *)theirs;
    words[0] = header(m) + SIZE, words[1] = (uintptr_t)theirs_runs;
    late_record(m, theirs);
}

CASE(late_record_text, "heap ref") { late_record(m, (void *)(uintptr_t)0x4141414141414141); }
CASE(late_record_size, "heap ref") { late_record(m, (void *)(uintptr_t)(header(m) + SIZE)); }

CASE(late_record_other, "heap ref")
{
    byte *two = keep(m->alloc(SIZE));
    if (!kmhook(right(m, two), run_it, NULL)) exit(3);
    void *record;
    memcpy(&record, two - header(m) + 8, sizeof record);
    late_record(m, record);
}
