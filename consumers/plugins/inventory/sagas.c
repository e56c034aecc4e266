#include "consumers/plugins/inventory/sagas.h"

#include "common/json.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct step {
    char id[WEIR_ID_BYTES];
    struct weir_saga *saga;
    size_t item;
};

/* The sagas of one order's key, the newest first. */
struct chain {
    char *order;
    struct weir_saga *newest;
};

/* Trees of tsearch(3). */
struct weir_sagas {
    void *steps, *chains;
    size_t count;
};

static int compare_steps(const void *a, const void *b)
{
    return strcmp(((const struct step *)a)->id, ((const struct step *)b)->id);
}

static int compare_chains(const void *a, const void *b)
{
    return strcmp(((const struct chain *)a)->order, ((const struct chain *)b)->order);
}

struct weir_sagas *weir_sagas_new(void)
{
    return calloc(1, sizeof(struct weir_sagas));
}

static void free_chain(void *item)
{
    struct chain *chain = item;

    for (struct weir_saga *saga = chain->newest, *older; saga != NULL; saga = older) {
        older = saga->older;
        weir_saga_free(saga);
    }
    free(chain->order);
    free(chain);
}

void weir_sagas_free(struct weir_sagas *sagas)
{
    if (sagas == NULL)
        return;
    tdestroy(sagas->steps, free);
    tdestroy(sagas->chains, free_chain);
    free(sagas);
}

size_t weir_sagas_count(const struct weir_sagas *sagas)
{
    return sagas->count;
}

/* ---- finding ---- */

static struct step *find_step(const struct weir_sagas *sagas, struct weir_bytes request)
{
    struct step wanted = {.item = 0};

    if (request.len != WEIR_ID_BYTES - 1)
        return NULL;
    memcpy(wanted.id, request.data, request.len);
    struct step *const *found = tfind(&wanted, &sagas->steps, compare_steps);
    return found != NULL ? *found : NULL;
}

static struct chain *find_chain(const struct weir_sagas *sagas, struct weir_bytes key)
{
    WEIR_CLEANUP(free) char *order = weir_bytes_dup(key);
    const struct chain wanted = {.order = order};

    if (order == NULL)
        return NULL;
    struct chain *const *found = tfind(&wanted, &sagas->chains, compare_chains);
    return found != NULL ? *found : NULL;
}

const struct weir_saga *weir_sagas_find_step(
    const struct weir_sagas *sagas, struct weir_bytes request, size_t *ret_item)
{
    const struct step *step = find_step(sagas, request);

    if (step == NULL)
        return NULL;
    *ret_item = step->item;
    return step->saga;
}

const struct weir_saga *weir_sagas_find_decision(
    const struct weir_sagas *sagas, struct weir_bytes key, struct weir_bytes request, size_t *ret_item)
{
    const struct chain *chain = find_chain(sagas, key);
    const struct weir_saga *saga = chain != NULL ? chain->newest : NULL;

    while (saga != NULL && !weir_saga_is_decision(saga, request, ret_item))
        saga = saga->older;
    return saga;
}

/* ---- beginning and ending ---- */

