/* The store's reads over HTTP: documents, and where the partitions stand. */
#include "consumers/plugins/store/reads.h"

#include "consumers/plugins/store/keys.h"
#include "consumers/plugins/store/snapshot.h"

#include <inttypes.h>
#include <time.h>

enum { HTTP_DATE_BYTES = 64, NUMBER_BYTES = 24, WAIT_MS_MAX = 60000 };

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

const struct weir_source *weir_read_find_collection(
    const struct weir_store *store, const char *name, size_t len)
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

void weir_read_reply_no_page(const struct weir_read *read)
{
    read->store->host->reply_problem(read->reply, 404, "there is no such page");
}

void weir_read_reply_unavailable(const struct weir_read *read, const char *why)
{
    read->store->host->reply_problem(read->reply, 503, why);
    read->store->host->reply_header(read->reply, "Retry-After", retry_after_s);
}

bool weir_read_is_served(const struct weir_read *read, const struct weir_partition *own)
{
    enum weir_partition_state state = weir_partition_state(own);

    if (state == WEIR_PARTITION_FOREIGN)
        weir_read_reply_unavailable(read, "another instance keeps this partition");
    else if (state == WEIR_PARTITION_STANDBY)
        weir_read_reply_unavailable(read, "another instance keeps this partition, here is a standby of it");
    else if (state == WEIR_PARTITION_RESTORING)
        weir_read_reply_unavailable(read, "this partition is being restored from its topics");
    return state == WEIR_PARTITION_SERVING;
}

