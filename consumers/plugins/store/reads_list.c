/* The documents of one partition, in the order of their keys or of an indexed field:
 *
 *     /lists/{collection}/{partition}?limit=&after=&order=desc
 *     …&index=PATH and one of: equal=JSON, prefix=TEXT, or bounds: from=JSON (inclusive), below=JSON
 * (exclusive)
 *
 * Answers {"rows":[{"place":HEX,"version":…,"request":…,"document":{…}},…],"more":true|false}. Places sort as
 * the rows do, over all partitions; `after` is the place of the last row that was read, and stays good
 * whatever is written meanwhile. */
#include "consumers/plugins/store/reads.h"

#include "common/json.h"
#include "consumers/plugins/store/document.h"
#include "consumers/plugins/store/indexes.h"

#include <inttypes.h>

enum {
    LIMIT = 100,
    LIMIT_MAX = 1000,
    BODY_BYTES_MAX = 4 << 20,
    PLACE_BYTES = WEIR_INDEX_VALUE_BYTES + WEIR_KEY_BYTES
};

/* A list that is asked for. Its keys are prefix + place. */
struct list {
    const struct weir_read *read;
    const struct weir_source *source;
    int32_t partition;
    size_t index; /* SIZE_MAX: by key */
    char prefix[WEIR_INDEX_KEY_BYTES];
    size_t prefix_len;
    struct weir_buffer from, to; /* the range of keys: from ≤ key < to */
    bool descending;
    int64_t limit;
    struct weir_db_view *view;
    struct weir_buffer stored, body;
    int64_t count;
    bool more;
    int r;
    struct weir_error err;
};

static void weir_cleanup_list(struct list *list)
{
    weir_db_view_close(list->view);
    weir_buffer_done(&list->from);
    weir_buffer_done(&list->to);
    weir_buffer_done(&list->stored);
    weir_buffer_done(&list->body);
}

static const char *query(const struct list *list, const char *name)
{
    return list->read->store->host->request_query(list->read->request, name);
}

static bool refuse(const struct list *list, const char *why)
{
    list->read->store->host->reply_problem(list->read->reply, 400, why);
    return false;
}

/* ---- what is asked for ---- */

static bool read_place(struct list *list, const char *rest)
{
    const char *slash = strchr(rest, '/');
    char *end = NULL;

    list->source =
        slash != NULL ? weir_read_find_collection(list->read->store, rest, (size_t)(slash - rest)) : NULL;
    if (list->source == NULL || slash[1] < '0' || slash[1] > '9')
        return false;
    long number = strtol(slash + 1, &end, 10);
    list->partition = (int32_t)number;
    return *end == '\0' && number < list->source->partition_count;
}

static bool find_index(struct list *list)
{
    const char *path = query(list, "index");

    list->index = SIZE_MAX;
    if (path == NULL)
        return true;
    for (size_t i = 0; i < list->source->index_count; i++)
        if (strcmp(list->source->indexes[i], path) == 0) {
            list->index = i;
            return true;
        }
    return refuse(list, "index: the collection has no such index");
}

static void set_bound(
    const struct list *list, struct weir_buffer *bound, struct weir_bytes place, bool behind)
{
    static const char last = '\xff'; /* no key holds this byte, and no value ends before it */

    weir_buffer_clear(bound);
    weir_buffer_append(bound, list->prefix, list->prefix_len);
    weir_buffer_append_bytes(bound, place);
    if (behind)
        weir_buffer_append(bound, &last, 1);
}

/* The bound of a parameter; true without one, too. false: 400 is the reply. */
static bool take_bound(struct list *list, const char *name, struct weir_buffer *bound, bool behind)
{
    char value[WEIR_INDEX_VALUE_BYTES];
    const char *text = query(list, name);
    WEIR_CLEANUP(json) json_t *parsed = NULL;

    if (text == NULL)
        return true;
    bool valid = weir_json_parse(weir_bytes_str(text), &parsed, NULL) == 0;
    size_t len = valid ? weir_index_encode(weir_bytes_str(text), value) : 0;
    if (len == 0)
        return refuse(list, "equal, from and below are a number, true, false, or a string in quotes");
    set_bound(list, bound, weir_bytes(value, len), behind);
    /* The other end, unless it is asked for: values of that kind only. */
    if (bound == &list->from)
        set_bound(list, &list->to, weir_bytes((char[]){(char)(value[0] + 1)}, 1), false);
    else if (query(list, "from") == NULL && query(list, "equal") == NULL)
        set_bound(list, &list->from, weir_bytes(value, 1), false);
    return true;
}

static void take_prefix(struct list *list)
{
    char value[WEIR_INDEX_VALUE_BYTES];
    const char *text = query(list, "prefix");

    if (text == NULL)
        return;
    struct weir_bytes place = weir_bytes(value, weir_index_encode_text(weir_bytes_str(text), true, value));
    set_bound(list, &list->from, place, false);
    set_bound(list, &list->to, place, true);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Moves the bound where the last read ended; a place behind the range leaves it empty. */
static bool take_after(struct list *list)
{
    char place[PLACE_BYTES];
    const char *text = query(list, "after");
    size_t len = text != NULL ? strlen(text) : 0;

    if (len == 0)
        return true;
    if (len % 2 != 0 || len / 2 > sizeof(place))
        return refuse(list, "after is no place in a list");
    for (size_t i = 0; i < len; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0)
            return refuse(list, "after is no place in a list");
        place[i / 2] = (char)(high * 16 + low);
    }
    struct weir_buffer *bound = list->descending ? &list->to : &list->from;
    set_bound(list, bound, weir_bytes(place, len / 2), false);
    if (!list->descending)
        weir_buffer_append(bound, "", 1);
    return true;
}

