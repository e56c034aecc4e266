/* The store's reads over HTTP. These run on the listener's threads, beside the loop. */
#include "consumers/plugins/store/keys.h"
#include "consumers/plugins/store/store.h"

#include <inttypes.h>
#include <time.h>

enum { HTTP_DATE_BYTES = 64, NUMBER_BYTES = 24 };

static const char retry_after_s[] = "1";

/* Equal in a time that does not tell where they differ. */
static bool is_same_secret(const char *given, const char *wanted)
{
    size_t given_len = strlen(given), wanted_len = strlen(wanted);
    volatile unsigned char difference = given_len != wanted_len;

    for (size_t i = 0; i < wanted_len; i++)
        difference |= (unsigned char)(wanted[i] ^ (given_len > 0 ? given[i % given_len] : '\0'));
    return difference == 0;
}

static bool may_read(const struct weir_store *store, const struct weir_http_request *request)
{
    const char *given = store->host->request_header(request, "Weir-Peer");
    return store->settings->peer_secret == NULL ||
           (given != NULL && is_same_secret(given, store->settings->peer_secret));
}

static const struct weir_source *find_collection(const struct weir_store *store, const char *name, size_t len)
{
    for (size_t i = 0; i < store->source_count; i++) {
        const char *own = store->sources[i].collection->name;
        if (strlen(own) == len && memcmp(own, name, len) == 0)
            return &store->sources[i];
    }
    return NULL;
}

/* IMF-fixdate of RFC 9110 §5.6.7. */
static void write_http_date(int64_t wall_ms, char out[static HTTP_DATE_BYTES])
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc = {0};
    char clock[16];

    gmtime_r(&seconds, &utc);
    strftime(clock, sizeof(clock), "%H:%M:%S", &utc);
    snprintf(out, HTTP_DATE_BYTES, "%s, %02d %s %d %s GMT", days[utc.tm_wday], utc.tm_mday,
        months[utc.tm_mon], utc.tm_year + 1900, clock);
}

static void reply_unavailable(const struct weir_store *store, struct weir_http_reply *reply, const char *why)
{
    store->host->reply_problem(reply, 503, why);
    store->host->reply_header(reply, "Retry-After", retry_after_s);
}

static void reply_document(
    const struct weir_store *store, const struct weir_document *document, struct weir_http_reply *reply)
{
    char tag[WEIR_REQUEST_BYTES + 3], date[HTTP_DATE_BYTES], version[NUMBER_BYTES];

    snprintf(tag, sizeof(tag), "\"%.*s\"", (int)document->request.len, document->request.data);
    snprintf(version, sizeof(version), "%" PRIu64, document->version);
    write_http_date(document->changed_ms, date);
    store->host->reply_body(reply, 200, "application/json", document->text);
    store->host->reply_header(reply, "ETag", tag);
    store->host->reply_header(reply, "Last-Modified", date);
    store->host->reply_header(reply, "Weir-Version", version);
}

/* Answers what was found, unless the partition was given up while it was looked for. */
static void reply_found(const struct weir_store *store, int found, struct weir_bytes stored,
    const struct weir_error *err, struct weir_http_reply *reply)
{
    struct weir_document document;

    if (found == WEIR_E_NOT_FOUND) {
        store->host->reply_problem(reply, 404, "there is no such document");
        store->host->reply_header(reply, "Weir-Version", "0");
    } else if (found < 0 || weir_document_read(stored, &document, NULL) < 0) {
        weir_store_log(store, WEIR_SAY_ERROR, "store.read.failed", "reason=\"%s\"",
            found < 0 ? err->text : "damaged document");
        store->host->reply_problem(reply, 500, "the document can't be read");
    } else
        reply_document(store, &document, reply);
}

static void read_document(struct weir_store *store, const struct weir_source *source, struct weir_bytes key,
    struct weir_http_reply *reply)
{
    WEIR_CLEANUP(buffer) struct weir_buffer stored = {0};
    struct weir_error err;
    char stored_key[WEIR_STORE_KEY_BYTES];
    int32_t partition = weir_topic_partition(key, source->partition_count);
    const struct weir_partition *own = &source->partitions[partition];

