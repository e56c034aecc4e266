#include "common/number_map.h"

#include <stdbool.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 64 };

struct weir_number_map_entry {
    uint64_t a, b;
    int64_t values[WEIR_NUMBER_MAP_VALUES];
    bool used;
};

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014): offsets that follow each other spread. */
static size_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = a * 0x9e3779b97f4a7c15 ^ b;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (size_t)(x ^ x >> 31);
}

/* Its place, or the free one where it belongs. */
static struct weir_number_map_entry *find(const struct weir_number_map *map, uint64_t a, uint64_t b)
{
    size_t at = mix(a, b) & (map->capacity - 1);

    while (map->entries[at].used && (map->entries[at].a != a || map->entries[at].b != b))
        at = (at + 1) & (map->capacity - 1);
    return &map->entries[at];
}

static bool grow(struct weir_number_map *map)
{
    struct weir_number_map larger = {
        .capacity = map->capacity == 0 ? FIRST_CAPACITY : 2 * map->capacity, .count = map->count};

    larger.entries = calloc(larger.capacity, sizeof(*larger.entries));
    if (larger.entries == NULL)
        return false;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->entries[i].used)
            *find(&larger, map->entries[i].a, map->entries[i].b) = map->entries[i];
    free(map->entries);
    *map = larger;
    return true;
}

int64_t *weir_number_map_put(struct weir_number_map *map, uint64_t a, uint64_t b)
{
    if (2 * (map->count + 1) > map->capacity && !grow(map))
        return NULL;
    struct weir_number_map_entry *entry = find(map, a, b);
    if (!entry->used) {
        *entry = (struct weir_number_map_entry){.a = a, .b = b, .used = true};
        map->count++;
    }
    return entry->values;
}

const int64_t *weir_number_map_get(const struct weir_number_map *map, uint64_t a, uint64_t b)
{
    if (map->capacity == 0)
        return NULL;
    const struct weir_number_map_entry *entry = find(map, a, b);
    return entry->used ? entry->values : NULL;
}

void weir_number_map_done(struct weir_number_map *map)
{
    free(map->entries);
    *map = (struct weir_number_map){0};
}
