/* A document's way: /journeys/{collection}/{key}?mark=&wait=. Its last requests of the last day, the newest
 * first, each from its acceptance to its end, and the document's last change, however long ago it was. With
 * the Weir-Mark of an answer as `mark`: once there is another one, or 304 after the wait. */
#include "consumers/plugins/store/keys.h"
#include "consumers/plugins/store/reads.h"
#include "consumers/plugins/store/requests.h"

#include <inttypes.h>

enum { REQUESTS_MAX = 20, MARK_BYTES = 80 };

struct journey {
    const struct weir_read *read;
    const struct weir_source *source;
    int32_t partition;
    struct weir_bytes key;
    size_t prefix_len;
    struct {
        size_t len;
        char id[WEIR_REQUEST_BYTES];
    } requests[REQUESTS_MAX];
    size_t count;
    bool more;
};

static bool is_known(const struct journey *journey, struct weir_bytes id)
{
    for (size_t i = 0; i < journey->count; i++)
        if (weir_bytes_equal(weir_bytes(journey->requests[i].id, journey->requests[i].len), id))
            return true;
    return false;
}

/* A request that was driven again may stand in two hours. */
static bool take_request(void *context, struct weir_bytes entry, struct weir_bytes id)
{
    struct journey *journey = context;

    if (entry.len != journey->prefix_len + 8 || id.len > WEIR_REQUEST_BYTES || is_known(journey, id))
        return true;
    journey->more = journey->count == REQUESTS_MAX;
    if (journey->more)
        return false;
    memcpy(journey->requests[journey->count].id, id.data, id.len);
    journey->requests[journey->count++].len = id.len;
    return true;
}

static int find_requests(struct journey *journey, struct weir_error *err)
{
    char out[WEIR_HISTORY_KEY_BYTES];
    struct weir_bytes prefix =
        weir_history_prefix(journey->source->number, journey->partition, journey->key, out);

    journey->prefix_len = prefix.len;
    return weir_db_hours_each(journey->read->store->db, prefix, take_request, journey, err);
}

static void append_accepted(
    const struct journey *journey, const struct weir_ending *ending, struct weir_buffer *out)
{
    char at[WEIR_POSITION_BYTES];

    weir_position_write(journey->source->topic, ending->partition, ending->offset, at);
    weir_buffer_printf(out, ",\"accepted\":{\"at\":");
    weir_buffer_append_json_string(out, weir_bytes_str(at));
    if (ending->accepted_ms >= 0)
        weir_buffer_printf(out, ",\"ts_ms\":%" PRId64, ending->accepted_ms);
    weir_buffer_append_str(out, "}");
}

/* Of a letter only the partition is known here. */
static void append_letter(
    const struct journey *journey, const struct weir_ending *ending, struct weir_buffer *out)
{
    char topic[WEIR_TOPIC_NAME_BYTES];

    if (ending->kind != WEIR_EFFECT_REFUSED ||
        weir_topic_of_service(
            journey->source->topic, journey->read->store->host->service, "dlq", topic, NULL) < 0)
        return;
    weir_buffer_append_str(out, ",\"letter\":{\"topic\":");
    weir_buffer_append_json_string(out, weir_bytes_str(topic));
    weir_buffer_printf(out, ",\"partition\":%" PRId32 "}", ending->partition);
}

/* The store has no RETRY: each life of a command is one execution. */
static void append_request(const struct journey *journey, struct weir_bytes id,
    const struct weir_ending *ending, struct weir_buffer *out)
{
    weir_buffer_append_str(out, "{\"request\":");
    weir_buffer_append_json_string(out, id);
    append_accepted(journey, ending, out);
    weir_buffer_printf(out, ",\"executions\":%" PRIu32 ",\"ended\":{\"ts_ms\":%" PRId64,
        ending->redrive_count + 1, ending->ts_ms);
    weir_read_append_outcome(ending, out);
    weir_read_append_change(journey->source, journey->partition, ending, out);
    append_letter(journey, ending, out);
    weir_buffer_append_str(out, "}}");
}

static int append_requests(const struct journey *journey, struct weir_buffer *out, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer stored = {0};
    struct weir_ending ending;
    const char *separator = "";

    weir_buffer_append_str(out, ",\"requests\":[");
    for (size_t i = 0; i < journey->count; i++) {
        struct weir_bytes id = weir_bytes(journey->requests[i].id, journey->requests[i].len);
        int r = weir_requests_find(
            journey->read->store, journey->source, journey->partition, id, &stored, &ending, err);
        if (r == WEIR_E_NOT_FOUND)
            continue; /* its hour was dropped just now */
        if (r < 0)
            return r;
        weir_buffer_append_str(out, separator);
        append_request(journey, id, &ending, out);
        separator = ",";
    }
    weir_buffer_printf(out, "],\"more\":%s", journey->more ? "true" : "false");
    return 0;
}

