/* First the store is asked for the document's way, then the notifier for the mails of each request that made
 * a change. */
#include "gateway/journey.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/topic.h"
#include "gateway/read_job.h"

#include <inttypes.h>
#include <string.h>

enum { MAILS_MS = 1000, MAILS_MAX = 20 };

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

/* ---- the mails ---- */

/* Hidden, it tells whose address it is only who knows it: a***@example.org. */
static void append_address(struct weir_buffer *out, const char *address, bool hides)
{
    WEIR_CLEANUP(buffer) struct weir_buffer shown = {0};
    const char *at = strrchr(address, '@');
    size_t first = at != NULL && at > address ? weir_utf8_next(weir_bytes_str(address)) : 0;
    if (hides)
        weir_buffer_printf(&shown, "%.*s***%s", (int)first, address, at != NULL ? at : "");
    else
        weir_buffer_append_str(&shown, address);
    weir_buffer_append_json_string(out, weir_buffer_bytes(&shown));
}

static void append_text(struct weir_buffer *out, const json_t *delivery, const char *name)
{
    weir_buffer_printf(out, ",\"%s\":", name);
    weir_buffer_append_json_string(out, weir_bytes_str(text_of(delivery, name)));
}

/* A server's reply may repeat the address. */
static void append_mail(struct weir_buffer *out, const json_t *delivery, bool hides)
{
    weir_buffer_printf(
        out, "{\"ts_ms\":%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(delivery, "ts_ms")));
    append_text(out, delivery, "status");
    append_text(out, delivery, "subscription");
    if (!hides)
        append_text(out, delivery, "reply");
    weir_buffer_append_str(out, ",\"recipient\":");
    append_address(out, text_of(delivery, "recipient"), hides);
    weir_buffer_append_str(out, "}");
}

/* The mails of a notifier's answer, as an array; NULL when it is none. */
static json_t *read_mails(const struct weir_read_job *job)
{
    WEIR_CLEANUP(json) json_t *told = NULL;
    WEIR_CLEANUP(buffer) struct weir_buffer mails = {0};
    json_t *delivery, *array = NULL;
    size_t index;
    if (weir_json_parse_object(weir_buffer_bytes(&job->body), &told, NULL) < 0)
        return NULL;
    weir_buffer_append_str(&mails, "[");
    json_array_foreach(json_object_get(told, "deliveries"), index, delivery)
    {
        if (index == MAILS_MAX)
            break;
        weir_buffer_append_str(&mails, index > 0 ? "," : "");
        append_mail(&mails, delivery, job->request->hides_addresses);
    }
    weir_buffer_append_str(&mails, "]");
    return mails.failed || weir_json_parse(weir_buffer_bytes(&mails), &array, NULL) < 0 ? NULL : array;
}

static json_t *asked_request(const struct weir_read_job *job, const json_t *journey)
{
    return json_array_get(json_object_get(journey, "requests"), job->asked);
}

/* Goes on to the next request that made a change; false when there is none. */
static bool find_request(struct weir_read_job *job, const json_t *journey)
{
    for (const json_t *request; (request = asked_request(job, journey)) != NULL; job->asked++) {
        if (strcmp(text_of(json_object_get(request, "ended"), "outcome"), "stored") == 0)
            return true;
    }
    return false;
}

static bool read_gathered(const struct weir_read_job *job, json_t **ret_journey)
{
    return weir_json_parse_object(weir_buffer_bytes(&job->gathered), ret_journey, NULL) == 0;
}

/* What was gathered so far is the answer: a request without `mails` is one whose mails are not known. */
static void end_gathered(struct weir_read_job *job)
{
    struct weir_buffer told = job->body;
    job->body = job->gathered;
    job->gathered = told;
    weir_read_end_body(job);
}

static void write_mails_url(const struct weir_read_job *job, const char *owner, struct weir_buffer *out)
{
    WEIR_CLEANUP(json) json_t *journey = NULL;
    (void)read_gathered(job, &journey);
    weir_buffer_printf(out, "%s/deliveries/%s/%" PRId32 "?request=", owner,
        job->request->collection->config->changes_topic, job->partition);
    weir_read_append_escaped(out, weir_bytes_str(text_of(asked_request(job, journey), "request")));
}

static bool keep_mails(struct weir_read_job *job, json_t *journey)
{
    json_t *mails = read_mails(job);
    if (mails == NULL || json_object_set_new(asked_request(job, journey), "mails", mails) < 0)
        return false;
    WEIR_CLEANUP(free) char *text = json_dumps(journey, JSON_COMPACT);
    weir_buffer_clear(&job->gathered);
    weir_buffer_append_str(&job->gathered, text != NULL ? text : "");
    return text != NULL && !job->gathered.failed;
}

static bool judge_mails(struct weir_read_job *job, long status)
{
    WEIR_CLEANUP(json) json_t *journey = NULL;
    if (status != MHD_HTTP_OK || !read_gathered(job, &journey) || !keep_mails(job, journey))
        return false;
    job->asked++;
    job->again = find_request(job, journey);
    if (!job->again)
        end_gathered(job);
    return !job->again;
}

static const struct weir_read_kind mails = {
    write_mails_url, judge_mails, end_gathered, end_gathered, .owner = WEIR_OWNER_NOTIFIER};

/* ---- the document's way ---- */

static void write_url(const struct weir_read_job *job, const char *owner, struct weir_buffer *out)
{
    weir_buffer_printf(out, "%s/journeys/%s/", owner, job->request->collection->config->name);
    weir_read_append_escaped(out, job->request->key);
}

/* Whether there are mails to ask for. */
static bool may_have_mails(struct weir_read_job *job)
{
    WEIR_CLEANUP(json) json_t *journey = NULL;
    return job->request->collection->config->mail_service != NULL &&
           weir_json_parse_object(weir_buffer_bytes(&job->body), &journey, NULL) == 0 &&
           find_request(job, journey);
}

static void go_on_with_mails(struct weir_read_job *job)
{
    int64_t give_up_ms = weir_clock_ms() + MAILS_MS;
    job->gathered = job->body;
    job->body = (struct weir_buffer){0};
    job->kind = &mails;
    job->give_up_ms = give_up_ms < job->deadline_ms ? give_up_ms : job->deadline_ms;
    job->again = true;
}

static bool judge(struct weir_read_job *job, long status)
{
    if (status == MHD_HTTP_OK && may_have_mails(job)) {
        go_on_with_mails(job);
        return false;
    }
    if (status == MHD_HTTP_OK)
        weir_read_end_body(job);
    else if (weir_read_is_missing(job, status))
        weir_read_end_problem(
            job, MHD_HTTP_NOT_FOUND, "there is no such document, and no request for it within the last day");
    else
        return false;
    return true;
}

static const struct weir_read_kind kind = {
    write_url, judge, weir_read_give_up, weir_read_late, .owner = WEIR_OWNER_STORE};

enum weir_step weir_journey_run(struct weir_request *request)
{
    const struct weir_collection *config = request->collection->config;
    if (config->store_service == NULL)
        return weir_request_refuse(
            request, MHD_HTTP_NOT_FOUND, "no store keeps the collection %s", config->name);
    request->hides_addresses = !weir_request_may(request, WEIR_SUBSCRIPTIONS, "read");
    if (!weir_read_begin(request, &kind, weir_topic_partition(request->key, (int32_t)config->partitions),
            request->gateway->settings.read_wait_ms, WEIR_READ_LATE))
        return weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    return WEIR_STEP_SUSPENDED;
}
