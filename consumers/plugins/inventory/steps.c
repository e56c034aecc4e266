#include "consumers/plugins/inventory/steps.h"

#include <string.h>

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static struct weir_bytes request_of(const json_t *value)
{
    return weir_bytes_str(text_of(value, "request"));
}

/* ---- orders ---- */

/* A reservation is for inventory to write: one that a new order brings along is none. */
static int begin(const struct weir_cause *cause, const struct weir_sagas *sagas, const json_t *event,
    struct weir_error *err)
{
    const json_t *order = json_object_get(event, "after");
    struct weir_items items;
    char first[WEIR_ID_BYTES];
    size_t item;

    int code = weir_items_read(order, &items, err);
    weir_items_done(&items);
    if (code == 0 && json_is_object(json_object_get(order, "reservation")))
        code = weir_forget(cause, request_of(event), err);
    weir_saga_reserve_id(text_of(event, "request"), 0, first);
    const struct weir_saga *saga = weir_sagas_find_step(sagas, weir_bytes_str(first), &item);
    if (code < 0 || saga == NULL || saga->withdrawn)
        return code;
    return weir_reserve(cause, saga, 0, err);
}

/* What an order holds that is at its end goes back, by requests that are the same however often it is told
 * so. */
static int give_back(const struct weir_cause *cause, const json_t *event, struct weir_error *err)
{
    const json_t *reservation = json_object_get(json_object_get(event, "after"), "reservation");
    struct weir_items items;

    if (!json_is_object(reservation))
        return 0;
    int code = weir_items_read(reservation, &items, err);
    if (code == 0)
        code = weir_release(cause, text_of(reservation, "id"), &items, items.count, err);
    weir_items_done(&items);
    return code < 0 ? code : weir_forget(cause, request_of(event), err);
}

int weir_step_order_changed(const struct weir_cause *cause, const struct weir_sagas *sagas,
    const json_t *event, struct weir_error *err)
{
    const char *op = text_of(event, "op");
    const json_t *status = json_object_get(json_object_get(event, "after"), "status");

    if (strcmp(op, "c") == 0)
        return begin(cause, sagas, event, err);
    if (strcmp(op, "u") == 0 && weir_status_is_end(json_string_value(status)))
        return give_back(cause, event, err);
    return 0;
}

/* The order has changed while it was decided. */
int weir_step_order_unchanged(const struct weir_cause *cause, const struct weir_sagas *sagas,
    const json_t *outcome, struct weir_error *err)
{
    size_t item;

    if (strcmp(text_of(outcome, "error"), "precondition-failed") != 0)
        return 0;
    const struct weir_saga *saga =
        weir_sagas_find_decision(sagas, cause->record->key, request_of(outcome), &item);
    if (saga == NULL)
        return 0;
    if (!saga->withdrawn)
        return weir_decide(cause, saga, item, err);
    return item == saga->items.count ? weir_release(cause, saga->id, &saga->items, item, err) : 0;
}

/* ---- products ---- */

int weir_step_product_changed(const struct weir_cause *cause, const struct weir_sagas *sagas,
    const json_t *event, struct weir_error *err)
{
    size_t item;
    const struct weir_saga *saga = weir_sagas_find_step(sagas, request_of(event), &item);

    if (saga == NULL)
        return 0;
    if (saga->withdrawn)
        return weir_release(cause, saga->id, &saga->items, item + 1, err);
    if (item + 1 < saga->items.count)
        return weir_reserve(cause, saga, item + 1, err);
    return weir_decide(cause, saga, saga->items.count, err);
}

/* A dead letter is no end: it is driven again once its cause is mended, and its order waits for that. */
int weir_step_product_unchanged(const struct weir_cause *cause, const struct weir_sagas *sagas,
    const json_t *outcome, struct weir_error *err)
{
    size_t item;
    const struct weir_saga *saga = weir_sagas_find_step(sagas, request_of(outcome), &item);

    if (saga == NULL || strcmp(text_of(outcome, "outcome"), "rejected") != 0)
        return 0;
    int code = weir_release(cause, saga->id, &saga->items, item, err);
    return code < 0 || saga->withdrawn ? code : weir_decide(cause, saga, item, err);
}
