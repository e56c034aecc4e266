/* One order on its way to being confirmed or rejected: its items are taken from the stock one after the
 * other, each by a command of its own. Each command's request id follows from what it is for, so that the
 * same step taken twice is one request, and that the event of a command tells which step it was. Pure. Not
 * thread-safe. */
#ifndef WEIR_INVENTORY_SAGA_H
#define WEIR_INVENTORY_SAGA_H

#include "common/bytes.h"
#include "common/envelope.h"
#include "common/error.h"

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>

struct weir_item {
    char *sku;           /* key of a product */
    json_int_t quantity; /* 1 or more */
};

struct weir_items {
    struct weir_item *list;
    size_t count;
};

/* The items of an order or of a reservation: none when it has none. WEIR_E_INVALID names the place. The
 * caller frees with weir_items_done. */
int weir_items_read(const json_t *document, struct weir_items *ret_items, struct weir_error *err);
void weir_items_done(struct weir_items *items);

struct weir_saga {
    char *order; /* key of the order */
    char *id;    /* request that made the order */
    struct weir_items items;
    char **versions; /* requests of the order's changes so far, the newest last */
    size_t version_count;
    bool withdrawn;          /* cancelled, rejected or deleted meanwhile: what was taken has to go back */
    bool moved_on;           /* its status is someone else's by now and stays as it is */
    struct weir_saga *older; /* of an order of the same key that was deleted */
};

/* `items` is taken over. NULL when memory is out: then it is freed. */
struct weir_saga *weir_saga_new(struct weir_bytes order, struct weir_bytes id, struct weir_items *items);
void weir_saga_free(struct weir_saga *saga); /* NULL is allowed */
/* The order has changed: its newest version. WEIR_E_INTERNAL when memory is out. */
int weir_saga_add_version(struct weir_saga *saga, struct weir_bytes request, struct weir_error *err);

/* Request ids of the commands. */
void weir_saga_reserve_id(const char *saga, size_t item, char out[static WEIR_ID_BYTES]);
void weir_saga_release_id(const char *saga, size_t item, char out[static WEIR_ID_BYTES]);
/* Of the decision over one version of the order: about an item that could not be had, or, with items.count,
 * that all are there. A decision about another version is another request. */
void weir_saga_decision_id(
    const struct weir_saga *saga, const char *version, size_t item, char out[static WEIR_ID_BYTES]);
/* Whether the request is a decision of this saga, and about which item. */
bool weir_saga_is_decision(const struct weir_saga *saga, struct weir_bytes request, size_t *ret_item);

#endif
