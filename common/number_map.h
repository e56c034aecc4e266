/* A hash table from a pair of numbers to three, for what is remembered of many records: at most 200 bytes for each.
 * Not thread-safe.
 *
 *     WEIR_CLEANUP(number_map) struct weir_number_map map = {0};
 *     int64_t *numbers = weir_number_map_put(&map, partition, offset);   // zeros when it is new
 */
#ifndef WEIR_COMMON_NUMBER_MAP_H
#define WEIR_COMMON_NUMBER_MAP_H

#include <stddef.h>
#include <stdint.h>

enum { WEIR_NUMBER_MAP_VALUES = 3 };

struct weir_number_map_entry;

struct weir_number_map {
    struct weir_number_map_entry *entries;
    size_t capacity, count;
};

/* The numbers of (a, b), made as zeros where there are none; valid until the next put. NULL: memory is out. */
int64_t *weir_number_map_put(struct weir_number_map *map, uint64_t a, uint64_t b);
/* NULL when there are none. */
const int64_t *weir_number_map_get(const struct weir_number_map *map, uint64_t a, uint64_t b);
void weir_number_map_done(struct weir_number_map *map);

static inline void weir_cleanup_number_map(struct weir_number_map *map)
{
    weir_number_map_done(map);
}

#endif