/* *ret_exists: whether there is a document. */
static int append_document(
    const struct journey *journey, struct weir_buffer *out, bool *ret_exists, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer stored = {0};
    struct weir_document document;
    char key[WEIR_STORE_KEY_BYTES];

    int r = weir_db_get(journey->read->store->db,
        weir_key_write(WEIR_KEY_DOCUMENT, journey->source->number, journey->partition, journey->key, key),
        &stored, err);
    *ret_exists = r == 0;
    weir_buffer_append_str(out, ",\"document\":");
    if (r == WEIR_E_NOT_FOUND)
        weir_buffer_append_str(out, "null");
    if (r < 0)
        return r == WEIR_E_NOT_FOUND ? 0 : r;
    r = weir_document_read(weir_buffer_bytes(&stored), &document, err);
    if (r < 0)
        return r;
    weir_buffer_printf(
        out, "{\"version\":%" PRIu64 ",\"ts_ms\":%" PRId64, document.version, document.changed_ms);
    weir_read_append_member(out, "request", document.request);
    weir_buffer_append_str(out, "}");
    return 0;
}

static int write_journey(
    struct journey *journey, struct weir_buffer *out, bool *ret_exists, struct weir_error *err)
{
    const struct weir_partition *own = &journey->source->partitions[journey->partition];

    weir_buffer_append_str(out, "{\"collection\":");
    weir_buffer_append_json_string(out, weir_bytes_str(journey->source->collection->name));
    weir_read_append_member(out, "key", journey->key);
    weir_read_append_member(out, "waiting", weir_bytes_str(atomic_load(&own->waits_for)));
    int r = append_document(journey, out, ret_exists, err);
    if (r == 0)
        r = find_requests(journey, err);
    if (r == 0)
        r = append_requests(journey, out, err);
    weir_buffer_append_str(out, "}");
    return r == 0 && out->failed ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory") : r;
}

/* As long as it is the same, so is the journey: nothing of the key has ended here since, and the partition
 * was here all the time. */
static void write_mark(const struct journey *journey, uint64_t state, char out[static MARK_BYTES])
{
    const struct weir_marks *marks = &journey->read->store->marks;
    const struct weir_partition *own = &journey->source->partitions[journey->partition];

    snprintf(out, MARK_BYTES, "%016" PRIx64 "-%" PRIx64 "-%" PRIx32 "-%d", marks->life, state,
        weir_marks_read(marks, journey->key), atomic_load(&own->waits_for) != NULL);
}

/* Whether the client has this journey; then the reply is "later", or 304 when it has waited long enough. */
static bool is_known_already(
    const struct weir_read *read, const struct weir_read_wait *wait, const char *mark)
{
    const char *known = read->store->host->request_query(read->request, "mark");

    if (known == NULL || strcmp(known, mark) != 0)
        return false;
    if (!weir_read_waits(read, wait))
        read->store->host->reply_body(read->reply, 304, "application/json", weir_bytes("", 0));
    return true;
}

static void reply_journey(
    const struct journey *journey, struct weir_bytes body, bool exists, const char *mark)
{
    const struct weir_host *host = journey->read->store->host;
    struct weir_http_reply *reply = journey->read->reply;

    if (exists || journey->count > 0) {
        host->reply_body(reply, 200, "application/json", body);
        host->reply_header(reply, "Weir-Mark", mark);
        return;
    }
    host->reply_problem(reply, 404, "there is no such document, and no request for it within the last day");
    host->reply_header(reply, "Weir-Version", "0");
}

void weir_read_answer_journey(const struct weir_read *read, const char *rest)
{
    WEIR_CLEANUP(buffer) struct weir_buffer body = {0};
    struct journey journey = {.read = read, .count = 0};
    struct weir_error err;
    struct weir_read_wait wait;
    char mark[MARK_BYTES];
    bool exists = false;

    if (!weir_read_find_document(read, rest, &journey.source, &journey.key) ||
        !weir_read_take_wait(read, &wait))
        return;
    journey.partition = weir_topic_partition(journey.key, journey.source->partition_count);
    const struct weir_partition *own = &journey.source->partitions[journey.partition];
    uint64_t state = atomic_load(&own->state);
    if (!weir_read_is_served(read, own))
        return;
    write_mark(&journey, state, mark);
    if (is_known_already(read, &wait, mark))
        return;
    int r = write_journey(&journey, &body, &exists, &err);
    if (atomic_load(&own->state) != state)
        return weir_read_reply_unavailable(read, "this partition is moving");
    if (r == 0)
        return reply_journey(&journey, weir_buffer_bytes(&body), exists, mark);
    weir_store_log(read->store, WEIR_SAY_ERROR, "store.read.failed", "reason=\"%s\"", err.text);
    read->store->host->reply_problem(read->reply, 500, "the journey can't be read");
}
