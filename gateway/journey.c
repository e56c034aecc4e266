/* First the store is asked for the document's way, then the notifier for the mails of those requests that
 * made a change. Of a client that waits for another journey than the one it has (If-None-Match, Prefer:
 * wait=N) both are asked once more, side by side, each for something new; whichever has it first has all of
 * it read anew. What they say is marked, and the mark tells them what is new (Weir-Mark). */
#include "gateway/journey.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/topic.h"
#include "gateway/etag.h"
#include "gateway/identity.h"
#include "gateway/journey_mails.h"
#include "gateway/pending.h"
#include "gateway/read_job.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAILS_MS = 1000 };

static const struct weir_read_kind way, mails, way_awaited, mails_awaited;

static bool read_gathered(const struct weir_read_job *job, json_t **ret_journey)
{
    return weir_json_parse_object(weir_buffer_bytes(&job->gathered), ret_journey, NULL) == 0;
}

static void take_mark(struct weir_read_job *job, enum weir_owner_kind whose)
{
    job->marks[whose][0] = '\0';
    weir_read_copy_header(job, "Weir-Mark", job->marks[whose], sizeof(job->marks[whose]));
}

/* When the request has to be answered. */
static int64_t last_ms(const struct weir_request *request)
{
    return request->started_us / 1000 + request->gateway->settings.timeout_ms - WEIR_READ_MARGIN_MS / 2;
}

static int64_t within_ms(const struct weir_request *request, int64_t duration_ms)
{
    int64_t until_ms = weir_clock_ms() + duration_ms;
    return until_ms < last_ms(request) ? until_ms : last_ms(request);
}

/* ---- the answer ---- */

static void write_etag(const struct weir_read_job *job, char out[static WEIR_REQUEST_TAG_BYTES])
{
    char digest[WEIR_FINGERPRINT_BYTES];
    struct weir_bytes text = weir_identity_fingerprint(weir_buffer_bytes(&job->gathered), digest);
    snprintf(out, WEIR_REQUEST_TAG_BYTES, "\"%.*s\"", (int)text.len, text.data != NULL ? text.data : "");
}

static bool is_known(const struct weir_read_job *job)
{
    char etag[WEIR_REQUEST_TAG_BYTES];
    write_etag(job, etag);
    return weir_etag_matches(weir_buffer_bytes(&job->request->known), etag);
}

static void end(struct weir_read_job *job)
{
    struct weir_request *request = job->request;
    struct weir_outcome *outcome = &request->outcome;
    if (!weir_pending_take(request->gateway->pending, request))
        return;
    outcome->kind = WEIR_OUTCOME_DOCUMENT;
    outcome->status = is_known(job) ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK;
    outcome->waited = request->wait_ms > 0;
    write_etag(job, outcome->etag);
    outcome->document = job->gathered;
    job->gathered = (struct weir_buffer){0};
    weir_pending_resume(request);
}

static int64_t wait_until_ms(const struct weir_request *request)
{
    int64_t most_ms = request->gateway->settings.timeout_ms - WEIR_READ_MARGIN_MS;
    return request->started_us / 1000 + (request->wait_ms < most_ms ? request->wait_ms : most_ms);
}

static bool has_mails(const struct weir_read_job *job)
{
    WEIR_CLEANUP(json) json_t *journey = NULL;
    WEIR_CLEANUP(buffer) struct weir_buffer changes = {0};
    return job->request->collection->config->mail_service != NULL && read_gathered(job, &journey) &&
           weir_journey_write_changes(journey, &changes) > 0;
}

static void await_mails(struct weir_read_job *job, struct weir_read_job *beside, int64_t until_ms)
{
    struct weir_read_job *added = weir_read_add(job, &mails_awaited, until_ms, last_ms(job->request));
    if (added == NULL)
        return; /* its mails will be told of when something else happens */
    weir_buffer_append_bytes(&added->gathered, weir_buffer_bytes(&job->gathered));
    added->twin = beside;
    beside->twin = added;
}

