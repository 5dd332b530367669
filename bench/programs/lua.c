// Lua 5.4 with its allocator hook on malloc or on an arena: `lua HOW TIMES`.
#include "kmem.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *on_malloc(void *arg, void *block, size_t from, size_t to) {
    (void)arg, (void)from;
    if (to) return realloc(block, to);
    free(block);
    return NULL;
}

static void *on_arena(void *arg, void *block, size_t from, size_t to) {
    (void)from;
    if (to) return block ? kmarenar(block, to) : kmarenaa(arg, to);
    if (block) kmarenaf(block);
    return NULL;
}

// Tables, strings, closures and calls.
static const char script[] =
    "local t, sum = {}, 0\n"
    "for i = 1, 20000 do t[i] = { id = i, name = 'item' .. i, tags = { i, i + 1 } } end\n"
    "for _, v in ipairs(t) do sum = sum + #v.name + v.tags[2] end\n"
    "local parts = {} for i = 1, 20000 do parts[#parts + 1] = tostring(i * 3) end\n"
    "for w in string.gmatch(table.concat(parts, ','), '%d+') do sum = sum + #w end\n"
    "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end\n"
    "for r = 1, 5 do\n"
    "  local q = {} for i = 1, 3000 do q[i] = function() return i + r end end\n"
    "  for i = 1, #q do sum = sum + q[i]() end\n"
    "end\n"
    "return sum + fib(18)\n";

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    for (int i = 0; i < atoi(argv[2]); i++) {
        kmarena *arena = strcmp(argv[1], "arena") == 0 ? kmarenai(NULL, 0) : NULL;
        lua_State *lua = lua_newstate(arena ? on_arena : on_malloc, arena);
        luaL_openlibs(lua);
        if (luaL_dostring(lua, script) || lua_tointeger(lua, -1) != 222847692 + 2584) return 1;
        lua_close(lua);
        kmarenax(arena);
    }
    return 0;
}