static bool take_range(struct list *list)
{
    const char *order = query(list, "order"), *limit = query(list, "limit");
    char *end = NULL;

    list->descending = order != NULL && strcmp(order, "desc") == 0;
    list->limit = limit != NULL ? strtoll(limit, &end, 10) : LIMIT;
    if (limit != NULL && (*end != '\0' || list->limit < 1 || list->limit > LIMIT_MAX))
        return refuse(list, "limit is a number from 1 to 1000");
    set_bound(list, &list->from, weir_bytes("", 0), false);
    set_bound(list, &list->to, weir_bytes("", 0), true);
    if (list->index != SIZE_MAX) {
        if (!take_bound(list, "equal", &list->from, false) || !take_bound(list, "equal", &list->to, true) ||
            !take_bound(list, "from", &list->from, false) || !take_bound(list, "below", &list->to, false))
            return false;
        take_prefix(list);
    }
    return take_after(list) && !list->from.failed && !list->to.failed;
}

static void write_prefix(struct list *list)
{
    struct weir_bytes prefix =
        list->index != SIZE_MAX ? weir_index_prefix(list->source, list->partition, list->index, list->prefix)
                                : weir_key_write(WEIR_KEY_DOCUMENT, list->source->number, list->partition,
                                      WEIR_BYTES_NULL, list->prefix);
    list->prefix_len = prefix.len;
}

/* ---- rows ---- */

static void append_row(struct list *list, struct weir_bytes place, const struct weir_document *document)
{
    weir_buffer_append_str(&list->body, list->count > 0 ? ",{\"place\":\"" : "{\"place\":\"");
    for (size_t i = 0; i < place.len; i++)
        weir_buffer_printf(&list->body, "%02x", (unsigned char)place.data[i]);
    weir_buffer_printf(&list->body, "\",\"version\":%" PRIu64 ",\"request\":", document->version);
    weir_buffer_append_json_string(&list->body, document->request);
    weir_buffer_append_str(&list->body, ",\"document\":");
    weir_buffer_append_bytes(&list->body, document->text);
    weir_buffer_append_str(&list->body, "}");
    list->count++;
}

/* The document key at the end of an index entry: behind the value, whose length its tag tells. */
static struct weir_bytes key_of(const struct list *list, struct weir_bytes place)
{
    if (list->index == SIZE_MAX)
        return place;
    size_t len = weir_index_value_length(place);
    return weir_bytes(place.data + len, place.len - len);
}

static bool visit(void *context, struct weir_bytes key, struct weir_bytes value)
{
    struct list *list = context;
    struct weir_bytes place = weir_bytes(key.data + list->prefix_len, key.len - list->prefix_len);
    struct weir_document document;
    char stored_key[WEIR_STORE_KEY_BYTES];

    list->more = list->count == list->limit || list->body.len > BODY_BYTES_MAX;
    if (list->more)
        return false;
    if (list->index != SIZE_MAX) {
        list->r = weir_db_view_get(list->view,
            weir_key_write(
                WEIR_KEY_DOCUMENT, list->source->number, list->partition, key_of(list, place), stored_key),
            &list->stored, &list->err);
        value = weir_buffer_bytes(&list->stored);
    }
    if (list->r == 0)
        list->r = weir_document_read(value, &document, &list->err);
    if (list->r == 0)
        append_row(list, place, &document);
    return list->r == 0;
}

static void reply_rows(struct list *list)
{
    const struct weir_host *host = list->read->store->host;

    weir_buffer_append_str(&list->body, "{\"rows\":[");
    list->r = weir_db_view_open(list->read->store->db, &list->view, &list->err);
    if (list->r == 0) {
        int r = weir_db_view_range(list->view, weir_buffer_bytes(&list->from), weir_buffer_bytes(&list->to),
            list->descending, visit, list, &list->err);
        list->r = list->r < 0 ? list->r : r;
    }
    if (list->r < 0) {
        weir_store_log(
            list->read->store, WEIR_SAY_ERROR, "store.read.failed", "reason=\"%s\"", list->err.text);
        host->reply_problem(list->read->reply, 500, "the documents can't be read");
        return;
    }
    weir_buffer_append_str(&list->body, list->more ? "],\"more\":true}" : "],\"more\":false}");
    host->reply_body(list->read->reply, 200, "application/json", weir_buffer_bytes(&list->body));
}

void weir_read_answer_list(const struct weir_read *read, const char *rest)
{
    WEIR_CLEANUP(list) struct list list = {.read = read};

    if (!read_place(&list, rest))
        return weir_read_reply_no_page(read);
    const struct weir_partition *own = &list.source->partitions[list.partition];
    uint64_t state = atomic_load(&own->state);
    if (!find_index(&list) || !weir_read_is_served(read, own))
        return;
    write_prefix(&list);
    if (!take_range(&list))
        return;
    if (list.index != SIZE_MAX && !atomic_load(&own->indexed))
        return weir_read_reply_unavailable(read, "this index is being built");
    reply_rows(&list);
    if (atomic_load(&own->state) != state)
        weir_read_reply_unavailable(read, "this partition is moving");
}
