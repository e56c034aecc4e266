/* Memory that lives as long as a batch: taken piece by piece, given back all at once. Emitted records, their
 * headers and the reasons of failures are kept here, so that the host allocates nothing per record. Not
 * thread-safe. */
#ifndef WEIR_RUNTIME_ARENA_H
#define WEIR_RUNTIME_ARENA_H

#include "common/bytes.h"

#include <stddef.h>

struct weir_arena_block;

/* Zeroed is empty. */
struct weir_arena {
    struct weir_arena_block *first, *current;
};

/* size bytes, aligned for any type, uninitialised; NULL when memory is out. Lives until the next reset. */
void *weir_arena_take(struct weir_arena *arena, size_t size);

/* Copies of bytes and of a string; null stays null, with `data` NULL also when memory is out (see failed). */
char *weir_arena_copy(struct weir_arena *arena, const void *data, size_t len);
char *weir_arena_text(struct weir_arena *arena, const char *text, size_t limit_bytes);
/* Such a copy as a header's value may be: one line of UTF-8, with ? for what is not. */
char *weir_arena_line(struct weir_arena *arena, const char *text, size_t limit_bytes);
char *weir_arena_printf(struct weir_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Forgets all that was taken and keeps the memory for the next batch, up to 32 MiB. */
void weir_arena_reset(struct weir_arena *arena);
void weir_arena_done(struct weir_arena *arena);

#endif
