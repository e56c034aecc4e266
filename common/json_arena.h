/* Memory for JSON values that live no longer than one function: jansson allocates several times for each
 * member, and what is taken from an arena costs nothing to give back.
 *
 *     char memory[16384];
 *     weir_json_arena_open(memory, sizeof(memory));
 *     …parse, look, json_decref…
 *     weir_json_arena_close();
 *
 * Every value that the thread makes in between has to be freed before the arena is closed, by the same
 * thread. What does not fit comes from the heap. Needs weir_json_init(); without it, as in a plugin, it has
 * no effect. */
#ifndef WEIR_COMMON_JSON_ARENA_H
#define WEIR_COMMON_JSON_ARENA_H

#include <stddef.h>

/* memory stays the caller's, and in place until the arena is closed. One a thread. Threads: any. */
void weir_json_arena_open(char *memory, size_t size);
void weir_json_arena_close(void);

/* jansson's allocation functions. */
void *weir_json_arena_take(size_t size);
void weir_json_arena_give(void *block);

#endif
