/* The commands that inventory gives, as a client's would be: numbers added to the stock of products, members
 * merged into orders. Each goes to the partition of its document's key, in the transaction that finishes the
 * record it is given for. */
#ifndef WEIR_INVENTORY_COMMANDS_H
#define WEIR_INVENTORY_COMMANDS_H

#include "consumers/plugins/inventory/saga.h"

#include <weir/plugin.h>

struct weir_deployment;

/* Where the commands go. */
struct weir_commands {
    const struct weir_host *host;
    const struct weir_collection *orders, *products;
};

/* The record at hand. */
struct weir_cause {
    const struct weir_commands *commands;
    struct weir_batch *batch;
    const struct weir_record *record;
};

/* Each answers 0, or what emit answers. */

/* Takes item number `item` from the stock, or gives it back. `saga` is the id of one. */
int weir_reserve(
    const struct weir_cause *cause, const struct weir_saga *saga, size_t item, struct weir_error *err);
/* The first `count` of them. */
int weir_release(const struct weir_cause *cause, const char *saga, const struct weir_items *items,
    size_t count, struct weir_error *err);
/* Tells the newest version of the order that all is taken, or which item could not be had
 * (weir_saga_decision_id). */
int weir_decide(
    const struct weir_cause *cause, const struct weir_saga *saga, size_t item, struct weir_error *err);
/* The order of the record's key holds nothing (any more): takes `reservation` out of it. */
int weir_forget(const struct weir_cause *cause, struct weir_bytes version, struct weir_error *err);

#endif
