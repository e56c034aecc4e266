/* What became of a request: /requests/{collection}/{partition}/{request id}?offset=&wait=&fingerprint= */
#include "consumers/plugins/store/reads.h"

#include "consumers/plugins/store/requests.h"

#include <inttypes.h>

/* A path taken apart. */
struct place {
    const struct weir_source *source;
    int32_t partition;
    struct weir_bytes request;
};

static bool read_place(const struct weir_store *store, const char *rest, struct place *ret_place)
{
    const char *partition = strchr(rest, '/');
    const char *request = partition != NULL ? strchr(partition + 1, '/') : NULL;
    char *end = NULL;

    if (request == NULL)
        return false;
    ret_place->source = weir_read_find_collection(store, rest, (size_t)(partition - rest));
    long number = strtol(partition + 1, &end, 10);
    ret_place->partition = (int32_t)number;
    ret_place->request = weir_bytes_str(request + 1);
    return ret_place->source != NULL && end == request && end > partition + 1 && number >= 0 &&
           number < ret_place->source->partition_count && ret_place->request.len > 0 &&
           ret_place->request.len <= WEIR_REQUEST_BYTES;
}

void weir_read_append_member(struct weir_buffer *out, const char *name, struct weir_bytes text)
{
    if (text.data == NULL)
        return;
    weir_buffer_printf(out, ",\"%s\":", name);
    weir_buffer_append_json_string(out, text);
}

void weir_read_append_outcome(const struct weir_ending *ending, struct weir_buffer *out)
{
    weir_read_append_member(out, "outcome", weir_bytes_str(weir_ending_name(ending->kind)));
    weir_read_append_member(out, "error", ending->error);
    if (ending->problem.len > 0) {
        weir_buffer_append_str(out, ",");
        weir_buffer_append_bytes(out, ending->problem);
    }
}

void weir_read_append_change(const struct weir_source *source, int32_t partition,
    const struct weir_ending *ending, struct weir_buffer *out)
{
    static const char *const ops[WEIR_EFFECT_COUNT] = {
        [WEIR_EFFECT_CREATED] = "c", [WEIR_EFFECT_UPDATED] = "u", [WEIR_EFFECT_DELETED] = "d"};
    char change[WEIR_POSITION_BYTES];

    if (ending->version == 0)
        return;
    weir_read_append_member(out, "op", weir_bytes_str(ops[ending->kind]));
    weir_buffer_printf(out, ",\"version\":%" PRIu64, ending->version);
    if (ending->change < 0)
        return;
    weir_position_write(source->changes_topic, partition, ending->change, change);
    weir_read_append_member(out, "change", weir_bytes_str(change));
}

static void write_ending(
    const struct place *place, const struct weir_ending *ending, bool reused, struct weir_buffer *out)
{
    char at[WEIR_POSITION_BYTES];

    weir_position_write(place->source->topic, ending->partition, ending->offset, at);
    weir_buffer_append_str(out, "{\"request\":");
    weir_buffer_append_json_string(out, place->request);
    if (reused) {
        weir_read_append_member(out, "outcome", weir_bytes_str("rejected"));
        weir_read_append_member(out, "error", weir_bytes_str("idempotency-key-reused"));
    } else
        weir_read_append_outcome(ending, out);
    weir_read_append_member(out, "key", ending->key);
    weir_read_append_member(out, reused ? "first" : "at", weir_bytes_str(at));
    if (!reused)
        weir_read_append_change(place->source, place->partition, ending, out);
    weir_buffer_printf(out, ",\"ts_ms\":%" PRId64 "}", ending->ts_ms);
}

static void reply_ending(
    const struct weir_read *read, const struct place *place, const struct weir_ending *ending)
{
    WEIR_CLEANUP(buffer) struct weir_buffer body = {0};
    const char *fingerprint = read->store->host->request_query(read->request, "fingerprint");

    bool reused = fingerprint != NULL && !weir_ending_is_of(ending, weir_bytes_str(fingerprint));
    write_ending(place, ending, reused, &body);
    read->store->host->reply_body(read->reply, 200, "application/json", weir_buffer_bytes(&body));
}

/* waits_for: why the partition's commands wait; NULL: they don't. */
static void reply_pending(const struct weir_read *read, const struct place *place, const char *waits_for)
{
    WEIR_CLEANUP(buffer) struct weir_buffer body = {0};

    weir_buffer_append_str(&body, "{\"request\":");
    weir_buffer_append_json_string(&body, place->request);
    weir_read_append_member(&body, "outcome", weir_bytes_str(waits_for != NULL ? "retrying" : "pending"));
    weir_read_append_member(&body, "error", weir_bytes_str(waits_for));
    weir_buffer_append_str(&body, "}");
    read->store->host->reply_body(read->reply, 200, "application/json", weir_buffer_bytes(&body));
}

/* Of a request that is not known: it is yet to end, or it ended longer ago than is remembered. */
static void reply_unknown(
    const struct weir_read *read, const struct place *place, const struct weir_read_wait *wait, bool ended)
{
    if (wait->offset >= 0 && ended) {
        read->store->host->reply_problem(
            read->reply, 404, "no such request is known; requests are for at least a day");
        read->store->host->reply_header(read->reply, "Weir-Outcome", "unknown");
    } else if (!weir_read_waits(read, wait))
        reply_pending(read, place, atomic_load(&place->source->partitions[place->partition].waits_for));
}

void weir_read_answer_request(const struct weir_read *read, const char *rest)
{
    WEIR_CLEANUP(buffer) struct weir_buffer stored = {0};
    struct weir_ending ending;
    struct weir_read_wait wait;
    struct weir_error err;
    struct place place;

    if (!read_place(read->store, rest, &place))
        return weir_read_reply_no_page(read);
    struct weir_partition *own = &place.source->partitions[place.partition];
    if (!weir_read_take_wait(read, &wait) || !weir_read_is_served(read, own))
        return;
    uint64_t state = atomic_load(&own->state);
    /* Before the look: what is reached by now is on disk by then. */
    bool ended = weir_partition_has_ended(own, wait.offset);
    int r =
        weir_requests_find(read->store, place.source, place.partition, place.request, &stored, &ending, &err);
    if (atomic_load(&own->state) != state)
        return weir_read_reply_unavailable(read, "this partition is moving");
    if (r == 0)
        return reply_ending(read, &place, &ending);
    if (r == WEIR_E_NOT_FOUND)
        return reply_unknown(read, &place, &wait, ended);
    weir_store_log(read->store, WEIR_SAY_ERROR, "store.read.failed", "reason=\"%s\"", err.text);
    read->store->host->reply_problem(read->reply, 500, "the request can't be looked for");
}
