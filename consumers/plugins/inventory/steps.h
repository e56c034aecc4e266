/* What follows from a record: the next step of an order's saga. A saga has one step under way at any time,
 * and the record that tells its end leads to the next one in the transaction that finishes that record, so
 * that each is taken once. */
#ifndef WEIR_INVENTORY_STEPS_H
#define WEIR_INVENTORY_STEPS_H

#include "consumers/plugins/inventory/commands.h"
#include "consumers/plugins/inventory/sagas.h"

/* Each takes one record's value. 0: there is nothing (more) to do; WEIR_E_INVALID and WEIR_E_TOO_LARGE: a
 * dead letter; else the batch fails. */
typedef int weir_step(const struct weir_cause *cause, const struct weir_sagas *sagas, const json_t *value,
    struct weir_error *err);

weir_step weir_step_order_changed, weir_step_order_unchanged, weir_step_product_changed,
    weir_step_product_unchanged;

#endif