    uint64_t state = atomic_load(&own->state);
    if (weir_partition_state(own) == WEIR_PARTITION_FOREIGN)
        return reply_unavailable(store, reply, "another instance keeps this partition");
    if (weir_partition_state(own) == WEIR_PARTITION_RESTORING)
        return reply_unavailable(store, reply, "this partition is being restored from its change topic");
    int found = weir_db_get(store->db,
        weir_key_write(WEIR_KEY_DOCUMENT, source->number, partition, key, stored_key), &stored, &err);
    if (atomic_load(&own->state) != state)
        return reply_unavailable(store, reply, "this partition is moving");
    reply_found(store, found, weir_buffer_bytes(&stored), &err, reply);
}

/* rest: "orders/o-1"; the key is all behind the first slash. */
static void answer_document(struct weir_store *store, const char *rest, struct weir_http_reply *reply)
{
    const char *slash = strchr(rest, '/');
    struct weir_bytes key = weir_bytes_str(slash != NULL ? slash + 1 : "");
    const struct weir_source *source =
        slash != NULL ? find_collection(store, rest, (size_t)(slash - rest)) : NULL;

    if (source == NULL)
        store->host->reply_problem(reply, 404, "this store keeps no such collection");
    else if (weir_key_check(key, NULL) < 0)
        store->host->reply_problem(
            reply, 404, "a key has 1 to 255 bytes of UTF-8 without control characters");
    else
        read_document(store, source, key, reply);
}

static void append_position(const struct weir_source *source, int32_t partition, struct weir_buffer *out)
{
    static const char *const states[] = {"foreign", "restoring", "serving", ""};
    const struct weir_partition *own = &source->partitions[partition];

    weir_buffer_printf(out,
        "%s{\"collection\":\"%s\",\"topic\":\"%s\",\"partition\":%" PRId32
        ",\"state\":\"%s\",\"checkpoint\":",
        out->data[out->len - 1] == '[' ? "" : ",", source->collection->name, source->changes_topic, partition,
        states[weir_partition_state(own)]);
    int64_t checkpoint = atomic_load(&own->checkpoints[WEIR_STORE_CHANGES]);
    if (checkpoint < 0)
        weir_buffer_append_str(out, "null}");
    else
        weir_buffer_printf(out, "%" PRId64 "}", checkpoint);
}

static void answer_positions(struct weir_store *store, const char *rest, struct weir_http_reply *reply)
{
    WEIR_CLEANUP(buffer) struct weir_buffer body = {0};

    if (rest[0] != '\0') {
        store->host->reply_problem(reply, 404, "there is no such page");
        return;
    }
    weir_buffer_append_str(&body, "{\"instance\":");
    weir_buffer_append_json_string(&body, weir_bytes_str(store->host->instance));
    weir_buffer_append_str(&body, ",\"partitions\":[");
    for (size_t i = 0; !body.failed && i < store->source_count; i++)
        for (int32_t p = 0; !body.failed && p < store->sources[i].partition_count; p++)
            append_position(&store->sources[i], p, &body);
    weir_buffer_append_str(&body, "]}");
    store->host->reply_body(reply, 200, "application/json", weir_buffer_bytes(&body));
}

static const struct {
    const char *path;
    void (*answer)(struct weir_store *store, const char *rest, struct weir_http_reply *reply);
} routes[] = {{"/documents/", answer_document}, {"/positions", answer_positions}};

static void answer_route(struct weir_store *store, const char *path, struct weir_http_reply *reply)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (strncmp(path, routes[i].path, strlen(routes[i].path)) == 0)
            return routes[i].answer(store, path + strlen(routes[i].path), reply);
    store->host->reply_problem(reply, 404, "there is no such page");
}

void weir_store_answer(void *context, const struct weir_http_request *request, struct weir_http_reply *reply)
{
    struct weir_store *store = context;
    const char *method = store->host->request_method(request);

    if (!may_read(store, request)) {
        store->host->reply_problem(reply, 403, "the header Weir-Peer is missing or wrong");
    } else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        store->host->reply_problem(reply, 405, "the store's documents are changed by commands only");
        store->host->reply_header(reply, "Allow", "GET, HEAD");
    } else {
        answer_route(store, store->host->request_path(request), reply);
    }
}
