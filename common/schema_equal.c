/* Equality as JSON Schema has it, a hash that agrees with it, and arrays without repetition. */
#include "common/schema_node.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { FEW_ITEMS = 16 };

static bool equal_strings(const json_t *a, const json_t *b)
{
    return json_string_length(a) == json_string_length(b) &&
           memcmp(json_string_value(a), json_string_value(b), json_string_length(a)) == 0;
}

static bool equal_arrays(const json_t *a, const json_t *b)
{
    size_t size = json_array_size(a);
    if (size != json_array_size(b))
        return false;
    for (size_t i = 0; i < size; i++)
        if (!weir_schema_equal(json_array_get(a, i), json_array_get(b, i)))
            return false;
    return true;
}

static bool equal_objects(json_t *a, const json_t *b)
{
    if (json_object_size(a) != json_object_size(b))
        return false;
    for (void *at = json_object_iter(a); at != NULL; at = json_object_iter_next(a, at)) {
        const json_t *other = json_object_getn(b, json_object_iter_key(at), json_object_iter_key_len(at));
        if (other == NULL || !weir_schema_equal(json_object_iter_value(at), other))
            return false;
    }
    return true;
}

bool weir_schema_equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return weir_schema_compare(a, b) == 0;
    if (json_typeof(a) != json_typeof(b))
        return false;
    switch (json_typeof(a)) {
    case JSON_STRING:
        return equal_strings(a, b);
    case JSON_ARRAY:
        return equal_arrays(a, b);
    case JSON_OBJECT:
        return equal_objects((json_t *)(uintptr_t)a, b);
    default:
        return true; /* null, true, false */
    }
}

/* ---- the hash ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t seed;

static void make_seed(void)
{
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
        seed = (uint64_t)time(NULL) ^ (uint64_t)(uintptr_t)&seed;
    seed |= 1;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    unsigned __int128 product = (unsigned __int128)(hash ^ word ^ seed) * (seed ^ 0x9E3779B97F4A7C15u);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_bytes(uint64_t hash, const char *data, size_t len)
{
    for (uint64_t word; len > 0; data += sizeof(word)) {
        size_t step = len < sizeof(word) ? len : sizeof(word);
        word = 0;
        memcpy(&word, data, step);
        hash = mix(hash, word);
        len -= step;
    }
    return mix(hash, JSON_STRING);
}

/* 1 and 1.0 are one value. */
static uint64_t hash_number(const json_t *value)
{
    static const double beyond = 9223372036854775808.0;
    double real = json_real_value(value); /* 0 of an integer */
    uint64_t word;

    if (json_is_integer(value))
        return mix(JSON_INTEGER, (uint64_t)json_integer_value(value));
    if (real == trunc(real) && real >= -beyond && real < beyond)
        return mix(JSON_INTEGER, (uint64_t)(json_int_t)real);
    memcpy(&word, &real, sizeof(word));
    return mix(JSON_REAL, word);
}

/* Members in any order: their sum. */
static uint64_t hash_object(json_t *object)
{
    uint64_t sum = 0;
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at))
        sum += hash_bytes(weir_schema_hash(json_object_iter_value(at)), json_object_iter_key(at),
            json_object_iter_key_len(at));
    return mix(JSON_OBJECT, sum);
}

uint64_t weir_schema_hash(const json_t *value)
{
    uint64_t hash = JSON_ARRAY;

    pthread_once(&once, make_seed);
    switch (json_typeof(value)) {
    case JSON_STRING:
        return hash_bytes(json_string_length(value), json_string_value(value), json_string_length(value));
    case JSON_INTEGER:
    case JSON_REAL:
        return hash_number(value);
    case JSON_OBJECT:
        return hash_object((json_t *)(uintptr_t)value);
    case JSON_ARRAY:
        for (size_t i = 0; i < json_array_size(value); i++)
            hash = mix(hash, weir_schema_hash(json_array_get(value, i)));
        return mix(hash, json_array_size(value));
    default:
        return mix((uint64_t)json_typeof(value), 0);
    }
}

/* ---- arrays without repetition ---- */

struct entry {
    uint64_t hash;
    size_t index;
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return left->index < right->index ? -1 : left->index > right->index;
}

static bool unique_by_pairs(const json_t *array, size_t *ret_first, size_t *ret_second)
{
    for (size_t second = 1; second < json_array_size(array); second++) {
        for (size_t first = 0; first < second; first++) {
            if (!weir_schema_equal(json_array_get(array, first), json_array_get(array, second)))
                continue;
            *ret_first = first;
            *ret_second = second;
            return false;
        }
    }
    return true;
}

static bool unique_by_hash(
    const json_t *array, struct entry *entries, size_t size, size_t *ret_first, size_t *ret_second)
{
    for (size_t i = 0; i < size; i++)
        entries[i] = (struct entry){weir_schema_hash(json_array_get(array, i)), i};
    qsort(entries, size, sizeof(*entries), compare_entries);
    for (size_t i = 1; i < size; i++) {
        for (size_t j = i; j > 0 && entries[j - 1].hash == entries[i].hash; j--) {
            if (!weir_schema_equal(
                    json_array_get(array, entries[j - 1].index), json_array_get(array, entries[i].index)))
                continue;
            *ret_first = entries[j - 1].index;
            *ret_second = entries[i].index;
            return false;
        }
    }
    return true;
}

bool weir_schema_unique(const json_t *array, size_t *ret_first, size_t *ret_second)
{
    size_t size = json_array_size(array);
    struct entry *entries = size > FEW_ITEMS ? malloc(size * sizeof(*entries)) : NULL;
    if (entries == NULL)
        return unique_by_pairs(array, ret_first, ret_second);
    bool unique = unique_by_hash(array, entries, size, ret_first, ret_second);
    free(entries);
    return unique;
}
