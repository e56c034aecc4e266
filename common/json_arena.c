#include "common/json_arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

static _Thread_local struct {
    uintptr_t begin, next, end; /* all 0: closed */
} arena;

static uintptr_t align_up(uintptr_t address)
{
    return (address + alignof(max_align_t) - 1) & ~(uintptr_t)(alignof(max_align_t) - 1);
}

void weir_json_arena_open(char *memory, size_t size)
{
    arena.begin = arena.next = align_up((uintptr_t)memory);
    arena.end = (uintptr_t)memory + size;
}

void weir_json_arena_close(void)
{
    arena.begin = arena.next = arena.end = 0;
}

void *weir_json_arena_take(size_t size)
{
    if (size == 0 || arena.next >= arena.end || size > arena.end - arena.next)
        return malloc(size);
    void *block = (void *)arena.next;
    arena.next = align_up(arena.next + size);
    return block;
}

void weir_json_arena_give(void *block)
{
    if ((uintptr_t)block < arena.begin || (uintptr_t)block >= arena.end)
        free(block);
}