static int add_step(struct weir_sagas *sagas, struct weir_saga *saga, size_t item, struct weir_error *err)
{
    struct step *step = calloc(1, sizeof(*step));

    if (step != NULL) {
        *step = (struct step){.saga = saga, .item = item};
        weir_saga_reserve_id(saga->id, item, step->id);
    }
    if (step != NULL && tsearch(step, &sagas->steps, compare_steps) != NULL)
        return 0;
    free(step);
    return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

static struct chain *make_chain(struct weir_sagas *sagas, struct weir_bytes key)
{
    struct chain *chain = find_chain(sagas, key);

    if (chain != NULL)
        return chain;
    chain = calloc(1, sizeof(*chain));
    if (chain == NULL)
        return NULL;
    chain->order = weir_bytes_dup(key);
    if (chain->order != NULL && tsearch(chain, &sagas->chains, compare_chains) != NULL)
        return chain;
    free_chain(chain);
    return NULL;
}

/* Memory that runs out half way ends the process: the log is read again. */
static int open_saga(struct weir_sagas *sagas, struct weir_bytes key, struct weir_bytes request,
    struct weir_items *items, struct weir_error *err)
{
    struct weir_saga *saga = weir_saga_new(key, request, items);
    struct chain *chain = saga != NULL ? make_chain(sagas, key) : NULL;
    int code = 0;

    if (chain == NULL) {
        weir_saga_free(saga);
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    }
    if (chain->newest != NULL)
        chain->newest->withdrawn = true;
    saga->older = chain->newest;
    chain->newest = saga;
    sagas->count++;
    for (size_t i = 0; i < saga->items.count && code == 0; i++)
        code = add_step(sagas, saga, i, err);
    return code;
}

static void drop_steps(struct weir_sagas *sagas, const struct weir_saga *saga)
{
    struct step wanted;

    for (size_t i = 0; i < saga->items.count; i++) {
        weir_saga_reserve_id(saga->id, i, wanted.id);
        struct step *step = find_step(sagas, weir_bytes(wanted.id, WEIR_ID_BYTES - 1));
        tdelete(&wanted, &sagas->steps, compare_steps);
        free(step);
    }
}

static void close_saga(struct weir_sagas *sagas, struct chain *chain)
{
    struct weir_saga *saga = chain->newest;

    drop_steps(sagas, saga);
    chain->newest = saga->older;
    weir_saga_free(saga);
    sagas->count--;
    if (chain->newest != NULL)
        return;
    tdelete(chain, &sagas->chains, compare_chains);
    free_chain(chain);
}

/* ---- the change log ---- */

bool weir_status_is_end(const char *status)
{
    return status != NULL && (strcmp(status, "CANCELLED") == 0 || strcmp(status, "REJECTED") == 0);
}

static bool is_new(const char *status)
{
    return status == NULL || strcmp(status, "CREATED") == 0;
}

static int begin(struct weir_sagas *sagas, struct weir_bytes key, struct weir_bytes request,
    const json_t *document, struct weir_error *err)
{
    char first[WEIR_ID_BYTES];
    struct weir_items items;
    WEIR_CLEANUP(free) char *id = weir_bytes_dup(request);

    if (id == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    weir_saga_reserve_id(id, 0, first);
    if (find_step(sagas, weir_bytes_str(first)) != NULL)
        return 0;
    int code = weir_items_read(document, &items, err);
    if (code < 0 || items.count == 0) {
        weir_items_done(&items);
        return code == WEIR_E_INVALID ? 0 : code;
    }
    return open_saga(sagas, key, request, &items, err);
}

static int go_on(struct weir_sagas *sagas, struct chain *chain, struct weir_bytes request,
    const json_t *document, struct weir_error *err)
{
    const char *status = json_string_value(json_object_get(document, "status"));
    size_t item;

    if (weir_saga_is_decision(chain->newest, request, &item)) {
        close_saga(sagas, chain);
        return 0;
    }
    chain->newest->withdrawn = weir_status_is_end(status);
    chain->newest->moved_on = !is_new(status);
    return weir_saga_add_version(chain->newest, request, err);
}

static int apply(struct weir_sagas *sagas, struct weir_bytes key, const json_t *event, struct weir_error *err)
{
    const char *op = json_string_value(json_object_get(event, "op"));
    const json_t *request = json_object_get(event, "request"), *after = json_object_get(event, "after");
    const struct weir_bytes id = weir_bytes(json_string_value(request), json_string_length(request));
    struct chain *chain = find_chain(sagas, key);

    if (op == NULL || id.data == NULL)
        return 0;
    if (strcmp(op, "c") == 0)
        return is_new(json_string_value(json_object_get(after, "status"))) ? begin(sagas, key, id, after, err)
                                                                           : 0;
    if (chain != NULL && strcmp(op, "d") == 0)
        chain->newest->withdrawn = true;
    else if (chain != NULL && strcmp(op, "u") == 0)
        return go_on(sagas, chain, id, after, err);
    return 0;
}

int weir_sagas_apply(
    struct weir_sagas *sagas, struct weir_bytes key, struct weir_bytes value, struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *event = NULL;

    if (value.data == NULL || weir_key_check(key, NULL) < 0)
        return 0;
    int code = weir_json_parse_event(value, &event, NULL);
    if (code < 0)
        return code == WEIR_E_INTERNAL ? weir_error_set(err, code, "out of memory") : 0;
    return apply(sagas, key, event, err);
}
