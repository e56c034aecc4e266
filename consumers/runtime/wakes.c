#include "consumers/runtime/wakes.h"

#include <stdlib.h>

enum { FIRST = 64 };

void weir_wakes_init(struct weir_wakes *wakes)
{
    *wakes = (struct weir_wakes){0};
    pthread_mutex_init(&wakes->lock, NULL);
}

void weir_wakes_done(struct weir_wakes *wakes)
{
    free(wakes->tickets);
    pthread_mutex_destroy(&wakes->lock);
}

static void grow(struct weir_wakes *wakes)
{
    size_t capacity = wakes->capacity > 0 ? 2 * wakes->capacity : FIRST;
    uint64_t *tickets = reallocarray(wakes->tickets, capacity, sizeof(*tickets));
    if (tickets == NULL)
        return;
    wakes->tickets = tickets;
    wakes->capacity = capacity;
}

void weir_wakes_add(struct weir_wakes *wakes, uint64_t ticket)
{
    pthread_mutex_lock(&wakes->lock);
    if (wakes->count == wakes->capacity)
        grow(wakes);
    if (wakes->count < wakes->capacity)
        wakes->tickets[wakes->count++] = ticket;
    pthread_mutex_unlock(&wakes->lock);
}

size_t weir_wakes_take(struct weir_wakes *wakes, uint64_t **ret_tickets)
{
    pthread_mutex_lock(&wakes->lock);
    size_t count = wakes->count;
    *ret_tickets = NULL;
    if (count > 0) {
        *ret_tickets = wakes->tickets;
        wakes->tickets = NULL;
        wakes->count = wakes->capacity = 0;
    }
    pthread_mutex_unlock(&wakes->lock);
    return count;
}
