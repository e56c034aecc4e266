/* The orders that are not decided yet, all of them in every instance: what is next for an order is known
 * where the event of a product's stock lies, which is another partition than the order's. Made of the change
 * log of `orders` alone, which the host reads to its end before each batch; nothing of it is kept elsewhere.
 * Not thread-safe. */
#ifndef WEIR_INVENTORY_SAGAS_H
#define WEIR_INVENTORY_SAGAS_H

#include "consumers/plugins/inventory/saga.h"

struct weir_sagas;

struct weir_sagas *weir_sagas_new(void); /* NULL: memory is out */
void weir_sagas_free(struct weir_sagas *sagas);
size_t weir_sagas_count(const struct weir_sagas *sagas);

/* One record of the change log, which may be applied again. What is no order that can be had is left out.
 * WEIR_E_INTERNAL when memory is out. */
int weir_sagas_apply(
    struct weir_sagas *sagas, struct weir_bytes key, struct weir_bytes value, struct weir_error *err);

/* The saga that took this item by a command of that request id; NULL: none did. */
const struct weir_saga *weir_sagas_find_step(
    const struct weir_sagas *sagas, struct weir_bytes request, size_t *ret_item);
/* The saga of the order with that key that gave this decision, and about which item. */
const struct weir_saga *weir_sagas_find_decision(
    const struct weir_sagas *sagas, struct weir_bytes key, struct weir_bytes request, size_t *ret_item);

/* Whether an order of that status (NULL: it has none) holds no stock (any more). */
bool weir_status_is_end(const char *status);

#endif
