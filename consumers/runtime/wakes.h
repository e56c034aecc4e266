/* Tickets of deferred records that a plugin's threads ask to be handed out again: put in from any thread,
 * applied by the thread of control between two batches, when every ticket of a committed batch is known to
 * its parking. */
#ifndef WEIR_RUNTIME_WAKES_H
#define WEIR_RUNTIME_WAKES_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct weir_parking;

struct weir_wakes {
    pthread_mutex_t lock;
    uint64_t *tickets;
    size_t count, capacity;
};

void weir_wakes_init(struct weir_wakes *wakes);
void weir_wakes_done(struct weir_wakes *wakes);
/* Any thread. Without memory for it the record waits for its limit. */
void weir_wakes_add(struct weir_wakes *wakes, uint64_t ticket);
/* Moves what was put in to *ret_tickets (the caller frees); answers how many. */
size_t weir_wakes_take(struct weir_wakes *wakes, uint64_t **ret_tickets);

#endif
