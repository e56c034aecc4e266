/* A double-ended queue of records that were polled and not yet finished: what a batch leaves behind goes back
 * to its front, what is polled meanwhile to its end. It owns nothing but its own memory. Not thread-safe. */
#ifndef WEIR_RUNTIME_HELD_H
#define WEIR_RUNTIME_HELD_H

#include <stddef.h>

struct weir_held {
    void **items; /* a ring */
    size_t head, count, capacity;
};

/* 0, or WEIR_E_INTERNAL when memory is out: the item stays the caller's. */
int weir_held_push_front(struct weir_held *held, void *item);
int weir_held_push_back(struct weir_held *held, void *item);
/* Both NULL when empty. */
void *weir_held_first(const struct weir_held *held);
void *weir_held_pop_front(struct weir_held *held);
void weir_held_done(struct weir_held *held);

#endif
