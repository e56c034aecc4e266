#include "gateway/list_query.h"

#include "common/json.h"
#include "gateway/query.h"
#include "gateway/read_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 256, VALUE_BYTES = 2100 };

struct turn {
    const struct weir_collection *collection;
    struct weir_list_query *query;
    char member[NAME_BYTES]; /* "": none yet */
    struct weir_error *err;
};

static int refuse(struct turn *turn, const char *name, const char *why)
{
    return weir_error_set(turn->err, WEIR_E_INVALID, "%.200s: %s", name, why);
}

static void append_pair(struct weir_buffer *out, const char *name, struct weir_bytes value)
{
    weir_buffer_printf(out, "%s%s=", out->len > 0 ? "&" : "", name);
    weir_read_append_escaped(out, value);
}

static int take_limit(struct turn *turn, const char *value)
{
    char *end = NULL;
    turn->query->limit = strtol(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || turn->query->limit < 1 ||
        turn->query->limit > WEIR_LIST_LIMIT_MAX)
        return refuse(turn, "limit", "a number from 1 to 1000");
    return 0;
}

static int take_order(struct turn *turn, const char *value)
{
    turn->query->descending = strcmp(value, "desc") == 0;
    if (!turn->query->descending && strcmp(value, "asc") != 0)
        return refuse(turn, "order", "asc or desc");
    append_pair(&turn->query->store, "order", weir_bytes_str(value));
    return 0;
}

static int take_cursor(struct turn *turn, const char *value)
{
    if (value[strspn(value, "0123456789abcdef")] != '\0')
        return refuse(turn, "cursor", "is none that was given");
    append_pair(&turn->query->store, "after", weir_bytes_str(value));
    return 0;
}

static const struct {
    const char *name;
    int (*take)(struct turn *turn, const char *value);
} own[] = {{"limit", take_limit}, {"order", take_order}, {"cursor", take_cursor}};

/* ---- members ---- */

static bool is_indexed(const struct weir_collection *collection, const char *member)
{
    for (size_t i = 0; collection->indexes != NULL && collection->indexes[i] != NULL; i++) {
        if (strcmp(collection->indexes[i], member) == 0)
            return true;
    }
    return false;
}

/* What is JSON already stays so, objects and arrays apart; the rest is a string. */
static void append_value(struct weir_buffer *out, const char *name, const char *value)
{
    WEIR_CLEANUP(json) json_t *parsed = NULL;
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    bool is_json = weir_json_parse(weir_bytes_str(value), &parsed, NULL) == 0 && !json_is_object(parsed) &&
                   !json_is_array(parsed) && !json_is_null(parsed);
    if (is_json)
        weir_buffer_append_str(&text, value);
    else
        weir_buffer_append_json_string(&text, weir_bytes_str(value));
    append_pair(out, name, weir_buffer_bytes(&text));
}

/* "total[from]" becomes "total", and the store's word for it is the answer; NULL for an unknown one. */
static const char *cut_comparison(char *name)
{
    static const struct {
        const char *suffix, *store;
    } words[] = {{"[prefix]", "prefix"}, {"[from]", "from"}, {"[below]", "below"}};
    char *bracket = strchr(name, '[');
    if (bracket == NULL)
        return "equal";
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(bracket, words[i].suffix) == 0) {
            *bracket = '\0';
            return words[i].store;
        }
    }
    return NULL;
}

static int take_member(struct turn *turn, char *name, const char *value)
{
    struct weir_buffer *out = &turn->query->store;
    const char *comparison = cut_comparison(name);
    if (comparison == NULL)
        return refuse(turn, name, "a member is compared by =, [prefix], [from] or [below]");
    if (!is_indexed(turn->collection, name))
        return refuse(turn, name, "the collection has no such index");
    if (turn->member[0] != '\0' && strcmp(turn->member, name) != 0)
        return refuse(turn, name, "documents are found by one member at a time");
    if (turn->member[0] == '\0')
        append_pair(out, "index", weir_bytes_str(name));
    snprintf(turn->member, sizeof(turn->member), "%s", name);
    if (strcmp(comparison, "prefix") == 0)
        append_pair(out, comparison, weir_bytes_str(value));
    else
        append_value(out, comparison, value);
    return 0;
}

/* ---- parameters ---- */

static int take(struct turn *turn, char *name, const char *value)
{
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcmp(own[i].name, name) == 0)
            return own[i].take(turn, value);
    }
    return take_member(turn, name, value);
}

static int take_parameter(struct turn *turn, const struct weir_query_pair *pair)
{
    char name[NAME_BYTES], value[VALUE_BYTES];
    if (weir_query_decode(pair->name, name, sizeof(name), NULL) < 0 ||
        weir_query_decode(pair->value, value, sizeof(value), NULL) < 0)
        return refuse(turn, "query", "a parameter is too long");
    bool is_cursor = strcmp(name, "cursor") == 0;
    if (!is_cursor) {
        weir_buffer_append_bytes(&turn->query->link, pair->text);
        weir_buffer_append_str(&turn->query->link, "&");
    }
    return take(turn, name, value);
}

int weir_list_query_read(const char *base_path, const struct weir_collection *collection, const char *target,
    struct weir_list_query *ret_query, struct weir_error *err)
{
    struct turn turn = {.collection = collection, .query = ret_query, .err = err};
    struct weir_bytes rest = weir_query_of(target);
    struct weir_query_pair pair;
    int rc = 0;
    *ret_query = (struct weir_list_query){.limit = WEIR_LIST_LIMIT};
    weir_buffer_printf(&ret_query->link, "%s/v1/%s?", base_path, collection->name);
    while (rc == 0 && weir_query_next(&rest, &pair))
        rc = take_parameter(&turn, &pair);
    char limit[24];
    snprintf(limit, sizeof(limit), "%ld", ret_query->limit);
    append_pair(&ret_query->store, "limit", weir_bytes_str(limit));
    if (rc == 0 && (ret_query->store.failed || ret_query->link.failed))
        rc = weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    return rc;
}

void weir_list_query_done(struct weir_list_query *query)
{
    weir_buffer_done(&query->store);
    weir_buffer_done(&query->link);
}
