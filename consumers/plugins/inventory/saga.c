#include "consumers/plugins/inventory/saga.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- items ---- */

static int read_item(const json_t *value, size_t index, struct weir_item *item, struct weir_error *err)
{
    const json_t *sku = json_object_get(value, "sku"), *quantity = json_object_get(value, "quantity");
    struct weir_bytes key = weir_bytes(json_string_value(sku), json_string_length(sku));
    struct weir_error why;

    if (weir_key_check(key, &why) < 0)
        return weir_error_set(
            err, WEIR_E_INVALID, "no key of a product (pointer \"/items/%zu/sku\"): %s", index, why.text);
    if (!json_is_integer(quantity) || json_integer_value(quantity) < 1)
        return weir_error_set(
            err, WEIR_E_INVALID, "no quantity (pointer \"/items/%zu/quantity\"): 1 or more", index);
    item->quantity = json_integer_value(quantity);
    item->sku = weir_bytes_dup(key);
    return item->sku != NULL ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

int weir_items_read(const json_t *document, struct weir_items *ret_items, struct weir_error *err)
{
    const json_t *array = json_object_get(document, "items");
    struct weir_items items = {0};
    int code = 0;

    *ret_items = items;
    if (array == NULL || json_is_null(array))
        return 0;
    if (!json_is_array(array))
        return weir_error_set(err, WEIR_E_INVALID, "items (pointer \"/items\"): no array");
    items.list = calloc(json_array_size(array) + 1, sizeof(*items.list));
    if (items.list == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    for (; code == 0 && items.count < json_array_size(array); items.count++)
        code = read_item(json_array_get(array, items.count), items.count, &items.list[items.count], err);
    if (code < 0)
        weir_items_done(&items);
    *ret_items = items;
    return code;
}

void weir_items_done(struct weir_items *items)
{
    for (size_t i = 0; i < items->count; i++)
        free(items->list[i].sku);
    free(items->list);
    *items = (struct weir_items){0};
}

/* ---- the saga ---- */

struct weir_saga *weir_saga_new(struct weir_bytes order, struct weir_bytes id, struct weir_items *items)
{
    struct weir_saga *saga = calloc(1, sizeof(*saga));

    if (saga == NULL) {
        weir_items_done(items);
        return NULL;
    }
    saga->items = *items;
    *items = (struct weir_items){0};
    saga->order = weir_bytes_dup(order);
    saga->id = weir_bytes_dup(id);
    if (saga->order != NULL && saga->id != NULL && weir_saga_add_version(saga, id, NULL) == 0)
        return saga;
    weir_saga_free(saga);
    return NULL;
}

void weir_saga_free(struct weir_saga *saga)
{
    if (saga == NULL)
        return;
    for (size_t i = 0; i < saga->version_count; i++)
        free(saga->versions[i]);
    free(saga->versions);
    weir_items_done(&saga->items);
    free(saga->order);
    free(saga->id);
    free(saga);
}

int weir_saga_add_version(struct weir_saga *saga, struct weir_bytes request, struct weir_error *err)
{
    char **versions = reallocarray(saga->versions, saga->version_count + 1, sizeof(*versions));

    if (versions == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    saga->versions = versions;
    versions[saga->version_count] = weir_bytes_dup(request);
    if (versions[saga->version_count] == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    saga->version_count++;
    return 0;
}

/* ---- request ids ---- */

static void name_command(
    const char *what, const char *saga, const char *version, size_t item, char out[static WEIR_ID_BYTES])
{
    char number[24];

    snprintf(number, sizeof(number), "%zu", item);
    const struct weir_bytes parts[] = {weir_bytes_str("inventory"), weir_bytes_str(what),
        weir_bytes_str(saga), weir_bytes_str(version), weir_bytes_str(number)};
    weir_id_v5(parts, sizeof(parts) / sizeof(parts[0]), out);
}

void weir_saga_reserve_id(const char *saga, size_t item, char out[static WEIR_ID_BYTES])
{
    name_command("reserve", saga, "", item, out);
}

void weir_saga_release_id(const char *saga, size_t item, char out[static WEIR_ID_BYTES])
{
    name_command("release", saga, "", item, out);
}

void weir_saga_decision_id(
    const struct weir_saga *saga, const char *version, size_t item, char out[static WEIR_ID_BYTES])
{
    name_command("decide", saga->id, version, item, out);
}

bool weir_saga_is_decision(const struct weir_saga *saga, struct weir_bytes request, size_t *ret_item)
{
    char id[WEIR_ID_BYTES];

    for (size_t version = saga->version_count; version-- > 0;)
        for (size_t item = 0; item <= saga->items.count; item++) {
            weir_saga_decision_id(saga, saga->versions[version], item, id);
            *ret_item = item;
            if (weir_bytes_is(request, id))
                return true;
        }
    return false;
}
