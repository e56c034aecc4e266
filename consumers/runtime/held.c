#include "consumers/runtime/held.h"

#include "common/error.h"

#include <stdlib.h>

static int grow(struct weir_held *held)
{
    if (held->count < held->capacity)
        return 0;
    size_t capacity = held->capacity != 0 ? held->capacity * 2 : 64;
    void **items = malloc(capacity * sizeof(*items));
    if (items == NULL)
        return WEIR_E_INTERNAL;
    for (size_t i = 0; i < held->count; i++)
        items[i] = held->items[(held->head + i) % held->capacity];
    free(held->items);
    *held = (struct weir_held){.items = items, .count = held->count, .capacity = capacity};
    return 0;
}

int weir_held_push_front(struct weir_held *held, void *item)
{
    if (grow(held) < 0)
        return WEIR_E_INTERNAL;
    held->head = (held->head + held->capacity - 1) % held->capacity;
    held->items[held->head] = item;
    held->count++;
    return 0;
}

int weir_held_push_back(struct weir_held *held, void *item)
{
    if (grow(held) < 0)
        return WEIR_E_INTERNAL;
    held->items[(held->head + held->count++) % held->capacity] = item;
    return 0;
}

void *weir_held_first(const struct weir_held *held)
{
    return held->count > 0 ? held->items[held->head] : NULL;
}

void *weir_held_pop_front(struct weir_held *held)
{
    void *item = weir_held_first(held);
    if (item == NULL)
        return NULL;
    held->head = (held->head + 1) % held->capacity;
    held->count--;
    return item;
}

void weir_held_done(struct weir_held *held)
{
    free(held->items);
    *held = (struct weir_held){0};
}
