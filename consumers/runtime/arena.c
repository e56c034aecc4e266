#include "consumers/runtime/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 256 * 1024, KEEP_BYTES = 32 * 1024 * 1024, ALIGNMENT = 16 };

struct weir_arena_block {
    struct weir_arena_block *next;
    size_t size, used;
    _Alignas(ALIGNMENT) char data[];
};

static struct weir_arena_block *block_new(size_t size)
{
    struct weir_arena_block *block = malloc(sizeof(*block) + size);
    if (block != NULL)
        *block = (struct weir_arena_block){.size = size};
    return block;
}

/* The next kept block that is large enough, or a new one put right behind the current. */
static struct weir_arena_block *block_advance(struct weir_arena *arena, size_t size)
{
    struct weir_arena_block *next = arena->current != NULL ? arena->current->next : arena->first;
    if (next != NULL && next->size >= size)
        return arena->current = next;
    struct weir_arena_block *block = block_new(size > BLOCK_BYTES ? size : BLOCK_BYTES);
    if (block == NULL)
        return NULL;
    block->next = next;
    if (arena->current != NULL)
        arena->current->next = block;
    else
        arena->first = block;
    return arena->current = block;
}

void *weir_arena_take(struct weir_arena *arena, size_t size)
{
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct weir_arena_block *block = arena->current;
    if (block == NULL || block->size - block->used < size) {
        block = block_advance(arena, size);
        if (block == NULL)
            return NULL;
    }
    void *taken = block->data + block->used;
    block->used += size;
    return taken;
}

char *weir_arena_copy(struct weir_arena *arena, const void *data, size_t len)
{
    if (data == NULL)
        return NULL;
    char *copy = weir_arena_take(arena, len + 1);
    if (copy != NULL) {
        memcpy(copy, data, len);
        copy[len] = '\0';
    }
    return copy;
}

char *weir_arena_text(struct weir_arena *arena, const char *text, size_t limit_bytes)
{
    return text != NULL ? weir_arena_copy(arena, text, strnlen(text, limit_bytes)) : NULL;
}

char *weir_arena_line(struct weir_arena *arena, const char *text, size_t limit_bytes)
{
    char *line = weir_arena_text(arena, text, limit_bytes);
    struct weir_bytes rest = weir_bytes_str(line);
    while (rest.len > 0) {
        size_t taken = weir_utf8_next(rest);
        bool is_control = (unsigned char)rest.data[0] < 0x20 || rest.data[0] == 0x7F;
        if (taken == 0 || is_control)
            line[rest.data - line] = '?';
        taken = taken > 0 ? taken : 1;
        rest = weir_bytes(rest.data + taken, rest.len - taken);
    }
    return line;
}

char *weir_arena_printf(struct weir_arena *arena, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return weir_arena_text(arena, text, sizeof(text));
}

void weir_arena_reset(struct weir_arena *arena)
{
    size_t kept = 0;
    for (struct weir_arena_block **link = &arena->first; *link != NULL;) {
        struct weir_arena_block *block = *link;
        if (kept + block->size > KEEP_BYTES) {
            *link = block->next;
            free(block);
            continue;
        }
        kept += block->size;
        block->used = 0;
        link = &block->next;
    }
    arena->current = arena->first;
}

void weir_arena_done(struct weir_arena *arena)
{
    for (struct weir_arena_block *block = arena->first, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    *arena = (struct weir_arena){0};
}