/* Whether the client has this journey and waits for another one; job has no more to do then. */
static bool await_another(struct weir_read_job *job)
{
    const struct weir_request *request = job->request;
    int64_t until_ms = wait_until_ms(request);
    if (until_ms <= weir_clock_ms() || job->marks[WEIR_OWNER_STORE][0] == '\0' || !is_known(job) ||
        atomic_load(&request->gateway->refusing))
        return false;
    struct weir_read_job *added = weir_read_add(job, &way_awaited, until_ms, last_ms(request));
    if (added == NULL)
        return false;
    if (has_mails(job))
        await_mails(job, added, until_ms);
    added->gathered = job->gathered;
    job->gathered = (struct weir_buffer){0};
    return true;
}

static void tell(struct weir_read_job *job)
{
    if (!await_another(job))
        end(job);
}

static void write_wait(
    const struct weir_read_job *job, enum weir_owner_kind whose, char separator, struct weir_buffer *out)
{
    int64_t left_ms = job->give_up_ms - weir_clock_ms();
    weir_buffer_printf(out, "%cmark=", separator);
    weir_read_append_escaped(out, weir_bytes_str(job->marks[whose]));
    weir_buffer_printf(out, "&wait=%" PRId64, left_ms > 0 ? left_ms : 0);
}

/* ---- the mails ---- */

static void write_mails_url(const struct weir_read_job *job, const char *owner, struct weir_buffer *out)
{
    WEIR_CLEANUP(json) json_t *journey = NULL;
    weir_buffer_printf(out, "%s/deliveries/%s/%" PRId32 "?request=", owner,
        job->request->collection->config->changes_topic, job->partition);
    if (read_gathered(job, &journey))
        weir_journey_write_changes(journey, out);
}

static bool keep_mails(struct weir_read_job *job)
{
    WEIR_CLEANUP(json) json_t *journey = NULL;
    if (!read_gathered(job, &journey) ||
        !weir_journey_add_mails(journey, weir_buffer_bytes(&job->body), job->request->hides_addresses))
        return false;
    WEIR_CLEANUP(free) char *text = json_dumps(journey, JSON_COMPACT);
    weir_buffer_clear(&job->gathered);
    weir_buffer_append_str(&job->gathered, text != NULL ? text : "");
    return text != NULL && !job->gathered.failed;
}

static bool judge_mails(struct weir_read_job *job, long status)
{
    if (status != MHD_HTTP_OK || !keep_mails(job))
        return false;
    take_mark(job, WEIR_OWNER_NOTIFIER);
    tell(job);
    return true;
}

/* Without them: a request that has no `mails` is one whose mails are not known. */
static const struct weir_read_kind mails = {
    write_mails_url, judge_mails, tell, tell, .owner = WEIR_OWNER_NOTIFIER};

/* What was not known is asked for as it is. */
static void write_awaited_mails_url(
    const struct weir_read_job *job, const char *owner, struct weir_buffer *out)
{
    write_mails_url(job, owner, out);
    if (job->marks[WEIR_OWNER_NOTIFIER][0] != '\0')
        write_wait(job, WEIR_OWNER_NOTIFIER, '&', out);
}

/* After the wait the store has the word. */
static bool judge_awaited_mails(struct weir_read_job *job, long status)
{
    WEIR_CLEANUP(json) json_t *told = NULL;
    if (status == MHD_HTTP_NOT_MODIFIED)
        return true;
    if (status != MHD_HTTP_OK)
        return false;
    take_mark(job, WEIR_OWNER_NOTIFIER);
    if (job->marks[WEIR_OWNER_NOTIFIER][0] == '\0' ||
        weir_json_parse_object(weir_buffer_bytes(&job->body), &told, NULL) < 0)
        return true;
    weir_read_drop_twin(job);
    job->kind = &way;
    job->again = true;
    job->give_up_ms = within_ms(job->request, job->request->gateway->settings.read_wait_ms);
    job->deadline_ms = last_ms(job->request);
    return false;
}