/* A query parameter that is a number; *ret_number stays as it is without one. */
static bool take_number(const struct weir_read *read, const char *name, int64_t *ret_number)
{
    const char *text = read->store->host->request_query(read->request, name);
    char *end = NULL;

    if (text == NULL)
        return true;
    *ret_number = strtoll(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

bool weir_read_take_wait(const struct weir_read *read, struct weir_read_wait *ret_wait)
{
    *ret_wait = (struct weir_read_wait){.offset = -1, .wait_ms = 0};
    if (take_number(read, "offset", &ret_wait->offset) && take_number(read, "wait", &ret_wait->wait_ms))
        return true;
    read->store->host->reply_problem(read->reply, 400, "offset and wait are numbers");
    return false;
}

bool weir_read_waits(const struct weir_read *read, const struct weir_read_wait *wait)
{
    const struct weir_host *host = read->store->host;
    int64_t wait_ms = wait->wait_ms < WAIT_MS_MAX ? wait->wait_ms : WAIT_MS_MAX;

    if (host->request_waited_ms(read->request) >= wait_ms)
        return false;
    host->reply_later(read->reply);
    return true;
}

static void reply_document(const struct weir_read *read, const struct weir_document *document)
{
    const struct weir_host *host = read->store->host;
    char tag[WEIR_REQUEST_BYTES + 3], date[HTTP_DATE_BYTES], version[NUMBER_BYTES];

    snprintf(tag, sizeof(tag), "\"%.*s\"", (int)document->request.len, document->request.data);
    snprintf(version, sizeof(version), "%" PRIu64, document->version);
    write_http_date(document->changed_ms, date);
    host->reply_body(read->reply, 200, "application/json", document->text);
    host->reply_header(read->reply, "ETag", tag);
    host->reply_header(read->reply, "Last-Modified", date);
    host->reply_header(read->reply, "Weir-Version", version);
}

/* Answers what was found, unless the partition was given up while it was looked for. */
static void reply_found(
    const struct weir_read *read, int found, struct weir_bytes stored, const struct weir_error *err)
{
    const struct weir_host *host = read->store->host;
    struct weir_document document;

    if (found == WEIR_E_NOT_FOUND) {
        host->reply_problem(read->reply, 404, "there is no such document");
        host->reply_header(read->reply, "Weir-Version", "0");
    } else if (found < 0 || weir_document_read(stored, &document, NULL) < 0) {
        weir_store_log(read->store, WEIR_SAY_ERROR, "store.read.failed", "reason=\"%s\"",
            found < 0 ? err->text : "damaged document");
        host->reply_problem(read->reply, 500, "the document can't be read");
    } else
        reply_document(read, &document);
}

/* A standby that has come to the end of the log once answers who asks for one, and for no newer state than it
 * has. */
static bool is_served_by_standby(const struct weir_read *read, const struct weir_partition *own)
{
    const char *asked = read->store->host->request_query(read->request, "standby");
    return asked != NULL && strcmp(asked, "1") == 0 && weir_partition_state(own) == WEIR_PARTITION_STANDBY &&
           atomic_load(&own->live) && atomic_load(&own->reached) > 0;
}

/* Up to which command it is the truth; taken before the document is looked for. */
static void mark_standby(
    const struct weir_read *read, const struct weir_source *source, int32_t partition, int64_t reached)
{
    char position[WEIR_POSITION_BYTES];

    weir_position_write(source->topic, partition, reached - 1, position);
    read->store->host->reply_header(read->reply, "Weir-Standby", read->store->host->instance);
    read->store->host->reply_header(read->reply, "Weir-Position", position);
}

static void read_document(
    const struct weir_read *read, const struct weir_source *source, struct weir_bytes key)
{
    WEIR_CLEANUP(buffer) struct weir_buffer stored = {0};
    struct weir_error err;
    struct weir_read_wait wait;
    char stored_key[WEIR_STORE_KEY_BYTES];
    int32_t partition = weir_topic_partition(key, source->partition_count);
    const struct weir_partition *own = &source->partitions[partition];

    uint64_t state = atomic_load(&own->state);
    int64_t reached = atomic_load(&own->reached);
    bool standby = is_served_by_standby(read, own);
    if (!weir_read_take_wait(read, &wait) || (!standby && !weir_read_is_served(read, own)))
        return;
    if (wait.offset >= 0 && !weir_partition_has_ended(own, wait.offset)) {
        if (!weir_read_waits(read, &wait))
            weir_read_reply_unavailable(read, "the command at that position has not ended yet");
        return;
    }
    int found = weir_db_get(read->store->db,
        weir_key_write(WEIR_KEY_DOCUMENT, source->number, partition, key, stored_key), &stored, &err);
    if (atomic_load(&own->state) != state)
        return weir_read_reply_unavailable(read, "this partition is moving");
    reply_found(read, found, weir_buffer_bytes(&stored), &err);
    if (standby)
        mark_standby(read, source, partition, reached);
}

/* The key is all behind the first slash. */
bool weir_read_find_document(const struct weir_read *read, const char *rest,
    const struct weir_source **ret_source, struct weir_bytes *ret_key)
{
    const struct weir_host *host = read->store->host;
    const char *slash = strchr(rest, '/');

    *ret_key = weir_bytes_str(slash != NULL ? slash + 1 : "");
    *ret_source = slash != NULL ? weir_read_find_collection(read->store, rest, (size_t)(slash - rest)) : NULL;
    if (*ret_source == NULL)
        host->reply_problem(read->reply, 404, "this store keeps no such collection");
    else if (weir_key_check(*ret_key, NULL) < 0)
        host->reply_problem(read->reply, 404, "a key has 1 to 255 bytes of UTF-8 without control characters");
    else
        return true;
    return false;
}

static void answer_document(const struct weir_read *read, const char *rest)
{
    const struct weir_source *source;
    struct weir_bytes key;

    if (weir_read_find_document(read, rest, &source, &key))
        read_document(read, source, key);
}

static void append_position(const struct weir_source *source, int32_t partition, struct weir_buffer *out)
{
    static const char *const states[] = {"foreign", "restoring", "serving", "standby"};
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

static void answer_positions(const struct weir_read *read, const char *rest)
{
    WEIR_CLEANUP(buffer) struct weir_buffer body = {0};
    const struct weir_store *store = read->store;

    if (rest[0] != '\0')
        return weir_read_reply_no_page(read);
    weir_buffer_append_str(&body, "{\"instance\":");
    weir_buffer_append_json_string(&body, weir_bytes_str(store->host->instance));
    weir_buffer_append_str(&body, ",\"partitions\":[");
    for (size_t i = 0; !body.failed && i < store->source_count; i++)
        for (int32_t p = 0; !body.failed && p < store->sources[i].partition_count; p++)
            append_position(&store->sources[i], p, &body);
    weir_buffer_append_str(&body, "]}");
    store->host->reply_body(read->reply, 200, "application/json", weir_buffer_bytes(&body));
}

static const struct {
    const char *path;
    void (*answer)(const struct weir_read *read, const char *rest);
} routes[] = {{"/documents/", answer_document}, {"/journeys/", weir_read_answer_journey},
    {"/requests/", weir_read_answer_request}, {"/lists/", weir_read_answer_list},
    {"/positions", answer_positions}};

static bool is_snapshot(const struct weir_store *store, const struct weir_http_request *request)
{
    return strcmp(store->host->request_path(request), "/snapshot") == 0;
}

static void answer_route(const struct weir_read *read, const char *path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (strncmp(path, routes[i].path, strlen(routes[i].path)) == 0)
            return routes[i].answer(read, path + strlen(routes[i].path));
    weir_read_reply_no_page(read);
}

void weir_store_answer(void *context, const struct weir_http_request *request, struct weir_http_reply *reply)
{
    struct weir_store *store = context;
    const char *method = store->host->request_method(request);

    if (!may_read(store, request)) {
        store->host->reply_problem(reply, 403, "the header Weir-Peer is missing or wrong");
    } else if (is_snapshot(store, request) && strcmp(method, "POST") == 0) {
        weir_snapshot_answer(&(struct weir_read){store, request, reply});
    } else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        store->host->reply_problem(reply, 405, "the store's documents are changed by commands only");
        store->host->reply_header(reply, "Allow", "GET, HEAD");
    } else {
        answer_route(&(struct weir_read){store, request, reply}, store->host->request_path(request));
    }
}