static void leave(struct weir_read_job *job)
{
    (void)job;
}

static const struct weir_read_kind mails_awaited = {
    write_awaited_mails_url, judge_awaited_mails, leave, leave, .owner = WEIR_OWNER_NOTIFIER};

/* ---- the document's way ---- */

static void write_url(const struct weir_read_job *job, const char *owner, struct weir_buffer *out)
{
    weir_buffer_printf(out, "%s/journeys/%s/", owner, job->request->collection->config->name);
    weir_read_append_escaped(out, job->request->key);
}

static bool take_way(struct weir_read_job *job)
{
    struct weir_buffer former = job->gathered;
    job->gathered = job->body;
    job->body = former;
    take_mark(job, WEIR_OWNER_STORE);
    job->marks[WEIR_OWNER_NOTIFIER][0] = '\0';
    if (!has_mails(job)) {
        tell(job);
        return true;
    }
    job->kind = &mails;
    job->again = true;
    job->give_up_ms = job->deadline_ms = within_ms(job->request, MAILS_MS);
    return false;
}

static bool judge(struct weir_read_job *job, long status)
{
    if (status == MHD_HTTP_OK)
        return take_way(job);
    if (!weir_read_is_missing(job, status))
        return false;
    weir_read_end_problem(
        job, MHD_HTTP_NOT_FOUND, "there is no such document, and no request for it within the last day");
    return true;
}

static const struct weir_read_kind way = {
    write_url, judge, weir_read_give_up, weir_read_late, .owner = WEIR_OWNER_STORE};

static void write_awaited_url(const struct weir_read_job *job, const char *owner, struct weir_buffer *out)
{
    write_url(job, owner, out);
    write_wait(job, WEIR_OWNER_STORE, '?', out);
}

/* Nothing new. */
static void end_wait(struct weir_read_job *job)
{
    weir_read_drop_twin(job);
    end(job);
}

static bool judge_awaited(struct weir_read_job *job, long status)
{
    if (status == MHD_HTTP_NOT_MODIFIED) {
        end_wait(job);
        return true;
    }
    if (status != MHD_HTTP_OK && !weir_read_is_missing(job, status))
        return false;
    weir_read_drop_twin(job);
    job->kind = &way;
    return judge(job, status);
}

static void give_up_wait(struct weir_read_job *job)
{
    weir_read_drop_twin(job);
    weir_read_give_up(job);
}

static void end_late(struct weir_read_job *job)
{
    weir_read_drop_twin(job);
    weir_read_late(job);
}

static const struct weir_read_kind way_awaited = {
    write_awaited_url, judge_awaited, give_up_wait, end_late, .hurry = end_wait, .owner = WEIR_OWNER_STORE};

/* What the reads' thread needs of the header, whose memory is the connection's. */
static bool keep_known(struct weir_request *request)
{
    if (request->head.if_none_match.data != NULL)
        weir_buffer_append_bytes(&request->known, request->head.if_none_match);
    if (request->known.len == 0)
        request->wait_ms = 0;
    return !request->known.failed;
}

enum weir_step weir_journey_run(struct weir_request *request)
{
    const struct weir_collection *config = request->collection->config;
    if (config->store_service == NULL)
        return weir_request_refuse(
            request, MHD_HTTP_NOT_FOUND, "no store keeps the collection %s", config->name);
    request->hides_addresses = !weir_request_may(request, WEIR_SUBSCRIPTIONS, "read");
    if (!keep_known(request) ||
        !weir_read_begin(request, &way, weir_topic_partition(request->key, (int32_t)config->partitions),
            request->gateway->settings.read_wait_ms, WEIR_READ_LATE))
        return weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    return WEIR_STEP_SUSPENDED;
}
